package drill

import (
	"strings"
	"testing"
	"time"
)

// A failover group is judged by its policy and its distances: recovery within
// grace period, TTL and two tries, and no loss of what was elsewhere already.
func TestJudgeGroups(t *testing.T) {
	moved := GroupReport{
		Group: "g", From: "west", To: "north", Automatic: true, Grace: 5 * time.Second, Declared: time.Hour, TTL: 3 * time.Second, Hit: true, Writer: "app",
		FailedOver: 5 * time.Second, NameMoved: 6 * time.Second, Recovered: 7 * time.Second, AtMost: 12 * time.Second, Acknowledged: 100, LossAtMost: 10 * time.Millisecond, Back: time.Millisecond,
	}
	for _, c := range []struct {
		name   string
		change func(*GroupReport)
		want   Comparison
		said   string
	}{
		{"as it should be", func(*GroupReport) {}, AsPredicted, ""},
		{"young commits are lost", func(r *GroupReport) { r.Lost, r.Oldest = 3, 9*time.Millisecond }, AsPredicted, ""},
		{"old commits are lost", func(r *GroupReport) { r.Lost, r.Oldest = 3, time.Second }, Worse, "data are elsewhere after 10ms"},
		{"too late", func(r *GroupReport) { r.Recovered = 13 * time.Second }, Worse, "predicted at most 12s"},
		{"nobody took over", func(r *GroupReport) { r.To = "" }, Worse, "nobody took over"},
		{"never again", func(r *GroupReport) { r.Recovered, r.Why = never, "refused" }, Worse, "refused"},
		{"not back", func(r *GroupReport) { r.Back, r.BackWhy = never, "SEEDING" }, Worse, "SEEDING"},
		{"not counted", func(r *GroupReport) { r.Uncounted = "no answer" }, Worse, "no answer"},
		{"by hand", func(r *GroupReport) { r.Automatic, r.To, r.Recovered = false, "", never }, NotJudged, "policy is manual"},
		{"nobody measured", func(r *GroupReport) { r.Writer = "" }, NotJudged, "no host that survives"},
		{"not hit", func(r *GroupReport) {
			r.Hit, r.To, r.FailedOver, r.NameMoved, r.Back, r.Recovered = false, "", never, never, never, 2*time.Millisecond
		}, AsPredicted, ""},
		{"not hit, and lost", func(r *GroupReport) { r.Hit, r.To, r.Lost = false, "", 1 }, Worse, "no failover"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := moved
			c.change(&r)
			r.judge()
			if r.Comparison != c.want || !strings.Contains(r.Said, c.said) {
				t.Errorf("%s: %s", r.Comparison, r.Said)
			}
			report := Report{Groups: []GroupReport{r}}
			if report.OK() != (c.want != Worse) {
				t.Error("the drill's result does not follow")
			}
			var text strings.Builder
			if err := report.writeGroups(&text); err != nil || !strings.Contains(text.String(), r.Said) || !strings.Contains(text.String(), string(r.Comparison)) {
				t.Errorf("%s, %v", text.String(), err)
			}
		})
	}
}
