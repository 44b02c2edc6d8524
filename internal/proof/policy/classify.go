package policy

import (
	"math/bits"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Classify returns the rule that decides a packet, or Default, and its action.
// It allocates nothing. (A scan of the rectangles was measured too; it loses
// from about ten rules on.)
func (p *Policy) Classify(packet fabric.Packet) (int, fabric.Action) {
	var at [fabric.NumFields]uint32
	for f := range fabric.NumFields {
		l := &p.lines[f]
		at[f] = l.atom[l.cell(packet.Field(f))]
	}
	rule := p.vectors.first(&at)
	return rule, p.outcome(rule).action()
}

// vectors has, for each atom of each field, a bit for every rule that matches
// it. The first rule that matches a packet is the first bit that all five
// vectors have (T. V. Lakshman and D. Stiliadis, "High-Speed Policy-based
// Packet Forwarding Using Efficient Multi-dimensional Range Matching", SIGCOMM
// 1998).
type vectors struct {
	words int // of one vector
	bits  [fabric.NumFields][]uint64
}

func newVectors(s *space) *vectors {
	v := &vectors{words: (len(s.rects) + 63) / 64}
	for f := range fabric.NumFields {
		n := s.lines[f].count
		v.bits[f] = make([]uint64, n*v.words)
		// Bits that begin or end at an atom; then each vector is the one before
		// it with those flipped.
		for rule := range s.rects {
			for _, r := range s.of(rule, f) {
				v.bits[f][int(r.lo)*v.words+rule/64] ^= 1 << (rule % 64)
				if int(r.hi)+1 < n {
					v.bits[f][(int(r.hi)+1)*v.words+rule/64] ^= 1 << (rule % 64)
				}
			}
		}
		for i := v.words; i < len(v.bits[f]); i++ {
			v.bits[f][i] ^= v.bits[f][i-v.words]
		}
	}
	return v
}

func (v *vectors) of(f fabric.Field, atom uint32) []uint64 {
	return v.bits[f][int(atom)*v.words:][:v.words]
}

func (v *vectors) first(at *[fabric.NumFields]uint32) int {
	dst, src := v.of(fabric.Dst, at[fabric.Dst]), v.of(fabric.Src, at[fabric.Src])
	dstPort, srcPort := v.of(fabric.DstPort, at[fabric.DstPort]), v.of(fabric.SrcPort, at[fabric.SrcPort])
	proto := v.of(fabric.Proto, at[fabric.Proto])
	for i, m := range dst {
		if m &= src[i]; m == 0 {
			continue
		}
		if m &= dstPort[i] & srcPort[i] & proto[i]; m != 0 {
			return i*64 + bits.TrailingZeros64(m)
		}
	}
	return Default
}
