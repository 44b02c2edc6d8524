package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
)

// farm is a load balancer with two members and a probe of each kind.
const farm = `
network: farm
regions: [westeurope]
networks:
  - name: farm
    address: 10.0.0.0/16
    subnets:
      front:
        hosts: {client: {}}
      web:
        nsg: web
        hosts:
          web-1: {serves: [tcp/80, http/8080, https/8443, udp/53]}
          web-2: {serves: [tcp/80, http/8080, https/8443, udp/53]}
nsgs:
  web:
    inbound:
      - {name: all, allow: any -> any}
      PROBES
load-balancers:
  - name: tcp
    frontends: {in: {subnet: front}}
    members: [web-1, web-2]
    probes: {alive: {port: 80, interval: 5}}
    rules:
      - {name: tcp, traffic: tcp/80}
      - {name: udp, traffic: udp/53}
  - name: http
    frontends: {in: {subnet: front}}
    members: [web-1, web-2]
    probes: {alive: {protocol: http, port: 8080, path: /health, interval: 5}}
    rules: [{name: http, traffic: tcp/8080}]
  - name: https
    frontends: {in: {subnet: front}}
    members: [web-1, web-2]
    probes: {alive: {protocol: https, port: 8443, path: /, interval: 5}}
    rules: [{name: https, traffic: tcp/8443}]
`

// start runs a declared network, and verifies at the end of the test that
// closing it leaves no goroutine.
func start(t testing.TB, yaml string, opts Options) *Network {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(img, declared.Network.Hosts, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Errorf("goroutines still run after the network was closed:\n%s", left)
		}
	})
	return n
}

func farmWith(rule string) string { return strings.Replace(farm, "PROBES", rule, 1) }

// frontOf returns the private frontend address of a load balancer.
func frontOf(t testing.TB, n *Network, name string) string {
	t.Helper()
	img := n.Image()
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Kind == fabric.PortBalancer && strings.EqualFold(p.Name, name) {
			return addrsOf(img, fabric.PortID(i))[0].String()
		}
	}
	t.Fatalf("no load balancer %q", name)
	return ""
}

// deadHost is the failure of one declared host.
func deadHost(name string) func(*fabric.Image) fabric.Failure {
	return func(img *fabric.Image) fabric.Failure {
		return fabric.Failure{Name: "host " + name, Ports: portsByHost(img)[name]}
	}
}

// until waits for a condition of the members' health.
func until(t testing.TB, n *Network, what string, is func([]MemberHealth) bool) {
	t.Helper()
	for begin := time.Now(); !is(n.Health()); {
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("not %s: %s", what, brief(n.Health()))
		}
		select {
		case <-t.Context().Done():
			t.Fatal("interrupted")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func brief(list []MemberHealth) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%s/%s up %v %q, %d of %d failed; ", m.Balancer, m.Member, m.Up, m.Why, m.Failed, m.Sent)
	}
	return b.String()
}

func states(list []MemberHealth) string {
	var b strings.Builder
	for _, m := range list {
		b.WriteByte(map[bool]byte{true: 'u', false: 'd'}[m.Up])
	}
	return b.String()
}

// Probes of every kind are really sent and really answered.
func TestHealthProbes(t *testing.T) {
	n := start(t, farmWith(""), Options{Pace: 20})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Health() {
		if !m.Measured || !m.Up || m.Sent == 0 || m.Answers[0].Took <= 0 || m.Host == "" {
			t.Errorf("%s %s of %s: %+v", m.Balancer, m.Probe.Name, m.Member, m)
		}
	}
	if len(n.Health()) != 6 {
		t.Errorf("%d members", len(n.Health()))
	}
}

// A network nobody probes has nothing for it, nor has one with pace 0.
func TestNoProbes(t *testing.T) {
	if n := start(t, farmWith(""), Options{}); n.pulse != nil || n.Health() != nil || n.Probed(t.Context()) != nil {
		t.Error("pace 0 sends probes")
	}
	if n := run(t, testImage(), Options{Pace: 1}); n.pulse != nil {
		t.Error("a network without probes has a pulse")
	}
}

// A rule that denies AzureLoadBalancer makes probes fail; the reason is the rule,
// also when packets have shown that nobody answers.
func TestProbesMeetFilters(t *testing.T) {
	n := start(t, farmWith("- {name: no-probes, deny: AzureLoadBalancer -> any tcp/80, priority: 100}"), Options{Pace: 1000})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Health() {
		if down := m.Balancer == "tcp"; down == m.Up || m.Up == (m.Why != "") {
			t.Errorf("%s: up %v, why %q", m.Balancer, m.Up, m.Why)
		}
	}
	until(t, n, "asked", func(list []MemberHealth) bool {
		return !slices.ContainsFunc(list, func(m MemberHealth) bool { return !m.Measured })
	})
	for _, m := range n.Health() {
		if want := "no-probes of web drops the probe of port 80"; !m.Up && m.Why != want {
			t.Errorf("%s of %s: %q, want %q", m.Probe.Name, m.Balancer, m.Why, want)
		}
	}
}

// Only status 200 is well, and a port that refuses is down; new flows go to the
// others and established TCP stays ("Azure Load Balancer health probes").
func TestFailover(t *testing.T) {
	n := start(t, farmWith(""), Options{Pace: 50})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := n.Host("client")
	if err != nil {
		t.Fatal(err)
	}
	front := frontOf(t, n, "tcp") + ":80"
	var streams []net.Conn
	var names []string
	for range 16 {
		c, name := greet(t, n, client, front)
		defer c.Close()
		streams, names = append(streams, c), append(names, name)
	}
	if !strings.Contains(strings.Join(names, ","), "web-1") || !strings.Contains(strings.Join(names, ","), "web-2") {
		t.Fatalf("both members should have flows: %v", names)
	}
	restore := n.Fail(deadHost("web-1"))
	until(t, n, "down", func(h []MemberHealth) bool { return states(h) == "dududu" })
	for range 8 {
		c, name := greet(t, n, client, front)
		c.Close()
		if !strings.HasPrefix(name, "web-2 ") {
			t.Errorf("a new flow went to %q", name)
		}
	}
	for i, c := range streams {
		if strings.HasPrefix(names[i], "web-2") {
			if err := echo(c); err != nil {
				t.Errorf("a stream to web-2: %v", err)
			}
		}
	}
	restore()
	restore()
	until(t, n, "up again", func(h []MemberHealth) bool { return states(h) == "uuuuuu" })
	for i, c := range streams {
		if err := echo(c); err != nil {
			t.Errorf("a stream to %s after the return: %v", names[i], err)
		}
	}
}

// A member whose probe fails keeps its TCP flows and gets no new ones.
func TestProbeDownKeepsStreams(t *testing.T) {
	n := start(t, farmWith(""), Options{Pace: 100})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, _ := n.Host("client")
	front := frontOf(t, n, "tcp") + ":80"
	var kept net.Conn
	for kept == nil {
		c, name := greet(t, n, client, front)
		defer c.Close()
		if strings.HasPrefix(name, "web-1") {
			kept = c
		}
	}
	n.Fail(func(img *fabric.Image) fabric.Failure {
		f := fabric.Failure{Name: "probe tcp/web-1"}
		for i := range img.Ports {
			if in := img.Ports[i].Inward; in != nil && img.Ports[i].Name == "tcp" {
				for _, x := range in.Redirects[0].Targets {
					if asked, ok := x.Asked(); ok && img.Ports[asked.Port].Has(fabric.Label{Kind: "host", Name: "web-1"}) {
						f.Probes = append(f.Probes, asked)
					}
				}
			}
		}
		return f
	})
	until(t, n, "down", func(h []MemberHealth) bool { return states(h) == "uuuudu" })
	for range 8 {
		c, name := greet(t, n, client, front)
		c.Close()
		if !strings.HasPrefix(name, "web-2 ") {
			t.Errorf("a new flow went to %q", name)
		}
	}
	if err := echo(kept); err != nil {
		t.Errorf("the established stream: %v", err)
	}
	if why := n.Health()[4].Why; why != "probe tcp/web-1" {
		t.Errorf("why %q", why)
	}
}

// Services of the declared hosts do not run: the listener is the test's.
func TestProbeNeedsStatus200(t *testing.T) {
	n := start(t, farmWith(""), Options{Pace: 100, NoServices: true})
	if err := n.Probed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := states(n.Health()); got != "dddddd" {
		t.Fatalf("nobody listens: %s", got)
	}
	web, _ := n.Host("web-1")
	l, err := web.Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	status <- 503
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := <-status
		status <- s
		w.WriteHeader(s)
	})}
	go server.Serve(l)
	defer server.Close()
	until(t, n, "503", func(h []MemberHealth) bool { return !h[0].Up && strings.Contains(h[0].Why, "status 503") })
	<-status
	status <- 200
	until(t, n, "up", func(h []MemberHealth) bool { return states(h) == "uddddd" })
}

func greet(t testing.TB, n *Network, from *Host, address string) (net.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := from.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	got, err := c.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(line[:got])
}

func echo(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, "still there\n"); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 12))
	return err
}

// The prober's stack gives its links up while members still answer: what arrives
// after that is dropped.
func TestPacketsForAClosedProber(t *testing.T) {
	n := start(t, farmWith(""), Options{})
	p := &prober{net: n}
	h, err := n.Host("web-1")
	if err != nil {
		t.Fatal(err)
	}
	_, l, err := p.to(h.links[0])
	if err != nil {
		t.Fatal(err)
	}
	begun, stop := make(chan struct{}), make(chan struct{})
	var wire sync.WaitGroup
	wire.Go(func() {
		for i := 0; ; i++ {
			l.deliver(buffer.NewViewWithData([]byte{0x45, 19: 0}), engine.Offload{Partial: true})
			if i == 100 {
				close(begun)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-begun
	p.close()
	close(stop)
	wire.Wait()
	if l.IsAttached() {
		t.Error("the link is still attached")
	}
}
