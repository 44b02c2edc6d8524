package policy

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Use says what a rule is good for.
type Use uint8

// The uses.
const (
	// UseUnclear means that the budget ran out, or that it depends on earlier
	// rules whose action is Unknown.
	UseUnclear Use = iota
	// Needed: some packet reaches the rule and would fare otherwise without it.
	Needed
	// Redundant: packets reach the rule, and all of them would fare the same
	// without it.
	Redundant
	// Shadowed: no packet reaches the rule.
	Shadowed
)

// String returns "unclear", "needed", "redundant" or "shadowed".
func (u Use) String() string { return [...]string{"unclear", "needed", "redundant", "shadowed"}[u] }

// Finding is what there is to say about one rule of a list.
type Finding struct {
	Rule int
	Use  Use
	// By is, for Shadowed, the earlier rules that take packets which the rule
	// matches: together they take all of them. For Redundant it is the later
	// rules, or Default, that would decide the packets which reach the rule; they
	// do the same. For UseUnclear it is the earlier rules whose action is Unknown
	// that it depends on; empty when the budget ran out.
	By []int
	// Packet reaches the rule; for Needed it is one that would fare otherwise
	// without it. It is set for Needed and Redundant.
	Packet fabric.Packet
	// Empty means that the rule matches no real packet at all: then it is
	// Shadowed by nothing.
	Empty bool
}

// Review judges every rule of the list, each with all others in place: of two
// redundant rules that stand for each other only one can go. The budget, in
// steps, is for each rule. By is left out of findings whose own budget ran out
// while it was collected.
func (s *Search) Review(budget int) []Finding {
	out := make([]Finding, s.p.Len())
	for i := range out {
		out[i] = s.Judge(i, budget)
	}
	return out
}

// Judge is Review of one rule.
func (s *Search) Judge(rule, budget int) Finding {
	f := s.reach(rule, budget)
	if f.Use != Needed {
		return f
	}
	// It is reached. Without it, what would the packets that reach it meet?
	s.without(rule)
	own := s.p.outcomes[rule]
	for o := range s.goals {
		if outcome(o) != own || own.action() == fabric.Unknown {
			s.goals[o] = take
		}
	}
	s.end = s.goals[s.p.def]
	s.run(budget)
	switch a := s.answer(budget); {
	case a.Status == Found:
		f.Packet = a.Packet
		// A rule of doubt may have taken this packet: ask for one that it is sure
		// to get.
		if s.unsure(rule) {
			s.sure = 0
			s.run(budget)
			if a = s.answer(budget); a.Status != Found {
				return Finding{Rule: rule, By: s.doubters(rule)}
			}
			f.Packet = a.Packet
		}
		return f
	case a.OutOfBudget:
		return Finding{Rule: rule}
	}
	f.Use = Redundant
	s.without(rule)
	for o := range s.goals {
		s.goals[o] = take
	}
	s.end = take
	f.By = s.deciders(budget)
	return f
}

// Shadowed returns the rules that no packet reaches, in order, and whether
// every rule was decided. The budget, in steps, is for each rule.
func (s *Search) Shadowed(budget int) ([]Finding, bool) {
	var out []Finding
	all := true
	for i := range s.p.rules {
		switch f := s.reach(i, budget); f.Use {
		case Shadowed:
			out = append(out, f)
		case UseUnclear:
			all = false
		}
	}
	return out, all
}

// reach tells whether a packet reaches a rule: Needed with the packet, Shadowed
// or UseUnclear.
func (s *Search) reach(rule, budget int) Finding {
	f := Finding{Rule: rule}
	s.question = question{skip: none, rules: int32(rule), upto: int32(rule), sure: int32(rule), end: take}
	s.askRule(rule)
	s.run(budget)
	a := s.answer(budget)
	switch {
	case a.OutOfBudget:
		return f
	case a.Status == Absent:
		f.Use = Shadowed
		s.upto = 0
		for o := range s.goals {
			s.goals[o] = take
		}
		s.goals[fabric.Unknown] = ignore
		f.By = s.deciders(budget)
		f.Empty = len(f.By) == 0 && !s.spent
		return f
	}
	if s.unsure(rule) {
		// Rules whose action is Unknown may take what is left.
		s.sure = 0
		s.run(budget)
		if a = s.answer(budget); a.Status != Found {
			if !a.OutOfBudget {
				f.By = s.doubters(rule)
			}
			return f
		}
	}
	f.Use, f.Packet = Needed, a.Packet
	return f
}

// askRule asks about the packets that a rule matches.
func (s *Search) askRule(rule int) {
	for f := range fabric.NumFields {
		s.asked[f] = append(s.asked[f][:0], s.p.of(rule, f)...)
	}
	s.box = &s.p.rules[rule].Match
}

// without asks what would decide the packets that reach a rule if it were not
// there. Earlier rules whose action is Unknown take none of them away: the
// answer then holds whatever they do.
func (s *Search) without(rule int) {
	s.question = question{skip: int32(rule), rules: int32(len(s.p.rules)), upto: int32(rule), sure: int32(rule)}
	s.askRule(rule)
}

// unsure reports whether an earlier rule has the action Unknown.
func (s *Search) unsure(rule int) bool { return s.p.unclear < rule }

// doubters returns the earlier rules with the action Unknown that meet a rule.
func (s *Search) doubters(rule int) []int {
	var out []int
	for i := range rule {
		r := &s.p.rects[i]
		if s.p.outcomes[i].action() == fabric.Unknown && r.meets(&s.p.rects[rule]) {
			out = append(out, i)
		}
	}
	return out
}

// deciders runs a question to its end and returns the rules that decide what it
// asks for; nil if the budget runs out.
func (s *Search) deciders(budget int) []int {
	var out []int
	seen := map[int32]bool{}
	s.every = func(_ rect, rule int32) bool {
		if !seen[rule] {
			seen[rule] = true
			out = append(out, int(rule))
		}
		return true
	}
	s.run(budget)
	s.every = nil
	if s.spent {
		return nil
	}
	slices.Sort(out)
	return out
}
