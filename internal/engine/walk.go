package engine

import (
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// hop is a port a flow's first packet passed and the packet as it was there.
type hop struct {
	at      fabric.PortID
	through bool // the port's policy was asked: it forwarded the packet
	p       fabric.Packet
}

// change is a translation a flow's first packet met.
type change struct {
	at            fabric.PortID
	before, after fabric.Packet
}

// walk composes the action of one direction of a flow. It mirrors package ref
// step by step; the order of the functions is the order of a packet's life.
// Its slices are scratch memory that the engine uses again.
type walk struct {
	prog *program
	p    fabric.Packet
	// values are p's fields, computed when a filter is first met.
	values    [fabric.NumFields]fabric.Value
	hasValues bool

	// dir and flow: a reply, or the first direction of a flow that older images
	// composed, knows the sessions of its flow; flow is nil for a new one.
	dir   int
	flow  *flow
	opens bool // may begin a session at a stateful forwarder
	// recheck means the flow's sessions were made under another image, so
	// policies are asked again whether they still allow them.
	recheck bool

	// sport is the source port that pools translate to; negative keeps it.
	sport  int
	pooled bool // a pool translated

	verdict fabric.Verdict
	reason  fabric.Reason
	unseen  fabric.PortID
	hops    []hop
	changes []change
}

func (w *walk) reset(prog *program, p fabric.Packet) {
	*w = walk{prog: prog, p: p, sport: -1, unseen: fabric.None, hops: w.hops[:0], changes: w.changes[:0]}
}

func (w *walk) reply() bool { return w.dir == backward }

// start is step 1 and 2: the packet enters the network at its port.
func (w *walk) start(at fabric.PortID) {
	img := w.prog.img
	port := &img.Ports[at]
	w.enter(at)
	if w.contains(img.Platform, w.p.Dst) {
		if w.reply() {
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

// answer is the way of a reply from the platform: past filters and routes.
func (w *walk) answer(at fabric.PortID) {
	w.enter(at)
	w.deliver(at)
}

// leave is steps 3 to 5: egress filters, then the route.
func (w *walk) leave(at fabric.PortID) {
	img := w.prog.img
	port := &img.Ports[at]
	if !w.filters(at, port.Egress) {
		return
	}
	i, ok := w.prog.lookup(port.Routes, w.p.Dst)
	if !ok {
		w.end(fabric.VerdictDeny, fabric.AtRoute(fabric.CodeNoRoute, at, port.Routes, fabric.None))
		return
	}
	stop := func(v fabric.Verdict, code fabric.Code) { w.end(v, fabric.AtRoute(code, at, port.Routes, i)) }
	switch hop := &img.Tables[port.Routes].Routes[i].Hop; hop.Kind {
	case fabric.HopSpace:
		next, ok := img.Spaces[hop.Space].PortOf(w.p.Dst)
		if !ok {
			stop(fabric.VerdictDeny, fabric.CodeNoPort)
			return
		}
		w.arrive(next)
	case fabric.HopPort:
		w.arrive(hop.Port)
	case fabric.HopInternet:
		public, ok := w.source(at)
		if !ok {
			stop(fabric.VerdictDeny, fabric.CodeNoOutbound)
			return
		}
		w.translate(at, public)
		w.internet()
	case fabric.HopMissing:
		stop(fabric.VerdictDeny, fabric.CodeNextHopMissing)
	case fabric.HopUnknown:
		stop(fabric.VerdictUnknown, fabric.CodeRouteUnknown)
	default:
		stop(fabric.VerdictDeny, fabric.CodeRouteDrop)
	}
}

// source translates the packet's source towards the internet.
func (w *walk) source(at fabric.PortID) (fabric.Packet, bool) {
	if w.reply() {
		if before, ok := w.undo(at); ok {
			return before, true
		}
	}
	p := w.p
	out := w.prog.img.Ports[at].Outbound
	if out == nil {
		return p, false
	}
	for _, pair := range out.Pairs {
		if pair.Private == p.Src {
			p.Src = pair.Public
			return p, true
		}
	}
	for _, a := range out.Pool {
		if a.Is4() == p.Src.Is4() {
			p.Src = a
			w.pooled = true
			if w.sport >= 0 && p.HasPorts() {
				p.SrcPort = uint16(w.sport)
			}
			return p, true
		}
	}
	return p, false
}

// internet is what the internet does with a packet.
func (w *walk) internet() {
	img := w.prog.img
	if w.reply() {
		if at, before, ok := w.undoAny(); ok {
			w.set(before)
			w.arrive(at)
			return
		}
	}
	last := w.hops[len(w.hops)-1].at
	if public, ok := img.PublicAt(w.p.Dst); ok {
		switch {
		case public.Unknown:
			w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, last))
		case public.Port == fabric.None:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, last))
		default:
			p := w.p
			p.Dst = public.Private
			w.changes = append(w.changes, change{public.Port, w.p, p})
			w.set(p)
			w.arrive(public.Port)
		}
		return
	}
	if img.Edge == fabric.None || !w.contains(img.Ports[img.Edge].Addrs, w.p.Dst) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, last))
		return
	}
	w.arrive(img.Edge)
}

// arrive is steps 6 and 7: ingress filters, then delivery or forwarding.
func (w *walk) arrive(at fabric.PortID) {
	if len(w.hops) > fabric.MaxHops {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeLoop, at))
		return
	}
	port := &w.prog.img.Ports[at]
	w.enter(at)
	if !w.filters(at, port.Ingress) {
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
	if !w.forward(at, port.Forward) {
		return
	}
	w.leave(at)
}

// forward asks a forwarder's policy. A forwarder that the flow passed lets it
// on, as long as its policy allows the flow's first packet after a change; one
// that it did not pass may have to refuse a packet that begins no session.
func (w *walk) forward(at fabric.PortID, f *fabric.Forward) bool {
	w.hops[len(w.hops)-1].through = true
	if w.flow != nil && w.flow.passes(at) {
		return !w.recheck || w.still(at, f.Policy)
	}
	if f.Stateful {
		if fabric.NeedsSession(w.p.Proto) && (w.reply() || !w.opens) {
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
			return false
		}
		w.unseen = at
	}
	return w.evaluate(at, f.Policy, w.fields())
}

// still asks a policy whether it allows the first packet of the flow, as that
// packet passed the port.
func (w *walk) still(at fabric.PortID, policy []fabric.FilterID) bool {
	for _, h := range w.flow.passed {
		if h.at == at && h.through && !w.evaluate(at, policy, values(h.p)) {
			return false
		}
	}
	return true
}

// deliver ends the walk at the port that owns the destination. A reply counts
// only if it comes back to where the flow started, as the reverse of what was
// sent.
func (w *walk) deliver(at fabric.PortID) {
	if w.reply() {
		first := w.flow.ways[forward].key
		if at != first.at() || w.p != first.packet().Reverse() {
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
			return
		}
	}
	w.end(fabric.VerdictAllow, fabric.At(fabric.CodeDelivered, at))
}

// filters asks a port's filters, unless the flow has its record there.
func (w *walk) filters(at fabric.PortID, filters []fabric.FilterID) bool {
	if len(filters) == 0 || w.flow != nil && w.flow.passes(at) {
		return true
	}
	return w.evaluate(at, filters, w.fields())
}

func (w *walk) evaluate(at fabric.PortID, filters []fabric.FilterID, values [fabric.NumFields]fabric.Value) bool {
	for _, id := range filters {
		f := w.prog.filter(id)
		rule := f.decide(&values)
		action := w.prog.img.Filters[id].Default
		if rule == fabric.None {
			f.hits[len(f.actions)]++
		} else {
			action = f.actions[rule]
			f.hits[rule]++
		}
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

// undo finds the translation of the first packet at a port that this reply
// reverses, and returns the reply as it was before.
func (w *walk) undo(at fabric.PortID) (fabric.Packet, bool) {
	for i := range w.flow.changes {
		if c := &w.flow.changes[i]; c.at == at && c.after.Reverse() == w.p {
			return c.before.Reverse(), true
		}
	}
	return fabric.Packet{}, false
}

// undoAny is undo at whichever port the translation happened.
func (w *walk) undoAny() (fabric.PortID, fabric.Packet, bool) {
	for i := range w.flow.changes {
		at := w.flow.changes[i].at
		if before, ok := w.undo(at); ok {
			return at, before, true
		}
	}
	return fabric.None, fabric.Packet{}, false
}

func (w *walk) translate(at fabric.PortID, p fabric.Packet) {
	if p != w.p {
		w.changes = append(w.changes, change{at, w.p, p})
		w.set(p)
	}
}

func (w *walk) set(p fabric.Packet) { w.p, w.hasValues = p, false }

func (w *walk) fields() [fabric.NumFields]fabric.Value {
	if !w.hasValues {
		w.values, w.hasValues = values(w.p), true
	}
	return w.values
}

func (w *walk) enter(at fabric.PortID) { w.hops = append(w.hops, hop{at: at, p: w.p}) }

func (w *walk) end(v fabric.Verdict, r fabric.Reason) { w.verdict, w.reason = v, r }

func (w *walk) last() fabric.PortID { return w.hops[len(w.hops)-1].at }

func (w *walk) path() []fabric.PortID {
	path := make([]fabric.PortID, len(w.hops))
	for i, h := range w.hops {
		path[i] = h.at
	}
	return path
}

func (w *walk) contains(set fabric.SetID, a netip.Addr) bool {
	return w.prog.img.Sets[set].Contains(fabric.AddrValue(a))
}

// delay is the one-way propagation along the path: between the regions of
// consecutive ports; the internet adds none.
func (w *walk) delay() time.Duration {
	var d time.Duration
	img := w.prog.img
	for i := 1; i < len(w.hops); i++ {
		a, b := img.Ports[w.hops[i-1].at].Region, img.Ports[w.hops[i].at].Region
		if a != fabric.None && b != fabric.None {
			d += img.Delay[a][b]
		}
	}
	return d
}

func (f *flow) passes(at fabric.PortID) bool {
	for _, h := range f.passed {
		if h.at == at {
			return true
		}
	}
	return false
}
