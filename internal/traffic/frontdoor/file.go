package frontdoor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// maxFile bounds the file of a profile, in bytes.
const maxFile = 4 << 20

type document struct {
	FrontDoor string `yaml:"frontDoor"`
	Edges     []struct {
		Name, Region, Address string
		Port                  uint16
	}
	OriginGroups []struct {
		Name               string
		Origins            []originDoc
		LatencySensitivity string `yaml:"latencySensitivity"`
		Samples            int
		Successful         int
		Affinity           bool
		Probe              *struct{ Path, Method, Interval string }
	} `yaml:"originGroups"`
	Routes []struct {
		Name       string
		Domains    []string
		Patterns   []string
		Group      string    `yaml:"originGroup"`
		OriginPath string    `yaml:"originPath"`
		Cache      *cacheDoc `yaml:"cache"`
		RuleSets   []string  `yaml:"ruleSets"`
		Disabled   bool
	}
	RuleSets []struct {
		Name  string
		Rules []ruleDoc
	} `yaml:"ruleSets"`
}

type originDoc struct {
	Name       string
	Host       string
	Port       uint16
	HostHeader string `yaml:"hostHeader"`
	Region     string
	Priority   int
	Weight     int
	Disabled   bool
}

type cacheDoc struct {
	Query    string
	Names    []string
	TTL      string `yaml:"ttl"`
	Override bool
}

type ruleDoc struct {
	Name  string
	Order int
	When  []struct {
		Variable, Selector, Operator string
		Not                          bool
		Values                       []string
		Transforms                   []string
	}
	Do   []actionDoc
	Stop bool
}

type actionDoc struct {
	RequestHeader  *headerDoc `yaml:"requestHeader"`
	ResponseHeader *headerDoc `yaml:"responseHeader"`
	Redirect       *struct {
		Status                              int
		Protocol, Host, Path, Query, Anchor string
	}
	Rewrite *struct {
		Source, Destination string
		KeepUnmatched       bool `yaml:"keepUnmatched"`
	}
	Override *struct {
		Group   string `yaml:"originGroup"`
		Cache   *cacheDoc
		NoCache bool `yaml:"noCache"`
	}
}

type headerDoc struct{ Action, Name, Value string }

// ReadFile reads a profile's file. What is wrong is told with the file's name, and
// with its line where it is no YAML or has what does not belong there.
func ReadFile(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse is ReadFile of a file's content; path says where it is from.
func Parse(path string, content []byte) (*Config, error) {
	var d document
	if err := yaml.UnmarshalWithOptions(content, &d, yaml.Strict()); err != nil {
		var e yaml.Error
		if errors.As(err, &e) && e.GetToken() != nil {
			at := e.GetToken().Position
			return nil, Problems{fmt.Sprintf("%s:%d:%d: %s", path, at.Line, at.Column, e.GetMessage())}
		}
		return nil, Problems{path + ": " + err.Error()}
	}
	var problems Problems
	duration := func(what, s string) time.Duration {
		if s == "" {
			return 0
		}
		t, err := time.ParseDuration(s)
		if err != nil || t < 0 {
			problems.add("%s: %q is no duration; write 30s", what, s)
		}
		return t
	}
	caching := func(what string, c *cacheDoc) *cache.Policy {
		if c == nil {
			return nil
		}
		p := &cache.Policy{Query: or(cache.Query(c.Query), cache.IgnoreQuery), Names: c.Names, TTL: duration(what, c.TTL), Override: c.Override}
		switch p.Query {
		case cache.UseQuery, cache.IgnoreQuery, cache.IgnoreSome, cache.IncludeSome:
		default:
			problems.add("%s: no query string behavior %q", what, p.Query)
		}
		return p
	}
	c := &Config{Name: d.FrontDoor}
	for _, e := range d.Edges {
		a, err := netip.ParseAddr(or(e.Address, "127.0.0.1"))
		if err != nil {
			problems.add("edge %s: %q is no address", e.Name, e.Address)
		}
		c.Edges = append(c.Edges, Edge{e.Name, e.Region, netip.AddrPortFrom(a, e.Port)})
	}
	for _, g := range d.OriginGroups {
		x := Group{Name: g.Name, Samples: g.Samples, Successful: g.Successful, Affinity: g.Affinity, Sensitivity: duration("origin group "+g.Name, g.LatencySensitivity)}
		for _, o := range g.Origins {
			x.Origins = append(x.Origins, Origin(o))
		}
		if p := g.Probe; p != nil {
			x.Probe = &Probe{or(p.Path, "/"), p.Method, duration("origin group "+g.Name+": probe", p.Interval)}
		}
		c.Groups = append(c.Groups, x)
	}
	for _, r := range d.Routes {
		c.Routes = append(c.Routes, Route{
			Name: r.Name, Domains: r.Domains, Patterns: r.Patterns, Group: r.Group, OriginPath: r.OriginPath,
			Cache: caching("route "+r.Name, r.Cache), RuleSets: r.RuleSets, Disabled: r.Disabled,
		})
	}
	for _, s := range d.RuleSets {
		set := RuleSet{Name: s.Name}
		for _, r := range s.Rules {
			rule := Rule{Name: r.Name, Order: r.Order, Stop: r.Stop}
			for _, w := range r.When {
				rule.Conditions = append(rule.Conditions, Condition{w.Variable, w.Selector, w.Operator, w.Not, w.Values, w.Transforms})
			}
			for _, a := range r.Do {
				var action Action
				if h := a.RequestHeader; h != nil {
					action.ModifyRequestHeader = &HeaderAction{h.Action, h.Name, h.Value}
				}
				if h := a.ResponseHeader; h != nil {
					action.ModifyResponseHeader = &HeaderAction{h.Action, h.Name, h.Value}
				}
				if x := a.Redirect; x != nil {
					action.Redirect = &Redirect{or(x.Status, 302), x.Protocol, x.Host, x.Path, x.Query, x.Anchor}
				}
				if x := a.Rewrite; x != nil {
					action.Rewrite = &Rewrite{x.Source, x.Destination, x.KeepUnmatched}
				}
				if x := a.Override; x != nil {
					action.Override = &Override{x.Group, caching("rule "+r.Name, x.Cache), x.NoCache}
				}
				if action == (Action{}) {
					problems.add("rule set %s, rule %s: an action that does nothing", s.Name, r.Name)
				}
				rule.Actions = append(rule.Actions, action)
			}
			set.Rules = append(set.Rules, rule)
		}
		c.RuleSets = append(c.RuleSets, set)
	}
	var more Problems
	if errors.As(c.Check(), &more) {
		problems = append(problems, more...)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p, path) {
			problems[i] = path + ": " + p
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}
