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

// BenchmarkProcess prints the cost of a packet of an established, translated
// flow. The source address is restored for every packet, as part of the cost.
func BenchmarkProcess(b *testing.B) {
	for _, n := range []int{1000, 60000} {
		for _, translated := range []bool{false, true} {
			b.Run(fmt.Sprintf("flows=%d/translated=%v", n, translated), func(b *testing.B) {
				e, frames := New(pair(), Options{}), flows(n)
				original := [4]byte{10, 0, 0, 4}
				for i := range frames {
					if !translated {
						frames[i].Packet = First(packet(fabric.ProtoUDP, fmt.Sprintf("10.0.0.4:%d", 1+i), "10.0.0.5:53"))
					}
					if r := e.Process(0, portA, frames[i].Packet); r.Verdict != fabric.VerdictAllow {
						b.Fatalf("%+v", r)
					}
				}
				b.ReportAllocs()
				b.ResetTimer()
				i := 0
				for b.Loop() {
					f := &frames[i]
					if translated {
						copy(f.Packet[12:16], original[:])
					}
					e.Process(0, portA, f.Packet)
					if i++; i == n {
						i = 0
					}
				}
			})
		}
	}
}

func BenchmarkProcessBatch(b *testing.B) {
	for _, n := range []int{1000, 60000} {
		b.Run(fmt.Sprintf("flows=%d", n), func(b *testing.B) {
			e, frames := New(pair(), Options{}), make([]Frame, n)
			for i := range frames {
				frames[i] = Frame{At: portA, Packet: First(packet(fabric.ProtoUDP, fmt.Sprintf("10.0.0.4:%d", 1+i), "10.0.0.5:53"))}
			}
			results := make([]Result, batch)
			for i := 0; i < n; i += batch {
				e.ProcessBatch(0, frames[i:min(i+batch, n)], results)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				at := i % (n - batch)
				e.ProcessBatch(0, frames[at:at+batch], results)
			}
		})
	}
}

// BenchmarkFirst prints the cost of a flow's first packet.
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
