package live

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

func laneOf(l model.UnderlayLink, seed uint64) *lane {
	return newLane(&model.Underlay{Seed: seed, Links: []model.UnderlayLink{l}}, 0, 0)
}

// A link with a bandwidth sends one packet after the other, and loses what does
// not fit its queue.
func TestBandwidth(t *testing.T) {
	now := time.Unix(0, 0)
	l := laneOf(model.UnderlayLink{Bandwidth: 8000, Queue: 3000}, 1) // 1000 bytes a second
	for i, want := range []struct {
		at    time.Duration
		delay time.Duration
		fate  fate
	}{
		{0, time.Second, fatePasses},
		{0, 2 * time.Second, fatePasses},
		{0, 3 * time.Second, fatePasses},
		{0, 0, fateQueueFull}, // 3000 wait
		{2 * time.Second, 2 * time.Second, fatePasses},
		{time.Hour, time.Second, fatePasses},
	} {
		delay, f := l.cross(now.Add(want.at), 1000, 1000, 0, 1)
		if delay != want.delay || f != want.fate {
			t.Errorf("packet %d: %s, %d; want %s, %d", i, delay, f, want.delay, want.fate)
		}
	}
	if l.stats.Full != 1 || l.stats.Packets != 6 || l.stats.Bytes != 6000 {
		t.Errorf("%+v", l.stats)
	}
}

// Loss comes to the declared share, and is the same for the same seed.
func TestLossIsRepeatable(t *testing.T) {
	now := time.Unix(0, 0)
	fates := func(seed uint64) string {
		l := laneOf(model.UnderlayLink{Loss: 0.2}, seed)
		out := ""
		for range 5000 {
			_, f := l.cross(now, 100, 100, 0, 1)
			out += fmt.Sprint(f)
		}
		if share := float64(l.stats.Lost) / 5000; share < 0.17 || share > 0.23 {
			t.Errorf("%.3f lost", share)
		}
		return out
	}
	first := fates(1)
	if fates(1) != first {
		t.Error("the same seed gives another fate")
	}
	if fates(2) == first {
		t.Error("another seed gives the same fate")
	}
}

// Jitter delays, up to its limit and scaled as the latency, and keeps order.
func TestJitterKeepsOrder(t *testing.T) {
	now := time.Unix(0, 0)
	l := laneOf(model.UnderlayLink{Jitter: 10 * time.Millisecond}, 3)
	var last time.Time
	var most time.Duration
	for i := range 1000 {
		at := now.Add(time.Duration(i) * time.Millisecond)
		delay, _ := l.cross(at, 100, 100, 40*time.Millisecond, 1)
		if delay < 40*time.Millisecond || delay > 60*time.Millisecond {
			t.Fatalf("packet %d takes %s", i, delay)
		}
		if at.Add(delay).Before(last) {
			t.Fatalf("packet %d overtakes", i)
		}
		last, most = at.Add(delay), max(most, delay)
	}
	if most < 45*time.Millisecond {
		t.Errorf("at most %s", most)
	}
	if delay, _ := laneOf(model.UnderlayLink{Jitter: time.Second}, 3).cross(now, 100, 100, 0, 0); delay != 0 {
		t.Errorf("no latency, and a jitter of %s", delay)
	}
}

// A packet that is yet to be cut takes what its pieces take, and is as long as
// the longest.
func TestOnWire(t *testing.T) {
	tcp := engine.First(fabric.Packet{Src: netip.MustParseAddr("10.0.0.4"), Dst: netip.MustParseAddr("10.0.0.5"), SrcPort: 1, DstPort: 2, Proto: fabric.ProtoTCP})
	long := append(append([]byte(nil), tcp...), make([]byte, 10000)...)
	for _, c := range []struct {
		packet        []byte
		segment       uint16
		size, longest int
	}{
		{tcp, 0, 40, 40},
		{tcp, 1460, 40, 40},
		{long, 0, 10040, 10040},
		{long, 1460, 10000 + 7*40, 1500},
		{[]byte{0}, 1460, 1, 1},
	} {
		f := &engine.Frame{Packet: c.packet}
		f.Offload.Segment = c.segment
		if size, longest := onWire(f); size != c.size || longest != c.longest {
			t.Errorf("%d bytes in segments of %d: %d and %d, want %d and %d", len(c.packet), c.segment, size, longest, c.size, c.longest)
		}
	}
}

// lab is two regions with a link between them.
const twoRegions = `
network: two
regions: [eastus, westeurope]
networks:
  - {name: a, region: eastus, address: 10.1.0.0/16, subnets: {app: {hosts: {east: {zone: 1, serves: tcp/80}, east-2: {zone: 2, serves: [tcp/80, udp/53]}}}}}
  - {name: b, region: westeurope, address: 10.2.0.0/16, subnets: {app: {hosts: {west: {serves: [tcp/80, udp/53]}}}}}
peerings: [{between: [a, b]}]
`

func linked(a, b string, l model.UnderlayLink) model.Underlay {
	kind := func(name string) model.Place {
		switch name {
		case "eastus", "westeurope":
			return model.Place{Kind: model.PlaceRegion, Name: name}
		default:
			return model.Place{Kind: model.PlaceHost, Name: name}
		}
	}
	l.Between = [2]model.Place{kind(a), kind(b)}
	return model.Underlay{Seed: 1, Links: []model.UnderlayLink{l}}
}

// What is declared of a path names its route; what is not costs nothing.
func TestRoutesOfTheUnderlay(t *testing.T) {
	n := start(t, twoRegions, Options{Latency: 1, Underlay: linked("eastus", "westeurope", model.UnderlayLink{HollowCore: true})})
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	u := &n.wire.under
	one := u.route([]fabric.PortID{portOf(n, "east"), portOf(n, "west")})
	if one == 0 || one != u.route([]fabric.PortID{portOf(n, "east-2"), portOf(n, "west")}) {
		t.Errorf("route %d", one)
	}
	way := (*u.ways.Load())[one-1]
	base := propagation(n.base, portOf(n, "east"), portOf(n, "west"))
	if got := way.declare[0].propagation; base < 30*time.Millisecond || got != time.Duration(float64(base)*hollowCore) {
		t.Errorf("hollow core: %s of %s", got, base)
	}
	if back := u.route([]fabric.PortID{portOf(n, "west"), portOf(n, "east")}); back == one || back == 0 {
		t.Errorf("the way back is route %d", back)
	}
	if z := u.route([]fabric.PortID{portOf(n, "east"), portOf(n, "east-2")}); z == 0 || (*u.ways.Load())[z-1].delay != 775*time.Microsecond {
		t.Errorf("zone to zone: %d", z)
	}
	u.latency = 0
	if r := u.route([]fabric.PortID{portOf(n, "east"), portOf(n, "east-2")}); r != 0 {
		t.Errorf("nothing declared is route %d", r)
	}
}

// portOf returns a host's port; the caller holds wire.mu.
func portOf(n *Network, name string) fabric.PortID { return n.hosts[name].links[0].port }

// A narrow path is found out by TCP (RFC 1191): the stream goes on with
// packets that fit.
func TestPathMTU(t *testing.T) {
	n := start(t, twoRegions, Options{Underlay: linked("eastus", "westeurope", model.UnderlayLink{MTU: 1000})})
	east, _ := n.Host("east")
	west, _ := n.Host("west")
	c, err := east.DialContext(t.Context(), "tcp", west.Addrs()[0].String()+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	const much = 200_000
	go io.CopyN(c, zeros{}, much)
	if _, err := io.CopyN(io.Discard, r, much); err != nil {
		t.Fatal(err)
	}
	s := n.Underlay()[0]
	if s.There.TooLong == 0 || n.wire.under.wide.told.Load() == 0 {
		t.Errorf("nothing was too long: %+v", s)
	}
	t.Logf("%+v", s)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Loss and a narrow bandwidth slow a stream, and do not break it.
func TestStreamOverALossyLink(t *testing.T) {
	n := start(t, twoRegions, Options{Underlay: linked("east", "west", model.UnderlayLink{Loss: 0.02, Bandwidth: 50e6, Queue: 1 << 17})})
	east, _ := n.Host("east")
	west, _ := n.Host("west")
	c, err := east.DialContext(t.Context(), "tcp", west.Addrs()[0].String()+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	const much = 300_000
	go io.CopyN(c, zeros{}, much)
	if _, err := io.CopyN(io.Discard, r, much); err != nil {
		t.Fatal(err)
	}
	s := n.Underlay()[0]
	if s.There.Lost+s.There.Full+s.Back.Lost+s.Back.Full == 0 {
		t.Errorf("nothing was lost: %+v", s)
	}
}

// A link that is cut carries nothing, either way, and others go on.
func TestCut(t *testing.T) {
	n := start(t, twoRegions, Options{SilentDrops: true})
	east, _ := n.Host("east")
	west, _ := n.Host("west")
	second, _ := n.Host("east-2")
	dial := func(to *Host, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d, err := east.DialContext(ctx, "tcp", to.Addrs()[0].String()+":80")
		if err == nil {
			d.Close()
		}
		return err
	}
	if err := dial(west, time.Minute); err != nil {
		t.Fatal(err)
	}
	restore := n.Fail(func(*fabric.Image) fabric.Failure {
		return fabric.Failure{Name: "link", Cuts: []fabric.Cut{{A: fabric.Label{Kind: "region", Name: "eastus"}, B: fabric.Label{Kind: "region", Name: "westeurope"}}}}
	})
	if err := dial(west, 700*time.Millisecond); err == nil {
		t.Error("a cut link carries a connection")
	}
	if err := dial(second, time.Minute); err != nil {
		t.Error(err)
	}
	restore()
	if err := dial(west, time.Minute); err != nil {
		t.Error(err)
	}
}
