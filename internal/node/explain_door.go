package node

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// DoorExplanation is what a front door does with a request, leg by leg.
type DoorExplanation struct {
	DoorRoute
	ID      string    `json:"frontDoorId"` // what edges call themselves: X-Azure-FDID
	Client  string    `json:"clientRegion"`
	Origins []doorLeg `json:"legs,omitempty"`
}

// explainDoor says what a front door does with a request.
func (d *Design) explainDoor(x *URLExplanation, f compile.FrontDoor, sel *model.Selector, u *url.URL, outside bool) error {
	door, err := d.doorDesign(f)
	if err != nil {
		return err
	}
	e := &DoorExplanation{ID: model.FrontDoorID(f.Profile.ID), Client: d.clientRegion(sel, outside)}
	x.Door = e
	e.FrontDoor = f.Profile.ID.Name()
	c := door.router.Config()
	if len(f.Edges) == 0 {
		x.Why = "the front door has no edge"
		return nil
	}
	near, _, ok := c.Nearest(e.Client)
	if !ok {
		near = &c.Edges[0]
	}
	e.Edge, e.Region = near.Name, near.Region
	e.Decision = door.router.Decide(u, near.Region, nil)
	works := outside || x.Path.Works()
	switch {
	case e.Decision.Redirect != "":
		x.OK = works
	case e.Decision.Route == "":
		x.Why = cmp.Or(x.Why, fmt.Sprintf("no route of %s takes it: %d", e.FrontDoor, e.Decision.Status))
	default:
		e.Origins = d.doorLegs(door, &e.Decision, u)
		reached := slices.ContainsFunc(e.Origins, func(l doorLeg) bool { return l.OK })
		x.OK = works && reached
		if !reached {
			x.Why = cmp.Or(x.Why, fmt.Sprintf("the edges of %s reach no origin of group %s: 503", e.FrontDoor, e.Decision.Group))
		}
	}
	return nil
}

// clientRegion is where a sender is: of several the first's; outside the network
// and unknown it counts as in the network's first region.
func (d *Design) clientRegion(sel *model.Selector, outside bool) string {
	if outside {
		for _, p := range sel.Prefixes {
			for _, h := range d.Network().Internet {
				if h.Region != "" && slices.ContainsFunc(h.Addrs, p.Contains) {
					return h.Region
				}
			}
		}
	} else {
		for i := range d.Image.Ports {
			if p := &d.Image.Ports[i]; p.Region != fabric.None && p.Space != fabric.None && carriesAll(p, sel) {
				return d.Image.Regions[p.Region]
			}
		}
	}
	if len(d.Image.Regions) > 0 {
		return d.Image.Regions[0]
	}
	return ""
}

// writeDoor writes what a front door does for people.
func (x *URLExplanation) writeDoor(w io.Writer) error {
	e := x.Door
	if e == nil {
		return nil
	}
	fmt.Fprintf(w, "client    in %s, so the nearest edge is that in %s\n", e.Client, e.Region)
	route := e.DoorRoute
	route.Decision.Origins = nil
	if err := route.WriteText(w); err != nil {
		return err
	}
	for i := range e.Origins {
		x.writeDoorLeg(w, &e.Origins[i])
	}
	if len(e.Origins) > 0 {
		fmt.Fprintf(w, "note      the edges ask from %s, which is every front door of Azure; this one says\n          X-Azure-FDID: %s, which an origin that is for it alone has to look at\n", catalog.FrontDoorBackendTag, e.ID)
	}
	return nil
}

func (x *URLExplanation) writeDoorLeg(w io.Writer, l *doorLeg) {
	state := fmt.Sprintf("takes %d%% of this edge's requests", l.Share)
	if !l.Takes {
		state = "not now, as " + l.Why
	}
	scheme := map[bool]string{true: "https", false: "http"}[l.Secure]
	at := ""
	if l.Place != "" {
		at = "  [" + string(l.Place) + "]"
	}
	fmt.Fprintf(w, "origin    %s at %s://%s:%d, asked for %s%s\n          %s\n", l.Origin, scheme, l.Host, l.Port, l.Header, at, state)
	switch {
	case l.OK && l.Outside:
		fmt.Fprintf(w, "          %s is outside the network\n", l.Addr)
	case l.Addr.IsValid() && (l.OK || l.Gateway != ""):
		fmt.Fprintf(w, "          the edges reach %s port %d\n", l.Addr, l.Port)
	}
	if r := l.Route; r != nil && r.Rule != "" {
		rule := r.Rule
		if r.Path != "" {
			rule += ", path " + r.Path + " (" + r.Pattern + ")"
		}
		to := "pool " + r.Pool
		if r.Redirect != "" {
			to = "redirect to " + r.Redirect
		}
		fmt.Fprintf(w, "          gateway %s: listener %s, rule %s, %s\n", l.Gateway, r.Listener, rule, to)
	}
	for _, m := range l.Members {
		what, state := "member", "reached"
		if m.Probe {
			what = "probe"
		}
		if !m.OK {
			state = "not reached: " + m.Why
		}
		fmt.Fprintf(w, "          %s %s port %d: %s\n", what, m.Member, m.Port, state)
	}
	if !l.OK {
		fmt.Fprintf(w, "          not reached: %s\n", strings.TrimSpace(l.Reason))
		if l.blocked != nil {
			x.writeBlockers(w, l.blocked)
		}
	}
}

// doorMeaning finds the address of a front door for who asks outside the network,
// where everybody resolves its names.
func (d *Design) doorMeaning(x *URLExplanation, host string) bool {
	f, ok := d.doorFor(host)
	if !ok {
		return false
	}
	x.Name.Addrs = append(x.Name.Addrs, f.Addr)
	for _, n := range f.Names {
		if n.Name == host {
			x.Name.Zone, x.Name.Place = cmp.Or(n.Alias, n.Name), n.Part.Pos.String()
		}
	}
	return true
}

// doorSteps adds what a front door does with a request, and how its edge sees the
// origins.
func (d *Diagnosis) doorSteps(s *System, x *URLExplanation) {
	e := x.Door
	step := DoctorStep{Step: "front door", State: stepOK, Place: string(e.Decision.Place)}
	switch {
	case e.Decision.Route == "":
		step.State, step.What = stepFails, fmt.Sprintf("no route of %s takes it: %d", e.FrontDoor, e.Decision.Status)
	case e.Decision.Redirect != "":
		step.What = fmt.Sprintf("%s: edge in %s, route %s: redirected to %s", e.FrontDoor, e.Region, e.Decision.Route, e.Decision.Redirect)
	default:
		step.What = fmt.Sprintf("%s: edge in %s, route %s, origin group %s", e.FrontDoor, e.Region, e.Decision.Route, e.Decision.Group)
	}
	d.Steps = append(d.Steps, step)
	for _, run := range s.doors.all() {
		if !strings.EqualFold(run.id.Name(), e.FrontDoor) {
			continue
		}
		for _, h := range run.server.Health() {
			if h.Edge != e.Edge || h.Group != e.Decision.Group {
				continue
			}
			state := stepOK
			if !h.Healthy {
				state = stepUnknown // another may take it
			}
			d.Steps = append(d.Steps, DoctorStep{Step: "origin", State: state, What: h.Origin + ": " + h.Said, MS: ms(h.Latency)})
		}
	}
}
