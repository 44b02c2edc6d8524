package arm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// update runs fn inside one store update.
func (c *call) update(fn func(*state.Tx) *Fault) *Fault {
	_, err := c.s.store.Update(c.actor(), func(tx *state.Tx) error {
		if f := fn(tx); f != nil {
			return f
		}
		return nil
	})
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return fault(http.StatusServiceUnavailable, "ServiceUnavailable", "The change could not be stored: %v.", err)
}

// newChange is a change by the caller, with the caller's rights.
func (c *call) newChange(tx *state.Tx, k *kind, id model.ID) *change {
	ch := c.s.newChange(tx, k, id, c.actor())
	ch.rights = c.rights()
	return ch
}

// put creates or replaces a resource.
func (c *call) put(k *kind, id model.ID) *Fault {
	if k.ReadOnly {
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
	if f := k.checkName(id.Name()); f != nil {
		return f
	}
	if k.Write != nil {
		return k.Write(c, k, id)
	}
	body, f := readBody(c.w, c.r)
	if f != nil && k.MaybeBody && f.Err.Code == codeNoBody {
		body, f = map[string]any{}, nil
	}
	if f != nil {
		return f
	}
	if f := c.holdKept(id); f != nil {
		return f
	}
	var prepared any
	if k.Prepare != nil {
		if prepared, f = k.Prepare(c, id, body); f != nil {
			return f
		}
	}
	var created, changed bool
	var out *model.Resource
	f = c.update(func(tx *state.Tx) *Fault {
		id, f := c.canonical(tx.View, k, id)
		if f != nil {
			return f
		}
		old, exists := lookup(tx, k, id)
		if exists {
			id = model.MustParseID(text(old, "id"))
			if f := k.held(id, old, false); f != nil {
				return f
			}
		}
		if f := c.conditions(id, old); f != nil {
			return f
		}
		created = !exists
		ch := c.newChange(tx, k, id)
		ch.prepared = prepared
		if k.Inline == "" {
			ch.old, ch.doc = old, body
			changed, f = ch.store()
			out = &model.Resource{ID: ch.id, Doc: ch.doc}
			return f
		}
		changed, f = c.storeInline(ch, body)
		out = &model.Resource{ID: id, Doc: inlineDoc(ch, k, id)}
		return f
	})
	if f != nil {
		return f
	}
	// 202 without an operation to ask would never end.
	async := !k.Sync && (changed || !created && k.Updated == http.StatusAccepted)
	if async {
		takes := c.s.takes(k.Type, timedChange)
		if created {
			takes = c.s.takes(k.Type, timedCreation)
		}
		c.accept(operationWrite, takes, k.namespace(), c.locationOf(out), false)
		c.s.pending.add(out.ID.Key(), c.s.now(), takes)
	}
	status := http.StatusOK
	switch {
	case created && k.Created != 0:
		status = k.Created
	case created:
		status = http.StatusCreated
	case k.Updated != 0:
		status = k.Updated
	}
	return c.answer(status, k, out, async)
}

// storeInline writes an inline child by writing its parent with the child in
// place. ch is the child's change and becomes the parent's.
func (c *call) storeInline(ch *change, child map[string]any) (bool, *Fault) {
	in, id := ch.kind, ch.id
	parent := id.Parent()
	e, ok := ch.tx.Get(parent)
	if !ok {
		return false, parentNotFound(parent)
	}
	ch.kind, ch.id, ch.via = in.parent, e.Resource.ID, id
	ch.old = e.Resource.Doc
	ch.doc, _ = model.CloneJSON(ch.old).(map[string]any)
	props := ch.props()
	list, _ := props[in.Inline].([]any)
	_, i := named(props, in.Inline, id.Name())
	switch {
	case child == nil:
		list = append(list[:i:i], list[i+1:]...)
	case i < 0:
		child["name"] = id.Name()
		list = append(list, child)
	default:
		child["name"] = id.Name()
		list[i] = child
	}
	if child != nil && in.Shared {
		child["type"] = in.Type
	}
	props[in.Inline] = list
	return ch.store()
}

// inlineDoc returns an inline child of a stored change.
func inlineDoc(ch *change, in *kind, id model.ID) map[string]any {
	o, _ := named(object(ch.doc, "properties"), in.Inline, id.Name())
	return o
}

// lookup returns the document of a resource, inline or its own.
func lookup(v viewer, k *kind, id model.ID) (map[string]any, bool) {
	if k.Inline == "" {
		e, ok := v.Get(id)
		if !ok {
			return nil, false
		}
		return e.Resource.Doc, true
	}
	e, ok := v.Get(id.Parent())
	if !ok {
		return nil, false
	}
	o, i := named(e.Resource.Properties(), k.Inline, id.Name())
	if i < 0 || k.Shared && !strings.EqualFold(text(o, "type"), k.Type) {
		return nil, false
	}
	return o, true
}

// canonical returns the ID a new resource gets: the stored spelling of what it
// is below, the type as Azure spells it, the name as given. It refuses IDs
// below something that does not exist.
func (c *call) canonical(v *state.View, k *kind, id model.ID) (model.ID, *Fault) {
	if k.Type == model.TypeResourceGroup {
		return model.GroupID(c.subscription, id.Name()), nil
	}
	if g := id.ResourceGroup(); g != "" {
		if _, ok := v.Get(model.GroupID(c.subscription, g)); !ok {
			return id, notFound(model.GroupID(c.subscription, g), false)
		}
	}
	up := id.Parent()
	if up.IsZero() && k.Place&inTenant != 0 {
		return up.Resource(k.Type, id.Name()), nil
	}
	scope := up
	if e, ok := v.Get(up); ok {
		scope = e.Resource.ID
	} else if up.Equal(c.s.managementRoot()) {
		scope = c.s.managementRoot()
	} else if uk := c.s.kinds[strings.ToLower(up.Type())]; uk != nil && uk.Inline != "" && k.Place&onResource != 0 {
		doc, ok := lookup(v, uk, up)
		if !ok {
			return id, parentNotFound(up)
		}
		scope = model.MustParseID(text(doc, "id"))
	} else if up.Is(typeSubscription) {
		scope = model.SubscriptionID(c.subscription)
	} else {
		return id, parentNotFound(up)
	}
	if k.child() {
		return scope.Child(k.leaf(), id.Name()), nil
	}
	at := onResource
	switch {
	case scope.Is(model.TypeResourceGroup):
		at = inGroup
	case scope.ResourceGroup() == "" && scope.Is(typeSubscription):
		at = inSubscription
	case scope.Is(model.TypeManagementGroup):
		at = inManagementGroup
	}
	if k.Place&at == 0 {
		return id, badRequest("InvalidResourceScope", "A resource of type '%s' cannot be placed at '%s'.", k.Type, scope)
	}
	return scope.Resource(k.Type, id.Name()), nil
}

// conditions checks If-Match and If-None-Match; old is nil if there is no
// resource.
func (c *call) conditions(id model.ID, old map[string]any) *Fault {
	current := text(old, "etag")
	if v := c.r.Header.Get("If-Match"); v != "" && (old == nil || !etagIn(v, current)) {
		return preconditionFailed(id, "if-match", v, current)
	}
	if v := c.r.Header.Get("If-None-Match"); v != "" && old != nil && etagIn(v, current) {
		return preconditionFailed(id, "if-none-match", v, current)
	}
	return nil
}

// etagIn reports whether a list of etags (RFC 9110 section 13.1.1) has one, or
// is "*". Etags compare weakly.
func etagIn(list, etag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || bareEtag(part) == bareEtag(etag) {
			return true
		}
	}
	return false
}

// patch sets the tags of a resource, or merges into types that allow it.
func (c *call) patch(k *kind, id model.ID) *Fault {
	if k.ReadOnly || k.Inline != "" && !k.MergePatch {
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	var prepared any
	if k.Prepare != nil && k.MergePatch && k.Inline == "" {
		if prepared, f = k.Prepare(c, id, body); f != nil {
			return f
		}
	}
	var out *model.Resource
	f = c.update(func(tx *state.Tx) *Fault {
		if k.Inline != "" {
			var f *Fault
			out, f = c.patchInline(tx, k, id, body)
			return f
		}
		e, ok := tx.Get(id)
		if !ok {
			return notFound(id, k.proxied())
		}
		if f := c.conditions(e.Resource.ID, e.Resource.Doc); f != nil {
			return f
		}
		if f := k.held(e.Resource.ID, e.Resource.Doc, false); f != nil && (k.Amend != nil || k.MergePatch) {
			return f // tags alone are the client's own
		}
		ch := c.newChange(tx, k, e.Resource.ID)
		ch.old, ch.prepared = e.Resource.Doc, prepared
		if k.Amend != nil {
			var f *Fault
			if ch.doc, f = k.Amend(ch.id, ch.old, body); f != nil {
				return f
			}
		} else if k.MergePatch {
			merged, _ := mergePatch(model.CloneJSON(ch.old), body).(map[string]any)
			if tags, given := body["tags"].(map[string]any); given {
				merged["tags"] = tags
			}
			for _, name := range k.Whole {
				if given, ok := object(body, "properties")[name].(map[string]any); ok {
					merged["properties"].(map[string]any)[name] = given
				}
			}
			ch.doc = merged
		} else {
			tags, only := body["tags"]
			if !only || len(body) > 1 {
				return badRequest("InvalidRequestFormat", "PATCH of type %s takes an object with \"tags\" and nothing else.", k.Type)
			}
			ch.doc = shallow(ch.old)
			ch.doc["tags"] = tags
			ch.doc["properties"] = model.CloneJSON(ch.old["properties"])
		}
		_, f := ch.store()
		out = &model.Resource{ID: ch.id, Doc: ch.doc}
		return f
	})
	if f != nil {
		return f
	}
	if k.Patched != 0 {
		c.accept(operationWrite, c.s.takes(k.Type, timedChange), k.namespace(), c.locationOf(out), true)
		return c.answer(k.Patched, k, out, false)
	}
	return c.answer(http.StatusOK, k, out, false)
}

// patchInline merges into an inline child.
func (c *call) patchInline(tx *state.Tx, k *kind, id model.ID, body map[string]any) (*model.Resource, *Fault) {
	old, ok := lookup(tx, k, id)
	if !ok {
		return nil, notFound(id, true)
	}
	id = model.MustParseID(text(old, "id"))
	if f := c.conditions(id, old); f != nil {
		return nil, f
	}
	ch := c.newChange(tx, k, id)
	merged, _ := mergePatch(model.CloneJSON(old), body).(map[string]any)
	_, f := c.storeInline(ch, merged)
	return &model.Resource{ID: id, Doc: inlineDoc(ch, k, id)}, f
}

// mergePatch is MergePatch of RFC 7396 section 2.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for name, v := range p {
		if v == nil {
			delete(t, name)
		} else {
			t[name] = mergePatch(t[name], v)
		}
	}
	return t
}

// answer writes a resource as the body of an answer.
func (c *call) answer(status int, k *kind, r *model.Resource, updating bool) *Fault {
	doc := c.shown(k, r)
	if updating && k.State && !k.Ready {
		doc = shallow(doc)
		p := shallow(object(doc, "properties"))
		p["provisioningState"] = "Updating"
		doc["properties"] = p
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return fault(http.StatusInternalServerError, "InternalServerError", "The resource could not be encoded: %v.", err)
	}
	if e := text(doc, "etag"); e != "" {
		c.w.Header().Set("ETag", e)
	}
	writeBytes(c.w, status, b)
	return nil
}

// locationOf returns the location of a resource, or of its parent.
func (c *call) locationOf(r *model.Resource) string {
	if l := r.Location(); l != "" {
		return l
	}
	v := c.s.store.View()
	for up := r.ID.Parent(); !up.IsZero(); up = up.Parent() {
		if e, ok := v.Get(up); ok {
			if l := e.Resource.Location(); l != "" {
				return l
			}
		}
	}
	return ""
}
