package frontdoor

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// Problems are everything wrong with a profile.
type Problems []string

// Error lists them, one a line.
func (p Problems) Error() string { return strings.Join(p, "\n") }

func (p *Problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// Check reports everything wrong with a profile, as [Problems].
func (c *Config) Check() error {
	var out Problems
	if len(c.Edges) == 0 {
		out.add("profile %s has no edge", c.Name)
	}
	addresses := map[netip.AddrPort]string{}
	names := map[string]bool{}
	unique := func(what, name string) {
		if name == "" || names[what+name] {
			out.add("a %s needs a name of its own, not %q", what, name)
		}
		names[what+name] = true
	}
	for _, e := range c.Edges {
		unique("edge", e.Name)
		if _, known := catalog.Region(e.Region); !known {
			out.add("edge %s: no region %q", e.Name, e.Region)
		}
		if e.Address.Port() == 0 {
			out.add("edge %s needs a port", e.Name)
		}
		if other := addresses[e.Address]; other != "" {
			out.add("edge %s listens at %s, as edge %s does", e.Name, e.Address, other)
		}
		addresses[e.Address] = e.Name
	}
	for i := range c.Groups {
		unique("origin group", c.Groups[i].Name)
		c.Groups[i].check(&out)
	}
	for i := range c.RuleSets {
		unique("rule set", c.RuleSets[i].Name)
		c.RuleSets[i].check(&out, names)
	}
	for i := range c.Routes {
		unique("route", c.Routes[i].Name)
		c.Routes[i].check(&out, names)
	}
	if len(out) > 0 {
		return out
	}
	return nil
}

func (g *Group) check(out *Problems) {
	what := "origin group " + g.Name
	if len(g.Origins) == 0 {
		out.add("%s has no origin", what)
	}
	if g.Sensitivity < 0 || g.Sensitivity > time.Second {
		out.add("%s: latency sensitivity of %s; use 0 to 1s", what, g.Sensitivity)
	}
	samples, need := or(g.Samples, defaultSamples), or(g.Successful, defaultSuccessful)
	if samples < 1 || samples > 255 || need < 1 || need > samples {
		out.add("%s: %d of %d samples; use 1 to 255, and no more than there are", what, need, samples)
	}
	if p := g.Probe; p != nil {
		if !strings.HasPrefix(p.Path, "/") {
			out.add("%s: probe path %q must begin with /", what, p.Path)
		}
		if p.Method != "" && p.Method != "HEAD" && p.Method != "GET" {
			out.add("%s: probe method %q; use HEAD or GET", what, p.Method)
		}
		if p.Interval != 0 && (p.Interval < minInterval || p.Interval > maxInterval) {
			out.add("%s: probed every %s; use %s to %s", what, p.Interval, minInterval, maxInterval)
		}
	}
	seen := map[string]bool{}
	for _, o := range g.Origins {
		if o.Name == "" || seen[o.Name] {
			out.add("%s: an origin needs a name of its own, not %q", what, o.Name)
		}
		seen[o.Name] = true
		if o.Host == "" {
			out.add("%s: origin %s needs a host", what, o.Name)
		}
		if o.Priority < 0 || o.Priority > maxPriority {
			out.add("%s: origin %s: priority %d; use 1 to %d", what, o.Name, o.Priority, maxPriority)
		}
		if o.Weight < 0 || o.Weight > maxWeight {
			out.add("%s: origin %s: weight %d; use 1 to %d", what, o.Name, o.Weight, maxWeight)
		}
		if o.Region != "" {
			if _, known := catalog.Region(o.Region); !known {
				out.add("%s: origin %s: no region %q", what, o.Name, o.Region)
			}
		}
	}
}

func (r *Route) check(out *Problems, names map[string]bool) {
	what := "route " + r.Name
	if !names["origin group"+r.Group] || r.Group == "" {
		out.add("%s: no origin group %q", what, r.Group)
	}
	for _, p := range r.Patterns {
		if i := strings.IndexByte(p, '*'); !strings.HasPrefix(p, "/") || i >= 0 && (i != len(p)-1 || p[i-1] != '/') {
			out.add("%s: pattern %q must begin with / and may end with /*", what, p)
		}
	}
	for _, d := range r.Domains {
		if strings.Contains(strings.TrimPrefix(d, "*."), "*") || d == "" {
			out.add("%s: domain %q may begin with *. only", what, d)
		}
	}
	if r.OriginPath != "" && !strings.HasPrefix(r.OriginPath, "/") {
		out.add("%s: origin path %q must begin with /", what, r.OriginPath)
	}
	for _, s := range r.RuleSets {
		if !names["rule set"+s] {
			out.add("%s: no rule set %q", what, s)
		}
	}
}

func (s *RuleSet) check(out *Problems, names map[string]bool) {
	for i := range s.Rules {
		r := &s.Rules[i]
		what := "rule set " + s.Name + ", rule " + r.Name
		if len(r.Actions) == 0 {
			out.add("%s has no action", what)
		}
		for _, x := range r.Conditions {
			if variables[x.Variable] == nil {
				out.add("%s: no variable %q", what, x.Variable)
			}
			if len(x.Values) == 0 && x.Operator != "Any" {
				out.add("%s: %s needs a value", what, x.Operator)
			}
			for _, t := range x.Transforms {
				if transforms[t] == nil {
					out.add("%s: no transform %q", what, t)
				}
			}
			switch x.Operator {
			case "Any", "Equal", "Contains", "BeginsWith", "EndsWith", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
			case "RegEx":
				for _, v := range x.Values {
					if _, err := regexp.Compile(v); err != nil {
						out.add("%s: %q: %v", what, v, err)
					}
				}
			case "IPMatch":
				for _, v := range x.Values {
					if _, err := prefix(v); err != nil {
						out.add("%s: %q is no address or prefix", what, v)
					}
				}
			default:
				out.add("%s: no operator %q", what, x.Operator)
			}
		}
		for _, a := range r.Actions {
			for _, h := range []*HeaderAction{a.ModifyRequestHeader, a.ModifyResponseHeader} {
				if h == nil {
					continue
				}
				if h.Action != "Append" && h.Action != "Overwrite" && h.Action != "Delete" {
					out.add("%s: header action %q; use Append, Overwrite or Delete", what, h.Action)
				}
				if !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
					out.add("%s: header %q: %q cannot be sent", what, h.Name, h.Value)
				}
			}
			if d := a.Redirect; d != nil && d.Status != 301 && d.Status != 302 && d.Status != 307 && d.Status != 308 {
				out.add("%s: redirect status %d; use 301, 302, 307 or 308", what, d.Status)
			}
			if w := a.Rewrite; w != nil && (!strings.HasPrefix(w.Source, "/") || !strings.HasPrefix(w.Destination, "/")) {
				out.add("%s: a rewrite needs a source and a destination that begin with /", what)
			}
			if o := a.Override; o != nil && o.Group != "" && !names["origin group"+o.Group] {
				out.add("%s: no origin group %q", what, o.Group)
			}
		}
	}
}
