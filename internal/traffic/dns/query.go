package dns

import (
	"encoding/binary"
	"net/netip"
)

// Codes of DNS that the wire needs (RFC 1035 section 4.1, RFC 6891, RFC 7871).
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typeHINFO = 13
	typeAAAA  = 28
	typeDNAME = 39
	typeOPT   = 41
	typeDS    = 43
	typeIXFR  = 251
	typeAXFR  = 252
	typeANY   = 255

	classINET = 1

	rcodeSuccess        = 0
	rcodeFormatError    = 1
	rcodeServerFailure  = 2
	rcodeNameError      = 3
	rcodeNotImplemented = 4
	rcodeRefused        = 5
	rcodeBadVersion     = 16

	optionSubnet = 8

	headerLen = 12
	optLen    = 11 // of an OPT record without options
)

// maxName is the longest name on the wire, in bytes (RFC 1035 section 2.3.4).
const maxName = 255

// query is what was asked, as read from the wire.
type query struct {
	kind, class uint16
	opcode      byte
	end         int // of the question, from the message's begin
	name        [maxName]byte
	len         int // of the name

	edns    bool
	version byte
	dnssec  bool // the bit DO, which answers repeat
	size    int  // that the asker takes by UDP
	subnet  subnet
}

// subnet is the option of a client's network (RFC 7871). The zero value is none.
type subnet struct {
	addr   netip.Addr
	bits   uint8
	given  bool
	family uint16
}

// read takes a message apart. ok is false for what is no query at all and gets
// no answer; rcode is then without meaning. A rcode other than success is the
// answer.
func (q *query) read(b []byte) (rcode int, ok bool) {
	q.kind, q.class, q.end, q.len = 0, 0, headerLen, 0
	q.edns, q.version, q.dnssec, q.size, q.subnet = false, 0, false, minUDP, subnet{}
	if len(b) < headerLen || b[2]&0x80 != 0 {
		return 0, false
	}
	q.opcode = b[2] >> 3 & 0xf
	if q.opcode != 0 {
		return rcodeNotImplemented, true
	}
	// One question, no answer.
	if binary.BigEndian.Uint32(b[4:]) != 1<<16 {
		return rcodeFormatError, true
	}
	at, ok := q.readName(b)
	if !ok || at+4 > len(b) {
		q.len = 0
		return rcodeFormatError, true
	}
	q.kind, q.class = binary.BigEndian.Uint16(b[at:]), binary.BigEndian.Uint16(b[at+2:])
	q.end = at + 4
	switch {
	case q.kind == typeIXFR: // with the SOA that the asker has (RFC 1995 section 3)
		return rcodeRefused, true
	case binary.BigEndian.Uint16(b[8:]) != 0: // no authority
		q.end, q.len = headerLen, 0
		return rcodeFormatError, true
	}
	more := int(binary.BigEndian.Uint16(b[10:]))
	if more == 0 {
		return rcodeSuccess, true
	}
	return q.readAdditional(b, more), true
}

// readName reads the name of the question in lower case. Names of questions are
// not compressed: there is nothing before them to point at.
func (q *query) readName(b []byte) (at int, ok bool) {
	at = headerLen
	for {
		if at >= len(b) {
			return 0, false
		}
		n := int(b[at])
		if n > 63 || at+1+n > len(b) || q.len+1+n > maxName {
			return 0, false
		}
		q.name[q.len] = b[at]
		q.len++
		at++
		if n == 0 {
			return at, true
		}
		label := b[at : at+n]
		to := q.name[q.len : q.len+n]
		for i, c := range label {
			to[i] = lower[c]
		}
		q.len += n
		at += n
	}
}

// lower is the lower case of ASCII letters, other bytes as they are (RFC 4343).
var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// readAdditional finds the OPT record; others there (a signature of the
// transaction) are passed over.
func (q *query) readAdditional(b []byte, records int) int {
	at := q.end
	for range records {
		root := at < len(b) && b[at] == 0
		var ok bool
		if at, ok = skipName(b, at); !ok || at+10 > len(b) {
			return rcodeFormatError
		}
		head := b[at : at+10]
		data := int(binary.BigEndian.Uint16(head[8:]))
		at += 10
		if at+data > len(b) {
			return rcodeFormatError
		}
		if binary.BigEndian.Uint16(head) == typeOPT {
			if q.edns || !root {
				return rcodeFormatError // RFC 6891 section 6.1.1: one, of the root
			}
			q.edns = true
			q.size = max(minUDP, int(binary.BigEndian.Uint16(head[2:])))
			q.version = head[5]
			q.dnssec = head[6]&0x80 != 0
			if q.version == 0 && !q.readOptions(b[at:at+data]) {
				return rcodeFormatError
			}
		}
		at += data
	}
	if at != len(b) {
		return rcodeFormatError
	}
	if q.version != 0 {
		return rcodeBadVersion
	}
	return rcodeSuccess
}

// skipName returns the place after a name, which may end with a pointer.
func skipName(b []byte, at int) (int, bool) {
	for at < len(b) {
		switch n := int(b[at]); {
		case n == 0:
			return at + 1, true
		case n >= 0xc0:
			return at + 2, at+2 <= len(b)
		case n > 63:
			return 0, false
		default:
			at += 1 + n
		}
	}
	return 0, false
}

func (q *query) readOptions(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return false
		}
		code, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if 4+n > len(b) {
			return false
		}
		if code == optionSubnet && !q.readSubnet(b[4:4+n]) {
			return false
		}
		b = b[4+n:]
	}
	return true
}

// readSubnet reads a client subnet: as many bytes of the address as the prefix
// needs, the bits after it zero, the scope zero (RFC 7871 sections 6 and 7.1.1).
func (q *query) readSubnet(b []byte) bool {
	if q.subnet.given || len(b) < 4 || b[3] != 0 {
		return false
	}
	family, bits := binary.BigEndian.Uint16(b), b[2]
	if len(b)-4 != (int(bits)+7)/8 {
		return false
	}
	var addr netip.Addr
	switch {
	case family == 1 && bits <= 32:
		var a [4]byte
		copy(a[:], b[4:])
		addr = netip.AddrFrom4(a)
	case family == 2 && bits <= 128:
		var a [16]byte
		copy(a[:], b[4:])
		addr = netip.AddrFrom16(a)
	default:
		return false
	}
	if p, err := addr.Prefix(int(bits)); err != nil || p.Addr() != addr {
		return false
	}
	q.subnet = subnet{addr, bits, true, family}
	return true
}
