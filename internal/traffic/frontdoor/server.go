package frontdoor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/balance"
	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// Times and sizes of the edges.
const (
	headerTimeout = 30 * time.Second
	idleTimeout   = 90 * time.Second
	originTimeout = 60 * time.Second // "originResponseTimeoutSeconds" is 60 unless set
	maxHeader     = 32 << 10
)

// affinity are the cookies that pin a client to an origin ("Session affinity").
const affinity, affinityCORS = "ASLBSA", "ASLBSACORS"

// Options are how a front door reaches its clients and origins; nil means the
// system's network.
type Options struct {
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// OnHealth hears of every change of an origin's health, as an edge sees it.
	OnHealth func(Health)
}

// Health is how an edge sees an origin.
type Health struct {
	Edge    string        `json:"edge"`
	Group   string        `json:"group"`
	Origin  string        `json:"origin"`
	Healthy bool          `json:"healthy"`
	Latency time.Duration `json:"latency"`
	Said    string        `json:"said"`
}

// Server is a running front door.
type Server struct {
	config *Config
	cancel context.CancelFunc
	work   sync.WaitGroup
	edges  []*edge
}

// edge is a place that serves.
type edge struct {
	server  *Server
	config  *Edge
	http    *http.Server
	cache   *cache.Cache
	client  *http.Transport
	proxy   *httputil.ReverseProxy
	options *Options
	at      string

	mu      sync.Mutex
	windows map[*Origin]*window
	said    map[*Origin]string
	turns   map[*Group]*turns
}

// Start runs a profile. Close it after use.
func Start(c *Config, o Options) (*Server, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if o.Listen == nil {
		o.Listen = new(net.ListenConfig).Listen
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{config: c, cancel: cancel}
	for i := range c.Edges {
		l, err := o.Listen(ctx, "tcp", c.Edges[i].Address.String())
		if err != nil {
			s.Close(0)
			return nil, err
		}
		e := &edge{
			server: s, config: &c.Edges[i], cache: cache.New(cache.Options{Name: "frontdoor"}), options: &o, at: l.Addr().String(),
			windows: map[*Origin]*window{}, said: map[*Origin]string{}, turns: map[*Group]*turns{},
			client: &http.Transport{
				DialContext: o.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: idleTimeout,
				ResponseHeaderTimeout: originTimeout, DisableCompression: true,
			},
		}
		e.proxy = &httputil.ReverseProxy{
			Rewrite: e.outbound, Transport: e, FlushInterval: -1, ModifyResponse: e.inbound,
			ErrorHandler: failed, ErrorLog: log.New(io.Discard, "", 0),
		}
		e.http = &http.Server{
			Handler: e, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
			ErrorLog: log.New(io.Discard, "", 0),
		}
		s.edges = append(s.edges, e)
		for g := range c.Groups {
			for k := range c.Groups[g].Origins {
				if c.Groups[g].Probe != nil {
					e.windows[&c.Groups[g].Origins[k]] = newWindow(&c.Groups[g])
				}
			}
		}
		s.work.Go(func() { _ = e.http.Serve(l) })
		for g := range c.Groups {
			e.watch(ctx, &c.Groups[g])
		}
	}
	return s, nil
}

// Addresses returns where the edges listen, in their order.
func (s *Server) Addresses() (out []string) {
	for _, e := range s.edges {
		out = append(out, e.at)
	}
	return out
}

// Close ends the front door: requests under way have as long as given.
func (s *Server) Close(most time.Duration) {
	ctx, done := context.WithTimeout(context.Background(), most)
	defer done()
	for _, e := range s.edges {
		if e.http.Shutdown(ctx) != nil {
			_ = e.http.Close()
		}
	}
	s.cancel()
	s.work.Wait()
	for _, e := range s.edges {
		e.cache.Close()
		e.client.CloseIdleConnections()
	}
}

// Purge forgets kept answers at every edge: of a host (empty: of all) and a path,
// which may end with *.
func (s *Server) Purge(host, path string) (n int) {
	for _, e := range s.edges {
		n += e.cache.Purge(host, path)
	}
	return n
}

// Health returns how the edges see the origins.
func (s *Server) Health() (out []Health) {
	for _, e := range s.edges {
		for i := range s.config.Groups {
			g := &s.config.Groups[i]
			for k := range g.Origins {
				out = append(out, e.health(g, &g.Origins[k]))
			}
		}
	}
	return out
}

func (e *edge) health(g *Group, o *Origin) Health {
	st := e.state(g, o)
	e.mu.Lock()
	defer e.mu.Unlock()
	return Health{e.config.Name, g.Name, o.Name, st.Healthy, st.Latency, or(e.said[o], "not asked yet")}
}

// state is what the edge knows of an origin, with the distance between their
// regions.
func (e *edge) state(g *Group, o *Origin) State {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := State{Healthy: true}
	if w := e.windows[o]; w != nil {
		st = w.state()
	}
	if d, ok := distance(e.config.Region, o.Region); ok {
		st.Latency += d
	}
	return st
}

// watch probes the origins of a group until the context ends.
func (e *edge) watch(ctx context.Context, g *Group) {
	p := g.Probe
	if p == nil {
		return
	}
	for i := range g.Origins {
		o := &g.Origins[i]
		e.server.work.Go(func() {
			tick := time.NewTicker(or(p.Interval, defaultInterval))
			defer tick.Stop()
			for {
				before := e.state(g, o).Healthy
				ok, took, said := e.probe(ctx, p, o)
				if ctx.Err() != nil {
					return
				}
				e.mu.Lock()
				e.windows[o].hear(ok, took)
				e.said[o] = said
				e.mu.Unlock()
				if h := e.health(g, o); h.Healthy != before && e.options.OnHealth != nil {
					e.options.OnHealth(h)
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
}

// probe asks an origin over a connection of its own; only 200 is well ("Health
// probes").
func (e *edge) probe(ctx context.Context, p *Probe, o *Origin) (ok bool, took time.Duration, said string) {
	t := &http.Transport{DialContext: e.options.Dial, DisableKeepAlives: true}
	ctx, cancel := context.WithTimeout(ctx, or(p.Interval, defaultInterval))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, or(p.Method, http.MethodHead), "http://"+o.address()+p.Path, nil)
	if err != nil {
		return false, 0, err.Error()
	}
	req.Host = or(o.HostHeader, o.Host)
	req.Header.Set("User-Agent", probeAgent)
	begin := time.Now()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return false, 0, err.Error()
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	took = time.Since(begin)
	return resp.StatusCode == http.StatusOK && err == nil, took, "status " + strconv.Itoa(resp.StatusCode)
}

func (o *Origin) address() string {
	return net.JoinHostPort(o.Host, strconv.Itoa(int(or(o.Port, 80))))
}

func (o *Origin) cookie() string { return strconv.FormatUint(balance.Hash(o.Name+o.address()), 36) }

// exchange is a request at an edge.
type exchange struct {
	outcome outcome
	match   match
	group   *Group
	id      string
	client  *http.Request
	pinned  bool
	origin  atomic.Pointer[Origin]
}

type exchangeKey struct{}

var errNoOrigin = errors.New("no origin is enabled")

// ServeHTTP answers a request at the edge.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := reference()
	w.Header().Set("X-Azure-Ref", id)
	m, known := e.server.config.match(r.Host, r.URL.Path)
	switch {
	case !known:
		http.Error(w, "no route has this domain", http.StatusBadRequest)
		return
	case m.route == nil:
		http.Error(w, "no route has this path", http.StatusNotFound)
		return
	case r.Method == http.MethodConnect:
		http.Error(w, "a front door is no tunnel", http.StatusMethodNotAllowed)
		return
	}
	x := &exchange{match: m, id: id, client: r}
	x.outcome = e.server.config.run(&m, r)
	if d := x.outcome.redirect; d != nil {
		for _, h := range x.outcome.response {
			h.apply(w.Header())
		}
		w.Header().Set("Location", d.location(r))
		w.WriteHeader(d.Status)
		return
	}
	i := slices.IndexFunc(e.server.config.Groups, func(g Group) bool { return g.Name == x.outcome.group })
	x.group = &e.server.config.Groups[i] // it was checked
	e.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
}

// reference names a request.
func reference() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// outbound readies the request for an origin.
func (e *edge) outbound(p *httputil.ProxyRequest) {
	x := p.In.Context().Value(exchangeKey{}).(*exchange)
	p.SetXForwarded()
	if before := p.In.Header.Values("X-Forwarded-For"); len(before) > 0 {
		host, _, _ := net.SplitHostPort(p.In.RemoteAddr)
		p.Out.Header.Set("X-Forwarded-For", before[0]+", "+host)
	}
	host, _, _ := net.SplitHostPort(p.In.RemoteAddr)
	p.Out.Header.Set("X-Azure-Clientip", host)
	p.Out.Header.Set("X-Azure-Socketip", host)
	p.Out.Header.Set("X-Azure-Ref", x.id)
	p.Out.URL.Scheme, p.Out.URL.Host = "http", p.In.Host
	if x.outcome.path != p.In.URL.Path {
		p.Out.URL.Path, p.Out.URL.RawPath = x.outcome.path, ""
	}
	if x.outcome.cache != nil {
		p.Out.Header.Del("Authorization") // "Caching": it is not forwarded
	}
}

// RoundTrip implements [http.RoundTripper]: from what is kept, or an origin.
func (e *edge) RoundTrip(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	if x.outcome.cache == nil {
		return e.ask(req)
	}
	space := x.match.route.Name + "/" + x.outcome.group
	return e.cache.Do(req, cache.Key(space, scheme(x.client), req, x.outcome.cache), x.outcome.cache, e.ask, func(ctx context.Context, r *http.Request) *http.Request {
		y := &exchange{match: x.match, outcome: x.outcome, group: x.group, id: x.id, client: x.client}
		out := r.Clone(context.WithValue(ctx, exchangeKey{}, y))
		out.Body = nil
		return out
	})
}

// ask asks an origin.
func (e *edge) ask(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	o := e.choose(x.group, req, x)
	if o == nil {
		return nil, errNoOrigin
	}
	x.origin.Store(o)
	out := req.Clone(req.Context())
	out.Body = req.Body
	u := url.URL{Scheme: "http", Host: o.address(), Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	out.URL, out.Host = &u, or(o.HostHeader, o.Host)
	out.Header.Set("X-Forwarded-Host", x.client.Host)
	return e.client.RoundTrip(out)
}

// choose takes the origin of a request: the one its cookie names while it may take
// part, else the one whose turn it is.
func (e *edge) choose(g *Group, req *http.Request, x *exchange) *Origin {
	c := g.Choose(func(i int) State { return e.state(g, &g.Origins[i]) })
	if g.Affinity {
		if cookie, err := req.Cookie(affinity); err == nil {
			for i := range g.Origins {
				o := &g.Origins[i]
				if o.cookie() == cookie.Value && !o.Disabled && (c.Unhealthy || g.Probe == nil || e.state(g, o).Healthy) {
					x.pinned = true
					return o
				}
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.turns[g]
	if t == nil {
		t = &turns{}
		e.turns[g] = t
	}
	if i := t.next(&c); i >= 0 {
		return &g.Origins[i]
	}
	return nil
}

// inbound changes the answer.
func (e *edge) inbound(resp *http.Response) error {
	x := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	if x.outcome.cache != nil {
		from := "TCP_MISS"
		if s := resp.Header.Get("Cache-Status"); len(s) > len("frontdoor; hit") && s[:len("frontdoor; hit")] == "frontdoor; hit" || s == "frontdoor; hit" {
			from = "TCP_HIT"
		}
		resp.Header.Set("X-Cache", from)
	} else {
		resp.Header.Set("X-Cache", "CONFIG_NOCACHE")
	}
	// A pin is not set on what others may get as well.
	if o := x.origin.Load(); o != nil && x.group.Affinity && !x.pinned && x.outcome.cache == nil {
		c := http.Cookie{Name: affinity, Value: o.cookie(), Path: "/", HttpOnly: true}
		resp.Header.Add("Set-Cookie", c.String())
		c.Name, c.SameSite, c.Secure = affinityCORS, http.SameSiteNoneMode, true
		resp.Header.Add("Set-Cookie", c.String())
	}
	for _, h := range x.outcome.response {
		h.apply(resp.Header)
	}
	return nil
}

// failed answers a request that no origin answered: 504 for one that took too long,
// 503 otherwise ("Troubleshooting common issues").
func failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return
	}
	status := http.StatusServiceUnavailable
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		status = http.StatusGatewayTimeout
	}
	http.Error(w, http.StatusText(status), status)
}
