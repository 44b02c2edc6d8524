package intent

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

const doorNetwork = `
network: shop
regions: [westeurope, northeurope]
networks:
  - name: net-{region}
    each: region
    subnets:
      web: {hosts: {"web-{region}": {serves: [http/80], public-ip: true}}}
internet:
  old.example: {address: 192.0.2.80, region: japaneast}
front-doors:
  - name: shop
    edges: [westeurope, Japan East]
    domains: {www.shop.example: {}, "*.shop.example": {}}
    origin-groups:
      web: {origins: {"web-{region}": {tls-port: 8443}, old.example: {}}}
      other: {origins: {web-westeurope: {port: 81}}}
    rule-sets:
      set: [{name: over, do: [{origin-group: other}]}]
    routes:
      all: {origin-group: web, rule-sets: [set]}
      plain: {origin-group: other, paths: [/plain/*], https-redirect: false, domains: [www.shop.example], forwarding: http}
expectations:
EXPECT
`

// A claim about a name of a front door is one about each connection that makes it
// true.
func TestOverDoors(t *testing.T) {
	west, north := "web-westeurope", "web-northeurope"
	for _, c := range []struct {
		rule, claim string
		want        []string
	}{
		{"outside: the edges' legs only; TLS as the client asks", "allow: internet -> shop.azurefd.net https", []string{
			"AzureFrontDoor.Backend -> " + north + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/443",
		}},
		{"plain: the route without a redirect, of its domain", "allow: internet -> www.shop.example http", []string{"AzureFrontDoor.Backend -> " + west + " tcp/81"}},
		{"a wildcard domain", "allow: internet -> x.shop.example https", []string{
			"AzureFrontDoor.Backend -> " + north + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/443",
		}},
		{"inside: the client's leg too", "allow: web -> www.shop.example https", []string{
			"web -> EDGE https", "AzureFrontDoor.Backend -> " + north + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/8443", "AzureFrontDoor.Backend -> " + west + " tcp/443", "AzureFrontDoor.Backend -> " + west + " tcp/81",
		}},
		{"denied inside: the client's leg", "deny: web -> shop.azurefd.net https", []string{"web -> EDGE https"}},
	} {
		d, err := Parse([]File{{Name: "n.yaml", Data: []byte(strings.Replace(doorNetwork, "EXPECT", "  - {"+c.claim+"}", 1))}}, nil, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		var got []string
		for _, e := range d.Network.Expectations {
			text := strings.TrimPrefix(strings.TrimPrefix(e.Text, "allow "), "deny ")
			if len(e.To.Prefixes) == 1 {
				text = strings.Replace(text, e.To.Prefixes[0].Addr().String(), "EDGE", 1)
			}
			got = append(got, text)
			if edges := strings.HasPrefix(text, "AzureFrontDoor"); edges != (e.From.Internet && len(e.From.Prefixes) > 50) {
				t.Errorf("%s: %s is from %+v", c.rule, e.Text, e.From)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.rule, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// What a front door stands for: resources in their Resource Manager shapes, whose
// references lead to one another.
func TestFrontDoorDocuments(t *testing.T) {
	d, err := Parse([]File{{Name: "n.yaml", Data: []byte(strings.Replace(doorNetwork, "EXPECT", "  - {deny: web -> shop.azurefd.net http}", 1))}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*model.Resource{}
	for _, r := range d.Network.Resources {
		if _, path, ok := strings.Cut(r.ID.String(), "/Microsoft.Cdn/"); ok {
			byPath[path] = r
			if r.Pos.IsZero() {
				t.Errorf("%s has no place", path)
			}
		}
	}
	for path, want := range map[string]string{
		"profiles/shop": `{"originResponseTimeoutSeconds":60}`,
		"profiles/shop/originGroups/web/origins/web-northeurope": `{"enabledState":"Enabled","enforceCertificateNameCheck":true,"hostName":"shop-web-northeurope.northeurope.cloudapp.azure.com","httpPort":80,"httpsPort":8443,"priority":1,"weight":50}`,
		"profiles/shop/originGroups/web":                         `{"loadBalancingSettings":{"additionalLatencyInMilliseconds":0,"sampleSize":4,"successfulSamplesRequired":3},"sessionAffinityState":"Disabled"}`,
		"profiles/shop/customDomains/any-shop-example":           `{"hostName":"*.shop.example","tlsSettings":{"certificateType":"ManagedCertificate","minimumTlsVersion":"TLS12"}}`,
	} {
		r := byPath[path]
		if r == nil {
			t.Errorf("there is no %s", path)
			continue
		}
		b, err := json.Marshal(r.Properties())
		if err != nil || string(b) != want {
			t.Errorf("%s: %s", path, b)
		}
	}
	if p := byPath["profiles/shop"]; p.Tags()[model.EdgesTag] != "westeurope,japaneast" || !model.IsFrontDoor(p) {
		t.Error(p.Doc)
	}
	route := byPath["profiles/shop/afdEndpoints/shop/routes/all"].Properties()
	if len(route["customDomains"].([]any)) != 2 || route["linkToDefaultDomain"] != "Enabled" || route["httpsRedirect"] != "Enabled" || len(route["ruleSets"].([]any)) != 1 {
		t.Error(route)
	}
	if h := d.Network.Internet[0]; h.Region != "japaneast" {
		t.Errorf("%+v", h)
	}
}
