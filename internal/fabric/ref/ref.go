package ref

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Connect follows the first packet of a new flow from a port and, if it is
// delivered, the reply back. Redirects choose as a running network does.
func Connect(img *fabric.Image, from fabric.PortID, p fabric.Packet) fabric.Connection {
	return ConnectBy(img, from, p, fabric.NewChooser(img).Pick)
}

// ConnectBy is Connect with the choices of redirects made by choose.
func ConnectBy(img *fabric.Image, from fabric.PortID, p fabric.Packet, choose fabric.Choose) fabric.Connection {
	c := fabric.Connection{Forward: TraceBy(img, from, p, choose)}
	if c.Forward.Verdict == fabric.VerdictAllow {
		c.Reply = ReplyBy(img, &c.Forward, choose)
	}
	return c
}

// Trace follows the first packet of a new flow from a port.
func Trace(img *fabric.Image, from fabric.PortID, p fabric.Packet) fabric.Trace {
	return TraceBy(img, from, p, fabric.NewChooser(img).Pick)
}

// TraceBy is Trace with the choices of redirects made by choose.
func TraceBy(img *fabric.Image, from fabric.PortID, p fabric.Packet, choose fabric.Choose) fabric.Trace {
	w := &walk{img: img, p: p, choose: choose, t: fabric.Trace{From: from, Packet: p}}
	w.start(from)
	w.t.Final = w.p
	return w.t
}

// FromPlatform follows a packet that the platform sends to a port: a health probe.
// It meets the filters of the port, and no route.
func FromPlatform(img *fabric.Image, to fabric.PortID, p fabric.Packet) fabric.Trace {
	w := &walk{img: img, p: p, t: fabric.Trace{From: to, Packet: p}}
	w.enter(to)
	switch port := &img.Ports[to]; {
	case !w.filters(to, fabric.In, port.Ingress):
	case !w.contains(port.Addrs, p.Dst):
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNotForwarding, to))
	default:
		w.end(fabric.VerdictAllow, fabric.At(fabric.CodeDelivered, to))
	}
	w.t.Final = w.p
	return w.t
}

// Reply follows the reply to a delivered packet, with the flow established.
func Reply(img *fabric.Image, forward *fabric.Trace) fabric.Trace {
	return ReplyBy(img, forward, fabric.NewChooser(img).Pick)
}

// ReplyBy is Reply with the choices of redirects made by choose.
func ReplyBy(img *fabric.Image, forward *fabric.Trace, choose fabric.Choose) fabric.Trace {
	p := forward.Final.Reverse()
	w := &walk{img: img, p: p, choose: choose, flow: forward, t: fabric.Trace{From: forward.End(), Packet: p}}
	if forward.Reason.Code == fabric.CodePlatform {
		// The platform answers past every filter and route.
		w.enter(forward.From)
		w.deliver(forward.From)
	} else {
		w.answer(forward.End())
	}
	w.t.Final = w.p
	return w.t
}

// walk is one packet on its way. flow is nil for the first packet of a flow,
// else the trace of that first packet.
type walk struct {
	img    *fabric.Image
	p      fabric.Packet
	choose fabric.Choose
	flow   *fabric.Trace
	t      fabric.Trace
	// masquerade says that the policy asked last passed the packet by a rule
	// that masquerades.
	masquerade bool
}

// start is step 1 and 2: the packet enters the network at its port.
func (w *walk) start(at fabric.PortID) {
	port := &w.img.Ports[at]
	w.enter(at)
	if w.contains(w.img.Platform, w.p.Dst) {
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
	w.leave(at, manner{})
}

// answer is where the reply to a delivered packet begins. The port took the
// packet, so it may answer from the address the packet was for.
func (w *walk) answer(at fabric.PortID) {
	port := &w.img.Ports[at]
	w.enter(at)
	if w.contains(w.img.Platform, w.p.Dst) {
		// The flow's source was forged: the platform takes the reply.
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
		return
	}
	kept := !w.contains(port.Addrs, w.p.Src)
	if w.restore(at, fabric.StepRedirect) {
		kept = true
	}
	if w.flow.Direct {
		w.arrive(w.flow.Path[len(w.flow.Path)-2], entry{segment: fabric.None})
		return
	}
	if port.Kind == fabric.PortEdge {
		w.internet()
		return
	}
	w.leave(at, manner{kept: kept})
}

// manner is how a packet leaves a port.
type manner struct {
	forwarded  bool // the port's policy let it pass: not the port's own, nor of a session
	masquerade bool // by a rule that masquerades
	kept       bool // its source is what the flow's sender knows and stays
}

// leave is steps 3 to 5: egress filters, then the route.
func (w *walk) leave(at fabric.PortID, how manner) {
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
		w.readdress(at, how)
		w.arrive(next, entry{segment: fabric.None})
	case fabric.HopPort:
		w.readdress(at, how)
		w.arrive(hop.Port, entry{segment: fabric.None})
	case fabric.HopService:
		w.readdress(at, how)
		w.service(at, hop.Segment)
	case fabric.HopInternet:
		if !how.kept {
			public, ok := w.source(at)
			if !ok {
				w.end(fabric.VerdictDeny, because(fabric.CodeNoOutbound))
				return
			}
			if public != w.p {
				w.p = public
				w.step(fabric.Step{Kind: fabric.StepTranslate, Port: at})
			}
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

// readdress puts a forwarder's own address in place of the source of what it
// forwards inside the network.
func (w *walk) readdress(at fabric.PortID, how manner) {
	if !how.forwarded {
		return
	}
	f := w.img.Ports[at].Forward
	own, ok := f.Source(w.p)
	if !ok || own == w.p.Src || !how.masquerade && w.contains(f.Private, w.p.Dst) {
		return
	}
	w.p.Src = own
	w.step(fabric.Step{Kind: fabric.StepMasquerade, Port: at})
}

// service is the way to a platform service by a service endpoint: the source
// stays private, and the service knows the segment. Services that the image
// does not hold are part of the internet.
func (w *walk) service(at fabric.PortID, segment fabric.SegmentID) {
	w.t.Direct = true
	edge := w.img.Edge
	public, ok := w.img.PublicAt(w.p.Dst)
	switch {
	case ok && public.Unknown:
		w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, at))
	case ok && public.Port != fabric.None && w.img.Ports[public.Port].Kind == fabric.PortService:
		w.arrive(public.Port, entry{segment: segment})
	case ok:
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, at))
	case edge != fabric.None && w.contains(w.img.Ports[edge].Addrs, w.p.Dst):
		w.arrive(edge, entry{segment: fabric.None})
	default:
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, at))
	}
}

// source translates the packet's source towards the internet. A reply to a
// flow that came in through this port's public address leaves by that address;
// every other packet takes the port's outbound method.
func (w *walk) source(at fabric.PortID) (fabric.Packet, bool) {
	if before, ok := w.undo(at, fabric.StepTranslate); ok {
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
		w.arrive(at, entry{segment: fabric.None})
		return
	}
	if public, ok := w.img.PublicAt(w.p.Dst); ok {
		switch {
		case public.Unknown:
			w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, w.t.End()))
		case public.Port == fabric.None:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, w.t.End()))
		case public.Closed:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeClosed, public.Port))
		default:
			if w.p.Dst != public.Private {
				w.p.Dst = public.Private
				w.step(fabric.Step{Kind: fabric.StepTranslate, Port: public.Port})
			}
			w.arrive(public.Port, entry{segment: fabric.None})
		}
		return
	}
	if edge == fabric.None || !w.contains(w.img.Ports[edge].Addrs, w.p.Dst) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, w.t.End()))
		return
	}
	w.arrive(edge, entry{segment: fabric.None})
}

// entry is how a packet comes to a port.
type entry struct {
	taken   bool             // the port takes it whatever its destination: a balancer floats its address
	segment fabric.SegmentID // it came by a service endpoint of this segment, or None
}

// arrive is steps 6 and 7: ingress filters, then redirection, delivery or
// forwarding.
func (w *walk) arrive(at fabric.PortID, by entry) {
	if len(w.t.Path) > fabric.MaxHops {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeLoop, at))
		return
	}
	port := &w.img.Ports[at]
	w.enter(at)
	if i, ok := port.AdmitOf(by.segment); ok {
		w.step(fabric.Step{Kind: fabric.StepAdmit, Port: at, Direction: fabric.In, Rule: i})
	} else if !w.filters(at, fabric.In, port.Ingress) {
		return
	}
	if by.taken {
		w.deliver(at)
		return
	}
	known := w.flow != nil && w.flow.Passed(at)
	if known && port.Forward != nil && w.restore(at, fabric.StepMasquerade, fabric.StepRedirect) {
		w.leave(at, manner{kept: true})
		return
	}
	if port.Inward != nil && w.contains(port.Inward.Addrs, w.p.Dst) {
		w.redirect(at)
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
	if known {
		// The session's record stands for the policy.
		if len(port.Forward.Policy) > 0 {
			w.step(fabric.Step{Kind: fabric.StepSession, Port: at, Direction: fabric.Through})
		}
		w.leave(at, manner{})
		return
	}
	if w.flow != nil && port.Forward.Stateful && fabric.NeedsSession(w.p.Proto) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
		return
	}
	w.masquerade = false
	if !w.filters(at, fabric.Through, port.Forward.Policy) {
		return
	}
	w.leave(at, manner{forwarded: true, masquerade: w.masquerade})
}

// redirect hands the packet to a target of the first redirect that matches it.
func (w *walk) redirect(at fabric.PortID) {
	i, ok := w.img.RedirectOf(at, w.p)
	if !ok {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoRedirect, at))
		return
	}
	r := &w.img.Ports[at].Inward.Redirects[i]
	n, ok := w.target(at, i)
	if !ok {
		w.end(fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeNoTarget, at, i))
		return
	}
	t := &r.Targets[n]
	w.p = r.Apply(t, w.p)
	w.step(fabric.Step{Kind: fabric.StepRedirect, Port: at, Rule: i, Target: n})
	switch {
	case w.p.Src == w.p.Dst:
		w.end(fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeHairpin, at, i))
	case t.Closed:
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeClosed, t.Port))
	case t.Port == fabric.None:
		w.leave(at, manner{})
	default:
		w.arrive(t.Port, entry{taken: r.Floating, segment: fabric.None})
	}
}

// target returns the target of a redirect that takes the packet: for a reply
// the one that its flow met there, else one that is chosen.
func (w *walk) target(at fabric.PortID, redirect int32) (int32, bool) {
	r := &w.img.Ports[at].Inward.Redirects[redirect]
	if w.flow != nil && !r.Apart {
		for _, s := range w.flow.Steps {
			if s.Kind == fabric.StepRedirect && s.Port == at && s.Rule == redirect {
				return s.Target, true
			}
		}
	}
	if !r.Healthy() {
		return fabric.None, false
	}
	n := w.choose(w.t.From, at, redirect, w.p)
	w.t.Choices = append(w.t.Choices, fabric.Choice{Port: at, Redirect: redirect, Target: n})
	return n, true
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
				w.masquerade = w.masquerade || f.Rules[i].Masquerade
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

// restore reverses a redirect or masquerade that the flow's first packet met at
// a port, if this reply is the answer to what came out of it.
func (w *walk) restore(at fabric.PortID, kinds ...fabric.StepKind) bool {
	before, ok := w.undo(at, kinds...)
	if ok {
		w.p = before
		w.step(fabric.Step{Kind: fabric.StepRestore, Port: at})
	}
	return ok
}

// undo finds the translation that the flow's first packet met and that a port
// reverses for this reply, and returns the reply as it was before. A redirect
// is reversed by the target it handed the packet to, or by the port that
// redirected if that routed it on.
func (w *walk) undo(at fabric.PortID, kinds ...fabric.StepKind) (fabric.Packet, bool) {
	if w.flow == nil {
		return fabric.Packet{}, false
	}
	before := w.flow.Packet
	for _, s := range w.flow.Steps {
		where := s.Port
		if s.Kind == fabric.StepRedirect {
			if t := w.img.Ports[s.Port].Inward.Redirects[s.Rule].Targets[s.Target].Port; t != fabric.None {
				where = t
			}
		}
		if slices.Contains(kinds, s.Kind) && where == at && s.Packet != before && s.Packet.Reverse() == w.p {
			return before.Reverse(), true
		}
		before = s.Packet
	}
	return fabric.Packet{}, false
}

// undoAny is undo of a translation towards or from the internet at whichever
// port it happened.
func (w *walk) undoAny() (fabric.PortID, fabric.Packet, bool) {
	if w.flow == nil {
		return fabric.None, fabric.Packet{}, false
	}
	for _, s := range w.flow.Steps {
		if s.Kind != fabric.StepTranslate {
			continue
		}
		if before, ok := w.undo(s.Port, fabric.StepTranslate); ok {
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
		s.Filter = fabric.None
	}
	switch s.Kind {
	case fabric.StepFilter, fabric.StepAdmit:
		s.Target = fabric.None
	case fabric.StepRedirect:
	default:
		s.Rule, s.Target = fabric.None, fabric.None
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
