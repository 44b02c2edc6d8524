package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// Options are where and when a template is deployed.
type Options struct {
	Tenant, Subscription string
	// Group is the resource group; empty means a deployment to the subscription.
	Group string
	// Location of the resource group, or of a deployment to the subscription.
	Location  string
	GroupTags map[string]any
	// Name of the deployment, for deployment().
	Name string
	// Endpoint is the Resource Manager's, for environment().
	Endpoint string
	Now      time.Time
	// Provider tells of a provider and its types, for providers(): the shape of
	// "Providers - Get"; nil where there is no cloud.
	Provider func(namespace string) (map[string]any, bool)
	// NewGUID makes the values of newGuid().
	NewGUID func() string
}

// Runtime answers what only a deployment can tell.
type Runtime interface {
	// Reference returns the whole document of a resource.
	Reference(id model.ID, apiVersion string) (map[string]any, error)
	// List calls an action of a resource whose name begins with "list".
	List(id model.ID, action, apiVersion string, body any) (any, error)
}

// errRuntime is the answer to a runtime function where there is no runtime.
var errRuntime = faultf(InvalidTemplate, "reference() and the list functions are not possible here: what they tell is not known yet")

// scope is what expressions are evaluated in.
type scope struct {
	t         *Template
	o         *Options
	params    map[string]any
	variables map[string]any
	deciding  map[string]bool // variables and parameters on the way
	resources *resourceSet    // nil outside resources and outputs
	runtime   Runtime         // nil before the deployment runs
	defaults  bool            // in a parameter's default value
	function  bool            // in a function of the template's own
	copies    []loop
	locals    map[string]any // of lambdas
	depth     int
	steps     *int // of the whole deployment
}

// loop is a copy loop in progress.
type loop struct {
	name     string
	index    int64
	resource bool // of resources, not of a property, a variable or an output
}

// maxSteps bounds what one deployment may evaluate: a loop of lambdas in loops
// would else never end.
const maxSteps = 5_000_000

var errSteps = faultf(ValidationFailed, "the template takes more than %d steps to evaluate", maxSteps)

func (s *scope) with(change func(*scope)) *scope {
	c := *s
	change(&c)
	return &c
}

func (s *scope) looping(l loop) *scope {
	return s.with(func(c *scope) { c.copies = append(slices.Clone(s.copies), l) })
}

// document evaluates a part of the template: expressions in strings, names of
// properties, and loops within objects. path is where it stands.
func (s *scope) document(v any, path string) (any, error) {
	// What is copied counts as what is computed: loops within loops make much of
	// little.
	if *s.steps++; *s.steps > maxSteps {
		return nil, s.t.doc.placed(errSteps, path)
	}
	switch v := v.(type) {
	case string:
		if *s.steps += len(v) / 8; *s.steps > maxSteps {
			return nil, s.t.doc.placed(errSteps, path)
		}
		return s.text(v, path)
	case []any:
		out := make([]any, 0, len(v))
		for i, e := range v {
			r, err := s.document(e, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
	case map[string]any:
		return s.object(v, path)
	default:
		return v, nil
	}
}

func (s *scope) object(v map[string]any, path string) (map[string]any, error) {
	out := make(map[string]any, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		at := join(path, name)
		if loops, ok := v[name].([]any); ok && strings.EqualFold(name, "copy") && areLoops(loops) {
			if err := s.properties(loops, at, out); err != nil {
				return nil, err
			}
			continue
		}
		key, err := s.text(name, at)
		if err != nil {
			return nil, err
		}
		text, ok := key.(string)
		if !ok {
			return nil, s.t.doc.wrong(InvalidTemplate, at, "the name of a property must be a string, not %s", kindOf(key))
		}
		r, err := s.document(v[name], at)
		if err != nil {
			return nil, err
		}
		out[text] = r
	}
	return out, nil
}

// areLoops tells the loops of properties from a property that is named copy.
func areLoops(list []any) bool {
	for _, e := range list {
		o, _ := e.(map[string]any)
		_, name := o["name"].(string)
		if _, counted := o["count"]; !name || !counted {
			return false
		}
	}
	return len(list) > 0
}

// properties makes the lists of an object's loops.
func (s *scope) properties(loops []any, path string, out map[string]any) error {
	for i, e := range loops {
		at := fmt.Sprintf("%s[%d]", path, i)
		o := e.(map[string]any)
		name, err := s.text(o["name"].(string), at+".name")
		if err != nil {
			return err
		}
		n, err := s.count(o["count"], at+".count")
		if err != nil {
			return err
		}
		list := make([]any, 0, n)
		for k := range n {
			v, err := s.looping(loop{name: fmt.Sprint(name), index: int64(k)}).document(o["input"], at+".input")
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		out[fmt.Sprint(name)] = list
	}
	return nil
}

// count evaluates how often a loop runs.
func (s *scope) count(v any, path string) (int, error) {
	v, err := s.document(v, path)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok || n < 0 || n > maxResources {
		return 0, s.t.doc.wrong(InvalidTemplate, path, "the count of a loop must be a number from 0 to %d, not %s", maxResources, show(v))
	}
	return int(n), nil
}

// text evaluates one string.
func (s *scope) text(v, path string) (any, error) {
	inner, is := isExpression(v)
	if !is {
		return inner, nil
	}
	n, err := s.t.expression(inner)
	if err == nil {
		var r any
		if r, err = s.eval(n); err == nil {
			if _, lambda := r.(*lambda); lambda {
				err = faultf(InvalidTemplate, "a lambda is no value")
			} else {
				return r, nil
			}
		}
	}
	return nil, s.t.doc.placed(err, path)
}

// eval evaluates an expression.
func (s *scope) eval(n *node) (any, error) {
	if *s.steps++; *s.steps > maxSteps {
		return nil, errSteps
	}
	switch n.kind {
	case literalText:
		return n.text, nil
	case literalNumber:
		return n.num, nil
	case member:
		of, err := s.eval(n.of)
		if err != nil {
			return nil, err
		}
		return property(of, n.text)
	case index:
		of, err := s.eval(n.of)
		if err != nil {
			return nil, err
		}
		i, err := s.eval(n.args[0])
		if err != nil {
			return nil, err
		}
		return element(of, i)
	}
	return s.call(n)
}

// call evaluates a function. Some look at their arguments unevaluated.
func (s *scope) call(n *node) (any, error) {
	name := strings.ToLower(n.text)
	if f, ok := lazy(name); ok {
		return f(s, n)
	}
	f, ok := s.t.does[name]
	if !ok {
		if own, ok := s.t.own[name]; ok {
			return s.callOwn(own, n)
		}
		if strings.HasPrefix(name, "list") {
			return s.list(n)
		}
		return nil, faultf(InvalidTemplate, "the function '%s' is not known", n.text)
	}
	if len(n.args) < f.min || f.max >= 0 && len(n.args) > f.max {
		return nil, faultf(InvalidTemplate, "the function '%s' takes %s, not %d", n.text, f.arity(), len(n.args))
	}
	args, err := s.evalAll(n.args)
	if err != nil {
		return nil, err
	}
	v, err := f.do(s, args)
	if e, ok := err.(*Error); ok && e.Path == "" && !strings.Contains(e.Message, n.text+"()") {
		err = &Error{Code: e.Code, Message: n.text + "(): " + e.Message, Pos: e.Pos}
	}
	if err == nil {
		err = s.pay(v)
	}
	return v, err
}

// pay counts a value that was made as steps, one for each of its parts and for
// every eight bytes of text: a template that doubles a value again and again
// must not take all memory.
func (s *scope) pay(v any) error {
	*s.steps += weight(v, maxSteps+1-*s.steps)
	if *s.steps > maxSteps {
		return errSteps
	}
	return nil
}

// search counts looking through a list as steps, one for each element.
func (s *scope) search(list []any) error {
	if *s.steps += len(list); *s.steps > maxSteps {
		return errSteps
	}
	return nil
}

// weight is the size of a value; it stops counting at most.
func weight(v any, most int) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 8
	case []any:
		for _, e := range v {
			if n > most {
				break
			}
			n += weight(e, most-n)
		}
	case map[string]any:
		for k, e := range v {
			if n > most {
				break
			}
			n += len(k)/8 + weight(e, most-n)
		}
	}
	return n
}

func (s *scope) evalAll(nodes []*node) ([]any, error) {
	out := make([]any, len(nodes))
	for i, a := range nodes {
		v, err := s.eval(a)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// property returns a member of an object; case does not matter.
func property(of any, name string) (any, error) {
	o, ok := of.(map[string]any)
	if !ok {
		return nil, faultf(InvalidTemplate, "the property '%s' is asked of %s, which has none", name, kindOf(of))
	}
	if v, ok := lookup(o, name); ok {
		return v, nil
	}
	names := slices.Sorted(maps.Keys(o))
	if len(names) > 12 {
		names = append(names[:12], "...")
	}
	return nil, faultf(InvalidTemplate, "the property '%s' does not exist; there are: %s", name, strings.Join(names, ", "))
}

func lookup(o map[string]any, name string) (any, bool) {
	if v, ok := o[name]; ok {
		return v, true
	}
	for k, v := range o {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// element returns of[i].
func element(of, i any) (any, error) {
	switch i := i.(type) {
	case string:
		return property(of, i)
	case int64:
		list, ok := of.([]any)
		if !ok {
			return nil, faultf(InvalidTemplate, "element %d is asked of %s, which is no array", i, kindOf(of))
		}
		if i < 0 || i >= int64(len(list)) {
			return nil, faultf(InvalidTemplate, "the index %d is outside of the array, which has %d elements", i, len(list))
		}
		return list[i], nil
	}
	return nil, faultf(InvalidTemplate, "an index must be a number or a string, not %s", kindOf(i))
}

// kindOf names the type of a value.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	case *lambda:
		return "a lambda"
	}
	return fmt.Sprintf("%T", v)
}

// show writes a value for a message.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return kindOf(v)
	}
	return shorten(string(b))
}
