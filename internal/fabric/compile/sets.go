package compile

import "github.com/ceruleannet/cerulean/internal/fabric"

// sets stores each set once.
type sets struct {
	list  []fabric.Set
	index map[uint64][]fabric.SetID
	empty fabric.SetID
}

func newSets() *sets {
	s := &sets{index: map[uint64][]fabric.SetID{}}
	s.id(fabric.AllValues())
	s.empty = s.id(nil)
	return s
}

// id returns the position of a set, adding it if it is new.
func (s *sets) id(set fabric.Set) fabric.SetID {
	h := hashSet(set)
	for _, id := range s.index[h] {
		if s.list[id].Equal(set) {
			return id
		}
	}
	id := fabric.SetID(len(s.list))
	s.list = append(s.list, set)
	s.index[h] = append(s.index[h], id)
	return id
}

func (s *sets) get(id fabric.SetID) fabric.Set { return s.list[id] }

func (s *sets) union(a, b fabric.SetID) fabric.SetID {
	switch {
	case a == b || b == s.empty || a == fabric.AnySet:
		return a
	case a == s.empty || b == fabric.AnySet:
		return b
	}
	return s.id(s.list[a].Union(s.list[b]))
}

// hashSet is FNV-1a over the words of the ranges.
func hashSet(set fabric.Set) uint64 {
	h := uint64(14695981039346656037)
	for _, r := range set {
		for _, w := range [...]uint64{r.Lo.Hi, r.Lo.Lo, r.Hi.Hi, r.Hi.Lo} {
			h = (h ^ w) * 1099511628211
			h ^= h >> 29
		}
	}
	return h
}
