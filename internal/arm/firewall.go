package arm

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// firewallSubnet is the only subnet a firewall may be in.
const firewallSubnet = "AzureFirewallSubnet"

func checkFirewall(c *change) *Fault {
	configs, f := checkIPConfigurations(c, "azureFirewallIpConfigurations")
	if f != nil {
		return f
	}
	for _, cfg := range configs {
		id, err := model.ParseID(refID(object(cfg, "properties"), "subnet"))
		if err == nil && !strings.EqualFold(id.Name(), firewallSubnet) {
			return badRequest(codeFirewallSubnet, "Firewall %s must be in a subnet named %s, not %s.", c.id, firewallSubnet, id.Name())
		}
	}
	known := map[string]bool{}
	for _, list := range classicRules {
		if f := c.completeParts(c.id, c.props(), list, known); f != nil {
			return f
		}
	}
	return checkPublicIPUse(c)
}

// classicRules are the lists of rule collections that a firewall without a
// policy has.
var classicRules = []string{"applicationRuleCollections", "natRuleCollections", "networkRuleCollections"}

func fillFirewall(c *change) *Fault {
	if hub := refID(c.props(), "virtualHub"); hub != "" {
		return c.fillHubAddresses(hub)
	}
	return c.assignAddresses("ipConfigurations")
}

// maxHubAddresses is how many public addresses a firewall of a hub may have
// ("Azure Firewall limits").
const maxHubAddresses = 80

// hubFirewall is the place of the private address of a hub's firewall in the
// hub's prefix: with a /23, Azure's is .132 of its first half. // unconfirmed
const hubFirewall = 132

// fillHubAddresses gives a firewall in a virtual hub the public addresses it asks
// for by number, and its private address. Addresses stay while there is a need.
func (c *change) fillHubAddresses(hub string) *Fault {
	setDefault(c.props(), "hubIPAddresses.publicIPs.count", json.Number("1"))
	all := object(c.props(), "hubIPAddresses")
	public := object(all, "publicIPs")
	n, ok := whole(public["count"])
	if !ok || n < 0 || n > maxHubAddresses {
		return invalidProperty(c.id, "properties.hubIPAddresses.publicIPs.count", public["count"], "it must be a number of addresses, at most "+strconv.Itoa(maxHubAddresses))
	}
	// The client names those it keeps; without a list it keeps what there is.
	kept := objects(public, "addresses")
	if len(kept) == 0 {
		kept = objects(object(object(c.oldProps(), "hubIPAddresses"), "publicIPs"), "addresses")
	}
	var mine []netip.Addr
	for _, o := range kept {
		if a, err := netip.ParseAddr(text(o, "address")); err == nil && len(mine) < n && c.publicOwner(a) == "" {
			mine = append(mine, a)
		}
	}
	for len(mine) < n {
		a, f := c.freePublic(publicPool4, mine)
		if f != nil {
			return f
		}
		mine = append(mine, a)
	}
	list := make([]any, len(mine))
	for i, a := range mine {
		list[i] = map[string]any{"address": a.String()}
	}
	public["addresses"] = list
	id, err := model.ParseID(hub)
	if err != nil {
		return invalidReference(c.id, hub)
	}
	if e, ok := c.tx.Get(id); ok {
		if p, err := netip.ParsePrefix(text(e.Resource.Properties(), "addressPrefix")); err == nil && p.Contains(offset(p, hubFirewall)) {
			all["privateIPAddress"] = offset(p, hubFirewall).String()
		}
	}
	return nil
}

// firewallTerms are the addresses of a firewall, those in a hub included.
func firewallTerms(r *model.Resource) []string {
	terms := addressTerms(r)
	for _, o := range objects(object(object(r.Properties(), "hubIPAddresses"), "publicIPs"), "addresses") {
		if a, err := netip.ParseAddr(text(o, "address")); err == nil {
			terms = append(terms, termPublic+addressKey(a))
		}
	}
	return terms
}

// checkFirewallPolicy refuses a chain of base policies that comes back to the
// policy. Azure allows one level of inheritance only.
func checkFirewallPolicy(c *change) *Fault {
	base := refID(c.props(), "basePolicy")
	if base == "" {
		return nil
	}
	id, err := model.ParseID(base)
	if err != nil || id.Equal(c.id) {
		return invalidReference(c.id, base)
	}
	if e, ok := c.tx.Get(id); ok && refID(e.Resource.Properties(), "basePolicy") != "" {
		return badRequest("FirewallPolicyNestedInheritance", "Firewall policy %s cannot inherit from %s, which inherits from another policy itself.", c.id, id) // code unconfirmed
	}
	return nil
}

func showFirewallPolicy(r *reading, p map[string]any) {
	p["firewalls"], p["childPolicies"] = []any{}, []any{}
	r.setUsers(p, "firewalls", model.TypeFirewall)
	r.setUsers(p, "childPolicies", model.TypeFirewallPolicy)
	groups := []any{}
	for e := range r.view.List(r.id.Key()+"/rulecollectiongroups/", "") {
		groups = append(groups, map[string]any{"id": e.Resource.ID.String()})
	}
	p["ruleCollectionGroups"] = groups
}

// showIPGroup shows the policies whose rules name the group.
func showIPGroup(r *reading, p map[string]any) {
	policies := []any{}
	seen := map[string]bool{}
	for _, e := range findExact(r.view, termRef+r.id.Key()) {
		if up := e.Resource.ID.Parent(); e.Resource.ID.Is(model.TypeRuleCollectionGroup) && !seen[up.Key()] {
			seen[up.Key()] = true
			policies = append(policies, map[string]any{"id": up.String()})
		}
	}
	p["firewalls"], p["firewallPolicies"] = []any{}, policies
}

func checkRuleCollectionGroup(c *change) *Fault {
	if f := checkPriority(c.id, "properties.priority", c.props()["priority"], catalog.MinFirewallPriority, catalog.MaxFirewallPriority); f != nil {
		return f
	}
	names := map[string]bool{}
	for _, rc := range objects(c.props(), "ruleCollections") {
		name := text(rc, "name")
		if name == "" || names[strings.ToLower(name)] {
			return invalidProperty(c.id, "properties.ruleCollections.name", rc["name"], "collections of a group need distinct names")
		}
		names[strings.ToLower(name)] = true
		if f := checkPriority(c.id, "properties.ruleCollections.priority", rc["priority"], catalog.MinFirewallPriority, catalog.MaxFirewallPriority); f != nil {
			return f
		}
		action := []string{"Allow", "Deny"}
		if strings.EqualFold(text(rc, "ruleCollectionType"), "FirewallPolicyNatRuleCollection") {
			action = []string{"DNAT"}
		} else if f := oneOf(c.id, "properties.ruleCollections.ruleCollectionType", rc["ruleCollectionType"], "FirewallPolicyFilterRuleCollection", "FirewallPolicyNatRuleCollection"); f != nil {
			return f
		}
		// A collection without an action is taken, and decides nothing.
		if a := object(rc, "action"); a != nil {
			if f := oneOf(c.id, "properties.ruleCollections.action.type", a["type"], action...); f != nil {
				return f
			}
		}
		for _, r := range objects(rc, "rules") {
			if f := oneOf(c.id, "properties.ruleCollections.rules.ruleType", r["ruleType"], "NetworkRule", "ApplicationRule", "NatRule"); f != nil {
				return f
			}
		}
	}
	return nil
}

func checkPriority(id model.ID, property string, v any, lo, hi int) *Fault {
	n, ok := whole(v)
	if ok && n >= lo && n <= hi {
		return nil
	}
	f := invalidProperty(id, property, v, "it must be a whole number in the allowed range")
	f.Err.Message += " Allowed range " + strconv.Itoa(lo) + "-" + strconv.Itoa(hi) + "."
	return f
}

func checkIPGroup(c *change) *Fault {
	list, f := stringList(c.id, c.props(), "ipAddresses", "properties.")
	if f != nil {
		return f
	}
	for _, s := range list {
		if _, err := netip.ParsePrefix(s); err == nil {
			continue
		}
		lo, hi, isRange := strings.Cut(s, "-")
		a, err := netip.ParseAddr(lo)
		if err == nil && isRange {
			var b netip.Addr
			if b, err = netip.ParseAddr(hi); err == nil && b.Less(a) {
				return invalidProperty(c.id, "properties.ipAddresses", s, "the range ends before it starts")
			}
		}
		if err != nil {
			return invalidProperty(c.id, "properties.ipAddresses", s, "it must be an address, a prefix or a range")
		}
	}
	return nil
}
