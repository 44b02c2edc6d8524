package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

const network = "globo"

// parseResources reads a JSON array of documents. "$" in them stands for
// /subscriptions/s/resourceGroups and "@" for /providers/Microsoft.Network.
func parseResources(t testing.TB, text string) []*model.Resource {
	t.Helper()
	text = strings.ReplaceAll(text, "$", "/subscriptions/s/resourceGroups")
	text = strings.ReplaceAll(text, "@", "/providers/Microsoft.Network")
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var docs []map[string]any
	if err := dec.Decode(&docs); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	out := make([]*model.Resource, len(docs))
	for i, doc := range docs {
		id, _ := doc["id"].(string)
		r := &model.Resource{ID: model.MustParseID(id), Doc: doc, Pos: model.Pos{File: "net.yaml", Line: i + 1, Column: 3}}
		out[i] = r
	}
	return out
}

// sample is a small network with one of nearly everything: n is the number of
// spokes.
func sample(t testing.TB, n int) []*model.Resource {
	var b strings.Builder
	b.WriteString(`[
{"id":"$/net","location":"West Europe"},
{"id":"$/net@/firewallPolicies/global","location":"westeurope","properties":{"threatIntelMode":"Deny"}},
{"id":"$/net@/firewallPolicies/global/ruleCollectionGroups/base","properties":{"priority":100,"ruleCollections":[
  {"name":"web","ruleCollectionType":"FirewallPolicyFilterRuleCollection","priority":100,"action":{"type":"Allow"},"rules":[
    {"name":"out","ruleType":"NetworkRule","ipProtocols":["TCP"],"sourceAddresses":["10.0.0.0/8"],"destinationPorts":["443"]}]}]}},
{"id":"$/net@/virtualNetworks/hub","location":"westeurope","tags":{"network_role":"hub"},"properties":{
  "addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"AzureFirewallSubnet","properties":{"addressPrefix":"10.0.0.0/26"}}]}},
{"id":"$/net@/azureFirewalls/fw","location":"westeurope","properties":{"firewallPolicy":{"id":"$/net@/firewallPolicies/global"},
  "ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"$/net@/virtualNetworks/hub/subnets/AzureFirewallSubnet"}}}]}},
{"id":"$/net@/networkManagers/m","location":"westeurope","properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]},"networkManagerScopeAccesses":["Connectivity","SecurityAdmin"]}},
{"id":"$/net@/networkManagers/m/networkGroups/prod","properties":{"memberType":"VirtualNetwork"}},
{"id":"/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/prod","properties":{"mode":"Microsoft.Network.Data","policyRule":{
  "if":{"field":"tags['env']","equals":"prod"},"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"$/net@/networkManagers/m/networkGroups/prod"}}}}},
{"id":"/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/prod","properties":{"policyDefinitionId":"/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/prod"}},
{"id":"$/net@/networkManagers/m/connectivityConfigurations/star","properties":{"connectivityTopology":"HubAndSpoke",
  "hubs":[{"resourceId":"$/net@/virtualNetworks/hub","resourceType":"Microsoft.Network/virtualNetworks"}],
  "appliesToGroups":[{"networkGroupId":"$/net@/networkManagers/m/networkGroups/prod","groupConnectivity":"None"}]}},
{"id":"$/net@/networkManagers/m/securityAdminConfigurations/guard","properties":{"description":"ports"}},
{"id":"$/net@/networkManagers/m/securityAdminConfigurations/guard/ruleCollections/all","properties":{"appliesToGroups":[{"networkGroupId":"$/net@/networkManagers/m/networkGroups/prod"}]}},
{"id":"$/net@/networkManagers/m/securityAdminConfigurations/guard/ruleCollections/all/rules/ssh","kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":10,"protocol":"Tcp","destinationPortRanges":["22"]}},
{"id":"$/net@/networkManagers/m/commits/Connectivity.westeurope","properties":{"commitType":"Connectivity","targetLocation":"westeurope","configurationIds":["$/net@/networkManagers/m/connectivityConfigurations/star"]}},
{"id":"$/net@/networkManagers/m/commits/SecurityAdmin.westeurope","properties":{"commitType":"SecurityAdmin","targetLocation":"westeurope","configurationIds":["$/net@/networkManagers/m/securityAdminConfigurations/guard"]}},
{"id":"$/net@/networkManagers/m/commits/SecurityAdmin.eastus","properties":{"commitType":"SecurityAdmin","targetLocation":"eastus","configurationIds":["$/net@/networkManagers/m/securityAdminConfigurations/guard"]}},
{"id":"$/net@/privateDnsZones/globo.com","location":"global"},
{"id":"$/net@/privateDnsZones/globo.com/A/db","properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.1.0.4"}]}},
{"id":"$/net@/privateDnsZones/globo.com/virtualNetworkLinks/hub","location":"global","properties":{"virtualNetwork":{"id":"$/net@/virtualNetworks/hub"},"registrationEnabled":false}}
`)
	for i := 1; i <= n; i++ {
		s := `,
{"id":"$/net@/networkSecurityGroups/nsg#","location":"westeurope","properties":{"securityRules":[
  {"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}},
{"id":"$/net@/routeTables/rt#","location":"westeurope","properties":{"routes":[{"name":"out","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}}]}},
{"id":"$/net@/virtualNetworks/spoke#","location":"westeurope","tags":{"env":"prod"},"properties":{"addressSpace":{"addressPrefixes":["10.#.0.0/16"]},"subnets":[
  {"name":"app","properties":{"addressPrefix":"10.#.0.0/24","networkSecurityGroup":{"id":"$/net@/networkSecurityGroups/nsg#"},"routeTable":{"id":"$/net@/routeTables/rt#"}}}]}},
{"id":"$/net@/virtualNetworks/spoke#/virtualNetworkPeerings/to-hub","properties":{"remoteVirtualNetwork":{"id":"$/net@/virtualNetworks/hub"},"allowForwardedTraffic":true}},
{"id":"$/net@/virtualNetworks/hub/virtualNetworkPeerings/to-spoke#","properties":{"remoteVirtualNetwork":{"id":"$/net@/virtualNetworks/spoke#"}}},
{"id":"$/net@/networkInterfaces/web#","location":"westeurope","properties":{"ipConfigurations":[{"name":"ipconfig1","properties":{"privateIPAddress":"10.#.0.4","privateIPAllocationMethod":"Static","subnet":{"id":"$/net@/virtualNetworks/spoke#/subnets/app"}}}]}},
{"id":"$/net/providers/Microsoft.Compute/virtualMachines/web#","location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"$/net@/networkInterfaces/web#"}]}}}`
		b.WriteString(strings.ReplaceAll(s, "#", fmt.Sprint(i)))
	}
	b.WriteString("]")
	return parseResources(t, b.String())
}
