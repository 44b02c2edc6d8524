package node

import (
	"fmt"
	"io"

	"github.com/ceruleannet/cerulean/internal/proof"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer, color bool) error {
	for i := range r.Findings {
		f := &r.Findings[i]
		fmt.Fprintf(w, "%s %s %s\n", f.Status, f.Expectation.Name, f.Why)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s %s: %s\n", n.Origin.Place, n.Origin.Resource, n.What)
	}
	for _, t := range r.warnings {
		fmt.Fprintf(w, "warning: %s\n", t)
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", r.network, r.Headline())
	return err
}

// WriteProbes writes proof and packets side by side.
func (s *System) WriteProbes(w io.Writer, color bool) error {
	fmt.Fprintln(w)
	for _, r := range s.Rows() {
		fmt.Fprintf(w, "%-70s %-8s %d/%d %s\n", r.Expectation, r.Proof, r.Confirmed, r.Probes, r.Contradiction)
	}
	_ = proof.Holds
	return nil
}
