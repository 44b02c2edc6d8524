package node

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe"
)

// observing adds what shows a running network.
func (s *System) observing(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/capture", s.capture)
	mux.HandleFunc("GET /v1/flows", s.flows)
	mux.HandleFunc("GET /v1/flows/follow", s.followFlows)
	mux.HandleFunc("GET /v1/flows/explain", s.explainLive)
	mux.Handle("GET /metrics", s.metrics)
}

// maxRows bounds the flows of one answer.
const maxRows = 20_000

// FlowTable is the flows of a running network.
type FlowTable struct {
	Flows []observe.FlowRow `json:"flows"`
	More  int               `json:"more,omitempty"` // flows that were left out
}

// WriteText writes the flows as a table.
func (t *FlowTable) WriteText(w io.Writer) error {
	if err := observe.WriteRows(w, t.Flows); err != nil || t.More == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "and %d more; choose with --host or --denied\n", t.More)
	return err
}

// WriteJSON writes the flows as JSON.
func (t *FlowTable) WriteJSON(w io.Writer) error { return writeJSON(w, t) }

// wanted reads which flows a request asks for.
func (s *System) wanted(q url.Values) (observe.FlowFilter, error) {
	f := observe.FlowFilter{At: q.Get("host"), Denied: q.Get("denied") == "true"}
	if f.At == "" {
		return f, nil
	}
	img := s.Net.Image()
	for i := range img.Ports {
		if observe.Names(img, fabric.PortID(i), f.At) {
			return f, nil
		}
	}
	return f, fmt.Errorf("nothing is called %q; name a host, a network interface, a subnet, an address or \"internet\" (hosts: %s)", f.At, shorten(hostNames(img)))
}

func (s *System) flows(w http.ResponseWriter, r *http.Request) {
	want, err := s.wanted(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	answer(w, s.flowTable(want))
}

func (s *System) flowTable(want observe.FlowFilter) FlowTable {
	img := s.Net.Image()
	var found []engine.Flow
	more := 0
	s.Net.EachFlow(func(f engine.Flow) bool {
		if !want.Match(img, &f) {
			return true
		}
		if len(found) >= maxRows {
			more++
			return true
		}
		found = append(found, f)
		return true
	})
	slices.SortFunc(found, func(a, b engine.Flow) int {
		return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.ID, b.ID))
	})
	now := s.Net.Uptime()
	t := FlowTable{Flows: make([]observe.FlowRow, len(found)), More: more}
	for i := range found {
		t.Flows[i] = observe.Row(img, &found[i], now, s.meter.Connect(found[i].ID))
	}
	return t
}

// followFlows streams what happens to flows, one JSON value a line.
func (s *System) followFlows(w http.ResponseWriter, r *http.Request) {
	want, err := s.wanted(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	f := observe.NewFollower(want, s.meter.Connect)
	defer s.feed.Add(f)()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	out := json.NewEncoder(w)
	for dropped := uint64(0); ; {
		row, ok := f.Next(ctx.Done())
		if !ok {
			return
		}
		if n := f.Dropped(); n > dropped {
			if out.Encode(FlowNews{Missed: n - dropped}) != nil {
				return
			}
			dropped = n
		}
		if out.Encode(FlowNews{FlowRow: row}) != nil || flush() != nil {
			return
		}
	}
}

// FlowNews is what happened to a flow, or how many events were missed because
// they were not read fast enough.
type FlowNews struct {
	observe.FlowRow
	Missed uint64 `json:"missed,omitempty"`
}

func flowQuery(host string, denied bool) string {
	q := url.Values{}
	if host != "" {
		q.Set("host", host)
	}
	if denied {
		q.Set("denied", "true")
	}
	return q.Encode()
}

// Flows returns the flows of a running network: those that pass a place, if host
// names one, and only those that are denied, if asked for.
func (r *Remote) Flows(ctx context.Context, host string, denied bool) (FlowTable, error) {
	var t FlowTable
	return t, r.Get(ctx, "/v1/flows?"+flowQuery(host, denied), &t)
}

// Follow calls f with what happens to flows until ctx ends, which is no error,
// or the network does. begun, if not nil, is called once events are heard.
func (r *Remote) Follow(ctx context.Context, host string, denied bool, begun func(), f func(FlowNews) error) error {
	body, err := r.Stream(ctx, http.MethodGet, "/v1/flows/follow?"+flowQuery(host, denied), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if begun != nil {
		begun()
	}
	in := json.NewDecoder(bufio.NewReader(body))
	for {
		var n FlowNews
		switch err := in.Decode(&n); {
		case ctx.Err() != nil, errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("following was cut off: %w", err)
		}
		if err := f(n); err != nil {
			return err
		}
	}
}

// Metrics copies the metrics of a running network, in Prometheus' text format.
func (r *Remote) Metrics(ctx context.Context, w io.Writer) error {
	body, err := r.Stream(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// measure makes the metrics of the running network.
func (s *System) measure() (err error) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	s.metrics, err = observe.NewMetrics(s.Design.Network().Name, version, s.Net, s.meter, func() []observe.Member {
		var out []observe.Member
		for _, h := range s.Net.Health() {
			out = append(out, observe.Member{Balancer: h.Balancer, Probe: h.Probe.Name, Member: h.Member, Up: h.Up, Sent: h.Sent, Failed: h.Failed})
		}
		return out
	}, s.gateways.meter, s.doors.meter, s.nameMetrics(), s.databaseMetrics())
	return err
}

// serveMetrics answers scrapes at an address, until the system is closed.
func (s *System) serveMetrics(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics)
	s.scraped = &scraped{addr: l.Addr().String(), server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, done: make(chan struct{})}
	go func() {
		defer close(s.scraped.done)
		_ = s.scraped.server.Serve(l)
	}()
	return nil
}

// scraped is the server of metrics.
type scraped struct {
	addr   string
	server *http.Server
	done   chan struct{}
}

func (m *scraped) close() error {
	err := m.server.Close()
	<-m.done
	return err
}

// MetricsAddr returns where metrics are served, "" if they are not.
func (s *System) MetricsAddr() string {
	if s.scraped == nil {
		return ""
	}
	return s.scraped.addr
}
