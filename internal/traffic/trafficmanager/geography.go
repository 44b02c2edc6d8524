package trafficmanager

import (
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// World is the region that everybody is in.
const World = "WORLD"

// stateLevel stands, in a hierarchy, for the client's state.
const stateLevel = "state"

// hasStates are the countries whose states have codes of their own ("Geographic
// traffic-routing method": Australia, Canada, the United Kingdom, the USA).
const hasStates = " AU CA GB US "

// groupings are the countries (ISO 3166-1) of Azure's regional groupings.
// Which country is in which is not published as a list: these are the
// continents, with Central America and the Caribbean in GEO-NA and the
// countries between Egypt and Iran in GEO-ME. Unconfirmed for single countries.
const groupings = `
GEO-AF DZ AO BJ BW BF BI CV CM CF TD KM CG CD CI DJ GQ ER SZ ET GA GM GH GN GW KE LS LR LY MG MW ML MR MU YT MA MZ NA NE NG RE RW SH ST SN SC SL SO ZA SS SD TZ TG TN UG ZM ZW EH
GEO-AP AS AU CK FJ PF GU KI MH FM NR NC NZ NU NF MP PW PG PN WS SB TK TO TV VU WF
GEO-AS AF BD BT BN KH CN HK IN ID JP KZ KG LA MO MY MV MN MM NP KP PK PH SG KR LK TW TJ TH TL TM UZ VN
GEO-EU AX AL AD AT BY BE BA BG HR CY CZ DK EE FO FI FR GE DE GI GR GG HU IS IE IM IT JE XK LV LI LT LU MT MD MC ME NL MK NO PL PT RO RU SM RS SK SI ES SJ SE CH UA GB VA AM AZ
GEO-ME BH EG IR IQ IL JO KW LB OM PS QA SA SY TR AE YE
GEO-NA AI AG AW BS BB BZ BM BQ VG CA KY CR CU CW DM DO SV GL GD GP GT HT HN JM MQ MX MS NI PA PR BL KN LC MF PM VC SX TT TC US VI
GEO-SA AR BO BR CL CO EC FK GF GY PY PE SR UY VE
`

var groupOf = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(groupings) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			m[words[i]] = words[0]
		}
	}
	return m
})

// hierarchy writes the regions around a place, the smallest first: state,
// country, regional grouping, world.
func hierarchy(to *[4]string, p Place) (n int) {
	add := func(code string) {
		to[n] = code
		n++
	}
	if p.State != "" && strings.Contains(hasStates, " "+p.Country+" ") {
		add(stateLevel)
	}
	if p.Country != "" {
		add(p.Country)
		if g := groupOf()[p.Country]; g != "" {
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
		return strings.Contains(groupings, "\n"+code+" ")
	case isState:
		return state != "" && len(state) <= 3 && strings.Contains(hasStates, " "+country+" ")
	default:
		return groupOf()[code] != ""
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
