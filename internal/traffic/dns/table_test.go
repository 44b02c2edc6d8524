package dns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	mdns "github.com/miekg/dns"
)

// questionOn is a query for a name on the wire.
func questionOn(name string, kind uint16) []byte {
	q := make([]byte, headerLen, 64)
	q[5] = 1
	q = append(q, name...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(q, kind), classINET)
}

// The table answers as the nodes do that it is made of, byte for byte, and no other
// names or types.
func TestTable(t *testing.T) {
	z := Zone{Name: "example.net"}
	text := []string{"example.net. 60 IN SOA ns.example.net. h.example.net. 1 2 3 4 5", "*.wild.example.net. 60 IN A 192.0.2.9", "cut.example.net. 60 IN NS ns.example.org."}
	for i := range 3000 { // names of many lengths, so that entries lie across lines
		text = append(text, fmt.Sprintf("h%d%0*d.example.net. 60 IN A 192.0.2.%d", i, i%40+1, i, i%250), fmt.Sprintf("h%d%0*d.example.net. 60 IN TXT %q", i, i%40+1, i, fmt.Sprint("text of ", i)))
	}
	for _, line := range text {
		rr, err := mdns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		z.Records = append(z.Records, rr)
	}
	example := example(t)
	many, err := Compile(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Snapshot{example, many} {
		nodes := *s
		nodes.fixed = newTable(nil)
		found := 0
		for name := range s.nodes {
			for _, kind := range []uint16{typeA, typeAAAA, typeNS, typeSOA, typeCNAME, mdns.TypeTXT, mdns.TypeMX, typeANY} {
				var b body
				if _, ok := s.fixed.find([]byte(name), kind, &b); ok {
					found++
				}
				for _, asked := range []string{name, "\x01x" + name} {
					if len(asked) > maxName {
						continue
					}
					r := Request{Message: questionOn(asked, kind), From: asker}
					got, outcome := s.Respond(nil, r)
					want, expected := nodes.Respond(nil, r)
					if !bytes.Equal(got, want) || outcome.Rcode != expected.Rcode || outcome.Truncated != expected.Truncated {
						t.Fatalf("%q %d: %x\nwant %x", asked, kind, got, want)
					}
				}
			}
		}
		if found == 0 {
			t.Error("nothing was found in the table")
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		var b body
		many.fixed.find([]byte("\x02no\x07example\x03net\x00"), typeA, &b)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// An answer takes the place of its query: whoever serves a socket has one memory for
// both.
func TestAnswersInPlace(t *testing.T) {
	s := example(t)
	for name := range s.nodes {
		for _, kind := range []uint16{typeA, typeSOA, mdns.TypeMX, typeAXFR} {
			for _, extra := range [][]byte{nil, {0, 0, typeOPT, 4, 208, 0, 0, 0x80, 0, 0, 0}} {
				q := append(questionOn(name, kind), extra...)
				if extra != nil {
					q[11] = 1
				}
				want, _ := s.Respond(nil, Request{Message: bytes.Clone(q), From: asker})
				buffer := make([]byte, 1472)
				copy(buffer, q)
				var w responder
				got, _ := w.respond(s, buffer[:0], &Request{Message: buffer[:len(q)], From: asker})
				if !bytes.Equal(got, want) || len(got) > 0 && &got[0] != &buffer[0] {
					t.Fatalf("%q %d: %x\nwant %x", name, kind, got, want)
				}
			}
		}
	}
}
