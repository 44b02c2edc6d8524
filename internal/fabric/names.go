package fabric

import (
	"net/netip"
	"sort"
	"strings"
)

// View is what names mean inside a space.
type View struct {
	Zones []Zone // sorted by name
	// Elsewhere means a resolver that is not modelled answers instead: there
	// are no zones and every name is unknown.
	Elsewhere bool
}

// Zone is a set of records under one suffix.
type Zone struct {
	Name    string // lower case, without trailing dot
	Origin  Origin
	Records []Record // sorted by name
}

// Record gives the addresses, or the alias, of one name.
type Record struct {
	Name   string // fully qualified, lower case, without trailing dot
	Addrs  []netip.Addr
	Alias  string // fully qualified target, if it is an alias
	TTL    uint32 // seconds
	Origin Origin
}

// Answer is the outcome of resolving a name.
type Answer struct {
	Name string
	// Verdict is Allow when there are addresses, Deny when the view says the
	// name does not exist, Unknown when the view has no zone for it.
	Verdict Verdict
	Addrs   []netip.Addr
	TTL     uint32
	Origin  Origin // the record or, for Deny, the zone
}

// Resolve answers a name in a view: the zone with the longest matching suffix is authoritative, wildcards stand for names that do not exist (RFC 4592),
// aliases are followed up to eight times.
func (v *View) Resolve(name string) Answer {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	ans := Answer{Name: name}
	ttl := ^uint32(0)
	for range 8 {
		zone := v.zone(name)
		if zone == nil {
			ans.Verdict = VerdictUnknown
			return ans
		}
		r := zone.record(name)
		if r == nil {
			r = zone.wildcard(name)
		}
		if r == nil {
			ans.Verdict, ans.Origin = VerdictDeny, zone.Origin
			return ans
		}
		ttl = min(ttl, r.TTL)
		if r.Alias == "" {
			ans.Verdict, ans.Addrs, ans.TTL, ans.Origin = VerdictAllow, r.Addrs, ttl, r.Origin
			return ans
		}
		name = r.Alias
	}
	return ans // an alias loop resolves to nothing
}

func (v *View) zone(name string) *Zone {
	var best *Zone
	for i := range v.Zones {
		z := &v.Zones[i]
		if (name == z.Name || strings.HasSuffix(name, "."+z.Name)) && (best == nil || len(z.Name) > len(best.Name)) {
			best = z
		}
	}
	return best
}

// record returns the record of exactly a name.
func (z *Zone) record(name string) *Record {
	i := sort.Search(len(z.Records), func(i int) bool { return z.Records[i].Name >= name })
	if i == len(z.Records) || z.Records[i].Name != name {
		return nil
	}
	return &z.Records[i]
}

// wildcard returns the record that stands for a name without one: the child *
// of the name's closest encloser, which is its nearest ancestor that exists
// (RFC 4592, section 3.3.1). A name that exists because of others below it has
// no records, and no wildcard either.
func (z *Zone) wildcard(name string) *Record {
	for at := name; at != z.Name; {
		if z.exists(at) {
			return nil
		}
		_, at, _ = strings.Cut(at, ".")
		if at == z.Name || z.exists(at) {
			return z.record("*." + at)
		}
	}
	return nil
}

// exists reports whether a name has a record or one below it.
func (z *Zone) exists(name string) bool {
	for i := range z.Records {
		if r := z.Records[i].Name; r == name || strings.HasSuffix(r, "."+name) {
			return true
		}
	}
	return false
}
