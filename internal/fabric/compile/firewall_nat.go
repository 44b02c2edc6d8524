package compile

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/wire"
)

// translates reports whether a firewall has NAT rules. They are not inherited
// from a parent policy.
func (c *compiler) translates(w *wall) bool {
	ref := w.view.Properties.FirewallPolicy
	if ref == nil {
		return len(w.view.Properties.NATRuleCollections) > 0
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

// translations are the NAT rules of a firewall as redirects ("Filter inbound
// traffic with Azure Firewall DNAT", "Azure Firewall private IP DNAT"). What one
// translates needs no network rule ("Azure Firewall rule processing logic", of
// policies), and what none does is nobody's: the firewall's addresses, public or
// private, are neither forwarded nor hosts.
func (r *policyReader) translations(w *wall, list []policyCollection) *fabric.Inward {
	to := fronts{private: fabric.AddrSet(w.own()...)}
	var public []netip.Addr
	for i := range w.view.Properties.IPConfigurations {
		ref := w.view.Properties.IPConfigurations[i].Properties.PublicIPAddress
		if ref == nil {
			continue
		}
		if a, ok := r.publicAddrs[strings.ToLower(ref.ID)]; ok {
			public = append(public, a.addr)
		}
	}
	to.public = fabric.AddrSet(public...)
	in := &fabric.Inward{Addrs: r.sets.id(to.private)}
	if r.translates(w) {
		// Without NAT rules nothing leads from the public addresses to the port.
		in.Addrs = r.sets.id(to.private.Union(to.public))
	}
	for _, pc := range list {
		for i := range pc.view.Rules {
			rule := &pc.view.Rules[i]
			if strings.EqualFold(rule.RuleType, "NatRule") {
				at := fmt.Sprintf("%s/%d", pc.rules, i)
				in.Redirects = append(in.Redirects, r.natRule(w, pc, rule, at, to)...)
			}
		}
	}
	if r.proxiesNames(w) {
		in.Redirects = append(in.Redirects, r.nameProxy(w, to.private))
	}
	return in
}

// fronts are the addresses of a firewall that NAT rules translate.
type fronts struct{ public, private fabric.Set }

// own returns the private addresses of a firewall.
func (w *wall) own() []netip.Addr {
	var out []netip.Addr
	for _, a := range w.port.addrs {
		if a.addr.IsValid() {
			out = append(out, a.addr)
		}
	}
	return out
}

// proxiesNames reports whether a firewall answers names at its private address
// ("Azure Firewall DNS settings", DNS proxy): its policy or the nearest ancestor
// with DNS settings says so, or the additional properties of one without a
// policy.
func (r *policyReader) proxiesNames(w *wall) bool {
	ref := w.view.Properties.FirewallPolicy
	if ref == nil {
		on, _ := r.additional(w)["Network.DNS.EnableProxy"].(string)
		return strings.EqualFold(on, "true")
	}
	policy, ok := r.docs.policies.get(ref.ID)
	if !ok {
		return false
	}
	line := r.lineage(policy)
	for i := len(line) - 1; i >= 0; i-- {
		if settings, ok := line[i].res.Properties()["dnsSettings"].(map[string]any); ok {
			on, _ := settings["enableProxy"].(bool)
			return on
		}
	}
	return false
}

// nameProxy is the redirect that leaves questions for names to the firewall
// itself.
func (r *policyReader) nameProxy(w *wall, private fabric.Set) fabric.Redirect {
	out := fabric.Redirect{Name: "DNS proxy", Origin: origin(w.res, "", "DNS proxy"), Floating: true, Targets: []fabric.Target{{Port: w.port.id}}}
	out.Match[fabric.Dst] = r.sets.id(private)
	out.Match[fabric.DstPort] = r.sets.id(fabric.NumSet(53, 53))
	out.Match[fabric.Proto] = r.sets.id(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP).Union(fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP)))
	return out
}

// isBasic reports whether a firewall is of the Basic SKU, which does not
// translate at its private address ("Azure Firewall private IP DNAT").
func (w *wall) isBasic() bool {
	sku, _ := w.res.Properties()["sku"].(map[string]any)
	tier, _ := sku["tier"].(string)
	return strings.EqualFold(tier, "Basic")
}

// taken returns the addresses of a firewall that a NAT rule translates, for
// some of its destinations.
func (to *fronts) taken(dst fabric.Set) (public, private fabric.Set) {
	private = dst.Intersect(to.private)
	if !natRangesTakePrivate {
		// Only destinations that are the address itself.
		private = nil
		for _, x := range dst {
			if x.Lo == x.Hi {
				private = private.Union(fabric.Set{x}.Intersect(to.private))
			}
		}
	}
	return dst.Intersect(to.public), private
}

// natRule returns the redirects of a NAT rule: one for the packets that it
// surely takes, and one of unknown outcome for those that it might.
func (r *policyReader) natRule(w *wall, pc policyCollection, view *wire.FirewallRule, at string, front fronts) []fabric.Redirect {
	if !strings.EqualFold(pc.view.Action.Type, "DNAT") {
		if strings.EqualFold(pc.view.Action.Type, "SNAT") {
			r.note(pc.res, pc.at+"/action", pc.view.Name, "NAT rules that translate sources are not modelled")
			return nil
		}
		r.problem(pc.res, pc.at+"/action", fmt.Sprintf("action %q of NAT collection %q is not known", pc.view.Action.Type, pc.view.Name), "use DNAT")
	}
	src := r.firewallSide(pc.res, at+"/source", view.Name, view.SourceAddresses, view.SourceIPGroups, nil, nil)
	dst := r.firewallSide(pc.res, at+"/destination", view.Name, view.DestinationAddresses, view.DestinationIPGroups, nil, nil)
	with, without := r.firewallProtocols(pc.res, at, view)
	if !without.IsEmpty() {
		r.problem(pc.res, at+"/ipProtocols", fmt.Sprintf("NAT rule %q is for a protocol without ports", view.Name), "use TCP or UDP")
	}
	ported := fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP).Union(fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP))
	to := fabric.Redirect{Name: view.Name, Origin: origin(pc.res, at, view.Name)}
	to.Match[fabric.Proto] = r.sets.id(with.Intersect(ported))
	to.Match[fabric.DstPort] = r.firewallPorts(pc.res, at, view)
	if dnatMasquerades && len(w.port.addrs) > 0 {
		to.Source = w.port.addrs[0].addr
	}
	target := fabric.Target{Port: fabric.None, DstPort: r.translatedPort(pc, view, at)}
	unknown := ""
	target.Addr, unknown = r.translatedAddress(w, pc, view, at)
	redirect := func(src fabric.SetID, dst fabric.Set, why string) []fabric.Redirect {
		if dst.IsEmpty() {
			return nil
		}
		out := to
		out.Match[fabric.Src], out.Match[fabric.Dst] = src, r.sets.id(dst)
		if out.Targets = []fabric.Target{target}; why != "" {
			out.Source = netip.Addr{}
			out.Targets = []fabric.Target{r.unknownTarget(w.port, to.Origin, why)[0]}
		}
		return []fabric.Redirect{out}
	}
	redirects := func(src, dst fabric.SetID, why string) []fabric.Redirect {
		public, private := front.taken(r.sets.get(dst))
		if w.isBasic() && why == "" {
			return append(redirect(src, public, ""),
				redirect(src, private, fmt.Sprintf("NAT rule %s is for the private address of a Basic firewall, which translates there only in Standard and Premium", view.Name))...)
		}
		return redirect(src, public.Union(private), why)
	}
	sureSrc, maybeSrc := r.resolve(&src, r.nowhere())
	sureDst, maybeDst := r.resolve(&dst, r.nowhere())
	list := redirects(sureSrc, sureDst, unknown)
	if maybeSrc != r.sets.empty || maybeDst != r.sets.empty {
		list = append(list, redirects(r.sets.union(sureSrc, maybeSrc), r.sets.union(sureDst, maybeDst),
			fmt.Sprintf("whom NAT rule %s is for is unknown", view.Name))...)
	}
	return list
}

// translatedAddress returns the new destination of a NAT rule, or why it is not
// known.
func (r *policyReader) translatedAddress(w *wall, pc policyCollection, view *wire.FirewallRule, at string) (netip.Addr, string) {
	if (view.TranslatedAddress == "") == (view.TranslatedFQDN == "") {
		r.problem(pc.res, at+"/translatedAddress", fmt.Sprintf("NAT rule %q needs either an address or a name to translate to", view.Name), "give translatedAddress or translatedFqdn")
		return netip.Addr{}, ""
	}
	if name := view.TranslatedFQDN; name != "" {
		// Several addresses would be a choice of the firewall's.
		answer := r.view(w.port.subnet.vnet).Resolve(name)
		if r.asksElsewhere(w) || answer.Verdict != fabric.VerdictAllow || len(answer.Addrs) != 1 || !answer.Addrs[0].Is4() {
			return netip.Addr{}, fmt.Sprintf("name %s of NAT rule %s is not one address of a zone of the network", name, view.Name)
		}
		return answer.Addrs[0], ""
	}
	a, err := netip.ParseAddr(view.TranslatedAddress)
	if err != nil || !a.Is4() {
		r.problem(pc.res, at+"/translatedAddress", fmt.Sprintf("NAT rule %q: %q is not an IPv4 address", view.Name, view.TranslatedAddress), "write it like 10.0.1.4")
	}
	return a, ""
}

// asksElsewhere reports whether a firewall asks DNS servers of its own.
func (c *compiler) asksElsewhere(w *wall) bool {
	ref := w.view.Properties.FirewallPolicy
	if ref == nil {
		return false
	}
	policy, ok := c.docs.policies.get(ref.ID)
	return ok && ownServers(policy)
}

// translatedPort returns the new destination port of a NAT rule; 0 keeps it.
func (r *policyReader) translatedPort(pc policyCollection, view *wire.FirewallRule, at string) uint16 {
	if view.TranslatedPort == "" || view.TranslatedPort == "*" {
		return 0
	}
	ports, bad := parsePorts([]string{view.TranslatedPort})
	if bad == "" && ports.Equal(r.sets.get(r.firewallPorts(pc.res, at, view))) && len(ports) == 1 && ports[0].Lo != ports[0].Hi {
		return 0 // a range to itself
	}
	if bad != "" || len(ports) != 1 || ports[0].Lo != ports[0].Hi || ports[0].Lo.Lo == 0 {
		r.problem(pc.res, at+"/translatedPort", fmt.Sprintf("NAT rule %q: translated port %q is not a port", view.Name, view.TranslatedPort), "write it like 8080")
		return 0
	}
	return uint16(ports[0].Lo.Lo)
}
