package waf

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// rulePatterns finds the regular expressions of a rule's text.
var rulePatterns = regexp.MustCompile(`(?m)^SecRule \S+ "!?@rx ((?:[^"\\]|\\.)*)"`)

// filterable reports whether Coraza may look for the literals of a rule's patterns
// before it tries them (SecRxPreFilter). It saves much time, but as of Coraza 3.8.1
// it hides matches of patterns with alternatives within alternatives: "cfsid" of
// ^(?:c(?:f(?:s?id|token)|onnect\.sid))$. Rules with such patterns run without it.
func filterable(text string) bool {
	for _, m := range rulePatterns.FindAllStringSubmatch(text, -1) {
		tree, err := syntax.Parse("(?s)"+strings.ReplaceAll(m[1], `\"`, `"`), syntax.Perl)
		if err != nil || nested(tree.Simplify(), false) {
			return false
		}
	}
	return true
}

// nested reports whether an expression has an alternative within one.
func nested(re *syntax.Regexp, within bool) bool {
	if re.Op == syntax.OpAlternate {
		if within {
			return true
		}
		within = true
	}
	for _, s := range re.Sub {
		if nested(s, within) {
			return true
		}
	}
	return false
}
