package arm

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// path leads to a property of a document; "*" stands for every element of a
// list.
type path []string

func parsePath(s string) path { return strings.Split(s, ".") }

// each calls fn with the strings at the path.
func (p path) each(v any, fn func(string)) {
	if len(p) == 0 {
		if s, ok := v.(string); ok && s != "" {
			fn(s)
		}
		return
	}
	if p[0] == "*" {
		list, _ := v.([]any)
		for _, e := range list {
			p[1:].each(e, fn)
		}
		return
	}
	if m, ok := v.(map[string]any); ok {
		p[1:].each(m[p[0]], fn)
	}
}

// object returns the object at a property, or nil.
func object(m map[string]any, name string) map[string]any {
	o, _ := m[name].(map[string]any)
	return o
}

// text returns the string at a property, or "".
func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// objects returns the objects of a list property; elements of other types are
// left out.
func objects(m map[string]any, name string) []map[string]any {
	list, _ := m[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// refID returns the "id" of a reference property, or "".
func refID(m map[string]any, name string) string { return text(object(m, name), "id") }

// setDefault sets a property below an object if it is absent or null: the
// providers read both as not given where they have a default. "*" in the path
// stands for every element of a list. Nothing is set where there is no object.
func setDefault(m map[string]any, at string, value any) {
	if m == nil {
		return
	}
	first, rest, deeper := strings.Cut(at, ".")
	if below, ok := strings.CutPrefix(rest, "*."); ok {
		for _, o := range objects(m, first) {
			setDefault(o, below, value)
		}
		return
	}
	if !deeper {
		if m[first] == nil {
			m[first] = model.CloneJSON(value)
		}
		return
	}
	next, ok := m[first].(map[string]any)
	if !ok {
		if m[first] != nil {
			return
		}
		next = map[string]any{}
		m[first] = next
	}
	setDefault(next, rest, value)
}

// byName returns the elements of a list property by lower-case name.
func byName(m map[string]any, property string) map[string]map[string]any {
	list := objects(m, property)
	out := make(map[string]map[string]any, len(list))
	for _, o := range list {
		out[strings.ToLower(text(o, "name"))] = o
	}
	return out
}

// named returns the element of a list property with a name, ignoring case, and
// its index.
func named(m map[string]any, property, name string) (map[string]any, int) {
	list, _ := m[property].([]any)
	for i, e := range list {
		if o, ok := e.(map[string]any); ok && strings.EqualFold(text(o, "name"), name) {
			return o, i
		}
	}
	return nil, -1
}

// whole reads a whole number of a document.
func whole(v any) (int, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.Atoi(v.String())
		return n, err == nil
	case float64:
		return int(v), float64(int(v)) == v
	default:
		return 0, false
	}
}
