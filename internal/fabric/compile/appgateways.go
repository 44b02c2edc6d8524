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

// appGateway is an application gateway of version 2: frontends that hand what
// their listeners take to its instances, where a connection ends and others
// begin.
type appGateway struct {
	*item[wire.AppGateway]
	subnet    *subnet
	instances *port
	front     *port // all frontends; nil if there is none
	frontends []*appFrontend
	members   map[string][]fabric.Range // of pools, by lower-case ID
	names     map[string]bool           // pools with members by name, by lower-case ID
}

// appFrontend is an address at which an application gateway listens.
type appFrontend struct {
	key     string // lower-case ID
	view    *wire.FrontendIPConfiguration
	pointer string
	index   int // of a private frontend in the port's addrs, else fabric.None
}

// isAppGateway2 reports whether an application gateway is of a tier that is
// modelled.
func isAppGateway2(it *item[wire.AppGateway]) bool {
	sku := it.view.Properties.SKU
	return sku != nil && (strings.EqualFold(sku.Tier, "Standard_v2") || strings.EqualFold(sku.Tier, "WAF_v2"))
}

// readAppGateways finds the application gateways with their subnets, which are
// theirs alone: security admin rules do not apply there.
func (c *compiler) readAppGateways() {
	for _, it := range c.docs.appGateways.list {
		if !isAppGateway2(it) {
			continue
		}
		g := &appGateway{item: it}
		for i := range it.view.Properties.IPConfigurations {
			ref := it.view.Properties.IPConfigurations[i].Properties.Subnet
			at := fmt.Sprintf("/properties/gatewayIPConfigurations/%d/properties/subnet", i)
			if ref == nil || g.subnet != nil {
				continue
			}
			s, ok := c.subnetBy[strings.ToLower(ref.ID)]
			switch {
			case !ok:
				c.dangling(it.res, at, "subnet", ref.ID)
			case s.reserved != nil || s.delegate != "" && s.delegate != delegateAppGateway:
				c.problem(it.res, at, fmt.Sprintf("subnet %q takes no application gateways", s.name), "give the gateway a subnet of its own")
			default:
				g.subnet = s
				s.noAdmin, s.ofAppGateways = true, true
			}
		}
		if g.subnet == nil {
			if len(it.view.Properties.IPConfigurations) == 0 {
				c.problem(it.res, "/properties/gatewayIPConfigurations", fmt.Sprintf("application gateway %q has no subnet", it.res.ID.Name()), "give it a gateway IP configuration with one")
			}
			continue
		}
		c.appGateways = append(c.appGateways, g)
	}
}

// delegateAppGateway is the service that subnets of application gateways with
// network isolation are delegated to.
const delegateAppGateway = "microsoft.network/applicationgateways"

// appGatewayPorts makes the ports of application gateways: one for the
// frontends and one for the instances.
func (c *compiler) appGatewayPorts(dynamic *[]pending) {
	for _, g := range c.appGateways {
		name := g.res.ID.Name()
		g.instances = c.newPort(g.subnet, fabric.PortHost, name+" (instances)", origin(g.res, "", ""))
		g.instances.appGateway = g
		c.img.Ports[g.instances.id].Behind = true
		for i := range g.view.Properties.Frontends {
			view := &g.view.Properties.Frontends[i]
			f := &appFrontend{
				key: partKey(g.key, "frontendIPConfigurations", view.Name), view: view,
				pointer: fmt.Sprintf("/properties/frontendIPConfigurations/%d", i), index: fabric.None,
			}
			config := &wire.IPConfiguration{Name: view.Name}
			config.Properties.PrivateIPAddress = view.Properties.PrivateIPAddress
			config.Properties.PrivateIPAddressVersion = view.Properties.PrivateIPAddressVersion
			config.Properties.Subnet = view.Properties.Subnet
			at, private := c.subnetOf(g.res, f.pointer, config)
			switch {
			case view.Properties.Subnet != nil && !private:
				continue // reported
			case private && at != g.subnet:
				c.problem(g.res, f.pointer+"/properties/subnet", fmt.Sprintf("frontend %q of application gateway %q is in subnet %q, the gateway in %q", view.Name, name, at.name, g.subnet.name), "use the gateway's own subnet")
				continue
			case !private && view.Properties.PublicIPAddress == nil:
				c.problem(g.res, f.pointer, fmt.Sprintf("frontend %q has neither a subnet nor a public IP", view.Name), "give it one")
				continue
			}
			if g.front == nil {
				g.front = c.newPort(g.subnet, fabric.PortBalancer, name, origin(g.res, "", ""))
				g.front.appGateway = g
			}
			if private {
				f.index = len(g.front.addrs)
				c.address(g.res, g.front, config, f.pointer, dynamic)
			}
			g.frontends = append(g.frontends, f)
		}
		if len(g.view.Properties.PrivateLinks) > 0 {
			c.note(g.res, "/properties/privateLinkConfigurations", "", "private link configurations of application gateways are not modelled; what comes by them is unknown")
		}
	}
}

// appInstances gives the instances their addresses, the lowest that are free once
// everything else has its own. As many as there are at most are given, as far
// as the subnet has them: a rule that lets only some of them in is found.
func (c *compiler) appInstances() {
	for _, p := range c.ports {
		if out := &c.img.Ports[p.id]; p.subnet.ofAppGateways && p.appGateway == nil {
			at := c.appGateways[slices.IndexFunc(c.appGateways, func(g *appGateway) bool { return g.subnet == p.subnet })]
			c.problem(at.res, "/properties/gatewayIPConfigurations", fmt.Sprintf("subnet %q of application gateway %q has %s %q in it, too", p.subnet.name, at.res.ID.Name(), out.Kind, out.Name), "give the gateway a subnet of its own")
		}
	}
	for _, g := range c.appGateways {
		s := g.subnet
		want := instancesOf(&g.view.Properties)
		for _, prefix := range s.prefixes {
			r, ok := usableRange(prefix)
			if !ok || !prefix.Addr().Is4() {
				continue
			}
			for v := r.Lo; !r.Hi.Less(v) && len(g.instances.addrs) < want; v = v.Next() {
				a := v.Addr()
				if _, taken := s.used[a]; !taken {
					s.used[a] = g.instances.id
					g.instances.addrs = append(g.instances.addrs, portAddr{addr: a, config: &wire.IPConfiguration{}})
				}
			}
		}
		if len(g.instances.addrs) == 0 {
			c.problem(g.res, "/properties/gatewayIPConfigurations", fmt.Sprintf("subnet %q has no free address for an instance of application gateway %q", s.name, g.res.ID.Name()), "enlarge the subnet or use another")
		}
	}
}

// instancesOf is how many instances a gateway has at most.
func instancesOf(p *wire.AppGatewayProperties) int {
	n := catalog.AppGatewayDefaultInstances
	switch {
	case p.Autoscale != nil && p.Autoscale.MaxCapacity != nil:
		n = *p.Autoscale.MaxCapacity
	case p.Autoscale != nil:
		n = max(p.Autoscale.MinCapacity, catalog.AppGatewayDefaultMax)
	case p.SKU != nil && p.SKU.Capacity > 0:
		n = p.SKU.Capacity
	}
	return min(max(n, 1), catalog.MaxAppGatewayInstances)
}

// partKey is the lower-case ID of a part of a resource.
func partKey(key, list, name string) string {
	return key + "/" + strings.ToLower(list) + "/" + strings.ToLower(name)
}

// part finds a part of an application gateway by a reference.
func part[T any](g *appGateway, list string, parts []wire.AppGatewayPart[T], ref *wire.Ref) (*wire.AppGatewayPart[T], int) {
	if ref == nil {
		return nil, 0
	}
	for i := range parts {
		if partKey(g.key, list, parts[i].Name) == strings.ToLower(ref.ID) {
			return &parts[i], i
		}
	}
	return nil, 0
}

// frontendAddr returns the address of a frontend.
func (c *compiler) appFrontendAddr(g *appGateway, f *appFrontend) (a netip.Addr, public bool) {
	if f.index != fabric.None {
		return g.front.addrs[f.index].addr, false
	}
	return c.publicAddrs[strings.ToLower(f.view.Properties.PublicIPAddress.ID)].addr, true
}

// appPublics leads public frontends to their gateways, and gives the instances
// their way out: the public frontend's address, or a NAT gateway's before it.
func (c *compiler) appPublics(g *appGateway, nat *fabric.Outbound, use useFunc) {
	var o *fabric.Outbound
	for _, f := range g.frontends {
		at := f.pointer + "/properties/publicIPAddress"
		public, ok := c.publicOf(g.res, at, f.view.Properties.PublicIPAddress)
		if !ok {
			continue
		}
		use(public, g.front.id, public.addr, g.res, at)
		if o == nil {
			o = &fabric.Outbound{Origin: origin(public.item.res, "", ""), What: "application gateway", Shared: true}
		}
		o.Pool = append(o.Pool, public.addr)
	}
	if nat != nil {
		o = nat
	}
	c.img.Ports[g.instances.id].Outbound = o
}

// appMembers finds the addresses of pools: those they list, and those of the
// interfaces that name them.
func (c *compiler) appMembers() {
	byPool := map[string]*appGateway{}
	for _, g := range c.appGateways {
		g.members, g.names = map[string][]fabric.Range{}, map[string]bool{}
		for i := range g.view.Properties.Pools {
			p := &g.view.Properties.Pools[i]
			key := partKey(g.key, "backendAddressPools", p.Name)
			byPool[key] = g
			for j, m := range p.Properties.Addresses {
				text := m.IPAddress
				if text == "" {
					text = m.FQDN
				}
				a, err := netip.ParseAddr(text)
				switch {
				case err == nil:
					v := fabric.AddrValue(a.Unmap())
					g.members[key] = append(g.members[key], fabric.Range{Lo: v, Hi: v})
				case m.IPAddress != "":
					c.problem(g.res, fmt.Sprintf("/properties/backendAddressPools/%d/properties/backendAddresses/%d/ipAddress", i, j), fmt.Sprintf("%q is not an address", m.IPAddress), "write it like 10.0.0.4, or give an fqdn")
				case text != "":
					g.names[key] = true
				}
			}
		}
	}
	for _, p := range c.ports {
		if p.nic == nil {
			continue
		}
		for _, a := range p.addrs {
			for i, ref := range a.config.Properties.AppGatewayPools {
				key := strings.ToLower(ref.ID)
				g := byPool[key]
				if g == nil {
					if _, ok := c.docs.appGateways.get(gatewayOfPool(key)); !ok {
						c.note(p.nic.res, fmt.Sprintf("%s/properties/applicationGatewayBackendAddressPools/%d", a.at, i), "", "the application gateway of pool "+ref.ID+" is not among the resources; what it sends is unknown")
					}
					continue
				}
				v := fabric.AddrValue(a.addr)
				g.members[key] = append(g.members[key], fabric.Range{Lo: v, Hi: v})
			}
		}
	}
}

// gatewayOfPool returns the ID of the gateway that a pool's is of.
func gatewayOfPool(key string) string {
	if i := strings.LastIndex(key, "/backendaddresspools/"); i >= 0 {
		return key[:i]
	}
	return key
}

// appLabels are the names of a gateway.
func (c *compiler) appLabels(p *port, subnet []fabric.Label) []fabric.Label {
	g := p.appGateway
	list := append(slices.Clone(subnet), label(model.LabelAppGateway, g.res.ID.Name()))
	return unique(append(append(list, zoneLabels(g.res)...), tagLabels(g.view.Tags)...))
}
