package frontdoor

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxRules bounds the rules of a rule set ("Azure Front Door limits": 100 rules
// per rule set).
const maxRules = 100

func (k *checker) ruleSet(s *RuleSet) {
	if len(s.Rules) > maxRules {
		k.add(s.Place, "rule set %s has %d rules; use at most %d", s.Name, len(s.Rules), maxRules)
	}
	seen := map[string]bool{}
	for i := range s.Rules {
		r := &s.Rules[i]
		what := "rule set " + s.Name + ", rule " + r.Name
		if r.Name == "" || seen[strings.ToLower(r.Name)] {
			k.add(r.Place, "rule set %s: a rule needs a name of its own, not %q", s.Name, r.Name)
		}
		seen[strings.ToLower(r.Name)] = true
		if len(r.Actions) == 0 {
			k.add(r.Place, "%s has no action", what)
		}
		for j := range r.Conditions {
			k.condition(what, &r.Conditions[j])
		}
		for j := range r.Actions {
			k.action(what, &r.Actions[j])
		}
	}
}

func (k *checker) condition(what string, x *Condition) {
	if variables[x.Variable] == nil {
		k.add(x.Place, "%s: there is no variable %q; use one of %s", what, x.Variable, strings.Join(Variables(), ", "))
	}
	if len(x.Values) == 0 && x.Operator != "Any" {
		k.add(x.Place, "%s: %s needs a value", what, x.Operator)
	}
	if selected[x.Variable] && x.Selector == "" {
		k.add(x.Place, "%s: %s needs a selector", what, x.Variable)
	}
	for _, t := range x.Transforms {
		if transforms[t] == nil {
			k.add(x.Place, "%s: there is no transform %q; use one of %s", what, t, strings.Join(slices.Sorted(maps.Keys(transforms)), ", "))
		}
	}
	switch x.Operator {
	case "Any", "Equal", "Contains", "BeginsWith", "EndsWith":
	case "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
		for _, v := range x.Values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				k.add(x.Place, "%s: %s compares numbers, which %q is not", what, x.Operator, v)
			}
		}
	case "RegEx":
		for _, v := range x.Values {
			if _, err := regexp.Compile(v); err != nil {
				k.add(x.Place, "%s: %q: %v", what, v, err)
			}
		}
	case "IPMatch":
		for _, v := range x.Values {
			if _, err := prefix(v); err != nil {
				k.add(x.Place, "%s: %q is no address or prefix", what, v)
			}
		}
	case "GeoMatch":
		k.add(x.Place, "%s: GeoMatch needs to know countries of addresses, which is not here", what)
	default:
		k.add(x.Place, "%s: there is no operator %q; use Any, Equal, Contains, BeginsWith, EndsWith, RegEx, IPMatch, LessThan, LessThanOrEqual, GreaterThan or GreaterThanOrEqual", what, x.Operator)
	}
}

func (k *checker) action(what string, a *Action) {
	if *a == (Action{Place: a.Place}) {
		k.add(a.Place, "%s: an action that does nothing", what)
	}
	for _, h := range []*HeaderAction{a.ModifyRequestHeader, a.ModifyResponseHeader} {
		if h == nil {
			continue
		}
		if h.Action != "Append" && h.Action != "Overwrite" && h.Action != "Delete" {
			k.add(a.Place, "%s: header action %q; use Append, Overwrite or Delete", what, h.Action)
		}
		if !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			k.add(a.Place, "%s: header %q: %q cannot be sent", what, h.Name, h.Value)
		}
	}
	if d := a.Redirect; d != nil {
		switch d.Status {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			k.add(a.Place, "%s: redirect status %d; use 301, 302, 307 or 308", what, d.Status)
		}
		switch d.Protocol {
		case "", "MatchRequest", "Http", "Https":
		default:
			k.add(a.Place, "%s: redirect protocol %q; use Http, Https or MatchRequest", what, d.Protocol)
		}
		if d.Path != "" && !strings.HasPrefix(d.Path, "/") {
			k.add(a.Place, "%s: the redirect path %q must begin with /", what, d.Path)
		}
	}
	if w := a.Rewrite; w != nil && (!strings.HasPrefix(w.Source, "/") || !strings.HasPrefix(w.Destination, "/")) {
		k.add(a.Place, "%s: a rewrite needs a source and a destination that begin with /", what)
	}
	if o := a.Override; o != nil {
		if o.Group != "" && !k.has("origin group", o.Group) {
			k.add(a.Place, "%s: there is no origin group %q%s", what, o.Group, k.near("origin group", o.Group))
		}
		k.forwarding(what, o.Forwarding, a.Place)
	}
}
