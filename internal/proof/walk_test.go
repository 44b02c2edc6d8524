package proof

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// everything returns boxes that hold every packet from every port: own
// addresses class by class, forged ones port by port.
func everything(w *walk, forged bool) []state {
	var out []state
	four := w.a.intern(fabric.Set{mapped})
	add := func(from site, src setID) {
		for _, family := range []setID{four, w.a.subtract(allSet, four)} {
			s := state{from: from}
			s.cube = cube{w.a.intersect(src, family), family, allSet, allSet, allSet}
			if s.cube[fabric.Src] != emptySet {
				out = append(out, s)
			}
		}
	}
	classes := map[site]setID{}
	var order []site
	for i := range w.p.img.Ports {
		q := fabric.PortID(i)
		own := w.a.of(w.p.img.Ports[q].Addrs)
		at := siteOf(q)
		if w.p.layer[q] != alone {
			at = site{place(w.p.layer[q]), bySrc, w.p.class[q]}
		}
		if _, ok := classes[at]; !ok {
			order = append(order, at)
		}
		classes[at] = w.a.union(classes[at], own)
		if forged {
			add(siteOf(q), w.a.subtract(allSet, own))
		}
	}
	for _, at := range order {
		add(at, classes[at])
	}
	return out
}

// checkLeaves holds a complete search against the reference evaluator: every
// packet is in exactly one leaf, with the reference's verdict, reason and path.
// Some packets go to the addresses given besides.
func checkLeaves(t *testing.T, rng *rand.Rand, img *fabric.Image, packets int, also ...netip.Addr) {
	t.Helper()
	for _, replies := range []bool{false, true} {
		w := New(img).newWalk(newArena(img), 5_000_000)
		w.replies = replies
		var leaves []leaf
		w.leaf = func(l leaf) { leaves = append(leaves, l) }
		if !w.run(everything(w, true)) {
			t.Fatalf("the search is not complete after %d steps", w.steps)
		}
		for range packets {
			from, p := fabrictest.Packet(rng, img)
			if len(also) > 0 && rng.IntN(4) == 0 {
				p.Dst = also[rng.IntN(len(also))]
			}
			c := ref.ConnectBy(img, from, p, choosing(rng, img))
			verdict, reason := c.Forward.Verdict, c.Forward.Reason
			if replies {
				verdict, reason = c.Verdict()
			}
			found := 0
			for i := range leaves {
				l := &leaves[i]
				if !w.holds(&l.state, from, p) || !slices.Equal(w.choices.all(l.chose), c.Forward.Choices) {
					continue
				}
				end := &c.Forward
				if l.reply {
					if end = &c.Reply; !slices.Equal(w.choices.all(l.again), end.Choices) {
						continue
					}
				}
				found++
				if at := w.final(&l.state, p); at != end.Final {
					t.Fatalf("port %d, %s (replies %v): ends as %s, the reference says %s", from, p, replies, at, end.Final)
				}
				got := w.reason(l, p)
				if replies && verdict == fabric.VerdictAllow && reason.Code == fabric.CodeDelivered {
					got.Port = reason.Port // the leaf is the reply's
				}
				if l.verdict != verdict || got != reason {
					t.Fatalf("port %d, %s (replies %v): %s because %s %+v, the reference says %s because %s %+v",
						from, p, replies, l.verdict, l.code, got, verdict, reason.Code, reason)
				}
				if mid := inner(c.Forward.Path); l.code != fabric.CodePlatform && !slices.Equal(prefix(w.paths.ports(l.mid), len(mid)), mid) {
					t.Fatalf("port %d, %s: path %v, the reference says %v", from, p, w.paths.ports(l.mid), c.Forward.Path)
				}
				if l.reply {
					if end := w.portAt(&l.state, l.end, p); end != c.Forward.End() {
						t.Fatalf("port %d, %s: ends at %d, the reference says %d", from, p, end, c.Forward.End())
					}
					if mid := inner(c.Reply.Path); !slices.Equal(prefix(w.paths.ports(l.back), len(mid)), mid) {
						t.Fatalf("port %d, %s: the reply's path is %v, the reference says %v", from, p, w.paths.ports(l.back), c.Reply.Path)
					}
				}
			}
			if found != 1 {
				t.Fatalf("port %d, %s (replies %v): in %d leaves", from, p, replies, found)
			}
		}
	}
}

// choosing returns choices of redirects at random.
func choosing(rng *rand.Rand, img *fabric.Image) fabric.Choose {
	return func(_, at fabric.PortID, redirect int32, _ fabric.Packet) int32 {
		targets := img.Ports[at].Inward.Redirects[redirect].Targets
		for {
			if n := rng.IntN(len(targets)); targets[n].Down == "" {
				return int32(n)
			}
		}
	}
}

// inner returns a path without its first and last port.
func inner(path []fabric.PortID) []fabric.PortID {
	if len(path) < 3 {
		return nil
	}
	return path[1 : len(path)-1]
}

// prefix cuts a path: a forwarder that itself drops a packet is its last port.
func prefix(path []fabric.PortID, n int) []fabric.PortID { return path[:min(n, len(path))] }

// FuzzLeaves is the test of the house: on random images, the symbolic search
// classifies every packet as the reference evaluator does.
func FuzzLeaves(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		checkLeaves(t, rng, labelled(rng), 300)
	})
}

// TestLeavesByHand has what random images seldom have.
func TestLeavesByHand(t *testing.T) {
	open := func(p *planet) {
		for i := range p.img.Filters {
			p.img.Filters[i].Rules, p.img.Filters[i].Default = nil, fabric.Pass
		}
	}
	route := func(p *planet, table, prefix, to string) {
		id, _ := p.portNamed(to)
		tab := p.tableNamed(table)
		tab.Routes = append(tab.Routes, fabric.Route{Prefix: netip.MustParsePrefix(prefix), Hop: fabric.Hop{Kind: fabric.HopPort, Port: id}})
		fabric.SortRoutes(tab.Routes)
	}
	for _, tt := range []struct {
		name   string
		change func(*planet)
	}{
		{"as it is", func(*planet) {}},
		{"everything open", open},
		{"two firewalls that point at each other", func(p *planet) {
			open(p)
			route(p, "hub0", "10.32.0.0/12", "fwhub1")
			route(p, "hub1", "10.32.1.0/26", "fwhub0")
			route(p, "hub0", "10.32.1.0/26", "fwhub1")
		}},
		{"published hosts reach each other by the internet", func(p *planet) {
			open(p)
			p.publish("app-prod-0-0", "20.1.1.1")
			p.publish("app-nonprod-0-1", "20.1.1.2")
			p.publish("data-prod-1-0", "20.1.1.3")
		}},
		{"a firewall that translates and publishes", func(p *planet) {
			open(p)
			p.publish("app-prod-0-0", "20.1.1.1")
			id, fw := p.portNamed("fwhub0")
			fw.Outbound = &fabric.Outbound{Pool: []netip.Addr{netip.MustParseAddr("20.0.0.1")}}
			for i := range p.img.Publics {
				if p.img.Publics[i].Addr == fw.Outbound.Pool[0] {
					p.img.Publics[i].Port, p.img.Publics[i].Private = id, netip.MustParseAddr("10.0.1.4")
				}
			}
		}},
		{"an owner of an address it does not have", func(p *planet) {
			open(p)
			for i := range p.img.Spaces {
				owners := p.img.Spaces[i].Owners
				for j := range owners {
					if p.img.Ports[owners[j].Port].Kind == fabric.PortVacant {
						owners[j].Range.Hi = owners[j].Range.Hi.Next()
					}
				}
			}
		}},
		{"a reply that comes back to where it began", func(p *planet) {
			route(p, "hub0", "10.0.1.0/26", "data-prod-1-0")
			route(p, "hub1", "10.0.1.0/26", "data-prod-1-0")
			open(p)
			_, end := p.portNamed("data-prod-1-0")
			end.Ingress = []fabric.FilterID{p.filter(fabric.Filter{Name: "not from prod-0", Default: fabric.Pass, Rules: []fabric.Rule{
				rule("not to prod-0", fabric.Drop, 0, p.set(fabric.PrefixSet(netip.MustParsePrefix("10.0.1.0/24"))), 0, 0),
			}})}
		}},
		{"firewalls without memory", func(p *planet) {
			open(p)
			for _, fw := range p.firewalls {
				p.img.Ports[fw].Forward.Stateful = false
			}
			route(p, "prod-1-0", "10.0.1.0/24", "fwhub0")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlanet(2, 2)
			tt.change(p)
			if err := p.img.Check(); err != nil {
				t.Fatal(err)
			}
			checkLeaves(t, rand.New(rand.NewPCG(1, 11)), p.img, 4000, netip.MustParseAddr("10.0.1.63"), netip.MustParseAddr("10.0.1.127"), netip.MustParseAddr("10.32.2.63"))
		})
	}
}
