package live

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// hose is a program that sends one packet again and again, and takes what comes.
type hose struct {
	packet []byte
	closed chan struct{}
	once   sync.Once
}

func (h *hose) Read(frames []engine.Frame) (int, error) {
	select {
	case <-h.closed:
		return 0, net.ErrClosed
	case <-time.After(time.Millisecond):
		frames[0] = engine.Frame{Packet: append([]byte(nil), h.packet...)}
		return 1, nil
	}
}

func (h *hose) Write([]engine.Frame) error { return nil }

func (h *hose) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// A network that closes while connections, datagrams, names, probes, steady
// traffic, taps, devices, failures, changes of pace and of the image are under way
// ends them all: nothing races, hangs or stays. It closes after a number of things
// were done, a random one.
func TestCloseUnderLoad(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		closeUnderLoad(t, int64(rand.IntN(400)))
	}
}

func closeUnderLoad(t *testing.T, after int64) {
	var opts Options
	opts.Pace, opts.Latency = 500, 0.01
	opts.Internet = []model.PublicHost{{Name: "far.example", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.80")}, Services: []model.Service{{Kind: model.ServiceWhoAmI, Port: 80}}}}
	n := start(t, farmWith(""), opts)
	img := n.Declared()
	client, err := n.Host("client")
	if err != nil {
		t.Fatal(err)
	}
	web, err := n.Host("web-1")
	if err != nil {
		t.Fatal(err)
	}
	front := frontOf(t, n, "tcp")
	exps := []model.Expectation{{Verb: model.Allow, From: one("client"), To: one("web-2"), Traffic: []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: 80, Hi: 80}}}}}}

	var done atomic.Int64
	closing, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var workers sync.WaitGroup
	work := func(f func(ctx context.Context)) {
		workers.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { // what is under way when the network has closed ends by itself, or now
				select {
				case <-ended:
				case <-ctx.Done():
				}
				cancel()
			}()
			for ctx.Err() == nil {
				f(ctx)
				if done.Add(1) >= after {
					once.Do(func() { close(closing) })
				}
			}
		})
	}
	dead := func(img *fabric.Image) fabric.Failure { return deadHost("web-2")(img) }
	work(func(ctx context.Context) {
		if c, err := client.DialContext(ctx, "tcp", front+":80"); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(c, 4))
			c.Close()
		}
	})
	work(func(ctx context.Context) {
		if c, err := client.DialContext(ctx, "udp", front+":53"); err == nil {
			_, _ = c.Write([]byte("?"))
			c.Close()
		}
	})
	work(func(ctx context.Context) {
		if l, err := client.Listen("tcp", ":7"); err == nil {
			c, err := web.DialContext(ctx, "tcp", client.Addrs()[0].String()+":7")
			l.Close()
			if err == nil {
				c.Close()
			}
		}
	})
	work(func(ctx context.Context) { _, _ = client.LookupHost(ctx, "far.example") })
	work(func(ctx context.Context) { n.Probe(ctx, exps) })
	work(func(context.Context) { n.Steady(exps, SteadyOptions{Every: time.Millisecond}).Stop() })
	work(func(context.Context) { n.Fail(dead)() })
	work(func(context.Context) { n.Swap(img) })
	work(func(context.Context) { n.Tap(func(*Sight) {})() })
	work(func(context.Context) { _ = n.SetPace(1 + 500*rand.Float64()) })
	work(func(ctx context.Context) { _ = n.Probed(ctx) })
	work(func(context.Context) {
		n.EachFlow(func(engine.Flow) bool { return true })
		n.Health()
		n.Stats()
		n.Underlay()
		n.NameStats()
	})
	work(func(context.Context) {
		d := &hose{packet: engine.First(fabric.Packet{Src: client.Addrs()[0], Dst: web.Addrs()[0], Proto: fabric.ProtoUDP, SrcPort: 999, DstPort: 53}), closed: make(chan struct{})}
		detach, err := n.Attach("client", 0, d, nil)
		if err == nil {
			detach()
		}
	})
	work(func(context.Context) {
		if err := n.SetEdges(nil); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	<-closing
	n.Close()
	close(ended)
	workers.Wait()
	if left := n.Leaked(); left != "" {
		t.Errorf("closed after %d things, and goroutines still run:\n%s", after, left)
	}
}
