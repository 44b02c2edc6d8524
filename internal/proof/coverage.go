package proof

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
	"github.com/ceruleannet/cerulean/model"
)

// Use is what a rule is good for.
type Use uint8

// The uses. The zero value claims nothing.
const (
	UseUnclear     Use = iota // not decided
	UseReached                // it decides packets of the network
	UseRedundant              // it decides packets, but without it none would fare otherwise
	UseShadowed               // rules before it take all that it matches
	UseUnreachable            // no packet of the network that it matches gets to it
)

// String returns the use's name.
func (u Use) String() string {
	return [...]string{"unclear", "reached", "redundant", "shadowed", "unreachable"}[u]
}

// MarshalText implements encoding.TextMarshaler.
func (u Use) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// RuleUse is what there is to say about one declared rule, wherever it is
// attached.
type RuleUse struct {
	Filter   string `json:"filter"`
	Name     string `json:"name"`
	Priority int32  `json:"priority,omitempty"`
	Access   string `json:"access"`
	Stage    string `json:"stage"`
	Resource string `json:"resource,omitempty"`
	Place    string `json:"place,omitempty"`
	Use      Use    `json:"use"`
	// By are the rules that shadow it, or make it redundant, by name.
	By []string `json:"by,omitempty"`
	// Expectations are those that speak of packets it decides.
	Expectations []string `json:"expectations,omitempty"`
}

// Coverage says which rules of a network matter, and which of them its
// expectations speak of.
type Coverage struct {
	Rules []RuleUse `json:"rules"`
	// Reached are the rules that decide packets; Expected are those of them that
	// an expectation speaks of.
	Reached  int `json:"reached"`
	Expected int `json:"expected"`
	// Complete says that every packet of the network was followed; otherwise
	// rules that were not met are unclear.
	Complete bool `json:"complete"`
}

// builtIn is the lowest priority number of Azure's default rules ("Network
// security groups": 65000 to 65500). Nobody can remove those.
const builtIn = 65000

// reviewBudget bounds the review of one rule, in steps.
const reviewBudget = 2_000_000

// ruleKey is a declared rule: the same rule is in the filters of many ports.
type ruleKey struct {
	origin fabric.Origin
	access fabric.Action
	stage  fabric.Stage
}

// Coverage follows all packets of the network, and those of every expectation,
// and notes which rules decide them.
func (p *Prover) Coverage(exps []model.Expectation) *Coverage {
	met := map[[2]int32]bool{}
	w := p.newWalk(newArena(p.img), DefaultBudget)
	w.seen = func(f fabric.FilterID, r int32) { met[[2]int32{int32(f), r}] = true }
	w.leaf = func(leaf) {}
	c := &Coverage{Complete: w.run(w.begin(&Query{}))}
	spoken := p.spoken(exps)

	index := map[ruleKey]int{}
	reviewed := map[[sha256.Size]byte][]policy.Finding{}
	identity := newIdentity(p.img)
	for i := range p.img.Filters {
		f := &p.img.Filters[i]
		var findings []policy.Finding
		for r := range f.Rules {
			rule := &f.Rules[r]
			if rule.Priority >= builtIn || rule.Origin.Resource == "" {
				continue
			}
			if findings == nil {
				findings = p.review(identity, reviewed, fabric.FilterID(i))
			}
			key := ruleKey{rule.Origin, rule.Action, f.Stage}
			k, known := index[key]
			if !known {
				k = len(c.Rules)
				index[key] = k
				c.Rules = append(c.Rules, RuleUse{
					Filter: f.Name, Name: rule.Origin.Name, Priority: rule.Priority, Access: rule.Action.String(), Stage: f.Stage.String(),
					Resource: rule.Origin.Resource, Place: rule.Origin.Place, Use: UseShadowed,
				})
			}
			use, by := UseUnclear, []string(nil)
			reached := met[[2]int32{int32(i), int32(r)}]
			switch fd := &findings[r]; {
			case reached && fd.Use == policy.Redundant:
				use, by = UseRedundant, p.ruleNames(f, fd.By)
			case reached:
				use = UseReached
			case fd.Use == policy.Shadowed:
				use, by = UseShadowed, p.ruleNames(f, fd.By)
			case c.Complete:
				use = UseUnreachable
			}
			c.Rules[k].merge(use, by, known)
			for _, name := range spoken[[2]int32{int32(i), int32(r)}] {
				if !slices.Contains(c.Rules[k].Expectations, name) {
					c.Rules[k].Expectations = append(c.Rules[k].Expectations, name)
				}
			}
		}
	}
	for i := range c.Rules {
		if u := c.Rules[i].Use; u == UseReached || u == UseRedundant {
			c.Reached++
			if len(c.Rules[i].Expectations) > 0 {
				c.Expected++
			}
		}
	}
	slices.SortStableFunc(c.Rules, func(a, b RuleUse) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Name, b.Name))
	})
	return c
}

// merge joins what is known of a rule with what it does in one more filter. It
// is as useful as it is where it is most useful.
func (u *RuleUse) merge(use Use, by []string, known bool) {
	rank := func(u Use) int {
		return map[Use]int{UseReached: 4, UseRedundant: 3, UseUnclear: 2, UseUnreachable: 1, UseShadowed: 0}[u]
	}
	if !known || rank(use) > rank(u.Use) {
		u.Use, u.By = use, by
	}
}

// review judges the rules of a filter, once for all filters with its content.
func (p *Prover) review(id *identity, done map[[sha256.Size]byte][]policy.Finding, f fabric.FilterID) []policy.Finding {
	var b strings.Builder
	id.filters(&b, []fabric.FilterID{f})
	key := sha256.Sum256([]byte(b.String()))
	if list, ok := done[key]; ok {
		return list
	}
	list := make([]policy.Finding, len(p.img.Filters[f].Rules))
	if pol, err := policy.FromFilter(p.img, f); err == nil {
		list = pol.Search().Review(reviewBudget)
	}
	done[key] = list
	return list
}

func (p *Prover) ruleNames(f *fabric.Filter, rules []int) []string {
	var out []string
	for _, r := range rules {
		if r == policy.Default {
			out = append(out, "the default")
			continue
		}
		out = append(out, f.Rules[r].Origin.Name)
	}
	return out
}

// spoken returns the expectations whose packets each rule decides.
func (p *Prover) spoken(exps []model.Expectation) map[[2]int32][]string {
	out := map[[2]int32][]string{}
	a := newArena(p.img)
	for i := range exps {
		e := &exps[i]
		if e.Verb == model.Resolves || e.Verb == model.NoMore {
			continue
		}
		w := p.newWalk(a, DefaultBudget)
		w.replies = e.Verb != model.Deny
		w.leaf = func(leaf) {}
		w.seen = func(f fabric.FilterID, r int32) {
			k := [2]int32{int32(f), r}
			if list := out[k]; len(list) == 0 || list[len(list)-1] != e.Name {
				out[k] = append(list, e.Name)
			}
		}
		ask := func(from, to *model.Selector) {
			if q := w.ask(from, to, e.Relation, e.Traffic, e.Verb != model.Deny); q.nobody == "" {
				w.run(q.begin)
			}
		}
		ask(&e.From, &e.To)
		if e.Both {
			ask(&e.To, &e.From)
		}
	}
	return out
}
