package frontdoor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/underway"
)

// Times and sizes of the edges.
const (
	headerTimeout = 30 * time.Second
	idleTimeout   = 90 * time.Second
	dialTimeout   = 10 * time.Second
	maxHeader     = 32 << 10
	maxIdle       = 64 // connections to each origin
)

// edge is a place that serves.
type edge struct {
	server    *Server
	name      string
	cache     *cache.Cache
	strict    *http.Transport // wants certificates for the origin's name
	lax       *http.Transport // wants only that a known authority signed them
	proxy     *httputil.ReverseProxy
	listeners []*listener // guarded by the server's mu
	handled   underway.Requests

	mu        sync.Mutex
	config    *Edge
	addresses []string
	windows   map[originKey]*window
	targets   map[target]*watched
	turns     map[string]*turns // by group
}

func newEdge(s *Server, x *Edge) *edge {
	e := &edge{
		server: s, name: x.Name, config: x, cache: cache.New(cache.Options{Name: "frontdoor"}),
		windows: map[originKey]*window{}, targets: map[target]*watched{}, turns: map[string]*turns{},
	}
	e.strict, e.lax = e.transport(false), e.transport(true)
	e.proxy = &httputil.ReverseProxy{
		Rewrite: e.outbound, Transport: e, FlushInterval: -1, ModifyResponse: e.inbound,
		ErrorHandler: e.failed, ErrorLog: quiet(),
	}
	return e
}

// quiet takes what nobody has to hear: clients that hang up.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// transport makes connections to origins.
func (e *edge) transport(anyName bool) *http.Transport {
	return &http.Transport{
		DialContext: e.dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return e.dialTLS(ctx, network, address, anyName)
		},
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTimeout, DisableCompression: true,
	}
}

// dialTLS connects with an origin over TLS. The roots are those of the profile in
// force, so the certificate is verified here and not by a configuration that would
// stay ("End-to-end TLS").
func (e *edge) dialTLS(ctx context.Context, network, address string, anyName bool) (net.Conn, error) {
	c, err := e.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	t := tls.Client(c, &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error { return e.verify(&s, host, anyName) },
	})
	shake, done := context.WithTimeout(ctx, dialTimeout)
	defer done()
	if err := t.HandshakeContext(shake); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

func (e *edge) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return e.server.options.Dial(ctx, e.now(), network, address)
}

// verify holds an origin's certificate against the authorities, and the name that
// was asked for.
func (e *edge) verify(c *tls.ConnectionState, host string, anyName bool) error {
	if len(c.PeerCertificates) == 0 {
		return fmt.Errorf("origin %s shows no certificate", host)
	}
	o := x509.VerifyOptions{Roots: e.server.Router().config.Roots, Intermediates: x509.NewCertPool()}
	if !anyName {
		o.DNSName = host // or an address, which the certificate must be for
	}
	for _, x := range c.PeerCertificates[1:] {
		o.Intermediates.AddCert(x)
	}
	_, err := c.PeerCertificates[0].Verify(o)
	return err
}

func (e *edge) client(o *Origin) *http.Transport {
	if o.AnyName {
		return e.lax
	}
	return e.strict
}

// now returns the edge as it is declared now.
func (e *edge) now() *Edge {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

func (e *edge) region() string { return e.now().Region }

func (e *edge) at() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addresses
}

// end forgets what the edge keeps.
func (e *edge) end() {
	e.cache.Close()
	e.strict.CloseIdleConnections()
	e.lax.CloseIdleConnections()
}

// listener is where an edge takes requests.
type listener struct {
	edge    *edge
	address string
	secure  bool
	listen  net.Listener
	http    *http.Server
}

// serve begins to take requests.
func (l *listener) serve() {
	l.http = &http.Server{
		Handler: l.edge, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet(),
	}
	if !l.secure {
		l.edge.server.work.Go(func() { _ = l.http.Serve(l.listen) })
		return
	}
	l.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetConfigForClient: l.edge.greeted}
	l.edge.server.work.Go(func() { _ = l.http.ServeTLS(l.listen, "", "") })
}

// close ends a listener: requests under way have until the context ends.
func (l *listener) close(ctx context.Context) {
	if l.http == nil {
		_ = l.listen.Close()
		return
	}
	if l.http.Shutdown(ctx) != nil {
		_ = l.http.Close()
	}
}

// greeted returns how to speak TLS with a client: with the certificate of the
// domain it names. A name that no domain has is refused.
func (e *edge) greeted(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := e.server.Router().config
	d := c.domain(hello.ServerName)
	if d == nil && hello.ServerName == "" && len(c.Domains) > 0 {
		d = &c.Domains[0] // it names none
	}
	if d == nil || d.Certificate == nil {
		return nil, fmt.Errorf("no domain of %s is called %s", c.Name, strings.ToValidUTF8(hello.ServerName, "?"))
	}
	return &tls.Config{
		MinVersion: or(d.MinTLS, tls.VersionTLS12), Certificates: []tls.Certificate{*d.Certificate},
		NextProtos: []string{"h2", "http/1.1"},
	}, nil
}
