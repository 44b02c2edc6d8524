package dns

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// Networks that limits count together, and how many are remembered: as response
// rate limiting has it ("DNS Response Rate Limiting", ISC-TN-2012-1).
const (
	limitBits4 = 24
	limitBits6 = 56
	limitSlots = 1 << 16
)

// slip is how many of the answers that are held back are sent truncated: every
// second. Who is not forged asks again by TCP.
const slip = 2

// limiter bounds how many equal answers a network gets in a second. Networks
// share slots by a hash; one that finds its slot taken by another takes it over,
// so that a limit may let through too much, never too little.
type limiter struct {
	rate  uint64 // answers per second; 0 is no limit
	slots []atomic.Uint64
}

// verdict says what becomes of an answer.
type verdict uint8

const (
	send verdict = iota
	sendTruncated
	drop
)

func newLimiter(rate int) *limiter {
	l := &limiter{rate: uint64(max(0, rate))}
	if l.rate > 0 {
		l.slots = make([]atomic.Uint64, limitSlots)
	}
	return l
}

// take counts an answer. second is any clock's; only its changes count. A slot
// holds 24 bits of what it is for, 20 of the second, 20 of the count.
func (l *limiter) take(to netip.Addr, o *Outcome, second uint64) verdict {
	if l.rate == 0 {
		return send
	}
	h := network(to) ^ o.Scope*0x9e3779b97f4a7c15 ^ uint64(o.Rcode)<<59
	hi, lo := bits.Mul64(h, 0xd6e8feb86659fd93)
	h = hi ^ lo
	slot := &l.slots[h%limitSlots]
	head := (h>>40)<<40 | second&(1<<20-1)<<20
	for {
		old := slot.Load()
		count := uint64(0)
		if old&^(1<<20-1) == head {
			count = old & (1<<20 - 1)
		}
		if count == 1<<20-1 {
			return drop
		}
		if !slot.CompareAndSwap(old, head|(count+1)) {
			continue
		}
		switch {
		case count < l.rate:
			return send
		case (count-l.rate)%slip == slip-1:
			return sendTruncated
		default:
			return drop
		}
	}
}

// network hashes the network of an address.
func network(a netip.Addr) uint64 {
	b := a.As16()
	if a.Is4() || a.Is4In6() {
		return uint64(binary.BigEndian.Uint32(b[12:]) >> (32 - limitBits4))
	}
	return binary.BigEndian.Uint64(b[:])>>(64-limitBits6) | 1<<63
}
