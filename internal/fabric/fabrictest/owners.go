package fabrictest

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// SortOwners sorts owners by range. Where ranges overlap the image is invalid
// and [fabric.Image.Check] says so.
func SortOwners(owners []fabric.Owner) []fabric.Owner {
	slices.SortFunc(owners, func(a, b fabric.Owner) int { return a.Range.Lo.Compare(b.Range.Lo) })
	return owners
}
