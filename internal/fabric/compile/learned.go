package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// learnedRoute is a prefix that a virtual network learns from its gateways and
// Route Servers, or from those of a peer it uses.
type learnedRoute struct {
	prefix netip.Prefix
	to     fabric.PortID
	origin fabric.Origin
	// behind are the appliances that announce it. Where one of them sends such
	// packets itself, into a tunnel perhaps, is not known.
	behind []fabric.PortID
}

// offer is one way to a learned prefix.
type offer struct {
	to       *port
	origin   fabric.Origin
	vpn      bool
	announce bool // by an appliance, to a Route Server
}

// learn finds what every virtual network learns. It runs when the ports exist.
func (c *compiler) learn() {
	c.peers()
	for _, g := range c.gateways {
		for i := range g.tunnels {
			if t := &g.tunnels[i]; t.far != nil && t.bgp {
				t.prefixes = c.told(t.far, map[*gateway]bool{g: true})
			}
		}
	}
	for _, v := range c.vnets {
		if !c.branches(v) && v.remote == nil {
			continue
		}
		hub := v
		if !c.branches(v) {
			hub = v.remote
		}
		v.learned = c.joined(hub, c.offers(hub))
	}
	for _, g := range c.gateways {
		g.routes = c.joined(g.vnet, c.beyond(g))
	}
	for _, s := range c.sites {
		s.routes = c.joined(s.gateways[0].vnet, c.advertised(s))
	}
}

// told is what a gateway announces to another over BGP: its network, the peers
// that use it and what it learned from its other connections, default routes
// excepted ("About BGP with Azure VPN Gateway").
func (c *compiler) told(g *gateway, asked map[*gateway]bool) []netip.Prefix {
	asked[g] = true
	out := slices.Clone(g.vnet.prefixes)
	for _, v := range c.vnets {
		if v.remote == g.vnet && !c.branches(v) {
			out = append(out, v.prefixes...)
		}
	}
	for _, t := range g.tunnels {
		switch {
		case !t.bgp || t.far != nil && asked[t.far]:
		case t.far != nil:
			out = append(out, c.told(t.far, asked)...)
		default:
			for _, p := range t.prefixes {
				if p.Bits() > 0 {
					out = append(out, p)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(out)
}

// branches reports whether a network has a gateway or Route Server of its own.
func (c *compiler) branches(v *vnet) bool {
	return slices.ContainsFunc(c.gateways, func(g *gateway) bool { return g.vnet == v }) ||
		slices.ContainsFunc(c.servers, func(s *routeServer) bool { return s.vnet == v })
}

// offers is what the gateways and Route Servers of a network tell its subnets.
func (c *compiler) offers(v *vnet) map[netip.Prefix][]offer {
	out := map[netip.Prefix][]offer{}
	for _, g := range c.gateways {
		if g.vnet != v {
			continue
		}
		for _, l := range g.tunnels {
			for _, p := range l.prefixes {
				out[p] = append(out[p], offer{to: g.port, origin: l.origin, vpn: g.vpn})
			}
		}
	}
	for _, s := range c.servers {
		if s.vnet != v {
			continue
		}
		for _, a := range s.announce {
			for _, p := range a.prefixes {
				out[p] = append(out[p], offer{to: a.port, origin: a.origin, announce: true})
			}
		}
	}
	return out
}

// beyond is where a gateway itself sends what it learned: to sites, to other
// gateways, and, where a Route Server exchanges routes between branches, to
// appliances and the other gateway.
func (c *compiler) beyond(g *gateway) map[netip.Prefix][]offer {
	out := map[netip.Prefix][]offer{}
	for _, l := range g.tunnels {
		to := (*port)(nil)
		if l.site != nil {
			to = l.site.port
		} else {
			to = l.far.port
		}
		for _, p := range l.prefixes {
			out[p] = append(out[p], offer{to: to, origin: l.origin, vpn: g.vpn})
		}
	}
	for _, s := range c.servers {
		if s.vnet != g.vnet || !s.view.Properties.BranchToBranch {
			continue
		}
		for p, list := range c.offers(g.vnet) {
			if _, own := out[p]; own {
				continue
			}
			for _, x := range list {
				if x.to != g.port {
					out[p] = append(out[p], x)
				}
			}
		}
	}
	return out
}

// advertised is what the gateways of a site announce to it: their virtual
// network, the peers that use them, and with BGP what lies behind their other
// connections ("About BGP with Azure VPN Gateway": all but default routes).
func (c *compiler) advertised(s *site) map[netip.Prefix][]offer {
	out := map[netip.Prefix][]offer{}
	add := func(g *gateway, p netip.Prefix, at fabric.Origin) {
		if slices.ContainsFunc(s.prefixes, func(own netip.Prefix) bool { return own == p }) {
			return
		}
		for _, x := range out[p] {
			if x.to == g.port {
				return
			}
		}
		out[p] = append(out[p], offer{to: g.port, origin: at, vpn: g.vpn})
	}
	for _, g := range s.gateways {
		at := origin(g.res, "", "")
		for _, p := range g.vnet.prefixes {
			add(g, p, at)
		}
		for _, v := range c.vnets {
			if v.remote == g.vnet && !c.branches(v) {
				for _, p := range v.prefixes {
					add(g, p, at)
				}
			}
		}
		own := slices.IndexFunc(g.tunnels, func(l tunnel) bool { return l.site == s })
		for _, l := range g.tunnels {
			if l.site == s || !(g.vpn && l.bgp && own >= 0 && g.tunnels[own].bgp) {
				continue
			}
			for _, p := range l.prefixes {
				if p.Bits() > 0 {
					add(g, p, l.origin)
				}
			}
		}
		for _, r := range c.servers {
			if r.vnet != g.vnet || !r.view.Properties.BranchToBranch {
				continue
			}
			for _, a := range r.announce {
				for _, p := range a.prefixes {
					add(g, p, a.origin)
				}
			}
		}
	}
	return out
}

// joined makes one route of the ways to a prefix. ExpressRoute is preferred to
// VPN ("ExpressRoute and VPN coexistence"); of ways that are equal each flow
// takes any, and each direction for itself.
func (c *compiler) joined(v *vnet, ways map[netip.Prefix][]offer) []learnedRoute {
	prefixes := make([]netip.Prefix, 0, len(ways))
	for p := range ways {
		prefixes = append(prefixes, p)
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var out []learnedRoute
	for _, p := range prefixes {
		list := ways[p]
		if slices.ContainsFunc(list, func(x offer) bool { return !x.vpn }) {
			list = slices.DeleteFunc(slices.Clone(list), func(x offer) bool { return x.vpn })
		}
		slices.SortStableFunc(list, func(a, b offer) int { return cmp.Compare(a.to.id, b.to.id) })
		list = slices.CompactFunc(list, func(a, b offer) bool { return a.to == b.to })
		to := list[0].to.id
		if len(list) > 1 {
			to = c.equalCost(v, list)
		}
		l := learnedRoute{prefix: p, to: to, origin: list[0].origin}
		for _, x := range list {
			if x.announce {
				l.behind = append(l.behind, x.to.id)
			}
		}
		out = append(out, l)
	}
	return out
}

// equalCost returns the port that stands for several next hops of one cost.
func (c *compiler) equalCost(v *vnet, list []offer) fabric.PortID {
	var names []string
	r := fabric.Redirect{Name: "equal cost", Apart: true, Origin: list[0].origin}
	for _, x := range list {
		names = append(names, c.img.Ports[x.to.id].Name)
		r.Targets = append(r.Targets, fabric.Target{Port: x.to.id})
	}
	name := strings.Join(names, " or ")
	key := fmt.Sprint(v.space, " ", name)
	if p, ok := c.multipath[key]; ok {
		return p.id
	}
	p := c.newPort(v.subnets[0], fabric.PortBalancer, name, list[0].origin)
	p.paths = true
	c.img.Ports[p.id].Inward = &fabric.Inward{Redirects: []fabric.Redirect{r}}
	c.multipath[key] = p
	return p.id
}

// gatewayRoutes are the routes that a network learned. System routes of virtual
// networks, peers and service endpoints beat them even where they are longer
// ("Virtual network traffic routing"), and so do user routes that say so.
func (c *compiler) gatewayRoutes(all []ranked, self fabric.PortID, learned []learnedRoute, users *userRoutes) []ranked {
	system := len(all)
	for _, l := range learned {
		r := fabric.Route{
			Prefix: l.prefix, Hop: fabric.Hop{Kind: fabric.HopPort, Port: l.to, Via: c.firstAddr(l.to)},
			Source: sourceGateway, Kind: routeGateway, Origin: l.origin,
		}
		if slices.Contains(l.behind, self) {
			r.Hop = fabric.Hop{Kind: fabric.HopUnknown}
		}
		for i := range all[:system] {
			s := &all[i]
			switch s.rank {
			case rankVNet, rankPeering, rankConnected, rankService, rankEndpoint:
				r.Inactive = r.Inactive || within(l.prefix, s.route.Prefix)
			}
		}
		for i := range users.routes {
			u := &users.routes[i]
			r.Inactive = r.Inactive || u.overrides && within(l.prefix, u.prefix)
		}
		all = append(all, ranked{r, rankGateway})
	}
	return all
}

// within reports whether a prefix is a part of, or equal to, another.
func within(p, of netip.Prefix) bool {
	return p.Addr().Is4() == of.Addr().Is4() && p.Bits() >= of.Bits() && of.Contains(p.Addr())
}

// firstAddr is the address of a next hop, for people; invalid if it has none.
func (c *compiler) firstAddr(id fabric.PortID) netip.Addr {
	for _, a := range c.ports[id].addrs {
		if a.addr.IsValid() {
			return a.addr
		}
	}
	return netip.Addr{}
}

// announces reports whether an appliance announces anything to a Route Server.
func (c *compiler) announces(p *port) bool {
	for _, s := range c.servers {
		if slices.ContainsFunc(s.announce, func(a announcement) bool { return a.port == p }) {
			return true
		}
	}
	return false
}

// ownTable is the table of an appliance that announces routes: that of its
// subnet but for these.
func (c *compiler) ownTable(p *port) fabric.TableID {
	t := c.effectiveWith(p.subnet, false, p.id, p.subnet.vnet.learned)
	t.Name = c.img.Ports[p.id].Name
	id := fabric.TableID(len(c.img.Tables))
	c.img.Tables = append(c.img.Tables, t)
	return id
}

// gatewayTable is the table of a gateway: that of its subnet, user routes
// included, with what it learned leading out of Azure.
func (c *compiler) gatewayTable(g *gateway) fabric.TableID {
	s := g.subnet
	t := c.effectiveWith(s, false, g.port.id, g.routes)
	t.Name = g.res.ID.Name()
	id := fabric.TableID(len(c.img.Tables))
	c.img.Tables = append(c.img.Tables, t)
	return id
}

// siteTable is the table of a site: its own addresses and what gateways
// announce to it.
func (c *compiler) siteTable(s *site) fabric.TableID {
	t := fabric.Table{Name: s.name, Origin: s.origin}
	for _, p := range s.prefixes {
		t.Routes = append(t.Routes, fabric.Route{
			Prefix: p, Hop: fabric.Hop{Kind: fabric.HopSpace, Space: s.subnet.vnet.space}, Source: "Site", Kind: "Local", Origin: s.origin,
		})
	}
	for _, l := range s.routes {
		t.Routes = append(t.Routes, fabric.Route{
			Prefix: l.prefix, Hop: fabric.Hop{Kind: fabric.HopPort, Port: l.to, Via: c.firstAddr(l.to)}, Source: "BGP", Kind: routeGateway, Origin: l.origin,
		})
	}
	fabric.SortRoutes(t.Routes)
	id := fabric.TableID(len(c.img.Tables))
	c.img.Tables = append(c.img.Tables, t)
	return id
}
