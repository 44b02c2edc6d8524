package proof

import (
	"slices"
	"sync/atomic"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Watch keeps claims decided while a network changes. After a change of the
// rules of filters or of routes it decides again only what they can affect:
//
//   - a denied claim is affected by ingress filters only where its contract did
//     not exclude the destinations behind them, or no longer does; by egress
//     filters only where sources behind them are left to search;
//   - it is affected by route tables of its sources and of forwarders that they
//     may reach;
//   - any other claim by filters and tables of its own sources and destinations,
//     and of whatever forwards.
//
// A claim is searched only among the packets that are affected and those that
// broke it before: all others meet the same rules as before. Every other change decides all claims
// anew. Findings are those of [Prover.Check]. A Watch is not safe for
// concurrent use.
type Watch struct {
	p      *Prover
	a      *arena
	claims []*standing
	users  [][]user // by filter
	hosts  setID
	walls  []fabric.PortID
	// Again counts the claims that were decided again since the Watch began, in
	// part or as a whole: for tests and benchmarks.
	Again struct{ Part, Whole int }
}

// user is a port that has a filter.
type user struct {
	port fabric.PortID
	dir  fabric.Direction
}

// standing is a claim as decided.
type standing struct {
	finding Finding
	sides   []*oneWay // of a claim that contracts decide
	ports   []bool    // of any other: its sources and destinations
}

// oneWay is one direction of a denied claim.
type oneWay struct {
	q    *question
	c    *contract
	kept map[fabric.PortID][]state // what was left to search, by class of sources
	open []state                   // what may be delivered or undecided
	// begin are positions in the question's boxes, by class; single those of
	// boxes that begin at one port.
	begin  map[fabric.PortID][]int32
	single []int32
}

// NewWatch decides claims about an image and watches them.
func NewWatch(p *Prover, exps []model.Expectation) *Watch {
	w := &Watch{p: p, a: newArena(p.img), users: make([][]user, len(p.img.Filters))}
	w.index()
	w.walls = newJudge(p, w.a, &Finding{}, 0).walls
	w.hosts = p.newWalk(w.a, 0).hosts()
	for _, e := range exps {
		w.claims = append(w.claims, w.decide(e))
	}
	return w
}

// index finds the users of every filter, in one piece of memory.
func (w *Watch) index() {
	count := make([]int32, len(w.users)+1)
	each := func(do func(id fabric.FilterID, u user)) {
		for i := range w.p.img.Ports {
			p, q := &w.p.img.Ports[i], fabric.PortID(i)
			for _, id := range p.Egress {
				do(id, user{q, fabric.Out})
			}
			for _, id := range p.Ingress {
				do(id, user{q, fabric.In})
			}
			if p.Forward != nil {
				for _, id := range p.Forward.Policy {
					do(id, user{q, fabric.Through})
				}
			}
		}
	}
	total := 0
	each(func(id fabric.FilterID, _ user) { count[id]++; total++ })
	all := make([]user, total)
	at := 0
	for id := range w.users {
		n := int(count[id])
		w.users[id] = all[at : at : at+n]
		at += n
	}
	each(func(id fabric.FilterID, u user) { w.users[id] = append(w.users[id], u) })
}

// Prover returns the prover of the image as it is now.
func (w *Watch) Prover() *Prover { return w.p }

// Findings returns the claims as decided, in their order.
func (w *Watch) Findings() []Finding {
	out := make([]Finding, len(w.claims))
	for i, st := range w.claims {
		out[i] = st.finding
	}
	return out
}

// Update goes on to the next image, which differs from the last by a delta, and
// returns the findings.
func (w *Watch) Update(img *fabric.Image, d fabric.Delta) []Finding {
	if d.Whole {
		next := NewWatch(New(img), w.expectations())
		next.Again = w.Again
		next.Again.Whole += len(w.claims)
		*w = *next
		return w.Findings()
	}
	before := w.p
	w.p = w.p.after(img, &d)
	w.a.follow(img)
	for i, st := range w.claims {
		switch {
		case w.routed(st, d.Tables):
			w.Again.Whole++
			w.claims[i] = w.decide(st.finding.Expectation)
		case st.sides != nil:
			w.again(i, before, d.Filters)
		case w.concerns(st, d.Filters) || !w.refresh(&st.finding):
			w.Again.Whole++
			w.claims[i] = w.decide(st.finding.Expectation)
		}
	}
	return w.Findings()
}

func (w *Watch) expectations() []model.Expectation {
	out := make([]model.Expectation, len(w.claims))
	for i, st := range w.claims {
		out[i] = st.finding.Expectation
	}
	return out
}

// after returns a prover of an image that differs in the rules of filters and
// the routes of tables only.
func (p *Prover) after(img *fabric.Image, d *fabric.Delta) *Prover {
	next := &Prover{img: img, class: p.class, layer: p.layer, layers: p.layers, unique: p.unique, partitions: p.partitions}
	if len(d.Tables) > 0 {
		next.partitions = make([]atomic.Pointer[partition], len(p.partitions))
		for i := range p.partitions {
			next.partitions[i].Store(p.partitions[i].Load())
		}
		for _, id := range d.Tables {
			next.partitions[id].Store(nil)
		}
	}
	s := p.shapeOf()
	for _, id := range d.Filters {
		if vague(&img.Filters[id]) != s.vague[id] {
			return next // its shape is made anew
		}
	}
	next.shape.Store(s)
	return next
}

// follow goes on to an image whose sets begin with those of the last.
func (a *arena) follow(img *fabric.Image) {
	for len(a.image) < len(img.Sets) {
		a.image = append(a.image, -1)
	}
	a.img = img
}

// decide decides a claim.
func (w *Watch) decide(e model.Expectation) *standing {
	st := &standing{}
	if _, missing := w.p.missing(&e); e.Verb == model.Deny && !missing {
		if w.contracts(st, e) {
			return st
		}
	}
	st.sides = nil
	st.finding = w.p.check(w.a, e, DefaultBudget)
	st.ports = make([]bool, len(w.p.img.Ports))
	for _, sel := range []*model.Selector{&e.From, &e.To} {
		for _, c := range w.p.choose(w.a, sel, false) {
			st.ports[c.port] = true
		}
	}
	return st
}

// contracts decides a denied claim by contract; false where none applies.
func (w *Watch) contracts(st *standing, e model.Expectation) bool {
	pairs := [][2]*model.Selector{{&e.From, &e.To}}
	if e.Both {
		pairs = append(pairs, [2]*model.Selector{&e.To, &e.From})
	}
	st.finding = Finding{Expectation: e}
	j := w.judge(&st.finding)
	for _, pair := range pairs {
		j.open(pair[0], pair[1])
		j.w.hostSet = w.hosts
		s := &oneWay{q: j.q, kept: map[fabric.PortID][]state{}, begin: map[fabric.PortID][]int32{}}
		st.sides = append(st.sides, s)
		if j.q.nobody != "" {
			j.nobody = j.q.nobody
			continue
		}
		var ok bool
		if s.c, ok = j.w.contractOf(j.q); !ok {
			return false
		}
		kept := s.c.narrow()
		s.open = kept
		for i := range kept {
			s.kept[kept[i].from.class] = append(s.kept[kept[i].from.class], kept[i])
		}
		for i := range j.q.begin {
			from := j.q.begin[i].from
			s.begin[from.class] = append(s.begin[from.class], int32(i))
			if from.place < 0 {
				s.single = append(s.single, int32(i))
			}
		}
		j.searchKept(kept)
		j.closeSide()
	}
	j.conclude()
	st.settle()
	return true
}

// judge makes the judge of a denied claim. It knows the firewalls from before.
func (w *Watch) judge(f *Finding) *judge {
	return &judge{p: w.p, a: w.a, f: f, budget: DefaultBudget, broken: newTally(), unknown: newTally(), walls: w.walls}
}

// closeSide ends the search of one direction.
func (j *judge) closeSide() {
	j.f.Counts.Steps += j.w.steps
	if j.f.Counts.Sources == 0 {
		j.f.Counts.Sources, j.f.Counts.Destinations = j.q.senders, len(j.q.to)
	}
	j.broken.show(j)
	j.unknown.show(j)
}

// routed reports whether packets of a claim may meet one of some route tables.
func (w *Watch) routed(st *standing, tables []fabric.TableID) bool {
	if len(tables) == 0 {
		return false
	}
	changed := make(map[fabric.TableID]bool, len(tables))
	for _, t := range tables {
		changed[t] = true
	}
	if st.sides != nil {
		for _, s := range st.sides {
			if s.c != nil && (s.c.redirected || slices.ContainsFunc(s.c.emitters, func(e emitter) bool { return changed[e.table] })) {
				return true
			}
		}
		return false
	}
	switch st.finding.Expectation.Verb {
	case model.Resolves, model.NoMore:
		return false
	}
	if st.finding.Status != Holds {
		return true
	}
	for i := range w.p.img.Ports {
		p := &w.p.img.Ports[i]
		if p.Kind != fabric.PortEdge && changed[p.Routes] && (single(p) || st.ports[i]) {
			return true
		}
	}
	return false
}

// concerns reports whether filters may matter to a claim that no contract
// decides.
func (w *Watch) concerns(st *standing, filters []fabric.FilterID) bool {
	switch st.finding.Expectation.Verb {
	case model.Resolves, model.NoMore:
		return false
	}
	if st.finding.Status != Holds {
		return true
	}
	for _, id := range filters {
		for _, u := range w.users[id] {
			if single(&w.p.img.Ports[u.port]) || st.ports[u.port] {
				return true
			}
		}
	}
	return false
}

// refresh shows a finding's witnesses in the present image; false if one of
// them does not do what it did.
func (w *Watch) refresh(f *Finding) bool {
	if f.Internal != nil {
		return false
	}
	renew := func(wit *Witness) (*Witness, bool) {
		if wit == nil || wit.Answer != nil || wit.Name != "" {
			return wit, true
		}
		choices := slices.Concat(wit.Conn.Forward.Choices, wit.Conn.Reply.Choices)
		next := w.p.witness(wit.From, wit.Packet, replay(w.p.img, wit.From, wit.Packet, choices))
		next.Forced = wit.Forced
		was, _ := wit.Conn.Verdict()
		is, _ := next.Conn.Verdict()
		return next, was == is
	}
	ok := true
	f.Groups = slices.Clone(f.Groups)
	for i := range f.Groups {
		var same bool
		f.Groups[i].Witness, same = renew(f.Groups[i].Witness)
		ok = ok && same
	}
	if len(f.Groups) > 0 {
		f.Witness = f.Groups[0].Witness
	}
	return ok
}
