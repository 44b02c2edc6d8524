package arm

import (
	"net/http"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// Types of deleted vaults: where one is found, and where all are listed.
const (
	typeVaultLocation    = "Microsoft.KeyVault/locations"
	typeDeletedVault     = "Microsoft.KeyVault/locations/deletedVaults"
	typeDeletedVaultList = "Microsoft.KeyVault/deletedVaults"
)

// deletedVaultKinds are vaults that were deleted: each keeps its name until it
// is purged ("Azure Key Vault soft-delete overview").
func deletedVaultKinds() []*kind {
	return []*kind{
		{Type: typeVaultLocation, Place: inSubscription, Location: locationGlobal, Name: serviceName, ReadOnly: true, Derived: &derived{list: func(*reading) []map[string]any { return nil }}},
		{
			Type: typeDeletedVault, Name: vaultName, NoEtag: true, ReadOnly: true,
			Show:  func(_ *reading, p map[string]any) { delete(p, "vault") }, // kept for "recover"
			Verbs: []verb{{name: "purge", act: (*call).purgeVault}},
		},
		{
			Type: typeDeletedVaultList, Place: inSubscription, Location: locationGlobal, Name: vaultName, ReadOnly: true,
			Derived: &derived{list: listDeletedVaults},
		},
	}
}

// listDeletedVaults gives the deleted vaults of a subscription.
func listDeletedVaults(r *reading) []map[string]any {
	var out []map[string]any
	for _, e := range findExact(r.view, termType+strings.ToLower(typeDeletedVault)) {
		if strings.EqualFold(e.Resource.ID.Subscription(), r.id.Subscription()) {
			doc := shallow(e.Resource.Doc)
			p := shallow(e.Resource.Properties())
			delete(p, "vault")
			doc["properties"] = p
			out = append(out, doc)
		}
	}
	return out
}

// deletedVault returns a deleted vault of a name.
func (c *change) deletedVault(name string) (state.Entry, bool) {
	for _, e := range findExact(c.tx.View, termType+strings.ToLower(typeDeletedVault)) {
		if strings.EqualFold(e.Resource.ID.Name(), name) {
			return e, true
		}
	}
	return state.Entry{}, false
}

// checkVault keeps the names of deleted vaults: createMode "recover" takes the
// vault back, anything else is refused.
func checkVault(c *change) *Fault {
	p := c.props()
	taken := strings.EqualFold(text(p, "createMode"), "recover")
	delete(p, "createMode")
	e, deleted := c.deletedVault(c.id.Name())
	switch {
	case c.old != nil:
		return nil
	case deleted && !taken:
		return fault(http.StatusConflict, "ConflictError", "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.")
	case deleted:
		// The vault is what it was, whatever else is said (Azure/azure-cli recording
		// test_keyvault_softdelete).
		was, _ := model.CloneJSON(e.Resource.Properties()["vault"]).(map[string]any)
		for name, v := range was {
			p[name] = v
		}
		setDefault(c.doc, "tags", e.Resource.Properties()["tags"])
		c.tx.Delete(e.Resource.ID)
	}
	return nil
}

// fillVault completes what a vault says of its tags and of its firewall.
func fillVault(c *change) *Fault {
	setDefault(c.doc, "tags", map[string]any{})
	if acls := object(c.props(), "networkAcls"); acls != nil {
		setDefault(acls, "ipRules", []any{})
		setDefault(acls, "virtualNetworkRules", []any{})
	}
	return nil
}

// showVault shows a vault's address and connections. A firewall that lets
// everything in is not shown (Azure/azure-cli recordings).
func showVault(r *reading, p map[string]any) {
	r.showConnections(p)
	list, _ := p["privateEndpointConnections"].([]any)
	if len(list) == 0 {
		delete(p, "privateEndpointConnections")
	}
	for i, v := range list {
		o, _ := v.(map[string]any)
		list[i] = map[string]any{"id": o["id"], "properties": o["properties"]}
	}
	if acls := object(p, "networkAcls"); strings.EqualFold(text(acls, "defaultAction"), "Allow") && strings.EqualFold(text(acls, "bypass"), "AzureServices") &&
		len(objects(acls, "ipRules")) == 0 && len(objects(acls, "virtualNetworkRules")) == 0 {
		delete(p, "networkAcls")
	}
	p["vaultUri"] = "https://" + strings.ToLower(r.id.Name()) + ".vault.azure.net/"
}

// settleVault keeps what a deleted vault was.
func settleVault(c *change) *Fault {
	if c.doc != nil {
		return nil
	}
	now := c.by.At.UTC()
	days, _ := whole(c.oldProps()["softDeleteRetentionInDays"])
	location := text(c.old, "location")
	id := model.SubscriptionID(c.id.Subscription()).Resource(typeVaultLocation, location).Child("deletedVaults", c.id.Name())
	doc := map[string]any{"id": id.String(), "name": id.Name(), "type": "Microsoft.KeyVault/deletedVaults", "properties": map[string]any{
		"vaultId": c.id.String(), "location": location, "tags": orEmpty(object(c.old, "tags")),
		"deletionDate": now.Format(time.RFC3339), "scheduledPurgeDate": now.AddDate(0, 0, days).Format(time.RFC3339),
		"vault": c.oldProps(),
	}}
	return (&change{kinds: c.kinds, tx: c.tx, id: id, doc: doc}).put()
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// purgeVault gives up a deleted vault and frees its name.
func (c *call) purgeVault(on *model.Resource) *Fault {
	f := c.update(func(tx *state.Tx) *Fault {
		tx.Delete(on.ID)
		return nil
	})
	if f != nil {
		return f
	}
	return c.acceptEmpty(on)
}
