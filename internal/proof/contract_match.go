package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// matcher compares rules with all sources at once and remembers how their sets
// relate to those of the question.
type matcher struct {
	c *contract
	// rel has, by traffic, field and set of the image, how the set relates to the
	// question's; the destination differs from policy to policy.
	rel [][fabric.NumFields][]relation
}

// relation says how the values in question lie to a rule's.
type relation uint8

const (
	unrelated relation = iota // not known yet
	apart                     // no value in common
	within                    // all of them match
	across                    // some match
)

func (m *matcher) reset(c *contract) {
	m.c = c
	m.rel = make([][fabric.NumFields][]relation, len(c.traffic))
	var src []relation
	for n := range m.rel {
		for f := range fabric.NumFields {
			switch {
			case f == fabric.Dst:
			case f == fabric.Src && src != nil:
				m.rel[n][f] = src // the same sources in all traffic
			default:
				m.rel[n][f] = make([]relation, len(c.img.Sets))
			}
		}
		src = m.rel[n][fabric.Src]
	}
}

// relate returns how the n-th traffic's field lies to a set of the image.
func (m *matcher) relate(n int, f fabric.Field, id fabric.SetID) relation {
	r := &m.rel[n][f][id]
	if *r == unrelated {
		have := m.c.traffic[n][f]
		if f == fabric.Src {
			have = m.c.sources
		}
		*r = relate(m.c.a.get(have), m.c.img.Sets[id])
	}
	return *r
}

func relate(have, want fabric.Set) relation {
	switch {
	case !have.Overlaps(want):
		return apart
	case have.SubsetOf(want):
		return within
	default:
		return across
	}
}

// drops reports whether filters surely drop all traffic of the n-th kind from
// all sources to some destinations. False means nothing: a closer look is due.
func (m *matcher) drops(n int, dst setID, list []fabric.FilterID) bool {
	to := m.c.a.get(dst)
filters:
	for _, id := range list {
		f := &m.c.img.Filters[id]
	rules:
		for i := range f.Rules {
			r := &f.Rules[i]
			whole := true
			for _, field := range order {
				set := r.Match[field]
				if set == fabric.AnySet {
					continue
				}
				var how relation
				if field == fabric.Dst {
					how = relate(to, m.c.img.Sets[set])
				} else {
					how = m.relate(n, field, set)
				}
				switch how {
				case apart:
					continue rules
				case across:
					whole = false
				}
			}
			switch {
			case r.Action != fabric.Drop:
				if whole && r.Action == fabric.Pass {
					continue filters
				}
				return false
			case whole:
				return true
			}
		}
		if f.Default == fabric.Drop {
			return true
		}
	}
	return false
}

// cut moves a cube through filters, from a rule of the k-th on, and calls do
// for every part that they let pass or that they leave undecided.
func (m *matcher) cut(t cube, list []fabric.FilterID, k, rule int, do func(t cube, unknown bool)) {
	if k == len(list) {
		do(t, false)
		return
	}
	c := m.c
	f := &c.img.Filters[list[k]]
	for ; rule < len(f.Rules); rule++ {
		r := &f.Rules[rule]
		hit, partial, ok := t, uint8(0), true
		for _, field := range order {
			if r.Match[field] == fabric.AnySet {
				continue
			}
			n := c.a.intersect(t[field], c.a.of(r.Match[field]))
			if n == emptySet {
				ok = false
				break
			}
			if n != t[field] {
				partial |= 1 << field
				hit[field] = n
			}
		}
		if !ok {
			continue
		}
		c.w.steps++
		m.decide(hit, list, k, r.Action, do)
		if partial == 0 {
			return
		}
		rest := t
		for field := range fabric.NumFields {
			if partial&(1<<field) == 0 {
				continue
			}
			piece := rest
			piece[field] = c.a.subtract(rest[field], hit[field])
			rest[field] = hit[field]
			if partial &^= 1 << field; partial == 0 {
				t = piece
				break
			}
			m.cut(piece, list, k, rule+1, do)
		}
	}
	m.decide(t, list, k, f.Default, do)
}

func (m *matcher) decide(t cube, list []fabric.FilterID, k int, action fabric.Action, do func(cube, bool)) {
	switch action {
	case fabric.Pass:
		m.cut(t, list, k+1, 0, do)
	case fabric.Bypass:
		do(t, false)
	case fabric.Unknown:
		do(t, true)
	}
}
