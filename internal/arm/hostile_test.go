package arm_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
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
		{"no version", "DELETE", vnet + "?x=y", "", 400, nil},
		{"version of words", "DELETE", vnet + "?api-version=latest", "", 400, nil},
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
