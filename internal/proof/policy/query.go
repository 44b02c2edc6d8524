package policy

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// ask turns a question into the atoms of each field that it touches. Rules do
// not tell the values of an atom apart, so a question that holds some of them
// meets the same rules as one that holds all.
func (s *Search) ask(q *Box) {
	for f := range fabric.NumFields {
		s.asked[f] = s.p.lines[f].spans(q[f], s.marks, s.asked[f][:0])
	}
	s.box = q
}

// met reports whether a rule matches some packet of the question, real or not.
func (s *Search) met(rule int) bool {
	for f := range fabric.NumFields {
		found := false
		for _, a := range s.asked[f] {
			runs := s.p.of(rule, f)
			if k := part(runs, a.lo); k < len(runs) && runs[k].lo <= a.hi {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// eachStart calls visit with the rectangles of the question that hold real
// packets, until it returns true.
func (s *Search) eachStart(visit func(*Search, rect) bool) bool {
	for i := range s.p.regions {
		if s.startIn(&s.p.regions[i], rect{}, 0, visit) {
			return true
		}
	}
	return false
}

func (s *Search) startIn(reg *region, r rect, f fabric.Field, visit func(*Search, rect) bool) bool {
	if f == fabric.NumFields {
		return visit(s, r)
	}
	a, b := s.asked[f], reg[f]
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].lo, b[j].lo), min(a[i].hi, b[j].hi); lo <= hi {
			if s.startIn(reg, r.with(f, span{lo, hi}), f+1, visit) {
				return true
			}
		}
		if a[i].hi < b[j].hi {
			i++
		} else {
			j++
		}
	}
	return false
}

// shown are values that a witness has where it can: those that people know.
// Otherwise it has the lowest value from floor up, or else the lowest.
type shown struct {
	first []fabric.Value
	floor fabric.Value
}

func number(n ...uint16) []fabric.Value {
	out := make([]fabric.Value, len(n))
	for i := range n {
		out[i] = fabric.Num(n[i])
	}
	return out
}

// preference says what witnesses look like: the first host address of an Azure
// subnet in 10/8, else the lowest address; an ephemeral source port (RFC 6335
// section 6); a well-known destination port; TCP, then UDP, then ICMP.
func preference() [fabric.NumFields]shown {
	addr := func(text string) fabric.Value { return fabric.AddrValue(netip.MustParseAddr(text)) }
	// Address zero is no host's: start above that of IPv4.
	one := addr("0.0.0.1")
	return [fabric.NumFields]shown{
		fabric.Src:     {[]fabric.Value{addr("10.0.0.4"), addr("fd00::4")}, one},
		fabric.Dst:     {[]fabric.Value{addr("10.0.0.5"), addr("fd00::5")}, one},
		fabric.SrcPort: {nil, fabric.Num(49152)},
		fabric.DstPort: {number(443, 22, 5432, 3389, 80, 1433, 53, 8080, 8443), fabric.Num(1)},
		fabric.Proto:   {number(fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP, fabric.ProtoICMPv6), fabric.Num(0)},
	}
}

// witness returns the canonical packet of a rectangle that meets a question.
func (s *Search) witness(r *rect, q *Box) fabric.Packet {
	var v [fabric.NumFields]fabric.Value
	for f := range fabric.NumFields {
		v[f] = s.show(f, r.run(f), q[f])
	}
	return packetOf(v)
}

func packetOf(v [fabric.NumFields]fabric.Value) fabric.Packet {
	return fabric.Packet{
		Src: v[fabric.Src].Addr(), Dst: v[fabric.Dst].Addr(),
		SrcPort: uint16(v[fabric.SrcPort].Lo), DstPort: uint16(v[fabric.DstPort].Lo),
		Proto: uint8(v[fabric.Proto].Lo),
	}
}

func (s *Search) show(f fabric.Field, run span, within fabric.Set) fabric.Value {
	l, want := &s.p.lines[f], &s.shown[f]
	for _, v := range want.first {
		if l.has(run, v) && within.Contains(v) {
			return v
		}
	}
	v, _ := l.lowest(run, within, want.floor)
	return v
}

// showBox returns the canonical packet of a box of real packets.
func showBox(b *Box) fabric.Packet {
	var v [fabric.NumFields]fabric.Value
	for f, want := range preference() {
		v[f] = want.of(b[f])
	}
	return packetOf(v)
}

// of returns the value of a set that is shown.
func (w *shown) of(s fabric.Set) fabric.Value {
	for _, v := range w.first {
		if s.Contains(v) {
			return v
		}
	}
	for _, r := range s {
		if !r.Hi.Less(w.floor) {
			return later(r.Lo, w.floor)
		}
	}
	return s.Min()
}
