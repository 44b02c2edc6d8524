package arm

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// typeGroupAction is how operations of Resource Manager name resource groups.
const typeGroupAction = "Microsoft.Resources/subscriptions/resourceGroups"

// rights are what one principal may do, as the role assignments of one view say
// ("What is Azure role-based access control"): the union of all assignments at
// the scope and above it.
type rights struct {
	who    principal
	all    bool // the installation's own client
	grants []grant
}

// grant is one role assignment.
type grant struct {
	scope       string // key
	permissions []permission
	// conditional assignments do not give what the condition is about:
	// conditions of Resource Manager restrict which roles may be assigned, and
	// are not evaluated here.
	conditional bool
}

// permission is one element of a role's permissions: what matches actions and
// not notActions. Patterns are lower-case.
type permission struct{ actions, notActions []string }

func (p permission) gives(action string) bool {
	match := func(pattern string) bool { return matchAction(pattern, action) }
	return slices.ContainsFunc(p.actions, match) && !slices.ContainsFunc(p.notActions, match)
}

// matchAction reports whether a pattern, in which "*" stands for any characters,
// matches an operation. Both are lower-case.
func matchAction(pattern, action string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == action
	}
	if !strings.HasPrefix(action, first) {
		return false
	}
	action = action[len(first):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(action, part)
		}
		i := strings.Index(action, part)
		if i < 0 {
			return false
		}
		action, rest = action[i+len(part):], after
	}
}

// gives reports whether the assignment gives an operation, in lower case.
func (g grant) gives(action string) bool {
	if g.conditional && strings.HasPrefix(action, strings.ToLower(typeRoleAssignment)+"/") && !strings.HasSuffix(action, "/read") {
		return false
	}
	return slices.ContainsFunc(g.permissions, func(p permission) bool { return p.gives(action) })
}

// rightsOf reads what a principal may do.
func (s *Server) rightsOf(v *state.View, who principal) *rights {
	r := &rights{who: who, all: who.ObjectID == s.identity.ObjectID}
	if r.all {
		return r
	}
	for _, e := range findExact(v, termPrincipal+strings.ToLower(who.ObjectID)) {
		p := e.Resource.Properties()
		role, ok := findRole(v, lastSegment(text(p, "roleDefinitionId")))
		if !ok {
			continue
		}
		given := grant{e.Resource.ID.Parent().Key() + "/", role.permissions(), text(p, "condition") != ""}
		r.grants = append(r.grants, given)
		if at := e.Resource.ID.Parent(); at.Is(model.TypeManagementGroup) {
			for _, below := range s.managementTree(v).scopesBelow(at) {
				given.scope = below
				r.grants = append(r.grants, given)
			}
		}
	}
	return r
}

func lastSegment(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// at reports whether an operation is given at a scope.
func (r *rights) at(action string, scope model.ID) bool {
	if r.all {
		return true
	}
	action = strings.ToLower(action)
	at := scope.Key() + "/"
	return slices.ContainsFunc(r.grants, func(g grant) bool { return strings.HasPrefix(at, g.scope) && g.gives(action) })
}

// below reports whether an operation is given at a scope or anywhere below it.
func (r *rights) below(action string, scope model.ID) bool {
	action = strings.ToLower(action)
	at := scope.Key() + "/"
	return r.at(action, scope) || slices.ContainsFunc(r.grants, func(g grant) bool { return strings.HasPrefix(g.scope, at) && g.gives(action) })
}

// in reports whether the principal has any role at a scope, above or below it:
// who has may see the subscription, its locations and its providers, and list
// what it may read.
func (r *rights) in(scope model.ID) bool {
	at := scope.Key() + "/"
	return r.all || slices.ContainsFunc(r.grants, func(g grant) bool {
		return strings.HasPrefix(g.scope, at) || strings.HasPrefix(at, g.scope)
	})
}

// read reports whether a resource may be read.
func (r *rights) read(id model.ID) bool { return r.all || r.at(operationOf(id.Type(), "read"), id) }

// operationOf names an operation of a resource type as roles do.
func operationOf(resourceType, operation string) string {
	if strings.EqualFold(resourceType, model.TypeResourceGroup) {
		resourceType = typeGroupAction
	}
	return resourceType + "/" + operation
}

// rights returns what the caller may do.
func (c *call) rights() *rights {
	if c.may == nil {
		c.may = c.s.rightsOf(c.s.store.View(), c.who)
	}
	return c.may
}

// permit refuses a request for a resource that the caller's roles do not allow.
func (c *call) permit(id model.ID) *Fault {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		return c.permitAction(operationOf(id.Type(), "read"), id)
	case http.MethodPut, http.MethodPatch:
		return c.permitAction(operationOf(id.Type(), "write"), id)
	case http.MethodDelete:
		return c.permitAction(operationOf(id.Type(), "delete"), id)
	default:
		k, f := c.s.kinds.of(id)
		if f != nil {
			return f
		}
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
}

// permitTags is permit for the tags of a resource.
func (c *call) permitTags(scope model.ID) *Fault {
	operation := "/read"
	switch c.r.Method {
	case http.MethodGet:
	case http.MethodDelete:
		operation = "/delete"
	default:
		operation = "/write"
	}
	return c.permitAction(typeTags+operation, scope)
}

// permitVerb is permit for an action of a resource.
func (c *call) permitVerb(id model.ID, name string) *Fault {
	suffix := "/action"
	switch c.r.Method {
	case http.MethodGet:
		suffix = "/read"
	case http.MethodPut:
		suffix = "/write"
	}
	return c.permitAction(operationOf(id.Type(), name+suffix), id)
}

func (c *call) permitAction(action string, scope model.ID) *Fault {
	if c.rights().at(action, scope) {
		return nil
	}
	return c.rights().refused(action, scope)
}

// permitBelow is permitAction for a listing, which is of what may be read.
func (c *call) permitBelow(action string, scope model.ID) *Fault {
	if c.rights().below(action, scope) {
		return nil
	}
	return c.rights().refused(action, scope)
}

// permitIn refuses those who have no role at a scope, above or below it.
func (c *call) permitIn(action string, scope model.ID) *Fault {
	if c.rights().in(scope) {
		return nil
	}
	return c.rights().refused(action, scope)
}

// refused is Resource Manager's refusal ("Troubleshoot Azure RBAC").
func (r *rights) refused(action string, scope model.ID) *Fault {
	return fault(http.StatusForbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		r.who.AppID, r.who.ObjectID, action, scope)
}

// permitNamed refuses an action whose body names a resource that the caller may
// not read: a diagnosis tells what is there.
func (c *call) permitNamed(on model.ID, name string, body any) *Fault {
	if c.rights().all {
		return nil
	}
	switch v := body.(type) {
	case map[string]any:
		for _, e := range v {
			if f := c.permitNamed(on, name, e); f != nil {
				return f
			}
		}
	case []any:
		for _, e := range v {
			if f := c.permitNamed(on, name, e); f != nil {
				return f
			}
		}
	case string:
		if id, err := model.ParseID(v); err == nil && !c.rights().read(id) {
			return c.rights().refusedLink(operationOf(on.Type(), name+"/action"), on, operationOf(id.Type(), "read"), id)
		}
	}
	return nil
}

// refusedLink is the refusal of an operation for want of another one elsewhere.
func (r *rights) refusedLink(action string, scope model.ID, linked string, at model.ID) *Fault {
	return fault(http.StatusForbidden, "LinkedAuthorizationFailed",
		"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action(s) '%s' on the linked scope(s) '%s' (respectively) or the linked scope(s) are invalid.",
		r.who.AppID, r.who.ObjectID, action, scope, linked, at)
}

// checkLinked refuses references that a change adds to resources the caller may
// not use: who writes an interface into a subnet needs the right to join it.
func (c *change) checkLinked() *Fault {
	if c.rights == nil || c.rights.all {
		return nil
	}
	had := map[string]bool{}
	for _, r := range c.kind.refs {
		r.path.each(c.old, func(target string) { had[strings.ToLower(target)] = true })
	}
	var found *Fault
	for _, r := range c.kind.refs {
		r.path.each(c.doc, func(target string) {
			id, err := model.ParseID(target)
			if found != nil || err != nil || had[id.Key()] || id.Equal(c.id) || strings.HasPrefix(id.Key(), c.id.Key()+"/") {
				return
			}
			if action := linkedAction(c.kind, id.Type(), r.path); !c.rights.at(action, id) {
				found = c.rights.refusedLink(operationOf(c.kind.Type, "write"), c.id, action, id)
			}
		})
	}
	return found
}

// linkedAction is the operation that a reference needs of what it refers to
// (the network provider's part of "Azure permissions for Networking").
func linkedAction(from *kind, to string, at path) string {
	switch {
	case strings.EqualFold(to, model.TypeVirtualNetwork) && slices.Contains(at, "remoteVirtualNetwork"):
		return operationOf(to, "peer/action")
	case strings.EqualFold(to, model.TypeASG) && (strings.EqualFold(from.Type, model.TypeNSG) || strings.EqualFold(from.Type, model.TypeSecurityRule)):
		return operationOf(to, "joinNetworkSecurityRule/action")
	case strings.EqualFold(to, model.TypeASG):
		return operationOf(to, "joinIpConfiguration/action")
	case strings.EqualFold(to, typeIdentity):
		return operationOf(to, "assign/action")
	case strings.HasPrefix(strings.ToLower(to), "microsoft.network/"):
		return operationOf(to, "join/action")
	default:
		return operationOf(to, "read")
	}
}
