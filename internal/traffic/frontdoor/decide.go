package frontdoor

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
)

// Decision is what becomes of a request at an edge, and why nothing else.
type Decision struct {
	Domain   string   `json:"domain,omitempty"`
	Route    string   `json:"route,omitempty"`
	Place    Place    `json:"place,omitempty"` // of the route
	Pattern  string   `json:"pattern,omitempty"`
	Firewall string   `json:"wafPolicy,omitempty"`
	Rules    []string `json:"rules,omitempty"` // that matched, SET/RULE
	Redirect string   `json:"redirect,omitempty"`
	Status   int      `json:"status,omitempty"` // of an answer that is the edge's own
	Group    string   `json:"originGroup,omitempty"`
	Path     string   `json:"originPath,omitempty"` // that the origin is asked for
	Cached   bool     `json:"cached,omitempty"`     // answers may be kept
	// Unhealthy says that no origin is well, so that all take turns.
	Unhealthy bool     `json:"unhealthy,omitempty"`
	Origins   []Chosen `json:"origins,omitempty"`
	Passed    []Passed `json:"passed,omitempty"`
}

// Chosen is an origin of the group that a request goes to.
type Chosen struct {
	Origin string `json:"origin"`
	Host   string `json:"host"`
	Port   uint16 `json:"port"`
	Secure bool   `json:"tls"`
	Header string `json:"hostHeader"`
	Takes  bool   `json:"takes"` // whether it may get the request now
	Why    string `json:"why,omitempty"`
	Share  int    `json:"share,omitempty"` // of its turns, in percent
	Place  Place  `json:"place,omitempty"`
}

// Passed is a route that does not take a request.
type Passed struct {
	Route string `json:"route"`
	Why   string `json:"why"`
	Place Place  `json:"place,omitempty"`
}

// Decide says what becomes of a GET of a URL that an edge of a region gets. of is
// what the edge knows of origins; nil takes all for well, as far away as their
// regions are.
func (t *Router) Decide(u *url.URL, region string, of func(*Group, int) State) Decision {
	r := request(u)
	d := Decision{}
	m, known := t.config.match(r.Host, r.URL.Path, r.TLS != nil, func(x *Route, why string) {
		d.Passed = append(d.Passed, Passed{x.Name, why, x.Place})
	})
	if !known {
		d.Status = http.StatusBadRequest
		return d
	}
	d.Domain = bareHost(r.Host)
	if i := t.config.firewall(r.Host); i >= 0 {
		d.Firewall = t.config.Firewalls[i].Policy.Name
	}
	if m.route == nil {
		d.Status = http.StatusNotFound
		return d
	}
	d.Route, d.Place, d.Pattern = m.route.Name, m.route.Place, m.pattern
	if m.route.Redirect && r.TLS == nil {
		to := *u
		to.Scheme, to.Host = "https", bareHost(r.Host)
		d.Redirect, d.Status = to.String(), redirectStatus
		return d
	}
	o := t.run(&m, r)
	d.Rules = o.matched
	if o.redirect != nil {
		d.Redirect, d.Status = o.redirect.location(r), o.redirect.Status
		return d
	}
	g := t.group(o.group)
	d.Group, d.Path, d.Cached = g.Name, o.path, o.cache != nil
	if of == nil {
		of = func(g *Group, i int) State {
			away, _ := distance(region, g.Origins[i].Region)
			return State{Healthy: true, Latency: away}
		}
	}
	c := g.Choose(func(i int) State { return of(g, i) })
	d.Unhealthy = c.Unhealthy
	total := 0
	for _, w := range c.Weights {
		total += w
	}
	secure := o.forwarding.secure(r.TLS != nil)
	for i := range g.Origins {
		x := &g.Origins[i]
		e := Chosen{Origin: x.Name, Host: x.Host, Port: x.port(secure), Secure: secure, Header: or(x.HostHeader, bareHost(r.Host)), Why: c.Passed[i], Place: x.Place}
		for n, k := range c.Origins {
			if k == i {
				e.Takes, e.Share = true, c.Weights[n]*100/max(total, 1)
			}
		}
		d.Origins = append(d.Origins, e)
	}
	return d
}

// request is the GET of a URL as an edge gets it.
func request(u *url.URL) *http.Request {
	x := *u
	x.Path = cmp.Or(x.Path, "/")
	r := httptest.NewRequest(http.MethodGet, x.RequestURI(), nil)
	r.Host = u.Host
	port := uint16(80)
	r.TLS = nil
	if u.Scheme == "https" {
		port, r.TLS = 443, &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: u.Hostname()}
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		port = uint16(n)
	}
	local := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
}

// Origins returns every origin that requests over TLS, or plain ones, of a domain
// may reach: those of its routes' groups and of the groups that their rules name.
// An empty domain is every one.
func (t *Router) Origins(domain string, secure bool) []Chosen {
	var out []Chosen
	seen := map[string]bool{}
	add := func(name string, f Forwarding, plain bool) {
		g := t.group(name)
		if g == nil {
			return
		}
		over := f.secure(!plain)
		for i := range g.Origins {
			o := &g.Origins[i]
			port := o.port(over)
			key := net.JoinHostPort(o.Host, strconv.Itoa(int(port)))
			if o.Disabled || seen[key] {
				continue
			}
			seen[key] = true
			out = append(out, Chosen{Origin: o.Name, Host: o.Host, Port: port, Secure: over, Header: o.HostHeader, Place: o.Place})
		}
	}
	for i := range t.config.Routes {
		r := &t.config.Routes[i]
		if r.Disabled || !r.takes(secure) || r.Redirect && !secure || domain != "" && domainScore(r.Domains, bareHost(domain)) < 0 {
			continue
		}
		add(r.Group, r.Forwarding, !secure)
		for _, set := range r.RuleSets {
			for _, rule := range t.sets[set] {
				for k := range rule.Actions {
					if x := rule.Actions[k].Override; x != nil {
						add(or(x.Group, r.Group), or(x.Forwarding, r.Forwarding), !secure)
					}
				}
			}
		}
	}
	return out
}
