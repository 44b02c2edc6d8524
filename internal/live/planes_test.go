package live_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// echo is services that say how they were asked.
type echo struct{}

func (echo) Metadata(vm model.ID) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "metadata of %s", vm.Name()) })
}

func (echo) Names(resource model.ID) []string {
	if !resource.Is(model.TypeKeyVault) {
		return nil
	}
	return []string{strings.ToLower(resource.Name()) + ".vault.azure.net"}
}

func (echo) Plane(resource model.ID, from netip.Addr, refused bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s private %v refused %v", resource.Name(), from.IsPrivate(), refused)
	})
}

// harbour has a vault that lets in one network by its service endpoint, one by
// a private endpoint, and nobody else; two networks have the same addresses.
const harbour = `
network: harbour
regions: [westeurope]
networks:
  - {name: a, address: 10.1.0.0/16, subnets: {app: {hosts: {a-1: {address: 10.1.0.10}}}, links: {}}}
  - {name: b, address: 10.1.0.0/16, subnets: {app: {default-outbound-access: true, hosts: {b-1: {address: 10.1.0.10}}}}}
  - {name: c, address: 10.3.0.0/16, subnets: {app: {service-endpoints: [key-vault], hosts: {c-1: {}}}}}
  - {name: d, address: 10.4.0.0/16, subnets: {app: {nsg: open, hosts: {d-1: {serves: whoami/8080, public-ip: {address: 203.0.113.77}}}}}}
nsgs: {open: {inbound: [{allow: internet -> any tcp/8080}]}}
services: [{name: keys, kind: key-vault, firewall: {default: deny, subnets: [app in c]}}, {name: harbourfiles, kind: storage}]
private-endpoints: [{name: keys-pe, service: keys, subnet: links in a, zones: [privatelink.vaultcore.azure.net]}]
dns: {privatelink.vaultcore.azure.net: {link: a}}
internet: {api.example.com: {address: 192.0.2.80, serves: [whoami/80, tcp/9, https/443]}}
expectations:
  - {allow: app in a -> endpoint:keys-pe https}
  - {deny: app in b -> keys https}
  - {allow: app in c -> keys https, pairs: any}
`

func runHarbour(t *testing.T, opts live.Options) (*live.Network, *model.Network) {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "harbour.yaml", Data: []byte(harbour)}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Internet: declared.Network.Internet})
	if err != nil {
		t.Fatal(err)
	}
	opts.Internet = declared.Network.Internet
	n, err := live.Start(img, declared.Network.Hosts, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Error(left)
		}
	})
	return n, declared.Network
}

func get(t *testing.T, n *live.Network, host, url string) (string, error) {
	t.Helper()
	h, err := n.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	res, err := h.HTTPClient().Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// Data planes are where the names lead, with certificates for them; a service's
// firewall refuses by an answer, and each machine has metadata of its own, equal
// addresses or not.
func TestPlanes(t *testing.T) {
	n, _ := runHarbour(t, live.Options{Services: echo{}})
	for _, tt := range []struct{ host, url, want string }{
		{"a-1", "https://keys.vault.azure.net/", "keys private true refused false"},
		{"b-1", "https://keys.vault.azure.net/", "keys private false refused true"},
		{"c-1", "https://keys.vault.azure.net/", "keys private true refused false"},
		{"a-1", "http://169.254.169.254/metadata/x", "metadata of a-1"},
		{"b-1", "http://169.254.169.254/metadata/x", "metadata of b-1"},
	} {
		if got, err := get(t, n, tt.host, tt.url); err != nil || got != tt.want {
			t.Errorf("%s from %s: %q, %v", tt.url, tt.host, got, err)
		}
	}
	// A service without a data plane greets as before.
	h, err := n.Host("b-1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.DialContext(t.Context(), "tcp", "harbourfiles.blob.core.windows.net:443")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 64)
	if k, err := c.Read(b); err != nil || string(b[:k]) != "harbourfiles tcp 443\n" {
		t.Errorf("%q, %v", b[:k], err)
	}
}

// Claims and probes see the packet that a service denies, whatever the service
// answers.
func TestPlanesAndProbes(t *testing.T) {
	n, declared := runHarbour(t, live.Options{Services: echo{}})
	for _, r := range n.Probe(t.Context(), declared.Expectations) {
		if !r.Holds {
			t.Errorf("%+v", r)
		}
		for _, p := range r.Probes {
			if p.Disagreement != nil {
				t.Error(p.Disagreement)
			}
		}
	}
}

// Without services the platform is as silent as it was, and a service's denial
// is the network's.
func TestNoPlanes(t *testing.T) {
	n, _ := runHarbour(t, live.Options{})
	h, err := n.Host("b-1")
	if err != nil {
		t.Fatal(err)
	}
	var denied *live.DeniedError
	if _, err := h.DialContext(t.Context(), "tcp", "keys.vault.azure.net:443"); !errors.As(err, &denied) {
		t.Error(err)
	}
}

// The network can be closed while programs talk to the platform: nothing of it
// is left.
func TestPlatformCloses(t *testing.T) {
	n, _ := runHarbour(t, live.Options{Services: echo{}})
	for _, host := range []string{"a-1", "b-1"} {
		h, err := n.Host(host)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"169.254.169.254:80", "168.63.129.16:53", "keys.vault.azure.net:443"} {
			c, err := h.DialContext(t.Context(), "tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close() // after the network
		}
	}
	n.Close()
	if left := n.Leaked(); left != "" {
		t.Error(left)
	}
}

// A declared host of the internet is reached by its name and sees the address
// that the network gave the sender; it dials in from its own.
func TestPublicHosts(t *testing.T) {
	n, _ := runHarbour(t, live.Options{})
	seen, err := get(t, n, "b-1", "http://api.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(seen)); err != nil || a.IsPrivate() {
		t.Errorf("it sees %q", seen)
	}
	if page, err := get(t, n, "b-1", "https://api.example.com/"); err != nil || page != "api.example.com\n" {
		t.Errorf("%q, %v", page, err)
	}
	if seen, err := get(t, n, "api.example.com", "http://203.0.113.77:8080/"); err != nil || seen != "192.0.2.80\n" {
		t.Errorf("dialled in by %q, %v", seen, err)
	}
	h, err := n.Host("api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Host("b-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DialContext(t.Context(), "tcp", "api.example.com:10"); !errors.Is(err, live.ErrRefused) {
		t.Errorf("a port where it does not listen: %v", err)
	}
	c, err := b.DialContext(t.Context(), "tcp", "api.example.com:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.RemoteAddr().(*net.TCPAddr).AddrPort(); got.Addr().Unmap() != h.Addrs()[0] {
		t.Error(got)
	}
}
