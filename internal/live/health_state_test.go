package live

import (
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Threshold answers in a row change a member's state, either way; a good first
// answer is enough ("Azure Load Balancer health probes").
func TestVitals(t *testing.T) {
	for _, c := range []struct {
		name      string
		threshold int
		fails     string // as compiled
		answers   string // + good, - bad
		states    string // after each: u up, d down
	}{
		{"one failure is enough", 1, "", "+-+", "udu"},
		{"three in a row to fall", 3, "", "+---", "uuud"},
		{"a success between starts anew", 3, "", "+--+--", "uuuuuu"},
		{"three in a row to rise", 3, "", "+---++-+++", "uuuddddddu"},
		{"up with its first success", 3, "compiled as down", "+", "u"},
		{"no such grace to fall", 3, "", "---", "uud"},
		{"compiled as down stays down", 2, "NSG drops it", "---", "ddd"},
		{"a second success does not count as first", 3, "NSG drops it", "-+", "dd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(0, 0)
			v := newVitals(&fabric.Probe{Interval: 5 * time.Second, Threshold: c.threshold}, c.fails, now)
			var got strings.Builder
			for i, a := range c.answers {
				before, why := v.up, v.why
				x := Answer{Time: now.Add(time.Duration(i) * time.Second)}
				if a == '-' {
					x.Why = "no answer"
				}
				changed := v.take(x)
				if changed != (before != v.up || why != v.why) {
					t.Errorf("answer %d: changed %v", i, changed)
				}
				got.WriteByte(map[bool]byte{true: 'u', false: 'd'}[v.up])
			}
			if got.String() != c.states {
				t.Errorf("%s: %s, want %s", c.answers, got.String(), c.states)
			}
		})
	}
}

// Questions are an interval apart, one at a time, and a machine that slept does
// not make up for what it missed.
func TestDue(t *testing.T) {
	now := time.Unix(100, 0)
	v := newVitals(&fabric.Probe{Interval: 5 * time.Second, Threshold: 1}, "", now)
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	if !v.due(at(0), 1) {
		t.Error("not asked at the start")
	}
	if v.due(at(6), 1) {
		t.Error("asked again before the answer")
	}
	v.take(Answer{Time: at(0)})
	if v.due(at(4.9), 1) || !v.due(at(5), 1) {
		t.Error("not asked after 5 s")
	}
	v.take(Answer{Time: at(5)})
	if !v.due(at(3600), 1) {
		t.Fatal("not asked after an hour")
	}
	v.take(Answer{Time: at(3600)})
	if v.due(at(3604), 1) || !v.due(at(3605), 1) {
		t.Error("the hour is made up for")
	}
	v.take(Answer{Time: at(3605)})
	if v.due(at(3605.4), 10) || !v.due(at(3610), 10) {
		t.Error("the pace")
	}
}

// An answer must come before the next question, of HTTP within 30 s.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		kind     fabric.ProbeKind
		interval int
		pace     float64
		want     time.Duration
	}{
		{fabric.ProbeTCP, 5, 1, 5 * time.Second},
		{fabric.ProbeTCP, 60, 1, time.Minute},
		{fabric.ProbeHTTP, 60, 1, 30 * time.Second},
		{fabric.ProbeHTTPS, 15, 1, 15 * time.Second},
		{fabric.ProbeTCP, 60, 10, 6 * time.Second},
		{fabric.ProbeTCP, 5, 1000, shortestAnswer},
	} {
		p := &fabric.Probe{Kind: c.kind, Interval: time.Duration(c.interval) * time.Second, Threshold: 1}
		if got := Patience(p, c.pace); got != c.want {
			t.Errorf("%s every %d s at pace %v: %s, want %s", c.kind, c.interval, c.pace, got, c.want)
		}
	}
}

// Only status 200 is well.
func TestJudgeStatus(t *testing.T) {
	for code, ok := range map[int]bool{200: true, 201: false, 204: false, 301: false, 404: false, 503: false} {
		if got := judgeStatus(code) == ""; got != ok {
			t.Errorf("%d: %v", code, got)
		}
	}
}

// The last answers are kept, the oldest go.
func TestHistoryIsBounded(t *testing.T) {
	v := newVitals(&fabric.Probe{Interval: time.Second, Threshold: 1}, "", time.Unix(0, 0))
	for i := range 3 * maxAnswers {
		v.take(Answer{Time: time.Unix(int64(i), 0)})
	}
	if len(v.last) != maxAnswers || v.last[0].Time.Unix() != 2*maxAnswers || v.sent != 3*maxAnswers {
		t.Errorf("%d kept from %v of %d", len(v.last), v.last[0].Time, v.sent)
	}
}
