package gateway

import (
	"net/netip"
	"strings"
	"testing"
)

var front80 = netip.MustParseAddrPort("0.0.0.0:80")

// shop is a gateway with everything that decides.
func shop() *Config {
	to := func(pool string) Action { return Action{Pool: pool, Settings: "http"} }
	return &Config{
		Name: "shop",
		Listeners: []Listener{
			{Name: "shop", Place: "gw.yaml:2:1", Protocol: HTTP, Address: front80, Hosts: []string{"shop.contoso.com"}},
			{Name: "any-contoso", Place: "gw.yaml:3:1", Protocol: HTTP, Address: front80, Hosts: []string{"*.contoso.com", "a?c.fabrikam.com"}},
			{Name: "rest", Place: "gw.yaml:4:1", Protocol: HTTP, Address: front80},
		},
		Pools: []Pool{
			{Name: "web", Members: []Member{{Host: "10.0.0.4"}, {Host: "10.0.0.5"}}},
			{Name: "images", Members: []Member{{Host: "10.0.0.6"}}},
			{Name: "videos", Members: []Member{{Host: "10.0.0.7"}}},
			{Name: "rest", Members: []Member{{Host: "10.0.0.8"}}},
		},
		Settings: []Settings{{Name: "http", Protocol: HTTP, Port: 80}},
		Rules: []Rule{
			{Name: "rest", Place: "gw.yaml:20:1", Priority: 300, Listener: "rest", Default: to("rest")},
			{Name: "shop", Place: "gw.yaml:10:1", Priority: 100, Listener: "shop", Default: to("web"), Paths: []PathRule{
				{Name: "images", Place: "gw.yaml:12:3", Patterns: []string{"/images/*", "/pictures*"}, Action: to("images")},
				{Name: "one", Place: "gw.yaml:13:3", Patterns: []string{"/images/one"}, Action: to("videos")},
				{Name: "exact", Place: "gw.yaml:14:3", Patterns: []string{"/videos"}, Action: to("videos")},
			}},
			{Name: "contoso", Place: "gw.yaml:18:1", Priority: 200, Listener: "any-contoso", Default: Action{Redirect: &Redirect{Status: 301, Listener: "shop", IncludePath: true}}},
		},
	}
}

func router(t testing.TB, c *Config) *Router {
	t.Helper()
	r, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Priority decides among listeners, the listed order among paths; paths match
// whatever their case ("Application Gateway request routing rules", "URL Path
// Based Routing overview").
func TestDecide(t *testing.T) {
	r := router(t, shop())
	for _, tt := range []struct{ host, path, rule, pathRule, pool string }{
		{"shop.contoso.com", "/", "shop", "", "web"},
		{"SHOP.contoso.com.", "/", "shop", "", "web"},
		{"shop.contoso.com:80", "/", "shop", "", "web"},
		{"shop.contoso.com", "/images/a.png", "shop", "images", "images"},
		{"shop.contoso.com", "/IMAGES/a.png", "shop", "images", "images"},
		{"shop.contoso.com", "/images/one", "shop", "images", "images"}, // the first that matches
		{"shop.contoso.com", "/images", "shop", "", "web"},
		{"shop.contoso.com", "/picturesque", "shop", "images", "images"},
		{"shop.contoso.com", "/videos", "shop", "exact", "videos"},
		{"shop.contoso.com", "/videos/1", "shop", "", "web"},
		{"a.b.contoso.com", "/", "contoso", "", ""},
		{"abc.fabrikam.com", "/", "contoso", "", ""},
		{"abbc.fabrikam.com", "/", "rest", "", "rest"},
		{"contoso.com", "/", "rest", "", "rest"},
		{"10.0.0.1", "/", "rest", "", "rest"},
		{"[2001:db8::1]:80", "/", "rest", "", "rest"},
	} {
		d := r.Decide(front80, tt.host, tt.path)
		if d.Rule != tt.rule || d.Path != tt.pathRule || d.Pool != tt.pool {
			t.Errorf("%s%s: rule %q, path %q, pool %q; want %q, %q, %q", tt.host, tt.path, d.Rule, d.Path, d.Pool, tt.rule, tt.pathRule, tt.pool)
		}
	}
	d := r.Decide(front80, "x.example", "/")
	if len(d.Passed) != 2 || !strings.Contains(d.Passed[0].Why, "shop.contoso.com") {
		t.Errorf("why not elsewhere: %+v", d.Passed)
	}
	// A wildcard of better priority shadows an exact host.
	c := shop()
	c.Rules[1].Priority, c.Rules[2].Priority = 200, 100
	if d := router(t, c).Decide(front80, "shop.contoso.com", "/"); d.Rule != "contoso" {
		t.Error("shadowed:", d.Rule)
	}
	// Nobody takes it.
	c = shop()
	c.Rules, c.Listeners = c.Rules[1:], c.Listeners[:2]
	if d := router(t, c).Decide(front80, "x.example", "/"); d.Status != 404 || d.Rule != "" {
		t.Errorf("%+v", d)
	}
	if d := r.Decide(netip.MustParseAddrPort("0.0.0.0:81"), "shop.contoso.com", "/"); d.Status != 404 {
		t.Errorf("at another port: %+v", d)
	}
}

// Everything wrong is found, each with its place.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name  string
		wrong func(*Config)
		want  string
	}{
		{"no listener", func(c *Config) { c.Listeners = nil }, "has no listener"},
		{"protocol", func(c *Config) { c.Listeners[0].Protocol = "Gopher" }, "gw.yaml:2:1: listener shop: protocol \"Gopher\"; use Http or Https"},
		{"certificate", func(c *Config) { c.Listeners[0].Protocol = HTTPS }, "needs a certificate"},
		{"two protocols", func(c *Config) { c.Listeners[0].Protocol = HTTPS }, "speaks Http at 0.0.0.0:80"},
		{"hosts", func(c *Config) { c.Listeners[0].Hosts = []string{"a", "b", "c", "d", "e", "f"} }, "6 hosts; 5 is the most"},
		{"three stars", func(c *Config) { c.Listeners[0].Hosts = []string{"*.a*.b*"} }, "3 asterisks"},
		{"two stars in a label", func(c *Config) { c.Listeners[0].Hosts = []string{"*a*.com"} }, "two asterisks in"},
		{"side by side", func(c *Config) { c.Listeners[0].Hosts = []string{"*?.com"} }, "side by side"},
		{"wildcards", func(c *Config) { c.Listeners[0].Hosts = []string{"?a?b?c?d?.com"} }, "5 wildcards"},
		{"host", func(c *Config) { c.Listeners[0].Hosts = []string{"a b.com"} }, `' ' is not allowed`},
		{"same host", func(c *Config) { c.Listeners[1].Hosts = []string{"Shop.Contoso.Com"} }, "as listener shop does"},
		{"no rule", func(c *Config) { c.Rules = c.Rules[:2] }, "listener any-contoso has no rule"},
		{"two rules", func(c *Config) { c.Rules[0].Listener = "shop" }, "is for listener shop, as rule rest is"},
		{"priority", func(c *Config) { c.Rules[0].Priority = 20001 }, "gw.yaml:20:1: rule rest: priority 20001; use 1 to 20000"},
		{"same priority", func(c *Config) { c.Rules[0].Priority = 100 }, "has priority 100, as rule rest does"},
		{"pool", func(c *Config) { c.Rules[0].Default.Pool = "x" }, `no pool "x"`},
		{"settings", func(c *Config) { c.Rules[0].Default.Settings = "x" }, `no backend setting "x"`},
		{"pattern", func(c *Config) { c.Rules[1].Paths[0].Patterns = []string{"/a*b"} }, `gw.yaml:12:3: rule shop, path images: pattern "/a*b" must begin with / and may have a * at its end only`},
		{"redirect", func(c *Config) { c.Rules[2].Default.Redirect.Status = 308 }, "redirect status 308"},
		{"redirect to wildcards", func(c *Config) {
			c.Rules[1].Default = Action{Redirect: &Redirect{Status: 301, Listener: "any-contoso"}}
		}, "does not know which"},
		{"redirect to itself", func(c *Config) { c.Rules[2].Default.Redirect.Listener = "any-contoso" }, "the listener it is of"},
		{"redirect and pool", func(c *Config) { c.Rules[2].Default.Pool = "web" }, "exclude each other"},
		{"relative redirect", func(c *Config) { c.Rules[2].Default.Redirect = &Redirect{Status: 301, URL: "/x"} }, "no absolute URL"},
		{"member twice", func(c *Config) { c.Pools[0].Members[1].Host = "10.0.0.4" }, "member 10.0.0.4 is there twice"},
		{"timeout", func(c *Config) { c.Settings[0].Timeout = 1 }, "timeout is 1ns; use 1s to 24h0m0s"},
		{"path", func(c *Config) { c.Settings[0].Path = "x" }, "must begin with /"},
		{"probe", func(c *Config) { c.Settings[0].Probe = "x" }, `no probe "x"`},
		{"status", func(c *Config) {
			c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Statuses: []string{"399-200"}}}
		}, `status "399-200"`},
		{"header", func(c *Config) { c.Rules[0].Default.Rewrites = []Rewrite{{Name: "r", Request: []Header{{"a b", "c"}}}} }, "no name of a header"},
		{"variable", func(c *Config) {
			c.Rules[0].Default.Rewrites = []Rewrite{{Name: "r", Request: []Header{{"A", "{var_x}"}}}}
		}, "no variable {var_x}"},
		{"brace", func(c *Config) {
			c.Rules[0].Default.Rewrites = []Rewrite{{Name: "r", Request: []Header{{"A", "{var_host"}}}}
		}, "a { without its }"},
		{"regular expression", func(c *Config) {
			c.Rules[0].Default.Rewrites = []Rewrite{{Name: "r", Conditions: []Condition{{Variable: "var_host", Pattern: "("}}}}
		}, "missing closing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := shop()
			tt.wrong(c)
			_, err := NewRouter(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
	if err := shop().Check(); err != nil {
		t.Error(err)
	}
}

// FuzzLike compares the matcher with the plainest one.
func FuzzLike(f *testing.F) {
	f.Add("*.contoso.com", "a.b.contoso.com")
	f.Add("a?c*", "abcabc")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 24 || len(s) > 24 {
			return
		}
		if got, want := like(pattern, s), plainly(pattern, s); got != want {
			t.Errorf("%q like %q: %v, want %v", s, pattern, got, want)
		}
	})
}

func plainly(pattern, s string) bool {
	// ok[j] says whether what was read of the pattern matches s[:j].
	ok := make([]bool, len(s)+1)
	ok[0] = true
	for i := range len(pattern) {
		next := make([]bool, len(s)+1)
		if pattern[i] == '*' {
			seen := false
			for j := range next {
				seen = seen || ok[j]
				next[j] = seen
			}
		} else {
			for j := range len(s) {
				next[j+1] = ok[j] && (pattern[i] == '?' || pattern[i] == s[j])
			}
		}
		ok = next
	}
	return ok[len(s)]
}
