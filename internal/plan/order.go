package plan

import (
	"fmt"
	"sort"
	"strings"
)

// graph is the steps under construction and what each needs.
type graph struct {
	steps []Step
	needs []map[int]bool
	byKey map[string]int // the step that brings a resource into its declared state
}

func newGraph() *graph { return &graph{byKey: map[string]int{}} }

// add appends a step and returns its number.
func (g *graph) add(s Step) int {
	g.steps = append(g.steps, s)
	g.needs = append(g.needs, nil)
	return len(g.steps) - 1
}

// need makes step a wait for step b.
func (g *graph) need(a, b int) {
	if a == b {
		return
	}
	if g.needs[a] == nil {
		g.needs[a] = map[int]bool{}
	}
	g.needs[a][b] = true
}

// rank orders steps that do not depend on each other, so that a plan reads the
// same every time: what is made and changed first, then commits, then deletes.
func rank(a Action) int {
	switch a {
	case Create, Update:
		return 0
	case Record:
		return 1
	case Deploy:
		return 2
	default:
		return 3
	}
}

// sorted returns the steps in an order that respects what each needs, or an
// error that names a cycle.
func (g *graph) sorted() ([]Step, error) {
	order := make([]int, len(g.steps))
	for i := range order {
		order[i] = i
	}
	key := make([]string, len(g.steps))
	for i, s := range g.steps {
		key[i] = fmt.Sprintf("%d %s", rank(s.Action), s.ID.Key())
	}
	sort.SliceStable(order, func(i, j int) bool { return key[order[i]] < key[order[j]] })

	// Levels keep the order readable: a step comes as soon as what it needs
	// has come, in passes over the sorted list.
	waiting := make([]int, len(g.steps))
	dependents := make([][]int, len(g.steps))
	for a, needs := range g.needs {
		waiting[a] = len(needs)
		for b := range needs {
			dependents[b] = append(dependents[b], a)
		}
	}
	position := make([]int, len(g.steps))
	var out []Step
	var numbers []int
	level := make([]int, 0, len(g.steps))
	for _, i := range order {
		if waiting[i] == 0 {
			level = append(level, i)
		}
	}
	for len(level) > 0 {
		var next []int
		for _, i := range level {
			position[i] = len(out)
			out = append(out, g.steps[i])
			numbers = append(numbers, i)
			for _, d := range dependents[i] {
				if waiting[d]--; waiting[d] == 0 {
					next = append(next, d)
				}
			}
		}
		sort.SliceStable(next, func(i, j int) bool { return key[next[i]] < key[next[j]] })
		level = next
	}
	if len(out) < len(g.steps) {
		return nil, g.cycle(waiting)
	}
	for at, i := range numbers {
		needs := make([]int, 0, len(g.needs[i]))
		for b := range g.needs[i] {
			needs = append(needs, position[b])
		}
		sort.Ints(needs)
		out[at].Needs = needs
	}
	return out, nil
}

// cycle names one cycle among the steps that still wait.
func (g *graph) cycle(waiting []int) error {
	start := -1
	for i, n := range waiting {
		if n > 0 {
			start = i
			break
		}
	}
	// Every waiting step needs another waiting one, so walking along the
	// needs comes back to a step already seen.
	seen := map[int]int{}
	var walk []int
	for at := start; ; {
		if from, ok := seen[at]; ok {
			walk = append(walk[from:], at)
			break
		}
		seen[at] = len(walk)
		walk = append(walk, at)
		at = g.firstWaiting(at, waiting)
	}
	parts := make([]string, len(walk))
	for i, n := range walk {
		s := g.steps[n]
		parts[i] = fmt.Sprintf("%s %s", s.Action, s.ID)
		if at := s.Pos.String(); at != "" {
			parts[i] += " (" + at + ")"
		}
	}
	return fmt.Errorf("the resources need each other in a cycle, so none can come first; "+
		"break one of these references:\n  %s", strings.Join(parts, "\n  needs "))
}

func (g *graph) firstWaiting(at int, waiting []int) int {
	best := -1
	for b := range g.needs[at] {
		if waiting[b] > 0 && (best < 0 || b < best) {
			best = b
		}
	}
	return best
}
