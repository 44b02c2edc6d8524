package arm_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const exportTemplate = group + "/exportTemplate"

// exported is what an export of the test's group ends with.
func (c *cloud) exported(resources, options string) map[string]any {
	c.t.Helper()
	a := c.must("POST", exportTemplate, `{"resources":`+resources+`,"options":"`+options+`"}`)
	if a.status == 202 {
		a = c.must("GET", strings.TrimPrefix(a.header.Get("Location"), c.base), "")
	}
	t, _ := a.body["template"].(map[string]any)
	if t == nil {
		c.t.Fatalf("no template: %d %s", a.status, a.raw)
	}
	return t
}

// TestGroupExportRecorded: the templates of an empty group and of a network are
// those that Azure gave (Azure/azure-cli recordings test_resource_group and
// test_resource_group_export_skip_all_params).
func TestGroupExportRecorded(t *testing.T) {
	c := newCloud(t).withGroup()
	if a := c.must("POST", exportTemplate, `{"resources":["*"]}`); a.status != 200 || len(at(a.body, "template", "resources").([]any)) != 0 || len(at(a.body, "template", "parameters").(map[string]any)) != 0 {
		t.Errorf("of an empty group: %d %s", a.status, a.raw)
	}
	c.must("PUT", network+"/virtualNetworks/vnet1", `{"location":"westus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"enableDdosProtection":false}}`)
	for _, options := range []string{"SkipAllParameterization", "SkipResourceNameParameterization"} {
		got := c.exported(`["`+network+`/virtualNetworks/vnet1"]`, options)
		if len(got["parameters"].(map[string]any)) != 0 {
			t.Errorf("%s has parameters: %v", options, got)
		}
		r := at(got, "resources", 0)
		p := at(r, "properties").(map[string]any)
		if str(r, "name") != "vnet1" || str(r, "location") != "westus" || str(r, "type") != "Microsoft.Network/virtualNetworks" || p["provisioningState"] != nil || p["resourceGuid"] != nil || at(r, "etag") != nil || at(r, "id") != nil {
			t.Errorf("%s: %v", options, r)
		}
	}
	named := c.exported(`["*"]`, "IncludeParameterDefaultValue, IncludeComments")
	if str(named, "parameters", "virtualNetworks_vnet1_name", "defaultValue") != "vnet1" {
		t.Errorf("with parameters: %v", named)
	}
	if r := at(named, "resources", 0); str(r, "name") != "[parameters('virtualNetworks_vnet1_name')]" || !strings.Contains(str(r, "comments"), "/vnet1'") {
		t.Errorf("with parameters: %v", r)
	}
}

// serverMade is what differs between a resource and one made again: dynamic
// addresses too, as nothing says which resource is made first.
var serverMade = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|\d{4}-\d\d-\d\dT[0-9:.]+Z|"20\.[0-9.]+(/\d+)?"|"10\.0\.0\.\d+"`)

// TestGroupExportDeploys: the template of a group with a resource of every type
// makes the same resources in another cloud.
func TestGroupExportDeploys(t *testing.T) {
	c := newCloud(t).withGroup()
	expand := strings.NewReplacer("@", network, "~", group).Replace
	var paths []string
	for _, tc := range typeCases {
		if strings.Contains(tc.path, "Microsoft.Authorization") {
			continue // extensions of the group are not in its template
		}
		c.must("PUT", expand(tc.path), expand(tc.body))
		paths = append(paths, expand(tc.path))
	}
	for _, pair := range [][2]string{{"one", "two"}, {"two", "one"}} {
		space := map[string]string{"one": "10.8.0.0/16", "two": "10.9.0.0/16"}
		if pair[0] == "one" {
			for name, prefix := range space {
				c.must("PUT", network+"/virtualNetworks/"+name, `{"location":"westeurope","tags":{"note":"[not an expression]"},"properties":{"addressSpace":{"addressPrefixes":["`+prefix+`"]}}}`)
				paths = append(paths, network+"/virtualNetworks/"+name)
			}
		}
		c.must("PUT", network+"/virtualNetworks/"+pair[0]+"/virtualNetworkPeerings/to-"+pair[1], `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`/virtualNetworks/`+pair[1]+`"},"allowVirtualNetworkAccess":true}}`)
	}
	for _, options := range []string{"IncludeParameterDefaultValue", "SkipAllParameterization"} {
		template, err := json.Marshal(c.exported(`["*"]`, options))
		if err != nil {
			t.Fatal(err)
		}
		other := newCloud(t).withGroup()
		a := other.must("PUT", deployments+"again"+ofTemplates, deploymentBody("Incremental", string(template), "{}"))
		other.settled(a)
		if d := other.get(deployments + "again"); str(d, "properties", "provisioningState") != "Succeeded" {
			t.Fatalf("%s: %v\n%s", options, at(d, "properties", "error"), template)
		}
		for _, path := range paths {
			want, got := c.do("GET", path, ""), other.do("GET", path, "")
			if got.status != 200 {
				t.Errorf("%s: %s: %d", options, path, got.status)
				continue
			}
			var w, g any
			_ = json.Unmarshal(serverMade.ReplaceAll([]byte(want.raw), nil), &w)
			_ = json.Unmarshal(serverMade.ReplaceAll([]byte(got.raw), nil), &g)
			if !reflect.DeepEqual(w, g) {
				t.Errorf("%s: %s was\n%s\nis\n%s", options, path, want.raw, got.raw)
			}
		}
	}
}

// TestGroupExportElsewhere: what a template refers to outside of it is a
// parameter, and of resources that are asked for by ID only those are in it.
func TestGroupExportElsewhere(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}]}}`)
	got := c.exported(`["`+network+`/networkInterfaces/n"]`, "IncludeParameterDefaultValue")
	if n := len(at(got, "resources").([]any)); n != 1 {
		t.Errorf("%d resources", n)
	}
	subnet := at(got, "resources", 0, "properties", "ipConfigurations", 0, "properties", "subnet", "id")
	if subnet != "[concat(parameters('virtualNetworks_v_externalid'), '/subnets/s')]" || str(got, "parameters", "virtualNetworks_v_externalid", "defaultValue") != network+"/virtualNetworks/v" {
		t.Errorf("the subnet is %v of %v", subnet, got["parameters"])
	}
	for _, bad := range []struct {
		status     int
		code, body string
	}{
		{400, "InvalidRequestContent", `{}`},
		{400, "InvalidRequestContent", `{"resources":[]}`},
		{400, "InvalidRequestContent", `{"resources":"*"}`},
		{400, "InvalidRequestContent", `{"resources":[null]}`},
		{400, "InvalidRequestContent", `{"resources":["` + subscription + `"]}`},
		{400, "InvalidRequestContent", `{"resources":["*"],"options":"Everything"}`},
		{400, "InvalidRequestContent", `{"resources":["*"],"options":1}`},
		{400, "InvalidRequestContent", `{"resources":["*"],"outputFormat":"Bicep"}`},
		{400, "InvalidRequestContent", `{"resources":["*"],"resource":[]}`},
		{404, "ResourceNotFound", `{"resources":["` + network + `/virtualNetworks/w"]}`},
	} {
		c.refused(bad.status, bad.code, "POST", exportTemplate, bad.body)
	}
	c.refused(405, "MethodNotAllowed", "GET", exportTemplate, "")
	c.refused(404, "ResourceGroupNotFound", "POST", subscription+"/resourceGroups/none/exportTemplate", `{"resources":["*"]}`)
}
