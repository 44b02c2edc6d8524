package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// stacks are the distinct lists of filters of one direction.
type stacks struct {
	of    []int32 // by port: index into lists
	lists [][]fabric.FilterID
}

// shape is what contracts need to know of an image, whatever the question.
type shape struct {
	ins         stacks
	vague       []bool // by filter: a rule's outcome is unknown
	masquerades []bool // by filter: a rule replaces sources
	vagueIn     []bool // by port: an ingress filter is vague
	// vagueOut is vagueIn of egress filters.
	vagueOut []bool
	// special are, by space, the owners that forward, redirect or may be
	// undecided about what they do not take.
	special map[fabric.SpaceID][]fabric.PortID
	// strays are the spaces that own addresses of a port of another space.
	strays   map[fabric.PortID][]fabric.SpaceID
	incoming []int32    // of the image's public addresses: those that lead in
	outbound fabric.Set // the public addresses that sources get
}

// Prepare does now what the first denied claim would otherwise wait for, and
// returns the prover.
func (p *Prover) Prepare() *Prover {
	p.shapeOf()
	return p
}

// shapeOf returns the image's shape, made at first use.
func (p *Prover) shapeOf() *shape {
	if s := p.shape.Load(); s != nil {
		return s
	}
	s := newShape(p.img)
	p.shape.Store(s)
	return s
}

func newShape(img *fabric.Image) *shape {
	s := &shape{
		vague: make([]bool, len(img.Filters)), masquerades: make([]bool, len(img.Filters)), vagueIn: make([]bool, len(img.Ports)), vagueOut: make([]bool, len(img.Ports)),
		special: map[fabric.SpaceID][]fabric.PortID{}, strays: map[fabric.PortID][]fabric.SpaceID{},
	}
	for i := range img.Filters {
		s.vague[i] = vague(&img.Filters[i])
		s.masquerades[i] = slices.ContainsFunc(img.Filters[i].Rules, func(r fabric.Rule) bool { return r.Masquerade })
	}
	any := func(list []fabric.FilterID) bool {
		return slices.ContainsFunc(list, func(id fabric.FilterID) bool { return s.vague[id] })
	}
	var outbound []fabric.Range
	one := func(v fabric.Value) { outbound = append(outbound, fabric.Range{Lo: v, Hi: v}) }
	seen := map[*fabric.Outbound]bool{}
	s.ins.of = make([]int32, len(img.Ports))
	index := map[uint64][]int32{}
	for i := range img.Ports {
		p := &img.Ports[i]
		s.vagueIn[i], s.vagueOut[i] = any(p.Ingress), any(p.Egress)
		s.ins.add(index, i, p.Ingress)
		if o := p.Outbound; o != nil && !seen[o] {
			seen[o] = true
			for _, pair := range o.Pairs {
				one(fabric.AddrValue(pair.Public))
			}
			for _, a := range o.Pool {
				one(fabric.AddrValue(a))
			}
		}
	}
	s.outbound = fabric.NewSet(outbound...)
	for i := range img.Spaces {
		space := fabric.SpaceID(i)
		for _, o := range img.Spaces[i].Owners {
			p := &img.Ports[o.Port]
			if (single(p) || s.vagueIn[o.Port]) && !slices.Contains(s.special[space], o.Port) {
				s.special[space] = append(s.special[space], o.Port)
			}
			if p.Space != space && !slices.Contains(s.strays[o.Port], space) {
				s.strays[o.Port] = append(s.strays[o.Port], space)
			}
		}
	}
	for i := range img.Publics {
		if p := &img.Publics[i]; p.Unknown || p.Port != fabric.None {
			s.incoming = append(s.incoming, int32(i))
		}
	}
	return s
}

func vague(f *fabric.Filter) bool {
	return slices.ContainsFunc(f.Rules, func(r fabric.Rule) bool { return r.Action == fabric.Unknown })
}

func (s *stacks) add(index map[uint64][]int32, port int, list []fabric.FilterID) {
	h := uint64(len(list))
	for _, id := range list {
		h = (h ^ uint64(id)) * 0x9e3779b97f4a7c15
		h ^= h >> 31
	}
	for _, k := range index[h] {
		if slices.Equal(s.lists[k], list) {
			s.of[port] = k
			return
		}
	}
	k := int32(len(s.lists))
	s.lists = append(s.lists, list)
	index[h] = append(index[h], k)
	s.of[port] = k
}

// spacesOf returns the spaces that own addresses of a port.
func (s *shape) spacesOf(img *fabric.Image, q fabric.PortID) []fabric.SpaceID {
	var out []fabric.SpaceID
	if own := img.Ports[q].Space; own != fabric.None {
		out = append(out, own)
	}
	return append(out, s.strays[q]...)
}
