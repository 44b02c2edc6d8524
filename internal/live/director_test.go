package live

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// managedRegions has a profile of each kind that matters here.
const managedRegions = `
network: shop
regions: [westeurope, eastus]
networks:
  - name: net-{region}
    each: region
    subnets:
      edge:
        nsg: edge
        hosts: {"edge-{region}": {serves: [http/80], public-ip: true}, "client-{region}": {}}
nsgs:
  edge:
    inbound:
      - {name: probes, allow: AzureTrafficManager -> any http}
      - {name: closed, deny: internet -> any}
internet:
  elsewhere.example: {address: 192.0.2.80, serves: http/80}
traffic-managers:
  - name: first
    method: priority
    ttl: 10
    probe: {interval: 10, tolerated: 0, timeout: 5}
    endpoints: {west: {target: edge-westeurope}, east: {target: edge-eastus}}
  - name: near
    method: performance
    ttl: 0
    probe: {interval: 10, tolerated: 0, timeout: 5}
    endpoints: {west: {target: edge-westeurope}, east: {target: edge-eastus}}
  - name: bad
    method: priority
    probe: {interval: 10, tolerated: 0, timeout: 5, path: /, expect: ["204"]}
    endpoints: {west: {target: edge-westeurope}, outside: {address: elsewhere.example, always-serve: true}}
`

func startManaged(t *testing.T, yaml string, pace float64) *Network {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opts := compile.Options{Epoch: 1, Internet: declared.Network.Internet}
	img, err := compile.Compile(declared.Network.Resources, opts)
	if err != nil {
		t.Fatal(err)
	}
	managers, err := compile.TrafficManagers(declared.Network.Resources, opts)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(img, declared.Network.Hosts, Options{Pace: pace, Managers: managers, Internet: declared.Network.Internet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Errorf("goroutines still run after the network was closed:\n%s", left)
		}
	})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// lookUp returns the addresses of a name as a host resolves it by packets.
func lookUp(t *testing.T, n *Network, host, name string) string {
	t.Helper()
	h, err := n.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := h.LookupHost(t.Context(), name)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, a := range addrs {
		for i := range n.Image().Publics {
			if p := &n.Image().Publics[i]; p.Addr == a && p.Port != fabric.None {
				out = append(out, n.Image().Ports[p.Port].Name)
			}
		}
		if a.String() == "192.0.2.80" {
			out = append(out, "elsewhere")
		}
	}
	return strings.Join(out, " ")
}

// statesOf shows the endpoints of a profile.
func statesOf(n *Network, profile string) string {
	var out []string
	for _, m := range n.Managers() {
		if m.Profile.Name == profile {
			for _, e := range m.Endpoints {
				out = append(out, string(e.Status))
			}
		}
	}
	return strings.Join(out, " ")
}

// TestManagerNames: names resolve inside, by packets, to what the profile says;
// probes come from the service tag, and only they pass the NSG.
func TestManagerNames(t *testing.T) {
	n := startManaged(t, managedRegions, 100)
	if got := statesOf(n, "first"); got != "Online Online" {
		t.Fatalf("states: %s %+v", got, n.Managers())
	}
	for _, c := range []struct{ rule, host, name, want string }{
		{"priority", "client-eastus", "first.trafficmanager.net", "edge-westeurope"},
		{"performance, here", "client-westeurope", "near.trafficmanager.net", "edge-westeurope"},
		{"performance, there", "client-eastus", "near.trafficmanager.net", "edge-eastus"},
		{"a status that is not expected; always serve", "client-eastus", "bad.trafficmanager.net", "elsewhere"},
	} {
		if got := lookUp(t, n, c.host, c.name); got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
	if got := statesOf(n, "bad"); got != "Degraded Unmonitored" {
		t.Errorf("states: %s", got)
	}
	for _, m := range n.Managers() {
		if e := m.Endpoints[0]; m.Profile.Name == "bad" && !strings.Contains(e.Why, "status 200") {
			t.Errorf("why: %q", e.Why)
		}
	}
}

// TestManagerFailsOver: an endpoint that is down is noticed, the name moves when
// the resolver's copy has expired, and back again.
func TestManagerFailsOver(t *testing.T) {
	n := startManaged(t, managedRegions, 500)
	until := func(state, want string) {
		t.Helper()
		for {
			_, _, changed := n.Directory()
			if statesOf(n, "first") == state {
				break
			}
			select {
			case <-changed:
			case <-t.Context().Done():
				t.Fatal(statesOf(n, "first"))
			}
		}
		limit := time.Now().Add(20 * time.Second)
		for lookUp(t, n, "client-eastus", "first.trafficmanager.net") != want {
			if time.Now().After(limit) {
				t.Fatalf("the name does not move to %s", want)
			}
		}
	}
	until("Online Online", "edge-westeurope")
	restore := n.Fail(func(img *fabric.Image) fabric.Failure {
		f := fabric.Failure{Name: "westeurope"}
		for i := range img.Ports {
			if p := &img.Ports[i]; p.Region != fabric.None && img.Regions[p.Region] == "westeurope" && p.Kind == fabric.PortHost {
				f.Ports = append(f.Ports, fabric.PortID(i))
			}
		}
		return f
	})
	until("Degraded Online", "edge-eastus")
	restore()
	until("Online Online", "edge-westeurope")
}

// TestResolversKeepAnswers: a region's resolver answers the same for the TTL, with
// what is left of it.
func TestResolversKeepAnswers(t *testing.T) {
	p := trafficmanager.Profile{
		ID: "/p", Name: "p", FQDN: "p.trafficmanager.net", Method: trafficmanager.Weighted, TTL: 60,
		Endpoints: []trafficmanager.Endpoint{{Name: "a", Kind: trafficmanager.External, Target: "a.example", Weight: 1}, {Name: "b", Kind: trafficmanager.External, Target: "b.example", Weight: 1}},
	}
	d := newDirector(&Network{}, []trafficmanager.Profile{p}, 2)
	defer d.stop()
	start := time.Unix(1000, 0)
	first, ok := d.resolve("westeurope", p.FQDN, start)
	if !ok || first.TTL != 30 {
		t.Fatalf("%+v: the TTL is scaled by the pace", first)
	}
	for i := range 29 {
		if r, _ := d.resolve("westeurope", p.FQDN, start.Add(time.Duration(i)*time.Second)); r.Alias != first.Alias || r.TTL != uint32(30-i) {
			t.Fatalf("after %d s: %+v", i, r)
		}
	}
	seen := []string{}
	for i := range 40 {
		r, _ := d.resolve("westeurope", p.FQDN, start.Add(time.Duration(i)*31*time.Second))
		seen = append(seen, r.Alias)
	}
	if !slices.Contains(seen, "a.example") || !slices.Contains(seen, "b.example") {
		t.Errorf("later answers are drawn anew: %v", seen)
	}
	if _, known := d.resolve("westeurope", "q.trafficmanager.net", start); known {
		t.Error("a name of no profile")
	}
}
