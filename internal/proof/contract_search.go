package proof

import (
	"cmp"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// search follows the boxes of a claim and reports whether it is complete. A
// claim that nothing is delivered is searched by contract, and only until more
// cannot change the finding.
func (j *judge) search() bool {
	if j.f.Expectation.Verb != model.Deny || j.whole {
		return j.w.run(j.q.begin)
	}
	kept, ok := j.w.residue(j.q)
	if !ok {
		return j.w.run(j.q.begin)
	}
	return j.searchKept(kept)
}

// searchKept follows boxes part by part until more would not be shown.
func (j *judge) searchKept(kept []state) bool {
	complete := inParts(kept, func(part, rest []state) (goOn, complete bool) {
		complete = j.w.run(part)
		return complete && !j.saturated(rest), complete
	})
	j.stopped = j.stopped || !complete
	return complete
}

// firstPart is how many boxes are searched at first; every further part is
// growth times as large, so that the boxes of many sources are soon followed
// together.
const (
	firstPart = 64
	growth    = 4
)

// inParts hands out boxes in growing parts.
func inParts(list []state, do func(part, rest []state) (goOn, complete bool)) bool {
	for n := firstPart; len(list) > 0; n *= growth {
		n = min(n, len(list))
		goOn, complete := do(list[:n], list[n:])
		if !goOn {
			return complete
		}
		list = list[n:]
	}
	return true
}

// saturated reports whether what is left of the search would not be shown: as
// many pairs were counted as ever are, and no witness would be better.
func (j *judge) saturated(rest []state) bool {
	if j.each != nil || len(j.f.Expectation.NotThrough) > 0 || len(j.broken.list) != 1 {
		return false
	}
	e := j.broken.list[0]
	if !e.group.More {
		return false
	}
	hosts := j.w.hosts()
	for i := range rest {
		best := 0
		for _, f := range [2]fabric.Field{fabric.Src, fabric.Dst} {
			if j.a.intersect(rest[i].cube[f], hosts) != emptySet {
				best++
			}
		}
		if best > e.score {
			return false
		}
	}
	return true
}

// enough ends a search by contract where nothing that is delivered later would
// be shown: all pairs that are ever counted were, by a packet between hosts.
func (j *judge) enough() {
	if e := j.broken.list; !j.whole && len(e) == 1 && e[0].group.More && e[0].score == hostsAtBothEnds {
		j.w.stopped = true
	}
}

// hostsAtBothEnds is the highest score of a witness.
const hostsAtBothEnds = 2

// Breach is a pair of ports of a claim that nothing is delivered, and something
// is delivered.
type Breach struct{ From, To fabric.PortID }

// Breaches returns all pairs of ports that break a claim that nothing is
// delivered, without the limits that findings have, sorted. whole says to look
// at every packet, without contracts: the slow way, which the fast one is held
// to. complete is false if the budget of steps ran out.
func (p *Prover) Breaches(e model.Expectation, whole bool, budget int) (pairs []Breach, complete bool) {
	seen := map[Breach]bool{}
	complete = p.eachDelivered(e, whole, budget, func(j *judge, l *leaf) {
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
	}, (*judge).search)
	for b := range seen {
		pairs = append(pairs, b)
	}
	slices.SortFunc(pairs, func(x, y Breach) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return pairs, complete
}

// Reached is a port that something is delivered to although a claim denies it.
type Reached struct {
	To      fabric.PortID
	Witness *Witness
}

// Reached returns every port that breaks a claim that nothing is delivered,
// with one packet for each, in the order of the ports. It stops following what
// leads to a port once it has a packet, so it costs little however many sources
// there are. complete is false if the budget of steps ran out.
func (p *Prover) Reached(e model.Expectation, budget int) (list []Reached, complete bool, err error) {
	seen := map[fabric.PortID]bool{}
	var found []setID // destinations
	complete = p.eachDelivered(e, false, budget, func(j *judge, l *leaf) {
		found = append(found, l.cube[fabric.Dst])
		at, arrived := l.arrival()
		began := arrived == emptySet
		if began {
			arrived = l.cube[fabric.Dst]
		}
		for _, to := range j.w.portsOf(at, arrived) {
			if seen[to] {
				continue
			}
			one := *l
			if began {
				if one.cube[fabric.Dst] = j.a.intersect(arrived, j.a.of(p.img.Ports[to].Addrs)); one.cube[fabric.Dst] == emptySet {
					continue
				}
			}
			wit, ok, wrong := j.w.show(&one, nil)
			if wrong != nil {
				err = wrong
			}
			if ok {
				seen[to] = true
				list = append(list, Reached{to, wit})
			}
		}
	}, func(j *judge) bool {
		kept, ok := j.w.residue(j.q)
		if !ok || !p.unique {
			return j.w.run(j.q.begin)
		}
		done := emptySet
		return inParts(kept, func(part, _ []state) (goOn, complete bool) {
			var open []state
			for _, s := range part {
				if s.cube[fabric.Dst] = j.a.subtract(s.cube[fabric.Dst], done); s.cube[fabric.Dst] != emptySet {
					open = append(open, s)
				}
			}
			complete = j.w.run(open)
			done, found = j.w.union(append(found, done)), found[:0]
			return complete, complete
		})
	})
	slices.SortFunc(list, func(x, y Reached) int { return cmp.Compare(x.To, y.To) })
	return list, complete, err
}

// eachDelivered searches both directions of a claim for what is delivered.
func (p *Prover) eachDelivered(e model.Expectation, whole bool, budget int, do func(*judge, *leaf), search func(*judge) bool) bool {
	f := Finding{Expectation: e}
	j := newJudge(p, newArena(p.img), &f, budget)
	j.whole = whole
	j.each = func(l *leaf) { do(j, l) }
	sides := [][2]*model.Selector{{&e.From, &e.To}}
	if e.Both {
		sides = append(sides, [2]*model.Selector{&e.To, &e.From})
	}
	complete := true
	for _, s := range sides {
		j.open(s[0], s[1])
		if j.q.nobody == "" {
			complete = search(j) && complete
		}
	}
	return complete
}

// open begins a search in one direction of the claim.
func (j *judge) open(from, to *model.Selector) {
	e := &j.f.Expectation
	j.w = j.p.newWalk(j.a, j.budget)
	j.w.replies = e.Verb != model.Deny
	j.w.leaf = j.leaf
	j.q = j.w.ask(from, to, e.Relation, e.Traffic, e.Verb != model.Deny)
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
