package observe

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe/filter"
)

// What a capture keeps unless told otherwise.
const (
	// DefaultSnapLen is the most bytes kept of a packet, as tcpdump has it.
	DefaultSnapLen = 262_144
	// DefaultBuffer is how many packets may wait for whoever reads them.
	DefaultBuffer = 4096
)

// CaptureOptions say what to capture.
type CaptureOptions struct {
	// At are names of ports as [Names] has them; empty means all ports.
	At      []string
	Filter  *filter.Filter // nil means all packets
	Denied  bool           // only what was not delivered
	SnapLen int            // bytes; 0 means DefaultSnapLen
	Buffer  int            // packets; 0 means DefaultBuffer
	Flows   Flows          // for the rules of flows; may be nil
}

// Capture takes packets from a tap and gives them to one reader. Its memory is
// bounded: packets that find no room are counted, and nobody waits for them.
type Capture struct {
	o        CaptureOptions
	free     chan *record
	full     chan *record
	selected atomic.Pointer[selection]
	seen     atomic.Uint64
	accepted atomic.Uint64
	dropped  atomic.Uint64
	later    bool // the filter is asked by the reader
	scratch  sync.Pool

	// Used by the reader only.
	next    []Packet
	number  uint64
	told    uint64 // drops told so far
	tracer  tracer
	holding *record
}

// record is a packet on its way from the tap to the reader.
type record struct {
	time     time.Time
	img      *fabric.Image
	at       fabric.PortID
	platform bool
	result   engine.Result
	in, out  []byte // cut to SnapLen
	inLen    int
	outLen   int // negative if the packet did not leave
}

// selection is which ports of an image are captured.
type selection struct {
	img   *fabric.Image
	ports []bool
}

// Packet is one sighting of a packet: where it entered, or where it left.
type Packet struct {
	// ID is one for both sightings of a packet, from 1.
	ID      uint64
	Time    time.Time
	Image   *fabric.Image
	At      fabric.PortID
	Inbound bool   // it came out to what is behind the port
	Data    []byte // valid until the reader asks again
	Length  int    // before Data was cut
	Headers Headers
	Result  engine.Result
	// Rules are the names of the rules that the flow's first packet met.
	Rules []string
	Reply bool // the packet goes back to the flow's opener
	// Last says that no further sighting of the packet follows.
	Last bool
	// Dropped counts the packets lost to a full buffer since the sighting before.
	Dropped uint64
}

// Decision puts what was decided about the packet into words.
func (p *Packet) Decision() Decision {
	return Decide(p.Image, p.Result.Verdict, p.Result.Fault, p.Result.Reason)
}

// NewCapture returns a capture; hand its Tap to the network.
func NewCapture(o CaptureOptions) *Capture {
	if o.SnapLen <= 0 {
		o.SnapLen = DefaultSnapLen
	}
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Filter == nil {
		o.Filter = &filter.Filter{}
	}
	c := &Capture{o: o, free: make(chan *record, o.Buffer), full: make(chan *record, o.Buffer), later: o.Filter.NeedsRules()}
	c.tracer.flows = o.Flows
	c.scratch.New = func() any { return new([2]view) }
	for range o.Buffer {
		c.free <- &record{}
	}
	return c
}

// Selects reports whether the capture looks at any port of an image.
func (c *Capture) Selects(img *fabric.Image) bool {
	for _, ok := range c.selection(img).ports {
		if ok {
			return true
		}
	}
	return false
}

// selection returns the ports of an image that are captured.
func (c *Capture) selection(img *fabric.Image) *selection {
	if s := c.selected.Load(); s != nil && s.img == img {
		return s
	}
	s := &selection{img, make([]bool, len(img.Ports))}
	for i := range s.ports {
		s.ports[i] = len(c.o.At) == 0
		for _, name := range c.o.At {
			s.ports[i] = s.ports[i] || Names(img, fabric.PortID(i), name)
		}
	}
	c.selected.Store(s)
	return s
}

func (s *selection) has(at fabric.PortID) bool {
	return at >= 0 && int(at) < len(s.ports) && s.ports[at]
}

// Tap takes a packet. It never waits; several goroutines may call it.
func (c *Capture) Tap(s *Sight) {
	if c.o.Denied && s.Result.Verdict == fabric.VerdictAllow {
		return
	}
	ports := c.selection(s.Image)
	// The platform is no port: what it sends enters nowhere, what goes to it
	// leaves nowhere.
	entered := !s.Frame.Platform && ports.has(s.Frame.At)
	left := s.Left != nil && s.Result.Reason.Code != fabric.CodePlatform && ports.has(s.Result.Out)
	if !entered && !left {
		return
	}
	c.seen.Add(1)
	if !c.later {
		v := c.scratch.Get().(*[2]view)
		c.views(&v[0], &v[1], s.Image, s.Frame.At, s.Frame.Packet, s.Left, &s.Result)
		wanted := entered && c.o.Filter.Match(&v[0].View) || left && c.o.Filter.Match(&v[1].View)
		c.scratch.Put(v)
		if !wanted {
			return
		}
		c.accepted.Add(1)
	}
	var r *record
	select {
	case r = <-c.free:
	default:
		c.dropped.Add(1)
		return
	}
	r.time, r.img, r.at, r.platform, r.result = s.Time, s.Image, s.Frame.At, s.Frame.Platform, s.Result
	r.in, r.inLen = append(r.in[:0], s.Frame.Packet[:min(len(s.Frame.Packet), c.o.SnapLen)]...), len(s.Frame.Packet)
	r.out, r.outLen = r.out[:0], -1
	if s.Left != nil && s.Result.Reason.Code != fabric.CodePlatform {
		r.out, r.outLen = append(r.out, s.Left[:min(len(s.Left), c.o.SnapLen)]...), len(s.Left)
	}
	c.full <- r // there is room: there are as many records as places
}

// view is what the filter is told of a sighting, and its headers.
type view struct {
	filter.View
	Headers Headers
}

// views fills what the filter is told of both sightings of a packet.
func (c *Capture) views(in, out *view, img *fabric.Image, at fabric.PortID, entered, left []byte, r *engine.Result) {
	*in, *out = view{}, view{}
	in.Headers, _ = Read(entered)
	in.fill(img, at, len(entered), r)
	in.Also = in.Packet
	if left == nil {
		return
	}
	out.Headers, _ = Read(left)
	out.fill(img, r.Out, len(left), r)
	out.Inbound = true
	in.Also, out.Also = out.Packet, in.Packet
}

func (v *view) fill(img *fabric.Image, at fabric.PortID, n int, r *engine.Result) {
	v.Packet, v.Ports, v.Length = v.Headers.Packet, v.Headers.Ports, n
	v.NIC = PortName(img, at)
	v.Verdict, v.Fault, v.Code, v.Flow = r.Verdict, r.Fault, r.Reason.Code, uint64(r.Flow)
}

// Counts are what a capture counted.
type Counts struct {
	Seen     uint64 `json:"seen"`     // packets at the ports captured
	Accepted uint64 `json:"accepted"` // of these, packets the filter let pass
	Dropped  uint64 `json:"dropped"`  // of these, packets that found the buffer full
}

// Counts returns the counters.
func (c *Capture) Counts() Counts {
	return Counts{c.seen.Load(), c.accepted.Load(), c.dropped.Load()}
}

// Idle reports whether no packet waits: the reader may flush what it wrote.
func (c *Capture) Idle() bool { return len(c.next) == 0 && len(c.full) == 0 }

// Next waits for the next sighting, until done is closed. One goroutine reads.
func (c *Capture) Next(done <-chan struct{}) (*Packet, bool) {
	for len(c.next) == 0 {
		if c.holding != nil {
			c.free <- c.holding
			c.holding = nil
		}
		select {
		case r := <-c.full:
			c.open(r)
		default:
			select {
			case r := <-c.full:
				c.open(r)
			case <-done:
				return nil, false
			}
		}
	}
	p := &c.next[0]
	c.next = c.next[1:]
	return p, true
}

// open makes the sightings of a record.
func (c *Capture) open(r *record) {
	c.holding = r
	ports := c.selection(r.img)
	var in, out view
	left := r.out
	if r.outLen < 0 {
		left = nil
	}
	c.views(&in, &out, r.img, r.at, r.in, left, &r.result)
	in.Length, out.Length = r.inLen, r.outLen
	var rules []string
	var reply, asked bool
	trace := func() []string {
		if !asked && r.result.Fault == fabric.FaultNone && !r.platform {
			rules, reply = c.tracer.of(r.img, r.result.Flow, r.at, in.Packet, r.result.Verdict, r.result.Reason)
		}
		asked = true
		return rules
	}
	in.Rules, out.Rules = trace, trace
	var wanted []Packet
	add := func(v *view, at fabric.PortID, data []byte, n int) {
		if ports.has(at) && c.o.Filter.Match(&v.View) {
			wanted = append(wanted, Packet{
				Time: r.time, Image: r.img, At: at, Inbound: v.Inbound, Data: data, Length: n, Headers: v.Headers, Result: r.result,
			})
		}
	}
	if !r.platform {
		add(&in, r.at, r.in, r.inLen)
	}
	if left != nil {
		add(&out, r.result.Out, r.out, r.outLen)
	}
	if len(wanted) == 0 {
		return
	}
	if c.later {
		c.accepted.Add(1)
	}
	trace()
	c.number++
	for i := range wanted {
		wanted[i].ID, wanted[i].Rules, wanted[i].Reply = c.number, rules, reply
	}
	wanted[len(wanted)-1].Last = true
	dropped := c.dropped.Load()
	wanted[0].Dropped, c.told = dropped-c.told, dropped
	c.next = append(c.next[:0], wanted...)
}
