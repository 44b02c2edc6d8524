package node

import (
	"fmt"
	"io"
	"time"

	"github.com/ceruleannet/cerulean/internal/audit"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// Report is what the proof says about a design's expectations.
type Report struct {
	Findings []proof.Finding
	Notes    []fabric.Note
	// Advice is filled by [Report.Advise].
	Advice   []audit.Finding
	image    *fabric.Image
	network  string
	warnings []string
	took     time.Duration
}

// Check proves every expectation. Every witness is replayed in the engine, as
// real bytes, before anybody sees it.
func (d *Design) Check() *Report {
	begin := time.Now()
	return d.report(d.Prover.Check(d.Network().Expectations), begin)
}

// report completes findings of the prover.
func (d *Design) report(findings []proof.Finding, begin time.Time) *Report {
	r := &Report{Findings: findings, Notes: d.Image.Notes, image: d.Image, network: d.Network().Name}
	d.baselines(r.Findings)
	d.follow(r.Findings)
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Witness == nil || f.Internal != nil {
			continue
		}
		if err := live.Replay(d.Image, f.Witness); err != nil {
			f.Status, f.Internal = proof.Unknown, err
			f.Why = "proof and engine disagree: " + err.Error()
		}
	}
	for _, w := range d.Declared.Warnings {
		r.warnings = append(r.warnings, w.Error())
	}
	r.took = time.Since(begin)
	return r
}

// Failed reports whether an expectation is broken or could not be decided.
func (r *Report) Failed() bool { return proof.Failed(r.Findings) }

func (r *Report) holding() int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Status == proof.Holds {
			n++
		}
	}
	return n
}

// Headline says how many expectations hold.
func (r *Report) Headline() string {
	if len(r.Findings) == 0 {
		return "no expectations declared"
	}
	return fmt.Sprintf("%d of %d expectations hold for all packets", r.holding(), len(r.Findings))
}

// WriteJSON writes the findings, notes and warnings.
func (r *Report) WriteJSON(w io.Writer) error {
	type note struct {
		Resource string `json:"resource"`
		Name     string `json:"name,omitempty"`
		Place    string `json:"place,omitempty"`
		What     string `json:"what"`
	}
	doc := struct {
		Network  string          `json:"network"`
		OK       bool            `json:"ok"`
		MS       float64         `json:"ms"`
		Findings []proof.Finding `json:"expectations"`
		Notes    []note          `json:"notes,omitempty"`
		Warnings []string        `json:"warnings,omitempty"`
		Advice   []audit.Finding `json:"findings,omitempty"`
	}{Network: r.network, OK: !r.Failed(), MS: ms(r.took), Findings: r.Findings, Warnings: r.warnings, Advice: r.Advice}
	for _, n := range r.Notes {
		doc.Notes = append(doc.Notes, note{n.Origin.Resource, n.Origin.Name, n.Origin.Place, n.What})
	}
	return writeJSON(w, doc)
}
