package node

import (
	"net"
	"net/netip"
	"net/url"

	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/model"
)

// drilledGateways are the gateways of a running network, as a drill sends requests
// through them. It implements [drill.Gateways].
type drilledGateways struct{ system *System }

// ListensAt implements [drill.Gateways].
func (d drilledGateways) ListensAt(e *model.Expectation) func(outside bool) []netip.Addr {
	return d.system.listensAt(e)
}

// Takes implements [drill.Gateways]: application gateways are asked what they do with
// the request now.
func (d drilledGateways) Takes(e *model.Expectation) (out drill.Taking, ok bool) {
	if e.Request.FrontDoor != "" {
		return d.system.doors.takes(e)
	}
	u, err := url.Parse(e.Request.URL)
	if err != nil || len(e.To.All) == 0 {
		return out, false
	}
	return d.behind(e.To.All[0].Name, u, d.system.Design.outside(&e.From))
}

// behind says who takes a request for a URL behind the gateway of a name.
func (d drilledGateways) behind(name string, u *url.URL, outside bool) (out drill.Taking, ok bool) {
	x, err := d.system.Design.routeOf(name, u, outside)
	if err != nil {
		return out, false
	}
	run := d.system.gateways.named(x.resource.ID.Name())
	if run == nil || run.server.Router() == nil {
		return out, false
	}
	path := u.Path // gateways choose by it unescaped
	if path == "" {
		path = "/"
	}
	decision := run.server.Router().Decide(x.at, u.Host, path)
	out.Gateway, out.Pool = x.resource.ID.Name(), decision.Pool
	if out.Within, ok = run.server.Notice(decision.Pool, decision.Settings); !ok {
		return out, true // the gateway answers itself
	}
	for _, c := range run.server.Health() {
		if c.Pool != decision.Pool || c.Settings != decision.Settings || !c.Healthy {
			continue
		}
		host, _, _ := net.SplitHostPort(c.Member)
		if a, err := netip.ParseAddr(host); err == nil {
			out.Members = append(out.Members, a)
		} else {
			out.Named = true
		}
	}
	return out, true
}

// setPace makes the probes of all gateways run at a pace, and returns what brings
// back the one they had.
func (g *appGateways) setPace(pace float64) (restore func()) {
	before := map[*appGatewayRun]float64{}
	for _, run := range g.all() {
		before[run] = run.server.Pace()
		run.server.SetPace(pace)
	}
	return func() {
		for run, pace := range before {
			run.server.SetPace(pace)
		}
	}
}
