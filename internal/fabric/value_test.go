package fabric

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// bits is the slow twin of Set over the values 0..63.
type bits uint64

func (b bits) set() Set {
	var ranges []Range
	for i := range 64 {
		if b>>i&1 == 1 {
			ranges = append(ranges, Range{Value{0, uint64(i)}, Value{0, uint64(i)}})
		}
	}
	return NewSet(ranges...)
}

func toBits(t *testing.T, s Set) bits {
	t.Helper()
	var b bits
	for i, r := range s {
		if r.Hi.Less(r.Lo) {
			t.Fatalf("%v: range %d is backwards", s, i)
		}
		if i > 0 && !s[i-1].Hi.Next().Less(r.Lo) {
			t.Fatalf("%v: ranges %d and %d touch or overlap", s, i-1, i)
		}
		for v := r.Lo.Lo; v <= r.Hi.Lo; v++ {
			b |= 1 << v
		}
	}
	return b
}

func TestSetAgainstBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		// Sparse against dense too: the operations have a path for each.
		a, b := bits(rng.Uint64()), bits(rng.Uint64())
		switch rng.IntN(4) {
		case 0:
			a &= bits(rng.Uint64() & rng.Uint64() & rng.Uint64())
		case 1:
			b = 1 << rng.IntN(64)
		case 2:
			a |= b
		}
		s, u := a.set(), b.set()
		if got := toBits(t, s.Intersect(u)); got != a&b {
			t.Fatalf("%x intersect %x = %x", a, b, got)
		}
		if got := toBits(t, s.Subtract(u)); got != a&^b {
			t.Fatalf("%x subtract %x = %x, want %x", a, b, got, a&^b)
		}
		if got := toBits(t, s.Union(u)); got != a|b {
			t.Fatalf("%x union %x = %x", a, b, got)
		}
		if got := s.Overlaps(u); got != (a&b != 0) {
			t.Fatalf("%x overlaps %x = %v", a, b, got)
		}
		if got := s.SubsetOf(u); got != (a&^b == 0) {
			t.Fatalf("%x subset of %x = %v", a, b, got)
		}
		v := rng.IntN(64)
		if got := s.Contains(Value{0, uint64(v)}); got != (a>>v&1 == 1) {
			t.Fatalf("%x contains %d = %v", a, v, got)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for _, text := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "fd00::/16", "2001:db8::1/128", "::ffff:0:0/96"} {
		p := netip.MustParsePrefix(text)
		got := PrefixSet(p).Prefixes()
		want := p
		if text == "::ffff:0:0/96" {
			want = netip.MustParsePrefix("0.0.0.0/0") // the IPv4-mapped range is the IPv4 range
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s gives %v", text, got)
		}
	}
	// 10.0.0.0/8 without 10.0.0.4 is the 24 sibling prefixes on the way down.
	s := PrefixSet(netip.MustParsePrefix("10.0.0.0/8")).Subtract(AddrSet(netip.MustParseAddr("10.0.0.4")))
	if got := s.Prefixes(); len(got) != 24 || !PrefixSet(got...).Equal(s) {
		t.Errorf("%d prefixes: %v", len(got), got)
	}
	if !AllValues().IsAll() || len(AllValues().Prefixes()) != 1 {
		t.Error("all values are one prefix")
	}
	if all := PrefixSet(netip.MustParsePrefix("::/0")); !all.Equal(AllValues()) {
		t.Errorf("::/0 is %v", all)
	}
}

func TestValueArithmetic(t *testing.T) {
	if MaxValue.Next() != (Value{}) || (Value{}).Prev() != MaxValue {
		t.Error("values do not wrap")
	}
	if v := (Value{1, 0}); v.Prev() != (Value{0, ^uint64(0)}) || v.Prev().Next() != v {
		t.Error("carry")
	}
	if got := AllValues().Subtract(Set{{Value{}, Value{}}}).Union(Set{{Value{}, Value{}}}); !got.IsAll() {
		t.Errorf("all minus zero plus zero is %v", got)
	}
}
