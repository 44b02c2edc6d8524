package live

import (
	"errors"
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// Replay sends a witness's packet through the engine and demands the verdict,
// the reason and the path the proof shows; the answer to a name is asked of the
// image in force.
func (n *Network) Replay(w *proof.Witness) error {
	img := n.Image()
	if w.From < 0 || int(w.From) >= len(img.Ports) {
		return fmt.Errorf("the witness enters at port %d, which the image does not have", w.From)
	}
	if w.Answer == nil {
		return replay(img, &w.Conn)
	}
	space := img.Ports[w.From].Space
	if space == fabric.None {
		return fmt.Errorf("%s: the internet does not ask for private names", w.Name)
	}
	got := img.Spaces[space].View.Resolve(w.Name)
	if got.Verdict != w.Answer.Verdict || fmt.Sprint(got.Addrs) != fmt.Sprint(w.Answer.Addrs) {
		return fmt.Errorf("%s resolves to %s %v, the proof says %s %v", w.Name, got.Verdict, got.Addrs, w.Answer.Verdict, w.Answer.Addrs)
	}
	return nil
}

// Compare holds what packets did against what was proved: results and findings
// of the same expectations, in the same order. The error lists every
// disagreement; each is a fault of Cerulean. A claim proved broken of all
// packets may well hold of the few that were tried, so there its witness is
// replayed instead.
func (n *Network) Compare(results []ProbeResult, findings []proof.Finding) error {
	if len(results) != len(findings) {
		return fmt.Errorf("%d expectations were probed and %d proved", len(results), len(findings))
	}
	var errs []error
	for i := range results {
		r, f := &results[i], &findings[i]
		for _, p := range r.Disagreements() {
			errs = append(errs, fmt.Errorf("%s: %w", r.Expectation.Text, p.Disagreement))
		}
		if f.Status == proof.Holds && !r.Holds {
			for _, p := range r.Probes {
				if !p.Holds {
					errs = append(errs, fmt.Errorf("%s: proved to hold, yet %s from %s to %s: %s", r.Expectation.Text, p.Packet, p.From, p.To, p.Said))
				}
			}
		}
		if f.Witness != nil {
			if err := n.Replay(f.Witness); err != nil {
				errs = append(errs, fmt.Errorf("%s: witness: %w", r.Expectation.Text, err))
			}
		}
	}
	return errors.Join(errs...)
}
