package arm

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/google/uuid"
)

// change is one document on its way into the store, inside one update.
type change struct {
	kinds kindSet
	tx    *state.Tx
	kind  *kind
	id    model.ID       // in its creator's case
	old   map[string]any // nil when the resource is new
	doc   map[string]any // what is to be stored; ours to change; nil for a deletion
	etag  string
	by    state.Actor
	root  model.ID // the management group above everything
	// via is the inline child that was written or deleted, in place of the whole
	// document; it is zero otherwise.
	via model.ID
	// prepared is what the kind's Prepare found out.
	prepared any
	// rights of whoever writes; nil means the server's own.
	rights *rights
}

func (s *Server) newChange(tx *state.Tx, k *kind, id model.ID, by state.Actor) *change {
	return &change{kinds: s.kinds, tx: tx, kind: k, id: id, etag: newEtag(), by: by, root: s.managementRoot()}
}

func newEtag() string { return `W/"` + uuid.NewString() + `"` }

// bareEtag is an etag without what says that it is weak, and its quotes.
func bareEtag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// store completes the document, checks it and puts it. It reports whether
// anything changed: a write that leaves the document as it was keeps its etag.
func (c *change) store() (changed bool, f *Fault) {
	if f := c.complete(); f != nil {
		return false, f
	}
	if f := c.checkReferences(); f != nil {
		return false, f
	}
	if f := c.checkLinked(); f != nil {
		return false, f
	}
	c.bareReferences()
	if f := c.checkRemoved(); f != nil {
		return false, f
	}
	if c.kind.Check != nil {
		if f := c.kind.Check(c); f != nil {
			return false, f
		}
	}
	if c.kind.Fill != nil {
		if f := c.kind.Fill(c); f != nil {
			return false, f
		}
	}
	if c.old != nil && reflect.DeepEqual(unversioned(c.old), unversioned(c.doc)) {
		c.doc = c.old
		return false, nil
	}
	if f := c.put(); f != nil {
		return false, f
	}
	c.dropExtensions()
	if c.kind.Settle != nil {
		return true, c.kind.Settle(c)
	}
	return true, nil
}

// dropExtensions deletes what stands on inline children that are gone: locks and
// role assignments.
func (c *change) dropExtensions() {
	for _, in := range c.kind.inlined() {
		kept := byName(object(c.doc, "properties"), in.Inline)
		for _, o := range objects(c.oldProps(), in.Inline) {
			if name := text(o, "name"); kept[strings.ToLower(name)] == nil {
				for _, e := range slices.Collect(c.tx.List(c.id.Child(in.leaf(), name).Key()+"/providers/", "")) {
					c.tx.Delete(e.Resource.ID)
				}
			}
		}
	}
}

// put stores the document as it is.
func (c *change) put() *Fault {
	if err := c.tx.Put(&model.Resource{ID: c.id, Doc: c.doc}); err != nil {
		return badRequest("InvalidRequestContent", "The resource cannot be stored: %v.", err)
	}
	return nil
}

// unversioned returns a copy of a document without what every write changes.
func unversioned(doc map[string]any) map[string]any {
	d := shallow(doc)
	delete(d, "etag")
	delete(d, "systemData")
	p := object(d, "properties")
	if p == nil {
		return d
	}
	p = shallow(p)
	d["properties"] = p
	for name, v := range p {
		if list, ok := v.([]any); ok {
			p[name] = bareParts(list)
		}
	}
	return d
}

// bareParts returns a list with its elements, and those of lists in them, less
// their etags.
func bareParts(list []any) []any {
	bare := make([]any, len(list))
	for i, e := range list {
		bare[i] = e
		o, ok := e.(map[string]any)
		if !ok || o["etag"] == nil {
			continue
		}
		o = shallow(o)
		delete(o, "etag")
		bare[i] = o
		p := object(o, "properties")
		for name, v := range p {
			inner, ok := v.([]any)
			if !ok || len(inner) == 0 {
				continue
			}
			p = shallow(p)
			p[name] = bareParts(inner)
		}
		if p != nil {
			o["properties"] = p
		}
	}
	return bare
}

// complete makes the client's document a whole one.
func (c *change) complete() *Fault {
	k, doc := c.kind, c.doc
	if strings.EqualFold(k.namespace(), "Microsoft.Network") {
		if at, v := strangeProperties(doc, ""); at != "" {
			return invalidProperty(c.id, at, v, "it must be an object")
		}
	}
	spell(doc)
	if k.Words != nil {
		k.Words.respell(doc["properties"])
	}
	if f := c.completeLocation(); f != nil {
		return f
	}
	if f := checkTags(c.id, doc); f != nil {
		return f
	}
	props, f := completeHead(k, c.id, doc, c.old, c.etag)
	if f != nil {
		return f
	}
	if k.SystemData {
		c.completeSystemData()
	}
	if props == nil {
		return nil
	}
	for _, in := range k.inlined() {
		if f := c.completeInline(in, props); f != nil {
			return f
		}
	}
	return nil
}

// strangeProperties finds a "properties" in a document that is no object, which
// none of the network provider's is, and its path.
func strangeProperties(v any, path string) (string, any) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if name == "tags" {
				continue
			}
			at := strings.TrimPrefix(path+"."+name, ".")
			if _, ok := e.(map[string]any); name == "properties" && e != nil && !ok {
				return at, e
			}
			if at, strange := strangeProperties(e, at); at != "" {
				return at, strange
			}
		}
	case []any:
		for _, e := range v {
			if at, strange := strangeProperties(e, path); at != "" {
				return at, strange
			}
		}
	}
	return "", nil
}

// completeHead fills what documents and inline children have in common, and
// returns the properties.
func completeHead(k *kind, id model.ID, doc, old map[string]any, etag string) (map[string]any, *Fault) {
	doc["id"], doc["name"], doc["type"], doc["etag"] = id.String(), id.Name(), k.Type, etag
	if k.BareEtag {
		doc["etag"] = bareEtag(etag)
	}
	if k.Answered != "" {
		doc["type"] = k.Answered
	}
	if k.NoEtag {
		delete(doc, "etag")
	}
	raw, present := doc["properties"]
	props, ok := raw.(map[string]any)
	switch {
	case present && raw != nil && !ok:
		return nil, invalidProperty(id, "properties", raw, "it must be an object")
	case props == nil && (k.State || k.GUID || len(k.Defaults) > 0):
		props = map[string]any{}
		doc["properties"] = props
	case props == nil:
		return nil, nil
	}
	for _, name := range k.Computed {
		delete(props, name)
	}
	for _, d := range k.Defaults {
		setDefault(props, d.path, d.value)
	}
	delete(props, "provisioningState")
	if k.State {
		props["provisioningState"] = "Succeeded"
	}
	if k.GUID {
		guid := text(object(old, "properties"), "resourceGuid")
		if guid == "" {
			guid = uuid.NewString()
		}
		props["resourceGuid"] = guid
	}
	return props, nil
}

func (c *change) completeLocation() *Fault {
	raw, present := c.doc["location"]
	loc, isText := raw.(string)
	if present && raw != nil && !isText {
		return invalidProperty(c.id, "location", raw, "it must be a string")
	}
	loc = model.NormalizeLocation(loc)
	switch c.kind.Location {
	case locationGlobal:
		if loc == "" {
			loc = "global"
		}
		if loc != "global" {
			return badRequest("LocationNotAvailableForResourceType", "The provided location '%s' is not available for resource type '%s'. List of available regions for the resource type is 'global'.", loc, c.kind.Type)
		}
	case locationRequired:
		if loc == "" {
			return badRequest("LocationRequired", "The location property is required for this definition.")
		}
		if _, ok := catalog.Region(loc); !ok {
			return badRequest("LocationNotAvailableForResourceType", "The provided location '%.100s' is not available for resource type '%s'. See /subscriptions/{subscription}/locations for those that are.", loc, c.kind.Type)
		}
	}
	if was := model.NormalizeLocation(text(c.old, "location")); was != "" && loc != was && c.kind.Location != noLocation {
		if c.kind.Type == model.TypeResourceGroup {
			return fault(http.StatusConflict, "InvalidResourceGroupLocation", "Invalid resource group location '%s'. The Resource group already exists in location '%s'.", loc, was)
		}
		return fault(http.StatusConflict, "InvalidResourceLocation",
			"The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.",
			c.id.Name(), was, c.id.ResourceGroup(), loc)
	}
	if loc != "" {
		c.doc["location"] = loc
	}
	return nil
}

// Limits of tags (Azure's "Use tags to organize your Azure resources").
const (
	maxTags     = 50
	maxTagName  = 512
	maxTagValue = 256
)

func checkTags(id model.ID, doc map[string]any) *Fault {
	raw, present := doc["tags"]
	if !present || raw == nil {
		return nil
	}
	tags, ok := raw.(map[string]any)
	if !ok {
		return invalidProperty(id, "tags", raw, "it must be an object of strings")
	}
	if len(tags) > maxTags {
		return badRequest("InvalidTags", "The resource %s has %d tags; at most %d are allowed.", id, len(tags), maxTags)
	}
	seen := make(map[string]bool, len(tags))
	for name, v := range tags {
		value, ok := v.(string)
		switch lower := strings.ToLower(name); {
		case !ok && v != nil:
			return invalidProperty(id, "tags."+name, v, "it must be a string")
		case name == "" || len(name) > maxTagName || strings.ContainsAny(name, `<>%&\?/`):
			return badRequest("InvalidTagNameCharacters", "The tag name '%.600s' of resource %s is invalid: 1 to %d characters, none of <>%%&\\?/.", name, id, maxTagName)
		case len(value) > maxTagValue:
			return badRequest("TagValueTooLarge", "The value of tag '%s' of resource %s has more than %d characters.", name, id, maxTagValue)
		case seen[lower]:
			return badRequest("DuplicateTagName", "The tag name '%s' of resource %s occurs twice; tag names are case-insensitive.", name, id)
		default:
			seen[lower] = true
		}
	}
	return nil
}

func (c *change) completeSystemData() {
	now := c.by.At.UTC().Format(time.RFC3339Nano)
	data := map[string]any{"createdBy": c.by.Who, "createdByType": "Application", "createdAt": now}
	if was := object(c.old, "systemData"); was != nil {
		data = maps.Clone(was)
	}
	data["lastModifiedBy"], data["lastModifiedByType"], data["lastModifiedAt"] = c.by.Who, "Application", now
	c.doc["systemData"] = data
}

// completeInline completes the children of one kind inside the document.
func (c *change) completeInline(in *kind, props map[string]any) *Fault {
	before := byName(c.oldProps(), in.Inline)
	raw, present := props[in.Inline]
	if raw == nil && in.KeepAbsent && len(before) > 0 {
		kept, _ := c.oldProps()[in.Inline].([]any)
		raw, present = model.CloneJSON(kept), true
		props[in.Inline] = raw
	}
	if !present || raw == nil {
		return nil
	}
	list, ok := raw.([]any)
	if !ok {
		return invalidProperty(c.id, "properties."+in.Inline, raw, "it must be a list")
	}
	if in.Kept != nil {
		list = c.dropKept(list)
		props[in.Inline] = list
	}
	if most := in.most(); len(list) > most {
		return badRequest(codeTooManyChildren, "Resource %s would have %d %s; at most %d are allowed.", c.id, len(list), in.leaf(), most)
	}
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return invalidProperty(c.id, "properties."+in.Inline, e, "each element must be an object")
		}
		if in.Shared && !strings.EqualFold(text(o, "type"), in.Type) {
			continue
		}
		name := text(o, "name")
		if name == "" {
			// A bare {"id": ...} names a child, too.
			if id, err := model.ParseID(text(o, "id")); err == nil && id.Is(in.Type) {
				name = id.Name()
			}
		}
		if f := in.checkName(name); f != nil {
			return f
		}
		key := strings.ToLower(name)
		if seen[key] {
			return badRequest("DuplicateResourceName", "Cannot parse the request. Resource %s has two children of type %s named %s.", c.id, in.Type, name)
		}
		seen[key] = true
		old := before[key]
		if old != nil {
			name = text(old, "name")
		}
		if _, f := completeHead(in, c.id.Child(in.leaf(), name), o, old, c.etag); f != nil {
			return f
		}
	}
	return nil
}

// checkReferences makes sure every reference leads somewhere.
func (c *change) checkReferences() *Fault {
	var found *Fault
	for _, r := range c.kind.refs {
		r.path.each(c.doc, func(target string) {
			if found == nil {
				found = c.checkReference(r, target)
			}
		})
		if found != nil {
			return found
		}
	}
	return nil
}

// bareReferences leaves of what the document refers to only the IDs: clients
// send whole resources where the network provider keeps {"id": ...}.
func (c *change) bareReferences() {
	if !strings.EqualFold(c.kind.namespace(), "Microsoft.Network") {
		return // other providers have properties of their own beside the IDs
	}
	for _, r := range c.kind.refs {
		last := len(r.path) - 1
		if r.path[last] != "id" {
			continue
		}
		r.path[:last].eachObject(c.doc, func(o map[string]any) {
			for name := range o {
				if name != "id" && !(name == "properties" && object(o, name)["deleteOption"] != nil) {
					delete(o, name)
				}
			}
		})
	}
}

func (c *change) checkReference(r reference, target string) *Fault {
	if r.loose && r.to == "" {
		return nil // whatever it is
	}
	id, err := model.ParseID(target)
	if err != nil {
		f := badRequest("LinkedInvalidPropertyId", "Property id '%.300s' at path '%s' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}'.", target, strings.Join(r.path, "."))
		f.Err.Target = strings.Join(r.path, ".")
		return f
	}
	if r.loose {
		return nil
	}
	if !id.Is(r.to) {
		return invalidReference(c.id, target)
	}
	doc, ok := c.find(id)
	if !ok {
		return invalidReference(c.id, target)
	}
	if r.sameRegion && !strings.EqualFold(text(doc, "location"), text(c.doc, "location")) {
		return invalidReference(c.id, target)
	}
	return nil
}

// find returns the document that is or holds a resource, as it will be once
// this change is stored.
func (c *change) find(id model.ID) (map[string]any, bool) {
	k, f := c.kinds.of(id)
	if f != nil {
		return nil, false
	}
	holder := id
	if k.Inline != "" {
		holder = id.Parent()
	}
	doc := c.doc
	if !holder.Equal(c.id) {
		e, ok := c.tx.Get(holder)
		if !ok {
			return nil, false
		}
		doc = e.Resource.Doc
	}
	if k.Inline != "" {
		if _, i := named(object(doc, "properties"), k.Inline, id.Name()); i < 0 {
			return nil, false
		}
	}
	return doc, true
}

// checkRemoved refuses to drop inline children that are in use.
func (c *change) checkRemoved() *Fault {
	for _, in := range c.kind.inlined() {
		if in.InUse == nil {
			continue
		}
		kept := byName(object(c.doc, "properties"), in.Inline)
		for _, o := range objects(c.oldProps(), in.Inline) {
			if kept[strings.ToLower(text(o, "name"))] != nil {
				continue
			}
			id := c.id.Child(in.leaf(), text(o, "name"))
			if users := usersOf(c.kinds, c.tx.View, id, c.id.Equal); len(users) > 0 {
				return in.InUse(id, users)
			}
		}
	}
	return nil
}

// props returns the properties of the document, never nil.
func (c *change) props() map[string]any {
	p := object(c.doc, "properties")
	if p == nil {
		p = map[string]any{}
		c.doc["properties"] = p
	}
	return p
}

// oldProps returns the properties of the document before, or nil.
func (c *change) oldProps() map[string]any { return object(c.old, "properties") }

// oneOf refuses values outside an enumeration; comparison ignores case.
func oneOf(id model.ID, property string, value any, allowed ...string) *Fault {
	s, _ := value.(string)
	if slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, s) }) {
		return nil
	}
	return invalidProperty(id, property, value, "it must be one of "+strings.Join(allowed, ", "))
}
