package arm_test

import (
	"net/netip"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKNetwork: virtual networks and what stands in them, through
// armnetwork's clients.
func TestSDKNetwork(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	vnet := network + "/virtualNetworks/v"
	subnet := armnetwork.Subnet{Properties: &armnetwork.SubnetPropertiesFormat{
		AddressPrefix: to.Ptr("10.0.1.0/24"), NetworkSecurityGroup: &armnetwork.SecurityGroup{ID: to.Ptr(network + "/networkSecurityGroups/n")},
		RouteTable: &armnetwork.RouteTable{ID: to.Ptr(network + "/routeTables/rt")}, NatGateway: ref(network + "/natGateways/nat"),
		ServiceEndpoints: []*armnetwork.ServiceEndpointPropertiesFormat{{Service: to.Ptr("Microsoft.Storage")}},
	}}
	live(t, []life{
		lifeOfASG(f), lifeOfNSG(f), lifeOfRule(f), lifeOfRouteTable(f), lifeOfRoute(f),
		lifeOfPrefix(f), lifeOfPublicIP(f, "p", nil), lifeOfPublicIP(f, "fromPrefix", ref(network+"/publicIPPrefixes/prefix")), lifeOfNAT(f),
		lifeOfVNet(f, "v", "10.0.0.0/16"), lifeOfVNet(f, "w", "10.1.0.0/16"),
		lifeOfSubnet(f, subnet), lifeOfPeering(f, "v", "w"), lifeOfPeering(f, "w", "v"), lifeOfNIC(f, vnet+"/subnets/app"),
	})
}

func lifeOfASG(f *armnetwork.ClientFactory) life {
	c := f.NewApplicationSecurityGroupsClient()
	return life{
		id:     network + "/applicationSecurityGroups/web",
		create: begin(c.BeginCreateOrUpdate, groupName, "web", armnetwork.ApplicationSecurityGroup{Location: to.Ptr(region)}),
		get:    call(c.Get, groupName, "web"), tag: set(c.UpdateTags, groupName, "web", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "web"),
	}
}

func lifeOfNSG(f *armnetwork.ClientFactory) life {
	c := f.NewSecurityGroupsClient()
	return life{
		id:     network + "/networkSecurityGroups/n",
		create: begin(c.BeginCreateOrUpdate, groupName, "n", armnetwork.SecurityGroup{Location: to.Ptr(region)}),
		get:    call(c.Get, groupName, "n"), tag: set(c.UpdateTags, groupName, "n", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "n"),
		check: that(func(t *testing.T, r armnetwork.SecurityGroupsClientGetResponse) {
			p := r.Properties
			if len(p.DefaultSecurityRules) != 6 {
				t.Fatalf("%d default rules", len(p.DefaultSecurityRules))
			}
			is(t, "description", p.DefaultSecurityRules[2].Properties.Description, "Deny all inbound traffic")
			is(t, "priority", p.DefaultSecurityRules[2].Properties.Priority, 65500)
			is(t, "rule", one(t, p.SecurityRules).ID, network+"/networkSecurityGroups/n/securityRules/https")
			is(t, "subnet", one(t, p.Subnets).ID, network+"/virtualNetworks/v/subnets/app")
		}),
	}
}

func lifeOfRule(f *armnetwork.ClientFactory) life {
	c := f.NewSecurityRulesClient()
	return life{
		id: network + "/networkSecurityGroups/n/securityRules/https",
		create: beginChild(c.BeginCreateOrUpdate, groupName, "n", "https", armnetwork.SecurityRule{Properties: &armnetwork.SecurityRulePropertiesFormat{
			Priority: to.Ptr[int32](100), Direction: to.Ptr(armnetwork.SecurityRuleDirectionInbound), Access: to.Ptr(armnetwork.SecurityRuleAccessAllow),
			Protocol: to.Ptr(armnetwork.SecurityRuleProtocolTCP), SourceAddressPrefix: to.Ptr("Internet"), SourcePortRange: to.Ptr("*"), DestinationPortRange: to.Ptr("443"),
			DestinationApplicationSecurityGroups: []*armnetwork.ApplicationSecurityGroup{{ID: to.Ptr(network + "/applicationSecurityGroups/web")}},
		}}),
		get: callChild(c.Get, groupName, "n", "https"), lists: idLists{below(c.NewListPager, "n")},
		check: that(func(t *testing.T, r armnetwork.SecurityRulesClientGetResponse) {
			p := r.Properties
			is(t, "group", one(t, p.DestinationApplicationSecurityGroups).ID, network+"/applicationSecurityGroups/web")
			if p.SourceAddressPrefixes == nil || p.DestinationPortRanges == nil {
				t.Error("the plural forms are absent")
			}
		}),
		remove: dropChild(c.BeginDelete, groupName, "n", "https"),
	}
}

func lifeOfRouteTable(f *armnetwork.ClientFactory) life {
	c := f.NewRouteTablesClient()
	return life{
		id:     network + "/routeTables/rt",
		create: begin(c.BeginCreateOrUpdate, groupName, "rt", armnetwork.RouteTable{Location: to.Ptr(region)}),
		get:    call(c.Get, groupName, "rt"), tag: set(c.UpdateTags, groupName, "rt", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "rt"),
		check: that(func(t *testing.T, r armnetwork.RouteTablesClientGetResponse) {
			is(t, "propagation off", r.Properties.DisableBgpRoutePropagation, false)
			is(t, "route", one(t, r.Properties.Routes).Name, "default")
			is(t, "BGP override", one(t, r.Properties.Routes).Properties.HasBgpOverride, false)
			is(t, "subnet", one(t, r.Properties.Subnets).ID, network+"/virtualNetworks/v/subnets/app")
		}),
	}
}

func lifeOfRoute(f *armnetwork.ClientFactory) life {
	c := f.NewRoutesClient()
	return life{
		id: network + "/routeTables/rt/routes/default",
		create: beginChild(c.BeginCreateOrUpdate, groupName, "rt", "default", armnetwork.Route{Properties: &armnetwork.RoutePropertiesFormat{
			AddressPrefix: to.Ptr("0.0.0.0/0"), NextHopType: to.Ptr(armnetwork.RouteNextHopTypeVirtualAppliance), NextHopIPAddress: to.Ptr("10.0.9.4"),
		}}),
		get: callChild(c.Get, groupName, "rt", "default"), lists: idLists{below(c.NewListPager, "rt")},
		remove: dropChild(c.BeginDelete, groupName, "rt", "default"),
	}
}

func lifeOfPrefix(f *armnetwork.ClientFactory) life {
	c := f.NewPublicIPPrefixesClient()
	return life{
		id: network + "/publicIPPrefixes/prefix",
		create: begin(c.BeginCreateOrUpdate, groupName, "prefix", armnetwork.PublicIPPrefix{
			Location: to.Ptr(region), SKU: &armnetwork.PublicIPPrefixSKU{Name: to.Ptr(armnetwork.PublicIPPrefixSKUNameStandard)},
			Properties: &armnetwork.PublicIPPrefixPropertiesFormat{PrefixLength: to.Ptr[int32](30)},
		}),
		get: call(c.Get, groupName, "prefix"), tag: set(c.UpdateTags, groupName, "prefix", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "prefix"),
		check: that(func(t *testing.T, r armnetwork.PublicIPPrefixesClientGetResponse) {
			p := r.Properties
			is(t, "version", p.PublicIPAddressVersion, armnetwork.IPVersionIPv4)
			is(t, "address", one(t, p.PublicIPAddresses).ID, network+"/publicIPAddresses/fromPrefix")
			one, err := f.NewPublicIPAddressesClient().Get(ctx, groupName, "fromPrefix", nil)
			if err != nil || !netip.MustParsePrefix(*p.IPPrefix).Contains(netip.MustParseAddr(*one.Properties.IPAddress)) {
				t.Errorf("%s is not of %s, %v", *one.Properties.IPAddress, *p.IPPrefix, err)
			}
			if _, err := wait(c.BeginDelete(ctx, groupName, "prefix", nil)); statusOf(err) != 400 {
				t.Errorf("deleting it: %v", err)
			}
		}),
	}
}

func lifeOfPublicIP(f *armnetwork.ClientFactory, name string, prefix *armnetwork.SubResource) life {
	c := f.NewPublicIPAddressesClient()
	return life{
		id: network + "/publicIPAddresses/" + name,
		create: begin(c.BeginCreateOrUpdate, groupName, name, armnetwork.PublicIPAddress{
			Location: to.Ptr(region), SKU: &armnetwork.PublicIPAddressSKU{Name: to.Ptr(armnetwork.PublicIPAddressSKUNameStandard)},
			Properties: &armnetwork.PublicIPAddressPropertiesFormat{PublicIPAllocationMethod: to.Ptr(armnetwork.IPAllocationMethodStatic), PublicIPPrefix: prefix},
		}),
		get: call(c.Get, groupName, name), tag: set(c.UpdateTags, groupName, name, tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, name),
		check: that(func(t *testing.T, r armnetwork.PublicIPAddressesClientGetResponse) {
			p := r.Properties
			is(t, "idle", p.IdleTimeoutInMinutes, 4)
			is(t, "protection", p.DdosSettings.ProtectionMode, armnetwork.DdosSettingsProtectionModeVirtualNetworkInherited)
			is(t, "tier", r.SKU.Tier, armnetwork.PublicIPAddressSKUTierRegional)
			if p.IPAddress == nil || p.IPTags == nil {
				t.Errorf("address %v, tags %v", p.IPAddress, p.IPTags)
			}
		}),
	}
}

func lifeOfNAT(f *armnetwork.ClientFactory) life {
	c := f.NewNatGatewaysClient()
	return life{
		id: network + "/natGateways/nat",
		create: begin(c.BeginCreateOrUpdate, groupName, "nat", armnetwork.NatGateway{
			Location: to.Ptr(region), SKU: &armnetwork.NatGatewaySKU{Name: to.Ptr(armnetwork.NatGatewaySKUNameStandard)},
			Properties: &armnetwork.NatGatewayPropertiesFormat{PublicIPAddresses: []*armnetwork.SubResource{ref(network + "/publicIPAddresses/p")}},
		}),
		get: call(c.Get, groupName, "nat"), tag: set(c.UpdateTags, groupName, "nat", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "nat"),
		check: that(func(t *testing.T, r armnetwork.NatGatewaysClientGetResponse) {
			is(t, "idle", r.Properties.IdleTimeoutInMinutes, 4)
			is(t, "subnet", one(t, r.Properties.Subnets).ID, network+"/virtualNetworks/v/subnets/app")
			pip, err := f.NewPublicIPAddressesClient().Get(ctx, groupName, "p", nil)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "gateway of the address", pip.Properties.NatGateway.ID, network+"/natGateways/nat")
		}),
	}
}

func lifeOfVNet(f *armnetwork.ClientFactory, name, prefix string) life {
	c := f.NewVirtualNetworksClient()
	return life{
		id: network + "/virtualNetworks/" + name,
		create: begin(c.BeginCreateOrUpdate, groupName, name, armnetwork.VirtualNetwork{
			Location:   to.Ptr(region),
			Properties: &armnetwork.VirtualNetworkPropertiesFormat{AddressSpace: &armnetwork.AddressSpace{AddressPrefixes: []*string{to.Ptr(prefix)}}},
		}),
		get: call(c.Get, groupName, name), tag: set(c.UpdateTags, groupName, name, tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, name),
	}
}

func lifeOfSubnet(f *armnetwork.ClientFactory, doc armnetwork.Subnet) life {
	c := f.NewSubnetsClient()
	return life{
		id:     network + "/virtualNetworks/v/subnets/app",
		create: beginChild(c.BeginCreateOrUpdate, groupName, "v", "app", doc),
		get:    callChild(c.Get, groupName, "v", "app"), lists: idLists{below(c.NewListPager, "v")},
		check: that(func(t *testing.T, r armnetwork.SubnetsClientGetResponse) {
			p := r.Properties
			is(t, "endpoint policies", p.PrivateEndpointNetworkPolicies, armnetwork.VirtualNetworkPrivateEndpointNetworkPoliciesDisabled)
			is(t, "service policies", p.PrivateLinkServiceNetworkPolicies, armnetwork.VirtualNetworkPrivateLinkServiceNetworkPoliciesEnabled)
			is(t, "configuration", one(t, p.IPConfigurations).ID, network+"/networkInterfaces/nic/ipConfigurations/ip")
			storage := one(t, p.ServiceEndpoints)
			is(t, "location", one(t, storage.Locations), region)
			is(t, "endpoint", storage.ProvisioningState, armnetwork.ProvisioningStateSucceeded)
			whole, err := f.NewVirtualNetworksClient().Get(ctx, groupName, "v", nil)
			if err != nil {
				t.Fatal(err)
			}
			in := one(t, whole.Properties.Subnets)
			is(t, "etag in the network", in.Etag, *r.Etag)
			is(t, "configuration in the network", one(t, in.Properties.IPConfigurations).ID, *one(t, p.IPConfigurations).ID)
			is(t, "peering in the network", one(t, whole.Properties.VirtualNetworkPeerings).ID, network+"/virtualNetworks/v/virtualNetworkPeerings/p")
			is(t, "DDoS protection", whole.Properties.EnableDdosProtection, false)
			if _, err := wait(c.BeginDelete(ctx, groupName, "v", "app", nil)); codeOf(err) != "InUseSubnetCannotBeDeleted" {
				t.Errorf("deleting it: %v", err)
			}
		}),
		remove: dropChild(c.BeginDelete, groupName, "v", "app"),
	}
}

func lifeOfPeering(f *armnetwork.ClientFactory, from, remote string) life {
	c := f.NewVirtualNetworkPeeringsClient()
	return life{
		id: network + "/virtualNetworks/" + from + "/virtualNetworkPeerings/p",
		create: beginChild(c.BeginCreateOrUpdate, groupName, from, "p", armnetwork.VirtualNetworkPeering{Properties: &armnetwork.VirtualNetworkPeeringPropertiesFormat{
			RemoteVirtualNetwork: ref(network + "/virtualNetworks/" + remote), AllowVirtualNetworkAccess: to.Ptr(true),
		}}),
		get: callChild(c.Get, groupName, from, "p"), lists: idLists{below(c.NewListPager, from)},
		check: that(func(t *testing.T, r armnetwork.VirtualNetworkPeeringsClientGetResponse) {
			p := r.Properties
			is(t, "state", p.PeeringState, armnetwork.VirtualNetworkPeeringStateConnected)
			is(t, "level", p.PeeringSyncLevel, armnetwork.VirtualNetworkPeeringLevelFullyInSync)
			is(t, "forwarding", p.AllowForwardedTraffic, false)
			is(t, "transit", p.AllowGatewayTransit, false)
			is(t, "gateways", p.UseRemoteGateways, false)
			one(t, p.RemoteAddressSpace.AddressPrefixes)
			one(t, p.RemoteVirtualNetworkAddressSpace.AddressPrefixes)
		}),
		remove: dropChild(c.BeginDelete, groupName, from, "p"),
	}
}

func lifeOfNIC(f *armnetwork.ClientFactory, subnet string) life {
	c := f.NewInterfacesClient()
	return life{
		id: network + "/networkInterfaces/nic",
		create: begin(c.BeginCreateOrUpdate, groupName, "nic", armnetwork.Interface{
			Location: to.Ptr(region),
			Properties: &armnetwork.InterfacePropertiesFormat{IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{
				Name: to.Ptr("ip"),
				Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{
					Subnet:                    &armnetwork.Subnet{ID: to.Ptr(subnet)},
					PublicIPAddress:           &armnetwork.PublicIPAddress{ID: to.Ptr(network + "/publicIPAddresses/fromPrefix")},
					ApplicationSecurityGroups: []*armnetwork.ApplicationSecurityGroup{{ID: to.Ptr(network + "/applicationSecurityGroups/web")}},
				},
			}}},
		}),
		get: call(c.Get, groupName, "nic"), tag: set(c.UpdateTags, groupName, "nic", tagsObject),
		lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "nic"),
		check: that(func(t *testing.T, r armnetwork.InterfacesClientGetResponse) {
			p := r.Properties
			ip := one(t, p.IPConfigurations).Properties
			is(t, "address", ip.PrivateIPAddress, "10.0.1.4")
			is(t, "method", ip.PrivateIPAllocationMethod, armnetwork.IPAllocationMethodDynamic)
			is(t, "version", ip.PrivateIPAddressVersion, armnetwork.IPVersionIPv4)
			is(t, "primary", ip.Primary, true)
			is(t, "type", p.NicType, armnetwork.NetworkInterfaceNicTypeStandard)
			is(t, "auxiliary mode", p.AuxiliaryMode, armnetwork.NetworkInterfaceAuxiliaryModeNone)
			is(t, "forwarding", p.EnableIPForwarding, false)
			is(t, "encryption", p.VnetEncryptionSupported, false)
			if p.DNSSettings.DNSServers == nil || p.DNSSettings.AppliedDNSServers == nil || p.HostedWorkloads == nil {
				t.Errorf("%v %v", p.DNSSettings, p.HostedWorkloads)
			}
			pip, err := f.NewPublicIPAddressesClient().Get(ctx, groupName, "fromPrefix", nil)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "configuration of the address", pip.Properties.IPConfiguration.ID, network+"/networkInterfaces/nic/ipConfigurations/ip")
			if _, err := wait(f.NewPublicIPAddressesClient().BeginDelete(ctx, groupName, "fromPrefix", nil)); codeOf(err) != "PublicIPAddressCannotBeDeleted" {
				t.Errorf("deleting the address: %v", err)
			}
		}),
	}
}

// TestSDKPeeringSync: after a network's address space changes, each side says
// that the other is not in step until it is asked to synchronize.
func TestSDKPeeringSync(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	c := f.NewVirtualNetworkPeeringsClient()
	space := func(prefixes string) string {
		return `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":[` + prefixes + `]}}}`
	}
	step := func(l life) {
		t.Helper()
		if _, err := l.create(); err != nil {
			t.Fatal(err)
		}
	}
	levels := func(v, w armnetwork.VirtualNetworkPeeringLevel) {
		t.Helper()
		for from, want := range map[string]armnetwork.VirtualNetworkPeeringLevel{"v": v, "w": w} {
			got, err := c.Get(ctx, groupName, from, "p", nil)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "level of "+from, got.Properties.PeeringSyncLevel, want)
		}
	}
	step(lifeOf(f, "v", space(`"10.0.0.0/16"`)))
	step(lifeOf(f, "w", space(`"10.1.0.0/16"`)))
	step(lifeOfPeering(f, "v", "w"))
	if got, err := c.Get(ctx, groupName, "v", "p", nil); err != nil || *got.Properties.PeeringState != armnetwork.VirtualNetworkPeeringStateInitiated {
		t.Errorf("one side alone: %v", err)
	}
	step(lifeOfPeering(f, "w", "v"))
	levels("FullyInSync", "FullyInSync")
	step(lifeOf(f, "v", space(`"10.0.0.0/16","10.2.0.0/16"`)))
	levels("RemoteNotInSync", "LocalNotInSync")
	step(lifeOf(f, "w", space(`"10.1.0.0/16","10.3.0.0/16"`)))
	levels("LocalAndRemoteNotInSync", "LocalAndRemoteNotInSync")
	for i, from := range []string{"v", "w"} {
		got, err := c.Get(ctx, groupName, from, "p", nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.Properties.RemoteAddressSpace.AddressPrefixes); n != 1 {
			t.Errorf("%s knows %d prefixes before it is synchronized", from, n)
		}
		after, err := wait(c.BeginCreateOrUpdate(ctx, groupName, from, "p", got.VirtualNetworkPeering, &armnetwork.VirtualNetworkPeeringsClientBeginCreateOrUpdateOptions{
			SyncRemoteAddressSpace: to.Ptr(armnetwork.SyncRemoteAddressSpaceTrue),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(after.Properties.RemoteAddressSpace.AddressPrefixes); n != 2 {
			t.Errorf("%s knows %d prefixes after it is synchronized", from, n)
		}
		if i == 0 {
			levels("RemoteNotInSync", "LocalNotInSync")
		}
	}
	levels("FullyInSync", "FullyInSync")
}
