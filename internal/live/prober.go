package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// proberPort is the first port that health probes come from: packets of members
// to it and above are answers to probes, those below are for the platform's
// services.
const proberPort = 49152

// proberWait is how long the prober remembers a closed connection. It would be
// a minute, and thousands of probes would wait for their ports.
const proberWait = time.Second

// prober is the end of the platform that asks members whether they are well:
// one TCP/IP stack with the address 168.63.129.16 on an interface for each
// member, so that members with equal addresses in different networks are told
// apart.
type prober struct {
	net *Network

	mu    sync.Mutex
	stack *stack.Stack
	nics  map[*link]*probeLink
	last  tcpip.NICID
}

// probeLink leads from the prober to a member's interface.
type probeLink struct {
	link
	to *link
	id tcpip.NICID
}

// WritePackets implements [stack.LinkWriter]: the platform sends to the port.
func (l *probeLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		l.to.wire.enqueue(sent{from: l.to, view: pkt.ToView(), offload: offload(pkt), platform: true})
	}
	return pkts.Len(), nil
}

// take hands over a packet that a member sent to the platform, if it is an
// answer to a probe; the packet stays the caller's.
func (p *prober) take(from *link, f *engine.Frame) bool {
	proto, port := engine.LocalPort(f.Packet)
	if proto != fabric.ProtoTCP || port < proberPort {
		return false
	}
	p.mu.Lock()
	l := p.nics[from]
	p.mu.Unlock()
	if l != nil {
		l.deliver(buffer.NewViewWithData(f.Packet), f.Offload)
	}
	return true
}

// to returns the interface that leads to a member.
func (p *prober) to(member *link) (*stack.Stack, *probeLink, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.net.closed:
		return nil, nil, ErrClosed
	default:
	}
	if p.stack == nil {
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		})
		wait := tcpip.TCPTimeWaitTimeoutOption(proberWait)
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &wait); err != nil {
			s.Destroy()
			return nil, nil, stackError(err)
		}
		if err := s.SetPortRange(proberPort, 0xffff); err != nil {
			s.Destroy()
			return nil, nil, stackError(err)
		}
		p.stack, p.nics = s, map[*link]*probeLink{}
	}
	if l := p.nics[member]; l != nil {
		return p.stack, l, nil
	}
	p.last++
	l := &probeLink{link: link{wire: member.wire}, to: member, id: p.last}
	if err := p.stack.CreateNIC(l.id, l); err != nil {
		return nil, nil, stackError(err)
	}
	if err := addAddr(p.stack, l.id, resolver.Addr()); err != nil {
		return nil, nil, err
	}
	p.stack.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: l.id})
	p.nics[member] = l
	return p.stack, l, nil
}

// close ends the stack.
func (p *prober) close() {
	p.mu.Lock()
	s := p.stack
	p.stack, p.nics = nil, nil
	p.mu.Unlock()
	if s != nil {
		s.Destroy()
	}
}

// ask asks a member once and returns why it is not well, or "". The connection
// is really opened, the request really sent; of HTTPS the certificate is not
// verified.
func (p *prober) ask(ctx context.Context, member *link, probe *fabric.Probe, addr netip.Addr) string {
	err := p.exchange(ctx, member, probe, netip.AddrPortFrom(addr, probe.Port))
	var status badStatus
	switch {
	case err == nil:
		return ""
	case errors.As(err, &status):
		return string(status)
	case errors.Is(err, ErrRefused):
		return fmt.Sprintf("port %d refuses the connection", probe.Port)
	case errors.Is(err, ErrClosed):
		return err.Error()
	case ctx.Err() != nil:
		return fmt.Sprintf("no answer at port %d", probe.Port)
	default:
		return err.Error()
	}
}

// badStatus is the error of an answer other than 200.
type badStatus string

func (s badStatus) Error() string { return string(s) }

func (p *prober) exchange(ctx context.Context, member *link, probe *fabric.Probe, to netip.AddrPort) error {
	raw, err := p.dial(ctx, member, to)
	if err != nil {
		return err
	}
	defer raw.Close()
	if probe.Kind == fabric.ProbeTCP {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := raw
	if probe.Kind == fabric.ProbeHTTPS {
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // as Azure's probes do
		if err := t.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("no TLS at port %d: %w", probe.Port, err)
		}
		c = t
	}
	path := probe.Path
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String()+path, nil)
	if err != nil {
		return badStatus(fmt.Sprintf("the path %q cannot be asked for: %v", probe.Path, err))
	}
	req.Header.Set("User-Agent", "Load Balancer Agent")
	req.Close = true
	if err := req.Write(c); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return fmt.Errorf("no response at port %d: %w", probe.Port, err)
	}
	defer res.Body.Close()
	if why := judgeStatus(res.StatusCode); why != "" {
		return badStatus(fmt.Sprintf("GET %s: %s", path, why))
	}
	return nil
}

// dial opens a connection from the platform to a member.
func (p *prober) dial(ctx context.Context, member *link, to netip.AddrPort) (net.Conn, error) {
	s, l, err := p.to(member)
	if err != nil {
		return nil, err
	}
	var queue waiter.Queue
	ep, terr := s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	if terr != nil {
		return nil, stackError(terr)
	}
	if terr := ep.SocketOptions().SetBindToDevice(int32(l.id)); terr != nil {
		ep.Close()
		return nil, stackError(terr)
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	queue.EventRegister(&entry)
	defer queue.EventUnregister(&entry)
	full := fullAddr(to)
	full.NIC = l.id
	terr = ep.Connect(full)
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			ep.Abort()
			return nil, ctx.Err()
		case <-p.net.closed:
			ep.Abort()
			return nil, ErrClosed
		case <-ready:
		}
		terr = ep.LastError()
	}
	switch terr.(type) {
	case nil:
		return newConnection(gonet.NewTCPConn(&queue, ep), netip.AddrPort{}, to), nil
	case *tcpip.ErrConnectionRefused:
		ep.Close()
		return nil, ErrRefused
	default:
		ep.Close()
		return nil, stackError(terr)
	}
}
