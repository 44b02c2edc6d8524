package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// effectiveRoute is EffectiveRoute of the API; the name of a system route is null.
type effectiveRoute struct {
	Name       *string  `json:"name"`
	NoGateway  bool     `json:"disableBgpRoutePropagation"`
	Source     string   `json:"source"`
	State      string   `json:"state"`
	Prefixes   []string `json:"addressPrefix"`
	HopAddress []string `json:"nextHopIpAddress"`
	HopType    string   `json:"nextHopType"`
}

// effectiveRoutes answers effectiveRouteTable of a network interface.
func effectiveRoutes(v *state.View, img *fabric.Image, nic *model.Resource) (any, *Fault) {
	for i := range img.Ports {
		p := &img.Ports[i]
		if !strings.EqualFold(p.Origin.Resource, nic.ID.String()) || p.Routes == fabric.None {
			continue
		}
		t := &img.Tables[p.Routes]
		noGateway := false
		if id, err := model.ParseID(t.Origin.Resource); err == nil {
			if e, ok := v.Get(id); ok && id.Is(model.TypeRouteTable) {
				noGateway, _ = e.Resource.Properties()["disableBgpRoutePropagation"].(bool)
			}
		}
		list := make([]effectiveRoute, 0, len(t.Routes))
		for _, r := range t.Routes {
			e := effectiveRoute{NoGateway: noGateway, Source: r.Source, State: "Active", HopType: r.Kind, Prefixes: []string{r.Prefix.String()}, HopAddress: []string{}}
			if r.Inactive {
				e.State = "Invalid"
			}
			if r.Source == "User" {
				name := r.Origin.Name
				e.Name = &name
			}
			if r.Kind == "VirtualAppliance" && r.Hop.Via.IsValid() {
				e.HopAddress = append(e.HopAddress, r.Hop.Via.String())
			}
			list = append(list, e)
		}
		return map[string]any{"value": list}, nil
	}
	return nil, fault(http.StatusConflict, "NetworkNotCompiled", "The network interface %s has no port in the compiled network.", nic.ID)
}
