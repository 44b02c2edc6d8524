package live

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

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
	port       fabric.PortID
	dispatcher stack.NetworkDispatcher
}

var _ stack.LinkEndpoint = (*link)(nil)

// WritePackets implements [stack.LinkWriter].
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		// Multicast (neighbour and group chatter) has no meaning here.
		v := pkt.ToView()
		if multicast(v.AsSlice()) {
			v.Release()
			continue
		}
		l.wire.send(l, v)
	}
	return pkts.Len(), nil
}

// deliver hands a packet to the stack; it owns the view.
func (l *link) deliver(v *buffer.View) {
	proto := ipv4.ProtocolNumber
	if v.AsSlice()[0]>>4 == 6 {
		proto = ipv6.ProtocolNumber
	}
	if l.dispatcher == nil {
		v.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	l.dispatcher.DeliverNetworkPacket(proto, pkt)
	pkt.DecRef()
}

func multicast(b []byte) bool {
	return len(b) >= 20 && b[0]>>4 == 4 && b[16] >= 224 || len(b) >= 40 && b[0]>>4 == 6 && b[24] == 0xff
}

// Attach implements [stack.NetworkLinkEndpoint].
func (l *link) Attach(d stack.NetworkDispatcher) { l.dispatcher = d }

// IsAttached implements [stack.NetworkLinkEndpoint].
func (l *link) IsAttached() bool { return l.dispatcher != nil }

// MTU implements [stack.NetworkLinkEndpoint].
func (l *link) MTU() uint32 { return mtu }

// The rest of [stack.LinkEndpoint]: a link without addresses or headers.

func (l *link) SetMTU(uint32)                                {}
func (l *link) MaxHeaderLength() uint16                      { return 0 }
func (l *link) LinkAddress() tcpip.LinkAddress               { return "" }
func (l *link) SetLinkAddress(tcpip.LinkAddress)             {}
func (l *link) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (l *link) Wait()                                        {}
func (l *link) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (l *link) AddHeader(*stack.PacketBuffer)                {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (l *link) Close()                                       {}
func (l *link) SetOnCloseAction(func())                      {}
