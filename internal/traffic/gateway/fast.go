package gateway

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// The short way: one goroutine per client connection reads plain HTTP/1.1 requests,
// asks the member and writes the answer. What is not plain, or needs more than a
// member, goes on with net/http: the connection is handed over with what was read of
// it, and stays there.
const (
	fastBuffer = 4 << 10
	fastHead   = 16 << 10 // a longer head is handed over
	fastBody   = 64 << 10 // as is a request with a longer body
	fastReads  = 4        // a head in more pieces is looked at when it is whole
	// linger is how long a connection keeps its goroutine and its buffers after a
	// request. Then it waits without.
	linger = 250 * time.Millisecond
)

// The states of a connection.
const (
	connActive int32 = iota
	connIdle
	connClosed
)

// fastConn is a client's connection while it is handled.
type fastConn struct {
	visitor
	front    *fastFront
	state    atomic.Int32
	deadline time.Time // for reading
	written  time.Time // the deadline for writing
	watch    watch

	buf      []byte
	from, to int // what was read and not used yet
	out      []byte
	request  http1.Head
	answer   http1.Head
}

// maxKept bounds the buffers that are kept to be used again.
const maxKept = 64 << 10

// reset makes the connection ready for another client: nothing of the last one stays
// but the room it took.
func (c *fastConn) reset() {
	c.visitor, c.front = visitor{}, nil
	c.state.Store(connActive)
	c.deadline, c.written = time.Time{}, time.Time{}
	c.from, c.to = 0, 0
	if len(c.buf) > fastBuffer {
		c.buf = make([]byte, fastBuffer)
	}
	if cap(c.out) > maxKept {
		c.out = nil
	}
}

// serve handles requests until the connection ends. It reports true if another
// keeps the connection.
func (c *fastConn) serve() (kept bool) {
	if c.secure != nil && c.secure.NegotiatedProtocol == "h2" {
		return c.handOver()
	}
	if c.front.server.options.LongWay {
		if err := c.idle(); err != nil {
			return errors.Is(err, errParked)
		}
		return c.handOver()
	}
	for {
		n, err := c.readHead()
		switch {
		case errors.Is(err, http1.ErrUnusual):
			return c.handOver()
		case errors.Is(err, errParked):
			return true
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

// errParked means that the connection waits elsewhere.
var errParked = errors.New("the connection waits")

// readHead reads the head of the next request, and returns its length.
func (c *fastConn) readHead() (int, error) {
	if c.from == c.to {
		c.from, c.to = 0, 0
		if err := c.idle(); err != nil {
			return 0, err
		}
	}
	looked := c.from // up to where no head ends
	for reads := 0; ; reads++ {
		whole := endsHead(c.buf[c.from:c.to], looked-c.from)
		looked = c.to
		if whole || reads < fastReads {
			n, err := c.request.ParseRequest(c.buf[c.from:c.to])
			if n > 0 || err != nil {
				return n, err
			}
		}
		if whole || c.to-c.from >= fastHead {
			return 0, http1.ErrUnusual
		}
		begun := c.from
		c.room(fastBuffer / 2)
		looked -= begun - c.from
		if reads == 0 { // for the whole head
			c.deadline = time.Now().Add(headTimeout)
			_ = c.conn.SetReadDeadline(c.deadline)
		}
		n, err := c.conn.Read(c.buf[c.to:])
		if n == 0 && err != nil {
			if isTimeout(err) {
				c.late()
			}
			return 0, err
		}
		c.to += n
	}
}

// endsHead reports whether an empty line ends at from or later: then there is no more
// to wait for.
func endsHead(b []byte, from int) bool {
	b = b[max(from-3, 0):]
	return bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// late tells a client that its request took too long to come.
func (c *fastConn) late() {
	c.request = http1.Head{Method: []byte(http.MethodGet)} // for the page
	x := fastExchange{fastConn: c, begin: time.Now(), end: true}
	x.respond(http.StatusRequestTimeout, "")
	c.request.Method = nil
	x.note("")
	x.tell()
}

// idle waits for the first bytes of a request: here for a while, then without a
// goroutine where that is possible.
func (c *fastConn) idle() error {
	wait, slack := linger, linger
	if c.front.lot == nil {
		wait, slack = idleTimeout, deadlineSlack
	}
	for {
		c.state.Store(connIdle)
		if c.front.closing.Load() {
			return net.ErrClosed
		}
		c.until(wait, slack)
		n, err := c.conn.Read(c.buf)
		if !c.state.CompareAndSwap(connIdle, connActive) {
			return net.ErrClosed
		}
		c.to = n
		if n > 0 {
			return nil
		}
		if !isTimeout(err) || wait == idleTimeout {
			return err
		}
		_ = c.conn.SetReadDeadline(time.Time{})
		if c.front.lot.park(c.visitor) {
			return errParked
		}
		wait, slack = idleTimeout, deadlineSlack
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

// until bounds the next reading by a time, which may end as much later as slack says.
func (c *fastConn) until(d, slack time.Duration) {
	now := time.Now()
	if left := c.deadline.Sub(now); left >= d && left <= d+slack {
		return
	}
	c.deadline = now.Add(d + slack)
	_ = c.conn.SetReadDeadline(c.deadline)
}

// takes lets the client take a minute at least for what is written next.
func (c *fastConn) takes() {
	if now := time.Now(); c.written.Sub(now) < sendTimeout {
		c.written = now.Add(2 * sendTimeout)
		_ = c.conn.SetWriteDeadline(c.written)
	}
}

// handOver gives the connection to net/http.
func (c *fastConn) handOver() bool {
	_ = c.conn.SetDeadline(time.Time{})
	begun := append([]byte(nil), bytes.TrimPrefix(c.buf[c.from:c.to], []byte("\r\n"))...) // an empty line is ignored (RFC 9112, 2.2)
	if bytes.HasPrefix(begun, []byte("PRI ")) && (c.secure != nil || c.front.server.Router().config.NoHTTP2) {
		return false // with TLS, HTTP/2 is agreed on by ALPN (RFC 9113, 3.2)
	}
	next := &begunConn{Conn: c.conn, begun: begun, secure: c.secure}
	if c.secure != nil && c.secure.NegotiatedProtocol == "h2" || bytes.HasPrefix(begun, []byte("PRI ")) {
		return c.front.others.give(newH2Guard(next))
	}
	return c.front.others.give(next)
}
