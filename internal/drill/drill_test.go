package drill

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// farm is two web servers in two zones behind a load balancer, and a database
// that is alone.
const farm = `
network: farm
regions: [westeurope, northeurope]
networks:
  - name: farm
    region: westeurope
    address: 10.0.0.0/16
    subnets:
      desks:
        hosts: {client: {}}
      web:
        hosts:
          web-1: {serves: [tcp/80, udp/53], zone: 1}
          web-2: {serves: [tcp/80, udp/53], zone: 2}
      data:
        hosts: {db: {serves: tcp/5432, zone: 1}}
  - name: far
    region: northeurope
    address: 10.1.0.0/16
    subnets: {elsewhere: {hosts: {away: {serves: tcp/80}}}}
peerings: [{between: [farm, far]}]
load-balancers:
  - name: front
    frontends: {in: {subnet: web}}
    members: [web-1, web-2]
    probes: {alive: {port: 80, interval: 5}}
    rules: [{traffic: tcp/80}, {traffic: udp/53}]
expectations:
  - {name: the client reaches the web, allow: client -> front tcp/80}
  - {name: the client asks, allow: client -> front udp/53}
  - {name: the client reaches the database, allow: client -> db tcp/5432}
  - {name: the client reaches what is away, allow: client -> away tcp/80}
`

func start(t *testing.T, yaml string, o live.Options) (*live.Network, *model.Network) {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := live.Start(img, declared.Network.Hosts, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Errorf("goroutines still run after the network was closed:\n%s", left)
		}
	})
	return n, declared.Network
}

func drilled(t *testing.T, yaml, target string) *Report {
	t.Helper()
	n, declared := start(t, yaml, live.Options{Pace: 20})
	what, err := Parse(n.Declared(), target)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), n, declared.Expectations, what, Options{Steady: live.SteadyOptions{Every: 20 * time.Millisecond, Patience: 300 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	return r
}

func TestDrillHost(t *testing.T) {
	r := drilled(t, farm, "host web-1")
	if !r.OK() {
		t.Error("worse than predicted")
	}
	e := r.Expectations[0]
	if e.Predicted != proof.Holds || e.Survived == 0 && e.Streams == 0 {
		t.Errorf("%+v", e)
	}
	if len(r.Members) != 1 || r.Members[0].Noticed <= 0 || r.Members[0].Back <= 0 {
		t.Errorf("members %+v", r.Members)
	}
}
