package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// pairs looks for a pair of ports that a claim about "any" is satisfied with:
// one of whose packets none fails.
type pairs struct {
	failed []failure
	// Of every direction asked so far: a pair that works, and one of which none
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
	works, from, to := complete, chosen{}, chosen{}
	mayWork := true
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
			if c.port == d.port && j.p.img.Ports[c.port].Kind == fabric.PortHost || !j.p.related(j.q.relation, c.port, d.port) {
				continue
			}
			dst := j.meant(c, d)
			if j.a.intersect(failed, dst) == emptySet && j.speak(c, dst) {
				return c, d, true
			}
		}
	}
	return chosen{}, chosen{}, false
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

// speak reports whether the claim has packets from a port to some addresses.
func (j *judge) speak(from chosen, dst setID) bool {
	return slices.ContainsFunc(j.q.begin, func(s state) bool {
		x := failure{from: s.from, src: s.cube[fabric.Src]}
		return j.sends(&x, from) && j.a.intersect(s.cube[fabric.Dst], dst) != emptySet &&
			j.oneFamily(j.a.intersect(x.src, from.addrs), j.a.intersect(s.cube[fabric.Dst], dst))
	})
}

// oneFamily reports whether two sets have addresses of one family.
func (j *judge) oneFamily(x, y setID) bool {
	four := j.a.intern(fabric.Set{mapped})
	return j.a.intersect(x, four) != emptySet && j.a.intersect(y, four) != emptySet ||
		j.a.subtract(x, four) != emptySet && j.a.subtract(y, four) != emptySet
}
