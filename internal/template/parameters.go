package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parameters are the values of a template's parameters, with their places in the
// file they came from.
type Parameters struct {
	Values map[string]any // by name
	doc    *document
	path   string // of the values within the file
}

// Check says which of the values no parameter of the template takes, at its place
// in the file of parameters. The error is an [*Error].
func (p *Parameters) Check(t *Template) error {
	declared := t.section("parameters")
	for _, name := range slices.Sorted(maps.Keys(p.Values)) {
		if _, ok := lookup(declared, name); !ok {
			return p.doc.wrong(InvalidTemplate, join(p.path, name), "%s", undeclared(name, declared))
		}
	}
	return nil
}

// undeclared says that a template has no parameter of a name, and which it has.
func undeclared(name string, declared map[string]any) string {
	names := "it has none"
	if len(declared) > 0 {
		names = "it has " + strings.Join(slices.Sorted(maps.Keys(declared)), ", ")
	}
	return fmt.Sprintf("the template has no parameter '%s'; %s", name, names)
}

// ParseParameters reads a file of parameters.
func ParseParameters(data []byte, file string) (*Parameters, error) {
	doc, err := read(data, file)
	if err != nil {
		return nil, err
	}
	root, ok := doc.value.(map[string]any)
	if !ok {
		return nil, doc.wrong(InvalidTemplate, "", "a file of parameters is an object, not %s", kindOf(doc.value))
	}
	path := ""
	if inner, ok := lookup(root, "parameters"); ok {
		if root, ok = inner.(map[string]any); !ok {
			return nil, doc.wrong(InvalidTemplate, "parameters", "they must be an object, not %s", kindOf(inner))
		}
		path = "parameters"
	}
	all, err := values(doc, root, path)
	if err != nil {
		return nil, err
	}
	return &Parameters{all, doc, path}, nil
}

// Values returns the values of a deployment's parameters: {"name": {"value": ...}}.
func Values(parameters map[string]any) (map[string]any, error) {
	text, err := toJSON(parameters)
	if err != nil {
		return nil, err
	}
	doc, err := read([]byte(text), "")
	if err != nil {
		return nil, err
	}
	root, _ := doc.value.(map[string]any)
	return values(doc, root, "")
}

func values(doc *document, root map[string]any, path string) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(root)) {
		at := join(path, name)
		o, ok := root[name].(map[string]any)
		if !ok {
			return nil, doc.wrong(InvalidTemplate, at, `a parameter is an object with a value: {"value": ...}`)
		}
		if v, ok := lookup(o, "value"); ok {
			out[name] = v
			continue
		}
		if _, secret := lookup(o, "reference"); secret {
			return nil, doc.wrong(InvalidTemplate, at, "secrets of a key vault cannot be read here; give a value")
		}
		return nil, doc.wrong(InvalidTemplate, at, "the parameter has no value")
	}
	return out, nil
}

// kinds of parameters, in lower case, and whether they are secrets.
var parameterTypes = map[string]bool{
	"string": false, "int": false, "bool": false, "array": false, "object": false, "securestring": true, "secureobject": true,
}

// evaluate checks the given parameters and evaluates default values.
func (s *scope) evaluate(given map[string]any) error {
	declared := s.t.section("parameters")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := lookup(declared, name); !ok {
			return s.t.doc.wrong(InvalidTemplate, "parameters", "%s", undeclared(name, declared))
		}
	}
	s.params, s.deciding = map[string]any{}, map[string]bool{}
	d := s.with(func(c *scope) { c.defaults = true })
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		o, ok := declared[name].(map[string]any)
		path := "parameters." + name
		if !ok {
			return s.t.doc.wrong(InvalidTemplate, path, "a parameter must be an object, not %s", kindOf(declared[name]))
		}
		if v, ok := lookup(given, name); ok {
			if v == nil {
				if _, has := lookup(o, "defaultValue"); has {
					continue
				}
			}
			s.params[name] = v
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if _, ok := s.params[name]; !ok {
			if _, err := s.t.defaultOf(d, name); err != nil {
				return s.t.doc.placed(err, "parameters."+name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		o, _ := declared[name].(map[string]any)
		if err := s.t.check(name, o, s.params[name], "parameters."+name, 0); err != nil {
			return err
		}
	}
	return nil
}

// defaultOf evaluates the default value of a parameter that is not given.
func (t *Template) defaultOf(s *scope, name string) (any, error) {
	if v, ok := lookup(s.params, name); ok {
		return v, nil
	}
	declared := t.section("parameters")
	v, ok := lookup(declared, name)
	o, _ := v.(map[string]any)
	if !ok {
		return nil, faultf(InvalidTemplate, "the parameter '%s' is not declared", name)
	}
	raw, ok := lookup(o, "defaultValue")
	if !ok {
		if nullable, _ := lookup(o, "nullable"); nullable == true {
			s.params[name] = nil
			return nil, nil
		}
		return nil, &Error{Code: InvalidTemplate, Message: fmt.Sprintf("the value for the template parameter '%s' is not provided", name), Path: "parameters." + name, Pos: t.doc.posOf("parameters." + name)}
	}
	key := strings.ToLower(name)
	if s.deciding[key] {
		return nil, faultf(InvalidTemplate, "the default value of the parameter '%s' needs itself", name)
	}
	s.deciding[key] = true
	defer delete(s.deciding, key)
	r, err := s.document(raw, "parameters."+name+".defaultValue")
	if err != nil {
		return nil, err
	}
	s.params[name] = r
	return r, nil
}

// check holds a value against its declaration.
func (t *Template) check(name string, o map[string]any, v any, path string, depth int) error {
	wrong := func(format string, args ...any) error {
		return t.doc.wrong(InvalidTemplate, path, "the value for the template parameter '%s' is not valid: %s", name, fmt.Sprintf(format, args...))
	}
	for hops := 0; ; hops++ {
		ref, ok := o["$ref"].(string)
		if !ok {
			break
		}
		target, found := strings.CutPrefix(ref, "#/definitions/")
		next, isObject := t.section("definitions")[target].(map[string]any)
		if !found || !isObject || hops > maxNesting {
			return t.doc.wrong(InvalidTemplate, path, "the definition '%s' does not exist", ref)
		}
		merged := maps.Clone(next)
		for k, x := range o {
			if k != "$ref" {
				merged[k] = x
			}
		}
		o = merged
	}
	kind, _ := lookup(o, "type")
	text, _ := kind.(string)
	if _, known := parameterTypes[strings.ToLower(text)]; !known {
		return t.doc.wrong(InvalidTemplate, path, "a parameter has one of the types string, int, bool, array, object, secureString and secureObject, not %s", show(kind))
	}
	if nullable, _ := lookup(o, "nullable"); v == nil && nullable == true {
		return nil
	}
	size := int64(-1)
	switch strings.ToLower(text) {
	case "string", "securestring":
		s, ok := v.(string)
		if !ok {
			return wrong("a string is needed, not %s", kindOf(v))
		}
		size = int64(len([]rune(s)))
	case "int":
		n, ok := v.(int64)
		if !ok {
			return wrong("an integer is needed, not %s", kindOf(v))
		}
		if least, ok := o["minValue"].(int64); ok && n < least {
			return wrong("%d is less than the minimum of %d", n, least)
		}
		if most, ok := o["maxValue"].(int64); ok && n > most {
			return wrong("%d is more than the maximum of %d", n, most)
		}
	case "bool":
		if _, ok := v.(bool); !ok {
			return wrong("a boolean is needed, not %s", kindOf(v))
		}
	case "array":
		l, ok := v.([]any)
		if !ok {
			return wrong("an array is needed, not %s", kindOf(v))
		}
		size = int64(len(l))
		if items, ok := o["items"].(map[string]any); ok && depth < maxNesting {
			for i, e := range l {
				if err := t.check(fmt.Sprintf("%s[%d]", name, i), items, e, path, depth+1); err != nil {
					return err
				}
			}
		}
	default:
		m, ok := v.(map[string]any)
		if !ok {
			return wrong("an object is needed, not %s", kindOf(v))
		}
		props, _ := o["properties"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(props)) {
			inner, ok := props[k].(map[string]any)
			value, has := lookup(m, k)
			if nullable, _ := lookup(inner, "nullable"); !ok || !has && nullable == true || depth >= maxNesting {
				continue
			}
			if err := t.check(name+"."+k, inner, value, path, depth+1); err != nil {
				return err
			}
		}
	}
	if least, ok := o["minLength"].(int64); ok && size >= 0 && size < least {
		return wrong("its length of %d is less than the minimum of %d", size, least)
	}
	if most, ok := o["maxLength"].(int64); ok && size > most {
		return wrong("its length of %d is more than the maximum of %d", size, most)
	}
	if allowed, ok := o["allowedValues"].([]any); ok {
		fits := slices.ContainsFunc(allowed, func(a any) bool { return equal(a, v, true) })
		if l, isList := v.([]any); isList && !fits { // or each of its elements
			fits = !slices.ContainsFunc(l, func(e any) bool {
				return !slices.ContainsFunc(allowed, func(a any) bool { return equal(a, e, true) })
			})
		}
		if !fits {
			return wrong("%s is not one of the allowed values %s", show(v), show(allowed))
		}
	}
	return nil
}
