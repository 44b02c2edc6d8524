package frontdoor

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

type securityPolicyView struct {
	Properties struct {
		Parameters struct {
			Type         string    `json:"type"`
			Policy       *wire.Ref `json:"wafPolicy"`
			Associations []struct {
				Domains  []wire.Ref `json:"domains"`
				Patterns []string   `json:"patternsToMatch"`
			} `json:"associations"`
		} `json:"parameters"`
	} `json:"properties"`
}

// firewallView is Microsoft.Network/frontDoorWebApplicationFirewallPolicies.
type firewallView struct {
	Properties struct {
		Settings *struct {
			State       string `json:"enabledState"`
			Mode        string `json:"mode"`
			RedirectURL string `json:"redirectUrl"`
			Status      int    `json:"customBlockResponseStatusCode"`
			Body        string `json:"customBlockResponseBody"`
			BodyCheck   string `json:"requestBodyCheck"`
		} `json:"policySettings"`
		Custom struct {
			Rules []firewallRule `json:"rules"`
		} `json:"customRules"`
		Managed struct {
			Sets []struct {
				Type       string              `json:"ruleSetType"`
				Version    string              `json:"ruleSetVersion"`
				Action     string              `json:"ruleSetAction"`
				Exclusions []firewallExclusion `json:"exclusions"`
				Overrides  []struct {
					Group      string              `json:"ruleGroupName"`
					Exclusions []firewallExclusion `json:"exclusions"`
					Rules      []struct {
						ID         string              `json:"ruleId"`
						State      string              `json:"enabledState"`
						Action     string              `json:"action"`
						Exclusions []firewallExclusion `json:"exclusions"`
					} `json:"rules"`
				} `json:"ruleGroupOverrides"`
			} `json:"managedRuleSets"`
		} `json:"managedRules"`
	} `json:"properties"`
}

type firewallRule struct {
	Name       string `json:"name"`
	Priority   int    `json:"priority"`
	State      string `json:"enabledState"`
	Type       string `json:"ruleType"`
	Minutes    int    `json:"rateLimitDurationInMinutes"`
	Threshold  int    `json:"rateLimitThreshold"`
	Action     string `json:"action"`
	Conditions []struct {
		Variable   string   `json:"matchVariable"`
		Selector   string   `json:"selector"`
		Operator   string   `json:"operator"`
		Negate     bool     `json:"negateCondition"`
		Values     []string `json:"matchValue"`
		Transforms []string `json:"transforms"`
	} `json:"matchConditions"`
}

type firewallExclusion struct {
	Variable string `json:"matchVariable"`
	Operator string `json:"selectorMatchOperator"`
	Selector string `json:"selector"`
}

// firewalls makes those that security policies give to domains.
func (c *converter) firewalls() {
	for _, r := range c.of(model.TypeSecurityPolicy) {
		var v securityPolicyView
		if !c.decode(r, &v) {
			continue
		}
		p := &v.Properties.Parameters
		const at = "/properties/parameters/wafPolicy"
		if p.Policy == nil || c.named(r, at, p.Policy, model.TypeDoorWAFPolicy) == "" {
			if p.Policy == nil {
				c.problem(r, at, "security policy %s names no web application firewall policy", r.ID.Name())
			}
			continue
		}
		f, ok := c.firewall(c.byKey[strings.ToLower(p.Policy.ID)])
		if !ok {
			continue
		}
		for i, a := range p.Associations {
			for _, pattern := range a.Patterns {
				if pattern != "/*" {
					c.finding(r, fmt.Sprintf("/properties/parameters/associations/%d", i), "security policy %s is for every path of its domains, not only %s", r.ID.Name(), pattern)
				}
			}
			for j := range a.Domains {
				hosts := c.hosts[strings.ToLower(a.Domains[j].ID)]
				if len(hosts) == 0 {
					c.problem(r, fmt.Sprintf("/properties/parameters/associations/%d/domains/%d", i, j), "there is no enabled domain %s", a.Domains[j].ID)
				}
				f.Domains = append(f.Domains, hosts...)
			}
		}
		if len(f.Domains) > 0 {
			c.config.Firewalls = append(c.config.Firewalls, f)
		}
	}
}

// Names that the firewall has for what documents call otherwise.
var (
	firewallVariables = map[string]string{"RequestHeader": "RequestHeaders", "Cookies": "RequestCookies", "SocketAddr": "RemoteAddr"}
	firewallOperators = map[string]string{"RegEx": "Regex"}
	firewallExcluded  = map[string]string{
		"QueryStringArgNames": "RequestArgNames", "RequestBodyPostArgNames": "RequestArgNames", "RequestBodyJsonArgNames": "RequestArgNames",
	}
)

func (c *converter) firewall(r *model.Resource) (f Firewall, ok bool) {
	var v firewallView
	if !c.decode(r, &v) {
		return f, false
	}
	name := r.ID.Name()
	f = Firewall{Policy: waf.Policy{Name: name, Mode: waf.Detection}, Place: placeIn(r, "")}
	if s := v.Properties.Settings; s != nil {
		f.Policy.Disabled = disabled(s.State)
		if strings.EqualFold(s.Mode, "Prevention") {
			f.Policy.Mode = waf.Prevention
		}
		f.RedirectTo, f.Policy.BlockStatus, f.Policy.BlockBody = s.RedirectURL, s.Status, s.Body
		if b, err := base64.StdEncoding.DecodeString(s.Body); err == nil && s.Body != "" {
			f.Policy.BlockBody = string(b)
		}
		f.Policy.NoBody = disabled(s.BodyCheck)
	}
	for i := range v.Properties.Custom.Rules {
		c.firewallRule(r, &f, i, &v.Properties.Custom.Rules[i])
	}
	renumber(f.Policy.Custom)
	for i, s := range v.Properties.Managed.Sets {
		at := fmt.Sprintf("/properties/managedRules/managedRuleSets/%d", i)
		stands := waf.StandsFor(s.Type, s.Version)
		if stands == "" {
			c.finding(r, at, "policy %s: managed rules %s %s are not here: they look at nothing", name, s.Type, s.Version)
			continue
		}
		c.finding(r, at, "policy %s: for managed rules %s %s stand those of %s", name, s.Type, s.Version, stands)
		set := waf.RuleSet{Type: s.Type, Version: s.Version}
		c.exclude(&f, s.Exclusions, "", 0)
		for _, g := range s.Overrides {
			c.exclude(&f, g.Exclusions, g.Group, 0)
			if len(g.Rules) == 0 && len(g.Exclusions) == 0 {
				set.Overrides = append(set.Overrides, waf.Override{Group: g.Group, Disabled: true})
			}
			for _, x := range g.Rules {
				id, _ := strconv.Atoi(x.ID)
				c.exclude(&f, x.Exclusions, g.Group, id)
				set.Overrides = append(set.Overrides, waf.Override{Group: g.Group, Rule: id, Disabled: disabled(x.State), Action: waf.Action(x.Action)})
			}
		}
		f.Policy.Managed = append(f.Policy.Managed, set)
	}
	return f, true
}

// renumber gives rules the numbers from 1 in their order, where some are above what
// the firewall takes: only their order counts.
func renumber(rules []waf.Rule) {
	if !slices.ContainsFunc(rules, func(r waf.Rule) bool { return r.Priority > 100 }) {
		return
	}
	slices.SortStableFunc(rules, func(a, b waf.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for i := range rules {
		rules[i].Priority = i + 1
	}
}

func (c *converter) exclude(f *Firewall, list []firewallExclusion, group string, rule int) {
	for _, e := range list {
		x := waf.Exclusion{Variable: or(firewallExcluded[e.Variable], e.Variable), Operator: e.Operator, Selector: e.Selector}
		switch {
		case rule != 0:
			x.Rules = []int{rule}
		case group != "":
			x.Groups = []string{group}
		}
		f.Policy.Exclusions = append(f.Policy.Exclusions, x)
	}
}

func (c *converter) firewallRule(r *model.Resource, f *Firewall, i int, x *firewallRule) {
	out := waf.Rule{Name: x.Name, Priority: x.Priority, Disabled: disabled(x.State), Action: waf.Action(x.Action)}
	if strings.EqualFold(x.Type, "RateLimitRule") {
		out.Rate = &waf.Rate{Threshold: x.Threshold, Minutes: or(x.Minutes, 1), By: "ClientAddr"}
	}
	for _, k := range x.Conditions {
		out.Conditions = append(out.Conditions, waf.Condition{
			Variables: []waf.Variable{{Name: or(firewallVariables[k.Variable], k.Variable), Selector: k.Selector}},
			Operator:  or(firewallOperators[k.Operator], k.Operator), Negate: k.Negate, Values: k.Values, Transforms: k.Transforms,
		})
	}
	at := fmt.Sprintf("/properties/customRules/rules/%d", i)
	switch out.Action {
	case waf.Allow, waf.Block, waf.Log:
	case redirectAction:
		f.Redirects = append(f.Redirects, x.Name)
		out.Action = waf.Block
		if f.RedirectTo == "" {
			c.problem(r, at, "rule %s redirects, and policySettings.redirectUrl says nowhere", x.Name)
		}
	default:
		c.finding(r, at, "rule %s: the action %s is not done: it only logs", x.Name, x.Action)
		out.Action = waf.Log
	}
	f.Policy.Custom = append(f.Policy.Custom, out)
}
