package audit

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// image counts what is in force and nobody declared as such: peerings,
// connected groups and routes that network managers make, and what gateways
// announce. Each route table is read once.
func (t *tally) image(img *fabric.Image) {
	g := newMeshes(img)
	peers := make([]map[fabric.SpaceID]bool, len(img.Spaces))
	read := make([]bool, len(img.Tables))
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind == fabric.PortEdge || p.Space == fabric.None || p.Routes == fabric.None || read[p.Routes] {
			continue
		}
		read[p.Routes] = true
		if p.Kind == fabric.PortSite {
			t.advertised(img, p)
			continue
		}
		managed := false
		routes := img.Tables[p.Routes].Routes
		for j := range routes {
			switch r := &routes[j]; {
			case r.Source == sourceUser:
				managed = managed || byManager(r.Origin.Resource)
			case r.Hop.Kind != fabric.HopSpace:
			case r.Kind == "VNetPeering" || r.Kind == "VNetGlobalPeering":
				if peers[p.Space] == nil {
					peers[p.Space] = map[fabric.SpaceID]bool{}
				}
				peers[p.Space][r.Hop.Space] = true
			case r.Kind == "ConnectedGroup":
				g.join(r.Origin, p.Space, r.Hop.Space)
			}
		}
		if managed {
			t.managed(&img.Tables[p.Routes], p.Routes)
		}
	}
	for id, to := range peers {
		if len(to) > 0 {
			t.of("effective-peerings-per-virtual-network", img.Spaces[id].Origin.Resource).more = len(to)
		}
	}
	g.count(t)
	t.served(img)
	t.outboundHosts(img)
}

// sourceUser is the source of user routes, those of network managers included.
const sourceUser = "User"

// byManager reports whether a route is a network manager's.
func byManager(resource string) bool {
	return strings.Contains(strings.ToLower(resource), "/routingconfigurations/")
}

// managed counts the user routes of a table in which a network manager has
// routes. A service tag is one route.
func (t *tally) managed(table *fabric.Table, id fabric.TableID) {
	c := t.holder("routes-per-managed-table", table.Origin.Resource, strconv.Itoa(int(id)), place(t.byID, table.Origin))
	for i := range table.Routes {
		if r := &table.Routes[i]; r.Source == sourceUser {
			c.add(r.Origin.Resource + "#" + r.Origin.Name)
		}
	}
}

// meshes finds which virtual networks are in which connected group, from the
// routes between them: of one configuration there may be one in each region.
type meshes struct {
	img     *fabric.Image
	last    fabric.Origin
	parents []fabric.SpaceID // of the last origin
	all     map[fabric.Origin][]fabric.SpaceID
}

func newMeshes(img *fabric.Image) *meshes {
	return &meshes{img: img, all: map[fabric.Origin][]fabric.SpaceID{}}
}

func (m *meshes) join(at fabric.Origin, a, b fabric.SpaceID) {
	if m.parents == nil || m.last != at {
		m.last, m.parents = at, m.all[at]
		if m.parents == nil {
			m.parents = make([]fabric.SpaceID, len(m.img.Spaces))
			for i := range m.parents {
				m.parents[i] = fabric.SpaceID(i)
			}
			m.all[at] = m.parents
		}
	}
	m.parents[m.root(a)] = m.root(b)
}

func (m *meshes) root(a fabric.SpaceID) fabric.SpaceID {
	for m.parents[a] != a {
		m.parents[a] = m.parents[m.parents[a]]
		a = m.parents[a]
	}
	return a
}

func (m *meshes) count(t *tally) {
	for at, parents := range m.all {
		m.parents = parents
		size := map[fabric.SpaceID]int{}
		for i := range parents {
			size[m.root(fabric.SpaceID(i))]++
		}
		for i := range parents {
			root := m.root(fabric.SpaceID(i))
			if size[root] < 2 {
				continue
			}
			part := at.Place + " " + at.Name + " " + strconv.Itoa(int(root))
			t.holder("virtual-networks-per-connected-group", at.Resource, part, place(t.byID, at)).more = size[root]
			t.of("connected-groups-per-virtual-network", m.img.Spaces[i].Origin.Resource).add(at.Resource + part)
		}
	}
}

// advertised counts the IPv4 prefixes that each ExpressRoute gateway announces
// to a site.
func (t *tally) advertised(img *fabric.Image, site *fabric.Port) {
	announce := map[fabric.PortID]int{}
	routes := img.Tables[site.Routes].Routes
	for i := range routes {
		r := &routes[i]
		if r.Source != "BGP" || r.Hop.Kind != fabric.HopPort || !r.Prefix.Addr().Is4() {
			continue
		}
		to := &img.Ports[r.Hop.Port]
		if to.Inward == nil {
			announce[r.Hop.Port]++
			continue
		}
		for j := range to.Inward.Redirects { // gateways of equal cost
			for _, x := range to.Inward.Redirects[j].Targets {
				announce[x.Port]++
			}
		}
	}
	for id, n := range announce {
		gateway := img.Ports[id].Origin.Resource
		if t.express[strings.ToLower(gateway)] {
			t.holder("prefixes-advertised-per-circuit", site.Origin.Resource, gateway, place(t.byID, site.Origin)).more = n
		}
	}
}

// served counts what each appliance announces to a Route Server: the tags of the
// interface that has the peer's address, in the server's network or one that
// its subnets reach directly.
func (t *tally) served(img *fabric.Image) {
	if len(t.servers) == 0 {
		return
	}
	spaces := map[string]fabric.SpaceID{} // of Route Servers
	byNetwork := map[string]fabric.SpaceID{}
	for i := range img.Spaces {
		byNetwork[strings.ToLower(img.Spaces[i].Origin.Resource)] = fabric.SpaceID(i)
	}
	tables := map[fabric.SpaceID]*fabric.Table{}
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Space != fabric.None && p.Routes != fabric.None && tables[p.Space] == nil {
			tables[p.Space] = &img.Tables[p.Routes]
		}
	}
	for _, r := range t.servers {
		if !r.ID.Is(typeHubIP) {
			continue
		}
		subnet, _ := r.Properties()["subnet"].(map[string]any)
		id, _ := subnet["id"].(string)
		if space, ok := byNetwork[strings.ToLower(networkOf(id))]; ok {
			spaces[r.ID.Parent().Key()] = space
		}
	}
	for _, r := range t.servers {
		space, ok := spaces[r.ID.Parent().Key()]
		if !r.ID.Is(typeBGPConnection) || !ok {
			continue
		}
		text, _ := r.Properties()["peerIp"].(string)
		addr, err := netip.ParseAddr(text)
		if table := tables[space]; err == nil && table != nil {
			if i, ok := table.Lookup(addr); ok && table.Routes[i].Hop.Kind == fabric.HopSpace {
				space = table.Routes[i].Hop.Space
			}
		}
		port, ok := img.Spaces[space].PortOf(addr)
		if !ok || img.Ports[port].Kind != fabric.PortHost {
			continue // the compiler says that it announces nothing
		}
		if nic := t.byID[strings.ToLower(img.Ports[port].Origin.Resource)]; nic != nil {
			t.of("routes-per-route-server-peer", r.ID.String()).more = len(announced(nic.Tags()))
		}
	}
}
