package arm

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// maxTTL is the longest time to live, in seconds (RFC 2181 section 8).
const maxTTL = 1<<31 - 1

// recordTypes are the types of record sets a zone may have.
func recordTypes(zone string) []string {
	if zone == model.TypePrivateZone {
		return []string{"A", "AAAA", "CNAME", "MX", "PTR", "SOA", "SRV", "TXT"}
	}
	return []string{"A", "AAAA", "CNAME", "CAA", "DS", "MX", "NS", "PTR", "SOA", "SRV", "TLSA", "TXT"}
}

// publicZoneType is the type of public zones as answers spell it, other than in
// IDs (Azure/azure-cli recordings, test_dns_*).
const publicZoneType = "Microsoft.Network/dnszones"

// Properties of record sets. The two APIs spell them differently.
var (
	publicRecordWords  = newWords("TTL ARecords AAAARecords CNAMERecord caaRecords DSRecords MXRecords NSRecords PTRRecords SOARecord SRVRecords TLSARecords TXTRecords targetResource metadata minimumTTL", nil)
	privateRecordWords = newWords("ttl aRecords aaaaRecords cnameRecord mxRecords ptrRecords soaRecord srvRecords txtRecords metadata minimumTtl", nil)
)

// recordList is the property with the records of a set, "" if its type has but
// one record.
func recordList(k *kind) string {
	switch leaf := k.leaf(); {
	case leaf == "CNAME" || leaf == "SOA":
		return ""
	case leaf == "CAA":
		return "caaRecords"
	case k.parent.Type == model.TypePrivateZone:
		return strings.ToLower(leaf) + "Records"
	default:
		return leaf + "Records"
	}
}

// fillRecordSet shows a set without records as one with none of its type, and
// one of a public zone whether it is an alias.
func fillRecordSet(c *change) *Fault {
	p := c.props()
	if list := recordList(c.kind); list != "" && refID(p, "targetResource") == "" {
		setDefault(p, list, []any{})
	}
	if c.kind.parent.Type != model.TypePrivateZone {
		setDefault(p, "targetResource", map[string]any{})
	}
	return nil
}

// nameServers are those of public zones; private zones answer by Azure's
// resolver alone.
func nameServers(zone model.ID) []any {
	var out []any
	for _, s := range model.NameServers(zone) {
		out = append(out, s)
	}
	return out
}

// settleZone makes the record sets that every zone has at its apex: SOA, and NS
// in public ones. They go with the zone.
func settleZone(c *change) *Fault {
	if c.doc == nil || c.old != nil {
		return nil
	}
	servers := []any{"azureprivatedns.net"}
	ttl := 3600
	public := c.kind.Type != model.TypePrivateZone
	host := "azureprivatedns.net"
	if public {
		servers = nameServers(c.id)
		host, _ = servers[0].(string)
	}
	sets := map[string]map[string]any{"SOA": {"TTL": number(ttl), "SOARecord": map[string]any{
		"host": host, "email": "azuredns-hostmaster.microsoft.com", "serialNumber": number(1), "refreshTime": number(3600),
		"retryTime": number(300), "expireTime": number(2419200), "minimumTTL": number(300),
	}}}
	if !public {
		// The two APIs spell their properties differently.
		soa, _ := sets["SOA"]["SOARecord"].(map[string]any)
		soa["minimumTtl"], soa["email"] = number(10), "azureprivatedns-host.microsoft.com"
		delete(soa, "minimumTTL")
		sets["SOA"] = map[string]any{"ttl": number(ttl), "soaRecord": soa}
	} else {
		var records []any
		for _, s := range servers {
			records = append(records, map[string]any{"nsdname": s})
		}
		sets["NS"] = map[string]any{"TTL": number(172800), "NSRecords": records}
	}
	for t, p := range sets {
		id := c.id.Child(t, "@")
		doc := map[string]any{"id": id.String(), "name": "@", "type": c.kind.Type + "/" + t, "etag": bareEtag(c.etag), "properties": p}
		if public {
			doc["type"] = publicZoneType + "/" + t
			p["provisioningState"], p["targetResource"] = "Succeeded", map[string]any{}
		}
		if err := c.tx.Put(&model.Resource{ID: id, Doc: doc}); err != nil {
			return fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
	}
	return nil
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// Limits of zones ("Azure DNS limits").
const (
	maxRecordSetsPublic  = 10000
	maxRecordSetsPrivate = 25000
	maxZoneLinks         = 1000
)

// below counts the documents below the resource, by whether they are record
// sets.
func (r *reading) below() (records, links int) {
	for e := range r.view.List(r.id.Key()+"/", "") {
		if e.Resource.ID.Is(model.TypePrivateZoneLink) {
			links++
		} else {
			records++
		}
	}
	return records, links
}

func showPublicZone(r *reading, p map[string]any) {
	records, _ := r.below()
	p["numberOfRecordSets"], p["maxNumberOfRecordSets"] = records, maxRecordSetsPublic
	p["nameServers"] = nameServers(r.id)
}

func showPrivateZone(r *reading, p map[string]any) {
	records, links := r.below()
	registering := 0
	for e := range r.view.List(r.id.Key()+"/virtualnetworklinks/", "") {
		if e.Resource.Properties()["registrationEnabled"] == true {
			registering++
		}
	}
	p["internalId"] = base64.StdEncoding.EncodeToString([]byte("Zone;" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(r.id.Key())).String() + ";0"))
	p["numberOfRecordSets"], p["maxNumberOfRecordSets"] = records, maxRecordSetsPrivate
	p["numberOfVirtualNetworkLinks"], p["maxNumberOfVirtualNetworkLinks"] = links, maxZoneLinks
	p["numberOfVirtualNetworkLinksWithRegistration"], p["maxNumberOfVirtualNetworkLinksWithRegistration"] = registering, 100
}

func checkRecordSet(c *change) *Fault {
	p := c.props()
	ttl, ok := p["ttl"]
	if !ok {
		ttl = p["TTL"] // of public zones
	}
	if n, ok := whole(ttl); !ok || n < 0 || n > maxTTL {
		return invalidProperty(c.id, "properties.ttl", ttl, "it must be a number of seconds from 0 to 2147483647")
	}
	if refID(p, "targetResource") != "" {
		return c.checkAlias() // its records are those of the target
	}
	switch leaf := strings.ToUpper(c.kind.leaf()); leaf {
	case "A", "AAAA":
		list, field := "aRecords", "ipv4Address"
		if leaf == "AAAA" {
			list, field = "aaaaRecords", "ipv6Address"
		}
		if !c.id.Parent().Is(model.TypePrivateZone) && p[list] == nil {
			list = strings.ToUpper(list[:len(list)-len("Records")]) + "Records"
		}
		// A record set may be empty (az network dns record-set a create makes one).
		for _, r := range objects(p, list) {
			if a, err := netip.ParseAddr(text(r, field)); err != nil || a.Is4() != (leaf == "A") {
				return invalidProperty(c.id, "properties."+list+"."+field, r[field], "it must be an address of the record's family")
			}
		}
	case "DS", "TLSA":
		for _, r := range objects(p, leaf+"Records") {
			property, value := "TLSARecords.certAssociationData", r["certAssociationData"]
			if leaf == "DS" {
				property, value = "DSRecords.digest.value", object(r, "digest")["value"]
			}
			digits, _ := value.(string)
			if b, err := hex.DecodeString(digits); err != nil || len(b) == 0 {
				return invalidProperty(c.id, "properties."+property, value, "it must be hexadecimal")
			}
		}
	case "SOA":
		// Clients send what they change; the name of the server is never theirs.
		for _, property := range []string{"soaRecord", "SOARecord"} {
			soa, old := object(p, property), object(c.oldProps(), property)
			if soa == nil || old == nil {
				continue
			}
			for name, v := range old {
				setDefault(soa, name, v)
			}
			soa["host"] = old["host"]
			if property == "soaRecord" {
				// Private zones keep theirs (Azure/azure-cli recordings,
				// test_Private_Dns_Zone*_Import).
				soa["serialNumber"] = old["serialNumber"]
			}
		}
	case "CNAME":
		for _, property := range []string{"cnameRecord", "CNAMERecord"} {
			if r := object(p, property); r != nil && text(r, "cname") == "" {
				return invalidProperty(c.id, "properties."+property+".cname", r["cname"], "it must be a name")
			}
		}
	}
	return c.checkAlias()
}

// checkAlias refuses a CNAME beside other records of the same name (RFC 1034
// section 3.6.2), and at the zone's own.
func (c *change) checkAlias() *Fault {
	alias := c.kind.leaf() == "CNAME"
	if alias && c.id.Name() == "@" {
		return badRequest("BadRequest", "A CNAME record set cannot be created at the zone apex: %s.", c.id)
	}
	for _, t := range recordTypes(c.kind.parent.Type) {
		if t == c.kind.leaf() || !alias && t != "CNAME" {
			continue
		}
		other := c.id.Parent().Child(t, c.id.Name())
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
	p["fqdn"] = fqdn
	if r.id.Parent().Is(model.TypePrivateZone) {
		p["isAutoRegistered"] = false
	}
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
