package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// First returns the bytes of a packet that begins a flow: a TCP SYN, a UDP
// datagram, an ICMP echo request with identifier 1, or the bare IP packet of
// another protocol. Source and destination must be of one family.
func First(p fabric.Packet) []byte { return craft(p, tcpSYN, icmpEchoRequest, icmp6EchoRequest, 1) }

// Answer returns the bytes of a packet that answers one, with p's source the
// one who answers: SYN with ACK, a datagram, an echo reply.
func Answer(p fabric.Packet) []byte {
	return craft(p, tcpSYN|tcpACK, icmpEchoReply, icmp6EchoReply, 1)
}

// Datagram returns the bytes of a UDP packet with a payload.
func Datagram(p fabric.Packet, payload []byte) []byte {
	b := append(ipHeader(p, 8+len(payload)), make([]byte, 8)...)
	l4 := len(b) - 8
	binary.BigEndian.PutUint16(b[l4:], p.SrcPort)
	binary.BigEndian.PutUint16(b[l4+2:], p.DstPort)
	binary.BigEndian.PutUint16(b[l4+4:], uint16(8+len(payload)))
	b = append(b, payload...)
	sum := ^uint16(transportSum(b, l4, fabric.ProtoUDP))
	if sum == 0 {
		sum = 0xffff // zero would mean no checksum
	}
	binary.BigEndian.PutUint16(b[l4+6:], sum)
	return b
}

// Payload returns what a UDP packet carries.
func Payload(pkt []byte) ([]byte, bool) {
	var h header
	if h.parse(0, pkt) != fabric.FaultNone || h.key.proto() != fabric.ProtoUDP {
		return nil, false
	}
	return pkt[h.l4+8 : h.end], true
}

func craft(p fabric.Packet, flags, icmp4, icmp6 uint8, id uint16) []byte {
	var t []byte
	var checksum int // offset of the transport checksum; negative: none
	switch p.Proto {
	case fabric.ProtoTCP:
		t, checksum = make([]byte, 20), 16
		t[12], t[13] = 5<<4, flags
		binary.BigEndian.PutUint16(t[14:], 65535)
	case fabric.ProtoUDP:
		t, checksum = make([]byte, 8), 6
		binary.BigEndian.PutUint16(t[4:], 8)
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		t, checksum = make([]byte, 8), 2
		t[0] = icmp4
		if p.Proto == fabric.ProtoICMPv6 {
			t[0] = icmp6
		}
		binary.BigEndian.PutUint16(t[4:], id)
	default:
		checksum = -1
	}
	if p.HasPorts() {
		binary.BigEndian.PutUint16(t, p.SrcPort)
		binary.BigEndian.PutUint16(t[2:], p.DstPort)
	}
	b := append(ipHeader(p, len(t)), t...)
	if checksum >= 0 {
		l4 := len(b) - len(t)
		sum := ^uint16(transportSum(b, l4, p.Proto))
		if sum == 0 && p.Proto == fabric.ProtoUDP {
			sum = 0xffff
		}
		binary.BigEndian.PutUint16(b[l4+checksum:], sum)
	}
	return b
}

func ipHeader(p fabric.Packet, payload int) []byte {
	if p.Src.Is4() {
		b := make([]byte, 20, 20+payload)
		b[0], b[8], b[9] = 4<<4|5, 64, p.Proto
		binary.BigEndian.PutUint16(b[2:], uint16(20+payload))
		src, dst := p.Src.As4(), p.Dst.As4()
		copy(b[12:], src[:])
		copy(b[16:], dst[:])
		binary.BigEndian.PutUint16(b[10:], ^uint16(sumWords(b)))
		return b
	}
	b := make([]byte, 40, 40+payload)
	b[0], b[6], b[7] = 6<<4, p.Proto, 64
	binary.BigEndian.PutUint16(b[4:], uint16(payload))
	src, dst := p.Src.As16(), p.Dst.As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
	return b
}

// transportSum returns the one's complement sum of a packet from its transport
// header on, with the pseudo-header where the protocol has one (RFC 9293
// section 3.1, RFC 768, RFC 8200 section 8.1).
func transportSum(b []byte, l4 int, proto uint8) uint32 {
	sum := sumWords(b[l4:])
	if b[0]>>4 == 4 && proto == fabric.ProtoICMP {
		return sum
	}
	addrs := b[12:20]
	if b[0]>>4 == 6 {
		addrs = b[8:40]
	}
	sum += sumWords(addrs) + uint32(proto) + uint32(len(b)-l4)
	sum = sum&0xffff + sum>>16
	return sum&0xffff + sum>>16
}

// Echo turns an ICMP echo request into its reply, in place, and reports
// whether the packet was one.
func Echo(pkt []byte) bool {
	var h header
	if h.parse(0, pkt) != fabric.FaultNone || !h.key.isICMP() || h.key.dport() != icmpRequest {
		return false
	}
	to := h.key
	to.src, to.dst = to.dst, to.src
	turn := newEdit(h.key, to)
	t := pkt[h.l4:]
	kind := uint16(t[0])<<8 | uint16(t[1])
	switch t[0] {
	case icmpEchoRequest:
		t[0] = icmpEchoReply
	case icmp6EchoRequest:
		t[0] = icmp6EchoReply
	default:
		return false
	}
	turn.ports = wordDiff(kind, uint16(t[0])<<8|uint16(t[1]))
	turn.apply(pkt[:h.end], h.l4, h.key.proto(), h.v6, false)
	return true
}
