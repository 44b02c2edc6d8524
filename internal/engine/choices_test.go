package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// spread is a cheap choice among the targets that are up. Tables, which a
// running network has, are tested where they are made.
func spread(img *fabric.Image) fabric.Choose {
	return func(_, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		var up []int32
		for i, t := range img.Ports[at].Inward.Redirects[redirect].Targets {
			if t.Down == "" {
				up = append(up, int32(i))
			}
		}
		src, dst := fabric.AddrValue(p.Src), fabric.AddrValue(p.Dst)
		return up[(src.Lo*31+dst.Lo*17+uint64(p.SrcPort)*7+uint64(p.DstPort))%uint64(len(up))]
	}
}

// choicesEqualRef sends packets of a random image with every choice drawn at
// random, and demands the reference's verdicts from an engine that repeats the
// choices. It counts connections with choices, those by another path than the
// image's own choices give, and those answered.
func choicesEqualRef(t *testing.T, seed uint64) (chose, differ, replies int) {
	rng := rand.New(rand.NewPCG(seed, 23))
	img := fabrictest.Random(rng)
	for range 24 {
		at, p := fabrictest.Packet(rng, img)
		want := ref.ConnectBy(img, at, p, func(_, at fabric.PortID, r int32, _ fabric.Packet) int32 {
			var up []int32
			for i, t := range img.Ports[at].Inward.Redirects[r].Targets {
				if t.Down == "" {
					up = append(up, int32(i))
				}
			}
			return up[rng.IntN(len(up))]
		})
		choices := slices.Concat(want.Forward.Choices, want.Reply.Choices)
		if len(choices) > 0 {
			chose++
			if own := ref.ConnectBy(img, at, p, spread(img)); !slices.Equal(own.Forward.Path, want.Forward.Path) {
				differ++
			}
		}
		e := New(img, Options{MaxFlows: 16, Choose: fabric.Follow(choices, spread(img))})
		b := First(p)
		compare(t, e, "packet", &want.Forward, e.Process(0, at, b), b)
		if want.Forward.Verdict != fabric.VerdictAllow {
			continue
		}
		b = Answer(want.Forward.Final.Reverse())
		compare(t, e, "reply", &want.Reply, answered(e, &want.Forward, b), b)
		if len(choices) > 0 && want.Reply.Verdict == fabric.VerdictAllow {
			replies++
		}
	}
	return chose, differ, replies
}

// FuzzChoicesEqualRef demands that engine and reference agree whichever healthy
// targets the balancers choose.
func FuzzChoicesEqualRef(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { choicesEqualRef(t, seed) })
}

func TestChoicesEqualRef(t *testing.T) {
	var chose, differ, replies int
	for seed := range uint64(1500) {
		a, b, c := choicesEqualRef(t, seed)
		chose, differ, replies = chose+a, differ+b, replies+c
	}
	t.Logf("%d connections with choices, %d by another path than the image's own, %d answered", chose, differ, replies)
	if chose < 100 || differ < 20 || replies < 50 {
		t.Error("the random packets do not exercise choices")
	}
}
