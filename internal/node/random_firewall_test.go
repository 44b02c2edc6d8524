package node

import (
	"fmt"
	"strings"
)

// firewall adds an Azure Firewall to the first virtual network, a policy with
// NAT, network and application rules or the same inside it, routes that lead to
// it, and appliances that follow the policy.
func (n *randomNetwork) firewall() {
	if n.one(2) {
		return
	}
	const self = "10.0.252.4"
	n.inline("vnet0", "AzureFirewallSubnet", "10.0.252.0/26")
	front := n.public("fw-ip")
	address := fmt.Sprintf("203.0.113.%d", len(n.publics))
	snat := n.pick("", `"snat":{"privateRanges":["255.255.255.255/32"]}`, `"snat":{"privateRanges":["0.0.0.0/0"]}`, `"snat":{"privateRanges":["IANAPrivateRanges"]}`)
	policy := n.add("Microsoft.Network/firewallPolicies", "fwp", snat)
	var lists []string
	list := func(kind, action string, rules []string) {
		lists = append(lists, fmt.Sprintf(`{"ruleCollectionType":%q,"name":"c%d","priority":%d,"action":{"type":%q},"rules":[%s]}`,
			kind, len(lists), 100+len(lists), action, strings.Join(rules, ",")))
	}
	side := func() string {
		return n.pick("*", "*", "10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "10.0.1.4", "Storage", "NoSuchTag", "0.0.0.0-127.255.255.255")
	}
	var rules []string
	for i := range n.rng.IntN(4) {
		rules = append(rules, fmt.Sprintf(`{"ruleType":"NatRule","name":"nat%d","ipProtocols":[%q],"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q],"translatedAddress":%q,"translatedPort":%q}`,
			i, n.pick("TCP", "UDP"), side(), n.pick(address, address, "*"), n.pick("443", "22", "80-90"), n.pick("10.0.0.4", "10.0.1.4", "10.1.0.4", "10.0.0.100"), n.pick("443", "8080")))
	}
	list("FirewallPolicyNatRuleCollection", "DNAT", rules)
	for range 1 + n.rng.IntN(3) {
		rules = nil
		for i := range 1 + n.rng.IntN(2) {
			name := fmt.Sprintf("r%d", i)
			if n.one(3) {
				rules = append(rules, fmt.Sprintf(`{"ruleType":"ApplicationRule","name":%q,"sourceAddresses":[%q],"targetFqdns":[%q],"protocols":[{"protocolType":"Https","port":443}]}`,
					name, side(), n.pick("*", "*", "shared.blob.core.windows.net", "www.example.com")))
				continue
			}
			rules = append(rules, fmt.Sprintf(`{"ruleType":"NetworkRule","name":%q,"ipProtocols":[%q],"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q]}`,
				name, n.pick("TCP", "UDP", "Any", "ICMP"), side(), side(), n.pick("*", "443", "1000-9000")))
		}
		list("FirewallPolicyFilterRuleCollection", n.pick("Allow", "Allow", "Allow", "Deny"), rules)
	}
	n.add("Microsoft.Network/firewallPolicies", "fwp/ruleCollectionGroups/g", fmt.Sprintf(`"priority":200,"ruleCollections":[%s]`, strings.Join(lists, ",")))
	n.add("Microsoft.Network/azureFirewalls", "fw", fmt.Sprintf(`%s,"ipConfigurations":[{"name":"ip","properties":{%s,%s}}]`,
		link("firewallPolicy", policy), link("subnet", randomScope+"Microsoft.Network/virtualNetworks/vnet0/subnets/AzureFirewallSubnet"), link("publicIPAddress", front)))
	for _, r := range n.list {
		routes, isTable := r.Properties()["routes"].([]any)
		for i, prefix := range []string{"8.0.0.0/5", "10.1.0.0/17", "203.0.113.0/25", "10.0.0.0/17"} {
			if isTable && !n.one(4) {
				routes = append(routes, map[string]any{"name": fmt.Sprintf("fw%d", i), "properties": map[string]any{
					"addressPrefix": prefix, "nextHopType": "VirtualAppliance", "nextHopIpAddress": self,
				}})
				r.Properties()["routes"] = routes
			}
		}
		for _, x := range routes {
			p := x.(map[string]any)["properties"].(map[string]any)
			if p["nextHopType"] == "VirtualAppliance" && !n.one(3) {
				p["nextHopIpAddress"] = self
			}
		}
		if tags, ok := r.Doc["tags"].(map[string]any); ok && n.one(3) {
			tags["cerulean-policy"] = policy
		}
	}
}
