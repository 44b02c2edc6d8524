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

// publicAddr is a public IP with the address it has, or stands for.
type publicAddr struct {
	item *item[wire.PublicIP]
	addr netip.Addr
}

// publicAddresses reads the public IPs. One without an address gets a stand-in
// from a range the internet does not route, in order of resource ID.
func (c *compiler) publicAddresses() {
	c.publicAddrs = map[string]publicAddr{}
	taken := map[netip.Addr]*model.Resource{}
	var waiting []*item[wire.PublicIP]
	for _, it := range c.docs.publicIPs.list {
		const at = "/properties/ipAddress"
		text := it.view.Properties.IPAddress
		if text == "" {
			waiting = append(waiting, it)
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			c.problem(it.res, at, fmt.Sprintf("%q is not an address", text), "give a public address or leave it to Azure")
			continue
		}
		if other, ok := taken[a]; ok {
			c.problem(it.res, at, fmt.Sprintf("public address %s is already that of %q", a, other.ID.Name()), "leave it to Azure")
			continue
		}
		taken[a] = it.res
		c.publicAddrs[it.key] = publicAddr{it, a}
	}
	next4, next6 := publicPool4(), publicPool6()
	for _, it := range waiting {
		next := &next4
		if strings.EqualFold(it.view.Properties.PublicIPAddressVersion, "IPv6") {
			next = &next6
		}
		for taken[*next] != nil {
			*next = next.Next()
		}
		taken[*next] = it.res
		c.publicAddrs[it.key] = publicAddr{it, *next}
	}
}

// publicOf returns the public address a configuration refers to.
func (c *compiler) publicOf(r *model.Resource, pointer string, ref *wire.Ref) (publicAddr, bool) {
	if ref == nil {
		return publicAddr{}, false
	}
	p, ok := c.publicAddrs[strings.ToLower(ref.ID)]
	if !ok {
		if _, declared := c.docs.publicIPs.get(ref.ID); !declared {
			c.dangling(r, pointer, "public IP", ref.ID)
		}
	}
	return p, ok
}

// outbound gives ports their way to the internet, and public addresses the
// port they lead to. The order is that of "Azure NAT Gateway": a NAT gateway
// before the interface's own public IP before a load balancer before default
// outbound access.
func (c *compiler) outbound() {
	users := map[string]fabric.Public{} // by lower-case ID of the public IP
	use := func(p publicAddr, at fabric.PortID, private netip.Addr, r *model.Resource, pointer string) {
		if other, ok := users[p.item.key]; ok && other.Origin.Resource != r.ID.String() {
			c.problem(r, pointer, fmt.Sprintf("public IP %q is already used by %s", p.item.res.ID.Name(), other.Origin.Resource), "use another public IP")
			return
		}
		users[p.item.key] = fabric.Public{Addr: p.addr, Origin: origin(r, pointer, p.item.res.ID.Name()), Port: at, Private: private}
	}
	c.frontendPublics(use)
	gateways := c.natGateways(use)
	defaults := c.defaultOutbound()
	for _, p := range c.ports {
		out := &c.img.Ports[p.id]
		switch {
		case p.wall != nil:
			out.Outbound = c.firewallOutbound(p, use)
		case p.opaque != nil:
			// What it sends is unknown already.
		case p.gateway != nil:
			c.gatewayPublics(p.gateway, use)
		case p.appGateway != nil:
			if p == p.appGateway.instances {
				c.appPublics(p.appGateway, gateways[p.subnet.nat], use)
			}
		case p.site != nil, p.paths:
		case p.service != nil:
			out.Outbound = p.service.outbound()
		case p.balancer != nil, p.endpoint != nil, p.link != nil:
			// They start no flow towards the internet.
		default:
			own := c.instanceOutbound(p, use)
			switch s := p.subnet; {
			case s.nat != nil:
				out.Outbound = gateways[s.nat]
			case own != nil:
				out.Outbound = own
			default:
				if out.Outbound = c.balancedOutbound(p); out.Outbound == nil && !p.balanced {
					out.Outbound = defaults[s]
				}
			}
		}
	}
	c.firewallSources()
	c.publics(users)
}

// publicMark is what is known of a public IP beside where it leads.
type publicMark struct{ closed, unknown bool }

func (p publicAddr) marks(c *compiler) *publicMark {
	m, ok := c.publicMarks[p.item.key]
	if !ok {
		m = &publicMark{}
		c.publicMarks[p.item.key] = m
	}
	return m
}

// frontendPublics leads the public addresses of frontends to their load
// balancers.
func (c *compiler) frontendPublics(use useFunc) {
	for _, b := range c.balancers {
		for _, f := range b.frontends {
			at := f.pointer + "/properties/publicIPAddress"
			if public, ok := c.publicOf(b.res, at, f.view.Properties.PublicIPAddress); ok {
				use(public, f.port.id, public.addr, b.res, at)
				public.marks(c).unknown = f.view.Properties.GatewayLoadBalancer != nil
			}
		}
	}
}

// balancedOutbound is the way out that a load balancer gives the members of its
// pools ("Outbound connections", "Outbound rules"): the public frontends of an
// outbound rule, else those of load-balancing rules that leave source
// translation on.
func (c *compiler) balancedOutbound(p *port) *fabric.Outbound {
	var implicit *fabric.Outbound
	for _, pool := range p.pools {
		b := pool.balancer
		for i := range b.view.Properties.OutboundRules {
			r := &b.view.Properties.OutboundRules[i]
			if ref := r.Properties.BackendAddressPool; ref == nil || !strings.EqualFold(ref.ID, pool.key) {
				continue
			}
			at := fmt.Sprintf("/properties/outboundRules/%d", i)
			if !strings.EqualFold(r.Properties.Protocol, "All") && r.Properties.Protocol != "" {
				c.note(b.res, at+"/properties/protocol", r.Name, "the outbound rule is for one protocol; here it serves all")
			}
			o := &fabric.Outbound{Origin: origin(b.res, at, r.Name), What: "load balancer", PerHost: true, Barred: c.barred(p)}
			o.Timers.Idle, o.Reset = minutes(r.Properties.IdleTimeout), resets(r.Properties.EnableTCPReset)
			for _, ref := range r.Properties.FrontendIPConfigurations {
				c.frontendPool(o, ref.ID)
			}
			if len(o.Pool) > 0 {
				c.share(o, b, p, pool, r.Properties.AllocatedOutboundPorts)
				return o
			}
		}
		for i := range b.view.Properties.LoadBalancingRules {
			r := &b.view.Properties.LoadBalancingRules[i]
			if r.Properties.DisableOutboundSNAT || r.Properties.FrontendIPConfiguration == nil || !usesPool(&r.Properties, pool.key) {
				continue
			}
			o := &fabric.Outbound{
				Origin: origin(b.res, fmt.Sprintf("/properties/loadBalancingRules/%d", i), r.Name), What: "load balancer",
				PerHost: true, Barred: c.barred(p),
			}
			o.Timers.Idle, o.Reset = minutes(r.Properties.IdleTimeout), resets(r.Properties.EnableTCPReset)
			if c.frontendPool(o, r.Properties.FrontendIPConfiguration.ID); implicit == nil && len(o.Pool) > 0 {
				c.share(o, b, p, pool, 0)
				implicit = o
			}
		}
	}
	return implicit
}

func usesPool(r *wire.LoadBalancingRuleProperties, key string) bool {
	return r.BackendAddressPool != nil && strings.EqualFold(r.BackendAddressPool.ID, key) ||
		slices.ContainsFunc(r.BackendAddressPools, func(ref wire.Ref) bool { return strings.EqualFold(ref.ID, key) })
}

// frontendPool adds the address of a public frontend to a pool of sources.
func (c *compiler) frontendPool(o *fabric.Outbound, id string) {
	f, ok := c.frontends[strings.ToLower(id)]
	if !ok {
		return
	}
	a, public := c.frontendAddr(f)
	if prefix := f.view.Properties.PublicIPPrefix; public && !a.IsValid() && prefix != nil {
		for _, a := range c.prefixAddresses(f.balancer.res, f.pointer+"/properties/publicIPPrefix", prefix.ID) {
			if !slices.Contains(o.Pool, a) {
				o.Pool = append(o.Pool, a)
			}
		}
		return
	}
	if public && a.IsValid() && !slices.Contains(o.Pool, a) {
		o.Pool = append(o.Pool, a)
	}
}

// useFunc records what a public IP is used for.
type useFunc func(p publicAddr, at fabric.PortID, private netip.Addr, r *model.Resource, pointer string)

func (c *compiler) natGateways(use useFunc) map[*item[wire.NATGateway]]*fabric.Outbound {
	m := map[*item[wire.NATGateway]]*fabric.Outbound{}
	for _, it := range c.docs.natGateways.list {
		o := &fabric.Outbound{
			Origin: origin(it.res, "", ""), What: "NAT gateway",
			Shared: true, Timers: gatewayTimers(it.view.Properties.IdleTimeout), Reset: fabric.ResetLate,
		}
		for _, zone := range zoneLabels(it.res) {
			o.Place = zone // a zonal gateway fails with its zone ("NAT gateway and availability zones")
		}
		for i := range it.view.Properties.PublicIPAddresses {
			at := fmt.Sprintf("/properties/publicIpAddresses/%d", i)
			if p, ok := c.publicOf(it.res, at, &it.view.Properties.PublicIPAddresses[i]); ok {
				o.Pool = append(o.Pool, p.addr)
				use(p, fabric.None, netip.Addr{}, it.res, at)
			}
		}
		for i, ref := range it.view.Properties.PublicIPPrefixes {
			o.Pool = append(o.Pool, c.prefixAddresses(it.res, fmt.Sprintf("/properties/publicIpPrefixes/%d", i), ref.ID)...)
		}
		m[it] = o
	}
	return m
}

// defaultOutbound is Azure's implicit way out of subnets that do not refuse it
// ("Default outbound access in Azure"): IPv4 only, from an address of
// Microsoft's that nobody may rely on. Each virtual network has a stand-in.
func (c *compiler) defaultOutbound() map[*subnet]*fabric.Outbound {
	m := map[*subnet]*fabric.Outbound{}
	next := outboundPool().Next()
	for _, v := range c.vnets {
		for _, s := range v.subnets {
			allowed := s.view.Properties.DefaultOutboundAccess
			if s.reserved != nil || s.delegate != "" || allowed != nil && !*allowed {
				continue
			}
			m[s] = &fabric.Outbound{
				Origin: fabric.Origin{Resource: s.id, Place: s.res.PosOf(s.pointer).String()},
				What:   "default outbound access", Pool: []netip.Addr{next}, Shared: true,
			}
		}
		next = next.Next()
	}
	return m
}

// instanceOutbound is the way out by public IPs of the interface itself.
func (c *compiler) instanceOutbound(p *port, use useFunc) *fabric.Outbound {
	var o *fabric.Outbound
	for _, a := range p.addrs {
		at := a.at + "/properties/publicIPAddress"
		public, ok := c.publicOf(p.nic.res, at, a.config.Properties.PublicIPAddress)
		if !ok {
			continue
		}
		if o == nil {
			o = &fabric.Outbound{Origin: origin(public.item.res, "", ""), What: "public IP"}
		}
		o.Pairs = append(o.Pairs, fabric.Pair{Private: a.addr, Public: public.addr})
		basic := basicPublicIP(&public.item.view)
		use(public, p.id, a.addr, p.nic.res, at)
		public.marks(c).closed = standardPublicIPNeedsNSG && !basic && p.nsg == nil && p.subnet.nsg == nil
		public.marks(c).unknown = a.config.Properties.GatewayLoadBalancer != nil
	}
	return o
}

func (c *compiler) firewallOutbound(p *port, use useFunc) *fabric.Outbound {
	it := p.wall.item
	o := &fabric.Outbound{Origin: origin(it.res, "", ""), What: "firewall"}
	if nat := p.subnet.nat; nat != nil {
		// A NAT gateway on the firewall's subnet serves the firewall.
		for i := range nat.view.Properties.PublicIPAddresses {
			if a, ok := c.publicAddrs[strings.ToLower(nat.view.Properties.PublicIPAddresses[i].ID)]; ok {
				o.Pool = append(o.Pool, a.addr)
			}
		}
		o.Timers, o.Reset = gatewayTimers(nat.view.Properties.IdleTimeout), fabric.ResetLate
		for _, a := range o.Pool {
			o.Ports = append(o.Ports, fabric.PortBlock{Addr: a, First: fabric.PoolFirst, Last: 1<<16 - 1})
		}
	}
	translates := c.translates(p.wall)
	for i := range it.view.Properties.IPConfigurations {
		at := fmt.Sprintf("/properties/ipConfigurations/%d/properties/publicIPAddress", i)
		if public, ok := c.publicOf(it.res, at, it.view.Properties.IPConfigurations[i].Properties.PublicIPAddress); ok {
			o.Pool = append(o.Pool, public.addr)
			if translates { // its NAT rules decide
				use(public, p.id, public.addr, it.res, at)
				continue
			}
			use(public, fabric.None, netip.Addr{}, it.res, at)
		}
	}
	return o
}

// firewallSources gives firewalls the source ports of the instances that each has
// at least, unless a NAT gateway serves it.
func (c *compiler) firewallSources() {
	const each = catalog.FirewallPortsPerIP * catalog.FirewallInstances
	for _, p := range c.ports {
		o := c.img.Ports[p.id].Outbound
		if p.wall == nil || o == nil || len(o.Ports) > 0 {
			continue
		}
		for _, a := range o.Pool {
			o.Ports = append(o.Ports, fabric.PortBlock{Addr: a, First: fabric.PoolFirst, Last: fabric.PoolFirst + each - 1})
		}
	}
}

// publics lists every public address of the network.
func (c *compiler) publics(users map[string]fabric.Public) {
	own := map[netip.Addr]bool{}
	for _, it := range c.docs.publicIPs.list {
		p, ok := c.publicAddrs[it.key]
		if !ok {
			continue
		}
		entry, used := users[it.key]
		if !used {
			entry = fabric.Public{Addr: p.addr, Origin: origin(it.res, "", ""), Port: fabric.None}
			_, claimed := c.claims.publics[it.key]
			entry.Unknown = claimed || has(it.res, "ipConfiguration")
		}
		entry.Unknown = entry.Unknown || p.marks(c).unknown
		entry.Closed = p.marks(c).closed
		own[p.addr] = true
		c.img.Publics = append(c.img.Publics, entry)
	}
	for _, s := range c.services {
		if s.port != nil {
			own[s.addr] = true
			c.img.Publics = append(c.img.Publics, s.public())
		}
	}
	for i := range c.img.Ports {
		o := c.img.Ports[i].Outbound
		if o == nil {
			continue
		}
		for _, a := range o.Pool {
			if !own[a] {
				own[a] = true
				c.img.Publics = append(c.img.Publics, fabric.Public{Addr: a, Origin: o.Origin, Port: fabric.None})
			}
		}
	}
	slices.SortFunc(c.img.Publics, func(a, b fabric.Public) int { return a.Addr.Compare(b.Addr) })
}

// edge adds the port that stands for the internet. It owns what the internet
// routes and the network does not use itself: not the private, shared,
// link-local, loopback, multicast and reserved ranges (RFC 6890), not the
// ranges our stand-ins come from, not the platform, and none of the network's
// own prefixes and public addresses. A virtual network may use a public prefix
// of somebody else's; that prefix then counts as private everywhere.
func (c *compiler) edge() {
	var routed []netip.Prefix
	for _, s := range []string{"0.0.0.0/0", "2000::/3"} {
		routed = append(routed, netip.MustParsePrefix(s))
	}
	public := fabric.PrefixSet(routed...).Subtract(fabric.PrefixSet(unrouted()...)).
		Subtract(fabric.AddrSet(catalog.PlatformAddresses()...))
	var own []fabric.Range
	for _, v := range c.vnets {
		own = append(own, c.sets.get(v.own)...)
	}
	for i := range c.img.Publics {
		a := fabric.AddrValue(c.img.Publics[i].Addr)
		own = append(own, fabric.Range{Lo: a, Hi: a})
	}
	c.img.Edge = fabric.PortID(len(c.img.Ports))
	c.img.Ports = append(c.img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None,
		Addrs: c.sets.id(public.Subtract(fabric.NewSet(own...))), Routes: fabric.None,
	})
}

// unrouted are the ranges the internet does not route.
func unrouted() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "2001:db8::/32",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
