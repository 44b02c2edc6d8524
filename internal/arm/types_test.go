package arm_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// typeCase is one resource of a type: "@" stands for the provider
// Microsoft.Network of the test's group, "~" for the group.
type typeCase struct {
	path, body string
	// shows are properties the answer to GET must have, as path=value; value "+"
	// is anything that is not empty.
	shows []string
}

var typeCases = []typeCase{
	{"@/ddosProtectionPlans/ddos", `{"location":"westeurope"}`, nil},
	{"@/serviceEndpointPolicies/sep", `{"location":"westeurope"}`, nil},
	{"@/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"ddosProtectionPlan":{"id":"@/ddosProtectionPlans/ddos"},"subnets":[
		{"name":"a","properties":{"addressPrefix":"10.0.0.0/24","privateLinkServiceNetworkPolicies":"Disabled","serviceEndpointPolicies":[{"id":"@/serviceEndpointPolicies/sep"}]}},
		{"name":"gw","properties":{"addressPrefix":"10.0.5.0/24"}},
		{"name":"GatewaySubnet","properties":{"addressPrefix":"10.0.1.0/24"}},
		{"name":"AzureBastionSubnet","properties":{"addressPrefix":"10.0.2.0/24"}},
		{"name":"RouteServerSubnet","properties":{"addressPrefix":"10.0.3.0/24"}}]}}`, nil},
	{"@/publicIPPrefixes/prefix", `{"location":"westeurope","properties":{"prefixLength":28}}`, []string{"properties.ipPrefix=+", "sku.name=Standard"}},
	{"@/publicIPAddresses/p1", `{"location":"westeurope","sku":{"name":"Standard"}}`, []string{"properties.ipAddress=+"}},
	{"@/publicIPAddresses/p2", `{"location":"westeurope"}`, nil},
	{"@/publicIPAddresses/p3", `{"location":"westeurope"}`, nil},
	{"@/publicIPAddresses/p4", `{"location":"westeurope"}`, nil},
	{
		"@/loadBalancers/lb", `{"location":"westeurope","properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/a"}}}],
		"backendAddressPools":[{"name":"pool"}],
		"probes":[{"name":"probe","properties":{"protocol":"Tcp","port":80}}],
		"loadBalancingRules":[{"name":"rule","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,
			"frontendIPConfiguration":{"id":"@/loadBalancers/lb/frontendIPConfigurations/f"},
			"backendAddressPool":{"id":"@/loadBalancers/lb/backendAddressPools/pool"},"probe":{"id":"@/loadBalancers/lb/probes/probe"}}}]}}`,
		[]string{
			"sku.name=Standard", "properties.frontendIPConfigurations.0.properties.privateIPAddress=10.0.0.4",
			"properties.frontendIPConfigurations.0.properties.loadBalancingRules.0.id=@/loadBalancers/lb/loadBalancingRules/rule",
			"properties.probes.0.properties.loadBalancingRules.0.id=@/loadBalancers/lb/loadBalancingRules/rule",
		},
	},
	{"@/loadBalancers/lb/backendAddressPools/second", `{"properties":{}}`, nil},
	{"@/loadBalancers/lb/inboundNatRules/nat", `{"properties":{"protocol":"Tcp","frontendPort":2222,"backendPort":22,"frontendIPConfiguration":{"id":"@/loadBalancers/lb/frontendIPConfigurations/f"}}}`, nil},
	{
		"@/privateLinkServices/pls", `{"location":"westeurope","properties":{"loadBalancerFrontendIpConfigurations":[{"id":"@/loadBalancers/lb/frontendIPConfigurations/f"}],
		"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/a"}}}]}}`,
		[]string{"properties.alias=+", "properties.ipConfigurations.0.properties.privateIPAllocationMethod=Dynamic"},
	},
	{"~/providers/Microsoft.Storage/storageAccounts/files1", `{"location":"westeurope","sku":{"name":"Standard_LRS"},"kind":"StorageV2"}`, []string{"properties.primaryEndpoints.blob=https://files1.blob.core.windows.net/"}},
	{"~/providers/Microsoft.KeyVault/vaults/vault1", `{"location":"westeurope","properties":{"tenantId":"t"}}`, []string{"properties.vaultUri=https://vault1.vault.azure.net/"}},
	{"~/providers/Microsoft.Sql/servers/sql1", `{"location":"westeurope"}`, []string{"properties.fullyQualifiedDomainName=sql1.database.windows.net"}},
	{"~/providers/Microsoft.Sql/servers/sql2", `{"location":"northeurope"}`, nil},
	{"~/providers/Microsoft.Sql/servers/sql1/firewallRules/r", `{"properties":{"startIpAddress":"1.2.3.4","endIpAddress":"1.2.3.4"}}`, nil},
	{"~/providers/Microsoft.Sql/servers/sql1/virtualNetworkRules/r", `{"properties":{"virtualNetworkSubnetId":"@/virtualNetworks/v/subnets/a"}}`, nil},
	{"~/providers/Microsoft.Sql/servers/sql1/databases/db", `{"location":"westeurope"}`, []string{"properties.status=Online"}},
	{"~/providers/Microsoft.Sql/servers/sql1/failoverGroups/fog", `{"properties":{"partnerServers":[{"id":"~/providers/Microsoft.Sql/servers/sql2"}],"databases":["~/providers/Microsoft.Sql/servers/sql1/databases/db"]}}`, []string{"properties.replicationRole=Primary"}},
	{"@/privateDnsZones/privatelink.blob.core.windows.net", `{"location":"global"}`, []string{"properties.numberOfRecordSets=+"}},
	{
		"@/privateEndpoints/pe", `{"location":"westeurope","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/a"},"privateLinkServiceConnections":[{"name":"c","properties":{
		"privateLinkServiceId":"~/providers/Microsoft.Storage/storageAccounts/files1","groupIds":["blob"]}}]}}`,
		[]string{
			"properties.networkInterfaces.0.id=+", "properties.customDnsConfigs.0.ipAddresses.0=10.0.0.6",
			"properties.privateLinkServiceConnections.0.properties.privateLinkServiceConnectionState.status=Approved",
		},
	},
	{
		"@/privateEndpoints/pe/privateDnsZoneGroups/default", `{"properties":{"privateDnsZoneConfigs":[{"name":"b","properties":{"privateDnsZoneId":"@/privateDnsZones/privatelink.blob.core.windows.net"}}]}}`,
		[]string{"properties.privateDnsZoneConfigs.0.properties.recordSets.0.recordSetName=files1"},
	},
	{"@/virtualNetworkGateways/vng", `{"location":"westeurope","properties":{"gatewayType":"Vpn","vpnType":"RouteBased","ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/GatewaySubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p1"}}}]}}`, []string{"properties.bgpSettings.asn=+"}},
	{"@/localNetworkGateways/lng", `{"location":"westeurope","properties":{"gatewayIpAddress":"1.2.3.4","localNetworkAddressSpace":{"addressPrefixes":["192.168.0.0/16"]}}}`, nil},
	{"@/connections/conn", `{"location":"westeurope","properties":{"connectionType":"IPsec","virtualNetworkGateway1":{"id":"@/virtualNetworkGateways/vng"},"localNetworkGateway2":{"id":"@/localNetworkGateways/lng"}}}`, []string{"properties.connectionStatus=+"}},
	{"@/expressRouteCircuits/er", `{"location":"westeurope","sku":{"name":"Standard_MeteredData"}}`, []string{"properties.serviceKey=+"}},
	{"@/expressRouteCircuits/er/peerings/AzurePrivatePeering", `{"properties":{"peeringType":"AzurePrivatePeering","vlanId":100}}`, nil},
	{"@/virtualHubs/rs", `{"location":"westeurope","properties":{"sku":"Standard"}}`, []string{"properties.routingState=Provisioned"}},
	{"@/virtualHubs/rs/ipConfigurations/c", `{"properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/RouteServerSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p2"}}}`, nil},
	{"@/virtualHubs/rs/bgpConnections/nva", `{"properties":{"peerAsn":65001,"peerIp":"10.0.0.9"}}`, []string{"properties.connectionState=+"}},
	{"@/bastionHosts/b", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/AzureBastionSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p3"}}}]}}`, []string{"properties.dnsName=+"}},
	{
		"@/applicationGateways/agw", `{"location":"westeurope","properties":{"sku":{"name":"Standard_v2","tier":"Standard_v2"},
		"gatewayIPConfigurations":[{"name":"g","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/gw"}}}],
		"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"@/publicIPAddresses/p4"}}}],
		"frontendPorts":[{"name":"80","properties":{"port":80}}],
		"backendAddressPools":[{"name":"pool"}],
		"httpListeners":[{"name":"l","properties":{"frontendIPConfiguration":{"id":"@/applicationGateways/agw/frontendIPConfigurations/f"},"frontendPort":{"id":"@/applicationGateways/agw/frontendPorts/80"}}}]}}`,
		[]string{"properties.operationalState=Running", "properties.frontendPorts.0.id=@/applicationGateways/agw/frontendPorts/80"},
	},
	{"@/trafficManagerProfiles/tm", `{"location":"global","properties":{"trafficRoutingMethod":"Weighted","dnsConfig":{"relativeName":"shop"},"endpoints":[]}}`, []string{"properties.dnsConfig.fqdn=shop.trafficmanager.net"}},
	{"@/trafficManagerProfiles/tm/externalEndpoints/e", `{"properties":{"target":"example.com"}}`, []string{"properties.endpointStatus=Enabled"}},
	{"@/frontDoorWebApplicationFirewallPolicies/edge", `{"location":"Global","sku":{"name":"Premium_AzureFrontDoor"},"properties":{"policySettings":{"mode":"Detection"},"customRules":{"rules":[{"name":"r","priority":100,"ruleType":"MatchRule","action":"Block","matchConditions":[{"matchVariable":"RequestUri","operator":"Contains","matchValue":["x"]}]}]}}}`, []string{"properties.customRules.rules.0.enabledState=Enabled", "properties.resourceState=Enabled"}},
	{"~/providers/Microsoft.Cdn/profiles/shop", `{"location":"Global","sku":{"name":"Premium_AzureFrontDoor"},"properties":{"originResponseTimeoutSeconds":60}}`, []string{"properties.frontDoorId=+", "properties.resourceState=Active", "sku.name=Premium_AzureFrontDoor"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/afdEndpoints/web", `{"location":"Global","properties":{}}`, []string{"properties.hostName=+", "properties.enabledState=Enabled", "properties.deploymentStatus=NotStarted"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/originGroups/g", `{"properties":{"loadBalancingSettings":{"sampleSize":4,"successfulSamplesRequired":3},"healthProbeSettings":{"probePath":"/","probeRequestType":"HEAD","probeProtocol":"Http","probeIntervalInSeconds":100}}}`, []string{"properties.sessionAffinityState=Disabled"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/originGroups/g/origins/o", `{"properties":{"hostName":"origin.example"}}`, []string{"properties.httpPort=+", "properties.httpsPort=+", "properties.priority=+", "properties.enforceCertificateNameCheck=+"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/secrets/cert", `{"properties":{"parameters":{"type":"CustomerCertificate","useLatestVersion":true,"secretSource":{"id":"~/providers/Microsoft.KeyVault/vaults/vault1/secrets/c"}}}}`, nil},
	{"~/providers/Microsoft.Cdn/profiles/shop/customDomains/www", `{"properties":{"hostName":"www.contoso.example","tlsSettings":{"certificateType":"CustomerCertificate","minimumTlsVersion":"TLS12","secret":{"id":"~/providers/Microsoft.Cdn/profiles/shop/secrets/cert"}}}}`, []string{"properties.domainValidationState=Approved"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/ruleSets/set", `{"properties":{}}`, nil},
	{"~/providers/Microsoft.Cdn/profiles/shop/ruleSets/set/rules/r", `{"properties":{"order":1,"actions":[{"name":"RouteConfigurationOverride","parameters":{"typeName":"DeliveryRuleRouteConfigurationOverrideActionParameters","originGroupOverride":{"originGroup":{"id":"~/providers/Microsoft.Cdn/profiles/shop/originGroups/g"},"forwardingProtocol":"MatchRequest"}}}]}}`, []string{"properties.matchProcessingBehavior=Continue"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/afdEndpoints/web/routes/r", `{"properties":{"originGroup":{"id":"~/providers/Microsoft.Cdn/profiles/shop/originGroups/g"},"customDomains":[{"id":"~/providers/Microsoft.Cdn/profiles/shop/customDomains/www"}],"ruleSets":[{"id":"~/providers/Microsoft.Cdn/profiles/shop/ruleSets/set"}],"linkToDefaultDomain":"Enabled","httpsRedirect":"Enabled"}}`, []string{"properties.patternsToMatch.0=/*", "properties.forwardingProtocol=MatchRequest"}},
	{"~/providers/Microsoft.Cdn/profiles/shop/securityPolicies/p", `{"properties":{"parameters":{"type":"WebApplicationFirewall","wafPolicy":{"id":"@/frontDoorWebApplicationFirewallPolicies/edge"},"associations":[{"domains":[{"id":"~/providers/Microsoft.Cdn/profiles/shop/afdEndpoints/web"}],"patternsToMatch":["/*"]}]}}}`, nil},
	{"@/dnsZones/example.com", `{"location":"global"}`, []string{"properties.nameServers.3=+"}},
	{"@/dnsZones/example.com/A/www", `{"properties":{"TTL":60,"ARecords":[{"ipv4Address":"1.2.3.4"}]}}`, []string{"properties.fqdn=www.example.com."}},
	{"@/dnsZones/example.com/TXT/www", `{"properties":{"TTL":60,"TXTRecords":[{"value":["x"]}]}}`, nil},
	{"@/networkWatchers/nw", `{"location":"westeurope"}`, nil},
	{"@/networkManagers/nm", `{"location":"westeurope","properties":{"networkManagerScopes":{"subscriptions":["` + subscription + `"]},"networkManagerScopeAccesses":["Connectivity"]}}`, nil},
	{"@/networkManagers/nm/ipamPools/pool", `{"location":"westeurope","properties":{"addressPrefixes":["10.0.0.0/8"]}}`, nil},
	{"@/networkManagers/nm/ipamPools/pool/staticCidrs/c", `{"properties":{"addressPrefixes":["10.1.0.0/16"]}}`, nil},
	{"@/networkManagers/nm/verifierWorkspaces/w", `{"location":"westeurope"}`, nil},
	{"@/networkManagers/nm/verifierWorkspaces/w/reachabilityAnalysisIntents/i", `{"properties":{"sourceResourceId":"@/virtualNetworks/v/subnets/a","destinationResourceId":"@/virtualNetworks/v/subnets/a",
		"ipTraffic":{"sourceIps":["10.0.0.4"],"destinationIps":["10.0.0.5"],"sourcePorts":["*"],"destinationPorts":["80"],"protocols":["TCP"]}}}`, nil},
	{"~/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi", `{"location":"westeurope"}`, []string{"properties.principalId=+", "properties.clientId=+"}},
	{"~/providers/Microsoft.Compute/disks/d", `{"location":"westeurope"}`, nil},
	{"~/providers/Microsoft.Compute/availabilitySets/as", `{"location":"westeurope"}`, nil},
	{"~/providers/Microsoft.Authorization/roleDefinitions/22222222-2222-2222-2222-222222222222", `{"properties":{"roleName":"r","assignableScopes":["~"]}}`, nil},
	{"~/providers/Microsoft.Authorization/roleAssignments/33333333-3333-3333-3333-333333333333", `{"properties":{"roleDefinitionId":"~/providers/Microsoft.Authorization/roleDefinitions/22222222-2222-2222-2222-222222222222","principalId":"44444444-4444-4444-4444-444444444444"}}`, nil},
}

// TestTypes: Azure's SDK creates, reads, writes again, lists and deletes one
// resource of every type; a second equal write changes no etag, and what the
// types refer to cannot be deleted before them.
func TestTypes(t *testing.T) {
	c := newCloud(t).withGroup()
	s := newSDK(t, c)
	expand := strings.NewReplacer("@", network, "~", group).Replace
	list := func(path string) []any {
		i := strings.LastIndexByte(path, '/')
		return at(s.read(path[:i]), "value").([]any)
	}
	for _, tc := range typeCases {
		path, body := expand(tc.path), expand(tc.body)
		if _, err := s.run(http.MethodPut, path, bodyOf(t, body)); err != nil {
			t.Fatalf("%s: %v", tc.path, err)
		}
		got := s.read(path)
		if str(got, "id") != path {
			t.Errorf("%s: id %s", tc.path, str(got, "id"))
		}
		for _, want := range tc.shows {
			property, value, _ := strings.Cut(want, "=")
			have := follow(got, property)
			if value == "+" && have == nil || value != "+" && have != expand(value) {
				t.Errorf("%s: %s is %v, want %s", tc.path, property, have, value)
			}
		}
		if _, err := s.run(http.MethodPut, path, bodyOf(t, body)); err != nil {
			t.Errorf("%s again: %v", tc.path, err)
		}
		if again := s.read(path); str(again, "etag") != str(got, "etag") && str(got, "systemData", "createdBy") == "" {
			t.Errorf("%s: an equal write changed the etag", tc.path)
		}
		found := false
		for _, e := range list(path) {
			found = found || str(e, "id") == path
		}
		if !found {
			t.Errorf("%s is not listed", tc.path)
		}
	}
	for _, used := range []string{"@/virtualNetworks/v/subnets/a", "@/publicIPAddresses/p1", "@/localNetworkGateways/lng", "@/virtualNetworkGateways/vng", "@/ddosProtectionPlans/ddos", "@/loadBalancers/lb", "~/providers/Microsoft.Cdn/profiles/shop/originGroups/g", "~/providers/Microsoft.Cdn/profiles/shop/customDomains/www", "@/frontDoorWebApplicationFirewallPolicies/edge"} {
		if a := c.do("DELETE", expand(used), ""); a.status != 400 {
			t.Errorf("deleting %s in use: %d %s", used, a.status, a.raw)
		}
	}
	if a := c.do("GET", network+"/privateDnsZones/privatelink.blob.core.windows.net/A/files1", ""); a.status != 200 || at(a.body, "properties", "aRecords", 0, "ipv4Address") != "10.0.0.6" {
		t.Errorf("record of the zone group: %d %s", a.status, a.raw)
	}
	for i := len(typeCases) - 1; i >= 0; i-- {
		path := expand(typeCases[i].path)
		if _, err := s.run(http.MethodDelete, path, nil); err != nil {
			t.Errorf("deleting %s: %v", path, err)
			continue
		}
		if a := c.do("GET", path, ""); a.status != 404 {
			t.Errorf("%s is still there: %d", path, a.status)
		}
	}
	c.must("POST", subscription+"/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/vault1/purge", "")
	if left := c.written(); len(left) != 1 {
		t.Errorf("%d documents are left, the last is %s", len(left), left[len(left)-1].ID)
	}
}

// read gets a document through the SDK's pipeline.
func (s *sdk) read(path string) map[string]any {
	s.t.Helper()
	req, err := runtime.NewRequest(context.Background(), http.MethodGet, s.base+path+version)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.pipeline.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	var doc map[string]any
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		s.t.Errorf("GET %s: %v", path, runtime.NewResponseError(resp))
	} else if err := runtime.UnmarshalAsJSON(resp, &doc); err != nil {
		s.t.Errorf("GET %s: %v", path, err)
	}
	return doc
}

func bodyOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// follow returns what a path with dots leads to; numbers are indexes.
func follow(v any, path string) any {
	for _, part := range strings.Split(path, ".") {
		if i, err := strconv.Atoi(part); err == nil {
			v = at(v, i)
		} else {
			v = at(v, part)
		}
	}
	return v
}
