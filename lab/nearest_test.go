package lab_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/lab"
)

// A cross-region load balancer hands a flow from a declared host of the internet to
// the region nearest to that host ("Cross-region load balancer", geo-proximity).
func TestNearestRegionOfAPublicHost(t *testing.T) {
	l := lab.Declare(t, `
network: planet
regions: [eastus, westeurope]
networks:
  - {name: "site-{region}", each: region, subnets: {web: {nsg: web, hosts: {"web-{region}": {serves: http/80}}}}}
nsgs: {web: {inbound: [{allow: internet -> any http}]}}
internet:
  berlin.example: {address: 198.51.100.9, region: germanywestcentral}
  boston.example: {address: 198.51.100.10, region: eastus2}
load-balancers:
  - {name: "lb-{region}", each: region, frontends: {f: {public-ip: true}}, members: ["web-{region}"], rules: [{traffic: tcp/80}]}
  - {name: world, global: true, frontends: {f: {public-ip: {address: 203.0.113.50}}}, members: [lb-eastus, lb-westeurope], rules: [{traffic: tcp/80}]}
expectations:
  - {allow: berlin.example -> world http}
`)
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"berlin.example": "web-westeurope", "boston.example": "web-eastus"} {
		res, err := l.Host(from).HTTPClient().Get("http://203.0.113.50/")
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if got := strings.TrimSpace(string(body)); err != nil || res.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s is answered by %q, not %s: %v", from, got, want, err)
		}
	}
}
