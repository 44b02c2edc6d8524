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
		out.Members, out.Named = f.originsOf(run, edge, decision.Group)
		return out, true
	}
	return out, false
}

// originsOf returns an address inside the network of each origin of a group that an
// edge takes for well; named reports that some are elsewhere.
func (f *frontDoors) originsOf(run *doorRun, edge *frontdoor.Edge, group string) (members []netip.Addr, named bool) {
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
			named = true
			continue
		}
		if own := img.Sets[img.Ports[at].Addrs]; len(own) > 0 {
			members = append(members, own[0].Lo.Addr())
			continue
		}
		// A public frontend has no address inside; its gateway's instances have.
		inside := false
		for i := range img.Ports {
			if p := &img.Ports[i]; p.Behind && p.Origin.Resource == img.Ports[at].Origin.Resource && !inside {
				if a, ok := firstAddr(img, fabric.PortID(i)); ok {
					members, inside = append(members, a), true
				}
			}
		}
		named = named || !inside
	}
	return members, named
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
