package plan

import (
	"encoding/json"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// scope answers what comparing needs to know of the rest of the network.
type scope struct {
	owned   func(id string) bool   // a resource the network may unlink
	apart   func(path string) bool // a child array whose elements are declared by themselves
	foreign map[string]bool        // lower-case names of tags that are left alone
}

// differ compares one declared document with the observed one.
type differ struct {
	scope
	pos     func(pointer string) model.Pos
	changes []Change
}

// compare returns what differs between the declared and the observed document,
// in the order of the property names.
func compare(want, have *model.Resource, sc scope) []Change {
	d := differ{scope: sc, pos: want.PosOf}
	facts := factsOf(want.ID)
	for _, k := range sortedKeys(want.Doc) {
		switch {
		case k == "id" || k == "name" || k == "type" || k == "tags" || everywhere(k):
		default:
			d.value(facts.child(k), "/"+escape(k), pathOf("", k), k, want.Doc[k], have.Doc[k])
		}
	}
	if p, ok := have.Doc["properties"].(map[string]any); ok && want.Doc["properties"] == nil {
		d.object(facts.child("properties"), "/properties", "", map[string]any{}, p)
	}
	d.tags(want, have)
	return d.changes
}

func (d *differ) add(pointer, path string, old, new any) {
	d.changes = append(d.changes, Change{Pointer: pointer, Path: path, Old: old, New: new, Pos: d.pos(pointer)})
}

// tags compares tags as a whole: they decide membership of network groups, so
// one that is no longer declared must go. Names ignore case.
func (d *differ) tags(want, have *model.Resource) {
	wanted := foldTags(want.Tags())
	found := foldTags(have.Tags())
	for _, name := range sortedKeys(wanted) {
		if f, ok := found[name]; !ok || f.value != wanted[name].value {
			var old any
			if ok {
				old = f.value
			}
			w := wanted[name]
			d.add("/tags/"+escape(w.name), "tags."+w.name, old, w.value)
		}
	}
	for _, name := range sortedKeys(found) {
		if _, ok := wanted[name]; !ok && !d.keepsTag(name) {
			f := found[name]
			d.add("/tags/"+escape(f.name), "tags."+f.name, f.value, nil)
		}
	}
}

// keepsTag reports whether an undeclared tag stays: our own bookkeeping, the
// hidden tags of Azure's portal and what the options call foreign.
func (sc scope) keepsTag(lower string) bool {
	return strings.HasPrefix(lower, "cerulean-") || strings.HasPrefix(lower, "hidden-") || sc.foreign[lower]
}

type tag struct{ name, value string }

func foldTags(tags map[string]string) map[string]tag {
	out := make(map[string]tag, len(tags))
	for name, value := range tags {
		out[strings.ToLower(name)] = tag{name, value}
	}
	return out
}

func (d *differ) value(n *node, pointer, path, key string, want, have any) {
	if have == nil {
		have = n.otherwise()
	}
	if isZero(want) && isZero(have) {
		return
	}
	if n.isWhole() {
		if canonical(key, want) != canonical(key, have) {
			d.add(pointer, path, have, want)
		}
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if h, ok := have.(map[string]any); ok {
			d.object(n, pointer, path, w, h)
			return
		}
	case []any:
		if h, ok := have.([]any); ok {
			d.array(n, pointer, path, key, w, h)
			return
		}
	default:
		if have != nil && canonical(key, want) == canonical(key, have) {
			return
		}
	}
	d.add(pointer, path, have, want)
}

func (d *differ) object(n *node, pointer, path string, want, have map[string]any) {
	skip := map[string]bool{}
	for _, f := range forms {
		w, key := form(want, f.one, f.many)
		if key == "" {
			continue
		}
		skip[f.one], skip[f.many] = true, true
		h, found := form(have, f.one, f.many)
		if !sameSet(key, w, h) {
			old := have[found]
			d.add(pointer+"/"+escape(key), pathOf(path, key), old, want[key])
		}
	}
	for _, k := range sortedKeys(want) {
		if !skip[k] && !everywhere(k) && !isIdentity(k, want, have) {
			d.value(n.child(k), pointer+"/"+escape(k), pathOf(path, k), k, want[k], have[k])
		}
	}
	if n == nil {
		return
	}
	for _, k := range sortedKeys(n.children) {
		if _, declared := want[k]; !declared {
			d.undeclared(n.children[k], pointer+"/"+escape(k), pathOf(path, k), k, have[k])
		}
	}
}

// isIdentity reports whether a property is what a named element is matched by,
// not something it says: its name, in any case, and its own ID.
func isIdentity(key string, want, have map[string]any) bool {
	w, named := want["name"].(string)
	h, also := have["name"].(string)
	return named && also && strings.EqualFold(w, h) && (key == "name" || key == "id")
}

// undeclared handles a property with facts that the declaration leaves out.
func (d *differ) undeclared(n *node, pointer, path, key string, have any) {
	if have == nil {
		return
	}
	switch h := have.(type) {
	case map[string]any:
		if n.link {
			if id, _ := h["id"].(string); id != "" && d.owned(id) {
				d.add(pointer, path, have, nil)
			}
			return
		}
		if n.absent == nil {
			d.object(n, pointer, path, map[string]any{}, h)
			return
		}
	case []any:
		if d.apart != nil && d.apart(key) {
			return
		}
	}
	if n.absent == nil || n.accepts(key, have) {
		return
	}
	if list, ok := have.([]any); ok && len(list) > 0 && elementKey(key, list, nil) != nil {
		if empty, ok := n.absent[0].([]any); ok && len(empty) == 0 {
			d.array(n, pointer, path, key, empty, list)
			return
		}
	}
	d.add(pointer, path, have, n.absent[0])
}

// accepts reports whether an observed value means the same as leaving the
// property out.
func (n *node) accepts(key string, have any) bool {
	return slices.ContainsFunc(n.absent, func(a any) bool {
		return canonical(key, a) == canonical(key, have)
	})
}

func (d *differ) array(n *node, pointer, path, key string, want, have []any) {
	if keyOf := elementKey(key, want, have); keyOf != nil {
		found := make(map[string]int, len(have))
		for i, e := range have {
			found[keyOf(e)] = i
		}
		for i, e := range want {
			k := keyOf(e)
			at, label := pointer+"/"+strconv.Itoa(i), path+"["+elementName(e, k)+"]"
			if j, ok := found[k]; ok {
				d.value(n.child("*"), at, label, key, e, have[j])
				delete(found, k)
			} else {
				d.add(at, label, nil, e)
			}
		}
		for i, e := range have {
			k := keyOf(e)
			if j, ok := found[k]; ok && i == j {
				d.add(pointer+"/"+strconv.Itoa(i), path+"["+elementName(e, k)+"]", overlayer{}.clean(n.child("*"), e), nil)
			}
		}
		return
	}
	if unordered[key] {
		if !sameSet(key, want, have) {
			d.add(pointer, path, have, want)
		}
		return
	}
	if len(want) != len(have) || scalars(want) {
		if canonical(key, want) != canonical(key, have) {
			d.add(pointer, path, have, want)
		}
		return
	}
	for i := range want {
		d.value(n.child("*"), pointer+"/"+strconv.Itoa(i), path+"["+strconv.Itoa(i)+"]", key, want[i], have[i])
	}
}

func scalars(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool {
		switch e.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

// elementKey returns the function that tells the elements of both arrays apart,
// or nil if they go by position: by "name" (subnets, securityRules, routes,
// ipConfigurations, ruleCollections, rules), by the properties of elementKeys,
// or by "id" (arrays of references).
func elementKey(key string, want, have []any) func(any) string {
	candidates := [][]string{{"name"}, elementKeys[key], {"id"}}
	for _, props := range candidates {
		if props == nil {
			continue
		}
		keyOf := func(e any) string { return keyBy(e, props) }
		if tellsApart(want, keyOf) && tellsApart(have, keyOf) {
			return keyOf
		}
	}
	return nil
}

func tellsApart(list []any, keyOf func(any) string) bool {
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		k := keyOf(e)
		if k == "" || seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

func keyBy(e any, props []string) string {
	m, ok := e.(map[string]any)
	if !ok {
		return ""
	}
	parts := make([]string, len(props))
	for i, p := range props {
		switch m[p].(type) {
		case map[string]any, []any: // no key; and comparing stays linear
			return ""
		}
		if isZero(m[p]) {
			return ""
		}
		parts[i] = strings.ToLower(canonical(p, m[p]))
	}
	return strings.Join(parts, " ")
}

// elementName is how people call an element of an array.
func elementName(e any, key string) string {
	m, _ := e.(map[string]any)
	if name, ok := m["name"].(string); ok {
		return name
	}
	key = strings.ReplaceAll(key, `"`, "")
	return key[strings.LastIndexByte(key, '/')+1:]
}

// form returns the values of a property with two forms as a list, and which
// form the object uses; "" if neither says anything.
func form(m map[string]any, one, many string) ([]any, string) {
	if v, ok := m[one]; ok && !isZero(v) {
		return []any{v}, one
	}
	if v, ok := m[many].([]any); ok {
		return v, many
	}
	if _, ok := m[one]; ok {
		return nil, one
	}
	return nil, ""
}

func sameSet(key string, a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	x, y := make([]string, len(a)), make([]string, len(b))
	for i := range a {
		x[i], y[i] = canonical(key, a[i]), canonical(key, b[i])
	}
	sort.Strings(x)
	sort.Strings(y)
	return slices.Equal(x, y)
}

// isZero reports whether a value says nothing: absent, null, "", false, 0, an
// empty array, or an object of such values. Azure leaves these out at will.
func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case json.Number:
		f, err := v.Float64()
		return err == nil && f == 0
	case float64:
		return v == 0
	case int:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, e := range v {
			if !isZero(e) {
				return false
			}
		}
		return true
	}
	return false
}

// canonical returns a text that is equal for values Azure takes as equal:
// resource IDs and enumerations in any case, locations in either spelling,
// addresses and prefixes in any notation, numbers by value, sets in any order.
func canonical(key string, v any) string {
	var b strings.Builder
	writeCanonical(&b, key, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, key string, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(strconv.Quote(canonicalString(key, v)))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case json.Number:
		if f, err := v.Float64(); err == nil {
			b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
		} else {
			b.WriteString(v.String())
		}
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case int:
		b.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 64))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = canonical(key, e)
		}
		if unordered[key] || elementKey(key, v, nil) != nil {
			sort.Strings(parts)
		}
		b.WriteString("[" + strings.Join(parts, ",") + "]")
	case map[string]any:
		b.WriteByte('{')
		for _, k := range sortedKeys(v) {
			if !isZero(v[k]) {
				b.WriteString(strconv.Quote(k) + ":")
				writeCanonical(b, k, v[k])
				b.WriteByte(',')
			}
		}
		b.WriteByte('}')
	default:
		b.WriteString("null")
	}
}

func canonicalString(key, s string) string {
	switch {
	case s == "":
		return s
	case s[0] == '/' && isID(s):
		return strings.ToLower(s)
	case key == "location" || key == "locations" || key == "targetLocation":
		return model.NormalizeLocation(s)
	case folded[key]:
		return strings.ToLower(s)
	case s[0] >= '0' && s[0] <= '9' || strings.IndexByte(s, ':') >= 0:
		if p, err := netip.ParsePrefix(s); err == nil {
			return p.String()
		}
		if a, err := netip.ParseAddr(s); err == nil {
			return a.String()
		}
	}
	return s
}

func isID(s string) bool {
	const prefix = "/subscriptions/"
	return len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// pathOf appends a property to a path as people read it.
func pathOf(path, key string) string {
	switch {
	case key == "properties":
		return path
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// escape writes a property name as a token of a JSON pointer (RFC 6901, 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
