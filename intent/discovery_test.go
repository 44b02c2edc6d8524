package intent

import "testing"

func TestServiceOf(t *testing.T) {
	for name, want := range map[string]string{
		"invoice-westeurope-1": "invoice", "web-prod-westeurope": "web-prod", "db": "db", "db1": "db1", "westeurope": "westeurope",
		"Edge_01": "edge", "westeurope-web": "web", "web-eastus": "web-eastus", "1": "1",
	} {
		if got := serviceOf(name, "westeurope"); got != want || !serviceLabel.MatchString(got) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A host's service has its name without region and number, or the one it is given.
func TestDiscovered(t *testing.T) {
	d := mustParse(t, []File{{Name: "network.yaml", Data: []byte(`
network: n
regions: [westeurope, eastus]
networks:
  - name: net-{region}
    each: region
    subnets:
      s:
        hosts:
          "web-{region}-1": {serves: [http/80]}
          "api-{region}": {serves: [http/80], service: front}
          "own-{region}": {serves: [http/80], service: none}
          "idle-{region}": {}
`)}}, nil)
	want := map[string]string{"web-eastus-1": "web", "web-westeurope-1": "web", "api-eastus": "front", "own-eastus": "", "idle-eastus": ""}
	for _, h := range d.Network.Hosts {
		if name, ok := want[h.Name]; ok && h.Service != name {
			t.Errorf("%s: %q, want %q", h.Name, h.Service, name)
		}
	}
}
