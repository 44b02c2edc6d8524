package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Template is a template that was read. It may be used by many at once.
type Template struct {
	doc  *document
	root map[string]any
	own  map[string]*ownFunction // by "namespace.name" in lower case
	does map[string]function     // the language's functions

	mu    sync.Mutex
	nodes map[string]*node // expressions read, by text
}

// ownFunction is a function that the template declares.
type ownFunction struct {
	names  []string
	output any
	path   string
}

// sections of a template, in lower case.
var sections = []string{
	"$schema", "contentversion", "languageversion", "apiprofile", "metadata", "parameters", "functions", "variables", "resources",
	"outputs", "definitions", "imports", "extensions",
}

// Parse reads a template. file is its name, for messages. The error is an
// [*Error].
func Parse(data []byte, file string) (*Template, error) {
	doc, err := read(data, file)
	if err != nil {
		return nil, err
	}
	root, ok := doc.value.(map[string]any)
	if !ok {
		return nil, doc.wrong(InvalidTemplate, "", "a template is an object, not %s", kindOf(doc.value))
	}
	t := &Template{doc: doc, root: root, own: map[string]*ownFunction{}, does: functionTable(), nodes: map[string]*node{}}
	for _, name := range slices.Sorted(maps.Keys(root)) {
		if !slices.Contains(sections, strings.ToLower(name)) {
			return nil, doc.wrong(InvalidTemplate, name, "a template has no such section; it has %s", strings.Join(sections, ", "))
		}
	}
	for _, c := range []struct {
		name string
		most int
	}{{"parameters", maxParameters}, {"variables", maxVariables}, {"outputs", maxOutputs}} {
		v, _ := lookup(root, c.name)
		o, ok := v.(map[string]any)
		if v != nil && !ok {
			return nil, doc.wrong(InvalidTemplate, c.name, "it must be an object, not %s", kindOf(v))
		}
		if len(o) > c.most {
			return nil, doc.wrong(InvalidTemplate, c.name, "there are %d; the limit is %d", len(o), c.most)
		}
	}
	if v, ok := lookup(root, "resources"); !ok {
		return nil, doc.wrong(InvalidTemplate, "", "the section resources is missing")
	} else if _, list := v.([]any); !list {
		if _, object := v.(map[string]any); !object {
			return nil, doc.wrong(InvalidTemplate, "resources", "they must be an array or an object, not %s", kindOf(v))
		}
	}
	if err := t.functions(); err != nil {
		return nil, err
	}
	return t, nil
}

// section returns a section that is an object.
func (t *Template) section(name string) map[string]any {
	v, _ := lookup(t.root, name)
	o, _ := v.(map[string]any)
	return o
}

// ContentVersion is the template's own version.
func (t *Template) ContentVersion() string {
	v, _ := lookup(t.root, "contentVersion")
	s, _ := v.(string)
	return s
}

// functions reads the functions that the template declares.
func (t *Template) functions() error {
	v, _ := lookup(t.root, "functions")
	list, ok := v.([]any)
	if v != nil && !ok {
		return t.doc.wrong(InvalidTemplate, "functions", "they must be an array, not %s", kindOf(v))
	}
	for i, e := range list {
		path := fmt.Sprintf("functions[%d]", i)
		o, _ := e.(map[string]any)
		space, _ := o["namespace"].(string)
		members, ok := o["members"].(map[string]any)
		if space == "" || !ok {
			return t.doc.wrong(InvalidTemplate, path, "it needs a namespace and members")
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			at := path + ".members." + name
			m, _ := members[name].(map[string]any)
			output, _ := m["output"].(map[string]any)
			value, ok := output["value"]
			if !ok {
				return t.doc.wrong(InvalidTemplate, at, "a function needs an output with a value")
			}
			f := &ownFunction{output: value, path: at + ".output.value"}
			params, _ := m["parameters"].([]any)
			for _, p := range params {
				po, _ := p.(map[string]any)
				pn, _ := po["name"].(string)
				if pn == "" {
					return t.doc.wrong(InvalidTemplate, at+".parameters", "a parameter needs a name")
				}
				f.names = append(f.names, pn)
			}
			t.own[strings.ToLower(space+"."+name)] = f
		}
	}
	return nil
}

// expression reads an expression, once.
func (t *Template) expression(text string) (*node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.nodes[text]; ok {
		return n, nil
	}
	n, err := parseExpression(text)
	if err == nil {
		t.nodes[text] = n
	}
	return n, err
}

// callOwn calls a function of the template: it sees its arguments only.
func (s *scope) callOwn(f *ownFunction, n *node) (any, error) {
	if len(n.args) != len(f.names) {
		return nil, faultf(InvalidTemplate, "the function '%s' takes %d arguments, not %d", n.text, len(f.names), len(n.args))
	}
	args, err := s.evalAll(n.args)
	if err != nil {
		return nil, err
	}
	inner := &scope{t: s.t, o: s.o, params: map[string]any{}, function: true, depth: s.depth + 1, steps: s.steps}
	if inner.depth > maxNesting {
		return nil, faultf(InvalidTemplate, "functions are nested more than %d deep", maxNesting)
	}
	for i, name := range f.names {
		inner.params[name] = args[i]
	}
	return inner.document(f.output, f.path)
}

// decide evaluates all variables, so that later only reads are needed.
func (s *scope) decide() error {
	section := s.t.section("variables")
	s.variables, s.deciding = map[string]any{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		if loops, ok := section[name].([]any); ok && strings.EqualFold(name, "copy") && areLoops(loops) {
			for i, e := range loops {
				if err := s.properties([]any{e}, fmt.Sprintf("variables.copy[%d]", i), s.variables); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		if loops, ok := section[name].([]any); ok && strings.EqualFold(name, "copy") && areLoops(loops) {
			continue
		}
		if _, err := s.variableNamed(name); err != nil {
			return err
		}
	}
	return nil
}

// variableNamed returns a variable, evaluating it if that is still to be done.
func (s *scope) variableNamed(name string) (any, error) {
	if v, ok := lookup(s.variables, name); ok {
		return v, nil
	}
	section := s.t.section("variables")
	raw, ok := lookup(section, name)
	if !ok {
		// The loops are evaluated first, and may need each other.
		if loops, isList := section["copy"].([]any); isList {
			for i, e := range loops {
				if o, _ := e.(map[string]any); strings.EqualFold(fmt.Sprint(o["name"]), name) {
					raw, ok = map[string]any{"copy": []any{e}}, true
					return s.guarded(name, func() (any, error) {
						out := map[string]any{}
						err := s.properties([]any{e}, fmt.Sprintf("variables.copy[%d]", i), out)
						return out[fmt.Sprint(o["name"])], err
					})
				}
			}
		}
	}
	if !ok {
		return nil, faultf(InvalidTemplate, "the variable '%s' is not declared", name)
	}
	return s.guarded(name, func() (any, error) {
		return s.with(func(c *scope) { c.copies, c.locals = nil, nil }).document(raw, "variables."+name)
	})
}

// guarded evaluates a variable, unless that is being done.
func (s *scope) guarded(name string, do func() (any, error)) (any, error) {
	key := strings.ToLower(name)
	if s.deciding[key] {
		return nil, faultf(InvalidTemplate, "the variable '%s' needs itself", name)
	}
	s.deciding[key] = true
	v, err := do()
	delete(s.deciding, key)
	if err == nil {
		err = s.pay(v)
	}
	if err == nil {
		s.variables[name] = v
	}
	return v, err
}
