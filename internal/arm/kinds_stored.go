package arm

import "github.com/ceruleannet/cerulean/model"

// storedKinds are types that the server keeps and returns without knowing what
// they do: their documents are stored whole, and what they refer to must exist
// and stays. What passes them is unknown to the proofs.
func storedKinds() []*kind {
	const network = "Microsoft.Network/"
	var out []*kind
	add := func(name string, refs ...reference) {
		k := &kind{Type: network + name, Name: networkName, State: true, Refs: refs}
		k.Place, k.Location = inGroup, locationRequired
		out = append(out, k)
	}
	add("expressRouteGateways", ref(network+"virtualHubs", "properties.virtualHub.id"))
	add("vpnGateways", ref(network+"virtualHubs", "properties.virtualHub.id"))
	add("dnsResolvers", regionalRef(model.TypeVirtualNetwork, "properties.virtualNetwork.id"))
	add("dnsForwardingRulesets")
	add("networkProfiles", ref(model.TypeSubnet, "properties.containerNetworkInterfaceConfigurations.*.properties.ipConfigurations.*.properties.subnet.id"))
	add("customIpPrefixes")
	for _, c := range []struct {
		name string
		ref  reference
	}{
		{"dnsResolvers/inboundEndpoints", ref(model.TypeSubnet, "properties.ipConfigurations.*.subnet.id")},
		{"dnsResolvers/outboundEndpoints", ref(model.TypeSubnet, "properties.subnet.id")},
		{"dnsForwardingRulesets/virtualNetworkLinks", ref(model.TypeVirtualNetwork, "properties.virtualNetwork.id")},
		{"dnsForwardingRulesets/forwardingRules", looseRef(network+"dnsResolvers", "properties.dnsResolver.id")},
	} {
		out = append(out, &kind{Type: network + c.name, Name: networkName, State: true, Refs: []reference{c.ref}})
	}
	for _, k := range out {
		k.InUse = inUse("InUseResourceCannotBeDeleted", "Resource %s is in use by %s and cannot be deleted.") // code unconfirmed
	}
	return out
}
