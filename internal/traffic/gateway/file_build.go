package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// builder makes a configuration of a file.
type builder struct {
	dir, file string
	config    *Config
	problems  Problems
}

func (b *builder) place(s spot) Place {
	return Place(fmt.Sprintf("%s:%d:%d", b.file, s.line, s.column))
}

func (b *builder) add(s spot, format string, args ...any) {
	b.problems = append(b.problems, Problem{b.place(s), fmt.Sprintf(format, args...)})
}

func (b *builder) build(d *document) {
	c := b.config
	c.Firewall = d.Firewall
	c.NoHTTP2 = d.HTTP2 != nil && !*d.HTTP2
	if d.CacheSize != "" {
		n, err := bytesOf(d.CacheSize)
		if err != nil {
			b.problems = append(b.problems, Problem{Place(b.file), "cacheSize: " + err.Error()})
		}
		c.CacheSize = n
	}
	if r := d.Discovery; r != nil {
		c.Discovery = Registry{Place: b.place(r.at), URL: r.doc.URL}
		if r.doc.TokenFile != "" {
			c.Discovery.TokenFile = b.path(r.doc.TokenFile)
		}
	}
	for i := range d.Firewalls {
		c.Firewalls = append(c.Firewalls, b.firewall(&d.Firewalls[i]))
	}
	for i := range d.Listeners {
		c.Listeners = append(c.Listeners, b.listener(&d.Listeners[i]))
	}
	for i := range d.Pools {
		p, at := &d.Pools[i].doc, d.Pools[i].at
		pool := Pool{Name: p.Name, Place: b.place(at), Discovery: p.Discovery}
		for _, m := range p.Members {
			pool.Members = append(pool.Members, Member(m))
		}
		c.Pools = append(c.Pools, pool)
	}
	for i := range d.Settings {
		c.Settings = append(c.Settings, b.settings(&d.Settings[i]))
	}
	for i := range d.Probes {
		c.Probes = append(c.Probes, b.probe(&d.Probes[i]))
	}
	for i := range d.Rules {
		r, at := &d.Rules[i].doc, d.Rules[i].at
		rule := Rule{Name: r.Name, Place: b.place(at), Priority: r.Priority, Listener: r.Listener, Default: b.action(&r.ActionDoc)}
		for j := range r.Paths {
			p, at := &r.Paths[j].doc, r.Paths[j].at
			name := p.Name
			if name == "" {
				name = strings.Join(p.Match, " ")
			}
			rule.Paths = append(rule.Paths, PathRule{Name: name, Place: b.place(at), Patterns: p.Match, Firewall: p.Firewall, Action: b.action(&p.ActionDoc)})
		}
		c.Rules = append(c.Rules, rule)
	}
}

func protocol(s string, otherwise Protocol) Protocol {
	switch strings.ToLower(s) {
	case "":
		return otherwise
	case "http":
		return HTTP
	case "https":
		return HTTPS
	case "grpc":
		return GRPC
	}
	return Protocol(s)
}

func (b *builder) listener(x *located[listenerDoc]) Listener {
	d, at := &x.doc, x.at
	usual := HTTP
	if len(d.Certificates) > 0 {
		usual = HTTPS
	}
	l := Listener{Name: d.Name, Place: b.place(at), Protocol: protocol(d.Protocol, usual), Hosts: d.Hosts, HTTP3: d.HTTP3, Firewall: d.Firewall}
	addr := netip.Addr{}
	if d.Address != "" {
		a, err := netip.ParseAddr(d.Address)
		if err != nil {
			b.add(at, "listener %s: %q is no address", d.Name, d.Address)
		}
		addr = a
	} else {
		// Nothing listens beyond this machine unless asked to.
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Address = netip.AddrPortFrom(addr, d.Port)
	for _, k := range d.Certificates {
		pair, err := tls.LoadX509KeyPair(b.path(k.Certificate), b.path(k.Key))
		if err != nil {
			b.add(at, "listener %s: certificate %s: %v", d.Name, k.Certificate, err)
			continue
		}
		l.Certificates = append(l.Certificates, pair)
	}
	l.ClientCAs = b.roots(at, "listener "+d.Name, d.ClientCAs)
	switch d.MinTLS {
	case "", "1.2":
	case "1.3":
		l.MinTLS = tls.VersionTLS13
	default:
		b.add(at, "listener %s: minTLS %q; use 1.2 or 1.3", d.Name, d.MinTLS)
	}
	return l
}

// path returns a file's path beside the configuration.
func (b *builder) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(b.dir, p)
}

// roots reads certificates of authorities.
func (b *builder) roots(at spot, what, file string) *x509.CertPool {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(b.path(file))
	if err != nil {
		b.add(at, "%s: %v", what, err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		b.add(at, "%s: %s holds no certificate", what, file)
	}
	return pool
}

func (b *builder) duration(at spot, what, s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		b.add(at, "%s: %q is no duration; write 20s or 1m30s", what, s)
		return 0
	}
	return d
}

func (b *builder) settings(x *located[settingsDoc]) Settings {
	d, at := &x.doc, x.at
	what := "backend setting " + d.Name
	s := Settings{
		Name: d.Name, Place: b.place(at), Protocol: protocol(d.Protocol, HTTP), Port: d.Port,
		Affinity: d.Affinity, Cookie: d.Cookie, Host: d.Host, HostOfMember: d.HostOfMember, Path: d.Path,
		Probe: d.Probe, Insecure: d.Insecure, SNI: d.SNI,
		Timeout: b.duration(at, what+": timeout", d.Timeout), Drain: b.duration(at, what+": drain", d.Drain),
		Roots: b.roots(at, what, d.Roots),
	}
	if s.Port == 0 {
		s.Port = 80
		if s.Protocol == HTTPS {
			s.Port = 443
		}
	}
	return s
}

func (b *builder) probe(x *located[probeDoc]) Probe {
	d, at := &x.doc, x.at
	what := "probe " + d.Name
	p := Probe{
		Name: d.Name, Place: b.place(at), Protocol: protocol(d.Protocol, HTTP), Host: d.Host, Path: d.Path, Service: d.Service, Port: d.Port,
		Threshold: d.Threshold, Statuses: d.Statuses, Body: d.Body, MinServers: d.MinServers, HostOfSettings: d.Host == "",
		Interval: b.duration(at, what+": interval", d.Interval), Timeout: b.duration(at, what+": timeout", d.Timeout),
	}
	if p.Path == "" {
		p.Path = "/"
	}
	return p
}

func (b *builder) action(d *ActionDoc) Action {
	a := Action{Pool: d.Pool, Settings: d.Settings}
	if d.Policy != nil {
		a.Policy = b.policy(d.Policy)
	}
	if r := d.Redirect; r != nil {
		yes := func(p *bool) bool { return p == nil || *p }
		a.Redirect = &Redirect{Status: r.Status, URL: r.URL, Listener: r.Listener, IncludePath: yes(r.Path), IncludeQuery: yes(r.Query)}
		if r.Status == 0 {
			a.Redirect.Status = 301
		}
	}
	for i := range d.Rewrites {
		r, at := &d.Rewrites[i].doc, d.Rewrites[i].at
		w := Rewrite{Name: r.Name, Place: b.place(at), Path: r.Path, Query: r.Query, Reroute: r.Reroute, Request: headers(r.Request), Response: headers(r.Response)}
		for _, c := range r.When {
			w.Conditions = append(w.Conditions, Condition{Variable: c.Variable, Pattern: c.Matches, IgnoreCase: c.IgnoreCase, Negate: c.Not})
		}
		a.Rewrites = append(a.Rewrites, w)
	}
	return a
}

// headers returns the headers to set in the order of their names.
func headers(m map[string]string) (out []Header) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Header{name, m[name]})
	}
	return out
}
