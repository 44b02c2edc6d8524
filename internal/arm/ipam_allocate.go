package arm

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// codePoolFull refuses addresses that a pool has no more.
const codePoolFull = "IpamPoolInsufficientAddressSpace" // unconfirmed

// firstFree returns the first block of 2 to the power of width addresses of a
// space, aligned to its size.
func firstFree(space fabric.Set, width int) (netip.Prefix, bool) {
	for _, p := range space.Prefixes() {
		if length := p.Addr().BitLen() - width; length >= p.Bits() {
			return netip.PrefixFrom(p.Addr(), length), true
		}
	}
	return netip.Prefix{}, false
}

// blockWidth reads a number of addresses, a decimal string in the API, and
// returns how many bits the smallest block that has them counts with.
func blockWidth(id model.ID, property string, v any) (int, *Fault) {
	s, ok := v.(string)
	if n, is := v.(json.Number); is {
		s, ok = n.String(), true
	}
	if ok && len(s) <= maxDigits {
		if n, isNumber := new(big.Int).SetString(s, 10); isNumber && n.Sign() > 0 {
			return n.Sub(n, big.NewInt(1)).BitLen(), nil
		}
	}
	return 0, invalidProperty(id, property, v, "it must be a positive number of addresses, as a string")
}

// maxDigits is the length of 2 to the power of 128: all addresses of IPv6.
const maxDigits = 39

// freeIn returns the addresses of a pool that nobody but one holder has.
func (c *change) freeIn(pool *model.Resource, but model.ID) fabric.Set {
	free := fabric.PrefixSet(prefixList(pool.Properties(), "addressPrefixes")...)
	for _, r := range childPools(c.tx.View, pool.ID) {
		free = free.Subtract(fabric.PrefixSet(prefixList(r.Properties(), "addressPrefixes")...))
	}
	for _, a := range associated(c.tx.View, pool.ID) {
		if !a.id.Equal(but) {
			free = free.Subtract(fabric.PrefixSet(a.prefixes...))
		}
	}
	return free
}

// fillStaticCIDR gives a static block the prefix it has or asks for by size, and
// counts its addresses.
func fillStaticCIDR(c *change) *Fault {
	p := c.props()
	if len(prefixList(p, "addressPrefixes")) == 0 {
		asked := p["numberOfIPAddressesToAllocate"]
		width, f := blockWidth(c.id, "properties.numberOfIPAddressesToAllocate", asked)
		if f != nil {
			return f
		}
		if had := prefixList(c.oldProps(), "addressPrefixes"); len(had) == 1 && had[0].Addr().BitLen()-had[0].Bits() == width {
			p["addressPrefixes"] = c.oldProps()["addressPrefixes"]
		} else {
			e, _ := c.tx.Get(c.id.Parent())
			block, ok := firstFree(c.freeIn(e.Resource, c.id), width)
			if !ok {
				return badRequest(codePoolFull, "Pool %s has no %v addresses left in one block for resource %s.", c.id.Parent(), asked, c.id)
			}
			p["addressPrefixes"] = []any{block.String()}
		}
	}
	p["totalNumberOfIPAddresses"] = countAddresses(prefixList(p, "addressPrefixes"))
	return nil
}

// allocateNetwork gives a virtual network and its subnets the prefixes that they
// ask of address pools ("IP address management in Azure Virtual Network
// Manager"): each a block of the size asked for, kept while pool and size stay.
func (c *change) allocateNetwork() *Fault {
	space := object(c.props(), "addressSpace")
	asked := objects(space, "ipamPoolPrefixAllocations")
	if len(asked) > 0 {
		had := objects(object(c.oldProps(), "addressSpace"), "ipamPoolPrefixAllocations")
		all, f := stringList(c.id, space, "addressPrefixes", "properties.addressSpace.")
		if f != nil {
			return f
		}
		var mine fabric.Set // allocated by this change
		var blocks []string
		for _, a := range asked {
			pool, ok := c.pool(a)
			if !ok {
				return invalidReference(c.id, refID(a, "pool"))
			}
			block, f := c.block(a, had, c.freeIn(pool, c.id).Subtract(mine))
			if f != nil {
				return f
			}
			mine, blocks = mine.Union(fabric.PrefixSet(block)), append(blocks, block.String())
			a["allocatedAddressPrefixes"] = []any{block.String()}
		}
		// What was allocated before and is no more leaves the address space.
		for _, a := range had {
			for _, p := range prefixList(a, "allocatedAddressPrefixes") {
				if !slices.Contains(blocks, p.String()) {
					all = without(all, func(s string) bool { return s == p.String() })
				}
			}
		}
		// A block inside a prefix that the network states itself is there already:
		// so a network with a space of its own comes to be of a pool.
		stated, f := parsePrefixes(c.id, all)
		if f != nil {
			return f
		}
		for _, b := range blocks {
			if !within(netip.MustParsePrefix(b), stated) {
				all = append(all, b)
			}
		}
		space["addressPrefixes"] = anyList(all)
	}
	return c.allocateSubnets(space)
}

// allocateSubnets gives subnets that ask a pool a block of what the virtual
// network has.
func (c *change) allocateSubnets(space map[string]any) *Fault {
	subnets := objects(c.props(), "subnets")
	before := byName(c.oldProps(), "subnets")
	for i, s := range subnets {
		p := object(s, "properties")
		asked := objects(p, "ipamPoolPrefixAllocations")
		if len(asked) == 0 {
			continue
		}
		free := fabric.PrefixSet(prefixList(space, "addressPrefixes")...)
		for j, other := range subnets {
			if j != i {
				// What another had it keeps.
				kept := object(before[strings.ToLower(text(other, "name"))], "properties")
				free = free.Subtract(fabric.PrefixSet(subnetPrefixes(object(other, "properties"))...)).Subtract(fabric.PrefixSet(subnetPrefixes(kept)...))
			}
		}
		had := objects(object(before[strings.ToLower(text(s, "name"))], "properties"), "ipamPoolPrefixAllocations")
		var all []string
		for _, a := range asked {
			pool, ok := c.pool(a)
			if !ok {
				return invalidReference(c.id, refID(a, "pool"))
			}
			within := free.Intersect(fabric.PrefixSet(prefixList(pool.Properties(), "addressPrefixes")...))
			block, f := c.block(a, had, within)
			if f != nil {
				return f
			}
			free = free.Subtract(fabric.PrefixSet(block))
			a["allocatedAddressPrefixes"] = []any{block.String()}
			all = append(all, block.String())
		}
		delete(p, "addressPrefix")
		p["addressPrefixes"] = anyList(all)
	}
	return nil
}

// pool returns the pool that an allocation names.
func (c *change) pool(a map[string]any) (*model.Resource, bool) {
	id, err := model.ParseID(refID(a, "pool"))
	if err != nil || !id.Is(typePool) {
		return nil, false
	}
	e, ok := c.tx.Get(id)
	return e.Resource, ok
}

// block returns the prefix of an allocation: the one it had, or a free one.
func (c *change) block(a map[string]any, had []map[string]any, free fabric.Set) (netip.Prefix, *Fault) {
	width, f := blockWidth(c.id, "numberOfIpAddresses", a["numberOfIpAddresses"])
	if f != nil {
		return netip.Prefix{}, f
	}
	for _, h := range had {
		for _, p := range prefixList(h, "allocatedAddressPrefixes") {
			same := strings.EqualFold(refID(h, "pool"), refID(a, "pool")) && p.Addr().BitLen()-p.Bits() == width
			if same && fabric.PrefixSet(p).SubsetOf(free) {
				return p, nil
			}
		}
	}
	block, ok := firstFree(free, width)
	if !ok {
		return block, badRequest(codePoolFull, "Pool %s has no %v addresses left in one block for resource %s.", refID(a, "pool"), a["numberOfIpAddresses"], c.id)
	}
	return block, nil
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
