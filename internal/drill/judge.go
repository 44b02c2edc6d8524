package drill

import (
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// Moments are when a drill did what.
type Moments struct {
	Begun    time.Time // the traffic
	Failed   time.Time // the thing went down
	Noticed  time.Time // by when probes must have noticed; traffic is judged from then on
	Restored time.Time // it came back
	Ended    time.Time
}

// Outcome is what became of a flow.
type Outcome string

// The outcomes.
const (
	Unaffected Outcome = "unaffected"  // no trial failed
	FailedOver Outcome = "failed over" // it was interrupted, and works without what failed
	Flapping   Outcome = "flapping"    // some trials work while the thing is down
	Down       Outcome = "down"        // nothing works while the thing is down
	Lost       Outcome = "lost"        // a stream ended
	Before     Outcome = "broken before"
)

// Timeline is what a flow's trials show.
type Timeline struct {
	Outcome Outcome
	Why     string // of the first trial that failed
	// First is how long after the failure the first trial worked again, Steady
	// how long until none failed any more; 0 if none failed, negative if that
	// did not come while the thing was down.
	First, Steady time.Duration
	// Recovered is how long after the restoration everything worked; 0 if it
	// did at once, negative if it never did.
	Recovered time.Duration
	// Works says whether it worked at the end of the failure, Back whether it
	// did at the end of the drill.
	Works, Back bool
	By          []string // who answered while the thing was down
}

const never = -1

// Read reads a flow's timeline. A trial counts for when it ended.
func Read(f *live.SteadyFlow, m Moments) Timeline {
	t := Timeline{Outcome: Unaffected}
	before, during, after := 0, 0, 0 // trials that worked
	var lastBad, firstGood, firstBad, lastBadAfter time.Time
	badLate, goodLate := 0, 0
	good, bad := 0, 0 // in the time of the failure
	for _, s := range f.Spells {
		// What a spell shows of a time: it lasts from its first to its last trial.
		in := func(from, to time.Time) bool { return !s.To.Before(from) && s.From.Before(to) }
		if in(m.Begun, m.Failed) && s.OK {
			before++
		}
		if in(m.Failed, m.Restored) {
			switch {
			case s.OK:
				good++
				during++
				if firstGood.IsZero() && !firstBad.IsZero() {
					firstGood = s.From
				}
				if s.By != "" && (len(t.By) == 0 || t.By[len(t.By)-1] != s.By) {
					t.By = append(t.By, s.By)
				}
			case s.To.After(m.Failed):
				bad++
				if firstBad.IsZero() {
					firstBad, t.Why = s.From, s.Why
				}
				lastBad = earlier(s.To, m.Restored)
			}
		}
		if in(m.Noticed, m.Restored) {
			if s.OK {
				goodLate++
			} else {
				badLate++
			}
		}
		if s.To.After(m.Restored) {
			if s.OK {
				after++
			} else {
				lastBadAfter = s.To
			}
		}
	}
	if n := len(f.Spells); n > 0 {
		t.Back = f.Spells[n-1].OK && f.Ended == ""
	}
	silent := f.Kind == live.SteadyStream && goodLate == 0
	t.Works = goodLate > 0 && badLate == 0
	switch {
	case f.Ended != "" && f.EndedAt.Before(m.Failed), before == 0:
		t.Outcome, t.Why = Before, f.Ended
		if t.Why == "" && len(f.Spells) > 0 {
			t.Why = f.Spells[0].Why
		}
		return t
	case f.Ended != "":
		t.Outcome, t.Why, t.First, t.Steady, t.Recovered = Lost, f.Ended, never, never, never
		t.Works, t.Back = false, false
		return t
	case bad == 0 && !silent:
	case silent, goodLate == 0:
		t.Outcome, t.First, t.Steady = Down, never, never
		if !firstGood.IsZero() {
			t.First = firstGood.Sub(m.Failed)
		}
	case badLate > 0:
		t.Outcome, t.Steady = Flapping, never
		if !firstGood.IsZero() {
			t.First = firstGood.Sub(m.Failed)
		}
	default:
		t.Outcome = FailedOver
		t.First, t.Steady = firstGood.Sub(m.Failed), lastBad.Sub(m.Failed)
		if firstGood.IsZero() {
			t.First = t.Steady
		}
	}
	switch {
	case !t.Back:
		t.Recovered = never
	case !lastBadAfter.IsZero():
		t.Recovered = lastBadAfter.Sub(m.Restored)
	}
	return t
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Comparison is how a measurement compares with its forecast.
type Comparison string

// The comparisons.
const (
	AsPredicted Comparison = "as predicted"
	Worse       Comparison = "worse"
	Better      Comparison = "better"
	NotJudged   Comparison = "not judged"
)

// Compare holds what a flow did against what was predicted of it.
func Compare(t *Timeline, kind live.SteadyKind, forecast Forecast) (Comparison, string) {
	switch {
	case t.Outcome == Before:
		return NotJudged, "it did not work before the failure"
	case forecast == Unknown:
		return NotJudged, "nothing was predicted"
	case kind == live.SteadyStream && forecast == Fails && !t.Works:
		return AsPredicted, "" // what is established may be lost with what it passed
	case !t.Back:
		return Worse, "it does not work after the failure is over"
	case forecast == Works && !t.Works:
		return Worse, fmt.Sprintf("it should work while the failure lasts, and is %s: %s", t.Outcome, t.Why)
	case forecast == Fails && t.Works:
		return Better, "it should not work while the failure lasts, and does"
	default:
		return AsPredicted, ""
	}
}
