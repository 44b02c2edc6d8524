package arm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// A connection of a private endpoint is kept with the endpoint. The resource it
// leads to shows it as one of its privateEndpointConnections, where the owner
// approves, rejects or removes it ("Manage Azure private endpoints").

// States of a connection.
const (
	linkApproved     = "Approved"
	linkPending      = "Pending"
	linkRejected     = "Rejected"
	linkDisconnected = "Disconnected"
)

// connectionLists are the lists of an endpoint's connections with the state
// their connections begin in.
var connectionLists = []struct{ name, state, description string }{
	{"privateLinkServiceConnections", linkApproved, "Auto-approved"},
	{"manualPrivateLinkServiceConnections", linkPending, "Awaiting Approval"},
}

// ownWords are what services say of connections that need no approval, by the
// type of the target in lower case, where it is not what most say.
var ownWords = map[string]string{
	strings.ToLower(model.TypePrivateLinkService): "Auto Approved",
	strings.ToLower(typeAppGateway):               "Auto Approved",
	strings.ToLower(model.TypeStorageAccount):     "Auto-Approved",
	strings.ToLower(model.TypeKeyVault):           "",
}

// autoApproves reports whether a private link service lists a subscription among
// those whose connections need no approval, by which they are approved in other
// words than by the right of who connects ("What is Azure Private Link service?",
// Control service access).
func autoApproves(service map[string]any, subscription string) bool {
	listed, _ := object(object(service, "properties"), "autoApproval")["subscriptions"].([]any)
	return slices.ContainsFunc(listed, func(e any) bool {
		s, _ := e.(string)
		return s == "*" || strings.EqualFold(s, subscription)
	})
}

// linkKinds are the connections of private endpoints, below each type they may
// lead to. name forms a connection's name.
func linkKinds() []*kind {
	kinds := []*kind{}
	add := func(parent string, sync, syncDelete bool, name linkName) {
		k := &kind{Type: parent + "/privateEndpointConnections", Name: policyName, Sync: sync, SyncDelete: syncDelete}
		k.Derived = &derived{
			list: func(r *reading) []map[string]any { return r.endpointConnections(k.Type, name) },
			write: func(c *change, doc map[string]any) *Fault {
				return c.answerConnection(name, doc)
			},
		}
		kinds = append(kinds, k)
	}
	endpoint := func(between string) linkName {
		return func(_ *reading, l link) string { return l.endpoint.ID.Name() + between + l.guid }
	}
	add(model.TypeStorageAccount, true, true, func(r *reading, l link) string { return r.id.Name() + "." + l.guid })
	add(model.TypeSQLServer, false, false, endpoint("-"))
	add(typePostgres, false, false, endpoint("."))
	add(model.TypeKeyVault, true, false, vaultLinkName)
	add(model.TypePrivateLinkService, true, false, endpoint("."))
	add(typeAppGateway, false, false, endpoint("."))
	return kinds
}

// linkName forms the name of a connection to the resource that is read.
type linkName func(r *reading, l link) string

// vaultLinkName is what the endpoint calls the connection (Azure/azure-cli
// recording test_keyvault_private_endpoint_connection). Of two of one name the
// later, by their endpoints' IDs, has a GUID besides, which is unconfirmed.
func vaultLinkName(r *reading, l link) string {
	name := text(l.part, "name")
	for _, other := range r.linksTo() {
		if strings.EqualFold(text(other.part, "name"), name) && other.endpoint.ID.Key() < l.endpoint.ID.Key() {
			return name + "." + l.guid
		}
	}
	return name
}

// link is one connection of an endpoint.
type link struct {
	endpoint *model.Resource
	list     string
	index    int
	part     map[string]any
	guid     string
}

// linksTo returns the connections that lead to a resource, other than those its
// owner removed.
func (r *reading) linksTo() []link {
	var out []link
	for _, e := range findExact(r.view, termRef+r.id.Key()) {
		if !e.Resource.ID.Is(model.TypePrivateEndpoint) {
			continue
		}
		for _, l := range connectionLists {
			for i, o := range objects(e.Resource.Properties(), l.name) {
				q := object(o, "properties")
				if strings.EqualFold(text(q, "privateLinkServiceId"), r.id.String()) && linkState(q) != linkDisconnected {
					guid := uuid.NewSHA1(uuid.NameSpaceURL, []byte(e.Resource.ID.Key()+"#"+strings.ToLower(text(o, "name"))))
					out = append(out, link{e.Resource, l.name, i, o, guid.String()})
				}
			}
		}
	}
	return out
}

// linkState returns the state of a connection, of its properties.
func linkState(p map[string]any) string {
	return text(object(p, "privateLinkServiceConnectionState"), "status")
}

func (r *reading) endpointConnections(t string, name linkName) []map[string]any {
	out := []map[string]any{}
	for _, l := range r.linksTo() {
		q := object(l.part, "properties")
		id := r.id.Child("privateEndpointConnections", name(r, l))
		p := map[string]any{
			"provisioningState": "Succeeded", "privateEndpoint": map[string]any{"id": l.endpoint.ID.String()},
			"privateLinkServiceConnectionState": q["privateLinkServiceConnectionState"],
		}
		if groups, ok := q["groupIds"]; ok {
			p["groupIds"] = groups
		}
		one := map[string]any{"id": id.String(), "name": id.Name(), "type": t, "properties": p}
		if r.id.Is(model.TypePrivateLinkService) || r.id.Is(typeAppGateway) {
			delete(p, "groupIds")
			p["linkIdentifier"] = fmt.Sprint(536870912 + hashOf(l.guid)>>4)
		}
		if r.id.Is(model.TypeStorageAccount) {
			// Azure/azure-cli recording test_storage_account_private_endpoint: the
			// account's API spells it "actionRequired".
			delete(p, "groupIds")
			state := shallow(object(q, "privateLinkServiceConnectionState"))
			if a, ok := state["actionsRequired"]; ok {
				delete(state, "actionsRequired")
				state["actionRequired"] = a
			}
			p["privateLinkServiceConnectionState"] = state
		}
		if r.id.Is(model.TypeKeyVault) {
			delete(p, "groupIds")
			p["privateLinkServiceConnectionState"] = saidOnly(q)
			if e, ok := r.view.Get(r.id); ok {
				one["location"] = e.Resource.Location()
			}
		}
		if r.id.Is(model.TypePrivateLinkService) {
			p["privateEndpointLocation"] = l.endpoint.Location()
			one["etag"] = text(l.endpoint.Doc, "etag")
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b map[string]any) int { return strings.Compare(text(a, "name"), text(b, "name")) })
	return out
}

// saidOnly is the state of a connection without a description that says nothing.
func saidOnly(q map[string]any) map[string]any {
	state := shallow(object(q, "privateLinkServiceConnectionState"))
	if text(state, "description") == "" {
		delete(state, "description")
	}
	return state
}

// showConnections shows the connections of a resource that endpoints lead to.
func (r *reading) showConnections(p map[string]any) {
	list := []any{}
	for _, o := range r.kinds[strings.ToLower(r.id.Type()+"/privateEndpointConnections")].Derived.list(r) {
		list = append(list, o)
	}
	p["privateEndpointConnections"] = list
}

// answerConnection writes what the owner of a resource says to a connection to
// the endpoint that has it, and brings the endpoint's names up to date.
func (c *change) answerConnection(name linkName, doc map[string]any) *Fault {
	r := &reading{c.kinds, c.tx.View, c.id.Parent()}
	state := map[string]any{"status": linkDisconnected, "description": "Connection is removed by the owner.", "actionsRequired": "None"}
	if doc != nil {
		given := object(object(doc, "properties"), "privateLinkServiceConnectionState")
		if f := oneOf(c.id, "properties.privateLinkServiceConnectionState.status", given["status"], linkApproved, linkRejected, linkPending, linkDisconnected); f != nil {
			return f
		}
		state["status"], state["description"] = given["status"], text(given, "description")
		for _, name := range []string{"actionsRequired", "actionRequired"} {
			if a := text(given, name); a != "" {
				state["actionsRequired"] = a
			}
		}
	}
	for _, l := range r.linksTo() {
		if !strings.EqualFold(name(r, l), c.id.Name()) {
			continue
		}
		if was := linkState(object(l.part, "properties")); doc != nil && was == linkRejected && state["status"] == linkApproved {
			return badRequest("PrivateEndpointConnectionCannotBeApproved", "The connection %s was rejected and cannot be approved; remove it and create it again.", c.id) // code unconfirmed
		}
		whole, _ := model.CloneJSON(l.endpoint.Doc).(map[string]any)
		props := object(whole, "properties")
		object(objects(props, l.list)[l.index], "properties")["privateLinkServiceConnectionState"] = state
		whole["etag"] = c.etag
		if err := c.tx.Put(&model.Resource{ID: l.endpoint.ID, Doc: whole}); err != nil {
			return badRequest("InvalidRequestContent", "The connection cannot be stored: %v.", err)
		}
		return c.settleZoneGroups(l.endpoint.ID)
	}
	return notFound(c.id, true)
}

// settleZoneGroups brings the records of an endpoint's zone groups up to date.
func (c *change) settleZoneGroups(endpoint model.ID) *Fault {
	k := c.kinds[strings.ToLower(model.TypePrivateZoneGroup)]
	var groups []*model.Resource
	for e := range c.tx.List(endpoint.Key()+"/privatednszonegroups/", "") {
		groups = append(groups, e.Resource)
	}
	for _, g := range groups {
		part := &change{kinds: c.kinds, tx: c.tx, kind: k, id: g.ID, old: g.Doc, doc: g.Doc, etag: c.etag, by: c.by}
		if f := settleZoneGroup(part); f != nil {
			return f
		}
	}
	return nil
}

// completeConnections gives an endpoint's connections their heads. Their state
// is the target's owner's to say: what the endpoint's document says is not
// listened to.
func (c *change) completeConnections() *Fault {
	p := c.props()
	for _, list := range connectionLists {
		before := byName(c.oldProps(), list.name)
		for _, o := range objects(p, list.name) {
			q := object(o, "properties")
			if q == nil {
				return invalidProperty(c.id, "properties."+list.name, o, "a connection needs properties")
			}
			if text(o, "name") == "" {
				o["name"] = c.id.Name()
			}
			target, err := model.ParseID(text(q, "privateLinkServiceId"))
			var service map[string]any
			if err == nil {
				if k, f := c.kinds.of(target); f == nil {
					var ok bool
					if service, ok = lookup(c.tx, k, target); !ok {
						return invalidReference(c.id, target.String())
					}
				}
			} else if list.state != linkPending || text(q, "privateLinkServiceId") == "" {
				// A manual connection may name somebody else's service by its alias.
				return invalidProperty(c.id, "properties."+list.name+".privateLinkServiceId", q["privateLinkServiceId"], "it must be the ID of a resource")
			}
			o["id"] = c.id.Child(list.name, text(o, "name")).String()
			o["type"], o["etag"] = c.kind.Type+"/"+list.name, c.etag
			q["provisioningState"] = "Succeeded"
			description := list.description
			if own, ok := ownWords[strings.ToLower(target.Type())]; ok && list.state == linkApproved {
				description = own
				if autoApproves(service, c.id.Subscription()) {
					description = linkApproved
				}
			}
			q["privateLinkServiceConnectionState"] = map[string]any{"status": list.state, "description": description, "actionsRequired": "None"}
			if old := object(before[strings.ToLower(text(o, "name"))], "properties"); strings.EqualFold(text(old, "privateLinkServiceId"), text(q, "privateLinkServiceId")) && linkState(old) != "" {
				q["privateLinkServiceConnectionState"] = model.CloneJSON(old["privateLinkServiceConnectionState"])
			}
		}
	}
	if len(connectionsOf(p)) == 0 {
		return invalidProperty(c.id, "properties.privateLinkServiceConnections", nil, "a private endpoint needs a connection")
	}
	return nil
}
