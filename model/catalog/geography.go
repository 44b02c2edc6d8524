package catalog

import (
	"slices"
	"strings"
	"sync"
)

// Grouping is one of Traffic Manager's regional groupings ("Geographic
// traffic-routing method").
type Grouping struct {
	Code, Name string
	Countries  []string // ISO 3166-1 alpha-2
}

// State is a part of a country that Traffic Manager tells apart.
type State struct {
	Code, Name string // ISO 3166-2 without the country
}

// groupings are the countries of the regional groupings. Which country is in
// which is not published as a list: these are the continents, with Central America
// and the Caribbean in GEO-NA and the countries between Egypt and Iran in GEO-ME.
// Unconfirmed for single countries.
const groupings = `
GEO-AF|Africa|DZ AO BJ BW BF BI CV CM CF TD KM CG CD CI DJ GQ ER SZ ET GA GM GH GN GW KE LS LR LY MG MW ML MR MU YT MA MZ NA NE NG RE RW SH ST SN SC SL SO ZA SS SD TZ TG TN UG ZM ZW EH
GEO-AP|Australia / Pacific|AS AU CK FJ PF GU KI MH FM NR NC NZ NU NF MP PW PG PN WS SB TK TO TV VU WF
GEO-AS|Asia|AF BD BT BN KH CN HK IN ID JP KZ KG LA MO MY MV MN MM NP KP PK PH SG KR LK TW TJ TH TL TM UZ VN
GEO-EU|Europe|AX AL AD AT BY BE BA BG HR CY CZ DK EE FO FI FR GE DE GI GR GG HU IS IE IM IT JE XK LV LI LT LU MT MD MC ME NL MK NO PL PT RO RU SM RS SK SI ES SJ SE CH UA GB VA AM AZ
GEO-ME|Middle East|BH EG IR IQ IL JO KW LB OM PS QA SA SY TR AE YE
GEO-NA|North America / Central America / Caribbean|AI AG AW BS BB BZ BM BQ VG CA KY CR CU CW DM DO SV GL GD GP GT HT HN JM MQ MX MS NI PA PR BL KN LC MF PM VC SX TT TC US VI
GEO-SA|South America|AR BO BR CL CO EC FK GF GY PY PE SR UY VE
`

// states are those of the countries whose states have codes of their own: Australia,
// Canada, the United Kingdom and the USA.
const states = `
AU|ACT Australian Capital Territory;NSW New South Wales;NT Northern Territory;QLD Queensland;SA South Australia;TAS Tasmania;VIC Victoria;WA Western Australia
CA|AB Alberta;BC British Columbia;MB Manitoba;NB New Brunswick;NL Newfoundland and Labrador;NS Nova Scotia;NT Northwest Territories;NU Nunavut;ON Ontario;PE Prince Edward Island;QC Quebec;SK Saskatchewan;YT Yukon
GB|ENG England;NIR Northern Ireland;SCT Scotland;WLS Wales
US|AL Alabama;AK Alaska;AZ Arizona;AR Arkansas;CA California;CO Colorado;CT Connecticut;DE Delaware;DC District of Columbia;FL Florida;GA Georgia;HI Hawaii;ID Idaho;IL Illinois;IN Indiana;IA Iowa;KS Kansas;KY Kentucky;LA Louisiana;ME Maine;MD Maryland;MA Massachusetts;MI Michigan;MN Minnesota;MS Mississippi;MO Missouri;MT Montana;NE Nebraska;NV Nevada;NH New Hampshire;NJ New Jersey;NM New Mexico;NY New York;NC North Carolina;ND North Dakota;OH Ohio;OK Oklahoma;OR Oregon;PA Pennsylvania;RI Rhode Island;SC South Carolina;SD South Dakota;TN Tennessee;TX Texas;UT Utah;VT Vermont;VA Virginia;WA Washington;WV West Virginia;WI Wisconsin;WY Wyoming
`

var geography = sync.OnceValue(func() (g struct {
	groupings []Grouping
	of        map[string]string
	states    map[string][]State
},
) {
	g.of, g.states = map[string]string{}, map[string][]State{}
	for line := range strings.Lines(strings.TrimSpace(groupings)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		g.groupings = append(g.groupings, Grouping{f[0], f[1], strings.Fields(f[2])})
		for _, c := range strings.Fields(f[2]) {
			g.of[c] = f[0]
		}
	}
	for line := range strings.Lines(strings.TrimSpace(states)) {
		country, list, _ := strings.Cut(strings.TrimSpace(line), "|")
		for s := range strings.SplitSeq(list, ";") {
			code, name, _ := strings.Cut(s, " ")
			g.states[country] = append(g.states[country], State{code, name})
		}
	}
	return g
})

// Groupings returns Traffic Manager's regional groupings.
func Groupings() []Grouping { return slices.Clone(geography().groupings) }

// GroupingOf returns the code of a country's grouping, as GEO-EU of DE; empty if the
// country is not known.
func GroupingOf(country string) string { return geography().of[country] }

// StatesOf returns the states of a country that Traffic Manager tells apart, nil of
// most countries.
func StatesOf(country string) []State { return geography().states[country] }
