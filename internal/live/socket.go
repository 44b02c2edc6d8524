package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// backlog is how many connections may wait to be accepted.
const backlog = 4096

// ErrRefused is the error of a connection that the destination host refused:
// the network delivered the packets both ways.
var ErrRefused = errors.New("connection refused")

// open makes a bound endpoint, and returns the flow its packets will open and
// the link it leaves by. local may be zero for the host's own choice.
func (h *Host) open(transport tcpip.TransportProtocolNumber, local, remote netip.AddrPort) (*socket, error) {
	s, err := h.up()
	if err != nil {
		return nil, err
	}
	if !local.Addr().IsValid() {
		a, err := h.local(remote.Addr())
		if err != nil {
			return nil, err
		}
		local = netip.AddrPortFrom(a, local.Port())
	}
	x := &socket{host: h, link: h.linkOf(local.Addr())}
	ep, terr := s.NewEndpoint(transport, protocolOf(remote.Addr()), &x.queue)
	if terr != nil {
		return nil, stackError(terr)
	}
	if terr := ep.Bind(fullAddr(local)); terr != nil {
		ep.Close()
		return nil, fmt.Errorf("bind %s: %s", local, terr)
	}
	bound, terr := ep.GetLocalAddress()
	if terr != nil {
		ep.Close()
		return nil, stackError(terr)
	}
	x.ep = ep
	x.packet = fabric.Packet{Src: local.Addr(), Dst: remote.Addr(), SrcPort: bound.Port, DstPort: remote.Port(), Proto: uint8(transport)}
	if !x.packet.HasPorts() {
		x.packet.SrcPort, x.packet.DstPort = 0, 0
	}
	return x, nil
}

// socket is a bound endpoint of a host's stack.
type socket struct {
	host   *Host
	link   *link
	ep     tcpip.Endpoint
	queue  waiter.Queue
	packet fabric.Packet
}

// dialTCP connects. It fails at once when the network denies a packet of the
// handshake, unless the network drops silently.
func (h *Host) dialTCP(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	x, err := h.open(tcp.ProtocolNumber, local, remote)
	if err != nil {
		return nil, err
	}
	watch := h.net.wire.watchFlow(x.link, x.packet, nil)
	defer h.net.wire.unwatch(watch)
	return x.connect(ctx, watch)
}

func (x *socket) connect(ctx context.Context, watch *watcher) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		x.ep.Close()
		return nil, err
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	x.queue.EventRegister(&entry)
	defer x.queue.EventUnregister(&entry)
	told := watch.told
	if x.host.net.opts.SilentDrops {
		told = nil
	}
	terr := x.ep.Connect(fullAddr(netip.AddrPortFrom(x.packet.Dst, x.packet.DstPort)))
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			x.ep.Abort()
			return nil, ctx.Err()
		case <-x.host.net.closed:
			x.ep.Abort()
			return nil, ErrClosed
		case <-told:
			x.ep.Abort()
			return nil, watch.err
		case <-ready:
		}
		terr = x.ep.LastError()
	}
	switch terr.(type) {
	case nil:
		return newConnection(gonet.NewTCPConn(&x.queue, x.ep), netip.AddrPortFrom(x.packet.Src, x.packet.SrcPort), netip.AddrPortFrom(x.packet.Dst, x.packet.DstPort)), nil
	case *tcpip.ErrConnectionRefused:
		x.ep.Close()
		return nil, ErrRefused
	case *tcpip.ErrConnectionAborted:
		x.ep.Close()
		return nil, ErrClosed
	default:
		x.ep.Close()
		return nil, stackError(terr)
	}
}

// Listen announces on a TCP address of the host; an empty or unspecified
// address means all of them, port 0 a free port.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	proto, family, err := splitNetwork(network)
	if err != nil || proto != "tcp" {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	s, err := h.up()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	local, err := h.parseLocal(family, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l, err := listen(s, local, family)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: fmt.Errorf("%s on %s: %w", address, h.Name, err)}
	}
	return l, nil
}

func listen(s *stack.Stack, local netip.AddrPort, family int) (net.Listener, error) {
	var queue waiter.Queue
	ep, terr := s.NewEndpoint(tcp.ProtocolNumber, listenProtocol(local, family), &queue)
	if terr != nil {
		return nil, stackError(terr)
	}
	if terr := ep.Bind(fullAddr(local)); terr != nil {
		ep.Close()
		return nil, stackError(terr)
	}
	if terr := ep.Listen(backlog); terr != nil {
		ep.Close()
		return nil, stackError(terr)
	}
	return &listener{gonet.NewTCPListener(s, &queue, ep)}, nil
}

// ListenPacket announces on a UDP address of the host.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	proto, family, err := splitNetwork(network)
	if err != nil || proto != "udp" {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	s, err := h.up()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	local, err := h.parseLocal(family, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return listenPacket(s, local, family)
}

func listenPacket(s *stack.Stack, local netip.AddrPort, family int) (net.PacketConn, error) {
	full := fullAddr(local)
	return gonet.DialUDP(s, &full, nil, listenProtocol(local, family))
}

// listenProtocol is IPv6 for the unspecified address, which then takes both
// families.
func listenProtocol(local netip.AddrPort, family int) tcpip.NetworkProtocolNumber {
	if family == 4 || local.Addr().Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

func (h *Host) parseLocal(family int, address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, uint16(n)), nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen on an IP address: %w", err)
	}
	if family != 0 && a.Is4() != (family == 4) {
		return netip.AddrPort{}, fmt.Errorf("%s is no IPv%d address", a, family)
	}
	if a.IsUnspecified() {
		a = netip.Addr{}
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// dialUDP makes a connected datagram socket.
func (h *Host) dialUDP(remote netip.AddrPort) (net.Conn, error) {
	x, err := h.open(udp.ProtocolNumber, netip.AddrPort{}, remote)
	if err != nil {
		return nil, err
	}
	if terr := x.ep.Connect(fullAddr(remote)); terr != nil {
		x.ep.Close()
		return nil, stackError(terr)
	}
	return newDatagrams(x), nil
}

// Ping sends one ICMP echo request and returns the time until its reply.
func (h *Host) Ping(ctx context.Context, a netip.Addr) (time.Duration, error) {
	rtt, _, err := h.ping(ctx, a)
	return rtt, err
}

func (h *Host) ping(ctx context.Context, a netip.Addr) (time.Duration, *datagrams, error) {
	transport := icmp.ProtocolNumber4
	if a.Is6() {
		transport = icmp.ProtocolNumber6
	}
	x, err := h.open(transport, netip.AddrPort{}, netip.AddrPortFrom(a, 0))
	if err != nil {
		return 0, nil, fmt.Errorf("ping %s from %s: %w", a, h.Name, err)
	}
	if terr := x.ep.Connect(fullAddr(netip.AddrPortFrom(a, 0))); terr != nil {
		x.ep.Close()
		return 0, nil, fmt.Errorf("ping %s from %s: %s", a, h.Name, terr)
	}
	d := newDatagrams(x)
	defer d.Close()
	stop := context.AfterFunc(ctx, func() { _ = d.UDPConn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := echoRequest(uint8(transport))
	start := time.Now()
	if _, err := d.Write(b); err != nil {
		return 0, d, fmt.Errorf("ping %s from %s: %w", a, h.Name, err)
	}
	if _, err := d.Read(b); err != nil {
		if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil && d.news() == nil {
			err = ctx.Err()
		}
		return 0, d, fmt.Errorf("ping %s from %s: %w", a, h.Name, err)
	}
	return time.Since(start), d, nil
}

// echoRequest returns an ICMP message without identifier and checksum, which
// the socket fills in.
func echoRequest(proto uint8) []byte {
	b := make([]byte, header.ICMPv4MinimumSize+8)
	b[0] = byte(header.ICMPv4Echo)
	if proto == fabric.ProtoICMPv6 {
		b[0] = byte(header.ICMPv6EchoRequest)
	}
	binary.BigEndian.PutUint16(b[6:], 1)
	copy(b[8:], "cerulean")
	return b
}
