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
		for _, b := range append(targets[:len(targets):len(targets)], n.fronts(img, to, e.Verb != model.Deny, a.host.edge)...) {
			if e.Verb != model.Deny && img.Ports[b.port].Behind {
				continue // the frontends before it are meant
			}
			if a.host == b.host || a.addr.Is4() != b.addr.Is4() || !related(img, e.Relation, a.port, b.port) {
				continue
			}
			p := pair{a.host, b.host, a.addr, b.addr}
			if a.host.edge {
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
// declared hosts, and of the internet, that a selector names.
func (n *Network) selected(img *fabric.Image, s *model.Selector) []selection {
	hosts := n.Hosts()
	switch {
	case s.Internet:
		if n.internet == nil {
			return nil
		}
		hosts = []*Host{n.internet}
	case s.OnPrem:
		hosts = nil
		for _, o := range n.others.all() {
			if o.kind == fabric.PortSite {
				hosts = append(hosts, o.host)
			}
		}
	case !s.Any:
		for _, o := range n.others.all() {
			hosts = append(hosts, o.host)
		}
	}
	var out []selection
	for _, h := range hosts {
		h.mu.Lock()
		for i, l := range h.links {
			if l.port == fabric.None || !s.Internet && !s.Any && !s.OnPrem && !carries(&img.Ports[l.port], s.All) {
				continue
			}
			var v4, v6 bool
			for _, a := range h.addrs[i] {
				seen := &v6
				if a.Is4() {
					seen = &v4
				}
				if *seen || !within(a, s.Prefixes) {
					continue
				}
				*seen = true
				out = append(out, selection{h, l.port, a})
			}
		}
		h.mu.Unlock()
	}
	if s.Internet && len(s.Prefixes) > 0 && len(out) == 0 {
		return n.outsideOf(img, s.Prefixes)
	}
	return out
}

// outsideOf returns somebody on the internet who has an address of some prefixes:
// the first of each family.
func (n *Network) outsideOf(img *fabric.Image, prefixes []netip.Prefix) (out []selection) {
	if n.internet == nil || img.Edge == fabric.None {
		return nil
	}
	edge := img.Sets[img.Ports[img.Edge].Addrs]
	for _, v4 := range []bool{true, false} {
		for _, p := range prefixes {
			if own := fabric.PrefixSet(p).Intersect(edge); p.Addr().Is4() == v4 && !own.IsEmpty() {
				out = append(out, selection{n.internet, img.Edge, own.Min().Addr()})
				break
			}
		}
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
