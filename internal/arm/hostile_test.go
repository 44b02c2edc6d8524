package arm_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestHostile: requests no client of good will sends are refused with an error
// of Azure's form, and change nothing.
func TestHostile(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	before := dump(c.store)
	vnet := network + "/virtualNetworks/v"
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		headers                  []string
	}{
		{"escaped slash", "PUT", group + "%2fproviders", "{}", 400, nil},
		{"backslash", "PUT", group + `%5c`, "{}", 400, nil},
		{"dot segments", "PUT", group + "/../x", "{}", 400, nil},
		{"escaped dot segments", "PUT", group + "/%2e%2e/x", "{}", 400, nil},
		{"NUL", "PUT", group + "%00", `{"location":"eastus"}`, 400, nil},
		{"not UTF-8", "PUT", subscription + "/resourceGroups/%ff", `{"location":"eastus"}`, 400, nil},
		{"long path", "PUT", subscription + "/resourceGroups/" + strings.Repeat("a", 5000), `{"location":"eastus"}`, 414, nil},
		{"long name", "PUT", subscription + "/resourceGroups/" + strings.Repeat("a", 91), `{"location":"eastus"}`, 400, nil},
		{"markup in a name", "PUT", subscription + "/resourceGroups/%3Cscript%3E", `{"location":"eastus"}`, 400, nil},
		{"deep", "PUT", vnet, deep, 400, nil},
		{"wide", "PUT", vnet, "[" + strings.Repeat("0,", 500_000) + "0]", 400, nil},
		{"huge", "PUT", vnet, `{"a":"` + strings.Repeat("a", 5<<20) + `"}`, 413, nil},
		{"truncated", "PUT", vnet, vnetBody[:len(vnetBody)-3], 400, nil},
		{"two values", "PUT", vnet, "{}{}", 400, nil},
		{"an array", "PUT", vnet, "[]", 400, nil},
		{"a body that is not UTF-8", "PUT", vnet, "{\"location\":\"westeurope\",\"tags\":{\"a\":\"\xff\"}}", 400, nil},
		{"null", "PUT", vnet, "null", 400, nil},
		{"wrong media type", "PUT", vnet, "<a/>", 415, []string{"Content-Type: text/xml"}},
		{"properties of another type", "PUT", vnet, `{"location":"westeurope","properties":7}`, 400, nil},
		{"unknown method", "BREW", vnet, "", 405, nil},
		{"method override", "GET", network + "/virtualNetworks/none", "", 404, []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE"}},
		{"another host", "DELETE", vnet, "", 421, []string{"Host: evil.example"}},
		{"no token", "DELETE", vnet, "", 401, []string{"Authorization: "}},
		{"two tokens", "DELETE", vnet, "", 400, []string{"+Authorization: Bearer x"}},
		{"two etags", "DELETE", vnet, "", 400, []string{`If-Match: *`, `+If-Match: W/"x"`}},
		{"two media types", "PUT", vnet, vnetBody, 400, []string{"Content-Type: application/json", "+Content-Type: text/plain"}},
		{"two versions", "DELETE", vnet + "?api-version=2025-01-01&API-VERSION=latest", "", 400, nil},
		{"a token in the query", "DELETE", vnet + "?api-version=2025-01-01&access_token=x", "", 401, []string{"Authorization: "}},
		{"a token of another scheme", "DELETE", vnet, "", 401, []string{"Authorization: Basic eDp4"}},
		{"a token without a signature", "DELETE", vnet, "", 401, []string{"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJvaWQiOiJ4In0."}},
		{"a long token", "DELETE", vnet, "", 401, []string{"Authorization: Bearer " + strings.Repeat("a", 60_000)}},
		{"NUL in a name", "PUT", network + "/virtualNetworks/a%00b", vnetBody, 400, nil},
		{"newline in a name", "PUT", network + "/virtualNetworks/a%0d%0ab", vnetBody, 400, nil},
		{"NUL in a value", "PUT", network + "/routeTables/t", "{\"location\":\"west\\u0000europe\"}", 400, nil},
		{"dots as a name", "PUT", network + "/virtualNetworks/...", vnetBody, 400, nil},
		{"escaped twice", "PUT", network + "/virtualNetworks/%252e%252e", vnetBody, 400, nil},
		{"long name of a resource", "PUT", network + "/virtualNetworks/" + strings.Repeat("a", 81), vnetBody, 400, nil},
		{"many segments", "PUT", group + strings.Repeat("/providers/a/b/c", 200), "{}", 404, nil},
		{"a long reference", "PUT", vnet + "/subnets/x", `{"properties":{"addressPrefix":"10.0.9.0/24","routeTable":{"id":"` + group + "/" + strings.Repeat("x", 1<<20) + `"}}}`, 400, nil},
		{"a reference out of its place", "PUT", vnet + "/subnets/x", `{"properties":{"addressPrefix":"10.0.9.0/24","routeTable":{"id":"` + network + `/routeTables/../virtualNetworks/v"}}}`, 400, nil},
		{"100,000 subnets", "PUT", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"subnets":[` + many(100_000, `{"name":"s%d"}`) + `]}}`, 400, nil},
		{"100,000 routes", "PUT", network + "/routeTables/t", `{"location":"westeurope","properties":{"routes":[` + many(100_000, `{"name":"r%d"}`) + `]}}`, 400, nil},
		{"100,000 rules", "PUT", network + "/networkSecurityGroups/g", `{"location":"westeurope","properties":{"securityRules":[` + many(100_000, `{"name":"r%d"}`) + `]}}`, 400, nil},
		{"100,000 configurations", "PUT", network + "/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[` + many(100_000, `{"name":"c%d"}`) + `]}}`, 400, nil},
		{"100,000 pools", "PUT", network + "/loadBalancers/b", `{"location":"westeurope","properties":{"backendAddressPools":[` + many(100_000, `{"name":"p%d"}`) + `]}}`, 400, nil},
		{"100,000 prefixes", "PUT", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":[` + many(100_000, `"10.%d.0.0/16"`) + `]}}}`, 400, nil},
		{"100,000 tags", "PUT", network + "/routeTables/t", `{"location":"westeurope","tags":{` + many(100_000, `"t%d":"x"`) + `}}`, 400, nil},
		{"100,000 listeners that are nowhere", "PUT", network + "/applicationGateways/a", `{"location":"westeurope","properties":{"httpListeners":[` + many(40_000, `{"name":"l%d","properties":{"frontendPort":{"id":"`+"x"+`"}}}`) + `]}}`, 400, nil},
		{"a filter without end", "GET", subscription + "/resources?api-version=2025-01-01&$filter=" + strings.Repeat("(", 3000), "", 400, nil},
		{"a page of nobody", "GET", subscription + "/resources?api-version=2025-01-01&$skiptoken=AAAA", "", 400, nil},
		{"a version of the future", "DELETE", vnet + "?api-version=9999-01-01", "", 400, nil},
		{"a version with more", "DELETE", vnet + "?api-version=2025-01-01%00", "", 400, nil},
		{"no version", "DELETE", vnet + "?x=y", "", 400, nil},
		{"version of words", "DELETE", vnet + "?api-version=latest", "", 400, nil},
		{"probes that are no object", "PUT", network + "/trafficManagerProfiles/t", `{"location":"global","properties":{"trafficRoutingMethod":"Weighted","dnsConfig":{"relativeName":"t"},"monitorConfig":"x"}}`, 400, nil},
		{"a delegation whose properties are no object", "PUT", vnet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.0.0/24","delegations":[{"name":"d","properties":"x"}]}}]}}`, 400, nil},
		{"no such day", "DELETE", vnet + "?api-version=2025-02-30", "", 400, nil},
		{"wrong etag", "DELETE", vnet, "", 412, []string{`If-Match: W/"x"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, raw := c.handle(t, tt.method, tt.path, strings.NewReader(tt.body), tt.headers)
			if got.status != tt.status || got.code() == "" || got.message() == "" {
				t.Errorf("%d %.300s, want %d and an error", got.status, raw, tt.status)
			}
		})
	}
	t.Run("a body that breaks off", func(t *testing.T) {
		got, raw := c.handle(t, "PUT", vnet, io.MultiReader(strings.NewReader(vnetBody[:40]), iotest.ErrReader(io.ErrUnexpectedEOF)), nil)
		if got.status != 400 || got.code() == "" {
			t.Errorf("%d %s", got.status, raw)
		}
	})
	if diff := cmp.Diff(before, dump(c.store)); diff != "" {
		t.Errorf("something changed: %s", diff)
	}
}

// many is a form n times, numbered, with commas.
func many(n int, form string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.Replace(form, "%d", strconv.Itoa(i), 1))
	}
	return b.String()
}

// handle gives a request to the server past the client library, which would not
// send all of them.
func (c *cloud) handle(t *testing.T, method, path string, body io.Reader, headers []string) (answer, string) {
	t.Helper()
	if !strings.Contains(path, "?") {
		path += version
	}
	u, err := url.Parse(c.base + path)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "https://x/", body)
	r.Method, r.URL, r.Host = method, u, strings.TrimPrefix(c.base, "https://")
	r.Header.Set("Authorization", "Bearer "+c.token)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		if more, ok := strings.CutPrefix(name, "+"); ok {
			r.Header.Add(more, value)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), raw: w.Body.Bytes()}
	if err := json.Unmarshal(a.raw, &a.body); err != nil && len(a.raw) > 0 {
		t.Errorf("%s %.100s: %v", method, path, err)
	}
	return a, w.Body.String()
}
