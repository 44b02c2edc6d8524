package arm

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// maxTTL is the longest time to live, in seconds (RFC 2181 section 8).
const maxTTL = 1<<31 - 1

func checkRecordSet(c *change) *Fault {
	p := c.props()
	// The API spells the property both ways.
	ttl, ok := p["ttl"]
	if !ok {
		ttl = p["TTL"]
	}
	if n, ok := whole(ttl); !ok || n < 0 || n > maxTTL {
		return invalidProperty(c.id, "properties.ttl", ttl, "it must be a number of seconds from 0 to 2147483647")
	}
	switch leaf := strings.ToUpper(c.kind.leaf()); leaf {
	case "A", "AAAA":
		list, field := "aRecords", "ipv4Address"
		if leaf == "AAAA" {
			list, field = "aaaaRecords", "ipv6Address"
		}
		records := objects(p, list)
		if len(records) == 0 {
			return invalidProperty(c.id, "properties."+list, p[list], "a record set needs at least one record")
		}
		for _, r := range records {
			if a, err := netip.ParseAddr(text(r, field)); err != nil || a.Is4() != (leaf == "A") {
				return invalidProperty(c.id, "properties."+list+"."+field, r[field], "it must be an address of the record's family")
			}
		}
	case "CNAME":
		if text(object(p, "cnameRecord"), "cname") == "" {
			return invalidProperty(c.id, "properties.cnameRecord.cname", nil, "it must be a name")
		}
	}
	return c.checkAlias()
}

// checkAlias refuses a CNAME beside other records of the same name (RFC 1034
// section 3.6.2), and at the zone's own.
func (c *change) checkAlias() *Fault {
	alias := c.kind.Type == model.TypePrivateZoneCNAME
	if alias && c.id.Name() == "@" {
		return badRequest("BadRequest", "A CNAME record set cannot be created at the zone apex: %s.", c.id)
	}
	for _, t := range []string{model.TypePrivateZoneA, model.TypePrivateZoneAAAA, model.TypePrivateZoneCNAME} {
		if t == c.kind.Type || !alias && t != model.TypePrivateZoneCNAME {
			continue
		}
		other := c.id.Parent().Child(t[strings.LastIndexByte(t, '/')+1:], c.id.Name())
		if has(c.tx, other) {
			return badRequest("CnameRecordConflict", "The record set %s conflicts with %s: a CNAME cannot stand beside other records of its name.", c.id, other) // code unconfirmed
		}
	}
	return nil
}

func showRecordSet(r *reading, p map[string]any) {
	fqdn := r.id.Parent().Name() + "."
	if name := r.id.Name(); name != "@" {
		fqdn = name + "." + fqdn
	}
	p["fqdn"], p["isAutoRegistered"] = fqdn, false
}

func checkZoneLink(c *change) *Fault {
	target := refID(c.props(), "virtualNetwork")
	id, err := model.ParseID(target)
	if err != nil || !id.Is(model.TypeVirtualNetwork) || c.old == nil && !has(c.tx, id) {
		return invalidReference(c.id, target)
	}
	if was := refID(c.oldProps(), "virtualNetwork"); was != "" && !strings.EqualFold(was, target) {
		return fault(http.StatusConflict, "PropertyChangeNotAllowed", "The virtual network of link %s cannot be changed; delete the link and create it again.", c.id)
	}
	for e := range c.tx.List(c.id.Parent().Key()+"/virtualnetworklinks/", "") {
		if !e.Resource.ID.Equal(c.id) && strings.EqualFold(refID(e.Resource.Properties(), "virtualNetwork"), target) {
			return fault(http.StatusConflict, "Conflict", "The virtual network %s is already linked to the zone by %s.", target, e.Resource.ID)
		}
	}
	return nil
}

func showZoneLink(_ *reading, p map[string]any) { p["virtualNetworkLinkState"] = "Completed" }
