package waf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Numbers of our own directives, of the range that the rule set leaves to users.
const (
	ruleSetup   = 1000
	rulePartial = 1001
	// responseLimit is how much of a response is inspected.
	responseLimit = 512 << 10
)

// directives writes the managed rules of a policy in Coraza's language, after
// others that may set what they go by.
func (p *Policy) directives(rules *ruleList, first string) string {
	var b strings.Builder
	engine := "On"
	if p.Mode == Detection {
		engine = "DetectionOnly"
	}
	level := or(p.Paranoia, 1)
	limit := or(p.InspectLimit, defaultBody)
	access, responses := "On", "Off"
	if p.NoBody {
		access = "Off"
	}
	if p.Responses {
		responses = "On"
	}
	// The filter must stand before the rules: it is chosen when they are read.
	fmt.Fprintf(&b, `SecRxPreFilter On
SecRuleEngine %s
SecAuditEngine Off
SecRequestBodyAccess %s
SecRequestBodyLimit %d
SecRequestBodyInMemoryLimit %d
SecRequestBodyLimitAction ProcessPartial
SecRequestBodyJsonDepthLimit 1024
SecArgumentsLimit 1000
SecResponseBodyAccess %s
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecResponseBodyLimit %d
SecResponseBodyLimitAction ProcessPartial
`, engine, access, limit+1, limit+1, responses, responseLimit)
	b.WriteString(processors)
	fmt.Fprintf(&b, `SecDefaultAction "phase:1,log,noauditlog,pass"
SecDefaultAction "phase:2,log,noauditlog,pass"
SecDefaultAction "phase:3,log,noauditlog,pass"
SecDefaultAction "phase:4,log,noauditlog,pass"
SecAction "id:%d,phase:1,pass,nolog,t:none,setvar:tx.crs_setup_version=4250,setvar:tx.blocking_paranoia_level=%d,setvar:tx.detection_paranoia_level=%d,setvar:tx.inbound_anomaly_score_threshold=%d"
`, ruleSetup, level, level, threshold)
	b.WriteString(first)
	disabled, filtered := map[int]bool{}, true
	for i := range rules.list {
		d := &rules.list[i]
		if !p.Responses && strings.HasPrefix(d.group, "RESPONSE-") || d.level > level {
			disabled[d.id] = true
			continue
		}
		action, off := p.overridden(rules, d)
		if off {
			disabled[d.id] = true
			continue
		}
		if strings.HasPrefix(d.text, "SecRuleUpdateTargetById ") {
			if id, _, _ := strings.Cut(strings.TrimPrefix(d.text, "SecRuleUpdateTargetById "), " "); disabled[atoi(id)] {
				continue
			}
		}
		if safe := filterable(d.text); safe != filtered {
			filtered = safe
			b.WriteString("SecRxPreFilter " + map[bool]string{true: "On", false: "Off"}[safe] + "\n")
		}
		b.WriteString(p.excluded(d, withAction(d, action)))
		b.WriteByte('\n')
	}
	return b.String()
}

// processors choose how a body is read, and note one that cannot be: mandatory
// rules, with the numbers that Azure's logs show them by.
const processors = `SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^application/[a-z0-9.-]+[+]json" "id:200006,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule INBOUND_DATA_ERROR "@eq 1" "id:1001,phase:2,t:none,pass,nolog,ctl:ruleRemoveById=200002,ctl:ruleRemoveById=200003"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:403,msg:'Failed to parse request body.',logdata:'%{reqbody_error_msg}',severity:2"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,log,deny,status:403,msg:'Multipart request body failed strict validation.'"
`

// overridden returns what a policy makes of a rule: one named wins over its
// group.
func (p *Policy) overridden(rules *ruleList, d *directive) (a Action, disabled bool) {
	if !d.detects {
		return "", false
	}
	for i := range p.Managed {
		for _, o := range p.Managed[i].Overrides {
			if o.Rule == d.id {
				return o.Action, o.Disabled
			}
			if o.Rule == 0 && rules.group(o.Group) == d.group {
				a, disabled = o.Action, o.Disabled
			}
		}
	}
	return a, disabled
}

var (
	scoring   = regexp.MustCompile(`,?\s*setvar:'tx\.(?:in|out)bound_anomaly_score_pl\d=\+%\{tx\.[a-z]+_anomaly_score\}'`)
	blocking  = regexp.MustCompile(`([,"]\s*)block(\s*[,"])`)
	fileNames = regexp.MustCompile(`FromFile ([A-Za-z0-9_-]+\.data)`)
)

// withAction returns the text of a rule that does something else than score.
func withAction(d *directive, a Action) string {
	text := fileNames.ReplaceAllString(d.text, "FromFile @owasp_crs/$1")
	switch a {
	case Log, Block, Allow:
		// What a rule does is in its first line only; its score may be in the last.
		text = scoring.ReplaceAllString(text, "")
		// A rule whose only actions were scores has an empty list of them.
		text = strings.ReplaceAll(text, `""`, `"t:none"`)
		do := map[Action]string{Log: "pass", Block: "deny,status:403", Allow: "allow"}[a]
		text = blocking.ReplaceAllString(text, "${1}"+do+"${2}")
	}
	return text
}

// targets are the variables of Coraza that an exclusion's variable takes away.
var targets = map[string][]string{
	"RequestHeaderNames": {"REQUEST_HEADERS"}, "RequestHeaderValues": {"REQUEST_HEADERS"}, "RequestHeaderKeys": {"REQUEST_HEADERS_NAMES"},
	"RequestCookieNames": {"REQUEST_COOKIES"}, "RequestCookieValues": {"REQUEST_COOKIES"}, "RequestCookieKeys": {"REQUEST_COOKIES_NAMES"},
	"RequestArgNames": {"ARGS", "ARGS_GET", "ARGS_POST"}, "RequestArgValues": {"ARGS", "ARGS_GET", "ARGS_POST"},
	"RequestArgKeys": {"ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES"},
}

// variableList finds the variables of each rule of a directive.
var variableList = regexp.MustCompile(`(?m)^SecRule (\S+) `)

// excluded adds a policy's exclusions to the variables of a rule that has them.
func (p *Policy) excluded(d *directive, text string) string {
	if !d.detects {
		return text
	}
	var without []string // "!ARGS:/^x$/"
	for i := range p.Exclusions {
		x := &p.Exclusions[i]
		if !x.concerns(d) {
			continue
		}
		for _, v := range targets[x.Variable] {
			without = append(without, "!"+v+":"+x.pattern())
		}
	}
	if len(without) == 0 {
		return text
	}
	return variableList.ReplaceAllStringFunc(text, func(m string) string {
		list := variableList.FindStringSubmatch(m)[1]
		out := list
		for _, w := range without {
			name := w[1:strings.IndexByte(w, ':')]
			if slices.ContainsFunc(strings.Split(list, "|"), func(v string) bool {
				v, _, _ = strings.Cut(v, ":")
				return strings.EqualFold(v, name)
			}) {
				out += "|" + w
			}
		}
		return "SecRule " + out + " "
	})
}

func (x *Exclusion) concerns(d *directive) bool {
	if len(x.Groups) == 0 && len(x.Rules) == 0 {
		return true
	}
	if slices.Contains(x.Rules, d.id) {
		return true
	}
	rules, err := coreRules()
	return err == nil && slices.ContainsFunc(x.Groups, func(g string) bool { return rules.group(g) == d.group })
}

// pattern returns the selector as a regular expression of Coraza's language,
// which ends at a slash and must not have a bar outside.
func (x *Exclusion) pattern() string {
	s := quoteForRule(x.Selector)
	if x.Variable[:10] == "RequestArg" {
		// Arguments of a JSON body have the path before their name.
		s = `(?:json\.(?:.*\.)?)?` + s
	}
	switch x.Operator {
	case "Equals":
		return "/(?i)^" + s + "$/"
	case "StartsWith":
		return "/(?i)^" + s + "/"
	case "EndsWith":
		return "/(?i)" + quoteForRule(x.Selector) + "$/"
	case "Contains":
		return "/(?i)" + quoteForRule(x.Selector) + "/"
	default: // EqualsAny
		return "/.*/"
	}
}

// quoteForRule writes every byte but letters and digits by its number: a selector
// cannot end the expression, the list of variables or the directive.
func quoteForRule(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%x}`, r)
		}
	}
	return b.String()
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
