package intent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

func (w *doorWriter) route(endpoint model.ID, key Text, r DoorRoute) {
	b := w.b
	if !b.doorNamed(key, "a route") {
		return
	}
	at := map[string]model.Pos{}
	redirect := r.HTTPSRedirect.Or(true)
	p := object{
		"supportedProtocols": list{"Http", "Https"}, "httpsRedirect": status(redirect), "enabledState": status(r.Enabled.Or(true)),
		"forwardingProtocol": b.oneOf("forwarding", r.Forwarding, "match", map[string]string{"http": "HttpOnly", "https": "HttpsOnly", "match": "MatchRequest"}),
	}
	patterns := list{}
	for _, t := range r.Paths {
		if i := strings.IndexByte(t.Value, '*'); !strings.HasPrefix(t.Value, "/") || i >= 0 && (i != len(t.Value)-1 || t.Value[i-1] != '/') {
			b.problem(t.Pos, "write /path or /path/*", "%q is no path of a route", t.Value)
			continue
		}
		patterns = append(patterns, t.Value)
	}
	if len(r.Paths) == 0 {
		patterns = list{"/*"}
	}
	p["patternsToMatch"] = patterns
	if r.OriginPath.IsSet() {
		if !strings.HasPrefix(r.OriginPath.Value, "/") {
			b.problem(r.OriginPath.Pos, "write /"+r.OriginPath.Value, "the path %q does not begin with /", r.OriginPath.Value)
		}
		p["originPath"] = r.OriginPath.Value
	}
	w.routeDomains(p, key, r)
	if r.Enabled.Or(true) {
		w.takes(key, p)
	}
	if id, ok := w.groupNamed(r.OriginGroup, key.Pos); ok {
		p["originGroup"] = ref(id)
		at["/properties/originGroup"] = placeOr(r.OriginGroup.Pos, key.Pos)
	}
	var sets list
	for _, t := range r.RuleSets {
		if !slices.ContainsFunc(w.d.spec.RuleSets.Keys(), func(s string) bool { return strings.EqualFold(s, t.Value) }) {
			b.problem(t.Pos, suggestion(t.Value, w.d.spec.RuleSets.Keys(), "declare it under rule-sets"), "front door %s has no rule set %q", w.d.name, t.Value)
			continue
		}
		sets = append(sets, ref(w.d.id.Child("ruleSets", t.Value)))
	}
	if sets != nil {
		p["ruleSets"] = sets
	}
	if r.Cache != nil {
		p["cacheConfiguration"] = w.cache(r.Cache)
	}
	b.emit(endpoint.Child("routes", key.Value), object{"properties": p}, key.Pos, at)
}

// takes notes what a route is for. Two cannot be for the same path of a host ("How
// requests are matched to a route configuration").
func (w *doorWriter) takes(key Text, p object) {
	hosts := []string{}
	if p["linkToDefaultDomain"] == status(true) {
		hosts = append(hosts, "its own name")
	}
	custom, _ := p["customDomains"].(list)
	for host, id := range w.domains {
		if slices.ContainsFunc(custom, func(c any) bool { return c.(object)["id"] == ref(id)["id"] }) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	for _, host := range hosts {
		for _, pattern := range p["patternsToMatch"].(list) {
			at := host + strings.ToLower(pattern.(string))
			first, there := w.taken[at]
			if there {
				w.b.problem(key.Pos, "give one of them other paths or domains", "routes %s and %s of front door %s are both for %s of %s", first, key.Value, w.d.name, pattern, host)
				return
			}
			w.taken[at] = key.Value
		}
	}
}

// routeDomains says for which host names a route is.
func (w *doorWriter) routeDomains(p object, key Text, r DoorRoute) {
	var custom list
	linked := len(r.Domains) == 0
	for _, t := range r.Domains {
		host := strings.ToLower(strings.TrimSuffix(t.Value, "."))
		id, ok := w.domains[host]
		switch {
		case host == "endpoint":
			linked = true
		case ok:
			custom = append(custom, ref(id))
		default:
			known := append(w.d.spec.Domains.Keys(), "endpoint")
			w.b.problem(t.Pos, suggestion(t.Value, known, "declare it under domains, or write endpoint for its own name"), "front door %s has no domain %q", w.d.name, t.Value)
		}
	}
	if len(r.Domains) == 0 {
		for _, e := range w.d.spec.Domains {
			if id, ok := w.domains[strings.ToLower(strings.TrimSuffix(e.Key.Value, "."))]; ok {
				custom = append(custom, ref(id))
			}
		}
	}
	p["linkToDefaultDomain"] = status(linked)
	if custom != nil {
		p["customDomains"] = custom
	}
}

// groupNamed resolves the name of an origin group, or the only one there is.
func (w *doorWriter) groupNamed(t Text, pos model.Pos) (model.ID, bool) {
	names := w.d.spec.OriginGroups.Keys()
	switch {
	case !t.IsSet() && len(names) == 1:
		return w.d.id.Child("originGroups", names[0]), true
	case !t.IsSet():
		if len(names) > 1 {
			w.b.problem(pos, "add origin-group: NAME", "front door %s has %d origin groups, and none is named", w.d.name, len(names))
		}
		return model.ID{}, false // none at all is told
	}
	for _, n := range names {
		if strings.EqualFold(n, t.Value) {
			return w.d.id.Child("originGroups", n), true
		}
	}
	w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under origin-groups"), "front door %s has no origin group %q", w.d.name, t.Value)
	return model.ID{}, false
}

func (w *doorWriter) cache(c *DoorCache) object {
	query := w.b.oneOf("query", c.Query, "ignore", map[string]string{
		"ignore": "IgnoreQueryString", "use": "UseQueryString", "ignore-some": "IgnoreSpecifiedQueryStrings", "use-some": "IncludeSpecifiedQueryStrings",
	})
	out := object{"queryStringCachingBehavior": query}
	some := strings.Contains(query, "Specified")
	if some != (len(c.Names) > 0) {
		w.b.problem(placeOr(c.Query.Pos, c.Pos), "write names: [NAME] with ignore-some and use-some, and with these only", "the parameters of a query that count are not clear")
	}
	if some {
		out["queryParameters"] = strings.ReplaceAll(c.Names.Join(), ", ", ",")
	}
	if len(c.Types) > 0 && !c.Compress.Or(false) {
		w.b.problem(c.Types[0].Pos, "add compress: true", "types are of what is compressed")
	}
	if c.Compress.Or(false) {
		settings := object{"isCompressionEnabled": true}
		types := list{}
		for _, t := range c.Types {
			if !strings.Contains(t.Value, "/") {
				w.b.problem(t.Pos, "write one like text/html", "%q is no type of content", t.Value)
			}
			types = append(types, t.Value)
		}
		if len(types) > 0 {
			settings["contentTypesToCompress"] = types
		}
		out["compressionSettings"] = settings
	}
	return out
}

func (w *doorWriter) ruleSet(key Text, rules []DoorRule) {
	b := w.b
	if !doorSetName.MatchString(key.Value) {
		b.problem(key.Pos, "use letters and digits, a letter first", "%q is not a name for a rule set", key.Value)
		return
	}
	id := w.d.id.Child("ruleSets", key.Value)
	b.emit(id, object{"properties": object{}}, key.Pos, nil)
	taken := map[string]model.Pos{}
	for i := range rules {
		r := &rules[i]
		switch {
		case !r.Name.IsSet():
			b.problem(r.Pos, "add name: NAME", "a rule of rule set %s has no name", key.Value)
			continue
		case !doorSetName.MatchString(r.Name.Value):
			b.problem(r.Name.Pos, "use letters and digits, a letter first", "%q is not a name for a rule", r.Name.Value)
			continue
		case !b.claimName(taken, r.Name, "rule"):
			continue
		}
		at := map[string]model.Pos{}
		p := object{"order": number(i + 1), "matchProcessingBehavior": map[bool]string{true: "Stop", false: "Continue"}[r.Stop.Or(false)]}
		conditions, actions := list{}, list{}
		for j := range r.When {
			at[fmt.Sprintf("/properties/conditions/%d", j)] = r.When[j].Pos
			conditions = append(conditions, w.condition(&r.When[j]))
		}
		for j := range r.Do {
			if a, ok := w.action(&r.Do[j]); ok {
				at[fmt.Sprintf("/properties/actions/%d", len(actions))] = r.Do[j].Pos
				actions = append(actions, a)
			}
		}
		if len(r.Do) == 0 {
			b.problem(r.Name.Pos, "add do: [{...}]", "rule %s does nothing", r.Name.Value)
		}
		p["conditions"], p["actions"] = conditions, actions
		b.emit(id.Child("rules", r.Name.Value), object{"properties": p}, r.Name.Pos, at)
	}
}

// doorVariables are what conditions compare ("Rules engine match conditions").
var doorVariables = []string{
	"ClientPort", "Cookies", "HostName", "HttpVersion", "IsDevice", "PostArgs", "QueryString", "RemoteAddress", "RequestBody", "RequestHeader",
	"RequestMethod", "RequestScheme", "RequestUri", "ServerPort", "SocketAddr", "SslProtocol", "UrlFileExtension", "UrlFileName", "UrlPath",
}

var doorOperators = []string{
	"Any", "Equal", "Contains", "BeginsWith", "EndsWith", "RegEx", "IPMatch", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual",
}

func (w *doorWriter) condition(c *DoorCondition) object {
	b := w.b
	if !slices.Contains(doorVariables, c.Variable.Value) {
		b.problem(placeOr(c.Variable.Pos, c.Pos), suggestion(c.Variable.Value, doorVariables, "write one of "+strings.Join(doorVariables, ", ")), "there is no part of a request called %q", c.Variable.Value)
	}
	operator := c.Operator.Or("Equal", c.Pos)
	if !slices.Contains(doorOperators, operator.Value) {
		b.problem(operator.Pos, suggestion(operator.Value, doorOperators, ""), "there is no operator %q", operator.Value)
	}
	if len(c.Values) == 0 && operator.Value != "Any" {
		b.problem(c.Pos, "add values: [VALUE]", "%s needs something to compare with", operator.Value)
	}
	p := object{
		"typeName": "DeliveryRule" + c.Variable.Value + "ConditionParameters", "operator": operator.Value,
		"negateCondition": c.Not.Or(false), "matchValues": textList(c.Values), "transforms": textList(c.Transforms),
	}
	if c.Selector.IsSet() {
		p["selector"] = c.Selector.Value
	}
	return object{"name": c.Variable.Value, "parameters": p}
}

func textList(ts Texts) list {
	out := list{}
	for _, t := range ts {
		out = append(out, t.Value)
	}
	return out
}

// action is the document of one thing that a rule does; several in one are a
// problem.
func (w *doorWriter) action(a *DoorAction) (object, bool) {
	b := w.b
	var out []object
	header := func(kind string, h *DoorHeader) {
		if h == nil {
			return
		}
		if !h.Name.IsSet() {
			b.problem(h.Pos, "add name: HEADER", "a header has no name")
		}
		out = append(out, object{"name": kind, "parameters": object{
			"typeName": "DeliveryRuleHeaderActionParameters", "headerName": h.Name.Value, "value": h.Value.Value,
			"headerAction": b.oneOf("action", h.Action, "overwrite", map[string]string{"append": "Append", "overwrite": "Overwrite", "delete": "Delete"}),
		}})
	}
	header("ModifyRequestHeader", a.RequestHeader)
	header("ModifyResponseHeader", a.ResponseHeader)
	if r := a.Redirect; r != nil {
		kind, ok := map[int]string{301: "Moved", 302: "Found", 307: "TemporaryRedirect", 308: "PermanentRedirect"}[r.Status.Or(302)]
		if !ok {
			b.problem(r.Status.Pos, "write 301, 302, 307 or 308", "%d is no status of a redirect", r.Status.Value)
		}
		p := object{
			"typeName": "DeliveryRuleUrlRedirectActionParameters", "redirectType": kind,
			"destinationProtocol": b.oneOf("protocol", r.Protocol, "match", map[string]string{"http": "Http", "https": "Https", "match": "MatchRequest"}),
		}
		for key, t := range map[string]Text{"customHostname": r.Host, "customPath": r.Path, "customQueryString": r.Query} {
			if t.IsSet() {
				p[key] = t.Value
			}
		}
		out = append(out, object{"name": "UrlRedirect", "parameters": p})
	}
	if r := a.Rewrite; r != nil {
		for _, t := range []Text{r.Source, r.Destination} {
			if !strings.HasPrefix(t.Value, "/") {
				b.problem(placeOr(t.Pos, r.Pos), "write /"+t.Value, "the path %q does not begin with /", t.Value)
			}
		}
		out = append(out, object{"name": "UrlRewrite", "parameters": object{
			"typeName": "DeliveryRuleUrlRewriteActionParameters", "sourcePattern": r.Source.Value, "destination": r.Destination.Value,
			"preserveUnmatchedPath": r.KeepRest.Or(true),
		}})
	}
	if a.OriginGroup.IsSet() {
		id, ok := w.groupNamed(a.OriginGroup, a.Pos)
		if !ok {
			return nil, false
		}
		out = append(out, object{"name": "RouteConfigurationOverride", "parameters": object{
			"typeName": "DeliveryRuleRouteConfigurationOverrideActionParameters", "originGroupOverride": object{"originGroup": ref(id)},
		}})
	}
	if len(out) != 1 {
		b.problem(a.Pos, "write one of request-header, response-header, redirect, rewrite and origin-group", "an action does %d things", len(out))
		return nil, false
	}
	return out[0], true
}
