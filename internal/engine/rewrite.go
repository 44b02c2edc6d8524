package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Parts of a packet that an edit changes.
const (
	editSrc = 1 << iota
	editDst
	editSrcPort // for ICMP, the identifier
	editDstPort
)

// edit is the rewriting of a packet's addresses and ports, with the differences
// of the checksums computed once (RFC 1624, equation 3).
type edit struct {
	what         uint8
	sport, dport uint16
	addrs, ports uint32 // sums of ~m + m' over the changed words
	src, dst     fabric.Value
}

// newEdit returns the edit that turns the packet of one key into another's.
func newEdit(from, to key) edit {
	e := edit{sport: to.sport(), dport: to.dport(), src: to.src, dst: to.dst}
	v6 := from.v6()
	if from.src != to.src {
		e.what |= editSrc
		e.addrs += valueDiff(from.src, to.src, v6)
	}
	if from.dst != to.dst {
		e.what |= editDst
		e.addrs += valueDiff(from.dst, to.dst, v6)
	}
	if from.sport() != to.sport() {
		e.what |= editSrcPort
		e.ports += wordDiff(from.sport(), to.sport())
	}
	if from.dport() != to.dport() && !from.isICMP() {
		e.what |= editDstPort
		e.ports += wordDiff(from.dport(), to.dport())
	}
	return e
}

func wordDiff(old, new uint16) uint32 { return uint32(^old) + uint32(new) }

func valueDiff(old, new fabric.Value, v6 bool) uint32 {
	var d uint32
	for shift := 0; shift < 32; shift += 16 {
		d += wordDiff(uint16(old.Lo>>shift), uint16(new.Lo>>shift))
	}
	if !v6 {
		return d
	}
	for shift := 32; shift < 64; shift += 16 {
		d += wordDiff(uint16(old.Lo>>shift), uint16(new.Lo>>shift))
	}
	for shift := 0; shift < 64; shift += 16 {
		d += wordDiff(uint16(old.Hi>>shift), uint16(new.Hi>>shift))
	}
	return d
}

// apply rewrites a packet whose transport header starts at l4. Checksums that
// lie beyond the packet's end, as in the packets that ICMP errors quote, are
// skipped. In a partial checksum, the sum of the pseudo-header, only addresses
// count.
func (e *edit) apply(b []byte, l4 int, proto uint8, v6, partial bool) {
	if v6 {
		if e.what&editSrc != 0 {
			put16(b[8:], e.src)
		}
		if e.what&editDst != 0 {
			put16(b[24:], e.dst)
		}
	} else {
		if e.what&editSrc != 0 {
			binary.BigEndian.PutUint32(b[12:], uint32(e.src.Lo))
		}
		if e.what&editDst != 0 {
			binary.BigEndian.PutUint32(b[16:], uint32(e.dst.Lo))
		}
		patch(b[10:], e.addrs)
	}
	t := b[l4:]
	switch proto {
	case fabric.ProtoTCP, fabric.ProtoUDP:
		if e.what&editSrcPort != 0 {
			binary.BigEndian.PutUint16(t, e.sport)
		}
		if e.what&editDstPort != 0 {
			binary.BigEndian.PutUint16(t[2:], e.dport)
		}
		if partial {
			field := 6
			if proto == fabric.ProtoTCP {
				field = 16
			}
			if len(t) >= field+2 {
				add(t[field:], e.addrs)
			}
			return
		}
		if proto == fabric.ProtoTCP {
			if len(t) >= 18 {
				patch(t[16:], e.addrs+e.ports)
			}
			return
		}
		if t[6]|t[7] == 0 && !v6 {
			return // no checksum (RFC 768)
		}
		patch(t[6:], e.addrs+e.ports)
		if t[6]|t[7] == 0 {
			t[6], t[7] = 0xff, 0xff // zero would mean no checksum
		}
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		if e.what&editSrcPort != 0 {
			binary.BigEndian.PutUint16(t[4:], e.sport)
		}
		diff := e.ports
		if v6 {
			diff += e.addrs // the pseudo-header counts (RFC 4443 section 2.3)
		}
		patch(t[2:], diff)
	}
}

// patch updates a checksum field by a difference.
func patch(b []byte, diff uint32) {
	if diff == 0 {
		return
	}
	sum := uint32(^binary.BigEndian.Uint16(b)) + diff
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b, ^uint16(sum))
}

// add updates a sum that is not inverted by a difference.
func add(b []byte, diff uint32) {
	sum := uint32(binary.BigEndian.Uint16(b)) + diff
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b, uint16(sum))
}

func put16(b []byte, v fabric.Value) {
	binary.BigEndian.PutUint64(b, v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
}

// sumWords returns the one's complement sum of the bytes as 16-bit words.
func sumWords(b []byte) uint32 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
		sum = sum&0xffff + sum>>16
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
		sum = sum&0xffff + sum>>16
	}
	return sum
}
