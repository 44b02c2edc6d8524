package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"
)

// maxAliases bounds how many aliases one answer follows.
const maxAliases = 8

// Snapshot is everything a server knows, compiled. It never changes.
type Snapshot struct {
	nodes map[string]*node // by name on the wire, in lower case
	fixed *table           // what of them does not depend on who asks
	zones []string         // canonical, sorted
	names int
}

// node is a name that exists: it has records, or names below it do.
type node struct {
	zone  *zone
	kinds []typed // by type
	// other answers types that are not in kinds: no data, or an alias.
	other *answer
	// any answers ANY (RFC 8482).
	any *answer
	// cut is, at and below a delegation, the referral to the zone's servers.
	cut *body
	// signer answers, at a delegation itself, for DS: that is the parent's to say
	// (RFC 4035 section 3.1.4.1).
	signer *answer
	// wild is the name's child *, if it has one.
	wild *node
}

type typed struct {
	kind   uint16
	answer *answer
}

// zone is what the names of a zone share.
type zone struct {
	nameLen  int // of its name on the wire
	noData   *answer
	noDomain *answer
}

// answer is what a name and type get: the one body, or that which is chosen.
type answer struct {
	body   *body
	bodies []*body
	choose func(Client) Choice
}

// body is the part of an answer after the question.
type body struct {
	wire          []byte
	an, ns, ar    uint16
	rcode         byte
	authoritative bool
	apex          int // length of the zone's name if wire begins with a pointer to it, else 0
}

// Zones returns the names of the zones, with their final dots, sorted.
func (s *Snapshot) Zones() []string { return slices.Clone(s.zones) }

// Names returns how many names have records.
func (s *Snapshot) Names() int { return s.names }

// source is a name before it is compiled.
type source struct {
	zone    *zone
	apex    string
	sets    map[uint16][]mdns.RR
	managed *Managed
}

type compilation struct {
	sources map[string]*source // by canonical name
	apexes  map[string]*zone
	out     *Snapshot
}

// Compile makes a snapshot of zones. A wrong zone is told with everything that
// is wrong, and nothing is compiled.
func Compile(zones ...Zone) (*Snapshot, error) {
	c := &compilation{sources: map[string]*source{}, apexes: map[string]*zone{}, out: &Snapshot{nodes: map[string]*node{}}}
	var errs []error
	total := 0
	for i := range zones {
		name := canonical(zones[i].Name)
		if err := zones[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("zone %s: %w", name, err))
		}
		if c.apexes[name] != nil {
			errs = append(errs, fmt.Errorf("zone %s is given twice", name))
		}
		c.apexes[name] = &zone{}
		c.out.zones = append(c.out.zones, name)
		total += len(zones[i].Records)
	}
	if total > maxRecords {
		errs = append(errs, fmt.Errorf("%d records; at most %d are served", total, maxRecords))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.Sort(c.out.zones)
	for i := range zones {
		if err := c.collect(&zones[i]); err != nil {
			return nil, fmt.Errorf("zone %s: %w", canonical(zones[i].Name), err)
		}
	}
	for name, src := range c.sources {
		if err := c.node(name, src); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	c.joinWild()
	c.out.fixed = newTable(c.out.nodes)
	return c.out, nil
}

// collect takes a zone's records by name, and the names between them and the
// zone's.
func (c *compilation) collect(z *Zone) error {
	apex := canonical(z.Name)
	shared := c.apexes[apex]
	at := func(name string) *source {
		for up := name; ; {
			src := c.sources[up]
			if src == nil {
				src = &source{zone: shared, apex: apex, sets: map[uint16][]mdns.RR{}}
				c.sources[up] = src
			}
			if up == apex {
				break
			}
			_, up, _ = strings.Cut(up, ".")
			if up == "" {
				up = "."
			}
			if other := c.sources[up]; other != nil {
				break
			}
		}
		return c.sources[name]
	}
	var soa *mdns.SOA
	for _, rr := range z.Records {
		name := canonical(rr.Header().Name)
		if other := c.closer(name, apex); other {
			continue // another zone speaks for this name
		}
		src := at(name)
		src.sets[rr.Header().Rrtype] = append(src.sets[rr.Header().Rrtype], rr)
		if s, ok := rr.(*mdns.SOA); ok {
			soa = s
		}
	}
	for i := range z.Managed {
		if name := canonical(z.Managed[i].Name); !c.closer(name, apex) {
			at(name).managed = &z.Managed[i]
		}
	}
	wire, err := packName(apex)
	if err != nil {
		return err
	}
	shared.nameLen = len(wire)
	for _, negative := range []struct {
		to    **answer
		rcode byte
	}{{&shared.noData, rcodeSuccess}, {&shared.noDomain, rcodeNameError}} {
		b := &body{rcode: negative.rcode, authoritative: true, ns: 1, apex: shared.nameLen}
		minimal := *soa
		minimal.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl) // RFC 2308 section 5
		if b.wire, err = appendRR(nil, &minimal, ownerPointer); err != nil {
			return err
		}
		*negative.to = &answer{body: b}
	}
	return nil
}

// closer reports whether a zone below apex has the name: its records, glue
// aside, are then that zone's.
func (c *compilation) closer(name, apex string) bool {
	for up := name; up != apex && up != "."; {
		if c.apexes[up] != nil {
			return true
		}
		_, up, _ = strings.Cut(up, ".")
		if up == "" {
			up = "."
		}
	}
	return false
}

// node compiles a name.
func (c *compilation) node(name string, src *source) error {
	key, err := packName(name)
	if err != nil {
		return err
	}
	n := &node{zone: src.zone, other: src.zone.noData}
	c.out.nodes[string(key)] = n
	if len(src.sets) > 0 || src.managed != nil {
		c.out.names++
	}
	if n.cut, err = c.referral(name, src); n.cut != nil || err != nil {
		if at, _ := c.cutAt(name, src); at == name && err == nil {
			n.signer = src.zone.noData
			if len(src.sets[typeDS]) > 0 {
				n.signer, err = c.answer(name, src, typeDS)
			}
		}
		return err
	}
	kinds := []uint16{typeA, typeAAAA}
	beside := src.managed != nil && src.managed.Beside
	alias := src.managed != nil && !beside || len(src.sets[typeCNAME]) > 0
	if alias {
		kinds = append(kinds, typeCNAME)
	}
	for kind := range src.sets {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		chosen := beside && (kind == typeA || kind == typeAAAA)
		if !alias && !chosen && len(src.sets[kind]) == 0 {
			continue
		}
		a, err := c.answer(name, src, kind)
		if err != nil {
			return err
		}
		n.kinds = append(n.kinds, typed{kind, a})
	}
	if alias {
		// For other types the alias alone; who asks goes on.
		if n.other, err = c.answer(name, src, typeCNAME); err != nil {
			return err
		}
	}
	n.any = n.other
	if len(src.sets) > 0 && !alias {
		b := &body{an: 1, authoritative: true}
		rr := &mdns.HINFO{Hdr: mdns.RR_Header{Name: name, Rrtype: typeHINFO, Class: classINET, Ttl: 3600}, Cpu: "RFC8482"}
		if b.wire, err = appendRR(nil, rr, ownerPointer); err != nil {
			return err
		}
		n.any = &answer{body: b}
	}
	return nil
}

// answer compiles what a name gets for a type, following aliases as far as the
// zones here know them.
func (c *compilation) answer(name string, src *source, kind uint16) (*answer, error) {
	start := &body{authoritative: true}
	owner := ownerPointer
	seen := []string{name}
	for range maxAliases {
		switch target, here, err := c.step(start, src, kind, owner); {
		case err != nil:
			return nil, err
		case src.managed != nil && here:
			return c.managed(start, name, src, kind, owner)
		case target == "":
			return &answer{body: start}, nil
		case kind == typeCNAME || slices.Contains(seen, target):
			return &answer{body: start}, nil // in a circle each alias once
		default:
			seen = append(seen, target)
			next, apex := c.find(target)
			if apex == "" {
				return &answer{body: start}, nil // not known here: who asks goes on
			}
			if next == nil {
				start.rcode = rcodeNameError // RFC 6604
				return &answer{body: start}, c.addSOA(start, apex)
			}
			name, src, owner = target, next, target
		}
	}
	return &answer{body: start}, nil
}

// step adds what a name has for a type: data, or an alias and its target. here
// is true for a managed name.
func (c *compilation) step(to *body, src *source, kind uint16, owner string) (target string, here bool, err error) {
	if src.managed != nil && (!src.managed.Beside || kind == typeA || kind == typeAAAA) {
		return "", true, nil
	}
	set := src.sets[kind]
	if len(set) == 0 {
		set = src.sets[typeCNAME]
		if len(set) > 0 {
			target = canonical(set[0].(*mdns.CNAME).Target)
		}
	}
	if len(set) == 0 && to.an > 0 {
		return "", false, c.addSOA(to, src.apex) // an alias to a name without such data
	}
	for _, rr := range set {
		if to.wire, err = appendRR(to.wire, rr, owner); err != nil {
			return "", false, err
		}
		to.an++
	}
	if kind == typeCNAME {
		target = ""
	}
	return target, false, nil
}

// addSOA says for how long a name without data has none, after aliases.
func (c *compilation) addSOA(to *body, apex string) error {
	soa := c.sources[apex].sets[typeSOA][0].(*mdns.SOA)
	minimal := *soa
	minimal.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	var err error
	to.wire, err = appendRR(to.wire, &minimal, apex)
	to.ns++
	return err
}

// find returns what an alias leads to: a name, or the wildcard that stands for
// it; nil if its zone has none. apex is empty if no zone here speaks for it.
func (c *compilation) find(name string) (src *source, apex string) {
	encloser := name
	for c.sources[encloser] == nil {
		var ok bool
		if _, encloser, ok = strings.Cut(encloser, "."); !ok || encloser == "" {
			return nil, ""
		}
	}
	at := c.sources[encloser]
	if c.isCut(encloser, at) {
		return nil, ""
	}
	if encloser == name {
		return at, at.apex
	}
	return c.sources["*."+encloser], at.apex
}

// managed compiles the variants of a managed name after the aliases that lead
// there.
func (c *compilation) managed(start *body, name string, src *source, kind uint16, owner string) (*answer, error) {
	m := src.managed
	a := &answer{choose: m.Choose}
	head := mdns.RR_Header{Name: name, Class: classINET, Ttl: m.TTL}
	for i := range m.Variants {
		v := &m.Variants[i]
		b := *start
		b.wire = slices.Clone(start.wire)
		var list []mdns.RR
		if v.Alias != "" {
			head.Rrtype = typeCNAME
			list = append(list, &mdns.CNAME{Hdr: head, Target: canonical(v.Alias)})
		}
		list = append(list, addressRecords(head, v.Addrs, kind)...)
		for _, rr := range list {
			var err error
			if b.wire, err = appendRR(b.wire, rr, owner); err != nil {
				return nil, err
			}
			b.an++
		}
		if v.Alias != "" && kind != typeCNAME {
			if next := c.sources[canonical(v.Alias)]; next != nil && next.managed == nil && len(next.sets[kind]) > 0 && !c.isCut(canonical(v.Alias), next) {
				if _, _, err := c.step(&b, next, kind, canonical(v.Alias)); err != nil {
					return nil, err
				}
			}
		}
		if len(list) == 0 {
			if start.an == 0 {
				b = *src.zone.noData.body
			} else if err := c.addSOA(&b, src.apex); err != nil {
				return nil, err
			}
		}
		a.bodies = append(a.bodies, &b)
	}
	// What is out of range, and what is chosen where nobody chooses.
	a.body = src.zone.noData.body
	if start.an > 0 {
		a.body = start
	}
	if m.Choose == nil && len(a.bodies) > 0 {
		a.body = a.bodies[0]
	}
	return a, nil
}

// addressRecords makes records of the addresses of a type's family.
func addressRecords(h mdns.RR_Header, addrs []netip.Addr, kind uint16) []mdns.RR {
	var out []mdns.RR
	h.Rrtype = kind
	for _, addr := range addrs {
		switch {
		case kind == typeA && addr.Is4():
			out = append(out, &mdns.A{Hdr: h, A: addr.AsSlice()})
		case kind == typeAAAA && addr.Is6():
			out = append(out, &mdns.AAAA{Hdr: h, AAAA: addr.AsSlice()})
		}
	}
	return out
}

// isCut reports whether a name is at or below a delegation.
func (c *compilation) isCut(name string, src *source) bool {
	at, _ := c.cutAt(name, src)
	return at != ""
}

// cutAt returns the delegation at or above a name within its zone, the highest.
func (c *compilation) cutAt(name string, src *source) (string, *source) {
	found, at := "", (*source)(nil)
	for up := name; up != src.apex; {
		if s := c.sources[up]; s != nil && len(s.sets[typeNS]) > 0 {
			found, at = up, s
		}
		_, up, _ = strings.Cut(up, ".")
		if up == "" {
			break
		}
	}
	return found, at
}

// referral is the answer at and below a delegation: the servers of the other
// zone, and their addresses where they are known here (RFC 1034 section 4.3.2).
func (c *compilation) referral(name string, src *source) (*body, error) {
	at, cut := c.cutAt(name, src)
	if at == "" {
		return nil, nil
	}
	b := &body{}
	wire, err := packName(at)
	if err != nil {
		return nil, err
	}
	b.apex = len(wire)
	for _, rr := range cut.sets[typeNS] {
		owner := at
		if b.ns == 0 {
			owner = ownerPointer
		}
		if b.wire, err = appendRR(b.wire, rr, owner); err != nil {
			return nil, err
		}
		b.ns++
	}
	for _, rr := range cut.sets[typeNS] {
		server := c.sources[canonical(rr.(*mdns.NS).Ns)]
		if server == nil {
			continue
		}
		for _, kind := range []uint16{typeA, typeAAAA} {
			for _, glue := range server.sets[kind] {
				if b.wire, err = appendRR(b.wire, glue, canonical(glue.Header().Name)); err != nil {
					return nil, err
				}
				b.ar++
			}
		}
	}
	return b, nil
}

// joinWild gives every name its child *.
func (c *compilation) joinWild() {
	for key, n := range c.out.nodes {
		if parent, ok := strings.CutPrefix(key, "\x01*"); ok {
			if up := c.out.nodes[parent]; up != nil && up.zone == n.zone {
				up.wild = n
			}
		}
	}
}

// ownerPointer stands for an owner that is a pointer: to the question's name, or
// to a place that [Snapshot.Respond] fills in.
const ownerPointer = ""

// appendRR adds a record with an owner, uncompressed.
func appendRR(to []byte, rr mdns.RR, owner string) ([]byte, error) {
	b := make([]byte, mdns.Len(rr)+maxName)
	end, err := mdns.PackRR(rr, b, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", rr, err)
	}
	// What was packed must be readable: empty names, for one, are packed as
	// nothing.
	if _, n, err := mdns.UnpackRR(b[:end], 0); err != nil || n != end {
		return nil, fmt.Errorf("record %s: not a whole record (%w)", rr, err)
	}
	at, ok := skipName(b[:end], 0)
	if !ok {
		return nil, fmt.Errorf("record %s: it has no name", rr)
	}
	if owner == ownerPointer {
		to = binary.BigEndian.AppendUint16(to, 0xc000|headerLen)
	} else {
		name, err := packName(owner)
		if err != nil {
			return nil, err
		}
		to = append(to, name...)
	}
	return append(to, b[at:end]...), nil
}

// packName returns a name on the wire.
func packName(name string) ([]byte, error) {
	b := make([]byte, maxName+1)
	n, err := mdns.PackDomainName(name, b, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("name %s: %w", name, err)
	}
	b = b[:n]
	for i := range b {
		b[i] = lower[b[i]]
	}
	return b, nil
}
