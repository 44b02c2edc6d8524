package drill

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Prediction is what the proof says of an expectation, without the failure and
// with it, once the probes have noticed.
type Prediction struct {
	Expectation   model.Expectation
	Before, After proof.Status
	Why           string // of an expectation that does not hold afterwards
}

// Predict proves expectations on the image of a network with a failure. A link
// that carries nothing is no part of an image: of cuts, see [Follow].
func Predict(img *fabric.Image, exps []model.Expectation, f *fabric.Failure) []Prediction {
	before := proof.New(img).Check(exps)
	after := proof.New(img.WhatIf(f)).Check(exps)
	out := make([]Prediction, len(exps))
	for i := range exps {
		out[i] = Prediction{Expectation: exps[i], Before: before[i].Status, After: after[i].Status}
		if r := exps[i].Request; r != nil && r.FrontDoor != "" && exps[i].From.Internet {
			// Between a client outside and the edges there is nothing of the image;
			// what is behind the edges, requests tell.
			out[i].Before, out[i].After = proof.Unknown, proof.Unknown
			out[i].Why = "the client and the edges are outside"
			continue
		}
		if after[i].Status != proof.Holds {
			out[i].Why = after[i].Why
		}
	}
	return out
}

// Forecast is what should become of a flow.
type Forecast string

// The forecasts.
const (
	Works   Forecast = "works"   // whichever members of load balancers take it
	Partly  Forecast = "partly"  // as long as a member takes it that can
	Fails   Forecast = "fails"   // until the failure is over
	Unknown Forecast = "unknown" // it depends on something that is not modelled, or on too many choices
)

// maxRuns bounds the choices of load balancers that are followed for one flow.
const maxRuns = 256

// Follow says what should become of a new flow during a failure that probes
// have noticed, by following its first packet and the reply through the image:
// with every choice that load balancers could make.
func Follow(img *fabric.Image, f *fabric.Failure, from fabric.PortID, p fabric.Packet) (Forecast, string) {
	return follow(img.WhatIf(f), f, from, p)
}

// follow is Follow in the image that the failure has left.
func follow(after *fabric.Image, f *fabric.Failure, from fabric.PortID, p fabric.Packet) (Forecast, string) {
	works, fails := 0, 0
	why := ""
	queue := [][]fabric.Choice{nil}
	for runs := 0; len(queue) > 0; runs++ {
		if runs == maxRuns {
			return Unknown, fmt.Sprintf("load balancers could choose in more than %d ways", maxRuns)
		}
		prefix := queue[0]
		queue = queue[1:]
		made := 0
		var path []fabric.Choice
		choose := func(_, at fabric.PortID, redirect int32, _ fabric.Packet) int32 {
			targets := after.Ports[at].Inward.Redirects[redirect].Targets
			var healthy []int32
			for i := range targets {
				if targets[i].Down == "" {
					healthy = append(healthy, int32(i))
				}
			}
			pick := healthy[0]
			if made < len(prefix) {
				pick = prefix[made].Target
			} else {
				for _, other := range healthy[1:] {
					next := append(append([]fabric.Choice(nil), path...), fabric.Choice{Port: at, Redirect: redirect, Target: other})
					queue = append(queue, next)
				}
			}
			made++
			path = append(path, fabric.Choice{Port: at, Redirect: redirect, Target: pick})
			return pick
		}
		c := ref.ConnectBy(after, from, p, choose)
		v, r := c.Verdict()
		text := ""
		switch cut, broken := crosses(after, f, c.Forward.Path, c.Reply.Path); {
		case v == fabric.VerdictUnknown:
			return Unknown, "the path depends on something that is not modelled"
		case v != fabric.VerdictAllow:
			text = reason(after, r)
		case broken:
			text = fmt.Sprintf("it crosses the link %s - %s", cut.A.Name, cut.B.Name)
		}
		if text == "" {
			works++
			continue
		}
		fails++
		if why == "" {
			why = text
		}
	}
	switch {
	case fails == 0:
		return Works, ""
	case works == 0:
		return Fails, why
	default:
		return Partly, why
	}
}

func reason(img *fabric.Image, r fabric.Reason) string {
	at := ""
	if r.Port != fabric.None {
		at = " at " + img.Ports[r.Port].Name
	}
	if r.Filter != fabric.None && img.Filters[r.Filter].Stage == fabric.StageFailure {
		return img.Filters[r.Filter].Name + " is down" + at
	}
	return r.Code.String() + at
}

// crosses returns the cut that one of several paths crosses.
func crosses(img *fabric.Image, f *fabric.Failure, paths ...[]fabric.PortID) (fabric.Cut, bool) {
	if len(f.Cuts) == 0 {
		return fabric.Cut{}, false
	}
	for _, path := range paths {
		path = img.Places(path)
		for i := 1; i < len(path); i++ {
			if c, ok := f.Broken(img, path[i-1], path[i]); ok {
				return c, true
			}
		}
	}
	return fabric.Cut{}, false
}

// Established says what should become of an established TCP stream, of which p is
// the first packet: it goes on if nothing that it passes is down. Load balancers do
// not move it, and one of the Basic SKU ends it when no member of its is up
// ("Azure Load Balancer health probes"). after is the image with the failure, once
// probes have noticed it.
func Established(img, after *fabric.Image, f *fabric.Failure, p fabric.Packet, forward, reply []fabric.PortID) (Forecast, string) {
	if len(forward) == 0 {
		return Unknown, "its path is not known"
	}
	if public, ok := after.PublicAt(p.Dst); ok && public.Private.IsValid() {
		p.Dst = public.Private
	}
	for _, at := range forward {
		if after.Ports[at].Inward == nil {
			continue
		}
		if i, ok := after.RedirectOf(at, p); ok {
			if r := &after.Ports[at].Inward.Redirects[i]; r.EndsAllDown && !r.Healthy() {
				return Fails, after.Ports[at].Name + " ends its flows when all its members are down"
			}
		}
	}
	dead := map[fabric.PortID]bool{}
	for _, p := range f.Ports {
		dead[p] = true
	}
	for _, path := range [][]fabric.PortID{forward, reply} {
		for _, at := range path {
			if dead[at] {
				return Fails, f.Name + " is down at " + img.Ports[at].Name
			}
		}
	}
	for i, at := range forward[:len(forward)-1] {
		if o := img.Ports[at].Outbound; f.Stops(o) && img.Ports[forward[i+1]].Space == fabric.None {
			return Fails, f.Name + " is down with the " + o.What + " of " + img.Ports[at].Name
		}
	}
	if c, ok := crosses(img, f, forward, reply); ok {
		return Fails, fmt.Sprintf("it crosses the link %s - %s", c.A.Name, c.B.Name)
	}
	return Works, ""
}
