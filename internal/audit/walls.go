package audit

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// wall is an Azure Firewall and what counts with its public addresses.
type wall struct {
	resource  *model.Resource
	policy    string // lower-case ID, or "" with rules of its own
	addresses int
	dnat      int // rules of its own
}

// firewall counts the public addresses and DNAT rules of a firewall.
func (t *tally) firewall(r *model.Resource) {
	var v wire.Firewall
	if !t.view(r, &v) {
		return
	}
	w := wall{resource: r}
	for _, c := range v.Properties.IPConfigurations {
		if c.Properties.PublicIPAddress != nil {
			w.addresses++
		}
	}
	if p := v.Properties.FirewallPolicy; p != nil {
		w.policy = strings.ToLower(p.ID)
	}
	for _, c := range v.Properties.NATRuleCollections {
		w.dnat += len(c.Properties.Rules)
	}
	t.of("addresses-per-firewall", r.ID.String()).more = w.addresses
	t.walls = append(t.walls, w)
}

// translations counts the DNAT rules of a group at its policy.
func (t *tally) translations(r *model.Resource) {
	var v wire.RuleCollectionGroup
	if !t.view(r, &v) {
		return
	}
	for _, c := range v.Properties.RuleCollections {
		for i := range c.Rules {
			if strings.EqualFold(c.Rules[i].RuleType, "NatRule") {
				t.dnat[r.ID.Parent().Key()]++
			}
		}
	}
}

// translated adds up addresses and DNAT rules of each firewall. Rules of a base
// policy do not count: NAT collections are not inherited ("Azure Firewall
// Manager policy overview").
func (t *tally) translated() {
	for _, w := range t.walls {
		if dnat := w.dnat + t.dnat[w.policy]; dnat > 0 {
			t.of("addresses-and-translations-per-firewall", w.resource.ID.String()).more = w.addresses + dnat
		}
	}
}
