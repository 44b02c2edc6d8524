package fabrictest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Random returns a valid random image: the same for the same state of rng.
func Random(rng *rand.Rand) *fabric.Image {
	g := &generator{rng: rng, img: &fabric.Image{Edge: fabric.None}}
	g.sets()
	g.regions()
	g.spaces()
	g.filters()
	g.tables()
	g.behaviour()
	g.public()
	g.inward()
	if err := g.img.Check(); err != nil {
		panic("fabrictest: made a bad image: " + err.Error())
	}
	return g.img
}

// Packet returns a random packet and the port it enters at. Most packets have
// a source the port owns and a destination somebody owns; a third are for
// something that redirects, if the image has any, mostly as one of its redirects
// takes them.
func Packet(rng *rand.Rand, img *fabric.Image) (fabric.PortID, fabric.Packet) {
	at := fabric.PortID(rng.IntN(len(img.Ports)))
	p := fabric.Packet{Src: anyAddr(rng, img), Dst: anyAddr(rng, img)}
	fronts := redirecting(img)
	aimed := len(fronts) > 0 && rng.IntN(3) == 0
	var to *fabric.Port
	if aimed {
		to = &img.Ports[fronts[rng.IntN(len(fronts))]]
		p.Dst = front(rng, img, to)
		if _, public := img.PublicAt(p.Dst); public && img.Edge != fabric.None && rng.IntN(2) == 0 {
			at = img.Edge
		}
	}
	if rng.IntN(10) > 0 {
		p.Src = pick(rng, img.Sets[img.Ports[at].Addrs])
	}
	if p.Dst.Is4() != p.Src.Is4() {
		p.Dst, aimed = p.Src, false
	}
	p.Proto = []uint8{fabric.ProtoTCP, fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP}[rng.IntN(4)]
	if p.Proto == fabric.ProtoICMP && p.Src.Is6() {
		p.Proto = fabric.ProtoICMPv6
	}
	if p.HasPorts() {
		p.SrcPort = uint16(40000 + rng.IntN(3))
		p.DstPort = []uint16{22, 80, 443, 8080, 5432}[rng.IntN(5)]
	}
	if aimed && to.Inward != nil && len(to.Inward.Redirects) > 0 && rng.IntN(4) > 0 {
		aim(rng, img, &to.Inward.Redirects[rng.IntN(len(to.Inward.Redirects))], &p)
	}
	return at, p
}

// internet is the universe's internet: two small blocks.
var internet = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/28"), netip.MustParsePrefix("203.0.113.0/28")}

func anyAddr(rng *rand.Rand, img *fabric.Image) netip.Addr {
	switch rng.IntN(12) {
	case 0:
		return pick(rng, fabric.PrefixSet(internet...))
	case 1:
		if len(img.Publics) > 0 {
			return img.Publics[rng.IntN(len(img.Publics))].Addr
		}
	case 2:
		return netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), 0, byte(rng.IntN(80))})
	case 3:
		if rng.IntN(3) == 0 {
			return pick(rng, img.Sets[img.Platform])
		}
	}
	return pick(rng, img.Sets[img.Ports[rng.IntN(len(img.Ports))].Addrs])
}

// pick returns a random address of a set, near the start of a random range.
func pick(rng *rand.Rand, s fabric.Set) netip.Addr {
	if s.IsEmpty() {
		return netip.AddrFrom4([4]byte{10, 9, 9, 9})
	}
	r := s[rng.IntN(len(s))]
	v := r.Lo
	for range rng.IntN(6) {
		if v == r.Hi {
			break
		}
		v = v.Next()
	}
	return v.Addr()
}

type generator struct {
	rng *rand.Rand
	img *fabric.Image
	// Sets by the field they make sense for.
	addrs, ports, protos []fabric.SetID
}

func (g *generator) one(n int) bool { return g.rng.IntN(n) == 0 }

func (g *generator) set(s fabric.Set) fabric.SetID {
	for i, have := range g.img.Sets {
		if have.Equal(s) {
			return fabric.SetID(i)
		}
	}
	g.img.Sets = append(g.img.Sets, s)
	return fabric.SetID(len(g.img.Sets) - 1)
}

func (g *generator) sets() {
	g.set(fabric.AllValues())
	prefixes := []string{
		"10.0.0.0/8", "10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24", "10.0.0.16/28", "10.1.0.16/28",
		"10.0.0.4/30", "10.1.0.4/31", "198.18.0.0/28", "0.0.0.0/0", "fd00::/16", "fd00:1::/64",
	}
	for range 6 {
		var ps []netip.Prefix
		for range 1 + g.rng.IntN(3) {
			ps = append(ps, netip.MustParsePrefix(prefixes[g.rng.IntN(len(prefixes))]))
		}
		g.addrs = append(g.addrs, g.set(fabric.PrefixSet(ps...)))
	}
	for _, s := range []fabric.Set{
		fabric.NumSet(22, 22), fabric.NumSet(80, 443),
		fabric.NewSet(fabric.NumSet(443, 443)[0], fabric.NumSet(5432, 9000)[0]), fabric.NumSet(40000, 40001),
	} {
		g.ports = append(g.ports, g.set(s))
	}
	for _, p := range []uint16{fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP} {
		g.protos = append(g.protos, g.set(fabric.NumSet(p, p)))
	}
	g.img.Platform = g.set(fabric.AddrSet(netip.MustParseAddr("168.63.129.16")))
}

func (g *generator) regions() {
	g.img.Regions = []string{"east", "west"}
	g.img.Delay = [][]time.Duration{{0, 40 * time.Millisecond}, {41 * time.Millisecond, 0}}
}

// spaces makes spaces with one or two segments, each with hosts, a forwarder
// now and then, and a vacancy.
func (g *generator) spaces() {
	img := g.img
	for s := range 1 + g.rng.IntN(3) {
		space := fabric.SpaceID(len(img.Spaces))
		img.Spaces = append(img.Spaces, fabric.Space{Name: fmt.Sprintf("space%d", s), Region: fabric.RegionID(g.rng.IntN(2))})
		for k := range 1 + g.rng.IntN(2) {
			base := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(s), 0, byte(k * 16)}), 28)
			if s == 2 && g.one(2) {
				// Overlapping spaces are legal: addresses are unique only within one.
				base = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(k * 16)}), 28)
			}
			segment := fabric.SegmentID(len(img.Segments))
			img.Segments = append(img.Segments, fabric.Segment{
				Name: fmt.Sprintf("segment%d.%d", s, k), Space: space, Prefixes: []netip.Prefix{base},
			})
			left := fabric.PrefixSet(base)
			for h := range 1 + g.rng.IntN(3) {
				a := base.Addr()
				for range 4 + h {
					a = a.Next()
				}
				own := fabric.AddrSet(a)
				if g.one(4) {
					b := a.As4()
					own = own.Union(fabric.AddrSet(netip.AddrFrom16([16]byte{0xfd, 0, 0, b[1], 14: b[2], 15: b[3]})))
				}
				kind := fabric.PortHost
				if g.one(4) {
					kind = fabric.PortForwarder
				}
				g.port(fmt.Sprintf("%s%d.%d.%d", kind, s, k, h), kind, space, segment, own)
				left = left.Subtract(own)
			}
			for n, kind := range []fabric.PortKind{fabric.PortBalancer, fabric.PortEndpoint} {
				if g.one(3) {
					b := base.Addr().As4()
					b[3] += byte(10 + n)
					own := fabric.AddrSet(netip.AddrFrom4(b))
					g.port(fmt.Sprintf("%s%d.%d", kind, s, k), kind, space, segment, own)
					left = left.Subtract(own)
				}
			}
			if g.one(2) {
				g.port(fmt.Sprintf("vacant%d.%d", s, k), fabric.PortVacant, space, segment, left)
			}
		}
	}
	if g.one(2) {
		g.outside("site", fabric.PortSite, netip.MustParsePrefix("10.3.0.0/24"))
	}
	if g.one(2) {
		g.outside("service", fabric.PortService, netip.MustParsePrefix("203.0.113.240/32"))
	}
	for i := range img.Spaces {
		var owners []fabric.Owner
		for id := range img.Ports {
			if p := &img.Ports[id]; p.Space == fabric.SpaceID(i) {
				for _, r := range img.Sets[p.Addrs] {
					owners = append(owners, fabric.Owner{Range: r, Port: fabric.PortID(id)})
				}
			}
		}
		img.Spaces[i].Owners = SortOwners(owners)
	}
}

// outside makes a space with one port that owns all of a prefix.
func (g *generator) outside(name string, kind fabric.PortKind, own netip.Prefix) {
	space := fabric.SpaceID(len(g.img.Spaces))
	g.img.Spaces = append(g.img.Spaces, fabric.Space{Name: name, Region: fabric.RegionID(g.rng.IntN(2))})
	segment := fabric.SegmentID(len(g.img.Segments))
	g.img.Segments = append(g.img.Segments, fabric.Segment{Name: name, Space: space, Prefixes: []netip.Prefix{own}})
	g.port(name, kind, space, segment, fabric.PrefixSet(own))
}

func (g *generator) port(name string, kind fabric.PortKind, space fabric.SpaceID, segment fabric.SegmentID, own fabric.Set) {
	g.img.Ports = append(g.img.Ports, fabric.Port{
		Name: name, Kind: kind, Space: space, Segment: segment, Addrs: g.set(own),
		Region: g.img.Spaces[space].Region,
		Labels: []fabric.Label{{Kind: "host", Name: name}},
	})
}

func (g *generator) filters() {
	for i := range 2 + g.rng.IntN(5) {
		f := fabric.Filter{
			Name: fmt.Sprintf("filter%d", i), Stage: fabric.Stage(g.rng.IntN(4)),
			Default: fabric.Pass,
		}
		if g.one(3) {
			f.Default = fabric.Drop
		}
		for r := range g.rng.IntN(6) {
			rule := fabric.Rule{Priority: int32(100 + r)}
			field := func(f fabric.Field, pool []fabric.SetID) {
				if g.one(2) {
					rule.Match[f] = pool[g.rng.IntN(len(pool))]
				}
			}
			field(fabric.Src, g.addrs)
			field(fabric.Dst, g.addrs)
			field(fabric.DstPort, g.ports)
			field(fabric.Proto, g.protos)
			if g.one(5) {
				field(fabric.SrcPort, g.ports)
			}
			switch n := g.rng.IntN(12); {
			case n < 5:
				rule.Action = fabric.Pass
			case n < 10:
				rule.Action = fabric.Drop
			case n < 11:
				rule.Action = fabric.Bypass
			default:
				rule.Action = fabric.Unknown
			}
			rule.Masquerade = g.one(6)
			f.Rules = append(f.Rules, rule)
		}
		g.img.Filters = append(g.img.Filters, f)
	}
}

func (g *generator) tables() {
	prefixes := []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24", "10.0.0.0/28", "10.1.0.16/28",
		"::/0", "fd00::/16", "203.0.113.240/28", "10.3.0.0/24",
	}
	for i := range 1 + g.rng.IntN(4) {
		t := fabric.Table{Name: fmt.Sprintf("table%d", i)}
		used := map[string]bool{}
		add := func(prefix string, hop fabric.Hop) {
			t.Routes = append(t.Routes, fabric.Route{
				Prefix: netip.MustParsePrefix(prefix), Hop: hop, Inactive: used[prefix] || g.one(15),
			})
			used[prefix] = true
		}
		// Most tables know the spaces, as real ones do.
		for s := range g.img.Spaces {
			if !g.one(5) {
				add(fmt.Sprintf("10.%d.0.0/24", s), fabric.Hop{Kind: fabric.HopSpace, Space: fabric.SpaceID(s)})
			}
		}
		if !g.one(4) {
			add("0.0.0.0/0", fabric.Hop{Kind: fabric.HopInternet})
		}
		for range g.rng.IntN(4) {
			add(prefixes[g.rng.IntN(len(prefixes))], g.hop())
		}
		fabric.SortRoutes(t.Routes)
		g.img.Tables = append(g.img.Tables, t)
	}
}

func (g *generator) hop() fabric.Hop {
	switch n := g.rng.IntN(13); {
	case n == 12:
		return fabric.Hop{Kind: fabric.HopService, Segment: fabric.SegmentID(g.rng.IntN(len(g.img.Segments)))}
	case n < 4:
		return fabric.Hop{Kind: fabric.HopSpace, Space: fabric.SpaceID(g.rng.IntN(len(g.img.Spaces)))}
	case n < 8:
		return fabric.Hop{Kind: fabric.HopPort, Port: fabric.PortID(g.rng.IntN(len(g.img.Ports)))}
	case n < 9:
		return fabric.Hop{Kind: fabric.HopInternet}
	case n < 10:
		return fabric.Hop{Kind: fabric.HopMissing}
	case n < 11:
		return fabric.Hop{Kind: fabric.HopUnknown}
	default:
		return fabric.Hop{Kind: fabric.HopDrop}
	}
}

// behaviour gives ports their filters, tables, forwarding and ways out.
func (g *generator) behaviour() {
	some := func(most int) []fabric.FilterID {
		var out []fabric.FilterID
		for range g.rng.IntN(most + 1) {
			out = append(out, fabric.FilterID(g.rng.IntN(len(g.img.Filters))))
		}
		return out
	}
	for i := range g.img.Ports {
		p := &g.img.Ports[i]
		p.Routes = fabric.TableID(g.rng.IntN(len(g.img.Tables)))
		if p.Kind == fabric.PortForwarder {
			p.Forward = &fabric.Forward{Policy: some(2), Stateful: !g.one(3)}
			if g.one(3) {
				p.Forward.Own = []netip.Addr{g.img.Sets[p.Addrs].Min().Addr()}
				p.Forward.Private = g.addrs[g.rng.IntN(len(g.addrs))]
			}
		} else {
			p.Egress, p.Ingress = some(2), some(2)
		}
	}
}

// public adds the edge, public addresses and outbound translations.
func (g *generator) public() {
	img := g.img
	if g.one(5) {
		return
	}
	outside := fabric.PrefixSet(internet...)
	for i := range img.Ports {
		p := &img.Ports[i]
		own := img.Sets[p.Addrs].Min().Addr()
		if p.Kind == fabric.PortService {
			// Its address is its own; nothing is translated.
			img.Publics = append(img.Publics, fabric.Public{Addr: own, Port: fabric.PortID(i), Private: own})
			for seg := range img.Segments {
				if g.one(3) {
					p.Admits = append(p.Admits, fabric.Admit{Segment: fabric.SegmentID(seg)})
				}
			}
			continue
		}
		if !own.Is4() || g.one(2) {
			continue
		}
		public := netip.AddrFrom4([4]byte{203, 0, 113, byte(len(img.Publics) + 1)})
		switch g.rng.IntN(4) {
		case 0:
			p.Outbound = &fabric.Outbound{What: "pool", Pool: []netip.Addr{public}}
			if g.one(4) {
				p.Outbound.Barred = []netip.Addr{own}
			}
			img.Publics = append(img.Publics, fabric.Public{Addr: public, Port: fabric.None})
		case 1:
			img.Publics = append(img.Publics, fabric.Public{Addr: public, Port: fabric.None, Unknown: g.one(2)})
		default:
			if p.Kind == fabric.PortBalancer {
				img.Publics = append(img.Publics, fabric.Public{Addr: public, Port: fabric.PortID(i), Private: public})
				break
			}
			p.Outbound = &fabric.Outbound{What: "pair", Pairs: []fabric.Pair{{Private: own, Public: public}}}
			img.Publics = append(img.Publics, fabric.Public{Addr: public, Port: fabric.PortID(i), Private: own, Closed: g.one(6)})
		}
		outside = outside.Subtract(fabric.AddrSet(public))
	}
	slices.SortFunc(img.Publics, func(a, b fabric.Public) int { return a.Addr.Compare(b.Addr) })
	img.Edge = fabric.PortID(len(img.Ports))
	img.Ports = append(img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None,
		Addrs: g.set(outside), Labels: []fabric.Label{{Kind: "host", Name: "internet"}},
	})
}
