package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// balancer is a load balancer of SKU Standard or Basic, regional or global.
// Gateway load balancers are not modelled.
type balancer struct {
	*item[wire.LoadBalancer]
	basic     bool
	frontends []*frontend
	nat       []natRule
}

// frontend is an address at which a load balancer takes packets.
type frontend struct {
	balancer *balancer
	key      string // lower-case ID
	view     *wire.FrontendIPConfiguration
	pointer  string
	port     *port
	index    int // of a private frontend in port.addrs, else fabric.None
}

// natRule is an inbound NAT rule with the place it is declared at.
type natRule struct {
	view    *wire.InboundNATRule
	key     string // lower-case ID
	res     *model.Resource
	pointer string
}

// pool is a backend pool.
type pool struct {
	balancer *balancer
	key      string // lower-case ID
	name     string
	views    []poolView
	members  []member
	drain    int // seconds
}

// poolView is one place where a pool is declared: in its load balancer, or by
// itself.
type poolView struct {
	view    *wire.BackendAddressPool
	res     *model.Resource
	pointer string
}

// member is an address in a pool.
type member struct {
	port     *port // nil if what has the address is not known
	addr     netip.Addr
	name     string // for people
	config   string // lower-case ID of an interface's IP configuration
	admin    string // administrative state
	frontend string // lower-case ID of a regional load balancer's frontend
	mapped   []wire.NATPortMapping
	at       fabric.Origin
}

// configAddr is an IP configuration of an interface.
type configAddr struct {
	port  *port
	index int // in port.addrs
}

func configKey(nic, name string) string { return nic + "/ipconfigurations/" + strings.ToLower(name) }

// isGateway reports whether a load balancer is of SKU Gateway.
func isGateway(it *item[wire.LoadBalancer]) bool {
	return it.view.SKU != nil && strings.EqualFold(it.view.SKU.Name, "Gateway")
}

// isPortsRule reports whether a rule is for high-availability ports: all ports
// of TCP and UDP ("High availability ports overview").
func isPortsRule(r *wire.LoadBalancingRuleProperties) bool {
	return r.FrontendPort == 0 && r.BackendPort == 0 && strings.EqualFold(r.Protocol, "All")
}

// loadBalancers makes the ports of load balancers. One port has all frontends
// of a load balancer, but a frontend with a high-availability ports rule has a
// port of its own beside others: what is routed to it is for that rule only.
func (c *compiler) loadBalancers(dynamic *[]pending) {
	c.frontends, c.pools, c.natConfigs = map[string]*frontend{}, map[string]*pool{}, map[string]member{}
	for _, it := range c.docs.balancers.list {
		if isGateway(it) {
			continue
		}
		b := &balancer{item: it, basic: c.basicBalancer(&it.view)}
		c.frontendPorts(b, dynamic)
		for i := range it.view.Properties.BackendAddressPools {
			view := &it.view.Properties.BackendAddressPools[i]
			c.addPool(b, view.Name, poolView{view, it.res, fmt.Sprintf("/properties/backendAddressPools/%d", i)})
		}
		for i := range it.view.Properties.InboundNATRules {
			view := &it.view.Properties.InboundNATRules[i]
			b.nat = append(b.nat, natRule{view, it.key + "/inboundnatrules/" + strings.ToLower(view.Name), it.res, fmt.Sprintf("/properties/inboundNatRules/%d", i)})
		}
		c.balancers = append(c.balancers, b)
	}
	byKey := make(map[string]*balancer, len(c.balancers))
	for _, b := range c.balancers {
		byKey[b.key] = b
	}
	for _, it := range c.docs.pools.list {
		b, ok := byKey[it.res.ID.Parent().Key()]
		if !ok {
			c.orphan(it.res, "load balancer")
			continue
		}
		c.addPool(b, it.res.ID.Name(), poolView{&it.view, it.res, ""})
	}
	for _, it := range c.docs.natRules.list {
		b, ok := byKey[it.res.ID.Parent().Key()]
		switch {
		case !ok:
			c.orphan(it.res, "load balancer")
		case !slices.ContainsFunc(b.nat, func(r natRule) bool { return r.key == it.key }):
			it.view.Name = it.res.ID.Name()
			b.nat = append(b.nat, natRule{&it.view, it.key, it.res, ""})
		}
	}
}

// orphan reports a child whose parent is not declared. A child of a gateway
// load balancer shares its parent's fate.
func (c *compiler) orphan(r *model.Resource, kind string) {
	if _, ok := c.docs.balancers.get(r.ID.Parent().Key()); ok {
		return
	}
	c.problem(r, "", fmt.Sprintf("%q belongs to a %s that does not exist", r.ID.Name(), kind), "declare the "+kind)
}

func (c *compiler) addPool(b *balancer, name string, view poolView) {
	key := b.key + "/backendaddresspools/" + strings.ToLower(name)
	p, ok := c.pools[key]
	if !ok {
		p = &pool{balancer: b, key: key, name: name}
		c.pools[key] = p
	}
	p.views = append(p.views, view)
	p.drain = max(p.drain, view.view.Properties.DrainPeriod)
}

func (c *compiler) frontendPorts(b *balancer, dynamic *[]pending) {
	props := &b.view.Properties
	apart := map[string]bool{} // frontends with a port of their own
	for i := range props.LoadBalancingRules {
		if r := &props.LoadBalancingRules[i].Properties; isPortsRule(r) && r.FrontendIPConfiguration != nil && len(props.FrontendIPConfigurations) > 1 {
			apart[strings.ToLower(r.FrontendIPConfiguration.ID)] = true
		}
	}
	name := b.res.ID.Name()
	var shared *port
	for i := range props.FrontendIPConfigurations {
		view := &props.FrontendIPConfigurations[i]
		f := &frontend{
			balancer: b, key: b.key + "/frontendipconfigurations/" + strings.ToLower(view.Name), view: view,
			pointer: fmt.Sprintf("/properties/frontendIPConfigurations/%d", i), index: fabric.None,
		}
		config := &wire.IPConfiguration{Name: view.Name}
		config.Properties.PrivateIPAddress = view.Properties.PrivateIPAddress
		config.Properties.PrivateIPAllocationMethod = view.Properties.PrivateIPAllocationMethod
		config.Properties.PrivateIPAddressVersion = view.Properties.PrivateIPAddressVersion
		config.Properties.Subnet = view.Properties.Subnet
		at, private := c.subnetOf(b.res, f.pointer, config)
		if !private {
			if view.Properties.Subnet != nil {
				continue // reported
			}
			at = c.platformIn(b.res)
			if b.isGlobal() {
				at = c.platformIn(nil) // its region is one of documents only
			}
		} else if at.reserved != nil {
			c.problem(b.res, f.pointer+"/properties/subnet", fmt.Sprintf("subnet %q takes no load balancers", at.name), "use an ordinary subnet")
			continue
		}
		switch {
		case apart[f.key]:
			f.port = c.newPort(at, fabric.PortBalancer, name+"/"+view.Name, origin(b.res, f.pointer, view.Name))
		case shared == nil:
			shared = c.newPort(at, fabric.PortBalancer, name, origin(b.res, "", ""))
			fallthrough
		default:
			f.port = shared
		}
		f.port.balancer = b
		if private {
			f.index = len(f.port.addrs)
			// A port lies in one segment; the address may lie in another of
			// the same network.
			c.addressIn(at, b.res, f.port, config, f.pointer, dynamic)
		}
		switch {
		case view.Properties.GatewayLoadBalancer != nil:
			c.note(b.res, f.pointer, view.Name, "a chain to a gateway load balancer is not modelled; what passes it is unknown")
		case view.Properties.PublicIPPrefix != nil && view.Properties.PublicIPAddress == nil:
			// What leaves by it takes the prefix's addresses; nothing comes in.
		case !private && view.Properties.PublicIPAddress == nil:
			c.problem(b.res, f.pointer, fmt.Sprintf("frontend %q has neither a subnet nor a public IP", view.Name), "give it one")
		}
		b.frontends = append(b.frontends, f)
		c.frontends[f.key] = f
	}
}

// addr returns a frontend's address.
func (c *compiler) frontendAddr(f *frontend) (a netip.Addr, public bool) {
	if f.index != fabric.None {
		return f.port.addrs[f.index].addr, false
	}
	if ref := f.view.Properties.PublicIPAddress; ref != nil {
		return c.publicAddrs[strings.ToLower(ref.ID)].addr, true
	}
	return netip.Addr{}, true
}

// members finds who is in each pool. An interface may name the pool, or the
// pool the interface's configuration or an address; all of it is one list, in
// order of interface ID and then as the pool has it.
func (c *compiler) members() {
	for _, it := range c.docs.nics.list {
		for i := range it.view.Properties.IPConfigurations {
			config := &it.view.Properties.IPConfigurations[i]
			at, ok := c.configs[configKey(it.key, config.Name)]
			if !ok {
				continue
			}
			pointer := fmt.Sprintf("/properties/ipConfigurations/%d", i)
			if config.Properties.GatewayLoadBalancer != nil {
				at.port.chained = true
				c.note(it.res, pointer, config.Name, "a chain to a gateway load balancer is not modelled; what passes it is unknown")
			}
			for _, ref := range config.Properties.InboundNATRules {
				c.natConfigs[strings.ToLower(ref.ID)] = c.memberAt(at, configKey(it.key, config.Name), origin(it.res, pointer, config.Name))
			}
			for _, ref := range config.Properties.BackendAddressPools {
				p, ok := c.pools[strings.ToLower(ref.ID)]
				if !ok {
					at.port.chained = true
					c.note(it.res, pointer, config.Name, fmt.Sprintf("load balancer pool %s is not modelled or not among the resources; how the interface reaches the internet is unknown", ref.ID))
					continue
				}
				c.join(p, c.memberAt(at, configKey(it.key, config.Name), origin(it.res, pointer, config.Name)))
			}
		}
	}
	for _, it := range c.docs.balancers.list {
		for i := range it.view.Properties.BackendAddressPools {
			if p := c.pools[it.key+"/backendaddresspools/"+strings.ToLower(it.view.Properties.BackendAddressPools[i].Name)]; p != nil {
				c.declared(p)
			}
		}
	}
	for _, it := range c.docs.pools.list {
		if p := c.pools[it.key]; p != nil {
			c.declared(p)
		}
	}
	for _, p := range c.ports {
		if p.opaque == nil {
			continue
		}
		for _, key := range c.claims.pools[p.opaque.item.key] {
			if pool := c.pools[key]; pool != nil {
				c.join(pool, c.opaqueMember(p))
			}
		}
	}
}

// opaqueMember is a member whose behaviour is not modelled, such as the
// instances of a scale set.
func (c *compiler) opaqueMember(p *port) member {
	return member{port: p, addr: p.addrs[0].addr, name: c.img.Ports[p.id].Name, at: c.img.Ports[p.id].Origin}
}

func (c *compiler) memberAt(at configAddr, key string, from fabric.Origin) member {
	return member{port: at.port, addr: at.port.addrs[at.index].addr, name: c.img.Ports[at.port.id].Name, config: key, at: from}
}

// declared adds the members that a pool names itself.
func (c *compiler) declared(p *pool) {
	views := p.views
	p.views = nil // once
	for _, v := range views {
		props := &v.view.Properties
		for i, ref := range props.BackendIPConfigurations {
			c.joinConfig(p, ref, v.res, fmt.Sprintf("%s/properties/backendIPConfigurations/%d", v.pointer, i), &wire.BackendAddressProperties{})
		}
		for i := range props.BackendAddresses {
			at := fmt.Sprintf("%s/properties/loadBalancerBackendAddresses/%d", v.pointer, i)
			a := &props.BackendAddresses[i]
			switch {
			case a.Properties.LoadBalancerFrontendIPConfiguration != nil:
				c.join(p, member{frontend: strings.ToLower(a.Properties.LoadBalancerFrontendIPConfiguration.ID), name: a.Name, at: origin(v.res, at, a.Name)})
			case a.Properties.NetworkInterfaceIPConfiguration != nil:
				c.joinConfig(p, *a.Properties.NetworkInterfaceIPConfiguration, v.res, at, &a.Properties)
			default:
				c.joinAddress(p, a, props.VirtualNetwork, v.res, at)
			}
		}
	}
}

func (c *compiler) joinConfig(p *pool, ref wire.Ref, r *model.Resource, pointer string, a *wire.BackendAddressProperties) {
	key := strings.ToLower(ref.ID)
	at, ok := c.configs[key]
	var m member
	switch {
	case ok:
		m = c.memberAt(at, key, origin(r, pointer, p.name))
	case c.claimsPool(key, p):
		return // a scale set's instance: the set itself is a member
	default:
		c.note(r, pointer, p.name, fmt.Sprintf("interface configuration %s is not among the resources; what it does is unknown", ref.ID))
		m = member{name: ref.ID[strings.LastIndexByte(ref.ID, '/')+1:], config: key, at: origin(r, pointer, p.name)}
	}
	m.admin, m.mapped = a.AdminState, a.InboundNATRulesPortMapping
	c.join(p, m)
}

// claimsPool reports whether something that is not modelled, and that a
// configuration belongs to, is a member of a pool.
func (c *compiler) claimsPool(config string, p *pool) bool {
	for key, pools := range c.claims.pools {
		if strings.HasPrefix(config, key+"/") && slices.Contains(pools, p.key) {
			return true
		}
	}
	return false
}

// joinAddress adds a member given by its address: whatever has the address in
// the network that the pool, or the address, names.
func (c *compiler) joinAddress(p *pool, a *wire.BackendAddress, network *wire.Ref, r *model.Resource, pointer string) {
	if a.Properties.IPAddress == "" && a.Properties.VirtualNetwork == nil {
		return // a place kept for an address that is not there yet
	}
	addr, err := netip.ParseAddr(a.Properties.IPAddress)
	if err != nil {
		c.problem(r, pointer+"/properties/ipAddress", fmt.Sprintf("%q is not an address", a.Properties.IPAddress), "write it like 10.0.0.4")
		return
	}
	m := member{addr: addr, name: a.Properties.IPAddress, admin: a.Properties.AdminState, mapped: a.Properties.InboundNATRulesPortMapping, at: origin(r, pointer, a.Name)}
	v := c.networkOf(a.Properties.VirtualNetwork, a.Properties.Subnet)
	if v == nil {
		v = c.networkOf(network, nil)
	}
	if v == nil {
		c.note(r, pointer, a.Name, fmt.Sprintf("the virtual network of backend address %s is not among the resources; what it does is unknown", addr))
		c.join(p, m)
		return
	}
	if id, ok := c.img.Spaces[v.space].PortOf(addr); ok {
		if c.ports[id].balancer != nil {
			c.problem(r, pointer+"/properties/ipAddress", fmt.Sprintf("address %s is a frontend of load balancer %q", addr, c.img.Ports[id].Name), "name the machines behind it")
			return
		}
		m.port = c.ports[id]
		m.name = c.img.Ports[id].Name
	} else {
		c.problem(r, pointer+"/properties/ipAddress", fmt.Sprintf("address %s is in no subnet of virtual network %q", addr, v.res.ID.Name()), "correct the address")
		return
	}
	c.join(p, m)
}

// networkOf returns the virtual network that either of two references names.
func (c *compiler) networkOf(network, sub *wire.Ref) *vnet {
	if network != nil {
		return c.vnetByKey[strings.ToLower(network.ID)]
	}
	if sub != nil {
		if s := c.subnetBy[strings.ToLower(sub.ID)]; s != nil {
			return s.vnet
		}
	}
	return nil
}

// join adds a member, or what is new about one that the pool has.
func (c *compiler) join(p *pool, m member) {
	for i := range p.members {
		old := &p.members[i]
		same := m.frontend == old.frontend && m.port == old.port && m.addr == old.addr && m.config == old.config
		if m.port != nil && m.port == old.port && m.addr == old.addr {
			same = true
		}
		if same {
			if m.admin != "" {
				old.admin = m.admin
			}
			if len(m.mapped) > 0 {
				old.mapped = m.mapped
			}
			return
		}
	}
	p.members = append(p.members, m)
	if m.port != nil {
		m.port.pools = append(m.port.pools, p)
		m.port.chained = m.port.chained || slices.ContainsFunc(p.balancer.frontends, func(f *frontend) bool {
			return f.view.Properties.GatewayLoadBalancer != nil
		})
		// Pools of addresses leave default outbound access ("Default outbound
		// access in Azure", known issue); so do Basic load balancers.
		m.port.balanced = m.port.balanced || m.config != "" && !p.balancer.basic
	}
}
