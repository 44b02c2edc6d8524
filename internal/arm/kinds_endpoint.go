package arm

import "github.com/ceruleannet/cerulean/model"

// endpointKinds are private endpoints, the services they may lead to, and
// policies of service endpoints.
func endpointKinds() []*kind {
	return []*kind{
		{
			Type: model.TypePrivateEndpoint, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"networkInterfaces"},
			Defaults: []setting{
				{"privateLinkServiceConnections", []any{}},
				{"manualPrivateLinkServiceConnections", []any{}},
				{"ipConfigurations", []any{}},
				{"customNetworkInterfaceName", ""},
				{"isIPv6EnabledPrivateEndpoint", false},
			},
			Since: []since{{"isIPv6EnabledPrivateEndpoint", "2024-01-01"}, {"customNetworkInterfaceName", "2021-05-01"}, {"ipConfigurations", "2021-05-01"}},
			Refs: []reference{
				regionalSubnetRef("properties.subnet.id"),
				regionalRef(model.TypeASG, "properties.applicationSecurityGroups.*.id"),
				looseRef("", "properties.privateLinkServiceConnections.*.properties.privateLinkServiceId"),
				looseRef("", "properties.manualPrivateLinkServiceConnections.*.properties.privateLinkServiceId"),
			},
			Check: checkPrivateEndpoint, Settle: settlePrivateEndpoint, Show: showPrivateEndpoint,
		},
		{
			Type: model.TypePrivateZoneGroup, Name: networkName, State: true,
			Refs:  []reference{ref(model.TypePrivateZone, "properties.privateDnsZoneConfigs.*.properties.privateDnsZoneId")},
			Check: checkZoneGroup, Settle: settleZoneGroup, Show: showZoneGroup,
		},
		{
			Type: model.TypePrivateLinkService, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Defaults: []setting{{"fqdns", []any{}}, {"enableProxyProtocol", false}},
			Computed: []string{"alias", "privateEndpointConnections", "networkInterfaces"},
			Refs: append(ipConfigurationRefs(),
				regionalRef(typeFrontend, "properties.loadBalancerFrontendIpConfigurations.*.id")),
			InUse: inUse(codeResourceInUse, "Private link service %s is in use by %s and cannot be deleted."),
			Check: checkLinkService, Fill: fillLinkService, Terms: addressTerms, Show: showLinkService,
		},
		{
			Type: model.TypeEndpointPolicy, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"subnets"},
			Defaults: []setting{{"serviceEndpointPolicyDefinitions", []any{}}},
			InUse:    inUse("InUseServiceEndpointPolicyCannotBeDeleted", "Service endpoint policy %s is in use by %s and cannot be deleted."), // code unconfirmed
			Show:     showBack(back{"subnets", model.TypeSubnet}),
		},
		{
			Type: model.TypeEndpointPolicy + "/serviceEndpointPolicyDefinitions", Inline: "serviceEndpointPolicyDefinitions",
			Name: networkName, State: true,
		},
	}
}
