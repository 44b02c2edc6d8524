package appgateway

import (
	"errors"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
)

// policies adds what no property of the resource holds, by rule and path.
func (c *converter) policies() {
	for _, p := range c.source.Policies {
		i := slices.IndexFunc(c.config.Rules, func(r gateway.Rule) bool { return strings.EqualFold(r.Name, p.Rule) })
		if i < 0 {
			c.add(p.Pos, "application gateway %s has no rule %q", c.config.Name, p.Rule)
			continue
		}
		rule := &c.config.Rules[i]
		action := &rule.Default
		if p.Path != "" {
			j := slices.IndexFunc(rule.Paths, func(x gateway.PathRule) bool { return strings.EqualFold(x.Name, p.Path) })
			if j < 0 {
				c.add(p.Pos, "rule %s has no path %q", rule.Name, p.Path)
				continue
			}
			action = &rule.Paths[j].Action
		}
		policy, err := gateway.PolicyOf(p.Doc, func(pointer string) gateway.Place {
			for q := pointer; q != ""; q = q[:strings.LastIndexByte(q, '/')] {
				if pos, ok := p.At[q]; ok {
					return gateway.Place(pos.String())
				}
			}
			return gateway.Place(p.Pos.String())
		})
		var wrong gateway.Problems
		if errors.As(err, &wrong) {
			c.problems = append(c.problems, wrong...)
			continue
		}
		action.Policy = policy
	}
}

func (c *converter) add(pos model.Pos, format string, args ...any) {
	before := len(c.problems)
	c.problem("", format, args...)
	c.problems[before].Place = gateway.Place(pos.String())
}
