package arm_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// runningEdges notes what is purged.
type runningEdges struct{ purged []string }

func (r *runningEdges) Purge(profile model.ID, hosts, paths []string) bool {
	r.purged = append(r.purged, fmt.Sprint(profile.Name(), hosts, paths))
	return true
}

// Front Door's documents: what is refused, its endpoint's name, and purging
// (AFDEndpoints_PurgeContent).
func TestFrontDoor(t *testing.T) {
	c := newCloud(t).withGroup()
	const shop = group + "/providers/Microsoft.Cdn/profiles/shop"
	c.must("PUT", shop, `{"location":"Global","sku":{"name":"Premium_AzureFrontDoor"}}`)
	c.must("PUT", shop+"/afdEndpoints/web", `{"location":"Global"}`)
	c.must("PUT", shop+"/originGroups/g", `{"properties":{}}`)
	c.must("PUT", shop+"/customDomains/www", `{"properties":{"hostName":"www.contoso.example"}}`)
	c.must("PUT", shop+"/afdEndpoints/web/routes/r", `{"properties":{"originGroup":{"id":"`+shop+`/originGroups/g"},"customDomains":[{"id":"`+shop+`/customDomains/www"}]}}`)
	host := model.EndpointHost(model.MustParseID(shop + "/afdEndpoints/web"))
	if got := c.must("GET", shop+"/afdEndpoints/web", ""); str(got.body, "properties", "hostName") != host {
		t.Error(got.raw)
	}
	for name, bad := range map[string][3]string{
		"a content delivery network":      {"~other", `{"location":"Global","sku":{"name":"Standard_Verizon"}}`, "Standard_AzureFrontDoor"},
		"premium to standard":             {"", `{"location":"Global","sku":{"name":"Standard_AzureFrontDoor"}}`, "premium to standard"},
		"a region":                        {"~third", `{"location":"westeurope","sku":{"name":"Standard_AzureFrontDoor"}}`, "global"},
		"a route without a group":         {"/afdEndpoints/web/routes/x", `{"properties":{}}`, "needs an origin group"},
		"a group that is not there":       {"/afdEndpoints/web/routes/x", `{"properties":{"originGroup":{"id":"` + shop + `/originGroups/none"}}}`, "none"},
		"a redirect with one protocol":    {"/afdEndpoints/web/routes/x", `{"properties":{"originGroup":{"id":"` + shop + `/originGroups/g"},"supportedProtocols":["Https"],"httpsRedirect":"Enabled"}}`, "supportedProtocols"},
		"a pattern":                       {"/afdEndpoints/web/routes/x", `{"properties":{"originGroup":{"id":"` + shop + `/originGroups/g"},"patternsToMatch":["x"]}}`, "pattern"},
		"more samples than there are":     {"/originGroups/x", `{"properties":{"loadBalancingSettings":{"sampleSize":2,"successfulSamplesRequired":3}}}`, "sampleSize"},
		"an origin without a host":        {"/originGroups/g/origins/o", `{"properties":{}}`, "host name"},
		"a priority":                      {"/originGroups/g/origins/o", `{"properties":{"hostName":"o.example","priority":6}}`, "1 to 5"},
		"no host name":                    {"/customDomains/x", `{"properties":{"hostName":"nothing"}}`, "www.contoso.com"},
		"another name of the same domain": {"/customDomains/www", `{"properties":{"hostName":"other.contoso.example"}}`, "cannot be changed"},
		"a rule set's name":               {"/ruleSets/a-b", `{"properties":{}}`, "name"},
	} {
		path := shop + bad[0]
		if rest, other := strings.CutPrefix(bad[0], "~"); other {
			path = group + "/providers/Microsoft.Cdn/profiles/" + rest
		}
		if a := c.do("PUT", path, bad[1]); a.status != http.StatusBadRequest && a.status != http.StatusNotFound || !strings.Contains(string(a.raw), bad[2]) {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	for body, want := range map[string]string{`{"hostName":"WWW.contoso.example"}`: "false", `{"hostName":"new.contoso.example"}`: "true", `{"hostName":"x"}`: "false"} {
		if a := c.must("POST", shop+"/checkHostNameAvailability", body); !strings.Contains(string(a.raw), `"nameAvailable":`+want) {
			t.Errorf("%s: %s", body, a.raw)
		}
	}
	edges := &runningEdges{}
	c.server.RunEdges(edges)
	for body, status := range map[string]int{`{"contentPaths":["/a/*"],"domains":["www.contoso.example"]}`: 202, `{"contentPaths":[]}`: 400, `{"contentPaths":["x"]}`: 400} {
		if a := c.do("POST", shop+"/afdEndpoints/web/purge", body); a.status != status {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	c.must("POST", shop+"/afdEndpoints/web/purge", `{"contentPaths":["/*"]}`)
	if got := fmt.Sprint(edges.purged); !strings.Contains(got, "shop[www.contoso.example] [/a/*]") || !strings.Contains(got, "shop["+host+" www.contoso.example] [/*]") || len(edges.purged) != 2 {
		t.Error(got)
	}
	// A profile goes with all it has.
	c.must("DELETE", shop, "")
	if a := c.do("GET", shop+"/originGroups/g", ""); a.status != 404 {
		t.Error(a.status)
	}
}
