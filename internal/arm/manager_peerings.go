package arm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// managedPeering begins the names of the peerings that network managers make.
// Unconfirmed: seen in portals, not in a document.
const managedPeering = "ANM_"

// codeManagedPeering refuses to write a peering that a network manager keeps.
const codeManagedPeering = "PeeringManagedByNetworkManager" // unconfirmed

// peeringsKept are what the network managers keep of the peerings of all
// networks, by the networks' keys. It follows from what is committed and who is
// in which group, so nothing of it is stored.
type peeringsKept struct {
	made     map[string][]map[string]any
	replaced map[string]bool // networks whose own peerings a configuration deletes
	refused  []refusedPeering
}

// refusedPeering is a peering that a configuration asks for and that cannot be.
type refusedPeering struct {
	configuration, region string // by key and by name
	why                   string
}

// failures are why what a configuration asks for in a region is not there, each
// reason once.
func (k *peeringsKept) failures(configuration, region string) []string {
	var out []string
	for _, r := range k.refused {
		if strings.EqualFold(r.configuration, configuration) && model.NormalizeLocation(r.region) == model.NormalizeLocation(region) && !slices.Contains(out, r.why) {
			out = append(out, r.why)
		}
	}
	return out
}

// keptPeerings returns what is kept in a published view.
func (ks kindSet) keptPeerings(v *state.View) *peeringsKept {
	return state.Derive(v, func() *peeringsKept { return ks.findKeptPeerings(v) })
}

func (ks kindSet) findKeptPeerings(v *state.View) *peeringsKept {
	kept := &peeringsKept{made: map[string][]map[string]any{}, replaced: map[string]bool{}}
	if all, f := commits(v, nil, "Connectivity"); f != nil || len(all) == 0 {
		return kept
	}
	effect, networks, err := ks.expandManagers(v)
	if err != nil {
		return kept // the managers' own answers say what is wrong
	}
	both := map[[2]int]bool{}
	for _, p := range effect.Peerings {
		both[[2]int{p.From, p.To}] = true
	}
	for i, yes := range effect.ReplacesPeerings {
		kept.replaced[networks[i].ID.Key()] = yes
	}
	for _, p := range effect.Peerings {
		from, to := networks[p.From].ID, networks[p.To].ID
		if a, b, bad := overlapping(networks[p.From].Prefixes, networks[p.To].Prefixes); bad {
			first, second := from, to
			if second.Key() < first.Key() {
				first, second, a, b = to, from, b, a
			}
			r := refusedPeering{configuration: p.Source.Resource.ID.Key()}
			r.why = fmt.Sprintf("Virtual networks %s and %s cannot be peered: their address spaces overlap (%s and %s).", first, second, a, b)
			if e, ok := v.Get(from); ok {
				r.region = e.Resource.Location()
			}
			kept.refused = append(kept.refused, r)
			continue
		}
		state := peeringInitiated
		if both[[2]int{p.To, p.From}] {
			state = peeringConnected
		}
		doc := keptPeering(v, from, to, &p, state)
		// A peering that is there already is adopted as it is.
		if e, ok := v.Get(from); ok && !kept.replaced[from.Key()] && counterpart(e.Resource.Doc, to) != nil {
			continue
		}
		kept.made[from.Key()] = append(kept.made[from.Key()], doc)
	}
	return kept
}

// keptPeering is one half of a peering as a document.
func keptPeering(v *state.View, from, to model.ID, p *avnm.Peering, peeringState string) map[string]any {
	sum := sha256.Sum256([]byte(p.Source.Resource.ID.Key() + " " + from.Key() + " " + to.Key()))
	name := managedPeering + strings.ToUpper(hex.EncodeToString(sum[:10])) + "_" + from.Name() + "_" + to.Name()
	name = name[:min(len(name), 80)]
	id := from.Child("virtualNetworkPeerings", name)
	doc := map[string]any{
		"id": id.String(), "name": name, "type": id.Type(),
		"properties": map[string]any{
			"provisioningState": stateSucceeded, "resourceGuid": guidOf(sum), "peeringState": peeringState,
			"remoteVirtualNetwork":      map[string]any{"id": to.String()},
			"allowVirtualNetworkAccess": true, "allowForwardedTraffic": p.AllowForwardedTraffic,
			"allowGatewayTransit": p.AllowGatewayTransit, "useRemoteGateways": p.UseRemoteGateways,
			"doNotVerifyRemoteGateways": false, "peerCompleteVnets": true,
		},
	}
	if e, ok := v.Get(from); ok {
		doc["etag"] = e.Resource.Doc["etag"]
	}
	return doc
}

// guidOf makes the same GUID of the same thing every time.
func guidOf(sum [sha256.Size]byte) string {
	h := hex.EncodeToString(sum[16:32])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

// keptPeeringsOf returns the peerings a network shows: its own, unless a
// configuration deletes them, and those that network managers make.
func keptPeeringsOf(r *reading, network model.ID, own []map[string]any) []map[string]any {
	kept := r.kinds.keptPeerings(r.view)
	made := kept.made[network.Key()]
	switch {
	case kept.replaced[network.Key()]:
		return slices.Clone(made)
	case len(made) == 0:
		return own
	}
	return slices.Concat(own, made)
}

// dropKept takes out of a list of peerings that is to be stored those that a
// network manager keeps: a client that writes back what it read names them, too.
func (c *change) dropKept(list []any) []any {
	var kept *peeringsKept // found only if a name looks like one of them
	return slices.DeleteFunc(list, func(e any) bool {
		o, _ := e.(map[string]any)
		name := text(o, "name")
		if !strings.HasPrefix(name, managedPeering) {
			return false
		}
		if kept == nil {
			kept = c.kinds.findKeptPeerings(c.tx.View)
		}
		_, i := namedIn(kept.made[c.id.Key()], name)
		return i >= 0
	})
}

// holdKept refuses to write or delete a peering that a network manager keeps.
func (c *call) holdKept(id model.ID) *Fault {
	if !id.Is(model.TypePeering) || !strings.HasPrefix(id.Name(), managedPeering) {
		return nil
	}
	made := c.s.kinds.keptPeerings(c.s.store.View()).made[id.Parent().Key()]
	if _, i := namedIn(made, id.Name()); i < 0 {
		return nil
	}
	return fault(http.StatusConflict, codeManagedPeering,
		"Peering %s is made by a connectivity configuration of a network manager and cannot be changed or deleted on its own. Change the configuration or the members of its groups and commit it.", id)
}

// namedIn finds an object by its name, in any case.
func namedIn(list []map[string]any, name string) (map[string]any, int) {
	for i, o := range list {
		if strings.EqualFold(text(o, "name"), name) {
			return o, i
		}
	}
	return nil, -1
}
