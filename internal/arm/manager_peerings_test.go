package arm_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestKeptPeerings: committing a hub-and-spoke configuration makes peerings
// that the networks list ("Connectivity configuration in Azure Virtual Network
// Manager"): they come and go with the commit and the members, and belong to
// the manager.
func TestKeptPeerings(t *testing.T) {
	c := newCloud(t).withGroup()
	nm, spokes := network+"/networkManagers/nm", network+"/networkManagers/nm/networkGroups/spokes"
	vnet := func(name string) string { return network + "/virtualNetworks/" + name }
	for i, name := range []string{"hub", "red", "blue", "other"} {
		c.must("PUT", vnet(name), fmt.Sprintf(`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.%d.0.0/16"]}}}`, i))
	}
	c.must("PUT", nm, managerBody)
	c.must("PUT", spokes, `{"properties":{}}`)
	c.must("PUT", spokes+"/staticMembers/red", `{"properties":{"resourceId":"`+vnet("red")+`"}}`)
	config := nm + "/connectivityConfigurations/star"
	star := func(replace string) string {
		return `{"properties":{"connectivityTopology":"HubAndSpoke","hubs":[{"resourceId":"` + vnet("hub") + `","resourceType":"Microsoft.Network/virtualNetworks"}],
			"deleteExistingPeering":"` + replace + `","appliesToGroups":[{"networkGroupId":"` + spokes + `","groupConnectivity":"None","useHubGateway":"False","isGlobal":"False"}]}}`
	}
	commit := func(ids string) {
		t.Helper()
		c.must("POST", nm+"/commit", `{"commitType":"Connectivity","targetLocations":["westeurope"],"configurationIds":[`+ids+`]}`)
	}
	// peerings lists a network's peerings as "remote state", by both ways.
	peerings := func(name string) string {
		t.Helper()
		var out [2][]string
		for i, list := range []any{
			at(c.get(vnet(name)+"/virtualNetworkPeerings"+version), "value"),
			at(c.get(vnet(name)+version), "properties", "virtualNetworkPeerings"),
		} {
			for _, p := range list.([]any) {
				remote := str(p.(map[string]any), "properties", "remoteVirtualNetwork", "id")
				out[i] = append(out[i], remote[strings.LastIndex(remote, "/")+1:]+" "+str(p.(map[string]any), "properties", "peeringState"))
			}
		}
		slices.Sort(out[0])
		slices.Sort(out[1])
		if a, b := strings.Join(out[0], ", "), strings.Join(out[1], ", "); a != b {
			t.Errorf("%s lists %s and holds %s", name, a, b)
		}
		return strings.Join(out[0], ", ")
	}
	expect := func(when string, want map[string]string) {
		t.Helper()
		for name, w := range want {
			if got := peerings(name); got != w {
				t.Errorf("%s: %s is peered with %q, want %q", when, name, got, w)
			}
		}
	}

	c.refused(400, "InvalidResourceReference", "PUT", config, strings.ReplaceAll(star("False"), "/hub\"", "/nohub\""))
	c.must("PUT", config, star("False"))
	expect("before the commit", map[string]string{"hub": "", "red": ""})
	commit(`"` + config + `"`)
	expect("after the commit", map[string]string{"hub": "red Connected", "red": "hub Connected", "blue": ""})
	c.must("PUT", spokes+"/staticMembers/blue", `{"properties":{"resourceId":"`+vnet("blue")+`"}}`)
	expect("with another member", map[string]string{"blue": "hub Connected"})

	// Networks that overlap cannot be peered.
	c.must("PUT", vnet("over"), `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.128.0/17"]}}}`)
	c.must("PUT", spokes+"/staticMembers/over", `{"properties":{"resourceId":"`+vnet("over")+`"}}`)
	expect("with an overlapping member", map[string]string{"over": "", "hub": "blue Connected, red Connected"})
	status := func() any { return at(c.must("POST", nm+"/listDeploymentStatus", "{}").body, "value", 0) }
	if s := status(); str(s, "deploymentStatus") != "Failed" || !strings.Contains(str(s, "errorMessage"), "overlap (10.0.0.0/16 and 10.0.128.0/17)") || strings.Count(str(s, "errorMessage"), "overlap") != 1 {
		t.Errorf("the commit's state is %v", s)
	}
	c.must("DELETE", spokes+"/staticMembers/over", "")
	if s := status(); str(s, "deploymentStatus") != "Deployed" || str(s, "errorMessage") != "" {
		t.Errorf("the commit's state is %v", s)
	}

	made := at(c.get(vnet("red")+version), "properties", "virtualNetworkPeerings").([]any)[0].(map[string]any)
	id := str(made, "id")
	if got := c.get(id + version); str(got, "properties", "peeringSyncLevel") != "FullyInSync" || at(got, "properties", "allowForwardedTraffic") != true ||
		str(got, "properties", "remoteAddressSpace", "addressPrefixes", "0") != "10.0.0.0/16" && at(got, "properties", "remoteAddressSpace") == nil {
		t.Errorf("the peering is %v", got)
	}
	c.refused(409, "PeeringManagedByNetworkManager", "DELETE", id, "")
	c.refused(409, "PeeringManagedByNetworkManager", "PUT", id, `{"properties":{"remoteVirtualNetwork":{"id":"`+vnet("hub")+`"}}}`)

	// A client that writes back what it read changes nothing.
	doc := c.get(vnet("red") + version)
	back, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	c.must("PUT", vnet("red"), string(back))
	expect("after a network was written back", map[string]string{"red": "hub Connected", "hub": "blue Connected, red Connected"})

	// A peering that was there is adopted, unless the configuration replaces it.
	c.must("PUT", vnet("hub")+"/virtualNetworkPeerings/mine", `{"properties":{"remoteVirtualNetwork":{"id":"`+vnet("other")+`"}}}`)
	c.must("PUT", vnet("other")+"/virtualNetworkPeerings/mine", `{"properties":{"remoteVirtualNetwork":{"id":"`+vnet("hub")+`"}}}`)
	if got := peerings("hub"); !strings.Contains(got, "other Connected") {
		t.Errorf("the hub's own peering is not there: %s", got)
	}
	c.must("PUT", config, star("True"))
	commit(`"` + config + `"`)
	if got := peerings("hub"); strings.Contains(got, "other") {
		t.Errorf("the configuration deletes other peerings: %s", got)
	}
	commit("")
	expect("after an empty commit", map[string]string{"red": "", "blue": ""})
	if got := c.do("GET", id+version, ""); got.status != 404 {
		t.Errorf("a peering of the manager outlives its commit: %d", got.status)
	}
}
