package arm

// typeLocation is the region itself: it is not stored, and has actions only.
const typeLocation = "Microsoft.Network/locations"

// locationVerbs are the actions of a region.
func locationVerbs() []verb {
	return append(catalogueVerbs(),
		verb{name: "usages", get: true, answer: regionUsages},
		verb{name: "CheckDnsNameAvailability", get: true, answer: dnsNameAvailability})
}
