package compile

import (
	"fmt"
	"strings"
	"testing"
)

// collection writes a rule collection "name prio Allow|Deny" of rules.
func collection(head string, rules ...string) string {
	f := strings.Fields(head)
	return fmt.Sprintf(`{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":%q,"priority":%s,"action":{"type":%q},"rules":[%s]}`, f[0], f[1], f[2], strings.Join(rules, ","))
}

// l4 writes a network rule "name protocol src dst ports".
func l4(s string) string {
	f := strings.Fields(s)
	return fmt.Sprintf(`{"ruleType":"NetworkRule","name":%q,"ipProtocols":[%q],"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q]}`, f[0], f[1], f[2], f[3], f[4])
}

func (n *network) ruleGroup(policy, name string, priority int, collections ...string) *network {
	return n.add("fwp/"+policy+"/ruleCollectionGroups/"+name, fmt.Sprintf(`{"properties":{"priority":%d,"ruleCollections":[%s]}}`, priority, strings.Join(collections, ",")))
}

// walled is a network whose host a reaches everything through a firewall with
// the policy "own".
func walled(t testing.TB) *network {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.0.4", "in 10.0.0.0/16 VirtualAppliance 10.0.0.4")
	n.vnet("net", "10.0.0.0/16", "AzureFirewallSubnet 10.0.0.0/26", "a 10.0.1.0/24"+viaR, "b 10.0.2.0/24"+viaR)
	n.nic("a", "net/a", "").nic("b", "net/b", "")
	n.add("pip/fw", `{"location":"westeurope","properties":{"ipAddress":"52.0.0.4"}}`)
	return n.add("fw/fw", `{"location":"westeurope","properties":{"firewallPolicy":{"id":"~fwp/own"},"ipConfigurations":[
		{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"~pip/fw"}}}]}}`)
}

// The order of "Azure Firewall rule processing logic": the parent's
// collections first, network rules before application rules, group priority
// before collection priority.
func TestFirewallOrder(t *testing.T) {
	own := func(n *network) { n.add("fwp/own", `{"properties":{}}`) }
	child := func(n *network) {
		n.add("fwp/own", `{"properties":{"basePolicy":{"id":"~fwp/base"}}}`).add("fwp/base", `{"properties":{}}`)
	}
	for _, tt := range []struct {
		name  string
		build func(n *network)
		flows []string
	}{
		{"group priority before collection priority", func(n *network) {
			own(n)
			n.ruleGroup("own", "late", 300, collection("x 100 Deny", l4("no TCP * * 80")))
			n.ruleGroup("own", "early", 200, collection("y 900 Allow", l4("yes TCP * * 80")))
		}, []string{"a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > fw > b"}},
		{"collection priority within a group", func(n *network) {
			own(n)
			n.ruleGroup("own", "g", 200, collection("x 900 Deny", l4("no TCP * * 80")), collection("y 100 Allow", l4("yes TCP * * 80")))
		}, []string{"a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > fw > b"}},
		{"the parent first whatever the numbers", func(n *network) {
			child(n)
			n.ruleGroup("own", "g", 100, collection("x 100 Deny", l4("no TCP * * 80-90")))
			n.ruleGroup("base", "g", 900, collection("y 900 Allow", l4("yes TCP * * 80")))
		}, []string{
			"a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > fw > b",
			"a: tcp 10.0.1.4 10.0.2.4:81 = deny rule no: a > fw",
		}},
		{"network rules of the child before application rules of the parent", func(n *network) {
			child(n)
			n.ruleGroup("base", "g", 100, collection("x 100 Deny", `{"ruleType":"ApplicationRule","name":"sites","sourceAddresses":["*"],"targetFqdns":["*.example.com"],"protocols":[{"protocolType":"Https","port":443}]}`))
			n.ruleGroup("own", "g", 900, collection("y 900 Allow", l4("yes TCP 10.0.1.0/24 10.0.2.4 443")))
		}, []string{
			"a: tcp 10.0.1.4 10.0.2.4:443 = allow delivered: a > fw > b",
			// Which site it is only the connection shows.
			"a: tcp 10.0.1.4 10.0.2.5:443 = unknown rule sites: a > fw",
			"a: tcp 10.0.1.4 10.0.2.5:80 = deny filter-default own: a > fw",
		}},
		{"names in network rules are unknown", func(n *network) {
			own(n)
			n.ruleGroup("own", "g", 100, collection("x 100 Allow", `{"ruleType":"NetworkRule","name":"ntp","ipProtocols":["UDP"],"sourceAddresses":["*"],"destinationFqdns":["time.example.com"],"destinationPorts":["123"]}`))
		}, []string{
			"a: udp 10.0.1.4 9.9.9.9:123 = unknown rule ntp: a > fw",
			"a: udp 10.0.1.4 9.9.9.9:124 = deny filter-default own: a > fw",
		}},
		{"IP groups", func(n *network) {
			own(n)
			n.add("ipg/hosts", `{"location":"westeurope","properties":{"ipAddresses":["10.0.1.4-10.0.1.6","10.0.9.0/24"]}}`)
			n.ruleGroup("own", "g", 100, collection("x 100 Allow", `{"ruleType":"NetworkRule","name":"g","ipProtocols":["TCP"],"sourceIpGroups":["~ipg/hosts"],"destinationAddresses":["*"],"destinationPorts":["*"]}`))
		}, []string{"a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > fw > b"}},
		{"icmp ignores ports", func(n *network) {
			own(n)
			n.ruleGroup("own", "g", 100, collection("x 100 Allow", `{"ruleType":"NetworkRule","name":"g","ipProtocols":["ICMP","TCP"],"sourceAddresses":["*"],"destinationAddresses":["*"],"destinationPorts":["80"]}`))
		}, []string{
			"a: icmp 10.0.1.4 10.0.2.4 = allow delivered: a > fw > b",
			"a: tcp 10.0.1.4 10.0.2.4:81 = deny filter-default own: a > fw",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t)
			tt.build(n)
			expect(t, n.compile(), tt.flows...)
		})
	}
}

// A firewall's public address leads nowhere without NAT rules; what they do is
// not modelled, and they are not inherited.
func TestFirewallTranslation(t *testing.T) {
	nat := `{"ruleCollectionType":"FirewallPolicyNatRuleCollection","name":"n","priority":100,"action":{"type":"DNAT"},"rules":[
		{"ruleType":"NatRule","name":"web","ipProtocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["52.0.0.4"],"destinationPorts":["443"],"translatedAddress":"10.0.1.4","translatedPort":"443"}]}`
	n := walled(t).add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 100, nat)
	expect(t, n.compile(), "internet: tcp 8.8.8.8 52.0.0.4:443 = unknown public-unknown: internet")
	n = walled(t).add("fwp/own", `{"properties":{"basePolicy":{"id":"~fwp/base"}}}`).add("fwp/base", `{"properties":{}}`).ruleGroup("base", "g", 100, nat)
	expect(t, n.compile(), "internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-translation: internet")
}

// A firewall without a policy denies; rules inside it are not modelled.
func TestFirewallWithoutPolicy(t *testing.T) {
	for _, tt := range []struct{ rules, want string }{
		{"", "deny filter-default fw"},
		{`"networkRuleCollections":[{"name":"x"}],`, "unknown rule networkRuleCollections"},
	} {
		n := walled(t)
		n.resources = n.resources[:len(n.resources)-1]
		n.add("fw/fw", `{"location":"westeurope","properties":{`+tt.rules+`"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/AzureFirewallSubnet"}}}]}}`)
		expect(t, n.compile(), "a: tcp 10.0.1.4 10.0.2.4:80 = "+tt.want+": a > fw")
	}
}

// A stateful firewall refuses the reply to a flow that went around it, and a
// flow whose way back goes around is broken ("Troubleshoot asymmetric
// routing").
func TestAsymmetricPath(t *testing.T) {
	n := hubAndSpokes(t)
	n.vnet("three", "10.3.0.0/16", "s 10.3.0.0/24").peer("one", "three")
	n.nic("c", "three/s", "")
	// c reaches a directly; a answers through the peering too: symmetric.
	expect(t, n.compile(), "c: tcp 10.3.0.4 10.1.0.4:80 = allow delivered: c > a")

	// Now a's route table bends the way to c through the firewall.
	n = hubAndSpokes(t)
	n.vnet("three", "10.3.0.0/16", "s 10.3.0.0/24").peer("one", "three")
	n.nic("c", "three/s", "")
	for _, r := range n.resources {
		if r.ID.Name() == "spokes" {
			routes := r.Properties()["routes"].([]any)
			r.Properties()["routes"] = append(routes, map[string]any{"name": "c", "properties": map[string]any{
				"addressPrefix": "10.3.0.0/16", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4",
			}})
		}
	}
	expect(t, n.compile(), "c: tcp 10.3.0.4 10.1.0.4:80 = deny no-session: c > a")
}

// A firewall translates sources towards destinations outside its private
// ranges ("Azure Firewall SNAT private IP address ranges"): what comes of
// packets it lets pass there is unknown, what it denies is denied.
func TestFirewallSourceTranslation(t *testing.T) {
	for _, tt := range []struct{ name, network, snat, want, denied string }{
		{"private", "10.0.0.0/16", "", "allow delivered: a > fw > b", "deny filter-default own: a > fw"},
		{"public", "20.0.0.0/16", "", "unknown rule yes: a > fw", "deny filter-default own: a > fw"},
		{"always", "10.0.0.0/16", `"snat":{"privateRanges":["255.255.255.255/32"]}`, "unknown rule yes: a > fw", "deny filter-default own: a > fw"},
		{"never", "20.0.0.0/16", `"snat":{"privateRanges":["0.0.0.0/0"]}`, "allow delivered: a > fw > b", "deny filter-default own: a > fw"},
		{"kept", "20.0.0.0/16", `"snat":{"privateRanges":["IANAPrivateRanges","20.0.0.0/8"]}`, "allow delivered: a > fw > b", "deny filter-default own: a > fw"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{t: t}
			at := strings.TrimSuffix(tt.network, ".0.0/16")
			n.routeTable("r", "in "+tt.network+" VirtualAppliance "+at+".0.4")
			n.vnet("net", tt.network, "AzureFirewallSubnet "+at+".0.0/26", "a "+at+".1.0/24"+viaR, "b "+at+".2.0/24"+viaR)
			n.nic("a", "net/a", "").nic("b", "net/b", "")
			n.add("fw/fw", `{"location":"westeurope","properties":{"firewallPolicy":{"id":"~fwp/own"},"ipConfigurations":[
				{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/AzureFirewallSubnet"}}}]}}`)
			n.add("fwp/own", `{"properties":{`+tt.snat+`}}`)
			n.ruleGroup("own", "g", 200, collection("x 100 Allow", l4("yes TCP * * 80")))
			expect(t, n.compile(),
				"a: tcp "+at+".1.4 "+at+".2.4:80 = "+tt.want,
				"a: tcp "+at+".1.4 "+at+".2.4:81 = "+tt.denied)
		})
	}
}
