package classbench

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// TestMeasure: every figure is there for short lists, and answers are the ones
// known: a rewritten list is equivalent.
func TestMeasure(t *testing.T) {
	o := DefaultOptions()
	o.Sizes = []int{50}
	o.Z3, _ = exec.LookPath("z3")
	f, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Lists) != len(Families()) {
		t.Fatalf("%d lists", len(f.Lists))
	}
	for _, l := range f.Lists {
		if l.Equivalence != policy.Absent || l.Seeded == policy.Undecided || l.Open.Status == policy.Undecided || l.Held.Status != policy.Absent || !l.ShadowedAll {
			t.Errorf("%+v", l)
		}
		if l.Prepare <= 0 || l.EquivalenceTook <= 0 || l.SeededTook <= 0 || l.EquivalentRules <= l.Rules {
			t.Errorf("%+v lacks a figure", l)
		}
		for _, c := range []Contract{l.Open, l.Held} {
			if (o.Z3 == "") != (c.Note != "") || (o.Z3 == "") != (c.Ratio == 0) {
				t.Errorf("z3 %q, but %+v", o.Z3, c)
			}
		}
	}
}

// TestMeasureWithoutSolver: its absence is said.
func TestMeasureWithoutSolver(t *testing.T) {
	f, err := Measure(t.Context(), Options{Sizes: []int{10}, Limits: policy.DefaultLimits(), Z3Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if f.Solver == "" || f.Lists[0].Open.Note == "" || f.Lists[0].Held.Ratio != 0 {
		t.Errorf("%+v", f)
	}
}

// TestRules: lists are reproducible, of different valid rules, and have the
// shape of their family.
func TestRules(t *testing.T) {
	share := func(rules []policy.Rule, has func(policy.Box) bool) int {
		n := 0
		for i := range rules {
			if has(rules[i].Match) {
				n++
			}
		}
		return 100 * n / len(rules)
	}
	all := fabric.AllValues()
	tcp := func(b policy.Box) bool { return b[fabric.Proto].Equal(fabric.NumSet(6, 6)) }
	wideSource := func(b policy.Box) bool { return b[fabric.Src][0].Hi.Lo-b[fabric.Src][0].Lo.Lo >= 1<<29 }
	sourcePort := func(b policy.Box) bool { return !b[fabric.SrcPort].Equal(all) }
	for _, test := range []struct {
		family         Family
		what           string
		has            func(policy.Box) bool
		atLeast, below int // per cent
	}{
		{ACL, "tcp", tcp, 82, 93},
		{ACL, "wide source", wideSource, 0, 3},
		{ACL, "source port", sourcePort, 0, 1},
		{FW, "tcp", tcp, 52, 62},
		{FW, "wide source", wideSource, 60, 72},
		{FW, "source port", sourcePort, 18, 29},
		{IPC, "tcp", tcp, 22, 33},
		{IPC, "wide source", wideSource, 8, 22},
		{IPC, "source port", sourcePort, 14, 25},
	} {
		rules := Rules(test.family, 2000, 1)
		if len(rules) != 2000 || !slices.EqualFunc(rules, Rules(test.family, 2000, 1), func(a, b policy.Rule) bool {
			return a.Action == b.Action && slices.EqualFunc(a.Match[:], b.Match[:], fabric.Set.Equal)
		}) {
			t.Errorf("%s: %d rules, or not the same twice", test.family, len(rules))
		}
		if got := share(rules, test.has); got < test.atLeast || got >= test.below {
			t.Errorf("%s: %d %% have %s, want %d to %d", test.family, got, test.what, test.atLeast, test.below)
		}
		if _, err := policy.New(rules, fabric.Drop); err != nil {
			t.Error(err)
		}
	}
}
