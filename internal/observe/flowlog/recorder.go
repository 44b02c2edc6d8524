package flowlog

import (
	"errors"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe"
)

// look is how often the flows' counters are read. It is shorter than an engine
// remembers any flow that is over, so that no counter is missed.
const look = 5 * time.Second

// maxOpened bounds the flows that began since the recorder last looked.
const maxOpened = 1 << 17

// Source is the network whose flows are recorded.
type Source interface {
	// EachFlow calls f with every flow, until f returns false.
	EachFlow(f func(engine.Flow) bool)
	// Uptime returns the time of the flows.
	Uptime() time.Duration
}

// Sink takes the records of each minute.
type Sink interface {
	Write(entries []Entry) error
}

// Recorder keeps flow logs of a running network.
type Recorder struct {
	log    *Log
	source Source
	sink   Sink
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	opened []opened
	lost   uint64
	failed error // the last write's
}

type opened struct {
	at    time.Time
	event engine.FlowEvent
}

// NewRecorder returns a recorder that is not running yet: hand its OnFlow to the
// network, then Run it.
func NewRecorder(log *Log, sink Sink) *Recorder {
	return &Recorder{log: log, sink: sink, stop: make(chan struct{}), done: make(chan struct{})}
}

// OnFlow takes what the engine tells of flows. It never waits.
func (r *Recorder) OnFlow(e engine.FlowEvent) {
	if e.Reply {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.opened) >= maxOpened {
		r.lost++
		return
	}
	r.opened = append(r.opened, opened{time.Now(), e})
}

// Run records until Close.
func (r *Recorder) Run(source Source) {
	r.source = source
	go func() {
		defer close(r.done)
		tick := time.NewTicker(look)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.step(time.Now())
			case <-r.stop:
				return
			}
		}
	}()
}

// Close ends every flow in the logs, writes what is left and returns what kept
// the logs from being whole: the last failure to write, and tuples lost.
func (r *Recorder) Close() error {
	r.once.Do(func() {
		close(r.stop)
		if r.source != nil {
			<-r.done
			now := time.Now()
			r.step(now)
			r.log.CloseAll(now)
			r.write(now.Add(time.Minute))
		}
	})
	return r.Err()
}

// Err returns why the logs are not whole, nil if they are.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.failed
	if n := r.lost + r.log.Lost(); n > 0 {
		err = errors.Join(err, errLost(n))
	}
	return err
}

// step takes what happened since the last.
func (r *Recorder) step(now time.Time) {
	r.mu.Lock()
	news := r.opened
	r.opened = nil
	r.mu.Unlock()
	for i := range news {
		e := &news[i].event
		t := observe.Retrace(e.Image, began(e))
		r.log.Open(news[i].at, e.ID, e.Image, &t)
	}
	up := r.source.Uptime()
	r.log.Read(now, func(f func(Reading)) {
		r.source.EachFlow(func(x engine.Flow) bool {
			f(Reading{x.ID, Counters{x.Forward.Packets, x.Forward.Bytes, x.Reply.Packets, x.Reply.Bytes}, x.Over(up)})
			return true
		})
	})
	r.write(now)
}

// began is a flow as an event tells of it.
func began(e *engine.FlowEvent) *engine.Flow {
	f := &engine.Flow{ID: e.ID}
	f.Forward = engine.Direction{From: e.From, Packet: e.Packet, Path: e.Path, Verdict: e.Verdict, Reason: e.Reason, Decided: true}
	if e.Verdict == fabric.VerdictAllow {
		f.Reply.Packet = e.Final.Reverse()
	}
	return f
}

func (r *Recorder) write(now time.Time) {
	entries := r.log.Take(now)
	if len(entries) == 0 {
		return
	}
	if err := r.sink.Write(entries); err != nil {
		r.mu.Lock()
		r.failed = err
		r.mu.Unlock()
	}
}
