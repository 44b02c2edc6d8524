package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// manage adds a network manager with a group of virtual networks v0 to vn.
func (n *net) manage(group string, vnets ...string) *net {
	if len(n.resources) == 0 || !strings.Contains(n.resources[0].ID.String(), "networkManagers") {
		n.add("nm/m", `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]}}}`)
	}
	n.add("nm/m/networkGroups/"+group, `{"properties":{}}`)
	for _, v := range vnets {
		n.add("nm/m/networkGroups/"+group+"/staticMembers/"+v, fmt.Sprintf(`{"properties":{"resourceId":"~vnet/%s"}}`, v))
	}
	return n
}

// mesh connects a group.
func (n *net) mesh(config, group string) *net {
	return n.add("nm/m/connectivityConfigurations/"+config, fmt.Sprintf(`{"properties":{"connectivityTopology":"Mesh",
		"appliesToGroups":[{"networkGroupId":"~nm/m/networkGroups/%s","groupConnectivity":"DirectlyConnected"}]}}`, group))
}

func (n *net) commit(kind string, configs ...string) *net {
	for i, c := range configs {
		configs[i] = fmt.Sprintf(`"~nm/m/%s"`, c)
	}
	return n.add("nm/m/commits/"+kind+".westeurope", fmt.Sprintf(`{"properties":{"commitType":%q,"targetLocation":"westeurope","configurationIds":[%s]}}`, kind, strings.Join(configs, ",")))
}

// levels are uses of a limit with the severities they get.
func levels(value int, confirmed bool) map[int]Severity {
	near, broken := Warning, Error
	if !confirmed {
		near, broken = Note, Warning
	}
	first := (value*nearPercent + 99) / 100
	return map[int]Severity{first - 1: "", first: near, value + 1: broken}
}

// Limits on what is in force, each on a compiled network: silent just below
// 80 %, told from there, and broken above the value.
func TestEffectiveLimits(t *testing.T) {
	limits := map[string]catalog.Limit{}
	for _, l := range catalog.Limits() {
		limits[l.Name] = l
	}
	tagged := func(n int) string {
		tags := []string{}
		for i := 0; i < n; i += 50 {
			var list []string
			for j := i; j < min(n, i+50); j++ {
				list = append(list, fmt.Sprintf("172.%d.%d.0/24", 16+j/256, j%256))
			}
			tags = append(tags, fmt.Sprintf(`"cerulean-routes-%d":%q`, i, strings.Join(list, ",")))
		}
		return "{" + strings.Join(tags, ",") + "}"
	}
	for limit, tt := range map[string]struct {
		at    string // the end of the resource's ID
		build func(n *net, used int)
	}{
		// "Connectivity configuration in Azure Virtual Network Manager".
		"virtual-networks-per-connected-group": {"/c", func(n *net, used int) {
			var names []string
			for i := range used {
				names = append(names, fmt.Sprintf("v%d", i))
			}
			n.manage("g", names...).mesh("c", "g").commit("Connectivity", "connectivityConfigurations/c")
			for i, name := range names {
				n.vnet(name, fmt.Sprintf("10.%d.0.0/24", i), fmt.Sprintf("s 10.%d.0.0/25", i))
			}
			// One that is in no group, and one declared peering, change nothing.
			n.vnet("alone", "172.16.0.0/24", "s 172.16.0.0/25").peer("alone", "v0", false)
		}},
		"connected-groups-per-virtual-network": {"/hub", func(n *net, used int) {
			var configs []string
			for i := range used {
				v, c := fmt.Sprintf("v%d", i), fmt.Sprintf("c%d", i)
				n.manage("g"+v, "hub", v).mesh(c, "g"+v).vnet(v, fmt.Sprintf("10.%d.0.0/24", i), fmt.Sprintf("s 10.%d.0.0/25", i))
				configs = append(configs, "connectivityConfigurations/"+c)
			}
			n.vnet("hub", "172.16.0.0/24", "s 172.16.0.0/25")
			if used > 0 {
				n.commit("Connectivity", configs...)
			}
		}},
		// "User-defined routes management in Azure Virtual Network Manager".
		"routes-per-managed-table": {"/v0", func(n *net, used int) {
			n.manage("g", "v0").vnet("v0", "10.0.0.0/24", "s 10.0.0.0/25")
			n.add("nm/m/routingConfigurations/c", `{"properties":{}}`)
			n.add("nm/m/routingConfigurations/c/ruleCollections/l", `{"properties":{"appliesTo":[{"networkGroupId":"~nm/m/networkGroups/g"}]}}`)
			for i := range used {
				n.add(fmt.Sprintf("nm/m/routingConfigurations/c/ruleCollections/l/rules/r%d", i), fmt.Sprintf(`{"properties":{
					"destination":{"type":"AddressPrefix","destinationAddress":"172.%d.%d.0/24"},"nextHop":{"nextHopType":"NoNextHop"}}}`, 16+i/256, i%256))
			}
			n.commit("Routing", "routingConfigurations/c")
		}},
		// "Azure Route Server frequently asked questions": of each peer, however
		// many announce the same.
		"routes-per-route-server-peer": {"/nva", func(n *net, used int) {
			n.vnet("hub", "10.0.0.0/16", "RouteServerSubnet 10.0.0.0/27", "nva 10.0.3.0/24").vnet("far", "10.1.0.0/16", "s 10.1.0.0/24").peer("hub", "far", false)
			n.add("vhub/rs", `{"kind":"RouteServer","properties":{"sku":"Standard"}}`)
			n.add("vhub/rs/ipConfigurations/ip", `{"properties":{"subnet":{"id":"~vnet/hub/subnets/RouteServerSubnet"}}}`)
			for name, addr := range map[string]string{"nva": "10.0.3.4", "nva2": "10.1.0.4"} {
				at, announces := "hub/nva", used
				if name == "nva2" { // in a peer, and with few routes
					at, announces = "far/s", 5
				}
				n.nic(name, at, addr)
				tags := resource(n.t, testGroup, `{"tags":`+tagged(announces)+`}`).Doc["tags"]
				n.resources[len(n.resources)-2].Doc["tags"] = tags
				n.add("vhub/rs/bgpConnections/"+name, fmt.Sprintf(`{"properties":{"peerIp":%q,"peerAsn":65010}}`, addr))
			}
		}},
		// "ExpressRoute frequently asked questions": IPv4 prefixes of virtual
		// networks, those that use the gateway included.
		"prefixes-advertised-per-circuit": {"/circuit", func(n *net, used int) {
			var prefixes []string
			for i := range used - 2 {
				prefixes = append(prefixes, fmt.Sprintf(`"10.%d.%d.0/24"`, i/256, i%256))
			}
			n.add("vnet/hub", `{"properties":{"addressSpace":{"addressPrefixes":[`+strings.Join(append(prefixes, `"192.168.0.0/24","fd00::/48"`), ",")+`]},
				"subnets":[{"name":"GatewaySubnet","properties":{"addressPrefix":"192.168.0.0/27"}}]}}`)
			n.vnet("spoke", "192.168.1.0/24", "s 192.168.1.0/25").peer("hub", "spoke", true)
			n.add("vgw/er", `{"properties":{"gatewayType":"ExpressRoute","ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/hub/subnets/GatewaySubnet"}}}]}}`)
			n.add("circuit/circuit", `{"tags":{"cerulean-routes":"172.31.0.0/16"},"properties":{}}`)
			n.add("conn/c", `{"properties":{"connectionType":"ExpressRoute","virtualNetworkGateway1":{"id":"~vgw/er"},"peer":{"id":"~circuit/circuit"}}}`)
		}},
		// Peerings of other regions count as well.
		"effective-peerings-per-virtual-network": {"/hub", func(n *net, used int) {
			n.vnet("hub", "172.16.0.0/24", "s 172.16.0.0/25")
			for i := range used {
				name := fmt.Sprintf("v%d", i)
				n.vnet(name, fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), fmt.Sprintf("s 10.%d.%d.0/25", i/256, i%256))
				if i%2 == 0 {
					n.resources[len(n.resources)-1].Doc["location"] = "northeurope"
				}
				n.peer("hub", name, false)
			}
		}},
	} {
		t.Run(limit, func(t *testing.T) {
			l, ok := limits[limit]
			if !ok {
				t.Fatal("not in the catalogue")
			}
			for used, want := range levels(l.Value, l.Confirmed) {
				n := &net{t: t}
				tt.build(n, used)
				var fs []Finding
				for _, f := range Limits(n.resources, n.compile()) {
					if f.Rule == limit {
						fs = append(fs, f)
					}
				}
				switch {
				case len(fs) != 0 && want == "", len(fs) != 1 && want != "":
					t.Errorf("%d used: %v, want %q", used, lines(fs), want)
				case want != "" && (fs[0].Severity != want || fs[0].Used != used || !strings.HasSuffix(fs[0].Resource, tt.at) || fs[0].Pos.Line == 0):
					t.Errorf("%d used: %+v, want %q at %s", used, fs[0], want, tt.at)
				}
			}
		})
	}
}

// Of one configuration that is not global there is a group in each region.
func TestConnectedGroupsOfRegions(t *testing.T) {
	n := (&net{t: t}).manage("g", "a", "b", "c", "d").mesh("c", "g").commit("Connectivity", "connectivityConfigurations/c")
	n.add("nm/m/commits/Connectivity.northeurope", `{"properties":{"commitType":"Connectivity","targetLocation":"northeurope","configurationIds":["~nm/m/connectivityConfigurations/c"]}}`)
	for i, name := range []string{"a", "b", "c", "d"} {
		n.vnet(name, fmt.Sprintf("10.%d.0.0/24", i), fmt.Sprintf("s 10.%d.0.0/25", i))
		if i > 1 {
			n.resources[len(n.resources)-1].Doc["location"] = "northeurope"
		}
	}
	w := newTally(n.resources)
	w.image(n.compile())
	groups := w.counts["virtual-networks-per-connected-group"]
	if len(groups) != 2 {
		t.Fatalf("%d groups, want 2", len(groups))
	}
	for _, c := range groups {
		if c.used() != 2 {
			t.Errorf("%d networks in a group, want 2", c.used())
		}
	}
}

// Whether a circuit that is not declared is premium is not known, and said where
// it matters.
func TestUndeclaredCircuit(t *testing.T) {
	for used, want := range map[int]bool{3199: false, 3200: true, 4001: true} {
		n := &net{t: t}
		tags := make([]string, used)
		for i := range tags {
			tags[i] = fmt.Sprintf(`"cerulean-routes-%d":"10.%d.%d.0/24"`, i, i/256, i%256)
		}
		n.add("conn/c", `{"tags":{`+strings.Join(tags, ",")+`},"properties":{"connectionType":"ExpressRoute","peer":{"id":"~circuit/none"}}}`)
		if f := find(Limits(n.resources, nil), RuleUncounted); (f != nil) != want {
			t.Errorf("%d prefixes: %v", used, f)
		}
	}
}
