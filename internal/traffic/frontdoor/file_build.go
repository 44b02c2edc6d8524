package frontdoor

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

func (b *builder) build(d *document) {
	c := b.config
	c.Timeout = b.duration(c.Place, "timeout", d.Timeout)
	if d.Roots != "" {
		pem, err := os.ReadFile(b.beside(d.Roots))
		c.Roots = x509.NewCertPool()
		if err != nil {
			b.problems.add(c.Place, "roots: %v", err)
		} else if !c.Roots.AppendCertsFromPEM(pem) {
			b.problems.add(c.Place, "roots: %s has no certificate in PEM form", d.Roots)
		}
	}
	b.edges(d.Edges)
	for i := range d.Certificates {
		b.certificate(&d.Certificates[i])
	}
	for i := range d.OriginGroups {
		b.group(&d.OriginGroups[i])
	}
	for i := range d.Routes {
		b.route(&d.Routes[i])
	}
	for i := range d.RuleSets {
		b.ruleSet(&d.RuleSets[i])
	}
	for i := range d.Firewalls {
		b.firewall(&d.Firewalls[i])
	}
}

func (b *builder) certificate(l *located[certificateDoc]) {
	d, at := &l.doc, placeOf(b, l)
	if len(d.Domains) == 0 {
		b.problems.add(at, "a certificate needs domains: [shop.example]")
	}
	pair, err := tls.LoadX509KeyPair(b.beside(d.Certificate), b.beside(d.Key))
	if err != nil {
		b.problems.add(at, "certificate of %s: %v", strings.Join(d.Domains, ", "), err)
	}
	oldest, known := map[string]uint16{"": 0, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[d.MinTLS]
	if !known {
		b.problems.add(at, "certificate of %s: minTLS %q; use 1.2 or 1.3", strings.Join(d.Domains, ", "), d.MinTLS)
	}
	for _, name := range d.Domains {
		b.config.Domains = append(b.config.Domains, Domain{Name: name, Certificate: &pair, MinTLS: oldest, Place: at})
	}
}

func (b *builder) group(l *located[groupDoc]) {
	d, at := &l.doc, placeOf(b, l)
	what := "origin group " + d.Name
	g := Group{
		Name: d.Name, Samples: d.Samples, Successful: d.Successful, Affinity: d.Affinity, Place: at,
		Sensitivity: b.duration(at, what, d.LatencySensitivity),
	}
	for i := range d.Origins {
		o := &d.Origins[i].doc
		g.Origins = append(g.Origins, Origin{
			Name: o.Name, Host: o.Host, Port: o.Port, SecurePort: o.TLSPort, HostHeader: o.HostHeader, Region: o.Region,
			Priority: o.Priority, Weight: o.Weight, Disabled: o.Disabled, AnyName: o.AnyName, Place: placeOf(b, &d.Origins[i]),
		})
	}
	if d.Probe != nil {
		p, at := &d.Probe.doc, placeOf(b, d.Probe)
		g.Probe = &Probe{Path: or(p.Path, "/"), Method: p.Method, Interval: b.duration(at, what+": probe", p.Interval), Place: at}
		switch strings.ToLower(p.Protocol) {
		case "", "http":
		case "https":
			g.Probe.Secure = true
		default:
			b.problems.add(at, "%s: the probe protocol %q; use http or https", what, p.Protocol)
		}
	}
	b.config.Groups = append(b.config.Groups, g)
}

func (b *builder) route(l *located[routeDoc]) {
	d, at := &l.doc, placeOf(b, l)
	r := Route{
		Name: d.Name, Domains: d.Domains, Patterns: d.Patterns, Redirect: d.Redirect, Forwarding: d.Forwarding, Group: d.Group,
		OriginPath: d.OriginPath, RuleSets: d.RuleSets, Disabled: d.Disabled, Place: at,
	}
	for _, p := range d.Protocols {
		switch strings.ToLower(p) {
		case "http":
			r.HTTP = true
		case "https":
			r.HTTPS = true
		default:
			b.problems.add(at, "route %s: protocol %q; use http or https", d.Name, p)
		}
	}
	r.Cache = b.cache(at, "route "+d.Name, d.Cache)
	if d.Cache != nil {
		r.Compress = b.compress(at, "route "+d.Name, d.Cache.Compress)
	}
	b.config.Routes = append(b.config.Routes, r)
}

// compress reads what is compressed: true, or a list of types.
func (b *builder) compress(at Place, what string, v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case bool:
		if v {
			return CompressedTypes
		}
		return nil
	case []any:
		var out []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok || !strings.Contains(s, "/") {
				b.problems.add(at, "%s: compress: %v is no type of content; write text/html", what, e)
				continue
			}
			out = append(out, s)
		}
		return out
	}
	b.problems.add(at, "%s: compress: write true, or a list of types", what)
	return nil
}

func (b *builder) cache(at Place, what string, d *cacheDoc) *cache.Policy {
	if d == nil {
		return nil
	}
	p := &cache.Policy{Query: or(cache.Query(d.Query), cache.IgnoreQuery), Names: d.Names, TTL: b.duration(at, what, d.TTL), Override: d.Override}
	switch p.Query {
	case cache.UseQuery, cache.IgnoreQuery:
	case cache.IgnoreSome, cache.IncludeSome:
		if len(p.Names) == 0 {
			b.problems.add(at, "%s: %s needs names", what, p.Query)
		}
	default:
		b.problems.add(at, "%s: there is no query string behavior %q; use UseQueryString, IgnoreQueryString, IgnoreSpecifiedQueryStrings or IncludeSpecifiedQueryStrings", what, p.Query)
	}
	return p
}

func (b *builder) ruleSet(l *located[ruleSetDoc]) {
	set := RuleSet{Name: l.doc.Name, Place: placeOf(b, l)}
	for i := range l.doc.Rules {
		d, at := &l.doc.Rules[i].doc, placeOf(b, &l.doc.Rules[i])
		r := Rule{Name: d.Name, Order: d.Order, Stop: d.Stop, Place: at}
		for j := range d.When {
			w := &d.When[j].doc
			r.Conditions = append(r.Conditions, Condition{
				Variable: w.Variable, Selector: w.Selector, Operator: w.Operator, Negate: w.Not, Values: w.Values, Transforms: w.Transforms,
				Place: placeOf(b, &d.When[j]),
			})
		}
		for j := range d.Do {
			r.Actions = append(r.Actions, b.action(placeOf(b, &d.Do[j]), "rule "+d.Name, &d.Do[j].doc))
		}
		set.Rules = append(set.Rules, r)
	}
	b.config.RuleSets = append(b.config.RuleSets, set)
}

func (b *builder) action(at Place, what string, d *actionDoc) Action {
	a := Action{Place: at}
	if h := d.RequestHeader; h != nil {
		a.ModifyRequestHeader = &HeaderAction{h.Action, h.Name, h.Value}
	}
	if h := d.ResponseHeader; h != nil {
		a.ModifyResponseHeader = &HeaderAction{h.Action, h.Name, h.Value}
	}
	if x := d.Redirect; x != nil {
		a.Redirect = &Redirect{or(x.Status, 302), x.Protocol, x.Host, x.Path, x.Query, x.Anchor}
	}
	if x := d.Rewrite; x != nil {
		a.Rewrite = &Rewrite{x.Source, x.Destination, x.KeepUnmatched}
	}
	if x := d.Override; x != nil {
		a.Override = &Override{x.Group, x.Forwarding, b.cache(at, what, x.Cache), x.NoCache}
	}
	return a
}

func (b *builder) firewall(l *located[firewallDoc]) {
	d, at := &l.doc, placeOf(b, l)
	f := Firewall{
		Policy:  waf.Policy{Name: d.Name, Mode: or(d.Mode, waf.Prevention), Disabled: d.Disabled},
		Domains: d.Domains, RedirectTo: d.RedirectTo, Place: at,
	}
	if d.Block != nil {
		f.Policy.BlockStatus, f.Policy.BlockBody = d.Block.Status, d.Block.Page
	}
	for _, m := range d.Managed {
		s := waf.RuleSet{Type: m.Type, Version: m.Version}
		for _, o := range m.Overrides {
			s.Overrides = append(s.Overrides, waf.Override{Group: o.Group, Rule: o.Rule, Disabled: o.Disabled, Action: o.Action})
		}
		f.Policy.Managed = append(f.Policy.Managed, s)
	}
	for _, x := range d.Exclusions {
		f.Policy.Exclusions = append(f.Policy.Exclusions, waf.Exclusion{Variable: x.Variable, Operator: x.Operator, Selector: x.Selector, Groups: x.Groups, Rules: x.Rules})
	}
	for _, c := range d.Custom {
		r := waf.Rule{Name: c.Name, Priority: c.Priority, Disabled: c.Disabled, Action: c.Action}
		if c.Rate != nil {
			r.Rate = &waf.Rate{Threshold: c.Rate.Threshold, Minutes: or(c.Rate.Minutes, 1), By: or(c.Rate.By, "ClientAddr")}
		}
		for _, w := range c.When {
			x := waf.Condition{Operator: w.Operator, Negate: w.Not, Values: w.Values, Transforms: w.Transforms}
			for _, v := range w.Variables {
				name, selector, _ := strings.Cut(v, ":")
				x.Variables = append(x.Variables, waf.Variable{Name: name, Selector: selector})
			}
			r.Conditions = append(r.Conditions, x)
		}
		if r.Action == redirectAction {
			f.Redirects = append(f.Redirects, r.Name)
			r.Action = waf.Block
			if f.RedirectTo == "" {
				b.problems.add(at, "firewall policy %s: rule %s redirects, and there is no redirectTo", d.Name, c.Name)
			}
		}
		f.Policy.Custom = append(f.Policy.Custom, r)
	}
	b.config.Firewalls = append(b.config.Firewalls, f)
}

// redirectAction sends who a rule matches elsewhere ("Azure WAF on Azure Front
// Door", actions); to the firewall it is a block.
const redirectAction waf.Action = "Redirect"
