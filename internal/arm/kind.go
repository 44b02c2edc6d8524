package arm

import (
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// place says where resources of a kind may stand.
type place uint8

const (
	inGroup           place = 1 << iota // below a resource group
	inSubscription                      // below a subscription
	onResource                          // below another resource, as an extension
	inTenant                            // below nothing
	inManagementGroup                   // below a management group
)

// locationRule says what a document's "location" must be.
type locationRule uint8

const (
	noLocation       locationRule = iota // none; a given one is kept
	locationRequired                     // a region
	locationGlobal                       // "global"
)

// kind is what the server knows about one resource type. Everything else in a
// document is kept as the client sent it.
type kind struct {
	Type     string // full type, in model's spelling
	Answered string // the type as answers spell it, where that is not as in IDs
	Place    place  // of top-level types
	Location locationRule
	Name     *regexp.Regexp // what names may look like

	// Inline is the property, within "properties" of the parent's document, that
	// holds resources of this type. Empty means documents of their own.
	Inline string
	// KeepAbsent means that a parent's document without the property keeps the
	// children it has; otherwise it deletes them, as an empty list does.
	KeepAbsent bool
	// Shared means that the property holds children of several kinds, told apart
	// by their "type".
	Shared bool
	// Most is how many elements the property may hold; 0 means [maxInline].
	Most int

	State      bool // has properties.provisioningState
	Ready      bool // says Succeeded at once, though a write gives an operation (Azure/azure-cli recordings)
	GUID       bool // has properties.resourceGuid
	NoEtag     bool // has no etag
	BareEtag   bool // its etag is a GUID and not W/"GUID"
	SystemData bool // has systemData
	Sync       bool // writes finish before they are answered
	SyncDelete bool // deletions do
	LastWords  bool // a deletion is answered with what was there (with SyncDelete)
	Created    int  // status of a creation; 0 means 201
	Updated    int  // status of a change by PUT; 0 means 200
	Patched    int  // status of a change by PATCH that goes on as an operation; 0 means 200 and none
	MaybeBody  bool // PUT without a body is PUT of {}
	MergePatch bool // PATCH merges the document (RFC 7396); otherwise it sets tags
	// Whole are dictionaries in "properties" that PATCH sets as a whole, as it does
	// tags: otherwise no entry could be removed.
	Whole     []string
	Block     bool // as a child, keeps its parent from being deleted on its own
	ReadOnly  bool // clients cannot write it
	Untracked bool // not among the resources of a group or subscription
	Fixed     bool // stays in its resource group ("Move operation support for resources")

	// Write answers PUT, and Read answers GET, in place of the store.
	Write, Read func(*call, *kind, model.ID) *Fault

	// Computed are properties of "properties" only the server says; those a
	// client sends are dropped.
	Computed []string
	// Words are the spellings of what is in "properties"; nil keeps the client's.
	Words    *words
	Defaults []setting
	// Since are the properties that older API versions do not know.
	Since []since
	// SinceHead are those beside "properties".
	SinceHead []since
	Refs      []reference
	// InUse is the refusal to delete a resource that others refer to; nil means
	// it may always be deleted.
	InUse func(id model.ID, users []string) *Fault

	// Amend makes a whole document of the old one and what PATCH sends, in place of
	// tags and merging.
	Amend func(id model.ID, old, body map[string]any) (map[string]any, *Fault)

	// Prepare finds out, before the update, what a change needs to know besides
	// the store; Fill finds it in the change.
	Prepare func(c *call, id model.ID, body map[string]any) (any, *Fault)
	// Check says what is wrong with the completed document.
	Check func(*change) *Fault
	// Fill adds what the server assigns; it runs after Check.
	Fill func(*change) *Fault
	// Settle changes other documents along with this one, after it was stored.
	// After a deletion the change's doc is nil.
	Settle func(*change) *Fault
	// Terms are further index terms of a document.
	Terms func(*model.Resource) []string
	// Show adds computed properties to a copy of the document for an answer.
	Show func(*reading, map[string]any)
	// Shape gives the whole body of an answer, in place of Show.
	Shape func(*call, *model.Resource) map[string]any
	// Expand adds what "$expand" asks for to what Show gave; doc is the stored
	// document.
	Expand func(doc *model.Resource, expand string, shown map[string]any)
	// Hold says why a resource cannot be changed or deleted by clients; deletions
	// of what is above it pass.
	Hold func(id model.ID, doc map[string]any, deletion bool) *Fault
	// Kept gives, of an inline kind, the children a parent shows: those of its
	// document, and what the server keeps by itself.
	Kept func(r *reading, parent model.ID, own []map[string]any) []map[string]any
	// Derived marks a type without documents: its resources are shown from other
	// resources and written to them.
	Derived *derived
	// Verbs are the actions of a resource.
	Verbs []verb

	parent   *kind
	children []*kind
	refs     []reference // Refs and those of inline children
	latest   string      // the latest version of Since, with those of inline children
}

// maxInline is how many children a document may hold of a kind whose limit Azure
// does not publish; the bound is ours.
const maxInline = 2000

// most is how many children of the kind a document may hold.
func (k *kind) most() int {
	if k.Most > 0 {
		return k.Most
	}
	return maxInline
}

// setting is a default: a property below "properties", and its value if absent.
type setting struct {
	path  string // dots between names
	value any
}

// reference is a property that holds another resource's ID.
type reference struct {
	path path
	// to is the type referred to; empty, with loose, is any.
	to string
	// sameRegion means both resources must be in one region.
	sameRegion bool
	// loose means the target may go away or never have been there.
	loose bool
}

// ref makes a reference; "*" in a path stands for every element of a list.
func ref(to, at string) reference { return reference{path: parsePath(at), to: to} }

func regionalRef(to, at string) reference {
	return reference{path: parsePath(at), to: to, sameRegion: true}
}

func looseRef(to, at string) reference { return reference{path: parsePath(at), to: to, loose: true} }

// kindSet is every kind by lower-case type.
type kindSet map[string]*kind

func newKindSet() kindSet {
	ks := kindSet{}
	for _, list := range [][]*kind{
		groupKinds(), networkKinds(), firewallKinds(), dnsKinds(), managerKinds(), computeKinds(), policyKinds(),
		balancerKinds(), edgeKinds(), gatewayKinds(), endpointKinds(), linkKinds(), serviceKinds(), storedKinds(), lockKinds(), accessKinds(), managementKinds(), logKinds(), captureKinds(), databaseKinds(), frontDoorKinds(), deploymentKinds(),
	} {
		for _, k := range list {
			ks[strings.ToLower(k.Type)] = k
		}
	}
	for _, k := range ks {
		k.refs = append(k.refs, k.Refs...)
		i := strings.LastIndexByte(k.Type, '/')
		p, ok := ks[strings.ToLower(k.Type[:i])]
		if !ok {
			continue
		}
		k.parent = p
		p.children = append(p.children, k)
		if k.Inline == "" {
			continue
		}
		for _, r := range k.Refs {
			r.path = append(path{"properties", k.Inline, "*"}, r.path...)
			p.refs = append(p.refs, r)
		}
	}
	ks.datesOfProperties()
	for _, k := range ks {
		sort.Slice(k.children, func(i, j int) bool { return k.children[i].Type < k.children[j].Type })
	}
	return ks
}

// of returns the kind of an ID.
func (ks kindSet) of(id model.ID) (*kind, *Fault) { return ks.ofType(id.Type()) }

func (ks kindSet) ofType(t string) (*kind, *Fault) {
	if k, ok := ks[strings.ToLower(t)]; ok {
		return k, nil
	}
	namespace, rest, _ := strings.Cut(t, "/")
	var known, namespaces []string
	for _, k := range ks {
		ns, r, _ := strings.Cut(k.Type, "/")
		if strings.EqualFold(ns, namespace) {
			known = append(known, r)
		}
		namespaces = append(namespaces, ns)
	}
	if len(known) == 0 {
		return nil, fault(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%.100s' is invalid.%s", namespace, didYouMean(namespace, namespaces))
	}
	return nil, fault(http.StatusNotFound, "InvalidResourceType",
		"The resource type '%.200s' could not be found in the namespace '%s'.%s", rest, namespace, didYouMean(rest, known))
}

// namespace returns the provider's name.
func (k *kind) namespace() string {
	ns, _, _ := strings.Cut(k.Type, "/")
	return ns
}

// leaf returns the last part of the type.
func (k *kind) leaf() string { return k.Type[strings.LastIndexByte(k.Type, '/')+1:] }

// methods are those that a resource of the kind answers.
func (k *kind) methods() []string {
	out := []string{http.MethodGet, http.MethodHead}
	if k.ReadOnly {
		return out
	}
	out = append(out, http.MethodPut)
	if k.Derived == nil && (k.Inline == "" || k.MergePatch) {
		out = append(out, http.MethodPatch)
	}
	return append(out, http.MethodDelete)
}

// child reports whether the kind has a parent that is a resource.
func (k *kind) child() bool { return strings.Count(k.Type, "/") > 1 }

// proxied reports whether the provider itself says that a resource is not there.
// Of what has a location, also below another resource, Resource Manager does.
func (k *kind) proxied() bool { return k.child() && k.Location == noLocation }

// tracked reports whether resources are among those that a resource group lists.
func (k *kind) tracked() bool {
	return !k.child() && k.Place&inGroup != 0 && k.Place&onResource == 0 && !k.Untracked
}

// inlined returns the child kinds held in the document.
func (k *kind) inlined() []*kind {
	var in []*kind
	for _, c := range k.children {
		if c.Inline != "" {
			in = append(in, c)
		}
	}
	return in
}

// checkName refuses names the type does not allow.
func (k *kind) checkName(name string) *Fault {
	if k.Name.MatchString(name) {
		return nil
	}
	return badRequest("InvalidResourceName",
		"Resource name %s is invalid. A name of type %s must match %s.", name, k.Type, k.Name)
}

// Forms of names (Azure's "Naming rules and restrictions for Azure resources").
var (
	groupName   = regexp.MustCompile(`^[-\w.()]{0,89}[-\w()]$`)
	networkName = regexp.MustCompile(`^[A-Za-z0-9]([\w.-]{0,78}[\w])?$`)
	machineName = regexp.MustCompile(`^[A-Za-z0-9]([\w.-]{0,62}[A-Za-z0-9_-])?$`)
	serviceName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,78}[A-Za-z0-9])?$`)
	zoneName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$`)
	recordName  = regexp.MustCompile(`^(@|\*|(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)$`)
	policyName  = regexp.MustCompile(`^[^<>*%&:\\?+/]{0,127}[^<>*%&:\\?+/. ]$`)
)

// normalForm returns the resources of a view as the model has them: inline
// children other than subnets, security rules and routes become resources.
func (ks kindSet) normalForm(v viewer) []*model.Resource {
	all := v.Snapshot()
	out := make([]*model.Resource, 0, len(all))
	for _, r := range all {
		out = append(out, ks.normalized(r)...)
	}
	model.SortResources(out)
	return out
}

// normalized returns what one stored document is in the model.
func (ks kindSet) normalized(r *model.Resource) []*model.Resource {
	peering := ks[strings.ToLower(model.TypePeering)]
	list, ok := r.Properties()[peering.Inline].([]any)
	if !ok || !r.ID.Is(model.TypeVirtualNetwork) {
		return []*model.Resource{r}
	}
	out := []*model.Resource{withoutProperty(r, peering.Inline)}
	for _, e := range list {
		doc, _ := e.(map[string]any)
		name, _ := doc["name"].(string)
		out = append(out, &model.Resource{ID: r.ID.Child(peering.leaf(), name), Doc: doc})
	}
	return out
}

// withoutProperty returns a shallow copy of a resource that lacks one property.
func withoutProperty(r *model.Resource, name string) *model.Resource {
	c := *r
	c.Doc = shallow(r.Doc)
	p := shallow(r.Properties())
	delete(p, name)
	c.Doc["properties"] = p
	return &c
}

func shallow(m map[string]any) map[string]any {
	c := make(map[string]any, len(m)+2)
	for k, v := range m {
		c[k] = v
	}
	return c
}

// show formats a JSON value for an error message.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("'%.200s'", v)
	default:
		return fmt.Sprintf("%.200v", v)
	}
}
