package policy

import "slices"

// edit is the difference of two lists of rules: those of the first that go and
// those of the second that come, in order. All others are common to both, in the
// same order.
type edit struct{ gone, come []int }

// maxEdits is how many rules may go and come for the shortest edit to be looked
// for; past it every rule between the common ends counts as changed.
const maxEdits = 512

// edits finds a shortest edit that makes list b of list a, by E. W. Myers, "An
// O(ND) Difference Algorithm and Its Variations", Algorithmica 1 (1986). Rules
// are equal if they match and do the same.
func edits(a, b *Policy) edit {
	equal := func(i, j int) bool {
		if a.outcomes[i] != b.outcomes[j] {
			return false
		}
		x, y := &a.rules[i].Match, &b.rules[j].Match
		for f := range x {
			if !same(x[f], y[f]) {
				return false
			}
		}
		return true
	}
	from, toA, toB := 0, len(a.rules), len(b.rules)
	for from < toA && from < toB && equal(from, from) {
		from++
	}
	for toA > from && toB > from && equal(toA-1, toB-1) {
		toA--
		toB--
	}
	if from == toA || from == toB {
		return edit{count(from, toA), count(from, toB)}
	}
	// Hashes make the many comparisons of different rules cheap.
	hashA, hashB := hashes(a, count(from, toA)), hashes(b, count(from, toB))
	e, ok := myers(toA-from, toB-from, func(i, j int) bool {
		return hashA[i] == hashB[j] && equal(from+i, from+j)
	})
	if !ok {
		return edit{count(from, toA), count(from, toB)}
	}
	for i := range e.gone {
		e.gone[i] += from
	}
	for i := range e.come {
		e.come[i] += from
	}
	return e
}

// count returns the numbers from lo up to hi.
func count(lo, hi int) []int {
	out := make([]int, hi-lo)
	for i := range out {
		out[i] = lo + i
	}
	return out
}

// hashes returns a hash of each of some rules: equal for equal rules.
func hashes(p *Policy, rules []int) []uint64 {
	out := make([]uint64, len(rules))
	for k, i := range rules {
		h := uint64(p.outcomes[i])
		for _, set := range p.rules[i].Match {
			h = mix(h, hashSet(set))
		}
		out[k] = h
	}
	return out
}

// myers walks the edit graph of lists of n and m elements; false if more than
// maxEdits elements go and come.
func myers(n, m int, equal func(i, j int) bool) (edit, bool) {
	limit := min(n+m, maxEdits)
	// far[k+limit+1] is how far down the first list diagonal k was reached with d
	// edits; trail keeps it for each d.
	far := make([]int, 2*limit+3)
	var trail [][]int
	for d := 0; d <= limit; d++ {
		trail = append(trail, slices.Clone(far[limit+1-d:limit+2+d]))
		for k := -d; k <= d; k += 2 {
			x := far[limit+1+k-1] + 1 // an element goes
			if k == -d || k != d && far[limit+1+k-1] < far[limit+1+k+1] {
				x = far[limit+1+k+1] // an element comes
			}
			for y := x - k; x < n && y < m && equal(x, y); y++ {
				x++
			}
			far[limit+1+k] = x
			if x >= n && x-k >= m {
				return retrace(trail, n, m), true
			}
		}
	}
	return edit{}, false
}

// retrace follows the edits back from the end.
func retrace(trail [][]int, x, y int) edit {
	var e edit
	for d := len(trail) - 1; d > 0; d-- {
		// trail[d] is of diagonals -d to d, as reached with d-1 edits.
		at := func(k int) int { return trail[d][k+d] }
		k := x - y
		if k == -d || k != d && at(k-1) < at(k+1) {
			x = at(k + 1)
			y = x - k - 1
			e.come = append(e.come, y)
		} else {
			x = at(k - 1)
			y = x - k + 1
			e.gone = append(e.gone, x)
		}
	}
	slices.Reverse(e.gone)
	slices.Reverse(e.come)
	return e
}
