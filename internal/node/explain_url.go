package node

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
)

// IsURL reports whether a text is a URL of http or https.
func IsURL(text string) bool {
	low := strings.ToLower(text)
	return strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://")
}

// URLExplanation is what becomes of a request: where its name leads, what its
// packets meet, and what the gateway does with it.
type URLExplanation struct {
	URL  string `json:"url"`
	From string `json:"from"`
	OK   bool   `json:"ok"`
	// Name is what the URL's host means to who asks.
	Name    URLName           `json:"name"`
	Path    proof.Explanation `json:"path"` // of the packets to the gateway
	Gateway string            `json:"gateway,omitempty"`
	At      string            `json:"at,omitempty"` // the frontend and port
	Route   *URLRoute         `json:"route,omitempty"`
	Members []leg             `json:"members,omitempty"`
	Door    *DoorExplanation  `json:"frontDoor,omitempty"`
	Why     string            `json:"why,omitempty"` // of what does not work

	members []proof.Explanation // of those that are not reached
}

// URLName is what a name means.
type URLName struct {
	Name    string       `json:"name,omitempty"` // empty for an address
	Addrs   []netip.Addr `json:"addresses,omitempty"`
	Zone    string       `json:"zone,omitempty"`
	Place   string       `json:"place,omitempty"`
	Assumed bool         `json:"assumed,omitempty"` // no zone has it: it is asked for where its listener is
}

// URLRoute is what a gateway does with a request, and why nothing else.
type URLRoute struct {
	Listener string           `json:"listener,omitempty"`
	Rule     string           `json:"rule,omitempty"`
	Place    string           `json:"place,omitempty"`
	Path     string           `json:"path,omitempty"`
	Pattern  string           `json:"pattern,omitempty"`
	Pool     string           `json:"pool,omitempty"`
	Settings string           `json:"settings,omitempty"`
	Host     string           `json:"host,omitempty"` // that members are asked for
	Redirect string           `json:"redirect,omitempty"`
	Firewall string           `json:"wafPolicy,omitempty"`
	Status   int              `json:"status,omitempty"` // if nothing takes it
	Passed   []gateway.Passed `json:"passed,omitempty"`
}

// ExplainURL says what becomes of a request for a URL that somebody sends.
func (d *Design) ExplainURL(from, rawURL string) (*URLExplanation, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" || !IsURL(rawURL) {
		return nil, fmt.Errorf("%q is no absolute URL of http or https", rawURL)
	}
	sel, err := intent.ParseEndpoint(d.Network(), from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	x := &URLExplanation{URL: rawURL, From: sel.Text}
	outside := d.outside(&sel)
	d.meaning(x, &sel, u, outside)
	port := map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	if p := u.Port(); p != "" {
		if _, err := fmt.Sscan(p, &port); err != nil {
			return nil, fmt.Errorf("%q: %q is no port", rawURL, p)
		}
	}
	if len(x.Name.Addrs) == 0 {
		x.Why = cmp.Or(x.Why, fmt.Sprintf("%s finds no address of %s", from, u.Hostname()))
		return x, nil
	}
	to := x.Name.Addrs[0]
	x.At = netip.AddrPortFrom(to, port).String()
	target := model.Selector{Text: u.Hostname(), Prefixes: []netip.Prefix{netip.PrefixFrom(to, to.BitLen())}}
	if f, ok := d.doorAt(to); ok {
		if !outside {
			x.Path = d.Prover.Explain(sel, target, []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: port, Hi: port}}}})
			if !x.Path.Works() {
				x.Why = cmp.Or(x.Path.Problem, x.Path.Why)
			}
		}
		return x, d.explainDoor(x, f, &sel, u, outside)
	}
	r := d.gatewayAt(to)
	if r != nil && outside {
		// A public address of the network's own leads to its gateway.
		target = model.Selector{Text: r.ID.Name(), All: []model.Label{{Kind: model.LabelAppGateway, Name: strings.ToLower(r.ID.Name())}}}
	}
	x.Path = d.Prover.Explain(sel, target, []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: port, Hi: port}}}})
	if r == nil {
		x.OK = x.Path.Works()
		if !x.OK {
			x.Why = cmp.Or(x.Path.Problem, x.Path.Why)
		}
		return x, nil
	}
	x.Gateway = r.ID.Name()
	if !x.Path.Works() {
		x.Why = cmp.Or(x.Path.Problem, x.Path.Why)
	}
	return x, d.explainRoute(x, r, u, netip.AddrPortFrom(to, port))
}

// meaning asks what the URL's host means to the sender; where no zone has the
// name, a gateway that listens for it is meant.
func (d *Design) meaning(x *URLExplanation, sel *model.Selector, u *url.URL, outside bool) {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if a, err := netip.ParseAddr(host); err == nil {
		x.Name.Addrs = []netip.Addr{a.Unmap()}
		return
	}
	x.Name.Name = host
	if outside && d.doorMeaning(x, host) {
		return
	}
	for i := range d.Image.Ports {
		p := &d.Image.Ports[i]
		if p.Space == fabric.None || p.Silent || outside || !carriesAll(p, sel) {
			continue
		}
		answer := d.Image.Resolve(fabric.PortID(i), host)
		if answer.Verdict == fabric.VerdictAllow {
			x.Name.Addrs = answer.Addrs
			follow := d.Image.Spaces[p.Space].View.Follow(host)
			if follow.Zone != nil {
				x.Name.Zone = follow.Zone.Name
			}
			if follow.Record != nil {
				x.Name.Place = follow.Record.Origin.Place
			}
			return
		}
		break
	}
	for _, r := range d.Network().Resources {
		if !r.ID.Is(model.TypeAppGateway) {
			continue
		}
		y, err := d.routeOf(r.ID.Name(), u, outside)
		if err == nil && y.decision.Rule != "" {
			x.Name.Addrs, x.Name.Assumed = []netip.Addr{y.at.Addr()}, true
			return
		}
	}
}

// carriesAll reports whether a selector means a port inside.
func carriesAll(p *fabric.Port, sel *model.Selector) bool {
	for _, l := range sel.All {
		if !p.Has(fabric.Label{Kind: string(l.Kind), Name: l.Name}) {
			return false
		}
	}
	return len(sel.All) > 0 || sel.Any
}

// gatewayAt returns the application gateway that has a frontend at an address.
func (d *Design) gatewayAt(a netip.Addr) *model.Resource {
	for _, r := range d.Network().Resources {
		if r.ID.Is(model.TypeAppGateway) && slices.Contains(frontendsOf(d.Image, r), a) {
			return r
		}
	}
	return nil
}

// explainRoute says what a gateway does with the request.
func (d *Design) explainRoute(x *URLExplanation, r *model.Resource, u *url.URL, at netip.AddrPort) error {
	c, err := d.routes(r)
	if err != nil {
		return fmt.Errorf("application gateway %s: %w", r.ID.Name(), err)
	}
	router, err := gateway.NewRouter(c)
	if err != nil {
		return err
	}
	path := u.Path // gateways choose by it unescaped
	if path == "" {
		path = "/"
	}
	decision := router.Decide(at, u.Host, path)
	x.Route = &URLRoute{
		Listener: decision.Listener, Rule: decision.Rule, Place: string(decision.Place), Path: decision.Path, Pattern: decision.Pattern,
		Pool: decision.Pool, Settings: decision.Settings, Redirect: decision.Redirect, Status: decision.Status, Passed: decision.Passed,
	}
	x.Route.Firewall = firewallOf(c, &decision)
	if decision.Rule == "" {
		x.Why = cmp.Or(x.Why, fmt.Sprintf("no rule of %s takes it: %d", r.ID.Name(), decision.Status))
		return nil
	}
	if decision.Redirect != "" {
		x.OK = x.Path.Works()
		return nil
	}
	if i := slices.IndexFunc(c.Settings, func(s gateway.Settings) bool { return s.Name == decision.Settings }); i >= 0 {
		x.Route.Host = c.Settings[i].Host
	}
	x.Members = d.legs(&route{resource: r, config: c, decision: decision, at: at})
	reached := 0
	for _, l := range x.Members {
		if l.OK && !l.Probe {
			reached++
		}
		if !l.OK && l.Addr.IsValid() {
			x.members = append(x.members, d.Prover.Explain(
				model.Selector{Text: r.ID.Name(), All: []model.Label{{Kind: model.LabelAppGateway, Name: strings.ToLower(r.ID.Name())}}},
				model.Selector{Text: l.Member, Prefixes: []netip.Prefix{netip.PrefixFrom(l.Addr, l.Addr.BitLen())}},
				[]model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: l.Port, Hi: l.Port}}}},
			))
		}
	}
	x.OK = x.Path.Works() && reached > 0
	if reached == 0 {
		x.Why = cmp.Or(x.Why, fmt.Sprintf("%s reaches no member of pool %s: 502", r.ID.Name(), decision.Pool))
	}
	return nil
}

// firewallOf returns the web application firewall policy that a request meets:
// the path's, else the listener's, else the gateway's.
func firewallOf(c *gateway.Config, d *gateway.Decision) string {
	name := c.Firewall
	for i := range c.Listeners {
		if c.Listeners[i].Name == d.Listener && c.Listeners[i].Firewall != "" {
			name = c.Listeners[i].Firewall
		}
	}
	for i := range c.Rules {
		for j := range c.Rules[i].Paths {
			if p := &c.Rules[i].Paths[j]; c.Rules[i].Name == d.Rule && p.Name == d.Path && p.Firewall != "" {
				name = p.Firewall
			}
		}
	}
	return name
}

// WriteJSON writes the explanation as JSON.
func (x *URLExplanation) WriteJSON(w io.Writer) error { return writeJSON(w, x) }

// WriteText writes the explanation for people.
func (x *URLExplanation) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s from %s\n\n", x.URL, x.From)
	place := func(p string) string {
		if p == "" {
			return ""
		}
		return "  [" + p + "]"
	}
	switch n := &x.Name; {
	case n.Name == "":
		fmt.Fprintf(w, "name      %s is an address\n", x.Name.Addrs[0])
	case n.Assumed:
		fmt.Fprintf(w, "name      no zone of the network has %s: asked for where its listener is, at %s\n", n.Name, n.Addrs[0])
	case len(n.Addrs) == 0:
		fmt.Fprintf(w, "name      %s has no address\n", n.Name)
	default:
		zone := ""
		if n.Zone != "" {
			zone = ", zone " + n.Zone
		}
		fmt.Fprintf(w, "name      %s -> %v%s%s\n", n.Name, n.Addrs[0], zone, place(n.Place))
	}
	if x.At == "" {
		fmt.Fprintf(w, "\nit does not get there: %s\n", x.Why)
		return nil
	}
	verdict := "works"
	if x.Door != nil && len(x.Path.Forward) == 0 && x.Path.Problem == "" {
		verdict = "is outside the network: the edges are, as the client is"
	} else if !x.Path.Works() {
		verdict = "does not work: " + cmp.Or(x.Path.Problem, x.Path.Why)
	}
	fmt.Fprintf(w, "network   tcp to %s %s\n", x.At, verdict)
	for _, h := range x.Path.Forward {
		fmt.Fprintf(w, "          %d %-24s %-22s %s  %s%s\n", h.Hop, h.Port, h.Stage, h.Match, h.Result, place(h.Place))
	}
	x.writeBlockers(w, &x.Path)
	if err := x.writeDoor(w); err != nil {
		return err
	}
	if r := x.Route; r != nil {
		for _, p := range r.Passed {
			name := p.Rule
			if p.Path != "" {
				name += ", path " + p.Path
			}
			fmt.Fprintf(w, "          not rule %s: %s\n", name, p.Why)
		}
		if r.Rule == "" {
			fmt.Fprintf(w, "gateway   %s: no rule takes it: %d\n", x.Gateway, r.Status)
		} else {
			fmt.Fprintf(w, "gateway   %s\nlistener  %s\nrule      %s%s\n", x.Gateway, r.Listener, r.Rule, place(r.Place))
			if r.Path != "" {
				fmt.Fprintf(w, "path      %s (%s)\n", r.Path, r.Pattern)
			}
			if r.Firewall != "" {
				fmt.Fprintf(w, "firewall  %s\n", r.Firewall)
			}
			if r.Redirect != "" {
				fmt.Fprintf(w, "redirect  %s\n", r.Redirect)
			} else {
				host := ""
				if r.Host != "" {
					host = ", asked for " + r.Host
				}
				fmt.Fprintf(w, "pool      %s, settings %s%s\n", r.Pool, r.Settings, host)
			}
		}
	}
	for _, l := range x.Members {
		what, state := "member", "reached"
		if l.Probe {
			what = "probe"
		}
		if !l.OK {
			state = "not reached: " + l.Why
		}
		at := l.Member
		if l.Addr.IsValid() && l.Addr.String() != l.Member {
			at += " at " + l.Addr.String()
		}
		fmt.Fprintf(w, "%-9s %s port %d: %s\n", what, at, l.Port, state)
	}
	for i := range x.members {
		x.writeBlockers(w, &x.members[i])
	}
	if x.OK {
		_, err := fmt.Fprintln(w, "\nit gets there")
		return err
	}
	_, err := fmt.Fprintf(w, "\nit does not get there: %s\n", x.Why)
	return err
}

// writeBlockers says what stops packets, and the smallest fix.
func (x *URLExplanation) writeBlockers(w io.Writer, p *proof.Explanation) {
	for _, b := range p.Blockers {
		at := ""
		if b.Place != "" {
			at = "  [" + b.Place + "]"
		}
		fmt.Fprintf(w, "blocker   %s: %s%s\n", b.Port, b.What, at)
		if b.Fix != "" {
			fmt.Fprintf(w, "fix       %s\n", b.Fix)
		}
	}
}
