package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// GatewayOptions say how to run a gateway.
type GatewayOptions struct {
	Log   io.Writer         // gets a JSON line for each request; nil for none
	WAF   io.Writer         // gets one for each firewall rule that matched; nil for none
	Event func(text string) // hears of what changes
	Drain time.Duration     // how long requests may take to end at the end
	Ready func([]string)    // hears the addresses once they are open
}

// GatewayStatus is a running gateway.
type GatewayStatus struct {
	Gateway   string          `json:"gateway"`
	Path      string          `json:"path"`
	PID       int             `json:"pid"`
	Loaded    time.Time       `json:"loaded"`
	Problem   string          `json:"problem,omitempty"` // why the file as it is now is not in force
	Addresses []string        `json:"addresses"`
	Findings  []string        `json:"findings,omitempty"` // what of its resource is not done as it is written
	Members   []gateway.Check `json:"members"`
	Cache     cache.Stats     `json:"cache"`

	socket string
}

// GatewayPurge asks a gateway to forget kept answers.
type GatewayPurge struct {
	Gateway   string `json:"gateway,omitempty"`
	Host      string `json:"host,omitempty"` // empty: every host
	Path      string `json:"path"`           // may end with *
	Forgotten int    `json:"forgotten"`
}

// PurgeGateways makes the user's running gateways, or the one of a name, forget
// kept answers.
func PurgeGateways(ctx context.Context, name string, ask GatewayPurge) ([]GatewayPurge, error) {
	list, err := Gateways(ctx)
	if err != nil {
		return nil, err
	}
	var out []GatewayPurge
	for _, s := range list {
		if name != "" && s.Gateway != name {
			continue
		}
		r := newRemote(s.socket)
		var done GatewayPurge
		err := r.Post(ctx, "/v1/purge", ask, &done)
		r.Close()
		if err != nil {
			return out, fmt.Errorf("gateway %s: %w", s.Gateway, err)
		}
		done.Gateway = s.Gateway
		out = append(out, done)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no gateway %s is running; see 'cerulean gateway status'", name)
	}
	return out, nil
}

// RunGateway runs the gateway of a file until the context ends. When the file
// changes it is read again: a good one takes over without a connection lost, of a
// wrong one everything is told and the last good one stays.
func RunGateway(ctx context.Context, file string, o GatewayOptions) error {
	if o.Event == nil {
		o.Event = func(string) {}
	}
	g := &runningGateway{log: o.Log, waf: o.WAF}
	g.server = gateway.NewServer(gateway.Options{
		OnRequest:  g.request,
		OnFirewall: g.matched,
		Discover:   discoverFor(o.Event),
		OnHealth: func(c gateway.Check) {
			state := "healthy"
			if !c.Healthy {
				state = "unhealthy"
			}
			o.Event(fmt.Sprintf("member %s of %s is %s: %s", c.Member, c.Pool, state, c.Said))
		},
	})
	defer g.flush()
	defer g.server.Close(o.Drain)
	var err error
	if g.file, err = serveFile(file, g.take); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, g.status()) })
	mux.HandleFunc("POST /v1/purge", func(w http.ResponseWriter, r *http.Request) {
		var ask GatewayPurge
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ask.Forgotten = g.server.Purge(ask.Host, ask.Path)
		answer(w, ask)
	})
	c, err := openControl(ctx, ofGateway, mux)
	if err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready(g.status().Addresses)
	}
	g.file.follow(ctx, o.Event, g.flush)
	return c.close()
}

// runningGateway is a gateway and its file.
type runningGateway struct {
	server *gateway.Server
	file   *servedFile

	mu    sync.Mutex
	log   io.Writer
	lines []byte // of the log, not written yet
	waf   io.Writer
}

// take puts what a file says in force.
func (g *runningGateway) take(path string) (string, error) {
	config, err := gateway.ReadFile(path)
	if err != nil {
		return "", err
	}
	return config.Name, g.server.Load(config)
}

// request writes a line of the access log.
func (g *runningGateway) request(r *gateway.Record) {
	if g.log == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(r.AppendJSON(g.lines), '\n')
	if len(g.lines) >= logBuffer {
		g.writeLog()
	}
}

// logBuffer is how much of the access log waits at most to be written; what waits
// is written at every look at the file.
const logBuffer = 32 << 10

// writeLog writes what waits; mu is held.
func (g *runningGateway) writeLog() {
	if len(g.lines) > 0 {
		_, _ = g.log.Write(g.lines)
		g.lines = g.lines[:0]
	}
}

func (g *runningGateway) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writeLog()
}

// matched writes a line of the firewall log for each rule.
func (g *runningGateway) matched(list []waf.Entry) {
	if g.waf == nil {
		return
	}
	var all []byte
	for i := range list {
		if b, err := json.Marshal(&list[i]); err == nil {
			all = append(append(all, b...), '\n')
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = g.waf.Write(all)
}

func (g *runningGateway) status() GatewayStatus {
	now := g.file.state()
	s := GatewayStatus{Gateway: now.name, Path: g.file.path, PID: os.Getpid(), Loaded: now.since, Problem: now.problem}
	for _, a := range g.server.Router().Addresses() {
		s.Addresses = append(s.Addresses, a.String())
	}
	s.Members, s.Cache = g.server.Health(), g.server.CacheStats()
	return s
}

// Gateways returns the user's running gateways: those of running networks, and
// those that run alone.
func Gateways(ctx context.Context) ([]GatewayStatus, error) {
	sockets, err := controlSockets(ofGateway)
	if err != nil {
		return nil, err
	}
	out := []GatewayStatus{}
	networks, err := Running(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range networks {
		list, err := r.Gateways(ctx)
		r.Close()
		if err == nil {
			out = append(out, list...)
		}
	}
	for _, socket := range sockets {
		r := newRemote(socket)
		var s GatewayStatus
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := r.Get(ask, "/v1/status", &s)
		cancel()
		r.Close()
		if err == nil { // otherwise it is going down, or was killed
			s.socket = socket
			out = append(out, s)
		}
	}
	return out, nil
}

// WriteGateways writes running gateways and the health of their members.
func WriteGateways(w io.Writer, list []GatewayStatus) error {
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s at %s (%s, process %d)\n", s.Gateway, strings.Join(s.Addresses, ", "), s.Path, s.PID)
		if s.Problem != "" {
			fmt.Fprintf(w, "  the file as it is now is not in force:\n  %s\n", strings.ReplaceAll(s.Problem, "\n", "\n  "))
		}
		if k := s.Cache; k.Hits+k.Misses > 0 {
			fmt.Fprintf(w, "  kept: %d answers, %d bytes; %d hits, %d misses\n", k.Answers, k.Bytes, k.Hits, k.Misses)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  POOL\tSETTINGS\tMEMBER\tSTATE\tLATENCY\tWHY")
		for _, m := range s.Members {
			state := "healthy"
			if !m.Healthy {
				state = "unhealthy"
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", m.Pool, m.Settings, m.Member, state, m.Took.Round(10*time.Microsecond), m.Said)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// GatewayRoute is where a URL goes at a gateway.
type GatewayRoute struct {
	URL      string           `json:"url"`
	Decision gateway.Decision `json:"decision"`
	Members  []string         `json:"members,omitempty"`
}

// CheckGateway reads the file of a gateway and reports everything wrong with it.
func CheckGateway(file string) (listeners, rules int, err error) {
	c, err := gateway.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	return len(c.Listeners), len(c.Rules), nil
}

// ExplainGateway says which listener, rule, path and pool take a URL at the
// gateway of a file, and why the others do not. The URL's port must be one of the
// gateway's; without one it is the protocol's own if the gateway listens there,
// else its only one.
func ExplainGateway(file, rawURL string) (*GatewayRoute, error) {
	c, err := gateway.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := gateway.NewRouter(c)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no absolute URL of http or https", rawURL)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var at []netip.AddrPort
	var have []string
	for _, a := range r.Addresses() {
		have = append(have, a.String())
		if fmt.Sprint(a.Port()) == port {
			at = append(at, a)
		}
	}
	if len(at) == 0 && u.Port() == "" && len(have) == 1 {
		at = r.Addresses()
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("the gateway does not listen at port %s, but at %s", port, strings.Join(have, ", "))
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	out := &GatewayRoute{URL: rawURL, Decision: r.Decide(at[0], u.Host, path)}
	for _, p := range c.Pools {
		if p.Name == out.Decision.Pool && p.Name != "" {
			for _, m := range p.Members {
				out.Members = append(out.Members, m.Host)
			}
		}
	}
	return out, nil
}

// Write writes the decision for people.
func (g *GatewayRoute) Write(w io.Writer) error {
	d := &g.Decision
	for _, p := range d.Passed {
		name := p.Rule
		if p.Path != "" {
			name += ", path " + p.Path
		}
		fmt.Fprintf(w, "  not rule %s: %s\n", name, p.Why)
	}
	if d.Rule == "" {
		_, err := fmt.Fprintf(w, "%s: no rule takes it: %d\n", g.URL, d.Status)
		return err
	}
	fmt.Fprintf(w, "%s\n  listener  %s\n  rule      %s (%s)\n", g.URL, d.Listener, d.Rule, d.Place)
	if d.Path != "" {
		fmt.Fprintf(w, "  path      %s (%s)\n", d.Path, d.Pattern)
	}
	if d.Redirect != "" {
		_, err := fmt.Fprintf(w, "  redirect  %s\n", d.Redirect)
		return err
	}
	if d.Firewall != "" {
		fmt.Fprintf(w, "  firewall  %s\n", d.Firewall)
	}
	_, err := fmt.Fprintf(w, "  pool      %s: %s\n  settings  %s\n", d.Pool, strings.Join(g.Members, ", "), d.Settings)
	return err
}
