package engine

import (
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// ends are the two ends of a delivered first packet: the packet's key as it
// arrived, and the key its replies will have.
type ends struct {
	final, back key
	// shared means another flow owns the back key: replies belong to it.
	shared bool
	lease  lease // the source port that the flow holds from now on
}

// source is what a pool translates to: a port, and the address of an outbound
// pool. A negative port keeps the packet's, an invalid address takes the first.
type source struct {
	addr netip.Addr
	port int
}

// first walks the image for a packet of the first direction of a flow; f is
// the flow if there was one before. Where a pool translates, the flow keeps its
// source if it may, else its source port is kept if it is free, and another
// taken otherwise.
func (e *Engine) first(now time.Duration, k key, f *flow, opens bool) (ends, fabric.Fault) {
	w := &e.walk
	have := source{port: -1}
	if f != nil {
		have = f.source
	}
	x := e.try(k, f, opens, have)
	if w.verdict != fabric.VerdictAllow {
		return x, fabric.FaultNone
	}
	if !w.pooled {
		x.shared = e.taken(now, x.back, f)
		return x, fabric.FaultNone
	}
	if !w.p.HasPorts() && !k.isICMP() {
		// Nothing tells the flows of a port apart.
		if e.taken(now, x.back, f) {
			return x, fabric.FaultPortsExhausted
		}
		return x, fabric.FaultNone
	}
	return e.lend(now, k, f, opens, x)
}

// lend finds the source port of a flow: x is how its packet fares with the port
// that it has, or would keep.
func (e *Engine) lend(now time.Duration, k key, f *flow, opens bool, x ends) (ends, fabric.Fault) {
	w := &e.walk
	from := w.lender
	p := e.pool(&from, k.proto())
	to, port := p.remote(from.after), x.final.sport()
	if from.after.HasPorts() {
		port = from.after.SrcPort
	}
	want, ok := p.indexOf(from.after.Src, port)
	if !ok {
		want = -1
	}
	if f != nil && ok && f.lease == (lease{p, want, to}) && !e.taken(now, x.back, f) {
		x.lease = f.lease
		return x, fabric.FaultNone
	}
	if f != nil {
		f.lease.free()
	}
	found, last := false, want
	p.search(to, want, k.hash(), func(i int32) bool {
		addr, port := p.at(i)
		if i != last {
			// Cheap test first: most likely another port ends at the same place.
			like := x.final.from(port)
			if from.after.Src == x.final.packet().Src {
				like.src = fabric.AddrValue(addr)
			}
			if e.taken(now, like.reverse(x.back.at()), f) {
				return false
			}
			x, last = e.try(k, f, opens, source{addr, int(port)}), i
			if w.verdict != fabric.VerdictAllow {
				found = true // rules tell the source port apart
				return true
			}
		}
		if e.taken(now, x.back, f) {
			return false
		}
		x.lease, found = p.hold(to, i), true
		return true
	})
	if !found {
		p.exhausted++
		return x, fabric.FaultPortsExhausted
	}
	return x, fabric.FaultNone
}

// try walks with one choice of the pool's source.
func (e *Engine) try(k key, f *flow, opens bool, s source) ends {
	w := &e.walk
	w.reset(e.prog, e.epoch, k.packet())
	w.flow, w.recheck, w.opens, w.source = f, f != nil, opens, s
	if k.platform() {
		w.fromPlatform(k.at())
	} else {
		w.start(k.at())
	}
	final := k.with(w.p)
	if w.pooled && s.port >= 0 && k.isICMP() {
		final = final.from(uint16(s.port))
	}
	back := final.reverse(w.last())
	if w.reason.Code == fabric.CodePlatform {
		back.tail |= byPlatform
	}
	return ends{final: final, back: back}
}

// taken reports whether a flow other than f has a key, and forgets that flow
// if its record is over.
func (e *Engine) taken(now time.Duration, k key, f *flow) bool {
	other, n, _ := e.table.find(&k, k.hash())
	if other == nil || other == f {
		return false
	}
	if other.over(now) {
		e.forget(now, n, other.ending())
		return false
	}
	return true
}
