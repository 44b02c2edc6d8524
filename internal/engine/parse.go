package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// TCP flags the engine looks at (RFC 9293 section 3.1).
const (
	tcpFIN = 1 << 0
	tcpSYN = 1 << 1
	tcpRST = 1 << 2
	tcpACK = 1 << 4
)

// ICMP types (RFC 792, RFC 950, RFC 4443).
const (
	icmpEchoReply      = 0
	icmpUnreachable    = 3
	icmpSourceQuench   = 4
	icmpRedirect       = 5
	icmpEchoRequest    = 8
	icmpTimeExceeded   = 11
	icmpParameter      = 12
	icmpTimestamp      = 13
	icmpTimestampReply = 14

	icmp6Unreachable = 1
	icmp6TooBig      = 2
	icmp6Parameter   = 4 // 1..4 are the errors
	icmp6EchoRequest = 128
	icmp6EchoReply   = 129
)

// IPv6 extension headers (RFC 8200 section 4).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
	maxExtensions  = 8
)

// header is what the engine needs to know of a packet.
type header struct {
	key   key
	l4    int   // offset of the transport header
	end   int   // end of the packet: padding may follow
	flags uint8 // TCP: FIN, SYN, RST, ACK
	v6    bool
	frag  bool // the first fragment of several
	// opens means the packet may begin a session at a stateful forwarder.
	opens bool
	// icmpError means an ICMP error: it speaks of another packet.
	icmpError bool
	partial   bool // the transport checksum is the pseudo-header's sum only
}

// parse reads the headers of an IP packet that enters at a port. Checksums are
// not verified: rewriting is incremental (RFC 1624), so a wrong one stays wrong
// for the receiver to see.
func (h *header) parse(at fabric.PortID, b []byte) fabric.Fault {
	// The key and the offsets are written by whoever finds the packet whole.
	h.flags, h.v6, h.frag, h.opens, h.icmpError, h.partial = 0, false, false, false, false, false
	if len(b) == 0 {
		return fabric.FaultMalformed
	}
	switch b[0] >> 4 {
	case 4:
		return h.parse4(at, b)
	case 6:
		return h.parse6(at, b)
	default:
		return fabric.FaultMalformed
	}
}

func (h *header) parse4(at fabric.PortID, b []byte) fabric.Fault {
	if len(b) < 20 {
		return fabric.FaultMalformed
	}
	ihl := int(b[0]&15) * 4
	end := int(binary.BigEndian.Uint16(b[2:]))
	if ihl < 20 || end < ihl || end > len(b) {
		return fabric.FaultMalformed
	}
	fragment := binary.BigEndian.Uint16(b[6:])
	if fragment&0x1fff != 0 {
		return fabric.FaultFragment
	}
	h.l4, h.end = ihl, end
	h.frag = fragment&0x2000 != 0
	h.key.src = value4(binary.BigEndian.Uint32(b[12:]))
	h.key.dst = value4(binary.BigEndian.Uint32(b[16:]))
	return h.transport(at, b[ihl:end], b[9])
}

func (h *header) parse6(at fabric.PortID, b []byte) fabric.Fault {
	if len(b) < 40 {
		return fabric.FaultMalformed
	}
	end := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if end > len(b) {
		return fabric.FaultMalformed
	}
	h.v6, h.end = true, end
	h.key.src = fabric.Value{Hi: binary.BigEndian.Uint64(b[8:]), Lo: binary.BigEndian.Uint64(b[16:])}
	h.key.dst = fabric.Value{Hi: binary.BigEndian.Uint64(b[24:]), Lo: binary.BigEndian.Uint64(b[32:])}
	if is4(h.key.src) || is4(h.key.dst) {
		// An IPv4-mapped address never appears on the wire (RFC 4291 section
		// 2.5.5.2); letting it in would confuse the two families.
		return fabric.FaultMalformed
	}
	next, at4 := b[6], 40
	for range maxExtensions {
		switch next {
		case extHopByHop, extRouting, extDestination:
			if at4+8 > end {
				return fabric.FaultMalformed
			}
			n := (int(b[at4+1]) + 1) * 8
			if at4+n > end {
				return fabric.FaultMalformed
			}
			next, at4 = b[at4], at4+n
		case extFragment:
			if at4+8 > end {
				return fabric.FaultMalformed
			}
			field := binary.BigEndian.Uint16(b[at4+2:])
			if field&^7 != 0 {
				return fabric.FaultFragment
			}
			h.frag = field&1 != 0
			next, at4 = b[at4], at4+8
		default:
			h.l4 = at4
			return h.transport(at, b[at4:end], next)
		}
	}
	return fabric.FaultMalformed
}

// transport reads the transport header and completes the key.
func (h *header) transport(at fabric.PortID, b []byte, proto uint8) fabric.Fault {
	var x, y uint16
	switch proto {
	case fabric.ProtoTCP:
		// A first fragment too short for the flags is an attack (RFC 1858).
		if len(b) < 20 || int(b[12]>>4)*4 < 20 || (!h.frag && int(b[12]>>4)*4 > len(b)) {
			return fabric.FaultMalformed
		}
		x, y = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		h.flags = b[13] & (tcpFIN | tcpSYN | tcpRST | tcpACK)
		h.opens = h.flags&(tcpSYN|tcpACK|tcpRST) == tcpSYN
	case fabric.ProtoUDP:
		if len(b) < 8 {
			return fabric.FaultMalformed
		}
		x, y = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		h.opens = true
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		if len(b) < 8 || (proto == fabric.ProtoICMPv6) != h.v6 {
			return fabric.FaultMalformed
		}
		x, y = h.icmp(b)
	default:
		h.opens = true
	}
	h.key.tail = tail(x, y, proto, at)
	return fabric.FaultNone
}

// icmp returns the identifier of a query and the kind of message, which stand
// in the key where other protocols have ports.
func (h *header) icmp(b []byte) (id, kind uint16) {
	id = binary.BigEndian.Uint16(b[4:])
	if h.v6 {
		switch t := b[0]; {
		case t == icmp6EchoRequest:
			h.opens = true
			return id, icmpRequest
		case t == icmp6EchoReply:
			return id, icmpReply
		case t >= icmp6Unreachable && t <= icmp6Parameter:
			h.icmpError = true
		}
		return 0, icmpOther | uint16(b[0])
	}
	switch b[0] {
	case icmpEchoRequest, icmpTimestamp:
		h.opens = true
		return id, icmpRequest
	case icmpEchoReply, icmpTimestampReply:
		return id, icmpReply
	case icmpUnreachable, icmpSourceQuench, icmpRedirect, icmpTimeExceeded, icmpParameter:
		h.icmpError = true
	}
	return 0, icmpOther | uint16(b[0])
}

// Tuple reads the five-tuple of an IP packet.
func Tuple(pkt []byte) (fabric.Packet, fabric.Fault) {
	var h header
	if fault := h.parse(0, pkt); fault != fabric.FaultNone {
		return fabric.Packet{}, fault
	}
	return h.key.packet(), fabric.FaultNone
}

// LocalPort returns the protocol of an IP packet and the port of its receiver
// that it is for: the identifier of an ICMP echo, and for an ICMP error the port
// that sent the packet it speaks of, with that packet's protocol. The port is 0
// if there is none.
func LocalPort(pkt []byte) (proto uint8, port uint16) {
	var h header
	if h.parse(0, pkt) != fabric.FaultNone {
		return 0, 0
	}
	switch {
	case h.icmpError:
		if inner, _, ok := quoted(pkt[h.l4+8:h.end], h.v6); ok {
			return inner.proto(), inner.sport()
		}
		return h.key.proto(), 0
	case h.key.isICMP():
		return h.key.proto(), h.key.sport()
	default:
		return h.key.proto(), h.key.dport()
	}
}
