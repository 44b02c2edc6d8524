package compile

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Interface returns the port of a network interface, or of a firewall, by its
// resource ID in any case.
func Interface(img *fabric.Image, id string) (fabric.PortID, bool) {
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Kind != fabric.PortVacant && strings.EqualFold(p.Origin.Resource, id) {
			return fabric.PortID(i), true
		}
	}
	return fabric.None, false
}

// EffectiveRoutes returns the effective route table of an interface: what
// POST .../networkInterfaces/N/effectiveRouteTable lists. It reports false if
// the image has no such interface.
func EffectiveRoutes(img *fabric.Image, id string) (*fabric.Table, bool) {
	port, ok := Interface(img, id)
	if !ok {
		return nil, false
	}
	return &img.Tables[img.Ports[port].Routes], true
}

// EffectiveRules returns the filters of an interface in the order they are met,
// default rules included: what POST .../networkInterfaces/N/
// effectiveNetworkSecurityGroups lists, and the security admin rules before
// them. It reports false if the image has no such interface.
func EffectiveRules(img *fabric.Image, id string) (outbound, inbound []*fabric.Filter, ok bool) {
	port, ok := Interface(img, id)
	if !ok {
		return nil, nil, false
	}
	for _, f := range img.Ports[port].Egress {
		outbound = append(outbound, &img.Filters[f])
	}
	for _, f := range img.Ports[port].Ingress {
		inbound = append(inbound, &img.Filters[f])
	}
	return outbound, inbound, true
}
