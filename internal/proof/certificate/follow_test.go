package certificate

import (
	"math/rand/v2"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// FuzzFollow holds the checker to the definition: whatever a packet's redirects
// choose, it ends in a box that the follower says ends so.
func FuzzFollow(f *testing.F) {
	for i := range uint64(60) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 11))
		img := fabrictest.Random(rng)
		type end struct {
			b box
			v fabric.Verdict
			r fabric.Reason
		}
		ends := map[fabric.PortID][]end{}
		choose := func(_, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
			targets := img.Ports[at].Inward.Redirects[redirect].Targets
			for {
				if n := rng.IntN(len(targets)); targets[n].Down == "" {
					return int32(n)
				}
			}
		}
		for range 60 {
			at, p := fabrictest.Packet(rng, img)
			if ends[at] == nil {
				all := box{fabric.AllValues(), fabric.AllValues(), fabric.NumSet(0, 65535), fabric.NumSet(0, 65535), fabric.NumSet(0, 255)}
				follower := &follower{img: img, steps: maxSteps}
				follower.leaf = func(b box, v fabric.Verdict, r fabric.Reason) { ends[at] = append(ends[at], end{b, v, r}) }
				follower.start(at, all)
				if follower.steps <= 0 {
					t.Skip("too wide a question")
				}
			}
			got := ref.TraceBy(img, at, p, choose)
			found := false
			for _, e := range ends[at] {
				in := true
				for field := range fabric.NumFields {
					in = in && e.b[field].Contains(got.Final.Field(field))
				}
				found = found || in && e.v == got.Verdict && e.r == got.Reason
			}
			if !found {
				t.Fatalf("%s from %s ends as %s: %s, %+v; no box says so", p, img.Ports[at].Name, got.Final, got.Verdict, got.Reason)
			}
		}
	})
}
