package datapath

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/engine"
)

// The virtio network header without num_buffers (Virtual I/O Device 1.2,
// section 5.1.6): flags, gso_type, then hdr_len, gso_size, csum_start and
// csum_offset, 16 bits each in the machine's byte order, as packet(7) and TAP
// files have it.
const (
	virtioLen = 10
	etherLen  = 14
	headLen   = virtioLen + etherLen

	needsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM

	gsoNone = 0
	gsoTCP4 = 1
	gsoTCP6 = 4
	gsoUDP  = 5 // VIRTIO_NET_HDR_GSO_UDP_L4
	gsoECN  = 0x80
)

// readVirtio reads what a virtio header says about an IP packet behind an
// Ethernet header. Where a checksum is partial at another place than the
// packet's own transport header, it is completed. ok is false where the header
// contradicts the packet or says what an Offload cannot.
func readVirtio(head, pkt []byte) (o engine.Offload, ok bool) {
	_ = head[virtioLen-1]
	segment := head[1] &^ gsoECN
	if head[0]&needsChecksum == 0 {
		return o, segment == gsoNone // a segment always has its checksum to come
	}
	start := int(binary.NativeEndian.Uint16(head[6:])) - etherLen
	field := int(binary.NativeEndian.Uint16(head[8:]))
	if start < 20 || start+field+2 > len(pkt) {
		return o, false
	}
	at, proto, found := transport(pkt)
	where, has := checksumField(proto)
	if !found || !has || at != start || where != field {
		if segment != gsoNone {
			return o, false
		}
		c := fold(sum(0, pkt[start:]))
		if c == 0 {
			c = 0xffff // RFC 768: in a datagram, 0 means that there is no checksum
		}
		binary.BigEndian.PutUint16(pkt[start+field:], c)
		return o, true
	}
	o.Partial = true
	switch segment {
	case gsoNone:
		return o, true
	case gsoTCP4, gsoTCP6:
		o.Kind = engine.SegmentTCP
		if proto != protoTCP || segment == gsoTCP4 != (pkt[0]>>4 == 4) {
			return engine.Offload{}, false
		}
	case gsoUDP:
		o.Kind = engine.SegmentUDP
		if proto != protoUDP {
			return engine.Offload{}, false
		}
	default:
		return engine.Offload{}, false
	}
	o.Segment = binary.NativeEndian.Uint16(head[4:])
	return o, o.Segment > 0
}

// writeVirtio writes the header of an IP packet that will follow an Ethernet
// header. It returns false for a packet whose transport header cannot be found
// though its offload speaks of it.
func writeVirtio(head []byte, pkt []byte, o engine.Offload) bool {
	clear(head[:virtioLen])
	if o == (engine.Offload{}) {
		return true
	}
	at, proto, ok := transport(pkt)
	field, has := checksumField(proto)
	if !ok || !has || at+field+2 > len(pkt) {
		return false
	}
	if o.Partial {
		head[0] = needsChecksum
		binary.NativeEndian.PutUint16(head[6:], uint16(etherLen+at))
		binary.NativeEndian.PutUint16(head[8:], uint16(field))
	}
	if o.Segment == 0 {
		return true
	}
	headers := at + 8
	switch {
	case o.Kind == engine.SegmentTCP && proto == protoTCP:
		head[1] = gsoTCP6
		if pkt[0]>>4 == 4 {
			head[1] = gsoTCP4
		}
		if pkt[at+13]&0x80 != 0 { // CWR (RFC 3168): only the first segment keeps it
			head[1] |= gsoECN
		}
		headers = at + int(pkt[at+12]>>4)*4
	case o.Kind == engine.SegmentUDP && proto == protoUDP:
		head[1] = gsoUDP
	default:
		return false
	}
	if headers > len(pkt) || !o.Partial {
		return false
	}
	binary.NativeEndian.PutUint16(head[2:], uint16(etherLen+headers))
	binary.NativeEndian.PutUint16(head[4:], o.Segment)
	return true
}
