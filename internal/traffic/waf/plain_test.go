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
	const sqli, jsql, multi = "id=1%27+UNION+SELECT+password+FROM+users+--+", `{"a":"' UNION SELECT password FROM users -- "}`, "Content-Type: multipart/form-data; boundary=b"
	part := func(head string) string {
		return "--b\r\n" + head + "\r\n\r\n' UNION SELECT password FROM users -- \r\n--b--\r\n"
	}
	out := map[string]func() *http.Request{}
	for name, lines := range map[string][]string{
		"get": {"GET /catalogue/shoes?size=42&colour=blue", "Cookie: session=8f14e45fceea167a5a36dedd4bea2543"}, "json": {"POST /orders", json, "", orders},
		"form": {"POST /login", form, "", "user=ada&password=correct+horse"}, "sql": {attack}, "xss": {"GET /?q=%3Cscript%3Ealert(1)%3C/script%3E"},
		"lfi": {"GET /?f=../../../../etc/passwd"}, "rce": {"GET /?c=;cat+/etc/passwd"}, "scanner": {"GET /", "X: y"}, "form with sql": {"POST /", form, "", "id=1%27+OR+%271%27%3D%271"},
		"cookie with sql": {"GET /", "Cookie: a=1' UNION SELECT password FROM users--"}, "log4j": {"GET /", "X-Api: ${jndi:ldap://x/y}"}, "session": {"GET /?cfsid=1"},
		"php": {"GET /?x=unixtojd("}, "floats": {"GET /?i=2.2250738585072011e-308"}, "json with xss": {"POST /", json, "", `{"a":"<img src=x onerror=alert(1)>"}`}, "broken": {"POST /", json, "", `{"a`},
		// What a body is taken for, and what keeps it from being read.
		"upgrade": {"POST /", form, "Upgrade: x", "", sqli}, "upgrade with connection": {"POST /", form, "Connection: upgrade", "Upgrade: websocket", "", sqli},
		"grpc of HTTP/1.1": {"POST /", "Content-Type: application/grpc", "", sqli}, "no type": {"POST /", "", sqli}, "unknown type": {"POST /", "Content-Type: x/y", "", sqli},
		"type in capitals": {"POST /", "Content-Type: APPLICATION/X-WWW-FORM-URLENCODED", "", sqli}, "type with spaces": {"POST /", "Content-Type:  application/x-www-form-urlencoded ; charset=utf-8", "", sqli},
		"two types": {"POST /", form, "Content-Type: text/plain", "", sqli}, "two types, turned": {"POST /", "Content-Type: text/plain", form, "", sqli},
		"charset utf-16": {"POST /", form + "; charset=utf-16", "", sqli}, "charset utf-7": {"POST /", form + "; charset=utf-7", "", "a=+ADw-script+AD4-alert(1)+ADw-/script+AD4-"}, "charset ibm037": {"POST /", form + "; charset=ibm037", "", sqli},
		"charset twice": {"POST /", form + "; charset=utf-8; charset=ibm500", "", sqli}, "coded body": {"POST /", form, "Content-Encoding: gzip", "", sqli},
		"json by suffix": {"POST /", "Content-Type: application/vnd.api+json", "", jsql}, "json of text": {"POST /", "Content-Type: text/json", "", jsql}, "json with charset": {"POST /", json + ";charset=utf-16", "", jsql},
		"json with a key twice": {"POST /", json, "", `{"a":1,"a":"' OR 1=1 -- "}`}, "json escaped": {"POST /", json, "", `{"a":"\u0027 OR 1=1 -- "}`}, "json in depth": {"POST /", json, "", strings.Repeat(`{"a":`, 200) + `"x"` + strings.Repeat("}", 200)},
		"json of an array": {"POST /", json, "", `["' UNION SELECT password FROM users -- "]`}, "json and more": {"POST /", json, "", `{"a":1} ' OR 1=1 -- `}, "json with a mark": {"POST /", json, "", "\ufeff" + jsql},
		"xml": {"POST /", "Content-Type: text/xml", "", `<a b="' UNION SELECT password FROM users -- ">1</a>`}, "xml entity": {"POST /", "Content-Type: application/xml", "", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`}, "soap": {"POST /", "Content-Type: application/soap+xml", "", `<a>' UNION SELECT password FROM users -- </a>`},
		"multipart": {"POST /", multi, "", part(`Content-Disposition: form-data; name="a"`)}, "multipart file": {"POST /", multi, "", part(`Content-Disposition: form-data; name="a"; filename="x.php"`)},
		"multipart without quotes": {"POST /", multi, "", part("Content-Disposition: form-data; name=a")}, "multipart boundary in quotes": {"POST /", `Content-Type: multipart/form-data; boundary="b"`, "", part(`Content-Disposition: form-data; name="a"`)},
		"multipart two boundaries": {"POST /", multi + "; boundary=c", "", part(`Content-Disposition: form-data; name="a"`)}, "multipart without end": {"POST /", multi, "", strings.TrimSuffix(part(`Content-Disposition: form-data; name="a"`), "--b--\r\n")},
		"multipart charset": {"POST /", multi, "", part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-7")}, "multipart coded": {"POST /", multi, "", part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64")},
		"multipart bare lines": {"POST /", multi, "", strings.ReplaceAll(part(`Content-Disposition: form-data; name="a"`), "\r\n", "\n")}, "multipart mixed": {"POST /", "Content-Type: multipart/mixed; boundary=b", "", part(`Content-Disposition: form-data; name="a"`)},
		"twice escaped": {"GET /?q=%2527%2520UNION%2520SELECT%2520password%2520FROM%2520users--"}, "escaped by %u": {"GET /?q=%u0027%20UNION%20SELECT%20password%20FROM%20users--"}, "overlong": {"GET /?f=%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd"}, "nul": {"GET /?q=a%00'+UNION+SELECT+password+FROM+users--"},
		"semicolons": {"GET /?a=1;q='+UNION+SELECT+password+FROM+users--"}, "names": {"GET /?'+UNION+SELECT+password+FROM+users--=1"}, "path": {"GET /..%2f..%2fetc/passwd"}, "body of a get": {"GET /", form, "", sqli},
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
