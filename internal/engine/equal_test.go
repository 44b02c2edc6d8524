package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// read parses a packet the engine rewrote and checks its checksums by full
// recomputation.
func read(t testing.TB, b []byte) fabric.Packet {
	t.Helper()
	var h header
	if f := h.parse(0, b); f != fabric.FaultNone {
		t.Fatalf("%x: %s", b, f)
	}
	if !h.v6 && sumWords(b[:h.l4]) != 0xffff {
		t.Fatalf("%x: wrong IPv4 header checksum", b)
	}
	switch p := h.key.proto(); p {
	case fabric.ProtoTCP, fabric.ProtoUDP, fabric.ProtoICMP, fabric.ProtoICMPv6:
		if transportSum(b[:h.end], h.l4, p) != 0xffff {
			t.Fatalf("%x: wrong transport checksum", b)
		}
	}
	return h.key.packet()
}

func compare(t *testing.T, e *Engine, what string, want *fabric.Trace, got Result, b []byte) {
	t.Helper()
	if got.Fault != fabric.FaultNone || got.Verdict != want.Verdict || got.Reason != want.Reason {
		t.Fatalf("%s %s at %d: %s %s %+v, reference %s %+v by %v",
			what, want.Packet, want.From, got.Verdict, got.Fault, got.Reason, want.Verdict, want.Reason, want.Path)
	}
	f, ok := e.Flow(got.Flow)
	if !ok {
		t.Fatalf("%s %s: no flow %x", what, want.Packet, got.Flow)
	}
	path := f.Forward.Path
	if what == "reply" {
		path = f.Reply.Path
	}
	if !slices.Equal(path, want.Path) {
		t.Fatalf("%s %s: path %v, reference %v", what, want.Packet, path, want.Path)
	}
	if got.Verdict != fabric.VerdictAllow {
		return
	}
	if final := read(t, b); final != want.Final || got.Out != want.End() {
		t.Fatalf("%s %s: arrives at %d as %s, reference at %d as %s", what, want.Packet, got.Out, final, want.End(), want.Final)
	}
}

// answered processes the reply to a delivered packet: the platform's own is no
// packet of the port.
func answered(e *Engine, forward *fabric.Trace, reply []byte) Result {
	var r [1]Result
	e.ProcessBatch(0, []Frame{{At: forward.End(), Platform: forward.Reason.Code == fabric.CodePlatform, Packet: reply}}, r[:])
	return r[0]
}

func equalsRef(t *testing.T, seed uint64) (delivered, denied, replies int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	img := fabrictest.Random(rng)
	e := New(img, Options{Choose: spread(img)})
	for range 24 {
		e.Forget() // the reference sees each packet alone
		at, p := fabrictest.Packet(rng, img)
		want := ref.ConnectBy(img, at, p, spread(img))
		b := First(p)
		compare(t, e, "packet", &want.Forward, e.Process(0, at, b), b)
		if want.Forward.Verdict != fabric.VerdictAllow {
			denied++
			continue
		}
		delivered++
		b = Answer(want.Forward.Final.Reverse())
		compare(t, e, "reply", &want.Reply, answered(e, &want.Forward, b), b)
		if want.Reply.Verdict == fabric.VerdictAllow {
			replies++
		}
		// Once more: now the flow is established.
		b = First(p)
		compare(t, e, "packet", &want.Forward, e.Process(0, at, b), b)
	}
	return delivered, denied, replies
}

// FuzzEngineEqualsRef demands of random images and packets that the engine and
// the reference agree on verdict, reason, path and final packet, both ways.
func FuzzEngineEqualsRef(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Add(uint64(1363)) // a port that talks to itself
	f.Fuzz(func(t *testing.T, seed uint64) { equalsRef(t, seed) })
}

func TestEngineEqualsRef(t *testing.T) {
	var delivered, denied, replies int
	for seed := range uint64(1000) {
		a, b, c := equalsRef(t, seed)
		delivered, denied, replies = delivered+a, denied+b, replies+c
	}
	t.Logf("%d delivered, %d denied, %d replies delivered", delivered, denied, replies)
	if delivered < 500 || denied < 500 || replies < 500 || delivered == replies {
		t.Errorf("the random packets do not exercise the engine: %d delivered, %d denied, %d replies", delivered, denied, replies)
	}
}

// With many flows at once the only thing that may differ is a translated
// source port, unless the packet belongs to a flow that was there before.
func TestManyFlowsEqualRef(t *testing.T) {
	moved := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 11))
		img := fabrictest.Random(rng)
		e := New(img, Options{Choose: spread(img)})
		for range 200 {
			at, p := fabrictest.Packet(rng, img)
			b := First(p)
			var h header
			h.parse(at, b)
			if f, _, _ := e.table.find(&h.key, h.key.hash()); f != nil {
				continue
			}
			want := ref.TraceBy(img, at, p, spread(img))
			got := e.Process(0, at, b)
			if got.Fault == fabric.FaultTableFull {
				t.Fatalf("seed %d: %s: %s", seed, p, got.Fault)
			}
			final := want.Final
			if got.Verdict == fabric.VerdictAllow {
				final = read(t, b)
			}
			if final.SrcPort != want.Final.SrcPort {
				moved++ // rules may tell the chosen port apart
				continue
			}
			if got.Verdict != want.Verdict || got.Reason != want.Reason || final != want.Final {
				t.Fatalf("seed %d: %s at %d: %s %+v as %s, reference %s %+v as %s", seed, p, at,
					got.Verdict, got.Reason, final, want.Verdict, want.Reason, want.Final)
			}
		}
	}
	if moved == 0 {
		t.Error("no pool ever had to choose another port")
	}
}
