package audit

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// nearPercent is the share of a limit, in percent, from which using it is
// worth a finding.
const nearPercent = 80

// Rules of findings that are not the name of a limit.
const (
	// RuleUnreadable is a document that could not be counted.
	RuleUnreadable = "unreadable-document"
	// RuleUncounted is a limit whose use is not known.
	RuleUncounted = "limit-use-unknown"
)

// Limits returns a finding for every published limit that the resources
// approach or break, sorted. Children count wherever they are declared, inline
// or as resources of their own, and once if both. The image adds what a network
// manager makes; without one (nil) only declared resources count.
func Limits(resources []*model.Resource, img *fabric.Image) []Finding {
	t := newTally(resources)
	for _, r := range resources {
		t.resource(r)
	}
	t.peered()
	t.balanced()
	t.translated()
	if img != nil {
		t.image(img)
	}
	findings := t.found
	for _, r := range resources {
		if r.ID.Is(model.TypeLoadBalancer) {
			findings = append(findings, t.outboundPorts(r)...)
		}
	}
	for _, l := range catalog.Limits() {
		for _, c := range t.counts[l.Name] {
			if f, ok := judge(l, c); ok {
				findings = append(findings, f)
			}
		}
	}
	sortFindings(findings)
	return findings
}

// judge holds a count against its limit. A limit of one is never near: using
// it at all is using it up.
func judge(l catalog.Limit, c *count) (Finding, bool) {
	used := c.used()
	f := Finding{
		Rule: l.Name, Resource: c.resource, Pos: c.pos, Used: used, Limit: l.Value,
		Fix: fmt.Sprintf("use fewer %s, or spread them over more than one %s (%s)", l.Unit, l.Scope, l.Document),
	}
	doubt := ""
	if !l.Confirmed {
		doubt = " (unconfirmed)"
	}
	switch {
	case used > l.Value:
		f.Severity = Error
		if !l.Confirmed {
			f.Severity = Warning
		}
		f.What = fmt.Sprintf("%d %s in one %s: the limit is %d%s", used, l.Unit, l.Scope, l.Value, doubt)
	case l.Value > 1 && used*100 >= l.Value*nearPercent:
		f.Severity = Warning
		if !l.Confirmed {
			f.Severity = Note
		}
		f.What = fmt.Sprintf("%d %s in one %s: %d %% of the limit of %d%s", used, l.Unit, l.Scope, used*100/l.Value, l.Value, doubt)
	default:
		return Finding{}, false
	}
	return f, true
}
