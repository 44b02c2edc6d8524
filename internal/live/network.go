package live

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"sort"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model"
)

// Options configure a running network. The zero value is ready to use.
type Options struct {
	// Latency scales the propagation delays of the image's regions: 0 is none,
	// 1 the catalogue's.
	Latency float64
	// SilentDrops makes a denied dial wait for its timeout, as in Azure,
	// instead of failing with a [DeniedError].
	SilentDrops bool
	// Underlay is what is known of the links between places beyond the
	// catalogue.
	Underlay model.Underlay
	// Pace is how much faster than declared health probes of load balancers are
	// sent: 1 is as declared, 0 sends none, and members are then what the
	// compiled network says.
	Pace float64
	// Services are the platform's services over HTTP; nil means that it has none:
	// the metadata server is silent, and services only greet.
	Services Services
	// Discovery is the registry of services; nil means that the network has none.
	Discovery Discovery
	// Streams are the platform's services over other protocols; nil means none.
	Streams Streams
	// Internet are hosts outside, with addresses of their own there.
	Internet []model.PublicHost
	// Managers are Traffic Manager profiles, whose names the network's hosts
	// resolve and whose endpoints are asked at Pace from the internet.
	Managers []trafficmanager.Profile
	// NoServices leaves the declared services of hosts unstarted.
	NoServices bool
	// OnFlow observes every decision about a flow. It is called with locks
	// held: it must be quick and must not call the network.
	OnFlow func(engine.FlowEvent)
	// OnClose observes the end of every flow that OnFlow told with an ID, in the
	// same way.
	OnClose func(engine.FlowEnd)
}

// Network is a running network.
type Network struct {
	opts      Options
	wire      *wire
	platform  *platform
	answers   nameStats // of the platform's resolver
	authority *authority
	hosts     map[string]*Host // by lower-case name
	internet  *Host            // nil if the image has no edge
	public    publicHosts
	edges     edges
	others    outsiders // platform services, private endpoints, sites
	floats    map[fabric.PortID][]netip.Addr
	resolvers resolvers
	director  *director // Traffic Manager
	closeOnce sync.Once
	closed    chan struct{}
	forced    chan struct{} // closed with the next change of base and failure; guarded by wire.mu

	// Guarded by wire.mu: the network as it should be, what is out of order in
	// it, and what probes found. The engine has what follows from them.
	base     *fabric.Image
	failures []*failing
	failure  fabric.Failure
	measured fabric.Health
	pulse    *pulse // nil if the network sends no probes
}

// Start runs the image with the given hosts. Every host must have at least one
// port in the image.
func Start(img *fabric.Image, hosts []model.Host, opts Options) (*Network, error) {
	if opts.Latency < 0 {
		return nil, fmt.Errorf("latency %v is negative", opts.Latency)
	}
	if opts.Pace < 0 || math.IsNaN(opts.Pace) || opts.Pace > MaxPace {
		return nil, fmt.Errorf("pace %v: use 0 for no health probes, or a scale up to %d", opts.Pace, MaxPace)
	}
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	n := &Network{opts: opts, authority: authority, hosts: map[string]*Host{}, closed: make(chan struct{}), forced: make(chan struct{})}
	n.wire = newWire(n, opts.Latency)
	n.platform = newPlatform(n)
	n.resolvers.setPace(cmp.Or(opts.Pace, 1))
	n.wire.engine = engine.New(img, engine.Options{OnFlow: n.wire.onFlow, OnClose: opts.OnClose, Route: n.wire.under.route})
	n.wire.links = make([]*link, len(img.Ports))
	n.floats = floated(img)
	ports := portsByHost(img)
	for i := range hosts {
		key := strings.ToLower(hosts[i].Name)
		if n.hosts[key] != nil {
			return nil, fmt.Errorf("%shost %s is declared twice", at(hosts[i].Pos), hosts[i].Name)
		}
		if len(ports[key]) == 0 {
			return nil, fmt.Errorf("%shost %s has no port in the compiled network; give it a network interface", at(hosts[i].Pos), hosts[i].Name)
		}
		h := &Host{net: n, Name: hosts[i].Name, declared: hosts[i]}
		h.join(img, ports[key])
		n.hosts[key] = h
	}
	if img.Edge != fabric.None {
		n.internet = &Host{net: n, Name: "internet", edge: true}
		n.internet.join(img, []fabric.PortID{img.Edge})
	}
	if err := n.joinInternet(img, opts.Internet); err != nil {
		return nil, err
	}
	n.others.join(n, img)
	n.base = img
	n.labelled(func() { go n.wire.run() })
	n.probe(img)
	n.director = newDirector(n, opts.Managers, opts.Pace)
	n.labelled(func() { go n.director.run() })
	return n, nil
}

func at(p model.Pos) string {
	if p.IsZero() {
		return ""
	}
	return p.String() + ": "
}

// portsByHost returns the ports that carry each host's label.
func portsByHost(img *fabric.Image) map[string][]fabric.PortID {
	m := map[string][]fabric.PortID{}
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortHost {
			continue
		}
		for _, l := range p.Labels {
			if l.Kind == string(model.LabelHost) {
				m[l.Name] = append(m[l.Name], fabric.PortID(i))
			}
		}
	}
	return m
}

// Host returns a declared host by its name, in any case, or "internet", or a
// declared host of the internet by its DNS name, or what stands for a site, a platform service or a private endpoint of that name, the
// first of these.
func (n *Network) Host(name string) (*Host, error) {
	if h := n.hosts[strings.ToLower(name)]; h != nil {
		return h, nil
	}
	if n.internet != nil && strings.EqualFold(name, "internet") {
		return n.internet, nil
	}
	if h := n.public.byName[strings.ToLower(name)]; h != nil {
		return h, nil
	}
	if h := n.others.named(name); h != nil {
		return h, nil
	}
	return nil, fmt.Errorf("no host %q; the network has %s", name, strings.Join(n.names(), ", "))
}

// Hosts returns the declared hosts by name.
func (n *Network) Hosts() []*Host {
	out := make([]*Host, 0, len(n.hosts))
	for _, name := range n.names() {
		out = append(out, n.hosts[strings.ToLower(name)])
	}
	return out
}

func (n *Network) names() []string {
	out := make([]string, 0, len(n.hosts))
	for _, h := range n.hosts {
		out = append(out, h.Name)
	}
	sort.Strings(out)
	return out
}

// Internet returns the host outside: every public address that is not the
// network's own. It is nil if nothing of the network touches the internet.
func (n *Network) Internet() *Host { return n.internet }

// Image returns the image in force.
func (n *Network) Image() *fabric.Image {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.wire.engine.Image()
}

// Stats returns the engine's counters.
func (n *Network) Stats() engine.Stats {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.wire.engine.Stats()
}

// Swap puts another image in force. Hosts keep their connections as far as the
// new image lets them; a host without a port in it is cut off until one
// returns. Sites, platform services and private endpoints appear with the image
// that first has them; hosts that the network did not start with do not.
func (n *Network) Swap(img *fabric.Image) {
	ports := portsByHost(img)
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	n.base = img
	n.wire.links = make([]*link, len(img.Ports))
	n.floats = floated(img)
	for key, h := range n.hosts {
		h.rejoin(img, ports[key])
	}
	if n.internet != nil {
		var edge []fabric.PortID
		if img.Edge != fabric.None {
			edge = append(edge, img.Edge)
		}
		n.internet.rejoin(img, edge)
	}
	n.public.rejoin(img.Edge)
	n.edges.rejoin(img.Edge)
	n.others.join(n, img)
	n.fail()
	n.probe(img)
	n.enforce()
}

// Close stops every host and the wire and waits until all their goroutines
// have ended. Open connections fail.
func (n *Network) Close() {
	n.closeOnce.Do(func() {
		close(n.closed)
		n.wire.mu.Lock()
		pulse := n.pulse
		n.wire.mu.Unlock()
		if pulse != nil {
			pulse.close()
		}
		if n.director != nil {
			n.director.close()
		}
		// First the wire, so that no packet meets a stack that is going down.
		for _, h := range n.hosts {
			h.detach()
		}
		n.wire.close()
		n.platform.presences.close()
		for _, h := range n.hosts {
			h.close()
		}
		if n.internet != nil {
			n.internet.close()
		}
		for _, h := range n.public.list {
			h.close()
		}
		n.edges.close()
		for _, o := range n.others.all() {
			o.host.close()
		}
	})
}

// addrsOf returns the addresses a host's port owns; ports of hosts own single
// addresses, not ranges.
func addrsOf(img *fabric.Image, at fabric.PortID) []netip.Addr {
	var out []netip.Addr
	for _, r := range img.Sets[img.Ports[at].Addrs] {
		for v := r.Lo; len(out) < maxAddrs; v = v.Next() {
			out = append(out, v.Addr())
			if v == r.Hi {
				break
			}
		}
	}
	return out
}

// maxAddrs bounds the addresses of one interface (Azure allows 256).
const maxAddrs = 256
