package arm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// wrongValues take the place of each value of a document in turn.
var wrongValues = []string{
	`null`, `true`, `0`, `-1`, `1e308`, `123456789012345678901234567890`, `0.5`, `""`, `" "`, `"x"`, `"*"`, `"\u0000"`, `"/"`,
	`"/subscriptions/s/resourceGroups/g/providers/A.B/c/d"`, `"::/0"`, `"0.0.0.0/0"`, `"999.1.1.1"`, `"[resourceGroup().id]"`,
	`[]`, `[null]`, `[[]]`, `[{}]`, `["x"]`, `{}`, `{"id":5}`, `{"id":null}`, `{"name":[]}`, `{"properties":[]}`, `{"properties":{"properties":null}}`,
}

// mutants are the documents that differ from one in one value.
func mutants(doc any, change func(any)) {
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		for _, w := range wrongValues {
			var x any
			_ = json.Unmarshal([]byte(w), &x)
			set(x)
			change(doc)
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], func(x any) { v[k] = x })
			}
		case []any:
			for i := range v {
				walk(v[i], func(x any) { v[i] = x })
			}
		}
	}
	root, _ := doc.(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(root)) {
		walk(root[k], func(x any) { root[k] = x })
	}
}

// moreCases are resources of types that typeCases does not have, or has barely.
var moreCases = []typeCase{
	{"@/applicationSecurityGroups/asg", `{"location":"westeurope"}`, nil},
	{"@/networkSecurityGroups/nsg", `{"location":"westeurope","properties":{"securityRules":[{"name":"r","properties":{"protocol":"Tcp","sourcePortRange":"*","destinationPortRanges":["80","443-445"],"sourceAddressPrefixes":["10.0.0.0/8"],
		"destinationApplicationSecurityGroups":[{"id":"@/applicationSecurityGroups/asg"}],"access":"Allow","priority":100,"direction":"Inbound"}}]}}`, nil},
	{"@/networkSecurityGroups/nsg/securityRules/s", `{"properties":{"protocol":"*","sourcePortRange":"*","destinationPortRange":"*","sourceAddressPrefix":"*","destinationAddressPrefix":"Internet","access":"Deny","priority":101,"direction":"Outbound"}}`, nil},
	{"@/routeTables/rt", `{"location":"westeurope","properties":{"disableBgpRoutePropagation":true,"routes":[{"name":"r","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.9"}}]}}`, nil},
	{"@/routeTables/rt/routes/s", `{"properties":{"addressPrefix":"10.0.0.0/8","nextHopType":"None"}}`, nil},
	{"@/publicIPAddresses/p5", `{"location":"westeurope","zones":["1"],"sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","dnsSettings":{"domainNameLabel":"mutant5"},"idleTimeoutInMinutes":10,"ddosSettings":{"protectionMode":"Enabled"}}}`, nil},
	{"@/natGateways/nat", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"idleTimeoutInMinutes":10,"publicIpAddresses":[{"id":"@/publicIPAddresses/p5"}]}}`, nil},
	{"@/virtualNetworks/w", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.1.0.0/16","fd00::/48"]},"dhcpOptions":{"dnsServers":["10.0.0.9"]},"bgpCommunities":{"virtualNetworkCommunity":"12076:20001"},"subnets":[
		{"name":"a","properties":{"addressPrefixes":["10.1.0.0/24","fd00::/64"],"networkSecurityGroup":{"id":"@/networkSecurityGroups/nsg"},"routeTable":{"id":"@/routeTables/rt"},"natGateway":{"id":"@/natGateways/nat"},
			"serviceEndpoints":[{"service":"Microsoft.Storage","locations":["westeurope"]}],"delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Sql/managedInstances"}}]}},
		{"name":"b","properties":{"addressPrefix":"10.1.1.0/24"}},
		{"name":"AzureFirewallSubnet","properties":{"addressPrefix":"10.1.2.0/24"}}]}}`, nil},
	{"@/virtualNetworks/w/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"@/virtualNetworks/v"},"allowVirtualNetworkAccess":true,"allowForwardedTraffic":true,"allowGatewayTransit":false,"useRemoteGateways":false}}`, nil},
	{"@/networkInterfaces/n", `{"location":"westeurope","properties":{"enableIPForwarding":true,"dnsSettings":{"dnsServers":["10.0.0.9"],"internalDnsNameLabel":"n"},"networkSecurityGroup":{"id":"@/networkSecurityGroups/nsg"},"ipConfigurations":[
		{"name":"c","properties":{"primary":true,"privateIPAddressVersion":"IPv4","privateIPAllocationMethod":"Static","privateIPAddress":"10.1.1.9","subnet":{"id":"@/virtualNetworks/w/subnets/b"},"applicationSecurityGroups":[{"id":"@/applicationSecurityGroups/asg"}]}}]}}`, nil},
	{"~/providers/Microsoft.Compute/virtualMachines/vm", `{"location":"westeurope","properties":{"hardwareProfile":{"vmSize":"Standard_B1s"},"osProfile":{"computerName":"vm","adminUsername":"u","adminPassword":"Passw0rd!23","linuxConfiguration":{"ssh":{"publicKeys":[{"path":"/x","keyData":"y"}]}}},
		"storageProfile":{"imageReference":{"publisher":"Canonical","offer":"UbuntuServer","sku":"18.04-LTS","version":"latest"},"osDisk":{"name":"d","createOption":"FromImage"},"dataDisks":[{"lun":0,"createOption":"Empty","diskSizeGB":1}]},
		"networkProfile":{"networkInterfaces":[{"id":"@/networkInterfaces/n","properties":{"primary":true}}]}}}`, nil},
	{"@/publicIPAddresses/p6", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`, nil},
	{"@/ipGroups/ig", `{"location":"westeurope","properties":{"ipAddresses":["10.0.0.0/8","10.1.1.1-10.1.1.9"]}}`, nil},
	{"@/firewallPolicies/fp", `{"location":"westeurope","properties":{"sku":{"tier":"Premium"},"threatIntelMode":"Alert","dnsSettings":{"servers":["10.0.0.9"],"enableProxy":true},"intrusionDetection":{"mode":"Alert"}}}`, nil},
	{"@/firewallPolicies/fp/ruleCollectionGroups/g", `{"properties":{"priority":100,"ruleCollections":[{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"c","priority":100,"action":{"type":"Allow"},"rules":[
		{"ruleType":"NetworkRule","name":"n","ipProtocols":["TCP"],"sourceIpGroups":["@/ipGroups/ig"],"destinationAddresses":["*"],"destinationPorts":["80"]}]},
		{"ruleCollectionType":"FirewallPolicyNatRuleCollection","name":"d","priority":101,"action":{"type":"DNAT"},"rules":[{"ruleType":"NatRule","name":"n","ipProtocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["20.0.0.1"],"destinationPorts":["80"],"translatedAddress":"10.0.0.4","translatedPort":"8080"}]},
		{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"e","priority":102,"action":{"type":"Deny"},"rules":[{"ruleType":"ApplicationRule","name":"n","protocols":[{"protocolType":"Https","port":443}],"sourceAddresses":["*"],"targetFqdns":["*.example"]}]}]}}`, nil},
	{"@/azureFirewalls/fw", `{"location":"westeurope","properties":{"sku":{"name":"AZFW_VNet","tier":"Premium"},"firewallPolicy":{"id":"@/firewallPolicies/fp"},"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/w/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"@/publicIPAddresses/p6"}}}]}}`, nil},
	{"@/privateDnsZones/corp.example", `{"location":"global"}`, nil},
	{"@/privateDnsZones/corp.example/virtualNetworkLinks/l", `{"location":"global","properties":{"registrationEnabled":true,"resolutionPolicy":"Default","virtualNetwork":{"id":"@/virtualNetworks/w"}}}`, nil},
	{"@/privateDnsZones/corp.example/A/a", `{"properties":{"ttl":10,"aRecords":[{"ipv4Address":"10.0.0.4"}]}}`, nil},
	{"@/privateDnsZones/corp.example/SRV/a", `{"properties":{"ttl":10,"srvRecords":[{"priority":1,"weight":2,"port":3,"target":"x.example"}]}}`, nil},
	{"@/privateDnsZones/corp.example/TXT/a", `{"properties":{"ttl":10,"txtRecords":[{"value":["a","b"]}],"metadata":{"a":"b"}}}`, nil},
	{"@/dnsZones/example.com/CAA/c", `{"properties":{"TTL":60,"caaRecords":[{"flags":0,"tag":"issue","value":"x"}]}}`, nil},
	{"@/networkManagers/nm/networkGroups/g", `{"properties":{"memberType":"VirtualNetwork"}}`, nil},
	{"@/networkManagers/nm/networkGroups/g/staticMembers/m", `{"properties":{"resourceId":"@/virtualNetworks/w"}}`, nil},
	{"@/networkManagers/nm/connectivityConfigurations/c", `{"properties":{"connectivityTopology":"HubAndSpoke","hubs":[{"resourceType":"Microsoft.Network/virtualNetworks","resourceId":"@/virtualNetworks/v"}],"appliesToGroups":[{"networkGroupId":"@/networkManagers/nm/networkGroups/g","groupConnectivity":"None","useHubGateway":"False","isGlobal":"False"}],"isGlobal":"False","deleteExistingPeering":"True"}}`, nil},
	{"@/networkManagers/nm/securityAdminConfigurations/s", `{"properties":{"applyOnNetworkIntentPolicyBasedServices":["None"]}}`, nil},
	{"@/networkManagers/nm/securityAdminConfigurations/s/ruleCollections/c", `{"properties":{"appliesToGroups":[{"networkGroupId":"@/networkManagers/nm/networkGroups/g"}]}}`, nil},
	{"@/networkManagers/nm/securityAdminConfigurations/s/ruleCollections/c/rules/r", `{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":1,"protocol":"Tcp","sourcePortRanges":["0-65535"],"destinationPortRanges":["22"],"sources":[{"addressPrefixType":"IPPrefix","addressPrefix":"*"}],"destinations":[{"addressPrefixType":"IPPrefix","addressPrefix":"*"}]}}`, nil},
	{"@/networkManagers/nm/routingConfigurations/r", `{"properties":{}}`, nil},
	{"@/networkManagers/nm/routingConfigurations/r/ruleCollections/c", `{"properties":{"appliesTo":[{"networkGroupId":"@/networkManagers/nm/networkGroups/g"}],"disableBgpRoutePropagation":"True"}}`, nil},
	{"@/networkManagers/nm/routingConfigurations/r/ruleCollections/c/rules/r", `{"properties":{"destination":{"type":"AddressPrefix","destinationAddress":"0.0.0.0/0"},"nextHop":{"nextHopType":"Internet"}}}`, nil},
	{"@/dnsZones/example.com/MX/m", `{"properties":{"TTL":60,"MXRecords":[{"preference":1,"exchange":"m.example.com"}]}}`, nil},
}

// TestMutants: a value of a wrong type or out of its range, anywhere in a
// resource of any type, is kept or refused with an error; it never breaks the
// server, nor what is compiled of the store afterwards. Every
// 307th is tried; with CERULEAN_MUTANTS=all, all are, which takes minutes, and with a
// part of a path those of the resources there.
func TestMutants(t *testing.T) {
	every, only := 307, os.Getenv("CERULEAN_MUTANTS")
	if only != "" {
		every = 1
	}
	c := newCloud(t).withGroup()
	expand := strings.NewReplacer("@", network, "~", group).Replace
	cases := slices.Concat(typeCases, moreCases)
	for _, tc := range cases {
		c.must("PUT", expand(tc.path), expand(tc.body))
	}
	whole := make([]string, len(cases)) // as they are shown, once all are there
	for i, tc := range cases {
		whole[i] = string(c.must("GET", expand(tc.path), "").raw)
	}
	nic := network + "/networkInterfaces/watching"
	c.must("PUT", nic, nicBody(network+"/virtualNetworks/v/subnets/a", ""))
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/watching", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+nic+`"}]}}}`)
	n := 0
	for i, tc := range cases {
		path := expand(tc.path)
		if only != "all" && !strings.Contains(path, only) {
			continue
		}
		var doc any
		if err := json.Unmarshal([]byte(whole[i]), &doc); err != nil {
			t.Fatal(err)
		}
		mutants(doc, func(m any) {
			if n++; n%every != 0 {
				return
			}
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{"PUT", "PATCH"} {
				a, raw := c.mutant(t, method, path, string(b))
				if a.status >= 500 || a.status >= 400 && (a.code() == "" || a.message() == "") {
					t.Errorf("%s %s: %d %.300s of %s", method, tc.path, a.status, raw, b)
				}
				if a.status >= 300 {
					continue
				}
				for _, get := range []string{path, path[:strings.LastIndexByte(path, '/')]} {
					if a, raw := c.handle(t, "GET", get, strings.NewReader(""), nil); a.status != 200 {
						t.Errorf("GET %s after %s %s: %d %.300s", get, method, b, a.status, raw)
					}
				}
				if f := compiled(t, c, nic); f != "" {
					t.Errorf("%s %s: %s of %s", method, tc.path, f, b)
				}
			}
			c.handle(t, "PUT", path, strings.NewReader(whole[i]), nil)
		})
	}
	t.Logf("%d mutants", n/every)
}

// mutant sends a document; a panic is an answer of status 599.
func (c *cloud) mutant(t *testing.T, method, path, body string) (a answer, raw string) {
	defer func() {
		if r := recover(); r != nil {
			a, raw = answer{status: 599}, fmt.Sprint(r)
		}
	}()
	return c.handle(t, method, path, strings.NewReader(body), nil)
}

// compiled asks for what is compiled of the store and returns what broke.
func compiled(t *testing.T, c *cloud, nic string) string {
	a, raw := c.handle(t, "POST", nic+"/effectiveRouteTable", strings.NewReader(""), nil)
	if a.status >= 500 {
		return fmt.Sprintf("the effective routes: %d %.300s", a.status, raw)
	}
	return ""
}
