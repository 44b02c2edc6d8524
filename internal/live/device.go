package live

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Device is the virtual network interface of a real program. Packets are IP
// packets, without a link header.
type Device interface {
	// Read waits for packets and fills at most len(frames) of them: Packet, which
	// is valid until the next Read, and Offload. It fails when the device is
	// closed.
	Read(frames []engine.Frame) (int, error)
	// Write hands packets to the program and does not keep their memory. Packets
	// that the device cannot take are lost, as on any wire. It may be called by
	// several goroutines at a time.
	Write(frames []engine.Frame) error
	// Close ends a waiting Read. It may be called twice.
	Close() error
}

// firstPort is where the ports begin that a host's own stack dials from while a
// device shares its interface: above those that Linux takes (ip_local_port_range
// ends at 60999).
const firstPort = 61000

// Attach puts a device in the place of a declared host's stack at one of its
// interfaces, counted from 0, until detach is called or the device fails. The
// stack keeps the services in keep, and what it dials itself. detach closes the
// device and waits until nothing of it is left; it may be called twice.
func (n *Network) Attach(host string, nic int, d Device, keep []model.Service) (detach func(), err error) {
	h := n.hosts[strings.ToLower(host)]
	if h == nil {
		return nil, fmt.Errorf("no host %q; the network has %s", host, strings.Join(n.names(), ", "))
	}
	if nic < 0 || nic >= len(h.links) {
		return nil, fmt.Errorf("host %s has %d network interfaces; there is no number %d", h.Name, len(h.links), nic)
	}
	l := h.links[nic]
	a := &attachment{device: d, kept: map[uint32]bool{}, done: make(chan struct{})}
	for _, s := range keep {
		proto := uint32(fabric.ProtoTCP)
		if s.Kind == model.ServiceUDP {
			proto = fabric.ProtoUDP
		}
		a.kept[proto<<16|uint32(s.Port)] = true
	}
	h.mu.Lock()
	h.shared = true
	s := h.stack
	h.mu.Unlock()
	if s != nil {
		if terr := s.SetPortRange(firstPort, 0xffff); terr != nil {
			return nil, fmt.Errorf("host %s: %s", h.Name, terr)
		}
	}
	w := n.wire
	w.mu.Lock()
	if l.device != nil {
		w.mu.Unlock()
		return nil, fmt.Errorf("interface %d of host %s has a program already", nic, h.Name)
	}
	select {
	case <-n.closed:
		w.mu.Unlock()
		return nil, ErrClosed
	default:
	}
	l.device = a
	w.mu.Unlock()
	n.labelled(func() { go a.run(w, l) })
	return func() { a.close(w, l) }, nil
}

// attachment is a device at a link.
type attachment struct {
	device Device
	kept   map[uint32]bool // protocol and port that the host's own stack has
	once   sync.Once
	done   chan struct{}
}

// programAt reports whether what is at a TCP port of the host is a real program.
func (h *Host) programAt(port uint16) bool {
	h.net.wire.mu.Lock()
	defer h.net.wire.mu.Unlock()
	return slices.ContainsFunc(h.links, func(l *link) bool {
		return l.device != nil && !l.device.kept[uint32(fabric.ProtoTCP)<<16|uint32(port)]
	})
}

// run carries what the program sends.
func (a *attachment) run(w *wire, l *link) {
	defer close(a.done)
	// A thread of its own: the scheduler's hand-overs around each wait for a packet
	// cost a tenth of a stream's throughput.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := newCarrier(w)
	frames := make([]engine.Frame, vector)
	for {
		n, err := a.device.Read(frames)
		if err != nil {
			a.leave(w, l)
			return
		}
		kept := frames[:0]
		for _, f := range frames[:n] {
			if !multicast(f.Packet) {
				kept = append(kept, f)
			}
		}
		c.borrow(l, kept)
	}
}

// leave gives the interface back to the host's stack.
func (a *attachment) leave(w *wire, l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.device == a {
		l.device = nil
	}
}

func (a *attachment) close(w *wire, l *link) {
	a.leave(w, l)
	a.once.Do(func() { _ = a.device.Close() })
	<-a.done
}

func (a *attachment) write(frames []engine.Frame) { _ = a.device.Write(frames) }

// keeps reports whether a packet is for the host's own stack.
func (a *attachment) keeps(pkt []byte) bool {
	proto, port := engine.LocalPort(pkt)
	return port >= firstPort || len(a.kept) > 0 && a.kept[uint32(proto)<<16|uint32(port)]
}

// take hands a packet that has arrived to whoever has it now; it owns the view.
func (l *link) take(v *buffer.View, o engine.Offload) {
	l.wire.mu.Lock()
	a := l.device
	l.wire.mu.Unlock()
	if a == nil || a.keeps(v.AsSlice()) {
		l.host.receive(l, v, o)
		return
	}
	a.write([]engine.Frame{{Packet: v.AsSlice(), Offload: o}})
	v.Release()
}

// detach ends the devices at a host's interfaces.
func (h *Host) detach() {
	for _, l := range h.links {
		l.wire.mu.Lock()
		a := l.device
		l.wire.mu.Unlock()
		if a != nil {
			a.close(l.wire, l)
		}
	}
}
