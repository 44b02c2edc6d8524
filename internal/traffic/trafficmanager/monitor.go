package trafficmanager

import (
	"fmt"
	"time"
)

// maxAnswers bounds the answers kept of one endpoint.
const maxAnswers = 32

// Reply is what one question to an endpoint showed.
type Reply struct {
	Time time.Time     // when it was asked
	Took time.Duration // until the answer, or until none was waited for any more
	Why  string        // what was wrong; empty if nothing
}

// Vitals is what is known of one endpoint from its probes. The zero value with a
// monitor knows nothing yet.
type Vitals struct {
	Monitor Monitor
	// Status is Checking, Online or Degraded.
	Status Status
	Why    string    // of the last bad answer of an endpoint that is degraded
	Since  time.Time // of the status
	// Row is how many answers in a row were bad.
	Row          int
	Sent, Failed uint64
	Next         time.Time // when it is asked again
	Answers      []Reply   // the last, oldest first
	asking       bool
}

// NewVitals begins to watch an endpoint: it is asked at once.
func NewVitals(m Monitor, now time.Time) *Vitals {
	return &Vitals{Monitor: m, Status: Checking, Since: now, Next: now}
}

// Due reports whether it is time to ask, at a pace of which 10 is ten times as
// fast, and notes that it was asked.
func (v *Vitals) Due(now time.Time, pace float64) bool {
	if v.asking || now.Before(v.Next) {
		return false
	}
	v.asking = true
	every := Scaled(v.Monitor.Interval, pace)
	if v.Next = v.Next.Add(every); v.Next.Before(now) { // the machine slept
		v.Next = now.Add(every)
	}
	return true
}

// Asking reports whether an answer is waited for.
func (v *Vitals) Asking() bool { return v.asking }

// Take notes an answer and reports whether the status changed. An endpoint
// becomes degraded when the failures in a row exceed those that are tolerated,
// and online with one good answer ("Traffic Manager endpoint monitoring",
// endpoint failover and recovery).
func (v *Vitals) Take(a Reply) (changed bool) {
	v.asking = false
	v.Sent++
	if len(v.Answers) == maxAnswers {
		copy(v.Answers, v.Answers[1:])
		v.Answers = v.Answers[:maxAnswers-1]
	}
	v.Answers = append(v.Answers, a)
	was := v.Status
	if a.Why == "" {
		v.Row, v.Why, v.Status = 0, "", Online
	} else {
		v.Failed++
		v.Row++
		if v.Row > v.Monitor.Tolerated {
			v.Status, v.Why = Degraded, a.Why
		}
	}
	if v.Status == was {
		return false
	}
	v.Since = a.Time.Add(a.Took)
	return true
}

// Patience is how long an answer is waited for, at a pace; never below a fifth
// of a second, so that a busy machine is no failure.
func (m *Monitor) Patience(pace float64) time.Duration {
	return max(Scaled(m.Timeout, pace), 200*time.Millisecond)
}

// Noticing is how long it takes, at most, until an endpoint that stops answering
// is degraded: an interval until it is asked, and the tolerated failures and one
// more, each as late as it may be.
func (m *Monitor) Noticing(pace float64) time.Duration {
	return time.Duration(m.Tolerated+1)*Scaled(m.Interval, pace) + m.Patience(pace)
}

// Scaled is a duration at a pace: 10 is ten times as fast.
func Scaled(d time.Duration, pace float64) time.Duration { return time.Duration(float64(d) / pace) }

// JudgeStatus says what is wrong with an HTTP status, or "".
func (m *Monitor) JudgeStatus(code int) string {
	switch {
	case m.Accepts(code):
		return ""
	case code >= 300 && code < 400:
		return fmt.Sprintf("status %d: redirects are not followed", code)
	default:
		return fmt.Sprintf("status %d is not expected", code)
	}
}
