package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// pairs looks for a pair of ports that a claim about "any" is satisfied with:
// one for which the claim holds.
type pairs struct {
	failed []failure
	// Of every direction asked so far: a pair that works, and one of which nothing
	// is known to fail.
	works, mayWork bool
	asked          int
	text           string // the pair that works
}

// failure is packets of some sources to some addresses that do not work, or
// nobody knows whether they do.
type failure struct {
	from     site
	src, dst setID
	unknown  bool
}

// fails notes a leaf for claims about "any".
func (j *judge) fails(l *leaf) {
	if j.pairs != nil {
		j.pairs.failed = append(j.pairs.failed, failure{l.from, l.cube[fabric.Src], l.cube[fabric.Dst], l.verdict == fabric.VerdictUnknown})
	}
}

// settle ends one direction of a claim about "any". complete says that every
// failure is known.
func (j *judge) settle(complete bool) {
	p := j.pairs
	works, mayWork := false, true
	var from, to chosen
	if complete {
		if from, to, works = j.pair(true); !works {
			_, _, mayWork = j.pair(false)
		}
	}
	if p.asked == 0 {
		p.works, p.mayWork = true, true
	}
	p.asked++
	p.works, p.mayWork = p.works && works, p.mayWork && mayWork
	p.failed = nil
	if works {
		if p.text != "" {
			p.text += ", and back: "
		}
		p.text += "every connection from " + j.p.name(from.port) + " to " + j.p.name(to.port) + " works"
	}
}

// pair finds two ports between which nothing fails; strict counts what is
// unknown as failing. Future hosts count only where a side has no others.
func (j *judge) pair(strict bool) (from, to chosen, ok bool) {
	targets := existing(j.p, j.q.to)
	for _, c := range existing(j.p, j.q.from) {
		failed := emptySet
		for i := range j.pairs.failed {
			if x := &j.pairs.failed[i]; (strict || !x.unknown) && j.sends(x, c) {
				failed = j.a.union(failed, x.dst)
			}
		}
		for _, d := range targets {
			if c.port == d.port && !many(&j.p.img.Ports[c.port]) || !j.p.related(j.q.relation, c.port, d.port) {
				continue
			}
			// What fails on the way to other ports' addresses is no matter here; what
			// did not fail may still have been taken by another port.
			if j.a.intersect(failed, j.meant(c, d)) == emptySet && j.holds(c, d, strict) {
				return c, d, true
			}
		}
	}
	return chosen{}, chosen{}, false
}

// holds decides the claim for two ports alone.
func (j *judge) holds(from, to chosen, strict bool) bool {
	one := Finding{Expectation: j.f.Expectation}
	one.Expectation.Quantity = ""
	alone := newJudge(j.p, j.a, &one, j.budget)
	alone.w = j.p.newWalk(j.a, j.budget)
	alone.w.replies = true
	alone.w.leaf = alone.leaf
	alone.q = &question{from: []chosen{from}, to: []chosen{to}, relation: j.q.relation, boxes: j.q.boxes}
	alone.w.frame(alone.q, "", "", true)
	if !slices.ContainsFunc(alone.q.begin, func(s state) bool { _, _, ok := alone.w.pick(&s); return ok }) {
		return false // no packet from one to the other
	}
	complete := alone.w.run(alone.q.begin)
	j.f.Counts.Steps += alone.w.steps
	return complete && len(alone.broken.list) == 0 && (!strict || len(alone.unknown.list) == 0)
}

// many reports whether a port stands for more than one host, which may speak to
// each other.
func many(p *fabric.Port) bool {
	return p.Kind == fabric.PortVacant || p.Kind == fabric.PortSite || p.Kind == fabric.PortEdge
}

// existing leaves the future hosts out of a list that has others.
func existing(p *Prover, list []chosen) []chosen {
	out := slices.DeleteFunc(slices.Clone(list), func(c chosen) bool { return p.img.Ports[c.port].Kind == fabric.PortVacant })
	if len(out) == 0 {
		return list
	}
	return out
}

// sends reports whether a failure has packets of a port.
func (j *judge) sends(x *failure, c chosen) bool {
	if q, single := x.from.port(); single {
		return q == c.port && j.a.intersect(x.src, c.addrs) != emptySet
	}
	return j.p.layer[c.port] == int32(x.from.place) && j.a.intersect(x.src, c.addrs) != emptySet
}

// meant returns the addresses by which a sender means a destination.
func (j *judge) meant(from, to chosen) setID {
	if from.port != j.p.img.Edge {
		return to.addrs
	}
	dst := emptySet
	for i := range j.q.boxes {
		dst = j.a.union(dst, j.w.publicsTo([]chosen{to}, &j.q.boxes[i]))
	}
	return dst
}
