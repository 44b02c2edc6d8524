package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// portAt returns the port that a site is for one packet of a box, given as it
// began.
func (w *walk) portAt(s *state, at site, p fabric.Packet) fabric.PortID {
	if q, ok := at.port(); ok {
		return q
	}
	v := p.Field(fabric.Field(at.by))
	if at.by == byDst {
		arrived := s.now[fabric.Dst]
		if s.reply {
			arrived = s.endDst
		}
		if x, ok := w.a.single(arrived); ok {
			v = x
		}
	}
	q, _ := w.p.layers[at.place].at(v)
	return q
}

// reason returns the reason a leaf gives for one of its packets.
func (w *walk) reason(l *leaf, p fabric.Packet) fabric.Reason {
	return fabric.Reason{
		Code: l.code, Port: w.portAt(&l.state, l.stop, p),
		Filter: l.filter, Rule: l.rule, Table: l.table, Route: l.route,
	}
}

// holds reports whether a packet that enters at a port is in a box.
func (w *walk) holds(s *state, from fabric.PortID, p fabric.Packet) bool {
	for f := range fabric.NumFields {
		if !w.a.contains(s.cube[f], p.Field(f)) {
			return false
		}
	}
	if s.self == mirrors && p.Src != p.Dst || s.self == noMirror && p.Src == p.Dst {
		return false
	}
	return w.portAt(s, s.from, p) == from
}

// final returns one of a leaf's packets as it arrived or was stopped.
func (w *walk) final(s *state, p fabric.Packet) fabric.Packet {
	if s.reply {
		p = p.Reverse()
	}
	for f, set := range s.now {
		v, ok := w.a.single(set)
		if !ok {
			continue
		}
		switch fabric.Field(f) {
		case fabric.Src:
			p.Src = v.Addr()
		case fabric.Dst:
			p.Dst = v.Addr()
		case fabric.SrcPort:
			p.SrcPort = uint16(v.Lo)
		default:
			p.DstPort = uint16(v.Lo)
		}
	}
	return p
}
