package certificate

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// box is a product of five sets: packets as they are at some place.
type box [fabric.NumFields]fabric.Set

func (b box) empty() bool {
	return slices.ContainsFunc(b[:], func(s fabric.Set) bool { return s.IsEmpty() })
}

// with sets one field to one address.
func (b box) with(f fabric.Field, a netip.Addr) box {
	b[f] = fabric.AddrSet(a)
	return b
}

// follower moves boxes through an image, as a packet moves but for sets of
// packets, and hands every end to leaf. Every method takes any box: one that is
// empty goes nowhere.
type follower struct {
	img   *fabric.Image
	leaf  func(b box, v fabric.Verdict, r fabric.Reason)
	steps int             // left; a certificate's boxes need few
	past  []fabric.PortID // that handed the box on, up to where it is
}

// by goes on with a box that a port handed on.
func (f *follower) by(at fabric.PortID, on func()) {
	f.past = append(f.past, at)
	on()
	f.past = f.past[:len(f.past)-1]
}

// way is how a box came to where it is.
type way struct {
	hops                  int // ports passed
	forwarded, masquerade bool
	taken                 bool
	segment               fabric.SegmentID
}

// cut hands the part of a box with a field in a set to then, and returns the
// rest.
func (f *follower) cut(b box, field fabric.Field, s fabric.Set, then func(box)) box {
	in := b
	in[field], b[field] = b[field].Intersect(s), b[field].Subtract(s)
	if f.steps--; f.steps > 0 && !in.empty() {
		then(in)
	}
	return b
}

func (f *follower) end(b box, v fabric.Verdict, r fabric.Reason) {
	if f.steps > 0 && !b.empty() {
		f.leaf(b, v, r)
	}
}

func (f *follower) deny(code fabric.Code, at fabric.PortID) func(box) {
	return func(b box) { f.end(b, fabric.VerdictDeny, fabric.At(code, at)) }
}

func (f *follower) allow(code fabric.Code, at fabric.PortID) func(box) {
	return func(b box) { f.end(b, fabric.VerdictAllow, fabric.At(code, at)) }
}

// start sends a box from a port.
func (f *follower) start(at fabric.PortID, b box) {
	port := &f.img.Ports[at]
	b = f.cut(b, fabric.Dst, f.img.Sets[f.img.Platform], f.allow(fabric.CodePlatform, at))
	if port.Forward == nil {
		forged := fabric.AllValues().Subtract(f.img.Sets[port.Addrs])
		b = f.cut(b, fabric.Src, forged, f.deny(fabric.CodeSourceCheck, at))
	}
	if port.Kind == fabric.PortEdge {
		f.internet(b, at, way{hops: 1, segment: fabric.None})
	} else {
		f.leave(b, at, way{hops: 1, segment: fabric.None})
	}
}

// match hands the part of a box in all five sets to then, and returns the
// pieces that are not.
func (f *follower) match(todo []box, m *[fabric.NumFields]fabric.SetID, then func(box)) (rest []box) {
	for _, b := range todo {
		for field := range fabric.NumFields {
			var in box
			out := f.cut(b, field, f.img.Sets[m[field]], func(b box) { in = b })
			if !out.empty() {
				rest = append(rest, out)
			}
			if b = in; in.empty() {
				break
			}
		}
		if !b.empty() {
			then(b)
		}
	}
	return rest
}

// filter asks a list of filters; what passes them goes on, with whether a
// masquerading rule passed it.
func (f *follower) filter(b box, at fabric.PortID, list []fabric.FilterID, masquerade bool, pass func(box, bool)) {
	if len(list) == 0 || b.empty() {
		pass(b, masquerade)
		return
	}
	filter := &f.img.Filters[list[0]]
	act := func(action fabric.Action, rule int32, masquerade bool) func(box) {
		return func(b box) {
			switch action {
			case fabric.Pass:
				f.filter(b, at, list[1:], masquerade, pass)
			case fabric.Bypass:
				pass(b, masquerade)
			case fabric.Unknown:
				f.end(b, fabric.VerdictUnknown, fabric.AtRule(at, list[0], rule))
			default:
				f.end(b, fabric.VerdictDeny, fabric.AtRule(at, list[0], rule))
			}
		}
	}
	todo := []box{b}
	for i := range filter.Rules {
		r := &filter.Rules[i]
		todo = f.match(todo, &r.Match, act(r.Action, int32(i), masquerade || r.Masquerade))
	}
	for _, b := range todo {
		act(filter.Default, fabric.None, masquerade)(b)
	}
}

// leave asks the egress filters and then every route, longest prefix first.
func (f *follower) leave(b box, at fabric.PortID, w way) {
	port := &f.img.Ports[at]
	f.filter(b, at, port.Egress, false, func(b box, _ bool) {
		for i, r := range f.img.Tables[port.Routes].Routes {
			if !r.Inactive {
				own := fabric.Set{fabric.PrefixRange(r.Prefix)}.Intersect(family(r.Prefix.Addr()))
				b = f.cut(b, fabric.Dst, own, func(b box) { f.route(b, at, int32(i), w) })
			}
		}
		f.end(b, fabric.VerdictDeny, fabric.AtRoute(fabric.CodeNoRoute, at, port.Routes, fabric.None))
	})
}

// route sends a box where a route leads.
func (f *follower) route(b box, at fabric.PortID, route int32, w way) {
	port := &f.img.Ports[at]
	hop := f.img.Tables[port.Routes].Routes[route].Hop
	on := way{hops: w.hops, segment: fabric.None}
	end := func(v fabric.Verdict, code fabric.Code) func(box) {
		return func(b box) { f.end(b, v, fabric.AtRoute(code, at, port.Routes, route)) }
	}
	switch hop.Kind {
	case fabric.HopSpace:
		for _, o := range f.img.Spaces[hop.Space].Owners {
			b = f.cut(b, fabric.Dst, fabric.Set{o.Range}, func(b box) {
				f.readdress(b, port, w, func(b box) { f.arrive(b, o.Port, on) })
			})
		}
		end(fabric.VerdictDeny, fabric.CodeNoPort)(b)
	case fabric.HopPort:
		f.readdress(b, port, w, func(b box) { f.arrive(b, hop.Port, on) })
	case fabric.HopService:
		on.segment = hop.Segment
		f.readdress(b, port, w, func(b box) { f.internet(b, at, on) })
	case fabric.HopInternet:
		if o := port.Outbound; o != nil {
			for _, p := range o.Pairs {
				b = f.cut(b, fabric.Src, fabric.AddrSet(p.Private), func(b box) { f.internet(b.with(fabric.Src, p.Public), at, on) })
			}
			for _, a := range o.Barred {
				b = f.cut(b, fabric.Src, fabric.AddrSet(a), end(fabric.VerdictDeny, fabric.CodeNoOutbound))
			}
			for _, a := range o.Pool {
				b = f.cut(b, fabric.Src, family(a), func(b box) { f.internet(b.with(fabric.Src, a), at, on) })
			}
		}
		end(fabric.VerdictDeny, fabric.CodeNoOutbound)(b)
	case fabric.HopMissing:
		end(fabric.VerdictDeny, fabric.CodeNextHopMissing)(b)
	case fabric.HopUnknown:
		end(fabric.VerdictUnknown, fabric.CodeRouteUnknown)(b)
	default:
		end(fabric.VerdictDeny, fabric.CodeRouteDrop)(b)
	}
}

// family returns all addresses of an address's family.
func family(a netip.Addr) fabric.Set {
	four := fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))
	if a.Is4() {
		return four
	}
	return fabric.AllValues().Subtract(four)
}

// readdress gives what a forwarder forwards its own address.
func (f *follower) readdress(b box, port *fabric.Port, w way, then func(box)) {
	if w.forwarded {
		for _, own := range port.Forward.Own {
			b = f.cut(b, fabric.Src, family(own), func(b box) {
				if !w.masquerade {
					b = f.cut(b, fabric.Dst, f.img.Sets[port.Forward.Private], then)
				}
				then(b.with(fabric.Src, own))
			})
		}
	}
	then(b)
}

// internet is what becomes of packets that a port sent to the internet, or to a
// platform service by the service endpoint of a segment.
func (f *follower) internet(b box, from fabric.PortID, w way) {
	direct := w.segment != fabric.None
	for i := range f.img.Publics {
		p := &f.img.Publics[i]
		b = f.cut(b, fabric.Dst, fabric.AddrSet(p.Addr), func(b box) {
			switch {
			case p.Unknown:
				f.end(b, fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, from))
			case p.Port == fabric.None, direct && f.img.Ports[p.Port].Kind != fabric.PortService:
				f.deny(fabric.CodeNoTranslation, from)(b)
			case p.Closed && !direct:
				f.deny(fabric.CodeClosed, p.Port)(b)
			case direct:
				f.arrive(b, p.Port, w)
			default:
				f.arrive(b.with(fabric.Dst, p.Private), p.Port, way{hops: w.hops, segment: fabric.None})
			}
		})
	}
	if edge := f.img.Edge; edge != fabric.None {
		b = f.cut(b, fabric.Dst, f.img.Sets[f.img.Ports[edge].Addrs], func(b box) { f.arrive(b, edge, way{hops: w.hops, segment: fabric.None}) })
	}
	f.deny(fabric.CodePrivateAtEdge, from)(b)
}

// arrive asks the ingress filters, then redirects, delivers or forwards.
func (f *follower) arrive(b box, at fabric.PortID, w way) {
	if w.hops > fabric.MaxHops {
		f.deny(fabric.CodeLoop, at)(b)
		return
	}
	port := &f.img.Ports[at]
	ingress := port.Ingress
	if _, ok := port.AdmitOf(w.segment); ok {
		ingress = nil
	}
	f.filter(b, at, ingress, false, func(b box, _ bool) {
		if w.taken {
			f.allow(fabric.CodeDelivered, at)(b)
			return
		}
		if port.Inward != nil {
			b = f.cut(b, fabric.Dst, f.img.Sets[port.Inward.Addrs], func(b box) {
				f.by(at, func() { f.redirect(b, at, w.hops+1) })
			})
		}
		b = f.cut(b, fabric.Dst, f.img.Sets[port.Addrs], f.allow(fabric.CodeDelivered, at))
		if port.Forward == nil {
			f.deny(fabric.CodeNotForwarding, at)(b)
			return
		}
		f.filter(b, at, port.Forward.Policy, false, func(b box, masquerade bool) {
			f.by(at, func() { f.leave(b, at, way{hops: w.hops + 1, forwarded: true, masquerade: masquerade}) })
		})
	})
}

// redirect hands a box to every target that may take it.
func (f *follower) redirect(b box, at fabric.PortID, hops int) {
	todo := []box{b}
	for i := range f.img.Ports[at].Inward.Redirects {
		r := &f.img.Ports[at].Inward.Redirects[i]
		todo = f.match(todo, &r.Match, func(b box) {
			if !r.Healthy() {
				f.end(b, fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeNoTarget, at, int32(i)))
			}
			for j := range r.Targets {
				if r.Targets[j].Down == "" {
					f.hand(b, at, int32(i), &r.Targets[j], hops)
				}
			}
		})
	}
	for _, b := range todo {
		f.deny(fabric.CodeNoRedirect, at)(b)
	}
}

// hand gives a box to one target of a redirect.
func (f *follower) hand(b box, at fabric.PortID, redirect int32, t *fabric.Target, hops int) {
	r := &f.img.Ports[at].Inward.Redirects[redirect]
	if t.Addr.IsValid() {
		b = b.with(fabric.Dst, t.Addr)
	}
	if r.Source.IsValid() {
		b = b.with(fabric.Src, r.Source)
	}
	on := func(b box) {
		switch {
		case t.Closed:
			f.deny(fabric.CodeClosed, t.Port)(b)
		case t.Port == fabric.None:
			f.leave(b, at, way{hops: hops})
		default:
			f.arrive(b, t.Port, way{hops: hops, taken: r.Floating, segment: fabric.None})
		}
	}
	// Packets from an address to itself go no further; one address at a time.
	apart := func(b box) {
		for _, both := range b[fabric.Src].Intersect(b[fabric.Dst]) {
			for v := both.Lo; f.steps > 0; v = v.Next() {
				one := fabric.Set{{Lo: v, Hi: v}}
				b = f.cut(b, fabric.Src, one, func(b box) {
					on(f.cut(b, fabric.Dst, one, func(b box) {
						f.end(b, fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeHairpin, at, redirect))
					}))
				})
				if v == both.Hi {
					break
				}
			}
		}
		on(b)
	}
	if t.DstPort != 0 {
		for proto := range uint16(256) {
			if (fabric.Packet{Proto: uint8(proto)}).HasPorts() {
				b = f.cut(b, fabric.Proto, fabric.NumSet(proto, proto), func(b box) {
					b[fabric.DstPort] = fabric.NumSet(t.DstPort, t.DstPort)
					apart(b)
				})
			}
		}
	}
	apart(b)
}
