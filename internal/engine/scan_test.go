package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
)

// TestScanSeesEveryFlow: in steps of a bounded size, each once, as Flows does.
func TestScanSeesEveryFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	img := fabrictest.Random(rng)
	e := New(img, Options{})
	if next := e.Scan(0, func(Flow) { t.Error("a flow in an empty table") }); next != 0 {
		t.Errorf("an empty table goes on at %d", next)
	}
	for i := range 2000 {
		at, p := fabrictest.Packet(rng, img)
		p.SrcPort += uint16(i)
		e.Process(time.Duration(i), at, First(p))
	}
	want := map[FlowID]bool{}
	for f := range e.Flows() {
		want[f.ID] = true
	}
	if len(want) < 2*chunk {
		t.Fatalf("%d flows: the test proves nothing", len(want))
	}
	seen := map[FlowID]int{}
	for from, steps := uint32(0), 0; ; steps++ {
		n := 0
		from = e.Scan(from, func(f Flow) { n++; seen[f.ID]++ })
		if n > chunk || steps > 100 {
			t.Fatalf("step %d has %d flows", steps, n)
		}
		if from == 0 {
			break
		}
	}
	for id, n := range seen {
		if n != 1 || !want[id] {
			t.Errorf("flow %d was seen %d times", id, n)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d flows of %d", len(seen), len(want))
	}
}

// TestOver: a flow is over when it was silent for its time, or both ends of it
// finished, or one reset it, whether or not its record is still there.
func TestOver(t *testing.T) {
	for name, c := range map[string]struct {
		flow Flow
		now  time.Duration
		want bool
	}{
		"goes on":  {Flow{Seen: time.Second, Idle: time.Minute}, time.Minute, false},
		"is quiet": {Flow{Seen: time.Second, Idle: time.Minute}, 62 * time.Second, true},
		"is reset": {Flow{Seen: time.Second, Idle: time.Minute, Closed: true}, time.Second, true},
	} {
		if c.flow.Over(c.now) != c.want {
			t.Errorf("a flow that %s: %v", name, !c.want)
		}
	}
}
