package proof

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/certificate"
	"github.com/ceruleannet/cerulean/model"
)

// Uncertified is a claim that a certificate leaves out.
type Uncertified struct{ Name, Why string }

// Certify writes the proofs of the claims that nothing is delivered, so that
// package certificate can check them without this one. Claims of other kinds,
// and those that do not hold, are left out and returned with the reason.
func (p *Prover) Certify(network string, exps []model.Expectation) (*certificate.Certificate, []Uncertified) {
	c := &certificate.Certificate{Format: certificate.Format, Network: network, Image: fmt.Sprintf("%x", p.img.Digest())}
	var out []Uncertified
	for i := range exps {
		e := &exps[i]
		if e.Verb != model.Deny {
			out = append(out, Uncertified{e.Name, notDenied})
			continue
		}
		claims, err := p.certify(e)
		if err != nil {
			out = append(out, Uncertified{e.Name, err.Error()})
			continue
		}
		c.Claims = append(c.Claims, claims...)
	}
	return c, out
}

// Questions returns the claims of expectations without their proofs, as
// [Prover.Certify] would ask them, and what it leaves out.
func (p *Prover) Questions(exps []model.Expectation) ([]certificate.Claim, []Uncertified) {
	var out []certificate.Claim
	var left []Uncertified
	for i := range exps {
		e := &exps[i]
		if e.Verb != model.Deny {
			left = append(left, Uncertified{e.Name, notDenied})
			continue
		}
		asks, err := p.asks(e)
		if err != nil {
			left = append(left, Uncertified{e.Name, err.Error()})
		}
		for i := range asks {
			out = append(out, *newProof(p, e, &asks[i]).claim)
		}
	}
	return out, left
}

const notDenied = "only claims that nothing is delivered have certificates"

// balanced reports whether an expectation speaks of what a load balancer hands
// on: that arrives elsewhere.
func (p *Prover) balanced(e *model.Expectation) bool {
	sides := []*model.Selector{&e.To}
	if e.Both {
		sides = append(sides, &e.From)
	}
	for _, sel := range sides {
		for _, x := range p.parties(sel) {
			if p.img.Ports[x.port].Kind == fabric.PortBalancer {
				return true
			}
		}
	}
	return false
}

// certify writes the claims of one expectation.
func (p *Prover) certify(e *model.Expectation) ([]certificate.Claim, error) {
	var out []certificate.Claim
	asks, err := p.asks(e)
	if err != nil {
		return nil, err
	}
	for i := range asks {
		claim, err := newProof(p, e, &asks[i]).walk()
		if err != nil {
			return nil, err
		}
		out = append(out, *claim)
	}
	if len(out) == 0 && len(e.NotThrough) > 0 {
		return nil, errors.New("nothing is what must not be passed")
	}
	if len(out) == 0 {
		return nil, errors.New("it speaks of nothing")
	}
	return out, nil
}

// ask is what one claim of a certificate is about: that nothing of some senders
// arrives at some receivers, or nothing that passes some ports.
type ask struct {
	from, to []party
	past     []fabric.PortID
}

// asks divides an expectation into claims: for each direction, for each group of
// senders that its relation tells apart, and by region where the firewalls of
// regions are meant.
func (p *Prover) asks(e *model.Expectation) ([]ask, error) {
	means := func(kind model.WaypointKind) bool {
		return slices.ContainsFunc(e.NotThrough, func(w model.Waypoint) bool { return w.Kind == kind })
	}
	ofSource, ofDestination := means(model.SourceFirewall), means(model.DestinationFirewall)
	if ofDestination && p.balanced(e) {
		return nil, errors.New("which firewall is the destination's depends on what a load balancer chooses")
	}
	region := func(is bool, q fabric.PortID) fabric.RegionID {
		if is {
			return p.img.Ports[q].Region
		}
		return 0
	}
	sides := [][2]*model.Selector{{&e.From, &e.To}}
	if e.Both {
		sides = append(sides, [2]*model.Selector{&e.To, &e.From})
	}
	type key struct {
		relation int32
		region   fabric.RegionID
	}
	var out []ask
	for _, side := range sides {
		from, to := p.parties(side[0]), p.parties(side[1])
		groups := map[key][]party{}
		var keys []key
		for _, c := range from {
			k := key{p.relative(e.Relation, c.port), region(ofSource, c.port)}
			if groups[k] == nil {
				keys = append(keys, k)
			}
			groups[k] = append(groups[k], c)
		}
		slices.SortFunc(keys, func(a, b key) int {
			return cmp.Or(cmp.Compare(a.relation, b.relation), cmp.Compare(a.region, b.region))
		})
		for _, k := range keys {
			senders := groups[k]
			byRegion := map[fabric.RegionID][]party{}
			var regions []fabric.RegionID
			for _, c := range to {
				if !p.related(e.Relation, senders[0].port, c.port) {
					continue
				}
				r := region(ofDestination, c.port)
				if byRegion[r] == nil {
					regions = append(regions, r)
				}
				byRegion[r] = append(byRegion[r], c)
			}
			slices.Sort(regions)
			for _, r := range regions {
				a := ask{from: senders, to: byRegion[r], past: p.waypoints(e.NotThrough, senders[0].port, byRegion[r][0].port)}
				if len(e.NotThrough) == 0 || len(a.past) > 0 {
					out = append(out, a)
				}
			}
		}
	}
	return out, nil
}

// waypoints returns the ports that any of some waypoints mean for packets from
// one port to another, in order.
func (p *Prover) waypoints(list []model.Waypoint, from, to fabric.PortID) []fabric.PortID {
	var out []fabric.PortID
	for i := range p.img.Ports {
		q, port := fabric.PortID(i), &p.img.Ports[i]
		if slices.ContainsFunc(list, func(w model.Waypoint) bool {
			switch w.Kind {
			case model.SourceFirewall:
				return isWall(port) && port.Region == p.img.Ports[from].Region
			case model.DestinationFirewall:
				return isWall(port) && port.Region == p.img.Ports[to].Region
			default:
				return p.isWaypoint(&w, q)
			}
		}) {
			out = append(out, q)
		}
	}
	return out
}

// party is a port and those of its addresses that a claim speaks of.
type party struct {
	port fabric.PortID
	own  fabric.Set
}

func (p *Prover) parties(sel *model.Selector) []party {
	a := newArena(p.img)
	var out []party
	for _, c := range p.choose(a, sel, false) {
		out = append(out, party{c.port, a.get(c.addrs)})
	}
	return out
}

// maxLeaves bounds a claim's boxes: checking that they are disjoint takes the
// square of it.
const maxLeaves = 20_000

// certifying is the proof of one claim in the making.
type certifying struct {
	p     *Prover
	w     *walk
	claim *certificate.Claim
	ask   *ask
	begin []state
	own   map[fabric.PortID]fabric.Set // addresses of the senders
	meant targets
	boxes []box // the traffic, as it arrives
	// varied are the boxes written so far of which balancers decide, by sender.
	varied map[place][]cube
	failed error
}

// newProof asks the question of a claim.
func newProof(p *Prover, e *model.Expectation, ask *ask) *certifying {
	w := p.newWalk(newArena(p.img), DefaultBudget)
	c := &certifying{
		p: p, w: w, ask: ask, claim: &certificate.Claim{Name: e.Name, Text: e.Text},
		own: map[fabric.PortID]fabric.Set{}, varied: map[place][]cube{},
	}
	named := func(x party) certificate.Side {
		return certificate.Side{Port: x.port, Name: p.img.Ports[x.port].Name, Addrs: certificate.AddrRanges(x.own)}
	}
	sets := map[site][]setID{}
	var sites []site
	for _, x := range ask.from {
		c.claim.From = append(c.claim.From, named(x))
		c.own[x.port] = x.own
		at := siteOf(x.port)
		if p.layer[x.port] != alone {
			at = site{place(p.layer[x.port]), side(fabric.Src), p.class[x.port]}
		}
		if sets[at] == nil {
			sites = append(sites, at)
		}
		sets[at] = append(sets[at], w.a.intern(x.own))
	}
	reached := map[fabric.PortID]fabric.Set{}
	var list []chosen
	for _, x := range ask.to {
		c.claim.To = append(c.claim.To, named(x))
		reached[x.port] = x.own
		list = append(list, chosen{x.port, w.a.intern(x.own)})
	}
	for _, q := range ask.past {
		c.claim.Past = append(c.claim.Past, named(party{port: q}))
	}
	c.meant = w.targets(list)
	c.meant.balancers = w.balancers(list)
	dst := w.a.intern(certificate.Destinations(p.img, reached))
	four := w.a.intern(fabric.Set{mapped})
	six := w.a.subtract(allSet, four)
	wide := certificate.TranslatesPorts(p.img)
	c.boxes = boxes(w.a, e.Traffic, false)
	for _, b := range c.boxes {
		c.claim.Traffic = append(c.claim.Traffic, certificate.Traffic{
			Protocols: certificate.NumRanges(w.a.get(b.protos)), SourcePorts: certificate.NumRanges(w.a.get(b.srcPorts)),
			DestinationPorts: certificate.NumRanges(w.a.get(b.dstPorts)), IPv4: b.v4, IPv6: b.v6,
		})
		for _, at := range sites {
			for _, family := range [2]setID{four, six} {
				if family == four && !b.v4 || family == six && !b.v6 {
					continue
				}
				ports := []setID{b.dstPorts}
				if wide {
					ports = append(ports, w.a.subtract(b.srcPorts, b.dstPorts))
				}
				for _, port := range ports {
					s := state{from: at}
					s.cube = cube{w.a.intersect(w.a.union(sets[at]...), family), w.a.intersect(dst, family), b.srcPorts, port, b.protos}
					if s.cube[fabric.Src] != emptySet && s.cube[fabric.Dst] != emptySet && port != emptySet {
						c.begin = append(c.begin, s)
					}
				}
			}
		}
	}
	return c
}

// walk follows the claim's packets to their leaves.
func (c *certifying) walk() (*certificate.Claim, error) {
	c.w.leaf = c.leaf
	switch complete := c.w.run(c.begin); {
	case c.failed != nil:
		return nil, c.failed
	case !complete:
		return nil, fmt.Errorf("%w of %d steps", ErrBudget, DefaultBudget)
	}
	slices.SortStableFunc(c.claim.Leaves, func(a, b certificate.Leaf) int { return slices.Compare(a.From, b.From) })
	return c.claim, nil
}

// breaks reports whether some packets of a delivered leaf are what the claim
// says is never delivered.
func (c *certifying) breaks(l *leaf) bool {
	past := c.w.paths.ports(l.mid)
	if len(c.ask.past) > 0 && !slices.ContainsFunc(past, func(q fabric.PortID) bool { return slices.Contains(c.ask.past, q) }) {
		return false
	}
	for _, b := range c.meant.balancers {
		if slices.Contains(past, b.port) && c.w.a.intersect(l.cube[fabric.Dst], b.addrs) != emptySet && c.spokenOf(l, l.cube[fabric.DstPort]) {
			return true
		}
	}
	end, arrived := ended(l)
	_, _, hit, _ := c.w.ends(l.state, end, arrived, &c.meant)
	port := l.now[fabric.DstPort]
	if port == emptySet {
		port = l.cube[fabric.DstPort]
	}
	return hit && c.spokenOf(l, port)
}

// spokenOf reports whether packets of a leaf to some ports are traffic of the
// claim.
func (c *certifying) spokenOf(l *leaf, port setID) bool {
	return slices.ContainsFunc(c.boxes, func(b box) bool {
		return c.w.a.intersect(b.protos, l.cube[fabric.Proto]) != emptySet && c.w.a.intersect(b.dstPorts, port) != emptySet
	})
}

func (c *certifying) fail(err error) { c.failed, c.w.stopped = err, true }

// leaf writes down one leaf.
func (c *certifying) leaf(l leaf) {
	w := c.w
	out := certificate.Leaf{Code: l.code, Filter: l.filter, Rule: l.rule, Table: l.table, Route: l.route, Why: w.whyNot(&l)}
	switch l.verdict {
	case fabric.VerdictUnknown:
		c.fail(errors.New("some of it is unknown: " + out.Why))
		return
	case fabric.VerdictAllow:
		if l.code != fabric.CodePlatform && c.breaks(&l) {
			c.fail(errors.New("it does not hold"))
			return
		}
		out.Elsewhere, out.Why = true, "delivered elsewhere"
	}
	boxes, err := w.plain(&l.state)
	if err != nil {
		c.fail(err)
		return
	}
	if l.chose != 0 {
		// The same packets are in a leaf for each choice.
		out.Varies, out.Elsewhere, out.Why = true, false, "whatever the balancer chooses"
		boxes = w.except(boxes, c.varied[l.from.place])
		c.varied[l.from.place] = append(c.varied[l.from.place], boxes...)
	}
	for _, b := range boxes {
		out.From = nil
		for _, q := range w.portsOf(l.from, b[fabric.Src]) {
			if c.own[q].Overlaps(w.a.get(b[fabric.Src])) {
				out.From = append(out.From, q)
			}
		}
		for f := range fabric.NumFields {
			out.Box[f] = certificate.NumRanges(w.a.get(b[f]))
			if f == fabric.Src || f == fabric.Dst {
				out.Box[f] = certificate.AddrRanges(w.a.get(b[f]))
			}
		}
		c.claim.Leaves = append(c.claim.Leaves, out)
	}
	if len(c.claim.Leaves) > maxLeaves {
		c.fail(fmt.Errorf("the proof has more than %d boxes", maxLeaves))
	}
}

// maxMirrored is how many addresses that a box has on both sides are written
// out one by one.
const maxMirrored = 64

// plain returns a box that is told apart by whether its packets go from an
// address to itself as boxes that need no telling apart.
func (w *walk) plain(s *state) ([]cube, error) {
	if s.self == mayMirror {
		return []cube{s.cube}, nil
	}
	both := w.a.get(w.a.intersect(s.cube[fabric.Src], s.cube[fabric.Dst]))
	rest := s.cube
	var out []cube
	n := 0
	for _, r := range both {
		for v := r.Lo; ; v = v.Next() {
			if n++; n > maxMirrored {
				return nil, errors.New("too many addresses are both sender and receiver")
			}
			one := w.a.one(v)
			self, others := rest, rest
			self[fabric.Src], self[fabric.Dst] = one, one
			others[fabric.Src], others[fabric.Dst] = one, w.a.subtract(s.cube[fabric.Dst], one)
			rest[fabric.Src] = w.a.subtract(rest[fabric.Src], one)
			switch {
			case s.self == mirrors:
				out = append(out, self)
			case others[fabric.Dst] != emptySet:
				out = append(out, others)
			}
			if v == r.Hi {
				break
			}
		}
	}
	if s.self == noMirror && rest[fabric.Src] != emptySet {
		out = append(out, rest)
	}
	return out, nil
}

// except returns what is in boxes but in none of others, as disjoint boxes.
func (w *walk) except(boxes, others []cube) []cube {
	for _, o := range others {
		var rest []cube
		for _, b := range boxes {
			meet := true
			for f := range fabric.NumFields {
				meet = meet && w.a.intersect(b[f], o[f]) != emptySet
			}
			if !meet {
				rest = append(rest, b)
				continue
			}
			for f := range fabric.NumFields {
				out := b
				if out[f] = w.a.subtract(b[f], o[f]); out[f] != emptySet {
					rest = append(rest, out)
				}
				b[f] = w.a.intersect(b[f], o[f])
			}
		}
		boxes = rest
	}
	return boxes
}
