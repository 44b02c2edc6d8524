package proof

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// FuzzContracts: a claim that nothing is delivered has the same answer with
// contracts and without, and the same pairs of ports break it.
func FuzzContracts(f *testing.F) {
	for seed := range uint64(150) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 21))
		img := labelled(rng)
		p := New(img)
		for range 6 {
			e := randomClaim(rng, img)
			e.Verb, e.Through, e.Quantity = model.Deny, nil, ""
			compareContracts(t, p, e)
		}
	})
}

func compareContracts(t *testing.T, p *Prover, e model.Expectation) {
	t.Helper()
	fast := p.check(newArena(p.img), e, DefaultBudget)
	slow := p.checkWhole(newArena(p.img), e, DefaultBudget)
	if fast.Internal != nil || slow.Internal != nil {
		t.Fatal(fast.Internal, slow.Internal)
	}
	if fast.Status != slow.Status || len(fast.Groups) != len(slow.Groups) || fast.Omitted != slow.Omitted {
		t.Fatalf("%+v: %s (%s) with contracts, %s (%s) without", e, fast.Status, fast.Why, slow.Status, slow.Why)
	}
	for _, g := range slow.Groups {
		i := slices.IndexFunc(fast.Groups, func(h Group) bool { return h.Cause == g.Cause })
		if i < 0 || fast.Groups[i].Pairs != g.Pairs {
			t.Fatalf("%+v: %+v with contracts, %+v without", e, fast.Groups, slow.Groups)
		}
	}
	some, _ := p.Breaches(e, false, DefaultBudget)
	all, _ := p.Breaches(e, true, DefaultBudget)
	if !slices.Equal(some, all) {
		t.Fatalf("%+v: %d pairs with contracts, %d without", e, len(some), len(all))
	}
}

// TestContractsPlanet: the contracts of a network of hubs and spokes leave
// little to search.
func TestContractsPlanet(t *testing.T) {
	p := New(newPlanet(3, 10).img)
	for _, e := range planetClaims() {
		if e.Verb == model.Deny {
			compareContracts(t, p, e)
		}
	}
}
