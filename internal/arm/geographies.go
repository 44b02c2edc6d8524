package arm

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// typeGeography is of the tree of regions that endpoints of geographic profiles
// name.
const typeGeography = "Microsoft.Network/trafficManagerGeographicHierarchies"

// geographies answers with that tree ("Geographic Hierarchies - Get Default"). There
// is one, for everybody.
func (c *call) geographies(name string) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	if !strings.EqualFold(name, "default") {
		return fault(http.StatusNotFound, "NotFound", "There is no geographic hierarchy %q; there is default.", name)
	}
	region := func(code, name string, regions ...any) any {
		return map[string]any{"code": code, "name": name, "regions": append([]any{}, regions...)}
	}
	english := display.English.Regions()
	var groupings []any
	for _, g := range catalog.Groupings() {
		var countries []any
		for _, code := range slices.Sorted(slices.Values(g.Countries)) {
			var states []any
			for _, s := range catalog.StatesOf(code) {
				states = append(states, region(code+"-"+s.Code, s.Name))
			}
			countries = append(countries, region(code, english.Name(language.MustParseRegion(code)), states...))
		}
		groupings = append(groupings, region(g.Code, g.Name, countries...))
	}
	writeJSON(c.w, http.StatusOK, map[string]any{
		"id": "/providers/" + typeGeography + "/default", "name": "default", "type": typeGeography,
		"properties": map[string]any{"geographicHierarchy": region("WORLD", "World", groupings...)},
	})
	return nil
}
