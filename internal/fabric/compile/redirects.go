package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// balance writes down the rules of load balancers as redirects ("What is Azure
// Load Balancer", components): load-balancing rules, inbound NAT rules and
// pools, and high-availability ports last. It comes after the filters because
// a probe that they drop takes a member out.
func (c *compiler) balance() {
	for _, b := range c.balancers {
		for _, f := range b.frontends {
			if out := &c.img.Ports[f.port.id]; out.Inward == nil {
				out.Inward = &fabric.Inward{Addrs: fabric.AnySet} // whatever is routed to it
			}
		}
		c.balancingRules(b, false)
		c.natRules(b)
		c.natPools(b)
		c.balancingRules(b, true)
	}
}

// redirection is a redirect in the making.
type redirection struct {
	frontend   *frontend
	redirect   fabric.Redirect
	candidates []fabric.Target
	backPort   uint16 // backend port of the rule
	dstPort    uint16 // of the targets; 0 keeps the packet's
	probe      *wire.Probe
	asks       *fabric.Probe // the probe as its targets share it
	public     bool
	v6         bool
	pointer    string
	res        *model.Resource
}

// done adds the redirect to the frontend's port and returns it.
func (c *compiler) done(d *redirection) fabric.Redirect {
	d.redirect.Targets = d.candidates
	d.redirect.Settle(c.img)
	for _, other := range c.img.Ports[d.frontend.port.id].Inward.Redirects {
		if c.meet(&other, &d.redirect) {
			c.problem(d.res, d.pointer, fmt.Sprintf("rules %q and %q take the same packets of a frontend", other.Name, d.redirect.Name), "give them other ports or protocols")
			break
		}
	}
	c.redirect(d.frontend.port, d.redirect)
	return d.redirect
}

// meet reports whether two redirects of one frontend overlap, which Azure
// refuses.
func (c *compiler) meet(a, b *fabric.Redirect) bool {
	if a.Match[fabric.Dst] != b.Match[fabric.Dst] {
		return false
	}
	overlap := func(f fabric.Field) bool {
		x, y := a.Match[f], b.Match[f]
		return x == y || x == fabric.AnySet || y == fabric.AnySet || c.sets.get(x).Overlaps(c.sets.get(y))
	}
	return overlap(fabric.DstPort) && overlap(fabric.Proto)
}

func (c *compiler) redirect(p *port, r fabric.Redirect) {
	to := c.img.Ports[p.id].Inward
	to.Redirects = append(to.Redirects, r)
}

// begin starts the redirect of a rule at a frontend. It reports false if the
// rule is wrong, which is then reported, or never takes a packet.
func (c *compiler) begin(b *balancer, ref *wire.Ref, name, protocol string, r *model.Resource, pointer string) (*redirection, bool) {
	if ref == nil {
		c.problem(r, pointer, fmt.Sprintf("rule %q has no frontend", name), "name a frontend IP configuration of the load balancer")
		return nil, false
	}
	f, ok := c.frontends[strings.ToLower(ref.ID)]
	if !ok || f.balancer != b {
		if !slices.ContainsFunc(b.view.Properties.FrontendIPConfigurations, func(v wire.FrontendIPConfiguration) bool {
			return strings.EqualFold(b.key+"/frontendipconfigurations/"+v.Name, ref.ID)
		}) {
			c.dangling(r, pointer+"/properties/frontendIPConfiguration", "frontend", ref.ID)
		}
		return nil, false
	}
	proto, ok := balancedProtocol(protocol)
	if !ok {
		c.problem(r, pointer+"/properties/protocol", fmt.Sprintf("protocol %q of rule %q is not known", protocol, name), "use Tcp, Udp or All")
		return nil, false
	}
	addr, public := c.frontendAddr(f)
	if !addr.IsValid() {
		return nil, false
	}
	out := &redirection{frontend: f, public: public, v6: addr.Is6(), pointer: pointer, res: r}
	out.redirect.Name, out.redirect.Origin = name, origin(r, pointer, name)
	out.redirect.Match[fabric.Dst] = c.sets.id(fabric.AddrSet(addr))
	out.redirect.Match[fabric.Proto] = c.sets.id(proto)
	return out, true
}

// balancedProtocol returns the protocols of a rule: a load balancer moves TCP
// and UDP, never ICMP; "All" is both.
func balancedProtocol(name string) (fabric.Set, bool) {
	tcp, udp := fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP), fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP)
	switch strings.ToLower(name) {
	case "tcp":
		return tcp, true
	case "udp", "quic":
		return udp, true
	case "all":
		return tcp.Union(udp), true
	}
	return nil, false
}

// setPorts sets the frontend ports of a redirect and the backend port of its
// targets. Both 0 keeps every port.
func (c *compiler) setPorts(d *redirection, from, to, backend int) bool {
	for _, n := range []int{from, to, backend} {
		if n < 0 || n > 65535 {
			c.problem(d.res, d.pointer+"/properties", fmt.Sprintf("port %d of rule %q is out of range", n, d.redirect.Name), "use 1 to 65535, or 0 for every port")
			return false
		}
	}
	if from != 0 {
		d.redirect.Match[fabric.DstPort] = c.sets.id(fabric.NumSet(uint16(from), uint16(to)))
	}
	d.backPort, d.dstPort = uint16(backend), uint16(backend)
	return true
}

// balancingRules adds the load-balancing rules of a load balancer: those for
// high-availability ports, or the others.
func (c *compiler) balancingRules(b *balancer, allPorts bool) {
	for i := range b.view.Properties.LoadBalancingRules {
		rule := &b.view.Properties.LoadBalancingRules[i]
		p := &rule.Properties
		if isPortsRule(p) != allPorts {
			continue
		}
		pointer := fmt.Sprintf("/properties/loadBalancingRules/%d", i)
		d, ok := c.begin(b, p.FrontendIPConfiguration, rule.Name, p.Protocol, b.res, pointer)
		if !ok || !c.setPorts(d, p.FrontendPort, p.FrontendPort, p.BackendPort) {
			continue
		}
		switch strings.ToLower(p.LoadDistribution) {
		case "", "default":
		case "sourceip":
			d.redirect.Hash = fabric.HashTwo
		case "sourceipprotocol":
			d.redirect.Hash = fabric.HashThree
		default:
			c.problem(b.res, pointer+"/properties/loadDistribution", fmt.Sprintf("load distribution %q of rule %q is not known", p.LoadDistribution, rule.Name), "use Default, SourceIP or SourceIPProtocol")
		}
		if p.EnableFloatingIP {
			if p.FrontendPort != p.BackendPort {
				c.problem(b.res, pointer+"/properties/backendPort", fmt.Sprintf("rule %q floats its address with backend port %d for frontend port %d", rule.Name, p.BackendPort, p.FrontendPort), "use the same port on both sides")
			}
			d.redirect.Floating, d.dstPort = true, 0
		}
		d.redirect.Timers.Idle, d.redirect.Reset = minutes(p.IdleTimeout), resets(p.EnableTCPReset && !(allPorts && !d.public && haPortsNeverReset))
		d.redirect.EndsAllDown, d.redirect.Nearest = b.basic, b.isGlobal()
		d.redirect.Drain = c.drain(p)
		if p.Probe != nil {
			if d.probe = b.probe(p.Probe.ID); d.probe == nil {
				c.dangling(b.res, pointer+"/properties/probe", "probe", p.Probe.ID)
			}
		}
		for _, m := range c.poolsOf(b, p, pointer) {
			d.candidates = append(d.candidates, c.targets(d, &m)...)
		}
		if r := c.done(d); allPorts && !d.public {
			c.redirect(d.frontend.port, routed(r))
		}
	}
}

// routed is the second redirect of a high-availability ports rule: what routes
// bring to the frontend for others keeps its destination, and the appliance
// that gets it forwards it.
func routed(r fabric.Redirect) fabric.Redirect {
	r.Match[fabric.Dst], r.Floating, r.Symmetric = fabric.AnySet, false, true
	r.Targets = slices.Clone(r.Targets)
	for i := range r.Targets {
		r.Targets[i].Addr, r.Targets[i].DstPort = netip.Addr{}, 0
	}
	return r
}

// poolsOf returns the members of a rule's pools.
func (c *compiler) poolsOf(b *balancer, p *wire.LoadBalancingRuleProperties, pointer string) []member {
	var refs []wire.Ref
	if p.BackendAddressPool != nil {
		refs = append(refs, *p.BackendAddressPool)
	}
	for _, ref := range p.BackendAddressPools {
		if !slices.ContainsFunc(refs, func(r wire.Ref) bool { return strings.EqualFold(r.ID, ref.ID) }) {
			refs = append(refs, ref)
		}
	}
	var out []member
	for _, ref := range refs {
		pool, ok := c.pools[strings.ToLower(ref.ID)]
		if !ok || pool.balancer != b {
			c.dangling(b.res, pointer+"/properties/backendAddressPool", "backend pool", ref.ID)
			continue
		}
		out = append(out, pool.members...)
	}
	return out
}

// isGlobal reports whether a load balancer stands before those of regions.
func (b *balancer) isGlobal() bool {
	return b.view.SKU != nil && strings.EqualFold(b.view.SKU.Tier, "Global")
}

// drain returns the longest time that a pool of a rule gives the flows of a
// member that is taken out.
func (c *compiler) drain(p *wire.LoadBalancingRuleProperties) time.Duration {
	var longest int
	for key, pool := range c.pools {
		if !usesPool(p, key) {
			continue
		}
		longest = max(longest, pool.drain)
	}
	return time.Duration(longest) * time.Second
}

func (b *balancer) probe(id string) *wire.Probe {
	for i := range b.view.Properties.Probes {
		if p := &b.view.Properties.Probes[i]; strings.EqualFold(b.key+"/probes/"+p.Name, id) {
			return p
		}
	}
	return nil
}

// targets returns the targets that a member of a pool stands for: itself, or
// behind a regional frontend the targets of the rule there.
func (c *compiler) targets(d *redirection, m *member) []fabric.Target {
	if m.frontend != "" {
		return c.regional(d, m)
	}
	if m.port == nil {
		return c.unknownTarget(nil, d.redirect.Origin, m.name+" is not among the resources")
	}
	if m.addr.IsValid() && m.addr.Is6() != d.v6 {
		return nil // of the other family
	}
	t := fabric.Target{Port: m.port.id}
	if !d.redirect.Floating {
		t.Addr, t.DstPort = m.addr, d.dstPort
	}
	t.Closed = standardPublicIPNeedsNSG && d.public && !d.frontend.balancer.basic &&
		m.port.opaque == nil && m.port.nsg == nil && m.port.subnet.nsg == nil
	switch {
	case c.img.Ports[m.port.id].Kind == fabric.PortVacant:
		// There is nobody to ask.
		t.Down = fmt.Sprintf("no interface has the address %s", m.addr)
	case d.probe == nil || strings.EqualFold(m.admin, "Up"):
		// Administrative states count for rules with a probe only ("Azure Load
		// Balancer administrative state").
	case strings.EqualFold(m.admin, "Down"):
		t.Down = "its administrative state is Down"
	default:
		if m.port.opaque == nil {
			t.Probe, t.Own = d.question(), m.addr
		}
		action, at := c.probed(m, d.probe)
		switch {
		case action == fabric.Drop:
			t.Fails = fmt.Sprintf("%s of %s drops the probe of port %d", at.Name, lastSegment(at.Resource), d.probe.Properties.Port)
		case action == fabric.Unknown && m.port.opaque == nil:
			return c.unknownTarget(m.port, at, fmt.Sprintf("whether the probe of port %d reaches %s is unknown", d.probe.Properties.Port, m.name))
		}
	}
	return []fabric.Target{t}
}

// probed decides with the member's own filters whether a probe gets through
// ("Azure Load Balancer health probes": probes come from 168.63.129.16; those
// for IPv6 from a link-local address that the same service tag stands for, so
// that the same address is used here).
func (c *compiler) probed(m *member, probe *wire.Probe) (fabric.Action, fabric.Origin) {
	c.probedGroups[m.port.nsg], c.probedGroups[m.port.subnet.nsg] = true, true
	packet := fabric.Packet{Src: catalog.WireServer, Dst: m.addr, Proto: fabric.ProtoTCP, SrcPort: ephemeralPort, DstPort: uint16(probe.Properties.Port)}
	for _, id := range c.img.Ports[m.port.id].Ingress {
		f := &c.img.Filters[id]
		action, at := f.Default, f.Origin
		if i := slices.IndexFunc(f.Rules, func(r fabric.Rule) bool { return c.matches(&r, packet) }); i >= 0 {
			action, at = f.Rules[i].Action, f.Rules[i].Origin
		}
		if at.Name == "" {
			at.Name = f.Name
		}
		switch action {
		case fabric.Drop, fabric.Unknown:
			return action, at
		case fabric.Bypass:
			return fabric.Pass, at
		}
	}
	return fabric.Pass, fabric.Origin{}
}

// ephemeralPort is the source port of probes; which one it is does not matter
// to rules that anybody writes.
const ephemeralPort = 49152

func (c *compiler) matches(r *fabric.Rule, p fabric.Packet) bool {
	for f := range fabric.NumFields {
		if id := r.Match[f]; id != fabric.AnySet && !c.sets.get(id).Contains(p.Field(f)) {
			return false
		}
	}
	return true
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// regional returns the targets behind a member of a global load balancer: those
// of the rule that the regional load balancer has for its frontend and the
// global rule's backend port ("Cross-region load balancer": the two ports must
// be equal). Which region takes a flow is a choice among all of them.
func (c *compiler) regional(d *redirection, m *member) []fabric.Target {
	f, ok := c.frontends[m.frontend]
	if !ok {
		return c.unknownTarget(nil, d.redirect.Origin, fmt.Sprintf("regional frontend %s is not among the resources", m.name))
	}
	rules := f.balancer.view.Properties.LoadBalancingRules
	for i := range rules {
		p := &rules[i].Properties
		if p.FrontendIPConfiguration == nil || !strings.EqualFold(p.FrontendIPConfiguration.ID, m.frontend) || p.FrontendPort != int(d.backPort) {
			continue
		}
		theirs, ok := balancedProtocol(p.Protocol)
		if !ok || theirs.Intersect(c.sets.get(d.redirect.Match[fabric.Proto])).IsEmpty() {
			continue
		}
		inner := *d
		inner.frontend, inner.probe, inner.asks = f, nil, nil
		inner.candidates = nil
		inner.dstPort = uint16(p.BackendPort)
		if p.EnableFloatingIP != d.redirect.Floating {
			return c.unknownTarget(nil, d.redirect.Origin, fmt.Sprintf("rules %q and %q differ in floating IP", d.redirect.Name, rules[i].Name))
		}
		if p.Probe != nil {
			inner.probe = f.balancer.probe(p.Probe.ID)
		}
		for _, member := range c.poolsOf(f.balancer, p, fmt.Sprintf("/properties/loadBalancingRules/%d", i)) {
			if member.frontend == "" {
				inner.candidates = append(inner.candidates, c.targets(&inner, &member)...)
			}
		}
		return inner.candidates
	}
	return nil // no rule there: the region takes nothing
}

// natRules adds the inbound NAT rules of a load balancer ("Inbound NAT rules"):
// one frontend port for one interface, or a range of which each member of a
// pool has one, the lowest for the first unless the pool says which.
func (c *compiler) natRules(b *balancer) {
	for _, rule := range b.nat {
		p := &rule.view.Properties
		name := rule.view.Name
		if p.BackendAddressPool != nil {
			c.natRange(b, &rule)
			continue
		}
		d, ok := c.begin(b, p.FrontendIPConfiguration, name, p.Protocol, rule.res, rule.pointer)
		if !ok || !c.setPorts(d, p.FrontendPort, p.FrontendPort, p.BackendPort) {
			continue
		}
		if p.EnableFloatingIP {
			d.redirect.Floating, d.dstPort = true, 0
		}
		d.redirect.Timers.Idle, d.redirect.Reset = minutes(p.IdleTimeout), resets(p.EnableTCPReset)
		if m, ok := c.natMember(&rule); ok {
			d.candidates = c.targets(d, &m)
		}
		c.done(d)
	}
}

// natMember finds the interface of an inbound NAT rule: the rule names it, or
// it the rule.
func (c *compiler) natMember(rule *natRule) (member, bool) {
	if ref := rule.view.Properties.BackendIPConfiguration; ref != nil {
		key := strings.ToLower(ref.ID)
		if at, ok := c.configs[key]; ok {
			return c.memberAt(at, key, origin(rule.res, rule.pointer, rule.view.Name)), true
		}
		c.note(rule.res, rule.pointer, rule.view.Name, fmt.Sprintf("interface configuration %s is not among the resources; what it does is unknown", ref.ID))
		return member{name: lastSegment(ref.ID)}, true
	}
	m, ok := c.natConfigs[rule.key]
	return m, ok
}

func (c *compiler) natRange(b *balancer, rule *natRule) {
	p := &rule.view.Properties
	pool, ok := c.pools[strings.ToLower(p.BackendAddressPool.ID)]
	if !ok || pool.balancer != b {
		c.dangling(rule.res, rule.pointer+"/properties/backendAddressPool", "backend pool", p.BackendAddressPool.ID)
		return
	}
	given := make([]wire.NATPortMapping, len(pool.members))
	taken := map[int]bool{}
	for i := range pool.members {
		for _, m := range pool.members[i].mapped {
			if strings.EqualFold(m.InboundNATRuleName, rule.view.Name) {
				given[i] = m
				taken[m.FrontendPort] = true
			}
		}
	}
	next := p.FrontendPortRangeStart
	for i := range pool.members {
		m := &pool.members[i]
		frontPort, backPort := given[i].FrontendPort, given[i].BackendPort
		if frontPort == 0 {
			for taken[next] {
				next++
			}
			frontPort, backPort = next, p.BackendPort
			next++
		}
		if frontPort > p.FrontendPortRangeEnd {
			c.problem(rule.res, rule.pointer+"/properties/frontendPortRangeEnd", fmt.Sprintf("rule %q has no port for %q", rule.view.Name, m.name), "widen the range of frontend ports")
			return
		}
		d, ok := c.begin(b, p.FrontendIPConfiguration, rule.view.Name, p.Protocol, rule.res, rule.pointer)
		if !ok || !c.setPorts(d, frontPort, frontPort, backPort) {
			return
		}
		if p.EnableFloatingIP {
			d.redirect.Floating, d.dstPort = true, 0
		}
		d.redirect.Timers.Idle, d.redirect.Reset = minutes(p.IdleTimeout), resets(p.EnableTCPReset)
		d.candidates = c.targets(d, m)
		c.done(d)
	}
}

// natPools adds the inbound NAT pools: each frontend port of the range belongs
// to some instance of the scale sets that name the pool.
func (c *compiler) natPools(b *balancer) {
	for i := range b.view.Properties.InboundNATPools {
		pool := &b.view.Properties.InboundNATPools[i]
		p := &pool.Properties
		d, ok := c.begin(b, p.FrontendIPConfiguration, pool.Name, p.Protocol, b.res, fmt.Sprintf("/properties/inboundNatPools/%d", i))
		if !ok || !c.setPorts(d, p.FrontendPortRangeStart, p.FrontendPortRangeEnd, p.BackendPort) {
			continue
		}
		d.redirect.Timers.Idle, d.redirect.Reset = minutes(p.IdleTimeout), resets(p.EnableTCPReset)
		key := b.key + "/inboundnatpools/" + strings.ToLower(pool.Name)
		for _, port := range c.ports {
			if port.opaque != nil && slices.Contains(c.claims.pools[port.opaque.item.key], key) {
				m := c.opaqueMember(port)
				d.candidates = append(d.candidates, c.targets(d, &m)...)
			}
		}
		c.done(d)
	}
}

// unknownTarget returns a target of which nobody knows what it does, because
// of a rule or a missing resource: a port without an address at which every
// packet is unknown. It has the place of the port it stands for, if any.
func (c *compiler) unknownTarget(of *port, at fabric.Origin, why string) []fabric.Target {
	key := unknownKey{of, at, why}
	id, ok := c.unknowns[key]
	if !ok {
		s := c.platformIn(nil)
		if of != nil {
			s = of.subnet
		}
		p := c.newPort(s, fabric.PortEndpoint, why, at)
		p.undecided = true
		out := &c.img.Ports[p.id]
		out.Addrs, out.Silent = c.sets.empty, true
		out.Ingress = c.fixed(fabric.Unknown, at, why)
		out.Egress = c.fixed(fabric.Drop, at, neverStarts)
		out.Routes = c.systemTable(s)
		c.noteAt(at, why+"; what is handed to it is unknown")
		id = p.id
		c.unknowns[key] = id
	}
	return []fabric.Target{{Port: id}}
}

// unknownKey tells unknown targets apart.
type unknownKey struct {
	of  *port
	at  fabric.Origin
	why string
}
