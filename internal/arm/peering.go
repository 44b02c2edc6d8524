package arm

import (
	"encoding/hex"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// States of a peering. It is Connected once both networks peer with each other,
// and Disconnected, for good, once the other side is deleted.
const (
	peeringInitiated    = "Initiated"
	peeringConnected    = "Connected"
	peeringDisconnected = "Disconnected"
)

func sortOwned(all []ownedPrefix) {
	slices.SortFunc(all, func(a, b ownedPrefix) int {
		if d := a.prefix.Addr().Compare(b.prefix.Addr()); d != 0 {
			return d
		}
		return a.prefix.Bits() - b.prefix.Bits()
	})
}

func parseAddressKey(s string) netip.Addr {
	b, err := hex.DecodeString(s)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

func remoteOf(peering map[string]any) string {
	return refID(object(peering, "properties"), "remoteVirtualNetwork")
}

// counterpart returns the peering of another network with the given one.
func counterpart(doc map[string]any, network model.ID) map[string]any {
	for _, p := range objects(object(doc, "properties"), "virtualNetworkPeerings") {
		if strings.EqualFold(remoteOf(p), network.String()) {
			return p
		}
	}
	return nil
}

func overlapping(a, b []netip.Prefix) (netip.Prefix, netip.Prefix, bool) {
	for _, p := range a {
		for _, q := range b {
			if p.Overlaps(q) {
				return p, q, true
			}
		}
	}
	return netip.Prefix{}, netip.Prefix{}, false
}

// checkPeerings checks the peerings of a network with an address space. Those
// that were there before are checked again only if the space has changed.
func (c *change) checkPeerings(space []netip.Prefix) *Fault {
	seen := map[string]string{}
	before := byName(c.oldProps(), "virtualNetworkPeerings")
	same := joinPrefixes(space) == joinPrefixes(spaceOf(c.old))
	for _, p := range objects(c.props(), "virtualNetworkPeerings") {
		name, remote := text(p, "name"), remoteOf(p)
		id := c.id.Child("virtualNetworkPeerings", name)
		rid, err := model.ParseID(remote)
		switch {
		case err != nil || !rid.Is(model.TypeVirtualNetwork):
			return invalidReference(id, remote)
		case rid.Equal(c.id):
			return badRequest(codePeeringSelf, "Peering %s cannot peer virtual network %s with itself.", id, c.id)
		case seen[rid.Key()] != "":
			return badRequest("AnotherPeeringAlreadyReferencesRemoteVnet", "Peering %s cannot be created: peering %s already references remote virtual network %s.", name, seen[rid.Key()], rid)
		}
		seen[rid.Key()] = name
		old := before[strings.ToLower(name)]
		if old != nil && !strings.EqualFold(remoteOf(old), remote) {
			return fault(http.StatusConflict, "PropertyChangeNotAllowed", "The remote virtual network of peering %s cannot be changed; delete the peering and create it again.", id)
		}
		if old != nil && same {
			continue
		}
		e, ok := c.tx.Get(rid)
		if !ok {
			if old == nil {
				return invalidReference(id, remote)
			}
			continue // Disconnected
		}
		if a, b, bad := overlapping(space, spaceOf(e.Resource.Doc)); bad {
			return badRequest("VnetAddressSpacesOverlap", "Cannot create or update peering %s. Virtual networks %s and %s cannot be peered because their address spaces overlap. Overlapping address prefixes: %s, %s", id, c.id, rid, a, b)
		}
		// Neither network may overlap a third one the other is peered with.
		if f := c.checkThird(id, c.id, rid, c.doc, spaceOf(e.Resource.Doc)); f != nil {
			return f
		}
		if f := c.checkThird(id, rid, c.id, e.Resource.Doc, space); f != nil {
			return f
		}
		if other := counterpart(e.Resource.Doc, c.id); old == nil && text(object(other, "properties"), "peeringState") == peeringDisconnected {
			return badRequest("RemotePeeringIsDisconnected", "Cannot create or update peering %s because remote peering %s referencing parent virtual network is in Disconnected state. Update or re-create the remote peering to get it back to Initiated state.", id, text(other, "id"))
		}
	}
	return nil
}

// checkThird refuses a network that is to be peered with one, whose document is
// doc, if its space overlaps that of a network the one is peered with.
func (c *change) checkThird(id, one, other model.ID, doc map[string]any, space []netip.Prefix) *Fault {
	for _, p := range objects(object(doc, "properties"), "virtualNetworkPeerings") {
		third, err := model.ParseID(remoteOf(p))
		if err != nil || third.Equal(other) {
			continue
		}
		e, ok := c.tx.Get(third)
		if !ok {
			continue
		}
		if a, b, bad := overlapping(space, spaceOf(e.Resource.Doc)); bad {
			return badRequest("VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", "Cannot create or update peering %s. The address space %s of %s overlaps with %s of virtual network %s, which %s is already peered with.", id, a, other, b, third, one)
		}
	}
	return nil
}

// fillPeerings says how each peering of the network stands. What an earlier
// write said is still so: whoever changes it settles both sides.
func fillPeerings(c *change) *Fault {
	before := byName(c.oldProps(), "virtualNetworkPeerings")
	for _, p := range objects(c.props(), "virtualNetworkPeerings") {
		state := peeringInitiated
		if old := before[strings.ToLower(text(p, "name"))]; old != nil {
			state = text(object(old, "properties"), "peeringState")
		} else if rid, err := model.ParseID(remoteOf(p)); err == nil {
			if e, ok := c.tx.Get(rid); ok && counterpart(e.Resource.Doc, c.id) != nil {
				state = peeringConnected
			}
		}
		q := object(p, "properties")
		q["peeringState"] = state
		if known := c.knownSpace(p, before[strings.ToLower(text(p, "name"))]); known != nil {
			q["remoteAddressSpace"] = known
		}
	}
	return nil
}

// settlePeerings brings the other sides of the network's peerings up to date:
// Connected for those it peers with, Disconnected for those it no longer does.
func settlePeerings(c *change) *Fault {
	remotes := map[string]string{} // key -> state of the other side
	before, after := byName(c.oldProps(), "virtualNetworkPeerings"), byName(object(c.doc, "properties"), "virtualNetworkPeerings")
	for name, p := range before {
		if after[name] == nil {
			remotes[strings.ToLower(remoteOf(p))] = peeringDisconnected
		}
	}
	for name, p := range after {
		if before[name] == nil && text(object(p, "properties"), "peeringState") == peeringConnected {
			remotes[strings.ToLower(remoteOf(p))] = peeringConnected
		}
	}
	keys := make([]string, 0, len(remotes))
	for key := range remotes {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		id, err := model.ParseID(key)
		if err != nil {
			continue
		}
		e, ok := c.tx.Get(id)
		if !ok {
			continue
		}
		theirs := counterpart(e.Resource.Doc, c.id)
		if theirs == nil || text(object(theirs, "properties"), "peeringState") == remotes[key] {
			continue
		}
		doc, _ := model.CloneJSON(e.Resource.Doc).(map[string]any)
		theirs = counterpart(doc, c.id)
		object(theirs, "properties")["peeringState"] = remotes[key]
		doc["etag"], theirs["etag"] = c.etag, c.etag
		if err := c.tx.Put(&model.Resource{ID: e.Resource.ID, Doc: doc}); err != nil {
			return fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
	}
	return nil
}

// syncAsked reports that a peering's write takes over the remote network's
// address space as it is now ("Virtual Network Peerings - Create Or Update").
func syncAsked(c *call, _ model.ID, _ map[string]any) (any, *Fault) {
	return strings.EqualFold(c.r.URL.Query().Get("syncRemoteAddressSpace"), "true"), nil
}

// knownSpace returns the remote address space that a peering goes by: that of
// the remote network when the peering was made or last synchronized.
func (c *change) knownSpace(peering, old map[string]any) any {
	was := object(object(old, "properties"), "remoteAddressSpace")
	asked, _ := c.prepared.(bool)
	if asked && c.via.Equal(c.id.Child("virtualNetworkPeerings", text(peering, "name"))) {
		was = nil
	}
	if was != nil {
		return model.CloneJSON(was)
	}
	if id, err := model.ParseID(remoteOf(peering)); err == nil {
		if e, ok := c.tx.Get(id); ok {
			return model.CloneJSON(object(e.Resource.Properties(), "addressSpace"))
		}
	}
	return nil
}

// showPeering shows how up to date the two sides are: each goes by the address
// space it knew of the other when it was last synchronized ("Update the address
// space for a peered virtual network").
func showPeering(r *reading, p map[string]any) {
	p["peeringSyncLevel"] = "FullyInSync"
	if text(p, "peeringState") == peeringInitiated {
		p["peeringSyncLevel"] = "RemoteNotInSync"
	}
	id, err := model.ParseID(refID(p, "remoteVirtualNetwork"))
	if err != nil {
		return
	}
	remote, ok := r.view.Get(id)
	if !ok {
		return
	}
	space := object(remote.Resource.Properties(), "addressSpace")
	p["remoteVirtualNetworkAddressSpace"] = space
	if e := object(remote.Resource.Properties(), "encryption"); e != nil {
		p["remoteVirtualNetworkEncryption"] = e
	}
	if gateways := gatewaysIn(r, id); len(gateways) > 0 && p["useRemoteGateways"] == true {
		p["remoteGateways"] = gateways
	}
	setDefault(p, "remoteAddressSpace", space)
	local := r.id.Parent()
	theirs := object(counterpart(remote.Resource.Doc, local), "properties")
	mine, ok := r.view.Get(local)
	if !ok || theirs == nil || text(p, "peeringState") != peeringConnected {
		return
	}
	behind := !sameSpace(p, remote.Resource.Doc)
	switch ahead := !sameSpace(theirs, mine.Resource.Doc); {
	case behind && ahead:
		p["peeringSyncLevel"] = "LocalAndRemoteNotInSync"
	case behind:
		p["peeringSyncLevel"] = "LocalNotInSync"
	case ahead:
		p["peeringSyncLevel"] = "RemoteNotInSync"
	}
}

// gatewaysIn returns references to the gateways of a virtual network.
func gatewaysIn(r *reading, network model.ID) []any {
	var out []any
	for _, u := range usersOf(r.kinds, r.view, network.Child("subnets", "GatewaySubnet"), nil) {
		id, err := model.ParseID(u)
		for err == nil && !id.Is(typeGateway) && !id.Parent().IsZero() {
			id = id.Parent()
		}
		ref := map[string]any{"id": id.String()}
		if err == nil && id.Is(typeGateway) && !slices.ContainsFunc(out, func(o any) bool { return o.(map[string]any)["id"] == ref["id"] }) {
			out = append(out, ref)
		}
	}
	return out
}

// sameSpace reports whether a peering knows the address space of a network.
func sameSpace(peering, network map[string]any) bool {
	known := object(peering, "remoteAddressSpace")
	if known == nil {
		return true
	}
	doc := map[string]any{"properties": map[string]any{"addressSpace": known}}
	return joinPrefixes(spaceOf(doc)) == joinPrefixes(spaceOf(network))
}
