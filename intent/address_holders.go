package intent

import (
	"fmt"
	"net/netip"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// holder has an address of a subnet: a host, a frontend of a load balancer, or
// a private endpoint.
type holder struct {
	what  string // "host", for messages
	name  string // under which the lock has its address
	given Text
	addr  netip.Addr
	pos   model.Pos
}

// locks returns where the addresses of such holders are recorded, before and
// now.
func (b *builder) locks(h *holder) (old, now map[string]netip.Addr) {
	if h.what == hostWord {
		return b.old.Hosts, b.lock.Hosts
	}
	return b.old.Private, b.lock.Private
}

// usable reports whether a host may have an address of a subnet: Azure keeps
// the first four and the last.
func usable(p netip.Prefix, a netip.Addr) bool {
	if !p.Contains(a) {
		return false
	}
	first := p.Masked().Addr()
	for range catalog.FirstUsableOffset {
		if a == first {
			return false
		}
		first = first.Next()
	}
	return p.Contains(a.Next())
}

// assignHolders gives every host and the like its private address and every
// firewall the first usable one of its subnet, which is what Azure gives it.
func (b *builder) assignHolders() {
	left := map[netip.Addr]bool{} // had by something, which may still be there when another is made
	for _, a := range b.old.Hosts {
		left[a] = true
	}
	for _, a := range b.old.Private {
		left[a] = true
	}
	for _, v := range b.vnets {
		for _, s := range v.subnets {
			if !s.prefix.IsValid() {
				continue
			}
			if s.prefix.Addr().Is6() {
				b.refuseIPv6Alone(s)
				continue
			}
			b.assignIn(s, left)
		}
		if f := v.firewall; f != nil && f.subnet.prefix.IsValid() && f.subnet.prefix.Addr().Is4() {
			f.addr = firstUsable(f.subnet.prefix)
		}
	}
}

// assignIn gives the holders of one subnet their addresses.
func (b *builder) assignIn(s *subnet, left map[netip.Addr]bool) {
	used := map[netip.Addr]*holder{}
	for _, h := range s.holders {
		t := h.given
		if !t.IsSet() {
			continue
		}
		a, err := netip.ParseAddr(t.Value)
		switch {
		case err != nil:
			b.problem(t.Pos, "write an address of "+s.prefix.String(), "%q is not an address", t.Value)
		case !s.prefix.Contains(a):
			b.problem(t.Pos, "write an address of "+s.prefix.String(), "%s of %s %s is outside its subnet %s", a, h.what, h.name, s.name)
		case !usable(s.prefix, a):
			b.problem(t.Pos, "use another; the first four and the last are Azure's", "%s of %s %s is reserved in subnet %s", a, h.what, h.name, s.name)
		case used[a] != nil:
			b.problem(t.Pos, fmt.Sprintf("use another; it is already at %s", used[a].given.Pos), "%s is the address of %s %s, too", a, used[a].what, used[a].name)
		default:
			h.addr, used[a] = a, h
		}
	}
	for _, h := range s.holders {
		old, now := b.locks(h)
		a, ok := old[h.name]
		if h.given.IsSet() || !ok || !usable(s.prefix, a) || used[a] != nil {
			continue
		}
		h.addr, now[h.name], used[a] = a, a, h
	}
	for _, h := range s.holders {
		if h.addr.IsValid() || h.given.IsSet() {
			continue
		}
		next := firstUsable(s.prefix)
		for used[next] != nil || left[next] && usable(s.prefix, next) {
			next = next.Next()
		}
		if !usable(s.prefix, next) { // no room away from what is given up
			for next = firstUsable(s.prefix); used[next] != nil; {
				next = next.Next()
			}
		}
		if !usable(s.prefix, next) {
			b.problem(h.pos, "use a larger subnet", "subnet %s of %s (%s) has no address left for %s %s", s.name, s.vnet.name, s.prefix, h.what, h.name)
			continue
		}
		_, now := b.locks(h)
		h.addr, now[h.name], used[next] = next, next, h
	}
}

// refuseIPv6Alone refuses hosts that would have an IPv6 address only: an
// interface in Azure has an IPv4 address first ("IPv6 for Azure Virtual
// Network", limitations).
func (b *builder) refuseIPv6Alone(s *subnet) {
	for _, h := range s.holders {
		b.problem(h.pos, "put it into a subnet with an IPv4 prefix", "%s %s would have no IPv4 address in subnet %s (%s), and Azure gives no interface IPv6 alone", h.what, h.name, s.name, s.prefix)
	}
	if f := s.vnet.firewall; f != nil && f.subnet == s {
		b.problem(f.pos, "give it an IPv4 prefix", "firewall %s would have no IPv4 address in subnet %s (%s)", f.name, s.name, s.prefix)
	}
}

func firstUsable(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for range catalog.FirstUsableOffset {
		a = a.Next()
	}
	return a
}
