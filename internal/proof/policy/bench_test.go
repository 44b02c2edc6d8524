package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
	"github.com/ceruleannet/cerulean/internal/proof/policy/classbench"
)

func prepare(t testing.TB, rules []policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.New(rules, fabric.Drop)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ssh asks whether anything from 10/8 gets to TCP port 22.
func ssh() policy.Box {
	q := policy.Everything()
	q[fabric.Src] = fabric.PrefixSet(netip.MustParsePrefix("10.0.0.0/8"))
	q[fabric.DstPort] = fabric.NumSet(22, 22)
	q[fabric.Proto] = fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
	return q
}

// web is a packet that many firewall rules are about.
func web() fabric.Packet {
	return fabric.Packet{Src: netip.MustParseAddr("10.1.2.3"), Dst: netip.MustParseAddr("37.184.85.17"), SrcPort: 50000, DstPort: 80, Proto: fabric.ProtoTCP}
}

// TestNoAllocations: questions about one policy allocate nothing once asked.
func TestNoAllocations(t *testing.T) {
	q, packet := ssh(), web()
	everything := policy.Everything()
	for _, family := range classbench.Families() {
		for _, n := range []int{100, 1000} {
			p := prepare(t, classbench.Rules(family, n, 1))
			s := p.Search()
			for what, f := range map[string]func(){
				"classify": func() { p.Classify(packet) },
				"find":     func() { s.Find(&q, policy.Passing(), policy.DefaultBudget) },
				"find all": func() { s.Find(&everything, policy.ActionsOf(fabric.Bypass), policy.DefaultBudget) },
			} {
				f()
				if got := testing.AllocsPerRun(10, f); got != 0 {
					t.Errorf("%s %d: %s allocates %v times", family, n, what, got)
				}
			}
		}
	}
}

// TestLong: on lists too long for the definition, every answer about all
// packets is held against single packets.
func TestLong(t *testing.T) {
	for _, family := range classbench.Families() {
		rules := classbench.Rules(family, 400, 2)
		p := prepare(t, rules)
		for _, f := range p.Search().Review(policy.DefaultBudget) {
			switch f.Use {
			case policy.UseUnclear:
				t.Fatalf("%s: %+v", family, f)
			case policy.Shadowed:
				if len(f.By) == 0 || slices.Max(f.By) >= f.Rule {
					t.Fatalf("%s: %+v", family, f)
				}
				continue
			}
			if got, _ := p.Classify(f.Packet); got != f.Rule || !rules[got].Match.Contains(f.Packet) {
				t.Fatalf("%s: %+v, but rule %d decides", family, f, got)
			}
		}
		changed := classbench.Rewrite(rules, 3)
		limits := policy.DefaultLimits()
		for k := range 6 {
			at := len(changed) * k / 6
			one := slices.Clone(changed)
			one[at].Action = map[fabric.Action]fabric.Action{fabric.Drop: fabric.Pass}[one[at].Action]
			other := prepare(t, one)
			d, err := policy.Diff(p, other, limits)
			if err != nil || d.Status == policy.Undecided {
				t.Fatalf("%s: %+v, %v", family, d, err)
			}
			// Only what the changed rule decides differs.
			use := other.Search().Reach(at, policy.DefaultBudget)
			if d.Status == policy.Absent && use.Use == policy.Needed {
				t.Fatalf("%s: rule %d is reached by %s, changed, and no difference", family, at, use.Packet)
			}
			for _, delta := range d.Deltas {
				_, from := p.Classify(delta.Packet)
				rule, to := other.Classify(delta.Packet)
				if rule != at || from == to || !delta.Box.Contains(delta.Packet) || !one[at].Match.Contains(delta.Packet) {
					t.Fatalf("%s: rule %d was changed, delta %+v", family, at, delta)
				}
			}
		}
	}
}

// TestLeavesEarly: leaves that end early say so.
func TestLeavesEarly(t *testing.T) {
	p, q := prepare(t, classbench.Rules(classbench.FW, 100, 1)), policy.Everything()
	count := 0
	if p.Search().Leaves(&q, policy.Passing(), policy.DefaultBudget, func(policy.Leaf) bool { count++; return count < 3 }) || count != 3 {
		t.Errorf("stopped after %d leaves, and nobody says so", count)
	}
	if p.Search().Leaves(&q, policy.Passing(), 200, func(policy.Leaf) bool { return true }) {
		t.Error("the budget ran out, and nobody says so")
	}
}

// TestShared: searches of one policy do not disturb each other.
func TestShared(t *testing.T) {
	p := prepare(t, classbench.Rules(classbench.FW, 200, 1))
	want := p.Search().Review(policy.DefaultBudget)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i, f := range p.Search().Review(policy.DefaultBudget) {
				if f.Use != want[i].Use || f.Packet != want[i].Packet || !slices.Equal(f.By, want[i].By) {
					t.Errorf("%+v, alone %+v", f, want[i])
				}
			}
		})
	}
	group.Wait()
}

// TestLimits: a comparison that meets its limits is undecided, never equal.
func TestLimits(t *testing.T) {
	rules := classbench.Rules(classbench.IPC, 500, 1)
	a, b := prepare(t, rules), prepare(t, classbench.Rewrite(rules, 1))
	for _, limits := range []policy.Limits{{Steps: 1000, Numbers: 1 << 20, Deltas: 1}, {Steps: 100_000, Numbers: 5000, Deltas: 1}} {
		d, err := policy.Diff(a, b, limits)
		if err != nil || d.Status != policy.Undecided || d.All {
			t.Errorf("%+v: %+v, %v", limits, d, err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{100, 1000, 9000} {
		for _, family := range classbench.Families() {
			b.Run(fmt.Sprintf("%s-%d", family, n), func(b *testing.B) {
				s, q := prepare(b, classbench.Rules(family, n, 1)).Search(), ssh()
				for b.Loop() {
					s.Find(&q, policy.Passing(), policy.DefaultBudget)
				}
			})
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, n := range []int{8, 16, 32, 100, 256, 1000, 9000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, packet := prepare(b, classbench.Rules(classbench.FW, n, 1)), web()
			for b.Loop() {
				p.Classify(packet)
			}
		})
	}
}

func BenchmarkShadowed(b *testing.B) {
	for _, n := range []int{100, 1000, 9000} {
		for _, family := range classbench.Families() {
			b.Run(fmt.Sprintf("%s-%d", family, n), func(b *testing.B) {
				s := prepare(b, classbench.Rules(family, n, 1)).Search()
				for b.Loop() {
					s.Shadowed(policy.DefaultBudget)
				}
			})
		}
	}
}

func BenchmarkReview(b *testing.B) {
	for _, family := range classbench.Families() {
		b.Run(fmt.Sprintf("%s-%d", family, 9000), func(b *testing.B) {
			s := prepare(b, classbench.Rules(family, 9000, 1)).Search()
			for b.Loop() {
				s.Review(policy.DefaultBudget)
			}
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1000, 9000} {
		for _, family := range classbench.Families() {
			rules := classbench.Rules(family, n, 1)
			one := slices.Clone(rules)
			one[n/2].Action = map[fabric.Action]fabric.Action{fabric.Drop: fabric.Pass}[one[n/2].Action]
			p, changed, rewritten := prepare(b, rules), prepare(b, one), prepare(b, classbench.Rewrite(rules, 1))
			for what, other := range map[string]*policy.Policy{"one-changed": changed, "rewritten": rewritten} {
				b.Run(fmt.Sprintf("%s-%s-%d", what, family, n), func(b *testing.B) {
					for b.Loop() {
						if _, err := policy.Diff(p, other, policy.DefaultLimits()); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{100, 1000, 9000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rules := classbench.Rules(classbench.FW, n, 1)
			for b.Loop() {
				prepare(b, rules)
			}
		})
	}
}
