package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/wire"
)

// tagAsks is the tag of a gateway that lists the TCP ports at which it asks
// others than members: issuers of tokens, which no property of the API holds.
const tagAsks = "cerulean-asks"

// appBalance hands what listeners take to the instances. A private frontend
// keeps its address; behind a public one packets have an instance's, which is
// what security groups see ("Application Gateway infrastructure configuration").
func (c *compiler) appBalance() {
	for _, g := range c.appGateways {
		if g.front == nil {
			continue
		}
		c.img.Ports[g.front.id].Inward = &fabric.Inward{Addrs: fabric.AnySet}
		if strings.EqualFold(g.view.Properties.OperationalState, "Stopped") {
			continue
		}
		type claim struct {
			frontend *appFrontend
			port     int
		}
		seen := map[claim]bool{}
		c.eachListener(g, func(l *listening) {
			k := claim{l.frontend, l.port}
			addr, public := c.appFrontendAddr(g, l.frontend)
			if seen[k] || !addr.IsValid() {
				return
			}
			seen[k] = true
			r := fabric.Redirect{Name: l.name, Origin: l.origin, Floating: !public}
			r.Match[fabric.Dst] = c.sets.id(fabric.AddrSet(addr))
			r.Match[fabric.DstPort] = c.sets.id(fabric.NumSet(uint16(l.port), uint16(l.port)))
			r.Match[fabric.Proto] = c.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
			if public {
				for _, a := range g.instances.addrs {
					if a.addr.Is4() == addr.Is4() {
						r.Targets = append(r.Targets, fabric.Target{Port: g.instances.id, Addr: a.addr})
					}
				}
			} else {
				r.Targets = []fabric.Target{{Port: g.instances.id}}
			}
			r.Settle(c.img)
			c.redirect(g.front, r)
		})
	}
}

// listening is a port of a frontend where a gateway takes requests.
type listening struct {
	name     string
	frontend *appFrontend
	port     int
	stream   bool // at layer 4
	origin   fabric.Origin
}

// eachListener calls f for the listeners that a rule is for, and reports those
// whose references lead nowhere.
func (c *compiler) eachListener(g *appGateway, f func(*listening)) {
	p := &g.view.Properties
	ruled := map[string]bool{}
	for i := range p.Rules {
		if ref := p.Rules[i].Properties.Listener; ref != nil {
			ruled[strings.ToLower(ref.ID)] = true
		}
	}
	for i := range p.StreamRules {
		if ref := p.StreamRules[i].Properties.Stream; ref != nil {
			ruled[strings.ToLower(ref.ID)] = true
		}
	}
	each := func(list string, parts []wire.AppGatewayPart[wire.HTTPListener], stream bool) {
		for i := range parts {
			l := &parts[i]
			if !ruled[partKey(g.key, list, l.Name)] {
				continue
			}
			at := fmt.Sprintf("/properties/%s/%d", list, i)
			port, _ := part(g, "frontendPorts", p.FrontendPorts, l.Properties.Port)
			n := slices.IndexFunc(g.frontends, func(x *appFrontend) bool {
				return l.Properties.Frontend != nil && x.key == strings.ToLower(l.Properties.Frontend.ID)
			})
			switch {
			case port == nil:
				c.problem(g.res, at+"/properties/frontendPort", fmt.Sprintf("listener %q has no frontend port of the gateway", l.Name), "name one of frontendPorts")
			case port.Properties.Port < 1 || port.Properties.Port > 65535:
				c.problem(g.res, at+"/properties/frontendPort", fmt.Sprintf("listener %q is at port %d", l.Name, port.Properties.Port), "use 1 to 64999")
			case n < 0:
				c.problem(g.res, at+"/properties/frontendIPConfiguration", fmt.Sprintf("listener %q has no frontend of the gateway", l.Name), "name one of frontendIPConfigurations")
			default:
				f(&listening{l.Name, g.frontends[n], port.Properties.Port, stream, origin(g.res, at, l.Name)})
			}
		}
	}
	each("httpListeners", p.Listeners, false)
	each("listeners", p.StreamListeners, true)
}

// appFilters gives a gateway its filters. Frontends have none: the subnet's
// security group is met at the instances, which take what listeners are for,
// and send what members, names and keys are asked for.
func (c *compiler) appFilters(p *port) {
	g := p.appGateway
	out := &c.img.Ports[p.id]
	at := origin(g.res, "", "")
	if p == g.front {
		out.Silent = true
		out.Egress = c.fixed(fabric.Drop, at, neverStarts)
		return
	}
	in, eg := fabric.FilterID(fabric.None), fabric.FilterID(fabric.None)
	if s := g.subnet; s.nsg != nil {
		in = c.filter(s.nsg.rules, true, fabric.StageSegment, c.scopeOf(s), false, s.nsg.res, fabric.Drop)
		eg = c.filter(s.nsg.rules, false, fabric.StageSegment, c.scopeOf(s), false, s.nsg.res, fabric.Drop)
	}
	out.Ingress = present(in, c.appFilter(g, c.listenerRules(g)))
	out.Egress = present(c.appFilter(g, c.askRules(g)), eg)
}

func (c *compiler) appFilter(g *appGateway, rules []fabric.Rule) fabric.FilterID {
	id := fabric.FilterID(len(c.img.Filters))
	c.img.Filters = append(c.img.Filters, fabric.Filter{Name: g.res.ID.Name(), Origin: origin(g.res, "", ""), Stage: fabric.StagePort, Rules: rules})
	return id
}

// listenerRules let in what a listener takes. What layer 4 listeners do with it
// is not modelled.
func (c *compiler) listenerRules(g *appGateway) []fabric.Rule {
	var rules []fabric.Rule
	if !strings.EqualFold(g.view.Properties.OperationalState, "Stopped") {
		c.eachListener(g, func(l *listening) {
			r := fabric.Rule{Action: fabric.Pass, Origin: l.origin}
			if l.stream {
				r.Action = fabric.Unknown
				c.noteAt(l.origin, "listeners at layer 4 (TCP and TLS proxy) are not modelled; what passes them is unknown")
			}
			addr, public := c.appFrontendAddr(g, l.frontend)
			own := c.sets.id(fabric.AddrSet(addr))
			if public {
				own = c.img.Ports[g.instances.id].Addrs
			}
			r.Match[fabric.Dst] = own
			r.Match[fabric.Proto] = c.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
			r.Match[fabric.DstPort] = c.sets.id(fabric.NumSet(uint16(l.port), uint16(l.port)))
			rules = append(rules, r)
		})
	}
	at := origin(g.res, "", "")
	at.Name = "no listener"
	return append(rules, fabric.Rule{Action: fabric.Drop, Origin: at})
}

// askRules let out what the gateway asks for: members and their probes, names,
// and what its certificates and tokens need.
func (c *compiler) askRules(g *appGateway) []fabric.Rule {
	tcp := c.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
	var rules []fabric.Rule
	add := func(at fabric.Origin, dst fabric.SetID, proto fabric.SetID, ports fabric.Set) {
		r := fabric.Rule{Action: fabric.Pass, Origin: at}
		r.Match[fabric.Dst], r.Match[fabric.Proto], r.Match[fabric.DstPort] = dst, proto, c.sets.id(ports)
		rules = append(rules, r)
	}
	c.eachAsked(g, func(pool, settings string, ports fabric.Set, at fabric.Origin) {
		dst := c.sets.id(fabric.NewSet(g.members[pool]...))
		if g.names[pool] {
			dst = fabric.AnySet // whom a name means is known when it is asked for
		}
		if dst != c.sets.empty {
			add(at, dst, tcp, ports)
		}
	})
	if servers := g.dnsServers(); len(servers) > 0 {
		at := origin(g.res, "", "")
		at.Name = "names"
		both := c.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP).Union(fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP)))
		add(at, c.sets.id(fabric.AddrSet(servers...)), both, fabric.NumSet(53, 53))
	}
	for i := range g.view.Properties.Certificates {
		if x := &g.view.Properties.Certificates[i]; x.Properties.SecretID != "" {
			add(origin(g.res, fmt.Sprintf("/properties/sslCertificates/%d", i), x.Name), fabric.AnySet, tcp, fabric.NumSet(443, 443))
			break
		}
	}
	if ports := asked(g.view.Tags[tagAsks]); !ports.IsEmpty() {
		at := origin(g.res, "/tags/"+tagAsks, "issuers of tokens")
		add(at, fabric.AnySet, tcp, ports)
	}
	at := origin(g.res, "", "")
	at.Name = "no member"
	return append(rules, fabric.Rule{Action: fabric.Drop, Origin: at})
}

// asked reads the ports of a tag.
func asked(text string) fabric.Set {
	var out fabric.Set
	for _, f := range strings.Fields(text) {
		if n, err := strconv.ParseUint(f, 10, 16); err == nil {
			out = out.Union(fabric.NumSet(uint16(n), uint16(n)))
		}
	}
	return out
}

// eachAsked calls f for every pair of pool and settings that a rule or a path
// names, once, with the ports that members are asked at.
func (c *compiler) eachAsked(g *appGateway, f func(pool, settings string, ports fabric.Set, at fabric.Origin)) {
	p := &g.view.Properties
	seen := map[[2]string]bool{}
	pair := func(pool, settings *wire.Ref, at, name string) {
		if pool == nil {
			return // a redirect, or shares
		}
		x, _ := part(g, "backendAddressPools", p.Pools, pool)
		y, _ := part(g, "backendHttpSettingsCollection", p.Settings, settings)
		switch {
		case x == nil:
			c.problem(g.res, at, fmt.Sprintf("%q names no backend pool of the gateway", name), "name one of backendAddressPools")
			return
		case y == nil:
			c.problem(g.res, at, fmt.Sprintf("%q names no backend settings of the gateway", name), "name one of backendHttpSettingsCollection")
			return
		}
		key := [2]string{partKey(g.key, "backendAddressPools", x.Name), partKey(g.key, "backendHttpSettingsCollection", y.Name)}
		if seen[key] {
			return
		}
		seen[key] = true
		port := settingsPort(y.Properties.Port, y.Properties.Protocol)
		ports := fabric.NumSet(port, port)
		if probe, _ := part(g, "probes", p.Probes, y.Properties.Probe); probe != nil && probe.Properties.Port > 0 {
			ports = ports.Union(fabric.NumSet(uint16(probe.Properties.Port), uint16(probe.Properties.Port)))
		} else if y.Properties.Probe != nil && probe == nil {
			c.problem(g.res, at, fmt.Sprintf("backend settings %q name no probe of the gateway", y.Name), "name one of probes")
		}
		f(key[0], key[1], ports, origin(g.res, at, x.Name+" by "+y.Name))
	}
	act := func(pool, settings, shares *wire.Ref, at, name string) {
		pair(pool, settings, at, name)
		if d, _ := part(g, "loadDistributionPolicies", p.Shares, shares); d != nil {
			for i := range d.Properties.Targets {
				pair(d.Properties.Targets[i].Properties.Pool, settings, at, name)
			}
		}
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		at := fmt.Sprintf("/properties/requestRoutingRules/%d", i)
		if r.Properties.PathMap == nil {
			act(r.Properties.Pool, r.Properties.Settings, r.Properties.Shares, at, r.Name)
			continue
		}
		m, n := part(g, "urlPathMaps", p.PathMaps, r.Properties.PathMap)
		if m == nil {
			c.problem(g.res, at+"/properties/urlPathMap", fmt.Sprintf("rule %q names no path map of the gateway", r.Name), "name one of urlPathMaps")
			continue
		}
		at = fmt.Sprintf("/properties/urlPathMaps/%d", n)
		act(m.Properties.DefaultPool, m.Properties.DefaultSettings, m.Properties.DefaultShares, at, m.Name)
		for j := range m.Properties.Rules {
			x := &m.Properties.Rules[j]
			act(x.Properties.Pool, x.Properties.Settings, x.Properties.Shares, fmt.Sprintf("%s/properties/pathRules/%d", at, j), x.Name)
		}
	}
}

// settingsPort returns the port of backend settings.
func settingsPort(n int, protocol string) uint16 {
	switch {
	case n > 0 && n <= 65535:
		return uint16(n)
	case strings.EqualFold(protocol, "Https"):
		return 443
	}
	return 80
}

// dnsServers are those that the gateway's network asks in place of the
// platform's, as far as they are addresses.
func (g *appGateway) dnsServers() []netip.Addr {
	o := g.subnet.vnet.view.Properties.DHCPOptions
	if o == nil {
		return nil
	}
	var out []netip.Addr
	for _, text := range o.DNSServers {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a)
		}
	}
	return out
}
