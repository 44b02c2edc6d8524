package arm_test

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// result polls an operation of a typed client to its result.
func result[T any](t *testing.T, p *runtime.Poller[T], err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.PollUntilDone(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSDKDiagnose: the diagnostics of interfaces and network watchers through
// armnetwork's clients.
func TestSDKDiagnose(t *testing.T) {
	c := newCloud(t).withMachine()
	c.must("PUT", network+"/networkInterfaces/m", nicBody(network+"/virtualNetworks/v/subnets/s", ""))
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/vm2", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/m"}]}}}`)
	f := clients(newSDK(t, c), armnetwork.NewClientFactory)
	ctx := context.Background()
	const rg, nw = "NetworkWatcherRG", "NetworkWatcher_westeurope"
	w := f.NewWatchersClient()

	routes, err := f.NewInterfacesClient().BeginGetEffectiveRouteTable(ctx, "Net", "n", nil)
	if r := result(t, routes, err); len(r.Value) < 3 || *r.Value[0].NextHopType == "" || *r.Value[0].State != armnetwork.EffectiveRouteStateActive {
		t.Errorf("routes %+v", r)
	}
	groups, err := f.NewInterfacesClient().BeginListEffectiveNetworkSecurityGroups(ctx, "Net", "n", nil)
	if r := result(t, groups, err); len(r.Value) != 1 || len(r.Value[0].EffectiveSecurityRules) != 8 || r.Value[0].TagMap == nil {
		t.Errorf("groups %+v", r)
	}
	flow, err := w.BeginVerifyIPFlow(ctx, rg, nw, armnetwork.VerificationIPFlowParameters{
		TargetResourceID: to.Ptr(machine), Direction: to.Ptr(armnetwork.DirectionInbound), Protocol: to.Ptr(armnetwork.IPFlowProtocolTCP),
		LocalIPAddress: to.Ptr("10.0.1.4"), LocalPort: to.Ptr("443"), RemoteIPAddress: to.Ptr("9.9.9.9"), RemotePort: to.Ptr("50000"),
	}, nil)
	if r := result(t, flow, err); *r.Access != armnetwork.AccessAllow || *r.RuleName != "securityRules/web" {
		t.Errorf("flow %+v", r)
	}
	hop, err := w.BeginGetNextHop(ctx, rg, nw, armnetwork.NextHopParameters{TargetResourceID: to.Ptr(machine), SourceIPAddress: to.Ptr("10.0.1.4"), DestinationIPAddress: to.Ptr("10.9.0.1")}, nil)
	if r := result(t, hop, err); *r.NextHopType != armnetwork.NextHopTypeVirtualAppliance || *r.NextHopIPAddress != "10.0.1.200" {
		t.Errorf("hop %+v", r)
	}
	view, err := w.BeginGetVMSecurityRules(ctx, rg, nw, armnetwork.SecurityGroupViewParameters{TargetResourceID: to.Ptr(machine)}, nil)
	if r := result(t, view, err); len(r.NetworkInterfaces) != 1 || len(r.NetworkInterfaces[0].SecurityRuleAssociations.EffectiveSecurityRules) != 8 ||
		len(r.NetworkInterfaces[0].SecurityRuleAssociations.SubnetAssociation.SecurityRules) != 2 || len(r.NetworkInterfaces[0].SecurityRuleAssociations.DefaultSecurityRules) != 6 {
		t.Errorf("view %+v", r)
	}
	diagnostic, err := w.BeginGetNetworkConfigurationDiagnostic(ctx, rg, nw, armnetwork.ConfigurationDiagnosticParameters{
		TargetResourceID: to.Ptr(machine), Profiles: []*armnetwork.ConfigurationDiagnosticProfile{
			{Direction: to.Ptr(armnetwork.DirectionInbound), Protocol: to.Ptr("TCP"), Source: to.Ptr("Internet"), Destination: to.Ptr("10.0.1.4"), DestinationPort: to.Ptr("443")},
			{Direction: to.Ptr(armnetwork.DirectionOutbound), Protocol: to.Ptr("*"), Source: to.Ptr("*"), Destination: to.Ptr("*"), DestinationPort: to.Ptr("*")},
		},
	}, nil)
	r := result(t, diagnostic, err)
	if len(r.Results) != 2 || *r.Results[0].NetworkSecurityGroupResult.SecurityRuleAccessResult != armnetwork.SecurityRuleAccessAllow ||
		*r.Results[0].NetworkSecurityGroupResult.EvaluatedNetworkSecurityGroups[0].MatchedRule.RuleName != "UserRule_web" ||
		*r.Results[1].NetworkSecurityGroupResult.SecurityRuleAccessResult != armnetwork.SecurityRuleAccessDeny ||
		*r.Results[1].NetworkSecurityGroupResult.EvaluatedNetworkSecurityGroups[0].MatchedRule.RuleName != "UserRule_no-smtp" {
		t.Errorf("diagnostic %+v", r)
	}
	top, err := w.GetTopology(ctx, rg, nw, armnetwork.TopologyParameters{TargetResourceGroupName: to.Ptr("Net")}, nil)
	if err != nil || len(top.Resources) < 9 {
		t.Errorf("topology %+v %v", top, err)
	}
	found := map[string]armnetwork.AssociationType{}
	for _, r := range top.Resources {
		for _, a := range r.Associations {
			found[*r.Name+" "+*a.Name] = *a.AssociationType
		}
	}
	for pair, want := range map[string]armnetwork.AssociationType{"vm n": "Contains", "v s": "Contains", "s nsg": "Associated", "s rt": "Associated", "n s": "Associated", "nsg web": "Contains"} {
		if found[pair] != want {
			t.Errorf("%s is %q, want %s", pair, found[pair], want)
		}
	}
	check := func(destination *armnetwork.ConnectivityDestination) *armnetwork.ConnectivityInformation {
		t.Helper()
		p, err := w.BeginCheckConnectivity(ctx, rg, nw, armnetwork.ConnectivityParameters{Source: &armnetwork.ConnectivitySource{ResourceID: to.Ptr(machine)}, Destination: destination}, nil)
		got := result(t, p, err)
		return &got.ConnectivityInformation
	}
	if i := check(&armnetwork.ConnectivityDestination{ResourceID: to.Ptr(machine + "2"), Port: to.Ptr[int32](3389)}); *i.ConnectionStatus != "Reachable" || len(i.Hops) != 2 ||
		*i.Hops[0].Type != "Source" || *i.Hops[1].Type != "VirtualMachine" || *i.Hops[1].ResourceID != machine+"2" || *i.Hops[0].NextHopIDs[0] != *i.Hops[1].ID || *i.AvgLatencyInMs != 1 {
		t.Errorf("check %+v", i)
	}
	if i := check(&armnetwork.ConnectivityDestination{Address: to.Ptr("9.9.9.9"), Port: to.Ptr[int32](25)}); *i.ConnectionStatus != "Unreachable" || len(i.Hops) != 2 || *i.ProbesFailed != *i.ProbesSent ||
		*i.Hops[1].Type != "Internet" || *i.Hops[0].Issues[0].Type != armnetwork.IssueTypeNetworkSecurityRule || *i.Hops[0].Issues[0].Context[0]["value"] != network+"/networkSecurityGroups/nsg/SecurityRules/no-smtp" {
		t.Errorf("check %+v", i)
	}
	if i := check(&armnetwork.ConnectivityDestination{Address: to.Ptr("10.9.1.1"), Port: to.Ptr[int32](443)}); *i.ConnectionStatus != "Unreachable" || *i.Hops[0].Issues[0].Type != armnetwork.IssueTypeUserDefinedRoute {
		t.Errorf("check %+v", i)
	}
}
