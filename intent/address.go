package intent

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Defaults of the addresses section.
const (
	defaultPool    = "10.0.0.0/8"
	defaultRegion  = 14
	defaultHub     = 22
	defaultSpoke   = 20
	defaultNetwork = 16
	defaultSubnet  = 24
)

// span is a range of IPv4 addresses, first and last, as numbers.
type span struct{ lo, hi uint64 }

func spanOf(p netip.Prefix) (span, bool) {
	if !p.Addr().Is4() {
		return span{}, false
	}
	b := p.Masked().Addr().As4()
	lo := uint64(binary.BigEndian.Uint32(b[:]))
	return span{lo, lo + 1<<(32-p.Bits()) - 1}, true
}

func addr4(n uint64) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b)
}

// space hands out IPv4 prefixes, first fit, aligned to their size.
type space struct {
	within []span
	taken  []span         // sorted, disjoint
	from   map[int]uint64 // by prefix length: no fit below this address
}

func newSpace(within ...netip.Prefix) *space {
	s := &space{from: map[int]uint64{}}
	for _, p := range within {
		if sp, ok := spanOf(p); ok {
			s.within = append(s.within, sp)
		}
	}
	return s
}

// take removes a prefix from what can be handed out.
func (s *space) take(p netip.Prefix) {
	n, ok := spanOf(p)
	if !ok {
		return
	}
	i, _ := slices.BinarySearchFunc(s.taken, n, func(a, b span) int {
		if a.hi < b.lo {
			return -1
		}
		return 1
	})
	j := i
	for j < len(s.taken) && s.taken[j].lo <= n.hi {
		n.lo, n.hi = min(n.lo, s.taken[j].lo), max(n.hi, s.taken[j].hi)
		j++
	}
	s.taken = slices.Replace(s.taken, i, j, n)
}

// assign hands out the first free prefix of a length.
func (s *space) assign(bits int) (netip.Prefix, bool) {
	size := uint64(1) << (32 - bits)
	for wi, w := range s.within {
		at := (w.lo + size - 1) / size * size
		if wi == 0 {
			at = max(at, s.from[bits])
		}
		for at+size-1 <= w.hi {
			i, _ := slices.BinarySearchFunc(s.taken, at, func(a span, lo uint64) int {
				if a.hi < lo {
					return -1
				}
				return 1
			})
			if i == len(s.taken) || s.taken[i].lo > at+size-1 {
				if wi == 0 {
					s.from[bits] = at + size
				}
				p := netip.PrefixFrom(addr4(at), bits)
				s.take(p)
				return p, true
			}
			at = (s.taken[i].hi + size) / size * size
		}
	}
	return netip.Prefix{}, false
}

// assignAway hands out the first free prefix of a length that keeps clear of
// those given up in this change, so that what is new can be made before what is
// gone is deleted; where there is no other room it reuses one.
func (s *space) assignAway(bits int, given map[string]netip.Prefix, of string) (netip.Prefix, bool) {
	away, some := space{within: s.within, taken: slices.Clone(s.taken), from: map[int]uint64{}}, false
	for key, p := range given {
		if strings.HasPrefix(key, of) {
			away.take(p)
			some = true
		}
	}
	if some {
		if p, ok := away.assign(bits); ok {
			s.take(p)
			return p, true
		}
	}
	return s.assign(bits)
}

// assignAddresses gives every virtual network, subnet, host and the like, and
// public IP its address: explicit, else as locked, else first fit in the order of the
// document.
func (b *builder) assignAddresses() {
	var a Addresses
	if b.doc.Addresses != nil {
		a = *b.doc.Addresses
	}
	b.explicitVNets()
	b.assignBlocks(a)
	b.assignVNets(a)
	subnetBits := b.length(a.Subnet, defaultSubnet)
	for _, v := range b.vnets {
		if !v.raw {
			b.assignSubnets(v, subnetBits)
		}
	}
	b.assignHolders()
	b.assignPublic()
}

func (b *builder) length(i Int, def int) int {
	n := i.Or(def)
	if n < 1 || n > catalog.MaxSubnetBits {
		b.problem(i.Pos, fmt.Sprintf("write a length from 1 to %d", catalog.MaxSubnetBits), "%d is not a usable prefix length", n)
		return def
	}
	return n
}

// prefix reads a prefix and refuses one with host bits.
func (b *builder) prefix(t Text) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(t.Value)
	if err != nil {
		fix := "write address/length, for example 10.0.0.0/16"
		if a, err := netip.ParseAddr(t.Value); err == nil {
			fix = fmt.Sprintf("add a length, for example %s/%d", a, a.BitLen())
		}
		b.problem(t.Pos, fix, "%q is not a prefix", t.Value)
		return netip.Prefix{}, false
	}
	if p != p.Masked() {
		b.problem(t.Pos, fmt.Sprintf("write %s", p.Masked()), "prefix %s has host bits set", t.Value)
		return netip.Prefix{}, false
	}
	return p, true
}

func (b *builder) explicitVNets() {
	for _, v := range b.vnets {
		if v.raw || len(v.spec.Address) == 0 {
			continue
		}
		v.explicit = true
		for _, t := range v.spec.Address {
			p, ok := b.prefix(t)
			if !ok {
				continue
			}
			if p.Addr().Is4() && p.Bits() > catalog.MaxSubnetBits {
				b.problem(t.Pos, fmt.Sprintf("use /%d or shorter", catalog.MaxSubnetBits), "%s is too small for a virtual network", p)
				continue
			}
			for _, f := range catalog.ForbiddenVNetRanges() {
				if p.Overlaps(f) {
					b.problem(t.Pos, "use a private range such as 10.0.0.0/8", "%s overlaps %s, which Azure does not allow in a virtual network", p, f)
				}
			}
			v.prefixes = append(v.prefixes, p)
		}
	}
}

// assignBlocks gives a block to every region that needs one.
func (b *builder) assignBlocks(a Addresses) {
	pool := netip.MustParsePrefix(defaultPool)
	poolPos := b.doc.Network.Pos
	if a.Pool.IsSet() {
		poolPos = a.Pool.Pos
		p, ok := b.prefix(a.Pool)
		if ok && !p.Addr().Is4() {
			b.problem(a.Pool.Pos, "write an IPv4 prefix", "addresses are assigned from IPv4 pools only, not %s", p)
			ok = false
		}
		if ok {
			pool = p
		}
	}
	bits := b.length(a.Region, defaultRegion)
	if bits < pool.Bits() {
		b.problem(placeOr(a.Region.Pos, poolPos), fmt.Sprintf("use a length of at least %d", pool.Bits()), "a region's block of /%d does not fit into the pool %s", bits, pool)
		return
	}
	needed := map[string]bool{}
	for _, v := range b.vnets {
		needed[v.region] = needed[v.region] || !v.explicit && !v.raw
	}
	places := map[string]model.Pos{} // of the blocks that are given
	for _, e := range a.Blocks {
		region, ok := b.region(e.Key)
		p, okP := b.prefix(e.Value)
		if ok && okP && b.blockFits(region, p, e.Value.Pos) {
			b.blocks[region] = p
			places[region] = e.Value.Pos
		}
	}
	free := newSpace(pool)
	for _, f := range catalog.ForbiddenVNetRanges() {
		if f.Overlaps(pool) && f.Bits() <= pool.Bits() {
			b.problem(poolPos, "use a private range such as 10.0.0.0/8", "the pool %s is in %s, which Azure does not allow in a virtual network", pool, f)
			return
		}
		free.take(f)
	}
	for _, p := range b.blocks {
		free.take(p)
	}
	// What is locked stays; only then the new regions are served.
	for _, region := range b.regions {
		p, ok := b.old.Regions[region]
		if _, explicit := b.blocks[region]; explicit || !ok || !needed[region] || !pool.Overlaps(p) || p.Bits() < pool.Bits() {
			continue
		}
		if other, taken := b.blockAt(p); taken && !places[other].IsZero() {
			b.problem(places[other], fmt.Sprintf("use a prefix that no other region has, or delete the line of %s in %s", region, LockName),
				"the block %s of %s overlaps %s, which is assigned to %s", b.blocks[other], other, p, region)
			continue
		}
		b.blocks[region], b.lock.Regions[region] = p, p
		free.take(p)
	}
	// A new block keeps clear of explicit networks of other regions, so that a
	// block never holds what is elsewhere.
	for _, region := range b.regions {
		if _, done := b.blocks[region]; done || !needed[region] {
			continue
		}
		s := *free
		s.taken, s.from = slices.Clone(free.taken), map[int]uint64{}
		for _, v := range b.vnets {
			if v.region != region {
				for _, p := range v.prefixes {
					s.take(p)
				}
			}
		}
		p, ok := s.assignAway(bits, b.old.Regions, "")
		if !ok {
			b.problem(b.regionPos[region], "use a larger pool or longer region prefixes", "the pool %s has no room for a /%d block of region %s", pool, bits, region)
			continue
		}
		free.take(p)
		b.blocks[region], b.lock.Regions[region] = p, p
	}
}

// blockAt returns the region whose block overlaps a prefix.
func (b *builder) blockAt(p netip.Prefix) (string, bool) {
	for _, region := range b.regions {
		if q, ok := b.blocks[region]; ok && q.Overlaps(p) {
			return region, true
		}
	}
	return "", false
}

// blockFits refuses a given block that is no block or that another region has.
func (b *builder) blockFits(region string, p netip.Prefix, pos model.Pos) bool {
	if !p.Addr().Is4() {
		b.problem(pos, "write an IPv4 prefix", "addresses are assigned from IPv4 blocks only, not %s", p)
		return false
	}
	if other, taken := b.blockAt(p); taken {
		b.problem(pos, "use a prefix that no other region has", "the block %s of %s overlaps %s, the block of %s", p, region, b.blocks[other], other)
		return false
	}
	return true
}

// assignVNets gives a prefix to every virtual network without an explicit one.
func (b *builder) assignVNets(a Addresses) {
	bits := map[role]int{
		roleHub: b.length(a.Hub, defaultHub), roleSpoke: b.length(a.Spoke, defaultSpoke), roleNetwork: b.length(a.Network, defaultNetwork),
	}
	free := map[string]*space{}
	for region, block := range b.blocks {
		free[region] = newSpace(block)
		for _, v := range b.vnets {
			for _, p := range v.prefixes {
				free[region].take(p)
			}
		}
	}
	for _, v := range b.vnets {
		p, ok := b.old.Networks[v.name]
		block := b.blocks[v.region]
		if v.explicit || v.raw || !ok || !block.IsValid() || !block.Overlaps(p) || p.Bits() < block.Bits() {
			continue
		}
		v.prefixes, b.lock.Networks[v.name] = []netip.Prefix{p}, p
		free[v.region].take(p)
	}
	gone := without(b.old.Networks, b.lock.Networks)
	for _, v := range b.vnets {
		if v.explicit || v.raw || len(v.prefixes) > 0 || free[v.region] == nil {
			continue
		}
		p, ok := free[v.region].assignAway(bits[v.role], gone, "")
		if !ok {
			b.problem(v.pos, "use a larger region block, shorter prefixes, or give an address", "the block %s of %s has no room for a /%d for %s %s",
				b.blocks[v.region], v.region, bits[v.role], v.role, v.name)
			continue
		}
		v.prefixes, b.lock.Networks[v.name] = []netip.Prefix{p}, p
	}
}

func (b *builder) assignSubnets(v *vnet, bits int) {
	free := newSpace(v.prefixes...)
	inside := func(p netip.Prefix) bool {
		return slices.ContainsFunc(v.prefixes, func(q netip.Prefix) bool { return q.Overlaps(p) && q.Bits() <= p.Bits() })
	}
	for _, s := range v.subnets {
		t := s.spec.Address
		if !t.IsSet() {
			continue
		}
		s.explicit = true
		p, ok := b.prefix(t)
		if !ok {
			continue
		}
		s.prefix = p
		if len(v.prefixes) > 0 && !inside(p) {
			b.problem(t.Pos, fmt.Sprintf("use a prefix inside %s", prefixList(v.prefixes)), "subnet %s (%s) is outside its virtual network %s", s.name, p, v.name)
			continue
		}
		free.take(p)
	}
	for _, s := range v.subnets {
		p, ok := b.old.Subnets[v.name+"/"+s.name]
		if s.explicit || !ok || !inside(p) {
			continue
		}
		s.prefix, b.lock.Subnets[v.name+"/"+s.name] = p, p
		free.take(p)
	}
	for _, s := range v.subnets {
		if s.explicit || s.prefix.IsValid() || len(v.prefixes) == 0 {
			continue
		}
		n := bits
		if s.spec.Length.IsSet() {
			n = b.length(s.spec.Length, bits)
		} else if r, ok := catalog.ReservedSubnet(s.name); ok {
			n = min(n, r.MaxBits)
		}
		p, ok := free.assignAway(n, b.old.Subnets, v.name+"/")
		if !ok {
			b.problem(s.pos, "use a longer length, a larger network, or give an address", "%s (%s) has no room for a /%d for subnet %s", v.name, prefixList(v.prefixes), n, s.name)
			continue
		}
		s.prefix, b.lock.Subnets[v.name+"/"+s.name] = p, p
	}
}

// without returns the entries of a map whose keys another lacks.
func without(all, but map[string]netip.Prefix) map[string]netip.Prefix {
	out := map[string]netip.Prefix{}
	for k, p := range all {
		if _, ok := but[k]; !ok {
			out[k] = p
		}
	}
	return out
}

func prefixList(ps []netip.Prefix) string {
	var out string
	for i, p := range ps {
		if i > 0 {
			out += ", "
		}
		out += p.String()
	}
	return out
}

func placeOr(p, or model.Pos) model.Pos {
	if p.IsZero() {
		return or
	}
	return p
}
