package arm

// typeLocation is the region itself: it is not stored, and has actions only.
const typeLocation = "Microsoft.Network/locations"

// locationVerbs are the actions of a region.
func locationVerbs() []verb {
	return catalogueVerbs()
}
