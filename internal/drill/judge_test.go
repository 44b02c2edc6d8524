package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// moments of a drill: traffic from 0, the failure from 10 to 40 s, noticed by 20,
// ended at 60.
func moments() Moments {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	return Moments{Begun: at(0), Failed: at(10), Noticed: at(20), Restored: at(40), Ended: at(60)}
}

// spells reads a timeline: each letter is a second, + worked, - failed, a space
// nothing.
func spells(line string) []live.Spell {
	var out []live.Spell
	for i, c := range line {
		at := time.Unix(int64(i), 500e6)
		switch n := len(out); {
		case c == ' ':
		case n > 0 && out[n-1].OK == (c == '+') && line[i-1] != ' ':
			out[n-1].To = at
			out[n-1].Trials++
		default:
			s := live.Spell{From: at, To: at, OK: c == '+', Trials: 1}
			if !s.OK {
				s.Why = "no answer"
			}
			out = append(out, s)
		}
	}
	return out
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name                     string
		kind                     live.SteadyKind
		line                     string // 60 seconds
		ended                    int    // second at which a stream ended; 0: it did not
		outcome                  Outcome
		first, steady, recovered time.Duration
		works, back              bool
	}{
		{
			"unaffected", live.SteadyConnect,
			"++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++", 0, Unaffected, 0, 0, 0, true, true,
		},
		{
			"failed over", live.SteadyConnect,
			"++++++++++-----+++++++++++++++++++++++++++++++++++++++++++++", 0, FailedOver, 5500 * time.Millisecond, 4500 * time.Millisecond, 0, true, true,
		},
		{
			"every other trial until noticed", live.SteadyConnect,
			"++++++++++-+-+-+++++++++++++++++++++++++++++++++++++++++++++", 0, FailedOver, 1500 * time.Millisecond, 4500 * time.Millisecond, 0, true, true,
		},
		{
			"down, and back at once", live.SteadyConnect,
			"++++++++++------------------------------++++++++++++++++++++", 0, Down, never, never, 0, false, true,
		},
		{
			"down, and back late", live.SteadyConnect,
			"++++++++++-----------------------------------+++++++++++++++", 0, Down, never, never, 4500 * time.Millisecond, false, true,
		},
		{
			"never back", live.SteadyConnect,
			"++++++++++--------------------------------------------------", 0, Down, never, never, never, false, false,
		},
		{
			"flapping", live.SteadyConnect,
			"++++++++++-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+++++++++++++++++++++", 0, Flapping, 1500 * time.Millisecond, never, 0, false, true,
		},
		{
			"broken before", live.SteadyConnect,
			"------------------------------------------------------------", 0, Before, 0, 0, 0, false, false,
		},
		{
			"a stream is silent", live.SteadyStream,
			"++++++++++                                ++++++++++++++++++", 0, Down, never, never, 0, false, true,
		},
		{
			"a stream ends", live.SteadyStream,
			"++++++++++-----", 15, Lost, never, never, never, false, false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &live.SteadyFlow{Kind: c.kind, Spells: spells(c.line)}
			if c.ended > 0 {
				f.Ended, f.EndedAt = "reset", time.Unix(int64(c.ended), 0)
			}
			got := Read(f, moments())
			if got.Outcome != c.outcome || got.First != c.first || got.Steady != c.steady || got.Recovered != c.recovered || got.Works != c.works || got.Back != c.back {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeline Timeline
		kind     live.SteadyKind
		forecast Forecast
		want     Comparison
	}{
		{"works as it should", Timeline{Outcome: FailedOver, Works: true, Back: true}, live.SteadyConnect, Works, AsPredicted},
		{"should work", Timeline{Outcome: Down, Back: true}, live.SteadyConnect, Works, Worse},
		{"fails as it should", Timeline{Outcome: Down, Back: true}, live.SteadyConnect, Fails, AsPredicted},
		{"should fail", Timeline{Outcome: Unaffected, Works: true, Back: true}, live.SteadyConnect, Fails, Better},
		{"never back", Timeline{Outcome: Down}, live.SteadyConnect, Fails, Worse},
		{"a stream is lost with what it passed", Timeline{Outcome: Lost}, live.SteadyStream, Fails, AsPredicted},
		{"a stream should live", Timeline{Outcome: Lost}, live.SteadyStream, Works, Worse},
		{"some members take it", Timeline{Outcome: Flapping, Back: true}, live.SteadyConnect, Partly, AsPredicted},
		{"nothing was predicted", Timeline{Outcome: Down}, live.SteadyConnect, Unknown, NotJudged},
		{"it did not work before", Timeline{Outcome: Before}, live.SteadyConnect, Works, NotJudged},
	} {
		if got, why := Compare(&c.timeline, c.kind, c.forecast); got != c.want || (got == Worse) != (why != "") && got != NotJudged && got != Better {
			t.Errorf("%s: %s (%s), want %s", c.name, got, why, c.want)
		}
	}
}

// A drill of which nothing could be judged does not say that all was as predicted.
func TestNothingJudged(t *testing.T) {
	for _, tt := range []struct {
		comparison Comparison
		want       string
	}{
		{NotJudged, "host a: nothing was judged"},
		{AsPredicted, "host a: the network did what was predicted"},
		{Worse, "host a: the network did worse than predicted"},
	} {
		r := Report{Target: "host a", Expectations: []ExpectationReport{{Comparison: tt.comparison, Flows: 1}}}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), tt.want) {
			t.Errorf("%s: %v\n%s", tt.comparison, err, text.String())
		}
	}
}
