package arm

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// tagForm is what a service tag looks like: "Internet", "Storage.WestEurope".
var tagForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$`)

func checkSecurityRules(c *change) *Fault {
	type slot struct {
		direction string
		priority  int
	}
	taken := map[slot]string{}
	for _, r := range objects(c.props(), "securityRules") {
		name, p := text(r, "name"), object(r, "properties")
		id := c.id.Child("securityRules", name)
		if f := oneOf(id, "properties.direction", p["direction"], "Inbound", "Outbound"); f != nil {
			return f
		}
		if f := oneOf(id, "properties.access", p["access"], "Allow", "Deny"); f != nil {
			return f
		}
		if f := oneOf(id, "properties.protocol", p["protocol"], "Tcp", "Udp", "Icmp", "Esp", "Ah", "*"); f != nil {
			return f
		}
		priority, ok := whole(p["priority"])
		if !ok || priority < catalog.MinSecurityRulePriority || priority > catalog.MaxSecurityRulePriority {
			f := badRequest("SecurityRuleInvalidPriority", "Security rule has invalid Priority. Value provided: %s Allowed range %d-%d.", show(p["priority"]), catalog.MinSecurityRulePriority, catalog.MaxSecurityRulePriority)
			f.Err.Target = id.String()
			return f
		}
		s := slot{strings.ToLower(text(p, "direction")), priority}
		if other, ok := taken[s]; ok {
			return badRequest("SecurityRuleConflict", "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction. To learn more, see aka.ms/nsgrules.", name, other)
		}
		taken[s] = name
		for _, side := range []string{"source", "destination"} {
			if f := checkRuleSide(id, p, side); f != nil {
				return f
			}
		}
	}
	return nil
}

// checkRuleSide checks the addresses and ports of one side of a rule.
func checkRuleSide(id model.ID, p map[string]any, side string) *Fault {
	prefixes, f := plural(id, p, side+"AddressPrefix", side+"AddressPrefixes")
	if f != nil {
		return f
	}
	for _, s := range prefixes {
		if !addressOrTag(s) {
			return badRequest(codeRulePrefix, "Security rule %s has invalid Address prefix. Value provided: %.100s.", id, s)
		}
	}
	groups, _ := p[side+"ApplicationSecurityGroups"].([]any)
	if len(prefixes) == 0 && len(groups) == 0 {
		return badRequest(codeRulePrefix, "Security rule %s has no %s: set %sAddressPrefix, %sAddressPrefixes or %sApplicationSecurityGroups.", id, side, side, side, side)
	}
	if len(prefixes) > 0 && len(groups) > 0 {
		return badRequest(codeRulePrefix, "Security rule %s has both address prefixes and application security groups as its %s; use one.", id, side)
	}
	ports, f := plural(id, p, side+"PortRange", side+"PortRanges")
	if f != nil {
		return f
	}
	for _, s := range ports {
		if !portRange(s) {
			return badRequest(codeRulePorts, "Security rule %s has invalid Port range. Value provided: %.100s. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535.", id, s)
		}
	}
	if len(ports) == 0 {
		return badRequest(codeRulePorts, "Security rule %s has no %s ports: set %sPortRange or %sPortRanges.", id, side, side, side)
	}
	return nil
}

// plural reads a property that has a singular and a plural form; they exclude
// each other. An empty singular counts as absent.
func plural(id model.ID, p map[string]any, one, many string) ([]string, *Fault) {
	list, f := stringList(id, p, many, "properties.")
	if f != nil {
		return nil, f
	}
	raw, present := p[one]
	s, isText := raw.(string)
	switch {
	case present && raw != nil && !isText:
		return nil, invalidProperty(id, "properties."+one, raw, "it must be a string")
	case s != "" && len(list) > 0:
		return nil, badRequest("SecurityRuleParameterContainsBothSingularAndPlural", "Resource %s has both %s and %s; use one.", id, one, many) // code unconfirmed
	case s != "":
		return []string{s}, nil
	}
	return list, nil
}

func addressOrTag(s string) bool {
	if s == "*" {
		return true
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.IsValid()
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return tagForm.MatchString(s)
}

// portRange reports whether s is "*", a port or a range of ports.
func portRange(s string) bool {
	if s == "*" {
		return true
	}
	lo, hi, isRange := strings.Cut(s, "-")
	a, err := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	if err != nil || !isRange {
		return err == nil
	}
	b, err := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	return err == nil && a <= b
}

func showNSG(r *reading, p map[string]any) {
	r.showFlowLogs(p)
	etag := ""
	if e, ok := r.view.Get(r.id); ok {
		etag = text(e.Resource.Doc, "etag")
	}
	var rules []any
	empty := []any{}
	for _, d := range catalog.DefaultRules() {
		direction, access := "Outbound", "Deny"
		if d.Inbound {
			direction = "Inbound"
		}
		if d.Allow {
			access = "Allow"
		}
		rules = append(rules, map[string]any{
			"name": d.Name, "id": fmt.Sprintf("%s/defaultSecurityRules/%s", r.id, d.Name), "etag": etag,
			"type": model.TypeNSG + "/defaultSecurityRules",
			"properties": map[string]any{
				"provisioningState": "Succeeded", "description": d.Description, "protocol": "*",
				"sourcePortRange": "*", "destinationPortRange": "*",
				"sourceAddressPrefix": d.Source, "destinationAddressPrefix": d.Destination,
				"access": access, "priority": d.Priority, "direction": direction,
				"sourcePortRanges": empty, "destinationPortRanges": empty,
				"sourceAddressPrefixes": empty, "destinationAddressPrefixes": empty,
			},
		})
	}
	p["defaultSecurityRules"] = rules
	r.setUsers(p, "subnets", model.TypeSubnet)
	r.setUsers(p, "networkInterfaces", model.TypeNIC)
}

func showRouteTable(r *reading, p map[string]any) { r.setUsers(p, "subnets", model.TypeSubnet) }

func checkRoutes(c *change) *Fault {
	prefixes := map[string]string{}
	for _, r := range objects(c.props(), "routes") {
		name, p := text(r, "name"), object(r, "properties")
		id := c.id.Child("routes", name)
		if f := oneOf(id, "properties.nextHopType", p["nextHopType"], "VirtualAppliance", "VirtualNetworkGateway", "VnetLocal", "Internet", "None"); f != nil {
			return f
		}
		dest := text(p, "addressPrefix")
		if pfx, err := netip.ParsePrefix(dest); err == nil {
			if pfx != pfx.Masked() {
				_, f := parsePrefixes(id, []string{dest})
				return f
			}
		} else if !tagForm.MatchString(dest) {
			_, f := parsePrefixes(id, []string{dest})
			return f
		}
		if other, ok := prefixes[strings.ToLower(dest)]; ok {
			return badRequest(codeDuplicateRoutePrefix, "Route %s conflicts with route %s of route table %s: both have the address prefix %s.", name, other, c.id, dest)
		}
		prefixes[strings.ToLower(dest)] = name
		hop := text(p, "nextHopIpAddress")
		appliance := strings.EqualFold(text(p, "nextHopType"), "VirtualAppliance")
		switch {
		case !appliance && hop != "":
			return badRequest(codeNextHop, "Route %s: nextHopIpAddress %s is only valid with nextHopType VirtualAppliance.", id, hop)
		case appliance:
			if _, err := netip.ParseAddr(hop); err != nil {
				return badRequest(codeNextHop, "Route %s: nextHopType VirtualAppliance needs an IP address as nextHopIpAddress, not %s.", id, show(p["nextHopIpAddress"]))
			}
		}
	}
	return nil
}
