package frontdoor

import (
	"net"
	"strings"
)

// match is a route that takes a request.
type match struct {
	route   *Route
	pattern string // lower case, without its *
	rest    string // what follows the pattern's part
}

// Match finds the route of a host and path: an exact domain before a wildcard before
// none, and of these an exact path before the longest prefix ("How requests are
// matched to a route configuration"). known reports whether any route has the
// domain.
func (c *Config) match(host, path string) (m match, known bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host, lower := strings.ToLower(host), strings.ToLower(path)
	bestDomain, bestPath := -1, -1
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Disabled {
			continue
		}
		d := r.domain(host)
		if d < 0 {
			continue
		}
		known = true
		for _, p := range r.patterns() {
			p = strings.ToLower(p)
			bare, wild := strings.CutSuffix(p, "*")
			score := -1
			switch {
			case !wild && lower == p:
				score = 1 << 20
			case wild && (strings.HasPrefix(lower, bare) || lower+"/" == bare):
				score = len(bare)
			}
			if score >= 0 && (d > bestDomain || d == bestDomain && score > bestPath) {
				bestDomain, bestPath = d, score
				rest := ""
				if wild && len(path) >= len(bare) {
					rest = path[len(bare):]
				}
				m = match{r, bare, rest}
			}
		}
	}
	return m, known
}

func (r *Route) patterns() []string {
	if len(r.Patterns) == 0 {
		return []string{"/*"}
	}
	return r.Patterns
}

// domain says how well a route's domains match: 2 exactly, 1 by a wildcard for one
// label, 0 as it has none; -1 not.
func (r *Route) domain(host string) int {
	if len(r.Domains) == 0 {
		return 0
	}
	best := -1
	for _, d := range r.Domains {
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

// originPath is the path that the origin is asked for.
func (m *match) originPath(path string) string {
	if m.route.OriginPath == "" {
		return path
	}
	return strings.TrimSuffix(m.route.OriginPath, "/") + "/" + strings.TrimPrefix(m.rest, "/")
}
