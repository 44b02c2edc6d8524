package drill

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// What requests show is counted by when they were sent, and held against what a
// member's death may cost: until probes have noticed, nothing afterwards.
func TestJudgeRequests(t *testing.T) {
	begun := time.Unix(1000, 0)
	m := Moments{Begun: begun, Failed: begun.Add(2 * time.Second), Restored: begun.Add(12 * time.Second), Ended: begun.Add(15 * time.Second)}
	const within = 4 * time.Second
	// all are sent every 100 ms; those fail that were sent in the spells, in seconds.
	sent := func(spells ...[2]float64) (out []trial) {
		for at := begun; at.Before(m.Ended); at = at.Add(100 * time.Millisecond) {
			x := trial{at: at}
			for _, s := range spells {
				if d := at.Sub(begun).Seconds(); d >= s[0] && d < s[1] {
					x.why = "502"
				}
			}
			out = append(out, x)
		}
		return out
	}
	holds := Prediction{Before: proof.Holds, After: proof.Holds}
	for name, x := range map[string]struct {
		sent          []trial
		lost, members int
		prediction    Prediction
		failure       fabric.Failure
		want          Comparison
		predicted     Forecast
	}{
		"nothing fails":                      {sent(), 1, 2, holds, fabric.Failure{}, AsPredicted, Works},
		"until probes notice":                {sent([2]float64{2, 5}), 1, 2, holds, fabric.Failure{}, AsPredicted, Works},
		"after probes must have":             {sent([2]float64{2, 7}), 1, 2, holds, fabric.Failure{}, Worse, Works},
		"although no member is lost":         {sent([2]float64{2, 3}), 0, 2, holds, fabric.Failure{}, Worse, Works},
		"no member is left":                  {sent([2]float64{2, 12}), 2, 2, holds, fabric.Failure{}, AsPredicted, Fails},
		"no member is left, and all is well": {sent(), 2, 2, holds, fabric.Failure{}, Better, Fails},
		"the gateway itself fails":           {sent([2]float64{2, 12}), 0, 2, Prediction{Before: proof.Holds, After: proof.Broken, Why: "it is down"}, fabric.Failure{}, AsPredicted, Fails},
		"a link":                             {sent([2]float64{2, 12}), 0, 2, holds, fabric.Failure{Cuts: []fabric.Cut{{}}}, NotJudged, Unknown},
		"it never worked":                    {sent([2]float64{0, 20}), 1, 2, holds, fabric.Failure{}, NotJudged, Works},
	} {
		f := &requestFlow{known: true}
		r := &RequestReport{Members: x.members, Lost: x.lost, Within: within, Why: map[string]int{}}
		r.count(x.sent, m)
		r.predictAs(f, fabric.None, &x.prediction, &x.failure)
		r.judge()
		if r.Comparison != x.want || r.Predicted != x.predicted {
			t.Errorf("%s: %s, predicted %s; want %s, %s: %+v", name, r.Comparison, r.Predicted, x.want, x.predicted, r)
		}
		if all := r.Sent.Before + r.Sent.Unnoticed + r.Sent.Noticed + r.Sent.After; all != len(x.sent) {
			t.Errorf("%s: %d requests counted of %d", name, all, len(x.sent))
		}
	}
	r := &RequestReport{Within: within, Why: map[string]int{}}
	r.count(sent([2]float64{2, 3}, [2]float64{4, 6.5}), m)
	if r.Sent != (Counted{20, 40, 60, 30}) || r.Failed != (Counted{0, 30, 5, 0}) || r.Why["502"] != 35 {
		t.Errorf("%+v", r)
	}
	if r.LastFailed.Round(100*time.Millisecond) != 4400*time.Millisecond || r.Longest < 2400*time.Millisecond || r.Longest > 2600*time.Millisecond {
		t.Errorf("last after %s, longest %s", r.LastFailed, r.Longest)
	}
}

// A member that is a gateway is lost with all who take the request behind it; if some
// of them are, requests may fail until probes notice.
func TestBehindMembers(t *testing.T) {
	addr := netip.MustParseAddr
	one := fabric.AddrValue(addr("10.0.0.1"))
	img := &fabric.Image{Sets: []fabric.Set{nil, {{Lo: one, Hi: one}}}, Ports: []fabric.Port{{Addrs: 1}}}
	down := &fabric.Failure{Ports: []fabric.PortID{0}}
	for name, x := range map[string]struct {
		behind  []netip.Addr
		lost    int
		reaches bool
	}{
		"nobody":       {nil, 0, false},
		"none of them": {[]netip.Addr{addr("10.0.0.2")}, 0, false},
		"one of them":  {[]netip.Addr{addr("10.0.0.1"), addr("10.0.0.2")}, 0, true},
		"all of them":  {[]netip.Addr{addr("10.0.0.1")}, 1, true},
	} {
		r := &RequestReport{}
		r.lose(img, down, &Taking{Members: []netip.Addr{addr("10.0.0.8"), addr("10.0.0.9")}, Behind: map[int][]netip.Addr{1: x.behind}})
		if r.Members != 2 || r.Lost != x.lost || r.reaches != x.reaches {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// The report says of every request what was sent and what failed of it, in lines
// that a terminal has room for.
func TestWriteRequests(t *testing.T) {
	r := Report{Requests: []RequestReport{
		{
			URL: "https://www.fiscal.example/analytics/today", From: "client.fiscal.example", Gateway: "g", Pool: "web", Members: 2, Lost: 1,
			Within: 6500 * time.Millisecond, Sent: Counted{1000, 1000, 1000, 1000}, Failed: Counted{0, 523, 12, 0}, LastFailed: 12345 * time.Millisecond,
			Why: map[string]int{"502 Bad Gateway": 500, "no answer": 35}, Predicted: Works, Comparison: Worse, Said: "12 failed after probes must have noticed",
		},
		{URL: "http://a.example/", From: "app", LastFailed: never, Predicted: Unknown, Comparison: NotJudged},
	}}
	var text strings.Builder
	if err := r.writeRequests(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1  https://www.fiscal.example/analytics/today from client.fiscal.example\n   4000 sent; 1 of 2 members lost; probes notice within 6.5s\n",
		"2  http://a.example/ from app\n   0 sent; which members it has is not known; probes notice within 0s\n",
		"523 of 1000", "12.3s", "   500 times 502 Bad Gateway\n   35 times no answer\n", "1: 12 failed after probes must have noticed\n", "none",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("not said: %q\n%s", want, text.String())
		}
	}
	for line := range strings.Lines(text.String()) {
		if len(strings.TrimRight(line, "\n")) > 100 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}
