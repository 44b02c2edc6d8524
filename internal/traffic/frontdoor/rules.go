package frontdoor

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// outcome is what rule sets made of a request.
type outcome struct {
	redirect *Redirect
	group    string
	cache    *cache.Policy
	path     string
	response []*HeaderAction
	matched  []string // names of rules
}

// run runs the rule sets of a route on a request, in their order. It changes the
// request's headers.
func (c *Config) run(m *match, r *http.Request) outcome {
	out := outcome{group: m.route.Group, cache: m.route.Cache, path: m.originPath(r.URL.Path)}
	for _, name := range m.route.RuleSets {
		i := slices.IndexFunc(c.RuleSets, func(s RuleSet) bool { return s.Name == name })
		if i < 0 {
			continue // it was checked
		}
		rules := slices.Clone(c.RuleSets[i].Rules)
		slices.SortStableFunc(rules, func(a, b Rule) int { return a.Order - b.Order })
		for k := range rules {
			rule := &rules[k]
			if !slices.ContainsFunc(rule.Conditions, func(x Condition) bool { return !x.holds(r) }) {
				out.matched = append(out.matched, name+"/"+rule.Name)
				out.apply(rule, r)
				if rule.Stop || out.redirect != nil {
					return out
				}
			}
		}
	}
	return out
}

func (o *outcome) apply(rule *Rule, r *http.Request) {
	for i := range rule.Actions {
		a := &rule.Actions[i]
		switch {
		case a.ModifyRequestHeader != nil:
			a.ModifyRequestHeader.apply(r.Header)
		case a.ModifyResponseHeader != nil:
			o.response = append(o.response, a.ModifyResponseHeader)
		case a.Redirect != nil:
			o.redirect = a.Redirect
		case a.Rewrite != nil:
			w := a.Rewrite
			if len(o.path) >= len(w.Source) && strings.EqualFold(o.path[:len(w.Source)], w.Source) {
				rest := o.path[len(w.Source):]
				o.path = w.Destination
				if w.KeepUnmatched {
					o.path = strings.TrimSuffix(w.Destination, "/") + "/" + strings.TrimPrefix(rest, "/")
				}
			}
		case a.Override != nil:
			if a.Override.Group != "" {
				o.group = a.Override.Group
			}
			if a.Override.Cache != nil {
				o.cache = a.Override.Cache
			}
			if a.Override.NoCache {
				o.cache = nil
			}
		}
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

// variables are what conditions compare.
var variables = map[string]func(*http.Request, string) []string{
	"RequestMethod": func(r *http.Request, _ string) []string { return []string{r.Method} },
	"RequestUri":    func(r *http.Request, _ string) []string { return []string{scheme(r) + "://" + r.Host + r.RequestURI} },
	"UrlPath":       func(r *http.Request, _ string) []string { return []string{strings.TrimPrefix(r.URL.Path, "/")} },
	"UrlFileName":   func(r *http.Request, _ string) []string { return []string{path.Base(r.URL.Path)} },
	"UrlFileExtension": func(r *http.Request, _ string) []string {
		return []string{strings.TrimPrefix(path.Ext(r.URL.Path), ".")}
	},
	"QueryString": func(r *http.Request, name string) []string {
		if name == "" {
			return []string{r.URL.RawQuery}
		}
		return r.URL.Query()[name]
	},
	"RequestHeader": func(r *http.Request, name string) []string { return r.Header.Values(name) },
	"Cookies": func(r *http.Request, name string) (out []string) {
		for _, c := range r.CookiesNamed(name) {
			out = append(out, c.Value)
		}
		return out
	},
	"RemoteAddress": func(r *http.Request, _ string) []string {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return []string{host}
	},
	"RequestScheme": func(r *http.Request, _ string) []string { return []string{strings.ToUpper(scheme(r))} },
	"HostName":      func(r *http.Request, _ string) []string { return []string{r.Host} },
	"HttpVersion": func(r *http.Request, _ string) []string {
		return []string{strings.TrimPrefix(r.Proto, "HTTP/")}
	},
	"ServerPort": func(r *http.Request, _ string) []string {
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			_, port, _ := net.SplitHostPort(a.String())
			return []string{port}
		}
		return nil
	},
}

// transforms change a value before it is compared.
var transforms = map[string]func(string) string{
	"Lowercase": strings.ToLower, "Uppercase": strings.ToUpper, "Trim": strings.TrimSpace,
	"UrlDecode": func(s string) string {
		if d, err := url.QueryUnescape(s); err == nil {
			return d
		}
		return s
	},
}

func (x *Condition) holds(r *http.Request) bool {
	get := variables[x.Variable]
	found := get != nil && slices.ContainsFunc(get(r, x.Selector), func(v string) bool {
		for _, t := range x.Transforms {
			v = transforms[t](v)
		}
		return x.compare(v)
	})
	return found != x.Negate
}

func (x *Condition) compare(v string) bool {
	any := func(f func(string) bool) bool { return slices.ContainsFunc(x.Values, f) }
	switch x.Operator {
	case "Any":
		return true
	case "Equal":
		return any(func(s string) bool { return v == s })
	case "Contains":
		return any(func(s string) bool { return strings.Contains(v, s) })
	case "BeginsWith":
		return any(func(s string) bool { return strings.HasPrefix(v, s) })
	case "EndsWith":
		return any(func(s string) bool { return strings.HasSuffix(v, s) })
	case "RegEx":
		return any(func(s string) bool {
			re, err := regexp.Compile(s)
			return err == nil && re.MatchString(v)
		})
	case "IPMatch":
		a, err := netip.ParseAddr(v)
		return err == nil && any(func(s string) bool {
			p, err := prefix(s)
			return err == nil && p.Contains(a.Unmap())
		})
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return false
	}
	return any(func(s string) bool {
		m, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return false
		}
		switch x.Operator {
		case "LessThan":
			return n < m
		case "LessThanOrEqual":
			return n <= m
		case "GreaterThan":
			return n > m
		case "GreaterThanOrEqual":
			return n >= m
		}
		return false
	})
}

func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
