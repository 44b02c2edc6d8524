package proof

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// representatives returns addresses and ports such that every packet of an
// image behaves like one made of them: the first two values of every range in
// which no set, prefix or address of the image begins or ends.
func representatives(img *fabric.Image) (addrs []fabric.Value, ports []uint16) {
	cuts := []fabric.Value{{}, mapped.Lo, mapped.Hi.Next(), fabric.Num(1)}
	add := func(r fabric.Range) { cuts = append(cuts, r.Lo, r.Hi.Next()) }
	one := func(v fabric.Value) { add(fabric.Range{Lo: v, Hi: v}) }
	for _, s := range img.Sets {
		for _, r := range s {
			add(r)
		}
	}
	for i := range img.Tables {
		for _, r := range img.Tables[i].Routes {
			add(fabric.PrefixRange(r.Prefix))
		}
	}
	for _, p := range img.Publics {
		one(fabric.AddrValue(p.Addr))
		if p.Port != fabric.None {
			one(fabric.AddrValue(p.Private))
		}
	}
	slices.SortFunc(cuts, fabric.Value.Compare)
	cuts = slices.Compact(cuts)
	for i, v := range cuts {
		if v.Hi == 0 && v.Lo <= 65535 {
			ports = append(ports, uint16(v.Lo))
			continue
		}
		addrs = append(addrs, v)
		if next := v.Next(); i+1 == len(cuts) || next != cuts[i+1] {
			addrs = append(addrs, next)
		}
	}
	return addrs, ports
}

// everyWay follows a packet and its reply with every sequence of choices.
func everyWay(img *fabric.Image, from fabric.PortID, p fabric.Packet) []fabric.Connection {
	var out []fabric.Connection
	var script, limits []int
	for {
		k := 0
		c := ref.ConnectBy(img, from, p, func(_, at fabric.PortID, redirect int32, _ fabric.Packet) int32 {
			var up []int32
			for n, t := range img.Ports[at].Inward.Redirects[redirect].Targets {
				if t.Down == "" {
					up = append(up, int32(n))
				}
			}
			if k == len(script) {
				script, limits = append(script, 0), append(limits, len(up))
			}
			k++
			return up[script[k-1]]
		})
		out = append(out, c)
		for k > 0 && script[k-1]+1 == limits[k-1] {
			k--
		}
		if k == 0 {
			return out
		}
		script, limits = script[:k], limits[:k]
		script[k-1]++
	}
}

// choosy reports whether an image has something to choose.
func choosy(img *fabric.Image) bool {
	for i := range img.Ports {
		if in := img.Ports[i].Inward; in != nil {
			for _, r := range in.Redirects {
				up := 0
				for _, t := range r.Targets {
					if t.Down == "" {
						up++
					}
				}
				if up > 1 {
					return true
				}
			}
		}
	}
	return false
}

// TestExhaustive: on small images every kind of packet is tried, so "found" and
// "none" are both checked to be the whole truth.
func TestExhaustive(t *testing.T) {
	type trial struct {
		from fabric.PortID
		pkt  fabric.Packet
		conn fabric.Connection
	}
	counts := map[string]int{}
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 9))
		img := labelled(rng)
		for len(img.Ports) > 9 || seed > 0 && !choosy(img) {
			img = labelled(rng)
		}
		addrs, ports := representatives(img)
		var all []trial
		for from := range img.Ports {
			for _, src := range addrs {
				if !img.Sets[img.Ports[from].Addrs].Contains(src) {
					continue
				}
				for _, dst := range addrs {
					if mapped.Contains(src) != mapped.Contains(dst) {
						continue
					}
					for _, proto := range []uint8{fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP, 99} {
						p := fabric.Packet{Src: src.Addr(), Dst: dst.Addr(), Proto: proto}
						if !p.HasPorts() {
							all = append(all, trial{from: fabric.PortID(from), pkt: p})
							continue
						}
						// Random rules match few source ports: two are enough.
						for _, p.SrcPort = range []uint16{40000, 40002} {
							for _, p.DstPort = range ports {
								all = append(all, trial{from: fabric.PortID(from), pkt: p})
							}
						}
					}
				}
			}
		}
		for i := range all {
			ways := everyWay(img, all[i].from, all[i].pkt)
			all[i].conn = ways[0]
			for _, c := range ways[1:] {
				all = append(all, trial{all[i].from, all[i].pkt, c})
				counts["chosen"]++
			}
		}
		p := New(img)
		for range 24 {
			q := Query{Look: Look(rng.IntN(7)), Past: []fabric.PortID{fabric.PortID(rng.IntN(len(img.Ports)))}}
			if rng.IntN(2) == 0 {
				q.From = []fabric.PortID{fabric.PortID(rng.IntN(len(img.Ports)))}
			}
			if rng.IntN(2) == 0 {
				q.To = []fabric.PortID{fabric.PortID(rng.IntN(len(img.Ports)))}
			}
			exists := slices.ContainsFunc(all, func(x trial) bool { return matches(p, &q, x.from, x.pkt, &x.conn) })
			out := p.Find(q)
			counts[out.Answer.String()]++
			if out.Answer == Found && !exists || out.Answer != Found && exists {
				t.Fatalf("seed %d: %+v: %s, but among %d packets of all kinds there is one: %v", seed, q, out.Answer, len(all), exists)
			}
		}
	}
	t.Log(counts)
	if counts["found"] < 10 || counts["none"] < 10 || counts["chosen"] < 10 {
		t.Errorf("the queries are one-sided: %v", counts)
	}
}

// TestBudget: a search that may not finish concludes nothing.
func TestBudget(t *testing.T) {
	p := New(newPlanet(3, 6).img)
	if out := p.Find(Query{Look: Asymmetric, Budget: 50}); out.Answer != Open || out.Err == nil {
		t.Errorf("find: %s, %v", out.Answer, out.Err)
	}
	for _, e := range planetClaims() {
		if len(e.Names) > 0 || e.From.Internet {
			continue
		}
		if f := p.check(newArena(p.img), e, 20); f.Status != Unknown && f.Counts.Steps >= 20 {
			t.Errorf("%s: %s after 20 steps: %s", e.Name, f.Status, f.Why)
		}
	}
}

// TestConcurrent: one prover answers many askers.
func TestConcurrent(t *testing.T) {
	p := New(newPlanet(2, 4).img)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, f := range p.Check(planetClaims()) {
				if f.Status != Holds {
					t.Errorf("%s: %s", f.Expectation.Name, f.Why)
				}
			}
		})
	}
	wg.Wait()
}

// TestPartition: a table as a partition takes the route that the table's own
// search takes.
func TestPartition(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 10))
		img := labelled(rng)
		addrs, _ := representatives(img)
		for i := range img.Tables {
			part := newPartition(&img.Tables[i])
			for _, v := range addrs {
				want, ok := img.Tables[i].Lookup(v.Addr())
				got := int32(fabric.None)
				for _, c := range part.of(v) {
					if c.Contains(v) {
						got = c.route
					}
				}
				if !ok {
					want = fabric.None
				}
				if got != want {
					t.Fatalf("seed %d: table %d sends %s by route %d, not %d", seed, i, v.Addr(), got, want)
				}
			}
		}
	}
}
