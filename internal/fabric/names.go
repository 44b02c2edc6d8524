package fabric

import (
	"net/netip"
	"sort"
	"strings"
)

// View is what names mean inside a space.
type View struct {
	Zones []Zone // sorted by name
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

// Resolve answers a name in a view: the zone with the longest matching suffix
// is authoritative, aliases are followed up to eight times.
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
		i := sort.Search(len(zone.Records), func(i int) bool { return zone.Records[i].Name >= name })
		if i == len(zone.Records) || zone.Records[i].Name != name {
			ans.Verdict, ans.Origin = VerdictDeny, zone.Origin
			return ans
		}
		r := &zone.Records[i]
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
