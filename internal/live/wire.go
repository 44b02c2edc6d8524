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

// sent is a packet a stack wrote.
type sent struct {
	from     *link
	view     *buffer.View
	platform bool // the platform sends it to the link's port
}

// flight is a packet under way.
type flight struct {
	at   time.Time
	seq  uint64 // packets of equal time keep their order
	to   *link
	view *buffer.View
}

// wire carries packets between the stacks and owns the engine. One goroutine
// runs it, so stacks never call one another.
type wire struct {
	net     *Network
	latency float64
	start   time.Time
	wake    chan struct{} // holds one token while the queue is not empty
	stop    chan struct{}
	done    chan struct{}

	queueMu sync.Mutex
	queue   []sent
	closed  bool

	// mu guards the engine and everything that depends on the image.
	mu     sync.Mutex
	engine *engine.Engine
	links  []*link // by port; nil where no declared host is
	watch  watches

	// Used by the wire's goroutine only.
	air     flights
	seq     uint64
	frames  []engine.Frame
	results []engine.Result
}

func newWire(n *Network, latency float64) *wire {
	return &wire{
		net: n, latency: latency, start: time.Now(),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// send queues a packet; it owns the view.
func (w *wire) send(from *link, v *buffer.View) { w.enqueue(sent{from: from, view: v}) }

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
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// run moves packets until the wire is stopped.
func (w *wire) run() {
	defer close(w.done)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var batch []sent
	for {
		var due <-chan time.Time
		if len(w.air) > 0 {
			timer.Reset(time.Until(w.air[0].at))
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
			w.move(batch)
			clear(batch)
		case <-due:
		}
		w.land(time.Now())
	}
}

// move asks the engine about a batch of packets and sends each on.
func (w *wire) move(batch []sent) {
	now := time.Now()
	for len(batch) > 0 {
		n := min(len(batch), 64)
		w.mu.Lock()
		w.frames = w.frames[:0]
		for _, s := range batch[:n] {
			w.frames = append(w.frames, engine.Frame{At: s.from.port, Platform: s.platform, Packet: s.view.AsSlice()})
		}
		if len(w.results) < n {
			w.results = make([]engine.Result, 64)
		}
		w.engine.ProcessBatch(now.Sub(w.start), w.frames, w.results[:n])
		var answers []sent
		to := make([]*link, n)
		for i, s := range batch[:n] {
			to[i] = w.decide(s, w.results[i], &answers)
		}
		w.mu.Unlock()
		for i, s := range batch[:n] {
			switch d := time.Duration(float64(w.results[i].Delay) * w.latency); {
			case to[i] == nil:
				s.view.Release()
			case d > 0:
				w.seq++
				heap.Push(&w.air, flight{now.Add(d), w.seq, to[i], s.view})
			default:
				to[i].host.receive(to[i], s.view)
			}
		}
		for _, a := range answers {
			w.enqueue(a)
		}
		batch = batch[n:]
	}
}

// decide returns where a packet goes; nil if nowhere. The caller holds mu.
func (w *wire) decide(s sent, r engine.Result, answers *[]sent) *link {
	if r.Verdict != fabric.VerdictAllow {
		w.denied(s, r)
		return nil
	}
	if r.Reason.Code == fabric.CodePlatform {
		if v := w.net.platform.answer(w.engine.Image(), r.Out, s.view.AsSlice()); v != nil {
			*answers = append(*answers, sent{s.from, v, true})
		}
		return nil
	}
	return w.links[r.Out]
}

// land delivers the packets whose time has come.
func (w *wire) land(now time.Time) {
	for len(w.air) > 0 && !w.air[0].at.After(now) {
		f := heap.Pop(&w.air).(flight)
		f.to.host.receive(f.to, f.view)
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
