package gateway

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

type firewallDoc struct {
	Name       string
	Mode       string
	Disabled   bool
	Paranoia   int
	Responses  bool
	Managed    []ruleSetDoc
	Exclusions []exclusionDoc
	Custom     []customDoc
	Body       *bodyDoc
	Block      *blockDoc
}

type ruleSetDoc struct {
	Type, Version string
	Overrides     []overrideDoc
}

type overrideDoc struct {
	Group    string
	Rule     int
	Disabled bool
	Action   string
}

type exclusionDoc struct {
	Variable, Operator, Selector string
	Groups                       []string
	Rules                        []int
}

type customDoc struct {
	Name     string
	Priority int
	Disabled bool
	Action   string
	Rate     *wafRateDoc
	When     []wafConditionDoc
}

type wafRateDoc struct {
	Threshold, Minutes int
	By                 string
}

type wafConditionDoc struct {
	Variables  []string
	Operator   string
	Not        bool
	Values     []string
	Transforms []string
}

type bodyDoc struct {
	Inspect, Max, Upload string
	Ignore               bool
	AnySize              bool `yaml:"anySize"`
}

type blockDoc struct {
	Status int
	Page   string
}

func (b *builder) firewall(l *located[firewallDoc]) Firewall {
	d, at := &l.doc, l.at
	p := waf.Policy{
		Name: d.Name, Mode: waf.Mode(d.Mode), Disabled: d.Disabled, Paranoia: d.Paranoia, Responses: d.Responses,
	}
	if p.Mode == "" {
		p.Mode = waf.Prevention
	}
	if x := d.Body; x != nil {
		size := func(what, s string) int64 {
			if s == "" {
				return 0
			}
			n, err := bytesOf(s)
			if err != nil {
				b.add(at, "WAF policy %s: body: %s: %v", d.Name, what, err)
			}
			return n
		}
		p.InspectLimit, p.MaxBody, p.MaxUpload = size("inspect", x.Inspect), size("max", x.Max), size("upload", x.Upload)
		p.NoBody, p.AnyBody, p.AnyUpload = x.Ignore, x.AnySize, x.AnySize
	}
	if x := d.Block; x != nil {
		p.BlockStatus, p.BlockBody = x.Status, x.Page
	}
	for _, m := range d.Managed {
		s := waf.RuleSet{Type: m.Type, Version: m.Version}
		for _, o := range m.Overrides {
			s.Overrides = append(s.Overrides, waf.Override{Group: o.Group, Rule: o.Rule, Disabled: o.Disabled, Action: waf.Action(o.Action)})
		}
		p.Managed = append(p.Managed, s)
	}
	for _, x := range d.Exclusions {
		p.Exclusions = append(p.Exclusions, waf.Exclusion(x))
	}
	for _, c := range d.Custom {
		r := waf.Rule{Name: c.Name, Priority: c.Priority, Disabled: c.Disabled, Action: waf.Action(c.Action)}
		if c.Rate != nil {
			rate := waf.Rate(*c.Rate)
			if rate.By == "" {
				rate.By = "ClientAddr"
			}
			if rate.Minutes == 0 {
				rate.Minutes = 1
			}
			r.Rate = &rate
		}
		for _, w := range c.When {
			x := waf.Condition{Operator: w.Operator, Negate: w.Not, Values: w.Values, Transforms: w.Transforms}
			for _, v := range w.Variables {
				name, selector, _ := strings.Cut(v, ":")
				x.Variables = append(x.Variables, waf.Variable{Name: name, Selector: selector})
			}
			r.Conditions = append(r.Conditions, x)
		}
		p.Custom = append(p.Custom, r)
	}
	return Firewall{Place: b.place(at), Policy: p}
}
