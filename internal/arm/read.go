package arm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// reading is what computing a shown property needs.
type reading struct {
	kinds kindSet
	view  *state.View
	id    model.ID
}

// shown returns the document of an answer: the stored one, or a copy with
// computed properties.
func (c *call) shown(k *kind, r *model.Resource) map[string]any {
	if k.Shape != nil {
		return k.Shape(c, r)
	}
	doc := r.Doc
	updating := k.State && !k.Ready && c.s.pending.has(r.ID.Key(), c.s.now())
	if k.Show == nil && !updating {
		return k.asOf(c.apiVersion(), doc)
	}
	doc = shallow(doc)
	p := shallow(object(doc, "properties"))
	doc["properties"] = p
	if updating {
		p["provisioningState"] = "Updating"
	}
	if k.Show != nil {
		k.Show(&reading{c.s.kinds, c.s.store.View(), r.ID}, p)
	}
	if k.Expand != nil {
		k.Expand(r, c.r.URL.Query().Get("$expand"), p)
	}
	return k.asOf(c.apiVersion(), doc)
}

// apiVersion is the version of the API that the request names, "" if there is no
// request or it names none.
func (c *call) apiVersion() string {
	if c.r == nil {
		return ""
	}
	return c.r.URL.Query().Get("api-version")
}

// shown returns a document as it is shown once no operation is under way.
func (ks kindSet) shown(v *state.View, r *model.Resource) map[string]any {
	k := ks[strings.ToLower(r.Type())]
	if k == nil || k.Show == nil {
		return r.Doc
	}
	doc := shallow(r.Doc)
	p := shallow(object(doc, "properties"))
	doc["properties"] = p
	k.Show(&reading{ks, v, r.ID}, p)
	return doc
}

// get answers with one resource.
func (c *call) get(k *kind, id model.ID) *Fault {
	v := c.s.store.View()
	if k.Inline == "" {
		if e, ok := v.Get(id); ok {
			if k.Show == nil && k.Shape == nil && !k.partial(c.apiVersion()) && !c.s.pending.has(e.Resource.ID.Key(), c.s.now()) {
				if etag := text(e.Resource.Doc, "etag"); etag != "" {
					c.w.Header().Set("ETag", etag)
				}
				writeBytes(c.w, http.StatusOK, e.JSON)
				return nil
			}
			return c.answer(http.StatusOK, k, e.Resource, false)
		}
	} else if doc, ok := c.child(v, k, id); ok {
		return c.answer(http.StatusOK, k, &model.Resource{ID: model.MustParseID(text(doc, "id")), Doc: doc}, false)
	}
	if g := id.ResourceGroup(); g != "" {
		if group := model.GroupID(c.subscription, g); !has(v, group) {
			return notFound(group, false)
		}
	}
	if k.Inline != "" && !has(v, id.Parent()) {
		return notFound(id.Parent(), false)
	}
	return notFound(id, k.proxied())
}

// child returns the document of an inline child, one that the server keeps
// included.
func (c *call) child(v *state.View, k *kind, id model.ID) (map[string]any, bool) {
	if k.Kept == nil {
		return lookup(v, k, id)
	}
	e, ok := v.Get(id.Parent())
	if !ok {
		return nil, false
	}
	doc, i := namedIn(k.Kept(&reading{c.s.kinds, v, id.Parent()}, e.Resource.ID, objects(e.Resource.Properties(), k.Inline)), id.Name())
	return doc, i >= 0
}

// head tells whether a resource exists.
func (c *call) head(id model.ID) *Fault {
	k, f := c.s.kinds.of(id)
	if f != nil {
		return f
	}
	status := http.StatusNotFound
	if _, ok := c.child(c.s.store.View(), k, id); ok {
		status = http.StatusNoContent
	}
	c.w.WriteHeader(status)
	return nil
}

// collection lists the resources of a type below a scope: a subscription, a
// resource group or a parent.
func (c *call) collection(scope model.ID, resourceType string) *Fault {
	if list := published[strings.ToLower(resourceType)]; list != nil && c.r.Method == http.MethodGet {
		writeJSON(c.w, http.StatusOK, list(scope))
		return nil
	}
	types, f := c.s.kinds.collected(resourceType)
	if f != nil {
		return f
	}
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, http.MethodGet)
	}
	if f := c.permitBelow(operationOf(types[0].Type, "read"), scope); f != nil {
		return f
	}
	v := c.s.store.View()
	if g := scope.ResourceGroup(); g != "" {
		if group := model.GroupID(c.subscription, g); !has(v, group) {
			return notFound(group, false)
		}
	}
	if k := types[0]; k.child() {
		if !scope.Is(k.parent.Type) {
			return fault(http.StatusNotFound, "InvalidResourceType", "Resources of type '%s' are listed below their parent.", k.Type)
		}
		if !has(v, scope) && !scope.Equal(c.s.managementRoot()) {
			return notFound(scope, k.parent.child())
		}
	}
	p, f := c.newPage()
	if f != nil {
		return f
	}
	if types[0].Type == model.TypeResourceGroup {
		if p.match, f = parseFilter(c.r.URL.Query().Get("$filter")); f != nil {
			return f
		}
	}
	for _, k := range types {
		c.collect(v, scope, k, p)
	}
	return c.answerPage(p)
}

// collect adds the resources of one kind below a scope to a page.
func (c *call) collect(v *state.View, scope model.ID, k *kind, p *page) {
	if k.Derived != nil {
		for _, o := range k.Derived.list(&reading{c.s.kinds, v, scope}) {
			if !p.add(model.MustParseID(text(o, "id")), func() any { return o }) {
				return
			}
		}
		return
	}
	if k.Inline != "" {
		e, _ := v.Get(scope)
		children := objects(e.Resource.Properties(), k.Inline)
		if k.Kept != nil {
			children = k.Kept(&reading{c.s.kinds, v, scope}, e.Resource.ID, children)
		}
		slices.SortFunc(children, func(a, b map[string]any) int {
			return strings.Compare(strings.ToLower(text(a, "name")), strings.ToLower(text(b, "name")))
		})
		for _, o := range children {
			if k.Shared && !strings.EqualFold(text(o, "type"), k.Type) {
				continue
			}
			id := e.Resource.ID.Child(k.leaf(), text(o, "name"))
			if !p.add(id, func() any { return c.shown(k, &model.Resource{ID: id, Doc: o}) }) {
				return
			}
		}
		return
	}
	prefix := scope.Key() + "/"
	for _, e := range findExact(v, termType+strings.ToLower(k.Type)) {
		if !strings.HasPrefix(e.Resource.ID.Key(), prefix) || p.match != nil && !p.match(e.Resource) {
			continue
		}
		if !p.add(e.Resource.ID, func() any { return c.entryBody(k, e) }) {
			return
		}
	}
}

// entryBody is an entry as it is shown.
func (c *call) entryBody(k *kind, e state.Entry) any {
	if k.Show == nil && k.Shape == nil && !k.partial(c.apiVersion()) && c.s.operationTime == 0 && c.s.timingScale == 0 {
		return json.RawMessage(e.JSON)
	}
	return c.shown(k, e.Resource)
}

// collected returns the kinds a collection lists. The record sets of a zone
// are also listed together, as ALL or recordsets.
func (ks kindSet) collected(resourceType string) ([]*kind, *Fault) {
	i := strings.LastIndexByte(resourceType, '/')
	zone, leaf := ks[strings.ToLower(resourceType[:i])], strings.ToLower(resourceType[i+1:])
	if zone != nil && strings.HasSuffix(strings.ToLower(zone.Type), "dnszones") && (leaf == "all" || leaf == "recordsets") {
		var out []*kind
		for _, t := range recordTypes(zone.Type) {
			out = append(out, ks[strings.ToLower(zone.Type+"/"+t)])
		}
		return out, nil
	}
	k, f := ks.ofType(resourceType)
	return []*kind{k}, f
}

// page is one page of a listing under way. Listings are in order of keys; a
// page goes on after the key of the one before.
type page struct {
	after string
	size  int
	value []any
	last  string
	more  bool
	// byKey says that the listing is in order of keys alone, not of types first.
	byKey bool
	// may says what the caller may read; the rest is left out.
	may *rights
	// match says which resources of their own documents are listed; nil means all.
	match func(*model.Resource) bool
}

// newPage reads $top and $skiptoken.
func (c *call) newPage() (*page, *Fault) {
	p := &page{size: c.s.pageSize, value: []any{}, may: c.rights()}
	q := c.r.URL.Query()
	if t := q.Get("$top"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return nil, badRequest("InvalidQueryParameter", "The value '%s' of $top is not a positive number.", t)
		}
		p.size = min(p.size, n)
	}
	if t := q.Get("$skiptoken"); t != "" {
		b, err := base64.RawURLEncoding.DecodeString(t)
		if key := strings.Fields(string(b)); err == nil && len(key) > 0 {
			_, err = model.ParseID(key[len(key)-1])
		} else {
			err = errors.Join(err, errors.New("no key"))
		}
		if err != nil {
			return nil, badRequest("InvalidSkipToken", "The value of $skiptoken is invalid; use nextLink as it was given.")
		}
		p.after = string(b)
	}
	return p, nil
}

// add puts a resource on the page and reports whether to go on. Kinds listed
// together come one after the other, so the place in the listing is the type's
// and the key's.
func (p *page) add(id model.ID, body func() any) bool {
	place := id.Key()
	if !p.byKey {
		place = strings.ToLower(id.Type()) + " " + place
	}
	if p.after != "" && place <= p.after {
		return true
	}
	if !p.may.read(id) {
		return true
	}
	if len(p.value) == p.size {
		p.more = true
		return false
	}
	p.value = append(p.value, body())
	p.last = place
	return true
}

func (c *call) answerPage(p *page) *Fault {
	answer := map[string]any{"value": p.value}
	if p.more {
		q := c.r.URL.Query()
		q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(p.last)))
		next := url.URL{Path: c.r.URL.Path, RawQuery: q.Encode()}
		answer["nextLink"] = c.base + next.RequestURI()
	}
	writeJSON(c.w, http.StatusOK, answer)
	return nil
}
