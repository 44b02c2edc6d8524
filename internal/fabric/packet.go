package fabric

import (
	"fmt"
	"net/netip"
)

// Protocol numbers (IANA).
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoESP    = 50
	ProtoAH     = 51
	ProtoICMPv6 = 58
)

// Field is one of the five fields rules match on.
type Field uint8

// The fields, in the order of [Rule.Match].
const (
	Src Field = iota
	Dst
	SrcPort
	DstPort
	Proto
	NumFields
)

// String returns the field's name for people.
func (f Field) String() string {
	return [...]string{"source", "destination", "source port", "destination port", "protocol"}[f]
}

// Packet is the five-tuple of a packet. Protocols without ports have both
// ports zero. Packets are comparable.
type Packet struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Proto            uint8
}

// Field returns one field as a value.
func (p Packet) Field(f Field) Value {
	switch f {
	case Src:
		return AddrValue(p.Src)
	case Dst:
		return AddrValue(p.Dst)
	case SrcPort:
		return Num(p.SrcPort)
	case DstPort:
		return Num(p.DstPort)
	default:
		return Num(uint16(p.Proto))
	}
}

// Reverse returns the packet of the opposite direction.
func (p Packet) Reverse() Packet {
	return Packet{Src: p.Dst, Dst: p.Src, SrcPort: p.DstPort, DstPort: p.SrcPort, Proto: p.Proto}
}

// HasPorts reports whether the protocol carries ports the rules can see.
func (p Packet) HasPorts() bool { return p.Proto == ProtoTCP || p.Proto == ProtoUDP }

// ProtoName returns "tcp", "udp", "icmp" and so on, or the number.
func ProtoName(proto uint8) string {
	switch proto {
	case ProtoICMP:
		return "icmp"
	case ProtoTCP:
		return "tcp"
	case ProtoUDP:
		return "udp"
	case ProtoESP:
		return "esp"
	case ProtoAH:
		return "ah"
	case ProtoICMPv6:
		return "icmpv6"
	default:
		return fmt.Sprintf("proto-%d", proto)
	}
}

// String formats the packet as "tcp 10.0.0.4:50000 > 10.1.0.4:443".
func (p Packet) String() string {
	if !p.HasPorts() {
		return fmt.Sprintf("%s %s > %s", ProtoName(p.Proto), p.Src, p.Dst)
	}
	return fmt.Sprintf("%s %s > %s", ProtoName(p.Proto),
		netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort))
}

// NeedsSession reports whether a stateful device refuses a reply of the
// protocol when it never saw the flow begin. A datagram of any other protocol
// looks to it like a new flow.
func NeedsSession(proto uint8) bool {
	return proto == ProtoTCP || proto == ProtoICMP || proto == ProtoICMPv6
}
