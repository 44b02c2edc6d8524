package plan

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// references returns the IDs a document refers to, in document order of sorted
// property names, without the resource itself and what is below it. What the
// server fills in (the subnets an NSG is attached to) is not a reference: it
// points against the direction of dependency.
func references(r *model.Resource, declared bool) []model.ID {
	w := walker{own: r.ID.Key(), declared: declared, seen: map[string]bool{}}
	facts := factsOf(r.ID)
	for _, k := range sortedKeys(r.Doc) {
		if k != "id" && k != "name" && k != "type" && k != "tags" {
			w.walk(facts.child(k), r.Doc[k])
		}
	}
	return w.out
}

type walker struct {
	own      string
	declared bool // a declared document means what it says, even in filled properties
	seen     map[string]bool
	out      []model.ID
}

func (w *walker) walk(n *node, v any) {
	if n.isFilled() && !w.declared {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if everywhere(k) && !w.declared {
				continue
			}
			w.walk(n.child(k), v[k])
		}
	case []any:
		for _, e := range v {
			w.walk(n.child("*"), e)
		}
	case string:
		if !isID(v) {
			return
		}
		id, err := model.ParseID(v)
		if err != nil {
			return
		}
		key := id.Key()
		if key == w.own || strings.HasPrefix(key, w.own+"/") || w.seen[key] {
			return
		}
		w.seen[key] = true
		w.out = append(w.out, id)
	}
}

// ancestors calls yield with the key of id and of every ID above it, nearest
// first, until yield returns false.
func ancestors(id model.ID, yield func(key string) bool) {
	for !id.IsZero() {
		if !yield(id.Key()) {
			return
		}
		id = id.Parent()
	}
}

// catalog finds resources by ID.
type catalog map[string]*model.Resource

func catalogOf(rs []*model.Resource) catalog {
	c := make(catalog, len(rs))
	for _, r := range rs {
		c[r.ID.Key()] = r
	}
	return c
}

// holder returns the key of the resource that an ID names or that holds it: a
// reference to a subnet that is inline in a virtual network is a reference to
// the network.
func (c catalog) holder(id model.ID) (key string, ok bool) {
	ancestors(id, func(k string) bool {
		if _, found := c[k]; found {
			key, ok = k, true
		}
		return !ok
	})
	return key, ok
}

// find returns the resource with an ID. A child that only appears inline in
// its parent's document is returned as a resource of its own.
func (c catalog) find(id model.ID) *model.Resource {
	if r, ok := c[id.Key()]; ok {
		return r
	}
	array, ok := inlineChildren[strings.ToLower(id.Type())]
	if !ok {
		return nil
	}
	parent, ok := c[id.Parent().Key()]
	if !ok {
		return nil
	}
	list, _ := parent.Properties()[array].([]any)
	for _, e := range list {
		doc, _ := e.(map[string]any)
		if name, _ := doc["name"].(string); strings.EqualFold(name, id.Name()) {
			return &model.Resource{ID: id, Doc: doc}
		}
	}
	return nil
}
