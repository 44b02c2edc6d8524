package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// A pool translates to source ports from 1024 up: 64,512 per public address
// and destination, as Azure NAT Gateway documents.
const (
	poolFirst = 1024
	poolSize  = 1<<16 - poolFirst
)

// ends are the two ends of a delivered first packet: the packet's key as it
// arrived, and the key its replies will have.
type ends struct {
	final, back key
	// shared means another flow owns the back key: replies belong to it.
	shared bool
}

// first walks the image for a packet of the first direction of a flow; f is
// the flow if there was one before. Where a pool translates, the source port is
// kept if no other flow has the same way back, and chosen otherwise.
func (e *Engine) first(now time.Duration, k key, f *flow, opens bool) (ends, fabric.Fault) {
	w := &e.walk
	sport := -1
	if f != nil {
		sport = f.sport
	}
	x := e.try(k, f, opens, sport)
	if w.verdict != fabric.VerdictAllow || !e.taken(now, x.back, f) {
		return x, fabric.FaultNone
	}
	if !w.pooled {
		x.shared = true
		return x, fabric.FaultNone
	}
	if !w.p.HasPorts() && !k.isICMP() {
		return x, fabric.FaultTableFull // nothing to tell the flows apart by
	}
	offset := k.hash() % poolSize
	for i := range uint32(poolSize) {
		port := uint16(poolFirst + (offset+i)%poolSize)
		// Cheap test first: most likely the other port ends at the same place.
		if e.taken(now, x.final.from(port).reverse(x.back.at()), f) {
			continue
		}
		y := e.try(k, f, opens, int(port))
		if w.verdict != fabric.VerdictAllow || !e.taken(now, y.back, f) {
			return y, fabric.FaultNone
		}
	}
	return x, fabric.FaultTableFull
}

// try walks with one choice of the pool's source port.
func (e *Engine) try(k key, f *flow, opens bool, sport int) ends {
	w := &e.walk
	w.reset(e.prog, e.epoch, k.packet())
	w.flow, w.recheck, w.opens, w.sport = f, f != nil, opens, sport
	if k.platform() {
		w.fromPlatform(k.at())
	} else {
		w.start(k.at())
	}
	final := k.with(w.p)
	if w.pooled && sport >= 0 && k.isICMP() {
		final = final.from(uint16(sport))
	}
	back := final.reverse(w.last())
	if w.reason.Code == fabric.CodePlatform {
		back.tail |= byPlatform
	}
	return ends{final: final, back: back}
}

// taken reports whether a flow other than f has a key, and forgets that flow
// if it expired.
func (e *Engine) taken(now time.Duration, k key, f *flow) bool {
	n, _, ok := e.table.find(&k, k.hash())
	if !ok {
		return false
	}
	other := e.table.flow(n)
	if other == f {
		return false
	}
	if other.over(now) {
		e.forget(now, n, other.ending())
		return false
	}
	return true
}
