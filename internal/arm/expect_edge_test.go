package arm_test

import (
	"strings"
	"testing"
)

// expectEdge is what the service was recorded to answer of application gateways,
// their firewall policies, DNS zones, Traffic Manager and Front Door
// (Azure/azure-cli recordings: test_network_ag_*, test_network_app_gateway_*,
// test_dns*, test_Private_Dns_*, test_network_traffic_manager*, test_afd_*).
var expectEdge = []expectation{
	{says: "network", method: "PUT", path: "@/virtualNetworks/v", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"agw","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`, status: 201},
	{says: "address", method: "PUT", path: "@/publicIPAddresses/p", body: `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","dnsSettings":{"domainNameLabel":"front"}}}`, status: 201},
	{says: "names and values in any case are answered in the service's", method: "PUT", path: "@/applicationGateways/g", body: gatewayBody("Standard_v2"), status: 201, has: map[string]string{
		"properties.httpListeners.0.properties.protocol":                   "Http",
		"properties.httpListeners.0.properties.frontendIPConfiguration.id": "@/applicationGateways/g/frontendIPConfigurations/f",
		"properties.httpListeners.0.properties.FrontendIpConfiguration":    "-",
		"properties.backendHttpSettingsCollection.0.properties.port":       "80",
		"properties.requestRoutingRules.0.properties.ruleType":             "Basic",
	}},
	{says: "parts show what uses them", method: "GET", path: "@/applicationGateways/g", status: 200, has: map[string]string{
		"properties.frontendPorts.0.properties.httpListeners.0.id":                       "@/applicationGateways/g/httpListeners/l",
		"properties.frontendIPConfigurations.0.properties.httpListeners":                 "#1",
		"properties.httpListeners.0.properties.requestRoutingRules.0.id":                 "@/applicationGateways/g/requestRoutingRules/r",
		"properties.backendAddressPools.0.properties.requestRoutingRules":                "#1",
		"properties.backendHttpSettingsCollection.0.properties.requestRoutingRules.0.id": "@/applicationGateways/g/requestRoutingRules/r",
		"properties.redirectConfigurations":                                              "#0",
	}},
	{says: "the second generation has its lists", method: "GET", path: "@/applicationGateways/g", status: 200, has: map[string]string{
		"properties.privateEndpointConnections": "#0", "properties.routingRules": "#0", "properties.trustedRootCertificates": "#0", "properties.authenticationCertificates": "-", "properties.enableHttp2": "-",
	}},
	{says: "the first generation has its own", method: "PUT", path: "@/applicationGateways/old", body: gatewayBody("WAF_Medium"), status: 201, has: map[string]string{
		"properties.authenticationCertificates": "#0", "properties.privateEndpointConnections": "-", "properties.routingRules": "-", "properties.trustedRootCertificates": "-",
	}},
	{says: "what uses a part is not the client's to say", method: "PUT", path: "@/applicationGateways/g", body: strings.Replace(gatewayBody("Standard_v2"), `"Port":8080`, `"Port":8080,"httpListeners":[{"id":"@/applicationGateways/g/httpListeners/gone"}]`, 1), status: 200, has: map[string]string{
		"properties.frontendPorts.0.properties.httpListeners.0.id": "@/applicationGateways/g/httpListeners/l",
	}},
	{says: "health on demand needs a pool", method: "POST", path: "@/applicationGateways/g/getBackendHealthOnDemand", body: `{}`, status: 400, code: "InvalidRequestFormat"},
	{says: "health on demand needs a pool of the gateway", method: "POST", path: "@/applicationGateways/g/getBackendHealthOnDemand", body: `{"backendAddressPool":{"id":"@/applicationGateways/g/backendAddressPools/none"},"backendHttpSettings":{"id":"@/applicationGateways/g/backendHttpSettingsCollection/s"}}`, status: 400, code: "InvalidResourceReference"},
	{says: "health on demand is an operation", method: "POST", path: "@/applicationGateways/g/getBackendHealthOnDemand", body: `{"backendAddressPool":{"id":"@/applicationGateways/g/backendAddressPools/b"},"backendHttpSettings":{"id":"@/applicationGateways/g/backendHttpSettingsCollection/s"}}`, status: 202},
	{says: "frontends without private link", method: "GET", path: "@/applicationGateways/g/privateLinkResources", status: 200, has: map[string]string{"value": "#0"}},

	{says: "a firewall policy spells its type with a capital", method: "PUT", path: "@/applicationGatewayWebApplicationFirewallPolicies/w", body: `{"location":"westeurope","properties":{"customRules":[{"name":"a","priority":1,"ruleType":"MatchRule","action":"Log","matchConditions":[]}],
		"managedRules":{"exclusions":[{"matchVariable":"RequestHeaderNames","selectorMatchOperator":"Equals","selector":"x"}],"managedRuleSets":[{"ruleSetType":"OWASP","ruleSetVersion":"3.2","ruleGroupOverrides":[{"ruleGroupName":"REQUEST-913-SCANNER-DETECTION","rules":[{"ruleId":"913100"}]}]}]}}}`, status: 201, has: map[string]string{
		"type":                           "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
		"properties.resourceState":       "-",
		"properties.customRules.0.state": "Enabled",
		"properties.managedRules.exclusions.0.exclusionManagedRuleSets":                "#0",
		"properties.customRules.0.skippedManagedRuleSets":                              "#0",
		"properties.managedRules.managedRuleSets.0.ruleGroupOverrides.0.rules.0.state": "Disabled",
	}},

	{says: "public zones spell their type in lower case and have tags", method: "PUT", path: "@/dnsZones/example.com", body: `{"location":"global"}`, status: 201, has: map[string]string{"type": "Microsoft.Network/dnszones", "tags": "*", "id": "@/dnsZones/example.com"}},
	{says: "their record sets, too, also the first", method: "GET", path: "@/dnsZones/example.com/SOA/%40", status: 200, has: map[string]string{"type": "Microsoft.Network/dnszones/SOA", "properties.targetResource": "*"}},
	{says: "a set without records", method: "PUT", path: "@/dnsZones/example.com/A/a", body: `{"properties":{"ttl":30}}`, status: 201, has: map[string]string{"type": "Microsoft.Network/dnszones/A", "properties.TTL": "30", "properties.ARecords": "#0", "properties.targetResource": "*"}},
	{says: "an alias has no records", method: "PUT", path: "@/dnsZones/example.com/A/alias", body: `{"properties":{"TTL":30,"targetResource":{"id":"@/publicIPAddresses/p"}}}`, status: 201, has: map[string]string{"properties.ARecords": "-", "properties.targetResource.id": "@/publicIPAddresses/p"}},
	{says: "a set of DS", method: "PUT", path: "@/dnsZones/example.com/DS/d", body: `{"properties":{"TTL":30,"DSRecords":[{"keyTag":15288,"algorithm":5,"digest":{"algorithmType":2,"value":"49FD"}}]}}`, status: 201, has: map[string]string{"type": "Microsoft.Network/dnszones/DS", "properties.DSRecords.0.digest.value": "49FD"}},
	{says: "a digest is hexadecimal", method: "PUT", path: "@/dnsZones/example.com/DS/d", body: `{"properties":{"TTL":30,"DSRecords":[{"keyTag":15288,"algorithm":5,"digest":{"algorithmType":2,"value":"49F"}}]}}`, status: 400, code: "InvalidRequestFormat"},
	{says: "a set of TLSA", method: "PUT", path: "@/dnsZones/example.com/TLSA/t", body: `{"properties":{"TTL":30}}`, status: 201, has: map[string]string{"properties.TLSARecords": "#0"}},

	{says: "a private zone is accepted", method: "PUT", path: "@/privateDnsZones/corp.example", body: `{"location":"global"}`, status: 202},
	{says: "so is its change", method: "PATCH", path: "@/privateDnsZones/corp.example", body: `{"tags":{"a":"b"}}`, status: 202},
	{says: "its sets without records", method: "PUT", path: "@/privateDnsZones/corp.example/MX/m", body: `{"properties":{"ttl":30}}`, status: 201, has: map[string]string{"properties.mxRecords": "#0", "properties.targetResource": "-"}},
	{says: "it keeps the serial number of its SOA", method: "PUT", path: "@/privateDnsZones/corp.example/SOA/%40", body: `{"properties":{"ttl":30,"soaRecord":{"serialNumber":2003080800,"email":"a.b"}}}`, status: 200, has: map[string]string{"properties.soaRecord.serialNumber": "1", "properties.soaRecord.email": "a.b"}},
	{says: "of links, Resource Manager says that they are not there", method: "GET", path: "@/privateDnsZones/corp.example/virtualNetworkLinks/none", status: 404, code: "ResourceNotFound"},
	{says: "of record sets, the provider", method: "GET", path: "@/privateDnsZones/corp.example/A/none", status: 404, code: "NotFound"},

	{says: "a name for a profile is free", method: "POST", path: "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", body: `{"name":"tmname","type":"Microsoft.Network/trafficManagerProfiles"}`, status: 200, has: map[string]string{"nameAvailable": "true"}},
	{says: "a routing method in any case", method: "PUT", path: "@/trafficManagerProfiles/tm", body: `{"location":"global","properties":{"trafficRoutingMethod":"weighted","dnsConfig":{"relativeName":"tmname","ttl":30},"monitorConfig":{"protocol":"HTTP","port":80,"path":"/"}}}`, status: 201, has: map[string]string{"properties.trafficRoutingMethod": "Weighted", "tags": "*"}},
	{says: "the name is taken now", method: "POST", path: "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", body: `{"name":"TMname","type":"Microsoft.Network/trafficManagerProfiles"}`, status: 200, has: map[string]string{"nameAvailable": "false", "reason": "AlreadyExists"}},
	{says: "no label of a name", method: "POST", path: "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", body: `{"name":"a.b","type":"Microsoft.Network/trafficManagerProfiles"}`, status: 200, has: map[string]string{"nameAvailable": "false", "reason": "Invalid"}},
	{says: "an endpoint tells where its address is", method: "PUT", path: "@/trafficManagerProfiles/tm/azureEndpoints/e", body: `{"properties":{"targetResourceId":"@/publicIPAddresses/p"}}`, status: 201, has: map[string]string{"properties.target": "front.westeurope.cloudapp.azure.com", "properties.endpointLocation": "West Europe"}},
	{says: "changing one answers as making one does", method: "PUT", path: "@/trafficManagerProfiles/tm/azureEndpoints/e", body: `{"properties":{"targetResourceId":"@/publicIPAddresses/p","weight":3}}`, status: 201},
	{says: "one that is always served is not watched", method: "PUT", path: "@/trafficManagerProfiles/tm/externalEndpoints/x", body: `{"properties":{"target":"www.example.com","alwaysServe":"Enabled"}}`, status: 201, has: map[string]string{"properties.endpointMonitorStatus": "Unmonitored"}},

	{says: "a front door", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d", body: `{"location":"global","sku":{"name":"Standard_AzureFrontDoor"}}`, status: 201, has: map[string]string{"kind": "frontdoor", "location": "Global", "tags": "*", "systemData": "-"}},
	{says: "its parts spell their types in lower case", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d/afdEndpoints/e", body: `{"location":"global"}`, status: 201, has: map[string]string{"type": "Microsoft.Cdn/profiles/afdendpoints", "location": "Global"}},
	{says: "changes of parts are accepted", method: "PATCH", path: "{group}/providers/Microsoft.Cdn/profiles/d/afdEndpoints/e", body: `{"tags":{"a":"b"}}`, status: 202},
	{says: "a rule set", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d/ruleSets/s", status: 201},
	{says: "conditions are filled in", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d/ruleSets/s/rules/r", body: `{"properties":{"order":1,"conditions":[{"name":"IsDevice","parameters":{"typeName":"DeliveryRuleIsDeviceConditionParameters","operator":"Equal","matchValues":["Mobile"]}}],
		"actions":[{"name":"ModifyRequestHeader","parameters":{"typeName":"DeliveryRuleHeaderActionParameters","headerAction":"Append","headerName":"x","value":"y"}}]}}`, status: 201, has: map[string]string{
		"type": "Microsoft.Cdn/profiles/rulesets/rules", "properties.conditions.0.parameters.negateCondition": "false", "properties.conditions.0.parameters.transforms": "#0",
	}},
	{says: "a rule is deleted at once", method: "DELETE", path: "{group}/providers/Microsoft.Cdn/profiles/d/ruleSets/s/rules/r", status: 200},
	{says: "an origin group", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d/originGroups/o", body: `{"properties":{}}`, status: 201},
	{says: "an origin tells its group", method: "PUT", path: "{group}/providers/Microsoft.Cdn/profiles/d/originGroups/o/origins/a", body: `{"properties":{"hostName":"a.example"}}`, status: 201, has: map[string]string{"properties.originGroupName": "o"}},
}

// gatewayBody is an application gateway as the Azure CLI's template spells it.
func gatewayBody(sku string) string {
	return strings.ReplaceAll(`{"location":"westeurope","properties":{"sku":{"name":"SKU","tier":"TIER","capacity":2},
		"gatewayIPConfigurations":[{"name":"g","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/agw"}}}],
		"frontendIPConfigurations":[{"name":"f","properties":{FRONT}}],
		"frontendPorts":[{"name":"p","properties":{"Port":8080}}],
		"backendAddressPools":[{"name":"b"}],
		"backendHttpSettingsCollection":[{"name":"s","properties":{"Port":80,"Protocol":"Http","CookieBasedAffinity":"disabled"}}],
		"httpListeners":[{"name":"l","properties":{"FrontendIpConfiguration":{"Id":"GW/frontendIPConfigurations/f"},"FrontendPort":{"Id":"GW/frontendPorts/p"},"Protocol":"http"}}],
		"requestRoutingRules":[{"Name":"r","properties":{"RuleType":"Basic","priority":10,"httpListener":{"id":"GW/httpListeners/l"},"backendAddressPool":{"id":"GW/backendAddressPools/b"},"backendHttpSettings":{"id":"GW/backendHttpSettingsCollection/s"}}}]}}`, "SKU", sku)
}

// TestRecordedEdge: what the service was recorded to answer.
func TestRecordedEdge(t *testing.T) {
	list := append([]expectation{}, expectEdge...)
	for i, e := range list {
		name, front := "g", `"publicIPAddress":{"id":"@/publicIPAddresses/p"}`
		if strings.HasSuffix(e.path, "/old") {
			name, front = "old", `"subnet":{"id":"@/virtualNetworks/v/subnets/agw"}`
		}
		list[i].body = strings.NewReplacer("GW", "@/applicationGateways/"+name, "FRONT", front, "TIER", "Standard_v2").Replace(e.body)
	}
	newCloud(t).withGroup().expect(t, list)
}
