package waf

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"
)

// plainCoraza is Coraza with its recommended configuration and the whole rule set,
// as its documentation says to use it.
func plainCoraza(t testing.TB) coraza.WAF {
	t.Helper()
	w, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(`Include @coraza.conf-recommended
Include @crs-setup.conf.example
SecRuleEngine On
SecAuditEngine Off
SecResponseBodyAccess Off
Include @owasp_crs/*.conf
`))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// plainVerdict asks Coraza as its own middleware does.
func plainVerdict(t testing.TB, w coraza.WAF, r *http.Request) *types.Interruption {
	t.Helper()
	tx := w.NewTransaction()
	defer func() {
		tx.ProcessLogging()
		tx.Close()
	}()
	tx.ProcessConnection("192.0.2.1", 1234, "", 0)
	tx.ProcessURI(r.RequestURI, r.Method, r.Proto)
	for name, values := range r.Header {
		for _, v := range values {
			tx.AddRequestHeader(name, v)
		}
	}
	tx.AddRequestHeader("Host", r.Host)
	if it := tx.ProcessRequestHeaders(); it != nil {
		return it
	}
	if r.Body != nil {
		if it, _, err := tx.ReadRequestBodyFrom(r.Body); err != nil || it != nil {
			return it
		}
	}
	it, err := tx.ProcessRequestBody()
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// traffic are requests as they come, good and bad.
func traffic() map[string]func() *http.Request {
	form, json := "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json"
	orders := `{"customer":"Ada Lovelace","lines":[` + strings.TrimSuffix(strings.Repeat(`{"article":"4711-A","count":3,"note":"please ring twice"},`, 20), ",") + `]}`
	out := map[string]func() *http.Request{}
	for name, lines := range map[string][]string{
		"get": {"GET /catalogue/shoes?size=42&colour=blue", "Cookie: session=8f14e45fceea167a5a36dedd4bea2543"}, "json": {"POST /orders", json, "", orders},
		"form": {"POST /login", form, "", "user=ada&password=correct+horse"}, "sql": {attack}, "xss": {"GET /?q=%3Cscript%3Ealert(1)%3C/script%3E"},
		"lfi": {"GET /?f=../../../../etc/passwd"}, "rce": {"GET /?c=;cat+/etc/passwd"}, "scanner": {"GET /", "X: y"}, "form with sql": {"POST /", form, "", "id=1%27+OR+%271%27%3D%271"},
		"cookie with sql": {"GET /", "Cookie: a=1' UNION SELECT password FROM users--"}, "log4j": {"GET /", "X-Api: ${jndi:ldap://x/y}"}, "session": {"GET /?cfsid=1"},
		"php": {"GET /?x=unixtojd("}, "floats": {"GET /?i=2.2250738585072011e-308"}, "json with xss": {"POST /", json, "", `{"a":"<img src=x onerror=alert(1)>"}`}, "broken": {"POST /", json, "", `{"a`},
	} {
		out[name] = func() *http.Request { return ask(lines...) }
	}
	return out
}

// Plain Coraza, with all its rules and without our shortcuts, has the same verdict.
func TestSameVerdictAsPlainCoraza(t *testing.T) {
	plain, ours := plainCoraza(t), make1(t, Policy{Managed: managed()})
	for name, r := range traffic() {
		it := plainVerdict(t, plain, r())
		i := inspect(t, ours, r())
		want := "passes"
		if it != nil {
			want = fmt.Sprint("rule ", it.RuleID)
		}
		got := "passes"
		if i.Blocked {
			got = "rule " + i.Rule
		}
		if got != want {
			t.Errorf("%s: %s, plain Coraza: %s; %v", name, got, want, ids(i))
		}
	}
}

func BenchmarkInspect(b *testing.B) {
	plain, ours := plainCoraza(b), make1(b, Policy{Managed: managed()})
	for _, name := range []string{"get", "form", "json", "sql"} {
		make := traffic()[name]
		b.Run(name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				inspect(b, ours, make())
			}
		})
		b.Run(name+"/plain", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plainVerdict(b, plain, make())
			}
		})
	}
}
