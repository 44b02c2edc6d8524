package proof

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// mapped holds the IPv4 addresses on the number line (RFC 4291 section
// 2.5.5.2).
var mapped = fabric.PrefixRange(netip.MustParsePrefix("0.0.0.0/0"))

// cut is a range of destinations that take the same route.
type cut struct {
	fabric.Range
	route int32
}

// partition says which route each destination takes: cuts are sorted and
// disjoint; what no cut holds has no route. Prefixes of one family do not hold
// addresses of the other, hence two lists.
type partition struct{ v4, v6 []cut }

func newPartition(t *fabric.Table) *partition {
	p := &partition{}
	var v4, v6 []nested
	for i := range t.Routes {
		r := &t.Routes[i]
		if r.Inactive {
			continue
		}
		n := nested{cut{fabric.PrefixRange(r.Prefix), int32(i)}, r.Prefix.Bits()}
		if r.Prefix.Addr().Is4() {
			v4 = append(v4, n)
		} else {
			v6 = append(v6, n)
		}
	}
	p.v4, p.v6 = flatten(v4), flatten(v6)
	return p
}

// of returns the cuts for the family of a destination.
func (p *partition) of(v fabric.Value) []cut {
	if mapped.Contains(v) {
		return p.v4
	}
	return p.v6
}

// nested is the range of a prefix; two of them are disjoint or one holds the
// other.
type nested struct {
	cut
	bits int
}

// flatten cuts nested ranges into disjoint ones, the longest prefix on top. Of
// equal prefixes the first in the table wins, as in [fabric.Table.Lookup].
func flatten(list []nested) []cut {
	slices.SortStableFunc(list, func(a, b nested) int {
		if c := a.Lo.Compare(b.Lo); c != 0 {
			return c
		}
		return a.bits - b.bits
	})
	var out []cut
	emit := func(lo, hi fabric.Value, route int32) {
		if !hi.Less(lo) {
			out = append(out, cut{fabric.Range{Lo: lo, Hi: hi}, route})
		}
	}
	// open are the ranges that hold the current position, the longest prefix
	// last; at is the first value not yet emitted.
	var open []nested
	var at fabric.Value
	pop := func() {
		top := open[len(open)-1]
		open = open[:len(open)-1]
		emit(at, top.Hi, top.route)
		if at.Compare(top.Hi) <= 0 {
			at = top.Hi.Next()
		}
	}
	for _, n := range list {
		for len(open) > 0 && open[len(open)-1].Hi.Less(n.Lo) {
			pop()
		}
		if len(open) > 0 {
			top := open[len(open)-1]
			if top.Lo == n.Lo && top.bits == n.bits {
				continue
			}
			if at.Less(n.Lo) {
				emit(at, n.Lo.Prev(), top.route)
			}
		}
		at = n.Lo
		open = append(open, n)
	}
	for len(open) > 0 {
		pop()
		if at == (fabric.Value{}) {
			break // the last range ended at the largest value
		}
	}
	return out
}
