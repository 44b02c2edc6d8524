package diagnose

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// EffectiveRoute is EffectiveRoute of the API, with the properties the service
// shows besides those its SDKs know. The name of a system route is null.
type EffectiveRoute struct {
	Name        *string             `json:"name"`
	NoGateway   bool                `json:"disableBgpRoutePropagation"`
	Override    bool                `json:"hasBgpOverride"`
	Source      string              `json:"source"` // Default, User, VirtualNetworkGateway
	State       string              `json:"state"`  // Active, Invalid
	Prefixes    []string            `json:"addressPrefix"`
	ServiceTags []string            `json:"destinationServiceTags"`
	TagMap      map[string][]string `json:"tagMap"`
	HopAddress  []string            `json:"nextHopIpAddress"`
	HopType     string              `json:"nextHopType"`
	// Origin is where the route came from.
	Origin fabric.Origin `json:"-"`
}

const kindServiceEndpoint = "VirtualNetworkServiceEndpoint"

// EffectiveRoutes answers effectiveRouteTable: the routes of a port in the order
// they are tried. A service endpoint is one route with all its prefixes, and so
// is a user route to a service tag. declared is the document of the subnet's
// route table, or nil.
func EffectiveRoutes(table *fabric.Table, declared *model.Resource) ([]EffectiveRoute, error) {
	var doc wire.RouteTable
	if declared != nil {
		if err := declared.Decode(&doc); err != nil {
			return nil, err
		}
	}
	type group struct {
		origin fabric.Origin
		kind   string
		off    bool
	}
	joined := map[group]int{}
	out := []EffectiveRoute{}
	for _, r := range table.Routes {
		user := r.Source == "User"
		key := group{r.Origin, r.Kind, r.Inactive}
		if i, ok := joined[key]; ok && (user || r.Kind == kindServiceEndpoint) {
			e := &out[i]
			e.Prefixes = append(e.Prefixes, r.Prefix.String())
			for tag := range e.TagMap {
				e.TagMap[tag] = e.Prefixes
			}
			continue
		}
		joined[key] = len(out)
		e := EffectiveRoute{
			NoGateway: doc.Properties.DisableBGPRoutePropagation, Source: r.Source, State: "Active", HopType: r.Kind, Origin: r.Origin,
			Prefixes: []string{r.Prefix.String()}, HopAddress: []string{}, ServiceTags: []string{}, TagMap: map[string][]string{},
		}
		if r.Inactive {
			e.State = "Invalid"
		}
		if r.Hop.Via.IsValid() {
			e.HopAddress = append(e.HopAddress, r.Hop.Via.String())
		}
		if user {
			name := r.Origin.Name
			e.Name = &name
			for i := range doc.Properties.Routes {
				if u := &doc.Properties.Routes[i]; strings.EqualFold(u.Name, name) {
					e.Override = u.Properties.HasBGPOverride
					if tag := u.Properties.AddressPrefix; !strings.Contains(tag, "/") {
						e.ServiceTags = append(e.ServiceTags, tag)
						e.TagMap[tag] = e.Prefixes
					}
				}
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// Hop is NextHopResult of the API.
type Hop struct {
	Type    string `json:"nextHopType"`
	Address string `json:"nextHopIpAddress,omitempty"`
	// Table is the ID of the route table that has the route, or "System Route".
	Table string `json:"routeTableId"`
}

// systemRoute stands for the route table of what no user declared
// (NextHopResult of the API).
const systemRoute = "System Route"

// NextHop answers nextHop: where a port sends packets for an address. Filters
// are no part of the answer.
func NextHop(img *fabric.Image, at fabric.PortID, dst netip.Addr) Hop {
	t := &img.Tables[img.Ports[at].Routes]
	i, ok := t.Lookup(dst)
	if !ok {
		return Hop{Type: "None", Table: systemRoute}
	}
	r := &t.Routes[i]
	h := Hop{Type: r.Kind, Table: systemRoute}
	if r.Hop.Via.IsValid() {
		h.Address = r.Hop.Via.String()
	}
	if r.Source == "User" {
		h.Table = tableOf(r.Origin.Resource)
	}
	return h
}

// tableOf returns the ID of the route table that holds a user route: the origin
// itself, or the parent of a route that is a resource of its own.
func tableOf(origin string) string {
	if id, err := model.ParseID(origin); err == nil && id.Is(model.TypeRoute) {
		return id.Parent().String()
	}
	return origin
}
