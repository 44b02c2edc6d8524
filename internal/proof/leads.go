package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// lead is a translation of destinations: what goes to from may go on to to.
type lead struct {
	from, to setID
	ports    bool // and to another port
}

// leads returns the image's translations of destinations.
func (w *walk) leads() []lead {
	if w.led {
		return w.leading
	}
	w.led = true
	img := w.p.img
	for i := range img.Publics {
		p := &img.Publics[i]
		if p.Port != fabric.None && !p.Unknown && p.Private != p.Addr {
			w.leading = append(w.leading, lead{from: w.a.one(fabric.AddrValue(p.Addr)), to: w.a.one(fabric.AddrValue(p.Private))})
		}
	}
	for i := range img.Ports {
		in := img.Ports[i].Inward
		if in == nil {
			continue
		}
		for k := range in.Redirects {
			r := &in.Redirects[k]
			from := w.a.intersect(w.a.of(in.Addrs), w.a.of(r.Match[fabric.Dst]))
			for n := range r.Targets {
				t := &r.Targets[n]
				l := lead{from: from, to: from, ports: t.DstPort != 0}
				switch {
				case t.Down != "":
					continue
				case t.Addr.IsValid():
					l.to = w.a.one(fabric.AddrValue(t.Addr))
				case r.Floating && t.Port != fabric.None:
					l.to = w.a.of(img.Ports[t.Port].Addrs)
				case !l.ports:
					continue
				}
				w.leading = append(w.leading, l)
			}
		}
	}
	return w.leading
}

// leadTo returns every address that may lead to some of a set, itself included,
// and those of them that may lead to another port than was asked for.
func (w *walk) leadTo(set setID) (all, reported setID) {
	all = set
	for {
		before, beforeReported := all, reported
		for _, l := range w.leads() {
			if w.a.intersect(l.to, all) == emptySet {
				continue
			}
			all = w.a.union(all, l.from)
			if l.ports || w.a.intersect(l.to, reported) != emptySet {
				reported = w.a.union(reported, l.from)
			}
		}
		if all == before && reported == beforeReported {
			return all, reported
		}
	}
}

// publicsTo returns the public addresses that lead to ports, for some packet of
// a box of traffic.
func (w *walk) publicsTo(to []chosen, b *box) setID {
	img := w.p.img
	mine := map[fabric.PortID]setID{}
	for _, c := range to {
		mine[c.port] = c.addrs
	}
	inside := w.reach(to)
	var leads func(at fabric.PortID, a setID, depth int) bool
	leads = func(at fabric.PortID, a setID, depth int) bool {
		port := &img.Ports[at]
		if own, ok := mine[at]; ok && w.a.intersect(own, a) != emptySet {
			return true
		}
		if port.Inward == nil || depth == 0 || w.a.intersect(a, w.a.of(port.Inward.Addrs)) == emptySet {
			return false
		}
		for i := range port.Inward.Redirects {
			r := &port.Inward.Redirects[i]
			if w.a.intersect(a, w.a.of(r.Match[fabric.Dst])) == emptySet ||
				w.a.intersect(b.protos, w.a.of(r.Match[fabric.Proto])) == emptySet ||
				w.a.intersect(b.dstPorts, w.a.of(r.Match[fabric.DstPort])) == emptySet {
				continue
			}
			for n := range r.Targets {
				t := &r.Targets[n]
				next := a
				if t.Addr.IsValid() {
					next = w.a.one(fabric.AddrValue(t.Addr))
				}
				_, chosen := mine[t.Port]
				switch {
				case t.Port == fabric.None && w.a.intersect(next, inside) != emptySet,
					r.Floating && chosen,
					t.Port != fabric.None && leads(t.Port, next, depth-1):
					return true
				}
			}
		}
		return false
	}
	var list []fabric.Range
	for i := range img.Publics {
		p := &img.Publics[i]
		if p.Unknown || p.Port == fabric.None {
			continue
		}
		arrives := w.a.one(fabric.AddrValue(p.Private))
		if leads(p.Port, arrives, fabric.MaxHops) {
			v := fabric.AddrValue(p.Addr)
			list = append(list, fabric.Range{Lo: v, Hi: v})
		}
	}
	return w.a.intern(fabric.NewSet(list...))
}

// unknownPublics returns the public addresses that lead nobody knows where.
func (w *walk) unknownPublics() setID {
	var list []fabric.Range
	for i := range w.p.img.Publics {
		if p := &w.p.img.Publics[i]; p.Unknown {
			v := fabric.AddrValue(p.Addr)
			list = append(list, fabric.Range{Lo: v, Hi: v})
		}
	}
	return w.a.intern(fabric.NewSet(list...))
}
