package waf

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// CoreVersion is the version of the OWASP Core Rule Set that managed rules are.
const CoreVersion = "4.25.0"

// known are the managed rule sets that can be declared. All of them stand for the
// one rule set that is here: rules with the numbers of those that Azure took over
// from it, in a later version.
var known = [...][2]string{
	{"OWASP", "4.25"},
	{"OWASP", "3.2"},
	{"OWASP", "3.1"},
	{"OWASP", "3.0"},
	{"Microsoft_DefaultRuleSet", "2.2"},
	{"Microsoft_DefaultRuleSet", "2.1"},
}

// StandsFor returns the rule set that answers for one of a type and version, as
// "OWASP CRS 4.25.0", or "" if there is none.
func StandsFor(kind, version string) string {
	if slices.Contains(known[:], [2]string{kind, version}) || kind == "OWASP" && version == CoreVersion {
		return "OWASP CRS " + CoreVersion
	}
	return ""
}

func named() string {
	var out []string
	for _, k := range known[1:] {
		out = append(out, k[0]+" "+k[1])
	}
	return strings.Join(out, ", ")
}

// directive is one directive of the rule set; a rule has those chained to it.
type directive struct {
	text    string
	id      int    // 0 if it is no rule
	group   string // the file it is of: REQUEST-942-APPLICATION-ATTACK-SQLI
	level   int    // of paranoia, 1 to 4; 0 if it has none
	detects bool   // it looks at requests or responses, and may be changed
}

// ruleList is the rule set as it ships.
type ruleList struct {
	list   []directive
	byID   map[int]*directive
	groups []string
}

// coreRules reads the rule set once.
var coreRules = sync.OnceValues(func() (*ruleList, error) { return readRules(coreruleset.FS, "@owasp_crs") })

// readRules reads the files of a folder in their order.
func readRules(from fs.FS, folder string) (*ruleList, error) {
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		return nil, fmt.Errorf("the core rule set: %w", err)
	}
	r := &ruleList{byID: map[int]*directive{}}
	for _, e := range entries {
		group, ok := strings.CutSuffix(e.Name(), ".conf")
		if !ok {
			continue
		}
		b, err := fs.ReadFile(from, path.Join(folder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("the core rule set: %w", err)
		}
		r.groups = append(r.groups, group)
		r.list = append(r.list, parseDirectives(string(b), group)...)
	}
	for i := range r.list {
		if d := &r.list[i]; d.id != 0 {
			r.byID[d.id] = d
		}
	}
	return r, nil
}

// parseDirectives splits the text of a file: a line that ends with a backslash
// goes on in the next one, and a rule with the action chain in the next rule.
func parseDirectives(text, group string) (out []directive) {
	var line strings.Builder
	chained := false
	for raw := range strings.Lines(text) {
		s := strings.TrimSpace(raw)
		if line.Len() == 0 && (s == "" || s[0] == '#') {
			continue
		}
		if bare, more := strings.CutSuffix(s, `\`); more {
			line.WriteString(strings.TrimRight(bare, " \t"))
			line.WriteByte(' ')
			continue
		}
		line.WriteString(s)
		whole := line.String()
		line.Reset()
		chains := chainAction.MatchString(whole)
		if chained {
			last := &out[len(out)-1]
			last.text += "\n" + whole
		} else {
			out = append(out, newDirective(whole, group))
		}
		chained = chains && strings.HasPrefix(whole, "SecRule ")
	}
	return out
}

var (
	chainAction = regexp.MustCompile(`[,"]\s*chain\s*[,"]`)
	idAction    = regexp.MustCompile(`[,"]\s*id:'?(\d+)'?\s*[,"]`)
	levelTag    = regexp.MustCompile(`tag:'paranoia-level/(\d)'`)
)

func newDirective(text, group string) directive {
	d := directive{text: text, group: group}
	if m := idAction.FindStringSubmatch(text); m != nil && !strings.HasPrefix(text, "SecRuleUpdate") {
		d.id, _ = strconv.Atoi(m[1])
	}
	if m := levelTag.FindStringSubmatch(text); m != nil {
		d.level, _ = strconv.Atoi(m[1])
		d.detects = true
	}
	return d
}

// group returns the full name of a rule group, given it or its end ("SQLI" of
// Azure's default rule set, "942"), or "".
func (r *ruleList) group(name string) string {
	if name == "" {
		return ""
	}
	for _, g := range r.groups {
		if strings.EqualFold(g, name) {
			return g
		}
	}
	short := azureGroups[strings.ToUpper(name)]
	for _, g := range r.groups {
		if strings.Contains(g, "-"+name+"-") || short != "" && strings.HasSuffix(g, short) {
			return g
		}
	}
	return ""
}

// azureGroups are the names that groups have in Azure's default rule set ("DRS
// and CRS rule groups and rules"), and how the core rule set's file ends.
var azureGroups = map[string]string{
	"METHOD-ENFORCEMENT": "METHOD-ENFORCEMENT", "PROTOCOL-ENFORCEMENT": "PROTOCOL-ENFORCEMENT",
	"PROTOCOL-ATTACK": "PROTOCOL-ATTACK", "LFI": "ATTACK-LFI", "RFI": "ATTACK-RFI", "RCE": "ATTACK-RCE",
	"PHP": "ATTACK-PHP", "NODEJS": "ATTACK-GENERIC", "XSS": "ATTACK-XSS", "SQLI": "ATTACK-SQLI",
	"FIX": "SESSION-FIXATION", "JAVA": "ATTACK-JAVA", "GENERAL": "MULTIPART-ATTACK",
}
