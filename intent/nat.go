package intent

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// natGateway is one NAT gateway.
type natGateway struct {
	name, region string
	spec         NATGateway
	public       netip.Addr
	id           model.ID
	vnet         *vnet // of the subnets that name it
}

func (b *builder) declareNATGateways() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.NATGateways {
		for _, p := range place(b, spec, head{"a NAT gateway", spec.Each, spec.Name, spec.Region, spec.Pos}) {
			if !b.regionOf(p.region, p.spec.Name, "NAT gateway") || !b.claimName(taken, p.spec.Name, "NAT gateway") {
				continue
			}
			if ip := p.spec.PublicIP; ip.Pos.IsZero() {
				p.spec.PublicIP = PublicIP{Wanted: true, Pos: p.spec.Name.Pos}
			} else if !ip.Wanted {
				b.problem(ip.Pos, "remove it", "NAT gateway %s needs a public address", p.spec.Name.Value)
			}
			name := p.spec.Name.Value
			b.natGateways = append(b.natGateways, &natGateway{
				name: name, region: p.region, spec: p.spec, id: b.groupOf(p.region).Resource(model.TypeNATGateway, name),
			})
		}
	}
}

// natGatewayOf resolves the NAT gateway that a subnet names. One serves subnets
// of one virtual network ("What is Azure NAT Gateway?").
func (b *builder) natGatewayOf(s *subnet) *wire.Ref {
	t := s.spec.NATGateway
	if !t.IsSet() || t.Value == none {
		return nil
	}
	if r, ok := catalog.ReservedSubnet(s.name); ok && !r.NATGateway {
		b.problem(t.Pos, "remove it", "subnet %s takes no NAT gateway", s.name)
		return nil
	}
	var names []string
	for _, g := range b.natGateways {
		names = append(names, g.name)
		if !strings.EqualFold(g.name, t.Value) {
			continue
		}
		switch {
		case g.region != s.vnet.region:
			b.problem(t.Pos, "name one in "+s.vnet.region, "NAT gateway %s is in %s, subnet %s in %s", g.name, g.region, s.name, s.vnet.region)
			return nil
		case g.vnet != nil && g.vnet != s.vnet:
			b.problem(t.Pos, "declare another for "+s.vnet.name, "NAT gateway %s serves subnets of %s, and only of one virtual network", g.name, g.vnet.name)
			return nil
		}
		g.vnet = s.vnet
		return &wire.Ref{ID: g.id.String()}
	}
	for _, r := range b.raw {
		if r.ID.Is(model.TypeNATGateway) {
			if strings.EqualFold(r.ID.Name(), t.Value) && r.Location() == s.vnet.region {
				return &wire.Ref{ID: r.ID.String()}
			}
			names = append(names, r.ID.Name())
		}
	}
	b.problem(t.Pos, suggestion(t.Value, names, "declare it under nat-gateways, or write none"), "there is no NAT gateway %q", t.Value)
	return nil
}

func (b *builder) emitNATGateways() {
	for _, g := range b.natGateways {
		public := b.emitPublicIP(g.region, g.name, "Standard", g.public, g.spec.PublicIP.Pos, g.spec.Name.Pos)
		doc := object{
			"location": g.region, "sku": object{"name": "Standard"},
			"properties": object{
				"idleTimeoutInMinutes": b.inRange(g.spec.IdleTimeout, idleDefault, idleDefault, idleMaxOutbound, "a number of minutes for a NAT gateway"),
				"publicIpAddresses":    list{ref(public)},
			},
		}
		if g.spec.Zone.IsSet() {
			if info, ok := catalog.Region(g.region); ok && g.spec.Zone.Value > info.Zones {
				b.problem(g.spec.Zone.Pos, "leave zone out", "NAT gateway %s is in zone %d, and %s has %d zones", g.name, g.spec.Zone.Value, info.Name, info.Zones)
			}
			doc["zones"] = list{strconv.Itoa(b.inRange(g.spec.Zone, 1, 1, 3, "a zone"))}
		}
		b.emit(g.id, doc, g.spec.Name.Pos, nil)
		if g.vnet == nil {
			b.warn(g.spec.Name.Pos, "name it in a subnet or remove it", "NAT gateway %s is not used anywhere", g.name)
		}
	}
}
