package arm_test

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKManager: a network manager with its groups and configurations, a
// commit, and what it brings about.
func TestSDKManager(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	managers, groups, members := f.NewManagersClient(), f.NewGroupsClient(), f.NewStaticMembersClient()
	connectivity, security := f.NewConnectivityConfigurationsClient(), f.NewSecurityAdminConfigurationsClient()
	collections, rules := f.NewAdminRuleCollectionsClient(), f.NewAdminRulesClient()
	routing, routeCollections, routes := f.NewManagerRoutingConfigurationsClient(), f.NewRoutingRuleCollectionsClient(), f.NewRoutingRulesClient()
	const nm = "@/networkManagers/nm"
	const applies = `[{"networkGroupId":"` + nm + `/networkGroups/g","groupConnectivity":"DirectlyConnected"}]`
	live(t, []life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`),
		lifeOf(f, "w", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.1.0.0/16"]}}}`),
		{
			id: expand(nm), create: set(managers.CreateOrUpdate, groupName, "nm", doc[armnetwork.Manager](managerBody)),
			get: call(managers.Get, groupName, "nm"), tag: set(managers.Patch, groupName, "nm", armnetwork.PatchObject{Tags: teamTags}),
			lists: idLists{inGroup(managers.NewListPager), everywhere(managers.NewListBySubscriptionPager)}, remove: drop(managers.BeginDelete, groupName, "nm"),
			check: that(func(t *testing.T, r armnetwork.ManagersClientGetResponse) {
				if r.SystemData == nil || r.SystemData.CreatedBy == nil || r.Properties.ResourceGUID == nil {
					t.Error("its system data or GUID is absent")
				}
				commitAndSee(t, f, r)
			}),
		},
		{
			id: expand(nm + "/networkGroups/g"), create: setChild(groups.CreateOrUpdate, groupName, "nm", "g", doc[armnetwork.Group](`{"properties":{"description":"all"}}`)),
			get: callChild(groups.Get, groupName, "nm", "g"), lists: idLists{below(groups.NewListPager, "nm")}, remove: dropChild(groups.BeginDelete, groupName, "nm", "g"),
		},
		member(members, "v"), member(members, "w"),
		{
			id: expand(nm + "/connectivityConfigurations/mesh"),
			create: setChild(connectivity.CreateOrUpdate, groupName, "nm", "mesh", doc[armnetwork.ConnectivityConfiguration](
				`{"properties":{"connectivityTopology":"Mesh","appliesToGroups":`+applies+`}}`)),
			get: callChild(connectivity.Get, groupName, "nm", "mesh"), lists: idLists{below(connectivity.NewListPager, "nm")},
			remove: func() (any, error) {
				return wait(connectivity.BeginDelete(ctx, groupName, "nm", "mesh", &armnetwork.ConnectivityConfigurationsClientBeginDeleteOptions{Force: to.Ptr(true)}))
			},
		},
		{
			id:     expand(nm + "/securityAdminConfigurations/s"),
			create: setChild(security.CreateOrUpdate, groupName, "nm", "s", doc[armnetwork.SecurityAdminConfiguration](`{"properties":{"description":"d"}}`)),
			get:    callChild(security.Get, groupName, "nm", "s"), lists: idLists{below(security.NewListPager, "nm")},
			remove: func() (any, error) { return wait(security.BeginDelete(ctx, groupName, "nm", "s", nil)) },
		},
		{
			id: expand(nm + "/securityAdminConfigurations/s/ruleCollections/c"),
			create: func() (any, error) {
				return collections.CreateOrUpdate(ctx, groupName, "nm", "s", "c", doc[armnetwork.AdminRuleCollection](`{"properties":{"appliesToGroups":[{"networkGroupId":"`+nm+`/networkGroups/g"}]}}`), nil)
			},
			get: callChild(bind(collections.Get), "nm", "s", "c"),
			lists: idLists{pages(func() *runtime.Pager[armnetwork.AdminRuleCollectionsClientListResponse] {
				return collections.NewListPager(groupName, "nm", "s", nil)
			})},
			remove: func() (any, error) { return wait(collections.BeginDelete(ctx, groupName, "nm", "s", "c", nil)) },
		},
		{
			id: expand(nm + "/securityAdminConfigurations/s/ruleCollections/c/rules/r"),
			create: func() (any, error) {
				rule := doc[armnetwork.AdminRule](`{"kind":"Custom","properties":{"priority":100,"direction":"Inbound","access":"Deny","protocol":"Tcp",
					"sources":[{"addressPrefixType":"IPPrefix","addressPrefix":"*"}],"destinations":[{"addressPrefixType":"IPPrefix","addressPrefix":"*"}],"sourcePortRanges":["0-65535"],"destinationPortRanges":["22"]}}`)
				return rules.CreateOrUpdate(ctx, groupName, "nm", "s", "c", "r", &rule, nil)
			},
			get: func() (any, error) {
				got, err := rules.Get(ctx, groupName, "nm", "s", "c", "r", nil)
				if err != nil {
					return nil, err
				}
				return got.BaseAdminRuleClassification, nil
			},
			check: func(t *testing.T, got any) {
				rule, ok := got.(*armnetwork.AdminRule)
				if !ok {
					t.Fatalf("the rule is a %T", got)
				}
				is(t, "access", rule.Properties.Access, armnetwork.SecurityConfigurationRuleAccessDeny)
			},
			remove: func() (any, error) { return wait(rules.BeginDelete(ctx, groupName, "nm", "s", "c", "r", nil)) },
		},
		{
			id:     expand(nm + "/routingConfigurations/r"),
			create: setChild(routing.CreateOrUpdate, groupName, "nm", "r", doc[armnetwork.ManagerRoutingConfiguration](`{"properties":{"description":"d"}}`)),
			get:    callChild(routing.Get, groupName, "nm", "r"), lists: idLists{below(routing.NewListPager, "nm")},
			remove: func() (any, error) { return wait(routing.BeginDelete(ctx, groupName, "nm", "r", nil)) },
		},
		{
			id: expand(nm + "/routingConfigurations/r/ruleCollections/c"),
			create: func() (any, error) {
				return routeCollections.CreateOrUpdate(ctx, groupName, "nm", "r", "c", doc[armnetwork.RoutingRuleCollection](`{"properties":{"appliesTo":[{"networkGroupId":"`+nm+`/networkGroups/g"}]}}`), nil)
			},
			get:    callChild(bind(routeCollections.Get), "nm", "r", "c"),
			remove: func() (any, error) { return wait(routeCollections.BeginDelete(ctx, groupName, "nm", "r", "c", nil)) },
		},
		{
			id: expand(nm + "/routingConfigurations/r/ruleCollections/c/rules/default"),
			create: func() (any, error) {
				return routes.CreateOrUpdate(ctx, groupName, "nm", "r", "c", "default", doc[armnetwork.RoutingRule](
					`{"properties":{"destination":{"type":"AddressPrefix","destinationAddress":"0.0.0.0/0"},"nextHop":{"nextHopType":"VirtualAppliance","nextHopAddress":"10.0.0.4"}}}`), nil)
			},
			get:    func() (any, error) { return routes.Get(ctx, groupName, "nm", "r", "c", "default", nil) },
			remove: func() (any, error) { return wait(routes.BeginDelete(ctx, groupName, "nm", "r", "c", "default", nil)) },
		},
	})
}

// bind puts the group's name in front of a method of three names below it.
func bind[O, R any](f func(context.Context, string, string, string, string, *O) (R, error)) func(context.Context, string, string, string, *O) (R, error) {
	return func(ctx context.Context, a, b, c string, o *O) (R, error) { return f(ctx, groupName, a, b, c, o) }
}

// member is a virtual network's membership of the group.
func member(c *armnetwork.StaticMembersClient, name string) life {
	return life{
		id: network + "/networkManagers/nm/networkGroups/g/staticMembers/" + name,
		create: func() (any, error) {
			return c.CreateOrUpdate(ctx, groupName, "nm", "g", name, doc[armnetwork.StaticMember](`{"properties":{"resourceId":"@/virtualNetworks/`+name+`"}}`), nil)
		},
		get: callChild(bind(c.Get), "nm", "g", name), remove: callChild(bind(c.Delete), "nm", "g", name),
		check: that(func(t *testing.T, r armnetwork.StaticMembersClientGetResponse) {
			is(t, "region", r.Properties.Region, region)
		}),
	}
}

// commitAndSee commits the mesh and looks at the deployment and its effect.
func commitAndSee(t *testing.T, f *armnetwork.ClientFactory, nm armnetwork.ManagersClientGetResponse) {
	t.Helper()
	mesh := *nm.ID + "/connectivityConfigurations/mesh"
	commit := armnetwork.ManagerCommit{CommitType: to.Ptr(armnetwork.ConfigurationTypeConnectivity), ConfigurationIDs: []*string{&mesh}, TargetLocations: []*string{to.Ptr(region)}}
	if _, err := wait(f.NewManagerCommitsClient().BeginPost(ctx, groupName, "nm", commit, nil)); err != nil {
		t.Fatal(err)
	}
	status, err := f.NewManagerDeploymentStatusClient().List(ctx, groupName, "nm", armnetwork.ManagerDeploymentStatusParameter{
		DeploymentTypes: []*armnetwork.ConfigurationType{to.Ptr(armnetwork.ConfigurationTypeConnectivity)}, Regions: []*string{to.Ptr(region)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := one(t, status.Value)
	is(t, "status", d.DeploymentStatus, armnetwork.DeploymentStatusDeployed)
	is(t, "configuration", one(t, d.ConfigurationIDs), mesh)
	effective, err := f.NewManagementClient().ListNetworkManagerEffectiveConnectivityConfigurations(ctx, groupName, "v", armnetwork.QueryRequestOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "effective configuration", one(t, effective.Value).ID, mesh)
	commit.ConfigurationIDs = []*string{}
	if _, err := wait(f.NewManagerCommitsClient().BeginPost(ctx, groupName, "nm", commit, nil)); err != nil {
		t.Fatal(err)
	}
}

// TestSDKPools: address pools, reserved prefixes, and verifier workspaces with
// their intents.
func TestSDKPools(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	managers, pools, cidrs := f.NewManagersClient(), f.NewIpamPoolsClient(), f.NewStaticCidrsClient()
	spaces, intents := f.NewVerifierWorkspacesClient(), f.NewReachabilityAnalysisIntentsClient()
	const nm = "@/networkManagers/nm"
	live(t, []life{
		{
			id: expand(nm), create: set(managers.CreateOrUpdate, groupName, "nm", doc[armnetwork.Manager](managerBody)),
			get: call(managers.Get, groupName, "nm"), remove: drop(managers.BeginDelete, groupName, "nm"),
		},
		{
			id:     expand(nm + "/ipamPools/pool"),
			create: beginChild(pools.BeginCreate, groupName, "nm", "pool", doc[armnetwork.IpamPool](`{"location":"westeurope","tags":{"team":"net"},"properties":{"addressPrefixes":["10.0.0.0/8"]}}`)),
			get:    callChild(pools.Get, groupName, "nm", "pool"), lists: idLists{below(pools.NewListPager, "nm")}, remove: dropChild(pools.BeginDelete, groupName, "nm", "pool"),
			tag: func() (any, error) {
				return pools.Update(ctx, groupName, "nm", "pool", &armnetwork.IpamPoolsClientUpdateOptions{Body: &armnetwork.IpamPoolUpdate{Tags: teamTags}})
			},
			check: that(func(t *testing.T, r armnetwork.IpamPoolsClientGetResponse) {
				is(t, "type of addresses", one(t, r.Properties.IPAddressType), armnetwork.IPTypeIPv4)
			}),
		},
		{
			id: expand(nm + "/ipamPools/pool/staticCidrs/c"),
			create: func() (any, error) {
				return cidrs.Create(ctx, groupName, "nm", "pool", "c", &armnetwork.StaticCidrsClientCreateOptions{Body: to.Ptr(doc[armnetwork.StaticCidr](`{"properties":{"addressPrefixes":["10.1.0.0/16"]}}`))})
			},
			get: callChild(bind(cidrs.Get), "nm", "pool", "c"), remove: func() (any, error) { return wait(cidrs.BeginDelete(ctx, groupName, "nm", "pool", "c", nil)) },
			check: that(func(t *testing.T, r armnetwork.StaticCidrsClientGetResponse) {
				is(t, "addresses", r.Properties.TotalNumberOfIPAddresses, "65536")
			}),
		},
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`),
		{
			id:     expand(nm + "/verifierWorkspaces/w"),
			create: setChild(spaces.Create, groupName, "nm", "w", doc[armnetwork.VerifierWorkspace](`{"location":"westeurope","tags":{"team":"net"},"properties":{"description":"d"}}`)),
			get:    callChild(spaces.Get, groupName, "nm", "w"), lists: idLists{below(spaces.NewListPager, "nm")}, remove: dropChild(spaces.BeginDelete, groupName, "nm", "w"),
		},
		{
			id: expand(nm + "/verifierWorkspaces/w/reachabilityAnalysisIntents/i"),
			create: func() (any, error) {
				return intents.Create(ctx, groupName, "nm", "w", "i", doc[armnetwork.ReachabilityAnalysisIntent](`{"properties":{"sourceResourceId":"@/virtualNetworks/v/subnets/a","destinationResourceId":"@/virtualNetworks/v/subnets/a",
					"ipTraffic":{"sourceIps":["10.0.1.4"],"destinationIps":["10.0.1.5"],"sourcePorts":["*"],"destinationPorts":["80"],"protocols":["TCP"]}}}`), nil)
			},
			get: callChild(bind(intents.Get), "nm", "w", "i"), remove: callChild(bind(intents.Delete), "nm", "w", "i"),
		},
	})
}
