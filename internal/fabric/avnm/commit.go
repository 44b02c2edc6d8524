package avnm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// The kinds of commit.
const (
	kindConnectivity  = "connectivity"
	kindSecurityAdmin = "securityadmin"
	kindRouting       = "routing"
)

// committed is one configuration in force in one region.
type committed struct {
	manager *manager
	kind    string
	region  string
	config  *model.Resource
	docs    *documents // holds the configuration's children
}

// commits reads what is in force: for each region and kind the configurations
// of the commit, as they were when it was made ("Configuration deployments in
// Azure Virtual Network Manager": the committed list is the goal state).
func (x *expansion) commits() {
	type target struct{ manager, kind, region string }
	seen := map[target]string{}
	for _, r := range x.store.of(model.TypeCommit) {
		var view wire.Commit
		if !x.decode(r, &view) {
			continue
		}
		p := &view.Properties
		m := x.managerOf(r.ID)
		if m == nil {
			x.problem(r, "", fmt.Sprintf("commit %q belongs to a network manager that does not exist", r.ID.Name()), "declare the network manager")
			continue
		}
		kind := strings.ToLower(p.CommitType)
		if kind != kindConnectivity && kind != kindSecurityAdmin && kind != kindRouting {
			x.problem(r, "/properties/commitType", fmt.Sprintf("commit type %q is not known", p.CommitType), "use Connectivity, SecurityAdmin or Routing")
			continue
		}
		accesses := m.view.Properties.ScopeAccesses
		if len(accesses) > 0 && !slices.ContainsFunc(accesses, func(a string) bool { return strings.EqualFold(a, kind) }) {
			x.problem(r, "/properties/commitType", fmt.Sprintf("network manager %q has no %s access", m.res.ID.Name(), p.CommitType), "add it to networkManagerScopeAccesses")
			continue
		}
		at := target{m.res.ID.Key(), kind, model.NormalizeLocation(p.TargetLocation)}
		if other, ok := seen[at]; ok {
			x.problem(r, "", fmt.Sprintf("commit %q is for the same region and type as commit %q", r.ID.Name(), other), "keep one of them")
			continue
		}
		seen[at] = r.ID.Name()
		if kind == kindSecurityAdmin && len(p.ConfigurationIDs) > 1 {
			x.problem(r, "/properties/configurationIds", fmt.Sprintf("%d security admin configurations are committed to %s", len(p.ConfigurationIDs), at.region), "a network manager may commit one per region")
			continue
		}
		docs := x.store
		if p.Configurations != nil {
			docs = x.snapshot(r, p.Configurations)
		}
		for i, id := range p.ConfigurationIDs {
			config, ok := docs.byID[strings.ToLower(id)]
			if !ok {
				x.problem(r, fmt.Sprintf("/properties/configurationIds/%d", i), fmt.Sprintf("configuration %q does not exist", id), "declare it or remove it from the commit")
				continue
			}
			x.inForce = append(x.inForce, committed{manager: m, kind: kind, region: at.region, config: config, docs: docs})
		}
	}
	// Managers of management groups come first: on a conflict the manager with
	// the higher scope wins ("Network manager scope").
	slices.SortStableFunc(x.inForce, func(a, b committed) int { return a.manager.level - b.manager.level })
}

// snapshot indexes the documents of a commit. They keep the places of the
// current documents with the same ID.
func (x *expansion) snapshot(r *model.Resource, docs []map[string]any) *documents {
	var list []*model.Resource
	for i, doc := range docs {
		text, _ := doc["id"].(string)
		id, err := model.ParseID(text)
		if err != nil {
			x.problem(r, fmt.Sprintf("/properties/configurations/%d/id", i), err.Error(), "give each document of the snapshot its ID")
			continue
		}
		res := &model.Resource{ID: id, Doc: doc, Pos: r.Pos}
		if now, ok := x.store.byID[id.Key()]; ok {
			res.Pos, res.At = now.Pos, now.At
		}
		list = append(list, res)
	}
	model.SortResources(list)
	return newDocuments(list)
}

// inRegion returns the configurations of a kind in force in a region.
func (x *expansion) inRegion(kind, region string) []committed {
	var list []committed
	for _, c := range x.inForce {
		if c.kind == kind && c.region == region {
			list = append(list, c)
		}
	}
	return list
}

// byRegion lists the virtual networks of each region.
func (x *expansion) byRegion() map[string][]int {
	m := map[string][]int{}
	for i := range x.vnets {
		m[x.vnets[i].Region] = append(m[x.vnets[i].Region], i)
	}
	return m
}

// group returns a network group that a document names, or reports that it does
// not exist.
func (x *expansion) group(r *model.Resource, pointer, id string) (*group, bool) {
	g, ok := x.members[strings.ToLower(id)]
	if !ok {
		x.problem(r, pointer, fmt.Sprintf("network group %q does not exist", id), "declare the group or correct the ID")
	}
	return g, ok
}
