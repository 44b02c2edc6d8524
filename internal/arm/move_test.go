package arm_test

import (
	"strings"
	"testing"
)

// TestMove: resources move to another group with what is below them, what refers
// to them follows, and what cannot move keeps all where it is ("Resources - Move
// Resources").
func TestMove(t *testing.T) {
	c := newCloud(t).withGroup()
	other := subscription + "/resourceGroups/Other"
	there := other + "/providers/Microsoft.Network"
	c.must("PUT", other, `{"location":"northeurope"}`)
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/networkSecurityGroups/g", `{"location":"westeurope"}`)
	c.must("PUT", network+"/virtualNetworks/v/subnets/app", `{"properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+network+`/networkSecurityGroups/g"}}}`)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	c.must("PUT", network+"/virtualNetworks/v/providers/Microsoft.Authorization/roleAssignments/0b1f6471-1bf0-4dda-aec3-111122223333", `{"properties":{
		"roleDefinitionId":"`+subscription+`/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7","principalId":"0b1f6471-1bf0-4dda-aec3-111122224444"}}`)
	c.must("PUT", network+"/natGateways/fixed", `{"location":"westeurope","sku":{"name":"Standard"}}`)
	c.must("PUT", there+"/routeTables/t", `{"location":"westeurope"}`)
	c.must("PUT", network+"/routeTables/t", `{"location":"westeurope"}`)
	body := func(to string, ids ...string) string {
		return `{"targetResourceGroup":"` + to + `","resources":["` + strings.Join(ids, `","`) + `"]}`
	}
	v, g := network+"/virtualNetworks/v", network+"/networkSecurityGroups/g"
	before := dump(c.store)
	for _, tt := range []struct {
		name, body, code string
		status           int
	}{
		{"no target", body("x", v), "MissingTargetResourceGroup", 400},
		{"target is not there", body(subscription+"/resourceGroups/none", v), "ResourceGroupNotFound", 404},
		{"the same group", body(group, v), "MissingTargetResourceGroup", 400},
		{"another subscription", body("/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/x", v), "MoveNotSupported", 400},
		{"nothing", `{"targetResourceGroup":"` + other + `","resources":[]}`, "MissingMoveResources", 400},
		{"a child", body(other, v+"/subnets/app"), "InvalidRequestContent", 400},
		{"of another group", body(other, there+"/routeTables/t"), "InvalidRequestContent", 400},
		{"not there", body(other, v, network+"/virtualNetworks/none"), "ResourceNotFound", 404},
		{"fixed", body(other, v, network+"/natGateways/fixed"), "ResourceMoveProviderValidationFailed", 409},
		{"taken", body(other, v, network+"/routeTables/t"), "ResourceMoveProviderValidationFailed", 409},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"/validateMoveResources", "/moveResources"} {
				c.refused(tt.status, tt.code, "POST", group+verb, tt.body)
			}
		})
	}
	a := c.must("POST", group+"/validateMoveResources", body(other, v, g))
	if a.status != 202 || c.must("GET", a.header.Get("Location"), "").status != 204 {
		t.Errorf("validation: %d %v", a.status, a.header)
	}
	if len(before) != len(dump(c.store)) || c.do("GET", v, "").status != 200 {
		t.Error("the validation changed something")
	}
	c.must("PUT", other+"/providers/Microsoft.Authorization/locks/l", `{"properties":{"level":"ReadOnly"}}`)
	c.refused(409, "ScopeLocked", "POST", group+"/moveResources", body(other, v, g))
	c.must("DELETE", other+"/providers/Microsoft.Authorization/locks/l", "")

	a = c.must("POST", group+"/moveResources", body(strings.ToUpper(other), strings.ToLower(v), g))
	if a.status != 202 || c.must("GET", a.header.Get("Location"), "").status != 204 {
		t.Errorf("move: %d %v", a.status, a.header)
	}
	c.refused(404, "ResourceNotFound", "GET", v, "")
	moved := c.get(there + "/virtualNetworks/v")
	for want, got := range map[string]string{
		there + "/virtualNetworks/v":             str(moved, "id"),
		there + "/virtualNetworks/v/subnets/app": str(moved, "properties", "subnets", 0, "id"),
		there + "/networkSecurityGroups/g":       str(moved, "properties", "subnets", 0, "properties", "networkSecurityGroup", "id"),
		there + "/virtualNetworks/v/subnets/App": strings.Replace(str(c.get(network+"/networkInterfaces/n"), "properties", "ipConfigurations", 0, "properties", "subnet", "id"), "/app", "/App", 1),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, line := range dump(c.store) {
		if strings.Contains(strings.ToLower(line), strings.ToLower(v)) || strings.Contains(strings.ToLower(line), strings.ToLower(g)) {
			t.Errorf("still refers to where it was: %s", line)
		}
		if strings.Contains(line, "0b1f6471") {
			t.Errorf("the role assignment moved: %s", line)
		}
	}
	// What refers to it is known where it is now.
	c.refused(400, "InUseSubnetCannotBeDeleted", "DELETE", there+"/virtualNetworks/v/subnets/app", "")
	c.must("PUT", network+"/networkInterfaces/m", nicBody(there+"/virtualNetworks/v/subnets/app", ""))
	if got := str(c.get(network+"/networkInterfaces/m"), "properties", "ipConfigurations", 0, "properties", "privateIPAddress"); got != "10.0.1.5" {
		t.Errorf("the next address is %s", got)
	}
}

// TestCheckResourceName: reserved words, whole, at the start and within
// ("Resolve errors for reserved resource names").
func TestCheckResourceName(t *testing.T) {
	c := newCloud(t)
	for name, allowed := range map[string]bool{
		"hub": true, "azure": false, "azurehub": true, "Office": false, "mywindows1": false, "xbox": false, "xbox1": false, "anxbox": true, "login-vnet": false, "alogin": true,
	} {
		a := c.do("POST", "/providers/Microsoft.Resources/checkResourceName", `{"name":"`+name+`","type":"Microsoft.Network/virtualNetworks"}`)
		if allowed && (a.status != 200 || str(a.body, "status") != "Allowed") || !allowed && (a.status != 400 || a.code() != "ReservedResourceName") {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	c.refused(400, "InvalidRequestContent", "POST", "/providers/Microsoft.Resources/checkResourceName", `{"name":"x"}`)
	c.refused(405, "MethodNotAllowed", "GET", "/providers/Microsoft.Resources/checkResourceName", "")
}

// TestPacketCapture: a capture is held, checked, and says that nothing runs that
// it could record.
func TestPacketCapture(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	machine := group + "/providers/Microsoft.Compute/virtualMachines/m"
	c.must("PUT", machine, `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/n"}]}}}`)
	c.must("PUT", network+"/networkWatchers/east", `{"location":"eastus"}`)
	at := watcher + "/packetCaptures/c"
	body := func(target, more string) string {
		return `{"properties":{"target":"` + target + `","storageLocation":{"filePath":"/var/captures/c.cap"}` + more + `}}`
	}
	c.refuseAll(t, []put{
		{"no machine", at, body("", ""), "InvalidRequestFormat"},
		{"another machine", at, body(machine+"x", ""), "InvalidResourceReference"},
		{"another region", network + "/networkWatchers/east/packetCaptures/c", body(machine, ""), "InvalidResourceReference"},
		{"nowhere", at, `{"properties":{"target":"` + machine + `"}}`, "InvalidRequestFormat"},
		{"too long", at, body(machine, `,"timeLimitInSeconds":18001`), "InvalidRequestFormat"},
		{"protocol", at, body(machine, `,"filters":[{"protocol":"SCTP"}]`), "InvalidRequestFormat"},
		{"scale set", at, body(machine, `,"targetType":"AzureVMSS"`), "InvalidRequestFormat"},
	})
	a := c.must("PUT", at, body(machine, `,"filters":[{"localPort":"80"}]`))
	if a.status != 201 || str(a.body, "properties", "filters", 0, "protocol") != "Any" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	status := func() answer {
		return c.must("GET", c.must("POST", at+"/queryStatus", "").header.Get("Location"), "")
	}
	if s := status(); str(s.body, "packetCaptureStatus") != "Error" || str(s.body, "packetCaptureError", 0) != "AgentStopped" || !strings.Contains(str(s.body, "stopReason"), "runs no machines") {
		t.Errorf("%s", s.raw)
	}
	if s := c.must("POST", at+"/stop", ""); s.status != 202 {
		t.Errorf("%d", s.status)
	}
	c.refused(404, "NotFound", "POST", watcher+"/packetCaptures/none/stop", "")
	if list, _ := c.get(watcher + "/packetCaptures")["value"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	c.must("DELETE", at, "")
}
