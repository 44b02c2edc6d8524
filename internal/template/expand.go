package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// typeDeployment is a deployment within a deployment.
const typeDeployment = "Microsoft.Resources/deployments"

// Deployment is a template with parameters: what is to be deployed.
type Deployment struct {
	// Resources in an order in which each comes after what it depends on. Those
	// whose condition is false are not among them.
	Resources []*Resource

	t     *Template
	scope *scope
}

// Resource is one resource to deploy.
type Resource struct {
	ID         model.ID
	APIVersion string
	// Existing means that it is not deployed: the template refers to it.
	Existing  bool
	DependsOn []*Resource
	Path      string // within the template, for example resources[2]
	Pos       model.Pos

	off    bool // its condition is false
	symbol string
	loop   string // of its copies
	index  int
	body   map[string]any
	names  []string // what dependsOn says
	scope  *scope
}

// Expand evaluates a template with the values of its parameters, as far as that
// is possible before anything is deployed. The error is an [*Error].
func (t *Template) Expand(params map[string]any, o Options) (*Deployment, error) {
	steps := 0
	s := &scope{t: t, o: &o, steps: &steps}
	if err := s.evaluate(params); err != nil {
		return nil, coded(err)
	}
	if err := s.decide(); err != nil {
		return nil, coded(t.doc.placed(err, "variables"))
	}
	set := &resourceSet{}
	s.resources = set
	x := &expansion{t: t, set: set}
	v, _ := lookup(t.root, "resources")
	var err error
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if err = x.declared(s, e, fmt.Sprintf("resources[%d]", i), "", parent{}); err != nil {
				break
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err = x.declared(s, v[name], "resources."+name, name, parent{}); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = set.distinct(t)
	}
	if err == nil {
		err = set.connect(t)
	}
	d := &Deployment{t: t, scope: s}
	if err == nil {
		d.Resources, err = set.ordered(t)
	}
	if err != nil {
		return nil, coded(err)
	}
	return d, nil
}

// coded gives evaluation's faults the code that Azure answers a deployment with.
func coded(err error) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return faultf(ValidationFailed, "%v", err)
}

// expansion makes resources of what a template declares.
type expansion struct {
	t   *Template
	set *resourceSet
}

// parent is the resource that another is declared within.
type parent struct {
	kind, name string
}

// declared makes the resources of one declaration: none or many for a loop.
func (x *expansion) declared(s *scope, v any, path, symbol string, in parent) error {
	body, ok := v.(map[string]any)
	if !ok {
		return x.t.doc.wrong(InvalidTemplate, path, "a resource must be an object, not %s", kindOf(v))
	}
	raw, has := lookup(body, "copy")
	if !has || raw == nil {
		return x.one(s, body, path, symbol, in, loop{index: -1}, nil)
	}
	at := path + ".copy"
	o, ok := raw.(map[string]any)
	if !ok {
		return x.t.doc.wrong(InvalidTemplate, at, "the loop of a resource must be an object, not %s", kindOf(raw))
	}
	nameRaw, _ := lookup(o, "name")
	name, ok := nameRaw.(string)
	if !ok {
		return x.t.doc.wrong(InvalidTemplate, at, "a loop needs a name")
	}
	countRaw, _ := lookup(o, "count")
	n, err := s.count(countRaw, at+".count")
	if err != nil {
		return err
	}
	batch := n
	if mode, _ := lookup(o, "mode"); strings.EqualFold(fmt.Sprint(mode), "serial") {
		size, has := lookup(o, "batchSize")
		if !has {
			size = int64(1)
		}
		if batch, err = s.count(size, at+".batchSize"); err != nil {
			return err
		}
		batch = max(1, batch)
	}
	before := len(x.set.all)
	var last, current []*Resource
	for i := range n {
		if i > 0 && i%max(1, batch) == 0 {
			last, current = current, nil
		}
		l := loop{name, int64(i), true}
		if err := x.one(s.looping(l), body, path, symbol, in, l, last); err != nil {
			return err
		}
		current = append(current, x.set.all[before:]...)
		before = len(x.set.all)
	}
	if n == 0 {
		x.set.empty = append(x.set.empty, name, symbol)
	}
	return nil
}

// one makes one resource and those declared within it. after are those of the
// batch before it.
func (x *expansion) one(s *scope, body map[string]any, path, symbol string, in parent, of loop, after []*Resource) error {
	if len(x.set.all) >= maxResources {
		return x.t.doc.wrong(InvalidTemplate, path, "the template has more than %d resources", maxResources)
	}
	text := func(name string) (string, error) {
		raw, _ := lookup(body, name)
		v, err := s.document(raw, path+"."+name)
		if err != nil {
			return "", err
		}
		t, ok := v.(string)
		if !ok || t == "" {
			return "", x.t.doc.wrong(InvalidTemplate, path, "the %s of the resource must be a string, not %s", name, kindOf(v))
		}
		return t, nil
	}
	kind, err := text("type")
	if err != nil {
		return err
	}
	name, err := text("name")
	if err != nil {
		return err
	}
	version, err := text("apiVersion")
	if err != nil {
		return err
	}
	if in.kind != "" && !strings.HasPrefix(strings.ToLower(kind), strings.ToLower(in.kind)+"/") {
		kind, name = in.kind+"/"+kind, in.name+"/"+name
	}
	r := &Resource{
		APIVersion: version, Path: path, Pos: x.t.doc.posOf(path), symbol: symbol, loop: of.name, index: int(of.index),
		body: body, scope: s, DependsOn: slices.Clone(after),
	}
	if existing, _ := lookup(body, "existing"); existing == true {
		r.Existing = true
	}
	if raw, has := lookup(body, "condition"); has {
		v, err := s.document(raw, path+".condition")
		if err != nil {
			return err
		}
		on, ok := v.(bool)
		if !ok {
			return x.t.doc.wrong(InvalidTemplate, path+".condition", "a condition must be a boolean, not %s", kindOf(v))
		}
		r.off = !on
	}
	if r.ID, err = x.id(s, body, path, kind, name); err != nil {
		return err
	}
	if raw, has := lookup(body, "dependsOn"); has {
		v, err := s.document(raw, path+".dependsOn")
		if err != nil {
			return err
		}
		list, ok := v.([]any)
		if !ok {
			return x.t.doc.wrong(InvalidTemplate, path+".dependsOn", "it must be an array, not %s", kindOf(v))
		}
		if r.names, err = texts(list); err != nil {
			return x.t.doc.placed(err, path+".dependsOn")
		}
	}
	x.set.all = append(x.set.all, r)
	if r.off {
		return nil // what is declared within goes with it
	}
	raw, _ := lookup(body, "resources")
	switch within := raw.(type) {
	case []any:
		for i, e := range within {
			if err := x.declared(s, e, fmt.Sprintf("%s.resources[%d]", path, i), "", parent{kind, name}); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, n := range slices.Sorted(maps.Keys(within)) {
			if err := x.declared(s, within[n], path+".resources."+n, n, parent{kind, name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// id makes the ID of a resource from its type, its name and where it goes.
func (x *expansion) id(s *scope, body map[string]any, path, kind, name string) (model.ID, error) {
	sub, group := s.o.Subscription, s.o.Group
	for property, into := range map[string]*string{"subscriptionId": &sub, "resourceGroup": &group} {
		if raw, has := lookup(body, property); has {
			v, err := s.document(raw, path+"."+property)
			if err != nil {
				return model.ID{}, err
			}
			if *into, _ = v.(string); *into == "" {
				return model.ID{}, x.t.doc.wrong(InvalidTemplate, path+"."+property, "it must be a string, not %s", show(v))
			}
		}
	}
	base := "/subscriptions/" + sub
	if strings.EqualFold(kind, model.TypeResourceGroup) {
		return parsed(x, base+"/resourceGroups/"+name, path)
	}
	if group != "" {
		base += "/resourceGroups/" + group
	}
	if raw, has := lookup(body, "scope"); has && raw != nil {
		v, err := s.document(raw, path+".scope")
		if err != nil {
			return model.ID{}, err
		}
		at, ok := v.(string)
		switch {
		case !ok || at == "":
			return model.ID{}, x.t.doc.wrong(InvalidTemplate, path+".scope", "it must be the ID of a resource, not %s", show(v))
		case strings.HasPrefix(at, "/subscriptions/"):
			base = strings.TrimSuffix(at, "/")
		case at == "/":
		default: // type and name: Microsoft.Network/virtualNetworks/v
			parts := strings.Split(at, "/")
			if len(parts) < 3 || len(parts)%2 == 0 {
				return model.ID{}, x.t.doc.wrong(InvalidTemplate, path+".scope", "'%s' is no resource", at)
			}
			base += "/providers/" + at
		}
	}
	id, err := idOf(base, []string{kind, name})
	if err != nil {
		return model.ID{}, x.t.doc.placed(err, path)
	}
	return parsed(x, id, path)
}

func parsed(x *expansion, id, path string) (model.ID, error) {
	out, err := model.ParseID(id)
	if err != nil {
		return model.ID{}, x.t.doc.wrong(InvalidTemplate, path, "%v", err)
	}
	return out, nil
}

// control are the properties of a resource that are the template's, not the
// resource's.
var control = []string{"type", "name", "apiversion", "condition", "copy", "dependson", "existing", "scope", "resources", "comments", "metadata", "resourcegroup", "subscriptionid", "import", "asserts", "extension"}

// Document evaluates the resource's document: what to write. What it refers to
// must have been deployed. In a nested deployment that evaluates its own
// expressions the template stays as it is written. The error is an [*Error], or
// one of rt.
func (r *Resource) Document(rt Runtime) (map[string]any, error) {
	s := r.scope.with(func(c *scope) { c.runtime = rt })
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.body)) {
		if slices.Contains(control, strings.ToLower(name)) {
			continue
		}
		at := r.Path + "." + name
		if props, ok := r.body[name].(map[string]any); ok && strings.EqualFold(name, "properties") && r.nested() {
			v, err := s.object(without(props, "template"), at)
			if err != nil {
				return nil, err
			}
			if v["template"], err = r.template(s, props, at); err != nil {
				return nil, err
			}
			out[name] = v
			continue
		}
		v, err := s.document(r.body[name], at)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	doc, _ := numbered(out).(map[string]any)
	return doc, nil
}

// nested reports whether it is a deployment within the deployment.
func (r *Resource) nested() bool { return strings.EqualFold(r.ID.Type(), typeDeployment) }

// ownScope reports whether a nested deployment evaluates its own expressions.
func ownScope(properties map[string]any) bool {
	o, _ := lookup(properties, "expressionEvaluationOptions")
	options, _ := o.(map[string]any)
	v, _ := lookup(options, "scope")
	return strings.EqualFold(fmt.Sprint(v), "inner")
}

// template returns the template of a nested deployment: evaluated here unless
// it evaluates itself.
func (r *Resource) template(s *scope, props map[string]any, path string) (any, error) {
	raw, has := lookup(props, "template")
	if !has {
		if _, link := lookup(props, "templateLink"); link {
			return nil, r.scope.t.doc.wrong(InvalidTemplate, path+".templateLink", "linked templates are not fetched: put the template into properties.template")
		}
		return nil, r.scope.t.doc.wrong(InvalidTemplate, path, "a nested deployment needs a template")
	}
	if ownScope(props) {
		return raw, nil
	}
	v, err := s.document(raw, path+".template")
	return escaped(v), err
}

// escaped keeps what was evaluated from being evaluated again.
func escaped(v any) any {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "[") && strings.HasSuffix(v, "]") {
			return "[" + v
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = escaped(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = escaped(e)
		}
		return out
	}
	return v
}

func without(o map[string]any, name string) map[string]any {
	return maps.Collect(func(yield func(string, any) bool) {
		for k, v := range o {
			if !strings.EqualFold(k, name) && !yield(k, v) {
				return
			}
		}
	})
}

// numbered writes numbers as documents of package model have them.
func numbered(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(fmt.Sprint(v))
	case float64:
		text, _ := toJSON(v)
		return json.Number(text)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = numbered(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = numbered(e)
		}
		return out
	}
	return v
}

// plain is the reverse of numbered.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := number(v)
		if err != nil {
			return v.String()
		}
		return n
	case int:
		return int64(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	}
	return v
}

// Parameters returns the parameters as a deployment shows them: secrets without
// their values.
func (d *Deployment) Parameters() map[string]any {
	out := map[string]any{}
	for name, v := range d.t.section("parameters") {
		o, _ := v.(map[string]any)
		kind, _ := lookup(o, "type")
		text, _ := kind.(string)
		shown := map[string]any{"type": typeName(text)}
		if value, ok := lookup(d.scope.params, name); ok && !parameterTypes[strings.ToLower(text)] {
			shown["value"] = numbered(value)
		}
		out[name] = shown
	}
	return out
}

// typeName is how deployments write the types of values.
func typeName(t string) string {
	for _, name := range []string{"String", "Int", "Bool", "Array", "Object", "SecureString", "SecureObject"} {
		if strings.EqualFold(name, t) {
			return name
		}
	}
	return t
}

// Outputs evaluates the outputs, when everything was deployed.
func (d *Deployment) Outputs(rt Runtime) (map[string]any, error) {
	s := d.scope.with(func(c *scope) { c.runtime = rt })
	out := map[string]any{}
	section := d.t.section("outputs")
	for _, name := range slices.Sorted(maps.Keys(section)) {
		path := "outputs." + name
		o, ok := section[name].(map[string]any)
		if !ok {
			return nil, d.t.doc.wrong(InvalidTemplate, path, "an output must be an object, not %s", kindOf(section[name]))
		}
		if raw, has := lookup(o, "condition"); has {
			v, err := s.document(raw, path+".condition")
			if err != nil {
				return nil, err
			}
			if v != true {
				continue
			}
		}
		kind, _ := lookup(o, "type")
		text, _ := kind.(string)
		var v any
		var err error
		if raw, loops := lookup(o, "copy"); loops {
			c, _ := raw.(map[string]any)
			list := map[string]any{}
			if err = s.properties([]any{map[string]any{"name": name, "count": c["count"], "input": c["input"]}}, path+".copy", list); err == nil {
				v = list[name]
			}
		} else {
			raw, has := lookup(o, "value")
			if !has {
				return nil, d.t.doc.wrong(InvalidTemplate, path, "an output needs a value")
			}
			v, err = s.document(raw, path+".value")
		}
		if err != nil {
			return nil, err
		}
		if parameterTypes[strings.ToLower(text)] {
			out[name] = map[string]any{"type": typeName(text)}
			continue
		}
		if err := d.t.check(name, map[string]any{"type": kind, "nullable": true}, v, path, 0); err != nil && o["$ref"] == nil {
			return nil, d.t.doc.wrong(InvalidTemplate, path, "the output is %s, not of the type %s", kindOf(v), show(kind))
		}
		out[name] = map[string]any{"type": typeName(text), "value": numbered(v)}
	}
	return out, nil
}
