package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// publicTTL is the lifetime of the public names of services, in seconds.
// Unconfirmed.
const publicTTL = 60

// zoneGroups writes the records of private endpoints into the private zones
// that their zone groups name ("Azure Private Endpoint DNS configuration").
// Only an approved endpoint has any.
func (c *compiler) zoneGroups(zones map[string]*fabric.Zone) {
	for _, it := range c.docs.zoneGroups.list {
		e, ok := c.endpoints[it.res.ID.Parent().Key()]
		if !ok {
			c.problem(it.res, "", fmt.Sprintf("zone group %q belongs to a private endpoint that does not exist", it.res.ID.Name()), "declare the endpoint")
			continue
		}
		for i, config := range it.view.Properties.Configs {
			pointer := fmt.Sprintf("/properties/privateDnsZoneConfigs/%d", i)
			zone, ok := zones[strings.ToLower(config.Properties.PrivateDNSZoneID)]
			if !ok {
				c.dangling(it.res, pointer+"/properties/privateDnsZoneId", "private DNS zone", config.Properties.PrivateDNSZoneID)
				continue
			}
			if !e.approved() || e.port == nil {
				continue
			}
			for _, rec := range e.records(zone.Name) {
				rec.TTL, rec.Origin = registrationTTL, origin(it.res, pointer, config.Name)
				// What the zone group writes replaces what is there.
				zone.Records = slices.DeleteFunc(zone.Records, func(r fabric.Record) bool { return r.Name == rec.Name })
				zone.Records = append(zone.Records, rec)
			}
		}
	}
}

// records returns the names of an endpoint in a private zone: those that its
// document lists for the public zone behind it, else the name of what it
// reaches.
func (e *endpoint) records(zone string) []fabric.Record {
	var out []fabric.Record
	suffix := "." + strings.TrimPrefix(zone, "privatelink.")
	for _, config := range e.view.Properties.CustomDNSConfigs {
		label, ok := strings.CutSuffix(strings.ToLower(config.FQDN), suffix)
		var addrs []netip.Addr
		for _, text := range config.IPAddresses {
			if a, err := netip.ParseAddr(text); err == nil && slices.ContainsFunc(e.port.addrs, func(p portAddr) bool { return p.addr == a }) {
				addrs = append(addrs, a)
			}
		}
		if ok && len(addrs) > 0 {
			out = append(out, fabric.Record{Name: qualified(label, zone), Addrs: addrs})
		}
	}
	if addrs := e.endpointAddrs(groupOfZone(zone, e.groups)); len(out) == 0 && len(addrs) > 0 {
		out = append(out, fabric.Record{Name: qualified(lastSegment(e.target), zone), Addrs: addrs[:1]})
	}
	return out
}

// groupOfZone returns the sub-resource of an endpoint that a private zone is
// for.
func groupOfZone(zone string, groups []string) string {
	for _, kind := range []*serviceKind{&storageKind, &sqlKind, &vaultKind} {
		for _, n := range kind.groups {
			if n.private == zone {
				return n.group
			}
		}
	}
	if len(groups) == 1 {
		return groups[0]
	}
	return ""
}

// publicNames lists what the internet answers for the services: each name in a
// zone of its own, so that nothing is said of other names. A service with
// an approved private endpoint has an alias to the name that private zones
// take over; without such a zone that name leads to the public address.
func (c *compiler) publicNames() []fabric.Zone {
	var out []fabric.Zone
	reached := map[string][]*endpoint{} // approved endpoints by lower-case ID of their target
	for _, it := range c.docs.endpoints.list {
		if e := c.endpoints[it.key]; e.approved() {
			reached[strings.ToLower(e.target)] = append(reached[strings.ToLower(e.target)], e)
		}
	}
	for _, s := range c.services {
		if s.port == nil {
			continue
		}
		at := origin(s.res, "", "")
		label := strings.ToLower(s.res.ID.Name()) + "."
		single := func(name string, rec fabric.Record) {
			rec.Name, rec.TTL, rec.Origin = name, publicTTL, at
			out = append(out, fabric.Zone{Name: name, Origin: at, Records: []fabric.Record{rec}})
		}
		addrs := []netip.Addr{s.addr}
		for _, n := range s.kind.groups {
			private := slices.ContainsFunc(reached[s.key], func(e *endpoint) bool { return e.serves(n.group) })
			if !private {
				single(label+n.suffix, fabric.Record{Addrs: addrs})
				continue
			}
			single(label+n.suffix, fabric.Record{Alias: label + n.private})
			single(label+n.private, fabric.Record{Addrs: addrs})
		}
	}
	for i := range c.opts.Internet {
		h := &c.opts.Internet[i]
		at := fabric.Origin{Name: h.Name, Place: h.Pos.String()}
		for _, name := range append([]string{h.Name}, h.Names...) {
			out = append(out, fabric.Zone{Name: name, Origin: at, Records: []fabric.Record{{Name: name, Addrs: h.Addrs, TTL: publicTTL, Origin: at}}})
		}
	}
	return out
}

// addPublicNames adds the public names of services to the zones of a view,
// except where one of them is authoritative for the name. A zone whose link
// falls back to the internet is so only for the names it has.
func addPublicNames(zones, names []fabric.Zone, fallback map[string]bool) []fabric.Zone {
	linked := zones
	for i := range names {
		name := names[i].Name
		covered := slices.ContainsFunc(linked, func(z fabric.Zone) bool {
			return (name == z.Name || strings.HasSuffix(name, "."+z.Name)) &&
				(!fallback[z.Name] || slices.ContainsFunc(z.Records, func(r fabric.Record) bool { return r.Name == name }))
		})
		if !covered {
			zones = append(zones, names[i])
		}
	}
	return zones
}
