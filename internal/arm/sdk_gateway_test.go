package arm_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKGateways: gateways, sites, connections, circuits and Route Servers.
func TestSDKGateways(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	gateways, locals, connections := f.NewVirtualNetworkGatewaysClient(), f.NewLocalNetworkGatewaysClient(), f.NewVirtualNetworkGatewayConnectionsClient()
	hubs, hubIPs, bgp, bgps := f.NewVirtualHubsClient(), f.NewVirtualHubIPConfigurationClient(), f.NewVirtualHubBgpConnectionClient(), f.NewVirtualHubBgpConnectionsClient()
	circuits, peerings, authorizations := f.NewExpressRouteCircuitsClient(), f.NewExpressRouteCircuitPeeringsClient(), f.NewExpressRouteCircuitAuthorizationsClient()
	live(t, []life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
			{"name":"GatewaySubnet","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"RouteServerSubnet","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`),
		lifeOfPublicIP(f, "p", nil), lifeOfPublicIP(f, "rs", nil),
		{
			id: network + "/virtualNetworkGateways/gw",
			create: begin(gateways.BeginCreateOrUpdate, groupName, "gw", doc[armnetwork.VirtualNetworkGateway](`{"location":"westeurope","properties":{
				"gatewayType":"Vpn","vpnType":"RouteBased","enableBgp":true,"sku":{"name":"VpnGw1","tier":"VpnGw1"},"ipConfigurations":[{"name":"c","properties":{
				"subnet":{"id":"@/virtualNetworks/v/subnets/GatewaySubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p"}}}]}}`)),
			get: call(gateways.Get, groupName, "gw"), tag: begin(gateways.BeginUpdateTags, groupName, "gw", tagsObject),
			lists: idLists{inGroup(gateways.NewListPager)}, remove: drop(gateways.BeginDelete, groupName, "gw"),
			check: that(func(t *testing.T, r armnetwork.VirtualNetworkGatewaysClientGetResponse) {
				p := r.Properties
				is(t, "ASN", p.BgpSettings.Asn, 65515)
				is(t, "address", p.BgpSettings.BgpPeeringAddress, "10.0.0.254")
				is(t, "active-active", p.Active, false)
				is(t, "capacity", p.SKU.Capacity, 2)
				a := one(t, p.BgpSettings.BgpPeeringAddresses)
				is(t, "configuration", a.IPConfigurationID, network+"/virtualNetworkGateways/gw/ipConfigurations/c")
				is(t, "default address", one(t, a.DefaultBgpIPAddresses), "10.0.0.254")
				if len(a.TunnelIPAddresses) != 1 {
					t.Errorf("tunnel addresses %v", a.TunnelIPAddresses)
				}
			}),
		},
		{
			id: network + "/localNetworkGateways/site",
			create: begin(locals.BeginCreateOrUpdate, groupName, "site", doc[armnetwork.LocalNetworkGateway](
				`{"location":"westeurope","properties":{"gatewayIpAddress":"198.51.100.7","localNetworkAddressSpace":{"addressPrefixes":["192.168.0.0/16"]}}}`)),
			get: call(locals.Get, groupName, "site"), tag: set(locals.UpdateTags, groupName, "site", tagsObject),
			lists: idLists{inGroup(locals.NewListPager)}, remove: drop(locals.BeginDelete, groupName, "site"),
		},
		{
			id: network + "/connections/toSite",
			create: begin(connections.BeginCreateOrUpdate, groupName, "toSite", doc[armnetwork.VirtualNetworkGatewayConnection](`{"location":"westeurope","properties":{
				"connectionType":"IPsec","sharedKey":"secret","virtualNetworkGateway1":{"id":"@/virtualNetworkGateways/gw","properties":{}},"localNetworkGateway2":{"id":"@/localNetworkGateways/site","properties":{}}}}`)),
			get: call(connections.Get, groupName, "toSite"), tag: begin(connections.BeginUpdateTags, groupName, "toSite", tagsObject),
			lists: idLists{inGroup(connections.NewListPager), below(gateways.NewListConnectionsPager, "gw")}, remove: drop(connections.BeginDelete, groupName, "toSite"),
			check: that(func(t *testing.T, r armnetwork.VirtualNetworkGatewayConnectionsClientGetResponse) {
				p := r.Properties
				is(t, "weight", p.RoutingWeight, 0)
				is(t, "BGP", p.EnableBgp, false)
				is(t, "selectors", p.UsePolicyBasedTrafficSelectors, false)
				is(t, "protocol", p.ConnectionProtocol, armnetwork.VirtualNetworkGatewayConnectionProtocolIKEv2)
				is(t, "mode", p.ConnectionMode, armnetwork.VirtualNetworkGatewayConnectionModeDefault)
				key, err := connections.GetSharedKey(ctx, groupName, "toSite", nil)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "key", key.Value, "secret")
				changed, err := wait(connections.BeginSetSharedKey(ctx, groupName, "toSite", doc[armnetwork.ConnectionSharedKey](`{"value":"other"}`), nil))
				if err != nil {
					t.Fatal(err)
				}
				is(t, "changed key", changed.Value, "other")
				reset, err := wait(connections.BeginResetSharedKey(ctx, groupName, "toSite", doc[armnetwork.ConnectionResetSharedKey](`{"keyLength":64}`), nil))
				if err != nil {
					t.Fatal(err)
				}
				if key, err = connections.GetSharedKey(ctx, groupName, "toSite", nil); err != nil || len(*key.Value) != 64 {
					t.Errorf("key after its reset %v %v, answered %v", key.Value, err, reset)
				}
			}),
		},
		{
			id: network + "/expressRouteCircuits/er",
			create: begin(circuits.BeginCreateOrUpdate, groupName, "er", doc[armnetwork.ExpressRouteCircuit](`{"location":"westeurope","sku":{"name":"Standard_MeteredData","tier":"Standard","family":"MeteredData"},
				"properties":{"serviceProviderProperties":{"serviceProviderName":"Equinix","peeringLocation":"Amsterdam","bandwidthInMbps":50}}}`)),
			get: call(circuits.Get, groupName, "er"), tag: set(circuits.UpdateTags, groupName, "er", tagsObject),
			lists: idLists{inGroup(circuits.NewListPager), everywhere(circuits.NewListAllPager)}, remove: drop(circuits.BeginDelete, groupName, "er"),
			check: that(func(t *testing.T, r armnetwork.ExpressRouteCircuitsClientGetResponse) {
				p := r.Properties
				is(t, "state", p.CircuitProvisioningState, "Enabled")
				is(t, "provider", p.ServiceProviderProvisioningState, armnetwork.ServiceProviderProvisioningStateNotProvisioned)
				is(t, "reach", p.GlobalReachEnabled, false)
				if p.ServiceKey == nil || len(p.Peerings) != 1 || len(p.Authorizations) != 1 {
					t.Errorf("key %v, %d peerings, %d authorizations", p.ServiceKey, len(p.Peerings), len(p.Authorizations))
				}
			}),
		},
		{
			id: network + "/expressRouteCircuits/er/peerings/AzurePrivatePeering",
			create: beginChild(peerings.BeginCreateOrUpdate, groupName, "er", "AzurePrivatePeering", doc[armnetwork.ExpressRouteCircuitPeering](
				`{"properties":{"peeringType":"AzurePrivatePeering","peerASN":65050,"vlanId":200,"primaryPeerAddressPrefix":"192.168.16.252/30","secondaryPeerAddressPrefix":"192.168.18.252/30"}}`)),
			get: callChild(peerings.Get, groupName, "er", "AzurePrivatePeering"), lists: idLists{below(peerings.NewListPager, "er")},
			remove: dropChild(peerings.BeginDelete, groupName, "er", "AzurePrivatePeering"),
			check: that(func(t *testing.T, r armnetwork.ExpressRouteCircuitPeeringsClientGetResponse) {
				is(t, "Azure's ASN", r.Properties.AzureASN, 12076)
				is(t, "state", r.Properties.State, armnetwork.ExpressRoutePeeringStateEnabled)
			}),
		},
		{
			id:     network + "/expressRouteCircuits/er/authorizations/a",
			create: beginChild(authorizations.BeginCreateOrUpdate, groupName, "er", "a", armnetwork.ExpressRouteCircuitAuthorization{}),
			get:    callChild(authorizations.Get, groupName, "er", "a"), lists: idLists{below(authorizations.NewListPager, "er")},
			remove: dropChild(authorizations.BeginDelete, groupName, "er", "a"),
			check: that(func(t *testing.T, r armnetwork.ExpressRouteCircuitAuthorizationsClientGetResponse) {
				is(t, "use", r.Properties.AuthorizationUseStatus, armnetwork.AuthorizationUseStatusAvailable)
				if r.Properties.AuthorizationKey == nil {
					t.Error("no key")
				}
			}),
		},
		{
			id:     network + "/virtualHubs/rs",
			create: begin(hubs.BeginCreateOrUpdate, groupName, "rs", doc[armnetwork.VirtualHub](`{"location":"westeurope","properties":{"sku":"Standard"}}`)),
			get:    call(hubs.Get, groupName, "rs"), tag: set(hubs.UpdateTags, groupName, "rs", tagsObject),
			lists: idLists{inGroup(hubs.NewListByResourceGroupPager), everywhere(hubs.NewListPager)}, remove: drop(hubs.BeginDelete, groupName, "rs"),
			check: that(func(t *testing.T, r armnetwork.VirtualHubsClientGetResponse) {
				p := r.Properties
				is(t, "ASN", p.VirtualRouterAsn, 65515)
				is(t, "routing", p.RoutingState, armnetwork.RoutingStateProvisioned)
				is(t, "first address", one(t, p.VirtualRouterIPs), "10.0.1.4")
				is(t, "second address", one(t, p.VirtualRouterIPs[1:]), "10.0.1.5")
				is(t, "kind", r.Kind, "RouteServer")
				is(t, "preference", p.HubRoutingPreference, armnetwork.HubRoutingPreferenceExpressRoute)
				is(t, "IP configuration", one(t, p.IPConfigurations).ID, network+"/virtualHubs/rs/ipConfigurations/c")
				is(t, "peer", one(t, p.BgpConnections).ID, network+"/virtualHubs/rs/bgpConnections/nva")
			}),
		},
		{
			id: network + "/virtualHubs/rs/ipConfigurations/c",
			create: beginChild(hubIPs.BeginCreateOrUpdate, groupName, "rs", "c", doc[armnetwork.HubIPConfiguration](
				`{"properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/RouteServerSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/rs"}}}`)),
			get: callChild(hubIPs.Get, groupName, "rs", "c"), lists: idLists{below(hubIPs.NewListPager, "rs")},
			remove: dropChild(hubIPs.BeginDelete, groupName, "rs", "c"),
		},
		{
			id:     network + "/virtualHubs/rs/bgpConnections/nva",
			create: beginChild(bgp.BeginCreateOrUpdate, groupName, "rs", "nva", doc[armnetwork.BgpConnection](`{"properties":{"peerAsn":65001,"peerIp":"10.0.9.4"}}`)),
			get:    callChild(bgp.Get, groupName, "rs", "nva"), lists: idLists{below(bgps.NewListPager, "rs")},
			remove: dropChild(bgp.BeginDelete, groupName, "rs", "nva"),
		},
	})
}
