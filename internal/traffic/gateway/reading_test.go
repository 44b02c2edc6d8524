package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestLoosest(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/", "/"},
		{"*", "*"},
		{"/a/b.c/", "/a/b.c/"},
		{"/.well-known/x", "/.well-known/x"},
		{"/a/../b", "/b"}, // RFC 3986, 5.2.4
		{"/a/./b/.", "/a/b/"},
		{"/a/b/..", "/a/"},
		{"/../../a", "/a"},
		{"//a///b", "/a/b"},
		{`/a\..\b`, "/b"},
		{"/a/..;x=1/b;v=2", "/b"}, // parameters, 3.3
		{"/;/a", "/a"},
		{"/a/...", "/a/..."},
	} {
		if got := loosest(tt.path); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got, tt.want)
		}
	}
}

func FuzzLoosest(f *testing.F) {
	f.Add("/a/..;/b//c")
	f.Add(`/\..\`)
	f.Fuzz(func(t *testing.T, s string) {
		p := loosest("/" + s)
		if again := loosest(p); again != p {
			t.Errorf("%q: %q, then %q", s, p, again)
		}
		if !strings.HasPrefix(p, "/") || climbs(p) || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
			t.Errorf("%q: %q", s, p)
		}
	})
}

// A path that some server reads as another does not lead around that one's policy;
// where there is none, the path as it is counts, as in Azure.
func TestReadTwoWays(t *testing.T) {
	c := shop()
	r := &c.Rules[1]
	r.Paths = append(r.Paths, PathRule{Name: "admin", Patterns: []string{"/admin*"}, Action: Action{
		Pool: "web", Settings: "http", Policy: Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	}})
	on := router(t, c)
	for _, tt := range []struct{ path, rule, name string }{
		{"/admin/x", "shop", "admin"},
		{"/a/../b", "shop", ""},
		{"/admin/../admin/x", "shop", "admin"},
		{"/images//x", "shop", "images"},
		{"//images/x", "shop", ""}, // no policy: the path as it is
		{"/x/../admin", "", ""},
		{"/x/..;/admin", "", ""},
		{`/x\..\admin`, "", ""},
		{"//admin", "", ""},
		{"/./Admin", "", ""},
		{"/;/admin", "", ""},
		{"/images/../admin/x", "", ""},
		{"/admin/../images/x", "", ""},
	} {
		for _, why := range []bool{false, true} {
			d := on.decide(front80, "shop.contoso.com", tt.path, why)
			if d.Rule != tt.rule || d.Path != tt.name || (d.target == nil) != (tt.rule == "") || (d.Status == 400) != (tt.rule == "") {
				t.Errorf("%s: rule %q, path %q, status %d; want %q, %q", tt.path, d.Rule, d.Path, d.Status, tt.rule, tt.name)
			}
			if tt.rule == "" && why && !strings.Contains(d.Passed[len(d.Passed)-1].Why, "refused") {
				t.Errorf("%s: %+v", tt.path, d.Passed)
			}
		}
	}
}

// The same over the wire, escaped or not, on both ways through the gateway; and what
// is put before a path holds it.
func TestPathsAround(t *testing.T) {
	member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Got", r.RequestURI) }))
	defer member.Close()
	u, err := url.Parse(member.URL)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(u.Host)
	c := simple(Member{Host: at.Addr().String(), Port: at.Port()})
	c.Settings = append(c.Settings, Settings{Name: "below", Protocol: HTTP, Port: 80, Path: "/files/"})
	to := c.Rules[0].Default
	guarded, below := to, to
	guarded.Policy.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	below.Settings = "below"
	c.Rules[0].Paths = []PathRule{
		{Name: "admin", Patterns: []string{"/admin*"}, Action: guarded},
		{Name: "below", Patterns: []string{"/below/*"}, Action: below},
	}
	g := start(t, c)
	for target, want := range map[string]string{
		"/x":                 "200 /x",
		"/x/../y":            "200 /x/../y",
		"/admin":             "403",
		"/adm%69n/x":         "403",
		"/x/../admin":        "400",
		"/x/%2e%2e/admin":    "400",
		"/x/..%2fadmin":      "400",
		"/x/..%5cadmin":      "400",
		"/x/..%3b/admin":     "400",
		"/x//..//admin":      "400",
		"/%2fadmin":          "400",
		"/below/a":           "200 /files/a",
		"/below/../a":        "400",
		"/below/%2e%2e/a":    "400",
		"/below/..%5ca":      "400",
		"/below/a..b/...":    "200 /files/a..b/...",
		"/below/a/..;v=1/..": "400",
	} {
		resp, err := http.DefaultClient.Do(&http.Request{Method: "GET", Host: "a", URL: &url.URL{Scheme: "http", Host: g.real("0.0.0.0:80"), Opaque: target}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got := strings.TrimSpace(resp.Status[:3] + " " + resp.Header.Get("X-Got"))
		if got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}
