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
		if p.Kind == fabric.PortForwarder && rng.IntN(3) > 0 {
			p.Labels = append(p.Labels, fabric.Label{Kind: "firewall", Name: p.Name})
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
	switch rng.IntN(8) {
	case 0:
		return anyone
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
		e.Through = append(e.Through, model.Waypoint{Kind: []model.WaypointKind{model.SourceFirewall, model.DestinationFirewall}[rng.IntN(2)]})
	}
	return e
}

// selects says whether a selector speaks of a port's address, written again
// from the meaning of the words.
func selects(img *fabric.Image, s *model.Selector, q fabric.PortID, a netip.Addr, works bool) bool {
	p := &img.Ports[q]
	if !img.Sets[p.Addrs].Contains(fabric.AddrValue(a)) {
		return false
	}
	bare := !s.Any && !s.Internet && len(s.All) == 0
	if s.Internet != (p.Kind == fabric.PortEdge) && !(bare && p.Kind == fabric.PortEdge) {
		return false
	}
	if works && p.Kind == fabric.PortForwarder && !bare {
		return false
	}
	for _, l := range s.All {
		if !p.Has(fabric.Label{Kind: string(l.Kind), Name: l.Name}) {
			return false
		}
	}
	return len(s.Prefixes) == 0 || slices.ContainsFunc(s.Prefixes, func(x netip.Prefix) bool { return x.Contains(a) })
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

// refutes says whether one packet shows a claim false, by the reference
// evaluator alone: the meaning of the verbs, packet by packet.
func refutes(img *fabric.Image, e *model.Expectation, from fabric.PortID, p fabric.Packet) bool {
	works := e.Verb != model.Deny
	if !selects(img, &e.From, from, p.Src, works) || !inTraffic(e.Traffic, p) {
		return false
	}
	if works && (p.HasPorts() && (p.SrcPort == 0 || p.DstPort == 0)) {
		return false
	}
	// to says whether a port is a destination of this source, at an address.
	to := func(q fabric.PortID, a netip.Addr) bool {
		return selects(img, &e.To, q, a, works) && New(img).related(e.Relation, from, q)
	}
	sender := &img.Ports[from]
	same := p.Src == p.Dst || sender.Kind == fabric.PortHost && img.Sets[sender.Addrs].Contains(fabric.AddrValue(p.Dst))
	if same {
		return false
	}
	c := ref.Connect(img, from, p)
	ends := c.Forward.Verdict == fabric.VerdictAllow && to(c.Forward.End(), c.Forward.Final.Dst) && c.Forward.Reason.Code != fabric.CodePlatform
	if e.Verb == model.Deny {
		return ends
	}
	// The destination must be one the claim speaks of.
	meant := false
	if public, ok := img.PublicAt(p.Dst); sender.Kind == fabric.PortEdge {
		meant = ok && !public.Unknown && public.Port != fabric.None && to(public.Port, public.Private)
	} else {
		for q := range img.Ports {
			meant = meant || to(fabric.PortID(q), p.Dst)
		}
	}
	if !meant {
		return false
	}
	verdict, _ := c.Verdict()
	switch {
	case e.Verb == model.Symmetric:
		if c.Forward.Verdict != fabric.VerdictAllow || c.Reply.Verdict == fabric.VerdictUnknown || c.Forward.Reason.Code == fabric.CodePlatform {
			return false
		}
		return c.Reply.Verdict == fabric.VerdictDeny || !New(img).mirrored(c.Forward.Path, c.Reply.Path)
	case verdict == fabric.VerdictUnknown:
		return false
	case verdict == fabric.VerdictDeny || !ends:
		return true
	}
	j := newJudge(New(img), newArena(img), &Finding{Expectation: *e}, 0)
	for i := range e.Through {
		if !j.passes(i, &c) {
			return true
		}
	}
	return false
}

// FuzzCheck holds findings about random claims on random images to the
// reference: a claim that holds is refuted by no sampled packet, and the
// witness of a broken one refutes it.
func FuzzCheck(f *testing.F) {
	for seed := range uint64(90) {
		f.Add(seed)
	}
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
					if !refutes(img, &e, wit.From, wit.Packet) && !(e.Both && refutes(img, &back, wit.From, wit.Packet)) {
						t.Fatalf("%+v: the witness %s from %s does not refute it: %s", e, wit.Packet, wit.FromName, g.Cause)
					}
				}
			case Holds, Unknown:
				for range 300 {
					from, pkt := fabrictest.Packet(rng, img)
					if refutes(img, &e, from, pkt) || e.Both && refutes(img, &back, from, pkt) {
						t.Fatalf("%+v is %s (%s), but %s from %s refutes it", e, finding.Status, finding.Why, pkt, p.name(from))
					}
				}
			}
		}
	})
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
	if !inTraffic(q.Traffic, pkt) {
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
		for look := Delivered; look <= Undecided; look++ {
			q := Query{Look: look, From: some(), To: some(), Past: some()}
			if rng.IntN(2) == 0 {
				q.Traffic = tcp(443, 22)
			}
			if rng.IntN(4) == 0 {
				q.Src = fabric.AllValues()
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
				if c := ref.Connect(img, from, pkt); matches(p, &q, from, pkt, &c) {
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
