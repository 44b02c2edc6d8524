package compile

import "testing"

// hubAndSpokes is the classic hub with a firewall and two spokes whose user
// routes send everything through it.
func hubAndSpokes(t testing.TB) *network {
	n := &network{t: t}
	const routed = `"routeTable":{"id":"~rt/spokes"}`
	n.vnet("hub", "10.0.0.0/16", "AzureFirewallSubnet 10.0.0.0/26", "shared 10.0.1.0/24")
	n.vnet("one", "10.1.0.0/16", "app 10.1.0.0/24 "+routed)
	n.vnet("two", "10.2.0.0/16", "data 10.2.0.0/24 "+routed)
	n.peer("hub", "one").peer("hub", "two")
	n.add("rt/spokes", `{"location":"westeurope","properties":{"routes":[
		{"name":"default","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}}]}}`)
	n.add("pip/fw", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":"52.0.0.4","publicIPAllocationMethod":"Static"}}`)
	n.add("fwp/base", `{"location":"westeurope","properties":{}}`)
	n.add("fwp/base/ruleCollectionGroups/net", `{"properties":{"priority":200,"ruleCollections":[
		{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"allow","priority":200,"action":{"type":"Allow"},"rules":[
			{"ruleType":"NetworkRule","name":"sql","ipProtocols":["TCP"],"sourceAddresses":["10.1.0.0/16"],"destinationAddresses":["10.2.0.0/16"],"destinationPorts":["5432"]},
			{"ruleType":"NetworkRule","name":"web","ipProtocols":["TCP"],"sourceAddresses":["10.0.0.0/8"],"destinationAddresses":["9.9.9.9"],"destinationPorts":["443"]}]}]}}`)
	n.add("fw/fw", `{"location":"westeurope","properties":{"firewallPolicy":{"id":"~fwp/base"},"ipConfigurations":[
		{"name":"ip","properties":{"subnet":{"id":"~vnet/hub/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"~pip/fw"}}}]}}`)
	n.nic("a", "one/app", "10.1.0.4").nic("b", "two/data", "10.2.0.4")
	return n
}

func TestHubAndSpoke(t *testing.T) {
	img := hubAndSpokes(t).compile()
	expect(t, img,
		"a: tcp 10.1.0.4 10.2.0.4:5432 = allow delivered: a > fw > b",
		"a: tcp 10.1.0.4 10.2.0.4:22 = deny filter-default base: a > fw",
		"b: tcp 10.2.0.4 10.1.0.4:5432 = deny filter-default base: b > fw",
		// Peered prefixes are longer than the user's default route.
		"a: tcp 10.1.0.4 10.0.1.9:80 = allow delivered: a > hub/shared (unassigned)",
		"a: tcp 10.1.0.4 9.9.9.9:443 = allow delivered: a > fw > internet",
		"a: tcp 10.1.0.4 9.9.9.9:80 = deny filter-default base: a > fw",
		"a: tcp 10.1.0.9 10.2.0.4:5432 = deny source-check: a",
		"a: tcp 10.1.0.4 168.63.129.16:80 = allow platform: a",
		"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-translation: internet",
	)
}

// Peering is not transitive, and the None routes drop what nobody has.
func TestPeeringIsNotTransitive(t *testing.T) {
	n := &network{t: t}
	n.vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").vnet("one", "10.1.0.0/16", "s 10.1.0.0/24").vnet("two", "10.2.0.0/16", "s 10.2.0.0/24")
	n.peer("hub", "one").peer("hub", "two")
	n.nic("a", "one/s", "").nic("b", "two/s", "")
	img := n.compile()
	expect(t, img, "a: tcp 10.1.0.4 10.2.0.4:80 = deny route-drop: a")
	want := `Default Active 10.0.0.0/16 VNetPeering
Default Active 10.1.0.0/16 VnetLocal
Default Active 192.168.0.0/16 None
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
Default Active 10.0.0.0/8 None
Default Active 0.0.0.0/0 Internet
`
	if got := routes(img, portOf(t, img, "a")); got != want {
		t.Errorf("effective routes:\n%swant:\n%s", got, want)
	}
}

// A peering works only when both halves exist (state Connected).
func TestPeeringNeedsBothHalves(t *testing.T) {
	n := &network{t: t}
	n.vnet("one", "10.1.0.0/16", "s 10.1.0.0/24").vnet("two", "10.2.0.0/16", "s 10.2.0.0/24")
	n.add("vnet/one/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/two"}}}`)
	n.nic("a", "one/s", "")
	expect(t, n.compile(), "a: tcp 10.1.0.4 10.2.0.4:80 = deny route-drop: a")
}
