package frontdoor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"
)

// originKey is an origin of a group.
type originKey struct{ group, origin, host string }

func keyOf(g *Group, o *Origin) originKey { return originKey{g.Name, o.Name, o.Host} }

// target is what is asked: one for several groups that ask the same ("Health
// probes": origins in several groups share their probes).
type target struct {
	host, header string
	port         uint16
	secure       bool
	anyName      bool
	path, method string
}

// watched is a target that is asked.
type watched struct {
	interval time.Duration
	name     string // of the first origin
	keys     []originKey
	cancel   context.CancelFunc
}

// watch probes the origins of a profile from now on, and those of no other. What
// is known of them stays.
func (e *edge) watch(c *Config) {
	wanted := map[target]*watched{}
	windows := map[originKey]*window{}
	var groups []Group
	if c != nil {
		groups = c.Groups
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range groups {
		g := &groups[i]
		if g.Probe == nil {
			continue
		}
		for k := range g.Origins {
			o := &g.Origins[k]
			key := keyOf(g, o)
			if w := e.windows[key]; w != nil {
				w.resize(g)
				windows[key] = w
			} else {
				windows[key] = newWindow(g)
			}
			if o.Disabled {
				continue
			}
			t := g.target(o)
			x := wanted[t]
			if x == nil {
				x = &watched{interval: or(g.Probe.Interval, defaultInterval), name: o.Name}
				wanted[t] = x
			}
			x.interval = min(x.interval, or(g.Probe.Interval, defaultInterval))
			x.keys = append(x.keys, key)
		}
	}
	e.windows = windows
	for t, old := range e.targets {
		if x := wanted[t]; x != nil && x.interval == old.interval {
			x.cancel = old.cancel
			continue
		}
		old.cancel()
	}
	for t, x := range wanted {
		if x.cancel != nil {
			continue
		}
		ctx, cancel := context.WithCancel(e.server.ctx)
		x.cancel = cancel
		e.server.work.Go(func() { e.ask(ctx, t, x.interval) })
	}
	e.targets = wanted
}

func (g *Group) target(o *Origin) target {
	p := g.Probe
	return target{
		host: o.Host, header: or(o.HostHeader, o.Host), port: o.port(p.Secure), secure: p.Secure, anyName: o.AnyName,
		path: p.Path, method: or(p.Method, http.MethodHead),
	}
}

// minPatience is the least time that the answer to a probe may take, however fast
// they are sent.
const minPatience = 2 * time.Second

// cadence is how often a target is probed at a pace, and how long an answer may
// take: until the next is due.
func cadence(interval time.Duration, pace float64) (every, patience time.Duration) {
	every = max(time.Duration(float64(interval)/or(pace, 1)), time.Millisecond)
	return every, min(interval, max(every, minPatience))
}

// Notice is how long the edges need at most until an origin of a group that answers
// no more gets no requests; false if it is not probed.
func (s *Server) Notice(group string) (time.Duration, bool) {
	r := s.Router()
	if r == nil {
		return 0, false
	}
	g := r.group(group)
	if g == nil || g.Probe == nil {
		return 0, false
	}
	every, patience := cadence(or(g.Probe.Interval, defaultInterval), s.Pace())
	failures := or(g.Samples, defaultSamples) - or(g.Successful, defaultSuccessful) + 1
	return every + time.Duration(failures)*max(every, patience), true
}

// Pace returns how much faster than declared origins are probed.
func (s *Server) Pace() float64 { return s.pace.Load().(float64) }

// SetPace changes it from now on.
func (s *Server) SetPace(pace float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.Store(or(pace, 1))
	r := s.Router()
	if r == nil || s.ctx.Err() != nil {
		return
	}
	for _, e := range s.edges {
		e.mu.Lock()
		for _, x := range e.targets {
			x.cancel()
		}
		e.targets = map[target]*watched{}
		e.mu.Unlock()
		e.watch(r.config)
	}
}

// ask probes a target until the context ends.
func (e *edge) ask(ctx context.Context, t target, interval time.Duration) {
	every, patience := cadence(interval, e.server.Pace())
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r := e.probe(ctx, t, patience)
		if ctx.Err() != nil {
			return
		}
		e.heard(t, r)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heard takes the result of a probe for every origin that it was for.
func (e *edge) heard(t target, r *ProbeRecord) {
	var changed []originKey
	e.mu.Lock()
	x := e.targets[t]
	if x == nil {
		e.mu.Unlock()
		return
	}
	for _, key := range x.keys {
		w := e.windows[key]
		if w == nil {
			continue
		}
		before := w.state().Healthy
		w.hear(r.ok, time.Duration(r.TotalLatency*float64(time.Millisecond)))
		w.said, w.asked = r.said, r.Time
		if w.state().Healthy != before {
			w.since = r.Time
			changed = append(changed, key)
		}
	}
	r.OriginName, r.Pop = x.name, e.name
	e.mu.Unlock()
	if !r.ok && e.server.options.OnProbe != nil {
		e.server.options.OnProbe(r)
	}
	if e.server.options.OnHealth == nil {
		return
	}
	for _, h := range e.server.Health() {
		for _, key := range changed {
			if h.Edge == e.name && h.Group == key.group && h.Origin == key.origin {
				e.server.options.OnHealth(h)
			}
		}
	}
}

// health says how the edge sees an origin.
func (e *edge) health(g *Group, o *Origin) Health {
	st := e.state(g, o)
	h := Health{Edge: e.name, Group: g.Name, Origin: o.Name, Host: o.Host, Healthy: st.Healthy, Latency: st.Latency, Said: "not asked yet"}
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.windows[keyOf(g, o)]
	switch {
	case o.Disabled:
		h.Said = "disabled"
	case w == nil:
		h.Said = "not probed"
	case !w.asked.IsZero():
		h.Said, h.Since, h.Asked, h.Sent, h.Failed = w.said, w.since, w.asked, w.sent, w.bad
	}
	return h
}

// state is what the edge knows of an origin, with the distance between their
// regions.
func (e *edge) state(g *Group, o *Origin) State {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := State{Healthy: true}
	if w := e.windows[keyOf(g, o)]; w != nil {
		st = w.state()
	}
	if d, ok := distance(e.config.Region, o.Region); ok {
		st.Latency += d
	}
	return st
}

// probe asks a target over a connection of its own; only 200 is well ("Health
// probes").
func (e *edge) probe(ctx context.Context, t target, patience time.Duration) *ProbeRecord {
	transport := e.transport(t.anyName)
	transport.DisableKeepAlives = true
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	scheme := "http"
	if t.secure {
		scheme = "https"
	}
	at := net.JoinHostPort(t.host, strconv.Itoa(int(t.port)))
	out := &ProbeRecord{
		Time: time.Now().UTC(), HealthProbeID: reference(), HTTPVerb: t.method, OriginURL: scheme + "://" + at, ProbeURL: scheme + "://" + at + t.path, OriginIP: at,
	}
	var connected time.Time
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		connected, out.OriginIP = time.Now(), info.Conn.RemoteAddr().String()
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), t.method, out.ProbeURL, nil)
	if err != nil {
		return out.failed(err)
	}
	req.Host = t.header
	req.Header.Set("User-Agent", probeAgent)
	req.Header.Set("X-Fd-Healthprobe", "1")
	if id := e.server.Router().config.ID; id != "" {
		req.Header.Set("X-Azure-Fdid", id)
	}
	begin := time.Now()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return out.failed(err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	out.TotalLatency, out.ConnectionLatency = ms(time.Since(begin)), ms(connected.Sub(begin))
	if err != nil {
		return out.failed(err)
	}
	out.HTTPStatusCode, out.said = resp.StatusCode, "status "+strconv.Itoa(resp.StatusCode)
	out.ok = resp.StatusCode == http.StatusOK
	out.Result = "Success"
	if !out.ok {
		out.Result = "OriginError"
	}
	return out
}

func (r *ProbeRecord) failed(err error) *ProbeRecord {
	r.said, r.Result = err.Error(), "OriginError"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		r.Result = "Timeout"
	}
	return r
}

// port is where an origin listens.
func (o *Origin) port(secure bool) uint16 {
	if secure {
		return or(o.SecurePort, 443)
	}
	return or(o.Port, 80)
}
