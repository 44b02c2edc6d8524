package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/model"
)

// Principal is a client of an embedded cloud besides its first.
type Principal struct {
	Name     string `json:"name"`
	ClientID string `json:"clientId"`
	ObjectID string `json:"objectId"`
	// Secret is set only when the principal is made; it is kept nowhere.
	Secret   string   `json:"clientSecret,omitempty"`
	TenantID string   `json:"tenantId"`
	Role     string   `json:"role,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

var roleGUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// AddPrincipal makes a client and gives it a role at scopes: the built-in role
// of a name, or any role by its identifier. Without scopes it is given at the
// installation's subscription; without a role it may do nothing yet. If the role
// cannot be given, there is no principal.
func (c *Cloud) AddPrincipal(ctx context.Context, name, role string, scopes []string) (*Principal, error) {
	if c.identity == nil {
		return nil, errors.New("principals are of the embedded cloud")
	}
	guid := role
	if role != "" && !roleGUID.MatchString(role) {
		var ok bool
		if guid, ok = arm.BuiltInRole(role); !ok {
			return nil, fmt.Errorf("there is no built-in role %q; use one of %s, or a role's identifier", role, strings.Join(arm.BuiltInRoleNames(), ", "))
		}
	}
	switch {
	case role == "" && len(scopes) > 0:
		return nil, errors.New("a scope needs a role")
	case role != "" && len(scopes) == 0:
		scopes = []string{"/subscriptions/" + c.subscription}
	}
	ids := make([]model.ID, len(scopes))
	for i, s := range scopes {
		var err error
		if ids[i], err = model.ParseID(s); err != nil {
			return nil, err
		}
	}
	p, secret, err := c.identity.AddPrincipal(name)
	if err != nil {
		return nil, err
	}
	var given []model.ID
	for _, scope := range ids {
		a := &model.Resource{ID: scope.Resource("Microsoft.Authorization/roleAssignments", uuid.NewString()), Doc: map[string]any{"properties": map[string]any{
			"roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/" + guid,
			"principalId":      p.ObjectID, "principalType": "ServicePrincipal",
		}}}
		if err := c.client.Put(ctx, a); err != nil {
			_, undo := c.identity.RemovePrincipal(name)
			errs := []error{err, undo}
			for _, id := range given {
				errs = append(errs, c.client.Delete(context.WithoutCancel(ctx), id))
			}
			return nil, errors.Join(errs...)
		}
		given = append(given, a.ID)
	}
	return &Principal{
		Name: p.Name, ClientID: p.ClientID, ObjectID: p.ObjectID, Secret: secret, TenantID: c.identity.TenantID, Role: role, Scopes: scopes,
	}, nil
}

// Principals returns the clients of the embedded cloud of a directory besides
// its first, by name.
func Principals(dir string) ([]Principal, error) {
	id, err := arm.OpenIdentity(dir)
	if err != nil {
		return nil, err
	}
	all, err := id.Principals()
	out := []Principal{}
	for _, p := range all {
		out = append(out, Principal{Name: p.Name, ClientID: p.ClientID, ObjectID: p.ObjectID, TenantID: id.TenantID})
	}
	return out, err
}

// RemovePrincipal forgets a client of the embedded cloud of a directory. Its
// role assignments stay, without effect, as Azure leaves them.
func RemovePrincipal(dir, name string) error {
	id, err := arm.OpenIdentity(dir)
	if err == nil {
		_, err = id.RemovePrincipal(name)
	}
	return err
}

// Write tells how a client signs in as the principal.
func (p *Principal) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `# The secret is shown this once.
ARM_TENANT_ID=%[1]s
ARM_CLIENT_ID=%[2]s
ARM_CLIENT_SECRET=%[3]s
AZURE_TENANT_ID=%[1]s
AZURE_CLIENT_ID=%[2]s
AZURE_CLIENT_SECRET=%[3]s
# Its object, which role assignments name: %[4]s
`, p.TenantID, p.ClientID, p.Secret, p.ObjectID)
	return err
}

// WritePrincipals writes a table of clients.
func WritePrincipals(w io.Writer, all []Principal) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tCLIENT\tOBJECT")
	for _, p := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, p.ClientID, p.ObjectID)
	}
	return t.Flush()
}
