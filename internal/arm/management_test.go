package arm_test

import (
	"fmt"
	"strings"
	"testing"
)

const management = "/providers/Microsoft.Management/managementGroups"

func managementBody(title, parent string) string {
	return fmt.Sprintf(`{"name":"ignored","properties":{"tenantId":"t","displayName":%q,"details":{"parent":{"id":%q}}}}`, title, parent)
}

// TestManagementGroups: groups form a tree below the tenant's root, and a
// subscription is in one of them ("What are Azure management groups?").
func TestManagementGroups(t *testing.T) {
	c := newCloud(t).withGroup()
	root := management + "/" + c.identity.TenantID
	if a := c.must("PUT", management+"/Corp", `{}`); a.status != 200 || str(a.body, "properties", "displayName") != "Corp" || str(a.body, "properties", "details", "parent", "id") != root {
		t.Errorf("%d %s", a.status, a.raw)
	}
	c.must("PUT", management+"/prod", managementBody("Production", management+"/corp"))
	one := c.get(management + "/PROD?api-version=2020-05-01&$expand=children")
	if str(one, "id") != management+"/prod" || str(one, "properties", "details", "parent", "displayName") != "Corp" || at(one, "properties", "children") != nil {
		t.Errorf("%v", one)
	}
	c.must("PUT", management+"/prod"+subscription, "")
	tree := c.get(management + "/corp?api-version=2020-05-01&$expand=children&$recurse=true")
	if str(tree, "properties", "children", 0, "children", 0, "type") != "/subscriptions" || str(tree, "properties", "children", 0, "children", 0, "id") != subscription {
		t.Errorf("%v", tree)
	}
	if got := c.get(management + "/prod/subscriptions"); str(got, "value", 0, "properties", "parent", "id") != management+"/prod" {
		t.Errorf("%v", got)
	}
	if got := c.get(management + "/corp/descendants"); len(at(got, "value").([]any)) != 2 {
		t.Errorf("%v", got)
	}
	if got := c.get(management); len(at(got, "value").([]any)) != 3 {
		t.Errorf("%v", got)
	}
	if got := c.must("POST", "/providers/Microsoft.Management/getEntities", "").body; len(at(got, "value").([]any)) < 4 {
		t.Errorf("%v", got)
	}
	c.must("PATCH", management+"/prod", `{"displayName":"P","parentGroupId":"`+root+`"}`)
	if got := c.get(management + "/prod"); str(got, "properties", "displayName") != "P" || str(got, "properties", "details", "parent", "id") != root || at(got, "properties", "details", "version").(float64) != 2 {
		t.Errorf("%v", got)
	}
	// Moved: a subscription is in one group.
	c.must("PUT", management+"/corp"+subscription, "")
	if got := c.get(management + "/prod/subscriptions"); len(at(got, "value").([]any)) != 0 {
		t.Errorf("%v", got)
	}

	for _, tt := range []struct{ code, method, path, body string }{
		{"InvalidResourceReference", "PUT", management + "/x", managementBody("X", management+"/none")},
		{"InvalidParentManagementGroup", "PUT", management + "/corp", managementBody("X", management+"/corp")},
		{"InvalidRequestFormat", "PUT", management + "/x", managementBody("X", subscription)},
		{"InvalidResourceName", "PUT", management + "/x.", `{}`},
		{"RootManagementGroupCannotBeChanged", "PUT", root, `{}`},
		{"RootManagementGroupCannotBeChanged", "DELETE", root, ""},
		{"InvalidManagementGroupPatch", "PATCH", management + "/prod", `{"tags":{}}`},
		{"InvalidResourceScope", "PUT", management + "/prod/providers/Microsoft.Network/virtualNetworks/v", vnetBody},
	} {
		c.refused(400, tt.code, tt.method, tt.path, tt.body)
	}
	c.refused(404, "ParentResourceNotFound", "PUT", management+"/none"+subscription, "")
	c.refused(409, "CannotDeleteResource", "DELETE", management+"/corp", "")
	c.must("DELETE", management+"/corp"+subscription, "")
	c.must("PUT", management+"/below", managementBody("B", management+"/corp"))
	c.refused(400, "ManagementGroupHasChildren", "DELETE", management+"/corp", "")
	c.must("DELETE", management+"/below", "")
	gone := c.must("DELETE", management+"/corp", "")
	if gone.status != 202 || c.must("GET", gone.header.Get("Azure-AsyncOperation"), "").body["status"] != "Succeeded" {
		t.Errorf("%d %v", gone.status, gone.header)
	}
	c.refused(404, "ResourceNotFound", "GET", management+"/corp", "")
	for i, up := 0, root; i < 7; i++ {
		id := fmt.Sprintf("%s/l%d", management, i)
		if i == 6 {
			c.refused(400, "ManagementGroupHierarchyTooDeep", "PUT", id, managementBody("", up))
			break
		}
		c.must("PUT", id, managementBody("", up))
		up = id
	}
	if a := c.do("PATCH", management+"/l0", `{"parentGroupId":"`+management+`/l5"}`); a.code() != "InvalidParentManagementGroup" {
		t.Errorf("%s", a.raw)
	}
	c.refused(400, "ManagementGroupHierarchyTooDeep", "PATCH", management+"/l0", `{"parentGroupId":"`+management+`/prod"}`)
}

// TestManagementGroupRoles: what is assigned at a group holds for everything
// below it ("Understand scope for Azure RBAC").
func TestManagementGroupRoles(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", management+"/corp", `{}`)
	c.must("PUT", management+"/prod", managementBody("", management+"/corp"))
	they, p := c.as("reader")
	id := c.grantRole(1, management+"/corp", roleReader, p)
	if a := they.do("GET", group, ""); a.status != 403 {
		t.Errorf("before: %d", a.status)
	}
	c.must("PUT", management+"/prod"+subscription, "")
	if a := they.do("GET", group, ""); a.status != 200 {
		t.Errorf("below the group: %d %s", a.status, a.raw)
	}
	if a := they.do("PUT", network+"/routeTables/r", `{"location":"westeurope"}`); a.status != 403 {
		t.Errorf("a reader writes: %d", a.status)
	}
	list := c.get(subscription + authorization + "/roleAssignments" + version + "&$filter=atScope()")
	if !strings.EqualFold(str(list, "value", 0, "id"), id) {
		t.Errorf("inherited: %v", list)
	}
	if a := they.do("GET", management+"/prod", ""); a.status != 200 {
		t.Errorf("group below: %d", a.status)
	}
	if list := they.get(management); len(at(list, "value").([]any)) != 2 {
		t.Errorf("groups read: %v", list)
	}
	c.must("DELETE", management+"/prod"+subscription, "")
	if a := they.do("GET", group, ""); a.status != 403 {
		t.Errorf("after: %d", a.status)
	}
}

// TestManagerConnections: the two sides of a connection between a network
// manager and a scope wait for each other.
func TestManagerConnections(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", management+"/corp", `{}`)
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, `{"location":"westeurope","properties":{"networkManagerScopes":{"managementGroups":["`+management+`/corp"]},"networkManagerScopeAccesses":["SecurityAdmin"]}}`)
	for _, scope := range []string{management + "/corp", subscription} {
		id := scope + "/providers/Microsoft.Network/networkManagerConnections/c"
		a := c.must("PUT", id, `{"properties":{"networkManagerId":"`+nm+`","description":"d"}}`)
		if str(a.body, "id") != id || str(a.body, "properties", "connectionState") != "Pending" {
			t.Errorf("%s", a.raw)
		}
		list := c.get(scope + "/providers/Microsoft.Network/networkManagerConnections")
		if len(at(list, "value").([]any)) != 1 || str(list, "value", 0, "id") != id {
			t.Errorf("%v", list)
		}
		other := nm + "/scopeConnections/to" + id[len(id)-1:] + fmt.Sprint(len(scope))
		a = c.must("PUT", other, `{"properties":{"resourceId":"`+scope+`","tenantId":"`+c.identity.TenantID+`"}}`)
		if str(a.body, "properties", "connectionState") != "Connected" || str(c.get(id), "properties", "connectionState") != "Connected" {
			t.Errorf("%s", a.raw)
		}
		c.must("DELETE", id, "")
		if str(c.get(other), "properties", "connectionState") != "Pending" {
			t.Error("the other side is gone")
		}
	}
}
