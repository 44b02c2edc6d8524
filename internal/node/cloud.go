package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/azure"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// CloudOptions say which cloud to open.
type CloudOptions struct {
	// Azure means the real one: no server is started and the credentials are
	// those of azidentity's default chain.
	Azure bool
	// Dir holds the embedded cloud's state, keys and certificate authority;
	// empty means all of it lives in memory.
	Dir string
	// Keys is where keys, authority and announcement of a cloud are whose state
	// lives in memory, so that other processes find it. Empty means Dir.
	Keys string
	// Listen is the address to listen on; empty means a free port of 127.0.0.1.
	Listen string
	// Names are further names or addresses by which clients reach it, for the
	// server's certificate.
	Names []string
	// OperationTime is how long an asynchronous operation shows as under way.
	OperationTime time.Duration
	// TimingScale makes operations take as long as Azure's, times this; 0 means
	// OperationTime.
	TimingScale float64
	// Subscription the client works in; empty means the one that is announced, or
	// else the installation's own.
	Subscription string
	// DataPlanes serves the insides of key vaults and storage accounts too, behind
	// a proxy that the environment names. It needs Serve.
	DataPlanes bool
	// Serve announces the cloud in its directory, for other processes to join,
	// and refuses a directory that another process has open. Without it the
	// cloud is this process's alone for as long as it takes, unless one that was
	// announced is joined.
	Serve bool
}

// Cloud is a Resource Manager and a client of it. The embedded one runs in this
// process, unless another process serves the same directory: then this is only
// a client of that one.
type Cloud struct {
	Endpoint string

	client    *azure.Client
	transport *http.Transport
	identity  *arm.Identity
	dir       string
	// The subscription that clients work in unless they say another.
	subscription string
	server       *arm.Server // nil for a cloud served elsewhere
	planes       *planeProxy // nil without data planes, and for a cloud served elsewhere
	// HOST:PORT of the proxy to the data planes, empty if there is none.
	proxy     string
	store     state.Store
	stop      context.CancelFunc
	served    chan error
	once      sync.Once
	closeErr  error
	announced bool
}

// StateDir returns the default state folder of a network: .cerulean beside it.
func StateDir(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	return filepath.Join(path, ".cerulean")
}

// hostName is what a name in a certificate looks like (RFC 1123, section 2.1).
var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

// OpenCloud starts the embedded cloud, or joins the one that another process
// serves from the same directory, or makes a client of Azure.
func OpenCloud(ctx context.Context, o CloudOptions) (*Cloud, error) {
	if o.Azure {
		client, err := azure.New(azure.Config{Subscription: o.Subscription})
		if err != nil {
			return nil, err
		}
		return &Cloud{Endpoint: azure.PublicEndpoint, client: client}, nil
	}
	names, err := listenNames(o.Listen)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Names {
		if _, err := netip.ParseAddr(name); err != nil && !hostName.MatchString(name) {
			return nil, fmt.Errorf("--name %q is neither a host name nor an address", name)
		}
	}
	dir := cmp.Or(o.Keys, o.Dir)
	identity, err := arm.OpenIdentity(dir, append(names, o.Names...)...)
	if err != nil {
		return nil, err
	}
	c := &Cloud{identity: identity, dir: dir, subscription: o.Subscription}
	c.transport = newTransport(identity)
	joined := c.join(ctx)
	if joined && o.Serve {
		return nil, errors.Join(fmt.Errorf("%s is in use by another process, which serves it at %s; stop that, or use another directory", o.Dir, c.Endpoint), c.Close())
	}
	if !joined {
		c.store, err = arm.OpenStore(o.Dir)
		switch {
		case err == nil:
			err = c.serve(ctx, o)
		case !o.Serve && c.join(ctx): // announced meanwhile
			err = nil
		}
	}
	if err == nil {
		err = c.connect()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// newTransport trusts the cloud's own authority and no other.
func newTransport(id *arm.Identity) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: id.CertPool(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 64,
	}
}

// serve starts the server in this process.
func (c *Cloud) serve(ctx context.Context, o CloudOptions) error {
	server, err := arm.New(arm.Config{Store: c.store, Identity: c.identity, OperationTime: o.OperationTime, TimingScale: o.TimingScale, DataPlanes: o.DataPlanes && o.Serve})
	if err != nil {
		return err
	}
	listener, err := arm.Listen(o.Listen)
	if err != nil {
		return err
	}
	c.server = server
	c.Endpoint = "https://" + endpointHost(o.Listen, listener.Addr())
	// The cloud outlives an interrupt of the work it serves: Close ends it, so
	// that a request under way is answered.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop, c.served = stop, make(chan error, 1)
	go func() { c.served <- server.Serve(serving, listener) }()
	if o.DataPlanes && o.Serve {
		if c.planes, err = openPlaneProxy(server, c.identity); err != nil {
			return err
		}
		c.proxy = c.planes.addr()
	}
	if c.dir == "" || !o.Serve {
		return nil
	}
	return c.announce()
}

// connect makes the client. The embedded cloud is reached as Azure is: over
// HTTPS, with a token, through the Azure SDK's pipeline.
func (c *Cloud) connect() error {
	c.subscription = cmp.Or(c.subscription, c.identity.SubscriptionID)
	client, err := azure.New(azure.Config{
		Endpoint: c.Endpoint, Authority: c.Endpoint, Audience: c.Endpoint,
		Transport: &http.Client{Transport: c.transport},
		Tenant:    c.identity.TenantID, ClientID: c.identity.ClientID, ClientSecret: c.identity.ClientSecret,
		Subscription: c.subscription,
	})
	c.client = client
	return err
}

// Snapshot returns what the embedded cloud of this process holds.
func (c *Cloud) Snapshot() []*model.Resource { return c.server.Snapshot() }

// Wait returns when ctx ends or the server fails.
func (c *Cloud) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.served:
		c.served <- err
		return err
	}
}

// Close stops the server, if it is this process's, and closes its store.
// Calling it again does nothing.
func (c *Cloud) Close() error {
	c.once.Do(func() {
		if c.transport != nil {
			c.transport.CloseIdleConnections()
		}
		var errs []error
		if c.planes != nil {
			errs = append(errs, c.planes.close())
		}
		if c.stop != nil {
			c.stop()
			errs = append(errs, <-c.served)
		}
		errs = append(errs, c.withdraw())
		if c.store != nil {
			errs = append(errs, c.store.Close())
		}
		c.closeErr = errors.Join(errs...)
	})
	return c.closeErr
}

// Plan is a plan for a cloud.
type Plan struct{ plan *plan.Plan }

// Plan computes what would bring the cloud to the design.
func (c *Cloud) Plan(ctx context.Context, d *Design) (*Plan, error) {
	return c.compute(ctx, d.Network(), d.Network().Resources)
}

// PlanDestroy computes what would delete all that the network owns.
func (c *Cloud) PlanDestroy(ctx context.Context, d *Design) (*Plan, error) {
	return c.compute(ctx, d.Network(), nil)
}

func (c *Cloud) compute(ctx context.Context, n *model.Network, desired []*model.Resource) (*Plan, error) {
	observed, err := c.client.Observe(ctx, n.Resources, n.Name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.Endpoint, err)
	}
	p, err := plan.Compute(desired, observed, plan.Options{Network: n.Name})
	if err != nil {
		return nil, err
	}
	return &Plan{p}, nil
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return p.plan.Empty() }

// Write shows the plan as a diff, or as JSON.
func (p *Plan) Write(w io.Writer, asJSON, color bool) error {
	if asJSON {
		return plan.WriteJSON(w, p.plan)
	}
	return plan.Write(w, p.plan, plan.Style{Color: color})
}

// Applied says how far a plan was carried out. What an interrupted or failed
// run left undone is in the next plan.
type Applied struct {
	Steps      int      `json:"steps"`
	Done       int      `json:"done"`
	Failed     []string `json:"failed"` // each with the place, the resource and the cause
	NotStarted int      `json:"notStarted"`
}

// String is a sentence for people.
func (a Applied) String() string {
	text := fmt.Sprintf("%d of %d steps done", a.Done, a.Steps)
	if n := len(a.Failed); n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	if a.NotStarted > 0 {
		text += fmt.Sprintf(", %d not started; run it again for the rest", a.NotStarted)
	}
	return text
}

// Apply runs a plan. progress hears how many steps have ended.
func (c *Cloud) Apply(ctx context.Context, p *Plan, parallel int, progress func(done, total int, what string)) (Applied, error) {
	result, err := plan.Execute(ctx, p.plan, c.client, plan.ExecuteOptions{
		Concurrency: parallel,
		OnEvent: func(e plan.Event) {
			if progress != nil && e.Kind != plan.Started {
				progress(e.Ended, e.Total, e.Step.ID.Name())
			}
		},
	})
	a := Applied{Steps: p.plan.Len(), Done: len(result.Succeeded), Failed: []string{}, NotStarted: len(result.Skipped)}
	for _, f := range result.Failures {
		a.Failed = append(a.Failed, f.Error())
	}
	return a, err
}
