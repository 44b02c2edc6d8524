package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

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
func zonesOf(img *fabric.Image, view string) ([]dns.Zone, []follower, error) {
	var followers []follower
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
				return nil, nil, fmt.Errorf("zone %s means different things in different virtual networks; choose one with --view", name)
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
				rec := &z.Records[k]
				switch {
				case isProfileName(rec.Follows):
					followers = append(followers, follower{name, rec.Name, rec.Follows, rec.TTL, &space.View})
				case rec.Follows != "":
					if f := space.View.Follow(rec.Name); f.Verdict == fabric.VerdictAllow {
						rec = f.Record
					}
				}
				for _, rr := range resourceRecords(rec) {
					if !slices.ContainsFunc(to.Records, func(have mdns.RR) bool { return mdns.IsDuplicate(have, rr) }) {
						to.Records = append(to.Records, rr)
					}
				}
			}
		}
	}
	if !found {
		return nil, nil, fmt.Errorf("there is no virtual network %q", view)
	}
	var out []dns.Zone
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out, followers, nil
}

// isProfileName reports whether a name is in Traffic Manager's zone.
func isProfileName(name string) bool { return strings.HasSuffix(name, "."+trafficmanager.Zone) }

// follower is a name of a zone that has the addresses of a Traffic Manager
// profile's.
type follower struct {
	zone, name, target string
	ttl                uint32
	view               *fabric.View // says what the profile's aliases mean
}

// withFollowers returns zones with the names that follow profiles.
func withFollowers(zones []dns.Zone, followers []follower, d *trafficmanager.Directory, where places) []dns.Zone {
	out := slices.Clone(zones)
	for _, f := range followers {
		if _, ok := d.Profile(f.target); !ok {
			continue
		}
		m := managedName(d, f.target, where)
		m.Name, m.TTL, m.Beside = f.name, min(m.TTL, f.ttl), true
		for i := range m.Variants {
			v := &m.Variants[i]
			if v.Alias == "" {
				continue
			}
			if found := f.view.Follow(v.Alias); found.Verdict == fabric.VerdictAllow {
				v.Addrs = append(slices.Clone(v.Addrs), found.Record.Addrs...)
			}
			v.Alias = ""
		}
		i := slices.IndexFunc(out, func(z dns.Zone) bool { return z.Name == f.zone })
		out[i].Managed = append(slices.Clone(out[i].Managed), m)
	}
	return out
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
	if dec, ok := d.Fixed(name); ok {
		if dec.Outcome == trafficmanager.Answered {
			a := d.AnswerOf(&dec)
			m.Variants = []dns.Variant{{Alias: a.Alias, Addrs: a.Addrs}}
		}
		return m
	}
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
