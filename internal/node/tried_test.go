package node_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ceruleannet/cerulean/internal/node"
)

// What is claimed of prefixes, of declared hosts outside, of hosts that only a load
// balancer leads to from outside, and of a DNS server, is tried by packets, and
// they agree with the proof; so do datagrams over a link that loses some.
func TestWhatIsTried(t *testing.T) {
	path := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(path, []byte(`
network: tried
regions: [westeurope, northeurope]
networks:
  - name: shop
    region: westeurope
    address: 10.7.0.0/16
    subnets:
      web:
        nsg: web
        hosts:
          web-1: {address: 10.7.0.10, serves: http/8080}
          web-2: {address: 10.7.0.11, serves: http/8080}
      names: {hosts: {dns-1: {serves: dns}}}
  - name: far
    region: northeurope
    address: 10.8.0.0/16
    subnets: {logs: {nat-gateway: out, hosts: {log-1: {serves: udp/514}, log-2: {}, log-3: {}, log-4: {}}}}
peerings: [{between: [shop, far]}]
nsgs: {web: {inbound: [{allow: internet -> any tcp/22 tcp/8080}]}}
load-balancers:
  - name: front
    region: westeurope
    frontends: {all: {public-ip: true}}
    members: [web-1, web-2]
    rules: [{traffic: tcp/8080}]
    nat-rules:
      - {name: ssh-1, traffic: tcp/2201, to: web-1, to-port: 22}
      - {name: ssh-2, traffic: tcp/2202, to: web-2, to-port: 22}
nat-gateways: [{name: out, region: northeurope, public-ip: true}]
internet:
  client.example: {address: 198.51.100.7, serves: http/80}
underlay: {seed: 5, links: [{between: [westeurope, northeurope], loss: 10%}]}
expectations:
  - {allow: internet -> web tcp/8080}
  - {allow: client.example -> web tcp/8080}
  - {allow: 198.51.100.0/24 -> front tcp/2201}
  - {allow: "client.example -> web tcp/2201,2202"}
  - {allow: client.example -> web tcp/2201}
  - {allow: client.example -> web tcp/22}
  - {allow: 10.7.0.0/16 -> dns-1 udp/53 tcp/53}
  - {allow: web -> 10.8.0.0/24 udp/514 icmp}
  - {deny: internet -> names}
  - {allow: logs -> front tcp/8080}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := node.Up(t.Context(), path, node.UpOptions{Listen: "127.0.0.1:0"}, func(node.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := []struct {
		proof                string
		probes, thatConfirms int
	}{
		{"holds", 1, 1},
		{"holds", 1, 1},
		{"holds", 1, 1},
		{"holds", 2, 2},
		{"broken", 2, 1},
		{"broken", 2, 0},
		{"holds", 4, 4},
		{"holds", 16, 16},
		{"holds", 5, 5},
		{"holds", 4, 4},
	}
	for i, r := range s.Rows() {
		if w := want[i]; r.Proof != w.proof || r.Probes != w.probes || r.Confirmed != w.thatConfirms || r.Contradiction != "" {
			t.Errorf("%s: %s, %d of %d %s; want %s, %d of %d", r.Expectation, r.Proof, r.Confirmed, r.Probes, r.Contradiction, w.proof, w.thatConfirms, w.probes)
		}
	}
}
