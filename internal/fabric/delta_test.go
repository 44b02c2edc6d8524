package fabric_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
)

// TestCompare: a change of one filter's rules is that filter, anything else the
// whole image.
func TestCompare(t *testing.T) {
	for seed := range uint64(50) {
		img := fabrictest.Random(rand.New(rand.NewPCG(seed, 4)))
		same := fabrictest.Random(rand.New(rand.NewPCG(seed, 4)))
		same.Epoch++
		if d := fabric.Compare(img, same); !d.None() {
			t.Fatalf("seed %d: %+v between equals", seed, d)
		}
		id := int(seed) % len(img.Filters)
		next := *img
		next.Filters = slices.Clone(img.Filters)
		next.Filters[id].Rules = append([]fabric.Rule{{Action: fabric.Pass, Priority: 1}}, next.Filters[id].Rules...)
		if d := fabric.Compare(img, &next); d.Whole || !slices.Equal(d.Filters, []fabric.FilterID{fabric.FilterID(id)}) {
			t.Fatalf("seed %d: %+v for filter %d", seed, d, id)
		}
		next.Ports = slices.Clone(img.Ports)
		next.Ports[0].Silent = !next.Ports[0].Silent
		if d := fabric.Compare(img, &next); !d.Whole {
			t.Fatalf("seed %d: %+v for another port", seed, d)
		}
	}
}

// TestDigestOfContent: the order in which sets and filters are stored does not
// count, what they hold does.
func TestDigestOfContent(t *testing.T) {
	img := fabrictest.Random(rand.New(rand.NewPCG(7, 4)))
	next := *img
	// One more set, and a copy of a filter in place of the filter.
	next.Sets = append(slices.Clone(img.Sets), fabric.NumSet(1, 2))
	next.Filters = append(slices.Clone(img.Filters), img.Filters...)
	next.Ports = slices.Clone(img.Ports)
	for i := range next.Ports {
		p := &next.Ports[i]
		p.Egress = slices.Clone(p.Egress)
		for j := range p.Egress {
			p.Egress[j] += fabric.FilterID(len(img.Filters))
		}
	}
	if next.Digest() != img.Digest() {
		t.Error("numbers count")
	}
	next.Sets[img.Ports[0].Addrs] = fabric.NumSet(9, 9)
	if next.Digest() == img.Digest() {
		t.Error("the addresses of a port do not count")
	}
}
