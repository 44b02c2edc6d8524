package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// redirect hands packets to the targets of the first redirect of a port, from
// one on, that matches them. known says that a reply came to a port its flow
// passed.
func (w *walk) redirect(s state, at site, known bool, from int32) {
	q, _ := at.port()
	list := w.p.img.Ports[q].Inward.Redirects
	for i := from; int(i) < len(list); i++ {
		if w.steps++; w.over() {
			return
		}
		hit, partial, ok := w.match(&s, &list[i].Match)
		if !ok {
			continue
		}
		w.spread(hit, at, i, known)
		// What it does not match goes on to the next, as in a filter.
		for f := range fabric.NumFields {
			if partial&(1<<f) == 0 {
				continue
			}
			d := s.dim(f)
			piece := s
			piece.cube[d] = w.a.subtract(s.cube[d], hit.cube[d])
			s.cube[d] = hit.cube[d]
			w.redirect(piece, at, known, i+1)
		}
		return
	}
	w.end(s, at, fabric.VerdictDeny, fabric.CodeNoRedirect)
}

// spread gives packets to every target that may take them: of a reply to a flow
// that is remembered the one its flow met, else all that are not down.
func (w *walk) spread(s state, at site, i int32, known bool) {
	q, _ := at.port()
	r := &w.p.img.Ports[q].Inward.Redirects[i]
	s = w.passing(s, at)
	if s.reply && !r.Apart {
		if n, ok := w.choices.first(s.chose, q, i); ok {
			w.hand(s, at, i, n, known)
			return
		}
	}
	if !r.Healthy() {
		w.refuse(s, at, fabric.CodeNoTarget, i)
		return
	}
	for n := range r.Targets {
		if r.Targets[n].Down != "" {
			continue
		}
		if w.steps++; w.over() {
			return
		}
		one := s
		c := fabric.Choice{Port: q, Redirect: i, Target: int32(n)}
		if s.reply {
			one.again = w.choices.push(picked{s.again, c})
		} else {
			one.chose = w.choices.push(picked{s.chose, c})
		}
		w.hand(one, at, i, int32(n), known)
	}
}

// hand gives packets to one target of a redirect.
func (w *walk) hand(s state, at site, i, n int32, known bool) {
	q, _ := at.port()
	r := &w.p.img.Ports[q].Inward.Redirects[i]
	t := &r.Targets[n]
	var to tuple
	if t.Addr.IsValid() {
		to[fabric.Dst] = w.a.one(fabric.AddrValue(t.Addr))
	}
	if r.Source.IsValid() {
		to[fabric.Src] = w.a.one(fabric.AddrValue(r.Source))
	}
	where := at
	if t.Port != fabric.None {
		where = siteOf(t.Port)
	}
	give := func(s state) { w.given(s, at, i, t, known) }
	if t.DstPort != 0 {
		if in, ok := w.narrow(s, fabric.Proto, w.ported); ok {
			to := to
			to[fabric.DstPort] = w.a.one(fabric.Num(t.DstPort))
			w.change(in, fabric.StepRedirect, where, to, give)
		}
		var ok bool
		if s, ok = w.without(s, fabric.Proto, w.ported); !ok {
			return
		}
	}
	w.change(s, fabric.StepRedirect, where, to, give)
}

// given is what happens to packets as a target got them.
func (w *walk) given(s state, at site, i int32, t *fabric.Target, known bool) {
	q, _ := at.port()
	r := &w.p.img.Ports[q].Inward.Redirects[i]
	s, ok := w.hairpin(s, at, i)
	if !ok {
		return
	}
	switch {
	case t.Closed:
		w.end(s, siteOf(t.Port), fabric.VerdictDeny, fabric.CodeClosed)
	case t.Port == fabric.None:
		w.leave(s, at, known)
	case r.Floating:
		w.to(s, siteOf(t.Port), taken)
	default:
		w.to(s, siteOf(t.Port), 0)
	}
}

// hairpin drops packets that have one address at both ends now, and returns
// the others.
func (w *walk) hairpin(s state, at site, i int32) (state, bool) {
	src, dst := s.field(fabric.Src), s.field(fabric.Dst)
	both := w.a.intersect(src, dst)
	if both == emptySet {
		return s, true
	}
	// One end has one address: the other either has it or not.
	for _, f := range [2]fabric.Field{fabric.Src, fabric.Dst} {
		if s.fixed(f^1) == emptySet {
			continue
		}
		if in, ok := w.narrow(s, f, s.fixed(f^1)); ok {
			w.refuse(in, at, fabric.CodeHairpin, i)
		}
		return w.without(s, f, s.fixed(f^1))
	}
	switch s.self {
	case noMirror:
		return s, true
	case mirrors:
		w.refuse(s, at, fabric.CodeHairpin, i)
		return s, false
	}
	in := s
	in.self = mirrors
	w.refuse(in, at, fabric.CodeHairpin, i)
	s.self = noMirror
	return s, true
}

// refuse makes a leaf whose reason names a redirect.
func (w *walk) refuse(s state, at site, code fabric.Code, i int32) {
	w.emit(leaf{
		state: s, verdict: fabric.VerdictDeny, code: code, stop: at,
		filter: fabric.None, rule: i, table: fabric.None, route: fabric.None,
	})
}

// service is the way to a platform service by a service endpoint of a segment:
// the source stays private. Services that the image does not hold are part of
// the internet.
func (w *walk) service(s state, at site, segment fabric.SegmentID) {
	if !s.reply {
		s.direct = true
	}
	w.eachPublic(s, at, func(s state, public *fabric.Public) {
		port := public.Port
		switch {
		case public.Unknown:
			w.end(s, at, fabric.VerdictUnknown, fabric.CodePublicUnknown)
		case port == fabric.None || w.p.img.Ports[port].Kind != fabric.PortService:
			w.end(s, at, fabric.VerdictDeny, fabric.CodeNoTranslation)
		default:
			how := manner(0)
			if _, ok := w.p.img.Ports[port].AdmitOf(segment); ok {
				how = admitted
			}
			w.to(s, siteOf(port), how)
		}
	})
}
