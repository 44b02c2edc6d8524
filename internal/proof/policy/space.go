package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// space holds the boxes of rules as rectangles over common atoms.
type space struct {
	lines [fabric.NumFields]line
	// rects has the rectangle of each rule: its least one where the rule's atoms
	// are not one run in every field.
	rects []rect
	// many has a bit for each field where the rule's atoms are several runs.
	many []uint8
	// sets are the different sets of each field, runs their atoms, and match the
	// sets of each rule.
	sets  [fabric.NumFields][]fabric.Set
	runs  [fabric.NumFields][][]span
	match [][fabric.NumFields]int32
	// regions are where the real packets are.
	regions [4]region
}

// region is a product of atoms: packets of one family whose protocol has ports,
// or has none.
type region [fabric.NumFields][]span

// realPackets returns the boxes that together hold every real packet, and only
// those (see fabric.Packet): a family of addresses each, with and without ports.
func realPackets() [4]Box {
	four := fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))
	six := fabric.AllValues().Subtract(four)
	ported := portedProtocols()
	bare := fabric.NumSet(0, 255).Subtract(ported)
	ports, none := fabric.NumSet(0, 65535), fabric.NumSet(0, 0)
	return [4]Box{
		{four, four, ports, ports, ported},
		{four, four, none, none, bare},
		{six, six, ports, ports, ported},
		{six, six, none, none, bare},
	}
}

// portedProtocols are those of fabric.Packet.HasPorts.
func portedProtocols() fabric.Set {
	return fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP).Union(fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP))
}

// newSpace lays boxes out over common atoms.
func newSpace(boxes []*Box) (*space, error) {
	s := &space{
		rects: make([]rect, len(boxes)), many: make([]uint8, len(boxes)),
		match: make([][fabric.NumFields]int32, len(boxes)),
	}
	packets := realPackets()
	for f := range fabric.NumFields {
		in := newInterner(len(boxes))
		for i, b := range boxes {
			s.match[i][f] = in.id(b[f])
		}
		s.sets[f] = slices.Clip(in.sets)
		for i := range packets {
			in.id(packets[i][f])
		}
		var lead fabric.Set
		if f == fabric.Proto {
			lead = portedProtocols()
		}
		s.lines[f] = newLine(in.sets, lead)
		limit := maxPortAtoms
		if f == fabric.Src || f == fabric.Dst {
			limit = maxAddressAtoms
		}
		if s.lines[f].count >= limit {
			return nil, fmt.Errorf("policy: the rules tell %d kinds of %s apart, more than %d", s.lines[f].count, f, limit)
		}
		marks := make([]uint64, s.lines[f].words())
		for i := range packets {
			s.regions[i][f] = s.lines[f].spans(packets[i][f], marks, nil)
		}
		s.runs[f] = make([][]span, len(s.sets[f]))
		for id, set := range s.sets[f] {
			s.runs[f][id] = s.lines[f].spans(set, marks, nil)
		}
	}
	for i := range boxes {
		s.place(i)
	}
	return s, nil
}

// place makes the rectangle of a rule.
func (s *space) place(i int) {
	for f := range fabric.NumFields {
		runs := s.of(i, f)
		if len(runs) == 0 {
			s.rects[i], s.many[i] = nowhere, 0
			return
		}
		if len(runs) > 1 {
			s.many[i] |= 1 << f
		}
		s.rects[i] = s.rects[i].with(f, span{runs[0].lo, runs[len(runs)-1].hi})
	}
}

// of returns the runs of atoms that a rule matches in a field.
func (s *space) of(rule int, f fabric.Field) []span { return s.runs[f][s.match[rule][f]] }

// part returns the index of the first run that ends at or after an atom.
func part(runs []span, atom uint32) int {
	lo, hi := 0, len(runs)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if runs[m].hi < atom {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// hits reports whether a rule of several runs, whose rectangle meets b, does.
func (s *space) hits(rule int, b *rect) bool {
	for f := range fabric.NumFields {
		if s.many[rule]>>f&1 == 0 {
			continue
		}
		runs, at := s.of(rule, f), b.run(f)
		if k := part(runs, at.lo); k == len(runs) || at.hi < runs[k].lo {
			return false
		}
	}
	return true
}

// fills reports whether a rule of several runs, whose rectangle covers b, does.
func (s *space) fills(rule int, b *rect) bool {
	for f := range fabric.NumFields {
		if s.many[rule]>>f&1 == 0 {
			continue
		}
		runs, at := s.of(rule, f), b.run(f)
		if k := part(runs, at.lo); k == len(runs) || at.lo < runs[k].lo || runs[k].hi < at.hi {
			return false
		}
	}
	return true
}

// box returns the packets of a rectangle that a question holds.
func (s *space) box(r *rect, within *Box) Box {
	var b Box
	for f := range fabric.NumFields {
		b[f] = s.lines[f].values(r.run(f), within[f])
	}
	return b
}

// interner numbers different sets.
type interner struct {
	sets  []fabric.Set
	index map[uint64][]int32
}

func newInterner(n int) *interner { return &interner{index: make(map[uint64][]int32, n)} }

func (in *interner) id(s fabric.Set) int32 {
	h := hashSet(s)
	for _, id := range in.index[h] {
		if same(in.sets[id], s) {
			return id
		}
	}
	id := int32(len(in.sets))
	in.sets = append(in.sets, s)
	in.index[h] = append(in.index[h], id)
	return id
}

// same is Set.Equal, at once for sets that share memory.
func same(s, t fabric.Set) bool {
	return len(s) == len(t) && (len(s) == 0 || &s[0] == &t[0] || s.Equal(t))
}

func hashSet(s fabric.Set) uint64 {
	h := uint64(len(s))
	for i := range s {
		h = mix(h, s[i].Lo.Hi)
		h = mix(h, s[i].Lo.Lo)
		h = mix(h, s[i].Hi.Hi)
		h = mix(h, s[i].Hi.Lo)
	}
	return h
}

func mix(h, x uint64) uint64 {
	h ^= x
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
