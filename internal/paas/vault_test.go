package paas_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

func (w *world) secrets(t *testing.T, who string) *azsecrets.Client {
	t.Helper()
	c, err := azsecrets.NewClient("https://shop-vault.vault.azure.net", credential(who), &azsecrets.ClientOptions{ClientOptions: w.options()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The life of a secret as the SDK leads it: versions, attributes, pages,
// deletion, recovery, purge, backup ("About Azure Key Vault secrets").
func TestSecrets(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["officer"] = []string{"data:Microsoft.KeyVault/vaults/secrets/* " + vaultID}
	c, ctx := w.secrets(t, "officer"), t.Context()
	first, err := c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("one"), ContentType: to.Ptr("text/plain"), Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetSecret(ctx, "DB", azsecrets.SetSecretParameters{Value: to.Ptr("two")}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetSecret(ctx, "db", "", nil)
	if err != nil || *got.Value != "two" || got.ID.Name() != "db" || *got.Attributes.RecoveryLevel != "Recoverable+Purgeable" {
		t.Fatalf("%+v, %v", got, err)
	}
	old, err := c.GetSecret(ctx, "db", first.ID.Version(), nil)
	if err != nil || *old.Value != "one" || *old.ContentType != "text/plain" || *old.Tags["a"] != "b" {
		t.Fatalf("%+v, %v", old, err)
	}
	if _, err := c.UpdateSecretProperties(ctx, "db", first.ID.Version(), azsecrets.UpdateSecretPropertiesParameters{SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(false)}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetSecret(ctx, "db", first.ID.Version(), nil); err == nil {
		t.Error("a disabled version can be read")
	} else if s, code := status(err); s != 403 || code != "Forbidden" {
		t.Error(err)
	}
	versions := 0
	for p := c.NewListSecretPropertiesVersionsPager("db", nil); p.More(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		versions += len(page.Value)
	}
	for i := range 60 {
		if _, err := c.SetSecret(ctx, "s-"+string(rune('a'+i/10))+string(rune('a'+i%10)), azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	names := 0
	for p := c.NewListSecretPropertiesPager(nil); p.More(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if names += len(page.Value); len(page.Value) > 25 {
			t.Errorf("a page of %d", len(page.Value))
		}
	}
	if versions != 2 || names != 61 {
		t.Errorf("%d versions, %d secrets", versions, names)
	}
	backup, err := c.BackupSecret(ctx, "db", nil)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := c.DeleteSecret(ctx, "db", nil)
	if err != nil || deleted.ScheduledPurgeDate.Sub(*deleted.DeletedDate) < 89*24*time.Hour {
		t.Fatalf("%+v, %v", deleted, err)
	}
	_, err = c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("three")}, nil)
	if s, code := status(err); s != 409 || code != "Conflict" || !strings.Contains(err.Error(), "ObjectIsDeletedButRecoverable") {
		t.Error(err)
	}
	if _, err := c.GetSecret(ctx, "db", "", nil); err == nil {
		t.Error("a deleted secret can be read")
	} else if s, code := status(err); s != 404 || code != "SecretNotFound" {
		t.Error(err)
	}
	if _, err := c.RecoverDeletedSecret(ctx, "db", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := c.GetSecret(ctx, "db", "", nil); err != nil || *got.Value != "two" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := c.DeleteSecret(ctx, "db", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetDeletedSecret(ctx, "db", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PurgeDeletedSecret(ctx, "db", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup.Value}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := c.GetSecret(ctx, "db", "", nil); err != nil || *got.Value != "two" {
		t.Fatalf("restored: %+v, %v", got, err)
	}
	// Deleted secrets go by themselves when their time has come.
	if _, err := c.DeleteSecret(ctx, "db", nil); err != nil {
		t.Fatal(err)
	}
	w.now.add(91 * 24 * time.Hour)
	if _, err := c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("new")}, nil); err != nil {
		t.Errorf("after the retention: %v", err)
	}
}

// Who may do what, and the words of the refusals ("Azure Key Vault
// authentication requests", "Key Vault RBAC").
func TestVaultRefusals(t *testing.T) {
	w := newWorld(t, paas.Limits{Secrets: 2})
	w.cloud.rights["user"] = []string{"data:Microsoft.KeyVault/vaults/secrets/getSecret/action " + vaultID + "/secrets/mine"}
	w.cloud.rights["officer"] = []string{"data:Microsoft.KeyVault/vaults/secrets/* " + vaultID}
	if err := w.planes.Fill([]model.Contents{{Service: model.MustParseID(vaultID), Secrets: map[string]string{"mine": "1", "other": "2"}}}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	user := w.secrets(t, "user")
	if got, err := user.GetSecret(ctx, "mine", "", nil); err != nil || *got.Value != "1" {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, do := range map[string]func() error{
		"another secret": func() error { _, err := user.GetSecret(ctx, "other", "", nil); return err },
		"a write": func() error {
			_, err := user.SetSecret(ctx, "mine", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
			return err
		},
		"a listing": func() error { _, err := user.NewListSecretPropertiesPager(nil).NextPage(ctx); return err },
		"nobody":    func() error { _, err := w.secrets(t, "nobody").GetSecret(ctx, "mine", "", nil); return err },
	} {
		err := do()
		if s, code := status(err); s != 403 || code != "Forbidden" || !strings.Contains(err.Error(), "ForbiddenByRbac") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.secrets(t, "officer").SetSecret(ctx, "third", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	if s, _ := status(err); s != 507 {
		t.Errorf("a full vault: %v", err)
	}
	_, err = w.secrets(t, "officer").SetSecret(ctx, "mine", azsecrets.SetSecretParameters{Value: to.Ptr(strings.Repeat("x", 25<<10+1))}, nil)
	if s, code := status(err); s != 400 || code != "BadParameter" {
		t.Errorf("a secret of more than 25 KiB: %v", err)
	}
	w.refuse = true
	_, err = user.GetSecret(ctx, "mine", "", nil)
	if s, code := status(err); s != 403 || code != "Forbidden" || !strings.Contains(err.Error(), "ForbiddenByFirewall") || !strings.Contains(err.Error(), "203.0.113.9") {
		t.Errorf("by the firewall: %v", err)
	}
	w.cloud.put(vaultID, `{"location":"westeurope","properties":{"enableRbacAuthorization":true,"publicNetworkAccess":"Disabled"}}`)
	_, err = user.GetSecret(ctx, "mine", "", nil)
	if s, _ := status(err); s != 403 || !strings.Contains(err.Error(), "ForbiddenByConnection") {
		t.Errorf("without public access: %v", err)
	}
	w.refuse = false
	w.cloud.put(vaultID, `{"location":"westeurope","properties":{"accessPolicies":[{"objectId":"user","permissions":{"secrets":["Get"]}}]}}`)
	if _, err := user.GetSecret(ctx, "other", "", nil); err != nil {
		t.Errorf("by an access policy: %v", err)
	}
	_, err = user.DeleteSecret(ctx, "other", nil)
	if s, _ := status(err); s != 403 || !strings.Contains(err.Error(), "ForbiddenByPolicy") {
		t.Errorf("beyond an access policy: %v", err)
	}
}

// Requests without a token, and with one for something else, are challenged; the
// challenge names the directory and what the token is to be for.
func TestVaultChallenge(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	for _, header := range []string{"", "Bearer officer@https://management.azure.com"} {
		req, err := http.NewRequest(http.MethodGet, "https://shop-vault.vault.azure.net/secrets?api-version=7.6", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		want := `Bearer authorization="https://login.windows.net/` + tenant + `", resource="https://vault.azure.net"`
		if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != want {
			t.Errorf("%q: %d %s", header, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
	}
}
