package arm_test

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// TestCommit: a commit puts a copy of the configurations in force, per type and
// region; later edits wait for the next one; an empty one removes.
func TestCommit(t *testing.T) {
	c := newCloud(t).withGroup()
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	spokes := nm + "/networkGroups/spokes"
	a := c.must("PUT", spokes, `{"properties":{"description":"all"}}`)
	if a.status != 201 || str(a.body, "properties", "memberType") != "VirtualNetwork" || str(a.body, "systemData", "lastModifiedAt") == "" || a.header.Get("Azure-AsyncOperation") != "" {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
	config := nm + "/securityAdminConfigurations/sec"
	collection := config + "/ruleCollections/rc"
	deny := collection + "/rules/deny"
	rule := func(priority string) string {
		return `{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":` + priority + `,"protocol":"Tcp",
			"sources":[{"addressPrefix":"Internet","addressPrefixType":"ServiceTag"}],"destinations":[{"addressPrefix":"*","addressPrefixType":"IPPrefix"}],"destinationPortRanges":["22","5985-5986"]}}`
	}
	c.refused(404, "ParentResourceNotFound", "PUT", collection, `{"properties":{"appliesToGroups":[]}}`)
	c.must("PUT", config, `{"properties":{}}`)
	c.refused(400, "InvalidResourceReference", "PUT", collection, `{"properties":{"appliesToGroups":[{"networkGroupId":"`+spokes+`x"}]}}`)
	c.must("PUT", collection, `{"properties":{"appliesToGroups":[{"networkGroupId":"`+spokes+`"}]}}`)
	c.must("PUT", deny, rule("10"))
	c.refuseAll(t, []put{
		{"priority", deny, rule("4097"), "InvalidRequestFormat"},
		{"access", deny, strings.Replace(rule("10"), "Deny", "Never", 1), "InvalidRequestFormat"},
		{"group", deny, strings.Replace(rule("10"), `"Internet","addressPrefixType":"ServiceTag"`, `"`+spokes+`x","addressPrefixType":"NetworkGroup"`, 1), "InvalidResourceReference"},
		{"ports", deny, strings.Replace(rule("10"), "5985-5986", "5986-5985", 1), "InvalidRequestFormat"},
		{"scope", network + "/networkManagers/other", `{"location":"westeurope","properties":{}}`, "InvalidRequestFormat"},
		{"hubs", nm + "/connectivityConfigurations/c", `{"properties":{"connectivityTopology":"HubAndSpoke","appliesToGroups":[{"networkGroupId":"` + spokes + `"}]}}`, "InvalidRequestFormat"},
		{"member", spokes + "/staticMembers/m", `{"properties":{"resourceId":"` + network + `/virtualNetworks/x"}}`, "InvalidResourceReference"},
	})

	commit := func(ids, regions string) string {
		return `{"commitType":"SecurityAdmin","targetLocations":[` + regions + `],"configurationIds":[` + ids + `]}`
	}
	a = c.must("POST", nm+"/commit", commit(`"`+config+`"`, `"West Europe","eastus"`))
	if a.status != 202 || a.header.Get("Location") == "" || a.header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	inForce := func(region string) *wire.Commit {
		t.Helper()
		id := model.MustParseID(nm + "/commits/SecurityAdmin." + region)
		for _, r := range c.server.Snapshot() {
			if r.ID.Equal(id) {
				var commit wire.Commit
				if err := r.Decode(&commit); err != nil {
					t.Fatal(err)
				}
				return &commit
			}
		}
		return nil
	}
	w := inForce("westeurope")
	if w == nil || len(w.Properties.Configurations) != 3 || w.Properties.ConfigurationIDs[0] != config || w.Properties.CommitTime == "" {
		t.Fatalf("commit %+v", w)
	}
	// An edit does not change what is in force.
	c.must("PUT", deny, rule("20"))
	priority := func() any { return at(inForce("westeurope").Properties.Configurations[2], "properties", "priority") }
	if got := priority(); got != 10.0 {
		t.Errorf("priority in force %v, want 10", got)
	}
	c.must("POST", nm+"/commit", commit(`"`+config+`"`, `"westeurope"`))
	if got := priority(); got != 20.0 {
		t.Errorf("priority in force %v, want 20", got)
	}
	status := func(filter string) int {
		return len(at(c.must("POST", nm+"/listDeploymentStatus", filter).body, "value").([]any))
	}
	if n := status(`{}`); n != 2 {
		t.Errorf("%d deployments", n)
	}
	if n := status(`{"regions":["West Europe"],"deploymentTypes":["SecurityAdmin"]}`); n != 1 {
		t.Errorf("%d deployments in one region", n)
	}
	if n := status(`{"deploymentTypes":["Routing"]}`); n != 0 {
		t.Errorf("%d routing deployments", n)
	}
	first := at(c.must("POST", nm+"/listDeploymentStatus", `{"regions":["eastus"]}`).body, "value", 0)
	if str(first, "deploymentStatus") != "Deployed" || str(first, "region") != "eastus" || str(first, "configurationIds", 0) != config {
		t.Errorf("%v", first)
	}
	for name, body := range map[string]string{
		"type":      `{"commitType":"x","targetLocations":["eastus"],"configurationIds":[]}`,
		"noRegion":  `{"commitType":"Routing","targetLocations":[],"configurationIds":[]}`,
		"wrongType": `{"commitType":"Routing","targetLocations":["eastus"],"configurationIds":["` + config + `"]}`,
		"missing":   commit(`"`+config+`x"`, `"eastus"`),
		"two":       commit(`"`+config+`","`+config+`"`, `"eastus"`),
		"region":    commit(`"`+config+`"`, `"east/us"`),
	} {
		if a := c.do("POST", nm+"/commit", body); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	// In force, a configuration cannot be deleted unless by force.
	c.refused(400, "ConfigurationDeployedCannotBeDeleted", "DELETE", config, "")
	c.refused(400, "NetworkGroupInUse", "DELETE", spokes, "")
	c.must("POST", nm+"/commit", commit(``, `"westeurope"`))
	if inForce("westeurope") != nil || inForce("eastus") == nil {
		t.Error("an empty commit removes what is in force in its regions, and there only")
	}
	c.must("DELETE", config+version+"&force=true", "")
	if inForce("eastus") != nil {
		t.Error("still in force after the configuration was deleted by force")
	}
	c.must("DELETE", spokes, "")
	c.refused(404, "InvalidResourceAction", "POST", nm+"/explode", "{}")
	c.must("DELETE", nm, "")
}

// TestPolicies: definitions stand at the subscription, assignments at any scope.
func TestPolicies(t *testing.T) {
	c := newCloud(t).withGroup()
	policies := subscription + "/providers/Microsoft.Authorization/"
	definition := `{"properties":{"mode":"Microsoft.Network.Data","policyRule":{"if":{"field":"tags['env']","equals":"prod"},"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"` + network + `/networkManagers/nm/networkGroups/prod"}}}}}`
	assignment := `{"properties":{"policyDefinitionId":"` + policies + `policyDefinitions/prod"}}`
	c.refused(400, "InvalidResourceReference", "PUT", policies+"policyAssignments/a", assignment)
	c.refused(400, "InvalidPolicyRule", "PUT", policies+"policyDefinitions/prod", `{"properties":{}}`)
	c.must("PUT", policies+"policyDefinitions/prod", definition)
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	for _, scope := range []string{subscription, group, network + "/virtualNetworks/v"} {
		at := scope + "/providers/Microsoft.Authorization/policyAssignments/a"
		if got := str(c.must("PUT", at, assignment).body, "properties", "enforcementMode"); got != "Default" {
			t.Errorf("%s: enforcementMode %q", at, got)
		}
	}
	c.refused(400, "InvalidResourceScope", "PUT", group+"/providers/Microsoft.Authorization/policyDefinitions/x", definition)
	c.refused(404, "ParentResourceNotFound", "PUT", network+"/virtualNetworks/none/providers/Microsoft.Authorization/policyAssignments/a", assignment)
	c.refused(400, "PolicyDefinitionInUse", "DELETE", policies+"policyDefinitions/prod", "")
	if n := len(at(c.get(policies+"policyAssignments"), "value").([]any)); n != 3 {
		t.Errorf("%d assignments", n)
	}
	c.must("DELETE", group, "")
	c.must("DELETE", policies+"policyAssignments/a", "")
	if a := c.must("DELETE", policies+"policyDefinitions/prod", ""); a.status != 200 {
		t.Errorf("DELETE %d", a.status)
	}
}
