package fabric

import (
	"reflect"
	"slices"
)

// Delta says in what an image differs from the one before it.
type Delta struct {
	// Filters have other rules than before, in the same places.
	Filters []FilterID
	// Whole means that anything else may differ, positions included.
	Whole bool
}

// None reports whether nothing differs.
func (d *Delta) None() bool { return len(d.Filters) == 0 && !d.Whole }

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
	// All but the filters' rules must be as it was, whatever an image may hold.
	x, y := *before, *after
	x.Filters, y.Filters, x.Sets, y.Sets = nil, nil, nil, nil
	x.Epoch = y.Epoch
	if !reflect.DeepEqual(&x, &y) {
		return Delta{Whole: true}
	}
	return d
}
