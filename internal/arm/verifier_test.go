package arm_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestVerifier: a run analyzes its intent for all packets, on the network as it
// is when the run is made; the result is the API's string with its traces.
func TestVerifier(t *testing.T) {
	c := newCloud(t).withMachine()
	c.must("PUT", network+"/networkInterfaces/m", nicBody(network+"/virtualNetworks/v/subnets/s", ""))
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/vm2", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/m"}]}}}`)
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	w := nm + "/verifierWorkspaces/w"
	c.must("PUT", w, `{"location":"westeurope"}`)
	intent := func(name, from, to, sources, destinations, ports, protocols string) {
		quoted := func(s string) string { return `["` + strings.Join(strings.Fields(s), `","`) + `"]` }
		c.must("PUT", w+"/reachabilityAnalysisIntents/"+name, `{"properties":{"sourceResourceId":"`+from+`","destinationResourceId":"`+to+`","ipTraffic":{
			"sourceIps":`+quoted(sources)+`,"destinationIps":`+quoted(destinations)+`,"sourcePorts":["*"],"destinationPorts":`+quoted(ports)+`,"protocols":`+quoted(protocols)+`}}}`)
	}
	internet := subscription + "/providers/Microsoft.Network/internet"
	subnet := network + "/virtualNetworks/v/subnets/s"
	intent("all", machine, machine+"2", "10.0.1.4", "10.0.1.5", "443", "TCP")
	intent("some", machine, internet, "*", "9.9.9.9", "*", "TCP")
	intent("none", machine, internet, "10.0.1.4", "9.9.9.9", "25", "TCP")
	intent("inbound", internet, subnet, "9.9.9.9", "10.0.1.4", "80 443", "TCP")
	intent("elsewhere", machine, machine+"2", "10.0.1.4", "9.9.9.9", "443", "TCP")
	intent("nobody", network+"/virtualNetworks/v/subnets/x", machine, "10.0.1.4", "10.0.1.4", "443", "Any")
	intent("foreign", machine, machine+"2", "10.0.1.77", "10.0.1.5", "443", "TCP")
	for _, tt := range []struct{ name, outcome, code string }{
		{"all", "AllPacketsReached", "MATCHED_NETWORK_SECURITY_RULE"},
		{"some", "SomePacketsReached", "MATCHED_SYSTEM_ROUTE"},
		{"none", "NoPacketsReached", "MATCHED_NETWORK_SECURITY_RULE"},
		{"inbound", "NoPacketsReached", ""},
		{"elsewhere", "NoPacketsReached", ""},
		{"foreign", "NoPacketsReached", ""},
	} {
		run := w + "/reachabilityAnalysisRuns/" + tt.name
		a := c.must("PUT", run, `{"properties":{"intentId":"`+w+`/reachabilityAnalysisIntents/`+tt.name+`"}}`)
		if a.status != 201 || str(a.body, "properties", "provisioningState") != "Succeeded" {
			t.Fatalf("%s: %s", tt.name, a.raw)
		}
		got := c.get(run)
		if str(got, "properties", "intentContent", "destinationResourceId") == "" {
			t.Errorf("%s has no intent: %v", tt.name, got)
		}
		var result struct{ ResultOutcome, ReachedTrace, UnreachedTrace string }
		if err := json.Unmarshal([]byte(str(got, "properties", "analysisResult")), &result); err != nil {
			t.Fatal(err)
		}
		if result.ResultOutcome != tt.outcome || !strings.Contains(result.ReachedTrace+result.UnreachedTrace, tt.code) {
			t.Errorf("%s: %+v, want %s", tt.name, result, tt.outcome)
		}
		for _, trace := range []string{result.ReachedTrace, result.UnreachedTrace} {
			var steps []struct{ Name, ResourceID, ResourceType string }
			if trace != "" && (json.Unmarshal([]byte(trace), &steps) != nil || len(steps) < 2) {
				t.Errorf("%s: trace %s", tt.name, trace)
			}
		}
	}
	// A result stays as it was when the network changes; a new run sees it.
	c.must("DELETE", network+"/networkSecurityGroups/nsg/securityRules/no-smtp", "")
	none := w + "/reachabilityAnalysisRuns/none"
	if got := str(c.get(none), "properties", "analysisResult"); !strings.Contains(got, "NoPacketsReached") {
		t.Errorf("%s", got)
	}
	c.must("PUT", none+"2", `{"properties":{"intentId":"`+w+`/reachabilityAnalysisIntents/none"}}`)
	if got := str(c.get(none+"2"), "properties", "analysisResult"); !strings.Contains(got, "AllPacketsReached") {
		t.Errorf("%s", got)
	}
	a := c.must("PUT", w+"/reachabilityAnalysisRuns/nobody", `{"properties":{"intentId":"`+w+`/reachabilityAnalysisIntents/nobody"}}`)
	if str(a.body, "properties", "provisioningState") != "Failed" || str(a.body, "properties", "errorMessage") == "" {
		t.Errorf("%s", a.raw)
	}
	c.refused(400, "InvalidResourceReference", "PUT", w+"/reachabilityAnalysisRuns/r", `{"properties":{"intentId":"`+w+`/reachabilityAnalysisIntents/missing"}}`)
	c.refused(400, "InvalidResourceReference", "PUT", w+"/reachabilityAnalysisRuns/r", `{"properties":{}}`)
}
