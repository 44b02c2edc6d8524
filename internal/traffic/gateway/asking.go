package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// asker is a request that asks members on the short way.
type asker interface {
	compose(e endpoint)
	since() time.Time
	safe() bool  // it may be sent twice: its method is idempotent
	again() bool // nothing of an answer came, and somebody still waits for one
	dial(p *presence, e endpoint) (*line, error)
	over(l *line, e endpoint, asked time.Time) (keep bool, err error)
}

// tries offers a request to members until one takes it. The error is the last one's,
// or that of the member that did not answer in time.
func (b *backend) tries(ctx context.Context, x asker) error {
	var last, late error
	var room [maxTries]endpoint
	tried := room[:0]
	repeated := false
	for range maxTries {
		pick, err := b.pick(ctx, "", tried)
		if err != nil {
			if last == nil {
				last = err
			}
			return cmp.Or(late, last)
		}
		err = b.offer(x, pick.Member, len(tried) > 0)
		pick.Done(nil)
		if err == nil {
			return nil
		}
		tried = append(tried, pick.Member)
		last = err
		if isTimeout(err) && !unsent(err) {
			late = err
		}
		switch {
		case ctx.Err() != nil:
			return last
		case unsent(err):
		case !repeated && x.safe() && x.again() && (lost(err) || isTimeout(err)):
			// One more, not all: the member may have ended because of it. That one that
			// does not answer in time leaves it to a second is documented ("Troubleshoot
			// bad gateway errors", version 2).
			repeated = true
		default:
			return cmp.Or(late, last)
		}
	}
	return cmp.Or(late, last)
}

// offer asks one member over a connection that waits, or a new one. again says that
// another was asked before.
func (b *backend) offer(x asker, e endpoint, again bool) error {
	b.mu.Lock()
	p := b.members[e]
	b.mu.Unlock()
	if p == nil {
		return &dialError{errors.New("the member has left")}
	}
	x.compose(e)
	for {
		l := p.lines.take(x.since())
		if l != nil && !x.safe() && !alive(l.conn) {
			l.close()
			continue
		}
		if l == nil {
			var err error
			if l, err = x.dial(p, e); err != nil {
				return err
			}
		}
		asked := x.since()
		if !l.used || again {
			asked = time.Now()
		}
		keep, err := x.over(l, e, asked)
		switch {
		case err != nil:
			l.close()
			if l.used && x.safe() && x.again() && !isTimeout(err) {
				continue // it ended while it waited
			}
			return err
		case keep:
			p.lines.give(l, x.since())
		default:
			l.close()
		}
		return nil
	}
}

// idempotent reports whether a request may be sent again when a connection was lost
// (RFC 9110, 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// lost reports whether an error means that a connection ended before its time.
func lost(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && op.Op != "dial" && !op.Timeout()
}

// timeout is how long a member may think.
func (b *backend) timeout() time.Duration {
	if t := b.settings.Timeout; t != 0 {
		return t
	}
	return defaultTimeout
}

// maxAnswerHead bounds the head of an answer.
const maxAnswerHead = 256 << 10

var (
	errMember = errors.New("the member's answer is not HTTP/1.1")
	errClient = errors.New("the client went away")
)

// head reads the head of an answer; interim hears of those before it (RFC 9110, 15.2).
func (l *line) head(a *http1.Head, interim func() error) error {
	n := 0
	for {
		var err error
		if l.to > l.from {
			if n, err = a.ParseResponse(l.buf[l.from:l.to]); err != nil {
				return errMember
			}
		}
		if n == 0 {
			if l.to-l.from >= maxAnswerHead {
				return errMember
			}
			if err := l.more(); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			continue
		}
		if a.Status >= 200 {
			l.from += n
			return nil
		}
		switch a.Status {
		case http.StatusSwitchingProtocols:
			return errMember // nobody asked for it
		case http.StatusContinue: // nor for this
		default:
			if err := interim(); err != nil {
				return errClient
			}
		}
		l.from += n
		n = 0
	}
}
