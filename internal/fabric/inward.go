package fabric

import (
	"fmt"
	"net/netip"
	"time"
)

// Inward is what a port does with packets that arrive for addresses behind
// which others stand: a load balancer's frontends, a firewall's public
// addresses, several appliances with one route.
type Inward struct {
	// Addrs are the destinations that nobody but the redirects takes; a packet
	// for another goes on as if there were no redirects. Balancers have AnySet:
	// they take whatever is routed to them.
	Addrs     SetID
	Redirects []Redirect // the first that matches decides
}

// Redirect hands the packets of a flow to one of several targets. Which one
// takes a new flow is a choice that nobody but the balancer knows: proofs hold
// for every healthy target.
type Redirect struct {
	Name    string
	Origin  Origin
	Match   [NumFields]SetID
	Targets []Target
	Hash    Hash
	// Floating means targets take the packet although it keeps its destination
	// (direct server return).
	Floating bool
	// Apart means that each direction of a flow chooses for itself, as routers
	// with equal-cost paths do. A balancer remembers its flows instead: a reply
	// that passes the same redirect meets the same target.
	Apart bool
	// Source, if valid, replaces the packet's source.
	Source netip.Addr
	// Symmetric means that a packet and one the other way choose the same
	// target, as for what a high-availability ports rule takes by routes ("High
	// availability ports overview", flow symmetry).
	Symmetric bool
	// Nearest means that a target of the region nearest to the sender is chosen
	// ("Cross-region load balancer", geo-proximity).
	Nearest bool
	// EndsAllDown means that established TCP flows end when no target is up, as
	// with a Basic load balancer ("Azure Load Balancer health probes").
	EndsAllDown bool
	// Drain is how long a TCP flow goes on after its target was taken out or
	// down by hand, before both ends are reset (drainPeriodInSeconds). Zero: a
	// flow ends at once with a target that is taken out, and stays with one that
	// is down.
	Drain  time.Duration
	Timers Timers
	Reset  Reset
}

// redirects reports whether a packet is in all five sets of a redirect.
func (img *Image) redirects(r *Redirect, p Packet) bool {
	for f := range NumFields {
		id := r.Match[f]
		if id != AnySet && !img.Sets[id].Contains(p.Field(f)) {
			return false
		}
	}
	return true
}

// RedirectOf returns the index of the first redirect of a port that matches a
// packet.
func (img *Image) RedirectOf(at PortID, p Packet) (int32, bool) {
	for i := range img.Ports[at].Inward.Redirects {
		if img.redirects(&img.Ports[at].Inward.Redirects[i], p) {
			return int32(i), true
		}
	}
	return None, false
}

// Target is where a redirect leads.
type Target struct {
	// Port takes the packet straight away, past all routes. None means the
	// packet, with its new destination, goes on by the routes of the port that
	// redirects.
	Port PortID
	// Addr is the packet's new destination, of the family that the redirect
	// matches; an invalid address keeps it.
	Addr netip.Addr
	// DstPort is its new destination port; 0 keeps it, and so do packets of
	// protocols without ports.
	DstPort uint16
	// Down says why the target takes no new flows; empty if it does. Of a probed
	// target it follows from Fails: see [Redirect.Settle].
	Down string
	// Probe asks the target at its own address Own whether it is well; nil if
	// nobody asks, as nobody asks a target that somebody took out.
	Probe *Probe
	Own   netip.Addr
	// Fails says why the probe fails; empty if it succeeds. A compiled image
	// knows of filters that drop the probe; [Image.WithHealth] puts in what was
	// measured.
	Fails string
	// Closed means that packets which the redirect hands over are dropped
	// because no filter at the target lets them in: a Standard balancer's public
	// frontend without a security group behind it.
	Closed bool
}

// Healthy reports whether any target takes new flows.
func (r *Redirect) Healthy() bool {
	for i := range r.Targets {
		if r.Targets[i].Down == "" {
			return true
		}
	}
	return false
}

// Apply returns a packet as a redirect hands it to a target.
func (r *Redirect) Apply(t *Target, p Packet) Packet {
	if t.Addr.IsValid() {
		p.Dst = t.Addr
	}
	if t.DstPort != 0 && p.HasPorts() {
		p.DstPort = t.DstPort
	}
	if r.Source.IsValid() {
		p.Src = r.Source
	}
	return p
}

// Admit lets packets that come from a segment by its service endpoint past the
// filters of a platform service.
type Admit struct {
	Segment SegmentID
	Origin  Origin
}

// AdmitOf returns the index of a port's admission of a segment.
func (p *Port) AdmitOf(s SegmentID) (int32, bool) {
	for i := range p.Admits {
		if p.Admits[i].Segment == s {
			return int32(i), true
		}
	}
	return None, false
}

// checkInward reports the first broken invariant of a port's redirects.
func (img *Image) checkInward(p *Port) error {
	if p.Inward == nil {
		if p.Kind == PortBalancer {
			return fmt.Errorf("port %s: a balancer without redirects", p.Name)
		}
		return nil
	}
	set := func(id SetID) bool { return id >= 0 && int(id) < len(img.Sets) }
	if !set(p.Inward.Addrs) {
		return fmt.Errorf("port %s: address set %d is out of range", p.Name, p.Inward.Addrs)
	}
	if p.Kind == PortBalancer && p.Inward.Addrs != AnySet {
		return fmt.Errorf("port %s: a balancer that does not take every packet", p.Name)
	}
	for i := range p.Inward.Redirects {
		r := &p.Inward.Redirects[i]
		for _, id := range r.Match {
			if !set(id) {
				return fmt.Errorf("port %s: redirect %d: set %d is out of range", p.Name, i, id)
			}
		}
		for j := range r.Targets {
			t := &r.Targets[j]
			switch {
			case t.Probe != nil && (t.Port == None || t.Probe.Interval <= 0 || t.Probe.Threshold < 1):
				return fmt.Errorf("port %s: redirect %d: target %d: probe %q of nobody, or without interval or threshold", p.Name, i, j, t.Probe.Name)
			case t.Port == None && p.Forward == nil:
				return fmt.Errorf("port %s: redirect %d: target %d is routed by a port that does not forward", p.Name, i, j)
			case t.Port == None && t.Closed:
				return fmt.Errorf("port %s: redirect %d: target %d is closed at no port", p.Name, i, j)
			case t.Port != None && (t.Port < 0 || int(t.Port) >= len(img.Ports) || img.Ports[t.Port].Kind == PortEdge):
				return fmt.Errorf("port %s: redirect %d: target %d: port %d is out of range", p.Name, i, j, t.Port)
			case t.Port != None && img.Ports[t.Port].Kind == PortBalancer && (t.Addr.IsValid() || t.DstPort != 0 || r.Floating || r.Source.IsValid()):
				// Replies are translated back where they begin, not on the way.
				return fmt.Errorf("port %s: redirect %d: target %d: a balancer behind a translation", p.Name, i, j)
			}
		}
	}
	return nil
}
