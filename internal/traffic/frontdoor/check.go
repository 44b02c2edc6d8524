package frontdoor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Problem is something wrong with a profile.
type Problem struct {
	Place Place
	Text  string
}

// Error says where and what.
func (p Problem) Error() string {
	if p.Place == "" {
		return p.Text
	}
	return string(p.Place) + ": " + p.Text
}

// Problems are everything wrong with a profile.
type Problems []Problem

// Error lists them, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(at Place, format string, args ...any) {
	*p = append(*p, Problem{at, fmt.Sprintf(format, args...)})
}

// checker collects what is wrong.
type checker struct {
	*Config
	Problems
	places map[string]Place // of names that must be unique, by kind and name
}

// Check reports everything wrong with a profile, as [Problems].
func (c *Config) Check() error {
	k := &checker{Config: c, places: map[string]Place{}}
	if len(c.Edges) == 0 {
		k.add(c.Place, "profile %s has no edge; add edges: [{name: dublin, region: northeurope, port: 8081}]", c.Name)
	}
	k.edges()
	for i := range c.Domains {
		k.domain(&c.Domains[i])
	}
	for i := range c.Groups {
		k.unique("origin group", c.Groups[i].Name, c.Groups[i].Place)
		k.group(&c.Groups[i])
	}
	for i := range c.RuleSets {
		k.unique("rule set", c.RuleSets[i].Name, c.RuleSets[i].Place)
	}
	for i := range c.RuleSets {
		k.ruleSet(&c.RuleSets[i])
	}
	for i := range c.Routes {
		k.unique("route", c.Routes[i].Name, c.Routes[i].Place)
		k.route(&c.Routes[i])
	}
	k.overlaps()
	for i := range c.Firewalls {
		k.firewall(&c.Firewalls[i])
	}
	if len(k.Problems) > 0 {
		return k.Problems
	}
	return nil
}

// unique demands a name that no other part of its kind has.
func (k *checker) unique(what, name string, at Place) {
	if name == "" {
		k.add(at, "a %s needs a name", what)
		return
	}
	key := what + "/" + strings.ToLower(name)
	if first, taken := k.places[key]; taken {
		where := ""
		if first != "" {
			where = "; the other is at " + string(first)
		}
		k.add(at, "a second %s is called %s; rename one%s", what, name, where)
		return
	}
	k.places[key] = at
}

func (k *checker) has(what, name string) bool {
	_, ok := k.places[what+"/"+strings.ToLower(name)]
	return ok && name != ""
}

// near suggests a name of a kind that is like another, if there is one.
func (k *checker) near(what, name string) string {
	best, least := "", 3
	for key := range k.places {
		if have, ok := strings.CutPrefix(key, what+"/"); ok {
			if d := distanceOf(have, strings.ToLower(name)); d < least || d == least && have < best {
				best, least = have, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distanceOf is how many letters must be put, taken, changed or swapped with their
// neighbours to make one word of another.
func distanceOf(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func (k *checker) edges() {
	for i := range k.Edges {
		e := &k.Edges[i]
		k.unique("edge", e.Name, e.Place)
		if _, known := catalog.Region(e.Region); !known {
			k.add(e.Place, "edge %s: there is no region %q; write one like westeurope", e.Name, e.Region)
		}
		if e.Address.Port() == 0 && e.Secure.Port() == 0 {
			k.add(e.Place, "edge %s needs a port, or a tlsPort", e.Name)
		}
		if e.Secure.Port() != 0 && !slices.ContainsFunc(k.Domains, func(d Domain) bool { return d.Certificate != nil }) {
			k.add(e.Place, "edge %s takes requests over TLS, and no domain has a certificate", e.Name)
		}
	}
}

func (k *checker) domain(d *Domain) {
	k.unique("domain", d.Name, d.Place)
	if !validDomain(d.Name) {
		k.add(d.Place, "%q is no domain; write shop.example or *.shop.example", d.Name)
	}
}

// validDomain reports whether a text is a host name, or *. and one.
func validDomain(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

func (k *checker) group(g *Group) {
	what := "origin group " + g.Name
	if len(g.Origins) == 0 {
		k.add(g.Place, "%s has no origin", what)
	}
	if g.Sensitivity < 0 || g.Sensitivity > time.Second {
		k.add(g.Place, "%s: a latency sensitivity of %s; use 0 to 1s", what, g.Sensitivity)
	}
	samples, need := or(g.Samples, defaultSamples), or(g.Successful, defaultSuccessful)
	if samples < 1 || samples > 255 || need < 1 || need > samples {
		k.add(g.Place, "%s: %d of %d samples; use 1 to 255, and no more than there are", what, need, samples)
	}
	if p := g.Probe; p != nil {
		at := or(p.Place, g.Place)
		if !strings.HasPrefix(p.Path, "/") {
			k.add(at, "%s: the probe path %q must begin with /", what, p.Path)
		}
		if p.Method != "" && p.Method != "HEAD" && p.Method != "GET" {
			k.add(at, "%s: the probe method %q; use HEAD or GET", what, p.Method)
		}
		if p.Interval != 0 && (p.Interval < minInterval || p.Interval > maxInterval) {
			k.add(at, "%s: probed every %s; use %s to %s", what, p.Interval, minInterval, maxInterval)
		}
	}
	seen := map[string]bool{}
	for i := range g.Origins {
		o := &g.Origins[i]
		if o.Name == "" || seen[strings.ToLower(o.Name)] {
			k.add(o.Place, "%s: an origin needs a name of its own, not %q", what, o.Name)
		}
		seen[strings.ToLower(o.Name)] = true
		_, addrErr := netip.ParseAddr(o.Host)
		switch {
		case o.Host == "":
			k.add(o.Place, "%s: origin %s needs a host", what, o.Name)
		case addrErr != nil && (!validDomain(o.Host) || strings.HasPrefix(o.Host, "*")):
			k.add(o.Place, "%s: origin %s: %q is neither an address nor a host name", what, o.Name, o.Host)
		}
		if o.Priority < 0 || o.Priority > maxPriority {
			k.add(o.Place, "%s: origin %s: a priority of %d; use 1 to %d", what, o.Name, o.Priority, maxPriority)
		}
		if o.Weight < 0 || o.Weight > maxWeight {
			k.add(o.Place, "%s: origin %s: a weight of %d; use 1 to %d", what, o.Name, o.Weight, maxWeight)
		}
		if _, known := catalog.Region(o.Region); o.Region != "" && !known {
			k.add(o.Place, "%s: origin %s: there is no region %q", what, o.Name, o.Region)
		}
	}
}

func (k *checker) route(r *Route) {
	what := "route " + r.Name
	if !k.has("origin group", r.Group) {
		k.add(r.Place, "%s: there is no origin group %q%s", what, r.Group, k.near("origin group", r.Group))
	}
	for _, p := range r.Patterns {
		if i := strings.IndexByte(p, '*'); !strings.HasPrefix(p, "/") || i >= 0 && (i != len(p)-1 || p[i-1] != '/') {
			k.add(r.Place, "%s: the pattern %q must begin with / and may end with /*", what, p)
		}
	}
	for _, d := range r.Domains {
		if !validDomain(d) {
			k.add(r.Place, "%s: the domain %q may begin with *. only", what, d)
		}
	}
	if r.OriginPath != "" && !strings.HasPrefix(r.OriginPath, "/") {
		k.add(r.Place, "%s: the origin path %q must begin with /", what, r.OriginPath)
	}
	if r.Redirect && r.HTTP != r.HTTPS {
		k.add(r.Place, "%s: a redirect to HTTPS needs both protocols", what)
	}
	k.forwarding(what, r.Forwarding, r.Place)
	for _, s := range r.RuleSets {
		if !k.has("rule set", s) {
			k.add(r.Place, "%s: there is no rule set %q%s", what, s, k.near("rule set", s))
		}
	}
}

func (k *checker) forwarding(what string, f Forwarding, at Place) {
	switch f {
	case "", HTTPOnly, HTTPSOnly, MatchRequest:
	default:
		k.add(at, "%s: forwarding %q; use HttpOnly, HttpsOnly or MatchRequest", what, f)
	}
}

// overlaps finds two routes for the same domain, path and protocol, which Azure
// refuses ("Routing architecture overview").
func (k *checker) overlaps() {
	seen := map[string]*Route{}
	for i := range k.Routes {
		r := &k.Routes[i]
		domains := r.Domains
		if len(domains) == 0 {
			domains = []string{"any domain"}
		}
		told := false
		for _, d := range domains {
			for _, p := range r.patterns() {
				for _, secure := range []bool{false, true} {
					if !r.takes(secure) || r.Disabled {
						continue
					}
					key := fmt.Sprintln(strings.ToLower(d), strings.ToLower(p), secure)
					if other := seen[key]; other != nil && other != r && !told {
						told = true
						k.add(r.Place, "route %s has %s of %s as route %s does; keep one", r.Name, p, d, other.Name)
					} else if other == nil {
						seen[key] = r
					}
				}
			}
		}
	}
}

func (k *checker) firewall(f *Firewall) {
	k.unique("firewall policy", f.Policy.Name, f.Place)
	for _, d := range f.Domains {
		if !validDomain(d) {
			k.add(f.Place, "firewall policy %s: %q is no domain", f.Policy.Name, d)
		}
	}
	var wrong waf.Problems
	if errors.As(f.Policy.Check(waf.Options{}), &wrong) {
		for _, w := range wrong {
			k.add(f.Place, "%s", w)
		}
	}
}
