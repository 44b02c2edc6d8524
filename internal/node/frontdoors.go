package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/traffic/appgateway"
	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model"
)

// Ports at which the edges of a declared front door take requests.
const (
	doorPort       = 80
	doorSecurePort = 443
)

// frontDoors are the front doors of a running network: each with its edges on the
// network's internet.
type frontDoors struct {
	system *System
	pace   float64
	logs   string // folder of logs, empty for none
	meter  *observe.FrontDoors

	mu   sync.Mutex
	list []*doorRun // in order of ID
}

// doorRun is one that runs, or should.
type doorRun struct {
	id      model.ID
	server  *frontdoor.Server
	publics atomic.Pointer[map[string]compile.PublicName]
	files   []*os.File

	mu       sync.Mutex
	document []byte // that is in force, or that was refused
	names    []string
	findings []string
	problem  string // why the document as it is now is not in force
	loaded   time.Time
}

// startFrontDoors runs the network's front doors. Who is declared wrongly is an
// error.
func (s *System) startFrontDoors(o UpOptions) error {
	d := &frontDoors{system: s, pace: o.Pace, logs: o.FlowLogs}
	d.meter = observe.NewFrontDoors(s.Design.Network().Name, d.origins)
	s.doors = d
	resources := s.Design.Network().Resources
	if s.Cloud.server != nil {
		s.Cloud.server.RunEdges(d)
		resources = placed(s.Cloud.Snapshot(), resources)
	}
	return d.follow(resources)
}

// edgeName is the name of an edge in the network.
func edgeName(profile model.ID, region string) string { return profile.Key() + " " + region }

// anycastOf is the address of a front door with its edges.
func anycastOf(d *compile.FrontDoor) live.Anycast {
	a := live.Anycast{Addr: d.Addr}
	c := &frontdoor.Config{}
	for _, e := range d.Edges {
		a.Sites = append(a.Sites, live.EdgeSite{Name: edgeName(d.Profile.ID, e.Region), Region: e.Region, Addr: e.Addr})
		c.Edges = append(c.Edges, frontdoor.Edge{Name: e.Region, Region: e.Region})
	}
	a.Nearest = func(region string) int {
		near, _, ok := c.Nearest(region)
		if !ok {
			return min(0, len(c.Edges)-1) // nobody knows where that is
		}
		return slices.IndexFunc(c.Edges, func(e frontdoor.Edge) bool { return e.Name == near.Name })
	}
	return a
}

// follow makes the front doors those of some resources. The error is of those whose
// documents cannot be done: they go on as they were.
func (f *frontDoors) follow(resources []*model.Resource) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	opts := compile.Options{Internet: f.system.Design.Network().Internet}
	found := compile.FrontDoors(resources, opts)
	if len(found) == 0 && len(f.list) == 0 {
		return nil
	}
	publics, err := compile.PublicNames(resources, opts)
	if err != nil {
		return err
	}
	var sites []live.Anycast
	for i := range found {
		sites = append(sites, anycastOf(&found[i]))
	}
	if err := f.system.Net.SetEdges(sites); err != nil {
		return fmt.Errorf("front doors: %w", err)
	}
	var errs []error
	var next []*doorRun
	for i := range found {
		d := &found[i]
		n := slices.IndexFunc(f.list, func(x *doorRun) bool { return x.id.Equal(d.Profile.ID) })
		var run *doorRun
		if n >= 0 {
			run = f.list[n]
		} else {
			run = &doorRun{id: d.Profile.ID}
			if err := f.open(run); err != nil {
				return err
			}
		}
		next = append(next, run)
		if err := f.load(run, d, resources, publics); err != nil {
			errs = append(errs, fmt.Errorf("front door %s: %w", d.Profile.ID.Name(), err))
		}
	}
	for _, old := range f.list {
		if !slices.Contains(next, old) {
			old.close()
		}
	}
	f.list = next
	return errors.Join(errs...)
}

// open makes the server of a front door, which listens nowhere yet.
func (f *frontDoors) open(run *doorRun) error {
	var requests, probes, matched lineWriter
	if f.logs != "" {
		for _, x := range []struct {
			table string
			to    *lineWriter
		}{{"FrontDoorAccessLog", &requests}, {"FrontDoorHealthProbeLog", &probes}, {"FrontDoorWebApplicationFirewallLog", &matched}} {
			file, err := openLog(f.logs, x.table, run.id.Name())
			if err != nil {
				return err
			}
			x.to.to = file
			run.files = append(run.files, file)
		}
	}
	network := f.system.Net
	name := run.id.Name()
	run.server = frontdoor.NewServer(frontdoor.Options{
		Pace: f.pace,
		Listen: func(_ context.Context, e *frontdoor.Edge, _, address string) (net.Listener, error) {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			edge, ok := network.Edge(edgeName(run.id, e.Region))
			if !ok {
				return nil, fmt.Errorf("there is no edge in %s", e.Region)
			}
			return edge.Listen(at.Port())
		},
		Dial: func(ctx context.Context, e *frontdoor.Edge, network, address string) (net.Conn, error) {
			return run.dial(ctx, f.system.Net, e, network, address)
		},
		OnRequest: func(r *frontdoor.Record) {
			f.meter.Count(observe.FrontDoorRequest{
				FrontDoor: name, Edge: r.Pop, Route: r.RouteName, Group: r.Group, Cache: r.CacheStatus, Status: r.HTTPStatusCode,
				Sent: r.ResponseBytes, Received: r.RequestBytes, Took: time.Duration(r.TimeTaken * float64(time.Second)),
			})
			requests.write(r)
		},
		OnProbe: func(r *frontdoor.ProbeRecord) { probes.write(r) },
		OnFirewall: func(_ string, list []waf.Entry) {
			for i := range list {
				matched.write(&list[i])
			}
		},
	})
	return nil
}

// dial connects an edge with an origin: names are those that the internet knows.
func (run *doorRun) dial(ctx context.Context, n *live.Network, e *frontdoor.Edge, network, address string) (net.Conn, error) {
	edge, ok := n.Edge(edgeName(run.id, e.Region))
	if !ok {
		return nil, fmt.Errorf("there is no edge in %s", e.Region)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if publics := run.publics.Load(); publics != nil {
		addrs = (*publics)[strings.ToLower(host)].Addrs
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("nothing of the network or its internet is called %s", host)
	}
	for _, a := range addrs {
		var c net.Conn
		if c, err = edge.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// load puts a front door's documents in force, whole or not at all. Ones that did
// not change are left alone.
func (f *frontDoors) load(run *doorRun, d *compile.FrontDoor, resources []*model.Resource, publics map[string]compile.PublicName) error {
	run.publics.Store(&publics)
	document, err := json.Marshal([]any{doorDocuments(d.Profile, resources), d.Edges, d.Addr, publics})
	if err != nil {
		return err
	}
	if bytes.Equal(document, run.document) {
		return nil
	}
	run.document = document
	source := frontdoor.Documents{
		Profile: d.Profile, Resources: resources, Region: func(host string) string { return publics[host].Region },
		Certificate: func(domain model.ID, host, secret, version string) (*tls.Certificate, error) {
			return f.certificate(d.Profile, resources, host, secret, version)
		},
	}
	for _, e := range d.Edges {
		source.Edges = append(source.Edges, frontdoor.Edge{
			Name: e.Region, Region: e.Region, Address: netip.AddrPortFrom(d.Addr, doorPort), Secure: netip.AddrPortFrom(d.Addr, doorSecurePort),
			Place: frontdoor.Place(d.Profile.ID.String()),
		})
	}
	config, findings, err := frontdoor.FromDocuments(source)
	if err == nil {
		config.Roots = f.system.Net.RootCAs()
		err = run.server.Load(config)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if err != nil {
		run.problem = err.Error()
		return err
	}
	run.findings, run.names = nil, nil
	for _, x := range findings {
		run.findings = append(run.findings, x.String())
	}
	for _, n := range d.Names {
		run.names = append(run.names, n.Name)
	}
	run.problem, run.loaded = "", time.Now()
	return nil
}

// doorDocuments returns the documents that a front door's configuration is made of.
func doorDocuments(profile *model.Resource, resources []*model.Resource) []any {
	var out []any
	for _, r := range resources {
		if r.ID.Equal(profile.ID) || strings.HasPrefix(r.ID.Key(), profile.ID.Key()+"/") || r.ID.Is(model.TypeDoorWAFPolicy) {
			out = append(out, r.ID.Key(), r.Properties(), r.Doc["tags"])
		}
	}
	return out
}

// certificate returns that of a host name: of files, of a key vault, or of the
// network's own authority.
func (f *frontDoors) certificate(profile *model.Resource, resources []*model.Resource, host, secret, version string) (*tls.Certificate, error) {
	s := f.system
	for _, x := range s.Design.Network().FrontDoors {
		if !x.Profile.Equal(profile.ID) {
			continue
		}
		for _, c := range x.Certificates {
			if c.Name == host {
				pair, err := tls.LoadX509KeyPair(s.beside(c.Certificate), s.beside(c.Key))
				return &pair, err
			}
		}
	}
	if secret == "" {
		pair, err := s.Net.Certificate(host, []string{host}, nil)
		return &pair, err
	}
	id, err := model.ParseID(secret)
	if err != nil {
		return nil, err
	}
	if s.gateways == nil || s.gateways.secrets == nil {
		return nil, fmt.Errorf("the network has no key vaults")
	}
	at := "https://" + strings.ToLower(id.Parent().Name()) + ".vault.azure.net/secrets/" + url.PathEscape(id.Name())
	if version != "" {
		at += "/" + url.PathEscape(version)
	}
	content, err := s.gateways.secret(profile, resources, at)
	if err != nil {
		return nil, err
	}
	pair, err := appgateway.SecretKeyPair(content)
	return &pair, err
}

// close ends a front door.
func (run *doorRun) close() {
	run.server.Close(drainAtEnd)
	for _, f := range run.files {
		_ = f.Close()
	}
}

func (f *frontDoors) close() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, run := range f.list {
		run.close()
	}
	f.list = nil
}

// all returns the front doors that run.
func (f *frontDoors) all() []*doorRun {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

// origins returns how edges see the origins, for metrics.
func (f *frontDoors) origins() []observe.FrontDoorOrigin {
	var out []observe.FrontDoorOrigin
	for _, run := range f.all() {
		for _, h := range run.server.Health() {
			out = append(out, observe.FrontDoorOrigin{FrontDoor: run.id.Name(), Edge: h.Edge, Group: h.Group, Origin: h.Origin, Up: h.Healthy, Latency: h.Latency})
		}
	}
	return out
}

// Purge implements [arm.RunningEdges].
func (f *frontDoors) Purge(profile model.ID, hosts, paths []string) bool {
	for _, run := range f.all() {
		if !run.id.Equal(profile) {
			continue
		}
		for _, host := range hosts {
			for _, path := range paths {
				run.server.Purge(host, path)
			}
		}
		return true
	}
	return false
}
