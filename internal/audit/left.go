package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// left is what a search for asymmetric paths did not try.
type left struct {
	pairs    int
	examples []string        // of the pairs
	ends     []fabric.PortID // whose rules no tried end of their class has
	services []uint16        // destination ports beyond the tried ones
	unserved int             // pairs that delivered none of the tried ones
	choices  []string        // redirects with more targets than were tried
}

// maxExamples is how many of the things left out are named.
const maxExamples = 5

func (l *left) pair(img *fabric.Image, from, to end) {
	l.pairs++
	if len(l.examples) < maxExamples {
		l.examples = append(l.examples, img.Ports[from.port].Name+" to "+img.Ports[to.port].Name)
	}
}

// choice notes the redirects of a connection that have more healthy targets than
// are tried.
func (l *left) choice(img *fabric.Image, c *fabric.Connection) {
	for _, t := range []*fabric.Trace{&c.Forward, &c.Reply} {
		for _, x := range t.Choices {
			healthy, p := 0, &img.Ports[x.Port]
			for _, target := range p.Inward.Redirects[x.Redirect].Targets {
				if target.Down == "" {
					healthy++
				}
			}
			if healthy <= maxChoices {
				continue
			}
			text := fmt.Sprintf("%s of %s (%d targets)", p.Inward.Redirects[x.Redirect].Name, p.Name, healthy)
			if !slices.Contains(l.choices, text) {
				l.choices = append(l.choices, text)
			}
		}
	}
}

// findings says what was left out, one finding for each cap that cut something
// off.
func (l *left) findings(img *fabric.Image, pairs int) []Finding {
	var out []Finding
	add := func(fix, format string, args ...any) {
		out = append(out, Finding{Severity: Note, Rule: RuleAsymmetrySearch, What: fmt.Sprintf(format, args...), Fix: fix})
	}
	const prove = `state the expectation "symmetric" for them, which is proved`
	if l.pairs > 0 {
		add("check the parts of the network on their own, or "+prove,
			"asymmetric paths were looked for between %d pairs of ends; %d more were left out: %s", pairs, l.pairs, some(l.examples, l.pairs))
	}
	if len(l.ends) > 0 {
		var names []string
		for _, id := range l.ends[:min(len(l.ends), maxExamples)] {
			names = append(names, img.Ports[id].Name)
		}
		add(prove, "of ends that are routed alike a few were tried; ends with other rules than theirs were left out, %d in all: %s", len(l.ends), some(names, len(l.ends)))
	}
	if l.unserved > 0 && len(l.services) > 0 {
		var names []string
		for _, port := range l.services[:min(len(l.services), maxExamples)] {
			names = append(names, fmt.Sprint(port))
		}
		add(prove, "%d pairs of ends deliver none of the %d destination ports tried; %d more ports that rules speak of were left out: %s", l.unserved, maxServices, len(l.services), some(names, len(l.services)))
	}
	if len(l.choices) > 0 {
		add(prove, "%d targets of each redirect were tried in each direction; there are more at %s", maxChoices, some(l.choices[:min(len(l.choices), maxExamples)], len(l.choices)))
	}
	return out
}

// some joins the named ones of total things.
func some(names []string, total int) string {
	text := strings.Join(names, ", ")
	if total > len(names) {
		text += fmt.Sprintf(" and %d more", total-len(names))
	}
	return text
}
