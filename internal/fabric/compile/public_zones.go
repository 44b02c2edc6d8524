package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Lifetimes of the record sets that every public zone has, in seconds ("Overview
// of DNS zones and records").
const (
	publicNSTTL  = 172800
	publicSOATTL = 3600
)

// publicAuthority is the record SOA that a public zone has at first. The serial
// number is not kept up.
func publicAuthority(zone model.ID) *wire.SOARecord {
	return &wire.SOARecord{
		Host: model.NameServers(zone)[0], Email: "azuredns-hostmaster.microsoft.com",
		SerialNumber: 1, RefreshTime: 3600, RetryTime: 300, ExpireTime: 2419200, MinimumTTL: 300,
	}
}

// readPublicZones reads public DNS zones and their record sets. A zone below
// another that does not delegate to it is nobody's: it is noted and left out, as
// the internet's resolvers never come to it.
func (c *compiler) readPublicZones() {
	zones := map[string]*fabric.Zone{}
	for _, it := range c.docs.publicZones.list {
		z := &fabric.Zone{
			Name: strings.ToLower(it.res.ID.Name()), Origin: origin(it.res, "", ""),
			SOA: fabric.Data{Type: typeSOA, TTL: publicSOATTL, Text: soaText(publicAuthority(it.res.ID))},
		}
		apex := fabric.Record{Name: z.Name, TTL: publicNSTTL, Origin: z.Origin}
		for _, s := range model.NameServers(it.res.ID) {
			apex.Data = append(apex.Data, fabric.Data{Type: typeNS, TTL: publicNSTTL, Text: s})
		}
		z.Records = append(z.Records, apex)
		zones[it.key] = z
	}
	c.records(c.docs.publicRecords.list, zones)
	for _, it := range c.docs.publicZones.list {
		z := zones[it.key]
		sortRecords(z)
		if twin := slices.IndexFunc(c.publicZones, func(o fabric.Zone) bool { return o.Name == z.Name }); twin >= 0 {
			c.note(it.res, "", "", fmt.Sprintf("there is another public zone %s, and the internet asks one of them: here %s", z.Name, c.publicZones[twin].Origin.Resource))
			continue
		}
		c.publicZones = append(c.publicZones, *z)
	}
	all := slices.Clone(c.publicZones)
	c.publicZones = slices.DeleteFunc(c.publicZones, func(z fabric.Zone) bool {
		above := zoneAbove(all, z.Name)
		if above == nil || above.Delegates(z.Name) {
			return false
		}
		c.noteAt(z.Origin, fmt.Sprintf("zone %s has no NS records for %s, so that nobody finds it: add the record set NS of that name with %s",
			above.Name, z.Name, strings.Join(model.NameServers(zoneID(c, z.Name)), " ")))
		return true
	})
}

// zoneID is the ID of a public zone that is there.
func zoneID(c *compiler, name string) model.ID {
	i := slices.IndexFunc(c.docs.publicZones.list, func(it *item[wire.PrivateZone]) bool { return strings.EqualFold(it.res.ID.Name(), name) })
	return c.docs.publicZones.list[i].res.ID
}

// zoneAbove returns the zone closest above a name, nil if there is none.
func zoneAbove(zones []fabric.Zone, name string) *fabric.Zone {
	for {
		var more bool
		if _, name, more = strings.Cut(name, "."); !more {
			return nil
		}
		if i := slices.IndexFunc(zones, func(z fabric.Zone) bool { return z.Name == name }); i >= 0 {
			return &zones[i]
		}
	}
}

// aliased gives an alias record set what its target has ("Azure DNS alias records
// overview"): a public IP's address, or the name of a Traffic Manager profile, of a
// front door's endpoint or of another record set, which it follows. A target that
// is gone leaves the set empty.
func (c *compiler) aliased(it *item[wire.RecordSet], rec *fabric.Record) {
	const at = "/properties/targetResource"
	id, err := model.ParseID(it.view.Properties.TargetResource.ID)
	if err != nil {
		c.problem(it.res, at+"/id", err.Error(), "name a public IP, a Traffic Manager profile, an endpoint of a front door or a record set of the zone by its ID")
		return
	}
	kind := leafOf(it.res.ID)
	name := ""
	switch {
	case id.Is(model.TypePublicIP):
		p, ok := c.publicAddrs[id.Key()]
		switch {
		case !ok:
			c.note(it.res, at, "", fmt.Sprintf("the target %s is gone: the record set is empty", id))
		case kind == "CNAME" || p.addr.Is4() != (kind == "A"):
			c.problem(it.res, at, fmt.Sprintf("record set %s of type %s cannot have the address of %q, which is %s", it.res.ID.Name(), kind, id.Name(), p.addr), "make it a record set of type A for IPv4 and AAAA for IPv6")
		default:
			rec.Addrs = []netip.Addr{p.addr}
		}
		return
	case id.Is(model.TypeTrafficManager):
		if m, ok := c.docs.managers.get(id.String()); ok {
			dns, _ := m.res.Properties()["dnsConfig"].(map[string]any)
			if label, _ := dns["relativeName"].(string); label != "" {
				name = strings.ToLower(label) + "." + trafficmanager.Zone
			}
		}
	case id.Is(model.TypeDoorEndpoint):
		for _, d := range c.doors {
			if slices.ContainsFunc(d.Names, func(n DoorName) bool { return n.Part.ID.Equal(id) }) {
				name = model.EndpointHost(id)
			}
		}
	case id.Parent().Is(model.TypePublicZone):
		if target, ok := c.docs.publicRecords.get(id.String()); ok && id.Parent().Equal(it.res.ID.Parent()) && target != it {
			name = qualified(id.Name(), strings.ToLower(id.Parent().Name()))
		}
	default:
		c.note(it.res, at, "", fmt.Sprintf("what %s has for addresses is not modelled", id))
		rec.Follows = unknownTarget
		return
	}
	switch {
	case name == "":
		c.note(it.res, at, "", fmt.Sprintf("the target %s is gone: the record set is empty", id))
	case kind == "CNAME":
		rec.Alias = name
	default:
		rec.Follows = name
	}
}

// unknownTarget is a name that nobody knows (RFC 6761 section 6.4).
const unknownTarget = "invalid"

// hostedAddrs returns the addresses that the public zones have for a name, as far as
// that does not depend on who asks.
func (c *compiler) hostedAddrs(name string) []netip.Addr {
	names := slices.Concat(c.labelNames(), c.doorZones())
	view := fabric.View{Zones: slices.Concat(c.publicZones, notHosted(names, c.publicZones))}
	if f := view.Follow(name); f.Verdict == fabric.VerdictAllow {
		return f.Record.Addrs
	}
	return nil
}

// withPublicZones adds public zones to those of a view, where no private zone
// stands in front of them: a private zone hides the public one of its name and those
// below, unless its link falls back to the internet for what it lacks.
func withPublicZones(zones, public []fabric.Zone, fallback map[string]bool) []fabric.Zone {
	linked := len(zones)
	for i := range public {
		p := &public[i]
		hidden := false
		for j := range zones[:linked] {
			z := &zones[j]
			switch {
			case p.Name != z.Name && !strings.HasSuffix(p.Name, "."+z.Name):
			case !fallback[z.Name]:
				hidden = true
			case p.Name == z.Name:
				// One zone of both: what the private one has wins.
				hidden = true
				z.Records = slices.Clone(z.Records)
				for _, r := range p.Records {
					if !slices.ContainsFunc(z.Records, func(o fabric.Record) bool { return o.Name == r.Name }) {
						z.Records = append(z.Records, r)
					}
				}
				sortRecords(z)
			default:
				hidden = hidden || slices.ContainsFunc(z.Records, func(r fabric.Record) bool { return r.Name == p.Name })
			}
		}
		if !hidden {
			zones = append(zones, *p)
		}
	}
	return zones
}

// notHosted returns the names that stand alone and are not in a public zone: a
// record there is what the internet answers.
func notHosted(names, public []fabric.Zone) []fabric.Zone {
	return slices.DeleteFunc(slices.Clone(names), func(n fabric.Zone) bool {
		return slices.ContainsFunc(public, func(z fabric.Zone) bool {
			return z.Name == n.Name || slices.ContainsFunc(z.Records, func(r fabric.Record) bool { return r.Name == n.Name })
		})
	})
}
