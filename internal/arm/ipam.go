package arm

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Types of a network manager's address management and verifier.
const (
	typePool      = "Microsoft.Network/networkManagers/ipamPools"
	typeWorkspace = "Microsoft.Network/networkManagers/verifierWorkspaces"
	typeIntent    = "Microsoft.Network/networkManagers/verifierWorkspaces/reachabilityAnalysisIntents"
	typeRun       = "Microsoft.Network/networkManagers/verifierWorkspaces/reachabilityAnalysisRuns"
)

// checkPool checks that a pool lies inside its parent and beside its siblings.
func checkPool(c *change) *Fault {
	space, f := poolPrefixes(c.id, c.props())
	if f != nil {
		return f
	}
	parent := strings.ToLower(text(c.props(), "parentPoolName"))
	if parent != "" {
		e, ok := c.tx.Get(c.id.Parent().Child("ipamPools", parent))
		if !ok || e.Resource.ID.Equal(c.id) {
			return invalidReference(c.id, parent)
		}
		around, f := poolPrefixes(e.Resource.ID, e.Resource.Properties())
		if f != nil {
			return f
		}
		for _, p := range space {
			if !within(p, around) {
				return invalidProperty(c.id, "properties.addressPrefixes", p.String(), "it must lie inside the parent pool's "+joinPrefixes(around))
			}
		}
	}
	for e := range c.tx.List(c.id.Parent().Key()+"/ipampools/", "") {
		q := e.Resource.Properties()
		if e.Resource.ID.Equal(c.id) || !e.Resource.ID.Is(typePool) || strings.ToLower(text(q, "parentPoolName")) != parent {
			continue
		}
		other, f := poolPrefixes(e.Resource.ID, q)
		if f != nil {
			continue
		}
		if a, b, bad := overlapping(space, other); bad {
			return badRequest("IpamPoolOverlap", "Prefix %s of pool %s overlaps prefix %s of pool %s.", a, c.id, b, e.Resource.ID) // code unconfirmed
		}
	}
	return nil
}

// fillPool says of which families a pool's addresses are.
func fillPool(c *change) *Fault {
	space, f := poolPrefixes(c.id, c.props())
	if f != nil {
		return f
	}
	types := []any{}
	for _, v := range []struct {
		name string
		is4  bool
	}{{"IPv4", true}, {"IPv6", false}} {
		if slices.ContainsFunc(space, func(p netip.Prefix) bool { return p.Addr().Is4() == v.is4 }) {
			types = append(types, v.name)
		}
	}
	c.props()["ipAddressType"] = types
	return nil
}

// fillStaticMember says where a member of a network group is.
func fillStaticMember(c *change) *Fault {
	id, err := model.ParseID(text(c.props(), "resourceId"))
	if err != nil {
		return nil
	}
	if doc, ok := c.find(id); ok {
		c.props()["region"] = text(doc, "location")
	}
	return nil
}

func poolPrefixes(id model.ID, p map[string]any) ([]netip.Prefix, *Fault) {
	texts, f := stringList(id, p, "addressPrefixes", "properties.")
	if f != nil {
		return nil, f
	}
	if len(texts) == 0 {
		return nil, invalidProperty(id, "properties.addressPrefixes", p["addressPrefixes"], "a pool needs at least one prefix")
	}
	return parsePrefixes(id, texts)
}

func within(p netip.Prefix, space []netip.Prefix) bool {
	for _, q := range space {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// checkStaticCIDR checks that reserved prefixes lie in their pool.
func checkStaticCIDR(c *change) *Fault {
	texts, f := stringList(c.id, c.props(), "addressPrefixes", "properties.")
	if f != nil {
		return f
	}
	mine, f := parsePrefixes(c.id, texts)
	if f != nil {
		return f
	}
	e, ok := c.tx.Get(c.id.Parent())
	if !ok {
		return parentNotFound(c.id.Parent())
	}
	space, f := poolPrefixes(e.Resource.ID, e.Resource.Properties())
	if f != nil {
		return f
	}
	for _, p := range mine {
		if !within(p, space) {
			return invalidProperty(c.id, "properties.addressPrefixes", p.String(), "it must lie inside the pool's "+joinPrefixes(space))
		}
	}
	return nil
}

func checkIntent(c *change) *Fault {
	p := c.props()
	for _, name := range []string{"sourceResourceId", "destinationResourceId"} {
		if text(p, name) == "" {
			return invalidProperty(c.id, "properties."+name, p[name], "an intent needs it")
		}
	}
	traffic := object(p, "ipTraffic")
	for _, name := range []string{"sourceIps", "destinationIps", "sourcePorts", "destinationPorts", "protocols"} {
		list, f := stringList(c.id, traffic, name, "properties.ipTraffic.")
		if f != nil {
			return f
		}
		if len(list) == 0 {
			return invalidProperty(c.id, "properties.ipTraffic."+name, traffic[name], "an intent needs at least one")
		}
	}
	return nil
}
