package classbench

import (
	"math/rand/v2"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// Rewrite returns another list that does the same with every packet: about half
// of the rules are cut in two, some that can never be reached are added, and
// all are moved as far as rules of the other action that share packets with
// them let them. No rule is where it was, so that only a proof over all packets
// can tell that nothing changed.
func Rewrite(rules []policy.Rule, seed uint64) []policy.Rule {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]policy.Rule, 0, 2*len(rules))
	for i := range rules {
		r := rules[i]
		if rng.IntN(2) == 0 {
			if low, high, ok := halves(&r, fabric.Field(rng.IntN(2))); ok {
				out = append(out, low, high)
				continue
			}
		}
		out = append(out, r)
		if rng.IntN(20) == 0 {
			// What is matched already is never reached, whatever it does.
			r.Action = fabric.Drop
			out = append(out, r)
		}
	}
	for range 4 {
		for i := len(out) - 2; i >= 0; i-- {
			// Each rule sinks for a while.
			for j, n := i, rng.IntN(20); n > 0 && j+1 < len(out) && commute(&out[j], &out[j+1]); j, n = j+1, n-1 {
				out[j], out[j+1] = out[j+1], out[j]
			}
		}
	}
	return slices.Clip(out)
}

// halves cuts a rule in two along the addresses of a field.
func halves(r *policy.Rule, f fabric.Field) (low, high policy.Rule, ok bool) {
	set := r.Match[f]
	if len(set) != 1 || set[0].Lo.Hi != set[0].Hi.Hi || set[0].Lo.Lo == set[0].Hi.Lo {
		return low, high, false
	}
	lo, hi := set[0].Lo, set[0].Hi
	middle := fabric.Value{Hi: lo.Hi, Lo: lo.Lo + (hi.Lo-lo.Lo)/2}
	low, high = *r, *r
	low.Match[f] = fabric.Set{{Lo: lo, Hi: middle}}
	high.Match[f] = fabric.Set{{Lo: middle.Next(), Hi: hi}}
	return low, high, true
}

// commute reports whether two neighbours may change places.
func commute(a, b *policy.Rule) bool {
	if a.Action == b.Action {
		return true
	}
	for f := range a.Match {
		if !a.Match[f].Overlaps(b.Match[f]) {
			return true
		}
	}
	return false
}
