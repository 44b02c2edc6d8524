package template

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// resourceSet are the resources of a deployment, those that are off included.
type resourceSet struct {
	all   []*Resource
	empty []string // names of loops without a copy
}

// distinct refuses two resources of one ID.
func (rs *resourceSet) distinct(t *Template) error {
	seen := map[string]*Resource{}
	for _, r := range rs.all {
		if r.off || r.Existing {
			continue
		}
		if other := seen[r.ID.Key()]; other != nil {
			return t.doc.wrong(InvalidTemplate, r.Path, "the resource '%s' is defined multiple times in the template: see %s", r.ID, other.Path)
		}
		seen[r.ID.Key()] = r
	}
	return nil
}

// ofLoop returns the resources of a loop, or of one symbolic name.
func (rs *resourceSet) ofLoop(name string) []*Resource {
	var out []*Resource
	for _, r := range rs.all {
		if strings.EqualFold(r.symbol, name) && name != "" || strings.EqualFold(r.loop, name) && name != "" {
			out = append(out, r)
		}
	}
	return out
}

// named returns what a name in dependsOn or reference() stands for: a symbolic
// name, one copy of it ("spokes[2]"), a loop, an ID, or a resource's name with or
// without its type.
func (rs *resourceSet) named(name string) []*Resource {
	base, at, ok := strings.Cut(name, "[")
	if i, err := strconv.Atoi(strings.TrimSuffix(at, "]")); ok && err == nil && strings.HasSuffix(at, "]") {
		for _, r := range rs.all {
			if strings.EqualFold(r.symbol, base) && r.index == i {
				return []*Resource{r}
			}
		}
	}
	if out := rs.ofLoop(name); out != nil {
		return out
	}
	if id, err := model.ParseID(name); err == nil {
		var out []*Resource
		for _, r := range rs.all {
			if r.ID.Equal(id) {
				out = append(out, r)
			}
		}
		return out
	}
	key := strings.ToLower(strings.Trim(name, "/"))
	var out []*Resource
	for _, r := range rs.all {
		kind, full := strings.ToLower(r.ID.Type()), strings.ToLower(namesOf(r.ID))
		if key == full || key == kind+"/"+full || key == strings.ToLower(r.ID.Name()) || strings.HasSuffix(r.ID.Key(), "/providers/"+key) {
			out = append(out, r)
		}
	}
	return out
}

// namesOf is the name of a resource as templates write it: with its parents'.
func namesOf(id model.ID) string {
	segments := strings.Split(id.String(), "/providers/")
	parts := strings.Split(segments[len(segments)-1], "/")
	var names []string
	for i := 2; i < len(parts); i += 2 {
		names = append(names, parts[i])
	}
	return strings.Join(names, "/")
}

// target returns the resource that reference() and list*() mean, nil if it is
// none of the template's.
func (rs *resourceSet) target(name string) (model.ID, *Resource, error) {
	for _, r := range rs.named(name) {
		return r.ID, r, nil
	}
	id, err := model.ParseID(name)
	if err != nil {
		return model.ID{}, nil, faultf(InvalidTemplate, "the resource '%s' is not defined in the template, and is no resource ID", name)
	}
	return id, nil, nil
}

// connect finds what every resource depends on: what it says, and what its
// expressions refer to.
func (rs *resourceSet) connect(t *Template) error {
	for _, r := range rs.all {
		if r.off {
			continue
		}
		for _, name := range r.names {
			found := rs.named(name)
			if len(found) == 0 && !slices.ContainsFunc(rs.empty, func(e string) bool { return e != "" && strings.EqualFold(e, name) }) {
				return t.doc.wrong(InvalidTemplate, r.Path+".dependsOn", "the resource '%s' is not defined in the template", name)
			}
			r.depend(found)
		}
		for name, v := range r.body {
			if slices.Contains(control, strings.ToLower(name)) {
				continue
			}
			if props, ok := v.(map[string]any); ok && r.nested() && strings.EqualFold(name, "properties") && ownScope(props) {
				v = without(props, "template")
			}
			rs.implied(r, v)
		}
		slices.SortFunc(r.DependsOn, func(a, b *Resource) int { return slices.Index(rs.all, a) - slices.Index(rs.all, b) })
	}
	return nil
}

func (r *Resource) depend(on []*Resource) {
	for _, d := range on {
		if d != r && !d.off && !slices.Contains(r.DependsOn, d) {
			r.DependsOn = append(r.DependsOn, d)
		}
	}
}

// implied adds what the expressions in a value refer to.
func (rs *resourceSet) implied(r *Resource, v any) {
	switch v := v.(type) {
	case string:
		inner, is := isExpression(v)
		if !is {
			return
		}
		n, err := r.scope.t.expression(inner)
		if err != nil {
			return // evaluation says so
		}
		n.each(func(f *node) {
			name := strings.ToLower(f.text)
			if f.kind != call || len(f.args) == 0 || !(name == "reference" || name == "references" || strings.HasPrefix(name, "list")) {
				return
			}
			if to, err := r.scope.eval(f.args[0]); err == nil {
				text, _ := to.(string)
				r.depend(rs.named(text))
				return
			}
			// It needs an index that is not known here: all it may mean.
			f.args[0].each(func(part *node) {
				if part.kind == literalText {
					base, _, _ := strings.Cut(part.text, "[")
					r.depend(rs.ofLoop(base))
				}
			})
		})
	case []any:
		for _, e := range v {
			rs.implied(r, e)
		}
	case map[string]any:
		for k, e := range v {
			rs.implied(r, k)
			rs.implied(r, e)
		}
	}
}

// ordered returns the resources that are deployed, each after what it depends
// on, and otherwise as they are declared.
func (rs *resourceSet) ordered(t *Template) ([]*Resource, error) {
	const (
		new = iota
		open
		done
	)
	state := map[*Resource]int{}
	var out []*Resource
	var visit func(r *Resource, chain []string) error
	visit = func(r *Resource, chain []string) error {
		chain = append(chain, r.ID.Name())
		switch state[r] {
		case done:
			return nil
		case open:
			return t.doc.wrong(InvalidTemplate, r.Path, "a circular dependency was detected: %s", strings.Join(chain, " needs "))
		}
		state[r] = open
		for _, d := range r.DependsOn {
			if err := visit(d, chain); err != nil {
				return err
			}
		}
		state[r] = done
		if !r.off {
			out = append(out, r)
		}
		return nil
	}
	for _, r := range rs.all {
		if err := visit(r, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}
