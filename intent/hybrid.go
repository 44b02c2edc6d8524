package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Resource types of what connects a network with others.
const (
	typeGateway         = "Microsoft.Network/virtualNetworkGateways"
	typeSite            = "Microsoft.Network/localNetworkGateways"
	typeCircuit         = "Microsoft.Network/expressRouteCircuits"
	typeConnection      = "Microsoft.Network/connections"
	typeVirtualHub      = "Microsoft.Network/virtualHubs" // a Route Server is one of kind RouteServer
	gatewaySubnet       = "GatewaySubnet"
	routeServerSubnet   = "RouteServerSubnet"
	gatewaySubnetBits   = 27 // "About VPN Gateway configuration settings"
	deviceSuffix        = "-device"
	azureASN            = 65515 // "About BGP with Azure VPN Gateway"
	bgpReservedForAzure = "use another number, for example 65010; Azure keeps 65515 and 65517 to 65520"
)

// gateway is one VPN or ExpressRoute gateway.
type gateway struct {
	name   string
	spec   Gateway
	vpn    bool
	vnet   *vnet
	subnet *subnet
	public []netip.Addr // one, or two if both instances are at work
	id     model.ID
}

// site is one on-premises site.
type site struct {
	name     string
	spec     Site
	prefixes []netip.Prefix
	gateways []*gateway
	at       map[string]model.Pos // of its prefixes and gateways, as they are written
	device   netip.Addr           // public address of its VPN device
}

// routeServer is one Route Server.
type routeServer struct {
	name   string
	spec   RouteServer
	vnet   *vnet
	subnet *subnet
	peers  []peer
	public netip.Addr
	id     model.ID
}

// peer is a host that a Route Server learns from, and where that is written.
type peer struct {
	*host
	at model.Pos
}

// ownerName is the name of the i-th public address of a gateway, but for its
// suffix.
func (g *gateway) ownerName(i int) string {
	if i == 0 {
		return g.name
	}
	return fmt.Sprintf("%s-%d", g.name, i+1)
}

func (b *builder) declareGateways() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.Gateways {
		for _, p := range place(b, spec, head{what: "a gateway", each: spec.Each, name: spec.Name, pos: spec.Pos}) {
			if b.claimName(taken, p.spec.Name, "gateway") {
				b.declareGateway(p.spec)
			}
		}
	}
}

func (b *builder) declareGateway(spec Gateway) {
	g := &gateway{name: spec.Name.Value, spec: spec}
	if !spec.Kind.IsSet() {
		b.problem(spec.Name.Pos, "add kind: vpn or expressroute", "gateway %s has no kind", g.name)
		return
	}
	g.vpn = b.oneOf("kind", spec.Kind, "vpn", map[string]string{"vpn": "Vpn", "expressroute": "ExpressRoute"}) == "Vpn"
	var ok bool
	if g.vnet, ok = b.vnetCalled(spec.VNet, "gateway "+g.name, spec.Name.Pos); !ok {
		return
	}
	for _, o := range b.gateways {
		if o.vnet == g.vnet && o.vpn == g.vpn {
			b.problem(spec.VNet.Pos, "keep one", "%s has gateway %s already; Azure allows one of each kind", g.vnet.name, o.name)
			return
		}
	}
	if g.subnet, ok = b.reservedFor(g.vnet, gatewaySubnet, gatewaySubnetBits, spec.Address, placeOr(spec.Address.Pos, spec.Name.Pos)); !ok {
		return
	}
	g.public = make([]netip.Addr, 1)
	if spec.ActiveActive.Or(false) {
		g.public = make([]netip.Addr, 2)
	}
	if !g.vpn {
		for _, pos := range []model.Pos{spec.ActiveActive.Pos, spec.ASN.Pos} {
			if !pos.IsZero() {
				b.problem(pos, "remove it", "ExpressRoute gateway %s takes neither asn nor active-active", g.name)
			}
		}
	}
	g.id = b.groupOf(g.vnet.region).Resource(typeGateway, g.name)
	b.gateways = append(b.gateways, g)
}

func (b *builder) emitGateways() {
	for _, g := range b.gateways {
		region := g.vnet.region
		ips := list{}
		for i, a := range g.public {
			public := b.emitPublicIP(region, g.ownerName(i), "Standard", a, g.spec.PublicIP.Pos, g.spec.Name.Pos)
			ips = append(ips, object{"name": fmt.Sprintf("ipconfig%d", i+1), "properties": object{
				"privateIPAllocationMethod": "Dynamic", "subnet": ref(g.subnet.id), "publicIPAddress": ref(public),
			}})
		}
		sku := g.spec.SKU.Or("ErGw1AZ", g.spec.Name.Pos).Value
		properties := object{"gatewayType": "ExpressRoute", "ipConfigurations": ips}
		if g.vpn {
			sku = g.spec.SKU.Or("VpnGw1AZ", g.spec.Name.Pos).Value
			properties["gatewayType"], properties["vpnType"] = "Vpn", "RouteBased"
			properties["activeActive"] = g.spec.ActiveActive.Or(false)
			properties["enableBgp"] = g.spec.ASN.IsSet()
			properties["bgpSettings"] = object{"asn": g.spec.ASN.Or(azureASN)}
		}
		properties["sku"] = object{"name": sku, "tier": sku}
		b.emit(g.id, object{"location": region, "properties": properties}, g.spec.Name.Pos, nil)
	}
}

func (b *builder) declareRouteServers() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.RouteServers {
		for _, p := range place(b, spec, head{what: "a Route Server", each: spec.Each, name: spec.Name, pos: spec.Pos}) {
			if b.claimName(taken, p.spec.Name, "Route Server") {
				b.declareRouteServer(p.spec)
			}
		}
	}
}

func (b *builder) declareRouteServer(spec RouteServer) {
	r := &routeServer{name: spec.Name.Value, spec: spec}
	var ok bool
	if r.vnet, ok = b.vnetCalled(spec.VNet, "Route Server "+r.name, spec.Name.Pos); !ok {
		return
	}
	for _, o := range b.routeServers {
		if o.vnet == r.vnet {
			b.problem(spec.VNet.Pos, "keep one", "%s has Route Server %s already", r.vnet.name, o.name)
			return
		}
	}
	if r.subnet, ok = b.reservedFor(r.vnet, routeServerSubnet, gatewaySubnetBits, spec.Address, placeOr(spec.Address.Pos, spec.Name.Pos)); !ok {
		return
	}
	for _, t := range spec.Peers {
		h, ok := b.hostCalled(t)
		switch {
		case !ok:
		case slices.ContainsFunc(r.peers, func(p peer) bool { return p.host == h }):
			b.problem(t.Pos, "name it once", "host %s is a peer of %s twice", h.name, r.name)
		case !h.spec.ASN.IsSet():
			b.problem(t.Pos, "add asn: 65010 to the host", "host %s has no autonomous system number to speak BGP with", h.name)
		case h.spec.ASN.Value == azureASN || h.spec.ASN.Value >= 65517 && h.spec.ASN.Value <= 65520:
			b.problem(h.spec.ASN.Pos, bgpReservedForAzure, "host %s cannot have the number %d", h.name, h.spec.ASN.Value)
		default:
			r.peers = append(r.peers, peer{h, t.Pos})
		}
	}
	r.id = b.groupOf(r.vnet.region).Resource(typeVirtualHub, r.name)
	b.routeServers = append(b.routeServers, r)
}

func (b *builder) emitRouteServers() {
	for _, r := range b.routeServers {
		region := r.vnet.region
		public := b.emitPublicIP(region, r.name, "Standard", r.public, r.spec.PublicIP.Pos, r.spec.Name.Pos)
		b.emit(r.id, object{
			"location": region, "kind": "RouteServer",
			"properties": object{"sku": "Standard", "allowBranchToBranchTraffic": r.spec.BranchToBranch.Or(false)},
		}, r.spec.Name.Pos, nil)
		b.emit(r.id.Child("ipConfigurations", "ipconfig1"), object{
			"properties": object{"subnet": ref(r.subnet.id), "publicIPAddress": ref(public)},
		}, r.spec.Name.Pos, nil)
		for _, h := range r.peers {
			properties := object{"peerAsn": h.spec.ASN.Value}
			if h.addr.IsValid() {
				properties["peerIp"] = h.addr.String()
			}
			b.emit(r.id.Child("bgpConnections", h.name), object{"properties": properties}, h.at, nil)
		}
	}
}

func (b *builder) declareSites() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.Sites {
		for _, p := range place(b, spec, head{what: "a site", name: spec.Name, pos: spec.Pos}) {
			if b.claimName(taken, p.spec.Name, "site") {
				b.declareSite(p.spec)
			}
		}
	}
}

func (b *builder) declareSite(spec Site) {
	s := &site{name: spec.Name.Value, spec: spec, at: map[string]model.Pos{}}
	for _, t := range spec.Prefixes {
		p, ok := b.prefix(t)
		if !ok {
			continue
		}
		if slices.Contains(s.prefixes, p) {
			b.problem(t.Pos, "name it once", "site %s has the prefix %s twice", s.name, p)
			continue
		}
		s.prefixes, s.at[p.String()] = append(s.prefixes, p), t.Pos
	}
	if len(spec.Prefixes) == 0 {
		b.problem(spec.Name.Pos, "add prefixes: [192.168.0.0/16]", "site %s has no prefixes", s.name)
	}
	if len(spec.Gateways) == 0 {
		b.problem(spec.Name.Pos, "add gateways: [NAME]", "site %s is connected to no gateway", s.name)
	}
	var names []string
	for _, g := range b.gateways {
		names = append(names, g.name)
	}
	for _, t := range spec.Gateways {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, t.Value) })
		switch {
		case i < 0:
			b.problem(t.Pos, suggestion(t.Value, names, "declare it under gateways"), "there is no gateway %q", t.Value)
		case slices.Contains(s.gateways, b.gateways[i]):
			b.problem(t.Pos, "name it once", "site %s is connected to %s twice", s.name, t.Value)
		default:
			s.gateways, s.at[names[i]] = append(s.gateways, b.gateways[i]), t.Pos
		}
	}
	if spec.ASN.IsSet() != spec.BGPAddress.IsSet() && s.kind(true) {
		b.problem(placeOr(spec.ASN.Pos, spec.BGPAddress.Pos), "add the other", "site %s needs both asn and bgp-address to speak BGP over VPN", s.name)
	}
	if t := spec.BGPAddress; t.IsSet() {
		if _, err := netip.ParseAddr(t.Value); err != nil {
			b.problem(t.Pos, "write an address of the site", "%q is not an address", t.Value)
		}
	}
	b.sites = append(b.sites, s)
}

// kind reports whether the site is connected to a VPN gateway, or to an
// ExpressRoute gateway.
func (s *site) kind(vpn bool) bool {
	return slices.ContainsFunc(s.gateways, func(g *gateway) bool { return g.vpn == vpn })
}

func (b *builder) emitSites() {
	for _, s := range b.sites {
		circuit := model.ID{}
		for _, g := range s.gateways {
			properties := object{"virtualNetworkGateway1": ref(g.id), "routingWeight": b.inRange(s.spec.Weight, 0, 0, 32000, "a weight")}
			if g.vpn {
				properties["connectionType"] = "IPsec"
				properties["localNetworkGateway2"] = ref(b.emitLocalGateway(s, g.vnet.region))
				properties["enableBgp"] = s.spec.ASN.IsSet()
			} else {
				if circuit == (model.ID{}) {
					circuit = b.emitCircuit(s, g.vnet.region)
				}
				properties["connectionType"] = "ExpressRoute"
				properties["peer"] = ref(circuit)
			}
			b.emit(b.groupOf(g.vnet.region).Resource(typeConnection, s.name+"-to-"+g.name), object{
				"location": g.vnet.region, "properties": properties,
			}, s.at[g.name], nil)
		}
	}
	b.checkSites()
}

// emitLocalGateway makes what stands for the site in a region, once.
func (b *builder) emitLocalGateway(s *site, region string) model.ID {
	id := b.groupOf(region).Resource(typeSite, s.name)
	if b.byKey[id.Key()] != nil {
		return id
	}
	properties := object{"localNetworkAddressSpace": object{"addressPrefixes": texts(s.prefixes)}}
	if s.device.IsValid() {
		properties["gatewayIpAddress"] = s.device.String()
	}
	if s.spec.ASN.IsSet() && s.spec.BGPAddress.IsSet() {
		properties["bgpSettings"] = object{"asn": s.spec.ASN.Value, "bgpPeeringAddress": s.spec.BGPAddress.Value}
	}
	b.emit(id, object{"location": region, "properties": properties}, s.spec.Name.Pos, nil)
	return id
}

// emitCircuit makes the site's ExpressRoute circuit. The prefixes that are
// learned over it have no property: a tag carries them.
func (b *builder) emitCircuit(s *site, region string) model.ID {
	id := b.groupOf(region).Resource(typeCircuit, s.name)
	properties := object{"peerings": list{object{"name": "AzurePrivatePeering", "properties": object{
		"peeringType": "AzurePrivatePeering", "peerASN": s.spec.ASN.Or(65010),
	}}}}
	if s.spec.Provider.IsSet() || s.spec.PeeringLocation.IsSet() {
		properties["serviceProviderProperties"] = object{
			"serviceProviderName": s.spec.Provider.Value, "peeringLocation": s.spec.PeeringLocation.Value, "bandwidthInMbps": s.spec.Bandwidth.Or(50),
		}
	}
	tags := object{}
	for k, v := range routeTags(texts(s.prefixes)) {
		tags[k] = v
	}
	b.emit(id, object{
		"location": region, "tags": tags, "properties": properties,
		"sku": object{"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
	}, s.spec.Name.Pos, map[string]model.Pos{"/tags": texts0(s.spec.Prefixes)})
	return id
}

// checkSites warns of prefixes that a gateway does not take: those of its own
// virtual networks ("About BGP with Azure VPN Gateway").
func (b *builder) checkSites() {
	for _, s := range b.sites {
		for _, p := range s.prefixes {
			for _, v := range b.vnets {
				if slices.ContainsFunc(v.prefixes, p.Overlaps) {
					b.warn(s.at[p.String()], "give one of them other addresses", "prefix %s of site %s overlaps virtual network %s", p, s.name, v.name)
				}
			}
		}
	}
}

func texts(ps []netip.Prefix) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}
