package proof

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// TestFaults: loops and black holes are found, with the routes that make them.
func TestFaults(t *testing.T) {
	p := newPlanet(3, 3)
	for _, f := range New(p.img).Faults() {
		t.Errorf("%s: %s", f.Expectation.Name, f.Why)
	}
	p.open()
	p.lead("hub0", "10.64.0.0/16", fabric.Hop{Kind: fabric.HopPort, Port: p.firewalls[1]})
	p.lead("hub1", "10.64.0.0/16", fabric.Hop{Kind: fabric.HopPort, Port: p.firewalls[0]})
	p.lead("prod-0-0", "10.0.2.0/24", fabric.Hop{Kind: fabric.HopMissing, Via: addr("10.0.0.99")})
	p.lead("prod-1-0", "10.0.1.0/24", fabric.Hop{Kind: fabric.HopDrop})
	p.tableNamed("prod-2-0").Routes = p.tableNamed("prod-2-0").Routes[:2]
	if err := p.img.Check(); err != nil {
		t.Fatal(err)
	}
	want := []string{"it loops", "leads to 10.0.0.99, which no port has", "drops it", "has no route to"}
	found := New(p.img).Faults()
	if len(found) != len(want) {
		t.Errorf("%d findings, want %d", len(found), len(want))
	}
	for i, f := range found {
		if f.Status != Broken || i >= len(want) || !strings.Contains(f.Why, want[i]) {
			t.Errorf("%s: %s: %s", f.Expectation.Name, f.Status, f.Why)
		}
		for _, g := range f.Groups {
			checkReplay(t, p.img, g.Witness)
		}
	}
}

// FuzzFaults holds faults to the reference: what random packets show is found,
// and what is found replays.
func FuzzFaults(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 16))
		img := labelled(rng)
		p := New(img)
		found := map[fabric.Code]bool{}
		for _, x := range p.Faults() {
			if x.Status != Broken {
				t.Fatalf("%s: %s", x.Expectation.Name, x.Why)
			}
			for _, g := range x.Groups {
				checkReplay(t, img, g.Witness)
				_, reason := g.Witness.Conn.Verdict()
				found[reason.Code] = true
			}
		}
		owned := func(p fabric.Packet) bool {
			for i := range img.Ports {
				x := &img.Ports[i]
				if x.Kind != fabric.PortEdge && x.Kind != fabric.PortVacant && img.Sets[x.Addrs].Contains(fabric.AddrValue(p.Dst)) {
					return true
				}
			}
			return false
		}
		for range 200 {
			from, pkt := fabrictest.Packet(rng, img)
			own := img.Sets[img.Ports[from].Addrs]
			if img.Ports[from].Kind != fabric.PortHost || !own.Contains(fabric.AddrValue(pkt.Src)) || own.Contains(fabric.AddrValue(pkt.Dst)) {
				continue
			}
			c := ref.ConnectBy(img, from, pkt, choosing(rng, img))
			last := &c.Forward
			if last.Verdict == fabric.VerdictAllow {
				last = &c.Reply
			}
			for _, x := range faulty {
				if x.code == last.Reason.Code && !found[x.code] && (!x.owned || owned(last.Final)) {
					t.Fatalf("%s from %s: %s, which is not found", pkt, p.name(from), x.name)
				}
			}
		}
	})
}
