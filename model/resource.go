package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Resource is one Azure resource: its whole document and where it came from.
//
// Doc is the client's JSON document, kept whole: properties Cerulean does not
// know survive a round trip, and absent, null and empty stay different.
// Numbers are json.Number or float64. A Resource is treated as immutable once
// shared: change a [Resource.Clone].
type Resource struct {
	ID  ID
	Doc map[string]any
	// Pos is where the resource was declared.
	Pos Pos
	// At gives the places of parts of the document by JSON pointer (RFC 6901),
	// for example "/properties/securityRules/0". A part without an entry is at
	// the place of its nearest ancestor with one; see [Resource.PosOf].
	At map[string]Pos
}

// Type returns the full resource type, taken from the ID.
func (r *Resource) Type() string { return r.ID.Type() }

// Location returns the normalised location ("West Europe" gives "westeurope"),
// or "" for a resource without one.
func (r *Resource) Location() string {
	s, _ := r.Doc["location"].(string)
	return NormalizeLocation(s)
}

// NormalizeLocation returns a location in the form Azure answers with: lower
// case without spaces.
func NormalizeLocation(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, " ", ""))
}

// Tags returns the resource's tags; tag names compare case-insensitively in
// Azure, values do not.
func (r *Resource) Tags() map[string]string {
	raw, _ := r.Doc["tags"].(map[string]any)
	tags := make(map[string]string, len(raw))
	for k, v := range raw {
		if s, ok := v.(string); ok {
			tags[k] = s
		}
	}
	return tags
}

// PosOf returns the place of the part of the document named by a JSON pointer,
// or of its nearest ancestor, or of the resource.
func (r *Resource) PosOf(pointer string) Pos {
	for p := pointer; p != ""; p = p[:strings.LastIndexByte(p, '/')] {
		if pos, ok := r.At[p]; ok {
			return pos
		}
	}
	return r.Pos
}

// Properties returns the "properties" object, or nil.
func (r *Resource) Properties() map[string]any {
	p, _ := r.Doc["properties"].(map[string]any)
	return p
}

// Clone returns a deep copy of the document; positions are shared.
func (r *Resource) Clone() *Resource {
	c := *r
	c.Doc, _ = CloneJSON(r.Doc).(map[string]any)
	return &c
}

// Decode fills a typed view (see package model/wire) from the document.
// Unknown properties are ignored; a property of the wrong type is an error that
// names it.
func (r *Resource) Decode(view any) error {
	b, err := json.Marshal(r.Doc)
	if err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	if err := json.Unmarshal(b, view); err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	return nil
}

// NewResource makes a resource of a typed view; the view's JSON form is the
// document, completed with id, name and type.
func NewResource(id ID, view any, pos Pos) (*Resource, error) {
	b, err := json.Marshal(view)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	doc, err := ParseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	doc["id"], doc["name"], doc["type"] = id.String(), id.Name(), id.Type()
	return &Resource{ID: id, Doc: doc, Pos: pos}, nil
}

// MaxDepth is how deep objects and arrays may be nested in a document, a
// template or a request; the bound is ours, Azure's is not published.
const MaxDepth = 100

// ParseJSON reads one JSON object, keeping numbers exact.
func ParseJSON(b []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, fmt.Errorf("the document is not a JSON object")
	}
	return doc, nil
}

// CloneJSON returns a deep copy of a JSON value made of maps, slices and scalars.
func CloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = CloneJSON(e)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = CloneJSON(e)
		}
		return s
	default:
		return v
	}
}

// SortResources orders resources by ID, the order every listing uses.
func SortResources(rs []*Resource) {
	type keyed struct {
		key string
		r   *Resource
	}
	// A key is as long as an ID: fold its case once, not at every comparison.
	all := make([]keyed, len(rs))
	for i, r := range rs {
		all[i] = keyed{r.ID.Key(), r}
	}
	slices.SortFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i := range all {
		rs[i] = all[i].r
	}
}
