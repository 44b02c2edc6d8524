package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
)

// everythingEnds sends random packets of random kinds at random times through a
// random image that changes now and then, and demands that every flow begins
// once and ends once, that time frees every record and every source port, and
// that rules were told of every packet that a flow carried.
func everythingEnds(t *testing.T, seed uint64) (flows int) {
	rng := rand.New(rand.NewPCG(seed, 41))
	draw := rng.Uint64()
	img := fabrictest.Random(rand.New(rand.NewPCG(draw, 1)))
	open, ended := map[FlowID]bool{}, map[FlowID]bool{}
	e := New(img, Options{
		MaxFlows: 40, Choose: func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
			return spread(img)(from, at, redirect, p)
		},
		OnFlow: func(x FlowEvent) {
			if x.ID == 0 {
				return
			}
			if ended[x.ID] {
				t.Fatalf("flow %x acts after its end", x.ID)
			}
			if !x.Reply && !x.Again && open[x.ID] {
				t.Fatalf("flow %x begins twice", x.ID)
			}
			open[x.ID] = true
		},
		OnClose: func(x FlowEnd) {
			if !open[x.Flow.ID] || ended[x.Flow.ID] {
				t.Fatalf("flow %x ends unasked, by %s", x.Flow.ID, x.Why)
			}
			ended[x.Flow.ID] = true
			if f := x.Flow; f.Forward.Packets == 0 {
				t.Fatalf("flow %x carried nothing", f.ID)
			}
		},
	})
	now := time.Duration(0)
	type sent struct {
		at fabric.PortID
		p  fabric.Packet
	}
	var known []sent
	for range 300 {
		now += time.Duration(rng.Int64N(int64(20 * time.Second)))
		switch rng.IntN(20) {
		case 0:
			e.Advance(now, func(Frame) {})
			continue
		case 1:
			img = fabrictest.Random(rand.New(rand.NewPCG(draw, 1)))
			unsettle(rng, img)
			e.Swap(img)
			continue
		}
		at, p := fabrictest.Packet(rng, img)
		if len(known) > 0 && rng.IntN(2) == 0 {
			one := known[rng.IntN(len(known))]
			at, p = one.at, one.p
		}
		b := First(p)
		if p.Proto == fabric.ProtoTCP {
			b = craft(p, []uint8{tcpSYN, tcpACK, tcpFIN | tcpACK, tcpRST, tcpSYN | tcpACK}[rng.IntN(5)], 0, 0, 0)
		}
		r := e.Process(now, at, b)
		known = append(known, sent{at, p})
		if r.Verdict == fabric.VerdictAllow && r.Out >= 0 {
			var h header
			if h.parse(r.Out, b) == fabric.FaultNone {
				known = append(known, sent{r.Out, h.key.packet().Reverse()})
			}
		}
	}
	for next := now; e.Stats().Flows > 0; {
		if next = e.Advance(next, func(Frame) {}); next == 0 {
			break
		}
		if next > now+24*time.Hour {
			t.Fatalf("%d flows after a day", e.Stats().Flows)
		}
	}
	if e.Stats().Flows != 0 || e.wheel.count != 0 && e.Advance(now+48*time.Hour, func(Frame) {}) != 0 {
		t.Fatalf("%d flows, %d timers are left", e.Stats().Flows, e.wheel.count)
	}
	for id := range open {
		if !ended[id] {
			t.Fatalf("flow %x never ended", id)
		}
	}
	for _, p := range e.pools {
		if p.flows != 0 || len(p.refs) != 0 || len(p.uses) != 0 {
			t.Fatalf("a pool of %s still lends %d ports to %d flows", p.what, len(p.refs), p.flows)
		}
	}
	if e.table.used != 0 {
		t.Fatalf("%d keys are left in the index", e.table.used)
	}
	return len(open)
}

func FuzzEverythingEnds(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { everythingEnds(t, seed) })
}

func TestEverythingEnds(t *testing.T) {
	flows := 0
	for seed := range uint64(150) {
		flows += everythingEnds(t, seed)
	}
	t.Logf("%d flows began and ended", flows)
	if flows < 5000 {
		t.Error("too few flows to prove anything")
	}
}

// A pool never lends a port twice towards one destination, finds a free one as
// long as there is one, and gives all back.
func TestPoolLendsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	p := &pool{
		blocks: []fabric.PortBlock{block(1, 1024, 150), block(2, 2000, 50)}, size: 200, total: 200,
		uses: map[remote]*use{}, refs: map[int32]uint32{},
	}
	to := []remote{{port: 1}, {port: 2}}
	held := [2]map[int32]lease{{}, {}}
	for range 20_000 {
		d := rng.IntN(2)
		if rng.IntN(5) < 2 && len(held[d]) > 0 {
			for i, l := range held[d] { // any
				l.free()
				delete(held[d], i)
				break
			}
			continue
		}
		got := int32(-1)
		want := int32(rng.IntN(400) - 200)
		p.search(to[d], max(want, -1), rng.Uint32(), func(i int32) bool { got = i; return true })
		switch {
		case got < 0 && len(held[d]) < 200:
			t.Fatalf("no port with %d of 200 held", len(held[d]))
		case got < 0:
			continue
		}
		if _, twice := held[d][got]; twice {
			t.Fatalf("port %d is lent twice", got)
		}
		if a, port := p.at(got); !a.IsValid() || port == 0 {
			t.Fatalf("port %d is nowhere", got)
		} else if back, ok := p.indexOf(a, port); !ok || back != got {
			t.Fatalf("port %d is %d", got, back)
		}
		held[d][got] = p.hold(to[d], got)
	}
	for _, all := range held {
		for _, l := range all {
			l.free()
		}
	}
	if p.flows != 0 || len(p.refs) != 0 || len(p.uses) != 0 {
		t.Errorf("%d flows, %d ports, %d destinations are left", p.flows, len(p.refs), len(p.uses))
	}
}
