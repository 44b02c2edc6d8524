package arm_test

import (
	"strings"
	"testing"
)

// TestLinkResources: what private endpoints may lead to ("Azure Private Endpoint
// private DNS zone values").
func TestLinkResources(t *testing.T) {
	c := newCloud(t).withGroup()
	for _, tc := range []struct {
		path, body  string
		groups      int
		group, zone string
	}{
		{"/providers/Microsoft.Storage/storageAccounts/store", `{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_LRS"}}`, 6, "blob", "privatelink.blob.core.windows.net"},
		{"/providers/Microsoft.Sql/servers/sql", `{"location":"eastus","properties":{}}`, 1, "sqlServer", "privatelink.database.windows.net"},
		{"/providers/Microsoft.KeyVault/vaults/vault", `{"location":"eastus","properties":{"sku":{"family":"A","name":"standard"}}}`, 1, "vault", "privatelink.vaultcore.azure.net"},
	} {
		c.must("PUT", group+tc.path, tc.body)
		list, _ := at(c.get(group+tc.path+"/privateLinkResources"), "value").([]any)
		if len(list) != tc.groups {
			t.Fatalf("%s: %v", tc.path, list)
		}
		first, _ := list[0].(map[string]any)
		zones, _ := at(first, "properties", "requiredZoneNames").([]any)
		if str(first, "properties", "groupId") != tc.group || len(zones) != 1 || zones[0] != tc.zone || str(first, "id") != group+tc.path+"/privateLinkResources/"+tc.group {
			t.Errorf("%s: %v", tc.path, first)
		}
	}
}

// TestApprovedWords: a connection that the service's list of subscriptions lets in
// is approved in other words than one that its maker may make ("What is Azure
// Private Link service?", Control service access; recorded with the Azure CLI, and
// expected by HashiCorp's acceptance tests).
func TestApprovedWords(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.0.0/24","privateLinkServiceNetworkPolicies":"Disabled"}}]}}`)
	subnet := `{"id":"` + network + `/virtualNetworks/v/subnets/a"}`
	c.must("PUT", network+"/loadBalancers/lb", `{"location":"eastus","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":`+subnet+`}}]}}`)
	own := strings.TrimPrefix(subscription, "/subscriptions/")
	for name, tc := range map[string]struct{ listed, words string }{
		"nobody":  {`[]`, "Auto Approved"},
		"another": {`["22222222-2222-2222-2222-222222222222"]`, "Auto Approved"},
		"own":     {`["22222222-2222-2222-2222-222222222222","` + strings.ToUpper(own) + `"]`, "Approved"},
		"any":     {`["*"]`, "Approved"},
	} {
		service := network + "/privateLinkServices/" + name
		c.must("PUT", service, `{"location":"eastus","properties":{"autoApproval":{"subscriptions":`+tc.listed+`},"visibility":{"subscriptions":["*"]},
			"loadBalancerFrontendIpConfigurations":[{"id":"`+network+`/loadBalancers/lb/frontendIPConfigurations/f"}],"ipConfigurations":[{"name":"c","properties":{"subnet":`+subnet+`}}]}}`)
		made := c.must("PUT", network+"/privateEndpoints/"+name, `{"location":"eastus","properties":{"subnet":`+subnet+`,"privateLinkServiceConnections":[{"name":"c","properties":{"privateLinkServiceId":"`+service+`"}}]}}`)
		for where, state := range map[string]any{
			"endpoint": at(made.body, "properties", "privateLinkServiceConnections", 0, "properties", "privateLinkServiceConnectionState"),
			"service":  at(c.get(service), "properties", "privateEndpointConnections", 0, "properties", "privateLinkServiceConnectionState"),
		} {
			if str(state, "description") != tc.words || str(state, "status") != "Approved" {
				t.Errorf("%s, %s: %v", name, where, state)
			}
		}
	}
}
