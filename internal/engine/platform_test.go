package engine

import (
	"encoding/binary"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// What the platform sends by itself meets the port's ingress filters ("Azure
// Load Balancer health probes"); the port cannot forge it.
func TestPlatformSends(t *testing.T) {
	e := New(pair(), Options{})
	send := func(at fabric.PortID, platform bool, b []byte) Result {
		var r [1]Result
		e.ProcessBatch(0, []Frame{{At: at, Platform: platform, Packet: b}}, r[:])
		return r[0]
	}
	probe := packet(fabric.ProtoTCP, "168.63.129.16:60000", "10.0.0.4:443")
	if r := send(portA, false, First(probe)); r.Verdict != fabric.VerdictDeny || r.Reason.Code != fabric.CodeSourceCheck {
		t.Errorf("forged: %s %s", r.Verdict, r.Reason.Code)
	}
	if r := send(portA, true, First(probe)); r.Verdict != fabric.VerdictAllow || r.Out != portA || r.Reason.Code != fabric.CodeDelivered {
		t.Errorf("probe: %s %s to %d", r.Verdict, r.Reason.Code, r.Out)
	}
	if r := send(portA, false, Answer(probe.Reverse())); r.Verdict != fabric.VerdictAllow || r.Reason.Code != fabric.CodePlatform {
		t.Errorf("answer: %s %s", r.Verdict, r.Reason.Code)
	}
	if r := send(portA, false, First(probe)); r.Verdict != fabric.VerdictDeny {
		t.Errorf("forged after the probe: %s %s", r.Verdict, r.Reason.Code)
	}
	other := packet(fabric.ProtoTCP, "168.63.129.16:60000", "10.0.0.5:443")
	if r := send(portA, true, First(other)); r.Verdict != fabric.VerdictDeny {
		t.Errorf("to an address of another port: %s %s", r.Verdict, r.Reason.Code)
	}
	// An answer of the platform belongs to the port's question only if the
	// platform sent it.
	ask := packet(fabric.ProtoUDP, "10.0.0.4:5000", "168.63.129.16:53")
	if r := send(portA, false, First(ask)); r.Reason.Code != fabric.CodePlatform {
		t.Fatalf("question: %s %s", r.Verdict, r.Reason.Code)
	}
	if r := send(portA, false, Answer(ask.Reverse())); r.Verdict != fabric.VerdictDeny {
		t.Errorf("forged answer: %s %s", r.Verdict, r.Reason.Code)
	}
	if r := send(portA, true, Answer(ask.Reverse())); r.Verdict != fabric.VerdictAllow || r.Out != portA {
		t.Errorf("answer to the question: %s %s", r.Verdict, r.Reason.Code)
	}
}

// A partial checksum is the sum of the pseudo-header, so that a translation
// changes it by the addresses alone (Virtual I/O Device 1.2, section 5.1.6.2).
func TestPartialChecksum(t *testing.T) {
	for _, proto := range []uint8{fabric.ProtoTCP, fabric.ProtoUDP} {
		e := New(pair(), Options{})
		p := packet(proto, "10.0.0.4:1024", "198.18.0.1:443")
		b := First(p)
		field := 20 + 6
		if proto == fabric.ProtoTCP {
			field = 20 + 16
		}
		pseudo := func(b []byte) uint16 {
			sum := sumWords(b[12:20]) + uint32(proto) + uint32(len(b)-20)
			sum = sum&0xffff + sum>>16
			return uint16(sum&0xffff + sum>>16)
		}
		binary.BigEndian.PutUint16(b[field:], pseudo(b))
		var r [1]Result
		e.ProcessBatch(0, []Frame{{At: portA, Packet: b, Offload: Offload{Partial: true, Segment: 1448}}}, r[:])
		if r[0].Verdict != fabric.VerdictAllow {
			t.Fatal(r[0].Verdict, r[0].Reason)
		}
		if final, _ := Tuple(b); final.Src == p.Src {
			t.Fatal("nothing was translated")
		}
		if got, want := binary.BigEndian.Uint16(b[field:]), pseudo(b); got != want {
			t.Errorf("protocol %d: partial checksum %#04x, want %#04x", proto, got, want)
		}
	}
}
