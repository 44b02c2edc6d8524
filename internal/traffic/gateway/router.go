package gateway

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Router is a configuration ready to decide. It is immutable and safe for
// concurrent use.
type Router struct {
	config *Config
	fronts []front
}

// front is one address with the rules of its listeners, by priority.
type front struct {
	address netip.AddrPort
	rules   []*route
}

// route is a rule with its listener.
type route struct {
	rule     *Rule
	listener *Listener
	hosts    []string // lower case; none takes every host
	paths    []pathRoute
	fallback *target
	strict   bool // its paths differ in what keeps requests out
}

// pathRoute is one pattern of a path rule, lower case.
type pathRoute struct {
	pattern string
	prefix  bool // the pattern ended with *
	rule    *PathRule
	target  *target
}

// target is an action with what it names.
type target struct {
	action   *Action
	pool     *Pool
	settings *Settings
	redirect *redirection
	rewrites []rewriter
	name     string // of the rule, and the path
	firewall string // the most specific one; empty for none
	fast     bool   // the short way is enough
}

// NewRouter returns the router of a configuration, or its [Problems].
func NewRouter(c *Config) (*Router, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	r := &Router{config: c}
	rules := make([]*Rule, len(c.Rules))
	for i := range c.Rules {
		rules[i] = &c.Rules[i]
	}
	slices.SortFunc(rules, func(a, b *Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, rule := range rules {
		l := find(c.Listeners, rule.Listener, func(l *Listener) string { return l.Name })
		x := &route{rule: rule, listener: l, fallback: r.target(&rule.Default, rule.Name)}
		x.fallback.firewall = cmp.Or(l.Firewall, c.Firewall)
		for _, h := range l.Hosts {
			x.hosts = append(x.hosts, strings.ToLower(h))
		}
		for i := range rule.Paths {
			p := &rule.Paths[i]
			t := r.target(&p.Action, rule.Name+"/"+p.Name)
			t.firewall = cmp.Or(p.Firewall, x.fallback.firewall)
			for _, pattern := range p.Patterns {
				lower := strings.ToLower(pattern)
				bare, prefix := strings.CutSuffix(lower, "*")
				x.paths = append(x.paths, pathRoute{bare, prefix, p, t})
			}
		}
		x.fallback.fast = x.fallback.quick()
		for i := range x.paths {
			x.paths[i].target.fast = x.paths[i].target.quick()
			x.strict = x.strict || !x.fallback.asStrict(x.paths[i].target)
		}
		i := slices.IndexFunc(r.fronts, func(f front) bool { return f.address == l.Address })
		if i < 0 {
			i = len(r.fronts)
			r.fronts = append(r.fronts, front{address: l.Address})
		}
		r.fronts[i].rules = append(r.fronts[i].rules, x)
	}
	return r, nil
}

// target resolves an action of a configuration that was checked.
func (r *Router) target(a *Action, name string) *target {
	c := r.config
	t := &target{action: a, name: name}
	if a.Redirect != nil {
		t.redirect = newRedirection(c, a.Redirect)
	} else {
		t.pool = find(c.Pools, a.Pool, func(p *Pool) string { return p.Name })
		t.settings = find(c.Settings, a.Settings, func(s *Settings) string { return s.Name })
	}
	for i := range a.Rewrites {
		t.rewrites = append(t.rewrites, newRewriter(&a.Rewrites[i]))
	}
	return t
}

// targets returns every target.
func (r *Router) targets() (out []*target) {
	for i := range r.fronts {
		for _, x := range r.fronts[i].rules {
			out = append(out, x.fallback)
			for j := range x.paths {
				out = append(out, x.paths[j].target)
			}
		}
	}
	return out
}

// Addresses returns where the gateway listens.
func (r *Router) Addresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, f := range r.fronts {
		out = append(out, f.address)
	}
	return out
}

// Decision is where a request goes, and why not elsewhere.
type Decision struct {
	Listener, Rule, Path string // names; Path is the path rule, empty for the default
	Pattern              string // of the path rule
	Pool, Settings       string
	Firewall             string // the WAF policy; empty for none
	Redirect             string // where to, instead of a pool
	Place                Place  // of the rule or the path rule
	Passed               []Passed
	Status               int // the answer if nothing takes the request: 404
	target               *target
	route                *route
}

// Passed is a rule that did not take a request.
type Passed struct {
	Rule, Path string
	Why        string
}

// Decide says where a request at one of the gateway's addresses goes: the first
// rule by priority whose listener takes the host, and of that the first path
// that matches.
func (r *Router) Decide(at netip.AddrPort, host, path string) Decision {
	return r.decide(at, host, path, true)
}

// decide is Decide; why says whether the rules that do not match are noted.
func (r *Router) decide(at netip.AddrPort, host, path string, why bool) Decision {
	d := Decision{Status: 404}
	host = strings.ToLower(bareHost(host))
	for i := range r.fronts {
		if r.fronts[i].address != at {
			continue
		}
		for _, x := range r.fronts[i].rules {
			if !x.takes(host) {
				if why {
					d.Passed = append(d.Passed, Passed{Rule: x.rule.Name, Why: fmt.Sprintf("listener %s takes %s, not %s", x.listener.Name, strings.Join(x.listener.Hosts, ", "), host)})
				}
				continue
			}
			d.Status, d.route = 0, x
			d.Listener, d.Rule, d.Place = x.listener.Name, x.rule.Name, x.rule.Place
			x.path(&d, path, why)
			return d
		}
	}
	return d
}

// path chooses among the rule's paths. It chooses none of a path that another server
// reads as one that has to pass something else: the answer is 400.
func (x *route) path(d *Decision, path string, why bool) {
	d.Path, d.Pattern, d.target, d.Pool, d.Settings, d.Redirect, d.Firewall = "", "", nil, "", "", "", ""
	p := x.match(path)
	t := x.fallback
	if p != nil {
		t = p.target
	}
	if why {
		x.pass(d, path, p)
	}
	if plain := path; x.strict {
		if plain = loosest(path); plain != path {
			other, name := x.fallback, "its default"
			if p := x.match(plain); p != nil {
				other, name = p.target, "path "+p.rule.Name
			}
			if !t.asStrict(other) {
				d.Status, d.Rule = 400, ""
				if why {
					d.Passed = append(d.Passed, Passed{Rule: x.rule.Name, Why: fmt.Sprintf("servers may read %s as %s, which %s lets pass by another policy: refused", path, plain, name)})
				}
				return
			}
		}
	}
	if p != nil {
		d.Path, d.Place = p.rule.Name, p.rule.Place
		d.Pattern = p.written()
	}
	d.target, d.Pool, d.Settings = t, t.action.Pool, t.action.Settings
	d.Firewall = t.firewall
	if t.redirect != nil {
		d.Redirect = t.redirect.base
	}
}

// match returns the first of the rule's paths that takes a path, nil for the default.
func (x *route) match(path string) *pathRoute {
	lower := strings.ToLower(path)
	for i := range x.paths {
		p := &x.paths[i]
		if lower == p.pattern || p.prefix && strings.HasPrefix(lower, p.pattern) {
			return p
		}
	}
	return nil
}

// pass notes the paths before the one that takes a path.
func (x *route) pass(d *Decision, path string, taken *pathRoute) {
	for i := range x.paths {
		p := &x.paths[i]
		if p == taken {
			return
		}
		d.Passed = append(d.Passed, Passed{Rule: x.rule.Name, Path: p.rule.Name, Why: fmt.Sprintf("pattern %s does not match %s", p.written(), path)})
	}
}

// written is the pattern as it was declared.
func (p *pathRoute) written() string {
	if p.prefix {
		return p.pattern + "*"
	}
	return p.pattern
}

// takes reports whether the rule's listener takes a host, in lower case.
func (x *route) takes(host string) bool {
	if len(x.hosts) == 0 {
		return true
	}
	for _, p := range x.hosts {
		if like(p, host) {
			return true
		}
	}
	return false
}

// greets returns the listener whose certificate a client sees that asks an address
// for a name: the first by priority, as for requests; nil if nothing listens there.
func (r *Router) greets(at netip.AddrPort, name string) *Listener {
	name = strings.ToLower(name)
	for i := range r.fronts {
		f := &r.fronts[i]
		if f.address != at {
			continue
		}
		for _, x := range f.rules {
			if x.takes(name) {
				return x.listener
			}
		}
		return f.rules[0].listener
	}
	return nil
}

// greeted reports whether a connection may ask this listener: one that was made with
// the name of another listener may not, if this one asks for more than that did. A
// client must not get around its own certificate by naming somebody else. One that was
// made without TLS, before a reload demanded it, may not either.
func (x *route) greeted(t *tls.ConnectionState, r *Router, at netip.AddrPort) bool {
	l := x.listener
	if t == nil {
		return l.Protocol != HTTPS
	}
	if l.ClientCAs == nil && l.MinTLS <= tls.VersionTLS12 {
		return true
	}
	by := r.greets(at, t.ServerName)
	if by == l {
		return true
	}
	if l.MinTLS > t.Version {
		return false
	}
	return l.ClientCAs == nil || by != nil && by.ClientCAs != nil && by.ClientCAs.Equal(l.ClientCAs)
}

// like matches a host with a pattern in which * is any characters, dots
// included, and ? is one.
func like(pattern, s string) bool {
	// The last * and where its match began: a longer match is tried from there.
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

// bareHost returns a Host header without its port and final dot.
func bareHost(h string) string {
	if i := strings.LastIndexByte(h, ':'); i >= 0 && (strings.IndexByte(h, ':') == i || strings.HasPrefix(h, "[") && i > strings.IndexByte(h, ']')) {
		h = h[:i]
	}
	h = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	return strings.TrimSuffix(h, ".")
}
