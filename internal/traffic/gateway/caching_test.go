package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// A rule with a cache asks a member once for what is fresh; another rule's answers
// are its own, and a client cannot make what others get by headers that no key has.
func TestCaching(t *testing.T) {
	var asked atomic.Int64
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return // a probe
		}
		n := asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"v"`)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "n%d %s %s", n, r.Header.Get("X-Forwarded-Host"), strings.Repeat("long ", 1000))
	})
	c := simple(m)
	c.Settings[0].Affinity = true
	c.Rules[0].Default.Policy = Policy{Cache: &cache.Policy{Query: cache.IgnoreQuery}, Compress: true}
	c.Rules[0].Paths = []PathRule{{Name: "live", Patterns: []string{"/live"}, Action: Action{Pool: "web", Settings: "http"}}}
	g := start(t, c)
	client := g.client("0.0.0.0:80", nil)
	get := func(path string, header ...string) (*http.Response, string) {
		t.Helper()
		req, _ := http.NewRequest("GET", "http://shop.example"+path, nil)
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		n, _ := resp.Body.Read(b[:])
		for {
			if _, err := resp.Body.Read(make([]byte, 8192)); err != nil {
				break
			}
		}
		resp.Body.Close()
		<-g.told
		return resp, string(b[:n])
	}
	if resp, body := get("/a?x=1", "X-Forwarded-Host: evil.example"); !strings.HasPrefix(body, "n1  long") || resp.Header.Get("Cache-Status") != "cerulean; fwd=miss; stored" || len(resp.Cookies()) != 2 {
		t.Errorf("%q %v", body, resp.Header)
	}
	if resp, body := get("/a?x=2"); !strings.HasPrefix(body, "n1") || resp.Header.Get("Cache-Status") != "cerulean; hit" || resp.Header.Get("Age") != "0" || len(resp.Cookies()) != 0 {
		t.Errorf("%q %v", body, resp.Header)
	}
	// RFC 9110, 15.4.5: with the Vary and the tag of the answer it stands for.
	if resp, _ := get("/a", `If-None-Match: W/"v"`, "Accept-Encoding: gzip"); resp.StatusCode != 304 || resp.Header.Get("Vary") != "Accept-Encoding" || resp.Header.Get("Etag") != `W/"v"` {
		t.Error(resp.Status, resp.Header)
	}
	if resp, body := get("/a", "Range: bytes=1-1", "Accept-Encoding: gzip"); resp.StatusCode != 206 || body != "1" || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Cache-Status") != "cerulean; hit" {
		t.Error(resp.Status, body, resp.Header)
	}
	if resp, _ := get("/a", "Cache-Control: no-cache"); resp.Header.Get("Cache-Status") != "cerulean; fwd=request; stored" {
		t.Error(resp.Header) // RFC 9211, 2.2
	}
	if resp, _ := get("/a", "Accept-Encoding: gzip"); resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Cache-Status") != "cerulean; hit" {
		t.Error(resp.Header)
	}
	if _, body := get("/live"); !strings.HasPrefix(body, "n3") {
		t.Error(body)
	}
	if _, body := get("/live"); !strings.HasPrefix(body, "n4") {
		t.Error(body)
	}
	if n := g.Purge("shop.example", "/A*"); n != 1 {
		t.Error(n)
	}
	if _, body := get("/a"); !strings.HasPrefix(body, "n5") {
		t.Error(body)
	}
	g.mu.Lock()
	if r := g.records[1]; r.CacheStatus != "cerulean; hit" || r.ServerRouted != "" || r.HTTPStatus != 200 {
		t.Errorf("%+v", r)
	}
	g.mu.Unlock()
	if s := g.CacheStats(); s.Answers != 1 || s.Hits < 3 {
		t.Errorf("%+v", s)
	}
	_, err := Parse("g.yaml", []byte("gateway: g\ncacheSize: 1x\nlisteners: [{name: l, port: 80}]\npools: [{name: p, members: [a]}]\nsettings: [{name: s}]\nrules:\n  - {name: r, priority: 1, listener: l, pool: p, settings: s, policy: {cache: {query: Moon, override: true, maxObject: 1x}}}\n"))
	for _, want := range []string{"cacheSize: \"1x\"", `query "Moon"`, "override needs a ttl", "maxObject: \"1x\""} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}
