package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// managed declares a manager with one group of all networks and security admin
// rules "name prio dir access proto src dst ports" in force in westeurope. A
// side is a prefix, "tag:NAME", "group" or "*".
func (n *network) managed(rules ...string) *network {
	n.add("nm/m", `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]}}}`)
	n.add("nm/m/networkGroups/all", `{"properties":{}}`)
	n.add("policy/all", `{"properties":{"mode":"Microsoft.Network.Data","policyRule":{"if":{"field":"type","equals":"Microsoft.Network/virtualNetworks"},
		"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"~nm/m/networkGroups/all"}}}}}`)
	n.add("assign/all", `{"properties":{"policyDefinitionId":"~policy/all"}}`)
	n.add("nm/m/securityAdminConfigurations/s", `{"properties":{}}`)
	n.add("nm/m/securityAdminConfigurations/s/ruleCollections/c", `{"properties":{"appliesToGroups":[{"networkGroupId":"~nm/m/networkGroups/all"}]}}`)
	side := func(field, s string) string {
		kind := "IPPrefix"
		if tag, ok := strings.CutPrefix(s, "tag:"); ok {
			kind, s = "ServiceTag", tag
		}
		if s == "group" {
			kind, s = "NetworkGroup", "~nm/m/networkGroups/all"
		}
		return fmt.Sprintf(`"%s":[{"addressPrefixType":%q,"addressPrefix":%q}]`, field, kind, s)
	}
	for _, r := range rules {
		f := strings.Fields(r)
		n.add("nm/m/securityAdminConfigurations/s/ruleCollections/c/rules/"+f[0], fmt.Sprintf(`{"kind":"Custom","properties":{"priority":%s,"direction":%q,"access":%q,"protocol":%q,%s,%s,"destinationPortRanges":[%q]}}`,
			f[1], f[2], f[3], f[4], side("sources", f[5]), side("destinations", f[6]), f[7]))
	}
	return n.add("nm/m/commits/SecurityAdmin.westeurope", `{"properties":{"commitType":"SecurityAdmin","targetLocation":"westeurope","configurationIds":["~nm/m/securityAdminConfigurations/s"]}}`)
}

// Security admin rules come before every security group: Deny ends it, Allow
// goes on, AlwaysAllow skips the groups ("Security admin rules in Azure Virtual
// Network Manager").
func TestSecurityAdminRules(t *testing.T) {
	shut := []string{"shut 100 Inbound Deny * * * *"}
	open := []string{"open 100 Inbound Allow * * * *"}
	for _, tt := range []struct {
		name  string
		group []string
		admin []string
		flows []string
	}{
		{"deny before an allow of the group", open, []string{"no 10 Inbound Deny Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = deny rule no: a > b",
			"a: tcp 10.0.0.4 10.0.1.4:23 = allow delivered: a > b",
		}},
		{"allow goes on to the group", shut, []string{"ok 10 Inbound Allow Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = deny rule shut: a > b",
		}},
		{"always allow skips the group", shut, []string{"ok 10 Inbound AlwaysAllow Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = allow delivered: a > b",
			"a: tcp 10.0.0.4 10.0.1.4:23 = deny rule shut: a > b",
		}},
		{"allow is an exception to a later deny", open, []string{"ok 10 Inbound Allow Tcp 10.0.0.0/24 * 22", "no 20 Inbound Deny Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = allow delivered: a > b",
			"b: tcp 10.0.1.4 10.0.1.9:22 = deny rule no: b > net/b (unassigned)",
		}},
		{"each direction on its own", shut, []string{"ok 10 Outbound AlwaysAllow Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = deny rule shut: a > b",
		}},
		{"network groups", open, []string{"no 10 Inbound Deny Any group group *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = deny rule no: a > b",
		}},
		{"the tag Internet", open, []string{"no 10 Outbound Deny Any * tag:Internet *"}, []string{
			"a: tcp 10.0.0.4 8.8.8.8:80 = deny rule no: a",
			"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
		}},
		{"an unknown tag", open, []string{"no 10 Inbound Deny Any tag:NoSuchTag * *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = unknown rule no: a > b",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, pair(t, nil, tt.group).managed(tt.admin...).compile(), tt.flows...)
		})
	}
}

// A default route through a firewall puts every address into VirtualNetwork,
// so the default rules let the internet in; an admin rule on the tag Internet
// still holds.
func TestInternetTagBesideDefaultRoute(t *testing.T) {
	build := func(admin ...string) *fabric.Image {
		n := &network{t: t}
		n.nsg("g")
		n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.9.9")
		n.add("pip/p", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":"52.0.0.2"}}`)
		n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"},`+strings.TrimSpace(viaR))
		n.add("nic/a", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/s"},"publicIPAddress":{"id":"~pip/p"}}}]}}`)
		return n.managed(admin...).compile()
	}
	// The group lets the packet in; the reply follows the default route.
	expect(t, build(), "internet: tcp 8.8.8.8 52.0.0.2:22 = deny next-hop-missing: internet > a")
	expect(t, build("no 10 Inbound Deny Tcp tag:Internet * 22"), "internet: tcp 8.8.8.8 52.0.0.2:22 = deny rule no: internet > a")
}

// Admin rules are not applied where gateways and firewalls live, and only
// perhaps beside SQL managed instances.
func TestAdminRulesDoNotApply(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "AzureFirewallSubnet 10.0.0.0/26", "s 10.0.1.0/24", `agw 10.0.2.0/24 "delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Network/applicationGateways"}}]`)
	n.nic("a", "net/s", "").nic("b", "net/agw", "")
	n.managed("no 10 Inbound Deny Tcp * * 80")
	expect(t, n.compile(),
		"b: tcp 10.0.2.4 10.0.1.4:80 = deny rule no: b > a",
		"a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > b",
	)
	n = &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.1.0/24", `mi 10.0.2.0/24 "delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Sql/managedInstances"}}]`)
	n.nic("a", "net/s", "").managed("no 10 Inbound Deny Tcp * * 80")
	expect(t, n.compile(), "a: tcp 10.0.1.4 10.0.1.9:80 = unknown rule no: a > net/s (unassigned)")
}

// A routing rule whose destination the subnet's own table has is ignored; the
// others join it ("User-defined routes management in Azure Virtual Network
// Manager").
func TestManagedRoutes(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "mine 10.7.0.0/16 None")
	n.vnet("net", "10.0.0.0/16", "s 10.0.1.0/24"+viaR)
	n.nic("a", "net/s", "").managed()
	const config = "nm/m/routingConfigurations/r"
	n.add(config, `{"properties":{}}`).add(config+"/ruleCollections/c", `{"properties":{"appliesTo":[{"networkGroupId":"~nm/m/networkGroups/all"}]}}`)
	for name, dst := range map[string]string{"same": "10.7.0.0/16", "more": "10.8.0.0/16"} {
		n.add(config+"/ruleCollections/c/rules/"+name, fmt.Sprintf(`{"properties":{"destination":{"type":"AddressPrefix","destinationAddress":%q},"nextHop":{"nextHopType":"Internet"}}}`, dst))
	}
	n.add("nm/m/commits/Routing.westeurope", `{"properties":{"commitType":"Routing","targetLocation":"westeurope","configurationIds":["~`+config+`"]}}`)
	img := n.compile()
	want := `Default Active 10.0.0.0/16 VnetLocal
User Active 10.7.0.0/16 None
User Active 10.8.0.0/16 Internet
`
	if got := routes(img, portOf(t, img, "a")); !strings.HasPrefix(got, want) {
		t.Errorf("effective routes:\n%swant first:\n%s", got, want)
	}
}

// A peering of the network manager replaces those that were declared where the
// configuration says so.
func TestDeleteExistingPeering(t *testing.T) {
	for _, tt := range []struct{ replace, want string }{
		{"False", "o: tcp 10.2.0.4 10.1.0.4:80 = allow delivered: o > s"},
		{"True", "o: tcp 10.2.0.4 10.1.0.4:80 = deny route-drop: o"},
	} {
		n := &network{t: t}
		n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").vnet("spoke", "10.1.0.0/16", "s 10.1.0.0/24").vnet("other", "10.2.0.0/16", "s 10.2.0.0/24")
		n.peer("spoke", "other")
		n.nic("h", "hub/s", "").nic("s", "spoke/s", "").nic("o", "other/s", "")
		n.add("nm/m", `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]}}}`)
		n.add("nm/m/networkGroups/g", `{"properties":{}}`)
		n.add("nm/m/networkGroups/g/staticMembers/x", `{"properties":{"resourceId":"~vnet/spoke"}}`)
		n.add("nm/m/connectivityConfigurations/c", `{"properties":{"connectivityTopology":"HubAndSpoke","deleteExistingPeering":"`+tt.replace+`","hubs":[{"resourceId":"~vnet/hub"}],"appliesToGroups":[{"networkGroupId":"~nm/m/networkGroups/g","groupConnectivity":"None"}]}}`)
		n.add("nm/m/commits/Connectivity.westeurope", `{"properties":{"commitType":"Connectivity","targetLocation":"westeurope","configurationIds":["~nm/m/connectivityConfigurations/c"]}}`)
		expect(t, n.compile(), "h: tcp 10.0.0.4 10.1.0.4:80 = allow delivered: h > s", tt.want)
	}
}
