package frontdoor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

type routeView struct {
	Properties struct {
		Domains    []wire.Ref `json:"customDomains"`
		Group      *wire.Ref  `json:"originGroup"`
		OriginPath string     `json:"originPath"`
		RuleSets   []wire.Ref `json:"ruleSets"`
		Protocols  []string   `json:"supportedProtocols"`
		Patterns   []string   `json:"patternsToMatch"`
		Cache      *struct {
			Query       string `json:"queryStringCachingBehavior"`
			Parameters  string `json:"queryParameters"`
			Compression *struct {
				Enabled bool     `json:"isCompressionEnabled"`
				Types   []string `json:"contentTypesToCompress"`
			} `json:"compressionSettings"`
		} `json:"cacheConfiguration"`
		Forwarding string `json:"forwardingProtocol"`
		Default    string `json:"linkToDefaultDomain"`
		Redirect   string `json:"httpsRedirect"`
		State      string `json:"enabledState"`
	} `json:"properties"`
}

// routes makes the routes: for the endpoint's own name if they are linked to it,
// and for their custom domains.
func (c *converter) routes() {
	for _, r := range c.of(model.TypeDoorRoute) {
		var v routeView
		if !c.decode(r, &v) {
			continue
		}
		p := &v.Properties
		name := r.ID.Name()
		out := Route{
			Name: name, Patterns: p.Patterns, OriginPath: p.OriginPath, Redirect: strings.EqualFold(p.Redirect, "Enabled"), Disabled: disabled(p.State),
			Group: c.named(r, "/properties/originGroup", p.Group, model.TypeOriginGroup), Place: placeIn(r, ""),
			Forwarding: forwardingOf(p.Forwarding),
		}
		if p.Group == nil {
			c.problem(r, "/properties/originGroup", "route %s has no origin group", name)
		}
		endpoint := c.hosts[r.ID.Parent().Key()]
		if strings.EqualFold(p.Default, "Enabled") {
			out.Domains = append(out.Domains, endpoint...)
		}
		for i := range p.Domains {
			at := fmt.Sprintf("/properties/customDomains/%d", i)
			if c.named(r, at, &p.Domains[i], model.TypeCustomDomain) == "" {
				continue
			}
			for _, host := range c.hosts[strings.ToLower(p.Domains[i].ID)] {
				out.Domains = append(out.Domains, host)
				for k := range c.config.Domains {
					if c.config.Domains[k].Name == host && len(endpoint) > 0 {
						c.config.Domains[k].Endpoint = endpoint[0]
					}
				}
			}
		}
		if len(endpoint) == 0 {
			out.Disabled = true // its endpoint is
		}
		if len(out.Domains) == 0 && !out.Disabled {
			c.finding(r, "", "route %s has no domain: nothing reaches it", name)
			out.Disabled = true
		}
		for _, x := range p.Protocols {
			out.HTTP, out.HTTPS = out.HTTP || strings.EqualFold(x, "Http"), out.HTTPS || strings.EqualFold(x, "Https")
		}
		for i := range p.RuleSets {
			if s := c.named(r, fmt.Sprintf("/properties/ruleSets/%d", i), &p.RuleSets[i], model.TypeDoorRuleSet); s != "" {
				out.RuleSets = append(out.RuleSets, s)
			}
		}
		if k := p.Cache; k != nil {
			out.Cache = cachePolicy(k.Query, k.Parameters)
			if k.Compression != nil && k.Compression.Enabled {
				if out.Compress = k.Compression.Types; len(out.Compress) == 0 {
					out.Compress = CompressedTypes
				}
			}
		}
		// Routes of several endpoints may have the same name.
		if slices.ContainsFunc(c.config.Routes, func(x Route) bool { return strings.EqualFold(x.Name, name) }) {
			out.Name = r.ID.Parent().Name() + "/" + name
		}
		c.config.Routes = append(c.config.Routes, out)
	}
}

func forwardingOf(s string) Forwarding {
	for _, f := range []Forwarding{HTTPOnly, HTTPSOnly, MatchRequest} {
		if strings.EqualFold(string(f), s) {
			return f
		}
	}
	return Forwarding(s)
}

func cachePolicy(query, parameters string) *cache.Policy {
	p := &cache.Policy{Query: cache.IgnoreQuery}
	for _, q := range []cache.Query{cache.UseQuery, cache.IgnoreQuery, cache.IgnoreSome, cache.IncludeSome} {
		if strings.EqualFold(string(q), query) {
			p.Query = q
		}
	}
	for name := range strings.SplitSeq(parameters, ",") {
		if name = strings.TrimSpace(name); name != "" {
			p.Names = append(p.Names, name)
		}
	}
	return p
}

type doorRuleView struct {
	Properties struct {
		Order      int `json:"order"`
		Conditions []struct {
			Name       string `json:"name"`
			Parameters struct {
				Operator   string   `json:"operator"`
				Negate     bool     `json:"negateCondition"`
				Values     []string `json:"matchValues"`
				Selector   string   `json:"selector"`
				Transforms []string `json:"transforms"`
			} `json:"parameters"`
		} `json:"conditions"`
		Actions []struct {
			Name       string           `json:"name"`
			Parameters doorActionParams `json:"parameters"`
		} `json:"actions"`
		Processing string `json:"matchProcessingBehavior"`
	} `json:"properties"`
}

type doorActionParams struct {
	HeaderAction string `json:"headerAction"`
	HeaderName   string `json:"headerName"`
	Value        string `json:"value"`
	RedirectType string `json:"redirectType"`
	Protocol     string `json:"destinationProtocol"`
	Path         string `json:"customPath"`
	HostName     string `json:"customHostname"`
	Query        string `json:"customQueryString"`
	Fragment     string `json:"customFragment"`
	Source       string `json:"sourcePattern"`
	Destination  string `json:"destination"`
	Preserve     bool   `json:"preserveUnmatchedPath"`
	Group        *struct {
		Group      *wire.Ref `json:"originGroup"`
		Forwarding string    `json:"forwardingProtocol"`
	} `json:"originGroupOverride"`
	Cache *struct {
		Query      string `json:"queryStringCachingBehavior"`
		Parameters string `json:"queryParameters"`
		Behavior   string `json:"cacheBehavior"`
		Duration   string `json:"cacheDuration"`
		Compress   string `json:"isCompressionEnabled"`
	} `json:"cacheConfiguration"`
}

func (c *converter) ruleSets() {
	rules := c.of(model.TypeDoorRule)
	for _, r := range c.of(model.TypeDoorRuleSet) {
		s := RuleSet{Name: r.ID.Name(), Place: placeIn(r, "")}
		for _, x := range rules {
			if x.ID.Parent().Equal(r.ID) {
				c.rule(&s, x)
			}
		}
		c.config.RuleSets = append(c.config.RuleSets, s)
	}
}

// renamed are the variables that documents call otherwise.
var renamed = map[string]string{"SocketAddr": "SocketAddress"}

func (c *converter) rule(s *RuleSet, r *model.Resource) {
	var v doorRuleView
	if !c.decode(r, &v) {
		return
	}
	out := Rule{Name: r.ID.Name(), Order: v.Properties.Order, Stop: strings.EqualFold(v.Properties.Processing, "Stop"), Place: placeIn(r, "")}
	for i, k := range v.Properties.Conditions {
		p := &k.Parameters
		x := Condition{
			Variable: or(renamed[k.Name], k.Name), Selector: p.Selector, Operator: p.Operator, Negate: p.Negate, Values: p.Values,
			Place: placeIn(r, fmt.Sprintf("/properties/conditions/%d", i)),
		}
		for _, t := range p.Transforms {
			x.Transforms = append(x.Transforms, transformOf(t))
		}
		if x.Variable == "RequestHeader" || x.Variable == "PostArgs" || x.Variable == "Cookies" {
			x.Selector = p.Selector
		}
		out.Conditions = append(out.Conditions, x)
	}
	for i := range v.Properties.Actions {
		a := &v.Properties.Actions[i]
		out.Actions = append(out.Actions, c.action(r, i, a.Name, &a.Parameters))
	}
	s.Rules = append(s.Rules, out)
}

func transformOf(t string) string {
	for name := range transforms {
		if strings.EqualFold(name, t) {
			return name
		}
	}
	return t
}

func (c *converter) action(r *model.Resource, i int, name string, p *doorActionParams) Action {
	at := fmt.Sprintf("/properties/actions/%d", i)
	a := Action{Place: placeIn(r, at)}
	switch name {
	case "ModifyRequestHeader":
		a.ModifyRequestHeader = &HeaderAction{p.HeaderAction, p.HeaderName, p.Value}
	case "ModifyResponseHeader":
		a.ModifyResponseHeader = &HeaderAction{p.HeaderAction, p.HeaderName, p.Value}
	case "UrlRedirect":
		status := map[string]int{"Moved": 301, "Found": 302, "TemporaryRedirect": 307, "PermanentRedirect": 308}[p.RedirectType]
		a.Redirect = &Redirect{status, p.Protocol, p.HostName, p.Path, p.Query, p.Fragment}
	case "UrlRewrite":
		a.Rewrite = &Rewrite{p.Source, p.Destination, p.Preserve}
	case "RouteConfigurationOverride":
		a.Override = &Override{}
		if g := p.Group; g != nil {
			a.Override.Group = c.named(r, at+"/parameters/originGroupOverride/originGroup", g.Group, model.TypeOriginGroup)
			a.Override.Forwarding = forwardingOf(g.Forwarding)
		}
		if k := p.Cache; k != nil {
			x := cachePolicy(k.Query, k.Parameters)
			if strings.EqualFold(k.Behavior, "OverrideAlways") || strings.EqualFold(k.Behavior, "OverrideIfOriginMissing") {
				t, ok := timeSpan(k.Duration)
				if !ok {
					c.problem(r, at+"/parameters/cacheConfiguration/cacheDuration", "%q is no duration; write [d.]hh:mm:ss", k.Duration)
				}
				x.TTL, x.Override = t, strings.EqualFold(k.Behavior, "OverrideAlways")
			}
			a.Override.Cache = x
		}
	default:
		c.finding(r, at, "rule %s: actions of type %s are not done", r.ID.Name(), name)
		a.Override = &Override{}
	}
	return a
}

// timeSpan reads a duration as [d.]hh:mm:ss.
func timeSpan(s string) (time.Duration, bool) {
	var d, h, m, sec int
	if _, err := fmt.Sscanf(s, "%d.%d:%d:%d", &d, &h, &m, &sec); err != nil {
		d = 0
		if _, err := fmt.Sscanf(s, "%d:%d:%d", &h, &m, &sec); err != nil {
			return 0, false
		}
	}
	if d < 0 || d > 366 || h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59 {
		return 0, false
	}
	return time.Duration(d*24+h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second, true
}
