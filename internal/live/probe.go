package live

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// probeTimeout bounds one exchange; probeWidth is how many run at a time.
const (
	probeTimeout = 10 * time.Second
	probeWidth   = 128
)

// ProbeResult is what real packets say about an expectation.
type ProbeResult struct {
	Expectation model.Expectation
	Probes      []Probe
	// Holds is false if a probe contradicts the expectation. It is true without
	// any probe: no declared host is where the expectation speaks of.
	Holds bool
	// Elapsed is the time from the start of all probes to the last of these.
	Elapsed time.Duration
}

// Probe is one real exchange between two hosts, or one DNS query.
type Probe struct {
	From, To string // host names; To is the DNS name of a query, the URL of a request
	Request  bool   // a request over HTTP
	Packet   fabric.Packet
	// Verdict and Reason are what the packets met: of the reply if the first
	// packet was delivered and the reply was not.
	Verdict fabric.Verdict
	Reason  fabric.Reason
	// Delivered means the first packet arrived, whatever became of the reply.
	Delivered    bool
	Forward      []fabric.PortID // the ports the first packet passed
	Reply        []fabric.PortID // the ports the reply passed
	Answer       []netip.Addr    // of a query
	Said         string          // what the exchange showed, for people
	Holds        bool            // the expectation's claim held for this exchange
	Disagreement error           // the packets did something else than the reference says
}

// Disagreements returns the probes whose packets did something else than the
// reference evaluator says: a fault of Cerulean, never of the network.
func (r *ProbeResult) Disagreements() []Probe {
	var out []Probe
	for _, p := range r.Probes {
		if p.Disagreement != nil {
			out = append(out, p)
		}
	}
	return out
}

// Probe tries expectations with real connections between declared hosts, all at
// the same time: TCP with a greeting, HTTPS where it is served, datagrams,
// pings, DNS queries. Each exchange is compared with what the reference
// evaluator says of exactly its packets. Only positive traffic the hosts can
// speak is tried: TCP, UDP, ICMP.
func (n *Network) Probe(ctx context.Context, exps []model.Expectation) []ProbeResult {
	img := n.Image()
	start := time.Now()
	out := make([]ProbeResult, len(exps))
	width := make(chan struct{}, probeWidth)
	var greeted sync.Map // destinations whose HTTPS was already tried
	var all sync.WaitGroup
	for i := range exps {
		r := &out[i]
		r.Expectation = exps[i]
		jobs := n.jobs(img, &r.Expectation, &greeted)
		r.Probes = make([]Probe, len(jobs))
		var last atomic.Int64
		var mine sync.WaitGroup
		for j, job := range jobs {
			mine.Add(1)
			all.Go(func() {
				defer mine.Done()
				width <- struct{}{}
				defer func() { <-width }()
				ctx, cancel := WithPatience(ctx, probeTimeout)
				defer cancel()
				r.Probes[j] = job(ctx)
				last.Store(max(last.Load(), int64(time.Since(start))))
			})
		}
		all.Go(func() {
			mine.Wait()
			r.Elapsed = time.Duration(last.Load())
			if r.Holds = !slices.ContainsFunc(r.Probes, func(p Probe) bool { return !p.Holds }); r.Expectation.Quantity == model.Some && len(r.Probes) > 0 {
				r.Holds = slices.ContainsFunc(r.Probes, func(p Probe) bool { return p.Holds })
			}
		})
	}
	all.Wait()
	return out
}

// jobs returns the exchanges to make for an expectation.
func (n *Network) jobs(img *fabric.Image, e *model.Expectation, greeted *sync.Map) []func(context.Context) Probe {
	var jobs []func(context.Context) Probe
	if e.Verb == model.NoMore {
		return nil // it speaks of another version of the network
	}
	if e.Verb == model.Resolves {
		asked := map[*Host]bool{}
		for _, s := range n.selected(img, &e.From) {
			if asked[s.host] || s.host.edge || s.host.wide {
				continue
			}
			asked[s.host] = true
			for _, name := range e.Names {
				jobs = append(jobs, func(ctx context.Context) Probe { return n.ask(ctx, img, s, e, name) })
			}
		}
		return jobs
	}
	order, byAttempt := n.attemptsOf(img, e, n.pairs(img, e))
	for _, a := range order {
		for _, p := range spread(img, byAttempt[a], maxProbes) {
			jobs = append(jobs, func(ctx context.Context) Probe {
				x := n.exchange(ctx, img, p, a, greeted)
				x.Holds = holds(img, e, &x)
				return x
			})
		}
	}
	return jobs
}

// ask resolves a name by a real query and compares with the image.
func (n *Network) ask(ctx context.Context, img *fabric.Image, s selection, e *model.Expectation, name string) Probe {
	p := Probe{From: s.host.Name, To: name, Verdict: fabric.VerdictDeny, Reason: fabric.At(fabric.CodeNone, s.port)}
	addrs, err := s.host.LookupHost(ctx, name)
	want := img.Resolve(s.port, name)
	p.Answer = addrs
	if err == nil {
		p.Verdict, p.Delivered, p.Said = fabric.VerdictAllow, true, fmt.Sprint(addrs)
	} else {
		p.Said = err.Error()
	}
	p.Holds = err == nil && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !e.MayAnswer(a) })
	same := slices.Equal(sorted(addrs), sorted(want.Addrs))
	// What servers of the network's own answer, the image does not know.
	elsewhere := want.Verdict == fabric.VerdictUnknown && (img.Spaces[img.Ports[s.port].Space].View.Elsewhere || len(img.Ports[s.port].Servers) > 0)
	if !same && !elsewhere {
		p.Disagreement = fmt.Errorf("%s asked for %s and got %v (%v); the image says %s %v", p.From, name, addrs, err, want.Verdict, want.Addrs)
	}
	return p
}

func sorted(addrs []netip.Addr) []netip.Addr {
	out := slices.Clone(addrs)
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// holds reports whether one exchange bears out an expectation's claim.
func holds(img *fabric.Image, e *model.Expectation, p *Probe) bool {
	switch e.Verb {
	case model.Deny:
		if p.Delivered && len(e.NotThrough) > 0 {
			// Only what passes one of these is denied.
			return !slices.ContainsFunc(e.NotThrough, func(w model.Waypoint) bool { return meets(img, w, p) })
		}
		return !p.Delivered && p.Verdict == fabric.VerdictDeny
	case model.Allow:
		if p.Verdict != fabric.VerdictAllow {
			return false
		}
		for _, w := range e.Through {
			if !passes(img, w, p) {
				return false
			}
		}
		return !slices.ContainsFunc(e.NotThrough, func(w model.Waypoint) bool { return meets(img, w, p) })
	case model.Symmetric:
		// What is not delivered has no way back to speak of.
		return !p.Delivered || p.Verdict == fabric.VerdictAllow && mirrored(img, p.Forward, p.Reply)
	default:
		return false
	}
}

// passes reports whether both directions passed a waypoint. The members of a
// load balancer answer without it.
func passes(img *fabric.Image, w model.Waypoint, p *Probe) bool {
	is := waypoint(img, w, p)
	return slices.ContainsFunc(inside(p.Forward), is) &&
		(w.Kind == model.NamedBalancer || slices.ContainsFunc(inside(p.Reply), is))
}

// meets reports whether either direction passed a waypoint.
func meets(img *fabric.Image, w model.Waypoint, p *Probe) bool {
	is := waypoint(img, w, p)
	return slices.ContainsFunc(inside(p.Forward), is) || slices.ContainsFunc(inside(p.Reply), is)
}

// waypoint returns what tells the ports of a waypoint.
func waypoint(img *fabric.Image, w model.Waypoint, p *Probe) func(fabric.PortID) bool {
	kind := map[model.WaypointKind]model.LabelKind{
		model.NamedFirewall: model.LabelFirewall, model.NamedHost: model.LabelHost,
		model.NamedGateway: model.LabelGateway, model.NamedBalancer: model.LabelBalancer,
	}[w.Kind]
	return func(at fabric.PortID) bool {
		port := &img.Ports[at]
		if kind != "" {
			return port.Has(fabric.Label{Kind: string(kind), Name: w.Name})
		}
		if !slices.ContainsFunc(port.Labels, func(l fabric.Label) bool { return l.Kind == string(model.LabelFirewall) }) {
			return false
		}
		if w.Kind == model.SourceFirewall {
			return port.Region == img.Ports[p.Forward[0]].Region
		}
		return port.Region == img.Ports[p.Forward[len(p.Forward)-1]].Region
	}
}

// inside returns the ports between the first and the last of a path.
func inside(path []fabric.PortID) []fabric.PortID {
	if len(path) < 3 {
		return nil
	}
	return path[1 : len(path)-1]
}

// mirrored reports whether the stateful forwarders of one path are those of the
// other in reverse.
func mirrored(img *fabric.Image, forward, back []fabric.PortID) bool {
	b := stateful(img, back)
	slices.Reverse(b)
	return slices.Equal(stateful(img, forward), b)
}

// stateful returns the stateful forwarders of a path.
func stateful(img *fabric.Image, path []fabric.PortID) []fabric.PortID {
	var out []fabric.PortID
	for _, at := range path {
		if f := img.Ports[at].Forward; f != nil && f.Stateful {
			out = append(out, at)
		}
	}
	return out
}

// judge compares what the packets of a flow did with the reference evaluator's
// connection of the same first packet.
func judge(img *fabric.Image, from fabric.PortID, p *Probe, f *engine.Flow) error {
	want := ref.ConnectBy(img, from, p.Packet, chosen(img, p.Packet, f))
	v, r := want.Verdict()
	if v != p.Verdict || r != p.Reason {
		return fmt.Errorf("%s from %s: the packets met %s (%s), the reference says %s (%s)",
			p.Packet, p.From, p.Verdict, describe(img, p.Reason), v, describe(img, r))
	}
	if f == nil {
		return nil
	}
	if !slices.Equal(f.Forward.Path, want.Forward.Path) {
		return fmt.Errorf("%s from %s: the packet passed %v, the reference says %v", p.Packet, p.From, names(img, f.Forward.Path), names(img, want.Forward.Path))
	}
	if f.Reply.Decided && !slices.Equal(f.Reply.Path, want.Reply.Path) {
		return fmt.Errorf("%s from %s: the reply passed %v, the reference says %v", p.Packet, p.From, names(img, f.Reply.Path), names(img, want.Reply.Path))
	}
	return nil
}

// chosen chooses as the image does, but where the packet had another source by
// then: a source port of a pool is any that is free, and a balancer's choice may
// depend on it. There the flow's own choice counts, if it may be one: of a target
// that is up.
func chosen(img *fabric.Image, first fabric.Packet, f *engine.Flow) fabric.Choose {
	pick := fabric.NewChooser(img).Pick
	if f == nil {
		return pick
	}
	return func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		if p.Src == first.Src && p.SrcPort == first.SrcPort {
			return pick(from, at, redirect, p)
		}
		targets := img.Ports[at].Inward.Redirects[redirect].Targets
		for _, c := range f.Choices {
			if c.Port == at && c.Redirect == redirect && int(c.Target) < len(targets) && targets[c.Target].Down == "" {
				return c.Target
			}
		}
		return pick(from, at, redirect, p)
	}
}

func names(img *fabric.Image, path []fabric.PortID) []string {
	out := make([]string, len(path))
	for i, at := range path {
		out[i] = img.Ports[at].Name
	}
	return out
}
