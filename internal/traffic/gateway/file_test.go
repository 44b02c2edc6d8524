package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const shopFile = `gateway: shop
listeners:
  - name: web
    port: 8080
    hosts: [shop.example, "*.shop.example"]
pools:
  - name: web
    members: [10.0.0.4, "10.0.0.5:8081", app.example:9000, {host: 10.0.0.6, weight: 3}, "2001:db8::1"]
  - name: images
    members: [10.0.1.4]
settings:
  - name: plain
    timeout: 5s
    affinity: true
    probe: health
probes:
  - name: health
    path: /health
    interval: 5s
    statuses: ["200-299", "404"]
rules:
  - name: web
    priority: 100
    listener: web
    pool: web
    settings: plain
    rewrites:
      - name: id
        when: [{variable: var_uri_path, matches: "^/a", ignoreCase: true}]
        request: {X-Id: "{var_client_ip}", X-A: b}
        path: /b
    paths:
      - match: ["/images/*"]
        pool: images
        settings: plain
      - name: old
        match: [/old]
        redirect: {url: "https://new.example", status: 302, path: false}
`

func TestParse(t *testing.T) {
	c, err := Parse("gw.yaml", []byte(shopFile))
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	if l.Address.String() != "127.0.0.1:8080" || l.Protocol != HTTP || l.Place != "gw.yaml:3:5" || len(l.Hosts) != 2 {
		t.Errorf("%+v", l)
	}
	want := []Member{{Host: "10.0.0.4"}, {Host: "10.0.0.5", Port: 8081}, {Host: "app.example", Port: 9000}, {Host: "10.0.0.6", Weight: 3}, {Host: "2001:db8::1"}}
	for i, m := range c.Pools[0].Members {
		if m != want[i] {
			t.Errorf("%+v, want %+v", m, want[i])
		}
	}
	if s := c.Settings[0]; s.Timeout != 5*time.Second || !s.Affinity || s.Port != 80 {
		t.Errorf("%+v", s)
	}
	r := c.Rules[0]
	if w := r.Default.Rewrites[0]; len(w.Request) != 2 || w.Request[0].Name != "X-A" || !w.Conditions[0].IgnoreCase || *w.Path != "/b" {
		t.Errorf("%+v", w)
	}
	if p := r.Paths[1]; p.Action.Redirect.Status != 302 || p.Action.Redirect.IncludePath || !p.Action.Redirect.IncludeQuery || p.Place != "gw.yaml:36:9" {
		t.Errorf("%+v %+v", p, p.Action.Redirect)
	}
}

// Everything wrong is told with its place, all at once.
func TestParseWrong(t *testing.T) {
	for _, tt := range []struct{ name, from, to, want string }{
		{"unknown field", "timeout: 5s", "timeuot: 5s", `gw.yaml:13:5: unknown field "timeuot"`},
		{"no YAML", "gateway: shop", "gateway: [", "gw.yaml:"},
		{"duration", "timeout: 5s", "timeout: soon", `gw.yaml:12:5: backend setting plain: timeout: "soon" is no duration; write 20s or 1m30s`},
		{"address", "port: 8080", "port: 8080\n    address: here", `gw.yaml:3:5: listener web: "here" is no address`},
		{"port", "10.0.0.5:8081", "10.0.0.x:80000", `gw.yaml:8:25: member "10.0.0.x:80000": "80000" is no port; write HOST:PORT`},
		{"certificate", "port: 8080", "port: 8080\n    certificates: [{certificate: none.crt, key: none.key}]", "none.crt"},
		{"pool", "pool: images", "pool: imges", `gw.yaml:33:9: rule web, path /images/*: no pool "imges"; there is web, images`},
		{"alias", "pool: images", "pool: *images", "gw.yaml:34:16: an alias (*) is not taken here"},
		{"status", `"404"`, `"4O4"`, `gw.yaml:17:5: probe health: status "4O4"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(shopFile, tt.from) {
				t.Fatal("nothing to change")
			}
			_, err := Parse("gw.yaml", []byte(strings.Replace(shopFile, tt.from, tt.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
	two := strings.Replace(strings.Replace(shopFile, "pool: images", "pool: x", 1), "timeout: 5s", "timeout: y", 1)
	if _, err := Parse("gw.yaml", []byte(two)); err == nil || len(err.(Problems)) != 2 {
		t.Error(err)
	}
}

// Certificates and authorities are read from beside the file.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	pair, _ := certificate(t, "shop.example")
	writePEM(t, filepath.Join(dir, "tls.crt"), "CERTIFICATE", pair.Certificate[0])
	writePEM(t, filepath.Join(dir, "tls.key"), "PRIVATE KEY", keyBytes(t, pair))
	file := strings.Replace(shopFile, "port: 8080", "port: 8443\n    certificates: [{certificate: tls.crt, key: tls.key}]\n    clientCAs: tls.crt\n    minTLS: \"1.3\"", 1)
	path := filepath.Join(dir, "gw.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Listeners[0]; l.Protocol != HTTPS || len(l.Certificates) != 1 || l.ClientCAs == nil || l.MinTLS == 0 {
		t.Errorf("%+v", l)
	}
	if _, err := ReadFile(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("a file that is not there")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(shopFile)
	f.Add("listeners: [{name: a, port: 1}]\n")
	f.Add("rules:\n- paths: [{match: [/a]}]\n")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := Parse("gw.yaml", []byte(file))
		if err != nil {
			return
		}
		r, err := NewRouter(c)
		if err != nil {
			t.Fatalf("what was parsed is refused: %v", err)
		}
		for _, l := range c.Listeners {
			r.Decide(l.Address, "shop.example", "/x")
		}
	})
}

// http2 at the top of a file.
func TestParseHTTP2(t *testing.T) {
	for text, want := range map[string]bool{"": false, "http2: true\n": false, "http2: false\n": true} {
		if c, err := Parse("gw.yaml", []byte(shopFile+text)); err != nil || c.NoHTTP2 != want {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	if _, err := Parse("gw.yaml", []byte("http2: never\n"+shopFile)); err == nil || !strings.HasPrefix(err.Error(), "gw.yaml:1:8: ") {
		t.Error(err)
	}
}
