package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/drill"
)

// drilling adds what tries out a running network's failures.
func (s *System) drilling(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/health", s.health)
	mux.HandleFunc("GET /v1/managers", s.managerStates)
	mux.HandleFunc("GET /v1/drill", s.targets)
	mux.HandleFunc("POST /v1/drill", s.drill)
	mux.HandleFunc("DELETE /v1/drill/{id}", s.endDrill)
	mux.HandleFunc("POST /v1/doctor", s.diagnose)
	s.gatewaying(mux)
	s.databasing(mux)
	s.dooring(mux)
}

// query writes one query parameter, nothing if it is empty.
func query(key, value string) string {
	if value == "" {
		return ""
	}
	return "?" + url.Values{key: {value}}.Encode()
}

// DrillOptions say how to drill.
type DrillOptions struct {
	Target []string      `json:"target"`         // "region", "eastus"
	For    time.Duration `json:"for,omitempty"`  // 0: as long as probes need, twice
	Pace   float64       `json:"pace,omitempty"` // of health probes meanwhile; 0: as they are
	// Grace is how long failover groups wait for their primary; 0 is the drill's
	// own short time.
	Grace time.Duration `json:"grace,omitempty"`
}

// drillOrder is what a client asks for, and what it calls it.
type drillOrder struct {
	DrillOptions
	ID string `json:"id"`
}

// drillLine is one line of a drill's answer: progress, or its end.
type drillLine struct {
	Event  *drill.Event    `json:"event,omitempty"`
	Report json.RawMessage `json:"report,omitempty"`
	Text   string          `json:"text,omitempty"` // the report for people
	OK     bool            `json:"ok,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// ErrDrilling is the error of a second drill at the same time.
var ErrDrilling = errors.New("another drill is under way")

// errEnded is why a drill is over before its time.
var errEnded = errors.New("the drill was interrupted, and what was down is back")

// rehearsal is a drill under way, and what ends it.
type rehearsal struct {
	id     string
	target string
	end    context.CancelCauseFunc
}

// Drill takes something down in the running network, measures, and brings it
// back.
func (s *System) Drill(ctx context.Context, o DrillOptions, on func(drill.Event)) (*drill.Report, error) {
	return s.drillAs(ctx, "", o, on)
}

// drillAs is Drill by a name that [System.endDrill] knows it by.
func (s *System) drillAs(ctx context.Context, id string, o DrillOptions, on func(drill.Event)) (*drill.Report, error) {
	target, err := drill.Parse(s.Net.Declared(), o.Target...)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	mine := &rehearsal{id, target.String(), end}
	if !s.rehearsing.CompareAndSwap(nil, mine) {
		other := "it"
		if x := s.rehearsing.Load(); x != nil {
			other = x.target
		}
		return nil, fmt.Errorf("%w: of %s; wait for its end, or end it with Ctrl-C where it was begun", ErrDrilling, other)
	}
	defer s.rehearsing.Store(nil)
	if o.Grace < 0 || o.Grace > 24*time.Hour {
		return nil, fmt.Errorf("a grace period of %s: use a time up to a day", o.Grace)
	}
	if o.For < 0 || o.For > time.Hour {
		return nil, fmt.Errorf("a failure of %s: use a time up to an hour", o.For)
	}
	if o.Pace != 0 {
		before, names := s.Net.Pace(), s.Net.NamePace()
		if err := s.Net.SetPace(o.Pace); err != nil {
			return nil, err
		}
		if before == 0 {
			before = names
		}
		defer func() { _ = s.Net.SetPace(before) }() // it was in force, so it is right
		defer s.gateways.setPace(o.Pace)()
		defer s.doors.setPace(o.Pace)()
	}
	options := drill.Options{For: o.For, On: on, GroupGrace: o.Grace, Gateways: drilledGateways{s}}
	if s.databases != nil {
		options.Databases = s.databases
	}
	return drill.Run(ctx, s.Net, s.Design.Network().Expectations, target, options)
}

// targets answers what can fail.
func (s *System) targets(w http.ResponseWriter, _ *http.Request) {
	out := []string{}
	for _, t := range drill.All(s.Net.Declared()) {
		out = append(out, t.String())
	}
	answer(w, out)
}

// drill streams a drill: lines of progress, and its report. Who goes away ends
// it, and what was down is back.
func (s *System) drill(w http.ResponseWriter, r *http.Request) {
	var o drillOrder
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if _, err := drill.Parse(s.Net.Declared(), o.Target...); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	report, err := s.drillAs(r.Context(), o.ID, o.DrillOptions, func(e drill.Event) {
		_ = lines.Encode(drillLine{Event: &e}) // a reader that went away ends the drill by its context
		_ = flush.Flush()
	})
	end := drillLine{}
	if err != nil {
		end.Error = err.Error()
	}
	if report != nil {
		var text strings.Builder
		if report.WriteText(&text) == nil {
			end.Text = text.String()
		}
		end.Report, _ = json.Marshal(report)
		end.OK = report.OK() && err == nil
	}
	_ = lines.Encode(end)
}

// endDrill ends the drill of an identity, which then reports what it saw.
func (s *System) endDrill(w http.ResponseWriter, r *http.Request) {
	x := s.rehearsing.Load()
	if x == nil || x.id != r.PathValue("id") {
		refuse(w, http.StatusNotFound, errors.New("no such drill is under way"))
		return
	}
	x.end(errEnded)
	answer(w, struct{}{})
}

// DrillResult is a drill that ended.
type DrillResult struct {
	OK     bool
	Text   string
	Report json.RawMessage
}

// drillEnd is how long an interrupted drill may take to bring back what is down, to
// report, and to move roles of failover groups back.
const drillEnd = 40 * time.Second

// Drill drills a running network; on hears of each stage. When ctx ends, what was
// down is back, and the result, beside the error, is what was seen until then.
func (r *Remote) Drill(ctx context.Context, o DrillOptions, on func(stage, text string)) (*DrillResult, error) {
	// The answer outlives ctx: its end asks for the report.
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	order := drillOrder{o, rand.Text()}
	body, err := r.Stream(reading, http.MethodPost, "/v1/drill", order)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	defer context.AfterFunc(ctx, func() {
		defer stop() // it ends, too, when nobody reads its answer
		end, err := r.Stream(reading, http.MethodDelete, "/v1/drill/"+order.ID, nil)
		if err != nil {
			return
		}
		end.Close()
		select {
		case <-reading.Done():
		case <-time.After(drillEnd):
		}
	})()
	lines := json.NewDecoder(body)
	for {
		var line drillLine
		if err := lines.Decode(&line); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return nil, cause
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the running network ended before its drill")
			}
			return nil, err
		}
		if line.Event != nil {
			on(line.Event.Stage, line.Event.Text)
			continue
		}
		out := &DrillResult{OK: line.OK, Text: line.Text, Report: line.Report}
		if line.Error != "" {
			return out, errors.New(line.Error)
		}
		return out, nil
	}
}

// DrillTargets asks a running network what can fail in it.
func (r *Remote) DrillTargets(ctx context.Context) ([]string, error) {
	var out []string
	err := r.Get(ctx, "/v1/drill", &out)
	return out, err
}
