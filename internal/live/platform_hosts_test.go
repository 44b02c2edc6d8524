package live_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// town has hosts behind a public and an internal load balancer and behind one
// that floats its address, what the platform runs, and an office.
const town = `
network: town
regions: [westeurope]
networks:
  - name: town
    address: 10.0.0.0/16
    subnets:
      GatewaySubnet: {length: 27}
      app: {nsg: app, nat-gateway: out, hosts: {app-1: {}}}
      web: {nsg: web, hosts: {web-1: {serves: tcp/8443}, web-2: {serves: tcp/8443}}}
      cluster: {hosts: {sql-1: {}, sql-2: {}}}
      links: {private-endpoint-policies: nsg, nsg: links}
nat-gateways: [{name: out}]
nsgs:
  app: {inbound: [{name: ssh, allow: 192.168.0.0/24 -> any ssh}, {name: nothing-else, deny: any -> any}]}
  web: {inbound: [{name: customers, allow: internet -> any tcp/8443}]}
  links:
    inbound:
      - {name: orders, allow: app -> any sqlserver}
      - {name: nothing-else, deny: any -> any}
load-balancers:
  - name: front
    frontends: {front: {public-ip: true}}
    members: [web-1, web-2]
    rules: [{name: https, traffic: https, to-port: 8443}]
  - name: inside
    frontends: {inside: {subnet: web}}
    members: [web-1, web-2]
    rules: [{name: https, traffic: https, to-port: 8443}]
  - name: listener
    frontends: {listener: {subnet: cluster}}
    members: [sql-1, sql-2]
    rules: [{name: sql, traffic: sqlserver, floating-ip: true}]
`

// outside is the part of town that nobody declares as hosts.
const outside = `
gateways: [{name: vpn, kind: vpn, vnet: town}]
sites: [{name: office, prefixes: [192.168.0.0/24], gateways: vpn, address: 198.51.100.10}]
services:
  - {name: townfiles, kind: storage}
  - {name: town-orders, kind: sql, public: false}
  - {name: town-keys, kind: key-vault}
private-endpoints: [{name: orders-pe, service: town-orders, subnet: links}]
expectations:
  - allow: internet -> front https
  - deny: internet -> app
  - allow: app -> inside https
  - allow: app -> listener sqlserver
  - allow: app -> orders-pe sqlserver
  - deny: web -> orders-pe sqlserver
  - allow: app -> townfiles https
  - deny: internet -> town-orders sqlserver
  - allow: office -> app ssh
  - deny: office -> app https
  - allow: office -> web-1 tcp/8443
  - deny: office -> orders-pe
`

func parse(t *testing.T, yaml string) (*fabric.Image, *model.Network) {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return img, declared.Network
}

// start runs a network and verifies that closing it leaves nothing.
func start(t *testing.T, img *fabric.Image, hosts []model.Host) *live.Network {
	t.Helper()
	n, err := live.Start(img, hosts, live.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Errorf("goroutines left:\n%s", left)
		}
	})
	return n
}

func hostOf(t *testing.T, n *live.Network, name string) *live.Host {
	t.Helper()
	h, err := n.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// frontend returns the address of a load balancer or service: the private one,
// or the public one of what has none.
func frontend(t *testing.T, img *fabric.Image, name string) string {
	t.Helper()
	for i := range img.Ports {
		if img.Ports[i].Name != name {
			continue
		}
		if own := img.Sets[img.Ports[i].Addrs]; !own.IsEmpty() {
			return own.Min().Addr().String()
		}
		for _, p := range img.Publics {
			if p.Port == fabric.PortID(i) {
				return p.Addr.String()
			}
		}
	}
	t.Fatalf("no %s in the image", name)
	return ""
}

// says dials and returns the first line that comes back.
func says(t *testing.T, from *live.Host, address, port string) (string, error) {
	t.Helper()
	c, err := from.DialContext(t.Context(), "tcp", net.JoinHostPort(address, port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	return bufio.NewReader(c).ReadString('\n')
}

// A load balancer keeps the client's address, replaces the destination and hands
// flows to every member (Azure Load Balancer components).
func TestBalancersAnswerAsTheirMembers(t *testing.T) {
	img, network := parse(t, town+outside)
	n := start(t, img, network.Hosts)
	for _, tt := range []struct{ from, balancer string }{{"internet", "front"}, {"app-1", "inside"}} {
		members := map[string]int{}
		for range 32 {
			line, err := says(t, hostOf(t, n, tt.from), frontend(t, img, tt.balancer), "443")
			if err != nil {
				t.Fatal(err)
			}
			members[line]++
		}
		if len(members) != 2 || members["web-1 tcp 8443\n"] == 0 || members["web-2 tcp 8443\n"] == 0 {
			t.Errorf("%s: %v", tt.balancer, members)
		}
	}
	// ICMP is not balanced, and other ports have no rule.
	var denied *live.DeniedError
	if _, err := says(t, hostOf(t, n, "app-1"), frontend(t, img, "inside"), "22"); !errors.As(err, &denied) || denied.Reason.Code != fabric.CodeNoRedirect {
		t.Errorf("%v", err)
	}
	if _, err := hostOf(t, n, "app-1").Ping(t.Context(), netip.MustParseAddr(frontend(t, img, "inside"))); !errors.As(err, &denied) {
		t.Errorf("%v", err)
	}
}

// With floating IP the member gets the packet for the frontend's address and
// answers from it (Azure Load Balancer floating IP configuration).
func TestFloatingAddress(t *testing.T) {
	img, network := parse(t, town+outside)
	n := start(t, img, network.Hosts)
	front := frontend(t, img, "listener")
	accepted := make(chan net.Conn, 1)
	for _, name := range []string{"sql-1", "sql-2"} {
		l, err := hostOf(t, n, name).Listen("tcp", ":1433")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				accepted <- c
			}
		}()
	}
	c, err := hostOf(t, n, "app-1").DialContext(t.Context(), "tcp", front+":1433")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := <-accepted
	defer in.Close()
	if in.LocalAddr().String() != front+":1433" || in.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("the member sees %s to %s", in.RemoteAddr(), in.LocalAddr())
	}
}

// What the platform runs listens where its kind does, by its own address and by
// its private endpoint.
func TestServicesListen(t *testing.T) {
	img, network := parse(t, town+outside)
	n := start(t, img, network.Hosts)
	app := hostOf(t, n, "app-1")
	for _, tt := range []struct{ service, port, want string }{
		{"townfiles", "443", "townfiles tcp 443\n"},
		{"townfiles", "445", "townfiles tcp 445\n"},
		{"townfiles", "1433", "refused"},
		{"town-keys", "443", "town-keys tcp 443\n"},
		{"town-keys", "445", "refused"},
		{"orders-pe", "1433", "orders-pe tcp 1433\n"},
		{"orders-pe", "443", "nothing-else"},
		{"town-orders", "1433", "publicNetworkAccess"},
	} {
		line, err := says(t, app, frontend(t, img, tt.service), tt.port)
		if err == nil && line != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %q, %v", tt.service, tt.port, line, err)
		}
	}
}

// A site dials and listens like a host.
func TestSites(t *testing.T) {
	img, network := parse(t, town+outside)
	n := start(t, img, network.Hosts)
	office, app := hostOf(t, n, "Office"), hostOf(t, n, "app-1")
	if line, err := says(t, office, hostOf(t, n, "web-1").Addrs()[0].String(), "8443"); err != nil || line != "web-1 tcp 8443\n" {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := says(t, office, app.Addrs()[0].String(), "443"); err == nil || !strings.Contains(err.Error(), "nothing-else") {
		t.Errorf("%v", err)
	}
	l, err := office.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := app.DialContext(t.Context(), "tcp", "192.168.0.77:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go io.WriteString(in, "hello from the office\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "hello from the office\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestProbesOfThePlatform(t *testing.T) {
	img, network := parse(t, town+outside)
	n := start(t, img, network.Hosts)
	for _, r := range n.Probe(t.Context(), network.Expectations) {
		if len(r.Probes) == 0 {
			t.Errorf("%s: nothing was tried", r.Expectation.Text)
		}
		for _, p := range r.Probes {
			if !p.Holds || p.Disagreement != nil {
				t.Errorf("%s: %s to %s (%s): %s, %v", r.Expectation.Text, p.From, p.To, p.Packet, p.Said, p.Disagreement)
			}
		}
	}
}

// What appears with a new image runs, what disappears is cut off, and what
// returns runs again.
func TestSwapBringsThePlatform(t *testing.T) {
	before, network := parse(t, town)
	after, _ := parse(t, town+outside)
	n := start(t, before, network.Hosts)
	if _, err := n.Host("office"); err == nil {
		t.Fatal("the office is there before it is declared")
	}
	for _, name := range []string{"office", "townfiles", "orders-pe"} {
		for range 2 {
			n.Swap(after)
			if hostOf(t, n, name).Port() == fabric.None {
				t.Errorf("%s has no port", name)
			}
			n.Swap(before)
			if hostOf(t, n, name).Port() != fabric.None {
				t.Errorf("%s has a port in an image without it", name)
			}
		}
	}
	n.Swap(after)
	if line, err := says(t, hostOf(t, n, "app-1"), frontend(t, after, "townfiles"), "443"); err != nil || line != "townfiles tcp 443\n" {
		t.Errorf("%q, %v", line, err)
	}
	if line, err := says(t, hostOf(t, n, "office"), hostOf(t, n, "web-2").Addrs()[0].String(), "8443"); err != nil || line != "web-2 tcp 8443\n" {
		t.Errorf("%q, %v", line, err)
	}
	n.Close()
	n.Swap(before)
	n.Swap(after)
	if _, err := hostOf(t, n, "office").DialContext(t.Context(), "tcp", "10.0.0.4:1"); !errors.Is(err, live.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// A site that appears after the end does not start.
func TestSwapAfterClose(t *testing.T) {
	before, network := parse(t, town)
	after, _ := parse(t, town+outside)
	n := start(t, before, network.Hosts)
	n.Close()
	n.Swap(after)
	if _, err := hostOf(t, n, "office").DialContext(t.Context(), "tcp", "10.0.0.4:1"); !errors.Is(err, live.ErrClosed) {
		t.Errorf("%v", err)
	}
}
