package balance_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/balance"
)

func members(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("10.0.%d.%d:80", i/250, i%250)
	}
	return out
}

// Maglev, section 5.3: the shares of members are even, and when one leaves few
// flows move that were not its own.
func TestMaglevEvenAndSteady(t *testing.T) {
	const flows = 200_000
	for _, tt := range []struct {
		n     int
		extra float64 // most of the flows of others that may move, in per cent
	}{{2, 0.01}, {3, 1}, {10, 1}, {100, 1.5}, {101, 0.5}, {500, 1.5}} {
		t.Run(fmt.Sprint(tt.n, " members"), func(t *testing.T) {
			all := members(tt.n)
			gone := tt.n / 2
			rest := slices.Delete(slices.Clone(all), gone, gone+1)
			before, after := balance.NewMaglev(all, tt.n), balance.NewMaglev(rest, tt.n)
			load, own, moved := make([]int, tt.n), 0, 0
			for i := range uint64(flows) {
				h := balance.Mix(1, i)
				was, now := before.Pick(h), after.Pick(h)
				load[was]++
				switch {
				case was == gone:
					own++
				case all[was] != rest[now]:
					moved++
				}
			}
			low, high := slices.Min(load), slices.Max(load)
			extra := 100 * float64(moved) / flows
			t.Logf("a member leaves: %.2f%% of the flows were its own, %.2f%% more move; loads %d to %d", 100*float64(own)/flows, extra, low, high)
			if extra > tt.extra {
				t.Errorf("%.2f%% of the flows move without need, want at most %.2f%%", extra, tt.extra)
			}
			// Shares of the table differ by at most 1 %; the rest is chance.
			if mean := flows / tt.n; low < mean*3/4-20 || high > mean*5/4+20 {
				t.Errorf("loads %d to %d for a mean of %d", low, high, mean)
			}
		})
	}
}

func TestMaglevOrderAndWeight(t *testing.T) {
	all := members(7)
	back := slices.Clone(all)
	slices.Reverse(back)
	a, b := balance.NewMaglev(all, 7), balance.NewMaglev(back, 7)
	heavy := balance.NewMaglev(append([]string{all[0]}, all...), 8) // the first has two shares of eight
	count := 0
	for i := range uint64(80_000) {
		h := balance.Mix(2, i)
		if all[a.Pick(h)] != back[b.Pick(h)] {
			t.Fatal("the order of the names matters")
		}
		if heavy.Pick(h) <= 1 {
			count++
		}
	}
	if count < 19_000 || count > 21_000 {
		t.Errorf("two shares of eight took %d of 80,000", count)
	}
	if balance.NewMaglev(nil, 3) != nil {
		t.Error("a table of nobody")
	}
	one := balance.NewMaglev([]string{"only"}, 3)
	if one.Pick(0) != 0 || one.Pick(1<<64-1) != 0 {
		t.Error("one member does not take everything")
	}
}

func BenchmarkNewMaglev(b *testing.B) {
	for _, n := range []int{2, 100, 101} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := members(n)
			for b.Loop() {
				balance.NewMaglev(all, n)
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	m := balance.NewMaglev(members(100), 100)
	h := uint64(1)
	for b.Loop() {
		h += uint64(m.Pick(h)) + 0x9e3779b97f4a7c15
	}
}
