package engine

import (
	"iter"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// FlowID names a flow in an engine's table; 0 is no flow. The IDs of forgotten
// flows are not used again.
type FlowID uint64

func id(n uint32, f *flow) FlowID { return FlowID(f.gen)<<32 | FlowID(n) }

// FlowEvent tells what was decided about one direction of a flow.
type FlowEvent struct {
	Now   time.Duration
	Image *fabric.Image
	ID    FlowID // 0 if the table had no room for a denied flow
	Reply bool   // the direction back to the opener
	Again bool   // the flow goes on: another image composes its action anew
	From  fabric.PortID
	// Platform means that the platform sent the packet: a health probe.
	Platform bool
	Packet   fabric.Packet // as it entered
	Final    fabric.Packet // as it arrived or was stopped
	Verdict  fabric.Verdict
	Reason   fabric.Reason
	Path     []fabric.PortID // the ports passed, the first and the last included
	Delay    time.Duration
}

func (e *Engine) event(now time.Duration, id FlowID, dir int, k, final key, again bool) {
	if e.opts.OnFlow == nil {
		return
	}
	w := &e.walk
	e.opts.OnFlow(FlowEvent{
		Now: now, Image: e.prog.img, ID: id, Reply: dir == backward, Again: again, From: k.at(), Platform: k.platform(), Packet: k.packet(), Final: final.packet(),
		Verdict: w.verdict, Reason: w.reason, Path: w.path(), Delay: w.delay(),
	})
}

// Direction is what a flow did one way.
type Direction struct {
	From           fabric.PortID
	Packet         fabric.Packet // as it enters
	Packets, Bytes uint64
	// Decided is false while no packet of this direction was seen, and the
	// fields below say nothing then.
	Decided bool
	Verdict fabric.Verdict
	Reason  fabric.Reason
	Path    []fabric.PortID
	Delay   time.Duration
}

// Flow is a copy of a flow's record. Its counters only grow: who reads them
// again and again, by [Engine.Flow] or [Engine.Scan], has what passed since.
type Flow struct {
	ID      FlowID
	Began   time.Duration // when its first packet came
	Seen    time.Duration // when its last packet came
	Idle    time.Duration // how long it may stay silent before it is forgotten
	Closed  bool          // TCP: both ends finished, or one reset it
	Forward Direction
	Reply   Direction // meaningless unless the first packet was delivered
	// Platform means that the platform opened it: a health probe.
	Platform bool
	// Choices are the targets that redirects chose for it, as positions in the
	// image in force; empty if another image composed its action.
	Choices []fabric.Choice
}

// Over reports whether the flow has ended at a time of the engine, although its
// record may still be there.
func (f *Flow) Over(now time.Duration) bool { return f.Closed || now-f.Seen > f.Idle }

// Flow returns a flow of the table.
func (e *Engine) Flow(fid FlowID) (Flow, bool) {
	n := uint32(fid)
	if int(n) >= len(e.table.chunks)*chunk {
		return Flow{}, false
	}
	f := e.table.flow(n)
	if f.gen&1 == 0 || id(n, f) != fid {
		return Flow{}, false
	}
	return e.export(n, f), true
}

// Flows returns every flow of the table, in no order.
func (e *Engine) Flows() iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		for n := range uint32(len(e.table.chunks) * chunk) {
			if f := e.table.flow(n); f.gen&1 == 1 && !yield(e.export(n, f)) {
				return
			}
		}
	}
}

// Scan calls f with the flows among the next records of the table, at most 256
// of them, and returns where to go on: 0 when there are no more. It is for
// looking at a large table without keeping packets waiting.
func (e *Engine) Scan(from uint32, f func(Flow)) (next uint32) {
	end := min(from+chunk, uint32(len(e.table.chunks)*chunk))
	for n := from; n < end; n++ {
		if x := e.table.flow(n); x.gen&1 == 1 {
			f(e.export(n, x))
		}
	}
	if end == uint32(len(e.table.chunks)*chunk) {
		return 0
	}
	return end
}

func (e *Engine) export(n uint32, f *flow) Flow {
	way := func(dir int) Direction {
		w := &f.ways[dir]
		return Direction{
			From: w.key.at(), Packet: w.key.packet(), Packets: w.packets, Bytes: w.bytes,
			Decided: w.epoch == e.epoch, Verdict: w.verdict, Reason: w.reason, Path: slices.Clone(w.path), Delay: w.delay,
		}
	}
	var choices []fabric.Choice
	for i := range f.pins {
		if p := &f.pins[i]; p.epoch == e.epoch {
			if k, ok := p.in(&e.prog.img.Ports[p.at].Inward.Redirects[p.redirect]); ok {
				choices = append(choices, fabric.Choice{Port: p.at, Redirect: p.redirect, Target: k})
			}
		}
	}
	out := Flow{ID: id(n, f), Choices: choices, Began: f.began, Seen: f.seen, Idle: f.idle, Closed: f.closed(), Platform: f.ways[forward].key.platform(), Forward: way(forward)}
	switch {
	case f.state&delivered == 0:
	case f.ways[forward].key == f.ways[backward].key:
		// Somebody talks to himself from and to one port: there is one way.
		out.Reply = out.Forward
	default:
		out.Reply = way(backward)
	}
	return out
}

// Forget drops every flow, as a restart would.
func (e *Engine) Forget() {
	for n := range uint32(len(e.table.chunks) * chunk) {
		if e.table.flow(n).gen&1 == 1 {
			e.forget(e.now, n, EndForgotten)
		}
	}
	e.table, e.wheel = newTable(e.table.max), wheel{at: e.wheel.at}
}
