package waf

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// Check reports everything wrong with a policy, as [Problems].
func (p *Policy) Check(o Options) error {
	var out Problems
	what := "WAF policy " + p.Name
	if p.Name == "" {
		out.add("a WAF policy needs a name")
	}
	if p.Mode != Detection && p.Mode != Prevention {
		out.add("%s: mode %q; use Detection or Prevention", what, p.Mode)
	}
	if p.Paranoia < 0 || p.Paranoia > 4 {
		out.add("%s: paranoia level %d; use 1 to 4", what, p.Paranoia)
	}
	for _, l := range []struct {
		name string
		is   int64
		low  int64
		most int64
	}{{"inspection limit", p.InspectLimit, 8 << 10, maxBody}, {"body limit", p.MaxBody, 8 << 10, maxBody}, {"upload limit", p.MaxUpload, 1 << 20, maxUpload}} {
		if l.is != 0 && (l.is < l.low || l.is > l.most) {
			out.add("%s: %s of %d bytes; use %d to %d", what, l.name, l.is, l.low, l.most)
		}
	}
	if p.BlockStatus != 0 && !slices.Contains([]int{200, 403, 405, 406, 429, 990, 991, 992, 993, 994, 995, 996, 997, 998, 999}, p.BlockStatus) {
		out.add("%s: block status %d; use 200, 403, 405, 406, 429 or 990 to 999", what, p.BlockStatus)
	}
	if len(p.BlockBody) > 32<<10 {
		out.add("%s: the block page is larger than 32 KiB", what)
	}
	p.checkCustom(&out, what, o)
	p.checkManaged(&out, what)
	if len(out) > 0 {
		return out
	}
	return nil
}

func (p *Policy) checkCustom(out *Problems, what string, o Options) {
	if len(p.Custom) > maxCustom {
		out.add("%s: %d custom rules; %d is the most", what, len(p.Custom), maxCustom)
	}
	names, priorities := map[string]bool{}, map[int]string{}
	for i := range p.Custom {
		r := &p.Custom[i]
		rule := what + ", custom rule " + r.Name
		if r.Name == "" || names[r.Name] {
			out.add("%s: a custom rule needs a name of its own, not %q", what, r.Name)
		}
		names[r.Name] = true
		if r.Priority < 1 || r.Priority > maxPriority {
			out.add("%s: priority %d; use 1 to %d", rule, r.Priority, maxPriority)
		} else if other, twice := priorities[r.Priority]; twice {
			out.add("%s: priority %d, as rule %s", rule, r.Priority, other)
		}
		priorities[r.Priority] = r.Name
		switch r.Action {
		case Allow, Block, Log:
		case "JSChallenge", "CAPTCHA":
			out.add("%s: action %s needs Azure's own pages, which are not here; use Allow, Block or Log", rule, r.Action)
		default:
			out.add("%s: action %q; use Allow, Block or Log", rule, r.Action)
		}
		if l := r.Rate; l != nil {
			if r.Action == Allow {
				out.add("%s: a rate limit that allows what is beyond it", rule)
			}
			if l.Threshold < 1 || l.Threshold > 5000 {
				out.add("%s: rate of %d requests; use 1 to 5000", rule, l.Threshold)
			}
			if l.Minutes != 1 && l.Minutes != 5 {
				out.add("%s: a rate in %d minutes; use 1 or 5", rule, l.Minutes)
			}
			if !slices.Contains([]string{"ClientAddr", "ClientAddrXFFHeader", "None"}, l.By) {
				out.add("%s: a rate by %q; use ClientAddr, ClientAddrXFFHeader or None", rule, l.By)
			}
		}
		if len(r.Conditions) == 0 {
			out.add("%s has no condition", rule)
		}
		for j := range r.Conditions {
			checkCondition(out, rule, &r.Conditions[j], o)
		}
	}
}

func checkCondition(out *Problems, rule string, c *Condition, o Options) {
	if len(c.Variables) == 0 {
		out.add("%s: a condition needs a variable", rule)
	}
	for _, v := range c.Variables {
		selectable, known := variables[v.Name]
		switch {
		case !known:
			out.add("%s: no variable %q; use RemoteAddr, RequestMethod, QueryString, PostArgs, RequestUri, RequestHeaders, RequestBody or RequestCookies", rule, v.Name)
		case v.Selector != "" && !selectable:
			out.add("%s: %s takes no selector", rule, v.Name)
		case v.Name == "RequestHeaders" && v.Selector != "" && !httpguts.ValidHeaderFieldName(v.Selector):
			out.add("%s: %q is no name of a header", rule, v.Selector)
		case (c.Operator == "IPMatch" || c.Operator == "GeoMatch") && v.Name != "RemoteAddr" && v.Name != "RequestHeaders":
			out.add("%s: %s compares addresses: use RemoteAddr or a header", rule, c.Operator)
		}
	}
	for _, t := range c.Transforms {
		if transforms[t] == nil {
			out.add("%s: no transform %q; use Lowercase, Uppercase, Trim, UrlDecode, UrlEncode, RemoveNulls or HtmlEntityDecode", rule, t)
		}
	}
	if len(c.Values) > maxValues {
		out.add("%s: %d values; %d is the most", rule, len(c.Values), maxValues)
	}
	if len(c.Values) == 0 && c.Operator != "Any" {
		out.add("%s: %s needs a value", rule, c.Operator)
	}
	switch c.Operator {
	case "Any", "Equal", "Contains", "BeginsWith", "EndsWith":
	case "Regex":
		for _, v := range c.Values {
			if _, err := regexp.Compile(v); err != nil {
				out.add("%s: %q: %v", rule, v, err)
			}
		}
	case "IPMatch":
		for _, v := range c.Values {
			if _, err := parsePrefix(v); err != nil {
				out.add("%s: %q is no address or prefix", rule, v)
			}
		}
	case "GeoMatch":
		if o.Country == nil {
			out.add("%s: GeoMatch: where addresses are is not known here; use IPMatch with the countries' prefixes", rule)
		}
	case "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
		for _, v := range c.Values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				out.add("%s: %s %q is no whole number", rule, c.Operator, v)
			}
		}
	default:
		out.add("%s: no operator %q; use IPMatch, Equal, Contains, BeginsWith, EndsWith, Regex, GeoMatch, LessThan, LessThanOrEqual, GreaterThan, GreaterThanOrEqual or Any", rule, c.Operator)
	}
}

// parsePrefix reads an address or a prefix.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func (p *Policy) checkManaged(out *Problems, what string) {
	if len(p.Managed) > 1 {
		out.add("%s: %d managed rule sets; one is the most: all of them stand for the same rules here", what, len(p.Managed))
	}
	rules, err := coreRules()
	if err != nil {
		out.add("%s: %v", what, err)
		return
	}
	for i := range p.Managed {
		s := &p.Managed[i]
		if StandsFor(s.Type, s.Version) == "" {
			out.add("%s: managed rule set %s %s is not here; use OWASP 4.25, or one of Azure's that it stands for: %s", what, s.Type, s.Version, named())
		}
		for _, v := range s.Overrides {
			switch {
			case v.Group != "" && rules.group(v.Group) == "":
				out.add("%s: override: no rule group %q", what, v.Group)
			case v.Rule != 0 && rules.byID[v.Rule] == nil:
				out.add("%s: override: no managed rule %d", what, v.Rule)
			case v.Rule != 0 && v.Group != "" && rules.byID[v.Rule].group != rules.group(v.Group):
				out.add("%s: override: rule %d is of group %s, not %s", what, v.Rule, rules.byID[v.Rule].group, v.Group)
			case v.Group == "" && v.Rule == 0:
				out.add("%s: an override needs a group or a rule", what)
			}
			if v.Rule != 0 && rules.byID[v.Rule] != nil && !rules.byID[v.Rule].detects {
				out.add("%s: rule %d is mandatory: it cannot be changed", what, v.Rule)
			}
			if !slices.Contains([]Action{"", AnomalyScoring, Allow, Block, Log}, v.Action) {
				out.add("%s: override: action %q; use AnomalyScoring, Allow, Block or Log", what, v.Action)
			}
		}
	}
	for i := range p.Exclusions {
		x := &p.Exclusions[i]
		if targets[x.Variable] == nil {
			out.add("%s: exclusion: no variable %q; use RequestHeader, RequestCookie or RequestArg with Names, Keys or Values", what, x.Variable)
		}
		switch x.Operator {
		case "Equals", "StartsWith", "EndsWith", "Contains":
			if x.Selector == "" {
				out.add("%s: exclusion: %s needs a selector", what, x.Operator)
			}
		case "EqualsAny":
		default:
			out.add("%s: exclusion: operator %q; use Equals, StartsWith, EndsWith, Contains or EqualsAny", what, x.Operator)
		}
		for _, g := range x.Groups {
			if rules.group(g) == "" {
				out.add("%s: exclusion: no rule group %q", what, g)
			}
		}
		for _, id := range x.Rules {
			if r := rules.byID[id]; r == nil {
				out.add("%s: exclusion: no managed rule %d", what, id)
			}
		}
	}
}
