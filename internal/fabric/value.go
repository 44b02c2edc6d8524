package fabric

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// Value is one point of a packet field: an address, a transport port or a
// protocol number, as an unsigned 128-bit number. An IPv4 address is its
// IPv4-mapped IPv6 form (RFC 4291 section 2.5.5.2), so both families share one
// number line; ports and protocols are small numbers. Values are comparable.
type Value struct{ Hi, Lo uint64 }

// AddrValue returns the value of an address. The zone is ignored.
func AddrValue(a netip.Addr) Value {
	b := a.As16()
	return Value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Num returns the value of a port or protocol number.
func Num(n uint16) Value { return Value{0, uint64(n)} }

// Addr returns the address of a value; IPv4-mapped values give IPv4 addresses.
func (v Value) Addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// Compare orders values as numbers.
func (v Value) Compare(w Value) int {
	if c := cmp.Compare(v.Hi, w.Hi); c != 0 {
		return c
	}
	return cmp.Compare(v.Lo, w.Lo)
}

// Less reports whether v < w.
func (v Value) Less(w Value) bool {
	return v.Hi < w.Hi || v.Hi == w.Hi && v.Lo < w.Lo
}

// Next returns v+1; the largest value wraps to zero.
func (v Value) Next() Value {
	lo := v.Lo + 1
	if lo == 0 {
		return Value{v.Hi + 1, 0}
	}
	return Value{v.Hi, lo}
}

// Prev returns v-1; zero wraps to the largest value.
func (v Value) Prev() Value {
	if v.Lo == 0 {
		return Value{v.Hi - 1, ^uint64(0)}
	}
	return Value{v.Hi, v.Lo - 1}
}

// MaxValue is the largest value.
var MaxValue = Value{^uint64(0), ^uint64(0)}

// Range is an inclusive range of values, Lo <= Hi.
type Range struct{ Lo, Hi Value }

// PrefixRange returns the addresses of a prefix.
func PrefixRange(p netip.Prefix) Range {
	p = p.Masked()
	lo := AddrValue(p.Addr())
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	hi := lo
	switch {
	case bits <= 0:
		hi = MaxValue
	case bits < 64:
		hi.Hi |= ^uint64(0) >> bits
		hi.Lo = ^uint64(0)
	case bits < 128:
		hi.Lo |= ^uint64(0) >> (bits - 64)
	}
	return Range{lo, hi}
}

// Contains reports whether v lies in the range.
func (r Range) Contains(v Value) bool { return !v.Less(r.Lo) && !r.Hi.Less(v) }

// Set is a set of values: sorted ranges that neither overlap nor touch. Sets
// are immutable; the operations return new ones and may share memory with
// their operands. The nil Set is empty.
type Set []Range

// NewSet returns the union of ranges given in any order.
func NewSet(ranges ...Range) Set {
	if len(ranges) == 0 {
		return nil
	}
	s := slices.Clone(ranges)
	slices.SortFunc(s, func(a, b Range) int { return a.Lo.Compare(b.Lo) })
	out := s[:1]
	for _, r := range s[1:] {
		last := &out[len(out)-1]
		// Touching ranges merge; guard the wrap of MaxValue.Next.
		if last.Hi == MaxValue || !last.Hi.Next().Less(r.Lo) {
			if last.Hi.Less(r.Hi) {
				last.Hi = r.Hi
			}
			continue
		}
		out = append(out, r)
	}
	return Set(slices.Clip(out))
}

// PrefixSet returns the union of prefixes.
func PrefixSet(prefixes ...netip.Prefix) Set {
	ranges := make([]Range, len(prefixes))
	for i, p := range prefixes {
		ranges[i] = PrefixRange(p)
	}
	return NewSet(ranges...)
}

// AddrSet returns the set of the given addresses.
func AddrSet(addrs ...netip.Addr) Set {
	ranges := make([]Range, len(addrs))
	for i, a := range addrs {
		ranges[i] = Range{AddrValue(a), AddrValue(a)}
	}
	return NewSet(ranges...)
}

// NumSet returns the set of the numbers lo to hi.
func NumSet(lo, hi uint16) Set { return Set{{Num(lo), Num(hi)}} }

// AllValues holds every value: the match of a field that does not matter.
func AllValues() Set { return Set{{Value{}, MaxValue}} }

// IsEmpty reports whether the set has no value.
func (s Set) IsEmpty() bool { return len(s) == 0 }

// IsAll reports whether the set has every value.
func (s Set) IsAll() bool { return len(s) == 1 && s[0] == Range{Value{}, MaxValue} }

// search returns the index of the first range whose Hi is not below v.
func (s Set) search(v Value) int {
	lo, hi := 0, len(s)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if s[m].Hi.Less(v) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// Contains reports whether v is in the set.
func (s Set) Contains(v Value) bool {
	i := s.search(v)
	return i < len(s) && !v.Less(s[i].Lo)
}

// Min returns the smallest value; the set must not be empty.
func (s Set) Min() Value { return s[0].Lo }

// Equal reports whether both sets hold the same values.
func (s Set) Equal(t Set) bool { return slices.Equal(s, t) }

// Overlaps reports whether the sets share a value, without building the
// intersection.
func (s Set) Overlaps(t Set) bool {
	if len(s) > len(t) {
		s, t = t, s
	}
	if len(s) == 0 {
		return false
	}
	// The smaller set probes the larger by binary search while it is much
	// smaller; otherwise both are walked together.
	if len(s)*8 < len(t) {
		for _, r := range s {
			i := t.search(r.Lo)
			if i < len(t) && !r.Hi.Less(t[i].Lo) {
				return true
			}
		}
		return false
	}
	for i, j := 0, 0; i < len(s) && j < len(t); {
		switch {
		case s[i].Hi.Less(t[j].Lo):
			i++
		case t[j].Hi.Less(s[i].Lo):
			j++
		default:
			return true
		}
	}
	return false
}

// SubsetOf reports whether every value of s is in t.
func (s Set) SubsetOf(t Set) bool {
	j := 0
	if len(s)*8 < len(t) {
		for _, r := range s {
			i := t.search(r.Lo)
			if i == len(t) || r.Lo.Less(t[i].Lo) || t[i].Hi.Less(r.Hi) {
				return false
			}
		}
		return true
	}
	for _, r := range s {
		for j < len(t) && t[j].Hi.Less(r.Lo) {
			j++
		}
		if j == len(t) || r.Lo.Less(t[j].Lo) || t[j].Hi.Less(r.Hi) {
			return false
		}
	}
	return true
}

// Intersect returns the values in both sets.
func (s Set) Intersect(t Set) Set {
	if len(s) == 0 || len(t) == 0 {
		return nil
	}
	if s.IsAll() {
		return t
	}
	if t.IsAll() {
		return s
	}
	var out Set
	i, j := 0, 0
	if len(s)*8 < len(t) {
		j = t.search(s[0].Lo)
	} else if len(t)*8 < len(s) {
		i = s.search(t[0].Lo)
	}
	for i < len(s) && j < len(t) {
		lo, hi := s[i].Lo, s[i].Hi
		if lo.Less(t[j].Lo) {
			lo = t[j].Lo
		}
		if t[j].Hi.Less(hi) {
			hi = t[j].Hi
		}
		if !hi.Less(lo) {
			out = append(out, Range{lo, hi})
		}
		if s[i].Hi.Less(t[j].Hi) {
			i++
		} else {
			j++
		}
	}
	return out
}

// Subtract returns the values of s that are not in t.
func (s Set) Subtract(t Set) Set {
	if len(s) == 0 || len(t) == 0 || !s.Overlaps(t) {
		return s
	}
	var out Set
	j := t.search(s[0].Lo)
	for _, r := range s {
		lo := r.Lo
		for j < len(t) && t[j].Hi.Less(lo) {
			j++
		}
		done := false
		for k := j; k < len(t) && !r.Hi.Less(t[k].Lo); k++ {
			if lo.Less(t[k].Lo) {
				out = append(out, Range{lo, t[k].Lo.Prev()})
			}
			if !t[k].Hi.Less(r.Hi) {
				done = true
				break
			}
			lo = t[k].Hi.Next()
		}
		if !done {
			out = append(out, Range{lo, r.Hi})
		}
	}
	return out
}

// Union returns the values in either set.
func (s Set) Union(t Set) Set {
	if len(s) == 0 {
		return t
	}
	if len(t) == 0 {
		return s
	}
	return NewSet(append(slices.Clone(s), t...)...)
}

// Prefixes returns the set as the shortest list of prefixes, for people. A set
// that holds numbers rather than addresses has no meaningful prefixes.
func (s Set) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, r := range s {
		for lo := r.Lo; ; {
			bits := 128
			for bits > 0 {
				q := PrefixRange(netip.PrefixFrom(addr16(lo), bits-1))
				if q.Lo != lo || r.Hi.Less(q.Hi) {
					break
				}
				bits--
			}
			q := PrefixRange(netip.PrefixFrom(addr16(lo), bits))
			a := lo.Addr()
			if a.Is4() && bits >= 96 {
				out = append(out, netip.PrefixFrom(a, bits-96))
			} else {
				out = append(out, netip.PrefixFrom(addr16(lo), bits))
			}
			if q.Hi == r.Hi {
				break
			}
			lo = q.Hi.Next()
		}
	}
	return out
}

// addr16 is Addr without unmapping: prefixes of the shared number line.
func addr16(v Value) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	return netip.AddrFrom16(b)
}
