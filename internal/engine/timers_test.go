package engine

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// segment is a TCP packet with numbers and a payload of some length.
func segment(p fabric.Packet, flags uint8, seq, ack uint32, size int) []byte {
	b := append(craft(p, flags, 0, 0, 0), make([]byte, size)...)
	l4 := len(b) - size - 20
	if b[0]>>4 == 4 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^uint16(sumWords(b[:l4])))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	t := b[l4:]
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[16], t[17] = 0, 0
	binary.BigEndian.PutUint16(t[16:], ^uint16(transportSum(b, l4, fabric.ProtoTCP)))
	return b
}

// numbers returns the flags and numbers of a TCP packet.
func numbers(t *testing.T, b []byte) (p fabric.Packet, flags uint8, seq, ack uint32) {
	t.Helper()
	p = read(t, b)
	var h header
	h.parse(0, b)
	return p, h.flags, binary.BigEndian.Uint32(b[h.l4+4:]), binary.BigEndian.Uint32(b[h.l4+8:])
}

// advance calls Advance at a time and returns what it emits.
func advance(e *Engine, now time.Duration) (out []Frame) {
	e.Advance(now, func(f Frame) { out = append(out, f) })
	return out
}

// handshake opens a TCP connection from c through the balancer to a.
func handshake(t *testing.T, e *Engine, p fabric.Packet) (there fabric.Packet) {
	t.Helper()
	b := segment(p, tcpSYN, 1000, 0, 0)
	arrives(t, e.Process(0, portC, b), portA)
	there = read(t, b)
	arrives(t, e.Process(1, portA, segment(there.Reverse(), tcpSYN|tcpACK, 5000, 1001, 0)), portC)
	arrives(t, e.Process(2, portC, segment(p, tcpACK, 1001, 5001, 0)), portA)
	arrives(t, e.Process(3, portC, segment(p, tcpACK, 1001, 5001, 100)), portA)
	arrives(t, e.Process(4, portA, segment(there.Reverse(), tcpACK, 5001, 1101, 300)), portC)
	arrives(t, e.Process(5, portC, segment(p, tcpACK, 1101, 5301, 0)), portA)
	return there
}

// enableTcpReset: both ends of an established TCP flow get a RST that their
// stacks accept, at the rule's idle timeout ("Load Balancer TCP Reset and Idle
// Timeout").
func TestResetOnIdle(t *testing.T) {
	web := rule("web", target(portA, ""))
	web.Reset, web.Timers.Idle = fabric.ResetIdle, 10*time.Minute
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	t.Run("established", func(t *testing.T) {
		e := New(balanced(web), Options{})
		there := handshake(t, e, p)
		if out := advance(e, 10*time.Minute); len(out) != 0 {
			t.Fatalf("%d packets before the timeout", len(out))
		}
		out := advance(e, 10*time.Minute+2*time.Second)
		if len(out) != 2 {
			t.Fatalf("%d packets, want a RST each way", len(out))
		}
		slices.SortFunc(out, func(a, b Frame) int { return int(a.At - b.At) })
		q, flags, seq, ack := numbers(t, out[0].Packet)
		if out[0].At != portA || q != there || flags != tcpRST|tcpACK || seq != 1101 || ack != 5301 {
			t.Errorf("to the member at %d: %s flags %x seq %d ack %d", out[0].At, q, flags, seq, ack)
		}
		q, flags, seq, ack = numbers(t, out[1].Packet)
		if out[1].At != portC || q != p.Reverse() || flags != tcpRST|tcpACK || seq != 5301 || ack != 1101 {
			t.Errorf("to the client at %d: %s flags %x seq %d ack %d", out[1].At, q, flags, seq, ack)
		}
		if e.Stats().Flows != 0 {
			t.Error("the flow is still there")
		}
	})
	t.Run("kept alive", func(t *testing.T) {
		e := New(balanced(web), Options{})
		handshake(t, e, p)
		for at := time.Duration(0); at < time.Hour; at += 9 * time.Minute {
			if out := advance(e, at); len(out) != 0 {
				t.Fatal("reset although it is not idle")
			}
			arrives(t, e.Process(at, portC, segment(p, tcpACK, 1101, 5301, 0)), portA)
		}
	})
	t.Run("half open", func(t *testing.T) {
		e := New(balanced(web), Options{})
		arrives(t, e.Process(0, portC, segment(p, tcpSYN, 1000, 0, 0)), portA)
		if out := advance(e, time.Hour); len(out) != 0 || e.Stats().Flows != 0 {
			t.Errorf("%d packets, %d flows", len(out), e.Stats().Flows)
		}
	})
	t.Run("not enabled", func(t *testing.T) {
		silent := web
		silent.Reset = fabric.ResetNever
		e := New(balanced(silent), Options{})
		handshake(t, e, p)
		if out := advance(e, time.Hour); len(out) != 0 {
			t.Errorf("%d packets", len(out))
		}
	})
}

// A flow's idle timeout is that of the rule on its way; UDP has 4 minutes
// whatever the rule says.
func TestIdleTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		proto uint8
		idle  time.Duration
		after time.Duration
		lives bool
	}{
		{"tcp, default, 4 min", fabric.ProtoTCP, 0, 4 * time.Minute, true},
		{"tcp, default, later", fabric.ProtoTCP, 0, 4*time.Minute + time.Second, false},
		{"tcp, 30 min", fabric.ProtoTCP, 30 * time.Minute, 29 * time.Minute, true},
		{"tcp, 30 min, later", fabric.ProtoTCP, 30 * time.Minute, 31 * time.Minute, false},
		{"udp, 30 min", fabric.ProtoUDP, 30 * time.Minute, 5 * time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			web := rule("web", target(portA, ""))
			web.Timers.Idle = tt.idle
			var ends []FlowEnd
			e := New(balanced(web), Options{OnClose: func(x FlowEnd) { ends = append(ends, x) }})
			p := packet(tt.proto, "10.0.0.6:5000", "10.0.0.9:80")
			if tt.proto == fabric.ProtoTCP {
				handshake(t, e, p)
			} else {
				open(t, e, p, portA)
			}
			next := e.Advance(tt.after, func(Frame) {})
			if lives := e.Stats().Flows == 1; lives != tt.lives && tt.after%time.Minute == 0 {
				t.Errorf("lives: %v", lives)
			}
			r := e.Process(tt.after, portC, First(p))
			arrives(t, r, portA)
			if (len(ends) == 0) != tt.lives {
				t.Errorf("%d ends", len(ends))
			}
			if tt.lives && (next <= tt.after || next > tt.after+10*time.Minute) {
				t.Errorf("at %s it wants to be called at %s", tt.after, next)
			}
		})
	}
}

// What the ends of flows tell.
func TestEnds(t *testing.T) {
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	for _, tt := range []struct {
		name    string
		do      func(e *Engine, there fabric.Packet)
		at      time.Duration // when it is told
		why     End
		packets [2]uint64 // forward, reply
	}{
		{"both close", func(e *Engine, there fabric.Packet) {
			e.Process(10, portC, segment(p, tcpFIN|tcpACK, 1101, 5301, 0))
			e.Process(11, portA, segment(there.Reverse(), tcpFIN|tcpACK, 5301, 1102, 0))
			e.Process(12, portC, segment(p, tcpACK, 1102, 5302, 0))
		}, 3 * time.Second, EndFIN, [2]uint64{6, 3}},
		{"reset", func(e *Engine, there fabric.Packet) {
			e.Process(10, portA, segment(there.Reverse(), tcpRST, 5301, 0, 0))
		}, 3 * time.Second, EndReset, [2]uint64{4, 3}},
		{"silent", func(*Engine, fabric.Packet) {}, 4*time.Minute + 2*time.Second, EndIdle, [2]uint64{4, 2}},
		{"forgotten", func(e *Engine, _ fabric.Packet) { e.Forget() }, 0, EndForgotten, [2]uint64{4, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var begun []FlowEvent
			var ends []FlowEnd
			e := New(balanced(rule("web", target(portA, ""))), Options{
				OnFlow:  func(x FlowEvent) { begun = append(begun, x) },
				OnClose: func(x FlowEnd) { ends = append(ends, x) },
			})
			tt.do(e, handshake(t, e, p))
			if tt.at > 0 {
				if advance(e, tt.at-2*time.Second); len(ends) != 0 {
					t.Fatal("told too early")
				}
				advance(e, tt.at)
			}
			advance(e, tt.at+time.Hour)
			if len(ends) != 1 || len(begun) != 2 || begun[0].ID != ends[0].Flow.ID {
				t.Fatalf("%d begin, %d end", len(begun), len(ends))
			}
			f := ends[0].Flow
			if ends[0].Why != tt.why || [2]uint64{f.Forward.Packets, f.Reply.Packets} != tt.packets {
				t.Errorf("%s with %d and %d packets", ends[0].Why, f.Forward.Packets, f.Reply.Packets)
			}
			if len(f.Choices) != 1 || f.Choices[0].Port != portLB {
				t.Errorf("choices %v", f.Choices)
			}
			if e.Stats().Flows != 0 || e.Stats().Ended[tt.why] != 1 {
				t.Errorf("%+v", e.Stats())
			}
		})
	}
	t.Run("denied", func(t *testing.T) {
		var ends []FlowEnd
		e := New(pair(), Options{OnClose: func(x FlowEnd) { ends = append(ends, x) }})
		for range 5 {
			want(t, e.Process(0, portA, First(packet(fabric.ProtoTCP, "10.0.0.4:1", "10.0.0.99:80"))), fabric.VerdictDeny, fabric.CodeNoPort)
		}
		advance(e, time.Minute)
		if len(ends) != 1 || ends[0].Flow.Forward.Packets != 5 || ends[0].Flow.Forward.Verdict != fabric.VerdictDeny {
			t.Errorf("%+v", ends)
		}
	})
}

// A closed flow's record stays for the FIN or RST timer, and a SYN of the same
// ports begins another flow at once.
func TestClosedFlowsRest(t *testing.T) {
	var ends []FlowEnd
	e := New(balanced(rule("web", target(portA, ""))), Options{OnClose: func(x FlowEnd) { ends = append(ends, x) }})
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	there := handshake(t, e, p)
	e.Process(10, portA, segment(there.Reverse(), tcpRST, 5301, 0, 0))
	if advance(e, 15*time.Second); e.Stats().Flows != 1 {
		t.Error("the record is gone within 16 s")
	}
	arrives(t, e.Process(15*time.Second, portC, segment(p, tcpSYN, 9000, 0, 0)), portA)
	if len(ends) != 1 || ends[0].Why != EndReset {
		t.Errorf("%+v", ends)
	}
}

// Per-rule counters hold all that the flows of a rule carried, both ways, of
// living and ended flows.
func TestRuleCounts(t *testing.T) {
	e := New(balanced(rule("web", target(portA, ""))), Options{})
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	handshake(t, e, p)
	want := RuleCount{Flows: 2, Packets: 6, Bytes: 6*40 + 400} // leaving c and entering a
	if got := e.Rules(0); len(got) != 1 || got[0] != want {
		t.Errorf("while it lives %+v, want %+v", got, want)
	}
	advance(e, time.Hour)
	if got := e.Rules(0); got[0] != want {
		t.Errorf("after its end %+v, want %+v", got, want)
	}
	if got := e.Rules(1); got[0] != (RuleCount{}) {
		t.Errorf("of a filter that nothing met %+v", got)
	}
}
