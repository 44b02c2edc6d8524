package node

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/ceruleannet/cerulean/internal/proof/policy/classbench"
)

// ProveSizes are the sizes of what BenchProofs measures.
type ProveSizes struct {
	Spokes int   // of the declared network
	VNets  int   // of the network to isolate
	Rules  []int // lengths of lists of rules
}

// BenchProofs measures the proof in sections, each handed to done as soon as it
// is measured: a declared network of many spokes, isolation over all packets of
// a large network and one flow in it, one changed rule, and long lists of rules.
func BenchProofs(ctx context.Context, sizes ProveSizes, rounds int, done func(*Bench) error) error {
	for _, section := range []func() (*Bench, error){
		func() (*Bench, error) { return BenchProve(ctx, sizes.Spokes, rounds) },
		func() (*Bench, error) { return BenchIsolation(ctx, sizes.VNets, rounds) },
		func() (*Bench, error) { return BenchIncremental(ctx, sizes.VNets, rounds) },
		func() (*Bench, error) { return benchLists(ctx, sizes.Rules) },
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := section()
		if err != nil {
			return err
		}
		if err := done(b); err != nil {
			return err
		}
		runtime.GC()
	}
	return nil
}

// benchLists measures long lists of rules of the three families of ClassBench.
func benchLists(ctx context.Context, sizes []int) (*Bench, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	o := classbench.DefaultOptions()
	o.Sizes = sizes
	f, err := classbench.Measure(ctx, o)
	if err != nil {
		return nil, err
	}
	var s series
	for _, l := range f.Lists {
		name := func(what string) string { return fmt.Sprintf("%s %d, %s", l.Family, l.Rules, what) }
		micro := func(what string, d time.Duration) { s.add(name(what), "µs", float64(d)/float64(time.Microsecond)) }
		for _, q := range []struct {
			what string
			classbench.Contract
		}{{"contract, open: ", l.Open}, {"contract, held: ", l.Held}} {
			micro(q.what+q.Status.String(), q.Took)
			if q.Z3 > 0 {
				s.addTime(name(q.what+"z3"), q.Z3)
				s.add(name(q.what+"ratio"), "times", q.Ratio)
			}
		}
		s.addTime(name("all shadowed rules"), l.ShadowedTook)
		s.add(name("shadowed rules"), "count", float64(l.Shadowed))
		s.addTime(name("equivalence: "+l.Equivalence.String()), l.EquivalenceTook)
		micro("one rule changed", l.SeededTook)
		micro("one packet classified", l.Classify)
	}
	return s.bench("lists", "lists of rules in the style of ClassBench, one core, against "+f.Solver, 1), nil
}
