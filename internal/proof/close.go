package proof

import (
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// Opens compares the network with its copy in which an explanation's changes
// were made: all the traffic they open. The explanation's own flow is a part of
// it.
func (p *Prover) Opens(x *Explanation) error {
	if x.opened == nil {
		return nil
	}
	d, err := Diff(p, New(x.opened), Scope{})
	if err != nil {
		return err
	}
	x.Opens = d.Changes
	return nil
}

// Closure is one change that stops a flow which works.
type Closure struct {
	Fix      string `json:"fix"`
	Resource string `json:"resource,omitempty"` // of the rule, route or filter to change
	Place    string `json:"place,omitempty"`
	// Closes is all that the change stops, the flow itself included; Pairs counts
	// the pairs of ports concerned.
	Closes []Change `json:"closes"`
	Pairs  int      `json:"pairs"`
}

// Close finds single changes that stop a flow which works: a rule that denies
// it, at every filter its first packet met, or the loss of the rule or route
// that let it pass. Each was tried on a copy. The one that stops the fewest
// other pairs comes first.
func (p *Prover) Close(x *Explanation) error {
	if !x.Works() {
		return nil
	}
	type candidate struct {
		what *whatIf
		Closure
	}
	var list []candidate
	add := func(s *fabric.Step, o fabric.Origin, change func(*whatIf, *Blocker)) {
		y, b := &whatIf{Prover: &Prover{img: p.img, layer: p.layer, layers: p.layers}}, Blocker{Port: p.name(s.Port)}
		change(y, &b)
		c := ref.Connect(y.img, x.at, x.Conn.Forward.Packet)
		if v, _ := c.Verdict(); v != fabric.VerdictDeny {
			return
		}
		list = append(list, candidate{y, Closure{Fix: b.Fix, Resource: o.Resource, Place: o.Place}})
	}
	for i := range x.Conn.Forward.Steps {
		s := &x.Conn.Forward.Steps[i]
		switch s.Kind {
		case fabric.StepFilter:
			f := &p.img.Filters[s.Filter]
			add(s, f.Origin, func(y *whatIf, b *Blocker) { y.deny(s, b) })
			if s.Rule != fabric.None && f.Rules[s.Rule].Origin.Resource != "" {
				add(s, f.Rules[s.Rule].Origin, func(y *whatIf, b *Blocker) { y.dropRule(s, b) })
			}
		case fabric.StepRoute:
			r := &p.img.Tables[s.Table].Routes[s.Route]
			if r.Origin.Resource != "" && r.Source == "User" {
				add(s, r.Origin, func(y *whatIf, b *Blocker) { y.removeRoute(s.Port, s.Route, b) })
			}
		}
	}
	for i := range list {
		d, err := Diff(p, New(list[i].what.img), Scope{})
		if err != nil {
			return fmt.Errorf("%s: %w", list[i].Fix, err)
		}
		list[i].Closes = d.Changes
		for j := range d.Changes {
			list[i].Pairs += d.Changes[j].Pairs
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.Pairs - b.Pairs })
	for _, c := range list {
		x.Closures = append(x.Closures, c.Closure)
	}
	return nil
}

// deny puts a rule against the packet before all others of the filter it met.
func (x *whatIf) deny(s *fabric.Step, b *Blocker) {
	rule := fabric.Rule{Action: fabric.Drop, Origin: fabric.Origin{Name: "with the change"}}
	for f := range fabric.NumFields {
		if f != fabric.SrcPort {
			rule.Match[f] = x.set(s.Packet.Field(f))
		}
	}
	old := &x.img.Filters[s.Filter]
	x.filter(s.Filter, append([]fabric.Rule{rule}, old.Rules...))
	b.Fix = fmt.Sprintf("deny %s in %s", flowText(s.Packet), old.Name)
	if s.Rule != fabric.None {
		b.Fix += " before " + ruleShort(&old.Rules[s.Rule], s.Rule)
	}
}

// dropRule takes a rule away wherever it is.
func (x *whatIf) dropRule(s *fabric.Step, b *Blocker) {
	gone := x.img.Filters[s.Filter].Rules[s.Rule].Origin
	b.Fix = "remove " + x.ruleName(s.Filter, s.Rule)
	for i := range x.img.Filters {
		rules := x.img.Filters[i].Rules
		if slices.ContainsFunc(rules, func(r fabric.Rule) bool { return r.Origin == gone }) {
			x.filter(fabric.FilterID(i), slices.DeleteFunc(slices.Clone(rules), func(r fabric.Rule) bool { return r.Origin == gone }))
		}
	}
}

// filter replaces the rules of a filter.
func (x *whatIf) filter(id fabric.FilterID, rules []fabric.Rule) {
	img := *x.img
	img.Filters = slices.Clone(img.Filters)
	img.Filters[id].Rules = rules
	x.img = &img
}
