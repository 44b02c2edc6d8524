package arm

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// Options of an export ("Resource Groups - Export Template").
const (
	exportDefaults = "IncludeParameterDefaultValue"
	exportComments = "IncludeComments"
	exportNames    = "SkipResourceNameParameterization"
	exportNothing  = "SkipAllParameterization"
)

// maxExport is how many resources one template may hold ("Export template
// limitations").
const maxExport = 200

// exportGroup answers "Resource Groups - Export Template": a template of what is
// in the group, at once if that is nothing, else as an operation.
func (c *call) exportGroup(group string) *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	scope := model.GroupID(c.subscription, group)
	if f := c.permitAction(typeGroupAction+"/exportTemplate/action", scope); f != nil {
		return f
	}
	v := c.s.store.View()
	e, ok := v.Get(scope)
	if !ok {
		return notFound(scope, false)
	}
	x := &templateExport{kinds: c.s.kinds, view: v, group: e.Resource.ID, parts: map[string]*exportedPart{}, named: map[string]string{}, parameters: map[string]any{}}
	if f := x.readOptions(body); f != nil {
		return f
	}
	if f := x.choose(body["resources"], c.rights()); f != nil {
		return f
	}
	answer := map[string]any{"template": x.template()}
	if len(x.order) == 0 {
		writeJSON(c.w, http.StatusOK, answer)
		return nil
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return fault(http.StatusInternalServerError, "InternalServerError", "The template could not be encoded: %v.", err)
	}
	takes := c.s.takes("*", timedChange)
	name := c.s.operations.name(operationAnswer, c.s.now().Add(takes))
	c.s.answers.put(name, b)
	h := c.w.Header()
	h.Set("Location", c.base+"/subscriptions/"+c.subscription+"/operationresults/"+name+"?api-version="+c.version)
	h.Set("Retry-After", seconds(min(takes, longestPoll)))
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// templateExport makes a template of resources.
type templateExport struct {
	kinds   kindSet
	view    *state.View
	group   model.ID
	options map[string]bool // in lower case

	parts map[string]*exportedPart // by key
	order []*exportedPart

	named      map[string]string // keys of resources: their parameters
	parameters map[string]any
}

// exportedPart is one resource of the template.
type exportedPart struct {
	id   model.ID
	kind *kind
	doc  map[string]any
	on   map[string]bool // keys of parts it refers to
}

func (x *templateExport) readOptions(body map[string]any) *Fault {
	x.options = map[string]bool{}
	for name, v := range body {
		switch {
		case name == "resources", v == nil:
		case name == "options":
			s, ok := v.(string)
			if !ok {
				return badRequest("InvalidRequestContent", "The request content was invalid: 'options' must be a string.")
			}
			for o := range strings.SplitSeq(s, ",") {
				o = strings.TrimSpace(o)
				if o != "" && !slices.ContainsFunc([]string{exportDefaults, exportComments, exportNames, exportNothing}, func(k string) bool { return strings.EqualFold(k, o) }) {
					return badRequest("InvalidRequestContent", "The request content was invalid: '%.100s' is no option of an export: %s, %s, %s, %s.", o, exportDefaults, exportComments, exportNames, exportNothing)
				}
				x.options[strings.ToLower(o)] = true
			}
		case name == "outputFormat":
			if s, ok := v.(string); !ok || !strings.EqualFold(s, "Json") {
				return badRequest("InvalidRequestContent", "The request content was invalid: templates are exported as Json only, not as '%.100v'.", v)
			}
		default:
			return badRequest("InvalidRequestContent", "The request content was invalid: Could not find member '%.100s' on object of type 'ExportTemplateRequest'.", name)
		}
	}
	return nil
}

func (x *templateExport) has(option string) bool { return x.options[strings.ToLower(option)] }

// choose takes the resources that the request names, or all, with what is below
// them. Of all, those that the caller may not read are left out.
func (x *templateExport) choose(asked any, may *rights) *Fault {
	list, ok := asked.([]any)
	if !ok || len(list) == 0 {
		return badRequest("InvalidRequestContent", "The request content was invalid: 'resources' must list the IDs of resources, or \"*\".")
	}
	var prefixes []string
	all := false
	for _, e := range list {
		s, _ := e.(string)
		if s == "*" {
			all = true
			continue
		}
		id, err := model.ParseID(s)
		if err != nil || !strings.HasPrefix(id.Key(), x.group.Key()+"/providers/") {
			return badRequest("InvalidRequestContent", "The request content was invalid: '%.300v' is not the ID of a resource in resource group '%s'.", e, x.group.Name())
		}
		if !has(x.view, id) {
			return notFound(id, false)
		}
		if k, f := x.kinds.of(id); f != nil || !may.below(operationOf(k.Type, "read"), id) {
			return notFound(id, false)
		}
		prefixes = append(prefixes, id.Key())
	}
	for e := range x.view.List(x.group.Key()+"/providers/", "") {
		id := e.Resource.ID
		wanted := all || slices.ContainsFunc(prefixes, func(p string) bool { return id.Key() == p || strings.HasPrefix(id.Key(), p+"/") })
		k := x.kinds[strings.ToLower(id.Type())]
		if !wanted || k == nil || !x.exportable(k, e.Resource) || !may.below(operationOf(k.Type, "read"), id) {
			continue
		}
		if len(x.order) == maxExport {
			return badRequest("ExportTemplateTooManyResources", "The export has more than %d resources; name fewer of them.", maxExport) // code unconfirmed
		}
		p := &exportedPart{id: id, kind: k, doc: x.written(k, e.Resource), on: map[string]bool{}}
		x.parts[id.Key()] = p
		x.order = append(x.order, p)
	}
	return nil
}

// exportable reports whether a resource is one that a template makes: not of
// the kinds that only the server writes, nor an extension of another resource.
func (x *templateExport) exportable(k *kind, r *model.Resource) bool {
	if strings.Count(strings.ToLower(r.ID.String()), "/providers/") > 1 {
		return false
	}
	top := k
	for top.parent != nil {
		top = top.parent
	}
	if text(r.Properties(), "replicationRole") == roleSecondary {
		return false // the other side of a failover group, which makes it
	}
	return top.tracked() && !k.ReadOnly && k.Derived == nil && k.held(r.ID, r.Doc, false) == nil
}

// written is what a client would write to have a resource again: what is both
// stored and shown, without what only the server says.
func (x *templateExport) written(k *kind, r *model.Resource) map[string]any {
	own, _ := inBoth(r.Doc, x.kinds.shown(x.view, r)).(map[string]any)
	own = model.CloneJSON(own).(map[string]any)
	for _, name := range []string{"id", "name", "type", "etag", "systemData"} {
		delete(own, name)
	}
	bareIdentity(own)
	if p := object(own, "properties"); p != nil {
		withoutServers(k, p)
		withoutChosen(p)
		if k.Type == model.TypePublicIP || k.Type == typePublicPrefix {
			delete(p, "ipAddress")
			delete(p, "ipPrefix")
		}
		withoutOwnIDs(p, r.ID.Key()+"/")
	}
	return own
}

// inBoth is what a has that b has, too, with the values of b.
func inBoth(a, b any) any {
	switch b := b.(type) {
	case map[string]any:
		was, ok := a.(map[string]any)
		if !ok {
			return b
		}
		out := map[string]any{}
		for name, v := range b {
			if w, ok := was[name]; ok {
				out[name] = inBoth(w, v)
			}
		}
		return out
	case []any:
		was, ok := a.([]any)
		if !ok || len(was) != len(b) {
			return b
		}
		out := make([]any, len(b))
		for i := range b {
			out[i] = inBoth(was[i], b[i])
		}
		return out
	default:
		return b
	}
}

// withoutServers takes out of "properties" what a kind's server fills in, in
// inline children as well.
func withoutServers(k *kind, p map[string]any) {
	for _, name := range append([]string{"provisioningState", "resourceGuid"}, k.Computed...) {
		delete(p, name)
	}
	for _, in := range k.inlined() {
		for _, o := range objects(p, in.Inline) {
			if in.Shared && !strings.EqualFold(text(o, "type"), in.Type) {
				continue
			}
			if below := object(o, "properties"); below != nil {
				withoutServers(in, below)
			}
		}
	}
}

// withoutChosen takes out addresses that Azure chose: somebody else may have them
// by the time the template is deployed.
func withoutChosen(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			withoutChosen(e)
		}
	case map[string]any:
		if strings.EqualFold(text(v, "privateIPAllocationMethod"), "Dynamic") {
			delete(v, "privateIPAddress")
		}
		for _, e := range v {
			withoutChosen(e)
		}
	}
}

// withoutOwnIDs takes IDs, etags and states from what is named inside a resource.
func withoutOwnIDs(v any, prefix string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			withoutOwnIDs(e, prefix)
		}
	case map[string]any:
		if text(v, "name") != "" && strings.HasPrefix(strings.ToLower(text(v, "id")), prefix) {
			delete(v, "id")
			delete(v, "etag")
			delete(object(v, "properties"), "provisioningState")
		}
		for _, e := range v {
			withoutOwnIDs(e, prefix)
		}
	}
}

// bareIdentity leaves of a managed identity what a client says of it.
func bareIdentity(doc map[string]any) {
	identity := object(doc, "identity")
	if identity == nil {
		return
	}
	delete(identity, "principalId")
	delete(identity, "tenantId")
	for id := range object(identity, "userAssignedIdentities") {
		object(identity, "userAssignedIdentities")[id] = map[string]any{}
	}
}
