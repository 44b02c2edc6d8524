package policy

import (
	"math/bits"

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
	// By says why. For Shadowed it is earlier rules that together match
	// everything the rule does; where they are few, none can be left out. For
	// Redundant it is later rules that do the same, and Default if it does, which
	// leave no packet to a rule that does otherwise. For
	// UseUnclear it is the earlier rules whose action is Unknown that it depends
	// on; empty when the budget ran out.
	By []int
	// Packet reaches the rule; for Needed it is one that would fare otherwise
	// without it. It is set for Needed and Redundant.
	Packet fabric.Packet
	// Empty means that the rule matches no real packet at all: then it is
	// Shadowed by nothing.
	Empty bool
}

// fewReasons is up to how many rules a reason is made as short as can be.
const fewReasons = 16

// Review judges every rule of the list, each with all others in place: of two
// redundant rules that stand for each other only one can go. The budget, in
// steps, is for each rule.
func (s *Search) Review(budget int) []Finding {
	out := make([]Finding, s.p.Len())
	for i := range out {
		out[i] = s.Judge(i, budget)
	}
	return out
}

// Shadowed returns the rules that no packet reaches, in order, and whether
// every rule was decided. The budget, in steps, is for each rule.
func (s *Search) Shadowed(budget int) ([]Finding, bool) {
	var out []Finding
	all := true
	for i := range s.p.rules {
		switch f := s.Reach(i, budget); f.Use {
		case Shadowed:
			out = append(out, f)
		case UseUnclear:
			all = false
		}
	}
	return out, all
}

// Judge is Review of one rule.
func (s *Search) Judge(rule, budget int) Finding {
	f := s.Reach(rule, budget)
	if f.Use != Needed {
		return f
	}
	// Packets reach it. Without it, would any of them fare otherwise? Earlier
	// rules whose action is Unknown are taken out, so that the answer holds
	// whatever they do.
	own := s.p.outcomes[rule]
	s.question = question{skip: int32(rule), skipTo: int32(rule) + 1, rules: int32(len(s.p.rules)), upto: int32(rule), sure: int32(rule)}
	for o := range s.goals {
		s.goals[o] = outcome(o) != own || own.action() == fabric.Unknown
	}
	s.end = s.goals[s.p.def]
	s.askRule(rule)
	s.record()
	a := s.run(budget)
	used := s.recorded()
	switch {
	case a.OutOfBudget:
		return Finding{Rule: rule}
	case a.Status == Absent:
		f.Use = Redundant
		for _, i := range used {
			if i > rule {
				f.By = append(f.By, i)
			}
		}
		if s.p.def == own {
			f.By = append(f.By, Default)
		}
		return f
	}
	if s.unsure(rule) {
		// Such a rule may have taken this packet: ask for one that none can.
		s.sure = 0
		if a = s.run(budget); a.Status != Found {
			return s.unclear(rule, a)
		}
	}
	f.Packet = a.Packet
	return f
}

// Reach tells whether some packet reaches a rule: the finding is Needed, with
// the packet, or Shadowed or UseUnclear. It does not look for redundancy.
func (s *Search) Reach(rule, budget int) Finding {
	s.question = question{rules: int32(rule), upto: int32(rule), sure: int32(rule), end: true}
	s.askRule(rule)
	s.record()
	a := s.run(budget)
	used := s.recorded()
	switch {
	case a.OutOfBudget:
		return Finding{Rule: rule}
	case a.Status == Absent:
		by := s.shorten(used, budget)
		return Finding{Rule: rule, Use: Shadowed, By: by, Empty: len(by) == 0}
	}
	if s.unsure(rule) {
		// Rules whose action is Unknown may take this packet.
		s.sure = 0
		if a = s.run(budget); a.Status != Found {
			return s.unclear(rule, a)
		}
	}
	return Finding{Rule: rule, Use: Needed, Packet: a.Packet}
}

// askRule asks about the packets that a rule matches.
func (s *Search) askRule(rule int) {
	for f := range fabric.NumFields {
		s.asked[f] = append(s.asked[f][:0], s.p.of(rule, f)...)
	}
	s.box = &s.p.rules[rule].Match
}

// unsure reports whether an earlier rule has the action Unknown.
func (s *Search) unsure(rule int) bool { return s.p.unclear < rule }

// unclear is the finding that a rule depends on rules whose action is Unknown.
func (s *Search) unclear(rule int, a Answer) Finding {
	f := Finding{Rule: rule}
	if a.OutOfBudget {
		return f
	}
	for i := s.p.unclear; i < rule; i++ {
		if s.p.outcomes[i].action() == fabric.Unknown && s.p.rects[i].meets(&s.p.rects[rule]) {
			f.By = append(f.By, i)
		}
	}
	return f
}

// record begins to note which rules take packets away.
func (s *Search) record() {
	if n := (len(s.p.rules) + 63) / 64; len(s.notes) < n {
		s.notes = make([]uint64, n)
	}
	clear(s.notes)
	s.used = s.notes
}

// recorded returns the rules noted, in order.
func (s *Search) recorded() []int {
	var out []int
	for w, m := range s.used {
		for ; m != 0; m &= m - 1 {
			out = append(out, w*64+bits.TrailingZeros64(m))
		}
	}
	s.used = nil
	return out
}

// shorten leaves out rules of a few as long as the others leave no packet of
// what was asked about.
func (s *Search) shorten(rules []int, budget int) []int {
	if len(rules) > fewReasons {
		return rules
	}
	for k := len(rules) - 1; k >= 0; k-- {
		s.left, s.spent, s.decider = budget, false, none
		found := s.eachStart(func(s *Search, b rect) bool {
			s.list = s.list[:0]
			for j, i := range rules {
				if j != k {
					s.list = append(s.list, int32(i))
				}
			}
			return s.uncovered(b, 0, len(s.list))
		})
		if !found {
			rules = append(rules[:k], rules[k+1:]...)
		}
	}
	return rules
}
