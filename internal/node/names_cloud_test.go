package node

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

const managedNetwork = `
network: shop
regions: [westeurope]
networks:
  - name: edge
    subnets:
      edge:
        nsg: edge
        hosts:
          one: {serves: [http/80], public-ip: true}
          two: {serves: [http/80], public-ip: true}
nsgs: {edge: {inbound: [{allow: internet -> any http}]}}
traffic-managers:
  - {name: shop, method: priority, ttl: 1, probe: {interval: 10, timeout: 5, tolerated: 0}, endpoints: {one: {target: one}, two: {target: two}}}
public-dns:
  shop.example: {ttl: 1, records: {"@": shop, www: one}}
expectations:
  - {resolves: [shop.example, www.shop.example], to: one}
`

// downed takes a declared host down until the result is called.
func downed(s *System, host string) (restore func()) {
	return s.Net.Fail(func(img *fabric.Image) fabric.Failure {
		var f fabric.Failure
		for i := range img.Ports {
			if img.Ports[i].Has(fabric.Label{Kind: string(model.LabelHost), Name: host}) {
				f.Ports = append(f.Ports, fabric.PortID(i))
			}
		}
		return f
	})
}

// The cloud of a running network says what the probes of Traffic Manager found, in
// the profile, in a list and in an endpoint; names that follow it move; and the
// metrics tell of all that.
func TestManagerStatesInTheCloud(t *testing.T) {
	s := upWith(t, written(t, managedNetwork), UpOptions{Pace: 100})
	if s.Failed() {
		t.Fatalf("%+v", s.Rows())
	}
	id := s.Design.Managers[0].ID
	get := func(path string) map[string]any {
		t.Helper()
		return cloudAnswer(t, s, path)
	}
	status := func() string {
		p := get(id)["properties"].(map[string]any)
		out := []string{p["monitorConfig"].(map[string]any)["profileMonitorStatus"].(string)}
		for _, e := range p["endpoints"].([]any) {
			out = append(out, e.(map[string]any)["properties"].(map[string]any)["endpointMonitorStatus"].(string))
		}
		return strings.Join(out, " ")
	}
	until(t, "all online", func() bool { return status() == "Online Online Online" })
	restore := downed(s, "one")
	until(t, "one degraded", func() bool { return status() == "Degraded Degraded Online" })
	endpoint := get(id + "/azureEndpoints/one")
	if got := endpoint["properties"].(map[string]any)["endpointMonitorStatus"]; got != "Degraded" {
		t.Errorf("the endpoint alone: %v", got)
	}
	list, _ := json.Marshal(get(id[:strings.LastIndexByte(id, '/')])["value"])
	if !strings.Contains(string(list), `"endpointMonitorStatus":"Degraded"`) || !strings.Contains(string(list), `"profileMonitorStatus":"Degraded"`) {
		t.Errorf("the list: %s", list)
	}
	asker, err := s.Net.Host("two")
	if err != nil {
		t.Fatal(err)
	}
	two := publicOf(s, "two")
	until(t, "the name moves", func() bool {
		got, err := asker.LookupHost(t.Context(), "shop.example")
		return err == nil && len(got) == 1 && got[0].String() == two
	})
	w := httptest.NewRecorder()
	s.metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`cerulean_traffic_manager_endpoint{endpoint="one",network="shop",profile="shop",status="Degraded"} 1`,
		`cerulean_traffic_manager_endpoint_up{endpoint="one",network="shop",profile="shop"} 0`,
		`cerulean_traffic_manager_endpoint_up{endpoint="two",network="shop",profile="shop"} 1`,
		`cerulean_traffic_manager_profile{network="shop",profile="shop",status="Degraded"} 1`,
		`cerulean_traffic_manager_probes_total{endpoint="two",network="shop",profile="shop",result="well"}`,
		`cerulean_names_queries_total{network="shop",protocol="udp"}`, `cerulean_names_answers_total{network="shop",rcode="0"}`,
		`cerulean_discovery_instances{health="passing",network="shop",service="two"} 1`, `cerulean_discovery_changes_total{network="shop"}`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	restore()
	until(t, "online again", func() bool { return status() == "Online Online Online" })
}

// What the cloud holds of profiles is what was declared: following it changes
// nothing. A profile that a client changes there comes into force, and endpoints that
// stay keep what their probes found.
func TestManagersFollowTheCloud(t *testing.T) {
	s := upWith(t, written(t, managedNetwork), UpOptions{Pace: 100})
	resources := placed(s.Cloud.Snapshot(), s.Design.Network().Resources)
	_, before, _ := s.Net.Directory()
	s.followManagers(resources)
	if _, after, _ := s.Net.Directory(); after != before {
		t.Errorf("version %d after %d, and nothing changed", after, before)
	}
	changed := slices.Clone(resources)
	for i, r := range changed {
		if r.ID.Is(model.TypeTrafficManager) {
			c := r.Clone()
			c.Properties()["trafficRoutingMethod"] = "Weighted"
			list := c.Properties()["endpoints"].([]any)
			c.Properties()["endpoints"] = list[1:]
			changed[i] = c
		}
	}
	if _, err := compile.Compile(changed, compile.Options{}); err != nil {
		t.Fatal(err)
	}
	s.followManagers(changed)
	m := s.Net.Managers()
	if len(m) != 1 || string(m[0].Profile.Method) != "Weighted" || len(m[0].Endpoints) != 1 || !m[0].Endpoints[0].Measured {
		t.Errorf("%+v", m)
	}
}

// cloudAnswer asks the network's cloud as its owner.
func cloudAnswer(t *testing.T, s *System, path string) map[string]any {
	t.Helper()
	l := &load{cloud: s.Cloud, client: &http.Client{Transport: s.Cloud.transport}}
	if err := l.signIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := l.send(t.Context(), http.MethodGet, path, "")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// publicOf is the public address of a host.
func publicOf(s *System, host string) string {
	for _, p := range s.Net.Image().Publics {
		if p.Port >= 0 && s.Net.Image().Ports[p.Port].Has(fabric.Label{Kind: string(model.LabelHost), Name: host}) {
			return p.Addr.String()
		}
	}
	return ""
}
