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

// natRules writes a NAT collection of rules "name protocol src dst ports
// address port"; an address with letters is a name.
func natRules(head string, rules ...string) string {
	f := strings.Fields(head)
	var list []string
	for _, r := range rules {
		x := strings.Fields(r)
		to := "translatedAddress"
		if strings.ContainsAny(x[5], "abcdefghijklmnopqrstuvwxyz") {
			to = "translatedFqdn"
		}
		list = append(list, fmt.Sprintf(`{"ruleType":"NatRule","name":%q,"ipProtocols":[%q],"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q],%q:%q,"translatedPort":%q}`,
			x[0], x[1], x[2], x[3], x[4], to, x[5], x[6]))
	}
	return fmt.Sprintf(`{"ruleCollectionType":"FirewallPolicyNatRuleCollection","name":%q,"priority":%s,"action":{"type":"DNAT"},"rules":[%s]}`, f[0], f[1], strings.Join(list, ","))
}

// NAT rules ("Filter inbound Internet traffic with Azure Firewall policy DNAT"):
// they come before network rules and need none, are not inherited, and a public
// address leads nowhere without one.
func TestFirewallTranslation(t *testing.T) {
	const web = "web TCP * 52.0.0.4 443 10.0.1.4 8443"
	for _, tt := range []struct {
		name, own, base string
		flows           []string
	}{
		{"translates", natRules("n 100", web), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > a",
			"internet: tcp 8.8.8.8 52.0.0.4:444 = deny no-redirect: internet > fw",
			"internet: udp 8.8.8.8 52.0.0.4:443 = deny no-redirect: internet > fw",
			"internet: icmp 8.8.8.8 52.0.0.4 = deny no-redirect: internet > fw",
		}},
		{"network rules are not asked", natRules("n 900", web) + "," + collection("d 100 Deny", l4("no TCP * * *")), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > a",
		}},
		{"sources", natRules("n 100", "web TCP 8.8.0.0/16 52.0.0.4 443 10.0.1.4 443"), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > a",
			"internet: tcp 9.9.9.9 52.0.0.4:443 = deny no-redirect: internet > fw",
		}},
		{"the first wins", natRules("late 200", "x TCP * 52.0.0.4 443 10.0.2.4 443") + "," + natRules("early 100", web), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > a",
		}},
		{"another address", natRules("n 100", "x TCP * 52.0.0.5 443 10.0.1.4 443"), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-redirect: internet > fw",
		}},
		{"unknown sources", natRules("n 100", "x TCP NoSuchTag 52.0.0.4 443 10.0.1.4 443"), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = unknown rule whom NAT rule x is for is unknown: internet > fw > whom NAT rule x is for is unknown",
			"internet: tcp 8.8.8.8 52.0.0.4:444 = deny no-redirect: internet > fw",
		}},
		{"a name of the network", natRules("n 100", "x TCP * 52.0.0.4 443 web.corp.test 443"), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > b",
		}},
		{"a name of the internet", natRules("n 100", "x TCP * 52.0.0.4 443 web.example.com 443"), "", []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = unknown rule name web.example.com of NAT rule x is not one address of a zone of the network: internet > fw > name web.example.com of NAT rule x is not one address of a zone of the network",
		}},
		{"not inherited", "", natRules("n 100", web), []string{
			"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-translation: internet",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t).zoned().add("fwp/own", `{"properties":{"basePolicy":{"id":"~fwp/base"}}}`).add("fwp/base", `{"properties":{}}`)
			n.ruleGroup("own", "g", 100, tt.own).ruleGroup("base", "g", 100, tt.base)
			expect(t, n.compile(), tt.flows...)
		})
	}
}

// zoned links a zone corp.test with web = 10.0.2.4 to the network.
func (n *network) zoned() *network {
	n.add("zone/corp.test", `{"location":"global"}`).add("zone/corp.test/A/web", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.2.4"}]}}`)
	return n.add("zone/corp.test/virtualNetworkLinks/l", `{"properties":{"virtualNetwork":{"id":"~vnet/net"},"registrationEnabled":false}}`)
}

// What a NAT rule translates has the firewall's own address as source
// (unconfirmed: dnatMasquerades), so that its reply comes back whatever the
// routes say.
func TestTranslationMasquerades(t *testing.T) {
	n := walled(t).add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 100, natRules("n 100", "web TCP * 52.0.0.4 443 10.0.1.4 8443"))
	img := n.compile()
	c := flow(t, img, "internet", "tcp 8.8.8.8 52.0.0.4:443")
	last := c.Forward.Steps[len(c.Forward.Steps)-1].Packet
	if got := fmt.Sprint(last.Src, last.Dst, last.DstPort); got != "10.0.0.4 10.0.1.4 8443" {
		t.Errorf("delivered as %s", got)
	}
	r := img.Ports[portOf(t, img, "fw")].Inward.Redirects[0]
	if !strings.HasSuffix(r.Origin.Resource, "/ruleCollectionGroups/g") || r.Origin.Name != "web" || r.Origin.Place == "" {
		t.Errorf("origin %+v", r.Origin)
	}
}

// Every public address of a firewall may have NAT rules, also where a NAT
// gateway serves what leaves ("Scale SNAT ports with Azure Virtual Network NAT").
func TestTranslationAtSecondAddress(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.0.4")
	n.pip("one", "52.0.0.4").pip("two", "52.0.0.5").pip("out", "52.0.0.6")
	n.add("nat/n", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"~pip/out"}]}}`)
	n.vnet("net", "10.0.0.0/16", `AzureFirewallSubnet 10.0.0.0/26 "natGateway":{"id":"~nat/n"}`, "a 10.0.1.0/24"+viaR)
	n.nic("a", "net/a", "")
	n.add("fw/fw", `{"location":"westeurope","properties":{"firewallPolicy":{"id":"~fwp/own"},"ipConfigurations":[
		{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"~pip/one"}}},
		{"name":"ip2","properties":{"publicIPAddress":{"id":"~pip/two"}}}]}}`)
	n.add("fwp/own", `{"properties":{}}`)
	n.ruleGroup("own", "g", 100, natRules("n 100", "web TCP * 52.0.0.5 443 10.0.1.4 443"), collection("x 200 Allow", l4("yes TCP * * *")))
	img := n.compile()
	expect(t, img,
		"internet: tcp 8.8.8.8 52.0.0.5:443 = allow delivered: internet > fw > a",
		"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-redirect: internet > fw",
		"a: tcp 10.0.1.4 9.9.9.9:443 = allow delivered: a > fw > internet")
	c := flow(t, img, "a", "tcp 10.0.1.4 9.9.9.9:443")
	if got := c.Forward.Steps[len(c.Forward.Steps)-1].Packet.Src.String(); got != "52.0.0.6" {
		t.Errorf("leaves as %s", got)
	}
}

// A firewall without a policy denies but for the rules inside it, which work as
// those of a policy ("Azure Firewall rule processing logic").
func TestClassicRules(t *testing.T) {
	rules := func(list, action, rule string) string {
		return fmt.Sprintf(`%q:[{"name":"c","properties":{"priority":100,"action":{"type":%q},"rules":[%s]}}],`, list, action, rule)
	}
	network := rules("networkRuleCollections", "Allow", `{"name":"net","protocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["10.0.2.0/24"],"destinationPorts":["80"]}`)
	names := rules("applicationRuleCollections", "Allow", `{"name":"app","protocols":[{"protocolType":"Https","port":443}],"sourceAddresses":["*"],"targetFqdns":["*"]}`)
	nat := rules("natRuleCollections", "Dnat", `{"name":"nat","protocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["52.0.0.4"],"destinationPorts":["22"],"translatedAddress":"10.0.1.4","translatedPort":"22"}`)
	for _, tt := range []struct{ name, rules, from, flow, want string }{
		{"none", "", "a", "tcp 10.0.1.4 10.0.2.4:80", "deny filter-default fw: a > fw"},
		{"network", network, "a", "tcp 10.0.1.4 10.0.2.4:80", "allow delivered: a > fw > b"},
		{"network other port", network, "a", "tcp 10.0.1.4 10.0.2.4:81", "deny filter-default fw: a > fw"},
		{"application", network + names, "a", "tcp 10.0.1.4 10.0.2.4:443", "allow delivered: a > fw > b"},
		{"nat", nat, "internet", "tcp 8.8.8.8 52.0.0.4:22", "allow delivered: internet > fw > a"},
		{"nat other port", nat, "internet", "tcp 8.8.8.8 52.0.0.4:23", "deny no-redirect: internet > fw"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t)
			n.resources = n.resources[:len(n.resources)-1]
			n.add("fw/fw", `{"location":"westeurope","properties":{`+tt.rules+`"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"~pip/fw"}}}]}}`)
			expect(t, n.compile(), tt.from+": "+tt.flow+" = "+tt.want)
		})
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
// ranges ("Azure Firewall SNAT private IP address ranges") to its own address;
// the others arrive with theirs.
func TestFirewallSourceTranslation(t *testing.T) {
	for _, tt := range []struct{ name, network, snat, source string }{
		{"private", "10.0.0.0/16", "", "10.0.1.4"},
		{"public", "20.0.0.0/16", "", "20.0.0.4"},
		{"always", "10.0.0.0/16", `"snat":{"privateRanges":["255.255.255.255/32"]}`, "10.0.0.4"},
		{"never", "20.0.0.0/16", `"snat":{"privateRanges":["0.0.0.0/0"]}`, "20.0.1.4"},
		{"kept", "20.0.0.0/16", `"snat":{"privateRanges":["IANAPrivateRanges","20.0.0.0/8"]}`, "20.0.1.4"},
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
			img := n.compile()
			expect(t, img,
				"a: tcp "+at+".1.4 "+at+".2.4:80 = allow delivered: a > fw > b",
				"a: tcp "+at+".1.4 "+at+".2.4:81 = deny filter-default own: a > fw")
			c := flow(t, img, "a", "tcp "+at+".1.4 "+at+".2.4:80")
			if got := c.Forward.Steps[len(c.Forward.Steps)-1].Packet.Src.String(); got != tt.source {
				t.Errorf("arrives from %s, want %s", got, tt.source)
			}
		})
	}
}
