package arm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/google/go-cmp/cmp"
)

// TestResourceGroup: groups are created, listed, tagged, and deleted with all
// they hold; HEAD tells whether they exist.
func TestResourceGroup(t *testing.T) {
	c := newCloud(t)
	c.refused(400, "LocationRequired", "PUT", group, `{}`)
	if a := c.must("PUT", group, `{"location":"West Europe"}`); a.status != 201 || str(a.body, "location") != "westeurope" ||
		str(a.body, "properties", "provisioningState") != "Succeeded" || str(a.body, "type") != "Microsoft.Resources/resourceGroups" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := c.must("PUT", strings.ToLower(group), `{"location":"westeurope","tags":{"a":"b"}}`); a.status != 200 || str(a.body, "id") != group {
		t.Errorf("the creator's case is lost: %d %s", a.status, a.raw)
	}
	c.refused(409, "InvalidResourceGroupLocation", "PUT", group, `{"location":"eastus"}`)
	if a := c.do("HEAD", group, ""); a.status != 204 {
		t.Errorf("HEAD %d", a.status)
	}
	if a := c.do("HEAD", group+"x", ""); a.status != 404 {
		t.Errorf("HEAD of none %d", a.status)
	}
	if a := c.must("PATCH", group, `{"tags":{"c":"d"}}`); str(a.body, "tags", "c") != "d" || at(a.body, "tags", "a") != nil {
		t.Errorf("PATCH replaces the tags: %s", a.raw)
	}
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	if a := c.must("DELETE", group, ""); a.status != 202 || a.header.Get("Location") == "" {
		t.Errorf("DELETE %d %v", a.status, a.header)
	} else if got := c.must("GET", a.header.Get("Location"), ""); got.status != 200 {
		t.Errorf("result of DELETE %d", got.status)
	}
	c.refused(404, "ResourceGroupNotFound", "GET", group, "")
	c.refused(404, "ResourceGroupNotFound", "GET", network+"/virtualNetworks/v", "")
	c.refused(404, "ResourceGroupNotFound", "DELETE", group, "")
	if n := len(c.written()); n != 0 {
		t.Errorf("%d resources are left", n)
	}
}

// TestGroupDeletionBlocked: a group is not deleted while resources outside of
// it use what is in it.
func TestGroupDeletionBlocked(t *testing.T) {
	c := newCloud(t).withGroup()
	other := subscription + "/resourceGroups/other"
	c.must("PUT", other, `{"location":"westeurope"}`)
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	nic := other + "/providers/Microsoft.Network/networkInterfaces/n"
	c.must("PUT", nic, nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	a := c.refused(409, "ResourceGroupDeletionBlocked", "DELETE", group, "")
	if got := str(a.body, "error", "details", 0, "code"); got != "InUseSubnetCannotBeDeleted" {
		t.Errorf("details %q", got)
	}
	c.must("DELETE", other, "")
	c.must("DELETE", group, "")
}

// TestDocumentKept: unknown properties survive; absent, null and empty differ;
// the server fills in what is its own.
func TestDocumentKept(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/Hub"
	c.must("PUT", vnet, vnetBody)
	a := c.must("GET", strings.ToLower(vnet), "")
	if a.header.Get("ETag") != str(a.body, "etag") || !strings.HasPrefix(a.header.Get("ETag"), `W/"`) {
		t.Errorf("ETag %q, etag %q", a.header.Get("ETag"), str(a.body, "etag"))
	}
	p := at(a.body, "properties").(map[string]any)
	custom := p["custom"].(map[string]any)
	if x, ok := custom["x"]; !ok || x != nil {
		t.Errorf("null became %v (present %v)", x, ok)
	}
	if y, ok := custom["y"].([]any); !ok || len(y) != 0 {
		t.Errorf("[] became %v", custom["y"])
	}
	for path, want := range map[string]string{
		"id": vnet, "name": "Hub", "type": "Microsoft.Network/virtualNetworks", "location": "westeurope",
	} {
		if got := str(a.body, path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if str(p, "resourceGuid") == "" || str(p, "provisioningState") != "Succeeded" {
		t.Errorf("properties %v", p)
	}
	subnet := at(p, "subnets", 1).(map[string]any)
	if str(subnet, "id") != vnet+"/subnets/Data" || str(subnet, "etag") != str(a.body, "etag") ||
		str(subnet, "properties", "privateLinkServiceNetworkPolicies") != "Enabled" {
		t.Errorf("subnet %v", subnet)
	}
	guid := str(p, "resourceGuid")
	b := c.must("PUT", vnet, strings.Replace(vnetBody, "prod", "test", 1))
	if b.status != 200 || str(b.body, "properties", "resourceGuid") != guid || str(b.body, "etag") == str(a.body, "etag") {
		t.Errorf("update: %d %s", b.status, b.raw)
	}
	again := c.must("PUT", vnet, strings.Replace(vnetBody, "prod", "test", 1))
	if str(again.body, "etag") != str(b.body, "etag") || again.header.Get("Azure-AsyncOperation") != "" {
		t.Errorf("a write that changes nothing made a new version: %s", again.raw)
	}
}

// TestSubnetsBothWays: subnets are written with their network or on their own;
// absent keeps them, [] deletes them.
func TestSubnetsBothWays(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.refused(404, "ParentResourceNotFound", "PUT", vnet+"/subnets/a", `{"properties":{"addressPrefix":"10.0.3.0/24"}}`)
	c.must("PUT", vnet, vnetBody)
	a := c.must("PUT", vnet+"/subnets/extra", `{"properties":{"addressPrefix":"10.0.3.0/24"}}`)
	if a.status != 201 || str(a.body, "id") != vnet+"/subnets/extra" || str(a.body, "properties", "provisioningState") != "Updating" || a.header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
	names := func() []string {
		var out []string
		for _, s := range at(c.get(vnet), "properties", "subnets").([]any) {
			out = append(out, str(s, "name"))
		}
		return out
	}
	if diff := cmp.Diff([]string{"app", "Data", "extra"}, names()); diff != "" {
		t.Error(diff)
	}
	if got := len(at(c.get(vnet+"/subnets"), "value").([]any)); got != 3 {
		t.Errorf("the collection has %d", got)
	}
	c.must("PUT", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`)
	if diff := cmp.Diff([]string{"app", "Data", "extra"}, names()); diff != "" {
		t.Errorf("absent subnets are kept: %s", diff)
	}
	if a := c.must("DELETE", vnet+"/subnets/DATA", ""); a.status != 202 {
		t.Errorf("DELETE %d", a.status)
	}
	if a := c.must("DELETE", vnet+"/subnets/data", ""); a.status != 204 {
		t.Errorf("DELETE again %d", a.status)
	}
	if diff := cmp.Diff([]string{"app", "extra"}, names()); diff != "" {
		t.Error(diff)
	}
	c.refused(404, "NotFound", "GET", vnet+"/subnets/data", "")
	c.refused(404, "ResourceNotFound", "GET", vnet+"x", "")
	c.refused(404, "ResourceNotFound", "GET", vnet+"x/subnets/app", "")

	nic := network + "/networkInterfaces/n"
	c.must("PUT", nic, nicBody(vnet+"/subnets/app", ""))
	empty := `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`
	for _, try := range [][3]string{{"DELETE", vnet + "/subnets/app", ""}, {"PUT", vnet, empty}, {"DELETE", vnet, ""}} {
		f := c.refused(400, "InUseSubnetCannotBeDeleted", try[0], try[1], try[2])
		if !strings.Contains(f.message(), nic+"/ipConfigurations/ip1") {
			t.Errorf("the user is not named: %s", f.message())
		}
	}
	if got := str(c.get(vnet+"/subnets/app"), "properties", "ipConfigurations", 0, "id"); got != nic+"/ipConfigurations/ip1" {
		t.Errorf("ipConfigurations %q", got)
	}
	c.must("DELETE", nic, "")
	c.must("PUT", vnet, empty)
	if got := at(c.get(vnet), "properties", "subnets"); len(got.([]any)) != 0 {
		t.Errorf("subnets %v", got)
	}
}

// TestEtags: If-Match and If-None-Match guard writes; the refusal nests its
// detail as the network provider does.
func TestEtags(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.refused(412, "PreconditionFailed", "PUT", vnet, vnetBody, "If-Match: *")
	first := str(c.must("PUT", vnet, vnetBody, "If-None-Match: *").body, "etag")
	c.refused(412, "PreconditionFailed", "PUT", vnet, vnetBody, "If-None-Match: *")
	second := str(c.must("PUT", vnet, strings.Replace(vnetBody, "prod", "x", 1), "If-Match: "+first).body, "etag")
	a := c.refused(412, "PreconditionFailed", "PUT", vnet, vnetBody, "If-Match: "+first)
	if str(a.body, "error", "details", 0, "code") != "PreconditionFailedEtagMismatch" || !strings.Contains(str(a.body, "error", "details", 0, "message"), second) {
		t.Errorf("%s", a.raw)
	}
	c.refused(412, "PreconditionFailed", "DELETE", vnet, "", "If-Match: "+first)
	c.refused(412, "PreconditionFailed", "PUT", vnet+"/subnets/app", `{"properties":{"addressPrefix":"10.0.9.0/24"}}`, "If-None-Match: *")
	c.must("DELETE", vnet, "", "If-Match: "+second)
}

// TestApiVersion: every request names a version, any date.
func TestApiVersion(t *testing.T) {
	c := newCloud(t)
	for v, code := range map[string]string{
		"?x=1": "MissingApiVersionParameter", "?api-version=": "MissingApiVersionParameter", "?api-version=latest": "InvalidApiVersionParameter",
		"?api-version=2025-13-01": "InvalidApiVersionParameter", "?api-version=1999-01-01": "InvalidApiVersionParameter", "?api-version=2199-01-01": "InvalidApiVersionParameter",
		"?api-version=2015-07-01": "", "?api-version=2025-01-01-PREVIEW": "InvalidApiVersionParameter", "?API-Version=2022-04-01-preview": "", "?api-version=2018-05-01": "",
	} {
		if a := c.do("GET", "/subscriptions"+v, ""); a.code() != code {
			t.Errorf("%s: %d %s, want %q", v, a.status, a.raw, code)
		}
	}
}

// TestPaths: hostile and malformed paths are refused, never cleaned.
func TestPaths(t *testing.T) {
	c := newCloud(t).withGroup()
	for _, tc := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", group + "/providers//Microsoft.Network//virtualNetworks/v", 404, "ResourceNotFound"}, // as az resource show sends it
		{"GET", subscription + "/resourceGroups/a%2Fb", 400, "InvalidRequestUri"},
		{"GET", subscription + "/resourceGroups/a%5Cb", 400, "InvalidRequestUri"},
		{"GET", subscription + "/resourceGroups/%2e%2e", 400, "InvalidRequestUri"},
		{"GET", subscription + "/resourceGroups/a%00b", 400, "InvalidRequestUri"},
		{"GET", subscription + "/resourceGroups/a%ffb", 400, "InvalidRequestUri"},
		{"GET", "/" + strings.Repeat("a", 5000), 414, "InvalidRequestUri"},
		{"GET", "/elsewhere", 404, "InvalidResourcePath"},
		{"GET", subscription + "/elsewhere", 404, "InvalidResourcePath"},
		{"GET", group + "/providers/Microsoft.Network", 404, "InvalidResourcePath"},
		{"GET", group + "/providers/Microsoft.Nothing/things/a", 404, "InvalidResourceNamespace"},
		{"GET", group + "/providers/Microsoft.Network/things/a", 404, "InvalidResourceType"},
		{"GET", group + "/providers/Microsoft.Network/things", 404, "InvalidResourceType"},
		{"GET", "/subscriptions/!/resourceGroups", 400, "InvalidSubscriptionId"},
		{"PUT", subscription + "/resourceGroups/a%20b", 400, "InvalidResourceName"},
		{"PUT", network + "/virtualNetworks/-v", 400, "InvalidResourceName"},
		{"PUT", network + "/virtualNetworks/" + strings.Repeat("v", 81), 400, "InvalidResourceName"},
		{"PUT", network + "/networkManagers/n/commits/Routing.westeurope", 405, "MethodNotAllowed"},
		{"POST", network + "/virtualNetworks/v", 405, "MethodNotAllowed"},
		{"POST", group + "/explode", 404, "InvalidResourceAction"},
		{"TRACE", group, 405, "MethodNotAllowed"},
		{"POST", subscription + "/resourceGroups", 405, "MethodNotAllowed"},
	} {
		c.refused(tc.status, tc.code, tc.method, tc.path, "")
	}
	c.refused(400, "InvalidResourceScope", "PUT", subscription+"/providers/Microsoft.Network/virtualNetworks/v", "{}")
	// A client given an endpoint with a final slash doubles it.
	c.must("GET", "//subscriptions", "")
	c.must("GET", subscription+"/resourceGroups/", "")
}

// TestBodies: bodies are bounded and must be JSON objects.
func TestBodies(t *testing.T) {
	c := newCloud(t)
	for name, tc := range map[string]struct {
		body, header string
		status       int
		code         string
	}{
		"empty":    {"", "X: y", 400, "MissingRequestBody"},
		"array":    {"[]", "X: y", 400, "InvalidRequestContent"},
		"null":     {"null", "X: y", 400, "InvalidRequestContent"},
		"cut":      {`{"location":`, "X: y", 400, "InvalidRequestContent"},
		"trailing": {`{"location":"westeurope"} {}`, "X: y", 400, "InvalidRequestContent"},
		"twice":    {`{"location":"westeurope","tags":{"a":"b","x":[{"c":1},{"c":2}],"\u0061":"d"}}`, "X: y", 400, "InvalidRequestContent"},
		"deep":     {strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "X: y", 400, "InvalidRequestContent"},
		"many":     {`{"a":[` + strings.Repeat("1,", 400_001) + `1]}`, "X: y", 400, "InvalidRequestContent"},
		"large":    {`{"a":"` + strings.Repeat("x", 4<<20) + `"}`, "X: y", 413, "RequestContentTooLarge"},
		"form":     {`a=b`, "Content-Type: application/x-www-form-urlencoded", 415, "UnsupportedMediaType"},
		"location": {`{"location":7}`, "X: y", 400, "InvalidRequestFormat"},
		"tags":     {`{"location":"westeurope","tags":[]}`, "X: y", 400, "InvalidRequestFormat"},
		"tagValue": {`{"location":"westeurope","tags":{"a":{}}}`, "X: y", 400, "InvalidRequestFormat"},
		"tagCase":  {`{"location":"westeurope","tags":{"a":"1","A":"2"}}`, "X: y", 400, "DuplicateTagName"},
		"nowhere":  {`{"location":"middleearth"}`, "X: y", 400, "LocationNotAvailableForResourceType"},
		"props":    {`{"location":"westeurope","properties":"x"}`, "X: y", 400, "InvalidRequestFormat"},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.do("PUT", group, tc.body, tc.header)
			if a.status != tc.status || a.code() != tc.code {
				t.Errorf("%d %s %.300q, want %d %s", a.status, a.code(), a.message(), tc.status, tc.code)
			}
		})
	}
	if n := len(c.server.Snapshot()); n != 0 {
		t.Errorf("%d resources were left behind", n)
	}
}

// TestListing: collections at every level, in pages, filtered.
func TestListing(t *testing.T) {
	c := newCloud(t, func(cfg *arm.Config) { cfg.PageSize = 3 }).withGroup()
	second := subscription + "/resourceGroups/Second"
	c.must("PUT", second, `{"location":"eastus"}`)
	for i := range 4 {
		c.must("PUT", fmt.Sprintf("%s/routeTables/rt%d", network, i), `{"location":"westeurope","tags":{"n":"`+fmt.Sprint(i)+`"}}`)
	}
	c.must("PUT", second+"/providers/Microsoft.Network/routeTables/rt9", `{"location":"eastus"}`)
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	list := func(path string) (names []string, pages int) {
		for path != "" {
			if !strings.Contains(path, "?") {
				path += version
			}
			body := c.get(path)
			for _, r := range at(body, "value").([]any) {
				names = append(names, str(r, "name"))
			}
			pages++
			path = str(body, "nextLink")
		}
		return names, pages
	}
	for _, tc := range []struct {
		path  string
		want  string
		pages int
	}{
		{subscription + "/resourcegroups", "Net NetworkWatcherRG Second", 1},
		{network + "/routeTables", "rt0 rt1 rt2 rt3", 2},
		{network + "/routeTables" + version + "&$top=1", "rt0 rt1 rt2 rt3", 4},
		{subscription + "/providers/Microsoft.Network/ROUTETABLES", "rt0 rt1 rt2 rt3 rt9", 2},
		{group + "/resources", "rt0 rt1 rt2 rt3 v", 2},
		{subscription + "/resources", "rt0 rt1 rt2 rt3 v NetworkWatcher_westeurope rt9", 3},
		{subscription + "/resources" + version + "&$filter=resourceType%20eq%20%27microsoft.network/virtualnetworks%27", "v", 1},
		{subscription + "/resources" + version + "&$filter=tagName%20eq%20%27n%27%20and%20tagValue%20eq%20%272%27", "rt2", 1},
		{subscription + "/resources" + version + "&$filter=name%20eq%20%27rt0%27%20or%20location%20eq%20%27East%20US%27", "rt0 rt9", 1},
		{network + "/virtualNetworks/v/subnets" + version + "&$top=1", "app Data", 2},
		{network + "/networkManagers", "", 1},
	} {
		names, pages := list(tc.path)
		if got := strings.Join(names, " "); got != tc.want || pages != tc.pages {
			t.Errorf("%s: %q in %d pages, want %q in %d", tc.path, got, pages, tc.want, tc.pages)
		}
	}
	c.refused(400, "InvalidFilterInQueryString", "GET", subscription+"/resources"+version+"&$filter=name%20gt%20%27a%27", "")
	c.refused(400, "InvalidQueryParameter", "GET", group+"/resources"+version+"&$top=0", "")
	c.refused(400, "InvalidSkipToken", "GET", group+"/resources"+version+"&$skiptoken=!", "")
	c.refused(404, "ResourceGroupNotFound", "GET", subscription+"/resourceGroups/none/resources", "")
	c.refused(404, "ResourceNotFound", "GET", network+"/virtualNetworks/none/subnets", "")
}

// TestPlumbing: what tools ask before they begin.
func TestPlumbing(t *testing.T) {
	c := newCloud(t).withGroup()
	if v := at(c.get("/subscriptions"), "value").([]any); len(v) != 2 {
		t.Errorf("subscriptions %v", v)
	}
	if got := str(c.get(subscription), "state"); got != "Enabled" {
		t.Errorf("subscription %q", got)
	}
	if got := str(c.get("/tenants"), "value", 0, "tenantId"); got != c.identity.TenantID {
		t.Errorf("tenant %q", got)
	}
	found := false
	for _, l := range at(c.get(subscription+"/locations"), "value").([]any) {
		found = found || str(l, "name") == "westeurope" && str(l, "displayName") == "West Europe"
	}
	if !found {
		t.Error("no West Europe")
	}
	for _, p := range at(c.get(subscription+"/providers"), "value").([]any) {
		if str(p, "registrationState") != "Registered" {
			t.Errorf("%v", p)
		}
	}
	if a := c.must("POST", subscription+"/providers/microsoft.network/register", ""); str(a.body, "namespace") != "Microsoft.Network" {
		t.Errorf("%s", a.raw)
	}
	c.refused(404, "InvalidResourceNamespace", "GET", subscription+"/providers/Microsoft.Nothing", "")
	only := newCloud(t, func(cfg *arm.Config) { cfg.Subscriptions = []string{"Known"} })
	only.refused(404, "SubscriptionNotFound", "GET", subscription, "")
	if got := str(only.get("/subscriptions/KNOWN"), "subscriptionId"); got != "Known" {
		t.Errorf("subscription %q", got)
	}
}

// TestPatch: tags only for most types, a merge for those that allow it.
func TestPatch(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.refused(404, "ResourceNotFound", "PATCH", vnet, `{"tags":{}}`)
	c.must("PUT", vnet, vnetBody)
	a := c.must("PATCH", vnet, `{"tags":{"new":"1"}}`)
	if diff := cmp.Diff(map[string]any{"new": "1"}, at(a.body, "tags")); diff != "" || len(at(a.body, "properties", "subnets").([]any)) != 2 {
		t.Errorf("%s %s", diff, a.raw)
	}
	c.refused(400, "InvalidRequestFormat", "PATCH", vnet, `{"tags":{},"properties":{}}`)
	manager := network + "/networkManagers/nm"
	c.must("PUT", manager, managerBody)
	a = c.must("PATCH", manager, `{"properties":{"description":"d","networkManagerScopeAccesses":["Routing"]}}`)
	if str(a.body, "properties", "description") != "d" || len(at(a.body, "properties", "networkManagerScopeAccesses").([]any)) != 1 ||
		at(a.body, "properties", "networkManagerScopes", "subscriptions") == nil {
		t.Errorf("%s", a.raw)
	}
}

// TestSnapshot: the normal form has subnets inline and peerings apart, sorted.
func TestSnapshot(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/a", vnetBody)
	c.must("PUT", network+"/virtualNetworks/b", strings.NewReplacer("10.0.", "10.1.").Replace(vnetBody))
	c.must("PUT", network+"/virtualNetworks/a/virtualNetworkPeerings/to-b", `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`/virtualNetworks/b"}}}`)
	var got []string
	for _, r := range c.written() {
		got = append(got, strings.TrimPrefix(r.ID.String(), group))
		if _, inline := r.Properties()["virtualNetworkPeerings"]; inline {
			t.Errorf("%s has peerings inline", r.ID)
		}
		if b, err := json.Marshal(r.Doc); err != nil || str(r.Doc, "id") != r.ID.String() {
			t.Errorf("%s: %v %s", r.ID, err, b)
		}
	}
	want := []string{"", "/providers/Microsoft.Network/virtualNetworks/a", "/providers/Microsoft.Network/virtualNetworks/a/virtualNetworkPeerings/to-b", "/providers/Microsoft.Network/virtualNetworks/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.must("GET", network+"/virtualNetworks/a", "").status != http.StatusOK {
		t.Error("unreadable")
	}
}

// TestPatchReplacesTags: a PATCH gives all tags, so that one can be removed.
func TestPatchReplacesTags(t *testing.T) {
	c := newCloud(t).withGroup()
	manager := network + "/networkManagers/m"
	c.must("PUT", manager, `{"location":"westeurope","tags":{"a":"1","b":"2"},"properties":{"networkManagerScopes":{"subscriptions":["`+subscription+`"]},"networkManagerScopeAccesses":["Connectivity"]}}`)
	c.must("PATCH", manager, `{"tags":{"b":"3"}}`)
	if tags, _ := c.get(manager)["tags"].(map[string]any); len(tags) != 1 || tags["b"] != "3" {
		t.Errorf("tags %v", tags)
	}
	// So it does the metadata of record sets.
	for zone, set := range map[string]string{network + "/dnsZones/example.org": "/NS/sub", network + "/privateDnsZones/example.org": "/A/www"} {
		c.must("PUT", zone, `{"location":"global"}`)
		c.must("PUT", zone+set, `{"properties":{"TTL":60,"metadata":{"a":"1","b":"2"}}}`)
		c.must("PATCH", zone+set, `{"properties":{"metadata":{"b":"3"}}}`)
		p, _ := c.get(zone + set)["properties"].(map[string]any)
		if m, _ := p["metadata"].(map[string]any); len(m) != 1 || m["b"] != "3" || p["TTL"] == nil && p["ttl"] == nil {
			t.Errorf("%s: %v", set, p)
		}
	}
	c.must("PUT", subscription+"/providers/Microsoft.Network/networkManagerConnections/c", `{"properties":{"networkManagerId":"`+manager+`"}}`)
	if got := str(c.get(subscription+"/providers/Microsoft.Network/networkManagerConnections/c"), "properties", "connectionState"); got != "Pending" {
		t.Errorf("state %q", got)
	}
}
