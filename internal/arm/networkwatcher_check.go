package arm

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Error codes of connection checks that no document of Azure's confirms.
const (
	codeNameUnknown = "DestinationAddressNotResolved" // unconfirmed
	codeNoAddress   = "DestinationHasNoAddress"       // unconfirmed
)

// checkPort is the source port of a check that names none: the first of the
// dynamic ports (RFC 6335 section 6).
const checkPort = 49152

// connectivityCheck answers how a connection fares between a machine and a
// resource, an address or a name.
func connectivityCheck(q *question) (any, *Fault) {
	source, destination := object(q.body, "source"), object(q.body, "destination")
	id := text(source, "resourceId")
	if id == "" {
		return nil, badRequest("MissingJsonProperty", "The request of %s needs the property 'source.resourceId', a string.", q.on.ID)
	}
	nics, f := q.interfaces("source.resourceId", id)
	if f != nil {
		return nil, f
	}
	if len(nics) == 0 {
		return nil, badRequest(codeNoAddress, "The source %s has no network interface.", id)
	}
	from, f := q.port(nics[0].ID.String())
	if f != nil {
		return nil, f
	}
	p := fabric.Packet{Proto: fabric.ProtoTCP, SrcPort: checkPort}
	name, port, f := q.protocol(&p, destination)
	if f != nil {
		return nil, f
	}
	v6 := strings.EqualFold(text(q.body, "preferredIPVersion"), "IPv6")
	if p.Dst, f = q.reached(destination, name, from, v6); f != nil {
		return nil, f
	}
	src, ok := ownAddress(q.img, from, p.Dst.Is6())
	if !ok {
		return nil, badRequest(codeNoAddress, "The source %s has no address of the family of %s.", id, p.Dst)
	}
	p.Src = src
	if p.Proto == fabric.ProtoICMP && p.Dst.Is6() {
		p.Proto = fabric.ProtoICMPv6
	}
	if p.HasPorts() {
		p.DstPort = port
		if n, given := whole(source["port"]); given {
			if n < 1 || n > 65535 {
				return nil, invalidProperty(q.on.ID, "source.port", source["port"], "it must be a port from 1 to 65535")
			}
			p.SrcPort = uint16(n)
		}
	} else {
		p.SrcPort = 0
	}
	return diagnose.Connect(q.img, from, p, q.machineOf), nil
}

// protocol reads the protocol and port of a check; a destination may be a URL.
func (q *question) protocol(p *fabric.Packet, destination map[string]any) (name string, port uint16, f *Fault) {
	name = text(destination, "address")
	protocol := strings.ToLower(text(q.body, "protocol"))
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		name = u.Hostname()
		if protocol == "" {
			protocol = u.Scheme
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			port = uint16(n)
		}
	}
	switch protocol {
	case "http":
		port = max(port, 80)
	case "https":
		if port == 0 {
			port = 443
		}
	case "icmp":
		p.Proto = fabric.ProtoICMP
		return name, 0, nil
	case "", "tcp":
	default:
		return "", 0, oneOf(q.on.ID, "protocol", q.body["protocol"], "Tcp", "Http", "Https", "Icmp")
	}
	if raw, given := destination["port"]; given && raw != nil {
		n, ok := whole(raw)
		if !ok || n < 1 || n > 65535 {
			return "", 0, invalidProperty(q.on.ID, "destination.port", raw, "it must be a port from 1 to 65535")
		}
		port = uint16(n)
	}
	if port == 0 {
		return "", 0, badRequest("MissingJsonProperty", "The request of %s needs the property 'destination.port', a number.", q.on.ID)
	}
	return name, port, nil
}

// reached returns the address that a check goes to: that of a resource, the one
// given, or what the name given means to the source.
func (q *question) reached(destination map[string]any, name string, from fabric.PortID, v6 bool) (netip.Addr, *Fault) {
	id := text(destination, "resourceId")
	if id == "" && name == "" {
		return netip.Addr{}, badRequest("MissingJsonProperty", "The request of %s needs the property 'destination.resourceId' or 'destination.address', a string.", q.on.ID)
	}
	if name == "" {
		r, f := q.find("destination.resourceId", id)
		if f != nil {
			return netip.Addr{}, f
		}
		if r.ID.Is(model.TypeVM) {
			nics := objects(object(r.Properties(), "networkProfile"), "networkInterfaces")
			if len(nics) > 0 {
				id = text(nics[0], "id")
			}
		}
		if at, ok := diagnose.PortOf(q.img, id); ok {
			if a, ok := ownAddress(q.img, at, v6); ok {
				return a, nil
			}
		}
		return netip.Addr{}, badRequest(codeNoAddress, "The destination %s has no address in the network; name a virtual machine, or an address with destination.address.", r.ID)
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Unmap(), nil
	}
	space := q.img.Ports[from].Space
	if space != fabric.None {
		if a := q.img.Spaces[space].View.Resolve(name); a.Verdict == fabric.VerdictAllow {
			for _, addr := range a.Addrs {
				if addr.Is6() == v6 {
					return addr, nil
				}
			}
		}
	}
	return netip.Addr{}, badRequest(codeNameUnknown, "The name '%.253s' means nothing in the virtual network of the source; what names mean outside it is not known here. Give an address.", name)
}

// ownAddress returns a port's first address of a family.
func ownAddress(img *fabric.Image, at fabric.PortID, v6 bool) (netip.Addr, bool) {
	for _, r := range img.Sets[img.Ports[at].Addrs].Intersect(diagnose.Everywhere(v6)) {
		if a := r.Lo.Addr(); a.Is6() == v6 {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// machineOf returns the virtual machine of an interface, or what it was given.
func (q *question) machineOf(id string) string {
	nic, err := model.ParseID(id)
	if err != nil || !nic.Is(model.TypeNIC) {
		return id
	}
	for _, u := range usersOf(q.s.kinds, q.view, nic, nil) {
		if vm, err := model.ParseID(u); err == nil && vm.Is(model.TypeVM) {
			return u
		}
	}
	return id
}

// maxProfiles bounds one diagnostic.
const maxProfiles = 100

// networkConfigurationDiagnostic answers which rules decide about traffic at a
// machine, and why the others do not.
func networkConfigurationDiagnostic(q *question) (any, *Fault) {
	target, f := q.required("targetResourceId")
	if f != nil {
		return nil, f
	}
	nics, f := q.interfaces("targetResourceId", target)
	if f != nil {
		return nil, f
	}
	profiles := objects(q.body, "profiles")
	if len(profiles) == 0 || len(profiles) > maxProfiles {
		return nil, invalidProperty(q.on.ID, "profiles", q.body["profiles"], "a diagnostic needs 1 to "+strconv.Itoa(maxProfiles)+" profiles")
	}
	if len(nics) == 0 {
		return nil, badRequest(codeNoAddress, "The target resource %s has no network interface.", target)
	}
	out := diagnose.Diagnostic{Results: []diagnose.DiagnosticResult{}}
	for _, p := range profiles {
		r, f := q.profile(nics, p)
		if f != nil {
			return nil, f
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}

// profile evaluates one profile, at the interface that has the local address or
// else at the first.
func (q *question) profile(nics []*model.Resource, p map[string]any) (diagnose.DiagnosticResult, *Fault) {
	none := diagnose.DiagnosticResult{}
	dir, f := q.direction(p)
	if f != nil {
		return none, f
	}
	mine := "source"
	if dir == fabric.In {
		mine = "destination"
	}
	at, f := q.port(nics[0].ID.String())
	if f != nil {
		return none, f
	}
	if a, err := netip.ParseAddr(text(p, mine)); err == nil {
		for _, n := range nics[1:] {
			if other, ok := diagnose.PortOf(q.img, n.ID.String()); ok && q.img.Sets[q.img.Ports[other].Addrs].Contains(fabric.AddrValue(a.Unmap())) {
				at = other
			}
		}
	}
	protocol := text(p, "protocol")
	protos := fabric.AllValues()
	switch strings.ToUpper(protocol) {
	case "TCP":
		protos = fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
	case "UDP":
		protos = fabric.NumSet(fabric.ProtoUDP, fabric.ProtoUDP)
	case "*", "ANY":
	default:
		return none, oneOf(q.on.ID, "protocol", p["protocol"], "TCP", "UDP", "*")
	}
	port, f := q.ports(p, "destinationPort")
	if f != nil {
		return none, f
	}
	var sides [2]fabric.Set
	v6 := strings.Contains(text(p, "source")+text(p, "destination"), ":")
	for i, side := range []string{"source", "destination"} {
		if sides[i], f = q.addresses(at, side, text(p, side), v6); f != nil {
			return none, f
		}
	}
	return diagnose.Evaluate(q.img, at, dir, diagnose.Between(sides[0], sides[1], fabric.AllValues(), port, protos), diagnose.Profile{
		Direction: text(p, "direction"), Protocol: protocol, Source: text(p, "source"), Destination: text(p, "destination"),
		DestinationPort: text(p, "destinationPort"),
	}), nil
}

// addresses reads one side of a profile: "*", an address, a prefix or a tag.
func (q *question) addresses(at fabric.PortID, side, s string, v6 bool) (fabric.Set, *Fault) {
	if s == "*" {
		return diagnose.Everywhere(v6), nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return fabric.AddrSet(a.Unmap()), nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return fabric.PrefixSet(p.Masked()), nil
	}
	if list, ok := catalog.ServiceTag(s); ok {
		return fabric.PrefixSet(list...).Intersect(diagnose.Everywhere(v6)), nil
	}
	if set, ok := diagnose.ComputedTag(q.img, at, s); ok {
		return set.Intersect(diagnose.Everywhere(v6)), nil
	}
	return nil, invalidProperty(q.on.ID, "profiles."+side, s, "it must be *, an IP address, a CIDR prefix or a service tag")
}
