package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// farm is a client, port 0, a balancer, port 1, and machines behind it.
func farm(machines int, web fabric.Redirect) *fabric.Image {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues(), nil}, Platform: 1, Edge: fabric.None}
	img.Spaces = []fabric.Space{{Name: "net", Region: fabric.None}}
	img.Segments = []fabric.Segment{{Name: "net/subnet"}}
	img.Filters = []fabric.Filter{{Name: "open", Default: fabric.Pass}}
	img.Tables = []fabric.Table{{Name: "net", Routes: []fabric.Route{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Hop: fabric.Hop{Kind: fabric.HopSpace}}}}}
	add := func(name string, kind fabric.PortKind, a netip.Addr) {
		img.Sets = append(img.Sets, fabric.AddrSet(a))
		id := fabric.PortID(len(img.Ports))
		img.Spaces[0].Owners = append(img.Spaces[0].Owners, fabric.Owner{Range: fabric.AddrSet(a)[0], Port: id})
		img.Ports = append(img.Ports, fabric.Port{
			Name: name, Kind: kind, Region: fabric.None, Addrs: fabric.SetID(len(img.Sets) - 1),
			Egress: []fabric.FilterID{0}, Ingress: []fabric.FilterID{0},
		})
	}
	add("client", fabric.PortHost, netip.MustParseAddr("10.0.0.4"))
	add("lb", fabric.PortBalancer, netip.MustParseAddr("10.0.0.9"))
	probe := &fabric.Probe{Name: "alive", Interval: 5 * time.Second, Threshold: 1}
	for i := range machines {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		add(fmt.Sprint("vm", i), fabric.PortHost, a)
		web.Targets = append(web.Targets, fabric.Target{Port: fabric.PortID(2 + i), Addr: a, Own: a, DstPort: 8080, Probe: probe})
	}
	img.Ports[1].Inward = &fabric.Inward{Redirects: []fabric.Redirect{web}}
	if err := img.Check(); err != nil {
		panic(err)
	}
	return img
}

// asked is the n-th member of a farm as its probe asks it.
func asked(img *fabric.Image, n int) fabric.Asked {
	a, _ := img.Ports[1].Inward.Redirects[0].Targets[n].Asked()
	return a
}

// member returns the target a packet goes to, or -1.
func member(e *Engine, now time.Duration, b []byte) int {
	r := e.Process(now, 0, b)
	if r.Verdict != fabric.VerdictAllow {
		return -1
	}
	return int(r.Out) - 2
}

// However members come and go, no established TCP flow moves, and of the UDP
// flows only those whose member is down.
func TestNoEstablishedFlowMoves(t *testing.T) {
	const members, flows = 12, 2000
	img := farm(members, fabric.Redirect{Name: "web"})
	e := New(img, Options{})
	rng := rand.New(rand.NewPCG(3, 1))
	var at [2 * flows]int
	key := func(i int) fabric.Packet {
		p := packet(fabric.ProtoTCP, "10.0.0.4:0", "10.0.0.9:80")
		if i >= flows {
			p.Proto = fabric.ProtoUDP
		}
		p.SrcPort = uint16(1024 + i)
		return p
	}
	for i := range at {
		if at[i] = member(e, 0, First(key(i))); at[i] < 0 {
			t.Fatal("denied")
		}
	}
	down := make(fabric.Health)
	moved, fresh, strayed := 0, 0, 0
	for round := range 30 {
		n := rng.IntN(members)
		a := asked(img, n)
		if down[a] == "" && rng.IntN(4) > 0 {
			down[a] = "no answer"
		} else {
			down[a] = ""
		}
		before := fabric.NewChooser(e.Image())
		e.Swap(img.WithHealth(down))
		now := time.Duration(round+1) * time.Second
		for i := range flows {
			p := key(i)
			if got := member(e, now, tcp(p, tcpACK)); got != at[i] {
				t.Fatalf("round %d: an established TCP flow moved from member %d to %d", round, at[i], got)
			}
		}
		for i := flows; i < 2*flows; i++ {
			was := at[i]
			at[i] = member(e, now, First(key(i)))
			switch {
			case at[i] < 0 || down[asked(img, at[i])] != "":
				t.Fatalf("round %d: a UDP flow goes to member %d", round, at[i])
			case at[i] != was && down[asked(img, was)] == "":
				t.Fatalf("round %d: a UDP flow left member %d, which is up", round, was)
			case at[i] != was:
				moved++
			}
		}
		// New flows: few go elsewhere whose member did not change.
		after := fabric.NewChooser(e.Image())
		for i := range 500 {
			p := key(i)
			p.SrcPort += 30000
			x, y := before.Pick(0, 1, 0, p), after.Pick(0, 1, 0, p)
			fresh++
			if x != y && int(x) != n && int(y) != n {
				strayed++
			}
		}
	}
	t.Logf("%d UDP flows moved with their member; of new flows %.2f%% went elsewhere without need", moved, 100*float64(strayed)/float64(fresh))
	if moved == 0 || strayed*50 > fresh {
		t.Errorf("%d UDP flows moved, %d of %d new flows strayed", moved, strayed, fresh)
	}
}

// All members down: a Standard balancer keeps TCP flows, a Basic one ends them;
// UDP ends at both ("Azure Load Balancer health probes").
func TestAllDown(t *testing.T) {
	for _, basic := range []bool{false, true} {
		img := farm(2, fabric.Redirect{Name: "web", EndsAllDown: basic})
		e := New(img, Options{})
		flow, datagrams := packet(fabric.ProtoTCP, "10.0.0.4:5000", "10.0.0.9:80"), packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.9:80")
		b := First(flow)
		was := member(e, 0, b)
		there := read(t, b)
		member(e, 0, First(datagrams))
		one := fabric.Health{asked(img, was): "no answer"}
		e.Swap(img.WithHealth(one))
		if got := member(e, 1, tcp(flow, tcpACK)); got != was {
			t.Errorf("basic %v: with its member down the flow goes to %d", basic, got)
		}
		e.Swap(img.WithHealth(fabric.Health{asked(img, 0): "no answer", asked(img, 1): "no answer"}))
		if got := member(e, 2, tcp(flow, tcpACK)); (got == was) == basic {
			t.Errorf("basic %v: with all members down the flow goes to %d", basic, got)
		}
		if r := e.Process(3, fabric.PortID(2+was), tcp(there.Reverse(), tcpACK)); (r.Verdict == fabric.VerdictAllow) == basic {
			t.Errorf("basic %v: its answers: %s", basic, r.Verdict)
		}
		if got := member(e, 4, First(datagrams)); got >= 0 {
			t.Errorf("basic %v: UDP goes to %d", basic, got)
		}
	}
}

// A pool with a drain period: flows of a member that was taken out go on until
// it is over, and then both ends are reset (drainPeriodInSeconds).
func TestDrain(t *testing.T) {
	web := rule("web", target(portA, ""), target(portB, ""))
	web.Drain = time.Minute
	p := packet(fabric.ProtoTCP, "10.0.0.6:5000", "10.0.0.9:80")
	begin := func(t *testing.T) *Engine {
		only := rule("web", target(portA, ""))
		only.Drain = time.Minute
		e := New(balanced(only), Options{})
		handshake(t, e, p)
		return e
	}
	left := rule("web", target(portB, ""))
	left.Drain = time.Minute
	byHand := rule("web", target(portA, "its administrative state is Down"), target(portB, ""))
	byHand.Drain = time.Minute
	for name, after := range map[string]fabric.Redirect{"removed": left, "down by hand": byHand} {
		t.Run(name, func(t *testing.T) {
			e := begin(t)
			e.Swap(balanced(after))
			arrives(t, e.Process(30*time.Second, portC, segment(p, tcpACK, 1101, 5301, 0)), portA)
			if out := advance(e, 59*time.Second); len(out) != 0 {
				t.Error("reset within its time")
			}
			out := advance(e, 62*time.Second)
			if len(out) != 2 || e.Stats().Ended[EndDrained] != 1 {
				t.Fatalf("%d resets, %+v", len(out), e.Stats())
			}
			open(t, e, p, portB)
		})
	}
	t.Run("back in time", func(t *testing.T) {
		e := begin(t)
		e.Swap(balanced(byHand))
		e.Swap(balanced(web))
		if out := advance(e, 2*time.Minute); len(out) != 0 {
			t.Error("reset although its member is back")
		}
		arrives(t, e.Process(2*time.Minute, portC, segment(p, tcpACK, 1101, 5301, 0)), portA)
	})
	t.Run("new flows go elsewhere", func(t *testing.T) {
		e := begin(t)
		e.Swap(balanced(byHand))
		q := p
		q.SrcPort++
		open(t, e, q, portB)
	})
}

// BenchmarkSwapHealth prints what a change of health costs in a network of
// 10,000 ports: the image with one member down, and putting it in force.
func BenchmarkSwapHealth(b *testing.B) {
	img := farm(10_000, fabric.Redirect{Name: "web"})
	for i := range 1000 { // most networks have many filters
		img.Filters = append(img.Filters, fabric.Filter{Name: fmt.Sprint("nsg", i), Rules: make([]fabric.Rule, 100), Default: fabric.Pass})
	}
	e := New(img, Options{})
	down := [2]fabric.Health{{asked(img, 5): "no answer"}, {asked(img, 5): ""}}
	p := First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.9:80"))
	e.Process(0, 0, p)
	b.Run("WithHealth", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			img.WithHealth(down[0])
		}
	})
	b.Run("Swap", func(b *testing.B) {
		images := [2]*fabric.Image{img.WithHealth(down[0]), img}
		for i := 0; b.Loop(); i++ {
			e.Swap(images[i%2])
		}
	})
}

// A swap to an image with other health keeps what was compiled, and counters.
func TestSwapKeepsWhatIsShared(t *testing.T) {
	img := farm(3, fabric.Redirect{Name: "web"})
	e := New(img, Options{})
	member(e, 0, First(packet(fabric.ProtoUDP, "10.0.0.4:5000", "10.0.0.9:80")))
	filter, table := e.prog.filters[0], e.prog.tables[0]
	e.Swap(img.WithHealth(fabric.Health{asked(img, 1): "no answer"}))
	if filter == nil || e.prog.filters[0] != filter || table == nil || e.prog.tables[0] != table || e.Hits(0)[0] == 0 {
		t.Error("compiled again")
	}
	other := *img
	other.Filters = []fabric.Filter{{Name: "open", Default: fabric.Pass, Rules: []fabric.Rule{{Action: fabric.Pass}}}}
	if e.Swap(&other); e.prog.filters[0] != nil {
		t.Error("another filter is taken for the old one")
	}
}
