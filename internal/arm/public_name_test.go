package arm_test

import "testing"

// TestPublicName: a label is one public IP address's within a region
// ("Public IP addresses", DNS name label).
func TestPublicName(t *testing.T) {
	c := newCloud(t).withGroup()
	body := func(location, label string) string {
		return `{"location":"` + location + `","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","dnsSettings":{"domainNameLabel":"` + label + `"}}}`
	}
	addresses := network + "/publicIPAddresses/"
	if a := c.must("PUT", addresses+"a", body("East US", "shop")); str(a.body, "properties", "dnsSettings", "fqdn") != "shop.eastus.cloudapp.azure.com" || str(a.body, "sku", "tier") != "Regional" {
		t.Errorf("%s", a.raw)
	}
	c.refused(400, "DnsRecordInUse", "PUT", addresses+"b", body("eastus", "Shop"))
	c.refused(400, "InvalidDomainNameLabel", "PUT", addresses+"b", body("eastus", "a_b"))
	c.must("PUT", addresses+"b", body("westus", "shop"))
	c.must("PUT", addresses+"a", body("eastus", "other")) // the label is free again
	c.must("PUT", addresses+"c", body("eastus", "shop"))
	c.must("PUT", addresses+"c", `{"location":"eastus","properties":{"dnsSettings":{}}}`)
	if a := c.get(addresses + "c"); str(a, "properties", "dnsSettings", "fqdn") != "" {
		t.Errorf("%v", a)
	}
}
