package proof

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// Blocker is one setting that stops a flow.
type Blocker struct {
	Port     string `json:"port"`               // where
	What     string `json:"what"`               // one sentence
	Reply    bool   `json:"reply,omitempty"`    // it stops the reply
	Unknown  bool   `json:"unknown,omitempty"`  // it may stop the flow: what it does is not modelled
	Resource string `json:"resource,omitempty"` // resource ID of the rule or route
	Place    string `json:"place,omitempty"`    // where that was declared
	Fix      string `json:"fix,omitempty"`      // the smallest change, as text
}

// Explanation is what happens to one representative flow, and what would have
// to change for it to work.
type Explanation struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Problem string `json:"problem,omitempty"` // why there is no flow to explain
	Packet  string `json:"packet,omitempty"`
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"`
	// Forward and Reply are what happens, up to where it ends.
	Forward []Hop `json:"forward,omitempty"`
	Reply   []Hop `json:"reply,omitempty"`
	// Blockers are all settings that stop the flow on its path, in the order it
	// meets them. Complete says that the flow works once they are changed: that
	// was tried on a copy of the image.
	Blockers []Blocker `json:"blockers,omitempty"`
	Complete bool      `json:"complete"`
	// FixedForward and FixedReply are the way the flow then takes.
	FixedForward []Hop `json:"fixedForward,omitempty"`
	FixedReply   []Hop `json:"fixedReply,omitempty"`

	// Conn is the flow as it is.
	Conn fabric.Connection `json:"-"`
}

// Works reports whether the flow gets there and its reply back.
func (x *Explanation) Works() bool { return x.Verdict == fabric.VerdictAllow.String() }

// maxBlockers ends the search for blockers where every fix uncovers another.
const maxBlockers = 16

// Explain follows one flow between two selections: between hosts if they have
// any, at a port that works if the traffic leaves a choice and one does.
func (p *Prover) Explain(from, to model.Selector, traffic []model.Traffic) Explanation {
	x := Explanation{From: from.Text, To: to.Text, Verdict: fabric.VerdictUnknown.String()}
	at, pkt, problem := p.represent(&from, &to, traffic)
	if problem != "" {
		x.Problem = problem
		return x
	}
	p.ExplainPacket(&x, at, pkt)
	return x
}

// ExplainPacket fills an explanation for one packet that enters at a port.
func (p *Prover) ExplainPacket(x *Explanation, at fabric.PortID, pkt fabric.Packet) {
	c := ref.Connect(p.img, at, pkt)
	verdict, reason := c.Verdict()
	x.Conn, x.Packet, x.Verdict, x.Why = c, pkt.String(), verdict.String(), p.because(&c, reason)
	rows := hopWriter{p}
	x.Forward = rows.rows(&c.Forward)
	if c.Forward.Verdict == fabric.VerdictAllow {
		x.Reply = rows.rows(&c.Reply)
	}
	if verdict == fabric.VerdictAllow {
		x.Complete = true
		return
	}
	what := &whatIf{Prover: &Prover{img: p.img, layer: p.layer, layers: p.layers}}
	for range maxBlockers {
		b, ok := what.unblock(&c)
		x.Blockers = append(x.Blockers, b)
		if !ok {
			return
		}
		c = ref.Connect(what.img, at, pkt)
		if verdict, _ := c.Verdict(); verdict == fabric.VerdictAllow {
			x.Complete = true
			rows = hopWriter{what.Prover}
			x.FixedForward, x.FixedReply = rows.rows(&c.Forward), rows.rows(&c.Reply)
			return
		}
	}
}

// represent chooses the flow to explain.
func (p *Prover) represent(from, to *model.Selector, traffic []model.Traffic) (fabric.PortID, fabric.Packet, string) {
	a := newArena(p.img)
	w := p.newWalk(a, DefaultBudget)
	w.replies = true
	q := w.ask(from, to, model.AnyPair, traffic, true)
	if q.nobody != "" {
		// What never works may still be asked: by the private address.
		q = w.ask(from, to, model.AnyPair, traffic, false)
	}
	if q.nobody != "" {
		return fabric.None, fabric.Packet{}, q.nobody
	}
	// The boxes to begin with hold every flow in question: the most telling one
	// is shown, unless a choice of ports was left and another one works.
	best, bestScore := -1, -1
	for i := range q.begin {
		if score, ok := w.score(&q.begin[i]); ok && score > bestScore {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return fabric.None, fabric.Packet{}, fmt.Sprintf("%q and %q are one host", from.Text, to.Text)
	}
	at, pkt, _ := w.pick(&q.begin[best])
	if choice(traffic) {
		one := q.begin[best]
		one.cube[fabric.Src], one.cube[fabric.Dst] = a.one(fabric.AddrValue(pkt.Src)), a.one(fabric.AddrValue(pkt.Dst))
		w.leaf = func(l leaf) {
			if l.verdict == fabric.VerdictAllow && l.reply {
				if from, better, ok := w.pick(&l.state); ok {
					at, pkt, w.stopped = from, better, true
				}
			}
		}
		w.run([]state{one})
	}
	return at, pkt, ""
}

// choice reports whether traffic is more than one protocol and port.
func choice(traffic []model.Traffic) bool {
	if len(traffic) != 1 {
		return true
	}
	t := traffic[0]
	if !(fabric.Packet{Proto: t.Protocol}).HasPorts() {
		return false
	}
	return len(t.Ports) != 1 || t.Ports[0].Lo != t.Ports[0].Hi
}

// whatIf is a copy of an image, changed so that a flow passes.
type whatIf struct{ *Prover }

// unblock says what stops a connection and changes the copy so that it no
// longer does; false if there is no change to make.
func (x *whatIf) unblock(c *fabric.Connection) (Blocker, bool) {
	t := &c.Forward
	verdict, r := c.Verdict()
	reply := c.Forward.Verdict == fabric.VerdictAllow
	if reply {
		t = &c.Reply
	}
	b := Blocker{Port: x.name(r.Port), What: x.because(c, r), Reply: reply, Unknown: verdict == fabric.VerdictUnknown}
	origin := x.origin(&leaf{stop: siteOf(r.Port), filter: r.Filter, rule: r.Rule, table: r.Table, route: r.Route})
	b.Resource, b.Place = origin.Resource, origin.Place
	ok := false
	switch r.Code {
	case fabric.CodeRule, fabric.CodeFilterDefault:
		ok = x.allow(t, r, &b)
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing:
		x.removeRoute(r.Port, r.Route, &b)
		ok = true
	case fabric.CodeNotForwarding:
		for i := len(t.Steps) - 1; i >= 0 && !ok; i-- {
			if s := &t.Steps[i]; s.Kind == fabric.StepRoute {
				x.removeRoute(s.Port, s.Route, &b)
				ok = true
			}
		}
	case fabric.CodeNoRoute, fabric.CodeNoPort, fabric.CodePrivateAtEdge:
		if ok = x.reroute(t, r, &b); !ok && x.img.Ports[r.Port].Kind == fabric.PortEdge {
			b.Fix = fmt.Sprintf("send to a public address that leads to %s, or give the one who has it a public IP", t.Final.Dst)
		}
	case fabric.CodeNoOutbound:
		x.ports()[r.Port].Outbound = &fabric.Outbound{What: "a new way out", Pool: []netip.Addr{standIn(t.Final.Src)}}
		b.Fix, ok = fmt.Sprintf("give %s a NAT gateway or a public IP", b.Port), true
	case fabric.CodeNoTranslation, fabric.CodePublicUnknown:
		b.Fix = "send to the private address, or to a public IP of the destination's interface"
	case fabric.CodeNoSession:
		ok = x.sameWay(c, &b)
	}
	return b, ok
}

// standIn returns a documentation address (RFC 5737, RFC 3849) of a family.
func standIn(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	return netip.MustParseAddr("2001:db8::1")
}

// ports gives the copy ports of its own.
func (x *whatIf) ports() []fabric.Port {
	img := *x.img
	img.Ports = append([]fabric.Port(nil), img.Ports...)
	x.img = &img
	return img.Ports
}

// set adds the set of one value to the copy.
func (x *whatIf) set(v fabric.Value) fabric.SetID {
	img := *x.img
	img.Sets = append(img.Sets[:len(img.Sets):len(img.Sets)], fabric.Set{{Lo: v, Hi: v}})
	x.img = &img
	return fabric.SetID(len(img.Sets) - 1)
}

// allow puts a rule for the packet before all others of the filter that stopped
// it, at that port.
func (x *whatIf) allow(t *fabric.Trace, r fabric.Reason, b *Blocker) bool {
	last := t.Steps[len(t.Steps)-1].Packet
	dir := fabric.In
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Kind == fabric.StepFilter && s.Port == r.Port && s.Filter == r.Filter {
			dir = s.Direction
		}
	}
	rule := fabric.Rule{Action: fabric.Pass, Origin: fabric.Origin{Name: "with the change"}}
	for f := range fabric.NumFields {
		if f != fabric.SrcPort {
			rule.Match[f] = x.set(last.Field(f))
		}
	}
	img := *x.img
	old := &img.Filters[r.Filter]
	changed := *old
	changed.Rules = append([]fabric.Rule{rule}, old.Rules...)
	img.Filters = append(img.Filters[:len(img.Filters):len(img.Filters)], changed)
	x.img = &img
	port := &x.ports()[r.Port]
	replace := func(list []fabric.FilterID) []fabric.FilterID {
		out := append([]fabric.FilterID(nil), list...)
		for i := range out {
			if out[i] == r.Filter {
				out[i] = fabric.FilterID(len(img.Filters) - 1)
			}
		}
		return out
	}
	switch dir {
	case fabric.Out:
		port.Egress = replace(port.Egress)
	case fabric.In:
		port.Ingress = replace(port.Ingress)
	default:
		forward := *port.Forward
		forward.Policy = replace(forward.Policy)
		port.Forward = &forward
	}
	b.Fix = fmt.Sprintf("allow %s in %s", flowText(last), old.Name)
	if r.Rule != fabric.None {
		b.Fix += " before " + ruleShort(&old.Rules[r.Rule], r.Rule)
	}
	return true
}

// ruleShort names a rule within its filter.
func ruleShort(r *fabric.Rule, i int32) string {
	name := r.Origin.Name
	if name == "" {
		name = fmt.Sprintf("rule %d", i+1)
	}
	if r.Priority != 0 {
		name += fmt.Sprintf(" (priority below %d)", r.Priority)
	}
	return name
}

// flowText is a packet without its source port, as a rule would match it.
func flowText(p fabric.Packet) string {
	s := fmt.Sprintf("%s -> %s %s", p.Src, p.Dst, fabric.ProtoName(p.Proto))
	if p.HasPorts() {
		s += fmt.Sprintf("/%d", p.DstPort)
	}
	return s
}

// reroute leads a packet that found no way straight to the port that owns its
// destination.
func (x *whatIf) reroute(t *fabric.Trace, r fabric.Reason, b *Blocker) bool {
	c := fabric.Connection{Forward: *t}
	owner := x.ownerOf(&c)
	if owner == fabric.None || x.img.Ports[owner].Kind == fabric.PortEdge || x.img.Ports[r.Port].Kind == fabric.PortEdge {
		return false
	}
	x.addRoute(r.Port, t.Final.Dst, fabric.Hop{Kind: fabric.HopSpace, Space: x.img.Ports[owner].Space})
	table := x.img.Tables[x.img.Ports[r.Port].Routes].Name
	b.Fix = fmt.Sprintf("add a route to %s, where %s is, to %s", x.img.Spaces[x.img.Ports[owner].Space].Name, t.Final.Dst, table)
	return true
}

// addRoute gives a port a route to one address.
func (x *whatIf) addRoute(at fabric.PortID, dst netip.Addr, hop fabric.Hop) {
	x.routes(at, append([]fabric.Route{{
		Prefix: netip.PrefixFrom(dst, dst.BitLen()), Hop: hop, Source: "with the change",
	}}, x.img.Tables[x.img.Ports[at].Routes].Routes...))
}

// removeRoute takes a route away from a port: the next longest prefix decides.
func (x *whatIf) removeRoute(at fabric.PortID, route int32, b *Blocker) {
	table := &x.img.Tables[x.img.Ports[at].Routes]
	b.Fix = fmt.Sprintf("remove route %s from %s", routeName(&table.Routes[route]), table.Name)
	x.routes(at, slices.Delete(slices.Clone(table.Routes), int(route), int(route)+1))
}

// routes gives a port a table of its own.
func (x *whatIf) routes(at fabric.PortID, routes []fabric.Route) {
	img := *x.img
	changed := img.Tables[img.Ports[at].Routes]
	changed.Routes = routes
	img.Tables = append(img.Tables[:len(img.Tables):len(img.Tables)], changed)
	x.img = &img
	x.ports()[at].Routes = fabric.TableID(len(img.Tables) - 1)
}

// sameWay brings both ways of a flow together again where a stateful device
// stopped the reply: the way there is led through the device, or else the reply
// the way its flow came.
func (x *whatIf) sameWay(c *fabric.Connection, b *Blocker) bool {
	wall := c.Reply.Reason.Port
	at, dst, hop, how, ok := x.mirror(c)
	if from, step, past := x.parting(c, c.Reply.Reason); past {
		b.Fix = fmt.Sprintf("route %s through %s in %s", step.Packet.Dst, x.name(wall), x.img.Tables[step.Table].Name)
		if ok {
			b.Fix += fmt.Sprintf("; or route replies to %s %s in %s", dst, how, x.img.Tables[x.img.Ports[at].Routes].Name)
		}
		x.addRoute(from, step.Packet.Dst, fabric.Hop{Kind: fabric.HopPort, Port: wall})
		return true
	}
	if ok {
		b.Fix = fmt.Sprintf("route replies to %s %s in %s, as their flow came", dst, how, x.img.Tables[x.img.Ports[at].Routes].Name)
		x.addRoute(at, dst, hop)
	}
	return ok
}

// mirror finds the first port where a reply left the way its flow came, and the
// hop that would keep it there.
func (x *whatIf) mirror(c *fabric.Connection) (at fabric.PortID, dst netip.Addr, hop fabric.Hop, how string, ok bool) {
	there, back := c.Forward.Path, c.Reply.Path
	for i := 1; i < len(back) && i < len(there); i++ {
		want := there[len(there)-1-i]
		if back[i] == want {
			continue
		}
		at = back[i-1]
		if x.img.Ports[at].Kind == fabric.PortEdge || x.img.Ports[want].Kind == fabric.PortEdge {
			return at, dst, hop, how, false
		}
		hop, how = fabric.Hop{Kind: fabric.HopPort, Port: want}, "through "+x.name(want)
		if i == len(there)-1 {
			hop, how = fabric.Hop{Kind: fabric.HopSpace, Space: x.img.Ports[want].Space}, "straight to "+x.name(want)
		}
		dst = c.Reply.Packet.Dst
		for j := range c.Reply.Steps {
			if s := &c.Reply.Steps[j]; s.Port == at {
				dst = s.Packet.Dst
			}
		}
		return at, dst, hop, how, true
	}
	return at, dst, hop, how, false
}
