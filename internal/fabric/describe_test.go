package fabric_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
)

// TestDigest: equal for equal images, whatever their epoch and places, and
// different as soon as one rule's action is.
func TestDigest(t *testing.T) {
	for seed := range uint64(50) {
		random := func() *fabric.Image { return fabrictest.Random(rand.New(rand.NewPCG(seed, 3))) }
		a, b := random(), random()
		b.Epoch = 9
		b.Ports[0].Origin.Place = "network.yaml:1:1"
		if a.Digest() != b.Digest() {
			t.Fatalf("seed %d: equal images differ", seed)
		}
		changed := false
		for i := range b.Filters {
			for j := range b.Filters[i].Rules {
				b.Filters[i].Rules[j].Action = (b.Filters[i].Rules[j].Action + 1) % 4
				changed = true
			}
		}
		if changed && a.Digest() == b.Digest() {
			t.Fatalf("seed %d: changed rules give the same digest", seed)
		}
	}
}
