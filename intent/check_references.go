package intent

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// shortID is a resource ID without its subscription and resource group, as
// resources in their Resource Manager shape may write it:
// Microsoft.Network/virtualNetworks/hub/subnets/dmz.
var shortID = regexp.MustCompile(`^Microsoft\.[A-Za-z.]+(/[^/\s]+/[^/\s]+)+$`)

// typeVaultSecret is a secret of a key vault, which documents may name though it is
// no resource of a declared network.
const typeVaultSecret = model.TypeKeyVault + "/secrets"

// completeReferences replaces short IDs in the resources given in their
// Resource Manager shape by whole ones.
func (b *builder) completeReferences() {
	for _, r := range b.raw {
		r.Doc = mapStrings(r.Doc, "", func(pointer, s string) string {
			key := strings.ToLower(pointer[strings.LastIndexByte(pointer, '/')+1:])
			if !strings.HasSuffix(key, "id") || !shortID.MatchString(s) || pointer == "/id" {
				return s
			}
			if id, ok := b.completeID(r, s, pointer); ok {
				return id
			}
			return s
		}).(map[string]any)
	}
}

// completeID finds the resource that a short ID names; of several with the name
// the one in the same location.
func (b *builder) completeID(r *model.Resource, short, pointer string) (string, bool) {
	parts := strings.Split(short, "/")
	top := strings.ToLower("/providers/" + strings.Join(parts[:3], "/"))
	var found []*model.Resource
	for _, o := range b.resources {
		if strings.HasSuffix(o.ID.Key(), top) {
			found = append(found, o)
		}
	}
	if len(found) > 1 {
		var near []*model.Resource
		for _, o := range found {
			if o.Location() == r.Location() {
				near = append(near, o)
			}
		}
		if len(near) == 1 {
			found = near
		}
	}
	switch len(found) {
	case 1:
		id := found[0].ID.String()
		if len(parts) > 3 {
			id += "/" + strings.Join(parts[3:], "/")
		}
		return id, true
	case 0:
		b.problem(r.PosOf(pointer), b.nearestName(parts[0]+"/"+parts[1], parts[2]), "%s names nothing declared in this network", short)
	default:
		b.problem(r.PosOf(pointer), "write the whole ID, for example "+found[0].ID.String(), "%s names %d resources", short, len(found))
	}
	return "", false
}

// nearestName is the fix for a reference to nothing.
func (b *builder) nearestName(resourceType, name string) string {
	var same []string
	for _, o := range b.resources {
		if o.ID.Is(resourceType) {
			if strings.EqualFold(o.ID.Name(), name) {
				return "did you mean " + o.ID.String() + "?"
			}
			same = append(same, o.ID.Name())
		}
	}
	return suggestion(name, same, "declare it")
}

// parentFix is the fix for a child of nothing: the resource group to add if the
// parent is in one other, else the nearest name.
func (b *builder) parentFix(parent model.ID) string {
	var groups []string
	for _, o := range b.resources {
		if o.ID.Is(parent.Type()) && strings.EqualFold(o.ID.Name(), parent.Name()) {
			groups = append(groups, o.ID.ResourceGroup())
		}
	}
	if len(groups) == 0 {
		return b.nearestName(parent.Type(), parent.Name())
	}
	return "add resource-group: " + strings.Join(groups, " or ")
}

// nearestPart is the fix for an ID that names nothing: the nearest part of its
// parent if that is declared, else the nearest resource of the type.
func (b *builder) nearestPart(id model.ID) string {
	parts := strings.Split(id.String(), "/")
	parent := b.byKey[id.Parent().Key()]
	if parent == nil {
		return b.nearestName(id.Type(), id.Name())
	}
	var there []string
	for k, v := range parent.Properties() {
		list, _ := v.([]any)
		for _, e := range list {
			m, _ := e.(map[string]any)
			if name, _ := m["name"].(string); name != "" && strings.EqualFold(k, parts[len(parts)-2]) {
				there = append(there, name)
			}
		}
	}
	return suggestion(id.Name(), there, "declare it in "+parent.ID.Name())
}

// checkReferences refuses resource IDs that name nothing declared. IDs of other
// subscriptions are beyond what can be known here.
func (b *builder) checkReferences() {
	for _, r := range b.resources {
		if p := r.ID.Parent(); slices.Contains(b.raw, r) && p.Type() != model.TypeResourceGroup && !b.declared(p) {
			b.problem(r.Pos, b.parentFix(p), "%s %q is a child of %s, which is not declared", r.Type(), r.ID.Name(), p)
		}
		walkStrings(r.Doc, "", func(pointer, s string) {
			if pointer == "/id" || len(s) < 15 || !strings.EqualFold(s[:15], "/subscriptions/") {
				return
			}
			id, err := model.ParseID(s)
			if err != nil {
				b.problem(r.PosOf(pointer), "write a whole resource ID", "%v", err)
				return
			}
			if id.Is(typeVaultSecret) {
				id = id.Parent() // what a vault holds is contents
			}
			if strings.EqualFold(id.Subscription(), b.subscription) && !b.declared(id) {
				b.problem(r.PosOf(pointer), b.nearestPart(id), "%s names nothing declared in this network", id)
			}
		})
	}
}

// declared reports whether an ID names a resource of the network, or a part
// that is inline in one: a subnet, a rule, an IP configuration.
func (b *builder) declared(id model.ID) bool {
	if id.Type() == "Microsoft.Resources/subscriptions" {
		return true
	}
	if b.byKey[id.Key()] != nil {
		return true
	}
	parts := strings.Split(id.String(), "/")
	for n := len(parts) - 2; n > 4; n -= 2 {
		r := b.byKey[strings.ToLower(strings.Join(parts[:n], "/"))]
		if r != nil {
			return inlinePart(r.Properties(), parts[n:])
		}
	}
	return false
}

// inlinePart follows type/name segments through the lists of a document.
func inlinePart(properties map[string]any, segments []string) bool {
	for len(segments) >= 2 {
		var list []any
		for k, v := range properties {
			if strings.EqualFold(k, segments[0]) {
				list, _ = v.([]any)
			}
		}
		i := slices.IndexFunc(list, func(e any) bool {
			m, _ := e.(map[string]any)
			name, _ := m["name"].(string)
			return strings.EqualFold(name, segments[1])
		})
		if i < 0 {
			return false
		}
		m, _ := list[i].(map[string]any)
		properties, _ = m["properties"].(map[string]any)
		segments = segments[2:]
	}
	return true
}

// walkStrings calls f for every string of a JSON value in a fixed order.
func walkStrings(v any, pointer string, f func(pointer, s string)) {
	switch v := v.(type) {
	case string:
		f(pointer, v)
	case []any:
		for i, e := range v {
			walkStrings(e, pointer+"/"+strconv.Itoa(i), f)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			walkStrings(v[k], pointer+"/"+escapePointer(k), f)
		}
	}
}

// mapStrings copies a JSON value with every string replaced.
func mapStrings(v any, pointer string, f func(pointer, s string) string) any {
	switch v := v.(type) {
	case string:
		return f(pointer, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = mapStrings(e, pointer+"/"+strconv.Itoa(i), f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = mapStrings(e, pointer+"/"+escapePointer(k), f)
		}
		return out
	default:
		return v
	}
}
