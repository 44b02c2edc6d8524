package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// nested returns the ID of a resource whose parents, if any, are named p.
func nested(kind, name string) model.ID {
	types := strings.Split(kind, "/")
	if len(types) == 2 {
		return testGroup.Resource(kind, name)
	}
	id := testGroup.Resource(types[0]+"/"+types[1], "p")
	for _, t := range types[2 : len(types)-1] {
		id = id.Child(t, "p")
	}
	return id.Child(types[len(types)-1], name)
}

// configs returns interfaces with n IP configurations together, all with the
// same properties. Full interfaces share one document.
func configs(t *testing.T, name string, n int, properties string) []*model.Resource {
	doc := func(n int) *model.Resource {
		list := strings.ReplaceAll(list(n, `{"name":"c%[1]d","properties":{PROPERTIES}}`), "PROPERTIES", properties)
		return resource(t, testGroup, `{"properties":{"ipConfigurations":`+list+`}}`)
	}
	out := make([]*model.Resource, 0, n/256+1)
	full := doc(256)
	for ; n > 0; n -= 256 {
		r := *full
		if n < 256 {
			r = *doc(n)
		}
		r.ID = testGroup.Resource(model.TypeNIC, fmt.Sprintf("%s%d", name, len(out)))
		out = append(out, &r)
	}
	return out
}

// Limits that several resources use up together, or other parts of a document:
// silent just below 80 %, told from there, and broken above the value.
func TestLimitsOfMany(t *testing.T) {
	limits := map[string]catalog.Limit{}
	for _, l := range catalog.Limits() {
		limits[l.Name] = l
	}
	of := func(kind, doc string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			out, same := make([]*model.Resource, n), resource(t, testGroup, doc)
			for i := range out {
				r := *same
				r.ID = nested(kind, fmt.Sprintf("x%d", i))
				out[i] = &r
			}
			return out
		}
	}
	one := func(kind string, doc func(int) string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			return []*model.Resource{resource(t, testGroup.Resource(kind, "x"), doc(n))}
		}
	}
	const here = `{"location":"westeurope"}`
	// hosts fills a network, 256 configurations an interface.
	hosts := func(network string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			return configs(t, network, n, `"subnet":{"id":"`+testGroup.Resource(model.TypeVirtualNetwork, network).String()+`/subnets/s"}`)
		}
	}
	circuit := func(tier string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			c := testGroup.Resource("Microsoft.Network/expressRouteCircuits", "x")
			tags := make([]string, n)
			for i := range tags {
				tags[i] = fmt.Sprintf(`"cerulean-routes-%d":"10.%d.%d.0/24"`, i, i/256, i%256)
			}
			// A default route of the other family is not one of them.
			tags = append(tags, `"cerulean-routes":"::/0"`)
			return []*model.Resource{
				resource(t, c, `{"sku":{"tier":"`+tier+`"},"tags":{`+strings.Join(tags, ",")+`}}`),
				resource(t, testGroup.Resource(typeConnection, "c"), `{"properties":{"connectionType":"ExpressRoute","peer":{"id":"`+c.String()+`"}}}`),
			}
		}
	}
	for limit, build := range map[string]func(*testing.T, int) []*model.Resource{
		"virtual-networks-per-region":           of(model.TypeVirtualNetwork, here),
		"security-groups-per-region":            of(model.TypeNSG, here),
		"route-tables-per-region":               of(model.TypeRouteTable, here),
		"application-groups-per-region":         of(model.TypeASG, here),
		"load-balancers-per-region":             of(model.TypeLoadBalancer, here),
		"private-endpoints-per-virtual-network": of(model.TypePrivateEndpoint, `{"properties":{"subnet":{"id":"/v/subnets/s"}}}`),
		"peers-per-route-server":                of(typeBGPConnection, `{}`),
		"sql-network-rules":                     of(model.TypeSQLNetworkRule, `{}`),
		"interfaces-per-region":                 of(model.TypeNIC, here),
		"private-addresses-per-virtual-network": hosts("p"),
		"private-addresses-per-peered-group": func(t *testing.T, n int) []*model.Resource {
			// Two thirds in one network would be too many there: three networks.
			var out []*model.Resource
			for i, name := range []string{"hub", "a", "b"} {
				out = append(out, hosts(name)(t, n/3+min(1, max(0, n%3-i)))...)
			}
			for _, name := range []string{"a", "b"} {
				peering := testGroup.Resource(model.TypeVirtualNetwork, "hub").Child("virtualNetworkPeerings", name)
				remote := testGroup.Resource(model.TypeVirtualNetwork, name).String()
				out = append(out, resource(t, peering, `{"properties":{"remoteVirtualNetwork":{"id":"`+remote+`"}}}`))
			}
			return out
		},
		"ip-configurations-per-application-group": func(t *testing.T, n int) []*model.Resource {
			return configs(t, "n", n, `"applicationSecurityGroups":[{"id":"/a"}]`)
		},
		"application-groups-per-security-group": func(t *testing.T, n int) []*model.Resource {
			var rules []string
			for i := range n { // ten a side at most
				rules = append(rules, fmt.Sprintf(`{"name":"r%d","properties":{"sourceApplicationSecurityGroups":[{"id":"/a%d"}],"destinationApplicationSecurityGroups":[{"id":"/a0"}]}}`, i, i))
			}
			return []*model.Resource{resource(t, testGroup.Resource(model.TypeNSG, "x"), `{"properties":{"securityRules":[`+strings.Join(rules, ",")+`]}}`)}
		},
		"addresses-per-firewall": one(model.TypeFirewall, func(n int) string {
			return `{"properties":{"ipConfigurations":` + list(n, `{"name":"c%[1]d","properties":{"publicIPAddress":{"id":"/p%[1]d"}}}`) + `}}`
		}),
		"addresses-and-translations-per-firewall": func(t *testing.T, n int) []*model.Resource {
			policy := testGroup.Resource(model.TypeFirewallPolicy, "p")
			return []*model.Resource{
				resource(t, testGroup.Resource(model.TypeFirewall, "x"), `{"properties":{"firewallPolicy":{"id":"`+policy.String()+`"},
					"ipConfigurations":[{"name":"a","properties":{"publicIPAddress":{"id":"/p"}}}]}}`),
				resource(t, policy.Child("ruleCollectionGroups", "g"), `{"properties":{"ruleCollections":[
					{"rules":`+list(n-1, `{"ruleType":"NatRule","name":"r%[1]d"}`)+`},{"rules":[{"ruleType":"NetworkRule","name":"other"}]}]}}`),
			}
		},
		"balancer-rules-per-interface": func(t *testing.T, n int) []*model.Resource {
			lb := testGroup.Resource(model.TypeLoadBalancer, "lb").String()
			return append(configs(t, "n", 1, `"loadBalancerBackendAddressPools":[{"id":"`+lb+`/backendAddressPools/P"}],"loadBalancerInboundNatRules":[{"id":"`+lb+`/inboundNatRules/n"}]`),
				resource(t, testGroup.Resource(model.TypeLoadBalancer, "lb"), `{"properties":{"backendAddressPools":[{"name":"p"}],"inboundNatRules":[{"name":"n"}],
					"loadBalancingRules":`+strings.ReplaceAll(list(n-1, `{"name":"r%[1]d","properties":{"disableOutboundSnat":true,"backendAddressPool":{"id":"LB/backendAddressPools/p"}}}`), "LB", lb)+`}}`))
		},
		"prefixes-per-vpn-peer": func(t *testing.T, n int) []*model.Resource {
			site := testGroup.Resource("Microsoft.Network/localNetworkGateways", "x")
			return []*model.Resource{
				resource(t, site, `{"properties":{"localNetworkAddressSpace":{"addressPrefixes":`+list(n, `"p%[1]d"`)+`}}}`),
				resource(t, testGroup.Resource(typeConnection, "c"), `{"properties":{"connectionType":"IPsec","enableBgp":true,"localNetworkGateway2":{"id":"`+site.String()+`"}}}`),
				resource(t, testGroup.Resource(typeConnection, "static"), `{"properties":{"connectionType":"IPsec","localNetworkGateway2":{"id":"/other"}}}`),
			}
		},
		"prefixes-learned-per-circuit":         circuit(""),
		"prefixes-learned-per-premium-circuit": circuit("Premium"),
		"admin-rules-per-manager":              of(model.TypeAdminRule, `{}`),
		"rules-per-load-balancer": one(model.TypeLoadBalancer, func(n int) string {
			return `{"properties":{"loadBalancingRules":` + list(n, `{"name":"r%[1]d"}`) + `}}`
		}),
		"outbound-rules-per-load-balancer": one(model.TypeLoadBalancer, func(n int) string {
			return `{"properties":{"outboundRules":` + list(n, `{"name":"r%[1]d"}`) + `}}`
		}),
		"storage-network-rules": one(model.TypeStorageAccount, func(n int) string {
			return `{"properties":{"networkAcls":{"virtualNetworkRules":` + list(n, `{"id":"/s%[1]d"}`) + `}}}`
		}),
		"key-vault-address-rules": one(model.TypeKeyVault, func(n int) string {
			return `{"properties":{"networkAcls":{"ipRules":` + list(n, `{"value":"%[1]d"}`) + `}}}`
		}),
		"key-vault-network-rules": one(model.TypeKeyVault, func(n int) string {
			return `{"properties":{"networkAcls":{"virtualNetworkRules":` + list(n, `{"id":"/s%[1]d"}`) + `}}}`
		}),
		"application-groups-per-ip-configuration": one(model.TypeNIC, func(n int) string {
			return `{"properties":{"ipConfigurations":[{"name":"c","properties":{"applicationSecurityGroups":` + list(n, `{"id":"/a%[1]d"}`) + `}}]}}`
		}),
		"admin-prefixes-per-manager": func(t *testing.T, n int) []*model.Resource {
			return []*model.Resource{resource(t, nested(model.TypeAdminRule, "x"), `{"properties":{"sources":`+list(n, `{"addressPrefix":"p%[1]d","addressPrefixType":"IPPrefix"}`)+`}}`)}
		},
	} {
		t.Run(limit, func(t *testing.T) {
			l, ok := limits[limit]
			if !ok {
				t.Fatal("not in the catalogue")
			}
			near, broken := Warning, Error
			if !l.Confirmed {
				near, broken = Note, Warning
			}
			first := (l.Value*nearPercent + 99) / 100
			for _, tt := range []struct {
				used int
				want Severity
			}{{first - 1, ""}, {first, near}, {l.Value + 1, broken}} {
				f := find(Limits(build(t, tt.used), nil), limit)
				switch {
				case f == nil && tt.want != "":
					t.Errorf("%d used: no finding, want %s", tt.used, tt.want)
				case f != nil && (f.Severity != tt.want || f.Used != tt.used):
					t.Errorf("%d used: %+v, want %q", tt.used, *f, tt.want)
				}
			}
		})
	}
}
