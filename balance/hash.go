package balance

import (
	"encoding/binary"
	"net/netip"
)

// TwoTuple returns the key of a client and a frontend: Azure Load Balancer's
// distribution mode "SourceIP".
func TwoTuple(src, dst netip.Addr) uint64 { return addr(addr(0, src), dst) }

// ThreeTuple returns the key of a client, a frontend and an IP protocol:
// "SourceIPProtocol".
func ThreeTuple(src, dst netip.Addr, protocol uint8) uint64 {
	return Mix(TwoTuple(src, dst), uint64(protocol))
}

// FiveTuple returns the key of a flow: "Default".
func FiveTuple(src, dst netip.AddrPort, protocol uint8) uint64 {
	return Mix(TwoTuple(src.Addr(), dst.Addr()), uint64(protocol)<<32|uint64(src.Port())<<16|uint64(dst.Port()))
}

// addr mixes an address into a hash; an IPv4 address and the IPv6 address that
// maps it are one.
func addr(h uint64, a netip.Addr) uint64 {
	if !a.IsValid() {
		return Mix(h, 0)
	}
	b := a.As16()
	return Mix(Mix(h, binary.BigEndian.Uint64(b[:8])), binary.BigEndian.Uint64(b[8:]))
}
