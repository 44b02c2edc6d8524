package live

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/model"
)

// This file is the thinking part of the underlay: what one declared link does
// with a packet that enters it at a time.

// fate is what became of a packet at a link.
type fate uint8

const (
	fatePasses fate = iota
	fateLost
	fateQueueFull
	fateTooLong
)

// LinkStats count what one direction of a declared link did.
type LinkStats struct {
	Packets uint64 // that entered it, whatever became of them
	Bytes   uint64
	Lost    uint64 // by its loss
	Full    uint64 // because its queue was full
	TooLong uint64 // longer than its MTU
}

// lane is one direction of a declared link. Its user serialises the calls.
type lane struct {
	link *model.UnderlayLink
	seed uint64
	// free is when the lane has sent all that waits; last is when the last
	// packet arrives at its end: jitter does not put packets out of order.
	free, last time.Time
	count      uint64
	stats      LinkStats
}

// newLane makes a direction of the link at a position of the declaration.
func newLane(u *model.Underlay, link, direction int) *lane {
	return &lane{link: &u.Links[link], seed: stir(stir(u.Seed, uint64(link)), uint64(direction))}
}

// cross takes a packet that enters at a time and says when it arrives beyond
// what propagation takes. Jitter is scaled as the latency is. size is what the
// packet takes on the wire, longest its longest piece.
func (l *lane) cross(now time.Time, size, longest int, propagation time.Duration, scale float64) (delay time.Duration, f fate) {
	l.stats.Packets++
	l.stats.Bytes += uint64(size)
	l.count++
	if l.link.MTU > 0 && longest > l.link.MTU {
		l.stats.TooLong++
		return 0, fateTooLong
	}
	if l.link.Loss > 0 && chance(stir(l.seed, 2*l.count)) < l.link.Loss {
		l.stats.Lost++
		return 0, fateLost
	}
	at := now
	if l.link.Bandwidth > 0 {
		begin := now
		if l.free.After(now) {
			begin = l.free
		}
		waiting := begin.Sub(now).Seconds() * float64(l.link.Bandwidth) / 8
		if waiting+float64(size) > float64(l.link.Queue) && begin.After(now) {
			l.stats.Full++
			return 0, fateQueueFull
		}
		l.free = begin.Add(time.Duration(float64(size) * 8 / float64(l.link.Bandwidth) * float64(time.Second)))
		at = l.free
	}
	at = at.Add(propagation)
	if l.link.Jitter > 0 {
		at = at.Add(time.Duration(chance(stir(l.seed, 2*l.count+1)) * float64(l.link.Jitter) * scale))
	}
	if at.Before(l.last) && (l.link.Jitter > 0 || l.link.Bandwidth > 0) {
		at = l.last
	}
	l.last = at
	return at.Sub(now), fatePasses
}

// stir mixes a word into a hash (the finaliser of SplitMix64, Vigna).
func stir(h, x uint64) uint64 {
	h += x + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// chance turns a hash into a number of [0, 1).
func chance(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// hollowCore is what propagation takes in fibre with a hollow core, compared
// with solid glass: light travels at almost its speed in vacuum, half as fast
// again as in glass.
const hollowCore = 2.0 / 3

// onWire returns how many bytes a packet takes once it is cut as its sender
// asked, and how long the longest piece is.
func onWire(f *engine.Frame) (size, longest int) {
	n := len(f.Packet)
	if f.Offload.Segment == 0 {
		return n, n
	}
	h := headers(f.Packet)
	if h == 0 || n <= h {
		return n, n
	}
	segment := int(f.Offload.Segment)
	pieces := int(math.Ceil(float64(n-h) / float64(segment)))
	return n + (pieces-1)*h, min(n, h+segment)
}

// headers returns the length of a packet's IP and transport headers, 0 if it is
// too short for them.
func headers(b []byte) int {
	ip, proto := 40, byte(0)
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		ip, proto = int(b[0]&15)*4, b[9]
	case len(b) >= 40 && b[0]>>4 == 6:
		proto = b[6]
	default:
		return 0
	}
	switch {
	case proto == 17 && len(b) >= ip+8:
		return ip + 8
	case proto == 6 && len(b) >= ip+20:
		return ip + int(b[ip+12]>>4)*4
	}
	return 0
}

// mayFragment reports whether routers may fragment a packet (RFC 791).
func mayFragment(b []byte) bool {
	return len(b) >= 20 && b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x4000 == 0
}

// tooLongCounts are the packets that a path was too narrow for.
type tooLongCounts struct{ told, silent atomic.Uint64 }
