package classbench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// solver returns the path of z3. Without one the test is skipped, except where
// everything must be tested.
func solver(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("z3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no z3 to compare with, and CI is set: install z3 (Debian: apt-get install z3): %v", err)
		}
		t.Skipf("no z3 to compare with: install z3 (Debian: apt-get install z3): %v", err)
	}
	return path
}

// cases are lists of up to a hundred rules: of each family, and of Azure's
// shape with both address families, unions of prefixes and of ports.
func cases() map[string][]policy.Rule {
	out := map[string][]policy.Rule{}
	for _, f := range Families() {
		for _, n := range []int{20, 100} {
			out[fmt.Sprintf("%s %d", f, n)] = Rules(f, n, 3)
		}
	}
	for seed := range uint64(4) {
		out[fmt.Sprintf("mixed %d", seed)] = mixed(rand.New(rand.NewPCG(seed, 5)), 30)
	}
	return out
}

// mixed draws rules whose fields are unions, of few values so that they meet.
func mixed(rng *rand.Rand, n int) []policy.Rule {
	prefixes := []string{
		"10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16", "10.0.1.4/32",
		"fd00::/8", "fd00:1::/32", "2001:db8::/32", "fd00:1::4/128",
	}
	addrs := func() fabric.Set {
		if rng.IntN(4) == 0 {
			return fabric.AllValues()
		}
		var s fabric.Set
		for range 1 + rng.IntN(3) {
			s = s.Union(fabric.PrefixSet(netip.MustParsePrefix(prefixes[rng.IntN(len(prefixes))])))
		}
		if rng.IntN(4) == 0 {
			s = fabric.AllValues().Subtract(s)
		}
		return s
	}
	ports := func() fabric.Set {
		if rng.IntN(2) == 0 {
			return fabric.AllValues()
		}
		var s fabric.Set
		for range 1 + rng.IntN(3) {
			lo := uint16(rng.IntN(5)) * 1000
			s = s.Union(fabric.NumSet(lo, lo+uint16(rng.IntN(1500))))
		}
		return s
	}
	out := make([]policy.Rule, n)
	for i := range out {
		proto := fabric.AllValues()
		if p := []uint16{0, 1, 6, 6, 17, 50}[rng.IntN(6)]; p != 0 {
			proto = fabric.NumSet(p, p)
		}
		out[i] = policy.Rule{
			Match:  policy.Box{addrs(), addrs(), ports(), ports(), proto},
			Action: []fabric.Action{fabric.Drop, fabric.Pass, fabric.Bypass}[rng.IntN(3)],
		}
	}
	return out
}

// familyBox holds the packets of one family.
func familyBox(six bool) policy.Box {
	b := policy.Everything()
	four := fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))
	b[fabric.Src] = four
	if six {
		b[fabric.Src] = b[fabric.Dst].Subtract(four)
	}
	b[fabric.Dst] = b[fabric.Src]
	return b
}

// eachCase runs a test for every case and family of addresses.
func eachCase(t *testing.T, f func(t *testing.T, s *Script, six bool, rules []policy.Rule) (want []bool)) {
	path := solver(t)
	list := cases()
	for _, name := range sortedNames(list) {
		for _, six := range []bool{false, true} {
			if six && !strings.HasPrefix(name, "mixed") {
				continue
			}
			t.Run(fmt.Sprintf("%s six %v", name, six), func(t *testing.T) {
				s := NewScript(six)
				s.Policy("a", list[name], fabric.Drop)
				ours := f(t, s, six, list[name])
				theirs, err := s.Run(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				yes := 0
				for i := range ours {
					if ours[i] != theirs[i] {
						t.Errorf("question %d: we say %v, z3 says %v", i, ours[i], theirs[i])
					}
					if theirs[i] {
						yes++
					}
				}
				t.Logf("%d questions, %d with yes", len(ours), yes)
			})
		}
	}
}

func sortedNames(m map[string][]policy.Rule) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func prepared(t *testing.T, rules []policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.New(rules, fabric.Drop)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOracleFind: the solver agrees on which boxes hold a packet that passes,
// and a packet that does not.
func TestOracleFind(t *testing.T) {
	eachCase(t, func(t *testing.T, s *Script, six bool, rules []policy.Rule) (out []bool) {
		rng := rand.New(rand.NewPCG(1, 6))
		search, family := prepared(t, rules).Search(), familyBox(six)
		for range 15 {
			// A box near the rules: each field from one of them.
			q := family
			for f := range q {
				q[f] = q[f].Intersect(rules[rng.IntN(len(rules))].Match[f])
			}
			pass := search.Find(&q, policy.Passing(), policy.DefaultBudget)
			drop := search.Find(&q, policy.ActionsOf(fabric.Drop), policy.DefaultBudget)
			if pass.Status == policy.Undecided || drop.Status == policy.Undecided {
				t.Fatalf("undecided: %+v, %+v", pass, drop)
			}
			s.Ask("(and a " + s.Box(&q) + ")")
			s.Ask("(and (not a) " + s.Box(&q) + ")")
			out = append(out, pass.Status == policy.Found, drop.Status == policy.Found)
		}
		return out
	})
}

// TestOracleShadowed: the solver agrees on which rules some packet of a family
// reaches.
func TestOracleShadowed(t *testing.T) {
	eachCase(t, func(t *testing.T, s *Script, six bool, rules []policy.Rule) (out []bool) {
		family := familyBox(six)
		only := slices.Clone(rules)
		for i := range only {
			for f := range family {
				only[i].Match[f] = only[i].Match[f].Intersect(family[f])
			}
		}
		search := prepared(t, only).Search()
		before := "true"
		for i := range rules {
			fmt.Fprintf(s, "(define-fun before.%d () Bool %s)\n", i, before)
			before = fmt.Sprintf("(and before.%d (not a.%d))", i, i)
			s.Ask(fmt.Sprintf("(and before.%d a.%d)", i, i))
			use := search.Reach(i, policy.DefaultBudget).Use
			if use == policy.UseUnclear {
				t.Fatalf("rule %d is %s", i, use)
			}
			out = append(out, use != policy.Shadowed)
		}
		return out
	})
}

// TestOracleDiff: the solver agrees on whether lists differ: rewritten ones,
// which do not, and such with one rule changed, which may.
func TestOracleDiff(t *testing.T) {
	eachCase(t, func(t *testing.T, s *Script, six bool, rules []policy.Rule) (out []bool) {
		family := familyBox(six)
		rng := rand.New(rand.NewPCG(2, 6))
		// Of the other family nothing passes, so that only this one is compared.
		only := func(rules []policy.Rule) *policy.Policy {
			rules = slices.Clone(rules)
			for i := range rules {
				for f := range family {
					rules[i].Match[f] = rules[i].Match[f].Intersect(family[f])
				}
				if rules[i].Action == fabric.Bypass {
					rules[i].Action = fabric.Pass // the solver knows no difference
				}
			}
			return prepared(t, rules)
		}
		a := only(rules)
		for k := range 4 {
			changed := Rewrite(rules, uint64(k))
			if k > 0 {
				r := &changed[rng.IntN(len(changed))]
				r.Action = map[fabric.Action]fabric.Action{fabric.Drop: fabric.Pass}[r.Action]
			}
			name := fmt.Sprintf("b%d", k)
			s.Policy(name, changed, fabric.Drop)
			s.Ask("(xor a " + name + ")")
			d, err := policy.Diff(a, only(changed), policy.DefaultLimits())
			if err != nil || d.Status == policy.Undecided {
				t.Fatalf("%+v, %v", d, err)
			}
			out = append(out, d.Status == policy.Found)
		}
		return out
	})
}
