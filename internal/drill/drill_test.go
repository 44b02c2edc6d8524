package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
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

// kept drills. A machine that is too busy to tell shows nothing but that the
// drill ends.
func kept(t *testing.T, n *live.Network, declared *model.Network, target Target, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), n, declared.Expectations, target, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Busy != "" {
		if !r.OK() {
			t.Errorf("worse than predicted, and %s", r.Busy)
		}
		t.Skip(r.Busy)
	}
	return r
}

func drilled(t *testing.T, yaml, target string) *Report {
	t.Helper()
	declaration, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, declared := start(t, yaml, live.Options{Pace: 20, Internet: declaration.Network.Internet, Underlay: declaration.Network.Underlay})
	what, err := Parse(n.Declared(), target)
	if err != nil {
		t.Fatal(err)
	}
	r := kept(t, n, declared, what, Options{Grace: 500 * time.Millisecond, Steady: live.SteadyOptions{Every: 20 * time.Millisecond, Patience: time.Second}})
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
	t.Parallel()
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

// What each kind of failure does to whom.
func TestDrills(t *testing.T) {
	for _, c := range []struct {
		target   string
		ok       bool
		outcomes map[string]Outcome // of new connections, by the end they go to
	}{
		{"zone westeurope/1", true, map[string]Outcome{"front": FailedOver, "db": Down, "away": Unaffected}},
		{"region northeurope", true, map[string]Outcome{"front": Unaffected, "db": Unaffected, "away": Down}},
		{"link westeurope northeurope", true, map[string]Outcome{"front": Unaffected, "db": Unaffected, "away": Down}},
		{"probe front/web-2", true, map[string]Outcome{"front": Unaffected, "db": Unaffected, "away": Unaffected}},
	} {
		t.Run(c.target, func(t *testing.T) {
			t.Parallel()
			r := drilled(t, farm, c.target)
			if r.OK() != c.ok {
				t.Errorf("ok %v", r.OK())
			}
			for i := range r.Flows {
				f := &r.Flows[i]
				want := c.outcomes[f.To]
				switch {
				case f.Kind == live.SteadyConnect && f.Outcome != want:
					t.Errorf("%s: %s, want %s", f, f.Outcome, want)
				case !f.Back && f.Kind != live.SteadyStream:
					t.Errorf("%s is not back", f)
				case f.Kind == live.SteadyStream && f.Forecast == Works && !f.Works:
					t.Errorf("%s: established, and %s: %s", f, f.Outcome, f.Why)
				}
			}
		})
	}
}

// pair is two appliances behind a load balancer that a route leads to.
const pair = `
network: pair
regions: [westeurope]
networks:
  - name: net
    address: 10.0.0.0/16
    subnets:
      desks: {address: 10.0.0.0/24, route-table: inspected, hosts: {client: {}}}
      data: {address: 10.0.1.0/24, route-table: back, hosts: {db: {serves: tcp/5432}}}
      nva:
        address: 10.0.2.0/24
        hosts:
          nva-1: {ip-forwarding: true, serves: tcp/22}
          nva-2: {ip-forwarding: true, serves: tcp/22}
load-balancers:
  - name: nvas
    frontends: {inside: {subnet: nva}}
    members: [nva-1, nva-2]
    probes: {ssh: {port: 22, interval: 5}}
    ha-ports: true
route-tables:
  inspected: [{to: 10.0.1.0/24, via: nvas}]
  back: [{to: 10.0.0.0/24, via: nvas}]
expectations:
  - {name: inspected, allow: client -> db tcp/5432, through: nvas}
`

// An appliance of an active-active pair dies: new connections take the other,
// and what was established through the dead one is lost with its sessions, and
// stays lost when it is back ("High availability ports overview").
func TestAppliancePair(t *testing.T) {
	t.Parallel()
	n, declared := start(t, pair, live.Options{Pace: 20})
	target, err := Parse(n.Declared(), "appliance nva-1")
	if err != nil {
		t.Fatal(err)
	}
	r := kept(t, n, declared, target, Options{Grace: time.Second, Steady: live.SteadyOptions{Every: 20 * time.Millisecond, Pairs: 8}})
	if !r.OK() {
		var b bytes.Buffer
		_ = r.WriteText(&b)
		t.Errorf("%s", b.String())
	}
	for i := range r.Flows {
		f := &r.Flows[i]
		switch {
		case f.Kind == live.SteadyConnect && (f.Outcome != FailedOver && f.Outcome != Unaffected || !f.Works || !f.Back):
			t.Errorf("%s: %+v", f, f.Timeline)
		case f.Kind == live.SteadyStream && f.Forecast == Fails && f.Back:
			t.Errorf("%s has its session still: %+v", f, f.Timeline)
		case f.Kind == live.SteadyStream && f.Forecast == Works && !f.Back:
			t.Errorf("%s does not pass what failed: %+v", f, f.Timeline)
		}
	}
}

// An appliance without another: a route leads to it alone, and what passes it
// stands still until it is back or the route leads elsewhere.
func TestApplianceAlone(t *testing.T) {
	t.Parallel()
	r := drilled(t, strings.NewReplacer("via: nvas", "via: nva-1", "through: nvas", "through: nva-1").Replace(pair), "appliance nva-1")
	if !r.OK() {
		t.Error("worse than predicted")
	}
	for i := range r.Flows {
		if f := &r.Flows[i]; f.Kind == live.SteadyConnect && (f.Outcome != Down || f.Forecast != Fails || !f.Back) {
			t.Errorf("%s: %s, %+v", f, f.Forecast, f.Timeline)
		}
	}
}

// An interrupted drill brings back what is down.
func TestInterruptedDrillRestores(t *testing.T) {
	t.Parallel()
	n, declared := start(t, farm, live.Options{Pace: 20})
	target, err := Parse(n.Declared(), "host db")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, n, declared.Expectations, target, Options{For: time.Hour, Grace: 200 * time.Millisecond, On: func(e Event) {
		if e.Stage == "fail" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || r == nil || !r.Interrupted || r.Held >= time.Hour || !r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
	client, _ := n.Host("client")
	db, _ := n.Host("db")
	c, err := client.DialContext(t.Context(), "tcp", db.Addrs()[0].String()+":5432")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
