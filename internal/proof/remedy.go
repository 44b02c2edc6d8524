package proof

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// The search for the changes that let a flow pass gives up after so many
// changes to one copy, and so many copies.
const (
	maxBlockers = 16
	maxCopies   = 400
)

// attempt is a copy of the image with changes, and what a flow does in it.
type attempt struct {
	what     *whatIf
	blockers []Blocker
	conn     fabric.Connection
}

// remedy finds the fewest changes that let a flow pass, breadth first: all
// copies with one change before any with two. If none of the copies lets it
// pass, it returns the changes along the plainest path, and false.
func (p *Prover) remedy(at fabric.PortID, pkt fabric.Packet) (attempt, bool) {
	first := attempt{what: &whatIf{Prover: &Prover{img: p.img, layer: p.layer, layers: p.layers}}, conn: ref.Connect(p.img, at, pkt)}
	queue := []attempt{first}
	plainest := first // of the copies made by first choices, the last
	for made := 0; len(queue) > 0; queue = queue[1:] {
		a := queue[0]
		for i, r := range a.what.remedies(&a.conn) {
			next := attempt{blockers: append(slices.Clone(a.blockers), r.blocker), what: r.what}
			if r.what == nil {
				if i == 0 && len(plainest.blockers) == len(a.blockers) {
					plainest.blockers = next.blockers
				}
				continue
			}
			next.conn = ref.Connect(r.what.img, at, pkt)
			if verdict, _ := next.conn.Verdict(); verdict == fabric.VerdictAllow {
				return next, true
			}
			if i == 0 && len(plainest.blockers) == len(a.blockers) {
				plainest = next
			}
			if made++; made < maxCopies && len(next.blockers) < maxBlockers {
				queue = append(queue, next)
			}
		}
	}
	return plainest, false
}

// remedied is a remedy for one blocker: what it is, and the copy with it. A nil
// copy means that no single setting lifts the blocker.
type remedied struct {
	blocker Blocker
	what    *whatIf
}

// whatIf is a copy of an image, changed so that a flow passes.
type whatIf struct{ *Prover }

// copy returns a copy that can be changed without changing this one.
func (x *whatIf) copy() *whatIf {
	return &whatIf{Prover: &Prover{img: x.img, layer: x.layer, layers: x.layers}}
}

// remedies says what stops a connection and the ways to lift it, the plainest
// first, each on a copy of its own.
func (x *whatIf) remedies(c *fabric.Connection) []remedied {
	t := &c.Forward
	verdict, r := c.Verdict()
	reply := c.Forward.Verdict == fabric.VerdictAllow
	if reply {
		t = &c.Reply
	}
	b := Blocker{Port: x.name(r.Port), What: x.because(c, r), Reply: reply, Unknown: verdict == fabric.VerdictUnknown}
	origin := x.img.OriginOf(r)
	b.Resource, b.Place = origin.Resource, origin.Place
	var out []remedied
	try := func(change func(*whatIf, *Blocker) bool) {
		y, with := x.copy(), b
		if change(y, &with) {
			out = append(out, remedied{with, y})
		}
	}
	// advise is a fix in words only.
	advise := func(format string, args ...any) { b.Fix = fmt.Sprintf(format, args...) }
	switch r.Code {
	case fabric.CodeRule, fabric.CodeFilterDefault:
		try(func(y *whatIf, b *Blocker) bool { return y.allow(t, r, b) })
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing:
		try(func(y *whatIf, b *Blocker) bool { y.removeRoute(r.Port, r.Route, b); return true })
		try(func(y *whatIf, b *Blocker) bool { return y.reroute(t, r, b) })
	case fabric.CodeNotForwarding:
		for i := len(t.Steps) - 1; i >= 0; i-- {
			if s := t.Steps[i]; s.Kind == fabric.StepRoute {
				try(func(y *whatIf, b *Blocker) bool { y.removeRoute(s.Port, s.Route, b); return true })
				break
			}
		}
		if x.img.Ports[r.Port].Kind == fabric.PortHost {
			try(func(y *whatIf, b *Blocker) bool {
				y.ports()[r.Port].Forward = &fabric.Forward{Stateful: true}
				b.Fix = "let " + b.Port + " forward: IP forwarding on its interface, and in its system"
				return true
			})
		}
	case fabric.CodeNoRoute, fabric.CodeNoPort, fabric.CodePrivateAtEdge:
		try(func(y *whatIf, b *Blocker) bool { return y.reroute(t, r, b) })
		if x.img.Ports[r.Port].Kind == fabric.PortEdge {
			advise("send to a public address that leads to %s, or give the one who has it a public IP", t.Final.Dst)
		}
	case fabric.CodeNoOutbound:
		try(func(y *whatIf, b *Blocker) bool {
			y.ports()[r.Port].Outbound = &fabric.Outbound{What: "a new way out", Pool: []netip.Addr{standIn(t.Final.Src)}}
			b.Fix = fmt.Sprintf("give %s a NAT gateway or a public IP", b.Port)
			return true
		})
	case fabric.CodeNoTranslation, fabric.CodePublicUnknown:
		advise("send to the private address, or to a public IP of the destination's interface")
	case fabric.CodeClosed:
		try(func(y *whatIf, b *Blocker) bool { return y.unclose(r.Port, b) })
	case fabric.CodeNoTarget:
		try(func(y *whatIf, b *Blocker) bool { return y.raise(r, b) })
		advise("add a member to the pool of %s", x.redirect(r))
	case fabric.CodeNoRedirect:
		advise("add a rule for %s to %s", flowText(t.Final), b.Port)
	case fabric.CodeHairpin:
		advise("let %s call the members by their own addresses: a balancer does not lead a member back to itself", t.Final.Src)
	case fabric.CodeNoSession:
		try(func(y *whatIf, b *Blocker) bool { return y.throughWall(c, b) })
		try(func(y *whatIf, b *Blocker) bool { return y.asItCame(c, b) })
	}
	if len(out) == 0 {
		out = append(out, remedied{b, nil})
	}
	return out
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

// addRoute gives a port, and those that share its table, a route to one
// address.
func (x *whatIf) addRoute(at fabric.PortID, dst netip.Addr, hop fabric.Hop) {
	table := x.img.Ports[at].Routes
	x.routes(table, append([]fabric.Route{{
		Prefix: netip.PrefixFrom(dst, dst.BitLen()), Hop: hop, Source: "with the change",
	}}, x.img.Tables[table].Routes...))
}

// removeRoute takes a route away from a port: the next longest prefix decides.
func (x *whatIf) removeRoute(at fabric.PortID, route int32, b *Blocker) {
	table := &x.img.Tables[x.img.Ports[at].Routes]
	gone := table.Routes[route]
	b.Fix = fmt.Sprintf("remove route %s from %s", routeName(&gone), table.Name)
	// A route of a route table is in the effective routes of every subnet that
	// has the table. Better routes of the same prefix made others inactive.
	for i := range x.img.Tables {
		id := fabric.TableID(i)
		if id != x.img.Ports[at].Routes && gone.Origin.Resource == "" {
			continue
		}
		routes := slices.Clone(x.img.Tables[i].Routes)
		n := len(routes)
		routes = slices.DeleteFunc(routes, func(r fabric.Route) bool {
			return r.Prefix == gone.Prefix && r.Origin == gone.Origin && r.Hop == gone.Hop && !r.Inactive
		})
		if len(routes) == n {
			continue
		}
		for j := range routes {
			if routes[j].Prefix == gone.Prefix {
				routes[j].Inactive = false
				break
			}
		}
		x.routes(id, routes)
	}
}

// routes replaces the routes of a table.
func (x *whatIf) routes(table fabric.TableID, routes []fabric.Route) {
	img := *x.img
	img.Tables = slices.Clone(img.Tables)
	img.Tables[table].Routes = routes
	x.img = &img
}

// throughWall leads a flow through the stateful device that stopped its reply.
func (x *whatIf) throughWall(c *fabric.Connection, b *Blocker) bool {
	from, step, past := x.parting(c, c.Reply.Reason)
	if !past {
		return false
	}
	wall := c.Reply.Reason.Port
	b.Fix = fmt.Sprintf("route %s through %s in %s", step.Packet.Dst, x.name(wall), x.img.Tables[step.Table].Name)
	x.addRoute(from, step.Packet.Dst, fabric.Hop{Kind: fabric.HopPort, Port: wall})
	return true
}

// asItCame leads a reply the way its flow came.
func (x *whatIf) asItCame(c *fabric.Connection, b *Blocker) bool {
	at, dst, hop, how, ok := x.mirror(c)
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

// unclose lets a Standard public address, or frontend, lead to a port that has
// no security group.
func (x *whatIf) unclose(at fabric.PortID, b *Blocker) bool {
	img := *x.img
	img.Publics = slices.Clone(img.Publics)
	for i := range img.Publics {
		if img.Publics[i].Port == at {
			img.Publics[i].Closed = false
		}
	}
	x.img = &img
	x.targets(func(_ fabric.PortID, _ int32, t *fabric.Target) {
		if t.Port == at {
			t.Closed = false
		}
	})
	b.Fix = fmt.Sprintf("give %s a security group that allows it: Standard public addresses are closed without one", x.name(at))
	return true
}

// raise brings the targets of a redirect up.
func (x *whatIf) raise(r fabric.Reason, b *Blocker) bool {
	why := ""
	x.targets(func(at fabric.PortID, redirect int32, t *fabric.Target) {
		if at == r.Port && redirect == r.Rule && t.Down != "" {
			why, t.Down = t.Down, ""
		}
	})
	b.Fix = fmt.Sprintf("bring a member of %s up: %s", x.redirect(r), why)
	return why != ""
}

// targets changes the targets of all redirects.
func (x *whatIf) targets(change func(fabric.PortID, int32, *fabric.Target)) {
	ports := x.ports()
	for i := range ports {
		if ports[i].Inward == nil {
			continue
		}
		in := *ports[i].Inward
		in.Redirects = slices.Clone(in.Redirects)
		for j := range in.Redirects {
			in.Redirects[j].Targets = slices.Clone(in.Redirects[j].Targets)
			for k := range in.Redirects[j].Targets {
				change(fabric.PortID(i), int32(j), &in.Redirects[j].Targets[k])
			}
		}
		ports[i].Inward = &in
	}
}

// redirect names the redirect of a reason.
func (p *Prover) redirect(r fabric.Reason) string {
	return redirectName(&p.img.Ports[r.Port].Inward.Redirects[r.Rule], r.Rule) + " of " + p.name(r.Port)
}
