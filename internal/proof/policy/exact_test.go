package policy

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// FuzzExact compares every answer about random small lists with the definition
// applied to all packets.
func FuzzExact(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, seed%3 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, unknown bool) {
		g := &small{Rand: rand.New(rand.NewPCG(seed, 1)), unknown: unknown}
		rules := g.rules(1 + g.IntN(6))
		def := []fabric.Action{fabric.Drop, fabric.Pass}[g.IntN(2)]
		p := mustNew(t, rules, def)
		q := g.box()
		all := points(boxesOf(rules, q)...)
		checkClassify(t, p, rules, def, all)
		checkFind(t, p, rules, def, q, all)
		checkLeaves(t, p, rules, def, q, all)
		checkReview(t, p, rules, def, all)
	})
}

func checkClassify(t *testing.T, p *Policy, rules []Rule, def fabric.Action, all []fabric.Packet) {
	t.Helper()
	for _, packet := range all {
		want, action := decide(rules, def, packet)
		if got, a := p.Classify(packet); got != want || a != action {
			t.Fatalf("%s: rule %d, want %d", packet, got, want)
		}
	}
}

func checkFind(t *testing.T, p *Policy, rules []Rule, def fabric.Action, q Box, all []fabric.Packet) {
	t.Helper()
	s := p.Search()
	for _, want := range []Actions{ActionsOf(fabric.Drop), Passing(), ActionsOf(fabric.Bypass), ActionsOf(fabric.Unknown), ActionsOf(fabric.Pass, fabric.Unknown)} {
		status := Absent
		for _, packet := range all {
			if !q.Contains(packet) {
				continue
			}
			_, a := decide(rules, def, packet)
			if want.Has(a) {
				status = Found
				break
			}
			if a == fabric.Unknown {
				status = Undecided
			}
		}
		a := s.Find(&q, want, DefaultBudget)
		if a.Status != status {
			t.Fatalf("find %04b: %s, want %s", want, a.Status, status)
		}
		if a.Status == Absent {
			continue
		}
		rule, action := decide(rules, def, a.Packet)
		if rule != a.Rule || action != a.Action || !q.Contains(a.Packet) || !a.Packet.HasPorts() && a.Packet.SrcPort|a.Packet.DstPort != 0 {
			t.Fatalf("find %04b: witness %s by rule %d %s, which rule %d %s decides", want, a.Packet, a.Rule, a.Action, rule, action)
		}
		if a.Status == Found && !want.Has(a.Action) || a.Status == Undecided && a.Action != fabric.Unknown {
			t.Fatalf("find %04b: %s with %s", want, a.Status, a.Action)
		}
		if poor := s.Find(&q, want, 1); poor.Status != status && !poor.OutOfBudget {
			t.Fatalf("find %04b with no budget: %+v", want, poor)
		}
	}
}

func checkLeaves(t *testing.T, p *Policy, rules []Rule, def fabric.Action, q Box, all []fabric.Packet) {
	t.Helper()
	want := Passing()
	type leaf struct {
		box  Box
		rule int
	}
	var leaves []leaf
	if !p.Search().Leaves(&q, want, DefaultBudget, func(l Leaf) bool {
		leaves = append(leaves, leaf{l.Box(), l.Rule})
		if rule, _ := decide(rules, def, l.Packet()); rule != l.Rule {
			t.Fatalf("leaf of rule %d shows %s, which rule %d decides", l.Rule, l.Packet(), rule)
		}
		return true
	}) {
		t.Fatal("leaves ended early")
	}
	for _, packet := range all {
		rule, a := decide(rules, def, packet)
		count := 0
		for _, l := range leaves {
			if l.box.Contains(packet) {
				if count++; l.rule != rule {
					t.Fatalf("%s is in a leaf of rule %d, but rule %d decides", packet, l.rule, rule)
				}
			}
		}
		wanted := 0
		if q.Contains(packet) && want.Has(a) {
			wanted = 1
		}
		if count != wanted {
			t.Fatalf("%s is in %d leaves, want %d", packet, count, wanted)
		}
	}
}

// checkReview holds findings to their definitions. A rule whose action is
// Unknown may take any of the packets it matches or none: what is claimed must
// hold with every such rule in place and with all of them away.
func checkReview(t *testing.T, p *Policy, rules []Rule, def fabric.Action, all []fabric.Packet) {
	t.Helper()
	for i, f := range p.Search().Review(DefaultBudget) {
		if f.Rule != i {
			t.Fatalf("finding %d is of rule %d", i, f.Rule)
		}
		reached := func(sure bool) []fabric.Packet {
			var out []fabric.Packet
			for _, packet := range all {
				if !rules[i].Match.Contains(packet) {
					continue
				}
				if !slices.ContainsFunc(rules[:i], func(r Rule) bool {
					return r.Match.Contains(packet) && !(sure && r.Action == fabric.Unknown)
				}) {
					out = append(out, packet)
				}
			}
			return out
		}
		otherwise := func(packets []fabric.Packet) bool {
			return slices.ContainsFunc(packets, func(packet fabric.Packet) bool {
				k, a := decide(rules[i+1:], def, packet)
				o := outcomeOf(a, k != Default && rules[i+1:][max(k, 0)].Masquerade)
				return rules[i].Action == fabric.Unknown || o != outcomeOf(rules[i].Action, rules[i].Masquerade)
			})
		}
		may, must := reached(true), reached(false)
		want := UseUnclear
		switch {
		case len(may) == 0:
			want = Shadowed
		case len(must) > 0 && !otherwise(may):
			want = Redundant
		case len(must) > 0 && otherwise(must):
			want = Needed
		}
		if f.Use != want {
			t.Fatalf("rule %d is %s, want %s", i, f.Use, want)
		}
		if f.Use == Needed || f.Use == Redundant {
			if rule, _ := decide(rules, def, f.Packet); rule != i {
				t.Fatalf("rule %d is %s by %s, which rule %d decides", i, f.Use, f.Packet, rule)
			}
			if f.Use == Needed && !otherwise([]fabric.Packet{f.Packet}) {
				t.Fatalf("rule %d is needed for %s, which fares the same without", i, f.Packet)
			}
		}
		checkBy(t, f, rules, def, all, may)
	}
}

func checkBy(t *testing.T, f Finding, rules []Rule, def fabric.Action, all, may []fabric.Packet) {
	t.Helper()
	i := f.Rule
	covered := func(packet fabric.Packet, by []int) bool {
		return slices.ContainsFunc(by, func(k int) bool { return rules[k].Match.Contains(packet) })
	}
	switch f.Use {
	case Shadowed:
		matched := false
		needs := map[int]bool{} // rules without which some packet is left
		for _, packet := range all {
			if !rules[i].Match.Contains(packet) {
				continue
			}
			matched = true
			if !covered(packet, f.By) {
				t.Fatalf("rule %d is shadowed by %v, which leave %s", i, f.By, packet)
			}
			for k := range f.By {
				if !covered(packet, slices.Concat(f.By[:k], f.By[k+1:])) {
					needs[f.By[k]] = true
				}
			}
		}
		for _, k := range f.By {
			if k >= i || rules[k].Action == fabric.Unknown || !needs[k] {
				t.Fatalf("rule %d is shadowed by %v; %d is no part of that", i, f.By, k)
			}
		}
		if f.Empty == matched {
			t.Fatalf("rule %d: empty is %v", i, f.Empty)
		}
	case Redundant:
		for _, k := range f.By {
			if k == Default && def != rules[i].Action || k != Default && (k <= i || rules[k].Action != rules[i].Action) {
				t.Fatalf("rule %d is redundant by %v", i, f.By)
			}
		}
		for _, packet := range may {
			if !covered(packet, slices.DeleteFunc(slices.Clone(f.By), func(k int) bool { return k == Default })) && !slices.Contains(f.By, Default) {
				if k, _ := decide(rules[i+1:], def, packet); k == Default {
					t.Fatalf("rule %d is redundant by %v, which leave %s", i, f.By, packet)
				}
			}
		}
	}
}
