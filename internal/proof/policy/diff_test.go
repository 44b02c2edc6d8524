package policy

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// change edits a list a little: what comes out is often, but not always,
// equivalent.
func (g *small) change(rules []Rule) []Rule {
	out := slices.Clone(rules)
	for range g.IntN(3) {
		i := g.IntN(len(out))
		switch g.IntN(6) {
		case 0:
			out[i].Action = g.action()
		case 1:
			out = slices.Delete(out, i, i+1)
		case 2:
			out = slices.Insert(out, i, g.rules(1)...)
		case 3:
			j := g.IntN(len(out))
			out[i], out[j] = out[j], out[i]
		case 4:
			// Cut a rule in two.
			f := fabric.Field(g.IntN(int(fabric.NumFields)))
			part := g.box()[f]
			one, two := out[i], out[i]
			one.Match[f] = one.Match[f].Intersect(part)
			two.Match[f] = two.Match[f].Subtract(part)
			out = slices.Replace(out, i, i+1, one, two)
		case 5:
			out[i].Match = g.box()
		}
		if len(out) == 0 {
			return g.rules(1)
		}
	}
	return out
}

// FuzzDiff compares differences with the definition, over all packets.
func FuzzDiff(f *testing.F) {
	for seed := range uint64(80) {
		f.Add(seed, seed%3 == 0)
	}
	// A rule of several runs met a changed rule in the atoms of one list only.
	f.Add(uint64(279), false)
	f.Fuzz(func(t *testing.T, seed uint64, unknown bool) {
		g := &small{Rand: rand.New(rand.NewPCG(seed, 2)), unknown: unknown}
		rulesA := g.rules(1 + g.IntN(4))
		rulesB := g.change(rulesA)
		defA, defB := fabric.Drop, fabric.Drop
		if g.IntN(4) == 0 {
			defB = fabric.Pass
		}
		a, b := mustNew(t, rulesA, defA), mustNew(t, rulesB, defB)
		all := points(boxesOf(slices.Concat(rulesA, rulesB))...)
		for _, whole := range []bool{false, true} {
			limits := DefaultLimits()
			limits.Deltas, limits.Whole = 1<<20, whole
			d, err := Diff(a, b, limits)
			if err != nil {
				t.Fatal(err)
			}
			checkDiff(t, d, a, b, all, unknown)
			if d.Status == Absent && unknown {
				checkWhatever(t, a, b, all)
			}
			limits.Numbers = 0
			short, err := Diff(a, b, limits)
			if err != nil {
				t.Fatal(err)
			}
			checkByRules(t, short, d, a, b, all)
			limits = DefaultLimits()
			limits.Whole, limits.Deltas = whole, 0
			if short, err := Diff(a, b, limits); err != nil || (short.Status == Absent) != (d.Status == Absent) {
				t.Fatalf("without deltas %s, with them %s", short.Status, d.Status)
			}
		}
	})
}

func checkDiff(t *testing.T, d Difference, a, b *Policy, all []fabric.Packet, unknown bool) {
	t.Helper()
	if !d.All {
		t.Fatalf("%s: not all", d.By)
	}
	verdict := func(p *Policy, packet fabric.Packet) outcome {
		rule, action := decide(p.rules, p.def.action(), packet)
		return outcomeOf(action, rule != Default && p.rules[max(rule, 0)].Masquerade)
	}
	status := Absent
	for _, packet := range all {
		from, to := verdict(a, packet), verdict(b, packet)
		var in []Delta
		for _, delta := range d.Deltas {
			if delta.Box.Contains(packet) {
				in = append(in, delta)
			}
		}
		if len(in) > 1 {
			t.Fatalf("%s is in %d deltas", packet, len(in))
		}
		if len(in) == 1 && (in[0].From != from.action() || in[0].To != to.action()) {
			t.Fatalf("%s is in a delta from %s to %s, but goes from %s to %s", packet, in[0].From, in[0].To, from.action(), to.action())
		}
		if from != to {
			status = Found
			if len(in) == 0 {
				t.Fatalf("%s: %s goes from %s to %s, which no delta says", d.By, packet, from.action(), to.action())
			}
		} else if len(in) == 1 && from.action() != fabric.Unknown {
			t.Fatalf("%s: %s is %s in both, but in a delta", d.By, packet, from.action())
		}
	}
	if d.Status != status && !(unknown && status == Absent && d.Status == Undecided) {
		t.Fatalf("%s: %s, want %s", d.By, d.Status, status)
	}
	for _, delta := range d.Deltas {
		if !delta.Box.Contains(delta.Packet) {
			t.Fatalf("%s is not in its delta", delta.Packet)
		}
		ra, from := decide(a.rules, a.def.action(), delta.Packet)
		rb, to := decide(b.rules, b.def.action(), delta.Packet)
		if ra != delta.RuleA || rb != delta.RuleB || from != delta.From || to != delta.To {
			t.Fatalf("delta %+v, but rules %d and %d decide", delta, ra, rb)
		}
	}
}

// checkWhatever holds lists that were found to do the same to it whatever rules
// whose action is Unknown do: any of them may match nothing, in both lists.
func checkWhatever(t *testing.T, a, b *Policy, all []fabric.Packet) {
	t.Helper()
	var doubtful []Box // of different such rules
	number := func(box *Box) int {
		return slices.IndexFunc(doubtful, func(x Box) bool { return sameBox(&x, box) })
	}
	for _, r := range slices.Concat(a.rules, b.rules) {
		if r.Action == fabric.Unknown && number(&r.Match) < 0 {
			doubtful = append(doubtful, r.Match)
		}
	}
	for away := range 1 << len(doubtful) {
		decides := func(p *Policy, packet fabric.Packet) (outcome, int) {
			for i := range p.rules {
				r := &p.rules[i]
				k := -1
				if r.Action == fabric.Unknown {
					k = number(&r.Match)
				}
				if r.Match.Contains(packet) && (k < 0 || away>>k&1 == 0) {
					return p.outcomes[i], k
				}
			}
			return p.def, -1
		}
		for _, packet := range all {
			from, x := decides(a, packet)
			to, y := decides(b, packet)
			if from != to || x != y {
				t.Fatalf("%s goes from %s to %s if %b of %d match nothing, but no difference was found", packet, from.action(), to.action(), away, len(doubtful))
			}
		}
	}
}

// checkByRules holds what is decided without room for a diagram to what a
// diagram found.
func checkByRules(t *testing.T, got, want Difference, a, b *Policy, all []fabric.Packet) {
	t.Helper()
	if got.By == ByDiagram {
		// Its first node needed no other: no room is enough.
		if got.Status != want.Status && got.Status != Undecided {
			t.Fatalf("without room: %+v, with: %+v", got, want)
		}
		return
	}
	if got.Status != want.Status || got.All != (got.Status == Absent) || len(got.Deltas) > 0 != (got.Status == Found) {
		t.Fatalf("without room: %+v, with: %+v", got, want)
	}
	for _, packet := range all {
		in := 0
		for _, delta := range got.Deltas {
			if !delta.Box.Contains(packet) {
				continue
			}
			in++
			ra, from := a.Classify(packet)
			rb, to := b.Classify(packet)
			if ra != delta.RuleA || rb != delta.RuleB || from != delta.From || to != delta.To {
				t.Fatalf("%s is in %+v, but rules %d and %d decide", packet, delta, ra, rb)
			}
		}
		if in > 1 {
			t.Fatalf("%s is in %d deltas", packet, in)
		}
	}
}

// FuzzEdits holds edits to what they promise: without what goes and comes the
// lists are the same. Against a table of longest common subsequences they are
// the shortest.
func FuzzEdits(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		list := func() []int {
			out := make([]int, rng.IntN(12))
			for i := range out {
				out[i] = rng.IntN(4)
			}
			return out
		}
		a, b := list(), list()
		e, ok := myers(len(a), len(b), func(i, j int) bool { return a[i] == b[j] })
		if !ok {
			t.Fatal("gave up")
		}
		rest := func(list, gone []int) (out []int) {
			for i, x := range list {
				if !slices.Contains(gone, i) {
					out = append(out, x)
				}
			}
			return out
		}
		ra, rb := rest(a, e.gone), rest(b, e.come)
		if !slices.Equal(ra, rb) || len(ra)+len(e.gone) != len(a) || len(rb)+len(e.come) != len(b) {
			t.Fatalf("%v to %v by %+v: %v and %v are left", a, b, e, ra, rb)
		}
		table := make([][]int, len(a)+1)
		for i := range table {
			table[i] = make([]int, len(b)+1)
		}
		for i := range a {
			for j := range b {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
				if a[i] == b[j] {
					table[i+1][j+1] = table[i][j] + 1
				}
			}
		}
		if len(ra) != table[len(a)][len(b)] {
			t.Fatalf("%v to %v keeps %d, could keep %d", a, b, len(ra), table[len(a)][len(b)])
		}
	})
}
