package waf

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a request has, a firewall ends with a verdict, and what it lets pass
// arrives as it was sent.
func FuzzInspect(f *testing.F) {
	w := make1(f, Policy{Managed: managed(), InspectLimit: 8 << 10, Custom: []Rule{
		{Name: "args", Priority: 1, Action: Log, Conditions: []Condition{{Variables: []Variable{{"PostArgs", ""}, {"QueryString", "a"}, {"RequestCookies", ""}}, Operator: "Contains", Values: []string{"x"}, Transforms: []string{"UrlDecode", "HtmlEntityDecode", "Trim", "RemoveNulls"}}}},
	}})
	f.Add("/?id=1%27+OR+1=1", "application/x-www-form-urlencoded", "a=b&c=%4", "s=7")
	f.Add("/a%zz", "application/json", `{"a":[1,{"b":"<script>"}]}`, "")
	f.Add("/", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n--b--", "\x00")
	f.Add("/", "text/xml", "<a><b>&x;</b>", "=;=;,")
	f.Fuzz(func(t *testing.T, uri, kind, body, cookie string) {
		if len(body) > 64<<10 {
			return
		}
		r, err := http.NewRequest("POST", "http://shop.example/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI, r.URL.RawQuery, r.RemoteAddr = uri, uri, "192.0.2.1:5"
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Cookie", cookie)
		i, err := w.Begin(r, "f", noon)
		if err != nil {
			t.Skip(err)
		}
		i.Close()
		if i.Blocked {
			if i.Status == 0 || len(i.Entries()) == 0 {
				t.Errorf("blocked with status %d and %d entries", i.Status, len(i.Entries()))
			}
			return
		}
		if got, _ := io.ReadAll(r.Body); !bytes.Equal(got, []byte(body)) {
			t.Errorf("the member gets %q of %q", got, body)
		}
	})
}

// A selector, whatever it has, leaves the rules whole.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"id", `a|b`, `"`, "/", `\`, "a b", "é", "(?i", "{x}", "\n"} {
		f.Add(s)
	}
	rules, err := coreRules()
	if err != nil {
		f.Fatal(err)
	}
	d := rules.byID[942100]
	small := &ruleList{list: []directive{*d}, byID: rules.byID, groups: rules.groups}
	f.Fuzz(func(t *testing.T, selector string) {
		if selector == "" || !utf8.ValidString(selector) {
			return
		}
		p := &Policy{Name: "p", Mode: Detection, Managed: managed(), Exclusions: []Exclusion{{Variable: "RequestArgNames", Operator: "Equals", Selector: selector}}}
		if err := p.Check(Options{}); err != nil {
			return
		}
		if _, err := compileDirectives(p.directives(small, "")); err != nil {
			t.Errorf("%q: %v", selector, err)
		}
	})
}

func FuzzDirectives(f *testing.F) {
	f.Add("SecRule ARGS \"@rx a\" \\\n \"id:1,chain\"\nSecRule ARGS \"@rx b\"\n# c\n")
	f.Add("SecAction \"id:'7',pass\"")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range parseDirectives(text, "g") {
			if d.text == "" {
				t.Error("an empty directive")
			}
			filterable(d.text)
		}
	})
}
