package arm

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// parsePrefixes reads CIDR prefixes of a resource; malformed ones and ones with
// host bits are refused.
func parsePrefixes(id model.ID, texts []string) ([]netip.Prefix, *Fault) {
	out := make([]netip.Prefix, 0, len(texts))
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, badRequest("InvalidAddressPrefixFormat", "Address prefix %.100s of resource %s is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.", s, id)
		}
		if p != p.Masked() {
			return nil, badRequest("InvalidCIDRNotation", "The address prefix %s in resource %s has an invalid CIDR notation. For the given prefix length, the address prefix should be %s.", s, id, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}

// stringList reads a list of strings; absent gives none.
func stringList(id model.ID, m map[string]any, name, at string) ([]string, *Fault) {
	raw, ok := m[name]
	if !ok || raw == nil {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, invalidProperty(id, at+name, raw, "it must be a list of strings")
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, invalidProperty(id, fmt.Sprintf("%s%s[%d]", at, name, i), e, "it must be a string")
		}
	}
	return out, nil
}

func spaceOf(doc map[string]any) []netip.Prefix {
	var out []netip.Prefix
	list, _ := object(object(doc, "properties"), "addressSpace")["addressPrefixes"].([]any)
	for _, e := range list {
		s, _ := e.(string)
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// maxAddressSpaces is how many prefixes the space of a virtual network may have;
// the bound is ours.
const maxAddressSpaces = 1000

func checkVirtualNetwork(c *change) *Fault {
	if f := c.fillNetworkOptions(); f != nil {
		return f
	}
	if f := c.allocateNetwork(); f != nil {
		return f
	}
	texts, f := stringList(c.id, object(c.props(), "addressSpace"), "addressPrefixes", "properties.addressSpace.")
	if f != nil {
		return f
	}
	if len(texts) == 0 {
		return badRequest("NetcfgInvalidVirtualNetworkSite", "Virtual network %s has no address space; set properties.addressSpace.addressPrefixes.", c.id)
	}
	if len(texts) > maxAddressSpaces {
		return badRequest(codeTooManyPrefixes, "Virtual network %s has %d address prefixes; at most %d are allowed.", c.id, len(texts), maxAddressSpaces)
	}
	space, f := parsePrefixes(c.id, texts)
	if f != nil {
		return f
	}
	for i, p := range space {
		for _, bad := range catalog.ForbiddenVNetRanges() {
			if p.Overlaps(bad) {
				return badRequest("NetcfgInvalidVirtualNetworkSite", "Address prefix %s of virtual network %s overlaps %s, which cannot be used.", p, c.id, bad)
			}
		}
		for _, q := range space[:i] {
			if p.Overlaps(q) {
				return badRequest("NetcfgInvalidVirtualNetworkSite", "Address prefixes %s and %s of virtual network %s overlap.", q, p, c.id)
			}
		}
	}
	if f := c.checkSubnets(space); f != nil {
		return f
	}
	return c.checkPeerings(space)
}

// ownedPrefix is a prefix with the subnet that has it.
type ownedPrefix struct {
	prefix netip.Prefix
	subnet string
}

func (c *change) checkSubnets(space []netip.Prefix) *Fault {
	var all []ownedPrefix
	for _, s := range objects(c.props(), "subnets") {
		name, p := text(s, "name"), object(s, "properties")
		id := c.id.Child("subnets", name)
		if _, f := stringList(id, p, "addressPrefixes", "properties."); f != nil {
			return f
		}
		prefixes, f := parsePrefixes(id, prefixTexts(p))
		if f != nil {
			return f
		}
		if len(prefixes) == 0 {
			return badRequest("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s': it has no address prefix.", name, c.id.Name())
		}
		for _, pfx := range prefixes {
			inside := false
			for _, q := range space {
				inside = inside || q.Bits() <= pfx.Bits() && q.Contains(pfx.Addr())
			}
			switch {
			case !inside:
				return badRequest("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s': %s is outside its address space %s.", name, c.id.Name(), pfx, joinPrefixes(space))
			case pfx.Addr().Is4() && pfx.Bits() > catalog.MaxSubnetBits:
				return badRequest("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s': %s is smaller than /%d.", name, c.id.Name(), pfx, catalog.MaxSubnetBits)
			case pfx.Addr().Is6() && pfx.Bits() != catalog.IPv6SubnetBits:
				return badRequest("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s': an IPv6 prefix must be a /%d, not %s.", name, c.id.Name(), catalog.IPv6SubnetBits, pfx)
			}
			all = append(all, ownedPrefix{pfx, name})
		}
		if f := c.checkMoved(id, name, prefixes); f != nil {
			return f
		}
	}
	return c.checkOverlaps(all)
}

// checkOverlaps finds subnets that overlap: after sorting, two prefixes that do
// are neighbours or one holds the other's neighbours.
func (c *change) checkOverlaps(all []ownedPrefix) *Fault {
	sortOwned(all)
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.prefix.Overlaps(b.prefix) {
			return badRequest("NetcfgSubnetRangesOverlap", "Subnet '%s' is not valid because its IP address range overlaps with that of an existing subnet '%s' in virtual network '%s'.", b.subnet, a.subnet, c.id.Name())
		}
	}
	return nil
}

// checkMoved refuses prefixes that leave addresses in use outside the subnet.
func (c *change) checkMoved(id model.ID, name string, prefixes []netip.Prefix) *Fault {
	old, _ := named(c.oldProps(), "subnets", name)
	if old == nil || joinPrefixes(subnetPrefixes(object(old, "properties"))) == joinPrefixes(prefixes) {
		return nil
	}
	for term, e := range c.tx.Find(termIP + id.Key() + "/") {
		a := parseAddressKey(term[strings.LastIndexByte(term, '/')+1:])
		kept := false
		for _, p := range prefixes {
			kept = kept || p.Contains(a) && !reserved(p, a)
		}
		if !kept {
			return badRequest("InUseSubnetCannotBeUpdated", "Subnet %s is in use and cannot be updated: %s has the address %s in it.", name, e.Resource.ID, a)
		}
	}
	return nil
}

// fillNetwork says what the service does of a network's peerings and subnets.
func fillNetwork(c *change) *Fault {
	for _, s := range objects(c.props(), "subnets") {
		c.fillSubnet(model.MustParseID(text(s, "id")), object(s, "properties"))
	}
	return fillPeerings(c)
}

// fillSubnet completes a subnet's delegations and service endpoints: storage is
// reached in the network's region and the one paired with it, databases in the
// network's region, other services everywhere ("Virtual Network service
// endpoints").
func (c *change) fillSubnet(id model.ID, p map[string]any) {
	for _, d := range objects(p, "delegations") {
		did := id.Child("delegations", text(d, "name"))
		d["id"], d["type"], d["etag"] = did.String(), model.TypeSubnet+"/delegations", c.etag
		if p := object(d, "properties"); p["actions"] == nil {
			setDefault(d, "properties.actions", delegationActions(text(p, "serviceName")))
		}
		if p := object(d, "properties"); p != nil {
			p["provisioningState"] = "Succeeded"
		}
	}
	for _, e := range objects(p, "serviceEndpoints") {
		e["provisioningState"] = "Succeeded"
		if list, ok := e["locations"].([]any); ok && len(list) > 0 {
			continue
		}
		e["locations"] = []any{"*"}
		if strings.EqualFold(text(e, "service"), "Microsoft.Sql") {
			e["locations"] = []any{text(c.doc, "location")}
		}
		if region, ok := catalog.Region(text(c.doc, "location")); ok && strings.EqualFold(text(e, "service"), "Microsoft.Storage") {
			near := []any{region.Name}
			if region.Paired != "" {
				near = append(near, region.Paired)
			}
			e["locations"] = near
		}
	}
}

func showVirtualNetwork(r *reading, p map[string]any) {
	p["subnets"] = r.showEach(model.TypeSubnet, objects(p, "subnets"))
	p["virtualNetworkPeerings"] = r.showEach(model.TypePeering, keptPeeringsOf(r, r.id, objects(p, "virtualNetworkPeerings")))
}

// showEach shows the inline children of a document.
func (r *reading) showEach(resourceType string, list []map[string]any) []any {
	k := r.kinds[strings.ToLower(resourceType)]
	out := make([]any, len(list))
	for i, o := range list {
		o = shallow(o)
		p := shallow(object(o, "properties"))
		o["properties"] = p
		k.Show(&reading{r.kinds, r.view, r.id.Child(k.leaf(), text(o, "name"))}, p)
		out[i] = o
	}
	return out
}

// users returns references to what refers to the resource, as {"id": ...}, by
// the holder's type.
func (r *reading) users(holderType string) []any {
	var out []any
	seen := map[string]bool{} // a rule refers to its pool in two ways
	for _, u := range usersOf(r.kinds, r.view, r.id, nil) {
		if id, err := model.ParseID(u); err == nil && id.Is(holderType) && !seen[u] {
			seen[u] = true
			out = append(out, map[string]any{"id": u})
		}
	}
	return out
}

// setUsers shows users as a property if there are any.
func (r *reading) setUsers(p map[string]any, property, holderType string) {
	if u := r.users(holderType); len(u) > 0 {
		p[property] = u
	}
}

func showSubnet(r *reading, p map[string]any) {
	lists := map[string][]any{}
	for _, u := range usersOf(r.kinds, r.view, r.id, nil) {
		property := "ipConfigurations"
		if id, err := model.ParseID(u); err == nil && id.Is(model.TypePrivateEndpoint) {
			property = "privateEndpoints"
		}
		lists[property] = append(lists[property], map[string]any{"id": u})
	}
	for property, list := range lists {
		p[property] = list
	}
}
