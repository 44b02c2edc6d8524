package arm

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// typeManaged is a subscription's place in a management group.
const typeManaged = model.TypeManagementGroup + "/subscriptions"

// Error codes of management groups that no document confirms.
const (
	codeManagementParent = "InvalidParentManagementGroup"       // unconfirmed
	codeManagementDepth  = "ManagementGroupHierarchyTooDeep"    // unconfirmed
	codeManagementFull   = "ManagementGroupHasChildren"         // unconfirmed
	codeManagementRoot   = "RootManagementGroupCannotBeChanged" // unconfirmed
	codeManagementPatch  = "InvalidManagementGroupPatch"        // unconfirmed
)

// managementName is a group's name ("Create management groups": up to 90
// characters, not ending in a period).
var managementName = regexp.MustCompile(`^[A-Za-z0-9]([\w.()-]{0,88}[\w()-])?$`)

// managementDepth is how many levels of groups the root has below it ("What are
// Azure management groups?", hierarchy).
const managementDepth = 6

// managementKinds are management groups: a tree of the tenant above its
// subscriptions ("What are Azure management groups?"). The root has the tenant's
// name and no document; whatever is in no group is below it.
func managementKinds() []*kind {
	return []*kind{
		{
			Type: model.TypeManagementGroup, Place: inTenant, Untracked: true, Name: managementName, NoEtag: true, Sync: true, Created: http.StatusOK,
			Refs:  []reference{looseRef(model.TypeManagementGroup, "properties.details.parent.id")},
			Check: checkManagementGroup, Settle: settleManagementGroup,
			Read: (*call).managementGroup, Amend: amendManagementGroup, Shape: (*call).managementGroupBody,
			Verbs: []verb{{name: "descendants", get: true, absent: true, act: (*call).descendants}},
		},
		{
			Type: typeManaged, Name: subscriptionName, NoEtag: true, Sync: true, SyncDelete: true, Created: http.StatusOK, Block: true,
			Prepare:   func(c *call, id model.ID, _ map[string]any) (any, *Fault) { return nil, c.knownSubscription(id.Name()) },
			MaybeBody: true, Check: checkManaged, Settle: settleManaged,
		},
	}
}

// managementRoot is the ID of the group above everything.
func (s *Server) managementRoot() model.ID {
	return model.ID{}.Resource(model.TypeManagementGroup, s.identity.TenantID)
}

// managementTree is who is directly below which management group, of one view.
type managementTree struct {
	root   model.ID
	groups []*model.Resource
	// of is the group a subscription is in, by lower-case name, if it is in one.
	of map[string]model.ID
}

func (s *Server) managementTree(v *state.View) managementTree {
	return readManagementTree(v, s.managementRoot())
}

func readManagementTree(v *state.View, root model.ID) managementTree {
	t := managementTree{root: root, of: map[string]model.ID{}}
	for _, e := range findExact(v, termType+strings.ToLower(model.TypeManagementGroup)) {
		t.groups = append(t.groups, e.Resource)
	}
	for _, e := range findExact(v, termType+strings.ToLower(typeManaged)) {
		t.of[strings.ToLower(e.Resource.ID.Name())] = e.Resource.ID.Parent()
	}
	return t
}

// parentOf returns the group above a group; the root is above nothing but
// below none.
func (t managementTree) parentOf(id model.ID) model.ID {
	for _, g := range t.groups {
		if g.ID.Equal(id) {
			if up, err := model.ParseID(parentGroup(g.Doc)); err == nil {
				return up
			}
			return t.root
		}
	}
	return model.ID{}
}

// parentGroup returns the ID of the group above one, as its document says.
func parentGroup(doc map[string]any) string {
	return text(object(object(object(doc, "properties"), "details"), "parent"), "id")
}

// above returns the groups above a scope, nearest first: those of its
// subscription, or those of a group itself.
func (t managementTree) above(scope model.ID) []model.ID {
	var at model.ID
	switch s := scope.Subscription(); {
	case s != "":
		var ok bool
		if at, ok = t.of[strings.ToLower(s)]; !ok {
			at = t.root
		}
	case scope.IsZero():
		return nil
	default:
		at = scope
		for !at.IsZero() && !at.Is(model.TypeManagementGroup) {
			at = at.Parent()
		}
		at = t.parentOf(at)
	}
	var out []model.ID
	for ; !at.IsZero() && len(out) <= managementDepth+1; at = t.parentOf(at) {
		out = append(out, at)
	}
	return out
}

// covers reports whether what holds at a scope holds at another: it is the same,
// below it, or in a subscription or group below it.
func (t managementTree) covers(scope, at model.ID) bool {
	in := func(id model.ID) bool { return strings.HasPrefix(id.Key()+"/", scope.Key()+"/") }
	return in(at) || scope.Is(model.TypeManagementGroup) && slices.ContainsFunc(t.above(at), in)
}

// childGroups returns the groups directly below one, in order of names.
func (t managementTree) childGroups(id model.ID) []*model.Resource {
	var out []*model.Resource
	for _, g := range t.groups {
		if t.parentOf(g.ID).Equal(id) {
			out = append(out, g)
		}
	}
	return out
}

// subscriptions returns the names of those directly below a group.
func (t managementTree) subscriptions(id model.ID, known []string) []string {
	var out []string
	for _, s := range known {
		at, ok := t.of[strings.ToLower(s)]
		if ok && at.Equal(id) || !ok && id.Equal(t.root) {
			out = append(out, s)
		}
	}
	return out
}

// scopesBelow returns the scopes, as keys ending in "/", where what is assigned
// at a management group holds besides the group's own.
func (t managementTree) scopesBelow(id model.ID) []string {
	if id.Equal(t.root) {
		return []string{"/"}
	}
	var out []string
	for _, g := range t.groups {
		if slices.ContainsFunc(t.above(g.ID), id.Equal) {
			out = append(out, g.ID.Key()+"/")
		}
	}
	for s := range t.of {
		if at := model.SubscriptionID(s); slices.ContainsFunc(t.above(at), id.Equal) {
			out = append(out, at.Key()+"/")
		}
	}
	slices.Sort(out)
	return out
}

// checkManagementGroup completes a group: below which one it is, what it is
// called, and which version of it this is.
func checkManagementGroup(c *change) *Fault {
	p := c.props()
	root := c.root
	if c.id.Equal(root) {
		return rootGroupFixed(c.id)
	}
	was := object(c.oldProps(), "details")
	parent := root.String()
	if had := text(object(was, "parent"), "id"); had != "" {
		parent = had
	}
	if asked := parentGroup(c.doc); asked != "" {
		parent = asked
	}
	up, err := model.ParseID(parent)
	if err != nil || !up.Is(model.TypeManagementGroup) {
		return invalidProperty(c.id, "properties.details.parent.id", parent, "it must be the ID of a management group")
	}
	if up.Equal(root) {
		up = root
	} else if f := c.checkParentGroup(up, root); f != nil {
		return f
	}
	name, isText := p["displayName"].(string)
	if had := text(c.oldProps(), "displayName"); name == "" {
		if name = had; had == "" {
			name = c.id.Name()
		}
	} else if !isText || len(name) > 250 {
		return invalidProperty(c.id, "properties.displayName", p["displayName"], "it must be a string of at most 250 characters")
	}
	details := map[string]any{
		"version": json.Number("1"), "updatedTime": c.by.At.UTC().Format(time.RFC3339Nano), "updatedBy": c.by.Who,
		"parent": map[string]any{"id": up.String()},
	}
	if was != nil {
		if name == text(c.oldProps(), "displayName") && strings.EqualFold(text(object(was, "parent"), "id"), up.String()) {
			details = was
		} else {
			n, _ := whole(was["version"])
			details["version"] = number(n + 1)
		}
	}
	c.doc["properties"] = map[string]any{"tenantId": root.Name(), "displayName": name, "details": details}
	return nil
}

// checkParentGroup refuses a place in the tree that is not there, below the
// group itself, or too deep: six levels below the root.
func (c *change) checkParentGroup(up, root model.ID) *Fault {
	depth := 1
	for at := up; !at.Equal(root); depth++ {
		e, ok := c.tx.Get(at)
		if !ok {
			return invalidReference(c.id, at.String())
		}
		if at.Equal(c.id) {
			return badRequest(codeManagementParent, "Management group %s cannot be below %s, which is below it.", c.id, up)
		}
		next, err := model.ParseID(parentGroup(e.Resource.Doc))
		if err != nil {
			return invalidReference(c.id, at.String())
		}
		at = next
	}
	if depth+c.groupHeight(c.id, 0) > managementDepth {
		return badRequest(codeManagementDepth, "Management group %s would be more than %d levels below the root.", c.id, managementDepth)
	}
	return nil
}

// groupHeight is how many levels of groups are below a group.
func (c *change) groupHeight(id model.ID, depth int) int {
	height := 0
	if depth > managementDepth {
		return height
	}
	for _, e := range findExact(c.tx.View, termRef+id.Key()) {
		if e.Resource.ID.Is(model.TypeManagementGroup) {
			height = max(height, 1+c.groupHeight(e.Resource.ID, depth+1))
		}
	}
	return height
}

func rootGroupFixed(id model.ID) *Fault {
	return badRequest(codeManagementRoot, "The management group %s is the root of the tenant; it cannot be changed or deleted.", id)
}

// settleManagementGroup refuses to delete a group that has groups below it.
func settleManagementGroup(c *change) *Fault {
	if c.doc != nil {
		return nil
	}
	for _, e := range findExact(c.tx.View, termRef+c.id.Key()) {
		if e.Resource.ID.Is(model.TypeManagementGroup) {
			return badRequest(codeManagementFull, "Management group %s cannot be deleted before %s, which is below it.", c.id, e.Resource.ID)
		}
	}
	return nil
}

// amendManagementGroup makes a document of what PATCH sends ("Management Groups
// - Update": displayName and parentGroupId).
func amendManagementGroup(id model.ID, old, body map[string]any) (map[string]any, *Fault) {
	for name := range body {
		if name != "displayName" && name != "parentGroupId" {
			return nil, badRequest(codeManagementPatch, "PATCH of management group %s takes displayName and parentGroupId, not '%.100s'.", id, name)
		}
	}
	props := shallow(object(old, "properties"))
	if v, ok := body["displayName"]; ok && v != nil {
		props["displayName"] = v
	}
	if v, ok := body["parentGroupId"]; ok && v != nil {
		props["details"] = map[string]any{"parent": map[string]any{"id": v}}
	}
	doc := shallow(old)
	doc["properties"] = props
	return doc, nil
}

// checkManaged completes a subscription's place.
func checkManaged(c *change) *Fault {
	c.doc["properties"] = map[string]any{
		"tenant": c.root.Name(), "displayName": c.id.Name(), "state": "Active",
		"parent": map[string]any{"id": c.id.Parent().String()},
	}
	return nil
}

// settleManaged takes a subscription out of the group it was in: it is in one.
func settleManaged(c *change) *Fault {
	if c.doc == nil {
		return nil
	}
	for _, e := range findExact(c.tx.View, termType+strings.ToLower(typeManaged)) {
		if strings.EqualFold(e.Resource.ID.Name(), c.id.Name()) && !e.Resource.ID.Equal(c.id) {
			c.tx.Delete(e.Resource.ID)
		}
	}
	return nil
}
