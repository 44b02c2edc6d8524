package live

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// entries returns the pairs to try for one, with one kind of traffic. What is to
// work from outside enters by every public address that leads to the host: its own,
// and those of load balancers and firewalls, where the choice of a target is
// theirs. A host that none leads to is the pair itself, and false: its private
// address is nobody's outside.
func (n *Network) entries(img *fabric.Image, e *model.Expectation, p pair, a attempt) ([]pair, bool) {
	if e.Verb != model.Allow || p.from.Port() != img.Edge || len(p.to.links) == 0 {
		return []pair{p}, true
	}
	at := p.to.linkOf(p.own).port
	if at == fabric.None || at == img.Edge {
		return []pair{p}, true
	}
	var out []pair
	for i := range img.Publics {
		q := &img.Publics[i]
		if q.Unknown || q.Port == fabric.None || q.Addr.Is4() != p.src.Is4() {
			continue
		}
		if q.Port == at && q.Private == p.own {
			out = append(out, pair{p.from, p.to, p.src, q.Addr, p.own})
			continue
		}
		arrives := fabric.Packet{Src: p.src, Dst: q.Addr, Proto: a.proto, SrcPort: firstPort, DstPort: a.port}
		if q.Private.IsValid() {
			arrives.Dst = q.Private
		}
		if !leads(img, q.Port, arrives, at, fabric.MaxHops) {
			continue
		}
		front := &Host{net: n, Name: img.Ports[q.Port].Name, declared: model.Host{Name: img.Ports[q.Port].Name}}
		out = append(out, pair{p.from, front, p.src, q.Addr, q.Addr})
	}
	if len(out) == 0 {
		return []pair{p}, false
	}
	return out, true
}

// leads reports whether a packet that arrives at a port may be redirected to
// another, by any choice of targets.
func leads(img *fabric.Image, from fabric.PortID, p fabric.Packet, to fabric.PortID, depth int) bool {
	in := img.Ports[from].Inward
	if in == nil || depth == 0 {
		return false
	}
	i, ok := img.RedirectOf(from, p)
	if !ok {
		return false
	}
	return slices.ContainsFunc(in.Redirects[i].Targets, func(t fabric.Target) bool {
		next := p
		if t.Addr.IsValid() {
			next.Dst = t.Addr
		}
		if t.DstPort != 0 {
			next.DstPort = t.DstPort
		}
		if t.Port == fabric.None { // it goes on by routes
			return img.Sets[img.Ports[to].Addrs].Contains(fabric.AddrValue(next.Dst))
		}
		return t.Port == to || leads(img, t.Port, next, to, depth-1)
	})
}

// attemptsOf returns the pairs to try, by what is tried of them, in order. A claim
// that something works from outside asks, as the proof does, that some of its
// traffic leads to each host, and that what leads to any works: a host that one
// port leads to is not looked for behind the ports of others.
func (n *Network) attemptsOf(img *fabric.Image, e *model.Expectation, pairs []pair) (order []attempt, by map[attempt][]pair) {
	by = map[attempt][]pair{}
	type way struct {
		a        attempt
		from     *Host
		to       string
		src, dst netip.Addr
	}
	type entry struct {
		a   attempt // zero: any
		to  string  // empty: anybody
		src netip.Addr
	}
	known, enters := map[way]bool{}, map[entry]bool{}
	var hidden []way
	add := func(w way, p pair) {
		if known[w] {
			return
		}
		known[w] = true
		if by[w.a] == nil {
			order = append(order, w.a)
		}
		by[w.a] = append(by[w.a], p)
	}
	unreached := map[way]pair{}
	for _, p := range pairs {
		for _, a := range attempts(e, p.to, p.dst.Is4()) {
			list, ok := n.entries(img, e, p, a)
			if !ok {
				w := way{a, p.from, p.to.Name, p.src, p.dst}
				hidden, unreached[w] = append(hidden, w), p
				continue
			}
			enters[entry{a: a, src: p.src}], enters[entry{to: p.to.Name, src: p.src}] = true, true
			for _, q := range list {
				add(way{a, q.from, q.to.Name, q.src, q.dst}, q)
			}
		}
	}
	for _, w := range hidden {
		if !enters[entry{a: w.a, src: w.src}] || !enters[entry{to: w.to, src: w.src}] {
			add(w, unreached[w])
		}
	}
	return order, by
}
