package frontdoor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Traffic routing methods to origin: enabled and healthy, then priority, then
// latency within the sensitivity, then weight. The case of A=15, B=30, D=60 with a
// sensitivity of 30 ms is the document's.
func TestChoose(t *testing.T) {
	ms := func(n int) State { return State{true, time.Duration(n) * time.Millisecond} }
	down := State{Healthy: false}
	for name, test := range map[string]struct {
		origins     []Origin
		states      []State
		sensitivity time.Duration
		unprobed    bool
		want        []int
		weights     []int
	}{
		"the document's case":     {make([]Origin, 3), []State{ms(15), ms(30), ms(60)}, 30 * time.Millisecond, false, []int{0, 1}, []int{50, 50}},
		"sensitivity 0: fastest":  {[]Origin{{Weight: 1}, {Weight: 1000}}, []State{ms(15), ms(16)}, 0, false, []int{0}, []int{1}},
		"equal: weights":          {[]Origin{{Weight: 1}, {Weight: 3}}, []State{ms(15), ms(15)}, 0, false, []int{0, 1}, []int{1, 3}},
		"priority before latency": {[]Origin{{Priority: 2}, {Priority: 1}}, []State{ms(1), ms(100)}, 0, false, []int{1}, []int{50}},
		"the preferred is down":   {[]Origin{{Priority: 2}, {Priority: 1}}, []State{ms(1), down}, 0, false, []int{0}, []int{50}},
		"disabled":                {[]Origin{{Disabled: true}, {}}, []State{ms(1), ms(9)}, 0, false, []int{1}, []int{50}},
		"all down: all, evenly":   {[]Origin{{Priority: 1, Weight: 9}, {Priority: 2}, {Disabled: true}}, []State{down, down, down}, 0, false, []int{0, 1}, []int{1, 1}},
		"not probed: all well":    {make([]Origin, 2), []State{down, down}, 0, true, []int{0, 1}, []int{50, 50}},
		"all disabled":            {[]Origin{{Disabled: true}}, []State{ms(1)}, 0, false, nil, nil},
	} {
		g := Group{Origins: test.origins, Sensitivity: test.sensitivity, Probe: &Probe{Path: "/"}}
		if test.unprobed {
			g.Probe = nil
		}
		c := g.Choose(func(i int) State { return test.states[i] })
		if !slices.Equal(c.Origins, test.want) || !slices.Equal(c.Weights, test.weights) || len(c.Origins)+len(c.Passed) != len(test.origins) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	var w turns
	c := Choice{Origins: []int{0, 1}, Weights: []int{1, 3}}
	count := map[int]int{}
	for range 40 {
		count[w.next(&c)]++
	}
	if count[0] != 10 || count[1] != 30 {
		t.Error(count)
	}
}

// Health probes: an origin is well if enough of its last samples are.
func TestWindow(t *testing.T) {
	for results, healthy := range map[string]bool{"": true, "1111": true, "0111": true, "0011": false, "0": true, "00": false, "00111": true, "11100": false} {
		w := newWindow(&Group{})
		for _, r := range results {
			w.hear(r == '1', 10*time.Millisecond)
		}
		if got := w.state(); got.Healthy != healthy {
			t.Errorf("%q: %+v", results, got)
		}
	}
}

// How requests are matched to a route: the domain first, then the path.
func TestMatch(t *testing.T) {
	c := Config{Routes: []Route{
		{Name: "any", Patterns: []string{"/*"}},
		{Name: "wild", Domains: []string{"*.example"}, Patterns: []string{"/*"}},
		{Name: "shop", Domains: []string{"shop.example"}, Patterns: []string{"/a/*", "/a/b/*"}, OriginPath: "/o"},
		{Name: "exact", Domains: []string{"shop.example"}, Patterns: []string{"/a/b/c"}},
		{Name: "off", Domains: []string{"shop.example"}, Patterns: []string{"/a/b/d"}, Disabled: true},
		{Name: "narrow", Domains: []string{"narrow.org"}, Patterns: []string{"/n/*"}},
	}}
	for in, want := range map[string]string{
		"shop.example/a/b/c": "exact", "SHOP.example:80/A/B/C": "exact", "shop.example/a/b/d": "shop /o/d", "shop.example/a/x/y": "shop /o/x/y",
		"shop.example/a": "shop /o/", "shop.example/z": "wild", "www.example/q": "wild", "a.b.example/q": "any", "narrow.org/n/1": "narrow", "narrow.org/x": "any",
	} {
		host, path, _ := strings.Cut(in, "/")
		m, known := c.match(host, "/"+path, false, nil)
		got := "none"
		if m.route != nil {
			got = m.route.Name
			if m.route.OriginPath != "" {
				got += " " + m.originPath("/"+path)
			}
		}
		if got != want || !known {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	none := Config{Routes: c.Routes[5:]}
	if m, known := none.match("narrow.org", "/x", false, nil); m.route != nil || !known {
		t.Error("a path that no route has")
	}
	if _, known := none.match("other.org", "/n/1", false, nil); known {
		t.Error("a domain that no route has")
	}
}

const profile = `frontDoor: shop
edges:
  - {name: dublin, region: northeurope, port: 1}
  - {name: sydney, region: australiaeast, port: 2}
originGroups:
  - name: web
    affinity: AFFINITY
    latencySensitivity: 0s
    samples: 1
    successful: 1
    probe: {path: /health, interval: 5s}
    origins:
      - {name: eu, host: HOST, port: EU, region: westeurope, hostHeader: eu.example}
      - {name: au, host: HOST, port: AU, region: australiasoutheast, hostHeader: au.example}
  - name: beta
    origins: [{name: eu, host: HOST, port: EU}]
routes:
  - {name: static, domains: [shop.example], patterns: ["/static/*"], originGroup: web, cache: {}, originPath: /files}
  - {name: all, domains: [shop.example], originGroup: web, ruleSets: [edge]}
ruleSets:
  - name: edge
    rules:
      - name: old
        order: 1
        when: [{variable: UrlPath, operator: BeginsWith, values: [old/]}]
        do: [{redirect: {status: 301, protocol: Https, path: /new}}]
      - name: beta
        order: 2
        when: [{variable: Cookies, selector: beta, operator: Equal, values: ["1"]}, {variable: RequestMethod, operator: Equal, not: true, values: [POST]}]
        do: [{override: {originGroup: beta}}, {requestHeader: {action: Overwrite, name: X-Beta, value: "yes"}}, {rewrite: {source: /api, destination: /v2, keepUnmatched: true}}]
        stop: true
      - name: mark
        order: 3
        do: [{responseHeader: {action: Append, name: X-Mark, value: m}}]
`

// originServer says who it is and what it was asked.
func originServer(t *testing.T, name string, well *atomic.Bool) uint16 {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			if r.Header.Get("User-Agent") != probeAgent || r.Method != "HEAD" {
				t.Errorf("a probe by %s %s", r.Method, r.UserAgent())
			}
			if !well.Load() {
				w.WriteHeader(204) // only 200 is well
			}
			return
		}
		asked++
		if strings.HasPrefix(r.URL.Path, "/files/") {
			w.Header().Set("Cache-Control", "max-age=60")
		}
		fmt.Fprintf(w, "%s %s host=%s beta=%s xfh=%s n=%d", name, r.URL.RequestURI(), r.Host, r.Header.Get("X-Beta"), r.Header.Get("X-Forwarded-Host"), asked)
	}))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
}

func run(t *testing.T, affinity string) (s *Server, at []string, wellEU *atomic.Bool, health chan Health) {
	var eu, au atomic.Bool
	eu.Store(true)
	au.Store(true)
	text := strings.NewReplacer("HOST", "127.0.0.1", "EU", fmt.Sprint(originServer(t, "eu", &eu)), "AU", fmt.Sprint(originServer(t, "au", &au)), "AFFINITY", affinity).Replace(profile)
	c, err := Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	health = make(chan Health, 100)
	s, err = Start(c, Options{
		Listen: func(_ context.Context, _ *Edge, network, _ string) (net.Listener, error) {
			return net.Listen(network, "127.0.0.1:0")
		},
		OnHealth: func(h Health) { health <- h },
		Pace:     100,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(time.Second) })
	return s, s.Addresses(), &eu, health
}

func ask(t *testing.T, at, method, uri string, header ...string) (*http.Response, string) {
	t.Helper()
	req, _ := http.NewRequest(method, "http://"+at+uri, nil)
	req.Host = "shop.example"
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

// A client of each edge gets the origin near it; routes, rules, caching and purge.
func TestServer(t *testing.T) {
	s, at, _, _ := run(t, "false")
	for i, want := range []string{"eu /x?q host=eu.example beta= xfh=shop.example", "au /x?q host=au.example"} {
		resp, body := ask(t, at[i], "GET", "/x?q")
		if !strings.HasPrefix(body, want) || resp.Header.Get("X-Mark") != "m" || resp.Header.Get("X-Azure-Ref") == "" || resp.Header.Get("X-Cache") != "CONFIG_NOCACHE" {
			t.Errorf("%q %v", body, resp.Header)
		}
	}
	if resp, _ := ask(t, at[0], "GET", "/old/page?x=1"); resp.StatusCode != 301 || resp.Header.Get("Location") != "https://shop.example/new?x=1" {
		t.Error(resp.Status, resp.Header)
	}
	if resp, body := ask(t, at[1], "GET", "/api/users", "Cookie: beta=1"); !strings.HasPrefix(body, "eu /v2/users host=shop.example beta=yes") || resp.Header.Get("X-Mark") != "" {
		t.Errorf("%q %v", body, resp.Header)
	}
	if _, body := ask(t, at[1], "POST", "/api/users", "Cookie: beta=1"); !strings.HasPrefix(body, "au /api/users") {
		t.Errorf("%q", body)
	}
	if resp, _ := ask(t, at[0], "GET", "/", "Host: other.example"); resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
	first, body := ask(t, at[0], "GET", "/static/a.css?v=1")
	second, again := ask(t, at[0], "GET", "/static/a.css?v=2")
	if !strings.HasPrefix(body, "eu /files/a.css?v=1") || first.Header.Get("X-Cache") != "TCP_MISS" || again != body || second.Header.Get("X-Cache") != "TCP_HIT" {
		t.Errorf("%q, %q, %v, %v", body, again, first.Header, second.Header)
	}
	if other, body := ask(t, at[1], "GET", "/static/a.css"); other.Header.Get("X-Cache") != "TCP_MISS" || !strings.HasPrefix(body, "au ") {
		t.Error("edges keep their own:", other.Header, body)
	}
	if n := s.Purge("shop.example", "/STATIC/*"); n != 2 {
		t.Error(n)
	}
	if resp, _ := ask(t, at[0], "GET", "/static/a.css"); resp.Header.Get("X-Cache") != "TCP_MISS" {
		t.Error("not forgotten")
	}
	if h := s.Health(); len(h) != 6 {
		t.Errorf("%+v", h)
	}
}

// Session affinity pins a client to its origin.
func TestAffinity(t *testing.T) {
	_, at, _, _ := run(t, "true")
	resp, body := ask(t, at[0], "GET", "/x")
	var pin string
	for _, c := range resp.Cookies() {
		if c.Name == affinity {
			pin = c.Value
		}
	}
	if len(resp.Cookies()) != 2 || pin == "" || !strings.HasPrefix(body, "eu") {
		t.Fatal(resp.Header, body)
	}
	// At the other edge another origin is nearer, but the pin counts.
	if resp, body := ask(t, at[1], "GET", "/x", "Cookie: "+affinity+"="+pin); !strings.HasPrefix(body, "eu") || len(resp.Cookies()) != 0 {
		t.Error(body, resp.Header)
	}
}

// An origin that answers anything but 200 takes no requests until it does again.
func TestHealth(t *testing.T) {
	_, at, eu, health := run(t, "false")
	if _, body := ask(t, at[0], "GET", "/x"); !strings.HasPrefix(body, "eu") {
		t.Fatal(body)
	}
	eu.Store(false)
	for h := range health {
		if h.Origin == "eu" && h.Edge == "dublin" && !h.Healthy {
			break
		}
	}
	if _, body := ask(t, at[0], "GET", "/x"); !strings.HasPrefix(body, "au") {
		t.Error(body)
	}
}

// A client's packets reach the edge with the shortest round trip.
func TestNearest(t *testing.T) {
	c := Config{Edges: []Edge{{Name: "dublin", Region: "northeurope"}, {Name: "sydney", Region: "australiaeast"}, {Name: "virginia", Region: "eastus"}}}
	for region, want := range map[string]string{"northeurope": "dublin", "westeurope": "dublin", "australiasoutheast": "sydney", "eastus2": "virginia", "brazilsouth": "virginia"} {
		if e, rtt, ok := c.Nearest(region); !ok || e.Name != want || rtt < 0 {
			t.Errorf("%s: %+v %v", region, e, rtt)
		}
	}
	if _, _, ok := c.Nearest("moon"); ok {
		t.Error("the moon")
	}
}

func TestCheck(t *testing.T) {
	_, err := Parse("p.yaml", []byte(`frontDoor: bad
edges: [{name: a, region: moon, port: 0}, {name: a, region: eastus, port: 1, address: x}]
originGroups:
  - {name: g, latencySensitivity: 2s, samples: 2, successful: 3, probe: {path: h, method: PUT, interval: 1s}, origins: [{name: o, priority: 6, weight: 2000, region: moon}]}
  - {name: h}
routes: [{name: r, originGroup: none, patterns: [a, "/b*"], domains: ["a.*"], originPath: x, ruleSets: [none], cache: {query: Moon, ttl: x}}]
ruleSets:
  - name: s
    rules:
      - {name: x, when: [{variable: Moon, operator: Near, values: [a], transforms: [Rot13]}, {variable: UrlPath, operator: RegEx, values: ["("]}, {variable: RemoteAddress, operator: IPMatch, values: [x]}, {variable: UrlPath, operator: Equal}]}
      - {name: y, do: [{requestHeader: {action: Sing, name: "a b"}}, {redirect: {status: 200}}, {rewrite: {source: a, destination: b}}, {override: {originGroup: none}}, {}]}
`))
	if err == nil {
		t.Fatal("nothing wrong")
	}
	for _, want := range []string{
		`p.yaml:2:10: edge a: there is no region "moon"`, "needs a port", `p.yaml:2:44: edge a: "x" is no address`, "sensitivity of 2s", "3 of 2 samples", "4:74: origin group g: the probe path", "probe method", "probed every 1s",
		"4:122: origin group g: origin o needs a host", "priority of 6", "weight of 2000", `origin o: there is no region "moon"`, "p.yaml:5:6: origin group h has no origin", `6:11: route r: there is no origin group "none"`, `pattern "a"`, `pattern "/b*"`, `domain "a.*"`, "origin path", `no rule set "none"`,
		`behavior "Moon"`, `"x" is no duration`, "x has no action", `10:27: rule set s, rule x: there is no variable "Moon"`, `no operator "Near"`, `no transform "Rot13"`, "missing closing )", "no address or prefix", "Equal needs a value",
		`11:25: rule set s, rule y: header action "Sing"`, "cannot be sent", "redirect status 200", "begin with /", "does nothing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %q in\n%v", want, err)
		}
	}
	if _, err := Parse("p.yaml", []byte("frontDoor: a\nmoon: 1\n")); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:2:1: ") {
		t.Error(err)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("shop.example", "/a/b", "/a/*", "*.example")
	f.Fuzz(func(t *testing.T, host, path, pattern, domain string) {
		c := Config{Routes: []Route{{Name: "r", Patterns: []string{pattern}, Domains: []string{domain}, OriginPath: "/o"}}}
		if m, _ := c.match(host, path, true, func(*Route, string) {}); m.route != nil {
			m.originPath(path)
		}
	})
}
