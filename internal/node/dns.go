package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/dns"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// DNSOptions say what a DNS server serves and where.
type DNSOptions struct {
	Files   []string // master files
	Network string   // a declared network; empty for none
	// View is the virtual network whose private zones are served; empty for all,
	// as long as no two have one name.
	View   string
	Listen netip.AddrPort
	// Places say where clients are, before what is known of Azure's addresses.
	Places    map[netip.Prefix]string // Azure regions
	RateLimit int                     // equal answers to a network in a second; 0 for no limit
	Metrics   string                  // address for Prometheus; empty for none
	Event     func(text string)       // hears of what changes
	Ready     func(at netip.AddrPort, zones []string, names int)
}

// dnsLook is how often master files are looked at, and a network that did not run
// is looked for.
const dnsLook = time.Second

// RunDNS serves zones until the context ends. Master files are read again when
// they change: a wrong one changes nothing. Of a network that runs, or begins to
// run, the states of Traffic Manager's endpoints are followed.
func RunDNS(ctx context.Context, o DNSOptions) error {
	if o.Event == nil {
		o.Event = func(string) {}
	}
	r := &dnsRun{o: o, seen: map[string]fileStamp{}}
	if err := r.open(); err != nil {
		return err
	}
	s, err := r.compile()
	if err != nil {
		return err
	}
	sockets := runtime.GOMAXPROCS(0)
	defer spareProcessor(sockets)()
	server, err := dns.Listen(o.Listen, s, dns.Options{RateLimit: o.RateLimit, Sockets: sockets})
	if err != nil {
		return err
	}
	defer server.Close()
	if o.Metrics != "" {
		metrics, err := serveDNSMetrics(o.Metrics, server)
		if err != nil {
			return err
		}
		defer metrics()
	}
	if o.Ready != nil {
		o.Ready(server.Addr(), s.Zones(), s.Names())
	}
	states := make(chan *ManagerStates)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if r.design != nil && len(r.design.Managers) > 0 {
			r.follow(ctx, states)
		}
	}()
	defer func() { cancel(); <-followed }()
	tick := time.NewTicker(dnsLook)
	defer tick.Stop()
	for {
		changed := ""
		select {
		case <-ctx.Done():
			return nil
		case m := <-states:
			r.found = nil
			changed = "the network does not run: nothing is known of its endpoints"
			if m != nil {
				r.found, changed = m.known(), fmt.Sprintf("states of %d endpoints", len(m.Findings))
			}
		case <-tick.C:
			if !r.stale() {
				continue
			}
			if err := r.readFiles(); err != nil {
				o.Event("not taken over: " + err.Error())
				continue
			}
			changed = "zones read again"
		}
		s, err := r.compile()
		if err != nil {
			o.Event("not taken over: " + err.Error())
			continue
		}
		server.Swap(s)
		o.Event(changed)
	}
}

// spareProcessor gives the runtime one processor more than sockets are served. While
// all of its processors are in calls that wait, its monitor takes them away and hands
// them out thousands of times a second: a tenth of the time of a query.
func spareProcessor(sockets int) (restore func()) {
	runtime.GOMAXPROCS(sockets + 1)
	return runtime.SetDefaultGOMAXPROCS
}

type fileStamp struct {
	size int64
	at   time.Time
}

// dnsRun is what a running DNS server is made of.
type dnsRun struct {
	o      DNSOptions
	files  []dns.Zone
	seen   map[string]fileStamp
	design *Design
	own    []dns.Zone // of the network
	// followers are names of these zones with the addresses of a profile's.
	followers []follower
	places    places
	found     trafficmanager.Findings
}

func (r *dnsRun) open() error {
	if len(r.o.Files) == 0 && r.o.Network == "" {
		return errors.New("name what to serve: a master file with -f, or a network with -n")
	}
	if err := r.readFiles(); err != nil {
		return err
	}
	if r.o.Network == "" {
		return nil
	}
	var err error
	if r.design, err = Open(r.o.Network, LockRead); err != nil {
		return err
	}
	if r.own, r.followers, err = zonesOf(r.design.Image, r.o.View); err != nil {
		return err
	}
	r.places = newPlaces(r.design.Image, r.o.Places)
	return nil
}

// readFiles reads the master files, all or none.
func (r *dnsRun) readFiles() error {
	var zones []dns.Zone
	for _, f := range r.o.Files {
		if info, err := os.Stat(f); err == nil {
			r.seen[f] = fileStamp{info.Size(), info.ModTime()}
		}
		z, err := dns.ReadZoneFile(f, "")
		if err != nil {
			return err
		}
		zones = append(zones, z)
	}
	r.files = zones
	return nil
}

// stale reports whether a file has changed since it was looked at.
func (r *dnsRun) stale() bool {
	for f, was := range r.seen {
		if info, err := os.Stat(f); err == nil && (fileStamp{info.Size(), info.ModTime()}) != was {
			return true
		}
	}
	return false
}

func (r *dnsRun) compile() (*dns.Snapshot, error) {
	if r.design == nil {
		return dns.Compile(r.files...)
	}
	d := trafficmanager.New(r.design.Managers, r.found)
	zones := slices.Concat(r.files, withFollowers(r.own, r.followers, d, r.places))
	if len(r.design.Managers) > 0 {
		zones = append(zones, managedZone(d, r.places))
	}
	return dns.Compile(zones...)
}

// follow tells the states of a running network's endpoints, nil when it does not
// run any more.
func (r *dnsRun) follow(ctx context.Context, to chan<- *ManagerStates) {
	tell := func(m *ManagerStates) bool {
		select {
		case to <- m:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for ctx.Err() == nil {
		remote, err := Connect(ctx, r.o.Network)
		if err != nil {
			select {
			case <-time.After(dnsLook):
			case <-ctx.Done():
			}
			continue
		}
		for version := uint64(0); ; {
			m, err := remote.ManagerStates(ctx, version)
			if err != nil {
				break
			}
			if m.Version != version && !tell(m) {
				break
			}
			version = m.Version
		}
		remote.Close()
		if ctx.Err() == nil && !tell(nil) {
			return
		}
	}
}

// IsRegion reports whether a text names an Azure region.
func IsRegion(text string) bool {
	_, ok := catalog.Region(text)
	return ok
}
