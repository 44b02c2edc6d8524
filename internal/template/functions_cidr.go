package template

import (
	"math/big"
	"net/netip"
)

// cidrFunctions are those of "CIDR functions for ARM templates".
func cidrFunctions() map[string]function {
	return map[string]function{
		"parsecidr": of1(asPrefix, func(p netip.Prefix) (any, error) {
			network := p.Masked()
			hosts := span(p.Addr(), p.Bits())
			last := plus(network.Addr(), new(big.Int).Sub(hosts, big.NewInt(1)))
			out := map[string]any{"network": network.Addr().String(), "cidr": int64(p.Bits()), "lastUsable": last.String(), "firstUsable": network.Addr().String()}
			if p.Addr().Is4() {
				mask := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), p.Bits()).Masked().Addr()
				out["netmask"], out["broadcast"] = mask.String(), last.String()
				if p.Bits() < 31 {
					out["firstUsable"], out["lastUsable"] = network.Addr().Next().String(), last.Prev().String()
				}
			} else {
				out["netmask"] = netip.PrefixFrom(netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), p.Bits()).Masked().Addr().String()
			}
			return out, nil
		}),
		"cidrsubnet": {3, 3, func(_ *scope, a []any) (any, error) {
			p, err := asPrefix(a[0])
			if err != nil {
				return nil, err
			}
			bits, err := asInt(a[1])
			if err != nil {
				return nil, err
			}
			n, err := asInt(a[2])
			if err != nil {
				return nil, err
			}
			if bits < int64(p.Bits()) || bits > int64(p.Addr().BitLen()) {
				return nil, faultf(InvalidTemplate, "the new prefix length %d must be from %d to %d", bits, p.Bits(), p.Addr().BitLen())
			}
			count := new(big.Int).Lsh(big.NewInt(1), uint(bits)-uint(p.Bits()))
			if n < 0 || count.Cmp(big.NewInt(n)) <= 0 {
				return nil, faultf(InvalidTemplate, "the subnet %d is outside of %s, which has %s of /%d", n, p, count, bits)
			}
			at := new(big.Int).Mul(big.NewInt(n), span(p.Addr(), int(bits)))
			return netip.PrefixFrom(plus(p.Masked().Addr(), at), int(bits)).String(), nil
		}},
		"cidrhost": of2(asPrefix, asInt, func(p netip.Prefix, n int64) (any, error) {
			// Index 0 is the first usable host address.
			first := big.NewInt(n)
			if p.Addr().Is4() && p.Bits() < 31 || p.Addr().Is6() {
				first.Add(first, big.NewInt(1))
			}
			if n < 0 || first.Cmp(span(p.Addr(), p.Bits())) >= 0 {
				return nil, faultf(InvalidTemplate, "the host %d is outside of %s", n, p)
			}
			return plus(p.Masked().Addr(), first).String(), nil
		}),
	}
}

func asPrefix(v any) (netip.Prefix, error) {
	s, err := asText(v)
	if err != nil {
		return netip.Prefix{}, err
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, faultf(InvalidTemplate, "'%s' is not a range in CIDR notation", shorten(s))
	}
	return p, nil
}

// span is the number of addresses of a prefix length.
func span(a netip.Addr, bits int) *big.Int {
	return new(big.Int).Lsh(big.NewInt(1), uint(a.BitLen()-bits))
}

func plus(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), n)
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8)))
	return out
}
