package engine

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// pools are the source ports that flows hold, by who gives them out.
type pools map[poolKey]*pool

// poolKey names a pool. A pool outlives the image that began it.
type poolKey struct {
	addr  netip.Addr    // the first that it gives out
	port  fabric.PortID // whose alone it is, or None
	proto uint8
}

// pool gives out source ports of public addresses. A port serves many flows as
// long as they have different destinations.
type pool struct {
	origin    fabric.Origin
	what      string
	epoch     uint32 // of the last image that a flow met it under
	blocks    []fabric.PortBlock
	size      int // ports that it gives out, in the first of the blocks
	total     int // ports in all blocks
	perHost   bool
	uses      map[remote]*use
	refs      map[int32]uint32 // flows by port
	flows     int
	exhausted uint64 // packets that found no port
}

// remote is a destination, without its port where a pool does not tell its
// ports apart.
type remote struct {
	addr fabric.Value
	port uint16
}

// use is which ports are in use towards one destination.
type use struct {
	count int
	few   []int32  // which, as long as they are few,
	many  []uint64 // and then as bits
}

// few is how many ports a use lists one by one.
const few = 64

// lease is a port that a flow holds; pool is nil if it holds none.
type lease struct {
	pool  *pool
	index int32
	to    remote
}

// lender is who gives a packet's walk its source port.
type lender struct {
	at    fabric.PortID
	out   *fabric.Outbound // nil for a forwarder's own address
	own   netip.Addr       // then
	after fabric.Packet    // as it leaves there
}

// borrowed tells the lenders of one image apart.
type borrowed struct {
	out   *fabric.Outbound
	at    fabric.PortID
	own   netip.Addr // of a forwarder
	proto uint8
	four  bool
}

// pool returns the pool of a lender for a protocol.
func (e *Engine) pool(l *lender, proto uint8) *pool {
	b := borrowed{out: l.out, at: l.at, proto: proto, four: l.after.Src.Is4()}
	if l.out == nil {
		b.own = l.own
	}
	p := e.prog.pools[b]
	if p == nil {
		p = e.find(&b)
		e.prog.pools[b] = p
	}
	return p
}

// find returns the pool that a lender had under the last image, or a new one.
func (e *Engine) find(b *borrowed) *pool {
	port := &e.prog.img.Ports[b.at]
	k := poolKey{port: b.at, proto: b.proto}
	p := &pool{
		epoch: e.epoch, origin: port.Origin, what: port.Name, blocks: []fabric.PortBlock{{Addr: b.own, First: fabric.PoolFirst, Last: 1<<16 - 1}},
		uses: map[remote]*use{}, refs: map[int32]uint32{},
	}
	if o := b.out; o != nil {
		if o.Shared {
			k.port = fabric.None
		}
		p.origin, p.what, p.blocks, p.perHost = o.Origin, o.What, o.Blocks(b.four), o.PerHost && b.proto == fabric.ProtoUDP
	}
	p.widen(b)
	if len(p.blocks) > 0 {
		k.addr = p.blocks[0].Addr
	}
	if have := e.pools[k]; have != nil {
		if slices.Equal(have.blocks, p.blocks) && have.perHost == p.perHost {
			have.origin, have.what, have.epoch = p.origin, p.what, e.epoch
			return have
		}
		p.exhausted = have.exhausted // what is held stays with the flows that hold it
	}
	if e.pools == nil {
		e.pools = pools{}
	}
	e.pools[k] = p
	return p
}

// widen counts the pool's ports, and adds those that packets may keep but nobody
// is given: below the first of a pool without blocks of its own. Identifiers of
// ICMP have no such bound.
func (p *pool) widen(b *borrowed) {
	if icmp := b.proto == fabric.ProtoICMP || b.proto == fabric.ProtoICMPv6; icmp {
		p.blocks = slices.Clone(p.blocks)
		for i := range p.blocks {
			p.blocks[i].First, p.blocks[i].Last = 0, 1<<16-1
		}
		p.blocks = slices.Compact(p.blocks)
	}
	for _, x := range p.blocks {
		p.size += int(x.Last) - int(x.First) + 1
	}
	p.total = p.size
	if b.out != nil && len(b.out.Ports) > 0 {
		return
	}
	for _, x := range p.blocks[:len(p.blocks):len(p.blocks)] {
		if x.First > 0 {
			p.blocks = append(p.blocks, fabric.PortBlock{Addr: x.Addr, Last: x.First - 1})
			p.total += int(x.First)
		}
	}
}

// at returns the address and port of an index.
func (p *pool) at(index int32) (netip.Addr, uint16) {
	for _, b := range p.blocks {
		n := int32(b.Last) - int32(b.First) + 1
		if index < n {
			return b.Addr, b.First + uint16(index)
		}
		index -= n
	}
	return netip.Addr{}, 0
}

// indexOf returns the index of an address and port; false if the pool does not
// have it.
func (p *pool) indexOf(a netip.Addr, port uint16) (int32, bool) {
	base := int32(0)
	for _, b := range p.blocks {
		if b.Addr == a && port >= b.First && port <= b.Last {
			return base + int32(port-b.First), true
		}
		base += int32(b.Last) - int32(b.First) + 1
	}
	return 0, false
}

// remote is the destination of a packet as the pool tells destinations apart.
func (p *pool) remote(q fabric.Packet) remote {
	r := remote{addr: fabric.AddrValue(q.Dst), port: q.DstPort}
	if p.perHost || !q.HasPorts() {
		r.port = 0
	}
	return r
}

// search offers ports that are not in use towards a destination until one is
// taken: the wanted one first, and then address by address, each from some
// offset on.
func (p *pool) search(to remote, want int32, offset uint32, take func(index int32) bool) {
	u := p.uses[to]
	if u != nil && u.count >= p.size {
		return
	}
	if want >= 0 && (u == nil || !u.has(want)) && take(want) {
		return
	}
	base := int32(0)
	for _, b := range p.blocks {
		if int(base) >= p.size {
			return
		}
		n := int32(b.Last) - int32(b.First) + 1
		start := int32(offset % uint32(n))
		if p.scan(u, base+start, base+n, want, take) || p.scan(u, base, base+start, want, take) {
			return
		}
		base += n
	}
}

func (p *pool) scan(u *use, from, to, want int32, take func(int32) bool) bool {
	for i := from; i < to; i++ {
		if u != nil {
			if i = u.nextFree(i); i >= to {
				break
			}
		}
		if i != want && take(i) {
			return true
		}
	}
	return false
}

func (u *use) has(i int32) bool {
	if u.many != nil {
		return u.many[i/64]>>(i%64)&1 != 0
	}
	return slices.Contains(u.few, i)
}

// nextFree returns the first index from i on that is not in use.
func (u *use) nextFree(i int32) int32 {
	if u.many == nil {
		for slices.Contains(u.few, i) {
			i++
		}
		return i
	}
	for word := i / 64; word < int32(len(u.many)); word++ {
		free := ^u.many[word]
		if word == i/64 {
			free &= ^uint64(0) << (i % 64)
		}
		if free != 0 {
			return word*64 + int32(bits.TrailingZeros64(free))
		}
	}
	return int32(len(u.many)) * 64
}

// hold notes that a flow holds a port towards a destination.
func (p *pool) hold(to remote, i int32) lease {
	u := p.uses[to]
	if u == nil {
		u = &use{}
		p.uses[to] = u
	}
	u.count++
	p.flows++
	p.refs[i]++
	if u.many == nil && len(u.few) == few {
		u.many = make([]uint64, p.total/64+1)
		for _, j := range u.few {
			u.many[j/64] |= 1 << (j % 64)
		}
		u.few = nil
	}
	if u.many != nil {
		u.many[i/64] |= 1 << (i % 64)
	} else {
		u.few = append(u.few, i)
	}
	return lease{p, i, to}
}

// free gives a lease back.
func (l *lease) free() {
	p := l.pool
	if p == nil {
		return
	}
	l.pool = nil
	p.flows--
	if p.refs[l.index]--; p.refs[l.index] == 0 {
		delete(p.refs, l.index)
	}
	u := p.uses[l.to]
	if u.count--; u.count == 0 {
		delete(p.uses, l.to)
		return
	}
	if u.many != nil {
		u.many[l.index/64] &^= 1 << (l.index % 64)
		return
	}
	u.few = slices.DeleteFunc(u.few, func(i int32) bool { return i == l.index })
}

// PoolStats is how a pool of source ports is used for a protocol.
type PoolStats struct {
	Origin fabric.Origin // what gives the ports out
	What   string        // for people: "NAT gateway", "load balancer"
	Addr   netip.Addr    // the first of its addresses
	Port   fabric.PortID // whose ports they are; None if several share them
	Proto  uint8
	// Allocated is how many ports there are, over all addresses, and Used how
	// many of them some flow holds. Several flows may hold one port, towards
	// different destinations.
	Allocated, Used, Flows int
	// Exhausted is how many packets were lost for want of a port.
	Exhausted uint64
}

// Pools returns how the pools of source ports are used that any flow met, in no
// order.
func (e *Engine) Pools() []PoolStats {
	out := make([]PoolStats, 0, len(e.pools))
	for k, p := range e.pools {
		if p.flows == 0 && p.epoch != e.epoch {
			continue // of another image
		}
		out = append(out, PoolStats{
			Origin: p.origin, What: p.what, Addr: k.addr, Port: k.port, Proto: k.proto,
			Allocated: p.size, Used: len(p.refs), Flows: p.flows, Exhausted: p.exhausted,
		})
	}
	return out
}

// moved returns the pools with the new positions of ports; pools of ports that
// are gone go.
func (p pools) moved(to []fabric.PortID) pools {
	out := make(pools, len(p))
	for k, one := range p {
		if k.port != fabric.None {
			if k.port = to[k.port]; k.port == fabric.None {
				continue
			}
		}
		out[k] = one
	}
	return out
}
