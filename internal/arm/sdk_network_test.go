package arm_test

import (
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
	}
}
