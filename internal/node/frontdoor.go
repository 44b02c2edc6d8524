package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// FrontDoorOptions say how to run a front door.
type FrontDoorOptions struct {
	Log    io.Writer         // gets a JSON line for each request; nil for none
	Probes io.Writer         // gets one for each health probe that failed; nil for none
	WAF    io.Writer         // gets one for each firewall rule that matched; nil for none
	Event  func(text string) // hears of what changes
	Drain  time.Duration     // how long requests may take to end at the end
	Ready  func([]string)    // hears the addresses once they are open
}

// RunFrontDoor runs the front door of a file until the context ends. When the file
// changes it is read again: a good one takes over without a connection lost, of a
// wrong one everything is told and the last good one stays.
func RunFrontDoor(ctx context.Context, file string, o FrontDoorOptions) error {
	if o.Event == nil {
		o.Event = func(string) {}
	}
	d := &runningDoor{}
	requests, probes, matched := &lineWriter{to: o.Log}, &lineWriter{to: o.Probes}, &lineWriter{to: o.WAF}
	d.server = frontdoor.NewServer(frontdoor.Options{
		OnHealth:  func(h frontdoor.Health) { o.Event(healthText(h)) },
		OnRequest: func(r *frontdoor.Record) { requests.write(r) },
		OnProbe:   func(r *frontdoor.ProbeRecord) { probes.write(r) },
		OnFirewall: func(_ string, list []waf.Entry) {
			for i := range list {
				matched.write(&list[i])
			}
		},
	})
	defer d.server.Close(o.Drain)
	var err error
	if d.file, err = serveFile(file, d.take); err != nil {
		return err
	}
	control, err := openControl(ctx, ofFrontDoor, d.mux())
	if err != nil {
		return err
	}
	if o.Ready != nil {
		var at []string
		for _, e := range d.server.Status() {
			for _, a := range e.Addresses {
				at = append(at, fmt.Sprintf("%s (%s, %s)", a, e.Name, e.Region))
			}
		}
		o.Ready(at)
	}
	d.file.follow(ctx, o.Event, func() {})
	return control.close()
}

func healthText(h frontdoor.Health) string {
	state := "healthy"
	if !h.Healthy {
		state = "unhealthy"
	}
	return fmt.Sprintf("edge %s: origin %s of %s is %s: %s", h.Edge, h.Origin, h.Group, state, h.Said)
}

// lineWriter writes values as lines of JSON.
type lineWriter struct {
	mu sync.Mutex
	to io.Writer // nil: nothing is written
}

func (l *lineWriter) write(v any) {
	if l == nil || l.to == nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(append(b, '\n'))
}

// runningDoor is a front door and its file.
type runningDoor struct {
	server *frontdoor.Server
	file   *servedFile
}

// take puts what a file says in force.
func (d *runningDoor) take(path string) (string, error) {
	c, err := frontdoor.ReadFile(path)
	if err != nil {
		return "", err
	}
	return c.Name, d.server.Load(c)
}

// mux answers other processes of the user.
func (d *runningDoor) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/frontdoors", func(w http.ResponseWriter, _ *http.Request) {
		now := d.file.state()
		s := FrontDoorStatus{FrontDoor: now.name, Path: d.file.path, PID: os.Getpid(), Loaded: now.since, Problem: now.problem}
		s.Edges = d.server.Status()
		answer(w, []FrontDoorStatus{s})
	})
	mux.HandleFunc("POST /v1/frontdoors/purge", func(w http.ResponseWriter, r *http.Request) {
		var ask FrontDoorPurge
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ask.FrontDoor = d.file.state().name
		ask.Forgotten = d.server.Purge(ask.Host, ask.Path)
		answer(w, []FrontDoorPurge{ask})
	})
	return mux
}

// CheckFrontDoor reads the file of a front door and reports everything wrong with
// it.
func CheckFrontDoor(file string) (edges, routes int, err error) {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	return len(c.Edges), len(c.Routes), nil
}

// NearestEdge says which edge of a file's front door a client in a region reaches.
func NearestEdge(file, region string) (edge, in string, rtt time.Duration, err error) {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return "", "", 0, err
	}
	e, rtt, ok := c.Nearest(region)
	if !ok {
		return "", "", 0, fmt.Errorf("no region %q", region)
	}
	return e.Name, e.Region, rtt, nil
}

// ExplainFrontDoor says what the front door of a file does with a URL that a
// client in a region asks for; without one, at its first edge.
func ExplainFrontDoor(file, rawURL, region string) (*DoorRoute, error) {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no absolute URL of http or https", rawURL)
	}
	t, err := frontdoor.NewRouter(c)
	if err != nil {
		return nil, err
	}
	e := &c.Edges[0]
	if region != "" {
		near, _, ok := c.Nearest(region)
		if !ok {
			return nil, fmt.Errorf("no region %q", region)
		}
		e = near
	}
	out := &DoorRoute{FrontDoor: c.Name, Edge: e.Name, Region: e.Region, Decision: t.Decide(u, e.Region, nil)}
	return out, nil
}
