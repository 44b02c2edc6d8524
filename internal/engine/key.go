package engine

import (
	"math/bits"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxPorts is how many ports a key can tell apart.
const maxPorts = 1 << 23

// byPlatform is set in the key of a packet that the platform sends to a port,
// rather than the port: one that the port forges is another flow.
const byPlatform = 1 << 23

// What stands for the destination port in the key of an ICMP message. A
// request and the reply to it are the two directions of one flow; a request
// the other way with the same identifier is another flow.
const (
	icmpRequest = 1
	icmpReply   = 2
	icmpOther   = 0x100 // plus the type
)

// key identifies one direction of a flow: the port where its packets enter and
// their five-tuple. ICMP has the identifier as source port and the kind of
// message as destination port, which rules never see.
type key struct {
	src, dst fabric.Value
	tail     uint64 // source port, destination port, protocol, by the platform, port: 16, 16, 8, 1, 23 bits
}

func tail(sport, dport uint16, proto uint8, at fabric.PortID) uint64 {
	return uint64(sport)<<48 | uint64(dport)<<32 | uint64(proto)<<24 | uint64(uint32(at))&(maxPorts-1)
}

func (k key) at() fabric.PortID { return fabric.PortID(k.tail & (maxPorts - 1)) }
func (k key) platform() bool    { return k.tail&byPlatform != 0 }
func (k key) proto() uint8      { return uint8(k.tail >> 24) }
func (k key) sport() uint16     { return uint16(k.tail >> 48) }
func (k key) dport() uint16     { return uint16(k.tail >> 32) }
func (k key) v6() bool          { return !is4(k.src) }

func (k key) isICMP() bool {
	return k.proto() == fabric.ProtoICMP || k.proto() == fabric.ProtoICMPv6
}

// moved returns the key of the same packet entering at another port.
func (k key) moved(at fabric.PortID) key {
	k.tail = k.tail&^(byPlatform|maxPorts-1) | uint64(uint32(at))&(maxPorts-1)
	return k
}

// from returns the key with another source port, or identifier.
func (k key) from(sport uint16) key {
	k.tail = k.tail&^(0xffff<<48) | uint64(sport)<<48
	return k
}

// reverse returns the key of the opposite direction, entering at a port.
func (k key) reverse(at fabric.PortID) key {
	x, y := k.dport(), k.sport()
	if k.isICMP() {
		x, y = k.sport(), k.dport()
		switch y {
		case icmpRequest:
			y = icmpReply
		case icmpReply:
			y = icmpRequest
		}
	}
	return key{src: k.dst, dst: k.src, tail: tail(x, y, k.proto(), at)}
}

// packet returns the five-tuple as rules see it.
func (k key) packet() fabric.Packet {
	p := fabric.Packet{Src: addr(k.src), Dst: addr(k.dst), Proto: k.proto()}
	if p.HasPorts() {
		p.SrcPort, p.DstPort = k.sport(), k.dport()
	}
	return p
}

// with returns the key of a packet that began as k and was rewritten to p, with
// k's port and, for protocols without ports, k's identifier.
func (k key) with(p fabric.Packet) key {
	x, y := k.sport(), k.dport()
	if p.HasPorts() {
		x, y = p.SrcPort, p.DstPort
	}
	return key{src: fabric.AddrValue(p.Src), dst: fabric.AddrValue(p.Dst), tail: tail(x, y, p.Proto, k.at())}
}

// equal is ==, word by word: cheaper than the call the compiler makes of it.
func (k *key) equal(o *key) bool {
	return k.tail == o.tail && k.src.Lo == o.src.Lo && k.dst.Lo == o.dst.Lo && k.src.Hi == o.src.Hi && k.dst.Hi == o.dst.Hi
}

// hash mixes the key by folded 64x64-bit multiplications.
func (k *key) hash() uint32 {
	const a, b, c, d = 0x9e3779b97f4a7c15, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3
	hi, lo := bits.Mul64(k.src.Lo^a, k.dst.Lo^b)
	h := hi ^ lo
	if k.src.Hi|k.dst.Hi != 0 { // IPv6
		hi, lo = bits.Mul64(k.src.Hi^c, k.dst.Hi^d)
		h ^= hi ^ lo
	}
	hi, lo = bits.Mul64(k.tail^b, h^a)
	h = hi ^ lo
	return uint32(h>>32) ^ uint32(h)
}

func value4(a uint32) fabric.Value { return fabric.Value{Lo: 0xffff<<32 | uint64(a)} }

func is4(v fabric.Value) bool { return v.Hi == 0 && v.Lo>>32 == 0xffff }

func addr(v fabric.Value) netip.Addr { return v.Addr() }
