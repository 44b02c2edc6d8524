package engine

import (
	"cmp"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// What fills the zero fields of an image's [fabric.Timers]. The image has the
// timers that somebody can set; these are Azure's defaults, and for what it does
// not document, ours.
const (
	// idleTimeout is Azure's default flow timeout, 4 minutes.
	idleTimeout = 4 * time.Minute
	// halfOpenTimeout is how long a TCP flow waits for its handshake where no
	// device on the way says otherwise. Ours: as long as for any packet.
	halfOpenTimeout = idleTimeout
	// finTimeout and resetTimeout are how long a closed TCP flow keeps its
	// source port; the timers Azure NAT Gateway documents.
	finTimeout   = 65 * time.Second
	resetTimeout = 16 * time.Second
	// deniedTimeout bounds how long a denied flow's verdict is remembered.
	deniedTimeout = 10 * time.Second
	// linger is how long after its last FIN, or a RST, a flow is told to have
	// ended: its last packets count.
	linger = 2 * time.Second
)

// limits are a flow's timers: those of the device on its way that forgets it
// first, and what that device does then.
type limits struct {
	fabric.Timers
	reset fabric.Reset
	drain time.Duration // how long it goes on after its target was taken out
}

func filled(t fabric.Timers) fabric.Timers {
	return fabric.Timers{
		Idle: cmp.Or(t.Idle, idleTimeout), IdleUDP: cmp.Or(t.IdleUDP, idleTimeout), HalfOpen: cmp.Or(t.HalfOpen, halfOpenTimeout),
		FIN: cmp.Or(t.FIN, finTimeout), RST: cmp.Or(t.RST, resetTimeout), RestUDP: t.RestUDP,
	}
}

// limit takes a device's timers into account.
func (w *walk) limit(t fabric.Timers, reset fabric.Reset) {
	if t = filled(t); !w.limited || t.Idle < w.limits.Idle {
		w.limited, w.limits = true, limits{Timers: t, reset: reset, drain: w.limits.drain}
	}
}

// patience is how long a flow may be silent in the state it is in.
func (f *flow) patience() time.Duration {
	switch {
	case f.state&delivered == 0:
		return deniedTimeout
	case f.state&sawReset != 0:
		return f.limits.RST
	case f.closed():
		return min(f.limits.Idle, f.limits.FIN)
	case f.ways[forward].key.proto() != fabric.ProtoTCP:
		return f.limits.IdleUDP
	case f.state&replied == 0:
		return min(f.limits.Idle, f.limits.HalfOpen)
	default:
		return f.limits.Idle
	}
}

// resting is how long a forgotten flow's record stays so that nobody else takes
// its source port.
func (f *flow) resting() time.Duration {
	if f.lease.pool == nil || f.state&delivered == 0 || f.ways[forward].key.proto() == fabric.ProtoTCP {
		return 0
	}
	return f.limits.RestUDP
}

// Ticks of the wheel.
const (
	tick   = time.Second
	spokes = 512 // further ahead is looked at again when they have turned
)

// wheel remembers when flows want to be looked at. A flow has one place in it
// that counts, flow.due; it moves on only when it is reached, so that packets
// need not touch it.
type wheel struct {
	at    int64 // the last tick that was reached
	turns [][]timer
	spare []timer
	count int
}

type timer struct{ n, gen uint32 }

// plan makes sure that a flow is looked at by a time.
func (e *Engine) plan(n uint32, f *flow, by time.Duration) {
	w := &e.wheel
	if w.turns == nil {
		w.turns = make([][]timer, spokes)
	}
	due := min(max(int64((by+tick-1)/tick), w.at+1), w.at+spokes-1)
	if f.due > w.at && f.due <= due {
		return // looked at before; it plans again then
	}
	f.due = due
	w.turns[due%spokes] = append(w.turns[due%spokes], timer{n, f.gen})
	w.count++
}

// turn looks at every flow whose time has come.
func (e *Engine) turn(now time.Duration) {
	w := &e.wheel
	to := int64(now / tick)
	if to-w.at > spokes {
		w.at = to - spokes // every spoke comes by once
	}
	for w.at < to {
		w.at++
		if w.count == 0 {
			w.at = to
			return
		}
		spoke := w.turns[w.at%spokes]
		if len(spoke) == 0 {
			continue
		}
		w.turns[w.at%spokes], w.spare = w.spare[:0], nil
		w.count -= len(spoke)
		for _, t := range spoke {
			// A flow that was planned for earlier since has its place elsewhere.
			if f := e.table.flow(t.n); f.gen == t.gen && f.due <= w.at {
				e.look(now, t.n, f)
			}
		}
		w.spare = spoke[:0]
	}
}

// next is when the wheel wants to turn again; 0 if never.
func (w *wheel) next() time.Duration {
	if w.count == 0 {
		return 0
	}
	for i := int64(1); i < spokes; i++ {
		if len(w.turns[(w.at+i)%spokes]) > 0 {
			return time.Duration(w.at+i) * tick
		}
	}
	return time.Duration(w.at+spokes) * tick
}

// look does what is due with a flow: it ends, its record goes, or it goes on.
func (e *Engine) look(now time.Duration, n uint32, f *flow) {
	f.due = 0
	if f.state&draining != 0 && now >= f.until {
		e.abort(f)
		e.forget(now, n, EndDrained)
		return
	}
	over := f.seen + f.idle
	switch {
	case now > over+f.resting():
		if !f.told && f.limits.reset == fabric.ResetIdle && f.state&established != 0 && !f.closed() {
			e.abort(f)
		}
		e.forget(now, n, f.ending())
		return
	case now > over:
		e.tell(now, n, f, EndIdle)
		over += f.resting()
	case f.closed() && !f.told:
		if now >= f.closedAt+linger {
			e.tell(now, n, f, f.ending())
		} else {
			over = min(over, f.closedAt+linger)
		}
	}
	if f.state&draining != 0 {
		over = min(over, f.until)
	}
	e.plan(n, f, over)
}

// Advance does what time alone brings about: silent flows end, and both ends of
// one are told where its way says so (RFC 9293 RST segments, from address to
// address as each end knows them). emit gets the packets that the engine sends
// by itself, each with the port that takes it; it must not call the engine and
// may keep the packet. Advance returns when it wants to be called again, 0 if
// only after packets have passed. Calling it late, or not at all, only delays
// what it does: no packet finds a flow whose time is over.
func (e *Engine) Advance(now time.Duration, emit func(Frame)) (next time.Duration) {
	e.now = max(e.now, now)
	e.turn(now)
	for i := range e.out {
		emit(e.out[i])
		e.out[i] = Frame{}
	}
	e.out = e.out[:0]
	return e.wheel.next()
}

// Pending reports whether the engine has packets to send that [Engine.Advance]
// would emit at once.
func (e *Engine) Pending() bool { return len(e.out) > 0 }

// maxOut bounds the packets that wait for Advance; more are lost.
const maxOut = 4096

func (e *Engine) send(to fabric.PortID, pkt []byte) {
	if to >= 0 && len(e.out) < maxOut {
		e.out = append(e.out, Frame{At: to, Packet: pkt})
	}
}
