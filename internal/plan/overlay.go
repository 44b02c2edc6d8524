package plan

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// overlay returns the document to send for an update: the observed one with
// the declared one laid over it. A PUT replaces the whole resource, so what
// the declaration says nothing about has to be sent back as it was found,
// without what only the server fills in and without etags (Azure takes an etag
// in a body as If-Match).
func overlay(want, have *model.Resource, sc scope) *model.Resource {
	o := overlayer{sc}
	facts := factsOf(want.ID)
	doc := o.object(facts, want.Doc, have.Doc)
	doc["id"], doc["name"], doc["type"] = want.ID.String(), want.ID.Name(), want.ID.Type()
	if tags := o.tags(want, have); len(tags) > 0 || have.Doc["tags"] != nil {
		doc["tags"] = tags
	}
	out := *want
	out.Doc = doc
	return &out
}

type overlayer struct{ scope }

func (o overlayer) tags(want, have *model.Resource) map[string]any {
	out := map[string]any{}
	declared := foldTags(want.Tags())
	for name, value := range have.Tags() {
		if _, ok := declared[strings.ToLower(name)]; !ok && o.keepsTag(strings.ToLower(name)) {
			out[name] = value
		}
	}
	for name, value := range want.Tags() {
		out[name] = value
	}
	return out
}

func (o overlayer) value(n *node, key string, want, have any) any {
	if n.isWhole() {
		return model.CloneJSON(want)
	}
	switch w := want.(type) {
	case map[string]any:
		if h, ok := have.(map[string]any); ok {
			return o.object(n, w, h)
		}
	case []any:
		if h, ok := have.([]any); ok {
			return o.array(n, key, w, h)
		}
	}
	return model.CloneJSON(want)
}

func (o overlayer) object(n *node, want, have map[string]any) map[string]any {
	out := make(map[string]any, len(want)+len(have))
	for k, h := range have {
		if _, declared := want[k]; declared || everywhere(k) || n.child(k).isFilled() {
			continue
		}
		if v := o.undeclared(n.child(k), k, h); v != nil {
			out[k] = v
		}
	}
	for _, f := range forms {
		if _, key := form(want, f.one, f.many); key != "" {
			delete(out, f.one)
			delete(out, f.many)
		}
	}
	for k, w := range want {
		if w != nil && !everywhere(k) {
			out[k] = o.value(n.child(k), k, w, have[k])
		}
	}
	return out
}

// undeclared returns what is sent for an observed property the declaration
// leaves out; nil leaves it out too.
func (o overlayer) undeclared(n *node, key string, have any) any {
	if h, ok := have.(map[string]any); ok {
		if id, _ := h["id"].(string); n != nil && n.link && id != "" && o.owned(id) {
			return nil
		}
		if n == nil || n.absent == nil {
			return o.object(n, map[string]any{}, h)
		}
	}
	if _, list := have.([]any); list && o.apart != nil && o.apart(key) {
		return o.clean(n, have)
	}
	if n != nil && n.absent != nil && !n.accepts(key, have) {
		return n.absent[0]
	}
	return o.clean(n, have)
}

// clean copies an observed value without what the server fills in.
func (o overlayer) clean(n *node, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if !everywhere(k) && !n.child(k).isFilled() {
				out[k] = o.clean(n.child(k), e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = o.clean(n.child("*"), e)
		}
		return out
	default:
		return v
	}
}

func (o overlayer) array(n *node, key string, want, have []any) []any {
	out := make([]any, 0, len(want))
	keyOf := elementKey(key, want, have)
	found := map[string]any{}
	if keyOf != nil {
		for _, e := range have {
			found[keyOf(e)] = e
		}
	}
	for _, w := range want {
		if keyOf != nil {
			if h, ok := found[keyOf(w)]; ok {
				out = append(out, o.value(n.child("*"), key, w, h))
				continue
			}
		}
		out = append(out, model.CloneJSON(w))
	}
	return out
}
