package frontdoor

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// writePair writes a certificate for some names, and returns its files and the pool
// that trusts it.
func writePair(t *testing.T, names ...string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}

// listenAnywhere lets edges listen at ports that are free.
func listenAnywhere(_ context.Context, _ *Edge, network, _ string) (net.Listener, error) {
	return net.Listen(network, "127.0.0.1:0")
}

// serveDoor runs the front door of a text.
func serveDoor(t *testing.T, text string, o Options) *Server {
	t.Helper()
	c, err := Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen == nil {
		o.Listen = listenAnywhere
	}
	s, err := Start(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(time.Second) })
	return s
}

func hostPort(t *testing.T, url string) (host, port string) {
	t.Helper()
	at := netip.MustParseAddrPort(url[strings.LastIndexByte(url, '/')+1:])
	return at.Addr().String(), fmt.Sprint(at.Port())
}

// answering is an origin with one handler.
func answering(t *testing.T, h http.HandlerFunc) (host, port string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return hostPort(t, s.URL)
}

// End-to-end TLS: the edge's certificate by the name that the client asks for, the
// version a domain wants, HTTP/2, and a redirect of plain requests.
func TestTLS(t *testing.T) {
	cert, key, pool := writePair(t, "shop.example", "www.shop.example")
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s proto=%s via=%s fdid=%s chain=%s", r.Host, r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Via"), r.Header.Get("X-Azure-FDID"), r.Header.Get("X-Azure-RequestChain"))
	})
	records := make(chan *Record, 10)
	s := serveDoor(t, fmt.Sprintf(`frontDoor: tls
id: the-door
certificates: [{domains: [shop.example], certificate: %q, key: %q, minTLS: "1.3"}]
edges: [{name: dublin, region: northeurope, port: 1, tlsPort: 2}]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, domains: [shop.example, plain.example], originGroup: web, httpsRedirect: true, forwarding: HttpOnly}]
`, cert, key, host, port), Options{OnRequest: func(r *Record) { records <- r }})
	at := s.Addresses()
	get := func(name string, most uint16) (*http.Response, string, error) {
		tr := &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: most},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, at[1])
			},
		}
		defer tr.CloseIdleConnections()
		req, _ := http.NewRequest("GET", "https://"+name+"/x", nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp, string(b), err
	}
	resp, body, err := get("shop.example", 0)
	if err != nil || resp.ProtoMajor != 2 || body != "shop.example proto=https via=2.0 Azure fdid=the-door chain=hops=1" {
		t.Errorf("%v %v %q", err, resp, body)
	}
	r := <-records
	if r.SecurityProtocol != "TLS 1.3" || r.Sni != "shop.example" || r.RequestProtocol != "HTTPS" || r.RouteName != "all" || r.OriginName != "o" || r.HTTPStatusCode != 200 ||
		r.OriginStatusCode != 200 || r.Pop != "dublin" || r.ErrorInfo != "NoError" || r.CacheStatus != "CONFIG_NOCACHE" || r.ResponseBytes != int64(len(body)) || r.OriginIP != host+":"+port {
		t.Errorf("%+v", r)
	}
	if _, _, err := get("shop.example", tls.VersionTLS12); err == nil {
		t.Error("TLS 1.2 where a domain wants 1.3")
	}
	if _, _, err := get("www.shop.example", 0); err == nil {
		t.Error("a name that no domain has")
	}
	plain, _ := ask(t, at[0], "GET", "/x?q=1", "Host: shop.example")
	if plain.StatusCode != redirectStatus || plain.Header.Get("Location") != "https://shop.example:2/x?q=1" {
		t.Error(plain.Status, plain.Header)
	}
}

// End-to-end TLS: an origin's certificate must be for its name, unless that is not
// checked, and of a known authority in any case.
func TestOriginCertificate(t *testing.T) {
	cert, key, pool := writePair(t, "origin.example")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.TLS.ServerName, r.Host) }))
	o.Config.ErrorLog = quiet()
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	o.StartTLS()
	t.Cleanup(o.Close)
	_, port := hostPort(t, o.URL)
	for name, test := range map[string]struct {
		host, any string
		roots     *x509.CertPool
		status    int
		body      string
	}{
		"the name":                    {"origin.example", "false", pool, 200, "origin.example shop.example"},
		"another name":                {"other.example", "false", pool, 503, ""},
		"another name, not checked":   {"other.example", "true", pool, 200, "other.example shop.example"},
		"an address it is not for":    {"127.0.0.1", "false", pool, 503, ""},
		"an address, not checked":     {"127.0.0.1", "true", pool, 200, " shop.example"},
		"an authority nobody knows":   {"origin.example", "false", x509.NewCertPool(), 503, ""},
		"nor with the name unchecked": {"origin.example", "true", x509.NewCertPool(), 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("p.yaml", []byte(fmt.Sprintf(`frontDoor: o
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups: [{name: web, origins: [{name: o, host: %s, tlsPort: %s, anyCertificateName: %s}]}]
routes: [{name: all, originGroup: web, forwarding: HttpsOnly}]
`, test.host, port, test.any)))
			if err != nil {
				t.Fatal(err)
			}
			c.Roots = test.roots
			records := make(chan *Record, 1)
			s, err := Start(c, Options{Listen: listenAnywhere, OnRequest: func(r *Record) { records <- r }, Dial: func(ctx context.Context, _ *Edge, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(time.Second)
			resp, body := ask(t, s.Addresses()[0], "GET", "/x")
			if resp.StatusCode != test.status || test.body != "" && body != test.body {
				t.Errorf("%s %q", resp.Status, body)
			}
			if r := <-records; (r.ErrorInfo == "OriginInvalidCertificate") != (test.status == 503) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Improve performance by compressing files: 1 KB to 8 MB, listed types, brotli
// before gzip, only where answers are kept.
func TestCompress(t *testing.T) {
	long := strings.Repeat("front door ", 200)
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/plain/x" && r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("the origin is asked for %s", r.Header.Get("Accept-Encoding"))
		}
		body := long
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=60")
		switch r.URL.Path {
		case "/short":
			body = "short"
		case "/picture":
			w.Header().Set("Content-Type", "image/png")
		case "/streamed":
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, body)
	})
	s := serveDoor(t, fmt.Sprintf(`frontDoor: c
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes:
  - {name: kept, originGroup: web, cache: {compress: true}}
  - {name: plain, patterns: ["/plain/*"], originGroup: web}
`, host, port), Options{})
	for name, test := range map[string]struct{ path, accept, want string }{
		"both: brotli":           {"/a", "gzip, br", "br"},
		"gzip only":              {"/b", "gzip", "gzip"},
		"brotli refused":         {"/b", "br;q=0, gzip", "gzip"},
		"any":                    {"/c", "*", "br"},
		"nothing":                {"/d", "", ""},
		"only zstd":              {"/d", "zstd", ""},
		"shorter than 1 KB":      {"/short", "br", ""},
		"a type not listed":      {"/picture", "br", ""},
		"of unknown length":      {"/streamed", "br", "br"},
		"where nothing is kept":  {"/plain/x", "br", ""},
		"what was kept for both": {"/a", "gzip", "gzip"},
	} {
		resp, body := ask(t, s.Addresses()[0], "GET", test.path, "Accept-Encoding: "+test.accept)
		var r io.Reader = strings.NewReader(body)
		switch test.want {
		case "br":
			r = brotli.NewReader(r)
		case "gzip":
			z, err := gzip.NewReader(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			r = z
		}
		plain, err := io.ReadAll(r)
		if err != nil || resp.Header.Get("Content-Encoding") != test.want || test.path != "/short" && string(plain) != long {
			t.Errorf("%s: %v, encoding %q, %d bytes", name, err, resp.Header.Get("Content-Encoding"), len(plain))
		}
	}
}

// Rules engine match conditions: Post args look at a form's beginning, and the
// origin gets all of it.
func TestPostArgs(t *testing.T) {
	var got atomic.Int64
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got.Store(int64(len(b)))
		fmt.Fprint(w, r.Header.Get("X-Form"))
	})
	s := serveDoor(t, fmt.Sprintf(`frontDoor: p
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, originGroup: web, ruleSets: [s]}]
ruleSets:
  - name: s
    rules:
      - name: form
        when: [{variable: PostArgs, selector: plan, operator: Equal, values: [gold], transforms: [Lowercase]}]
        do: [{requestHeader: {action: Overwrite, name: X-Form, value: gold}}]
      - name: body
        when: [{variable: RequestBody, operator: Contains, values: ["<order>"]}]
        do: [{requestHeader: {action: Append, name: X-Form, value: body}}]
`, host, port), Options{})
	post := func(kind, body string) string {
		req, _ := http.NewRequest("POST", "http://"+s.Addresses()[0]+"/", strings.NewReader(body))
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		if got.Load() != int64(len(body)) {
			t.Errorf("the origin got %d bytes of %d", got.Load(), len(body))
		}
		return string(b)
	}
	const form = "application/x-www-form-urlencoded"
	filler := strings.Repeat("x", maxPostArgs)
	for name, test := range map[string]struct{ kind, body, want string }{
		"a field":             {form, "a=1&plan=GOLD", "gold"},
		"another value":       {form, "plan=silver", ""},
		"no form":             {"text/plain", "plan=gold", ""},
		"beyond the limit":    {form, "a=" + filler + "&plan=gold", ""},
		"at the beginning":    {form, "plan=gold&a=" + filler + filler, "gold"},
		"the body itself":     {"text/xml", "<order>1</order>", "body"},
		"a body and no field": {form, "", ""},
	} {
		if got := post(test.kind, test.body); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Azure WAF on Azure Front Door: custom rules block, redirect and log at the edge.
func TestFirewall(t *testing.T) {
	host, port := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in") })
	var mu sync.Mutex
	matched := map[string]string{}
	s := serveDoor(t, fmt.Sprintf(`frontDoor: w
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, domains: [a.example, b.example], originGroup: web}]
wafPolicies:
  - name: edge
    domains: [a.example]
    redirectTo: https://blocked.example/
    block: {status: 429, page: no}
    custom:
      - {name: bots, priority: 1, action: Block, when: [{variables: ["RequestHeaders:User-Agent"], operator: Contains, values: [bot]}]}
      - {name: away, priority: 2, action: Redirect, when: [{variables: [RequestUri], operator: Contains, values: [/admin]}]}
      - {name: seen, priority: 3, action: Log, when: [{variables: [RequestUri], operator: Contains, values: [/seen]}]}
`, host, port), Options{OnFirewall: func(edge string, list []waf.Entry) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range list {
			matched[e.RuleID] = edge + " " + e.Action
		}
	}})
	for name, test := range map[string]struct {
		host, path, agent string
		status            int
		body              string
	}{
		"blocked":        {"a.example", "/", "a bot", 429, "no"},
		"redirected":     {"a.example", "/admin", "x", 302, ""},
		"logged":         {"a.example", "/seen", "x", 200, "in"},
		"another domain": {"b.example", "/admin", "a bot", 200, "in"},
	} {
		resp, body := ask(t, s.Addresses()[0], "GET", test.path, "Host: "+test.host, "User-Agent: "+test.agent)
		if resp.StatusCode != test.status || body != test.body {
			t.Errorf("%s: %s %q", name, resp.Status, body)
		}
		if test.status == 302 && resp.Header.Get("Location") != "https://blocked.example/" {
			t.Error(resp.Header)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(matched) != "map[away:dublin Blocked bots:dublin Blocked seen:dublin Log]" {
		t.Error(matched)
	}
}

// A profile that changes takes over while requests are under way, and no connection
// is lost; one that is wrong changes nothing.
func TestLoad(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- true
			<-release
		}
		fmt.Fprint(w, r.Header.Get("X-Version"))
	})
	text := func(version, more string) string {
		return fmt.Sprintf(`frontDoor: r
edges: [{name: dublin, region: northeurope, port: 1}%s]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, originGroup: web, ruleSets: [s]}]
ruleSets: [{name: s, rules: [{name: v, do: [{requestHeader: {action: Overwrite, name: X-Version, value: "%s"}}]}]}]
`, more, host, port, version)
	}
	s := serveDoor(t, text("1", ", {name: paris, region: francecentral, port: 2}"), Options{})
	at := s.Addresses()
	if len(at) != 2 {
		t.Fatal(at)
	}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	get := func(at, path string) string {
		resp, err := client.Get("http://" + at + path)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	slow := make(chan string)
	go func() { slow <- get(at[1], "/slow") }()
	<-begun
	if v := get(at[0], "/"); v != "1" {
		t.Error(v)
	}
	next, err := Parse("p.yaml", []byte(text("2", "")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(next); err != nil {
		t.Fatal(err)
	}
	if v := get(at[0], "/"); v != "2" {
		t.Error("the connection there is:", v)
	}
	wrong := *next
	wrong.Routes = []Route{{Name: "bad", Group: "none"}}
	if err := s.Load(&wrong); err == nil {
		t.Error("a route without a group")
	}
	if v := get(at[0], "/"); v != "2" {
		t.Error(v)
	}
	release <- true
	if v := <-slow; v != "1" {
		t.Error("the request under way at the edge that is no more:", v)
	}
	if got := s.Addresses(); len(got) != 1 || got[0] != at[0] {
		t.Error(got)
	}
	s.Close(time.Second)
	if err := s.Load(next); err == nil {
		t.Error("loaded after it was closed")
	}
}

// Health probes: origins of several groups that are asked the same share one probe,
// at the smallest interval, and only 200 counts.
func TestSharedProbes(t *testing.T) {
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-FD-HealthProbe") != "1" || r.Header.Get("X-Azure-FDID") != "door" {
			t.Error(r.Header)
		}
		w.WriteHeader(204)
	})
	failed := make(chan *ProbeRecord, 100)
	health := make(chan Health, 100)
	s := serveDoor(t, fmt.Sprintf(`frontDoor: h
id: door
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups:
  - {name: a, samples: 2, successful: 2, probe: {path: /h, interval: 60s}, origins: [{name: o, host: %[1]s, port: %[2]s}]}
  - {name: b, samples: 1, successful: 1, probe: {path: /h, interval: 30s}, origins: [{name: p, host: %[1]s, port: %[2]s}, {name: off, host: 192.0.2.1, disabled: true}]}
routes: [{name: all, originGroup: a}]
`, host, port), Options{OnProbe: func(r *ProbeRecord) { failed <- r }, OnHealth: func(h Health) { health <- h }})
	s.all()[0].mu.Lock()
	targets := s.all()[0].targets
	for _, x := range targets {
		if x.interval != 30*time.Second || len(x.keys) != 2 {
			t.Errorf("%+v", x)
		}
	}
	s.all()[0].mu.Unlock()
	if len(targets) != 1 {
		t.Error(len(targets))
	}
	for range 2 {
		if h := <-health; h.Healthy || h.Said != "status 204" || h.Edge != "dublin" {
			t.Errorf("%+v", h)
		}
	}
	if r := <-failed; r.HTTPStatusCode != 204 || r.Pop != "dublin" || r.HTTPVerb != "HEAD" || r.Result != "OriginError" || !strings.HasSuffix(r.ProbeURL, "/h") || r.OriginIP != host+":"+port || r.TotalLatency <= 0 {
		t.Errorf("%+v", r)
	}
}

// All origins unhealthy: each enabled one takes requests, in turns.
func TestAllUnhealthy(t *testing.T) {
	var text bytes.Buffer
	fmt.Fprint(&text, `frontDoor: u
edges: [{name: dublin, region: northeurope, port: 1}]
routes: [{name: all, originGroup: g}]
originGroups:
  - name: g
    samples: 1
    successful: 1
    probe: {path: /h, interval: 255s}
    origins:
`)
	for i, name := range []string{"a", "b"} {
		host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/h" {
				w.WriteHeader(500)
				return
			}
			fmt.Fprint(w, name)
		})
		fmt.Fprintf(&text, "      - {name: %s, host: %s, port: %s, priority: %d}\n", name, host, port, i+1)
	}
	health := make(chan Health, 10)
	s := serveDoor(t, text.String(), Options{OnHealth: func(h Health) { health <- h }})
	<-health
	<-health
	got := ""
	for range 4 {
		_, body := ask(t, s.Addresses()[0], "GET", "/")
		got += body
	}
	if strings.Count(got, "a") != 2 || strings.Count(got, "b") != 2 {
		t.Error(got)
	}
}
