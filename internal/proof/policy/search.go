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
	box   *Box // what was asked about
	marks []uint64

	// list is a stack of lists of rules: those that may meet the rectangle being
	// followed.
	list  []int32
	few   [][]uint64 // see narrow
	left  int        // steps
	spent bool
	dice  uint64
	used  []uint64 // a bit for each rule that took a packet away; nil if nobody asks
	notes []uint64 // memory for used

	question

	hit     rect // where decider decides
	decider int32
}

// question is what a search looks for.
type question struct {
	goals  [outcomes]bool // by outcome of the deciding rule: whether it is asked for
	end    bool           // whether it is that no rule decides
	skip   int32          // rules from this one on,
	skipTo int32          // up to, not including, this one are taken out of the list
	upto   int32          // what rules before this one decide is not asked for
	sure   int32          // rules before this one whose action is Unknown are taken out
	rules  int32          // rules from this one on are not looked at
	every  func(rect, int32) bool
}

// none is the index of no rule; Default is another.
const none = -2

// Search returns a new search of the policy.
func (p *Policy) Search() *Search {
	words := 0
	for f := range p.lines {
		words = max(words, p.lines[f].words())
	}
	return &Search{
		p: p, shown: preference(), marks: make([]uint64, words),
		list: make([]int32, 0, 4*len(p.rules)+64), few: make([][]uint64, 0, fabric.NumFields),
	}
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
// Unknown is wanted itself. The budget is in steps. The box must not change
// before the next question.
func (s *Search) Find(q *Box, want Actions, budget int) Answer {
	s.want(want)
	s.ask(q)
	a := s.run(budget)
	if a.Status == Absent && s.p.unclear < len(s.p.rules) && !want.Has(fabric.Unknown) {
		s.want(ActionsOf(fabric.Unknown))
		doubt := s.run(budget - a.Steps)
		doubt.Steps += a.Steps
		if doubt.Status == Found {
			doubt.Status = Undecided
		}
		return doubt
	}
	return a
}

// want asks for actions.
func (s *Search) want(want Actions) {
	s.question = question{rules: int32(len(s.p.rules))}
	for o := range s.goals {
		s.goals[o] = want.Has(outcome(o).action())
	}
	s.end = s.goals[s.p.def]
}

// run looks for a packet of what was asked about.
func (s *Search) run(budget int) Answer {
	s.start(budget)
	a := Answer{Rule: Default, Status: Absent, Steps: budget - max(s.left, 0)}
	switch {
	case s.spent:
		a.Status, a.OutOfBudget = Undecided, true
	case s.decider != none:
		a.Status, a.Rule = Found, int(s.decider)
		a.Packet, a.Action = s.witness(&s.hit, s.box), s.p.Action(int(s.decider))
	}
	return a
}

// start follows all that was asked about and reports whether that ended early.
func (s *Search) start(budget int) bool {
	s.left, s.spent, s.decider, s.dice = budget, false, none, 0x9e3779b97f4a7c15
	return s.eachStart((*Search).root)
}

// wanted reports whether it is asked for that a rule, or the default, decides.
func (s *Search) wanted(rule int32) bool {
	if rule == Default {
		return s.end
	}
	return rule >= s.upto && s.goals[s.p.outcomes[rule]]
}

// root follows one rectangle of what was asked about.
func (s *Search) root(b rect) bool {
	s.list = s.list[:0]
	seen, closed := s.gather(&b)
	if s.left < 0 {
		s.spent = true
		return true
	}
	if closed {
		s.use(s.list[len(s.list)-1])
	}
	if !seen && (closed || !s.end) {
		return false
	}
	if s.every != nil {
		return s.node(b, 0, len(s.list))
	}
	// In turn: is there a packet of a wanted rule that no earlier rule takes
	// away? The wanted rules before it have none, so they take none away.
	n := len(s.list)
	count, check := 0, 1
	for k := range n {
		rule := s.list[k]
		if !s.wanted(rule) {
			continue
		}
		// Now and then: do the rules so far leave anything at all?
		if count == check {
			check = 2*check + 1
			if !s.leave(b, k) {
				return false
			}
		}
		count++
		if s.pieces(b, rule, 0, k) {
			return true
		}
	}
	return !closed && s.end && s.decides(b, Default, n)
}

// gather puts the rules that meet a rectangle on the list, up to one that leaves
// nothing to the rules behind it: then the list is closed. It reports also
// whether any of them is wanted.
func (s *Search) gather(b *rect) (seen, closed bool) {
	if s.narrow(b) {
		return s.pick(b)
	}
	for i := range s.p.rects[:s.rules] {
		if s.p.rects[i].meets(b) && s.consider(int32(i), b, &seen) {
			s.left -= i
			return seen, true
		}
	}
	s.left -= int(s.rules) + 1
	return seen, false
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

// pick is gather by narrow vectors.
func (s *Search) pick(b *rect) (seen, closed bool) {
	for w, n := 0, (int(s.rules)+63)/64; w < n; w++ {
		m := s.few[0][w]
		for _, v := range s.few[1:] {
			m &= v[w]
		}
		s.left--
		for ; m != 0; m &= m - 1 {
			i := int32(w*64 + bits.TrailingZeros64(m))
			if i >= s.rules {
				return seen, false
			}
			s.left--
			if s.p.rects[i].meets(b) && s.consider(i, b, &seen) {
				return seen, true
			}
		}
	}
	return seen, false
}

// consider puts a rule whose rectangle meets b on the list and reports whether
// it leaves nothing of b to the rules behind it.
func (s *Search) consider(i int32, b *rect, seen *bool) bool {
	many := s.p.many[i] != 0
	if s.skip <= i && i < s.skipTo || many && !s.p.hits(int(i), b) {
		return false
	}
	if i < s.sure && s.p.outcomes[i].action() == fabric.Unknown {
		return false
	}
	*seen = *seen || s.wanted(i)
	s.list = append(s.list, i)
	return s.p.rects[i].covers(b) && (!many || s.p.fills(int(i), b))
}

// pieces asks of each part of b that a rule matches whether the rule decides
// some packet of it; before is where the rule is on the list.
func (s *Search) pieces(b rect, rule int32, f fabric.Field, before int) bool {
	for ; f < fabric.NumFields; f++ {
		runs, at := s.p.of(int(rule), f), b.run(f)
		k := part(runs, at.lo)
		for ; k+1 < len(runs) && runs[k+1].lo <= at.hi; k++ {
			if s.pieces(b.with(f, span{max(at.lo, runs[k].lo), runs[k].hi}), rule, f+1, before) {
				return true
			}
		}
		b = b.with(f, span{max(at.lo, runs[k].lo), min(at.hi, runs[k].hi)})
	}
	return s.decides(b, rule, before)
}

// decides reports whether a rule that matches all of b decides some packet of
// it: whether the rules list[:before] that are not wanted leave any.
func (s *Search) decides(b rect, rule int32, before int) bool {
	found := s.leave(b, before)
	if found {
		s.decider = rule
	}
	return found
}

// leave reports whether the rules list[:before] that are not wanted leave any
// of b, or the budget ran out.
func (s *Search) leave(b rect, before int) bool {
	base := len(s.list)
	for k := range before {
		if i := s.list[k]; !s.wanted(i) && s.p.rects[i].meets(&b) {
			s.list = append(s.list, i)
		}
	}
	s.left -= before
	n := len(s.list)
	found := n > base && s.free(s.canonical(&b), base, n) || s.uncovered(b, base, n)
	s.list = s.list[:base]
	return found
}
