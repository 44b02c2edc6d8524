package live

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// DeniedError says that the network did not deliver a packet, and why. A host
// in Azure would see only silence.
type DeniedError struct {
	Verdict fabric.Verdict // Deny or Unknown
	Reason  fabric.Reason  // positions in the image that was in force
	Fault   fabric.Fault   // not FaultNone: the engine lost the packet
	Reply   bool           // the reply was stopped, not the first packet
	Packet  fabric.Packet  // the flow's first packet
	Text    string         // the rule or route, its resource and its place; of a fault, what is wrong
}

// Error says what was denied and by what.
func (e *DeniedError) Error() string {
	what := "denied"
	switch {
	case e.Fault != fabric.FaultNone:
		return fmt.Sprintf("%s: %s", e.Packet, e.Text)
	case e.Verdict == fabric.VerdictUnknown:
		what = "unknown"
	}
	if e.Reply {
		what = "reply " + what
	}
	return fmt.Sprintf("%s: %s: %s", e.Packet, what, e.Text)
}

// lost says a fault for people.
func lost(f fabric.Fault) string {
	why := map[fabric.Fault]string{
		fabric.FaultMalformed: "the packet is malformed", fabric.FaultFragment: "it is a fragment",
		fabric.FaultTableFull: "the flow table is full", fabric.FaultNoPort: "its sender has no port in the network",
		fabric.FaultPortsExhausted: "no source port is left for its destination",
	}[f]
	return fmt.Sprintf("lost: %s (%s)", why, f)
}

// endpoint is one end of a flow as its opener sees it.
type endpoint struct {
	at fabric.PortID
	p  fabric.Packet
}

// watcher waits for news of one flow.
type watcher struct {
	key  endpoint
	flow engine.FlowID
	// told is closed when a packet of the flow was not delivered; err says why.
	told chan struct{}
	err  *DeniedError
	// onDenied, if set, is called when told is closed, with wire.mu held.
	onDenied func()
	// all means to tell, too, of packets that a service refuses by an answer of
	// its own.
	all bool
}

// watches are the flows somebody waits for.
type watches struct {
	byKey  map[endpoint][]*watcher
	byFlow map[engine.FlowID][]*watcher
}

// watchFlow begins to watch a flow that a port will open.
func (w *wire) watchFlow(at *link, p fabric.Packet, onDenied func()) *watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := &watcher{key: endpoint{at.port, p}, told: make(chan struct{}), onDenied: onDenied}
	if w.watch.byKey == nil {
		w.watch = watches{map[endpoint][]*watcher{}, map[engine.FlowID][]*watcher{}}
	}
	w.watch.byKey[x.key] = append(w.watch.byKey[x.key], x)
	return x
}

// tellAll makes a watch hear of refusals, too.
func (w *wire) tellAll(x *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.all = true
}

// unwatch ends a watch.
func (w *wire) unwatch(x *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.byKey[x.key] = without(w.watch.byKey[x.key], x)
	if len(w.watch.byKey[x.key]) == 0 {
		delete(w.watch.byKey, x.key)
	}
	w.watch.byFlow[x.flow] = without(w.watch.byFlow[x.flow], x)
	if len(w.watch.byFlow[x.flow]) == 0 {
		delete(w.watch.byFlow, x.flow)
	}
}

func without(list []*watcher, x *watcher) []*watcher {
	out := list[:0]
	for _, y := range list {
		if y != x {
			out = append(out, y)
		}
	}
	return out
}

// onFlow is the engine's observer; the wire holds mu.
func (w *wire) onFlow(e engine.FlowEvent) {
	if !e.Reply && e.ID != 0 {
		for _, x := range w.watch.byKey[endpoint{e.From, e.Packet}] {
			if x.flow != e.ID {
				w.watch.byFlow[x.flow] = without(w.watch.byFlow[x.flow], x)
				x.flow = e.ID
				w.watch.byFlow[e.ID] = append(w.watch.byFlow[e.ID], x)
			}
		}
	}
	if w.net.opts.OnFlow != nil {
		w.net.opts.OnFlow(e)
	}
}

// denied tells those who wait for the flow of a packet that was not delivered;
// refused means that the sender will hear it from the service itself. The wire
// holds mu.
func (w *wire) denied(f *engine.Frame, r *engine.Result, refused bool) {
	if len(w.watch.byKey) == 0 {
		return
	}
	p, fault := engine.Tuple(f.Packet)
	if fault != fabric.FaultNone {
		return
	}
	own := endpoint{f.At, p}
	tell := func(x *watcher) {
		if x.err != nil || refused && !x.all {
			return
		}
		x.err = &DeniedError{
			Verdict: r.Verdict, Reason: r.Reason, Fault: r.Fault, Reply: x.key != own, Packet: x.key.p,
			Text: describe(w.engine.Image(), r.Reason),
		}
		if r.Fault != fabric.FaultNone {
			x.err.Text = lost(r.Fault)
		}
		close(x.told)
		if x.onDenied != nil && !w.net.opts.SilentDrops {
			x.onDenied()
		}
	}
	if r.Flow != 0 {
		for _, x := range w.watch.byFlow[r.Flow] {
			tell(x)
		}
	}
	for _, x := range w.watch.byKey[own] {
		tell(x)
	}
}

// describe says a reason in words.
func describe(img *fabric.Image, r fabric.Reason) string {
	at := ""
	if r.Port != fabric.None {
		at = " at " + img.Ports[r.Port].Name
	}
	switch r.Code {
	case fabric.CodeRule:
		f := &img.Filters[r.Filter]
		rule := &f.Rules[r.Rule]
		return fmt.Sprintf("rule %s (priority %d) of the %s %s%s%s",
			rule.Origin.Name, rule.Priority, f.Stage, f.Name, at, from(rule.Origin))
	case fabric.CodeFilterDefault:
		f := &img.Filters[r.Filter]
		if f.Stage == fabric.StageFailure {
			return fmt.Sprintf("%s is down: it drops everything%s", f.Name, at)
		}
		return fmt.Sprintf("no rule of the %s %s allows it%s%s", f.Stage, f.Name, at, from(f.Origin))
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing, fabric.CodeNoPort:
		t := &img.Tables[r.Table]
		route := &t.Routes[r.Route]
		return fmt.Sprintf("%s: route %s (%s) of %s%s%s", r.Code, route.Prefix, route.Kind, t.Name, at, from(route.Origin))
	case fabric.CodeNoRoute:
		return fmt.Sprintf("no route in %s%s", img.Tables[r.Table].Name, at)
	default:
		return r.Code.String() + at
	}
}

func from(o fabric.Origin) string {
	switch {
	case o.Resource != "" && o.Place != "":
		return fmt.Sprintf(" (%s, %s)", o.Resource, o.Place)
	case o.Resource != "" || o.Place != "":
		return fmt.Sprintf(" (%s%s)", o.Resource, o.Place)
	default:
		return ""
	}
}
