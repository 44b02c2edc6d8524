package policy

import (
	"math/bits"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// DefaultBudget is a budget for one question, in steps: comparisons of a rule
// with a rectangle, about a nanosecond each.
const DefaultBudget = 100_000_000

// Search asks questions about one policy. It keeps memory from one question to
// the next, so that asking allocates nothing. It is not safe for concurrent
// use.
type Search struct {
	p     *Policy
	shown [fabric.NumFields]shown
	asked [fabric.NumFields][]span
	box   *Box
	marks []uint64

	// list is a stack of lists of rules: those that may meet the rectangle being
	// followed.
	list  []int32
	few   [][]uint64 // see narrow
	left  int        // steps
	spent bool

	question

	hit     rect
	decider int32
	unclear rect // where a rule of doubt decides
	doubter int32
}

// question is what a search looks for.
type question struct {
	goals [outcomes]goal // by outcome of the deciding rule
	end   goal           // where no rule decides
	skip  int32          // this rule is taken out of the list
	upto  int32          // rules before this one only take packets away
	sure  int32          // rules before this one whose action is Unknown do not even that
	rules int32          // rules from this one on are not looked at
	every func(rect, int32) bool
}

// goal is what it means to a question that a rule decides a packet.
type goal uint8

const (
	ignore goal = 0 // it is of no interest
	doubt  goal = 1 // it may be of interest: the rule's action is Unknown
	take   goal = 2 // it is what was asked for
)

// none is the index of no rule; Default is another.
const none = -2

// Search returns a new search of the policy.
func (p *Policy) Search() *Search {
	words := 0
	for f := range p.lines {
		words = max(words, p.lines[f].words())
	}
	return &Search{p: p, shown: preference(), marks: make([]uint64, words), list: make([]int32, 0, 4*len(p.rules)+64), few: make([][]uint64, 0, fabric.NumFields)}
}

// Answer is what a question found.
type Answer struct {
	Status Status
	// Packet is a witness: of Found, a packet that gets the action asked for; of
	// Undecided by a rule, a packet that meets the rule.
	Packet fabric.Packet
	// Rule decides the witness: an index into the list, or Default.
	Rule   int
	Action fabric.Action
	// OutOfBudget says why the answer is Undecided: the steps ran out. Otherwise
	// it depends on Rule, whose action is Unknown.
	OutOfBudget bool
	Steps       int
}

// Find looks for a packet of a box that gets one of the wanted actions. Absent
// holds for all packets of the box. Where nothing is found but a rule whose
// action is Unknown decides some packet, the answer is Undecided, unless
// Unknown is wanted itself. The budget is in steps.
func (s *Search) Find(q *Box, want Actions, budget int) Answer {
	s.want(want)
	s.ask(q)
	s.run(budget)
	return s.answer(budget)
}

// want sets the goals of a question about actions.
func (s *Search) want(want Actions) {
	s.question = question{skip: none, rules: int32(len(s.p.rules))}
	for o := range s.goals {
		switch a := outcome(o).action(); {
		case want.Has(a):
			s.goals[o] = take
		case a == fabric.Unknown:
			s.goals[o] = doubt
		}
	}
	s.end = s.goals[s.p.def]
}

// run follows all of what was asked.
func (s *Search) run(budget int) {
	s.left, s.spent = budget, false
	s.decider, s.doubter = none, none
	s.eachStart((*Search).root)
}

func (s *Search) answer(budget int) Answer {
	a := Answer{Rule: Default, Steps: budget - max(s.left, 0)}
	switch {
	case s.decider != none:
		a.Status, a.Packet, a.Rule = Found, s.witness(&s.hit, s.box), int(s.decider)
	case s.spent:
		a.OutOfBudget = true
		return a
	case s.doubter != none:
		a.Packet, a.Rule = s.witness(&s.unclear, s.box), int(s.doubter)
	default:
		a.Status = Absent
		return a
	}
	a.Action = s.p.Action(a.Rule)
	return a
}

// goal is what it means to the question that a rule, or the default, decides.
func (s *Search) goal(rule int32) goal {
	switch {
	case rule == Default:
		return s.end
	case rule < s.upto:
		return ignore
	default:
		return s.goals[s.p.outcomes[rule]]
	}
}

// root follows one rectangle of the question from the top of the list.
func (s *Search) root(b rect) bool {
	s.list = s.list[:0]
	var seen goal
	closed := false
	if s.p.vectors != nil && s.narrow(&b) {
		closed = s.pick(&b, &seen)
		return s.follow(b, 0, seen, closed)
	}
	i := 0
	for rects := s.p.rects[:s.rules]; i < len(rects); i++ {
		if !rects[i].meets(&b) {
			continue
		}
		if closed = s.consider(int32(i), &b, &seen); closed {
			break
		}
	}
	s.left -= i + 1
	return s.follow(b, 0, seen, closed)
}

// narrow finds the vectors of the fields in which a rectangle has one atom. A
// rule that they do not have cannot meet it.
func (s *Search) narrow(b *rect) bool {
	s.few = s.few[:0]
	for f := range fabric.NumFields {
		if at := b.run(f); at.lo == at.hi {
			s.few = append(s.few, s.p.vectors.of(f, at.lo))
		}
	}
	return len(s.few) > 0
}

// pick considers the rules that all narrow vectors have.
func (s *Search) pick(b *rect, seen *goal) bool {
	for w, n := 0, (int(s.rules)+63)/64; w < n; w++ {
		m := s.few[0][w]
		for _, v := range s.few[1:] {
			m &= v[w]
		}
		s.left--
		for ; m != 0; m &= m - 1 {
			i := int32(w*64 + bits.TrailingZeros64(m))
			if i >= s.rules {
				return false
			}
			s.left--
			if s.p.rects[i].meets(b) && s.consider(i, b, seen) {
				return true
			}
		}
	}
	return false
}

// node follows a rectangle through the rules list[from:to].
func (s *Search) node(b rect, from, to int) bool {
	base := len(s.list)
	var seen goal
	closed := false
	k := from
	for ; k < to; k++ {
		i := s.list[k]
		if !s.p.rects[i].meets(&b) {
			continue
		}
		if closed = s.consider(i, &b, &seen); closed {
			break
		}
	}
	s.left -= k - from + 1
	stop := s.follow(b, base, seen, closed)
	s.list = s.list[:base]
	return stop
}

// consider puts a rule whose rectangle meets b on the list and reports whether
// it leaves nothing of b to the rules behind it.
func (s *Search) consider(i int32, b *rect, seen *goal) bool {
	many := s.p.many[i] != 0
	if i == s.skip || many && !s.p.hits(int(i), b) {
		return false
	}
	if i < s.sure && s.p.outcomes[i].action() == fabric.Unknown {
		return false
	}
	*seen |= s.goal(i)
	s.list = append(s.list, i)
	return s.p.rects[i].covers(b) && (!many || s.p.fills(int(i), b))
}

// follow lets the first rule of list[base:] take its part of a rectangle and
// the others the rest. seen has the goals of all of them; closed says that the
// last leaves nothing to the default.
func (s *Search) follow(b rect, base int, seen goal, closed bool) bool {
	if s.left < 0 {
		s.spent = true
		return true
	}
	if !closed {
		seen |= s.end
	}
	if seen&take == 0 && (seen&doubt == 0 || s.doubter != none) {
		return false
	}
	if base == len(s.list) {
		return s.decide(b, Default)
	}
	first := s.list[base]
	if s.every == nil && s.goal(first) != ignore {
		if s.decide(s.piece(b, first), first) {
			return true
		}
	}
	return s.cut(b, first, 0, base+1, len(s.list))
}

// decide notes that a rule decides all of a rectangle and reports whether the
// question is answered.
func (s *Search) decide(b rect, rule int32) bool {
	switch s.goal(rule) {
	case take:
		if s.every != nil {
			return !s.every(b, rule)
		}
		s.hit, s.decider = b, rule
		return true
	case doubt:
		if s.doubter == none {
			s.unclear, s.doubter = b, rule
		}
	}
	return false
}

// piece returns a part of a rectangle that a rule matches.
func (s *Search) piece(b rect, rule int32) rect {
	for f := range fabric.NumFields {
		runs, at := s.p.of(int(rule), f), b.run(f)
		r := runs[part(runs, at.lo)]
		b = b.with(f, span{max(r.lo, at.lo), min(r.hi, at.hi)})
	}
	return b
}

// cut follows what a rule leaves of a rectangle, field by field from f on,
// through the rules list[from:to].
func (s *Search) cut(b rect, rule int32, f fabric.Field, from, to int) bool {
	for ; f < fabric.NumFields; f++ {
		at := b.run(f)
		if s.p.many[rule]>>f&1 == 0 {
			r := s.p.rects[rule].run(f)
			if at.lo < r.lo {
				if s.node(b.with(f, span{at.lo, r.lo - 1}), from, to) {
					return true
				}
				at.lo = r.lo
			}
			if r.hi < at.hi {
				if s.node(b.with(f, span{r.hi + 1, at.hi}), from, to) {
					return true
				}
				at.hi = r.hi
			}
			b = b.with(f, at)
			continue
		}
		// Several runs: what lies between them is left over, each of them goes on
		// to the next field.
		runs := s.p.of(int(rule), f)
		for k := part(runs, at.lo); ; k++ {
			end := k == len(runs) || at.hi < runs[k].lo
			if end || at.lo < runs[k].lo {
				gap := at
				if !end {
					gap.hi = runs[k].lo - 1
				}
				if s.node(b.with(f, gap), from, to) {
					return true
				}
			}
			if end {
				return false
			}
			piece := span{max(at.lo, runs[k].lo), min(at.hi, runs[k].hi)}
			if s.cut(b.with(f, piece), rule, f+1, from, to) {
				return true
			}
			if at.hi <= runs[k].hi {
				return false
			}
			at.lo = runs[k].hi + 1
		}
	}
	if s.every != nil {
		return s.decide(b, rule)
	}
	return false
}

// Leaf is a part of a question that one rule decides.
type Leaf struct {
	Rule   int // or Default
	Action fabric.Action
	at     rect
	s      *Search
}

// Box returns the packets of the leaf. It must be called before the search goes
// on.
func (l *Leaf) Box() Box { return l.s.p.box(&l.at, l.s.box) }

// Packet returns the canonical packet of the leaf, under the same condition.
func (l *Leaf) Packet() fabric.Packet { return l.s.witness(&l.at, l.s.box) }

// Leaves calls yield with every leaf of a box whose action is wanted, until
// yield returns false. Leaves share no packet, and together they hold every
// packet of the box that gets a wanted action. It reports whether that is so:
// false when yield or the budget, in steps, ended it early.
func (s *Search) Leaves(q *Box, want Actions, budget int, yield func(Leaf) bool) bool {
	s.want(want)
	for o := range s.goals {
		if s.goals[o] == doubt {
			s.goals[o] = ignore
		}
	}
	s.ask(q)
	stopped := false
	s.every = func(b rect, rule int32) bool {
		stopped = !yield(Leaf{Rule: int(rule), Action: s.p.Action(int(rule)), at: b, s: s})
		return !stopped
	}
	s.run(budget)
	s.every = nil
	return !stopped && !s.spent
}
