package paas

import "github.com/ceruleannet/cerulean/model"

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
