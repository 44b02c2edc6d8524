package intent

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/goccy/go-yaml/ast"
)

// decoder fills the types of language.go from a syntax tree. It never stops at
// an error: it notes the problem and leaves the value absent.
type decoder struct {
	file     string
	problems *model.Problems
	anchors  map[string]ast.Node
	budget   *int // values left before the input counts as hostile
	depth    int
}

func newDecoder(file string, body ast.Node, problems *model.Problems, budget *int) *decoder {
	d := &decoder{file: file, problems: problems, anchors: map[string]ast.Node{}, budget: budget}
	ast.Walk(anchorVisitor{d}, body)
	return d
}

// anchorVisitor collects the anchors that aliases refer to.
type anchorVisitor struct{ d *decoder }

func (v anchorVisitor) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil {
		v.d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return v
}

func (d *decoder) problem(pos model.Pos, fix, format string, args ...any) {
	*d.problems = append(*d.problems, model.Problem{Pos: pos, What: fmt.Sprintf(format, args...), Fix: fix})
}

// pos returns the place of a node: for a block map that of its first key.
func (d *decoder) pos(n ast.Node) model.Pos {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return d.pos(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return d.pos(m.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return model.Pos{File: d.file, Line: 1, Column: 1}
	}
	p := n.GetToken().Position
	return model.Pos{File: d.file, Line: p.Line, Column: p.Column}
}

// resolve follows tags, anchors and aliases to the value itself.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch v := n.(type) {
		case *ast.TagNode:
			n = v.Value
		case *ast.AnchorNode:
			n = v.Value
		case *ast.MappingKeyNode:
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			target, ok := d.anchors[name]
			if !ok {
				d.problem(d.pos(v), "define it with &"+name, "alias *%s has no anchor", name)
				return nil
			}
			n = target
		default:
			return n
		}
	}
	return nil
}

// pair is one key and value of a map, merge keys already followed.
type pair struct {
	key   string
	pos   model.Pos
	value ast.Node
}

// pairs returns the entries of a map. Keys merged with << come last and yield
// to the map's own.
func (d *decoder) pairs(n ast.Node) []pair {
	m, ok := n.(ast.MapNode)
	if !ok {
		return nil
	}
	var own, merged []pair
	seen := map[string]model.Pos{}
	for it := m.MapRange(); it.Next(); {
		k := it.Key()
		if k.IsMergeKey() {
			merged = append(merged, d.mergedPairs(it.Value())...)
			continue
		}
		key, ok := d.keyText(k)
		if !ok {
			continue
		}
		pos := d.pos(k)
		if first, dup := seen[key]; dup {
			d.problem(pos, fmt.Sprintf("it is already at line %d; keep one", first.Line), "duplicate key %q", key)
			continue
		}
		seen[key] = pos
		own = append(own, pair{key, pos, it.Value()})
	}
	for _, p := range merged {
		if _, dup := seen[p.key]; !dup {
			seen[p.key] = p.pos
			own = append(own, p)
		}
	}
	return own
}

func (d *decoder) mergedPairs(n ast.Node) []pair {
	if !d.enter(n) {
		return nil
	}
	defer d.leave()
	switch v := d.resolve(n).(type) {
	case ast.MapNode:
		return d.pairs(v.(ast.Node))
	case *ast.SequenceNode:
		var out []pair
		for _, e := range v.Values {
			out = append(out, d.mergedPairs(e)...)
		}
		return out
	default:
		d.problem(d.pos(n), "merge a map", "<< needs a map")
		return nil
	}
}

func (d *decoder) keyText(k ast.Node) (string, bool) {
	switch v := d.resolve(k).(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.NullNode:
		d.problem(d.pos(k), "give the key a name", "a key is missing")
		return "", false
	case ast.ScalarNode:
		return v.GetToken().Value, true
	default:
		d.problem(d.pos(k), "use plain text as a key", "a key is not text")
		return "", false
	}
}

// enter counts a value against the limits.
func (d *decoder) enter(n ast.Node) bool {
	*d.budget--
	if *d.budget < 0 {
		return false
	}
	if *d.budget == 0 || d.depth == maxDepth {
		*d.budget = 0 // said once, and nothing more is read
		d.problem(d.pos(n), "write it without so many aliases", "the document expands beyond its limits (%d values, %d deep)", maxNodes, maxDepth)
		return false
	}
	d.depth++
	return true
}

func (d *decoder) leave() { d.depth-- }

// kind names what a node is, for messages.
func kind(n ast.Node) string {
	switch v := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return v.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + v.GetToken().Value
	case *ast.InfinityNode, *ast.NanNode:
		return "the number " + v.GetToken().Value
	case *ast.StringNode:
		return strconv.Quote(v.Value)
	case *ast.LiteralNode:
		return "text"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a map"
	default:
		return "something else"
	}
}

func isNull(n ast.Node) bool {
	if n == nil {
		return true
	}
	_, ok := n.(*ast.NullNode)
	return ok
}

// isEmpty reports whether a node is a list or map without entries.
func isEmpty(n ast.Node) bool {
	switch v := n.(type) {
	case *ast.SequenceNode:
		return len(v.Values) == 0
	case *ast.MappingNode:
		return len(v.Values) == 0
	}
	return false
}

// value decodes a node into v. where names the value for messages.
func (d *decoder) value(n ast.Node, v reflect.Value, where string) {
	at := d.pos(n)
	if !d.enter(n) {
		return
	}
	defer d.leave()
	r := d.resolve(n)
	switch p := v.Addr().Interface().(type) {
	case *Text:
		*p = d.text(r, at, where)
		return
	case *Int:
		d.integer(r, at, where, p)
		return
	case *Bool:
		b, ok := r.(*ast.BoolNode)
		if !ok {
			d.problem(at, "write true or false", "%s must be true or false, not %s", where, kind(r))
			return
		}
		*p = Bool{b.Value, at}
		return
	case *Texts:
		if s, ok := r.(*ast.SequenceNode); ok {
			for _, e := range s.Values {
				if t := d.text(d.resolve(e), d.pos(e), "an entry of "+where); t.IsSet() {
					*p = append(*p, t)
				}
			}
			return
		}
		if t := d.text(r, at, where); t.IsSet() {
			*p = Texts{t}
		}
		return
	case *PublicIP:
		d.publicIP(r, at, where, p)
		return
	case *Doc:
		*p = Doc{At: map[string]model.Pos{}, Pos: at}
		if p.Doc, _ = d.any(n, "", p.At).(map[string]any); p.Doc == nil {
			d.problem(at, "write KEY: VALUE", "%s must be a map, not %s", where, kind(r))
		}
		return
	case *Raw:
		d.raw(r, at, p)
		return
	case keyed:
		d.keyedMap(r, at, v, where)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), where)
	case reflect.Slice:
		s, ok := r.(*ast.SequenceNode)
		if !ok {
			if !isNull(r) {
				d.problem(at, "start each entry with \"- \"", "%s must be a list, not %s", where, kind(r))
			}
			return
		}
		for _, e := range s.Values {
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(e, item, "an entry of "+where)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Struct:
		d.structure(r, at, v, where)
	}
}

func (d *decoder) text(n ast.Node, at model.Pos, where string) Text {
	switch v := n.(type) {
	case *ast.StringNode:
		return Text{v.Value, at}
	case *ast.LiteralNode:
		return Text{strings.TrimSpace(v.Value.Value), at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		d.problem(at, fmt.Sprintf("quote it: %q", v.GetToken().Value), "%s must be text, not %s", where, kind(n))
	case ast.MapNode: // inside [...] a colon makes a map of host:nva
		d.problem(at, "write text; if it holds a colon, quote it", "%s must be text, not %s", where, kind(n))
	default:
		d.problem(at, "write text", "%s must be text, not %s", where, kind(n))
	}
	return Text{}
}

func (d *decoder) integer(n ast.Node, at model.Pos, where string, p *Int) {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		d.problem(at, "write a number without quotes", "%s must be a whole number, not %s", where, kind(n))
		return
	}
	switch v := i.Value.(type) {
	case int64:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			*p = Int{int(v), at}
			return
		}
	case uint64:
		if v <= math.MaxInt32 {
			*p = Int{int(v), at}
			return
		}
	}
	d.problem(at, "write a smaller number", "%s is too large: %s", where, i.GetToken().Value)
}

func (d *decoder) publicIP(n ast.Node, at model.Pos, where string, p *PublicIP) {
	switch v := n.(type) {
	case *ast.BoolNode:
		*p = PublicIP{Wanted: v.Value, Pos: at}
	case ast.MapNode:
		*p = PublicIP{Wanted: true, Pos: at}
		for _, e := range d.pairs(v.(ast.Node)) {
			if e.key != "address" {
				d.unknownKey(e, []string{"address"}, where)
				continue
			}
			p.Address = d.text(d.resolve(e.value), d.pos(e.value), "address")
		}
	default:
		d.problem(at, "write true, or {address: A}", "%s must be true, false or a map, not %s", where, kind(n))
	}
}

func (d *decoder) keyedMap(n ast.Node, at model.Pos, v reflect.Value, where string) {
	if isNull(n) {
		return
	}
	if _, ok := n.(ast.MapNode); !ok {
		d.problem(at, "write NAME: VALUE", "%s must be a map, not %s", where, kind(n))
		return
	}
	for _, p := range d.pairs(n) {
		entry := reflect.New(v.Type().Elem()).Elem()
		entry.Field(0).Set(reflect.ValueOf(Text{p.key, p.pos}))
		value := entry.Field(1)
		// A structure may be left empty: "app:" alone is a subnet of defaults.
		if isNull(d.resolve(p.value)) && value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[Text]() {
			setPos(value, p.pos)
		} else {
			d.value(p.value, value, strconv.Quote(p.key)+" in "+where)
			if value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[Text]() {
				setPos(value, p.pos)
			}
		}
		v.Set(reflect.Append(v, entry))
	}
}

// setPos records the place of a structure, for those that keep one.
func setPos(v reflect.Value, pos model.Pos) {
	if f := v.FieldByName("Pos"); f.IsValid() {
		f.Set(reflect.ValueOf(pos))
	}
}

func (d *decoder) structure(n ast.Node, at model.Pos, v reflect.Value, where string) {
	setPos(v, at)
	if _, ok := n.(ast.MapNode); !ok {
		d.problem(at, "write KEY: VALUE with the keys "+strings.Join(keysOf(v.Type()), ", "), "%s must be a map, not %s", where, kind(n))
		return
	}
	for _, p := range d.pairs(n) {
		field, ok := fieldOf(v, p.key)
		if !ok {
			d.unknownKey(p, keysOf(v.Type()), where)
			continue
		}
		if isNull(d.resolve(p.value)) {
			continue
		}
		d.value(p.value, field, p.key)
	}
}

func (d *decoder) unknownKey(p pair, known []string, where string) {
	fix := "the keys are " + strings.Join(known, ", ")
	if near, ok := nearest(p.key, known); ok {
		fix = fmt.Sprintf("did you mean %q?", near)
	} else if _, err := strconv.Atoi(strings.ReplaceAll(p.key, "-", "")); err == nil && isNull(d.resolve(p.value)) {
		fix = "inside {...} a comma ends a value: quote the sentence or write it on a line of its own"
	}
	d.problem(p.pos, fix, "unknown key %q in %s", p.key, where)
}

// keysOf returns the keys of a structure in the order of its declaration.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if k := v.Type().Field(i).Tag.Get("yaml"); key != "" && k == key && k != "-" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// document decodes one YAML document and merges it into what earlier files
// declared. It reports false if a whole section is missing, because its key is not
// known or its value of the wrong type.
func (d *decoder) document(body ast.Node, into *Document) bool {
	var one Document
	_, isMap := d.resolve(body).(ast.MapNode)
	sound := isMap
	d.value(body, reflect.ValueOf(&one).Elem(), "the network")
	for _, p := range d.pairs(d.resolve(body)) {
		f, known := fieldOf(reflect.ValueOf(&one).Elem(), p.key)
		if v := d.resolve(p.value); !known || f.IsZero() && !isNull(v) && !isEmpty(v) {
			sound = false
		}
	}
	src, dst := reflect.ValueOf(&one).Elem(), reflect.ValueOf(into).Elem()
	for i := range src.NumField() {
		from, to, key := src.Field(i), dst.Field(i), src.Type().Field(i).Tag.Get("yaml")
		switch {
		case from.IsZero():
		case from.Kind() == reflect.Slice:
			if _, ok := from.Addr().Interface().(keyed); ok {
				d.mergeMaps(from, to, key)
				continue
			}
			to.Set(reflect.AppendSlice(to, from))
		case to.IsZero():
			to.Set(from)
		default:
			d.problem(placeOf(from), fmt.Sprintf("it is already at %s; keep one", placeOf(to)), "%s is given twice", key)
		}
	}
	return sound
}

func (d *decoder) mergeMaps(from, to reflect.Value, what string) {
	have := map[string]model.Pos{}
	for i := range to.Len() {
		k := to.Index(i).Field(0).Interface().(Text)
		have[k.Value] = k.Pos
	}
	for i := range from.Len() {
		k := from.Index(i).Field(0).Interface().(Text)
		if first, dup := have[k.Value]; dup {
			d.problem(k.Pos, fmt.Sprintf("it is already at %s; keep one", first), "duplicate key %q in %s", k.Value, what)
			continue
		}
		to.Set(reflect.Append(to, from.Index(i)))
	}
}

func placeOf(v reflect.Value) model.Pos {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	p, _ := v.FieldByName("Pos").Interface().(model.Pos)
	return p
}

// raw decodes a resource in its Resource Manager shape.
func (d *decoder) raw(n ast.Node, at model.Pos, r *Raw) {
	*r = Raw{Doc: map[string]any{}, At: map[string]model.Pos{}, Pos: at}
	if _, ok := n.(ast.MapNode); !ok {
		d.problem(at, "write type, name and properties", "a resource must be a map, not %s", kind(n))
		return
	}
	own := map[string]*Text{"type": &r.Type, "name": &r.Name, "resource-group": &r.ResourceGroup, "each": &r.Each}
	for _, p := range d.pairs(n) {
		if t, ok := own[p.key]; ok {
			*t = d.text(d.resolve(p.value), d.pos(p.value), p.key)
			continue
		}
		r.At["/"+escapePointer(p.key)] = p.pos
		r.Doc[p.key] = d.any(p.value, "/"+escapePointer(p.key), r.At)
	}
	for _, key := range []string{"type", "name"} {
		if !own[key].IsSet() {
			d.problem(at, "add "+key+": ...", "a resource has no %s", key)
		}
	}
}

// any decodes a JSON value and the places of its parts.
func (d *decoder) any(n ast.Node, pointer string, at map[string]model.Pos) any {
	if !d.enter(n) {
		return nil
	}
	defer d.leave()
	switch v := d.resolve(n).(type) {
	case *ast.BoolNode:
		return v.Value
	case *ast.IntegerNode:
		return json.Number(fmt.Sprint(v.Value))
	case *ast.FloatNode:
		return json.Number(strconv.FormatFloat(v.Value, 'g', -1, 64))
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	case *ast.SequenceNode:
		list := make([]any, 0, len(v.Values))
		for i, e := range v.Values {
			p := pointer + "/" + strconv.Itoa(i)
			at[p] = d.pos(e)
			list = append(list, d.any(e, p, at))
		}
		return list
	case ast.MapNode:
		m := map[string]any{}
		for _, e := range d.pairs(v.(ast.Node)) {
			p := pointer + "/" + escapePointer(e.key)
			at[p] = e.pos
			m[e.key] = d.any(e.value, p, at)
		}
		return m
	case nil, *ast.NullNode:
		return nil
	default:
		d.problem(d.pos(n), "write text, a number, a list or a map", "%s has no form in JSON", kind(v))
		return nil
	}
}

// escapePointer writes a key as a reference token of RFC 6901.
func escapePointer(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// sortedCopy returns the texts in order, without touching the original.
func sortedCopy(s []string) []string {
	c := slices.Clone(s)
	slices.Sort(c)
	return c
}
