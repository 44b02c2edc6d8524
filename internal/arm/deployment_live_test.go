package arm_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
)

const twoTables = `{"resources": [
	{"type": "Microsoft.Network/routeTables", "apiVersion": "2025-01-01", "name": "a", "location": "westeurope"},
	{"type": "Microsoft.Network/routeTables", "apiVersion": "2025-01-01", "name": "b", "location": "westeurope"},
	{"type": "Microsoft.Network/routeTables", "apiVersion": "2025-01-01", "name": "c", "location": "westeurope", "dependsOn": ["a", "b"]}]}`

// runningSteps waits until a deployment shows n operations under way.
func (c *cloud) runningSteps(path string, n int) []any {
	c.t.Helper()
	for range 20000 {
		steps, _ := c.get(path + "/operations" + ofTemplates)["value"].([]any)
		running := 0
		for _, s := range steps {
			if str(s, "properties", "provisioningState") == "Running" {
				running++
			}
		}
		if running == n {
			return steps
		}
	}
	c.t.Fatalf("%s never shows %d operations under way", path, n)
	return nil
}

// TestDeploymentUnderWay: PUT answers at once; what does not depend on each other
// is written at the same time, what depends on it once it is there; the
// operations show meanwhile ("Deployment Operations - List").
func TestDeploymentUnderWay(t *testing.T) {
	c := withGroup(t, func(cfg *arm.Config) { cfg.OperationTime = time.Hour })
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", twoTables, "{}"))
	if a.status != http.StatusCreated || str(a.body, "properties", "provisioningState") != "Accepted" {
		t.Fatalf("PUT: %d %s", a.status, a.raw)
	}
	steps := c.runningSteps(deployments+"d", 2)
	for i, name := range []string{"a", "b"} {
		if len(steps) != 2 || str(steps, i, "properties", "targetResource", "resourceName") == "" {
			t.Errorf("%s: %v", name, steps)
		}
	}
	if s := c.must("GET", a.header.Get("Azure-AsyncOperation"), ""); str(s.body, "status") != "Running" {
		t.Errorf("status: %s", s.raw)
	}
	if d := c.get(deployments + "d" + ofTemplates); str(d, "properties", "provisioningState") != "Running" {
		t.Errorf("GET: %v", d)
	}
	c.refused(409, "DeploymentActive", "PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", twoTables, "{}"))
	c.refused(409, "DeploymentIsActive", "DELETE", deployments+"d"+ofTemplates, "")
	c.refused(404, "ResourceNotFound", "GET", network+"/routeTables/c", "")
	c.must("POST", deployments+"d/cancel"+ofTemplates, "")
	if s := c.settled(a); str(s.body, "status") != "Canceled" {
		t.Errorf("canceled: %s", s.raw)
	}
	c.refused(404, "ResourceNotFound", "GET", network+"/routeTables/c", "")
}

// namedByGUID makes a resource of a name that newGuid() makes, and one after it.
const namedByGUID = `{"parameters": {"name": {"type": "string", "defaultValue": "[newGuid()]"}, "secret": {"type": "secureString"}},
	"resources": [
	{"type": "Microsoft.Network/routeTables", "apiVersion": "2025-01-01", "name": "[parameters('name')]", "location": "westeurope"},
	{"type": "Microsoft.Resources/deployments", "apiVersion": "2024-03-01", "name": "inner", "dependsOn": ["[parameters('name')]"], "properties": {"mode": "Incremental",
		"expressionEvaluationOptions": {"scope": "inner"}, "template": {"parameters": {"more": {"type": "string", "defaultValue": "[newGuid()]"}}, "resources": [
		{"type": "Microsoft.Network/routeTables", "apiVersion": "2025-01-01", "name": "[parameters('more')]", "location": "westeurope"},
		{"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2025-01-01", "name": "last", "location": "westeurope", "dependsOn": ["[parameters('more')]"],
			"tags": {"of": "[parameters('more')]"}}]}}}]}`

// TestDeploymentResumed: the server's end stops a deployment wherever it is, and
// the next server of the store goes on: with the same names, as the same client,
// to the same end; the request, which has secrets, is not kept any longer.
func TestDeploymentResumed(t *testing.T) {
	store, err := arm.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	id, err := arm.OpenIdentity("")
	if err != nil {
		t.Fatal(err)
	}
	start := func(takes time.Duration) *cloud {
		return newCloud(t, func(cfg *arm.Config) {
			cfg.Store, cfg.Identity, cfg.OperationTime = unclosed{store}, id, takes
		})
	}
	body := deploymentBody("Complete", namedByGUID, `{"secret": {"value": "hush"}}`)
	c := start(time.Hour).withGroup()
	c.must("PUT", network+"/publicIPAddresses/other", `{"location":"westeurope"}`)
	c.must("PUT", deployments+"d"+ofTemplates, body)
	c.runningSteps(deployments+"d", 1)
	tables := func() []any { list, _ := c.get(network + "/routeTables")["value"].([]any); return list }
	var first string
	for range 20000 { // the operation shows before what it writes
		if first = str(tables(), 0, "name"); first != "" {
			break
		}
	}
	c.server.Close()
	c.refused(503, "ServiceUnavailable", "PUT", deployments+"e"+ofTemplates, body)
	c.refused(404, "ResourceNotFound", "GET", deployments+"e"+ofTemplates, "")
	if d := c.must("GET", deployments+"d"+ofTemplates, ""); str(d.body, "properties", "provisioningState") != "Running" || strings.Contains(string(d.raw), "hush") {
		t.Errorf("stopped: %s", d.raw)
	}

	c = start(0)
	var d map[string]any
	for range 20000 {
		if d = c.get(deployments + "d" + ofTemplates); str(d, "properties", "provisioningState") != "Running" {
			break
		}
	}
	if str(d, "properties", "provisioningState") != "Succeeded" {
		t.Fatalf("the next server: %v", d)
	}
	var names []string
	for _, r := range tables() {
		names = append(names, str(r, "name"))
	}
	last := str(c.get(network+"/networkSecurityGroups/last"), "tags", "of")
	if len(names) != 2 || !slices.Contains(names, first) || !slices.Contains(names, last) || first == last {
		t.Errorf("first %s, last of %s, in all %v", first, last, names)
	}
	c.refused(404, "ResourceNotFound", "GET", network+"/publicIPAddresses/other", "")
	for e := range store.View().List("", "") {
		if strings.Contains(string(e.JSON), "hush") {
			t.Errorf("%s has the secret", e.Resource.ID)
		}
	}
}

// unclosed is a store that outlives its servers.
type unclosed struct{ state.Store }

func (unclosed) Close() error { return nil }

// TestDeploymentCannotResume: what can no longer be taken up is told as failed.
func TestDeploymentCannotResume(t *testing.T) {
	for name, request := range map[string]string{
		"no time":       `{}`,
		"no deployment": `{"at": "2026-01-01T00:00:00Z", "base": "https://x", "version": "2024-03-01", "body": "{}"}`,
		"no template":   `{"at": "2026-01-01T00:00:00Z", "base": "https://x", "version": "2024-03-01", "body": "{\"properties\":{\"mode\":\"Incremental\",\"template\":{}}}"}`,
		"no URL":        `{"at": "2026-01-01T00:00:00Z", "base": "::", "version": "2024-03-01", "body": "{}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := withRunning(t, `, "request": `+request)
			a := c.must("GET", deployments+"d"+ofTemplates, "")
			if str(a.body, "properties", "provisioningState") != "Failed" || str(a.body, "properties", "error", "details", 1, "message") == "" {
				t.Errorf("%s", a.raw)
			}
		})
	}
}
