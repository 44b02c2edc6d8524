package proof

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// Witness is one concrete case that shows a claim false, or something to exist.
type Witness struct {
	// From is the port the packet enters at. For names, the port that asks.
	From     fabric.PortID
	FromName string
	// ToName is the port that owns the destination, if one was reached or chosen.
	ToName string
	Packet fabric.Packet
	// Conn is what the reference evaluator does with the packet and its reply,
	// with these choices of redirects: those of the packet, then those of its
	// reply.
	Conn    fabric.Connection
	Choices []fabric.Choice
	// Forced means that a running network, left to itself, chooses other targets
	// for this packet: it is a flow of another hash that does this.
	Forced  bool
	Verdict fabric.Verdict
	Reason  string // one sentence
	// Name and Answer are set instead of a packet for claims about names.
	Name   string
	Answer *fabric.Answer

	hops hopWriter
}

// preferred destination ports, the most telling first.
var wellKnown = [...]uint16{443, 22, 5432, 3389, 80, 1433, 53, 8080, 8443}

// resolvers are the addresses shown for the internet, where they are in
// question.
func resolvers() fabric.Set {
	return fabric.AddrSet(netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2001:4860:4860::8888"))
}

// ephemeral is where the dynamic ports begin (RFC 6335 section 6).
const ephemeral = 49152

// pick returns one packet of a box and the port it enters at: hosts before
// vacancies, the lowest address, a well-known destination port. It fails when
// the box holds nothing but what a host sends to itself.
func (w *walk) pick(s *state) (fabric.PortID, fabric.Packet, bool) {
	var p fabric.Packet
	if s.self == mirrors {
		return fabric.None, p, false // nobody speaks to itself
	}
	proto := w.a.get(s.cube[fabric.Proto])
	p.Proto = uint8(proto.Min().Lo)
	for _, n := range [...]uint8{fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP} {
		if n == fabric.ProtoICMP && !mapped.Contains(w.a.get(s.cube[fabric.Src]).Min()) {
			n = fabric.ProtoICMPv6
		}
		if proto.Contains(fabric.Num(uint16(n))) {
			p.Proto = n
			break
		}
	}
	p.DstPort = lowest(w.a.get(s.cube[fabric.DstPort]), wellKnown[:])
	p.SrcPort = lowest(w.a.get(s.cube[fabric.SrcPort]), []uint16{ephemeral})
	for _, dst := range w.preferred(s.cube[fabric.Dst]) {
		for _, src := range w.preferred(s.cube[fabric.Src]) {
			if src == emptySet || dst == emptySet {
				continue
			}
			if from, a, b, ok := w.pickPair(s, src, dst); ok {
				p.Src, p.Dst = a.Addr(), b.Addr()
				return from, p, true
			}
		}
	}
	return fabric.None, p, false
}

// preferred returns the addresses of a set that are shown first: those of
// hosts, then a public resolver that everybody knows, which stands for the
// internet, then all.
func (w *walk) preferred(set setID) [3]setID {
	return [3]setID{w.a.intersect(set, w.hosts()), w.a.intersect(set, w.known), set}
}

// lowest returns the first of the wanted numbers in a set, else the lowest
// number from the last wanted one up, else the lowest.
func lowest(s fabric.Set, want []uint16) uint16 {
	for _, n := range want {
		if s.Contains(fabric.Num(n)) {
			return n
		}
	}
	last := fabric.Num(want[len(want)-1])
	for _, r := range s {
		if last.Less(r.Lo) {
			return uint16(r.Lo.Lo)
		}
	}
	return uint16(s.Min().Lo)
}

// hosts returns the addresses of ports that something runs behind.
func (w *walk) hosts() setID {
	if w.hostSet == emptySet {
		var sets []setID
		for i := range w.p.img.Ports {
			if p := &w.p.img.Ports[i]; p.Kind == fabric.PortHost {
				sets = append(sets, w.a.of(p.Addrs))
			}
		}
		if len(sets) > 0 {
			w.hostSet = w.a.union(sets...)
		}
	}
	return w.hostSet
}

// pickPair returns a source and a destination of two sets such that nobody
// speaks to itself: the addresses differ, and a host does not own both. A
// vacancy stands for many hosts.
func (w *walk) pickPair(s *state, src, dst setID) (fabric.PortID, fabric.Value, fabric.Value, bool) {
	srcs, dsts := w.a.get(src), w.a.get(dst)
	try := func(from fabric.PortID, a fabric.Value) (fabric.Value, bool) {
		others := dsts.Subtract(fabric.Set{{Lo: a, Hi: a}})
		if port := &w.p.img.Ports[from]; port.Kind == fabric.PortHost {
			others = others.Subtract(w.p.img.Sets[port.Addrs])
		}
		if others.IsEmpty() {
			return fabric.Value{}, false
		}
		return others.Min(), true
	}
	if from, ok := s.from.port(); ok {
		a := srcs.Min()
		if b, ok := try(from, a); ok {
			return from, a, b, true
		}
		// The second address may do where the first does not.
		if rest := srcs.Subtract(fabric.Set{{Lo: a, Hi: a}}); !rest.IsEmpty() {
			a = rest.Min()
			b, ok := try(from, a)
			return from, a, b, ok
		}
		return from, a, a, false
	}
	l := &w.p.layers[s.from.place]
	for _, r := range srcs {
		for i := l.from(r.Lo); i < len(l.owners) && !r.Hi.Less(l.owners[i].Range.Lo); i++ {
			o := l.owners[i]
			a := r.Lo
			if a.Less(o.Range.Lo) {
				a = o.Range.Lo
			}
			for range 2 {
				if b, ok := try(o.Port, a); ok {
					return o.Port, a, b, true
				}
				if a = a.Next(); !o.Range.Contains(a) || !r.Contains(a) {
					break
				}
			}
		}
	}
	return fabric.None, fabric.Value{}, fabric.Value{}, false
}

// show makes a leaf concrete and replays it with the leaf's choices. The
// reference must agree with the leaf; holds is what else must be true of the
// replayed connection. ok is false when the leaf holds no packet a claim speaks
// of.
func (w *walk) show(l *leaf, holds func(*fabric.Connection) bool) (wit *Witness, ok bool, err error) {
	from, p, ok := w.pick(&l.state)
	if !ok {
		return nil, false, nil
	}
	there, back := w.choices.all(l.chose), w.choices.all(l.again)
	p, forced := w.natural(&l.state, from, p, there, back)
	c := replay(w.p.img, from, p, append(there, back...))
	got, reason := c.Forward.Verdict, c.Forward.Reason
	if l.reply {
		got, reason = c.Reply.Verdict, c.Reply.Reason
	}
	if want := w.reason(l, p); got != l.verdict || reason != want {
		return nil, true, fmt.Errorf("proof and reference disagree on %s from %s: %s because %s at %s, and %s because %s at %s", p,
			w.p.name(from), l.verdict, want.Code, w.p.name(want.Port), got, reason.Code, w.p.name(reason.Port))
	}
	if holds != nil && !holds(&c) {
		return nil, true, fmt.Errorf("proof and reference disagree on the way of %s from %s", p, w.p.name(from))
	}
	wit = w.p.witness(from, p, c)
	wit.Forced = forced
	return wit, true, nil
}

// replay follows a packet and its reply with recorded choices.
func replay(img *fabric.Image, from fabric.PortID, p fabric.Packet, choices []fabric.Choice) fabric.Connection {
	return ref.ConnectBy(img, from, p, fabric.Follow(choices, fabric.NewChooser(img).Pick))
}

// hashes is how many source ports are tried so that a running network makes
// the choices of a leaf by itself.
const hashes = 64

// natural returns a packet like p, from another source port of the box if need
// be, for which a running network itself makes the given choices; forced is
// true if none was found.
func (w *walk) natural(s *state, from fabric.PortID, p fabric.Packet, there, back []fabric.Choice) (like fabric.Packet, forced bool) {
	if len(there)+len(back) == 0 {
		return p, false
	}
	ports := w.a.get(s.cube[fabric.SrcPort])
	like = p
	pick := fabric.NewChooser(w.p.img).Pick
	for range hashes {
		c := ref.ConnectBy(w.p.img, from, like, pick)
		// A leaf that ends on the way there leaves the reply's choices open.
		if slices.Equal(c.Forward.Choices, there) && (!s.reply || slices.Equal(c.Reply.Choices, back)) {
			return like, false
		}
		next := slices.IndexFunc(ports, func(r fabric.Range) bool { return fabric.Num(like.SrcPort).Less(r.Hi) })
		if next < 0 || !p.HasPorts() {
			break
		}
		like.SrcPort = max(like.SrcPort+1, uint16(ports[next].Lo.Lo))
	}
	return p, true
}

func (p *Prover) witness(from fabric.PortID, pkt fabric.Packet, c fabric.Connection) *Witness {
	wit := &Witness{From: from, FromName: p.name(from), Packet: pkt, Conn: c, hops: hopWriter{p}}
	wit.Choices = slices.Concat(c.Forward.Choices, c.Reply.Choices)
	verdict, reason := c.Verdict()
	wit.Verdict, wit.Reason = verdict, p.because(&c, reason)
	if end := p.ownerOf(&c); end != fabric.None {
		wit.ToName = p.name(end)
	}
	return wit
}

// ownerOf returns the port a connection is for: where it was delivered, else
// the port that owns the destination, else None.
func (p *Prover) ownerOf(c *fabric.Connection) fabric.PortID {
	if c.Forward.Verdict == fabric.VerdictAllow {
		return c.Forward.End()
	}
	dst := c.Forward.Final.Dst
	if public, ok := p.img.PublicAt(dst); ok && public.Port != fabric.None {
		return public.Port
	}
	v := fabric.AddrValue(dst)
	for i := range p.layers {
		if q, ok := p.layers[i].at(v); ok {
			return q
		}
	}
	for i := range p.img.Ports {
		if p.layer[i] == alone && p.img.Sets[p.img.Ports[i].Addrs].Contains(v) {
			return fabric.PortID(i)
		}
	}
	return fabric.None
}

func (p *Prover) name(q fabric.PortID) string {
	if q < 0 || int(q) >= len(p.img.Ports) {
		return "nowhere"
	}
	if p.img.Ports[q].Kind == fabric.PortEdge {
		return "the internet"
	}
	return p.img.Ports[q].Name
}
