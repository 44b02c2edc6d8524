package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// policyCollection is a rule collection with the numbers that order it.
type policyCollection struct {
	group    *item[wire.RuleCollectionGroup]
	at       string // JSON pointer within the group
	view     *wire.RuleCollection
	priority [2]int // of the group, of the collection
}

// firewalls turns policies into the filters of the forwarding ports ("Azure
// Firewall rule processing logic": network rules, then application rules, then
// deny).
func (c *compiler) firewalls() {
	groups := map[string][]*item[wire.RuleCollectionGroup]{}
	for _, it := range c.docs.groups.list {
		parent := it.res.ID.Parent().Key()
		if _, ok := c.docs.policies.get(parent); !ok {
			c.problem(it.res, "", fmt.Sprintf("rule collection group %q belongs to a firewall policy that does not exist", it.res.ID.Name()), "declare the policy")
		}
		groups[parent] = append(groups[parent], it)
	}
	filters := map[*item[wire.FirewallPolicy]]fabric.FilterID{}
	for _, it := range c.docs.policies.list {
		filters[it] = c.policyFilter(it, groups)
	}
	for _, w := range c.walls {
		forward := &fabric.Forward{Stateful: true}
		ref := w.view.Properties.FirewallPolicy
		switch {
		case ref != nil:
			if policy, ok := c.docs.policies.get(ref.ID); ok {
				forward.Policy = []fabric.FilterID{filters[policy]}
			} else {
				c.dangling(w.res, "/properties/firewallPolicy", "firewall policy", ref.ID)
			}
		default:
			forward.Policy = []fabric.FilterID{c.classicFilter(w)}
		}
		c.img.Ports[w.port.id].Forward = forward
	}
}

// classicFilter is the policy of a firewall without one: deny, unless it holds
// rules of its own, which are not modelled.
func (c *compiler) classicFilter(w *wall) fabric.FilterID {
	f := fabric.Filter{Name: w.res.ID.Name(), Origin: origin(w.res, "", ""), Stage: fabric.StagePolicy}
	for _, name := range []string{"networkRuleCollections", "applicationRuleCollections"} {
		if has(w.res, name) {
			at := "/properties/" + name
			c.note(w.res, at, name, "rules inside a firewall are not modelled; use a firewall policy")
			f.Rules = []fabric.Rule{{Action: fabric.Unknown, Origin: origin(w.res, at, name)}}
		}
	}
	return c.addFilter(f)
}

func (c *compiler) addFilter(f fabric.Filter) fabric.FilterID {
	id := fabric.FilterID(len(c.img.Filters))
	c.img.Filters = append(c.img.Filters, f)
	return id
}

// lineage returns a policy and its ancestors, the oldest first ("Azure Firewall
// Manager policy overview": the parent's collections come before the child's).
func (c *compiler) lineage(it *item[wire.FirewallPolicy]) []*item[wire.FirewallPolicy] {
	var line []*item[wire.FirewallPolicy]
	for p := it; ; {
		if slices.Contains(line, p) {
			c.problem(it.res, "/properties/basePolicy", fmt.Sprintf("firewall policy %q inherits from itself", it.res.ID.Name()), "break the circle")
			break
		}
		line = append(line, p)
		ref := p.view.Properties.BasePolicy
		if ref == nil || ref.ID == "" {
			break
		}
		base, ok := c.docs.policies.get(ref.ID)
		if !ok {
			c.dangling(p.res, "/properties/basePolicy", "firewall policy", ref.ID)
			break
		}
		p = base
	}
	slices.Reverse(line)
	return line
}

// policyFilter is the policy with all it inherits: the network rules of the
// whole lineage, then its application rules.
func (c *compiler) policyFilter(it *item[wire.FirewallPolicy], groups map[string][]*item[wire.RuleCollectionGroup]) fabric.FilterID {
	f := fabric.Filter{Name: it.res.ID.Name(), Origin: origin(it.res, "", ""), Stage: fabric.StagePolicy}
	c.policyNotes(it)
	var network, application []fabric.Rule
	for _, p := range c.lineage(it) {
		for _, pc := range c.collections(groups[p.key]) {
			for i := range pc.view.Rules {
				r := &pc.view.Rules[i]
				at := fmt.Sprintf("%s/rules/%d", pc.at, i)
				switch strings.ToLower(r.RuleType) {
				case "networkrule":
					network = c.networkRule(network, pc, r, at)
				case "applicationrule":
					application = c.applicationRule(application, pc, r, at)
				case "natrule":
					// Translations are not modelled: see translates.
				default:
					c.problem(pc.group.res, at+"/ruleType", fmt.Sprintf("rule type %q of rule %q is not known", r.RuleType, r.Name), "use NetworkRule, ApplicationRule or NatRule")
				}
			}
		}
	}
	f.Rules = append(network, application...)
	if changed := c.translated(it); !changed.IsEmpty() {
		c.note(it.res, "/properties/snat", "", "the firewall gives packets to addresses outside its private ranges a source of its own, which is not modelled between virtual networks; list the ranges in snat.privateRanges to keep sources")
		f.Rules = c.doubt(f.Rules, changed)
	}
	return c.addFilter(f)
}

// policyNotes records settings of a policy whose effect is not modelled.
func (c *compiler) policyNotes(it *item[wire.FirewallPolicy]) {
	if strings.EqualFold(it.view.Properties.ThreatIntelMode, "Deny") {
		c.note(it.res, "/properties/threatIntelMode", "", "addresses and names on Microsoft's threat intelligence list are denied in Azure; the list is not public")
	}
}

// translated returns the addresses of the virtual networks that a policy's
// firewalls reach with a source of their own ("Azure Firewall SNAT private IP
// address ranges": everything but the private ranges, which are those of RFC
// 1918 and RFC 6598 unless the policy says otherwise).
func (c *compiler) translated(it *item[wire.FirewallPolicy]) fabric.Set {
	kept := fabric.PrefixSet(catalog.ReservedRoutes()...)
	if snat := it.view.Properties.SNAT; snat != nil && len(snat.PrivateRanges) > 0 {
		b := operandBuilder{c: c}
		for _, s := range snat.PrivateRanges {
			if strings.EqualFold(s, "IANAPrivateRanges") {
				b.ranges = append(b.ranges, kept...)
				continue
			}
			b.text(s)
		}
		kept = fabric.NewSet(b.ranges...)
	}
	var prefixes []netip.Prefix
	for _, v := range c.vnets {
		prefixes = append(prefixes, v.prefixes...)
	}
	return fabric.PrefixSet(prefixes...).Subtract(kept)
}

// doubt puts a rule of unknown outcome before every rule that passes packets to
// destinations of a set.
func (c *compiler) doubt(rules []fabric.Rule, of fabric.Set) []fabric.Rule {
	out := make([]fabric.Rule, 0, len(rules))
	for _, r := range rules {
		if dst := c.sets.get(r.Match[fabric.Dst]).Intersect(of); r.Action == fabric.Pass && !dst.IsEmpty() {
			unknown := r
			unknown.Action, unknown.Match[fabric.Dst] = fabric.Unknown, c.sets.id(dst)
			out = append(out, unknown)
		}
		out = append(out, r)
	}
	return out
}

// collections returns the rule collections of one policy in the order they are
// evaluated: by the group's priority, then their own.
func (c *compiler) collections(groups []*item[wire.RuleCollectionGroup]) []policyCollection {
	var out []policyCollection
	seen := map[int]string{}
	for _, g := range groups {
		p := &g.view.Properties
		c.firewallPriority(g.res, "/properties/priority", g.res.ID.Name(), p.Priority, seen)
		within := map[int]string{}
		for i := range p.RuleCollections {
			rc := &p.RuleCollections[i]
			at := fmt.Sprintf("/properties/ruleCollections/%d", i)
			c.firewallPriority(g.res, at+"/priority", rc.Name, rc.Priority, within)
			out = append(out, policyCollection{group: g, at: at, view: rc, priority: [2]int{p.Priority, rc.Priority}})
		}
	}
	slices.SortStableFunc(out, func(a, b policyCollection) int {
		return cmp.Or(cmp.Compare(a.priority[0], b.priority[0]), cmp.Compare(a.priority[1], b.priority[1]))
	})
	return out
}

func (c *compiler) firewallPriority(r *model.Resource, pointer, name string, priority int, seen map[int]string) {
	if priority < catalog.MinFirewallPriority || priority > catalog.MaxFirewallPriority {
		c.problem(r, pointer, fmt.Sprintf("priority %d of %q is out of range", priority, name), fmt.Sprintf("use %d to %d", catalog.MinFirewallPriority, catalog.MaxFirewallPriority))
	}
	if other, ok := seen[priority]; ok {
		c.problem(r, pointer, fmt.Sprintf("%q and %q have the same priority %d", other, name, priority), "choose another priority")
	}
	seen[priority] = name
}

// action reads what a filter collection does.
func (c *compiler) action(pc policyCollection) fabric.Action {
	switch strings.ToLower(pc.view.Action.Type) {
	case "allow":
		return fabric.Pass
	case "deny":
	default:
		c.problem(pc.group.res, pc.at+"/action", fmt.Sprintf("action %q of rule collection %q is not known", pc.view.Action.Type, pc.view.Name), "use Allow or Deny")
	}
	return fabric.Drop
}

// networkRule appends a network rule, once per protocol that differs in ports.
func (c *compiler) networkRule(to []fabric.Rule, pc policyCollection, r *wire.FirewallRule, at string) []fabric.Rule {
	res := pc.group.res
	out := rule{
		action: c.action(pc), priority: pc.view.Priority, origin: origin(res, at, r.Name),
		src: c.firewallSide(res, at+"/source", r.Name, r.SourceAddresses, r.SourceIPGroups, nil),
		dst: c.firewallSide(res, at+"/destination", r.Name, r.DestinationAddresses, r.DestinationIPGroups, r.DestinationFQDNs),
	}
	if len(r.IPProtocols) == 0 {
		c.problem(res, at+"/ipProtocols", fmt.Sprintf("rule %q names no protocol", r.Name), "use TCP, UDP, ICMP or Any")
	}
	ports, bad := parsePorts(r.DestinationPorts)
	if bad != "" || len(r.DestinationPorts) == 0 {
		c.problem(res, at+"/destinationPorts", fmt.Sprintf("rule %q: %q is not a port or range of ports", r.Name, bad), "write it like 443, 8000-8080 or *")
	}
	var withPorts, without fabric.Set
	for _, name := range r.IPProtocols {
		set, has, ok := parseProtocol(name)
		switch {
		case !ok:
			c.problem(res, at+"/ipProtocols", fmt.Sprintf("rule %q: protocol %q is not known", r.Name, name), "use TCP, UDP, ICMP or Any")
		case has:
			withPorts = withPorts.Union(set)
		default:
			without = without.Union(set)
		}
	}
	everywhere := &scope{virtual: c.sets.empty, internet: c.sets.empty, uncertain: c.sets.empty}
	if !withPorts.IsEmpty() {
		out.proto, out.dstPorts = c.sets.id(withPorts), c.sets.id(ports)
		to = c.instantiate(to, &out, everywhere)
	}
	if !without.IsEmpty() {
		out.proto, out.dstPorts = c.sets.id(without), fabric.AnySet
		to = c.instantiate(to, &out, everywhere)
	}
	return to
}

// applicationRule appends the part of an application rule that addresses and
// ports show. Whether it matches depends on names inside the connection, so its
// outcome is unknown.
func (c *compiler) applicationRule(to []fabric.Rule, pc policyCollection, r *wire.FirewallRule, at string) []fabric.Rule {
	res := pc.group.res
	src := c.firewallSide(res, at+"/source", r.Name, r.SourceAddresses, r.SourceIPGroups, nil)
	var ports []fabric.Range
	for i, p := range r.Protocols {
		port := p.Port
		if port == 0 {
			port = map[string]int{"http": 80, "https": 443, "mssql": 1433}[strings.ToLower(p.ProtocolType)]
		}
		if port < 1 || port > 65535 {
			c.problem(res, fmt.Sprintf("%s/protocols/%d", at, i), fmt.Sprintf("rule %q: protocol %q with port %d is not known", r.Name, p.ProtocolType, p.Port), "use Http, Https or Mssql with a port")
			continue
		}
		n := fabric.Num(uint16(port))
		ports = append(ports, fabric.Range{Lo: n, Hi: n})
	}
	c.action(pc)
	sure, perhaps := c.resolve(&src, &scope{virtual: c.sets.empty, internet: c.sets.empty, uncertain: c.sets.empty})
	out := fabric.Rule{Action: fabric.Unknown, Priority: int32(pc.view.Priority), Origin: origin(res, at, r.Name)}
	out.Match[fabric.Src] = c.sets.union(sure, perhaps)
	out.Match[fabric.Proto] = c.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
	out.Match[fabric.DstPort] = c.sets.id(fabric.NewSet(ports...))
	return append(to, out)
}

// firewallSide reads one side of a firewall rule. No networks of its own are
// tied to a policy, so the tags VirtualNetwork and Internet are not resolved.
func (c *compiler) firewallSide(r *model.Resource, pointer, name string, addresses, groups, fqdns []string) operand {
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
	b.out.unresolved = b.out.unresolved || len(fqdns) > 0
	if len(addresses)+len(groups)+len(fqdns) == 0 {
		c.problem(r, pointer+"Addresses", fmt.Sprintf("rule %q lacks addresses on one side", name), "give addresses, IP groups or *")
	}
	c.operandProblems(r, pointer+"Addresses", name, &b)
	return b.done()
}

// translates reports whether a firewall has NAT rules. They are not inherited
// from a parent policy.
func (c *compiler) translates(w *wall) bool {
	if has(w.res, "natRuleCollections") {
		return true
	}
	ref := w.view.Properties.FirewallPolicy
	if ref == nil {
		return false
	}
	policy, ok := c.docs.policies.get(ref.ID)
	if !ok {
		return false
	}
	for _, g := range c.docs.groups.list {
		if g.res.ID.Parent().Key() != policy.key {
			continue
		}
		for i := range g.view.Properties.RuleCollections {
			for _, r := range g.view.Properties.RuleCollections[i].Rules {
				if strings.EqualFold(r.RuleType, "NatRule") {
					return true
				}
			}
		}
	}
	return false
}
