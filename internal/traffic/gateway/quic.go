package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quicFront serves HTTP/3 at an address (RFC 9114).
type quicFront struct {
	socket *quicSocket
	door   *quicDoor
	server *http3.Server
	done   chan struct{} // nothing is accepted any more
}

// http3 reports whether a listener of the address asks for HTTP/3.
func (f *front) http3() bool {
	return slices.ContainsFunc(f.rules, func(x *route) bool { return x.listener.HTTP3 })
}

// settled makes a request without a body one that says so. HTTP/3 needs no length, and a
// stream may end after its header section was read (RFC 9114, 4.1): a GET would reach
// the member as one with a body of unknown length.
func settled(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
	default:
		return nil
	}
	if r.ProtoMajor != 3 || r.ContentLength >= 0 || r.Body == nil {
		return nil
	}
	var first [1]byte
	n, err := io.ReadFull(r.Body, first[:])
	switch {
	case n > 0:
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(first[:]), r.Body), r.Body}
	case err == io.EOF && len(r.Trailer) == 0:
		r.ContentLength, r.Body = 0, http.NoBody
	case err != io.EOF:
		return err
	}
	return nil
}

// openQUIC serves HTTP/3 where the configuration asks for it now, and ends it where
// it does not any more.
func (s *Server) openQUIC(router *Router, sockets map[netip.AddrPort]*quicSocket) {
	for i := range router.fronts {
		f := &router.fronts[i]
		l := s.fronts[f.address]
		if q := sockets[f.address]; q != nil {
			l.quic = s.newQUIC(q)
		} else if q := l.quic; q != nil && !f.http3() {
			l.quic = nil
			q.stop()
			s.leave(func(ctx context.Context) { s.shutQUIC(ctx, q) })
		}
	}
}

// newQUIC serves what comes to a socket from now on.
func (s *Server) newQUIC(socket *quicSocket) *quicFront {
	q := &quicFront{
		socket: socket, done: make(chan struct{}),
		door: &quicDoor{at: socket.packets.LocalAddr(), conns: make(chan *quic.Conn), closed: make(chan struct{})},
		server: &http3.Server{
			Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(socket.at, w, r) }),
			MaxHeaderBytes: maxHeader,
			IdleTimeout:    idleTimeout,
		},
	}
	socket.open.Store(q.door)
	go func() {
		defer close(q.done)
		_ = q.server.ServeListener(q.door)
	}()
	return q
}

// stop takes no new connections.
func (q *quicFront) stop() {
	q.socket.open.CompareAndSwap(q.door, nil)
	_ = q.door.Close()
}

// shutQUIC ends HTTP/3: requests under way have until the context ends.
func (s *Server) shutQUIC(ctx context.Context, q *quicFront) {
	q.stop()
	<-q.done // the server counts no connection after it was shut down
	if q.server.Shutdown(ctx) != nil {
		_ = q.server.Close()
	}
	s.mu.Lock()
	end := s.release(q.socket)
	s.mu.Unlock()
	end()
}

// offered adds what tells clients of HTTP/3, if the listener that takes the request
// asks for it.
func (x *exchange) offered(at netip.AddrPort, w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor >= 3 || x.decision.route == nil || !x.decision.route.listener.HTTP3 {
		return
	}
	if offer := x.state.offers[at]; offer != "" {
		w.Header().Set("Alt-Svc", offer)
	}
}
