package fabrictest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// inward gives balancers their redirects, and some forwarders addresses that
// they redirect: a public one, their own.
func (g *generator) inward() {
	for i := range g.img.Ports {
		p := &g.img.Ports[i]
		switch {
		case p.Kind == fabric.PortBalancer:
			p.Inward = &fabric.Inward{Addrs: fabric.AnySet}
			for n := range g.rng.IntN(4) {
				p.Inward.Redirects = append(p.Inward.Redirects, g.balance(p, n))
			}
		case p.Forward != nil && g.one(2):
			var fronts []netip.Addr
			if public, ok := g.publicOf(fabric.PortID(i)); ok {
				fronts = append(fronts, public)
			}
			if own := g.img.Sets[p.Addrs].Min().Addr(); own.Is4() && g.one(2) {
				fronts = append(fronts, own)
			}
			if len(fronts) == 0 {
				break
			}
			p.Inward = &fabric.Inward{Addrs: g.set(fabric.AddrSet(fronts...))}
			for _, front := range fronts {
				if !g.one(4) {
					p.Inward.Redirects = append(p.Inward.Redirects, g.translate(p, front))
				}
			}
			if g.one(5) {
				// Some of it is for the forwarder itself.
				self := fabric.Redirect{Name: "self", Floating: true, Targets: []fabric.Target{{Port: fabric.PortID(i)}}}
				self.Match[fabric.Dst], self.Match[fabric.DstPort] = g.set(g.img.Sets[p.Addrs]), g.ports[g.rng.IntN(len(g.ports))]
				p.Inward.Redirects = append(p.Inward.Redirects, self)
			}
		}
	}
}

// balance makes one redirect of a balancer: of a frontend, or of everything
// that is routed to it.
func (g *generator) balance(p *fabric.Port, n int) fabric.Redirect {
	r := fabric.Redirect{Name: fmt.Sprintf("rule%d", n), Hash: fabric.Hash(g.rng.IntN(3)), Apart: g.one(4)}
	if !g.one(3) {
		r.Match[fabric.Proto] = g.protos[g.rng.IntN(len(g.protos))]
	}
	if g.one(2) {
		r.Match[fabric.DstPort] = g.ports[g.rng.IntN(len(g.ports))]
	}
	front := !g.one(3)
	if front {
		own := g.img.Sets[p.Addrs]
		for _, public := range g.img.Publics {
			if public.Port != fabric.None && &g.img.Ports[public.Port] == p {
				own = own.Union(fabric.AddrSet(public.Addr))
			}
		}
		r.Match[fabric.Dst] = g.set(own)
		r.Floating = g.one(4)
	}
	for range g.rng.IntN(4) {
		id := fabric.PortID(g.rng.IntN(len(g.img.Ports)))
		q := &g.img.Ports[id]
		if q.Kind == fabric.PortEdge || q.Kind == fabric.PortBalancer && (front || g.one(2)) {
			continue
		}
		t := fabric.Target{Port: id, Closed: g.one(9)}
		if front && !r.Floating {
			t.Addr = pick4(g.rng, g.img.Sets[q.Addrs])
			if g.one(3) {
				t.DstPort = 443
			}
		}
		if g.one(5) {
			t.Down = "its probe fails"
		}
		r.Targets = append(r.Targets, t)
	}
	return r
}

// translate makes a redirect of an address of a forwarder that the forwarder
// routes on.
func (g *generator) translate(p *fabric.Port, front netip.Addr) fabric.Redirect {
	r := fabric.Redirect{Name: "translate", Match: [fabric.NumFields]fabric.SetID{fabric.Dst: g.set(fabric.AddrSet(front))}}
	if g.one(2) {
		r.Match[fabric.DstPort] = g.ports[g.rng.IntN(len(g.ports))]
	}
	to := &g.img.Ports[g.rng.IntN(len(g.img.Ports))]
	t := fabric.Target{Port: fabric.None, Addr: pick4(g.rng, g.img.Sets[to.Addrs])}
	if g.one(2) {
		t.DstPort = 8080
	}
	r.Targets = []fabric.Target{t}
	if !g.one(3) {
		r.Source = g.img.Sets[p.Addrs].Min().Addr()
	}
	return r
}

// publicOf returns a public address for a port that redirects: one it has
// already, with its translation taken away.
func (g *generator) publicOf(at fabric.PortID) (netip.Addr, bool) {
	for i := range g.img.Publics {
		if public := &g.img.Publics[i]; public.Port == at || public.Port == fabric.None && !public.Unknown && g.one(3) {
			public.Port, public.Private = at, public.Addr
			return public.Addr, true
		}
	}
	return netip.Addr{}, false
}

// pick4 returns a random IPv4 address of a set: frontends are IPv4 here, and
// nothing translates between families.
func pick4(rng *rand.Rand, s fabric.Set) netip.Addr {
	return pick(rng, s.Intersect(fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))))
}
