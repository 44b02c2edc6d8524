package arm_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/golang-jwt/jwt/v5"
)

const authorization = "/providers/Microsoft.Authorization"

// Identifiers of "Azure built-in roles".
const (
	roleOwner              = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	roleContributor        = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	roleReader             = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	roleNetworkContributor = "4d97b98b-1d4f-4787-a291-c67834d212e7"
	roleAccessAdmin        = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
)

// as is a second client of a cloud, without any role yet.
func (c *cloud) as(name string) (*cloud, arm.Principal) {
	c.t.Helper()
	p, secret, err := c.identity.AddPrincipal(name)
	if err != nil {
		c.t.Fatal(err)
	}
	other := *c
	other.token = c.tokenFor(p.ClientID, secret)
	return &other, p
}

func (c *cloud) tokenFor(client, secret string) string {
	c.t.Helper()
	resp, err := c.client.PostForm(c.base+"/"+c.identity.TenantID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {c.base + "/.default"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		c.t.Fatal(err)
	}
	return body.Token
}

// grantRole assigns a role at a scope and returns the assignment's ID.
func (c *cloud) grantRole(n byte, scope, role string, to arm.Principal) string {
	c.t.Helper()
	id := scope + authorization + "/roleAssignments/00000000-0000-0000-0000-0000000000" + string(rune('a'+n/16)) + string("0123456789abcdef"[n%16])
	c.must("PUT", id, `{"properties":{"roleDefinitionId":"`+subscription+authorization+`/roleDefinitions/`+role+`","principalId":"`+to.ObjectID+`"}}`)
	return id
}

// TestRoles: what each of the built-in roles may do, and where ("Azure built-in
// roles").
func TestRoles(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	other := subscription + "/resourceGroups/Other"
	c.must("PUT", other, `{"location":"westeurope"}`)
	tries := []struct{ what, method, path, body string }{
		{"read", "GET", network + "/virtualNetworks/v", ""},
		{"write", "PUT", network + "/routeTables/r", `{"location":"westeurope"}`},
		{"patch", "PATCH", network + "/virtualNetworks/v", `{"tags":{"a":"b"}}`},
		{"act", "POST", group + "/providers/Microsoft.Network/networkManagers/none/commit", `{}`},
		{"identity", "PUT", group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi", `{"location":"westeurope"}`},
		{"lock", "PUT", group + authorization + "/locks/l", `{"properties":{"level":"CanNotDelete"}}`},
		{"unlock", "DELETE", group + authorization + "/locks/l", ""},
		{"delete", "DELETE", network + "/routeTables/r", ""},
		{"tags", "PATCH", network + "/virtualNetworks/v/providers/Microsoft.Resources/tags/default", `{"operation":"Merge","properties":{"tags":{"x":"y"}}}`},
		{"elsewhere", "PUT", other + "/providers/Microsoft.Network/routeTables/r", `{"location":"westeurope"}`},
	}
	for i, tc := range []struct{ name, role, scope, may string }{
		{"nobody", "", "", ""},
		{"owner", roleOwner, subscription, "read write patch act identity lock unlock delete tags elsewhere"},
		{"owner of the group", roleOwner, group, "read write patch act identity lock unlock delete tags"},
		{"contributor", roleContributor, group, "read write patch act identity delete tags"},
		{"reader", roleReader, group, "read"},
		{"reader of the network", roleReader, network + "/virtualNetworks/v", "read"},
		{"reader elsewhere", roleReader, other, ""},
		{"network contributor", roleNetworkContributor, group, "read write patch act delete"},
		{"access administrator", roleAccessAdmin, group, "read lock unlock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.t = t
			they, p := c.as("p" + string(rune('a'+i)))
			if tc.role != "" {
				id := c.grantRole(byte(i), tc.scope, tc.role, p)
				defer c.must("DELETE", id, "")
			}
			var may []string
			for _, try := range tries {
				a := they.do(try.method, try.path, try.body)
				if a.status != http.StatusForbidden {
					may = append(may, try.what)
					continue
				}
				if want := "The client '" + p.ClientID + "' with object id '" + p.ObjectID + "' does not have authorization to perform action 'Microsoft."; a.code() != "AuthorizationFailed" || !strings.HasPrefix(a.message(), want) {
					t.Errorf("%s: %s", try.what, a.raw)
				}
			}
			if got := strings.Join(may, " "); got != tc.may {
				t.Errorf("may %s, want %s", got, tc.may)
			}
		})
	}
	c.t = t
}

// TestLinkedAccess: who writes an interface must be allowed to join the subnet
// ("Azure permissions for Networking"); what was joined before stays joined.
func TestLinkedAccess(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	subnet := network + "/virtualNetworks/v/subnets/app"
	nics := subscription + "/resourceGroups/Nics"
	c.must("PUT", nics, `{"location":"westeurope"}`)
	they, p := c.as("joiner")
	c.grantRole(1, nics, roleContributor, p)
	nic := nics + "/providers/Microsoft.Network/networkInterfaces/n"
	a := they.refused(403, "LinkedAuthorizationFailed", "PUT", nic, nicBody(subnet, ""))
	if !strings.Contains(a.message(), "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '"+subnet+"'") {
		t.Error(a.message())
	}
	if a := c.do("GET", nic, ""); a.status != 404 {
		t.Errorf("a refused write left %s", a.raw)
	}
	custom := "12121212-1212-1212-1212-121212121212"
	c.must("PUT", subscription+authorization+"/roleDefinitions/"+custom, `{"properties":{"roleName":"joiner","assignableScopes":["`+subscription+`"],
		"permissions":[{"actions":["Microsoft.Network/virtualNetworks/*/join/action"],"notActions":["Microsoft.Network/virtualNetworks/peer/action"]}]}}`)
	join := c.grantRole(2, subnet, custom, p)
	they.must("PUT", nic, nicBody(subnet, ""))
	c.refused(400, "RoleDefinitionHasAssignments", "DELETE", subscription+authorization+"/roleDefinitions/"+custom, "")
	c.must("DELETE", join, "")
	they.must("PATCH", nic, `{"tags":{"a":"b"}}`)
	they.must("PUT", nic, nicBody(subnet, ""))
	their := nics + "/providers/Microsoft.Network/virtualNetworks/w"
	they.must("PUT", their, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.9.0.0/16"]}}}`)
	a = they.refused(403, "LinkedAuthorizationFailed", "PUT", their+"/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`/virtualNetworks/v"}}}`)
	if !strings.Contains(a.message(), "'Microsoft.Network/virtualNetworks/peer/action'") {
		t.Error(a.message())
	}
}

// TestFilteredLists: listings have what may be read; who may read nothing there
// is refused.
func TestFilteredLists(t *testing.T) {
	c := newCloud(t, func(cfg *arm.Config) { cfg.PageSize = 1 }).withGroup()
	for _, n := range []string{"a", "b", "c"} {
		c.must("PUT", network+"/routeTables/"+n, `{"location":"westeurope"}`)
	}
	they, p := c.as("lister")
	names := func(path string) string {
		var all []string
		for next := path; next != ""; {
			body := they.get(next)
			for _, r := range at(body, "value").([]any) {
				all = append(all, str(r, "name"))
			}
			next = str(body, "nextLink")
		}
		return strings.Join(all, " ")
	}
	they.refused(403, "AuthorizationFailed", "GET", network+"/routeTables", "")
	they.refused(403, "AuthorizationFailed", "GET", subscription, "")
	if got := they.get("/subscriptions"); len(at(got, "value").([]any)) != 0 {
		t.Errorf("%v", got)
	}
	c.grantRole(1, network+"/routeTables/b", roleReader, p)
	c.grantRole(2, network+"/routeTables/c", roleReader, p)
	for path, want := range map[string]string{
		network + "/routeTables":                                  "b c",
		group + "/resources":                                      "b c",
		subscription + "/resources":                               "b c",
		subscription + "/providers/Microsoft.Network/routeTables": "b c",
		"/subscriptions":                                          strings.TrimPrefix(subscription, "/subscriptions/"),
	} {
		if path == "/subscriptions" {
			if got := str(they.get(path), "value", 0, "subscriptionId"); got != want {
				t.Errorf("subscription %s", got)
			}
		} else if got := names(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	they.refused(403, "AuthorizationFailed", "GET", network+"/routeTables/a", "")
	they.refused(403, "AuthorizationFailed", "GET", network+"/routeTables/absent", "")
}

// TestRoleDefinitions: built-in roles are found by name and by identifier, as
// the Azure CLI and Terraform look for them.
func TestRoleDefinitions(t *testing.T) {
	c := newCloud(t).withGroup()
	list := c.get(group + authorization + "/roleDefinitions" + version + "&$filter=" + url.QueryEscape("roleName eq 'network contributor'"))
	if got := at(list, "value").([]any); len(got) != 1 || str(got[0], "name") != roleNetworkContributor || str(got[0], "properties", "type") != "BuiltInRole" {
		t.Fatalf("%v", list)
	}
	for _, path := range []string{subscription, group, ""} {
		doc := c.get(path + authorization + "/roleDefinitions/" + roleReader)
		if str(doc, "properties", "roleName") != "Reader" || str(doc, "properties", "permissions", 0, "actions", 0) != "*/read" {
			t.Errorf("%s: %v", path, doc)
		}
	}
	if n := len(at(c.get(authorization+"/roleDefinitions"), "value").([]any)); n < 5 {
		t.Errorf("%d roles", n)
	}
	c.refused(404, "RoleDefinitionDoesNotExist", "GET", group+authorization+"/roleDefinitions/12121212-1212-1212-1212-121212121212", "")
	c.refused(400, "InvalidFilterInQueryString", "GET", group+authorization+"/roleDefinitions"+version+"&$filter=x", "")
	they, p := c.as("u")
	give := func(name, role string) (string, string) {
		return group + authorization + "/roleAssignments/" + name, `{"properties":{"roleDefinitionId":"` + role + `","principalId":"` + p.ObjectID + `"}}`
	}
	id, body := give("00000000-0000-0000-0000-000000000001", subscription+authorization+"/roleDefinitions/12121212-1212-1212-1212-121212121212")
	c.refused(400, "RoleDefinitionDoesNotExist", "PUT", id, body)
	id, body = give("00000000-0000-0000-0000-000000000001", authorization+"/roleDefinitions/"+roleAccessAdmin)
	c.must("PUT", id, body)
	again, _ := give("00000000-0000-0000-0000-000000000002", "")
	c.refused(409, "RoleAssignmentExists", "PUT", again, body)
	c.must("PUT", id, body)
	for filter, want := range map[string]int{"": 1, "atScope()": 1, "principalId eq '" + p.ObjectID + "'": 1, "principalId eq '" + c.identity.ObjectID + "'": 0, "atScope() and assignedTo('" + p.ObjectID + "')": 1} {
		q := version + "&$filter=" + url.QueryEscape(filter)
		if got := at(they.get(group+authorization+"/roleAssignments"+q), "value").([]any); len(got) != want {
			t.Errorf("%q: %d assignments", filter, len(got))
		}
	}
	if got := at(c.get(subscription+authorization+"/roleAssignments"+version+"&$filter=atScope()"), "value").([]any); len(got) != 0 {
		t.Errorf("%d assignments at the subscription", len(got))
	}
	if got := at(they.get(group+authorization+"/permissions"), "value").([]any); len(got) != 1 {
		t.Errorf("permissions %v", got)
	}
	// A role for scopes the writer does not manage is refused.
	they.refused(403, "AuthorizationFailed", "PUT", group+authorization+"/roleDefinitions/12121212-1212-1212-1212-121212121212",
		`{"properties":{"roleName":"wide","assignableScopes":["`+subscription+`"],"permissions":[{"actions":["*"]}]}}`)
	// A custom role is not everybody's to read.
	own := group + authorization + "/roleDefinitions/34343434-3434-3434-3434-343434343434"
	c.must("PUT", own, `{"properties":{"roleName":"own","assignableScopes":["`+group+`"],"permissions":[{"actions":["Microsoft.Network/*"]}]}}`)
	they.must("GET", own, "")
	stranger, _ := c.as("stranger")
	stranger.refused(403, "AuthorizationFailed", "GET", own, "")
	all, fewer := c.get(group+authorization+"/roleDefinitions"), stranger.get(group+authorization+"/roleDefinitions")
	if a, b := len(at(all, "value").([]any)), len(at(fewer, "value").([]any)); a != b+1 {
		t.Errorf("%d roles, %d for a stranger", a, b)
	}
	c.refused(409, "RoleDefinitionWithSameNameExists", "PUT", group+authorization+"/roleDefinitions/12121212-1212-1212-1212-121212121212",
		`{"properties":{"roleName":"reader","assignableScopes":["`+subscription+`"],"permissions":[]}}`)
}

// TestPrincipals: further clients are kept with the identity, without their
// secrets, where only the owner reads; another process's are known at once.
func TestPrincipals(t *testing.T) {
	dir := t.TempDir()
	c := onDisk(t, dir)
	elsewhere, err := arm.OpenIdentity(filepath.Join(dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	p, secret, err := elsewhere.AddPrincipal("ci")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ci", "CI", "", "a b", "../x"} {
		if _, _, err := elsewhere.AddPrincipal(name); err == nil {
			t.Errorf("%q was added", name)
		}
	}
	file := filepath.Join(dir, "identity", "principals.json")
	b, err := os.ReadFile(file)
	info, err2 := os.Stat(file)
	if err != nil || err2 != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(b), secret) {
		t.Errorf("%v %v %s", err, err2, b)
	}
	they := *c
	if they.token = c.tokenFor(p.ClientID, secret); they.token == "" {
		t.Fatal("no token")
	}
	they.refused(403, "AuthorizationFailed", "GET", group, "")
	for _, wrong := range []string{"", "x", secret + "x", c.identity.ClientSecret} {
		if c.tokenFor(p.ClientID, wrong) != "" {
			t.Errorf("%q was taken for the secret", wrong)
		}
	}
	if _, err := elsewhere.RemovePrincipal("ci"); err != nil {
		t.Fatal(err)
	}
	if c.tokenFor(p.ClientID, secret) != "" {
		t.Error("a removed principal signs in")
	}
	if err := os.WriteFile(file, []byte("[]"), 0o644); err != nil || os.Chmod(file, 0o644) != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Principals(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
}

// TestTokenClaims: issuer, tenant and times of tokens signed with the right key.
func TestTokenClaims(t *testing.T) {
	c := newCloud(t)
	now := c.clock.Now()
	base := jwt.MapClaims{"aud": c.base, "appid": c.identity.ClientID, "oid": c.identity.ObjectID, "tid": c.identity.TenantID, "iss": c.base + "/" + c.identity.TenantID, "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for _, tc := range []struct {
		name, claim string
		value       any
		code        string
	}{
		{"good", "x", 1, ""},
		{"one of its other names", "iss", "https://localhost:1/" + c.identity.TenantID, ""},
		{"issuer elsewhere", "iss", "https://login.example/" + c.identity.TenantID, "InvalidAuthenticationTokenTenant"},
		{"issuer of another tenant", "iss", c.base + "/6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b", "InvalidAuthenticationTokenTenant"},
		{"plain http", "iss", strings.Replace(c.base, "https", "http", 1) + "/" + c.identity.TenantID, "InvalidAuthenticationTokenTenant"},
		{"no issuer", "iss", nil, "InvalidAuthenticationTokenTenant"},
		{"tenant", "tid", "6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b", "InvalidAuthenticationTokenTenant"},
		{"not yet", "nbf", now.Add(time.Hour).Unix(), "InvalidAuthenticationToken"},
		{"no start", "nbf", nil, "InvalidAuthenticationToken"},
		{"over", "exp", now.Unix(), "ExpiredAuthenticationToken"},
		{"no end", "exp", nil, "InvalidAuthenticationToken"},
		{"nobody", "oid", nil, "InvalidAuthenticationToken"},
		{"audience", "aud", "https://vault.azure.net", "InvalidAuthenticationTokenAudience"},
	} {
		claims := jwt.MapClaims{}
		for k, v := range base {
			claims[k] = v
		}
		claims[tc.claim] = tc.value
		if tc.value == nil {
			delete(claims, tc.claim)
		}
		token, err := c.identity.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		c.token = token
		a := c.do("GET", "/subscriptions", "")
		if a.code() != tc.code || (tc.code == "") != (a.status == 200) {
			t.Errorf("%s: %d %s, want %q", tc.name, a.status, a.raw, tc.code)
		}
	}
}

// TestExtensionsOfChildren: what stands on a subnet goes with it, however it
// goes.
func TestExtensionsOfChildren(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	_, p := c.as("u")
	for i, remove := range []func(){
		func() { c.must("DELETE", vnet+"/subnets/app", "") },
		func() {
			c.must("PUT", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`)
		},
		func() { c.must("DELETE", vnet, "") },
	} {
		c.must("PUT", vnet, vnetBody)
		id := c.grantRole(1, vnet+"/subnets/app", roleReader, p)
		c.refused(404, "ParentResourceNotFound", "PUT", vnet+"/subnets/none"+authorization+"/roleAssignments/00000000-0000-0000-0000-0000000000a1", `{}`)
		remove()
		c.must("PUT", vnet, vnetBody)
		if a := c.do("GET", id, ""); a.status != 404 {
			t.Errorf("%d: %s", i, a.raw)
		}
	}
}

// TestDiagnosisAccess: who may ask a network watcher is not told of machines it
// may not read.
func TestDiagnosisAccess(t *testing.T) {
	c := newCloud(t).withMachine()
	they, p := c.as("asker")
	c.grantRole(1, watcher, roleNetworkContributor, p)
	ask := `{"targetResourceId":"` + machine + `","direction":"Inbound","protocol":"TCP","localIPAddress":"10.0.1.4","localPort":"22","remoteIPAddress":"9.9.9.9","remotePort":"50000"}`
	a := they.refused(403, "LinkedAuthorizationFailed", "POST", watcher+"/ipFlowVerify", ask)
	if !strings.Contains(a.message(), "'Microsoft.Compute/virtualMachines/read' on the linked scope(s) '"+machine+"'") {
		t.Error(a.message())
	}
	c.grantRole(2, machine, roleReader, p)
	they.must("POST", watcher+"/ipFlowVerify", ask)
}
