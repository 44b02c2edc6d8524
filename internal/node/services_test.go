package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/ceruleannet/cerulean/internal/node"
)

const vault = `
network: safe
regions: [westeurope]
networks:
  - name: app
    subnets:
      web: {hosts: {web-1: {roles: [Key Vault Secrets User on safe-vault]}}}
      links: {}
services: [{name: safe-vault, kind: key-vault, public: false, secrets: {word: correct-horse}}]
private-endpoints: [{name: vault, service: safe-vault, subnet: links, zones: [privatelink.vaultcore.azure.net]}]
dns: {privatelink.vaultcore.azure.net: {link: all}}
expectations: [{allow: web -> endpoint:vault https}]
`

// TestUpServices: a network that is applied to the embedded cloud has the
// identities, roles and contents that were declared; run again over the same
// state, it still has.
func TestUpServices(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "network.yaml")
	if err := os.WriteFile(file, []byte(vault), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := node.Up(t.Context(), file, node.UpOptions{Dir: filepath.Join(dir, "cloud")}, func(node.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Net.Host("web-1")
		if err != nil {
			t.Fatal(err)
		}
		options := azcore.ClientOptions{Transport: h.HTTPClient(), Retry: policy.RetryOptions{MaxRetries: -1}}
		identity, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		client, err := azsecrets.NewClient("https://safe-vault.vault.azure.net", identity, &azsecrets.ClientOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.GetSecret(t.Context(), "word", "", nil)
		if err != nil || *got.Value != "correct-horse" {
			t.Errorf("%+v, %v", got, err)
		}
		if s.Failed() {
			t.Error(s.Rows())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	// A role that there is not is told with its place.
	wrong := strings.Replace(vault, "Key Vault Secrets User", "Key Vault Reader of Minds", 1)
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := node.Up(t.Context(), file, node.UpOptions{}, func(node.Event) {})
	if err == nil || !strings.Contains(err.Error(), `network.yaml:7`) || !strings.Contains(err.Error(), `"Key Vault Reader of Minds" is no built-in role`) {
		t.Error(err)
	}
}
