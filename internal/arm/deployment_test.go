package arm_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

const (
	deployments = group + "/providers/Microsoft.Resources/deployments/"
	ofTemplates = "?api-version=2024-03-01"
)

// template wraps resources, an array or an object, and outputs as a deployment's
// body.
func deploymentBody(mode, template, parameters string) string {
	return `{"properties": {"mode": "` + mode + `", "template": ` + template + `, "parameters": ` + parameters + `}}`
}

const hub = `{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
	"parameters": {"prefix": {"type": "string"}, "secret": {"type": "secureString", "defaultValue": "x"}},
	"resources": [
		{"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "hub", "location": "[resourceGroup().location]",
			"dependsOn": ["[resourceId('Microsoft.Network/networkSecurityGroups', 'nsg')]"],
			"properties": {"addressSpace": {"addressPrefixes": ["[parameters('prefix')]"]}, "copy": [{"name": "subnets", "count": 2, "input": {
				"name": "[concat('s', copyIndex('subnets'))]", "properties": {"addressPrefix": "[cidrSubnet(parameters('prefix'), 24, copyIndex('subnets'))]",
				"networkSecurityGroup": {"id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'nsg')]"}}}}]}},
		{"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "[resourceGroup().location]", "properties": {}}
	],
	"outputs": {"space": {"type": "array", "value": "[reference(resourceId('Microsoft.Network/virtualNetworks', 'hub')).addressSpace.addressPrefixes]"}}}`

const hubParameters = `{"prefix": {"value": "10.1.0.0/16"}}`

// withGroup makes a cloud with the resource group.
func withGroup(t *testing.T, change ...func(*arm.Config)) *cloud {
	t.Helper()
	c := newCloud(t, change...)
	c.must("PUT", group+version, `{"location": "westeurope"}`)
	return c
}

// settled polls a deployment's operation to its end.
func (c *cloud) settled(a answer) answer {
	c.t.Helper()
	for range 20000 {
		s := c.must("GET", a.header.Get("Azure-AsyncOperation"), "")
		switch str(s.body, "status") {
		case "Running", "Accepted":
		default:
			return s
		}
	}
	c.t.Fatal("the deployment does not end")
	return answer{}
}

// TestDeployment: a template is deployed in the order of its dependencies, and
// told as "Deployments - Create Or Update" does.
func TestDeployment(t *testing.T) {
	c := withGroup(t)
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", hub, hubParameters))
	if a.status != http.StatusCreated || str(a.body, "properties", "provisioningState") != "Accepted" {
		t.Fatalf("PUT: %d %s", a.status, a.raw)
	}
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	d := c.must("GET", deployments+"d"+ofTemplates, "").body
	p, _ := d["properties"].(map[string]any)
	for _, name := range []string{"template", "operations"} {
		if p[name] != nil {
			t.Errorf("the document shows %s", name)
		}
	}
	if got := str(p, "outputs", "space", "value", 0); got != "10.1.0.0/16" {
		t.Errorf("output %q", got)
	}
	if at(p, "parameters", "secret", "value") != nil || str(p, "parameters", "secret", "type") != "SecureString" {
		t.Errorf("the secret parameter is shown: %v", at(p, "parameters", "secret"))
	}
	if n := len(at(p, "outputResources").([]any)); n != 2 {
		t.Errorf("%d output resources", n)
	}
	if got := str(c.must("GET", network+"/virtualNetworks/hub"+version, "").body, "properties", "subnets", 1, "properties", "addressPrefix"); got != "10.1.1.0/24" {
		t.Errorf("second subnet %q", got)
	}
	steps, _ := c.must("GET", deployments+"d/operations"+ofTemplates, "").body["value"].([]any)
	if len(steps) != 3 || !strings.HasSuffix(str(steps[0], "properties", "targetResource", "id"), "/nsg") {
		t.Fatalf("operations: %v", steps)
	}
	if a := c.must("GET", str(steps[0], "id")+ofTemplates, ""); str(a.body, "properties", "provisioningState") != "Succeeded" {
		t.Errorf("operation: %s", a.raw)
	}
	if a := c.must("POST", deployments+"d/exportTemplate"+ofTemplates, ""); str(a.body, "template", "contentVersion") != "1.0.0.0" {
		t.Errorf("export: %s", a.raw)
	}
	if a := c.do("POST", deployments+"d/cancel"+ofTemplates, ""); a.status != http.StatusConflict {
		t.Errorf("cancel of a deployment that ended: %d %s", a.status, a.raw)
	}
	if l := c.must("GET", group+"/providers/Microsoft.Resources/deployments"+ofTemplates, "").body["value"].([]any); len(l) != 1 {
		t.Errorf("listing: %v", l)
	}
	if l := c.must("GET", group+"/resources"+ofTemplates, "").body["value"].([]any); len(l) != 2 {
		t.Errorf("a deployment is listed as a resource: %v", l)
	}
	a = c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", hub, hubParameters))
	if c.settled(a); a.status != http.StatusOK {
		t.Errorf("second PUT: %d", a.status)
	}
	c.must("DELETE", deployments+"d"+ofTemplates, "")
	if a := c.do("GET", deployments+"d"+ofTemplates, ""); a.status != http.StatusNotFound {
		t.Errorf("GET after DELETE: %d", a.status)
	}
}

// TestDeploymentRefused: a wrong template is refused whole, with its place.
func TestDeploymentRefused(t *testing.T) {
	c := withGroup(t)
	for _, x := range []struct{ name, body, code, says string }{
		{"no mode", `{"properties": {"template": {"resources": []}}}`, "InvalidDeployment", "mode"},
		{"no template", `{"properties": {"mode": "Incremental"}}`, "InvalidTemplate", "template"},
		{"no properties", `{}`, "InvalidRequestContent", "properties"},
		{"location", `{"location": "westeurope", "properties": {"mode": "Incremental", "template": {"resources": []}}}`, "InvalidDeployment", "location"},
		{"link", `{"properties": {"mode": "Incremental", "templateLink": {"uri": "https://example.com/t.json"}}}`, "TemplateLinkNotSupported", "template"},
		{"missing parameter", deploymentBody("Incremental", hub, "{}"), "InvalidTemplate", "prefix"},
		{"unknown parameter", deploymentBody("Incremental", hub, `{"prefix": {"value": "10.0.0.0/16"}, "other": {"value": 1}}`), "InvalidTemplate", "other"},
		{"wrong expression", deploymentBody("Incremental", `{"resources": [{"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "[nothing()]"}]}`, "{}"), "InvalidTemplate", "nothing"},
		{"unknown type", deploymentBody("Incremental", `{"resources": [{"type": "Microsoft.Nothing/things", "apiVersion": "2024-05-01", "name": "x"}]}`, "{}"), "InvalidTemplateDeployment", "validation"},
		{"circle", deploymentBody("Incremental", `{"resources": [
			{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "a", "dependsOn": ["b"]},
			{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "b", "dependsOn": ["a"]}]}`, "{}"), "InvalidTemplate", "circular"},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, method := range []string{"PUT", "POST"} {
				path := deployments + "wrong"
				if method == "POST" {
					path += "/validate"
				}
				a := c.do(method, path+ofTemplates, x.body)
				if a.status != http.StatusBadRequest || a.code() != x.code || !strings.Contains(a.message(), x.says) {
					t.Errorf("%s: %d %s", method, a.status, a.raw)
				}
			}
			if a := c.do("GET", deployments+"wrong"+ofTemplates, ""); a.status != http.StatusNotFound {
				t.Errorf("something is left: %s", a.raw)
			}
		})
	}
	a := c.do("PUT", deployments+"wrong"+ofTemplates, deploymentBody("Incremental", "{\n \"resources\": [],\n \"variables\": {\"x\": \"[nothing()]\"}}", "{}"))
	if line, _ := at(a.body, "error", "additionalInfo", 0, "info", "lineNumber").(float64); line != 3 {
		t.Errorf("place: %s", a.raw)
	}
}

// TestDeploymentFails: what cannot be written fails the deployment, with what
// depends on it; what could be written stays.
func TestDeploymentFails(t *testing.T) {
	c := withGroup(t)
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", `{"resources": [
		{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "good", "location": "westeurope"},
		{"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "bad", "location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["nonsense"]}}},
		{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "after", "location": "westeurope", "dependsOn": ["bad"]}]}`, "{}"))
	s := c.settled(a)
	if str(s.body, "status") != "Failed" || str(s.body, "error", "code") != "DeploymentFailed" || str(s.body, "error", "details", 0, "code") == "" {
		t.Fatalf("status: %s", s.raw)
	}
	if d := c.must("GET", deployments+"d"+ofTemplates, ""); str(d.body, "properties", "provisioningState") != "Failed" {
		t.Errorf("deployment: %s", d.raw)
	}
	c.must("GET", network+"/routeTables/good"+version, "")
	for _, gone := range []string{"/routeTables/after", "/virtualNetworks/bad"} {
		if a := c.do("GET", network+gone+version, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", gone, a.status)
		}
	}
}

// TestDeploymentNested: a module gets values of what is deployed and gives
// values back.
func TestDeploymentNested(t *testing.T) {
	c := withGroup(t)
	a := c.must("PUT", deployments+"outer"+ofTemplates, deploymentBody("Incremental", `{"languageVersion": "2.0", "resources": {
		"table": {"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "table", "location": "westeurope"},
		"module": {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "dependsOn": ["table"], "properties": {
			"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
			"parameters": {"table": {"value": "[reference('table', '2024-05-01', 'full').id]"}},
			"template": {"parameters": {"table": {"type": "string"}}, "resources": [
				{"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "v", "location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
					"subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24", "routeTable": {"id": "[parameters('table')]"}}}]}}],
				"outputs": {"id": {"type": "string", "value": "[resourceId('Microsoft.Network/virtualNetworks', 'v')]"}}}}}},
		"outputs": {"network": {"type": "string", "value": "[reference('module').outputs.id.value]"}}}`, "{}"))
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	p := c.must("GET", deployments+"outer"+ofTemplates, "").body["properties"]
	if got := str(p, "outputs", "network", "value"); got != network+"/virtualNetworks/v" {
		t.Errorf("output %q", got)
	}
	if n := len(at(p, "outputResources").([]any)); n != 2 {
		t.Errorf("%d output resources", n)
	}
	if got := str(c.must("GET", network+"/virtualNetworks/v"+version, "").body, "properties", "subnets", 0, "properties", "routeTable", "id"); !strings.HasSuffix(got, "/routeTables/table") {
		t.Errorf("route table %q", got)
	}
}

// TestDeploymentComplete: mode Complete deletes what the template lacks.
func TestDeploymentComplete(t *testing.T) {
	c := withGroup(t)
	c.must("PUT", network+"/routeTables/old"+version, `{"location": "westeurope"}`)
	c.must("PUT", network+"/virtualNetworks/uses"+version, `{"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
		"subnets": [{"name": "s", "properties": {"addressPrefix": "10.9.0.0/24", "routeTable": {"id": "`+network+`/routeTables/old"}}}]}}`)
	what := c.changes("Complete", hub, hubParameters)
	for name, want := range map[string]string{"hub": "Create", "nsg": "Create", "old": "Delete", "uses": "Delete"} {
		if what[name] != want {
			t.Errorf("what-if: %s of %s, want %s", what[name], name, want)
		}
	}
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Complete", hub, hubParameters))
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	if l := c.must("GET", group+"/resources"+ofTemplates, "").body["value"].([]any); len(l) != 2 {
		t.Errorf("left: %v", l)
	}
}

// whatIf asks what a deployment would do.
func (c *cloud) whatIf(mode, template, parameters string) answer {
	c.t.Helper()
	a := c.must("POST", deployments+"w/whatIf"+ofTemplates, deploymentBody(mode, template, parameters))
	if a.status != http.StatusAccepted {
		c.t.Fatalf("what-if: %d %s", a.status, a.raw)
	}
	return c.must("GET", a.header.Get("Location"), "")
}

// changes are the types of changes by name of resource.
func (c *cloud) changes(mode, template, parameters string) map[string]string {
	c.t.Helper()
	out := map[string]string{}
	a := c.whatIf(mode, template, parameters)
	list, _ := at(a.body, "properties", "changes").([]any)
	for _, e := range list {
		id := str(e, "resourceId")
		out[id[strings.LastIndexByte(id, '/')+1:]] = str(e, "changeType")
	}
	return out
}

// TestWhatIf: the types of changes and the deltas of "Deployments - What If"; the
// cloud stays as it is.
func TestWhatIf(t *testing.T) {
	c := withGroup(t)
	c.must("PUT", network+"/routeTables/other"+version, `{"location": "westeurope"}`)
	if got := c.changes("Incremental", hub, hubParameters); got["hub"] != "Create" || got["nsg"] != "Create" || got["other"] != "Ignore" || len(got) != 3 {
		t.Errorf("before: %v", got)
	}
	if a := c.do("GET", network+"/virtualNetworks/hub"+version, ""); a.status != http.StatusNotFound {
		t.Fatal("what-if deployed")
	}
	c.settled(c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", hub, hubParameters)))
	if got := c.changes("Incremental", hub, hubParameters); got["hub"] != "NoChange" || got["nsg"] != "NoChange" {
		t.Errorf("after: %v", got)
	}
	a := c.whatIf("Incremental", strings.Replace(hub, `"count": 2`, `"count": 3`, 1), hubParameters)
	list, _ := at(a.body, "properties", "changes").([]any)
	for _, e := range list {
		if !strings.HasSuffix(str(e, "resourceId"), "/hub") {
			continue
		}
		if str(e, "changeType") != "Modify" || str(e, "delta", 0, "path") != "properties.subnets" || str(e, "delta", 0, "propertyChangeType") != "Array" ||
			str(e, "delta", 0, "children", 0, "propertyChangeType") != "Create" {
			t.Errorf("delta: %v", at(e, "delta"))
		}
	}
	if v := c.must("POST", deployments+"v/validate"+ofTemplates, deploymentBody("Incremental", hub, hubParameters)); len(at(v.body, "properties", "validatedResources").([]any)) != 2 {
		t.Errorf("validate: %s", v.raw)
	}
}

// TestDeploymentToSubscription: resource groups, and modules in them.
func TestDeploymentToSubscription(t *testing.T) {
	c := newCloud(t)
	path := subscription + "/providers/Microsoft.Resources/deployments/s"
	a := c.must("PUT", path+ofTemplates, `{"location": "westeurope", "properties": {"mode": "Incremental", "template": {"resources": [
		{"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-03-01", "name": "made", "location": "[deployment().location]"},
		{"type": "Microsoft.Resources/deployments", "apiVersion": "2024-03-01", "name": "in", "resourceGroup": "made", "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'made')]"],
			"properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": {"resources": [
				{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "name": "t", "location": "[resourceGroup().location]"}]}}}]}}}`)
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	c.must("GET", subscription+"/resourceGroups/made/providers/Microsoft.Network/routeTables/t"+version, "")
}

// TestDeploymentInterrupted: a deployment that ran when the server stopped, and
// whose request is not known, has failed when it is there again.
func TestDeploymentInterrupted(t *testing.T) {
	c := withRunning(t, "")
	a := c.must("GET", deployments+"d"+ofTemplates, "")
	if str(a.body, "properties", "provisioningState") != "Failed" || str(a.body, "properties", "error", "code") != "DeploymentFailed" {
		t.Errorf("after the start: %s", a.raw)
	}
	c.settled(c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", hub, hubParameters)))
}

// withRunning makes a cloud from a store that has a deployment that runs, with
// further properties.
func withRunning(t *testing.T, properties string) *cloud {
	t.Helper()
	store, err := arm.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	for path, doc := range map[string]string{
		group:             `{"location": "westeurope", "properties": {}}`,
		deployments + "d": `{"properties": {"provisioningState": "Running", "mode": "Incremental"` + properties + `}}`,
	} {
		id := model.MustParseID(path)
		var d map[string]any
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			t.Fatal(err)
		}
		d["id"], d["name"], d["type"] = path, id.Name(), id.Type()
		if _, err := state.Put(store, state.Actor{}, &model.Resource{ID: id, Doc: d}, 0); err != nil {
			t.Fatal(err)
		}
	}
	return newCloud(t, func(cfg *arm.Config) { cfg.Store = store })
}

// TestDeploymentOfBicep deploys the example, which has the shape of what the
// Bicep compiler writes: symbolic names, loops in batches, a module for each
// spoke, lambdas.
func TestDeploymentOfBicep(t *testing.T) {
	c := withGroup(t)
	template, err := os.ReadFile("../../examples/template/main.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../../examples/template/main.parameters.json")
	if err != nil {
		t.Fatal(err)
	}
	var parameters struct{ Parameters json.RawMessage }
	if err := json.Unmarshal(file, &parameters); err != nil {
		t.Fatal(err)
	}
	body := deploymentBody("Incremental", string(template), string(parameters.Parameters))
	c.must("POST", deployments+"hub/validate"+ofTemplates, body)
	s := c.settled(c.must("PUT", deployments+"hub"+ofTemplates, body))
	if str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	p := c.must("GET", deployments+"hub"+ofTemplates, "").body["properties"]
	if got := str(p, "outputs", "hubSpace", "value"); got != "10.40.0.0/20" {
		t.Errorf("hubSpace %q", got)
	}
	if got := str(p, "outputs", "spokeIds", "value", 1); got != network+"/virtualNetworks/spoke-blue" {
		t.Errorf("spokeIds: %v", at(p, "outputs", "spokeIds"))
	}
	peering := c.must("GET", network+"/virtualNetworks/hub/virtualNetworkPeerings/to-spoke-red"+version, "").body
	if str(peering, "properties", "peeringState") != "Connected" {
		t.Errorf("peering: %v", peering)
	}
	for name, change := range c.changes("Incremental", string(template), string(parameters.Parameters)) {
		if change != "NoChange" && name != "hub" { // the deployment's name is in the tags: it is "w" there
			if a := at(c.must("GET", network+"/virtualNetworks/hub"+version, "").body, "tags", "madeBy"); a != "hub" || change != "Modify" {
				t.Errorf("again: %s of %s", change, name)
			}
		}
	}
	if a := c.must("PUT", deployments+"hub"+ofTemplates, body); a.status != http.StatusOK {
		t.Errorf("again: %d", a.status)
	}
}

// TestDeploymentOfCLI: the Azure CLI sends the template's file as it is, comments
// included, behind a name without quotes, and asks for operations on the short
// path.
func TestDeploymentOfCLI(t *testing.T) {
	c := withGroup(t)
	a := c.must("PUT", deployments+"d"+ofTemplates, `{"properties": {template: {// of mine
		"contentVersion": /* a
		b */ "1.0.0.0", "resources": [], "outputs": {"o": {"type": "string", "value": "[concat('a',
		'b')]"}, "n": {"type": "object", "value": {"x": 1e2}}}}, "mode": "Incremental"}}`)
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("status: %s", s.raw)
	}
	if got := str(c.must("GET", deployments+"d"+ofTemplates, "").body, "properties", "outputs", "o", "value"); got != "ab" {
		t.Errorf("output %q", got)
	}
	c.must("GET", strings.Replace(group, "resourceGroups", "resourcegroups", 1)+"/deployments/d/operations"+ofTemplates, "")
}

// TestDeploymentLocked: a template may lock its group; after that nothing is
// deployed to it.
func TestDeploymentLocked(t *testing.T) {
	c := withGroup(t)
	a := c.must("PUT", deployments+"d"+ofTemplates, deploymentBody("Incremental", `{"resources": [
		{"type": "Microsoft.Authorization/locks", "apiVersion": "2020-05-01", "name": "keep", "properties": {"level": "ReadOnly"}}]}`, "{}"))
	if s := c.settled(a); str(s.body, "status") != "Succeeded" {
		t.Fatalf("lock: %s", s.raw)
	}
	if a := c.do("PUT", deployments+"e"+ofTemplates, deploymentBody("Incremental", hub, hubParameters)); a.status != http.StatusConflict {
		t.Errorf("a locked group: %d %s", a.status, a.raw)
	}
}
