package arm_test

import (
	"testing"
)

// TestUsages: what a region and the subnets of a network hold, and whether a DNS
// label is free.
func TestUsages(t *testing.T) {
	c := newCloud(t).withMachine()
	c.must("PUT", network+"/virtualNetworks/v/subnets/GatewaySubnet", `{"properties":{"addressPrefix":"10.0.9.0/27"}}`)
	usage := map[string]any{}
	for _, u := range at(c.get(network+"/virtualNetworks/v/usages"), "value").([]any) {
		usage[str(u, "id")] = []any{at(u, "currentValue"), at(u, "limit"), str(u, "name", "value"), str(u, "unit")}
	}
	for id, want := range map[string][]any{"s": {1.0, 251.0, "SubnetSpace", "Count"}, "GatewaySubnet": {-1.0, -1.0, "SubnetSpace", "Count"}} {
		got, _ := usage[network+"/virtualNetworks/v/subnets/"+id].([]any)
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("%s: %v, want %v", id, got, want)
			}
		}
	}
	location := subscription + "/providers/Microsoft.Network/locations/"
	count := map[string]float64{}
	for _, u := range at(c.get(location+"westeurope/usages"), "value").([]any) {
		count[str(u, "name", "value")] = at(u, "currentValue").(float64)
		if at(u, "limit").(float64) < 1 || str(u, "id") != location+"westeurope/usages/"+str(u, "name", "value") {
			t.Errorf("%v", u)
		}
	}
	if count["VirtualNetworks"] != 1 || count["NetworkInterfaces"] != 1 || count["NetworkWatchers"] != 1 || count["LoadBalancers"] != 0 {
		t.Errorf("%v", count)
	}
	free := func(region, label string) any {
		return at(c.get(location+region+"/CheckDnsNameAvailability"+version+"&domainNameLabel="+label), "available")
	}
	if free("westeurope", "shop") != true {
		t.Error("the label is free")
	}
	c.must("PUT", network+"/publicIPAddresses/p", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"dnsSettings":{"domainNameLabel":"shop"}}}`)
	if free("westeurope", "shop") != false || free("eastus", "shop") != true {
		t.Error("the label is taken in its region, and there only")
	}
	c.refused(400, "InvalidDomainNameLabel", "GET", location+"westeurope/CheckDnsNameAvailability"+version+"&domainNameLabel=-x", "")
	c.refused(400, "LocationNotAvailableForResourceType", "GET", location+"mars/usages", "")
}

// TestPortMappings: the frontend ports by which a NAT rule of a pool leads to
// each member.
func TestPortMappings(t *testing.T) {
	c := newCloud(t).withMachine()
	c.must("PUT", network+"/publicIPAddresses/p", `{"location":"westeurope","sku":{"name":"Standard"}}`)
	lb := network + "/loadBalancers/lb"
	c.must("PUT", lb, `{"location":"westeurope","sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"`+network+`/publicIPAddresses/p"}}}],
		"backendAddressPools":[{"name":"pool"},{"name":"other"}],
		"inboundNatRules":[{"name":"ssh","properties":{"protocol":"Tcp","frontendPortRangeStart":500,"frontendPortRangeEnd":510,"backendPort":22,
			"frontendIPConfiguration":{"id":"`+lb+`/frontendIPConfigurations/f"},"backendAddressPool":{"id":"`+lb+`/backendAddressPools/pool"}}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/s", `,"loadBalancerBackendAddressPools":[{"id":"`+lb+`/backendAddressPools/pool"}]`))
	verb := lb + "/backendAddressPools/pool/queryInboundNatRulePortMapping"
	for _, body := range []string{`{"ipAddress":"10.0.1.4"}`, `{"ipConfiguration":{"id":"` + network + `/networkInterfaces/n/ipConfigurations/ip1"}}`} {
		m := at(c.ask(verb, body).body, "inboundNatRulePortMappings", 0)
		if str(m, "inboundNatRuleName") != "ssh" || at(m, "frontendPort") != 500.0 || at(m, "backendPort") != 22.0 || str(m, "protocol") != "Tcp" {
			t.Errorf("%v", m)
		}
	}
	for _, path := range []string{verb, lb + "/backendAddressPools/other/queryInboundNatRulePortMapping"} {
		body := `{"ipAddress":"10.0.1.9"}`
		if list := at(c.ask(path, body).body, "inboundNatRulePortMappings").([]any); len(list) != 0 {
			t.Errorf("%s: %v", path, list)
		}
	}
	c.refused(400, "MissingJsonProperty", "POST", verb, "{}")
	c.refused(400, "InvalidResourceReference", "POST", verb, `{"ipConfiguration":{"id":"`+network+`/networkInterfaces/x/ipConfigurations/ip1"}}`)
}
