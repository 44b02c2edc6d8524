package live

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// maxProbes bounds the exchanges made for one expectation and one kind of
// traffic; where there are more pairs of hosts, a spread over region pairs and
// directions is taken.
const maxProbes = 64

// pair is two hosts an expectation speaks of, at addresses it speaks of.
type pair struct {
	from, to *Host
	src, dst netip.Addr
	own      netip.Addr // of the host at the other end; dst, unless that is translated
}

// pairs returns the pairs of declared hosts that an expectation speaks of.
func (n *Network) pairs(img *fabric.Image, e *model.Expectation) []pair {
	out := n.oneWay(img, e, &e.From, &e.To)
	if e.Both {
		out = append(out, n.oneWay(img, e, &e.To, &e.From)...)
	}
	return out
}

func (n *Network) oneWay(img *fabric.Image, e *model.Expectation, from, to *model.Selector) []pair {
	var out []pair
	targets := n.selected(img, to)
	for _, a := range n.selected(img, from) {
		if img.Ports[a.port].Silent {
			continue // it only answers
		}
		outside := a.port == img.Edge
		for _, b := range append(targets[:len(targets):len(targets)], n.fronts(img, to, e.Verb != model.Deny, outside)...) {
			if e.Verb != model.Deny && img.Ports[b.port].Behind && !bare(to) {
				continue // the frontends before it are meant
			}
			if a.host == b.host || outside && b.port == img.Edge || a.addr.Is4() != b.addr.Is4() || !related(img, e.Relation, a.port, b.port) {
				continue
			}
			p := pair{a.host, b.host, a.addr, b.addr, b.addr}
			if outside {
				// From outside a host is its public address, if it has one.
				for i := range img.Publics {
					if q := &img.Publics[i]; q.Port == b.port && q.Private == b.addr {
						p.dst = q.Addr
					}
				}
			}
			out = append(out, p)
		}
	}
	return out
}

// selection is an address of a host that a selector names.
type selection struct {
	host *Host
	port fabric.PortID
	addr netip.Addr
}

// selected returns the first address of each family on each interface of the
// hosts that a selector names. Prefixes without anything else name whoever has the
// addresses, inside or outside, as to the proof.
func (n *Network) selected(img *fabric.Image, s *model.Selector) []selection {
	outside := s.Internet || bare(s)
	var hosts []*Host
	switch {
	case s.Internet:
	case s.OnPrem:
		for _, o := range n.others.all() {
			if o.kind == fabric.PortSite {
				hosts = append(hosts, o.host)
			}
		}
	case s.Any:
		hosts = n.Hosts()
	default:
		hosts = n.Hosts()
		for _, o := range n.others.all() {
			hosts = append(hosts, o.host)
		}
	}
	var out []selection
	for _, h := range hosts {
		h.mu.Lock()
		for i, l := range h.links {
			if l.port == fabric.None || len(s.All) > 0 && !carries(&img.Ports[l.port], s.All) {
				continue
			}
			own := perFamily(h.addrs[i], s.Prefixes)
			if len(own) == 0 && h.wide && len(s.Prefixes) > 0 {
				own = firstOf(img.Sets[img.Ports[l.port].Addrs], s.Prefixes)
			}
			for _, a := range own {
				out = append(out, selection{h, l.port, a})
			}
		}
		h.mu.Unlock()
	}
	if !outside || n.internet == nil || img.Edge == fabric.None {
		return out
	}
	return append(out, n.selectedOutside(img, s)...)
}

// selectedOutside returns who on the internet a selector names: the internet
// itself, or for each prefix the declared hosts that have an address of it, else
// somebody who has one. A tag's prefixes are many: one of each family stands for
// all.
func (n *Network) selectedOutside(img *fabric.Image, s *model.Selector) (out []selection) {
	own := img.Sets[img.Ports[img.Edge].Addrs]
	if s.Internet {
		addrs := perFamily(n.internet.Addrs(), s.Prefixes)
		if len(addrs) == 0 {
			addrs = firstOf(own, s.Prefixes)
		}
		for _, a := range addrs {
			out = append(out, selection{n.internet, img.Edge, a})
		}
		return out
	}
	for i := range s.Prefixes {
		p := s.Prefixes[i : i+1]
		known := false
		for _, h := range n.public.list {
			for _, a := range perFamily(h.public, p) {
				known = true
				if x := (selection{h, img.Edge, a}); !slices.Contains(out, x) {
					out = append(out, x)
				}
			}
		}
		if known {
			continue
		}
		for _, a := range firstOf(own, p) {
			out = append(out, selection{n.internet, img.Edge, a})
		}
	}
	return out
}

// bare reports whether a selector is prefixes without anything else.
func bare(s *model.Selector) bool {
	return !s.Internet && !s.Any && !s.OnPrem && len(s.All) == 0 && len(s.Prefixes) > 0
}

// perFamily returns the first address of each family within some prefixes.
func perFamily(addrs []netip.Addr, prefixes []netip.Prefix) (out []netip.Addr) {
	for _, a := range addrs {
		if within(a, prefixes) && !slices.ContainsFunc(out, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			out = append(out, a)
		}
	}
	return out
}

// firstOf returns, for each family, the first address of a set within the first
// prefix that has one: not the one that names the prefix, if there is another.
func firstOf(own fabric.Set, prefixes []netip.Prefix) (out []netip.Addr) {
	for _, p := range prefixes {
		in := fabric.PrefixSet(p).Intersect(own)
		if in.IsEmpty() || slices.ContainsFunc(out, func(b netip.Addr) bool { return p.Addr().Is4() == b.Is4() }) {
			continue
		}
		a := in.Min().Addr()
		if next := in.Min().Next(); a == p.Addr() && in.Contains(next) {
			a = next.Addr()
		}
		out = append(out, a)
	}
	return out
}

func carries(p *fabric.Port, all []model.Label) bool {
	for _, l := range all {
		if !p.Has(fabric.Label{Kind: string(l.Kind), Name: l.Name}) {
			return false
		}
	}
	return len(all) > 0
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

func related(img *fabric.Image, r model.Relation, a, b fabric.PortID) bool {
	x, y := &img.Ports[a], &img.Ports[b]
	switch r {
	case model.OtherRegion:
		return x.Region != y.Region
	case model.SameRegion:
		return x.Region == y.Region
	case model.OtherVNet:
		return x.Space != y.Space
	default:
		return true
	}
}

// spread returns at most limit pairs that cover every pair of regions as
// evenly as it can.
func spread(img *fabric.Image, pairs []pair, limit int) []pair {
	if len(pairs) <= limit {
		return pairs
	}
	type regions [2]fabric.RegionID
	groups := map[regions][]pair{}
	var order []regions
	for _, p := range pairs {
		k := regions{regionOf(img, p.from), regionOf(img, p.to)}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], p)
	}
	out := make([]pair, 0, limit)
	for round := 0; len(out) < limit; round++ {
		for _, k := range order {
			if g := groups[k]; round < len(g) && len(out) < limit {
				out = append(out, g[round])
			}
		}
	}
	return out
}

func regionOf(img *fabric.Image, h *Host) fabric.RegionID {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.links) == 0 {
		return fabric.None // a balancer's frontend
	}
	if at := h.links[0].port; at != fabric.None {
		return img.Ports[at].Region
	}
	return fabric.None
}

// every is all ports: of these only the served are tried.
var every = model.PortRange{Lo: 0, Hi: 65535}

// attempt is one kind of packet to try.
type attempt struct {
	proto uint8
	port  uint16
}

// attempts returns what to try for an expectation's traffic towards a host: the
// ends of every port range, and the ports in it that the host serves. No
// traffic means every kind there is.
func attempts(e *model.Expectation, to *Host, v4 bool) []attempt {
	var out []attempt
	add := func(a attempt) {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	icmp := uint8(fabric.ProtoICMP)
	if !v4 {
		icmp = fabric.ProtoICMPv6
	}
	traffic := e.Traffic
	if len(traffic) == 0 {
		traffic = []model.Traffic{{Protocol: fabric.ProtoTCP}, {Protocol: fabric.ProtoUDP}, {Protocol: icmp}}
	}
	for _, t := range traffic {
		switch t.Protocol {
		case fabric.ProtoICMP, fabric.ProtoICMPv6:
			if t.Protocol == icmp {
				add(attempt{icmp, 0})
			}
			continue
		case fabric.ProtoTCP, fabric.ProtoUDP:
		default:
			continue // hosts speak no other protocol
		}
		ranges := t.Ports
		if len(ranges) == 0 || len(ranges) == 1 && ranges[0] == every {
			// A port of each usual kind, and those that are served.
			ranges = []model.PortRange{{Lo: 22, Hi: 22}, {Lo: 443, Hi: 443}}
			if t.Protocol == fabric.ProtoUDP {
				ranges = []model.PortRange{{Lo: 53, Hi: 53}}
			}
			ranges = append(ranges, every)
		}
		for _, r := range ranges {
			if r != every {
				add(attempt{t.Protocol, r.Lo})
				add(attempt{t.Protocol, r.Hi})
			}
			for _, s := range to.Services() {
				if (s.Kind == model.ServiceUDP) == (t.Protocol == fabric.ProtoUDP) && r.Lo <= s.Port && s.Port <= r.Hi {
					add(attempt{t.Protocol, s.Port})
				}
			}
		}
	}
	return out
}
