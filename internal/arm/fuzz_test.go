package arm_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
)

// FuzzRequest: whatever is sent, the server answers with JSON that has an error
// code or a resource, never with a failure of its own, and what it stored can
// be read back and written again unchanged.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"PUT", network + "/virtualNetworks/v", vnetBody},
		{"PUT", network + "/virtualNetworks/base/subnets/new", `{"properties":{"addressPrefixes":["10.0.77.0/24"]}}`},
		{"PUT", network + "/networkInterfaces/n", nicBody(network+"/virtualNetworks/base/subnets/app", "")},
		{"PUT", network + "/networkSecurityGroups/n", `{"location":"westeurope","properties":{"securityRules":[` + rule("a", "Inbound", 100, `,"destinationPortRange":"1-2"`) + `]}}`},
		{"PUT", network + "/routeTables/r", `{"location":"westeurope","properties":{"routes":[{"name":"r","properties":null}]}}`},
		{"PUT", network + "/virtualNetworks/base/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"` + network + `/virtualNetworks/base"}}}`},
		{"PUT", network + "/publicIPAddresses/p", `{"location":"westeurope","sku":null,"properties":{"ipAddress":"::1"}}`},
		{"PUT", network + "/azureFirewalls/f", `{"location":"westeurope","properties":{"sku":7,"ipConfigurations":[{"name":"a"}]}}`},
		{"PUT", network + "/firewallPolicies/p", `{"location":"westeurope","properties":{"sku":null}}`},
		{"PUT", network + "/privateDnsZones/a.b", `{"location":"global","properties":null}`},
		{"PUT", network + "/networkManagers/nm", managerBody},
		{"PATCH", network + "/virtualNetworks/base", `{"tags":null}`},
		{"PATCH", group, `{"tags":{"a":null}}`},
		{"DELETE", network + "/virtualNetworks/base", ""},
		{"POST", network + "/networkManagers/nm/commit", `{"commitType":"Routing","targetLocations":["eastus"],"configurationIds":[]}`},
		{"GET", subscription + "/resources", ""},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/vm", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[null]}}}`},
		{"GET", "/x/%2e%2e/y", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	c := newCloud(f).withGroup()
	base := vnetBody
	send := func(method string, u *url.URL, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "https://x/", strings.NewReader(body))
		r.Method, r.URL, r.Host = method, u, strings.TrimPrefix(c.base, "https://")
		r.Header.Set("Authorization", "Bearer "+c.token)
		w := httptest.NewRecorder()
		c.server.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.Parse(c.base + path + version)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		setup, _ := url.Parse(c.base + network + "/virtualNetworks/base" + version)
		send("PUT", setup, base)
		defer func() {
			g, _ := url.Parse(c.base + group + version)
			send("DELETE", g, "")
			send("PUT", g, `{"location":"westeurope"}`)
		}()
		w := send(method, u, body)
		var doc map[string]any
		if b := w.Body.Bytes(); len(b) > 0 && b[0] == '{' {
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatalf("not JSON: %s", b)
			}
		}
		switch {
		case w.Code >= 500:
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		case w.Code >= 400 && method != "HEAD" && (str(doc, "error", "code") == "" || str(doc, "error", "message") == "") && str(doc, "error") == "":
			t.Fatalf("%s %s: %d without an error: %s", method, path, w.Code, w.Body)
		case method != "PUT" || w.Code >= 300:
			return
		}
		got := send("GET", u, "")
		if got.Code != 200 {
			t.Fatalf("written but not readable: %d %s", got.Code, got.Body)
		}
		if again := send("PUT", u, got.Body.String()); again.Code != 200 && again.Code != 202 {
			t.Errorf("what was read cannot be written: %d %s\n%s", again.Code, again.Body, got.Body)
		}
	})
}

// FuzzRefused: a request that is refused, or that only asks, leaves the store as
// it was, to the byte: no half of a write, no new etag, no allocation.
func FuzzRefused(f *testing.F) {
	c := newCloud(f).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	c.must("PUT", network+"/virtualNetworks/v/providers/Microsoft.Authorization/locks/keep", `{"properties":{"level":"CanNotDelete"}}`)
	var backup bytes.Buffer
	if err := arm.Export(&backup, c.store.View()); err != nil {
		f.Fatal(err)
	}
	subnet := network + "/virtualNetworks/v/subnets/app"
	for _, seed := range [][3]string{
		{"PUT", network + "/virtualNetworks/v", strings.Replace(vnetBody, "10.0.2.0/24", "10.0.1.0/25", 1)},
		{"PUT", network + "/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`},
		{"PUT", network + "/virtualNetworks/v/subnets/x", `{"properties":{"addressPrefix":"10.0.1.0/24"}}`},
		{"PUT", network + "/virtualNetworks/v/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"` + network + `/virtualNetworks/none"}}}`},
		{"PUT", network + "/networkInterfaces/m", nicBody(subnet, `,"privateIPAddress":"10.0.1.4","privateIPAllocationMethod":"Static"`)},
		{"PUT", network + "/networkInterfaces/n", nicBody(subnet, "") + "x"},
		{"PUT", network + "/privateEndpoints/e", `{"location":"westeurope","properties":{"subnet":{"id":"` + subnet + `"},"privateLinkServiceConnections":[{"name":"c","properties":{"privateLinkServiceId":"` + network + `/privateLinkServices/none"}}]}}`},
		{"PUT", network + "/loadBalancers/b", `{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"` + subnet + `"}}}],"loadBalancingRules":[{"name":"r","properties":{"protocol":"Tcp"}}]}}`},
		{"PUT", network + "/azureFirewalls/f", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"` + subnet + `"}}}]}}`},
		{"PUT", network + "/networkWatchers/other", `{"location":"westeurope"}`},
		{"PUT", deployments + "d", deploymentBody("Incremental", `{"resources":[{"type":"Microsoft.Network/none","apiVersion":"2025-01-01","name":"n"}]}`, "{}")},
		{"POST", deployments + "d/validate", deploymentBody("Complete", twoTables, "{}")},
		{"POST", deployments + "d/whatIf", deploymentBody("Complete", twoTables, "{}")},
		{"PATCH", network + "/virtualNetworks/v", `{"tags":{"a":7}}`},
		{"PATCH", group, `{"location":"eastus"}`},
		{"DELETE", network + "/virtualNetworks/v", ""},
		{"DELETE", subnet, ""},
		{"DELETE", group, ""},
		{"PUT", group + "/providers/Microsoft.Authorization/roleAssignments/x", `{"properties":{}}`},
		{"GET", network + "/virtualNetworks/v", ""},
		{"HEAD", group, ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	before := dump(c.store)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if _, err := url.Parse(c.base + path); err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
			return
		}
		a, raw := c.handle(t, method, path, strings.NewReader(body), nil)
		asks := method == "GET" || method == "HEAD" || strings.HasSuffix(path, "/validate") || strings.HasSuffix(path, "/whatIf")
		after := dump(c.store)
		if diff := cmp.Diff(before, after); diff != "" && (a.status >= 400 || asks) {
			t.Errorf("%s %s: %d, yet something changed: %s\n%s", method, path, a.status, diff, raw)
		}
		if !slices.Equal(before, after) {
			c.server.Close() // deployments it began have ended
			if _, err := arm.Import(bytes.NewReader(backup.Bytes()), c.store, state.Actor{}, true); err != nil {
				t.Fatal(err)
			}
			before = dump(c.store)
		}
	})
}
