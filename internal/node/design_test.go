package node

import (
	"testing"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/proof"
)

const withBalancer = `network: p
regions: [westeurope]
networks:
  - name: v
    address: 10.0.0.0/16
    subnets:
      a: {address: 10.0.0.0/24, hosts: {h1: {serves: tcp/80}}}
      b: {address: 10.0.1.0/24, hosts: {h2: {serves: tcp/80}}}
expectations:
  - {name: works, allow: a -> b tcp/80}
  - {name: into the unknown, allow: b -> a tcp/80}
  - {name: only the silent, deny: a -> 10.0.0.50 tcp/80}
resources:
  - type: Microsoft.Network/loadBalancers
    name: lb
    location: westeurope
    sku: {name: Gateway}
    properties:
      frontendIPConfigurations:
        - name: f
          properties:
            subnet: {id: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/p-westeurope/providers/Microsoft.Network/virtualNetworks/v/subnets/a}
            privateIPAddress: 10.0.0.50
`

// What is not modelled never starts a flow, so it breaks no claim that
// something works; what goes to it is unknown, never a silent pass.
func TestUnmodelledIsUnknown(t *testing.T) {
	declared, err := intent.Parse([]intent.File{{Name: "n.yaml", Data: []byte(withBalancer)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDesign(declared, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Check()
	for i, want := range []proof.Status{proof.Holds, proof.Unknown, proof.Unknown} {
		if f := r.Findings[i]; f.Status != want {
			t.Errorf("%s: %s, want %s: %s", f.Expectation.Name, f.Status, want, f.Why)
		}
	}
	if len(r.Notes) == 0 || !r.Failed() {
		t.Errorf("%d notes, failed %v", len(r.Notes), r.Failed())
	}
}
