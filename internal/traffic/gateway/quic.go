package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// altSvcAge is how long a client remembers that HTTP/3 is offered, in seconds.
const altSvcAge = 86400

// quicFront serves HTTP/3 at an address (RFC 9114).
type quicFront struct {
	packets net.PacketConn
	server  *http3.Server
	offer   string // the Alt-Svc field (RFC 7838)
	done    chan struct{}
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
func (s *Server) openQUIC(router *Router, packets map[netip.AddrPort]net.PacketConn) {
	for i := range router.fronts {
		f := &router.fronts[i]
		l := s.fronts[f.address]
		if p := packets[f.address]; p != nil {
			l.quic = s.newQUIC(f.address, p)
		} else if q := l.quic; q != nil && !f.http3() {
			l.quic = nil
			go q.shut(idleTimeout)
		}
	}
}

// offerOf is the Alt-Svc field of an address.
func offerOf(at netip.AddrPort, p net.PacketConn) string {
	port := int(at.Port())
	if a, ok := p.LocalAddr().(*net.UDPAddr); ok {
		port = a.Port
	}
	return `h3=":` + strconv.Itoa(port) + `"; ma=` + strconv.Itoa(altSvcAge)
}

func (s *Server) newQUIC(at netip.AddrPort, p net.PacketConn) *quicFront {
	q := &quicFront{packets: p, done: make(chan struct{}), offer: offerOf(at, p)}
	q.server = &http3.Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(at, w, r) }),
		MaxHeaderBytes: maxHeader,
		IdleTimeout:    idleTimeout,
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{
			MinVersion: tls.VersionTLS13,
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				c, err := s.tlsFor(at, hello)
				if err == nil {
					c.MinVersion, c.NextProtos = tls.VersionTLS13, []string{http3.NextProtoH3}
				}
				return c, err
			},
		}),
	}
	go func() {
		defer close(q.done)
		_ = q.server.Serve(p)
	}()
	return q
}

// shut ends HTTP/3: requests under way have as long as given.
func (q *quicFront) shut(most time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if q.server.Shutdown(ctx) != nil {
		_ = q.server.Close()
	}
	q.packets.Close()
	<-q.done
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
