package arm_test

import "testing"

// Types whose behaviour is not modelled are kept as they were sent, so that a
// network with a gateway or a load balancer can be applied; what they refer to
// must exist and stays.
func TestStoredKinds(t *testing.T) {
	c := newCloud(t).withGroup()
	network := group + "/providers/Microsoft.Network/"
	c.must("PUT", network+"virtualNetworks/v", vnetBody)
	app := network + "virtualNetworks/v/subnets/app"
	lb := `{"location":"westeurope","properties":{"custom":[1,{"x":null}],"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"` + app + `"}}}]}}`
	c.refused(400, "InvalidResourceReference", "PUT", network+"loadBalancers/lb",
		`{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"`+app+`x"}}}]}}`)
	c.must("PUT", network+"loadBalancers/lb", lb)
	got := c.get(network + "loadBalancers/lb")
	properties := got["properties"].(map[string]any)
	if list, _ := properties["custom"].([]any); len(list) != 2 || properties["provisioningState"] != "Succeeded" {
		t.Errorf("stored as %v", got)
	}
	c.refused(400, "InUseSubnetCannotBeDeleted", "DELETE", app, "")
	c.must("PUT", network+"virtualHubs/h", `{"location":"westeurope","properties":{"addressPrefix":"10.9.0.0/24"}}`)
	c.must("PUT", network+"virtualHubs/h/hubVirtualNetworkConnections/v", `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`virtualNetworks/v"}}}`)
	c.must("DELETE", network+"loadBalancers/lb", "")
	c.must("DELETE", app, "")
}
