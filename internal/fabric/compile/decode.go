package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// item is a resource with its decoded view.
type item[T any] struct {
	res  *model.Resource
	key  string // lower-case ID
	view T
}

// table holds the resources of one type in order of ID.
type table[T any] struct {
	list  []*item[T]
	byKey map[string]*item[T]
}

func (t *table[T]) get(id string) (*item[T], bool) {
	if x, ok := t.byKey[id]; ok { // already lower case
		return x, true
	}
	x, ok := t.byKey[strings.ToLower(id)]
	return x, ok
}

// documents are the decoded resources.
type documents struct {
	vnets       table[wire.VirtualNetwork]
	subnets     table[wire.Subnet]
	peerings    table[wire.Peering]
	nsgs        table[wire.NSG]
	rules       table[wire.SecurityRule]
	asgs        table[struct{}]
	routeTables table[wire.RouteTable]
	routes      table[wire.Route]
	nics        table[wire.NIC]
	publicIPs   table[wire.PublicIP]
	natGateways table[wire.NATGateway]

	publicPrefixes table[wire.PublicIPPrefix]

	firewalls     table[wire.Firewall]
	policies      table[wire.FirewallPolicy]
	groups        table[wire.RuleCollectionGroup]
	ipGroups      table[wire.IPGroup]
	zones         table[wire.PrivateZone]
	links         table[wire.PrivateZoneLink]
	records       table[wire.RecordSet]
	publicZones   table[wire.PrivateZone]
	publicRecords table[wire.RecordSet]
	vms           table[wire.VM]

	balancers        table[wire.LoadBalancer]
	pools            table[wire.BackendAddressPool]
	natRules         table[wire.InboundNATRule]
	endpoints        table[wire.PrivateEndpoint]
	zoneGroups       table[wire.PrivateDNSZoneGroup]
	approvals        table[wire.PrivateEndpointConnection]
	linkServices     table[wire.PrivateLinkService]
	endpointPolicies table[wire.ServiceEndpointPolicy]
	accounts         table[wire.StorageAccount]
	sqlServers       table[wire.SQLServer]
	sqlRules         table[wire.SQLFirewallRule]
	sqlNetworks      table[wire.SQLNetworkRule]
	vaults           table[wire.KeyVault]

	gateways       table[wire.Gateway]
	localGateways  table[wire.LocalGateway]
	connections    table[wire.Connection]
	circuits       table[wire.Circuit]
	hubs           table[wire.VirtualHub]
	appGateways    table[wire.AppGateway]
	hubConfigs     table[wire.HubIPConfiguration]
	bgpConnections table[wire.BGPConnection]

	managers       table[struct{}] // Traffic Manager profiles
	failoverGroups table[struct{}] // of SQL servers

	unmodelled []*item[struct{}]
	managed    []*model.Resource // for package avnm
}

// decode reads every resource into the view of its type. The managers'
// resources are left to package avnm.
func (c *compiler) decode(resources []*model.Resource) {
	d := &c.docs
	readers := map[string]func(*model.Resource, string){
		model.TypeVirtualNetwork:      reader(c, &d.vnets),
		model.TypeSubnet:              reader(c, &d.subnets),
		model.TypePeering:             reader(c, &d.peerings),
		model.TypeNSG:                 reader(c, &d.nsgs),
		model.TypeSecurityRule:        reader(c, &d.rules),
		model.TypeASG:                 reader(c, &d.asgs),
		model.TypeRouteTable:          reader(c, &d.routeTables),
		model.TypeRoute:               reader(c, &d.routes),
		model.TypeNIC:                 reader(c, &d.nics),
		model.TypePublicIP:            reader(c, &d.publicIPs),
		model.TypeNATGateway:          reader(c, &d.natGateways),
		typePublicPrefix:              reader(c, &d.publicPrefixes),
		model.TypeFirewall:            reader(c, &d.firewalls),
		model.TypeFirewallPolicy:      reader(c, &d.policies),
		model.TypeRuleCollectionGroup: reader(c, &d.groups),
		model.TypeIPGroup:             reader(c, &d.ipGroups),
		model.TypePrivateZone:         reader(c, &d.zones),
		model.TypePrivateZoneLink:     reader(c, &d.links),
		model.TypePrivateZoneA:        reader(c, &d.records),
		model.TypePrivateZoneAAAA:     reader(c, &d.records),
		model.TypePrivateZoneCNAME:    reader(c, &d.records),
		model.TypePrivateZoneMX:       reader(c, &d.records),
		model.TypePrivateZonePTR:      reader(c, &d.records),
		model.TypePrivateZoneSOA:      reader(c, &d.records),
		model.TypePrivateZoneSRV:      reader(c, &d.records),
		model.TypePrivateZoneTXT:      reader(c, &d.records),
		model.TypeVM:                  reader(c, &d.vms),
		model.TypeLoadBalancer:        reader(c, &d.balancers),
		model.TypeBackendPool:         reader(c, &d.pools),
		model.TypeInboundNATRule:      reader(c, &d.natRules),
		model.TypePrivateEndpoint:     reader(c, &d.endpoints),
		model.TypePrivateZoneGroup:    reader(c, &d.zoneGroups),
		model.TypePrivateLinkService:  reader(c, &d.linkServices),
		model.TypeEndpointPolicy:      reader(c, &d.endpointPolicies),
		model.TypeStorageAccount:      reader(c, &d.accounts),
		model.TypeSQLServer:           reader(c, &d.sqlServers),
		model.TypeSQLFirewallRule:     reader(c, &d.sqlRules),
		model.TypeSQLNetworkRule:      reader(c, &d.sqlNetworks),
		model.TypeKeyVault:            reader(c, &d.vaults),
		typeGateway:                   reader(c, &d.gateways),
		typeLocalGateway:              reader(c, &d.localGateways),
		typeConnection:                reader(c, &d.connections),
		typeCircuit:                   reader(c, &d.circuits),
		typeVirtualHub:                reader(c, &d.hubs),
		model.TypeAppGateway:          reader(c, &d.appGateways),
		typeHubIP:                     reader(c, &d.hubConfigs),
		typeBGPConnection:             reader(c, &d.bgpConnections),
		model.TypeTrafficManager:      reader(c, &d.managers),
		model.TypeSQLFailoverGroup:    reader(c, &d.failoverGroups),
	}
	readers[model.TypePublicZone] = reader(c, &d.publicZones)
	for _, t := range []string{"A", "AAAA", "CAA", "CNAME", "DS", "MX", "NS", "PTR", "SOA", "SRV", "TLSA", "TXT"} {
		readers[model.TypePublicZone+"/"+t] = reader(c, &d.publicRecords)
	}
	for _, owner := range []string{model.TypeStorageAccount, model.TypeSQLServer, model.TypeKeyVault, model.TypePrivateLinkService} {
		readers[owner+"/privateEndpointConnections"] = reader(c, &d.approvals)
	}
	byKind := make(map[string]func(*model.Resource, string), len(readers))
	for kind, read := range readers {
		byKind[strings.ToLower(kind)] = read
	}
	for _, k := range c.sorted(resources) {
		kind := kindOf(k.key)
		if read, ok := byKind[kind]; ok {
			read(k.res, k.key)
			continue
		}
		switch {
		case avnm.Owns(kind):
			d.managed = append(d.managed, k.res)
		case !isInert(kind):
			d.unmodelled = append(d.unmodelled, &item[struct{}]{res: k.res, key: k.key})
		}
	}
}

type keyed struct {
	res *model.Resource
	key string
}

// sorted returns the resources in order of ID and reports those given twice.
func (c *compiler) sorted(resources []*model.Resource) []keyed {
	list := make([]keyed, len(resources))
	for i, r := range resources {
		list[i] = keyed{r, r.ID.Key()}
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(list, func(b, a keyed) bool { // called with the later one first
		if a.key != b.key {
			return false
		}
		c.problem(b.res, "", fmt.Sprintf("resource %s is declared twice", b.res.ID), fmt.Sprintf("remove one; the other is at %s", a.res.Pos))
		return true
	})
}

// kindOf returns the type of a resource by its lower-case ID, without
// allocating for types that are not nested.
func kindOf(key string) string {
	const providers = "/providers/"
	i := strings.LastIndex(key, providers)
	if i < 0 {
		return strings.ToLower(model.TypeResourceGroup)
	}
	rest := key[i+len(providers):] // namespace/type/name[/type/name...]
	if strings.Count(rest, "/") == 2 {
		return rest[:strings.LastIndexByte(rest, '/')]
	}
	parts := strings.Split(rest, "/")
	kind := parts[0]
	for j := 1; j < len(parts); j += 2 {
		kind += "/" + parts[j]
	}
	return kind
}

// reader returns the function that decodes one type into its table.
func reader[T any](c *compiler, t *table[T]) func(*model.Resource, string) {
	t.byKey = map[string]*item[T]{}
	return func(r *model.Resource, key string) {
		it, ok := recalled[T](c.memory, r)
		if !ok {
			it = &item[T]{res: r, key: key}
			if err := wire.Decode(r.Doc, &it.view); err != nil {
				c.decodeProblems(r, err)
			} else {
				c.memory.keep(r, it)
			}
		}
		t.list = append(t.list, it)
		t.byKey[key] = it
	}
}

func (c *compiler) decodeProblems(r *model.Resource, err error) {
	var list wire.DecodeErrors
	if !errors.As(err, &list) {
		c.problem(r, "", err.Error(), "correct the document")
		return
	}
	for _, e := range list {
		c.problem(r, e.Pointer, e.Error(), "correct the property")
	}
}
