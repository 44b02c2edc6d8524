package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// cube is a product of five sets: one per field of the packets as they were
// when their flow began.
type cube [fabric.NumFields]setID

// place is a port: one for the whole box (the complement of its number), or
// the port of a layer that owns an address of each packet.
type place int32

func only(p fabric.PortID) place { return place(^p) }

// port returns the port of a place that is the same for the whole box.
func (p place) port() (fabric.PortID, bool) { return fabric.PortID(^p), p < 0 }

// site is a place where a box is. by says which address of a flow's first
// packet names the port of a layer: the source, where the flow began, or the
// destination as it arrived. class is a port that behaves like all of them.
type site struct {
	place
	by    side
	class fabric.PortID
}

// side is fabric.Src or fabric.Dst in four bytes: states without padding are
// hashed and compared as plain memory.
type side int32

const (
	bySrc = side(fabric.Src)
	byDst = side(fabric.Dst)
)

// anyClass forgets the class of a layer's site, so that boxes of different
// classes can be joined.
func (s site) anyClass() site {
	if s.place >= 0 {
		s.class = fabric.None
	}
	return s
}

func siteOf(p fabric.PortID) site { return site{only(p), bySrc, p} }

// pathID, changeID and choiceID name a list; 0 is the empty one.
type (
	pathID   int32
	changeID int32
	choiceID int32
)

// tuple has the values that translations gave the addresses and ports of a
// packet, each a set of one value; emptySet means as the flow began. Protocols
// never change.
type tuple [fabric.Proto]setID

// reverse returns the tuple of the opposite direction.
func (t tuple) reverse() tuple {
	return tuple{t[fabric.Dst], t[fabric.Src], t[fabric.DstPort], t[fabric.SrcPort]}
}

// manner is how a packet leaves a port or comes to one.
type manner uint8

const (
	forwarded  manner = 1 << iota // leaving: the port's policy let it pass
	masquerade                    // leaving: by a rule that masquerades
	kept                          // leaving: its source is what the flow's sender knows and stays
	taken                         // arriving: the port takes it whatever its destination
	admitted                      // arriving: past the ingress filters, by a service endpoint
)

// mirror says whether a box holds packets that had one address at both ends
// when their flow began. No product of sets can.
type mirror uint8

const (
	mayMirror mirror = iota // whatever the sets say
	mirrors                 // only such packets
	noMirror                // no such packets
)

// state is a box on its way: all packets of cube that began at from, having
// done the same things since. It is comparable, so equal states are found by
// hashing.
type state struct {
	cube    cube
	now     tuple // as the packets are now
	from    site
	mid     pathID // ports passed after from
	changes changeID
	chose   choiceID // by redirects, on the way there
	// On the way back:
	end    site     // where the flow's first packet was delivered
	endDst setID    // its destination then; emptySet: as it began
	back   pathID   // ports the reply passed after end
	again  choiceID // by redirects, on the way back
	// at is where the box is about to arrive, or how it leaves where it is.
	at     site
	reply  bool
	direct bool // the last step there was by a service endpoint
	how    manner
	self   mirror
	// group tells apart boxes of different sources where claims must.
	group int32
}

// dim returns which dimension of the cube holds a field of the packet as it is
// now: a reply has sources and destinations swapped.
func (s *state) dim(f fabric.Field) fabric.Field {
	if s.reply && f != fabric.Proto {
		return f ^ 1
	}
	return f
}

// fixed returns the translated value of a field, or emptySet.
func (s *state) fixed(f fabric.Field) setID {
	if f == fabric.Proto {
		return emptySet
	}
	return s.now[f]
}

// field returns the values a field has now.
func (s *state) field(f fabric.Field) setID {
	if v := s.fixed(f); v != emptySet {
		return v
	}
	return s.cube[s.dim(f)]
}

// narrow keeps the packets whose field is in a set; false if there are none.
func (w *walk) narrow(s state, f fabric.Field, set setID) (state, bool) {
	n := w.a.intersect(s.field(f), set)
	if n == emptySet {
		return s, false
	}
	if s.fixed(f) == emptySet {
		s.cube[s.dim(f)] = n
	}
	return s, true
}

// without keeps the packets whose field is not in a set.
func (w *walk) without(s state, f fabric.Field, set setID) (state, bool) {
	n := w.a.subtract(s.field(f), set)
	if n == emptySet {
		return s, false
	}
	if s.fixed(f) == emptySet {
		s.cube[s.dim(f)] = n
	}
	return s, true
}

// condition is true of all packets of a box, of none, or of those whose field
// of the cube is in a set.
type condition struct {
	all, some bool
	field     fabric.Field // of the cube
	set       setID
}

var (
	always = condition{all: true}
	never  = condition{}
)

func (w *walk) split(s state, c condition) (in, out state, hasIn, hasOut bool) {
	switch {
	case c.all:
		return s, s, true, false
	case !c.some:
		return s, s, false, true
	}
	in, out = s, s
	in.cube[c.field] = w.a.intersect(s.cube[c.field], c.set)
	out.cube[c.field] = w.a.subtract(s.cube[c.field], c.set)
	return in, out, in.cube[c.field] != emptySet, out.cube[c.field] != emptySet
}

// same is the condition that two values of one field are equal; emptySet
// stands for the value the flow began with.
func (w *walk) same(began fabric.Field, x, y setID) condition {
	switch {
	case x == y:
		return always
	case x == emptySet:
		return condition{some: true, field: began, set: y}
	case y == emptySet:
		return condition{some: true, field: began, set: x}
	default:
		return never
	}
}

// is is the condition that a site is a given port. began is the destination of
// the flow's first packet as it arrived there, for sites by destination.
func (w *walk) is(at site, arrived setID, q fabric.PortID) condition {
	if p, ok := at.port(); ok {
		if p == q {
			return always
		}
		return never
	}
	if w.p.layer[q] != int32(at.place) {
		return never
	}
	own := w.a.of(w.p.img.Ports[q].Addrs)
	if at.by == byDst && arrived != emptySet {
		if w.a.intersect(arrived, own) == emptySet {
			return never
		}
		return always
	}
	return condition{some: true, field: fabric.Field(at.by), set: own}
}

// path is a list of ports, the last first.
type path struct {
	before pathID
	port   fabric.PortID
	length int32
}

// paths interns lists of ports.
type paths struct {
	list  []path
	index map[path]pathID
}

func newPaths() paths { return paths{list: make([]path, 1), index: map[path]pathID{}} }

func (p *paths) push(before pathID, port fabric.PortID) pathID {
	e := path{before, port, p.list[before].length + 1}
	if id, ok := p.index[e]; ok {
		return id
	}
	id := pathID(len(p.list))
	p.list = append(p.list, e)
	p.index[e] = id
	return id
}

func (p *paths) contains(id pathID, port fabric.PortID) bool {
	for ; id != 0; id = p.list[id].before {
		if p.list[id].port == port {
			return true
		}
	}
	return false
}

// ports returns the list in the order the ports were passed.
func (p *paths) ports(id pathID) []fabric.PortID {
	out := make([]fabric.PortID, p.list[id].length)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = p.list[id].port
		id = p.list[id].before
	}
	return out
}

// change is a translation the flow's first packet met: its addresses and ports
// before and after.
type change struct {
	before changeID
	kind   fabric.StepKind // StepTranslate, StepRedirect or StepMasquerade
	at     site            // where it is reversed for replies
	was    tuple
	is     tuple
}

type changes struct {
	list  []change
	index map[change]changeID
}

func newChanges() changes { return changes{list: make([]change, 1), index: map[change]changeID{}} }

func (c *changes) push(e change) changeID {
	if id, ok := c.index[e]; ok {
		return id
	}
	id := changeID(len(c.list))
	c.list = append(c.list, e)
	c.index[e] = id
	return id
}

// all returns the translations in the order they happened.
func (c *changes) all(id changeID) []change {
	var out []change
	for ; id != 0; id = c.list[id].before {
		out = append(out, c.list[id])
	}
	slices.Reverse(out)
	return out
}

// picked is a list of choices that redirects made, the last first.
type picked struct {
	before choiceID
	fabric.Choice
}

type choices struct {
	list  []picked
	index map[picked]choiceID
}

func newChoices() choices { return choices{list: make([]picked, 1), index: map[picked]choiceID{}} }

func (c *choices) push(e picked) choiceID {
	if id, ok := c.index[e]; ok {
		return id
	}
	id := choiceID(len(c.list))
	c.list = append(c.list, e)
	c.index[e] = id
	return id
}

// first returns the target that a redirect chose the first time it was asked.
func (c *choices) first(id choiceID, at fabric.PortID, redirect int32) (target int32, ok bool) {
	for ; id != 0; id = c.list[id].before {
		if e := &c.list[id]; e.Port == at && e.Redirect == redirect {
			target, ok = e.Target, true
		}
	}
	return target, ok
}

// met reports whether a list has a choice of a port.
func (c *choices) met(id choiceID, at fabric.PortID) bool {
	for ; id != 0; id = c.list[id].before {
		if c.list[id].Port == at {
			return true
		}
	}
	return false
}

// all returns the choices in the order they were made.
func (c *choices) all(id choiceID) []fabric.Choice {
	var out []fabric.Choice
	for ; id != 0; id = c.list[id].before {
		out = append(out, c.list[id].Choice)
	}
	slices.Reverse(out)
	return out
}

// has reports whether a list has a translation of a kind.
func (c *changes) has(id changeID, kind fabric.StepKind) bool {
	for ; id != 0; id = c.list[id].before {
		if c.list[id].kind == kind {
			return true
		}
	}
	return false
}

// roams reports whether a translation of a list happened where the flow began,
// at a layer's site.
func (c *changes) roams(id changeID) bool {
	for ; id != 0; id = c.list[id].before {
		if c.list[id].at.place >= 0 {
			return true
		}
	}
	return false
}
