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
	res      *model.Resource // that declares it
	at       string          // JSON pointer within the resource
	rules    string          // JSON pointer of its rules
	view     *wire.RuleCollection
	priority [2]int // of the group, of the collection
}

// policyKey is what the filter of a policy depends on: names mean something
// else in every network, and appliances are no Azure Firewalls.
type policyKey struct {
	policy    *item[wire.FirewallPolicy]
	vnet      *vnet // nil where no rule has names
	appliance bool
}

// policyReader turns firewall policies into filters.
type policyReader struct {
	*compiler
	groups  map[string][]*item[wire.RuleCollectionGroup] // by lower-case ID of the policy
	filters map[policyKey]fabric.FilterID
	lines   map[*item[wire.FirewallPolicy]][]*item[wire.FirewallPolicy] // see lineage
}

// firewalls turns policies and the rules inside firewalls into redirects and
// filters of the forwarding ports ("Azure Firewall rule processing logic": NAT
// rules, then network rules, then application rules, then deny). It comes after
// the names because rules may use them.
func (c *compiler) firewalls() {
	r := &policyReader{c, map[string][]*item[wire.RuleCollectionGroup]{}, map[policyKey]fabric.FilterID{}, map[*item[wire.FirewallPolicy]][]*item[wire.FirewallPolicy]{}}
	for _, it := range c.docs.groups.list {
		parent := it.res.ID.Parent().Key()
		if _, ok := c.docs.policies.get(parent); !ok {
			c.problem(it.res, "", fmt.Sprintf("rule collection group %q belongs to a firewall policy that does not exist", it.res.ID.Name()), "declare the policy")
		}
		r.groups[parent] = append(r.groups[parent], it)
	}
	for _, w := range c.walls {
		r.firewall(w)
	}
	r.appliances()
	r.unused()
}

// unused compiles the policies of nobody for the problems they have.
func (r *policyReader) unused() {
	used := map[*item[wire.FirewallPolicy]]bool{}
	for key := range r.filters {
		used[key.policy] = true
	}
	for _, it := range r.docs.policies.list {
		if !used[it] {
			r.filter(it, nil, false)
		}
	}
}

func (r *policyReader) firewall(w *wall) {
	forward := &fabric.Forward{Stateful: true}
	var nat []policyCollection
	ref := w.view.Properties.FirewallPolicy
	switch {
	case ref == nil:
		classic := r.classic(w)
		mode, _ := w.res.Properties()["threatIntelMode"].(string)
		r.threatNote(w.res, "/properties/threatIntelMode", w.res, mode)
		nat = classic.nat
		f := fabric.Filter{Name: w.res.ID.Name(), Origin: origin(w.res, "", ""), Stage: fabric.StagePolicy}
		network, application := r.rules(classic.filter, r.view(w.port.subnet.vnet))
		f.Rules = slices.Concat(r.noIPv6(f.Origin), network, application)
		forward.Policy = []fabric.FilterID{r.addFilter(f)}
		text, _ := r.additional(w)["Network.SNAT.PrivateRanges"].(string)
		forward.Private = r.privateRanges(w.res, "/properties/additionalProperties", strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' }))
	default:
		policy, ok := r.docs.policies.get(ref.ID)
		if !ok {
			r.dangling(w.res, "/properties/firewallPolicy", "firewall policy", ref.ID)
			break
		}
		forward.Policy = []fabric.FilterID{r.filter(policy, w.port.subnet.vnet, false)}
		var ranges []string
		if snat := policy.view.Properties.SNAT; snat != nil {
			ranges = snat.PrivateRanges
		}
		forward.Private = r.privateRanges(policy.res, "/properties/snat/privateRanges", ranges)
		// NAT collections are not inherited ("Azure Firewall Manager policy
		// overview").
		nat = r.collections(r.groups[policy.key])
	}
	forward.Own = w.own()
	inward := r.translations(w, nat)
	out := &r.img.Ports[w.port.id]
	out.Forward, out.Inward = forward, inward
}

// additional returns the settings of a classic firewall.
func (r *policyReader) additional(w *wall) map[string]any {
	m, _ := w.res.Properties()["additionalProperties"].(map[string]any)
	return m
}

// privateRanges returns the destinations towards which sources are kept ("Azure
// Firewall SNAT private IP address ranges"): those of RFC 1918 and RFC 6598
// unless the ranges say otherwise. 0.0.0.0/0 is every destination and
// 255.255.255.255/32 in effect none.
func (r *policyReader) privateRanges(res *model.Resource, pointer string, texts []string) fabric.SetID {
	if len(texts) == 0 {
		return r.sets.id(fabric.PrefixSet(catalog.ReservedRoutes()...))
	}
	b := operandBuilder{c: r.compiler}
	for _, s := range texts {
		if strings.EqualFold(s, "IANAPrivateRanges") {
			b.ranges = append(b.ranges, fabric.PrefixSet(catalog.ReservedRoutes()...)...)
			continue
		}
		if x, ok := parseRange(strings.TrimSpace(s)); ok {
			b.ranges = append(b.ranges, x)
			continue
		}
		r.problem(res, pointer, fmt.Sprintf("private range %q is not an address or prefix", s), "write it like 10.0.0.0/8 or IANAPrivateRanges")
	}
	return r.sets.id(fabric.NewSet(b.ranges...))
}

// noIPv6 is the rule that ends IPv6 at a firewall, where the network has any.
func (r *policyReader) noIPv6(at fabric.Origin) []fabric.Rule {
	if !firewallsDropIPv6 || !slices.ContainsFunc(r.vnets, func(v *vnet) bool {
		return slices.ContainsFunc(v.prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() })
	}) {
		return nil
	}
	at.Name = "IPv6"
	v6 := fabric.AllValues().Subtract(fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0")))
	out := fabric.Rule{Action: fabric.Drop, Origin: at}
	out.Match[fabric.Src] = r.sets.id(v6)
	return []fabric.Rule{out}
}

func (c *compiler) addFilter(f fabric.Filter) fabric.FilterID {
	id := fabric.FilterID(len(c.img.Filters))
	c.img.Filters = append(c.img.Filters, f)
	return id
}

// lineage returns a policy and its ancestors, the oldest first ("Azure Firewall
// Manager policy overview": the parent's collections come before the child's).
func (r *policyReader) lineage(it *item[wire.FirewallPolicy]) []*item[wire.FirewallPolicy] {
	if line, ok := r.lines[it]; ok {
		return line
	}
	var line []*item[wire.FirewallPolicy]
	for p := it; ; {
		if slices.Contains(line, p) {
			r.problem(it.res, "/properties/basePolicy", fmt.Sprintf("firewall policy %q inherits from itself", it.res.ID.Name()), "break the circle")
			break
		}
		line = append(line, p)
		ref := p.view.Properties.BasePolicy
		if ref == nil || ref.ID == "" {
			break
		}
		base, ok := r.docs.policies.get(ref.ID)
		if !ok {
			r.dangling(p.res, "/properties/basePolicy", "firewall policy", ref.ID)
			break
		}
		p = base
	}
	slices.Reverse(line)
	r.lines[it] = line
	return line
}

// filter is the policy with all it inherits: the network rules of the whole
// lineage, then its application rules. Names are those of a network, or
// nobody's.
func (r *policyReader) filter(it *item[wire.FirewallPolicy], v *vnet, appliance bool) fabric.FilterID {
	line := r.lineage(it)
	key := policyKey{it, nil, appliance}
	var list []policyCollection
	for _, p := range line {
		list = append(list, r.collections(r.groups[p.key])...)
	}
	if slices.ContainsFunc(list, named) {
		key.vnet = v
	}
	if id, ok := r.filters[key]; ok {
		return id
	}
	f := fabric.Filter{Name: it.res.ID.Name(), Origin: origin(it.res, "", ""), Stage: fabric.StagePolicy}
	r.policyNotes(it)
	var names *fabric.View
	if key.vnet != nil && !ownServers(it) {
		names = r.view(v)
	}
	network, application := r.rules(list, names)
	if !appliance {
		f.Rules = r.noIPv6(f.Origin)
	}
	f.Rules = slices.Concat(f.Rules, network, application)
	id := r.addFilter(f)
	r.filters[key] = id
	return id
}

// named reports whether some rule of a collection uses names.
func named(pc policyCollection) bool {
	return slices.ContainsFunc(pc.view.Rules, func(r wire.FirewallRule) bool { return len(r.DestinationFQDNs)+len(r.TargetFQDNs) > 0 })
}

func (c *compiler) view(v *vnet) *fabric.View { return &c.img.Spaces[v.space].View }

// ownServers reports whether a policy asks DNS servers of its own, whose
// answers are not modelled.
func ownServers(it *item[wire.FirewallPolicy]) bool {
	settings, _ := it.res.Properties()["dnsSettings"].(map[string]any)
	servers, _ := settings["servers"].([]any)
	return slices.ContainsFunc(servers, func(s any) bool { return s != catalog.WireServer.String() })
}

// policyNotes records settings of a policy, and of those that it inherits from,
// whose effect is not modelled.
func (r *policyReader) policyNotes(it *item[wire.FirewallPolicy]) {
	for _, p := range r.lineage(it) {
		at := "/properties/basePolicy"
		if p == it {
			at = "/properties/threatIntelMode"
		}
		r.threatNote(it.res, at, p.res, p.view.Properties.ThreatIntelMode)
	}
	if snat, _ := it.res.Properties()["snat"].(map[string]any); snat != nil {
		if s, _ := snat["autoLearnPrivateRanges"].(string); strings.EqualFold(s, "Enabled") {
			r.note(it.res, "/properties/snat/autoLearnPrivateRanges", "", "private ranges that a firewall learns from a Route Server are not modelled")
		}
	}
}

// threatNote records that a resource denies what threat intelligence lists
// ("Azure Firewall threat intelligence-based filtering") because it, or the
// policy it inherits from, says so. A policy may be stricter than those it
// inherits from, never laxer ("Azure Firewall Manager policy overview").
func (c *compiler) threatNote(res *model.Resource, at string, by *model.Resource, mode string) {
	if !strings.EqualFold(mode, "Deny") {
		return
	}
	what := "addresses and names on Microsoft's threat intelligence list are denied in Azure; the list is not public"
	if by != res {
		what += fmt.Sprintf("; inherited from policy %q", by.ID.Name())
	}
	c.note(res, at, res.ID.Name(), what)
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
			out = append(out, policyCollection{res: g.res, at: at, rules: at + "/rules", view: rc, priority: [2]int{p.Priority, rc.Priority}})
		}
	}
	sortCollections(out)
	return out
}

func sortCollections(list []policyCollection) {
	slices.SortStableFunc(list, func(a, b policyCollection) int {
		return cmp.Or(cmp.Compare(a.priority[0], b.priority[0]), cmp.Compare(a.priority[1], b.priority[1]))
	})
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

// classicRules are the rules inside a firewall, in the order of evaluation.
type classicRules struct{ nat, filter []policyCollection }

// classic reads the rules inside a firewall without a policy. They work as those
// of a policy do ("Azure Firewall rule processing logic").
func (c *compiler) classic(w *wall) classicRules {
	var out classicRules
	p := &w.view.Properties
	add := func(to *[]policyCollection, seen map[int]string, list string, i int, rc *wire.RuleCollection) {
		at := fmt.Sprintf("/properties/%s/%d", list, i)
		c.firewallPriority(w.res, at+"/properties/priority", rc.Name, rc.Priority, seen)
		*to = append(*to, policyCollection{res: w.res, at: at + "/properties", rules: at + "/properties/rules", view: rc, priority: [2]int{0, rc.Priority}})
	}
	plain := func(to *[]policyCollection, list, kind string, of []wire.ClassicCollection) {
		seen := map[int]string{}
		for i := range of {
			rc := &wire.RuleCollection{Name: of[i].Name, Priority: of[i].Properties.Priority, Action: of[i].Properties.Action}
			for _, r := range of[i].Properties.Rules {
				rc.Rules = append(rc.Rules, wire.FirewallRule{
					RuleType: kind, Name: r.Name, IPProtocols: r.Protocols,
					SourceAddresses: r.SourceAddresses, SourceIPGroups: r.SourceIPGroups,
					DestinationAddresses: r.DestinationAddresses, DestinationIPGroups: r.DestinationIPGroups,
					DestinationFQDNs: r.DestinationFQDNs, DestinationPorts: r.DestinationPorts,
					TranslatedAddress: r.TranslatedAddress, TranslatedFQDN: r.TranslatedFQDN, TranslatedPort: r.TranslatedPort,
				})
			}
			add(to, seen, list, i, rc)
		}
	}
	plain(&out.nat, "natRuleCollections", "NatRule", p.NATRuleCollections)
	plain(&out.filter, "networkRuleCollections", "NetworkRule", p.NetworkRuleCollections)
	seen := map[int]string{}
	for i := range p.ApplicationRuleCollections {
		of := &p.ApplicationRuleCollections[i]
		rc := &wire.RuleCollection{Name: of.Name, Priority: of.Properties.Priority, Action: of.Properties.Action, Rules: slices.Clone(of.Properties.Rules)}
		for j := range rc.Rules {
			rc.Rules[j].RuleType = "ApplicationRule"
		}
		add(&out.filter, seen, "applicationRuleCollections", i, rc)
	}
	sortCollections(out.nat)
	sortCollections(out.filter)
	return out
}
