package arm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// runningGateway is what runs one gateway.
type runningGateway []BackendMember

func (g runningGateway) BackendHealth(id model.ID) ([]BackendMember, bool) {
	return g, id.Name() == "shop"
}

// ApplicationGateways_BackendHealth: pools by the settings that rules pair them
// with; Unknown where nothing runs, or nobody was asked.
func TestBackendHealth(t *testing.T) {
	const self = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/shop"
	doc, err := model.ParseJSON([]byte(strings.ReplaceAll(`{"properties":{
		"backendAddressPools":[{"id":"~/backendAddressPools/web","name":"web","properties":{"backendAddresses":[{"ipAddress":"10.0.0.4"},{"fqdn":"m.example"}]}},{"id":"~/backendAddressPools/idle","name":"idle","properties":{}}],
		"backendHttpSettingsCollection":[{"id":"~/backendHttpSettingsCollection/s","name":"s"}],
		"requestRoutingRules":[{"properties":{"backendAddressPool":{"id":"~/backendAddressPools/web"},"backendHttpSettings":{"id":"~/backendHttpSettingsCollection/s"}}}]}}`, "~", self)))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	ask := func() string {
		answer, f := backendHealth(&question{s: s, on: &model.Resource{ID: model.MustParseID(self), Doc: doc}})
		if f != nil {
			t.Fatal(f)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if text := ask(); strings.Count(text, `"health":"Unknown"`) != 2 || !strings.Contains(text, "No network runs") {
		t.Error(text)
	}
	s.Run(runningGateway{{Pool: "web", Settings: "s", Address: "10.0.0.4", Health: "Down", Log: "status 500"}})
	text := ask()
	if strings.Count(text, `"health":"Unknown"`) != 1 || !strings.Contains(text, `"address":"10.0.0.4","health":"Down","healthProbeLog":"status 500"`) {
		t.Error(text)
	}
	if !strings.Contains(text, `"backendAddressPool":{"id":"`+self+`/backendAddressPools/idle"},"backendHttpSettingsCollection":[]`) {
		t.Error(text)
	}
	s.Run(nil)
	if text := ask(); strings.Contains(text, "Down") {
		t.Error(text)
	}
}
