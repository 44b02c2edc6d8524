package arm_test

import (
	"strings"
	"testing"
)

// TestPools: pools know what they gave to child pools, static blocks and virtual
// networks; what is asked for by size is a block of that size, kept from then
// on.
func TestPools(t *testing.T) {
	c := newCloud(t).withGroup()
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	pool := nm + "/ipamPools/p"
	c.must("PUT", pool, `{"location":"westeurope","properties":{"addressPrefixes":["10.0.0.0/16"]}}`)
	c.must("PUT", nm+"/ipamPools/child", `{"location":"westeurope","properties":{"addressPrefixes":["10.0.0.0/24"],"parentPoolName":"p"}}`)
	c.must("PUT", pool+"/staticCidrs/fixed", `{"properties":{"addressPrefixes":["10.0.2.0/24"],"description":"legacy"}}`)
	if got := c.must("PUT", pool+"/staticCidrs/sized", `{"properties":{"numberOfIPAddressesToAllocate":"200"}}`); at(got.body, "properties", "addressPrefixes", 0) != "10.0.1.0/24" || str(got.body, "properties", "totalNumberOfIPAddresses") != "256" {
		t.Errorf("%s", got.raw)
	}
	vnet := func(size string) string {
		return `{"location":"westeurope","properties":{"addressSpace":{"ipamPoolPrefixAllocations":[{"pool":{"id":"` + pool + `"},"numberOfIpAddresses":"` + size + `"}]},
			"subnets":[{"name":"s","properties":{"ipamPoolPrefixAllocations":[{"pool":{"id":"` + pool + `"},"numberOfIpAddresses":"64"}]}},{"name":"u","properties":{"ipamPoolPrefixAllocations":[{"pool":{"id":"` + pool + `"},"numberOfIpAddresses":"64"}]}}]}}`
	}
	for range 2 {
		c.must("PUT", network+"/virtualNetworks/v", vnet("256"))
		got := c.get(network + "/virtualNetworks/v")
		for _, tt := range []struct {
			want string
			path []any
		}{
			{"10.0.3.0/24", []any{"addressSpace", "addressPrefixes", 0}},
			{"10.0.3.0/24", []any{"addressSpace", "ipamPoolPrefixAllocations", 0, "allocatedAddressPrefixes", 0}},
			{"10.0.3.0/26", []any{"subnets", 0, "properties", "addressPrefixes", 0}},
			{"10.0.3.64/26", []any{"subnets", 1, "properties", "addressPrefixes", 0}},
		} {
			if got := at(at(got, "properties"), tt.path...); got != tt.want {
				t.Errorf("%v: %v, want %s", tt.path, got, tt.want)
			}
		}
	}
	usage := c.must("POST", pool+"/getPoolUsage", "").body
	for _, tt := range []struct {
		want any
		path []any
	}{
		{"65536", []any{"totalNumberOfIPAddresses"}},
		{"1024", []any{"numberOfAllocatedIPAddresses"}},
		{"64512", []any{"numberOfAvailableIPAddresses"}},
		{"10.0.0.0/22", []any{"allocatedAddressPrefixes", 0}},
		{"10.0.4.0/22", []any{"availableAddressPrefixes", 0}},
		{nm + "/ipamPools/child", []any{"childPools", 0, "resourceId"}},
	} {
		if got := at(usage, tt.path...); got != tt.want {
			t.Errorf("%v: %v, want %s", tt.path, got, tt.want)
		}
	}
	list := at(c.must("POST", pool+"/listAssociatedResources", "").body, "value").([]any)
	var got []string
	for _, a := range list {
		id := str(a, "resourceId")
		got = append(got, id[strings.LastIndexByte(id, '/')+1:]+" "+str(a, "addressPrefixes", 0)+" "+str(a, "totalNumberOfIPAddresses"))
	}
	if strings.Join(got, ", ") != "fixed 10.0.2.0/24 256, sized 10.0.1.0/24 256, v 10.0.3.0/24 256" {
		t.Errorf("%v", got)
	}
	c.refused(400, "IpamPoolInsufficientAddressSpace", "PUT", network+"/virtualNetworks/big", vnet("65536"))
	c.refused(400, "InvalidRequestFormat", "PUT", network+"/virtualNetworks/none", vnet("0"))
	c.refused(400, "InUseResourceCannotBeDeleted", "DELETE", pool, "")
}

// TestActive: what is committed is listed region by region, and at a virtual
// network by the groups that hold it.
func TestActive(t *testing.T) {
	c := newCloud(t).withGroup()
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/virtualNetworks/w", strings.ReplaceAll(vnetBody, "10.0.", "10.1."))
	c.must("PUT", nm+"/networkGroups/g", `{"properties":{"description":"all"}}`)
	c.must("PUT", nm+"/networkGroups/g/staticMembers/m", `{"properties":{"resourceId":"`+network+`/virtualNetworks/v"}}`)
	mesh := nm + "/connectivityConfigurations/mesh"
	c.must("PUT", mesh, `{"properties":{"connectivityTopology":"Mesh","appliesToGroups":[{"networkGroupId":"`+nm+`/networkGroups/g","groupConnectivity":"DirectlyConnected"}]}}`)
	sec := nm + "/securityAdminConfigurations/sec"
	c.must("PUT", sec, `{"properties":{"description":"baseline"}}`)
	c.must("PUT", sec+"/ruleCollections/rc", `{"properties":{"description":"ssh","appliesToGroups":[{"networkGroupId":"`+nm+`/networkGroups/g"}]}}`)
	for _, n := range []string{"20", "10"} {
		c.must("PUT", sec+"/ruleCollections/rc/rules/deny"+n, `{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":`+n+`,"protocol":"Tcp","sources":[{"addressPrefix":"*","addressPrefixType":"IPPrefix"}],"destinations":[],"destinationPortRanges":["22"]}}`)
	}
	for commitType, id := range map[string]string{"Connectivity": mesh, "SecurityAdmin": sec} {
		c.must("POST", nm+"/commit", `{"commitType":"`+commitType+`","targetLocations":["westeurope","eastus"],"configurationIds":["`+id+`"]}`)
	}
	names := func(path, body string) string {
		var out []string
		for _, e := range at(c.must("POST", path, body).body, "value").([]any) {
			id := str(e, "id")
			out = append(out, strings.TrimSpace(id[strings.LastIndexByte(id, '/')+1:]+" "+str(e, "region")))
		}
		return strings.Join(out, ", ")
	}
	v, w := network+"/virtualNetworks/v", network+"/virtualNetworks/w"
	for _, tt := range []struct{ path, body, want string }{
		{nm + "/listActiveConnectivityConfigurations", `{"regions":["westeurope"]}`, "mesh westeurope"},
		{nm + "/listActiveConnectivityConfigurations", "", "mesh eastus, mesh westeurope"},
		{nm + "/listActiveSecurityAdminRules", `{"regions":["eastus"]}`, "deny10 eastus, deny20 eastus"},
		{nm + "/listActiveSecurityAdminRules" + version + "&$top=3", `{}`, "deny10 eastus, deny20 eastus, deny10 westeurope"},
		{v + "/listNetworkManagerEffectiveConnectivityConfigurations", `{}`, "mesh"},
		{w + "/listNetworkManagerEffectiveConnectivityConfigurations", `{}`, ""},
		{v + "/listNetworkManagerEffectiveSecurityAdminRules", `{}`, "deny10, deny20"},
		{w + "/listNetworkManagerEffectiveSecurityAdminRules", "", ""},
	} {
		if got := names(tt.path, tt.body); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
	rule := at(c.must("POST", v+"/listNetworkManagerEffectiveSecurityAdminRules", "").body, "value", 0)
	if str(rule, "configurationDescription") != "baseline" || str(rule, "ruleCollectionDescription") != "ssh" || str(rule, "kind") != "Custom" ||
		str(rule, "ruleGroups", 0, "properties", "description") != "all" || str(rule, "ruleCollectionAppliesToGroups", 0, "networkGroupId") == "" || at(rule, "properties", "priority") != 10.0 {
		t.Errorf("%v", rule)
	}
	page := c.must("POST", nm+"/listActiveSecurityAdminRules"+version+"&$top=3", "{}").body
	if got := names(nm+"/listActiveSecurityAdminRules", `{"skipToken":"`+str(page, "skipToken")+`"}`); got != "deny20 westeurope" {
		t.Errorf("second page %q", got)
	}
	c.refused(400, "InvalidSkipToken", "POST", nm+"/listActiveSecurityAdminRules", `{"skipToken":"!"}`)
}
