package paas

import (
	"fmt"

	"github.com/ceruleannet/cerulean/model"
)

// Held returns the value of a key vault's secret, the newest version if none is
// given, as a service of the platform reads it that may. It reports false if
// there is none.
func (p *Planes) Held(vault model.ID, name, version string) (string, bool) {
	_, v, err := p.vault(vault).get(name, version)
	if err != nil {
		return "", false
	}
	return v.value, true
}

// Readable says why an identity, by its object ID, may not read a secret of a key
// vault; nil if it may.
func (p *Planes) Readable(vault model.ID, name, object string) error {
	doc, ok := p.cloud.Resource(vault)
	if !ok {
		return fmt.Errorf("there is no key vault %s", vault.Name())
	}
	ok, role := p.gives(doc, Principal{ObjectID: object}, opGet, vault.Child("secrets", name))
	switch {
	case ok:
		return nil
	case role:
		return fmt.Errorf("identity %s may not read secret %s of key vault %s: assign it the role Key Vault Secrets User there", object, name, vault.Name())
	default:
		return fmt.Errorf("identity %s may not read secret %s of key vault %s: give it the secrets permission get in the vault's access policies", object, name, vault.Name())
	}
}
