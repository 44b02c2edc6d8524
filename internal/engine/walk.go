package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// hop is a port a flow's first packet passed and the packet as it was there.
type hop struct {
	at      fabric.PortID
	through bool // the port's policy was asked: it forwarded the packet
	p       fabric.Packet
}

// change is a translation a flow's first packet met. at is the port that
// reverses it for replies.
type change struct {
	kind          fabric.StepKind // StepTranslate, StepRedirect or StepMasquerade
	at            fabric.PortID
	before, after fabric.Packet
}

// pin is a choice that a redirect made for a flow under the image of an epoch.
// Redirect and target are known by name and by where they lead: positions
// change with the image.
type pin struct {
	epoch    uint32
	at       fabric.PortID
	redirect int32
	name     string
	target   fabric.Target
}

// removedTargetEndsFlows says that an established TCP flow ends when its target
// is taken out of the redirect, rather than moving to another in mid-stream.
// Unconfirmed: Azure documents it for targets that are down only ("Azure Load
// Balancer health probes"), where the flow stays.
const removedTargetEndsFlows = true

// walk composes the action of one direction of a flow. It mirrors package ref
// step by step; the order of the functions is the order of a packet's life.
// Its slices are scratch memory that the engine uses again.
type walk struct {
	prog  *program
	epoch uint32 // of the image
	p     fabric.Packet
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

	// source is what pools, and forwarders that put their own address, translate
	// to.
	source source
	pooled bool // one of them translated, the last of them was lender
	lender lender
	late   bool // the packet belongs to a flow that a pool forgot, and says so

	choose     fabric.Choose
	masquerade bool // the policy asked last passed the packet by a rule that masquerades
	direct     bool // the last step was by a service endpoint

	verdict fabric.Verdict
	reason  fabric.Reason
	unseen  fabric.PortID
	hops    []hop
	changes []change
	pins    []pin
	rules   []ruleUsed

	limited bool // a device on the way has timers
	limits  limits
}

func (w *walk) reset(prog *program, epoch uint32, p fabric.Packet) {
	*w = walk{prog: prog, epoch: epoch, p: p, choose: prog.choose, source: source{port: -1}, unseen: fabric.None, hops: w.hops[:0], changes: w.changes[:0], pins: w.pins[:0], rules: w.rules[:0]}
}

func (w *walk) reply() bool { return w.dir == backward }

// start is step 1 and 2: the packet enters the network at its port.
func (w *walk) start(at fabric.PortID) {
	img := w.prog.img
	port := &img.Ports[at]
	w.enter(at)
	if w.contains(img.Platform, w.p.Dst) {
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
	img := w.prog.img
	port := &img.Ports[at]
	w.enter(at)
	if w.contains(img.Platform, w.p.Dst) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
		return
	}
	if by, i, ok := w.severed(); ok {
		w.end(fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeNoTarget, by, i))
		return
	}
	kept := !w.contains(port.Addrs, w.p.Src)
	if w.restore(at, fabric.StepRedirect) {
		kept = true
	}
	if n := len(w.flow.passed); w.flow.direct && n > 1 {
		w.arrive(w.flow.passed[n-2].at, entry{segment: fabric.None})
		return
	}
	if port.Kind == fabric.PortEdge {
		w.internet()
		return
	}
	w.leave(at, manner{kept: kept})
}

// platform is the way of a reply from the platform: past filters and routes.
func (w *walk) platform(at fabric.PortID) {
	w.enter(at)
	w.deliver(at)
}

// fromPlatform is the way of what the platform sends by itself, as health
// probes: it comes to the port past all routes and meets its ingress filters.
func (w *walk) fromPlatform(at fabric.PortID) {
	port := &w.prog.img.Ports[at]
	w.enter(at)
	switch {
	case !w.filters(at, port.Ingress):
	case !w.contains(port.Addrs, w.p.Dst):
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNotForwarding, at))
	default:
		w.end(fabric.VerdictAllow, fabric.At(fabric.CodeDelivered, at))
	}
}

// toPlatform is the way of an answer to what the platform sent.
func (w *walk) toPlatform(at fabric.PortID) {
	w.enter(at)
	w.end(fabric.VerdictAllow, fabric.At(fabric.CodePlatform, at))
}

// manner is how a packet leaves a port.
type manner struct {
	forwarded  bool // the port's policy let it pass: not the port's own, nor of a session
	masquerade bool // by a rule that masquerades
	kept       bool // its source is what the flow's sender knows and stays
}

// leave is steps 3 to 5: egress filters, then the route.
func (w *walk) leave(at fabric.PortID, how manner) {
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
			if w.dead(at) {
				w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoSession, at))
				return
			}
			public, ok := w.public(at)
			if !ok {
				stop(fabric.VerdictDeny, fabric.CodeNoOutbound)
				return
			}
			w.translate(fabric.StepTranslate, at, public)
		}
		w.internet()
	case fabric.HopMissing:
		stop(fabric.VerdictDeny, fabric.CodeNextHopMissing)
	case fabric.HopUnknown:
		stop(fabric.VerdictUnknown, fabric.CodeRouteUnknown)
	default:
		stop(fabric.VerdictDeny, fabric.CodeRouteDrop)
	}
}

// readdress puts a forwarder's own address in place of the source of what it
// forwards inside the network.
func (w *walk) readdress(at fabric.PortID, how manner) {
	if !how.forwarded {
		return
	}
	f := w.prog.img.Ports[at].Forward
	own, ok := f.Source(w.p)
	if !ok || own == w.p.Src || !how.masquerade && w.contains(f.Private, w.p.Dst) {
		return
	}
	w.translate(fabric.StepMasquerade, at, w.pool(lender{at: at, own: own}))
}

// pool gives the packet a source address that several flows share, and with it
// the source port that tells them apart.
func (w *walk) pool(l lender) fabric.Packet {
	p := w.p
	p.Src = l.own
	if w.source.port >= 0 && p.HasPorts() {
		p.SrcPort = uint16(w.source.port)
	}
	l.after = p
	w.pooled, w.lender = true, l
	return p
}

// service is the way to a platform service by a service endpoint.
func (w *walk) service(at fabric.PortID, segment fabric.SegmentID) {
	w.direct = true
	img := w.prog.img
	public, ok := img.PublicAt(w.p.Dst)
	switch {
	case ok && public.Unknown:
		w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, at))
	case ok && public.Port != fabric.None && img.Ports[public.Port].Kind == fabric.PortService:
		w.arrive(public.Port, entry{segment: segment})
	case ok:
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, at))
	case img.Edge != fabric.None && w.contains(img.Ports[img.Edge].Addrs, w.p.Dst):
		w.arrive(img.Edge, entry{segment: fabric.None})
	default:
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, at))
	}
}

// public translates the packet's source towards the internet.
func (w *walk) public(at fabric.PortID) (fabric.Packet, bool) {
	if before, ok := w.undo(at, fabric.StepTranslate); ok {
		return before, true
	}
	out := w.prog.img.Ports[at].Outbound
	if out == nil {
		return w.p, false
	}
	for _, pair := range out.Pairs {
		if pair.Private == w.p.Src {
			p := w.p
			p.Src = pair.Public
			return p, true
		}
	}
	a, ok := out.Source(w.p.Src)
	if !ok {
		return w.p, false
	}
	if own := w.source.addr; own.IsValid() && own.Is4() == a.Is4() {
		a = own
	}
	w.limit(out.Timers, out.Reset)
	return w.pool(lender{at: at, out: out, own: a}), true
}

// dead reports whether a packet towards the internet belongs to a TCP flow that
// the port's pool forgot: it translates such a flow's packets no more, and says
// so if that is its way ("Azure NAT Gateway", TCP idle timeout).
func (w *walk) dead(at fabric.PortID) bool {
	out := w.prog.img.Ports[at].Outbound
	if w.flow != nil || w.opens || w.p.Proto != fabric.ProtoTCP || out == nil {
		return false
	}
	for _, pair := range out.Pairs {
		if pair.Private == w.p.Src {
			return false
		}
	}
	_, ok := out.Source(w.p.Src)
	w.late = ok && out.Reset == fabric.ResetLate
	return ok
}

// internet is what the internet does with a packet.
func (w *walk) internet() {
	img := w.prog.img
	if at, before, ok := w.undoAny(); ok {
		w.set(before)
		w.arrive(at, entry{segment: fabric.None})
		return
	}
	last := w.hops[len(w.hops)-1].at
	if public, ok := img.PublicAt(w.p.Dst); ok {
		switch {
		case public.Unknown:
			w.end(fabric.VerdictUnknown, fabric.At(fabric.CodePublicUnknown, last))
		case public.Port == fabric.None:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoTranslation, last))
		case public.Closed:
			w.end(fabric.VerdictDeny, fabric.At(fabric.CodeClosed, public.Port))
		default:
			p := w.p
			p.Dst = public.Private
			w.translate(fabric.StepTranslate, public.Port, p)
			w.arrive(public.Port, entry{segment: fabric.None})
		}
		return
	}
	if img.Edge == fabric.None || !w.contains(img.Ports[img.Edge].Addrs, w.p.Dst) {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodePrivateAtEdge, last))
		return
	}
	w.arrive(img.Edge, entry{segment: fabric.None})
}

// entry is how a packet comes to a port.
type entry struct {
	taken   bool             // the port takes it whatever its destination
	segment fabric.SegmentID // it came by a service endpoint of this segment, or None
}

// arrive is steps 6 and 7: ingress filters, then redirection, delivery or
// forwarding.
func (w *walk) arrive(at fabric.PortID, by entry) {
	if len(w.hops) > fabric.MaxHops {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeLoop, at))
		return
	}
	port := &w.prog.img.Ports[at]
	w.enter(at)
	if _, ok := port.AdmitOf(by.segment); !ok && !w.filters(at, port.Ingress) {
		return
	}
	if by.taken {
		w.deliver(at)
		return
	}
	if port.Forward != nil && w.reply() && w.flow.passes(at) && w.restore(at, fabric.StepMasquerade, fabric.StepRedirect) {
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
	known := w.flow != nil && w.flow.passes(at)
	w.masquerade = false
	if !w.forward(at, port.Forward) {
		return
	}
	how := manner{forwarded: !known, masquerade: w.masquerade}
	if known && !w.reply() {
		// Under another image, a session's first direction is translated as that
		// image says.
		how.forwarded = true
	}
	w.leave(at, how)
}

// redirect hands the packet to a target of the first redirect that matches it.
func (w *walk) redirect(at fabric.PortID) {
	i, ok := w.prog.img.RedirectOf(at, w.p)
	if !ok {
		w.end(fabric.VerdictDeny, fabric.At(fabric.CodeNoRedirect, at))
		return
	}
	r := &w.prog.img.Ports[at].Inward.Redirects[i]
	t := w.target(at, i, r)
	if t == nil {
		w.end(fabric.VerdictDeny, fabric.AtRedirect(fabric.CodeNoTarget, at, i))
		return
	}
	p := r.Apply(t, w.p)
	if r.Source.IsValid() {
		before := w.p
		w.p = p
		p = w.pool(lender{at: at, own: p.Src})
		w.p = before
	}
	where := t.Port
	if where == fabric.None {
		where = at
	}
	w.translate(fabric.StepRedirect, where, p)
	if !r.Apart {
		w.limit(r.Timers, r.Reset)
	}
	w.limits.drain = max(w.limits.drain, r.Drain)
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

// target returns the target of a redirect that takes the packet: the one that
// the flow has there, else one that is chosen; nil if there is none. Under a new
// image an established TCP flow keeps its target although that is down, unless
// the redirect ends flows when all are; one whose target was taken out ends at
// once or, where the redirect lets flows drain, later. Any other flow moves on
// ("Azure Load Balancer health probes").
func (w *walk) target(at fabric.PortID, redirect int32, r *fabric.Redirect) *fabric.Target {
	if w.flow != nil && (!r.Apart || !w.reply()) {
		if have := w.flow.pinned(w.epoch, at, redirect, r.Name); have != nil {
			n, ok := have.in(r)
			switch {
			case ok && w.lost(r):
				return nil
			case ok && (r.Targets[n].Down == "" || w.reply() || w.p.Proto == fabric.ProtoTCP):
				w.pin(at, redirect, r, &r.Targets[n])
				return &r.Targets[n]
			case !ok && w.flow.state&draining != 0:
				t := have.target
				w.pin(at, redirect, r, &t)
				return &t
			case !ok && w.severs(r):
				return nil
			}
		}
	}
	if !r.Healthy() {
		return nil
	}
	t := &r.Targets[w.choose(w.hops[0].at, at, redirect, w.p)]
	w.pin(at, redirect, r, t)
	return t
}

func (w *walk) pin(at fabric.PortID, redirect int32, r *fabric.Redirect, t *fabric.Target) {
	w.pins = append(w.pins, pin{w.epoch, at, redirect, r.Name, *t})
}

// lost reports whether a redirect ends the flow because all its targets are
// down.
func (w *walk) lost(r *fabric.Redirect) bool {
	return r.EndsAllDown && w.p.Proto == fabric.ProtoTCP && !r.Healthy()
}

// severs reports whether the flow ends with its target at a redirect. Routers
// with equal-cost paths keep no flows.
func (w *walk) severs(r *fabric.Redirect) bool {
	return removedTargetEndsFlows && w.p.Proto == fabric.ProtoTCP && !r.Apart
}

// severed returns the redirect that has a reply's sender as its target no more.
func (w *walk) severed() (fabric.PortID, int32, bool) {
	for i := range w.flow.pins {
		have := &w.flow.pins[i]
		if have.epoch == w.epoch {
			continue // chosen under this image
		}
		in := w.prog.img.Ports[have.at].Inward
		if in == nil {
			continue
		}
		for n := range in.Redirects {
			r := &in.Redirects[n]
			if w.flow.pinned(w.epoch, have.at, int32(n), r.Name) != have || !have.of(in, int32(n)) {
				continue
			}
			_, ok := have.in(r)
			if ok && w.lost(r) || !ok && w.severs(r) && w.flow.state&draining == 0 {
				return have.at, int32(n), true
			}
		}
	}
	return fabric.None, fabric.None, false
}

// pinned returns the flow's pin at a redirect. The image that made the pin has
// the redirect where it was. In another it is the one of the same name, and of
// the same position where several, or all, have that name.
func (f *flow) pinned(epoch uint32, at fabric.PortID, redirect int32, name string) *pin {
	var found *pin
	for i := range f.pins {
		p := &f.pins[i]
		switch {
		case p.at != at:
		case p.redirect == redirect && (p.epoch == epoch || p.name == name):
			return p
		case p.epoch != epoch && p.name == name && name != "":
			found = p
		}
	}
	return found
}

// of reports whether a redirect is the one that made the pin: of several with
// its name the one that stands where it stood.
func (p *pin) of(in *fabric.Inward, redirect int32) bool {
	same := int(p.redirect) < len(in.Redirects) && in.Redirects[p.redirect].Name == p.name
	return !same || redirect == p.redirect
}

// in returns the position of the pin's target in a redirect.
func (p *pin) in(r *fabric.Redirect) (int32, bool) {
	for i := range r.Targets {
		if t := &r.Targets[i]; t.Port == p.target.Port && t.Addr == p.target.Addr && t.DstPort == p.target.DstPort {
			return int32(i), true
		}
	}
	return fabric.None, false
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
	if len(filters) == 0 {
		return true
	}
	if w.flow != nil && w.flow.passes(at) {
		if w.prog.img.Filters[filters[0]].Stage != fabric.StageFailure {
			return true
		}
		w.flow.lose(at, &w.prog.img.Ports[at])
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
			w.rules = append(w.rules, ruleUsed{f, int32(len(f.actions))})
		} else {
			action = f.actions[rule]
			f.hits[rule]++
			w.rules = append(w.rules, ruleUsed{f, rule})
			w.masquerade = w.masquerade || w.prog.img.Filters[id].Rules[rule].Masquerade
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

// restore reverses a redirect or masquerade of the flow's first packet at a
// port, if this reply is the answer to what came out of it.
func (w *walk) restore(at fabric.PortID, kinds ...fabric.StepKind) bool {
	before, ok := w.undo(at, kinds...)
	if ok {
		w.set(before)
	}
	return ok
}

// undo finds the translation of the first packet that a port reverses for this
// reply, and returns the reply as it was before.
func (w *walk) undo(at fabric.PortID, kinds ...fabric.StepKind) (fabric.Packet, bool) {
	if !w.reply() {
		return fabric.Packet{}, false
	}
	for i := range w.flow.changes {
		if c := &w.flow.changes[i]; c.at == at && slices.Contains(kinds, c.kind) && c.after.Reverse() == w.p {
			return c.before.Reverse(), true
		}
	}
	return fabric.Packet{}, false
}

// undoAny is undo of a translation towards or from the internet at whichever
// port it happened.
func (w *walk) undoAny() (fabric.PortID, fabric.Packet, bool) {
	if !w.reply() {
		return fabric.None, fabric.Packet{}, false
	}
	for i := range w.flow.changes {
		if w.flow.changes[i].kind != fabric.StepTranslate {
			continue
		}
		at := w.flow.changes[i].at
		if before, ok := w.undo(at, fabric.StepTranslate); ok {
			return at, before, true
		}
	}
	return fabric.None, fabric.Packet{}, false
}

func (w *walk) translate(kind fabric.StepKind, at fabric.PortID, p fabric.Packet) {
	if p != w.p {
		w.changes = append(w.changes, change{kind, at, w.p, p})
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
	if len(w.hops) == 0 {
		return 0
	}
	before := &img.Ports[w.hops[0].at]
	for _, h := range w.hops[1:] {
		p := &img.Ports[h.at]
		if p.Anywhere() {
			continue
		}
		a, b := before.Region, p.Region
		before = p
		if a != fabric.None && b != fabric.None {
			d += img.Delay[a][b]
		}
	}
	return d
}

// lose forgets that a flow passed a port that is out of order: a stateful
// forwarder has lost its sessions when it is back.
func (f *flow) lose(at fabric.PortID, port *fabric.Port) {
	if port.Forward != nil && port.Forward.Stateful {
		f.passed = slices.DeleteFunc(slices.Clone(f.passed), func(h hop) bool { return h.at == at && h.through })
	}
}

func (f *flow) passes(at fabric.PortID) bool {
	for _, h := range f.passed {
		if h.at == at {
			return true
		}
	}
	return false
}
