package node

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/proof"
)

// Coverage says which rules of a network matter, and which of them its
// expectations speak of.
type Coverage struct {
	*proof.Coverage
	network string
	took    time.Duration
}

// Cover follows all packets of the network and of its expectations.
func (d *Design) Cover() *Coverage {
	begin := time.Now()
	return &Coverage{d.Prover.Coverage(d.Network().Expectations), d.Network().Name, time.Since(begin)}
}

// why says in words what a rule's use is.
func why(u *proof.RuleUse) string {
	by := strings.Join(u.By, ", ")
	switch u.Use {
	case proof.UseShadowed:
		if by == "" {
			return "it matches no packet"
		}
		return "never reached: " + by + " takes all that it matches"
	case proof.UseRedundant:
		return "without it nothing would fare otherwise: " + by
	case proof.UseUnreachable:
		return "no packet of the network that it matches gets to it"
	case proof.UseUnclear:
		return "not decided"
	default:
		return "no expectation speaks of it"
	}
}

// WriteText writes the coverage for people: rules that do nothing, then rules
// that no expectation speaks of.
func (c *Coverage) WriteText(w io.Writer, color bool) error {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	for i := range c.Rules {
		u := &c.Rules[i]
		if u.Use == proof.UseReached && len(u.Expectations) > 0 {
			continue
		}
		what, code := u.Use.String(), "33"
		if u.Use == proof.UseReached {
			what, code = "unspoken", "2"
		}
		fmt.Fprintf(w, "%s  %s: %s", paint(code, fmt.Sprintf("%-11s", what)), u.Filter, u.Name)
		if u.Priority != 0 {
			fmt.Fprintf(w, " (%d)", u.Priority)
		}
		fmt.Fprintf(w, ", %s\n             %s\n", u.Stage, why(u))
		if u.Place != "" {
			fmt.Fprintf(w, "             %s\n", paint("2", u.Place))
		}
	}
	percent := 100.0
	if c.Reached > 0 {
		percent = 100 * float64(c.Expected) / float64(c.Reached)
	}
	_, err := fmt.Fprintf(w, "\n%s: %d of %d rules decide packets; expectations speak of %d of those (%.0f %%)\n",
		c.network, c.Reached, len(c.Rules), c.Expected, percent)
	return err
}

// WriteJSON writes the coverage for machines.
func (c *Coverage) WriteJSON(w io.Writer) error {
	return writeJSON(w, struct {
		Network string `json:"network"`
		*proof.Coverage
		MS float64 `json:"ms"`
	}{c.network, c.Coverage, ms(c.took)})
}

// WriteSARIF writes the rules that do nothing as warnings and those that no
// expectation speaks of as notes, at their declared lines.
func (c *Coverage) WriteSARIF(w io.Writer) error {
	run := sarifRun{Results: []sarifResult{}, Tool: sarifTool{sarifDriver{Name: "cerulean", Rules: []sarifRule{
		{"rule-shadowed", sarifText{"Rules before it take all that the rule matches."}},
		{"rule-redundant", sarifText{"Without the rule no packet would fare otherwise."}},
		{"rule-unreachable", sarifText{"No packet of the network that the rule matches gets to it."}},
		{"rule-unspoken", sarifText{"The rule decides packets of which no expectation speaks."}},
		{"rule-unclear", sarifText{"Whether the rule decides any packet was not decided."}},
	}}}}
	for i := range c.Rules {
		u := &c.Rules[i]
		result := sarifResult{
			RuleID: "rule-" + u.Use.String(), Level: "warning", Message: sarifText{u.Filter + ": " + u.Name + ": " + why(u)},
			Locations: locations(parsePlace(u.Place), ""),
		}
		if u.Use == proof.UseReached {
			if len(u.Expectations) > 0 {
				continue
			}
			result.RuleID, result.Level = "rule-unspoken", "note"
		}
		run.Results = append(run.Results, result)
	}
	return writeJSON(w, sarifLog{Version: "2.1.0", Schema: "https://json.schemastore.org/sarif-2.1.0.json", Runs: []sarifRun{run}})
}
