package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// ipConfiguration is what a plan knows of one IP configuration of an interface.
type ipConfiguration struct {
	subnet  string // lower-case ID
	address string // canonical; empty leaves the choice to Azure
}

func ipConfigurations(r *model.Resource) []ipConfiguration {
	return configurationsIn(r, "ipConfigurations")
}

// placesOf returns the addresses in subnets of everything that takes some.
func placesOf(r *model.Resource) []ipConfiguration {
	switch {
	case r.ID.Is(model.TypeNIC), r.ID.Is(model.TypePrivateLinkService):
		return ipConfigurations(r)
	case r.ID.Is(model.TypeLoadBalancer):
		return configurationsIn(r, "frontendIPConfigurations")
	case r.ID.Is(model.TypePrivateEndpoint):
		subnet := refOf(r.Properties()["subnet"])
		var out []ipConfiguration
		list, _ := r.Properties()["ipConfigurations"].([]any)
		for _, e := range list {
			config, _ := e.(map[string]any)
			p, _ := config["properties"].(map[string]any)
			address, _ := p["privateIPAddress"].(string)
			out = append(out, ipConfiguration{subnet, canonicalString("", address)})
		}
		if len(out) == 0 && subnet != "" {
			out = []ipConfiguration{{subnet: subnet}}
		}
		return out
	}
	return nil
}

func configurationsIn(r *model.Resource, property string) []ipConfiguration {
	var out []ipConfiguration
	list, _ := r.Properties()[property].([]any)
	for _, e := range list {
		config, _ := e.(map[string]any)
		p, _ := config["properties"].(map[string]any)
		if subnet := refOf(p["subnet"]); subnet != "" {
			address, _ := p["privateIPAddress"].(string)
			out = append(out, ipConfiguration{subnet, canonicalString("", address)})
		}
	}
	return out
}

// holding names an address that only one interface can have at a time.
func (i ipConfiguration) holding() string { return "address " + i.address + " " + i.subnet }

// chosenLast makes interfaces and private endpoints whose address Azure chooses
// wait for what has a declared address in the same subnet: Azure gives the first
// free one, which would often be an address that somebody declared.
func (c *computation) chosenLast() {
	given := map[string][]int{} // subnet: steps
	for _, want := range c.order {
		step, ok := c.graph.byKey[want.ID.Key()]
		if !ok {
			continue
		}
		for _, i := range placesOf(want) {
			if i.address != "" {
				given[i.subnet] = append(given[i.subnet], step)
			}
		}
	}
	for _, want := range c.order {
		step, ok := c.graph.byKey[want.ID.Key()]
		// Balancers and link services do not wait: interfaces and endpoints with
		// declared addresses may need them first.
		if !ok || !want.ID.Is(model.TypeNIC) && !want.ID.Is(model.TypePrivateEndpoint) {
			continue
		}
		configs, gives := placesOf(want), false
		for _, i := range configs {
			gives = gives || i.address != ""
		}
		// An interface with both kinds could wait for another such one, and that
		// one for it.
		for _, i := range configs {
			if i.address == "" && !gives {
				for _, other := range given[i.subnet] {
					c.graph.need(step, other)
				}
			}
		}
	}
}

// checkTaken refuses addresses of interfaces that stay as they are: Azure would
// refuse them too, but only halfway through.
func (c *computation) checkTaken(observed []*model.Resource) error {
	stays := map[string]*model.Resource{}
	for _, have := range observed {
		if _, changes := c.graph.byKey[have.ID.Key()]; changes || !have.ID.Is(model.TypeNIC) {
			continue
		}
		for _, i := range ipConfigurations(have) {
			if i.address != "" {
				stays[i.holding()] = have
			}
		}
	}
	var problems model.Problems
	for _, want := range c.order {
		if _, changes := c.graph.byKey[want.ID.Key()]; !changes || !want.ID.Is(model.TypeNIC) {
			continue
		}
		for _, i := range ipConfigurations(want) {
			holder, taken := stays[i.holding()]
			if !taken {
				continue
			}
			problems = append(problems, model.Problem{
				Pos: want.Pos, Resource: want.ID.String(),
				What: fmt.Sprintf("%s of %s is the address of %s already", i.address, want.ID.Name(), holder.ID.Name()),
				Fix:  "give it another address of " + i.subnet[strings.LastIndexByte(i.subnet, '/')+1:],
			})
		}
	}
	return problems.Err()
}

// overtaken reports a new subnet with addresses of one that is taken out and
// still in use: the old one can only go when its interfaces have left, and
// until then Azure refuses the new one (NetcfgSubnetRangesOverlap).
func (c *computation) overtaken(want *model.Resource, changes []Change) (model.Problem, bool) {
	for _, gone := range changes {
		id, ok := removedSubnet(want.ID, gone)
		if !ok || !c.uses[id.Key()] {
			continue
		}
		for _, added := range changes {
			if added.Old != nil || !strings.HasPrefix(added.Pointer, "/properties/subnets/") {
				continue
			}
			for _, p := range subnetPrefixes(added.New) {
				for _, q := range subnetPrefixes(gone.Old) {
					if p.Overlaps(q) {
						name, _ := added.New.(map[string]any)["name"].(string)
						return model.Problem{
							Pos: added.Pos, Resource: want.ID.String(),
							What: fmt.Sprintf("subnet %s (%s) takes addresses of subnet %s (%s), which goes only when its interfaces have left it", name, p, id.Name(), q),
							Fix:  "give it a prefix of its own, or apply without it first",
						}, true
					}
				}
			}
		}
	}
	return model.Problem{}, false
}

// subnetPrefixes returns the prefixes of an inline subnet.
func subnetPrefixes(subnet any) []netip.Prefix {
	m, _ := subnet.(map[string]any)
	properties, _ := m["properties"].(map[string]any)
	list, _ := properties["addressPrefixes"].([]any)
	var out []netip.Prefix
	for _, v := range append([]any{properties["addressPrefix"]}, list...) {
		text, _ := v.(string)
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}
