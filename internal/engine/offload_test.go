package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// large is a packet of most of 64 KB that the interface is to cut into segments:
// its checksum is the sum of the pseudo-header (Virtual I/O Device 1.2, section
// 5.1.6.2).
func large(p fabric.Packet, flags uint8) []byte {
	const size = 64_000
	b := append(craft(p, flags, 0, 0, 0), bytes.Repeat([]byte("payload!"), size/8)...)
	field, header := 16, 20
	if p.Proto == fabric.ProtoUDP {
		field, header = 6, 8
	}
	l4 := len(b) - size - header
	if p.Src.Is4() {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^uint16(sumWords(b[:l4])))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	if p.Proto == fabric.ProtoUDP {
		binary.BigEndian.PutUint16(b[l4+4:], uint16(len(b)-l4))
	}
	binary.BigEndian.PutUint16(b[l4+field:], pseudo(b, l4, p.Proto))
	return b
}

// pseudo is the sum of a packet's pseudo-header alone.
func pseudo(b []byte, l4 int, proto uint8) uint16 {
	addrs := b[12:20]
	if b[0]>>4 == 6 {
		addrs = b[8:40]
	}
	sum := sumWords(addrs) + uint32(proto) + uint32(len(b)-l4)
	sum = sum&0xffff + sum>>16
	return uint16(sum&0xffff + sum>>16)
}

// Frames that are cut or summed later pass unsplit: translation changes
// addresses and ports, keeps the sum of the pseudo-header right, and touches
// nothing else.
func TestOffloadedFramesAreTranslated(t *testing.T) {
	for _, proto := range []uint8{fabric.ProtoTCP, fabric.ProtoUDP} {
		for _, tt := range []struct {
			name     string
			how      translating
			src, dst string
			arrives  [2]string
		}{
			{"dnat", translating{}, "10.0.0.4:5000", "10.0.1.9:80", [2]string{"10.0.0.4:5000", "10.0.0.5:8080"}},
			{"dnat, ipv6", translating{}, "[fd00::4]:5000", "[fd00:1::9]:80", [2]string{"[fd00::4]:5000", "[fd00::5]:8080"}},
			{"masquerade", translating{masquerade: true}, "10.0.0.4:5000", "10.0.0.5:80", [2]string{"10.0.1.4:5000", "10.0.0.5:80"}},
			{"masquerade, ipv6", translating{masquerade: true}, "[fd00::4]:5000", "[fd00::5]:80", [2]string{"[fd00:1::4]:5000", "[fd00::5]:80"}},
			{"both, ipv6", translating{source: true}, "[fd00::4]:5000", "[fd00:1::9]:80", [2]string{"[fd00:1::4]:5000", "[fd00::5]:8080"}},
		} {
			t.Run(fmt.Sprintf("%s %s", fabric.ProtoName(proto), tt.name), func(t *testing.T) {
				e := New(tt.how.image(t), Options{})
				p, want := packet(proto, tt.src, tt.dst), packet(proto, tt.arrives[0], tt.arrives[1])
				kind := SegmentTCP
				if proto == fabric.ProtoUDP {
					kind = SegmentUDP
				}
				move := func(at, out fabric.PortID, b []byte, want fabric.Packet) {
					t.Helper()
					before := bytes.Clone(b)
					var r [1]Result
					e.ProcessBatch(0, []Frame{{At: at, Packet: b, Offload: Offload{Partial: true, Segment: 1400, Kind: kind}}}, r[:])
					arrives(t, r[0], out)
					var h header
					if fault := h.parse(0, b); fault != fabric.FaultNone || h.key.packet() != want || h.end != len(before) {
						t.Fatalf("arrives as %s, %d bytes: %s", h.key.packet(), h.end, fault)
					}
					if !h.v6 && sumWords(b[:h.l4]) != 0xffff {
						t.Error("wrong IPv4 header checksum")
					}
					field, size := 16, 20
					if proto == fabric.ProtoUDP {
						field, size = 6, 8
					}
					if got, want := binary.BigEndian.Uint16(b[h.l4+field:]), pseudo(b, h.l4, proto); got != want {
						t.Errorf("sum of the pseudo-header %04x, want %04x", got, want)
					}
					if !bytes.Equal(b[h.l4+size:], before[h.l4+size:]) {
						t.Error("the payload changed")
					}
				}
				arrives(t, e.Process(0, portA, First(p)), portB)
				move(portA, portB, large(p, tcpACK), want)
				move(portB, portA, large(want.Reverse(), tcpACK), p.Reverse())
			})
		}
	}
}

// A super-frame's payload counts for the numbers of a tracked flow.
func TestSuperFrameIsTracked(t *testing.T) {
	web := rule("web", target(portA, ""))
	web.Reset = fabric.ResetIdle
	e := New(balanced(web), Options{})
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	handshake(t, e, p)
	b := large(p, tcpACK)
	binary.BigEndian.PutUint32(b[24:], 1101)
	binary.BigEndian.PutUint32(b[28:], 5301)
	arrives(t, e.Process(6, portC, b), portA)
	for _, f := range advance(e, 2*idleTimeout) {
		if _, _, _, ack := numbers(t, f.Packet); f.At == portC && ack != 1101+64_000 {
			t.Errorf("the client is told %d", ack)
		}
	}
}

// ICMP errors that the platform's devices send: what they say and quote, and
// that there are none about errors.
func TestReports(t *testing.T) {
	for _, tt := range []struct {
		name       string
		proto      uint8
		src, dst   string
		make       func([]byte) []byte
		kind, code uint8
		rest       uint32
		most       int
	}{
		{"fragmentation needed", fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80", func(b []byte) []byte { return TooBig(b, 1400) }, 3, 4, 1400, 576},
		{"packet too big", fabric.ProtoTCP, "[fd00::4]:5000", "[fd00::5]:80", func(b []byte) []byte { return TooBig(b, 1400) }, 2, 0, 1400, 1280},
		{"port unreachable", fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:80", Unreachable, 3, 3, 0, 576},
		{"port unreachable, ipv6", fabric.ProtoUDP, "[fd00::4]:5000", "[fd00::5]:80", Unreachable, 1, 4, 0, 1280},
		{"host unreachable", fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.5:80", HostUnreachable, 3, 1, 0, 576},
		{"address unreachable", fabric.ProtoUDP, "[fd00::4]:5000", "[fd00::5]:80", HostUnreachable, 1, 3, 0, 1280},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := packet(tt.proto, tt.src, tt.dst)
			sent := large(p, tcpACK)
			b := tt.make(sent)
			q := read(t, b) // with its checksum
			var h header
			h.parse(0, b)
			if q.Src != p.Dst || q.Dst != p.Src || b[h.l4] != tt.kind || b[h.l4+1] != tt.code || binary.BigEndian.Uint32(b[h.l4+4:]) != tt.rest {
				t.Errorf("%s type %d code %d rest %d", q, b[h.l4], b[h.l4+1], binary.BigEndian.Uint32(b[h.l4+4:]))
			}
			if len(b) != tt.most || !bytes.HasPrefix(sent, b[h.l4+8:]) {
				t.Errorf("%d bytes, want %d", len(b), tt.most)
			}
			if tt.make(b) != nil {
				t.Error("an error about an error")
			}
			if tt.make([]byte{0x45}) != nil {
				t.Error("an error about what does not parse")
			}
		})
	}
	// It finds its way back through a translation.
	e := New(translating{masquerade: true}.image(t), Options{})
	p := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.5:80")
	b := First(p)
	arrives(t, e.Process(0, portA, b), portB)
	report := TooBig(b, 1400)
	arrives(t, e.Process(0, portB, report), portA)
	var h header
	h.parse(0, report)
	if inner, _, ok := quoted(report[h.l4+8:h.end], false); !ok || inner.packet() != p || read(t, report).Dst != p.Src {
		t.Errorf("the sender reads of %s", inner.packet())
	}
}
