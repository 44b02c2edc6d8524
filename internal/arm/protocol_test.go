package arm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// TestDuplicateNames: a name that is twice in one object is refused, with its
// place (RFC 8259 section 4: names should be unique).
func TestDuplicateNames(t *testing.T) {
	c := newCloud(t).withGroup()
	var many strings.Builder
	for i := range 40 {
		many.WriteString(`"n` + strings.Repeat("x", i) + `":1,`)
	}
	for body, place := range map[string]string{
		`{"location":"westeurope","location":"westeurope"}`:                             "'location' is there twice in one object, the second time at line 1, position 26",
		"{\"location\":\"westeurope\",\n \"tags\":{\"a\":\"b\",\n  \"\\u0061\":\"c\"}}": "'a' is there twice in one object, the second time at line 3, position 3",
		`{` + many.String() + `"nxxx":2}`:                                               "'nxxx' is there twice",
		`{"a":[{"b":1},{"b":2,"c":[],"b":3}]}`:                                          "'b' is there twice",
	} {
		a := c.refused(400, "InvalidRequestContent", "PUT", network+"/routeTables/r", body)
		if !strings.Contains(a.message(), place) {
			t.Errorf("%s: %s", body, a.message())
		}
	}
	c.must("PUT", network+"/routeTables/r", `{"location":"westeurope","tags":{"a":"a","b":"a"},"properties":{"a":[{"a":"a,\"a\":"},{"a":1}]}}`)
}

// TestAllow: 405 says which methods there are (RFC 9110 section 15.5.6).
func TestAllow(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/subscriptions", "GET"},
		{"PUT", subscription + "/providers/Microsoft.Network/register", "POST"},
		{"PUT", network + "/virtualNetworks", "GET"},
		{"OPTIONS", network + "/virtualNetworks/v", "GET, HEAD, PUT, PATCH, DELETE"},
		{"PATCH", network + "/virtualNetworks/v/subnets/app", "GET, HEAD, PUT, DELETE"},
		{"PUT", network + "/loadBalancers/l/probes/p", "GET, HEAD"},
	} {
		a := c.do(tt.method, tt.path, `{}`)
		if a.status != 405 || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q, want %q", tt.method, tt.path, a.status, a.header.Get("Allow"), tt.allow)
		}
	}
}

// TestNearestName: a misspelled type is told with the one that may be meant.
func TestNearestName(t *testing.T) {
	c := newCloud(t).withGroup()
	for path, want := range map[string]string{
		network + "/virtualNetwork/v":                             "Did you mean 'virtualNetworks'?",
		network + "/virtualNetworks/v/subnet/a":                   "Did you mean 'virtualNetworks/subnets'?",
		group + "/providers/Microsoft.Networking/loadBalancers/l": "Did you mean 'Microsoft.Network'?",
		network + "/" + strings.Repeat("x", 30) + "/v":            "namespace 'Microsoft.Network'.",
	} {
		if a := c.do("GET", path, ""); a.status != 404 || !strings.HasSuffix(a.message(), want) {
			t.Errorf("%s: %d %s", path, a.status, a.message())
		}
	}
}

// TestGroupPatch: what PATCH of a resource group takes ("Resource Groups -
// Update").
func TestGroupPatch(t *testing.T) {
	c := newCloud(t).withGroup()
	a := c.must("PATCH", group, `{"name":"Net","tags":{"a":"b"},"managedBy":"`+subscription+`","properties":{}}`)
	if str(a.body, "tags", "a") != "b" || str(a.body, "managedBy") != subscription || str(a.body, "properties", "provisioningState") != "Succeeded" {
		t.Errorf("%s", a.raw)
	}
	c.refused(400, "InvalidRequestContent", "PATCH", group, `{"location":"northeurope"}`)
	c.refused(400, "InvalidRequestContent", "PATCH", group, `{"name":"Other"}`)
	c.refused(400, "InvalidRequestFormat", "PATCH", group, `{"managedBy":"x"}`)
	if a := c.must("PATCH", group, `{"tags":{}}`); len(a.body["tags"].(map[string]any)) != 0 || str(a.body, "managedBy") != subscription {
		t.Errorf("%s", a.raw)
	}
}

// TestSubscriptionTags: a subscription has tags like a resource ("Tags - Create
// Or Update At Scope").
func TestSubscriptionTags(t *testing.T) {
	c := newCloud(t).withGroup()
	path := subscription + "/providers/Microsoft.Resources/tags/default"
	if a := c.get(path); len(at(a, "properties", "tags").(map[string]any)) != 0 {
		t.Errorf("%v", a)
	}
	c.must("PUT", path, `{"properties":{"tags":{"env":"prod"}}}`)
	c.must("PATCH", path, `{"operation":"Merge","properties":{"tags":{"who":"me"}}}`)
	if a := c.get(subscription); str(a, "tags", "env") != "prod" || str(a, "tags", "who") != "me" {
		t.Errorf("%v", a)
	}
	c.must("PUT", network+"/routeTables/r", `{"location":"westeurope"}`)
	c.must("DELETE", path, "")
	if a := c.get(subscription); len(at(a, "tags").(map[string]any)) != 0 {
		t.Errorf("%v", a)
	}
	c.refused(404, "ResourceGroupNotFound", "GET", subscription+"/resourceGroups/none/providers/Microsoft.Resources/tags/default", "")
}

// TestRealisticTiming: an operation shows as under way as long as its type takes,
// and clients are told when to ask again.
func TestRealisticTiming(t *testing.T) {
	c := newCloud(t, func(cfg *arm.Config) { cfg.TimingScale = 1 }).withGroup()
	a := c.must("PUT", network+"/bastionHosts/b", `{"location":"westeurope","properties":{"ipConfigurations":[]}}`)
	poll := a.header.Get("Azure-AsyncOperation")
	if a.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %s", a.header.Get("Retry-After"))
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "InProgress"}, {5 * time.Minute, "InProgress"}, {time.Minute, "Succeeded"}} {
		c.clock.Advance(step.after)
		if s := c.must("GET", poll, ""); str(s.body, "status") != step.want {
			t.Errorf("after %v more: %s", step.after, s.raw)
		}
	}
	if a := c.must("PUT", network+"/routeTables/r", `{"location":"westeurope"}`); a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After: %s", a.header.Get("Retry-After"))
	}
}

// TestDatabaseServer: servers of PostgreSQL answer 202 to every write, which is
// all that their clients take, and say where to ask ("Servers - Create Or Update",
// "Update").
func TestDatabaseServer(t *testing.T) {
	c := newCloud(t).withGroup()
	server := group + "/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1"
	for _, w := range []struct{ method, body string }{
		{"PUT", `{"location":"westeurope","sku":{"name":"Standard_D2s_v3","tier":"GeneralPurpose"},"properties":{"administratorLogin":"me","administratorLoginPassword":"x","version":"16"}}`},
		{"PUT", `{"location":"westeurope","properties":{"administratorLogin":"me","version":"16"}}`},
		{"PUT", `{"location":"westeurope","properties":{"administratorLogin":"me","version":"16"}}`},
		{"PATCH", `{"properties":{"storage":{"storageSizeGB":64}}}`},
		{"DELETE", ``},
	} {
		a := c.do(w.method, server, w.body)
		if a.status != 202 || a.header.Get("Azure-AsyncOperation") == "" {
			t.Errorf("%s: %d %v %s", w.method, a.status, a.header, a.raw)
			continue
		}
		if s := c.get(a.header.Get("Azure-AsyncOperation")); str(s, "status") != "Succeeded" {
			t.Errorf("%s: %v", w.method, s)
		}
		if doc := c.do("GET", server, ""); w.method != "DELETE" && (doc.status != 200 || strings.Contains(string(doc.raw), "Password\":\"")) {
			t.Errorf("%s: %s", w.method, doc.raw)
		}
	}
	c.refused(404, "ResourceNotFound", "GET", server, "")
}
