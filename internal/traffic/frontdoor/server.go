package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/underway"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// Options are how a front door reaches its clients and origins; nil means the
// system's network.
type Options struct {
	Listen func(ctx context.Context, edge *Edge, network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, edge *Edge, network, address string) (net.Conn, error)
	// OnHealth hears of every change of an origin's health, as an edge sees it.
	OnHealth func(Health)
	// OnRequest hears of every request that was answered; OnProbe of every probe
	// that failed, OnFirewall of what a firewall matched.
	OnRequest  func(*Record)
	OnProbe    func(*ProbeRecord)
	OnFirewall func(edge string, entries []waf.Entry)
	// Pace is how much faster than declared origins are probed; 0 means 1.
	Pace float64
}

// Health is how an edge sees an origin.
type Health struct {
	Edge    string        `json:"edge"`
	Group   string        `json:"group"`
	Origin  string        `json:"origin"`
	Host    string        `json:"host"`
	Healthy bool          `json:"healthy"`
	Latency time.Duration `json:"latency"` // of probes, with the distance of the regions
	Said    string        `json:"said"`
	Since   time.Time     `json:"since,omitzero"`
	Asked   time.Time     `json:"asked,omitzero"`
	Sent    uint64        `json:"sent"`
	Failed  uint64        `json:"failed"`
}

// Server is a running front door.
type Server struct {
	options Options
	cancel  context.CancelFunc
	ctx     context.Context
	work    sync.WaitGroup
	state   atomic.Pointer[state]
	pace    atomic.Value // float64, how much faster than declared probes are sent
	handled underway.Requests

	hurry  context.Context // over when what a Load ended has had its time
	hasten context.CancelFunc

	mu    sync.Mutex // guards edges, and lets one Load go on at a time
	edges []*edge
}

// state is what is in force.
type state struct {
	router *Router
	walls  []*waf.Firewall // of the profile's, by number
}

// NewServer returns a front door that serves nothing yet. Close it after use.
func NewServer(o Options) *Server {
	if o.Listen == nil {
		o.Listen = func(ctx context.Context, _ *Edge, network, address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, network, address)
		}
	}
	if o.Dial == nil {
		d := &net.Dialer{Timeout: dialTimeout}
		o.Dial = func(ctx context.Context, _ *Edge, network, address string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		}
	}
	s := &Server{options: o}
	s.pace.Store(or(o.Pace, 1))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.hurry, s.hasten = context.WithCancel(context.Background())
	return s
}

// Start runs a profile. Close it after use.
func Start(c *Config, o Options) (*Server, error) {
	s := NewServer(o)
	if err := s.Load(c); err != nil {
		s.Close(0)
		return nil, err
	}
	return s, nil
}

// Load puts a profile in force, whole or not at all. Connections and kept answers
// stay, and so does what is known of origins that did not change; edges that are
// no longer declared end in their own time.
func (s *Server) Load(c *Config) error {
	router, err := NewRouter(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return errClosed
	}
	next := &state{router: router}
	if next.walls, err = s.firewalls(c); err != nil {
		return err
	}
	var opened []*listener
	var edges []*edge
	fail := func(err error) error {
		for _, l := range opened {
			_ = l.listen.Close()
		}
		return err
	}
	keep := map[*edge][]*listener{}
	for i := range c.Edges {
		x := &c.Edges[i]
		n := slices.IndexFunc(s.edges, func(e *edge) bool { return e.name == x.Name })
		var e *edge
		if n >= 0 {
			e = s.edges[n]
		} else {
			e = newEdge(s, x)
		}
		edges = append(edges, e)
		for _, a := range []struct {
			address string
			valid   bool
			secure  bool
		}{{x.Address.String(), x.Address.Port() != 0, false}, {x.Secure.String(), x.Secure.Port() != 0, true}} {
			if !a.valid {
				continue
			}
			if k := slices.IndexFunc(e.listeners, func(l *listener) bool { return l.address == a.address && l.secure == a.secure }); k >= 0 {
				keep[e] = append(keep[e], e.listeners[k])
				continue
			}
			l, err := s.options.Listen(s.ctx, x, "tcp", a.address)
			if err != nil {
				return fail(fmt.Errorf("edge %s: %w", x.Name, err))
			}
			opened = append(opened, &listener{edge: e, address: a.address, secure: a.secure, listen: l})
			keep[e] = append(keep[e], opened[len(opened)-1])
		}
	}
	// From here on nothing fails.
	s.state.Store(next)
	for _, e := range s.edges {
		for _, l := range e.listeners {
			if !slices.Contains(keep[e], l) {
				s.work.Go(func() {
					ctx, cancel := context.WithTimeout(s.hurry, drain)
					defer cancel()
					l.close(ctx)
				})
			}
		}
		if !slices.Contains(edges, e) {
			e.watch(nil)
			s.work.Go(func() { s.retire(e) })
		}
	}
	for i, e := range edges {
		e.listeners = keep[e]
		e.mu.Lock()
		e.config, e.addresses = &c.Edges[i], nil
		for _, l := range e.listeners {
			e.addresses = append(e.addresses, l.listen.Addr().String())
		}
		e.mu.Unlock()
		e.watch(c)
	}
	s.edges = edges
	for _, l := range opened {
		l.serve()
	}
	return nil
}

// retire ends an edge that is no longer declared, once its requests have ended.
func (s *Server) retire(e *edge) {
	ctx, cancel := context.WithTimeout(s.hurry, drain)
	defer cancel()
	e.handled.Wait(ctx)
	e.end()
}

// drain is how long requests of an edge that is no longer declared may take.
const drain = 30 * time.Second

var errClosed = errors.New("the front door is closed")

// firewalls returns those of a profile: the ones in force where their policies did
// not change, as making one takes a while and their counts of requests should stay.
func (s *Server) firewalls(c *Config) ([]*waf.Firewall, error) {
	old := s.state.Load()
	out := make([]*waf.Firewall, len(c.Firewalls))
	for i := range c.Firewalls {
		p := &c.Firewalls[i].Policy
		if old != nil {
			for _, w := range old.walls {
				if reflect.DeepEqual(w.Policy(), p) {
					out[i] = w
				}
			}
		}
		if out[i] != nil {
			continue
		}
		w, err := waf.New(p, waf.Options{})
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// all returns the edges.
func (s *Server) all() []*edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.edges)
}

// Addresses returns where the edges listen, in their order.
func (s *Server) Addresses() (out []string) {
	for _, e := range s.all() {
		out = append(out, e.at()...)
	}
	return out
}

// Router returns what decides now, nil before the first Load.
func (s *Server) Router() *Router {
	if st := s.state.Load(); st != nil {
		return st.router
	}
	return nil
}

// Close ends the front door: requests under way, and conversations of WebSocket, have
// as long as given. Nothing of it is left when Close returns, and no function of its
// Options is called any more.
func (s *Server) Close(most time.Duration) {
	s.mu.Lock()
	s.cancel()
	edges := s.edges
	s.edges = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	defer context.AfterFunc(ctx, s.hasten)()
	var all sync.WaitGroup
	for _, e := range edges {
		e.watch(nil)
		for _, l := range e.listeners {
			all.Go(func() { l.close(ctx) })
		}
	}
	all.Wait()
	s.handled.Wait(ctx) // also conversations, which net/http knows nothing of
	s.hasten()
	s.handled.End()
	s.work.Wait()
	for _, e := range edges {
		e.end()
	}
}

// Purge forgets kept answers at every edge: of a host (empty: of all) and a path,
// which may end with *, whatever the case and the query ("Cache purging").
func (s *Server) Purge(host, path string) (n int) {
	for _, e := range s.all() {
		n += e.cache.Purge(host, path)
	}
	return n
}

// Health returns how the edges see the origins.
func (s *Server) Health() (out []Health) {
	r := s.Router()
	if r == nil {
		return nil
	}
	for _, e := range s.all() {
		for i := range r.config.Groups {
			g := &r.config.Groups[i]
			for k := range g.Origins {
				out = append(out, e.health(g, &g.Origins[k]))
			}
		}
	}
	return out
}

// EdgeStatus is an edge as it is now.
type EdgeStatus struct {
	Name      string      `json:"name"`
	Region    string      `json:"region"`
	Addresses []string    `json:"addresses"`
	Cache     cache.Stats `json:"cache"`
	Origins   []Health    `json:"origins"`
}

// Status returns the edges as they are now.
func (s *Server) Status() (out []EdgeStatus) {
	r := s.Router()
	for _, e := range s.all() {
		x := EdgeStatus{Name: e.name, Region: e.region(), Addresses: e.at(), Cache: e.cache.Stats()}
		for i := range r.config.Groups {
			g := &r.config.Groups[i]
			for k := range g.Origins {
				x.Origins = append(x.Origins, e.health(g, &g.Origins[k]))
			}
		}
		out = append(out, x)
	}
	return out
}
