package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Status is what became of an expectation when it was proved.
type Status string

// The statuses.
const (
	Holds   Status = "holds"   // true of all packets
	Broken  Status = "broken"  // false: the finding has a witness, or says what is missing
	Unknown Status = "unknown" // depends on something that is not modelled
)

// Finding is the proof of one expectation over all packets: every address,
// port and protocol it speaks of, not a sample.
type Finding struct {
	Name    string // the expectation's name, or its sentence
	Text    string // the sentence
	Place   string // file:line:column
	Status  Status
	Why     string // one sentence
	Witness string // a concrete packet, its ends and what it meets; "" if none
}

// String formats the finding for people.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s: %s: %s", f.Place, f.Text, f.Status, f.Why)
	if f.Witness != "" {
		s += "\n  for example " + f.Witness
	}
	return s
}

// Prove decides every declared expectation.
func (l *Lab) Prove() []Finding {
	findings := l.proofs().Check(l.network.Expectations)
	out := make([]Finding, len(findings))
	for i := range findings {
		f := &findings[i]
		out[i] = Finding{
			Name: f.Expectation.Name, Text: f.Expectation.Text, Place: f.Expectation.Pos.String(),
			Status: Status(f.Status.String()), Why: f.Why,
		}
		if w := f.Witness; w != nil {
			out[i].Witness = witness(w)
		}
	}
	return out
}

func witness(w *proof.Witness) string {
	if w.Answer != nil {
		return fmt.Sprintf("%s asked from %s: %s", w.Name, w.FromName, w.Reason)
	}
	return fmt.Sprintf("%s from %s to %s: %s", w.Packet, w.FromName, w.ToName, w.Reason)
}

// Check proves every declared expectation, and in a test fails it for each that
// does not hold, with a packet that shows it. The error is nil if all hold.
func (l *Lab) Check() error {
	var errs []error
	for _, f := range l.Prove() {
		if f.Status != Holds {
			errs = append(errs, errors.New(f.String()))
		}
	}
	err := errors.Join(errs...)
	if err != nil && l.tb != nil {
		l.tb.Helper()
		l.tb.Errorf("%v", err)
	}
	return err
}

// Probed is what real packets say about one expectation.
type Probed struct {
	Name  string // the expectation's name, or its sentence
	Text  string // the sentence
	Place string // file:line:column
	Tried int    // exchanges between hosts; 0 if no declared host is concerned
	Holds bool
	// Against are the exchanges that contradict the expectation, as sentences.
	Against []string
	// Wrong are the exchanges whose packets did something else than the
	// compiled network says: a fault of Cerulean.
	Wrong []string
}

// Probe tries every declared expectation with real connections between the
// declared hosts. In a test an expectation that does not hold fails it.
func (l *Lab) Probe(ctx context.Context) []Probed {
	results := l.live.Probe(ctx, l.network.Expectations)
	out := make([]Probed, len(results))
	for i := range results {
		r := &results[i]
		p := Probed{Name: r.Expectation.Name, Text: r.Expectation.Text, Place: r.Expectation.Pos.String(), Tried: len(r.Probes), Holds: r.Holds}
		for _, x := range r.Probes {
			if !x.Holds {
				what := x.Packet.String()
				if r.Expectation.Verb == model.Resolves {
					what = "dns"
				}
				p.Against = append(p.Against, fmt.Sprintf("%s to %s (%s): %s", x.From, x.To, what, x.Said))
			}
			if x.Disagreement != nil {
				p.Wrong = append(p.Wrong, x.Disagreement.Error())
			}
		}
		out[i] = p
		if l.tb != nil && (!p.Holds || len(p.Wrong) > 0) {
			l.tb.Helper()
			l.tb.Errorf("%s: %s: does not hold on the wire:\n  %s", p.Place, p.Text, strings.Join(append(p.Against, p.Wrong...), "\n  "))
		}
	}
	return out
}
