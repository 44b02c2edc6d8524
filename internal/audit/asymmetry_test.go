package audit

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// The asymmetric paths that a stateful appliance does not survive. Each case
// has a network with the mistake and one without.
func TestAsymmetry(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rule  string
		shown string // the way there, and the way back as far as it matters
		build func(n *net, wrong bool)
	}{
		{"a spoke without the route back", RuleAsymmetricSpokes, "a > nva > b | b > a", func(n *net, wrong bool) {
			n.table("to-b", "", "10.2.0.0/16 10.0.0.4").table("to-a", "", "10.1.0.0/16 10.0.0.4")
			back := " to-a"
			if wrong {
				back = ""
			}
			n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24 to-b").vnet("b", "10.2.0.0/16", "s 10.2.0.0/24"+back)
			n.peer("hub", "a", false).peer("hub", "b", false).peer("a", "b", false)
			n.nic("nva", "hub/s", "10.0.0.4").nic("a", "a/s", "10.1.0.4").nic("b", "b/s", "10.2.0.4")
		}},
		{"a gateway's subnet without the spoke's prefix", RuleAsymmetricGateway, "a > nva > vpn > office | office > vpn > a", func(n *net, wrong bool) {
			n.table("home", "", "192.168.0.0/16 10.0.1.4").table("in", "", "10.1.0.0/16 10.0.1.4")
			in := " in"
			if wrong {
				in = ""
			}
			n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27"+in, "s 10.0.1.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24 home")
			n.peer("hub", "a", true).gateway("vpn", "hub").office("office", "192.168.0.0/16", "vpn")
			n.nic("nva", "hub/s", "10.0.1.4").nic("a", "a/s", "10.1.0.4")
		}},
		{"in by a public address, out by an appliance", RuleAsymmetricInbound, "internet > a | a > nva", func(n *net, wrong bool) {
			table := " out"
			if !wrong {
				table = ""
			}
			n.table("out", "", "0.0.0.0/0 10.0.1.4")
			n.add("pip/p", `{"sku":{"name":"Standard"},"properties":{"ipAddress":"20.1.2.3","publicIPAllocationMethod":"Static"}}`)
			n.add("nsg/open", `{"properties":{"securityRules":[{"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp",
				"sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"8443"}}]}}`)
			n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24"+table, "nva 10.0.1.0/24")
			n.nic("nva", "hub/nva", "10.0.1.4").nic("a", "hub/s", "10.0.0.4", `"publicIPAddress":{"id":"~pip/p"}`)
			props := n.resources[len(n.resources)-2].Doc["properties"].(map[string]any)
			props["networkSecurityGroup"] = map[string]any{"id": testGroup.Resource(kinds["nsg"], "open").String()}
		}},
		{"one appliance there, another back", RuleAsymmetricPair, "a > nva1 > b | b > nva2", func(n *net, wrong bool) {
			via := "10.0.0.4"
			if wrong {
				via = "10.0.0.5"
			}
			n.table("to-b", "", "10.2.0.0/16 10.0.0.4").table("to-a", "", "10.1.0.0/16 "+via)
			n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24 to-b").vnet("b", "10.2.0.0/16", "s 10.2.0.0/24 to-a")
			n.peer("hub", "a", false).peer("hub", "b", false)
			n.nic("nva1", "hub/s", "10.0.0.4").nic("nva2", "hub/s", "10.0.0.5").nic("a", "a/s", "10.1.0.4").nic("b", "b/s", "10.2.0.4")
		}},
		{"a private endpoint behind an appliance", RuleAsymmetricEndpoint, "a > nva > e | e > a", func(n *net, wrong bool) {
			via := " via"
			if !wrong {
				via = ""
			}
			n.table("via", "", "10.0.1.7/32 10.0.2.4")
			n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24"+via, "pe 10.0.1.0/24", "nva 10.0.2.0/24").add("store/acc", `{"properties":{}}`)
			n.add("pe/e", `{"properties":{"subnet":{"id":"~vnet/hub/subnets/pe"},"ipConfigurations":[{"name":"ip","properties":{"groupId":"blob","memberName":"blob","privateIPAddress":"10.0.1.7"}}],
				"privateLinkServiceConnections":[{"name":"c","properties":{"privateLinkServiceId":"~store/acc","groupIds":["blob"]}}]}}`)
			n.nic("nva", "hub/nva", "10.0.2.4").nic("a", "hub/s", "10.0.0.4")
		}},
		{"appliances of equal cost", RuleAsymmetricNextHops, "a > nva1 or nva2 > nva1 > b | b > nva1 or nva2 > nva2", func(n *net, wrong bool) {
			n.vnet("hub", "10.0.0.0/16", "RouteServerSubnet 10.0.0.0/27", "nva 10.0.3.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24").vnet("b", "10.2.0.0/16", "s 10.2.0.0/24")
			n.peer("hub", "a", true).peer("hub", "b", true).nic("a", "a/s", "10.1.0.4").nic("b", "b/s", "10.2.0.4")
			n.add("vhub/rs", `{"kind":"RouteServer","properties":{"sku":"Standard"}}`)
			n.add("vhub/rs/ipConfigurations/ip", `{"properties":{"subnet":{"id":"~vnet/hub/subnets/RouteServerSubnet"}}}`)
			for _, name := range []string{"nva1", "nva2"} {
				addr := "10.0.3.1" + name[3:]
				n.nic(name, "hub/nva", addr)
				n.resources[len(n.resources)-2].Doc["tags"] = map[string]any{"cerulean-routes": "10.0.0.0/8"}
				n.add("vhub/rs/bgpConnections/"+name, `{"properties":{"peerIp":"`+addr+`","peerAsn":65010}}`)
				if !wrong {
					break
				}
			}
		}},
		{"two tunnels of equal cost", RuleAsymmetricPaths, "", func(n *net, wrong bool) {
			gateways := []string{"vpn"}
			n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", "s 10.0.1.0/24").gateway("vpn", "hub")
			n.office("office", "192.168.0.0/16", gateways...)
			if wrong {
				n.office("office2", "192.168.0.0/16", gateways...)
			}
			n.nic("a", "hub/s", "10.0.1.4")
		}},
		{"propagation off on one subnet", RuleAsymmetricLearned, "office > vpn > a | a", func(n *net, wrong bool) {
			off := `"disableBgpRoutePropagation":true,`
			if !wrong {
				off = ""
			}
			n.table("quiet", off)
			n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", "s 10.0.1.0/24 quiet", "t 10.0.2.0/24")
			n.gateway("vpn", "hub").office("office", "192.168.0.0/16", "vpn")
			n.nic("a", "hub/s", "10.0.1.4").nic("b", "hub/t", "10.0.2.4")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, wrong := range []bool{true, false} {
				n := &net{t: t}
				tt.build(n, wrong)
				fs := Asymmetry(n.resources, n.compile())
				f := find(fs, tt.rule)
				switch {
				case wrong && f == nil:
					t.Errorf("no finding of %s in %v", tt.rule, lines(fs))
				case !wrong && len(fs) > 0:
					t.Errorf("without the mistake: %v", lines(fs))
				case wrong && (len(fs) != 1 || f.Resource == "" || f.Fix == "" || f.Pos.Line == 0):
					t.Errorf("got %v", lines(fs))
				case wrong && tt.shown != "":
					if got := strings.Join(f.Shown.Forward, " > ") + " | " + strings.Join(f.Shown.Reply, " > "); !strings.HasPrefix(got, tt.shown) {
						t.Errorf("shown %s, want %s", got, tt.shown)
					}
				}
			}
		})
	}
}

func lines(fs []Finding) []string {
	out := make([]string, len(fs))
	for i := range fs {
		out[i] = "\n" + fs[i].String()
	}
	return out
}

// Ends that are steered alike are tried once; the one that is not is found
// among many.
func TestAsymmetryAmongMany(t *testing.T) {
	n := &net{t: t}
	n.table("all", "", "10.0.0.0/8 10.0.0.4").vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").nic("nva", "hub/s", "10.0.0.4")
	for i := 1; i <= 30; i++ {
		name, table := fmt.Sprintf("v%d", i), " all"
		if i == 23 {
			table = ""
			n.peer("v22", name, false)
		}
		n.vnet(name, fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("s 10.%d.0.0/24%s", i, table), fmt.Sprintf("t 10.%d.1.0/24%s", i, table))
		n.peer("hub", name, false)
	}
	img := n.compile()
	fs := Asymmetry(n.resources, img)
	if len(fs) == 0 || find(fs, RuleAsymmetrySearch) != nil {
		t.Fatalf("got %v", lines(fs))
	}
	for _, f := range fs {
		if f.Rule != RuleAsymmetricSpokes || !strings.Contains(f.Resource, "/v23/") {
			t.Errorf("got %s", f.String())
		}
	}
	if sources, _ := newSearch(n.resources, img).ends(); len(sources) > 20 {
		t.Errorf("%d ends of 31 networks", len(sources))
	}
}

// What is symmetric is not told: appliances behind one internal load balancer
// with an HA-ports rule, where both directions meet the same one ("High
// availability ports overview").
func TestSymmetric(t *testing.T) {
	n := &net{t: t}
	n.table("via", "", "10.0.0.0/8 10.0.9.9", "0.0.0.0/0 10.0.9.9")
	n.vnet("hub", "10.0.0.0/16", "nva 10.0.9.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24 via").vnet("b", "10.2.0.0/16", "s 10.2.0.0/24 via")
	n.peer("hub", "a", false).peer("hub", "b", false).nic("a", "a/s", "10.1.0.4").nic("b", "b/s", "10.2.0.4")
	n.add("lb/ha", `{"sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.9.9","privateIPAllocationMethod":"Static","subnet":{"id":"~vnet/hub/subnets/nva"}}}],
		"backendAddressPools":[{"name":"p"}],
		"loadBalancingRules":[{"name":"all","properties":{"protocol":"All","frontendPort":0,"backendPort":0,
			"frontendIPConfiguration":{"id":"~lb/ha/frontendIPConfigurations/f"},"backendAddressPool":{"id":"~lb/ha/backendAddressPools/p"}}}]}}`)
	for i, name := range []string{"nva1", "nva2"} {
		n.nic(name, "hub/nva", fmt.Sprintf("10.0.9.%d", 4+i), `"loadBalancerBackendAddressPools":[{"id":"~lb/ha/backendAddressPools/p"}]`)
	}
	img := n.compile()
	if fs := Asymmetry(n.resources, img); len(fs) > 0 {
		t.Errorf("got %v", lines(fs))
	}
	p := fabric.Packet{Src: netip.MustParseAddr("10.1.0.4"), Dst: netip.MustParseAddr("10.2.0.4"), SrcPort: 50000, DstPort: 443, Proto: fabric.ProtoTCP}
	for i := range img.Ports {
		if img.Ports[i].Name == "a" {
			if c := ref.Connect(img, fabric.PortID(i), p); c.Reply.Verdict != fabric.VerdictAllow || len(c.Forward.Choices) != 1 {
				t.Errorf("the test's own network does not work: %+v", c.Forward.Reason)
			}
		}
	}
}
