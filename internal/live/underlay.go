package live

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// underlay is what lies beneath the virtual network: it decides when, and
// whether, a packet that the engine delivered arrives. Where nothing is declared
// and nothing is cut it costs a packet one comparison.
type underlay struct {
	wire    *wire
	latency float64 // scale of the propagation delays; 0 is none
	spec    model.Underlay

	// Guarded by wire.mu.
	cuts  []fabric.Cut
	named map[string]int32

	// ways are what the engine's routes stand for, less one; never changed in
	// place.
	ways atomic.Pointer[[]*way]

	mu    sync.Mutex
	lanes [][2]*lane // by declared link and direction
	wide  tooLongCounts
}

// way is what lies beneath a path.
type way struct {
	cut     bool          // it carries nothing
	delay   time.Duration // of propagation outside declared links, as scaled
	declare []stretch
}

// stretch is a declared link on a path.
type stretch struct {
	lane        *lane
	propagation time.Duration // as scaled
}

func (u *underlay) begin(w *wire, latency float64, spec model.Underlay) {
	u.wire, u.latency, u.spec, u.named = w, latency, spec, map[string]int32{}
	for i := range spec.Links {
		u.lanes = append(u.lanes, [2]*lane{newLane(&u.spec, i, 0), newLane(&u.spec, i, 1)})
	}
}

// cross returns how long a packet is under way, or that it is lost there.
func (u *underlay) cross(now time.Time, _ *fabric.Image, f *engine.Frame, r *engine.Result) (delay time.Duration, lost bool) {
	if r.Route == 0 {
		return time.Duration(float64(r.Delay) * u.latency), false
	}
	return u.travel(now, f, r)
}

// travel takes a packet over declared links, in their order.
func (u *underlay) travel(now time.Time, f *engine.Frame, r *engine.Result) (delay time.Duration, lost bool) {
	way := (*u.ways.Load())[r.Route-1]
	if way.cut {
		return 0, true
	}
	delay = way.delay
	if len(way.declare) == 0 {
		return delay, false
	}
	size, longest := onWire(f)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range way.declare {
		more, fate := s.lane.cross(now.Add(delay), size, longest, s.propagation, u.latency)
		if fate == fateTooLong {
			u.tooLong(f, r, s.lane.link.MTU)
		}
		if fate != fatePasses {
			return 0, true
		}
		delay += more
	}
	return delay, false
}

// tooLong tells the sender of a packet that must not be fragmented how long one
// may be (RFC 1191, RFC 8201). Packets that may be fragmented are lost without a
// word: this network makes no fragments.
func (u *underlay) tooLong(f *engine.Frame, r *engine.Result, mtu int) {
	if mayFragment(f.Packet) {
		u.wide.silent.Add(1)
		return
	}
	b := engine.TooBig(f.Packet, mtu)
	if b == nil || r.Out == fabric.None {
		u.wide.silent.Add(1)
		return
	}
	u.wide.told.Add(1)
	// It goes back along the packet's flow, as from its destination.
	u.wire.sendFrom(r.Out, buffer.NewViewWithData(b))
}

// route names what lies beneath a path: 0 if nothing is declared of it. The
// wire holds mu.
func (u *underlay) route(path []fabric.PortID) int32 {
	if len(u.spec.Links) == 0 && len(u.cuts) == 0 && u.latency == 0 {
		return 0
	}
	img := u.wire.engine.Image()
	w := way{}
	special := false
	key := ""
	path = img.Places(path)
	for i := 1; i < len(path); i++ {
		from, to := path[i-1], path[i]
		if c := (fabric.Failure{Cuts: u.cuts}); len(u.cuts) > 0 {
			if _, broken := c.Broken(img, from, to); broken {
				w.cut, special = true, true
			}
		}
		base := propagation(img, from, to)
		extra := u.zones(img, from, to)
		special = special || extra > 0
		base += extra
		first := len(w.declare)
		hollow, fixed := false, time.Duration(0)
		for n := range u.spec.Links {
			l := &u.spec.Links[n]
			direction, crossed := between(img, l, from, to)
			if !crossed {
				continue
			}
			special = true
			w.declare = append(w.declare, stretch{lane: u.lanes[n][direction]})
			key += fmt.Sprintf("%d.%d ", n, direction)
			hollow = hollow || l.HollowCore
			if fixed == 0 {
				fixed = l.RTT / 2
			}
		}
		if fixed > 0 {
			base = fixed
		}
		if hollow {
			base = time.Duration(float64(base) * hollowCore)
		}
		scaled := time.Duration(float64(base) * u.latency)
		if len(w.declare) > first {
			w.declare[first].propagation = scaled
		} else {
			w.delay += scaled
		}
		key += fmt.Sprintf("%d/", scaled)
	}
	if !special {
		return 0
	}
	if w.cut {
		key = "cut"
	}
	if id, ok := u.named[key]; ok {
		return id
	}
	var all []*way
	if old := u.ways.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, &w)
	u.ways.Store(&all)
	u.named[key] = int32(len(all))
	return int32(len(all))
}

// propagation is the catalogue's one-way delay between two ports.
func propagation(img *fabric.Image, from, to fabric.PortID) time.Duration {
	a, b := img.Ports[from].Region, img.Ports[to].Region
	if a == fabric.None || b == fabric.None {
		return 0
	}
	return img.Delay[a][b]
}

// zones is what it takes longer, one way, from a zone of a region to another.
func (u *underlay) zones(img *fabric.Image, from, to fabric.PortID) time.Duration {
	a, b := &img.Ports[from], &img.Ports[to]
	if a.Region != b.Region || u.latency == 0 {
		return 0
	}
	x, y := zoneOf(a), zoneOf(b)
	if x == "" || y == "" || x == y {
		return 0
	}
	return (catalog.ZoneRTT - catalog.IntraRegionRTT) / 2
}

func zoneOf(p *fabric.Port) string {
	for _, l := range p.Labels {
		if l.Kind == string(model.LabelZone) {
			return l.Name
		}
	}
	return ""
}

// between reports whether a step from a port to the next crosses a link, and in
// which direction.
func between(img *fabric.Image, l *model.UnderlayLink, from, to fabric.PortID) (direction int, crossed bool) {
	a := fabric.Label{Kind: string(l.Between[0].Kind), Name: l.Between[0].Name}
	b := fabric.Label{Kind: string(l.Between[1].Kind), Name: l.Between[1].Name}
	x, y := &img.Ports[from], &img.Ports[to]
	switch {
	case x.At(img, a) && y.At(img, b):
		return 0, true
	case x.At(img, b) && y.At(img, a):
		return 1, true
	}
	return 0, false
}

// Loss returns the share of packets, 0 to 1, that the declared links below a path
// lose.
func (n *Network) Loss(path []fabric.PortID) float64 {
	img, kept := n.Image(), 1.0
	path = img.Places(path)
	for i := 1; i < len(path); i++ {
		for j := range n.opts.Underlay.Links {
			l := &n.opts.Underlay.Links[j]
			if _, crossed := between(img, l, path[i-1], path[i]); crossed {
				kept *= 1 - l.Loss
			}
		}
	}
	return 1 - kept
}

// cut takes links out. The caller holds wire.mu, and the engine composes every
// path anew afterwards.
func (u *underlay) cut(cuts []fabric.Cut) { u.cuts = cuts }

// LinkHealth is what a declared link of the underlay did.
type LinkHealth struct {
	Link model.UnderlayLink
	// There and Back are the two directions: from the first place named to the
	// second, and back.
	There, Back LinkStats
}

// Underlay returns what the declared links did.
func (n *Network) Underlay() []LinkHealth {
	u := &n.wire.under
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]LinkHealth, len(u.lanes))
	for i, l := range u.lanes {
		out[i] = LinkHealth{Link: u.spec.Links[i], There: l[0].stats, Back: l[1].stats}
	}
	return out
}
