package arm

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// securityGroupView answers the rules at every interface of a machine
// (SecurityGroupViewResult of the API).
func securityGroupView(q *question) (any, *Fault) {
	target, f := q.required("targetResourceId")
	if f != nil {
		return nil, f
	}
	nics, f := q.interfaces("targetResourceId", target)
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, nic := range nics {
		at, f := q.port(nic.ID.String())
		if f != nil {
			return nil, f
		}
		groups, err := diagnose.EffectiveGroups(q.img, at, q.document)
		if err != nil {
			return listed[any](nil, err)
		}
		rules := map[string]any{"effectiveSecurityRules": []any{}, "defaultSecurityRules": []any{}}
		var effective []diagnose.EffectiveRule
		for _, g := range groups {
			effective = append(effective, g.Rules...)
			if g.Group == nil {
				continue
			}
			doc, f := q.shownDocument(g.Group.ID)
			if f != nil {
				return nil, f
			}
			p := object(doc, "properties")
			rules["defaultSecurityRules"] = p["defaultSecurityRules"]
			if own := g.Association.Interface; own != nil {
				rules["networkInterfaceAssociation"] = map[string]any{"id": own.ID, "securityRules": p["securityRules"]}
			} else {
				rules["subnetAssociation"] = map[string]any{"id": g.Association.Subnet.ID, "securityRules": p["securityRules"]}
			}
		}
		if effective != nil {
			rules["effectiveSecurityRules"] = effective
		}
		list = append(list, map[string]any{"id": nic.ID.String(), "securityRuleAssociations": rules})
	}
	return map[string]any{"networkInterfaces": list}, nil
}

// shownDocument returns a document as GET shows it.
func (q *question) shownDocument(id string) (map[string]any, *Fault) {
	r, f := q.find("id", id)
	if f != nil {
		return nil, f
	}
	doc := shallow(r.Doc)
	p := shallow(object(doc, "properties"))
	doc["properties"] = p
	if k := q.s.kinds[strings.ToLower(r.Type())]; k != nil && k.Show != nil {
		k.Show(&reading{q.s.kinds, q.view, r.ID}, p)
	}
	return doc, nil
}

// topologyResource is TopologyResource of the API.
type topologyResource struct {
	Name         string                `json:"name"`
	ID           string                `json:"id"`
	Location     string                `json:"location"`
	Associations []topologyAssociation `json:"associations"`
}

// topologyAssociation is TopologyAssociation of the API.
type topologyAssociation struct {
	Name string `json:"name"`
	ID   string `json:"resourceId"`
	Type string `json:"associationType"` // Contains, Associated
}

// topology answers what resources a group, a virtual network or a subnet has and
// how they hang together.
func topology(q *question) (any, *Fault) {
	group, network, subnet := text(q.body, "targetResourceGroupName"), refID(q.body, "targetVirtualNetwork"), refID(q.body, "targetSubnet")
	given := slices.DeleteFunc([]string{group, network, subnet}, func(s string) bool { return s == "" })
	if len(given) != 1 {
		return nil, badRequest("InvalidRequestFormat", "Cannot parse the request: a topology needs exactly one of targetResourceGroupName, targetVirtualNetwork and targetSubnet; %d are given.", len(given))
	}
	w := topologyWriter{q: q, list: []topologyResource{}, seen: map[string]bool{}}
	switch {
	case group != "":
		id := model.GroupID(q.subscription, group)
		if !has(q.view, id) {
			return nil, notFound(id, false)
		}
		for e := range q.view.List(id.Key()+"/", "") {
			w.document(e.Resource)
		}
	case network != "":
		r, f := q.find("targetVirtualNetwork.id", network)
		if f != nil {
			return nil, f
		}
		w.document(r)
		w.around(r.ID)
	default:
		id, err := model.ParseID(subnet)
		if err != nil || !id.Is(model.TypeSubnet) {
			return nil, invalidProperty(q.on.ID, "targetSubnet.id", subnet, "it must be the ID of a subnet")
		}
		r, f := q.find("targetSubnet.id", id.Parent().String())
		if f != nil {
			return nil, f
		}
		part, i := named(r.Properties(), "subnets", id.Name())
		if i < 0 {
			return nil, notFound(id, true)
		}
		w.part(q.s.kinds[strings.ToLower(model.TypeSubnet)], r.Location(), id, part)
		w.attached(id)
	}
	slices.SortStableFunc(w.list, func(a, b topologyResource) int { return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID)) })
	at := q.s.now().UTC().Format(time.RFC3339)
	return map[string]any{"id": uuid.NewString(), "createdDateTime": at, "lastModified": at, "resources": w.list}, nil
}

type topologyWriter struct {
	q    *question
	list []topologyResource
	seen map[string]bool
}

// document adds a resource and the children in it, if it is of the network or a
// machine.
func (w *topologyWriter) document(r *model.Resource) {
	k := w.q.s.kinds[strings.ToLower(r.Type())]
	network := strings.HasPrefix(strings.ToLower(r.Type()), "microsoft.network/") && !r.ID.Is(typeWatcher)
	if k == nil || k.child() || !network && !r.ID.Is(model.TypeVM) {
		return
	}
	w.part(k, r.Location(), r.ID, r.Doc)
}

// part adds a resource: what it contains are its inline children, and the
// interfaces of a machine; what it is associated with are its references.
func (w *topologyWriter) part(k *kind, location string, id model.ID, doc map[string]any) {
	if w.seen[id.Key()] {
		return
	}
	w.seen[id.Key()] = true
	i := len(w.list)
	out := topologyResource{Name: id.Name(), ID: id.String(), Location: location, Associations: []topologyAssociation{}}
	w.list = append(w.list, out)
	add := func(kind, target string) {
		name := target[strings.LastIndexByte(target, '/')+1:]
		a := topologyAssociation{name, target, kind}
		if !slices.Contains(out.Associations, a) {
			out.Associations = append(out.Associations, a)
		}
	}
	refer := func(doc map[string]any, refs []reference) {
		for _, r := range refs {
			r.path.each(doc, func(target string) {
				if id.Is(model.TypeVM) && strings.EqualFold(r.to, model.TypeNIC) {
					add("Contains", target)
					return
				}
				add("Associated", target)
			})
		}
	}
	refer(doc, k.Refs)
	for _, in := range k.inlined() {
		for _, o := range objects(object(doc, "properties"), in.Inline) {
			if in.Type != model.TypeSubnet && in.Type != model.TypeSecurityRule {
				refer(o, in.Refs) // no resource of its own in a topology
				continue
			}
			child := id.Child(in.leaf(), text(o, "name"))
			add("Contains", child.String())
			w.part(in, location, child, o)
		}
	}
	w.list[i] = out
}

// around adds what stands in the subnets of a virtual network.
func (w *topologyWriter) around(network model.ID) {
	r := w.q.document(network.String())
	for _, s := range objects(r.Properties(), "subnets") {
		w.attached(network.Child("subnets", text(s, "name")))
	}
}

// attached adds what refers to a subnet, what it refers to, and the machines of
// interfaces.
func (w *topologyWriter) attached(subnet model.ID) {
	network := w.q.document(subnet.Parent().String())
	part, _ := named(network.Properties(), "subnets", subnet.Name())
	for _, r := range w.q.s.kinds[strings.ToLower(model.TypeSubnet)].Refs {
		r.path.each(part, w.byID)
	}
	for _, e := range findExact(w.q.view, termRef+subnet.Key()) {
		w.document(e.Resource)
		w.referred(e)
	}
}

// referred adds what an attached resource refers to, and who refers to it.
func (w *topologyWriter) referred(e state.Entry) {
	k := w.q.s.kinds[strings.ToLower(e.Resource.Type())]
	if k == nil {
		return
	}
	for _, r := range k.refs {
		if !strings.EqualFold(r.to, model.TypeSubnet) {
			r.path.each(e.Resource.Doc, w.byID)
		}
	}
	for _, user := range findExact(w.q.view, termRef+e.Resource.ID.Key()) {
		w.document(user.Resource)
	}
}

func (w *topologyWriter) byID(id string) {
	if r := w.q.document(id); r != nil {
		w.document(r)
	}
}
