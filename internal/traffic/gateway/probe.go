package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"
)

// Check is what a probe found last.
type Check struct {
	Pool, Settings string
	Member         string
	Healthy        bool
	Checked        time.Time // zero: not yet
	Took           time.Duration
	Status         int       // of the response; 0 if there was none
	Said           string    // why it counts as it does
	Failures       int       // in a row
	Since          time.Time // it is in its state
	Sent, Failed   uint64    // probes in all
}

// judge is the state of one member as its probe sees it; it has no clock.
type judge struct {
	threshold int
	failures  int
	healthy   bool
}

// hear takes a result, and reports whether the member's state changed. One
// success makes a member well; only failures in a row make it unwell.
func (j *judge) hear(ok bool) (changed bool) {
	before := j.healthy
	if ok {
		j.failures, j.healthy = 0, true
	} else if j.failures++; j.failures >= j.threshold {
		j.healthy = false
	}
	return before != j.healthy
}

// probeOf returns the probe of settings with everything filled in.
func probeOf(c *Config, s *Settings) Probe {
	p := Probe{Name: "default", Protocol: s.Protocol, Path: "/", Host: "127.0.0.1"}
	if s.Host != "" || s.HostOfMember {
		p.HostOfSettings = true
	}
	if s.Probe != "" {
		p = *find(c.Probes, s.Probe, func(p *Probe) string { return p.Name })
	}
	if p.Interval == 0 {
		p.Interval = defaultInterval
	}
	if p.Timeout == 0 {
		p.Timeout = defaultProbeTime
	}
	if p.Threshold == 0 {
		p.Threshold = defaultThreshold
	}
	if len(p.Statuses) == 0 {
		p.Statuses = []string{"200-399"}
	}
	return p
}

// watch probes a member until the context ends. A member is asked at once when it
// joins, and is taken for what is known of it until the probe says otherwise.
func (b *backend) watch(ctx context.Context, s *Server, e endpoint, known Check) {
	j := judge{threshold: b.probe.Threshold, healthy: known.Healthy, failures: known.Failures}
	client := b.probeClient(s, e)
	defer client.CloseIdleConnections()
	since, sent, failed := known.Since, known.Sent, known.Failed
	if since.IsZero() {
		since = time.Now()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()

	var asked time.Time
	for {
		pace := s.pace.Load()
		select {
		case <-ctx.Done():
			return
		case <-pace.over:
			if !asked.IsZero() {
				due := asked.Add(s.pace.Load().of(b.probe.Interval))
				timer.Reset(time.Until(due))
			}
			continue
		case <-timer.C:
		}
		asked = time.Now()
		patience, cancel := context.WithTimeout(ctx, pace.patience(b.probe.Timeout))
		c := b.ask(patience, client, e)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if sent++; !c.Healthy {
			failed++
		}
		changed := j.hear(c.Healthy)
		if changed {
			since = time.Now()
		}
		c.Healthy, c.Failures, c.Since, c.Sent, c.Failed = j.healthy, j.failures, since, sent, failed
		b.mu.Lock()
		if p := b.members[e]; p != nil {
			b.checks[e] = c
			p.lines.sweep(time.Now(), false)
		}
		b.mu.Unlock()
		if changed {
			b.mark(e, j.healthy)
			s.options.health(c)
		}
		// From the beginning of one probe to that of the next.
		due := asked.Add(pace.of(b.probe.Interval))
		timer.Reset(max(time.Until(due), 0))
	}
}

// tempo is how much faster than configured probes are sent.
type tempo struct {
	scale float64
	over  chan struct{} // closed when there is another
}

func newTempo(scale float64) *tempo {
	if !(scale > 0) {
		scale = 1
	}
	return &tempo{scale: scale, over: make(chan struct{})}
}

// of is a time at the tempo.
func (t *tempo) of(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/t.scale), time.Millisecond)
}

// shortestPatience bounds what a higher tempo leaves members for their answers.
const shortestPatience = time.Second

// patience is how long an answer to a probe is waited for.
func (t *tempo) patience(d time.Duration) time.Duration {
	return min(max(t.of(d), shortestPatience), d)
}

// SetPace sends probes so many times as fast as configured, from now on; 1 is as
// configured, and so is everything that is not above 0.
func (s *Server) SetPace(scale float64) {
	old := s.pace.Swap(newTempo(scale))
	close(old.over)
}

// Pace is how much faster than configured probes are sent.
func (s *Server) Pace() float64 { return s.pace.Load().scale }

// Notice is how long the probe of some settings needs at most to change what is
// known of a member of a pool: until the next probe, and as many as its threshold
// says, of which the last has as long as an answer may take. ok is false if nobody
// asks the pool by these settings.
func (s *Server) Notice(pool, settings string) (d time.Duration, ok bool) {
	s.mu.Lock()
	b := s.backends[[2]string{pool, settings}]
	s.mu.Unlock()
	if b == nil {
		return 0, false
	}
	t := s.pace.Load()
	each := max(t.of(b.probe.Interval), t.patience(b.probe.Timeout))
	return time.Duration(b.probe.Threshold)*each + t.patience(b.probe.Timeout), true
}

// mark makes a member well or unwell; the last few may have to stay well.
func (b *backend) mark(e endpoint, well bool) {
	if !well && b.probe.MinServers > 0 {
		states, _ := b.balancer.Members()
		n := 0
		for _, s := range states {
			if s.Healthy {
				n++
			}
		}
		if n <= b.probe.MinServers {
			return
		}
	}
	b.balancer.SetHealth(e, well)
}

// probeClient asks one member, whatever the address says; it follows no redirect.
func (b *backend) probeClient(s *Server, e endpoint) *http.Client {
	t := b.transport(s, b.probe.Protocol == GRPC)
	t.DisableKeepAlives = true
	t.ResponseHeaderTimeout = 0
	return &http.Client{
		Transport: t, Timeout: b.probe.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends one probe.
func (b *backend) ask(ctx context.Context, client *http.Client, e endpoint) Check {
	if b.probe.Protocol == GRPC {
		return b.askGRPC(ctx, client, e)
	}
	begin := time.Now()
	c := Check{Pool: b.name[0], Settings: b.name[1], Member: e.String(), Checked: begin}
	to := e
	if b.probe.Port != 0 {
		to.port = b.probe.Port
	}
	scheme := "http"
	if b.probe.Protocol == HTTPS {
		scheme = "https"
	}
	host := b.probe.Host
	if b.probe.HostOfSettings {
		host = b.hostFor(e)
	}
	if host != "" {
		ctx = context.WithValue(ctx, serverName{}, host)
	}
	u, err := url.Parse(scheme + "://" + to.String() + b.probe.Path)
	if err != nil {
		c.Said = err.Error()
		return c
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: host, Header: http.Header{"User-Agent": {"cerulean-probe"}}}).WithContext(ctx)
	resp, err := client.Do(req)
	c.Took = time.Since(begin)
	if err != nil {
		c.Said = explainError(err)
		return c
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	c.Status, c.Took = resp.StatusCode, time.Since(begin)
	c.Healthy, c.Said = b.probe.accepts(resp.StatusCode, body)
	return c
}

// accepts reports whether an answer is a healthy member's, and why.
func (p *Probe) accepts(status int, body []byte) (ok bool, why string) {
	for _, s := range p.Statuses {
		low, high, _ := parseStatuses(s)
		if status < low || status > high {
			continue
		}
		if p.Body != "" && !bytes.Contains(body, []byte(p.Body)) {
			return false, fmt.Sprintf("status %d, but the body does not have %q", status, p.Body)
		}
		return true, "status " + strconv.Itoa(status)
	}
	return false, fmt.Sprintf("status %d, want %v", status, p.Statuses)
}

// Health returns what the probes found last, by pool, settings and member.
func (s *Server) Health() []Check {
	s.mu.Lock()
	backends := make([]*backend, 0, len(s.backends))
	for _, b := range s.backends {
		backends = append(backends, b)
	}
	s.mu.Unlock()
	var out []Check
	for _, b := range backends {
		b.mu.Lock()
		for e := range b.members {
			c, ok := b.checks[e]
			if !ok {
				c = Check{Pool: b.name[0], Settings: b.name[1], Member: e.String(), Healthy: true, Said: "not asked yet"}
			}
			out = append(out, c)
		}
		b.mu.Unlock()
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := &out[i], &out[j]
		if a.Pool != b.Pool {
			return a.Pool < b.Pool
		}
		if a.Settings != b.Settings {
			return a.Settings < b.Settings
		}
		return a.Member < b.Member
	})
	return out
}
