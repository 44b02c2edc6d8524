package datapath

import (
	"encoding/binary"
	"net/netip"
)

// Types of Ethernet frames.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// putEther writes an Ethernet header from the gateway.
func putEther(b []byte, to []byte, kind uint16) {
	copy(b, to[:6])
	copy(b[6:], gateway[:])
	binary.BigEndian.PutUint16(b[12:], kind)
}

// gateway is GatewayMAC as an array.
var gateway = [6]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc}

// answerARP answers a request for any address but the asker's own with the
// gateway's MAC address (RFC 826). A probe or an announcement (RFC 5227) has no
// answer: no two interfaces share a wire. It appends the frame of the answer to
// dst, or nothing.
func answerARP(dst, frame []byte) []byte {
	const length, request, reply = etherLen + 28, 1, 2
	if len(frame) < length {
		return dst
	}
	a := frame[etherLen:]
	if binary.BigEndian.Uint16(a) != 1 || binary.BigEndian.Uint16(a[2:]) != etherIPv4 || a[4] != 6 || a[5] != 4 ||
		binary.BigEndian.Uint16(a[6:]) != request {
		return dst
	}
	sender, target := [4]byte(a[14:18]), [4]byte(a[24:28])
	if sender == target || sender == [4]byte{} {
		return dst
	}
	var b [length]byte
	putEther(b[:], frame[6:], etherARP)
	r := b[etherLen:]
	copy(r, a[:6])
	binary.BigEndian.PutUint16(r[6:], reply)
	copy(r[8:], gateway[:])
	copy(r[14:], target[:])
	copy(r[18:], a[8:18])
	return append(dst, b[:]...)
}

// answerND answers a neighbour solicitation for any address with the gateway's
// MAC address (RFC 4861 section 7.2), except when the asker looks for a
// duplicate of its own (RFC 4862 section 5.4). It appends the frame of the
// answer to dst, or nothing.
func answerND(dst, frame []byte) []byte {
	const solicitation, advertisement = 135, 136
	const length = etherLen + 40 + 32
	if len(frame) < etherLen+40+24 {
		return dst
	}
	p := frame[etherLen:]
	if p[6] != protoICMPv6 || p[7] != 255 || p[40] != solicitation || p[41] != 0 {
		return dst
	}
	asker, target := netip.AddrFrom16([16]byte(p[8:24])), [16]byte(p[48:64])
	if asker.IsUnspecified() || asker == netip.AddrFrom16(target) || netip.AddrFrom16(target).IsMulticast() {
		return dst
	}
	var b [length]byte
	putEther(b[:], frame[6:], etherIPv6)
	r := b[etherLen:]
	r[0] = 6 << 4
	binary.BigEndian.PutUint16(r[4:], 32)
	r[6], r[7] = protoICMPv6, 255
	copy(r[8:], target[:])
	copy(r[24:], p[8:24])
	m := r[40:]
	m[0] = advertisement
	m[4] = 0xe0 // a router, solicited, overriding
	copy(m[8:], target[:])
	m[24], m[25] = 2, 1 // target link-layer address, 8 bytes
	copy(m[26:], gateway[:])
	s := sum(0, r[8:40]) + 32 + protoICMPv6
	binary.BigEndian.PutUint16(m[2:], fold(sum(s, m)))
	return append(dst, b[:]...)
}
