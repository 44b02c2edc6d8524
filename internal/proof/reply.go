package proof

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// startReply sends back the replies to a box that was delivered. The end took
// the packets, so it may answer from the address they were for.
func (w *walk) startReply(s state, end site) {
	s.reply, s.end, s.endDst = true, end.anyClass(), s.now[fabric.Dst]
	s.now, s.how = s.now.reverse(), 0
	platform := w.a.of(w.p.img.Platform)
	if in, ok := w.narrow(s, fabric.Dst, platform); ok {
		// The flow's source was forged: the platform takes the reply.
		w.end(in, end, fabric.VerdictDeny, fabric.CodeNoSession)
	}
	s, ok := w.without(s, fabric.Dst, platform)
	if !ok {
		return
	}
	q, single := end.port()
	if !single {
		w.answer(s, end)
		return
	}
	rest := []state{s}
	if s.changes != 0 {
		rest = w.undoAt(s, end, 1<<fabric.StepRedirect, func(s state) {
			s.how = kept
			w.answer(s, end)
		})
	}
	own := w.a.of(w.p.img.Ports[q].Addrs)
	for _, s := range rest {
		if out, ok := w.without(s, fabric.Src, own); ok {
			out.how = kept
			w.answer(out, end)
		}
		if in, ok := w.narrow(s, fabric.Src, own); ok {
			w.answer(in, end)
		}
	}
}

// answer lets replies leave the port where their flow ended.
func (w *walk) answer(s state, end site) {
	switch {
	case s.direct && s.mid != 0:
		w.to(s, siteOf(w.paths.list[s.mid].port), 0)
	case s.direct:
		w.to(s, s.from, 0)
	case w.port(end).Kind == fabric.PortEdge:
		w.internet(s, end)
	default:
		// The end has seen the flow: its filters let the reply pass.
		w.route(s, end)
	}
}

// arriveReply lets replies pass the ports that the flow's first packet passed,
// and evaluates the filters of all others.
func (w *walk) arriveReply(s state, at site) {
	q, single := at.port()
	if !single {
		w.land(s, at, true) // back where the flow began
		return
	}
	if w.paths.contains(s.mid, q) {
		w.land(s, at, true)
		return
	}
	for _, c := range [2]condition{w.is(s.from, emptySet, q), w.is(s.end, s.endDst, q)} {
		in, out, hasIn, hasOut := w.split(s, c)
		if hasIn {
			w.land(in, at, true)
		}
		if !hasOut {
			return
		}
		s = out
	}
	w.enter(s, at)
}

// deliverReply ends the way of a reply. It counts only if it came back to where
// the flow began, as the reverse of what was sent.
func (w *walk) deliverReply(s state, at site) {
	home := always
	if q, single := at.port(); single {
		home = w.is(s.from, emptySet, q)
	}
	in, out, hasIn, hasOut := w.split(s, home)
	if hasOut {
		w.end(out, at, fabric.VerdictDeny, fabric.CodeNoSession)
	}
	if !hasIn {
		return
	}
	rest := w.when(in, tuple{}, func(s state) { w.end(s, at, fabric.VerdictAllow, fabric.CodeDelivered) })
	for _, s := range rest {
		w.end(s, at, fabric.VerdictDeny, fabric.CodeNoSession)
	}
}

// when does something with the replies that are the reverse of what their
// flow's first packet was when it had the given values, and returns the others.
func (w *walk) when(s state, was tuple, do func(state)) []state {
	var rest []state
	for f, v := range was {
		in, out, hasIn, hasOut := w.split(s, w.same(fabric.Field(f), v, s.now[f^1]))
		if hasOut {
			rest = append(rest, out)
		}
		if !hasIn {
			return rest
		}
		s = in
	}
	do(s)
	return rest
}

// outbound sends packets to the internet from a port, translated.
func (w *walk) outbound(s state, at site, table fabric.TableID, route int32) {
	if s.how&kept != 0 {
		w.internet(s, at)
		return
	}
	if s.reply && w.changes.has(s.changes, fabric.StepTranslate) {
		if _, single := at.port(); !single {
			// Whether a translation happened at this port is asked port by port.
			w.eachPort(s, at, func(s state, at site) { w.outbound(s, at, table, route) })
			return
		}
		rest := w.undoAt(s, at, 1<<fabric.StepTranslate, func(s state) { w.internet(s, at) })
		for _, s := range rest {
			w.translate(s, at, table, route)
		}
		return
	}
	w.translate(s, at, table, route)
}

// translate gives packets the public source of the port's outbound method.
func (w *walk) translate(s state, at site, table fabric.TableID, route int32) {
	o := w.port(at).Outbound
	public := func(s state, a netip.Addr) {
		w.change(s, fabric.StepTranslate, at, tuple{fabric.Src: w.a.one(fabric.AddrValue(a))}, func(s state) { w.internet(s, at) })
	}
	deny := func(s state) {
		w.emit(leaf{
			state: s, verdict: fabric.VerdictDeny, code: fabric.CodeNoOutbound, stop: at,
			filter: fabric.None, rule: fabric.None, table: table, route: route,
		})
	}
	if o != nil {
		for _, pair := range o.Pairs {
			one := w.a.one(fabric.AddrValue(pair.Private))
			if in, ok := w.narrow(s, fabric.Src, one); ok {
				public(in, pair.Public)
			}
			var ok bool
			if s, ok = w.without(s, fabric.Src, one); !ok {
				return
			}
		}
		for _, a := range o.Barred {
			one := w.a.one(fabric.AddrValue(a))
			if in, ok := w.narrow(s, fabric.Src, one); ok {
				deny(in)
			}
			var ok bool
			if s, ok = w.without(s, fabric.Src, one); !ok {
				return
			}
		}
		var ok bool
		if s, ok = w.byFamily(s, o.Pool, public); !ok {
			return
		}
	}
	deny(s)
}

// byFamily does something with packets and the first address of their source's
// family, and returns those of a family that has none.
func (w *walk) byFamily(s state, addrs []netip.Addr, do func(state, netip.Addr)) (state, bool) {
	four := w.a.intern(fabric.Set{mapped})
	for _, a := range addrs {
		family := four
		if !a.Is4() {
			family = w.a.subtract(allSet, four)
		}
		if in, ok := w.narrow(s, fabric.Src, family); ok {
			do(in, a)
		}
		var ok bool
		if s, ok = w.without(s, fabric.Src, family); !ok {
			return s, false
		}
	}
	return s, true
}

// readdress gives packets that a port forwards inside the network the port's
// own address as their source, where it hides them.
func (w *walk) readdress(s state, at site, then func(state)) {
	f := w.port(at).Forward
	if s.how&forwarded == 0 || len(f.Own) == 0 {
		then(s)
		return
	}
	if s.how&masquerade == 0 {
		private := w.a.of(f.Private)
		if in, ok := w.narrow(s, fabric.Dst, private); ok {
			then(in)
		}
		var ok bool
		if s, ok = w.without(s, fabric.Dst, private); !ok {
			return
		}
	}
	s, ok := w.byFamily(s, f.Own, func(s state, own netip.Addr) {
		w.change(s, fabric.StepMasquerade, at, tuple{fabric.Src: w.a.one(fabric.AddrValue(own))}, then)
	})
	if ok {
		then(s)
	}
}

// change rewrites addresses and ports to the values given, where there are any.
// What it changes on a flow's way out it remembers for the reply; packets that
// have all the values already it leaves alone.
func (w *walk) change(s state, kind fabric.StepKind, at site, to tuple, then func(state)) {
	for f, v := range to {
		if v == emptySet {
			continue
		}
		if out, ok := w.without(s, fabric.Field(f), v); ok {
			w.rewrite(out, kind, at, to, then)
		}
		var ok bool
		if s, ok = w.narrow(s, fabric.Field(f), v); !ok {
			return
		}
	}
	then(s)
}

func (w *walk) rewrite(s state, kind fabric.StepKind, at site, to tuple, then func(state)) {
	if kind == fabric.StepTranslate && !s.reply && s.from.place >= 0 && w.changes.roams(s.changes) {
		// From the second translation on, flows are followed port by port, so
		// that two translations at one port are known as such.
		w.eachPort(s, s.from, func(s state, from site) {
			s.from = from
			s.changes = w.relocate(s.changes, from)
			if at.place >= 0 {
				at = from
			}
			w.rewrite(s, kind, at, to, then)
		})
		return
	}
	was := s.now
	for f, v := range to {
		if v != emptySet {
			s.now[f] = v
		}
	}
	if !s.reply {
		s.changes = w.changes.push(change{s.changes, kind, at, was, s.now})
	}
	then(s)
}

// relocate rewrites the translations that happened where the flow began.
func (w *walk) relocate(id changeID, from site) changeID {
	out := changeID(0)
	for _, c := range w.changes.all(id) {
		if c.at.place >= 0 {
			c.at = from
		}
		c.before = out
		out = w.changes.push(c)
	}
	return out
}

// eachPort takes a box at a layer's site apart, port by port.
func (w *walk) eachPort(s state, at site, do func(state, site)) {
	l := &w.p.layers[at.place]
	arrived := s.now[fabric.Dst]
	if s.reply {
		arrived = s.endDst
	}
	value := s.cube[at.by]
	if at.by == byDst && arrived != emptySet {
		value = arrived
	}
	seen := map[fabric.PortID]bool{}
	for _, r := range w.a.get(value) {
		for i := l.from(r.Lo); i < len(l.owners) && !r.Hi.Less(l.owners[i].Range.Lo); i++ {
			q := l.owners[i].Port
			if seen[q] {
				continue
			}
			seen[q] = true
			if w.steps++; w.over() {
				return
			}
			if in, _, ok, _ := w.split(s, w.is(at, arrived, q)); ok {
				do(in, siteOf(q))
			}
		}
	}
}

// restored are the translations that a forwarder reverses for replies on their
// way through it, by step kind.
const restored = 1<<fabric.StepMasquerade | 1<<fabric.StepRedirect

// undoAt finds the replies that a translation of their flow, of certain kinds
// and at this port, is reversed for, and returns the others.
func (w *walk) undoAt(s state, at site, kinds uint, then func(state)) []state {
	q, _ := at.port()
	todo := []state{s}
	for _, c := range w.changes.all(s.changes) {
		if kinds&(1<<c.kind) == 0 {
			continue
		}
		var rest []state
		for _, s := range todo {
			in, out, hasIn, hasOut := w.split(s, w.is(c.at, emptySet, q))
			if hasOut {
				rest = append(rest, out)
			}
			if hasIn {
				rest = append(rest, w.undo(in, c, then)...)
			}
		}
		todo = rest
	}
	return todo
}

// undo reverses one translation of the flow for the replies that it concerns
// and returns the others.
func (w *walk) undo(s state, c change, then func(state)) []state {
	return w.when(s, c.is, func(s state) {
		s.now = c.was.reverse()
		then(s)
	})
}

// internet is what the internet does with packets: the image's own public
// addresses lead back in, addresses of the edge are delivered, and nothing else
// is routed. last is the port they came from.
func (w *walk) internet(s state, last site) {
	todo := []state{s}
	if s.reply {
		todo = w.undoAny(s)
	}
	for _, s := range todo {
		w.publicIn(s, last)
	}
}

// undoAny sends replies that reverse a translation of their flow back in where
// it happened, and returns the others.
func (w *walk) undoAny(s state) []state {
	todo := []state{s}
	if !w.changes.has(s.changes, fabric.StepTranslate) {
		return todo
	}
	list := slices.DeleteFunc(w.changes.all(s.changes), func(c change) bool { return c.kind != fabric.StepTranslate })
	for _, first := range list {
		for _, c := range list {
			// With several translations all are at single ports.
			if first.at != c.at {
				continue
			}
			var rest []state
			for _, s := range todo {
				rest = append(rest, w.undo(s, c, func(s state) {
					if q, single := first.at.port(); single {
						w.to(s, siteOf(q), 0)
					} else {
						w.to(s, s.from, 0)
					}
				})...)
			}
			todo = rest
		}
	}
	return todo
}

// publicIn routes packets on the internet.
func (w *walk) publicIn(s state, last site) {
	w.eachPublic(s, last, func(s state, public *fabric.Public) {
		switch {
		case public.Unknown:
			w.end(s, last, fabric.VerdictUnknown, fabric.CodePublicUnknown)
		case public.Port == fabric.None:
			w.end(s, last, fabric.VerdictDeny, fabric.CodeNoTranslation)
		case public.Closed:
			w.end(s, siteOf(public.Port), fabric.VerdictDeny, fabric.CodeClosed)
		default:
			at := siteOf(public.Port)
			private := tuple{fabric.Dst: w.a.one(fabric.AddrValue(public.Private))}
			w.change(s, fabric.StepTranslate, at, private, func(s state) { w.to(s, at, 0) })
		}
	})
}

// eachPublic does something with packets for each of the image's own public
// addresses, delivers those for the edge, and drops all others.
func (w *walk) eachPublic(s state, last site, do func(state, *fabric.Public)) {
	img := w.p.img
	for _, r := range w.a.get(w.a.intersect(s.field(fabric.Dst), w.ours())) {
		for v := r.Lo; ; v = v.Next() {
			if w.steps++; w.over() {
				return
			}
			public, _ := img.PublicAt(v.Addr())
			in, _ := w.narrow(s, fabric.Dst, w.a.one(v))
			do(in, public)
			if v == r.Hi {
				break
			}
		}
	}
	s, ok := w.without(s, fabric.Dst, w.ours())
	if !ok {
		return
	}
	if img.Edge == fabric.None {
		w.end(s, last, fabric.VerdictDeny, fabric.CodePrivateAtEdge)
		return
	}
	edge := w.a.of(img.Ports[img.Edge].Addrs)
	if in, ok := w.narrow(s, fabric.Dst, edge); ok {
		w.to(in, siteOf(img.Edge), 0)
	}
	if out, ok := w.without(s, fabric.Dst, edge); ok {
		w.end(out, last, fabric.VerdictDeny, fabric.CodePrivateAtEdge)
	}
}

// ours returns the public addresses of the image.
func (w *walk) ours() setID {
	if w.publics == emptySet && len(w.p.img.Publics) > 0 {
		addrs := make([]netip.Addr, len(w.p.img.Publics))
		for i := range addrs {
			addrs[i] = w.p.img.Publics[i].Addr
		}
		w.publics = w.a.intern(fabric.AddrSet(addrs...))
	}
	return w.publics
}
