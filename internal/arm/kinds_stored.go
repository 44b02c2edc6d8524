package arm

import "github.com/ceruleannet/cerulean/model"

// storedKinds are types that the server keeps and returns without knowing what
// they do: their documents are stored whole, and what they refer to must exist
// and stays. What passes them is unknown to the proofs.
func storedKinds() []*kind {
	const network = "Microsoft.Network/"
	frontends := []reference{
		regionalSubnetRef("properties.frontendIPConfigurations.*.properties.subnet.id"),
		ref(model.TypePublicIP, "properties.frontendIPConfigurations.*.properties.publicIPAddress.id"),
	}
	var out []*kind
	add := func(name string, refs ...reference) {
		k := &kind{Type: network + name, Name: networkName, State: true, Refs: refs}
		k.Place, k.Location = inGroup, locationRequired
		out = append(out, k)
	}
	add("loadBalancers", frontends...)
	add("applicationGateways", append(frontends, regionalSubnetRef("properties.gatewayIPConfigurations.*.properties.subnet.id"))...)
	add("virtualNetworkGateways", ipConfigurationRefs()...)
	add("localNetworkGateways")
	add("connections",
		ref(network+"virtualNetworkGateways", "properties.virtualNetworkGateway1.id"),
		ref(network+"virtualNetworkGateways", "properties.virtualNetworkGateway2.id"),
		ref(network+"localNetworkGateways", "properties.localNetworkGateway2.id"))
	add("bastionHosts", ipConfigurationRefs()...)
	add("privateEndpoints", regionalSubnetRef("properties.subnet.id"))
	add("privateLinkServices", ipConfigurationRefs()...)
	add("expressRouteCircuits")
	add("expressRouteGateways", ref(network+"virtualHubs", "properties.virtualHub.id"))
	add("vpnGateways", ref(network+"virtualHubs", "properties.virtualHub.id"))
	add("virtualWans")
	add("virtualHubs", ref(network+"virtualWans", "properties.virtualWan.id"))
	add("dnsResolvers", regionalRef(model.TypeVirtualNetwork, "properties.virtualNetwork.id"))
	add("dnsForwardingRulesets")
	add("ddosProtectionPlans")
	add("publicIPPrefixes")
	add("networkWatchers")
	for _, c := range []struct {
		name string
		ref  reference
	}{
		{"privateEndpoints/privateDnsZoneGroups", ref(model.TypePrivateZone, "properties.privateDnsZoneConfigs.*.properties.privateDnsZoneId")},
		{"virtualHubs/ipConfigurations", ref(model.TypeSubnet, "properties.subnet.id")},
		{"virtualHubs/bgpConnections", ref(network+"virtualHubs/hubVirtualNetworkConnections", "properties.hubVirtualNetworkConnection.id")},
		{"virtualHubs/hubVirtualNetworkConnections", ref(model.TypeVirtualNetwork, "properties.remoteVirtualNetwork.id")},
		{"dnsResolvers/inboundEndpoints", ref(model.TypeSubnet, "properties.ipConfigurations.*.subnet.id")},
		{"dnsResolvers/outboundEndpoints", ref(model.TypeSubnet, "properties.subnet.id")},
		{"dnsForwardingRulesets/virtualNetworkLinks", ref(model.TypeVirtualNetwork, "properties.virtualNetwork.id")},
		{"dnsForwardingRulesets/forwardingRules", looseRef(network+"dnsResolvers", "properties.dnsResolver.id")},
	} {
		out = append(out, &kind{Type: network + c.name, Name: networkName, State: true, Refs: []reference{c.ref}})
	}
	// Platform services: what private endpoints lead to and service endpoints
	// name.
	for _, t := range []string{model.TypeStorageAccount, model.TypeSQLServer, model.TypeKeyVault, model.TypeEndpointPolicy} {
		out = append(out, &kind{Type: t, Place: inGroup, Location: locationRequired, Name: serviceName, State: true, Refs: []reference{
			ref(model.TypeSubnet, "properties.networkAcls.virtualNetworkRules.*.id"),
		}})
	}
	out = append(out,
		&kind{Type: model.TypeSQLFirewallRule, Name: policyName},
		&kind{Type: model.TypeSQLNetworkRule, Name: networkName, Refs: []reference{ref(model.TypeSubnet, "properties.virtualNetworkSubnetId")}},
	)
	for _, k := range out {
		k.InUse = inUse("InUseResourceCannotBeDeleted", "Resource %s is in use by %s and cannot be deleted.") // code unconfirmed
	}
	return out
}
