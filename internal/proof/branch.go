package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// branch is the part of a set of destinations that one hop takes.
type branch struct {
	hop   fabric.Hop
	route int32 // meaningless for hops that lead on to a space or port
	set   setID
}

// branches divides destinations of one family by where a table's routes lead.
// Routes that lead on to the same place are one branch; routes that end the way
// are told apart, because the reason names them.
func (w *walk) branches(table fabric.TableID, dst setID) []branch {
	k := routeKey{table, dst}
	if b, ok := w.routed[k]; ok {
		return b
	}
	b := w.divide(table, dst, true)
	w.routed[k] = b
	return b
}

// exact divides destinations by route.
func (w *walk) exact(table fabric.TableID, dst setID) []branch { return w.divide(table, dst, false) }

type hopKey struct {
	kind  fabric.HopKind
	where int32
}

// parts collects sets while ranges are dealt out to them in order. It keeps its
// memory for the next use.
type parts struct {
	index map[hopKey]int
	sets  []fabric.Set
	n     int
}

func (p *parts) reset() {
	clear(p.index)
	p.n = 0
}

// open begins another set.
func (p *parts) open() {
	if p.n == len(p.sets) {
		p.sets = append(p.sets, nil)
	}
	p.sets[p.n] = p.sets[p.n][:0]
	p.n++
}

func (w *walk) divide(table fabric.TableID, dst setID, join bool) []branch {
	routes := w.p.img.Tables[table].Routes
	dsts := w.a.get(dst)
	cuts := w.p.partition(table).of(dsts.Min())
	w.parts.reset()
	var out []branch
	last, lastRoute := -1, int32(-2)
	add := func(r fabric.Range, route int32) {
		if route != lastRoute {
			b := branch{route: route}
			k := hopKey{255, route}
			if route != fabric.None {
				b.hop = routes[route].Hop
				switch {
				case join && b.hop.Kind == fabric.HopSpace:
					k = hopKey{b.hop.Kind, int32(b.hop.Space)}
				case join && b.hop.Kind == fabric.HopPort:
					k = hopKey{b.hop.Kind, int32(b.hop.Port)}
				}
			}
			i, ok := w.parts.index[k]
			if !ok {
				i = len(out)
				w.parts.index[k] = i
				out = append(out, b)
				w.parts.open()
			}
			last, lastRoute = i, route
		}
		w.parts.sets[last] = appendRange(w.parts.sets[last], r)
	}
	eachOverlap(dsts, len(cuts), func(i int) fabric.Range { return cuts[i].Range }, func(r fabric.Range, i int) {
		if i < 0 {
			add(r, fabric.None)
		} else {
			add(r, cuts[i].route)
		}
	})
	for i := range out {
		out[i].set = w.a.internCopy(w.parts.sets[i])
	}
	return out
}

// eachOverlap cuts the ranges of a set along n sorted disjoint ranges and calls
// do for every piece, in order, with the range that holds it or -1.
func eachOverlap(s fabric.Set, n int, at func(int) fabric.Range, do func(r fabric.Range, i int)) {
	if len(s) == 0 {
		return
	}
	lo, hi := 0, n
	for lo < hi { // the first range that does not end below the set
		if m := (lo + hi) / 2; at(m).Hi.Less(s[0].Lo) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	i := lo
	for _, r := range s {
		for {
			for i < n && at(i).Hi.Less(r.Lo) {
				i++
			}
			if i == n || r.Hi.Less(at(i).Lo) {
				do(r, -1)
				break
			}
			c := at(i)
			if r.Lo.Less(c.Lo) {
				do(fabric.Range{Lo: r.Lo, Hi: c.Lo.Prev()}, -1)
				r.Lo = c.Lo
			}
			if r.Hi.Compare(c.Hi) <= 0 {
				do(r, i)
				break
			}
			do(fabric.Range{Lo: r.Lo, Hi: c.Hi}, i)
			r.Lo = c.Hi.Next()
		}
	}
}

// owned is the part of a set of addresses that one port owns.
type owned struct {
	port fabric.PortID
	set  setID
}

// piece is the part of a set of addresses that ports of one class own. Ports
// that are followed alone are a piece each.
type piece struct {
	layer int32
	set   setID
	ports []owned
}

// owners says who owns a set of addresses in a space.
type owners struct {
	pieces []piece
	nobody setID
}

func (w *walk) owners(space fabric.SpaceID, dst setID) owners {
	k := ownerKey{space, dst}
	if o, ok := w.owned[k]; ok {
		return o
	}
	var none fabric.Set
	var list []fabric.PortID
	parts := map[fabric.PortID]fabric.Set{}
	all := w.p.img.Spaces[space].Owners
	eachOverlap(w.a.get(dst), len(all), func(i int) fabric.Range { return all[i].Range }, func(r fabric.Range, i int) {
		if i < 0 {
			none = appendRange(none, r)
			return
		}
		q := all[i].Port
		if parts[q] == nil {
			list = append(list, q)
		}
		parts[q] = appendRange(parts[q], r)
	})
	o := owners{nobody: w.a.intern(none)}
	type group struct {
		class fabric.PortID
		layer int32
	}
	index := map[group]int{}
	for _, q := range list {
		set := w.a.intern(parts[q])
		layer := w.p.layer[q]
		if layer != alone && w.a.subtract(set, w.a.of(w.p.img.Ports[q].Addrs)) != emptySet {
			layer = alone
		}
		i, ok := index[group{w.p.class[q], layer}]
		if !ok || layer == alone {
			i = len(o.pieces)
			index[group{w.p.class[q], layer}] = i
			o.pieces = append(o.pieces, piece{layer: layer})
		}
		o.pieces[i].ports = append(o.pieces[i].ports, owned{q, set})
	}
	for i := range o.pieces {
		p := &o.pieces[i]
		sets := make([]setID, len(p.ports))
		for j := range p.ports {
			sets[j] = p.ports[j].set
		}
		p.set = w.a.union(sets...)
	}
	w.owned[k] = o
	return o
}

// home returns the addresses that a space and a layer say the same port owns.
func (w *walk) home(space fabric.SpaceID, number int32) setID {
	k := [2]int32{int32(space), number}
	if id, ok := w.agreed[k]; ok {
		return id
	}
	var same fabric.Set
	l := &w.p.layers[number]
	for _, o := range w.p.img.Spaces[space].Owners {
		eachOverlap(fabric.Set{o.Range}, len(l.owners), func(i int) fabric.Range { return l.owners[i].Range }, func(r fabric.Range, i int) {
			if i >= 0 && l.owners[i].Port == o.Port {
				same = appendRange(same, r)
			}
		})
	}
	id := w.a.intern(same)
	w.agreed[k] = id
	return id
}
