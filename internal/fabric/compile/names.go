package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// registrationTTL is the lifetime of records that Azure registers, in seconds
// (seen in private DNS zone groups; unconfirmed for virtual machines).
const registrationTTL = 10

// names turns private DNS zones into the views of the networks they are linked
// to ("What is a private Azure DNS zone", "virtual network link").
func (c *compiler) names() {
	zones := map[string]*fabric.Zone{}
	for _, it := range c.docs.zones.list {
		zones[it.key] = &fabric.Zone{
			Name: strings.ToLower(it.res.ID.Name()), Origin: origin(it.res, "", ""),
			SOA: fabric.Data{Type: typeSOA, TTL: zoneTTL, Text: soaText(zoneAuthority())},
		}
	}
	c.records(c.docs.records.list, zones)
	c.zoneGroups(zones)
	var linked []link
	registers := map[*vnet]*link{}
	for _, it := range c.docs.links.list {
		l := link{item: it}
		var ok bool
		if l.zone, ok = zones[it.res.ID.Parent().Key()]; !ok {
			c.problem(it.res, "", fmt.Sprintf("link %q belongs to a private DNS zone that does not exist", it.res.ID.Name()), "declare the zone")
			continue
		}
		if l.vnet, ok = c.vnetByKey[strings.ToLower(it.view.Properties.VirtualNetwork.ID)]; !ok {
			c.dangling(it.res, "/properties/virtualNetwork", "virtual network", it.view.Properties.VirtualNetwork.ID)
			continue
		}
		if policy, _ := it.res.Properties()["resolutionPolicy"].(string); strings.EqualFold(policy, "NxDomainRedirect") {
			l.fallback = true
			c.note(it.res, "/properties/resolutionPolicy", "", "names the zone lacks are asked of the internet; here only those of platform services exist")
		}
		if it.view.Properties.RegistrationEnabled {
			if other, ok := registers[l.vnet]; ok {
				c.problem(it.res, "/properties/registrationEnabled",
					fmt.Sprintf("virtual network %q already registers its machines in zone %q", l.vnet.res.ID.Name(), other.zone.Name), "enable registration in one zone")
				continue
			}
			registers[l.vnet] = &l
		}
		linked = append(linked, l)
	}
	c.register(registers)
	for _, z := range zones {
		sortRecords(z)
	}
	c.nameServers()
	c.ownNames()
	byVNet := make([][]link, len(c.vnets))
	for _, l := range linked {
		byVNet[l.vnet.space] = append(byVNet[l.vnet.space], l)
	}
	c.readPublicZones()
	c.readManagers()
	public := notHosted(slices.Concat(c.publicNames(), c.labelNames(), c.listenerNames(), c.doorZones()), c.publicZones)
	same := map[string][]fabric.Zone{} // networks with the same links share their zones
	for _, v := range c.vnets {
		view := &c.img.Spaces[v.space].View
		key, region := "", ""
		if len(c.managers) > 0 {
			region = v.res.Location() // the nearest endpoint depends on it
			key = region + "\n"
		}
		for _, l := range byVNet[v.space] {
			key += fmt.Sprintf("%s %t\n", l.item.res.ID.Parent().Key(), l.fallback)
		}
		zones, ok := same[key]
		if !ok {
			fallback := map[string]bool{} // names of zones
			for _, l := range byVNet[v.space] {
				zones = append(zones, *l.zone)
				if l.fallback {
					fallback[l.zone.Name] = true
				}
			}
			zones = withPublicZones(zones, c.publicZones, fallback)
			zones = addPublicNames(zones, slices.Concat(public, c.managerNames(region)), fallback)
			slices.SortStableFunc(zones, func(a, b fabric.Zone) int { return strings.Compare(a.Name, b.Name) })
			same[key] = zones
		}
		view.Zones = zones
	}
}

// link is a zone's link to a network.
type link struct {
	item *item[wire.PrivateZoneLink]
	zone *fabric.Zone
	vnet *vnet
	// fallback asks the internet for names that the zone lacks.
	fallback bool
}

// recordKey is a name within a zone.
type recordKey struct {
	zone *fabric.Zone
	name string
}

// records reads the declared record sets into their zones.
func (c *compiler) records(sets []*item[wire.RecordSet], zones map[string]*fabric.Zone) {
	at := map[recordKey]int{}
	data := map[recordKey][]fabric.Data{}
	for key, z := range zones {
		for i := range z.Records { // what zones have by themselves
			at[recordKey{zones[key], z.Records[i].Name}] = i
			data[recordKey{zones[key], z.Records[i].Name}] = z.Records[i].Data
		}
	}
	for _, it := range sets {
		zone, ok := zones[it.res.ID.Parent().Key()]
		if !ok {
			c.problem(it.res, "", fmt.Sprintf("record %q belongs to a DNS zone that does not exist", it.res.ID.Name()), "declare the zone")
			continue
		}
		p := &it.view.Properties
		switch more, isData := c.data(it); {
		case isSOA(it.res.ID):
			if len(more) == 1 {
				zone.SOA = more[0]
			}
			continue
		case isData:
			key := recordKey{zone, qualified(it.res.ID.Name(), zone.Name)}
			if _, ok := at[key]; !ok {
				at[key] = len(zone.Records)
				zone.Records = append(zone.Records, fabric.Record{Name: key.name, TTL: uint32(p.TTL), Origin: origin(it.res, "", "")})
			}
			for _, d := range more {
				if !slices.Contains(data[key], d) {
					data[key] = append(data[key], d)
				}
			}
			continue
		}
		rec := fabric.Record{Name: qualified(it.res.ID.Name(), zone.Name), TTL: uint32(p.TTL), Origin: origin(it.res, "", "")}
		for i, a := range p.ARecords {
			rec.Addrs = c.recordAddr(rec.Addrs, it, fmt.Sprintf("/properties/aRecords/%d/ipv4Address", i), a.IPv4Address, false)
		}
		for i, a := range p.AAAARecords {
			rec.Addrs = c.recordAddr(rec.Addrs, it, fmt.Sprintf("/properties/aaaaRecords/%d/ipv6Address", i), a.IPv6Address, true)
		}
		if p.TargetResource != nil && p.TargetResource.ID != "" && it.res.ID.Parent().Is(model.TypePublicZone) {
			c.aliased(it, &rec)
		} else if p.CNAMERecord != nil {
			rec.Alias = strings.ToLower(strings.TrimSuffix(p.CNAMERecord.CNAME, "."))
		}
		c.addRecord(at, zone, rec, it)
	}
	for key, list := range data {
		r := &key.zone.Records[at[key]]
		slices.SortStableFunc(list, func(a, b fabric.Data) int { return int(a.Type) - int(b.Type) })
		if r.Alias != "" {
			continue // told by the service, which refuses such records
		}
		r.Data = list
	}
}

func (c *compiler) recordAddr(to []netip.Addr, it *item[wire.RecordSet], pointer, text string, v6 bool) []netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is6() != v6 {
		c.problem(it.res, pointer, fmt.Sprintf("%q is not an address of the record's type", text), "write an IPv4 address in A and an IPv6 address in AAAA records")
		return to
	}
	return append(to, a)
}

// addRecord joins the A and AAAA records of a name; an alias excludes others.
func (c *compiler) addRecord(at map[recordKey]int, zone *fabric.Zone, rec fabric.Record, it *item[wire.RecordSet]) {
	key := recordKey{zone, rec.Name}
	i, ok := at[key]
	switch {
	case !ok:
		at[key] = len(zone.Records)
		zone.Records = append(zone.Records, rec)
	case zone.Records[i].Alias != "" || rec.Alias != "":
		c.problem(it.res, "", fmt.Sprintf("name %q has an alias and another record", rec.Name), "keep one of them")
	default:
		if rec.Follows != "" && zone.Records[i].Follows != "" && rec.Follows != zone.Records[i].Follows {
			c.problem(it.res, "", fmt.Sprintf("name %q follows two targets", rec.Name), "keep one of them")
		}
		zone.Records[i].Follows = cmp.Or(zone.Records[i].Follows, rec.Follows)
		zone.Records[i].Addrs = append(zone.Records[i].Addrs, rec.Addrs...)
		if len(zone.Records[i].Addrs) == len(rec.Addrs) { // the first address
			zone.Records[i].TTL, zone.Records[i].Origin = rec.TTL, rec.Origin
		}
		zone.Records[i].TTL = min(zone.Records[i].TTL, rec.TTL)
	}
}

func qualified(name, zone string) string {
	if name == "@" {
		return zone
	}
	return strings.ToLower(name) + "." + zone
}

// register adds the virtual machines of networks whose link has registration
// enabled: the primary address of the first interface, IPv4 only. A declared
// record of the name wins.
func (c *compiler) register(registers map[*vnet]*link) {
	if len(registers) == 0 {
		return
	}
	declared := map[*fabric.Zone]map[string]bool{}
	for _, l := range registers {
		if declared[l.zone] == nil {
			declared[l.zone] = map[string]bool{}
			for _, r := range l.zone.Records {
				declared[l.zone][r.Name] = true
			}
		}
	}
	for _, vm := range c.docs.vms.list {
		refs := vm.view.Properties.NetworkProfile.NetworkInterfaces
		if len(refs) == 0 {
			continue
		}
		p, ok := c.nics[strings.ToLower(refs[0].ID)]
		if !ok {
			c.dangling(vm.res, "/properties/networkProfile/networkInterfaces/0", "network interface", refs[0].ID)
			continue
		}
		l, ok := registers[p.subnet.vnet]
		if !ok {
			continue
		}
		a := p.primary()
		static := strings.EqualFold(a.config.Properties.PrivateIPAllocationMethod, "Static")
		name := qualified(vm.res.ID.Name(), l.zone.Name)
		if !a.addr.Is4() || static && !registersStaticAddresses || declared[l.zone][name] {
			continue
		}
		declared[l.zone][name] = true
		l.zone.Records = append(l.zone.Records, fabric.Record{
			Name: name, Addrs: []netip.Addr{a.addr}, TTL: registrationTTL, Origin: origin(vm.res, "", ""), Registered: true,
		})
	}
}

// primary returns the primary address of an interface: the configuration that
// says so, else the first.
func (p *port) primary() portAddr {
	for _, a := range p.addrs {
		if a.config.Properties.Primary != nil && *a.config.Properties.Primary {
			return a
		}
	}
	return p.addrs[0]
}

func sortRecords(z *fabric.Zone) {
	slices.SortFunc(z.Records, func(a, b fabric.Record) int { return strings.Compare(a.Name, b.Name) })
}
