package classbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
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

	// Contract is the question whether a packet from 10/8 to TCP port 22 passes.
	Contract       time.Duration
	ContractStatus policy.Status
	// Z3Contract is the same question to the solver, from the start of its
	// process to its answer, and Ratio how many times as long that takes. Both
	// are zero where Z3Note says why it was not answered. Where the answers
	// differ Measure fails.
	Z3Contract time.Duration
	Ratio      float64
	Z3Note     string

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

func measureList(ctx context.Context, o Options, family Family, n int) (ListFigures, error) {
	l := ListFigures{Family: family, Rules: n}
	rules := Rules(family, n, o.Seed)
	var p *policy.Policy
	var err error
	l.Prepare = took(func() { p, err = policy.New(rules, fabric.Drop) })
	if err != nil {
		return l, err
	}
	search, q := p.Search(), contract()
	l.Contract = mean(1000, func(int) { l.ContractStatus = search.Find(&q, policy.Passing(), policy.DefaultBudget).Status })
	if err := l.compare(ctx, o, rules, &q); err != nil {
		return l, err
	}
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
	rewritten = append([]policy.Rule(nil), rules...)
	changed := &rewritten[n/2]
	changed.Action = map[fabric.Action]fabric.Action{fabric.Drop: fabric.Pass}[changed.Action]
	if l.Seeded, l.SeededTook, err = compareLists(p, rewritten, o.Limits); err != nil {
		return l, err
	}
	packets := packetsNear(rules, o.Seed)
	l.Classify = mean(100_000, func(i int) { p.Classify(packets[i%len(packets)]) })
	return l, nil
}

// compare asks the solver the contract too.
func (l *ListFigures) compare(ctx context.Context, o Options, rules []policy.Rule, q *policy.Box) error {
	switch {
	case o.Z3 == "":
		l.Z3Note = "no z3 on the path"
		return nil
	case l.Rules > o.Z3Rules:
		l.Z3Note = fmt.Sprintf("not asked past %d rules", o.Z3Rules)
		return nil
	}
	// The contract is about 10/8, hence IPv4.
	s := NewScript(false)
	s.Policy("a", rules, fabric.Drop)
	s.Ask("(and a " + s.Box(q) + ")")
	ctx, cancel := context.WithTimeout(ctx, o.Z3Timeout)
	defer cancel()
	var answers []bool
	var err error
	spent := took(func() { answers, err = s.Run(ctx, o.Z3) })
	if err != nil {
		l.Z3Note = err.Error()
		return nil
	}
	if answers[0] != (l.ContractStatus == policy.Found) {
		return fmt.Errorf("the contract is %s, but z3 says %v", l.ContractStatus, answers[0])
	}
	l.Z3Contract, l.Ratio = spent, float64(spent)/float64(max(l.Contract, 1))
	return nil
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
