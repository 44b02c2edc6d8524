package fabric

import (
	"net/netip"
	"sort"
	"strings"
)

// View is what names mean inside a space.
type View struct {
	Zones []Zone // sorted by name
	// Own holds the names that the space gives its ports by itself; its name is
	// empty if it gives none.
	Own Zone
	// Servers are asked by the hosts of the space in place of the platform; empty
	// means they ask the platform.
	Servers []netip.Addr
	// Elsewhere means that something answers the hosts of the space that is not
	// modelled: servers of its own, rules that forward. What names mean to them
	// is unknown; the zones are what the platform answers whoever asks it.
	Elsewhere bool
	// Forwards means that the platform, too, forwards names by rules that are not
	// modelled.
	Forwards bool
}

// Zone is a set of records under one suffix.
type Zone struct {
	Name    string // lower case, without trailing dot
	Origin  Origin
	Records []Record // sorted by name
	// SOA is the zone's own record; its text is empty if the zone has none.
	SOA Data
	// Chosen means that the zone is one name whose record depends on who asks and
	// on what is well. Its record here is what a host of the space gets while
	// everything is well; it has none if it gets nothing.
	Chosen bool
	// Moves means that the zone is one name whose record may be another in the
	// next image. Who resolved it keeps the answer for its TTL.
	Moves bool
}

// Record gives the addresses, or the alias, of one name, and its further data.
type Record struct {
	Name  string // fully qualified, lower case, without trailing dot
	Addrs []netip.Addr
	Alias string // fully qualified target, if it is an alias
	// Follows is the name whose addresses the record has, in place of its own:
	// unlike an alias it stands beside other data, and at a zone's own name.
	Follows string
	TTL     uint32 // seconds
	Origin  Origin
	Data    []Data // of other types, sorted by type
	// Registered means that the platform made the record for a host, which its
	// addresses are named after as well.
	Registered bool
}

// Data is one record of a type other than A, AAAA and CNAME.
type Data struct {
	Type uint16 // RFC 1035 section 3.2.2
	TTL  uint32 // seconds
	Text string // RDATA as in a master file (RFC 1035 section 5.1), names with a trailing dot
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

// Resolve answers a name as a port sees it: by the servers of its own, if it has
// any, else as its space does.
func (img *Image) Resolve(at PortID, name string) Answer {
	port := &img.Ports[at]
	if port.Space == None {
		return Answer{Name: plain(name), Verdict: VerdictUnknown}
	}
	view := img.Spaces[port.Space].View
	if len(port.Servers) > 0 {
		view.Elsewhere = view.Forwards
		for _, a := range port.Servers {
			view.Elsewhere = view.Elsewhere || !img.Sets[img.Platform].Contains(AddrValue(a))
		}
	}
	return view.Resolve(name)
}

// maxAliases bounds how many aliases of a name are followed.
const maxAliases = 8

// Resolve answers a name in a view as the hosts of its space see it: the zone
// with the longest matching suffix is authoritative, wildcards stand for names
// that do not exist (RFC 4592), aliases are followed up to eight times.
func (v *View) Resolve(name string) Answer {
	if v.Elsewhere {
		return Answer{Name: plain(name), Verdict: VerdictUnknown}
	}
	f := v.Follow(name)
	ans := Answer{Name: plain(name), Verdict: f.Verdict}
	switch {
	case f.Verdict == VerdictAllow:
		ans.Addrs, ans.Origin, ans.TTL = f.Record.Addrs, f.Record.Origin, f.Record.TTL
		for _, r := range f.Aliases {
			ans.TTL = min(ans.TTL, r.TTL)
		}
	case f.Verdict == VerdictDeny && f.Zone != nil:
		ans.Origin = f.Zone.Origin
	}
	return ans
}

// Following is where a name leads.
type Following struct {
	// Verdict is Allow when there is a record, Deny when a zone says that there is
	// no such record, or aliases lead in a circle (then Zone is nil), Unknown when
	// the view has no zone for the name.
	Verdict Verdict
	Name    string    // the name at the end of the aliases
	Aliases []*Record // in order
	Record  *Record   // of Name, for Allow
	Zone    *Zone     // that has Name, nil if none does
	// Exists means, for Deny, that Name is the zone's own or has names below it:
	// it is a name without records.
	Exists bool
	// Wild means that a wildcard stands for a name on the way.
	Wild bool
}

// Follow finds the record of a name in the zones of a view, as the platform
// answers whoever asks it while everything is well.
func (v *View) Follow(name string) Following { return v.FollowBy(name, nil) }

// FollowBy is Follow with names that are chosen, or that move, as somebody knows
// them now: now returns the record of such a name, nil if it has none, and false
// if it knows nothing of it.
func (v *View) FollowBy(name string, now func(name string) (*Record, bool)) Following {
	return v.follow(name, now, false)
}

// follow is FollowBy; nested says that a record follows the name already: what
// follows is not followed again, so that there are no circles.
func (v *View) follow(name string, now func(name string) (*Record, bool), nested bool) Following {
	f := Following{Name: plain(name)}
	for range maxAliases {
		f.Zone = v.zone(f.Name)
		if f.Zone == nil || f.Zone.Delegates(f.Name) {
			f.Verdict, f.Zone = VerdictUnknown, nil
			return f
		}
		r := f.Zone.record(f.Name)
		if (f.Zone.Chosen || f.Zone.Moves) && now != nil && f.Name == f.Zone.Name {
			if chosen, ok := now(f.Name); ok {
				r = chosen
			}
		}
		if r == nil {
			r = f.Zone.wildcard(f.Name)
			f.Wild = f.Wild || r != nil
		}
		switch {
		case r == nil:
			f.Verdict, f.Exists = VerdictDeny, f.Name == f.Zone.Name || f.Zone.exists(f.Name)
			return f
		case r.Follows != "":
			f.Verdict = VerdictAllow
			if f.Record = v.followed(r, now, nested); f.Record == nil {
				f.Verdict, f.Zone = VerdictUnknown, nil
			}
			return f
		case r.Alias == "":
			f.Verdict, f.Record = VerdictAllow, r
			return f
		}
		f.Aliases = append(f.Aliases, r)
		f.Name = r.Alias
	}
	f.Zone = nil
	return f
}

// followed returns a record with the addresses of the name that it follows: none
// if that does not exist, and nil if nobody knows it.
func (v *View) followed(r *Record, now func(name string) (*Record, bool), nested bool) *Record {
	if nested {
		return nil
	}
	out := *r
	out.Follows, out.Addrs = "", nil
	f := v.follow(r.Follows, now, true)
	switch f.Verdict {
	case VerdictUnknown:
		return nil
	case VerdictAllow:
		out.Addrs, out.TTL = f.Record.Addrs, min(out.TTL, f.Record.TTL)
		for _, a := range f.Aliases {
			out.TTL = min(out.TTL, a.TTL)
		}
	}
	return &out
}

// typeNS is the type of the records by which a zone delegates (RFC 1035 section
// 3.2.2).
const typeNS = 2

// Delegates reports whether a name is at or below one that the zone leaves to
// other servers (RFC 1034 section 4.2.1).
func (z *Zone) Delegates(name string) bool {
	for name != z.Name {
		if r := z.record(name); r != nil {
			for i := range r.Data {
				if r.Data[i].Type == typeNS {
					return true
				}
			}
		}
		var more bool
		if _, name, more = strings.Cut(name, "."); !more {
			return false
		}
	}
	return false
}

// Apex returns the zone that has a name, nil if none does.
func (v *View) Apex(name string) *Zone { return v.zone(plain(name)) }

// Named returns the records that the platform made for an address, the space's
// own first.
func (v *View) Named(a netip.Addr) []*Record {
	var out []*Record
	add := func(z *Zone) {
		for i := range z.Records {
			r := &z.Records[i]
			if r.Registered && len(r.Addrs) > 0 && r.Addrs[0] == a {
				out = append(out, r)
			}
		}
	}
	add(&v.Own)
	for i := range v.Zones {
		add(&v.Zones[i])
	}
	return out
}

func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (v *View) zone(name string) *Zone {
	var best *Zone
	if z := &v.Own; z.Name != "" && (name == z.Name || strings.HasSuffix(name, "."+z.Name)) {
		best = z
	}
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
