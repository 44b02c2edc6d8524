package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/fabric"
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
	server, err := dns.Listen(o.Listen, s, dns.Options{RateLimit: o.RateLimit})
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
	places places
	found  trafficmanager.Findings
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
	if r.own, err = zonesOf(r.design.Image, r.o.View); err != nil {
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
	zones := slices.Concat(r.files, r.own)
	if r.design != nil && len(r.design.Managers) > 0 {
		zones = append(zones, managedZone(trafficmanager.New(r.design.Managers, r.found), r.places))
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

// zoneSOA is the record that zones get which have none of their own.
func zoneSOA(name string) mdns.RR {
	return &mdns.SOA{
		Hdr: mdns.RR_Header{Name: name, Rrtype: mdns.TypeSOA, Class: mdns.ClassINET, Ttl: 60},
		Ns:  "ns." + name, Mbox: "hostmaster." + name, Serial: 1, Refresh: 3600, Retry: 300, Expire: 2419200, Minttl: 30,
	}
}

// zoneHead is what a zone without records of its own begins with.
func zoneHead(name string) []mdns.RR { return []mdns.RR{zoneSOA(name)} }

// zonesOf returns the zones of a network: the private ones of a virtual network,
// or of all, and the public names, each in the zone above it.
func zonesOf(img *fabric.Image, view string) ([]dns.Zone, error) {
	byName := map[string]*dns.Zone{}
	from := map[string]string{} // resource, by name of the zone
	found := view == ""
	for i := range img.Spaces {
		space := &img.Spaces[i]
		if view != "" && !strings.EqualFold(space.Name, view) {
			continue
		}
		found = true
		for j := range space.View.Zones {
			z := &space.View.Zones[j]
			if z.Chosen {
				continue
			}
			name := mdns.Fqdn(z.Name)
			public := z.SOA.Text == ""
			if public { // one name
				_, rest, _ := strings.Cut(name, ".")
				name = rest
			}
			key := z.Origin.Resource
			if public {
				key = ""
			}
			switch other, known := from[name]; {
			case known && other != key:
				return nil, fmt.Errorf("zone %s means different things in different virtual networks; choose one with --view", name)
			case known && !public:
				continue
			case !known:
				from[name] = key
				byName[name] = &dns.Zone{Name: name, Records: zoneHead(name)}
				if !public {
					byName[name].Records = []mdns.RR{parsed(name, z.SOA)}
				}
			}
			to := byName[name]
			for k := range z.Records {
				for _, rr := range resourceRecords(&z.Records[k]) {
					if !slices.ContainsFunc(to.Records, func(have mdns.RR) bool { return mdns.IsDuplicate(have, rr) }) {
						to.Records = append(to.Records, rr)
					}
				}
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("there is no virtual network %q", view)
	}
	var out []dns.Zone
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out, nil
}

// resourceRecords returns a name's records.
func resourceRecords(r *fabric.Record) []mdns.RR {
	name := mdns.Fqdn(r.Name)
	head := func(kind uint16) mdns.RR_Header {
		return mdns.RR_Header{Name: name, Rrtype: kind, Class: mdns.ClassINET, Ttl: r.TTL}
	}
	var out []mdns.RR
	if r.Alias != "" {
		return []mdns.RR{&mdns.CNAME{Hdr: head(mdns.TypeCNAME), Target: mdns.Fqdn(r.Alias)}}
	}
	for _, a := range r.Addrs {
		if a.Is4() {
			out = append(out, &mdns.A{Hdr: head(mdns.TypeA), A: a.AsSlice()})
		} else {
			out = append(out, &mdns.AAAA{Hdr: head(mdns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	for _, d := range r.Data {
		if rr := parsed(name, d); rr != nil {
			out = append(out, rr)
		}
	}
	return out
}

// parsed makes a record of its text, nil if it is none.
func parsed(name string, d fabric.Data) mdns.RR {
	rr, err := mdns.NewRR(". " + mdns.TypeToString[d.Type] + " " + d.Text)
	if err != nil || rr == nil {
		return nil
	}
	rr.Header().Name, rr.Header().Ttl = name, d.TTL
	return rr
}

// managedZone is the zone of Traffic Manager's names, with their states.
func managedZone(d *trafficmanager.Directory, where places) dns.Zone {
	z := dns.Zone{Name: trafficmanager.Zone, Records: zoneHead(trafficmanager.Zone + ".")}
	for _, name := range d.Names() {
		z.Managed = append(z.Managed, managedName(d, name, where))
	}
	return z
}

// leaf is one thing that a name may lead to: an endpoint, or the addresses of a
// profile from one of them on.
type leaf struct {
	endpoint *trafficmanager.Endpoint
	profile  *trafficmanager.Profile
	from     int
}

// managedName is a profile's name with everything that it may mean.
func managedName(d *trafficmanager.Directory, name string, where places) dns.Managed {
	p, _ := d.Profile(name)
	m := dns.Managed{Name: name, TTL: p.TTL}
	index := map[leaf]int{}
	for _, dec := range d.Possible(name) {
		l := leaf{endpoint: dec.Endpoint}
		if dec.Endpoint == nil {
			l = leaf{profile: dec.Profile, from: dec.From}
		}
		if _, ok := index[l]; ok {
			continue
		}
		a := d.AnswerOf(&dec)
		index[l] = len(m.Variants)
		m.Variants = append(m.Variants, dns.Variant{Alias: a.Alias, Addrs: a.Addrs})
	}
	m.Choose = func(c dns.Client) dns.Choice {
		place, bits := where.of(c.Addr, c.Bits)
		client := trafficmanager.Client{Addr: c.Addr, Place: place, Random: c.Random}
		dec := d.Decide(name, &client)
		out := dns.Choice{Variant: -1}
		switch {
		case dec.ByAddress:
			out.Scope = c.Bits
		case dec.ByPlace:
			out.Scope = bits
		}
		if dec.Outcome != trafficmanager.Answered {
			return out
		}
		l := leaf{endpoint: dec.Endpoint}
		if dec.Endpoint == nil {
			l = leaf{profile: dec.Profile, from: dec.From}
		}
		if i, ok := index[l]; ok {
			out.Variant = i
		}
		return out
	}
	return m
}
