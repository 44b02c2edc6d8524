package observe

import (
	"encoding/binary"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Headers are what can be read of a packet's headers. Unlike the engine, which
// must be strict, it reads as much as there is of a damaged packet.
type Headers struct {
	Packet fabric.Packet
	// Ports says that the transport header was there to read ports from.
	Ports bool
	// Fragment says that the packet is a fragment other than the first.
	Fragment bool
	// Length is the length of the packet by its own account; bytes after it are
	// padding.
	Length int
	// Payload is how many bytes follow the transport header, by the packet's own
	// account; negative if the header is cut off.
	Payload  int
	TCP      uint8 // flags (RFC 9293 section 3.1)
	Seq, Ack uint32
	Window   uint16
	// Type, Code, ID and Number are of an ICMP message; the last two of echoes.
	Type, Code uint8
	ID, Number uint16
}

// Read reads the headers of an IP packet. It reports false if there is not even
// an IP header.
func Read(b []byte) (h Headers, ok bool) {
	h.Payload = -1
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		ihl := int(b[0]&15) * 4
		h.Packet.Proto = b[9]
		h.Packet.Src, h.Packet.Dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		h.Length = int(binary.BigEndian.Uint16(b[2:]))
		h.Fragment = binary.BigEndian.Uint16(b[6:])&0x1fff != 0
		if ihl >= 20 && ihl <= len(b) && !h.Fragment {
			h.transport(b[ihl:], h.Length-ihl)
		}
		return h, true
	case len(b) >= 40 && b[0]>>4 == 6:
		h.Packet.Proto = b[6]
		h.Packet.Src, h.Packet.Dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		h.Length = 40 + int(binary.BigEndian.Uint16(b[4:]))
		h.extensions(b)
		return h, true
	default:
		return h, false
	}
}

// extensions passes the extension headers of IPv6 (RFC 8200 section 4).
func (h *Headers) extensions(b []byte) {
	const hopByHop, routing, fragment, destination, most = 0, 43, 44, 60, 8
	at := 40
	for range most {
		next := h.Packet.Proto
		size := 8
		switch next {
		case hopByHop, routing, destination:
			if at+2 > len(b) {
				return
			}
			size = (int(b[at+1]) + 1) * 8
		case fragment:
			if at+8 > len(b) {
				return
			}
			h.Fragment = binary.BigEndian.Uint16(b[at+2:])&^7 != 0
		default:
			if !h.Fragment {
				h.transport(b[min(at, len(b)):], h.Length-at)
			}
			return
		}
		if at+size > len(b) {
			return
		}
		h.Packet.Proto, at = b[at], at+size
	}
}

// transport reads the transport header; n is its length with the payload, by
// the packet's own account.
func (h *Headers) transport(b []byte, n int) {
	switch h.Packet.Proto {
	case fabric.ProtoTCP, fabric.ProtoUDP:
		if len(b) < 4 {
			return
		}
		h.Ports = true
		h.Packet.SrcPort, h.Packet.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if h.Packet.Proto == fabric.ProtoUDP {
			h.Payload = n - 8
			return
		}
		if len(b) < 20 {
			return
		}
		h.Seq, h.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		h.TCP, h.Window = b[13], binary.BigEndian.Uint16(b[14:])
		h.Payload = n - int(b[12]>>4)*4
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		if len(b) < 8 {
			return
		}
		h.Type, h.Code = b[0], b[1]
		h.ID, h.Number = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
		h.Payload = n - 8
	default:
		h.Payload = n
	}
}
