package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// nsg is a network security group.
type nsg struct {
	*item[wire.NSG]
	rules *ruleSet // set by the filters pass
}

// readNSGs collects the security groups so that subnets and interfaces can
// refer to them.
func (c *compiler) readNSGs() {
	c.nsgs = make(map[string]*nsg, len(c.docs.nsgs.list))
	for _, it := range c.docs.nsgs.list {
		c.nsgs[it.key] = &nsg{item: it}
	}
}

// filterKey is what a filter depends on; ports with the same key share it.
type filterKey struct {
	rules   *ruleSet
	inbound bool
	stage   fabric.Stage
	at      scope
	vague   bool
}

// filters gives every port its filters: outbound admin rules, interface, then
// subnet; inbound admin rules, subnet, then interface ("How network security
// groups filter network traffic").
func (c *compiler) filters() {
	c.filterIDs = map[filterKey]fabric.FilterID{}
	c.tags()
	c.parseNSGs()
	c.adminSets = map[*avnm.AdminList]*ruleSet{}
	for _, p := range c.ports {
		switch {
		case p.wall != nil:
			// Neither security groups nor admin rules apply to a firewall.
		case c.deviceFilters(p):
		case p.opaque != nil:
			c.opaqueFilters(p)
		default:
			c.portFilters(p)
		}
	}
}

// tags computes the service tags that Azure computes per virtual network
// ("Virtual network service tags"): VirtualNetwork is its own prefixes, those
// of peers and connected groups and the platform's address; Internet is what
// lies outside and the internet routes.
func (c *compiler) tags() {
	host := fabric.AddrSet(catalog.WireServer)
	public := fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2000::/3")).
		Subtract(fabric.PrefixSet(unrouted()...)).Subtract(fabric.AddrSet(catalog.PlatformAddresses()...))
	for _, v := range c.vnets {
		prefixes := slices.Clone(v.prefixes)
		for _, r := range v.reach {
			if r.inTag {
				prefixes = append(prefixes, r.prefixes...)
			}
		}
		// What gateways know of ("Virtual network service tags": on-premises
		// address spaces).
		for _, l := range v.learned {
			if l.prefix.Bits() > 0 {
				prefixes = append(prefixes, l.prefix)
			}
		}
		own := fabric.PrefixSet(prefixes...)
		v.own = c.sets.id(fabric.PrefixSet(v.prefixes...))
		v.tag = c.sets.id(own.Union(host))
		v.internet = c.sets.id(public.Subtract(own))
	}
}

// scopeOf returns the place of a subnet for rules of security groups: there
// VirtualNetwork also holds the prefixes of the subnet's user routes, a default
// route included.
func (c *compiler) scopeOf(s *subnet) scope {
	at := c.networkScope(s.vnet)
	users := c.userRoutes(userKey{s.table, s.routing})
	at.virtual = c.sets.union(at.virtual, users.set)
	if userRoutesLeaveInternet {
		at.internet = c.sets.id(c.sets.get(at.internet).Subtract(c.sets.get(users.set)))
	}
	return at
}

// networkScope returns the place of a whole network, for admin rules.
func (c *compiler) networkScope(v *vnet) scope {
	at := scope{virtual: v.tag, internet: v.internet, uncertain: c.sets.empty}
	if v.gateway != nil {
		at.uncertain = c.sets.id(fabric.PrefixSet(catalog.ReservedRoutes()...))
	}
	return at
}

func (c *compiler) portFilters(p *port) {
	s := p.subnet
	out := &c.img.Ports[p.id]
	var admin, segment, own [2]fabric.FilterID // outbound, inbound
	admin[0], admin[1] = c.adminFilters(s)
	segment[0], segment[1] = fabric.None, fabric.None
	own = segment
	at := c.scopeOf(s)
	if s.nsg != nil {
		for i := range segment {
			segment[i] = c.filter(s.nsg.rules, i == 1, fabric.StageSegment, at, false, s.nsg.res, fabric.Drop)
		}
	}
	if p.nsg != nil {
		for i := range own {
			own[i] = c.filter(p.nsg.rules, i == 1, fabric.StagePort, at, false, p.nsg.res, fabric.Drop)
		}
	}
	out.Egress = present(admin[0], own[0], segment[0])
	out.Ingress = present(admin[1], segment[1], own[1])
	if p.nic != nil && p.nic.view.Properties.EnableIPForwarding {
		out.Forward = &fabric.Forward{}
	}
}

func present(ids ...fabric.FilterID) []fabric.FilterID {
	return slices.DeleteFunc(ids, func(id fabric.FilterID) bool { return id == fabric.None })
}

// filter returns the filter of a rule set at a place, making it on first use.
func (c *compiler) filter(rules *ruleSet, inbound bool, stage fabric.Stage, at scope, vague bool, r *model.Resource, otherwise fabric.Action) fabric.FilterID {
	at = rules.narrow(at)
	key := filterKey{rules, inbound, stage, at, vague}
	if id, ok := c.filterIDs[key]; ok {
		return id
	}
	f := fabric.Filter{Stage: stage, Default: otherwise, Rules: c.write(&key)}
	if r != nil {
		f.Name, f.Origin = r.ID.Name(), origin(r, "", "")
	} else {
		f.Name = "security admin rules"
	}
	id := fabric.FilterID(len(c.img.Filters))
	c.img.Filters = append(c.img.Filters, f)
	c.filterIDs[key] = id
	return id
}

// write writes the rules of a set down for one place.
func (c *compiler) write(key *filterKey) []fabric.Rule {
	list := key.rules.out
	if key.inbound {
		list = key.rules.in
	}
	rules := make([]fabric.Rule, 0, len(list))
	for i := range list {
		rules = c.instantiate(rules, &list[i], &key.at)
	}
	if key.vague {
		for i := range rules {
			rules[i].Action = fabric.Unknown
		}
	}
	return rules
}

// parseNSGs reads the rules of every security group.
func (c *compiler) parseNSGs() {
	children := map[string][]*item[wire.SecurityRule]{}
	for _, it := range c.docs.rules.list {
		parent := it.res.ID.Parent().Key()
		children[parent] = append(children[parent], it)
	}
	for _, it := range c.docs.nsgs.list {
		c.nsgs[it.key].rules = c.parsed(it, children[it.key])
	}
}

// parseNSG reads the rules of a security group, those declared on their own
// included, and appends the default rules.
func (c *compiler) parseNSG(it *item[wire.NSG], children []*item[wire.SecurityRule]) *ruleSet {
	n := len(it.view.Properties.SecurityRules) + len(children)
	rules := &ruleSet{in: make([]rule, 0, n+3), out: make([]rule, 0, n+3)}
	names := make(map[string]bool, n)
	at := make(map[[2]int]string, n) // direction, priority: name
	for i := range it.view.Properties.SecurityRules {
		r := &it.view.Properties.SecurityRules[i]
		names[strings.ToLower(r.Name)] = true
		c.securityRule(rules, at, it.res, fmt.Sprintf("/properties/securityRules/%d", i), r.Name, &r.Properties)
	}
	for _, r := range children {
		if name := r.res.ID.Name(); !names[strings.ToLower(name)] {
			c.securityRule(rules, at, r.res, "", name, &r.view.Properties)
		}
	}
	byPriority := func(a, b rule) int { return cmp.Compare(a.priority, b.priority) }
	slices.SortStableFunc(rules.in, byPriority)
	slices.SortStableFunc(rules.out, byPriority)
	c.defaultRules(rules, origin(it.res, "", ""))
	return rules
}

// defaultRules appends the six rules that end every security group.
func (c *compiler) defaultRules(rules *ruleSet, at fabric.Origin) {
	for _, d := range catalog.DefaultRules() {
		action := fabric.Drop
		if d.Allow {
			action = fabric.Pass
		}
		at.Name = d.Name
		src, dst := operandBuilder{c: c}, operandBuilder{c: c}
		src.text(d.Source)
		dst.text(d.Destination)
		rules.add(d.Inbound, rule{src: src.done(), dst: dst.done(), action: action, priority: d.Priority, origin: at})
	}
}

func (c *compiler) securityRule(to *ruleSet, seen map[[2]int]string, r *model.Resource, at, name string, p *wire.SecurityRuleProperties) {
	out := rule{priority: p.Priority, origin: origin(r, at, name)}
	at += "/properties"
	wrong := func(field, what, fix string) { c.problem(r, at+"/"+field, fmt.Sprintf("rule %q: %s", name, what), fix) }
	inbound := strings.EqualFold(p.Direction, "Inbound")
	if !inbound && !strings.EqualFold(p.Direction, "Outbound") {
		wrong("direction", fmt.Sprintf("direction %q is not known", p.Direction), "use Inbound or Outbound")
	}
	switch {
	case strings.EqualFold(p.Access, "Allow"):
		out.action = fabric.Pass
	case !strings.EqualFold(p.Access, "Deny"):
		wrong("access", fmt.Sprintf("access %q is not known", p.Access), "use Allow or Deny")
	}
	if p.Priority < catalog.MinSecurityRulePriority || p.Priority > catalog.MaxSecurityRulePriority {
		wrong("priority", fmt.Sprintf("priority %d is out of range", p.Priority), fmt.Sprintf("use %d to %d", catalog.MinSecurityRulePriority, catalog.MaxSecurityRulePriority))
	}
	key := [2]int{0, p.Priority}
	if inbound {
		key[0] = 1
	}
	if other, ok := seen[key]; ok {
		wrong("priority", fmt.Sprintf("priority %d is already that of rule %q in the same direction", p.Priority, other), "choose another priority")
	}
	seen[key] = name
	out.src = c.ruleSide(r, at, "source", name, p.SourceAddressPrefix, p.SourceAddressPrefixes, p.SourceApplicationSecurityGroups)
	out.dst = c.ruleSide(r, at, "destination", name, p.DestinationAddressPrefix, p.DestinationAddressPrefixes, p.DestinationApplicationSecurityGroups)
	proto, ports, ok := parseProtocol(p.Protocol)
	if !ok {
		wrong("protocol", fmt.Sprintf("protocol %q is not known", p.Protocol), "use Tcp, Udp, Icmp, Esp, Ah or *")
	}
	out.proto = c.sets.id(proto)
	// A rule for every protocol keeps its ports; protocols without ports
	// ignore them.
	if ports {
		out.srcPorts = c.rulePorts(r, at+"/sourcePortRange", name, p.SourcePortRange, p.SourcePortRanges)
		out.dstPorts = c.rulePorts(r, at+"/destinationPortRange", name, p.DestinationPortRange, p.DestinationPortRanges)
	}
	to.add(inbound, out)
}

// ruleSide reads one side of a security rule.
func (c *compiler) ruleSide(r *model.Resource, at, side, name, one string, many []string, asgs []wire.Ref) operand {
	b := operandBuilder{c: c}
	given := 0
	if one != "" {
		given++
		b.text(one)
	}
	if len(many) > 0 {
		given++
	}
	for _, s := range many {
		b.text(s)
	}
	if len(asgs) > 0 {
		given++
	}
	for i, ref := range asgs {
		key := strings.ToLower(ref.ID)
		if _, ok := c.docs.asgs.get(key); !ok {
			c.note(r, fmt.Sprintf("%s/%sApplicationSecurityGroups/%d", at, side, i), name,
				fmt.Sprintf("application security group %s is not among the resources; whom the rule matches is unknown", ref.ID))
			b.out.unresolved = true
			continue
		}
		b.ranges = append(b.ranges, c.asgAddrs[key]...)
	}
	pointer := at + "/" + side + "AddressPrefix"
	if given != 1 {
		c.problem(r, pointer, fmt.Sprintf("rule %q: the %s is given %d times", name, side, given), "give exactly one of a prefix, a list of prefixes and application security groups")
	}
	c.operandProblems(r, pointer, name, &b)
	return b.done()
}

// operandProblems reports mistyped addresses and notes names that could not be
// resolved.
func (c *compiler) operandProblems(r *model.Resource, pointer, name string, b *operandBuilder) {
	for _, s := range b.bad {
		c.problem(r, pointer, fmt.Sprintf("rule %q: %q is not an address, prefix or service tag", name, s), "write it like 10.0.0.0/24 or VirtualNetwork")
	}
	if b.out.unresolved {
		c.note(r, pointer, name, fmt.Sprintf("rule %q names something that is not among the resources or the published service tags; whom it matches is unknown", name))
	}
}

func (c *compiler) rulePorts(r *model.Resource, pointer, name, one string, many []string) fabric.SetID {
	texts := many
	if one != "" {
		texts = append([]string{one}, many...)
	}
	set, bad := parsePorts(texts)
	if bad != "" {
		c.problem(r, pointer, fmt.Sprintf("rule %q: %q is not a port or range of ports", name, bad), "write it like 443, 8000-8080 or *")
	}
	return c.sets.id(set)
}

// opaqueFilters makes everything at the port of something that is not modelled
// unknown; what never starts a flow sends nothing.
func (c *compiler) opaqueFilters(p *port) {
	o := p.opaque
	at := origin(o.item.res, "", "")
	add := func(action fabric.Action, name string) []fabric.FilterID {
		at.Name = name
		id := fabric.FilterID(len(c.img.Filters))
		c.img.Filters = append(c.img.Filters, fabric.Filter{
			Name: o.item.res.ID.Name(), Origin: at, Stage: fabric.StagePort,
			Rules: []fabric.Rule{{Action: action, Origin: at}},
		})
		return []fabric.FilterID{id}
	}
	out := &c.img.Ports[p.id]
	out.Ingress = add(fabric.Unknown, "not modelled")
	if o.sends {
		out.Egress = add(fabric.Unknown, "not modelled")
	} else {
		out.Silent = true
		out.Egress = add(fabric.Drop, "never starts a flow")
	}
}
