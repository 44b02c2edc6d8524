package template

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// maxNested bounds how deep deployments stand within each other ("Using linked
// and nested templates": five levels of nested deployments).
const maxNested = 5

// Resources evaluates a template without a cloud: the resources that it declares,
// those of nested deployments included, each after what it depends on, and the
// outputs. reference() tells what the template says of a resource; what only a
// cloud can tell is an error, except in outputs, which are left out then.
func (t *Template) Resources(params map[string]any, o Options) ([]*model.Resource, map[string]any, error) {
	f := &flat{docs: map[string]*model.Resource{}, o: o}
	outputs, err := f.deploy(t, params, o, 0, t.doc.posOf)
	return f.out, outputs, err
}

// flat collects resources.
type flat struct {
	o    Options
	out  []*model.Resource
	docs map[string]*model.Resource
}

// deploy collects the resources of a template. place tells where its parts stand
// in the file, which of a nested one is within the outer one.
func (f *flat) deploy(t *Template, params map[string]any, o Options, depth int, place func(string) model.Pos) (map[string]any, error) {
	d, err := t.Expand(params, o)
	if err != nil {
		return nil, err
	}
	for _, r := range d.Resources {
		if r.Existing {
			continue
		}
		doc, err := r.Document(f)
		if err != nil {
			return nil, err
		}
		if r.nested() {
			if doc, err = f.within(r, doc, o, depth, place); err != nil {
				return nil, err
			}
			f.docs[r.ID.Key()] = &model.Resource{ID: r.ID, Doc: doc}
			continue
		}
		full := &model.Resource{ID: r.ID, Doc: doc, Pos: place(r.Path)}
		doc["id"], doc["name"], doc["type"] = r.ID.String(), r.ID.Name(), r.ID.Type()
		f.docs[r.ID.Key()] = full
		f.out = append(f.out, full)
	}
	outputs, err := d.Outputs(f)
	if e, ok := err.(*Error); ok && e.cloud && depth == 0 {
		return map[string]any{}, nil
	}
	return outputs, err
}

// within deploys a nested deployment and returns its document.
func (f *flat) within(r *Resource, doc map[string]any, o Options, depth int, place func(string) model.Pos) (map[string]any, error) {
	if depth == maxNested {
		return nil, &Error{Code: InvalidTemplate, Message: fmt.Sprintf("deployments are nested more than %d deep", maxNested), Path: r.Path, Pos: place(r.Path)}
	}
	inside := func(path string) string { return r.Path + ".properties.template." + path }
	t, params, err := Nested(doc)
	if err != nil {
		return nil, moved(err, inside, place)
	}
	o.Name, o.Subscription, o.Group = r.ID.Name(), r.ID.Subscription(), r.ID.ResourceGroup()
	outputs, err := f.deploy(t, params, o, depth+1, func(path string) model.Pos { return place(inside(path)) })
	if err != nil {
		return nil, moved(err, inside, place)
	}
	return map[string]any{"properties": map[string]any{"outputs": outputs, "provisioningState": "Succeeded"}}, nil
}

// moved is an error in a nested template as one of the template around it.
func moved(err error, inside func(string) string, place func(string) model.Pos) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	path := inside(e.Path)
	return &Error{Code: e.Code, Message: e.Message, Path: path, Pos: place(path)}
}

// Nested reads the template and the values of the parameters in the document of
// a deployment.
func Nested(doc map[string]any) (*Template, map[string]any, error) {
	properties, _ := lookup(doc, "properties")
	p, _ := properties.(map[string]any)
	raw, ok := lookup(p, "template")
	if !ok {
		return nil, nil, faultf(InvalidTemplate, "the deployment has no template in properties.template; linked templates are not fetched")
	}
	text, err := toJSON(raw)
	if err != nil {
		return nil, nil, err
	}
	t, err := Parse([]byte(text), "")
	if err != nil {
		return nil, nil, err
	}
	given, _ := lookup(p, "parameters")
	values, _ := given.(map[string]any)
	params, err := Values(values)
	return t, params, err
}

// Reference tells what the template says of a resource.
func (f *flat) Reference(id model.ID, _ string) (map[string]any, error) {
	r := f.docs[id.Key()]
	if r == nil {
		return nil, inCloud("%s is not declared by the template: what it is like is known only in a cloud", id)
	}
	doc := maps.Clone(r.Doc)
	return doc, nil
}

// List is never known without a cloud.
func (f *flat) List(id model.ID, action, _ string, _ any) (any, error) {
	return nil, inCloud("%s(%s) is known only in a cloud", strings.ToLower(action[:1])+action[1:], id)
}

// inCloud is the fault of asking for what only a cloud can tell.
func inCloud(format string, args ...any) *Error {
	e := faultf(ValidationFailed, format, args...)
	e.cloud = true
	return e
}

// Metadata is what the template says about itself; nothing of it is evaluated.
func (t *Template) Metadata() map[string]any { return t.section("metadata") }
