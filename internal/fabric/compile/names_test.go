package compile

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

func (n *network) link(zone, vnet string, registers bool) *network {
	return n.add("zone/"+zone+"/virtualNetworkLinks/"+vnet, fmt.Sprintf(`{"location":"global","properties":{"virtualNetwork":{"id":"~vnet/%s"},"registrationEnabled":%v}}`, vnet, registers))
}

// Private zones answer in the networks they are linked to, the longest suffix
// first ("What is a private Azure DNS zone").
func TestNames(t *testing.T) {
	n := &network{t: t}
	n.vnet("a", "10.0.0.0/16", "s 10.0.0.0/24").vnet("b", "10.1.0.0/16", "s 10.1.0.0/24")
	n.add("vnet/own", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.2.0.0/16"]},"dhcpOptions":{"dnsServers":["10.2.0.4"]}}}`)
	n.nic("auto", "a/s", "").nic("static", "a/s", "10.0.0.9")
	n.add("zone/corp.example", `{"location":"global","properties":{}}`).add("zone/db.corp.example", `{"location":"global","properties":{}}`)
	n.link("corp.example", "a", true).link("corp.example", "own", false).link("db.corp.example", "a", false)
	n.add("zone/corp.example/A/@", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.1"}]}}`)
	n.add("zone/corp.example/A/Web", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.5"}]}}`)
	n.add("zone/corp.example/AAAA/web", `{"properties":{"ttl":30,"aaaaRecords":[{"ipv6Address":"fd00::5"}]}}`)
	n.add("zone/corp.example/A/x.db", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.6"}]}}`)
	n.add("zone/corp.example/CNAME/www", `{"properties":{"ttl":60,"cnameRecord":{"cname":"web.corp.example."}}}`)
	img := n.compile()
	spaces := map[string]*fabric.Space{}
	for i := range img.Spaces {
		spaces[img.Spaces[i].Name] = &img.Spaces[i]
	}
	for _, tt := range []struct {
		vnet, name string
		want       fabric.Verdict
		addrs      []string
		ttl        uint32
	}{
		{"a", "corp.example", fabric.VerdictAllow, []string{"10.0.0.1"}, 60},
		{"a", "WEB.corp.example.", fabric.VerdictAllow, []string{"10.0.0.5", "fd00::5"}, 30},
		{"a", "www.corp.example", fabric.VerdictAllow, []string{"10.0.0.5", "fd00::5"}, 30},
		{"a", "nothing.corp.example", fabric.VerdictDeny, nil, 0},
		{"a", "x.db.corp.example", fabric.VerdictDeny, nil, 0}, // the longer zone answers
		{"a", "example.org", fabric.VerdictUnknown, nil, 0},
		{"a", "auto.corp.example", fabric.VerdictAllow, []string{"10.0.0.4"}, registrationTTL},
		{"a", "static.corp.example", fabric.VerdictDeny, nil, 0}, // dynamic allocation only
		{"b", "corp.example", fabric.VerdictUnknown, nil, 0},     // not linked
		{"own", "corp.example", fabric.VerdictUnknown, nil, 0},   // asks its own server
	} {
		got := spaces[tt.vnet].View.Resolve(tt.name)
		if got.Verdict != tt.want || got.TTL != tt.ttl || len(got.Addrs) != len(tt.addrs) {
			t.Errorf("%s in %s: %+v", tt.name, tt.vnet, got)
			continue
		}
		for i, a := range tt.addrs {
			if got.Addrs[i] != netip.MustParseAddr(a) {
				t.Errorf("%s in %s: %v, want %v", tt.name, tt.vnet, got.Addrs, tt.addrs)
			}
		}
	}
}
