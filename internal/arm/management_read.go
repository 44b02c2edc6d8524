package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// managementGroup answers "Management Groups - Get".
func (c *call) managementGroup(_ *kind, id model.ID) *Fault {
	v := c.s.store.View()
	r := &model.Resource{ID: c.s.managementRoot(), Doc: c.rootGroupDoc()}
	if !id.Equal(r.ID) {
		e, ok := v.Get(id)
		if !ok {
			return notFound(id, false)
		}
		r = e.Resource
	}
	writeJSON(c.w, http.StatusOK, c.managementGroupBody(r))
	return nil
}

// rootGroupDoc is what the root's document would be.
func (c *call) rootGroupDoc() map[string]any {
	id := c.s.managementRoot()
	return map[string]any{
		"id": id.String(), "name": id.Name(), "type": model.TypeManagementGroup,
		"properties": map[string]any{"tenantId": id.Name(), "displayName": "Tenant Root Group", "details": map[string]any{}},
	}
}

// managementGroupBody is a group as it is shown: with names of the group above
// it and, if $expand asks for them, with what is below it.
func (c *call) managementGroupBody(r *model.Resource) map[string]any {
	t := c.s.managementTree(c.s.store.View())
	doc, p := shallow(r.Doc), shallow(r.Properties())
	doc["properties"] = p
	details := shallow(object(p, "details"))
	p["details"] = details
	if up, err := model.ParseID(parentGroup(r.Doc)); err == nil {
		details["parent"] = map[string]any{"id": up.String(), "name": up.Name(), "displayName": c.groupTitle(t, up)}
	}
	q := c.r.URL.Query()
	if !strings.EqualFold(q.Get("$expand"), "children") {
		if strings.EqualFold(q.Get("$expand"), "path") {
			var list []any
			for _, up := range t.above(r.ID) {
				list = append([]any{map[string]any{"name": up.Name(), "displayName": c.groupTitle(t, up)}}, list...)
			}
			details["path"] = list
		}
		return doc
	}
	// "$filter=children.childType ne Subscription" and its opposite.
	groups, subscriptions := true, true
	switch f := strings.ToLower(strings.Join(strings.Fields(q.Get("$filter")), " ")); f {
	case "children.childtype eq subscription":
		groups = false
	case "children.childtype ne subscription":
		subscriptions = false
	}
	p["children"] = c.groupChildren(t, r.ID, strings.EqualFold(q.Get("$recurse"), "true"), groups, subscriptions, 0)
	return doc
}

func (c *call) groupTitle(t managementTree, id model.ID) string {
	if id.Equal(t.root) {
		return text(object(c.rootGroupDoc(), "properties"), "displayName")
	}
	for _, g := range t.groups {
		if g.ID.Equal(id) {
			return text(g.Properties(), "displayName")
		}
	}
	return id.Name()
}

// groupChildren are what is below a group, as far as the caller may read it; nil
// is null, as Azure answers where there is nothing.
func (c *call) groupChildren(t managementTree, id model.ID, recurse, groups, subscriptions bool, depth int) any {
	var out []any
	if groups {
		for _, g := range t.childGroups(id) {
			if !c.rights().read(g.ID) {
				continue
			}
			child := map[string]any{"id": g.ID.String(), "type": model.TypeManagementGroup, "name": g.ID.Name(), "displayName": text(g.Properties(), "displayName")}
			if recurse && depth < 10 {
				if below := c.groupChildren(t, g.ID, recurse, groups, subscriptions, depth+1); below != nil {
					child["children"] = below
				}
			}
			out = append(out, child)
		}
	}
	if subscriptions {
		for _, s := range t.subscriptions(id, c.s.subscriptionNames(c.s.store.View())) {
			if c.rights().in(model.SubscriptionID(s)) {
				out = append(out, map[string]any{"id": model.SubscriptionID(s).String(), "type": "/subscriptions", "name": s, "displayName": s})
			}
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// managementGroups answers "Management Groups - List": those the caller may
// read.
func (c *call) managementGroups() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	value := []any{}
	for _, r := range append([]*model.Resource{{ID: c.s.managementRoot(), Doc: c.rootGroupDoc()}}, c.s.managementTree(c.s.store.View()).groups...) {
		if c.rights().read(r.ID) {
			p := r.Properties()
			value = append(value, map[string]any{
				"id": r.ID.String(), "type": model.TypeManagementGroup, "name": r.ID.Name(),
				"properties": map[string]any{"tenantId": p["tenantId"], "displayName": p["displayName"]},
			})
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

// descendants answers "Management Groups - Get Descendants": everything below a
// group as one list.
func (c *call) descendants(on *model.Resource) *Fault {
	if !on.ID.Equal(c.s.managementRoot()) && !has(c.s.store.View(), on.ID) {
		return notFound(on.ID, false)
	}
	t := c.s.managementTree(c.s.store.View())
	known := c.s.subscriptionNames(c.s.store.View())
	value := []any{}
	add := func(id, kind, name, title string, up model.ID) {
		value = append(value, map[string]any{
			"id": id, "type": kind, "name": name,
			"properties": map[string]any{"displayName": title, "parent": map[string]any{"id": up.String()}},
		})
	}
	level := []model.ID{on.ID}
	for len(level) > 0 {
		at := level[0]
		level = level[1:]
		for _, s := range t.subscriptions(at, known) {
			if c.rights().in(model.SubscriptionID(s)) {
				add(model.SubscriptionID(s).String(), "/subscriptions", s, s, at)
			}
		}
		for _, g := range t.childGroups(at) {
			if c.rights().read(g.ID) {
				add(g.ID.String(), "/managementGroups", g.ID.Name(), text(g.Properties(), "displayName"), at)
				level = append(level, g.ID)
			}
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

// entities answers "Entities - List": the groups and subscriptions the caller
// may see, with the groups above them.
func (c *call) entities() *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	v := c.s.store.View()
	t := c.s.managementTree(v)
	value := []any{}
	add := func(id model.ID, kind, name, title string) {
		chain, names := []string{}, []string{}
		for _, up := range t.above(id) {
			chain, names = append([]string{up.Name()}, chain...), append([]string{c.groupTitle(t, up)}, names...)
		}
		p := map[string]any{
			"displayName": title, "tenantId": c.s.identity.TenantID, "permissions": "edit", "inheritedPermissions": "edit",
			"parentNameChain": chain, "parentDisplayNameChain": names, "numberOfDescendants": 0, "numberOfChildren": 0, "numberOfChildGroups": 0,
		}
		if n := len(chain); n > 0 {
			p["parent"] = map[string]any{"id": t.above(id)[0].String()}
		}
		value = append(value, map[string]any{"id": id.String(), "type": kind, "name": name, "properties": p})
	}
	if root := t.root; c.rights().read(root) {
		add(root, model.TypeManagementGroup, root.Name(), c.groupTitle(t, root))
	}
	for _, g := range t.groups {
		if c.rights().read(g.ID) {
			add(g.ID, model.TypeManagementGroup, g.ID.Name(), text(g.Properties(), "displayName"))
		}
	}
	for _, s := range c.s.subscriptionNames(v) {
		if id := model.SubscriptionID(s); c.rights().in(id) {
			add(id, "/subscriptions", s, s)
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value, "count": len(value)})
	return nil
}
