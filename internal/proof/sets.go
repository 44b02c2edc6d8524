package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// setID names an interned set: equal sets have equal numbers, so sets compare
// in one instruction and results of set operations can be remembered.
type setID int32

// The sets every arena has.
const (
	emptySet setID = 0
	allSet   setID = 1
)

// arena interns the sets of one search and remembers what was computed about
// them. It is not safe for concurrent use.
type arena struct {
	sets  []fabric.Set
	index map[uint64]setID // by hash; collisions are chained
	chain []setID          // the next set with the same hash, or -1
	inter map[uint64]setID
	minus map[uint64]setID
	image []setID // by fabric.SetID; -1 until used
	// scratch is for building unions.
	scratch []fabric.Range
	img     *fabric.Image
}

func newArena(img *fabric.Image) *arena {
	a := &arena{
		index: map[uint64]setID{}, inter: map[uint64]setID{}, minus: map[uint64]setID{},
		image: make([]setID, len(img.Sets)), img: img,
	}
	for i := range a.image {
		a.image[i] = -1
	}
	a.intern(nil)
	a.intern(fabric.AllValues())
	return a
}

func hash(s fabric.Set) uint64 {
	h := uint64(len(s))
	mix := func(x uint64) {
		h ^= x
		h *= 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	for i := range s {
		mix(s[i].Lo.Hi)
		mix(s[i].Lo.Lo)
		mix(s[i].Hi.Hi)
		mix(s[i].Hi.Lo)
	}
	return h
}

func (a *arena) intern(s fabric.Set) setID { return a.put(s, false) }

// internCopy interns a set whose memory its owner will use again.
func (a *arena) internCopy(s fabric.Set) setID { return a.put(s, true) }

func (a *arena) put(s fabric.Set, reused bool) setID {
	h := hash(s)
	first, known := a.index[h]
	if known {
		for id := first; id >= 0; id = a.chain[id] {
			if a.sets[id].Equal(s) {
				return id
			}
		}
	} else {
		first = -1
	}
	id := setID(len(a.sets))
	if reused {
		s = slices.Clone(s)
	}
	a.sets = append(a.sets, s)
	a.chain = append(a.chain, first)
	a.index[h] = id
	return id
}

// of returns a set of the image.
func (a *arena) of(id fabric.SetID) setID {
	if a.image[id] < 0 {
		a.image[id] = a.intern(a.img.Sets[id])
	}
	return a.image[id]
}

func (a *arena) get(id setID) fabric.Set { return a.sets[id] }

// one returns the set of a single value.
func (a *arena) one(v fabric.Value) setID { return a.intern(fabric.Set{{Lo: v, Hi: v}}) }

func key(x, y setID) uint64 { return uint64(uint32(x))<<32 | uint64(uint32(y)) }

func (a *arena) intersect(x, y setID) setID {
	switch {
	case x == y || y == allSet:
		return x
	case x == allSet:
		return y
	case x == emptySet || y == emptySet:
		return emptySet
	case x > y:
		x, y = y, x
	}
	k := key(x, y)
	if r, ok := a.inter[k]; ok {
		return r
	}
	var r setID
	switch s, t := a.sets[x], a.sets[y]; {
	case len(s) <= len(t) && s.SubsetOf(t):
		r = x
	case len(t) <= len(s) && t.SubsetOf(s):
		r = y
	case s.Overlaps(t):
		r = a.intern(s.Intersect(t))
	}
	a.inter[k] = r
	return r
}

func (a *arena) subtract(x, y setID) setID {
	switch a.intersect(x, y) {
	case emptySet:
		return x
	case x:
		return emptySet
	}
	k := key(x, y)
	if r, ok := a.minus[k]; ok {
		return r
	}
	r := a.intern(a.sets[x].Subtract(a.sets[y]))
	a.minus[k] = r
	return r
}

// union returns the values in any of the sets.
func (a *arena) union(ids ...setID) setID {
	if len(ids) == 1 {
		return ids[0]
	}
	// fabric.NewSet, in memory that is used again.
	ranges := a.scratch[:0]
	for _, id := range ids {
		ranges = append(ranges, a.sets[id]...)
	}
	a.scratch = ranges
	slices.SortFunc(ranges, func(x, y fabric.Range) int { return x.Lo.Compare(y.Lo) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && (out[n-1].Hi == fabric.MaxValue || !out[n-1].Hi.Next().Less(r.Lo)) {
			if out[n-1].Hi.Less(r.Hi) {
				out[n-1].Hi = r.Hi
			}
			continue
		}
		out = append(out, r)
	}
	return a.internCopy(fabric.Set(out))
}

func (a *arena) contains(id setID, v fabric.Value) bool { return a.sets[id].Contains(v) }

// single returns the only value of a set.
func (a *arena) single(id setID) (fabric.Value, bool) {
	s := a.sets[id]
	if len(s) == 1 && s[0].Lo == s[0].Hi {
		return s[0].Lo, true
	}
	return fabric.Value{}, false
}

// appendRange adds a range after all others of a set being built, merging
// ranges that touch.
func appendRange(s fabric.Set, r fabric.Range) fabric.Set {
	if n := len(s); n > 0 && s[n-1].Hi.Next() == r.Lo {
		s[n-1].Hi = r.Hi
		return s
	}
	return append(s, r)
}
