package arm_test

import "testing"

// TestAddressAvailability: "Virtual Networks - Check IP Address Availability".
func TestAddressAvailability(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.0.0/28"}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", `{"location":"eastus","properties":{"ipConfigurations":[{"name":"a","properties":{"privateIPAddress":"10.0.0.5","privateIPAllocationMethod":"Static","subnet":{"id":"`+vnet+`/subnets/app"}}}]}}`)
	for _, tc := range []struct {
		address   string
		available bool
		platform  bool
		offered   int
		first     string
	}{
		{"10.0.0.4", true, false, 0, ""},
		{"10.0.0.5", false, false, 5, "10.0.0.4"}, // an interface has it
		{"10.0.0.1", false, true, 5, "10.0.0.4"},  // Azure keeps it
		{"10.0.0.15", false, true, 5, "10.0.0.4"}, // and the last one
		{"10.0.9.9", false, false, 0, ""},         // of no subnet
	} {
		answer := c.must("GET", vnet+"/CheckIPAddressAvailability"+version+"&ipAddress="+tc.address, "").body
		offered, _ := at(answer, "availableIPAddresses").([]any)
		if at(answer, "available") != tc.available || at(answer, "isPlatformReserved") != tc.platform || len(offered) != tc.offered || tc.first != "" && offered[0] != tc.first {
			t.Errorf("%s: %v", tc.address, answer)
		}
	}
	c.refused(400, "InvalidIPAddressFormat", "GET", vnet+"/CheckIPAddressAvailability"+version+"&ipAddress=10.0.0", "")
}
