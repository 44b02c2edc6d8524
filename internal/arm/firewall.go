package arm

import (
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

func fillFirewall(c *change) *Fault { return c.assignAddresses("ipConfigurations") }

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
