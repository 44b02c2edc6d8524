package template_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/template"
)

// TestExampleHubAndSpoke evaluates the example, which has the shape that Bicep
// gives a template with loops, lambdas and a module.
func TestExampleHubAndSpoke(t *testing.T) {
	const dir = "../../examples/template/"
	read := func(name string) []byte {
		b, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tm, err := template.Parse(read("hub-and-spoke.json"), "hub-and-spoke.json")
	if err != nil {
		t.Fatal(err)
	}
	params, err := template.ParseParameters(read("hub-and-spoke.parameters.json"), "hub-and-spoke.parameters.json")
	if err != nil {
		t.Fatal(err)
	}
	all, outputs, err := tm.Resources(params.Values, options())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		b, err := json.Marshal(r.Doc["properties"])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.ID.Name()+" "+string(b))
	}
	b, err := json.Marshal(outputs["networks"])
	if err != nil {
		t.Fatal(err)
	}
	const nets = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/"
	want := `hub {"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}
app {"addressSpace":{"addressPrefixes":["10.1.0.0/16"]},"subnets":[{"name":"s0","properties":{"addressPrefix":"10.1.0.0/24"}},{"name":"s1","properties":{"addressPrefix":"10.1.1.0/24"}}]}
app {"remoteVirtualNetwork":{"id":"` + nets + `app"}}
data {"addressSpace":{"addressPrefixes":["10.2.0.0/16"]},"subnets":[{"name":"s0","properties":{"addressPrefix":"10.2.0.0/24"}}]}
data {"remoteVirtualNetwork":{"id":"` + nets + `data"}}
by-the-hub {"routes":[{"name":"all","properties":{"addressPrefix":"0.0.0.0/0","nextHopIpAddress":"10.0.0.4","nextHopType":"VirtualAppliance"}}]}
{"type":"Array","value":["10.1.0.0/16","10.2.0.0/16"]}`
	if text := strings.Join(append(got, string(b)), "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
