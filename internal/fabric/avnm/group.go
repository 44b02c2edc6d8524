package avnm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// group is a network group while its members are collected.
type group struct {
	res     *model.Resource
	manager *manager
	subnets bool // members are subnets
	vnets   map[int]bool
	subnet  map[string]model.ID
}

// groups finds the members of every network group: static members by ID,
// dynamic ones by the policy assignments in force.
func (x *expansion) groups() {
	for _, r := range x.store.of(model.TypeNetworkGroup) {
		var view wire.NetworkGroup
		if !x.decode(r, &view) {
			continue
		}
		g := &group{
			res: r, manager: x.managerOf(r.ID), subnets: strings.EqualFold(view.Properties.MemberType, "Subnet"),
			vnets: map[int]bool{}, subnet: map[string]model.ID{},
		}
		if g.manager == nil {
			x.problem(r, "", fmt.Sprintf("network group %q belongs to a network manager that does not exist", r.ID.Name()), "declare the network manager")
			continue
		}
		x.members[r.ID.Key()] = g
	}
	for _, r := range x.store.of(model.TypeStaticMember) {
		x.staticMember(r)
	}
	for _, r := range x.store.of(model.TypePolicyAssignment) {
		x.assignment(r)
	}
}

func (x *expansion) staticMember(r *model.Resource) {
	var view wire.StaticMember
	if !x.decode(r, &view) {
		return
	}
	g, ok := x.members[r.ID.Parent().Key()]
	if !ok {
		x.problem(r, "", fmt.Sprintf("static member %q belongs to a network group that does not exist", r.ID.Name()), "declare the network group")
		return
	}
	const at = "/properties/resourceId"
	id, err := model.ParseID(view.Properties.ResourceID)
	if err != nil {
		x.problem(r, at, err.Error(), "give the ID of a virtual network or subnet")
		return
	}
	vnet, isVNet := x.byID[id.Key()]
	_, isSubnet := x.subnetOf[id.Key()]
	switch {
	case !g.manager.governs(id.Key()):
		x.problem(r, at, fmt.Sprintf("%s is outside the scope of network manager %q", id, g.manager.res.ID.Name()), "widen the manager's scope or remove the member")
	case isVNet && !g.subnets:
		g.vnets[vnet] = true
	case isSubnet && g.subnets:
		g.subnet[id.Key()] = id
	case isVNet, isSubnet:
		x.problem(r, at, fmt.Sprintf("%s does not fit the member type of network group %q", id, g.res.ID.Name()), "set the group's memberType to what its members are")
	default:
		x.problem(r, at, fmt.Sprintf("%s does not exist", id), "declare it or remove the member")
	}
}

// assignment adds the virtual networks below the assignment's scope that meet
// the definition's condition.
func (x *expansion) assignment(r *model.Resource) {
	var view wire.PolicyAssignment
	if !x.decode(r, &view) {
		return
	}
	// "Disabled" is what the portal calls DoNotEnforce.
	if mode := view.Properties.EnforcementMode; strings.EqualFold(mode, "DoNotEnforce") || strings.EqualFold(mode, "Disabled") {
		return
	}
	def, ok := x.store.byID[strings.ToLower(view.Properties.PolicyDefinitionID)]
	if !ok {
		x.problem(r, "/properties/policyDefinitionId", fmt.Sprintf("policy definition %q does not exist", view.Properties.PolicyDefinitionID), "declare the definition or correct the ID")
		return
	}
	var policy wire.PolicyDefinition
	if !x.decode(def, &policy) {
		return
	}
	if !strings.EqualFold(policy.Properties.Mode, "Microsoft.Network.Data") {
		return // a policy about something else
	}
	details := policy.Properties.PolicyRule.Then.Details
	g, ok := x.members[strings.ToLower(details.NetworkGroupID)]
	if !ok {
		x.problem(def, "/properties/policyRule/then/details/networkGroupId", fmt.Sprintf("network group %q does not exist", details.NetworkGroupID), "declare the group or correct the ID")
		return
	}
	if g.subnets {
		x.problem(def, "/properties/policyRule/then", fmt.Sprintf("network group %q has subnets as members, which a policy cannot add", g.res.ID.Name()), "use static members")
		return
	}
	cond := policy.Properties.PolicyRule.If
	if what := checkCondition(&cond); what != "" {
		x.problem(def, "/properties/policyRule/if", what, "use a condition on name, id, type, location or tags")
		return
	}
	scope := r.ID.Parent().Key() + "/"
	for i := range x.vnets {
		v := &x.vnets[i]
		if strings.HasPrefix(x.keys[i], scope) && g.manager.governs(x.keys[i]) && holds(&cond, v) {
			g.vnets[i] = true
		}
	}
}

// groupList returns every group with sorted members, in order of ID.
func (x *expansion) groupList() []Group {
	var list []Group
	for _, r := range x.store.of(model.TypeNetworkGroup) {
		g, ok := x.members[r.ID.Key()]
		if !ok {
			continue
		}
		list = append(list, Group{ID: r.ID, Name: r.ID.Name(), VNets: g.sortedVNets(), Subnets: g.sortedSubnets()})
	}
	return list
}

func (g *group) sortedVNets() []int {
	list := make([]int, 0, len(g.vnets))
	for v := range g.vnets {
		list = append(list, v)
	}
	slices.Sort(list)
	return list
}

func (g *group) sortedSubnets() []model.ID {
	keys := make([]string, 0, len(g.subnet))
	for k := range g.subnet {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	list := make([]model.ID, len(keys))
	for i, k := range keys {
		list[i] = g.subnet[k]
	}
	return list
}
