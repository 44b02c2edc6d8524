package live

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// mtu is the inner MTU of an Azure virtual network.
const mtu = 1500

// link joins a network interface of a host's stack to the wire. It holds no
// queue of its own: gVisor may hold locks while it writes, so packets go to the
// wire's queue and come back on the wire's goroutine.
type link struct {
	wire *wire
	host *Host
	// port is where the interface is attached; None while the image does not
	// have it. Guarded by wire.mu.
	port fabric.PortID
	// device stands in the stack's place; nil if nothing does. Guarded by
	// wire.mu.
	device *attachment
	// dispatcher is the stack's side; nil before the stack has the link and after
	// it gave it up, which it does while the wire still delivers.
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

var (
	_ stack.LinkEndpoint = (*link)(nil)
	_ stack.GSOEndpoint  = (*link)(nil)
)

// maxSegment is the largest packet that a stack leaves unsegmented: what an IP
// header's length can say.
const maxSegment = 65535

// WritePackets implements [stack.LinkWriter].
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		// Multicast (neighbour and group chatter) has no meaning here.
		v := pkt.ToView()
		if multicast(v.AsSlice()) {
			v.Release()
			continue
		}
		l.wire.enqueue(sent{from: l, view: v, offload: offload(pkt)})
	}
	return pkts.Len(), nil
}

// offload is what a stack leaves undone in a packet.
func offload(pkt *stack.PacketBuffer) (o engine.Offload) {
	g := &pkt.GSOOptions
	if g.Type == stack.GSONone || g.Type == stack.GSOGvisor {
		return o
	}
	o.Partial = g.NeedsCsum
	if pkt.Data().Size() > int(g.MSS) {
		o.Segment = g.MSS
	}
	return o
}

// deliver hands a packet to the stack; it owns the view. The stack takes every
// checksum for verified: that of a packet which never left a stack or a program's
// kernel is partial, and there is nothing to verify.
func (l *link) deliver(v *buffer.View, o engine.Offload) {
	proto := ipv4.ProtocolNumber
	if v.AsSlice()[0]>>4 == 6 {
		proto = ipv6.ProtocolNumber
	}
	d := l.dispatcher.Load()
	if d == nil || !o.Partial && !intact(v.AsSlice()) {
		v.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	(*d).DeliverNetworkPacket(proto, pkt)
	pkt.DecRef()
}

func multicast(b []byte) bool {
	return len(b) >= 20 && b[0]>>4 == 4 && b[16] >= 224 || len(b) >= 40 && b[0]>>4 == 6 && b[24] == 0xff
}

// Attach implements [stack.NetworkLinkEndpoint].
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.dispatcher.Store(nil)
		return
	}
	l.dispatcher.Store(&d)
}

// IsAttached implements [stack.NetworkLinkEndpoint].
func (l *link) IsAttached() bool { return l.dispatcher.Load() != nil }

// MTU implements [stack.NetworkLinkEndpoint].
func (l *link) MTU() uint32 { return mtu }

// Capabilities implements [stack.NetworkLinkEndpoint]: deliver verifies checksums.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// intact reports whether the checksums of a packet's IP header and of TCP or UDP
// are right, as far as there are any.
func intact(b []byte) bool {
	var proto tcpip.TransportProtocolNumber
	var src, dst tcpip.Address
	var t []byte
	switch {
	case len(b) >= header.IPv4MinimumSize && b[0]>>4 == 4:
		h := header.IPv4(b)
		if !h.IsValid(len(b)) || !h.IsChecksumValid() {
			return false
		}
		if h.More() || h.FragmentOffset() != 0 {
			return true // the whole is not here
		}
		proto, src, dst, t = h.TransportProtocol(), h.SourceAddress(), h.DestinationAddress(), h.Payload()
	case len(b) >= header.IPv6MinimumSize && b[0]>>4 == 6:
		h := header.IPv6(b)
		if !h.IsValid(len(b)) {
			return false
		}
		// Behind extension headers the stack's own checks suffice.
		proto, src, dst, t = tcpip.TransportProtocolNumber(h.NextHeader()), h.SourceAddress(), h.DestinationAddress(), h.Payload()
	default:
		return false
	}
	switch {
	case proto == header.TCPProtocolNumber:
	case proto == header.UDPProtocolNumber && len(t) >= header.UDPMinimumSize:
		if t[6]|t[7] == 0 && src.Len() == header.IPv4AddressSize {
			return true // none (RFC 768)
		}
	default:
		return true
	}
	sum := header.PseudoHeaderChecksum(proto, src, dst, uint16(len(t)))
	return checksum.Checksum(t, sum) == 0xffff
}

// GSOMaxSize implements [stack.GSOEndpoint].
func (l *link) GSOMaxSize() uint32 { return maxSegment }

// SupportedGSO implements [stack.GSOEndpoint]: whoever takes a packet out of
// this process cuts it.
func (l *link) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// The rest of [stack.LinkEndpoint]: a link without addresses or headers.

func (l *link) SetMTU(uint32)                           {}
func (l *link) MaxHeaderLength() uint16                 { return 0 }
func (l *link) LinkAddress() tcpip.LinkAddress          { return "" }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) Wait()                                   {}
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *link) AddHeader(*stack.PacketBuffer)           {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *link) Close()                                  {}
func (l *link) SetOnCloseAction(func())                 {}
