package appgateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model/wire"
)

// named are the references of a rule, a path or a path map's default.
type named struct{ pool, settings, redirect, rewrites, shares *wire.Ref }

func (c *converter) rules() {
	c.ruled = map[string]bool{}
	priorities := 0
	for i := range c.p.Rules {
		if c.p.Rules[i].Properties.Priority > 0 {
			priorities++
		}
	}
	if n := len(c.p.Rules); n > 0 && priorities == 0 {
		c.finding("/properties/requestRoutingRules", "no rule has a priority: they run in their order")
	} else if priorities < n {
		c.problem("/properties/requestRoutingRules", "%d of %d rules have no priority: all have one, or none", n-priorities, n)
		return
	}
	for i := range c.p.Rules {
		r := &c.p.Rules[i]
		v := &r.Properties
		at := fmt.Sprintf("/properties/requestRoutingRules/%d", i)
		out := gateway.Rule{Name: r.Name, Place: c.place(at), Priority: v.Priority}
		if priorities == 0 {
			out.Priority = i + 1
		}
		if v.Listener == nil {
			c.problem(at, "rule %s has no listener", r.Name)
			continue
		}
		l, _ := part(c, "httpListeners", c.p.Listeners, v.Listener, at+"/properties/httpListener")
		if l == nil {
			continue
		}
		out.Listener = l.Name
		c.ruled[l.Name] = true
		if !strings.EqualFold(v.Type, "PathBasedRouting") {
			out.Default = c.action(named{v.Pool, v.Settings, v.Redirect, v.Rewrites, v.Shares}, at+"/properties")
			c.config.Rules = append(c.config.Rules, out)
			continue
		}
		m, n := part(c, "urlPathMaps", c.p.PathMaps, v.PathMap, at+"/properties/urlPathMap")
		if m == nil {
			if v.PathMap == nil {
				c.problem(at, "rule %s routes by path and has no path map", r.Name)
			}
			continue
		}
		if v.Pool != nil || v.Settings != nil || v.Redirect != nil || v.Rewrites != nil {
			c.finding(at, "rule %s routes by path: its own pool, settings, redirect and rewrites do nothing", r.Name)
		}
		at = fmt.Sprintf("/properties/urlPathMaps/%d/properties", n)
		d := &m.Properties
		out.Default = c.action(named{d.DefaultPool, d.DefaultSettings, d.DefaultRedirect, d.DefaultRewrites, d.DefaultShares}, at)
		for j := range d.Rules {
			x := &d.Rules[j]
			where := fmt.Sprintf("%s/pathRules/%d", at, j)
			out.Paths = append(out.Paths, gateway.PathRule{
				Name: x.Name, Place: c.place(where), Patterns: x.Properties.Paths, Firewall: c.firewallNamed(x.Properties.FirewallPolicy),
				Action: c.action(named{x.Properties.Pool, x.Properties.Settings, x.Properties.Redirect, x.Properties.Rewrites, x.Properties.Shares}, where+"/properties"),
			})
		}
		c.config.Rules = append(c.config.Rules, out)
	}
}

func (c *converter) action(n named, at string) gateway.Action {
	var a gateway.Action
	if s, i := part(c, "rewriteRuleSets", c.p.RewriteSets, n.rewrites, at+"/rewriteRuleSet"); s != nil {
		a.Rewrites = c.rewrites(s, i)
	}
	if r, i := part(c, "redirectConfigurations", c.p.Redirects, n.redirect, at+"/redirectConfiguration"); r != nil {
		a.Redirect = c.redirect(r, i)
		return a
	}
	if p, _ := part(c, "backendAddressPools", c.p.Pools, n.pool, at+"/backendAddressPool"); p != nil {
		a.Pool = p.Name
	}
	if s, _ := part(c, "backendHttpSettingsCollection", c.p.Settings, n.settings, at+"/backendHttpSettings"); s != nil {
		a.Settings = s.Name
	}
	if d, i := part(c, "loadDistributionPolicies", c.p.Shares, n.shares, at+"/loadDistributionPolicy"); d != nil {
		a.Pool = c.share(d, i)
	}
	return a
}

// sharedPrefix begins the names of pools that stand for load distribution
// policies.
const sharedPrefix = "load distribution "

// Shared reports whether a pool stands for a load distribution policy.
func Shared(pool string) bool { return strings.HasPrefix(pool, sharedPrefix) }

// share returns the pool that stands for a load distribution policy: all members
// of its pools, with the weight that the policy gives each.
func (c *converter) share(d *wire.AppGatewayPart[wire.LoadDistribution], i int) string {
	name := sharedPrefix + d.Name
	if slices.ContainsFunc(c.config.Pools, func(p gateway.Pool) bool { return p.Name == name }) {
		return name
	}
	at := fmt.Sprintf("/properties/loadDistributionPolicies/%d", i)
	if a := d.Properties.Algorithm; a != "" && !strings.EqualFold(a, "RoundRobin") {
		c.finding(at+"/properties/loadDistributionAlgorithm", "%s is not done: members take turns by their weight", a)
	}
	out := gateway.Pool{Name: name, Place: c.place(at)}
	for j := range d.Properties.Targets {
		t := &d.Properties.Targets[j]
		p, _ := part(c, "backendAddressPools", c.p.Pools, t.Properties.Pool, fmt.Sprintf("%s/properties/loadDistributionTargets/%d", at, j))
		if p == nil {
			continue
		}
		k := slices.IndexFunc(c.config.Pools, func(x gateway.Pool) bool { return x.Name == p.Name })
		for _, m := range c.config.Pools[k].Members {
			m.Weight = t.Properties.Weight
			out.Members = append(out.Members, m)
		}
	}
	c.config.Pools = append(c.config.Pools, out)
	return name
}

var redirectStatus = map[string]int{"permanent": 301, "found": 302, "seeother": 303, "temporary": 307}

func (c *converter) redirect(r *wire.AppGatewayPart[wire.GatewayMoved], i int) *gateway.Redirect {
	v := &r.Properties
	at := fmt.Sprintf("/properties/redirectConfigurations/%d", i)
	out := &gateway.Redirect{Status: redirectStatus[strings.ToLower(v.Type)], URL: v.URL, IncludePath: v.IncludePath, IncludeQuery: v.IncludeQuery}
	if out.Status == 0 {
		c.problem(at+"/properties/redirectType", "redirect %s: type %q; use Permanent, Found, SeeOther or Temporary", r.Name, v.Type)
	}
	if l, _ := part(c, "httpListeners", c.p.Listeners, v.Listener, at+"/properties/targetListener"); l != nil {
		out.Listener = l.Name
	}
	return out
}

func (c *converter) rewrites(s *wire.AppGatewayPart[wire.RewriteSet], i int) []gateway.Rewrite {
	order := make([]int, len(s.Properties.Rules))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(s.Properties.Rules[a].Sequence, s.Properties.Rules[b].Sequence)
	})
	var out []gateway.Rewrite
	for _, j := range order {
		r := &s.Properties.Rules[j]
		x := gateway.Rewrite{Name: r.Name, Place: c.place(fmt.Sprintf("/properties/rewriteRuleSets/%d/properties/rewriteRules/%d", i, j))}
		for _, k := range r.Conditions {
			x.Conditions = append(x.Conditions, gateway.Condition{Variable: k.Variable, Pattern: k.Pattern, IgnoreCase: k.IgnoreCase, Negate: k.Negate})
		}
		if a := r.Actions; a != nil {
			x.Request, x.Response = headers(a.Request), headers(a.Response)
			if u := a.URL; u != nil {
				x.Path, x.Query, x.Reroute = u.Path, u.Query, u.Reroute
			}
		}
		out = append(out, x)
	}
	return out
}

func headers(list []wire.RewriteHeader) []gateway.Header {
	var out []gateway.Header
	for _, h := range list {
		out = append(out, gateway.Header{Name: h.Name, Value: h.Value})
	}
	return out
}
