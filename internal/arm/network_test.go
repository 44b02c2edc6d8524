package arm_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// put is a PUT that tests expect to be refused.
type put struct{ name, path, body, code string }

func (c *cloud) refuseAll(t *testing.T, puts []put) {
	t.Helper()
	for _, p := range puts {
		t.Run(p.name, func(t *testing.T) {
			a := c.do("PUT", p.path, p.body)
			if a.status != 400 && a.status != 409 || a.code() != p.code {
				t.Errorf("%d %s %q, want %s", a.status, a.code(), a.message(), p.code)
			}
		})
	}
}

// TestNetworkRefusals: address spaces and subnets that Azure refuses.
func TestNetworkRefusals(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	space := func(list string) string {
		return `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":[` + list + `]}}}`
	}
	c.must("PUT", vnet, vnetBody)
	subnet := func(prefix string) string { return `{"properties":{"addressPrefix":"` + prefix + `"}}` }
	at := vnet + "/subnets/new"
	nsg := network + "/networkSecurityGroups/east"
	c.must("PUT", nsg, `{"location":"eastus"}`)
	c.refuseAll(t, []put{
		{"none", vnet + "2", space(``), "NetcfgInvalidVirtualNetworkSite"},
		{"number", vnet + "2", space(`7`), "InvalidRequestFormat"},
		{"text", vnet + "2", space(`"ten"`), "InvalidAddressPrefixFormat"},
		{"hostBits", vnet + "2", space(`"10.0.0.1/16"`), "InvalidCIDRNotation"},
		{"multicast", vnet + "2", space(`"224.1.0.0/16"`), "NetcfgInvalidVirtualNetworkSite"},
		{"loopback", vnet + "2", space(`"127.1.0.0/16"`), "NetcfgInvalidVirtualNetworkSite"},
		{"twice", vnet + "2", space(`"10.0.0.0/8","10.1.0.0/16"`), "NetcfgInvalidVirtualNetworkSite"},
		{"outside", at, subnet("10.1.0.0/24"), "NetcfgInvalidSubnet"},
		{"overlap", at, subnet("10.0.1.128/25"), "NetcfgSubnetRangesOverlap"},
		{"within", at, subnet("10.0.0.0/20"), "NetcfgSubnetRangesOverlap"},
		{"small", at, subnet("10.0.9.0/30"), "NetcfgInvalidSubnet"},
		{"bits", at, subnet("10.0.9.1/24"), "InvalidCIDRNotation"},
		{"noPrefix", at, `{"properties":{}}`, "NetcfgInvalidSubnet"},
		{"noNSG", at, `{"properties":{"addressPrefix":"10.0.9.0/24","networkSecurityGroup":{"id":"` + nsg + `x"}}}`, "InvalidResourceReference"},
		{"otherRegion", at, `{"properties":{"addressPrefix":"10.0.9.0/24","networkSecurityGroup":{"id":"` + nsg + `"}}}`, "InvalidResourceReference"},
		{"wrongType", at, `{"properties":{"addressPrefix":"10.0.9.0/24","networkSecurityGroup":{"id":"` + vnet + `"}}}`, "InvalidResourceReference"},
		{"noID", at, `{"properties":{"addressPrefix":"10.0.9.0/24","routeTable":{"id":"rt"}}}`, "LinkedInvalidPropertyId"},
		{"sameName", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
			{"name":"a","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"A","properties":{"addressPrefix":"10.0.2.0/24"}}]}}`, "DuplicateResourceName"},
		{"notList", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":{}}}`, "InvalidRequestFormat"},
		{"noName", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{}]}}`, "InvalidResourceName"},
		{"moved", vnet, space(`"10.9.0.0/16"`), "NetcfgInvalidSubnet"},
	})
	if got := len(c.get(vnet)["properties"].(map[string]any)["subnets"].([]any)); got != 2 {
		t.Errorf("a refused write left %d subnets", got)
	}
}

func rule(name, direction string, priority int, extra string) string {
	return fmt.Sprintf(`{"name":%q,"properties":{"priority":%d,"direction":%q,"access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"VirtualNetwork"%s}}`, name, priority, direction, extra)
}

// TestSecurityRules: rules both ways, their defaults and refusals.
func TestSecurityRules(t *testing.T) {
	c := newCloud(t).withGroup()
	nsg := network + "/networkSecurityGroups/n"
	body := func(rules ...string) string {
		return `{"location":"westeurope","properties":{"securityRules":[` + strings.Join(rules, ",") + `]}}`
	}
	https := `,"destinationPortRange":"443"`
	c.must("PUT", nsg, body(rule("a", "Inbound", 100, https), rule("b", "Outbound", 100, https)))
	p := c.get(nsg)["properties"]
	if got := str(p, "securityRules", 1, "id"); got != nsg+"/securityRules/b" {
		t.Errorf("id %q", got)
	}
	defaults := at(p, "defaultSecurityRules").([]any)
	if len(defaults) != 6 || str(defaults[2], "name") != "DenyAllInBound" || at(defaults[2], "properties", "priority") != 65500.0 {
		t.Errorf("default rules %v", defaults)
	}
	c.must("PUT", nsg+"/securityRules/c", rule("ignored", "Inbound", 200, https))
	c.refused(400, "SecurityRuleConflict", "PUT", nsg+"/securityRules/d", rule("d", "inbound", 200, https))
	c.must("DELETE", nsg+"/securityRules/c", "")
	c.must("PUT", nsg+"/securityRules/d", rule("d", "Inbound", 200, https))
	c.refuseAll(t, []put{
		{"conflict", nsg, body(rule("a", "Inbound", 100, https), rule("b", "Inbound", 100, https)), "SecurityRuleConflict"},
		{"low", nsg, body(rule("a", "Inbound", 99, https)), "SecurityRuleInvalidPriority"},
		{"high", nsg, body(rule("a", "Inbound", 4097, https)), "SecurityRuleInvalidPriority"},
		{"direction", nsg, body(rule("a", "Sideways", 100, https)), "InvalidRequestFormat"},
		{"ports", nsg, body(rule("a", "Inbound", 100, `,"destinationPortRange":"443-80"`)), "SecurityRuleInvalidPortRange"},
		{"noPorts", nsg, body(rule("a", "Inbound", 100, ``)), "SecurityRuleInvalidPortRange"},
		{"prefix", nsg, strings.Replace(body(rule("a", "Inbound", 100, https)), `"sourceAddressPrefix":"*"`, `"sourceAddressPrefix":"10.0.0.0/33"`, 1), "SecurityRuleInvalidAddressPrefix"},
		{"both", nsg, body(rule("a", "Inbound", 100, https+`,"destinationPortRanges":["80"]`)), "SecurityRuleParameterContainsBothSingularAndPlural"},
		{"noASG", nsg, strings.Replace(body(rule("a", "Inbound", 100, https)), `"sourceAddressPrefix":"*"`, `"sourceApplicationSecurityGroups":[{"id":"`+network+`/applicationSecurityGroups/x"}]`, 1), "InvalidResourceReference"},
	})
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/virtualNetworks/v/subnets/app", `{"properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+strings.ToUpper(nsg)+`"}}}`)
	if got := str(c.get(nsg), "properties", "subnets", 0, "id"); got != network+"/virtualNetworks/v/subnets/app" {
		t.Errorf("subnets %q", got)
	}
	c.refused(400, "InUseNetworkSecurityGroupCannotBeDeleted", "DELETE", nsg, "")
	c.must("DELETE", network+"/virtualNetworks/v", "")
	c.must("DELETE", nsg, "")
}

// TestRoutes: routes both ways and their refusals.
func TestRoutes(t *testing.T) {
	c := newCloud(t).withGroup()
	table := network + "/routeTables/rt"
	route := func(prefix, hop, extra string) string {
		return `{"properties":{"addressPrefix":"` + prefix + `","nextHopType":"` + hop + `"` + extra + `}}`
	}
	c.must("PUT", table, `{"location":"westeurope"}`)
	c.must("PUT", table+"/routes/default", route("0.0.0.0/0", "VirtualAppliance", `,"nextHopIpAddress":"10.0.0.4"`))
	c.must("PUT", table+"/routes/tag", route("Storage.WestEurope", "Internet", ""))
	c.refuseAll(t, []put{
		{"prefix", table + "/routes/x", route("0.0.0.0/0", "Internet", ""), "RouteConflict"},
		{"bits", table + "/routes/x", route("10.0.0.1/8", "Internet", ""), "InvalidCIDRNotation"},
		{"text", table + "/routes/x", route("10.0.0", "Internet", ""), "InvalidAddressPrefixFormat"},
		{"hop", table + "/routes/x", route("10.0.0.0/8", "Nowhere", ""), "InvalidRequestFormat"},
		{"noAddress", table + "/routes/x", route("10.0.0.0/8", "VirtualAppliance", ""), "InvalidNextHop"},
		{"address", table + "/routes/x", route("10.0.0.0/8", "Internet", `,"nextHopIpAddress":"10.0.0.4"`), "InvalidNextHop"},
	})
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/virtualNetworks/v/subnets/app", `{"properties":{"addressPrefix":"10.0.1.0/24","routeTable":{"id":"`+table+`"}}}`)
	c.refused(400, "InUseRouteTableCannotBeDeleted", "DELETE", table, "")
}

// TestAddresses: dynamic addresses start at .4 and are kept; static ones are
// checked; a full subnet says so.
func TestAddresses(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	c.must("PUT", vnet+"/subnets/tiny", `{"properties":{"addressPrefix":"10.0.5.0/29"}}`)
	app, tiny := vnet+"/subnets/app", vnet+"/subnets/tiny"
	nic := func(n int) string { return fmt.Sprintf("%s/networkInterfaces/n%d", network, n) }
	address := func(n int) string {
		return str(c.get(nic(n)), "properties", "ipConfigurations", 0, "properties", "privateIPAddress")
	}
	static := func(subnet, a string) string {
		return nicBody(subnet, `,"privateIPAllocationMethod":"Static","privateIPAddress":"`+a+`"`)
	}
	c.must("PUT", nic(1), nicBody(app, ""))
	c.must("PUT", nic(2), static(app, "10.0.1.5"))
	c.must("PUT", nic(3), nicBody(strings.ToUpper(app), ""))
	for n, want := range map[int]string{1: "10.0.1.4", 2: "10.0.1.5", 3: "10.0.1.6"} {
		if got := address(n); got != want {
			t.Errorf("nic %d has %s, want %s", n, got, want)
		}
	}
	if mac := str(c.get(nic(3)), "properties", "macAddress"); mac != "" {
		t.Errorf("an interface without a machine has the hardware address %s", mac)
	}
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/m", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+nic(3)+`"}]}}}`)
	if mac := str(c.get(nic(3)), "properties", "macAddress"); !regexp.MustCompile(`^00-0D-3A(-[0-9A-F]{2}){3}$`).MatchString(mac) {
		t.Errorf("macAddress %q", mac)
	}
	// Freed addresses are given out again, kept ones are not moved.
	c.must("DELETE", nic(2), "")
	c.must("PUT", nic(1), nicBody(app, `,"custom":1`))
	c.must("PUT", nic(4), nicBody(app, ""))
	if address(1) != "10.0.1.4" || address(4) != "10.0.1.5" {
		t.Errorf("%s, %s", address(1), address(4))
	}
	for n := range 3 {
		c.must("PUT", nic(10+n), nicBody(tiny, ""))
	}
	c.refuseAll(t, []put{
		{"full", nic(20), nicBody(tiny, ""), "SubnetIsFull"},
		{"taken", nic(20), static(app, "10.0.1.4"), "PrivateIPAddressIsAllocated"},
		{"first", nic(20), static(app, "10.0.1.3"), "PrivateIPAddressInReservedRange"},
		{"last", nic(20), static(app, "10.0.1.255"), "PrivateIPAddressInReservedRange"},
		{"outside", nic(20), static(app, "10.0.2.4"), "PrivateIPAddressNotInSubnet"},
		{"text", nic(20), static(app, "ten"), "InvalidIPAddressFormat"},
		{"missing", nic(20), nicBody(app, `,"privateIPAllocationMethod":"Static"`), "InvalidRequestFormat"},
		{"noSubnet", nic(20), nicBody(app+"x", ""), "InvalidResourceReference"},
		{"noConfig", nic(20), `{"location":"westeurope","properties":{}}`, "NetworkInterfaceMustHaveAtLeastOneIpConfiguration"},
		{"region", nic(20), strings.Replace(nicBody(app, ""), "westeurope", "eastus", 1), "InvalidResourceReference"},
		{"shrink", app, `{"properties":{"addressPrefix":"10.0.1.128/25"}}`, "InUseSubnetCannotBeUpdated"},
	})
	c.must("PUT", app, `{"properties":{"addressPrefix":"10.0.1.0/25"}}`) // what is in use fits
}

// TestConcurrentAddresses: many writers at once get different addresses, and
// no subnet written at the same time is lost.
func TestConcurrentAddresses(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	const writers = 32
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			a := c.do("PUT", fmt.Sprintf("%s/networkInterfaces/n%d", network, i), nicBody(vnet+"/subnets/app", ""))
			b := c.do("PUT", fmt.Sprintf("%s/subnets/s%d", vnet, i), fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.%d.0/24"}}`, 100+i))
			if a.status != 201 || b.status != 201 {
				t.Errorf("%d %s, %d %s", a.status, a.raw, b.status, b.raw)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, n := range at(c.get(network+"/networkInterfaces"), "value").([]any) {
		seen[str(n, "properties", "ipConfigurations", 0, "properties", "privateIPAddress")] = true
	}
	for i := range writers {
		if a := fmt.Sprintf("10.0.1.%d", 4+i); !seen[a] {
			t.Errorf("%s was not given out", a)
		}
	}
	if got := len(at(c.get(vnet), "properties", "subnets").([]any)); got != writers+2 {
		t.Errorf("%d subnets, want %d", got, writers+2)
	}
}

// TestPeering: a peering is Initiated alone, Connected with its counterpart,
// and Disconnected for good once the other side is deleted.
func TestPeering(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := func(name, prefix string) string {
		c.must("PUT", network+"/virtualNetworks/"+name, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["`+prefix+`"]}}}`)
		return network + "/virtualNetworks/" + name
	}
	a, b, other, again := vnet("a", "10.0.0.0/16"), vnet("b", "10.1.0.0/16"), vnet("c", "10.1.0.0/20"), vnet("d", "10.0.0.0/24")
	to := func(remote string) string {
		return `{"properties":{"remoteVirtualNetwork":{"id":"` + remote + `"}}}`
	}
	ab, ba := a+"/virtualNetworkPeerings/b", b+"/virtualNetworkPeerings/a"
	state := func(want map[string]string) {
		t.Helper()
		for path, s := range want {
			if got := str(c.get(path), "properties", "peeringState"); got != s {
				t.Errorf("%s is %s, want %s", path, got, s)
			}
		}
	}
	c.refused(400, "InvalidResourceReference", "PUT", ab, to(b+"x"))
	c.refused(400, "InvalidVnetPeering", "PUT", ab, to(a))
	c.must("PUT", ab, to(b))
	state(map[string]string{ab: "Initiated"})
	c.must("PUT", ba, to(a))
	state(map[string]string{ab: "Connected", ba: "Connected"})
	if p := c.get(ab)["properties"]; str(p, "remoteAddressSpace", "addressPrefixes", 0) != "10.1.0.0/16" || at(p, "allowVirtualNetworkAccess") != true {
		t.Errorf("%v", p)
	}
	c.refused(400, "AnotherPeeringAlreadyReferencesRemoteVnet", "PUT", ab+"2", to(b))
	c.refused(400, "VnetAddressSpacesOverlap", "PUT", other+"/virtualNetworkPeerings/b", to(b))
	c.refused(400, "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", "PUT", a+"/virtualNetworkPeerings/c", to(other))
	c.refused(400, "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", "PUT", again+"/virtualNetworkPeerings/b", to(b))
	c.must("PUT", a, `{"location":"westeurope","tags":{"x":"y"},"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`)
	state(map[string]string{ab: "Connected", ba: "Connected"})
	c.must("DELETE", ab, "")
	state(map[string]string{ba: "Disconnected"})
	c.refused(400, "RemotePeeringIsDisconnected", "PUT", ab, to(b))
	c.must("DELETE", ba, "")
	c.must("PUT", ab, to(b))
	c.must("PUT", ba, to(a))
	state(map[string]string{ab: "Connected", ba: "Connected"})
	c.must("DELETE", b, "")
	state(map[string]string{ab: "Disconnected"})
}

// TestPublicAddresses: addresses do not depend on the order resources are made
// in, are unique, and are kept.
func TestPublicAddresses(t *testing.T) {
	body := `{"location":"westeurope","sku":{"name":"Standard"}}`
	pip := func(n int) string { return fmt.Sprintf("%s/publicIPAddresses/p%d", network, n) }
	made := map[string]string{}
	for _, order := range [][]int{{1, 2, 3}, {3, 2, 1}} {
		c := newCloud(t).withGroup()
		for _, n := range order {
			a := str(c.must("PUT", pip(n), body).body, "properties", "ipAddress")
			if was := made[pip(n)]; a == "" || was != "" && was != a {
				t.Errorf("%s has %q, had %q", pip(n), a, was)
			}
			made[pip(n)] = a
		}
	}
	c := newCloud(t).withGroup()
	c.must("PUT", pip(1), `{"location":"westeurope","properties":{"ipAddress":"20.1.2.3"}}`)
	if got := str(c.must("PUT", pip(1), body).body, "properties", "ipAddress"); got != "20.1.2.3" {
		t.Errorf("the address moved to %s", got)
	}
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(vnet+"/subnets/app", `,"publicIPAddress":{"id":"`+pip(1)+`"}`))
	c.refuseAll(t, []put{
		{"twice", pip(2), `{"location":"westeurope","properties":{"ipAddress":"20.1.2.3"}}`, "PublicIPAddressIsAllocated"},
		{"dynamic", pip(2), `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Dynamic"}}`, "StandardSkuPublicIPAddressesCannotHaveDynamicAllocation"},
		{"used", network + "/networkInterfaces/m", nicBody(vnet+"/subnets/app", `,"publicIPAddress":{"id":"`+pip(1)+`"}`), "PublicIPAddressInUse"},
		{"nat", network + "/natGateways/g", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"` + pip(1) + `"}]}}`, "PublicIPAddressInUse"},
	})
	c.refused(400, "PublicIPAddressCannotBeDeleted", "DELETE", pip(1), "")
	if got := str(c.get(pip(1)), "properties", "ipConfiguration", "id"); got != network+"/networkInterfaces/n/ipConfigurations/ip1" {
		t.Errorf("ipConfiguration %q", got)
	}
	c.must("PUT", pip(2), body)
	c.must("PUT", network+"/natGateways/g", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"`+pip(2)+`"}]}}`)
	c.must("PUT", vnet+"/subnets/app", `{"properties":{"addressPrefix":"10.0.1.0/24","natGateway":{"id":"`+network+`/natGateways/g"}}}`)
	c.refused(400, "InUseNatGatewayCannotBeDeleted", "DELETE", network+"/natGateways/g", "")
}

// TestVirtualMachine: a VM has NICs, each of one VM.
func TestVirtualMachine(t *testing.T) {
	c := newCloud(t).withGroup()
	vm := group + "/providers/Microsoft.Compute/virtualMachines/"
	nic := network + "/networkInterfaces/n"
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", nic, nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	body := `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"` + nic + `"}]}}}`
	c.must("PUT", vm+"a", body)
	c.refused(400, "NicInUse", "PUT", vm+"b", body)
	c.refused(400, "NicInUse", "DELETE", nic, "")
	c.refused(400, "InvalidResourceReference", "PUT", vm+"b", strings.Replace(body, "/n\"", "/x\"", 1))
	if got := str(c.get(nic), "properties", "virtualMachine", "id"); got != vm+"a" {
		t.Errorf("virtualMachine %q", got)
	}
	c.must("DELETE", vm+"a", "")
	c.must("DELETE", nic, "")
}

// TestFirewall: a firewall takes the first address of AzureFirewallSubnet; its
// policy inherits once and cannot be deleted while in use.
func TestFirewall(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	c.must("PUT", vnet+"/subnets/AzureFirewallSubnet", `{"properties":{"addressPrefix":"10.0.8.0/26"}}`)
	policies := network + "/firewallPolicies/"
	policy := func(base string) string {
		if base == "" {
			return `{"location":"eastus"}`
		}
		return `{"location":"eastus","properties":{"basePolicy":{"id":"` + policies + base + `"}}}`
	}
	c.must("PUT", policies+"global", policy(""))
	c.must("PUT", policies+"regional", policy("global"))
	c.refused(400, "FirewallPolicyNestedInheritance", "PUT", policies+"third", policy("regional"))
	c.refused(400, "InvalidResourceReference", "PUT", policies+"third", policy("none"))
	firewall := network + "/azureFirewalls/fw"
	body := func(subnet string) string {
		return `{"location":"westeurope","properties":{"firewallPolicy":{"id":"` + policies + `regional"},"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"` + vnet + `/subnets/` + subnet + `"}}}]}}`
	}
	c.refused(400, "AzureFirewallSubnetNameInvalid", "PUT", firewall, body("app"))
	a := c.must("PUT", firewall, body("AzureFirewallSubnet"))
	if got := str(a.body, "properties", "ipConfigurations", 0, "properties", "privateIPAddress"); got != "10.0.8.4" {
		t.Errorf("privateIPAddress %q", got)
	}
	if got := str(a.body, "properties", "sku", "name"); got != "AZFW_VNet" {
		t.Errorf("sku %q", got)
	}
	groups := policies + "global/ruleCollectionGroups/"
	c.refused(404, "ParentResourceNotFound", "PUT", policies+"none/ruleCollectionGroups/g", `{"properties":{"priority":100}}`)
	ips := network + "/ipGroups/ips"
	rcg := func(ip string) string {
		return `{"properties":{"priority":200,"ruleCollections":[{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"c","priority":100,"action":{"type":"Allow"},"rules":[{"ruleType":"NetworkRule","name":"r","sourceIpGroups":["` + ip + `"]}]}]}}`
	}
	c.refused(400, "InvalidResourceReference", "PUT", groups+"g", rcg(ips))
	c.refused(400, "InvalidRequestFormat", "PUT", groups+"g", `{"properties":{"priority":1}}`)
	c.refused(400, "InvalidRequestFormat", "PUT", ips, `{"location":"westeurope","properties":{"ipAddresses":["10.0.0.9-10.0.0.1"]}}`)
	c.must("PUT", ips, `{"location":"westeurope","properties":{"ipAddresses":["10.0.0.0/24","10.0.0.1-10.0.0.9"]}}`)
	c.must("PUT", groups+"g", rcg(ips))
	c.refused(400, "IpGroupInUse", "DELETE", ips, "")
	c.refused(400, "FirewallPolicyInUse", "DELETE", policies+"global", "")
	c.refused(400, "FirewallPolicyInUse", "DELETE", policies+"regional", "")
	p := c.get(policies + "global")["properties"]
	if str(p, "childPolicies", 0, "id") != policies+"regional" || str(p, "ruleCollectionGroups", 0, "id") != groups+"g" {
		t.Errorf("%v", p)
	}
	c.must("DELETE", firewall, "")
	c.must("DELETE", policies+"regional", "")
	c.must("DELETE", policies+"global", "") // with its rule collection groups
	c.refused(404, "NotFound", "GET", groups+"g", "")
	c.must("DELETE", ips, "")
}

// TestPrivateZone: zones, links that hold them, and record sets.
func TestPrivateZone(t *testing.T) {
	c := newCloud(t).withGroup()
	zone := network + "/privateDnsZones/globojava.com"
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.refused(400, "LocationNotAvailableForResourceType", "PUT", zone, `{"location":"westeurope"}`)
	if got := str(c.must("PUT", zone, `{}`).body, "location"); got != "global" {
		t.Errorf("location %q", got)
	}
	link := `{"location":"global","properties":{"virtualNetwork":{"id":"` + network + `/virtualNetworks/v"}}}`
	c.refused(400, "InvalidResourceReference", "PUT", zone+"/virtualNetworkLinks/l", strings.Replace(link, "/v\"", "/x\"", 1))
	if got := str(c.must("PUT", zone+"/virtualNetworkLinks/l", link).body, "properties", "virtualNetworkLinkState"); got != "Completed" {
		t.Errorf("link state %q", got)
	}
	c.refused(409, "Conflict", "PUT", zone+"/virtualNetworkLinks/m", link)
	a := c.must("PUT", zone+"/A/database.westeurope", `{"properties":{"ttl":300,"aRecords":[{"ipv4Address":"10.0.1.4"}]}}`, "If-None-Match: *")
	if a.status != 201 || str(a.body, "properties", "fqdn") != "database.westeurope.globojava.com." || a.header.Get("Azure-AsyncOperation") != "" {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
	c.must("PUT", zone+"/CNAME/www", `{"properties":{"ttl":60,"cnameRecord":{"cname":"database.westeurope.globojava.com"}}}`)
	c.refuseAll(t, []put{
		{"ttl", zone + "/A/x", `{"properties":{"ttl":-1,"aRecords":[{"ipv4Address":"10.0.1.4"}]}}`, "InvalidRequestFormat"},
		{"family", zone + "/A/x", `{"properties":{"ttl":1,"aRecords":[{"ipv4Address":"::1"}]}}`, "InvalidRequestFormat"},
		{"none", zone + "/CNAME/x", `{"properties":{"ttl":1,"cnameRecord":{}}}`, "InvalidRequestFormat"},
		{"beside", zone + "/A/www", `{"properties":{"ttl":1,"aRecords":[{"ipv4Address":"10.0.1.4"}]}}`, "CnameRecordConflict"},
		{"apex", zone + "/CNAME/@", `{"properties":{"ttl":1,"cnameRecord":{"cname":"a"}}}`, "BadRequest"},
	})
	if got := len(at(c.get(zone+"/ALL"), "value").([]any)); got != 3 { // with the zone's SOA
		t.Errorf("%d record sets", got)
	}
	c.refused(409, "CannotDeleteResource", "DELETE", zone, "")
	c.must("DELETE", zone+"/virtualNetworkLinks/l", "")
	if a := c.must("DELETE", zone+"/CNAME/www", ""); a.status != 200 {
		t.Errorf("DELETE of a record set: %d", a.status)
	}
	c.must("DELETE", zone, "")
}

// TestManyAddresses: several configurations of one NIC, some named, some not,
// and a rewrite that frees one of them.
func TestManyAddresses(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	config := func(name, address string) string {
		extra := ""
		if address != "" {
			extra = `,"privateIPAllocationMethod":"Static","privateIPAddress":"` + address + `"`
		}
		return `{"name":"` + name + `","properties":{"subnet":{"id":"` + vnet + `/subnets/app"}` + extra + `}}`
	}
	write := func(configs ...string) string {
		a := c.must("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[`+strings.Join(configs, ",")+`]}}`)
		var out []string
		for _, cfg := range at(a.body, "properties", "ipConfigurations").([]any) {
			out = append(out, strings.TrimPrefix(str(cfg, "properties", "privateIPAddress"), "10.0.1."))
		}
		return strings.Join(out, " ")
	}
	c.must("PUT", network+"/networkInterfaces/other", nicBody(vnet+"/subnets/app", `,"privateIPAllocationMethod":"Static","privateIPAddress":"10.0.1.6"`))
	for _, tc := range []struct {
		want    string
		configs []string
	}{
		{"5 4 7", []string{config("a", ""), config("b", "10.0.1.4"), config("c", "")}},
		{"5 8 7", []string{config("a", ""), config("b", "10.0.1.8"), config("c", "")}},
		{"4 5", []string{config("d", ""), config("a", "")}},
		{"9 4", []string{config("a", "10.0.1.9"), config("e", "")}},
	} {
		if got := write(tc.configs...); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.configs, got, tc.want)
		}
	}
	a := c.do("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[`+config("a", "10.0.1.9")+","+config("b", "10.0.1.9")+`]}}`)
	if a.code() != "PrivateIPAddressIsAllocated" {
		t.Errorf("twice in one NIC: %d %s", a.status, a.raw)
	}
}

// TestConfigurationsOfAnInterface: each is read on its own; of IPv6 it has the
// subnet it names.
func TestConfigurationsOfAnInterface(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00::/48"]},"subnets":[{"name":"s","properties":{"addressPrefixes":["10.0.0.0/24","fd00::/64"]}}]}}`)
	subnet := network + "/virtualNetworks/v/subnets/s"
	c.must("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[
		{"name":"a","properties":{"primary":true,"subnet":{"id":"`+subnet+`"}}},
		{"name":"b","properties":{"privateIPAddressVersion":"IPv6","subnet":{"id":"`+subnet+`"}}}]}}`)
	if got := str(c.get(network+"/networkInterfaces/n/ipConfigurations/b"), "properties", "privateIPAddress"); got != "fd00::4" {
		t.Errorf("address %q", got)
	}
}

// TestAssociations: interfaces and load balancers list each other.
func TestAssociations(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	subnet, lb := network+"/virtualNetworks/v/subnets/s", network+"/loadBalancers/l"
	c.must("PUT", lb, `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"`+subnet+`"}}}],"backendAddressPools":[{"name":"p"},{"name":"q"}]}}`)
	for name, pools := range map[string]string{"a": `{"id":"` + lb + `/backendAddressPools/p"},{"id":"` + lb + `/backendAddressPools/q"}`, "b": ""} {
		c.must("PUT", network+"/networkInterfaces/"+name, `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{"subnet":{"id":"`+subnet+`"},"loadBalancerBackendAddressPools":[`+pools+`]}}]}}`)
	}
	names := func(path string) (out []string) {
		list, _ := c.get(path)["value"].([]any)
		for _, o := range list {
			out = append(out, str(o, "name"))
		}
		return out
	}
	for path, want := range map[string][]string{
		network + "/networkInterfaces/a/loadBalancers": {"l"},
		network + "/networkInterfaces/b/loadBalancers": nil,
		lb + "/networkInterfaces":                      {"a"},
	} {
		if got := names(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// TestStartOfAuthority: a change of a zone's SOA keeps what it does not name,
// and the server's name in any case.
func TestStartOfAuthority(t *testing.T) {
	c := newCloud(t).withGroup()
	zone := network + "/privateDnsZones/example.test"
	c.must("PUT", zone, `{"location":"global"}`)
	c.must("PUT", zone+"/SOA/@", `{"properties":{"ttl":600,"soaRecord":{"email":"a.example","host":"other.test","minimumTtl":20}}}`)
	soa := at(c.get(zone+"/SOA/@"), "properties", "soaRecord")
	if str(soa, "email") != "a.example" || str(soa, "host") != "azureprivatedns.net" || at(soa, "minimumTtl") != 20.0 || at(soa, "refreshTime") != 3600.0 {
		t.Errorf("%v", soa)
	}
}

// TestGatewayProbeMatch: a probe that says nothing of answers takes 200 to 399
// for healthy.
func TestGatewayProbeMatch(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	gateway := network + "/applicationGateways/g"
	c.must("PUT", gateway, `{"location":"westeurope","properties":{"sku":{"name":"Standard_v2","tier":"Standard_v2"},
		"gatewayIPConfigurations":[{"name":"i","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}],
		"probes":[{"name":"a","properties":{"protocol":"Http","path":"/"}},{"name":"b","properties":{"match":{"statusCodes":[]}}},{"name":"c","properties":{"match":{"statusCodes":["404"]}}}]}}`)
	doc := c.get(gateway)
	for i, want := range []string{"200-399", "200-399", "404"} {
		if got := str(doc, "properties", "probes", i, "properties", "match", "statusCodes", 0); got != want {
			t.Errorf("probe %d: %q, want %q", i, got, want)
		}
	}
}

// TestListenersAlike: two listeners of one frontend and port differ in their hosts.
func TestListenersAlike(t *testing.T) {
	c := newCloud(t).withGroup()
	gateway := network + "/applicationGateways/g"
	with := func(a, b string) string {
		listener := func(name, hosts string) string {
			return `{"name":"` + name + `","properties":{"frontendIPConfiguration":{"id":"` + gateway + `/frontendIPConfigurations/f"},"frontendPort":{"id":"` + gateway + `/frontendPorts/p"}` + hosts + `}}`
		}
		return `{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"f"}],"frontendPorts":[{"name":"p","properties":{"port":80}}],
			"httpListeners":[` + listener("a", a) + "," + listener("b", b) + `]}}`
	}
	for _, pair := range [][2]string{{"", ""}, {`,"hostName":"a.test"`, `,"hostNames":["b.test","A.test"]`}} {
		c.refused(400, "ApplicationGatewayHttpListenersUsingSameFrontendPortAndFrontendIpConfig", "PUT", gateway, with(pair[0], pair[1]))
	}
	c.must("PUT", gateway, with(`,"hostName":"a.test"`, ""))
}

// TestIPv6WithoutSubnet: a further configuration of IPv6 in no subnet, or in one of
// IPv4, is taken and has no address, and the network still compiles.
func TestIPv6WithoutSubnet(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[
		{"name":"a","properties":{"primary":true,"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}},
		{"name":"b","properties":{"privateIPAddressVersion":"IPv6"}},
		{"name":"c","properties":{"privateIPAddressVersion":"IPv6","subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}]}}`)
	if got := at(c.get(network+"/networkInterfaces/n"), "properties", "ipConfigurations", 1, "properties", "subnet"); got != nil {
		t.Errorf("subnet %v", got)
	}
	if got := at(c.get(network+"/networkInterfaces/n"), "properties", "ipConfigurations", 1, "properties", "privateIPAddress"); got != nil {
		t.Errorf("address %v", got)
	}
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/vm", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/n"}]}}}`)
	c.must("POST", network+"/networkInterfaces/n/effectiveRouteTable", "")
}
