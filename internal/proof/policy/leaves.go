package policy

import "github.com/ceruleannet/cerulean/internal/fabric"

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
	s.ask(q)
	s.every = func(b rect, rule int32) bool {
		return yield(Leaf{Rule: int(rule), Action: s.p.Action(int(rule)), at: b, s: s})
	}
	stopped := s.start(budget)
	s.every = nil
	return !stopped
}

// node follows a rectangle through the rules list[from:to] in order: the first
// that meets it takes its part, the others get what is left.
func (s *Search) node(b rect, from, to int) bool {
	base := len(s.list)
	seen, closed := false, false
	k := from
	for ; k < to && !closed; k++ {
		if i := s.list[k]; s.p.rects[i].meets(&b) {
			closed = s.consider(i, &b, &seen)
		}
	}
	s.left -= k - from + 1
	if s.broke() {
		return true
	}
	stop := false
	switch end := len(s.list); {
	case !seen && (closed || !s.end):
	case end == base:
		stop = !s.every(b, Default)
	default:
		stop = s.cut(b, s.list[base], 0, base+1, end)
	}
	s.list = s.list[:base]
	return stop
}
