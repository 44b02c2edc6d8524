package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// crowd adds hosts with n addresses of 10.0.0.0/8 together in "vnet/subnet".
func (n *net) crowd(at string, count int) {
	vnet, subnet, _ := strings.Cut(at, "/")
	for first := 0; first < count; first += 256 {
		var configs []string
		for i := first; i < min(count, first+256); i++ {
			configs = append(configs, fmt.Sprintf(`{"name":"c%d","properties":{"privateIPAddress":"10.%d.%d.%d","privateIPAllocationMethod":"Static","subnet":{"id":"~vnet/%s/subnets/%s"}}}`,
				i, 1+i/62500, i/250%250, 4+i%250, vnet, subnet))
		}
		name := fmt.Sprintf("h%d", first)
		n.add("nic/"+name, `{"properties":{"ipConfigurations":[`+strings.Join(configs, ",")+`]}}`)
	}
}

// A host needs a port for each connection to one destination ("Azure NAT
// Gateway resource": 64,512 ports an address; "Scale SNAT ports with Azure NAT
// Gateway": 2,496 an address and instance of a firewall, unconfirmed).
func TestHostsPerPort(t *testing.T) {
	const subnet = `{"name":"s","properties":{"addressPrefix":"10.0.0.0/9"%s}}`
	address := func(n *net, names ...string) {
		for i, name := range names {
			n.add("pip/"+name, fmt.Sprintf(`{"sku":{"name":"Standard"},"properties":{"ipAddress":"20.1.2.%d","publicIPAllocationMethod":"Static"}}`, i))
		}
	}
	nat := func(n *net, used int) {
		address(n, "p")
		n.add("nat/g", `{"properties":{"publicIpAddresses":[{"id":"~pip/p"}]}}`)
		n.add("vnet/v", `{"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"subnets":[`+fmt.Sprintf(subnet, `,"natGateway":{"id":"~nat/g"}`)+`]}}`)
		n.crowd("v/s", used)
	}
	wall := func(addresses int, more string) func(n *net, used int) {
		return func(n *net, used int) {
			var names, configs []string
			for i := range addresses {
				names = append(names, fmt.Sprintf("p%d", i))
				at := ""
				if i == 0 {
					at = `"subnet":{"id":"~vnet/v/subnets/AzureFirewallSubnet"},`
				}
				configs = append(configs, fmt.Sprintf(`{"name":"c%d","properties":{%s"publicIPAddress":{"id":"~pip/p%d"}}}`, i, at, i))
			}
			address(n, append(names, "nat")...)
			n.add("nat/g", `{"properties":{"publicIpAddresses":[{"id":"~pip/nat"}]}}`)
			n.table("all", "", "0.0.0.0/0 10.200.0.4")
			n.add("fw/fw", `{"properties":{"ipConfigurations":[`+strings.Join(configs, ",")+`]}}`)
			n.add("vnet/v", `{"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"subnets":[`+fmt.Sprintf(subnet, `,"routeTable":{"id":"~rt/all"}`)+`,
				{"name":"AzureFirewallSubnet","properties":{"addressPrefix":"10.200.0.0/26"`+more+`}}]}}`)
			n.crowd("v/s", used)
		}
	}
	const each = catalog.FirewallPortsPerIP * catalog.FirewallInstances
	for _, tt := range []struct {
		name, rule string
		used       int
		want       Severity
		build      func(*net, int)
	}{
		{"NAT gateway below", RuleNATPorts, 51609, "", nat},
		{"NAT gateway near", RuleNATPorts, 51610, Note, nat},
		{"NAT gateway broken", RuleNATPorts, catalog.NATGatewayPortsPerIP + 1, Warning, nat},
		{"firewall below", RuleFirewallPorts, each*8/10 - 1, "", wall(1, "")},
		{"firewall near", RuleFirewallPorts, each*8/10 + 1, Note, wall(1, "")},
		{"firewall broken", RuleFirewallPorts, each + 1, Warning, wall(1, "")},
		{"firewall with two addresses", RuleFirewallPorts, each + 1, "", wall(2, "")},
		{"firewall behind a NAT gateway", RuleFirewallPorts, each + 1, "", wall(1, `,"natGateway":{"id":"~nat/g"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &net{t: t}
			tt.build(n, 10)
			img := n.compile()
			// One of the hosts gets as many addresses as are missing: compiling
			// them all takes seconds.
			i := slices.IndexFunc(img.Ports, func(p fabric.Port) bool { return p.Kind == fabric.PortHost })
			low := img.Sets[img.Ports[i].Addrs].Min()
			high := low
			high.Lo += uint64(tt.used - 1)
			img.Ports[i].Addrs = fabric.SetID(len(img.Sets))
			img.Sets = append(img.Sets, fabric.Set{{Lo: low, Hi: high}})
			f := find(Limits(n.resources, img), tt.rule)
			switch {
			case (f != nil) != (tt.want != ""):
				t.Errorf("got %v, want %q", f, tt.want)
			case f != nil && (f.Severity != tt.want || f.Used != tt.used || f.Pos.Line == 0):
				t.Errorf("got %+v, want %s of %d", *f, tt.want, tt.used)
			}
		})
	}
}

// The default allocation of ports by the size of the pool, and who has it ("Use
// Source Network Address Translation (SNAT) for outbound connections").
func TestDefaultPorts(t *testing.T) {
	const public, private = `"publicIPAddress":{"id":"/p"}`, `"subnet":{"id":"/s"}`
	rule := func(more string) string {
		return `"loadBalancingRules":[{"name":"r","properties":{"frontendIPConfiguration":{"id":"LB/frontendIPConfigurations/F"},"backendAddressPool":{"id":"LB/backendAddressPools/p"}` + more + `}}]`
	}
	outbound := func(allocated int) string {
		return fmt.Sprintf(`"outboundRules":[{"name":"o","properties":{"allocatedOutboundPorts":%d,"backendAddressPool":{"id":"LB/backendAddressPools/p"},"frontendIPConfigurations":[{"id":"LB/frontendIPConfigurations/f"}]}}]`, allocated)
	}
	for _, tt := range []struct {
		name            string
		members         int
		frontend, rules string
		want            Severity
		part            string
	}{
		{"few", 39, public, rule(""), "", ""},
		{"near a step", 40, public, rule(""), Note, "1024 outbound ports by default; with more than 50, each has 512"},
		{"at the step", 50, public, rule(""), Note, "1024"},
		{"past the step", 51, public, rule(""), "", ""},
		{"at the end", 1000, public, rule(""), Note, "with more than 1000, there is no default"},
		{"past the end", 1001, public, rule(""), Warning, "up to 1000"},
		{"private frontend", 1001, private, rule(""), "", ""},
		{"switched off", 1001, public, rule(`,"disableOutboundSnat":true`), "", ""},
		{"outbound rule without ports", 1001, public, outbound(0), Warning, "up to 1000"},
		{"outbound rule with ports", 1001, public, outbound(8), "", ""},
		{"both", 1001, public, rule("") + "," + outbound(8), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := testGroup.Resource(model.TypeLoadBalancer, "lb")
			doc := fmt.Sprintf(`{"properties":{"frontendIPConfigurations":[{"name":"f","properties":{%s}}],"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":%s}}],%s}}`,
				tt.frontend, list(tt.members, `{"name":"m%[1]d"}`), tt.rules)
			f := find(Limits([]*model.Resource{resource(t, id, strings.ReplaceAll(doc, "LB", id.String()))}, nil), RuleDefaultPorts)
			switch {
			case (f != nil) != (tt.want != ""):
				t.Errorf("got %v, want %q", f, tt.want)
			case f != nil && (f.Severity != tt.want || f.Used != tt.members || !strings.Contains(f.What, tt.part)):
				t.Errorf("got %+v, want %s: %s", *f, tt.want, tt.part)
			}
		})
	}
}

// A public IP prefix that is declared has as many addresses as its length says.
func TestOutboundPortsOfPrefix(t *testing.T) {
	id, prefix := testGroup.Resource(model.TypeLoadBalancer, "lb"), testGroup.Resource("Microsoft.Network/publicIPPrefixes", "x")
	for members, want := range map[int]string{20: "", 21: RuleOutboundPorts} {
		doc := strings.ReplaceAll(fmt.Sprintf(`{"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"publicIPPrefix":{"id":"%s"}}}],
			"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":%s}}],
			"outboundRules":[{"name":"o","properties":{"allocatedOutboundPorts":6400,"backendAddressPool":{"id":"LB/backendAddressPools/p"},"frontendIPConfigurations":[{"id":"LB/frontendIPConfigurations/f"}]}}]}}`,
			prefix, list(members, `{"name":"m%[1]d"}`)), "LB", id.String())
		got := ""
		if fs := Limits([]*model.Resource{resource(t, id, doc), resource(t, prefix, `{"properties":{"prefixLength":31}}`)}, nil); len(fs) > 0 {
			got = fs[0].Rule
		}
		if got != want {
			t.Errorf("%d members: %q, want %q", members, got, want)
		}
	}
}
