package node

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
)

// RegistryTarget says which registry is asked: that of a running network, or one
// at a URL.
type RegistryTarget struct {
	Network   string // name or path; empty for the only one that runs
	URL       string // of a registry; empty for a running network's
	TokenFile string // of the registry at URL; empty for $CERULEAN_DISCOVERY_TOKEN
}

// registryToken is the variable that holds the token of a registry.
const registryToken = "CERULEAN_DISCOVERY_TOKEN"

// registryAsked is a registry that is asked.
type registryAsked struct {
	*discovery.Client
	network *Remote // whose it is, nil for one at a URL
}

// connect returns a client of the registry; close it after use.
func (t *RegistryTarget) connect(ctx context.Context) (*registryAsked, error) {
	if t.URL == "" {
		r, err := Connect(ctx, t.Network)
		if err != nil {
			return nil, err
		}
		return &registryAsked{&discovery.Client{URL: "http://cerulean/v1/discovery", HTTP: r.client}, r}, nil
	}
	c, err := registryClient(t.URL, t.TokenFile)
	return &registryAsked{Client: c}, err
}

func (a *registryAsked) close() {
	if a.network != nil {
		a.network.Close()
	}
}

// gone ends a context when the network ends that the registry is of: one at a URL may
// always come back.
func (a *registryAsked) gone(ctx context.Context, end context.CancelCauseFunc) {
	if a.network != nil {
		end(a.network.Wait(ctx))
	}
}

// registryClient returns a client of a registry at a URL.
func registryClient(url, tokenFile string) (*discovery.Client, error) {
	c := &discovery.Client{URL: url, Token: os.Getenv(registryToken)}
	if tokenFile == "" {
		return c, nil
	}
	var err error
	c.Token, err = readToken(tokenFile)
	return c, err
}

// Services is what a registry knows.
type Services struct{ discovery.List }

// ListServices asks a registry for the instances of a service, or of all.
func ListServices(ctx context.Context, t RegistryTarget, service string) (*Services, error) {
	c, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	list, err := c.List(ctx, service)
	return &Services{list}, err
}

// WriteText writes the instances for people.
func (s *Services) WriteText(w io.Writer) error {
	if len(s.Instances) == 0 {
		_, err := fmt.Fprintln(w, "nothing is registered")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tINSTANCE\tADDRESS\tHEALTH\tREGION\tZONE\tVERSION\tMETADATA")
	for i := range s.Instances {
		x := &s.Instances[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", x.Service, x.ID, placeOf(x), x.Health, cmp.Or(x.Region, "-"), cmp.Or(x.Zone, "-"), x.Version, metadataText(x.Metadata))
	}
	return t.Flush()
}

func placeOf(i *discovery.Instance) string {
	return fmt.Sprintf("%s/%s", i.Protocol, i.AddrPort())
}

func metadataText(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

// WatchServices writes what changes in a registry until the context ends, a line
// each: what is there first, then each change once, also over broken connections.
func WatchServices(ctx context.Context, t RegistryTarget, service string, w io.Writer, asJSON bool) error {
	c, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	// A registry that cannot be asked at first is the caller's mistake; later it may
	// come back.
	if _, err := c.List(ctx, service); err != nil {
		return err
	}
	known := map[string]discovery.Instance{}
	watching, end := context.WithCancelCause(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() { c.gone(watching, end) })
	defer func() { end(nil); waiting.Wait() }()
	err = c.Follow(watching, service, func(list []discovery.Instance) {
		for _, ch := range changesSince(known, list) {
			if err := writeServiceChange(w, &ch, asJSON); err != nil {
				end(err)
				return
			}
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ServiceChange is one change as it is shown.
type ServiceChange struct {
	Time     time.Time          `json:"time"`
	Change   string             `json:"change"` // registered, changed or gone
	Instance discovery.Instance `json:"instance"`
}

// changesSince returns what differs from what is known, and makes it known.
func changesSince(known map[string]discovery.Instance, list []discovery.Instance) []ServiceChange {
	var out []ServiceChange
	now := time.Now()
	seen := map[string]bool{}
	for _, i := range list {
		key := i.Service + "/" + i.ID
		seen[key] = true
		old, there := known[key]
		switch {
		case !there:
			out = append(out, ServiceChange{now, "registered", i})
		case old.Version != i.Version:
			out = append(out, ServiceChange{now, "changed", i})
		}
		known[key] = i
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !seen[key] {
			out = append(out, ServiceChange{now, "gone", known[key]})
			delete(known, key)
		}
	}
	return out
}

func writeServiceChange(w io.Writer, c *ServiceChange, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(c)
	}
	i := &c.Instance
	_, err := fmt.Fprintf(w, "%s %-10s %s/%s %s %s %s\n", c.Time.Format(time.TimeOnly), c.Change, i.Service, i.ID, placeOf(i), i.Health, metadataText(i.Metadata))
	return err
}

// Registration is an instance to register; see [discovery.Instance].
type Registration struct {
	Service, ID  string
	At           netip.AddrPort
	Protocol     string
	Weight       int
	Region, Zone string
	Metadata     map[string]string
}

// RegisterService keeps an instance registered until the context ends.
func RegisterService(ctx context.Context, t RegistryTarget, i Registration, lease time.Duration) error {
	c, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.List(ctx, i.Service); err != nil {
		return err
	}
	return c.Register(ctx, discovery.Instance{
		Service: i.Service, ID: i.ID, Addr: i.At.Addr(), Port: i.At.Port(), Protocol: discovery.Protocol(i.Protocol),
		Weight: i.Weight, Region: i.Region, Zone: i.Zone, Metadata: i.Metadata,
	}, lease, nil)
}

// followAgain is how long after a failure a service is followed again.
const followAgain = time.Second

// followService follows a service for a gateway: every change of instances that
// are well is a change of members.
func followService(ctx context.Context, c *discovery.Client, service string, on func([]gateway.Member)) {
	_ = c.Follow(ctx, service, func(list []discovery.Instance) { on(membersOf(list)) })
}

// membersOf are the instances that a gateway asks: those that are well.
func membersOf(list []discovery.Instance) []gateway.Member {
	out := []gateway.Member{}
	for i := range list {
		x := &list[i]
		if x.Health == discovery.Passing && x.Protocol == discovery.TCP {
			out = append(out, gateway.Member{Host: x.Addr.String(), Port: x.Port, Weight: x.Weight})
		}
	}
	return out
}

// discoverFor follows services at the registries that a gateway's file names. A
// token that cannot be read is told, and read again later.
func discoverFor(event func(string)) gateway.Discover {
	return func(ctx context.Context, from gateway.Registry, service string, on func([]gateway.Member)) {
		for said := ""; ; {
			c, err := registryClient(from.URL, from.TokenFile)
			if err == nil {
				if _, err = c.List(ctx, service); err == nil {
					event(fmt.Sprintf("service %s is followed at %s", service, from.URL))
					followService(ctx, c, service, on)
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			if text := fmt.Sprintf("service %s of %s is not followed: %v", service, from.URL, err); text != said {
				said = text
				event(text)
			}
			select {
			case <-time.After(followAgain):
			case <-ctx.Done():
				return
			}
		}
	}
}
