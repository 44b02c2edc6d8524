package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// balancer is one load balancer.
type balancer struct {
	name, region string
	spec         LoadBalancer
	frontends    []*frontend
	members      []*host
	id           model.ID
	global       bool // it stands before those of regions
}

// frontend is one address of a load balancer.
type frontend struct {
	name   string
	spec   Frontend
	subnet *subnet // nil: public
	holder *holder
	public netip.Addr
	id     model.ID
}

// memberPool is the name of the one backend pool of a load balancer.
const memberPool = "members"

func (l *balancer) pool() model.ID { return l.id.Child("backendAddressPools", memberPool) }

// public is the name of a public frontend's address.
func (f *frontend) publicName(l *balancer) string { return l.name + "-" + f.name }

// private returns the address of its one internal frontend, as a next hop.
func (l *balancer) private() (netip.Addr, *complaint) {
	var found []*holder
	for _, f := range l.frontends {
		if f.holder != nil {
			found = append(found, f.holder)
		}
	}
	switch {
	case len(found) == 0:
		return netip.Addr{}, complain("give it a frontend with subnet: NAME", "load balancer %s is public, and no next hop", l.name)
	case len(found) > 1:
		return netip.Addr{}, complain("write the address of one", "load balancer %s has several internal frontends", l.name)
	}
	return found[0].addr, nil
}

func (b *builder) declareBalancers() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.LoadBalancers {
		for _, p := range place(b, spec, head{"a load balancer", spec.Each, spec.Name, spec.Region, spec.Pos}) {
			b.declareBalancer(p.spec, p.region, taken)
		}
	}
}

func (b *builder) declareBalancer(spec LoadBalancer, region string, taken map[string]model.Pos) {
	l := &balancer{name: spec.Name.Value, region: region, spec: spec}
	if !b.claimName(taken, spec.Name, "load balancer") {
		return
	}
	if l.global = spec.Global.Or(false); l.global {
		b.globalBalancer(l)
	} else {
		b.balancerMembers(l)
	}
	if l.region == "" && len(l.members) > 0 {
		l.region = l.members[0].subnet.vnet.region
	}
	if !b.regionOf(l.region, spec.Name, "load balancer") {
		return
	}
	l.id = b.groupOf(l.region).Resource(model.TypeLoadBalancer, l.name)
	for _, m := range l.members {
		m.pools = append(m.pools, wireRef(l.pool()))
	}
	if len(spec.Members) == 0 {
		b.warn(spec.Name.Pos, "add members: [HOST]", "load balancer %s has no members", l.name)
	}
	if len(spec.Frontends) == 0 {
		b.problem(spec.Name.Pos, "add frontends: {NAME: {public-ip: true}} or {NAME: {subnet: NAME}}", "load balancer %s has no frontend", l.name)
	}
	for _, e := range spec.Frontends {
		if f, ok := b.declareFrontend(l, e); ok {
			l.frontends = append(l.frontends, f)
		}
	}
	b.balancers = append(b.balancers, l)
}

// claimName notes the name of something that exists once in the network.
func (b *builder) claimName(taken map[string]model.Pos, name Text, what string) bool {
	low := strings.ToLower(name.Value)
	if first, dup := taken[low]; dup {
		b.problem(name.Pos, fmt.Sprintf("it is already at %s; rename one", first), "duplicate %s %q", what, name.Value)
		return false
	}
	taken[low] = name.Pos
	b.claimed = append(b.claimed, claim{what, name.Value})
	return true
}

// claim is a name that something declared has taken, whether or not the rest of
// it is as it should be.
type claim struct{ what, name string }

// namesSoFar are the names of what is declared. What has a problem of its own has
// a name all the same, so that nobody who speaks of it is corrected as well.
func (b *builder) namesSoFar() *names {
	n := namesOf(b.resources, b.internet)
	kinds := map[string]model.LabelKind{
		"application gateway": model.LabelAppGateway, "load balancer": model.LabelBalancer, "private endpoint": model.LabelEndpoint,
		"gateway": model.LabelGateway, "site": model.LabelSite, "service": model.LabelService,
	}
	for _, c := range b.claimed {
		if kind, ok := kinds[c.what]; ok {
			n.add(kind, c.name)
		}
	}
	return n
}

// failed reports whether a name is that of a load balancer or application gateway
// that has a problem of its own, and so is not there.
func (b *builder) failed(name string) bool {
	same := func(s string) bool { return strings.EqualFold(s, name) }
	return slices.ContainsFunc(b.claimed, func(c claim) bool {
		return same(c.name) && (c.what == "application gateway" || c.what == "load balancer")
	}) &&
		!slices.ContainsFunc(b.balancers, func(l *balancer) bool { return same(l.name) }) &&
		!slices.ContainsFunc(b.appGateways, func(g *appGateway) bool { return same(g.name) })
}

// balancerMembers finds the members. They are in one virtual network ("Backend
// pool management").
func (b *builder) balancerMembers(l *balancer) {
	for _, t := range l.spec.Members {
		h, ok := b.hostCalled(t)
		switch {
		case !ok:
		case slices.Contains(l.members, h):
			b.problem(t.Pos, "name it once", "host %s is a member of %s twice", h.name, l.name)
		case l.region != "" && h.subnet.vnet.region != l.region:
			b.problem(t.Pos, "name hosts in "+l.region, "host %s is in %s, load balancer %s in %s", h.name, h.subnet.vnet.region, l.name, l.region)
		case len(l.members) > 0 && l.members[0].subnet.vnet != h.subnet.vnet:
			b.problem(t.Pos, "name hosts of one virtual network", "host %s is in %s, and the first member of %s in %s", h.name, h.subnet.vnet.name, l.name, l.members[0].subnet.vnet.name)
		default:
			l.members = append(l.members, h)
		}
	}
}

func (b *builder) declareFrontend(l *balancer, e Entry[Frontend]) (*frontend, bool) {
	if !b.checkName(e.Key, "a frontend") {
		return nil, false
	}
	f := &frontend{name: e.Key.Value, spec: e.Value, id: l.id.Child("frontendIPConfigurations", e.Key.Value)}
	switch sp := e.Value; {
	case sp.PublicIP.Wanted == sp.Subnet.IsSet():
		b.problem(e.Key.Pos, "write public-ip: true or subnet: NAME", "frontend %s of %s must be either public or in a subnet", f.name, l.name)
		return nil, false
	case sp.PublicIP.Wanted && sp.Address.IsSet():
		b.problem(sp.Address.Pos, "write public-ip: {address: A}", "frontend %s of %s is public and has no private address", f.name, l.name)
	case sp.Subnet.IsSet():
		s, ok := b.subnetNamed(sp.Subnet, l.region)
		if !ok {
			return nil, false
		}
		if s.vnet.region != l.region {
			b.problem(sp.Subnet.Pos, "name a subnet in "+l.region, "subnet %s is in %s, load balancer %s in %s", s.name, s.vnet.region, l.name, l.region)
			return nil, false
		}
		if len(l.members) > 0 && s.vnet != l.members[0].subnet.vnet {
			b.problem(sp.Subnet.Pos, "name a subnet of "+l.members[0].subnet.vnet.name, "subnet %s is in %s, and the members of %s are in %s", s.name, s.vnet.name, l.name, l.members[0].subnet.vnet.name)
		}
		if _, reserved := catalog.ReservedSubnet(s.name); reserved {
			b.problem(sp.Subnet.Pos, "put it into another subnet", "frontend %s of %s cannot be in %s, which Azure reserves", f.name, l.name, s.name)
			return nil, false
		}
		f.subnet = s
		f.holder = &holder{what: "frontend", name: l.name + "/" + f.name, given: sp.Address, pos: e.Key.Pos}
		s.holders = append(s.holders, f.holder)
	}
	return f, true
}

// balancerWriter collects the parts of one load balancer's document.
type balancerWriter struct {
	b  *builder
	l  *balancer
	at map[string]model.Pos
}

func (b *builder) emitBalancers() {
	for _, l := range b.balancers {
		b.emitBalancer(l)
	}
}

func (b *builder) emitBalancer(l *balancer) {
	sku := b.oneOf("sku", l.spec.SKU, "Standard", map[string]string{"Standard": "Standard", "Basic": "Basic"})
	w := &balancerWriter{b, l, map[string]model.Pos{}}
	properties := object{
		"frontendIPConfigurations": w.frontends(sku),
		"backendAddressPools":      list{w.pool(sku)},
		"probes":                   w.probes(),
		"inboundNatRules":          w.natRules(),
		"outboundRules":            w.outboundRules(),
	}
	properties["loadBalancingRules"] = w.rules()
	if l.spec.HAPorts.Or(false) {
		properties["loadBalancingRules"] = append(properties["loadBalancingRules"].(list), w.haPorts()...)
		if sku == "Basic" {
			b.problem(l.spec.HAPorts.Pos, "use sku: Standard", "a Basic load balancer has no high-availability ports")
		}
	}
	if sku == "Basic" && len(l.spec.OutboundRules) > 0 {
		b.problem(l.spec.OutboundRules[0].Pos, "use sku: Standard", "a Basic load balancer has no outbound rules")
	}
	b.emit(l.id, object{
		"location": l.region, "sku": object{"name": sku, "tier": l.tier()}, "properties": properties,
	}, l.spec.Name.Pos, w.at)
}

// pool is the pool of the members.
func (w *balancerWriter) pool(sku string) object {
	p := object{"name": memberPool}
	if w.l.global {
		p["properties"] = object{"loadBalancerBackendAddresses": w.regional()}
		return p
	}
	if d := w.l.spec.Drain; d.IsSet() {
		if sku == "Basic" {
			w.b.problem(d.Pos, "use sku: Standard", "a Basic load balancer does not drain")
		}
		p["properties"] = object{"drainPeriodInSeconds": w.b.inRange(d, 1, 1, 4000, "a number of seconds")}
	}
	return p
}

// reset asks for TCP resets if the rule does ("Load Balancer TCP Reset and Idle
// Timeout").
func (w *balancerWriter) reset(p object, r Bool) {
	if !r.Or(false) {
		return
	}
	if w.l.spec.SKU.Value == "Basic" {
		w.b.problem(r.Pos, "use sku: Standard", "a Basic load balancer sends no TCP resets")
	}
	p["enableTcpReset"] = true
}

// mark notes the place of a part.
func (w *balancerWriter) mark(part string, i int, pos model.Pos) {
	w.at["/properties/"+part+"/"+strconv.Itoa(i)] = pos
}

func (w *balancerWriter) frontends(sku string) list {
	out := list{}
	for _, f := range w.l.frontends {
		p := object{}
		if f.subnet == nil {
			p["publicIPAddress"] = ref(w.b.emitPublicIPOf(w.l.tier(), w.l.region, f.publicName(w.l), sku, f.public, f.spec.PublicIP.Pos, f.spec.Pos))
		} else {
			p["subnet"] = ref(f.subnet.id)
			p["privateIPAllocationMethod"], p["privateIPAddressVersion"] = "Static", "IPv4"
			if f.holder.addr.IsValid() {
				p["privateIPAddress"] = f.holder.addr.String()
			}
		}
		w.mark("frontendIPConfigurations", len(out), f.spec.Pos)
		out = append(out, object{"name": f.name, "properties": p})
	}
	return out
}

func (w *balancerWriter) probes() list {
	out := list{}
	for _, e := range w.l.spec.Probes {
		w.b.checkName(e.Key, "a probe")
		protocol := w.b.oneOf("protocol", e.Value.Protocol, "tcp", map[string]string{"tcp": "Tcp", "http": "Http", "https": "Https"})
		if !e.Value.Port.IsSet() {
			w.b.problem(e.Key.Pos, "add port: NUMBER", "probe %s of %s has no port", e.Key.Value, w.l.name)
		}
		p := object{
			"protocol": protocol, "port": w.b.inRange(e.Value.Port, 0, 1, 65535, "a port"),
			"probeThreshold":    w.b.inRange(e.Value.Threshold, 1, 1, 100, "a number of answers"),
			"intervalInSeconds": w.b.inRange(e.Value.Interval, 15, 5, 1<<20, "a number of seconds from 5"),
		}
		if w.b.oneOf("all-down", e.Value.AllDown, "none", map[string]string{"none": "AllProbedDown", "all": "AllProbedUp"}) == "AllProbedUp" {
			p["noHealthyBackendsBehavior"] = "AllProbedUp"
		}
		switch {
		case protocol != "Tcp":
			p["requestPath"] = e.Value.Path.Or("/", e.Key.Pos).Value
		case e.Value.Path.IsSet():
			w.b.problem(e.Value.Path.Pos, "use protocol: http", "a tcp probe has no path")
		}
		w.mark("probes", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": p})
	}
	return out
}

// frontend resolves the name of a frontend, or the only one.
func (w *balancerWriter) frontend(t Text, pos model.Pos) (*frontend, bool) {
	var names []string
	for _, f := range w.l.frontends {
		if strings.EqualFold(f.name, t.Value) {
			return f, true
		}
		names = append(names, f.name)
	}
	switch {
	case !t.IsSet() && len(w.l.frontends) == 1:
		return w.l.frontends[0], true
	case t.IsSet():
		w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under frontends"), "load balancer %s has no frontend %q", w.l.name, t.Value)
	case len(names) > 1:
		w.b.problem(pos, "add frontend: "+strings.Join(names, " or "), "load balancer %s has several frontends", w.l.name)
	}
	return nil, false
}

// probe resolves the name of a probe, or the only one.
func (w *balancerWriter) probe(t Text, pos model.Pos) (object, bool) {
	names := w.l.spec.Probes.Keys()
	switch {
	case t.Value == none || !t.IsSet() && len(names) == 0:
		return nil, false
	case !t.IsSet() && len(names) == 1:
		return ref(w.l.id.Child("probes", names[0])), true
	case !t.IsSet():
		w.b.problem(pos, "add probe: "+strings.Join(names, " or ")+", or none", "load balancer %s has several probes", w.l.name)
	case slices.Contains(names, t.Value):
		return ref(w.l.id.Child("probes", t.Value)), true
	default:
		w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under probes, or write none"), "load balancer %s has no probe %q", w.l.name, t.Value)
	}
	return nil, false
}

// balanced is a protocol with a range of ports, as load balancers know them.
type balanced struct {
	protocol string
	lo, hi   uint16
}

// traffic reads what a rule is about: TCP and UDP with their ports.
func (w *balancerWriter) traffic(t Text, pos model.Pos) []balanced {
	if !t.IsSet() {
		w.b.problem(pos, "add traffic: tcp/443", "a rule of load balancer %s has no traffic", w.l.name)
		return nil
	}
	traffic, c := parseTraffic(strings.Fields(t.Value))
	if c != nil {
		w.b.problem(t.Pos, c.fix, "%s", c.what)
		return nil
	}
	var out []balanced
	for _, tr := range traffic {
		protocol := map[uint8]string{protocolTCP: "Tcp", protocolUDP: "Udp"}[tr.Protocol]
		if protocol == "" || len(tr.Ports) == 0 {
			w.b.problem(t.Pos, "write tcp/443 or udp/53; for every port use ha-ports: true", "a load balancer hands on ports of tcp and udp, not %q", t.Value)
			return nil
		}
		for _, p := range tr.Ports {
			out = append(out, balanced{protocol, p.Lo, p.Hi})
		}
	}
	return out
}

func (w *balancerWriter) rules() list {
	out := list{}
	used := map[string]model.Pos{}
	for i, r := range w.l.spec.Rules {
		f, ok := w.frontend(r.Frontend, r.Pos)
		ports := w.traffic(r.Traffic, r.Pos)
		if !ok {
			continue
		}
		base := r.Name.Or(fmt.Sprintf("rule-%d", i+1), r.Pos)
		for j, p := range ports {
			if p.lo != p.hi {
				w.b.problem(r.Traffic.Pos, "write the ports one by one, or use ha-ports: true", "a rule of a load balancer has one port, not %d-%d", p.lo, p.hi)
				break
			}
			name := base
			if j > 0 {
				name.Value += "-" + strconv.Itoa(j+1)
			}
			if r.FloatingIP.Or(false) && r.ToPort.IsSet() && r.ToPort.Value != int(p.lo) {
				w.b.problem(r.ToPort.Pos, "remove one of them", "with floating-ip the port stays as it is")
			}
			if key := fmt.Sprint(strings.ToLower(f.name), p); w.b.claimPart(used, key, r.Pos, fmt.Sprintf("port %d of frontend %s", p.lo, f.name)) {
				out = w.addRule(out, f, r, name, object{
					"protocol": p.protocol, "frontendPort": int(p.lo), "backendPort": w.b.inRange(r.ToPort, int(p.lo), 1, 65535, "a port"),
				})
			}
		}
	}
	return out
}

// claimPart notes that a part is given once.
func (b *builder) claimPart(used map[string]model.Pos, key string, pos model.Pos, what string) bool {
	if first, dup := used[key]; dup {
		b.problem(pos, fmt.Sprintf("it is already at %s; keep one", first), "%s is given twice", what)
		return false
	}
	used[key] = pos
	return true
}

// addRule completes a load-balancing rule.
func (w *balancerWriter) addRule(out list, f *frontend, r BalancingRule, name Text, p object) list {
	w.b.checkName(name, "a rule")
	p["frontendIPConfiguration"], p["backendAddressPool"] = ref(f.id), ref(w.l.pool())
	if probe, ok := w.probe(r.Probe, r.Pos); ok {
		p["probe"] = probe
	}
	p["loadDistribution"] = w.b.oneOf("distribution", r.Distribution, "default", map[string]string{
		"default": "Default", "source-ip": "SourceIP", "source-ip-protocol": "SourceIPProtocol",
	})
	p["enableFloatingIP"] = r.FloatingIP.Or(false)
	p["idleTimeoutInMinutes"] = w.b.inRange(r.IdleTimeout, idleDefault, idleDefault, idleMaxInbound, "a number of minutes for this rule")
	w.reset(p, r.TCPReset)
	p["disableOutboundSnat"] = r.DisableOutboundSNAT.Or(len(w.l.spec.OutboundRules) > 0)
	w.mark("loadBalancingRules", len(out), r.Pos)
	return append(out, object{"name": name.Value, "properties": p})
}

// haPorts makes the rule that hands on every port, for each internal frontend
// ("High availability ports overview").
func (w *balancerWriter) haPorts() list {
	pos := w.l.spec.HAPorts.Pos
	first := len(w.l.spec.Rules)
	if first > 0 {
		w.b.problem(pos, "remove the rules", "ha-ports of %s hands on every port already", w.l.name)
	}
	out := list{}
	for _, f := range w.l.frontends {
		if f.subnet == nil {
			w.b.problem(pos, "make frontend "+f.name+" internal", "high-availability ports need internal frontends, and %s of %s is public", f.name, w.l.name)
			continue
		}
		name := Text{"ha-ports", pos}
		if len(w.l.frontends) > 1 {
			name.Value += "-" + f.name
		}
		out = w.addRule(out, f, BalancingRule{Pos: pos}, name, object{"protocol": "All", "frontendPort": 0, "backendPort": 0})
	}
	return out
}

func (w *balancerWriter) natRules() list {
	out := list{}
	for i, r := range w.l.spec.NATRules {
		f, ok := w.frontend(r.Frontend, r.Pos)
		ports := w.traffic(r.Traffic, r.Pos)
		if !ok || len(ports) == 0 {
			continue
		}
		name := r.Name.Or(fmt.Sprintf("nat-%d", i+1), r.Pos)
		w.b.checkName(name, "a rule")
		id := w.l.id.Child("inboundNatRules", name.Value)
		p := object{
			"frontendIPConfiguration": ref(f.id), "protocol": ports[0].protocol,
			"backendPort": w.b.inRange(r.ToPort, int(ports[0].lo), 1, 65535, "a port"), "enableFloatingIP": r.FloatingIP.Or(false),
			"idleTimeoutInMinutes": w.b.inRange(r.IdleTimeout, idleDefault, idleDefault, idleMaxInbound, "a number of minutes for this rule"),
		}
		w.reset(p, r.TCPReset)
		switch isRange := ports[0].lo != ports[0].hi; {
		case len(ports) > 1:
			w.b.problem(r.Traffic.Pos, "make them several rules", "an inbound NAT rule has one port or one range, not %q", r.Traffic.Value)
			continue
		case isRange && r.To.IsSet():
			w.b.problem(r.To.Pos, "write one port, or remove to", "a range of ports leads to every member, one port each")
			continue
		case isRange && int(ports[0].hi-ports[0].lo)+1 < len(w.l.members):
			w.b.problem(r.Traffic.Pos, "use a longer range", "%q has fewer ports than %s has members", r.Traffic.Value, w.l.name)
			continue
		case isRange:
			p["backendAddressPool"] = ref(w.l.pool())
			p["frontendPortRangeStart"], p["frontendPortRangeEnd"] = int(ports[0].lo), int(ports[0].hi)
		case !r.To.IsSet():
			w.b.problem(r.Pos, "add to: HOST", "inbound NAT rule %s of %s leads nowhere", name.Value, w.l.name)
			continue
		default:
			h, ok := w.b.hostCalled(r.To)
			if !ok {
				continue
			}
			p["frontendPort"] = int(ports[0].lo)
			h.natRules = append(h.natRules, wireRef(id))
		}
		w.mark("inboundNatRules", len(out), r.Pos)
		out = append(out, object{"name": name.Value, "properties": p})
	}
	return out
}

func (w *balancerWriter) outboundRules() list {
	out := list{}
	for i, r := range w.l.spec.OutboundRules {
		var frontends list
		for _, f := range w.l.frontends {
			if len(r.Frontends) == 0 && f.subnet == nil {
				frontends = append(frontends, ref(f.id))
			}
		}
		for _, t := range r.Frontends {
			if f, ok := w.frontend(t, r.Pos); ok && f.subnet != nil {
				w.b.problem(t.Pos, "name a public frontend", "frontend %s of %s is internal", f.name, w.l.name)
			} else if ok {
				frontends = append(frontends, ref(f.id))
			}
		}
		if len(frontends) == 0 {
			w.b.problem(r.Pos, "add a frontend with public-ip: true", "load balancer %s has no public frontend for its outbound rule", w.l.name)
			continue
		}
		name := r.Name.Or(fmt.Sprintf("outbound-%d", i+1), r.Pos)
		w.b.checkName(name, "a rule")
		p := object{
			"frontendIPConfigurations": frontends, "backendAddressPool": ref(w.l.pool()),
			"protocol":             w.b.oneOf("protocol", r.Protocol, "all", map[string]string{"all": "All", "tcp": "Tcp", "udp": "Udp"}),
			"idleTimeoutInMinutes": w.b.inRange(r.IdleTimeout, idleDefault, idleDefault, idleMaxOutbound, "a number of minutes for this rule"),
		}
		w.reset(p, r.TCPReset)
		if r.Ports.IsSet() {
			if n := w.b.inRange(r.Ports, 8, 8, 64000, "a number of ports for each member"); n%8 != 0 {
				w.b.problem(r.Ports.Pos, fmt.Sprintf("use %d", n/8*8), "%d is not a multiple of 8", n)
			} else if all := n * len(w.l.members); all > snatPorts*len(frontends) {
				w.b.problem(r.Ports.Pos, fmt.Sprintf("use %d, or more frontends", snatPorts*len(frontends)/len(w.l.members)/8*8),
					"%d members with %d ports each need more than the %d of %d public addresses", len(w.l.members), n, snatPorts*len(frontends), len(frontends))
			}
			p["allocatedOutboundPorts"] = r.Ports.Value
		}
		w.mark("outboundRules", len(out), r.Pos)
		out = append(out, object{"name": name.Value, "properties": p})
	}
	return out
}

// snatPorts are the source ports of one public address for outbound rules
// ("Use Source Network Address Translation (SNAT) for outbound connections").
const snatPorts = 64000
