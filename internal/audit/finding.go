package audit

import (
	"cmp"
	"slices"

	"github.com/ceruleannet/cerulean/model"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Note    Severity = "note"    // worth knowing: an unconfirmed limit is near, or a figure is not known
	Warning Severity = "warning" // a limit is near, or an unconfirmed one is broken
	Error   Severity = "error"   // Azure will refuse it
)

// Finding is one thing worth changing: what, where, and what to do.
type Finding struct {
	Severity Severity  `json:"severity"`
	Rule     string    `json:"rule"` // stable, kebab-case
	Resource string    `json:"resource"`
	Pos      model.Pos `json:"pos"`
	What     string    `json:"what"`            // one sentence
	Used     int       `json:"used,omitempty"`  // in the limit's unit
	Limit    int       `json:"limit,omitempty"` // in the limit's unit
	Fix      string    `json:"fix"`
	Shown    *Shown    `json:"shown,omitempty"` // a connection that shows it
}

// String formats the finding on one line: "severity: where: what; fix [rule]".
func (f *Finding) String() string {
	p := model.Problem{Pos: f.Pos, Resource: f.Resource, What: f.What, Fix: f.Fix}
	return string(f.Severity) + ": " + p.Error() + " [" + f.Rule + "]"
}

// sortFindings orders findings by resource, rule and place.
func sortFindings(fs []Finding) {
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.What, b.What))
	})
}
