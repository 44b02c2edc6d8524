package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// DecodeError is one property of a document that has the wrong type.
type DecodeError struct {
	Pointer string // JSON pointer (RFC 6901) of the property
	Want    string // what the property must be, for example "a string"
	Found   string // what it is
}

// Error formats the error as "/properties/priority: want a whole number, found "abc"".
func (e DecodeError) Error() string {
	return fmt.Sprintf("%s: want %s, found %s", e.Pointer, e.Want, e.Found)
}

// DecodeErrors is every wrong property of a document, sorted by pointer.
type DecodeErrors []DecodeError

// Error lists the errors, separated by semicolons.
func (es DecodeErrors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "; ")
}

// Decode fills a view from a document: what encoding/json would do by way of
// text, without the text. Unknown properties are ignored, null leaves the zero
// value, names match in any case and documents share maps with the view. The
// error is a [DecodeErrors] that names every property of the wrong type; the
// view then holds what could be read.
//
// It panics if view is not a pointer to a struct.
func Decode(doc map[string]any, view any) error {
	v := reflect.ValueOf(view)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: Decode into %T", view))
	}
	var d decoder
	d.object(doc, v.Elem())
	if len(d.errs) == 0 {
		return nil
	}
	slices.SortFunc(d.errs, func(a, b DecodeError) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Found, b.Found))
	})
	return d.errs
}

// decoder walks a document. The path to where it is becomes text only in an
// error.
type decoder struct {
	path []step
	errs DecodeErrors
}

type step struct {
	name  string
	index int // when name is empty
}

func (d *decoder) fail(want string, found any) {
	var b strings.Builder
	for _, s := range d.path {
		b.WriteByte('/')
		if s.name == "" {
			b.WriteString(strconv.Itoa(s.index))
			continue
		}
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.name))
	}
	text, err := json.Marshal(found)
	if err != nil || len(text) > 60 {
		text = []byte(kindOf(found))
	}
	d.errs = append(d.errs, DecodeError{Pointer: b.String(), Want: want, Found: string(text)})
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	default:
		return "a number"
	}
}

func (d *decoder) object(doc map[string]any, v reflect.Value) {
	plan := planOf(v.Type())
	var seen uint64
	for key, value := range doc {
		i := plan.find(key)
		if i < 0 || value == nil {
			continue
		}
		d.path = append(d.path, step{name: key})
		if bit := uint64(1) << i; seen&bit != 0 {
			d.fail("one property", plan[i].name+" twice in different case")
		} else {
			seen |= bit
			d.value(value, v.FieldByIndex(plan[i].index))
		}
		d.path = d.path[:len(d.path)-1]
	}
}

func (d *decoder) value(from any, to reflect.Value) {
	if from == nil {
		return
	}
	switch to.Kind() {
	case reflect.String:
		if s, ok := from.(string); ok {
			to.SetString(s)
		} else {
			d.fail("a string", from)
		}
	case reflect.Bool:
		if b, ok := from.(bool); ok {
			to.SetBool(b)
		} else {
			d.fail("true or false", from)
		}
	case reflect.Int:
		if n, ok := whole(from); ok {
			to.SetInt(n)
		} else {
			d.fail("a whole number", from)
		}
	case reflect.Struct:
		if m, ok := from.(map[string]any); ok {
			d.object(m, to)
		} else {
			d.fail("an object", from)
		}
	case reflect.Pointer:
		p := reflect.New(to.Type().Elem())
		d.value(from, p.Elem())
		to.Set(p)
	case reflect.Slice:
		d.list(from, to)
	case reflect.Map:
		d.dictionary(from, to)
	case reflect.Interface:
		to.Set(reflect.ValueOf(from))
	default:
		panic(fmt.Sprintf("wire: views have no fields of type %s", to.Type()))
	}
}

func (d *decoder) list(from any, to reflect.Value) {
	list, ok := from.([]any)
	if !ok {
		d.fail("a list", from)
		return
	}
	s := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, e := range list {
		d.path = append(d.path, step{index: i})
		d.value(e, s.Index(i))
		d.path = d.path[:len(d.path)-1]
	}
	to.Set(s)
}

// dictionary fills maps with string keys: tags, and whole documents.
func (d *decoder) dictionary(from any, to reflect.Value) {
	m, ok := from.(map[string]any)
	if !ok {
		d.fail("an object", from)
		return
	}
	if whole, ok := to.Addr().Interface().(*map[string]any); ok {
		*whole = m
		return
	}
	out := reflect.MakeMapWithSize(to.Type(), len(m))
	for key, value := range m {
		d.path = append(d.path, step{name: key})
		e := reflect.New(to.Type().Elem()).Elem()
		d.value(value, e)
		out.SetMapIndex(reflect.ValueOf(key), e)
		d.path = d.path[:len(d.path)-1]
	}
	to.Set(out)
}

// whole reads a JSON number without a fraction.
func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case json.Number:
		i, err := strconv.ParseInt(string(n), 10, 64)
		return i, err == nil
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case int:
		return int64(n), true
	case int64:
		return n, true
	default:
		return 0, false
	}
}

// plan lists the properties of a struct, embedded structs included.
type plan []planned

type planned struct {
	name  string
	index []int
}

// find returns the position of a property: the exact name if there is one,
// else the name in another case, else -1.
func (p plan) find(key string) int {
	for i := range p {
		if p[i].name == key {
			return i
		}
	}
	for i := range p {
		if len(p[i].name) == len(key) && strings.EqualFold(p[i].name, key) {
			return i
		}
	}
	return -1
}

// plans remembers the plan of each type: a pure function of the type.
var plans sync.Map // reflect.Type to plan

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	var p plan
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			p = append(p, planned{name: name, index: f.Index})
		}
	}
	if len(p) > 64 {
		panic(fmt.Sprintf("wire: %s has more than 64 properties", t))
	}
	plans.Store(t, p)
	return p
}
