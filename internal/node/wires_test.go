package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// plug is a network interface whose program is the test.
type plug struct {
	out    chan []byte
	in     chan []byte
	closed chan struct{}
	once   sync.Once
}

func (p *plug) Read(frames []engine.Frame) (int, error) {
	select {
	case b := <-p.out:
		frames[0] = engine.Frame{Packet: b}
		return 1, nil
	case <-p.closed:
		return 0, net.ErrClosed
	}
}

func (p *plug) Write(frames []engine.Frame) error {
	for _, f := range frames {
		select {
		case p.in <- bytes.Clone(f.Packet):
		default:
		}
	}
	return nil
}

func (p *plug) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Random packets over the wires of random networks that run: what becomes of each
// is what the reference evaluator and the proof say, for the reason they say, and
// who is to have it has it. Those that are malformed or later fragments are
// faults. CERULEAN_WIRES=1000 takes so many networks.
func TestRandomPacketsOverRealWires(t *testing.T) {
	networks := 40
	if s := os.Getenv("CERULEAN_WIRES"); s != "" {
		var err error
		if networks, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var sum tally
	for seed := range uint64(networks) {
		sum.network(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%+v", sum)
	if sum.Packets < 10*networks || sum.Allowed < networks || sum.Denied < networks || sum.Arrived < networks/2 || sum.Faults < networks || sum.Ported > sum.Allowed/4 {
		t.Errorf("the packets do not exercise the networks: %+v", sum)
	}
}

// tally counts what packets were.
type tally struct {
	Networks, Packets, Allowed, Denied, Unknown, Arrived, Faults int
	// Ported are those whose pool gave out another port, by which a balancer chose.
	Ported int
}

func (s *tally) network(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	img, err := compile.Compile(newRandomNetwork(rng).list, compile.Options{Epoch: 1})
	var problems model.Problems
	if errors.As(err, &problems) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var hosts []model.Host
	for i := range img.Ports {
		for _, l := range img.Ports[i].Labels {
			if l.Kind == string(model.LabelHost) {
				hosts = append(hosts, model.Host{Name: l.Name})
			}
		}
	}
	n, err := live.Start(img, hosts, live.Options{NoServices: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Error(left)
		}
	}()
	s.Networks++
	plugs := map[fabric.PortID]*plug{}
	for _, h := range n.Hosts() {
		p := &plug{out: make(chan []byte), in: make(chan []byte, 256), closed: make(chan struct{})}
		if _, err := n.Attach(h.Name, 0, p, nil); err != nil {
			t.Fatal(err)
		}
		plugs[h.Port()] = p
	}
	type seen struct {
		result engine.Result
		left   []byte
	}
	sights := make(chan seen, 1)
	var sent struct {
		sync.Mutex
		packet []byte
	}
	n.Tap(func(x *live.Sight) { // others send as well: answers of the platform, probes
		sent.Lock()
		defer sent.Unlock()
		if bytes.Equal(x.Frame.Packet, sent.packet) {
			sent.packet = nil
			sights <- seen{x.Result, bytes.Clone(x.Left)}
		}
	})
	prover := proof.New(img)
	for range 60 {
		at, p := fabrictest.Packet(rng, img)
		from := plugs[at]
		if from == nil || p.Dst.IsMulticast() {
			continue
		}
		if p.HasPorts() {
			p.SrcPort = uint16(20000 + s.Packets%40000) // a flow of its own
		}
		b := engine.First(p)
		fault := spoil(rng, b)
		s.Packets++
		sent.Lock()
		sent.packet = b
		sent.Unlock()
		from.out <- bytes.Clone(b)
		var got seen
		select {
		case got = <-sights:
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody saw %s from %s", p, img.Ports[at].Name)
		}
		if got.result.Fault != fault {
			t.Errorf("%s from %s: fault %s, want %s", p, img.Ports[at].Name, got.result.Fault, fault)
			return
		}
		if fault != fabric.FaultNone {
			s.Faults++
			continue
		}
		want := oneMeaning(t, img, prover, at, p)
		final, _ := engine.Tuple(got.left)
		switch {
		case got.result.Verdict == want.Forward.Verdict && got.result.Reason == want.Forward.Reason:
		case len(want.Forward.Choices) > 0 && want.Forward.Final.SrcPort != final.SrcPort:
			s.Ported++
		default:
			t.Errorf("%s from %s: the wire says %s because %s, the reference %s because %s", p, img.Ports[at].Name,
				got.result.Verdict, got.result.Reason.Code, want.Forward.Verdict, want.Forward.Reason.Code)
			return
		}
		switch got.result.Verdict {
		case fabric.VerdictAllow:
			s.Allowed++
		case fabric.VerdictDeny:
			s.Denied++
			continue
		default:
			s.Unknown++
			continue
		}
		to := plugs[got.result.Out]
		if to == nil || got.result.Reason.Code == fabric.CodePlatform {
			continue
		}
		if !to.gets(got.left) {
			t.Errorf("%s from %s does not arrive at %s", p, img.Ports[at].Name, img.Ports[got.result.Out].Name)
			return
		}
		s.Arrived++
		if final.Dst != want.Forward.Final.Dst && len(want.Forward.Choices) == 0 {
			t.Errorf("%s from %s arrives as %s, the reference says %s", p, img.Ports[at].Name, final, want.Forward.Final)
		}
	}
}

// gets waits for a packet among those that others send.
func (p *plug) gets(b []byte) bool {
	late := time.After(20 * time.Second)
	for {
		select {
		case got := <-p.in:
			if bytes.Equal(got, b) {
				return true
			}
		case <-late:
			return false
		}
	}
}

// spoil now and then makes a packet one that is none, and says which fault that
// is. Checksums do not count: they are for who receives it.
func spoil(rng *rand.Rand, b []byte) fabric.Fault {
	v6 := b[0]>>4 == 6
	switch rng.IntN(8) {
	case 0: // longer than it is
		if v6 {
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		} else {
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)+1))
		}
		return fabric.FaultMalformed
	case 1: // a later fragment
		if v6 {
			return fabric.FaultNone
		}
		binary.BigEndian.PutUint16(b[6:], uint16(1+rng.IntN(0x1fff)))
		return fabric.FaultFragment
	case 2: // a header shorter than any
		if v6 {
			return fabric.FaultNone
		}
		b[0] = 4<<4 | 4
		return fabric.FaultMalformed
	default:
		return fabric.FaultNone
	}
}
