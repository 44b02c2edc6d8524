package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// unsettle changes the targets of an image's redirects: some go down, some come
// up, one of several is removed, and they change places. It reports whether the
// image has routers with equal-cost paths, which keep no flows.
func unsettle(rng *rand.Rand, img *fabric.Image) (apart bool) {
	for i := range img.Ports {
		if img.Ports[i].Inward == nil {
			continue
		}
		for j := range img.Ports[i].Inward.Redirects {
			r := &img.Ports[i].Inward.Redirects[j]
			apart = apart || r.Apart
			r.Targets = slices.Clone(r.Targets)
			rng.Shuffle(len(r.Targets), func(a, b int) { r.Targets[a], r.Targets[b] = r.Targets[b], r.Targets[a] })
			for k := range r.Targets {
				r.Targets[k].Down = ""
				if rng.IntN(3) == 0 {
					r.Targets[k].Down = "probe"
				}
			}
			if len(r.Targets) > 1 {
				r.Targets = r.Targets[1:]
			}
		}
	}
	return apart
}

// swapKeeps opens flows in a random network, changes the targets of its
// balancers, and demands that every established TCP flow goes where it went or
// nowhere, and that new flows do what the reference says of the new image. It
// counts the flows that passed a balancer: kept and ended.
func swapKeeps(t *testing.T, seed uint64) (kept, ended int) {
	rng := rand.New(rand.NewPCG(seed, 31))
	draw := rng.Uint64()
	before := fabrictest.Random(rand.New(rand.NewPCG(draw, 1)))
	after := fabrictest.Random(rand.New(rand.NewPCG(draw, 1)))
	apart := unsettle(rng, after)
	now := before
	choose := func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		return spread(now)(from, at, redirect, p)
	}
	for range 24 {
		at, p := fabrictest.Packet(rng, before)
		p.Proto = fabric.ProtoTCP
		e := New(before, Options{Choose: choose})
		now = before
		b := First(p)
		r := e.Process(0, at, b)
		if r.Verdict != fabric.VerdictAllow || r.Reason.Code == fabric.CodePlatform {
			continue
		}
		pinned := len(e.table.flow(uint32(r.Flow)).pins) > 0
		final := read(t, b)
		e.Swap(after)
		now = after
		b = craft(p, tcpACK, 0, 0, 0)
		switch next := e.Process(1, at, b); {
		case next.Verdict == fabric.VerdictAllow && !apart:
			if q := read(t, b); q != final || next.Out != r.Out {
				t.Fatalf("%s at %d arrived at %d as %s, and in mid-stream at %d as %s", p, at, r.Out, final, next.Out, q)
			}
			if pinned {
				kept++
			}
		case next.Verdict != fabric.VerdictAllow && pinned:
			ended++
		}
		want := ref.ConnectBy(after, at, p, choose)
		e.Forget()
		b = First(p)
		compare(t, e, "packet", &want.Forward, e.Process(2, at, b), b)
	}
	return kept, ended
}

func FuzzSwapKeeps(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { swapKeeps(t, seed) })
}

func TestSwapKeeps(t *testing.T) {
	var kept, ended int
	for seed := range uint64(2500) {
		a, b := swapKeeps(t, seed)
		kept, ended = kept+a, ended+b
	}
	t.Logf("%d flows through balancers kept, %d ended", kept, ended)
	if kept < 30 || ended < 5 {
		t.Error("the random changes do not exercise pins")
	}
}
