package live_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// pipe is a device whose program is the test.
type pipe struct {
	out    chan engine.Frame // what the program sends
	in     chan engine.Frame // what it is sent
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe {
	return &pipe{out: make(chan engine.Frame), in: make(chan engine.Frame, 64), closed: make(chan struct{})}
}

func (p *pipe) Read(frames []engine.Frame) (int, error) {
	select {
	case f := <-p.out:
		frames[0] = f
		return 1, nil
	case <-p.closed:
		return 0, net.ErrClosed
	}
}

func (p *pipe) Write(frames []engine.Frame) error {
	for _, f := range frames {
		f.Packet = append([]byte(nil), f.Packet...)
		select {
		case p.in <- f:
		case <-p.closed:
			return net.ErrClosed
		}
	}
	return nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// A device takes the place of a host's stack: packets go straight from one to
// the other, a service that the stack keeps still answers, and the stack's own
// connections go on.
func TestAttach(t *testing.T) {
	img, network := load(t, "../../examples/three-tier")
	n, err := live.Start(img, network.Hosts, live.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	host := func(name string) (*live.Host, netip.Addr) {
		h, err := n.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		return h, h.Addrs()[0]
	}
	app, appAddr := host("app-1")
	_, dbAddr := host("db-1")

	if _, err := n.Attach("nobody", 0, newPipe(), nil); err == nil {
		t.Error("a device at a host that is not there")
	}
	if _, err := n.Attach("app-1", 1, newPipe(), nil); err == nil {
		t.Error("a device at an interface that is not there")
	}
	a, d := newPipe(), newPipe()
	detach, err := n.Attach("APP-1", 0, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer detach()
	if _, err := n.Attach("app-1", 0, newPipe(), nil); err == nil {
		t.Error("two devices at one interface")
	}
	detachDB, err := n.Attach("db-1", 0, d, []model.Service{{Kind: model.ServiceTCP, Port: 5432}})
	if err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	seen := map[fabric.Verdict]int{}
	stop := n.Tap(func(s *live.Sight) {
		mu.Lock()
		defer mu.Unlock()
		if p, _ := engine.Tuple(s.Frame.Packet); p.DstPort == 5433 || p.DstPort == 5432 {
			seen[s.Result.Verdict]++
		}
	})
	syn := func(dport uint16) fabric.Packet {
		return fabric.Packet{Src: appAddr, Dst: dbAddr, SrcPort: 40000, DstPort: dport, Proto: fabric.ProtoTCP}
	}
	// Denied by the security groups: it does not come out.
	a.out <- engine.Frame{Packet: engine.First(syn(5433))}
	// For the service that the stack keeps: the stack answers.
	a.out <- engine.Frame{Packet: engine.First(syn(5432)), Offload: engine.Offload{}}
	f := <-a.in
	if p, fault := engine.Tuple(f.Packet); fault != fabric.FaultNone || p != syn(5432).Reverse() {
		t.Errorf("%v %v comes back", p, fault)
	}
	stop()
	mu.Lock()
	if seen[fabric.VerdictDeny] != 1 || seen[fabric.VerdictAllow] == 0 {
		t.Errorf("a tap sees %v", seen)
	}
	mu.Unlock()

	// What the host's own stack dials shares the interface.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := app.DialContext(ctx, "tcp", netip.AddrPortFrom(dbAddr, 5432).String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	// With the service taken over, the program gets the packets.
	detachDB()
	detachDB()
	d = newPipe()
	if detachDB, err = n.Attach("db-1", 0, d, nil); err != nil {
		t.Fatal(err)
	}
	defer detachDB()
	p := syn(5432)
	p.SrcPort = 40001
	a.out <- engine.Frame{Packet: engine.First(p), Offload: engine.Offload{Partial: true, Segment: 1000}}
	// The end of the connection that the stack had may come as well.
	for f = range d.in {
		if got, _ := engine.Tuple(f.Packet); got.SrcPort == p.SrcPort {
			break
		}
	}
	if got, _ := engine.Tuple(f.Packet); got != p || !f.Offload.Partial || f.Offload.Segment != 1000 {
		t.Errorf("%v %+v arrives", got, f.Offload)
	}
}

// Closing the network closes its devices.
func TestAttachClose(t *testing.T) {
	img, network := load(t, "../../examples/three-tier")
	n, err := live.Start(img, network.Hosts, live.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe()
	if _, err := n.Attach("app-1", 0, p, nil); err != nil {
		t.Fatal(err)
	}
	n.Close()
	select {
	case <-p.closed:
	default:
		t.Error("the device is open")
	}
	if left := n.Leaked(); left != "" {
		t.Error(left)
	}
	if _, err := n.Attach("app-1", 0, newPipe(), nil); err == nil {
		t.Error("a device at a closed network")
	}
}

// Steady traffic to a real program connects and says nothing: its protocol is its
// own.
func TestSteadyToPrograms(t *testing.T) {
	img, network := load(t, "../../examples/three-tier")
	for _, c := range []struct {
		name    string
		keep    []model.Service
		streams bool
	}{
		{"the stack's service", []model.Service{{Kind: model.ServiceTCP, Port: 5432}}, true},
		{"a program's", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := live.Start(img, network.Hosts, live.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			detach, err := n.Attach("db-1", 0, newPipe(), c.keep)
			if err != nil {
				t.Fatal(err)
			}
			defer detach()
			s := n.Steady(network.Expectations, live.SteadyOptions{})
			defer s.Stop()
			connects, streams := 0, 0
			for _, f := range s.Flows() {
				switch {
				case f.To != "db-1":
				case f.Kind == live.SteadyConnect:
					connects++
				case f.Kind == live.SteadyStream:
					streams++
				}
			}
			if connects == 0 || streams > 0 != c.streams {
				t.Errorf("%d connects and %d streams", connects, streams)
			}
		})
	}
}
