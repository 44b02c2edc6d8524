package policy

import (
	"math/bits"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// uncovered finds a rectangle inside b that none of the rules list[from:to]
// meets and reports whether there is one, or the budget ran out. The order of
// the rules is of no matter here, which leaves the choice of what to cut away
// first.
func (s *Search) uncovered(b rect, from, to int) bool {
	base := len(s.list)
	best, faces := 0, int(^uint(0)>>1)
	for k := from; k < to; k++ {
		i := s.list[k]
		r := &s.p.rects[i]
		if !r.meets(&b) {
			continue
		}
		n := r.faces(&b)
		if s.p.many[i] != 0 {
			if !s.p.hits(int(i), &b) {
				continue
			}
			if n == 0 && !s.p.fills(int(i), &b) {
				n = 1
			}
			n += bits.OnesCount8(s.p.many[i])
		}
		if n == 0 {
			s.left -= k - from + 1
			s.use(i)
			s.list = s.list[:base]
			return s.broke()
		}
		if n < faces {
			best, faces = len(s.list), n
		}
		s.list = append(s.list, i)
	}
	s.left -= to - from + 1
	if s.broke() {
		return true
	}
	end := len(s.list)
	if end == base {
		s.hit = b
		return true
	}
	if end-base >= guessFrom && faces > 1 {
		for range guesses {
			if s.free(s.guess(&b), base, end) {
				return true
			}
		}
	}
	// Cut away the rule that leaves the fewest pieces.
	rule := s.list[best]
	s.list[best] = s.list[end-1]
	s.use(rule)
	found := s.cut(b, rule, 0, base, end-1)
	s.list = s.list[:base]
	return found
}

// A rectangle that many rules meet is first probed at a few points: where most
// of it is uncovered that ends the search.
const (
	guessFrom = 6
	guesses   = 2
)

// broke reports whether the budget ran out.
func (s *Search) broke() bool {
	s.spent = s.spent || s.left < 0
	return s.spent
}

// use notes that a rule took packets away.
func (s *Search) use(rule int32) {
	if s.used != nil {
		s.used[rule/64] |= 1 << (rule % 64)
	}
}

// faces counts the sides on which b sticks out of r.
func (r *rect) faces(b *rect) int {
	x := (^((b.lo0 | guards0) - r.lo0) & guards0) >> 1
	x |= ^((r.hi0 | guards0) - b.hi0) & guards0
	y := (^((b.lo1 | guards1) - r.lo1) & guards1) >> 1
	y |= ^((r.hi1 | guards1) - b.hi1) & guards1
	return bits.OnesCount64(x) + bits.OnesCount64(y)
}

// free reports whether none of the rules list[from:to] meets a point.
func (s *Search) free(point rect, from, to int) bool {
	for k := from; k < to; k++ {
		if i := s.list[k]; s.p.rects[i].meets(&point) && (s.p.many[i] == 0 || s.p.hits(int(i), &point)) {
			s.left -= k - from
			return false
		}
	}
	s.left -= to - from
	s.hit = point
	return true
}

// guess returns a point of a rectangle, each time another.
func (s *Search) guess(b *rect) rect {
	out := *b
	for f := range fabric.NumFields {
		s.dice ^= s.dice << 13
		s.dice ^= s.dice >> 7
		s.dice ^= s.dice << 17
		at := b.run(f)
		at.lo += uint32(s.dice>>32) % (at.hi - at.lo + 1)
		out = out.with(f, span{at.lo, at.lo})
	}
	return out
}

// canonical returns the point of a rectangle that a witness would be in.
func (s *Search) canonical(b *rect) rect {
	out := *b
	for f := range fabric.NumFields {
		if at := b.run(f); at.lo != at.hi {
			l := &s.p.lines[f]
			a := l.atom[l.cell(s.show(f, at, s.box[f]))]
			out = out.with(f, span{a, a})
		}
	}
	return out
}

// cut goes on with what a rule leaves of a rectangle, field by field from f
// on, and the rules list[from:to].
func (s *Search) cut(b rect, rule int32, f fabric.Field, from, to int) bool {
	for ; f < fabric.NumFields; f++ {
		at := b.run(f)
		if s.p.many[rule]>>f&1 == 0 {
			r := s.p.rects[rule].run(f)
			if at.lo < r.lo {
				if s.goOn(b.with(f, span{at.lo, r.lo - 1}), from, to) {
					return true
				}
				at.lo = r.lo
			}
			if r.hi < at.hi {
				if s.goOn(b.with(f, span{r.hi + 1, at.hi}), from, to) {
					return true
				}
				at.hi = r.hi
			}
			b = b.with(f, at)
			continue
		}
		// Several runs: what lies between them is left over, each of them goes on
		// to the next field.
		runs := s.p.of(int(rule), f)
		for k := part(runs, at.lo); ; k++ {
			end := k == len(runs) || at.hi < runs[k].lo
			if end || at.lo < runs[k].lo {
				gap := at
				if !end {
					gap.hi = runs[k].lo - 1
				}
				if s.goOn(b.with(f, gap), from, to) {
					return true
				}
			}
			if end {
				return false
			}
			piece := span{max(at.lo, runs[k].lo), min(at.hi, runs[k].hi)}
			if s.cut(b.with(f, piece), rule, f+1, from, to) {
				return true
			}
			if at.hi <= runs[k].hi {
				return false
			}
			at.lo = runs[k].hi + 1
		}
	}
	return s.every != nil && s.wanted(rule) && !s.every(b, rule)
}

func (s *Search) goOn(b rect, from, to int) bool {
	if s.every != nil {
		return s.node(b, from, to)
	}
	return s.uncovered(b, from, to)
}
