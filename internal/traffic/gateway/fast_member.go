package gateway

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// Limits of connections to a member that wait to be used.
const (
	maxWaiting  = 256
	waitingTime = 90 * time.Second
)

// line is a connection to a member.
type line struct {
	conn     net.Conn
	buf      []byte
	from, to int
	deadline time.Time // for reading; zero for none
	since    time.Time // it waits
	used     bool      // before
	forget   func()
	answer   http1.Head // of requests that net/http read
}

// lines are the connections to a member that wait. The one that came last goes
// first: the others may end.
type lines struct {
	mu      sync.Mutex
	waiting []*line
	shut    bool
}

func (w *lines) take(now time.Time) *line {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 {
		last := len(w.waiting) - 1
		l := w.waiting[last]
		w.waiting[last] = nil
		w.waiting = w.waiting[:last]
		if now.Sub(l.since) < waitingTime {
			return l
		}
		l.close()
	}
	return nil
}

func (w *lines) give(l *line, now time.Time) {
	l.since, l.used = now, true
	w.mu.Lock()
	if !w.shut && len(w.waiting) < maxWaiting {
		w.waiting = append(w.waiting, l)
		l = nil
	}
	w.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// sweep ends those that waited too long, or all for good.
func (w *lines) sweep(now time.Time, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.waiting[:0]
	for _, l := range w.waiting {
		if all || now.Sub(l.since) >= waitingTime {
			l.close()
		} else {
			kept = append(kept, l)
		}
	}
	clear(w.waiting[len(kept):])
	w.waiting, w.shut = kept, w.shut || all
}

func (l *line) close() {
	l.forget()
	l.conn.Close()
}

// dialLine connects to a member. The connection ends with the member's time, and with
// the gateway.
func (s *Server) dialLine(ctx context.Context, p *presence, e endpoint) (*line, error) {
	conn, err := s.options.Dial(ctx, "tcp", e.String())
	if err != nil {
		return nil, &dialError{err}
	}
	l := &line{conn: conn, buf: make([]byte, fastBuffer)}
	over := context.AfterFunc(p.ctx, func() { conn.Close() })
	closed := context.AfterFunc(s.ctx, func() { conn.Close() })
	l.forget = func() { over(); closed() }
	return l, nil
}

// dialTimeout bounds how long a connection to a member may take to be made.
const dialTimeout = 10 * time.Second

// until bounds the next readings; 0 leaves them unbounded. It may end up to a tenth
// late.
func (l *line) until(now time.Time, d time.Duration) {
	if d == 0 {
		if !l.deadline.IsZero() {
			l.deadline = time.Time{}
			_ = l.conn.SetReadDeadline(l.deadline)
		}
		return
	}
	slack := min(d/10, deadlineSlack)
	if left := l.deadline.Sub(now); left >= d && left <= d+slack {
		return
	}
	l.deadline = now.Add(d + slack)
	_ = l.conn.SetReadDeadline(l.deadline)
}

// more reads more into the buffer.
func (l *line) more() error {
	if l.from == l.to {
		l.from, l.to = 0, 0
	}
	if l.to == len(l.buf) {
		if l.from > 0 {
			l.to = copy(l.buf, l.buf[l.from:l.to])
			l.from = 0
		} else {
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
	}
	n, err := l.conn.Read(l.buf[l.to:])
	l.to += n
	if n > 0 {
		return nil
	}
	return err
}
