package arm

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// portMappings answers by which frontend ports the inbound NAT rules of a pool
// lead to one member (BackendAddressInboundNatRulePortMappings of the API).
func portMappings(q *question) (any, *Fault) {
	var member netip.Addr
	switch config, address := refID(q.body, "ipConfiguration"), text(q.body, "ipAddress"); {
	case address != "":
		a, err := netip.ParseAddr(address)
		if err != nil {
			return nil, invalidProperty(q.on.ID, "ipAddress", address, "it must be an IP address")
		}
		member = a.Unmap()
	case config != "":
		id, err := model.ParseID(config)
		if err != nil {
			return nil, invalidReference(q.on.ID, config)
		}
		r := q.document(id.Parent().String())
		if r == nil {
			return nil, invalidReference(q.on.ID, config)
		}
		cfg, i := named(r.Properties(), "ipConfigurations", id.Name())
		a, err := netip.ParseAddr(text(object(cfg, "properties"), "privateIPAddress"))
		if i < 0 || err != nil {
			return nil, invalidReference(q.on.ID, config)
		}
		member = a
	default:
		return nil, badRequest("MissingJsonProperty", "The request of %s needs the property 'ipAddress', a string, or 'ipConfiguration'.", q.on.ID)
	}
	balancer := q.on.ID.Parent()
	at, f := q.port(balancer.String())
	if f != nil {
		return nil, f
	}
	rules := map[string]map[string]any{}
	if r := q.document(balancer.String()); r != nil {
		for _, rule := range objects(r.Properties(), "inboundNatRules") {
			if p := object(rule, "properties"); strings.EqualFold(refID(p, "backendAddressPool"), q.on.ID.String()) {
				rules[strings.ToLower(text(rule, "name"))] = p
			}
		}
	}
	list := []any{}
	if in := q.img.Ports[at].Inward; in != nil {
		for i := range in.Redirects {
			r := &in.Redirects[i]
			p := rules[strings.ToLower(r.Origin.Name)]
			front := q.img.Sets[r.Match[fabric.DstPort]]
			if p == nil || len(front) == 0 {
				continue
			}
			for _, t := range r.Targets {
				if !q.leadsTo(&t, member) {
					continue
				}
				back := int(t.DstPort)
				if back == 0 {
					back = int(front[0].Lo.Lo)
				}
				list = append(list, map[string]any{
					"inboundNatRuleName": r.Origin.Name, "protocol": p["protocol"], "frontendPort": front[0].Lo.Lo, "backendPort": back,
				})
			}
		}
	}
	return map[string]any{"inboundNatRulePortMappings": list}, nil
}

// leadsTo reports whether a target is a member, by the address it puts in or by
// the port it hands packets to.
func (q *question) leadsTo(t *fabric.Target, member netip.Addr) bool {
	if t.Addr.IsValid() {
		return t.Addr == member
	}
	return t.Port != fabric.None && q.img.Sets[q.img.Ports[t.Port].Addrs].Contains(fabric.AddrValue(member))
}
