package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// remove deletes a resource, with everything below it.
func (c *call) remove(k *kind, id model.ID) *Fault {
	if k.ReadOnly {
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
	if f := c.holdKept(id); f != nil {
		return f
	}
	var gone *model.Resource
	f := c.update(func(tx *state.Tx) *Fault {
		if g := id.ResourceGroup(); g != "" && k.Type != model.TypeResourceGroup {
			if group := model.GroupID(c.subscription, g); !has(tx, group) {
				return notFound(group, false)
			}
		}
		old, ok := lookup(tx, k, id)
		if !ok {
			return c.conditions(id, nil)
		}
		id := model.MustParseID(text(old, "id"))
		if f := c.conditions(id, old); f != nil {
			return f
		}
		if f := k.held(id, old, true); f != nil {
			return f
		}
		gone = &model.Resource{ID: id, Doc: old}
		ch := c.s.newChange(tx, k, id, c.actor())
		if k.Inline != "" {
			_, f := c.storeInline(ch, nil)
			return f
		}
		return ch.delete(old, strings.EqualFold(c.r.URL.Query().Get("force"), "true"))
	})
	switch {
	case f != nil:
		return f
	case gone == nil && k.Type == model.TypeResourceGroup:
		return notFound(model.GroupID(c.subscription, id.Name()), false)
	case gone == nil:
		c.w.WriteHeader(http.StatusNoContent)
	case k.SyncDelete && k.LastWords:
		return c.answer(http.StatusOK, k, gone, false)
	case k.SyncDelete:
		c.w.WriteHeader(http.StatusOK)
	default:
		c.accept(operationWrite, c.s.takes(k.Type, timedDeletion), k.namespace(), gone.Location(), true)
		if k.Type == model.TypeResourceGroup {
			// Resource Manager itself gives only a Location.
			h := c.w.Header()
			name := c.s.operations.name(operationWrite, c.s.now().Add(c.s.takes(k.Type, timedDeletion)))
			h.Del("Azure-AsyncOperation")
			h.Set("Location", c.base+"/subscriptions/"+c.subscription+"/operationresults/"+name+"?api-version="+c.version)
		}
		c.w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

func has(v viewer, id model.ID) bool {
	_, ok := v.Get(id)
	return ok
}

// delete removes the document and everything below it. Nothing outside may
// refer to any of it.
func (c *change) delete(old map[string]any, force bool) *Fault {
	c.old = old
	var doomed []state.Entry
	for e := range c.tx.List(c.id.Key()+"/", "") {
		k := c.kinds[strings.ToLower(e.Resource.Type())]
		if k != nil && k.Block && k.parent == c.kind {
			return fault(http.StatusConflict, "CannotDeleteResource",
				"Can not delete resource before nested resources are deleted. Resource %s still has %s.", c.id, e.Resource.ID)
		}
		doomed = append(doomed, e)
	}
	if e, ok := c.tx.Get(c.id); ok {
		doomed = append(doomed, e)
	}
	within := func(id model.ID) bool {
		return id.Equal(c.id) || strings.HasPrefix(id.Key(), c.id.Key()+"/")
	}
	if !force {
		if f := c.checkDoomed(doomed, within); f != nil {
			return f
		}
	}
	for _, e := range doomed {
		c.tx.Delete(e.Resource.ID)
	}
	for _, e := range doomed {
		k := c.kinds[strings.ToLower(e.Resource.Type())]
		if k == nil || k.Settle == nil {
			continue
		}
		part := &change{kinds: c.kinds, tx: c.tx, kind: k, id: e.Resource.ID, old: e.Resource.Doc, etag: c.etag, by: c.by, root: c.root}
		if f := k.Settle(part); f != nil {
			return f
		}
	}
	return nil
}

// checkDoomed refuses to delete what others still refer to.
func (c *change) checkDoomed(doomed []state.Entry, within func(model.ID) bool) *Fault {
	var blocked []wire.Error
	for _, e := range doomed {
		k := c.kinds[strings.ToLower(e.Resource.Type())]
		if k == nil {
			continue
		}
		try := func(k *kind, id model.ID) {
			if k.InUse == nil {
				return
			}
			if users := usersOf(c.kinds, c.tx.View, id, within); len(users) > 0 {
				blocked = append(blocked, k.InUse(id, users).Err)
			}
		}
		try(k, e.Resource.ID)
		for _, in := range k.inlined() {
			for _, o := range objects(e.Resource.Properties(), in.Inline) {
				try(in, e.Resource.ID.Child(in.leaf(), text(o, "name")))
			}
		}
	}
	switch {
	case len(blocked) == 0:
		return nil
	case c.kind.Type == model.TypeResourceGroup:
		f := fault(http.StatusConflict, "ResourceGroupDeletionBlocked",
			"Deletion of resource group '%s' failed as resources outside of it use resources within. Please see details.", c.id.Name())
		f.Err.Details = blocked
		return f
	default:
		return &Fault{Status: http.StatusBadRequest, Err: blocked[0]}
	}
}
