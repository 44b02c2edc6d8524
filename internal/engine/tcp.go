package engine

import (
	"encoding/binary"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// track notes, for a TCP flow that may have to be reset, what its ends expect
// next: a RST counts only if its number is the one the receiver waits for
// (RFC 5961 section 3.2).
func (f *flow) track(dir int, h *header, pkt []byte) {
	t := pkt[h.l4:h.end]
	seq := binary.BigEndian.Uint32(t[4:])
	size := uint32(len(t) - int(t[12]>>4)*4)
	if h.flags&(tcpSYN|tcpFIN) != 0 {
		size++
	}
	w := &f.ends[dir]
	if next := seq + size; !w.sent || int32(next-w.next) > 0 {
		w.next, w.sent = next, true
	}
	if h.flags&tcpACK != 0 {
		w.acked, w.hasAck = binary.BigEndian.Uint32(t[8:]), true
		if dir == forward && f.state&replied != 0 {
			f.state |= established
		}
	}
}

// end is what one end of a TCP flow said last.
type end struct {
	next         uint32 // the number after its last byte
	acked        uint32 // the number it waits for
	sent, hasAck bool
}

// abort sends both ends of a TCP flow a RST.
func (e *Engine) abort(f *flow) {
	for dir := range f.ways {
		w, to := &f.ways[dir], &f.ends[1-dir]
		if w.verdict != fabric.VerdictAllow || w.packets == 0 || w.out < 0 || !to.hasAck {
			continue // nobody who would listen
		}
		e.send(w.out, reset(w.key.edited(&w.edit).packet(), to.acked, to.next, to.sent))
	}
}

// refuse answers a TCP packet of a flow that is forgotten (RFC 9293 section
// 3.10.7.1, a segment for a connection that does not exist).
func (e *Engine) refuse(h *header, pkt []byte) {
	if h.key.proto() != fabric.ProtoTCP || h.flags&tcpRST != 0 || h.frag {
		return
	}
	t := pkt[h.l4:h.end]
	back := h.key.reverse(h.key.at()).packet()
	if h.flags&tcpACK != 0 {
		e.send(h.key.at(), reset(back, binary.BigEndian.Uint32(t[8:]), 0, false))
		return
	}
	size := uint32(len(t) - int(t[12]>>4)*4)
	if h.flags&(tcpSYN|tcpFIN) != 0 {
		size++
	}
	e.send(h.key.at(), reset(back, 0, binary.BigEndian.Uint32(t[4:])+size, true))
}

// reset returns the bytes of a RST segment.
func reset(p fabric.Packet, seq, ack uint32, acks bool) []byte {
	flags := uint8(tcpRST)
	if acks {
		flags |= tcpACK
	} else {
		ack = 0
	}
	b := craft(p, flags, 0, 0, 0)
	l4 := len(b) - 20
	t := b[l4:]
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[14], t[15], t[16], t[17] = 0, 0, 0, 0 // no window
	binary.BigEndian.PutUint16(t[16:], ^uint16(transportSum(b, l4, fabric.ProtoTCP)))
	return b
}

// edited returns the key of a packet after an edit.
func (k key) edited(e *edit) key {
	return key{src: e.src, dst: e.dst, tail: tail(e.sport, e.dport, k.proto(), k.at())}
}
