package proof

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// labelled gives the ports of a random image labels to select by, firewalls
// among them, and lets half of the images have subnets of like ports.
func labelled(rng *rand.Rand) *fabric.Image {
	img := fabrictest.Random(rng)
	alike := rng.IntN(2) == 0
	first := map[fabric.SegmentID]*fabric.Port{}
	for i := range img.Ports {
		p := &img.Ports[i]
		group := []string{"red", "blue"}[rng.IntN(2)]
		p.Labels = append(p.Labels, fabric.Label{Kind: "group", Name: group})
		if p.Forward != nil && p.Forward.Own == nil && rng.IntN(3) == 0 {
			// Masquerades are rare in what fabrictest makes.
			p.Forward.Own = []netip.Addr{img.Sets[p.Addrs].Min().Addr()}
			p.Forward.Private = fabric.SetID(rng.IntN(len(img.Sets)))
		}
		if p.Kind == fabric.PortForwarder && rng.IntN(3) > 0 {
			p.Labels = append(p.Labels, fabric.Label{Kind: "firewall", Name: p.Name})
		}
		if p.Kind == fabric.PortBalancer {
			p.Labels = append(p.Labels, fabric.Label{Kind: "balancer", Name: p.Name})
		}
		if !alike || p.Forward != nil || p.Kind == fabric.PortEdge {
			continue
		}
		if f, ok := first[p.Segment]; ok {
			p.Egress, p.Ingress, p.Routes = f.Egress, f.Ingress, f.Routes
		} else {
			first[p.Segment] = p
		}
	}
	return img
}

func randomSelector(rng *rand.Rand, img *fabric.Image) model.Selector {
	switch rng.IntN(10) {
	case 0:
		return anyone
	case 9:
		// A device by name, if there is one.
		for _, i := range rng.Perm(len(img.Ports)) {
			for _, kind := range []model.LabelKind{model.LabelBalancer, model.LabelFirewall} {
				if p := &img.Ports[i]; p.Has(fabric.Label{Kind: string(kind), Name: p.Name}) {
					return labelSelector(kind, p.Name)
				}
			}
		}
		return anyone
	case 8:
		return sites
	case 1:
		return internet
	case 2, 3:
		return host(img.Ports[rng.IntN(len(img.Ports))].Name)
	case 4:
		return prefixes([]string{"10.0.0.0/24", "10.1.0.0/16", "198.18.0.0/28", "fd00::/16", "0.0.0.0/0"}[rng.IntN(5)])
	default:
		return group([]string{"red", "blue"}[rng.IntN(2)])
	}
}

func randomClaim(rng *rand.Rand, img *fabric.Image) model.Expectation {
	e := model.Expectation{
		Verb: []model.Verb{model.Deny, model.Allow, model.Symmetric}[rng.IntN(3)],
		From: randomSelector(rng, img), To: randomSelector(rng, img), Both: rng.IntN(4) == 0,
		Relation: []model.Relation{model.AnyPair, model.AnyPair, model.OtherRegion, model.SameRegion, model.OtherVNet}[rng.IntN(5)],
	}
	if rng.IntN(3) > 0 {
		e.Traffic = append(e.Traffic, tcp([]uint16{22, 80, 443, 8080, 5432}[rng.IntN(5)])...)
	}
	if rng.IntN(3) == 0 {
		e.Traffic = append(e.Traffic, model.Traffic{Protocol: fabric.ProtoUDP})
	}
	if e.Verb == model.Allow && rng.IntN(2) == 0 {
		e.Through = append(e.Through, randomWaypoint(rng, img))
	}
	if e.Verb != model.Symmetric && rng.IntN(4) == 0 {
		e.NotThrough = append(e.NotThrough, randomWaypoint(rng, img))
	}
	return e
}

func randomWaypoint(rng *rand.Rand, img *fabric.Image) model.Waypoint {
	kind := []model.WaypointKind{model.SourceFirewall, model.DestinationFirewall, model.NamedHost}[rng.IntN(3)]
	if kind != model.NamedHost {
		return model.Waypoint{Kind: kind}
	}
	p := &img.Ports[rng.IntN(len(img.Ports))]
	if p.Kind == fabric.PortBalancer {
		kind = model.NamedBalancer
	}
	return model.Waypoint{Kind: kind, Name: p.Name}
}

// naming says whether a selector names a port, whatever its prefixes, written
// again from the meaning of the words.
func naming(img *fabric.Image, s *model.Selector, q fabric.PortID, works bool) bool {
	p := &img.Ports[q]
	bare := !s.Any && !s.Internet && !s.OnPrem && len(s.All) == 0
	outside := p.Kind == fabric.PortEdge || p.Kind == fabric.PortSite || p.Kind == fabric.PortService
	switch {
	case bare:
		return true
	case s.Internet:
		return p.Kind == fabric.PortEdge
	case s.OnPrem:
		return p.Kind == fabric.PortSite
	case s.Any && outside, p.Kind == fabric.PortEdge:
		return false
	}
	for _, l := range s.All {
		if !p.Has(fabric.Label{Kind: string(l.Kind), Name: l.Name}) {
			return false
		}
	}
	device := slices.ContainsFunc(s.All, func(l model.Label) bool { return l.Kind == model.LabelFirewall || l.Kind == model.LabelBalancer })
	return !works || device || p.Kind != fabric.PortForwarder && p.Kind != fabric.PortBalancer
}

// meaning says by which addresses a selector speaks of a port.
func meaning(img *fabric.Image, s *model.Selector, q fabric.PortID) fabric.Set {
	own := img.Sets[img.Ports[q].Addrs]
	if img.Ports[q].Kind == fabric.PortBalancer {
		for _, x := range img.Publics {
			if x.Port == q && !x.Unknown {
				own = own.Union(fabric.AddrSet(x.Addr))
			}
		}
	}
	if len(s.Prefixes) == 0 {
		return own
	}
	return own.Intersect(addresses(s))
}

// selects says whether a selector speaks of a port's address.
func selects(img *fabric.Image, s *model.Selector, q fabric.PortID, a netip.Addr, works bool) bool {
	return naming(img, s, q, works) && meaning(img, s, q).Contains(fabric.AddrValue(a))
}

func inTraffic(traffic []model.Traffic, p fabric.Packet) bool {
	if len(traffic) == 0 {
		return true
	}
	return slices.ContainsFunc(traffic, func(t model.Traffic) bool {
		return t.Protocol == p.Proto && (len(t.Ports) == 0 || slices.ContainsFunc(t.Ports, func(r model.PortRange) bool {
			return r.Lo <= p.DstPort && p.DstPort <= r.Hi
		}))
	})
}

// refutes says whether one packet, with the choices that were made for it,
// shows a claim false, by the reference evaluator alone: the meaning of the
// verbs, packet by packet.
func refutes(img *fabric.Image, e *model.Expectation, from fabric.PortID, c *fabric.Connection) bool {
	works := e.Verb != model.Deny
	p := c.Forward.Packet
	if !selects(img, &e.From, from, p.Src, works) {
		return false
	}
	if works && (!inTraffic(e.Traffic, p) || p.HasPorts() && (p.SrcPort == 0 || p.DstPort == 0)) {
		return false
	}
	prover := New(img)
	pair := func(q fabric.PortID) bool { return prover.related(e.Relation, from, q) }
	sender := &img.Ports[from]
	if p.Src == p.Dst || sender.Kind == fabric.PortHost && img.Sets[sender.Addrs].Contains(fabric.AddrValue(p.Dst)) {
		return false
	}
	// Where it ended: at a port that is meant, by an address that is meant or one
	// that a balancer left on it; or it was for a balancer that is meant.
	delivered := c.Forward.Verdict == fabric.VerdictAllow && c.Forward.Reason.Code != fabric.CodePlatform
	end, final := c.Forward.End(), c.Forward.Final
	ends := false
	if delivered && naming(img, &e.To, end, works) && pair(end) && (works || inTraffic(e.Traffic, final)) {
		mine, v := meaning(img, &e.To, end), fabric.AddrValue(final.Dst)
		ends = mine.Contains(v) || len(mine) > 0 && !img.Sets[img.Ports[end].Addrs].Contains(v)
	}
	for _, x := range c.Forward.Choices {
		if delivered && img.Ports[x.Port].Kind == fabric.PortBalancer && selects(img, &e.To, x.Port, p.Dst, works) && pair(x.Port) {
			ends = ends || inTraffic(e.Traffic, p)
		}
	}
	f := &Finding{Expectation: *e}
	j := newJudge(prover, newArena(img), f, 0)
	strays := func(path []fabric.PortID) bool {
		return slices.ContainsFunc(e.NotThrough, func(w model.Waypoint) bool { return j.crosses(&w, c, path) })
	}
	if e.Verb == model.Deny {
		return ends && (len(e.NotThrough) == 0 || strays(c.Forward.Path))
	}
	// The destination must be one the claim speaks of.
	meant := false
	if sender.Kind == fabric.PortEdge {
		w := prover.newWalk(j.a, 0)
		var to []chosen
		for q := range img.Ports {
			id := fabric.PortID(q)
			if mine := meaning(img, &e.To, id); len(mine) > 0 && naming(img, &e.To, id, works) && pair(id) {
				to = append(to, chosen{id, j.a.intern(mine)})
			}
		}
		for _, b := range boxes(j.a, e.Traffic, works) {
			if j.a.contains(b.protos, fabric.Num(uint16(p.Proto))) {
				meant = meant || j.a.contains(w.publicsTo(to, &b), fabric.AddrValue(p.Dst))
			}
		}
	} else {
		for q := range img.Ports {
			meant = meant || selects(img, &e.To, fabric.PortID(q), p.Dst, works) && pair(fabric.PortID(q))
		}
	}
	if !meant {
		return false
	}
	verdict, _ := c.Verdict()
	switch {
	case e.Verb == model.Symmetric:
		if !delivered || c.Reply.Verdict == fabric.VerdictUnknown {
			return false
		}
		return c.Reply.Verdict == fabric.VerdictDeny || !prover.mirrored(c.Forward.Path, c.Reply.Path)
	case verdict == fabric.VerdictUnknown:
		return false
	case verdict == fabric.VerdictDeny || !ends:
		return true
	}
	for i := range e.Through {
		if !j.passes(&e.Through[i], c) {
			return true
		}
	}
	return strays(c.Forward.Path) || strays(c.Reply.Path)
}

// sharpen changes a random packet so that a claim is likely to speak of it.
func sharpen(rng *rand.Rand, img *fabric.Image, e *model.Expectation, from *fabric.PortID, pkt *fabric.Packet) {
	any := func(s *model.Selector) (fabric.PortID, netip.Addr, bool) {
		q := fabric.PortID(rng.IntN(len(img.Ports)))
		set := meaning(img, s, q)
		if !naming(img, s, q, e.Verb != model.Deny) || set.IsEmpty() {
			return q, netip.Addr{}, false
		}
		return q, set[rng.IntN(len(set))].Lo.Addr(), true
	}
	for range 20 {
		if q, a, ok := any(&e.From); ok {
			*from, pkt.Src = q, a
			break
		}
	}
	for range 20 {
		if _, a, ok := any(&e.To); ok && a.Is4() == pkt.Src.Is4() {
			pkt.Dst = a
			break
		}
	}
	if len(img.Publics) > 0 && rng.IntN(4) == 0 && pkt.Src.Is4() {
		pkt.Dst = img.Publics[rng.IntN(len(img.Publics))].Addr
	}
	if pkt.Dst.Is4() != pkt.Src.Is4() {
		pkt.Dst = pkt.Src
	}
	if len(e.Traffic) > 0 && len(e.Traffic[0].Ports) > 0 && rng.IntN(2) == 0 && pkt.HasPorts() {
		pkt.DstPort = e.Traffic[0].Ports[0].Lo
	}
}

// FuzzCheck holds findings about random claims on random images to the
// reference: a claim that holds is refuted by no sampled packet, and the
// witness of a broken one refutes it.
func FuzzCheck(f *testing.F) {
	for seed := range uint64(90) {
		f.Add(seed)
	}
	f.Add(uint64(1045)) // a claim about addresses that nobody has
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 5))
		img := labelled(rng)
		p := New(img)
		for range 4 {
			e := randomClaim(rng, img)
			finding := p.Check([]model.Expectation{e})[0]
			if finding.Internal != nil {
				t.Fatal(finding.Internal)
			}
			back := e
			back.From, back.To = e.To, e.From
			switch finding.Status {
			case Broken:
				for _, g := range finding.Groups {
					wit := g.Witness
					if !refutes(img, &e, wit.From, &wit.Conn) && !(e.Both && refutes(img, &back, wit.From, &wit.Conn)) {
						t.Fatalf("%+v: the witness %s from %s does not refute it: %s", e, wit.Packet, wit.FromName, g.Cause)
					}
				}
			case Holds, Unknown:
				for range 300 {
					from, pkt := fabrictest.Packet(rng, img)
					if rng.IntN(2) == 0 {
						sharpen(rng, img, &e, &from, &pkt)
					}
					c := ref.ConnectBy(img, from, pkt, choosing(rng, img))
					if refutes(img, &e, from, &c) || e.Both && refutes(img, &back, from, &c) {
						t.Fatalf("%+v is %s (%s), but %s from %s refutes it with %v", e, finding.Status, finding.Why, pkt, p.name(from), c.Forward.Choices)
					}
				}
			}
		}
	})
}

// FuzzAny holds claims about any pair to claims about each pair: one holds if
// the claim does for some pair, and is broken if it is for all.
func FuzzAny(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 15))
		img := labelled(rng)
		p := New(img)
		if !p.unique {
			return // one address, two ports: a claim about either speaks of both
		}
		for range 4 {
			e := randomClaim(rng, img)
			e.Verb, e.Both, e.Quantity = model.Allow, false, model.Some
			a := newArena(img)
			holds, mayHold := false, false
			for _, from := range existing(p, p.choose(a, &e.From, true)) {
				for _, to := range existing(p, p.receivers(a, &e.To, []chosen{from}, p.choose(a, &e.To, true))) {
					if from.port == to.port && !many(&img.Ports[from.port]) || !p.related(e.Relation, from.port, to.port) {
						continue
					}
					one := e
					one.Quantity, one.Relation = "", model.AnyPair
					one.From, one.To = just(p, &e.From, from.port), just(p, &e.To, to.port)
					status := p.Check([]model.Expectation{one})[0].Status
					holds, mayHold = holds || status == Holds, mayHold || status != Broken
				}
			}
			want := Broken
			switch {
			case holds:
				want = Holds
			case mayHold:
				want = Unknown
			}
			if got := p.Check([]model.Expectation{e})[0]; got.Status != want {
				t.Fatalf("%+v is %s (%s), want %s", e, got.Status, got.Why, want)
			}
		}
	})
}

// just narrows a selector to one of the ports it names.
func just(p *Prover, s *model.Selector, q fabric.PortID) model.Selector {
	out := model.Selector{Text: p.name(q), Prefixes: s.Prefixes, All: []model.Label{{Kind: model.LabelHost, Name: p.img.Ports[q].Name}}}
	switch p.img.Ports[q].Kind {
	case fabric.PortEdge:
		out.All, out.Internet = nil, true
	case fabric.PortForwarder, fabric.PortBalancer:
		// Only bare prefixes speak of them.
		out.All = nil
		out.Prefixes = meaning(p.img, s, q).Prefixes()
	}
	return out
}

// matches says whether a connection is what a query looks for.
func matches(p *Prover, q *Query, from fabric.PortID, pkt fabric.Packet, c *fabric.Connection) bool {
	sender := &p.img.Ports[from]
	if pkt.Src == pkt.Dst || sender.Kind == fabric.PortHost && p.img.Sets[sender.Addrs].Contains(fabric.AddrValue(pkt.Dst)) {
		return false
	}
	own := p.img.Sets[sender.Addrs].Contains(fabric.AddrValue(pkt.Src))
	if q.From != nil && !slices.Contains(q.From, from) || q.Src == nil && !own || q.Src != nil && !q.Src.Contains(fabric.AddrValue(pkt.Src)) {
		return false
	}
	if !inTraffic(q.Traffic, pkt) || q.SrcPorts != nil && pkt.HasPorts() && !q.SrcPorts.Contains(fabric.Num(pkt.SrcPort)) {
		return false
	}
	verdict, _ := c.Verdict()
	delivered, platform := c.Forward.Verdict == fabric.VerdictAllow, c.Forward.Reason.Code == fabric.CodePlatform
	ends := delivered && (q.To == nil || slices.Contains(q.To, c.Forward.End()) && !platform)
	switch q.Look {
	case Delivered:
		return ends
	case Works:
		return ends && verdict == fabric.VerdictAllow
	case Fails:
		return verdict == fabric.VerdictDeny
	case Lost:
		return c.Forward.Verdict == fabric.VerdictDeny
	case Evades:
		missed := slices.ContainsFunc(q.Past, func(x fabric.PortID) bool { return !slices.Contains(inside(c.Forward.Path), x) })
		return ends && !platform && missed
	case Asymmetric:
		return ends && !platform && c.Reply.Verdict != fabric.VerdictUnknown &&
			(verdict == fabric.VerdictDeny || !p.mirrored(c.Forward.Path, c.Reply.Path))
	default:
		return verdict == fabric.VerdictUnknown
	}
}

// FuzzFind holds answers to random queries to the reference.
func FuzzFind(f *testing.F) {
	for seed := range uint64(90) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 6))
		img := labelled(rng)
		p := New(img)
		some := func() []fabric.PortID {
			if rng.IntN(2) == 0 {
				return nil
			}
			return []fabric.PortID{fabric.PortID(rng.IntN(len(img.Ports)))}
		}
		for look := Delivered; look <= Lost; look++ {
			q := Query{Look: look, From: some(), To: some(), Past: some()}
			if rng.IntN(2) == 0 {
				q.Traffic = tcp(443, 22)
			}
			if rng.IntN(4) == 0 {
				q.Src = fabric.AllValues()
			}
			if rng.IntN(4) == 0 {
				q.SrcPorts = fabric.NumSet(40000, 40001)
			}
			out := p.Find(q)
			switch {
			case out.Err != nil:
				t.Fatal(out.Err)
			case out.Answer == Found:
				if !matches(p, &q, out.Witness.From, out.Witness.Packet, &out.Witness.Conn) {
					t.Fatalf("%+v: the witness %s from %s is not it", q, out.Witness.Packet, out.Witness.FromName)
				}
			case out.Answer == Open:
				if verdict, _ := out.Witness.Conn.Verdict(); verdict != fabric.VerdictUnknown {
					t.Fatalf("%+v: open for a packet that is decided: %s", q, out.Witness.Packet)
				}
			}
			if out.Answer == Found {
				continue
			}
			for range 150 {
				from, pkt := fabrictest.Packet(rng, img)
				if c := ref.ConnectBy(img, from, pkt, choosing(rng, img)); matches(p, &q, from, pkt, &c) {
					t.Fatalf("%+v: %s, but %s from %s is it", q, out.Answer, pkt, p.name(from))
				}
			}
		}
	})
}

// FuzzExplain: explanations end, and when they say that their changes are
// enough it was tried.
func FuzzExplain(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 8))
		img := labelled(rng)
		before := img.Digest()
		p := New(img)
		for range 5 {
			x := p.Explain(randomSelector(rng, img), randomSelector(rng, img), tcp(443))
			verdict, _ := x.Conn.Verdict()
			switch {
			case x.Problem != "":
			case x.Works() != (verdict == fabric.VerdictAllow):
				t.Fatalf("works: %v, but the reference says %s", x.Works(), verdict)
			case x.Works() == (len(x.Blockers) > 0):
				t.Fatalf("works: %v with %d blockers", x.Works(), len(x.Blockers))
			case !x.Works() && x.Complete && len(x.FixedReply) == 0:
				t.Fatal("complete without a way")
			}
		}
		if img.Digest() != before {
			t.Fatal("the image was changed")
		}
	})
}
