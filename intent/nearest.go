package intent

import (
	"fmt"
	"strings"
)

// nearest returns the candidate closest to a misspelt name, if one is close:
// at most a third of its letters, rounded up, differ, and not all.
func nearest(name string, candidates []string) (string, bool) {
	best, bestAt := "", (len(name)+2)/3+1
	if len(name) > 100 {
		return "", false
	}
	low := strings.ToLower(name)
	for _, c := range candidates {
		if d := distance(low, strings.ToLower(c), bestAt); d < len(name) && d < bestAt {
			best, bestAt = c, d
		}
	}
	return best, best != ""
}

// suggestion is the fix for a name that means nothing: the nearest candidate,
// or the list of them if it is short, or the fallback.
func suggestion(name string, candidates []string, fallback string) string {
	if near, ok := nearest(name, candidates); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if n := len(candidates); n > 0 && n <= 8 {
		list := strings.Join(sortedCopy(candidates), ", ")
		if fallback == "" {
			return "one of " + list
		}
		return fallback + " (there are " + list + ")"
	}
	return fallback
}

// distance is the optimal string alignment distance (edits and swaps of
// neighbours), or limit+1 if it is larger than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(b)], limit+1)
}
