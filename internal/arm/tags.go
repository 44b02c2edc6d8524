package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// typeTags is the type of a resource's tags seen as a resource of their own.
const typeTags = "Microsoft.Resources/tags"

// typeSubscription is the type of a subscription seen as a resource.
const typeSubscription = "Microsoft.Resources/subscriptions"

// tagsOf answers for the tags of a resource or a resource group ("Tags - Create
// Or Update At Scope" and its neighbours).
func (c *call) tagsOf(scope model.ID) *Fault {
	k, f := c.s.kinds.of(scope)
	if f != nil {
		return f
	}
	if k.child() || k.Inline != "" {
		return badRequest("InvalidResourceType", "Resources of type '%s' have no tags.", k.Type) // code unconfirmed
	}
	var change func(old map[string]any) (map[string]any, *Fault)
	switch c.r.Method {
	case http.MethodGet:
		r, ok := tagged(c.s.store.View(), scope)
		if !ok {
			return notFound(scope, false)
		}
		c.answerTags(r)
		return nil
	case http.MethodDelete:
		change = func(map[string]any) (map[string]any, *Fault) { return map[string]any{}, nil }
	case http.MethodPut, http.MethodPatch:
		body, f := readBody(c.w, c.r)
		if f != nil {
			return f
		}
		given, isObject := object(body, "properties")["tags"].(map[string]any)
		if !isObject {
			return badRequest("InvalidRequestContent", "The request content was invalid: properties.tags must be an object of tags.")
		}
		operation := "Replace"
		if c.r.Method == http.MethodPatch {
			operation = text(body, "operation")
		}
		change = func(old map[string]any) (map[string]any, *Fault) { return changeTags(operation, old, given) }
	default:
		return methodNotAllowed(c.r.Method, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	var out *model.Resource
	f = c.update(func(tx *state.Tx) *Fault {
		r, ok := tagged(tx, scope)
		if !ok {
			return notFound(scope, false)
		}
		ch := c.s.newChange(tx, k, r.ID, c.actor())
		ch.old = r.Doc
		ch.doc = shallow(ch.old)
		if p, ok := ch.old["properties"]; ok {
			ch.doc["properties"] = model.CloneJSON(p)
		}
		tags, f := change(object(ch.old, "tags"))
		if f != nil {
			return f
		}
		ch.doc["tags"] = tags
		_, f = ch.store()
		out = &model.Resource{ID: ch.id, Doc: ch.doc}
		return f
	})
	if f != nil {
		return f
	}
	if c.r.Method == http.MethodDelete {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	c.answerTags(out)
	return nil
}

// tagged returns what has the tags: a document, or a subscription without one.
func tagged(v viewer, scope model.ID) (*model.Resource, bool) {
	if e, ok := v.Get(scope); ok {
		return e.Resource, true
	}
	return &model.Resource{ID: scope, Doc: map[string]any{}}, scope.Is(typeSubscription)
}

// changeTags returns what becomes of a resource's tags. Names of tags ignore
// case; their values do not.
func changeTags(operation string, old, given map[string]any) (map[string]any, *Fault) {
	out := map[string]any{}
	if !strings.EqualFold(operation, "Replace") {
		for name, value := range old {
			out[name] = value
		}
	}
	for name, value := range given {
		present, was := "", any(nil)
		for n, v := range out {
			if strings.EqualFold(n, name) {
				present, was = n, v
			}
		}
		switch {
		case strings.EqualFold(operation, "Replace"), strings.EqualFold(operation, "Merge"):
			delete(out, present)
			out[name] = value
		case strings.EqualFold(operation, "Delete"):
			// A value that is given must be the tag's.
			if value == nil || value == "" || value == was {
				delete(out, present)
			}
		default:
			return nil, badRequest("InvalidRequestContent", "The request content was invalid: the operation '%s' is not one of Replace, Merge and Delete.", operation)
		}
	}
	return out, nil
}

func (c *call) answerTags(r *model.Resource) {
	tags := object(r.Doc, "tags")
	if tags == nil {
		tags = map[string]any{}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{
		"id": r.ID.String() + "/providers/" + typeTags + "/default", "name": "default", "type": typeTags,
		"properties": map[string]any{"tags": tags},
	})
}
