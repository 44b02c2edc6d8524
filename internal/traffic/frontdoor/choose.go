package frontdoor

import (
	"cmp"
	"slices"
	"time"
)

// State is what an edge knows of an origin.
type State struct {
	Healthy bool
	Latency time.Duration // of the last probes; 0 if there was none
}

// Choice is which origins may take a request, and why the others not.
type Choice struct {
	Origins []int // of the group, by number
	Weights []int
	Passed  map[int]string
	// Unhealthy says that none is well, so that all count as well.
	Unhealthy bool
}

// Choose returns the origins of a group that may take a request: those that are
// enabled and healthy; of them those of the best priority; of them those within the
// sensitivity of the fastest ("Traffic routing methods to origin"). If none is
// healthy all enabled ones take part, each as often as the others.
func (g *Group) Choose(of func(int) State) Choice {
	c := Choice{Passed: map[int]string{}}
	var enabled []int
	for i := range g.Origins {
		if g.Origins[i].Disabled {
			c.Passed[i] = "disabled"
			continue
		}
		enabled = append(enabled, i)
		if g.Probe != nil && !of(i).Healthy {
			c.Passed[i] = "unhealthy"
			continue
		}
		c.Origins = append(c.Origins, i)
	}
	if len(c.Origins) == 0 {
		c.Origins, c.Unhealthy = enabled, len(enabled) > 0
		for range enabled {
			c.Weights = append(c.Weights, 1)
		}
		for _, i := range enabled {
			delete(c.Passed, i)
		}
		return c
	}
	best := slices.MinFunc(c.Origins, func(a, b int) int { return cmp.Compare(g.priority(a), g.priority(b)) })
	c.keep(func(i int) bool { return g.priority(i) == g.priority(best) }, "another has a better priority")
	fastest := of(slices.MinFunc(c.Origins, func(a, b int) int { return cmp.Compare(of(a).Latency, of(b).Latency) })).Latency
	c.keep(func(i int) bool { return of(i).Latency-fastest <= g.Sensitivity }, "another is faster")
	for _, i := range c.Origins {
		c.Weights = append(c.Weights, or(g.Origins[i].Weight, defaultWeight))
	}
	return c
}

func (g *Group) priority(i int) int { return or(g.Origins[i].Priority, 1) }

func (c *Choice) keep(which func(int) bool, why string) {
	var kept []int
	for _, i := range c.Origins {
		if which(i) {
			kept = append(kept, i)
		} else {
			c.Passed[i] = why
		}
	}
	c.Origins = kept
}

// turns gives weighted turns among changing sets of origins, evenly spread (smooth
// weighted round robin). It is not safe for concurrent use.
type turns struct{ credit map[int]int }

// next takes the origin whose turn it is; -1 if there is none.
func (t *turns) next(c *Choice) int {
	if t.credit == nil {
		t.credit = map[int]int{}
	}
	total, best := 0, -1
	for n, i := range c.Origins {
		t.credit[i] += c.Weights[n]
		total += c.Weights[n]
		if best < 0 || t.credit[i] > t.credit[best] {
			best = i
		}
	}
	if best >= 0 {
		t.credit[best] -= total
	}
	return best
}
