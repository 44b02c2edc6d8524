package frontdoor

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// Router decides what becomes of requests. It has neither sockets nor a clock.
type Router struct {
	config *Config
	sets   map[string][]rule // by lower-case name, in their order
	groups map[string]*Group
}

// rule is a rule with its conditions made ready.
type rule struct {
	*Rule
	conditions []func(*http.Request) bool
}

// NewRouter returns the router of a profile, or its [Problems].
func NewRouter(c *Config) (*Router, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	t := &Router{config: c, sets: map[string][]rule{}, groups: map[string]*Group{}}
	for i := range c.Groups {
		t.groups[strings.ToLower(c.Groups[i].Name)] = &c.Groups[i]
	}
	for i := range c.RuleSets {
		s := &c.RuleSets[i]
		var list []rule
		for j := range s.Rules {
			r := rule{Rule: &s.Rules[j]}
			for n := range r.Conditions {
				r.conditions = append(r.conditions, r.Conditions[n].ready())
			}
			list = append(list, r)
		}
		slices.SortStableFunc(list, func(a, b rule) int { return cmp.Compare(a.Order, b.Order) })
		t.sets[strings.ToLower(s.Name)] = list
	}
	return t, nil
}

// Config returns the profile.
func (t *Router) Config() *Config { return t.config }

// group returns an origin group.
func (t *Router) group(name string) *Group { return t.groups[strings.ToLower(name)] }

// outcome is what rule sets made of a request.
type outcome struct {
	redirect   *Redirect
	group      string
	forwarding Forwarding
	cache      *cache.Policy
	path       string
	response   []*HeaderAction
	matched    []string // SET/RULE
}

// run runs the rule sets of a route on a request, in their order. It changes the
// request's headers.
func (t *Router) run(m *match, r *http.Request) outcome {
	out := outcome{group: m.route.Group, forwarding: m.route.Forwarding, cache: m.route.Cache, path: m.originPath(r.URL.Path)}
	for _, name := range m.route.RuleSets {
		for _, rule := range t.sets[strings.ToLower(name)] {
			if slices.ContainsFunc(rule.conditions, func(holds func(*http.Request) bool) bool { return !holds(r) }) {
				continue
			}
			out.matched = append(out.matched, name+"/"+rule.Name)
			out.apply(rule.Rule, r)
			if rule.Stop || out.redirect != nil {
				return out
			}
		}
	}
	return out
}

func (o *outcome) apply(rule *Rule, r *http.Request) {
	for i := range rule.Actions {
		a := &rule.Actions[i]
		if a.ModifyRequestHeader != nil {
			a.ModifyRequestHeader.apply(r.Header)
		}
		if a.ModifyResponseHeader != nil {
			o.response = append(o.response, a.ModifyResponseHeader)
		}
		if a.Redirect != nil {
			o.redirect = a.Redirect
		}
		if w := a.Rewrite; w != nil && len(o.path) >= len(w.Source) && strings.EqualFold(o.path[:len(w.Source)], w.Source) {
			rest := o.path[len(w.Source):]
			o.path = w.Destination
			if w.KeepUnmatched {
				o.path = strings.TrimSuffix(w.Destination, "/") + "/" + strings.TrimPrefix(rest, "/")
			}
		}
		if a.Override != nil {
			o.override(a.Override)
		}
	}
}

func (o *outcome) override(x *Override) {
	if x.Group != "" {
		o.group = x.Group
	}
	if x.Forwarding != "" {
		o.forwarding = x.Forwarding
	}
	if x.Cache != nil {
		o.cache = x.Cache
	}
	if x.NoCache {
		o.cache = nil
	}
}

func (a *HeaderAction) apply(h http.Header) {
	switch a.Action {
	case "Append":
		if before := h.Get(a.Name); before != "" {
			h.Set(a.Name, before+a.Value)
		} else {
			h.Set(a.Name, a.Value)
		}
	case "Overwrite":
		h.Set(a.Name, a.Value)
	case "Delete":
		h.Del(a.Name)
	}
}

// location is where a redirect leads.
func (d *Redirect) location(r *http.Request) string {
	u := url.URL{Scheme: scheme(r), Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, Fragment: d.Anchors}
	if d.Protocol == "Http" || d.Protocol == "Https" {
		u.Scheme = strings.ToLower(d.Protocol)
	}
	if d.Host != "" {
		u.Host = d.Host
	}
	if d.Path != "" {
		u.Path, u.RawPath = d.Path, ""
	}
	if d.Query != "" {
		u.RawQuery = d.Query
	}
	return u.String()
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
