package live

import (
	"crypto/tls"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// MaxPace is how much faster than declared health probes can be sent.
const MaxPace = 1000

// failing is something that is out of order, in terms of whichever image is in
// force.
type failing struct {
	of func(*fabric.Image) fabric.Failure
}

// Fail takes something down until restore is called: of says what, in terms of
// an image, and is asked again for every image that comes into force. From one
// packet to the next, dead ports send, take and forward nothing, and links that
// are cut carry nothing. Nobody tells the load balancers: their probes find
// out. restore may be called twice.
func (n *Network) Fail(of func(*fabric.Image) fabric.Failure) (restore func()) {
	f := &failing{of}
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	n.failures = append(slices.Clone(n.failures), f)
	n.fail()
	n.enforce()
	return func() {
		n.wire.mu.Lock()
		defer n.wire.mu.Unlock()
		i := slices.Index(n.failures, f)
		if i < 0 {
			return
		}
		n.failures = slices.Delete(slices.Clone(n.failures), i, i+1)
		n.fail()
		n.enforce()
	}
}

// Declared returns the image as it was put in force, without failures and
// without what health probes found; [Network.Image] is with both.
func (n *Network) Declared() *fabric.Image {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.base
}

// Failed returns what is out of order now, all of it.
func (n *Network) Failed() fabric.Failure {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.failure
}

// Forced returns what is out of order now, in terms of the image that was put in
// force, that image, and a channel that is closed when either changes.
func (n *Network) Forced() (fabric.Failure, *fabric.Image, <-chan struct{}) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.failure, n.base, n.forced
}

// TLS returns what a client needs to trust the certificates of the network's
// services. The caller may change it.
func (n *Network) TLS() *tls.Config { return n.authority.clientConfig() }

// fail computes what is out of order. The caller holds wire.mu.
func (n *Network) fail() {
	n.failure = fabric.Failure{}
	for i, x := range n.failures {
		f := x.of(n.base)
		if i > 0 {
			n.failure.Name += ", "
		}
		n.failure.Name += f.Name
		for _, p := range f.Ports {
			if !slices.Contains(n.failure.Ports, p) {
				n.failure.Ports = append(n.failure.Ports, p)
			}
		}
		n.failure.Probes = append(n.failure.Probes, f.Probes...)
		n.failure.Places = append(n.failure.Places, f.Places...)
		n.failure.Cuts = append(n.failure.Cuts, f.Cuts...)
	}
	close(n.forced)
	n.forced = make(chan struct{})
	n.wire.under.cut(n.failure.Cuts)
	if n.pulse != nil {
		n.pulse.silence(n.failure)
	}
}

// probe begins to probe the members that an image has, or goes on with those.
// The caller holds wire.mu or is alone.
func (n *Network) probe(img *fabric.Image) {
	select {
	case <-n.closed:
		return
	default:
	}
	if n.opts.Pace == 0 || n.pulse == nil && !probed(img) {
		return
	}
	begin := n.pulse == nil
	if begin {
		n.pulse = newPulse(n, n.opts.Pace)
		n.pulse.silence(n.failure)
	}
	n.measured = n.pulse.join(img, time.Now())
	if begin {
		n.labelled(func() { go n.pulse.run() })
	}
}

// probed reports whether an image has a target that is probed.
func probed(img *fabric.Image) bool {
	for i := range img.Ports {
		if in := img.Ports[i].Inward; in != nil {
			for j := range in.Redirects {
				if slices.ContainsFunc(in.Redirects[j].Targets, func(t fabric.Target) bool { return t.Probe != nil }) {
					return true
				}
			}
		}
	}
	return false
}

// remeasure puts what health probes found into force.
func (n *Network) remeasure() {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	n.pulse.mu.Lock()
	n.measured = n.pulse.health()
	n.pulse.mu.Unlock()
	if img := n.consequence(); img != n.wire.engine.Image() {
		n.wire.engine.Swap(img)
	}
}

// enforce gives the engine the image that follows from what should be, what
// failed and what was measured. The caller holds wire.mu.
func (n *Network) enforce() { n.wire.engine.Swap(n.consequence()) }

// consequence is that image: the base itself where nothing differs from it.
func (n *Network) consequence() *fabric.Image {
	return n.base.WithFailure(&n.failure).WithHealth(n.measured)
}

// answered hands an answer to a health probe to who asked; it reports whether
// the packet was one.
func (n *Network) answered(from *link, f *engine.Frame) bool {
	n.wire.mu.Lock()
	p := n.pulse
	n.wire.mu.Unlock()
	return p != nil && p.prober.take(from, f)
}

// silence keeps members from answering: those that a failure names.
func (p *pulse) silence(f fabric.Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = map[fabric.Asked]string{}
	for _, a := range f.Probes {
		p.mute[a] = f.Name
	}
}
