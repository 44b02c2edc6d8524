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

// vnet is a virtual network: one space of the image.
type vnet struct {
	*item[wire.VirtualNetwork]
	space    fabric.SpaceID
	region   string
	prefixes []netip.Prefix
	subnets  []*subnet
	origin   fabric.Origin

	// connectivity
	reach []reach
	// gateway is what may teach it any prefix: something that is not modelled, its
	// own or a peer's.
	gateway *model.Resource
	remote  *vnet          // the peer whose gateway it uses
	learned []learnedRoute // by gateways and Route Servers

	// filters
	own      fabric.SetID // its prefixes
	tag      fabric.SetID // VirtualNetwork without user routes
	internet fabric.SetID // Internet

	labels []fabric.Label
}

// subnet is one segment of the image.
type subnet struct {
	vnet     *vnet
	segment  fabric.SegmentID
	name     string
	key      string // lower-case ID
	id       string
	res      *model.Resource // that declares it: the virtual network or the subnet
	pointer  string          // within res
	view     *wire.Subnet
	prefixes []netip.Prefix
	reserved *catalog.ReservedSubnetInfo
	delegate string // service it is delegated to, in lower case

	nsg     *nsg
	table   *item[wire.RouteTable]
	nat     *item[wire.NATGateway]
	routing *avnm.RoutingList

	used    map[netip.Addr]fabric.PortID
	noAdmin bool // security admin rules do not apply
	// ofAppGateways means that application gateways are in it, and nothing else.
	ofAppGateways bool
}

// networks makes spaces of virtual networks and segments of their subnets.
func (c *compiler) networks() {
	c.vnetByKey = map[string]*vnet{}
	c.subnetBy = map[string]*subnet{}
	children := map[string][]*item[wire.Subnet]{}
	for _, s := range c.docs.subnets.list {
		parent := s.key[:strings.LastIndex(s.key, "/subnets/")]
		children[parent] = append(children[parent], s)
	}
	c.readNSGs()
	for _, it := range c.docs.vnets.list {
		v := &vnet{
			item: it, space: fabric.SpaceID(len(c.vnets)), region: it.res.Location(),
			origin: origin(it.res, "", ""),
		}
		if _, ok := catalog.Region(v.region); !ok {
			c.problem(it.res, "/location", fmt.Sprintf("%q is not an Azure region", it.view.Location), "use a name from \"az account list-locations\"")
		}
		v.prefixes = c.prefixes(it.res, "/properties/addressSpace/addressPrefixes", it.view.Properties.AddressSpace.AddressPrefixes)
		c.checkVNet(v)
		c.vnets = append(c.vnets, v)
		c.vnetByKey[v.key] = v
		for i := range it.view.Properties.Subnets {
			s := &it.view.Properties.Subnets[i]
			c.addSubnet(v, s, it.res, fmt.Sprintf("/properties/subnets/%d", i), it.res.ID.String()+"/subnets/"+s.Name)
		}
		for _, s := range children[v.key] {
			if _, ok := c.subnetBy[s.key]; !ok {
				s.view.Name = s.res.ID.Name()
				c.addSubnet(v, &s.view, s.res, "", s.res.ID.String())
			}
		}
		c.checkSubnets(v)
		c.img.Spaces = append(c.img.Spaces, fabric.Space{Name: it.res.ID.Name(), Origin: v.origin})
	}
}

func (c *compiler) addSubnet(v *vnet, view *wire.Subnet, r *model.Resource, pointer, id string) {
	s := &subnet{
		vnet: v, segment: fabric.SegmentID(len(c.subnets)), name: view.Name, id: id, key: strings.ToLower(id),
		res: r, pointer: pointer, view: view, used: map[netip.Addr]fabric.PortID{},
	}
	if _, ok := c.subnetBy[s.key]; ok {
		c.problem(r, pointer, fmt.Sprintf("subnet %q is declared twice in virtual network %q", view.Name, v.res.ID.Name()), "rename or remove one")
		return
	}
	p := &view.Properties
	s.prefixes = c.prefixes(r, pointer+"/properties/addressPrefix", p.Prefixes())
	if info, ok := catalog.ReservedSubnet(view.Name); ok {
		s.reserved = &info
		s.noAdmin = !info.AdminRules
	}
	for _, d := range p.Delegations {
		s.delegate = strings.ToLower(d.Properties.ServiceName)
	}
	if s.delegate == "microsoft.network/applicationgateways" {
		s.noAdmin = true
	}
	if ref := p.NetworkSecurityGroup; ref != nil {
		if s.nsg = c.nsgs[strings.ToLower(ref.ID)]; s.nsg == nil {
			c.dangling(r, pointer+"/properties/networkSecurityGroup", "network security group", ref.ID)
		}
	}
	if ref := p.RouteTable; ref != nil {
		var ok bool
		if s.table, ok = c.docs.routeTables.get(ref.ID); !ok {
			c.dangling(r, pointer+"/properties/routeTable", "route table", ref.ID)
		}
	}
	if ref := p.NATGateway; ref != nil {
		var ok bool
		if s.nat, ok = c.docs.natGateways.get(ref.ID); !ok {
			c.dangling(r, pointer+"/properties/natGateway", "NAT gateway", ref.ID)
		}
	}
	c.subnets = append(c.subnets, s)
	c.subnetBy[s.key] = s
	v.subnets = append(v.subnets, s)
	c.img.Segments = append(c.img.Segments, fabric.Segment{
		Name: view.Name, Origin: fabric.Origin{Resource: id, Place: r.PosOf(pointer).String()}, Space: v.space, Prefixes: s.prefixes,
	})
}

func (c *compiler) dangling(r *model.Resource, pointer, kind, id string) {
	c.problem(r, pointer, fmt.Sprintf("%s %q does not exist", kind, id), "declare it or correct the ID")
}

// prefixes parses a list of prefixes in CIDR form.
func (c *compiler) prefixes(r *model.Resource, pointer string, texts []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			c.problem(r, pointer, fmt.Sprintf("%q is not a prefix", text), "write it like 10.0.0.0/16")
		case p != p.Masked():
			c.problem(r, pointer, fmt.Sprintf("prefix %s has bits set beyond its length", text), fmt.Sprintf("write %s", p.Masked()))
		default:
			out = append(out, p)
		}
	}
	return out
}

// checkVNet reports address spaces Azure refuses ("Azure Virtual Network
// frequently asked questions").
func (c *compiler) checkVNet(v *vnet) {
	const at = "/properties/addressSpace/addressPrefixes"
	if len(v.prefixes) == 0 {
		c.problem(v.res, at, fmt.Sprintf("virtual network %q has no address space", v.res.ID.Name()), "give it a prefix")
	}
	for i, p := range v.prefixes {
		for _, f := range catalog.ForbiddenVNetRanges() {
			if p.Overlaps(f) {
				c.problem(v.res, at, fmt.Sprintf("prefix %s overlaps %s, which Azure keeps for itself", p, f), "choose another prefix")
			}
		}
		for _, q := range v.prefixes[:i] {
			if p.Overlaps(q) {
				c.problem(v.res, at, fmt.Sprintf("prefixes %s and %s of one virtual network overlap", q, p), "remove or shrink one")
			}
		}
	}
}

// checkSubnets reports subnets outside their network, too small, or over each
// other (NetcfgSubnetRangeOutsideVnet, NetcfgSubnetRangesOverlap).
func (c *compiler) checkSubnets(v *vnet) {
	type placed struct {
		prefix netip.Prefix
		subnet *subnet
	}
	var all []placed
	for _, s := range v.subnets {
		at := s.pointer + "/properties/addressPrefix"
		if len(s.prefixes) == 0 && len(s.view.Properties.Prefixes()) == 0 {
			c.problem(s.res, s.pointer, fmt.Sprintf("subnet %q has no prefix", s.name), "give it an addressPrefix")
		}
		for _, p := range s.prefixes {
			inside := slices.ContainsFunc(v.prefixes, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
			limit := catalog.MaxSubnetBits
			if s.reserved != nil {
				limit = s.reserved.MaxBits
			}
			switch {
			case !inside:
				c.problem(s.res, at, fmt.Sprintf("subnet %q (%s) is outside the address space of virtual network %q", s.name, p, v.res.ID.Name()), "choose a prefix inside it or widen the network")
			case p.Addr().Is4() && p.Bits() > limit:
				c.problem(s.res, at, fmt.Sprintf("subnet %q (%s) is smaller than /%d", s.name, p, limit), "choose a larger prefix")
			case p.Addr().Is6() && p.Bits() != catalog.IPv6SubnetBits:
				c.problem(s.res, at, fmt.Sprintf("subnet %q (%s): an IPv6 subnet is a /%d", s.name, p, catalog.IPv6SubnetBits), "choose a /64")
			}
			all = append(all, placed{p, s})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	// Prefixes nest or are disjoint: each is compared with the last one that
	// reaches furthest.
	for i, widest := 1, 0; i < len(all); i++ {
		a, b := all[widest], all[i]
		if !a.prefix.Overlaps(b.prefix) {
			widest = i
			continue
		}
		c.problem(b.subnet.res, b.subnet.pointer+"/properties/addressPrefix",
			fmt.Sprintf("subnets %q (%s) and %q (%s) overlap", a.subnet.name, a.prefix, b.subnet.name, b.prefix), "choose another prefix for one of them")
	}
}

// groups expands the network managers.
func (c *compiler) groups() {
	vnets := make([]avnm.VNet, len(c.vnets))
	for i, v := range c.vnets {
		vnets[i] = avnm.VNet{ID: v.res.ID, Region: v.region, Tags: v.view.Tags, Prefixes: v.prefixes}
		for _, s := range v.subnets {
			if id, err := model.ParseID(s.id); err == nil {
				vnets[i].Subnets = append(vnets[i].Subnets, id)
			}
		}
	}
	effect, problems := avnm.Expand(c.docs.managed, vnets)
	c.effect = effect
	c.problems = append(c.problems, problems...)
	c.groupSets = map[string]fabric.SetID{}
	for _, g := range effect.Groups {
		var prefixes []netip.Prefix
		for _, v := range g.VNets {
			prefixes = append(prefixes, c.vnets[v].prefixes...)
		}
		for _, id := range g.Subnets {
			prefixes = append(prefixes, c.subnetBy[id.Key()].prefixes...)
		}
		c.groupSets[g.ID.Key()] = c.sets.id(fabric.PrefixSet(prefixes...))
	}
	for i, v := range c.vnets {
		for _, s := range v.subnets {
			s.routing = effect.Routing[i]
			if list, ok := effect.SubnetRouting[s.key]; ok {
				s.routing = list
			}
			if s.reserved != nil && !s.reserved.RouteTable {
				s.routing = nil
			}
		}
	}
}
