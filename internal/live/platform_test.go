package live

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// FuzzPlatform feeds the platform arbitrary datagrams: it must not panic, and
// what it answers is a DNS response to the sender with the query's identifier
// and question (RFC 1035 section 4.1).
func FuzzPlatform(f *testing.F) {
	for _, name := range []string{"db.corp.test.", "store.corp.test.", "example.com.", "."} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX} {
			q := new(dns.Msg).SetQuestion(name, kind)
			b, err := q.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			q.Response = true
			if b, err = q.Pack(); err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	img := testImage()
	ask := fabric.Packet{Src: netip.MustParseAddr("10.1.0.4"), SrcPort: 5353, Dst: resolver.Addr(), DstPort: resolver.Port(), Proto: fabric.ProtoUDP}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > mtu {
			return
		}
		for _, at := range []fabric.PortID{web, edge} { // the edge has no names
			v := (&Network{}).answer(img, at, engine.Datagram(ask, b))
			if v == nil {
				continue
			}
			p, fault := engine.Tuple(v.AsSlice())
			if fault != fabric.FaultNone || p != ask.Reverse() {
				t.Fatalf("the answer to %s is %s (%s)", ask, p, fault)
			}
			payload, ok := engine.Payload(v.AsSlice())
			var q, r dns.Msg
			if !ok || q.Unpack(b) != nil || r.Unpack(payload) != nil {
				t.Fatalf("%x is answered by %x", b, payload)
			}
			if !r.Response || r.Id != q.Id || len(r.Question) != 1 || r.Question[0] != q.Question[0] {
				t.Fatalf("%s is answered by %s", &q, &r)
			}
			v.Release()
		}
	})
}
