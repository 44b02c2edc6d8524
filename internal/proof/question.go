package proof

import (
	"cmp"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// targets are destination ports: for those of a layer the union of their
// addresses, the others one by one. Balancers are destinations of what is
// addressed to them, wherever they hand it.
type targets struct {
	layers    []setID
	alone     map[fabric.PortID]setID
	balancers []chosen
}

// question is one direction of a claim: who sends, to which addresses, meaning
// which ports.
type question struct {
	from, to []chosen
	begin    []state
	groups   []targets // by state.group
	relation model.Relation
	boxes    []box  // the traffic
	all      setID  // by which all of to are meant
	reported bool   // redirects may change the port of what arrives
	wide     bool   // boxes have destinations that a relation excludes
	senders  int    // of from, those with someone to send to
	nobody   string // why there is no pair to speak of
}

// ask prepares the boxes of one direction of a claim. works is for claims that
// something works: destinations inside are then named by their own addresses,
// and from the internet by the public addresses that lead to them. For claims
// that something is denied every address counts that may lead to them, and the
// ports of the traffic are those at the destination.
func (w *walk) ask(from, to *model.Selector, relation model.Relation, traffic []model.Traffic, works bool) *question {
	q := &question{
		from: w.p.choose(w.a, from, works), to: w.p.choose(w.a, to, works),
		relation: relation, boxes: boxes(w.a, traffic, works),
	}
	if works {
		q.to = w.p.receivers(w.a, to, q.from, q.to)
	}
	w.frame(q, from.Text, to.Text, works)
	return q
}

// frame makes the boxes of a question whose ends are known, or says why there
// are none.
func (w *walk) frame(q *question, from, to string, works bool) {
	selected := len(q.from)
	if works {
		q.from = slices.DeleteFunc(q.from, func(c chosen) bool { return w.p.img.Ports[c.port].Silent })
	}
	switch {
	case len(q.from) == 0 && selected > 0:
		q.nobody = quoted(from) + " selects only what never starts a flow"
		return
	case len(q.from) == 0:
		q.nobody = quoted(from) + " selects nothing"
		return
	case len(q.to) == 0:
		q.nobody = quoted(to) + " selects nothing"
		return
	}
	four := w.a.intern(fabric.Set{mapped})
	six := w.a.subtract(allSet, four)
	for _, g := range w.related(q, q.relation) {
		group := int32(0)
		if q.relation != model.AnyPair && !w.p.unique {
			group = int32(len(q.groups))
		}
		if int(group) == len(q.groups) {
			q.groups = append(q.groups, g.targets)
		}
		any := false
		for _, b := range w.aimed(q, g, works) {
			for _, c := range g.classes {
				for _, family := range [2]setID{four, six} {
					if family == four && !b.v4 || family == six && !b.v6 {
						continue
					}
					s := state{from: c.site, group: group}
					s.cube = cube{w.a.intersect(c.src, family), w.a.intersect(b.dst, family), b.srcPorts, b.dstPorts, b.protos}
					if s.cube[fabric.Src] != emptySet && s.cube[fabric.Dst] != emptySet {
						q.begin = append(q.begin, s)
					}
				}
			}
			any = true
		}
		if any {
			q.senders += g.count
		}
	}
	if len(q.groups) == 1 && (q.relation == model.AnyPair || w.p.unique) {
		q.groups[0] = w.targets(q.to)
		q.groups[0].balancers = w.balancers(q.to)
	}
	if len(q.begin) == 0 {
		switch {
		case works && w.p.img.Edge != fabric.None && len(q.from) == 1 && q.from[0].port == w.p.img.Edge:
			q.nobody = "no public address leads to " + quoted(to)
		case q.relation != model.AnyPair:
			q.nobody = "no pair of " + quoted(from) + " and " + quoted(to) + " is " + relationText(q.relation)
		default:
			q.nobody = "no packet of this traffic has addresses of " + quoted(from) + " and " + quoted(to)
		}
	}
}

// aim is traffic with destinations.
type aim struct {
	box
	dst setID
}

// aimed returns the traffic of a question from some sources, with the addresses
// it goes to.
func (w *walk) aimed(q *question, g *sources, works bool) []aim {
	var out []aim
	add := func(b box, dst setID) {
		if dst != emptySet {
			out = append(out, aim{b, dst})
		}
	}
	if works {
		for _, b := range q.boxes {
			dst := g.inside
			if g.edge {
				dst = w.publicsTo(g.to, &b)
			}
			add(b, dst)
		}
		return out
	}
	dst, reported := w.leadTo(g.inside)
	q.wide = q.wide || dst != g.inside && w.a.intersect(dst, w.a.subtract(q.all, g.inside)) != emptySet
	if unknown := w.unknownPublics(); unknown != emptySet {
		dst = w.a.union(dst, unknown)
	}
	q.reported = q.reported || reported != emptySet
	for _, b := range q.boxes {
		add(b, dst)
		// What is sent to another port and arrives at one of these.
		other := b
		other.dstPorts = w.a.subtract(w.a.intern(fabric.NumSet(0, 65535)), b.dstPorts)
		if other.dstPorts != emptySet && w.a.intersect(b.protos, w.ported) == b.protos {
			add(other, reported)
		}
	}
	return out
}

// sources are sources with the destinations that a relation leaves them.
type sources struct {
	edge    bool
	inside  setID    // addresses
	to      []chosen // of the edge only
	targets targets  // where ports share addresses
	classes []sourceClass
	count   int
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
	q.all = w.reach(q.to)
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
			if relation == model.OtherRegion || relation == model.OtherVNet {
				// All but the own: subtracting is cheaper, and right when no two
				// ports share an address.
				if w.p.unique && !g.edge {
					g.inside = w.a.subtract(q.all, w.reach(to))
				} else {
					to = nil
					for _, d := range q.to {
						if w.p.related(relation, c.port, d.port) {
							to = append(to, d)
						}
					}
					g.inside = w.reach(to)
				}
			} else {
				g.inside = w.reach(to)
			}
			if g.edge {
				g.to = to
			}
			if !w.p.unique {
				g.targets = w.targets(to)
				g.targets.balancers = w.balancers(to)
			}
		}
		g.count++
		at := siteOf(c.port)
		if w.p.layer[c.port] != alone {
			at = site{place(w.p.layer[c.port]), bySrc, w.p.class[c.port]}
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

// reach returns the addresses by which ports are meant.
func (w *walk) reach(to []chosen) setID {
	if len(to) == 0 {
		return emptySet
	}
	sets := make([]setID, len(to))
	for i, c := range to {
		sets[i] = c.addrs
	}
	return w.a.union(sets...)
}

func (w *walk) targets(to []chosen) targets {
	t := targets{layers: make([]setID, len(w.p.layers)), alone: map[fabric.PortID]setID{}}
	sets := make([][]setID, len(w.p.layers))
	for _, c := range to {
		if l := w.p.layer[c.port]; l == alone {
			t.alone[c.port] = c.addrs
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

// balancers returns those of some ports that hand packets to others.
func (w *walk) balancers(to []chosen) []chosen {
	out := slices.DeleteFunc(slices.Clone(to), func(c chosen) bool { return w.p.img.Ports[c.port].Kind != fabric.PortBalancer })
	slices.SortFunc(out, func(a, b chosen) int { return cmp.Compare(a.port, b.port) })
	return out
}

// ends splits a delivered box into what ended at a target and what did not.
// arrived is the destination as it arrived.
func (w *walk) ends(s state, at site, arrived setID, t *targets) (in, out state, hasIn, hasOut bool) {
	q, single := at.port()
	if !single {
		set := t.layers[at.place]
		if arrived != emptySet {
			hit := w.a.intersect(arrived, set) != emptySet
			return s, s, hit, !hit
		}
		return w.split(s, condition{some: true, field: fabric.Dst, set: set})
	}
	own, mine := w.a.of(w.p.img.Ports[q].Addrs), emptySet
	if l := w.p.layer[q]; l == alone {
		mine = t.alone[q]
	} else {
		mine = w.a.intersect(t.layers[l], own)
	}
	// What a balancer floats to a port has another address than the port's.
	others := w.a.subtract(own, mine)
	switch {
	case mine == emptySet:
		return s, s, false, true
	case others == emptySet:
		return s, s, true, false
	case arrived != emptySet:
		hit := w.a.intersect(arrived, others) == emptySet
		return s, s, hit, !hit
	}
	return w.split(s, condition{some: true, field: fabric.Dst, set: w.a.subtract(allSet, others)})
}

// arrival returns where a leaf's first packet was delivered, and its
// destination then.
func (l *leaf) arrival() (site, setID) {
	if l.reply {
		return l.end, l.endDst
	}
	return l.stop, l.now[fabric.Dst]
}

// reached divides a leaf whose first packet was delivered into what ended where
// the question means and what did not. What is addressed to a chosen balancer
// and handed on by it ended there; everything else where it was delivered.
func (w *walk) reached(l *leaf, q *question) (in, out []state) {
	t := &q.groups[l.group]
	rest := []state{l.state}
	if l.code == fabric.CodePlatform {
		return nil, rest // the platform is nobody's port
	}
	for _, b := range t.balancers {
		if !w.choices.met(l.chose, b.port) {
			continue
		}
		var left []state
		for _, s := range rest {
			hit, miss, hasHit, hasMiss := w.split(s, condition{some: true, field: fabric.Dst, set: b.addrs})
			if hasMiss {
				left = append(left, miss)
			}
			if hasHit {
				yes, no := w.toward(hit, q, b.port)
				in, left = append(in, w.asked(yes, q)...), append(left, no...)
			}
		}
		rest = left
	}
	at, arrived := l.arrival()
	for _, s := range rest {
		hit, miss, hasHit, hasMiss := w.ends(s, at, arrived, t)
		if hasMiss {
			out = append(out, miss)
		}
		if !hasHit {
			continue
		}
		yes, no := []state{hit}, []state(nil)
		if end, single := at.port(); single && (arrived != emptySet || q.wide) {
			yes, no = w.toward(hit, q, end)
		} else if !single && q.wide {
			yes = nil
			w.eachPort(hit, at, func(s state, at site) {
				end, _ := at.port()
				y, n := w.toward(s, q, end)
				yes, no = append(yes, y...), append(no, n...)
			})
		}
		out = append(out, no...)
		if !q.reported || l.reply {
			in = append(in, yes...)
			continue
		}
		for _, s := range yes {
			in = append(in, w.within(s, q, func(s *state) setID { return s.field(fabric.DstPort) }, true)...)
		}
	}
	return in, out
}

// toward divides a box by whether its sources and a port are a pair of the
// question's relation. Where ports share addresses the groups do that.
func (w *walk) toward(s state, q *question, end fabric.PortID) (yes, no []state) {
	if q.relation == model.AnyPair || !w.p.unique {
		return []state{s}, nil
	}
	if from, single := s.from.port(); single {
		if w.p.related(q.relation, from, end) {
			return []state{s}, nil
		}
		return nil, []state{s}
	}
	var sets []setID
	for _, c := range q.from {
		if w.p.related(q.relation, c.port, end) {
			sets = append(sets, c.addrs)
		}
	}
	c := never
	if len(sets) > 0 {
		c = condition{some: true, field: fabric.Src, set: w.a.union(sets...)}
	}
	in, out, hasIn, hasOut := w.split(s, c)
	if hasIn {
		yes = append(yes, in)
	}
	if hasOut {
		no = append(no, out)
	}
	return yes, no
}

// asked keeps the packets of boxes that were sent to the ports of a question's
// traffic.
func (w *walk) asked(list []state, q *question) []state {
	if !q.reported {
		return list
	}
	var out []state
	for _, s := range list {
		out = append(out, w.within(s, q, func(s *state) setID { return s.cube[fabric.DstPort] }, false)...)
	}
	return out
}

// within keeps the packets of a box whose destination port, as they are now or
// as they were sent, is one of a question's traffic.
func (w *walk) within(s state, q *question, port func(*state) setID, now bool) []state {
	var out []state
	for i := range q.boxes {
		b := &q.boxes[i]
		in, ok := w.narrow(s, fabric.Proto, b.protos)
		if !ok {
			continue
		}
		ports := w.a.intersect(port(&in), b.dstPorts)
		if ports == emptySet {
			continue
		}
		if !now || in.fixed(fabric.DstPort) == emptySet {
			in.cube[fabric.DstPort] = ports
		}
		out = append(out, in)
	}
	return out
}
