package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// rules writes down the network rules and the application rules of collections,
// each in their order. NAT rules are no filter: see translations.
func (r *policyReader) rules(list []policyCollection, names *fabric.View) (network, application []fabric.Rule) {
	for _, pc := range list {
		for i := range pc.view.Rules {
			rule := &pc.view.Rules[i]
			at := fmt.Sprintf("%s/%d", pc.rules, i)
			switch strings.ToLower(rule.RuleType) {
			case "networkrule":
				network = r.networkRule(network, pc, rule, at, names)
			case "applicationrule":
				application = r.applicationRule(application, pc, rule, at, names)
			case "natrule":
			default:
				r.problem(pc.res, at+"/ruleType", fmt.Sprintf("rule type %q of rule %q is not known", rule.RuleType, rule.Name), "use NetworkRule, ApplicationRule or NatRule")
			}
		}
	}
	return network, application
}

// action reads what a filter collection does.
func (c *compiler) action(pc policyCollection) fabric.Action {
	switch strings.ToLower(pc.view.Action.Type) {
	case "allow":
		return fabric.Pass
	case "deny":
	default:
		c.problem(pc.res, pc.at+"/action", fmt.Sprintf("action %q of rule collection %q is not known", pc.view.Action.Type, pc.view.Name), "use Allow or Deny")
	}
	return fabric.Drop
}

// nowhere is the scope of a firewall's rules: no networks are tied to them.
func (c *compiler) nowhere() *scope {
	return &scope{virtual: c.sets.empty, internet: c.sets.empty, uncertain: c.sets.empty}
}

// networkRule appends a network rule, once per protocol that differs in ports.
func (r *policyReader) networkRule(to []fabric.Rule, pc policyCollection, view *wire.FirewallRule, at string, names *fabric.View) []fabric.Rule {
	out := rule{
		action: r.action(pc), priority: pc.view.Priority, origin: origin(pc.res, at, view.Name),
		src: r.firewallSide(pc.res, at+"/source", view.Name, view.SourceAddresses, view.SourceIPGroups, nil, nil),
		dst: r.firewallSide(pc.res, at+"/destination", view.Name, view.DestinationAddresses, view.DestinationIPGroups, view.DestinationFQDNs, names),
	}
	withPorts, without := r.firewallProtocols(pc.res, at, view)
	ports := r.firewallPorts(pc.res, at, view)
	if !withPorts.IsEmpty() {
		out.proto, out.dstPorts = r.sets.id(withPorts), ports
		to = r.instantiate(to, &out, r.nowhere())
	}
	if !without.IsEmpty() {
		out.proto, out.dstPorts = r.sets.id(without), fabric.AnySet
		to = r.instantiate(to, &out, r.nowhere())
	}
	return to
}

// firewallProtocols reads the protocols of a network or NAT rule: those with
// ports, and those without.
func (c *compiler) firewallProtocols(res *model.Resource, at string, view *wire.FirewallRule) (withPorts, without fabric.Set) {
	if len(view.IPProtocols) == 0 {
		c.problem(res, at+"/ipProtocols", fmt.Sprintf("rule %q names no protocol", view.Name), "use TCP, UDP, ICMP or Any")
	}
	for _, name := range view.IPProtocols {
		set, has, ok := parseProtocol(name)
		switch {
		case !ok:
			c.problem(res, at+"/ipProtocols", fmt.Sprintf("rule %q: protocol %q is not known", view.Name, name), "use TCP, UDP, ICMP or Any")
		case has:
			withPorts = withPorts.Union(set)
		default:
			without = without.Union(set)
		}
	}
	return withPorts, without
}

func (c *compiler) firewallPorts(res *model.Resource, at string, view *wire.FirewallRule) fabric.SetID {
	ports, bad := parsePorts(view.DestinationPorts)
	if bad != "" || len(view.DestinationPorts) == 0 {
		c.problem(res, at+"/destinationPorts", fmt.Sprintf("rule %q: %q is not a port or range of ports", view.Name, bad), "write it like 443, 8000-8080 or *")
	}
	return c.sets.id(ports)
}

// applicationRule appends what addresses and ports show of an application rule.
// The firewall resolves the name that the connection asks for and connects to
// it as a proxy, from its own address ("Azure Firewall features: application
// FQDN filtering rules"; "Azure Firewall SNAT"): a name that the network's zones
// know stands for its addresses, "*" for all, and whether any other matches is
// unknown.
func (r *policyReader) applicationRule(to []fabric.Rule, pc policyCollection, view *wire.FirewallRule, at string, names *fabric.View) []fabric.Rule {
	out := rule{
		action: r.action(pc), priority: pc.view.Priority, origin: origin(pc.res, at, view.Name),
		src:      r.firewallSide(pc.res, at+"/source", view.Name, view.SourceAddresses, view.SourceIPGroups, nil, nil),
		proto:    r.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)),
		dstPorts: r.applicationPorts(pc.res, at, view),
	}
	b := operandBuilder{c: r.compiler}
	if slices.Contains(view.TargetFQDNs, "*") {
		b.text("*")
	} else {
		r.resolved(&b, view.TargetFQDNs, names)
		b.out.unresolved = b.out.unresolved || len(view.FQDNTags)+len(view.WebCategories)+len(view.TargetURLs) > 0
	}
	out.dst = b.done()
	from := len(to)
	to = r.instantiate(to, &out, r.nowhere())
	limit := fabric.AllValues()
	if len(view.DestinationAddresses) > 0 {
		side := r.firewallSide(pc.res, at+"/destination", view.Name, view.DestinationAddresses, nil, nil, nil)
		sure, perhaps := r.resolve(&side, r.nowhere())
		limit = r.sets.get(sure)
		if perhaps != r.sets.empty { // addresses that are not known leave nothing sure
			limit = fabric.AllValues()
			for i := from; i < len(to); i++ {
				to[i].Action = fabric.Unknown
			}
		}
	}
	for i := from; i < len(to); i++ {
		to[i].Match[fabric.Dst] = r.sets.id(r.sets.get(to[i].Match[fabric.Dst]).Intersect(limit))
		to[i].Masquerade = to[i].Action == fabric.Pass
	}
	return to
}

func (c *compiler) applicationPorts(res *model.Resource, at string, view *wire.FirewallRule) fabric.SetID {
	var ports []fabric.Range
	for i, p := range view.Protocols {
		port := p.Port
		if port == 0 {
			port = map[string]int{"http": 80, "https": 443, "mssql": 1433}[strings.ToLower(p.ProtocolType)]
		}
		if port < 1 || port > 65535 {
			c.problem(res, fmt.Sprintf("%s/protocols/%d", at, i), fmt.Sprintf("rule %q: protocol %q with port %d is not known", view.Name, p.ProtocolType, p.Port), "use Http, Https or Mssql with a port")
			continue
		}
		n := fabric.Num(uint16(port))
		ports = append(ports, fabric.Range{Lo: n, Hi: n})
	}
	// FQDN tags bring protocols of their own.
	if len(view.Protocols) == 0 && len(view.FQDNTags) > 0 {
		for _, port := range []uint16{80, 443} {
			ports = append(ports, fabric.Range{Lo: fabric.Num(port), Hi: fabric.Num(port)})
		}
	}
	return c.sets.id(fabric.NewSet(ports...))
}

// resolved adds the addresses of names that a view knows. Any other name leaves
// the operand unresolved: the internet may answer it.
func (c *compiler) resolved(b *operandBuilder, fqdns []string, names *fabric.View) {
	for _, name := range fqdns {
		if names == nil || strings.Contains(name, "*") {
			b.out.unresolved = true
			continue
		}
		answer := names.Resolve(name)
		if answer.Verdict != fabric.VerdictAllow {
			b.out.unresolved = true
			continue
		}
		b.ranges = append(b.ranges, fabric.AddrSet(answer.Addrs...)...)
	}
}

// firewallSide reads one side of a firewall rule. No networks of its own are
// tied to a policy, so the tags VirtualNetwork and Internet are not resolved.
func (c *compiler) firewallSide(r *model.Resource, pointer, name string, addresses, groups, fqdns []string, names *fabric.View) operand {
	b := operandBuilder{c: c}
	for _, s := range addresses {
		b.text(s)
	}
	for i, id := range groups {
		g, ok := c.docs.ipGroups.get(id)
		if !ok {
			c.dangling(r, fmt.Sprintf("%sIpGroups/%d", pointer, i), "IP group", id)
			continue
		}
		for _, s := range g.view.Properties.IPAddresses {
			b.text(s)
		}
	}
	if b.out.virtual || b.out.internet {
		b.out.virtual, b.out.internet, b.out.unresolved = false, false, true
	}
	c.resolved(&b, fqdns, names)
	if len(addresses)+len(groups)+len(fqdns) == 0 {
		c.problem(r, pointer+"Addresses", fmt.Sprintf("rule %q lacks addresses on one side", name), "give addresses, IP groups or *")
	}
	c.operandProblems(r, pointer+"Addresses", name, &b)
	return b.done()
}
