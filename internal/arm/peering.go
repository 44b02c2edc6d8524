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

// checkPeerings checks the peerings of a network with an address space.
func (c *change) checkPeerings(space []netip.Prefix) *Fault {
	seen := map[string]string{}
	type peer struct {
		name  string
		space []netip.Prefix
	}
	var peers []peer
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
		old, _ := named(c.oldProps(), "virtualNetworkPeerings", name)
		if old != nil && !strings.EqualFold(remoteOf(old), remote) {
			return fault(http.StatusConflict, "PropertyChangeNotAllowed", "The remote virtual network of peering %s cannot be changed; delete the peering and create it again.", id)
		}
		e, ok := c.tx.Get(rid)
		if !ok {
			if old == nil {
				return invalidReference(id, remote)
			}
			continue // Disconnected
		}
		if a, b, bad := overlapping(space, spaceOf(e.Resource.Doc)); bad {
			return badRequest("VnetAddressSpacesOverlap", "Cannot create or update peering %s. Virtual networks %s and %s cannot be peered because their address spaces overlap: %s and %s.", id, c.id, rid, a, b)
		}
		for _, q := range peers {
			if a, b, bad := overlapping(q.space, spaceOf(e.Resource.Doc)); bad {
				return badRequest("VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", "Cannot create or update peering %s. Virtual network %s (%s) overlaps with the virtual network already peered by %s (%s).", id, rid, b, q.name, a)
			}
		}
		if f := c.checkRemotePeers(id, rid, e.Resource.Doc, space); f != nil {
			return f
		}
		peers = append(peers, peer{name, spaceOf(e.Resource.Doc)})
		if other := counterpart(e.Resource.Doc, c.id); old == nil && text(object(other, "properties"), "peeringState") == peeringDisconnected {
			return badRequest("RemotePeeringIsDisconnected", "Cannot create or update peering %s because remote peering %s referencing parent virtual network is in Disconnected state. Update or re-create the remote peering to get it back to Initiated state.", id, text(other, "id"))
		}
	}
	return nil
}

// checkRemotePeers refuses a network whose space overlaps one the remote
// network is peered with.
func (c *change) checkRemotePeers(id, remote model.ID, remoteDoc map[string]any, space []netip.Prefix) *Fault {
	for _, p := range objects(object(remoteDoc, "properties"), "virtualNetworkPeerings") {
		third, err := model.ParseID(remoteOf(p))
		if err != nil || third.Equal(c.id) {
			continue
		}
		e, ok := c.tx.Get(third)
		if !ok {
			continue
		}
		if a, b, bad := overlapping(space, spaceOf(e.Resource.Doc)); bad {
			return badRequest("VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", "Cannot create or update peering %s. The address space %s of %s overlaps with %s of virtual network %s, which %s is already peered with.", id, a, c.id, b, third, remote)
		}
	}
	return nil
}

// fillPeerings says how each peering of the network stands.
func fillPeerings(c *change) *Fault {
	for _, p := range objects(c.props(), "virtualNetworkPeerings") {
		state := peeringInitiated
		old, _ := named(c.oldProps(), "virtualNetworkPeerings", text(p, "name"))
		if rid, err := model.ParseID(remoteOf(p)); err == nil {
			if e, ok := c.tx.Get(rid); ok && counterpart(e.Resource.Doc, c.id) != nil {
				state = peeringConnected
			}
		}
		if text(object(old, "properties"), "peeringState") == peeringDisconnected {
			state = peeringDisconnected
		}
		object(p, "properties")["peeringState"] = state
	}
	return nil
}

// settlePeerings brings the other sides of the network's peerings up to date:
// Connected for those it peers with, Disconnected for those it no longer does.
func settlePeerings(c *change) *Fault {
	remotes := map[string]string{} // key -> state of the other side
	for _, p := range objects(c.oldProps(), "virtualNetworkPeerings") {
		remotes[strings.ToLower(remoteOf(p))] = peeringDisconnected
	}
	for _, p := range objects(object(c.doc, "properties"), "virtualNetworkPeerings") {
		state := text(object(p, "properties"), "peeringState")
		if state == peeringInitiated {
			state = "" // there is no other side
		}
		remotes[strings.ToLower(remoteOf(p))] = state
	}
	keys := make([]string, 0, len(remotes))
	for key := range remotes {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		id, err := model.ParseID(key)
		if err != nil || remotes[key] == "" {
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

func showPeering(r *reading, p map[string]any) {
	level := "FullyInSync"
	if text(p, "peeringState") == peeringInitiated {
		level = "RemoteNotInSync"
	}
	p["peeringSyncLevel"] = level
	id, err := model.ParseID(refID(p, "remoteVirtualNetwork"))
	if err != nil {
		return
	}
	if e, ok := r.view.Get(id); ok {
		space := object(e.Resource.Properties(), "addressSpace")
		p["remoteAddressSpace"], p["remoteVirtualNetworkAddressSpace"] = space, space
	}
}
