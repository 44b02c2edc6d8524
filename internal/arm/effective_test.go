package arm_test

import (
	"strings"
	"testing"
)

// TestEffectiveRoutes: a user route to an appliance and the system routes of a
// network are told as the compiled table has them, again after a change.
func TestEffectiveRoutes(t *testing.T) {
	c := newCloud(t).withGroup()
	table := func(hop string) string {
		return `{"location":"westeurope","properties":{"disableBgpRoutePropagation":true,"routes":[{"name":"out","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"` + hop + `"}}]}}`
	}
	c.must("PUT", network+"/routeTables/rt", table("10.0.9.4"))
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.1.0/24","routeTable":{"id":"`+network+`/routeTables/rt"}}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}]}}`)
	c.refused(400, "NicMustBeAttachedToRunningVmToGetEffectiveRoutes", "POST", network+"/networkInterfaces/n/effectiveRouteTable", "")
	c.refused(400, "NicMustBeAttachedToRunningVmToGetEffectiveSecurityGroups", "POST", network+"/networkInterfaces/n/effectiveNetworkSecurityGroups", "")
	c.must("PUT", machine, `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/n"}]}}}`)
	for _, hop := range []string{"10.0.9.4", "10.0.9.5"} {
		c.must("PUT", network+"/routeTables/rt", table(hop))
		got := map[string]string{}
		answer := c.ask(network+"/networkInterfaces/n/effectiveRouteTable", "")
		for _, e := range answer.body["value"].([]any) {
			r := e.(map[string]any)
			if r["disableBgpRoutePropagation"] != true || (r["name"] == nil) != (r["source"] == "Default") {
				t.Errorf("%v", r)
			}
			var hops []string
			for _, h := range r["nextHopIpAddress"].([]any) {
				hops = append(hops, h.(string))
			}
			got[r["addressPrefix"].([]any)[0].(string)+" "+r["state"].(string)] = strings.TrimSpace(r["nextHopType"].(string) + " " + strings.Join(hops, ","))
		}
		for key, want := range map[string]string{"0.0.0.0/0 Active": "VirtualAppliance " + hop, "10.0.0.0/16 Active": "VnetLocal", "0.0.0.0/0 Invalid": "Internet"} {
			if got[key] != want {
				t.Errorf("%s: got %q, want %q", key, got[key], want)
			}
		}
	}
}
