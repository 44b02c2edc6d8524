package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// TooBig returns the ICMP error that tells the sender of a packet how long one
// may be, from the packet's destination: fragmentation needed (RFC 792, RFC
// 1191 section 4) or packet too big (RFC 4443 section 3.2). It returns nil for a
// packet that does not parse.
func TooBig(pkt []byte, mtu int) []byte {
	const most = 512 // of the packet quoted
	var h header
	if h.parse(0, pkt) != fabric.FaultNone {
		return nil
	}
	p := fabric.Packet{Src: addr(h.key.dst), Dst: addr(h.key.src), Proto: fabric.ProtoICMP}
	quote := pkt[:min(h.end, most)]
	b := ipHeader(p, 8+len(quote))
	if h.v6 {
		p.Proto = fabric.ProtoICMPv6
		b = binary.BigEndian.AppendUint32(append(ipHeader(p, 8+len(quote)), 2, 0, 0, 0), uint32(mtu))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, icmpUnreachable, 4, 0, 0, 0, 0), uint16(mtu))
	}
	l4 := len(b) - 8
	b = append(b, quote...)
	binary.BigEndian.PutUint16(b[l4+2:], ^uint16(transportSum(b, l4, p.Proto)))
	return b
}
