package node

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/traffic/appgateway"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
)

// A claim about a URL is proved leg by leg: its own packets go to the gateway
// that listens for it; here follow those from the gateway to the members that its
// rules choose, and to their probes.

// leg is a connection behind a gateway.
type leg struct {
	Member string     `json:"member"` // as the pool has it
	Addr   netip.Addr `json:"address"`
	Port   uint16     `json:"port"`
	OK     bool       `json:"ok"`
	Why    string     `json:"why,omitempty"`
	Probe  bool       `json:"probe,omitempty"` // what a health probe asks
}

// route is what a gateway does with a URL.
type route struct {
	resource *model.Resource
	config   *gateway.Config
	decision gateway.Decision
	at       netip.AddrPort
}

// gatewayResource returns the application gateway of a name.
func (d *Design) gatewayResource(name string) *model.Resource {
	for _, r := range d.Network().Resources {
		if r.ID.Is(model.TypeAppGateway) && strings.EqualFold(r.ID.Name(), name) {
			return r
		}
	}
	return nil
}

// routes returns the configuration of a gateway as far as routes go.
func (d *Design) routes(r *model.Resource) (*gateway.Config, error) {
	img := d.Image
	c, _, err := appgateway.Convert(appgateway.Source{
		Gateway: r, Routes: true, Policies: extraOf(d.Network(), r.ID).Policies,
		Frontend:   func(name string) (netip.Addr, bool) { return frontendAddr(img, r, name) },
		Interfaces: func(pool string) []netip.Addr { return interfacesOf(img, d.Network().Resources, pool) },
		Resource: func(id string) (*model.Resource, bool) {
			i := slices.IndexFunc(d.Network().Resources, func(x *model.Resource) bool { return strings.EqualFold(x.ID.String(), id) })
			if i < 0 {
				return nil, false
			}
			return d.Network().Resources[i], true
		},
	})
	return c, err
}

// routeOf returns what the gateway of a name does with a URL that somebody asks
// for at one of its frontends: outside the public one.
func (d *Design) routeOf(name string, u *url.URL, outside bool) (*route, error) {
	r := d.gatewayResource(name)
	if r == nil {
		return nil, fmt.Errorf("there is no application gateway %q", name)
	}
	c, err := d.routes(r)
	if err != nil {
		return nil, err
	}
	router, err := gateway.NewRouter(c)
	if err != nil {
		return nil, err
	}
	out := &route{resource: r, config: c}
	path := u.Path // gateways choose by it unescaped
	if path == "" {
		path = "/"
	}
	for _, a := range d.listeningAt(c, u, outside) {
		if x := router.Decide(a, u.Host, path); x.Rule != "" || out.at == (netip.AddrPort{}) {
			out.decision, out.at = x, a
			if x.Rule != "" {
				break
			}
		}
	}
	if !out.at.IsValid() {
		return nil, fmt.Errorf("gateway %s does not listen at the port of %s", name, u)
	}
	return out, nil
}

// listeningAt returns where a gateway listens at a URL's port and protocol: for
// those outside its public addresses, for others the private ones first.
func (d *Design) listeningAt(c *gateway.Config, u *url.URL, outside bool) []netip.AddrPort {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var private, public []netip.AddrPort
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if fmt.Sprint(l.Address.Port()) != port || !strings.EqualFold(string(l.Protocol), u.Scheme) {
			continue
		}
		to := &private
		if _, ok := d.Image.PublicAt(l.Address.Addr()); ok {
			to = &public
		}
		if !slices.Contains(*to, l.Address) {
			*to = append(*to, l.Address)
		}
	}
	if outside {
		return public
	}
	return append(private, public...)
}

// legs proves the connections behind a gateway to the members of a route.
func (d *Design) legs(x *route) []leg {
	var out []leg
	c := x.config
	p := slices.IndexFunc(c.Pools, func(p gateway.Pool) bool { return p.Name == x.decision.Pool })
	s := slices.IndexFunc(c.Settings, func(s gateway.Settings) bool { return s.Name == x.decision.Settings })
	if p < 0 || s < 0 {
		return nil
	}
	settings := &c.Settings[s]
	probe := slices.IndexFunc(c.Probes, func(p gateway.Probe) bool { return p.Name == settings.Probe })
	for _, m := range c.Pools[p].Members {
		port := m.Port
		if port == 0 {
			port = settings.Port
		}
		asked := []uint16{port}
		if probe >= 0 && c.Probes[probe].Port != 0 && c.Probes[probe].Port != port {
			asked = append(asked, c.Probes[probe].Port)
		}
		for i, port := range asked {
			for _, l := range d.legsTo(x.resource, m.Host, port) {
				l.Probe = i > 0
				out = append(out, l)
			}
		}
	}
	return out
}

// legsTo proves that a gateway reaches a member at a port: every address of one
// that is named.
func (d *Design) legsTo(r *model.Resource, host string, port uint16) []leg {
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else {
		at := instancesPort(d.Image, r)
		if at == fabric.None {
			return nil
		}
		answer := d.Image.Resolve(at, host)
		if answer.Verdict != fabric.VerdictAllow {
			return []leg{{Member: host, Port: port, Why: fmt.Sprintf("the gateway finds no address of %s", host)}}
		}
		addrs = answer.Addrs
	}
	var out []leg
	for _, a := range addrs {
		e := model.Expectation{
			Verb: model.Allow, Text: fmt.Sprintf("allow %s -> %s tcp/%d", r.ID.Name(), a, port),
			From:    model.Selector{Text: r.ID.Name(), All: []model.Label{{Kind: model.LabelAppGateway, Name: strings.ToLower(r.ID.Name())}}},
			To:      model.Selector{Text: a.String(), Prefixes: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}},
			Traffic: []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: port, Hi: port}}}},
		}
		f := d.Prover.Check([]model.Expectation{e})[0]
		l := leg{Member: host, Addr: a, Port: port, OK: f.Status == proof.Holds}
		if !l.OK {
			l.Why = f.Why
		}
		out = append(out, l)
	}
	return out
}

// instancesPort returns the port of a gateway's instances.
func instancesPort(img *fabric.Image, r *model.Resource) fabric.PortID {
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Kind == fabric.PortHost && p.Behind && strings.EqualFold(p.Origin.Resource, r.ID.String()) {
			return fabric.PortID(i)
		}
	}
	return fabric.None
}

// follow completes the findings of claims about URLs: the gateway has a rule for
// the URL, and reaches a member that the rule chooses.
func (d *Design) follow(findings []proof.Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Expectation.Request != nil && f.Expectation.Request.FrontDoor != "" {
			d.followDoor(f)
			continue
		}
		if f.Expectation.Request == nil || f.Status != proof.Holds {
			continue
		}
		d.followOne(f)
	}
}

func (d *Design) followOne(f *proof.Finding) {
	broken := func(format string, args ...any) { f.Status, f.Why = proof.Broken, fmt.Sprintf(format, args...) }
	e := &f.Expectation
	u, err := url.Parse(e.Request.URL)
	if err != nil || len(e.To.All) == 0 {
		f.Status, f.Why = proof.Unknown, "the URL names no gateway"
		return
	}
	x, err := d.routeOf(e.To.All[0].Name, u, d.outside(&e.From))
	if err != nil {
		broken("the gateway's configuration is wrong: %v", err)
		return
	}
	switch {
	case x.decision.Rule == "":
		if !e.Request.Fits(404) {
			broken("no rule of %s takes it: the answer is 404", x.resource.ID.Name())
		}
		return
	case x.decision.Redirect != "":
		return // the gateway answers itself
	case refused(e.Request):
		f.Why += fmt.Sprintf("; rule %s: whether it is refused is asked where it runs", x.decision.Rule)
		return
	}
	legs := d.legs(x)
	reached, bad := 0, ""
	down := map[string]bool{} // members whose probes fail
	for _, l := range legs {
		if !l.OK {
			if l.Probe {
				down[l.Member] = true
			}
			if bad == "" {
				bad = fmt.Sprintf("%s:%d: %s", l.Member, l.Port, l.Why)
			}
		}
	}
	for _, l := range legs {
		if l.OK && !l.Probe && !down[l.Member] {
			reached++
		}
	}
	switch {
	case reached == 0 && len(legs) == 0:
		if !e.Request.Fits(502) {
			broken("pool %s has no member: the answer is 502", x.decision.Pool)
		}
	case reached == 0:
		if !e.Request.Fits(502) {
			broken("rule %s sends it to pool %s, of which %s reaches no member: %s", x.decision.Rule, x.decision.Pool, x.resource.ID.Name(), bad)
		}
	case bad != "":
		f.Why += fmt.Sprintf("; rule %s, pool %s: %d of its connections work, one does not: %s", x.decision.Rule, x.decision.Pool, reached, bad)
	default:
		f.Why += fmt.Sprintf("; rule %s, pool %s: the gateway reaches every member", x.decision.Rule, x.decision.Pool)
	}
}

// refused reports whether a claim is that the gateway refuses a request, so that no
// member need be reached.
func refused(r *model.Request) bool {
	for status := 100; status < 400; status++ {
		if r.Fits(status) {
			return false
		}
	}
	return true
}

// outside reports whether a selector speaks of somebody on the internet.
func (d *Design) outside(sel *model.Selector) bool {
	if sel.Internet {
		return true
	}
	if len(sel.All) > 0 || sel.Any || sel.OnPrem || d.Image.Edge == fabric.None {
		return false
	}
	edge := d.Image.Sets[d.Image.Ports[d.Image.Edge].Addrs]
	return slices.ContainsFunc(sel.Prefixes, func(p netip.Prefix) bool { return edge.Overlaps(fabric.PrefixSet(p)) })
}

// request sends the requests of expectations, all at the same time.
func (s *System) request(ctx context.Context) {
	var all sync.WaitGroup
	for i := range s.Probes {
		r := &s.Probes[i]
		if r.Expectation.Request == nil {
			continue
		}
		all.Go(func() {
			probes := s.Net.Request(ctx, &r.Expectation, s.listensAt(&r.Expectation))
			r.Probes = append(r.Probes, probes...)
			r.Holds = r.Holds && !slices.ContainsFunc(probes, func(p live.Probe) bool { return !p.Holds })
		})
	}
	all.Wait()
}

// listensAt returns where the gateway of an expectation listens, for names that no
// zone has.
func (s *System) listensAt(e *model.Expectation) func(outside bool) []netip.Addr {
	return func(outside bool) []netip.Addr {
		if e.Request.FrontDoor != "" && len(e.To.Prefixes) > 0 {
			return []netip.Addr{e.To.Prefixes[0].Addr()}
		}
		u, err := url.Parse(e.Request.URL)
		if err != nil || len(e.To.All) == 0 {
			return nil
		}
		x, err := s.Design.routeOf(e.To.All[0].Name, u, outside)
		if err != nil {
			return nil
		}
		return []netip.Addr{x.at.Addr()}
	}
}
