package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// portAddr is one private address of a port.
type portAddr struct {
	addr   netip.Addr
	config *wire.IPConfiguration
	at     string // JSON pointer of the configuration
}

// wall is an Azure Firewall.
type wall struct {
	*item[wire.Firewall]
	port *port
}

// addresses makes the ports: one per interface, firewall, private endpoint,
// load balancer, platform service and thing that is not modelled, and one per
// subnet for the addresses nobody has.
// Addresses that the documents leave to Azure are the lowest free ones from .4
// up, in order of resource ID ("Private IP addresses").
func (c *compiler) addresses() {
	c.nics = map[string]*port{}
	c.asgAddrs = map[string][]fabric.Range{}
	c.configs = map[string]configAddr{}
	vms := map[string]*item[wire.VM]{}
	for _, vm := range c.docs.vms.list {
		for _, ref := range vm.view.Properties.NetworkProfile.NetworkInterfaces {
			vms[strings.ToLower(ref.ID)] = vm
		}
	}
	c.readAppGateways()
	var dynamic []pending
	for _, it := range c.docs.firewalls.list {
		c.firewallPort(it, &dynamic)
	}
	c.readEndpoints()
	for _, it := range c.docs.nics.list {
		if c.endpointNICs[it.key] == nil {
			c.nicPort(it, vms[it.key], &dynamic)
		}
	}
	c.endpointPorts(&dynamic)
	c.loadBalancers(&dynamic)
	c.gatewayPorts(&dynamic)
	c.appGatewayPorts(&dynamic)
	for _, o := range c.claims.opaques {
		c.opaquePort(o, &dynamic)
	}
	for _, d := range dynamic {
		c.allocate(d)
	}
	c.appInstances()
	for _, s := range c.subnets {
		c.vacantPort(s)
	}
	c.platformServices()
	c.sitePorts()
	c.learn()
	c.own()
	c.members()
	c.appMembers()
}

// pending is a configuration that waits for an address.
type pending struct {
	port   *port
	index  int // in port.addrs
	subnet *subnet
	v6     bool
	res    *model.Resource
}

func (c *compiler) newPort(s *subnet, kind fabric.PortKind, name string, at fabric.Origin) *port {
	p := &port{id: fabric.PortID(len(c.ports)), subnet: s}
	c.ports = append(c.ports, p)
	c.img.Ports = append(c.img.Ports, fabric.Port{
		Name: name, Origin: at, Kind: kind, Space: s.vnet.space, Segment: s.segment, Region: fabric.None,
	})
	return p
}

func (c *compiler) firewallPort(it *item[wire.Firewall], dynamic *[]pending) {
	configs := it.view.Properties.IPConfigurations
	const at = "/properties/ipConfigurations"
	if len(configs) == 0 {
		c.note(it.res, "", it.res.ID.Name(), "a firewall without IP configurations (in a virtual hub) is not modelled; what passes it is unknown")
		return
	}
	for i := range configs {
		pointer := fmt.Sprintf("%s/%d", at, i)
		s, ok := c.subnetOf(it.res, pointer, &configs[i])
		if !ok {
			continue // further configurations add public addresses only
		}
		if s.reserved == nil || s.reserved.Name != "AzureFirewallSubnet" {
			c.problem(it.res, pointer+"/properties/subnet", fmt.Sprintf("firewall %q is in subnet %q", it.res.ID.Name(), s.name), "put it into a subnet named AzureFirewallSubnet")
			continue
		}
		p := c.newPort(s, fabric.PortForwarder, it.res.ID.Name(), origin(it.res, "", ""))
		p.wall = &wall{item: it, port: p}
		c.walls = append(c.walls, p.wall)
		c.address(it.res, p, &configs[i], pointer, dynamic)
		return
	}
}

// portName is what people call an interface: the virtual machine behind it,
// with the interface's own name where the machine has several.
func portName(nic *item[wire.NIC], vm *item[wire.VM]) string {
	switch {
	case vm == nil:
		return nic.res.ID.Name()
	case len(vm.view.Properties.NetworkProfile.NetworkInterfaces) > 1:
		return vm.res.ID.Name() + "/" + nic.res.ID.Name()
	default:
		return vm.res.ID.Name()
	}
}

func (c *compiler) nicPort(it *item[wire.NIC], vm *item[wire.VM], dynamic *[]pending) {
	configs := it.view.Properties.IPConfigurations
	var p *port
	for i := range configs {
		pointer := fmt.Sprintf("/properties/ipConfigurations/%d", i)
		s, ok := c.subnetOf(it.res, pointer, &configs[i])
		if !ok {
			switch {
			case configs[i].Properties.Subnet != nil:
			case i > 0 && !isIPv4(configs[i]):
				c.note(it.res, pointer, configs[i].Name, fmt.Sprintf("%q has no address: it is in no subnet", configs[i].Name))
			default:
				c.problem(it.res, pointer, fmt.Sprintf("IP configuration %q has no subnet", configs[i].Name), "give it one")
			}
			continue
		}
		switch {
		case s.reserved != nil:
			c.problem(it.res, pointer+"/properties/subnet", fmt.Sprintf("subnet %q takes no network interfaces", s.name), "use an ordinary subnet")
			continue
		case p == nil:
			p = c.newPort(s, fabric.PortHost, portName(it, vm), origin(it.res, "", ""))
			p.nic, p.vm = it, vm
			c.nics[it.key] = p
			if _, ok := refIn(it.res.Properties(), "privateEndpoint"); ok {
				p.opaque = &opaque{item: &item[struct{}]{res: it.res, key: it.key}, subnet: s}
				c.note(it.res, "", "", "the interface's private endpoint is not among the resources; what passes it is unknown")
			}
		case p.subnet != s:
			c.problem(it.res, pointer+"/properties/subnet", fmt.Sprintf("interface %q has configurations in subnets %q and %q", it.res.ID.Name(), p.subnet.name, s.name), "use one subnet")
			continue
		}
		c.configs[configKey(it.key, configs[i].Name)] = configAddr{p, len(p.addrs)}
		c.address(it.res, p, &configs[i], pointer, dynamic)
		for _, ref := range configs[i].Properties.ApplicationSecurityGroups {
			if key := strings.ToLower(ref.ID); !slices.Contains(p.asgs, key) {
				p.asgs = append(p.asgs, key)
			}
		}
	}
	if p == nil {
		return
	}
	if !slices.ContainsFunc(configs, isIPv4) {
		c.problem(it.res, "/properties/ipConfigurations", fmt.Sprintf("interface %q has no IPv4 configuration", it.res.ID.Name()), "add one; Azure gives no interface IPv6 alone")
	}
	if ref := it.view.Properties.NetworkSecurityGroup; ref != nil {
		if p.nsg = c.nsgs[strings.ToLower(ref.ID)]; p.nsg == nil {
			c.dangling(it.res, "/properties/networkSecurityGroup", "network security group", ref.ID)
		}
	}
}

// isIPv4 reports whether a configuration has, or will get, an IPv4 address.
func isIPv4(config wire.IPConfiguration) bool {
	if a, err := netip.ParseAddr(config.Properties.PrivateIPAddress); err == nil {
		return a.Is4()
	}
	return !strings.EqualFold(config.Properties.PrivateIPAddressVersion, "IPv6")
}

func (c *compiler) opaquePort(o *opaque, dynamic *[]pending) {
	s := o.subnet
	if o.addr.IsValid() {
		if _, taken := s.used[o.addr]; taken {
			return // an interface of the same thing is declared
		}
	}
	p := c.newPort(s, fabric.PortHost, o.item.res.ID.Name(), origin(o.item.res, "", ""))
	p.opaque = o
	config := &wire.IPConfiguration{}
	if o.addr.IsValid() {
		config.Properties.PrivateIPAddress = o.addr.String()
	}
	c.address(o.item.res, p, config, "", dynamic)
}

// subnetOf returns the subnet of an IP configuration. A missing reference is
// left to the caller, a dangling one is reported.
func (c *compiler) subnetOf(r *model.Resource, pointer string, config *wire.IPConfiguration) (*subnet, bool) {
	ref := config.Properties.Subnet
	if ref == nil {
		return nil, false
	}
	s, ok := c.subnetBy[strings.ToLower(ref.ID)]
	if !ok {
		c.dangling(r, pointer+"/properties/subnet", "subnet", ref.ID)
	}
	return s, ok
}

// address gives a port the address of a configuration, or a place to be filled
// once all given addresses are known.
func (c *compiler) address(r *model.Resource, p *port, config *wire.IPConfiguration, pointer string, dynamic *[]pending) {
	c.addressIn(p.subnet, r, p, config, pointer, dynamic)
}

// addressIn is address for a port that has addresses in several subnets of one
// network.
func (c *compiler) addressIn(s *subnet, r *model.Resource, p *port, config *wire.IPConfiguration, pointer string, dynamic *[]pending) {
	if s.vnet != p.subnet.vnet {
		c.problem(r, pointer+"/properties/subnet", fmt.Sprintf("%q is in virtual networks %q and %q", r.ID.Name(), p.subnet.vnet.res.ID.Name(), s.vnet.res.ID.Name()), "use one virtual network")
	}
	text := config.Properties.PrivateIPAddress
	v6 := strings.EqualFold(config.Properties.PrivateIPAddressVersion, "IPv6")
	if text == "" && v6 && !slices.ContainsFunc(s.prefixes, func(q netip.Prefix) bool { return q.Addr().Is6() }) {
		c.note(r, pointer, config.Name, fmt.Sprintf("%q has no address: subnet %q has no IPv6 prefix", config.Name, s.name))
		return
	}
	p.addrs = append(p.addrs, portAddr{config: config, at: pointer})
	if text == "" {
		*dynamic = append(*dynamic, pending{port: p, index: len(p.addrs) - 1, subnet: s, v6: v6, res: r})
		return
	}
	at := pointer + "/properties/privateIPAddress"
	a, err := netip.ParseAddr(text)
	if err != nil {
		c.problem(r, at, fmt.Sprintf("%q is not an address", text), "write it like 10.0.0.4")
		return
	}
	in := slices.IndexFunc(s.prefixes, func(q netip.Prefix) bool { return q.Contains(a) })
	switch {
	case in < 0:
		c.problem(r, at, fmt.Sprintf("address %s is not in subnet %q", a, s.name), "choose one in the subnet or leave it to Azure")
		return
	case !usable(s.prefixes[in], a):
		c.problem(r, at, fmt.Sprintf("address %s of subnet %q (%s) is one of the five Azure keeps", a, s.name, s.prefixes[in]), "choose another")
		return
	}
	if owner, taken := s.used[a]; taken {
		c.problem(r, at, fmt.Sprintf("address %s is already taken by %q", a, c.img.Ports[owner].Name), "choose another or leave it to Azure")
		return
	}
	s.used[a] = p.id
	p.addrs[len(p.addrs)-1].addr = a
}

// usableRange returns the addresses of a subnet's prefix without the first
// four and the last.
func usableRange(p netip.Prefix) (fabric.Range, bool) {
	r := fabric.PrefixRange(p)
	for range catalog.FirstUsableOffset {
		r.Lo = r.Lo.Next()
	}
	r.Hi = r.Hi.Prev()
	return r, !r.Hi.Less(r.Lo) && fabric.PrefixRange(p).Contains(r.Lo)
}

func usable(p netip.Prefix, a netip.Addr) bool {
	r, ok := usableRange(p)
	return ok && r.Contains(fabric.AddrValue(a))
}

// allocate gives a waiting configuration the lowest free address.
func (c *compiler) allocate(d pending) {
	s := d.subnet
	for _, p := range s.prefixes {
		r, ok := usableRange(p)
		if !ok || p.Addr().Is6() != d.v6 {
			continue
		}
		for v := r.Lo; !r.Hi.Less(v); v = v.Next() {
			a := v.Addr()
			if _, taken := s.used[a]; !taken {
				s.used[a] = d.port.id
				d.port.addrs[d.index].addr = a
				return
			}
		}
	}
	c.problem(d.res, d.port.addrs[d.index].at, fmt.Sprintf("subnet %q has no free address", s.name), "enlarge the subnet or use another")
}

// vacantPort stands for every address of a subnet that nothing has yet.
func (c *compiler) vacantPort(s *subnet) {
	if s.reserved != nil || s.ofAppGateways || strings.HasPrefix(s.delegate, "microsoft.network/") {
		return // only the platform's own devices may live here
	}
	var ranges []fabric.Range
	for _, p := range s.prefixes {
		if r, ok := usableRange(p); ok {
			ranges = append(ranges, r)
		}
	}
	used := make([]netip.Addr, 0, len(s.used))
	for a := range s.used {
		used = append(used, a)
	}
	free := fabric.NewSet(ranges...).Subtract(fabric.AddrSet(used...))
	if free.IsEmpty() {
		return
	}
	p := c.newPort(s, fabric.PortVacant, s.vnet.res.ID.Name()+"/"+s.name+" (unassigned)",
		fabric.Origin{Resource: s.id, Place: s.res.PosOf(s.pointer).String()})
	c.img.Ports[p.id].Addrs = c.sets.id(free)
}

// own fills the address sets of the ports and the owners of the spaces.
func (c *compiler) own() {
	for _, p := range c.ports {
		out := &c.img.Ports[p.id]
		if out.Kind != fabric.PortVacant && out.Kind != fabric.PortSite {
			addrs := make([]netip.Addr, 0, len(p.addrs))
			for _, a := range p.addrs {
				if !a.addr.IsValid() {
					continue
				}
				addrs = append(addrs, a.addr)
				for _, ref := range a.config.Properties.ApplicationSecurityGroups {
					asg, v := strings.ToLower(ref.ID), fabric.AddrValue(a.addr)
					c.asgAddrs[asg] = append(c.asgAddrs[asg], fabric.Range{Lo: v, Hi: v})
				}
			}
			out.Addrs = c.sets.id(fabric.AddrSet(addrs...))
		}
		space := &c.img.Spaces[out.Space]
		for _, r := range c.sets.get(out.Addrs) {
			space.Owners = append(space.Owners, fabric.Owner{Range: r, Port: p.id})
		}
	}
	for i := range c.img.Spaces {
		slices.SortFunc(c.img.Spaces[i].Owners, func(a, b fabric.Owner) int { return a.Range.Lo.Compare(b.Range.Lo) })
	}
}
