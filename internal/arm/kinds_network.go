package arm

import (
	"encoding/json"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// groupKinds are Resource Manager's own.
func groupKinds() []*kind {
	return []*kind{{
		// A document of a subscription holds its tags, if it has some.
		Type: typeSubscription, Place: inTenant, Name: subscriptionName, NoEtag: true, ReadOnly: true, Untracked: true,
	}, {
		Type: model.TypeResourceGroup, Place: inSubscription, Location: locationRequired, Name: groupName, Amend: amendGroup,
		State: true, Sync: true, NoEtag: true,
	}}
}

// networkKinds are virtual networks and what stands in them.
func networkKinds() []*kind {
	return []*kind{
		{
			Type: model.TypeVirtualNetwork, Place: inGroup, Location: locationRequired, Name: networkName,
			State: true, GUID: true,
			Defaults: []setting{{"enableDdosProtection", false}, {"privateEndpointVNetPolicies", "Disabled"}},
			Since:    []since{{"privateEndpointVNetPolicies", "2024-03-01"}},
			Refs: []reference{
				ref(typeDDoSPlan, "properties.ddosProtectionPlan.id"),
				ref(typePool, "properties.addressSpace.ipamPoolPrefixAllocations.*.pool.id"),
			},
			Check: checkVirtualNetwork, Fill: fillNetwork, Settle: settleNetwork, Show: showVirtualNetwork,
			Verbs: networkVerbs(),
		},
		{
			Type: model.TypeSubnet, Name: networkName, Inline: "subnets", Most: catalog.MaxSubnetsPerVNet, KeepAbsent: true, State: true,
			Computed: []string{"ipConfigurations", "privateEndpoints", "serviceAssociationLinks", "resourceNavigationLinks", "purpose"},
			Defaults: []setting{
				{"privateEndpointNetworkPolicies", "Disabled"},
				{"privateLinkServiceNetworkPolicies", "Enabled"},
				{"delegations", []any{}},
			},
			Refs: []reference{
				regionalRef(model.TypeNSG, "properties.networkSecurityGroup.id"),
				regionalRef(model.TypeRouteTable, "properties.routeTable.id"),
				regionalRef(model.TypeNATGateway, "properties.natGateway.id"),
				ref(model.TypeEndpointPolicy, "properties.serviceEndpointPolicies.*.id"),
				ref(typePool, "properties.ipamPoolPrefixAllocations.*.pool.id"),
			},
			InUse: subnetInUse, Show: showSubnet,
		},
		{
			Type: model.TypePeering, Name: networkName, Inline: "virtualNetworkPeerings", Most: catalog.MaxPeeringsPerVNet, KeepAbsent: true, State: true, GUID: true,
			Computed: []string{"peeringState", "peeringSyncLevel", "remoteAddressSpace", "remoteVirtualNetworkAddressSpace"},
			Defaults: []setting{
				{"allowVirtualNetworkAccess", true},
				{"allowForwardedTraffic", false},
				{"allowGatewayTransit", false},
				{"useRemoteGateways", false},
				{"doNotVerifyRemoteGateways", false},
				{"peerCompleteVnets", true},
				{"routeServiceVips", map[string]any{}},
			},
			Since: []since{{"peeringSyncLevel", "2021-02-01"}, {"remoteVirtualNetworkAddressSpace", "2021-02-01"}, {"doNotVerifyRemoteGateways", "2020-11-01"}, {"peerCompleteVnets", "2021-02-01"}, {"resourceGuid", "2021-02-01"}},
			// The remote network may be deleted: the peering is then Disconnected.
			Refs:    []reference{looseRef(model.TypeVirtualNetwork, "properties.remoteVirtualNetwork.id")},
			Prepare: syncAsked, Show: showPeering, Kept: keptPeeringsOf,
		},
		{
			Type: model.TypeNSG, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"defaultSecurityRules", "subnets", "networkInterfaces", "flowLogs"},
			Defaults: []setting{{"securityRules", []any{}}},
			InUse: inUse("InUseNetworkSecurityGroupCannotBeDeleted",
				"Network security group %s cannot be deleted because it is in use by the following resources: %s. In order to delete the Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg."),
			Check: checkSecurityRules, Show: showNSG,
		},
		{
			Type: model.TypeSecurityRule, Name: networkName, Inline: "securityRules", Most: catalog.MaxRulesPerNSG, State: true,
			Defaults: []setting{
				{"sourcePortRanges", []any{}},
				{"destinationPortRanges", []any{}},
				{"sourceAddressPrefixes", []any{}},
				{"destinationAddressPrefixes", []any{}},
			},
			Refs: []reference{
				regionalRef(model.TypeASG, "properties.sourceApplicationSecurityGroups.*.id"),
				regionalRef(model.TypeASG, "properties.destinationApplicationSecurityGroups.*.id"),
			},
		},
		{
			Type: model.TypeASG, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Since: []since{{"resourceGuid", "2024-01-01"}},
			InUse: inUse(codeASGInUse, "Application security group %s cannot be deleted because it is in use by the following resources: %s."),
		},
		{
			Type: model.TypeRouteTable, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"subnets"},
			Defaults: []setting{{"routes", []any{}}, {"disableBgpRoutePropagation", false}},
			InUse: func(id model.ID, _ []string) *Fault {
				return badRequest("InUseRouteTableCannotBeDeleted", "Route table %s is in use and cannot be deleted.", id.Name())
			},
			Check: checkRoutes, Show: showRouteTable,
		},
		{Type: model.TypeRoute, Name: networkName, Inline: "routes", Most: catalog.MaxRoutesPerTable, State: true, Computed: []string{"hasBgpOverride"}, Defaults: []setting{{"hasBgpOverride", false}}},
		{
			Type: model.TypeNIC, Place: inGroup, Location: locationRequired, Name: networkName, State: true, Ready: true, GUID: true,
			Computed: []string{"virtualMachine", "hostedWorkloads", "appliedDnsServers", "allowPort25Out"},
			Since:    []since{{"disableTcpStateTracking", "2022-11-01"}, {"auxiliaryMode", "2022-11-01"}, {"auxiliarySku", "2022-11-01"}},
			Defaults: []setting{
				{"allowPort25Out", true}, // what enterprise agreements have
				{"enableIPForwarding", false},
				{"dnsSettings.dnsServers", []any{}},
				{"dnsSettings.appliedDnsServers", []any{}},
				{"vnetEncryptionSupported", false},
				{"disableTcpStateTracking", false},
				{"auxiliaryMode", "None"},
				{"auxiliarySku", "None"},
				{"tapConfigurations", []any{}},
				{"hostedWorkloads", []any{}},
				{"nicType", "Standard"},
			},
			Refs: append(ipConfigurationRefs(),
				regionalRef(model.TypeNSG, "properties.networkSecurityGroup.id"),
				regionalRef(model.TypeASG, "properties.ipConfigurations.*.properties.applicationSecurityGroups.*.id"),
				regionalRef(model.TypeBackendPool, "properties.ipConfigurations.*.properties.loadBalancerBackendAddressPools.*.id"),
				regionalRef(model.TypeInboundNATRule, "properties.ipConfigurations.*.properties.loadBalancerInboundNatRules.*.id"),
				ref(typeGatewayPool, "properties.ipConfigurations.*.properties.applicationGatewayBackendAddressPools.*.id")),
			InUse: inUse("NicInUse", "Network Interface %s is used by existing resource %s. In order to delete the network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."),
			Check: checkNIC, Fill: fillNIC, Terms: addressTerms, Hold: holdNIC, Show: showNIC, Verbs: append(nicVerbs(), balancersOfNIC),
		},
		{Type: typeNICConfig, Name: networkName, Inline: "ipConfigurations", Most: catalog.MaxIPsPerNIC, State: true, ReadOnly: true},
		{
			Type: model.TypePublicIP, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Verbs:    []verb{ddosOfPublic},
			Computed: []string{"ipConfiguration", "natGateway"},
			Refs: []reference{
				regionalRef(typePublicPrefix, "properties.publicIPPrefix.id"),
				looseRef(typeDDoSPlan, "properties.ddosSettings.ddosProtectionPlan.id"),
			},
			Defaults: []setting{
				{"publicIPAddressVersion", "IPv4"},
				{"publicIPAllocationMethod", "Static"},
				{"idleTimeoutInMinutes", json.Number("4")},
				{"ipTags", []any{}},
			},
			Since: []since{{"ddosSettings", "2022-05-01"}},
			InUse: inUse("PublicIPAddressCannotBeDeleted", "Public IP address %s can not be deleted since it is still allocated to resource %s. In order to delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip."),
			Check: checkPublicIP, Fill: fillPublicIP, Terms: publicTerms, Show: showPublicIP,
		},
		{
			Type: model.TypeNATGateway, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"subnets"},
			Defaults: []setting{{"idleTimeoutInMinutes", json.Number("4")}},
			Refs: []reference{
				regionalRef(model.TypePublicIP, "properties.publicIpAddresses.*.id"),
				regionalRef(typePublicPrefix, "properties.publicIpPrefixes.*.id"),
			},
			InUse: inUse("InUseNatGatewayCannotBeDeleted", "NAT gateway %s is in use by the following resources and cannot be deleted: %s."),
			Check: checkPublicIPUse, Show: showNATGateway,
			Fill: func(c *change) *Fault {
				setDefault(c.doc, "sku.name", skuStandard)
				setDefault(c.doc, "sku.tier", "Regional")
				return nil
			},
		},
	}
}

// ipConfigurationRefs are the references of IP configurations.
func ipConfigurationRefs() []reference {
	return []reference{
		regionalSubnetRef("properties.ipConfigurations.*.properties.subnet.id"),
		regionalRef(model.TypePublicIP, "properties.ipConfigurations.*.properties.publicIPAddress.id"),
	}
}

// regionalSubnetRef makes a reference to a subnet of the same region: the
// network that holds it has the location.
func regionalSubnetRef(at string) reference { return regionalRef(model.TypeSubnet, at) }

// inUse makes the refusal to delete a resource in use; format takes the ID and
// the users.
func inUse(code, format string) func(model.ID, []string) *Fault {
	return func(id model.ID, users []string) *Fault {
		return badRequest(code, format, id, strings.Join(users, ", "))
	}
}

func subnetInUse(id model.ID, users []string) *Fault {
	return badRequest("InUseSubnetCannotBeDeleted",
		"Subnet %s is in use by %s and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
		id.Name(), strings.Join(users, ", "))
}
