package node

import (
	"fmt"
	"strings"
)

// wallAddr is the private address of the random firewall.
const wallAddr = "10.0.252.4"

// firewall adds an Azure Firewall to the first virtual network, with NAT,
// network and application rules in a policy, in one that it inherits from or
// inside the firewall, routes that lead to it, and appliances that follow the
// policy. Now and then what it sends to the internet goes to an office.
func (n *randomNetwork) firewall() {
	if n.one(2) {
		return
	}
	n.inline("vnet0", "AzureFirewallSubnet", "10.0.252.0/26")
	subnet := randomScope + "Microsoft.Network/virtualNetworks/vnet0/subnets/AzureFirewallSubnet"
	var configs, fronts []string
	for i := range 1 + n.rng.IntN(2) {
		front := link("publicIPAddress", n.public(fmt.Sprintf("fw-ip%d", i)))
		fronts = append(fronts, fmt.Sprintf("203.0.113.%d", len(n.publics)))
		if i == 0 {
			front += "," + link("subnet", subnet)
		}
		configs = append(configs, fmt.Sprintf(`{"name":"ip%d","properties":{%s}}`, i, front))
	}
	p := fmt.Sprintf(`"ipConfigurations":[%s]`, strings.Join(configs, ","))
	if n.one(6) {
		n.inline("vnet0", "AzureFirewallManagementSubnet", "10.0.253.0/26")
		p += fmt.Sprintf(`,"managementIpConfiguration":{"name":"m","properties":{%s,%s}}`, link("publicIPAddress", n.public("fw-management")),
			link("subnet", strings.Replace(subnet, "AzureFirewallSubnet", "AzureFirewallManagementSubnet", 1)))
	}
	if n.one(5) {
		p += `,"sku":{"name":"AZFW_VNet","tier":"Basic"}`
	}
	policy := ""
	if n.one(3) {
		p += "," + n.classicRules(fronts)
	} else {
		policy = n.policies(fronts)
		p += "," + link("firewallPolicy", policy)
	}
	n.add("Microsoft.Network/azureFirewalls", "fw", p)
	n.lead(policy)
}

// policies writes a policy, and half the time one that it inherits from.
func (n *randomNetwork) policies(fronts []string) string {
	snat := n.pick("", `"snat":{"privateRanges":["255.255.255.255/32"]}`, `"snat":{"privateRanges":["0.0.0.0/0"]}`, `"snat":{"privateRanges":["IANAPrivateRanges"]}`)
	properties := []string{}
	if snat != "" {
		properties = append(properties, snat)
	}
	if n.one(3) {
		properties = append(properties, `"dnsSettings":{"enableProxy":true}`)
	}
	if n.one(2) {
		base := n.add("Microsoft.Network/firewallPolicies", "base", n.pick("", `"dnsSettings":{"enableProxy":true}`))
		properties = append(properties, link("basePolicy", base))
		n.ruleGroup("base", fronts)
	}
	policy := n.add("Microsoft.Network/firewallPolicies", "fwp", strings.Join(properties, ","))
	n.ruleGroup("fwp", fronts)
	return policy
}

// ruleGroup adds rule collections to a policy.
func (n *randomNetwork) ruleGroup(policy string, fronts []string) {
	var lists []string
	list := func(kind, action string, rules []string) {
		lists = append(lists, fmt.Sprintf(`{"ruleCollectionType":%q,"name":"c%d","priority":%d,"action":{"type":%q},"rules":[%s]}`,
			kind, len(lists), 100+len(lists), action, strings.Join(rules, ",")))
	}
	var rules []string
	for i := range n.rng.IntN(5) {
		rules = append(rules, fmt.Sprintf(`{"ruleType":"NatRule","name":"nat%d","ipProtocols":[%q],%s}`, i, n.pick("TCP", "UDP"), n.natSides(fronts)))
	}
	list("FirewallPolicyNatRuleCollection", "DNAT", rules)
	for range 1 + n.rng.IntN(3) {
		rules = nil
		for i := range 1 + n.rng.IntN(2) {
			if name := fmt.Sprintf("r%d", i); n.one(3) {
				rules = append(rules, fmt.Sprintf(`{"ruleType":"ApplicationRule","name":%q,%s}`, name, n.applicationSides()))
			} else {
				rules = append(rules, fmt.Sprintf(`{"ruleType":"NetworkRule","name":%q,"ipProtocols":[%q],%s}`, name, n.pick("TCP", "UDP", "Any", "ICMP"), n.networkSides()))
			}
		}
		list("FirewallPolicyFilterRuleCollection", n.pick("Allow", "Allow", "Allow", "Deny"), rules)
	}
	n.add("Microsoft.Network/firewallPolicies", policy+"/ruleCollectionGroups/g", fmt.Sprintf(`"priority":200,"ruleCollections":[%s]`, strings.Join(lists, ",")))
}

// classicRules are rules inside a firewall.
func (n *randomNetwork) classicRules(fronts []string) string {
	list := func(kind, action string, most int, rule func() string) string {
		var rules []string
		for i := range n.rng.IntN(most + 1) {
			rules = append(rules, fmt.Sprintf(`{"name":"r%d",%s}`, i, rule()))
		}
		if rules == nil {
			return fmt.Sprintf(`%q:[]`, kind)
		}
		return fmt.Sprintf(`%q:[{"name":"c","properties":{"priority":100,"action":{"type":%q},"rules":[%s]}}]`, kind, action, strings.Join(rules, ","))
	}
	return strings.Join([]string{
		list("natRuleCollections", "Dnat", 3, func() string { return fmt.Sprintf(`"protocols":[%q],%s`, n.pick("TCP", "UDP"), n.natSides(fronts)) }),
		list("networkRuleCollections", n.pick("Allow", "Allow", "Deny"), 3, func() string { return fmt.Sprintf(`"protocols":[%q],%s`, n.pick("TCP", "Any"), n.networkSides()) }),
		list("applicationRuleCollections", "Allow", 2, n.applicationSides),
		fmt.Sprintf(`"additionalProperties":{%s}`, n.pick("", `"Network.SNAT.PrivateRanges":"255.255.255.255/32"`, `"Network.DNS.EnableProxy":"true"`)),
	}, ",")
}

func (n *randomNetwork) firewallSide() string {
	return n.pick("*", "*", "10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "10.0.1.4", "Storage", "NoSuchTag", "0.0.0.0-127.255.255.255")
}

// natSides are the sides of a NAT rule: for one of the firewall's public
// addresses, its private one, some or all of them.
func (n *randomNetwork) natSides(fronts []string) string {
	return fmt.Sprintf(`"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q],"translatedAddress":%q,"translatedPort":%q`,
		n.firewallSide(), n.pick(append([]string{wallAddr, wallAddr, "*", "10.0.252.0/24"}, fronts...)...), n.pick("443", "22", "80-90"),
		n.pick("10.0.0.4", "10.0.1.4", "10.1.0.4", "10.0.0.100", "8.8.8.8", wallAddr), n.pick("443", "8080"))
}

func (n *randomNetwork) networkSides() string {
	return fmt.Sprintf(`"sourceAddresses":[%q],"destinationAddresses":[%q],"destinationPorts":[%q]`,
		n.firewallSide(), n.firewallSide(), n.pick("*", "443", "1000-9000"))
}

func (n *randomNetwork) applicationSides() string {
	return fmt.Sprintf(`"sourceAddresses":[%q],"targetFqdns":[%q],"protocols":[{"protocolType":"Https","port":443}]`,
		n.firewallSide(), n.pick("*", "*", "shared.blob.core.windows.net", "www.example.com"))
}

// lead adds routes to the firewall, and appliances that follow its policy.
func (n *randomNetwork) lead(policy string) {
	for _, r := range n.list {
		routes, isTable := r.Properties()["routes"].([]any)
		for i, prefix := range []string{"8.0.0.0/5", "10.1.0.0/17", "203.0.113.0/25", "10.0.0.0/17"} {
			if isTable && !n.one(4) {
				routes = append(routes, map[string]any{"name": fmt.Sprintf("fw%d", i), "properties": map[string]any{
					"addressPrefix": prefix, "nextHopType": "VirtualAppliance", "nextHopIpAddress": wallAddr,
				}})
				r.Properties()["routes"] = routes
			}
		}
		for _, x := range routes {
			p := x.(map[string]any)["properties"].(map[string]any)
			if p["nextHopType"] == "VirtualAppliance" && !n.one(3) {
				p["nextHopIpAddress"] = wallAddr
			}
		}
		if tags, ok := r.Doc["tags"].(map[string]any); ok && policy != "" && n.one(3) {
			tags["cerulean-policy"] = policy
		}
	}
	// The firewall's own subnet: now and then routes of its own, as with forced
	// tunnelling to an appliance or by the gateway to an office.
	if len(n.tables) > 0 && n.one(4) {
		table := n.pick(n.tables...)
		for _, r := range n.list {
			if r.ID.Name() != "vnet0" {
				continue
			}
			for _, s := range r.Properties()["subnets"].([]any) {
				if s := s.(map[string]any); s["name"] == "AzureFirewallSubnet" {
					s["properties"].(map[string]any)["routeTable"] = map[string]any{"id": table}
				}
			}
		}
	}
}
