package template

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxList bounds what functions make: range() of a billion is a mistake.
const maxList = 10_000

func arrayFunctions() map[string]function {
	return map[string]function{
		"array": {1, 1, func(_ *scope, a []any) (any, error) {
			if l, ok := a[0].([]any); ok {
				return l, nil
			}
			return []any{a[0]}, nil
		}},
		"createarray": {0, -1, func(_ *scope, a []any) (any, error) { return slices.Clone(a), nil }},
		"concat":      {1, -1, concat},
		"contains": {2, 2, func(s *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case []any:
				if err := s.search(v); err != nil {
					return nil, err
				}
				return slices.ContainsFunc(v, func(e any) bool { return equal(e, a[1], false) }), nil
			case string:
				part, err := asPlain(a[1])
				return strings.Contains(v, part), err
			case map[string]any:
				name, err := asText(a[1])
				_, ok := lookup(v, name)
				return ok, err
			}
			return nil, faultf(InvalidTemplate, "an array, a string or an object is needed, not %s", kindOf(a[0]))
		}},
		"empty": {1, 1, func(_ *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case nil:
				return true, nil
			case []any:
				return len(v) == 0, nil
			case string:
				return v == "", nil
			case map[string]any:
				return len(v) == 0, nil
			}
			return nil, faultf(InvalidTemplate, "an array, a string or an object is needed, not %s", kindOf(a[0]))
		}},
		"length": {1, 1, func(_ *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case []any:
				return int64(len(v)), nil
			case string:
				return int64(len([]rune(v))), nil
			case map[string]any:
				return int64(len(v)), nil
			}
			return nil, faultf(InvalidTemplate, "an array, a string or an object is needed, not %s", kindOf(a[0]))
		}},
		"first": {1, 1, func(_ *scope, a []any) (any, error) { return end(a[0], func(int) int { return 0 }) }},
		"last":  {1, 1, func(_ *scope, a []any) (any, error) { return end(a[0], func(n int) int { return n - 1 }) }},
		"indexof": {2, 2, func(_ *scope, a []any) (any, error) {
			return position(a, slices.IndexFunc[[]any], strings.Index)
		}},
		"lastindexof": {2, 2, func(_ *scope, a []any) (any, error) {
			return position(a, func(l []any, f func(any) bool) int {
				for i := len(l) - 1; i >= 0; i-- {
					if f(l[i]) {
						return i
					}
				}
				return -1
			}, strings.LastIndex)
		}},
		"indexfromend": of2(asList, asInt, func(l []any, n int64) (any, error) {
			if n < 1 || n > int64(len(l)) {
				return nil, faultf(InvalidTemplate, "the index %d from the end is outside of the array, which has %d elements", n, len(l))
			}
			return l[int64(len(l))-n], nil
		}),
		"range": of2(asInt, asInt, func(from, n int64) (any, error) {
			if n < 0 || n > maxList || from > 1<<31-1-n || from < -1<<31 {
				return nil, faultf(InvalidTemplate, "the count must be from 0 to %d and the sum at most 2147483647", maxList)
			}
			out := make([]any, n)
			for i := range out {
				out[i] = from + int64(i)
			}
			return out, nil
		}),
		"skip": {2, 2, func(_ *scope, a []any) (any, error) { return cut(a, func(n, k int) (int, int) { return k, n }) }},
		"take": {2, 2, func(_ *scope, a []any) (any, error) { return cut(a, func(_, k int) (int, int) { return 0, k }) }},
		"flatten": of1(asList, func(l []any) (any, error) {
			out := []any{}
			for _, e := range l {
				inner, err := asList(e)
				if err != nil {
					return nil, err
				}
				out = append(out, inner...)
			}
			return out, nil
		}),
		"union":        {1, -1, union},
		"intersection": {1, -1, intersection},
		"max":          {1, -1, func(_ *scope, a []any) (any, error) { return extreme(a, 1) }},
		"min":          {1, -1, func(_ *scope, a []any) (any, error) { return extreme(a, -1) }},
	}
}

func objectFunctions() map[string]function {
	return map[string]function{
		"createobject": {0, -1, func(_ *scope, a []any) (any, error) {
			if len(a)%2 != 0 {
				return nil, faultf(InvalidTemplate, "names and values come in pairs, and %d is odd", len(a))
			}
			out := map[string]any{}
			for i := 0; i < len(a); i += 2 {
				name, err := asText(a[i])
				if err != nil {
					return nil, err
				}
				out[name] = a[i+1]
			}
			return out, nil
		}},
		"null": {0, 0, func(*scope, []any) (any, error) { return nil, nil }},
		"items": of1(asObject, func(o map[string]any) (any, error) {
			out := []any{}
			for _, k := range keys(o) {
				out = append(out, map[string]any{"key": k, "value": o[k]})
			}
			return out, nil
		}),
		"objectkeys": of1(asObject, func(o map[string]any) (any, error) {
			out := []any{}
			for _, k := range keys(o) {
				out = append(out, k)
			}
			return out, nil
		}),
		"shallowmerge": of1(asList, func(l []any) (any, error) {
			out := map[string]any{}
			for _, e := range l {
				o, err := asObject(e)
				if err != nil {
					return nil, err
				}
				for k, v := range o {
					set(out, k, v)
				}
			}
			return out, nil
		}),
		"tryget": {2, -1, tryGet},
		"tryindexfromend": of2(asList, asInt, func(l []any, n int64) (any, error) {
			if n < 1 || n > int64(len(l)) {
				return nil, nil
			}
			return l[int64(len(l))-n], nil
		}),
	}
}

// keys are the names of an object in the order of items().
func keys(o map[string]any) []string {
	return slices.SortedFunc(maps.Keys(o), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
}

// set sets a property, whatever the case of the name it has.
func set(o map[string]any, name string, v any) {
	for k := range o {
		if k != name && strings.EqualFold(k, name) {
			delete(o, k)
		}
	}
	o[name] = v
}

func tryGet(_ *scope, a []any) (any, error) {
	v := a[0]
	for _, step := range a[1:] {
		switch step := step.(type) {
		case string:
			o, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, faultf(InvalidTemplate, "the property '%s' is asked of %s", step, kindOf(v))
			}
			v, _ = lookup(o, step)
		case int64:
			l, ok := v.([]any)
			if !ok && v != nil {
				return nil, faultf(InvalidTemplate, "element %d is asked of %s", step, kindOf(v))
			}
			v = nil
			if step >= 0 && step < int64(len(l)) {
				v = l[step]
			}
		default:
			return nil, faultf(InvalidTemplate, "a name or an index is needed, not %s", kindOf(step))
		}
	}
	return v, nil
}

func concat(_ *scope, a []any) (any, error) {
	if _, ok := a[0].([]any); ok {
		out := []any{}
		for _, v := range a {
			l, err := asList(v)
			if err != nil {
				return nil, err
			}
			out = append(out, l...)
		}
		return out, nil
	}
	var b strings.Builder
	for _, v := range a {
		s, err := asPlain(v)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// end returns an element or character at an end; of nothing, nothing.
func end(v any, at func(int) int) (any, error) {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
		return v[at(len(v))], nil
	case string:
		r := []rune(v)
		if len(r) == 0 {
			return "", nil
		}
		return string(r[at(len(r))]), nil
	}
	return nil, faultf(InvalidTemplate, "an array or a string is needed, not %s", kindOf(v))
}

func position(a []any, list func([]any, func(any) bool) int, text func(string, string) int) (any, error) {
	switch v := a[0].(type) {
	case []any:
		return int64(list(v, func(e any) bool { return equal(e, a[1], false) })), nil
	case string:
		part, err := asText(a[1])
		if err != nil {
			return nil, err
		}
		i := text(strings.ToLower(v), strings.ToLower(part))
		if i > 0 {
			i = len([]rune(strings.ToLower(v)[:i]))
		}
		return int64(i), nil
	}
	return nil, faultf(InvalidTemplate, "an array or a string is needed, not %s", kindOf(a[0]))
}

// cut is skip() and take(): within bounds, whatever the number.
func cut(a []any, bounds func(n, k int) (int, int)) (any, error) {
	k, err := asInt(a[1])
	if err != nil {
		return nil, err
	}
	within := func(n int) (int, int) { return bounds(n, int(max(0, min(k, int64(n))))) }
	switch v := a[0].(type) {
	case []any:
		from, to := within(len(v))
		return slices.Clone(v[from:to]), nil
	case string:
		r := []rune(v)
		from, to := within(len(r))
		return string(r[from:to]), nil
	}
	return nil, faultf(InvalidTemplate, "an array or a string is needed, not %s", kindOf(a[0]))
}

func union(s *scope, a []any) (any, error) {
	if _, ok := a[0].(map[string]any); ok {
		out := map[string]any{}
		for _, v := range a {
			o, err := asObject(v)
			if err != nil {
				return nil, err
			}
			merge(out, o)
		}
		return out, nil
	}
	out := []any{}
	for _, v := range a {
		l, err := asList(v)
		if err != nil {
			return nil, err
		}
		for _, e := range l {
			if err := s.search(out); err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(out, func(x any) bool { return equal(x, e, false) }) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// merge puts an object into another: objects within are merged, all else is
// replaced.
func merge(into, o map[string]any) {
	for _, k := range keys(o) {
		have, _ := lookup(into, k)
		inner, isObject := have.(map[string]any)
		more, alsoObject := o[k].(map[string]any)
		if isObject && alsoObject {
			both := maps.Clone(inner)
			merge(both, more)
			set(into, k, both)
			continue
		}
		set(into, k, o[k])
	}
}

func intersection(s *scope, a []any) (any, error) {
	if first, ok := a[0].(map[string]any); ok {
		out := maps.Clone(first)
		for _, v := range a[1:] {
			o, err := asObject(v)
			if err != nil {
				return nil, err
			}
			maps.DeleteFunc(out, func(k string, v any) bool {
				other, ok := lookup(o, k)
				return !ok || !equal(v, other, false)
			})
		}
		return out, nil
	}
	first, err := asList(a[0])
	if err != nil {
		return nil, err
	}
	out := slices.Clone(first)
	for _, v := range a[1:] {
		l, err := asList(v)
		if err != nil {
			return nil, err
		}
		for range out {
			if err := s.search(l); err != nil {
				return nil, err
			}
		}
		out = slices.DeleteFunc(out, func(e any) bool {
			return !slices.ContainsFunc(l, func(x any) bool { return equal(x, e, false) })
		})
	}
	return out, nil
}

func extreme(a []any, sign int) (any, error) {
	if l, ok := a[0].([]any); ok && len(a) == 1 {
		a = l
	}
	if len(a) == 0 {
		return nil, faultf(InvalidTemplate, "there is none of nothing")
	}
	best, err := asInt(a[0])
	for _, v := range a {
		n, wrong := asInt(v)
		if err = wrong; err != nil {
			return nil, err
		}
		if cmp.Compare(n, best) == sign {
			best = n
		}
	}
	return best, err
}

// equal compares values; fold ignores the case of strings, as equals() does not.
func equal(a, b any, fold bool) bool {
	switch x := a.(type) {
	case int64:
		if f, ok := b.(float64); ok {
			return float64(x) == f
		}
	case float64:
		if n, ok := b.(int64); ok {
			return x == float64(n)
		}
	case string:
		if y, ok := b.(string); ok && fold {
			return strings.EqualFold(x, y)
		}
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, func(p, q any) bool { return equal(p, q, fold) })
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, func(p, q any) bool { return equal(p, q, fold) })
	}
	return reflect.DeepEqual(a, b)
}
