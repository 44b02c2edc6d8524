package balance_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ceruleannet/cerulean/balance"
)

var strategies = []balance.Strategy{
	balance.RoundRobin(), balance.WeightedRoundRobin(), balance.LeastConnections(), balance.Random(),
	balance.LeastOfTwo(), balance.PeakEWMA(), balance.ConsistentHash(),
}

func group(weights ...int) []balance.Member[string] {
	var out []balance.Member[string]
	for i, w := range weights {
		out = append(out, balance.Member[string]{Value: string(rune('a' + i)), Weight: w})
	}
	return out
}

func newBalancer(t testing.TB, s balance.Strategy, o balance.Options[string], g []balance.Member[string]) *balance.Balancer[string] {
	t.Helper()
	b := balance.New(s, o)
	if err := b.Update(g); err != nil {
		t.Fatal(err)
	}
	return b
}

// shares picks n times, ends each request at once, and counts.
func shares(t *testing.T, b *balance.Balancer[string], n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	for i := range n {
		p, err := b.Pick(t.Context(), balance.Mix(7, uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		out[p.Member]++
		p.Done(nil)
	}
	return out
}

// Shares follow the weights, where the strategy heeds them, and nothing else.
func TestShares(t *testing.T) {
	const n = 60_000
	for _, s := range strategies {
		t.Run(s.String(), func(t *testing.T) {
			want := []float64{1. / 6, 2. / 6, 3. / 6}
			switch s.String() {
			case balance.RoundRobin().String():
				want = []float64{1. / 3, 1. / 3, 1. / 3}
			case balance.LeastConnections().String(), balance.LeastOfTwo().String(), balance.PeakEWMA().String():
				want = nil // of requests that end at once, all that counts is that everyone answers
			}
			got := shares(t, newBalancer(t, s, balance.Options[string]{}, group(1, 2, 3)), n)
			t.Log(got)
			for i, w := range want {
				if g := float64(got[string(rune('a'+i))]) / n; math.Abs(g-w) > 0.02 {
					t.Errorf("member %d has %.3f, want %.3f", i, g, w)
				}
			}
		})
	}
}

// The order of weighted round robin is evenly mixed.
func TestSmooth(t *testing.T) {
	b := newBalancer(t, balance.WeightedRoundRobin(), balance.Options[string]{}, group(5, 1, 1))
	var order strings.Builder
	for range 14 {
		p, err := b.Pick(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		order.WriteString(p.Member)
	}
	// It begins anywhere in the round.
	if !strings.Contains(order.String(), "aabacaa") {
		t.Error(order.String())
	}
	if got := shares(t, newBalancer(t, balance.WeightedRoundRobin(), balance.Options[string]{}, group(1000, 999, 1)), 200_000); got["c"] < 50 || got["c"] > 200 {
		t.Error("large weights:", got)
	}
}

// Requests under way decide where they can.
func TestLeast(t *testing.T) {
	b := newBalancer(t, balance.LeastConnections(), balance.Options[string]{}, group(1, 1, 2))
	got := map[string]int{}
	for range 40 {
		p, _ := b.Pick(t.Context(), 0)
		got[p.Member]++
	}
	if got["a"] != 10 || got["b"] != 10 || got["c"] != 20 {
		t.Error(got)
	}
	// A member that does not answer gets less and less of two choices.
	b = newBalancer(t, balance.LeastOfTwo(), balance.Options[string]{}, group(1, 1, 1, 1))
	stuck := 0
	for range 1000 {
		p, _ := b.Pick(t.Context(), 0)
		if p.Member == "a" {
			stuck++
			continue
		}
		p.Done(nil)
	}
	if stuck > 40 {
		t.Errorf("a member that never answers got %d of 1,000", stuck)
	}
}

// A member that answers slowly is spared after one answer.
func TestPeakEWMA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.PeakEWMA(), balance.Options[string]{}, group(1, 1, 1))
		got := map[string]int{}
		for range 3000 {
			p, err := b.Pick(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			got[p.Member]++
			if p.Member == "a" {
				time.Sleep(500 * time.Millisecond)
			} else {
				time.Sleep(time.Millisecond)
			}
			p.Done(nil)
		}
		if got["a"] > 60 {
			t.Error(got)
		}
		if states, _ := b.Members(); states[0].Latency < 100*time.Millisecond || states[0].Active != 0 {
			t.Errorf("%+v", states[0])
		}
	})
}

func TestHealth(t *testing.T) {
	b := newBalancer(t, balance.RoundRobin(), balance.Options[string]{Panic: 0.5}, group(1, 1, 1, 1))
	if b.SetHealth("z", false) || !b.SetHealth("a", false) || !b.SetHealth("b", false) {
		t.Fatal("SetHealth does not know who is there")
	}
	if got := shares(t, b, 100); len(got) != 2 || got["c"] != 50 {
		t.Error("half are well:", got)
	}
	if p, ok := b.PickWhere(func(m string) bool { return m == "c" }); !ok || p.Member != "c" {
		t.Error("a certain one:", p, ok)
	} else {
		p.Done(nil)
	}
	if _, ok := b.PickWhere(func(m string) bool { return m == "a" }); ok {
		t.Error("a certain one that is down")
	}
	b.SetHealth("c", false)
	if got := shares(t, b, 100); len(got) != 4 {
		t.Error("less than half are well, all are chosen from:", got)
	}
	if _, panicked := b.Members(); !panicked {
		t.Error("it does not say so")
	}
	none := newBalancer(t, balance.ConsistentHash(), balance.Options[string]{}, group(1))
	none.SetHealth("a", false)
	if _, err := none.Pick(t.Context(), 1); !errors.Is(err, balance.ErrNoMember) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Pick(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// State outlives an update, and wrong ones change nothing.
	if err := b.Update(group(1, 1, 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]balance.Member[string]{{{Value: "x"}, {Value: "x"}}, {{Value: "x", Weight: 1001}}, {{Value: "x", Weight: -1}}} {
		if err := b.Update(wrong); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
	if states, _ := b.Members(); len(states) != 5 || states[0].Healthy || !states[4].Healthy {
		t.Errorf("%+v", states)
	}
}

func TestZone(t *testing.T) {
	g := group(1, 1, 1, 1)
	g[0].Zone, g[1].Zone, g[2].Zone = "1", "1", "2"
	b := newBalancer(t, balance.RoundRobin(), balance.Options[string]{Zone: "1", ZoneShare: 0.6}, g)
	if got := shares(t, b, 100); got["a"] != 50 || got["b"] != 50 {
		t.Error("in the zone:", got)
	}
	b.SetHealth("a", false)
	if got := shares(t, b, 99); got["b"] != 33 {
		t.Error("too few in the zone are well:", got)
	}
}

// A member that recovers gets its share by and by.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range strategies {
			b := newBalancer(t, s, balance.Options[string]{SlowStart: 10 * time.Second}, group(1, 1))
			first := shares(t, b, 1000)["a"]
			b.SetHealth("a", false)
			time.Sleep(time.Minute)
			b.SetHealth("a", true)
			early := shares(t, b, 1000)["a"]
			time.Sleep(11 * time.Second)
			late := shares(t, b, 1000)["a"]
			if early > first*2/5 || late < first*4/5 {
				t.Errorf("%s: %d of 1,000 before, %d at first, %d at last", s, first, early, late)
			}
		}
	})
}

func TestOutliers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := balance.Options[string]{Outliers: &balance.Outliers{Failures: 3, Base: 10 * time.Second, Share: 0.5}}
		b := newBalancer(t, balance.RoundRobin(), o, group(1, 1, 1, 1))
		bad := errors.New("bad gateway")
		run := func(n int, failing string, err error) map[string]int {
			got := map[string]int{}
			for range n {
				p, perr := b.Pick(t.Context(), 0)
				if perr != nil {
					t.Fatal(perr)
				}
				got[p.Member]++
				if strings.Contains(failing, p.Member) {
					p.Done(err)
				} else {
					p.Done(nil)
				}
			}
			return got
		}
		run(40, "a", context.Canceled)
		if got := run(40, "a", bad); got["a"] != 3 {
			t.Error("ejected after three failures:", got)
		}
		time.Sleep(10 * time.Second)
		if got := run(40, "a", bad); got["a"] != 3 {
			t.Error("it comes back and fails again:", got)
		}
		time.Sleep(10 * time.Second)
		if got := run(9, "", nil); got["a"] != 0 {
			t.Error("the second time is longer:", got)
		}
		if states, _ := b.Members(); time.Until(states[0].Ejected) != 10*time.Second {
			t.Errorf("%+v", states[0])
		}
		if got := run(300, "bcd", bad); got["b"]+got["c"]+got["d"] < 200 || len(got) < 2 {
			t.Error("no more than half are ejected:", got)
		}
		time.Sleep(time.Hour)
		if got := run(40, "", nil); len(got) != 4 {
			t.Error("all come back:", got)
		}
	})
}

// Everything at once, for the race detector, and no request stays counted.
func TestConcurrent(t *testing.T) {
	for _, s := range strategies {
		o := balance.Options[string]{Panic: 0.3, SlowStart: time.Second, Outliers: &balance.Outliers{Failures: 2, Base: 20 * time.Millisecond}}
		b := newBalancer(t, s, o, group(1, 2, 3))
		n := 200
		if s.String() == balance.ConsistentHash().String() {
			n = 20 // each change makes a table
		}
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				for i := range n {
					switch {
					case g == 0 && i%10 == 0:
						_ = b.Update(group(1, 2, 3, 4)[:3+i/10%2])
					case g == 1 && i%5 == 0:
						b.SetHealth("b", i%2 == 0)
					default:
						p, err := b.Pick(t.Context(), uint64(i))
						if err == nil && i%3 == 0 {
							err = errors.New("no")
						}
						p.Done(err)
					}
				}
			})
		}
		all.Wait()
		states, _ := b.Members()
		for _, m := range states {
			if m.Active != 0 {
				t.Errorf("%s: %d requests of %s are under way", s, m.Active, m.Value)
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, s := range strategies {
		b := newBalancer(t, s, balance.Options[string]{Panic: 0.5, Outliers: &balance.Outliers{}}, group(1, 2, 3, 4))
		ctx, key := t.Context(), uint64(0)
		if n := testing.AllocsPerRun(100, func() {
			key = balance.Mix(key, 1)
			p, _ := b.Pick(ctx, key)
			p.Done(nil)
		}); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}

// Keys of the same flow are the same, whatever form its addresses have.
func TestTuples(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.4:50000"), netip.MustParseAddrPort("10.1.0.4:443")
	mapped := netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
	if balance.FiveTuple(a, b, 6) != balance.FiveTuple(mapped, b, 6) {
		t.Error("a mapped address is another")
	}
	keys := map[uint64]string{}
	for name, k := range map[string]uint64{
		"five": balance.FiveTuple(a, b, 6), "port": balance.FiveTuple(netip.AddrPortFrom(a.Addr(), 50001), b, 6),
		"protocol": balance.FiveTuple(a, b, 17), "back": balance.FiveTuple(b, a, 6),
		"three": balance.ThreeTuple(a.Addr(), b.Addr(), 6), "two": balance.TwoTuple(a.Addr(), b.Addr()),
	} {
		if other := keys[k]; other != "" {
			t.Errorf("%s and %s are one", name, other)
		}
		keys[k] = name
	}
}

func BenchmarkBalancer(b *testing.B) {
	for _, s := range strategies {
		for _, n := range []int{3, 100} {
			b.Run(fmt.Sprint(s, "/", n), func(b *testing.B) {
				x := newBalancer(b, s, balance.Options[string]{}, group(make([]int, n)...))
				ctx := b.Context()
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					key := uint64(0)
					for pb.Next() {
						key = balance.Mix(key, 1)
						p, _ := x.Pick(ctx, key)
						p.Done(nil)
					}
				})
			})
		}
	}
}
