package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// tableKey is what an effective route table depends on; subnets with the same
// key share a table.
type tableKey struct {
	vnet     *vnet
	table    *item[wire.RouteTable]
	routing  *avnm.RoutingList
	services *subnet // if routes to services lead from it alone
	chained  bool    // behind a load balancer that is not modelled
}

type userKey struct {
	table   *item[wire.RouteTable]
	routing *avnm.RoutingList
}

// The ranks of routes with the same prefix: the lowest is used ("Virtual
// network traffic routing", how Azure selects a route: user, then gateway, then
// system). Among user routes an explicit prefix beats a regional service tag,
// which beats a global one, AzureCloud last. Service endpoints come before user
// routes ("Virtual network service endpoints": their routes override any BGP or
// user routes for the address prefix match). A peering before a connected group
// is unconfirmed.
const (
	rankService = iota
	rankUser
	rankUserRegionalTag
	rankUserTag
	rankUserRegionalCloud
	rankUserCloud
	rankEndpoint
	rankVNet
	rankPeering
	rankConnected
	rankGateway
	rankSystem
)

type ranked struct {
	route fabric.Route
	rank  int
}

// routes builds the effective route table of every port. A port's table is
// that of its subnet, except behind a load balancer.
func (c *compiler) routes() {
	c.tables = map[tableKey]fabric.TableID{}
	c.users = map[userKey]*userRoutes{}
	c.hops = map[hopKey]fabric.Hop{}
	c.childRoutes = map[string][]*item[wire.Route]{}
	for _, it := range c.docs.routes.list {
		parent := it.res.ID.Parent().Key()
		c.childRoutes[parent] = append(c.childRoutes[parent], it)
	}
	for _, t := range c.docs.routeTables.list {
		c.userRoutes(userKey{table: t}) // report what is wrong even if nothing uses it
	}
	for _, p := range c.ports {
		c.img.Ports[p.id].Routes = c.portTable(p)
	}
}

func (c *compiler) table(s *subnet, chained bool) fabric.TableID {
	key := tableKey{vnet: s.vnet, table: s.table, routing: s.routing, chained: chained}
	if len(s.view.Properties.ServiceEndpoints) > 0 || c.nearStorage(s) {
		key.services = s
	}
	id, ok := c.tables[key]
	if !ok {
		id = fabric.TableID(len(c.img.Tables))
		c.tables[key] = id
		c.img.Tables = append(c.img.Tables, c.effective(s, chained))
	}
	return id
}

// effective merges system, peering, gateway and user routes of a subnet.
func (c *compiler) effective(s *subnet, chained bool) fabric.Table {
	return c.effectiveWith(s, chained, fabric.None, s.vnet.learned)
}

// effectiveWith is effective for one port, or None for any, with other learned
// routes than the network's.
func (c *compiler) effectiveWith(s *subnet, chained bool, self fabric.PortID, learned []learnedRoute) fabric.Table {
	v := s.vnet
	t := fabric.Table{Name: v.res.ID.Name() + " system routes", Origin: v.origin}
	switch {
	case s.table != nil:
		t.Name, t.Origin = s.table.res.ID.Name(), origin(s.table.res, "", "")
	case s.routing != nil:
		t.Name = v.res.ID.Name() + " routes of the network manager"
	}
	users := c.userRoutes(userKey{s.table, s.routing})
	all := make([]ranked, 0, 8+len(v.prefixes)+len(v.reach)+len(users.routes))
	all = c.systemRoutes(all, v, users)
	all = c.reachRoutes(all, v)
	all = c.privateRoutes(all, v, users)
	all = c.serviceRoutes(all, s)
	all = c.nearRoutes(all, s, users)
	if !users.noBGP {
		all = c.gatewayRoutes(all, self, learned, users)
	}
	for i := range users.routes {
		u := &users.routes[i]
		all = append(all, ranked{fabric.Route{
			Prefix: u.prefix, Hop: c.userHop(v, u), Source: sourceUser, Kind: u.kind, Origin: u.origin,
		}, u.rank})
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(
			cmp.Compare(b.route.Prefix.Bits(), a.route.Prefix.Bits()),
			a.route.Prefix.Addr().Compare(b.route.Prefix.Addr()),
			cmp.Compare(a.rank, b.rank))
	})
	t.Routes = make([]fabric.Route, len(all))
	for i := range all {
		r := all[i].route
		r.Inactive = r.Inactive || i > 0 && all[i-1].route.Prefix == r.Prefix
		if chained && r.Hop.Kind == fabric.HopInternet {
			r.Hop = fabric.Hop{Kind: fabric.HopUnknown}
		}
		t.Routes[i] = r
	}
	return t
}

// systemRoutes are the routes every subnet has: its network's prefixes, the
// internet, and the private ranges that are dropped. The enclosing private
// range stays listed, as answers of the service show; it is replaced by a prefix
// equal to it. A user route for 0.0.0.0/0 takes all of them away ("Virtual
// network traffic routing", routing example, Subnet1): that is why one default
// route to a firewall also carries traffic between spokes.
func (c *compiler) systemRoutes(all []ranked, v *vnet, users *userRoutes) []ranked {
	v6 := false
	for _, p := range v.prefixes {
		v6 = v6 || p.Addr().Is6()
		all = append(all, ranked{fabric.Route{
			Prefix: p, Hop: fabric.Hop{Kind: fabric.HopSpace, Space: v.space}, Source: sourceDefault, Kind: routeVnetLocal, Origin: v.origin,
		}, rankVNet})
	}
	internet := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	if v6 && ipv6DefaultRoute {
		internet = append(internet, netip.MustParsePrefix("::/0"))
	}
	for _, p := range internet {
		all = append(all, ranked{fabric.Route{
			Prefix: p, Hop: fabric.Hop{Kind: fabric.HopInternet}, Source: sourceDefault, Kind: routeInternet, Origin: v.origin,
		}, rankSystem})
	}
	overridden := slices.ContainsFunc(users.routes, func(u userRoute) bool { return u.prefix == internet[0] })
	for _, p := range catalog.ReservedRoutes() {
		if slices.Contains(v.prefixes, p) {
			continue
		}
		if !overridden {
			all = append(all, ranked{fabric.Route{
				Prefix: p, Hop: fabric.Hop{Kind: fabric.HopDrop}, Source: sourceDefault, Kind: routeNone, Origin: v.origin,
			}, rankSystem})
		}
		if v.gateway != nil && !users.noBGP {
			// What the gateway learns is not modelled; it may be any private range.
			all = append(all, ranked{fabric.Route{
				Prefix: p, Hop: fabric.Hop{Kind: fabric.HopUnknown}, Source: sourceGateway, Kind: routeGateway, Origin: origin(v.gateway, "", ""),
			}, rankGateway})
		}
	}
	return all
}

// reachRoutes are the routes of peerings and connected groups, one per remote
// prefix.
func (c *compiler) reachRoutes(all []ranked, v *vnet) []ranked {
	for i := range v.reach {
		r := &v.reach[i]
		rank := rankPeering
		if r.kind == routeConnectedGroup {
			rank = rankConnected
		}
		hop := fabric.Hop{Kind: fabric.HopUnknown}
		if !r.unknown {
			hop = fabric.Hop{Kind: fabric.HopSpace, Space: r.to.space}
		}
		for _, p := range r.prefixes {
			all = append(all, ranked{fabric.Route{Prefix: p, Hop: hop, Source: sourceDefault, Kind: r.kind, Origin: r.origin}, rank})
		}
	}
	return all
}

type hopKey struct {
	vnet *vnet
	addr netip.Addr
}

// userHop resolves the next hop of a user route as seen from a network.
func (c *compiler) userHop(v *vnet, u *userRoute) fabric.Hop {
	switch u.kind {
	case routeVnetLocal:
		return fabric.Hop{Kind: fabric.HopSpace, Space: v.space}
	case routeInternet:
		return fabric.Hop{Kind: fabric.HopInternet}
	case routeGateway:
		hub := v
		if v.remote != nil && !c.branches(v) {
			hub = v.remote
		}
		switch vpn, express := c.gatewayOf(hub, true), c.gatewayOf(hub, false); {
		case v.gateway != nil:
			return fabric.Hop{Kind: fabric.HopUnknown}
		case vpn != nil && express == nil:
			return fabric.Hop{Kind: fabric.HopPort, Port: vpn.port.id, Via: c.firstAddr(vpn.port.id)}
		default:
			// No gateway, or an ExpressRoute gateway: such a route leads nowhere
			// ("Virtual network traffic routing": VPN gateways only).
			if express != nil {
				c.noteAt(u.origin, "routes to a gateway need a VPN gateway and no ExpressRoute gateway beside it: this one leads nowhere")
			}
			return fabric.Hop{Kind: fabric.HopDrop}
		}
	case routeAppliance:
		key := hopKey{v, u.via}
		hop, ok := c.hops[key]
		if !ok {
			hop = c.appliance(v, u.via)
			c.hops[key] = hop
		}
		return hop
	default:
		return fabric.Hop{Kind: fabric.HopDrop}
	}
}

// appliance finds the port that has a next-hop address: in the network itself
// or in one it reaches directly ("Virtual network traffic routing", virtual
// appliance: the address must be directly reachable).
func (c *compiler) appliance(v *vnet, via netip.Addr) fabric.Hop {
	missing := fabric.Hop{Kind: fabric.HopMissing, Via: via}
	space := v
	if !holds(v.prefixes, via) {
		i := slices.IndexFunc(v.reach, func(r reach) bool { return holds(r.prefixes, via) })
		switch {
		case i < 0:
			return missing
		case v.reach[i].unknown:
			return fabric.Hop{Kind: fabric.HopUnknown, Via: via}
		}
		space = v.reach[i].to
	}
	id, ok := c.img.Spaces[space.space].PortOf(via)
	switch {
	case !ok || c.img.Ports[id].Kind == fabric.PortVacant:
		return missing
	case c.ports[id].opaque != nil:
		o := c.ports[id].opaque
		c.note(o.item.res, "", via.String(), fmt.Sprintf("a route's next hop %s belongs to it and is not modelled; where such packets go is unknown", via))
		return fabric.Hop{Kind: fabric.HopUnknown, Via: via}
	default:
		return fabric.Hop{Kind: fabric.HopPort, Port: id, Via: via}
	}
}

func holds(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// userRoute is one line of a route table or one routing rule, for one prefix.
type userRoute struct {
	prefix netip.Prefix
	kind   string // canonical next-hop type
	via    netip.Addr
	rank   int
	origin fabric.Origin
	// overrides means that it beats longer learned routes (hasBgpOverride).
	overrides bool
}

// userRoutes are the user routes of a subnet.
type userRoutes struct {
	routes []userRoute
	set    fabric.SetID // their prefixes
	noBGP  bool         // gateway routes are not propagated
}

// userRoutes joins a route table and the network managers' rules. A rule whose
// destination the table already has is ignored ("User-defined routes
// management in Azure Virtual Network Manager").
func (c *compiler) userRoutes(key userKey) *userRoutes {
	if u, ok := c.users[key]; ok {
		return u
	}
	u := &userRoutes{}
	c.users[key] = u
	seen := map[string]string{}
	if t := key.table; t != nil {
		u.noBGP = t.view.Properties.DisableBGPRoutePropagation
		for i := range t.view.Properties.Routes {
			r := &t.view.Properties.Routes[i]
			c.userRoute(u, seen, t.res, fmt.Sprintf("/properties/routes/%d", i), r.Name, r.Properties)
		}
		for _, it := range c.childRoutes[t.key] {
			if !slices.ContainsFunc(t.view.Properties.Routes, func(r wire.Route) bool { return strings.EqualFold(r.Name, it.res.ID.Name()) }) {
				c.userRoute(u, seen, it.res, "", it.res.ID.Name(), it.view.Properties)
			}
		}
	}
	if key.routing != nil {
		for i := range key.routing.Rules {
			r := &key.routing.Rules[i]
			u.noBGP = u.noBGP || r.DisableBGPRoutePropagation
			p := &r.Properties
			if _, ok := seen[strings.ToLower(p.Destination.DestinationAddress)]; ok {
				continue
			}
			kind := p.NextHop.NextHopType
			if strings.EqualFold(kind, "NoNextHop") {
				kind = routeNone
			}
			c.userRoute(u, seen, r.Source.Resource, r.Source.Pointer, r.Source.Resource.ID.Name(), wire.RouteProperties{
				AddressPrefix: p.Destination.DestinationAddress, NextHopType: kind, NextHopIPAddress: p.NextHop.NextHopAddress,
			})
		}
	}
	var prefixes []netip.Prefix
	for i := range u.routes {
		prefixes = append(prefixes, u.routes[i].prefix)
	}
	u.set = c.sets.id(fabric.PrefixSet(prefixes...))
	return u
}

func (c *compiler) userRoute(u *userRoutes, seen map[string]string, r *model.Resource, pointer, name string, p wire.RouteProperties) {
	dst := strings.ToLower(p.AddressPrefix)
	if other, ok := seen[dst]; ok {
		c.problem(r, pointer, fmt.Sprintf("routes %q and %q have the same prefix %s", other, name, p.AddressPrefix), "remove one")
		return
	}
	seen[dst] = name
	route := userRoute{origin: origin(r, pointer, name), overrides: p.HasBGPOverride}
	at := pointer + "/properties/nextHopType"
	i := slices.IndexFunc([]string{routeAppliance, routeGateway, routeVnetLocal, routeInternet, routeNone}, func(k string) bool {
		return strings.EqualFold(k, p.NextHopType)
	})
	if i < 0 {
		c.problem(r, at, fmt.Sprintf("next hop type %q of route %q is not known", p.NextHopType, name), "use VirtualAppliance, VirtualNetworkGateway, VnetLocal, Internet or None")
		return
	}
	route.kind = []string{routeAppliance, routeGateway, routeVnetLocal, routeInternet, routeNone}[i]
	via, err := netip.ParseAddr(p.NextHopIPAddress)
	switch {
	case route.kind != routeAppliance && p.NextHopIPAddress != "":
		c.problem(r, pointer+"/properties/nextHopIpAddress", fmt.Sprintf("route %q has a next-hop address with type %s", name, route.kind), "remove the address or use VirtualAppliance")
		return
	case route.kind == routeAppliance && err != nil:
		c.problem(r, pointer+"/properties/nextHopIpAddress", fmt.Sprintf("next-hop address %q of route %q is not an address", p.NextHopIPAddress, name), "give the appliance's private address")
		return
	}
	route.via = via
	if dst, err := netip.ParsePrefix(p.AddressPrefix); err == nil && route.kind == routeAppliance && dst.Addr().Is4() != via.Is4() {
		c.problem(r, pointer+"/properties/nextHopIpAddress", fmt.Sprintf("route %q leads from %s to %s, of the other family", name, dst, via), "give an address of the prefix's family")
		return
	}
	for _, prefix := range c.destinations(r, pointer, name, p.AddressPrefix, &route.rank) {
		route.prefix = prefix
		u.routes = append(u.routes, route)
	}
}

// destinations reads the destination of a user route: a prefix or a service
// tag.
func (c *compiler) destinations(r *model.Resource, pointer, name, text string, rank *int) []netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p != p.Masked() {
			c.problem(r, pointer+"/properties/addressPrefix", fmt.Sprintf("prefix %s of route %q has bits set beyond its length", text, name), fmt.Sprintf("write %s", p.Masked()))
			return nil
		}
		return []netip.Prefix{p}
	}
	prefixes, ok := catalog.ServiceTag(text)
	if !ok {
		c.problem(r, pointer+"/properties/addressPrefix", fmt.Sprintf("%q of route %q is neither a prefix nor a service tag", text, name), "write a prefix like 10.0.0.0/8 or a published tag")
		return nil
	}
	cloud := strings.HasPrefix(strings.ToLower(text), "azurecloud")
	regional := strings.Contains(text, ".")
	switch {
	case cloud && regional:
		*rank = rankUserRegionalCloud
	case cloud:
		*rank = rankUserCloud
	case regional:
		*rank = rankUserRegionalTag
	default:
		*rank = rankUserTag
	}
	for i := range prefixes {
		prefixes[i] = prefixes[i].Masked()
	}
	return prefixes
}
