package proof

import (
	"math/rand/v2"
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
			at = site{place(w.p.layer[q]), fabric.Src, w.p.class[q]}
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
func checkLeaves(t *testing.T, rng *rand.Rand, img *fabric.Image, packets int) {
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
			c := ref.Connect(img, from, p)
			verdict, reason := c.Forward.Verdict, c.Forward.Reason
			if replies {
				verdict, reason = c.Verdict()
			}
			found := 0
			for i := range leaves {
				l := &leaves[i]
				if !w.holds(&l.state, from, p) {
					continue
				}
				found++
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
