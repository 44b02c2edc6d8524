package policy

import (
	"math/bits"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// span is a run of atoms, both ends included.
type span struct{ lo, hi uint32 }

// line is the number line of one field, cut into cells where some set begins
// or ends. Cells that the same sets hold are one atom.
//
// Atoms are numbered in the order in which they first occur on the line. A set
// that is one range is then one run of atoms: its cells hold only atoms that
// lie wholly in it, and all of those occur first while the range is walked.
type line struct {
	starts []fabric.Value // cell i holds starts[i] up to, not including, starts[i+1]
	atom   []uint32       // of each cell
	count  int            // of atoms
}

// newLine cuts a line by sets. Atoms of lead, one of the sets or empty, are
// numbered before all others.
func newLine(sets []fabric.Set, lead fabric.Set) line {
	starts := []fabric.Value{{}}
	for _, s := range sets {
		for _, r := range s {
			starts = append(starts, r.Lo)
			if r.Hi != fabric.MaxValue {
				starts = append(starts, r.Hi.Next())
			}
		}
	}
	slices.SortFunc(starts, fabric.Value.Compare)
	l := line{starts: slices.Clip(slices.Compact(starts))}
	l.refine(sets)
	l.number(lead)
	return l
}

// refine gives cells the same class exactly if the same sets hold them: each
// set in turn moves its cells out of their classes into new ones.
func (l *line) refine(sets []fabric.Set) {
	l.atom = make([]uint32, len(l.starts))
	type move struct {
		by int32 // the set that last moved cells of this class, plus one
		to uint32
	}
	moves := make([]move, 1, len(l.starts))
	for k, s := range sets {
		if s.IsAll() {
			continue
		}
		for _, r := range s {
			for c := l.cell(r.Lo); c < len(l.starts) && !r.Hi.Less(l.starts[c]); c++ {
				m := &moves[l.atom[c]]
				if m.by != int32(k)+1 {
					*m = move{int32(k) + 1, uint32(len(moves))}
					l.atom[c] = m.to
					moves = append(moves, move{})
					continue
				}
				l.atom[c] = m.to
			}
		}
	}
	l.count = len(moves)
}

// number replaces classes by their order of occurrence.
func (l *line) number(lead fabric.Set) {
	const none = ^uint32(0)
	order := make([]uint32, l.count)
	for i := range order {
		order[i] = none
	}
	next := uint32(0)
	for pass := range 2 {
		for c, class := range l.atom {
			if order[class] == none && (pass == 1 || lead.Contains(l.starts[c])) {
				order[class] = next
				next++
			}
		}
	}
	for c, class := range l.atom {
		l.atom[c] = order[class]
	}
	l.count = int(next)
}

// cell returns the cell that holds a value.
func (l *line) cell(v fabric.Value) int {
	lo, hi := 0, len(l.starts)
	for hi-lo > 1 {
		m := int(uint(lo+hi) >> 1)
		if v.Less(l.starts[m]) {
			hi = m
		} else {
			lo = m
		}
	}
	return lo
}

// end returns the last value of a cell.
func (l *line) end(cell int) fabric.Value {
	if cell+1 == len(l.starts) {
		return fabric.MaxValue
	}
	return l.starts[cell+1].Prev()
}

// words is how many 64-bit words hold one bit for each atom.
func (l *line) words() int { return (l.count + 63) / 64 }

// spans appends the runs of atoms that hold a value of a set, in order. marks
// has a bit for each atom, all zero before and after.
func (l *line) spans(set fabric.Set, marks []uint64, out []span) []span {
	if set.IsAll() {
		return append(out, span{0, uint32(l.count - 1)})
	}
	if len(set) == 1 {
		if c := l.cell(set[0].Lo); c+1 == len(l.starts) || set[0].Hi.Less(l.starts[c+1]) {
			return append(out, span{l.atom[c], l.atom[c]})
		}
	}
	low, high := len(marks), -1
	for _, r := range set {
		for c := l.cell(r.Lo); c < len(l.starts) && !r.Hi.Less(l.starts[c]); c++ {
			w := int(l.atom[c] / 64)
			marks[w] |= 1 << (l.atom[c] % 64)
			low, high = min(low, w), max(high, w)
		}
	}
	first := len(out)
	for w := low; w <= high; w++ {
		for m := marks[w]; m != 0; {
			from := bits.TrailingZeros64(m)
			n := bits.TrailingZeros64(^(m >> from))
			s := span{uint32(w*64 + from), uint32(w*64 + from + n - 1)}
			if k := len(out); k > first && out[k-1].hi+1 == s.lo {
				out[k-1].hi = s.hi
			} else {
				out = append(out, s)
			}
			if from+n == 64 {
				break
			}
			m &= ^uint64(0) << (from + n)
		}
		marks[w] = 0
	}
	return out
}

// values returns the values of a run of atoms that a set holds.
func (l *line) values(s span, within fabric.Set) fabric.Set {
	if s.lo == 0 && int(s.hi) == l.count-1 {
		return within
	}
	var out fabric.Set
	for c, a := range l.atom {
		if a < s.lo || s.hi < a {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Hi.Next() == l.starts[c] {
			out[n-1].Hi = l.end(c)
		} else {
			out = append(out, fabric.Range{Lo: l.starts[c], Hi: l.end(c)})
		}
	}
	return out.Intersect(within)
}

// lowest returns the smallest value from floor up of a run of atoms that a set
// holds; without one, the smallest of all.
func (l *line) lowest(s span, within fabric.Set, floor fabric.Value) (fabric.Value, bool) {
	var low fabric.Value
	found := false
	for _, r := range within {
		for c := l.cell(r.Lo); c < len(l.starts) && !r.Hi.Less(l.starts[c]); c++ {
			if a := l.atom[c]; a < s.lo || s.hi < a {
				continue
			}
			lo, hi := later(l.starts[c], r.Lo), r.Hi
			if end := l.end(c); end.Less(hi) {
				hi = end
			}
			if !hi.Less(floor) {
				return later(lo, floor), true
			}
			if !found {
				low, found = lo, true
			}
		}
	}
	return low, found
}

func later(v, w fabric.Value) fabric.Value {
	if v.Less(w) {
		return w
	}
	return v
}

// has reports whether a value is in a run of atoms.
func (l *line) has(s span, v fabric.Value) bool {
	a := l.atom[l.cell(v)]
	return s.lo <= a && a <= s.hi
}
