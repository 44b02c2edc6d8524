package observe

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxFollowed is how many events may wait for a follower's reader.
const maxFollowed = 1 << 14

// FlowFilter chooses flows. The zero value chooses all.
type FlowFilter struct {
	// At names a port as [Names] has them: the flow passes it.
	At     string
	Denied bool // only flows that were not delivered, or whose replies were not
}

// Match reports whether a flow is wanted.
func (x FlowFilter) Match(img *fabric.Image, f *engine.Flow) bool {
	if x.Denied && f.Forward.Verdict == fabric.VerdictAllow && (f.Reply.Packets == 0 || f.Reply.Verdict == fabric.VerdictAllow) {
		return false
	}
	if x.At == "" {
		return true
	}
	path := append([]fabric.PortID{f.Forward.From}, f.Forward.Path...)
	return slices.ContainsFunc(path, func(p fabric.PortID) bool {
		return p >= 0 && int(p) < len(img.Ports) && Names(img, p, x.At)
	})
}

// Follower takes what the engine tells of flows and gives it to one reader, in
// words. What finds no room is counted.
type Follower struct {
	want    FlowFilter
	events  chan followed
	dropped atomic.Uint64
	connect func(engine.FlowID) time.Duration
}

type followed struct {
	at   time.Time
	img  *fabric.Image
	flow engine.Flow
	now  time.Duration
	end  string
}

// NewFollower returns a follower. connect, which may be nil, knows how long
// first replies took.
func NewFollower(want FlowFilter, connect func(engine.FlowID) time.Duration) *Follower {
	return &Follower{want: want, events: make(chan followed, maxFollowed), connect: connect}
}

// OnFlow takes what the engine tells of flows.
func (f *Follower) OnFlow(e engine.FlowEvent) {
	stopped := e.Verdict != fabric.VerdictAllow
	if e.Again && !stopped || e.Reply && !stopped {
		return
	}
	x := engine.Flow{ID: e.ID, Began: e.Now, Seen: e.Now, Platform: e.Platform}
	way := engine.Direction{From: e.From, Packet: e.Packet, Path: e.Path, Verdict: e.Verdict, Reason: e.Reason, Delay: e.Delay, Decided: true}
	if x.Forward = way; !stopped {
		x.Reply.Packet = e.Final.Reverse()
	}
	f.push(followed{at: time.Now(), img: e.Image, flow: x, now: e.Now})
}

// OnClose takes what the engine tells of the ends of flows. That a denied flow's
// record is gone is no news.
func (f *Follower) OnClose(e engine.FlowEnd) {
	if e.Flow.Forward.Verdict == fabric.VerdictAllow && e.Why != engine.EndSwap {
		f.push(followed{at: time.Now(), img: e.Image, flow: e.Flow, now: e.Now, end: e.Why.String()})
	}
}

func (f *Follower) push(x followed) {
	select {
	case f.events <- x:
	default:
		f.dropped.Add(1)
	}
}

// Dropped returns how many events found no room.
func (f *Follower) Dropped() uint64 { return f.dropped.Load() }

// Next waits for the next event that is wanted, until done is closed.
func (f *Follower) Next(done <-chan struct{}) (FlowRow, bool) {
	for {
		select {
		case x := <-f.events:
			if !f.want.Match(x.img, &x.flow) {
				continue
			}
			var took time.Duration
			if f.connect != nil && x.end != "" {
				took = f.connect(x.flow.ID)
			}
			row := Row(x.img, &x.flow, x.now, took)
			row.Began, row.Ended = x.at.Format(time.RFC3339Nano), x.end
			return row, true
		case <-done:
			return FlowRow{}, false
		}
	}
}
