package appgateway

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// firewallNamed returns the name of a web application firewall policy in the
// configuration, read on first use.
func (c *converter) firewallNamed(ref *wire.Ref) string {
	if ref == nil {
		return ""
	}
	name := last(ref.ID)
	if slices.ContainsFunc(c.config.Firewalls, func(f gateway.Firewall) bool { return f.Policy.Name == name }) {
		return name
	}
	r, ok := (*model.Resource)(nil), false
	if c.source.Resource != nil {
		r, ok = c.source.Resource(ref.ID)
	}
	if !ok {
		c.problem("/properties/firewallPolicy", "web application firewall policy %s is not among the resources", name)
		return ""
	}
	var v wafView
	if err := wire.Decode(r.Doc, &v); err != nil {
		c.problems = append(c.problems, gateway.Problem{Place: placeIn(r, ""), Text: err.Error()})
		return ""
	}
	w := &listener{heard: heardOfFirewalls, tell: func(pointer, format string, args ...any) {
		c.findings = append(c.findings, Finding{Place: placeIn(r, pointer), Pointer: pointer, What: fmt.Sprintf("policy "+name+": "+format, args...)})
	}}
	w.object("", "", r.Doc)
	c.config.Firewalls = append(c.config.Firewalls, gateway.Firewall{Place: placeIn(r, ""), Policy: v.policy(name, w.tell)})
	return name
}

// wafView is Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies.
type wafView struct {
	Properties struct {
		Settings *struct {
			State          string `json:"state"`
			Mode           string `json:"mode"`
			BodyCheck      *bool  `json:"requestBodyCheck"`
			InspectLimit   int    `json:"requestBodyInspectLimitInKB"`
			Enforcement    *bool  `json:"requestBodyEnforcement"`
			MaxBody        int    `json:"maxRequestBodySizeInKb"`
			MaxUpload      int    `json:"fileUploadLimitInMb"`
			UploadEnforced *bool  `json:"fileUploadEnforcement"`
			BlockStatus    int    `json:"customBlockResponseStatusCode"`
			BlockBody      string `json:"customBlockResponseBody"`
		} `json:"policySettings"`
		Custom []struct {
			Name      string `json:"name"`
			Priority  int    `json:"priority"`
			State     string `json:"state"`
			Type      string `json:"ruleType"`
			Duration  string `json:"rateLimitDuration"`
			Threshold int    `json:"rateLimitThreshold"`
			Action    string `json:"action"`
			Sessions  []struct {
				By []struct {
					Variable string `json:"variableName"`
				} `json:"groupByVariables"`
			} `json:"groupByUserSession"`
			Conditions []struct {
				Variables []struct {
					Name     string `json:"variableName"`
					Selector string `json:"selector"`
				} `json:"matchVariables"`
				Operator   string   `json:"operator"`
				Negate     bool     `json:"negationConditon"` // Azure's spelling
				Values     []string `json:"matchValues"`
				Transforms []string `json:"transforms"`
			} `json:"matchConditions"`
		} `json:"customRules"`
		Managed struct {
			Sets []struct {
				Type      string         `json:"ruleSetType"`
				Version   string         `json:"ruleSetVersion"`
				Overrides []wafOverrides `json:"ruleGroupOverrides"`
			} `json:"managedRuleSets"`
			Exclusions []struct {
				Variable string `json:"matchVariable"`
				Operator string `json:"selectorMatchOperator"`
				Selector string `json:"selector"`
				Sets     []struct {
					Groups []struct {
						Name  string `json:"ruleGroupName"`
						Rules []struct {
							ID string `json:"ruleId"`
						} `json:"rules"`
					} `json:"ruleGroups"`
				} `json:"exclusionManagedRuleSets"`
			} `json:"exclusions"`
		} `json:"managedRules"`
	} `json:"properties"`
}

type wafOverrides struct {
	Group string `json:"ruleGroupName"`
	Rules []struct {
		ID     string `json:"ruleId"`
		State  string `json:"state"`
		Action string `json:"action"`
	} `json:"rules"`
}

var heardOfFirewalls = pathsOf(map[string]string{
	"":                          "id name type etag location tags",
	"properties":                "provisioningState resourceState applicationGateways httpListeners pathBasedRules",
	"properties.policySettings": "state mode requestBodyCheck requestBodyInspectLimitInKB requestBodyEnforcement maxRequestBodySizeInKb fileUploadLimitInMb fileUploadEnforcement customBlockResponseStatusCode customBlockResponseBody",
	"properties.customRules":    "name priority state ruleType rateLimitDuration rateLimitThreshold action",
	"properties.customRules.groupByUserSession.groupByVariables":                   "variableName",
	"properties.customRules.matchConditions":                                       "operator negationConditon matchValues transforms",
	"properties.customRules.matchConditions.matchVariables":                        "variableName selector",
	"properties.managedRules.managedRuleSets":                                      "ruleSetType ruleSetVersion",
	"properties.managedRules.managedRuleSets.ruleGroupOverrides":                   "ruleGroupName",
	"properties.managedRules.managedRuleSets.ruleGroupOverrides.rules":             "ruleId state action",
	"properties.managedRules.exclusions":                                           "matchVariable selectorMatchOperator selector",
	"properties.managedRules.exclusions.exclusionManagedRuleSets":                  "ruleSetType ruleSetVersion",
	"properties.managedRules.exclusions.exclusionManagedRuleSets.ruleGroups":       "ruleGroupName",
	"properties.managedRules.exclusions.exclusionManagedRuleSets.ruleGroups.rules": "ruleId",
})

func (v *wafView) policy(name string, tell func(pointer, format string, args ...any)) waf.Policy {
	p := waf.Policy{Name: name, Mode: waf.Detection}
	if s := v.Properties.Settings; s != nil {
		p.Disabled = !strings.EqualFold(s.State, "Enabled")
		if strings.EqualFold(s.Mode, "Prevention") {
			p.Mode = waf.Prevention
		}
		off := func(b *bool) bool { return b != nil && !*b }
		p.NoBody, p.AnyBody, p.AnyUpload = off(s.BodyCheck), off(s.Enforcement), off(s.UploadEnforced)
		p.InspectLimit, p.MaxBody, p.MaxUpload = int64(s.InspectLimit)<<10, int64(s.MaxBody)<<10, int64(s.MaxUpload)<<20
		p.BlockStatus, p.BlockBody = s.BlockStatus, s.BlockBody
		if b, err := base64.StdEncoding.DecodeString(s.BlockBody); err == nil && s.BlockBody != "" {
			p.BlockBody = string(b)
		}
	} else {
		p.Disabled = true
		tell("/properties/policySettings", "without settings it is disabled")
	}
	for i := range v.Properties.Custom {
		x := &v.Properties.Custom[i]
		r := waf.Rule{Name: x.Name, Priority: x.Priority, Disabled: strings.EqualFold(x.State, "Disabled"), Action: waf.Action(x.Action)}
		if strings.EqualFold(x.Type, "RateLimitRule") {
			r.Rate = &waf.Rate{Threshold: x.Threshold, Minutes: 1, By: "ClientAddr"}
			if strings.EqualFold(x.Duration, "FiveMins") {
				r.Rate.Minutes = 5
			}
			for _, s := range x.Sessions {
				for _, by := range s.By {
					r.Rate.By = by.Variable
				}
			}
		}
		for _, k := range x.Conditions {
			cond := waf.Condition{Operator: k.Operator, Negate: k.Negate, Values: k.Values, Transforms: k.Transforms}
			for _, y := range k.Variables {
				cond.Variables = append(cond.Variables, waf.Variable{Name: y.Name, Selector: y.Selector})
			}
			r.Conditions = append(r.Conditions, cond)
		}
		p.Custom = append(p.Custom, r)
	}
	for i, s := range v.Properties.Managed.Sets {
		if stands := waf.StandsFor(s.Type, s.Version); stands == "" {
			tell(fmt.Sprintf("/properties/managedRules/managedRuleSets/%d", i), "managed rules %s %s are not here: they look at nothing", s.Type, s.Version)
			continue
		} else if !strings.HasPrefix(stands, s.Type+" CRS "+s.Version) {
			tell(fmt.Sprintf("/properties/managedRules/managedRuleSets/%d", i), "for managed rules %s %s stand those of %s", s.Type, s.Version, stands)
		}
		set := waf.RuleSet{Type: s.Type, Version: s.Version}
		for _, g := range s.Overrides {
			if len(g.Rules) == 0 {
				set.Overrides = append(set.Overrides, waf.Override{Group: g.Group, Disabled: true})
			}
			for _, r := range g.Rules {
				id, _ := strconv.Atoi(r.ID)
				set.Overrides = append(set.Overrides, waf.Override{Group: g.Group, Rule: id, Disabled: !strings.EqualFold(r.State, "Enabled"), Action: waf.Action(r.Action)})
			}
		}
		p.Managed = append(p.Managed, set)
	}
	for _, e := range v.Properties.Managed.Exclusions {
		x := waf.Exclusion{Variable: e.Variable, Operator: e.Operator, Selector: e.Selector}
		for _, s := range e.Sets {
			for _, g := range s.Groups {
				if len(g.Rules) == 0 {
					x.Groups = append(x.Groups, g.Name)
				}
				for _, r := range g.Rules {
					if id, err := strconv.Atoi(r.ID); err == nil {
						x.Rules = append(x.Rules, id)
					}
				}
			}
		}
		p.Exclusions = append(p.Exclusions, x)
	}
	return p
}
