package avnm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model/wire"
)

// connectivity expands the connectivity configurations in force ("Connectivity
// configuration in Azure Virtual Network Manager").
func (x *expansion) connectivity() {
	peerings := map[[2]int]int{} // from, to: index into the effect's peerings
	meshes := map[string]*mesh{}
	for _, c := range x.inForce {
		if c.kind != kindConnectivity {
			continue
		}
		var view wire.ConnectivityConfig
		if !x.decode(c.config, &view) {
			continue
		}
		switch topology := view.Properties.ConnectivityTopology; {
		case strings.EqualFold(topology, "HubAndSpoke"):
			x.hubAndSpoke(c, &view, peerings, meshes)
		case strings.EqualFold(topology, "Mesh"):
			x.mesh(c, &view, meshes)
		default:
			x.problem(c.config, "/properties/connectivityTopology", fmt.Sprintf("connectivity topology %q is not known", topology), "use Mesh or HubAndSpoke")
		}
	}
	keys := make([]string, 0, len(meshes))
	for k := range meshes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		x.effect.Connected = append(x.effect.Connected, meshes[k].connected(x.vnets))
	}
}

// hubAndSpoke makes the halves of the peerings that belong to virtual networks
// of the commit's region: spokes to hub, and hub to spokes if the hub is here.
func (x *expansion) hubAndSpoke(c committed, view *wire.ConnectivityConfig, peerings map[[2]int]int, meshes map[string]*mesh) {
	p := &view.Properties
	if len(p.Hubs) != 1 {
		x.problem(c.config, "/properties/hubs", fmt.Sprintf("a hub-and-spoke configuration has one hub, found %d", len(p.Hubs)), "name one virtual network")
		return
	}
	hub, ok := x.byID[strings.ToLower(p.Hubs[0].ResourceID)]
	if !ok {
		x.problem(c.config, "/properties/hubs/0", fmt.Sprintf("hub %q does not exist", p.Hubs[0].ResourceID), "declare the virtual network or correct the ID")
		return
	}
	half := func(from, to int, transit, remote bool, at string) {
		if x.vnets[from].Region != c.region {
			return
		}
		key := [2]int{from, to}
		i, ok := peerings[key]
		if !ok {
			i = len(x.effect.Peerings)
			peerings[key] = i
			x.effect.Peerings = append(x.effect.Peerings, Peering{
				From: from, To: to, AllowForwardedTraffic: true, Source: Source{c.config, at},
			})
		}
		x.effect.Peerings[i].AllowGatewayTransit = x.effect.Peerings[i].AllowGatewayTransit || transit
		x.effect.Peerings[i].UseRemoteGateways = x.effect.Peerings[i].UseRemoteGateways || remote
		if isTrue(p.DeleteExistingPeering) {
			x.effect.ReplacesPeerings[from] = true
		}
	}
	for n, item := range p.AppliesToGroups {
		at := fmt.Sprintf("/properties/appliesToGroups/%d", n)
		g, ok := x.group(c.config, at, item.NetworkGroupID)
		if !ok {
			continue
		}
		gateway := isTrue(item.UseHubGateway)
		for _, spoke := range g.sortedVNets() {
			if spoke == hub {
				continue
			}
			half(spoke, hub, false, gateway, at)
			half(hub, spoke, gateway, false, at)
		}
		if strings.EqualFold(item.GroupConnectivity, "DirectlyConnected") {
			// Each group of spokes is a connected group of its own; the hub is
			// not part of it (unconfirmed: a text of 2021 says it is).
			x.join(meshes, c, at, "/"+g.res.ID.Key(), isTrue(item.IsGlobal), g)
		}
	}
}

// mesh joins the virtual networks of all groups into one connected group.
func (x *expansion) mesh(c committed, view *wire.ConnectivityConfig, meshes map[string]*mesh) {
	for n, item := range view.Properties.AppliesToGroups {
		at := fmt.Sprintf("/properties/appliesToGroups/%d", n)
		if g, ok := x.group(c.config, at, item.NetworkGroupID); ok {
			x.join(meshes, c, at, "", isTrue(view.Properties.IsGlobal) || isTrue(item.IsGlobal), g)
		}
	}
}

// mesh is a connected group while its members are collected.
type mesh struct {
	name    string
	source  Source
	members map[int]bool
}

// join adds a group's virtual networks of the commit's region to a connected
// group; a connected group that is not global stays within one region.
func (x *expansion) join(meshes map[string]*mesh, c committed, at, part string, global bool, g *group) {
	key := c.config.ID.Key() + part
	if !global {
		key += " " + c.region
	}
	m, ok := meshes[key]
	if !ok {
		m = &mesh{name: c.config.ID.Name(), source: Source{c.config, at}, members: map[int]bool{}}
		meshes[key] = m
	}
	for v := range g.vnets {
		if x.vnets[v].Region == c.region {
			m.members[v] = true
		}
	}
}

// connected turns the members into a connected group without the prefixes that
// overlap: they are allowed, and traffic to them is dropped.
func (m *mesh) connected(vnets []VNet) ConnectedGroup {
	type owned struct {
		prefix netip.Prefix
		vnet   int
	}
	var all []owned
	for v := range m.members {
		for _, p := range vnets[v].Prefixes {
			all = append(all, owned{p, v})
		}
	}
	slices.SortFunc(all, func(a, b owned) int {
		if c := a.prefix.Addr().Compare(b.prefix.Addr()); c != 0 {
			return c
		}
		if c := a.prefix.Bits() - b.prefix.Bits(); c != 0 {
			return c
		}
		return a.vnet - b.vnet
	})
	// Prefixes nest or are disjoint: in this order the ones around the current
	// prefix are a stack.
	overlaps := make([]bool, len(all))
	var around []int
	for i, o := range all {
		for len(around) > 0 && !all[around[len(around)-1]].prefix.Overlaps(o.prefix) {
			around = around[:len(around)-1]
		}
		for _, j := range around {
			if all[j].vnet != o.vnet {
				overlaps[i], overlaps[j] = true, true
			}
		}
		around = append(around, i)
	}
	prefixes := map[int][]netip.Prefix{}
	for i, o := range all {
		if !overlaps[i] {
			prefixes[o.vnet] = append(prefixes[o.vnet], o.prefix)
		}
	}
	out := ConnectedGroup{Name: m.name, Source: m.source}
	for v := range m.members {
		out.Members = append(out.Members, Member{VNet: v, Prefixes: prefixes[v]})
	}
	slices.SortFunc(out.Members, func(a, b Member) int { return a.VNet - b.VNet })
	return out
}
