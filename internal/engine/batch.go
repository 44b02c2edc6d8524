package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// batch is how many packets are looked up together: their memory accesses
// overlap instead of waiting for one another.
const batch = 64

// Frame is a packet and the port where it enters.
type Frame struct {
	At     fabric.PortID
	Packet []byte
}

// ProcessBatch is Process for many packets, in order. results must be at least
// as long as frames.
func (e *Engine) ProcessBatch(now time.Duration, frames []Frame, results []Result) {
	for len(frames) > 0 {
		n := min(len(frames), batch)
		e.vector(now, frames[:n], results[:n])
		frames, results = frames[n:], results[n:]
	}
}

func (e *Engine) vector(now time.Duration, frames []Frame, results []Result) {
	mask := uint32(len(e.table.slots) - 1)
	var touched uint32
	for i := range frames {
		h := &e.heads[i]
		results[i].Fault = e.read(h, frames[i].At, frames[i].Packet)
		e.hashes[i] = h.key.hash()
		touched ^= e.table.slots[e.hashes[i]&mask].ref // fetches the line
	}
	// The next pass fetches the flow records the slots point to.
	for i := range frames {
		if s := e.table.slots[e.hashes[i]&mask]; s.hash == e.hashes[i] && s.ref != 0 {
			n := (s.ref - 1) >> 1
			touched ^= e.table.chunks[n/chunk][n%chunk].ways[(s.ref-1)&1].epoch
		}
	}
	e.touched = touched // keeps the compiler from dropping the fetches
	for i := range frames {
		if f := results[i].Fault; f != fabric.FaultNone {
			results[i] = e.fault(f)
			continue
		}
		e.process(now, &e.heads[i], e.hashes[i], frames[i].Packet, &results[i])
	}
}
