package proof

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// DefaultBudget is how many steps one claim may take: rules compared and boxes
// moved. A network of a thousand spokes needs about a tenth of it.
const DefaultBudget = 20_000_000

// Check decides claims, one finding each, in their order. Claims are decided
// side by side, each the same as if it were alone.
func (p *Prover) Check(exps []model.Expectation) []Finding {
	out := make([]Finding, len(exps))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(exps)) {
		wg.Go(func() {
			a := newArena(p.img)
			for i := next.Add(1) - 1; int(i) < len(exps); i = next.Add(1) - 1 {
				out[i] = p.check(a, exps[i], DefaultBudget)
			}
		})
	}
	wg.Wait()
	return out
}

func (p *Prover) check(a *arena, e model.Expectation, budget int) Finding {
	f := Finding{Expectation: e}
	switch e.Verb {
	case model.Deny, model.Allow, model.Symmetric:
	case model.Resolves:
		p.resolves(a, &f)
		return f
	case model.NoMore:
		f.Why = fmt.Sprintf("to be compared with %q, which one network alone cannot decide", e.Baseline)
		return f
	default:
		f.Why = fmt.Sprintf("the claim %q is not known", e.Verb)
		return f
	}
	if way, ok := p.missing(&e); ok {
		f.Why = waypointText(&way) + " does not exist, so nothing was checked"
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
	pairs *pairs          // of claims about "any"
	// What was found so far, over both directions.
	broken, unknown tally
	nobody          string
	stopped         bool // the budget ran out
	budget          int
	whole           bool        // ask without contracts
	each            func(*leaf) // takes what is delivered, in place of the finding
}

func newJudge(p *Prover, a *arena, f *Finding, budget int) *judge {
	j := &judge{p: p, a: a, f: f, budget: budget, broken: newTally(), unknown: newTally()}
	for i := range p.img.Ports {
		if isWall(&p.img.Ports[i]) {
			j.walls = append(j.walls, fabric.PortID(i))
		}
	}
	if f.Expectation.Verb == model.Allow && f.Expectation.Quantity == model.Some {
		j.pairs = &pairs{}
	}
	return j
}

// ask searches one direction of the claim.
func (j *judge) ask(from, to *model.Selector) {
	e := &j.f.Expectation
	j.open(from, to)
	if j.q.nobody != "" {
		j.nobody = j.q.nobody
		return
	}
	if e.Verb == model.Allow && j.pairs == nil {
		j.unreachable()
	}
	complete := j.search()
	if !complete {
		j.stopped = true
	}
	if j.pairs != nil {
		j.settle(complete)
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
			public := emptySet
			for i := range j.q.boxes {
				public = j.a.union(public, j.w.publicsTo([]chosen{d}, &j.q.boxes[i]))
			}
			if public == emptySet && j.nobody == "" {
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
		j.fails(&l)
		j.unknown.add(j, l, cause{code: l.code, reply: l.reply}, nil)
		return
	}
	if l.verdict == fabric.VerdictDeny {
		j.fails(&l)
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
		in, _ := j.w.reached(&l, j.q)
		for _, s := range in {
			hit := l
			hit.state = s
			j.delivered(&hit)
		}
	}
}

// delivered judges what a claim says is denied and arrived all the same.
func (j *judge) delivered(l *leaf) {
	if j.each != nil {
		j.each(l)
		return
	}
	e := &j.f.Expectation
	if len(e.NotThrough) == 0 {
		j.broken.add(j, *l, cause{what: "delivered"}, nil)
		j.enough()
		return
	}
	for i := range e.NotThrough {
		way := &e.NotThrough[i]
		if hit, met := j.meets(l, way); met {
			j.broken.add(j, hit, cause{what: "delivered by way of " + waypointText(way)}, func(c *fabric.Connection) bool {
				return j.crosses(way, c, c.Forward.Path)
			})
		}
	}
}

// works judges a leaf whose packets and replies arrived.
func (j *judge) works(l leaf) {
	e := &j.f.Expectation
	in, out := j.w.reached(&l, j.q)
	part := l
	for _, part.state = range out {
		j.fails(&part)
		what := "another port with the same address takes it"
		if part.chose != 0 {
			what = "it is handed to another port"
		}
		j.broken.add(j, part, cause{what: what}, nil)
	}
	for _, part.state = range in {
		for i := range e.Through {
			way := &e.Through[i]
			if missed, ok := j.evades(&part, way); ok {
				j.fails(&missed)
				j.broken.add(j, missed, cause{what: waypointText(way) + " is not on the way"}, func(c *fabric.Connection) bool {
					return !j.passes(way, c)
				})
			}
		}
		for i := range e.NotThrough {
			way := &e.NotThrough[i]
			if hit, ok := j.meets(&part, way); ok {
				j.fails(&hit)
				j.broken.add(j, hit, cause{what: waypointText(way) + " is on the way"}, func(c *fabric.Connection) bool {
					return j.crosses(way, c, c.Forward.Path) || j.crosses(way, c, c.Reply.Path)
				})
			}
		}
	}
}
