package proof

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// edited returns a copy of an image with other rules in one filter or two, or
// other routes in a table, and what changed.
func edited(rng *rand.Rand, img *fabric.Image) (*fabric.Image, fabric.Delta) {
	next := *img
	next.Filters = slices.Clone(img.Filters)
	var d fabric.Delta
	if rng.IntN(4) == 0 {
		id := fabric.TableID(rng.IntN(len(img.Tables)))
		other := &img.Tables[rng.IntN(len(img.Tables))]
		next.Tables = slices.Clone(img.Tables)
		next.Tables[id].Routes = slices.Clone(other.Routes)
		d.Tables = append(d.Tables, id)
		if rng.IntN(2) == 0 {
			return &next, d
		}
	}
	for range 1 + rng.IntN(2) {
		id := fabric.FilterID(rng.IntN(len(img.Filters)))
		if slices.Contains(d.Filters, id) {
			continue
		}
		d.Filters = append(d.Filters, id)
		f := &next.Filters[id]
		f.Rules = slices.Clone(f.Rules)
		switch n := rng.IntN(4); {
		case n == 0 && len(f.Rules) > 0:
			f.Rules = slices.Delete(f.Rules, 0, 1)
		case n == 1 && len(f.Rules) > 0:
			r := &f.Rules[rng.IntN(len(f.Rules))]
			r.Action = fabric.Action(rng.IntN(4))
		default:
			from := &img.Filters[rng.IntN(len(img.Filters))]
			if len(from.Rules) > 0 {
				f.Rules = slices.Insert(f.Rules, 0, from.Rules[rng.IntN(len(from.Rules))])
			}
		}
	}
	return &next, d
}

// FuzzWatch: after every change the findings are those of a prover that begins
// anew.
func FuzzWatch(f *testing.F) {
	for seed := range uint64(80) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 22))
		img := labelled(rng)
		if len(img.Filters) == 0 {
			return
		}
		var claims []model.Expectation
		for range 5 {
			e := randomClaim(rng, img)
			if rng.IntN(3) > 0 {
				e.Verb, e.Through, e.Quantity = model.Deny, nil, ""
			}
			claims = append(claims, e)
		}
		w := NewWatch(New(img), claims)
		for range 6 {
			var d fabric.Delta
			img, d = edited(rng, img)
			got, want := w.Update(img, d), New(img).Check(claims)
			for i := range want {
				sameFinding(t, &got[i], &want[i])
			}
		}
	})
}

func sameFinding(t *testing.T, got, want *Finding) {
	t.Helper()
	if got.Internal != nil || want.Internal != nil {
		t.Fatal(got.Internal, want.Internal)
	}
	same := got.Status == want.Status && got.Omitted == want.Omitted && len(got.Groups) == len(want.Groups) &&
		got.Counts.Sources == want.Counts.Sources && got.Counts.Destinations == want.Counts.Destinations
	for _, g := range want.Groups {
		same = same && slices.ContainsFunc(got.Groups, func(h Group) bool { return h.Pairs == g.Pairs && h.Cause == g.Cause })
	}
	if want.Status == Holds {
		same = same && got.Why == want.Why
	}
	if !same {
		t.Fatalf("%+v:\n%s (%s) %+v\nanew %s (%s) %+v", want.Expectation, got.Status, got.Why, got.Groups, want.Status, want.Why, want.Groups)
	}
}

// TestWatchLittle: most changes of a large network decide nothing again.
func TestWatchLittle(t *testing.T) {
	p := newPlanet(3, 10)
	var claims []model.Expectation
	for _, e := range planetClaims() {
		if e.Verb == model.Deny {
			claims = append(claims, e)
		}
	}
	w := NewWatch(New(p.img), claims)
	img := p.img
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		var d fabric.Delta
		img, d = edited(rng, img)
		got, want := w.Update(img, d), New(img).Check(claims)
		for i := range want {
			sameFinding(t, &got[i], &want[i])
		}
	}
	if w.Again.Part == 0 {
		t.Error("no claim was decided again in part")
	}
}
