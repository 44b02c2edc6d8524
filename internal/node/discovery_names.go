package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
)

// Names of services in DNS: SERVICE.ZONE has the addresses of instances that are
// well, _SERVICE._PROTOCOL.ZONE their places (RFC 2782), and ID.SERVICE.ZONE each
// one's address.
const (
	serviceTTL   = 5 // seconds, also of names that do not exist
	maxAddresses = 8 // in one answer; who asks again gets others
	// maxPlaces bounds the SRV records of a service, the first by ID: a message has
	// 64 KB.
	maxPlaces = 256
	// serviceRest is how long names wait after a change: changes come together.
	serviceRest = 20 * time.Millisecond
)

// serviceZone is the zone of a registry's instances; own, if valid, is the
// registry's address.
func serviceZone(zone string, own netip.Addr, list []discovery.Instance) dns.Zone {
	apex := mdns.Fqdn(zone)
	soa := zoneSOA(apex).(*mdns.SOA)
	soa.Hdr.Ttl, soa.Minttl = serviceTTL, serviceTTL
	z := dns.Zone{Name: zone, Records: []mdns.RR{soa}}
	address := func(name string, a netip.Addr) {
		h := mdns.RR_Header{Name: name, Class: mdns.ClassINET, Ttl: serviceTTL, Rrtype: mdns.TypeA}
		if a = a.Unmap(); a.Is4() {
			z.Records = append(z.Records, &mdns.A{Hdr: h, A: a.AsSlice()})
			return
		}
		h.Rrtype = mdns.TypeAAAA
		z.Records = append(z.Records, &mdns.AAAA{Hdr: h, AAAA: a.AsSlice()})
	}
	if own.IsValid() {
		address(apex, own)
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Service == list[0].Service {
			n++
		}
		name := list[0].Service + "." + apex
		var four, six []netip.Addr
		places := map[discovery.Protocol]int{}
		for i := range list[:n] {
			x := &list[i]
			if x.Health != discovery.Passing {
				continue
			}
			address(x.ID+"."+name, x.Addr)
			to := &four
			if !x.Addr.Unmap().Is4() {
				to = &six
			}
			if !slices.Contains(*to, x.Addr.Unmap()) {
				*to = append(*to, x.Addr.Unmap())
			}
			if places[x.Protocol]++; places[x.Protocol] > maxPlaces {
				continue
			}
			z.Records = append(z.Records, &mdns.SRV{
				Hdr:    mdns.RR_Header{Name: fmt.Sprintf("_%s._%s.%s", x.Service, x.Protocol, apex), Rrtype: mdns.TypeSRV, Class: mdns.ClassINET, Ttl: serviceTTL},
				Weight: uint16(x.Weight), Port: x.Port, Target: x.ID + "." + name,
			})
		}
		z.Managed = append(z.Managed, serviceName(name, four, six))
		list = list[n:]
	}
	return z
}

// serviceName is a service's name: each answer has some of the addresses, which
// ones is chance.
func serviceName(name string, four, six []netip.Addr) dns.Managed {
	m := dns.Managed{Name: name, TTL: serviceTTL}
	some := func(all []netip.Addr, from int) []netip.Addr {
		var out []netip.Addr
		for i := range min(len(all), maxAddresses) {
			out = append(out, all[(from+i)%len(all)])
		}
		return out
	}
	for i := range max(len(four), len(six)) {
		m.Variants = append(m.Variants, dns.Variant{Addrs: slices.Concat(some(four, i), some(six, i))})
	}
	count := uint64(len(m.Variants))
	m.Choose = func(c dns.Client) dns.Choice {
		if count == 0 {
			return dns.Choice{Variant: -1}
		}
		return dns.Choice{Variant: int(c.Random % count)}
	}
	return m
}

// serviceNames keeps a registry's names in force.
type serviceNames struct {
	registry *discovery.Registry
	zone     string
	own      netip.Addr
	now      atomic.Pointer[dns.Snapshot]
	use      func(*dns.Snapshot) // hears of each; may be nil
}

func newServiceNames(r *discovery.Registry, zone string, own netip.Addr) (*serviceNames, error) {
	n := &serviceNames{registry: r, zone: zone, own: own}
	_, err := n.compile()
	return n, err
}

// compile makes the names of what is registered now.
func (n *serviceNames) compile() (discovery.List, error) {
	list := n.registry.List(time.Now(), "")
	s, err := dns.Compile(serviceZone(n.zone, n.own, list.Instances))
	if err != nil {
		return list, fmt.Errorf("names of services: %w", err)
	}
	n.now.Store(s)
	if n.use != nil {
		n.use(s)
	}
	return list, nil
}

// run follows the registry until the context ends. It also ends leases that are
// over.
func (n *serviceNames) run(ctx context.Context) {
	rest := time.NewTimer(time.Hour)
	defer rest.Stop()
	list, err := n.compile()
	for ctx.Err() == nil {
		changes, _, more, lost := n.registry.Changes(time.Now(), "", list.Epoch, list.Version)
		if lost != nil || len(changes) > 0 || err != nil {
			list, err = n.compile()
			rest.Reset(serviceRest)
			select {
			case <-rest.C:
			case <-ctx.Done():
			}
			continue
		}
		wait := time.Hour
		if next := n.registry.Expire(time.Now()); !next.IsZero() {
			wait = max(time.Until(next), time.Millisecond)
		}
		rest.Reset(wait)
		select {
		case <-more:
		case <-rest.C:
		case <-ctx.Done():
		}
	}
}
