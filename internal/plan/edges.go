package plan

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// edges says what each step has to wait for:
//
//   - what is made or changed waits for its parent, its resource group and
//     everything its declared document refers to;
//   - a delete waits for what is below the resource and for every step that
//     lets go of it, and so does the removal of a subnet from its network;
//   - commits wait for the configurations they put in force and for what those
//     refer to, and what is taken out of force is deleted after (goal.go);
//   - interfaces whose address Azure chooses come after the declared ones
//     (address.go).
func (c *computation) edges(observed []*model.Resource) {
	for _, want := range c.order {
		step, ok := c.graph.byKey[want.ID.Key()]
		if !ok {
			continue
		}
		for _, key := range c.needsOf(want) {
			if other, ok := c.graph.byKey[key]; ok {
				c.graph.need(step, other)
			}
		}
	}
	// removers are the steps after which an ID is gone.
	removers := map[string]int{}
	for i, s := range c.graph.steps {
		if s.Action == Delete {
			removers[s.ID.Key()] = i
		}
	}
	for _, t := range c.trims {
		for _, id := range t.removed {
			removers[id.Key()] = t.step
		}
	}
	if len(removers) > 0 {
		last := map[string]int{} // the step that takes the subnets out of a network
		for _, t := range c.trims {
			last[c.graph.steps[t.step].ID.Key()] = t.step
		}
		for _, have := range observed {
			if step, ok := c.graph.byKey[have.ID.Key()]; ok {
				c.letGo(have, step, removers)
			}
			if step, ok := last[have.ID.Key()]; ok {
				c.letGo(have, step, removers)
			}
		}
	}
	c.commitEdges()
	c.exclusive(observed)
	c.chosenLast()
}

// needsOf returns the keys of the declared resources that must exist before
// want: its nearest declared ancestor and the holders of its references.
func (c *computation) needsOf(want *model.Resource) []string {
	var keys []string
	if key, ok := c.want.holder(want.ID.Parent()); ok {
		keys = append(keys, key)
	}
	for _, id := range references(want, true) {
		if key, ok := c.want.holder(id); ok && key != want.ID.Key() {
			keys = append(keys, key)
		}
	}
	return keys
}

// letGo makes the removal of anything that have is below of or refers to wait
// for a step that deletes or changes have.
func (c *computation) letGo(have *model.Resource, step int, removers map[string]int) {
	if c.graph.steps[step].Action == Delete {
		ancestors(have.ID.Parent(), func(key string) bool {
			if remover, ok := removers[key]; ok {
				c.graph.need(remover, step)
			}
			return true
		})
	}
	for _, id := range references(have, false) {
		ancestors(id, func(key string) bool {
			remover, ok := removers[key]
			// A reference from below, such as a peering's to its own network,
			// is already ordered by the parent.
			if ok && !strings.HasPrefix(have.ID.Key(), key+"/") {
				c.graph.need(remover, step)
			}
			return !ok
		})
	}
}

// exclusive orders steps that hand something over of which there is only one:
// who gives it up goes first.
func (c *computation) exclusive(observed []*model.Resource) {
	holders := map[string]*model.Resource{}
	for _, have := range observed {
		for _, thing := range holdings(have) {
			holders[thing] = have
		}
	}
	for _, want := range c.order {
		step, ok := c.graph.byKey[want.ID.Key()]
		if !ok {
			continue
		}
		for _, thing := range holdings(want) {
			holder, ok := holders[thing]
			if !ok || holder.ID.Equal(want.ID) {
				continue
			}
			if other, ok := c.graph.byKey[holder.ID.Key()]; ok {
				c.graph.need(step, other)
			}
		}
	}
}

// holdings returns what a resource holds that no other can hold at the same
// time: an address in a subnet, a virtual network's peering with another, the
// link of a network to a zone.
func holdings(r *model.Resource) []string {
	switch {
	case r.ID.Is(model.TypeNIC):
		var out []string
		for _, i := range ipConfigurations(r) {
			if i.address != "" {
				out = append(out, i.holding())
			}
		}
		return out
	case r.ID.Is(model.TypePeering):
		if remote := refOf(r.Properties()["remoteVirtualNetwork"]); remote != "" {
			return []string{"peering " + r.ID.Parent().Key() + " " + remote}
		}
	case r.ID.Is(model.TypePrivateZoneLink):
		if network := refOf(r.Properties()["virtualNetwork"]); network != "" {
			return []string{"link " + r.ID.Parent().Key() + " " + network}
		}
	}
	return nil
}

func refOf(v any) string {
	m, _ := v.(map[string]any)
	id, _ := m["id"].(string)
	return strings.ToLower(id)
}

// locksOf returns the resources Azure lets only one write at a time touch when
// r is written: concurrent ones are refused with AnotherOperationInProgress.
// A child locks its parent, a peering its remote network too.
func locksOf(r *model.Resource) []string {
	switch strings.ToLower(r.ID.Type()) {
	case strings.ToLower(model.TypePeering):
		locks := []string{r.ID.Parent().Key()}
		if remote := refOf(r.Properties()["remoteVirtualNetwork"]); remote != "" && remote != locks[0] {
			locks = append(locks, remote)
		}
		return locks
	case strings.ToLower(model.TypeSubnet), strings.ToLower(model.TypeSecurityRule),
		strings.ToLower(model.TypeRoute), strings.ToLower(model.TypeRuleCollectionGroup):
		return []string{r.ID.Parent().Key()}
	case strings.ToLower(model.TypeVirtualNetwork):
		return []string{r.ID.Key()}
	}
	return nil
}
