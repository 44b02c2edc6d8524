package proof

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// startReply sends back the replies to a box that was delivered.
func (w *walk) startReply(s state, end site) {
	s.reply, s.end, s.endDst = true, end.anyClass(), s.dst
	s.src, s.dst = s.dst, s.src
	platform := w.a.of(w.p.img.Platform)
	if in, ok := w.narrow(s, fabric.Dst, platform); ok {
		// The flow's source was forged: the platform takes the reply.
		w.end(in, end, fabric.VerdictDeny, fabric.CodeNoSession)
	}
	s, ok := w.without(s, fabric.Dst, platform)
	if !ok {
		return
	}
	// The end owns the address it replies from: the source check passes.
	if w.port(end).Kind == fabric.PortEdge {
		w.internet(s, end)
		return
	}
	// The end has seen the flow: its filters let the reply pass.
	w.route(s, end)
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
	w.filter(s, at, fabric.In, 0, 0)
}

// deliverReply ends the way of a reply. It counts only if it came back to where
// the flow began, as the reverse of what was sent.
func (w *walk) deliverReply(s state, at site) {
	home := always
	if q, single := at.port(); single {
		home = w.is(s.from, emptySet, q)
	}
	refuse := func(s state) { w.end(s, at, fabric.VerdictDeny, fabric.CodeNoSession) }
	for _, c := range [3]func(state) condition{
		func(state) condition { return home },
		func(s state) condition { return w.same(fabric.Src, s.dst, emptySet) },
		func(s state) condition { return w.same(fabric.Dst, s.src, emptySet) },
	} {
		in, out, hasIn, hasOut := w.split(s, c(s))
		if hasOut {
			refuse(out)
		}
		if !hasIn {
			return
		}
		s = in
	}
	w.end(s, at, fabric.VerdictAllow, fabric.CodeDelivered)
}

// outbound sends packets to the internet from a port, translated.
func (w *walk) outbound(s state, at site, table fabric.TableID, route int32) {
	if s.reply && s.changes != 0 {
		if _, single := at.port(); !single {
			// Whether a translation happened at this port is asked port by port.
			w.eachPort(s, at, func(s state, at site) { w.outbound(s, at, table, route) })
			return
		}
		rest := w.undoAt(s, at, func(s state) { w.internet(s, at) })
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
	if o != nil {
		for _, pair := range o.Pairs {
			one := w.a.one(fabric.AddrValue(pair.Private))
			if in, ok := w.narrow(s, fabric.Src, one); ok {
				w.readdress(in, at, w.a.one(fabric.AddrValue(pair.Public)))
			}
			var ok bool
			if s, ok = w.without(s, fabric.Src, one); !ok {
				return
			}
		}
		four := w.a.intern(fabric.Set{mapped})
		for _, a := range o.Pool {
			family := four
			if !a.Is4() {
				family = w.a.subtract(allSet, four)
			}
			if in, ok := w.narrow(s, fabric.Src, family); ok {
				w.readdress(in, at, w.a.one(fabric.AddrValue(a)))
			}
			var ok bool
			if s, ok = w.without(s, fabric.Src, family); !ok {
				return
			}
		}
	}
	w.emit(leaf{
		state: s, verdict: fabric.VerdictDeny, code: fabric.CodeNoOutbound, stop: at,
		filter: fabric.None, rule: fabric.None, table: table, route: route,
	})
}

// readdress gives packets a new source and sends them to the internet.
func (w *walk) readdress(s state, at site, public setID) {
	if in, ok := w.narrow(s, fabric.Src, public); ok {
		w.internet(in, at) // already so: nothing is translated
	}
	s, ok := w.without(s, fabric.Src, public)
	if !ok {
		return
	}
	w.change(s, at, public, s.dst, func(s state) { w.internet(s, at) })
}

// change rewrites addresses and, on a flow's way out, remembers it for the
// reply.
func (w *walk) change(s state, at site, src, dst setID, then func(state)) {
	if s.reply {
		s.src, s.dst = src, dst
		then(s)
		return
	}
	if s.changes != 0 && s.from.place >= 0 {
		// From the second translation on, flows are followed port by port, so
		// that two translations at one port are known as such.
		w.eachPort(s, s.from, func(s state, from site) {
			s.from = from
			s.changes = w.relocate(s.changes, from)
			if at.place >= 0 {
				at = from
			}
			w.change(s, at, src, dst, then)
		})
		return
	}
	s.changes = w.changes.push(change{s.changes, at, s.src, s.dst, src, dst})
	s.src, s.dst = src, dst
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
	arrived := s.dst
	if s.reply {
		arrived = s.endDst
	}
	value := s.cube[at.by]
	if at.by == fabric.Dst && arrived != emptySet {
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

// undoAt finds the replies that a translation of their flow at this port is
// reversed for, and returns the others.
func (w *walk) undoAt(s state, at site, then func(state)) []state {
	q, _ := at.port()
	todo := []state{s}
	for _, c := range w.changes.all(s.changes) {
		var rest []state
		for _, s := range todo {
			rest = append(rest, w.undo(s, c, w.is(c.at, emptySet, q), then)...)
		}
		todo = rest
	}
	return todo
}

// undo reverses one translation of the flow for the replies that it concerns
// and returns the others.
func (w *walk) undo(s state, c change, here condition, then func(state)) []state {
	var rest []state
	for _, cond := range [3]func(state) condition{
		func(state) condition { return here },
		func(s state) condition { return w.same(fabric.Src, c.srcNow, s.dst) },
		func(s state) condition { return w.same(fabric.Dst, c.dstNow, s.src) },
	} {
		in, out, hasIn, hasOut := w.split(s, cond(s))
		if hasOut {
			rest = append(rest, out)
		}
		if !hasIn {
			return rest
		}
		s = in
	}
	s.src, s.dst = c.dstBefore, c.srcBefore
	then(s)
	return rest
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
	list := w.changes.all(s.changes)
	todo := []state{s}
	for _, first := range list {
		for _, c := range list {
			// With several translations all are at single ports.
			if first.at != c.at {
				continue
			}
			var rest []state
			for _, s := range todo {
				rest = append(rest, w.undo(s, c, always, func(s state) {
					if q, single := first.at.port(); single {
						w.to(s, siteOf(q))
					} else {
						w.to(s, s.from)
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
	img := w.p.img
	dst := w.a.get(w.a.intersect(s.field(fabric.Dst), w.ours()))
	for i := range img.Publics {
		if dst.IsEmpty() {
			break
		}
		public := &img.Publics[i]
		v := fabric.AddrValue(public.Addr)
		if !dst.Contains(v) {
			continue
		}
		if w.steps++; w.over() {
			return
		}
		one := w.a.one(v)
		in, ok := w.narrow(s, fabric.Dst, one)
		if !ok {
			continue
		}
		switch {
		case public.Unknown:
			w.end(in, last, fabric.VerdictUnknown, fabric.CodePublicUnknown)
		case public.Port == fabric.None:
			w.end(in, last, fabric.VerdictDeny, fabric.CodeNoTranslation)
		default:
			at := siteOf(public.Port)
			w.change(in, at, in.src, w.a.one(fabric.AddrValue(public.Private)), func(s state) { w.to(s, at) })
		}
		if s, ok = w.without(s, fabric.Dst, one); !ok {
			return
		}
		dst = w.a.get(w.a.intersect(s.field(fabric.Dst), w.ours()))
	}
	if img.Edge == fabric.None {
		w.end(s, last, fabric.VerdictDeny, fabric.CodePrivateAtEdge)
		return
	}
	edge := w.a.of(img.Ports[img.Edge].Addrs)
	if in, ok := w.narrow(s, fabric.Dst, edge); ok {
		w.to(in, siteOf(img.Edge))
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
