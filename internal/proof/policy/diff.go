package policy

import (
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Method says how a comparison was decided.
type Method uint8

// The methods.
const (
	// ByEdit: the lists have the same rules in the same order.
	ByEdit Method = iota
	// ByRules: of the packets that each rule of the first list decides, none or
	// some are treated otherwise by the second.
	ByRules
	// ByDiagram: a decision diagram over both lists.
	ByDiagram
)

// String returns "edit", "rules" or "diagram".
func (m Method) String() string { return [...]string{"edit", "rules", "diagram"}[m] }

// Limits bound a comparison.
type Limits struct {
	// Steps bounds time, at some five nanoseconds each.
	Steps int
	// Numbers bounds memory, at four bytes each.
	Numbers int
	// Deltas is how many differences are collected.
	Deltas int
	// Whole compares all rules, whatever the edit.
	Whole bool
}

// DefaultLimits returns limits of some ten seconds, about a gigabyte while lists
// grow, and a hundred differences.
func DefaultLimits() Limits {
	return Limits{Steps: 2_000_000_000, Numbers: 128 << 20, Deltas: 100}
}

// Delta is a box of packets that two lists treat differently.
type Delta struct {
	Box Box
	// From and To are what the first and the second list do with every packet of
	// the box. Where both are Unknown it cannot be told whether they differ.
	From, To fabric.Action
	// Packet is one of the box, RuleA and RuleB decide it: indexes into the
	// lists, or Default. Other packets of the box may be decided by other rules.
	Packet       fabric.Packet
	RuleA, RuleB int
	// Masquerade: both pass the packets, but only one masquerades.
	Masquerade bool
}

// Added reports whether the second list lets the packets through and the first
// does not.
func (d *Delta) Added() bool { return !Passing().Has(d.From) && Passing().Has(d.To) }

// Removed reports whether the first list lets the packets through and the
// second does not.
func (d *Delta) Removed() bool { return Passing().Has(d.From) && !Passing().Has(d.To) }

// Difference is the outcome of a comparison.
type Difference struct {
	// Status is Absent when both lists do the same with every packet, Found when
	// there is a packet with which they do not. Undecided means that the limits
	// were met before one was found, or that all that was found is Unknown in
	// both lists.
	Status Status
	By     Method
	// Seeded: only rules that meet a changed rule were looked at. What meets no
	// changed rule meets the same rules in the same order in both lists.
	Seeded bool
	// Deltas share no packet. All says that they are everything: otherwise the
	// limits were met before the end.
	Deltas []Delta
	All    bool
	Steps  int
}

// Diff compares two lists: what they do with every packet, and whether what
// they pass masquerades.
//
// Where few rules changed only those that meet them are looked at. There are
// two ways to decide, and neither is good at everything: a decision diagram
// gives all deltas at once, and rule by rule lists of wide overlapping ranges
// are decided that no diagram has room for. They take turns with shares of the
// budget; By says which decided. Deltas found rule by rule are not all.
func Diff(a, b *Policy, limits Limits) (Difference, error) {
	e := edits(a, b)
	if len(e.gone)+len(e.come) == 0 && a.def == b.def {
		return Difference{Status: Absent, All: true}, nil
	}
	c := comparison{a: a, b: b, listA: count(0, len(a.rules)), listB: count(0, len(b.rules)), limits: limits}
	if a.def == b.def && !limits.Whole {
		if subA, subB := near(a, b, e), near(b, a, edit{e.come, e.gone}); len(subA)+len(subB) < len(c.listA)+len(c.listB) {
			c.listA, c.listB, c.seeded = subA, subB, true
		}
	}
	out, err := c.run()
	if err != nil {
		return Difference{}, fmt.Errorf("comparing lists of %d and %d rules: %w", len(a.rules), len(b.rules), err)
	}
	out.Seeded = c.seeded
	return out, nil
}

// comparison is the work of Diff.
type comparison struct {
	a, b         *Policy
	listA, listB []int // the rules that are looked at
	seeded       bool
	limits       Limits
}

// turns are the attempts at a comparison, with their shares of the steps in per
// cent: what is easy rule by rule takes little; then the diagram in the order of
// fields that promises more; the others are for what that leaves undecided.
var turns = [...]struct {
	by    Method
	order int // of the diagram
	share int
}{{ByRules, 0, 2}, {ByDiagram, 0, 48}, {ByRules, 0, 25}, {ByDiagram, 1, 25}}

func (c *comparison) run() (Difference, error) {
	d, listA, listB, err := newDiagram(c.a, c.b, c.listA, c.listB)
	if err != nil {
		return Difference{}, err
	}
	orders := d.promising()
	unknown := c.a.unclear < len(c.a.rules) || c.b.unclear < len(c.b.rules)
	out := Difference{By: ByDiagram}
	for k, turn := range turns {
		if k == 0 && c.seeded {
			continue // few rules: the diagram is small, and tells all
		}
		steps := c.limits.Steps / 100 * turn.share
		switch {
		case turn.by == ByDiagram:
			deltas, all := d.differences(c.a, c.b, listA, listB, orders[turn.order], steps, c.limits)
			out.Steps += steps - max(d.left, 0)
			if all || len(deltas) > len(out.Deltas) {
				out.By, out.Deltas, out.All = ByDiagram, deltas, all
			}
			if !d.spent || len(deltas) > 0 {
				return out.judged(), nil
			}
		case !unknown && out.Status != Found:
			status, deltas, used, err := byRules(c.a, c.b, c.listA, c.listB, steps, c.limits.Deltas)
			if err != nil {
				return Difference{}, err
			}
			out.Steps += used
			if out.Status = status; status != Undecided {
				out.By, out.Deltas, out.All = ByRules, deltas, status == Absent
			}
			if status == Absent || status == Found && c.limits.Deltas == 0 {
				return out, nil
			}
		}
	}
	return out.judged(), nil
}

// judged returns a difference with the status that its deltas show.
func (d Difference) judged() Difference {
	if d.Status == Found {
		return d
	}
	d.Status = Absent
	if !d.All || len(d.Deltas) > 0 {
		d.Status = Undecided
	}
	for i := range d.Deltas {
		if delta := &d.Deltas[i]; delta.From != fabric.Unknown || delta.To != fabric.Unknown {
			d.Status = Found
		}
	}
	return d
}

// differences looks for deltas in one order of fields and reports whether they
// are all.
func (d *diagram) differences(a, b *Policy, listA, listB []int32, o order, steps int, limits Limits) ([]Delta, bool) {
	var out []Delta
	d.order, d.left, d.limit, d.spent, d.stopped = o, steps, limits.Numbers, false, false
	d.emit = func(d *diagram, n *node) bool {
		if len(out) == limits.Deltas {
			return false
		}
		out = append(out, d.delta(n, a, b))
		return true
	}
	for i, real := range realPackets() {
		d.compare(&d.regions[i], real, listA, listB, a.def, b.def)
		if d.spent || d.stopped {
			return out, false
		}
	}
	return out, true
}

// maxSeeds is how many changed rules are worth looking for what they meet.
const maxSeeds = 64

// near returns the rules of a list that meet a rule that went from it or came
// to the other, or all rules where those are many. It must be exact: a rule that
// both lists have meets it in both or in neither.
func near(p, other *Policy, e edit) []int {
	if len(e.gone)+len(e.come) > maxSeeds {
		return count(0, len(p.rules))
	}
	meets := make([]bool, len(p.rules))
	s := p.Search()
	mark := func(box *Box) {
		s.ask(box)
		var b rect
		for f := range fabric.NumFields {
			runs := s.asked[f]
			if len(runs) == 0 {
				return
			}
			b = b.with(f, span{runs[0].lo, runs[len(runs)-1].hi})
		}
		for i := range p.rects {
			meets[i] = meets[i] || p.rects[i].meets(&b) && s.met(i)
		}
	}
	for _, i := range e.gone {
		mark(&p.rules[i].Match)
	}
	for _, i := range e.come {
		mark(&other.rules[i].Match)
	}
	var out []int
	for i, m := range meets {
		if m {
			out = append(out, i)
		}
	}
	return out
}

// newDiagram lays the different rules of two lists out over common atoms and
// returns the lists in their numbers. Rules that match nothing are left out.
func newDiagram(a, b *Policy, listA, listB []int) (*diagram, []int32, []int32, error) {
	d := &diagram{}
	var boxes []*Box
	index := map[uint64][]int32{}
	number := func(p *Policy, list []int) []int32 {
		hashes := hashes(p, list)
		out := make([]int32, 0, len(list))
		for n, i := range list {
			box, o := &p.rules[i].Match, p.outcomes[i]
			k := slices.IndexFunc(index[hashes[n]], func(id int32) bool {
				return d.outcomes[id] == o && sameBox(boxes[id], box)
			})
			if k < 0 {
				k = len(index[hashes[n]])
				index[hashes[n]] = append(index[hashes[n]], int32(len(boxes)))
				boxes, d.outcomes = append(boxes, box), append(d.outcomes, o)
			}
			out = append(out, index[hashes[n]][k])
		}
		return out
	}
	listsA, listsB := number(a, listA), number(b, listB)
	var err error
	if d.space, err = newSpace(boxes); err != nil {
		return nil, nil, nil, err
	}
	void := func(i int32) bool { return d.rects[i] == nowhere }
	return d, slices.DeleteFunc(listsA, void), slices.DeleteFunc(listsB, void), nil
}

func sameBox(x, y *Box) bool {
	for f := range x {
		if !same(x[f], y[f]) {
			return false
		}
	}
	return true
}

// delta describes the box that leads to a node.
func (d *diagram) delta(n *node, a, b *Policy) Delta {
	var out Delta
	for f := range fabric.NumFields {
		for _, run := range d.runsOf(n, f) {
			out.Box[f] = out.Box[f].Union(d.lines[f].values(run, d.real[f]))
		}
	}
	out.Packet = showBox(&out.Box)
	out.RuleA, out.From = a.Classify(out.Packet)
	out.RuleB, out.To = b.Classify(out.Packet)
	out.Masquerade = out.From == out.To && out.From != fabric.Unknown
	return out
}
