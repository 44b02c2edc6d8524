package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// acceptPause is how long nothing is accepted after accepting failed: too many files,
// perhaps.
const acceptPause = 5 * time.Millisecond

// visitor is a client's connection, whoever handles it.
type visitor struct {
	conn   net.Conn // the TLS connection, if there is TLS
	remote string
	secure *tls.ConnectionState // nil without TLS
}

// fastFront accepts the connections of an address and ends TLS. HTTP/1.1 stays here
// as long as it is plain, HTTP/2 goes to net/http at once.
type fastFront struct {
	server *Server
	at     netip.AddrPort
	real   net.Listener
	tls    atomic.Pointer[tls.Config] // of connections from now on; nil without TLS
	others *handover
	lot    *lot // where idle connections wait; nil where there is none
	work   sync.WaitGroup
	used   sync.Pool // of fastConns with their buffers

	mu      sync.Mutex
	conns   map[*fastConn]struct{}
	closing atomic.Bool
}

func newFastFront(s *Server, at netip.AddrPort, l net.Listener, secure *tls.Config) *fastFront {
	f := &fastFront{server: s, at: at, real: l, conns: map[*fastConn]struct{}{}}
	f.tls.Store(secure)
	f.used.New = func() any { return &fastConn{buf: make([]byte, fastBuffer)} }
	f.others = &handover{address: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	f.lot = newLot(idleTimeout, func(v visitor) { f.work.Go(func() { f.serve(v, false) }) })
	f.work.Go(f.accept)
	return f
}

func (f *fastFront) accept() {
	for {
		conn, err := f.real.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || f.closing.Load() {
				return
			}
			time.Sleep(acceptPause)
			continue
		}
		v := visitor{conn: conn, remote: conn.RemoteAddr().String()}
		secure := f.tls.Load()
		if secure != nil {
			v.conn = tls.Server(conn, secure)
		}
		f.work.Go(func() { f.serve(v, secure != nil) })
	}
}

// serve handles a connection until it ends, or somebody else has it.
func (f *fastFront) serve(v visitor, handshake bool) {
	c := f.used.Get().(*fastConn)
	c.front, c.visitor = f, v
	f.mu.Lock()
	f.conns[c] = struct{}{}
	f.mu.Unlock()
	kept := false
	if !handshake || c.handshake() {
		kept = c.serve()
	}
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
	if !kept {
		c.conn.Close()
	}
	c.reset()
	f.used.Put(c)
}

// handshake ends TLS. It reports false if the connection has to end.
func (c *fastConn) handshake() bool {
	secure := c.conn.(*tls.Conn)
	c.state.Store(connIdle)
	if c.front.closing.Load() {
		return false
	}
	_ = secure.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := secure.HandshakeContext(c.front.server.ctx); err != nil {
		if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil && plainRequest(e.RecordHeader) {
			_, _ = io.WriteString(e.Conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}
		return false
	}
	_ = secure.SetDeadline(time.Time{})
	state := secure.ConnectionState()
	c.secure = &state
	return c.state.CompareAndSwap(connIdle, connActive)
}

// plainRequest reports whether what came instead of TLS is a request without.
func plainRequest(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}

// stop takes no new connections, and ends those that wait for a request.
func (f *fastFront) stop() {
	f.closing.Store(true)
	f.real.Close()
	f.lot.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		if c.state.CompareAndSwap(connIdle, connClosed) {
			c.conn.Close()
		}
	}
}

// wait waits until every connection has ended, and ends them at the time.
func (f *fastFront) wait(until <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		f.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-until:
	}
	f.mu.Lock()
	for c := range f.conns {
		c.conn.Close()
		c.watch.quit() // it may not look, if the client has sent more
	}
	f.mu.Unlock()
	<-done
}

// handover is a listener of connections that were begun elsewhere.
type handover struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// Accept implements [net.Listener].
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements [net.Listener].
func (h *handover) Addr() net.Addr { return h.address }

// begunConn is a connection of which something was read already.
type begunConn struct {
	net.Conn
	begun  []byte
	secure *tls.ConnectionState
}

// Read implements [net.Conn].
func (c *begunConn) Read(p []byte) (int, error) {
	if len(c.begun) > 0 {
		n := copy(p, c.begun)
		if c.begun = c.begun[n:]; len(c.begun) == 0 {
			c.begun = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends one direction, if the connection can.
func (c *begunConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// over is the TLS that the connection came over, nil for none.
func (c *begunConn) over() *tls.ConnectionState { return c.secure }
