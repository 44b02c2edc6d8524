package arm_test

import "testing"

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
