package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/http1"
)

// A request that net/http read, of HTTP/2 or HTTP/3, goes to its member on the short
// way's connections too, if it is as plain as those of the short way.

// shortable reports whether a request can go to a member on the short way.
func shortable(t *target, r *http.Request) bool {
	if !t.fast || r.ProtoMajor < 2 || r.ContentLength < 0 || r.ContentLength > fastBody || len(r.Trailer) > 0 {
		return false
	}
	for _, odd := range []string{"Te", "Upgrade", "Expect", "Connection", "Transfer-Encoding"} {
		if _, ok := r.Header[odd]; ok {
			return false
		}
	}
	return http1.Plain(r.Method, r.URL.RequestURI(), r.Host)
}

// shortExchange is a request on its way to a member.
type shortExchange struct {
	*exchange
	w     http.ResponseWriter
	r     *http.Request
	begun time.Time
	out   []byte
	body  []byte
	began bool // something of the answer was sent
	empty bool // nothing of an answer came
}

// short asks members until one answers, and answers itself if none does.
func (x *exchange) short(w http.ResponseWriter, r *http.Request) {
	s := &shortExchange{exchange: x, w: w, r: r, begun: time.Now()}
	if r.ContentLength > 0 {
		s.body = make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, s.body); err != nil {
			fail(w, r, err)
			return
		}
	}
	last := x.backend.tries(r.Context(), s)
	if last == nil {
		return
	}
	if s.began {
		x.failed = last
		x.record.gone = errors.Is(r.Context().Err(), context.Canceled)
		panic(http.ErrAbortHandler) // the client must see that it is broken off
	}
	fail(w, r, last)
}

func (s *shortExchange) safe() bool { return idempotent(s.r.Method) }

func (s *shortExchange) since() time.Time { return s.begun }

func (s *shortExchange) again() bool { return s.empty && s.r.Context().Err() == nil }

func (s *shortExchange) dial(p *presence, e endpoint) (*line, error) {
	ctx, cancel := context.WithTimeout(s.r.Context(), dialTimeout)
	defer cancel()
	return s.server.dialLine(ctx, p, e)
}

// compose writes the request as the member gets it.
func (s *shortExchange) compose(e endpoint) {
	r := s.r
	host := s.backend.hostFor(e)
	if host == "" {
		host = r.Host
	}
	out := append(append(append(s.out[:0], r.Method...), ' '), r.URL.RequestURI()...)
	out = append(append(append(out, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	for name, values := range r.Header {
		switch name {
		case "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Original-Host", "Content-Length", "Trailer":
			continue
		}
		for _, v := range values {
			out = append(append(append(append(out, name...), ": "...), v...), "\r\n"...)
		}
	}
	out = append(out, "X-Forwarded-For: "...)
	for _, v := range r.Header["X-Forwarded-For"] {
		out = append(append(out, v...), ", "...)
	}
	out = append(append(out, r.RemoteAddr...), "\r\nX-Forwarded-Proto: http"...)
	if r.TLS != nil {
		out = append(out, 's')
	}
	out = strconv.AppendUint(append(out, "\r\nX-Forwarded-Port: "...), uint64(s.scope.port), 10)
	out = append(append(append(out, "\r\nX-Original-Host: "...), s.scope.host...), "\r\n"...)
	if len(s.body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(s.body)), 10), "\r\n"...)
	}
	s.out = append(append(out, "\r\n"...), s.body...)
}

// over sends what was composed over a connection and passes the answer on.
func (s *shortExchange) over(l *line, e endpoint, asked time.Time) (keep bool, err error) {
	stop := context.AfterFunc(s.r.Context(), func() { l.conn.Close() })
	defer func() {
		if !stop() { // the client left, or took too long
			keep = false
			if ended := s.r.Context().Err(); err != nil && ended != nil {
				err = ended
			}
		}
	}()
	l.from, l.to = 0, 0
	s.empty = true
	if _, err := l.conn.Write(s.out); err != nil {
		return false, err
	}
	l.until(asked, s.backend.timeout())
	a := &l.answer
	err = l.head(a, func() error {
		s.fields(a, true)
		s.w.WriteHeader(a.Status)
		clear(s.w.Header())
		return nil
	})
	s.empty = l.to == 0
	if err != nil {
		return false, err
	}
	s.record.ServerRouted, s.record.ServerStatus = e.String(), a.Status
	s.record.ServerResponseLatency = time.Since(asked).Seconds()
	s.fields(a, false)
	bodiless := s.r.Method == http.MethodHead || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified
	if a.Length >= 0 && a.Status != http.StatusNoContent {
		s.w.Header()["Content-Length"] = []string{strconv.FormatInt(a.Length, 10)}
	}
	closes := a.Close
	switch {
	case bodiless:
		s.began = true
		s.w.WriteHeader(a.Status)
	case a.Chunked:
		return s.chunked(l)
	default:
		closes = closes || a.Length < 0
		s.began = true
		s.w.WriteHeader(a.Status)
		err = s.copy(l, a.Length)
	}
	return err == nil && !closes && l.from == l.to, err
}

// fields takes over the fields of an answer.
func (s *shortExchange) fields(a *http1.Head, interim bool) {
	h := s.w.Header()
	for i := range a.Fields {
		f := &a.Fields[i]
		if f.Kind == http1.Hop || f.Kind == http1.Length || f.Kind == http1.Coding || interim && f.Kind == http1.Date ||
			slices.ContainsFunc(a.Names, func(n []byte) bool { return strings.EqualFold(string(n), string(f.Name)) }) {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		h[name] = append(h[name], string(f.Value))
	}
}

// copy passes on a body of a length, or, if that is negative, until the connection ends.
func (s *shortExchange) copy(l *line, length int64) error {
	have := l.to - l.from
	if length >= 0 {
		have = int(min(int64(have), length))
	}
	_, err := s.w.Write(l.buf[l.from : l.from+have])
	l.from += have
	if err != nil || int64(have) == length {
		return err
	}
	l.until(s.begun, 0)
	return s.stream(l.conn, length-int64(have), length >= 0)
}

// stream passes on what comes, as it comes.
func (s *shortExchange) stream(from io.Reader, length int64, bounded bool) error {
	buf := s.server.buffers.Get()
	defer s.server.buffers.Put(buf)
	for !bounded || length > 0 {
		room := buf
		if bounded {
			room = buf[:min(int64(len(buf)), length)]
		}
		n, err := from.Read(room)
		length -= int64(n)
		if n > 0 {
			if _, err := s.w.Write(buf[:n]); err != nil {
				return err
			}
			if err := s.server.flush(s.w); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && bounded && length > 0:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (s *Server) flush(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }

// chunked passes on an answer in chunks, with its trailers: net/http reads them.
func (s *shortExchange) chunked(l *line) (keep bool, err error) {
	l.until(s.begun, 0)
	// Its head was read; what is left is a body like that of any answer.
	head := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	r := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(l.buf[l.from:l.to]), l.conn))
	resp, err := http.ReadResponse(r, s.r)
	if err != nil {
		return false, errMember
	}
	closes := l.answer.Close
	s.began = true
	s.w.WriteHeader(l.answer.Status)
	if err := s.server.flush(s.w); err != nil {
		return false, err
	}
	if err := s.stream(resp.Body, -1, false); err != nil {
		return false, err
	}
	for name, values := range resp.Trailer {
		s.w.Header()[http.TrailerPrefix+name] = values
	}
	l.from = l.to
	return !closes && r.Buffered() == 0, nil
}
