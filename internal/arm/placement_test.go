package arm_test

import (
	"strings"
	"testing"
)

// TestPlacement: what may stand in which subnet, which public address may be
// where, and what rules of a balancer exclude each other. Codes and messages are
// those of Azure's refusals.
func TestPlacement(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
		{"name":"app","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"agw","properties":{"addressPrefix":"10.0.2.0/24"}},
		{"name":"mi","properties":{"addressPrefix":"10.0.3.0/24","delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Sql/managedInstances"}}]}},
		{"name":"GatewaySubnet","properties":{"addressPrefix":"10.0.4.0/24"}}]}}`)
	subnet := func(name string) string { return network + "/virtualNetworks/v/subnets/" + name }
	gateway := func(name string) string {
		return expand(`{"location":"westeurope","properties":{"sku":{"name":"Standard_v2","tier":"Standard_v2"},"gatewayIPConfigurations":[{"name":"g","properties":{"subnet":{"id":"` + subnet(name) + `"}}}]}}`)
	}
	balancer := func(rules string) string {
		return expand(`{"location":"westeurope","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"` + subnet("app") + `"}}}],
			"backendAddressPools":[{"name":"p"},{"name":"q"}],"loadBalancingRules":[` + rules + `]}}`)
	}
	rule := func(name, front, pool, extra string) string {
		return `{"name":"` + name + `","properties":{"protocol":"Tcp","frontendPort":` + front + `,"backendPort":80` + extra +
			`,"frontendIPConfiguration":{"id":"@/loadBalancers/lb/frontendIPConfigurations/f"},"backendAddressPool":{"id":"@/loadBalancers/lb/backendAddressPools/` + pool + `"}}}`
	}
	c.must("PUT", network+"/applicationGateways/agw", gateway("agw"))
	c.must("PUT", network+"/networkInterfaces/n", nicBody(subnet("app"), `,"privateIPAddress":"10.0.1.9","privateIPAllocationMethod":"Static"`))
	c.must("PUT", network+"/publicIPAddresses/basic", `{"location":"westeurope","sku":{"name":"Basic"},"properties":{"publicIPAllocationMethod":"Static"}}`)
	c.must("PUT", network+"/networkInterfaces/public", nicBody(subnet("app"), `,"publicIPAddress":{"id":"`+network+`/publicIPAddresses/basic"}`))
	c.refuseAll(t, []put{
		{"delegated", network + "/networkInterfaces/x", nicBody(subnet("mi"), ""), "ResourceNotPermittedOnDelegatedSubnet"},
		{"gatewaySubnet", network + "/networkInterfaces/x", nicBody(subnet("GatewaySubnet"), ""), "GatewaySubnet"},
		{"besideGateway", network + "/networkInterfaces/x", nicBody(subnet("agw"), ""), "ApplicationGatewaySubnetCannotBeUsedByOtherResources"},
		{"gatewayBesides", network + "/applicationGateways/second", gateway("app"), "ApplicationGatewaySubnetCannotBeUsedByOtherResources"},
		{"taken", network + "/networkInterfaces/x", nicBody(subnet("app"), `,"privateIPAddress":"10.0.1.9","privateIPAllocationMethod":"Static"`), "PrivateIPAddressIsAllocated"},
		{"inUse", network + "/networkInterfaces/x", nicBody(subnet("app"), `,"publicIPAddress":{"id":"`+network+`/publicIPAddresses/basic"}`), "PublicIPAddressInUse"},
		{"dynamic", network + "/publicIPAddresses/basic", `{"location":"westeurope","sku":{"name":"Basic"},"properties":{"publicIPAllocationMethod":"Dynamic"}}`, "PublicIPAddressInUseCannotUpdateToDynamic"},
		{"mixedSKU", network + "/loadBalancers/lb", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"` + network + `/publicIPAddresses/basic"}}}]}}`, "PublicIPAndLBSkuDoNotMatch"},
		{"samePort", network + "/loadBalancers/lb", expand(balancer(rule("a", "80", "p", "") + "," + rule("b", "81", "p", ""))), "RulesUseSameBackendPortProtocolAndPool"},
		{"noPool", network + "/loadBalancers/lb", expand(balancer(rule("a", "80", "none", ""))), "InvalidResourceReference"},
	})
	a := c.do("PUT", network+"/networkInterfaces/x", nicBody(subnet("app"), `,"privateIPAddress":"10.0.1.9","privateIPAllocationMethod":"Static"`))
	if want := "IP configuration " + network + "/networkInterfaces/x/ipConfigurations/ip1 is using the private IP address 10.0.1.9 which is already allocated to resource " + network + "/networkInterfaces/n/ipConfigurations/ip1."; a.message() != want {
		t.Errorf("%s\nwant %s", a.message(), want)
	}
	for name, rules := range map[string]string{
		"otherPool": rule("a", "80", "p", "") + "," + rule("b", "81", "q", ""),
	} {
		if a := c.do("PUT", network+"/loadBalancers/lb", expand(balancer(rules))); a.status >= 300 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	c.must("PUT", network+"/routeTables/rt", `{"location":"westeurope"}`)
	c.must("PUT", subnet("app"), `{"properties":{"addressPrefix":"10.0.1.0/24","routeTable":{"id":"`+network+`/routeTables/rt"}}}`)
	if a := c.refused(400, "InUseRouteTableCannotBeDeleted", "DELETE", network+"/routeTables/rt", ""); !strings.HasPrefix(a.message(), "Route table rt is in use and cannot be deleted.") {
		t.Error(a.message())
	}
}
