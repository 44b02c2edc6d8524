package avnm

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// collection is a rule collection in force: what it holds and to whom it
// applies. T is the kind of rule.
type collection[T any] struct {
	groups []*group
	rules  []T
}

// has reports whether the collection applies to a virtual network.
func (c *collection[T]) has(vnet int) bool {
	for _, g := range c.groups {
		if g.vnets[vnet] {
			return true
		}
	}
	return false
}

// appliesTo finds the groups a collection names.
func (x *expansion) appliesTo(r *model.Resource, pointer string, items []wire.GroupItem) []*group {
	var groups []*group
	for i, item := range items {
		if g, ok := x.group(r, fmt.Sprintf("%s/%d", pointer, i), item.NetworkGroupID); ok {
			groups = append(groups, g)
		}
	}
	return groups
}

// admin gives each virtual network the security admin rules committed for its
// region, lowest priority first over all collections ("Security admin rules in
// Azure Virtual Network Manager").
func (x *expansion) admin() {
	for region, vnets := range x.byRegion() {
		var collections []collection[AdminRule]
		for _, c := range x.inRegion(kindSecurityAdmin, region) {
			collections = append(collections, x.adminCollections(c)...)
		}
		lists := map[string]*AdminList{}
		for _, v := range vnets {
			key, rules := gather(collections, func(c *collection[AdminRule]) bool { return c.has(v) })
			if len(rules) == 0 {
				continue
			}
			list, ok := lists[key]
			if !ok {
				slices.SortStableFunc(rules, func(a, b AdminRule) int {
					return cmp.Or(a.Level-b.Level, a.Properties.Priority-b.Properties.Priority)
				})
				list = &AdminList{Rules: rules}
				lists[key] = list
			}
			x.effect.Admin[v] = list
		}
	}
}

func (x *expansion) adminCollections(c committed) []collection[AdminRule] {
	var out []collection[AdminRule]
	for _, r := range c.docs.childrenOf(c.config.ID, model.TypeAdminRuleCollection) {
		var view wire.AdminRuleCollection
		if !x.decode(r, &view) {
			continue
		}
		rc := collection[AdminRule]{groups: x.appliesTo(r, "/properties/appliesToGroups", view.Properties.AppliesToGroups)}
		for _, rr := range c.docs.childrenOf(r.ID, model.TypeAdminRule) {
			rule := AdminRule{Level: c.manager.level, Source: Source{Resource: rr}}
			if x.decode(rr, &rule.AdminRule) {
				rc.rules = append(rc.rules, rule)
			}
		}
		out = append(out, rc)
	}
	return out
}

// gather returns the rules of the collections that apply, with a key that is
// equal for equal lists.
func gather[T any](collections []collection[T], applies func(*collection[T]) bool) (string, []T) {
	var key []byte
	var rules []T
	for i := range collections {
		if applies(&collections[i]) {
			key = binary.AppendUvarint(key, uint64(i))
			rules = append(rules, collections[i].rules...)
		}
	}
	return string(key), rules
}
