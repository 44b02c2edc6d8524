package template

import (
	"maps"
	"slices"
	"strings"
)

// lambda is a function given to a function.
type lambda struct {
	names []string
	body  *node
	scope *scope
}

// lambda is lambda('a', 'b', body).
func (s *scope) lambda(n *node) (any, error) {
	if len(n.args) == 0 {
		return nil, faultf(InvalidTemplate, "a lambda has no body")
	}
	l := &lambda{body: n.args[len(n.args)-1], scope: s}
	for _, a := range n.args[:len(n.args)-1] {
		if a.kind != literalText {
			return nil, faultf(InvalidTemplate, "the parameters of a lambda are names in quotes")
		}
		l.names = append(l.names, a.text)
	}
	return l, nil
}

// local is lambdaVariables('a').
func (s *scope) local(n *node) (any, error) {
	name, err := s.one(n)
	if err != nil {
		return nil, err
	}
	if v, ok := lookup(s.locals, name); ok {
		return v, nil
	}
	return nil, faultf(InvalidTemplate, "there is no lambda with a variable '%s' here", name)
}

// apply calls a lambda; what it has no name for is not passed.
func (l *lambda) apply(args ...any) (any, error) {
	s := l.scope.with(func(c *scope) {
		c.locals = maps.Clone(c.locals)
		if c.locals == nil {
			c.locals = map[string]any{}
		}
		for i, name := range l.names {
			set(c.locals, name, args[i])
		}
		c.depth++
	})
	if s.depth > maxNesting {
		return nil, faultf(InvalidTemplate, "lambdas are nested more than %d deep", maxNesting)
	}
	return s.eval(l.body)
}

// asLambda checks how many parameters a lambda has.
func asLambda(v any, least, most int) (*lambda, error) {
	l, ok := v.(*lambda)
	if !ok {
		return nil, faultf(InvalidTemplate, "a lambda is needed, not %s", kindOf(v))
	}
	if n := len(l.names); n < least || n > most {
		return nil, faultf(InvalidTemplate, "a lambda with %d parameters is given, and %d to %d are possible", n, least, most)
	}
	return l, nil
}

// lambdaFunctions are those of "Lambda functions for ARM templates".
func lambdaFunctions() map[string]function {
	over := func(do func([]any, *lambda) (any, error)) function {
		return function{2, 2, func(_ *scope, a []any) (any, error) {
			list, err := asList(a[0])
			if err != nil {
				return nil, err
			}
			l, err := asLambda(a[1], 1, 2)
			if err != nil {
				return nil, err
			}
			return do(list, l)
		}}
	}
	return map[string]function{
		"map": over(func(list []any, l *lambda) (any, error) {
			out := make([]any, len(list))
			for i, e := range list {
				v, err := l.apply(e, int64(i))
				if err != nil {
					return nil, err
				}
				out[i] = v
			}
			return out, nil
		}),
		"filter": over(func(list []any, l *lambda) (any, error) {
			out := []any{}
			for i, e := range list {
				v, err := l.apply(e, int64(i))
				if err != nil {
					return nil, err
				}
				keep, err := asBool(v)
				if err != nil {
					return nil, err
				}
				if keep {
					out = append(out, e)
				}
			}
			return out, nil
		}),
		"groupby": over(func(list []any, l *lambda) (any, error) {
			out := map[string]any{}
			for i, e := range list {
				k, err := named(l, e, int64(i))
				if err != nil {
					return nil, err
				}
				group, _ := out[k].([]any)
				out[k] = append(group, e)
			}
			return out, nil
		}),
		"mapvalues": {2, 2, func(_ *scope, a []any) (any, error) {
			o, err := asObject(a[0])
			if err != nil {
				return nil, err
			}
			l, err := asLambda(a[1], 1, 1)
			if err != nil {
				return nil, err
			}
			out := make(map[string]any, len(o))
			for k, v := range o {
				if out[k], err = l.apply(v); err != nil {
					return nil, err
				}
			}
			return out, nil
		}},
		"toobject": {2, 3, func(_ *scope, a []any) (any, error) {
			list, err := asList(a[0])
			if err != nil {
				return nil, err
			}
			key, err := asLambda(a[1], 1, 1)
			if err != nil {
				return nil, err
			}
			var value *lambda
			if len(a) == 3 {
				if value, err = asLambda(a[2], 1, 1); err != nil {
					return nil, err
				}
			}
			out := map[string]any{}
			for _, e := range list {
				k, err := named(key, e)
				if err != nil {
					return nil, err
				}
				v := e
				if value != nil {
					if v, err = value.apply(e); err != nil {
						return nil, err
					}
				}
				set(out, k, v)
			}
			return out, nil
		}},
		"reduce": {3, 3, func(_ *scope, a []any) (any, error) {
			list, err := asList(a[0])
			if err != nil {
				return nil, err
			}
			l, err := asLambda(a[2], 2, 3)
			if err != nil {
				return nil, err
			}
			sum := a[1]
			for i, e := range list {
				if sum, err = l.apply(sum, e, int64(i)); err != nil {
					return nil, err
				}
			}
			return sum, nil
		}},
		"sort": {2, 2, func(_ *scope, a []any) (any, error) {
			list, err := asList(a[0])
			if err != nil {
				return nil, err
			}
			l, err := asLambda(a[1], 2, 2)
			if err != nil {
				return nil, err
			}
			// The lambda says whether the first comes before the second.
			before := func(x, y any) bool {
				v, wrong := l.apply(x, y)
				yes, notBool := asBool(v)
				if err == nil && wrong != nil {
					err = wrong
				} else if err == nil && notBool != nil {
					err = notBool
				}
				return yes
			}
			out := slices.Clone(list)
			slices.SortStableFunc(out, func(x, y any) int {
				switch {
				case err != nil:
					return 0
				case before(x, y):
					return -1
				case before(y, x):
					return 1
				}
				return 0
			})
			return out, err
		}},
	}
}

// named applies a lambda that makes a name.
func named(l *lambda, args ...any) (string, error) {
	v, err := l.apply(args...)
	if err != nil {
		return "", err
	}
	s, err := asText(v)
	return strings.Clone(s), err
}
