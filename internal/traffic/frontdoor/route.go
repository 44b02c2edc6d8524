package frontdoor

import (
	"net"
	"strings"
)

// match is a route that takes a request.
type match struct {
	route   *Route
	pattern string // as it is declared
	rest    string // what follows the pattern's part
}

// exactScore is above the length of every path pattern.
const exactScore = 1 << 20

// match finds the route of a host and path: of those for the protocol, an exact
// domain before a wildcard before none, and of these an exact path before the
// longest prefix ("How requests are matched to a route configuration"). known
// reports whether any route has the domain. passed hears of every other route, and
// why it is not the one; nil hears nothing.
func (c *Config) match(host, path string, secure bool, passed func(*Route, string)) (m match, known bool) {
	if passed == nil {
		passed = func(*Route, string) {}
	}
	host, lower := bareHost(host), strings.ToLower(path)
	bestDomain, bestPath := -1, -1
	for i := range c.Routes {
		r := &c.Routes[i]
		d := domainScore(r.Domains, host)
		switch {
		case r.Disabled:
			passed(r, "it is disabled")
			continue
		case d < 0:
			passed(r, "it is for "+strings.Join(r.Domains, ", "))
			continue
		}
		known = true
		if !r.takes(secure) {
			passed(r, "it is for another protocol")
			continue
		}
		won, could := false, false
		for _, declared := range r.patterns() {
			p := strings.ToLower(declared)
			bare, wild := strings.CutSuffix(p, "*")
			score := -1
			switch {
			case !wild && lower == p:
				score = exactScore
			case wild && (strings.HasPrefix(lower, bare) || lower+"/" == bare):
				score = len(bare)
			}
			could = could || score >= 0
			if score >= 0 && (d > bestDomain || d == bestDomain && score > bestPath) {
				bestDomain, bestPath, won = d, score, true
				rest := ""
				if wild && len(path) >= len(bare) {
					rest = path[len(bare):]
				}
				if m.route != nil && m.route != r {
					passed(m.route, "route "+r.Name+" is for a more exact domain or path")
				}
				m = match{r, declared, rest}
			}
		}
		switch {
		case !could:
			passed(r, "it is for the paths "+strings.Join(r.patterns(), ", "))
		case !won:
			passed(r, "route "+m.route.Name+" is for a more exact domain or path")
		}
	}
	return m, known
}

// bareHost is a host in lower case without its port and final dot.
func bareHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func (r *Route) patterns() []string {
	if len(r.Patterns) == 0 {
		return []string{"/*"}
	}
	return r.Patterns
}

// takes reports whether a route is for requests over TLS, or plain ones.
func (r *Route) takes(secure bool) bool {
	return r.HTTP == r.HTTPS || secure && r.HTTPS || !secure && r.HTTP
}

// domainScore says how well domains match a host: 2 exactly, 1 by a wildcard for
// one label, 0 as there is none; -1 not.
func domainScore(domains []string, host string) int {
	if len(domains) == 0 {
		return 0
	}
	best := -1
	for _, d := range domains {
		d = strings.ToLower(d)
		if d == host {
			return 2
		}
		if parent, wild := strings.CutPrefix(d, "*."); wild {
			label, rest, _ := strings.Cut(host, ".")
			if label != "" && rest == parent {
				best = 1
			}
		}
	}
	return best
}

// domain returns the domain of a host, nil if it is none of the profile's.
func (c *Config) domain(host string) *Domain {
	host = bareHost(host)
	best, score := (*Domain)(nil), 0
	for i := range c.Domains {
		if s := domainScore([]string{c.Domains[i].Name}, host); s > score {
			best, score = &c.Domains[i], s
		}
	}
	return best
}

// firewall returns the number of the firewall of a host, -1 if it has none.
func (c *Config) firewall(host string) int {
	host = bareHost(host)
	best, score := -1, -1
	for i := range c.Firewalls {
		if s := domainScore(c.Firewalls[i].Domains, host); s > score {
			best, score = i, s
		}
	}
	return best
}

// originPath is the path that the origin is asked for.
func (m *match) originPath(path string) string {
	if m.route.OriginPath == "" {
		return path
	}
	return strings.TrimSuffix(m.route.OriginPath, "/") + "/" + strings.TrimPrefix(m.rest, "/")
}
