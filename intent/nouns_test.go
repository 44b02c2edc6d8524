package intent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/google/go-cmp/cmp"
)

// nouns parses a network of one region, a hub and a spoke, and more.
func nouns(t *testing.T, more string) *Declared {
	t.Helper()
	return mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
hubs:
  - {name: hub, firewall: {policy: p}, subnets: {nva: {hosts: {nva-1: {ip-forwarding: true, policy: p, asn: 65010}, nva-2: {ip-forwarding: true, snat: true, stateful: false}}}}}
firewall-policies: {p: {}}
` + more)}}, nil)
}

// sameJSON compares a part of a document with JSON.
func sameJSON(t *testing.T, got any, want string) {
	t.Helper()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Error(diff)
	}
}

// short leaves out what every ID of the tests begins with.
func short(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "/subscriptions/"+DefaultSubscription+"/resourceGroups/t-westeurope/providers/Microsoft.Network/", "~")
	var out any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Members are in a load balancer because their interfaces say so; a rule for
// each port; the only probe and frontend need no name.
func TestPublicLoadBalancer(t *testing.T) {
	d := nouns(t, `spokes:
  - {name: a, subnets: {web: {hosts: {w1: {}, w2: {}}}}}
load-balancers:
  - name: lb
    frontends: {f: {public-ip: {address: 20.1.2.3}}}
    members: [w1, w2]
    probes: {alive: {protocol: http, port: 80}}
    rules: [{name: web, traffic: http https, distribution: source-ip-protocol, idle-timeout: 30}]
    nat-rules: [{name: ssh, traffic: tcp/2201, to: w1, to-port: 22}, {name: each, traffic: tcp/5000-5001, to-port: 22}]
    outbound-rules: [{ports: 1024}]
expectations: [{allow: internet -> lb https}, {deny: balancer:lb -> any}]
`)
	lb := find(t, d, "loadBalancers/lb")
	p := short(t, lb.Properties())
	pool := `{"id": "~loadBalancers/lb/backendAddressPools/members"}`
	front := `{"id": "~loadBalancers/lb/frontendIPConfigurations/f"}`
	sameJSON(t, at(t, p, "loadBalancingRules/1"), `{"name": "web-2", "properties": {
		"frontendIPConfiguration": `+front+`, "backendAddressPool": `+pool+`, "probe": {"id": "~loadBalancers/lb/probes/alive"},
		"protocol": "Tcp", "frontendPort": 443, "backendPort": 443, "loadDistribution": "SourceIPProtocol",
		"enableFloatingIP": false, "idleTimeoutInMinutes": 30, "disableOutboundSnat": true}}`)
	sameJSON(t, at(t, p, "inboundNatRules"), `[
		{"name": "ssh", "properties": {"frontendIPConfiguration": `+front+`, "protocol": "Tcp", "frontendPort": 2201, "backendPort": 22, "enableFloatingIP": false, "idleTimeoutInMinutes": 4}},
		{"name": "each", "properties": {"frontendIPConfiguration": `+front+`, "backendAddressPool": `+pool+`, "protocol": "Tcp",
			"frontendPortRangeStart": 5000, "frontendPortRangeEnd": 5001, "backendPort": 22, "enableFloatingIP": false, "idleTimeoutInMinutes": 4}}]`)
	sameJSON(t, at(t, p, "outboundRules/0/properties"), `{"frontendIPConfigurations": [`+front+`], "backendAddressPool": `+pool+`,
		"protocol": "All", "allocatedOutboundPorts": 1024, "idleTimeoutInMinutes": 4}`)
	sameJSON(t, at(t, p, "probes/0/properties"), `{"protocol": "Http", "port": 80, "requestPath": "/", "intervalInSeconds": 15, "probeThreshold": 1}`)
	sameJSON(t, at(t, p, "frontendIPConfigurations"), `[{"name": "f", "properties": {"publicIPAddress": {"id": "~publicIPAddresses/lb-f-ip"}}}]`)
	if got := at(t, find(t, d, "publicIPAddresses/lb-f-ip").Doc, "properties/ipAddress"); got != "20.1.2.3" {
		t.Errorf("public address %v", got)
	}
	for host, want := range map[string]string{
		"w1": `[` + pool + `]`, "w2": `[` + pool + `]`,
	} {
		ip := short(t, at(t, find(t, d, "networkInterfaces/"+host+"-nic").Doc, "properties/ipConfigurations/0/properties"))
		sameJSON(t, ip.(map[string]any)["loadBalancerBackendAddressPools"], want)
		rules, _ := ip.(map[string]any)["loadBalancerInboundNatRules"].([]any)
		if (host == "w1") != (len(rules) == 1) {
			t.Errorf("%s has the NAT rules %v", host, rules)
		}
	}
	if got := lb.PosOf("/properties/loadBalancingRules/1"); got.Line != 13 {
		t.Errorf("the rule is at %s", got)
	}
	if l := d.Network.Expectations[0].To.All; len(l) != 1 || l[0] != (model.Label{Kind: model.LabelBalancer, Name: "lb"}) {
		t.Errorf("labels %v", l)
	}
	var view wire.LoadBalancer
	if err := lb.Decode(&view); err != nil || view.Properties.LoadBalancingRules[0].Properties.FrontendPort != 80 {
		t.Errorf("the view is %+v, %v", view, err)
	}
}

// A global load balancer has the public frontends of those of regions as its
// members, in whatever order they are declared ("Cross-region (Global) Load
// Balancer").
func TestGlobalLoadBalancer(t *testing.T) {
	d := nouns(t, `spokes:
  - {name: a, subnets: {web: {hosts: {w1: {}}}}}
load-balancers:
  - {name: world, global: true, frontends: {all: {public-ip: true}}, members: [here], rules: [{name: web, traffic: https}]}
  - {name: here, frontends: {f: {public-ip: true}}, members: [w1], probes: {up: {port: 443}}, rules: [{traffic: https}]}
expectations: [{allow: internet -> world https}]
`)
	world := find(t, d, "loadBalancers/world")
	sameJSON(t, at(t, world.Doc, "sku"), `{"name": "Standard", "tier": "Global"}`)
	sameJSON(t, at(t, find(t, d, "publicIPAddresses/world-all-ip").Doc, "sku"), `{"name": "Standard", "tier": "Global"}`)
	sameJSON(t, at(t, find(t, d, "publicIPAddresses/here-f-ip").Doc, "sku"), `{"name": "Standard", "tier": "Regional"}`)
	p := short(t, world.Properties())
	sameJSON(t, at(t, p, "backendAddressPools"), `[{"name": "members", "properties": {"loadBalancerBackendAddresses": [
		{"name": "here-f", "properties": {"loadBalancerFrontendIPConfiguration": {"id": "~loadBalancers/here/frontendIPConfigurations/f"}}}]}}]`)
	if got := at(t, p, "loadBalancingRules/0/properties/backendPort"); got != 443.0 {
		t.Errorf("backend port %v", got)
	}
}

// High-availability ports in front of appliances; a route through the load
// balancer goes to its frontend, whose address is locked.
func TestInternalLoadBalancer(t *testing.T) {
	d := nouns(t, `spokes: [{name: a, subnets: {s: {route-table: r}}}]
load-balancers:
  - {name: nvas, frontends: {in: {subnet: nva in hub}}, members: [nva-1, nva-2], probes: {up: {port: 22}}, ha-ports: true}
route-tables: {r: [{to: 0.0.0.0/0, via: nvas}]}
`)
	p := short(t, find(t, d, "loadBalancers/nvas").Properties())
	sameJSON(t, at(t, p, "frontendIPConfigurations/0/properties"), `{"subnet": {"id": "~virtualNetworks/hub/subnets/nva"},
		"privateIPAddress": "10.0.1.6", "privateIPAllocationMethod": "Static", "privateIPAddressVersion": "IPv4"}`)
	sameJSON(t, at(t, p, "loadBalancingRules"), `[{"name": "ha-ports", "properties": {
		"frontendIPConfiguration": {"id": "~loadBalancers/nvas/frontendIPConfigurations/in"}, "backendAddressPool": {"id": "~loadBalancers/nvas/backendAddressPools/members"},
		"probe": {"id": "~loadBalancers/nvas/probes/up"}, "protocol": "All", "frontendPort": 0, "backendPort": 0,
		"loadDistribution": "Default", "enableFloatingIP": false, "idleTimeoutInMinutes": 4, "disableOutboundSnat": false}}]`)
	if got := at(t, find(t, d, "routeTables/r").Doc, "properties/routes/0/properties/nextHopIpAddress"); got != "10.0.1.6" {
		t.Errorf("next hop %v", got)
	}
	if got := d.Lock.Private["nvas/in"].String(); got != "10.0.1.6" {
		t.Errorf("the lock has %s", got)
	}
}

// Addresses of frontends and private endpoints stay when others come before
// them, and the lock reads back as it was written.
func TestPrivateAddressesAreStable(t *testing.T) {
	text := func(first string) []File {
		return []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
spokes: [{name: a, subnets: {s: {hosts: {` + first + `w: {}}}}}]
services: [{name: data, kind: storage}]
private-endpoints: [{name: pe, service: data, subnet: s}]
load-balancers: [{name: lb, frontends: {in: {subnet: s}}, members: [w], ha-ports: true}]
`)}}
	}
	before := mustParse(t, text(""), nil)
	lock, err := ParseLock(LockName, before.Lock.Marshal())
	if err != nil || !lock.Equal(before.Lock) || len(lock.Private) != 2 {
		t.Fatalf("the lock reads as %+v, %v", lock, err)
	}
	after := mustParse(t, text("first: {}, second: {}, "), lock)
	if diff := cmp.Diff(fmt.Sprint(before.Lock.Private), fmt.Sprint(after.Lock.Private)); diff != "" {
		t.Error(diff)
	}
	seen := map[string]string{}
	for k, a := range after.Lock.Hosts {
		seen[a.String()] = k
	}
	for k, a := range after.Lock.Private {
		if other, taken := seen[a.String()]; taken {
			t.Errorf("%s has the address %s of %s", k, a, other)
		}
	}
}

// A subnet names its NAT gateway, its service endpoints and what its private
// endpoints obey, in Azure's words.
func TestSubnetKeys(t *testing.T) {
	d := nouns(t, `spokes:
  - {name: a, subnets: {s: {nat-gateway: out, service-endpoints: [storage, sql, key-vault], private-endpoint-policies: nsg}, r: {private-endpoint-policies: routes}}}
nat-gateways: [{name: out, idle-timeout: 10}]
`)
	v := short(t, find(t, d, "virtualNetworks/a").Properties())
	s := at(t, v, "subnets/0/properties").(map[string]any)
	sameJSON(t, s["natGateway"], `{"id": "~natGateways/out"}`)
	sameJSON(t, s["serviceEndpoints"], `[{"service": "Microsoft.Storage"}, {"service": "Microsoft.Sql"}, {"service": "Microsoft.KeyVault"}]`)
	if got := s["privateEndpointNetworkPolicies"]; got != "NetworkSecurityGroupEnabled" {
		t.Errorf("policies %v", got)
	}
	if got := at(t, v, "subnets/1/properties/privateEndpointNetworkPolicies"); got != "RouteTableEnabled" {
		t.Errorf("policies %v", got)
	}
	nat := find(t, d, "natGateways/out")
	sameJSON(t, short(t, nat.Properties()), `{"idleTimeoutInMinutes": 10, "publicIpAddresses": [{"id": "~publicIPAddresses/out-ip"}]}`)
	if len(d.Warnings) > 0 {
		t.Error(d.Warnings)
	}
}

func TestServices(t *testing.T) {
	d := nouns(t, `spokes:
  - {name: a, subnets: {s: {service-endpoints: [storage, sql, key-vault]}}}
services:
  - {name: files, kind: storage, firewall: {addresses: [203.0.113.0/24, 198.51.100.7], subnets: [s], azure-services: true}}
  - {name: open, kind: storage}
  - {name: base, kind: sql, firewall: {addresses: [203.0.113.0/24], subnets: [s], azure-services: true, default: allow}}
  - {name: shut, kind: sql, public: false}
  - {name: keys, kind: key-vault, firewall: {addresses: [198.51.100.7/32], subnets: [s]}}
expectations: [{deny: internet -> service:base}]
`)
	subnet := "/subscriptions/" + DefaultSubscription + "/resourceGroups/t-westeurope/providers/Microsoft.Network/virtualNetworks/a/subnets/s"
	sameJSON(t, at(t, find(t, d, "storageAccounts/files").Doc, "properties/networkAcls"), `{"defaultAction": "Deny", "bypass": "AzureServices",
		"ipRules": [{"value": "203.0.113.0/24", "action": "Allow"}, {"value": "198.51.100.7", "action": "Allow"}],
		"virtualNetworkRules": [{"id": "`+subnet+`", "action": "Allow"}]}`)
	sameJSON(t, at(t, find(t, d, "storageAccounts/open").Doc, "properties/networkAcls"), `{"defaultAction": "Allow", "bypass": "None", "ipRules": [], "virtualNetworkRules": []}`)
	sameJSON(t, at(t, find(t, d, "vaults/keys").Doc, "properties/networkAcls"), `{"defaultAction": "Deny", "bypass": "None",
		"ipRules": [{"value": "198.51.100.7"}], "virtualNetworkRules": [{"id": "`+subnet+`"}]}`)
	for name, want := range map[string]string{
		"AllowAllWindowsAzureIps": `{"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}`,
		"everybody":               `{"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}`,
		"addresses-1":             `{"startIpAddress": "203.0.113.0", "endIpAddress": "203.0.113.255"}`,
	} {
		sameJSON(t, find(t, d, "servers/base/firewallRules/"+name).Properties(), want)
	}
	sameJSON(t, find(t, d, "servers/base/virtualNetworkRules/a-s").Properties(), `{"virtualNetworkSubnetId": "`+subnet+`"}`)
	if got := at(t, find(t, d, "servers/shut").Doc, "properties/publicNetworkAccess"); got != "Disabled" {
		t.Errorf("public network access %v", got)
	}
	for _, r := range d.Network.Resources {
		if strings.Contains(r.ID.String(), "servers/shut/") {
			t.Errorf("%s should not be", r.ID)
		}
	}
}

func TestPrivateEndpoints(t *testing.T) {
	d := nouns(t, `spokes: [{name: a, subnets: {s: {nsg: n}}}]
services: [{name: files, kind: storage}, {name: keys, kind: key-vault}]
private-endpoints:
  - {name: queue, service: files, group: queue, subnet: s in a, address: 10.0.16.9, zones: [privatelink.queue.core.windows.net]}
  - {name: keys-pe, service: keys, subnet: s}
dns: {privatelink.queue.core.windows.net: {link: all, records: {other: queue}}}
nsgs: {n: {inbound: [{deny: any -> queue}]}}
expectations: [{allow: nva-1 -> queue https}]
`)
	queue := find(t, d, "privateEndpoints/queue")
	p := short(t, queue.Properties())
	sameJSON(t, at(t, p, "ipConfigurations"), `[{"name": "queue", "properties": {"groupId": "queue", "memberName": "queue", "privateIPAddress": "10.0.16.9"}}]`)
	sameJSON(t, at(t, p, "subnet"), `{"id": "~virtualNetworks/a/subnets/s"}`)
	sameJSON(t, at(t, p, "privateLinkServiceConnections/0/properties/groupIds"), `["queue"]`)
	if got := at(t, p, "privateLinkServiceConnections/0/properties/privateLinkServiceId"); got != find(t, d, "storageAccounts/files").ID.String() {
		t.Errorf("service %v", got)
	}
	sameJSON(t, at(t, find(t, d, "A/other").Doc, "properties/aRecords"), `[{"ipv4Address": "10.0.16.9"}]`)
	zone := find(t, d, "privateDnsZones/privatelink.queue.core.windows.net").ID.String()
	sameJSON(t, find(t, d, "privateEndpoints/queue/privateDnsZoneGroups/default").Properties(),
		`{"privateDnsZoneConfigs": [{"name": "privatelink-queue-core-windows-net", "properties": {"privateDnsZoneId": "`+zone+`"}}]}`)
	sameJSON(t, at(t, find(t, d, "privateEndpoints/keys-pe").Doc, "properties/ipConfigurations"),
		`[{"name": "vault", "properties": {"groupId": "vault", "memberName": "default", "privateIPAddress": "10.0.16.4"}}]`)
	if got := at(t, find(t, d, "networkSecurityGroups/n").Doc, "properties/securityRules/0/properties/destinationAddressPrefix"); got != "10.0.16.9/32" {
		t.Errorf("the rule is about %v", got)
	}
	if l := d.Network.Expectations[0].To.All; len(l) != 1 || l[0] != (model.Label{Kind: model.LabelEndpoint, Name: "queue"}) {
		t.Errorf("labels %v", l)
	}
}

// A site is connected by what its gateways are; the same local network gateway
// serves a region once; what a circuit learns is in its tags.
func TestSites(t *testing.T) {
	d := nouns(t, `spokes: [{name: a, subnets: {s: {nsg: n, route-table: r}}}]
gateways:
  - {name: vpn, kind: vpn, vnet: hub, asn: 65001, active-active: true, address: 10.0.3.0/27}
  - {name: er, kind: expressroute, vnet: hub}
sites:
  - {name: berlin, prefixes: [192.168.0.0/16, 172.16.0.0/16], gateways: [vpn, er], asn: 65020, bgp-address: 192.168.0.1, weight: 7}
peerings: [{between: [hub, a], gateway-transit: hub}]
nsgs: {n: {inbound: [{allow: berlin -> any https}, {deny: on-premises -> any}]}}
route-tables: {r: [{to: berlin, via: gateway}]}
expectations:
  - {allow: on-premises -> s https, through: vpn}
  - {deny: site:berlin -> gateway:er}
`)
	gw := short(t, find(t, d, "virtualNetworkGateways/vpn").Properties())
	sameJSON(t, at(t, gw, "bgpSettings"), `{"asn": 65001}`)
	sameJSON(t, at(t, gw, "ipConfigurations/1"), `{"name": "ipconfig2", "properties": {"privateIPAllocationMethod": "Dynamic",
		"subnet": {"id": "~virtualNetworks/hub/subnets/GatewaySubnet"}, "publicIPAddress": {"id": "~publicIPAddresses/vpn-2-ip"}}}`)
	sameJSON(t, short(t, find(t, d, "connections/berlin-to-vpn").Properties()), `{"connectionType": "IPsec", "enableBgp": true, "routingWeight": 7,
		"virtualNetworkGateway1": {"id": "~virtualNetworkGateways/vpn"}, "localNetworkGateway2": {"id": "~localNetworkGateways/berlin"}}`)
	sameJSON(t, short(t, find(t, d, "connections/berlin-to-er").Properties()), `{"connectionType": "ExpressRoute", "routingWeight": 7,
		"virtualNetworkGateway1": {"id": "~virtualNetworkGateways/er"}, "peer": {"id": "~expressRouteCircuits/berlin"}}`)
	lng := find(t, d, "localNetworkGateways/berlin").Properties()
	sameJSON(t, lng["localNetworkAddressSpace"], `{"addressPrefixes": ["192.168.0.0/16", "172.16.0.0/16"]}`)
	if got := fmt.Sprint(lng["gatewayIpAddress"]); got != d.Lock.Public["berlin-device"].String() {
		t.Errorf("the device is at %s", got)
	}
	if got := find(t, d, "expressRouteCircuits/berlin").Tags()["cerulean-routes"]; got != "192.168.0.0/16,172.16.0.0/16" {
		t.Errorf("the circuit learns %q", got)
	}
	subnets := at(t, find(t, d, "virtualNetworks/hub").Doc, "properties/subnets").([]any)
	gateway := subnets[slices.IndexFunc(subnets, func(s any) bool { return at(t, s, "name") == gatewaySubnet })]
	sameJSON(t, at(t, gateway, "properties"), `{"addressPrefix": "10.0.3.0/27"}`)
	to, from := find(t, d, "hub/virtualNetworkPeerings/to-a").Properties(), find(t, d, "a/virtualNetworkPeerings/to-hub").Properties()
	if to["allowGatewayTransit"] != true || to["useRemoteGateways"] != nil || from["useRemoteGateways"] != true || from["allowGatewayTransit"] != nil {
		t.Errorf("the halves are %v and %v", to, from)
	}
	rules := at(t, find(t, d, "networkSecurityGroups/n").Doc, "properties/securityRules").([]any)
	for _, r := range rules {
		sameJSON(t, at(t, r, "properties/sourceAddressPrefixes"), `["172.16.0.0/16", "192.168.0.0/16"]`)
	}
	if e := d.Network.Expectations; !e[0].From.OnPrem || e[0].Through[0] != (model.Waypoint{Kind: model.NamedGateway, Name: "vpn"}) ||
		e[1].From.All[0] != (model.Label{Kind: model.LabelSite, Name: "berlin"}) {
		t.Errorf("expectations %+v", e)
	}
}

// Sites in their Resource Manager shape are sites, too.
func TestRawSites(t *testing.T) {
	d := nouns(t, `spokes: [{name: a, subnets: {s: {nsg: n}}}]
nsgs: {n: {inbound: [{deny: on-premises -> any}, {allow: "site:lyon -> any"}]}}
resources:
  - {type: Microsoft.Network/localNetworkGateways, name: lyon, location: westeurope, properties: {localNetworkAddressSpace: {addressPrefixes: [192.168.0.0/16]}}}
  - {type: Microsoft.Network/expressRouteCircuits, name: oslo, location: westeurope, tags: {cerulean-routes: "172.16.0.0/16, 172.17.0.0/16", cerulean-routes-2: 172.18.0.0/16}}
`)
	rules := at(t, find(t, d, "networkSecurityGroups/n").Doc, "properties/securityRules").([]any)
	sameJSON(t, at(t, rules[0], "properties/sourceAddressPrefixes"), `["172.16.0.0/16", "172.17.0.0/16", "172.18.0.0/16", "192.168.0.0/16"]`)
	sameJSON(t, at(t, rules[1], "properties/sourceAddressPrefix"), `"192.168.0.0/16"`)
}

// A Route Server and its peers; what an appliance does is in the tags of its
// interface, which are no tags of the network's own.
func TestAppliances(t *testing.T) {
	long := make([]string, 40)
	for i := range long {
		long[i] = fmt.Sprintf("10.%d.0.0/16", 100+i)
	}
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
hubs:
  - {name: hub, subnets: {nva: {hosts: {n: {ip-forwarding: true, policy: p, snat: true, stateful: false, asn: 65010, tags: {own: yes!}, advertises: [` + strings.Join(long, ", ") + `]}}}}}
firewall-policies: {p: {private-ranges: [10.0.0.0/8]}}
route-servers: [{name: rs, vnet: hub, peers: n, branch-to-branch: true}]
groups: {g: {where: {x: y}}}
connectivity: [{hub-and-spoke: g, hub: hub, use-hub-gateway: true}]
`)}}, nil)
	tags := find(t, d, "networkInterfaces/n-nic").Tags()
	if tags["own"] != "yes!" || tags["cerulean-policy"] != find(t, d, "firewallPolicies/p").ID.String() || tags["cerulean-snat"] != "true" || tags["cerulean-stateful"] != "false" {
		t.Errorf("tags %v", tags)
	}
	var routes []string
	for _, k := range []string{"cerulean-routes", "cerulean-routes-2", "cerulean-routes-3"} {
		if n := len(tags[k]); n == 0 || n > maxTagValue {
			t.Errorf("tag %s has %d characters", k, n)
		}
		routes = append(routes, strings.Split(tags[k], ",")...)
	}
	if !slices.Equal(routes, long) {
		t.Errorf("routes %v", routes)
	}
	if vm := find(t, d, "virtualMachines/n").Tags(); len(vm) != 1 {
		t.Errorf("the machine has the tags %v", vm)
	}
	if _, err := ParseEndpoint(d.Network, "cerulean-snat=true"); err == nil {
		t.Error("a carrier is a name")
	}
	rs := find(t, d, "virtualHubs/rs")
	sameJSON(t, rs.Properties(), `{"sku": "Standard", "allowBranchToBranchTraffic": true}`)
	if rs.Doc["kind"] != "RouteServer" {
		t.Errorf("kind %v", rs.Doc["kind"])
	}
	sameJSON(t, find(t, d, "virtualHubs/rs/bgpConnections/n").Properties(), `{"peerIp": "10.0.0.4", "peerAsn": 65010}`)
	sameJSON(t, short(t, find(t, d, "virtualHubs/rs/ipConfigurations/ipconfig1").Properties()),
		`{"subnet": {"id": "~virtualNetworks/hub/subnets/RouteServerSubnet"}, "publicIPAddress": {"id": "~publicIPAddresses/rs-ip"}}`)
	sameJSON(t, find(t, d, "firewallPolicies/p").Properties()["snat"], `{"privateRanges": ["10.0.0.0/8"]}`)
	for _, r := range d.Network.Resources {
		if r.ID.Is(model.TypeConnectivityConfig) {
			if got := at(t, r.Doc, "properties/appliesToGroups/0/useHubGateway"); got != "True" {
				t.Errorf("useHubGateway %v", got)
			}
		}
	}
}

// Rules of one type and action in a row share a collection; Azure keeps the
// types apart.
func TestFirewallRuleTypes(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
hubs: [{name: hub, firewall: {policy: p, public-ip: {address: 20.1.2.3}}}]
spokes: [{name: a, address: 10.1.0.0/16, subnets: {s: {hosts: {w: {}}}}}]
firewall-policies:
  p:
    rules:
      - {name: web, dnat: 203.0.113.0/24 -> hub-firewall https http, to: "w:8443"}
      - {name: ssh, dnat: any -> 20.1.2.3 ssh, to: 10.1.0.9}
      - {name: names, allow: a -> internet https http, fqdn: ["*.Example.com"]}
      - {name: time, allow: a -> internet ntp}
      - {name: rest, deny: any -> any}
`)}}, nil)
	var got []string
	var view wire.RuleCollectionGroup
	if err := find(t, d, "firewallPolicies/p/ruleCollectionGroups/rules").Decode(&view); err != nil {
		t.Fatal(err)
	}
	for _, c := range view.Properties.RuleCollections {
		line := fmt.Sprint(c.Name, " ", c.Priority, " ", c.RuleCollectionType, " ", c.Action.Type, ":")
		for _, r := range c.Rules {
			line += fmt.Sprint(" ", r.Name, " ", r.RuleType, " ", r.SourceAddresses, r.DestinationAddresses, r.DestinationPorts, r.TranslatedAddress, ":", r.TranslatedPort, r.TargetFQDNs, r.Protocols)
		}
		got = append(got, line)
	}
	want := []string{
		"dnat-1 100 FirewallPolicyNatRuleCollection DNAT: web NatRule [203.0.113.0/24] [20.1.2.3] [443]10.1.0.4:8443[] [] web-2 NatRule [203.0.113.0/24] [20.1.2.3] [80]10.1.0.4:8443[] [] ssh NatRule [*] [20.1.2.3] [22]10.1.0.9:22[] []",
		"allow-2 110 FirewallPolicyFilterRuleCollection Allow: names ApplicationRule [10.1.0.0/16] [] []:[*.example.com] [{Https 443} {Http 80}]",
		"allow-3 120 FirewallPolicyFilterRuleCollection Allow: time NetworkRule [10.1.0.0/16] [] [123]:[] []",
		"deny-4 130 FirewallPolicyFilterRuleCollection Deny: rest NetworkRule [*] [*] [*]:[] []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The landing zone holds one of most things, and every part has its line.
func TestLandingZoneShape(t *testing.T) {
	d := loadExample(t, "landing-zone")
	count := map[string]int{}
	for _, r := range d.Network.Resources {
		count[r.Type()]++
	}
	for k, n := range map[string]int{
		model.TypeLoadBalancer: 2, model.TypeNATGateway: 1, model.TypePublicIP: 3, model.TypePrivateEndpoint: 2, model.TypePrivateZoneGroup: 2,
		model.TypeStorageAccount: 1, model.TypeSQLServer: 1, typeGateway: 1, typeSite: 1, typeConnection: 1, model.TypeFirewallPolicy: 1,
		model.TypeRouteTable: 3, model.TypePeering: 4, model.TypeVM: 5,
	} {
		if count[k] != n {
			t.Errorf("%d %s, want %d", count[k], k, n)
		}
	}
	// The appliances are the next hop by their load balancer, and its address is
	// in the lock.
	want := d.Lock.Private["nvas/inside"].String()
	for _, table := range []string{"from-shop", "from-jobs", "office-to-spokes"} {
		for _, r := range at(t, find(t, d, "routeTables/"+table).Doc, "properties/routes").([]any) {
			if got := at(t, r, "properties/nextHopIpAddress"); got != want {
				t.Errorf("%s: next hop %v, want %s", table, got, want)
			}
		}
	}
}
