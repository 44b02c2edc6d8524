package compile

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// adminFilters returns the outbound and inbound filter of the security admin
// rules at a subnet, or None. They do not apply where gateways, firewalls,
// Bastion, Route Servers and application gateways live, and not for certain in
// networks with SQL managed instances or Databricks ("Security admin rules in
// Azure Virtual Network Manager").
func (c *compiler) adminFilters(s *subnet) (out, in fabric.FilterID) {
	list := c.effect.Admin[s.vnet.space]
	if list == nil || s.noAdmin || c.claims.noAdmin[s] {
		return fabric.None, fabric.None
	}
	rules, ok := c.adminSets[list]
	if !ok {
		rules = c.adminRules(list)
		c.adminSets[list] = rules
	}
	at := c.networkScope(s.vnet)
	vague := s.vnet.intentPolicies()
	if vague {
		c.note(s.vnet.res, "", "", "security admin rules apply to a network with SQL managed instances or Databricks only in part; what they decide here is unknown")
	}
	out, in = fabric.None, fabric.None
	if len(rules.out) > 0 {
		out = c.filter(rules, false, fabric.StageAdmin, at, vague, nil, fabric.Pass)
	}
	if len(rules.in) > 0 {
		in = c.filter(rules, true, fabric.StageAdmin, at, vague, nil, fabric.Pass)
	}
	return out, in
}

// intentPolicies reports whether a service with network intent policies lives
// in the network.
func (v *vnet) intentPolicies() bool {
	for _, s := range v.subnets {
		if s.delegate == "microsoft.sql/managedinstances" || s.delegate == "microsoft.databricks/workspaces" {
			return true
		}
	}
	return false
}

// adminRules reads a list of security admin rules. Allow goes on to the
// security groups, AlwaysAllow skips them.
func (c *compiler) adminRules(list *avnm.AdminList) *ruleSet {
	rules := &ruleSet{}
	for i := range list.Rules {
		c.adminRule(rules, &list.Rules[i])
	}
	return rules
}

func (c *compiler) adminRule(to *ruleSet, r *avnm.AdminRule) {
	p := &r.Properties
	res, at := r.Source.Resource, r.Source.Pointer+"/properties"
	name := res.ID.Name()
	out := rule{priority: p.Priority, origin: origin(res, r.Source.Pointer, name)}
	wrong := func(field, what, fix string) {
		c.problem(res, at+"/"+field, fmt.Sprintf("rule %q: %s", name, what), fix)
	}
	inbound := strings.EqualFold(p.Direction, "Inbound")
	if !inbound && !strings.EqualFold(p.Direction, "Outbound") {
		wrong("direction", fmt.Sprintf("direction %q is not known", p.Direction), "use Inbound or Outbound")
	}
	switch strings.ToLower(p.Access) {
	case "allow":
		out.action = fabric.Pass
	case "alwaysallow":
		out.action = fabric.Bypass
	case "deny":
	default:
		wrong("access", fmt.Sprintf("access %q is not known", p.Access), "use Allow, AlwaysAllow or Deny")
	}
	if p.Priority < catalog.MinAdminRulePriority || p.Priority > catalog.MaxAdminRulePriority {
		wrong("priority", fmt.Sprintf("priority %d is out of range", p.Priority), fmt.Sprintf("use %d to %d", catalog.MinAdminRulePriority, catalog.MaxAdminRulePriority))
	}
	out.src = c.adminSide(r, "sources", p.Sources)
	out.dst = c.adminSide(r, "destinations", p.Destinations)
	proto, ports, ok := parseProtocol(p.Protocol)
	if !ok {
		wrong("protocol", fmt.Sprintf("protocol %q is not known", p.Protocol), "use Tcp, Udp, Icmp, Esp, Ah or Any")
	}
	out.proto = c.sets.id(proto)
	if ports {
		out.srcPorts = c.rulePorts(res, at+"/sourcePortRanges", name, "", p.SourcePortRanges)
		out.dstPorts = c.rulePorts(res, at+"/destinationPortRanges", name, "", p.DestinationPortRanges)
	}
	to.add(inbound, out)
}

// adminSide reads one side of an admin rule; no items mean any address.
func (c *compiler) adminSide(r *avnm.AdminRule, field string, items []wire.AddressItem) operand {
	res := r.Source.Resource
	b := operandBuilder{c: c}
	if len(items) == 0 {
		b.text("*")
	}
	for i, item := range items {
		pointer := fmt.Sprintf("%s/properties/%s/%d", r.Source.Pointer, field, i)
		if !strings.EqualFold(item.AddressPrefixType, "NetworkGroup") {
			b.text(item.AddressPrefix)
			continue
		}
		set, ok := c.groupSets[strings.ToLower(item.AddressPrefix)]
		if !ok {
			c.dangling(res, pointer, "network group", item.AddressPrefix)
			continue
		}
		b.set(set)
	}
	c.operandProblems(res, fmt.Sprintf("%s/properties/%s", r.Source.Pointer, field), res.ID.Name(), &b)
	return b.done()
}
