package arm_test

import "testing"

// TestFloatingPorts: a rule that keeps the destination address keeps the port
// ("Azure Load Balancer Floating IP configuration").
func TestFloatingPorts(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/publicIPAddresses/p", `{"location":"eastus","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`)
	lb := network + "/loadBalancers/lb"
	body := func(floating, backend string) string {
		return `{"location":"eastus","sku":{"name":"Standard"},"properties":{
			"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"` + network + `/publicIPAddresses/p"}}}],
			"backendAddressPools":[{"name":"b"}],
			"loadBalancingRules":[{"name":"r","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":` + backend + `,"enableFloatingIP":` + floating + `,
				"frontendIPConfiguration":{"id":"` + lb + `/frontendIPConfigurations/f"},"backendAddressPool":{"id":"` + lb + `/backendAddressPools/b"}}}]}}`
	}
	c.refused(400, "FloatingIPRulePortsMustMatch", "PUT", lb, body("true", "8080"))
	c.must("PUT", lb, body("true", "80"))
	c.must("PUT", lb, body("false", "8080"))
}
