package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// turn is what becomes of a connection after a request.
type turn uint8

const (
	turnNext turn = iota // another request
	turnEnd              // it ends
	turnOver             // net/http handles the request, and what comes after it
)

// quick reports whether a target needs nothing but a member: only then the short
// way is taken. What it does not know counts as something else that is needed.
func (t *target) quick() bool {
	if t.pool == nil || t.firewall != "" {
		return false
	}
	if r := t.action.Policy.RateLimit; r != nil && strings.HasPrefix(r.By, "header:") {
		return false
	}
	action := *t.action
	action.Pool, action.Settings, action.Policy.RateLimit = "", "", nil
	s := t.settings
	plain := Settings{
		Name: s.Name, Place: s.Place, Protocol: HTTP, Port: s.Port, Timeout: s.Timeout, Drain: s.Drain,
		Host: s.Host, HostOfMember: s.HostOfMember, Probe: s.Probe,
	}
	return reflect.DeepEqual(action, Action{}) && reflect.DeepEqual(*s, plain)
}

// fastExchange is one request on the short way.
type fastExchange struct {
	*fastConn
	state    *state
	decision Decision
	backend  *backend
	record   Record
	begin    time.Time
	body     []byte
	host     string
	path     string
	query    string
	began    bool // something of the answer was sent
	sent     int64
	empty    bool // nothing of an answer came
	end      bool // the connection ends after the answer
}

// exchange handles the request whose head of n bytes is at the beginning of the
// buffer.
func (c *fastConn) exchange(n int) turn {
	h := &c.request
	x := fastExchange{fastConn: c, state: c.front.server.state.Load(), host: string(h.Host)}
	target := string(h.Target)
	x.path, x.query, _ = strings.Cut(target, "?")
	x.decision = x.state.router.decide(c.front.at, x.host, x.path, false)
	t := x.decision.target
	if t == nil || !t.fast || h.Length > fastBody || !x.decision.route.greeted(c.secure, x.state.router, c.front.at) {
		return turnOver
	}
	x.begin = time.Now()
	x.end = h.Close || c.front.closing.Load()
	if h.Length > 0 {
		need := n + int(h.Length)
		if err := c.body(need); isTimeout(err) {
			x.end = true
			x.respond(http.StatusRequestTimeout, "")
			x.note(target)
			x.tell()
			return turnEnd
		} else if err != nil {
			return turnEnd
		}
		// The buffer may have moved.
		if _, err := h.ParseRequest(c.buf[c.from:c.to]); err != nil {
			return turnOver
		}
		x.body = c.buf[c.from+n : c.from+need]
		n = need
	}
	x.note(target)
	c.watch.begin(c)
	x.run()
	c.watch.end(c)
	c.from += n
	x.tell()
	if x.end {
		return turnEnd
	}
	return turnNext
}

// body reads until as many bytes are there as need says.
func (c *fastConn) body(need int) error {
	if c.to-c.from >= need {
		return nil
	}
	c.room(need - (c.to - c.from))
	for c.to-c.from < need {
		c.until(bodyTimeout, deadlineSlack)
		got, err := c.conn.Read(c.buf[c.to:])
		if c.to += got; got == 0 && err != nil {
			return err
		}
	}
	return nil
}

// tell tells what became of the request.
func (x *fastExchange) tell() {
	if told := x.front.server.options.OnRequest; told != nil {
		x.record.SentBytes, x.record.TimeTaken = x.sent, time.Since(x.begin).Seconds()
		told(&x.record)
	}
}

// note fills in what the record has of the request, if anybody reads it.
func (x *fastExchange) note(target string) {
	if x.front.server.options.OnRequest == nil {
		return
	}
	r, d, h := &x.record, &x.decision, &x.request
	r.TimeGenerated, r.TransactionID = x.begin.UTC(), transaction()
	host, port, _ := net.SplitHostPort(x.remote)
	r.ClientIP = host
	r.ClientPort, _ = strconv.Atoi(port)
	r.HTTPMethod, r.HTTPVersion = string(h.Method), "HTTP/1.1"
	r.OriginalHost, r.Host, r.OriginalRequestURIWithArgs = x.host, x.host, target
	r.RequestURI, r.RequestQuery = x.path, x.query
	r.secured(x.secure)
	r.ListenerName, r.RuleName, r.BackendPoolName, r.BackendSettingName = d.Listener, d.Rule, d.Pool, d.Settings
	r.ReceivedBytes = int64(len(x.body))
	for i := range h.Fields {
		if h.Fields[i].Kind == http1.Agent {
			r.UserAgent = string(h.Fields[i].Value)
		}
	}
}

// run asks members until one answers, and answers itself if none does.
func (x *fastExchange) run() {
	t := x.decision.target
	if g := x.state.guards[t.name]; g != nil && g.rate != nil {
		key := ""
		if g.policy.RateLimit.By != "all" {
			key, _, _ = net.SplitHostPort(x.remote)
		}
		if wait := g.rate.take(key, x.begin); wait > 0 {
			x.respond(http.StatusTooManyRequests, "Retry-After: "+strconv.Itoa(int((wait+time.Second-1)/time.Second))+"\r\n")
			return
		}
	}
	x.backend = x.state.backends[[2]string{t.pool.Name, t.settings.Name}]
	last := x.backend.tries(x.front.server.ctx, x)
	if last == nil {
		return
	}
	if x.watch.left() {
		last = errClient
		x.record.gone, x.record.HTTPStatus = true, clientClosed
		x.end = true
	}
	x.record.ErrorInfo = explainError(last)
	if x.began || x.end && errors.Is(last, errClient) {
		x.end = true // it is broken off: the client must see that
		return
	}
	status := http.StatusBadGateway
	var timeout net.Error
	if errors.As(last, &timeout) && timeout.Timeout() && !unsent(last) || errors.Is(last, context.DeadlineExceeded) && !unsent(last) {
		status = http.StatusGatewayTimeout
	}
	x.respond(status, "")
}

func (x *fastExchange) since() time.Time { return x.begin }

func (x *fastExchange) safe() bool { return idempotent(string(x.request.Method)) }

func (x *fastExchange) again() bool { return x.empty && !x.watch.left() }

// dial connects to a member, as long as the client is there.
func (x *fastExchange) dial(p *presence, e endpoint) (*line, error) {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	x.watch.over(nil, cancel)
	return x.front.server.dialLine(ctx, p, e)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// compose writes the request as the member gets it.
func (x *fastExchange) compose(e endpoint) {
	h := &x.request
	out := append(x.out[:0], h.Method...)
	out = append(out, ' ')
	out = append(out, h.Target...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	if host := x.backend.hostFor(e); host != "" {
		out = append(out, host...)
	} else {
		out = append(out, h.Host...)
	}
	out = append(out, "\r\n"...)
	forwarded := false
	for i := range h.Fields {
		f := &h.Fields[i]
		switch f.Kind {
		case http1.Host, http1.Hop, http1.Told:
			continue
		case http1.Forwarded:
			if !forwarded {
				out = append(out, "X-Forwarded-For: "...)
				out = append(out, f.Value...)
			} else {
				continue
			}
			for j := i + 1; j < len(h.Fields); j++ {
				if h.Fields[j].Kind == http1.Forwarded {
					out = append(append(out, ", "...), h.Fields[j].Value...)
				}
			}
			out = append(append(append(out, ", "...), x.remote...), "\r\n"...)
			forwarded = true
			continue
		}
		out = appendField(out, f)
	}
	if !forwarded {
		out = append(append(append(out, "X-Forwarded-For: "...), x.remote...), "\r\n"...)
	}
	out = append(out, "X-Forwarded-Proto: http"...)
	if x.secure != nil {
		out = append(out, 's')
	}
	out = append(out, "\r\nX-Forwarded-Port: "...)
	out = strconv.AppendUint(out, uint64(x.front.at.Port()), 10)
	out = append(append(append(out, "\r\nX-Original-Host: "...), h.Host...), "\r\n\r\n"...)
	x.out = append(out, x.body...)
}

func appendField(out []byte, f *http1.Field) []byte {
	out = append(append(out, f.Name...), ": "...)
	return append(append(out, f.Value...), "\r\n"...)
}

// over sends what was composed over a connection and passes the answer on. It
// reports whether the connection can be used again.
func (x *fastExchange) over(l *line, e endpoint, asked time.Time) (keep bool, err error) {
	x.watch.over(l.conn, nil)
	defer x.watch.over(nil, nil)
	l.from, l.to = 0, 0
	x.empty = true
	if _, err := l.conn.Write(x.out); err != nil {
		return false, err
	}
	l.until(asked, x.backend.timeout())
	a := &x.answer
	err = l.head(a, x.interim)
	x.empty = l.to == 0
	if err != nil {
		return false, err
	}
	if x.front.server.options.OnRequest != nil {
		x.record.ServerRouted, x.record.ServerStatus, x.record.HTTPStatus = e.String(), a.Status, a.Status
		x.record.ServerResponseLatency = time.Since(asked).Seconds()
	}
	bodiless := x.request.Method[0] == 'H' || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified
	untilClose := !bodiless && !a.Chunked && a.Length < 0
	x.end = x.end || untilClose
	x.head(bodiless)
	x.began = true
	switch {
	case bodiless:
		err = x.write(x.out)
	case a.Chunked:
		err = x.chunked(l)
	case untilClose:
		err = x.copyAll(l)
	default:
		err = x.copy(l, a.Length)
	}
	return err == nil && !a.Close && !untilClose && l.from == l.to, err
}

// interim passes on an answer before the answer (RFC 9110, 15.2).
func (x *fastExchange) interim() error {
	out := http1.AppendStatus(nil, x.answer.Status, x.answer.Reason)
	for i := range x.answer.Fields {
		if f := &x.answer.Fields[i]; f.Kind != http1.Hop {
			out = appendField(out, f)
		}
	}
	return x.write(append(out, "\r\n"...))
}

// head writes the head of the answer into the buffer.
func (x *fastExchange) head(bodiless bool) {
	a := &x.answer
	out := http1.AppendStatus(x.out[:0], a.Status, a.Reason)
	for i := range a.Fields {
		f := &a.Fields[i]
		if f.Kind == http1.Hop || len(a.Names) > 0 && slices.ContainsFunc(a.Names, func(n []byte) bool { return strings.EqualFold(string(n), string(f.Name)) }) {
			continue
		}
		if f.Kind == http1.Length && a.Status == http.StatusNoContent {
			continue
		}
		out = appendField(out, f)
	}
	if !a.HasDate {
		out = append(out, "Date: "...)
		out = append(x.begin.UTC().AppendFormat(out, http.TimeFormat), "\r\n"...)
	}
	if x.decision.route.listener.HTTP3 {
		if offer := x.state.offers[x.front.at]; offer != "" {
			out = append(append(append(out, "Alt-Svc: "...), offer...), "\r\n"...)
		}
	}
	if x.end {
		out = append(out, "Connection: close\r\n"...)
	}
	x.out = append(out, "\r\n"...)
}

func (x *fastExchange) write(b []byte) error {
	x.takes()
	if _, err := x.conn.Write(b); err != nil {
		x.end = true
		return errClient
	}
	return nil
}

// copy passes on a body of a length: in one piece with the head if it is there.
func (x *fastExchange) copy(l *line, length int64) error {
	have := min(int64(l.to-l.from), length)
	x.out = append(x.out, l.buf[l.from:l.from+int(have)]...)
	l.from += int(have)
	if err := x.write(x.out); err != nil {
		return err
	}
	x.sent = have
	if have == length {
		return nil
	}
	l.until(x.begin, 0)
	return x.pass(l, length-have)
}

// passPiece is how much the client must take in a time.
const passPiece = 256 << 10

// pass passes on as many bytes as come, at most as many as given. It is no error if
// less come and length is negative.
func (x *fastExchange) pass(l *line, length int64) error {
	for length != 0 {
		piece := int64(passPiece)
		if length > 0 {
			piece = min(piece, length)
		}
		x.takes()
		var n int64
		var err error
		if x.secure != nil {
			buf := x.front.server.buffers.Get()
			n, err = io.CopyBuffer(struct{ io.Writer }{x.conn}, &io.LimitedReader{R: l.conn, N: piece}, buf)
			x.front.server.buffers.Put(buf)
		} else {
			n, err = io.Copy(x.conn, &io.LimitedReader{R: l.conn, N: piece}) // without a copy, where the system can
		}
		x.sent += n
		if err != nil {
			return err
		}
		if n < piece {
			if length > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if length > 0 {
			length -= n
		}
	}
	return nil
}

// copyAll passes on a body that ends with the connection.
func (x *fastExchange) copyAll(l *line) error {
	x.out = append(x.out, l.buf[l.from:l.to]...)
	x.sent = int64(l.to - l.from)
	l.from = l.to
	if err := x.write(x.out); err != nil {
		return err
	}
	l.until(x.begin, 0)
	return x.pass(l, -1)
}

// chunked passes on a chunked body as it comes.
func (x *fastExchange) chunked(l *line) error {
	var c http1.Chunks
	out := x.out
	for {
		n, err := c.Advance(l.buf[l.from:l.to])
		if err != nil {
			return errMember
		}
		out = append(out, l.buf[l.from:l.from+n]...)
		l.from += n
		x.sent += int64(n)
		if len(out) > 0 {
			if err := x.write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if c.Done {
			x.out = out
			return nil
		}
		l.until(x.begin, 0)
		if err := l.more(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// respond answers by the gateway itself.
func (x *fastExchange) respond(status int, fields string) {
	x.record.HTTPStatus = status
	page := pageOf(status)
	out := http1.AppendStatus(x.out[:0], status, []byte(http.StatusText(status)))
	out = append(out, fields...)
	out = append(out, "Cache-Control: no-store\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(page)), 10), "\r\nDate: "...)
	out = append(x.begin.UTC().AppendFormat(out, http.TimeFormat), "\r\n"...)
	if x.end {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "\r\n"...)
	if x.request.Method[0] != 'H' {
		out = append(out, page...)
		x.sent = int64(len(page))
	}
	x.out = out
	_ = x.write(out)
}
