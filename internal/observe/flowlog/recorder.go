package flowlog

import (
	"errors"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe"
)

// look is how often the recorder takes what it was told, and reads the counters
// of flows that go on.
const look = 5 * time.Second

// maxNews bounds the flows that began and ended since the recorder last looked.
const maxNews = 1 << 17

// Source is the network whose flows are recorded.
type Source interface {
	// EachFlow calls f with every flow, until f returns false.
	EachFlow(f func(engine.Flow) bool)
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
	news   []news
	lost   uint64
	failed error // the last write's
}

// news is that a flow began, or ended.
type news struct {
	at    time.Time
	began *engine.FlowEvent
	ended *engine.FlowEnd
}

// NewRecorder returns a recorder that is not running yet: let the network tell it
// of flows, then Run it.
func NewRecorder(log *Log, sink Sink) *Recorder {
	return &Recorder{log: log, sink: sink, stop: make(chan struct{}), done: make(chan struct{})}
}

// OnFlow takes what the engine tells of flows. It never waits.
func (r *Recorder) OnFlow(e engine.FlowEvent) {
	if !e.Reply && !e.Again {
		r.tell(news{began: &e})
	}
}

// OnClose takes what the engine tells of the ends of flows. It never waits.
func (r *Recorder) OnClose(e engine.FlowEnd) { r.tell(news{ended: &e}) }

func (r *Recorder) tell(n news) {
	n.at = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.news) >= maxNews {
		r.lost++
		return
	}
	r.news = append(r.news, n)
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
			r.log.CloseAll(now, func(f func(engine.FlowID, Counters)) {
				r.source.EachFlow(func(x engine.Flow) bool {
					f(x.ID, carried(&x))
					return true
				})
			})
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
	all := r.news
	r.news = nil
	r.mu.Unlock()
	for _, n := range all {
		if n.ended != nil {
			r.log.Close(n.at, n.ended.Flow.ID, carried(&n.ended.Flow))
			continue
		}
		e := n.began
		t := observe.Retrace(e.Image, began(e))
		r.log.Open(n.at, e.ID, e.Image, &t)
	}
	if r.log.Due(now) {
		r.log.Read(now, func(f func(engine.FlowID, Counters)) {
			r.source.EachFlow(func(x engine.Flow) bool {
				f(x.ID, carried(&x))
				return true
			})
		})
	}
	r.write(now)
}

func carried(f *engine.Flow) Counters {
	return Counters{f.Forward.Packets, f.Forward.Bytes, f.Reply.Packets, f.Reply.Bytes}
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
