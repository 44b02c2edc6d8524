package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// chosen is a port with those of its addresses that a selector speaks of.
type chosen struct {
	port  fabric.PortID
	addrs setID
}

// choose returns the ports a selector names. Vacant ports stand for future
// hosts and carry the labels of their subnet. Forwarders and balancers of the
// platform are no ends of a connection: claims that something works leave them
// out unless the selector names one.
func (p *Prover) choose(a *arena, sel *model.Selector, works bool) []chosen {
	narrow := allSet
	if len(sel.Prefixes) > 0 {
		narrow = a.intern(addresses(sel))
	}
	var out []chosen
	for i := range p.img.Ports {
		id := fabric.PortID(i)
		if !speaksOf(sel, &p.img.Ports[i], works) {
			continue
		}
		if own := a.intersect(p.addressed(a, id), narrow); own != emptySet {
			out = append(out, chosen{id, own})
		}
	}
	return out
}

// speaksOf reports whether a selector, whatever its prefixes, names a port.
func speaksOf(sel *model.Selector, port *fabric.Port, works bool) bool {
	for _, l := range sel.All {
		if !port.Has(fabric.Label{Kind: string(l.Kind), Name: l.Name}) {
			return false
		}
	}
	named := len(sel.All) > 0
	// Prefixes without anything else speak of whoever has the addresses, inside
	// or outside.
	bare := !sel.Any && !sel.Internet && !sel.OnPrem && !named
	switch port.Kind {
	case fabric.PortEdge:
		return sel.Internet || bare
	case fabric.PortSite:
		return sel.OnPrem || named && !sel.Internet || bare
	case fabric.PortService: // the public side: not inside the network
		return named && !sel.Internet && !sel.OnPrem || bare
	case fabric.PortForwarder:
		if works && !bare && !names(sel, model.LabelFirewall) && !names(sel, model.LabelGateway) {
			return false
		}
	case fabric.PortBalancer:
		if works && !bare && !names(sel, model.LabelBalancer) && !names(sel, model.LabelAppGateway) {
			return false
		}
	}
	return !sel.Internet && !sel.OnPrem
}

// receivers are those of the ports a selector names that a claim of something
// that works is towards: not those that a balancer stands before, and of a
// balancer with private frontends these, unless somebody outside sends. A bare
// prefix means whoever has the addresses.
func (p *Prover) receivers(a *arena, sel *model.Selector, from, list []chosen) []chosen {
	if len(sel.Prefixes) > 0 && len(sel.All) == 0 {
		return list
	}
	outside := slices.ContainsFunc(from, func(c chosen) bool { return c.port == p.img.Edge })
	out := make([]chosen, 0, len(list))
	for _, c := range list {
		port := &p.img.Ports[c.port]
		if port.Behind {
			continue
		}
		if port.Kind == fabric.PortBalancer && !outside {
			if own := a.intersect(c.addrs, a.of(port.Addrs)); own != emptySet {
				c.addrs = own
			}
		}
		out = append(out, c)
	}
	return out
}

func names(sel *model.Selector, kind model.LabelKind) bool {
	return slices.ContainsFunc(sel.All, func(l model.Label) bool { return l.Kind == kind })
}

// addressed returns the addresses by which a port is meant: its own, and of a
// balancer its public frontends too.
func (p *Prover) addressed(a *arena, q fabric.PortID) setID {
	port := &p.img.Ports[q]
	own := a.of(port.Addrs)
	if port.Kind != fabric.PortBalancer {
		return own
	}
	sets := []setID{own}
	for i := range p.img.Publics {
		if x := &p.img.Publics[i]; x.Port == q && !x.Unknown {
			sets = append(sets, a.one(fabric.AddrValue(x.Addr)))
		}
	}
	return a.union(sets...)
}

// addresses returns the prefixes of a selector as a set, each prefix in its own
// family.
func addresses(sel *model.Selector) fabric.Set {
	var all fabric.Set
	for _, prefix := range sel.Prefixes {
		s := fabric.PrefixSet(prefix)
		if !prefix.Addr().Is4() {
			s = s.Subtract(fabric.Set{mapped})
		}
		all = all.Union(s)
	}
	return all
}

// related reports whether a relation holds between two ports. The internet has
// no region and no virtual network.
func (p *Prover) related(r model.Relation, from, to fabric.PortID) bool {
	a, b := &p.img.Ports[from], &p.img.Ports[to]
	switch r {
	case model.OtherRegion:
		return a.Region != b.Region
	case model.SameRegion:
		return a.Region == b.Region
	case model.OtherVNet:
		return a.Space != b.Space
	default:
		return true
	}
}

// relative returns what a relation compares of a port.
func (p *Prover) relative(r model.Relation, q fabric.PortID) int32 {
	switch r {
	case model.OtherRegion, model.SameRegion:
		return int32(p.img.Ports[q].Region)
	case model.OtherVNet:
		return int32(p.img.Ports[q].Space)
	default:
		return 0
	}
}
