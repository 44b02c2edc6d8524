package policy

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// byRules decides whether parts of two lists do the same with every packet, one
// rule of the first after the other: of the packets that it decides, is there
// one that the second list treats otherwise? That is the question of Find, asked
// of the second list behind the earlier rules of the first. It knows no Unknown.
//
// Found comes with a delta for each rule that has one, up to the limit.
func byRules(a, b *Policy, listA, listB []int, steps, deltas int) (Status, []Delta, int, error) {
	rules := make([]Rule, 0, len(listA)+len(listB))
	for _, i := range listA {
		rules = append(rules, a.rules[i])
	}
	for _, i := range listB {
		rules = append(rules, b.rules[i])
	}
	both, err := New(rules, b.def.action())
	if err != nil {
		return Undecided, nil, 0, err
	}
	s, n := both.Search(), int32(len(listA))
	all := Everything()
	var out []Delta
	status, left := Absent, steps
	for i := range n + 1 {
		own := a.def
		s.question = question{skip: i, skipTo: n, upto: n, rules: int32(len(rules))}
		if i < n {
			own = both.outcomes[i]
			s.askRule(int(i))
		} else {
			s.ask(&all)
		}
		for o := range s.goals {
			s.goals[o] = outcome(o) != own
		}
		s.end = b.def != own
		answer := s.run(left)
		left -= answer.Steps
		switch {
		case answer.OutOfBudget:
			if status == Absent {
				status = Undecided
			}
			return status, out, steps, nil
		case answer.Status == Absent:
			continue
		}
		status = Found
		if len(out) == deltas {
			return status, out, steps - left, nil
		}
		d := Delta{Packet: answer.Packet, Box: both.box(&s.hit, s.box)}
		d.RuleA, d.From = a.Classify(d.Packet)
		d.RuleB, d.To = b.Classify(d.Packet)
		d.Masquerade = d.From == d.To
		for f, real := range realOf(d.Packet) {
			d.Box[f] = d.Box[f].Intersect(real)
		}
		out = append(out, d)
	}
	return status, out, steps - left, nil
}

// realOf returns the box of real packets that a packet is in.
func realOf(p fabric.Packet) Box {
	packets := realPackets()
	return packets[slices.IndexFunc(packets[:], func(b Box) bool { return b.Contains(p) })]
}
