package classbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// Options say what to measure.
type Options struct {
	Sizes []int  // numbers of rules; none means 1,000 and 9,000
	Seed  uint64 // of the lists
	// Z3 is the path of the solver that gets the same contract, for lists of at
	// most Z3Rules rules; none means that nobody is compared with.
	Z3        string
	Z3Rules   int
	Z3Timeout time.Duration
	Limits    policy.Limits // of comparisons
}

// DefaultOptions measures lists of 1,000 and 9,000 rules and compares with the
// z3 on the path, if there is one, at 1,000.
func DefaultOptions() Options {
	o := Options{Sizes: []int{1000, 9000}, Seed: 1, Z3Rules: 1000, Z3Timeout: 2 * time.Minute, Limits: policy.DefaultLimits()}
	if path, err := exec.LookPath("z3"); err == nil {
		o.Z3 = path
	}
	return o
}

// Figures are what was measured, on one core.
type Figures struct {
	// Solver is the version that the other side of ratios says of itself, or why
	// there is none.
	Solver string
	Lists  []ListFigures
}

// ListFigures are those of one list.
type ListFigures struct {
	Family  Family
	Rules   int
	Prepare time.Duration // policy.New

	// Open is the contract that no packet from 10/8 to TCP port 22 passes, asked
	// of the list; mostly some does. Held is the same where sixteen rules put
	// into the first quarter of the list deny such packets, and none passes before.
	Open, Held Contract

	// Shadowed rules, all of them found, and how long that took.
	Shadowed     int
	ShadowedAll  bool
	ShadowedTook time.Duration

	// Equivalence is the comparison, of all rules, with the list rewritten:
	// Absent means that it was proved to do the same with every packet,
	// Undecided that the limits were met.
	Equivalence     policy.Status
	EquivalentRules int // of the rewritten list
	EquivalenceTook time.Duration

	// Seeded is the comparison with a list in which one rule's action changed.
	Seeded     policy.Status
	SeededTook time.Duration

	Classify time.Duration // of one packet, the mean over many
}

// Contract is the figures of one question.
type Contract struct {
	Status policy.Status // Absent: it holds
	Took   time.Duration // the mean of many
	// Z3 is the same question to the solver, from the start of its process to its
	// answer, and Ratio how many times as long that takes. Both are zero where
	// Note says why it was not answered. Where the answers differ Measure fails.
	Z3    time.Duration
	Ratio float64
	Note  string
}

// Measure makes lists of every family and times package policy on them. The
// context ends the solver early; it does not end the rest.
func Measure(ctx context.Context, o Options) (Figures, error) {
	out := Figures{Solver: "no z3 on the path: nobody to compare with"}
	if o.Z3 != "" {
		version, err := exec.CommandContext(ctx, o.Z3, "--version").Output()
		if err != nil {
			return Figures{}, fmt.Errorf("asking %s for its version: %w", o.Z3, err)
		}
		out.Solver = strings.TrimSpace(string(version))
	}
	for _, n := range o.Sizes {
		for _, family := range Families() {
			l, err := measureList(ctx, o, family, n)
			if err != nil {
				return Figures{}, fmt.Errorf("measuring %s of %d rules: %w", family, n, err)
			}
			out.Lists = append(out.Lists, l)
		}
	}
	return out, nil
}

// contract is the question asked of every list.
func contract() policy.Box {
	q := policy.Everything()
	q[fabric.Src] = fabric.PrefixSet(netip.MustParsePrefix("10.0.0.0/8"))
	q[fabric.DstPort] = fabric.NumSet(22, 22)
	q[fabric.Proto] = fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
	return q
}

// guarded returns a list with sixteen more rules, for which the contract holds,
// though rules further down would break it.
func guarded(rules []policy.Rule, seed uint64) []policy.Rule {
	rng := rand.New(rand.NewPCG(seed, 9))
	out := slices.Clone(rules)
	q, last := contract(), 0
	for i := range 16 {
		r := policy.Rule{Match: q}
		r.Match[fabric.Src] = fabric.PrefixSet(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(16 * i)}), 12))
		at := rng.IntN(len(rules)/4 + 1)
		out, last = slices.Insert(out, at, r), max(last+1, at)
	}
	for i := range out[:last] {
		meets := true
		for f := range q {
			meets = meets && q[f].Overlaps(out[i].Match[f])
		}
		if meets {
			out[i].Action = fabric.Drop
		}
	}
	return out
}

// ask times the contract, here and by the solver.
func ask(ctx context.Context, o Options, rules []policy.Rule) (c Contract, err error) {
	p, err := policy.New(rules, fabric.Drop)
	if err != nil {
		return c, err
	}
	search, q := p.Search(), contract()
	c.Took = mean(1000, func(int) { c.Status = search.Find(&q, policy.Passing(), policy.DefaultBudget).Status })
	switch {
	case o.Z3 == "":
		c.Note = "no z3 on the path"
		return c, nil
	case len(rules) > o.Z3Rules+16:
		c.Note = fmt.Sprintf("not asked past %d rules", o.Z3Rules)
		return c, nil
	}
	// The contract is about 10/8, hence IPv4.
	s := NewScript(false)
	s.Policy("a", rules, fabric.Drop)
	s.Ask("(and a " + s.Box(&q) + ")")
	ctx, cancel := context.WithTimeout(ctx, o.Z3Timeout)
	defer cancel()
	var answers []bool
	spent := took(func() { answers, err = s.Run(ctx, o.Z3) })
	if err != nil {
		c.Note = err.Error()
		return c, nil
	}
	if answers[0] != (c.Status == policy.Found) {
		return c, fmt.Errorf("the contract is %s, but z3 says %v", c.Status, answers[0])
	}
	c.Z3, c.Ratio = spent, float64(spent)/float64(max(c.Took, 1))
	return c, nil
}

func measureList(ctx context.Context, o Options, family Family, n int) (ListFigures, error) {
	l := ListFigures{Family: family, Rules: n}
	rules := Rules(family, n, o.Seed)
	var p *policy.Policy
	var err error
	l.Prepare = took(func() { p, err = policy.New(rules, fabric.Drop) })
	if err != nil {
		return l, err
	}
	if l.Open, err = ask(ctx, o, rules); err != nil {
		return l, err
	}
	if l.Held, err = ask(ctx, o, guarded(rules, o.Seed)); err != nil {
		return l, err
	}
	search := p.Search()
	var shadowed []policy.Finding
	l.ShadowedTook = took(func() { shadowed, l.ShadowedAll = search.Shadowed(policy.DefaultBudget) })
	l.Shadowed = len(shadowed)

	rewritten := Rewrite(rules, o.Seed)
	l.EquivalentRules = len(rewritten)
	whole := o.Limits
	whole.Whole = true
	if l.Equivalence, l.EquivalenceTook, err = compareLists(p, rewritten, whole); err != nil {
		return l, err
	}
	rewritten = slices.Clone(rules)
	changed := &rewritten[n/2]
	changed.Action = map[fabric.Action]fabric.Action{fabric.Drop: fabric.Pass}[changed.Action]
	if l.Seeded, l.SeededTook, err = compareLists(p, rewritten, o.Limits); err != nil {
		return l, err
	}
	packets := packetsNear(rules, o.Seed)
	l.Classify = mean(100_000, func(i int) { p.Classify(packets[i%len(packets)]) })
	return l, nil
}

// compareLists times a comparison; both lists are prepared before.
func compareLists(p *policy.Policy, rules []policy.Rule, limits policy.Limits) (policy.Status, time.Duration, error) {
	other, err := policy.New(rules, fabric.Drop)
	if err != nil {
		return policy.Undecided, 0, err
	}
	var d policy.Difference
	spent := took(func() { d, err = policy.Diff(p, other, limits) })
	return d.Status, spent, err
}

// packetsNear returns packets at the corners of rules: half of their fields are
// of one rule, half of another.
func packetsNear(rules []policy.Rule, seed uint64) []fabric.Packet {
	rng := rand.New(rand.NewPCG(seed, 8))
	out := make([]fabric.Packet, 4096)
	for i := range out {
		a, b := &rules[rng.IntN(len(rules))].Match, &rules[rng.IntN(len(rules))].Match
		out[i] = fabric.Packet{
			Src: a[fabric.Src].Min().Addr(), Dst: b[fabric.Dst].Min().Addr(), Proto: fabric.ProtoTCP,
			SrcPort: uint16(a[fabric.SrcPort].Min().Lo), DstPort: uint16(b[fabric.DstPort].Min().Lo),
		}
		if !out[i].Src.Is4() || !out[i].Dst.Is4() {
			out[i].Src, out[i].Dst = netip.IPv4Unspecified(), netip.IPv4Unspecified()
		}
	}
	return out
}

func took(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func mean(n int, f func(int)) time.Duration {
	return took(func() {
		for i := range n {
			f(i)
		}
	}) / time.Duration(n)
}
