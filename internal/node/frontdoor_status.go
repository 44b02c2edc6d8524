package node

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
)

// ofFrontDoor begins the names of control sockets of front doors that run alone.
const ofFrontDoor = "frontdoor"

// FrontDoorStatus is a running front door.
type FrontDoorStatus struct {
	FrontDoor string                 `json:"frontDoor"`
	Path      string                 `json:"path"`
	PID       int                    `json:"pid"`
	Names     []string               `json:"names,omitempty"` // of a network's: what leads to it
	Loaded    time.Time              `json:"loaded"`
	Problem   string                 `json:"problem,omitempty"` // why what is declared now is not in force
	Findings  []string               `json:"findings,omitempty"`
	Edges     []frontdoor.EdgeStatus `json:"edges"`
}

// FrontDoorPurge asks a front door to forget kept answers.
type FrontDoorPurge struct {
	FrontDoor string `json:"frontDoor,omitempty"`
	Host      string `json:"host,omitempty"` // empty: every host
	Path      string `json:"path"`           // may end with *
	Forgotten int    `json:"forgotten"`
}

// FrontDoors returns the user's running front doors: those of running networks,
// and those that run alone.
func FrontDoors(ctx context.Context) ([]FrontDoorStatus, error) {
	out := []FrontDoorStatus{}
	err := eachDoor(ctx, func(r *Remote) error {
		var list []FrontDoorStatus
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if r.Get(ask, "/v1/frontdoors", &list) == nil { // otherwise it is going down, or was killed
			out = append(out, list...)
		}
		return nil
	})
	return out, err
}

// PurgeFrontDoors makes the user's running front doors, or the one of a name,
// forget kept answers.
func PurgeFrontDoors(ctx context.Context, name string, ask FrontDoorPurge) ([]FrontDoorPurge, error) {
	out := []FrontDoorPurge{}
	ask.FrontDoor = name
	err := eachDoor(ctx, func(r *Remote) error {
		var list []FrontDoorPurge
		if err := r.Post(ctx, "/v1/frontdoors/purge", ask, &list); err != nil {
			return err
		}
		for _, p := range list {
			if name == "" || strings.EqualFold(p.FrontDoor, name) {
				out = append(out, p)
			}
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		what := "no front door"
		if name != "" {
			what += " " + name
		}
		err = fmt.Errorf("%s is running; see 'cerulean frontdoor status'", what)
	}
	return out, err
}

// eachDoor calls f for every process of the user that may run front doors.
func eachDoor(ctx context.Context, f func(*Remote) error) error {
	networks, err := Running(ctx)
	if err != nil {
		return err
	}
	sockets, err := controlSockets(ofFrontDoor)
	if err != nil {
		return err
	}
	for _, socket := range sockets {
		networks = append(networks, newRemote(socket))
	}
	for _, r := range networks {
		if e := f(r); err == nil {
			err = e
		}
		r.Close()
	}
	return err
}

// WriteFrontDoors writes running front doors and how their edges see origins.
func WriteFrontDoors(w io.Writer, list []FrontDoorStatus) error {
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		names := ""
		if len(s.Names) > 0 {
			names = " for " + strings.Join(s.Names, ", ")
		}
		fmt.Fprintf(w, "%s%s (%s, process %d)\n", s.FrontDoor, names, s.Path, s.PID)
		if s.Problem != "" {
			fmt.Fprintf(w, "  what is declared now is not in force:\n  %s\n", strings.ReplaceAll(s.Problem, "\n", "\n  "))
		}
		for _, f := range s.Findings {
			fmt.Fprintf(w, "  %s\n", f)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  EDGE\tREGION\tGROUP\tORIGIN\tSTATE\tLATENCY\tLAST PROBE")
		for _, e := range s.Edges {
			for _, o := range e.Origins {
				state := "healthy"
				if !o.Healthy {
					state = "unhealthy"
				}
				fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, e.Region, o.Group, o.Origin, state, o.Latency.Round(10*time.Microsecond), o.Said)
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, e := range s.Edges {
			if k := e.Cache; k.Hits+k.Misses > 0 {
				fmt.Fprintf(w, "  %s keeps %d answers, %d bytes; %d hits, %d misses\n", e.Name, k.Answers, k.Bytes, k.Hits, k.Misses)
			}
		}
	}
	return nil
}

// DoorRoute is what an edge of a front door does with a URL.
type DoorRoute struct {
	FrontDoor string             `json:"frontDoor"`
	Edge      string             `json:"edge"`
	Region    string             `json:"region"`
	Decision  frontdoor.Decision `json:"decision"`
}

// WriteText writes it for people.
func (x *DoorRoute) WriteText(w io.Writer) error {
	d := &x.Decision
	place := func(p frontdoor.Place) string {
		if p == "" {
			return ""
		}
		return "  [" + string(p) + "]"
	}
	fmt.Fprintf(w, "door      %s\nedge      %s in %s\n", x.FrontDoor, x.Edge, x.Region)
	for _, p := range d.Passed {
		fmt.Fprintf(w, "          not route %s: %s%s\n", p.Route, p.Why, place(p.Place))
	}
	if d.Firewall != "" {
		fmt.Fprintf(w, "firewall  %s\n", d.Firewall)
	}
	if d.Route == "" {
		_, err := fmt.Fprintf(w, "route     none takes it: %d\n", d.Status)
		return err
	}
	fmt.Fprintf(w, "domain    %s\nroute     %s (%s)%s\n", d.Domain, d.Route, d.Pattern, place(d.Place))
	for _, r := range d.Rules {
		fmt.Fprintf(w, "rule      %s\n", r)
	}
	if d.Redirect != "" {
		_, err := fmt.Fprintf(w, "redirect  %d to %s\n", d.Status, d.Redirect)
		return err
	}
	kept := ""
	if d.Cached {
		kept = ", answers are kept"
	}
	fmt.Fprintf(w, "group     %s, asked for %s%s\n", d.Group, d.Path, kept)
	if d.Unhealthy {
		fmt.Fprintln(w, "          no origin is healthy: all take turns")
	}
	for _, o := range d.Origins {
		state := fmt.Sprintf("takes %d%%", o.Share)
		if !o.Takes {
			state = "not now: " + o.Why
		}
		scheme := "http"
		if o.Secure {
			scheme = "https"
		}
		if _, err := fmt.Fprintf(w, "origin    %s at %s://%s:%d as %s: %s%s\n", o.Origin, scheme, o.Host, o.Port, o.Header, state, place(o.Place)); err != nil {
			return err
		}
	}
	return nil
}
