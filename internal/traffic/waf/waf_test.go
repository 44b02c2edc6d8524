package waf

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func managed(overrides ...Override) []RuleSet {
	return []RuleSet{{Type: "OWASP", Version: "4.25", Overrides: overrides}}
}

func make1(t testing.TB, p Policy) *Firewall {
	t.Helper()
	if p.Name == "" {
		p.Name = "p"
	}
	if p.Mode == "" {
		p.Mode = Prevention
	}
	f, err := New(&p, Options{Country: func(a netip.Addr) (string, bool) { return "NZ", a == netip.MustParseAddr("192.0.2.1") }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ask makes a request as a browser would: "GET /path", headers as "Name: value",
// and after an empty one the body.
func ask(lines ...string) *http.Request {
	method, uri, _ := strings.Cut(lines[0], " ")
	headers, body := lines[1:], ""
	if i := slices.Index(headers, ""); i >= 0 {
		headers, body = headers[:i], strings.Join(headers[i+1:], "\n")
	}
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, uri, from)
	r.RemoteAddr = "192.0.2.1:1234"
	r.Host = "shop.example"
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "*/*")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func inspect(t testing.TB, f *Firewall, r *http.Request) *Inspection {
	t.Helper()
	i, err := f.Begin(r, "t1", noon)
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	return i
}

func ids(i *Inspection) (out []string) {
	for _, e := range i.Entries() {
		out = append(out, e.RuleID+" "+e.Action)
	}
	return out
}

const attack = "GET /?id=1%27%20OR%20%271%27=%271"

// Application Gateway WAF: in prevention mode a request whose score is 5 or more
// is answered with 403; in detection mode it is logged only.
func TestModes(t *testing.T) {
	for _, test := range []struct {
		mode    Mode
		blocked bool
		action  string
	}{{Prevention, true, "949110 Blocked"}, {Detection, false, "949110 Detected"}} {
		f := make1(t, Policy{Mode: test.mode, Managed: managed()})
		i := inspect(t, f, ask(attack))
		if i.Blocked != test.blocked || i.Score < threshold || !slices.Contains(ids(i), test.action) || !slices.Contains(ids(i), "942100 Matched") {
			t.Errorf("%s: blocked %v, score %d, %v", test.mode, i.Blocked, i.Score, ids(i))
		}
		if test.blocked && (i.Status != 403 || i.Rule != "949110") {
			t.Error(i.Status, i.Rule)
		}
		e := i.Entries()[0]
		if e.ClientIP != "192.0.2.1" || e.ClientPort != 1234 || e.Hostname != "shop.example" || e.Site != "Global" || e.TransactionID != "t1" || e.OperationName != "ApplicationGatewayFirewall" || e.RuleSetType != "OWASP CRS" || e.FileDetails != "REQUEST-942-APPLICATION-ATTACK-SQLI.conf" || e.DetailedData == "" {
			t.Errorf("%+v", e)
		}
		if i := inspect(t, f, ask("GET /shoes?size=42", "Cookie: a=b")); i.Blocked || i.Score != 0 || len(i.Entries()) != 0 {
			t.Error("a plain request:", ids(i))
		}
	}
	off := make1(t, Policy{Managed: managed(), Disabled: true})
	if i := inspect(t, off, ask(attack)); i.Blocked || len(i.Entries()) > 0 {
		t.Error("a disabled policy:", ids(i))
	}
}

// WAF policy overview: a rule can be disabled, or blocked, logged or allowed by
// instead of adding to the score; a rule named wins over its group.
func TestOverrides(t *testing.T) {
	for name, test := range map[string]struct {
		overrides []Override
		blocked   bool
		score     int
		has       string
	}{
		"as it is":              {nil, true, 5, "942100 Matched"},
		"group disabled":        {[]Override{{Group: "SQLI", Disabled: true}}, false, 0, ""},
		"group by its number":   {[]Override{{Group: "942", Disabled: true}}, false, 0, ""},
		"rule disabled":         {[]Override{{Group: "SQLI", Rule: 942100, Disabled: true}}, false, 0, ""},
		"logged":                {[]Override{{Rule: 942100, Action: Log}}, false, 0, "942100 Detected"},
		"blocked":               {[]Override{{Rule: 942100, Action: Block}}, true, 0, "942100 Blocked"},
		"allowed":               {[]Override{{Rule: 942100, Action: Allow}}, false, 0, "942100 Detected"},
		"rule wins over group":  {[]Override{{Group: "SQLI", Disabled: true}, {Rule: 942100}}, true, 5, "942100 Matched"},
		"another rule disabled": {[]Override{{Rule: 941100, Disabled: true}}, true, 5, "942100 Matched"},
	} {
		t.Run(name, func(t *testing.T) {
			i := inspect(t, make1(t, Policy{Managed: managed(test.overrides...)}), ask(attack))
			if i.Blocked != test.blocked || i.Score != test.score || test.has != "" && !slices.Contains(ids(i), test.has) || test.has == "" && len(ids(i)) > 0 {
				t.Errorf("blocked %v, score %d, %v", i.Blocked, i.Score, ids(i))
			}
		})
	}
}

// WAF exclusion lists: names and values exclude the value of what has the name,
// keys the name.
func TestExclusions(t *testing.T) {
	const bad = "1' OR '1'='1"
	form := func(name, value string) *http.Request {
		return ask("POST /", "Content-Type: application/x-www-form-urlencoded", "", name+"="+strings.NewReplacer(" ", "+", "'", "%27", "=", "%3D").Replace(value))
	}
	for name, test := range map[string]struct {
		x       Exclusion
		r       *http.Request
		blocked bool
	}{
		"argument":                  {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "id"}, ask(attack), false},
		"whatever the case":         {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "ID"}, ask(attack), false},
		"another argument":          {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "i"}, ask(attack), true},
		"argument of a form":        {Exclusion{Variable: "RequestArgValues", Operator: "StartsWith", Selector: "no"}, form("note", bad), false},
		"argument of JSON":          {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "note"}, ask("POST /", "Content-Type: application/json", "", `{"note":"`+bad+`"}`), false},
		"key, not value":            {Exclusion{Variable: "RequestArgKeys", Operator: "Equals", Selector: "id"}, ask(attack), true},
		"key":                       {Exclusion{Variable: "RequestArgKeys", Operator: "Contains", Selector: "OR"}, ask("GET /?1%27+OR+%271%27%3D%271=x"), false},
		"any":                       {Exclusion{Variable: "RequestArgNames", Operator: "EqualsAny"}, ask(attack), false},
		"cookie":                    {Exclusion{Variable: "RequestCookieValues", Operator: "EndsWith", Selector: "sion"}, ask("GET /", "Cookie: session=1' OR '1'='1"), false},
		"another cookie":            {Exclusion{Variable: "RequestCookieValues", Operator: "EndsWith", Selector: "sior"}, ask("GET /", "Cookie: session=1' OR '1'='1"), true},
		"header":                    {Exclusion{Variable: "RequestHeaderNames", Operator: "Equals", Selector: "user-agent"}, ask("GET /", "User-Agent: sqlmap/1.0"), true}, // joined below by its default
		"for another rule":          {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "id", Rules: []int{941100}}, ask(attack), true},
		"for the rule's group":      {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: "id", Groups: []string{"SQLI"}}, ask(attack), false},
		"a selector that is a trap": {Exclusion{Variable: "RequestArgNames", Operator: "Equals", Selector: `id|/" "id:1,deny`}, ask(attack), true},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "header" {
				test.r.Header["User-Agent"] = []string{"sqlmap/1.0"}
				test.blocked = false
			}
			f := make1(t, Policy{Managed: managed(), Exclusions: []Exclusion{test.x}})
			if i := inspect(t, f, test.r); i.Blocked != test.blocked {
				t.Errorf("blocked %v: %v", i.Blocked, ids(i))
			}
		})
	}
}

// WAF custom rules: by priority, before managed rules; conditions are joined by
// and, values by or; allow ends the inspection, log goes on.
func TestCustomRules(t *testing.T) {
	when := func(variable, operator string, values ...string) []Condition {
		name, selector, _ := strings.Cut(variable, ":")
		return []Condition{{Variables: []Variable{{name, selector}}, Operator: operator, Values: values}}
	}
	not := func(c []Condition) []Condition { c[0].Negate = true; return c }
	transformed := func(c []Condition, by ...string) []Condition { c[0].Transforms = by; return c }
	post := func() *http.Request {
		return ask("POST /a?x=1&y=%41", "Cookie: s=7; t=9", "X-Forwarded-For: 203.0.113.9, 10.0.0.1", "Content-Length: 12", "Content-Type: application/x-www-form-urlencoded", "", "name=Tom&n=5")
	}
	for name, test := range map[string]struct {
		conditions []Condition
		want       bool
	}{
		"address":               {when("RemoteAddr", "IPMatch", "10.0.0.0/8", "192.0.2.0/24"), true},
		"another address":       {when("RemoteAddr", "IPMatch", "192.0.2.2"), false},
		"not an address":        {not(when("RemoteAddr", "IPMatch", "10.0.0.0/8")), true},
		"address in a header":   {when("RequestHeaders:X-Forwarded-For", "IPMatch", "10.0.0.1"), true},
		"country":               {when("RemoteAddr", "GeoMatch", "AU", "NZ"), true},
		"another country":       {when("RemoteAddr", "GeoMatch", "AU"), false},
		"method":                {when("RequestMethod", "Equal", "PUT", "POST"), true},
		"header":                {when("RequestHeaders:user-agent", "BeginsWith", "Mozilla"), true},
		"case counts":           {when("RequestHeaders:User-Agent", "Contains", "mozilla"), false},
		"lower case":            {transformed(when("RequestHeaders:User-Agent", "Contains", "mozilla"), "Lowercase"), true},
		"host":                  {when("RequestHeaders:Host", "EndsWith", ".example"), true},
		"no such header":        {when("RequestHeaders:X-None", "Any"), false},
		"header must be absent": {not(when("RequestHeaders:X-None", "Any")), true},
		"any header":            {when("RequestHeaders", "Contains", "203.0.113.9"), true},
		"query":                 {when("QueryString", "Contains", "x=1"), true},
		"decoded":               {transformed(when("QueryString", "EndsWith", "y=A"), "UrlDecode"), true},
		"uri":                   {when("RequestUri", "Regex", `^/a\?x=\d`), true},
		"cookie":                {when("RequestCookies:t", "Equal", "9"), true},
		"another cookie":        {when("RequestCookies:s", "Equal", "9"), false},
		"argument of the body":  {when("PostArgs:name", "Equal", "Tom"), true},
		"any argument":          {when("PostArgs", "Equal", "5"), true},
		"body":                  {when("RequestBody", "Contains", "Tom&n"), true},
		"less":                  {when("PostArgs:n", "LessThan", "6"), true},
		"not less":              {when("PostArgs:n", "LessThan", "5"), false},
		"at least":              {when("PostArgs:n", "GreaterThanOrEqual", "5"), true},
		"no number":             {when("PostArgs:name", "GreaterThan", "5"), false},
		"both hold":             {append(when("RequestMethod", "Equal", "POST"), when("PostArgs:n", "Equal", "5")...), true},
		"one does not":          {append(when("RequestMethod", "Equal", "POST"), when("PostArgs:n", "Equal", "6")...), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := make1(t, Policy{Custom: []Rule{{Name: "r", Priority: 1, Action: Block, Conditions: test.conditions}}})
			r := post()
			if i := inspect(t, f, r); i.Blocked != test.want {
				t.Errorf("blocked %v: %v", i.Blocked, ids(i))
			}
			if b, err := io.ReadAll(r.Body); string(b) != "name=Tom&n=5" || err != nil {
				t.Errorf("the member gets %q, %v", b, err)
			}
		})
	}
	all := when("RequestMethod", "Any")
	for name, test := range map[string]struct {
		rules   []Rule
		mode    Mode
		blocked bool
		log     []string
	}{
		"allow ends it":           {[]Rule{{Name: "a", Priority: 1, Action: Allow, Conditions: all}, {Name: "b", Priority: 2, Action: Block, Conditions: all}}, Prevention, false, []string{"a Allowed"}},
		"by priority":             {[]Rule{{Name: "a", Priority: 9, Action: Allow, Conditions: all}, {Name: "b", Priority: 2, Action: Block, Conditions: all}}, Prevention, true, []string{"b Blocked"}},
		"log goes on":             {[]Rule{{Name: "l", Priority: 1, Action: Log, Conditions: all}, {Name: "b", Priority: 2, Action: Block, Conditions: all}}, Prevention, true, []string{"l Log", "b Blocked"}},
		"detection does not stop": {[]Rule{{Name: "b", Priority: 1, Action: Block, Conditions: all}, {Name: "a", Priority: 2, Action: Allow, Conditions: all}}, Detection, false, []string{"b Detected", "a Allowed"}},
		"disabled":                {[]Rule{{Name: "b", Priority: 1, Action: Block, Disabled: true, Conditions: all}, {Name: "a", Priority: 2, Action: Allow, Conditions: all}}, Prevention, false, []string{"a Allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := make1(t, Policy{Mode: test.mode, Custom: test.rules, Managed: managed(), BlockStatus: 429, BlockBody: "no"})
			i := inspect(t, f, ask(attack))
			if i.Blocked != test.blocked || !slices.Equal(ids(i), test.log) {
				t.Errorf("blocked %v: %v", i.Blocked, ids(i))
			}
			if i.Blocked && (i.Status != 429 || i.Page != "no") {
				t.Error(i.Status, i.Page)
			}
		})
	}
}

// Rate limiting: a rule matches what is beyond its threshold in a sliding window,
// for each client.
func TestRate(t *testing.T) {
	f := make1(t, Policy{Custom: []Rule{{
		Name: "r", Priority: 1, Action: Block, Rate: &Rate{Threshold: 3, Minutes: 1, By: "ClientAddrXFFHeader"},
		Conditions: []Condition{{Variables: []Variable{{"RequestUri", ""}}, Operator: "BeginsWith", Values: []string{"/login"}}},
	}}})
	at := func(after time.Duration, who, uri string) bool {
		i, err := f.Begin(ask("GET "+uri, "X-Forwarded-For: "+who), "", noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return i.Blocked
	}
	for n, step := range []struct {
		after   time.Duration
		who     string
		uri     string
		blocked bool
	}{
		{0, "192.0.2.7", "/login", false},
		{1 * time.Second, "192.0.2.7", "/login", false},
		{2 * time.Second, "192.0.2.7", "/login", false},
		{3 * time.Second, "192.0.2.7", "/login", true},
		{3 * time.Second, "192.0.2.7", "/other", false}, // not counted
		{3 * time.Second, "192.0.2.8", "/login", false},
		{61 * time.Second, "192.0.2.7", "/login", true},   // 4 of the last minute still count
		{115 * time.Second, "192.0.2.7", "/login", false}, // a twelfth of them
		{5 * time.Minute, "192.0.2.7", "/login", false},
	} {
		if got := at(step.after, step.who, step.uri); got != step.blocked {
			t.Errorf("step %d: blocked %v", n, got)
		}
	}
}

// Request and file upload size limits: beyond them 413 in prevention mode, unless
// they are not enforced; what is beyond the inspected part is not looked at, and
// the member gets all of it.
func TestBodies(t *testing.T) {
	pad := strings.Repeat("a", 9<<10)
	late, early := "x="+pad+"&id=1%27+OR+%271%27%3D%271", "id=1%27+OR+%271%27%3D%271&x="+pad
	form := "Content-Type: application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		p       Policy
		body    string
		typed   string
		chunked bool
		status  int
		readErr error
	}{
		"inspected":                   {Policy{}, early, form, false, 403, nil},
		"beyond what is inspected":    {Policy{InspectLimit: 8 << 10}, late, form, false, 0, nil},
		"within a longer inspection":  {Policy{InspectLimit: 16 << 10}, late, form, false, 403, nil},
		"too large":                   {Policy{MaxBody: 8 << 10}, "x=" + pad, form, false, 413, nil},
		"too large, not said":         {Policy{MaxBody: 8 << 10, InspectLimit: 8 << 10, NoBody: false}, "x=" + pad + pad, form, true, 0, ErrTooLarge},
		"too large, not enforced":     {Policy{MaxBody: 8 << 10, AnyBody: true, InspectLimit: 8 << 10}, "x=" + pad, form, false, 0, nil},
		"too large, detection":        {Policy{MaxBody: 8 << 10, Mode: Detection, InspectLimit: 8 << 10}, "x=" + pad, form, false, 0, nil},
		"bodies not looked at":        {Policy{NoBody: true, MaxBody: 8 << 10}, early, form, false, 0, nil},
		"grpc is not waited for":      {Policy{Managed: managed(Override{Rule: 920420, Disabled: true})}, early, "Content-Type: application/grpc", false, 0, nil},
		"broken JSON is no JSON":      {Policy{}, `{"a":`, "Content-Type: application/json", false, 403, nil},
		"JSON cut by the limit":       {Policy{InspectLimit: 8 << 10}, `{"a":"` + pad + `"}`, "Content-Type: application/json", false, 0, nil},
		"an upload has its own limit": {Policy{MaxBody: 8 << 10}, "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n" + pad + "\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b", false, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if test.p.Managed == nil {
				test.p.Managed = managed()
			}
			f := make1(t, test.p)
			r := ask("POST /", test.typed, "", test.body)
			if test.chunked {
				r.ContentLength = -1
			}
			if strings.HasSuffix(test.typed, "grpc") {
				r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
			}
			i, err := f.Begin(r, "", noon)
			if err != nil {
				if test.readErr == nil || err.Error() != test.readErr.Error() {
					t.Fatal(err)
				}
				return
			}
			i.Close()
			if i.Status != test.status {
				t.Errorf("status %d, want %d: %v", i.Status, test.status, ids(i))
			}
			if b, err := io.ReadAll(r.Body); !i.Blocked && (string(b) != test.body || err != nil) {
				t.Errorf("the member gets %d bytes of %d, %v", len(b), len(test.body), err)
			}
		})
	}
}

func TestResponses(t *testing.T) {
	f := make1(t, Policy{Managed: managed(), Responses: true})
	for body, blocked := range map[string]bool{
		"hello": false,
		"You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version": true,
	} {
		i, err := f.Begin(ask("GET /"), "", noon)
		if err != nil {
			t.Fatal(err)
		}
		resp := &http.Response{StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(body))}
		got, err := i.Response(resp)
		b, _ := io.ReadAll(resp.Body)
		if got != blocked || err != nil || string(b) != body {
			t.Errorf("%q: blocked %v, %v, %v", body, got, err, ids(i))
		}
	}
}

func TestCheck(t *testing.T) {
	p := Policy{
		Mode: "Maybe", Paranoia: 5, InspectLimit: 1, BlockStatus: 500,
		Managed: []RuleSet{
			{Type: "OWASP", Version: "2.2.9", Overrides: []Override{{Rule: 1}, {}, {Rule: 949110, Disabled: true}, {Rule: 942100, Group: "XSS"}, {Group: "SQLI", Action: "Sing"}}},
			{Type: "Microsoft_BotManagerRuleSet", Version: "1.1"},
		},
		Exclusions: []Exclusion{{Variable: "Moon", Operator: "Equals", Selector: "x"}, {Variable: "RequestArgNames", Operator: "Like"}, {Variable: "RequestArgNames", Operator: "Equals", Groups: []string{"NONE"}, Rules: []int{7}}},
		Custom: []Rule{
			{Name: "a", Priority: 0, Action: "JSChallenge", Conditions: []Condition{{Operator: "Equal"}}},
			{Name: "a", Priority: 5, Action: Allow, Rate: &Rate{By: "Moon"}},
			{Name: "b", Priority: 5, Action: Block, Conditions: []Condition{
				{Variables: []Variable{{"Moon", ""}, {"RequestMethod", "x"}, {"RequestHeaders", "a b"}}, Operator: "Near", Transforms: []string{"Rot13"}, Values: []string{"x"}},
				{Variables: []Variable{{"QueryString", ""}}, Operator: "IPMatch", Values: []string{"x"}},
				{Variables: []Variable{{"QueryString", ""}}, Operator: "Regex", Values: []string{"("}},
				{Variables: []Variable{{"QueryString", ""}}, Operator: "LessThan", Values: []string{"x"}},
				{Variables: []Variable{{"RemoteAddr", ""}}, Operator: "GeoMatch", Values: []string{"NZ"}},
			}},
		},
	}
	err := p.Check(Options{})
	if err == nil {
		t.Fatal("nothing wrong")
	}
	for _, want := range []string{
		"needs a name", `mode "Maybe"`, "paranoia level 5", "inspection limit of 1 bytes", "block status 500",
		"OWASP 2.2.9 is not here", "Microsoft_BotManagerRuleSet 1.1 is not here", "2 managed rule sets", "no managed rule 1", "needs a group or a rule", "949110 is mandatory", "not XSS", `action "Sing"`,
		`no variable "Moon"`, `operator "Like"`, "needs a selector", `no rule group "NONE"`, "no managed rule 7",
		"priority 0", "JSChallenge", "needs a variable", "Equal needs a value", "name of its own", "allows what is beyond", "rate of 0", "in 0 minutes", `by "Moon"`, "has no condition", "priority 5, as rule a",
		"takes no selector", "no name of a header", `no operator "Near"`, `no transform "Rot13"`, "compares addresses", "no address or prefix", "missing closing )", "no whole number", "GeoMatch: where addresses are is not known",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %q in\n%v", want, err)
		}
	}
	if n := len(strings.Split(err.Error(), "\n")); n < 30 {
		t.Error(n, "problems")
	}
}

// What every rule of the set is, is known: no directive is lost in reading.
func TestRuleSetIsWhole(t *testing.T) {
	r, err := coreRules()
	if err != nil {
		t.Fatal(err)
	}
	detecting := 0
	for _, d := range r.byID {
		if d.detects {
			detecting++
			if d.level < 1 || d.level > 4 || r.group(d.group) != d.group {
				t.Errorf("%+v", d)
			}
		}
	}
	if len(r.byID) < 580 || detecting < 300 {
		t.Errorf("%d rules, %d that detect", len(r.byID), detecting)
	}
	for azure := range azureGroups {
		if r.group(azure) == "" {
			t.Errorf("group %s", azure)
		}
	}
	if StandsFor("Microsoft_DefaultRuleSet", "2.1") == "" || StandsFor("OWASP", "4.25") == "" || StandsFor("x", "y") != "" {
		t.Error("rule sets")
	}
	fmt.Fprintln(io.Discard, named())
}
