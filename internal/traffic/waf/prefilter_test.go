package waf

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
)

var ruleWithPattern = regexp.MustCompile(`(?m)^Sec(?:Rule) \S+ ("(?:!?@rx )(?:[^"\\]|\\.)*")`)

// Coraza's filter must never hide a match: strings that each rule's pattern
// matches are made of the pattern, and a rule with the filter must see them.
func TestPrefilterHidesNothing(t *testing.T) {
	rules, err := coreRules()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	patterns, filtered, hidden := 0, 0, 0
	samples := 60
	if raceEnabled {
		samples = 4
	}
	for i := range rules.list {
		d := &rules.list[i]
		for _, m := range ruleWithPattern.FindAllStringSubmatch(d.text, -1) {
			operator := m[1]
			if strings.HasPrefix(operator, `"!`) || strings.Contains(operator, "%{") {
				continue
			}
			pattern := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(operator, `"@rx `), `"`), `\"`, `"`)
			tree, err := syntax.Parse("(?s)"+pattern, syntax.Perl)
			if err != nil {
				continue // of another operator's language
			}
			patterns++
			safe := filterable(d.text)
			if safe {
				filtered++
			}
			plain, quick := patternWAF(t, operator, "Off"), patternWAF(t, operator, "On")
			for range samples {
				var b strings.Builder
				instance(&b, tree, random)
				s := b.String()
				if !argumentMatches(plain, s) || argumentMatches(quick, s) {
					continue
				}
				hidden++
				if safe {
					t.Errorf("rule %d: the filter hides %q", d.id, s)
				}
				break
			}
		}
	}
	t.Logf("%d patterns, %d of them filtered; of %d the filter would hide a match", patterns, filtered, hidden)
	if patterns < 200 || filtered < 50 {
		t.Errorf("%d patterns, %d filtered", patterns, filtered)
	}
	if hidden == 0 {
		t.Log("the filter hides nothing any more: filterable may let all pass")
	}
}

func patternWAF(t *testing.T, operator, filter string) coraza.WAF {
	t.Helper()
	w, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(fmt.Sprintf("SecRuleEngine On\nSecRxPreFilter %s\nSecRule ARGS_GET:x %s \"id:1,phase:1,t:none,pass,log,msg:'m'\"\n", filter, operator)))
	if err != nil {
		t.Fatal(operator, err)
	}
	return w
}

func argumentMatches(w coraza.WAF, s string) bool {
	tx := w.NewTransaction()
	defer tx.Close()
	tx.AddGetRequestArgument("x", s)
	tx.ProcessRequestHeaders()
	return len(tx.MatchedRules()) > 0
}

// instance writes a string that an expression matches, but for what depends on
// its neighbours (anchors and boundaries).
func instance(b *strings.Builder, re *syntax.Regexp, r *rand.Rand) {
	times := func(low, high int) {
		for range low + r.IntN(high-low+1) {
			instance(b, re.Sub[0], r)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && r.IntN(2) == 0 {
				c = []rune(strings.ToLower(string(c)))[0]
			}
			b.WriteRune(c)
		}
	case syntax.OpCharClass:
		i := 2 * r.IntN(len(re.Rune)/2)
		low, high := re.Rune[i], min(re.Rune[i+1], re.Rune[i]+90)
		b.WriteRune(low + rune(r.IntN(int(high-low)+1)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("aZ09 _-"[r.IntN(7)])
	case syntax.OpCapture:
		instance(b, re.Sub[0], r)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			instance(b, s, r)
		}
	case syntax.OpAlternate:
		instance(b, re.Sub[r.IntN(len(re.Sub))], r)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpStar:
		times(0, 2)
	case syntax.OpPlus:
		times(1, 3)
	case syntax.OpRepeat:
		most := re.Max
		if most < 0 || most > re.Min+3 {
			most = re.Min + 3
		}
		times(re.Min, most)
	}
}
