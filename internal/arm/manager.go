package arm

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

func checkNetworkManager(c *change) *Fault {
	accesses, f := stringList(c.id, c.props(), "networkManagerScopeAccesses", "properties.")
	if f != nil {
		return f
	}
	for _, a := range accesses {
		if f := oneOf(c.id, "properties.networkManagerScopeAccesses", a, "Connectivity", "SecurityAdmin", "Routing", "SecurityUser"); f != nil {
			return f
		}
	}
	scopes := object(c.props(), "networkManagerScopes")
	subscriptions, f := stringList(c.id, scopes, "subscriptions", "properties.networkManagerScopes.")
	if f != nil {
		return f
	}
	groups, f := stringList(c.id, scopes, "managementGroups", "properties.networkManagerScopes.")
	if f != nil {
		return f
	}
	if len(subscriptions)+len(groups) == 0 {
		return invalidProperty(c.id, "properties.networkManagerScopes", c.props()["networkManagerScopes"], "a network manager needs at least one subscription or management group")
	}
	return nil
}

func checkStaticMember(c *change) *Fault {
	target := text(c.props(), "resourceId")
	id, err := model.ParseID(target)
	if err != nil || !id.Is(model.TypeVirtualNetwork) && !id.Is(model.TypeSubnet) {
		return invalidReference(c.id, target)
	}
	if _, ok := c.find(id); !ok && c.old == nil {
		return invalidReference(c.id, target)
	}
	return nil
}

func checkConnectivityConfig(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.connectivityTopology", p["connectivityTopology"], "Mesh", "HubAndSpoke"); f != nil {
		return f
	}
	hubs := objects(p, "hubs")
	if strings.EqualFold(text(p, "connectivityTopology"), "HubAndSpoke") && len(hubs) != 1 {
		return invalidProperty(c.id, "properties.hubs", p["hubs"], "topology HubAndSpoke needs exactly one hub")
	}
	for _, h := range hubs {
		id, err := model.ParseID(text(h, "resourceId"))
		if err != nil {
			return invalidReference(c.id, text(h, "resourceId"))
		}
		if _, ok := c.find(id); !ok && id.Is(model.TypeVirtualNetwork) && c.old == nil {
			return invalidReference(c.id, id.String())
		}
	}
	if len(objects(p, "appliesToGroups")) == 0 {
		return invalidProperty(c.id, "properties.appliesToGroups", p["appliesToGroups"], "a configuration needs at least one network group")
	}
	return nil
}

func checkAdminRule(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "kind", c.doc["kind"], "Custom", "Default"); f != nil {
		return f
	}
	if f := oneOf(c.id, "properties.access", p["access"], "Allow", "AlwaysAllow", "Deny"); f != nil {
		return f
	}
	if f := oneOf(c.id, "properties.direction", p["direction"], "Inbound", "Outbound"); f != nil {
		return f
	}
	if f := oneOf(c.id, "properties.protocol", p["protocol"], "Tcp", "Udp", "Icmp", "Esp", "Any", "Ah"); f != nil {
		return f
	}
	if f := checkPriority(c.id, "properties.priority", p["priority"], catalog.MinAdminRulePriority, catalog.MaxAdminRulePriority); f != nil {
		return f
	}
	for _, side := range []string{"sources", "destinations"} {
		for _, a := range objects(p, side) {
			if f := c.checkAdminAddress("properties."+side, a); f != nil {
				return f
			}
		}
	}
	for _, side := range []string{"sourcePortRanges", "destinationPortRanges"} {
		ports, f := stringList(c.id, p, side, "properties.")
		if f != nil {
			return f
		}
		for _, s := range ports {
			if !portRange(s) {
				return invalidProperty(c.id, "properties."+side, s, "it must be *, a port or a range of ports")
			}
		}
	}
	return nil
}

func (c *change) checkAdminAddress(at string, a map[string]any) *Fault {
	value := text(a, "addressPrefix")
	if f := oneOf(c.id, at+".addressPrefixType", a["addressPrefixType"], "IPPrefix", "ServiceTag", "NetworkGroup"); f != nil {
		return f
	}
	switch strings.ToLower(text(a, "addressPrefixType")) {
	case "networkgroup":
		id, err := model.ParseID(value)
		if err != nil || !id.Is(model.TypeNetworkGroup) || !has(c.tx, id) {
			return invalidReference(c.id, value)
		}
	case "servicetag":
		if !tagForm.MatchString(value) {
			return invalidProperty(c.id, at+".addressPrefix", value, "it must be a service tag")
		}
	default:
		if value == "*" {
			return nil
		}
		if _, err := netip.ParsePrefix(value); err != nil {
			if _, err := netip.ParseAddr(value); err != nil {
				return invalidProperty(c.id, at+".addressPrefix", value, "it must be *, an address or a prefix")
			}
		}
	}
	return nil
}

func checkRoutingRule(c *change) *Fault {
	p := c.props()
	dest, hop := object(p, "destination"), object(p, "nextHop")
	if f := oneOf(c.id, "properties.destination.type", dest["type"], "AddressPrefix", "ServiceTag"); f != nil {
		return f
	}
	value := text(dest, "destinationAddress")
	if strings.EqualFold(text(dest, "type"), "AddressPrefix") {
		if _, f := parsePrefixes(c.id, []string{value}); f != nil {
			return f
		}
	} else if !tagForm.MatchString(value) {
		return invalidProperty(c.id, "properties.destination.destinationAddress", value, "it must be a service tag")
	}
	if f := oneOf(c.id, "properties.nextHop.nextHopType", hop["nextHopType"], "VirtualAppliance", "VirtualNetworkGateway", "VnetLocal", "Internet", "NoNextHop"); f != nil {
		return f
	}
	if strings.EqualFold(text(hop, "nextHopType"), "VirtualAppliance") {
		if _, err := netip.ParseAddr(text(hop, "nextHopAddress")); err != nil {
			return invalidProperty(c.id, "properties.nextHop.nextHopAddress", hop["nextHopAddress"], "next hop VirtualAppliance needs an IP address")
		}
	}
	return nil
}

func checkPolicyDefinition(c *change) *Fault {
	if object(object(c.props(), "policyRule"), "if") == nil {
		return badRequest("InvalidPolicyRule", "The policy definition '%s' has an invalid policy rule: 'policyRule.if' is missing.", c.id.Name())
	}
	return nil
}

func checkPolicyAssignment(c *change) *Fault {
	if text(c.props(), "policyDefinitionId") == "" {
		return badRequest("InvalidPolicyAssignment", "The policy assignment '%s' needs properties.policyDefinitionId.", c.id.Name()) // code unconfirmed
	}
	return oneOf(c.id, "properties.enforcementMode", c.props()["enforcementMode"], "Default", "DoNotEnforce")
}
