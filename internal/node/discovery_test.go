package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
	"github.com/ceruleannet/cerulean/model"
)

// ask answers a question from a snapshot: the code and the records, sorted.
func ask(t *testing.T, s *dns.Snapshot, name string, kind uint16) string {
	t.Helper()
	b, err := new(mdns.Msg).SetQuestion(mdns.Fqdn(name), kind).Pack()
	if err != nil {
		t.Fatal(err)
	}
	out, o := s.Respond(nil, dns.Request{Message: b, From: netip.MustParseAddr("10.0.0.1"), TCP: true})
	if o.Silent {
		return "silent"
	}
	m := new(mdns.Msg)
	if err := m.Unpack(out); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, rr := range m.Answer {
		list = append(list, fmt.Sprintf("%d %s", rr.Header().Ttl, strings.TrimPrefix(rr.String(), rr.Header().String())))
	}
	slices.Sort(list)
	return strings.Join(append([]string{mdns.RcodeToString[m.Rcode]}, list...), ", ")
}

// Names of services: addresses of those that are well, places as RFC 2782 has them,
// and a short TTL.
func TestServiceZone(t *testing.T) {
	instance := func(service, id, addr string, change func(*discovery.Instance)) discovery.Instance {
		i := discovery.Instance{Service: service, ID: id, Addr: netip.MustParseAddr(addr), Port: 80, Protocol: discovery.TCP, Weight: 1, Health: discovery.Passing}
		if change != nil {
			change(&i)
		}
		return i
	}
	list := []discovery.Instance{
		instance("down", "a", "10.0.1.4", func(i *discovery.Instance) { i.Health = discovery.Critical }),
		instance("names", "a", "10.0.2.4", func(i *discovery.Instance) { i.Protocol, i.Port = discovery.UDP, 53 }),
		instance("web", "a", "10.0.0.4", func(i *discovery.Instance) { i.Weight = 3 }),
		instance("web", "b", "2001:db8::5", nil),
		instance("web", "c", "10.0.0.6", func(i *discovery.Instance) { i.Health = discovery.Critical }),
	}
	s, err := dns.Compile(serviceZone("svc.test", netip.MustParseAddr("10.9.9.9"), list))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"svc.test", mdns.TypeA, "NOERROR, 5 10.9.9.9"},
		{"web.svc.test", mdns.TypeA, "NOERROR, 5 10.0.0.4"},
		{"WEB.svc.test", mdns.TypeAAAA, "NOERROR, 5 2001:db8::5"},
		{"_web._tcp.svc.test", mdns.TypeSRV, "NOERROR, 5 0 1 80 b.web.svc.test., 5 0 3 80 a.web.svc.test."},
		{"_web._udp.svc.test", mdns.TypeSRV, "NXDOMAIN"},
		{"_names._udp.svc.test", mdns.TypeSRV, "NOERROR, 5 0 1 53 a.names.svc.test."},
		{"a.web.svc.test", mdns.TypeA, "NOERROR, 5 10.0.0.4"},
		{"c.web.svc.test", mdns.TypeA, "NXDOMAIN"},
		{"down.svc.test", mdns.TypeA, "NOERROR"},
		{"_down._tcp.svc.test", mdns.TypeSRV, "NXDOMAIN"},
		{"other.svc.test", mdns.TypeA, "NXDOMAIN"},
		{"svc.example", mdns.TypeA, "REFUSED"},
	} {
		if got := ask(t, s, c.name, c.kind); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.name, mdns.TypeToString[c.kind], got, c.want)
		}
	}
	var many []discovery.Instance
	for i := range 600 {
		many = append(many, instance("web", fmt.Sprintf("i%d", i), fmt.Sprintf("10.0.%d.%d", i/200, i%200+1), nil))
	}
	if s, err = dns.Compile(serviceZone("svc.test", netip.Addr{}, many)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(ask(t, s, "web.svc.test", mdns.TypeA), ", "); got != maxAddresses {
		t.Errorf("%d addresses in an answer", got)
	}
	if got := strings.Count(ask(t, s, "_web._tcp.svc.test", mdns.TypeSRV), ", "); got != maxPlaces {
		t.Errorf("%d places in an answer", got)
	}
}

const discovered = `
network: shop
regions: [westeurope]
networks:
  - name: net
    subnets:
      web:
        hosts:
          web-1: {serves: [http/80, http/8080], zone: 1, identity: system}
          web-2: {serves: [http/80], zone: 2}
          client: {}
`

// written writes a network and returns its file.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Hosts are in the registry by themselves, with where they are; one that is down
// leaves when its lease is over, and is back when it is.
func TestHostsDiscovered(t *testing.T) {
	s := upWith(t, written(t, discovered), UpOptions{Pace: 10})
	var list []discovery.Instance
	now := func() string {
		list = s.discovery.registry.List(time.Now(), "").Instances
		var out []string
		for _, i := range list {
			out = append(out, fmt.Sprintf("%s/%s %s %s", i.Service, i.ID, i.AddrPort(), i.Health))
		}
		return strings.Join(out, ", ")
	}
	all := "web/web-1 10.0.0.4:80 passing, web/web-2 10.0.0.5:80 passing, web-8080/web-1 10.0.0.4:8080 passing"
	until(t, all, func() bool { return now() == all })
	if i := list[0]; i.Region != "westeurope" || i.Zone != "1" || i.Metadata["subnet"] != "web" || i.Metadata["vnet"] != "net" || i.Metadata["host"] != "web-1" || i.Metadata["kind"] != "http" {
		t.Errorf("%+v", i)
	}
	at := list[0].Addr
	restore := s.Net.Fail(func(img *fabric.Image) fabric.Failure {
		var f fabric.Failure
		for i := range img.Ports {
			if img.Sets[img.Ports[i].Addrs].Contains(fabric.AddrValue(at)) && img.Ports[i].Has(fabric.Label{Kind: string(model.LabelHost), Name: "web-1"}) {
				f.Ports = append(f.Ports, fabric.PortID(i))
			}
		}
		return f
	})
	one := "web/web-2 10.0.0.5:80 passing"
	until(t, one, func() bool { return now() == one })
	restore()
	until(t, all, func() bool { return now() == all })
	s.discovery.program("web-2", false)
	ended := strings.Replace(all, "10.0.0.5:80 passing", "10.0.0.5:80 critical", 1)
	until(t, ended, func() bool { return now() == ended })
	s.discovery.program("web-2", true)
	until(t, all, func() bool { return now() == all })
}

// Inside the network the registry answers by name, and by HTTP to who bears a
// token: the host's own, or its managed identity's for the registry.
func TestRegistryInside(t *testing.T) {
	s := upWith(t, written(t, discovered), UpOptions{})
	until(t, "names", func() bool {
		return ask(t, s.discovery.names.now.Load(), "web."+DiscoveryZone, mdns.TypeA) == "NOERROR, 5 10.0.0.4, 5 10.0.0.5"
	})
	host, err := s.Net.Host("client")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := host.LookupHost(t.Context(), "web-1.web."+DiscoveryZone); err != nil || len(got) != 1 || got[0].String() != "10.0.0.4" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := host.LookupHost(t.Context(), "nobody."+DiscoveryZone); err == nil {
		t.Error("a service that is not there has an address")
	}
	url := "http://" + DiscoveryZone + ":8500"
	client := &discovery.Client{URL: url, HTTP: host.HTTPClient()}
	said := func(c *discovery.Client) string {
		list, err := c.List(t.Context(), "web")
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(len(list.Instances))
	}
	for _, c := range []struct{ rule, token, want string }{
		{"no token", "", "bring a token"},
		{"another host's", s.discovery.token("web-1"), "neither client's own nor"},
		{"its own", s.discovery.token("Client"), "2"},
	} {
		client.Token = c.token
		if got := said(client); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
	mine := discovery.Instance{Service: "own", ID: "x", Addr: host.Addrs()[0], Port: 9000}
	other := mine
	other.Addr = netip.MustParseAddr("10.0.0.4")
	if err := client.Register(t.Context(), other, time.Minute, nil); err == nil || !strings.Contains(err.Error(), "no address of client") {
		t.Errorf("another's address: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Register(ctx, mine, time.Minute, nil) }()
	until(t, "registered from within", func() bool { return len(s.discovery.registry.List(time.Now(), "own").Instances) == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	machine, err := s.Net.Host("web-1")
	if err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]string{discoveryAudience: "2", "https://vault.azure.net": "another audience"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+audience, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Metadata", "true")
		res, err := machine.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var token struct {
			Access string `json:"access_token"`
		}
		err = json.NewDecoder(res.Body).Decode(&token)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := said(&discovery.Client{URL: url, Token: token.Access, HTTP: machine.HTTPClient()}); !strings.Contains(got, want) {
			t.Errorf("an identity's token for %s: %s, want %s", audience, got, want)
		}
	}
}

// A gateway balances over a registry that runs alone: instances that come are
// asked, those that go are not, and none of the requests meanwhile fails.
func TestGatewayFollowsRegistry(t *testing.T) {
	short, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	t.Setenv("XDG_RUNTIME_DIR", short)
	tokenFile := filepath.Join(short, "token")
	type opened struct{ http, dns netip.AddrPort }
	ready := make(chan opened, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 4)
	running := 0
	start := func(f func() error) { running++; go func() { ended <- f() }() }
	t.Cleanup(func() {
		cancel()
		for range running {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	anywhere := netip.MustParseAddrPort("127.0.0.1:0")
	start(func() error {
		return RunRegistry(ctx, RegistryOptions{
			Listen: anywhere, DNS: anywhere, TokenFile: tokenFile, Zone: "svc.test",
			Ready: func(http, dns netip.AddrPort, _ string) { ready <- opened{http, dns} },
		})
	})
	var at opened
	select {
	case at = <-ready:
	case err := <-ended:
		running--
		t.Fatal(err)
	}
	url := "http://" + at.http.String()
	if _, err := ListServices(ctx, RegistryTarget{URL: url}, ""); err == nil || !strings.Contains(err.Error(), "bring the registry's token") {
		t.Errorf("without the token: %v", err)
	}
	target := RegistryTarget{URL: url, TokenFile: tokenFile}
	var asked [2]atomic.Int64
	var leave [2]context.CancelFunc
	register := func(n int) {
		web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked[n].Add(1) }))
		t.Cleanup(web.Close)
		var own context.Context
		own, leave[n] = context.WithCancel(ctx)
		start(func() error {
			return RegisterService(own, target, Registration{
				Service: "web", ID: fmt.Sprint("i", n), At: netip.MustParseAddrPort(web.Listener.Addr().String()),
			}, time.Minute)
		})
	}
	register(0)
	file := filepath.Join(short, "gateway.yaml")
	listener := free(t)
	config := fmt.Sprintf(`gateway: web
discovery: {url: "%s", tokenFile: token}
listeners: [{name: web, port: %d}]
pools: [{name: web, discovery: web}]
settings: [{name: plain, drain: 10s}]
rules: [{name: web, priority: 1, listener: web, pool: web, settings: plain}]
`, url, listener)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	up := make(chan []string, 1)
	start(func() error {
		return RunGateway(ctx, file, GatewayOptions{Ready: func(at []string) { up <- at }})
	})
	<-up
	get := func() int {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", listener))
		if err != nil {
			t.Error(err)
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	until(t, "the first instance is asked", func() bool { return get() == http.StatusOK })
	well := func() bool {
		code := get()
		if code != http.StatusOK {
			t.Errorf("answered %d meanwhile", code)
		}
		return code == http.StatusOK
	}
	register(1)
	until(t, "the second is asked too", func() bool { return well() && asked[1].Load() > 0 })
	leave[0]()
	var last int64
	until(t, "the first is left alone", func() bool {
		before := asked[0].Load()
		well()
		well()
		last = asked[0].Load()
		return last == before
	})
	for range 20 {
		well()
	}
	if asked[0].Load() != last {
		t.Error("asked after it had gone")
	}
	names := &mdns.Client{Timeout: time.Minute}
	until(t, "its name", func() bool {
		m, _, err := names.Exchange(new(mdns.Msg).SetQuestion("_web._tcp.svc.test.", mdns.TypeSRV), at.dns.String())
		return err == nil && len(m.Answer) == 1 && m.Answer[0].(*mdns.SRV).Target == "i1.web.svc.test."
	})
}

// What is wrong with a registry's token is told.
func TestRegistryToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	token, made, err := ownToken(file)
	if err != nil || made != "" || len(token) < minToken {
		t.Fatal(token, made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	if again, _, err := ownToken(file); err != nil || again != token {
		t.Errorf("%q %v, want %q", again, err, token)
	}
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ownToken(file); err == nil || !strings.Contains(err.Error(), "holds no token") {
		t.Errorf("%v", err)
	}
	if _, made, err := ownToken(""); err != nil || made == "" {
		t.Errorf("%q %v", made, err)
	}
}

func TestInstanceID(t *testing.T) {
	for host, want := range map[string]string{"web-1": "web-1", "Web-1": "web-1"} {
		if got := instanceID(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	a, b := instanceID("web.1"), instanceID("web_1")
	if a == b || len(instanceID(strings.Repeat("x", 80))) > 63 || strings.ContainsAny(a+b, "._") {
		t.Errorf("%s %s", a, b)
	}
}

// free returns a port that nobody listens at.
func free(t *testing.T) uint16 {
	t.Helper()
	l := httptest.NewServer(nil)
	defer l.Close()
	return netip.MustParseAddrPort(l.Listener.Addr().String()).Port()
}

// A pool of a declared network's application gateway follows a service: in Azure it
// has the hosts that serve it there, and in the running network those that discovery
// has.
func TestGatewayFollowsHosts(t *testing.T) {
	s := upWith(t, written(t, `
network: shop
regions: [westeurope, eastus]
networks:
  - name: net-{region}
    each: region
    subnets:
      edge: {}
      app:
        hosts:
          "web-{region}-1": {serves: [http/8080]}
          "web-{region}-2": {serves: [http/8080]}
application-gateways:
  - name: front-{region}
    each: region
    subnet: edge
    listeners: {web: {port: 80}}
    pools: {web: ["service:web"]}
    settings: {plain: {port: 8080, probe: alive}}
    probes: {alive: {path: /, interval: 5}}
    rules: [{listener: web, pool: web, settings: plain}]
expectations:
  - allow: internet -> app-gateway:front-westeurope http
`), UpOptions{Pace: 10})
	if s.Failed() {
		t.Fatalf("%+v", s.Rows())
	}
	members := func() string {
		var out []string
		for _, m := range s.gateways.named("front-westeurope").server.Health() {
			out = append(out, m.Member)
		}
		return strings.Join(out, " ")
	}
	one, two := addrOf(t, s, "web-westeurope-1"), addrOf(t, s, "web-westeurope-2")
	both := fmt.Sprintf("%s:8080 %s:8080", one, two)
	until(t, both, func() bool { return members() == both })
	restore := downed(s, "web-westeurope-1")
	until(t, "without the one that is down", func() bool { return members() == two.String()+":8080" })
	restore()
	until(t, both, func() bool { return members() == both })
	for _, r := range s.Cloud.Snapshot() {
		if r.ID.Is(model.TypeAppGateway) && r.ID.Name() == "front-westeurope" {
			b, _ := json.Marshal(r.Properties()["backendAddressPools"])
			if !strings.Contains(string(b), one.String()) || !strings.Contains(string(b), two.String()) {
				t.Errorf("the document: %s", b)
			}
		}
	}
}

// Who watches hears of what is there, of each change once, and that the network has
// ended.
func TestWatchServices(t *testing.T) {
	short, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	t.Setenv("XDG_RUNTIME_DIR", short)
	s, err := Up(t.Context(), written(t, discovered), UpOptions{Control: true, NoProbe: true}, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- WatchServices(t.Context(), RegistryTarget{}, "web", locked{&mu, &out}, true) }()
	said := func(what string, id string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(out.String()) {
				var c ServiceChange
				if json.Unmarshal([]byte(line), &c) == nil && c.Change == what && c.Instance.ID == id {
					return true
				}
			}
			return false
		}
	}
	until(t, "both are there", func() bool { return said("registered", "web-1")() && said("registered", "web-2")() })
	s.discovery.program("web-2", false)
	until(t, "one is critical", said("changed", "web-2"))
	list, err := ListServices(t.Context(), RegistryTarget{Network: "shop"}, "web")
	if err != nil || len(list.Instances) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	var text bytes.Buffer
	if err := list.WriteText(&text); err != nil || !strings.Contains(text.String(), "web-2     tcp/10.0.0.5:80  critical") {
		t.Errorf("%s %v", &text, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrNetworkEnded) {
		t.Errorf("ended: %v", err)
	}
}
