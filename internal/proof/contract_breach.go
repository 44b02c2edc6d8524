package proof

import (
	"cmp"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Breach is a pair of ports of a claim that nothing is delivered, and something
// is delivered.
type Breach struct{ From, To fabric.PortID }

// Breaches returns all pairs of ports that break a claim that nothing is
// delivered, without the limit on pairs and causes that findings have, sorted.
// whole says to look at every packet, without the contracts of policies: the
// slow way, for holding the fast one to it. complete is false if the budget of
// steps ran out.
func (p *Prover) Breaches(e model.Expectation, whole bool, budget int) (pairs []Breach, complete bool) {
	a := newArena(p.img)
	var f Finding
	f.Expectation = e
	j := newJudge(p, a, &f, budget)
	j.whole, complete = whole, true
	seen := map[Breach]bool{}
	j.each = func(l *leaf) {
		at, arrived := l.arrival()
		if arrived == emptySet {
			arrived = l.cube[fabric.Dst]
		}
		for _, from := range j.w.portsOf(l.from, l.cube[fabric.Src]) {
			for _, to := range j.w.portsOf(at, arrived) {
				if from != to || p.img.Ports[from].Kind != fabric.PortHost {
					seen[Breach{from, to}] = true
				}
			}
		}
	}
	sides := [][2]*model.Selector{{&e.From, &e.To}}
	if e.Both {
		sides = append(sides, [2]*model.Selector{&e.To, &e.From})
	}
	for _, s := range sides {
		j.ask(s[0], s[1])
		complete = complete && !j.stopped
	}
	for b := range seen {
		pairs = append(pairs, b)
	}
	slices.SortFunc(pairs, func(x, y Breach) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return pairs, complete
}

// checkWhole is check without contracts.
func (p *Prover) checkWhole(a *arena, e model.Expectation, budget int) Finding {
	f := Finding{Expectation: e}
	j := newJudge(p, a, &f, budget)
	j.whole = true
	j.ask(&e.From, &e.To)
	if e.Both {
		j.ask(&e.To, &e.From)
	}
	j.conclude()
	return f
}
