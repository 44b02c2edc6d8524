package node

import (
	"fmt"
	"io"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer, color bool) error {
	if err := proof.WriteFindings(w, r.Findings, proof.Style{Colour: color}); err != nil {
		return err
	}
	for _, n := range r.Notes {
		at := n.Origin.Place
		if at == "" {
			at = n.Origin.Resource
		}
		fmt.Fprintf(w, "note: %s: %s\n", at, n.What)
	}
	for _, t := range r.warnings {
		fmt.Fprintf(w, "warning: %s\n", t)
	}
	_, err := fmt.Fprintf(w, "\n%s: %s\n", r.network, r.Headline())
	return err
}

// Explanation is the answer to "can FROM reach TO, and why".
type Explanation struct{ explanation proof.Explanation }

// Explain follows traffic between two places of the network; both are written
// as in expectations, TO may end in a port.
func (d *Design) Explain(from, to string) (*Explanation, error) {
	source, err := intent.ParseEndpoint(d.Network(), from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	destination, traffic, err := intent.ParseTarget(d.Network(), to)
	if err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	return &Explanation{d.Prover.Explain(source, destination, traffic)}, nil
}

// Works reports whether the traffic gets there and its replies back.
func (x *Explanation) Works() bool { return x.explanation.Works() }

// WriteText writes the explanation for people.
func (x *Explanation) WriteText(w io.Writer, color bool) error {
	return x.explanation.WriteText(w, proof.Style{Colour: color})
}

// WriteJSON writes the explanation for machines.
func (x *Explanation) WriteJSON(w io.Writer) error { return x.explanation.WriteJSON(w) }

// WriteProbes writes proof and packets side by side, and in full what is broken.
func (s *System) WriteProbes(w io.Writer, color bool) error {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	fmt.Fprintf(w, "\n%-66s  %-8s  %s\n", "EXPECTATION", "PROOF", "PACKETS")
	for _, r := range s.Rows() {
		name := r.Expectation
		if len(name) > 66 {
			name = name[:65] + "…"
		}
		verdict, code := r.Proof, "32"
		if r.Proof != proof.Holds.String() {
			code = "31"
		}
		packets := fmt.Sprintf("%d of %d", r.Confirmed, r.Probes)
		if r.Probes == 0 {
			packets = "none to try"
		}
		fmt.Fprintf(w, "%-66s  %s  %s\n", name, paint(code, fmt.Sprintf("%-8s", verdict)), packets)
		if r.Contradiction != "" {
			for line := range strings.SplitSeq(r.Contradiction, "\n") {
				fmt.Fprintln(w, paint("31", "  DISAGREEMENT: ")+line)
			}
		}
	}
	var broken []proof.Finding
	for _, f := range s.Report.Findings {
		if f.Status != proof.Holds {
			broken = append(broken, f)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return proof.WriteFindings(w, broken, proof.Style{Colour: color})
}
