package policy

import "github.com/ceruleannet/cerulean/internal/fabric"

// rect is a product of five runs of atoms, packed: the addresses in the first
// word, ports and protocol in the second. Above each number stays a zero bit,
// its guard. Setting the guards of x and subtracting y leaves the guard set
// exactly where x >= y, for all numbers of a word at once.
type rect struct{ lo0, lo1, hi0, hi1 uint64 }

// The guards: numbers of addresses have 31 bits, of ports 20, of protocols 21.
const (
	guards0 = 1<<31 | 1<<63
	guards1 = 1<<20 | 1<<41 | 1<<63

	maxAddressAtoms = 1<<31 - 1
	maxPortAtoms    = 1<<20 - 1
)

// lane is where a field's numbers are.
type lane struct {
	word  uint8
	shift uint8
	mask  uint64
}

// laneOf has the lanes in the order of fabric.Field.
var laneOf = [fabric.NumFields]lane{
	{0, 0, 1<<31 - 1},
	{0, 32, 1<<31 - 1},
	{1, 0, 1<<20 - 1},
	{1, 21, 1<<20 - 1},
	{1, 42, 1<<21 - 1},
}

// nowhere meets no rectangle: no atom has the largest number of a lane.
var nowhere = rect{lo0: ^uint64(guards0), lo1: ^uint64(guards1)}

// meets reports whether the rectangles share a point.
func (r *rect) meets(b *rect) bool {
	x := ((r.hi0 | guards0) - b.lo0) & ((b.hi0 | guards0) - r.lo0)
	y := ((r.hi1 | guards1) - b.lo1) & ((b.hi1 | guards1) - r.lo1)
	return ^x&guards0|^y&guards1 == 0
}

// covers reports whether r holds all of b.
func (r *rect) covers(b *rect) bool {
	x := ((b.lo0 | guards0) - r.lo0) & ((r.hi0 | guards0) - b.hi0)
	y := ((b.lo1 | guards1) - r.lo1) & ((r.hi1 | guards1) - b.hi1)
	return ^x&guards0|^y&guards1 == 0
}

// run returns the atoms of one field.
func (r *rect) run(f fabric.Field) span {
	l := laneOf[f]
	if l.word == 0 {
		return span{uint32(r.lo0 >> l.shift & l.mask), uint32(r.hi0 >> l.shift & l.mask)}
	}
	return span{uint32(r.lo1 >> l.shift & l.mask), uint32(r.hi1 >> l.shift & l.mask)}
}

// with returns the rectangle with other atoms in one field.
func (r rect) with(f fabric.Field, s span) rect {
	l := laneOf[f]
	lo, hi, clear := uint64(s.lo)<<l.shift, uint64(s.hi)<<l.shift, ^(l.mask << l.shift)
	if l.word == 0 {
		r.lo0, r.hi0 = r.lo0&clear|lo, r.hi0&clear|hi
	} else {
		r.lo1, r.hi1 = r.lo1&clear|lo, r.hi1&clear|hi
	}
	return r
}
