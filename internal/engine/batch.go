package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// batch is how many packets are looked up together: their memory accesses
// overlap instead of waiting for one another.
const batch = 64

// Frame is an IP packet and the port where it enters.
type Frame struct {
	At fabric.PortID
	// Platform means that the platform sends the packet to the port: a health
	// probe, or an answer to what the port asked of it.
	Platform bool
	Packet   []byte
	Offload  Offload
}

// Offload is what a packet leaves to the interface that takes it out: the parts
// of a virtio network header that concern IP (Virtual I/O Device 1.2, section
// 5.1.6). The zero value is a packet that is complete.
type Offload struct {
	// Partial means that the transport checksum's field holds the sum of the
	// pseudo-header only, not inverted.
	Partial bool
	// Segment is the payload, in bytes, of each of the packets that this one is
	// to be cut into; 0 means that it is not. Such a packet is at most 65,535
	// bytes long.
	Segment uint16
	// Kind says how it is cut; meaningless if Segment is 0.
	Kind Segmentation
}

// Segmentation is how a packet is cut into segments.
type Segmentation uint8

// The kinds of segmentation.
const (
	SegmentTCP Segmentation = iota // of IPv4 or IPv6, as the packet says
	SegmentUDP                     // datagrams of the same flow
)

// ProcessBatch is Process for many packets, in order. results must be at least
// as long as frames.
func (e *Engine) ProcessBatch(now time.Duration, frames []Frame, results []Result) {
	e.now = now
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
		f := &frames[i]
		results[i].Fault = e.read(h, f.At, f.Packet)
		if f.Platform {
			h.key.tail |= byPlatform
		}
		h.partial = f.Offload.Partial
		e.hashes[i] = h.key.hash()
		touched ^= e.table.slots[e.hashes[i]&mask].ref // fetches the line
	}
	// The next pass fetches the flow records the slots point to.
	for i := range frames {
		if s := e.table.slots[e.hashes[i]&mask]; s.hash == e.hashes[i] && s.ref != 0 {
			n := (s.ref - 1) >> 1
			f := e.table.flow(n)
			w := &f.ways[(s.ref-1)&1]
			touched ^= f.gen ^ w.epoch ^ uint32(w.edit.what) // a line of memory each
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
