package arm_test

// expectRecorded is what the service was recorded to answer to tests of the
// Azure CLI: what it fills in, leaves out and refuses (Azure/azure-cli
// recordings).
var expectRecorded = []expectation{
	{says: "a network", method: "PUT", path: "@/virtualNetworks/v", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`, status: 201, has: map[string]string{
		"properties.privateEndpointVNetPolicies": "Disabled",
	}},
	{says: "an older version does not know all of it", method: "GET", path: "@/virtualNetworks/v?api-version=2022-01-01", status: 200, has: map[string]string{"properties.privateEndpointVNetPolicies": "-", "properties.subnets.0.name": "app"}},
	{says: "nor when listed", method: "GET", path: "@/virtualNetworks?api-version=2022-01-01", status: 200, has: map[string]string{"value.0.properties.privateEndpointVNetPolicies": "-"}},
	{says: "a dynamic address is Basic and has no address of its own", method: "PUT", path: "@/publicIPAddresses/dynamic", body: `{"location":"westeurope","properties":{"publicIPAllocationMethod":"Dynamic"}}`, status: 201, has: map[string]string{
		"sku.name": "Basic", "sku.tier": "Regional", "properties.ipAddress": "-", "properties.ddosSettings": "-",
	}},
	{says: "a balancer is of the SKU of its address", method: "PUT", path: "@/loadBalancers/basic", body: `{"location":"westeurope","properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddressVersion":"IPv4","publicIPAddress":{"id":"@/publicIPAddresses/dynamic"}}}],"backendAddressPools":[{"name":"b"}],
		"loadBalancingRules":[{"name":"r","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,"frontendIPConfiguration":{"id":"@/loadBalancers/basic/frontendIPConfigurations/f"},"backendAddressPool":{"id":"@/loadBalancers/basic/backendAddressPools/b"}}}]}}`, status: 201, has: map[string]string{
		"sku.name": "Basic", "properties.outboundRules": "-", "properties.backendAddressPools.0.properties.loadBalancerBackendAddresses": "-",
		"properties.loadBalancingRules.0.properties.disableOutboundSnat": "-", "properties.frontendIPConfigurations.0.properties.privateIPAddressVersion": "-",
		"properties.backendAddressPools.0.properties.loadBalancingRules": "#1",
	}},
	{says: "the address has one now", method: "GET", path: "@/publicIPAddresses/dynamic", status: 200, has: map[string]string{"properties.ipAddress": "~^[0-9.]+$"}},
	{says: "a global address is Standard", method: "PUT", path: "@/publicIPAddresses/global", body: `{"location":"westeurope","sku":{"name":"Basic","tier":"Global"},"properties":{"publicIPAllocationMethod":"Dynamic"}}`, status: 400, code: "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress"},
	{says: "a prefix", method: "PUT", path: "@/publicIPPrefixes/prefix", body: `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"prefixLength":30}}`, status: 201},
	{says: "a balancer's rules are filled in", method: "PUT", path: "@/loadBalancers/l", body: `{"location":"westeurope","sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.1.9","publicIPPrefix":{"id":"@/publicIPPrefixes/prefix"}}}],
		"backendAddressPools":[{"name":"b"},{"name":"c"}],"probes":[{"name":"p","properties":{"protocol":"Tcp","port":80}}],
		"loadBalancingRules":[{"name":"r","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,"frontendIPConfiguration":{"id":"@/loadBalancers/l/frontendIPConfigurations/f"},"backendAddressPool":{"id":"@/loadBalancers/l/backendAddressPools/b"},"probe":{"id":"@/loadBalancers/l/probes/p"}}}],
		"outboundRules":[{"name":"o","properties":{"protocol":"All","frontendIPConfigurations":[{"id":"@/loadBalancers/l/frontendIPConfigurations/f"}],"backendAddressPool":{"id":"@/loadBalancers/l/backendAddressPools/c"}}}],
		"inboundNatRules":[{"name":"n","properties":{"protocol":"Tcp","frontendPort":0,"frontendPortRangeStart":500,"frontendPortRangeEnd":510,"backendPort":22,"enableFloatingIP":true,"frontendIPConfiguration":{"id":"@/loadBalancers/l/frontendIPConfigurations/f"},"backendAddressPool":{"id":"@/loadBalancers/l/backendAddressPools/c"}}}]}}`, status: 201, has: map[string]string{
		"properties.loadBalancingRules.0.properties.allowBackendPortConflict": "false", "properties.loadBalancingRules.0.properties.enableDestinationServiceEndpoint": "false", "properties.loadBalancingRules.0.properties.disableOutboundSnat": "false",
		"properties.inboundNatRules.0.properties.allowBackendPortConflict": "false", "properties.inboundNatRules.0.properties.frontendPort": "0",
		"properties.outboundRules.0.properties.allocationPolicy.portReuse": "FirstAvailable", "properties.probes.0.properties.numberOfProbes": "2", "properties.probes.0.properties.probeThreshold": "1",
		"properties.backendAddressPools.0.properties.loadBalancerBackendAddresses": "#0", "properties.backendAddressPools.0.properties.loadBalancingRules": "#1",
		"properties.frontendIPConfigurations.0.properties.privateIPAddress": "-", "properties.frontendIPConfigurations.0.properties.privateIPAddressVersion": "IPv4",
	}},
	{says: "older versions have no connection tracking", method: "GET", path: "@/loadBalancers/l?api-version=2022-05-01", status: 200, has: map[string]string{"properties.loadBalancingRules.0.properties.enableConnectionTracking": "-", "properties.loadBalancingRules.0.properties.loadDistribution": "Default"}},
	{says: "tunnels have ports", method: "PUT", path: "@/loadBalancers/g", body: `{"location":"westeurope","sku":{"name":"Gateway"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"}}}],
		"backendAddressPools":[{"name":"b","properties":{"tunnelInterfaces":[{"protocol":"VXLAN","type":"Internal","identifier":900},{"protocol":"VXLAN","type":"External","identifier":901,"port":15000}]}}]}}`, status: 201, has: map[string]string{
		"properties.backendAddressPools.0.properties.tunnelInterfaces.0.port": "10800", "properties.backendAddressPools.0.properties.tunnelInterfaces.1.port": "15000",
	}},
	{says: "an interface without a machine has no hardware address", method: "PUT", path: "@/networkInterfaces/n?api-version=2022-01-01", body: `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"}}}]}}`, status: 201, has: map[string]string{
		"properties.macAddress": "-", "properties.allowPort25Out": "true", "properties.enableAcceleratedNetworking": "-", "properties.auxiliaryMode": "-", "properties.disableTcpStateTracking": "-", "properties.primary": "-",
	}},
	{says: "a NAT gateway's tier", method: "PUT", path: "@/natGateways/nat", body: `{"location":"westeurope","sku":{"name":"Standard"}}`, status: 201, has: map[string]string{"sku.tier": "Regional"}},
}
