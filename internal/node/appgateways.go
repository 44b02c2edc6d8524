package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/traffic/appgateway"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model"
)

// appGateways are the application gateways of a running network: a gateway each,
// on the stack of its instances.
type appGateways struct {
	system  *System
	secrets secretHolder
	logs    string // folder of access logs, empty for none
	pace    float64
	meter   *observe.Gateways

	mu   sync.Mutex
	list []*appGatewayRun // in order of ID
}

// secretHolder is who holds the secrets of key vaults.
type secretHolder interface {
	Held(vault model.ID, name, version string) (string, bool)
	// Readable says why an identity may not read a secret.
	Readable(vault model.ID, name, object string) error
}

// appGatewayRun is one that runs, or should.
type appGatewayRun struct {
	id     model.ID
	on     *live.AppGateway
	server *gateway.Server

	instances []netip.Addr // that it listens at

	mu       sync.Mutex
	document []byte // that is in force, or that was refused
	config   *gateway.Config
	findings []appgateway.Finding
	problem  string // why the document as it is now is not in force
	loaded   time.Time
	access   *os.File
	firewall *os.File
}

// drainAtEnd is how long requests may take to end when a network stops.
const drainAtEnd = 200 * time.Millisecond

// startAppGateways runs the network's application gateways. Who is declared
// wrongly is an error.
func (s *System) startAppGateways(o UpOptions, services live.Services) error {
	g := &appGateways{system: s, pace: o.Pace, logs: o.FlowLogs}
	g.secrets, _ = services.(secretHolder)
	g.meter = observe.NewGateways(s.Design.Network().Name, g.members)
	s.gateways = g
	if s.Cloud.server != nil {
		s.Cloud.server.Run(cloudRun{g, s})
		return g.follow(placed(s.Cloud.Snapshot(), s.Design.Network().Resources))
	}
	return g.follow(s.Design.Network().Resources)
}

// BackendHealth implements [arm.Running].
func (g *appGateways) BackendHealth(id model.ID) ([]arm.BackendMember, bool) {
	for _, run := range g.all() {
		if !run.id.Equal(id) {
			continue
		}
		var out []arm.BackendMember
		for _, c := range run.server.Health() {
			m := arm.BackendMember{Pool: c.Pool, Settings: c.Settings, Health: "Up", Log: c.Said}
			switch {
			case c.Checked.IsZero():
				m.Health = "Unknown"
			case !c.Healthy:
				m.Health = "Down"
			}
			if m.Address, _, _ = net.SplitHostPort(c.Member); m.Address == "" {
				m.Address = c.Member
			}
			out = append(out, m)
			// Where shares divide requests, members are in one pool of all of them.
			run.mu.Lock()
			config := run.config
			run.mu.Unlock()
			if config == nil || !appgateway.Shared(c.Pool) {
				continue
			}
			for _, p := range config.Pools {
				if slices.ContainsFunc(p.Members, func(x gateway.Member) bool { return strings.EqualFold(x.Host, m.Address) }) {
					m.Pool = p.Name
					out = append(out, m)
				}
			}
		}
		return out, true
	}
	return nil, false
}

// follow makes the gateways those of some resources. The error is of those whose
// documents cannot be done: they go on as they were.
func (g *appGateways) follow(resources []*model.Resource) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	var next []*appGatewayRun
	for _, r := range resources {
		if !r.ID.Is(model.TypeAppGateway) {
			continue
		}
		on, ok := g.system.Net.AppGateway(r.ID)
		if !ok {
			continue // of a tier that is not modelled, or new: the image does not have it
		}
		i := slices.IndexFunc(g.list, func(x *appGatewayRun) bool { return x.id.Equal(r.ID) })
		var run *appGatewayRun
		if i >= 0 {
			run = g.list[i]
		} else {
			run = &appGatewayRun{id: r.ID, on: on}
			if err := g.open(run); err != nil {
				return err
			}
		}
		next = append(next, run)
		if err := g.load(run, r, resources); err != nil {
			errs = append(errs, fmt.Errorf("application gateway %s: %w", r.ID.Name(), err))
		}
	}
	for _, old := range g.list {
		if !slices.Contains(next, old) {
			old.close()
		}
	}
	g.list = next
	return errors.Join(errs...)
}

// open makes the server of a gateway, which listens nowhere yet.
func (g *appGateways) open(run *appGatewayRun) error {
	if g.logs != "" {
		var err error
		if run.access, err = openLog(g.logs, "AGWAccessLogs", run.id.Name()); err != nil {
			return err
		}
		if run.firewall, err = openLog(g.logs, "AGWFirewallLogs", run.id.Name()); err != nil {
			return err
		}
	}
	name := run.id.Name()
	run.server = gateway.NewServer(gateway.Options{
		Pace:     g.pace,
		Discover: g.system.discovery.discover(extraOf(g.system.Design.Network(), run.id).Followed),
		Dial:     run.on.DialContext,
		Listen: func(_ context.Context, _, address string) (net.Listener, error) {
			a, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			return run.on.Listen(a)
		},
		OnRequest: func(r *gateway.Record) {
			g.meter.Count(observe.GatewayRequest{
				Gateway: name, Listener: r.ListenerName, Rule: r.RuleName, Pool: r.BackendPoolName, Status: r.HTTPStatus,
				Sent: r.SentBytes, Received: r.ReceivedBytes, Took: time.Duration(r.TimeTaken * float64(time.Second)),
			})
			run.write(run.access, r)
		},
		OnFirewall: func(entries []waf.Entry) {
			for i := range entries {
				run.write(run.firewall, &entries[i])
			}
		},
	})
	return nil
}

// openLog opens a log of one gateway, to append to it.
func openLog(folder, table, name string) (*os.File, error) {
	dir := filepath.Join(folder, table)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("logs of application gateways: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".json"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("logs of application gateways: %w", err)
	}
	return f, nil
}

// write writes a line of a log.
func (run *appGatewayRun) write(to *os.File, entry any) {
	if to == nil {
		return
	}
	b, err := json.Marshal(entry)
	if err != nil {
		return
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	_, _ = to.Write(append(b, '\n'))
}

// load puts a document in force, whole or not at all. One that did not change is
// left alone, so that nothing is counted anew.
func (g *appGateways) load(run *appGatewayRun, r *model.Resource, resources []*model.Resource) error {
	document, err := json.Marshal(documentsOf(r, resources))
	if err != nil {
		return err
	}
	moved := false
	if at := run.on.Instances(); !slices.Equal(at, run.instances) {
		moved, run.instances = run.instances != nil, at
	}
	run.mu.Lock()
	refused := run.problem != "" // a role may have been assigned since
	run.mu.Unlock()
	if bytes.Equal(document, run.document) && !moved && !refused {
		return nil
	}
	run.document = document
	config, findings, err := appgateway.Convert(g.source(r, resources))
	if err == nil {
		followPools(config, extraOf(g.system.Design.Network(), r.ID).Followed)
		err = run.server.Load(config)
	}
	if err == nil && moved {
		err = run.server.Rebind() // what comes to public frontends has an instance's address
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if err != nil {
		run.problem = err.Error()
		return err
	}
	run.config, run.findings, run.problem, run.loaded = config, findings, "", time.Now()
	return nil
}

// documentsOf returns the documents that a gateway's configuration is made of.
func documentsOf(r *model.Resource, resources []*model.Resource) []any {
	out := []any{r.Properties(), r.Doc["tags"], r.Doc["identity"]}
	for _, x := range resources {
		if x.ID.Is(model.TypeWAFPolicy) {
			out = append(out, x.Properties())
		}
		if x.ID.Is(model.TypeNIC) && len(poolsOfNIC(x)) > 0 {
			out = append(out, x.Properties())
		}
	}
	return out
}

// close ends a gateway.
func (run *appGatewayRun) close() {
	run.server.Close(drainAtEnd)
	for _, f := range []*os.File{run.access, run.firewall} {
		if f != nil {
			_ = f.Close()
		}
	}
}

func (g *appGateways) close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, run := range g.list {
		run.close()
	}
	g.list = nil
}

// all returns the gateways that run.
func (g *appGateways) all() []*appGatewayRun {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.list)
}

// members returns the members of all gateways for metrics.
func (g *appGateways) members() []observe.GatewayMember {
	var out []observe.GatewayMember
	for _, run := range g.all() {
		for _, c := range run.server.Health() {
			out = append(out, observe.GatewayMember{Gateway: run.id.Name(), Pool: c.Pool, Settings: c.Settings, Member: c.Member, Up: c.Healthy})
		}
	}
	return out
}

// status returns a gateway as 'cerulean gateway status' shows it.
func (run *appGatewayRun) status(s *System) GatewayStatus {
	run.mu.Lock()
	defer run.mu.Unlock()
	out := GatewayStatus{Gateway: run.id.Name(), Path: s.path, PID: os.Getpid(), Loaded: run.loaded, Problem: run.problem}
	if r := run.server.Router(); r != nil {
		for _, a := range r.Addresses() {
			out.Addresses = append(out.Addresses, a.String())
		}
	}
	for _, f := range run.findings {
		out.Findings = append(out.Findings, f.String())
	}
	out.Members = run.server.Health()
	return out
}

// named finds the gateway of a name.
func (g *appGateways) named(name string) *appGatewayRun {
	for _, run := range g.all() {
		if strings.EqualFold(run.id.Name(), name) {
			return run
		}
	}
	return nil
}
