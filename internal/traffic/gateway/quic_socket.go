package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// altSvcAge is how long a client remembers that HTTP/3 is offered, in seconds.
const altSvcAge = 86400

// quicSocket is where an address of HTTP/3 is. A front that ends its requests shares it
// with the one that has taken its place, as the port is one.
type quicSocket struct {
	at        netip.AddrPort
	packets   net.PacketConn
	transport *quic.Transport
	open      atomic.Pointer[quicDoor] // where connections go; nil: they are refused
	done      chan struct{}            // nobody accepts any more
	users     int                      // guarded by Server.mu
}

// socket returns that of an address, for one more front. The caller holds mu.
func (s *Server) socket(at netip.AddrPort) (*quicSocket, error) {
	if q := s.sockets[at]; q != nil {
		q.users++
		return q, nil
	}
	p, err := s.options.ListenPacket(s.ctx, "udp", listenAddress(at))
	if err != nil {
		return nil, err
	}
	q := &quicSocket{at: at, packets: p, transport: &quic.Transport{Conn: p}, users: 1, done: make(chan struct{})}
	l, err := q.transport.Listen(http3.ConfigureTLSConfig(&tls.Config{ // without early data: it can be sent again by others (RFC 8470)
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if q.open.Load() == nil {
				return nil, errors.New("no HTTP/3 any more")
			}
			c, err := s.tlsFor(at, hello)
			if err == nil {
				c.MinVersion, c.NextProtos = tls.VersionTLS13, []string{http3.NextProtoH3}
			}
			return c, err
		},
	}), nil)
	if err != nil {
		p.Close()
		return nil, err
	}
	s.sockets[at] = q
	go q.accept(l)
	return q, nil
}

// accept gives connections to the front in force.
func (q *quicSocket) accept(l *quic.Listener) {
	defer close(q.done)
	for {
		c, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		if d := q.open.Load(); d == nil || !d.give(c) {
			_ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
		}
	}
}

// release gives a socket up for one front. The port is free at once if that was the
// last; end, which is called without mu, waits for the rest. The caller holds mu.
func (s *Server) release(q *quicSocket) (end func()) {
	if q.users--; q.users > 0 {
		return func() {}
	}
	delete(s.sockets, q.at)
	q.packets.Close()
	return func() {
		_ = q.transport.Close()
		<-q.done
	}
}

// offer is the Alt-Svc field of the address (RFC 7838).
func (q *quicSocket) offer() string {
	port := int(q.at.Port())
	if a, ok := q.packets.LocalAddr().(*net.UDPAddr); ok {
		port = a.Port
	}
	return `h3=":` + strconv.Itoa(port) + `"; ma=` + strconv.Itoa(altSvcAge)
}

// quicDoor is a front's part of a socket: a listener of what is given to it.
type quicDoor struct {
	at     net.Addr
	conns  chan *quic.Conn
	closed chan struct{}
	once   sync.Once
}

func (d *quicDoor) give(c *quic.Conn) bool {
	select {
	case d.conns <- c:
		return true
	case <-d.closed:
		return false
	}
}

// Accept implements [http3.QUICListener].
func (d *quicDoor) Accept(ctx context.Context) (*quic.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, quic.ErrServerClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Addr implements [http3.QUICListener].
func (d *quicDoor) Addr() net.Addr { return d.at }

// Close implements [http3.QUICListener].
func (d *quicDoor) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}
