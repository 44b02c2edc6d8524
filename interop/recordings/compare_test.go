package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func TestCompare(t *testing.T) {
	tests := []struct {
		name, recorded, ours string
		want                 []string // the differences
	}{
		{"alike", `{"a":1,"b":[true]}`, `{"b":[true],"a":1}`, nil},
		{"a property is missing", `{"a":{"b":1}}`, `{"a":{}}`, []string{".a.b: not there, recorded 1"}},
		{"null is not there", `{"a":null}`, `{}`, nil},
		{"a property nobody recorded", `{}`, `{"a":"x"}`, []string{`.a: "x", not recorded`}},
		{"what an operation under way fills in", `{"properties":{"provisioningState":"Updating"}}`, `{"properties":{"provisioningState":"Succeeded","ip":"1.2.3.4"}}`, nil},
		{"another value", `{"a":"x"}`, `{"a":"y"}`, []string{`.a: "y", recorded "x"`}},
		{"another type", `{"a":{}}`, `{"a":[]}`, []string{".a: null, recorded {}"}},
		{"spelling of a name", `{"vNet":1}`, `{"vnet":1}`, []string{".vNet: spelt vnet, recorded spelt vNet"}},
		{"case of an ID", `{"id":"/a/B"}`, `{"id":"/A/b"}`, nil},
		{"GUIDs, etags and times", `{"id":"x-11111111-2222-3333-4444-555555555555","etag":"W/1","at":"2023-07-12T11:51:04Z"}`, `{"id":"x-66666666-2222-3333-4444-555555555555","etag":"W/2","at":"2026-07-12T11:51:04.123Z"}`, nil},
		{"public addresses are given out at random, private ones are not", `{"a":"20.1.2.3","b":"10.0.0.4"}`, `{"a":"52.1.2.3","b":"10.0.0.5"}`, []string{`.b: "10.0.0.5", recorded "10.0.0.4"`}},
		{"order of named things", `[{"name":"a","v":1},{"name":"b","v":2}]`, `[{"name":"b","v":2},{"name":"a","v":1}]`, nil},
		{"length of a list", `[1,2]`, `[1]`, []string{": 1: 1, recorded 2: 1 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := compare(tt.recorded, tt.ours)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range c.differences {
				got = append(got, d.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if _, err := compare(`{}`, `<html>`); err == nil {
		t.Error("an answer that is no JSON compares")
	}
}

func TestResourceType(t *testing.T) {
	for path, want := range map[string]string{
		"/subscriptions/s/resourceGroups/g": "resourceGroups",
		"/subscriptions/s/resourceGroups":   "resourceGroups (list)",
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s":             "Microsoft.Network/virtualNetworks/subnets",
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks":                         "Microsoft.Network/virtualNetworks ()",
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n/effectiveRouteTable": "Microsoft.Network/networkInterfaces/effectiveRouteTable ()",
	} {
		if got := resourceType(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestCassette(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test_x.yaml")
	if err := os.WriteFile(file, []byte(`interactions:
- request:
    body: '{"location": "westus"}'
    headers: {If-Match: ['*']}
    method: PUT
    uri: https://management.azure.com/subscriptions/s/resourceGroups/g?api-version=1
  response:
    body: {string: '{"location":"westus"}'}
    headers: {}
    status: {code: 201, message: Created}
- request:
    body: null
    headers: {}
    method: GET
    uri: https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/westus/operations/1?api-version=1
  response:
    body: {string: '{"status":"Succeeded"}'}
    headers: {}
    status: {code: 200, message: OK}
version: 1
`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readCassette(file)
	if err != nil || len(c.Interactions) != 2 {
		t.Fatal(c, err)
	}
	first, poll := &c.Interactions[0], &c.Interactions[1]
	if first.poll() || !first.management() || !poll.poll() || header(first.Request.Headers, "if-match") != "*" || text(first.Request.Body) == "" || first.Response.Status.Code != 201 {
		t.Errorf("read as %+v", c)
	}
	if got := locationOf(c, "G"); got != "westus" {
		t.Errorf("the group is in %s", got)
	}
}

func TestOnly(t *testing.T) {
	all := []outcome{{Type: "Microsoft.Sql/servers"}, {Type: "Microsoft.Sql/servers ()"}, {Type: "Microsoft.Sql/servers/databases"}, {Type: "resourceGroups (list)"}}
	for _, c := range []struct {
		types string
		want  int
	}{{"", 4}, {"^microsoft.sql/servers$", 2}, {"^Microsoft.Sql/", 3}, {"^resourceGroups$", 1}} {
		if got := only(regexp.MustCompile("(?i)"+c.types), slices.Clone(all)); len(got) != c.want {
			t.Errorf("%q: %v", c.types, got)
		}
	}
}

// TestReport: a recording that was not replayed to its end, or of which nothing
// was compared, is not alike.
func TestReport(t *testing.T) {
	alike := outcome{Method: "GET", Recorded: 200, Ours: 200}
	r := newReport()
	r.add("whole", []outcome{alike}, true)
	r.add("broken off", []outcome{alike}, false)
	r.add("empty", nil, true)
	r.add("another status", []outcome{{Method: "GET", Recorded: 200, Ours: 404}}, true)
	if r.recordings != 4 || r.whole != 1 || r.exchanges != 3 || r.statuses != 2 {
		t.Errorf("%+v", r)
	}
}
