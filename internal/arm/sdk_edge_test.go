package arm_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKEdge: firewalls and their policies, application gateways, Bastion,
// watchers, plans and policies.
func TestSDKEdge(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	firewalls, policies, groups, ips := f.NewAzureFirewallsClient(), f.NewFirewallPoliciesClient(), f.NewFirewallPolicyRuleCollectionGroupsClient(), f.NewIPGroupsClient()
	plans, bastions, gateways, wafs := f.NewDdosProtectionPlansClient(), f.NewBastionHostsClient(), f.NewApplicationGatewaysClient(), f.NewWebApplicationFirewallPoliciesClient()
	watchers, logs, monitors := f.NewWatchersClient(), f.NewFlowLogsClient(), f.NewConnectionMonitorsClient()
	endpointPolicies, definitions := f.NewServiceEndpointPoliciesClient(), f.NewServiceEndpointPolicyDefinitionsClient()
	const agw = "@/applicationGateways/agw"
	live(t, []life{
		{
			id:     network + "/ddosProtectionPlans/plan",
			create: begin(plans.BeginCreateOrUpdate, groupName, "plan", doc[armnetwork.DdosProtectionPlan](`{"location":"westeurope"}`)),
			get:    call(plans.Get, groupName, "plan"), tag: set(plans.UpdateTags, groupName, "plan", tagsObject),
			lists: idLists{inGroup(plans.NewListByResourceGroupPager), everywhere(plans.NewListPager)}, remove: drop(plans.BeginDelete, groupName, "plan"),
			check: that(func(t *testing.T, r armnetwork.DdosProtectionPlansClientGetResponse) {
				is(t, "network", one(t, r.Properties.VirtualNetworks).ID, network+"/virtualNetworks/v")
			}),
		},
		{
			id:     network + "/serviceEndpointPolicies/sep",
			create: begin(endpointPolicies.BeginCreateOrUpdate, groupName, "sep", doc[armnetwork.ServiceEndpointPolicy](`{"location":"westeurope"}`)),
			get:    call(endpointPolicies.Get, groupName, "sep"), tag: set(endpointPolicies.UpdateTags, groupName, "sep", tagsObject),
			lists: idLists{inGroup(endpointPolicies.NewListByResourceGroupPager), everywhere(endpointPolicies.NewListPager)}, remove: drop(endpointPolicies.BeginDelete, groupName, "sep"),
			check: that(func(t *testing.T, r armnetwork.ServiceEndpointPoliciesClientGetResponse) {
				is(t, "subnet", one(t, r.Properties.Subnets).ID, network+"/virtualNetworks/v/subnets/app")
			}),
		},
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"enableDdosProtection":true,"ddosProtectionPlan":{"id":"@/ddosProtectionPlans/plan"},"subnets":[
			{"name":"AzureFirewallSubnet","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"AzureBastionSubnet","properties":{"addressPrefix":"10.0.1.0/24"}},
			{"name":"agw","properties":{"addressPrefix":"10.0.2.0/24"}},{"name":"app","properties":{"addressPrefix":"10.0.3.0/24","serviceEndpointPolicies":[{"id":"@/serviceEndpointPolicies/sep"}]}}]}}`),
		{
			id: network + "/serviceEndpointPolicies/sep/serviceEndpointPolicyDefinitions/d",
			create: beginChild(definitions.BeginCreateOrUpdate, groupName, "sep", "d", doc[armnetwork.ServiceEndpointPolicyDefinition](
				`{"properties":{"service":"Microsoft.Storage","serviceResources":["`+subscription+`"]}}`)),
			get: callChild(definitions.Get, groupName, "sep", "d"), lists: idLists{below(definitions.NewListByResourceGroupPager, "sep")},
			remove: dropChild(definitions.BeginDelete, groupName, "sep", "d"),
		},
		lifeOfPublicIP(f, "fw", nil), lifeOfPublicIP(f, "bastion", nil), lifeOfPublicIP(f, "agw", nil),
		{
			id:     network + "/ipGroups/ips",
			create: begin(ips.BeginCreateOrUpdate, groupName, "ips", doc[armnetwork.IPGroup](`{"location":"westeurope","properties":{"ipAddresses":["10.1.0.0/16","10.2.0.4"]}}`)),
			get:    call(ips.Get, groupName, "ips"), tag: set(ips.UpdateGroups, groupName, "ips", tagsObject),
			lists: idLists{inGroup(ips.NewListByResourceGroupPager), everywhere(ips.NewListPager)}, remove: drop(ips.BeginDelete, groupName, "ips"),
			check: that(func(t *testing.T, r armnetwork.IPGroupsClientGetResponse) {
				is(t, "policy", one(t, r.Properties.FirewallPolicies).ID, network+"/firewallPolicies/policy")
			}),
		},
		{
			id:     network + "/firewallPolicies/policy",
			create: begin(policies.BeginCreateOrUpdate, groupName, "policy", doc[armnetwork.FirewallPolicy](`{"location":"westeurope","properties":{}}`)),
			get:    call(policies.Get, groupName, "policy"), tag: set(policies.UpdateTags, groupName, "policy", tagsObject),
			lists: idLists{inGroup(policies.NewListPager), everywhere(policies.NewListAllPager)}, remove: drop(policies.BeginDelete, groupName, "policy"),
			check: that(func(t *testing.T, r armnetwork.FirewallPoliciesClientGetResponse) {
				p := r.Properties
				is(t, "tier", p.SKU.Tier, armnetwork.FirewallPolicySKUTierStandard)
				is(t, "threat intelligence", p.ThreatIntelMode, armnetwork.AzureFirewallThreatIntelModeAlert)
				is(t, "firewall", one(t, p.Firewalls).ID, network+"/azureFirewalls/fw")
				is(t, "group", one(t, p.RuleCollectionGroups).ID, network+"/firewallPolicies/policy/ruleCollectionGroups/rcg")
			}),
		},
		{
			id: network + "/firewallPolicies/policy/ruleCollectionGroups/rcg",
			create: beginChild(groups.BeginCreateOrUpdate, groupName, "policy", "rcg", doc[armnetwork.FirewallPolicyRuleCollectionGroup](`{"properties":{"priority":100,"ruleCollections":[
				{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"net","priority":100,"action":{"type":"Allow"},"rules":[
				{"ruleType":"NetworkRule","name":"r","ipProtocols":["TCP"],"sourceIpGroups":["@/ipGroups/ips"],"destinationAddresses":["*"],"destinationPorts":["443"]}]}]}}`)),
			get: callChild(groups.Get, groupName, "policy", "rcg"), lists: idLists{below(groups.NewListPager, "policy")},
			remove: dropChild(groups.BeginDelete, groupName, "policy", "rcg"),
		},
		{
			id: network + "/azureFirewalls/fw",
			create: begin(firewalls.BeginCreateOrUpdate, groupName, "fw", doc[armnetwork.AzureFirewall](`{"location":"westeurope","properties":{"firewallPolicy":{"id":"@/firewallPolicies/policy"},
				"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/fw"}}}]}}`)),
			get: call(firewalls.Get, groupName, "fw"), tag: begin(firewalls.BeginUpdateTags, groupName, "fw", tagsObject),
			lists: idLists{inGroup(firewalls.NewListPager), everywhere(firewalls.NewListAllPager)}, remove: drop(firewalls.BeginDelete, groupName, "fw"),
			check: that(func(t *testing.T, r armnetwork.AzureFirewallsClientGetResponse) {
				p := r.Properties
				is(t, "SKU", p.SKU.Name, armnetwork.AzureFirewallSKUNameAZFWVnet)
				is(t, "address", one(t, p.IPConfigurations).Properties.PrivateIPAddress, "10.0.0.4")
				if p.NetworkRuleCollections == nil || p.NatRuleCollections == nil || p.ApplicationRuleCollections == nil {
					t.Error("rule collections are absent")
				}
			}),
		},
		{
			id: network + "/bastionHosts/b",
			create: begin(bastions.BeginCreateOrUpdate, groupName, "b", doc[armnetwork.BastionHost](`{"location":"westeurope","properties":{
				"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/AzureBastionSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/bastion"}}}]}}`)),
			get: call(bastions.Get, groupName, "b"), tag: begin(bastions.BeginUpdateTags, groupName, "b", tagsObject),
			lists: idLists{inGroup(bastions.NewListByResourceGroupPager), everywhere(bastions.NewListPager)}, remove: drop(bastions.BeginDelete, groupName, "b"),
			check: that(func(t *testing.T, r armnetwork.BastionHostsClientGetResponse) {
				is(t, "units", r.Properties.ScaleUnits, 2)
			}),
		},
		{
			id: network + "/applicationGatewayWebApplicationFirewallPolicies/waf",
			create: set(wafs.CreateOrUpdate, groupName, "waf", doc[armnetwork.WebApplicationFirewallPolicy](
				`{"location":"westeurope","tags":{"team":"net"},"properties":{"managedRules":{"managedRuleSets":[{"ruleSetType":"OWASP","ruleSetVersion":"3.2"}]}}}`)),
			get: call(wafs.Get, groupName, "waf"), lists: idLists{inGroup(wafs.NewListPager), everywhere(wafs.NewListAllPager)}, remove: drop(wafs.BeginDelete, groupName, "waf"),
			check: that(func(t *testing.T, r armnetwork.WebApplicationFirewallPoliciesClientGetResponse) {
				is(t, "gateway", one(t, r.Properties.ApplicationGateways).ID, expand(agw))
				is(t, "mode", r.Properties.PolicySettings.Mode, armnetwork.WebApplicationFirewallModeDetection)
			}),
		},
		{
			id: expand(agw),
			create: begin(gateways.BeginCreateOrUpdate, groupName, "agw", doc[armnetwork.ApplicationGateway](`{"location":"westeurope","properties":{
				"sku":{"name":"WAF_v2","tier":"WAF_v2","capacity":1},"firewallPolicy":{"id":"@/applicationGatewayWebApplicationFirewallPolicies/waf"},
				"gatewayIPConfigurations":[{"name":"g","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/agw"}}}],
				"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"@/publicIPAddresses/agw"}}}],
				"frontendPorts":[{"name":"p80","properties":{"port":80}}],
				"backendAddressPools":[{"name":"pool"}],
				"backendHttpSettingsCollection":[{"name":"s","properties":{"port":80,"protocol":"Http"}}],
				"httpListeners":[{"name":"l","properties":{"protocol":"Http","frontendIPConfiguration":{"id":"`+agw+`/frontendIPConfigurations/f"},"frontendPort":{"id":"`+agw+`/frontendPorts/p80"}}}],
				"requestRoutingRules":[{"name":"r","properties":{"ruleType":"Basic","priority":10,"httpListener":{"id":"`+agw+`/httpListeners/l"},
					"backendAddressPool":{"id":"`+agw+`/backendAddressPools/pool"},"backendHttpSettings":{"id":"`+agw+`/backendHttpSettingsCollection/s"}}}]}}`)),
			get: call(gateways.Get, groupName, "agw"), tag: set(gateways.UpdateTags, groupName, "agw", tagsObject),
			lists: idLists{inGroup(gateways.NewListPager), everywhere(gateways.NewListAllPager)}, remove: drop(gateways.BeginDelete, groupName, "agw"),
			check: that(func(t *testing.T, r armnetwork.ApplicationGatewaysClientGetResponse) {
				p := r.Properties
				is(t, "state", p.OperationalState, armnetwork.ApplicationGatewayOperationalStateRunning)
				is(t, "rule of the listener", one(t, p.HTTPListeners).Properties.ProvisioningState, armnetwork.ProvisioningStateSucceeded)
				is(t, "cookies", one(t, p.BackendHTTPSettingsCollection).Properties.CookieBasedAffinity, armnetwork.ApplicationGatewayCookieBasedAffinityDisabled)
				is(t, "timeout", one(t, p.BackendHTTPSettingsCollection).Properties.RequestTimeout, 30)
				is(t, "SNI", one(t, p.HTTPListeners).Properties.RequireServerNameIndication, false)
				if _, err := wait(gateways.BeginStop(ctx, groupName, "agw", nil)); err != nil {
					t.Fatal(err)
				}
				stopped, err := gateways.Get(ctx, groupName, "agw", nil)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "state when stopped", stopped.Properties.OperationalState, armnetwork.ApplicationGatewayOperationalStateStopped)
				if _, err := wait(gateways.BeginStart(ctx, groupName, "agw", nil)); err != nil {
					t.Fatal(err)
				}
			}),
		},
		{
			id:     network + "/networkWatchers/nw",
			create: set(watchers.CreateOrUpdate, groupName, "nw", doc[armnetwork.Watcher](`{"location":"westeurope"}`)),
			get:    call(watchers.Get, groupName, "nw"), tag: set(watchers.UpdateTags, groupName, "nw", tagsObject),
			lists: idLists{inGroup(watchers.NewListPager), everywhere(watchers.NewListAllPager)}, remove: drop(watchers.BeginDelete, groupName, "nw"),
		},
		{
			id: network + "/networkWatchers/nw/flowLogs/log",
			create: beginChild(logs.BeginCreateOrUpdate, groupName, "nw", "log", doc[armnetwork.FlowLog](`{"location":"westeurope","properties":{
				"targetResourceId":"@/virtualNetworks/v","storageId":"~/providers/Microsoft.Storage/storageAccounts/logs","enabled":true}}`)),
			get: callChild(logs.Get, groupName, "nw", "log"), tag: setChild(logs.UpdateTags, groupName, "nw", "log", tagsObject),
			lists: idLists{below(logs.NewListPager, "nw")}, remove: dropChild(logs.BeginDelete, groupName, "nw", "log"),
			check: that(func(t *testing.T, r armnetwork.FlowLogsClientGetResponse) {
				is(t, "format", r.Properties.Format.Type, armnetwork.FlowLogFormatTypeJSON)
				is(t, "retention", r.Properties.RetentionPolicy.Enabled, false)
				if r.Properties.TargetResourceGUID == nil {
					t.Error("no GUID of the target")
				}
			}),
		},
		{
			id: network + "/networkWatchers/nw/connectionMonitors/m",
			create: beginChild(monitors.BeginCreateOrUpdate, groupName, "nw", "m", doc[armnetwork.ConnectionMonitor](`{"location":"westeurope","properties":{"endpoints":[{"name":"a","address":"10.0.3.4"},{"name":"b","address":"bing.com"}],
				"testConfigurations":[{"name":"tcp","protocol":"Tcp","tcpConfiguration":{"port":443}}],"testGroups":[{"name":"g","sources":["a"],"destinations":["b"],"testConfigurations":["tcp"]}]}}`)),
			get: callChild(monitors.Get, groupName, "nw", "m"), tag: setChild(monitors.UpdateTags, groupName, "nw", "m", tagsObject),
			lists: idLists{below(monitors.NewListPager, "nw")}, remove: dropChild(monitors.BeginDelete, groupName, "nw", "m"),
		},
	})
}
