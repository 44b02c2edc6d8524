package gateway

import (
	"context"
	"net"
	"sync"
	"time"
)

// watchAfter is how long an answer is awaited before anybody looks whether the client
// is still there: most answers come sooner, and looking costs a goroutine.
const watchAfter = 10 * time.Millisecond

// watch notices that a client leaves while its answer is awaited, and ends what was
// begun for it. A client that closes its half of the connection has left, as net/http
// takes it.
type watch struct {
	mu     sync.Mutex
	timer  *time.Timer
	phase  watchPhase
	conn   net.Conn           // to the member, ended if the client leaves
	cancel context.CancelFunc // of a connection that is being made
	done   chan struct{}      // closed when reading has ended
	ahead  [1]byte            // what was read meanwhile, of the next request
	n      int
	gone   bool
}

type watchPhase uint8

const (
	watchOff watchPhase = iota
	watchSoon
	watchReading
	watchEnding
)

// begin watches the client from now on.
func (w *watch) begin(c *fastConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase, w.gone, w.n = watchSoon, false, 0
	if w.timer == nil {
		w.timer = time.AfterFunc(watchAfter, func() { w.look(c) })
	} else {
		w.timer.Reset(watchAfter)
	}
}

// look reads until there is something, or the client has left, or nobody wants to
// know any more.
func (w *watch) look(c *fastConn) {
	w.mu.Lock()
	if w.phase != watchSoon {
		w.mu.Unlock()
		return
	}
	w.phase, w.done = watchReading, make(chan struct{})
	_ = c.conn.SetReadDeadline(time.Time{})
	conn, done := c.conn, w.done
	w.mu.Unlock()
	n, err := conn.Read(w.ahead[:])
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n = n
	switch {
	case n > 0 || err == nil || w.phase != watchReading:
	case isTimeout(err): // of a deadline from before
		w.phase = watchSoon
		w.timer.Reset(watchAfter)
	default:
		w.gone = true
		w.drop()
	}
	close(done)
}

// drop ends what was begun for the client.
func (w *watch) drop() {
	if w.conn != nil {
		w.conn.Close()
	}
	if w.cancel != nil {
		w.cancel()
	}
}

// over says which connection to a member is to be ended if the client leaves, or how
// a connection that is being made is given up.
func (w *watch) over(conn net.Conn, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.cancel = conn, cancel
	if w.gone {
		w.drop()
	}
}

// quit ends what was begun for the client, as if it had left.
func (w *watch) quit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	w.drop()
}

// left reports whether the client has left.
func (w *watch) left() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

// past is a deadline that ends a reading at once.
var past = time.Unix(1, 0)

// end watches no more. What was read of the next request is put where it belongs.
func (w *watch) end(c *fastConn) {
	w.timer.Stop()
	w.mu.Lock()
	reading := w.phase == watchReading
	w.phase = watchOff
	w.conn, w.cancel = nil, nil
	if reading {
		w.phase = watchEnding
		_ = c.conn.SetReadDeadline(past)
	}
	w.mu.Unlock()
	if !reading {
		return
	}
	<-w.done
	w.mu.Lock()
	w.phase = watchOff
	w.mu.Unlock()
	c.deadline = time.Time{}
	if w.n > 0 {
		c.room(1)
		c.buf[c.to] = w.ahead[0]
		c.to++
	}
}
