package audit

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Rules of application gateways.
const (
	// RuleGatewayManager is a security group that keeps the platform from the
	// instances of an application gateway.
	RuleGatewayManager = "gateway-manager-blocked"
	// RuleGatewayDefaultRoute is a default route of a subnet with a public
	// application gateway that does not lead to the internet.
	RuleGatewayDefaultRoute = "gateway-default-route"
	// RuleGatewaySubnet is a subnet with fewer addresses than its application
	// gateway may have instances.
	RuleGatewaySubnet = "gateway-subnet-small"
)

// Ports of an application gateway that the platform asks ("Application Gateway
// infrastructure configuration", network security groups).
const (
	managerFirst = 65200
	managerLast  = 65535
)

// AppGateways returns findings about application gateways of version 2: what
// Azure demands of their subnets' security groups and routes, and room for their
// instances.
func AppGateways(resources []*model.Resource, img *fabric.Image) []Finding {
	var findings []Finding
	for _, r := range resources {
		if !r.ID.Is(model.TypeAppGateway) {
			continue
		}
		at, ok := instances(img, r)
		if !ok {
			continue
		}
		tell := func(severity Severity, rule, pointer, what, fix string) {
			findings = append(findings, Finding{Severity: severity, Rule: rule, Resource: r.ID.String(), Pos: r.PosOf(pointer), What: "application gateway " + r.ID.Name() + " " + what, Fix: fix})
		}
		if why, blocked := managed(img, at); blocked {
			tell(Error, RuleGatewayManager, "/properties/gatewayIPConfigurations", fmt.Sprintf("cannot be managed: %s keeps ports %d to %d closed to GatewayManager", why, managerFirst, managerLast),
				fmt.Sprintf("allow GatewayManager -> any tcp/%d-%d inbound, before it", managerFirst, managerLast))
		}
		if route, bad := defaultRoute(img, at); bad && public(img, r) {
			tell(Error, RuleGatewayDefaultRoute, "/properties/gatewayIPConfigurations", fmt.Sprintf("has a public frontend, and route %q takes what its subnet sends to the internet elsewhere", route),
				"remove the route from the table of the subnet, or give 0.0.0.0/0 the next hop Internet")
		}
		var view wire.AppGateway
		if wire.Decode(r.Doc, &view) != nil {
			continue // reported by the compiler
		}
		if most, have := capacity(&view.Properties), addressesOf(img, at); most > have {
			tell(Warning, RuleGatewaySubnet, "/properties/gatewayIPConfigurations", fmt.Sprintf("may have %d instances, and its subnet has addresses for %d", most, have), "enlarge the subnet; Azure recommends a /24")
		}
	}
	sortFindings(findings)
	return findings
}

// instances returns the port of a gateway's instances.
func instances(img *fabric.Image, r *model.Resource) (fabric.PortID, bool) {
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Kind == fabric.PortHost && p.Behind && strings.EqualFold(p.Origin.Resource, r.ID.String()) {
			return fabric.PortID(i), true
		}
	}
	return fabric.None, false
}

// managed reports whether the subnet's security group drops what the platform
// sends to the instances, and what does. What listeners take is no matter here.
func managed(img *fabric.Image, at fabric.PortID) (why string, blocked bool) {
	prefixes, ok := catalog.ServiceTag("GatewayManager")
	own := img.Sets[img.Ports[at].Addrs]
	if !ok || len(own) == 0 {
		return "", false
	}
	for _, id := range img.Ports[at].Ingress {
		f := &img.Filters[id]
		if f.Stage != fabric.StageSegment {
			continue
		}
		for _, prefix := range prefixes {
			if !prefix.Addr().Is4() {
				continue
			}
			for _, port := range []uint16{managerFirst, managerLast} {
				p := fabric.Packet{Src: prefix.Addr(), Dst: own[0].Lo.Addr(), SrcPort: 50000, DstPort: port, Proto: fabric.ProtoTCP}
				action, name := f.Default, f.Name
				for j := range f.Rules {
					if img.Matches(&f.Rules[j], p) {
						action, name = f.Rules[j].Action, f.Name+": "+f.Rules[j].Origin.Name
						break
					}
				}
				if action == fabric.Drop {
					return name, true
				}
			}
		}
	}
	return "", false
}

// defaultRoute reports whether a default route of somebody's leads elsewhere than
// to the internet.
func defaultRoute(img *fabric.Image, at fabric.PortID) (string, bool) {
	table := &img.Tables[img.Ports[at].Routes]
	i, ok := table.Lookup(netip.MustParseAddr("198.41.0.4")) // anybody's on the internet
	if !ok || table.Routes[i].Prefix.Bits() != 0 || table.Routes[i].Hop.Kind == fabric.HopInternet {
		return "", false
	}
	return table.Routes[i].Origin.Name, true
}

// public reports whether a gateway has a public frontend.
func public(img *fabric.Image, r *model.Resource) bool {
	for _, x := range img.Publics {
		if x.Port != fabric.None && img.Ports[x.Port].Kind == fabric.PortBalancer && strings.EqualFold(img.Ports[x.Port].Origin.Resource, r.ID.String()) {
			return true
		}
	}
	return false
}

// capacity is how many instances a gateway says it may have.
func capacity(p *wire.AppGatewayProperties) int {
	switch {
	case p.Autoscale != nil && p.Autoscale.MaxCapacity != nil:
		return *p.Autoscale.MaxCapacity
	case p.SKU != nil:
		return p.SKU.Capacity
	}
	return 0
}

// addressesOf counts a port's addresses.
func addressesOf(img *fabric.Image, at fabric.PortID) int {
	n := 0
	for _, r := range img.Sets[img.Ports[at].Addrs] {
		n += int(r.Hi.Lo-r.Lo.Lo) + 1
	}
	return n
}
