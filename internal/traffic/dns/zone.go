package dns

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"
)

// Limits of what is served.
const (
	maxRecords  = 4 << 20 // of all zones
	maxVariants = 1 << 14 // of one managed name
)

// Zone is what one server says of a name and all names below it.
type Zone struct {
	Name    string // absolute or not, in any case
	Records []mdns.RR
	// Managed are names of the zone whose answer depends on who asks.
	Managed []Managed
}

// Managed is a name whose answer depends on who asks and on chance. Records of
// the zone must not have the name too, unless it has addresses alone.
type Managed struct {
	Name string
	TTL  uint32 // seconds
	// Beside means that the variants are addresses alone, beside what else the zone
	// has of the name, which may then be its own.
	Beside   bool
	Variants []Variant
	// Choose says what a client gets. It is called by several goroutines and
	// must neither block nor allocate. Nil means the only variant, or no data
	// where there is none.
	Choose func(Client) Choice
}

// Variant is one of the answers of a managed name: an alias, or addresses, or,
// if it has none, no data.
type Variant struct {
	Alias string
	Addrs []netip.Addr
}

// Client is who asks.
type Client struct {
	// Addr is the client's network if the query says it (RFC 7871), else the
	// address that the query came from.
	Addr netip.Addr
	// Bits is how much of Addr is known.
	Bits uint8
	// Random is different for every query.
	Random uint64
}

// Choice is the answer for a client.
type Choice struct {
	Variant int // its index; what is out of range is no data
	// Scope is for how many bits of the client's address the choice is the same:
	// 0 if it does not depend on it.
	Scope uint8
}

// ReadZoneFile reads a master file.
func ReadZoneFile(path, origin string) (Zone, error) {
	f, err := os.Open(path)
	if err != nil {
		return Zone{}, err
	}
	defer f.Close()
	return ReadZone(f, path, origin)
}

// ReadZone reads a master file (RFC 1035 section 5) and finds everything wrong
// with its records. The zone is what its SOA record says; origin, which may be
// empty, completes names before the file's first $ORIGIN. Other files are not
// included.
func ReadZone(r io.Reader, file, origin string) (Zone, error) {
	if origin != "" {
		origin = mdns.Fqdn(origin)
	}
	p := mdns.NewZoneParser(r, origin, file)
	p.SetDefaultTTL(3600)
	var z Zone
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if len(z.Records) == maxRecords {
			return Zone{}, fmt.Errorf("%s: more than %d records", file, maxRecords)
		}
		z.Records = append(z.Records, rr)
		if soa, ok := rr.(*mdns.SOA); ok && z.Name == "" {
			z.Name = soa.Hdr.Name
		}
	}
	if err := p.Err(); err != nil {
		return Zone{}, fmt.Errorf("%s: %w", file, err)
	}
	if z.Name == "" {
		return Zone{}, fmt.Errorf("%s: no SOA record; begin the zone with one", file)
	}
	if err := z.check(); err != nil {
		return Zone{}, fmt.Errorf("%s: %w", file, err)
	}
	return z, nil
}

// check finds everything wrong with a zone.
func (z *Zone) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	apex := canonical(z.Name)
	alias, other, addressed, soa := map[string]bool{}, map[string]bool{}, map[string]bool{}, 0
	for _, rr := range z.Records {
		h := rr.Header()
		name := canonical(h.Name)
		switch {
		case !within(name, apex):
			bad("%s is not in the zone %s", name, apex)
		case strings.Contains(name, `\.`):
			bad("%s has a dot within a label; such names are not served", name)
		case h.Class != mdns.ClassINET:
			bad("%s has a record of class %s; only IN is served", name, mdns.Class(h.Class))
		case h.Rrtype == typeSOA:
			if soa++; name != apex {
				bad("%s has a SOA record; only the zone's own name may", name)
			}
		case h.Rrtype == typeCNAME:
			if alias[name] {
				bad("%s has two aliases; keep one", name)
			}
			if name == apex {
				bad("%s is the zone's own name and cannot be an alias (RFC 1034 section 3.6.2)", name)
			}
			alias[name] = true
		case h.Rrtype == typeDNAME || h.Rrtype == typeOPT || h.Rrtype >= 128 && h.Rrtype <= 255:
			bad("%s has a record of type %s, which is not served", name, mdns.Type(h.Rrtype))
		default:
			other[name] = true
			addressed[name] = addressed[name] || h.Rrtype == typeA || h.Rrtype == typeAAAA
		}
	}
	if soa != 1 {
		bad("%s has %d SOA records; one is needed", apex, soa)
	}
	for i := range z.Managed {
		m := &z.Managed[i]
		name := canonical(m.Name)
		switch {
		case !within(name, apex) || name == apex && !m.Beside:
			bad("%s is not a name below the zone %s", name, apex)
		case !m.Beside && (alias[name] || other[name]):
			bad("%s is managed and has records too", name)
		case m.Beside && (alias[name] || addressed[name]):
			bad("%s is managed and has addresses or an alias too", name)
		}
		if m.Beside && slices.ContainsFunc(m.Variants, func(v Variant) bool { return v.Alias != "" }) {
			bad("%s is managed beside other records and has an alias among its variants", name)
		}
		if m.Choose == nil && len(m.Variants) > 1 || len(m.Variants) > maxVariants {
			bad("%s has %d variants; at most %d are served, and somebody must choose", name, len(m.Variants), maxVariants)
		}
		if !m.Beside {
			alias[name] = true
		}
	}
	for name := range alias {
		if other[name] {
			bad("%s has an alias and other records; keep one of them", name)
		}
	}
	return errors.Join(errs...)
}

// canonical is a name in lower case with its final dot.
func canonical(name string) string { return strings.ToLower(mdns.Fqdn(name)) }

// within reports whether a canonical name is a zone's or below it.
func within(name, apex string) bool {
	return name == apex || apex == "." || strings.HasSuffix(name, "."+apex)
}
