package arm

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// accessKinds are roles and their assignments.
func accessKinds() []*kind {
	anywhere := inSubscription | inGroup | onResource | inManagementGroup
	return []*kind{
		{
			Type: typeRoleAssignment, NoEtag: true, Place: anywhere, Name: guidName, Sync: true, SyncDelete: true,
			Updated: http.StatusCreated, // as recorded; "Role Assignments - Create" names 200 too
			Check:   checkRoleAssignment, Fill: fillAuthor, Shape: shapeAuthored, LastWords: true,
			Terms: func(r *model.Resource) []string {
				return []string{termPrincipal + strings.ToLower(text(r.Properties(), "principalId"))}
			},
		},
		{
			Type: typeRoleDefinition, NoEtag: true, Place: anywhere, Name: guidName, Sync: true, SyncDelete: true,
			Updated:  http.StatusCreated, // the only one its clients take (Role Definitions - Create Or Update)
			Defaults: []setting{{"type", "CustomRole"}}, Check: checkRoleDefinition, Fill: fillAuthor,
			Settle: settleRoleDefinition, Shape: shapeAuthored, LastWords: true,
		},
	}
}

// shapeAuthored is a role or an assignment as it is shown: the answer to a write
// does not say who made it (Azure/azure-cli recordings), later ones do.
func shapeAuthored(c *call, r *model.Resource) map[string]any {
	if c.r == nil || c.r.Method != http.MethodPut {
		return r.Doc
	}
	doc, p := shallow(r.Doc), shallow(r.Properties())
	doc["properties"], p["createdBy"] = p, nil
	return doc
}

// role is a role definition.
type role struct {
	guid        string
	name        string
	description string
	document    map[string]any // of a custom role
	allow, deny []string       // of a built-in one
	data        []string       // its data actions
}

// builtInRoles are Azure's, by the identifiers and with the permissions that
// "Azure built-in roles" publishes.
func builtInRoles() []role { return append(managementRoles(), dataRoles()...) }

func managementRoles() []role {
	// Their actions are in the order in which the service has them.
	with := func(own string) []string {
		return []string{
			"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", own, "Microsoft.ResourceHealth/availabilityStatuses/read",
			"Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*",
		}
	}
	return []role{
		{
			guid: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", name: "Owner", allow: []string{"*"},
			description: "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
		},
		{
			guid: "b24988ac-6180-42a0-ab88-20f7382dd24c", name: "Contributor", allow: []string{"*"},
			description: "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
			deny: []string{
				"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
				"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete",
				"Microsoft.Compute/galleries/share/action", "Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete",
				"Microsoft.Resources/deploymentStacks/manageDenySetting/action",
			},
		},
		{
			guid: "acdd72a7-3385-48ef-bd42-f606fba81ae7", name: "Reader", allow: []string{"*/read"},
			description: "View all resources, but does not allow you to make any changes.",
		},
		{
			guid: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", name: "User Access Administrator", allow: []string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"},
			description: "Lets you manage user access to Azure resources.",
		},
		{
			guid: "f58310d9-a9f6-439a-9e8d-f62e7b41a168", name: "Role Based Access Control Administrator",
			allow:       []string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read", "Microsoft.Support/*"},
			description: "Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage access using other ways, such as Azure Policy.",
		},
		{
			guid: "4d97b98b-1d4f-4787-a291-c67834d212e7", name: "Network Contributor", allow: with("Microsoft.Network/*"),
			description: "Lets you manage networks, but not access to them.",
		},
		{
			guid: "befefa01-2a29-4197-83a8-272ff33ce314", name: "DNS Zone Contributor", allow: with("Microsoft.Network/dnsZones/*"),
			description: "Lets you manage DNS zones and record sets in Azure DNS, but does not let you control who has access to them.",
		},
		{
			guid: "b12aa53e-6015-4669-85d0-8515ebb3ae7f", name: "Private DNS Zone Contributor",
			allow: []string{
				"Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*",
				"Microsoft.Network/privateDnsZones/*", "Microsoft.Network/privateDnsOperationResults/*", "Microsoft.Network/privateDnsOperationStatuses/*",
				"Microsoft.Network/virtualNetworks/read", "Microsoft.Network/virtualNetworks/join/action", "Microsoft.Authorization/*/read",
			},
			description: "Lets you manage private DNS zone resources, but not the virtual networks they are linked to.",
		},
		{
			guid: "4a9ae827-6dc8-4573-8ac7-8239d42aa03f", name: "Tag Contributor",
			allow:       []string{"Microsoft.Authorization/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", "Microsoft.Resources/subscriptions/resources/read", "Microsoft.Resources/deployments/*", "Microsoft.Insights/alertRules/*", "Microsoft.Support/*", "Microsoft.Resources/tags/*"},
			description: "Lets you manage tags on entities, without providing access to the entities themselves.",
		},
		{
			guid: "f1a07417-d97a-45cb-824c-7a7467783830", name: "Managed Identity Operator",
			allow: []string{
				"Microsoft.ManagedIdentity/userAssignedIdentities/*/read", "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
				"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
				"Microsoft.Resources/deployments/*", "Microsoft.Support/*",
			},
			description: "Read and Assign User Assigned Identity",
		},
	}
}

// builtInSince is when the first built-in roles were made, Owner, Contributor and
// Reader; those of the others are not kept here.
const builtInSince = "2015-02-02T21:55:09.8806423Z"

// findRole finds a role by its identifier.
func findRole(v *state.View, guid string) (role, bool) {
	for _, r := range builtInRoles() {
		if strings.EqualFold(r.guid, guid) {
			return r, true
		}
	}
	for _, e := range findExact(v, termType+strings.ToLower(typeRoleDefinition)) {
		if strings.EqualFold(e.Resource.ID.Name(), guid) {
			return role{guid: e.Resource.ID.Name(), name: text(e.Resource.Properties(), "roleName"), document: e.Resource.Doc}, true
		}
	}
	return role{}, false
}

// permissions returns what the role gives, in lower case.
func (r role) permissions() []permission {
	if r.document == nil {
		return []permission{{lowered(r.allow), lowered(r.deny)}}
	}
	var out []permission
	for _, p := range objects(object(r.document, "properties"), "permissions") {
		out = append(out, permission{lowered(texts(p, "actions")), lowered(texts(p, "notActions"))})
	}
	return out
}

// texts returns the strings of a list property.
func texts(m map[string]any, name string) []string {
	var out []string
	path{name, "*"}.each(m, func(s string) { out = append(out, s) })
	return out
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// body is the role as it is shown. Built-in roles may be assigned everywhere.
func (r role) body(subscription string) map[string]any {
	if r.document != nil {
		return r.document
	}
	up := ""
	if subscription != "" {
		up = "/subscriptions/" + subscription
	}
	return map[string]any{
		"id": up + "/providers/" + typeRoleDefinition + "/" + r.guid, "name": r.guid, "type": typeRoleDefinition,
		"properties": map[string]any{
			"roleName": r.name, "type": "BuiltInRole", "description": r.description, "assignableScopes": []string{"/"},
			"permissions": []any{map[string]any{
				"actions": append([]string{}, r.allow...), "notActions": append([]string{}, r.deny...), "dataActions": append([]string{}, r.data...), "notDataActions": []string{},
			}},
			"createdOn": builtInSince, "updatedOn": builtInSince, "createdBy": nil, "updatedBy": nil,
		},
	}
}

// roleDefinition answers GET of a role by its identifier, at any scope. Built-in
// ones are public.
func (c *call) roleDefinition(guid string) *Fault {
	r, ok := findRole(c.s.store.View(), guid)
	if !ok {
		return fault(http.StatusNotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(guid, "-", ""))
	}
	if r.document != nil {
		id := model.MustParseID(text(r.document, "id"))
		if f := c.permitBelow(operationOf(typeRoleDefinition, "read"), id.Parent()); f != nil {
			return f
		}
	}
	writeJSON(c.w, http.StatusOK, r.body(c.subscription))
	return nil
}

// roleDefinitions lists the roles that may be assigned at a scope ("Role
// Definitions - List"), the zero scope being above all subscriptions.
func (c *call) roleDefinitions(scope model.ID) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	terms, f := accessFilter(c.r.URL.Query().Get("$filter"), "roleName", "type")
	if f != nil {
		return f
	}
	value := []any{}
	add := func(r role, kind string) {
		if n, ok := terms["rolename"]; ok && !strings.EqualFold(n, r.name) {
			return
		}
		if t, ok := terms["type"]; ok && !strings.EqualFold(t, kind) {
			return
		}
		value = append(value, r.body(c.subscription))
	}
	for _, r := range builtInRoles() {
		add(r, "BuiltInRole")
	}
	tree := c.s.managementTree(c.s.store.View())
	for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(typeRoleDefinition)) {
		p := e.Resource.Properties()
		if !scope.IsZero() && !slices.ContainsFunc(texts(p, "assignableScopes"), func(s string) bool {
			return tree.assignable(s, scope)
		}) {
			continue
		}
		if c.rights().below(operationOf(typeRoleDefinition, "read"), e.Resource.ID.Parent()) {
			add(role{name: text(p, "roleName"), document: e.Resource.Doc}, "CustomRole")
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

// tenantLevel answers paths without a subscription: /providers/NAMESPACE/TYPE.
func (c *call) tenantLevel(path []string) *Fault {
	t := path[0] + "/" + path[1]
	switch {
	case strings.EqualFold(t, typeRoleDefinition) && len(path) == 2:
		return c.roleDefinitions(model.ID{})
	case strings.EqualFold(t, typeRoleDefinition) && len(path) == 3:
		if f := c.getOnly(); f != nil {
			return f
		}
		return c.roleDefinition(path[2])
	case strings.EqualFold(t, "Microsoft.Resources/checkResourceName") && len(path) == 2:
		return c.checkResourceName()
	case strings.EqualFold(t, "Microsoft.Network/checkTrafficManagerNameAvailability") && len(path) == 2:
		return c.checkManagerName()
	case strings.EqualFold(t, typeGeography) && len(path) == 3:
		return c.geographies(path[2])
	case strings.EqualFold(t, "Microsoft.Resources/calculateTemplateHash") && len(path) == 2:
		return c.templateHash()
	case strings.EqualFold(path[1], "operations") && len(path) == 2:
		return c.operationsOf(path[0])
	case len(path) == 5 && strings.EqualFold(path[1], "locations") && strings.EqualFold(path[3], "operations"):
		return c.operation(path[4], false)
	case len(path) == 5 && strings.EqualFold(path[1], "locations") && strings.EqualFold(path[3], "operationResults"):
		return c.operation(path[4], true)
	case strings.EqualFold(t, model.TypeManagementGroup) && len(path) == 2:
		return c.managementGroups()
	case strings.EqualFold(t, "Microsoft.Management/getEntities") && len(path) == 2:
		return c.entities()
	case strings.EqualFold(t, model.TypeManagementGroup) && len(path) == 3 && strings.EqualFold(path[2], c.s.identity.TenantID) && c.r.Method != http.MethodGet:
		return rootGroupFixed(c.s.managementRoot())
	case strings.EqualFold(t, model.TypeManagementGroup):
		return c.below(append([]string{"providers"}, path...))
	default:
		return c.noRoute(append([]string{"providers"}, path...))
	}
}

// listed answers a listing below a scope, of the caller's access in its own way.
func (c *call) listed(scope model.ID, resourceType string) *Fault {
	switch {
	case strings.EqualFold(resourceType, typeRoleDefinition):
		return c.roleDefinitions(scope)
	case strings.EqualFold(resourceType, typeRoleAssignment):
		return c.roleAssignments(scope)
	case strings.EqualFold(resourceType, "Microsoft.Authorization/permissions"):
		return c.permissions(scope)
	default:
		if strings.EqualFold(resourceType, typeDNSReference) && c.r.Method == http.MethodPost {
			return c.dnsReferences(scope)
		}
		return c.collection(scope, resourceType)
	}
}

// assignable reports whether an assignable scope of a role is a scope or above
// it.
func (t managementTree) assignable(at string, scope model.ID) bool {
	if at == "/" {
		return true
	}
	id, err := model.ParseID(strings.TrimRight(at, "/"))
	return err == nil && t.covers(id, scope)
}

// roleAssignments lists the assignments at a scope, above it and, unless the
// filter says atScope(), below it ("Role Assignments - List For Scope").
func (c *call) roleAssignments(scope model.ID) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	terms, f := accessFilter(c.r.URL.Query().Get("$filter"), "atScope()", "principalId", "assignedTo()")
	if f != nil {
		return f
	}
	if f := c.permitBelow(operationOf(typeRoleAssignment, "read"), scope); f != nil {
		return f
	}
	p, f := c.newPage()
	if f != nil {
		return f
	}
	tree := c.s.managementTree(c.s.store.View())
	for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(typeRoleAssignment)) {
		on := e.Resource.ID.Parent()
		_, only := terms["atscope()"]
		if !tree.covers(on, scope) && (only || !tree.covers(scope, on)) || !c.rights().read(e.Resource.ID) {
			continue
		}
		id := text(e.Resource.Properties(), "principalId")
		if want, ok := terms["principalid"]; ok && !strings.EqualFold(want, id) {
			continue
		}
		if want, ok := terms["assignedto()"]; ok && !strings.EqualFold(want, id) {
			continue
		}
		if !p.add(e.Resource.ID, func() any { return e.Resource.Doc }) {
			break
		}
	}
	return c.answerPage(p)
}

// accessFilter reads a $filter of roles and assignments: "NAME eq 'VALUE'",
// "NAME()" and "NAME('VALUE')", joined by "and".
func accessFilter(s string, known ...string) (map[string]string, *Fault) {
	bad := badRequest("InvalidFilterInQueryString", "Invalid $filter '%.300s' specified in the query string. Use %s.", s, strings.Join(known, ", "))
	terms := map[string]string{}
	for rest := strings.TrimSpace(s); rest != ""; {
		i := strings.IndexAny(rest, " (")
		if i < 0 {
			return nil, bad
		}
		name, value := rest[:i], ""
		var ok bool
		if rest[i] == '(' {
			name += "()"
			rest = strings.TrimSpace(rest[i+1:])
			if strings.HasPrefix(rest, "'") {
				if value, rest, ok = quoted(rest); !ok {
					return nil, bad
				}
			}
			if rest, ok = strings.CutPrefix(strings.TrimSpace(rest), ")"); !ok {
				return nil, bad
			}
		} else {
			if rest, ok = strings.CutPrefix(strings.TrimSpace(rest[i:]), "eq "); !ok {
				return nil, bad
			}
			if rest = strings.TrimSpace(rest); !strings.HasPrefix(rest, "'") {
				return nil, bad
			}
			if value, rest, ok = quoted(rest); !ok {
				return nil, bad
			}
		}
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			return nil, bad
		}
		terms[strings.ToLower(name)] = value
		if rest = strings.TrimSpace(rest); rest == "" {
			break
		}
		if rest, ok = strings.CutPrefix(rest, "and "); !ok {
			return nil, bad
		}
		rest = strings.TrimSpace(rest)
	}
	return terms, nil
}

// permissions answers what the caller's roles give at a scope ("Permissions -
// List For Resource").
func (c *call) permissions(scope model.ID) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	value := []any{}
	show := func(p permission) {
		value = append(value, map[string]any{"actions": p.actions, "notActions": p.notActions, "dataActions": []string{}, "notDataActions": []string{}})
	}
	if c.rights().all {
		show(permission{[]string{"*"}, []string{}})
	}
	for _, g := range c.rights().grants {
		if strings.HasPrefix(scope.Key()+"/", g.scope) {
			for _, p := range g.permissions {
				show(p)
			}
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

func checkRoleAssignment(c *change) *Fault {
	p := c.props()
	for _, name := range []string{"roleDefinitionId", "principalId"} {
		if text(p, name) == "" {
			return invalidProperty(c.id, "properties."+name, p[name], "a role assignment needs it")
		}
	}
	if !guidName.MatchString(text(p, "principalId")) {
		return badRequest("InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	}
	r, ok := findRole(c.tx.View, lastSegment(text(p, "roleDefinitionId")))
	if !ok {
		return badRequest("RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(lastSegment(text(p, "roleDefinitionId")), "-", ""))
	}
	if scopes := texts(object(r.document, "properties"), "assignableScopes"); r.document != nil && !slices.ContainsFunc(scopes, func(s string) bool { return readManagementTree(c.tx.View, c.root).assignable(s, c.id.Parent()) }) {
		return badRequest("RoleAssignmentScopeNotAssignableToRoleDefinition", "The role assignment scope '%s' is not assignable to the role definition '%s'.", c.id.Parent(), r.guid) // code unconfirmed
	}
	p["scope"] = c.id.Parent().String()
	setDefault(p, "principalType", "ServicePrincipal")
	was := c.oldProps()
	if c.old != nil && (!strings.EqualFold(text(was, "principalId"), text(p, "principalId")) || !strings.EqualFold(text(was, "roleDefinitionId"), text(p, "roleDefinitionId"))) {
		return badRequest("RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	for _, e := range findExact(c.tx.View, termPrincipal+strings.ToLower(text(p, "principalId"))) {
		same := e.Resource.ID.Parent().Equal(c.id.Parent()) && strings.EqualFold(lastSegment(text(e.Resource.Properties(), "roleDefinitionId")), r.guid)
		if same && !e.Resource.ID.Equal(c.id) {
			return fault(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is %s.", strings.ReplaceAll(e.Resource.ID.Name(), "-", ""))
		}
	}
	return nil
}

// fillAuthor says who made a role or an assignment, who changed it last, and
// when.
func fillAuthor(c *change) *Fault {
	p, was := c.props(), c.oldProps()
	now := c.by.At.UTC().Format(time.RFC3339Nano)
	var author any
	if c.rights != nil && c.rights.who.ObjectID != "" {
		author = c.rights.who.ObjectID
	}
	p["createdOn"], p["createdBy"] = now, author
	if c.old != nil {
		p["createdOn"], p["createdBy"] = was["createdOn"], was["createdBy"]
	}
	p["updatedOn"], p["updatedBy"] = now, author
	return nil
}

func checkRoleDefinition(c *change) *Fault {
	p := c.props()
	name := text(p, "roleName")
	if name == "" {
		return invalidProperty(c.id, "properties.roleName", p["roleName"], "a role needs a name")
	}
	scopes, f := stringList(c.id, p, "assignableScopes", "properties.")
	switch {
	case f != nil:
		return f
	case len(scopes) == 0:
		return invalidProperty(c.id, "properties.assignableScopes", p["assignableScopes"], "a role needs a scope it may be assigned at")
	}
	for _, s := range scopes {
		id, err := model.ParseID(s)
		if err != nil {
			return invalidProperty(c.id, "properties.assignableScopes", s, "it must be a management group, a subscription, a resource group or a resource")
		}
		if c.rights != nil && !c.rights.at(operationOf(typeRoleDefinition, "write"), id) {
			return c.rights.refused(operationOf(typeRoleDefinition, "write"), id)
		}
	}
	for _, o := range objects(p, "permissions") {
		for _, list := range []string{"actions", "notActions", "dataActions", "notDataActions"} {
			if _, f := stringList(c.id, o, list, "properties.permissions."); f != nil {
				return f
			}
			if _, ok := o[list]; !ok {
				o[list] = []any{}
			}
		}
	}
	taken := func(r role) bool { return strings.EqualFold(r.name, name) }
	if slices.ContainsFunc(builtInRoles(), taken) {
		return fault(http.StatusConflict, "RoleDefinitionWithSameNameExists", "A custom role with the same name already exists in this directory. Use a different name.")
	}
	for _, e := range findExact(c.tx.View, termType+strings.ToLower(typeRoleDefinition)) {
		if !e.Resource.ID.Equal(c.id) && strings.EqualFold(text(e.Resource.Properties(), "roleName"), name) {
			return fault(http.StatusConflict, "RoleDefinitionWithSameNameExists", "A custom role with the same name already exists in this directory. Use a different name.")
		}
	}
	return nil
}

// settleRoleDefinition refuses to delete a role that is assigned.
func settleRoleDefinition(c *change) *Fault {
	if c.doc != nil {
		return nil
	}
	for _, e := range findExact(c.tx.View, termType+strings.ToLower(typeRoleAssignment)) {
		if strings.EqualFold(lastSegment(text(e.Resource.Properties(), "roleDefinitionId")), c.id.Name()) {
			return badRequest("RoleDefinitionHasAssignments", "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).")
		}
	}
	return nil
}

// BuiltInRole returns the identifier of one of Azure's built-in roles that the
// server has, by its name or identifier, whatever the case.
func BuiltInRole(name string) (guid string, ok bool) {
	for _, r := range builtInRoles() {
		if strings.EqualFold(r.name, name) || strings.EqualFold(r.guid, name) {
			return r.guid, true
		}
	}
	return "", false
}

// BuiltInRoleNames returns the names of the built-in roles the server has.
func BuiltInRoleNames() []string {
	var names []string
	for _, r := range builtInRoles() {
		names = append(names, r.name)
	}
	return names
}
