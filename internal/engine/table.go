package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Directions of a flow.
const (
	forward  = 0
	backward = 1
)

// flow is a connection: both directions and what the network remembers of it.
type flow struct {
	seen  time.Duration // when the last packet of either direction came
	idle  time.Duration // how long it may stay silent
	gen   uint32        // tells a record's successive flows apart; odd while in use
	state uint8         // below
	told  bool          // its end was told
	ways  [2]way
	ends  [2]end // of a TCP flow that may have to be reset
	began time.Duration
	// closedAt is when the last FIN or the RST came; until is when a flow that
	// drains ends.
	closedAt, until time.Duration
	due             int64 // the tick when it is looked at next; 0 if never
	limits          limits
	lease           lease      // the source port that a pool gave it
	source          source     // what pools translate it to
	rules           []ruleUsed // what decided it
	counted         carried    // what its rules were told of
	// passed and changes are the path of the last first-packet walk that was
	// delivered: where the flow has sessions, and how it was translated.
	passed  []hop
	changes []change
	pins    []pin // the targets that redirects chose for it
	direct  bool  // it reached its end by a service endpoint
}

// Bits of flow.state.
const (
	finOut      = 1 << iota // FIN of the opener
	finIn                   // FIN of the responder
	sawReset                // RST of either
	delivered               // the first packet was delivered
	replied                 // the responder's SYN with ACK came, or the flow was met in mid-stream
	established             // the handshake is complete; known of tracked flows only
	tracked                 // it may have to be reset: its numbers are noted
	draining                // its target was taken out: it ends at until
)

func (f *flow) closed() bool {
	return f.state&sawReset != 0 || f.state&(finOut|finIn) == finOut|finIn
}

// way is one direction of a flow: its key and its composed action. What every
// packet needs stands first and close together.
type way struct {
	key     key
	packets uint64
	bytes   uint64
	delay   time.Duration
	epoch   uint32 // of the image that composed the action; 0: not composed
	indexed bool
	verdict fabric.Verdict
	out     fabric.PortID
	route   int32
	reason  fabric.Reason
	edit    edit
	// unseen is a stateful forwarder on the way that has no session of the flow
	// but let this direction begin one; None if there is none.
	unseen fabric.PortID
	path   []fabric.PortID
}

// slot is one place of the index: the key's hash and the flow and direction,
// plus one; zero is free.
type slot struct{ hash, ref uint32 }

func refOf(n uint32, dir int) uint32 { return (n<<1 | uint32(dir)) + 1 }

const chunk = 256 // flows per allocation

// table finds flows by key: open addressing with linear probing over slots of
// eight bytes, flow records elsewhere so that they never move.
type table struct {
	slots  []slot // a power of two, at most half full
	used   int    // slots in use
	chunks []*[chunk]flow
	free   []uint32
	count  int // flows in use
	max    int
}

func newTable(most int) table {
	return table{slots: make([]slot, 256), max: most}
}

func (t *table) flow(n uint32) *flow { return &t.chunks[n/chunk][n%chunk] }

// find returns the flow and direction of a key, or nil.
func (t *table) find(k *key, hash uint32) (f *flow, n uint32, dir int) {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.ref == 0 {
			return nil, 0, 0
		}
		if s.hash != hash {
			continue
		}
		n, dir = (s.ref-1)>>1, int((s.ref-1)&1)
		if f = t.flow(n); f.ways[dir].key.equal(k) {
			return f, n, dir
		}
	}
}

// add takes a record from the free list and indexes its forward key.
func (t *table) add(k key, now time.Duration) (uint32, *flow, bool) {
	if t.count >= t.max {
		return 0, nil, false
	}
	if len(t.free) == 0 {
		base := uint32(len(t.chunks) * chunk)
		t.chunks = append(t.chunks, new([chunk]flow))
		for i := uint32(chunk); i > 0; i-- {
			t.free = append(t.free, base+i-1)
		}
	}
	n := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.count++
	f := t.flow(n)
	f.clear(now)
	t.index(n, forward, k)
	return n, f, true
}

// index makes a key lead to a direction of a flow.
func (t *table) index(n uint32, dir int, k key) {
	if t.used*2 >= len(t.slots) {
		t.grow()
	}
	w := &t.flow(n).ways[dir]
	w.key, w.indexed = k, true
	t.place(slot{k.hash(), refOf(n, dir)})
	t.used++
}

func (t *table) place(s slot) {
	mask := uint32(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.ref != 0 {
			t.place(s)
		}
	}
}

// unindex forgets the key of a direction, and closes the gap by moving later
// slots of the same run back.
func (t *table) unindex(n uint32, dir int) {
	w := &t.flow(n).ways[dir]
	if !w.indexed {
		return
	}
	w.indexed = false
	ref := refOf(n, dir)
	mask := uint32(len(t.slots) - 1)
	i := w.key.hash() & mask
	for t.slots[i].ref != ref {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].ref != 0; j = (j + 1) & mask {
		// The slot at j may move to i unless its home lies between them.
		if home := t.slots[j].hash & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	t.used--
}

// remove forgets a flow.
func (t *table) remove(n uint32) {
	t.unindex(n, forward)
	t.unindex(n, backward)
	t.flow(n).clear(0)
	t.free = append(t.free, n)
	t.count--
}

// clear makes the record that of another flow, or of none. It keeps the memory
// of the lists.
func (f *flow) clear(now time.Duration) {
	*f = flow{
		gen: f.gen + 1, seen: now, began: now,
		rules: f.rules[:0], passed: f.passed[:0], changes: f.changes[:0], pins: f.pins[:0],
	}
}

// expired reports whether a flow was silent for too long.
func (f *flow) expired(now time.Duration) bool { return now-f.seen > f.idle }

// over reports whether a flow's record, and with it a pool's source port, is
// free for others.
func (f *flow) over(now time.Duration) bool { return now-f.seen > f.idle+f.resting() }
