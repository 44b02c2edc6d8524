package engine

import (
	"encoding/binary"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// quote handles an ICMP error about a packet of a flow: it goes the way of the
// opposite direction, and the packet it quotes is translated back with it
// (RFC 5508 section 4). It reports false if no flow has that packet; the error
// is then a packet like any other.
func (e *Engine) quote(now time.Duration, h *header, pkt []byte, r *Result) bool {
	start := h.l4 + 8
	inner, l4, ok := quoted(pkt[start:h.end], h.v6)
	if !ok {
		return false
	}
	at := h.key.at()
	back := inner.reverse(at)
	f, n, dir := e.table.find(&back, back.hash())
	if f == nil || f.expired(now) || f.state&delivered == 0 || h.key.dst != back.dst {
		return false
	}
	w := &f.ways[dir]
	if w.epoch != e.epoch && !e.compose(now, n, dir, false) {
		return false
	}
	*r = Result{Verdict: w.verdict, Reason: w.reason, Out: w.out, Delay: w.delay, Route: w.route, Flow: id(n, f)}
	port := &e.prog.img.Ports[at]
	deny := func(code fabric.Code, at fabric.PortID) {
		r.Verdict, r.Reason, r.Out = fabric.VerdictDeny, fabric.At(code, at), fabric.None
	}
	switch {
	case w.verdict != fabric.VerdictAllow:
	case port.Forward == nil && !e.prog.img.Sets[port.Addrs].Contains(h.key.src):
		deny(fabric.CodeSourceCheck, at)
	case dir == backward && w.unseen != fabric.None:
		// The reply would have begun a session there; an error cannot.
		deny(fabric.CodeNoSession, w.unseen)
	default:
		e.stats.Delivered++
		if w.edit.what != 0 {
			w.requote(pkt, h, l4)
		}
	}
	return true
}

// requote rewrites an ICMP error and the packet it quotes.
func (w *way) requote(pkt []byte, h *header, l4 int) {
	final := w.key
	final.src, final.dst = w.edit.src, w.edit.dst
	final.tail = tail(w.edit.sport, w.edit.dport, w.key.proto(), w.key.at())

	// Inside: the packet as its sender sent it.
	body := pkt[h.l4+8 : h.end]
	before := sumWords(body)
	at := w.key.at()
	change := newEdit(w.key.reverse(at), final.reverse(at))
	change.apply(body, l4, w.key.proto(), h.v6, false)
	after := sumWords(body)

	// Outside: the sender of the error is the flow's end, unless a device on
	// the way sent it, whose own address stays.
	from, to := h.key, h.key
	if h.key.src == w.key.src {
		to.src = final.src
	}
	to.dst = final.dst
	outer := newEdit(from, to)
	outer.ports = (^before & 0xffff) + after
	outer.apply(pkt[:h.end], h.l4, h.key.proto(), h.v6, false)
}

// quoted reads the start of the packet that an ICMP error quotes; only the
// first eight bytes after its IP header are sure to be there (RFC 792).
func quoted(b []byte, v6 bool) (k key, l4 int, ok bool) {
	var proto uint8
	if v6 {
		if len(b) < 48 || b[0]>>4 != 6 {
			return key{}, 0, false
		}
		k.src = fabric.Value{Hi: binary.BigEndian.Uint64(b[8:]), Lo: binary.BigEndian.Uint64(b[16:])}
		k.dst = fabric.Value{Hi: binary.BigEndian.Uint64(b[24:]), Lo: binary.BigEndian.Uint64(b[32:])}
		proto, l4 = b[6], 40
	} else {
		if len(b) < 28 || b[0]>>4 != 4 {
			return key{}, 0, false
		}
		k.src = value4(binary.BigEndian.Uint32(b[12:]))
		k.dst = value4(binary.BigEndian.Uint32(b[16:]))
		proto, l4 = b[9], int(b[0]&15)*4
		if l4 < 20 || l4+8 > len(b) || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return key{}, 0, false
		}
	}
	t := b[l4:]
	x, y := binary.BigEndian.Uint16(t), binary.BigEndian.Uint16(t[2:])
	switch proto {
	case fabric.ProtoTCP, fabric.ProtoUDP:
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		h := header{v6: v6}
		x, y = h.icmp(t)
		if h.icmpError {
			return key{}, 0, false // no errors about errors (RFC 1122)
		}
	default:
		return key{}, 0, false
	}
	k.tail = tail(x, y, proto, 0)
	return k, l4, true
}
