package proof

import (
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// again decides a claim that contracts decide once the rules of filters
// changed.
func (w *Watch) again(i int, before *Prover, filters []fabric.FilterID) {
	st := w.claims[i]
	e := st.finding.Expectation
	parts := make([][]state, len(st.sides))
	some := false
	for n, s := range st.sides {
		if s.c == nil {
			continue // nobody to speak of
		}
		part, whole := w.affected(s, before, filters)
		if whole {
			w.Again.Whole++
			w.claims[i] = w.decide(e)
			return
		}
		parts[n] = part
		some = some || len(part) > 0
	}
	if !some {
		if !w.refresh(&st.finding) {
			w.Again.Whole++
			w.claims[i] = w.decide(e)
		}
		return
	}
	// All packets but these and those left open before are as they were: neither
	// delivered nor undecided.
	w.Again.Part++
	f := Finding{Expectation: e}
	j := w.judge(&f)
	for n, s := range st.sides {
		if s.c == nil {
			j.nobody = s.q.nobody
			continue
		}
		j.w, j.q = s.c.w, s.q
		j.w.leaf = j.leaf
		s.open = distinct(append(s.open, parts[n]...))
		j.searchKept(s.open)
		for _, x := range parts[n] {
			s.kept[x.from.class] = distinct(append(s.kept[x.from.class], x))
		}
		j.closeSide()
	}
	j.conclude()
	st.finding = f
	st.settle()
}

// settle forgets what was left open where it turned out to be closed.
func (st *standing) settle() {
	if st.finding.Status == Holds {
		for _, s := range st.sides {
			s.open = nil
		}
	}
}

// distinct returns boxes without those that repeat.
func distinct(list []state) []state {
	seen := make(map[state]bool, len(list))
	out := list[:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// affected returns what has to be searched of one direction of a claim; whole
// means all of it.
func (w *Watch) affected(s *oneWay, before *Prover, filters []fabric.FilterID) (part []state, whole bool) {
	c := s.c
	c.follow(w.p, w.a, w.hosts)
	stacks := map[int32]fabric.PortID{} // with a target of each
	var order []int32
	classes := map[fabric.PortID]bool{}
	for _, id := range filters {
		doubt := vague(&w.p.img.Filters[id]) || vague(&before.img.Filters[id])
		for _, u := range w.users[id] {
			if single(&w.p.img.Ports[u.port]) {
				return nil, true
			}
			switch u.dir {
			case fabric.In:
				k := c.shape.ins.of[u.port]
				_, target := c.target[u.port]
				_, known := stacks[k]
				switch {
				case doubt || c.redirected: // perhaps a target of a redirect
					return nil, true
				case target && !known:
					stacks[k] = u.port
					order = append(order, k)
				}
			default:
				class := w.p.class[u.port]
				if classes[class] {
					continue
				}
				classes[class] = true
				if doubt {
					for _, i := range s.begin[class] {
						part = append(part, s.q.begin[i])
					}
					continue
				}
				part = append(part, s.kept[class]...)
			}
		}
	}
	for _, k := range order {
		for kind := range c.verdicts {
			v := &c.verdicts[kind][k]
			if !v.known {
				continue // no route leads there
			}
			was := v.src
			v.known = false
			is := c.letIn(stacks[k], kind == 1)
			if was == emptySet && is == emptySet {
				continue
			}
			part = append(part, w.toward(s, k, c.a.union(was, is), kind == 1)...)
		}
	}
	return part, false
}

// follow goes on to another image with the same ports and routes.
func (c *contract) follow(p *Prover, a *arena, hosts setID) {
	c.w = p.newWalk(a, DefaultBudget)
	c.w.hostSet = hosts
	c.img, c.shape = p.img, p.shapeOf()
	c.match.grow(len(p.img.Sets))
}

// grow makes room for further sets of the image.
func (m *matcher) grow(n int) {
	for i := range m.rel {
		for f := range m.rel[i] {
			if f != int(fabric.Dst) {
				for len(m.rel[i][f]) < n {
					m.rel[i][f] = append(m.rel[i][f], unrelated)
				}
			}
		}
	}
}

// maxSources is how many ports are looked up one by one among the sources.
const maxSources = 4096

// toward returns the boxes of a side from some sources to the targets behind a
// stack of ingress filters.
func (w *Watch) toward(s *oneWay, stack int32, src setID, public bool) []state {
	c := s.c
	var addrs []setID
	for _, t := range c.byStack[stack] {
		addrs = append(addrs, c.target[t])
	}
	dst := c.lift(c.w.union(addrs))
	var out []state
	add := func(i int32, src setID) {
		b := s.q.begin[i]
		if src != allSet {
			if b.cube[fabric.Src] = c.a.intersect(b.cube[fabric.Src], src); b.cube[fabric.Src] == emptySet {
				return
			}
		}
		if b.cube[fabric.Dst] = c.a.intersect(b.cube[fabric.Dst], dst); b.cube[fabric.Dst] != emptySet {
			out = append(out, b)
		}
	}
	everybody := func(src setID) []state {
		for i := range s.q.begin {
			add(int32(i), src)
		}
		return out
	}
	if public || c.a.intersect(src, c.given) != emptySet {
		return everybody(allSet) // sources may have been translated
	}
	var classes []fabric.PortID
	seen := map[fabric.PortID]bool{}
	n := 0
	for l := range w.p.layers {
		layer := &w.p.layers[l]
		for _, r := range c.a.get(src) {
			for k := layer.from(r.Lo); k < len(layer.owners) && !r.Hi.Less(layer.owners[k].Range.Lo); k++ {
				if n++; n > maxSources {
					return everybody(src)
				}
				if class := w.p.class[layer.owners[k].Port]; !seen[class] {
					seen[class] = true
					classes = append(classes, class)
				}
			}
		}
	}
	for _, class := range classes {
		for _, i := range s.begin[class] {
			if s.q.begin[i].from.place >= 0 {
				add(i, src)
			}
		}
	}
	for _, i := range s.single {
		add(i, src)
	}
	return out
}
