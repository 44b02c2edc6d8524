package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// How much of a packet an ICMP error quotes: the error is at most 576 bytes long
// (RFC 1812 section 4.3.2.3), or 1,280 (RFC 4443 section 2.4).
const (
	quote4 = 576 - 20 - 8
	quote6 = 1280 - 40 - 8
)

// Unreachable returns the ICMP error that refuses a datagram: port unreachable
// (RFC 792, RFC 4443 section 3.1), from the datagram's destination. It returns
// nil for a packet that does not parse, or that no error may be about.
func Unreachable(pkt []byte) []byte {
	return report(pkt, icmpUnreachable, 3, icmp6Unreachable, 4, 0)
}

// HostUnreachable returns the ICMP error that nobody has a packet's destination:
// host unreachable (RFC 792), address unreachable (RFC 4443 section 3.1). It
// comes from the packet's destination, and is nil as for [Unreachable].
func HostUnreachable(pkt []byte) []byte {
	return report(pkt, icmpUnreachable, 1, icmp6Unreachable, 3, 0)
}

// TooBig returns the ICMP error that tells the sender of a packet how long one
// may be, mtu bytes with its IP header: fragmentation needed (RFC 792, RFC 1191
// section 4) or packet too big (RFC 4443 section 3.2). It comes from the packet's
// destination, and is nil as for [Unreachable].
func TooBig(pkt []byte, mtu int) []byte {
	return report(pkt, icmpUnreachable, 4, icmp6TooBig, 0, uint32(mtu))
}

// report returns an ICMP error about a packet, with its type and code in either
// family and the word after its checksum. There are none about errors, lest they
// go on for ever (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
func report(pkt []byte, type4, code4, type6, code6 uint8, rest uint32) []byte {
	var h header
	if h.parse(0, pkt) != fabric.FaultNone || h.icmpError {
		return nil
	}
	p := fabric.Packet{Src: addr(h.key.dst), Dst: addr(h.key.src), Proto: fabric.ProtoICMP}
	kind, code, quote := type4, code4, pkt[:min(h.end, quote4)]
	if h.v6 {
		p.Proto, kind, code, quote = fabric.ProtoICMPv6, type6, code6, pkt[:min(h.end, quote6)]
	}
	b := append(ipHeader(p, 8+len(quote)), kind, code, 0, 0)
	b = binary.BigEndian.AppendUint32(b, rest)
	l4 := len(b) - 8
	b = append(b, quote...)
	binary.BigEndian.PutUint16(b[l4+2:], ^uint16(transportSum(b, l4, p.Proto)))
	return b
}
