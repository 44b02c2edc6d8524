package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/wire"
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
			if !e.approved() {
				continue
			}
			addrs := e.endpointAddrs(groupOfZone(zone.Name, e.groups))
			if len(addrs) == 0 {
				continue
			}
			name := qualified(strings.ToLower(lastSegment(e.target)), zone.Name)
			rec := fabric.Record{Name: name, Addrs: addrs[:1], TTL: registrationTTL, Origin: origin(it.res, pointer, config.Name)}
			// What the zone group writes replaces what is there.
			zone.Records = slices.DeleteFunc(zone.Records, func(r fabric.Record) bool { return r.Name == name })
			zone.Records = append(zone.Records, rec)
		}
	}
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
			private := slices.ContainsFunc(c.docs.endpoints.list, func(it *item[wire.PrivateEndpoint]) bool {
				e := c.endpoints[it.key]
				return e.approved() && e.serves(s.key, n.group)
			})
			if !private {
				single(label+n.suffix, fabric.Record{Addrs: addrs})
				continue
			}
			single(label+n.suffix, fabric.Record{Alias: label + n.private})
			single(label+n.private, fabric.Record{Addrs: addrs})
		}
	}
	return out
}

// addPublicNames adds the public names of services to a view, except where a
// private zone of the view is authoritative for the name. A zone whose link
// falls back to the internet is so only for the names it has.
func addPublicNames(view *fabric.View, names []fabric.Zone, fallback map[string]bool) {
	linked := len(view.Zones)
	for i := range names {
		n := &names[i]
		covered := false
		for j := range linked {
			z := &view.Zones[j]
			if n.Name != z.Name && !strings.HasSuffix(n.Name, "."+z.Name) {
				continue
			}
			covered = covered || !fallback[z.Name] || slices.ContainsFunc(z.Records, func(r fabric.Record) bool { return r.Name == n.Name })
		}
		if !covered {
			view.Zones = append(view.Zones, *n)
		}
	}
}
