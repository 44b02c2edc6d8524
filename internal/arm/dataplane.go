package arm

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// DataPlane returns the cloud as the data planes of its services see it.
func (s *Server) DataPlane() paas.Cloud { return dataPlane{s} }

// ServiceNamed returns the resource of a type whose names are unique in the whole
// cloud, as those of key vaults and storage accounts are.
func (s *Server) ServiceNamed(resourceType, name string) (model.ID, bool) {
	for _, e := range findExact(s.store.View(), termType+strings.ToLower(resourceType)) {
		if strings.EqualFold(e.Resource.ID.Name(), name) {
			return e.Resource.ID, true
		}
	}
	return model.ID{}, false
}

// dataPlane implements [paas.Cloud].
type dataPlane struct{ s *Server }

// Resource implements [paas.Cloud].
func (d dataPlane) Resource(id model.ID) (*model.Resource, bool) {
	k, f := d.s.kinds.of(id)
	if f != nil {
		return nil, false
	}
	doc, ok := lookup(d.s.store.View(), k, id)
	if !ok {
		return nil, false
	}
	if stored, err := model.ParseID(text(doc, "id")); err == nil {
		id = stored // as its creator spelt it
	}
	return &model.Resource{ID: id, Doc: doc}, true
}

// Authenticate implements [paas.Cloud].
func (d dataPlane) Authenticate(header string, audiences ...string) (paas.Principal, error) {
	cl, err := d.s.tokens.verify(d.s.identity, header, d.s.now())
	if err != nil {
		return paas.Principal{}, err
	}
	a := strings.TrimRight(cl.Audience, "/")
	if !slices.ContainsFunc(audiences, func(want string) bool { return strings.EqualFold(a, want) }) {
		return paas.Principal{}, fmt.Errorf("%w (%s)", errTokenAudience, cl.Audience)
	}
	return paas.Principal{AppID: cl.AppID, ObjectID: cl.ObjectID, TenantID: cl.TenantID, Issuer: cl.Issuer, Resource: cl.Resource}, nil
}

// May implements [paas.Cloud].
func (d dataPlane) May(who paas.Principal, right paas.Right, scope model.ID) bool {
	v := d.s.store.View()
	p := principal{who.AppID, who.ObjectID, who.TenantID}
	if right.Data {
		return d.s.mayData(v, p, right.Action, scope)
	}
	return d.s.rightsOf(v, p).at(right.Action, scope)
}

// Issue implements [paas.Cloud].
func (d dataPlane) Issue(who paas.Principal, audience string, life time.Duration) (paas.Token, error) {
	now := d.s.now()
	issuer := "https://" + d.s.identity.hosts[0] + "/" + d.s.identity.TenantID
	value, err := d.s.identity.issueTokenFor(now, life, issuer, audience, principal{who.AppID, who.ObjectID, who.TenantID}, who.Resource)
	return paas.Token{Value: value, NotBefore: now, Expiry: now.Add(life)}, err
}

// AccountKeys implements [paas.Cloud].
func (d dataPlane) AccountKeys(account *model.Resource) [][]byte {
	var out [][]byte
	for _, e := range storageKeys(d.s.identity.hostKey, account) {
		key, _ := e.(map[string]any)
		if b, err := base64.StdEncoding.DecodeString(text(key, "value")); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// Tenant implements [paas.Cloud].
func (d dataPlane) Tenant() string { return d.s.identity.TenantID }

// ownTenant prepares changes that say the directory of an identity.
func ownTenant(c *call, _ model.ID, _ map[string]any) (any, *Fault) {
	return c.s.identity.TenantID, nil
}

// fillManagedIdentity says who the managed identities of a resource are
// ("Managed identities for Azure resources"). A system-assigned one keeps its
// object ID as long as the resource has it.
func (c *change) fillManagedIdentity() {
	doc := object(c.doc, "identity")
	if doc == nil {
		return
	}
	was := object(c.old, "identity")
	delete(doc, "principalId")
	delete(doc, "tenantId")
	if strings.Contains(strings.ToLower(text(doc, "type")), "systemassigned") {
		id := text(was, "principalId")
		if id == "" {
			id = uuid.NewString()
		}
		doc["principalId"] = id
		if tenant, ok := c.prepared.(string); ok {
			doc["tenantId"] = tenant
		} else if tenant := text(was, "tenantId"); tenant != "" {
			doc["tenantId"] = tenant
		}
	}
	user := object(doc, "userAssignedIdentities")
	for name := range user {
		told := map[string]any{}
		if id, err := model.ParseID(name); err == nil {
			if e, ok := c.tx.Get(id); ok {
				p := e.Resource.Properties()
				told["principalId"], told["clientId"] = p["principalId"], p["clientId"]
			}
		}
		user[name] = told
	}
}

// holdKinds are the types that data planes look at, in the order in which they
// refer to each other.
var holdKinds = []string{
	model.TypeVirtualNetwork, model.TypeNIC, typeIdentity, model.TypeStorageAccount, model.TypeKeyVault, model.TypeVM, typeRoleDefinition, typeRoleAssignment,
}

// Hold makes a cloud in memory hold what data planes look at of a network's
// resources: completed as a write through the API completes them, and otherwise
// taken as they are. It is for networks that run without being applied.
func (s *Server) Hold(resources []*model.Resource) error {
	_, err := s.store.Update(state.Actor{At: s.now(), Who: s.identity.ClientID}, func(tx *state.Tx) error {
		for _, t := range holdKinds {
			for _, r := range resources {
				if !r.ID.Is(t) {
					continue
				}
				k, f := s.kinds.of(r.ID)
				if f != nil {
					return fmt.Errorf("%s: %s", r.ID, f.Err.Message)
				}
				c := s.newChange(tx, k, r.ID, state.Actor{At: s.now(), Who: s.identity.ClientID})
				c.doc, c.prepared = r.Clone().Doc, s.identity.TenantID
				if f := c.completeAndFill(); f != nil {
					return fmt.Errorf("%s: %s", r.ID, f.Err.Message)
				}
				if f := c.put(); f != nil {
					return fmt.Errorf("%s: %s", r.ID, f.Err.Message)
				}
			}
		}
		return nil
	})
	return err
}

func (c *change) completeAndFill() *Fault {
	if f := c.complete(); f != nil {
		return f
	}
	if c.kind.Fill != nil {
		return c.kind.Fill(c)
	}
	return nil
}

// Grant gives the managed identity of a virtual machine a built-in role, by its
// name or GUID, at a scope. Giving it again changes nothing.
func (s *Server) Grant(vm model.ID, roleName string, scope model.ID) error {
	guid, ok := BuiltInRole(roleName)
	if !ok {
		return fmt.Errorf("%q is no built-in role; the roles are %s", roleName, strings.Join(BuiltInRoleNames(), ", "))
	}
	machine, ok := s.DataPlane().Resource(vm)
	if !ok {
		return fmt.Errorf("virtual machine %s does not exist", vm)
	}
	who := text(object(machine.Doc, "identity"), "principalId")
	if who == "" {
		return fmt.Errorf("virtual machine %s has no system-assigned identity", vm)
	}
	id := scope.Resource(typeRoleAssignment, uuid.NewSHA1(uuid.NameSpaceURL, []byte(scope.Key()+"\x00"+who+"\x00"+guid)).String())
	k, f := s.kinds.of(id)
	if f != nil {
		return fmt.Errorf("%s: %s", id, f.Err.Message)
	}
	by := state.Actor{At: s.now(), Who: s.identity.ClientID}
	_, err := s.store.Update(by, func(tx *state.Tx) error {
		c := s.newChange(tx, k, id, by)
		if e, ok := tx.Get(id); ok {
			c.old = e.Resource.Doc
		}
		c.doc = map[string]any{"properties": map[string]any{
			"principalId": who, "principalType": "ServicePrincipal",
			"roleDefinitionId": "/subscriptions/" + scope.Subscription() + "/providers/" + typeRoleDefinition + "/" + guid,
		}}
		if _, f := c.store(); f != nil {
			return fmt.Errorf("%s: %s", id, f.Err.Message)
		}
		return nil
	})
	return err
}

var _ paas.Cloud = dataPlane{}
