package node

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
	"github.com/ceruleannet/cerulean/model"
)

// takes says which origins of a front door take an expectation's request now, as a
// drill wants to know it: those that the edge nearest to the client takes for well.
func (f *frontDoors) takes(e *model.Expectation) (out drill.Taking, ok bool) {
	d := f.system.Design
	u, err := url.Parse(e.Request.URL)
	if err != nil {
		return out, false
	}
	for _, run := range f.all() {
		r := run.server.Router()
		if !strings.EqualFold(run.id.Name(), e.Request.FrontDoor) || r == nil {
			continue
		}
		edge, _, near := r.Config().Nearest(d.clientRegion(&e.From, d.outside(&e.From)))
		if !near {
			return out, false
		}
		decision := r.Decide(u, edge.Region, nil)
		out.Gateway, out.Pool = run.id.Name(), decision.Group
		if out.Within, ok = run.server.Notice(decision.Group); !ok {
			return out, true // the edges answer themselves, or probe nobody
		}
		f.originsOf(run, edge, decision.Group, u, &out)
		return out, true
	}
	return out, false
}

// originsOf adds an address inside the network of each origin of a group that an edge
// takes for well, with those who take the request behind it, if it is a gateway; or
// that some are elsewhere.
func (f *frontDoors) originsOf(run *doorRun, edge *frontdoor.Edge, group string, u *url.URL, out *drill.Taking) {
	publics := run.publics.Load()
	img := f.system.Net.Image()
	for _, h := range run.server.Health() {
		if h.Edge != edge.Name || h.Group != group || !h.Healthy || publics == nil {
			continue
		}
		at := fabric.PortID(fabric.None)
		for _, a := range (*publics)[strings.ToLower(h.Host)].Addrs {
			if p, ok := img.PublicAt(a); ok {
				at = p.Port
			}
		}
		if at == fabric.None {
			out.Named = true
			continue
		}
		if own := img.Sets[img.Ports[at].Addrs]; len(own) > 0 {
			out.Members = append(out.Members, own[0].Lo.Addr())
			continue
		}
		// A public frontend has no address inside; its gateway's instances have.
		inside := false
		for i := range img.Ports {
			if p := &img.Ports[i]; p.Behind && p.Origin.Resource == img.Ports[at].Origin.Resource && !inside {
				if a, ok := firstAddr(img, fabric.PortID(i)); ok {
					out.Members, inside = append(out.Members, a), true
				}
			}
		}
		out.Named = out.Named || !inside
		f.behindOrigin(img.Ports[at].Origin.Resource, u, inside, out)
	}
}

// behindOrigin adds who takes a request behind the last member, if that is an
// application gateway.
func (f *frontDoors) behindOrigin(resource string, u *url.URL, inside bool, out *drill.Taking) {
	id, err := model.ParseID(resource)
	if err != nil || !inside || !id.Is(model.TypeAppGateway) {
		return
	}
	plain := *u
	plain.Scheme = "http"
	for _, as := range []*url.URL{u, &plain} { // an edge may ask without TLS
		x, ok := drilledGateways{f.system}.behind(id.Name(), as, true)
		if !ok || len(x.Members) == 0 || x.Named {
			continue
		}
		if out.Behind == nil {
			out.Behind = map[int][]netip.Addr{}
		}
		out.Behind[len(out.Members)-1] = x.Members
		out.Within = max(out.Within, x.Within)
		return
	}
}

// setPace makes the edges of all front doors probe at a pace, and returns what brings
// back the one they had.
func (f *frontDoors) setPace(pace float64) (restore func()) {
	before := map[*doorRun]float64{}
	for _, run := range f.all() {
		before[run] = run.server.Pace()
		run.server.SetPace(pace)
	}
	return func() {
		for run, pace := range before {
			run.server.SetPace(pace)
		}
	}
}
