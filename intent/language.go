package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the declared language: the types that a YAML document is decoded
// into. The JSON Schema is generated from them, with these comments as its
// descriptions.

// Document is one declared network. A folder of files is merged into one
// document: lists are joined, maps must not repeat a key.
type Document struct {
	// Name of the network. Resource groups are named after it.
	Network Text `yaml:"network"`
	// Azure subscription the network lives in; default 11111111-1111-1111-1111-111111111111.
	Subscription Text `yaml:"subscription"`
	// Where addresses come from when none are given.
	Addresses *Addresses `yaml:"addresses"`
	// Azure regions the network uses.
	Regions []Text `yaml:"regions"`
	// Virtual networks in the middle of a region; one hub with a firewall serves the region's spokes.
	Hubs []VNet `yaml:"hubs"`
	// Virtual networks that hold workloads.
	Spokes []VNet `yaml:"spokes"`
	// Virtual networks that are neither hub nor spoke.
	Networks []VNet `yaml:"networks"`
	// Network groups by name.
	Groups Map[Group] `yaml:"groups"`
	// Connectivity configurations of the network manager.
	Connectivity []Connectivity `yaml:"connectivity"`
	// Security admin rules of the network manager: evaluated before every network security group.
	SecurityAdmin []AdminRules `yaml:"security-admin"`
	// Network security groups by name; one is made in each region where a subnet or host uses it.
	NSGs Map[NSG] `yaml:"nsgs"`
	// Route tables by name; one is made in each region where a subnet uses it.
	RouteTables Map[[]Route] `yaml:"route-tables"`
	// Routing configurations of the network manager.
	Routing []Routing `yaml:"routing"`
	// Firewall policies by name.
	FirewallPolicies Map[FirewallPolicy] `yaml:"firewall-policies"`
	// Private DNS zones by name.
	DNS Map[Zone] `yaml:"dns"`
	// Public DNS zones by name.
	PublicDNS Map[PublicZone] `yaml:"public-dns"`
	// Virtual network peerings, for networks without a network manager.
	Peerings []Peering `yaml:"peerings"`
	// Load balancers.
	LoadBalancers []LoadBalancer `yaml:"load-balancers"`
	// Application gateways.
	AppGateways []AppGateway `yaml:"application-gateways"`
	// Traffic Manager profiles: DNS names that lead to one of several endpoints.
	TrafficManagers []TrafficManager `yaml:"traffic-managers"`
	// Front doors: a name and address that the nearest of many edges answers, before origins.
	FrontDoors []FrontDoor `yaml:"front-doors"`
	// NAT gateways, which subnets name.
	NATGateways []NATGateway `yaml:"nat-gateways"`
	// Platform services: storage accounts, SQL servers and key vaults.
	Services []PlatformService `yaml:"services"`
	// Failover groups of SQL servers.
	FailoverGroups []FailoverGroup `yaml:"failover-groups"`
	// Private endpoints of platform services.
	PrivateEndpoints []PrivateEndpoint `yaml:"private-endpoints"`
	// VPN and ExpressRoute gateways.
	Gateways []Gateway `yaml:"gateways"`
	// On-premises sites.
	Sites []Site `yaml:"sites"`
	// Hosts of the internet by DNS name.
	Internet Map[PublicHost] `yaml:"internet"`
	// Route Servers.
	RouteServers []RouteServer `yaml:"route-servers"`
	// What lies beneath the network: links that are slower, shorter or worse than Azure's.
	Underlay *Underlay `yaml:"underlay"`
	// What must be true of the network.
	Expectations []Expectation `yaml:"expectations"`
	// Any Azure resource in its Resource Manager shape.
	Resources []Raw `yaml:"resources"`

	start model.Pos // where the first file begins
}

// Addresses says where addresses come from. All lengths are prefix lengths.
type Addresses struct {
	// Prefix that every assigned address comes out of; default 10.0.0.0/8.
	Pool Text `yaml:"pool"`
	// Length of each region's block; default 14.
	Region Int `yaml:"region" jsonschema:"minimum=1,maximum=29"`
	// Length of a hub's prefix; default 22.
	Hub Int `yaml:"hub" jsonschema:"minimum=1,maximum=29"`
	// Length of a spoke's prefix; default 20.
	Spoke Int `yaml:"spoke" jsonschema:"minimum=1,maximum=29"`
	// Length of the prefix of a virtual network that is neither hub nor spoke; default 16.
	Network Int `yaml:"network" jsonschema:"minimum=1,maximum=29"`
	// Length of a subnet's prefix; default 24.
	Subnet Int `yaml:"subnet" jsonschema:"minimum=1,maximum=29"`
	// Blocks of regions that must not be assigned, by region.
	Blocks Map[Text] `yaml:"blocks"`
	Pos    model.Pos `yaml:"-"`
}

// VNet is a virtual network, or with each: region one in every region.
// {region} stands for the region's name and {name} for the virtual network's.
type VNet struct {
	// region: make one virtual network in every region of the network.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Regions to leave out, with each.
	Except Texts `yaml:"except"`
	// Name of the virtual network.
	Name Text `yaml:"name" jsonschema:"required"`
	// Azure region; not together with each.
	Region Text `yaml:"region"`
	// Prefix, or prefixes; assigned when absent.
	Address Texts `yaml:"address"`
	// Tags of the virtual network.
	Tags Map[Text] `yaml:"tags"`
	// Subnets by name.
	Subnets Map[Subnet] `yaml:"subnets"`
	// Azure Firewall in this virtual network, with its subnet and public address.
	Firewall *Firewall `yaml:"firewall"`
	// Addresses of DNS servers to use in place of Azure's.
	DNSServers Texts     `yaml:"dns-servers"`
	Pos        model.Pos `yaml:"-"`
}

// Firewall is an Azure Firewall.
type Firewall struct {
	// Name of the firewall; default {name}-firewall.
	Name Text `yaml:"name"`
	// Firewall policy.
	Policy Text `yaml:"policy"`
	// Tier of the firewall; default Standard.
	Tier Text `yaml:"tier" jsonschema:"enum=Basic,enum=Standard,enum=Premium"`
	// Prefix of AzureFirewallSubnet, /26 or shorter; assigned when absent.
	Address Text `yaml:"address"`
	// Public address; assigned when absent.
	PublicIP PublicIP  `yaml:"public-ip"`
	Pos      model.Pos `yaml:"-"`
}

// Subnet is a subnet of a virtual network.
type Subnet struct {
	// Regions the subnet is in, where each: region makes several; default all.
	Regions Texts `yaml:"regions"`
	// Prefix; assigned when absent.
	Address Text `yaml:"address"`
	// Prefix length to assign in place of the network's default.
	Length Int `yaml:"length" jsonschema:"minimum=1,maximum=29"`
	// Network security group, or none.
	NSG Text `yaml:"nsg"`
	// Route table, or none.
	RouteTable Text `yaml:"route-table"`
	// NAT gateway that gives hosts their public address towards the internet, or none.
	NATGateway Text `yaml:"nat-gateway"`
	// Services that are reached directly, from the hosts' private addresses: storage, sql, key-vault.
	ServiceEndpoints Texts `yaml:"service-endpoints"`
	// Whether private endpoints here obey network security groups and route tables; default disabled.
	PrivateEndpointPolicies Text `yaml:"private-endpoint-policies" jsonschema:"enum=enabled,enum=disabled,enum=nsg,enum=routes"`
	// Whether hosts without a public address of their own reach the internet; default false.
	DefaultOutboundAccess Bool `yaml:"default-outbound-access"`
	// Hosts by name.
	Hosts Map[Host] `yaml:"hosts"`
	Pos   model.Pos `yaml:"-"`
}

// Host is something that runs in a subnet: a virtual machine with one network
// interface.
type Host struct {
	// Private address; assigned when absent.
	Address Text `yaml:"address"`
	// What it listens on: https/443, http/80, tcp/5432, udp/53, whoami/80 (answers with the caller's address) or dns (a forwarder to Azure's own).
	Serves Texts `yaml:"serves"`
	// Name of its service in discovery, shared with others that serve the same, or none; default its name without the region and a number at the end.
	Service Text `yaml:"service"`
	// Program of the system that runs on it while the network is up, on Linux: a list of arguments, or one text for a shell; it begins in the network's folder. What the host serves is then the program's to answer.
	Run Texts `yaml:"run" literal:""`
	// Environment of the program, added to that of 'cerulean up'.
	Env Map[Text] `yaml:"env" literal:""`
	// When the program starts again: always, on-failure (the default) or never.
	Restart Text `yaml:"restart" jsonschema:"enum=always,enum=on-failure,enum=never"`
	// Managed identity of its virtual machine: system or none; system where it has roles, else none.
	Identity Text `yaml:"identity" jsonschema:"enum=system,enum=none"`
	// Roles of its managed identity: ROLE on SERVICE.
	Roles Texts `yaml:"roles"`
	// Public address of its own: true, or the address.
	PublicIP PublicIP `yaml:"public-ip"`
	// Whether it forwards packets of others: a network virtual appliance.
	IPForwarding Bool `yaml:"ip-forwarding"`
	// Firewall policy that it enforces on what it forwards; default none, everything passes.
	Policy Text `yaml:"policy"`
	// Whether what it forwards leaves with its own address; default false.
	SNAT Bool `yaml:"snat"`
	// Whether it lets replies pass that its policy does not allow; default true.
	Stateful Bool `yaml:"stateful"`
	// Prefixes that it announces to a Route Server.
	Advertises Texts `yaml:"advertises"`
	// Autonomous system number by which it speaks BGP with a Route Server.
	ASN Int `yaml:"asn" jsonschema:"minimum=1,maximum=65534"`
	// Availability zone it is in, 1, 2 or 3; default none.
	Zone Int `yaml:"zone" jsonschema:"minimum=1,maximum=3"`
	// Network security group of its interface.
	NSG Text `yaml:"nsg"`
	// Application security groups of its interface.
	ASGs Texts `yaml:"asgs"`
	// Tags of the virtual machine and its interface.
	Tags Map[Text] `yaml:"tags"`
	Pos  model.Pos `yaml:"-"`
}

// Group is a network group: dynamic by tags, or a list of members.
type Group struct {
	// Tags a virtual network must have, every one of them.
	Where Map[Text] `yaml:"where"`
	// Regions a virtual network must be in.
	Regions Texts `yaml:"regions"`
	// Virtual networks by name.
	Members Texts     `yaml:"members"`
	Pos     model.Pos `yaml:"-"`
}

// Connectivity is a connectivity configuration: a mesh or hub and spoke.
type Connectivity struct {
	// Name of the configuration.
	Name Text `yaml:"name"`
	// Groups whose virtual networks all reach each other.
	Mesh Texts `yaml:"mesh"`
	// Groups whose virtual networks are each peered with the hub of their region.
	HubAndSpoke Texts `yaml:"hub-and-spoke"`
	// The hub of every spoke, where it is not the one hub of its region.
	Hub Text `yaml:"hub"`
	// Whether spokes of one group in one region also reach each other directly; default false.
	DirectlyConnected Bool `yaml:"directly-connected"`
	// Whether spokes use the gateway or Route Server of their hub; default false.
	UseHubGateway Bool `yaml:"use-hub-gateway"`
	// Whether a mesh reaches across regions; default true.
	Global Bool      `yaml:"global"`
	Pos    model.Pos `yaml:"-"`
}

// AdminRules are security admin rules for some groups.
type AdminRules struct {
	// Name of the rule collection.
	Name Text `yaml:"name"`
	// Network groups whose virtual networks obey the rules.
	AppliesTo Texts `yaml:"applies-to" jsonschema:"required"`
	// Rules, evaluated by priority.
	Rules []AdminRule `yaml:"rules" jsonschema:"required"`
	Pos   model.Pos   `yaml:"-"`
}

// AdminRule is one security admin rule. Exactly one of deny, allow and
// always-allow is given.
type AdminRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Sentence: traffic that no network security group can allow.
	Deny Text `yaml:"deny"`
	// Sentence: traffic that is left to the network security groups.
	Allow Text `yaml:"allow"`
	// Sentence: traffic that no network security group can deny.
	AlwaysAllow Text `yaml:"always-allow"`
	// Lower runs first; default 100, 110 and so on. A rule with several protocols or both directions takes the numbers that follow, too.
	Priority Int `yaml:"priority" jsonschema:"minimum=1,maximum=4096"`
	// Only inbound or only outbound; default both, as far as they apply.
	Direction Text      `yaml:"direction" jsonschema:"enum=inbound,enum=outbound"`
	Pos       model.Pos `yaml:"-"`
}

// NSG is a network security group. Azure's default rules follow its own.
type NSG struct {
	// Rules for packets that arrive, evaluated by priority.
	Inbound []NSGRule `yaml:"inbound"`
	// Rules for packets that leave, evaluated by priority.
	Outbound []NSGRule `yaml:"outbound"`
	Pos      model.Pos `yaml:"-"`
}

// NSGRule is one rule of a network security group: either deny or allow.
type NSGRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Sentence: traffic to drop.
	Deny Text `yaml:"deny"`
	// Sentence: traffic to let pass.
	Allow Text `yaml:"allow"`
	// Lower runs first; default 100, 110 and so on.
	Priority Int       `yaml:"priority" jsonschema:"minimum=100,maximum=4096"`
	Pos      model.Pos `yaml:"-"`
}

// Route is one user-defined route.
type Route struct {
	// Name of the route.
	Name Text `yaml:"name"`
	// Destination prefix, virtual network or region.
	To Text `yaml:"to" jsonschema:"required"`
	// Next hop: an address, firewall (the one of the region), a firewall's name, a host, an internal load balancer, internet, vnet, gateway or none.
	Via Text      `yaml:"via" jsonschema:"required"`
	Pos model.Pos `yaml:"-"`
}

// Routing is a routing configuration of the network manager for some groups.
type Routing struct {
	// Name of the rule collection.
	Name Text `yaml:"name"`
	// Network groups whose subnets get the route.
	For Texts `yaml:"for" jsonschema:"required"`
	// Sentence: PREFIX -> NEXT HOP, or other regions -> firewall.
	Route Texts     `yaml:"route" jsonschema:"required"`
	Pos   model.Pos `yaml:"-"`
}

// FirewallPolicy is a firewall policy.
type FirewallPolicy struct {
	// Policy to inherit from; its rules run first.
	Parent Text `yaml:"parent"`
	// Regions where the policy takes the place of its parent.
	Regions Texts `yaml:"regions"`
	// Rules; what none of them allows is denied.
	Rules []FirewallRule `yaml:"rules"`
	// Destinations whose senders keep their address; default the private ranges of RFC 1918 and RFC 6598.
	PrivateRanges Texts     `yaml:"private-ranges"`
	Pos           model.Pos `yaml:"-"`
}

// FirewallRule is one rule of a firewall policy. Exactly one of deny, allow and
// dnat is given.
type FirewallRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Sentence: traffic to drop.
	Deny Text `yaml:"deny"`
	// Sentence: traffic to let pass.
	Allow Text `yaml:"allow"`
	// Sentence: traffic to a public address of a firewall that is sent on.
	DNAT Text `yaml:"dnat"`
	// Where dnat sends it: a host or an address, and a port if it is another, as in web-1:8443.
	To Text `yaml:"to"`
	// Names, for example *.example.com, of the http, https or sqlserver servers that are meant: an application rule.
	FQDN Texts     `yaml:"fqdn"`
	Pos  model.Pos `yaml:"-"`
}

// Zone is a private DNS zone.
type Zone struct {
	// Virtual networks or groups that resolve the zone, or all.
	Link Texts `yaml:"link"`
	// Addresses, or names of hosts, private endpoints or internal load balancers, by record name; {region} makes one record for every region.
	Records Map[Texts] `yaml:"records"`
	// Time to live of the records in seconds; default 300.
	TTL Int       `yaml:"ttl" jsonschema:"minimum=1,maximum=2147483647"`
	Pos model.Pos `yaml:"-"`
}

// Peering peers two virtual networks, or each of one group with each of
// another, in both directions.
type Peering struct {
	// region: repeat for every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Two virtual networks or groups.
	Between []Text `yaml:"between" jsonschema:"required,minItems=2,maxItems=2"`
	// Whether the two count as each other's VirtualNetwork; default true.
	AllowVirtualNetworkAccess Bool `yaml:"allow-virtual-network-access"`
	// Whether packets that come from elsewhere are accepted; default true.
	AllowForwardedTraffic Bool `yaml:"allow-forwarded-traffic"`
	// The one of the two whose gateway or Route Server the other uses.
	GatewayTransit Text      `yaml:"gateway-transit"`
	Pos            model.Pos `yaml:"-"`
}

// Expectation is a claim about the network. Exactly one of deny, allow,
// symmetric, resolves and no-more-than is given.
type Expectation struct {
	// What to call it.
	Name Text `yaml:"name"`
	// Sentence: no packet of this traffic is delivered.
	Deny Text `yaml:"deny"`
	// Sentence: every connection of this traffic works. Towards a URL, as in client -> https://shop.example/api, the gateway that listens for it can be reached, and members behind it; a running network sends the request, too.
	Allow Text `yaml:"allow"`
	// Statuses that the answer to a URL may have, as "200-299" or "403"; default all below 500.
	Status Texts `yaml:"status"`
	// Sentence: traffic and its replies pass the same stateful devices.
	Symmetric Text `yaml:"symmetric"`
	// DNS name, or names, that must resolve to private addresses.
	Resolves Texts `yaml:"resolves"`
	// What the names must lead to: addresses, and names of what has some, public ones too; default private addresses.
	To Texts `yaml:"to"`
	// Who must resolve the names; default any.
	From Text `yaml:"from"`
	// Another declared network, a file or folder beside this one: nothing is delivered here that is not delivered there.
	NoMoreThan Text `yaml:"no-more-than"`
	// Sentence: the traffic that no-more-than compares; default everything.
	Of Text `yaml:"of"`
	// Of which pairs the claim speaks: those in different or in the same region, or in different virtual networks. With any one of them is enough (allow only); default all.
	Pairs Text `yaml:"pairs" jsonschema:"enum=all,enum=any,enum=other-region,enum=same-region,enum=other-vnet,enum=all other-region,enum=all same-region,enum=all other-vnet,enum=any other-region,enum=any same-region,enum=any other-vnet"`
	// What the traffic must pass, both ways: source firewall, destination firewall, or the name of a firewall, host, gateway or load balancer.
	Through Texts `yaml:"through"`
	// What the traffic must not pass, neither way; named like through.
	NotThrough Texts     `yaml:"not-through"`
	Pos        model.Pos `yaml:"-"`

	fromEdges bool // the source is every edge of front doors
}
