package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/underway"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// Limits of what clients may send and how long they may take; header sizes are
// "Application Gateway limits". A request must come within 60 seconds, or the answer
// is 408 ("HTTP response codes in Application Gateway").
const (
	maxHeader        = 32 << 10
	handshakeTimeout = 10 * time.Second
	headTimeout      = 60 * time.Second // of a request, from its first byte
	bodyTimeout      = 60 * time.Second // without a byte of it
	sendTimeout      = 60 * time.Second // in which a client takes nothing
	idleTimeout      = 120 * time.Second
)

// Options configure a [Server]. The zero value uses the system's network.
type Options struct {
	// Listen and Dial are how the gateway reaches its clients and its members; nil
	// means the system's network.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket is how listeners with HTTP/3 reach theirs.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
	// LongWay lets net/http handle every request, also the plain ones.
	LongWay bool
	// OnRequest hears of every request that has ended, OnHealth of every change of
	// a member's health. They must be quick.
	OnRequest func(*Record)
	OnHealth  func(Check)
	// Pace is how much faster than configured probes are sent; 0 means 1.
	Pace float64
	// Discover follows the services that pools name; a configuration with such
	// pools needs it.
	Discover Discover
	// OnFirewall hears of what a firewall's rules matched in a request.
	OnFirewall func([]waf.Entry)
}

func (o *Options) request(r *Record) {
	if o.OnRequest != nil {
		o.OnRequest(r)
	}
}

func (o *Options) health(c Check) {
	if o.OnHealth != nil {
		o.OnHealth(c)
	}
}

// Server is a running gateway.
type Server struct {
	options Options
	proxy   *httputil.ReverseProxy
	buffers *buffers // that bodies are copied through
	cache   *cache.Cache
	state   atomic.Pointer[state]
	pace    atomic.Pointer[tempo]
	ctx     context.Context
	end     context.CancelFunc
	handled underway.Requests // by net/http

	hurry   context.Context // over when what a Load ended has had its time
	hasten  context.CancelFunc
	leaving sync.WaitGroup // of what a Load ended

	mu       sync.Mutex // for Load and Close
	closed   bool
	backends map[[2]string]*backend
	retired  map[*backend]bool // that requests from before a Load may still use
	guards   map[string]*guard // by target
	walls    map[string]*waf.Firewall
	fronts   map[netip.AddrPort]*listening
	sockets  map[netip.AddrPort]*quicSocket // of HTTP/3, also those that end
	followed followed
}

// state is what requests are handled by; they keep the one they began with.
type state struct {
	router   *Router
	backends map[[2]string]*backend
	guards   map[string]*guard
	walls    map[string]*waf.Firewall
	offers   map[netip.AddrPort]string // of HTTP/3
}

// listening is one address.
type listening struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}
	quic     *quicFront // nil without HTTP/3
	fast     *fastFront
}

// NewServer returns a gateway that listens nowhere yet. Close it after use.
func NewServer(o Options) *Server {
	if o.Listen == nil {
		o.Listen = new(net.ListenConfig).Listen
	}
	if o.ListenPacket == nil {
		o.ListenPacket = new(net.ListenConfig).ListenPacket
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	s := &Server{options: o, buffers: &buffers{}, backends: map[[2]string]*backend{}, retired: map[*backend]bool{}, fronts: map[netip.AddrPort]*listening{}, sockets: map[netip.AddrPort]*quicSocket{}}
	s.pace.Store(newTempo(o.Pace))
	s.ctx, s.end = context.WithCancel(context.Background())
	s.hurry, s.hasten = context.WithCancel(context.Background())
	s.followed.discover = o.Discover
	s.proxy = s.newProxy()
	s.cache = cache.New(cache.Options{})
	return s
}

// ErrClosed means that the gateway is closed.
var ErrClosed = errors.New("the gateway is closed")

// Load puts a configuration in force, whole or not at all. Requests under way end
// by the one they began with; members that stay keep their health and their
// connections.
func (s *Server) Load(c *Config) error {
	router, err := NewRouter(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	// First what can fail: nothing has changed then.
	walls, err := s.firewalls(c)
	if err != nil {
		return err
	}
	opened, sockets := map[netip.AddrPort]net.Listener{}, map[netip.AddrPort]*quicSocket{}
	failed := func(f *front, err error) error {
		for _, l := range opened {
			l.Close()
		}
		for _, q := range sockets {
			s.leaving.Go(s.release(q))
		}
		return fmt.Errorf("listener %s: %w", f.rules[0].listener.Name, err)
	}
	for i := range router.fronts {
		f := &router.fronts[i]
		have := s.fronts[f.address]
		if have == nil {
			l, err := s.options.Listen(s.ctx, "tcp", listenAddress(f.address))
			if err != nil {
				return failed(f, err)
			}
			opened[f.address] = l
		}
		if f.http3() && (have == nil || have.quic == nil) {
			q, err := s.socket(f.address)
			if err != nil {
				return failed(f, err)
			}
			sockets[f.address] = q
		}
	}
	s.cache.Resize(c.CacheSize)
	s.follow(c)
	left := s.join(router)
	s.walls = walls
	s.guards = s.guard(router)
	offers := map[netip.AddrPort]string{}
	for at, q := range sockets {
		offers[at] = q.offer()
	}
	for at, f := range s.fronts {
		if f.quic != nil {
			offers[at] = f.quic.socket.offer()
		}
	}
	s.state.Store(&state{router: router, backends: s.backends, guards: s.guards, walls: walls, offers: offers})
	for at, l := range opened {
		s.open(at, l)
	}
	s.openQUIC(router, sockets)
	for at, f := range s.fronts {
		if has(router, at) {
			if secure := s.handshakes(at); (secure == nil) != (f.fast.tls.Load() == nil) {
				f.fast.tls.Store(secure)
			}
			continue
		}
		delete(s.fronts, at)
		f.fast.stop() // the address is free from now on
		if f.quic != nil {
			f.quic.stop()
		}
		s.leave(func(ctx context.Context) { s.shut(ctx, f) })
	}
	for _, b := range left {
		s.retired[b] = true
		b.retired.Store(true)
		s.leave(func(ctx context.Context) { s.retire(ctx, b) })
	}
	return nil
}

// retire ends a backend that has no new requests: its probes at once, its connections
// when those that are under way have ended.
func (s *Server) retire(ctx context.Context, b *backend) {
	b.close()
	b.asking.Wait(ctx)
	b.rest()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.retired, b)
}

// leave ends something that is no longer in force, in its own time; Close hastens
// it. The caller holds mu.
func (s *Server) leave(end func(ctx context.Context)) {
	s.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(s.hurry, idleTimeout)
		defer cancel()
		end(ctx)
	})
}

// Rebind listens anew at every address, for a network in which they lead elsewhere
// now. Connections that are there end their requests.
func (s *Server) Rebind() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.state.Load() == nil {
		return nil
	}
	var errs []error
	for at, f := range s.fronts {
		if f.quic != nil {
			continue // packets find their way by the address they name
		}
		f.fast.stop()
		delete(s.fronts, at)
		s.leave(func(ctx context.Context) { s.shut(ctx, f) })
		l, err := s.options.Listen(s.ctx, "tcp", listenAddress(at))
		if err != nil {
			errs = append(errs, fmt.Errorf("listen again at %s: %w", at, err))
			continue
		}
		s.open(at, l)
	}
	return errors.Join(errs...)
}

// join makes the backends of a router, and returns those that it has no more.
func (s *Server) join(router *Router) (left []*backend) {
	c := router.config
	next := map[[2]string]*backend{}
	for _, t := range router.targets() {
		if t.pool == nil {
			continue
		}
		key := [2]string{t.pool.Name, t.settings.Name}
		if next[key] != nil {
			continue
		}
		probe := probeOf(c, t.settings)
		b := s.backends[key]
		if b == nil || !b.same(t.settings, probe) {
			old := b
			b = newBackend(s, t.pool, t.settings, probe)
			if old != nil {
				b.inherit(old)
			}
		}
		b.update(s.ctx, s, s.resolved(c, t.pool))
		next[key] = b
	}
	for key, b := range s.backends {
		if next[key] != b {
			left = append(left, b)
		}
	}
	s.backends = next
	return left
}

// firewalls makes the firewalls of a configuration; those whose policy did not
// change stay, with what their rates have counted.
func (s *Server) firewalls(c *Config) (map[string]*waf.Firewall, error) {
	next := map[string]*waf.Firewall{}
	for i := range c.Firewalls {
		p := &c.Firewalls[i].Policy
		if w := s.walls[p.Name]; w != nil && reflect.DeepEqual(w.Policy(), p) {
			next[p.Name] = w
			continue
		}
		w, err := waf.New(p, waf.Options{})
		if err != nil {
			return nil, err
		}
		next[p.Name] = w
	}
	return next, nil
}

// guard makes the policies of a router; those that did not change keep what they
// have counted.
func (s *Server) guard(router *Router) map[string]*guard {
	next := map[string]*guard{}
	for _, t := range router.targets() {
		p := &t.action.Policy
		if reflect.DeepEqual(*p, Policy{}) {
			continue
		}
		if g := s.guards[t.name]; g != nil && reflect.DeepEqual(*g.policy, *p) {
			next[t.name] = g
			continue
		}
		g := &guard{policy: p}
		if p.RateLimit != nil {
			g.rate = newLimiter(p.RateLimit)
		}
		if p.Token != nil {
			g.token = newVerifier(s, p.Token)
		}
		if p.Breaker != nil {
			g.breaks = newBreaker(p.Breaker)
		}
		next[t.name] = g
	}
	for name, g := range s.guards {
		if next[name] != g {
			g.rest()
		}
	}
	return next
}

func has(r *Router, at netip.AddrPort) bool {
	for _, f := range r.fronts {
		if f.address == at {
			return true
		}
	}
	return false
}

// secured is how a request whose connection was handed over knows of its TLS.
type securedKey struct{}

// open serves an address.
func (s *Server) open(at netip.AddrPort, l net.Listener) {
	f := &listening{listener: l, done: make(chan struct{})}
	f.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(at, w, r) }),
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          quiet,
		Protocols:         new(http.Protocols),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if b, ok := c.(interface{ over() *tls.ConnectionState }); ok && b.over() != nil {
				return context.WithValue(ctx, securedKey{}, b.over())
			}
			return ctx
		},
	}
	// HTTP/2 over TLS comes here with TLS at its end already.
	f.server.Protocols.SetHTTP1(true)
	f.server.Protocols.SetUnencryptedHTTP2(true)
	f.server.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: h2Frame}
	s.fronts[at] = f
	f.fast = newFastFront(s, at, l, s.handshakes(at))
	go func() {
		defer close(f.done)
		_ = f.server.Serve(f.fast.others)
	}()
}

// isTLS reports whether an address speaks TLS in the state in force.
func (s *Server) isTLS(at netip.AddrPort) bool {
	for _, f := range s.state.Load().router.fronts {
		if f.address == at {
			return f.rules[0].listener.Protocol == HTTPS
		}
	}
	return false
}

// handshakes are those of an address in the state in force, nil without TLS.
func (s *Server) handshakes(at netip.AddrPort) *tls.Config {
	if !s.isTLS(at) {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return s.tlsFor(at, hello) },
	}
}

// tlsFor returns the handshake of the listener that takes the name a client asks
// for: the first by priority, as for requests.
func (s *Server) tlsFor(at netip.AddrPort, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	router := s.state.Load().router
	l := router.greets(at, hello.ServerName)
	if l == nil {
		return nil, errors.New("no listener")
	}
	config := &tls.Config{
		MinVersion: max(l.MinTLS, tls.VersionTLS12), NextProtos: []string{"h2", "http/1.1"}, Certificates: l.Certificates,
		DynamicRecordSizingDisabled: true, // an answer is a record
	}
	if router.config.NoHTTP2 {
		config.NextProtos = config.NextProtos[1:]
	}
	if l.ClientCAs != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, l.ClientCAs
	}
	return config, nil
}

// shut ends an address: no new connections, those that are there end their
// requests until the context ends.
func (s *Server) shut(ctx context.Context, f *listening) {
	f.fast.stop()
	var quic sync.WaitGroup
	if f.quic != nil {
		quic.Go(func() { s.shutQUIC(ctx, f.quic) })
	}
	if f.server.Shutdown(ctx) != nil {
		_ = f.server.Close()
	}
	<-f.done
	f.fast.wait(ctx.Done())
	quic.Wait()
}

// Router returns the router in force, nil before the first Load.
func (s *Server) Router() *Router {
	if st := s.state.Load(); st != nil {
		return st.router
	}
	return nil
}

// Close ends the gateway: requests under way, and conversations of WebSocket, have as
// long as given to end. Nothing of it is left when Close returns, and no function of
// its Options is called any more.
func (s *Server) Close(most time.Duration) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	fronts, backends, retired := s.fronts, s.backends, maps.Clone(s.retired)
	guards := s.guards
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	defer context.AfterFunc(ctx, s.hasten)()
	var all sync.WaitGroup
	for _, f := range fronts {
		all.Go(func() { s.shut(ctx, f) })
	}
	all.Wait()
	s.handled.Wait(ctx) // also conversations, which net/http knows nothing of
	s.end()
	s.hasten()
	s.leaving.Wait()
	s.handled.End()
	s.followed.running.Wait()
	s.cache.Close()
	for _, b := range backends {
		b.close()
	}
	for b := range retired {
		b.rest()
	}
	for _, g := range guards {
		g.rest()
	}
}

// listenAddress returns an address as net.Listen takes it.
func listenAddress(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return fmt.Sprintf(":%d", a.Port())
	}
	return a.String()
}

// transaction returns the name of a request.
func transaction() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
