package intent

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Types of rule collection and of rule in a firewall policy. A collection holds
// rules of one type ("Azure Firewall policy rule sets").
const (
	filterCollection = "FirewallPolicyFilterRuleCollection"
	natCollection    = "FirewallPolicyNatRuleCollection"
	networkRule      = "NetworkRule"
	applicationRule  = "ApplicationRule"
	natRule          = "NatRule"
)

// emitPolicyRules makes the rule collection group of a policy. Rules in a row
// with the same type and action share a collection, so that the order stays.
func (b *builder) emitPolicyRules(name Text, p FirewallPolicy) {
	if len(p.Rules) == 0 {
		return
	}
	view := wire.RuleCollectionGroup{}
	view.Properties.Priority = ruleGroupPriority
	at := map[string]model.Pos{}
	used := map[string]bool{}
	for i, r := range p.Rules {
		verb, t, ok := b.ruleText(r.Pos, map[string]Text{"deny": r.Deny, "allow": r.Allow, "dnat": r.DNAT})
		if !ok {
			continue
		}
		s, c := parseSentence(t.Value)
		if c != nil {
			b.problem(t.Pos, c.fix, "%s", c.what)
			continue
		}
		base := r.Name.Or(fmt.Sprintf("%s-%d", verb, i+1), t.Pos)
		b.checkName(base, "a rule")
		if used[base.Value] {
			b.problem(base.Pos, "rename one", "firewall policy %s has two rules named %s", name.Value, base.Value)
		}
		used[base.Value] = true
		if r.To.IsSet() && verb != "dnat" {
			b.problem(r.To.Pos, "remove it", "to belongs to dnat only")
		}
		var rules []wire.FirewallRule
		switch {
		case verb == "dnat":
			rules = b.dnatRules(t, s, r)
		case len(r.FQDN) > 0:
			rules = b.applicationRules(t, s, r)
		default:
			rules = b.networkRules(t, s)
		}
		for _, rule := range rules {
			rule.Name = base.Value + rule.Name
			last := collectionFor(&view, verb, rule.RuleType)
			at[fmt.Sprintf("/properties/ruleCollections/%d/rules/%d", len(view.Properties.RuleCollections)-1, len(last.Rules))] = r.Pos
			last.Rules = append(last.Rules, rule)
		}
	}
	b.emit(b.policyID(name.Value).Child("ruleCollectionGroups", ruleGroupName), view, name.Pos, at)
}

// collectionFor returns the last collection, or a new one if that is of another
// type or action.
func collectionFor(view *wire.RuleCollectionGroup, verb, ruleType string) *wire.RuleCollection {
	kind, action := filterCollection, title(verb)
	if ruleType == natRule {
		kind, action = natCollection, "DNAT"
	}
	cs := &view.Properties.RuleCollections
	n := len(*cs)
	if n == 0 || (*cs)[n-1].RuleCollectionType != kind || (*cs)[n-1].Action.Type != action || (*cs)[n-1].Rules[0].RuleType != ruleType {
		*cs = append(*cs, wire.RuleCollection{
			RuleCollectionType: kind, Name: fmt.Sprintf("%s-%d", verb, n+1),
			Priority: collectionStart + collectionInterval*n, Action: wire.RuleCollectionAction{Type: action},
		})
	}
	return &(*cs)[len(*cs)-1]
}

// suffix tells apart the rules that one sentence stands for.
func suffix(i int) string {
	if i == 0 {
		return ""
	}
	return "-" + strconv.Itoa(i+1)
}

// networkRules makes a rule for each direction and protocol of a sentence.
func (b *builder) networkRules(t Text, s sentence) []wire.FirewallRule {
	directions := [][2]string{{s.from, s.to}}
	if s.both {
		directions = append(directions, [2]string{s.to, s.from})
	}
	traffic := s.traffic
	if len(traffic) == 0 {
		traffic = []model.Traffic{{}}
	}
	var out []wire.FirewallRule
	for d, pair := range directions {
		for j, tr := range traffic {
			rule, ok := b.networkRule(t, pair[0], pair[1], tr)
			if !ok {
				break
			}
			if d > 0 {
				rule.Name = "-reverse"
			}
			rule.Name += suffix(j)
			out = append(out, rule)
		}
	}
	return out
}

func (b *builder) networkRule(t Text, from, to string, tr model.Traffic) (wire.FirewallRule, bool) {
	rule := wire.FirewallRule{RuleType: networkRule, DestinationPorts: portStrings(tr)}
	switch tr.Protocol {
	case 0:
		rule.IPProtocols = []string{"Any"}
	case 1:
		rule.IPProtocols = []string{"ICMP"}
	case protocolTCP:
		rule.IPProtocols = []string{"TCP"}
	case protocolUDP:
		rule.IPProtocols = []string{"UDP"}
	default:
		b.problem(t.Pos, "use tcp, udp or icmp", "a firewall policy cannot match the protocol of %q", t.Value)
		return rule, false
	}
	dst, c := b.side(to)
	if c == nil && (dst.tag == "VirtualNetwork" || dst.tag == "AzureLoadBalancer") {
		c = complain("write a group or prefixes", "%q has no meaning in a firewall policy", to)
	}
	src, ok := b.firewallSource(t, from)
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
	}
	if c != nil || !ok {
		return rule, false
	}
	rule.SourceAddresses, rule.SourceIPGroups = b.firewallSide(src, t.Pos)
	rule.DestinationAddresses, rule.DestinationIPGroups = b.firewallSide(dst, t.Pos)
	return rule, true
}

// firewallSource resolves who sends, in a rule of a firewall policy.
func (b *builder) firewallSource(t Text, from string) (side, bool) {
	src, c := b.side(from)
	if c == nil && src.tag != "" && src.tag != "Internet" {
		c = complain("write a group or prefixes", "%q is a service tag, which a firewall policy takes as a destination only", from)
	}
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
	}
	return src, c == nil
}

// applicationRules makes the rule about names of servers: of HTTP, HTTPS and SQL
// Server, whose names a firewall sees ("Azure Firewall rule processing logic").
func (b *builder) applicationRules(t Text, s sentence, r FirewallRule) []wire.FirewallRule {
	if to, _ := b.side(s.to); s.both || !to.any && to.tag != "Internet" {
		b.problem(t.Pos, "write FROM -> internet https", "with fqdn the names say where %q goes", t.Value)
		return nil
	}
	rule := wire.FirewallRule{RuleType: applicationRule}
	for _, tr := range s.traffic {
		for _, p := range tr.Ports {
			kind := map[uint16]string{80: "Http", 443: "Https", 1433: "Mssql"}[p.Lo]
			if tr.Protocol != protocolTCP || p.Lo != p.Hi || kind == "" {
				b.problem(t.Pos, "write http, https or sqlserver", "a firewall sees the names of http, https and sqlserver only, not of all of %q", t.Value)
				return nil
			}
			rule.Protocols = append(rule.Protocols, wire.FirewallApplicationProtocol{ProtocolType: kind, Port: int(p.Lo)})
		}
	}
	if len(rule.Protocols) == 0 {
		b.problem(t.Pos, "add http, https or sqlserver", "%q does not say what the named servers speak", t.Value)
		return nil
	}
	for _, n := range r.FQDN {
		name := strings.ToLower(strings.TrimSuffix(n.Value, "."))
		if name != "*" && !validDomain(strings.TrimPrefix(name, "*.")) {
			b.problem(n.Pos, "write a name such as www.example.com or *.example.com", "%q is not a domain name", n.Value)
			continue
		}
		rule.TargetFQDNs = append(rule.TargetFQDNs, name)
	}
	src, ok := b.firewallSource(t, s.from)
	if !ok {
		return nil
	}
	rule.SourceAddresses, rule.SourceIPGroups = b.firewallSide(src, t.Pos)
	return []wire.FirewallRule{rule}
}

// dnatRules makes a rule for each port that is sent on.
func (b *builder) dnatRules(t Text, s sentence, r FirewallRule) []wire.FirewallRule {
	if len(r.FQDN) > 0 {
		b.problem(r.FQDN[0].Pos, "remove it", "fqdn has no meaning with dnat")
	}
	public, ok := b.publicOf(t, s.to)
	to, port, okTo := b.target(r, t.Pos)
	src, okFrom := b.firewallSource(t, s.from)
	if !ok || !okTo || !okFrom {
		return nil
	}
	var out []wire.FirewallRule
	for _, tr := range s.traffic {
		for _, p := range tr.Ports {
			protocol := map[uint8]string{protocolTCP: "TCP", protocolUDP: "UDP"}[tr.Protocol]
			if p.Lo != p.Hi || s.both {
				b.problem(t.Pos, "write FROM -> FIREWALL tcp/443, with ports one by one", "dnat sends on single ports in one direction, not %q", t.Value)
				return nil
			}
			rule := wire.FirewallRule{
				RuleType: natRule, Name: suffix(len(out)), IPProtocols: []string{protocol}, DestinationAddresses: []string{public.String()},
				DestinationPorts: []string{strconv.Itoa(int(p.Lo))}, TranslatedAddress: to.String(), TranslatedPort: strconv.Itoa(int(p.Lo)),
			}
			if port != "" {
				rule.TranslatedPort = port
			}
			rule.SourceAddresses, rule.SourceIPGroups = b.firewallSide(src, t.Pos)
			out = append(out, rule)
		}
	}
	if len(out) == 0 {
		b.problem(t.Pos, "add traffic, for example tcp/443", "%q does not say which ports are sent on", t.Value)
	}
	return out
}

// publicOf resolves the public address that dnat is about: a firewall's, or an
// address.
func (b *builder) publicOf(t Text, text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a, true
	}
	var names []string
	for _, f := range b.firewalls {
		if names = append(names, f.name); strings.EqualFold(f.name, strings.TrimPrefix(text, "firewall:")) {
			return f.public, f.public.IsValid()
		}
	}
	b.problem(t.Pos, suggestion(text, names, "name a firewall, or one of its public addresses"), "there is no firewall %q", text)
	return netip.Addr{}, false
}

// target reads where dnat sends packets: a host or an address, and perhaps a
// port.
func (b *builder) target(r FirewallRule, pos model.Pos) (a netip.Addr, port string, ok bool) {
	if !r.To.IsSet() {
		b.problem(pos, "add to: HOST", "dnat does not say where to")
		return a, "", false
	}
	text := r.To.Value
	if a, err := netip.ParseAddr(text); err == nil {
		return a, "", true
	}
	name, port, hasPort := strings.Cut(text, ":")
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		b.problem(r.To.Pos, "write a number from 1 to 65535", "%q is not a port", port)
		return a, "", false
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return a, port, true
	}
	h, ok := b.hostCalled(Text{name, r.To.Pos})
	if !ok {
		return a, "", false
	}
	return h.addr, port, h.addr.IsValid()
}
