package proof

import (
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// leaf is where a box ended: the verdict and the reason of all its packets.
type leaf struct {
	state
	verdict fabric.Verdict
	code    fabric.Code
	stop    site // where it was decided
	filter  fabric.FilterID
	rule    int32
	table   fabric.TableID
	route   int32
}

// walk is one search. It moves boxes hop by hop, all boxes of one hop before
// any of the next, and hands every box that ends to leaf.
type walk struct {
	p       *Prover
	a       *arena
	paths   paths
	changes changes
	choices choices
	// replies are followed when the first packet was delivered, and then only
	// the reply's end is a leaf.
	replies bool
	leaf    func(leaf)
	// seen, if set, is told of every rule, or default, that decides packets.
	seen    func(filter fabric.FilterID, rule int32)
	next    []state // boxes that arrive at a port in the next round
	steps   int
	budget  int
	stopped bool // by leaf

	parts   parts
	index   map[state]int // of merge
	session setID         // protocols that need a session
	ported  setID         // protocols that have ports
	known   setID         // addresses that stand for the internet
	routed  map[routeKey][]branch
	owned   map[ownerKey]owners
	agreed  map[[2]int32]setID
	// Made when first asked for: the addresses of a layer's ports in a region, of
	// all hosts, and the image's public ones.
	regions map[[2]int32]setID
	hostSet setID
	publics setID
	leading []lead
	led     bool
}

type routeKey struct {
	table fabric.TableID
	dst   setID
}

type ownerKey struct {
	space fabric.SpaceID
	dst   setID
}

func (p *Prover) newWalk(a *arena, budget int) *walk {
	return &walk{
		p: p, a: a, paths: newPaths(), changes: newChanges(), choices: newChoices(), budget: budget,
		session: a.intern(sessionProtocols()), ported: a.intern(portedProtocols()), known: a.intern(resolvers()),
		routed: map[routeKey][]branch{}, owned: map[ownerKey]owners{}, agreed: map[[2]int32]setID{},
		index: map[state]int{}, parts: parts{index: map[hopKey]int{}}, regions: map[[2]int32]setID{},
	}
}

// over reports whether the search must end.
func (w *walk) over() bool { return w.stopped || w.steps > w.budget }

// run follows boxes from where they enter the network to their leaves. It
// reports whether the search is complete.
func (w *walk) run(begin []state) bool {
	w.next = w.next[:0]
	for i := range begin {
		w.start(begin[i])
	}
	var spare []state
	for len(w.next) > 0 && !w.over() {
		arrived := w.next
		w.next = spare[:0]
		spare = arrived
		now := w.regroup(w.merge(arrived))
		for i := range now {
			if w.over() {
				break
			}
			w.arrive(now[i])
		}
	}
	return w.steps <= w.budget
}

func (w *walk) port(at site) *fabric.Port { return &w.p.img.Ports[at.class] }

// start is steps 1 and 2: the packets enter the network at their ports.
func (w *walk) start(s state) {
	at, port := s.from, w.port(s.from)
	s.from = s.from.anyClass()
	platform := w.a.of(w.p.img.Platform)
	if in, ok := w.narrow(s, fabric.Dst, platform); ok {
		// The platform answers past every filter and route, and so is its reply
		// delivered.
		w.end(in, at, fabric.VerdictAllow, fabric.CodePlatform)
	}
	s, ok := w.without(s, fabric.Dst, platform)
	if !ok {
		return
	}
	if s.from.place < 0 && port.Forward == nil {
		own := w.a.of(port.Addrs)
		if out, ok := w.without(s, fabric.Src, own); ok {
			w.end(out, at, fabric.VerdictDeny, fabric.CodeSourceCheck)
		}
		if s, ok = w.narrow(s, fabric.Src, own); !ok {
			return
		}
	}
	if port.Kind == fabric.PortEdge {
		w.internet(s, at)
		return
	}
	w.filter(s, at, fabric.Out, 0, 0)
}

// filters returns the filters of one direction at a port.
func filters(p *fabric.Port, dir fabric.Direction) []fabric.FilterID {
	switch dir {
	case fabric.Out:
		return p.Egress
	case fabric.In:
		return p.Ingress
	default:
		return p.Forward.Policy
	}
}

// filter evaluates the k-th filter of a direction from a rule on, and then the
// filters after it. The box falls apart into the part that the rule matches and
// up to five parts that it does not.
func (w *walk) filter(s state, at site, dir fabric.Direction, k int, rule int) {
	list := filters(w.port(at), dir)
	if k == len(list) {
		w.pass(s, at, dir)
		return
	}
	f := &w.p.img.Filters[list[k]]
	for ; rule < len(f.Rules); rule++ {
		if w.steps++; w.over() {
			return
		}
		r := &f.Rules[rule]
		hit, partial, ok := w.match(&s, &r.Match)
		if !ok {
			continue
		}
		if r.Masquerade && dir == fabric.Through {
			hit.how |= masquerade
		}
		w.decide(hit, at, dir, k, int32(rule), r.Action)
		if partial == 0 {
			return
		}
		// What the rule does not match, field by field: outside it in this field,
		// inside it in the fields before.
		rest := s
		for f := range fabric.NumFields {
			if partial&(1<<f) == 0 {
				continue
			}
			d := rest.dim(f)
			piece := rest
			piece.cube[d] = w.a.subtract(rest.cube[d], hit.cube[d])
			rest.cube[d] = hit.cube[d]
			if partial &^= 1 << f; partial == 0 {
				s = piece // the last part goes on here
				break
			}
			w.filter(piece, at, dir, k, rule+1)
		}
	}
	w.decide(s, at, dir, k, fabric.None, f.Default)
}

// order is the order in which the fields of a rule are compared: what differs
// most often comes first.
var order = [...]fabric.Field{fabric.Proto, fabric.DstPort, fabric.Dst, fabric.Src, fabric.SrcPort}

// match returns the part of a box that is in all five sets of a rule or
// redirect, and the fields in which that is not all of it.
func (w *walk) match(s *state, m *[fabric.NumFields]fabric.SetID) (hit state, partial uint8, ok bool) {
	var sets [fabric.NumFields]setID
	for _, f := range order {
		if m[f] == fabric.AnySet {
			continue
		}
		have := s.field(f)
		n := w.a.intersect(have, w.a.of(m[f]))
		if n == emptySet {
			return hit, 0, false
		}
		if n != have {
			partial |= 1 << f
			sets[f] = n
		}
	}
	hit = *s
	for f := range fabric.NumFields {
		if partial&(1<<f) != 0 {
			hit.cube[s.dim(f)] = sets[f]
		}
	}
	return hit, partial, true
}

// decide does what a rule, or the default, of the k-th filter says.
func (w *walk) decide(s state, at site, dir fabric.Direction, k int, rule int32, action fabric.Action) {
	if w.seen != nil {
		w.seen(filters(w.port(at), dir)[k], rule)
	}
	switch action {
	case fabric.Pass:
		w.filter(s, at, dir, k+1, 0)
	case fabric.Bypass:
		w.pass(s, at, dir)
	default:
		l := leaf{
			state: s, stop: at, verdict: fabric.VerdictDeny, code: fabric.CodeRule,
			filter: filters(w.port(at), dir)[k], rule: rule, table: fabric.None, route: fabric.None,
		}
		if rule == fabric.None {
			l.code = fabric.CodeFilterDefault
		}
		if action == fabric.Unknown {
			l.verdict = fabric.VerdictUnknown
		}
		w.emit(l)
	}
}

// pass is what follows the filters of a direction.
func (w *walk) pass(s state, at site, dir fabric.Direction) {
	switch dir {
	case fabric.In:
		w.land(s, at, false)
	case fabric.Through:
		s.how |= forwarded
		w.forward(s, at, false)
	default:
		w.route(s, at)
	}
}

// arrive is steps 6 and 7: ingress filters, then redirection, delivery or
// forwarding.
func (w *walk) arrive(s state) {
	if w.steps++; w.over() {
		return
	}
	at := s.at
	s.at = site{}
	passed := w.paths.list[s.mid].length
	if s.reply {
		passed = w.paths.list[s.back].length
	}
	if int(passed)+1 > fabric.MaxHops {
		w.end(s, at, fabric.VerdictDeny, fabric.CodeLoop)
		return
	}
	if s.reply {
		w.arriveReply(s, at)
		return
	}
	w.enter(s, at)
}

// enter evaluates the ingress filters, unless a service endpoint leads past
// them.
func (w *walk) enter(s state, at site) {
	if s.how&admitted != 0 {
		w.land(s, at, false)
		return
	}
	w.filter(s, at, fabric.In, 0, 0)
}

// land is step 7 after the ingress filters. known says that the reply arrived
// at a port its flow passed.
func (w *walk) land(s state, at site, known bool) {
	float := s.how&taken != 0
	s.how = 0
	q, single := at.port()
	if !single || float {
		w.deliver(s, at) // a layer's site is where the owner takes the packet
		return
	}
	port := &w.p.img.Ports[q]
	if known && port.Forward != nil && s.changes != 0 {
		back := func(s state) {
			s.how = kept
			w.forward(s, at, true)
		}
		for _, s := range w.undoAt(s, at, restored, back) {
			w.take(s, at, port, known)
		}
		return
	}
	w.take(s, at, port, known)
}

// take redirects, delivers or forwards a packet at the port it came to.
func (w *walk) take(s state, at site, port *fabric.Port, known bool) {
	if port.Inward != nil {
		inward := w.a.of(port.Inward.Addrs)
		if in, ok := w.narrow(s, fabric.Dst, inward); ok {
			w.redirect(in, at, known, 0)
		}
		var ok bool
		if s, ok = w.without(s, fabric.Dst, inward); !ok {
			return
		}
	}
	own := w.a.of(port.Addrs)
	if in, ok := w.narrow(s, fabric.Dst, own); ok {
		w.deliver(in, at)
	}
	s, ok := w.without(s, fabric.Dst, own)
	if !ok {
		return
	}
	if port.Forward == nil {
		w.end(s, at, fabric.VerdictDeny, fabric.CodeNotForwarding)
		return
	}
	if known {
		w.forward(s, at, true)
		return
	}
	if s.reply && port.Forward.Stateful {
		need := w.session
		if in, ok := w.narrow(s, fabric.Proto, need); ok {
			w.end(in, at, fabric.VerdictDeny, fabric.CodeNoSession)
		}
		if s, ok = w.without(s, fabric.Proto, need); !ok {
			return
		}
	}
	w.filter(s, at, fabric.Through, 0, 0)
}

// sessionProtocols returns the protocols of which a stateful device refuses
// replies without a session.
func sessionProtocols() fabric.Set { return protocols(fabric.NeedsSession) }

// portedProtocols returns the protocols whose packets have ports.
func portedProtocols() fabric.Set {
	return protocols(func(n uint8) bool { return fabric.Packet{Proto: n}.HasPorts() })
}

func protocols(is func(uint8) bool) fabric.Set {
	var s fabric.Set
	for n := range uint16(256) {
		if is(uint8(n)) {
			s = appendRange(s, fabric.Range{Lo: fabric.Num(n), Hi: fabric.Num(n)})
		}
	}
	return s
}

// forward leaves a port that is not where the packet began.
func (w *walk) forward(s state, at site, known bool) { w.leave(w.passing(s, at), at, known) }

// passing notes that a packet passed a port.
func (w *walk) passing(s state, at site) state {
	q, _ := at.port()
	if s.reply {
		s.back = w.paths.push(s.back, q)
	} else {
		s.mid = w.paths.push(s.mid, q)
	}
	return s
}

// leave is steps 3 and 4: egress filters, unless the flow is known here, then
// the route.
func (w *walk) leave(s state, at site, known bool) {
	if known {
		w.route(s, at)
		return
	}
	w.filter(s, at, fabric.Out, 0, 0)
}

// deliver ends the way of a flow's first packet at the port that owns the
// destination.
func (w *walk) deliver(s state, at site) {
	if s.reply {
		w.deliverReply(s, at)
		return
	}
	w.end(s, at, fabric.VerdictAllow, fabric.CodeDelivered)
}

// route is step 4 and 5: the longest prefix, then where its hop leads.
func (w *walk) route(s state, at site) {
	table := w.port(at).Routes
	for _, b := range w.branches(table, s.field(fabric.Dst)) {
		if w.steps++; w.over() {
			return
		}
		n, ok := w.narrow(s, fabric.Dst, b.set)
		if !ok {
			continue
		}
		stop := func(v fabric.Verdict, code fabric.Code) {
			w.emit(leaf{
				state: n, verdict: v, code: code, stop: at,
				filter: fabric.None, rule: fabric.None, table: table, route: b.route,
			})
		}
		switch b.hop.Kind {
		case fabric.HopSpace:
			w.toSpace(n, at, table, b.hop.Space)
		case fabric.HopPort:
			w.hop(n, at, siteOf(b.hop.Port))
		case fabric.HopService:
			w.readdress(n, at, func(s state) { w.service(s, at, b.hop.Segment) })
		case fabric.HopInternet:
			w.outbound(n, at, table, b.route)
		case fabric.HopMissing:
			stop(fabric.VerdictDeny, fabric.CodeNextHopMissing)
		case fabric.HopUnknown:
			stop(fabric.VerdictUnknown, fabric.CodeRouteUnknown)
		default:
			if b.route == fabric.None {
				stop(fabric.VerdictDeny, fabric.CodeNoRoute)
			} else {
				stop(fabric.VerdictDeny, fabric.CodeRouteDrop)
			}
		}
	}
}

// toSpace hands packets to the ports that own their destinations.
func (w *walk) toSpace(s state, at site, table fabric.TableID, space fabric.SpaceID) {
	if s.reply && s.now[fabric.Dst] == emptySet && s.from.place >= 0 {
		// Most replies go to the port whose flow it is: all at once.
		home := w.home(space, int32(s.from.place))
		if in, ok := w.narrow(s, fabric.Dst, home); ok {
			w.hop(in, at, s.from)
		}
		var ok bool
		if s, ok = w.without(s, fabric.Dst, home); !ok {
			return
		}
	}
	o := w.owners(space, s.field(fabric.Dst))
	for _, piece := range o.pieces {
		n, ok := w.narrow(s, fabric.Dst, piece.set)
		if !ok {
			continue
		}
		if piece.layer == alone || s.reply {
			for _, q := range piece.ports {
				if m, ok := w.narrow(n, fabric.Dst, q.set); ok {
					w.hop(m, at, siteOf(q.port))
				}
			}
			continue
		}
		w.hop(n, at, site{place(piece.layer), byDst, piece.ports[0].port})
	}
	if o.nobody == emptySet {
		return
	}
	// The reason names the route, so each route's part is a leaf of its own.
	for _, b := range w.exact(table, o.nobody) {
		if n, ok := w.narrow(s, fabric.Dst, b.set); ok {
			w.emit(leaf{
				state: n, verdict: fabric.VerdictDeny, code: fabric.CodeNoPort, stop: at,
				filter: fabric.None, rule: fabric.None, table: table, route: b.route,
			})
		}
	}
}

// hop is a step inside the network, from one port to the next.
func (w *walk) hop(s state, at, next site) {
	if s.how&forwarded == 0 {
		w.to(s, next, 0)
		return
	}
	w.readdress(s, at, func(s state) { w.to(s, next, 0) })
}

// to sends a box to a port, to arrive in the next round, taken or admitted.
func (w *walk) to(s state, at site, how manner) {
	s.at, s.how = at, how
	w.next = append(w.next, s)
}

// end makes a leaf whose reason names only a port.
func (w *walk) end(s state, at site, v fabric.Verdict, code fabric.Code) {
	w.emit(leaf{
		state: s, verdict: v, code: code, stop: at,
		filter: fabric.None, rule: fabric.None, table: fabric.None, route: fabric.None,
	})
}

func (w *walk) emit(l leaf) {
	if w.steps++; w.over() {
		return
	}
	if w.replies && !l.reply && l.verdict == fabric.VerdictAllow && l.code != fabric.CodePlatform {
		w.startReply(l.state, l.stop)
		return
	}
	w.leaf(l)
}
