package intent

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/model"
)

// publicPools are the ranges that public addresses are assigned from: they are
// set aside for documentation (RFC 5737) and benchmarks (RFC 2544), so that no
// declared network claims an address that is somebody's.
func publicPools() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.18.128.0/17"),
	}
}

// assignPublic gives every public IP its address.
func (b *builder) assignPublic() {
	type want struct {
		name string
		spec PublicIP
		pos  model.Pos
		into *netip.Addr
	}
	var wants []want
	for _, f := range b.firewalls {
		wants = append(wants, want{f.name + publicSuffix, f.spec.PublicIP, f.pos, &f.public})
	}
	for _, h := range b.hosts {
		if h.spec.PublicIP.Wanted {
			wants = append(wants, want{h.name + publicSuffix, h.spec.PublicIP, h.pos, &h.public})
		}
	}
	for _, l := range b.balancers {
		for _, f := range l.frontends {
			if f.subnet == nil {
				wants = append(wants, want{f.publicName(l) + publicSuffix, f.spec.PublicIP, f.spec.Pos, &f.public})
			}
		}
	}
	for _, g := range b.appGateways {
		if g.public {
			wants = append(wants, want{g.name + publicSuffix, g.spec.PublicIP, g.spec.Name.Pos, &g.addr})
		}
	}
	for _, g := range b.natGateways {
		wants = append(wants, want{g.name + publicSuffix, g.spec.PublicIP, g.spec.Name.Pos, &g.public})
	}
	for _, g := range b.gateways {
		for i := range g.public {
			spec := PublicIP{}
			if i == 0 {
				spec = g.spec.PublicIP
			}
			wants = append(wants, want{g.ownerName(i) + publicSuffix, spec, g.spec.Name.Pos, &g.public[i]})
		}
	}
	for _, r := range b.routeServers {
		wants = append(wants, want{r.name + publicSuffix, r.spec.PublicIP, r.spec.Name.Pos, &r.public})
	}
	for _, s := range b.sites {
		if s.kind(true) {
			wants = append(wants, want{s.name + deviceSuffix, PublicIP{Address: s.spec.Address}, s.spec.Name.Pos, &s.device})
		}
	}
	used := map[netip.Addr]string{}
	for _, w := range wants {
		t := w.spec.Address
		if !t.IsSet() {
			continue
		}
		a, err := netip.ParseAddr(t.Value)
		switch {
		case err != nil || a.IsPrivate() || !a.IsGlobalUnicast():
			b.problem(t.Pos, "write a public address, or true to have one assigned", "%q is not a public address", t.Value)
		case used[a] != "":
			b.problem(t.Pos, "use another", "%s is the address of %s, too", a, used[a])
		default:
			*w.into, used[a] = a, w.name
		}
	}
	for _, w := range wants {
		if a, ok := b.old.Public[w.name]; ok && !w.spec.Address.IsSet() && used[a] == "" {
			*w.into, used[a], b.lock.Public[w.name] = a, w.name, a
		}
	}
	left := map[netip.Addr]bool{}
	for _, a := range b.old.Public {
		left[a] = true
	}
	pools := publicPools()
	next := firstUsable(pools[0])
	for _, w := range wants {
		if w.into.IsValid() || w.spec.Address.IsSet() {
			continue
		}
		for len(pools) > 0 && (used[next] != "" || left[next] || !usable(pools[0], next)) {
			if next = next.Next(); !usable(pools[0], next) {
				if pools = pools[1:]; len(pools) > 0 {
					next = firstUsable(pools[0])
				}
			}
		}
		if len(pools) == 0 {
			b.problem(w.pos, "give it with public-ip: {address: A}", "no public address is left for %s", w.name)
			continue
		}
		*w.into, used[next], b.lock.Public[w.name] = next, w.name, next
	}
}

// publicSuffix makes the name of a public IP from that of its owner.
const publicSuffix = "-ip"
