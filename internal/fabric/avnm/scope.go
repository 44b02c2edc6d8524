package avnm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// typeManaged is a subscription's place in a management group.
const typeManaged = model.TypeManagementGroup + "/subscriptions"

// bySubscription is the level of managers whose scope is subscriptions. A
// management group's level is how deep it is: at most six below the root ("What
// are Azure management groups?").
const bySubscription = 100

// hierarchy is the tree of management groups, by lower-case IDs.
type hierarchy struct {
	above map[string]string // a group's parent
	of    map[string]string // a subscription's group
}

func readHierarchy(resources []*model.Resource) hierarchy {
	h := hierarchy{above: map[string]string{}, of: map[string]string{}}
	for _, r := range resources {
		switch {
		case r.ID.Is(model.TypeManagementGroup):
			details, _ := r.Properties()["details"].(map[string]any)
			parent, _ := details["parent"].(map[string]any)
			up, _ := parent["id"].(string)
			h.above[r.ID.Key()] = strings.ToLower(up)
		case r.ID.Is(typeManaged):
			h.of["/subscriptions/"+strings.ToLower(r.ID.Name())] = r.ID.Parent().Key()
		}
	}
	return h
}

// governedBy returns the subscriptions below a group, as prefixes of IDs, and
// the group's depth. A group that is not among the resources is the root, or of a
// tenant whose groups were not given: everything is below it, known is false.
func (h hierarchy) governedBy(group string) (prefixes []string, depth int, known bool) {
	group = strings.ToLower(strings.TrimSuffix(group, "/"))
	if _, ok := h.above[group]; !ok {
		return nil, 0, false
	}
	for s, at := range h.of {
		if at == group || h.depthBelow(at, group) > 0 {
			prefixes = append(prefixes, s+"/")
		}
	}
	for at := group; ; depth++ {
		up, ok := h.above[at]
		if !ok || depth > len(h.above) {
			return prefixes, depth, true
		}
		at = up
	}
}

// depthBelow returns how many levels a group is below another; 0 means it is
// not.
func (h hierarchy) depthBelow(group, other string) int {
	for n := 1; n <= len(h.above); n++ {
		up, ok := h.above[group]
		if !ok {
			return 0
		}
		if up == other {
			return n
		}
		group = up
	}
	return 0
}
