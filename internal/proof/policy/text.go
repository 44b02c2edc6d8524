package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Merge returns few boxes that hold the same real packets as the given ones:
// boxes that differ in one field only become one, until there are none such.
// The boxes should share no packet, as leaves and deltas do.
//
// Fields that do not matter to real packets are widened first. Where the source
// is of one family, the destination is too; a protocol without ports has none.
func Merge(boxes []Box) []Box {
	out := make([]Box, 0, len(boxes))
	for _, b := range boxes {
		if !slices.ContainsFunc(b[:], fabric.Set.IsEmpty) {
			out = append(out, widen(b))
		}
	}
	for before := 0; before != len(out); {
		before = len(out)
		for _, f := range [...]fabric.Field{fabric.SrcPort, fabric.DstPort, fabric.Proto, fabric.Src, fabric.Dst} {
			out = join(out, f)
		}
		for i := range out {
			out[i] = widen(out[i])
		}
	}
	return out
}

// widen puts all values in place of those that come to the same.
func widen(b Box) Box {
	real := realPackets()
	four, six := real[0][fabric.Src], real[2][fabric.Src]
	all := fabric.AllValues()
	for _, family := range [2]fabric.Set{four, six} {
		src, dst := b[fabric.Src], b[fabric.Dst]
		switch {
		case src.Equal(family) && dst.SubsetOf(family):
			b[fabric.Src] = all
		case dst.Equal(family) && src.SubsetOf(family):
			b[fabric.Dst] = all
		}
	}
	ports, protos := real[0][fabric.SrcPort], b[fabric.Proto]
	for _, f := range [2]fabric.Field{fabric.SrcPort, fabric.DstPort} {
		if ports.SubsetOf(b[f]) || !protos.Overlaps(portedProtocols()) && b[f].Contains(fabric.Num(0)) {
			b[f] = all
		}
	}
	if fabric.NumSet(0, 255).SubsetOf(protos) {
		b[fabric.Proto] = all
	}
	return b
}

// join unites boxes that differ only in one field.
func join(list []Box, f fabric.Field) []Box {
	index := map[uint64][]int{}
	out := list[:0]
next:
	for _, b := range list {
		key := b
		key[f] = nil
		h := uint64(0)
		for _, s := range key {
			h = mix(h, hashSet(s))
		}
		for _, k := range index[h] {
			other := out[k]
			other[f] = nil
			if sameBox(&other, &key) {
				out[k][f] = out[k][f].Union(b[f])
				continue next
			}
		}
		index[h] = append(index[h], len(out))
		out = append(out, b)
	}
	return out
}

// Describe says boxes in lines, merged and sorted.
func Describe(boxes []Box) []string {
	merged := Merge(boxes)
	out := make([]string, len(merged))
	for i := range merged {
		out[i] = merged[i].String()
	}
	slices.Sort(out)
	return out
}

// String says a box in one line: "10.0.0.0/8 to 10.1.0.4, tcp 443".
func (b Box) String() string {
	b = widen(b)
	var s strings.Builder
	fmt.Fprintf(&s, "%s to %s, ", addresses(b[fabric.Src]), addresses(b[fabric.Dst]))
	ports := b[fabric.DstPort]
	protos := protocols(b[fabric.Proto])
	switch {
	case ports.IsAll():
		s.WriteString(protos)
	case b[fabric.Proto].IsAll():
		fmt.Fprintf(&s, "port %s of any protocol", numbers(ports))
	default:
		fmt.Fprintf(&s, "%s %s", protos, numbers(ports))
	}
	if from := b[fabric.SrcPort]; !from.IsAll() {
		fmt.Fprintf(&s, " from port %s", numbers(from))
	}
	return s.String()
}

// maxWords is how many parts of a set are named; the rest is counted.
const maxWords = 6

func enumerate(words []string) string {
	if n := len(words); n > maxWords {
		words = append(words[:maxWords-1:maxWords-1], fmt.Sprintf("%d more", n-maxWords+1))
	}
	return strings.Join(words, ", ")
}

func addresses(s fabric.Set) string {
	real := realPackets()
	switch {
	case s.IsEmpty():
		return "nobody"
	case s.IsAll():
		return "any"
	case s.Equal(real[0][fabric.Src]):
		return "any IPv4"
	case s.Equal(real[2][fabric.Src]):
		return "any IPv6"
	}
	var words []string
	for _, r := range s {
		prefixes := fabric.Set{r}.Prefixes()
		if len(prefixes) > 2 {
			words = append(words, fmt.Sprintf("%s-%s", r.Lo.Addr(), r.Hi.Addr()))
			continue
		}
		for _, p := range prefixes {
			words = append(words, prefixText(p))
		}
	}
	return enumerate(words)
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func numbers(s fabric.Set) string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = fmt.Sprintf("%d-%d", r.Lo.Lo, r.Hi.Lo)
		if r.Lo == r.Hi {
			words[i] = fmt.Sprint(r.Lo.Lo)
		}
	}
	return enumerate(words)
}

func protocols(s fabric.Set) string {
	if s.IsAll() {
		return "any protocol"
	}
	bytes := fabric.NumSet(0, 255)
	if without := bytes.Subtract(s); s.SubsetOf(bytes) && len(s) > 1 && len(without) <= 2 {
		return "any protocol but " + protocols(without)
	}
	var words []string
	for _, r := range s {
		for v := r.Lo; ; v = v.Next() {
			words = append(words, fabric.ProtoName(uint8(v.Lo)))
			if v == r.Hi || len(words) > 2*maxWords {
				break
			}
		}
	}
	return strings.ReplaceAll(enumerate(words), ", ", "/")
}
