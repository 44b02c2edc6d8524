package intent

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// endpoint is one private endpoint.
type endpoint struct {
	name    string
	spec    PrivateEndpoint
	service *service
	group   string
	subnet  *subnet
	holder  *holder
	id      model.ID
}

func (b *builder) declareEndpoints() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.PrivateEndpoints {
		for _, p := range place(b, spec, head{what: "a private endpoint", each: spec.Each, name: spec.Name, pos: spec.Pos}) {
			if b.claimName(taken, p.spec.Name, "private endpoint") {
				b.declareEndpoint(p.spec, p.region)
			}
		}
	}
}

func (b *builder) declareEndpoint(spec PrivateEndpoint, region string) {
	e := &endpoint{name: spec.Name.Value, spec: spec}
	var names []string
	for _, s := range b.services {
		if names = append(names, s.name); strings.EqualFold(s.name, spec.Service.Value) {
			e.service = s
		}
	}
	switch {
	case !spec.Service.IsSet():
		b.problem(spec.Name.Pos, "add service: NAME", "private endpoint %s is for no service", e.name)
	case e.service == nil:
		b.problem(spec.Service.Pos, suggestion(spec.Service.Value, names, "declare it under services"), "there is no service %q", spec.Service.Value)
	default:
		e.group = spec.Group.Or(e.service.kind.groups[0], spec.Name.Pos).Value
		if !slices.Contains(e.service.kind.groups, e.group) {
			b.problem(spec.Group.Pos, suggestion(e.group, e.service.kind.groups, ""), "a service of kind %s has no part %q", e.service.kind.word, e.group)
		}
	}
	if !spec.Subnet.IsSet() {
		b.problem(spec.Name.Pos, "add subnet: NAME", "private endpoint %s has no subnet", e.name)
		return
	}
	var ok bool
	if e.subnet, ok = b.subnetNamed(spec.Subnet, region); !ok || e.service == nil {
		return
	}
	if _, reserved := catalog.ReservedSubnet(e.subnet.name); reserved {
		b.problem(spec.Subnet.Pos, "put it into another subnet", "private endpoint %s cannot be in %s, which Azure reserves", e.name, e.subnet.name)
		return
	}
	e.id = b.groupOf(e.subnet.vnet.region).Resource(model.TypePrivateEndpoint, e.name)
	e.holder = &holder{what: "private endpoint", name: e.name, given: spec.Address, pos: spec.Name.Pos}
	e.subnet.holders = append(e.subnet.holders, e.holder)
	b.endpoints = append(b.endpoints, e)
}

func (b *builder) emitEndpoints() {
	for _, e := range b.endpoints {
		member := e.group
		if m, ok := e.service.kind.members[e.group]; ok {
			member = m
		}
		ip := object{"groupId": e.group, "memberName": member}
		if e.holder.addr.IsValid() {
			ip["privateIPAddress"] = e.holder.addr.String()
		}
		at := map[string]model.Pos{"/properties/subnet": e.spec.Subnet.Pos, "/properties/privateLinkServiceConnections/0": e.spec.Service.Pos}
		b.emit(e.id, object{
			"location": e.subnet.vnet.region,
			"properties": object{
				"subnet":                     ref(e.subnet.id),
				"customNetworkInterfaceName": e.name + "-nic",
				"ipConfigurations":           list{object{"name": e.group, "properties": ip}},
				"privateLinkServiceConnections": list{object{"name": e.name, "properties": object{
					"privateLinkServiceId": e.service.id.String(), "groupIds": list{e.group},
					"privateLinkServiceConnectionState": object{"status": "Approved"},
				}}},
			},
		}, e.spec.Name.Pos, at)
		b.emitZoneGroup(e)
	}
}

// emitZoneGroup makes what puts an endpoint's record into private DNS zones.
func (b *builder) emitZoneGroup(e *endpoint) {
	configs := list{}
	for _, t := range e.spec.Zones {
		zone := strings.TrimSuffix(strings.ToLower(t.Value), ".")
		var names []string
		id := model.ID{}
		for _, z := range b.doc.DNS {
			name := strings.TrimSuffix(strings.ToLower(z.Key.Value), ".")
			if names = append(names, name); name == zone {
				id = b.globalGroup().Resource(model.TypePrivateZone, zone)
			}
		}
		for _, r := range b.raw {
			if r.ID.Is(model.TypePrivateZone) {
				if names = append(names, r.ID.Name()); strings.EqualFold(r.ID.Name(), zone) {
					id = r.ID
				}
			}
		}
		if id == (model.ID{}) {
			b.problem(t.Pos, suggestion(zone, names, "declare it under dns"), "there is no private DNS zone %q", t.Value)
			continue
		}
		configs = append(configs, object{"name": strings.ReplaceAll(zone, ".", "-"), "properties": object{"privateDnsZoneId": id.String()}})
	}
	if len(configs) > 0 {
		b.emit(e.id.Child("privateDnsZoneGroups", "default"), object{"properties": object{"privateDnsZoneConfigs": configs}}, e.spec.Zones[0].Pos, nil)
	}
}
