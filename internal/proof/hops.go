package proof

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Hop is one thing that happened to a packet on its way: a row of a table.
type Hop struct {
	Hop      int    `json:"hop"`                // the port's number on the way, from 1
	Port     string `json:"port"`               // its name
	Stage    string `json:"stage"`              // "outbound subnet rules", "route", "delivery" and so on
	Match    string `json:"match,omitempty"`    // the rule or route that matched
	Result   string `json:"result"`             // what it did
	Resource string `json:"resource,omitempty"` // resource ID of what decided
	Place    string `json:"place,omitempty"`    // where that was declared
	Packet   string `json:"packet"`             // after the step
}

// hopWriter turns traces into rows.
type hopWriter struct{ p *Prover }

// rows returns a trace as a table. Entering a port is no row of its own.
func (h hopWriter) rows(t *fabric.Trace) []Hop {
	var out []Hop
	n, at, before := 0, t.From, t.Packet
	for i := range t.Steps {
		s := &t.Steps[i]
		if s.Kind == fabric.StepEnter {
			n, at = n+1, s.Port
			continue
		}
		row := Hop{Hop: n, Port: h.p.name(at), Packet: s.Packet.String()}
		h.fill(&row, s, t, before)
		switch s.Kind {
		case fabric.StepTranslate, fabric.StepMasquerade, fabric.StepRestore:
			row.Result = changed(before, s.Packet)
		case fabric.StepRedirect:
			if what := changed(before, s.Packet); what != "" {
				row.Result += ", " + what
			}
		}
		before = s.Packet
		out = append(out, row)
	}
	return out
}

func (h hopWriter) fill(row *Hop, s *fabric.Step, t *fabric.Trace, before fabric.Packet) {
	img := h.p.img
	switch s.Kind {
	case fabric.StepFilter:
		f := &img.Filters[s.Filter]
		origin := f.Origin
		row.Stage = stageText(s.Direction, f.Stage)
		row.Match, row.Result = "no rule matches", s.Action.String()
		if s.Rule != fabric.None {
			r := &f.Rules[s.Rule]
			origin = r.Origin
			row.Match = h.p.ruleName(s.Filter, s.Rule)
		}
		row.Resource, row.Place = origin.Resource, origin.Place
	case fabric.StepSession:
		row.Stage, row.Result = s.Direction.String()+" rules", "established"
	case fabric.StepRoute:
		r := &img.Tables[s.Table].Routes[s.Route]
		row.Stage, row.Match = "route", routeName(r)
		row.Result = h.p.hopText(r)
		row.Resource, row.Place = r.Origin.Resource, r.Origin.Place
	case fabric.StepTranslate:
		row.Stage = "translation"
		row.Match = "public IP"
		if o := img.Ports[s.Port].Outbound; o != nil && translates(o, before, s.Packet) {
			row.Match, row.Resource, row.Place = o.What, o.Origin.Resource, o.Origin.Place
		}
	case fabric.StepRedirect:
		r := &img.Ports[s.Port].Inward.Redirects[s.Rule]
		row.Stage, row.Match = "redirect", redirectName(r, s.Rule)
		row.Result = "by its routes"
		if t := r.Targets[s.Target].Port; t != fabric.None {
			row.Result = "to " + h.p.name(t)
		}
		row.Resource, row.Place = r.Origin.Resource, r.Origin.Place
	case fabric.StepMasquerade:
		row.Stage, row.Match = "translation", "own address"
	case fabric.StepRestore:
		row.Stage, row.Match = "translation", "reversed for the reply"
	case fabric.StepAdmit:
		a := &img.Ports[s.Port].Admits[s.Rule]
		row.Stage, row.Result = s.Direction.String()+" rules", "admitted"
		row.Match = "service endpoint of " + img.Segments[a.Segment].Name
		row.Resource, row.Place = a.Origin.Resource, a.Origin.Place
	case fabric.StepDeliver:
		row.Stage, row.Result = "delivery", "delivered"
		if t.Reason.Code == fabric.CodePlatform {
			row.Match = "platform address"
		}
	case fabric.StepStop:
		row.Stage, row.Result = "stopped", h.p.sentence(t, t.Reason)
	}
}

// translates reports whether it was a way out that changed a packet. Else a public
// IP did: where a NAT gateway is the way out, connections from outside still come,
// and are answered, by the public IP of the interface ("NAT gateway resource").
func translates(o *fabric.Outbound, before, after fabric.Packet) bool {
	of := func(a netip.Addr) bool {
		return slices.Contains(o.Pool, a) || slices.ContainsFunc(o.Pairs, func(x fabric.Pair) bool { return x.Public == a })
	}
	return of(after.Src) || of(before.Dst)
}

// choices says which targets redirects chose.
func (h hopWriter) choices(list []fabric.Choice) []string {
	var out []string
	for _, c := range list {
		r := &h.p.img.Ports[c.Port].Inward.Redirects[c.Redirect]
		to := "its routes"
		if q := r.Targets[c.Target].Port; q != fabric.None {
			to = h.p.name(q)
		}
		out = append(out, fmt.Sprintf("%s of %s: to %s", redirectName(r, c.Redirect), h.p.name(c.Port), to))
	}
	return out
}

// changed says what a translation changed.
func changed(before, after fabric.Packet) string {
	var parts []string
	end := func(word string, a, b netip.Addr, x, y uint16) {
		switch {
		case x != y:
			parts = append(parts, word+" "+netip.AddrPortFrom(b, y).String())
		case a != b:
			parts = append(parts, word+" "+b.String())
		}
	}
	end("from", before.Src, after.Src, before.SrcPort, after.SrcPort)
	end("to", before.Dst, after.Dst, before.DstPort, after.DstPort)
	return strings.Join(parts, ", ")
}

func stageText(d fabric.Direction, s fabric.Stage) string {
	if d == fabric.Through {
		return s.String()
	}
	return d.String() + " " + s.String()
}

// ruleName names a rule: its filter, name and priority.
func (p *Prover) ruleName(filter fabric.FilterID, rule int32) string {
	f := &p.img.Filters[filter]
	r := &f.Rules[rule]
	name := r.Origin.Name
	if name == "" {
		name = fmt.Sprintf("rule %d", rule+1)
	}
	if r.Priority != 0 {
		name += fmt.Sprintf(" (%d)", r.Priority)
	}
	// The organisation's rules are one list: the stage says it all.
	if f.Name != "" && f.Stage != fabric.StageAdmin {
		return f.Name + ": " + name
	}
	return name
}

func routeName(r *fabric.Route) string {
	name := r.Prefix.String()
	if r.Source != "" {
		name += " (" + r.Source + ")"
	}
	return name
}

// redirectName names a redirect of a port.
func redirectName(r *fabric.Redirect, i int32) string {
	if r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("redirect %d", i+1)
}

// hopText says where a route leads.
func (p *Prover) hopText(r *fabric.Route) string {
	switch r.Hop.Kind {
	case fabric.HopSpace:
		return "into " + p.img.Spaces[r.Hop.Space].Name
	case fabric.HopPort:
		return "to " + p.name(r.Hop.Port)
	case fabric.HopMissing:
		return "to " + r.Hop.Via.String() + ", which no port has"
	case fabric.HopInternet:
		return "to the internet"
	case fabric.HopService:
		return "to the platform's services"
	case fabric.HopUnknown:
		return "to something that is not modelled (" + r.Kind + ")"
	default:
		return "nowhere: it drops"
	}
}

// because says in one sentence why a connection ended as it did.
func (p *Prover) because(c *fabric.Connection, r fabric.Reason) string {
	if c.Forward.Verdict == fabric.VerdictAllow && c.Reply.Verdict != fabric.VerdictAllow {
		return "the reply is lost: " + p.sentence(&c.Reply, r) + p.detour(c, r)
	}
	return p.sentence(&c.Forward, r)
}

// detour says where the two ways of a connection parted, when a stateful device
// that the way there does not have stopped the reply: either the way there went
// past the device, or the reply strayed to it.
func (p *Prover) detour(c *fabric.Connection, r fabric.Reason) string {
	at, s, past := p.parting(c, r)
	if s == nil {
		return ""
	}
	what := "the reply left the way it came"
	if past {
		what = "the way there went past it"
	}
	route := &p.img.Tables[s.Table].Routes[s.Route]
	return fmt.Sprintf("; %s, by route %s of %s, %s%s", what, routeName(route), p.name(at), p.hopText(route), placeText(route.Origin))
}

// parting finds the port and the route by which the two ways of a connection
// parted before the device that stopped the reply. past says that the way there
// should have passed the device: where it parted it passed no other. The step
// is nil if the ways did not part like that.
func (p *Prover) parting(c *fabric.Connection, r fabric.Reason) (at fabric.PortID, step *fabric.Step, past bool) {
	there, back := c.Forward.Path, c.Reply.Path
	if r.Code != fabric.CodeNoSession || p.img.Ports[r.Port].Forward == nil || c.Forward.Passed(r.Port) {
		return fabric.None, nil, false
	}
	common := 0
	for common < len(back) && common < len(there) && back[common] == there[len(there)-1-common] {
		common++
	}
	if common == 0 || common == len(there) || common == len(back) {
		return fabric.None, nil, false
	}
	at = there[len(there)-1-common]
	f := p.img.Ports[at].Forward
	past = f == nil || !f.Stateful
	steps := c.Forward.Steps
	if !past {
		at, steps = back[common-1], c.Reply.Steps
	}
	for i := range steps {
		if s := &steps[i]; s.Kind == fabric.StepRoute && s.Port == at {
			return at, s, past
		}
	}
	return fabric.None, nil, false
}

// sentence says why a packet ended as it did.
func (p *Prover) sentence(t *fabric.Trace, r fabric.Reason) string {
	at := p.name(r.Port)
	dst := t.Final.Dst
	switch r.Code {
	case fabric.CodeDelivered:
		return "delivered to " + at
	case fabric.CodePlatform:
		return "delivered to the platform"
	case fabric.CodeRule, fabric.CodeFilterDefault:
		return p.ruleSentence(t, r)
	case fabric.CodeSourceCheck:
		return fmt.Sprintf("%s may not send from %s, which is not its address", at, t.Final.Src)
	case fabric.CodeNoRoute:
		return fmt.Sprintf("%s has no route to %s", at, dst)
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing, fabric.CodeNoPort, fabric.CodeNoOutbound:
		return p.routeSentence(t, r)
	case fabric.CodeNotForwarding:
		return fmt.Sprintf("%s got it for %s and does not forward", at, dst)
	case fabric.CodeLoop:
		return fmt.Sprintf("it loops: more than %d ports were passed", fabric.MaxHops)
	case fabric.CodePrivateAtEdge:
		return fmt.Sprintf("the internet has no way to %s", dst)
	case fabric.CodeNoTranslation:
		return fmt.Sprintf("public address %s leads to no port", dst)
	case fabric.CodePublicUnknown:
		what := "something"
		if public, ok := p.img.PublicAt(dst); ok && public.Origin.Resource != "" {
			what = public.Origin.Resource
		}
		return fmt.Sprintf("what public address %s leads to is not modelled (%s)", dst, what)
	case fabric.CodeNoRedirect:
		return fmt.Sprintf("no rule of %s takes %s", at, flowText(t.Final))
	case fabric.CodeNoTarget, fabric.CodeHairpin:
		return p.redirectSentence(t, r)
	case fabric.CodeClosed:
		return fmt.Sprintf("a Standard public address leads to %s, which no security group opens", at)
	case fabric.CodeNoSession:
		if t.Verdict == fabric.VerdictDeny && p.img.Ports[r.Port].Forward != nil {
			return fmt.Sprintf("%s, a stateful device, never saw the flow begin", at)
		}
		return fmt.Sprintf("it came back changed, or elsewhere: to %s", at)
	default:
		return "no reason"
	}
}

func (p *Prover) ruleSentence(t *fabric.Trace, r fabric.Reason) string {
	f := &p.img.Filters[r.Filter]
	stage := f.Stage.String()
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Kind == fabric.StepFilter && s.Port == r.Port && s.Filter == r.Filter {
			stage = stageText(s.Direction, f.Stage)
		}
	}
	origin, name := f.Origin, f.Name
	switch {
	case r.Code == fabric.CodeFilterDefault:
		name = fmt.Sprintf("no rule of %s allows it", name)
	case f.Rules[r.Rule].Action == fabric.Unknown:
		origin = f.Rules[r.Rule].Origin
		name = fmt.Sprintf("whether %s matches cannot be decided", p.ruleName(r.Filter, r.Rule))
	default:
		origin = f.Rules[r.Rule].Origin
		name = p.ruleName(r.Filter, r.Rule) + " denies it"
	}
	return fmt.Sprintf("%s, %s at %s%s", name, stage, p.name(r.Port), placeText(origin))
}

func (p *Prover) redirectSentence(t *fabric.Trace, r fabric.Reason) string {
	redirect := &p.img.Ports[r.Port].Inward.Redirects[r.Rule]
	what := fmt.Sprintf("%s of %s", redirectName(redirect, r.Rule), p.name(r.Port))
	switch {
	case r.Code == fabric.CodeHairpin:
		what += fmt.Sprintf(" hands it back to %s, who sent it", t.Final.Src)
	case len(redirect.Targets) == 0:
		what += " has no target"
	default:
		what += fmt.Sprintf(" has no target that is up: %s", redirect.Targets[0].Down)
	}
	return what + placeText(redirect.Origin)
}

func (p *Prover) routeSentence(t *fabric.Trace, r fabric.Reason) string {
	route := &p.img.Tables[r.Table].Routes[r.Route]
	at, dst := p.name(r.Port), t.Final.Dst
	what := fmt.Sprintf("route %s of %s", routeName(route), at)
	switch r.Code {
	case fabric.CodeRouteDrop:
		what += " drops it"
	case fabric.CodeRouteUnknown:
		what += " leads to something that is not modelled"
		if route.Kind != "" {
			what += " (" + route.Kind + ")"
		}
	case fabric.CodeNextHopMissing:
		what += fmt.Sprintf(" leads to %s, which no port has", route.Hop.Via)
	case fabric.CodeNoPort:
		what = fmt.Sprintf("nobody has the address %s in %s", dst, p.img.Spaces[route.Hop.Space].Name)
	default:
		what = fmt.Sprintf("%s has no public source address towards the internet", at)
	}
	return what + placeText(route.Origin)
}

func placeText(o fabric.Origin) string {
	if o.Place == "" {
		return ""
	}
	return " [" + o.Place + "]"
}

// origin returns what decided a leaf: a rule, a filter, a redirect, a route or
// a table.
func (p *Prover) origin(l *leaf) fabric.Origin {
	switch {
	case l.filter == fabric.None && l.rule != fabric.None:
		at, _ := l.stop.port()
		return p.img.Ports[at].Inward.Redirects[l.rule].Origin
	case l.filter != fabric.None && l.rule != fabric.None:
		return p.img.Filters[l.filter].Rules[l.rule].Origin
	case l.filter != fabric.None:
		return p.img.Filters[l.filter].Origin
	case l.table != fabric.None && l.route != fabric.None:
		return p.img.Tables[l.table].Routes[l.route].Origin
	case l.table != fabric.None:
		return p.img.Tables[l.table].Origin
	default:
		return fabric.Origin{}
	}
}

// waysText is both ways of a connection, by name.
func (p *Prover) waysText(c *fabric.Connection) string {
	return "there " + p.wayText(c.Forward.Path) + "; back " + p.wayText(c.Reply.Path)
}

func (p *Prover) wayText(path []fabric.PortID) string {
	names := make([]string, len(path))
	for i, q := range path {
		names[i] = p.name(q)
	}
	return strings.Join(names, " > ")
}
