package arm_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestFilters: a tag's name and value are of one tag; resource groups are
// filtered like resources, as `az group list --tag` asks.
func TestFilters(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", subscription+"/resourceGroups/A", `{"location":"westeurope","tags":{"env":"prod","tier":"test"}}`)
	c.must("PUT", subscription+"/resourceGroups/B", `{"location":"westeurope","tags":{"env":"test"}}`)
	for filter, want := range map[string]string{
		"":                 "A B Net",
		"tagName eq 'ENV'": "A B",
		"tagName eq 'env' and tagValue eq 'test'": "B",
		"tagValue eq 'test'":                      "A B",
		"tagName eq 'env' and tagValue eq 'Test'": "",
		"name eq 'a' or name eq 'net'":            "A Net",
		"tagName eq 'tier' or tagValue eq 'test'": "A B",
	} {
		var names []string
		for _, g := range at(c.get(subscription+"/resourcegroups"+version+"&$filter="+url.QueryEscape(filter)), "value").([]any) {
			names = append(names, str(g, "name"))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
	c.refused(400, "InvalidFilterInQueryString", "GET", subscription+"/resourcegroups"+version+"&$filter=x", "")
}

// TestExpand: when a resource was made and last written, and its state
// ("Resources - List", $expand).
func TestExpand(t *testing.T) {
	c := newCloud(t).withGroup()
	rt := network + "/routeTables/r"
	c.must("PUT", rt, `{"location":"westeurope"}`)
	c.must("DELETE", rt, "")
	c.clock.Advance(time.Minute)
	created := c.clock.Now().UTC().Format(time.RFC3339Nano)
	c.must("PUT", rt, `{"location":"westeurope"}`)
	c.clock.Advance(time.Minute)
	changed := c.clock.Now().UTC().Format(time.RFC3339Nano)
	c.must("PATCH", rt, `{"tags":{"a":"b"}}`)
	shown := func(expand string) any {
		return at(c.get(group+"/resources"+version+"&$expand="+url.QueryEscape(expand)), "value", 0)
	}
	r := shown("createdTime, changedTime,provisioningState")
	if str(r, "createdTime") != created || str(r, "changedTime") != changed || str(r, "provisioningState") != "Succeeded" {
		t.Errorf("%v, want %s %s", r, created, changed)
	}
	if r := shown(""); at(r, "createdTime") != nil || at(r, "provisioningState") != nil {
		t.Errorf("%v", r)
	}
	c.refused(400, "InvalidExpandQueryParameter", "GET", group+"/resources"+version+"&$expand=all", "")
}

// TestOperations: what roles can allow ("Operations - List").
func TestOperations(t *testing.T) {
	c := newCloud(t)
	names := map[string]bool{}
	for _, o := range at(c.get("/providers/microsoft.network/operations"), "value").([]any) {
		names[str(o, "name")] = true
		if str(o, "display", "provider") != "Microsoft.Network" || str(o, "display", "operation") == "" {
			t.Errorf("%v", o)
		}
	}
	for _, want := range []string{
		"virtualNetworks/read", "virtualNetworks/write", "virtualNetworks/delete", "virtualNetworks/subnets/join/action", "virtualNetworks/peer/action",
		"networkSecurityGroups/join/action", "networkInterfaces/effectiveRouteTable/action", "networkWatchers/ipFlowVerify/action", "networkManagers/commit/action",
		"applicationSecurityGroups/joinNetworkSecurityRule/action", "applicationSecurityGroups/joinIpConfiguration/action",
	} {
		if !names["Microsoft.Network/"+want] {
			t.Errorf("no %s", want)
		}
	}
	if a := c.get("/providers/Microsoft.Resources/operations"); len(at(a, "value").([]any)) == 0 {
		t.Error("no operations of Microsoft.Resources")
	}
	c.refused(404, "InvalidResourceNamespace", "GET", "/providers/Microsoft.Nothing/operations", "")
	c.refused(405, "MethodNotAllowed", "POST", "/providers/Microsoft.Network/operations", "")
}
