package engine

import (
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Ports of the balanced network, after those of pair.
const (
	portC = portEdge + 1 + iota
	portLB
)

// own adds an address of the space that a port owns.
func own(img *fabric.Image, port fabric.PortID, a netip.Addr) fabric.SetID {
	img.Sets = append(img.Sets, fabric.AddrSet(a))
	id := fabric.SetID(len(img.Sets) - 1)
	img.Spaces[0].Owners = append(img.Spaces[0].Owners, fabric.Owner{Range: img.Sets[id][0], Port: port})
	return id
}

// target is a at 10.0.0.4 or b at 10.0.0.5, with destination port 8080.
func target(port fabric.PortID, down string) fabric.Target {
	return fabric.Target{Port: port, Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(4 + port)}), DstPort: 8080, Down: down}
}

// rule is a redirect of every packet to 10.0.0.9.
func rule(name string, targets ...fabric.Target) fabric.Redirect {
	return fabric.Redirect{Name: name, Targets: targets}
}

// balanced is pair with a client c at 10.0.0.6 and a balancer at 10.0.0.9.
func balanced(rules ...fabric.Redirect) *fabric.Image {
	img := pair()
	open := []fabric.FilterID{0}
	img.Ports = append(img.Ports,
		fabric.Port{Name: "c", Region: fabric.None, Addrs: own(img, portC, netip.MustParseAddr("10.0.0.6")), Egress: open, Ingress: open},
		fabric.Port{
			Name: "lb", Kind: fabric.PortBalancer, Region: fabric.None, Addrs: own(img, portLB, netip.MustParseAddr("10.0.0.9")),
			Inward: &fabric.Inward{Redirects: rules},
		})
	return img
}

// dst restricts a redirect to one destination port.
func dst(img *fabric.Image, rule int32, port uint16) {
	img.Sets = append(img.Sets, fabric.NumSet(port, port))
	img.Ports[portLB].Inward.Redirects[rule].Match[fabric.DstPort] = fabric.SetID(len(img.Sets) - 1)
}

// What happens to a flow from c that a balancer handed to b when the balancer
// changes (Azure Load Balancer health probes: a member that goes down keeps its
// TCP flows, with all members down too, and loses its UDP flows). After the
// change new flows go to a.
func TestSwapMovesOrKeepsFlows(t *testing.T) {
	a, b := target(portA, ""), target(portB, "")
	downA, downB := target(portA, "probe"), target(portB, "probe")
	other := target(portB, "")
	other.DstPort = 9090
	const tcp, udp = fabric.ProtoTCP, fabric.ProtoUDP
	for _, tt := range []struct {
		name  string
		proto uint8
		after []fabric.Redirect
		out   fabric.PortID // of the next packet; None: denied for want of a target
	}{
		{"no change, tcp", tcp, []fabric.Redirect{rule("web", a, b)}, portB},
		{"no change, udp", udp, []fabric.Redirect{rule("web", a, b)}, portB},
		{"targets in another order", udp, []fabric.Redirect{rule("web", b, a)}, portB},
		{"its target down, tcp", tcp, []fabric.Redirect{rule("web", a, downB)}, portB},
		{"its target down, udp", udp, []fabric.Redirect{rule("web", a, downB)}, portA},
		{"all down, tcp", tcp, []fabric.Redirect{rule("web", downA, downB)}, portB},
		{"all down, udp", udp, []fabric.Redirect{rule("web", downA, downB)}, fabric.None},
		{"its target removed, tcp", tcp, []fabric.Redirect{rule("web", a)}, fabric.None},
		{"its target removed, udp", udp, []fabric.Redirect{rule("web", a)}, portA},
		{"its target has another port", tcp, []fabric.Redirect{rule("web", a, other)}, fabric.None},
		{"the rule has another name", tcp, []fabric.Redirect{rule("api", a)}, portA},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pick := int32(1)
			e := New(balanced(rule("web", a, b)), Options{Choose: func(_, _ fabric.PortID, _ int32, _ fabric.Packet) int32 { return pick }})
			p := packet(tt.proto, "10.0.0.6:5000", "10.0.0.9:80")
			open(t, e, p, portB)
			pick = 0
			e.Swap(balanced(tt.after...))
			next := First(p)
			if tt.proto == tcp {
				next = craft(p, tcpACK, 0, 0, 0)
			}
			r := e.Process(2, portC, next)
			if tt.out == fabric.None {
				if want(t, r, fabric.VerdictDeny, fabric.CodeNoTarget); r.Reason.Port != portLB || r.Reason.Rule != 0 {
					t.Errorf("by redirect %d of port %d", r.Reason.Rule, r.Reason.Port)
				}
				return
			}
			if arrives(t, r, tt.out); read(t, next).Dst != target(tt.out, "").Addr {
				t.Errorf("arrives as %s", read(t, next))
			}
		})
	}
}

// open sends a flow's first packet from c and its reply.
func open(t *testing.T, e *Engine, p fabric.Packet, out fabric.PortID) (final fabric.Packet) {
	t.Helper()
	b := First(p)
	arrives(t, e.Process(0, portC, b), out)
	final = read(t, b)
	reply := Answer(final.Reverse())
	arrives(t, e.Process(1, out, reply), portC)
	if q := read(t, reply); q != p.Reverse() {
		t.Fatalf("the reply to %s arrives as %s", p, q)
	}
	return final
}

// A flow whose target was removed ends both ways, and a SYN begins another.
func TestRemovedTargetEndsTheFlow(t *testing.T) {
	a, b := target(portA, ""), target(portB, "")
	for _, first := range []string{"the client goes on", "the member goes on", "the client begins anew"} {
		t.Run(first, func(t *testing.T) {
			e := New(balanced(rule("web", b)), Options{})
			p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
			final := open(t, e, p, portB)
			e.Swap(balanced(rule("web", a)))
			switch first {
			case "the client goes on":
				want(t, e.Process(2, portC, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoTarget)
				want(t, e.Process(2, portB, tcp(final.Reverse(), tcpACK)), fabric.VerdictDeny, fabric.CodeNoTarget)
			case "the member goes on":
				want(t, e.Process(2, portB, tcp(final.Reverse(), tcpACK)), fabric.VerdictDeny, fabric.CodeNoTarget)
				want(t, e.Process(2, portC, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoTarget)
			}
			open(t, e, p, portA)
			arrives(t, e.Process(3, portC, tcp(p, tcpACK)), portA)
		})
	}
}

// A flow keeps its rule's target when the rules change places, also where both
// rules of a name, or rules without names, lead to the same targets.
func TestSwapReordersRedirects(t *testing.T) {
	a, b := target(portA, ""), target(portB, "")
	pick := int32(0)
	choose := func(_, _ fabric.PortID, _ int32, _ fabric.Packet) int32 { return pick }
	p := packet(fabric.ProtoUDP, "10.0.0.6:5000", "10.0.0.9:80")
	start := func(t *testing.T, names ...string) *Engine {
		img := balanced(rule(names[0], a, b), rule(names[1], a, b))
		dst(img, 0, 80)
		dst(img, 1, 81)
		pick = 1
		e := New(img, Options{Choose: choose})
		open(t, e, p, portB)
		pick = 0
		return e
	}
	t.Run("by name", func(t *testing.T) {
		e := start(t, "web", "api")
		img := balanced(rule("api", a, b), rule("web", a, b))
		dst(img, 0, 81)
		dst(img, 1, 80)
		e.Swap(img)
		arrives(t, e.Process(2, portC, First(p)), portB)
	})
	t.Run("another rule in its place", func(t *testing.T) {
		e := start(t, "web", "api")
		img := balanced(rule("api", a, b), rule("web", a, b))
		dst(img, 0, 80)
		dst(img, 1, 81)
		e.Swap(img)
		arrives(t, e.Process(2, portC, First(p)), portA)
	})
	t.Run("without names, by position", func(t *testing.T) {
		e := start(t, "", "")
		img := balanced(rule("", a, b), rule("", a, b))
		dst(img, 0, 80)
		dst(img, 1, 81)
		e.Swap(img)
		arrives(t, e.Process(2, portC, First(p)), portB)
		img = balanced(rule("", a, b), rule("", a, b))
		dst(img, 0, 81)
		dst(img, 1, 80)
		e.Swap(img)
		arrives(t, e.Process(3, portC, First(p)), portA)
	})
	t.Run("twice in a row", func(t *testing.T) {
		e := start(t, "web", "api")
		for i := range 2 {
			img := balanced(rule("first", a), rule("api", a, b), rule("web", a, b))
			dst(img, 0, 79)
			dst(img, 1, 81)
			dst(img, 2, 80)
			e.Swap(img)
			if i == 1 { // not composed in between
				arrives(t, e.Process(2, portC, First(p)), portB)
			}
		}
	})
}
