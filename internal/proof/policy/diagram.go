package policy

import (
	"math/bits"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// diagram decides where two lists of rules treat packets differently. It fixes
// one field after the other: a node holds, of both lists, the rules that may
// still match and what happens if none does. For each run of atoms of the next
// field that the rules of a node do not tell apart it has a child. Nodes with
// the same content are one node, so the diagram is a graph and not a tree: a
// decision diagram with many-valued variables.
//
// The rules of a node are put into a form that forgets what cannot matter:
//   - behind a rule that matches everything left there is nothing; its outcome
//     becomes what happens in the end;
//   - rules before the end that do what happens in the end are left out;
//   - neighbours that do the same are put in the order of their numbers.
//
// A node whose two lists are then the same is done: both treat alike whatever
// comes there. A rule whose action is Unknown may match or not; it ends nothing
// and stays where it is.
type diagram struct {
	*space             // of the different rules of both lists
	outcomes []outcome // of each rule
	wild     []uint8   // for each rule a bit for each field it does not narrow in the region at hand
	order    order
	region   *region
	real     Box // the packets of the region

	nodes []node
	index map[uint64]int32 // by hash; chained
	store []int32          // the rules of all nodes
	level [fabric.NumFields]level
	tmp   []int32

	left   int // steps
	limit  int // nodes and their rules, in numbers stored
	spent  bool
	serial int32
	// emit is called with the parts of the region where the lists differ, until
	// it returns false: runs of atoms for each field, and the node they lead to.
	emit    func(d *diagram, n *node) bool
	stopped bool
}

// order is in which order fields are fixed.
type order [fabric.NumFields]fabric.Field

// Two orders, neither good for every list. Where most rules are narrow in both
// addresses, fixing those first leaves few rules. Where one side is mostly open,
// as at firewalls, protocol and ports first part the list into short ones.
var (
	addressesFirst = order{fabric.Dst, fabric.Src, fabric.Proto, fabric.DstPort, fabric.SrcPort}
	portsFirst     = order{fabric.Proto, fabric.SrcPort, fabric.DstPort, fabric.Dst, fabric.Src}
)

// promising returns the two orders, the one to try first first.
func (d *diagram) promising() [2]order {
	open := 0
	for i := range d.rects {
		for _, f := range [2]fabric.Field{fabric.Src, fabric.Dst} {
			// A sixteenth of what the rules tell apart is a lot.
			if at := d.rects[i].run(f); int(at.hi-at.lo) >= d.lines[f].count/16 {
				open++
				break
			}
		}
	}
	if 2*open > len(d.rects) {
		return [2]order{portsFirst, addressesFirst}
	}
	return [2]order{addressesFirst, portsFirst}
}

type node struct {
	at         int   // rules are store[at:][:a+b]
	a, b       int32 // how many of each list
	endA, endB outcome
	depth      uint8
	state      nodeState
	next       int32 // node with the same hash
	// seenBy is the last node that has this one as a child, child which one.
	seenBy, child int32
}

type nodeState uint8

const (
	unvisited nodeState = iota
	alike
	differs
)

// level is memory of the one node on a path that fixes a field.
type level struct {
	events   []uint64 // atom<<32 | position, where a rule begins or ends
	active   []uint64 // a bit for each position
	children []int32
	spans    [][]span // of each child
	at       int      // the child being visited
}

// compare looks at all of a region. The lists have the numbers of their rules
// in order, the ends are their defaults.
func (d *diagram) compare(reg *region, real Box, a, b []int32, endA, endB outcome) {
	d.region, d.real = reg, real
	for f := range reg {
		if len(reg[f]) == 0 {
			return
		}
	}
	d.nodes, d.store, d.index, d.serial = d.nodes[:0], d.store[:0], map[uint64]int32{}, 0
	d.wild = slices.Grow(d.wild[:0], len(d.rects))[:len(d.rects)]
	for i := range d.rects {
		d.wild[i] = 0
		for f := range fabric.NumFields {
			if within(reg[f], d.of(i, f)) {
				d.wild[i] |= 1 << f
			}
		}
	}
	root, same := d.node(0, a, b, endA, endB)
	if !same {
		d.visit(root)
	}
}

// within reports whether all of some runs lie in others.
func within(some, others []span) bool {
	for _, s := range some {
		if k := part(others, s.lo); k == len(others) || s.lo < others[k].lo || others[k].hi < s.hi {
			return false
		}
	}
	return true
}

// rest has a bit for each field not fixed at a depth.
func (o *order) rest(depth uint8) (mask uint8) {
	for _, f := range o[depth:] {
		mask |= 1 << f
	}
	return mask
}

// node returns the node of two lists, or that they are the same.
func (d *diagram) node(depth uint8, a, b []int32, endA, endB outcome) (int32, bool) {
	at := len(d.store)
	mask := d.order.rest(depth)
	endA = d.reduce(mask, a, endA)
	na := len(d.store) - at
	endB = d.reduce(mask, b, endB)
	nb := len(d.store) - at - na
	if endA == endB && slices.Equal(d.store[at:at+na], d.store[at+na:]) {
		d.store = d.store[:at]
		return 0, true
	}
	h := mix(uint64(depth)<<32|uint64(endA)<<8|uint64(endB), uint64(na))
	for _, i := range d.store[at:] {
		h = mix(h, uint64(i))
	}
	first, known := d.index[h]
	if !known {
		first = -1
	}
	for id := first; id >= 0; id = d.nodes[id].next {
		n := &d.nodes[id]
		if n.depth == depth && n.endA == endA && n.endB == endB && int(n.a) == na && int(n.b) == nb &&
			slices.Equal(d.store[n.at:n.at+na+nb], d.store[at:]) {
			d.store = d.store[:at]
			return id, false
		}
	}
	id := int32(len(d.nodes))
	d.nodes = append(d.nodes, node{at: at, a: int32(na), b: int32(nb), endA: endA, endB: endB, depth: depth, next: first, seenBy: -1})
	d.index[h] = id
	return id, false
}

// reduce appends a list to the store in the form of nodes and returns what
// happens in its end. The mask has the fields that are left.
func (d *diagram) reduce(mask uint8, list []int32, end outcome) outcome {
	at := len(d.store)
	for _, i := range list {
		if o := d.outcomes[i]; d.wild[i]&mask == mask && o.action() != fabric.Unknown {
			end = o
			break
		}
		d.store = append(d.store, i)
	}
	for len(d.store) > at && d.outcomes[d.store[len(d.store)-1]] == end {
		d.store = d.store[:len(d.store)-1]
	}
	out := d.store[at:]
	for i := 0; i < len(out); {
		o := d.outcomes[out[i]]
		j := i + 1
		if o.action() != fabric.Unknown {
			for sorted := true; ; j++ {
				if j == len(out) || d.outcomes[out[j]] != o {
					if !sorted {
						slices.Sort(out[i:j])
					}
					break
				}
				sorted = sorted && out[j-1] < out[j]
			}
		}
		i = j
	}
	return end
}

// visit decides a node and reports whether its lists treat packets differently.
func (d *diagram) visit(id int32) bool {
	n := d.nodes[id]
	if d.settled(&n) {
		d.nodes[id].state = differs
		d.stopped = d.stopped || !d.emit(d, &n)
		return true
	}
	f := d.order[n.depth]
	lv := &d.level[f]
	d.serial++
	lv.children, lv.spans = lv.children[:0], lv.spans[:0]
	for _, run := range d.region[f] {
		d.sweep(id, f, run)
		if d.spent {
			return false
		}
	}
	result := alike
	for k, child := range lv.children {
		if d.nodes[child].state == alike {
			continue
		}
		lv.at = k
		if d.visit(child) {
			result = differs
		}
		if d.spent || d.stopped {
			return result == differs
		}
	}
	d.nodes[id].state = result
	return result == differs
}

// settled reports whether nothing that is left to fix matters to a node.
func (d *diagram) settled(n *node) bool {
	mask := d.order.rest(n.depth)
	for _, i := range d.rules(n) {
		if d.wild[i]&mask != mask {
			return false
		}
	}
	return true
}

// rules returns the rules of a node, those of the first list first.
func (d *diagram) rules(n *node) []int32 { return d.store[n.at:][:n.a+n.b] }

// runsOf returns the atoms of a field on the path to the node being emitted.
func (d *diagram) runsOf(n *node, f fabric.Field) []span {
	if slices.Contains(d.order[:n.depth], f) {
		lv := &d.level[f]
		return lv.spans[lv.at]
	}
	return d.region[f]
}

// sweep adds the children of a node for one run of the region.
func (d *diagram) sweep(id int32, f fabric.Field, run span) {
	n := d.nodes[id]
	lv := &d.level[f]
	total := int(n.a + n.b)
	words := (total + 63) / 64
	lv.active = slices.Grow(lv.active[:0], words)[:words]
	clear(lv.active)
	events := lv.events[:0]
	for pos, i := range d.rules(&n) {
		if d.wild[i]>>f&1 == 1 {
			lv.active[pos/64] |= 1 << (pos % 64)
			continue
		}
		runs := d.of(int(i), f)
		for k := part(runs, run.lo); k < len(runs) && runs[k].lo <= run.hi; k++ {
			if runs[k].lo <= run.lo {
				lv.active[pos/64] |= 1 << (pos % 64)
			} else {
				events = append(events, uint64(runs[k].lo)<<32|uint64(pos))
			}
			if runs[k].hi < run.hi {
				events = append(events, (uint64(runs[k].hi)+1)<<32|uint64(pos))
			}
		}
	}
	slices.Sort(events)
	lv.events = events
	d.left -= total + len(events)
	lo := run.lo
	for k := 0; ; {
		hi := run.hi
		if k < len(events) {
			hi = uint32(events[k]>>32) - 1
		}
		d.child(&n, lv, span{lo, hi})
		if k == len(events) || d.broke() {
			return
		}
		lo = hi + 1
		for ; k < len(events) && uint32(events[k]>>32) == lo; k++ {
			pos := uint32(events[k])
			lv.active[pos/64] ^= 1 << (pos % 64)
		}
	}
}

// child adds the child of a node that has the active rules.
func (d *diagram) child(n *node, lv *level, at span) {
	tmp, split := d.tmp[:0], 0
	for w, m := range lv.active {
		for ; m != 0; m &= m - 1 {
			pos := w*64 + bits.TrailingZeros64(m)
			if pos < int(n.a) {
				split++
			}
			tmp = append(tmp, d.store[n.at+pos])
		}
	}
	d.tmp = tmp
	d.left -= len(lv.active) + len(tmp)
	id, same := d.node(n.depth+1, tmp[:split], tmp[split:], n.endA, n.endB)
	if same || d.nodes[id].state == alike {
		return
	}
	c := &d.nodes[id]
	if c.seenBy != d.serial {
		c.seenBy, c.child = d.serial, int32(len(lv.children))
		lv.children = append(lv.children, id)
		if len(lv.spans) < cap(lv.spans) {
			lv.spans = lv.spans[:len(lv.spans)+1]
			lv.spans[len(lv.spans)-1] = append(lv.spans[len(lv.spans)-1][:0], at)
		} else {
			lv.spans = append(lv.spans, []span{at})
		}
		return
	}
	runs := &lv.spans[c.child]
	if last := &(*runs)[len(*runs)-1]; last.hi+1 == at.lo {
		last.hi = at.hi
	} else {
		*runs = append(*runs, at)
	}
}

// broke reports whether a budget ran out: of steps or of memory.
func (d *diagram) broke() bool {
	d.spent = d.spent || d.left < 0 || len(d.store)+16*len(d.nodes) > d.limit
	return d.spent
}
