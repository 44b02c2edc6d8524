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

// endpoint is a private endpoint.
type endpoint struct {
	*item[wire.PrivateEndpoint]
	port   *port
	nic    *item[wire.NIC] // if its interface is declared
	target string          // ID of what it reaches
	groups []string        // sub-resources, in lower case
	status string          // of its connection
	byName []endpointAddr
}

// endpointAddr is a place in the endpoint's addresses with the sub-resource it
// serves, empty if the documents do not say.
type endpointAddr struct {
	group string
	index int
}

const approved = "Approved"

// readEndpoints decides what every private endpoint reaches and whether it may
// ("What is a private endpoint", states of the connection: only Approved sends
// traffic). The owner's own record of a connection counts before the endpoint's.
func (c *compiler) readEndpoints() {
	c.endpoints = map[string]*endpoint{}
	c.endpointNICs = map[string]*endpoint{}
	for _, it := range c.docs.endpoints.list {
		e := &endpoint{item: it}
		p := &it.view.Properties
		read := func(list []wire.PrivateLinkServiceConnection, otherwise string) {
			for i := range list {
				if e.target != "" {
					return // an endpoint has one connection
				}
				q := &list[i].Properties
				e.target, e.status = q.PrivateLinkServiceID, otherwise
				if q.State.Status != "" {
					e.status = q.State.Status
				}
				for _, g := range q.GroupIDs {
					e.groups = append(e.groups, strings.ToLower(g))
				}
			}
		}
		read(p.Connections, approved) // approved at once where the caller may
		read(p.ManualConnections, "Pending")
		c.endpoints[it.key] = e
		for _, ref := range p.NetworkInterfaces {
			c.endpointNICs[strings.ToLower(ref.ID)] = e
		}
	}
	for _, it := range c.docs.nics.list {
		if ref := it.view.Properties.PrivateEndpoint; ref != nil {
			if e, ok := c.endpoints[strings.ToLower(ref.ID)]; ok {
				c.endpointNICs[it.key] = e
			}
		}
		if e, ok := c.endpointNICs[it.key]; ok {
			e.nic = it
		}
	}
	for _, it := range c.docs.approvals.list {
		if e, ok := c.endpoints[strings.ToLower(it.view.Properties.PrivateEndpoint.ID)]; ok && it.view.Properties.State.Status != "" {
			e.status = it.view.Properties.State.Status
		}
	}
}

func (e *endpoint) approved() bool { return strings.EqualFold(e.status, approved) }

// serves reports whether an endpoint reaches a sub-resource of its target. An
// endpoint that names none serves all: its target has but one.
func (e *endpoint) serves(group string) bool {
	return len(e.groups) == 0 || slices.Contains(e.groups, group)
}

// endpointPorts makes the ports of private endpoints and private link services.
func (c *compiler) endpointPorts(dynamic *[]pending) {
	for _, it := range c.docs.endpoints.list {
		c.endpointPort(c.endpoints[it.key], dynamic)
	}
	for _, it := range c.docs.linkServices.list {
		c.linkServicePort(it, dynamic)
	}
}

func (c *compiler) endpointPort(e *endpoint, dynamic *[]pending) {
	p := &e.view.Properties
	config := &wire.IPConfiguration{}
	config.Properties.Subnet = p.Subnet
	if p.Subnet == nil && e.nic != nil && len(e.nic.view.Properties.IPConfigurations) > 0 {
		config.Properties.Subnet = e.nic.view.Properties.IPConfigurations[0].Properties.Subnet
	}
	s, ok := c.subnetOf(e.res, "", config)
	switch {
	case !ok && config.Properties.Subnet == nil:
		c.problem(e.res, "/properties", fmt.Sprintf("private endpoint %q has no subnet", e.res.ID.Name()), "give it one")
	case ok && s.reserved != nil:
		c.problem(e.res, "/properties/subnet", fmt.Sprintf("subnet %q takes no private endpoints", s.name), "use an ordinary subnet")
		ok = false
	}
	if e.target == "" {
		c.problem(e.res, "/properties/privateLinkServiceConnections", fmt.Sprintf("private endpoint %q has no connection", e.res.ID.Name()), "name the resource it reaches")
	}
	if !ok {
		return
	}
	e.port = c.newPort(s, fabric.PortEndpoint, e.res.ID.Name(), origin(e.res, "", ""))
	e.port.endpoint = e
	c.endpointsOf[s.vnet] = append(c.endpointsOf[s.vnet], e)
	add := func(r *model.Resource, text, pointer, group string) {
		one := &wire.IPConfiguration{}
		one.Properties.PrivateIPAddress = text
		one.Properties.ApplicationSecurityGroups = p.ApplicationSecurityGroups
		e.byName = append(e.byName, endpointAddr{strings.ToLower(group), len(e.port.addrs)})
		c.address(r, e.port, one, pointer, dynamic)
	}
	for _, ref := range p.ApplicationSecurityGroups {
		e.port.asgs = append(e.port.asgs, strings.ToLower(ref.ID))
	}
	groupOf := map[string]string{} // address: sub-resource
	for _, config := range p.IPConfigurations {
		groupOf[config.Properties.PrivateIPAddress] = config.Properties.GroupID
	}
	switch {
	case e.nic != nil:
		for i := range e.nic.view.Properties.IPConfigurations {
			text := e.nic.view.Properties.IPConfigurations[i].Properties.PrivateIPAddress
			add(e.nic.res, text, fmt.Sprintf("/properties/ipConfigurations/%d", i), groupOf[text])
		}
	case len(p.IPConfigurations) > 0:
		for i := range p.IPConfigurations {
			q := &p.IPConfigurations[i].Properties
			add(e.res, q.PrivateIPAddress, fmt.Sprintf("/properties/ipConfigurations/%d", i), q.GroupID)
		}
	default:
		seen := map[string]bool{}
		for i := range p.CustomDNSConfigs {
			for _, text := range p.CustomDNSConfigs[i].IPAddresses {
				if !seen[text] {
					seen[text] = true
					add(e.res, text, fmt.Sprintf("/properties/customDnsConfigs/%d", i), "")
				}
			}
		}
		if len(seen) == 0 {
			add(e.res, "", "/properties", "")
		}
	}
	if strings.Contains(strings.ToLower(e.target), "/providers/microsoft.network/privatelinkservices/") {
		c.note(e.res, "", "", "the endpoint leads to a private link service, whose provider sees the service's own addresses; the provider's side is followed from the service, not from here")
	}
}

// linkServicePort makes the port of the addresses that a private link service
// puts in place of its consumers'. It takes no flows itself and starts those
// of its consumers.
func (c *compiler) linkServicePort(it *item[wire.PrivateLinkService], dynamic *[]pending) {
	var p *port
	for i := range it.view.Properties.IPConfigurations {
		config := &it.view.Properties.IPConfigurations[i]
		pointer := fmt.Sprintf("/properties/ipConfigurations/%d", i)
		s, ok := c.subnetOf(it.res, pointer, config)
		if !ok {
			continue
		}
		if p == nil {
			p = c.newPort(s, fabric.PortEndpoint, it.res.ID.Name(), origin(it.res, "", ""))
			p.link = it
		}
		c.addressIn(s, it.res, p, config, pointer, dynamic)
	}
}

// endpointAddrs returns the addresses of an endpoint for a sub-resource: those
// that say so, else those that say nothing, else all.
func (e *endpoint) endpointAddrs(group string) []netip.Addr {
	if e.port == nil {
		return nil
	}
	for _, want := range []string{group, ""} {
		var out []netip.Addr
		for _, a := range e.byName {
			if addr := e.port.addrs[a.index].addr; a.group == want && addr.IsValid() {
				out = append(out, addr)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

const neverStarts = "never starts a flow"

// fixed returns a filter of one rule that holds for everything.
func (c *compiler) fixed(action fabric.Action, at fabric.Origin, name string) []fabric.FilterID {
	filter := at
	filter.Name = ""
	at.Name = name
	id := fabric.FilterID(len(c.img.Filters))
	c.img.Filters = append(c.img.Filters, fabric.Filter{
		Name: lastSegment(at.Resource), Origin: filter, Stage: fabric.StagePort,
		Rules: []fabric.Rule{{Action: action, Origin: at}},
	})
	return []fabric.FilterID{id}
}

// deviceFilters gives ports of the platform's devices their filters. Security
// admin rules hold for none of them. A private endpoint takes part in its
// subnet's security group only where the subnet's network policies say so, and
// the group's source ports do not count there ("Manage network policies for
// private endpoints"). It reports false for other ports.
func (c *compiler) deviceFilters(p *port) bool {
	out := &c.img.Ports[p.id]
	switch {
	case p.balancer != nil:
		out.Silent = true
		at := origin(p.balancer.res, "", "")
		out.Egress = c.fixed(fabric.Drop, at, neverStarts)
		out.Ingress = c.basicFilter(p)
	case p.endpoint != nil:
		e := p.endpoint
		out.Silent = true
		at := origin(e.res, "", "")
		out.Egress = c.fixed(fabric.Drop, at, neverStarts)
		switch s := p.subnet; {
		case !e.approved():
			out.Ingress = c.fixed(fabric.Drop, at, "connection "+e.status)
		case s.nsg != nil && endpointPolicy(s, "NetworkSecurityGroupEnabled"):
			out.Ingress = []fabric.FilterID{c.filter(c.anySourcePort(s.nsg), true, fabric.StageSegment, c.scopeOf(s), false, s.nsg.res, fabric.Drop)}
		}
	case p.link != nil:
		out.Ingress = c.fixed(fabric.Drop, origin(p.link.res, "", ""), "takes no flows of its own network")
	case p.appGateway != nil:
		c.appFilters(p)
	case p.gateway != nil:
		out.Forward = &fabric.Forward{}
	case p.site != nil:
		// What a site lets through is its own affair.
	case p.paths:
		out.Silent = true
	case p.service != nil:
		out.Silent = true
		out.Egress = c.fixed(fabric.Drop, origin(p.service.res, "", ""), neverStarts)
		// What it lets in depends on the ways out of others: serviceFirewalls.
	default:
		return false
	}
	return true
}

// endpointPolicy reports whether a subnet has a network policy for its private
// endpoints switched on: "Enabled" is both. Absent is off; some API versions
// say otherwise.
func endpointPolicy(s *subnet, name string) bool {
	given := s.view.Properties.PrivateEndpointNetworkPolicies
	return strings.EqualFold(given, "Enabled") || strings.EqualFold(given, name)
}

// anySourcePort returns a security group's rules with every source port.
func (c *compiler) anySourcePort(n *nsg) *ruleSet {
	if set, ok := c.portless[n.rules]; ok {
		return set
	}
	set := &ruleSet{in: slices.Clone(n.rules.in), virtual: n.rules.virtual, internet: n.rules.internet}
	for i := range set.in {
		set.in[i].srcPorts = fabric.AnySet
	}
	c.portless[n.rules] = set
	return set
}

// basicFilter keeps what comes by global peering from the frontends of a Basic
// load balancer ("Virtual network peering", constraints of global peering).
func (c *compiler) basicFilter(p *port) []fabric.FilterID {
	if !p.balancer.basic || !basicStaysInRegion {
		return nil
	}
	var far []netip.Prefix
	for _, r := range p.subnet.vnet.reach {
		if r.kind == routeGlobalPeering {
			far = append(far, r.prefixes...)
		}
	}
	if len(far) == 0 {
		return nil
	}
	ids := c.fixed(fabric.Drop, origin(p.balancer.res, "", ""), "Basic load balancers are not reached by global peering")
	f := &c.img.Filters[ids[0]]
	f.Rules[0].Match[fabric.Src] = c.sets.id(fabric.PrefixSet(far...))
	f.Default = fabric.Pass
	return ids
}
