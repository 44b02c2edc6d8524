package intent

import (
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

func TestUnderlay(t *testing.T) {
	d, err := Parse([]File{{Name: "n.yaml", Data: []byte(`
network: shop
regions: [eastus, westeurope]
spokes:
  - each: region
    name: shop-{region}
    subnets:
      web:
        hosts:
          web-{region}: {zone: 2}
underlay:
  links:
    - {between: [EastUS, westeurope/2], rtt: 80ms, fibre: hollow-core, jitter: 1.5ms, loss: 0.5%, bandwidth: 10 Mbps, mtu: 1400}
    - {between: [web-eastus, internet], bandwidth: 1gbps, queue: 2MB}
    - {between: [eastus, eastus]}
`)}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	u := d.Network.Underlay
	want := []model.UnderlayLink{
		{
			Between: [2]model.Place{{Kind: model.PlaceRegion, Name: "eastus"}, {Kind: model.PlaceZone, Name: "westeurope/2"}},
			RTT:     80 * time.Millisecond, HollowCore: true, Jitter: 1500 * time.Microsecond, Loss: 0.005, Bandwidth: 10e6, Queue: leastQueue, MTU: 1400,
		},
		{Between: [2]model.Place{{Kind: model.PlaceHost, Name: "web-eastus"}, {Kind: model.PlaceInternet}}, Bandwidth: 1e9, Queue: 2 << 20},
		{Between: [2]model.Place{{Kind: model.PlaceRegion, Name: "eastus"}, {Kind: model.PlaceRegion, Name: "eastus"}}},
	}
	if u.Seed != 1 || len(u.Links) != len(want) {
		t.Fatalf("%+v", u)
	}
	for i, l := range u.Links {
		l.Pos = model.Pos{}
		if l != want[i] {
			t.Errorf("link %d: %+v\nwant %+v", i, l, want[i])
		}
	}
	for _, r := range d.Network.Resources {
		if r.ID.Is(model.TypeVM) {
			if zones, _ := r.Doc["zones"].([]any); len(zones) != 1 || zones[0] != "2" {
				t.Errorf("%s: zones %v", r.ID, r.Doc["zones"])
			}
		}
	}
}
