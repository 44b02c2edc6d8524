package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/balance"
	"github.com/ceruleannet/cerulean/internal/traffic/underway"
)

// endpoint is a member as it is asked.
type endpoint struct {
	host string
	port uint16
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(int(e.port))) }

// cookie is the endpoint's value in the affinity cookie.
func (e endpoint) cookie() string { return strconv.FormatUint(balance.Hash(e.String()), 36) }

// Defaults of the resource ("Application Gateway HTTP settings configuration",
// "Application Gateway health probes overview").
const (
	defaultTimeout   = 20 * time.Second
	defaultInterval  = 30 * time.Second
	defaultProbeTime = 30 * time.Second
	defaultThreshold = 3
	affinityCookie   = "ApplicationGatewayAffinity"
)

// backend is a pool as some settings ask it. Every pair of them has its own
// health, as in Azure.
type backend struct {
	server   *Server
	name     [2]string // pool and settings
	settings Settings
	probe    Probe
	balancer *balance.Balancer[endpoint]
	plain    http.RoundTripper // HTTP/1.1, and what TLS agrees on
	grpc     http.RoundTripper // HTTP/2 always
	probing  sync.WaitGroup
	asking   underway.Requests // over plain and grpc
	retired  atomic.Bool       // a Load has put another in its place

	mu      sync.Mutex
	members map[endpoint]*presence
	checks  map[endpoint]Check // also of those that are yet to join, from before
}

// presence is a member's time in the pool.
type presence struct {
	ctx  context.Context // ends when the drain time after its removal is over, if there is one
	end  context.CancelFunc
	kick context.CancelFunc // ends its prober

	lines lines // the short way's connections
}

func newBackend(s *Server, pool *Pool, settings *Settings, probe Probe) *backend {
	b := &backend{
		server: s, name: [2]string{pool.Name, settings.Name}, settings: *settings, probe: probe,
		balancer: balance.New(balance.WeightedRoundRobin(), balance.Options[endpoint]{}),
		members:  map[endpoint]*presence{}, checks: map[endpoint]Check{},
	}
	b.plain, b.grpc = b.transport(s, false), b.transport(s, true)
	return b
}

// same reports whether the backend is already as configured, but for its members.
func (b *backend) same(settings *Settings, probe Probe) bool {
	x, y := b.settings, *settings
	x.Place, y.Place = "", ""
	xp, yp := b.probe, probe
	xp.Place, yp.Place = "", ""
	rootsEqual := x.Roots == y.Roots || x.Roots != nil && y.Roots != nil && x.Roots.Equal(y.Roots)
	x.Roots, y.Roots = nil, nil
	return rootsEqual && reflect.DeepEqual(x, y) && reflect.DeepEqual(xp, yp)
}

// update makes the pool's members those of the configuration.
func (b *backend) update(ctx context.Context, s *Server, pool *Pool) {
	var group []balance.Member[endpoint]
	now := map[endpoint]bool{}
	for _, m := range pool.Members {
		e := endpoint{strings.ToLower(m.Host), m.Port}
		if e.port == 0 {
			e.port = b.settings.Port
		}
		if now[e] {
			continue // once by the settings' port and once by its own
		}
		now[e] = true
		group = append(group, balance.Member[endpoint]{Value: e, Weight: m.Weight})
	}
	_ = b.balancer.Update(group) // it was checked
	b.mu.Lock()
	defer b.mu.Unlock()
	defer maps.DeleteFunc(b.checks, func(e endpoint, _ Check) bool { return !now[e] })
	for e, p := range b.members {
		if now[e] {
			continue
		}
		delete(b.members, e)
		p.kick()
		p.lines.sweep(time.Time{}, true)
		if b.settings.Drain > 0 {
			time.AfterFunc(b.settings.Drain, p.end)
		}
	}
	for e := range now {
		if b.members[e] != nil {
			continue
		}
		p := &presence{}
		p.ctx, p.end = context.WithCancel(context.Background())
		probing, kick := context.WithCancel(ctx)
		p.kick = kick
		b.members[e] = p
		known, ok := b.checks[e]
		if known.Healthy = known.Healthy || !ok; !known.Healthy {
			b.mark(e, false)
		}
		b.probing.Go(func() { b.watch(probing, s, e, known) })
	}
}

// inherit takes over what another backend knows of its members: they do not become
// well by being asked in another way.
func (b *backend) inherit(from *backend) {
	from.mu.Lock()
	defer from.mu.Unlock()
	maps.Copy(b.checks, from.checks)
}

// transport asks members over connections that are kept.
func (b *backend) transport(s *Server, h2 bool) *http.Transport {
	timeout := b.settings.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	t := &http.Transport{
		DialContext:           s.options.Dial,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: timeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // bodies pass as they are
		Protocols:             new(http.Protocols),
	}
	t.Protocols.SetHTTP1(!h2)
	if h2 {
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	if b.settings.Protocol == HTTPS {
		t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return b.dialTLS(ctx, s, network, addr, h2)
		}
	}
	return t
}

// hostFor returns the Host header and the server name that a member is asked by;
// empty keeps the request's.
func (b *backend) hostFor(e endpoint) string {
	switch {
	case b.settings.HostOfMember:
		return e.host
	default:
		return b.settings.Host
	}
}

// serverName is a request's, for the handshake with a member.
type serverName struct{}

// dialTLS connects to a member. Its certificate must be for the host it is asked
// by, and lead to a trusted root, unless the settings say otherwise.
func (b *backend) dialTLS(ctx context.Context, s *Server, network, addr string, h2 bool) (net.Conn, error) {
	c, err := s.options.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(addr)
	name := b.settings.SNI
	if name == "" {
		name = b.settings.Host
	}
	if name == "" && b.settings.HostOfMember {
		name = host
	}
	if name == "" {
		name, _ = ctx.Value(serverName{}).(string)
	}
	if name == "" {
		name = host
	}
	config := &tls.Config{ServerName: name, RootCAs: b.settings.Roots, MinVersion: tls.VersionTLS12, InsecureSkipVerify: b.settings.Insecure}
	if h2 {
		config.NextProtos = []string{"h2"}
	}
	t := tls.Client(c, config)
	handshake, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := t.HandshakeContext(handshake); err != nil {
		c.Close()
		return nil, &dialError{err}
	}
	return t, nil
}

// dialError is a handshake that failed: nothing of the request was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// unsent reports whether an error means that nothing of the request was sent, so
// that another member can be asked.
func unsent(err error) bool {
	var d *dialError
	var op *net.OpError
	return errors.As(err, &d) || errors.As(err, &op) && op.Op == "dial"
}

// explainError says why a member could not be asked, for the log and the health
// page.
func explainError(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // who was asked is said beside it
	}
	switch {
	case errors.As(err, &unknown):
		return "the member's certificate leads to no trusted root"
	case errors.As(err, &host):
		return "the member's certificate is not for " + host.Host
	case errors.As(err, &invalid):
		return "the member's certificate is not valid: " + invalid.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return err.Error()
}

// errTried means that no member is left that was not tried.
var errTried = errors.New("every member was tried")

// pick chooses a member that was not tried: the one of the client's cookie while it is
// well.
func (b *backend) pick(ctx context.Context, cookie string, tried []endpoint) (balance.Pick[endpoint], error) {
	if cookie != "" {
		if p, ok := b.balancer.PickWhere(func(e endpoint) bool { return e.cookie() == cookie }); ok {
			return p, nil
		}
	}
	p, err := b.balancer.Pick(ctx, 0)
	if err != nil || !slices.Contains(tried, p.Member) {
		return p, err
	}
	p.Done(nil)
	if p, ok := b.balancer.PickWhere(func(e endpoint) bool { return !slices.Contains(tried, e) }); ok {
		return p, nil
	}
	return balance.Pick[endpoint]{}, errTried
}

// close ends the backend's probes and idle connections, and waits for them.
func (b *backend) close() {
	b.mu.Lock()
	for _, p := range b.members {
		p.kick()
		p.lines.sweep(time.Time{}, true)
		if b.settings.Drain > 0 {
			time.AfterFunc(b.settings.Drain, p.end)
		}
	}
	b.mu.Unlock()
	b.probing.Wait()
	b.rest()
}

// let ends the connection that a request has used, if it was from before a Load:
// nobody else will.
func (b *backend) let() {
	if b.retired.Load() {
		b.rest()
	}
}

// rest ends the connections that nobody uses now.
func (b *backend) rest() {
	for _, t := range []http.RoundTripper{b.plain, b.grpc} {
		t.(*http.Transport).CloseIdleConnections()
	}
}
