package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// regroup rearranges boxes that have the same way behind them so that none of
// them share a destination (of replies: a source of the flow, which is where
// they go). Where every virtual network of a region sends to all others, there
// are n boxes with n-1 destinations each; regrouped there are n boxes with one
// destination each and n-1 sources, and every destination is routed once.
func (w *walk) regroup(list []state) []state {
	if len(list) < 3 {
		return list
	}
	index := map[state]int{}
	var groups [][]state
	for _, s := range list {
		k := s
		k.cube[fabric.Src], k.cube[fabric.Dst] = emptySet, emptySet
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	if len(groups) == len(list) {
		return list
	}
	out := make([]state, 0, len(list))
	for _, g := range groups {
		out = append(out, w.atoms(g)...)
	}
	return out
}

// event is where a range of one row begins or, exclusively, ends.
type event struct {
	at  fabric.Value
	row int32
}

// rowSet is a set of rows, a bit each.
type rowSet []uint64

func (r rowSet) flip(i int32) { r[i/64] ^= 1 << (i % 64) }

func (r rowSet) has(i int) bool { return r[i/64]&(1<<(i%64)) != 0 }

func (r rowSet) empty() bool {
	for _, x := range r {
		if x != 0 {
			return false
		}
	}
	return true
}

func (r rowSet) hash() uint64 {
	h := uint64(0)
	for _, x := range r {
		h = (h ^ x) * 0x9e3779b97f4a7c15
		h ^= h >> 31
	}
	return h
}

// atoms cuts the destinations of boxes where any of them begins or ends, and
// puts pieces with the same boxes together. It gives up where that makes many
// more boxes than there were.
func (w *walk) atoms(rows []state) []state {
	if len(rows) < 3 {
		return rows
	}
	to, from := rows[0].dim(fabric.Dst), rows[0].dim(fabric.Src)
	sets := make([]fabric.Set, len(rows))
	for i := range rows {
		sets[i] = w.a.get(rows[i].cube[to])
	}
	pieces, ok := cutUp(sets)
	if !ok {
		return rows
	}
	out := make([]state, len(pieces))
	var sources []setID
	for k := range pieces {
		sources = sources[:0]
		for i := range rows {
			if pieces[k].rows.has(i) {
				sources = append(sources, rows[i].cube[from])
			}
		}
		out[k] = rows[0]
		out[k].cube[to] = w.a.intern(pieces[k].set)
		out[k].cube[from] = w.a.union(sources...)
	}
	return out
}

// atom is values that the same sets hold.
type atom struct {
	rows rowSet
	set  fabric.Set
}

// cutUp divides the union of sets by which of the sets hold a value; false if
// that makes more than twice as many parts as there are sets.
func cutUp(sets []fabric.Set) ([]atom, bool) {
	all, n := sets[0], 0
	for _, s := range sets {
		n += len(s)
		if !s.SubsetOf(all) {
			all = all.Union(s)
		}
	}
	// Sets that are nearly everything are told apart by what they lack.
	open := make(rowSet, (len(sets)+63)/64)
	if n > 4*len(all) {
		lacking := make([]fabric.Set, len(sets))
		for i := range sets {
			open.flip(int32(i))
			lacking[i] = all.Subtract(sets[i])
		}
		sets = lacking
	}
	var events []event
	for i, s := range sets {
		for _, r := range s {
			events = append(events, event{r.Lo, int32(i)})
			if r.Hi != fabric.MaxValue {
				events = append(events, event{r.Hi.Next(), int32(i)})
			}
		}
	}
	slices.SortFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	var out []atom
	index := map[uint64][]int{}
	add := func(part fabric.Set) bool {
		if len(part) == 0 {
			return true
		}
		h := open.hash()
		k := -1
		for _, i := range index[h] {
			if slices.Equal(out[i].rows, open) {
				k = i
			}
		}
		if k < 0 {
			if k = len(out); k == 2*len(sets) {
				return false
			}
			index[h] = append(index[h], k)
			out = append(out, atom{rows: slices.Clone(open)})
		}
		for _, r := range part {
			out[k].set = appendRange(out[k].set, r)
		}
		return true
	}
	// Between two events the same sets hold every value of the union.
	lo := fabric.Value{}
	for i := 0; i < len(events); {
		at := events[i].at
		if lo != at {
			if !add(all.Intersect(fabric.Set{{Lo: lo, Hi: at.Prev()}})) {
				return nil, false
			}
		}
		for ; i < len(events) && events[i].at == at; i++ {
			open.flip(events[i].row)
		}
		lo = at
	}
	if !open.empty() && !add(all.Intersect(fabric.Set{{Lo: lo, Hi: fabric.MaxValue}})) {
		return nil, false
	}
	return out, true
}
