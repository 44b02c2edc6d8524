package engine

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

func tcp(p fabric.Packet, flags uint8) []byte { return craft(p, flags, 0, 0, 0) }

func ping(p fabric.Packet, id uint16) []byte {
	return craft(p, 0, icmpEchoRequest, icmp6EchoRequest, id)
}

func pong(p fabric.Packet, id uint16) []byte {
	return craft(p, 0, icmpEchoReply, icmp6EchoReply, id)
}

func want(t *testing.T, r Result, v fabric.Verdict, code fabric.Code) {
	t.Helper()
	if r.Fault != fabric.FaultNone || r.Verdict != v || r.Reason.Code != code {
		t.Fatalf("%s %s by %s, want %s by %s", r.Fault, r.Verdict, r.Reason.Code, v, code)
	}
}

func arrives(t *testing.T, r Result, out fabric.PortID) {
	t.Helper()
	want(t, r, fabric.VerdictAllow, fabric.CodeDelivered)
	if r.Out != out {
		t.Fatalf("came out at %d, want %d", r.Out, out)
	}
}

// A pool keeps the source port where it is free for the destination (Azure NAT
// Gateway selects another where it is not).
func TestPoolPorts(t *testing.T) {
	img := pair()
	img.Ports[portB].Outbound = img.Ports[portA].Outbound
	for _, tt := range []struct {
		name string
		make func(src string) []byte
		port func(b []byte) uint16
	}{
		{"udp", func(src string) []byte { return First(packet(fabric.ProtoUDP, src+":5000", "198.18.0.1:53")) }, func(b []byte) uint16 { return binary.BigEndian.Uint16(b[20:]) }},
		{"tcp", func(src string) []byte { return First(packet(fabric.ProtoTCP, src+":5000", "198.18.0.1:53")) }, func(b []byte) uint16 { return binary.BigEndian.Uint16(b[20:]) }},
		{"icmp identifier", func(src string) []byte { return ping(packet(fabric.ProtoICMP, src, "198.18.0.1"), 5000) }, func(b []byte) uint16 { return binary.BigEndian.Uint16(b[24:]) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(img, Options{})
			a, b := tt.make("10.0.0.4"), tt.make("10.0.0.5")
			arrives(t, e.Process(0, portA, a), portEdge)
			arrives(t, e.Process(0, portB, b), portEdge)
			if tt.port(a) != 5000 || tt.port(b) == 5000 || tt.port(b) < fabric.PoolFirst {
				t.Errorf("ports %d and %d", tt.port(a), tt.port(b))
			}
			for i, sent := range [][]byte{a, b} {
				p := read(t, sent)
				if p.Src.String() != "203.0.113.1" {
					t.Errorf("source %s", p.Src)
				}
				back := Answer(p.Reverse())
				if p.Proto == fabric.ProtoICMP {
					back = pong(p.Reverse(), tt.port(sent))
				}
				arrives(t, e.Process(0, portEdge, back), fabric.PortID(i))
				if got := read(t, back); got.Dst.As4()[3] != byte(4+i) || got.HasPorts() && got.DstPort != 5000 {
					t.Errorf("the reply reaches %s", got)
				}
				if p.Proto == fabric.ProtoICMP && tt.port(back) != 5000 {
					t.Errorf("the reply has identifier %d", tt.port(back))
				}
			}
		})
	}
}

func TestPoolExhausted(t *testing.T) {
	e := New(pair(), Options{})
	// Two sources would do in life; here the keys of replies are taken by hand.
	p := packet(fabric.ProtoUDP, "203.0.113.1:0", "198.18.0.1:53")
	for port := fabric.PoolFirst; port < 1<<16; port++ {
		p.SrcPort = uint16(port)
		k := key{src: fabric.AddrValue(p.Dst), dst: fabric.AddrValue(p.Src), tail: tail(53, p.SrcPort, p.Proto, portEdge)}
		_, f, ok := e.table.add(k, 0)
		if !ok {
			t.Fatal("table full")
		}
		f.idle = idleTimeout
	}
	b := First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "198.18.0.1:53"))
	if r := e.Process(0, portA, b); r.Fault != fabric.FaultPortsExhausted {
		t.Errorf("%+v", r)
	}
	// Another destination has all its ports, and after the timeout this one too.
	arrives(t, e.Process(0, portA, First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "198.18.0.2:53"))), portEdge)
	arrives(t, e.Process(idleTimeout+time.Second, portA, b), portEdge)
}

func TestTableIsBounded(t *testing.T) {
	e := New(pair(), Options{MaxFlows: 3})
	send := func(now time.Duration, port int) Result {
		return e.Process(now, portA, First(packet(fabric.ProtoUDP, fmt.Sprintf("10.0.0.4:%d", port), "10.0.0.5:53")))
	}
	for port := range 3 {
		arrives(t, send(0, 5000+port), portB)
	}
	if r := send(time.Minute, 5003); r.Fault != fabric.FaultTableFull || r.Verdict != fabric.VerdictDeny {
		t.Errorf("one beyond the limit: %+v", r)
	}
	arrives(t, send(time.Minute, 5000), portB) // established flows go on
	// The two that were silent expire, the third does not.
	for port := range 2 {
		arrives(t, send(idleTimeout+time.Second, 5003+port), portB)
	}
	if r := send(idleTimeout+time.Second, 5009); r.Fault != fabric.FaultTableFull {
		t.Errorf("%+v", r)
	}
	if e.Stats().Flows != 3 || e.Stats().Faults[fabric.FaultTableFull] != 2 {
		t.Errorf("%+v", e.Stats())
	}
}

// Denied packets take no room from others when the table is full.
func TestDeniedNeedsNoRoom(t *testing.T) {
	e := New(pair(), Options{MaxFlows: 1})
	arrives(t, e.Process(0, portA, First(packet(fabric.ProtoUDP, "10.0.0.4:1", "10.0.0.5:53"))), portB)
	want(t, e.Process(0, portA, First(packet(fabric.ProtoUDP, "10.0.0.4:2", "10.0.0.99:53"))), fabric.VerdictDeny, fabric.CodeNoPort)
}

// An NSG change affects new flows only; the established go on (Microsoft,
// Network security groups: existing connections are not interrupted).
func TestSwapKeepsEstablishedFlows(t *testing.T) {
	e := New(pair(), Options{})
	p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80")
	arrives(t, e.Process(0, portA, tcp(p, tcpSYN)), portB)
	img := pair()
	img.Ports[portA].Egress, img.Ports[portB].Ingress, img.Ports[portB].Egress = []fabric.FilterID{1}, []fabric.FilterID{1}, []fabric.FilterID{1}
	e.Swap(img)
	arrives(t, e.Process(1, portB, tcp(p.Reverse(), tcpSYN|tcpACK)), portA)
	arrives(t, e.Process(2, portA, tcp(p, tcpACK)), portB)
	p.SrcPort = 5001
	want(t, e.Process(3, portA, tcp(p, tcpSYN)), fabric.VerdictDeny, fabric.CodeFilterDefault)
	e.Swap(pair())
	arrives(t, e.Process(4, portA, tcp(p, tcpSYN)), portB) // a denied flow has no record
}

func TestSwapReroutes(t *testing.T) {
	e := New(pair(), Options{})
	p := packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:80")
	arrives(t, e.Process(0, portA, First(p)), portB)
	img := pair()
	img.Tables[0].Routes[0].Hop = fabric.Hop{Kind: fabric.HopDrop}
	e.Swap(img)
	want(t, e.Process(1, portA, First(p)), fabric.VerdictDeny, fabric.CodeRouteDrop)
	e.Swap(pair())
	arrives(t, e.Process(2, portA, First(p)), portB)
}

// Ports are recognised by what they are, not by position.
func TestSwapRenumbers(t *testing.T) {
	e := New(pair(), Options{})
	p := packet(fabric.ProtoUDP, "10.0.0.4:5000", "198.18.0.1:53")
	b := First(p)
	arrives(t, e.Process(0, portA, b), portEdge)
	out := read(t, b)
	img := pair()
	// The two hosts change places; nothing else does.
	img.Ports[0], img.Ports[1] = img.Ports[1], img.Ports[0]
	for i := range img.Spaces[0].Owners {
		img.Spaces[0].Owners[i].Port ^= 1
	}
	img.Ports[0].Ingress, img.Ports[1].Ingress = []fabric.FilterID{1}, []fabric.FilterID{1}
	e.Swap(img)
	back := Answer(out.Reverse())
	arrives(t, e.Process(1, portEdge, back), 1)
	if got := read(t, back); got != p.Reverse() {
		t.Errorf("the reply arrives as %s", got)
	}
	// A flow whose port is gone is forgotten.
	img = pair()
	img.Ports[portA].Name = "another"
	e.Swap(img)
	if n := e.Stats().Flows; n != 0 {
		t.Errorf("%d flows of a port that is gone", n)
	}
}

// chain is pair with a stateful forwarder between a and b that drops port 22.
func chain() *fabric.Image {
	img := pair()
	img.Sets = append(img.Sets, fabric.NumSet(22, 22), fabric.AddrSet(netip.MustParseAddr("10.0.1.4")))
	deny := fabric.Rule{Action: fabric.Drop}
	deny.Match[fabric.DstPort] = fabric.SetID(len(img.Sets) - 2)
	img.Filters = append(img.Filters, fabric.Filter{Name: "policy", Stage: fabric.StagePolicy, Rules: []fabric.Rule{deny}, Default: fabric.Pass})
	img.Ports = append(img.Ports, fabric.Port{
		Name: "fw", Kind: fabric.PortForwarder, Region: fabric.None, Addrs: fabric.SetID(len(img.Sets) - 1), Routes: 1,
		Forward: &fabric.Forward{Policy: []fabric.FilterID{2}, Stateful: true},
	})
	img.Tables = append(img.Tables, img.Tables[0])
	img.Tables[0] = fabric.Table{Name: "via", Routes: []fabric.Route{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: portEdge + 1}},
	}}
	return img
}

// Azure Firewall drops established sessions that its policy newly denies.
func TestSwapPolicyDropsSessions(t *testing.T) {
	e := New(chain(), Options{})
	p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80")
	arrives(t, e.Process(0, portA, tcp(p, tcpSYN)), portB)
	arrives(t, e.Process(1, portB, tcp(p.Reverse(), tcpSYN|tcpACK)), portA)
	img := chain()
	img.Filters[2].Rules[0].Match[fabric.DstPort] = fabric.AnySet
	e.Swap(img)
	want(t, e.Process(2, portB, tcp(p.Reverse(), tcpACK)), fabric.VerdictDeny, fabric.CodeRule)
	want(t, e.Process(3, portA, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeRule)
	if e.Hits(2)[0] == 0 {
		t.Error("the rule that dropped the session has no hits")
	}
}

func TestMidStream(t *testing.T) {
	p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80")
	t.Run("a filter takes it for a first packet", func(t *testing.T) {
		arrives(t, New(pair(), Options{}).Process(0, portA, tcp(p, tcpACK)), portB)
	})
	t.Run("a stateful forwarder drops it, then lets a SYN begin", func(t *testing.T) {
		e := New(chain(), Options{})
		want(t, e.Process(0, portA, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoSession)
		arrives(t, e.Process(0, portA, tcp(p, tcpSYN)), portB)
		arrives(t, e.Process(0, portA, tcp(p, tcpACK)), portB)
	})
	t.Run("an echo reply nobody asked for", func(t *testing.T) {
		e := New(chain(), Options{})
		want(t, e.Process(0, portA, pong(packet(fabric.ProtoICMP, "10.0.0.4", "10.0.0.5"), 1)), fabric.VerdictDeny, fabric.CodeNoSession)
	})
}

func TestTCPEnds(t *testing.T) {
	p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80")
	open := func(t *testing.T, img *fabric.Image) *Engine {
		e := New(img, Options{})
		arrives(t, e.Process(0, portA, tcp(p, tcpSYN)), portB)
		arrives(t, e.Process(0, portB, tcp(p.Reverse(), tcpSYN|tcpACK)), portA)
		arrives(t, e.Process(0, portA, tcp(p, tcpACK)), portB)
		return e
	}
	t.Run("idle", func(t *testing.T) {
		e := open(t, chain())
		arrives(t, e.Process(idleTimeout, portA, tcp(p, tcpACK)), portB)
		want(t, e.Process(2*idleTimeout+1, portA, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoSession)
	})
	t.Run("reset", func(t *testing.T) {
		e := open(t, chain())
		arrives(t, e.Process(0, portB, tcp(p.Reverse(), tcpRST)), portA)
		want(t, e.Process(resetTimeout+1, portA, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoSession)
	})
	t.Run("both sides finish", func(t *testing.T) {
		e := open(t, chain())
		arrives(t, e.Process(0, portA, tcp(p, tcpFIN|tcpACK)), portB)
		arrives(t, e.Process(finTimeout+1, portB, tcp(p.Reverse(), tcpFIN|tcpACK)), portA) // half closed lives on
		arrives(t, e.Process(finTimeout+1, portA, tcp(p, tcpACK)), portB)
		want(t, e.Process(2*finTimeout+2, portA, tcp(p, tcpACK)), fabric.VerdictDeny, fabric.CodeNoSession)
	})
	t.Run("a SYN after the end begins anew, and is filtered", func(t *testing.T) {
		e := open(t, pair())
		arrives(t, e.Process(0, portA, tcp(p, tcpRST)), portB)
		img := pair()
		img.Ports[portA].Egress = []fabric.FilterID{1}
		e.Swap(img)
		want(t, e.Process(1, portA, tcp(p, tcpSYN)), fabric.VerdictDeny, fabric.CodeFilterDefault)
	})
}

// ICMP errors follow the flow they speak of, translated, quoted packet
// included (RFC 5508).
func TestICMPErrors(t *testing.T) {
	for _, proto := range []uint8{fabric.ProtoUDP, fabric.ProtoTCP, fabric.ProtoICMP} {
		t.Run(fabric.ProtoName(proto), func(t *testing.T) {
			e := New(pair(), Options{})
			src, dst := "10.0.0.4:5000", "198.18.0.1:53"
			if proto == fabric.ProtoICMP {
				src, dst = "10.0.0.4", "198.18.0.1"
			}
			p := packet(proto, src, dst)
			sent := First(p)
			arrives(t, e.Process(0, portA, sent), portEdge)
			got := Unreachable(sent)
			read(t, got)
			arrives(t, e.Process(0, portEdge, got), portA)
			outer := read(t, got)
			if outer.Src.String() != "198.18.0.1" || outer.Dst.String() != "10.0.0.4" {
				t.Errorf("the error arrives as %s", outer)
			}
			if inner := read(t, got[28:]); inner != p {
				t.Errorf("it quotes %s, the host sent %s", inner, p)
			}
			// A router on the way keeps its own address.
			got = Unreachable(sent)
			router := netip.MustParseAddr("198.18.0.99").As4()
			copy(got[12:], router[:])
			binary.BigEndian.PutUint16(got[10:], 0)
			binary.BigEndian.PutUint16(got[10:], ^uint16(sumWords(got[:20])))
			arrives(t, e.Process(0, portEdge, got), portA)
			if outer := read(t, got); outer.Src.String() != "198.18.0.99" {
				t.Errorf("the router's error comes from %s", outer.Src)
			}
			// An error about a packet nobody sent is an ordinary packet.
			stray := First(packet(fabric.ProtoUDP, "203.0.113.1:9", "198.18.0.1:9"))
			want(t, e.Process(0, portEdge, Unreachable(stray)), fabric.VerdictDeny, fabric.CodeNoTranslation)
		})
	}
}

func TestFaults(t *testing.T) {
	good := First(packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80"))
	with := func(i int, v ...byte) []byte {
		b := append([]byte(nil), good...)
		copy(b[i:], v)
		return b
	}
	mapped := First(fabric.Packet{Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2"), Proto: fabric.ProtoUDP})
	copy(mapped[8:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 4})
	for _, tt := range []struct {
		name string
		at   fabric.PortID
		b    []byte
		want fabric.Fault
	}{
		{"empty", portA, nil, fabric.FaultMalformed},
		{"version", portA, with(0, 0x75), fabric.FaultMalformed},
		{"header length", portA, with(0, 0x44), fabric.FaultMalformed},
		{"longer than it is", portA, with(2, 0xff, 0xff), fabric.FaultMalformed},
		{"cut", portA, good[:39], fabric.FaultMalformed},
		{"TCP header length", portA, with(32, 0x40), fabric.FaultMalformed},
		{"tiny first fragment (RFC 1858)", portA, with(2, 0, 28, 0, 0, 0x20)[:28], fabric.FaultMalformed},
		{"later fragment", portA, with(6, 0, 1), fabric.FaultFragment},
		{"mapped address on the wire", portA, mapped, fabric.FaultMalformed},
		{"no such port", 99, good, fabric.FaultNoPort},
		{"negative port", -1, good, fabric.FaultNoPort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(pair(), Options{})
			r := e.Process(0, tt.at, tt.b)
			if r.Fault != tt.want || r.Verdict != fabric.VerdictDeny || e.Stats().Faults[tt.want] != 1 {
				t.Errorf("%+v, %+v", r, e.Stats())
			}
		})
	}
	arrives(t, New(pair(), Options{}).Process(0, portA, with(6, 0x20, 0)), portB) // the first fragment has ports
	arrives(t, New(pair(), Options{}).Process(0, portA, append(with(0), 0, 0, 0)), portB)
}

func TestBatchIsProcess(t *testing.T) {
	a, b := New(pair(), Options{}), New(pair(), Options{})
	var frames []Frame
	for i := range 300 {
		p := packet(fabric.ProtoUDP, fmt.Sprintf("10.0.0.4:%d", 1000+i%97), "198.18.0.1:53")
		f := Frame{At: portA, Packet: First(p)}
		if i%11 == 0 {
			f.Packet = f.Packet[:7]
		}
		frames = append(frames, f)
	}
	results := make([]Result, len(frames))
	single := make([]Result, len(frames))
	for i, f := range frames {
		single[i] = a.Process(0, f.At, append([]byte(nil), f.Packet...))
	}
	b.ProcessBatch(0, frames, results)
	for i := range results {
		if results[i] != single[i] {
			t.Fatalf("packet %d: %+v in a batch, %+v alone", i, results[i], single[i])
		}
	}
	if a.Stats() != b.Stats() {
		t.Errorf("%+v, %+v", a.Stats(), b.Stats())
	}
}

// Events come when a direction is decided, never per packet.
func TestEvents(t *testing.T) {
	var events []FlowEvent
	e := New(pair(), Options{OnFlow: func(e FlowEvent) { events = append(events, e) }})
	p := packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:53")
	for range 3 {
		e.Process(0, portA, First(p))
		e.Process(0, portB, Answer(p.Reverse()))
	}
	if len(events) != 2 || events[0].Reply || !events[1].Reply || events[0].ID != events[1].ID {
		t.Fatalf("%+v", events)
	}
	f, ok := e.Flow(events[0].ID)
	if !ok || f.Forward.Packets != 3 || f.Reply.Packets != 3 || f.Forward.Packet != p || f.Reply.Packet != p.Reverse() {
		t.Errorf("%+v", f)
	}
	count := 0
	for range e.Flows() {
		count++
	}
	if count != 1 {
		t.Errorf("%d flows", count)
	}
	e.Forget()
	if _, ok := e.Flow(events[0].ID); ok {
		t.Error("a forgotten flow is still there")
	}
}

// A packet of an established flow costs no allocation.
func TestNoAllocations(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
	}{
		{"udp", First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:53"))},
		{"tcp", tcp(packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:53"), tcpACK)},
		{"icmp", ping(packet(fabric.ProtoICMP, "10.0.0.4", "10.0.0.5"), 7)},
		{"translated", First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "198.18.0.1:53"))},
		{"denied", First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.77:53"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(pair(), Options{OnFlow: func(FlowEvent) {}})
			b := make([]byte, len(tt.b))
			frames, results := []Frame{{At: portA, Packet: b}}, make([]Result, 1)
			if n := testing.AllocsPerRun(100, func() {
				copy(b, tt.b)
				e.Process(0, portA, b)
				copy(b, tt.b)
				e.ProcessBatch(0, frames, results)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if e.Stats().Flows != 1 {
				t.Errorf("%d flows", e.Stats().Flows)
			}
		})
	}
}

// FuzzProcess feeds arbitrary bytes: nothing may panic, and a packet with
// correct checksums that is delivered still has them.
func FuzzProcess(f *testing.F) {
	for _, p := range []fabric.Packet{
		packet(fabric.ProtoTCP, "10.0.0.4:5000", "198.18.0.1:80"), packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:53"),
		packet(fabric.ProtoICMP, "10.0.0.4", "198.18.0.1"), packet(fabric.ProtoUDP, "[fd00::4]:1", "[fd00::5]:2"),
		packet(fabric.ProtoICMPv6, "fd00::4", "fd00::5"), packet(fabric.ProtoESP, "10.0.0.4", "10.0.0.5"),
	} {
		f.Add(First(p))
		f.Add(Unreachable(First(p)))
		f.Add(Answer(p.Reverse()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(pair(), Options{})
		e.Process(0, portA, First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "198.18.0.1:53")))
		for at := range fabric.PortID(3) {
			c := append([]byte(nil), b...)
			before := sound(c)
			r := e.Process(1, at, c)
			if r.Verdict == fabric.VerdictAllow && before && !sound(c) {
				t.Fatalf("%x became %x, whose checksums are wrong", b, c)
			}
		}
	})
}

// sound reports whether a packet parses and its checksums are right.
func sound(b []byte) bool {
	var h header
	if h.parse(0, b) != fabric.FaultNone || !h.v6 && sumWords(b[:h.l4]) != 0xffff {
		return false
	}
	switch p := h.key.proto(); p {
	case fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP, fabric.ProtoICMPv6:
		return transportSum(b[:h.end], h.l4, p) == 0xffff
	}
	return true
}
