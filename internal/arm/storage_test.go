package arm_test

import (
	"encoding/base64"
	"testing"
)

// TestStorageAccount: an account has two keys of 512 bits, its own, and its
// services from the start; deleting it takes them along.
func TestStorageAccount(t *testing.T) {
	c := newCloud(t).withGroup()
	account := func(name string) string { return group + "/providers/Microsoft.Storage/storageAccounts/" + name }
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		if a := c.must("PUT", account(name), `{"location":"westeurope","sku":{"name":"Standard_LRS"},"kind":"StorageV2","properties":{}}`); a.status != 202 {
			t.Errorf("creation: %d", a.status)
		}
		keys, _ := c.must("POST", account(name)+"/listKeys", "").body["keys"].([]any)
		if len(keys) != 2 {
			t.Fatalf("keys: %v", keys)
		}
		for _, k := range keys {
			v := str(k, "value")
			if b, err := base64.StdEncoding.DecodeString(v); err != nil || len(b) != 64 || seen[v] {
				t.Errorf("key %v", k)
			}
			seen[v] = true
		}
	}
	again, _ := c.must("POST", account("one")+"/listKeys", "").body["keys"].([]any)
	if !seen[str(again[0], "value")] {
		t.Error("keys change by themselves")
	}
	blob := account("one") + "/blobServices/default"
	if got := c.get(blob); at(got, "properties", "deleteRetentionPolicy", "enabled") != false {
		t.Errorf("blob services: %v", got)
	}
	c.must("PUT", blob, `{"properties":{"deleteRetentionPolicy":{"enabled":true,"days":7}}}`)
	c.must("PUT", account("one"), `{"location":"westeurope","sku":{"name":"Standard_LRS"},"kind":"StorageV2","properties":{}}`)
	if got := c.get(blob); at(got, "properties", "deleteRetentionPolicy", "enabled") != true {
		t.Errorf("a write of the account takes its services' settings back: %v", got)
	}
	c.must("DELETE", account("one"), "")
	c.refused(404, "NotFound", "GET", blob, "")
}
