package arm

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Pools of public addresses, inside ranges that are Microsoft's in truth, so
// that rules about the internet mean what they mean in Azure. No packet of ours
// ever leaves for them.
var (
	publicPool4 = netip.MustParsePrefix("20.64.0.0/10")
	publicPool6 = netip.MustParsePrefix("2603:1000::/96")
)

// addressKey is an address in an index term: its 16-byte form, so that
// addresses sort by number.
func addressKey(a netip.Addr) string {
	b := a.As16()
	return hex.EncodeToString(b[:])
}

// addressTerms are the terms of the private addresses of IP configurations.
func addressTerms(r *model.Resource) []string { return termsOfConfigs(r, "ipConfigurations") }

// frontendTerms are those of frontends.
func frontendTerms(r *model.Resource) []string {
	return termsOfConfigs(r, "frontendIPConfigurations")
}

func termsOfConfigs(r *model.Resource, property string) []string {
	var terms []string
	for _, cfg := range objects(r.Properties(), property) {
		p := object(cfg, "properties")
		if a, err := netip.ParseAddr(text(p, "privateIPAddress")); err == nil {
			terms = append(terms, termIP+strings.ToLower(refID(p, "subnet"))+"/"+addressKey(a))
		}
	}
	return terms
}

// publicTerms is the term of a public address.
func publicTerms(r *model.Resource) []string {
	var terms []string
	if a, err := netip.ParseAddr(text(r.Properties(), "ipAddress")); err == nil {
		terms = append(terms, termPublic+addressKey(a))
	}
	if name := publicName(r.Doc); name != "" {
		terms = append(terms, termName+name)
	}
	return terms
}

// subnetOf returns the prefixes of a referenced subnet.
func (c *change) subnetOf(id string) (model.ID, []netip.Prefix) {
	sid, err := model.ParseID(id)
	if err != nil {
		return model.ID{}, nil
	}
	network, ok := c.find(sid)
	if !ok {
		return sid, nil
	}
	subnet, _ := named(object(network, "properties"), "subnets", sid.Name())
	return sid, subnetPrefixes(object(subnet, "properties"))
}

// subnetPrefixes returns addressPrefix and addressPrefixes of a subnet,
// malformed ones left out.
func subnetPrefixes(p map[string]any) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range prefixTexts(p) {
		if pfx, err := netip.ParsePrefix(s); err == nil {
			out = append(out, pfx.Masked())
		}
	}
	return out
}

func prefixTexts(p map[string]any) []string {
	var out []string
	if s := text(p, "addressPrefix"); s != "" {
		out = append(out, s)
	}
	list, _ := p["addressPrefixes"].([]any)
	for _, e := range list {
		if s, ok := e.(string); ok && (len(out) == 0 || s != out[0]) {
			out = append(out, s)
		}
	}
	return out
}

// last returns the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// reserved reports whether an address is one of those a subnet keeps: the first
// four and, in IPv4, the last (Azure's Virtual Network FAQ).
func reserved(p netip.Prefix, a netip.Addr) bool {
	first := p.Masked().Addr()
	for range catalog.FirstUsableOffset {
		if a == first {
			return true
		}
		first = first.Next()
	}
	return a.Is4() && a == last(p)
}

// assignAddresses gives every IP configuration of the document an address in
// its subnet: the one asked for, the one it had, or the first free one.
func (c *change) assignAddresses(property string) *Fault {
	taken := map[string]bool{} // term, of this document
	configs := objects(c.props(), property)
	// Addresses asked for come first: a free one must not be given away that a
	// later configuration names.
	for _, cfg := range configs {
		p := object(cfg, "properties")
		if text(p, "privateIPAddress") == "" {
			if old, _ := named(c.oldProps(), property, text(cfg, "name")); old != nil {
				was := object(old, "properties")
				if strings.EqualFold(refID(was, "subnet"), refID(p, "subnet")) && text(was, "privateIPAddress") != "" {
					p["privateIPAddress"] = was["privateIPAddress"]
				}
			}
		}
		if a := text(p, "privateIPAddress"); a != "" {
			if f := c.claimAddress(cfg, a, taken); f != nil {
				return f
			}
		}
	}
	for _, cfg := range configs {
		p := object(cfg, "properties")
		if text(p, "privateIPAddress") == "" && refID(p, "subnet") != "" {
			if f := c.freeAddress(p, taken); f != nil {
				return f
			}
		}
	}
	return nil
}

func (c *change) claimAddress(cfg map[string]any, want string, taken map[string]bool) *Fault {
	p := object(cfg, "properties")
	subnet, prefixes := c.subnetOf(refID(p, "subnet"))
	a, err := netip.ParseAddr(want)
	if err != nil {
		return badRequest("InvalidIPAddressFormat", "IP address %s of resource %s is not formatted correctly.", show(want), c.id)
	}
	for _, pfx := range prefixes {
		if !pfx.Contains(a) {
			continue
		}
		if reserved(pfx, a) {
			return badRequest("PrivateIPAddressInReservedRange", "Private static IP address %s falls within reserved IP range of subnet prefix %s.", a, pfx)
		}
		term := termIP + subnet.Key() + "/" + addressKey(a)
		for _, e := range findExact(c.tx.View, term) {
			if !e.Resource.ID.Equal(c.id) {
				return badRequest("PrivateIPAddressIsAllocated", "IP configuration %s is using the private IP address %s which is already allocated to resource %s.", text(cfg, "id"), a, configWith(e.Resource, a))
			}
		}
		if taken[term] {
			return badRequest("PrivateIPAddressIsAllocated", "IP configurations of %s use the private IP address %s twice.", c.id, a)
		}
		taken[term] = true
		p["privateIPAddress"] = a.String()
		return nil
	}
	return badRequest("PrivateIPAddressNotInSubnet", "Private static IP address %s does not belong to the range of subnet prefix %s.", a, joinPrefixes(prefixes))
}

// configWith returns the part of a resource that has an address, or its ID.
func configWith(r *model.Resource, a netip.Addr) string {
	for _, list := range []string{"ipConfigurations", "frontendIPConfigurations"} {
		for _, cfg := range objects(r.Properties(), list) {
			if text(object(cfg, "properties"), "privateIPAddress") == a.String() {
				return text(cfg, "id")
			}
		}
	}
	return r.ID.String()
}

func (c *change) freeAddress(p map[string]any, taken map[string]bool) *Fault {
	if refID(p, "subnet") == "" {
		return nil
	}
	subnet, prefixes := c.subnetOf(refID(p, "subnet"))
	v6 := strings.EqualFold(text(p, "privateIPAddressVersion"), "IPv6")
	if v6 && p["primary"] != true && !slices.ContainsFunc(prefixes, func(q netip.Prefix) bool { return q.Addr().Is6() }) {
		return nil // taken as it is: there is no address to give
	}
	base := termIP + subnet.Key() + "/"
	// What this document had before is free unless it claimed it again.
	own := map[string]bool{}
	if c.old != nil && c.kind.Terms != nil {
		for _, term := range c.kind.Terms(&model.Resource{ID: c.id, Doc: c.old}) {
			own[term] = true
		}
	}
	for _, pfx := range prefixes {
		if pfx.Addr().Is4() == v6 {
			continue
		}
		a := pfx.Addr()
		for range catalog.FirstUsableOffset {
			a = a.Next()
		}
		// Terms come in order of addresses: the first gap is the lowest free one.
		want := base + addressKey(a)
		skip := func() {
			a = a.Next()
			want = base + addressKey(a)
		}
		for term := range c.tx.Terms(base) {
			for taken[want] {
				skip()
			}
			if term > want {
				break
			}
			if term == want && !own[term] {
				skip()
			}
		}
		for taken[want] {
			skip()
		}
		if a.Less(last(pfx)) {
			taken[want] = true
			p["privateIPAddress"] = a.String()
			return nil
		}
	}
	return badRequest("SubnetIsFull", "Subnet %s with address prefix %s is already full.", subnet.Name(), joinPrefixes(prefixes))
}

func joinPrefixes(ps []netip.Prefix) string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return strings.Join(out, ",")
}

// fillPublicIP assigns a public address: the document's, the one it had, or one
// that follows from the resource's ID, so that it does not depend on the order
// in which resources are made.
func fillPublicIP(c *change) *Fault {
	p := c.props()
	if !isBasic(c.doc) {
		setDefault(p, "ddosSettings.protectionMode", "VirtualNetworkInherited")
	}
	if f := c.fillPublicName(); f != nil {
		return f
	}
	want := text(p, "ipAddress")
	if want == "" {
		want = text(c.oldProps(), "ipAddress")
	}
	if want != "" {
		a, err := netip.ParseAddr(want)
		if err != nil {
			return badRequest("InvalidIPAddressFormat", "IP address %s of resource %s is not formatted correctly.", show(want), c.id)
		}
		if user := c.publicOwner(a); user != "" {
			return badRequest(codePublicIPDuplicate, "Public IP address %s of resource %s is already allocated to resource %s.", a, c.id, user)
		}
		p["ipAddress"] = a.String()
		return nil
	}
	if prefix := refID(p, "publicIPPrefix"); prefix != "" {
		return c.fillFromPrefix(prefix)
	}
	pool := publicPool4
	if strings.EqualFold(text(p, "publicIPAddressVersion"), "IPv6") {
		pool = publicPool6
	}
	a, f := c.freePublic(pool, nil)
	if f == nil {
		p["ipAddress"] = a.String()
	}
	return f
}

// freePublic returns a public address that nobody has, from a place in the pool
// that follows from the ID, and not among those of this change.
func (c *change) freePublic(pool netip.Prefix, mine []netip.Addr) (netip.Addr, *Fault) {
	start := hashOf(c.id.Key())
	hosts := uint32(1)<<min(pool.Addr().BitLen()-pool.Bits(), 31) - 1
	const tries = 1 << 16
	for i := range uint32(tries) {
		a := offset(pool, (start+i)&hosts)
		if c.publicOwner(a) == "" && !slices.Contains(mine, a) {
			return a, nil
		}
	}
	return netip.Addr{}, fault(http.StatusConflict, "PublicIPCountLimitReached", "No public IP address is left for resource %s.", c.id)
}

// fillFromPrefix gives a public address the first free one of its prefix.
func (c *change) fillFromPrefix(prefix string) *Fault {
	id, err := model.ParseID(prefix)
	if err != nil {
		return invalidReference(c.id, prefix)
	}
	e, ok := c.tx.Get(id)
	if !ok {
		return invalidReference(c.id, prefix)
	}
	pfx, err := netip.ParsePrefix(text(e.Resource.Properties(), "ipPrefix"))
	if err != nil {
		return invalidReference(c.id, prefix)
	}
	for a := pfx.Addr(); pfx.Contains(a); a = a.Next() {
		if c.publicOwner(a) == "" {
			c.props()["ipAddress"] = a.String()
			return nil
		}
	}
	return badRequest(codePrefixFull, "The public IP prefix %s has no address left for %s.", id, c.id)
}

// hashOf spreads texts over numbers (FNV-1a).
func hashOf(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// offset returns the n-th address of a prefix.
func offset(p netip.Prefix, n uint32) netip.Addr {
	b := p.Addr().AsSlice()
	tail := b[len(b)-4:]
	binary.BigEndian.PutUint32(tail, binary.BigEndian.Uint32(tail)+n)
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (c *change) publicOwner(a netip.Addr) string {
	for _, e := range findExact(c.tx.View, termPublic+addressKey(a)) {
		if !e.Resource.ID.Equal(c.id) {
			return e.Resource.ID.String()
		}
	}
	return ""
}
