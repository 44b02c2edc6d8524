package arm_test

import "testing"

// TestSpelling: the case of property names does not matter, but for those of
// tags, which are the client's own.
func TestSpelling(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/networkSecurityGroups/g", `{"Location":"westeurope","Tags":{"Name":"x"},"Properties":{"securityRules":[{"Name":"r","Properties":{
		"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}}`)
	g := c.get(network + "/networkSecurityGroups/g")
	if str(g, "properties", "securityRules", 0, "name") != "r" || str(g, "tags", "Name") != "x" || str(g, "location") != "westeurope" {
		t.Errorf("%v", g)
	}
	c.get(network + "/networkSecurityGroups/g/securityRules/r")
}
