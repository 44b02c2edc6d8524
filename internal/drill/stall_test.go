package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Of a busy machine nobody says that the network did worse; of what it did as
// predicted, everything.
func TestBusyMachine(t *testing.T) {
	for _, c := range []struct {
		late, of time.Duration
		busy     bool
	}{
		{0, stallWindow, false},
		{stallWindow * 4 / 5, stallWindow, false},
		{stallWindow*4/5 + 1, stallWindow, true},
		{time.Second, time.Second + stallBeat, true}, // it stood still
	} {
		if tooBusy(c.late, c.of) != c.busy {
			t.Errorf("%s late of %s", c.late, c.of)
		}
	}
	report := func(busy string) *Report {
		r := &Report{Target: "host web-1", Busy: busy, Expectations: []ExpectationReport{
			{Expectation: model.Expectation{Name: "one", Verb: model.Allow}, Predicted: proof.Holds, Flows: 1, Comparison: Worse, Said: "no answer"},
			{Expectation: model.Expectation{Name: "two", Verb: model.Allow}, Predicted: proof.Holds, Flows: 1, Working: 1, Comparison: AsPredicted},
		}}
		r.unjudge()
		return r
	}
	for _, c := range []struct {
		busy, want string
		ok         bool
	}{
		{"", "WORSE one: no answer", false},
		{"this machine was too busy to tell", "as far as this machine could tell", true},
	} {
		r := report(c.busy)
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || r.OK() != c.ok || !strings.Contains(text.String(), c.want) {
			t.Errorf("%q: %v\n%s", c.busy, err, text.String())
		}
		if r.Expectations[1].Comparison != AsPredicted {
			t.Errorf("%q: what worked is not judged", c.busy)
		}
		if b, err := r.MarshalJSON(); err != nil || strings.Contains(string(b), `"busy":`) != c.ok {
			t.Errorf("%q: %s, %v", c.busy, b, err)
		}
	}
	s := watchStalls()
	s.end()
	s.end() // again
	if s.wake(stallBeat+time.Second) != time.Second || s.longest < time.Second {
		t.Errorf("%s", s.longest)
	}
}
