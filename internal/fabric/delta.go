package fabric

import (
	"reflect"
	"slices"
)

// Delta says in what an image differs from the one before it.
type Delta struct {
	// Filters have other rules than before, in the same places.
	Filters []FilterID
	// Tables have other routes than before, in the same places.
	Tables []TableID
	// Whole means that anything else may differ, positions included.
	Whole bool
}

// None reports whether nothing differs.
func (d *Delta) None() bool { return len(d.Filters)+len(d.Tables) == 0 && !d.Whole }

// Compare returns in what an image differs from the one before it. Images of
// one incremental compilation share their sets; of others nothing is known.
func Compare(before, after *Image) Delta {
	n := len(before.Sets)
	if n > len(after.Sets) || n > 0 && &before.Sets[0] != &after.Sets[0] && !slices.EqualFunc(before.Sets, after.Sets[:n], Set.Equal) {
		return Delta{Whole: true}
	}
	if len(before.Filters) != len(after.Filters) {
		return Delta{Whole: true}
	}
	var d Delta
	for i := range before.Filters {
		f, g := &before.Filters[i], &after.Filters[i]
		if f.Name != g.Name || f.Stage != g.Stage || f.Origin != g.Origin {
			return Delta{Whole: true}
		}
		if f.Default != g.Default || !slices.Equal(f.Rules, g.Rules) {
			d.Filters = append(d.Filters, FilterID(i))
		}
	}
	if len(before.Tables) != len(after.Tables) {
		return Delta{Whole: true}
	}
	for i := range before.Tables {
		t, u := &before.Tables[i], &after.Tables[i]
		if t.Name != u.Name || t.Origin != u.Origin {
			return Delta{Whole: true}
		}
		if !slices.Equal(t.Routes, u.Routes) {
			d.Tables = append(d.Tables, TableID(i))
		}
	}
	// All but the rules and routes must be as it was, whatever an image may hold.
	x, y := *before, *after
	x.Filters, y.Filters, x.Sets, y.Sets, x.Tables, y.Tables = nil, nil, nil, nil, nil, nil
	x.Epoch = y.Epoch
	if !reflect.DeepEqual(&x, &y) {
		return Delta{Whole: true}
	}
	return d
}
