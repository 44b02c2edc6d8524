package node

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	reference "github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/proof/certificate"
	"github.com/ceruleannet/cerulean/model"
)

// FuzzMeaning compiles random networks of Azure resources and holds every
// interpreter of the image to one meaning: the reference evaluator, the proof
// and the packet engine give every packet the same verdict for the same
// reason, and the checker of certificates accepts what the proof proves.
func FuzzMeaning(f *testing.F) {
	for i := range uint64(100) {
		f.Add(i)
	}
	// Packets in a loop of a balancer and forwarders that masquerade.
	for _, i := range []uint64{13197323556500212201, 6589693758321747300, 11140100470378316330, 999478568884288802} {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 17))
		n := newRandomNetwork(rng)
		img, err := compile.Compile(n.list, compile.Options{})
		var problems model.Problems
		if errors.As(err, &problems) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := compile.Compile(n.list, compile.Options{})
		if err != nil || again.Digest() != img.Digest() {
			t.Fatalf("the same resources compile to two images: %v", err)
		}
		p := proof.New(img)
		for range 100 {
			at, packet := fabrictest.Packet(rng, img)
			oneMeaning(t, img, p, at, packet)
		}
		var exps []model.Expectation
		for range 3 {
			from, to := img.Ports[rng.IntN(len(img.Ports))], img.Ports[rng.IntN(len(img.Ports))]
			exps = append(exps, model.Expectation{
				Name: from.Name + " to " + to.Name, Verb: model.Deny,
				From: selector(&from), To: selector(&to),
			})
		}
		c, _ := p.Certify("random", exps)
		if err := certificate.Verify(img, c); err != nil {
			t.Fatal(err)
		}
	})
}

// oneMeaning holds the proof and the engine to what the reference evaluator
// says of a packet, and returns that.
func oneMeaning(t testing.TB, img *fabric.Image, p *proof.Prover, at fabric.PortID, packet fabric.Packet) fabric.Connection {
	t.Helper()
	want := reference.Connect(img, at, packet)
	verdict, _ := want.Verdict()

	// The proof, asked about this one packet. Other source ports, and other
	// targets of balancers, may fare otherwise: what becomes of this packet must
	// be found.
	if packet.Src != packet.Dst && !own(img, at, packet) {
		one := proof.Query{
			Look: proof.Works, From: []fabric.PortID{at}, Src: fabric.AddrSet(packet.Src), Dst: fabric.AddrSet(packet.Dst),
			Traffic: []model.Traffic{{Protocol: packet.Proto, Ports: portsFor(packet)}},
		}
		if got := p.Find(one); verdict == fabric.VerdictAllow && got.Answer == proof.None {
			t.Fatalf("%s from %s works; the proof says nothing like it does", packet, img.Ports[at].Name)
		}
		one.Look = proof.Fails
		if got := p.Find(one); verdict == fabric.VerdictDeny && got.Answer == proof.None {
			t.Fatalf("%s from %s fails; the proof says nothing like it does", packet, img.Ports[at].Name)
		}
	}

	// The engine, on real bytes.
	b := engine.First(packet)
	first := engine.New(img, engine.Options{}).Process(0, at, b)
	if final, _ := engine.Tuple(b); len(want.Forward.Choices) > 0 && (final.SrcPort != want.Forward.Final.SrcPort || final.Src != want.Forward.Final.Src) {
		// A pool gave out another port than the packet's, and a balancer behind it
		// went by that: the engine is asked once more, with the reference's choices.
		first = engine.New(img, engine.Options{Choose: asChosen(img, at, packet)}).Process(0, at, engine.First(packet))
	}
	if first.Verdict != want.Forward.Verdict || first.Reason != want.Forward.Reason {
		t.Fatalf("%s from %s: the engine says %s because %s, the reference %s because %s",
			packet, img.Ports[at].Name, first.Verdict, first.Reason.Code, want.Forward.Verdict, want.Forward.Reason.Code)
	}
	return want
}

// asChosen returns a Choose that does with a packet on its way what the
// reference does with it, whichever source port a pool gave it. The engine
// repeats a walk for every port it tries, and a packet in a loop meets a
// balancer more than once, so the packet itself tells which choice is meant.
func asChosen(img *fabric.Image, from fabric.PortID, packet fabric.Packet) fabric.Choose {
	type meeting struct {
		at       fabric.PortID
		redirect int32
		packet   fabric.Packet
	}
	own := fabric.NewChooser(img)
	chosen := map[meeting]int32{}
	meet := func(at fabric.PortID, redirect int32, p fabric.Packet) meeting {
		p.SrcPort = 0
		return meeting{at, redirect, p}
	}
	reference.ConnectBy(img, from, packet, func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		n := own.Pick(from, at, redirect, p)
		chosen[meet(at, redirect, p)] = n
		return n
	})
	return func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		if n, ok := chosen[meet(at, redirect, p)]; ok {
			return n
		}
		return own.Pick(from, at, redirect, p)
	}
}

// own reports whether a packet is for the one who sends it.
func own(img *fabric.Image, at fabric.PortID, p fabric.Packet) bool {
	return img.Sets[img.Ports[at].Addrs].Contains(fabric.AddrValue(p.Dst))
}

func portsFor(p fabric.Packet) []model.PortRange {
	if !p.HasPorts() {
		return nil
	}
	return []model.PortRange{{Lo: p.DstPort, Hi: p.DstPort}}
}

// selector names a port by its first label.
func selector(p *fabric.Port) model.Selector {
	if p.Kind == fabric.PortEdge {
		return model.Selector{Text: "internet", Internet: true}
	}
	s := model.Selector{Text: p.Name, Any: true}
	for _, l := range p.Labels {
		s.All = append(s.All, model.Label{Kind: model.LabelKind(l.Kind), Name: l.Name})
	}
	return s
}
