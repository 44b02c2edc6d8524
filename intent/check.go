package intent

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// checkPlaces refuses what Azure refuses about subnets: sizes, overlaps, and
// what the reserved names do not take.
func (b *builder) checkPlaces() {
	for _, v := range b.vnets {
		if len(v.subnets) > catalog.MaxSubnetsPerVNet {
			b.problem(v.pos, "use several virtual networks", "%s has %d subnets; Azure allows %d", v.name, len(v.subnets), catalog.MaxSubnetsPerVNet)
		}
		for i, s := range v.subnets {
			if !s.prefix.IsValid() {
				continue
			}
			pos := placeOr(s.spec.Address.Pos, s.pos)
			reserved, isReserved := catalog.ReservedSubnet(s.name)
			if s.prefix.Addr().Is4() && s.prefix.Bits() > catalog.MaxSubnetBits && !isReserved {
				b.problem(pos, "use /29 or shorter", "subnet %s (%s) is too small; Azure's smallest is /%d", s.name, s.prefix, catalog.MaxSubnetBits)
			}
			if s.prefix.Addr().Is6() && s.prefix.Bits() != catalog.IPv6SubnetBits {
				b.problem(pos, "use a /64", "subnet %s (%s) is not a /64, the only IPv6 size", s.name, s.prefix)
			}
			if isReserved {
				b.checkReserved(s, reserved, pos)
			}
			for _, o := range v.subnets[:i] {
				if o.prefix.IsValid() && o.prefix.Overlaps(s.prefix) {
					at, other := pos, o
					if !s.explicit && o.explicit {
						at, other = o.spec.Address.Pos, s
					}
					b.problem(at, "use a free prefix of "+prefixList(v.prefixes), "subnet %s (%s) overlaps subnet %s (%s) of %s", first(s, o, other).name, first(s, o, other).prefix, other.name, other.prefix, v.name)
				}
			}
		}
	}
}

// first returns the one of two subnets that is not the other.
func first(s, o, other *subnet) *subnet {
	if other == s {
		return o
	}
	return s
}

func (b *builder) checkReserved(s *subnet, r catalog.ReservedSubnetInfo, pos model.Pos) {
	if s.prefix.Addr().Is4() && s.prefix.Bits() > r.MaxBits {
		b.problem(pos, "use a shorter prefix length", "subnet %s (%s) is too small; it needs a /%d", s.name, s.prefix, r.MaxBits)
	}
	if t := s.spec.NSG; t.IsSet() && t.Value != none && !r.NSG {
		b.problem(t.Pos, "remove it", "subnet %s takes no network security group", s.name)
	}
	if t := s.spec.RouteTable; t.IsSet() && t.Value != none && !r.RouteTable {
		b.problem(t.Pos, "remove it", "subnet %s takes no route table", s.name)
	}
}

// checkOverlaps refuses virtual networks that reach each other and share
// addresses: the connection would fail, or the shared prefix would be dropped.
func (b *builder) checkOverlaps() {
	parent := map[*vnet]*vnet{}
	root := func(v *vnet) *vnet {
		for parent[v] != nil {
			v = parent[v]
		}
		return v
	}
	for _, l := range b.connected {
		for i := 1; i < len(l.vnets); i++ {
			if x, y := root(l.vnets[0]), root(l.vnets[i]); x != y {
				parent[y] = x
			}
		}
	}
	type owned struct {
		prefix netip.Prefix
		vnet   *vnet
	}
	islands := map[*vnet][]owned{}
	for _, v := range b.vnets {
		for _, p := range v.prefixes {
			islands[root(v)] = append(islands[root(v)], owned{p, v})
		}
	}
	for _, v := range b.vnets {
		list := islands[v]
		slices.SortStableFunc(list, func(x, y owned) int { return comparePrefix(x.prefix, y.prefix) })
		// Prefixes are nested or disjoint, so a stack of the open ones finds
		// every overlap.
		var open []owned
		for _, o := range list {
			for len(open) > 0 && !open[len(open)-1].prefix.Overlaps(o.prefix) {
				open = open[:len(open)-1]
			}
			for _, other := range open {
				b.overlap(o.vnet, o.prefix, other.vnet, other.prefix)
			}
			open = append(open, o)
		}
	}
	// What was assigned keeps clear of everything; only an explicit address can
	// collide with it.
	for _, v := range b.vnets {
		for _, w := range b.vnets {
			if v.explicit || !w.explicit || root(v) == root(w) {
				continue
			}
			for _, p := range v.prefixes {
				for _, q := range w.prefixes {
					if p.Overlaps(q) {
						b.overlap(v, p, w, q)
					}
				}
			}
		}
	}
}

func (b *builder) overlap(v *vnet, p netip.Prefix, w *vnet, q netip.Prefix) {
	// The later of the explicit ones is the one to change.
	if !v.explicit || w.explicit && indexOf(b.vnets, w) > indexOf(b.vnets, v) {
		v, p, w, q = w, q, v, p
	}
	if v == w {
		b.problem(vnetPlace(v, p), "keep one", "prefixes %s and %s of %s overlap", p, q, v.name)
		return
	}
	fix := "use a prefix that no other virtual network has"
	if !w.explicit {
		fix += ", or delete the line of " + w.name + " in " + LockName
	}
	b.problem(vnetPlace(v, p), fix, "%s (%s) overlaps %s (%s), declared at %s", v.name, p, w.name, q, w.pos)
}

func indexOf(list []*vnet, v *vnet) int { return slices.Index(list, v) }

func vnetPlace(v *vnet, p netip.Prefix) model.Pos {
	for _, t := range v.spec.Address {
		if t.Value == p.String() {
			return t.Pos
		}
	}
	return v.pos
}
