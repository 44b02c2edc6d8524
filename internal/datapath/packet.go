package datapath

import "encoding/binary"

// Protocol numbers of IP (IANA, Assigned Internet Protocol Numbers).
const (
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// transport returns where the transport header of an IP packet begins and its
// protocol; ok is false for what has none: a later fragment, or no IP packet.
func transport(b []byte) (at int, proto byte, ok bool) {
	if len(b) < 20 {
		return 0, 0, false
	}
	switch b[0] >> 4 {
	case 4:
		at = int(b[0]&15) * 4
		later := binary.BigEndian.Uint16(b[6:])&0x1fff != 0
		return at, b[9], at >= 20 && at <= len(b) && !later
	case 6:
		if len(b) < 40 {
			return 0, 0, false
		}
		return skipExtensions(b)
	}
	return 0, 0, false
}

// maxExtensions bounds the extension headers that are followed.
const maxExtensions = 8

// skipExtensions finds the transport header behind IPv6 extension headers
// (RFC 8200 section 4).
func skipExtensions(b []byte) (at int, proto byte, ok bool) {
	const hopByHop, routing, fragment, destination = 0, 43, 44, 60
	at, proto = 40, b[6]
	for range maxExtensions {
		length := 8
		switch proto {
		case hopByHop, routing, destination:
			if at+8 > len(b) {
				return 0, 0, false
			}
			length = (int(b[at+1]) + 1) * 8
		case fragment:
			if at+8 > len(b) || binary.BigEndian.Uint16(b[at+2:])>>3 != 0 {
				return 0, 0, false
			}
		default:
			return at, proto, true
		}
		proto = b[at]
		at += length
		if at > len(b) {
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// checksumField returns where in its transport header a protocol has its
// checksum.
func checksumField(proto byte) (int, bool) {
	switch proto {
	case protoTCP:
		return 16, true
	case protoUDP:
		return 6, true
	case protoICMPv6:
		return 2, true
	}
	return 0, false
}

// sum adds bytes to an Internet checksum that is not yet folded (RFC 1071).
func sum(s uint64, b []byte) uint64 {
	for ; len(b) >= 4; b = b[4:] {
		s += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold ends an Internet checksum.
func fold(s uint64) uint16 {
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
