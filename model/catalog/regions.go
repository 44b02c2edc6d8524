package catalog

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// RegionsSource says where the list of regions comes from.
const RegionsSource = "Azure locations list (az account list-locations), 2026-08"

// RegionInfo is what Azure publishes about a region.
type RegionInfo struct {
	Name                string // normalised, for example "westeurope"
	DisplayName         string // "West Europe"
	Geography           string // "Europe"
	GeographyGroup      string // "Europe"
	PhysicalLocation    string // "Netherlands"; empty for canary regions
	Latitude, Longitude float64
	Zones               int    // availability zones: 0 when the region has none
	Paired              string // name of the paired region; not always mutual, often empty
	Recommended         bool   // the portal's category "Recommended"
}

//go:embed data/regions.csv
var regionsCSV string

type regionTable struct {
	list   []RegionInfo
	byName map[string]int // normalised name and normalised display name
}

var regionData = sync.OnceValue(func() regionTable {
	rows, err := csv.NewReader(strings.NewReader(regionsCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("catalog: regions.csv: %v", err))
	}
	t := regionTable{byName: map[string]int{}}
	for _, row := range rows[1:] {
		t.byName[row[0]] = len(t.list)
		t.byName[normalize(row[1])] = len(t.list)
		t.list = append(t.list, RegionInfo{
			Name: row[0], DisplayName: row[1], Geography: row[2], GeographyGroup: row[3],
			PhysicalLocation: row[4], Latitude: number(row[5]), Longitude: number(row[6]),
			Zones: int(number(row[7])), Paired: row[8], Recommended: row[9] == "Recommended",
		})
	}
	return t
})

// Region returns a region by its name or display name; case and spaces do not
// matter.
func Region(name string) (RegionInfo, bool) {
	t := regionData()
	i, ok := t.byName[normalize(name)]
	if !ok {
		return RegionInfo{}, false
	}
	return t.list[i], true
}

// Regions returns every region, sorted by name.
func Regions() []RegionInfo { return slices.Clone(regionData().list) }

func normalize(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

// number reads a number of the embedded tables, which the tests cover.
func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("catalog: %q is not a number", s))
	}
	return v
}
