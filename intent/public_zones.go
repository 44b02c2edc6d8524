package intent

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// publicZone is one that is declared.
type publicZone struct {
	name string
	id   model.ID
	spec PublicZone
	ttl  int
	pos  model.Pos
}

// emitPublicZones makes the public DNS zones with their records.
func (b *builder) emitPublicZones() {
	var zones []*publicZone
	for _, e := range b.doc.PublicDNS {
		name := strings.TrimSuffix(strings.ToLower(e.Key.Value), ".")
		if !validDomain(name) || !strings.Contains(name, ".") {
			b.problem(e.Key.Pos, "write a name such as example.com", "%q is not the name of a public zone", e.Key.Value)
			continue
		}
		z := &publicZone{name: name, id: b.globalGroup().Resource(model.TypePublicZone, name), spec: e.Value, ttl: e.Value.TTL.Or(300), pos: e.Key.Pos}
		if z.ttl < 1 {
			b.problem(e.Value.TTL.Pos, "write a number of seconds from 1", "%d is not a time to live", z.ttl)
		}
		b.emit(z.id, wire.PrivateZone{Head: wire.Head{Location: "global"}}, z.pos, nil)
		zones = append(zones, z)
	}
	for _, z := range zones {
		b.delegate(z, zones)
		for _, e := range z.spec.Records {
			b.eachRegion(e, func(record Entry[Texts]) { b.publicRecord(z, record) })
		}
	}
}

// eachRegion calls f with a record, once for every region if its name has one.
func (b *builder) eachRegion(e Entry[Texts], f func(Entry[Texts])) {
	if !strings.Contains(e.Key.Value, "{region}") {
		f(e)
		return
	}
	for _, region := range b.regions {
		before := len(*b.problems)
		record := substitute(b, Map[Texts]{e}, map[string]string{"region": region})
		if len(*b.problems) == before { // what a bad placeholder leaves is no name
			f(record[0])
		}
	}
}

// delegate makes the record sets NS of a zone: for names that others serve, and for
// declared zones directly below it.
func (b *builder) delegate(z *publicZone, all []*publicZone) {
	emit := func(label string, servers []string, pos model.Pos) {
		set := wire.RecordSet{Properties: wire.RecordSetProperties{TTL: z.ttl}}
		for _, s := range servers {
			set.Properties.NSRecords = append(set.Properties.NSRecords, wire.NSRecord{NSDName: s})
		}
		b.emit(z.id.Child("NS", label), set, pos, nil)
	}
	own := map[string]bool{}
	for _, child := range all {
		label, below := strings.CutSuffix(child.name, "."+z.name)
		nearer := slices.ContainsFunc(all, func(o *publicZone) bool {
			return o != z && o != child && strings.HasSuffix(child.name, "."+o.name) && strings.HasSuffix(o.name, "."+z.name)
		})
		if below && !nearer {
			own[label] = true
			emit(label, model.NameServers(child.id), child.pos)
		}
	}
	for _, e := range z.spec.Delegate {
		label := strings.ToLower(e.Key.Value)
		switch {
		case own[label]:
			b.problem(e.Key.Pos, "remove it", "zone %s.%s is declared here, and delegated to by itself", label, z.name)
			continue
		case !validDomain(label):
			b.problem(e.Key.Pos, "write a name below the zone, such as lab", "%q is not a name that can be delegated", e.Key.Value)
			continue
		case len(e.Value) == 0:
			b.problem(e.Key.Pos, "write [ns1.example.net, ns2.example.net]", "%s.%s is delegated to no name server", label, z.name)
			continue
		}
		var servers []string
		for _, t := range e.Value {
			server := strings.ToLower(strings.TrimSuffix(t.Value, "."))
			if _, err := netip.ParseAddr(server); err == nil || !validDomain(server) || !strings.Contains(server, ".") {
				b.problem(t.Pos, "write the name of a DNS server, such as ns1.example.net", "%q is not a name server", t.Value)
				continue
			}
			servers = append(servers, server+".")
		}
		if own[label] = true; len(servers) > 0 {
			emit(label, servers, e.Key.Pos)
		}
	}
	for _, e := range z.spec.Records {
		for label := range own {
			if name := strings.ToLower(e.Key.Value); name == label || strings.HasSuffix(name, "."+label) {
				b.problem(e.Key.Pos, "declare it in that zone", "record %s of zone %s is in %s.%s, which other name servers answer for", e.Key.Value, z.name, label, z.name)
			}
		}
	}
}

// publicRecord makes the record sets of a name.
func (b *builder) publicRecord(z *publicZone, e Entry[Texts]) {
	name := strings.ToLower(e.Key.Value)
	if name != "@" && name != "*" && !validDomain(strings.TrimPrefix(name, "*.")) {
		b.problem(e.Key.Pos, "use letters, digits, '-' and '.', or @ for the zone itself", "%q is not a record name", e.Key.Value)
		return
	}
	if len(e.Value) == 0 {
		b.problem(e.Key.Pos, "write addresses, or what it leads to", "record %s of zone %s has no value", name, z.name)
		return
	}
	var v4 []wire.ARecord
	var v6 []wire.AAAARecord
	for _, t := range e.Value {
		a, err := netip.ParseAddr(t.Value)
		switch {
		case err == nil && a.Is4():
			v4 = append(v4, wire.ARecord{IPv4Address: a.String()})
		case err == nil:
			v6 = append(v6, wire.AAAARecord{IPv6Address: a.String()})
		case len(e.Value) > 1:
			b.problem(t.Pos, "write addresses, one name, or a Traffic Manager profile over several", "record %s of zone %s has several values, and %q is not an address", name, z.name, t.Value)
			return
		default:
			b.publicAlias(z, name, t, e.Key.Pos)
			return
		}
	}
	if len(v4) > 0 {
		b.emit(z.id.Child("A", name), wire.RecordSet{Properties: wire.RecordSetProperties{TTL: z.ttl, ARecords: v4}}, e.Key.Pos, nil)
	}
	if len(v6) > 0 {
		b.emit(z.id.Child("AAAA", name), wire.RecordSet{Properties: wire.RecordSetProperties{TTL: z.ttl, AAAARecords: v6}}, e.Key.Pos, nil)
	}
}

// publicAlias makes a record set that leads to a name or follows a resource.
func (b *builder) publicAlias(z *publicZone, name string, t Text, pos model.Pos) {
	target, kinds := b.aliasTarget(t)
	switch {
	case target != nil:
		for _, kind := range kinds {
			set := wire.RecordSet{Properties: wire.RecordSetProperties{TTL: z.ttl, TargetResource: &wire.Ref{ID: target.String()}}}
			b.emit(z.id.Child(kind, name), set, pos, map[string]model.Pos{"/properties/targetResource": t.Pos})
		}
	case kinds == nil: // told
	case name == "@":
		b.problem(t.Pos, "write addresses, or name what the zone shall lead to: a gateway, a Traffic Manager profile, a front door", "the zone %s itself cannot be another name for %s (RFC 1034 section 3.6.2)", z.name, t.Value)
	default:
		cname := strings.ToLower(strings.TrimSuffix(t.Value, "."))
		set := wire.RecordSet{Properties: wire.RecordSetProperties{TTL: z.ttl, CNAMERecord: &wire.CNAMERecord{CNAME: cname}}}
		b.emit(z.id.Child("CNAME", name), set, pos, nil)
	}
}

// aliasTarget finds the resource that a record follows, and the types of the record
// sets. It returns no resource and a type for another DNS name, and neither after
// a problem.
func (b *builder) aliasTarget(t Text) (*model.ID, []string) {
	text := strings.ToLower(strings.TrimSuffix(t.Value, "."))
	both := []string{"A", "AAAA"}
	var found []model.ID
	var known []string
	for _, m := range b.managers {
		dns := strings.ToLower(m.spec.DNS.Or(m.name, m.spec.Pos).Value) + managerDomain
		if known = append(known, m.name, dns); strings.EqualFold(m.name, text) || dns == text {
			found = append(found, m.id)
		}
	}
	for _, r := range b.resources {
		if !r.ID.Is(model.TypeDoorEndpoint) {
			continue
		}
		profile := r.ID.Parent().Name()
		if known = append(known, profile, strings.ToLower(r.ID.Name())+doorSuffix); strings.EqualFold(profile, text) || text == strings.ToLower(r.ID.Name())+doorSuffix || text == model.EndpointHost(r.ID) {
			found = append(found, r.ID)
		}
	}
	if public := b.publicCalled(t.Value); public != nil {
		found = append(found, public.ID)
		if version, _ := public.Properties()["publicIPAddressVersion"].(string); strings.EqualFold(version, "IPv6") {
			both = []string{"AAAA"}
		} else {
			both = []string{"A"}
		}
	}
	switch {
	case b.failed(t.Value):
		return nil, nil
	case len(found) == 1:
		return &found[0], both
	case len(found) > 1:
		b.problem(t.Pos, "rename one, or write the DNS name of the profile or the front door", "%q is both %s and %s", t.Value, found[0].Type(), found[1].Type())
		return nil, nil
	case strings.HasSuffix(text, managerDomain), strings.HasSuffix(text, doorSuffix), !strings.Contains(text, "."):
		b.problem(t.Pos, suggestion(t.Value, append(known, b.publicHolders()...), "name something with public-ip, a Traffic Manager profile, a front door, or another DNS name"), "nothing that a public record can lead to is called %q", t.Value)
		return nil, nil
	case !validDomain(text):
		b.problem(t.Pos, "write an address or a name", "%q is neither an address nor a name", t.Value)
		return nil, nil
	}
	return nil, []string{"CNAME"}
}

// publicHolders are the names of what has a public address.
func (b *builder) publicHolders() []string {
	var out []string
	for _, r := range b.resources {
		if r.ID.Is(model.TypePublicIP) && strings.HasSuffix(r.ID.Name(), publicSuffix) {
			out = append(out, strings.TrimSuffix(r.ID.Name(), publicSuffix))
		}
	}
	return out
}
