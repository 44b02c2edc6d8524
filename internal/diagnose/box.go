package diagnose

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// PortOf returns the port of a resource, an interface for example; the case of
// the ID does not matter.
func PortOf(img *fabric.Image, resource string) (fabric.PortID, bool) {
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortVacant && len(p.Origin.Resource) == len(resource) && strings.EqualFold(p.Origin.Resource, resource) {
			return fabric.PortID(i), true
		}
	}
	return fabric.None, false
}

// Box is traffic: every packet whose fields are in the sets.
type Box [fabric.NumFields]fabric.Set

// Exactly returns the box of one packet.
func Exactly(p fabric.Packet) Box {
	var b Box
	for f := range fabric.NumFields {
		v := p.Field(f)
		b[f] = fabric.Set{{Lo: v, Hi: v}}
	}
	return b
}

// Between returns traffic of a protocol between sets of addresses and ports.
func Between(src, dst, srcPorts, dstPorts, proto fabric.Set) Box {
	var b Box
	b[fabric.Src], b[fabric.Dst], b[fabric.SrcPort], b[fabric.DstPort], b[fabric.Proto] = src, dst, srcPorts, dstPorts, proto
	return b
}

// Everywhere returns the addresses of one family.
func Everywhere(v6 bool) fabric.Set {
	if v6 {
		return fabric.PrefixSet(netip.MustParsePrefix("::/0"))
	}
	return fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))
}

// empty reports whether there is no such packet.
func (b *Box) empty() bool {
	for f := range b {
		if b[f].IsEmpty() {
			return true
		}
	}
	return false
}

// outside splits a box into what is inside a rule's sets and, in parts that do
// not overlap, what is not.
func (b *Box) outside(img *fabric.Image, r *fabric.Rule) (in Box, rest []Box) {
	in = *b
	for f := range b {
		set := r.Match[f]
		if set == fabric.AnySet {
			continue
		}
		kept := in[f].Intersect(img.Sets[set])
		if kept.IsEmpty() {
			return Box{}, []Box{*b}
		}
		if out := in[f].Subtract(img.Sets[set]); !out.IsEmpty() {
			part := in
			part[f] = out
			rest = append(rest, part)
		}
		in[f] = kept
	}
	return in, rest
}
