package trafficmanager

import (
	"slices"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// World is the region that everybody is in.
const World = "WORLD"

// stateLevel stands, in a hierarchy, for the client's state.
const stateLevel = "state"

// hierarchy writes the regions around a place, the smallest first: state,
// country, regional grouping, world.
func hierarchy(to *[4]string, p Place) (n int) {
	add := func(code string) {
		to[n] = code
		n++
	}
	if p.State != "" && len(catalog.StatesOf(p.Country)) > 0 {
		add(stateLevel)
	}
	if p.Country != "" {
		add(p.Country)
		if g := catalog.GroupingOf(p.Country); g != "" {
			add(g)
		}
	}
	add(World)
	return n
}

// KnownGeography reports whether a code names a region of the hierarchy: WORLD,
// a grouping, a country, or a state of a country that has them.
func KnownGeography(code string) bool {
	code = strings.ToUpper(code)
	country, state, isState := strings.Cut(code, "-")
	switch {
	case code == World:
		return true
	case country == "GEO":
		return slices.ContainsFunc(catalog.Groupings(), func(g catalog.Grouping) bool { return g.Code == code })
	case isState:
		return state != "" && len(state) <= 3 && len(catalog.StatesOf(country)) > 0
	default:
		return catalog.GroupingOf(code) != ""
	}
}

// countries are the countries of geographies, and of regions whose geography is
// larger.
var countries = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA", "Canary (US)": "US", "Chile": "CL",
		"Denmark": "DK", "France": "FR", "Germany": "DE", "India": "IN", "Indonesia": "ID", "Israel": "IL", "Italy": "IT",
		"Japan": "JP", "Korea": "KR", "Malaysia": "MY", "Mexico": "MX", "New Zealand": "NZ", "Norway": "NO", "Poland": "PL",
		"Qatar": "QA", "South Africa": "ZA", "Spain": "ES", "Stage (US)": "US", "Sweden": "SE", "Switzerland": "CH", "UAE": "AE",
		"United Kingdom": "GB", "United States": "US",
		"westeurope": "NL", "northeurope": "IE", "eastasia": "HK", "southeastasia": "SG",
	}
})

// countryOf returns the country of a region, empty if it is not known.
func countryOf(r catalog.RegionInfo) string {
	if c := countries()[r.Name]; c != "" {
		return c
	}
	return countries()[r.Geography]
}
