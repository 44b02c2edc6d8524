package live

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ceruleannet/cerulean/internal/engine"
)

// presence is the platform as one interface of a host sees it: a TCP/IP stack
// with every address of the platform's. Interfaces do not share one, since
// their addresses may be the same in different networks.
type presence struct {
	link  presenceLink
	stack *stack.Stack
	// used is when a packet last came; guarded by presences.mu.
	used time.Time
	open int // connections; guarded by presences.mu
}

// presenceLink leads from a presence to the interface.
type presenceLink struct {
	link
	to *link
	// own reports whether an address is the platform's own: the engine knows
	// flows with it. What answers in a service's place goes straight back.
	own func(netip.Addr) bool
}

// WritePackets implements [stack.LinkWriter].
func (l *presenceLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		v, o := pkt.ToView(), offload(pkt)
		p, _ := engine.Tuple(v.AsSlice())
		if l.own(p.Src) {
			l.to.wire.enqueue(sent{from: l.to, view: v, offload: o, platform: true})
		} else {
			l.to.wire.fly(flight{at: time.Now(), to: l.to, view: v, offload: o})
		}
	}
	return pkts.Len(), nil
}

// idlePresence is how long a presence without connections stays, and
// idleConnection how long a connection may say nothing.
const (
	idlePresence   = time.Minute
	idleConnection = 2 * time.Minute
)

// maxHandshakes bounds the connections of one presence that are being made.
const maxHandshakes = 256

// caller is who opened a connection to the platform.
type caller struct {
	link   *link
	remote netip.AddrPort // the caller
	local  netip.AddrPort // what it called
}

// presences are the platform's stacks, made when the first packet comes.
type presences struct {
	// accept says what to do with a connection: nil is silence.
	accept func(caller) func(net.Conn)
	own    func(netip.Addr) bool
	// run starts a function on a goroutine of the network's.
	run func(func())

	mu     sync.Mutex
	byLink map[*link]*presence
	conns  map[net.Conn]bool
	timer  *time.Timer
	closed bool
	served sync.WaitGroup
}

// deliver hands a TCP packet that an interface sent to its presence.
func (ps *presences) deliver(from *link, f *engine.Frame) {
	p := ps.of(from)
	if p == nil {
		return
	}
	p.link.deliver(buffer.NewViewWithData(f.Packet), f.Offload)
}

// of returns the presence at an interface, nil once the platform is closed.
func (ps *presences) of(at *link) *presence {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil
	}
	p := ps.byLink[at]
	if p == nil {
		ps.run(func() { p = ps.start(at) })
		if p == nil {
			return nil
		}
		if ps.byLink == nil {
			ps.byLink = map[*link]*presence{}
		}
		ps.byLink[at] = p
		if ps.timer == nil {
			ps.timer = time.AfterFunc(idlePresence, func() { ps.sweep(time.Now()) })
		}
	}
	p.used = time.Now()
	return p
}

// start makes the stack of a presence, which takes connections to any address.
func (ps *presences) start(at *link) *presence {
	p := &presence{}
	p.link = presenceLink{link: link{wire: at.wire}, to: at, own: ps.own}
	s, err := newPlatformStack(&p.link)
	if err != nil {
		return nil // as silent as a platform without services
	}
	p.stack = s
	forward := tcp.NewForwarder(s, 0, maxHandshakes, func(r *tcp.ForwarderRequest) { ps.called(p, at, r) })
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, forward.HandlePacket)
	return p
}

// called answers a request for a connection, or does not.
func (ps *presences) called(p *presence, at *link, r *tcp.ForwarderRequest) {
	id := r.ID()
	who := caller{
		link:   at,
		remote: netip.AddrPortFrom(addrOf(id.RemoteAddress), id.RemotePort),
		local:  netip.AddrPortFrom(addrOf(id.LocalAddress), id.LocalPort),
	}
	serve := ps.accept(who)
	if serve == nil {
		r.Complete(false)
		return
	}
	ps.mu.Lock()
	if ps.closed {
		ps.mu.Unlock()
		r.Complete(false)
		return
	}
	p.open++
	ps.served.Add(1)
	ps.mu.Unlock()
	defer func() {
		ps.mu.Lock()
		p.open--
		p.used = time.Now()
		ps.mu.Unlock()
		ps.served.Done()
	}()
	var queue waiter.Queue
	ep, terr := r.CreateEndpoint(&queue)
	r.Complete(false)
	if terr != nil {
		return
	}
	c := newConnection(gonet.NewTCPConn(&queue, ep), who.local, who.remote)
	ps.mu.Lock()
	if ps.closed {
		ps.mu.Unlock()
		ep.Abort()
		return
	}
	if ps.conns == nil {
		ps.conns = map[net.Conn]bool{}
	}
	ps.conns[c] = true
	ps.mu.Unlock()
	serve(c)
	_ = c.Close()
	ps.mu.Lock()
	delete(ps.conns, c)
	ps.mu.Unlock()
}

// sweep ends presences that nobody has used for a while.
func (ps *presences) sweep(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return
	}
	for at, p := range ps.byLink {
		if p.open == 0 && now.Sub(p.used) >= idlePresence {
			delete(ps.byLink, at)
			p.stack.Destroy()
		}
	}
	ps.timer = nil
	if len(ps.byLink) > 0 {
		ps.timer = time.AfterFunc(idlePresence, func() { ps.sweep(time.Now()) })
	}
}

// close ends every presence and waits for what serves connections.
func (ps *presences) close() {
	ps.mu.Lock()
	ps.closed = true
	if ps.timer != nil {
		ps.timer.Stop()
	}
	list := ps.byLink
	ps.byLink = nil
	for c := range ps.conns {
		_ = c.Close()
	}
	ps.mu.Unlock()
	for _, p := range list {
		p.stack.Destroy()
	}
	ps.served.Wait()
}

func addrOf(a tcpip.Address) netip.Addr {
	out, _ := netip.AddrFromSlice(a.AsSlice())
	return out.Unmap()
}

// oneConn is a listener that yields one connection and ends with it.
type oneConn struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
}

func newOneConn(c net.Conn) *oneConn {
	l := &oneConn{done: make(chan struct{})}
	l.conn = closeNotify{c, l}
	return l
}

// closeNotify ends the listener when its connection is closed.
type closeNotify struct {
	net.Conn
	listener *oneConn
}

// Close implements [net.Conn].
func (c closeNotify) Close() error {
	c.listener.end()
	return c.Conn.Close()
}

func (l *oneConn) end() { l.once.Do(func() { close(l.done) }) }

// Accept implements [net.Listener].
func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, io.EOF
}

// Close implements [net.Listener]; the server closes the connection itself.
func (l *oneConn) Close() error { return nil }

// Addr implements [net.Listener].
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// newPlatformStack makes a stack that takes packets to any address, and sends
// from any.
func newPlatformStack(l stack.LinkEndpoint) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	fail := func(err tcpip.Error) (*stack.Stack, error) {
		s.Destroy()
		return nil, stackError(err)
	}
	sack := tcpip.TCPSACKEnabled(true)
	if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return fail(err)
	}
	id := nicID(0)
	if err := s.CreateNIC(id, l); err != nil {
		return fail(err)
	}
	if err := s.SetPromiscuousMode(id, true); err != nil {
		return fail(err)
	}
	if err := s.SetSpoofing(id, true); err != nil {
		return fail(err)
	}
	s.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: id},
		{Destination: header.IPv6EmptySubnet, NIC: id},
	})
	return s, nil
}
