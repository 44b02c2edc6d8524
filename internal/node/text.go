package node

import (
	"fmt"
	"io"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
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
	r.writeAdvice(w)
	_, err := fmt.Fprintf(w, "\n%s: %s\n", r.network, r.Headline())
	return err
}

// Explanation is the answer to "can FROM reach TO, and why".
type Explanation struct {
	explanation proof.Explanation
	filters     []proof.Evaluation
	image       *fabric.Image
	named       *NamedTarget // what a DNS name led to; nil for a place
	// given up: why some of the answer is missing
	partial error
}

// Ask says how much an explanation should find out.
type Ask struct {
	Close bool // how a flow that works could be stopped
}

// Explain follows traffic between two places of the network; both are written
// as in expectations, TO may be a DNS name and end in a port. Of a flow that is blocked it finds
// the fewest changes that open it and all that they would open.
func (d *Design) Explain(from, to string, ask Ask) (*Explanation, error) {
	source, err := intent.ParseEndpoint(d.Network(), from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	destination, traffic, named, err := d.target(&source, to)
	if err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	x := &Explanation{explanation: d.Prover.Explain(source, destination, traffic), image: d.Image, named: named}
	x.filters = d.Prover.Evaluations(&x.explanation.Conn)
	x.partial = d.Prover.Opens(&x.explanation)
	if ask.Close && x.partial == nil {
		x.partial = d.Prover.Close(&x.explanation)
	}
	return x, nil
}

// endpoint reads an optional place of the network.
func (d *Design) endpoint(flag, text string) (*model.Selector, error) {
	if text == "" {
		return nil, nil
	}
	s, err := intent.ParseEndpoint(d.Network(), text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return &s, nil
}

// Works reports whether the traffic gets there and its replies back.
func (x *Explanation) Works() bool { return x.explanation.Works() }

// WriteText writes the explanation for people; rules adds every rule that was
// asked, and why it did not match.
func (x *Explanation) WriteText(w io.Writer, rules, color bool) error {
	if x.named != nil {
		if _, err := fmt.Fprintf(w, "%s\n", x.named); err != nil {
			return err
		}
	}
	if err := x.explanation.WriteText(w, proof.Style{Colour: color}); err != nil {
		return err
	}
	if rules {
		for i := range x.filters {
			e := &x.filters[i]
			fmt.Fprintf(w, "\n%s of %s (%s)\n", e.Filter, e.Port, e.Where)
			for _, t := range e.Trials {
				what := "no: " + t.Mismatch()
				if t.Decided {
					what = "matches: " + t.Access
				}
				fmt.Fprintf(w, "  %5d  %-40.40s  %s\n", t.Priority, t.Name, what)
			}
			if e.Matched == "" {
				fmt.Fprintf(w, "         no rule matches: %s\n", e.Access)
			}
		}
	}
	if x.partial != nil {
		fmt.Fprintf(w, "\nWhat else the changes would do was not found out: %v.\n", x.partial)
	}
	return nil
}

// WriteJSON writes the explanation for machines: as Cerulean says it, and in
// the shapes of Azure's NSG diagnostics and network verifier.
func (x *Explanation) WriteJSON(w io.Writer) error {
	run, err := diagnose.RunOf(x.image, &x.explanation.Conn)
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		*proof.Explanation
		Named      *NamedTarget        `json:"name,omitempty"`
		Filters    []proof.Evaluation  `json:"filters,omitempty"`
		Diagnostic diagnose.Diagnostic `json:"networkConfigurationDiagnostic"`
		Verifier   *diagnose.Run       `json:"reachabilityAnalysisRun,omitempty"`
	}{&x.explanation, x.named, x.filters, diagnose.OfConnection(x.image, &x.explanation.Conn), run})
}

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
		for _, line := range r.Requests {
			fmt.Fprintln(w, paint("31", "  REQUEST: ")+line)
		}
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
