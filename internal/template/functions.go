package template

import (
	"fmt"
	"maps"
)

// function is one of the language.
type function struct {
	min, max int // arguments; max -1 means any number
	do       func(*scope, []any) (any, error)
}

func (f function) arity() string {
	switch {
	case f.max < 0:
		return fmt.Sprintf("%d or more arguments", f.min)
	case f.min == f.max:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// functionTable returns those whose arguments are evaluated first, by name in
// lower case. It is made for each template: as a variable it would be what its
// own functions are initialized with.
func functionTable() map[string]function {
	all := map[string]function{}
	for _, group := range []map[string]function{
		arrayFunctions(), objectFunctions(), stringFunctions(), numberFunctions(), logicFunctions(), dateFunctions(),
		cidrFunctions(), encodingFunctions(), resourceFunctions(), lambdaFunctions(),
	} {
		maps.Copy(all, group)
	}
	return all
}

// lazy returns a function that evaluates its own arguments.
func lazy(name string) (func(*scope, *node) (any, error), bool) {
	switch name {
	case "if":
		return (*scope).choose, true
	case "and":
		return func(s *scope, n *node) (any, error) { return s.until(n, false) }, true
	case "or":
		return func(s *scope, n *node) (any, error) { return s.until(n, true) }, true
	case "coalesce":
		return (*scope).coalesce, true
	case "parameters":
		return (*scope).parameter, true
	case "variables":
		return (*scope).variable, true
	case "lambda":
		return (*scope).lambda, true
	case "lambdavariables":
		return (*scope).local, true
	case "reference", "references":
		return (*scope).reference, true
	}
	return nil, false
}

// choose is if(): what is not chosen is not evaluated.
func (s *scope) choose(n *node) (any, error) {
	if len(n.args) != 3 {
		return nil, faultf(InvalidTemplate, "the function 'if' takes 3 arguments, not %d", len(n.args))
	}
	v, err := s.eval(n.args[0])
	if err != nil {
		return nil, err
	}
	yes, ok := v.(bool)
	switch {
	case !ok:
		return nil, faultf(InvalidTemplate, "the condition of if() must be a boolean, not %s", kindOf(v))
	case yes:
		return s.eval(n.args[1])
	}
	return s.eval(n.args[2])
}

// until evaluates the arguments of and() and or() to the first that decides.
func (s *scope) until(n *node, stop bool) (any, error) {
	if len(n.args) < 2 {
		return nil, faultf(InvalidTemplate, "the function '%s' takes 2 or more arguments, not %d", n.text, len(n.args))
	}
	for _, a := range n.args {
		v, err := s.eval(a)
		if err != nil {
			return nil, err
		}
		if b, err := asBool(v); err != nil || b == stop {
			return b, err
		}
	}
	return !stop, nil
}

// coalesce is the first argument that is not null.
func (s *scope) coalesce(n *node) (any, error) {
	if len(n.args) == 0 {
		return nil, faultf(InvalidTemplate, "the function 'coalesce' takes 1 or more arguments, not 0")
	}
	for _, a := range n.args {
		if v, err := s.eval(a); err != nil || v != nil {
			return v, err
		}
	}
	return nil, nil
}

// one evaluates the only argument of a function, which must be a string.
func (s *scope) one(n *node) (string, error) {
	if len(n.args) != 1 {
		return "", faultf(InvalidTemplate, "the function '%s' takes 1 argument, not %d", n.text, len(n.args))
	}
	v, err := s.eval(n.args[0])
	if err != nil {
		return "", err
	}
	name, ok := v.(string)
	if !ok {
		return "", faultf(InvalidTemplate, "%s() takes a name, not %s", n.text, kindOf(v))
	}
	return name, nil
}

func (s *scope) parameter(n *node) (any, error) {
	name, err := s.one(n)
	if err != nil {
		return nil, err
	}
	if v, ok := lookup(s.params, name); ok {
		return v, nil
	}
	if s.defaults {
		return s.t.defaultOf(s, name)
	}
	return nil, faultf(InvalidTemplate, "the parameter '%s' is not declared", name)
}

func (s *scope) variable(n *node) (any, error) {
	name, err := s.one(n)
	if err != nil {
		return nil, err
	}
	if s.function || s.defaults {
		return nil, faultf(InvalidTemplate, "variables() is not possible in functions of a template and in default values")
	}
	return s.variableNamed(name)
}

// Arguments of functions, by type.

func asText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", faultf(InvalidTemplate, "a string is needed, not %s", kindOf(v))
}

func asInt(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case float64:
		if v == float64(int64(v)) {
			return int64(v), nil
		}
	}
	return 0, faultf(InvalidTemplate, "an integer is needed, not %s", kindOf(v))
}

func asBool(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, faultf(InvalidTemplate, "a boolean is needed, not %s", kindOf(v))
}

func asList(v any) ([]any, error) {
	if l, ok := v.([]any); ok {
		return l, nil
	}
	return nil, faultf(InvalidTemplate, "an array is needed, not %s", kindOf(v))
}

func asObject(v any) (map[string]any, error) {
	if o, ok := v.(map[string]any); ok {
		return o, nil
	}
	return nil, faultf(InvalidTemplate, "an object is needed, not %s", kindOf(v))
}

// of1 makes a function of one argument of a type.
func of1[A any](as func(any) (A, error), do func(A) (any, error)) function {
	return function{1, 1, func(_ *scope, args []any) (any, error) {
		a, err := as(args[0])
		if err != nil {
			return nil, err
		}
		return do(a)
	}}
}

// of2 makes a function of two arguments.
func of2[A, B any](first func(any) (A, error), second func(any) (B, error), do func(A, B) (any, error)) function {
	return function{2, 2, func(_ *scope, args []any) (any, error) {
		a, err := first(args[0])
		if err != nil {
			return nil, err
		}
		b, err := second(args[1])
		if err != nil {
			return nil, err
		}
		return do(a, b)
	}}
}
