package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// reach is one way a virtual network reaches another, or a part of it.
type reach struct {
	to       *vnet
	kind     string // of the routes
	prefixes []netip.Prefix
	inTag    bool // part of the VirtualNetwork tag
	unknown  bool // exists, but what passes is not modelled
	origin   fabric.Origin
}

// half is one side of a peering.
type half struct {
	from, to  *vnet
	access    bool // allowVirtualNetworkAccess
	transit   bool // allowGatewayTransit
	remote    bool // useRemoteGateways
	partial   bool // subnet peering, or IPv6 only
	res       *model.Resource
	pointer   string
	name      string
	forwarded bool // allowForwardedTraffic: no wire is cut without it
}

// connectivity finds what each virtual network reaches: through peerings whose
// both halves exist ("Virtual network peering": state Connected) and through
// connected groups.
func (c *compiler) connectivity() {
	c.claims = c.unmodelled()
	c.hybrid()
	halves := c.halves()
	byPair := map[[2]fabric.SpaceID]*half{}
	for _, h := range halves {
		pair := [2]fabric.SpaceID{h.from.space, h.to.space}
		if other, ok := byPair[pair]; ok {
			c.problem(h.res, h.pointer, fmt.Sprintf("peerings %q and %q of virtual network %q lead to the same network", other.name, h.name, h.from.res.ID.Name()), "remove one")
			continue
		}
		byPair[pair] = h
	}
	for v, gateway := range c.claims.gateways {
		v.gateway = gateway.res
	}
	for _, h := range halves {
		back, ok := byPair[[2]fabric.SpaceID{h.to.space, h.from.space}]
		if !ok {
			continue // Initiated: nothing flows
		}
		kind := routePeering
		if h.from.region != h.to.region {
			kind = routeGlobalPeering
		}
		h.from.reach = append(h.from.reach, reach{
			to: h.to, kind: kind, prefixes: h.to.prefixes, unknown: h.partial || back.partial,
			inTag: h.access, origin: origin(h.res, h.pointer, h.name),
		})
		switch {
		case h.remote && !back.transit:
			c.note(h.res, h.pointer, h.name, fmt.Sprintf("it wants the gateway of %q, but the peering back does not allow gateway transit: nothing is learned", h.to.res.ID.Name()))
		case h.remote && c.branches(h.from):
			c.note(h.res, h.pointer, h.name, "it wants a remote gateway, but the network has one of its own, which is used")
		}
		if h.remote && back.transit {
			h.from.remote = h.to
			if gateway, ok := c.claims.gateways[h.to]; ok {
				h.from.gateway = gateway.res
			}
		}
		c.checkOverlap(h)
	}
	for _, v := range c.vnets {
		c.checkPeers(v)
	}
	for i := range c.effect.Connected {
		g := &c.effect.Connected[i]
		at := origin(g.Source.Resource, g.Source.Pointer, g.Name)
		for _, a := range g.Members {
			v := c.vnets[a.VNet]
			for _, b := range g.Members {
				if a.VNet != b.VNet && len(b.Prefixes) > 0 {
					v.reach = append(v.reach, reach{
						to: c.vnets[b.VNet], kind: routeConnectedGroup, prefixes: b.Prefixes,
						inTag: connectedGroupsInTag, origin: at,
					})
				}
			}
		}
	}
}

// halves collects the declared peerings and those of the network managers.
func (c *compiler) halves() []*half {
	var out []*half
	made := map[[2]fabric.SpaceID]bool{}
	for i := range c.effect.Peerings {
		p := &c.effect.Peerings[i]
		h := &half{
			from: c.vnets[p.From], to: c.vnets[p.To], access: true, transit: p.AllowGatewayTransit,
			remote: p.UseRemoteGateways, forwarded: p.AllowForwardedTraffic,
			res: p.Source.Resource, pointer: p.Source.Pointer, name: p.Source.Resource.ID.Name(),
		}
		made[[2]fabric.SpaceID{h.from.space, h.to.space}] = true
		out = append(out, h)
	}
	declared := func(v *vnet, p *wire.Peering, raw map[string]any, r *model.Resource, pointer string) {
		if c.effect.ReplacesPeerings[v.space] {
			return
		}
		to, ok := c.vnetByKey[strings.ToLower(p.Properties.RemoteVirtualNetwork.ID)]
		if !ok {
			c.remoteUnknown(v, p, raw, r, pointer)
			return
		}
		if to == v {
			c.problem(r, pointer+"/properties/remoteVirtualNetwork", fmt.Sprintf("peering %q leads back to its own virtual network", p.Name), "name the other network")
			return
		}
		if made[[2]fabric.SpaceID{v.space, to.space}] {
			return // the network manager adopts a peering that exists
		}
		yes := func(b *bool, otherwise bool) bool {
			if b == nil {
				return otherwise
			}
			return *b
		}
		whole, given := raw["peerCompleteVnets"].(bool)
		only6, _ := raw["enableOnlyIPv6Peering"].(bool)
		partial := given && !whole || only6
		if partial {
			c.note(r, pointer, p.Name, "peering of single subnets is not modelled; what passes it is unknown")
		}
		out = append(out, &half{
			from: v, to: to, access: yes(p.Properties.AllowVirtualNetworkAccess, true),
			forwarded: yes(p.Properties.AllowForwardedTraffic, false), transit: yes(p.Properties.AllowGatewayTransit, false),
			remote: yes(p.Properties.UseRemoteGateways, false), partial: partial, res: r, pointer: pointer, name: p.Name,
		})
	}
	inline := map[string]bool{}
	for _, v := range c.vnets {
		raw, _ := v.res.Properties()["virtualNetworkPeerings"].([]any)
		for i := range v.view.Properties.Peerings {
			p := &v.view.Properties.Peerings[i]
			object, _ := raw[i].(map[string]any)
			properties, _ := object["properties"].(map[string]any)
			inline[v.key+"/virtualnetworkpeerings/"+strings.ToLower(p.Name)] = true
			declared(v, p, properties, v.res, fmt.Sprintf("/properties/virtualNetworkPeerings/%d", i))
		}
	}
	for _, it := range c.docs.peerings.list {
		v, ok := c.vnetByKey[it.res.ID.Parent().Key()]
		switch {
		case !ok:
			c.problem(it.res, "", fmt.Sprintf("peering %q belongs to a virtual network that does not exist", it.res.ID.Name()), "declare the network or remove the peering")
		case !inline[it.key]:
			it.view.Name = it.res.ID.Name()
			declared(v, &it.view, it.res.Properties(), it.res, "")
		}
	}
	slices.SortStableFunc(out, func(a, b *half) int {
		return cmp.Or(cmp.Compare(a.from.space, b.from.space), cmp.Compare(a.to.space, b.to.space))
	})
	return out
}

// remoteUnknown handles a peering with a network that is not among the
// resources: its prefixes, where the document has them, lead somewhere unknown.
func (c *compiler) remoteUnknown(v *vnet, p *wire.Peering, raw map[string]any, r *model.Resource, pointer string) {
	c.note(r, pointer, p.Name, "the peered virtual network is not among the resources; what lies there is unknown")
	space, _ := raw["remoteAddressSpace"].(map[string]any)
	list, _ := space["addressPrefixes"].([]any)
	var prefixes []netip.Prefix
	for _, e := range list {
		text, _ := e.(string)
		if q, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, q.Masked())
		}
	}
	kind := routePeering
	v.reach = append(v.reach, reach{kind: kind, prefixes: prefixes, unknown: true, inTag: true, origin: origin(r, pointer, p.Name)})
}

// checkOverlap reports peered networks with overlapping address spaces
// (VnetAddressSpacesOverlap).
func (c *compiler) checkOverlap(h *half) {
	for _, p := range h.from.prefixes {
		for _, q := range h.to.prefixes {
			if p.Overlaps(q) {
				c.problem(h.res, h.pointer, fmt.Sprintf("virtual networks %q (%s) and %q (%s) are peered and overlap", h.from.res.ID.Name(), p, h.to.res.ID.Name(), q), "choose another address space for one of them")
			}
		}
	}
}

// checkPeers reports two peers of one network that overlap each other
// (VnetAddressSpaceOverlapsWithAlreadyPeeredVnet).
func (c *compiler) checkPeers(v *vnet) {
	type placed struct {
		prefix netip.Prefix
		to     *vnet
	}
	var all []placed
	for _, r := range v.reach {
		for _, p := range r.prefixes {
			all = append(all, placed{p, r.to})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	for i, widest := 1, 0; i < len(all); i++ {
		a, b := all[widest], all[i]
		if !a.prefix.Overlaps(b.prefix) {
			widest = i
			continue
		}
		if a.to != b.to && a.to != nil && b.to != nil {
			c.problem(b.to.res, "/properties/addressSpace/addressPrefixes",
				fmt.Sprintf("virtual networks %q (%s) and %q (%s) overlap and are both peered with %q", a.to.res.ID.Name(), a.prefix, b.to.res.ID.Name(), b.prefix, v.res.ID.Name()),
				"choose another address space for one of them")
		}
	}
}
