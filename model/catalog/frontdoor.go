package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// Service tags of Front Door ("Virtual network service tags"): where clients reach
// its edges, and where these ask from.
const (
	FrontDoorFrontendTag = "AzureFrontDoor.Frontend"
	FrontDoorBackendTag  = "AzureFrontDoor.Backend"
)

// FrontDoorAddress returns the address at which clients reach every edge of a front
// door, told from others by a key: one of [FrontDoorFrontendTag]. Which of them
// Azure gives is its own.
func FrontDoorAddress(key string) netip.Addr { return addressOf(FrontDoorFrontendTag, key) }

// FrontDoorEdge returns the address from which the edge of a front door in a region
// asks: one of [FrontDoorBackendTag]. Which of them Azure gives is its own.
func FrontDoorEdge(key, region string) netip.Addr {
	return addressOf(FrontDoorBackendTag, key+" "+region)
}

// addressOf picks an address of the larger IPv4 prefixes of a tag.
func addressOf(tag, key string) netip.Addr {
	all, _ := ServiceTag(tag)
	var large []netip.Prefix
	for _, p := range all {
		if p.Addr().Is4() && p.Bits() <= 24 {
			large = append(large, p)
		}
	}
	if len(large) == 0 {
		return netip.Addr{}
	}
	sum := sha256.Sum256([]byte(key))
	p := large[binary.BigEndian.Uint32(sum[:4])%uint32(len(large))]
	size := uint32(1) << (32 - p.Bits())
	b := p.Masked().Addr().As4()
	first := binary.BigEndian.Uint32(b[:])
	binary.BigEndian.PutUint32(b[:], first+1+binary.BigEndian.Uint32(sum[4:8])%(size-2))
	return netip.AddrFrom4(b)
}
