package arm_test

import (
	"encoding/base64"
	"os"
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
	{says: "keys of certificates are not shown", method: "PUT", path: "@/applicationGateways/tls", body: strings.Replace(gatewayBody("Standard_v2"), `"properties":{"sku"`, `"properties":{"sslCertificates":[{"name":"c","properties":{"data":"{pfx}","password":"secret"}}],"trustedClientCertificates":[{"name":"t","properties":{"data":"{authority}"}}],"sku"`, 1), status: 201, has: map[string]string{
		"properties.sslCertificates.0.properties.data": "-", "properties.sslCertificates.0.properties.password": "-", "properties.sslCertificates.0.properties.publicCertData": "~^MII.*KoZIhvcNAQcC",
		"properties.trustedClientCertificates.0.properties.clientCertIssuerDN": `CN=root, O="Contoso, Ltd", S=Some-State, C=AU`, "properties.trustedClientCertificates.0.properties.validatedCertData": "~^-----BEGIN CERTIFICATE-----MII",
	}},
	{says: "a certificate without its key keeps the one it had", method: "PUT", path: "@/applicationGateways/tls", body: strings.Replace(gatewayBody("Standard_v2"), `"properties":{"sku"`, `"properties":{"sslCertificates":[{"name":"c","properties":{}}],"sku"`, 1), status: 200, has: map[string]string{
		"properties.sslCertificates.0.properties.publicCertData": "~^MII.*KoZIhvcNAQcC",
	}},
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
	{says: "which sets are aliases of a resource", method: "POST", path: "{sub}/providers/Microsoft.Network/getDnsResourceReference", body: `{"properties":{"targetResources":[{"id":"@/publicIPAddresses/p"},{"id":"@/publicIPAddresses/none"}]}}`, status: 200, has: map[string]string{
		"properties.dnsResourceReferences": "#1", "properties.dnsResourceReferences.0.dnsResources.0.id": "@/dnsZones/example.com/A/alias", "properties.dnsResourceReferences.0.targetResource.id": "@/publicIPAddresses/p",
	}},
	{says: "aliases of nothing", method: "POST", path: "{sub}/providers/Microsoft.Network/getDnsResourceReference", body: `{}`, status: 400, code: "InvalidRequestContent"},
	{says: "a set of DS", method: "PUT", path: "@/dnsZones/example.com/DS/d", body: `{"properties":{"TTL":30,"DSRecords":[{"keyTag":15288,"algorithm":5,"digest":{"algorithmType":2,"value":"49FD"}}]}}`, status: 201, has: map[string]string{"type": "Microsoft.Network/dnszones/DS", "properties.DSRecords.0.digest.value": "49FD"}},
	{says: "a digest is hexadecimal", method: "PUT", path: "@/dnsZones/example.com/DS/d", body: `{"properties":{"TTL":30,"DSRecords":[{"keyTag":15288,"algorithm":5,"digest":{"algorithmType":2,"value":"49F"}}]}}`, status: 400, code: "InvalidRequestFormat"},
	{says: "a set of TLSA", method: "PUT", path: "@/dnsZones/example.com/TLSA/t", body: `{"properties":{"TTL":30}}`, status: 201, has: map[string]string{"properties.TLSARecords": "#0"}},

	{says: "a private zone is accepted", method: "PUT", path: "@/privateDnsZones/corp.example", body: `{"location":"global"}`, status: 202},
	{says: "so is its change", method: "PATCH", path: "@/privateDnsZones/corp.example", body: `{"tags":{"a":"b"}}`, status: 202},
	{says: "its first version has no internal ID", method: "GET", path: "@/privateDnsZones/corp.example?api-version=2018-09-01", status: 200, has: map[string]string{"properties.internalId": "-", "properties.numberOfRecordSets": "1"}},
	{says: "later ones do", method: "GET", path: "@/privateDnsZones/corp.example?api-version=2024-06-01", status: 200, has: map[string]string{"properties.internalId": "*"}},
	{says: "its sets without records", method: "PUT", path: "@/privateDnsZones/corp.example/MX/m", body: `{"properties":{"ttl":30}}`, status: 201, has: map[string]string{"properties.mxRecords": "#0", "properties.targetResource": "-"}},
	{says: "it keeps the serial number of its SOA", method: "PUT", path: "@/privateDnsZones/corp.example/SOA/%40", body: `{"properties":{"ttl":30,"soaRecord":{"serialNumber":2003080800,"email":"a.b"}}}`, status: 200, has: map[string]string{"properties.soaRecord.serialNumber": "1", "properties.soaRecord.email": "a.b"}},
	{says: "of links, Resource Manager says that they are not there", method: "GET", path: "@/privateDnsZones/corp.example/virtualNetworkLinks/none", status: 404, code: "ResourceNotFound"},
	{says: "of record sets, the provider", method: "GET", path: "@/privateDnsZones/corp.example/A/none", status: 404, code: "NotFound"},

	{says: "a name for a profile is free", method: "POST", path: "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", body: `{"name":"tmname","type":"Microsoft.Network/trafficManagerProfiles"}`, status: 200, has: map[string]string{"nameAvailable": "true"}},
	{says: "a routing method in any case", method: "PUT", path: "@/trafficManagerProfiles/tm", body: `{"location":"global","properties":{"trafficRoutingMethod":"weighted","dnsConfig":{"relativeName":"tmname","ttl":30},"monitorConfig":{"protocol":"HTTP","port":80,"path":"/"}}}`, status: 201, has: map[string]string{"properties.trafficRoutingMethod": "Weighted"}},
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

// expectHybrid is the same of VPN gateways, ExpressRoute circuits and Route
// Servers (test_network_vpn_*, test_vpn_client_package,
// test_network_express_route*, test_network_virtual_hub_router_scenario).
var expectHybrid = []expectation{
	{says: "network", method: "PUT", path: "@/virtualNetworks/v", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"GatewaySubnet","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"RouteServerSubnet","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`, status: 201},
	{says: "address", method: "PUT", path: "@/publicIPAddresses/p", body: `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`, status: 201},
	{says: "address of a hub", method: "PUT", path: "@/publicIPAddresses/q", body: `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`, status: 201},
	{says: "who clients are follows from what is configured", method: "PUT", path: "@/virtualNetworkGateways/g", body: `{"location":"westeurope","properties":{"gatewayType":"Vpn","sku":{"name":"VpnGw1","tier":"VpnGw1"},
		"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/GatewaySubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p"}}}],
		"natRules":[{"name":"n","properties":{"internalMappings":[{"addressSpace":"10.4.0.0/24"}],"externalMappings":[{"addressSpace":"192.168.21.0/24"}]}}],
		"vpnClientConfiguration":{"vpnClientAddressPool":{"addressPrefixes":["40.1.0.0/24"]},"vpnAuthenticationTypes":[],"vpnClientRootCertificates":[{"name":"r","properties":{"publicCertData":"MIID"}}],"aadTenant":"https://login.example/t"}}}`, status: 201, has: map[string]string{
		"properties.vpnClientConfiguration.vpnClientProtocols.0":                                "OpenVPN",
		"properties.vpnClientConfiguration.vpnClientProtocols":                                  "#2",
		"properties.vpnClientConfiguration.vpnAuthenticationTypes.0":                            "AAD",
		"properties.vpnClientConfiguration.vpnAuthenticationTypes.1":                            "Certificate",
		"properties.vpnClientConfiguration.radiusServers":                                       "#0",
		"properties.vpnClientConfiguration.vpnClientRootCertificates.0.type":                    "Microsoft.Network/virtualNetworkGateways/vpnClientRootCertificates",
		"properties.vpnClientConfiguration.vpnClientConnectionHealth.vpnClientConnectionsCount": "0",
		"properties.packetCaptureDiagnosticState":                                               "None",
		"properties.natRules.0.properties.mode":                                                 "EgressSnat", "properties.natRules.0.properties.type": "Static",
	}},
	{says: "traffic of others is not known to older versions", method: "GET", path: "@/virtualNetworkGateways/g?api-version=2022-01-01", status: 200, has: map[string]string{"properties.allowRemoteVnetTraffic": "-", "properties.activeActive": "false"}},
	{says: "nothing was set for clients", method: "POST", path: "@/virtualNetworkGateways/g/getvpnclientipsecparameters", status: 404, code: "NotFound"},
	{says: "all parameters are needed", method: "POST", path: "@/virtualNetworkGateways/g/setvpnclientipsecparameters", body: `{"saLifeTimeSeconds":7200}`, status: 400, code: "InvalidRequestFormat"},
	{says: "set them", method: "POST", path: "@/virtualNetworkGateways/g/setvpnclientipsecparameters", body: `{"saLifeTimeSeconds":7200,"saDataSizeKilobytes":2048,"ipsecEncryption":"GCMAES256","ipsecIntegrity":"GCMAES256","ikeEncryption":"AES256","ikeIntegrity":"SHA384","dhGroup":"DHGroup24","pfsGroup":"PFS24"}`, status: 202},
	{says: "ask for them", method: "POST", path: "@/virtualNetworkGateways/g/getvpnclientipsecparameters", status: 200, has: map[string]string{"saLifeTimeSeconds": "7200", "pfsGroup": "PFS24"}},
	{says: "reset is an operation", method: "POST", path: "@/virtualNetworkGateways/g/reset", status: 202},
	{says: "so is asking for clients", method: "POST", path: "@/virtualNetworkGateways/g/getVpnClientConnectionHealth", status: 202},
	{says: "a site's weight is 0", method: "PUT", path: "@/localNetworkGateways/l", body: `{"location":"westeurope","properties":{"localNetworkAddressSpace":{"addressPrefixes":["10.9.0.0/16"]},"gatewayIpAddress":"203.0.113.7","bgpSettings":{"asn":65050,"bgpPeeringAddress":"10.9.0.1"}}}`, status: 201, has: map[string]string{"properties.bgpSettings.peerWeight": "0"}},
	{says: "types of connections are answered in the service's spelling", method: "PUT", path: "@/connections/c", body: `{"location":"westeurope","properties":{"connectionType":"IPSec","virtualNetworkGateway1":{"id":"@/virtualNetworkGateways/g"},"localNetworkGateway2":{"id":"@/localNetworkGateways/l"},"sharedKey":"abc"}}`, status: 201, has: map[string]string{"properties.connectionType": "IPsec", "properties.packetCaptureDiagnosticState": "None"}},
	{says: "disconnecting needs connections", method: "POST", path: "@/virtualNetworkGateways/g/disconnectVirtualNetworkGatewayVpnConnections", body: `{"vpnConnectionIds":[]}`, status: 400, code: "InvalidRequestFormat"},
	{says: "disconnecting needs those that are there", method: "POST", path: "@/virtualNetworkGateways/g/disconnectVirtualNetworkGatewayVpnConnections", body: `{"vpnConnectionIds":["@/connections/none"]}`, status: 400, code: "InvalidResourceReference"},
	{says: "disconnecting is an operation", method: "POST", path: "@/virtualNetworkGateways/g/disconnectVirtualNetworkGatewayVpnConnections", body: `{"vpnConnectionIds":["@/connections/c"]}`, status: 202},

	{says: "a circuit has a GUID and a tag", method: "PUT", path: "@/expressRouteCircuits/er", body: `{"location":"westeurope","sku":{"name":"Standard_MeteredData","tier":"Standard","family":"MeteredData"},"properties":{"serviceProviderProperties":{"serviceProviderName":"P","peeringLocation":"L","bandwidthInMbps":50}}}`, status: 201, has: map[string]string{"properties.resourceGuid": "*", "properties.stag": "*", "properties.allowGlobalReach": "false"}},
	{says: "prefixes for Microsoft have to be shown to be the customer's", method: "PUT", path: "@/expressRouteCircuits/er/peerings/MicrosoftPeering", body: `{"properties":{"peeringType":"MicrosoftPeering","peerASN":10000,"vlanId":101,"primaryPeerAddressPrefix":"101.0.0.0/30","secondaryPeerAddressPrefix":"102.0.0.0/30","microsoftPeeringConfig":{"advertisedPublicPrefixes":["104.0.0.0/30"],"customerASN":10000},"ipv6PeeringConfig":{"primaryPeerAddressPrefix":"2001:db8::/126","secondaryPeerAddressPrefix":"2001:db8:1::/126"}}}`, status: 201, has: map[string]string{
		"properties.microsoftPeeringConfig.advertisedPublicPrefixesState": "ValidationNeeded", "properties.microsoftPeeringConfig.legacyMode": "0", "properties.ipv6PeeringConfig.state": "Enabled",
	}},
	{says: "bytes of a circuit", method: "GET", path: "@/expressRouteCircuits/er/stats", status: 200, has: map[string]string{"primaryBytesIn": "0"}},
	{says: "bytes of a peering", method: "GET", path: "@/expressRouteCircuits/er/peerings/MicrosoftPeering/stats", status: 200, has: map[string]string{"secondaryBytesOut": "0"}},

	{says: "a Route Server", method: "PUT", path: "@/virtualHubs/h", body: `{"location":"westeurope","properties":{"sku":"Standard"}}`, status: 201, has: map[string]string{"properties.networkVirtualAppliances": "#0", "kind": "RouteServer"}},
	{says: "its configuration", method: "PUT", path: "@/virtualHubs/h/ipConfigurations/c", body: `{"properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/RouteServerSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/q"}}}`, status: 201, has: map[string]string{"properties.privateIPAllocationMethod": "Dynamic"}},
	{says: "older versions show its addresses and not the configuration", method: "GET", path: "@/virtualHubs/h?api-version=2022-01-01", status: 200, has: map[string]string{"properties.virtualRouterIps": "#2", "properties.ipConfigurations": "-"}},
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
	pfx, err := os.ReadFile("testdata/gateway.pfx.txt") // a certificate that signs itself, with its key, in base64
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile("testdata/authority.pem") // the same without its key
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range list {
		name, front := "g", `"publicIPAddress":{"id":"@/publicIPAddresses/p"}`
		if i := strings.LastIndex(e.path, "/"); strings.HasSuffix(e.path, "/old") || strings.HasSuffix(e.path, "/tls") {
			name, front = e.path[i+1:], `"subnet":{"id":"@/virtualNetworks/v/subnets/agw"}`
		}
		list[i].body = strings.NewReplacer("{pfx}", string(pfx), "{authority}", base64.StdEncoding.EncodeToString(authority), "GW", "@/applicationGateways/"+name, "FRONT", front, "TIER", "Standard_v2").Replace(e.body)
	}
	newCloud(t).withGroup().expect(t, list)
}

// TestRecordedHybrid: the same of hybrid connectivity.
func TestRecordedHybrid(t *testing.T) { newCloud(t).withGroup().expect(t, expectHybrid) }
