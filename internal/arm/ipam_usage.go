package arm

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// poolVerbs are the actions of an address pool.
func poolVerbs() []verb {
	return []verb{
		{name: "getPoolUsage", body: noBody, answer: poolUsage},
		{name: "listAssociatedResources", body: noBody, answer: poolAssociations},
	}
}

// association is a resource that has addresses of a pool.
type association struct {
	id       model.ID
	about    string // description
	prefixes []netip.Prefix
	created  string // RFC 3339, if known
}

// associated returns who has addresses of a pool by asking for them: static
// blocks, and virtual networks that name the pool in their address space.
func associated(v *state.View, pool model.ID) []association {
	var out []association
	for e := range v.List(pool.Key()+"/staticcidrs/", "") {
		r := e.Resource
		out = append(out, association{r.ID, text(r.Properties(), "description"), prefixList(r.Properties(), "addressPrefixes"), text(object(r.Doc, "systemData"), "createdAt")})
	}
	for _, e := range findExact(v, termRef+pool.Key()) {
		r := e.Resource
		if !r.ID.Is(model.TypeVirtualNetwork) {
			continue
		}
		for _, a := range objects(object(r.Properties(), "addressSpace"), "ipamPoolPrefixAllocations") {
			if strings.EqualFold(refID(a, "pool"), pool.String()) {
				out = append(out, association{id: r.ID, prefixes: prefixList(a, "allocatedAddressPrefixes")})
			}
		}
	}
	return out
}

// prefixList reads a list of prefixes that was checked when it was stored.
func prefixList(m map[string]any, name string) []netip.Prefix {
	list, _ := m[name].([]any)
	var out []netip.Prefix
	for _, e := range list {
		s, _ := e.(string)
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// childPools returns the pools inside a pool.
func childPools(v *state.View, pool model.ID) []*model.Resource {
	var out []*model.Resource
	for e := range v.List(pool.Parent().Key()+"/ipampools/", "") {
		if r := e.Resource; r.ID.Is(typePool) && strings.EqualFold(text(r.Properties(), "parentPoolName"), pool.Name()) {
			out = append(out, r)
		}
	}
	return out
}

// taken is the part of a pool that somebody has: child pools and associated
// resources.
func taken(v *state.View, pool model.ID) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range childPools(v, pool) {
		out = append(out, prefixList(r.Properties(), "addressPrefixes")...)
	}
	for _, a := range associated(v, pool) {
		out = append(out, a.prefixes...)
	}
	return out
}

// poolUsage answers how much of a pool is in use (PoolUsage of the API). What is
// asked for is allocated at once, so nothing is ever reserved.
func poolUsage(q *question) (any, *Fault) {
	own := prefixList(q.on.Properties(), "addressPrefixes")
	children := []any{}
	for _, r := range childPools(q.view, q.on.ID) {
		children = append(children, map[string]any{"resourceId": r.ID.String(), "addressPrefixes": r.Properties()["addressPrefixes"]})
	}
	used := fabric.PrefixSet(taken(q.view, q.on.ID)...)
	free := fabric.PrefixSet(own...).Subtract(used)
	return map[string]any{
		"addressPrefixes": prefixTextsOf(own), "childPools": children,
		"allocatedAddressPrefixes": prefixTextsOf(used.Prefixes()), "availableAddressPrefixes": prefixTextsOf(free.Prefixes()), "reservedAddressPrefixes": []string{},
		"totalNumberOfIPAddresses": countAddresses(own), "numberOfAllocatedIPAddresses": countAddresses(used.Prefixes()),
		"numberOfAvailableIPAddresses": countAddresses(free.Prefixes()), "numberOfReservedIPAddresses": "0",
	}, nil
}

// poolAssociations answers who has addresses of a pool (PoolAssociationList of
// the API).
func poolAssociations(q *question) (any, *Fault) {
	list := []any{}
	for _, a := range associated(q.view, q.on.ID) {
		item := map[string]any{
			"resourceId": a.id.String(), "poolId": q.on.ID.String(), "description": a.about, "addressPrefixes": prefixTextsOf(a.prefixes),
			"reservedPrefixes": []string{}, "totalNumberOfIPAddresses": countAddresses(a.prefixes), "numberOfReservedIPAddresses": "0",
		}
		if a.created != "" {
			item["createdAt"] = a.created
		}
		list = append(list, item)
	}
	return map[string]any{"value": list}, nil
}

func prefixTextsOf(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = p.String()
	}
	slices.SortFunc(out, func(a, b string) int {
		x, y := netip.MustParsePrefix(a), netip.MustParsePrefix(b)
		if c := x.Addr().Compare(y.Addr()); c != 0 {
			return c
		}
		return x.Bits() - y.Bits()
	})
	return out
}

// countAddresses writes how many addresses prefixes have, as the API does: as a
// decimal string.
func countAddresses(prefixes []netip.Prefix) string {
	n := new(big.Int)
	for _, p := range prefixes {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits())))
	}
	return n.String()
}
