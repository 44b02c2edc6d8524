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
	{says: "encryption says what becomes of plain packets", method: "PUT", path: "@/virtualNetworks/e", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.5.0.0/16"]},"encryption":{"enabled":true}}}`, status: 400, code: "MustSpecifyBothEncryptionIntentAndEnforcementPolicy"},
	{says: "or is off", method: "PUT", path: "@/virtualNetworks/e", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.5.0.0/16"]},"dhcpOptions":{},"enableVmProtection":false,"encryption":{"enabled":false},
		"subnets":[{"name":"d","properties":{"addressPrefix":"10.5.1.0/24","serviceEndpoints":[{"service":"Microsoft.Sql"}],"delegations":[{"name":"x","properties":{"serviceName":"Microsoft.Sql/managedInstances"}}]}}]}}`, status: 201, has: map[string]string{
		"properties.encryption.enforcement": "AllowUnencrypted", "properties.dhcpOptions.dnsServers": "#0", "properties.enableVmProtection": "-",
		"properties.subnets.0.properties.delegations.0.properties.actions": "#3", "properties.subnets.0.properties.serviceEndpoints.0.locations.0": "westeurope",
	}},
	{says: "a peering's lesser properties", method: "PUT", path: "@/virtualNetworks/v/virtualNetworkPeerings/e", body: `{"properties":{"remoteVirtualNetwork":{"id":"@/virtualNetworks/e"}}}`, status: 201, has: map[string]string{
		"properties.doNotVerifyRemoteGateways": "false", "properties.peerCompleteVnets": "true", "properties.routeServiceVips": "map[]", "properties.remoteVirtualNetworkEncryption.enabled": "false", "properties.remoteGateways": "-",
	}},
	{says: "addresses of a pool are resources", method: "PUT", path: "@/loadBalancers/l/backendAddressPools/b", body: `{"properties":{"loadBalancerBackendAddresses":[{"name":"a","properties":{"virtualNetwork":{"id":"@/virtualNetworks/v"},"ipAddress":"10.0.1.20"}}]}}`, status: 200, has: map[string]string{
		"properties.loadBalancerBackendAddresses.0.id": "@/loadBalancers/l/backendAddressPools/b/loadBalancerBackendAddresses/a", "properties.loadBalancerBackendAddresses.0.type": "Microsoft.Network/loadBalancers/backendAddressPools/loadBalancerBackendAddresses",
		"properties.loadBalancerBackendAddresses.0.etag": "*", "properties.loadBalancerBackendAddresses.0.properties.provisioningState": "Succeeded",
	}},
	{says: "a plan's lists are there when they hold something", method: "PUT", path: "@/ddosProtectionPlans/d?api-version=2022-05-01", body: `{"location":"westeurope"}`, status: 201, has: map[string]string{"properties.virtualNetworks": "-", "properties.publicIPAddresses": "-", "properties.resourceGuid": "-"}},
	{says: "a network of the plan", method: "PUT", path: "@/virtualNetworks/p", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.6.0.0/16"]},"enableDdosProtection":true,"ddosProtectionPlan":{"id":"@/ddosProtectionPlans/d"}}}`, status: 201},
	{says: "keeps it", method: "DELETE", path: "@/ddosProtectionPlans/d", status: 400, code: "InUseDdosProtectionPlanCannotBeDeleted"},
	{says: "a group", method: "PUT", path: "@/networkSecurityGroups/g", body: `{"location":"westeurope"}`, status: 201, has: map[string]string{"properties.flushConnection": "-", "properties.flowLogs": "-"}},
	{says: "whose flows nobody logs", method: "POST", path: "{sub}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope/queryFlowLogStatus", body: `{"targetResourceId":"@/networkSecurityGroups/g"}`, status: 200, has: map[string]string{
		"properties.enabled": "false", "properties.storageId": "~^$", "properties.retentionPolicy.days": "0", "targetResourceId": "@/networkSecurityGroups/g",
	}},
	{says: "are logged by the older way", method: "POST", path: "{sub}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope/configureFlowLog", body: `{"targetResourceId":"@/networkSecurityGroups/g","properties":{"storageId":"{group}/providers/Microsoft.Storage/storageAccounts/logs1","enabled":true,"retentionPolicy":{"days":5,"enabled":true}}}`, status: 202, keep: map[string]string{"result": "header Location"}},
	{says: "which answers with the log", method: "GET", path: "{result}", status: 200, has: map[string]string{"properties.retentionPolicy.days": "5", "properties.format.type": "JSON", "flowAnalyticsConfiguration": "-"}},
	{says: "the group knows it", method: "GET", path: "@/networkSecurityGroups/g", status: 200, has: map[string]string{"properties.flowLogs": "#1", "properties.flowLogs.0.id": "~/flowLogs/Microsoft.NetworkNetg$"}},
	{says: "and so does who asks the older way", method: "POST", path: "{sub}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope/queryFlowLogStatus", body: `{"targetResourceId":"@/networkSecurityGroups/g"}`, status: 200, has: map[string]string{"properties.enabled": "true"}},
	{says: "a log of nothing", method: "POST", path: "{sub}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope/configureFlowLog", body: `{"targetResourceId":"@/networkSecurityGroups/none","properties":{"storageId":"x"}}`, status: 400, code: "InvalidResourceReference"},
	{says: "services that subnets are delegated to, of a group", method: "GET", path: "{group}/providers/Microsoft.Network/locations/westeurope/availableDelegations", status: 200, has: map[string]string{"value.0.id": "~/resourceGroup/Net/providers/Microsoft.Network/availableDelegations/"}},
	{says: "services with endpoints", method: "GET", path: "{sub}/providers/Microsoft.Network/locations/westeurope/virtualNetworkAvailableEndpointServices", status: 200, has: map[string]string{
		"value.0.id": "~^/subscriptions/[^/]+/providers/Microsoft.Network/virtualNetworkEndpointServices/", "value.0.type": "Microsoft.Network/virtualNetworkEndpointServices",
	}},
	{says: "a NAT gateway's tier", method: "PUT", path: "@/natGateways/nat", body: `{"location":"westeurope","sku":{"name":"Standard"}}`, status: 201, has: map[string]string{"sku.tier": "Regional"}},
}
