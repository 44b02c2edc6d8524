package compile

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Every problem is reported, with its place, in one go.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(n *network)
		want  []string // parts of the lines, in order
	}{
		{"overlapping subnets", func(n *network) {
			n.vnet("net", "10.0.0.0/16", "a 10.0.0.0/24", "b 10.0.0.128/25")
		}, []string{`net.yaml:1:1: subnets "a" (10.0.0.0/24) and "b" (10.0.0.128/25) overlap`}},
		{"one subnet over two others", func(n *network) {
			n.vnet("net", "10.0.0.0/16", "a 10.0.0.0/22", "b 10.0.1.0/24", "c 10.0.2.0/24")
		}, []string{`"a" (10.0.0.0/22) and "b"`, `"a" (10.0.0.0/22) and "c"`}},
		{"subnet outside its network", func(n *network) { n.vnet("net", "10.0.0.0/16", "a 10.1.0.0/24") }, []string{`subnet "a" (10.1.0.0/24) is outside`}},
		{"firewall subnet too small", func(n *network) { n.vnet("net", "10.0.0.0/16", "AzureFirewallSubnet 10.0.0.0/27") }, []string{`smaller than /26`}},
		{"prefix with host bits", func(n *network) { n.vnet("net", "10.0.1.0/16") }, []string{`10.0.1.0/16 has bits set beyond its length; write 10.0.0.0/16`, "has no address space"}},
		{"forbidden range", func(n *network) { n.vnet("net", "169.254.0.0/24") }, []string{`169.254.0.0/24 overlaps 169.254.0.0/16`}},
		{"unknown region", func(n *network) { n.vnetIn("westeurop", "net", "10.0.0.0/16", "{}") }, []string{`"westeurop" is not an Azure region`}},
		{"peered networks overlap", func(n *network) {
			n.vnet("a", "10.0.0.0/16").vnet("b", "10.0.1.0/24").peer("a", "b")
		}, []string{`"a" (10.0.0.0/16) and "b" (10.0.1.0/24) are peered and overlap`, `"b" (10.0.1.0/24) and "a" (10.0.0.0/16) are peered and overlap`}},
		{"two peers overlap", func(n *network) {
			n.vnet("hub", "10.0.0.0/16").vnet("b", "10.1.0.0/16").vnet("c", "10.1.1.0/24").peer("hub", "b").peer("hub", "c")
		}, []string{`"b" (10.1.0.0/16) and "c" (10.1.1.0/24) overlap and are both peered with "hub"`}},
		{"everything dangling", func(n *network) {
			n.vnet("net", "10.0.0.0/16", `a 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/x"},"routeTable":{"id":"~rt/x"},"natGateway":{"id":"~nat/x"}`)
			n.nic("h", "net/none", "")
		}, []string{`NAT gateway "`, `network security group "`, `route table "`, `net.yaml:2:1: subnet "`}},
		{"addresses", func(n *network) {
			n.vnet("net", "10.0.0.0/16", "a 10.0.0.0/29")
			n.nic("first", "net/a", "10.0.0.4").nic("same", "net/a", "10.0.0.4").nic("kept", "net/a", "10.0.0.1").nic("out", "net/a", "10.0.1.4").nic("bad", "net/a", "10.0.0")
			n.nic("d1", "net/a", "").nic("d2", "net/a", "").nic("d3", "net/a", "")
		}, []string{
			`10.0.0.4 is already taken by "first"`, `10.0.0.1 of subnet "a" (10.0.0.0/29) is one of the five`, `10.0.1.4 is not in subnet "a"`,
			`"10.0.0" is not an address`, `subnet "a" has no free address`,
		}},
		{"IPv6 alone", func(n *network) {
			n.add("vnet/net", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00::/48"]},
				"subnets":[{"name":"a","properties":{"addressPrefixes":["10.0.0.0/24","fd00::/64"]}}]}}`)
			six := `"properties":{"privateIPAddressVersion":"IPv6","subnet":{"id":"~vnet/net/subnets/a"}}`
			four := `"properties":{"subnet":{"id":"~vnet/net/subnets/a"}}`
			n.add("nic/alone", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"i",`+six+`}]}}`)
			n.add("nic/both", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"i",`+four+`},{"name":"j",`+six+`}]}}`)
		}, []string{`interface "alone" has no IPv4 configuration`}},
		{"routes between families", func(n *network) {
			n.routeTable("r", "a 10.0.0.0/8 VirtualAppliance fd00::4", "b fd00::/64 VirtualAppliance 10.0.0.4", "c fd01::/64 VirtualAppliance fd00::4")
		}, []string{`route "a" leads from 10.0.0.0/8 to fd00::4`, `route "b" leads from fd00::/64 to 10.0.0.4`}},
		{"security rules", func(n *network) {
			n.nsg("g", "a 100 Inbound Allow Tcp * * 80", "b 100 Inbound Deny Tcp * * 81", "c 99 Inbound Allow Tcp * * 80", "d 101 Up Allow Tcp * * 80",
				"e 102 Inbound Maybe Tcp * * 80", "f 103 Inbound Allow Gre * * 80", "g 104 Inbound Allow Tcp 10.0.0.0/33 * 80", "h 105 Inbound Allow Tcp * * 90-80")
		}, []string{
			`rule "b": priority 100 is already that of rule "a"`, `rule "c": priority 99`, `rule "d": direction "Up"`, `rule "e": access "Maybe"`,
			`rule "f": protocol "Gre"`, `rule "g": "10.0.0.0/33" is not`, `rule "h": "90-80" is not a port`,
		}},
		{"routes", func(n *network) {
			n.routeTable("r", "a 10.0.0.0/8 Elsewhere", "b 10.1.0.0/8 None", "c NoTag None", "d 10.2.0.0/16 VirtualAppliance", "e 10.3.0.0/16 None 10.0.0.4", "f 10.4.0.0/16 None", "g 10.4.0.0/16 Internet")
		}, []string{
			`"NoTag" of route "c"`, `next hop type "Elsewhere"`, `next-hop address "" of route "d"`, `prefix 10.1.0.0/8 of route "b"`,
			`route "e" has a next-hop address`, `"f" and "g" have the same prefix`,
		}},
		{"wrong types", func(n *network) {
			n.add("nsg/g", `{"properties":{"securityRules":[{"name":"x","properties":{"priority":"high"}}]}}`)
		}, []string{`access "" is not known`, `/priority: want a whole number, found "high"`}},
		{"twice", func(n *network) {
			n.vnet("net", "10.0.0.0/16").vnet("NET", "10.1.0.0/16")
		}, []string{`net.yaml:2:1: resource /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/NET is declared twice; remove one; the other is at net.yaml:1:1`}},
		{"firewall", func(n *network) {
			n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
			n.add("fw/f", `{"properties":{"ipConfigurations":[{"properties":{"subnet":{"id":"~vnet/net/subnets/s"}}}]}}`)
			n.add("fwp/p", `{"properties":{"basePolicy":{"id":"~fwp/p"}}}`)
			n.ruleGroup("p", "g", 5, collection("x 100 Reject", `{"ruleType":"NetworkRule","name":"r","ipProtocols":["SCTP"],"sourceAddresses":[],"destinationAddresses":["*"],"destinationPorts":["x"]}`))
		}, []string{
			`firewall "f" is in subnet "s"`, `"p" inherits from itself`, `action "Reject"`, `priority 5 of "g"`,
			`rule "r" lacks addresses`, `rule "r": "x" is not a port`, `rule "r": protocol "SCTP"`,
		}},
		{"names", func(n *network) {
			n.vnet("net", "10.0.0.0/16")
			n.add("zone/z.com", `{}`).add("zone/y.com", `{}`)
			for _, z := range []string{"z.com", "y.com"} {
				n.add("zone/"+z+"/virtualNetworkLinks/l", `{"properties":{"virtualNetwork":{"id":"~vnet/net"},"registrationEnabled":true}}`)
			}
			n.add("zone/z.com/A/x", `{"properties":{"aRecords":[{"ipv4Address":"fd00::1"}]}}`)
			n.add("zone/z.com/CNAME/x", `{"properties":{"cnameRecord":{"cname":"a.b"}}}`)
			n.add("zone/none.com/A/x", `{"properties":{}}`)
		}, []string{`already registers its machines in zone "y.com"`, `"fd00::1" is not an address`, `"x.z.com" has an alias and another record`, "does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{t: t}
			tt.build(n)
			img, err := Compile(n.resources, Options{})
			if err == nil || img != nil {
				t.Fatalf("no problem was found")
			}
			lines := strings.Split(err.Error(), "\n")
			left := err.Error()
			for _, want := range tt.want {
				if !strings.Contains(left, want) {
					t.Errorf("nothing says %q in\n%s", want, err)
				}
			}
			if len(lines) < len(tt.want) {
				t.Errorf("%d lines, want at least %d:\n%s", len(lines), len(tt.want), err)
			}
			for _, p := range err.(model.Problems) {
				if p.Resource == "" || p.Fix == "" || p.Pos.IsZero() {
					t.Errorf("a problem lacks its resource, place or fix: %+v", p)
				}
			}
		})
	}
}

// The image depends on what the resources say, not on their order.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, n := range []*network{planet(t, 3, 4), platformed(t)} {
		first := n.compile()
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 3 {
			rnd.Shuffle(len(n.resources), func(i, j int) { n.resources[i], n.resources[j] = n.resources[j], n.resources[i] })
			if diff := cmp.Diff(first, n.compile(), cmpopts.EquateComparable(fabric.Origin{}), cmp.Comparer(sameText)); diff != "" {
				t.Fatalf("another order gives another image:\n%s", diff)
			}
		}
	}
}

// sameText compares values with unexported fields, addresses and prefixes, by
// their text.
func sameText(a, b interface{ MarshalText() ([]byte, error) }) bool {
	x, _ := a.MarshalText()
	y, _ := b.MarshalText()
	return bytes.Equal(x, y)
}

// The resources are not changed.
func TestInputIsNotChanged(t *testing.T) {
	for _, n := range []*network{hubAndSpokes(t), platformed(t)} {
		before, err := json.Marshal(n.resources)
		if err != nil {
			t.Fatal(err)
		}
		n.compile()
		after, _ := json.Marshal(n.resources)
		if !bytes.Equal(before, after) {
			t.Error("Compile changed its input")
		}
	}
}

// FuzzCompile feeds whole networks as a JSON list of documents with their IDs.
func FuzzCompile(f *testing.F) {
	for _, n := range []*network{hubAndSpokes(f), planet(f, 2, 2), walled(f), platformed(f), pair(f, []string{"x 100 Inbound Deny * NoSuchTag * 80-90"}, nil)} {
		var docs []map[string]any
		for _, r := range n.resources {
			doc := map[string]any{"id": r.ID.String()}
			for k, v := range r.Doc {
				doc[k] = v
			}
			docs = append(docs, doc)
		}
		b, err := json.Marshal(docs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var docs []map[string]any
		if json.Unmarshal(text, &docs) != nil {
			return
		}
		var resources []*model.Resource
		for _, doc := range docs {
			s, _ := doc["id"].(string)
			id, err := model.ParseID(s)
			if err != nil {
				continue
			}
			resources = append(resources, &model.Resource{ID: id, Doc: doc})
		}
		img, err := Compile(resources, Options{})
		if err == nil {
			if err := img.Check(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, ok := err.(model.Problems); !ok {
			t.Fatalf("not the network's problem: %v", err)
		}
	})
}
