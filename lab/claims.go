package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

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
