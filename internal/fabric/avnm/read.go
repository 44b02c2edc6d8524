package avnm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Expand computes the effect of every network manager among the resources on
// the virtual networks. The problems are what is wrong with the managers'
// resources, all of them.
func Expand(resources []*model.Resource, vnets []VNet) (*Effect, model.Problems) {
	x := newExpansion(resources, vnets)
	x.groups()
	x.commits()
	x.connectivity()
	x.admin()
	x.routing()
	x.effect.Groups = x.groupList()
	// What several regions share is found wrong several times.
	slices.SortFunc(x.problems, func(a, b model.Problem) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.What, b.What))
	})
	return x.effect, slices.Compact(x.problems)
}

// Owns reports whether a resource type is part of the network manager, of the
// tree of management groups that scopes it, or of the policies that fill its
// groups.
func Owns(resourceType string) bool {
	for _, prefix := range []string{model.TypeNetworkManager, model.TypePolicyDefinition, model.TypePolicyAssignment, model.TypeManagementGroup} {
		if len(resourceType) >= len(prefix) && strings.EqualFold(resourceType[:len(prefix)], prefix) &&
			(len(resourceType) == len(prefix) || resourceType[len(prefix)] == '/') {
			return true
		}
	}
	return false
}

// expansion is one run of Expand.
type expansion struct {
	vnets     []VNet
	hierarchy hierarchy
	keys      []string       // lower-case IDs of the virtual networks
	byID      map[string]int // lower-case VNet ID
	subnetOf  map[string]int // lower-case subnet ID: its VNet

	managers map[string]*manager
	members  map[string]*group
	store    *documents // the current documents

	inForce []committed
	effect  *Effect

	problems model.Problems
}

type manager struct {
	res   *model.Resource
	view  wire.NetworkManager
	level int
	scope []string // lower-case prefixes of IDs; nil governs everything
}

// documents is a set of manager documents: the current ones, or the snapshot of
// a commit.
type documents struct {
	byID     map[string]*model.Resource
	children map[string][]*model.Resource // by lower-case ID of the parent
	byType   map[string][]*model.Resource // by lower-case type
}

// newDocuments indexes documents that are sorted by ID; so are its lists.
func newDocuments(sorted []*model.Resource) *documents {
	d := &documents{
		byID:     map[string]*model.Resource{},
		children: map[string][]*model.Resource{},
		byType:   map[string][]*model.Resource{},
	}
	for _, r := range sorted {
		d.byID[r.ID.Key()] = r
		parent, kind := r.ID.Parent().Key(), strings.ToLower(r.Type())
		d.children[parent] = append(d.children[parent], r)
		d.byType[kind] = append(d.byType[kind], r)
	}
	return d
}

// of returns the documents of a type in order of ID.
func (d *documents) of(resourceType string) []*model.Resource {
	return d.byType[strings.ToLower(resourceType)]
}

// childrenOf returns the children of a type of a document in order of ID.
func (d *documents) childrenOf(parent model.ID, resourceType string) []*model.Resource {
	var list []*model.Resource
	for _, r := range d.children[parent.Key()] {
		if r.ID.Is(resourceType) {
			list = append(list, r)
		}
	}
	return list
}

func newExpansion(resources []*model.Resource, vnets []VNet) *expansion {
	x := &expansion{
		vnets: vnets, byID: map[string]int{}, subnetOf: map[string]int{},
		managers: map[string]*manager{}, members: map[string]*group{},
		effect: &Effect{
			Admin: make([]*AdminList, len(vnets)), Routing: make([]*RoutingList, len(vnets)),
			SubnetRouting: map[string]*RoutingList{}, ReplacesPeerings: make([]bool, len(vnets)),
		},
	}
	for i := range vnets {
		key := vnets[i].ID.Key()
		x.keys = append(x.keys, key)
		x.byID[key] = i
		for _, s := range vnets[i].Subnets {
			x.subnetOf[s.Key()] = i
		}
	}
	x.hierarchy = readHierarchy(resources)
	var own []*model.Resource
	for _, r := range resources {
		if Owns(r.Type()) {
			own = append(own, r)
		}
	}
	model.SortResources(own)
	x.store = newDocuments(own)
	for _, r := range x.store.of(model.TypeNetworkManager) {
		x.readManager(r)
	}
	return x
}

func (x *expansion) readManager(r *model.Resource) {
	m := &manager{res: r, level: bySubscription, scope: []string{}}
	if !x.decode(r, &m.view) {
		return
	}
	scopes := m.view.Properties.Scopes
	for _, s := range scopes.Subscriptions {
		m.scope = append(m.scope, strings.ToLower(strings.TrimSuffix(s, "/"))+"/")
	}
	everything := false
	for _, g := range scopes.ManagementGroups {
		prefixes, depth, known := x.hierarchy.governedBy(g)
		m.scope, m.level = append(m.scope, prefixes...), min(m.level, depth)
		everything = everything || !known
	}
	if everything {
		m.scope = nil
	}
	x.managers[r.ID.Key()] = m
}

// governs reports whether a resource, by its lower-case ID, is inside the
// manager's scope.
func (m *manager) governs(key string) bool {
	if m.scope == nil {
		return true
	}
	for _, s := range m.scope {
		if strings.HasPrefix(key, s) {
			return true
		}
	}
	return false
}

// managerOf returns the manager that a child resource at any depth belongs to.
func (x *expansion) managerOf(id model.ID) *manager {
	for ; !id.IsZero(); id = id.Parent() {
		if m, ok := x.managers[id.Key()]; ok {
			return m
		}
	}
	return nil
}

// decode reads a view and records what is wrong with it.
func (x *expansion) decode(r *model.Resource, view any) bool {
	err := wire.Decode(r.Doc, view)
	if err == nil {
		return true
	}
	for _, e := range err.(wire.DecodeErrors) {
		x.problem(r, e.Pointer, e.Pointer+": want "+e.Want+", found "+e.Found, "correct the property")
	}
	return false
}

func (x *expansion) problem(r *model.Resource, pointer, what, fix string) {
	x.problems = append(x.problems, model.Problem{Pos: r.PosOf(pointer), Resource: r.ID.String(), What: what, Fix: fix})
}

func isTrue(s string) bool { return strings.EqualFold(s, "True") }
