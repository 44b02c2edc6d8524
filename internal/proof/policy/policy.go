package policy

import (
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Policy is a list of rules prepared for questions. It is immutable.
type Policy struct {
	*space
	rules    []Rule
	outcomes []outcome
	def      outcome
	unclear  int // the first rule whose action is Unknown, or the number of rules
	vectors  *vectors
}

// New prepares a list of rules: the first that matches decides, or else the
// default, which is Drop or Pass. The rules are not copied and must not change.
// The error says which rule has a malformed set or action.
//
// It takes one or two microseconds a rule. What it keeps grows with the square
// of the rules, by a bit for each rule and each class of values that the rules
// tell apart: some kilobytes for a hundred rules, ten megabytes for 9,000.
func New(rules []Rule, def fabric.Action) (*Policy, error) {
	if def != fabric.Drop && def != fabric.Pass {
		return nil, fmt.Errorf("policy: the default action is %s, not deny or allow", def)
	}
	boxes := make([]*Box, len(rules))
	outcomes := make([]outcome, len(rules))
	for i := range rules {
		r := &rules[i]
		if r.Action > fabric.Unknown {
			return nil, fmt.Errorf("policy: rule %d has the action %d", i, uint8(r.Action))
		}
		for f := range fabric.NumFields {
			if k := unsorted(r.Match[f]); k >= 0 {
				return nil, fmt.Errorf("policy: rule %d: range %d of the %s is out of order", i, k, f)
			}
		}
		boxes[i], outcomes[i] = &r.Match, outcomeOf(r.Action, r.Masquerade)
	}
	s, err := newSpace(boxes)
	if err != nil {
		return nil, err
	}
	p := &Policy{space: s, rules: rules, outcomes: outcomes, def: outcomeOf(def, false), unclear: len(rules), vectors: newVectors(s)}
	if i := slices.Index(outcomes, outcome(fabric.Unknown)); i >= 0 {
		p.unclear = i
	}
	return p, nil
}

// unsorted returns the index of the first range that is backwards or does not
// lie apart behind the one before it, or -1.
func unsorted(s fabric.Set) int {
	for i, r := range s {
		if r.Hi.Less(r.Lo) || i > 0 && (s[i-1].Hi == fabric.MaxValue || !s[i-1].Hi.Next().Less(r.Lo)) {
			return i
		}
	}
	return -1
}

// FromFilter prepares a filter of an image.
func FromFilter(img *fabric.Image, id fabric.FilterID) (*Policy, error) {
	if id < 0 || int(id) >= len(img.Filters) {
		return nil, fmt.Errorf("policy: the image has no filter %d", id)
	}
	f := &img.Filters[id]
	rules := make([]Rule, len(f.Rules))
	for i := range f.Rules {
		r := &f.Rules[i]
		rules[i].Action, rules[i].Masquerade = r.Action, r.Masquerade
		for field, set := range r.Match {
			if set < 0 || int(set) >= len(img.Sets) {
				return nil, fmt.Errorf("policy: filter %s: rule %d: set %d is out of range", f.Name, i, set)
			}
			rules[i].Match[field] = img.Sets[set]
		}
	}
	p, err := New(rules, f.Default)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", f.Name, err)
	}
	return p, nil
}

// Len returns the number of rules.
func (p *Policy) Len() int { return len(p.rules) }

// Rule returns a rule; its sets must not be changed.
func (p *Policy) Rule(i int) Rule { return p.rules[i] }

// Action returns the action of a rule, or of the default.
func (p *Policy) Action(rule int) fabric.Action { return p.outcome(rule).action() }

func (p *Policy) outcome(rule int) outcome {
	if rule == Default {
		return p.def
	}
	return p.outcomes[rule]
}

// Relation is how the values of two sets lie to each other.
type Relation uint8

// The relations.
const (
	Disjoint Relation = iota // no common value
	Overlap                  // common values, and each has some of its own
	Subset                   // all values of the first are in the second, not the reverse
	Superset                 // all values of the second are in the first, not the reverse
	Equal                    // the same values
)

// Relate compares what two rules match in one field. Sets are interned and
// kept as runs of atoms, mostly one, so that the relation is a comparison of
// numbers: cheaper than looking it up.
func (p *Policy) Relate(f fabric.Field, i, j int) Relation {
	if p.match[i][f] == p.match[j][f] {
		return Equal
	}
	a, b := p.of(i, f), p.of(j, f)
	var common, onlyA, onlyB bool
	// Walk both lists from one end of a run to the next.
	at := uint32(0)
	for x, y := 0, 0; x < len(a) || y < len(b); {
		next := ^uint32(0)
		inA, inB := false, false
		if x < len(a) {
			if inA = a[x].lo <= at; inA {
				next = min(next, a[x].hi+1)
			} else {
				next = min(next, a[x].lo)
			}
		}
		if y < len(b) {
			if inB = b[y].lo <= at; inB {
				next = min(next, b[y].hi+1)
			} else {
				next = min(next, b[y].lo)
			}
		}
		common, onlyA, onlyB = common || inA && inB, onlyA || inA && !inB, onlyB || inB && !inA
		at = next
		for x < len(a) && a[x].hi < at {
			x++
		}
		for y < len(b) && b[y].hi < at {
			y++
		}
	}
	switch {
	case !common && (onlyA || onlyB):
		return Disjoint
	case onlyA && onlyB:
		return Overlap
	case onlyA:
		return Superset
	case onlyB:
		return Subset
	default:
		return Equal
	}
}
