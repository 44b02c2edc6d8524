package template

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func logicFunctions() map[string]function {
	order := func(ok func(int) bool) function {
		return function{2, 2, func(_ *scope, a []any) (any, error) {
			if x, isText := a[0].(string); isText {
				y, err := asText(a[1])
				return ok(strings.Compare(x, y)), err
			}
			x, err := asInt(a[0])
			if err != nil {
				return nil, err
			}
			y, err := asInt(a[1])
			return ok(cmp.Compare(x, y)), err
		}}
	}
	return map[string]function{
		"true":            {0, 0, func(*scope, []any) (any, error) { return true, nil }},
		"false":           {0, 0, func(*scope, []any) (any, error) { return false, nil }},
		"not":             of1(asBool, func(b bool) (any, error) { return !b, nil }),
		"equals":          {2, 2, func(_ *scope, a []any) (any, error) { return equal(a[0], a[1], false), nil }},
		"less":            order(func(c int) bool { return c < 0 }),
		"lessorequals":    order(func(c int) bool { return c <= 0 }),
		"greater":         order(func(c int) bool { return c > 0 }),
		"greaterorequals": order(func(c int) bool { return c >= 0 }),
		"fail":            of1(asText, func(s string) (any, error) { return nil, faultf(ValidationFailed, "%s", s) }),
		"bool": {1, 1, func(_ *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case bool:
				return v, nil
			case int64:
				return v != 0, nil
			case string:
				if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
					return b, nil
				}
			}
			return nil, faultf(InvalidTemplate, "%s is neither true nor false", show(a[0]))
		}},
	}
}

func numberFunctions() map[string]function {
	math := func(do func(a, b int64) (int64, bool)) function {
		return of2(asInt, asInt, func(a, b int64) (any, error) {
			n, ok := do(a, b)
			if !ok {
				return nil, faultf(InvalidTemplate, "%d and %d have no result that is a 64-bit integer", a, b)
			}
			return n, nil
		})
	}
	return map[string]function{
		"add": math(func(a, b int64) (int64, bool) { c := a + b; return c, (c > a) == (b > 0) }),
		"sub": math(func(a, b int64) (int64, bool) { c := a - b; return c, (c < a) == (b > 0) }),
		"mul": math(func(a, b int64) (int64, bool) {
			if a == 0 || b == 0 {
				return 0, true
			}
			c := a * b
			return c, c/b == a && !(a == -1 && b == -1<<63) && !(b == -1 && a == -1<<63)
		}),
		"div": math(func(a, b int64) (int64, bool) {
			if b == 0 || b == -1 && a == -1<<63 {
				return 0, false
			}
			return a / b, true
		}),
		"mod": math(func(a, b int64) (int64, bool) {
			if b == 0 || b == -1 {
				return 0, b != 0
			}
			return a % b, true
		}),
		"int": {1, 1, func(_ *scope, a []any) (any, error) {
			if s, ok := a[0].(string); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
				if err != nil {
					return nil, faultf(InvalidTemplate, "'%s' is not a 64-bit integer", shorten(s))
				}
				return n, nil
			}
			return asInt(a[0])
		}},
		"float": {1, 1, func(_ *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case int64:
				return float64(v), nil
			case float64:
				return v, nil
			case string:
				if f, err := strconv.ParseFloat(v, 64); err == nil {
					return f, nil
				}
			}
			return nil, faultf(InvalidTemplate, "%s is not a number", show(a[0]))
		}},
		"copyindex": {0, 2, copyIndex},
	}
}

// copyIndex is copyIndex(loopName, offset); both may be left out.
func copyIndex(s *scope, a []any) (any, error) {
	name := ""
	if len(a) > 0 {
		if text, ok := a[0].(string); ok {
			name, a = text, a[1:]
		}
	}
	offset := int64(0)
	if len(a) > 0 {
		var err error
		if offset, err = asInt(a[0]); err != nil {
			return nil, err
		}
	}
	for _, l := range slices.Backward(s.copies) {
		// Without a name it is the index of the resource's loop, within its loops
		// of properties too: those are named ("Property iteration in ARM templates").
		if name == "" && l.resource || name != "" && strings.EqualFold(l.name, name) {
			return l.index + offset, nil
		}
	}
	if name == "" {
		if n := len(s.copies); n > 0 {
			return s.copies[n-1].index + offset, nil
		}
		return nil, faultf(InvalidTemplate, "copyIndex() is used outside of a loop")
	}
	return nil, faultf(InvalidTemplate, "there is no loop '%s' here", name)
}
