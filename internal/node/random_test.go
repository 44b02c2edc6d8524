package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// randomNetwork writes the resources of a small network at random: what a
// careless team could have in one subscription. Most of it is legal; what the
// compiler refuses says so.
type randomNetwork struct {
	rng  *rand.Rand
	list []*model.Resource
	// What there is to refer to, by ID.
	subnets, nsgs, tables, asgs, nics, publics []string
	pools                                      map[string][]string // of each load balancer
	prefix                                     map[string]string   // of a subnet: its first three bytes
	region                                     map[string]string   // of a subnet, where not westeurope
	fronts                                     []string            // public frontends of regional balancers
	next                                       map[string]int      // the next free host address of a subnet
}

const randomScope = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/"

func newRandomNetwork(rng *rand.Rand) *randomNetwork {
	n := &randomNetwork{rng: rng, pools: map[string][]string{}, prefix: map[string]string{}, region: map[string]string{}, next: map[string]int{}}
	n.filters()
	n.networks()
	n.peerings()
	n.gateway()
	n.balancers()
	n.global()
	n.interfaces()
	n.services()
	n.hybrid()
	n.firewall()
	model.SortResources(n.list)
	return n
}

func (n *randomNetwork) one(of int) bool { return n.rng.IntN(of) == 0 }

func (n *randomNetwork) pick(list ...string) string { return list[n.rng.IntN(len(list))] }

// add adds a resource from its type, name and the JSON of its properties.
func (n *randomNetwork) add(kind, name, properties string, more ...string) string {
	return n.addIn("westeurope", kind, name, properties, more...)
}

func (n *randomNetwork) addIn(region, kind, name, properties string, more ...string) string {
	id := randomScope + kind + "/" + name
	text := `{"location":"` + region + `","properties":{` + properties + `}` + strings.Join(append([]string{""}, more...), ",") + `}`
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		panic(err.Error() + " in " + text)
	}
	parsed, err := model.ParseID(id)
	if err != nil {
		panic(err)
	}
	n.list = append(n.list, &model.Resource{ID: parsed, Doc: doc})
	return id
}

func link(name, id string) string { return fmt.Sprintf(`%q:{"id":%q}`, name, id) }

// filters makes application security groups, security groups and route tables.
func (n *randomNetwork) filters() {
	for i := range n.rng.IntN(3) {
		n.asgs = append(n.asgs, n.add("Microsoft.Network/applicationSecurityGroups", fmt.Sprintf("asg%d", i), ""))
	}
	for i := range 1 + n.rng.IntN(3) {
		var rules []string
		for r := range n.rng.IntN(6) {
			direction := n.pick("Inbound", "Outbound")
			side := func(name string) string {
				if len(n.asgs) > 0 && n.one(6) {
					return fmt.Sprintf(`"%sApplicationSecurityGroups":[{"id":%q}]`, name, n.pick(n.asgs...))
				}
				return fmt.Sprintf(`"%sAddressPrefix":%q`, name, n.pick("*", "*", "VirtualNetwork", "Internet", "AzureLoadBalancer", "10.0.0.0/8",
					"10.1.0.0/16", "10.0.1.4", "Storage", "Storage.WestEurope", "Sql", "192.168.0.0/16", "203.0.113.0/24"))
			}
			protocol := n.pick("*", "Tcp", "Tcp", "Udp", "Icmp")
			port := n.pick("*", "*", "443", "80", "22", "1433", "1000-9000")
			if protocol == "Icmp" {
				port = "*"
			}
			rules = append(rules, fmt.Sprintf(`{"name":"r%d","properties":{"priority":%d,"direction":%q,"access":%q,"protocol":%q,`+
				`"sourcePortRange":"*","destinationPortRange":%q,%s,%s}}`, r, 100+10*r, direction, n.pick("Allow", "Allow", "Deny"), protocol,
				port, side("source"), side("destination")))
		}
		n.nsgs = append(n.nsgs, n.add("Microsoft.Network/networkSecurityGroups", fmt.Sprintf("nsg%d", i), `"securityRules":[`+strings.Join(rules, ",")+`]`))
	}
	for i := range n.rng.IntN(3) {
		var routes []string
		seen := map[string]bool{}
		for r := range n.rng.IntN(4) {
			prefix := n.pick("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.0.1.0/24", "192.168.0.0/16", "203.0.113.0/24")
			if seen[prefix] {
				continue
			}
			seen[prefix] = true
			hop := n.pick("VirtualAppliance", "VirtualAppliance", "VirtualAppliance", "Internet", "None", "VnetLocal")
			more := ""
			if hop == "VirtualAppliance" {
				more = fmt.Sprintf(`,"nextHopIpAddress":%q`, n.pick("10.0.0.4", "10.0.0.5", "10.0.1.4", "10.1.0.4", "10.0.0.100", "10.1.0.100"))
			}
			routes = append(routes, fmt.Sprintf(`{"name":"r%d","properties":{"addressPrefix":%q,"nextHopType":%q%s}}`, r, prefix, hop, more))
		}
		n.tables = append(n.tables, n.add("Microsoft.Network/routeTables", fmt.Sprintf("rt%d", i),
			fmt.Sprintf(`"disableBgpRoutePropagation":%v,"routes":[%s]`, n.one(2), strings.Join(routes, ","))))
	}
}

// networks makes virtual networks 10.v.0.0/16 with subnets 10.v.s.0/24.
func (n *randomNetwork) networks() {
	for v := range 1 + n.rng.IntN(3) {
		var subnets []string
		region := n.pick("westeurope", "westeurope", "northeurope", "eastus")
		id := fmt.Sprintf("%sMicrosoft.Network/virtualNetworks/vnet%d", randomScope, v)
		for s := range 1 + n.rng.IntN(3) {
			p := fmt.Sprintf(`"addressPrefix":"10.%d.%d.0/24"`, v, s)
			if n.one(2) {
				p += "," + link("networkSecurityGroup", n.pick(n.nsgs...))
			}
			if len(n.tables) > 0 && n.one(2) {
				p += "," + link("routeTable", n.pick(n.tables...))
			}
			if n.one(3) {
				p += fmt.Sprintf(`,"privateEndpointNetworkPolicies":%q`, n.pick("Enabled", "Disabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"))
			}
			if n.one(3) {
				p += `,"serviceEndpoints":[{"service":"Microsoft.Storage"}]`
			}
			if n.one(4) {
				p += `,"defaultOutboundAccess":false`
			}
			if n.one(4) {
				name := fmt.Sprintf("out-%d-%d", v, s)
				p += "," + link("natGateway", n.addIn(region, "Microsoft.Network/natGateways", name,
					fmt.Sprintf(`"publicIpAddresses":[{"id":%q}]`, n.standard(region, name+"-ip")), `"sku":{"name":"Standard"}`))
			}
			name := fmt.Sprintf("s%d", s)
			subnets = append(subnets, fmt.Sprintf(`{"name":%q,"properties":{%s}}`, name, p))
			sub := id + "/subnets/" + name
			n.subnets = append(n.subnets, sub)
			n.region[sub] = region
			n.prefix[sub], n.next[sub] = fmt.Sprintf("10.%d.%d.", v, s), 4
		}
		n.addIn(region, "Microsoft.Network/virtualNetworks", fmt.Sprintf("vnet%d", v),
			fmt.Sprintf(`"addressSpace":{"addressPrefixes":["10.%d.0.0/16"]},"subnets":[%s]`, v, strings.Join(subnets, ",")))
	}
}

func (n *randomNetwork) vnets() []string {
	var out []string
	for _, r := range n.list {
		if r.ID.Is(model.TypeVirtualNetwork) {
			out = append(out, r.ID.String())
		}
	}
	return out
}

func (n *randomNetwork) peerings() {
	vnets := n.vnets()
	for i, a := range vnets {
		for _, b := range vnets[i+1:] {
			if n.one(3) {
				continue
			}
			for _, side := range [2][2]string{{a, b}, {b, a}} {
				name := strings.TrimPrefix(side[0], randomScope+"Microsoft.Network/virtualNetworks/")
				far := side[1][strings.LastIndexByte(side[1], '/')+1:]
				n.add("Microsoft.Network/virtualNetworks", name+"/virtualNetworkPeerings/to-"+far, fmt.Sprintf(
					`%s,"allowVirtualNetworkAccess":%v,"allowForwardedTraffic":%v,"peeringState":"Connected"`, link("remoteVirtualNetwork", side[1]), !n.one(4), n.one(2)))
			}
		}
	}
}

func (n *randomNetwork) public(name string) string {
	id := n.add("Microsoft.Network/publicIPAddresses", name, fmt.Sprintf(`"publicIPAllocationMethod":"Static","ipAddress":"203.0.113.%d"`, len(n.publics)+1),
		fmt.Sprintf(`"sku":{"name":%q}`, n.pick("Standard", "Standard", "Basic")))
	n.publics = append(n.publics, id)
	return id
}

// standard makes a public address of SKU Standard.
func (n *randomNetwork) standard(region, name string) string {
	id := n.addIn(region, "Microsoft.Network/publicIPAddresses", name, fmt.Sprintf(`"publicIPAllocationMethod":"Static","ipAddress":"203.0.113.%d"`, len(n.publics)+1),
		`"sku":{"name":"Standard"}`)
	n.publics = append(n.publics, id)
	return id
}

// balancers makes load balancers, internal ones at .100 of their subnet.
func (n *randomNetwork) balancers() {
	for i := range n.rng.IntN(3) {
		name := fmt.Sprintf("lb%d", i)
		self := randomScope + "Microsoft.Network/loadBalancers/" + name
		front := ""
		private := n.one(2)
		if private {
			sub := n.pick(n.subnets...)
			front = fmt.Sprintf(`"privateIPAddress":"%s100","privateIPAllocationMethod":"Static",%s`, n.prefix[sub], link("subnet", sub))
		} else {
			front = link("publicIPAddress", n.public(name+"-ip"))
			n.fronts = append(n.fronts, self+"/frontendIPConfigurations/front")
		}
		sides := link("frontendIPConfiguration", self+"/frontendIPConfigurations/front") + "," + link("backendAddressPool", self+"/backendAddressPools/pool")
		rule := fmt.Sprintf(`%s,"protocol":%q,"frontendPort":443,"backendPort":%s,"loadDistribution":%q`, sides, n.pick("Tcp", "Udp"),
			n.pick("443", "8080"), n.pick("Default", "SourceIP", "SourceIPProtocol"))
		if n.one(4) {
			rule = fmt.Sprintf(`%s,"protocol":"Tcp","frontendPort":443,"backendPort":443,"enableFloatingIP":true`, sides)
		}
		if private && n.one(2) {
			rule = sides + `,"protocol":"All","frontendPort":0,"backendPort":0`
		}
		probes := ""
		if n.one(2) {
			probes = `{"name":"probe","properties":{"protocol":"Tcp","port":80}}`
			rule += "," + link("probe", self+"/probes/probe")
		}
		n.add("Microsoft.Network/loadBalancers", name, fmt.Sprintf(`"frontendIPConfigurations":[{"name":"front","properties":{%s}}],`+
			`"backendAddressPools":[{"name":"pool"}],"probes":[%s],"loadBalancingRules":[{"name":"rule","properties":{%s}}]`, front, probes, rule), `"sku":{"name":"Standard"}`)
		n.pools[name] = []string{self + "/backendAddressPools/pool"}
	}
}

// global makes a load balancer before the public ones of the regions.
func (n *randomNetwork) global() {
	if len(n.fronts) == 0 || n.one(2) {
		return
	}
	var members []string
	for i, front := range n.fronts {
		members = append(members, fmt.Sprintf(`{"name":"r%d","properties":{%s}}`, i, link("loadBalancerFrontendIPConfiguration", front)))
	}
	self := randomScope + "Microsoft.Network/loadBalancers/world"
	n.add("Microsoft.Network/loadBalancers", "world", fmt.Sprintf(`"frontendIPConfigurations":[{"name":"front","properties":{%s}}],`+
		`"backendAddressPools":[{"name":"pool","properties":{"loadBalancerBackendAddresses":[%s]}}],"loadBalancingRules":[{"name":"rule","properties":{`+
		`%s,%s,"protocol":"Tcp","frontendPort":443,"backendPort":443,"loadDistribution":%q}}]`,
		link("publicIPAddress", n.standard("westeurope", "world-ip")), strings.Join(members, ","),
		link("frontendIPConfiguration", self+"/frontendIPConfigurations/front"), link("backendAddressPool", self+"/backendAddressPools/pool"),
		n.pick("Default", "SourceIP")), `"sku":{"name":"Standard","tier":"Global"}`)
}

// interfaces makes hosts, some of them appliances, members of pools, public.
func (n *randomNetwork) interfaces() {
	for _, sub := range n.subnets {
		for range n.rng.IntN(4) {
			addr := fmt.Sprintf("%s%d", n.prefix[sub], n.next[sub])
			n.next[sub]++
			name := "nic-" + strings.ReplaceAll(addr, ".", "-")
			config := fmt.Sprintf(`"privateIPAddress":%q,"privateIPAllocationMethod":"Static",%s`, addr, link("subnet", sub))
			if n.one(4) {
				config += "," + link("publicIPAddress", n.public(name+"-ip"))
			}
			if len(n.asgs) > 0 && n.one(3) {
				config += fmt.Sprintf(`,"applicationSecurityGroups":[{"id":%q}]`, n.pick(n.asgs...))
			}
			var pools []string
			for _, name := range slices.Sorted(maps.Keys(n.pools)) { // a seed is one network
				if n.one(2) {
					pools = append(pools, fmt.Sprintf(`{"id":%q}`, n.pools[name][0]))
				}
			}
			config += `,"loadBalancerBackendAddressPools":[` + strings.Join(pools, ",") + `]`
			p := fmt.Sprintf(`"enableIPForwarding":%v,"ipConfigurations":[{"name":"ip","properties":{%s,"primary":true}}]`, n.one(3), config)
			if n.one(3) {
				p += "," + link("networkSecurityGroup", n.pick(n.nsgs...))
			}
			tags := map[string]string{}
			if n.one(3) {
				tags["cerulean-snat"] = "true"
			}
			if n.one(3) {
				tags["cerulean-stateful"] = "false"
			}
			text, _ := json.Marshal(tags)
			nic := n.addIn(n.region[sub], "Microsoft.Network/networkInterfaces", name, p, `"tags":`+string(text))
			n.nics = append(n.nics, nic)
			n.addIn(n.region[sub], "Microsoft.Compute/virtualMachines", "vm-"+name, fmt.Sprintf(`"networkProfile":{"networkInterfaces":[{"id":%q}]}`, nic))
		}
	}
}

// services makes a storage account with its firewall, and a private endpoint
// for it.
func (n *randomNetwork) services() {
	if n.one(2) {
		return
	}
	acls := fmt.Sprintf(`"networkAcls":{"defaultAction":%q,"ipRules":[{"value":"203.0.113.1","action":"Allow"}],"virtualNetworkRules":[{"id":%q,"action":"Allow"}]}`,
		n.pick("Allow", "Deny"), n.pick(n.subnets...))
	account := n.add("Microsoft.Storage/storageAccounts", "shared", acls+fmt.Sprintf(`,"publicNetworkAccess":%q`, n.pick("Enabled", "Enabled", "Disabled")))
	if n.one(2) {
		return
	}
	sub := n.pick(n.subnets...)
	n.add("Microsoft.Network/privateEndpoints", "pe", fmt.Sprintf(`%s,"privateLinkServiceConnections":[{"name":"c","properties":{"privateLinkServiceId":%q,`+
		`"groupIds":["blob"],"privateLinkServiceConnectionState":{"status":%q}}}],"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"%s50","groupId":"blob","memberName":"blob"}}]`,
		link("subnet", sub), account, n.pick("Approved", "Approved", "Pending"), n.prefix[sub]))
}
