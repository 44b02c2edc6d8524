package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// derived is how resources without documents are shown and written.
type derived struct {
	// list gives the resources below a parent, in order of names; the reading is
	// of the parent.
	list func(*reading) []map[string]any
	// write puts a document, or deletes the resource if it is nil. The change is
	// of the resource, which exists; it stores nothing by itself.
	write func(c *change, doc map[string]any) *Fault
}

// held says why clients cannot change or delete a resource, or nothing.
func (k *kind) held(id model.ID, doc map[string]any, deletion bool) *Fault {
	if k.Hold == nil {
		return nil
	}
	return k.Hold(id, doc, deletion)
}

func (k *kind) derivedNamed(r *reading, name string) map[string]any {
	for _, o := range k.Derived.list(r) {
		if strings.EqualFold(text(o, "name"), name) {
			return o
		}
	}
	return nil
}

// derived answers a request for one resource without a document.
func (c *call) derived(k *kind, id model.ID) *Fault {
	v := c.s.store.View()
	if g := id.ResourceGroup(); g != "" {
		if group := model.GroupID(c.subscription, g); !has(v, group) {
			return notFound(group, false)
		}
	}
	e, ok := v.Get(id.Parent())
	if !ok {
		return notFound(id.Parent(), k.parent.child())
	}
	parent := e.Resource.ID
	doc := k.derivedNamed(&reading{c.s.kinds, v, parent}, id.Name())
	switch c.r.Method {
	case http.MethodGet, http.MethodPut:
		if doc == nil {
			return notFound(id, true)
		}
	case http.MethodDelete:
		if doc == nil {
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		}
	default:
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
	if c.r.Method == http.MethodGet {
		writeJSON(c.w, http.StatusOK, doc)
		return nil
	}
	var body map[string]any
	if c.r.Method == http.MethodPut {
		var f *Fault
		if body, f = readBody(c.w, c.r); f != nil {
			return f
		}
	}
	f := c.update(func(tx *state.Tx) *Fault {
		ch := c.s.newChange(tx, k, model.MustParseID(text(doc, "id")), c.actor())
		return k.Derived.write(ch, body)
	})
	switch {
	case f != nil:
		return f
	case body == nil && k.SyncDelete:
		c.w.WriteHeader(http.StatusOK)
	case body == nil:
		return c.acceptEmpty(&model.Resource{ID: id, Doc: map[string]any{}})
	default:
		if !k.Sync {
			c.accept(operationWrite, c.s.takes(k.Type, timedChange), k.namespace(), "", false)
		}
		writeJSON(c.w, http.StatusOK, k.derivedNamed(&reading{c.s.kinds, c.s.store.View(), parent}, id.Name()))
	}
	return nil
}
