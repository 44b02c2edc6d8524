package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// outward is pair with a way out for a, and with one for b.
func outward(a, b fabric.Outbound) *fabric.Image {
	img := pair()
	img.Publics = nil
	for i, o := range []fabric.Outbound{a, b} {
		img.Ports[i].Outbound = &o
	}
	for i := range byte(3) {
		img.Publics = append(img.Publics, fabric.Public{Addr: netip.AddrFrom4([4]byte{203, 0, 113, 1 + i}), Port: fabric.None})
	}
	return img
}

func block(last byte, first, count uint16) fabric.PortBlock {
	return fabric.PortBlock{Addr: netip.AddrFrom4([4]byte{203, 0, 113, last}), First: first, Last: first + count - 1}
}

// lent is a way out with blocks of ports.
func lent(blocks ...fabric.PortBlock) fabric.Outbound {
	o := fabric.Outbound{Origin: fabric.Origin{Resource: "/lb", Name: "out"}, What: "load balancer", Ports: blocks}
	for _, b := range blocks {
		o.Pool = append(o.Pool, b.Addr)
	}
	return o
}

// out sends the first packet of a flow and returns its translated source; the
// zero value if it got none.
func out(t *testing.T, e *Engine, now time.Duration, proto uint8, src, dst string) netip.AddrPort {
	t.Helper()
	at := portA
	if src[:8] == "10.0.0.5" {
		at = portB
	}
	b := First(packet(proto, src, dst))
	r := e.Process(now, at, b)
	if r.Fault == fabric.FaultPortsExhausted {
		return netip.AddrPort{}
	}
	arrives(t, r, portEdge)
	q := read(t, b)
	return netip.AddrPortFrom(q.Src, q.SrcPort)
}

func holds(b fabric.PortBlock, a netip.AddrPort) bool {
	return a.Addr() == b.Addr && a.Port() >= b.First && a.Port() <= b.Last
}

// A load balancer's member has a block of ports of its own; exhaustion is the
// member's alone ("Source Network Address Translation (SNAT) for outbound
// connections").
func TestBlocksOfMembers(t *testing.T) {
	own, other := block(1, 1024, 8), block(1, 1032, 8)
	for _, tt := range []struct {
		name  string
		proto uint8
		reuse func(i int) string // destinations that a port serves again
		once  func(i int) string // destinations that need a port each
	}{
		{
			"tcp: a port is free for another address or port", fabric.ProtoTCP,
			func(i int) string { return fmt.Sprintf("198.18.0.%d:%d", 2+i/2, 80+i%2) },
			func(int) string { return "198.18.0.1:80" },
		},
		{
			"udp: a port is free for another address only", fabric.ProtoUDP,
			func(i int) string { return fmt.Sprintf("198.18.0.%d:53", 2+i) },
			func(i int) string { return fmt.Sprintf("198.18.0.1:%d", 53+i) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := lent(own), lent(other)
			a.PerHost, b.PerHost = true, true
			e := New(outward(a, b), Options{})
			seen := map[netip.AddrPort]bool{}
			for i := range 8 {
				got := out(t, e, 0, tt.proto, fmt.Sprintf("10.0.0.4:%d", 5000+i), tt.once(i))
				if seen[got] || !holds(own, got) {
					t.Fatalf("flow %d leaves from %s", i, got)
				}
				seen[got] = true
			}
			for i := range 3 {
				if got := out(t, e, 0, tt.proto, fmt.Sprintf("10.0.0.4:%d", 6000+i), tt.once(8+i)); got.IsValid() {
					t.Fatalf("a ninth flow leaves from %s", got)
				}
			}
			for i := range 8 {
				if got := out(t, e, 0, tt.proto, fmt.Sprintf("10.0.0.4:%d", 7000+i), tt.reuse(i)); !holds(own, got) {
					t.Errorf("another destination leaves from %s", got)
				}
			}
			if got := out(t, e, 0, tt.proto, "10.0.0.5:5000", tt.once(0)); !holds(other, got) {
				t.Errorf("the other member leaves from %s", got)
			}
			if e.Stats().Faults[fabric.FaultPortsExhausted] != 3 {
				t.Errorf("%+v", e.Stats())
			}
			for _, p := range e.Pools() {
				if p.Port == portA && (p.Allocated != 8 || p.Used != 8 || p.Flows != 16 || p.Exhausted != 3 || p.Proto != tt.proto || p.Origin.Resource != "/lb" || p.Origin.Name != "out") {
					t.Errorf("%+v", p)
				}
				if p.Port == portB && (p.Used != 1 || p.Exhausted != 0) {
					t.Errorf("%+v", p)
				}
			}
			if len(e.Pools()) != 2 {
				t.Errorf("%d pools", len(e.Pools()))
			}
			// All ports come back.
			advance(e, time.Hour)
			for _, p := range e.Pools() {
				if p.Used != 0 || p.Flows != 0 {
					t.Errorf("after an hour %+v", p)
				}
			}
		})
	}
}

// Frontends are consumed one after another, and a NAT gateway's addresses are
// shared by everybody.
func TestAddressesInTurn(t *testing.T) {
	first, second := block(1, 1024, 100), block(2, 1024, 100)
	gateway := lent(first, second)
	gateway.Shared = true
	e := New(outward(gateway, gateway), Options{})
	seen := map[netip.AddrPort]bool{}
	for i := range 200 {
		got := out(t, e, 0, fabric.ProtoTCP, fmt.Sprintf("10.0.0.%d:%d", 4+i%2, 5000+i), "198.18.0.1:443")
		if want := []fabric.PortBlock{first, second}[i/100]; seen[got] || !holds(want, got) {
			t.Fatalf("flow %d leaves from %s", i, got)
		}
		seen[got] = true
	}
	if got := out(t, e, 0, fabric.ProtoTCP, "10.0.0.4:9000", "198.18.0.1:443"); got.IsValid() {
		t.Errorf("one more leaves from %s", got)
	}
	if p := e.Pools(); len(p) != 1 || p[0].Port != fabric.None || p[0].Used != 200 || p[0].Allocated != 200 {
		t.Errorf("%+v", p)
	}
	// An answer to a flow of the second address comes back to who began it.
	reply := Answer(packet(fabric.ProtoTCP, "198.18.0.1:443", "203.0.113.2:1024"))
	if r := e.Process(1, portEdge, reply); r.Verdict != fabric.VerdictAllow || r.Out == portEdge {
		t.Errorf("%+v", r)
	}
}

// A NAT gateway's port rests 65 s after FIN, 16 s after RST, 30 s after a
// handshake that nobody answered, and 65 s after UDP fell silent ("Azure NAT
// Gateway resource", timers).
func TestPortsRest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		proto uint8
		end   func(e *Engine, q fabric.Packet) // q is the flow as the server sees it
		rests time.Duration
	}{
		{"fin", fabric.ProtoTCP, func(e *Engine, q fabric.Packet) {
			e.Process(0, portEdge, tcp(q.Reverse(), tcpSYN|tcpACK))
			e.Process(0, portEdge, tcp(q.Reverse(), tcpFIN|tcpACK))
			e.Process(0, portA, tcp(packet(fabric.ProtoTCP, "10.0.0.4:5000", "198.18.0.1:443"), tcpFIN|tcpACK))
		}, 65 * time.Second},
		{"rst", fabric.ProtoTCP, func(e *Engine, q fabric.Packet) {
			e.Process(0, portEdge, tcp(q.Reverse(), tcpRST))
		}, 16 * time.Second},
		{"half open", fabric.ProtoTCP, func(*Engine, fabric.Packet) {}, 30 * time.Second},
		{"established and silent", fabric.ProtoTCP, func(e *Engine, q fabric.Packet) {
			e.Process(0, portEdge, tcp(q.Reverse(), tcpSYN|tcpACK))
		}, 4 * time.Minute},
		{"udp", fabric.ProtoUDP, func(*Engine, fabric.Packet) {}, 4*time.Minute + 65*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gateway := lent(block(1, 1024, 1))
			gateway.Timers = fabric.Timers{HalfOpen: 30 * time.Second, FIN: 65 * time.Second, RST: 16 * time.Second, RestUDP: 65 * time.Second}
			e := New(outward(gateway, gateway), Options{})
			from := out(t, e, 0, tt.proto, "10.0.0.4:5000", "198.18.0.1:443")
			q := packet(tt.proto, from.String(), "198.18.0.1:443")
			tt.end(e, q)
			if got := out(t, e, tt.rests-time.Second, tt.proto, "10.0.0.4:6000", "198.18.0.1:443"); got.IsValid() {
				t.Error("the port is given to another while it rests")
			}
			if got := out(t, e, tt.rests+2*time.Second, tt.proto, "10.0.0.4:6000", "198.18.0.1:443"); got != from {
				t.Errorf("after its rest another flow leaves from %s", got)
			}
		})
	}
}

// A NAT gateway answers a packet of a TCP flow that it forgot with a RST, and
// others drop it in silence.
func TestDeadFlow(t *testing.T) {
	for _, reset := range []fabric.Reset{fabric.ResetNever, fabric.ResetLate} {
		t.Run(reset.String(), func(t *testing.T) {
			gateway := lent(block(1, 1024, 100))
			gateway.Reset = reset
			e := New(outward(gateway, gateway), Options{})
			p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "198.18.0.1:443")
			from := out(t, e, 0, fabric.ProtoTCP, "10.0.0.4:5000", "198.18.0.1:443")
			e.Process(1, portEdge, tcp(packet(fabric.ProtoTCP, "198.18.0.1:443", from.String()), tcpSYN|tcpACK))
			arrives(t, e.Process(2, portA, segment(p, tcpACK, 1001, 5001, 10)), portEdge)
			if out := advance(e, 5*time.Minute); len(out) != 0 {
				t.Error("a reset before anybody sends")
			}
			r := e.Process(5*time.Minute, portA, segment(p, tcpACK, 1011, 5001, 10))
			want(t, r, fabric.VerdictDeny, fabric.CodeNoSession)
			out := advance(e, 5*time.Minute)
			if reset == fabric.ResetNever {
				if len(out) != 0 {
					t.Error("a reset")
				}
				return
			}
			if len(out) != 1 || out[0].At != portA {
				t.Fatalf("%+v", out)
			}
			if q, flags, seq, _ := numbers(t, out[0].Packet); q != p.Reverse() || flags != tcpRST || seq != 5001 {
				t.Errorf("%s flags %x seq %d", q, flags, seq)
			}
			// The client begins anew.
			arrives(t, e.Process(5*time.Minute, portA, First(p)), portEdge)
		})
	}
}

// A secondary configuration has no way out by a load balancer's outbound rule.
func TestBarredAddress(t *testing.T) {
	o := lent(block(1, 1024, 100))
	o.Barred = []netip.Addr{netip.MustParseAddr("10.0.0.4")}
	e := New(outward(o, o), Options{})
	want(t, e.Process(0, portA, First(packet(fabric.ProtoTCP, "10.0.0.4:1", "198.18.0.1:80"))), fabric.VerdictDeny, fabric.CodeNoOutbound)
}

// A swap keeps what flows hold, and a flow whose address is taken away moves.
func TestPoolsAcrossSwap(t *testing.T) {
	both, one := lent(block(1, 1024, 100), block(2, 1024, 100)), lent(block(2, 1024, 100))
	e := New(outward(both, both), Options{})
	p := "10.0.0.4:5000"
	from := out(t, e, 0, fabric.ProtoUDP, p, "198.18.0.1:443")
	e.Swap(outward(both, both))
	if again := out(t, e, 1, fabric.ProtoUDP, p, "198.18.0.1:443"); again != from {
		t.Errorf("moved from %s to %s", from, again)
	}
	e.Swap(outward(one, one))
	if again := out(t, e, 2, fabric.ProtoUDP, p, "198.18.0.1:443"); !holds(one.Ports[0], again) {
		t.Errorf("leaves from %s", again)
	}
	for _, p := range e.Pools() {
		if p.Flows != 1 || p.Used != 1 {
			t.Errorf("%+v", p)
		}
	}
	e.Forget()
	for _, p := range e.Pools() {
		if p.Flows != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// BenchmarkNearlyExhausted prints the cost of a first packet towards a
// destination that holds all but a few ports of its pool.
func BenchmarkNearlyExhausted(b *testing.B) {
	o := fabric.Outbound{Shared: true, Pool: []netip.Addr{netip.MustParseAddr("203.0.113.1")}}
	e := New(outward(o, o), Options{})
	p := packet(fabric.ProtoUDP, "10.0.0.4:0", "198.18.0.1:53")
	for i := range 64500 {
		p.SrcPort = uint16(1024 + i)
		e.Process(0, portA, First(p))
	}
	p.Src = netip.MustParseAddr("10.0.0.5")
	n := uint16(0)
	for b.Loop() {
		n++
		p.SrcPort = n
		r := e.Process(0, portB, First(p))
		if r.Flow != 0 {
			e.forget(0, uint32(r.Flow), EndForgotten)
		}
	}
}
