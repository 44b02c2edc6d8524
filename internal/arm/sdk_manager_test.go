package arm_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKManagerViews: what network managers have in force, their pools and
// their verifier, and the usages beside them, through armnetwork's clients.
func TestSDKManagerViews(t *testing.T) {
	c := newCloud(t).withMachine()
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	c.must("PUT", nm+"/networkGroups/g", `{"properties":{"description":"all"}}`)
	c.must("PUT", nm+"/networkGroups/g/staticMembers/m", `{"properties":{"resourceId":"`+network+`/virtualNetworks/v"}}`)
	mesh, sec := nm+"/connectivityConfigurations/mesh", nm+"/securityAdminConfigurations/sec"
	c.must("PUT", mesh, `{"properties":{"connectivityTopology":"Mesh","appliesToGroups":[{"networkGroupId":"`+nm+`/networkGroups/g","groupConnectivity":"DirectlyConnected"}]}}`)
	c.must("PUT", sec, `{"properties":{}}`)
	c.must("PUT", sec+"/ruleCollections/rc", `{"properties":{"appliesToGroups":[{"networkGroupId":"`+nm+`/networkGroups/g"}]}}`)
	c.must("PUT", sec+"/ruleCollections/rc/rules/web", `{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":10,"protocol":"Tcp","sources":[{"addressPrefix":"9.9.9.0/24","addressPrefixType":"IPPrefix"}],"destinationPortRanges":["443"]}}`)
	for commitType, id := range map[string]string{"Connectivity": mesh, "SecurityAdmin": sec} {
		c.must("POST", nm+"/commit", `{"commitType":"`+commitType+`","targetLocations":["westeurope"],"configurationIds":["`+id+`"]}`)
	}
	f := clients(newSDK(t, c), armnetwork.NewClientFactory)
	m, ctx := f.NewManagementClient(), context.Background()

	regions := armnetwork.ActiveConfigurationParameter{Regions: []*string{to.Ptr("westeurope")}}
	connectivity, err := m.ListActiveConnectivityConfigurations(ctx, "Net", "nm", regions, nil)
	if err != nil || len(connectivity.Value) != 1 || *connectivity.Value[0].Region != "westeurope" || connectivity.Value[0].CommitTime == nil ||
		*connectivity.Value[0].Properties.ConnectivityTopology != armnetwork.ConnectivityTopologyMesh || *connectivity.Value[0].ConfigurationGroups[0].Properties.Description != "all" {
		t.Errorf("%+v %v", connectivity, err)
	}
	admin, err := m.ListActiveSecurityAdminRules(ctx, "Net", "nm", regions, nil)
	if err != nil || len(admin.Value) != 1 {
		t.Fatalf("%+v %v", admin, err)
	}
	if r, ok := admin.Value[0].(*armnetwork.ActiveSecurityAdminRule); !ok || *r.Properties.Access != armnetwork.SecurityConfigurationRuleAccessDeny || *r.Properties.Priority != 10 || len(r.RuleGroups) != 1 {
		t.Errorf("%+v", admin.Value[0])
	}
	effective, err := m.ListNetworkManagerEffectiveConnectivityConfigurations(ctx, "Net", "v", armnetwork.QueryRequestOptions{}, nil)
	if err != nil || len(effective.Value) != 1 || *effective.Value[0].ID != mesh {
		t.Errorf("%+v %v", effective, err)
	}
	rules, err := m.ListNetworkManagerEffectiveSecurityAdminRules(ctx, "Net", "v", armnetwork.QueryRequestOptions{}, nil)
	if err != nil || len(rules.Value) != 1 {
		t.Errorf("%+v %v", rules, err)
	} else if _, ok := rules.Value[0].(*armnetwork.EffectiveSecurityAdminRule); !ok {
		t.Errorf("%T", rules.Value[0])
	}
	// The admin rule decides before the security group that allows.
	flow, err := f.NewWatchersClient().BeginVerifyIPFlow(ctx, "NetworkWatcherRG", "NetworkWatcher_westeurope", armnetwork.VerificationIPFlowParameters{
		TargetResourceID: to.Ptr(machine), Direction: to.Ptr(armnetwork.DirectionInbound), Protocol: to.Ptr(armnetwork.IPFlowProtocolTCP),
		LocalIPAddress: to.Ptr("10.0.1.4"), LocalPort: to.Ptr("443"), RemoteIPAddress: to.Ptr("9.9.9.9"), RemotePort: to.Ptr("50000"),
	}, nil)
	if r := result(t, flow, err); *r.Access != armnetwork.AccessDeny || *r.RuleName != "securityAdminRules/web" {
		t.Errorf("%+v", r)
	}
	groups, err := f.NewInterfacesClient().BeginListEffectiveNetworkSecurityGroups(ctx, "Net", "n", nil)
	if r := result(t, groups, err); len(r.Value) != 2 || *r.Value[0].Association.NetworkManager.ID != nm || *r.Value[0].EffectiveSecurityRules[0].Name != "securityAdminRules/web" || *r.Value[0].EffectiveSecurityRules[0].SourceAddressPrefix != "9.9.9.0/24" {
		t.Errorf("%+v", r)
	}

	c.must("PUT", nm+"/ipamPools/p", `{"location":"westeurope","properties":{"addressPrefixes":["10.64.0.0/16"]}}`)
	c.must("PUT", nm+"/ipamPools/p/staticCidrs/s", `{"properties":{"numberOfIPAddressesToAllocate":"256"}}`)
	usage, err := f.NewIpamPoolsClient().GetPoolUsage(ctx, "Net", "nm", "p", nil)
	if err != nil || *usage.NumberOfAllocatedIPAddresses != "256" || *usage.TotalNumberOfIPAddresses != "65536" || *usage.AllocatedAddressPrefixes[0] != "10.64.0.0/24" {
		t.Errorf("%+v %v", usage, err)
	}
	page, err := f.NewIpamPoolsClient().NewListAssociatedResourcesPager("Net", "nm", "p", nil).NextPage(ctx)
	if err != nil || len(page.Value) != 1 || *page.Value[0].ResourceID != nm+"/ipamPools/p/staticCidrs/s" || *page.Value[0].TotalNumberOfIPAddresses != "256" {
		t.Errorf("%+v %v", page, err)
	}

	c.must("PUT", nm+"/verifierWorkspaces/w", `{"location":"westeurope"}`)
	intent := nm + "/verifierWorkspaces/w/reachabilityAnalysisIntents/i"
	c.must("PUT", intent, `{"properties":{"sourceResourceId":"`+machine+`","destinationResourceId":"`+subscription+`/internet","ipTraffic":{"sourceIps":["10.0.1.4"],"destinationIps":["9.9.9.9"],"sourcePorts":["*"],"destinationPorts":["25"],"protocols":["TCP"]}}}`)
	runs := f.NewReachabilityAnalysisRunsClient()
	if _, err := runs.Create(ctx, "Net", "nm", "w", "r", armnetwork.ReachabilityAnalysisRun{Properties: &armnetwork.ReachabilityAnalysisRunProperties{IntentID: to.Ptr(intent)}}, nil); err != nil {
		t.Fatal(err)
	}
	run, err := runs.Get(ctx, "Net", "nm", "w", "r", nil)
	var analysis struct{ ResultOutcome string }
	if err != nil || json.Unmarshal([]byte(*run.Properties.AnalysisResult), &analysis) != nil || analysis.ResultOutcome != "NoPacketsReached" || *run.Properties.IntentContent.IPTraffic.Protocols[0] != armnetwork.NetworkProtocolTCP {
		t.Errorf("%+v %v", run, err)
	}

	regional, err := f.NewUsagesClient().NewListPager("westeurope", nil).NextPage(ctx)
	if err != nil || len(regional.Value) < 10 || *regional.Value[0].CurrentValue != 1 {
		t.Errorf("%+v %v", regional, err)
	}
	subnets, err := f.NewVirtualNetworksClient().NewListUsagePager("Net", "v", nil).NextPage(ctx)
	if err != nil || len(subnets.Value) != 1 || *subnets.Value[0].CurrentValue != 1 || *subnets.Value[0].Limit != 251 {
		t.Errorf("%+v %v", subnets, err)
	}
	if a, err := m.CheckDNSNameAvailability(ctx, "westeurope", "shop", nil); err != nil || !*a.Available {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := f.NewVirtualNetworksClient().CheckIPAddressAvailability(ctx, "Net", "v", "10.0.1.4", nil); err != nil || *a.Available || *a.AvailableIPAddresses[0] != "10.0.1.5" {
		t.Errorf("%+v %v", a, err)
	}
}
