package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// routing is one entry of the document's routing section, its groups resolved.
type routing struct {
	name   Text
	groups []*group
	routes []routeRule
	pos    model.Pos
}

// routeRule is one DESTINATION -> NEXT HOP of a routing entry.
type routeRule struct{ to, via, text Text }

// regionRoute is a route of a firewall's own subnet to another region.
type regionRoute struct {
	region string
	pos    model.Pos
}

// otherRegions are the words for every region but the one of the member.
const otherRegions = "other regions"

// planRouting reads the routing section. Routes between the firewalls of the
// regions go into route tables on the firewalls' own subnets, which a network
// manager does not route; every other route is the network manager's.
func (b *builder) planRouting() {
	for i, r := range b.doc.Routing {
		plan := routing{name: r.Name.Or(fmt.Sprintf("routes-%d", i+1), r.Pos), pos: r.Pos}
		b.checkName(plan.name, "a rule collection")
		if len(r.For) == 0 {
			b.problem(r.Pos, "add for: [GROUP]", "routing %s is for nothing", plan.name.Value)
		}
		if len(r.Route) == 0 {
			b.problem(r.Pos, "add route: PREFIX -> NEXT HOP", "routing %s has no route", plan.name.Value)
		}
		plan.groups = b.groupsNamed(r.For, "routing "+plan.name.Value)
		for _, t := range r.Route {
			to, via, ok := strings.Cut(t.Value, "->")
			to, via = strings.Join(strings.Fields(to), " "), strings.TrimSpace(via)
			switch {
			case !ok || to == "" || via == "":
				b.problem(t.Pos, "write PREFIX -> NEXT HOP, for example 0.0.0.0/0 -> firewall", "%q is not a route", t.Value)
			case strings.EqualFold(to, otherRegions):
				b.planRegionRoutes(plan.groups, t, via)
			default:
				plan.routes = append(plan.routes, routeRule{Text{to, t.Pos}, Text{via, t.Pos}, t})
			}
		}
		if len(plan.routes) > 0 {
			for _, g := range plan.groups {
				for _, region := range b.partRegions(g) {
					b.inRegion(g, region)
				}
			}
			b.routings = append(b.routings, plan)
		}
	}
}

func (b *builder) planRegionRoutes(groups []*group, t Text, via string) {
	if !strings.EqualFold(via, "firewall") {
		b.problem(t.Pos, "write other regions -> firewall", "other regions are reached through their firewalls, not through %q", via)
		return
	}
	for _, g := range groups {
		for _, v := range g.members {
			f := v.firewall
			if f == nil {
				b.problem(t.Pos, "add firewall: {policy: NAME} to it", "%s, a member of %s, has no firewall", v.name, g.name)
				continue
			}
			if len(b.firewallRoutes[f]) > 0 {
				b.problem(t.Pos, "keep one", "the firewall of %s is routed to other regions twice", v.name)
				continue
			}
			for _, region := range b.regions {
				if region != v.region && len(b.regionPrefixes(region)) > 0 {
					b.firewallRoutes[f] = append(b.firewallRoutes[f], regionRoute{region, t.Pos})
				}
			}
		}
	}
}

func (b *builder) firewallTable(f *firewall) model.ID {
	return b.groupOf(f.vnet.region).Resource(model.TypeRouteTable, f.name+"-routes")
}

// emitFirewallTable makes the route table of a firewall's own subnet. Azure
// requires such a table to keep the internet as the default route.
func (b *builder) emitFirewallTable(f *firewall) {
	routes := b.firewallRoutes[f]
	view := wire.RouteTable{Head: wire.Head{Location: f.vnet.region}}
	at := map[string]model.Pos{"/properties/routes/0": routes[0].pos}
	view.Properties.Routes = []wire.Route{{Name: "internet", Properties: wire.RouteProperties{AddressPrefix: "0.0.0.0/0", NextHopType: "Internet"}}}
	for _, r := range routes {
		peer, c := b.regionFirewall(r.region)
		if c != nil {
			b.problem(r.pos, c.fix, "%s", c.what)
			continue
		}
		for i, p := range b.regionPrefixes(r.region) {
			name := "to-" + r.region
			if i > 0 {
				name += "-" + strconv.Itoa(i+1)
			}
			at["/properties/routes/"+strconv.Itoa(len(view.Properties.Routes))] = r.pos
			view.Properties.Routes = append(view.Properties.Routes, wire.Route{Name: name, Properties: wire.RouteProperties{
				AddressPrefix: p.String(), NextHopType: "VirtualAppliance", NextHopIPAddress: peer.addr.String(),
			}})
		}
	}
	b.emit(b.firewallTable(f), view, routes[0].pos, at)
}

// routingConfig is the name of the routing configuration.
const routingConfig = "routing"

// emitRouting makes the routing configuration: a rule collection per entry and
// region, since the next hop differs between regions.
func (b *builder) emitRouting(commits *commits) {
	if len(b.routings) == 0 {
		return
	}
	id := b.managerID().Child("routingConfigurations", routingConfig)
	b.emit(id, wire.RoutingConfig{Properties: wire.RoutingConfigProperties{RouteTableUsageMode: "ManagedOnly"}}, b.routings[0].pos, nil)
	for _, r := range b.routings {
		for _, region := range b.regions {
			view := wire.RoutingRuleCollection{Properties: wire.RoutingRuleCollectionProperties{DisableBGPRoutePropagation: "False"}}
			members := false
			for _, g := range r.groups {
				if part := b.groupName[strings.ToLower(g.name+"-"+region)]; part != nil {
					view.Properties.AppliesTo = append(view.Properties.AppliesTo, wire.GroupItem{NetworkGroupID: part.id.String()})
					members = members || len(part.members) > 0
				}
			}
			if len(view.Properties.AppliesTo) == 0 {
				continue
			}
			collection := id.Child("ruleCollections", r.name.Value+"-"+region)
			rules := 0
			for i, route := range r.routes {
				rules += b.emitRoutingRules(collection, route, i, region, members)
			}
			if rules == 0 {
				continue
			}
			b.emit(collection, view, r.pos, nil)
			commits.add("Routing", region, id, r.pos)
		}
	}
}

// emitRoutingRules makes the rules of one route in one region and returns how
// many there are. A region without members needs no next hop.
func (b *builder) emitRoutingRules(collection model.ID, route routeRule, i int, region string, members bool) int {
	hopType, hop, c := b.nextHop(route.via.Value, region)
	if c != nil {
		if members {
			b.problem(route.text.Pos, c.fix, "%s", c.what)
		}
		return 0
	}
	if hopType == "None" {
		hopType = "NoNextHop"
	}
	to, c := b.side(route.to.Value)
	if c == nil && to.any {
		c = complain("write 0.0.0.0/0", "\"any\" is not a destination of a route")
	}
	if c != nil {
		b.problem(route.text.Pos, c.fix, "%s", c.what)
		return 0
	}
	kind := "AddressPrefix"
	if to.tag != "" {
		kind = "ServiceTag"
	}
	for j, dst := range to.strings() {
		if c := sameFamily(dst, hop); c != nil {
			b.problem(route.text.Pos, c.fix, "%s", c.what)
			continue
		}
		name := fmt.Sprintf("route-%d", i+1)
		if j > 0 {
			name += "-" + strconv.Itoa(j+1)
		}
		b.emit(collection.Child("rules", name), wire.RoutingRule{Properties: wire.RoutingRuleProperties{
			Destination: wire.RoutingDestination{Type: kind, DestinationAddress: dst},
			NextHop:     wire.RoutingNextHop{NextHopType: hopType, NextHopAddress: hop},
		}}, route.text.Pos, nil)
	}
	return len(to.strings())
}

// link says that virtual networks reach each other's addresses.
type link struct {
	vnets []*vnet
	pos   model.Pos
}

// emitPeerings makes both halves of every declared peering.
func (b *builder) emitPeerings() {
	for _, p := range b.doc.Peerings {
		if !p.Each.IsSet() {
			b.emitPeering(p)
			continue
		}
		if p.Each.Value != "region" {
			b.problem(p.Each.Pos, "write each: region", "cannot repeat for each %q", p.Each.Value)
			continue
		}
		for _, region := range b.regions {
			b.emitPeering(substitute(b, p, map[string]string{"region": region}))
		}
	}
}

func (b *builder) emitPeering(p Peering) {
	if len(p.Between) != 2 {
		b.problem(p.Pos, "write between: [A, B]", "a peering is between two, not %d", len(p.Between))
		return
	}
	left, okL := b.vnetsNamed(p.Between[0])
	right, okR := b.vnetsNamed(p.Between[1])
	if !okL || !okR {
		return
	}
	for _, l := range left {
		for _, r := range right {
			if l == r {
				if len(left) == 1 && len(right) == 1 {
					b.problem(p.Pos, "name two virtual networks", "%s cannot be peered with itself", l.name)
				}
				continue
			}
			left, right := b.transit(p, l, r)
			b.peer(l, r, p, left)
			b.peer(r, l, p, right)
			b.connected = append(b.connected, link{[]*vnet{l, r}, p.Pos})
		}
	}
}

// transit returns what each half of a peering says of gateways: the one allows
// its own to be used, the other uses it.
func (b *builder) transit(p Peering, l, r *vnet) (left, right gatewayFlags) {
	t := p.GatewayTransit
	if !t.IsSet() {
		return left, right
	}
	owner, user := l, r
	switch {
	case strings.EqualFold(t.Value, p.Between[0].Value):
		left.allow, right.use = true, true
	case strings.EqualFold(t.Value, p.Between[1].Value):
		left.use, right.allow = true, true
		owner, user = r, l
	default:
		b.problem(t.Pos, fmt.Sprintf("write %s or %s", p.Between[0].Value, p.Between[1].Value), "%q is not one of the two that are peered", t.Value)
		return left, right
	}
	if !b.hasGateway(owner) {
		b.problem(t.Pos, "declare one under gateways or route-servers", "%s has no gateway for %s to use", owner.name, user.name)
	}
	if b.hasGateway(user) && !user.raw {
		b.problem(t.Pos, "remove its gateway", "%s has a gateway of its own and cannot use that of %s", user.name, owner.name)
	}
	return left, right
}

// gatewayFlags are allowGatewayTransit and useRemoteGateways.
type gatewayFlags struct{ allow, use bool }

// hasGateway reports whether a virtual network has a gateway or Route Server. Of
// one in its Resource Manager shape that is not known here.
func (b *builder) hasGateway(v *vnet) bool {
	if v.raw || slices.ContainsFunc(b.gateways, func(g *gateway) bool { return g.vnet == v }) ||
		slices.ContainsFunc(b.routeServers, func(r *routeServer) bool { return r.vnet == v }) {
		return true
	}
	return slices.ContainsFunc(b.raw, func(r *model.Resource) bool {
		return r.ID.Is(typeGateway) || r.ID.Is(typeVirtualHub+"/ipConfigurations")
	})
}

func (b *builder) peer(from, to *vnet, p Peering, flags gatewayFlags) {
	access, forwarded := p.AllowVirtualNetworkAccess.Or(true), p.AllowForwardedTraffic.Or(true)
	id := from.id.Child("virtualNetworkPeerings", "to-"+to.name)
	if b.byKey[id.Key()] != nil {
		return // two groups may name the same pair twice
	}
	view := struct {
		Properties wire.PeeringProperties `json:"properties"`
	}{wire.PeeringProperties{
		RemoteVirtualNetwork: wire.Ref{ID: to.id.String()}, AllowVirtualNetworkAccess: &access, AllowForwardedTraffic: &forwarded,
	}}
	if flags.allow {
		view.Properties.AllowGatewayTransit = &flags.allow
	}
	if flags.use {
		view.Properties.UseRemoteGateways = &flags.use
	}
	b.emit(id, view, p.Pos, nil)
}

// vnetsNamed resolves the name of a virtual network or of a group to its
// members. Words are what else could have been meant.
func (b *builder) vnetsNamed(t Text, words ...string) ([]*vnet, bool) {
	low := strings.ToLower(t.Value)
	v, isVNet := b.vnetNamed[low]
	g, isGroup := b.groupName[low]
	switch {
	case isVNet && isGroup:
		b.problem(t.Pos, "rename one", "%q is both a virtual network and a group", t.Value)
		return nil, false
	case isVNet:
		return []*vnet{v}, true
	case isGroup:
		return g.members, true
	}
	b.problem(t.Pos, suggestion(t.Value, slices.Concat(b.vnetNames(), b.groupNames(), words), "name a virtual network or a group"), "there is no virtual network or group %q", t.Value)
	return nil, false
}

// emitZones makes the private DNS zones with their links and records.
func (b *builder) emitZones() {
	for _, e := range b.doc.DNS {
		zone := strings.TrimSuffix(strings.ToLower(e.Key.Value), ".")
		if !validDomain(zone) {
			b.problem(e.Key.Pos, "write a name such as example.com", "%q is not a domain name", e.Key.Value)
			continue
		}
		id := b.globalGroup().Resource(model.TypePrivateZone, zone)
		b.emit(id, wire.PrivateZone{Head: wire.Head{Location: "global"}}, e.Key.Pos, nil)
		linked := map[*vnet]bool{}
		for _, t := range e.Value.Link {
			vnets, ok := b.vnets, true
			if !strings.EqualFold(t.Value, "all") {
				vnets, ok = b.vnetsNamed(t, "all")
			}
			for _, v := range vnets {
				if ok && !linked[v] {
					linked[v] = true
					view := wire.PrivateZoneLink{Head: wire.Head{Location: "global"}}
					view.Properties.VirtualNetwork.ID = v.id.String()
					b.emit(id.Child("virtualNetworkLinks", v.name), view, t.Pos, nil)
				}
			}
		}
		if len(linked) == 0 {
			b.warn(e.Key.Pos, "add link: all", "zone %s is linked to no virtual network", zone)
		}
		ttl := e.Value.TTL.Or(300)
		if ttl < 1 {
			b.problem(e.Value.TTL.Pos, "write a number of seconds from 1", "%d is not a time to live", ttl)
		}
		b.emitRecords(id, e.Value, ttl)
	}
}

// validDomain reports whether every label is one of a host name (RFC 1123), or
// starts with an underscore as service records do.
func validDomain(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}

func (b *builder) emitRecords(zone model.ID, spec Zone, ttl int) {
	for _, e := range spec.Records {
		b.eachRegion(e, func(record Entry[Texts]) { b.emitRecord(zone, record, ttl) })
	}
}

// holderNamed finds the host, private endpoint or load balancer with one internal
// frontend of a name, or says which there are.
func (b *builder) holderNamed(name string) (found *holder, known []string) {
	for _, h := range b.hosts {
		if known = append(known, h.name); strings.EqualFold(h.name, name) {
			return &h.holder, nil
		}
	}
	for _, e := range b.endpoints {
		if known = append(known, e.name); strings.EqualFold(e.name, name) {
			return e.holder, nil
		}
	}
	for _, l := range b.balancers {
		if len(l.frontends) == 1 && l.frontends[0].holder != nil {
			if known = append(known, l.name); strings.EqualFold(l.name, name) {
				return l.frontends[0].holder, nil
			}
		}
	}
	return nil, known
}

func (b *builder) emitRecord(zone model.ID, e Entry[Texts], ttl int) {
	name := strings.ToLower(e.Key.Value)
	if name != "@" && !validDomain(strings.TrimPrefix(name, "*.")) && name != "*" {
		b.problem(e.Key.Pos, "use letters, digits, '-' and '.', or @ for the zone itself", "%q is not a record name", e.Key.Value)
		return
	}
	var v4 []wire.ARecord
	var v6 []wire.AAAARecord
	for _, t := range e.Value {
		a, err := netip.ParseAddr(t.Value)
		if err != nil {
			h, known := b.holderNamed(t.Value)
			if h == nil {
				b.problem(t.Pos, suggestion(t.Value, known, "write an address or the name of a host"), "record %s: there is no host %q", name, t.Value)
				continue
			}
			if a = h.addr; !a.IsValid() {
				continue // reported where the host has no address
			}
		}
		if a.Is4() {
			v4 = append(v4, wire.ARecord{IPv4Address: a.String()})
		} else {
			v6 = append(v6, wire.AAAARecord{IPv6Address: a.String()})
		}
	}
	if len(v4) > 0 {
		b.emit(zone.Child("A", name), wire.RecordSet{Properties: wire.RecordSetProperties{TTL: ttl, ARecords: v4}}, e.Key.Pos, nil)
	}
	if len(v6) > 0 {
		b.emit(zone.Child("AAAA", name), wire.RecordSet{Properties: wire.RecordSetProperties{TTL: ttl, AAAARecords: v6}}, e.Key.Pos, nil)
	}
}
