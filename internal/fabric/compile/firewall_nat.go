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
// traffic with Azure Firewall DNAT"). What one translates needs no network rule
// ("Azure Firewall rule processing logic", of policies), and what none does is
// nobody's: a public address of the firewall is not forwarded.
func (r *policyReader) translations(w *wall, list []policyCollection) *fabric.Inward {
	var own []netip.Addr
	for i := range w.view.Properties.IPConfigurations {
		ref := w.view.Properties.IPConfigurations[i].Properties.PublicIPAddress
		if ref == nil {
			continue
		}
		if a, ok := r.publicAddrs[strings.ToLower(ref.ID)]; ok {
			own = append(own, a.addr)
		}
	}
	addrs := fabric.AddrSet(own...)
	in := &fabric.Inward{Addrs: r.sets.id(addrs)}
	for _, pc := range list {
		for i := range pc.view.Rules {
			rule := &pc.view.Rules[i]
			if strings.EqualFold(rule.RuleType, "NatRule") {
				at := fmt.Sprintf("%s/%d", pc.rules, i)
				in.Redirects = append(in.Redirects, r.natRule(w, pc, rule, at, addrs)...)
			}
		}
	}
	return in
}

// natRule returns the redirects of a NAT rule: one for the packets that it
// surely takes, and one of unknown outcome for those that it might.
func (r *policyReader) natRule(w *wall, pc policyCollection, view *wire.FirewallRule, at string, addrs fabric.Set) []fabric.Redirect {
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
	redirect := func(src, dst fabric.SetID, why string) []fabric.Redirect {
		public := r.sets.get(dst).Intersect(addrs)
		if public.IsEmpty() {
			return nil
		}
		out := to
		out.Match[fabric.Src], out.Match[fabric.Dst] = src, r.sets.id(public)
		if out.Targets = []fabric.Target{target}; why != "" {
			out.Source = netip.Addr{}
			out.Targets = []fabric.Target{r.unknownTarget(w.port, to.Origin, why)[0].Target}
		}
		return []fabric.Redirect{out}
	}
	sureSrc, maybeSrc := r.resolve(&src, r.nowhere())
	sureDst, maybeDst := r.resolve(&dst, r.nowhere())
	list := redirect(sureSrc, sureDst, unknown)
	if maybeSrc != r.sets.empty || maybeDst != r.sets.empty {
		list = append(list, redirect(r.sets.union(sureSrc, maybeSrc), r.sets.union(sureDst, maybeDst),
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
