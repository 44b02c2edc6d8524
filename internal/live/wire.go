package live

import (
	"container/heap"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxQueue bounds the packets waiting for the wire; more are lost, as on any
// wire.
const maxQueue = 1 << 16

// vector is how many packets the wire asks the engine about at once.
const vector = 64

// sent is a packet that a stack wrote, or the platform.
type sent struct {
	from     *link
	view     *buffer.View
	offload  engine.Offload
	platform bool // the platform sends it to the link's port
}

// flight is a packet under way.
type flight struct {
	at      time.Time
	seq     uint64 // packets of equal time keep their order
	to      *link
	view    *buffer.View
	offload engine.Offload
}

// wire carries packets between interfaces and owns the engine. Stacks hold
// locks while they write, so their packets wait in a queue for the wire's own
// goroutine and stacks never call one another. A device's goroutine carries
// what it reads by itself.
type wire struct {
	net   *Network
	start time.Time
	wake  chan struct{} // holds one token while there is something new for run
	stop  chan struct{}
	done  chan struct{}

	queueMu sync.Mutex
	queue   []sent
	air     flights
	seq     uint64
	closed  bool

	// mu guards the engine and everything that depends on the image.
	mu     sync.Mutex
	engine *engine.Engine
	review time.Duration // when the engine wants to look at its flows; 0 for never
	links  []*link       // by port; nil where no declared host is
	watch  watches

	under underlay
	taps  taps
}

func newWire(n *Network, latency float64) *wire {
	w := &wire{
		net: n, start: time.Now(),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	w.under.begin(w, latency, n.opts.Underlay)
	return w
}

// send queues a packet of a stack; it owns the view.
func (w *wire) send(from *link, v *buffer.View) { w.enqueue(sent{from: from, view: v}) }

// sendFrom queues a packet as from whoever is at a port; it owns the view.
func (w *wire) sendFrom(at fabric.PortID, v *buffer.View) {
	w.mu.Lock()
	var from *link
	if int(at) < len(w.links) {
		from = w.links[at]
	}
	w.mu.Unlock()
	if from == nil {
		v.Release()
		return
	}
	w.enqueue(sent{from: from, view: v})
}

func (w *wire) enqueue(s sent) {
	w.queueMu.Lock()
	if w.closed || len(w.queue) >= maxQueue {
		w.queueMu.Unlock()
		s.view.Release()
		return
	}
	first := len(w.queue) == 0
	w.queue = append(w.queue, s)
	w.queueMu.Unlock()
	if first {
		w.nudge()
	}
}

// fly lets a packet arrive later; it owns the view.
func (w *wire) fly(f flight) {
	w.queueMu.Lock()
	if w.closed || len(w.air) >= maxQueue {
		w.queueMu.Unlock()
		f.view.Release()
		return
	}
	w.seq++
	f.seq = w.seq
	heap.Push(&w.air, f)
	first := w.air[0].seq == f.seq
	w.queueMu.Unlock()
	if first {
		w.nudge()
	}
}

func (w *wire) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run moves the packets of stacks, and those whose time has come, until the
// wire is stopped.
func (w *wire) run() {
	defer close(w.done)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	c := newCarrier(w)
	var batch []sent
	for {
		var due <-chan time.Time
		if at, some := w.next(); some {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-w.stop:
			w.drain()
			return
		case <-w.wake:
			w.queueMu.Lock()
			batch, w.queue = w.queue, batch[:0]
			w.queueMu.Unlock()
			c.move(batch)
			clear(batch)
		case <-due:
		}
		now := time.Now()
		w.land(now)
		w.look(now)
	}
}

// look lets the engine do what time alone brings about, and delivers what it
// sends by itself.
func (w *wire) look(now time.Time) {
	type reset struct {
		to    *link
		frame engine.Frame
	}
	var out []reset
	w.mu.Lock()
	elapsed := now.Sub(w.start)
	if w.review > 0 && w.review <= elapsed || w.engine.Pending() {
		w.review = w.engine.Advance(elapsed, func(f engine.Frame) {
			if to := w.links[f.At]; to != nil {
				out = append(out, reset{to, f})
			}
		})
	}
	w.mu.Unlock()
	for _, r := range out {
		r.to.take(buffer.NewViewWithData(r.frame.Packet), r.frame.Offload)
	}
}

// next returns when there is something to do next: a packet lands, or the engine
// looks at its flows.
func (w *wire) next() (at time.Time, some bool) {
	w.mu.Lock()
	if w.review > 0 {
		at, some = w.start.Add(w.review), true
	}
	w.mu.Unlock()
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	if len(w.air) > 0 && (!some || w.air[0].at.Before(at)) {
		at, some = w.air[0].at, true
	}
	return at, some
}

// land delivers the packets whose time has come.
func (w *wire) land(now time.Time) {
	for {
		w.queueMu.Lock()
		if len(w.air) == 0 || w.air[0].at.After(now) {
			w.queueMu.Unlock()
			return
		}
		f := heap.Pop(&w.air).(flight)
		w.queueMu.Unlock()
		f.to.take(f.view, f.offload)
	}
}

// close stops the wire's goroutine; packets under way are lost.
func (w *wire) close() {
	w.queueMu.Lock()
	w.closed = true
	w.queueMu.Unlock()
	close(w.stop)
	<-w.done
}

func (w *wire) drain() {
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	for _, s := range w.queue {
		s.view.Release()
	}
	for _, f := range w.air {
		f.view.Release()
	}
	w.queue, w.air = nil, nil
}

// carrier asks the engine about packets and sends each on. Every goroutine that
// carries packets has one of its own.
type carrier struct {
	wire    *wire
	frames  []engine.Frame
	results []engine.Result
	from    []*link
	to      []destination
	copies  [][]byte // packets as they entered, while somebody taps
	run     []engine.Frame
}

// destination is where a packet goes: nowhere if link is nil, to the platform
// if that is set.
type destination struct {
	link     *link
	device   *attachment
	platform bool
}

func newCarrier(w *wire) *carrier {
	return &carrier{
		wire: w, frames: make([]engine.Frame, 0, vector), results: make([]engine.Result, vector),
		from: make([]*link, 0, vector), to: make([]destination, vector),
	}
}

// move carries packets that this process owns.
func (c *carrier) move(batch []sent) {
	for len(batch) > 0 {
		n := min(len(batch), vector)
		c.frames, c.from = c.frames[:0], c.from[:0]
		for _, s := range batch[:n] {
			c.frames = append(c.frames, engine.Frame{Platform: s.platform, Packet: s.view.AsSlice(), Offload: s.offload})
			c.from = append(c.from, s.from)
		}
		c.carry(func(i int) *buffer.View { return batch[i].view })
		batch = batch[n:]
	}
}

// borrow carries packets of a device, whose memory is the device's.
func (c *carrier) borrow(from *link, frames []engine.Frame) {
	for len(frames) > 0 {
		n := min(len(frames), vector)
		c.frames, c.from = append(c.frames[:0], frames[:n]...), c.from[:0]
		for range n {
			c.from = append(c.from, from)
		}
		c.carry(nil)
		frames = frames[n:]
	}
}

// carry moves c.frames. own returns the view of a packet that is ours to keep or
// release; nil means that all are borrowed.
func (c *carrier) carry(own func(int) *buffer.View) {
	w := c.wire
	now := time.Now()
	tapped := w.taps.any()
	if tapped {
		c.copyFrames()
	}
	results := c.results[:len(c.frames)]
	w.mu.Lock()
	for i := range c.frames {
		c.frames[i].At = c.from[i].port
	}
	w.engine.ProcessBatch(now.Sub(w.start), c.frames, results)
	for i := range c.frames {
		c.to[i] = w.decide(&c.frames[i], &results[i])
	}
	img := w.engine.Image()
	wake := w.engine.Pending()
	if w.review == 0 {
		w.review, wake = now.Sub(w.start)+time.Second, true
	}
	w.mu.Unlock()
	if wake {
		w.nudge()
	}
	if tapped {
		c.show(now, img)
	}
	for i := 0; i < len(c.frames); i++ {
		f, to := &c.frames[i], &c.to[i]
		var view *buffer.View
		if own != nil {
			view = own(i)
		}
		if to.platform && !w.net.answered(c.from[i], f) {
			w.net.platform.take(img, c.from[i], results[i].Out, f)
		}
		if to.link == nil {
			if view != nil {
				view.Release()
			}
			continue
		}
		delay, lost := w.under.cross(now, img, f, &results[i])
		switch {
		case lost:
			if view != nil {
				view.Release()
			}
		case delay > 0:
			if view == nil {
				view = buffer.NewViewWithData(f.Packet)
			}
			w.fly(flight{at: now.Add(delay), to: to.link, view: view, offload: f.Offload})
		case to.device != nil && !to.device.keeps(f.Packet):
			if view == nil {
				i += c.write(i, now, img, results)
				continue
			}
			c.run = append(c.run[:0], *f)
			to.device.write(c.run)
			view.Release()
		default:
			if view == nil {
				view = buffer.NewViewWithData(f.Packet)
			}
			to.link.host.receive(to.link, view, f.Offload)
		}
	}
}

// write hands borrowed packets to a device: the one at i and those after it that
// go the same way at once. It returns how many came after.
func (c *carrier) write(i int, now time.Time, img *fabric.Image, results []engine.Result) int {
	device := c.to[i].device
	c.run = append(c.run[:0], c.frames[i])
	n := 0
	for j := i + 1; j < len(c.frames) && c.to[j].device == device && !c.to[j].platform && !device.keeps(c.frames[j].Packet); j++ {
		if delay, lost := c.wire.under.cross(now, img, &c.frames[j], &results[j]); lost || delay > 0 {
			if !lost {
				c.wire.fly(flight{at: now.Add(delay), to: c.to[j].link, view: buffer.NewViewWithData(c.frames[j].Packet), offload: c.frames[j].Offload})
			}
			n++
			continue
		}
		c.run = append(c.run, c.frames[j])
		n++
	}
	device.write(c.run)
	return n
}

// decide returns where a packet goes. The caller holds mu.
func (w *wire) decide(f *engine.Frame, r *engine.Result) destination {
	if r.Verdict != fabric.VerdictAllow {
		refused := w.net.refuses(w.engine.Image(), f, r)
		w.denied(f, r, refused)
		return destination{platform: refused}
	}
	if r.Reason.Code == fabric.CodePlatform {
		return destination{platform: true}
	}
	to := w.links[r.Out]
	if to == nil {
		return destination{}
	}
	return destination{link: to, device: to.device}
}

// flights is a heap of packets by the time they land.
type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].seq < f[j].seq
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	old[len(old)-1] = flight{}
	*f = old[:len(old)-1]
	return x
}
