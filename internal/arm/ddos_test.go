package arm_test

import "testing"

// TestDDoSStatus: a public address is protected by itself or with the network it
// stands in ("Azure DDoS Protection tiers").
func TestDDoSStatus(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/ddosProtectionPlans/plan", `{"location":"westeurope"}`)
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"enableDdosProtection":true,"ddosProtectionPlan":{"id":"`+network+`/ddosProtectionPlans/plan"},
		"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	for name, mode := range map[string]string{"in": "VirtualNetworkInherited", "off": "Disabled", "alone": "Enabled"} {
		c.must("PUT", network+"/publicIPAddresses/"+name, `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ddosSettings":{"protectionMode":"`+mode+`"}}}`)
	}
	for _, name := range []string{"in", "off"} {
		c.must("PUT", network+"/networkInterfaces/"+name, nicBody(network+"/virtualNetworks/v/subnets/s", `,"publicIPAddress":{"id":"`+network+`/publicIPAddresses/`+name+`"}`))
	}
	for name, want := range map[string]string{"in": "True", "off": "False", "alone": "True"} {
		if got := c.ask(network+"/publicIPAddresses/"+name+"/ddosProtectionStatus", "").body; str(got, "isWorkloadProtected") != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	got := c.ask(network+"/virtualNetworks/v/ddosProtectionStatus", "").body
	if len(got["value"].([]any)) != 2 || str(got, "value", 0, "ddosProtectionPlanId") != network+"/ddosProtectionPlans/plan" {
		t.Errorf("%v", got)
	}
}
