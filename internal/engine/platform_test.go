package engine

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
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

// What the platform sends fares at every port of random images as the reference
// says.
func TestPlatformEqualsRef(t *testing.T) {
	verdicts := map[fabric.Verdict]int{}
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 3))
		img := fabrictest.Random(rng)
		e := New(img, Options{})
		for i := range 16 {
			at, p := fabrictest.Packet(rng, img)
			if own := img.Sets[img.Ports[at].Addrs]; len(own) > 0 && rng.IntN(4) > 0 {
				p.Dst = own.Min().Addr()
			}
			p.Src = netip.MustParseAddr("168.63.129.16")
			if !p.Dst.Is4() || p.Proto == fabric.ProtoICMPv6 {
				continue
			}
			if p.HasPorts() {
				p.SrcPort = uint16(50000 + i)
			}
			want := ref.FromPlatform(img, at, p)
			var r [1]Result
			e.ProcessBatch(0, []Frame{{At: at, Platform: true, Packet: First(p)}}, r[:])
			if r[0].Fault != fabric.FaultNone || r[0].Verdict != want.Verdict || r[0].Reason != want.Reason {
				t.Fatalf("seed %d: %s to %s: %s because %s, the reference %s because %s", seed, p, img.Ports[at].Name,
					r[0].Verdict, r[0].Reason.Code, want.Verdict, want.Reason.Code)
			}
			verdicts[want.Verdict]++
		}
	}
	if verdicts[fabric.VerdictAllow] < 100 || verdicts[fabric.VerdictDeny] < 100 {
		t.Errorf("the packets exercise nothing: %v", verdicts)
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
