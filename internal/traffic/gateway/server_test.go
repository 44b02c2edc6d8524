package gateway

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// backendServer answers with its name and what it was asked.
func backendServer(t testing.TB, name string, handler http.HandlerFunc) Member {
	t.Helper()
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Server", name)
			fmt.Fprintf(w, "%s %s %s host=%s xff=%s proto=%s port=%s original=%s", name, r.Method, r.URL.RequestURI(), r.Host,
				r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Port"), r.Header.Get("X-Original-Host"))
		}
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	a := netip.MustParseAddrPort(s.Listener.Addr().String())
	return Member{Host: a.Addr().String(), Port: a.Port()}
}

// running is a gateway on loopback, whatever ports its configuration says.
type running struct {
	*Server
	mu      sync.Mutex
	at      map[string]string // configured address to real one
	records []Record
	told    chan struct{} // a token for each record
}

func start(t testing.TB, c *Config) *running {
	t.Helper()
	return startWith(t, c, func(*Options) {})
}

// longWay says that net/http handles every request.
var longWay bool

// Every test runs twice: with the short way for what is plain, and without.
func TestMain(m *testing.M) {
	code := m.Run()
	tests := flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.bench").Value.String() == ""
	if code == 0 && tests {
		longWay = true
		code = m.Run()
	}
	os.Exit(code)
}

func startWith(t testing.TB, c *Config, change func(*Options)) *running {
	t.Helper()
	g := &running{at: map[string]string{}, told: make(chan struct{}, 1000)}
	o := Options{
		Listen: func(_ context.Context, network, address string) (net.Listener, error) {
			l, err := net.Listen(network, "127.0.0.1:0")
			if err == nil {
				g.mu.Lock()
				g.at[address] = l.Addr().String()
				g.mu.Unlock()
			}
			return l, err
		},
		OnRequest: func(r *Record) {
			g.mu.Lock()
			g.records = append(g.records, *r)
			g.mu.Unlock()
			g.told <- struct{}{}
		},
	}
	o.LongWay = longWay
	change(&o)
	g.Server = NewServer(o)
	t.Cleanup(func() { g.Close(time.Second) })
	if err := g.Load(c); err != nil {
		t.Fatal(err)
	}
	return g
}

// client asks the gateway for any host, and follows nothing.
func (g *running) client(address string, config *tls.Config) *http.Client {
	g.mu.Lock()
	at := g.at[address]
	g.mu.Unlock()
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		},
		TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true,
	}
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t testing.TB, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// simple is one listener that takes everything, in front of members.
func simple(members ...Member) *Config {
	return &Config{
		Name:      "simple",
		Listeners: []Listener{{Name: "all", Protocol: HTTP, Address: front80}},
		Pools:     []Pool{{Name: "web", Members: members}},
		Settings:  []Settings{{Name: "http", Protocol: HTTP, Port: 80}},
		Rules:     []Rule{{Name: "all", Priority: 1, Listener: "all", Default: Action{Pool: "web", Settings: "http"}}},
	}
}

func TestForward(t *testing.T) {
	one, two := backendServer(t, "one", nil), backendServer(t, "two", nil)
	c := simple(one, two)
	g := start(t, c)
	client := g.client("0.0.0.0:80", nil)
	seen := map[string]int{}
	for range 10 {
		resp, body := get(t, client, "http://shop.example/a%2Fb?x=1&y=%20")
		if resp.StatusCode != 200 {
			t.Fatal(resp.Status, body)
		}
		seen[resp.Header.Get("X-Server")]++
		for _, want := range []string{"GET /a%2Fb?x=1&y=%20 host=shop.example", "xff=127.0.0.1:", "proto=http", "port=80", "original=shop.example"} {
			if !strings.Contains(body, want) {
				t.Errorf("%q lacks %q", body, want)
			}
		}
	}
	if seen["one"] != 5 || seen["two"] != 5 {
		t.Error(seen)
	}
	<-g.told
	g.mu.Lock()
	r := g.records[0]
	g.mu.Unlock()
	if r.ListenerName != "all" || r.RuleName != "all" || r.BackendPoolName != "web" || r.HTTPStatus != 200 || r.ServerStatus != 200 ||
		r.OriginalRequestURIWithArgs != "/a%2Fb?x=1&y=%20" || r.SentBytes == 0 || r.ClientIP != "127.0.0.1" || r.SslEnabled != "off" || r.TransactionID == "" {
		t.Errorf("%+v", r)
	}
}

// Host, path and redirect: what a member and a client get.
func TestSettingsAndRedirects(t *testing.T) {
	m := backendServer(t, "m", nil)
	c := simple(m)
	c.Settings[0].Host, c.Settings[0].Path = "inner.example", "/v1/"
	c.Rules[0].Paths = []PathRule{
		{Name: "api", Patterns: []string{"/api/*"}, Action: Action{Pool: "web", Settings: "http"}},
		{Name: "out", Patterns: []string{"/out*"}, Action: Action{Redirect: &Redirect{Status: 302, URL: "https://other.example/base?k=v", IncludePath: true, IncludeQuery: true}}},
		{Name: "plain", Patterns: []string{"/plain"}, Action: Action{Redirect: &Redirect{Status: 307, URL: "https://other.example"}}},
		{Name: "across", Patterns: []string{"/across/*"}, Action: Action{Redirect: &Redirect{Status: 301, Listener: "second", IncludePath: true, IncludeQuery: true}}},
	}
	c.Listeners = append(c.Listeners, Listener{Name: "second", Protocol: HTTP, Address: netip.MustParseAddrPort("0.0.0.0:8080")})
	c.Rules = append(c.Rules, Rule{Name: "second", Priority: 2, Listener: "second", Default: Action{Pool: "web", Settings: "http"}})
	g := start(t, c)
	client := g.client("0.0.0.0:80", nil)
	for _, tt := range []struct{ path, status, want string }{
		{"/api/users?q=1", "200 OK", "GET /v1/users?q=1 host=inner.example"}, // what the rule matched is replaced
		{"/other", "200 OK", "GET /v1/other host=inner.example"},
		{"/out/x?a=b", "302 Found", "https://other.example/base/out/x?k=v&a=b"},
		{"/plain?a=b", "307 Temporary Redirect", "https://other.example/"},
		{"/across/x?a=b", "301 Moved Permanently", "http://shop.example:8080/across/x?a=b"},
	} {
		resp, body := get(t, client, "http://shop.example"+tt.path)
		got := body
		if l := resp.Header.Get("Location"); l != "" {
			got = l
		}
		if resp.Status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s %s, want %s %s", tt.path, resp.Status, got, tt.status, tt.want)
		}
	}
}

func TestRewrites(t *testing.T) {
	m := backendServer(t, "m", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://10.0.0.4/next")
		w.Header().Set("Server", "secret/1.0")
		fmt.Fprintf(w, "%s id=%s gone=%q", r.URL.RequestURI(), r.Header.Get("X-Id"), r.Header.Get("X-Gone"))
	})
	c := simple(m)
	path, query := "/article.aspx", "id={var_uri_path_1}&title={var_uri_path_2}"
	images := "/images{var_uri_path}"
	c.Rules[0].Default.Rewrites = []Rewrite{
		{Name: "article", Conditions: []Condition{{Variable: "var_uri_path", Pattern: "^/article/([0-9]+)/(.+)$"}}, Path: &path, Query: &query},
		{Name: "id", Request: []Header{{"X-Id", "{http_req_X-Client}-{var_client_ip}"}, {"X-Gone", ""}}},
		{Name: "hide", Response: []Header{{"Server", ""}, {"X-Method", "{var_http_method}"}}},
		{Name: "location", Conditions: []Condition{{Variable: "http_resp_Location", Pattern: "(https?)://10.0.0.4(.*)$", IgnoreCase: true}}, Response: []Header{{"Location", "{http_resp_Location_1}://shop.example{http_resp_Location_2}"}}},
		{Name: "reroute", Conditions: []Condition{{Variable: "var_uri_path", Pattern: `\.png$`}}, Path: &images, Reroute: true},
		{Name: "never", Conditions: []Condition{{Variable: "var_host", Pattern: "shop", Negate: true}}, Request: []Header{{"X-Id", "wrong"}}},
	}
	c.Pools = append(c.Pools, Pool{Name: "images", Members: []Member{backendServer(t, "images", nil)}})
	c.Rules[0].Paths = []PathRule{{Name: "images", Patterns: []string{"/images/*"}, Action: Action{Pool: "images", Settings: "http"}}}
	g := start(t, c)
	req, _ := http.NewRequest("GET", "http://shop.example/article/17/hello", nil)
	req.Header.Set("X-Client", "c")
	req.Header.Set("X-Gone", "here")
	resp, err := g.client("0.0.0.0:80", nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if want := `/article.aspx?id=17&title=hello id=c-127.0.0.1 gone=""`; string(b) != want {
		t.Errorf("%s\nwant %s", b, want)
	}
	if resp.Header.Get("Server") != "" || resp.Header.Get("X-Method") != "GET" || resp.Header.Get("Location") != "http://shop.example/next" {
		t.Error(resp.Header)
	}
	if _, body := get(t, g.client("0.0.0.0:80", nil), "http://shop.example/a.png"); !strings.HasPrefix(body, "images GET /images/a.png") {
		t.Error("routed again:", body)
	}
}

// A client stays at its member while that is well.
func TestAffinity(t *testing.T) {
	c := simple(backendServer(t, "one", nil), backendServer(t, "two", nil), backendServer(t, "three", nil))
	c.Settings[0].Affinity = true
	g := start(t, c)
	client := g.client("0.0.0.0:80", nil)
	resp, _ := get(t, client, "http://shop.example/")
	cookies := resp.Cookies()
	if len(cookies) != 2 || cookies[0].Name != "ApplicationGatewayAffinity" || cookies[1].Name != "ApplicationGatewayAffinityCORS" || !cookies[1].Secure {
		t.Fatal(cookies)
	}
	first := resp.Header.Get("X-Server")
	again := func() *http.Response {
		req, _ := http.NewRequest("GET", "http://shop.example/", nil)
		req.AddCookie(cookies[0])
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for range 6 {
		if resp := again(); resp.Header.Get("X-Server") != first || len(resp.Cookies()) != 0 {
			t.Fatal(resp.Header)
		}
	}
	b := g.Server.backends[[2]string{"web", "http"}]
	states, _ := b.balancer.Members()
	for _, s := range states {
		if s.Value.cookie() == cookies[0].Value {
			b.balancer.SetHealth(s.Value, false)
		}
	}
	if resp := again(); resp.Header.Get("X-Server") == first || len(resp.Cookies()) != 2 {
		t.Error("its member is down:", resp.Header)
	}
}

// A member that cannot be reached costs nobody a request; without any, 502; one
// that does not answer, 504.
func TestFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	nobody := Member{Host: dead.Addr().String(), Port: dead.Port()}
	g := start(t, simple(nobody, backendServer(t, "one", nil)))
	for range 4 {
		if resp, _ := get(t, g.client("0.0.0.0:80", nil), "http://a/"); resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
	}
	g = start(t, simple(nobody))
	if resp, _ := get(t, g.client("0.0.0.0:80", nil), "http://a/"); resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
	<-g.told
	g.mu.Lock()
	if g.records[0].ErrorInfo == "" || g.records[0].HTTPStatus != 502 {
		t.Errorf("%+v", g.records[0])
	}
	g.mu.Unlock()
	g = start(t, simple())
	if resp, _ := get(t, g.client("0.0.0.0:80", nil), "http://a/"); resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
	silent := backendServer(t, "silent", func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "cerulean-probe" {
			<-r.Context().Done()
		}
	})
	c := simple(silent)
	c.Settings[0].Timeout = time.Second
	g = start(t, c)
	if resp, _ := get(t, g.client("0.0.0.0:80", nil), "http://a/"); resp.StatusCode != 504 {
		t.Error(resp.Status)
	}
}

// Probes: three failures in a row, one success, statuses and bodies.
func TestProbe(t *testing.T) {
	j := judge{threshold: 3, healthy: true}
	for i, tt := range []struct{ ok, healthy, changed bool }{
		{true, true, false},
		{false, true, false},
		{false, true, false},
		{true, true, false},
		{false, true, false},
		{false, true, false},
		{false, false, true},
		{false, false, false},
		{true, true, true},
	} {
		if changed := j.hear(tt.ok); changed != tt.changed || j.healthy != tt.healthy {
			t.Errorf("%d: changed %v, healthy %v", i, changed, j.healthy)
		}
	}
	for _, tt := range []struct {
		probe  Probe
		status int
		body   string
		ok     bool
	}{
		{Probe{Statuses: []string{"200-399"}}, 302, "", true},
		{Probe{Statuses: []string{"200-399"}}, 404, "", false},
		{Probe{Statuses: []string{"200-399", "404"}}, 404, "", true},
		{Probe{Statuses: []string{"200"}, Body: "ok"}, 200, "all ok", true},
		{Probe{Statuses: []string{"200"}, Body: "ok"}, 200, "no", false},
	} {
		if ok, why := tt.probe.accepts(tt.status, []byte(tt.body)); ok != tt.ok {
			t.Errorf("%+v: %v %s", tt, ok, why)
		}
	}
}

// A member whose probe fails gets nothing; the one that is left gets all.
func TestProbeDecides(t *testing.T) {
	bad := backendServer(t, "bad", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			w.WriteHeader(500)
		}
	})
	c := simple(bad, backendServer(t, "good", nil))
	c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/health", Host: "x", Threshold: 1, Interval: time.Second}}
	c.Settings[0].Probe = "p"
	changed := make(chan Check, 10)
	g := &running{at: map[string]string{}}
	g.Server = NewServer(Options{
		Listen: func(_ context.Context, network, address string) (net.Listener, error) {
			l, err := net.Listen(network, "127.0.0.1:0")
			g.at[address] = l.Addr().String()
			return l, err
		},
		OnHealth: func(c Check) { changed <- c },
	})
	defer g.Close(time.Second)
	if err := g.Load(c); err != nil {
		t.Fatal(err)
	}
	if x := <-changed; x.Healthy || x.Status != 500 {
		t.Fatalf("%+v", x)
	}
	for range 5 {
		if resp, _ := get(t, g.client("0.0.0.0:80", nil), "http://a/"); resp.Header.Get("X-Server") != "good" {
			t.Error(resp.Header)
		}
	}
	states := g.Health()
	if len(states) != 2 {
		t.Errorf("%+v", states)
	}
}

// certificate is signed by itself.
func certificate(t testing.TB, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TLS at both ends: certificates by name, client certificates by listener,
// HTTP/2, and members whose certificate must be right.
func TestTLS(t *testing.T) {
	one, oneRoots := certificate(t, "one.example")
	two, twoRoots := certificate(t, "two.example")
	inner, innerRoots := certificate(t, "inner.example")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "inner ", r.TLS.ServerName, " ", r.Host, " ", r.Header.Get("X-Forwarded-Proto"))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{inner}}
	server.Config.ErrorLog = quiet // of handshakes that are to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	a := netip.MustParseAddrPort(server.Listener.Addr().String())
	at := netip.MustParseAddrPort("0.0.0.0:443")
	c := &Config{
		Listeners: []Listener{
			{Name: "one", Protocol: HTTPS, Address: at, Hosts: []string{"one.example"}, Certificates: []tls.Certificate{one}},
			{Name: "two", Protocol: HTTPS, Address: at, Hosts: []string{"two.example"}, Certificates: []tls.Certificate{two}, ClientCAs: oneRoots, MinTLS: tls.VersionTLS13},
		},
		Pools: []Pool{{Name: "p", Members: []Member{{Host: a.Addr().String(), Port: a.Port()}}}},
		Settings: []Settings{
			{Name: "right", Protocol: HTTPS, Port: 443, Host: "inner.example", Roots: innerRoots},
			{Name: "wrong", Protocol: HTTPS, Port: 443, Host: "inner.example", Roots: oneRoots},
		},
		Rules: []Rule{
			{Name: "one", Priority: 1, Listener: "one", Default: Action{Pool: "p", Settings: "right"}, Paths: []PathRule{{Name: "wrong", Patterns: []string{"/wrong"}, Action: Action{Pool: "p", Settings: "wrong"}}}},
			{Name: "two", Priority: 2, Listener: "two", Default: Action{Pool: "p", Settings: "right"}},
		},
	}
	g := start(t, c)
	resp, body := get(t, g.client("0.0.0.0:443", &tls.Config{RootCAs: oneRoots}), "https://one.example/")
	if resp.ProtoMajor != 2 || body != "inner inner.example inner.example https" {
		t.Error(resp.Proto, body)
	}
	if resp, body := get(t, g.client("0.0.0.0:443", &tls.Config{RootCAs: oneRoots}), "https://one.example/wrong"); resp.StatusCode != 502 {
		t.Error(resp.Status, body)
	}
	if _, err := g.client("0.0.0.0:443", &tls.Config{RootCAs: twoRoots}).Get("https://two.example/"); err == nil {
		t.Error("without a client certificate")
	}
	if resp, _ := get(t, g.client("0.0.0.0:443", &tls.Config{RootCAs: twoRoots, Certificates: []tls.Certificate{one}}), "https://two.example/"); resp.StatusCode != 200 || resp.TLS.Version != tls.VersionTLS13 {
		t.Error(resp.Status)
	}
	if _, err := g.client("0.0.0.0:443", &tls.Config{RootCAs: twoRoots, Certificates: []tls.Certificate{one}, MaxVersion: tls.VersionTLS12}).Get("https://two.example/"); err == nil {
		t.Error("TLS 1.2 where 1.3 is asked for")
	}
}

// What changes protocols, streams, or has trailers passes.
func TestUpgradeStreamTrailers(t *testing.T) {
	next := make(chan struct{})
	m := backendServer(t, "m", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/upgrade":
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			line, _ := rw.ReadString('\n')
			fmt.Fprint(rw, "echo ", line)
			rw.Flush()
		case "/stream":
			fmt.Fprintln(w, "first")
			http.NewResponseController(w).Flush()
			<-next
			fmt.Fprintln(w, "second")
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			io.Copy(w, r.Body)
			w.Header().Set("X-Sum", "17")
		}
	})
	g := start(t, simple(m))
	client := g.client("0.0.0.0:80", nil)

	c, err := net.Dial("tcp", g.at["0.0.0.0:80"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	fmt.Fprint(c, "hello\n")
	if line, err := in.ReadString('\n'); line != "echo hello\n" {
		t.Error(line, err)
	}

	resp, err = client.Get("http://a/stream")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	if line, _ := lines.ReadString('\n'); line != "first\n" {
		t.Error(line)
	}
	close(next)
	if line, _ := lines.ReadString('\n'); line != "second\n" {
		t.Error(line)
	}
	resp.Body.Close()

	resp, err = client.Post("http://a/trailers", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != "body" || resp.Trailer.Get("X-Sum") != "17" {
		t.Error(string(b), resp.Trailer)
	}
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func keyBytes(t testing.TB, c tls.Certificate) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
