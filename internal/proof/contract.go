package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// residue narrows the boxes of a claim that nothing is delivered to the packets
// that a contract does not exclude: what the search has to look at.
//
// The contract holds for a destination, a policy or a route table at once,
// whoever sends. In this order:
//
//  1. Sources may appear as themselves or as any address that a translation on
//     the way can give them (S); destinations as themselves or as what a public
//     address stands for.
//  2. Whoever can hand such a packet on is an emitter: the route tables of the
//     sources, and every forwarder that is reached and whose filters let
//     something of S through.
//  3. A destination that no emitter's routes lead to is excluded, and so is one
//     whose ingress filters drop all of S.
//  4. What is left is kept, narrowed to the destinations and, where nobody can
//     have translated them, the sources that the filters let in.
//
// Every step looks at more than can happen: routes without regard to longer
// prefixes, any way to a forwarder. So what is excluded is neither delivered nor
// undecided, and the answer about the rest is the answer about all. Whatever
// may be unknown on the way is kept, and whatever may meet a redirect. ok is
// false where the contract does not apply: destinations are the platform's own.
func (w *walk) residue(q *question) (kept []state, ok bool) {
	c, ok := w.contractOf(q)
	if !ok {
		return nil, false
	}
	return c.narrow(), true
}

// contractOf returns the contract of a question, complete but for the last
// step.
func (w *walk) contractOf(q *question) (*contract, bool) {
	c := w.newContract(q)
	if w.a.intersect(c.dst, w.a.of(w.p.img.Platform)) != emptySet {
		return nil, false
	}
	for {
		before := c.sources
		c.spread()
		if c.sources == before {
			break
		}
		c.reset()
	}
	c.deliveries()
	return c, true
}

// emitter hands packets on: a route table of sources, a forwarder, or the
// internet as a source.
type emitter struct {
	table   fabric.TableID // None for the internet
	forward fabric.PortID  // None for sources
	out     setID          // destinations of what it may emit
	before  []hand         // how packets may come to it
	parts   []keep         // of a forwarder: what passes from whom, if that is few parts
	kept    []keep
}

// hand is destinations that an emitter may hand to another.
type hand struct {
	by  int32
	dst setID
}

// keep is what the contract does not exclude, of what an emitter emits.
type keep struct {
	dst setID
	src setID // allSet unless the sources are known
}

// delivery is destinations that an emitter's route leads to.
type delivery struct {
	by    int32 // emitter
	space fabric.SpaceID
	port  fabric.PortID // or one port
	// public means that it came from the internet, so that sources may be public.
	public bool
	dst    setID
}

// contract is the state of one narrowing.
type contract struct {
	w     *walk
	a     *arena
	img   *fabric.Image
	shape *shape
	q     *question
	// src and dst are all sources and destinations of the question, began the
	// destinations with what public addresses stand for.
	src, dst, began, private setID
	traffic                  []cube // ports and protocols; sources and destinations unused
	// sources are src and the addresses that translations give inside, given those
	// alone. outside has what the translations to the internet give as well.
	sources, given, outside setID
	target                  map[fabric.PortID]setID
	inSpace                 map[fabric.SpaceID][]fabric.PortID // targets
	byStack                 [][]fabric.PortID                  // targets by ingress stack
	publics                 []*fabric.Public                   // of the destinations that lead somewhere
	internet                setID                              // destinations that the internet takes

	emitters   []emitter
	ofTable    []int32 // emitter by table, or -1
	ofForward  map[fabric.PortID]int32
	ofEdge     int32
	todo       []int32 // forwarders to look at
	deliver    []delivery
	redirected bool         // something may meet a redirect
	verdicts   [2][]ingress // of sources inside, and of those from the internet
	match      matcher
	unions     map[uint64]setID // what join found
	lifted     map[setID]setID  // what lift found
}

// ingress is what the ingress filters of a stack let in of the sources.
type ingress struct {
	known bool
	src   setID // emptySet: nothing
}

func (w *walk) newContract(q *question) *contract {
	c := &contract{
		w: w, a: w.a, img: w.p.img, shape: w.p.shapeOf(), q: q,
		unions: map[uint64]setID{}, lifted: map[setID]setID{}, target: make(map[fabric.PortID]setID, len(q.to)), inSpace: map[fabric.SpaceID][]fabric.PortID{},
	}
	c.byStack = make([][]fabric.PortID, len(c.shape.ins.lists))
	for _, t := range q.to {
		c.target[t.port] = t.addrs
		for _, s := range c.shape.spacesOf(c.img, t.port) {
			c.inSpace[s] = append(c.inSpace[s], t.port)
		}
		k := c.shape.ins.of[t.port]
		c.byStack[k] = append(c.byStack[k], t.port)
	}
	var srcs, dsts []setID
	seen := map[cube]bool{}
	for i := range q.begin {
		b := &q.begin[i].cube
		if n := len(srcs); n == 0 || srcs[n-1] != b[fabric.Src] {
			srcs = append(srcs, b[fabric.Src])
		}
		if n := len(dsts); n == 0 || dsts[n-1] != b[fabric.Dst] {
			dsts = append(dsts, b[fabric.Dst])
		}
		t := *b
		t[fabric.Src], t[fabric.Dst] = emptySet, emptySet
		if i < 8 || !seen[t] {
			if !seen[t] {
				c.traffic = append(c.traffic, t)
			}
			seen[t] = true
		}
	}
	c.src, c.dst = w.union(srcs), w.union(dsts)
	c.sources, c.given = c.src, emptySet
	var private []setID
	for _, i := range c.shape.incoming {
		p := &c.img.Publics[i]
		if w.a.contains(c.dst, fabric.AddrValue(p.Addr)) {
			c.publics = append(c.publics, p)
			if p.Private.IsValid() {
				private = append(private, w.a.one(fabric.AddrValue(p.Private)))
			}
		}
	}
	c.private = w.union(private)
	c.began = w.a.union(c.dst, c.private)
	var internet []setID
	for _, p := range c.publics {
		internet = append(internet, w.a.one(fabric.AddrValue(p.Addr)))
	}
	if edge := c.img.Edge; edge != fabric.None {
		if _, ok := c.target[edge]; ok {
			internet = append(internet, w.a.intersect(c.dst, w.a.of(c.img.Ports[edge].Addrs)))
		}
	}
	c.internet = w.union(internet)
	c.reset()
	return c
}

// union is arena.union without the sets that repeat.
func (w *walk) union(ids []setID) setID {
	if len(ids) == 0 {
		return emptySet
	}
	seen := make(map[setID]bool, len(ids))
	out := ids[:0]
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return w.a.union(out...)
}

// reset forgets everything that depends on the sources.
func (c *contract) reset() {
	c.emitters, c.deliver, c.todo = nil, nil, nil
	c.ofForward = map[fabric.PortID]int32{}
	c.ofEdge = -1
	c.ofTable = make([]int32, len(c.img.Tables))
	for i := range c.ofTable {
		c.ofTable[i] = -1
	}
	for i := range c.verdicts {
		c.verdicts[i] = make([]ingress, len(c.shape.ins.lists))
	}
	c.outside = c.a.union(c.sources, c.a.intern(c.shape.outbound))
	c.redirected = false
	c.match.reset(c)
}

// emitterOf returns the emitter of a source.
func (c *contract) emitterOf(class fabric.PortID) int32 {
	p := &c.img.Ports[class]
	if p.Kind == fabric.PortEdge {
		return c.ofEdge
	}
	return c.ofTable[p.Routes]
}

// spread finds the emitters, from the sources on.
func (c *contract) spread() {
	for i := range c.q.begin {
		class := c.q.begin[i].from.class
		p := &c.img.Ports[class]
		switch {
		case p.Kind == fabric.PortEdge:
			if c.ofEdge < 0 {
				c.ofEdge = c.emit(emitter{table: fabric.None, forward: fabric.None, out: c.began})
			}
		case c.ofTable[p.Routes] < 0:
			c.ofTable[p.Routes] = c.emit(emitter{table: p.Routes, forward: fabric.None, out: c.began})
		}
	}
	for i := 0; i < len(c.emitters); i++ {
		if c.emitters[i].forward != fabric.None {
			c.forwards(int32(i))
		}
		if c.emitters[i].out != emptySet {
			c.routes(int32(i))
		}
	}
}

func (c *contract) emit(e emitter) int32 {
	c.emitters = append(c.emitters, e)
	return int32(len(c.emitters) - 1)
}

// keep keeps destinations of what an emitter emits.
func (c *contract) keep(by int32, dst, src setID) {
	e := &c.emitters[by]
	if len(e.parts) == 0 {
		if dst != emptySet {
			e.kept = append(e.kept, keep{dst, src})
		}
		return
	}
	for _, k := range e.parts {
		if k.dst = c.a.intersect(c.lift(k.dst), dst); k.dst == emptySet {
			continue
		}
		if c.a.intersect(k.src, c.given) != emptySet {
			k.src = src // they were somebody else's before
		} else if k.src = c.a.intersect(k.src, src); k.src == emptySet {
			continue
		}
		e.kept = append(e.kept, k)
	}
}

// maxParts is how many parts of what passes a forwarder are told apart.
const maxParts = 32

// forwards finds what may leave a forwarder.
func (c *contract) forwards(by int32) {
	port := &c.img.Ports[c.emitters[by].forward]
	var out []setID
	var parts []keep
	for _, t := range c.traffic {
		t[fabric.Src], t[fabric.Dst] = c.sources, c.began
		// A bypass of the ingress filters does not bypass the policy.
		c.through(t, [3][]fabric.FilterID{port.Ingress, port.Forward.Policy, port.Egress}, func(t cube, unknown bool) {
			if unknown {
				c.keep(by, t[fabric.Dst], allSet)
			} else {
				out = append(out, t[fabric.Dst])
				parts = append(parts, keep{t[fabric.Dst], t[fabric.Src]})
			}
		})
	}
	if len(parts) <= maxParts {
		c.emitters[by].parts = parts
	}
	c.emitters[by].out = c.w.union(out)
}

// readdressed adds a forwarder's own addresses to the sources if a route within
// the network, for the destinations of part, may give them to what it forwards.
func (c *contract) readdressed(e *emitter, part func() setID) {
	if e.forward == fabric.None {
		return
	}
	f := c.img.Ports[e.forward].Forward
	if len(f.Own) == 0 {
		return
	}
	always := slices.ContainsFunc(f.Policy, func(id fabric.FilterID) bool { return c.shape.masquerades[id] })
	if always || c.a.subtract(part(), c.a.of(f.Private)) != emptySet {
		c.translated(fabric.AddrSet(f.Own...))
	}
}

// through cuts a cube by lists of filters, one after the other.
func (c *contract) through(t cube, lists [3][]fabric.FilterID, do func(cube, bool)) {
	if len(lists[0]) == 0 && len(lists[1]) == 0 && len(lists[2]) == 0 {
		do(t, false)
		return
	}
	first := lists[0]
	rest := [3][]fabric.FilterID{lists[1], lists[2]}
	if len(first) == 0 {
		c.through(t, rest, do)
		return
	}
	c.match.cut(t, first, 0, 0, func(t cube, unknown bool) {
		if unknown {
			do(t, true)
		} else {
			c.through(t, rest, do)
		}
	})
}

// translated adds addresses that sources may appear as.
func (c *contract) translated(s fabric.Set) {
	id := c.a.intern(s)
	c.given = c.a.union(c.given, id)
	c.sources = c.a.union(c.sources, id)
}

// routes follows the routes of an emitter.
func (c *contract) routes(by int32) {
	e := c.emitters[by]
	if e.table == fabric.None {
		c.public(by, e.out)
		return
	}
	out := c.a.get(e.out)
	routes := c.img.Tables[e.table].Routes
	for i := range routes {
		r := &routes[i]
		if r.Inactive || r.Hop.Kind == fabric.HopDrop || r.Hop.Kind == fabric.HopMissing {
			continue
		}
		prefix := fabric.Set{fabric.PrefixRange(r.Prefix)}
		if !prefix.Overlaps(out) {
			continue
		}
		part := func() setID { return c.a.intersect(c.a.internCopy(prefix), e.out) }
		switch r.Hop.Kind {
		case fabric.HopSpace:
			c.readdressed(&e, part)
			c.space(by, r.Hop.Space, prefix, part)
		case fabric.HopPort:
			c.readdressed(&e, part)
			c.arrives(by, r.Hop.Port, false, part)
		case fabric.HopInternet:
			if in := c.a.intersect(c.internet, part()); in != emptySet {
				c.public(by, in)
			}
		default: // not modelled, or by a service endpoint
			c.readdressed(&e, part)
			c.keep(by, c.lift(part()), allSet)
		}
	}
}

// space follows packets into a space.
func (c *contract) space(by int32, space fabric.SpaceID, prefix fabric.Set, part func() setID) {
	for _, t := range c.inSpace[space] {
		if prefix.Overlaps(c.a.get(c.target[t])) {
			c.deliver = append(c.deliver, delivery{by: by, space: space, port: fabric.None, dst: part()})
			break
		}
	}
	for _, special := range c.shape.special[space] {
		own := c.a.intersect(c.a.of(c.img.Ports[special].Addrs), c.emitters[by].out)
		if own != emptySet && prefix.Overlaps(c.a.get(own)) {
			c.arrives(by, special, false, func() setID { return own })
		}
	}
}

// arrives follows packets to one port.
func (c *contract) arrives(by int32, q fabric.PortID, public bool, part func() setID) {
	port := &c.img.Ports[q]
	if in := port.Inward; in != nil {
		all := part()
		taken := c.a.intersect(all, c.a.of(in.Addrs))
		if taken != emptySet && len(in.Redirects) > 0 {
			// Where it is handed to is for the search to find.
			c.redirected = true
			c.keep(by, c.lift(taken), allSet)
		}
		others := c.a.subtract(all, taken)
		if others == emptySet {
			return
		}
		part = func() setID { return others }
	}
	if _, ok := c.target[q]; ok {
		c.deliver = append(c.deliver, delivery{by: by, port: q, space: fabric.None, public: public, dst: allSet})
	}
	if port.Forward == nil {
		// Not delivered, but perhaps undecided.
		if c.shape.vagueIn[q] {
			c.keep(by, c.lift(part()), allSet)
		}
		return
	}
	if public && c.shape.outbound != nil {
		c.translated(c.shape.outbound) // and it goes on inside
	}
	at, ok := c.ofForward[q]
	if !ok {
		at = c.emit(emitter{table: port.Routes, forward: q})
		c.ofForward[q] = at
	}
	dst := allSet
	if !public {
		dst = part()
	}
	c.emitters[at].before = append(c.emitters[at].before, hand{by, dst})
}

// public follows packets on the internet.
func (c *contract) public(by int32, dst setID) {
	for _, p := range c.publics {
		v := fabric.AddrValue(p.Addr)
		if !c.a.contains(dst, v) {
			continue
		}
		one := c.a.one(v)
		switch {
		case p.Unknown:
			c.keep(by, one, allSet)
		case p.Port == fabric.None || p.Closed:
		default:
			c.arrives(by, p.Port, true, func() setID { return one })
		}
	}
	if edge := c.img.Edge; edge != fabric.None {
		if _, ok := c.target[edge]; ok {
			c.keep(by, c.a.intersect(dst, c.a.of(c.img.Ports[edge].Addrs)), allSet)
		}
	}
}

// lift adds the public addresses that stand for addresses.
func (c *contract) lift(dst setID) setID {
	if c.private == emptySet || c.a.intersect(dst, c.private) == emptySet {
		return dst
	}
	if id, ok := c.lifted[dst]; ok {
		return id
	}
	sets := []setID{dst}
	for _, p := range c.publics {
		if p.Private.IsValid() && c.a.contains(dst, fabric.AddrValue(p.Private)) {
			sets = append(sets, c.a.one(fabric.AddrValue(p.Addr)))
		}
	}
	c.lifted[dst] = c.w.union(sets)
	return c.lifted[dst]
}

// deliveries asks the ingress filters of destinations that routes lead to.
func (c *contract) deliveries() {
	for i := range c.deliver {
		d := &c.deliver[i]
		ports := []fabric.PortID{d.port}
		if d.port == fabric.None {
			ports = c.inSpace[d.space]
		}
		for _, t := range ports {
			addrs := c.target[t]
			if d.dst != allSet && !c.a.get(d.dst).Overlaps(c.a.get(addrs)) {
				continue
			}
			src := c.letIn(t, d.public)
			if src == emptySet {
				continue
			}
			if d.public || c.a.intersect(src, c.given) != emptySet {
				src = allSet // whoever it was
			}
			if d.dst != allSet {
				addrs = c.a.intersect(addrs, d.dst)
			}
			c.keep(d.by, c.lift(addrs), src)
		}
	}
}

// letIn returns which of the sources the ingress filters of a port may let in,
// or leave undecided.
func (c *contract) letIn(t fabric.PortID, public bool) setID {
	k := c.shape.ins.of[t]
	v, sources := &c.verdicts[0][k], c.sources
	if public {
		v, sources = &c.verdicts[1][k], c.outside
	}
	if v.known {
		return v.src
	}
	v.known = true
	list := c.shape.ins.lists[k]
	if len(list) == 0 {
		v.src = sources
		return v.src
	}
	var dsts []setID
	for _, q := range c.byStack[k] {
		dsts = append(dsts, c.a.of(c.img.Ports[q].Addrs))
	}
	dst := c.w.union(dsts)
	var srcs []setID
	for n, t := range c.traffic {
		if !public && c.match.drops(n, dst, list) {
			continue
		}
		t[fabric.Src], t[fabric.Dst] = sources, dst
		c.match.cut(t, list, 0, 0, func(t cube, _ bool) { srcs = append(srcs, t[fabric.Src]) })
	}
	v.src = c.w.union(srcs)
	return v.src
}

// narrow cuts the question down to what emitters keep.
func (c *contract) narrow() []state {
	// What a forwarder keeps comes from sources that lead to it.
	whole := make([]setID, len(c.emitters)) // of sources: kept whoever sends
	some := make([][]keep, len(c.emitters)) // and kept of some senders
	need := make([]setID, len(c.emitters))
	for i := range c.emitters {
		for _, k := range c.condense(c.emitters[i].kept) {
			touched := c.origins(need, int32(i), k.dst)
			for _, n := range touched {
				switch {
				case c.emitters[n].forward != fabric.None:
				case k.src == allSet:
					whole[n] = c.join(whole[n], need[n])
				default:
					some[n] = append(some[n], keep{need[n], k.src})
				}
				need[n] = emptySet
			}
		}
	}
	var out []state
	for _, s := range c.q.begin {
		dst := allSet
		if !c.shape.vagueOut[s.from.class] {
			e := c.emitterOf(s.from.class)
			dst = whole[e]
			for _, k := range some[e] {
				if c.a.intersect(k.src, s.cube[fabric.Src]) != emptySet {
					dst = c.join(dst, k.dst)
				}
			}
		}
		if dst == emptySet {
			continue
		}
		if s.cube[fabric.Dst] = c.a.intersect(s.cube[fabric.Dst], dst); s.cube[fabric.Dst] != emptySet {
			out = append(out, s)
		}
	}
	return out
}

// origins follows destinations back from an emitter. need takes, by emitter,
// the destinations that lead there; the emitters concerned are returned.
func (c *contract) origins(need []setID, from int32, dst setID) []int32 {
	need[from] = dst
	touched, todo := []int32{from}, []int32{from}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, b := range c.emitters[n].before {
			part := c.lift(c.a.intersect(need[n], b.dst))
			if part == emptySet {
				continue
			}
			had := need[b.by]
			if need[b.by] = c.join(had, part); need[b.by] == had {
				continue
			}
			if had == emptySet {
				touched = append(touched, b.by)
			}
			todo = append(todo, b.by)
		}
	}
	return touched
}

// condense joins keeps of the same senders.
func (c *contract) condense(list []keep) []keep {
	var out []keep
	by := map[setID][]setID{}
	for _, k := range list {
		if by[k.src] == nil {
			out = append(out, keep{src: k.src})
		}
		by[k.src] = append(by[k.src], k.dst)
	}
	for i := range out {
		out[i].dst = c.w.union(by[out[i].src])
	}
	return out
}

// join is the union of two sets, remembered.
func (c *contract) join(x, y setID) setID {
	switch {
	case x == y || y == emptySet:
		return x
	case x == emptySet:
		return y
	}
	k := key(x, y)
	id, ok := c.unions[k]
	if !ok {
		id = c.a.union(x, y)
		c.unions[k] = id
	}
	return id
}
