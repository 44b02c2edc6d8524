package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/observe/flowlog"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/sql"
)

// UpOptions say how to run a network.
type UpOptions struct {
	Dir    string // state of the embedded cloud; empty means memory
	Listen string // address of the embedded cloud
	// Parameters is the file of a template's parameters; empty means the one
	// beside it.
	Parameters string
	Latency    float64 // scale of the latency between regions; 0 is none
	// Pace is how much faster than declared health probes are sent; 0 is as
	// declared.
	Pace float64
	// Control lets other processes of the user control the network.
	Control bool
	// NoProbe leaves the expectations unprobed.
	NoProbe bool
	// Output is where the programs of hosts write; nil leaves them unstarted.
	Output io.Writer
	// FlowLogs is the folder of Azure's flow logs; empty means none are written.
	FlowLogs string
	// Metrics is the address where Prometheus may scrape; empty means none.
	Metrics string
}

// Event is progress of Up: a stage that ended, or, with Total above 0, how far
// one is.
type Event struct {
	Stage            string // declare, compile, prove, apply, run, probe
	Text             string
	Took             time.Duration
	Completed, Total int
}

// System is a network that runs, with everything known about it.
type System struct {
	Design *Design
	Cloud  *Cloud
	Net    *live.Network
	Report *Report
	Probes []live.ProbeResult

	path     string // of the declaration, absolute
	started  time.Time
	keys     string   // folder of the cloud's keys, if they are for this run only
	control  *control // nil unless asked for
	running  context.Context
	end      context.CancelFunc // of running
	machines machines
	feed     observe.Feed
	recorder *flowlog.Recorder // nil unless asked for
	meter    *observe.Meter
	metrics  *observe.Metrics
	gateways *appGateways
	// databases are the SQL servers; nil if another process serves the cloud.
	databases *sql.Servers
	doors     *frontDoors
	// discovery is the registry of services.
	discovery *serviceRegistry
	// following ends when the network no longer follows its cloud.
	following sync.WaitGroup
	scraped   *scraped // nil unless asked for
	// rehearsing is the drill under way: one at a time.
	rehearsing atomic.Pointer[rehearsal]

	stages []Event
	once   sync.Once
	err    error
}

// Up takes a network through the whole spine: declared, compiled, proved,
// applied to the embedded cloud through its API, compiled again from what the
// cloud holds, run, and probed. on hears of every stage. A broken expectation is
// no error: the network runs as it is declared and [System.Failed] says so.
func Up(ctx context.Context, path string, o UpOptions, on func(Event)) (_ *System, err error) {
	s := &System{}
	s.running, s.end = context.WithCancel(context.Background())
	if s.path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	end := func(stage, text string, took time.Duration) {
		e := Event{Stage: stage, Text: text, Took: took}
		s.stages = append(s.stages, e)
		on(e)
	}
	if math.IsNaN(o.Latency) || math.IsInf(o.Latency, 0) || o.Latency < 0 {
		return nil, fmt.Errorf("latency %v: use 0 for none, or a scale above 0", o.Latency)
	}
	if o.Parameters != "" {
		s.Design, err = OpenTemplate(path, o.Parameters)
	} else {
		s.Design, err = Open(path, LockWrite)
	}
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	d := s.Design
	n, img := d.Network(), d.Image
	end("declare", fmt.Sprintf("%d resources, %d hosts, %d expectations", len(n.Resources), len(n.Hosts), len(n.Expectations)), d.Took.Declare)
	end("compile", fmt.Sprintf("%d ports, %d filters, %d route tables", len(img.Ports), len(img.Filters), len(img.Tables)), d.Took.Compile)

	begin := time.Now()
	s.Report = d.Check()
	end("prove", s.Report.Headline(), time.Since(begin))

	begin = time.Now()
	text, err := s.apply(ctx, o, on)
	if err != nil {
		return nil, err
	}
	end("apply", text, time.Since(begin))

	begin = time.Now()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := s.run(o); err != nil {
		return nil, err
	}
	s.started = time.Now()
	s.follow()
	if o.Control {
		if err := s.openControl(); err != nil {
			return nil, err
		}
	}
	end("run", fmt.Sprintf("%d hosts; the cloud's network is the one that was proved", len(s.Net.Hosts())), time.Since(begin))
	if o.Output != nil {
		// After the probes, which speak with what is declared.
		defer func() {
			if err == nil {
				s.startPrograms(o.Output)
			}
		}()
	}
	if o.NoProbe {
		return s, nil
	}

	begin = time.Now()
	if err := s.Net.Probed(ctx); err != nil {
		return nil, err
	}
	s.Probes = s.Net.Probe(ctx, n.Expectations)
	s.request(ctx)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	end("probe", fmt.Sprintf("%d exchanges of real packets; %s", s.probeCount(), s.agreement()), time.Since(begin))
	return s, nil
}

// apply brings the embedded cloud to what is declared.
func (s *System) apply(ctx context.Context, o UpOptions, on func(Event)) (string, error) {
	var err error
	if o.Control && o.Dir == "" {
		if s.keys, err = keysFolder(); err != nil {
			return "", err
		}
	}
	s.Cloud, err = OpenCloud(ctx, CloudOptions{Dir: o.Dir, Keys: s.keys, Listen: o.Listen, Subscription: s.Design.Network().Subscription, Serve: true})
	if err != nil {
		return "", err
	}
	p, err := s.Cloud.Plan(ctx, s.Design)
	if err != nil {
		return "", err
	}
	if p.Empty() {
		return "nothing to do, the cloud is as declared", nil
	}
	_, err = s.Cloud.Apply(ctx, p, 0, func(done, total int, what string) {
		on(Event{Stage: "apply", Text: what, Completed: done, Total: total})
	})
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(p.plan.Header(), s.Design.Network().Name+": "), nil
}

// run compiles what the cloud holds, demands that it is what was proved, and
// starts the hosts.
func (s *System) run(o UpOptions) error {
	snapshot := s.Cloud.Snapshot()
	cloud, err := compile.Compile(snapshot, compile.Options{Internet: s.Design.Network().Internet})
	if err != nil {
		return fmt.Errorf("compiling what the cloud holds: %w", err)
	}
	if settled, some := settle(s.Design.Network().Resources, snapshot); some {
		// The cloud chose addresses: prove the network with those.
		if err := s.Design.recompile(settled); err != nil {
			return err
		}
		s.Report = s.Design.Check()
	}
	// The proved image has the declared places, the cloud's has not; otherwise
	// they are one.
	if cloud.Digest() != s.Design.Image.Digest() {
		return fmt.Errorf("the cloud holds another network than the one that was proved: %s", difference(s.Design.Image, cloud))
	}
	services, err := s.services()
	if err != nil {
		return err
	}
	s.databases = s.newDatabases()
	if o.FlowLogs != "" {
		if err := s.recordFlows(o.FlowLogs); err != nil {
			return err
		}
	}
	s.meter = observe.NewMeter()
	s.feed.Add(s.meter)
	if s.discovery, err = s.newServiceRegistry(cmp.Or(o.Pace, 1)); err != nil {
		return err
	}
	s.Net, err = live.Start(s.Design.Image, s.Design.Network().Hosts, live.Options{
		OnFlow: s.feed.OnFlow, OnClose: s.feed.OnClose,
		Latency: o.Latency, Pace: cmp.Or(o.Pace, 1), Underlay: s.Design.Network().Underlay,
		Services: services, Streams: s.streams(), Discovery: s.discovery, Internet: s.Design.Network().Internet, Managers: s.Design.Managers,
	})
	if err != nil {
		return err
	}
	s.discovery.run(s.running)
	s.startDatabases()
	if err := s.startAppGateways(o, services); err != nil {
		return err
	}
	if err := s.startFrontDoors(o); err != nil {
		return err
	}
	if s.recorder != nil {
		s.recorder.Run(s.Net)
	}
	if err := s.measure(); err != nil || o.Metrics == "" {
		return err
	}
	return s.serveMetrics(o.Metrics)
}

// difference returns the first line on which two images differ.
func difference(proved, cloud *fabric.Image) string {
	var a, b bytes.Buffer
	if proved.Describe(&a) != nil || cloud.Describe(&b) != nil {
		return "they cannot be described"
	}
	x, y := strings.Split(a.String(), "\n"), strings.Split(b.String(), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("proved %q, cloud %q", x[i], y[i])
		}
	}
	return "one has more parts"
}

// probeCount returns the number of exchanges.
func (s *System) probeCount() int {
	n := 0
	for i := range s.Probes {
		n += len(s.Probes[i].Probes)
	}
	return n
}

// contradiction says how packets contradict the proof of an expectation, or "".
func (s *System) contradiction(i int) string {
	if err := live.Compare(&s.Probes[i], &s.Report.Findings[i]); err != nil {
		return err.Error()
	}
	return ""
}

// agreement says whether proof and packets agree.
func (s *System) agreement() string {
	n := 0
	for i := range s.Probes {
		if s.contradiction(i) != "" {
			n++
		}
	}
	if n == 0 {
		return "proof and packets agree"
	}
	return fmt.Sprintf("PROOF AND PACKETS DISAGREE on %d", n)
}

// Failed reports whether an expectation is broken or undecided, or a probe
// contradicts its proof.
func (s *System) Failed() bool {
	if s.Report.Failed() {
		return true
	}
	for i := range s.Probes {
		if s.contradiction(i) != "" || !s.Probes[i].Holds {
			return true
		}
	}
	return false
}

// ProbeRow is one expectation, proof and packets side by side.
type ProbeRow struct {
	Expectation   string `json:"expectation"`
	Place         string `json:"place,omitempty"`
	Proof         string `json:"proof"`
	Why           string `json:"why,omitempty"`
	Probes        int    `json:"probes"`
	Confirmed     int    `json:"confirmed"`
	Contradiction string `json:"contradiction,omitempty"`
	// Requests are those whose answers are not as claimed.
	Requests []string `json:"requests,omitempty"`
}

// Rows returns proof and packets side by side.
func (s *System) Rows() []ProbeRow {
	rows := make([]ProbeRow, len(s.Probes))
	for i := range s.Probes {
		f, r := &s.Report.Findings[i], &s.Probes[i]
		row := ProbeRow{
			Expectation: f.Expectation.Name, Place: f.Expectation.Pos.String(), Proof: f.Status.String(),
			Probes: len(r.Probes), Contradiction: s.contradiction(i),
		}
		if f.Status != proof.Holds {
			row.Why = f.Why
		}
		for _, p := range r.Probes {
			if p.Request && !p.Holds {
				row.Requests = append(row.Requests, fmt.Sprintf("%s from %s: %s", p.To, p.From, p.Said))
			}
		}
		for _, p := range r.Probes {
			if p.Holds && p.Disagreement == nil {
				row.Confirmed++
			}
		}
		rows[i] = row
	}
	return rows
}

// WriteJSON writes the stages and the rows.
func (s *System) WriteJSON(w io.Writer, elapsed time.Duration) error {
	type stage struct {
		Stage string  `json:"stage"`
		Text  string  `json:"text"`
		MS    float64 `json:"ms"`
	}
	doc := struct {
		Network  string     `json:"network"`
		OK       bool       `json:"ok"`
		Endpoint string     `json:"endpoint"`
		MS       float64    `json:"ms"`
		Stages   []stage    `json:"stages"`
		Rows     []ProbeRow `json:"expectations"`
	}{Network: s.Design.Network().Name, OK: !s.Failed(), Endpoint: s.Cloud.Endpoint, MS: ms(elapsed), Rows: s.Rows()}
	for _, e := range s.stages {
		doc.Stages = append(doc.Stages, stage{e.Stage, e.Text, ms(e.Took)})
	}
	return writeJSON(w, doc)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Close stops the network and the cloud. Calling it again does nothing.
func (s *System) Close() error {
	s.once.Do(func() {
		s.end()
		if s.control != nil {
			s.err = s.control.close()
		}
		s.machines.close()
		if s.scraped != nil {
			s.err = errors.Join(s.err, s.scraped.close())
		}
		if s.recorder != nil {
			s.err = errors.Join(s.err, s.recorder.Close())
		}
		s.following.Wait()
		s.discovery.close()
		if s.Cloud != nil && s.Cloud.server != nil {
			s.Cloud.server.Run(nil)
			s.Cloud.server.RunDatabases(nil)
			s.Cloud.server.RunEdges(nil)
		}
		s.doors.close()
		s.gateways.close()
		if s.databases != nil {
			s.databases.Close()
		}
		if s.Net != nil {
			s.Net.Close()
		}
		if s.Cloud != nil {
			s.err = errors.Join(s.err, s.Cloud.Close())
		}
		if s.keys != "" {
			s.err = errors.Join(s.err, os.RemoveAll(s.keys))
		}
	})
	return s.err
}
