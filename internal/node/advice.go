package node

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/internal/audit"
)

// Advise adds to a report what is legal in the design and still likely to hurt:
// limits that it approaches or breaks, asymmetric paths, routes and groups
// without effect.
func (r *Report) Advise(d *Design) {
	resources := d.Network().Resources
	r.Advice = slices.Concat(
		audit.Limits(resources, d.Image), audit.Subnets(resources, d.Image), audit.Asymmetry(resources, d.Image),
		audit.Routes(resources, d.Image), audit.Lost(resources, d.Image, d.Prover.Faults()), audit.Unattached(resources), audit.AppGateways(resources, d.Image))
}

// Refused reports whether the advice has errors: what Azure will refuse.
func (r *Report) Refused() bool {
	return slices.ContainsFunc(r.Advice, func(f audit.Finding) bool { return f.Severity == audit.Error })
}

// adviceWidth is how many columns a line of findings has.
const adviceWidth = 100

// writeAdvice writes each finding: severity, place and rule on a line, then what
// it is, the connection that shows it, and what to do.
func (r *Report) writeAdvice(w io.Writer) {
	for i := range r.Advice {
		f := &r.Advice[i]
		at := f.Pos.String()
		if at == "" {
			at = f.Resource
		}
		if at != "" {
			at += ": "
		}
		fmt.Fprintf(w, "%s: %s%s\n", f.Severity, at, f.Rule)
		writeFolded(w, f.What)
		if f.Shown != nil {
			writeFolded(w, "shown by "+f.Shown.Packet+": "+f.Shown.There())
			if len(f.Shown.Reply) > 0 {
				writeFolded(w, "its reply: "+f.Shown.Back()+" ("+f.Shown.Outcome+")")
			}
		}
		writeFolded(w, "fix: "+f.Fix)
	}
}

// writeFolded writes indented lines of at most adviceWidth columns, unless a
// word is longer.
func writeFolded(w io.Writer, text string) {
	const indent = "   "
	line := indent
	for word := range strings.FieldsSeq(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > adviceWidth && line != indent {
			fmt.Fprintln(w, line)
			line = indent + "  "
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}

// adviceResults are the findings as SARIF, and the rules they name.
func (r *Report) adviceResults() (results []sarifResult, rules []sarifRule) {
	for i := range r.Advice {
		f := &r.Advice[i]
		if !slices.ContainsFunc(rules, func(x sarifRule) bool { return x.ID == f.Rule }) {
			rules = append(rules, sarifRule{f.Rule, sarifText{audit.Describe(f.Rule)}})
		}
		text := f.What
		if f.Shown != nil {
			text += " (" + f.Shown.Packet + ": " + f.Shown.There()
			if len(f.Shown.Reply) > 0 {
				text += ", reply " + f.Shown.Back()
			}
			text += ")"
		}
		results = append(results, sarifResult{
			RuleID: f.Rule, Level: string(f.Severity), Message: sarifText{text + "; " + f.Fix}, Locations: locations(f.Pos, ""),
		})
	}
	return results, rules
}
