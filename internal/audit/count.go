package audit

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// count is what one holder uses of one limit.
type count struct {
	resource string
	pos      model.Pos
	members  map[string]bool // by key: what is declared twice counts once
	more     int             // members without a key
}

func (c *count) used() int { return len(c.members) + c.more }

// tally counts, by limit and holder.
type tally struct {
	counts  map[string]map[string]*count
	byID    map[string]*model.Resource
	peers   map[string]map[string]bool // virtual network to its declared peers
	nat     map[string]string          // subnet to its NAT gateway, both lower-case IDs
	sized   map[string]bool            // subnets whose size was looked at
	pools   map[string]*poolRules      // by lower-case ID of a backend pool
	dnat    map[string]int             // firewall policy, lower case, to its DNAT rules
	walls   []wall
	servers []*model.Resource // IP configurations and peers of Route Servers
	express map[string]bool   // gateways of ExpressRoute, lower-case IDs
	found   []Finding         // what could not be counted, and what needs no count
}

func newTally(resources []*model.Resource) *tally {
	t := &tally{
		counts: map[string]map[string]*count{}, byID: map[string]*model.Resource{}, peers: map[string]map[string]bool{},
		nat: map[string]string{}, sized: map[string]bool{}, pools: map[string]*poolRules{}, dnat: map[string]int{}, express: map[string]bool{},
	}
	for _, r := range resources {
		t.byID[r.ID.Key()] = r
	}
	return t
}

// holder returns the count of a limit at one holder, given by a resource ID and
// what tells apart several holders within it.
func (t *tally) holder(limit, resource, part string, pos model.Pos) *count {
	if t.counts[limit] == nil {
		t.counts[limit] = map[string]*count{}
	}
	key := strings.ToLower(resource + "#" + part)
	c := t.counts[limit][key]
	if c == nil {
		c = &count{resource: resource, pos: pos, members: map[string]bool{}}
		t.counts[limit][key] = c
	}
	return c
}

// of returns the holder that is a whole resource, at its own place if it is
// declared.
func (t *tally) of(limit, resource string) *count {
	var pos model.Pos
	if r := t.byID[strings.ToLower(resource)]; r != nil {
		resource, pos = r.ID.String(), r.Pos
	}
	return t.holder(limit, resource, "", pos)
}

func (c *count) add(key string) { c.members[strings.ToLower(key)] = true }

// regional are the limits per region and subscription.
var regional = map[string]string{
	strings.ToLower(model.TypeVirtualNetwork): "virtual-networks-per-region",
	strings.ToLower(model.TypeNIC):            "interfaces-per-region",
	strings.ToLower(model.TypeNSG):            "security-groups-per-region",
	strings.ToLower(model.TypeRouteTable):     "route-tables-per-region",
	strings.ToLower(model.TypeASG):            "application-groups-per-region",
	strings.ToLower(model.TypeLoadBalancer):   "load-balancers-per-region",
}

// view decodes a document; what does not decode is reported and not counted.
func (t *tally) view(r *model.Resource, v any) bool {
	err := wire.Decode(r.Doc, v)
	if err != nil {
		t.found = append(t.found, Finding{
			Severity: Warning, Rule: RuleUnreadable, Resource: r.ID.String(), Pos: r.Pos,
			What: fmt.Sprintf("limits not counted: %v", err), Fix: "correct the properties named",
		})
	}
	return err == nil
}

func (t *tally) resource(r *model.Resource) {
	id, kind := r.ID.String(), strings.ToLower(r.Type())
	if limit, ok := regional[kind]; ok {
		scope := model.SubscriptionID(r.ID.Subscription()).String()
		t.holder(limit, scope, r.Location(), r.Pos).add(id)
	}
	switch parent := r.ID.Parent().String(); {
	case r.ID.Is(model.TypeVirtualNetwork):
		t.network(r)
	case r.ID.Is(model.TypeSubnet):
		t.of("subnets-per-virtual-network", parent).add(r.ID.Name())
		t.child(r)
	case r.ID.Is(model.TypePeering):
		var v wire.Peering
		if t.view(r, &v) {
			t.peering(parent, r.ID.Name(), v.Properties.RemoteVirtualNetwork.ID)
		}
	case r.ID.Is(model.TypeNSG):
		t.group(r)
	case r.ID.Is(model.TypeSecurityRule):
		var v wire.SecurityRule
		if t.view(r, &v) {
			v.Name = r.ID.Name()
			t.rule(r, parent, "", &v)
		}
	case r.ID.Is(model.TypeRouteTable):
		var v wire.RouteTable
		if t.view(r, &v) {
			for _, route := range v.Properties.Routes {
				t.route(id, route.Name, route.Properties.AddressPrefix)
			}
		}
	case r.ID.Is(model.TypeRoute):
		var v wire.Route
		if t.view(r, &v) {
			t.route(parent, r.ID.Name(), v.Properties.AddressPrefix)
		}
	case r.ID.Is(model.TypeNIC):
		t.nic(r)
	case r.ID.Is(model.TypePrivateEndpoint):
		var v wire.PrivateEndpoint
		if t.view(r, &v) && v.Properties.Subnet != nil {
			t.of("private-endpoints-per-virtual-network", networkOf(v.Properties.Subnet.ID)).add(id)
		}
	case r.ID.Is(model.TypeAdminRule):
		t.adminRule(r)
	case r.ID.Is(model.TypeLoadBalancer):
		t.balancer(r)
	case r.ID.Is(model.TypeInboundNATRule):
		t.of("rules-per-load-balancer", parent).add("nat " + r.ID.Name())
		var v wire.InboundNATRule
		if t.view(r, &v) {
			t.inboundRule(id, &v.Properties)
		}
	case r.ID.Is(model.TypeBackendPool):
		var v wire.BackendAddressPool
		if t.view(r, &v) {
			t.members(id, &v.Properties)
		}
	case r.ID.Is(model.TypeNATGateway):
		t.natGateway(r)
	case r.ID.Is(model.TypeFirewall):
		t.firewall(r)
	case r.ID.Is(model.TypeRuleCollectionGroup):
		t.translations(r)
	case r.ID.Is(typeGateway):
		t.gateway(r)
	case r.ID.Is(typeConnection):
		t.connection(r)
	case r.ID.Is(typeBGPConnection):
		t.of("peers-per-route-server", parent).add(id)
		t.servers = append(t.servers, r)
	case r.ID.Is(typeHubIP):
		t.servers = append(t.servers, r)
	case r.ID.Is(model.TypeStorageAccount):
		t.acls(r, "storage-address-rules", "storage-network-rules")
	case r.ID.Is(model.TypeKeyVault):
		t.acls(r, "key-vault-address-rules", "key-vault-network-rules")
	case r.ID.Is(model.TypeSQLNetworkRule):
		t.of("sql-network-rules", parent).add(id)
	}
}

// networkOf cuts a subnet's ID to its virtual network's.
func networkOf(subnet string) string {
	if i := strings.LastIndex(strings.ToLower(subnet), "/subnets/"); i >= 0 {
		return subnet[:i]
	}
	return subnet
}

func (t *tally) network(r *model.Resource) {
	var v wire.VirtualNetwork
	if !t.view(r, &v) {
		return
	}
	id := r.ID.String()
	if len(v.Properties.Subnets) > 0 {
		c := t.of("subnets-per-virtual-network", id)
		for i := range v.Properties.Subnets {
			s := &v.Properties.Subnets[i]
			c.add(s.Name)
			if s.Properties.NATGateway != nil || len(s.Properties.Delegations) > 0 || reserved(s.Name) {
				t.subnet(r, fmt.Sprintf("/properties/subnets/%d", i), id+"/subnets/"+s.Name, s)
			}
		}
	}
	for _, p := range v.Properties.Peerings {
		t.peering(id, p.Name, p.Properties.RemoteVirtualNetwork.ID)
	}
	if d := v.Properties.DHCPOptions; d != nil {
		t.holder("dns-servers-per-virtual-network", id, "", r.PosOf("/properties/dhcpOptions")).more = len(d.DNSServers)
	}
}

func (t *tally) peering(network, name, remote string) {
	t.of("peerings-per-virtual-network", network).add(name)
	key := strings.ToLower(network)
	if t.peers[key] == nil {
		t.peers[key] = map[string]bool{}
	}
	t.peers[key][strings.ToLower(remote)] = true
}

func (t *tally) group(r *model.Resource) {
	var v wire.NSG
	if !t.view(r, &v) {
		return
	}
	for i := range v.Properties.SecurityRules {
		t.rule(r, r.ID.String(), fmt.Sprintf("/properties/securityRules/%d", i), &v.Properties.SecurityRules[i])
	}
}

// rule counts one rule of a security group, declared at a pointer of r.
func (t *tally) rule(r *model.Resource, group, pointer string, v *wire.SecurityRule) {
	t.of("rules-per-security-group", group).add(v.Name)
	p, pos := &v.Properties, r.PosOf(pointer)
	for side, s := range map[string]struct {
		prefixes []string
		groups   []wire.Ref
	}{
		"source":      {p.SourceAddressPrefixes, p.SourceApplicationSecurityGroups},
		"destination": {p.DestinationAddressPrefixes, p.DestinationApplicationSecurityGroups},
	} {
		part := v.Name + " " + side
		t.holder("addresses-per-security-rule", group, part, pos).more = len(s.prefixes)
		for _, g := range s.groups {
			t.holder("application-groups-per-security-rule", group, part, pos).add(g.ID)
			t.of("application-groups-per-security-group", group).add(g.ID)
		}
	}
}

// route counts a user route. A service tag is one route, whatever it expands to.
func (t *tally) route(table, name, prefix string) {
	t.of("routes-per-table", table).add(name)
	if _, err := netip.ParsePrefix(prefix); err != nil && prefix != "" {
		t.of("service-tag-routes-per-table", table).add(name)
	}
}

func (t *tally) nic(r *model.Resource) {
	var v wire.NIC
	if !t.view(r, &v) {
		return
	}
	id := r.ID.String()
	for i, c := range v.Properties.IPConfigurations {
		config := fmt.Sprintf("%s/ipConfigurations/%s", id, c.Name)
		t.of("addresses-per-interface", id).add(config)
		if s := c.Properties.Subnet; s != nil {
			t.of("private-addresses-per-virtual-network", networkOf(s.ID)).add(config)
		}
		pos := r.PosOf(fmt.Sprintf("/properties/ipConfigurations/%d", i))
		for _, g := range c.Properties.ApplicationSecurityGroups {
			t.holder("application-groups-per-ip-configuration", id, c.Name, pos).add(g.ID)
			t.of("ip-configurations-per-application-group", g.ID).add(config)
		}
		for _, pool := range c.Properties.BackendAddressPools {
			t.pool(pool.ID).add(config)
		}
		for _, rule := range c.Properties.InboundNATRules {
			t.of("balancer-rules-per-interface", id).add("nat " + rule.ID)
		}
	}
}

// peered adds up the private addresses of each virtual network and its direct
// peers.
func (t *tally) peered() {
	const each = "private-addresses-per-virtual-network"
	for network, peers := range t.peers {
		sum := t.of(each, network).used()
		for p := range peers {
			if p != network {
				sum += t.of(each, p).used()
			}
		}
		t.of("private-addresses-per-peered-group", network).more = sum
	}
}
