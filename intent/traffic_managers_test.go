package intent

import (
	"strings"
	"testing"
)

// managerNetwork has what profiles of the tests lead to; MANAGERS stands for
// them.
const managerNetwork = `
network: shop
regions: [westeurope]
networks:
  - name: shop
    subnets:
      edge: {hosts: {edge: {serves: [https/443], public-ip: true}, inside: {}}}
internet:
  old.example: {address: 192.0.2.80}
traffic-managers:
MANAGERS
`

// TestManagerProblems: what is wrong with a profile is told, and what to do.
func TestManagerProblems(t *testing.T) {
	for _, c := range []struct{ rule, managers, want string }{
		{"a method", "  - {name: a, method: nearest, endpoints: {e: {target: edge}}}", `the method "nearest"`},
		{"an endpoint", "  - {name: a, method: priority, endpoints: {}}", "has no endpoint"},
		{"one kind of target", "  - {name: a, method: priority, endpoints: {e: {target: edge, address: 192.0.2.1}}}", "2 of target, address and profile"},
		{"a public address", "  - {name: a, method: priority, endpoints: {e: {target: inside}}}", `nothing called "inside" has a public address`},
		{"an interval of 30 or 10", "  - {name: a, method: priority, probe: {interval: 20}, endpoints: {e: {target: edge}}}", "every 20 seconds"},
		{"a timeout below the interval", "  - {name: a, method: priority, probe: {interval: 10, timeout: 10}, endpoints: {e: {target: edge}}}", "timeout"},
		{"a region", "  - {name: a, method: performance, endpoints: {e: {address: 192.0.2.1, region: atlantis}}}", `"atlantis" is no Azure region`},
		{"another profile", "  - {name: a, method: priority, endpoints: {e: {profile: b}}}", `no Traffic Manager profile "b"`},
		{"a range", "  - {name: a, method: subnet, endpoints: {e: {target: edge, subnets: [10.0.0.9-10.0.0.1]}}}", "no range of addresses"},
		{"a path of tcp", "  - {name: a, method: priority, probe: {protocol: tcp, path: /x}, endpoints: {e: {target: edge}}}", "a tcp probe has no path"},
		{"a status", "  - {name: a, method: priority, probe: {expect: [fine]}, endpoints: {e: {target: edge}}}", "no range of statuses"},
	} {
		_, err := Parse([]File{{Name: "n.yaml", Data: []byte(strings.Replace(managerNetwork, "MANAGERS", c.managers, 1))}}, nil, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

// TestManagerSentences: an expectation about a profile's name is one about each
// thing that the name may lead to.
func TestManagerSentences(t *testing.T) {
	managers := `  - name: a
    method: priority
    endpoints: {own: {target: edge}, old: {address: old.example}}
expectations:
  - {allow: inside -> a.trafficmanager.net https}
  - {allow: internet -> a.trafficmanager.net https}`
	d, err := Parse([]File{{Name: "n.yaml", Data: []byte(strings.Replace(managerNetwork, "MANAGERS", managers, 1))}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range d.Network.Expectations {
		got = append(got, e.Text)
	}
	// From outside to outside nothing is claimed of the network.
	want := "allow inside -> host:edge https, allow inside -> 192.0.2.80 https, allow internet -> host:edge https"
	if strings.Join(got, ", ") != want {
		t.Errorf("%q", got)
	}
	bad := strings.Replace(managers, "inside -> a.traffic", "inside -> b.traffic", 1)
	if _, err := Parse([]File{{Name: "n.yaml", Data: []byte(strings.Replace(managerNetwork, "MANAGERS", bad, 1))}}, nil, Options{}); err == nil || !strings.Contains(err.Error(), "no Traffic Manager profile has the name b.trafficmanager.net") {
		t.Error(err)
	}
}
