package compile

import (
	"fmt"
	"net/netip"
	"strings"
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

// Whom hosts ask: the servers of the interface, else of the network, else the
// platform ("Name resolution for resources in Azure virtual networks").
func TestNameServers(t *testing.T) {
	n := &network{t: t}
	n.vnet("a", "10.0.0.0/16", "s 10.0.0.0/24")
	n.add("vnet/own", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.2.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.2.0.0/24"}}],"dhcpOptions":{"dnsServers":["10.2.0.4"]}}}`)
	n.nic("plain", "a/s", "").nic("special", "a/s", "", `"dnsSettings":{"dnsServers":["10.9.9.9"]}`)
	n.nic("follower", "own/s", "").nic("azure", "own/s", "", `"dnsSettings":{"dnsServers":["168.63.129.16"]}`)
	n.add("zone/corp.example", `{"location":"global","properties":{}}`)
	n.link("corp.example", "a", false).link("corp.example", "own", false)
	n.add("zone/corp.example/A/web", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.5"}]}}`)
	img := n.compile()
	for name, want := range map[string]fabric.Verdict{
		"plain": fabric.VerdictAllow, "special": fabric.VerdictUnknown, "follower": fabric.VerdictUnknown, "azure": fabric.VerdictAllow,
	} {
		found := false
		for i := range img.Ports {
			if img.Ports[i].Name == name {
				found = true
				if got := img.Resolve(fabric.PortID(i), "web.corp.example"); got.Verdict != want {
					t.Errorf("%s: %s, want %s", name, got.Verdict, want)
				}
			}
		}
		if !found {
			t.Errorf("no port %s", name)
		}
	}
}

// Record sets of every type become data in the form of master files (RFC 1035
// section 5.1).
func TestRecordData(t *testing.T) {
	n := &network{t: t}
	n.vnet("a", "10.0.0.0/16", "s 10.0.0.0/24").add("zone/corp.example", `{"location":"global","properties":{}}`).link("corp.example", "a", false)
	n.add("zone/corp.example/A/x", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.5"}]}}`)
	n.add("zone/corp.example/MX/x", `{"properties":{"ttl":30,"mxRecords":[{"preference":5,"exchange":"Mail.example."}]}}`)
	n.add("zone/corp.example/TXT/x", `{"properties":{"ttl":20,"txtRecords":[{"value":["a \"b\"\\","c"]}]}}`)
	n.add("zone/corp.example/SRV/_s._tcp", `{"properties":{"ttl":10,"srvRecords":[{"priority":1,"weight":2,"port":3,"target":"x.corp.example"}]}}`)
	n.add("zone/corp.example/SOA/@", `{"properties":{"ttl":99,"soaRecord":{"host":"ns.example","email":"me@example","serialNumber":7,"refreshTime":1,"retryTime":2,"expireTime":3,"minimumTtl":4}}}`)
	img := n.compile()
	z := &img.Spaces[0].View.Zones[0]
	if z.SOA != (fabric.Data{Type: typeSOA, TTL: 99, Text: "ns.example. me.example. 7 1 2 3 4"}) {
		t.Errorf("%+v", z.SOA)
	}
	got := fmt.Sprintf("%+v", z.Records)
	for _, want := range []string{
		`{Type:15 TTL:30 Text:5 mail.example.} {Type:16 TTL:20 Text:"a \"b\"\\" "c"}`, `{Type:33 TTL:10 Text:1 2 3 x.corp.example.}`, "10.0.0.5",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if len(z.Records) != 2 {
		t.Errorf("%d names", len(z.Records))
	}
}
