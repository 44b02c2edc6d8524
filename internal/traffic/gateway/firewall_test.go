package gateway

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

const firewalled = `gateway: shop
listeners:
  - {name: web, port: 80, hosts: [shop.example]}
  - {name: other, port: 80, hosts: [other.example], wafPolicy: watch}
pools: [{name: web, members: ["MEMBER"]}]
settings: [{name: plain}]
rules:
  - name: web
    priority: 1
    listener: web
    pool: web
    settings: plain
    paths: [{match: ["/raw/*"], pool: web, settings: plain, wafPolicy: none}]
  - {name: other, priority: 2, listener: other, pool: web, settings: plain}
wafPolicy: guard
wafPolicies:
  - name: guard
    managed: [{type: OWASP, version: "4.25", overrides: [{group: PHP, disabled: true}]}]
    exclusions: [{variable: RequestArgNames, operator: Equals, selector: note}]
    responses: true
    body: {inspect: 16KiB, max: 16KiB}
    block: {status: 406, page: "go away"}
    custom:
      - name: trusted
        priority: 1
        action: Allow
        when: [{variables: ["RequestHeaders:X-Key"], operator: Equal, values: [secret]}]
      - name: busy
        priority: 2
        action: Block
        rate: {threshold: 2}
        when: [{variables: [RequestUri], operator: BeginsWith, values: [/login]}]
  - {name: watch, mode: Detection, managed: [{type: OWASP, version: "3.2"}]}
  - {name: none, disabled: true}
`

// A WAF policy holds for the gateway, a listener or a path rule; the most specific
// one counts. What it blocks never reaches a member.
func TestFirewall(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if r.URL.Path != "/" { // a health probe
			mu.Lock()
			asked = append(asked, r.URL.Path+" "+string(b))
			mu.Unlock()
		}
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/leak" {
			io.WriteString(w, "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version")
			return
		}
		io.WriteString(w, "well")
	})
	path := filepath.Join(t.TempDir(), "g.yaml")
	text := strings.ReplaceAll(strings.ReplaceAll(firewalled, "port: 80", "port: 80, address: 0.0.0.0"), "MEMBER", endpoint{m.Host, m.Port}.String())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, c)
	var entries []waf.Entry
	g.options.OnFirewall = func(e []waf.Entry) {
		mu.Lock()
		entries = append(entries, e...)
		mu.Unlock()
	}
	client := g.client("0.0.0.0:80", nil)
	const sql = "?id=1%27%20OR%20%271%27=%271"
	for _, test := range []struct {
		name, url, key, body string
		chunked              bool
		status               int
		arrives              bool
		rule                 string
	}{
		{"plain", "http://shop.example/a", "", "", false, 200, true, ""},
		{"attack", "http://shop.example/a" + sql, "", "", false, 406, false, "949110 Blocked"},
		{"excluded argument", "http://shop.example/a" + strings.Replace(sql, "id", "note", 1), "", "", false, 200, true, ""},
		{"custom rule first", "http://shop.example/a" + sql, "secret", "", false, 200, true, "trusted Allowed"},
		{"path without", "http://shop.example/raw/a" + sql, "", "", false, 200, true, ""},
		{"listener's", "http://other.example/a" + sql, "", "", false, 200, true, "949110 Detected"},
		{"answer", "http://shop.example/leak", "", "", false, 406, true, "959100 Blocked"},
		{"body", "http://shop.example/a", "", "x=hello", false, 200, true, ""},
		{"body with an attack", "http://shop.example/a", "", "id=1%27+OR+%271%27%3D%271", false, 406, false, "949110 Blocked"},
		{"large body", "http://shop.example/a", "", strings.Repeat("a", 17<<10), false, 413, false, "RequestBodyLimit Blocked"},
		{"large body, not said", "http://shop.example/a", "", strings.Repeat("a", 70<<10), true, 413, false, ""},
		{"login", "http://shop.example/login", "", "", false, 200, true, ""},
		{"login again", "http://shop.example/login", "", "", false, 200, true, ""},
		{"login too often", "http://shop.example/login", "", "", false, 406, false, "busy Blocked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mu.Lock()
			asked, entries = nil, nil
			mu.Unlock()
			req, err := http.NewRequest("GET", test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.body != "" {
				req.Method = "POST"
				var from io.Reader = strings.NewReader(test.body)
				req.Body, req.ContentLength = io.NopCloser(from), int64(len(test.body))
				if test.chunked {
					req.ContentLength = -1
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			req.Header.Set("User-Agent", "Mozilla/5.0")
			req.Header.Set("Accept", "*/*")
			if test.key != "" {
				req.Header.Set("X-Key", test.key)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			page, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			<-g.told
			mu.Lock()
			defer mu.Unlock()
			var rules []string
			for _, e := range entries {
				rules = append(rules, e.RuleID+" "+e.Action)
			}
			if resp.StatusCode != test.status || (len(asked) > 0) != test.arrives {
				t.Errorf("%d %q; the member was asked %v; %v", resp.StatusCode, page, asked, rules)
			}
			if test.rule == "" && len(rules) > 0 || test.rule != "" && !slices.Contains(rules, test.rule) {
				t.Errorf("%v, want %q", rules, test.rule)
			}
			if test.arrives && test.body != "" && len(asked) > 0 && !strings.HasSuffix(asked[0], test.body) {
				t.Errorf("the member got %q", asked)
			}
			if test.status == 406 && string(page) != "go away" {
				t.Errorf("page %q", page)
			}
		})
	}
	g.mu.Lock()
	for _, r := range g.records[:2] {
		if r.WafMode != "Prevention" || r.WafEvaluationTime <= 0 || r.TransactionID == "" {
			t.Errorf("%+v", r)
		}
	}
	g.mu.Unlock()
	before := g.state.Load().walls["guard"]
	if err := g.Load(c); err != nil || g.state.Load().walls["guard"] != before {
		t.Error("a reload forgets what the rates counted", err)
	}
	if d := g.Router().Decide(front80, "shop.example", "/raw/x"); d.Firewall != "none" {
		t.Error(d.Firewall)
	}
	_, err = Parse("g.yaml", []byte(strings.ReplaceAll(strings.ReplaceAll(text, "wafPolicy: watch", "wafPolicy: wach"), "OWASP, version: \"3.2\"", "OWASP, version: \"9\"")))
	for _, want := range []string{`g.yaml:4:6: listener other: no WAF policy "wach"`, "g.yaml:33:6: WAF policy watch: managed rule set OWASP 9 is not here"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}
