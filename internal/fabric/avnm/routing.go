package avnm

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// routing gives each virtual network, and each subnet that is itself a member
// of a group, the routing rules committed for its region ("User-defined routes
// management in Azure Virtual Network Manager").
func (x *expansion) routing() {
	for region, vnets := range x.byRegion() {
		var collections []collection[RoutingRule]
		for _, c := range x.inRegion(kindRouting, region) {
			collections = append(collections, x.routingCollections(c)...)
		}
		if len(collections) == 0 {
			continue
		}
		lists := map[string]*RoutingList{}
		share := func(key string, rules []RoutingRule) *RoutingList {
			if len(rules) == 0 {
				return nil
			}
			list, ok := lists[key]
			if !ok {
				list = &RoutingList{Rules: x.withoutConflicts(rules)}
				lists[key] = list
			}
			return list
		}
		for _, v := range vnets {
			x.effect.Routing[v] = share(gather(collections, func(c *collection[RoutingRule]) bool { return c.has(v) }))
			for _, s := range x.vnets[v].Subnets {
				key := s.Key()
				bySubnet := false
				for i := range collections {
					bySubnet = bySubnet || collections[i].hasSubnet(key)
				}
				if bySubnet {
					x.effect.SubnetRouting[key] = share(gather(collections, func(c *collection[RoutingRule]) bool {
						return c.has(v) || c.hasSubnet(key)
					}))
				}
			}
		}
	}
}

func (c *collection[T]) hasSubnet(key string) bool {
	for _, g := range c.groups {
		if _, ok := g.subnet[key]; ok {
			return true
		}
	}
	return false
}

func (x *expansion) routingCollections(c committed) []collection[RoutingRule] {
	var out []collection[RoutingRule]
	for _, r := range c.docs.childrenOf(c.config.ID, model.TypeRoutingRuleCollection) {
		var view wire.RoutingRuleCollection
		if !x.decode(r, &view) {
			continue
		}
		rc := collection[RoutingRule]{groups: x.appliesTo(r, "/properties/appliesTo", view.Properties.AppliesTo)}
		for _, rr := range c.docs.childrenOf(r.ID, model.TypeRoutingRule) {
			rule := RoutingRule{
				DisableBGPRoutePropagation: isTrue(view.Properties.DisableBGPRoutePropagation),
				Source:                     Source{Resource: rr},
			}
			if x.decode(rr, &rule.RoutingRule) {
				rc.rules = append(rc.rules, rule)
			}
		}
		out = append(out, rc)
	}
	return out
}

// withoutConflicts reports rules with the same destination and different hops,
// which Azure does not support, and keeps the first.
func (x *expansion) withoutConflicts(rules []RoutingRule) []RoutingRule {
	first := map[string]RoutingRule{}
	var out []RoutingRule
	for _, r := range rules {
		key := strings.ToLower(r.Properties.Destination.DestinationAddress)
		other, ok := first[key]
		switch {
		case !ok:
			first[key] = r
			out = append(out, r)
		case other.Properties.NextHop != r.Properties.NextHop:
			x.problem(r.Source.Resource, "/properties/destination",
				fmt.Sprintf("routing rules %q and %q send %s to different next hops in the same place",
					other.Source.Resource.ID.Name(), r.Source.Resource.ID.Name(), r.Properties.Destination.DestinationAddress),
				"remove one of them or apply them to different groups")
		}
	}
	return out
}
