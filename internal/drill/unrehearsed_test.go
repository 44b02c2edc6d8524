package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
)

// world is a shop in two regions behind regional and global load balancers, with
// services of Azure's beside it, and somebody outside.
const world = `
network: world
regions: [westeurope, northeurope]
networks:
  - name: west
    region: westeurope
    address: 10.0.0.0/16
    subnets:
      web:
        nsg: web
        hosts:
          west-1: {serves: tcp/80, zone: 1}
          west-2: {serves: tcp/80, zone: 2}
      out:
        nat-gateway: zonal
        hosts:
          crawler: {zone: 2}
      links: {}
      desks: {hosts: {app: {}, desk: {}}}
  - name: north
    region: northeurope
    address: 10.1.0.0/16
    subnets:
      web:
        nsg: web
        hosts:
          north-1: {serves: tcp/80}
      far: {hosts: {remote: {serves: tcp/5432}}}
peerings: [{between: [west, north]}]
nsgs: {web: {inbound: [{allow: any -> any tcp/80}]}}
nat-gateways: [{name: zonal, region: westeurope, public-ip: true, zone: 1}]
load-balancers:
  - {name: world, global: true, frontends: {all: {public-ip: true}}, members: [shop-west, shop-north], rules: [{traffic: tcp/80}]}
  - name: shop-west
    frontends: {f: {public-ip: true}}
    members: [west-1, west-2]
    probes: {web: {port: 80, interval: 5}}
    rules: [{traffic: tcp/80}]
  - name: shop-north
    frontends: {f: {public-ip: true}}
    members: [north-1]
    probes: {web: {port: 80, interval: 5}}
    rules: [{traffic: tcp/80}]
services:
  - {name: shopdata, kind: storage, region: westeurope, public: false}
private-endpoints:
  - {name: data, service: shopdata, subnet: links, zones: [privatelink.blob.core.windows.net]}
dns:
  privatelink.blob.core.windows.net: {link: all}
internet:
  api.example.com: {address: 192.0.2.80, serves: tcp/443}
expectations:
  - {name: the world shops, allow: internet -> world tcp/80}
  - {name: the crawler crawls, allow: crawler -> internet tcp/443}
  - {name: the app has data, allow: app -> endpoint:data https}
  - {name: the desk reads far away, allow: desk -> remote tcp/5432}
`

// wanted is what flows should do while something is down: the beginnings of their
// names, "KIND FROM -> TO", and the outcomes that may be.
type wanted map[string][]Outcome

func (w wanted) check(t *testing.T, r *Report) {
	t.Helper()
	for name, outcomes := range w {
		found := false
		for i := range r.Flows {
			f := &r.Flows[i]
			if !strings.HasPrefix(f.String(), name) {
				continue
			}
			found = true
			ok := false
			for _, o := range outcomes {
				ok = ok || f.Outcome == o
			}
			if !ok {
				t.Errorf("%s is %s (%s), not one of %v", f, f.Outcome, f.Why, outcomes)
			}
		}
		if !found {
			t.Errorf("no flow is %q", name)
		}
	}
}

var (
	fine  = []Outcome{Unaffected}
	dead  = []Outcome{Down}
	moves = []Outcome{FailedOver, Unaffected}
)

// What nobody wrote a drill for. Each says what Azure's documents lead one to
// expect; what the proof predicts and what happens must both be that.
func TestUnrehearsed(t *testing.T) {
	for _, c := range []struct {
		name, yaml, target string
		want               wanted
	}{
		{"a zonal NAT gateway fails with its zone, its hosts elsewhere or not", world, "zone westeurope/1", wanted{
			"connect crawler -> api.example.com": dead, "connect app -> ": fine, "connect desk -> remote": fine,
		}},
		{"a zone without the gateway", world, "zone westeurope/2", wanted{
			"connect crawler -> api.example.com": dead, // the host itself is there
			"connect desk -> remote":             fine,
		}},
		{"a region with peers and a share of a global balancer", world, "region northeurope", wanted{
			"connect desk -> remote": dead, "connect crawler -> api.example.com": fine, "connect app -> ": fine,
		}},
		{"the region of most", world, "region westeurope", wanted{
			"connect desk -> remote": dead, "connect app -> ": dead,
			// Its home region is no place of the global balancer: the other region serves.
			"connect internet -> world": moves,
		}},
		{"the consumer of a private endpoint", world, "host app", wanted{
			"connect app -> ": dead, "connect desk -> remote": fine,
		}},
		{"the link that a peering goes over", world, "link westeurope northeurope", wanted{
			"connect desk -> remote": dead, "connect app -> ": fine,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := drilled(t, c.yaml, c.target)
			if !r.OK() {
				t.Error("worse than predicted")
			}
			c.want.check(t, r)
		})
	}
}

// All members are down: a Standard load balancer keeps what is established, a Basic
// one ends it ("Azure Load Balancer health probes"). The prediction says so, too.
func TestAllMembersDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sku  string
		want Forecast
	}{{"Standard", Works}, {"Basic", Fails}} {
		yaml := strings.NewReplacer("  - name: front\n", "  - name: front\n    sku: "+c.sku+"\n", "members: [web-1, web-2]", "members: [web-1]").Replace(farm)
		r := drilled(t, yaml, "probe front/web-1")
		if !r.OK() {
			t.Errorf("%s: worse than predicted", c.sku)
		}
		wanted{"connect client -> front tcp/80": dead, "connect client -> db": fine}.check(t, r)
		for i := range r.Flows {
			f := &r.Flows[i]
			if f.Kind == live.SteadyStream && f.To == "front" && (f.Forecast != c.want || f.Works != (c.want == Works)) {
				t.Errorf("%s: %s should be %s, not %s; works %v, want %v", c.sku, f, c.want, f.Forecast, f.Works, c.want == Works)
			}
		}
	}
}

// sandwich is two appliances between two balancers, one for each direction.
var sandwich = strings.NewReplacer("ha-ports: true\n", `ha-ports: true
  - name: behind
    frontends: {inside: {subnet: nva}}
    members: [nva-1, nva-2]
    probes: {ssh: {port: 22, interval: 5}}
    ha-ports: true
`, "via: nvas}]\nexpectations", "via: behind}]\nexpectations", ", through: nvas", "").Replace(pair)

// Each of two balancers chooses by itself: what comes back by the other one may
// meet an appliance that never saw the flow. With one balancer it never does
// ("High availability ports overview", asymmetric routing).
func TestSymmetryIsOfOneBalancer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, yaml string
		symmetric  bool
	}{{"one", pair, true}, {"two", sandwich, false}} {
		n, _ := start(t, c.yaml, live.Options{Pace: 20})
		if err := n.Probed(t.Context()); err != nil {
			t.Fatal(err)
		}
		client, _ := n.Host("client")
		db, _ := n.Host("db")
		answered, lost := 0, 0
		for range 40 {
			// What an appliance drops, the one who dials is told.
			conn, err := client.DialContext(t.Context(), "tcp", db.Addrs()[0].String()+":5432")
			if err != nil {
				lost++
				continue
			}
			answered++
			conn.Close()
		}
		if answered == 0 || (lost == 0) != c.symmetric {
			t.Errorf("%s: %d connections answered, %d lost", c.name, answered, lost)
		}
	}
}

// A stream over a link that loses 30 % goes on, slowly; the drill says that
// nothing got worse where something else fails.
func TestDrillOverALossyLink(t *testing.T) {
	t.Parallel()
	lossy := strings.Replace(world, "expectations:\n", "underlay:\n  seed: 3\n  links: [{between: [westeurope, northeurope], loss: 30%}]\nexpectations:\n", 1)
	r := drilled(t, lossy, "host west-1")
	if !r.OK() {
		t.Error("worse than predicted")
	}
	wanted{"connect app -> ": fine, "connect crawler -> ": fine}.check(t, r)
}

// A balancer whose probe asks the wrong port has no member that is up: nothing
// works before the failure, and nothing is blamed on it.
func TestProbeOfTheWrongPort(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(farm, "alive: {port: 80", "alive: {port: 8080", 1)
	r := drilled(t, wrong, "host web-1")
	for i := range r.Flows {
		f := &r.Flows[i]
		if f.To == "front" && (f.Outcome != Before || f.Comparison != NotJudged) {
			t.Errorf("%s: %s, %s", f, f.Outcome, f.Comparison)
		}
	}
	wanted{"connect client -> db": fine}.check(t, r)
}

// The passive appliance of a pair answers no probes until it takes over: while
// the active one is down nothing passes, and when the passive one answers,
// new connections do.
func TestActivePassive(t *testing.T) {
	t.Parallel()
	passive := strings.Replace(pair, "nva-2: {ip-forwarding: true, serves: tcp/22}", "nva-2: {ip-forwarding: true}", 1)
	n, declared := start(t, passive, live.Options{Pace: 20})
	target, err := Parse(n.Declared(), "appliance nva-1")
	if err != nil {
		t.Fatal(err)
	}
	client, _ := n.Host("client")
	db, _ := n.Host("db")
	nva, _ := n.Host("nva-2")
	dial := func() error {
		c, err := client.DialContext(t.Context(), "tcp", db.Addrs()[0].String()+":5432")
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err != nil {
		t.Fatalf("through the active one: %v", err)
	}
	r := kept(t, n, declared, target, Options{Grace: 500 * time.Millisecond})
	if !r.OK() {
		t.Error("worse than predicted")
	}
	wanted{"connect client -> db": dead}.check(t, r)

	restore := n.Fail(func(img *fabric.Image) fabric.Failure { f, _ := target.Failure(img); return f })
	defer restore()
	listener, err := nva.Listen("tcp", ":22")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	// It takes over: the test would not end otherwise.
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for dial() != nil {
		<-again.C
	}
}

// While one thing is down already another fails: what is left is what neither
// takes, and the first one stays down when the second is back.
func TestTwoFailures(t *testing.T) {
	t.Parallel()
	n, declared := start(t, farm, live.Options{Pace: 20})
	first, err := Parse(n.Declared(), "host web-1")
	if err != nil {
		t.Fatal(err)
	}
	restore := n.Fail(func(img *fabric.Image) fabric.Failure { f, _ := first.Failure(img); return f })
	defer restore()
	// up waits until so many members are up: the test would not end otherwise.
	up := func(want int) {
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for {
			count := 0
			for _, m := range n.Health() {
				if m.Up {
					count++
				}
			}
			if count == want {
				return
			}
			<-again.C
		}
	}
	up(1)
	second, err := Parse(n.Declared(), "zone westeurope/2")
	if err != nil {
		t.Fatal(err)
	}
	r := kept(t, n, declared, second, Options{Grace: 500 * time.Millisecond})
	if !r.OK() {
		t.Error("worse than predicted: the prediction must know what is down already")
	}
	wanted{"connect client -> front": dead, "connect client -> db": fine}.check(t, r)
	up(1)
}
