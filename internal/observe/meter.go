package observe

import (
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Bounds of a meter's memory.
const (
	maxConnects = 1 << 15 // flows whose connect time is remembered, twice
	maxServices = 200     // services with a histogram of their own
	maxPorts    = 2000    // ports with counters of their own
)

// connectBuckets are the upper bounds of the histogram of connect times, in
// seconds: from a hop inside a process to the far side of the world.
var connectBuckets = [...]float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Meter measures flows as the engine tells of them: it never looks at packets.
type Meter struct {
	mu       sync.Mutex
	opened   uint64
	denied   uint64
	young    map[engine.FlowID]connect // those seen last
	old      map[engine.FlowID]connect // those before
	services map[service]*histogram
	other    uint64              // flows of services beyond maxServices
	ports    map[string]*traffic // in flows that have ended
	said     map[string]traffic  // by the last look
	// told are flows whose end was counted; some are still in the engine's table.
	told, toldOld map[engine.FlowID]bool
}

// connect is how long a flow's first reply took.
type connect struct {
	began time.Duration
	took  time.Duration // 0 until it came
	to    service
}

// service is what flows connect to.
type service struct {
	Host, Proto string
	Port        uint16
}

type histogram struct {
	counts [len(connectBuckets)]uint64 // not cumulative
	sum    float64
	count  uint64
}

// traffic is what a port sent and received in flows that have ended.
type traffic struct{ packetsOut, bytesOut, packetsIn, bytesIn uint64 }

// NewMeter returns a meter.
func NewMeter() *Meter {
	return &Meter{young: map[engine.FlowID]connect{}, services: map[service]*histogram{}, ports: map[string]*traffic{}, told: map[engine.FlowID]bool{}}
}

// OnFlow takes what the engine tells of flows.
func (m *Meter) OnFlow(e engine.FlowEvent) {
	if e.Again {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Reply {
		m.replied(&e)
		return
	}
	if e.Verdict != fabric.VerdictAllow {
		m.denied++
		return
	}
	m.opened++
	if len(m.young) >= maxConnects {
		m.old, m.young = m.young, make(map[engine.FlowID]connect, maxConnects)
	}
	to := service{Host: "platform", Proto: fabric.ProtoName(e.Packet.Proto), Port: e.Final.DstPort}
	if e.Reason.Code != fabric.CodePlatform && len(e.Path) > 0 {
		to.Host = PortName(e.Image, e.Path[len(e.Path)-1])
	}
	m.young[e.ID] = connect{began: e.Now, to: to}
}

// replied notes a flow's first reply: what its opener waited for is the time
// until it entered and the way back.
func (m *Meter) replied(e *engine.FlowEvent) {
	of := m.young
	c, ok := of[e.ID]
	if !ok {
		of = m.old
		c, ok = of[e.ID]
	}
	if !ok || c.took != 0 || e.Verdict != fabric.VerdictAllow {
		return
	}
	c.took = max(e.Now-c.began, 1)
	of[e.ID] = c
	if e.Packet.Proto != fabric.ProtoTCP {
		return
	}
	h := m.services[c.to]
	if h == nil {
		if len(m.services) >= maxServices {
			m.other++
			return
		}
		h = &histogram{}
		m.services[c.to] = h
	}
	seconds := c.took.Seconds()
	h.sum += seconds
	h.count++
	for i, bound := range connectBuckets {
		if seconds <= bound {
			h.counts[i]++
			break
		}
	}
}

// OnClose takes what the engine tells of the ends of flows.
func (m *Meter) OnClose(e engine.FlowEnd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.told) >= maxConnects {
		m.toldOld, m.told = m.told, make(map[engine.FlowID]bool, maxConnects)
	}
	m.told[e.Flow.ID] = true
	if e.Why == engine.EndSwap {
		return // its ports may be of no image
	}
	m.carried(m.ports, e.Image, &e.Flow)
}

// carried adds what a flow carried to the ports at its ends. What was denied
// entered and left nowhere.
func (m *Meter) carried(ports map[string]*traffic, img *fabric.Image, f *engine.Flow) {
	at := func(port fabric.PortID) *traffic {
		name := PortName(img, port)
		if t := ports[name]; t != nil {
			return t
		}
		if len(ports) >= maxPorts {
			name = otherLabel
			if t := ports[name]; t != nil {
				return t
			}
		}
		t := &traffic{}
		ports[name] = t
		return t
	}
	add := func(d *engine.Direction) {
		from := at(d.From)
		from.packetsOut += d.Packets
		from.bytesOut += d.Bytes
		if d.Verdict == fabric.VerdictAllow && len(d.Path) > 0 {
			to := at(d.Path[len(d.Path)-1])
			to.packetsIn += d.Packets
			to.bytesIn += d.Bytes
		}
	}
	add(&f.Forward)
	if f.Reply.Packets > 0 {
		add(&f.Reply)
	}
}

// traffic returns what each port has carried: in flows that ended, and in those
// that each calls its argument with. It never goes back.
func (m *Meter) traffic(img *fabric.Image, each func(func(engine.Flow) bool)) map[string]traffic {
	var open []engine.Flow
	each(func(f engine.Flow) bool { open = append(open, f); return true })
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := map[string]*traffic{}
	for name, t := range m.ports {
		kept := *t
		sum[name] = &kept
	}
	for i := range open {
		if id := open[i].ID; !m.told[id] && !m.toldOld[id] {
			m.carried(sum, img, &open[i])
		}
	}
	out := make(map[string]traffic, len(sum))
	for name, t := range sum {
		// A flow may end between the two looks: never less than was said before.
		was := m.said[name]
		now := traffic{max(t.packetsOut, was.packetsOut), max(t.bytesOut, was.bytesOut), max(t.packetsIn, was.packetsIn), max(t.bytesIn, was.bytesIn)}
		out[name] = now
	}
	m.said = out
	return out
}

// otherLabel stands for all beyond a bound.
const otherLabel = "other"

// Connect returns how long a flow's first reply took until it entered, 0 if that
// is not known.
func (m *Meter) Connect(id engine.FlowID) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.young[id]; ok {
		return c.took
	}
	return m.old[id].took
}

// quantile estimates a quantile of a histogram, as Prometheus does: linear
// within a bucket. Beyond the last bound it is the last bound.
func (h *histogram) quantile(q float64) float64 {
	rank, sum := q*float64(h.count), 0.0
	for i, n := range h.counts {
		if sum+float64(n) >= rank && n > 0 {
			low := 0.0
			if i > 0 {
				low = connectBuckets[i-1]
			}
			return low + (connectBuckets[i]-low)*(rank-sum)/float64(n)
		}
		sum += float64(n)
	}
	return connectBuckets[len(connectBuckets)-1]
}
