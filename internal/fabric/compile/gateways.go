package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Resource types of hybrid networks.
const (
	typeGateway       = "Microsoft.Network/virtualNetworkGateways"
	typeLocalGateway  = "Microsoft.Network/localNetworkGateways"
	typeConnection    = "Microsoft.Network/connections"
	typeCircuit       = "Microsoft.Network/expressRouteCircuits"
	typeVirtualHub    = "Microsoft.Network/virtualHubs"
	typeHubIP         = "Microsoft.Network/virtualHubs/ipConfigurations"
	typeBGPConnection = "Microsoft.Network/virtualHubs/bgpConnections"
)

// tagRoutes begins the names of tags that list prefixes which no property of
// the API holds: what is learned over an ExpressRoute circuit, what an
// appliance announces to a Route Server.
const tagRoutes = "cerulean-routes"

// gateway is a VPN or ExpressRoute gateway.
type gateway struct {
	*item[wire.Gateway]
	vnet    *vnet
	subnet  *subnet
	vpn     bool
	port    *port
	tunnels []tunnel
	routes  []learnedRoute // where it sends what it learned
}

// tunnel is a connection of a gateway that is up: to a site or another gateway.
type tunnel struct {
	site     *site
	far      *gateway
	prefixes []netip.Prefix // that lie behind it
	bgp      bool
	origin   fabric.Origin
}

// site is an on-premises network.
type site struct {
	name     string
	origin   fabric.Origin
	prefixes []netip.Prefix
	port     *port
	subnet   *subnet // of a space of its own
	gateways []*gateway
	routes   []learnedRoute // what its gateways announce
}

// routeServer is a Route Server: it forwards nothing, it tells its network what
// appliances announce.
type routeServer struct {
	*item[wire.VirtualHub]
	vnet     *vnet
	announce []announcement
}

// announcement is prefixes that an appliance announces to a Route Server.
type announcement struct {
	port     *port
	prefixes []netip.Prefix
	origin   fabric.Origin
}

// hybrid finds gateways, sites, connections and Route Servers. What they lack
// is noted, and their networks may then learn anything.
func (c *compiler) hybrid() {
	byKey := map[string]*gateway{}
	for _, it := range c.docs.gateways.list {
		g := &gateway{item: it, vpn: !strings.EqualFold(it.view.Properties.GatewayType, "ExpressRoute")}
		for i := range it.view.Properties.IPConfigurations {
			at := fmt.Sprintf("/properties/ipConfigurations/%d", i)
			if s, ok := c.subnetOf(it.res, at, &it.view.Properties.IPConfigurations[i]); ok && g.subnet == nil {
				g.subnet, g.vnet = s, s.vnet
				if s.reserved == nil || s.reserved.Name != "GatewaySubnet" {
					c.problem(it.res, at+"/properties/subnet", fmt.Sprintf("gateway %q is in subnet %q", it.res.ID.Name(), s.name), "put it into a subnet named GatewaySubnet")
				}
			}
		}
		if g.vnet == nil {
			c.note(it.res, "", "", "the gateway's subnet is not among the resources; what passes it is unknown")
			continue
		}
		if other := c.gatewayOf(g.vnet, g.vpn); other != nil {
			c.problem(it.res, "", fmt.Sprintf("virtual network %q has gateway %q of this type already", g.vnet.res.ID.Name(), other.res.ID.Name()), "remove one")
			continue
		}
		byKey[it.key] = g
		c.gateways = append(c.gateways, g)
		c.clients(g)
	}
	for _, it := range c.docs.connections.list {
		c.connection(it, byKey)
	}
	c.routeServers()
}

func (c *compiler) gatewayOf(v *vnet, vpn bool) *gateway {
	for _, g := range c.gateways {
		if g.vnet == v && g.vpn == vpn {
			return g
		}
	}
	return nil
}

// connection adds one connection to its gateway.
func (c *compiler) connection(it *item[wire.Connection], byKey map[string]*gateway) {
	p := &it.view.Properties
	if p.Gateway == nil {
		c.problem(it.res, "/properties/virtualNetworkGateway1", fmt.Sprintf("connection %q has no gateway", it.res.ID.Name()), "name a virtual network gateway")
		return
	}
	g, ok := byKey[strings.ToLower(p.Gateway.ID)]
	if !ok {
		if _, declared := c.docs.gateways.get(p.Gateway.ID); !declared {
			c.note(it.res, "/properties/virtualNetworkGateway1", "", "the connection's gateway is not among the resources; nothing of it is modelled")
		}
		return
	}
	l := tunnel{bgp: p.EnableBGP, origin: origin(it.res, "", it.res.ID.Name())}
	switch strings.ToLower(p.ConnectionType) {
	case "ipsec":
		local, found := (*item[wire.LocalGateway])(nil), false
		if p.LocalGateway != nil {
			local, found = c.docs.localGateways.get(p.LocalGateway.ID)
		}
		if !found {
			c.anything(g, it.res, "/properties/localNetworkGateway2", "the site's local network gateway is not among the resources")
			return
		}
		l.prefixes = c.prefixes(local.res, "/properties/localNetworkAddressSpace/addressPrefixes", local.view.Properties.AddressSpace.AddressPrefixes)
		l.site = c.siteOf(local.res, l.prefixes)
	case "expressroute":
		from := it.res
		texts := tagged(it.view.Tags)
		if p.Peer != nil && len(texts) == 0 {
			if circuit, ok := c.docs.circuits.get(p.Peer.ID); ok {
				from, texts = circuit.res, tagged(circuit.view.Tags)
			}
		}
		if len(texts) == 0 {
			c.anything(g, it.res, "", "the prefixes learned over the circuit are not known: list them in its tag "+tagRoutes)
			return
		}
		l.bgp = true
		l.prefixes = c.prefixes(from, "/tags", texts)
		l.site = c.siteOf(from, l.prefixes)
	case "vnet2vnet":
		far, ok := (*gateway)(nil), false
		if p.FarGateway != nil {
			far, ok = byKey[strings.ToLower(p.FarGateway.ID)]
		}
		switch {
		case !ok:
			c.anything(g, it.res, "/properties/virtualNetworkGateway2", "the other gateway is not among the resources")
			return
		case !c.connectedBack(far, g):
			c.note(it.res, "", "", "the other gateway has no connection back: this one is not up")
			return
		}
		l.far, l.prefixes = far, far.vnet.prefixes
	default:
		c.anything(g, it.res, "/properties/connectionType", fmt.Sprintf("connections of type %q are not modelled", p.ConnectionType))
		return
	}
	if l.site != nil && !slices.Contains(l.site.gateways, g) {
		l.site.gateways = append(l.site.gateways, g)
	}
	g.tunnels = append(g.tunnels, l)
}

// anything notes why a gateway's network may learn any prefix.
func (c *compiler) anything(g *gateway, r *model.Resource, pointer, why string) {
	c.note(r, pointer, "", why+"; what its gateway learns is unknown")
	c.claims.gateways[g.vnet] = &item[struct{}]{res: r, key: r.ID.Key()}
}

// connectedBack reports whether one gateway has a connection to another:
// connections between virtual networks need one each way ("VNet-to-VNet VPN
// gateway connection").
func (c *compiler) connectedBack(from, to *gateway) bool {
	return slices.ContainsFunc(c.docs.connections.list, func(it *item[wire.Connection]) bool {
		p := &it.view.Properties
		return p.Gateway != nil && p.FarGateway != nil && strings.EqualFold(p.Gateway.ID, from.res.ID.String()) && strings.EqualFold(p.FarGateway.ID, to.res.ID.String())
	})
}

// clients makes a site of the point-to-site clients of a VPN gateway.
func (c *compiler) clients(g *gateway) {
	client := g.view.Properties.VPNClient
	if client == nil || len(client.AddressPool.AddressPrefixes) == 0 {
		return
	}
	const at = "/properties/vpnClientConfiguration/vpnClientAddressPool/addressPrefixes"
	prefixes := c.prefixes(g.res, at, client.AddressPool.AddressPrefixes)
	s := c.siteOf(g.res, prefixes)
	s.gateways = append(s.gateways, g)
	g.tunnels = append(g.tunnels, tunnel{site: s, prefixes: prefixes, origin: origin(g.res, at, "point-to-site clients")})
}

// siteOf returns the on-premises network of a local network gateway or circuit.
// Those of one name with the same prefixes are one network, reached from
// several regions or in several ways.
func (c *compiler) siteOf(r *model.Resource, prefixes []netip.Prefix) *site {
	name := r.ID.Name()
	if r.ID.Is(typeGateway) {
		name += " clients"
	}
	for _, s := range c.sites {
		if strings.EqualFold(s.name, name) && slices.Equal(s.prefixes, prefixes) {
			return s
		}
	}
	s := &site{name: name, origin: origin(r, "", ""), prefixes: prefixes}
	c.sites = append(c.sites, s)
	return s
}

// tagged returns the prefixes that tags list, in order of the tags' names.
func tagged(tags map[string]string) []string {
	var names []string
	for name := range tags {
		if lower := strings.ToLower(name); lower == tagRoutes || strings.HasPrefix(lower, tagRoutes+"-") {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	var out []string
	for _, name := range names {
		for _, text := range strings.Split(tags[name], ",") {
			if text = strings.TrimSpace(text); text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// inWAN reports whether a virtual hub is one of a virtual WAN, which is not
// modelled, rather than a Route Server.
func inWAN(it *item[wire.VirtualHub]) bool {
	return !strings.EqualFold(it.view.Kind, "RouteServer") && it.view.Properties.VirtualWAN != nil
}

// routeServers finds the Route Servers.
func (c *compiler) routeServers() {
	for _, it := range c.docs.hubs.list {
		if inWAN(it) {
			continue
		}
		s := &routeServer{item: it}
		for _, config := range c.docs.hubConfigs.list {
			if config.res.ID.Parent().Key() != it.key {
				continue
			}
			view := wire.IPConfiguration{Properties: config.view.Properties}
			if sub, ok := c.subnetOf(config.res, "", &view); ok {
				s.vnet = sub.vnet
				if sub.reserved == nil || sub.reserved.Name != "RouteServerSubnet" {
					c.problem(config.res, "/properties/subnet", fmt.Sprintf("Route Server %q is in subnet %q", it.res.ID.Name(), sub.name), "put it into a subnet named RouteServerSubnet")
				}
			}
		}
		if s.vnet == nil {
			c.note(it.res, "", "", "the Route Server has no subnet; it does nothing")
			continue
		}
		c.servers = append(c.servers, s)
	}
}

// reservedASN reports whether Azure keeps an autonomous system number for
// itself, or IANA for documentation and the like ("Azure Route Server FAQ").
func reservedASN(n int) bool {
	switch {
	case n == 8074, n == 8075, n == 12076, n == 65515, n >= 65517 && n <= 65520:
		return true
	case n == 23456, n >= 64496 && n <= 64511, n >= 65535 && n <= 65551, n < 1:
		return true
	}
	return false
}

// peers finds the appliances that announce prefixes to Route Servers: the
// interface that has the peer's address says in its tags which.
func (c *compiler) peers() {
	byKey := map[string]*routeServer{}
	for _, s := range c.servers {
		byKey[s.key] = s
	}
	for _, it := range c.docs.bgpConnections.list {
		s, ok := byKey[it.res.ID.Parent().Key()]
		if !ok {
			continue
		}
		p := &it.view.Properties
		a, err := netip.ParseAddr(p.PeerIP)
		if err != nil {
			c.problem(it.res, "/properties/peerIp", fmt.Sprintf("peer address %q is not an address", p.PeerIP), "give the appliance's private address")
			continue
		}
		if reservedASN(p.PeerASN) {
			c.problem(it.res, "/properties/peerAsn", fmt.Sprintf("a Route Server takes no peer with autonomous system number %d", p.PeerASN), "use a private number such as 65010; 65515 and 65517 to 65520 are Azure's")
			continue
		}
		q := c.portAt(s.vnet, a)
		if q == nil || q.nic == nil {
			c.note(it.res, "/properties/peerIp", "", fmt.Sprintf("no interface has the peer's address %s; it announces nothing", a))
			continue
		}
		texts := tagged(q.nic.view.Tags)
		if len(texts) == 0 {
			c.note(it.res, "", "", fmt.Sprintf("what %s announces is not known: list it in the tag %s of its interface", c.img.Ports[q.id].Name, tagRoutes))
			for _, v := range c.vnets {
				if v == s.vnet || v.remote == s.vnet {
					v.gateway = it.res
				}
			}
			continue
		}
		s.announce = append(s.announce, announcement{
			port: q, prefixes: c.prefixes(q.nic.res, "/tags", texts), origin: origin(it.res, "", it.res.ID.Name()),
		})
	}
}

// portAt returns the port with an address in a network or one it reaches
// directly.
func (c *compiler) portAt(v *vnet, a netip.Addr) *port {
	in := func(v *vnet) *port {
		for _, s := range v.subnets {
			if id, ok := s.used[a]; ok {
				return c.ports[id]
			}
		}
		return nil
	}
	if holds(v.prefixes, a) {
		return in(v)
	}
	for i := range v.reach {
		if r := &v.reach[i]; r.to != nil && !r.unknown && holds(r.prefixes, a) {
			return in(r.to)
		}
	}
	return nil
}

// gatewayPorts makes the ports of gateways: they forward, keep no sessions and
// ask no rules (neither security groups nor admin rules apply to a
// GatewaySubnet).
func (c *compiler) gatewayPorts(dynamic *[]pending) {
	for _, g := range c.gateways {
		g.port = c.newPort(g.subnet, fabric.PortForwarder, g.res.ID.Name(), origin(g.res, "", ""))
		g.port.gateway = g
		for i := range g.view.Properties.IPConfigurations {
			config := &g.view.Properties.IPConfigurations[i]
			if config.Properties.Subnet != nil {
				c.address(g.res, g.port, config, fmt.Sprintf("/properties/ipConfigurations/%d", i), dynamic)
			}
		}
	}
}

// sitePorts makes a space with one port for each site.
func (c *compiler) sitePorts() {
	for _, s := range c.sites {
		space, segment := fabric.SpaceID(len(c.img.Spaces)), fabric.SegmentID(len(c.img.Segments))
		c.img.Spaces = append(c.img.Spaces, fabric.Space{Name: s.name, Origin: s.origin, Region: fabric.None})
		c.img.Segments = append(c.img.Segments, fabric.Segment{Name: s.name, Origin: s.origin, Space: space, Prefixes: s.prefixes})
		s.subnet = &subnet{vnet: &vnet{space: space}, segment: segment, name: s.name, view: &wire.Subnet{}, used: map[netip.Addr]fabric.PortID{}}
		s.port = c.newPort(s.subnet, fabric.PortSite, s.name, s.origin)
		s.port.site = s
		// A learned default route leads everything there that nobody else has.
		c.img.Ports[s.port.id].Addrs = c.sets.id(fabric.PrefixSet(s.prefixes...).Subtract(fabric.AddrSet(catalog.PlatformAddresses()...)))
	}
}

// gatewayPublics takes the public addresses of a gateway: tunnels end there,
// and nothing behind it is reached by them.
func (c *compiler) gatewayPublics(g *gateway, use useFunc) {
	for i := range g.view.Properties.IPConfigurations {
		at := fmt.Sprintf("/properties/ipConfigurations/%d/properties/publicIPAddress", i)
		if public, ok := c.publicOf(g.res, at, g.view.Properties.IPConfigurations[i].Properties.PublicIPAddress); ok {
			use(public, fabric.None, netip.Addr{}, g.res, at)
		}
	}
}
