package arm

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Error codes of diagnostics that no document of Azure's confirms.
const (
	codeTargetType    = "InvalidTargetResourceType"             // unconfirmed
	codeTargetRegion  = "TargetResourceNotInNetworkWatcherArea" // unconfirmed
	codeTargetNIC     = "TargetNicResourceIdRequired"           // unconfirmed
	codeTargetForeign = "NicNotAttachedToTargetResource"        // unconfirmed
	codeTargetAddress = "IpAddressNotFoundOnTarget"             // unconfirmed
)

// required returns a string that a request must have.
func (q *question) required(name string) (string, *Fault) {
	s := text(q.body, name)
	if s == "" {
		return "", badRequest("MissingJsonProperty", "The request of %s needs the property '%s', a string; it has %s.", q.on.ID, name, show(q.body[name]))
	}
	return s, nil
}

// find returns an existing resource that a request names.
func (q *question) find(property, id string) (*model.Resource, *Fault) {
	parsed, err := model.ParseID(id)
	if err != nil {
		f := badRequest("LinkedInvalidPropertyId", "Property id '%.300s' at path '%s' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}'.", id, property)
		f.Err.Target = property
		return nil, f
	}
	if r := q.document(id); r != nil {
		return r, nil
	}
	return nil, notFound(parsed, false)
}

// interfaces returns the network interfaces of a target: those of a virtual
// machine, or the target itself. It must be in the watcher's region.
func (q *question) interfaces(property, target string) ([]*model.Resource, *Fault) {
	r, f := q.find(property, target)
	if f != nil {
		return nil, f
	}
	if q.on.ID.Is(typeWatcher) && r.Location() != q.on.Location() {
		return nil, badRequest(codeTargetRegion, "The target resource %s is in %s; network watcher %s serves resources in %s only. Ask the network watcher of its region.", r.ID, r.Location(), q.on.ID, q.on.Location())
	}
	switch {
	case r.ID.Is(model.TypeNIC):
		return []*model.Resource{r}, nil
	case r.ID.Is(model.TypeVM):
		var out []*model.Resource
		for _, n := range objects(object(r.Properties(), "networkProfile"), "networkInterfaces") {
			if nic := q.document(text(n, "id")); nic != nil {
				out = append(out, nic)
			}
		}
		return out, nil
	}
	return nil, badRequest(codeTargetType, "The target resource %s of type %s cannot be diagnosed; name a virtual machine or a network interface.", r.ID, r.Type())
}

// local returns the port of the interface that has an address: the one named by
// targetNicResourceId, else the target's only one that fits. If a machine with
// several interfaces forwards, the interface must be named (VerificationIPFlowParameters
// of the API).
func (q *question) local(address netip.Addr) (fabric.PortID, *Fault) {
	target, f := q.required("targetResourceId")
	if f != nil {
		return fabric.None, f
	}
	nics, f := q.interfaces("targetResourceId", target)
	if f != nil {
		return fabric.None, f
	}
	chosen, _ := q.body["targetNicResourceId"].(string)
	if chosen == "" && len(nics) > 1 {
		for _, n := range nics {
			if n.Properties()["enableIPForwarding"] == true {
				return fabric.None, badRequest(codeTargetNIC, "The target resource %s has %d network interfaces and %s forwards; name one with targetNicResourceId.", target, len(nics), n.ID)
			}
		}
	}
	known := false
	var have []string
	for _, n := range nics {
		if chosen != "" && !strings.EqualFold(chosen, n.ID.String()) {
			continue
		}
		known = true
		at, f := q.port(n.ID.String())
		if f != nil {
			return fabric.None, f
		}
		p := &q.img.Ports[at]
		// An interface that forwards may send and receive for others.
		if q.img.Sets[p.Addrs].Contains(fabric.AddrValue(address)) || p.Forward != nil && (chosen != "" || len(nics) == 1) {
			return at, nil
		}
		for _, pfx := range q.img.Sets[p.Addrs].Prefixes() {
			have = append(have, pfx.Addr().String())
		}
	}
	if !known && chosen != "" {
		return fabric.None, badRequest(codeTargetForeign, "The network interface %.300s is not attached to the target resource %s.", chosen, target)
	}
	return fabric.None, badRequest(codeTargetAddress, "The IP address %s does not belong to the target resource %s; it has %s.", address, target, strings.Join(have, ", "))
}

// address reads an IP address that a request must have.
func (q *question) address(name string) (netip.Addr, *Fault) {
	s, f := q.required(name)
	if f != nil {
		return netip.Addr{}, f
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, invalidProperty(q.on.ID, name, s, "it must be an IP address")
	}
	return a.Unmap(), nil
}

// ports reads a port, or "*" for every port.
func (q *question) ports(m map[string]any, name string) (fabric.Set, *Fault) {
	s, ok := m[name].(string)
	if n, is := whole(m[name]); is && !ok {
		s = strconv.Itoa(n)
	}
	if s == "*" {
		return fabric.AllValues(), nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return nil, invalidProperty(q.on.ID, name, m[name], "it must be a port from 0 to 65535, or *")
	}
	return fabric.NumSet(uint16(n), uint16(n)), nil
}

// direction reads a direction.
func (q *question) direction(m map[string]any) (fabric.Direction, *Fault) {
	if f := oneOf(q.on.ID, "direction", m["direction"], "Inbound", "Outbound"); f != nil {
		return 0, f
	}
	if strings.EqualFold(text(m, "direction"), "Inbound") {
		return fabric.In, nil
	}
	return fabric.Out, nil
}
