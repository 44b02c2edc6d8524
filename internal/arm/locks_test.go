package arm_test

import (
	"strings"
	"testing"
)

// TestLocks: "Lock your resources to protect your infrastructure".
func TestLocks(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	lock := func(scope, level string) string {
		t.Helper()
		id := scope + "/providers/Microsoft.Authorization/locks/keep"
		a := c.must("PUT", id, `{"properties":{"level":"`+level+`","notes":"why"}}`)
		if str(a.body, "type") != "Microsoft.Authorization/locks" || str(a.body, "properties", "notes") != "why" {
			t.Errorf("%s", a.raw)
		}
		return id
	}
	subnets := at(c.get(vnet), "properties", "subnets").([]any)
	subnet := str(subnets[0], "id")
	change := func() { c.must("PATCH", vnet, `{"tags":{"a":"b"}}`) }
	change()
	for _, scope := range []string{vnet, group, subscription} {
		id := lock(scope, "CanNotDelete")
		a := c.refused(409, "ScopeLocked", "DELETE", vnet, "")
		if want := "cannot perform delete operation because following scope(s) are locked: '" + scope + "'. Please remove the lock and try again."; !strings.Contains(a.message(), want) {
			t.Errorf("%q does not say %q", a.message(), want)
		}
		c.refused(409, "ScopeLocked", "DELETE", subnet, "")
		c.refused(409, "ScopeLocked", "DELETE", group, "") // nor what is above it
		change()
		if list := at(c.get(scope+"/providers/Microsoft.Authorization/locks"), "value").([]any); len(list) != 1 {
			t.Errorf("%d locks of %s", len(list), scope)
		}
		c.must("DELETE", id, "")
	}
	id := lock(group, "ReadOnly")
	c.refused(409, "ScopeLocked", "PATCH", vnet, `{"tags":{"a":"c"}}`)
	c.refused(409, "ScopeLocked", "PUT", network+"/routeTables/new", `{"location":"eastus"}`)
	c.refused(409, "ScopeLocked", "PUT", vnet+"/providers/Microsoft.Resources/tags/default", `{"properties":{"tags":{}}}`)
	c.get(vnet)
	c.must("DELETE", id, "")
	c.refused(400, "InvalidRequestFormat", "PUT", group+"/providers/Microsoft.Authorization/locks/x", `{"properties":{"level":"Some"}}`)
	c.must("DELETE", vnet, "")
}
