package proof

import (
	"errors"
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Look says which packets a query is after.
type Look uint8

// What to look for.
const (
	Delivered  Look = iota // the first packet of a flow is delivered
	Works                  // it is delivered and its reply comes back
	Fails                  // it is not delivered, or its reply is lost
	Evades                 // it is delivered, but not by way of all of Query.Past
	Asymmetric             // it is delivered, but the reply does not pass the same stateful devices in reverse
	Undecided              // whether it works is unknown
	Lost                   // the first packet of a flow is not delivered
)

// Query asks for packets of an image.
type Query struct {
	Look Look
	// From are the ports the packets enter at; nil means every port.
	From []fabric.PortID
	// Src are their source addresses; nil means those that each port owns.
	Src fabric.Set
	// Dst are their destination addresses; nil means all.
	Dst fabric.Set
	// Traffic is their protocols and destination ports; nil means all.
	Traffic []model.Traffic
	// SrcPorts are the source ports of protocols that have ports; nil means all.
	SrcPorts fabric.Set
	// To are the ports a delivered packet must end at to count; nil means any.
	// For Fails and Lost it is not used.
	To []fabric.PortID
	// Past are ports, for Evades.
	Past []fabric.PortID
	// Budget is the number of steps allowed; 0 means [DefaultBudget].
	Budget int
}

// Answer is the outcome of looking for something.
type Answer uint8

// The answers. The zero value is Open: nothing is concluded by accident.
const (
	Open  Answer = iota // neither found nor excluded
	Found               // there is a witness
	None                // no packet is like that
)

// String returns "open", "found" or "none".
func (a Answer) String() string { return [...]string{"open", "found", "none"}[a] }

// Outcome is the answer to a query.
type Outcome struct {
	Answer Answer
	// Witness is what was found, or for Open a packet that could not be decided,
	// if there is one.
	Witness *Witness
	// Err says why the answer is Open, other than by an undecided packet.
	Err   error
	Steps int
}

// ErrBudget means that a search was given up.
var ErrBudget = errors.New("not decided within the budget")

// Find looks for a packet.
func (p *Prover) Find(q Query) Outcome {
	a := newArena(p.img)
	if q.Budget == 0 {
		q.Budget = DefaultBudget
	}
	w := p.newWalk(a, q.Budget)
	w.replies = q.Look != Delivered && q.Look != Evades && q.Look != Lost
	f := &finder{w: w, q: &q, to: everywhere(w, q.To)}
	w.leaf = f.leaf
	complete := w.run(w.begin(&q))
	out := Outcome{Steps: w.steps, Err: f.err}
	switch {
	case f.err != nil:
	case f.found != nil:
		out.Answer, out.Witness = Found, f.found
	case f.open != nil:
		out.Witness = f.open
	case !complete:
		out.Err = fmt.Errorf("%w of %d steps", ErrBudget, q.Budget)
	default:
		out.Answer = None
	}
	return out
}

// begin makes the boxes a query starts from.
func (w *walk) begin(q *Query) []state {
	from := q.From
	if from == nil {
		from = make([]fabric.PortID, len(w.p.img.Ports))
		for i := range from {
			from[i] = fabric.PortID(i)
		}
	}
	dst := allSet
	if q.Dst != nil {
		dst = w.a.intern(q.Dst)
	}
	four := w.a.intern(fabric.Set{mapped})
	six := w.a.subtract(allSet, four)
	boxes := boxes(w.a, q.Traffic, false)
	if q.SrcPorts != nil {
		some, zero := w.a.intern(q.SrcPorts), w.a.intern(fabric.NumSet(0, 0))
		for i := range boxes {
			if b := &boxes[i]; b.srcPorts != zero {
				b.srcPorts = w.a.intersect(b.srcPorts, some)
			}
		}
	}
	var out []state
	add := func(at site, src setID) {
		for _, family := range [2]setID{four, six} {
			for _, b := range boxes {
				if family == four && !b.v4 || family == six && !b.v6 {
					continue
				}
				s := state{from: at}
				s.cube = cube{w.a.intersect(src, family), w.a.intersect(dst, family), b.srcPorts, b.dstPorts, b.protos}
				if s.cube[fabric.Src] != emptySet && s.cube[fabric.Dst] != emptySet && s.cube[fabric.SrcPort] != emptySet {
					out = append(out, s)
				}
			}
		}
	}
	index := map[site]int{}
	var order []site
	var sets [][]setID
	for _, port := range from {
		if q.Src != nil || w.p.layer[port] == alone {
			src := w.a.of(w.p.img.Ports[port].Addrs)
			if q.Src != nil {
				src = w.a.intern(q.Src)
			}
			add(siteOf(port), src)
			continue
		}
		at := site{place(w.p.layer[port]), bySrc, w.p.class[port]}
		i, ok := index[at]
		if !ok {
			i = len(order)
			index[at] = i
			order, sets = append(order, at), append(sets, nil)
		}
		sets[i] = append(sets[i], w.a.of(w.p.img.Ports[port].Addrs))
	}
	for i, at := range order {
		add(at, w.a.union(sets[i]...))
	}
	return out
}

// everywhere are the targets of ports with all their addresses; nil stands for
// every port.
func everywhere(w *walk, to []fabric.PortID) *targets {
	if to == nil {
		return nil
	}
	list := make([]chosen, len(to))
	for i, q := range to {
		list[i] = chosen{q, w.a.of(w.p.img.Ports[q].Addrs)}
	}
	t := w.targets(list)
	return &t
}

// finder looks at the leaves of a query.
type finder struct {
	w           *walk
	q           *Query
	to          *targets
	found, open *Witness
	err         error
}

func (f *finder) leaf(l leaf) {
	if l.verdict == fabric.VerdictUnknown {
		f.undecided(l)
		return
	}
	allowed := l.verdict == fabric.VerdictAllow
	switch f.q.Look {
	case Delivered, Works:
		if allowed {
			f.at(l, nil)
		}
	case Fails, Lost:
		if !allowed {
			f.take(l, nil)
		}
	case Evades:
		if allowed && l.code != fabric.CodePlatform && !f.passes(f.w.paths.ports(l.mid)) {
			f.at(l, func(c *fabric.Connection) bool { return !f.passes(inside(c.Forward.Path)) })
		}
	case Asymmetric:
		if l.reply && (!allowed || !f.w.p.mirrored(f.w.paths.ports(l.mid), f.w.paths.ports(l.back))) {
			f.at(l, nil)
		}
	}
}

// undecided notes a packet whose verdict is unknown: what is looked for, or the
// reason why nothing can be excluded.
func (f *finder) undecided(l leaf) {
	if f.q.Look == Undecided {
		f.take(l, nil)
		return
	}
	if f.open != nil {
		return
	}
	f.open, _, f.err = f.w.show(&l, nil)
}

// at takes a leaf whose packets end at one of the query's targets.
func (f *finder) at(l leaf, holds func(*fabric.Connection) bool) {
	if f.to != nil {
		end, arrived := l.arrival()
		in, _, ok, _ := f.w.ends(l.state, end, arrived, f.to)
		if !ok || l.code == fabric.CodePlatform {
			return
		}
		l.state = in
	}
	f.take(l, holds)
}

// take makes a leaf the answer, if it has a packet that is not from a host to
// itself.
func (f *finder) take(l leaf, holds func(*fabric.Connection) bool) {
	wit, ok, err := f.w.show(&l, holds)
	if err != nil || ok {
		f.found, f.err, f.w.stopped = wit, err, true
	}
}

func (f *finder) passes(path []fabric.PortID) bool {
	for _, want := range f.q.Past {
		found := false
		for _, q := range path {
			found = found || q == want
		}
		if !found {
			return false
		}
	}
	return true
}
