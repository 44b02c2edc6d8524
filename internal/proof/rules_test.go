package proof

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// manyRules gives the firewall of a small planet a policy of n random rules,
// every third of them a deny, that all but overlap.
func manyRules(n int) *planet {
	p := newPlanet(1, 3)
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	f := p.filterNamed("policy-hub0")
	f.Rules = nil
	prefix := func() fabric.SetID {
		if rng.IntN(4) == 0 {
			return fabric.AnySet
		}
		a := netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(4)), byte(rng.IntN(256))})
		return p.set(fabric.PrefixSet(netip.PrefixFrom(a, 16+rng.IntN(17)).Masked()))
	}
	for i := range n {
		lo := uint16(rng.IntN(60000))
		action := fabric.Pass
		if i%3 == 0 {
			action = fabric.Drop
		}
		ports := p.set(fabric.NumSet(lo, lo+uint16(rng.IntN(3000))))
		f.Rules = append(f.Rules, rule(fmt.Sprint("rule", i), action, prefix(), prefix(), ports, p.tcp))
	}
	for _, name := range []string{"admin-out-prod", "admin-in-nonprod", "nsg-app-nonprod-0-1", "nsg-data-nonprod-0-1"} {
		g := p.filterNamed(name)
		g.Rules, g.Default = nil, fabric.Pass
	}
	return p
}

func BenchmarkRules(b *testing.B) {
	for _, n := range []int{100, 1000, 9000} {
		p := New(manyRules(n).img)
		for name, claim := range map[string]model.Expectation{
			"one-port": {Verb: model.Deny, From: host("app-prod-0-0"), To: group("nonprod"), Traffic: tcp(22)},
			"all":      {Verb: model.Deny, From: group("prod"), To: group("nonprod")},
		} {
			b.Run(fmt.Sprintf("rules=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				var f Finding
				for b.Loop() {
					f = p.Check([]model.Expectation{claim})[0]
				}
				b.ReportMetric(float64(f.Counts.Steps), "steps")
				b.ReportMetric(float64(f.Status), "status")
			})
		}
	}
}
