package fabrictest

import (
	"math/rand/v2"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// redirecting returns the ports behind whose addresses others stand: those with
// redirects, and private endpoints.
func redirecting(img *fabric.Image) []fabric.PortID {
	var out []fabric.PortID
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Inward != nil || p.Kind == fabric.PortEndpoint && !img.Sets[p.Addrs].IsEmpty() {
			out = append(out, fabric.PortID(i))
		}
	}
	return out
}

// front returns an address by which packets come to a port: one that it
// redirects, one of its own, or a public one that leads there.
func front(rng *rand.Rand, img *fabric.Image, p *fabric.Port) netip.Addr {
	own := img.Sets[p.Addrs]
	if p.Inward != nil && p.Inward.Addrs != fabric.AnySet {
		own = own.Union(img.Sets[p.Inward.Addrs])
	}
	for _, public := range img.Publics {
		if public.Port != fabric.None && &img.Ports[public.Port] == p {
			own = own.Union(fabric.AddrSet(public.Addr))
		}
	}
	return pick(rng, own)
}

// aim changes a packet into one that a redirect takes, as far as its port lets
// it: the destination, if the redirect is for few, the protocol and the port.
func aim(rng *rand.Rand, img *fabric.Image, r *fabric.Redirect, p *fabric.Packet) {
	if id := r.Match[fabric.Dst]; id != fabric.AnySet && !img.Sets[id].Contains(fabric.AddrValue(p.Dst)) {
		if a := pick(rng, img.Sets[id]); a.Is4() == p.Src.Is4() {
			p.Dst = a
		}
	}
	if id := r.Match[fabric.Proto]; !img.Sets[id].Contains(fabric.Num(uint16(p.Proto))) {
		for _, proto := range []uint8{fabric.ProtoTCP, fabric.ProtoUDP} {
			if img.Sets[id].Contains(fabric.Num(uint16(proto))) {
				p.Proto = proto
				break
			}
		}
	}
	if !p.HasPorts() {
		p.SrcPort, p.DstPort = 0, 0
		return
	}
	if p.SrcPort == 0 {
		p.SrcPort = uint16(40000 + rng.IntN(3))
	}
	if s := img.Sets[r.Match[fabric.DstPort]]; r.Match[fabric.DstPort] != fabric.AnySet && !s.IsEmpty() {
		// An end of a range, or the port beside it.
		x := s[rng.IntN(len(s))]
		port := []fabric.Value{x.Lo, x.Hi, x.Hi.Next()}[rng.IntN(3)]
		p.DstPort = uint16(min(port.Lo, 65535))
	}
}
