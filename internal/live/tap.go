package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Sight is a packet that somebody who taps the network sees.
type Sight struct {
	Time  time.Time
	Image *fabric.Image
	// Frame is the packet as it entered, valid during the call only.
	Frame engine.Frame
	// Left is the packet as it left, valid during the call only; nil if it was
	// not delivered.
	Left   []byte
	Result engine.Result
}

// TapFunc sees packets. It is called by the goroutines that carry packets, by
// several at a time: it must be quick, and must not call the network.
type TapFunc func(*Sight)

// Tap shows every packet to f, those that are denied included, until stop is
// called. After stop returns f may still see packets that were under way.
func (n *Network) Tap(f TapFunc) (stop func()) { return n.wire.taps.add(f) }

// taps are those who see every packet.
type taps struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*TapFunc] // never changed in place; nil if there is none
}

func (t *taps) any() bool { return t.list.Load() != nil }

func (t *taps) add(f TapFunc) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*TapFunc
	if old := t.list.Load(); old != nil {
		list = append(list, *old...)
	}
	list = append(list, &f)
	t.list.Store(&list)
	return func() { t.remove(&f) }
}

func (t *taps) remove(f *TapFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.list.Load()
	if old == nil {
		return
	}
	var list []*TapFunc
	for _, x := range *old {
		if x != f {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		t.list.Store(nil)
		return
	}
	t.list.Store(&list)
}

// copyFrames keeps the packets as they enter.
func (c *carrier) copyFrames() {
	for len(c.copies) < len(c.frames) {
		c.copies = append(c.copies, nil)
	}
	for i := range c.frames {
		c.copies[i] = append(c.copies[i][:0], c.frames[i].Packet...)
	}
}

// show shows the carrier's packets, after the engine had them.
func (c *carrier) show(now time.Time, img *fabric.Image) {
	list := c.wire.taps.list.Load()
	if list == nil {
		return
	}
	for i := range c.frames {
		s := Sight{Time: now, Image: img, Frame: c.frames[i], Result: c.results[i]}
		if s.Result.Verdict == fabric.VerdictAllow {
			s.Left = c.frames[i].Packet
		}
		s.Frame.Packet = c.copies[i]
		for _, f := range *list {
			(*f)(&s)
		}
	}
}
