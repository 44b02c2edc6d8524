package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// DefaultMaxFlows is how many flows an engine remembers unless told otherwise.
const DefaultMaxFlows = 1 << 20

// Options configure an engine. The zero value is ready to use.
type Options struct {
	// MaxFlows bounds the flow table; 0 means DefaultMaxFlows.
	MaxFlows int
	// OnFlow is called when the action of a direction of a flow is composed:
	// for its first packet, and again after Swap. Never per packet. It must not
	// call the engine.
	OnFlow func(FlowEvent)
	// OnClose is called when a flow ends, once for every flow that OnFlow told
	// with an ID. It must not call the engine.
	OnClose func(FlowEnd)
	// Choose picks the targets of redirects for new flows; nil means by
	// [fabric.Chooser].
	Choose fabric.Choose
	// Route names the path of a direction when its action is composed, the first
	// port and the last included: [Result.Route] repeats it for every packet.
	// The path must not be kept. nil means that nobody asks.
	Route func(path []fabric.PortID) int32
}

// Engine moves packets through an image. It is not safe for concurrent use.
type Engine struct {
	prog  *program
	epoch uint32
	table table
	opts  Options
	walk  walk
	wheel wheel
	pools pools
	out   []Frame       // packets that wait for Advance
	now   time.Duration // the latest that was seen
	// counted is how many packets had passed when rules were last told of them.
	counted uint64
	stats   Stats
	heads   [batch]header
	hashes  [batch]uint32
	// touched is where vector leaves what it fetched ahead.
	touched uint32
}

// Stats count what the engine did since it was made.
type Stats struct {
	Packets, Bytes uint64
	Delivered      uint64                   // packets with verdict allow
	Faults         [fabric.NumFaults]uint64 // packets by fault; FaultNone counts the rest
	Walks          uint64                   // actions composed
	Ended          [endKinds]uint64         // flows by what ended them
	Flows          int                      // flows now in the table
}

// Result is what became of one packet.
type Result struct {
	Verdict fabric.Verdict
	Fault   fabric.Fault // if not FaultNone the packet is lost and Verdict is deny
	// Out is the port that takes a delivered packet, None for the others. A
	// packet to the platform (CodePlatform) goes out where it came in.
	Out    fabric.PortID
	Flow   FlowID
	Delay  time.Duration // one-way propagation along the path
	Route  int32         // what [Options.Route] says of the path; 0 without it
	Reason fabric.Reason
}

// New returns an engine for an image that passed [fabric.Image.Check].
func New(img *fabric.Image, opts Options) *Engine {
	if opts.MaxFlows <= 0 {
		opts.MaxFlows = DefaultMaxFlows
	}
	opts.MaxFlows = min(opts.MaxFlows, 1<<30)
	return &Engine{prog: newProgram(img, opts.Choose), epoch: 1, table: newTable(opts.MaxFlows), opts: opts}
}

// Image returns the image in force.
func (e *Engine) Image() *fabric.Image { return e.prog.img }

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Flows = e.table.count
	s.Faults[fabric.FaultNone] = s.Packets
	for _, n := range e.stats.Faults[fabric.FaultNone+1:] {
		s.Faults[fabric.FaultNone] -= n
	}
	return s
}

// Hits returns how many first packets each rule of a filter decided since the
// image came into force; the last element counts the filter's default.
func (e *Engine) Hits(id fabric.FilterID) []uint64 {
	if f := e.prog.filters[id]; f != nil {
		return append([]uint64(nil), f.hits...)
	}
	return make([]uint64, len(e.prog.img.Filters[id].Rules)+1)
}

// Process moves one IPv4 or IPv6 packet that enters at a port. now is the time
// since any fixed moment and must not go back. A delivered packet is rewritten
// in place.
func (e *Engine) Process(now time.Duration, at fabric.PortID, pkt []byte) (r Result) {
	e.now = now
	h := &e.heads[0]
	if fault := e.read(h, at, pkt); fault != fabric.FaultNone {
		return e.fault(fault)
	}
	e.process(now, h, h.key.hash(), pkt, &r)
	return r
}

// read counts and parses a packet.
func (e *Engine) read(h *header, at fabric.PortID, pkt []byte) fabric.Fault {
	e.stats.Packets++
	e.stats.Bytes += uint64(len(pkt))
	if uint(at) >= uint(len(e.prog.img.Ports)) || at >= maxPorts {
		return fabric.FaultNoPort
	}
	return h.parse(at, pkt)
}

func (e *Engine) process(now time.Duration, h *header, hash uint32, pkt []byte, r *Result) {
	if h.icmpError && e.quote(now, h, pkt, r) {
		return
	}
	f, n, dir := e.table.find(&h.key, hash)
	if f == nil {
		e.begin(now, h, pkt, r)
		return
	}
	w := &f.ways[dir]
	if w.epoch != e.epoch || f.expired(now) || h.flags&(tcpSYN|tcpFIN|tcpRST) != 0 {
		if again := e.renew(now, n, dir, h); again {
			e.begin(now, h, pkt, r)
			return
		}
	}
	f.seen = now
	e.act(f, n, dir, h, pkt, r)
}

// act applies a composed action to a packet.
func (e *Engine) act(f *flow, n uint32, dir int, h *header, pkt []byte, r *Result) {
	w := &f.ways[dir]
	if f.state&tracked != 0 {
		f.track(dir, h, pkt)
	}
	w.packets++
	w.bytes += uint64(h.end)
	if w.edit.what != 0 {
		w.edit.apply(pkt[:h.end], h.l4, h.key.proto(), h.v6, h.partial)
	}
	if w.verdict == fabric.VerdictAllow {
		e.stats.Delivered++
	}
	r.Verdict, r.Fault, r.Out, r.Flow, r.Delay, r.Route = w.verdict, fabric.FaultNone, w.out, id(n, f), w.delay, w.route
	r.Reason = w.reason
}

// renew handles what an existing flow needs beyond its composed action: a new
// image, the end of its life, TCP's opening and closing. It reports whether the
// flow is forgotten and the packet begins another.
func (e *Engine) renew(now time.Duration, n uint32, dir int, h *header) (again bool) {
	f := e.table.flow(n)
	w := &f.ways[dir]
	opens := h.flags&tcpSYN != 0 && h.opens
	var why End
	switch {
	case f.expired(now):
		why = f.ending()
	case f.state&draining != 0 && now >= f.until:
		why = EndDrained
	case f.state&delivered == 0 && w.epoch != e.epoch:
		why = EndSwap // denied flows have no record to keep under a new image
	case opens && f.closed():
		why = f.ending()
	case w.epoch != e.epoch && !e.compose(now, n, dir, h.opens):
		why = EndSwap
	case opens && dir == forward && w.refused():
		why = EndReplaced
	default:
		e.progress(now, n, f, dir, h)
		return false
	}
	e.forget(now, n, why)
	return true
}

// progress follows TCP's opening and closing.
func (e *Engine) progress(now time.Duration, n uint32, f *flow, dir int, h *header) {
	if f.state&delivered == 0 {
		return
	}
	was := f.closed()
	switch {
	case h.flags&tcpRST != 0:
		f.state |= sawReset
	case h.flags&tcpFIN != 0:
		f.state |= finOut << dir
	case h.flags&tcpSYN != 0 && dir == backward:
		f.state |= replied
	}
	f.idle = f.patience()
	if !was && f.closed() {
		f.closedAt = now
		e.plan(n, f, now+min(linger, f.idle))
	}
}

// refused reports whether what stops this direction lets a new flow begin: no
// session, or a target that is gone.
func (w *way) refused() bool {
	return w.reason.Code == fabric.CodeNoSession || w.reason.Code == fabric.CodeNoTarget
}

// begin is the first packet of a flow.
func (e *Engine) begin(now time.Duration, h *header, pkt []byte, r *Result) {
	e.turn(now)
	x, fault := e.first(now, h.key, nil, h.opens)
	if fault != fabric.FaultNone {
		*r = e.fault(fault)
		return
	}
	w := &e.walk
	if w.late {
		e.refuse(h, pkt)
	}
	allowed := w.verdict == fabric.VerdictAllow
	n, f, ok := e.table.add(h.key, now)
	if !ok {
		if allowed {
			x.lease.free()
			*r = e.fault(fabric.FaultTableFull)
			return
		}
		// A denial needs no record: the next packet is denied again.
		e.stats.Walks++
		e.event(now, 0, forward, h.key, x.final, false)
		*r = Result{Verdict: w.verdict, Reason: w.reason, Out: fabric.None}
		return
	}
	f.source.port = -1
	if !h.opens {
		f.state |= replied
	}
	e.settle(now, n, x)
	e.progress(now, n, f, forward, h)
	f.idle = f.patience()
	e.plan(n, f, now+f.idle)
	e.act(f, n, forward, h, pkt, r)
}

// settle writes the outcome of the first direction's walk into its flow.
func (e *Engine) settle(now time.Duration, n uint32, x ends) {
	w, f := &e.walk, e.table.flow(n)
	if w.verdict == fabric.VerdictAllow {
		f.state |= delivered
		f.passed = append(f.passed[:0], w.hops...)
		f.changes = append(f.changes[:0], w.changes...)
		f.pins = append(f.pins[:0], w.pins...)
		f.direct = w.direct
		if f.limits = w.limits; !w.limited {
			f.limits.Timers = filled(fabric.Timers{})
		}
		if x.back.proto() == fabric.ProtoTCP && (f.limits.reset == fabric.ResetIdle || f.limits.drain > 0) {
			f.state |= tracked
		}
		if f.lease != x.lease {
			f.lease.free()
		}
		f.lease, f.source = x.lease, source{port: -1}
		if w.pooled {
			f.source.port = int(x.final.sport())
			if l := &w.lender; l.out != nil {
				f.source.addr = l.after.Src
			}
		}
		back := &f.ways[backward]
		if back.key != x.back || !back.indexed {
			e.table.unindex(n, backward)
			back.key = x.back
			if !x.shared && x.back != f.ways[forward].key {
				e.table.index(n, backward, x.back)
			}
		}
		back.epoch = 0 // routed anew when it is used
	}
	e.write(now, n, forward, x.final)
}

// compose walks again for a direction of an established flow. It reports false
// if no room is left for the flow.
func (e *Engine) compose(now time.Duration, n uint32, dir int, opens bool) bool {
	f := e.table.flow(n)
	if dir == forward {
		x, fault := e.first(now, f.ways[forward].key, f, opens)
		if fault != fabric.FaultNone {
			return false
		}
		e.settle(now, n, x)
		return true
	}
	w := &e.walk
	k := f.ways[backward].key
	w.reset(e.prog, e.epoch, k.packet())
	w.dir, w.flow = backward, f
	w.recheck = f.ways[forward].epoch != e.epoch
	from := f.ways[forward].key
	switch {
	case from.platform():
		w.toPlatform(k.at())
	case k.platform():
		w.platform(from.at())
	default:
		w.answer(k.at())
	}
	final := k.with(w.p)
	if w.verdict == fabric.VerdictAllow {
		final = from.reverse(from.at()).moved(k.at()) // with the identifier as it was
	}
	e.write(now, n, backward, final)
	return true
}

// write stores the walk's outcome as the action of a direction.
func (e *Engine) write(now time.Duration, n uint32, dir int, final key) {
	w, f := &e.walk, e.table.flow(n)
	a := &f.ways[dir]
	f.use(w.rules)
	a.epoch, a.verdict, a.reason, a.unseen = e.epoch, w.verdict, w.reason, w.unseen
	a.delay, a.path, a.out, a.edit = w.delay(), w.path(), fabric.None, edit{}
	if e.opts.Route != nil {
		a.route = e.opts.Route(a.path)
	}
	if w.verdict == fabric.VerdictAllow {
		a.out = w.last()
		a.edit = newEdit(a.key, final)
	}
	e.stats.Walks++
	if !f.told { // else only its last packets straggle
		e.event(now, id(n, f), dir, a.key, final, a.packets > 0)
	}
}

func (e *Engine) fault(f fabric.Fault) Result {
	e.stats.Faults[f]++
	return Result{Verdict: fabric.VerdictDeny, Reason: fabric.At(fabric.CodeNone, fabric.None), Fault: f, Out: fabric.None}
}
