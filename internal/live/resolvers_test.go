package live

import (
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// "Failover groups overview": a listener's name moves within its TTL. A region's
// resolver keeps what it was asked for, another asks anew, and pace shortens
// both.
func TestResolversKeepNames(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	west := &fabric.Record{Name: "fog", Alias: "west", TTL: 30}
	north := &fabric.Record{Name: "fog", Alias: "north", TTL: 30}
	var r resolvers
	r.setPace(1)
	for _, c := range []struct {
		region  string
		current *fabric.Record
		after   time.Duration
		want    string
		ttl     uint32
	}{
		{"a", west, 0, "west", 30},
		{"a", north, 10 * time.Second, "west", 20},
		{"b", north, 10 * time.Second, "north", 30},
		{"a", north, 30*time.Second - 1, "west", 1},
		{"a", north, 30 * time.Second, "north", 30},
		{"a", west, 31 * time.Second, "north", 29},
	} {
		if got := r.answer(c.region, c.current, now.Add(c.after)); got.Alias != c.want || got.TTL != c.ttl || got.Name != "fog" {
			t.Errorf("%s after %s: %+v, want %s for %d s", c.region, c.after, got, c.want, c.ttl)
		}
	}
	r.setPace(1000)
	r.answer("a", west, now)
	if got := r.answer("a", north, now.Add(30*time.Millisecond)); got.Alias != "north" {
		t.Errorf("%+v at a thousand times the pace", got)
	}
	if west.TTL != 30 {
		t.Error("the image's record is changed")
	}
}
