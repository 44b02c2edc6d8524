package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// DefaultBudget is how many steps one claim may take: rules compared and boxes
// moved. A network of a thousand spokes needs about a tenth of it.
const DefaultBudget = 20_000_000

// Check decides claims, one finding each, in their order.
func (p *Prover) Check(exps []model.Expectation) []Finding {
	a := newArena(p.img)
	out := make([]Finding, len(exps))
	for i, e := range exps {
		out[i] = p.check(a, e, DefaultBudget)
	}
	return out
}

func (p *Prover) check(a *arena, e model.Expectation, budget int) Finding {
	f := Finding{Expectation: e}
	switch e.Verb {
	case model.Deny, model.Allow, model.Symmetric:
	case model.Resolves:
		p.resolves(a, &f)
		return f
	default:
		f.Why = fmt.Sprintf("the claim %q is not known", e.Verb)
		return f
	}
	j := newJudge(p, a, &f, budget)
	j.ask(&e.From, &e.To)
	if e.Both {
		j.ask(&e.To, &e.From)
	}
	j.conclude()
	return f
}

// judge looks at the leaves of a claim about packets.
type judge struct {
	p     *Prover
	a     *arena
	f     *Finding
	w     *walk
	q     *question
	walls []fabric.PortID // ports labelled as firewalls
	// What was found so far, over both directions.
	broken, unknown tally
	nobody          string
	stopped         bool // the budget ran out
	budget          int
}

func newJudge(p *Prover, a *arena, f *Finding, budget int) *judge {
	j := &judge{p: p, a: a, f: f, budget: budget, broken: newTally(), unknown: newTally()}
	for i := range p.img.Ports {
		for _, l := range p.img.Ports[i].Labels {
			if l.Kind == string(model.LabelFirewall) {
				j.walls = append(j.walls, fabric.PortID(i))
				break
			}
		}
	}
	return j
}

// ask searches one direction of the claim.
func (j *judge) ask(from, to *model.Selector) {
	e := &j.f.Expectation
	j.w = j.p.newWalk(j.a, j.budget)
	j.w.replies = e.Verb != model.Deny
	j.w.leaf = j.leaf
	j.q = j.w.ask(from, to, e.Relation, e.Traffic, e.Verb != model.Deny)
	if j.q.nobody != "" {
		j.nobody = j.q.nobody
		return
	}
	if e.Verb == model.Allow {
		j.unreachable()
	}
	if !j.w.run(j.q.begin) {
		j.stopped = true
	}
	j.f.Counts.Steps += j.w.steps
	if j.f.Counts.Sources == 0 { // of a claim both ways, count the way it is written
		j.f.Counts.Sources, j.f.Counts.Destinations = j.q.senders, len(j.q.to)
	}
	// Witnesses belong to the walk that found them.
	j.broken.show(j)
	j.unknown.show(j)
}

// unreachable finds hosts that a claim says the internet reaches although no
// public address leads to them.
func (j *judge) unreachable() {
	edge := j.p.img.Edge
	for _, c := range j.q.from {
		if edge == fabric.None || c.port != edge {
			continue
		}
		for _, d := range j.q.to {
			if j.p.img.Ports[d.port].Kind != fabric.PortHost {
				continue
			}
			if _, public := j.w.reach([]chosen{d}); public == emptySet && j.nobody == "" {
				j.nobody = "no public address leads to " + j.p.name(d.port)
			}
		}
	}
}

// leaf judges where a box ended.
func (j *judge) leaf(l leaf) {
	j.f.Counts.Leaves++
	if j.f.Expectation.Verb == model.Deny {
		j.denied(l)
		return
	}
	if l.verdict == fabric.VerdictUnknown {
		j.unknown.add(j, l, cause{code: l.code, reply: l.reply}, nil)
		return
	}
	if l.verdict == fabric.VerdictDeny {
		if j.f.Expectation.Verb == model.Allow || l.reply {
			j.broken.add(j, l, cause{code: l.code, reply: l.reply}, nil)
		}
		return
	}
	if j.f.Expectation.Verb == model.Symmetric {
		if l.reply && !j.p.mirrored(j.w.paths.ports(l.mid), j.w.paths.ports(l.back)) {
			j.broken.add(j, l, cause{what: "the reply passes other stateful devices"}, func(c *fabric.Connection) bool {
				return !j.p.mirrored(c.Forward.Path, c.Reply.Path)
			})
		}
		return
	}
	j.works(l)
}

// denied judges a leaf of a claim that nothing is delivered.
func (j *judge) denied(l leaf) {
	switch l.verdict {
	case fabric.VerdictUnknown:
		j.unknown.add(j, l, cause{code: l.code}, nil)
	case fabric.VerdictAllow:
		in, _, ok, _ := j.w.ends(l.state, l.stop, l.now[fabric.Dst], &j.q.groups[l.group])
		if ok {
			l.state = in
			j.broken.add(j, l, cause{what: "delivered"}, nil)
		}
	}
}

// works judges a leaf whose packets and replies arrived.
func (j *judge) works(l leaf) {
	end := l.stop
	if l.reply {
		end = l.end
	}
	arrived := l.now[fabric.Dst]
	if l.reply {
		arrived = l.endDst
	}
	in, out, hasIn, hasOut := j.w.ends(l.state, end, arrived, &j.q.groups[l.group])
	if hasOut {
		o := l
		o.state = out
		j.broken.add(j, o, cause{what: "another port with the same address takes it"}, nil)
	}
	if !hasIn {
		return
	}
	l.state = in
	for i := range j.f.Expectation.Through {
		if missed, ok := j.evades(&l, i); ok {
			j.broken.add(j, missed, cause{what: waypointText(j.f.Expectation.Through[i]) + " is not on the way"}, func(c *fabric.Connection) bool {
				return !j.passes(i, c)
			})
		}
	}
}

// evades returns the part of a leaf whose packets, or replies, do not pass a
// waypoint.
func (j *judge) evades(l *leaf, waypoint int) (leaf, bool) {
	way := &j.f.Expectation.Through[waypoint]
	out := *l
	both := []pathID{l.mid, l.back}
	if way.Kind == model.NamedFirewall {
		for _, id := range both {
			if !j.any(id, func(q fabric.PortID) bool { return j.named(q, way.Name) }) {
				return out, true
			}
		}
		return out, false
	}
	// The regions whose firewalls are on both ways; ports elsewhere evade theirs.
	for _, wall := range j.walls {
		region := j.p.img.Ports[wall].Region
		for i, id := range both {
			if !j.any(id, func(q fabric.PortID) bool { return j.isWall(q) && j.p.img.Ports[q].Region == region }) {
				break
			}
			if i < len(both)-1 {
				continue
			}
			var hasOut bool
			if out.state, hasOut = j.outside(out.state, way.Kind, region); !hasOut {
				return out, false
			}
		}
	}
	return out, true
}

// outside keeps the packets of a box whose source, or destination, is not in a
// region.
func (j *judge) outside(s state, kind model.WaypointKind, region fabric.RegionID) (state, bool) {
	at, arrived := s.from, emptySet
	if kind == model.DestinationFirewall {
		at, arrived = s.end, s.endDst
	}
	if q, ok := at.port(); ok {
		return s, j.p.img.Ports[q].Region != region
	}
	set := j.w.regionSet(int32(at.place), region)
	if at.by == fabric.Dst && arrived != emptySet {
		return s, j.a.intersect(arrived, set) == emptySet
	}
	_, out, _, hasOut := j.w.split(s, condition{some: true, field: at.by, set: set})
	return out, hasOut
}

// regionSet returns the addresses of a layer's ports in a region.
func (w *walk) regionSet(number int32, region fabric.RegionID) setID {
	k := [2]int32{number, int32(region)}
	if id, ok := w.regions[k]; ok {
		return id
	}
	var s fabric.Set
	for _, o := range w.p.layers[number].owners {
		if w.p.img.Ports[o.Port].Region == region {
			s = appendRange(s, o.Range)
		}
	}
	id := w.a.intern(s)
	w.regions[k] = id
	return id
}

func (j *judge) any(id pathID, is func(fabric.PortID) bool) bool {
	for ; id != 0; id = j.w.paths.list[id].before {
		if is(j.w.paths.list[id].port) {
			return true
		}
	}
	return false
}

func (j *judge) isWall(q fabric.PortID) bool {
	for _, x := range j.walls {
		if x == q {
			return true
		}
	}
	return false
}

func (j *judge) named(q fabric.PortID, name string) bool {
	return j.p.img.Ports[q].Has(fabric.Label{Kind: string(model.LabelFirewall), Name: name})
}

// passes reports whether a connection passes a waypoint both ways.
func (j *judge) passes(waypoint int, c *fabric.Connection) bool {
	way := &j.f.Expectation.Through[waypoint]
	region := j.p.img.Ports[c.Forward.From].Region
	if way.Kind == model.DestinationFirewall {
		region = j.p.img.Ports[c.Forward.End()].Region
	}
	for _, path := range [2][]fabric.PortID{inside(c.Forward.Path), inside(c.Reply.Path)} {
		found := false
		for _, q := range path {
			if way.Kind == model.NamedFirewall {
				found = found || j.named(q, way.Name)
			} else {
				found = found || j.isWall(q) && j.p.img.Ports[q].Region == region
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// inside returns the ports between the first and the last of a path.
func inside(path []fabric.PortID) []fabric.PortID {
	if len(path) < 3 {
		return nil
	}
	return path[1 : len(path)-1]
}

// mirrored reports whether the stateful forwarders of one path are those of the
// other in reverse.
func (p *Prover) mirrored(forward, back []fabric.PortID) bool {
	f, b := p.stateful(forward), p.stateful(back)
	if len(f) != len(b) {
		return false
	}
	for i := range f {
		if f[i] != b[len(b)-1-i] {
			return false
		}
	}
	return true
}

func (p *Prover) stateful(path []fabric.PortID) []fabric.PortID {
	var out []fabric.PortID
	for _, q := range path {
		if f := p.img.Ports[q].Forward; f != nil && f.Stateful {
			out = append(out, q)
		}
	}
	return out
}

func waypointText(w model.Waypoint) string {
	switch w.Kind {
	case model.SourceFirewall:
		return "the source's firewall"
	case model.DestinationFirewall:
		return "the destination's firewall"
	default:
		return "firewall " + quoted(w.Name)
	}
}
