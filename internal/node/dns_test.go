package node

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// serving runs a DNS server for a test and returns what asks it.
func serving(t *testing.T, o DNSOptions) (ask func(name string, subnet string) string, events chan string) {
	t.Helper()
	events = make(chan string, 16)
	ready := make(chan netip.AddrPort, 1)
	o.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	o.Ready = func(at netip.AddrPort, _ []string, _ int) { ready <- at }
	o.Event = func(text string) { events <- text }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunDNS(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var at netip.AddrPort
	select {
	case at = <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return func(name, subnet string) string {
		q := new(mdns.Msg).SetQuestion(mdns.Fqdn(name), mdns.TypeA)
		if subnet != "" {
			p := netip.MustParsePrefix(subnet)
			q.SetEdns0(1232, false)
			q.IsEdns0().Option = append(q.IsEdns0().Option, &mdns.EDNS0_SUBNET{
				Code: mdns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice(),
			})
		}
		m, _, err := (&mdns.Client{Timeout: time.Minute}).Exchange(q, at.String())
		if err != nil {
			return err.Error()
		}
		out := mdns.RcodeToString[m.Rcode]
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *mdns.CNAME:
				out += " " + strings.TrimSuffix(rr.Target, ".")
			case *mdns.A:
				out += " " + rr.A.String()
			}
		}
		return out
	}, events
}

// named has names of every kind that a server shows.
const named = `
network: named
regions: [westeurope, eastus]
networks:
  - name: net-{region}
    each: region
    subnets:
      edge: {hosts: {"edge-{region}": {serves: [http/80], public-ip: true}}}
services:
  - {name: namedfiles, kind: storage, region: westeurope}
private-endpoints:
  - {name: files, service: namedfiles, subnet: edge in net-westeurope, address: 10.0.0.100, zones: [privatelink.blob.core.windows.net]}
dns:
  corp.example: {link: all, records: {db: 10.0.0.50}}
  privatelink.blob.core.windows.net: {link: all}
traffic-managers:
  - name: named
    method: performance
    ttl: 5
    endpoints: {west: {target: edge-westeurope}, east: {target: edge-eastus}}
`

// TestDNSOfANetwork: private zones, public names, and Traffic Manager by where
// the client is.
func TestDNSOfANetwork(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "network.yaml"), []byte(strings.Replace(named, "address: 10.0.0.100, ", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	ask, _ := serving(t, DNSOptions{Network: dir, Places: map[netip.Prefix]string{
		netip.MustParsePrefix("198.51.100.0/24"): "northeurope",
		netip.MustParsePrefix("203.0.113.0/24"):  "centralus",
	}})
	for _, c := range []struct{ rule, name, subnet, want string }{
		{"private zone", "db.corp.example", "", "NOERROR 10.0.0.50"},
		{"nearest to Europe", "named.trafficmanager.net", "198.51.100.0/24", "NOERROR named-edge-westeurope.westeurope.cloudapp.azure.com"},
		{"nearest to America", "named.trafficmanager.net", "203.0.113.0/24", "NOERROR named-edge-eastus.eastus.cloudapp.azure.com"},
		{"no such profile", "other.trafficmanager.net", "", "NXDOMAIN"},
		{"an alias towards the private endpoint", "namedfiles.blob.core.windows.net", "", "NOERROR namedfiles.privatelink.blob.core.windows.net 10."},
		{"nothing of the network", "example.com", "", "REFUSED"},
	} {
		if got := ask(c.name, c.subnet); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}

// TestDNSReadsFilesAgain: a good file takes over, a wrong one changes nothing.
func TestDNSReadsFilesAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zone")
	write := func(text string) {
		if err := os.WriteFile(file, []byte("$ORIGIN example.org.\n@ 60 IN SOA ns h 1 2 3 4 5\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a IN A 192.0.2.1\n")
	ask, events := serving(t, DNSOptions{Files: []string{file}})
	if got := ask("a.example.org", ""); got != "NOERROR 192.0.2.1" {
		t.Fatal(got)
	}
	write("a IN A 192.0.2.300\n")
	if e := <-events; !strings.HasPrefix(e, "not taken over") {
		t.Error(e)
	}
	if got := ask("a.example.org", ""); got != "NOERROR 192.0.2.1" {
		t.Errorf("after a wrong file: %s", got)
	}
	write("a IN A 192.0.2.22\n")
	if e := <-events; e != "zones read again" {
		t.Error(e)
	}
	if got := ask("a.example.org", ""); got != "NOERROR 192.0.2.22" {
		t.Errorf("after a good file: %s", got)
	}
}

func TestPlaces(t *testing.T) {
	p := newPlaces(&fabric.Image{}, map[netip.Prefix]string{netip.MustParsePrefix("10.0.0.0/8"): "uksouth", netip.MustParsePrefix("10.1.0.0/16"): "eastus"})
	for _, c := range []struct {
		addr string
		bits uint8
		want string
	}{
		{"10.2.3.4", 32, "uksouth"},
		{"10.1.3.4", 32, "eastus"},
		{"10.0.0.0", 8, "uksouth"},
		{"10.0.0.0", 4, ""},
		{"192.0.2.1", 32, ""},
	} {
		if got, _ := p.of(netip.MustParseAddr(c.addr), c.bits); got.Region != c.want {
			t.Errorf("%s/%d: %s, want %s", c.addr, c.bits, got.Region, c.want)
		}
	}
}
