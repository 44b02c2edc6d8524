package live

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

func TestReplay(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		img := fabrictest.Random(rng)
		at, p := fabrictest.Packet(rng, img)
		claim := ref.Connect(img, at, p)
		if err := replay(img, &claim); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		// A false claim must be refused, whichever part of it is false.
		wrong := claim
		switch {
		case claim.Forward.Verdict != fabric.VerdictAllow:
			wrong.Forward.Reason = fabric.At(fabric.CodeNone, at)
		case seed%2 == 0:
			wrong.Reply.Path = nil
		default:
			wrong.Reply.Verdict = (claim.Reply.Verdict + 1) % 3
		}
		if err := replay(img, &wrong); err == nil || !strings.Contains(err.Error(), "claim says") {
			t.Fatalf("seed %d: a false claim is believed: %v", seed, err)
		}
	}
}
