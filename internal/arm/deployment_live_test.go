package arm_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
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

// TestDeploymentCutOff: the server's end ends a deployment and says so; nothing
// goes on after it.
func TestDeploymentCutOff(t *testing.T) {
	c := withGroup(t, func(cfg *arm.Config) { cfg.OperationTime = time.Hour })
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", twoTables, "{}"))
	c.runningSteps(deployments+"d", 2)
	c.server.Close()
	s := c.must("GET", a.header.Get("Azure-AsyncOperation"), "")
	if str(s.body, "status") != "Failed" || str(s.body, "error", "details", 0, "code") != "DeploymentInterrupted" {
		t.Errorf("%s", s.raw)
	}
	c.refused(503, "ServiceUnavailable", "PUT", deployments+"e"+ofTemplates, deploymentBody("Incremental", twoTables, "{}"))
	c.refused(404, "ResourceNotFound", "GET", deployments+"e"+ofTemplates, "")
}
