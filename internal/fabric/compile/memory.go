package compile

import (
	"maps"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// memory is what a compilation can use again: the sets with their numbers, the
// decoded documents and the rules of security groups. Resources are immutable,
// so a resource's own pointer stands for its content. The nil memory remembers
// nothing.
type memory struct {
	sets  *sets
	items map[*model.Resource]any // *item[T]
	rules map[*item[wire.NSG]]*ruleSet
}

func newMemory() *memory {
	return &memory{sets: newSets(), items: map[*model.Resource]any{}, rules: map[*item[wire.NSG]]*ruleSet{}}
}

// shared returns the sets to add to. They are only ever added to, so images
// that hold a part of the list do not see it grow.
func (m *memory) shared() *sets {
	if m == nil {
		return newSets()
	}
	return m.sets
}

func (m *memory) keep(r *model.Resource, it any) {
	if m != nil {
		m.items[r] = it
	}
}

func recalled[T any](m *memory, r *model.Resource) (*item[T], bool) {
	if m == nil {
		return nil, false
	}
	it, ok := m.items[r].(*item[T])
	return it, ok
}

// forget drops what is remembered of resources that are no more.
func (m *memory) forget(now map[string]*model.Resource) {
	live := make(map[*model.Resource]bool, len(now))
	for _, r := range now {
		live[r] = true
	}
	maps.DeleteFunc(m.items, func(r *model.Resource, _ any) bool { return !live[r] })
	maps.DeleteFunc(m.rules, func(it *item[wire.NSG], _ *ruleSet) bool { return !live[it.res] })
}

// parsed returns the rules of a security group: those remembered, if they
// depend on nothing but its document.
func (c *compiler) parsed(it *item[wire.NSG], children []*item[wire.SecurityRule]) *ruleSet {
	alone := c.memory != nil && len(children) == 0 && !namesGroups(it)
	if alone {
		if rules, ok := c.memory.rules[it]; ok {
			return rules
		}
	}
	problems, notes := len(c.problems), len(c.img.Notes)
	rules := c.parseNSG(it, children)
	if alone && problems == len(c.problems) && notes == len(c.img.Notes) {
		c.memory.rules[it] = rules
	}
	return rules
}

// namesGroups reports whether rules name application security groups, whose
// members are somebody else's documents.
func namesGroups(it *item[wire.NSG]) bool {
	for i := range it.view.Properties.SecurityRules {
		p := &it.view.Properties.SecurityRules[i].Properties
		if len(p.SourceApplicationSecurityGroups)+len(p.DestinationApplicationSecurityGroups) > 0 {
			return true
		}
	}
	return false
}
