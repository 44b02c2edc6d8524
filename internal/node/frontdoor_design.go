package node

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// A claim about a URL of a front door is proved leg by leg: from the client to the
// edges' address, from everything that edges ask from to each origin that the route
// and its rules choose, and from an application gateway that is one to its members.

// doorDesign is a front door of a declared network.
type doorDesign struct {
	compile.FrontDoor
	router  *frontdoor.Router
	publics map[string]compile.PublicName
}

// doors returns the front doors of the network, without what they do.
func (d *Design) doors() []compile.FrontDoor {
	return compile.FrontDoors(d.Network().Resources, compile.Options{Internet: d.Network().Internet})
}

// doorDesign returns a front door with what it does.
func (d *Design) doorDesign(f compile.FrontDoor) (*doorDesign, error) {
	publics, err := compile.PublicNames(d.Network().Resources, compile.Options{Internet: d.Network().Internet})
	if err != nil {
		return nil, err
	}
	c, _, err := frontdoor.FromDocuments(frontdoor.Documents{
		Profile: f.Profile, Resources: d.Network().Resources, Region: func(host string) string { return publics[host].Region },
	})
	if err != nil {
		return nil, fmt.Errorf("front door %s: %w", f.Profile.ID.Name(), err)
	}
	c.Edges = nil
	for _, e := range f.Edges {
		c.Edges = append(c.Edges, frontdoor.Edge{Name: e.Region, Region: e.Region, Address: netip.AddrPortFrom(f.Addr, doorPort)})
	}
	r, err := frontdoor.NewRouter(c)
	if err != nil {
		return nil, fmt.Errorf("front door %s: %w", f.Profile.ID.Name(), err)
	}
	return &doorDesign{f, r, publics}, nil
}

// doorAt returns the front door of an address, if one has it.
func (d *Design) doorAt(a netip.Addr) (compile.FrontDoor, bool) {
	for _, f := range d.doors() {
		if f.Addr == a {
			return f, true
		}
	}
	return compile.FrontDoor{}, false
}

// doorFor returns the front door that a host name leads to.
func (d *Design) doorFor(host string) (compile.FrontDoor, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, f := range d.doors() {
		if slices.ContainsFunc(f.Names, func(n compile.DoorName) bool { return n.Name == host }) {
			return f, true
		}
	}
	return compile.FrontDoor{}, false
}

// doorLeg is a connection of the edges to an origin, and what follows from it.
type doorLeg struct {
	frontdoor.Chosen
	Addr    netip.Addr `json:"address,omitzero"`
	OK      bool       `json:"ok"`
	Unknown bool       `json:"unknown,omitempty"` // nobody can say
	Reason  string     `json:"reason,omitempty"`  // of one that is not reached
	Outside bool       `json:"outside,omitempty"` // nothing of the network is between
	// Gateway is the application gateway that the origin is, and what it does.
	Gateway string    `json:"gateway,omitempty"`
	Route   *URLRoute `json:"gatewayRoute,omitempty"`
	Members []leg     `json:"members,omitempty"`

	blocked *proof.Explanation // of one that is not reached
}

// edgesAsk is everything that edges of front doors ask from.
func edgesAsk() model.Selector {
	sel := model.Selector{Text: catalog.FrontDoorBackendTag, Internet: true}
	all, _ := catalog.ServiceTag(catalog.FrontDoorBackendTag)
	for _, p := range all {
		if p.Addr().Is4() {
			sel.Prefixes = append(sel.Prefixes, p)
		}
	}
	return sel
}

// doorLegs proves the connections of the edges to the origins of a decision.
func (d *Design) doorLegs(x *doorDesign, decision *frontdoor.Decision, u *url.URL) []doorLeg {
	var out []doorLeg
	for _, c := range decision.Origins {
		if c.Why == "disabled" {
			continue
		}
		l := doorLeg{Chosen: c}
		d.doorLeg(x, &l, decision, u)
		out = append(out, l)
	}
	return out
}

func (d *Design) doorLeg(x *doorDesign, l *doorLeg, decision *frontdoor.Decision, u *url.URL) {
	addrs := x.publics[strings.ToLower(l.Host)].Addrs
	if a, err := netip.ParseAddr(l.Host); err == nil {
		addrs = []netip.Addr{a}
	}
	i := slices.IndexFunc(addrs, netip.Addr.Is4)
	if i < 0 {
		l.Unknown, l.Reason = true, "nothing of the network or its declared internet is called "+l.Host
		return
	}
	l.Addr = addrs[i]
	to, inside := d.publicSelector(l.Addr)
	if !inside {
		l.OK, l.Outside = true, true
		return
	}
	traffic := []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: l.Port, Hi: l.Port}}}}
	e := model.Expectation{Verb: model.Allow, Text: fmt.Sprintf("allow %s -> %s tcp/%d", catalog.FrontDoorBackendTag, to.Text, l.Port), From: edgesAsk(), To: to, Traffic: traffic}
	f := d.Prover.Check([]model.Expectation{e})[0]
	if l.OK = f.Status == proof.Holds; !l.OK {
		l.Reason, l.Unknown = f.Why, f.Status == proof.Unknown
		blocked := d.Prover.Explain(e.From, e.To, traffic)
		l.blocked = &blocked
		return
	}
	r := d.gatewayAt(l.Addr)
	if r == nil {
		return
	}
	d.doorGateway(r, l, decision, u)
}

// doorGateway follows a request through an application gateway that is an origin.
func (d *Design) doorGateway(r *model.Resource, l *doorLeg, decision *frontdoor.Decision, u *url.URL) {
	l.Gateway = r.ID.Name()
	asked := *u
	asked.Scheme, asked.Path, asked.RawPath = map[bool]string{true: "https", false: "http"}[l.Secure], decision.Path, ""
	asked.Host = fmt.Sprintf("%s:%d", l.Header, l.Port)
	route, err := d.routeOf(r.ID.Name(), &asked, true)
	if err != nil {
		l.OK, l.Reason = false, err.Error()
		return
	}
	c := &route.decision
	l.Route = &URLRoute{
		Listener: c.Listener, Rule: c.Rule, Place: string(c.Place), Path: c.Path, Pattern: c.Pattern, Pool: c.Pool, Settings: c.Settings,
		Redirect: c.Redirect, Status: c.Status, Passed: c.Passed, Firewall: firewallOf(route.config, c),
	}
	if c.Rule == "" {
		l.OK, l.Reason = false, fmt.Sprintf("no rule of %s takes it: %d", r.ID.Name(), c.Status)
		return
	}
	if c.Redirect != "" {
		return
	}
	l.Members = d.legs(route)
	if !slices.ContainsFunc(l.Members, func(m leg) bool { return m.OK && !m.Probe }) {
		l.OK, l.Reason = false, fmt.Sprintf("%s reaches no member of pool %s: 502", r.ID.Name(), c.Pool)
		for _, m := range l.Members {
			if !m.OK {
				l.Reason += fmt.Sprintf("; %s:%d: %s", m.Member, m.Port, m.Why)
				break
			}
		}
	}
}

// publicSelector names what a public address of the network leads to.
func (d *Design) publicSelector(a netip.Addr) (sel model.Selector, inside bool) {
	p, ok := d.Image.PublicAt(a)
	if !ok {
		return sel, false
	}
	if p.Port != fabric.None {
		for _, kind := range []model.LabelKind{model.LabelAppGateway, model.LabelBalancer, model.LabelHost, model.LabelFirewall, model.LabelGateway} {
			for _, l := range d.Image.Ports[p.Port].Labels {
				if l.Kind == string(kind) {
					return model.Selector{Text: l.Name, All: []model.Label{{Kind: kind, Name: l.Name}}}, true
				}
			}
		}
	}
	return model.Selector{Text: a.String(), Prefixes: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}, true
}

// followDoor completes the finding of a claim about a URL of a front door.
func (d *Design) followDoor(f *proof.Finding) {
	e := &f.Expectation
	if d.outside(&e.From) {
		// Client and edge are both outside: nothing of the network is between them.
		f.Status, f.Why, f.Witness, f.Groups = proof.Holds, "the edges are outside, as the client is", nil, nil
	}
	if f.Status != proof.Holds {
		return
	}
	broken := func(format string, args ...any) {
		f.Status, f.Why, f.Witness, f.Groups = proof.Broken, fmt.Sprintf(format, args...), nil, nil
	}
	u, err := url.Parse(e.Request.URL)
	if err != nil || len(e.To.Prefixes) == 0 {
		f.Status, f.Why = proof.Unknown, "the URL names no front door"
		return
	}
	found, ok := d.doorAt(e.To.Prefixes[0].Addr())
	if !ok {
		f.Status, f.Why = proof.Unknown, "there is no front door "+e.Request.FrontDoor
		return
	}
	x, err := d.doorDesign(found)
	if err != nil {
		broken("%v", err)
		return
	}
	decision := x.router.Decide(u, "", nil)
	name := found.Profile.ID.Name()
	switch {
	case decision.Status >= 400:
		if !e.Request.Fits(decision.Status) {
			broken("no route of %s takes it: the answer is %d", name, decision.Status)
		}
		return
	case decision.Redirect != "":
		if !e.Request.Fits(decision.Status) {
			broken("%s redirects to %s: the answer is %d", name, decision.Redirect, decision.Status)
		}
		return
	case refused(e.Request):
		f.Why += fmt.Sprintf("; route %s: whether it is refused is asked where it runs", decision.Route)
		return
	case len(found.Edges) == 0:
		broken("front door %s has no edge", name)
		return
	}
	d.judgeLegs(f, x, &decision, d.doorLegs(x, &decision, u), broken)
}

// behind says how many members the application gateways reach that are origins.
func behind(legs []doorLeg) string {
	gateways, reached, all := 0, 0, 0
	for i := range legs {
		if legs[i].Gateway == "" {
			continue
		}
		gateways++
		for _, m := range legs[i].Members {
			if m.Probe {
				continue
			}
			all++
			if m.OK {
				reached++
			}
		}
	}
	if gateways == 0 {
		return ""
	}
	return fmt.Sprintf(", and the gateways that they are %d of %d members", reached, all)
}

// judgeLegs says what the legs to the origins mean for a claim. Where origins are
// probed, one that is reached suffices: the others get no requests.
func (d *Design) judgeLegs(f *proof.Finding, x *doorDesign, decision *frontdoor.Decision, legs []doorLeg, broken func(string, ...any)) {
	name := x.Profile.ID.Name()
	reached, unknown, bad := 0, 0, ""
	for i := range legs {
		l := &legs[i]
		switch {
		case l.OK:
			reached++
			continue
		case l.Unknown:
			unknown++
		}
		if bad == "" {
			bad = fmt.Sprintf("%s port %d: %s", l.Host, l.Port, l.Reason)
		}
	}
	probed := slices.ContainsFunc(x.router.Config().Groups, func(g frontdoor.Group) bool { return g.Name == decision.Group && g.Probe != nil })
	what := fmt.Sprintf("route %s, origin group %s", decision.Route, decision.Group)
	switch {
	case reached == len(legs) && reached > 0:
		f.Why += fmt.Sprintf("; %s: the edges reach every origin%s", what, behind(legs))
	case reached > 0 && probed:
		f.Why += fmt.Sprintf("; %s: the edges reach %d of %d origins, one not: %s", what, reached, len(legs), bad)
	case reached+unknown == len(legs) && unknown > 0:
		f.Status, f.Why = proof.Unknown, fmt.Sprintf("%s of %s: %s", what, name, bad)
	case reached > 0:
		if !f.Expectation.Request.Fits(503) {
			broken("%s of %s is not probed, so an origin that the edges do not reach gets requests: %s", what, name, bad)
		}
	case len(legs) == 0:
		if !f.Expectation.Request.Fits(503) {
			broken("%s of %s has no enabled origin: the answer is 503", what, name)
		}
	default:
		if !f.Expectation.Request.Fits(503) && !f.Expectation.Request.Fits(502) {
			broken("%s of %s: the edges reach no origin: %s", what, name, bad)
		}
	}
}
