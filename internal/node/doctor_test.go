package node

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The classic story: a database that cannot be reached, by five faults. The
// doctor names each with its line and a fix, and finds nothing in the network in
// order.
func TestDoctor(t *testing.T) {
	const folder = "../../examples/unreachable-database/"
	for _, c := range []struct {
		name, cause, place, fix string
		fails                   string // the steps that fail
	}{
		{name: "healthy"},
		{"zone-not-linked", "private zone privatelink.database.windows.net is not linked to virtual network cluster", "network.yaml:33:3", "link zone privatelink.database.windows.net to cluster", "name connection"},
		{"nsg-denies", "links: lockdown (100) denies it", "network.yaml:48:9", "in links before lockdown", "rules connection"},
		{"dead-appliance", "route 10.10.1.0/24 (User) of app leads to 10.10.2.9, which no port has", "network.yaml:37:7", "route 10.10.1.0/24", "route connection"},
		{"wrong-record", "the record of orders-sql.privatelink.database.windows.net says 10.10.1.40, and database is at 10.10.1.4", "network.yaml:32:63", "let the record say 10.10.1.4", "name connection"},
		{"endpoint-pending", "the connection of private endpoint database is Pending", "network.yaml:29:5", "approve the connection", "name rules endpoint connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := Up(t.Context(), folder+c.name, UpOptions{Listen: "127.0.0.1:0", NoProbe: true}, func(Event) {})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, to := range []string{"database:1433", "orders-sql.database.windows.net:1433"} {
				d, err := s.Doctor(t.Context(), "app", to)
				if err != nil {
					t.Fatal(err)
				}
				var b bytes.Buffer
				if err := d.WriteText(&b, func(_, text string) string { return text }); err != nil {
					t.Fatal(err)
				}
				var fails []string
				for _, s := range d.Steps {
					if s.State == stepFails {
						fails = append(fails, s.Step)
					}
				}
				if d.OK != (c.cause == "") || strings.Join(fails, " ") != c.fails {
					t.Errorf("%s: ok %v, fails %v\n%s", to, d.OK, fails, b.String())
				}
				if d.Cause == nil {
					continue
				}
				if x := d.Cause; !strings.Contains(x.What, c.cause) || !strings.HasSuffix(x.Place, c.place) || !strings.Contains(x.Fix, c.fix) {
					t.Errorf("%s: the cause is %+v\n%s", to, *x, b.String())
				}
			}
		})
	}
}

// Who asks for what is not there is told what there is.
func TestDoctorRefuses(t *testing.T) {
	s, err := Up(t.Context(), "../../examples/unreachable-database/healthy", UpOptions{Listen: "127.0.0.1:0", NoProbe: true}, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ from, to, want string }{
		{"nobody", "database:1433", "FROM"},
		{"app", "database", "NAME:PORT"},
		{"app", "database:x", "not a port"},
		{"app", "database:0", "not a port"},
		{"app", "nothing:80", "nothing of the network is called"},
	} {
		if _, err := s.Doctor(t.Context(), c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	// A rule of the sender's own subnet, and a port where nobody listens.
	for _, c := range []struct{ from, to, cause string }{
		{"app", "inspector:22", "nothing-else"},
		{"app", "10.10.2.4:22", "nothing-else"},
		{"inspector", "app:80", "nobody listens at port 80"},
	} {
		d, err := s.Doctor(t.Context(), c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		if d.OK || d.Cause == nil || !strings.Contains(d.Cause.What, c.cause) {
			t.Errorf("%s to %s: %+v", c.from, c.to, d.Cause)
		}
	}
}

// Source ports that are all in use towards a destination are a cause of their own:
// nothing denies, and the packet is lost.
func TestDoctorFindsExhaustedPorts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(path, []byte(`
network: squeeze
regions: [westeurope]
networks:
  - {name: farm, subnets: {jobs: {hosts: {worker: {}}}}}
load-balancers:
  - name: small
    frontends: {front: {public-ip: true}}
    members: [worker]
    outbound-rules: [{name: out, ports: 8}]
internet:
  api.example.com: {address: 192.0.2.80, serves: http/80}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Up(t.Context(), path, UpOptions{Listen: "127.0.0.1:0", NoProbe: true}, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := s.Net.Host("worker")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c, err := h.DialContext(t.Context(), "tcp", "192.0.2.80:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	d, err := s.Doctor(t.Context(), "worker", "api.example.com:80")
	if err != nil {
		t.Fatal(err)
	}
	if d.OK || d.Cause == nil || d.Cause.What != "load balancer small has none of worker's 8 source ports left towards 192.0.2.80" || !strings.Contains(d.Cause.Place, "network.yaml:") || d.Cause.Fix == "" {
		t.Errorf("%+v", d.Cause)
	}
	_, err = h.DialContext(t.Context(), "tcp", "192.0.2.80:80")
	if err == nil || !strings.Contains(err.Error(), "lost: no source port is left for its destination (ports-exhausted)") {
		t.Error(err)
	}
}

// Who is outside asks at public addresses, and a site comes over its gateway.
func TestDoctorFromOutside(t *testing.T) {
	s := upWith(t, written(t, `
network: outside
regions: [westeurope]
networks:
  - name: net
    address: 10.0.0.0/16
    subnets: {web: {nsg: web, hosts: {web: {serves: tcp/80, public-ip: true}, inner: {serves: tcp/80}}}}
nsgs: {web: {inbound: [{name: shop, allow: any -> any tcp/80}, {name: none, deny: any -> any}]}}
gateways: [{name: vpn, kind: vpn, vnet: net, sku: VpnGw1AZ}]
sites: [{name: office, prefixes: [192.168.0.0/16], gateways: [vpn], address: 198.51.100.10}]
internet: {buyer.example: {address: 192.0.2.80}}
`), UpOptions{NoProbe: true})
	for _, c := range []struct {
		from, to, cause string
		ok              bool
	}{
		{"buyer.example", "web:80", "", true},
		{"buyer.example", "web:81", "web: none (110) denies it", false},
		{"buyer.example", "inner:80", "the internet has no way to 10.0.0.5", false},
		{"office", "inner:80", "", true},
		{"office", "inner:81", "web: none (110) denies it", false},
	} {
		d, err := s.Doctor(t.Context(), c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range d.Steps {
			if (x.Step == "route" || x.Step == "rules") && (x.State == stepSkipped || x.State == stepUnknown) {
				t.Errorf("%s to %s: %+v", c.from, c.to, x)
			}
		}
		if d.OK != c.ok || !c.ok && (d.Cause == nil || !strings.Contains(d.Cause.What, c.cause)) {
			t.Errorf("%s to %s: ok %v, %+v", c.from, c.to, d.OK, d.Cause)
		}
	}
}
