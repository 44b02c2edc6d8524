package live

import (
	"errors"
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// Replay sends a witness's packet through the engine and demands the verdict,
// the reason and the path the proof shows; the answer to a name is asked of the
// image again.
func Replay(img *fabric.Image, w *proof.Witness) error {
	if w.From < 0 || int(w.From) >= len(img.Ports) {
		return fmt.Errorf("the witness enters at port %d, which the image does not have", w.From)
	}
	if w.Answer == nil {
		return replay(img, &w.Conn)
	}
	if img.Ports[w.From].Space == fabric.None {
		return fmt.Errorf("%s: the internet does not ask for private names", w.Name)
	}
	got := img.Resolve(w.From, w.Name)
	if got.Verdict != w.Answer.Verdict || fmt.Sprint(got.Addrs) != fmt.Sprint(w.Answer.Addrs) {
		return fmt.Errorf("%s resolves to %s %v, the proof says %s %v", w.Name, got.Verdict, got.Addrs, w.Answer.Verdict, w.Answer.Addrs)
	}
	return nil
}

// Compare holds what packets did against what was proved of the same
// expectation. The error lists every disagreement; each is a fault of Cerulean.
// A claim proved broken of all packets may well hold of the few that were
// tried; its witness is for [Replay].
func Compare(r *ProbeResult, f *proof.Finding) error {
	var errs []error
	for _, p := range r.Disagreements() {
		errs = append(errs, p.Disagreement)
	}
	if f.Status == proof.Holds && !r.Holds {
		for _, p := range r.Probes {
			if !p.Holds && !p.Request { // what a server answers is not proved
				errs = append(errs, fmt.Errorf("proved to hold, yet %s from %s to %s: %s", p.Packet, p.From, p.To, p.Said))
			}
		}
	}
	return errors.Join(errs...)
}
