package intent

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// action is what becomes of requests: a rule's or a path's part.
type action struct {
	pool, settings Text
	shares         Map[Int]
	redirect       *GatewayRedirect
	rewrites       []GatewayRewrite
	name           string // of what is made for it
	pos            model.Pos
}

// ruleName is a rule's own, or its listener's.
func (w *gatewayWriter) ruleName(r *GatewayRule) Text {
	switch {
	case r.Name.IsSet():
		return r.Name
	case r.Listener.IsSet():
		return Text{r.Listener.Value, r.Pos}
	case len(w.g.spec.Listeners) == 1:
		return Text{w.g.spec.Listeners[0].Key.Value, r.Pos}
	}
	return Text{"rule", r.Pos}
}

// pathName is a path rule's own, or one by its place.
func pathName(p *GatewayPath, i int) string {
	return p.Name.Or("path-"+strconv.Itoa(i+1), p.Pos).Value
}

// hasPath reports whether there is a rule, or a path of it.
func (w *gatewayWriter) hasPath(rule, path string) bool {
	for i := range w.g.spec.Rules {
		r := &w.g.spec.Rules[i]
		if w.ruleName(r).Value != rule {
			continue
		}
		if path == "" {
			return true
		}
		for j := range r.Paths {
			if pathName(&r.Paths[j], j) == path {
				return true
			}
		}
	}
	return false
}

func (w *gatewayWriter) rules() list {
	out := list{}
	priorities := map[string]model.Pos{}
	next := 100
	for i := range w.g.spec.Rules {
		r := &w.g.spec.Rules[i]
		name := w.ruleName(r)
		w.b.checkName(name, "a rule")
		priority := w.b.inRange(r.Priority, next, 1, 20000, "a priority")
		next = priority + 10
		w.b.claimPart(priorities, strconv.Itoa(priority), r.Pos, fmt.Sprintf("priority %d", priority))
		p := object{"priority": priority, "ruleType": "Basic"}
		if id, ok := w.named(r.Listener, w.g.spec.Listeners.Keys(), "listener", "httpListeners", r.Pos); ok {
			p["httpListener"] = id
		}
		a := action{r.Pool, r.Settings, r.Shares, r.Redirect, r.Rewrites, name.Value, r.Pos}
		if len(r.Paths) == 0 {
			w.act(p, "", a)
		} else {
			p["ruleType"], p["urlPathMap"] = "PathBasedRouting", w.part("urlPathMaps", name.Value)
			w.pathMap(r, a)
		}
		w.mark("requestRoutingRules", len(out), r.Pos)
		out = append(out, object{"name": name.Value, "properties": p})
	}
	if len(out) == 0 {
		w.b.problem(w.g.spec.Name.Pos, "add rules: [{pool: NAME}]", "application gateway %s has no rule", w.g.name)
	}
	return out
}

func (w *gatewayWriter) pathMap(r *GatewayRule, a action) {
	m := object{}
	w.act(m, "default", a)
	n := len(w.maps)
	rules := list{}
	for i := range r.Paths {
		path := &r.Paths[i]
		name := pathName(path, i)
		w.b.checkName(Text{name, path.Pos}, "a path")
		settings := path.Settings
		if !settings.IsSet() {
			settings = r.Settings
		}
		p := object{}
		w.act(p, "", action{path.Pool, settings, nil, path.Redirect, path.Rewrites, r.nameFor(a.name, name), path.Pos})
		paths := list{}
		for _, t := range path.Match {
			if star := strings.IndexByte(t.Value, '*'); !strings.HasPrefix(t.Value, "/") || star >= 0 && star != len(t.Value)-1 {
				w.b.problem(t.Pos, "write /images/* or /exactly", "path %q must begin with / and may have a * at its end only", t.Value)
			}
			paths = append(paths, t.Value)
		}
		if len(paths) == 0 {
			w.b.problem(path.Pos, "add match: [/path/*]", "path %s of rule %s matches nothing", name, a.name)
		}
		p["paths"] = paths
		if id, ok := w.policy(path.WAFPolicy); ok {
			p["firewallPolicy"] = id
		}
		w.at[fmt.Sprintf("/properties/urlPathMaps/%d/properties/pathRules/%d", n, len(rules))] = path.Pos
		rules = append(rules, object{"name": name, "properties": p})
	}
	m["pathRules"] = rules
	w.mark("urlPathMaps", n, r.Pos)
	w.maps = append(w.maps, object{"name": a.name, "properties": m})
}

func (r *GatewayRule) nameFor(rule, path string) string { return rule + "-" + path }

// act writes what becomes of requests; prefix is "default" in a path map.
func (w *gatewayWriter) act(p object, prefix string, a action) {
	key := func(s string) string {
		if prefix == "" {
			return s
		}
		return prefix + strings.ToUpper(s[:1]) + s[1:]
	}
	if len(a.rewrites) > 0 {
		p[key("rewriteRuleSet")] = w.rewriteSet(a)
	}
	if a.redirect != nil {
		for _, t := range []Text{a.pool, a.settings} {
			if t.IsSet() && prefix == "" && t == a.pool {
				w.b.problem(t.Pos, "keep one", "%s of %s has both a pool and a redirect", a.name, w.g.name)
			}
		}
		p[key("redirectConfiguration")] = w.redirect(a)
		return
	}
	if len(a.shares) > 0 {
		if a.pool.IsSet() {
			w.b.problem(a.pool.Pos, "keep one", "%s of %s has both a pool and shares", a.name, w.g.name)
		}
		p[key("loadDistributionPolicy")] = w.share(a)
	}
	if len(a.shares) == 0 || prefix == "" {
		pool := a.pool
		if len(a.shares) > 0 {
			pool = a.shares[0].Key // Azure wants one even where shares decide
		}
		if id, ok := w.named(pool, w.g.spec.Pools.Keys(), "pool", "backendAddressPools", a.pos); ok {
			p[key("backendAddressPool")] = id
		}
	}
	if id, ok := w.named(a.settings, w.g.spec.Settings.Keys(), "settings", "backendHttpSettingsCollection", a.pos); ok {
		p[key("backendHttpSettings")] = id
	}
}

// share makes the policy that divides requests among pools.
func (w *gatewayWriter) share(a action) object {
	targets := list{}
	for _, e := range a.shares {
		id, ok := w.named(e.Key, w.g.spec.Pools.Keys(), "pool", "backendAddressPools", e.Key.Pos)
		if !ok {
			continue
		}
		targets = append(targets, object{"name": e.Key.Value, "properties": object{
			"backendAddressPool": id, "weightPerServer": w.b.inRange(e.Value, 1, 1, 100, "a share"),
		}})
	}
	w.mark("loadDistributionPolicies", len(w.shares), a.pos)
	w.shares = append(w.shares, object{"name": a.name, "properties": object{"loadDistributionAlgorithm": "RoundRobin", "loadDistributionTargets": targets}})
	return w.part("loadDistributionPolicies", a.name)
}

var redirectTypes = map[int]string{301: "Permanent", 302: "Found", 303: "SeeOther", 307: "Temporary"}

func (w *gatewayWriter) redirect(a action) object {
	r := a.redirect
	p := object{"includePath": r.Path.Or(true), "includeQueryString": r.Query.Or(true)}
	kind, ok := redirectTypes[r.Status.Or(301)]
	if !ok {
		w.b.problem(r.Status.Pos, "use 301, 302, 303 or 307", "%d is not the status of a redirect", r.Status.Value)
	}
	p["redirectType"] = kind
	switch {
	case r.URL.IsSet() == r.Listener.IsSet():
		w.b.problem(r.Pos, "write url: https://shop.example or listener: NAME", "the redirect of %s needs an address or a listener, one of them", a.name)
	case r.URL.IsSet():
		p["targetUrl"] = r.URL.Value
	default:
		if id, ok := w.named(r.Listener, w.g.spec.Listeners.Keys(), "listener", "httpListeners", r.Pos); ok {
			p["targetListener"] = id
		}
	}
	w.mark("redirectConfigurations", len(w.redirects), r.Pos)
	w.redirects = append(w.redirects, object{"name": a.name, "properties": p})
	return w.part("redirectConfigurations", a.name)
}

func (w *gatewayWriter) rewriteSet(a action) object {
	rules := list{}
	for i, r := range a.rewrites {
		headers := func(m Map[Text]) list {
			out := list{}
			for _, e := range m {
				out = append(out, object{"headerName": e.Key.Value, "headerValue": e.Value.Value})
			}
			return out
		}
		set := object{"requestHeaderConfigurations": headers(r.Request), "responseHeaderConfigurations": headers(r.Response)}
		if r.Path.IsSet() || r.Query.IsSet() {
			u := object{"reroute": r.Reroute.Or(false)}
			if r.Path.IsSet() {
				u["modifiedPath"] = r.Path.Value
			}
			if r.Query.IsSet() {
				u["modifiedQueryString"] = r.Query.Value
			}
			set["urlConfiguration"] = u
		}
		conditions := list{}
		for _, c := range r.When {
			conditions = append(conditions, object{"variable": c.Variable.Value, "pattern": c.Matches.Value, "ignoreCase": c.IgnoreCase.Or(false), "negate": c.Not.Or(false)})
		}
		w.at[fmt.Sprintf("/properties/rewriteRuleSets/%d/properties/rewriteRules/%d", len(w.rewrites), i)] = r.Pos
		rules = append(rules, object{
			"name": r.Name.Or("rewrite-"+strconv.Itoa(i+1), r.Pos).Value, "ruleSequence": 100 + 10*i,
			"conditions": conditions, "actionSet": set,
		})
	}
	w.mark("rewriteRuleSets", len(w.rewrites), a.pos)
	w.rewrites = append(w.rewrites, object{"name": a.name, "properties": object{"rewriteRules": rules}})
	return w.part("rewriteRuleSets", a.name)
}
