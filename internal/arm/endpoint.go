package arm

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// connectionsOf returns the connections of a private endpoint, automatic ones
// first.
func connectionsOf(p map[string]any) []map[string]any {
	return append(objects(p, "privateLinkServiceConnections"), objects(p, "manualPrivateLinkServiceConnections")...)
}

func checkPrivateEndpoint(c *change) *Fault {
	// An endpoint without groups has no list of them: clients that take one away
	// look for the property.
	if list, ok := c.props()["applicationSecurityGroups"].([]any); ok && len(list) == 0 {
		delete(c.props(), "applicationSecurityGroups")
	}
	p := c.props()
	if refID(p, "subnet") == "" {
		return invalidProperty(c.id, "properties.subnet.id", nil, "a private endpoint needs a subnet")
	}
	if was := refID(c.oldProps(), "subnet"); was != "" && !strings.EqualFold(was, refID(p, "subnet")) {
		return fault(http.StatusConflict, "PropertyChangeNotAllowed", "The subnet of private endpoint %s cannot be changed; delete it and create it again.", c.id)
	}
	c.fillParts(object(c.doc, "properties"), "ipConfigurations", c.id, c.kind.Type)
	return c.completeConnections()
}

// fillParts completes the parts that a list of a document's properties holds: of
// is the resource they are below, and its type t.
func (c *change) fillParts(p map[string]any, list string, of model.ID, t string) {
	for _, o := range objects(p, list) {
		o["id"], o["type"], o["etag"] = of.String()+"/"+list+"/"+text(o, "name"), t+"/"+list, c.etag
		setDefault(o, "properties.provisioningState", "Succeeded")
	}
}

// endpointNIC returns the interface of a private endpoint, which the endpoint
// makes and takes along.
func endpointNIC(id model.ID, p map[string]any) model.ID {
	name := text(p, "customNetworkInterfaceName")
	if name == "" {
		name = id.Name() + ".nic." + uuid.NewSHA1(uuid.NameSpaceURL, []byte(id.Key())).String()
	}
	return id.Parent().Resource(model.TypeNIC, name)
}

// settlePrivateEndpoint makes, keeps up or removes the endpoint's interface.
func settlePrivateEndpoint(c *change) *Fault {
	if c.doc == nil {
		c.tx.Delete(endpointNIC(c.id, c.oldProps()))
		return nil
	}
	p := c.props()
	id := endpointNIC(c.id, p)
	k := c.kinds[strings.ToLower(model.TypeNIC)]
	nic := &change{kinds: c.kinds, tx: c.tx, kind: k, id: id, etag: c.etag, by: c.by}
	if e, ok := c.tx.Get(id); ok {
		nic.old = e.Resource.Doc
	}
	configs := objects(p, "ipConfigurations")
	if len(configs) == 0 {
		configs = []map[string]any{{"name": "privateEndpointIpConfig"}}
	}
	var list []any
	for i, o := range configs {
		q := map[string]any{"subnet": map[string]any{"id": refID(p, "subnet")}, "privateIPAddressVersion": "IPv4", "privateIPAllocationMethod": "Dynamic", "primary": i == 0}
		if a := text(object(o, "properties"), "privateIPAddress"); a != "" {
			q["privateIPAddress"], q["privateIPAllocationMethod"] = a, "Static"
		}
		list = append(list, map[string]any{"name": text(o, "name"), "properties": q})
	}
	nic.doc = map[string]any{"location": c.doc["location"], "properties": map[string]any{
		"ipConfigurations": list, "privateEndpoint": map[string]any{"id": c.id.String()},
	}}
	if f := nic.complete(); f != nil {
		return f
	}
	if _, f := checkIPConfigurations(nic, "ipConfigurations"); f != nil {
		return f
	}
	if f := fillNIC(nic); f != nil {
		return f
	}
	if f := nic.put(); f != nil {
		return f
	}
	return c.settleZoneGroups(c.id)
}

// holdNIC keeps the interface of a private endpoint as the endpoint made it.
func holdNIC(id model.ID, doc map[string]any, deletion bool) *Fault {
	endpoint := refID(object(doc, "properties"), "privateEndpoint")
	switch {
	case endpoint == "":
		return nil
	case deletion:
		return badRequest("NicInUseWithPrivateEndpoint", "Network interface %s cannot be deleted because it is currently in use with an private endpoint (%s).", id, endpoint)
	default:
		return badRequest("CannotModifyNicAttachedToPrivateEndpoint", "Network interface %s is attached to private endpoint %s. It can not be modified by user.", id, endpoint)
	}
}

// endpointAddresses returns the addresses of a private endpoint.
func endpointAddresses(v viewer, id model.ID, p map[string]any) []any {
	var out []any
	if e, ok := v.Get(endpointNIC(id, p)); ok {
		for _, cfg := range objects(e.Resource.Properties(), "ipConfigurations") {
			if a := text(object(cfg, "properties"), "privateIPAddress"); a != "" {
				out = append(out, a)
			}
		}
	}
	return out
}

func showPrivateEndpoint(r *reading, p map[string]any) {
	p["networkInterfaces"] = []any{map[string]any{"id": endpointNIC(r.id, p).String()}}
	for _, name := range []string{"privateLinkServiceConnections", "manualPrivateLinkServiceConnections", "ipConfigurations"} {
		setDefault(p, name, []any{})
	}
	if _, ok := p["customDnsConfigs"]; ok {
		return
	}
	configs := []any{}
	for _, o := range connectionsOf(p) {
		for _, fqdn := range publicNames(object(o, "properties")) {
			configs = append(configs, map[string]any{"fqdn": fqdn, "ipAddresses": endpointAddresses(r.view, r.id, p)})
		}
	}
	p["customDnsConfigs"] = configs
}

// serviceSuffixes are the public DNS suffixes of services by target type and
// sub-resource ("Azure Private Endpoint private DNS zone values").
var serviceSuffixes = map[string]string{
	"microsoft.storage/storageaccounts blob":  "blob.core.windows.net",
	"microsoft.storage/storageaccounts table": "table.core.windows.net",
	"microsoft.storage/storageaccounts queue": "queue.core.windows.net",
	"microsoft.storage/storageaccounts file":  "file.core.windows.net",
	"microsoft.storage/storageaccounts dfs":   "dfs.core.windows.net",
	"microsoft.storage/storageaccounts web":   "web.core.windows.net",
	"microsoft.sql/servers sqlserver":         "database.windows.net",
	"microsoft.keyvault/vaults vault":         "vault.azure.net",

	"microsoft.dbforpostgresql/flexibleservers postgresqlserver": postgresSuffix,
}

// publicNames are the public names of what a connection reaches.
func publicNames(connection map[string]any) []string {
	target, err := model.ParseID(text(connection, "privateLinkServiceId"))
	if err != nil {
		return nil
	}
	groups, _ := connection["groupIds"].([]any)
	var out []string
	for _, g := range groups {
		name, _ := g.(string)
		if s := serviceSuffixes[strings.ToLower(target.Type()+" "+name)]; s != "" {
			out = append(out, strings.ToLower(target.Name())+"."+s)
		}
	}
	return out
}

func checkZoneGroup(c *change) *Fault {
	configs := objects(c.props(), "privateDnsZoneConfigs")
	if len(configs) == 0 {
		return invalidProperty(c.id, "properties.privateDnsZoneConfigs", nil, "a zone group needs at least one zone")
	}
	for _, o := range configs {
		if text(o, "name") == "" || text(object(o, "properties"), "privateDnsZoneId") == "" {
			return invalidProperty(c.id, "properties.privateDnsZoneConfigs", o, "each needs a name and properties.privateDnsZoneId")
		}
		delete(object(o, "properties"), "recordSets")
	}
	c.fillParts(c.props(), "privateDnsZoneConfigs", c.id, c.kind.Type)
	return nil
}

// zoneRecord is a record set that a zone group writes.
type zoneRecord struct {
	zone      model.ID
	name      string
	addresses []any
}

func (z zoneRecord) id() model.ID { return z.zone.Child("A", z.name) }

// recordsOf returns what a zone group writes into one of its zones: the names
// of an approved endpoint's target, as far as the zone has them.
func recordsOf(v viewer, endpoint model.ID, config map[string]any) []zoneRecord {
	zone, err := model.ParseID(text(object(config, "properties"), "privateDnsZoneId"))
	e, ok := v.Get(endpoint)
	if err != nil || !ok {
		return nil
	}
	p := e.Resource.Properties()
	suffix := strings.TrimPrefix(strings.ToLower(zone.Name()), "privatelink.")
	suffix = strings.Replace(suffix, "vaultcore.azure.net", "vault.azure.net", 1)
	var out []zoneRecord
	for _, o := range connectionsOf(p) {
		q := object(o, "properties")
		if !strings.EqualFold(text(object(q, "privateLinkServiceConnectionState"), "status"), "Approved") {
			continue
		}
		for _, fqdn := range publicNames(q) {
			if label, ok := strings.CutSuffix(fqdn, "."+suffix); ok {
				out = append(out, zoneRecord{zone, label, endpointAddresses(v, endpoint, p)})
			}
		}
	}
	return out
}

// settleZoneGroup writes the records of the endpoint's names and removes those
// it no longer writes. Removing only touches what a zone group made.
func settleZoneGroup(c *change) *Fault {
	endpoint := c.id.Parent()
	creator := "created by private endpoint " + endpoint.Name() + " with zone group " + c.id.String()
	keep := map[string]bool{}
	for _, config := range objects(object(c.doc, "properties"), "privateDnsZoneConfigs") {
		for _, z := range recordsOf(c.tx, endpoint, config) {
			var records []any
			for _, a := range z.addresses {
				if ip, err := netip.ParseAddr(fmt.Sprint(a)); err == nil && ip.Is4() {
					records = append(records, map[string]any{"ipv4Address": a})
				}
			}
			if e, ok := c.tx.Get(z.zone); ok {
				z.zone = e.Resource.ID
			}
			id := z.id()
			keep[id.Key()] = true
			doc := map[string]any{"id": id.String(), "name": id.Name(), "type": model.TypePrivateZoneA, "etag": bareEtag(c.etag), "properties": map[string]any{
				"ttl": number(10), "aRecords": records, "metadata": map[string]any{"creator": creator},
			}}
			if err := c.tx.Put(&model.Resource{ID: id, Doc: doc}); err != nil {
				return fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
			}
		}
	}
	for _, config := range objects(c.oldProps(), "privateDnsZoneConfigs") {
		zone, err := model.ParseID(text(object(config, "properties"), "privateDnsZoneId"))
		if err != nil {
			continue
		}
		var gone []model.ID
		for e := range c.tx.List(zone.Key()+"/a/", "") {
			made := text(object(e.Resource.Properties(), "metadata"), "creator")
			if strings.EqualFold(made, creator) && !keep[e.Resource.ID.Key()] {
				gone = append(gone, e.Resource.ID)
			}
		}
		for _, id := range gone {
			c.tx.Delete(id)
		}
	}
	return nil
}

func showZoneGroup(r *reading, p map[string]any) {
	var out []any
	for _, o := range objects(p, "privateDnsZoneConfigs") {
		sets := []any{}
		for _, z := range recordsOf(r.view, r.id.Parent(), o) {
			sets = append(sets, map[string]any{
				"recordType": "A", "recordSetName": z.name, "fqdn": z.name + "." + z.zone.Name(), "ttl": 10,
				"ipAddresses": z.addresses, "provisioningState": "Succeeded",
			})
		}
		o = shallow(o)
		q := shallow(object(o, "properties"))
		q["recordSets"] = sets
		o["properties"] = q
		out = append(out, o)
	}
	p["privateDnsZoneConfigs"] = out
}

func checkLinkService(c *change) *Fault {
	configs, f := checkIPConfigurations(c, "ipConfigurations")
	if f != nil {
		return f
	}
	for i, cfg := range configs {
		p := object(cfg, "properties")
		setDefault(p, "privateIPAllocationMethod", "Dynamic")
		setDefault(p, "privateIPAddressVersion", "IPv4")
		setDefault(p, "primary", i == 0 && len(configs) == 1)
		id, err := model.ParseID(refID(p, "subnet"))
		if err != nil {
			return invalidProperty(c.id, "properties.ipConfigurations.subnet.id", nil, "an IP configuration needs a subnet")
		}
		if doc, ok := lookup(c.tx, c.kinds[strings.ToLower(model.TypeSubnet)], id); ok && !strings.EqualFold(text(object(doc, "properties"), "privateLinkServiceNetworkPolicies"), "Disabled") {
			return badRequest("PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet",
				"Private link service %s cannot be created in the subnet %s since it has private link service network policies enabled.", c.id, id)
		}
	}
	return nil
}

func fillLinkService(c *change) *Fault { return c.assignAddresses("ipConfigurations") }

func showLinkService(r *reading, p map[string]any) {
	// Prefix.GUID.region.azure.privatelinkservice ("What is Azure Private Link
	// service?", Alias).
	location := ""
	if e, ok := r.view.Get(r.id); ok {
		location = e.Resource.Location()
	}
	p["alias"] = fmt.Sprintf("%s.%s.%s.azure.privatelinkservice", r.id.Name(), uuid.NewSHA1(uuid.NameSpaceURL, []byte(r.id.Key())), location)
	// The service shows the addresses it was given, not those it took.
	configs := []any{}
	for _, o := range objects(p, "ipConfigurations") {
		if q := object(o, "properties"); strings.EqualFold(text(q, "privateIPAllocationMethod"), "Dynamic") {
			o, q = shallow(o), shallow(q)
			delete(q, "privateIPAddress")
			o["properties"] = q
		}
		configs = append(configs, o)
	}
	p["ipConfigurations"] = configs
	r.showConnections(p)
}
