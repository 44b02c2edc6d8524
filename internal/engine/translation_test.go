package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// portFW is the forwarder of the translating network, after the ports of pair.
const portFW = portEdge + 1

// How the forwarder of the translating network translates.
type translating struct {
	masquerade bool // it puts its own address in place of sources
	source     bool // and does so where it redirects
}

// image is pair with both families and everything by way of a forwarder at
// 10.0.1.4 and fd00:1::4, which redirects 10.0.1.9 and fd00:1::9 to b's port 8080.
func (x translating) image(t *testing.T) *fabric.Image {
	t.Helper()
	img := pair()
	addr := netip.MustParseAddr
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}
	owns := func(port fabric.PortID, addrs ...netip.Addr) {
		img.Ports[port].Addrs = set(fabric.AddrSet(addrs...))
		for _, a := range addrs {
			img.Spaces[0].Owners = append(img.Spaces[0].Owners, fabric.Owner{Range: fabric.AddrSet(a)[0], Port: port})
		}
	}
	img.Spaces[0].Owners = nil
	img.Ports = append(img.Ports, fabric.Port{
		Name: "fw", Kind: fabric.PortForwarder, Region: fabric.None, Routes: 1,
		Forward: &fabric.Forward{Stateful: true, Private: fabric.AnySet},
	})
	owns(portA, addr("10.0.0.4"), addr("fd00::4"))
	owns(portB, addr("10.0.0.5"), addr("fd00::5"))
	owns(portFW, addr("10.0.1.4"), addr("fd00:1::4"))
	slices.SortFunc(img.Spaces[0].Owners, func(a, b fabric.Owner) int {
		return cmp.Or(cmp.Compare(a.Range.Lo.Hi, b.Range.Lo.Hi), cmp.Compare(a.Range.Lo.Lo, b.Range.Lo.Lo))
	})
	fw := &img.Ports[portFW]
	if x.masquerade {
		fw.Forward.Own, fw.Forward.Private = []netip.Addr{addr("10.0.1.4"), addr("fd00:1::4")}, set(fabric.Set{})
	}
	fw.Inward = &fabric.Inward{Addrs: set(fabric.AddrSet(addr("10.0.1.9"), addr("fd00:1::9")))}
	for _, r := range []struct{ front, own, to string }{{"10.0.1.9", "10.0.1.4", "10.0.0.5"}, {"fd00:1::9", "fd00:1::4", "fd00::5"}} {
		redirect := fabric.Redirect{Name: r.front, Targets: []fabric.Target{{Port: fabric.None, Addr: addr(r.to), DstPort: 8080}}}
		redirect.Match[fabric.Dst] = set(fabric.AddrSet(addr(r.front)))
		if x.source {
			redirect.Source = addr(r.own)
		}
		fw.Inward.Redirects = append(fw.Inward.Redirects, redirect)
	}
	table := func(hop fabric.Hop) fabric.Table {
		return fabric.Table{Routes: []fabric.Route{
			{Prefix: netip.MustParsePrefix("fd00::/16"), Hop: hop}, {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Hop: hop},
		}}
	}
	img.Tables = []fabric.Table{table(fabric.Hop{Kind: fabric.HopPort, Port: portFW}), table(fabric.Hop{Kind: fabric.HopSpace})}
	if err := img.Check(); err != nil {
		t.Fatal(err)
	}
	return img
}

// Every packet arrives as it should with correct checksums, its reply comes
// back as the reverse of what was sent, and so does an ICMP error about it,
// with the packet that was sent inside (RFC 5508).
func TestTranslatedBytes(t *testing.T) {
	const tcp, udp = fabric.ProtoTCP, fabric.ProtoUDP
	for _, tt := range []struct {
		name     string
		how      translating
		proto    uint8
		src, dst string
		arrives  fabric.Packet
	}{
		{"dnat tcp", translating{}, tcp, "10.0.0.4:5000", "10.0.1.9:80", packet(tcp, "10.0.0.4:5000", "10.0.0.5:8080")},
		{"dnat udp", translating{}, udp, "10.0.0.4:5000", "10.0.1.9:80", packet(udp, "10.0.0.4:5000", "10.0.0.5:8080")},
		{"dnat tcp6", translating{}, tcp, "[fd00::4]:5000", "[fd00:1::9]:80", packet(tcp, "[fd00::4]:5000", "[fd00::5]:8080")},
		{"dnat udp6", translating{}, udp, "[fd00::4]:5000", "[fd00:1::9]:80", packet(udp, "[fd00::4]:5000", "[fd00::5]:8080")},
		{"dnat with source", translating{source: true}, tcp, "10.0.0.4:5000", "10.0.1.9:80", packet(tcp, "10.0.1.4:5000", "10.0.0.5:8080")},
		{"dnat with source6", translating{source: true}, udp, "[fd00::4]:5000", "[fd00:1::9]:80", packet(udp, "[fd00:1::4]:5000", "[fd00::5]:8080")},
		{"masquerade tcp", translating{masquerade: true}, tcp, "10.0.0.4:5000", "10.0.0.5:80", packet(tcp, "10.0.1.4:5000", "10.0.0.5:80")},
		{"masquerade udp6", translating{masquerade: true}, udp, "[fd00::4]:5000", "[fd00::5]:80", packet(udp, "[fd00:1::4]:5000", "[fd00::5]:80")},
		{"masquerade icmp", translating{masquerade: true}, fabric.ProtoICMP, "10.0.0.4", "10.0.0.5", packet(fabric.ProtoICMP, "10.0.1.4", "10.0.0.5")},
		{"masquerade icmp6", translating{masquerade: true}, fabric.ProtoICMPv6, "fd00::4", "fd00::5", packet(fabric.ProtoICMPv6, "fd00:1::4", "fd00::5")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(tt.how.image(t), Options{})
			p := packet(tt.proto, tt.src, tt.dst)
			sent := First(p)
			arrives(t, e.Process(0, portA, sent), portB)
			if q := read(t, sent); q != tt.arrives {
				t.Fatalf("arrives as %s, want %s", q, tt.arrives)
			}
			reply := Answer(tt.arrives.Reverse())
			arrives(t, e.Process(1, portB, reply), portA)
			if q := read(t, reply); q != p.Reverse() {
				t.Errorf("the reply to %s arrives as %s", p, q)
			}
			bad := Unreachable(sent)
			arrives(t, e.Process(2, portB, bad), portA)
			if q := read(t, bad); q.Src != p.Dst || q.Dst != p.Src {
				t.Errorf("the error arrives as %s", q)
			}
			var h header
			h.parse(portA, bad)
			if q := read(t, bad[h.l4+8:]); q != p {
				t.Errorf("the error quotes %s, %s was sent", q, p)
			}
		})
	}
}

// A source that several flows share keeps them apart by source port, also
// from the forwarder's own flows and from those of the other way of
// translating.
func TestSharedSourceKeepsFlowsApart(t *testing.T) {
	both := translating{masquerade: true, source: true}
	type send struct {
		at       fabric.PortID
		src, dst string
	}
	own := send{portFW, "10.0.1.4:5000", "10.0.0.5:8080"}
	masqueraded := send{portA, "10.0.0.4:5000", "10.0.0.5:8080"}
	redirected := send{portA, "10.0.0.4:5000", "10.0.1.9:80"}
	for _, tt := range []struct {
		name          string
		first, second send
	}{
		{"own, then masqueraded", own, masqueraded},
		{"own, then redirected", own, redirected},
		{"masqueraded, then redirected", masqueraded, redirected},
		{"redirected, then masqueraded", redirected, masqueraded},
	} {
		for _, proto := range []uint8{fabric.ProtoTCP, fabric.ProtoUDP} {
			t.Run(tt.name+" "+fabric.ProtoName(proto), func(t *testing.T) {
				e := New(both.image(t), Options{})
				var ports []uint16
				for _, s := range []send{tt.first, tt.second} {
					b := First(packet(proto, s.src, s.dst))
					arrives(t, e.Process(0, s.at, b), portB)
					q := read(t, b)
					if q.Src.String() != "10.0.1.4" || q.DstPort != 8080 {
						t.Fatalf("%s to %s arrives as %s", s.src, s.dst, q)
					}
					ports = append(ports, q.SrcPort)
				}
				if ports[0] != 5000 || ports[1] == 5000 || ports[1] < fabric.PoolFirst {
					t.Errorf("source ports %d", ports)
				}
				for i, s := range []send{tt.first, tt.second} {
					reply := Answer(packet(proto, "10.0.0.5:8080", netip.AddrPortFrom(netip.MustParseAddr("10.0.1.4"), ports[i]).String()))
					arrives(t, e.Process(1, portB, reply), s.at)
					if q := read(t, reply); q != packet(proto, s.src, s.dst).Reverse() {
						t.Errorf("the reply to %s arrives as %s", s.src, q)
					}
				}
			})
		}
	}
}
