package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// pair is a network of two hosts in one space, the first with a pool towards an
// edge: a at 10.0.0.4, b at 10.0.0.5.
const (
	portA fabric.PortID = iota
	portB
	portEdge
)

func pair() *fabric.Image {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}, Edge: portEdge}
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}
	addr := netip.MustParseAddr
	img.Platform = set(fabric.AddrSet(addr("168.63.129.16")))
	img.Spaces = []fabric.Space{{Name: "net", Region: fabric.None}}
	img.Segments = []fabric.Segment{{Name: "net/subnet"}}
	img.Filters = []fabric.Filter{{Name: "open", Default: fabric.Pass}, {Name: "closed", Default: fabric.Drop}}
	img.Tables = []fabric.Table{{Name: "net", Routes: []fabric.Route{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Hop: fabric.Hop{Kind: fabric.HopSpace}},
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}},
	}}}
	for i, name := range []string{"a", "b"} {
		own := set(fabric.AddrSet(netip.AddrFrom4([4]byte{10, 0, 0, byte(4 + i)})))
		img.Ports = append(img.Ports, fabric.Port{Name: name, Region: fabric.None, Addrs: own, Egress: []fabric.FilterID{0}, Ingress: []fabric.FilterID{0}})
		img.Spaces[0].Owners = append(img.Spaces[0].Owners, fabric.Owner{Range: img.Sets[own][0], Port: fabric.PortID(i)})
	}
	public := addr("203.0.113.1")
	img.Ports[portA].Outbound = &fabric.Outbound{What: "pool", Pool: []netip.Addr{public}}
	img.Publics = []fabric.Public{{Addr: public, Port: fabric.None}}
	img.Ports = append(img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None,
		Addrs: set(fabric.PrefixSet(netip.MustParsePrefix("198.18.0.0/15"))),
	})
	return img
}

func packet(proto uint8, src, dst string) fabric.Packet {
	p := fabric.Packet{Proto: proto}
	if proto == fabric.ProtoTCP || proto == fabric.ProtoUDP {
		s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
		p.Src, p.SrcPort, p.Dst, p.DstPort = s.Addr(), s.Port(), d.Addr(), d.Port()
		return p
	}
	p.Src, p.Dst = netip.MustParseAddr(src), netip.MustParseAddr(dst)
	return p
}

// flows returns n UDP packets of distinct flows out to the internet.
func flows(n int) []Frame {
	frames := make([]Frame, n)
	for i := range frames {
		p := packet(fabric.ProtoUDP, "10.0.0.4:1", "198.18.0.1:1")
		p.SrcPort, p.DstPort = uint16(1024+i%50000), uint16(1+i/50000)
		frames[i] = Frame{At: portA, Packet: First(p)}
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(n, func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	return frames
}

// guarded is pair with a hundred rules in its filter, of which the last lets
// everything pass.
func guarded() *fabric.Image {
	img := pair()
	var rules []fabric.Rule
	for i := range uint16(99) {
		img.Sets = append(img.Sets, fabric.NumSet(60000+i, 60000+i))
		r := fabric.Rule{Action: fabric.Drop}
		r.Match[fabric.SrcPort] = fabric.SetID(len(img.Sets) - 1)
		r.Match[fabric.Proto] = r.Match[fabric.SrcPort]
		rules = append(rules, r)
	}
	img.Filters[0] = fabric.Filter{Name: "nsg", Rules: append(rules, fabric.Rule{Action: fabric.Pass})}
	return img
}

// opened begins n flows of UDP datagrams of 64 bytes through filter and NAT,
// and returns the packets as their sender wrote them.
func opened(tb testing.TB, e *Engine, n int) (frames []Frame, fresh [][64]byte) {
	frames, fresh = flows(n), make([][64]byte, n)
	for i := range frames {
		t, _ := Tuple(frames[i].Packet)
		b := Datagram(t, make([]byte, 36))
		if len(b) != 64 {
			tb.Fatalf("%d bytes", len(b))
		}
		fresh[i] = [64]byte(b)
		frames[i].Packet = b
		if r := e.Process(0, portA, b); r.Verdict != fabric.VerdictAllow || r.Out != portEdge {
			tb.Fatalf("%+v", r)
		}
	}
	return frames, fresh
}

// BenchmarkEstablished prints the cost of a 64-byte UDP packet of an established
// flow through a filter of a hundred rules and a NAT pool, writing the packet
// anew included: one by one, in vectors, and for comparison what parsing and a
// flow table that is a Go map would cost.
func BenchmarkEstablished(b *testing.B) {
	for _, n := range []int{1000, 60000} {
		bench := func(name string, step int, prepare func(e *Engine, frames []Frame) func(at int)) {
			b.Run(fmt.Sprintf("flows=%d/%s", n, name), func(b *testing.B) {
				e := New(guarded(), Options{})
				frames, fresh := opened(b, e, n)
				do := prepare(e, frames)
				b.ReportAllocs()
				b.ResetTimer()
				at := 0
				for i := 0; i < b.N; i += step {
					for j := at; j < at+step; j++ {
						copy(frames[j].Packet, fresh[j][:])
					}
					do(at)
					if at += step; at+step > n {
						at = 0
					}
				}
			})
		}
		bench("vector", batch, func(e *Engine, frames []Frame) func(int) {
			results := make([]Result, batch)
			return func(at int) { e.ProcessBatch(0, frames[at:at+batch], results) }
		})
		bench("single", 1, func(e *Engine, frames []Frame) func(int) {
			return func(at int) { e.Process(0, portA, frames[at].Packet) }
		})
		bench("go-map", 1, func(e *Engine, frames []Frame) func(int) {
			index, h := map[key]uint32{}, &header{}
			for i := range frames {
				e.Process(0, portA, frames[i].Packet)
			}
			for m := range uint32(e.table.count) {
				index[e.table.flow(m).ways[forward].key] = m
			}
			return func(at int) {
				b := frames[at].Packet
				h.parse(portA, b)
				w := &e.table.flow(index[h.key]).ways[forward]
				w.packets++
				w.bytes += uint64(h.end)
				w.edit.apply(b, h.l4, h.key.proto(), h.v6, false)
			}
		})
		bench("parse", 1, func(_ *Engine, frames []Frame) func(int) {
			h := &header{}
			return func(at int) { h.parse(portA, frames[at].Packet) }
		})
	}
}

// BenchmarkFirst prints the cost of a flow's first packet, with the end of the
// flow before it.
func BenchmarkFirst(b *testing.B) {
	e := New(pair(), Options{MaxFlows: 1})
	frames := flows(1000)
	b.ReportAllocs()
	i, now := 0, idleTimeout
	for b.Loop() {
		now += 2 * idleTimeout
		copy(frames[i].Packet[12:], []byte{10, 0, 0, 4})
		e.Process(now, portA, frames[i].Packet)
		i = (i + 1) % len(frames)
	}
}
