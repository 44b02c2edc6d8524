package live

import (
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// This file is the thinking part of health probes ("Azure Load Balancer health
// probes", Microsoft): it takes answers and says what they mean. It sends
// nothing and reads no clock.

// maxAnswers bounds the answers kept of one member.
const maxAnswers = 64

// Limits of a probe's patience: an answer must come before the next question,
// and of HTTP and HTTPS within 30 seconds.
const (
	longestAnswer  = 30 * time.Second
	shortestAnswer = time.Second // at any pace: a busy machine is no failure
)

// Answer is what one question to a member showed.
type Answer struct {
	Time time.Time     `json:"time"` // when it was asked
	Took time.Duration `json:"-"`    // until the answer, or until none was waited for any more
	Why  string        `json:"why,omitempty"`
}

// OK reports whether the member answered as it should.
func (a *Answer) OK() bool { return a.Why == "" }

// vitals is what is known of one member as one probe asks it.
type vitals struct {
	probe  fabric.Probe
	up     bool
	why    string // of a member that is down
	since  time.Time
	row    int // answers in a row that speak against the state
	sent   uint64
	failed uint64
	next   time.Time // when to ask again
	asking bool
	last   []Answer // oldest first
}

// newVitals begins with what the compiled network says of a member.
func newVitals(p *fabric.Probe, fails string, now time.Time) *vitals {
	return &vitals{probe: *p, up: fails == "", why: fails, since: now, next: now}
}

// take notes an answer and reports whether it changed what is known. Threshold
// answers in a row change the state, either way; the first answer of all, if
// good, is enough ("a newly added or restarted instance is up with its first
// success").
func (v *vitals) take(a Answer) (changed bool) {
	v.asking = false
	v.sent++
	if !a.OK() {
		v.failed++
	}
	if len(v.last) == maxAnswers {
		copy(v.last, v.last[1:])
		v.last = v.last[:maxAnswers-1]
	}
	v.last = append(v.last, a)
	if a.OK() == v.up {
		v.row = 0
		if v.up || v.why == a.Why {
			return false
		}
		v.why = a.Why
		return true
	}
	v.row++
	if v.row < v.probe.Threshold && (!a.OK() || v.sent > 1) {
		return false
	}
	v.up, v.why, v.since, v.row = a.OK(), a.Why, a.Time.Add(a.Took), 0
	return true
}

// due reports whether it is time to ask, and notes that it was asked: the next
// question is an interval later, whatever becomes of this one.
func (v *vitals) due(now time.Time, pace float64) bool {
	if v.asking || now.Before(v.next) {
		return false
	}
	v.asking = true
	v.next = v.next.Add(scaled(v.probe.Interval, pace))
	if v.next.Before(now) { // the machine slept
		v.next = now.Add(scaled(v.probe.Interval, pace))
	}
	return true
}

// Patience is how long an answer to a probe is waited for, at a pace.
func Patience(p *fabric.Probe, pace float64) time.Duration {
	d := p.Interval
	if p.Kind != fabric.ProbeTCP {
		d = min(d, longestAnswer)
	}
	return max(scaled(d, pace), shortestAnswer)
}

// scaled is a duration at a pace: 10 is ten times as fast.
func scaled(d time.Duration, pace float64) time.Duration {
	return time.Duration(float64(d) / pace)
}

// judgeStatus says what an HTTP status means to a probe: only 200 is well.
func judgeStatus(code int) string {
	if code == 200 {
		return ""
	}
	return fmt.Sprintf("status %d, not 200", code)
}
