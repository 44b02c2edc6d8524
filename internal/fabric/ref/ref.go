package ref

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Connect follows the first packet of a new flow from a port and, if it is
// delivered, the reply back.
func Connect(img *fabric.Image, from fabric.PortID, p fabric.Packet) fabric.Connection {
	c := fabric.Connection{Forward: Trace(img, from, p)}
	if c.Forward.Verdict == fabric.VerdictAllow {
		c.Reply = Reply(img, &c.Forward)
	}
	return c
}

// Trace follows the first packet of a new flow from a port.
func Trace(img *fabric.Image, from fabric.PortID, p fabric.Packet) fabric.Trace {
	w := &walk{img: img, p: p, t: fabric.Trace{From: from, Packet: p}}
	w.start(from)
	w.t.Final = w.p
	return w.t
}

// Reply follows the reply to a delivered packet, with the flow established.
func Reply(img *fabric.Image, forward *fabric.Trace) fabric.Trace {
	p := forward.Final.Reverse()
	w := &walk{img: img, p: p, flow: forward, t: fabric.Trace{From: forward.End(), Packet: p}}
	if forward.Reason.Code == fabric.CodePlatform {
		// The platform answers past every filter and route.
		w.enter(forward.From)
		w.deliver(forward.From)
	} else {
		w.start(forward.End())
	}
	w.t.Final = w.p
	return w.t
}

// walk is one packet on its way. flow is nil for the first packet of a flow,
// else the trace of that first packet.
type walk struct {
	img  *fabric.Image
	p    fabric.Packet
	flow *fabric.Trace
	t    fabric.Trace
}

// start is step 1 and 2: the packet enters the network at its port.
func (w *walk) start(at fabric.PortID) {
	port := &w.img.Ports[at]
	w.enter(at)
	if w.contains(w.img.Platform, w.p.Dst) {
		if w.flow != nil {
			// The flow's source was forged: the platform takes the reply.
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
			return
		}
		w.end(fabric.VerdictAllow, fabric.At(fabric.CodePlatform, at))
		return
	}
	if port.Forward == nil && !w.contains(port.Addrs, w.p.Src) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeSourceCheck, at))
		return
	}
	if port.Kind == fabric.PortEdge {
		w.internet()
		return
	}
	w.leave(at)
}

// leave is steps 3 to 5: egress filters, then the route.
func (w *walk) leave(at fabric.PortID) {
	port := &w.img.Ports[at]
	if !w.filters(at, fabric.Out, port.Egress) {
		return
	}
	table := &w.img.Tables[port.Routes]
	i, ok := table.Lookup(w.p.Dst)
	if !ok {
		w.end(fabric.VerdictDeny, fabric.AtRoute(fabric.CodeNoRoute, at, port.Routes, fabric.None))
		return
	}
	w.step(fabric.Step{Kind: fabric.StepRoute, Port: at, Table: port.Routes, Route: i})
	because := func(code fabric.Code) fabric.Reason { return fabric.AtRoute(code, at, port.Routes, i) }
	switch hop := table.Routes[i].Hop; hop.Kind {
	case fabric.HopSpace:
		next, ok := w.img.Spaces[hop.Space].PortOf(w.p.Dst)
		if !ok {
			w.end(fabric.VerdictDeny, because(fabric.CodeNoPort))
			return
		}
		w.arrive(next)
	case fabric.HopPort:
		w.arrive(hop.Port)
	case fabric.HopInternet:
		public, ok := w.source(at)
		if !ok {
			w.end(fabric.VerdictDeny, because(fabric.CodeNoOutbound))
			return
		}
		if public != w.p {
			w.p = public
			w.step(fabric.Step{Kind: fabric.StepTranslate, Port: at})
		}
		w.internet()
	case fabric.HopMissing:
		w.end(fabric.VerdictDeny, because(fabric.CodeNextHopMissing))
	case fabric.HopUnknown:
		w.end(fabric.VerdictUnknown, because(fabric.CodeRouteUnknown))
	default:
		w.end(fabric.VerdictDeny, because(fabric.CodeRouteDrop))
	}
}

// source translates the packet's source towards the internet. A reply to a
// flow that came in through this port's public address leaves by that address;
// every other packet takes the port's outbound method.
func (w *walk) source(at fabric.PortID) (fabric.Packet, bool) {
	if before, ok := w.undo(at); ok {
		return before, true
	}
	public, ok := w.img.Ports[at].Outbound.Source(w.p.Src)
	p := w.p
	p.Src = public
	return p, ok
}

// internet is what the internet does with a packet: one of the image's own
// public addresses leads back in, an address of the edge is delivered, and
// nothing else is routed.
func (w *walk) internet() {
	edge := w.img.Edge
	if at, before, ok := w.undoAny(); ok {
		w.p = before
		w.step(fabric.Step{Kind: fabric.StepTranslate, Port: at})
		w.arrive(at)
		return
	}
	if public, ok := w.img.PublicAt(w.p.Dst); ok {
		switch {
		case public.Unknown:
			w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, w.t.End()))
		case public.Port == fabric.None:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, w.t.End()))
		default:
			w.p.Dst = public.Private
			w.step(fabric.Step{Kind: fabric.StepTranslate, Port: public.Port})
			w.arrive(public.Port)
		}
		return
	}
	if edge == fabric.None || !w.contains(w.img.Ports[edge].Addrs, w.p.Dst) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, w.t.End()))
		return
	}
	w.arrive(edge)
}

// arrive is steps 6 and 7: ingress filters, then delivery or forwarding.
func (w *walk) arrive(at fabric.PortID) {
	if len(w.t.Path) > fabric.MaxHops {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeLoop, at))
		return
	}
	port := &w.img.Ports[at]
	w.enter(at)
	if !w.filters(at, fabric.In, port.Ingress) {
		return
	}
	if w.contains(port.Addrs, w.p.Dst) {
		w.deliver(at)
		return
	}
	if port.Forward == nil {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNotForwarding, at))
		return
	}
	if w.flow != nil && !w.flow.Passed(at) && port.Forward.Stateful && fabric.NeedsSession(w.p.Proto) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
		return
	}
	if !w.filters(at, fabric.Through, port.Forward.Policy) {
		return
	}
	w.leave(at)
}

// deliver ends the walk at the port that owns the destination. A reply counts
// only if it comes back to where the flow started, as the reverse of what was
// sent.
func (w *walk) deliver(at fabric.PortID) {
	if w.flow != nil && (at != w.flow.From || w.p != w.flow.Packet.Reverse()) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
		return
	}
	w.end(fabric.VerdictAllow, fabric.At(fabric.CodeDelivered, at))
}

// filters evaluates filters in order and reports whether the packet goes on.
// The ports that the flow's first packet passed let its replies through
// without evaluation.
func (w *walk) filters(at fabric.PortID, dir fabric.Direction, filters []fabric.FilterID) bool {
	if len(filters) == 0 {
		return true
	}
	if w.flow != nil && w.flow.Passed(at) {
		w.step(fabric.Step{Kind: fabric.StepSession, Port: at, Direction: dir})
		return true
	}
	for _, id := range filters {
		f := &w.img.Filters[id]
		rule, action := int32(fabric.None), f.Default
		for i := range f.Rules {
			if w.img.Matches(&f.Rules[i], w.p) {
				rule, action = int32(i), f.Rules[i].Action
				break
			}
		}
		w.step(fabric.Step{Kind: fabric.StepFilter, Port: at, Direction: dir, Filter: id, Rule: rule, Action: action})
		switch action {
		case fabric.Drop:
			w.end(fabric.VerdictDeny, fabric.AtRule(at, id, rule))
			return false
		case fabric.Unknown:
			w.end(fabric.VerdictUnknown, fabric.AtRule(at, id, rule))
			return false
		case fabric.Bypass:
			return true
		}
	}
	return true
}

// undo finds the translation that the flow's first packet met at a port and
// that this reply reverses, and returns the reply as it was before.
func (w *walk) undo(at fabric.PortID) (fabric.Packet, bool) {
	if w.flow == nil {
		return fabric.Packet{}, false
	}
	before := w.flow.Packet
	for _, s := range w.flow.Steps {
		if s.Kind == fabric.StepTranslate && s.Port == at && s.Packet.Reverse() == w.p {
			return before.Reverse(), true
		}
		before = s.Packet
	}
	return fabric.Packet{}, false
}

// undoAny is undo at whichever port the translation happened.
func (w *walk) undoAny() (fabric.PortID, fabric.Packet, bool) {
	if w.flow == nil {
		return fabric.None, fabric.Packet{}, false
	}
	for _, s := range w.flow.Steps {
		if s.Kind != fabric.StepTranslate {
			continue
		}
		if before, ok := w.undo(s.Port); ok {
			return s.Port, before, true
		}
	}
	return fabric.None, fabric.Packet{}, false
}

func (w *walk) contains(set fabric.SetID, a netip.Addr) bool {
	return w.img.Sets[set].Contains(fabric.AddrValue(a))
}

func (w *walk) enter(at fabric.PortID) {
	w.t.Path = append(w.t.Path, at)
	w.step(fabric.Step{Kind: fabric.StepEnter, Port: at})
}

func (w *walk) step(s fabric.Step) {
	if s.Kind != fabric.StepFilter {
		s.Filter, s.Rule = fabric.None, fabric.None
	}
	if s.Kind != fabric.StepRoute {
		s.Table, s.Route = fabric.None, fabric.None
	}
	s.Packet = w.p
	w.t.Steps = append(w.t.Steps, s)
}

func (w *walk) end(v fabric.Verdict, r fabric.Reason) {
	w.t.Verdict, w.t.Reason = v, r
	kind := fabric.StepStop
	if v == fabric.VerdictAllow {
		kind = fabric.StepDeliver
	}
	w.step(fabric.Step{Kind: kind, Port: r.Port})
}
