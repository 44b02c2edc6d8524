package arm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// exportSchema is the schema that exported templates name (Azure/azure-cli
// recordings).
const exportSchema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"

// template writes the chosen resources as a template that makes them again.
func (x *templateExport) template() map[string]any {
	for _, p := range x.order {
		x.refer(p)
	}
	for _, p := range x.inCircles() {
		x.split(p)
	}
	resources := make([]any, 0, len(x.order))
	for _, p := range x.order {
		resources = append(resources, x.resource(p))
	}
	return map[string]any{"$schema": exportSchema, "contentVersion": "1.0.0.0", "parameters": x.parameters, "variables": map[string]any{}, "resources": resources}
}

// refer notes what a part needs before it.
func (x *templateExport) refer(p *exportedPart) {
	clear(p.on)
	eachText(p.doc, func(s string) {
		if to, ok := x.within(s); ok && to != p {
			p.on[to.id.Key()] = true
		}
	})
	if up, ok := x.parts[p.id.Parent().Key()]; ok {
		p.on[up.id.Key()] = true
	}
}

// eachText calls fn with every string of a value, names of properties included.
func eachText(v any, fn func(string)) {
	switch v := v.(type) {
	case string:
		fn(v)
	case []any:
		for _, e := range v {
			eachText(e, fn)
		}
	case map[string]any:
		for name, e := range v {
			fn(name)
			eachText(e, fn)
		}
	}
}

// within finds the part that an ID is of, or below.
func (x *templateExport) within(s string) (*exportedPart, bool) {
	id, ok := x.resourceID(s)
	if !ok {
		return nil, false
	}
	for up := id; up.ResourceGroup() != "" && !up.Equal(x.group); up = up.Parent() {
		if p, ok := x.parts[up.Key()]; ok {
			return p, true
		}
	}
	return nil, false
}

// resourceID reads a string that is the ID of a resource in a resource group,
// and no extension's.
func (x *templateExport) resourceID(s string) (model.ID, bool) {
	if !strings.HasPrefix(s, "/") {
		return model.ID{}, false
	}
	id, err := model.ParseID(s)
	if err != nil || id.ResourceGroup() == "" || strings.Count(strings.ToLower(s), "/providers/") != 1 {
		return model.ID{}, false
	}
	return id, true
}

// inCircles are the parts that cannot come in any order, as networks that are
// peered with each other.
func (x *templateExport) inCircles() []*exportedPart {
	done := map[string]bool{}
	left := slices.Clone(x.order)
	for {
		n := len(left)
		left = slices.DeleteFunc(left, func(p *exportedPart) bool {
			for on := range p.on {
				if !done[on] {
					return false
				}
			}
			done[p.id.Key()] = true
			return true
		})
		if len(left) == n {
			return left
		}
	}
}

// split makes resources of their own of the inline children by which a part
// refers to others in a circle.
func (x *templateExport) split(p *exportedPart) {
	props := object(p.doc, "properties")
	for _, in := range p.kind.inlined() {
		if in.ReadOnly || in.Shared {
			continue
		}
		for _, o := range objects(props, in.Inline) {
			child := &exportedPart{id: p.id.Child(in.leaf(), text(o, "name")), kind: in, doc: map[string]any{"properties": o["properties"]}, on: map[string]bool{}}
			x.refer(child)
			delete(child.on, p.id.Key())
			if len(child.on) == 0 {
				continue
			}
			child.on[p.id.Key()] = true
			list, _ := props[in.Inline].([]any)
			props[in.Inline] = slices.DeleteFunc(slices.Clone(list), func(e any) bool {
				m, _ := e.(map[string]any)
				return strings.EqualFold(text(m, "name"), text(o, "name"))
			})
			x.parts[child.id.Key()] = child
			x.order = append(x.order, child)
		}
		if list, _ := props[in.Inline].([]any); list != nil && len(list) == 0 && in.KeepAbsent {
			delete(props, in.Inline)
		}
	}
	x.refer(p)
}

// resource is a part as the template has it.
func (x *templateExport) resource(p *exportedPart) map[string]any {
	out, _ := x.value(p.doc).(map[string]any)
	out["type"], out["apiVersion"], out["name"] = p.kind.Type, shownVersions[0], x.nameOf(p.id)
	if x.has(exportComments) {
		out["comments"] = "Generalized from resource: '" + p.id.String() + "'."
	}
	if len(p.on) > 0 {
		on := make([]any, 0, len(p.on))
		for _, key := range slices.Sorted(maps.Keys(p.on)) {
			on = append(on, "["+x.expression(x.parts[key].id)+"]")
		}
		out["dependsOn"] = on
	}
	return out
}

// value is a value of a document as a template has it: IDs as expressions, and
// what looks like an expression quoted.
func (x *templateExport) value(v any) any {
	switch v := v.(type) {
	case string:
		return x.text(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = x.value(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[x.text(name)] = x.value(e)
		}
		return out
	default:
		return v
	}
}

func (x *templateExport) text(s string) string {
	id, ok := x.resourceID(s)
	if !ok {
		return quotedText(s)
	}
	if _, ok := x.within(s); ok {
		return "[" + x.expression(id) + "]"
	}
	return x.elsewhere(id)
}

// quotedText is a text that a template does not read as an expression.
func quotedText(s string) string {
	if strings.HasPrefix(s, "[") {
		return "[" + s
	}
	return s
}

// expression gives the ID of a resource of the template.
func (x *templateExport) expression(id model.ID) string {
	t := id.Type()
	if k := x.kinds[strings.ToLower(t)]; k != nil {
		t = k.Type
	}
	out := "resourceId(" + literal(t)
	for i, name := range names(id) {
		out += ", "
		if parameter := x.parameter(id); i == 0 && parameter != "" {
			out += "parameters(" + literal(parameter) + ")"
		} else {
			out += literal(name)
		}
	}
	return out + ")"
}

// literal is a string in an expression.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// names are the names in an ID, the top-level resource's first.
func names(id model.ID) []string {
	var out []string
	for up := id; up.ResourceGroup() != "" && strings.Contains(strings.ToLower(up.String()), "/providers/"); up = up.Parent() {
		out = append(out, up.Name())
	}
	slices.Reverse(out)
	return out
}

// top is the top-level resource of an ID.
func top(id model.ID) model.ID {
	for id.Parent().ResourceGroup() != "" && strings.Contains(strings.ToLower(id.Parent().String()), "/providers/") {
		id = id.Parent()
	}
	return id
}

// nameOf is the name of a part as the template has it.
func (x *templateExport) nameOf(id model.ID) string {
	all := names(id)
	parameter := x.parameter(id)
	if parameter == "" {
		return quotedText(strings.Join(all, "/"))
	}
	if len(all) == 1 {
		return "[parameters(" + literal(parameter) + ")]"
	}
	return "[concat(parameters(" + literal(parameter) + "), " + literal("/"+strings.Join(all[1:], "/")) + ")]"
}

// parameter is the parameter of a top-level resource's name; "" if names are
// written out.
func (x *templateExport) parameter(id model.ID) string {
	if x.has(exportNames) || x.has(exportNothing) {
		return ""
	}
	id = top(id)
	return x.parameterFor(id, "_name", id.Name())
}

// elsewhere is the ID of something that is not in the template.
func (x *templateExport) elsewhere(id model.ID) string {
	if x.has(exportNothing) {
		return quotedText(id.String())
	}
	up := top(id)
	parameter := "parameters(" + literal(x.parameterFor(up, "_externalid", up.String())) + ")"
	if up.Equal(id) {
		return "[" + parameter + "]"
	}
	return "[concat(" + parameter + ", " + literal(id.String()[len(up.String()):]) + ")]"
}

// parameterFor is the parameter that holds something about a resource: the last
// word of its type, its name with "_" for what no parameter's name may have, and
// the ending.
func (x *templateExport) parameterFor(id model.ID, ending, value string) string {
	key := id.Key() + ending
	if name, ok := x.named[key]; ok {
		return name
	}
	leaf := lastSegment(id.Type())
	if k := x.kinds[strings.ToLower(id.Type())]; k != nil {
		leaf = k.leaf()
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, id.Name())
	name := fmt.Sprintf("%s_%s%s", leaf, plain, ending)
	for n := 2; x.taken(name); n++ {
		name = fmt.Sprintf("%s_%s_%s%s", leaf, plain, strconv.Itoa(n), ending)
	}
	x.named[key] = name
	p := map[string]any{"type": "String"}
	if x.has(exportDefaults) {
		p["defaultValue"] = quotedText(value)
	}
	x.parameters[name] = p
	return name
}

// taken reports whether a parameter has the name, in any case.
func (x *templateExport) taken(name string) bool {
	for n := range x.parameters {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
