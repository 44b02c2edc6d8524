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
// hosts and carry the labels of their subnet. Forwarders of the platform send
// nothing of their own: claims that something works leave them out unless the
// selector names one.
func (p *Prover) choose(a *arena, sel *model.Selector, works bool) []chosen {
	narrow := allSet
	if len(sel.Prefixes) > 0 {
		narrow = a.intern(addresses(sel))
	}
	labels := make([]fabric.Label, len(sel.All))
	for i, l := range sel.All {
		labels[i] = fabric.Label{Kind: string(l.Kind), Name: l.Name}
		if l.Kind == model.LabelFirewall {
			works = false
		}
	}
	// Prefixes without anything else speak of whoever has the addresses, inside
	// or outside.
	bare := !sel.Any && !sel.Internet && len(labels) == 0
	var out []chosen
ports:
	for i := range p.img.Ports {
		port := &p.img.Ports[i]
		switch {
		case port.Kind == fabric.PortEdge && !sel.Internet && !bare,
			port.Kind != fabric.PortEdge && sel.Internet,
			port.Kind == fabric.PortForwarder && works && !bare:
			continue
		}
		for _, l := range labels {
			if !port.Has(l) {
				continue ports
			}
		}
		if own := a.intersect(a.of(port.Addrs), narrow); own != emptySet {
			out = append(out, chosen{fabric.PortID(i), own})
		}
	}
	return out
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

// targets are destination ports: for those of a layer the union of their
// addresses, the others one by one.
type targets struct {
	layers []setID
	alone  map[fabric.PortID]bool
}

// question is one direction of a claim: who sends, to which addresses, meaning
// which ports.
type question struct {
	from, to []chosen
	begin    []state
	groups   []targets // by state.group
	senders  int       // of from, those with someone to send to
	nobody   string    // why there is no pair to speak of
}

// ask prepares the boxes of one direction of a claim. works is for claims that
// something works: destinations inside are then named by their own addresses,
// and from the internet by the public addresses that lead to them. For claims
// that something is denied every address counts that may lead to them.
func (w *walk) ask(from, to *model.Selector, relation model.Relation, traffic []model.Traffic, works bool) *question {
	q := &question{from: w.p.choose(w.a, from, works), to: w.p.choose(w.a, to, works)}
	selected := len(q.from)
	if works {
		q.from = slices.DeleteFunc(q.from, func(c chosen) bool { return w.p.img.Ports[c.port].Silent })
	}
	switch {
	case len(q.from) == 0 && selected > 0:
		q.nobody = quoted(from.Text) + " selects only what never starts a flow"
		return q
	case len(q.from) == 0:
		q.nobody = quoted(from.Text) + " selects nothing"
		return q
	case len(q.to) == 0:
		q.nobody = quoted(to.Text) + " selects nothing"
		return q
	}
	boxes := boxes(w.a, traffic, works)
	four := w.a.intern(fabric.Set{mapped})
	six := w.a.subtract(allSet, four)
	for _, g := range w.related(q, relation) {
		dst := g.inside
		switch {
		case !works:
			dst = w.a.union(g.inside, g.public, w.unknownPublics())
		case g.edge:
			dst = g.public
		}
		if dst == emptySet {
			continue
		}
		group := int32(0)
		if relation != model.AnyPair && !w.p.unique {
			group = int32(len(q.groups))
		}
		if int(group) == len(q.groups) {
			q.groups = append(q.groups, g.targets)
		}
		q.senders += g.count
		for _, c := range g.classes {
			for _, family := range [2]setID{four, six} {
				for _, b := range boxes {
					if family == four && !b.v4 || family == six && !b.v6 {
						continue
					}
					s := state{from: c.site, group: group}
					s.cube = cube{w.a.intersect(c.src, family), w.a.intersect(dst, family), b.srcPorts, b.dstPorts, b.protos}
					if s.cube[fabric.Src] != emptySet && s.cube[fabric.Dst] != emptySet {
						q.begin = append(q.begin, s)
					}
				}
			}
		}
	}
	if len(q.groups) == 1 && (relation == model.AnyPair || w.p.unique) {
		q.groups[0] = w.targets(q.to)
	}
	if len(q.begin) == 0 {
		switch {
		case works && w.p.img.Edge != fabric.None && len(q.from) == 1 && q.from[0].port == w.p.img.Edge:
			q.nobody = "no public address leads to " + quoted(to.Text)
		case relation != model.AnyPair:
			q.nobody = "no pair of " + quoted(from.Text) + " and " + quoted(to.Text) + " is " + relationText(relation)
		default:
			q.nobody = "no packet of this traffic has addresses of " + quoted(from.Text) + " and " + quoted(to.Text)
		}
	}
	return q
}

// sources are sources with the destinations that a relation leaves them.
type sources struct {
	edge           bool
	inside, public setID // addresses, public addresses that lead to them
	targets        targets
	classes        []sourceClass
	count          int
}

type sourceClass struct {
	site site
	src  setID
}

// related groups sources by what the relation compares, and those by class.
func (w *walk) related(q *question, relation model.Relation) []*sources {
	type groupKey struct {
		what int32
		edge bool
	}
	type classKey struct {
		group *sources
		site  site
	}
	byWhat := map[int32][]chosen{}
	for _, c := range q.to {
		what := w.p.relative(relation, c.port)
		byWhat[what] = append(byWhat[what], c)
	}
	insideAll, publicAll := w.reach(q.to)
	index := map[groupKey]*sources{}
	class := map[classKey]int{}
	srcs := map[classKey][]setID{}
	var order []classKey
	var out []*sources
	for _, c := range q.from {
		k := groupKey{w.p.relative(relation, c.port), c.port == w.p.img.Edge}
		g := index[k]
		if g == nil {
			g = &sources{edge: k.edge}
			index[k] = g
			out = append(out, g)
			to := byWhat[k.what]
			g.inside, g.public = w.reach(to)
			if relation == model.OtherRegion || relation == model.OtherVNet {
				// All but the own: subtracting is cheaper, and right when no two
				// ports share an address.
				if w.p.unique {
					g.inside, g.public = w.a.subtract(insideAll, g.inside), w.a.subtract(publicAll, g.public)
				} else {
					to = nil
					for _, d := range q.to {
						if w.p.related(relation, c.port, d.port) {
							to = append(to, d)
						}
					}
					g.inside, g.public = w.reach(to)
				}
			}
			if !w.p.unique {
				g.targets = w.targets(to)
			}
		}
		g.count++
		at := siteOf(c.port)
		if w.p.layer[c.port] != alone {
			at = site{place(w.p.layer[c.port]), fabric.Src, w.p.class[c.port]}
		}
		ck := classKey{g, at}
		if _, ok := class[ck]; !ok {
			class[ck] = len(g.classes)
			g.classes = append(g.classes, sourceClass{site: at})
			order = append(order, ck)
		}
		srcs[ck] = append(srcs[ck], c.addrs)
	}
	for _, ck := range order {
		ck.group.classes[class[ck]].src = w.a.union(srcs[ck]...)
	}
	return out
}

// reach returns the addresses of ports, and the public addresses that lead to
// them.
func (w *walk) reach(to []chosen) (inside, public setID) {
	sets := make([]setID, len(to))
	mine := map[fabric.PortID]setID{}
	for i, c := range to {
		sets[i] = c.addrs
		mine[c.port] = c.addrs
	}
	if len(sets) > 0 {
		inside = w.a.union(sets...)
	}
	var list []fabric.Range
	for i := range w.p.img.Publics {
		p := &w.p.img.Publics[i]
		own, ok := mine[p.Port]
		if ok && !p.Unknown && w.a.contains(own, fabric.AddrValue(p.Private)) {
			v := fabric.AddrValue(p.Addr)
			list = append(list, fabric.Range{Lo: v, Hi: v})
		}
	}
	return inside, w.a.intern(fabric.NewSet(list...))
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

func (w *walk) targets(to []chosen) targets {
	t := targets{layers: make([]setID, len(w.p.layers)), alone: map[fabric.PortID]bool{}}
	sets := make([][]setID, len(w.p.layers))
	for _, c := range to {
		if l := w.p.layer[c.port]; l == alone {
			t.alone[c.port] = true
		} else {
			sets[l] = append(sets[l], c.addrs)
		}
	}
	for i := range sets {
		if len(sets[i]) > 0 {
			t.layers[i] = w.a.union(sets[i]...)
		}
	}
	return t
}

// ends splits a delivered box into what ended at a target and what did not.
// arrived is the destination as it arrived.
func (w *walk) ends(s state, at site, arrived setID, t *targets) (in, out state, hasIn, hasOut bool) {
	if q, ok := at.port(); ok {
		if l := w.p.layer[q]; l == alone {
			return s, s, t.alone[q], !t.alone[q]
		} else {
			at.place = place(l)
		}
	}
	set := t.layers[at.place]
	if arrived != emptySet {
		hit := w.a.intersect(arrived, set) != emptySet
		return s, s, hit, !hit
	}
	return w.split(s, condition{some: true, field: fabric.Dst, set: set})
}
