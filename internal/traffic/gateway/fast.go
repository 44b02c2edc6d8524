package gateway

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// The short way: one goroutine per client connection reads plain HTTP/1.1 requests,
// asks the member and writes the answer. What is not plain, or needs more than a
// member, goes on with net/http: the connection is handed over with what was read of
// it, and stays there.
const (
	fastBuffer  = 4 << 10
	fastHead    = 16 << 10 // a longer head is handed over
	fastBody    = 64 << 10 // as is a request with a longer body
	fastReads   = 4        // and one whose head comes in more pieces
	acceptPause = 5 * time.Millisecond
)

// fastFront accepts the connections of an address.
type fastFront struct {
	server *Server
	at     netip.AddrPort
	real   net.Listener
	others *handover
	work   sync.WaitGroup

	mu      sync.Mutex
	conns   map[*fastConn]struct{}
	closing atomic.Bool
}

func newFastFront(s *Server, at netip.AddrPort, l net.Listener) *fastFront {
	f := &fastFront{server: s, at: at, real: l, conns: map[*fastConn]struct{}{}}
	f.others = &handover{address: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
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
			time.Sleep(acceptPause) // too many files, perhaps: as net/http does
			continue
		}
		c := &fastConn{front: f, conn: conn, buf: make([]byte, fastBuffer)}
		c.remote = conn.RemoteAddr().String()
		f.mu.Lock()
		f.conns[c] = struct{}{}
		f.mu.Unlock()
		f.work.Go(func() {
			kept := c.serve()
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
			if !kept {
				conn.Close()
			}
		})
	}
}

// stop takes no new connections, and ends those that wait for a request.
func (f *fastFront) stop() {
	f.closing.Store(true)
	f.real.Close()
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
	}
	f.mu.Unlock()
	<-done
}

// The states of a connection.
const (
	connActive int32 = iota
	connIdle
	connClosed
)

// fastConn is a client's connection.
type fastConn struct {
	front    *fastFront
	conn     net.Conn
	remote   string
	state    atomic.Int32
	deadline time.Time // for reading

	buf      []byte
	from, to int // what was read and not used yet
	out      []byte
	request  http1.Head
	answer   http1.Head
}

// serve handles requests until the connection ends. It reports true if another
// keeps the connection.
func (c *fastConn) serve() (kept bool) {
	for {
		n, err := c.readHead()
		switch {
		case errors.Is(err, http1.ErrUnusual):
			return c.handOver()
		case err != nil:
			return false
		}
		switch c.exchange(n) {
		case turnOver:
			return c.handOver()
		case turnEnd:
			return false
		}
	}
}

// readHead reads the head of the next request, and returns its length.
func (c *fastConn) readHead() (int, error) {
	if c.from == c.to {
		c.from, c.to = 0, 0
	}
	for reads := 0; ; reads++ {
		if c.to > c.from {
			n, err := c.request.ParseRequest(c.buf[c.from:c.to])
			if n > 0 || err != nil {
				return n, err
			}
			if reads >= fastReads || c.to-c.from >= fastHead {
				return 0, http1.ErrUnusual
			}
			c.room(fastBuffer / 2)
		} else {
			c.state.Store(connIdle)
			if c.front.closing.Load() {
				return 0, net.ErrClosed
			}
		}
		c.until(idleTimeout)
		n, err := c.conn.Read(c.buf[c.to:])
		if reads == 0 && c.from == c.to && !c.state.CompareAndSwap(connIdle, connActive) && c.state.Load() == connClosed {
			return 0, net.ErrClosed
		}
		if n == 0 && err != nil {
			return 0, err
		}
		c.to += n
	}
}

// room makes room for more at the end of the buffer.
func (c *fastConn) room(n int) {
	if len(c.buf)-c.to >= n {
		return
	}
	if c.from > 0 {
		c.to = copy(c.buf, c.buf[c.from:c.to])
		c.from = 0
	}
	if len(c.buf)-c.to < n {
		next := make([]byte, max(2*len(c.buf), c.to+n))
		copy(next, c.buf[:c.to])
		c.buf = next
	}
}

// deadlineSlack is how much later than said a time may end, so that not every
// request has to set one.
const deadlineSlack = time.Second

// until bounds the next reading.
func (c *fastConn) until(d time.Duration) {
	now := time.Now()
	if left := c.deadline.Sub(now); left >= d && left <= d+deadlineSlack {
		return
	}
	c.deadline = now.Add(d + deadlineSlack)
	_ = c.conn.SetReadDeadline(c.deadline)
}

// handOver gives the connection to net/http.
func (c *fastConn) handOver() bool {
	_ = c.conn.SetReadDeadline(time.Time{})
	return c.front.others.give(&begunConn{Conn: c.conn, begun: c.buf[c.from:c.to:c.to]})
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
	begun []byte
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
