package intent

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// side is one side of a rule: everything, a service tag, or prefixes.
type side struct {
	text     string
	any      bool
	tag      string
	group    *group // the whole side is this network group
	prefixes []netip.Prefix
}

// side resolves one side of a rule.
func (b *builder) side(text string) (side, *complaint) {
	s := side{text: text}
	if strings.EqualFold(text, "any") || text == "*" {
		s.any = true
		return s, nil
	}
	if tag, ok := serviceTag(text); ok && len(b.names.kinds[strings.ToLower(text)]) == 0 {
		s.tag = tag
		return s, nil
	}
	sel, c := b.names.selector(text)
	if c != nil {
		return s, c
	}
	if len(sel.All) == 1 && sel.All[0].Kind == model.LabelGroup && len(sel.Prefixes) == 0 {
		s.group = b.groupName[sel.All[0].Name]
	}
	s.prefixes = b.prefixesOf(sel)
	if len(s.prefixes) == 0 && s.group == nil {
		return s, complain("name something that has addresses", "%q stands for no address in this network", text)
	}
	return s, nil
}

// strings returns the addresses of a side in the form of Azure's rules.
func (s side) strings() []string {
	switch {
	case s.any:
		return []string{"*"}
	case s.tag != "":
		return []string{s.tag}
	}
	out := make([]string, len(s.prefixes))
	for i, p := range s.prefixes {
		out[i] = p.String()
	}
	return out
}

// ruleText picks the one sentence of a rule out of its verbs.
func (b *builder) ruleText(pos model.Pos, verbs map[string]Text) (verb string, t Text, ok bool) {
	var given []string
	for _, v := range []string{"deny", "allow", "always-allow", "symmetric", "dnat"} {
		if verbs[v].IsSet() {
			given = append(given, v)
			verb, t = v, verbs[v]
		}
	}
	switch len(given) {
	case 1:
		return verb, t, true
	case 0:
		b.problem(pos, "add deny: FROM -> TO or allow: FROM -> TO", "a rule has no sentence")
	default:
		b.problem(t.Pos, "make them two rules", "a rule has both %s", strings.Join(given, " and "))
	}
	return "", Text{}, false
}

// emitRules makes what holds rules: security groups, route tables, policies.
func (b *builder) emitRules() {
	for i := 0; i < len(b.uses); i++ {
		switch u := b.uses[i]; {
		case u.id.Is(model.TypeNSG):
			b.emitNSG(u)
		case u.id.Is(model.TypeRouteTable):
			b.emitRouteTable(u)
		}
	}
	for _, e := range b.doc.NSGs {
		b.unused(e.Key, model.TypeNSG, "network security group")
	}
	for _, e := range b.doc.RouteTables {
		b.unused(e.Key, model.TypeRouteTable, "route table")
	}
	for _, f := range b.firewalls {
		if len(b.firewallRoutes[f]) > 0 {
			b.emitFirewallTable(f)
		}
	}
	b.emitPolicies()
}

func (b *builder) unused(t Text, resourceType, what string) {
	for _, u := range b.uses {
		if u.name == t.Value && u.id.Is(resourceType) {
			return
		}
	}
	b.warn(t.Pos, "use it in a subnet or remove it", "%s %s is not used anywhere", what, t.Value)
}

// emitNSG makes a network security group in one region.
func (b *builder) emitNSG(u usage) {
	spec, _ := b.doc.NSGs.Get(u.name)
	spec = substitute(b, spec, map[string]string{"region": u.region})
	view := wire.NSG{Head: wire.Head{Location: u.region}}
	at := map[string]model.Pos{}
	for _, direction := range []string{"Inbound", "Outbound"} {
		rules := spec.Inbound
		if direction == "Outbound" {
			rules = spec.Outbound
		}
		numbers := newNumbers(catalog.MinSecurityRulePriority, catalog.MaxSecurityRulePriority)
		for _, r := range rules {
			numbers.reserve(b, r.Priority)
		}
		for i, r := range rules {
			for _, rule := range b.nsgRules(r, direction, i, numbers) {
				at["/properties/securityRules/"+strconv.Itoa(len(view.Properties.SecurityRules))] = r.Pos
				view.Properties.SecurityRules = append(view.Properties.SecurityRules, rule)
			}
		}
	}
	seen := map[string]bool{}
	for i, r := range view.Properties.SecurityRules {
		if low := strings.ToLower(r.Name); seen[low] {
			b.problem(at["/properties/securityRules/"+strconv.Itoa(i)], "rename one", "network security group %s has two rules named %s", u.name, r.Name)
		} else {
			seen[low] = true
		}
	}
	b.emit(u.id, view, spec.Pos, at)
}

func (b *builder) nsgRules(r NSGRule, direction string, i int, numbers *numbers) []wire.SecurityRule {
	verb, t, ok := b.ruleText(r.Pos, map[string]Text{"deny": r.Deny, "allow": r.Allow})
	if !ok {
		return nil
	}
	s, from, to, ok := b.ruleSides(t)
	if !ok {
		return nil
	}
	if s.both {
		b.problem(t.Pos, "write two rules with ->", "a rule of a network security group has one direction, not <->")
		return nil
	}
	traffic := s.traffic
	if len(traffic) == 0 {
		traffic = []model.Traffic{{}}
	}
	base := r.Name.Or(fmt.Sprintf("%s-%s-%d", strings.ToLower(direction), verb, i+1), t.Pos)
	b.checkName(base, "a rule")
	var out []wire.SecurityRule
	for _, side := range []side{from, to} {
		if len(side.strings()) == 0 {
			// Azure has no rule about no address, and one would match nothing.
			b.warn(t.Pos, "add a member, or remove the rule", "rule %s is left out: group %s has no members", base.Value, side.group.name)
			return nil
		}
	}
	for j, tr := range traffic {
		rule := wire.SecurityRule{Name: base.Value}
		if j > 0 {
			rule.Name += "-" + strconv.Itoa(j+1)
		}
		rule.Properties = wire.SecurityRuleProperties{
			Priority: numbers.take(b, r.Priority, j, t.Pos), Direction: direction, Access: title(verb), SourcePortRange: "*",
		}
		p := &rule.Properties
		var known bool
		if p.Protocol, known = ruleProtocol(tr.Protocol, "*"); !known {
			b.problem(t.Pos, "use tcp, udp, icmp, esp or ah", "a network security group cannot match the protocol of %q", t.Value)
		}
		p.SourceAddressPrefix, p.SourceAddressPrefixes = singular(from.strings())
		p.DestinationAddressPrefix, p.DestinationAddressPrefixes = singular(to.strings())
		p.DestinationPortRange, p.DestinationPortRanges = singular(portStrings(tr))
		if n := max(len(p.SourceAddressPrefixes), len(p.DestinationAddressPrefixes)); n > catalog.MaxAddressesPerRule {
			b.problem(t.Pos, "use shorter prefixes that cover them", "%q stands for %d prefixes; a rule holds %d", t.Value, n, catalog.MaxAddressesPerRule)
		}
		out = append(out, rule)
	}
	return out
}

// ruleSides parses the sentence of a rule and resolves both sides.
func (b *builder) ruleSides(t Text) (s sentence, from, to side, ok bool) {
	s, c := parseSentence(t.Value)
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
		return s, from, to, false
	}
	from, c1 := b.side(s.from)
	to, c2 := b.side(s.to)
	for _, c := range []*complaint{c1, c2} {
		if c != nil {
			b.problem(t.Pos, c.fix, "%s", c.what)
		}
	}
	return s, from, to, c1 == nil && c2 == nil
}

// singular picks the form of a field that holds one value or several.
func singular(list []string) (string, []string) {
	if len(list) == 1 {
		return list[0], nil
	}
	return "", list
}

func title(verb string) string {
	switch verb {
	case "allow":
		return "Allow"
	case "always-allow":
		return "AlwaysAllow"
	default:
		return "Deny"
	}
}

// ruleProtocol names a protocol as security rules do; 0 is any of them.
func ruleProtocol(n uint8, any string) (string, bool) {
	switch n {
	case 0:
		return any, true
	case 1:
		return "Icmp", true
	case 6:
		return "Tcp", true
	case 17:
		return "Udp", true
	case 50:
		return "Esp", true
	case 51:
		return "Ah", true
	default:
		return any, false
	}
}

// numbers hands out priorities: explicit ones are kept, the others count 100,
// 110 and so on around them.
type numbers struct {
	lo, hi, next int
	used         map[int]model.Pos
}

func newNumbers(lo, hi int) *numbers {
	return &numbers{lo: lo, hi: hi, next: 100, used: map[int]model.Pos{}}
}

// reserve keeps an explicit priority, which must be free and in range.
func (n *numbers) reserve(b *builder, p Int) {
	if !p.IsSet() {
		return
	}
	if p.Value < n.lo || p.Value > n.hi {
		b.problem(p.Pos, fmt.Sprintf("use %d to %d", n.lo, n.hi), "priority %d is out of range", p.Value)
		return
	}
	if first, dup := n.used[p.Value]; dup {
		b.problem(p.Pos, fmt.Sprintf("use another number, for example %d", n.free(p.Value)), "duplicate priority %d; line %d has it already", p.Value, first.Line)
		return
	}
	n.used[p.Value] = p.Pos
}

func (n *numbers) free(from int) int {
	for i := from; i <= n.hi; i++ {
		if _, ok := n.used[i]; !ok {
			return i
		}
	}
	return n.lo
}

// take returns the priority of the j-th rule that a declared rule stands for.
func (n *numbers) take(b *builder, p Int, j int, pos model.Pos) int {
	if p.IsSet() {
		if j > 0 && p.Value <= n.hi && p.Value+j > n.hi {
			b.problem(p.Pos, fmt.Sprintf("use %d or less", n.hi-j), "this rule stands for several and takes the priorities %d to %d, past %d", p.Value, p.Value+j, n.hi)
		}
		if j > 0 {
			if first, dup := n.used[p.Value+j]; dup {
				b.problem(p.Pos, "leave a gap after a rule that stands for several", "duplicate priority %d; line %d has it already, and this rule takes %d to %d", p.Value+j, first.Line, p.Value, p.Value+j)
			}
			n.used[p.Value+j] = p.Pos
		}
		return p.Value + j
	}
	for {
		if _, taken := n.used[n.next]; !taken {
			break
		}
		n.next += 10
	}
	if n.next > n.hi {
		b.problem(pos, "use fewer rules, or give priorities", "there are more rules than priorities up to %d", n.hi)
		return n.hi
	}
	n.used[n.next] = pos
	n.next += 10
	return n.next - 10
}

// emitRouteTable makes a route table in one region.
func (b *builder) emitRouteTable(u usage) {
	routes, _ := b.doc.RouteTables.Get(u.name)
	routes = substitute(b, routes, map[string]string{"region": u.region})
	view := wire.RouteTable{Head: wire.Head{Location: u.region}}
	at := map[string]model.Pos{}
	seen := map[string]model.Pos{}
	var pos model.Pos
	for _, e := range b.doc.RouteTables {
		if e.Key.Value == u.name {
			pos = e.Key.Pos
		}
	}
	for i, r := range routes {
		if !r.To.IsSet() || !r.Via.IsSet() {
			b.problem(r.Pos, "write {to: PREFIX, via: NEXT HOP}", "a route of %s lacks to or via", u.name)
			continue
		}
		hopType, hop, c := b.nextHop(r.Via.Value, u.region)
		if c != nil {
			b.problem(r.Via.Pos, c.fix, "%s", c.what)
			continue
		}
		to, c := b.side(r.To.Value)
		if c == nil && to.any {
			c = complain("write 0.0.0.0/0", "\"any\" is not a destination of a route")
		}
		if c != nil {
			b.problem(r.To.Pos, c.fix, "%s", c.what)
			continue
		}
		for j, dst := range to.strings() {
			if c := sameFamily(dst, hop); c != nil {
				b.problem(r.Via.Pos, c.fix, "%s", c.what)
				continue
			}
			if first, dup := seen[strings.ToLower(dst)]; dup {
				b.problem(r.To.Pos, fmt.Sprintf("line %d routes it already; keep one", first.Line), "route table %s has two routes to %s", u.name, dst)
				continue
			}
			seen[strings.ToLower(dst)] = r.To.Pos
			name := r.Name.Or(fmt.Sprintf("route-%d", i+1), r.Pos)
			b.checkName(name, "a route")
			if j > 0 {
				name.Value += "-" + strconv.Itoa(j+1)
			}
			at["/properties/routes/"+strconv.Itoa(len(view.Properties.Routes))] = r.Pos
			view.Properties.Routes = append(view.Properties.Routes, wire.Route{Name: name.Value, Properties: wire.RouteProperties{
				AddressPrefix: dst, NextHopType: hopType, NextHopIPAddress: hop,
			}})
		}
	}
	if n := len(view.Properties.Routes); n > catalog.MaxRoutesPerTable {
		b.problem(pos, "use shorter prefixes that cover them", "route table %s has %d routes; Azure allows %d", u.name, n, catalog.MaxRoutesPerTable)
	}
	b.emit(u.id, view, pos, at)
}

// nextHop resolves the words for a next hop, seen from a region.
func (b *builder) nextHop(via, region string) (hopType, addr string, c *complaint) {
	switch strings.ToLower(via) {
	case "internet":
		return "Internet", "", nil
	case "vnet":
		return "VnetLocal", "", nil
	case "gateway":
		return "VirtualNetworkGateway", "", nil
	case none:
		return "None", "", nil
	case "firewall":
		f, c := b.regionFirewall(region)
		if c != nil {
			return "", "", c
		}
		return "VirtualAppliance", f.addr.String(), nil
	}
	if a, err := netip.ParseAddr(via); err == nil {
		return "VirtualAppliance", a.String(), nil
	}
	for _, f := range b.firewalls {
		if strings.EqualFold(f.name, via) {
			return "VirtualAppliance", f.addr.String(), nil
		}
	}
	if h, ok := b.hostNamed[strings.ToLower(via)]; ok {
		if !h.spec.IPForwarding.Or(false) {
			return "", "", complain("add ip-forwarding: true to the host", "host %s drops what others send through it", h.name)
		}
		return "VirtualAppliance", h.addr.String(), nil
	}
	for _, l := range b.balancers {
		if strings.EqualFold(l.name, via) {
			a, c := l.private()
			return "VirtualAppliance", a.String(), c
		}
	}
	words := []string{"firewall", "internet", "vnet", "gateway", none}
	for _, l := range b.balancers {
		words = append(words, l.name)
	}
	for _, f := range b.firewalls {
		words = append(words, f.name)
	}
	for _, h := range b.hosts {
		words = append(words, h.name)
	}
	return "", "", complain(suggestion(via, words, "write an address, firewall, internet, vnet, gateway or none"), "%q is not a next hop", via)
}

// sameFamily refuses an IPv4 prefix with an IPv6 next hop and the reverse.
func sameFamily(dst, hop string) *complaint {
	p, errP := netip.ParsePrefix(dst)
	a, errA := netip.ParseAddr(hop)
	if errP != nil || errA != nil || p.Addr().Is4() == a.Is4() {
		return nil // service tags hold both
	}
	family := map[bool]string{true: "IPv4", false: "IPv6"}
	return complain("name a next hop with an "+family[p.Addr().Is4()]+" address", "%s cannot be reached through %s, which is %s", dst, hop, family[a.Is4()])
}

// regionFirewall returns the one firewall of a region.
func (b *builder) regionFirewall(region string) (*firewall, *complaint) {
	var found []*firewall
	for _, f := range b.firewalls {
		if f.vnet.region == region {
			found = append(found, f)
		}
	}
	switch {
	case len(found) == 0:
		return nil, complain("add a firewall to the hub of "+region, "region %s has no firewall", region)
	case len(found) > 1:
		return nil, complain(fmt.Sprintf("name one: %s or %s", found[0].name, found[1].name), "region %s has several firewalls", region)
	case !found[0].addr.IsValid():
		return nil, complain("give its subnet an address", "firewall %s has no address", found[0].name)
	}
	return found[0], nil
}
