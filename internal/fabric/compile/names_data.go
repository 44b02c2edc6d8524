package compile

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Types of records (RFC 1035 section 3.2.2, RFC 2782).
const (
	typeSOA = 6
	typePTR = 12
	typeMX  = 15
	typeTXT = 16
	typeSRV = 33
	typeNS  = 2
	typeCAA = 257
	typeDS  = 43 // RFC 4034

	typeTLSA = 52 // RFC 6698
)

// zoneTTL is the lifetime of the record SOA of a private zone, in seconds.
const zoneTTL = 3600

// zoneAuthority is the record SOA that every private zone has at first ("Overview of
// DNS zones and records": SOA records). The serial number is not kept up.
func zoneAuthority() *wire.SOARecord {
	return &wire.SOARecord{
		Host: "azureprivatedns.net", Email: "azureprivatedns-host.microsoft.com",
		SerialNumber: 1, RefreshTime: 3600, RetryTime: 300, ExpireTime: 2419200, MinimumTTL: 10,
	}
}

func soaText(r *wire.SOARecord) string {
	return fmt.Sprintf("%s %s %d %d %d %d %d", absolute(r.Host), absolute(strings.ReplaceAll(r.Email, "@", ".")),
		r.SerialNumber, r.RefreshTime, r.RetryTime, r.ExpireTime, r.MinimumTTL)
}

// absolute is a name as it stands in a master file.
func absolute(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// data reads a record set whose type is neither of addresses nor an alias; it
// reports false for those.
func (c *compiler) data(it *item[wire.RecordSet]) ([]fabric.Data, bool) {
	p := &it.view.Properties
	var out []fabric.Data
	add := func(kind uint16, name, format string, args ...any) {
		if name != "" && !isDomain(name) {
			c.problem(it.res, "/properties", fmt.Sprintf("%q is not a domain name", name), "write labels of 1 to 63 characters with dots between them")
			return
		}
		out = append(out, fabric.Data{Type: kind, TTL: uint32(p.TTL), Text: fmt.Sprintf(format, args...)})
	}
	switch kind := leafOf(it.res.ID); {
	case kind == "MX":
		for _, r := range p.MXRecords {
			add(typeMX, r.Exchange, "%d %s", uint16(r.Preference), absolute(r.Exchange))
		}
	case kind == "PTR":
		for _, r := range p.PTRRecords {
			add(typePTR, r.PTRDName, "%s", absolute(r.PTRDName))
		}
	case kind == "SRV":
		for _, r := range p.SRVRecords {
			add(typeSRV, r.Target, "%d %d %d %s", uint16(r.Priority), uint16(r.Weight), uint16(r.Port), absolute(r.Target))
		}
	case kind == "TXT":
		for _, r := range p.TXTRecords {
			parts := make([]string, len(r.Value))
			for i, s := range r.Value {
				parts[i] = characterString(s)
			}
			if len(parts) > 0 {
				add(typeTXT, "", "%s", strings.Join(parts, " "))
			}
		}
	case kind == "NS":
		for _, r := range p.NSRecords {
			add(typeNS, r.NSDName, "%s", absolute(r.NSDName))
		}
	case kind == "CAA":
		for _, r := range p.CAARecords {
			add(typeCAA, "", "%d %s %s", uint8(r.Flags), r.Tag, characterString(r.Value))
		}
	case kind == "DS":
		for _, r := range p.DSRecords {
			if c.hexadecimal(it.res, r.Digest.Value) {
				add(typeDS, "", "%d %d %d %s", uint16(r.KeyTag), uint8(r.Algorithm), uint8(r.Digest.Algorithm), strings.ToUpper(r.Digest.Value))
			}
		}
	case kind == "TLSA":
		for _, r := range p.TLSARecords {
			if c.hexadecimal(it.res, r.Data) {
				add(typeTLSA, "", "%d %d %d %s", uint8(r.Usage), uint8(r.Selector), uint8(r.MatchingType), strings.ToUpper(r.Data))
			}
		}
	case kind == "SOA":
		if r := p.SOARecord; r != nil {
			add(typeSOA, r.Host, "%s", soaText(r))
		}
	default:
		return nil, false
	}
	return out, true
}

// hexadecimal reports whether a digest of a record set can be read.
func (c *compiler) hexadecimal(set *model.Resource, digest string) bool {
	b, err := hex.DecodeString(digest)
	if err == nil && len(b) > 0 {
		return true
	}
	c.problem(set, "/properties", fmt.Sprintf("%q is not hexadecimal", digest), "write pairs of the digits 0-9 and A-F")
	return false
}

// leafOf is the type of a record set, as "MX".
func leafOf(set model.ID) string {
	t := set.Type()
	return strings.ToUpper(t[strings.LastIndexByte(t, '/')+1:])
}

func isSOA(set model.ID) bool { return leafOf(set) == "SOA" }

// characterString quotes a string for a master file (RFC 1035 section 5.1).
func characterString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch < ' ' || ch > '~':
			fmt.Fprintf(&b, "\\%03d", ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isDomain reports whether a text is a domain name that needs no escapes.
func isDomain(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, " \t\r\n\"();\\@$") {
			return false
		}
	}
	return true
}

// nameServers finds out whom the hosts of networks ask for names: the servers of the
// interface, else of the network, else the platform ("Name resolution for
// resources in Azure virtual networks").
func (c *compiler) nameServers() {
	for _, v := range c.vnets {
		view := &c.img.Spaces[v.space].View
		_, view.Forwards = c.claims.resolves[v] // noted where it is declared
		if o := v.view.Properties.DHCPOptions; o != nil {
			view.Servers = c.serversIn(v.res, "/properties/dhcpOptions", o.DNSServers)
		}
		view.Elsewhere = view.Forwards || len(view.Servers) > 0
		if len(view.Servers) > 0 {
			c.note(v.res, "/properties/dhcpOptions", "", fmt.Sprintf("names are resolved by the DNS server %s, whose answers are not modelled", view.Servers[0]))
		}
	}
	for _, p := range c.ports {
		if p.nic == nil || p.nic.view.Properties.DNSSettings == nil {
			continue
		}
		c.img.Ports[p.id].Servers = c.serversIn(p.nic.res, "/properties/dnsSettings", p.nic.view.Properties.DNSSettings.DNSServers)
	}
}

// serversIn reads a list of DNS servers. The platform alone is as good as none.
func (c *compiler) serversIn(r *model.Resource, pointer string, list []string) []netip.Addr {
	var out []netip.Addr
	for i, text := range list {
		if text == "AzureProvidedDNS" {
			return []netip.Addr{catalog.WireServer}
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			c.problem(r, fmt.Sprintf("%s/dnsServers/%d", pointer, i), fmt.Sprintf("%q is not an address", text), "write the address of a DNS server")
			continue
		}
		out = append(out, a)
	}
	if len(out) == 1 && out[0] == catalog.WireServer && strings.HasSuffix(pointer, "dhcpOptions") {
		return nil
	}
	return out
}

// ownNames gives every network the names of its virtual machines, which resolve
// in that network only ("Azure-provided name resolution").
func (c *compiler) ownNames() {
	for _, v := range c.vnets {
		c.img.Spaces[v.space].View.Own = fabric.Zone{
			Name: model.InternalDomain(v.res.ID), Origin: origin(v.res, "", ""),
			SOA: fabric.Data{Type: typeSOA, TTL: zoneTTL, Text: soaText(zoneAuthority())},
		}
	}
	for _, vm := range c.docs.vms.list {
		refs := vm.view.Properties.NetworkProfile.NetworkInterfaces
		if len(refs) == 0 {
			continue
		}
		p, ok := c.nics[strings.ToLower(refs[0].ID)]
		if !ok || !p.primary().addr.IsValid() {
			continue // a reference that leads nowhere is told elsewhere
		}
		zone := &c.img.Spaces[p.subnet.vnet.space].View.Own
		zone.Records = append(zone.Records, fabric.Record{
			Name: qualified(vm.res.ID.Name(), zone.Name), Addrs: []netip.Addr{p.primary().addr}, TTL: registrationTTL,
			Origin: origin(vm.res, "", ""), Registered: true,
		})
	}
	for _, v := range c.vnets {
		sortRecords(&c.img.Spaces[v.space].View.Own)
	}
}
