package dns

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of UDP messages. Answers are kept below what fragments on the internet
// (DNS Flag Day 2020).
const (
	minUDP = 512
	maxUDP = 1232
	maxTCP = 65535
)

// bufferLen is what an answer over UDP needs at most.
const bufferLen = maxUDP

// Request is a message that came, and what is known beside it.
type Request struct {
	Message []byte
	From    netip.Addr
	TCP     bool
	Random  uint64
}

// Outcome is what became of a request, for counters and limits.
type Outcome struct {
	Rcode     uint8 // RFC 1035 section 4.1.1; the low bits of an extended one
	Truncated bool
	Silent    bool // the message was no query: nothing is sent
	// Scope is what the answer is about, for limits on equal answers: the
	// question's name, or its zone for names that do not exist.
	Scope uint64
}

// responder answers one request at a time; its memory is reused.
type responder struct {
	query *query // that is answered
	own   query  // its memory, unless it was read before
	found body   // of the table
}

// Respond answers one request. It is for tests and rare use: a server keeps what
// this makes anew. The answer is in out's memory as far as that suffices.
func (s *Snapshot) Respond(out []byte, r Request) ([]byte, Outcome) {
	var w responder
	return w.respond(s, out, &r)
}

func (w *responder) respond(s *Snapshot, out []byte, r *Request) ([]byte, Outcome) {
	w.query = &w.own
	rcode, ok := w.own.read(r.Message)
	return w.finish(s, out, r, rcode, ok)
}

// finish answers a query that was read.
func (w *responder) finish(s *Snapshot, out []byte, r *Request, rcode int, ok bool) ([]byte, Outcome) {
	q := w.query
	out = out[:0]
	if !ok {
		return out, Outcome{Silent: true}
	}
	if rcode == rcodeSuccess && (q.class != classINET || q.kind == typeAXFR || q.kind == typeIXFR || q.kind == typeOPT) {
		rcode = rcodeRefused // no other class, so no version either, and no transfers
	}
	if rcode != rcodeSuccess {
		return w.fail(out, r, rcode)
	}
	b, scope, about := w.find(s, r)
	if b == nil {
		return w.fail(out, r, rcodeRefused)
	}
	limit := maxTCP
	if !r.TCP {
		limit = min(q.size, maxUDP)
	}
	out = append(out, r.Message[:q.end]...)
	head := out[:headerLen]
	head[2] = 0x80 | r.Message[2]&0x01 // QR, RD as asked
	if b.authoritative {
		head[2] |= 0x04
	}
	head[3] = b.rcode | r.Message[3]&0x10 // CD as asked (RFC 4035 section 3.1.6)
	outcome := Outcome{Rcode: b.rcode, Scope: about}
	extra := 0
	if q.edns {
		extra = w.optLen()
	}
	if q.end+len(b.wire)+extra > limit {
		head[2] |= 0x02
		outcome.Truncated = true
		binary.BigEndian.PutUint64(head[4:], 1<<48)
	} else {
		binary.BigEndian.PutUint64(head[4:], 1<<48|uint64(b.an)<<32|uint64(b.ns)<<16|uint64(b.ar))
		out = append(out, b.wire...)
		if b.apex > 0 {
			binary.BigEndian.PutUint16(out[q.end:], 0xc000|uint16(headerLen+q.len-b.apex))
		}
	}
	if q.edns {
		out = w.appendOPT(out, 0, scope)
	}
	return out, outcome
}

// find returns the body of the answer; nil if no zone has the name. about
// identifies what it is about.
func (w *responder) find(s *Snapshot, r *Request) (b *body, scope uint8, about uint64) {
	q := w.query
	name := q.name[:q.len]
	if about, ok := s.fixed.find(name, q.kind, &w.found); ok {
		return &w.found, 0, about
	}
	n := s.nodes[string(name)]
	exact := n != nil
	if !exact {
		// The closest encloser, and its wildcard (RFC 4592 section 3.3.1).
		at := 0
		for n == nil {
			if name[at] == 0 {
				return nil, 0, 0
			}
			at += 1 + int(name[at])
			n = s.nodes[string(name[at:])]
		}
		switch {
		case n.cut != nil:
		case n.wild != nil:
			n = n.wild
		default:
			return n.zone.noDomain.body, 0, digest(name[at:]) | 1
		}
	}
	about = digest(name) &^ 1
	switch {
	case n.cut == nil:
	case exact && n.signer != nil && q.kind == typeDS:
		return n.signer.body, 0, about
	default:
		return n.cut, 0, about
	}
	a := n.other
	if q.kind == typeANY {
		a = n.any
	} else {
		for i := range n.kinds {
			if n.kinds[i].kind == q.kind {
				a = n.kinds[i].answer
				break
			}
		}
	}
	if a.choose == nil {
		return a.body, 0, about
	}
	client := Client{Addr: r.From, Random: r.Random}
	if q.subnet.bits > 0 {
		client.Addr, client.Bits = q.subnet.addr, q.subnet.bits
	} else {
		client.Bits = uint8(client.Addr.BitLen())
	}
	choice := a.choose(client)
	if uint(choice.Variant) >= uint(len(a.bodies)) {
		return a.body, choice.Scope, about
	}
	return a.bodies[choice.Variant], choice.Scope, about
}

// fail answers with a code alone.
func (w *responder) fail(out []byte, r *Request, rcode int) ([]byte, Outcome) {
	q := w.query
	end := headerLen
	if q.end > headerLen {
		end = q.end
	}
	out = append(out, r.Message[:end]...)
	out[2] = 0x80 | r.Message[2]&0x79
	out[3] = byte(rcode)&0xf | r.Message[3]&0x10
	questions := uint64(0)
	if end > headerLen {
		questions = 1 << 48
	}
	binary.BigEndian.PutUint64(out[4:], questions)
	if q.edns && rcode != rcodeFormatError {
		out = w.appendOPT(out, byte(rcode>>4), 0)
	}
	return out, Outcome{Rcode: uint8(rcode) & 0xf, Scope: uint64(rcode)}
}

func (w *responder) optLen() int {
	n := optLen
	if s := &w.query.subnet; s.given {
		n += 8 + (int(s.bits)+7)/8
	}
	return n
}

// appendOPT adds the OPT record, with the client's subnet if the query has it
// (RFC 7871 section 7.2.1), and counts it.
func (w *responder) appendOPT(out []byte, extended byte, scope uint8) []byte {
	q := w.query
	flags := byte(0)
	if q.dnssec {
		flags = 0x80
	}
	size := w.optLen() - optLen
	out = append(out, 0, 0, typeOPT, maxUDP>>8, maxUDP&0xff, extended, 0, flags, 0, byte(size>>8), byte(size))
	if s := &q.subnet; s.given {
		n := (int(s.bits) + 7) / 8
		out = append(out, 0, optionSubnet, 0, byte(4+n), byte(s.family>>8), byte(s.family), s.bits, scope)
		if s.addr.Is4() {
			a := s.addr.As4()
			out = append(out, a[:n]...)
		} else {
			a := s.addr.As16()
			out = append(out, a[:n]...)
		}
	}
	out[11]++
	if out[11] == 0 { // 256 additional records
		out[10]++
	}
	return out
}

// digest is a hash of bytes (FNV-1a).
func digest(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
