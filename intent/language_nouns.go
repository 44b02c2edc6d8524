package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about what stands in the
// virtual networks besides hosts and firewalls, and at their borders.

// LoadBalancer is an Azure Load Balancer: public or internal, as its frontends
// are.
type LoadBalancer struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the load balancer.
	Name Text `yaml:"name" jsonschema:"required"`
	// Azure region; default that of its members.
	Region Text `yaml:"region"`
	// Default Standard.
	SKU Text `yaml:"sku" jsonschema:"enum=Basic,enum=Standard"`
	// Addresses at which it takes packets, by name.
	Frontends Map[Frontend] `yaml:"frontends" jsonschema:"required"`
	// Whether it stands before load balancers of regions; public only.
	Global Bool `yaml:"global"`
	// Hosts that it hands packets to, all in one virtual network; of a global one, the public load balancers of regions.
	Members Texts `yaml:"members"`
	// How it asks members whether they are well, by name.
	Probes Map[Probe] `yaml:"probes"`
	// Seconds that flows to a member which leaves may go on; default without end.
	Drain Int `yaml:"drain" jsonschema:"minimum=1,maximum=4000"`
	// What it hands to its members.
	Rules []BalancingRule `yaml:"rules"`
	// Whether it hands on every port of TCP and UDP; internal only.
	HAPorts Bool `yaml:"ha-ports"`
	// Ports that lead to one member each.
	NATRules []InboundNATRule `yaml:"nat-rules"`
	// Public addresses that members have towards the internet.
	OutboundRules []OutboundRule `yaml:"outbound-rules"`
	Pos           model.Pos      `yaml:"-"`
}

// Frontend is one address of a load balancer: either public or in a subnet.
type Frontend struct {
	// Public address: true, or the address.
	PublicIP PublicIP `yaml:"public-ip"`
	// Subnet: NAME, or NAME in VIRTUAL NETWORK.
	Subnet Text `yaml:"subnet"`
	// Private address; assigned when absent.
	Address Text      `yaml:"address"`
	Pos     model.Pos `yaml:"-"`
}

// Probe asks members whether they are well.
type Probe struct {
	// Default tcp.
	Protocol Text `yaml:"protocol" jsonschema:"enum=tcp,enum=http,enum=https"`
	// Port it asks.
	Port Int `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"`
	// Path of an http or https probe; default /.
	Path Text `yaml:"path"`
	// Seconds between two questions; default 15.
	Interval Int `yaml:"interval" jsonschema:"minimum=5"`
	// Answers in a row that change a member's state; default 1.
	Threshold Int `yaml:"threshold" jsonschema:"minimum=1,maximum=100"`
	// Whom new flows go to when no member is well: none (the default) or all.
	AllDown Text      `yaml:"all-down" jsonschema:"enum=none,enum=all"`
	Pos     model.Pos `yaml:"-"`
}

// BalancingRule hands what arrives at a frontend to the members.
type BalancingRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Frontend; may be left out where there is only one.
	Frontend Text `yaml:"frontend"`
	// What is handed on: tcp/443, udp/53 or https; each port is a rule.
	Traffic Text `yaml:"traffic" jsonschema:"required"`
	// Port at the member; default the same.
	ToPort Int `yaml:"to-port" jsonschema:"minimum=1,maximum=65535"`
	// Probe, or none; may be left out where there is only one.
	Probe Text `yaml:"probe"`
	// What keeps a sender with a member: default (addresses, ports and protocol), source-ip or source-ip-protocol.
	Distribution Text `yaml:"distribution" jsonschema:"enum=default,enum=source-ip,enum=source-ip-protocol"`
	// Whether packets keep the frontend's address; default false.
	FloatingIP Bool `yaml:"floating-ip"`
	// Minutes until a silent flow is forgotten; default 4.
	IdleTimeout Int `yaml:"idle-timeout" jsonschema:"minimum=4,maximum=100"`
	// Both ends of a flow that was silent for too long get a TCP reset.
	TCPReset Bool `yaml:"tcp-reset"`
	// Whether the frontend is no public address of its members towards the internet; default true where there are outbound rules.
	DisableOutboundSNAT Bool      `yaml:"disable-outbound-snat"`
	Pos                 model.Pos `yaml:"-"`
}

// InboundNATRule leads a port of a frontend to one member, or a range of ports
// to the members, one each.
type InboundNATRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Frontend; may be left out where there is only one.
	Frontend Text `yaml:"frontend"`
	// Port, or range of ports, of the frontend: tcp/2222 or tcp/5000-5009.
	Traffic Text `yaml:"traffic" jsonschema:"required"`
	// Member that one port leads to.
	To Text `yaml:"to"`
	// Port at the member.
	ToPort Int `yaml:"to-port" jsonschema:"required,minimum=1,maximum=65535"`
	// Whether packets keep the frontend's address; default false.
	FloatingIP Bool `yaml:"floating-ip"`
	// Minutes until a silent flow is forgotten; default 4.
	IdleTimeout Int `yaml:"idle-timeout" jsonschema:"minimum=4,maximum=100"`
	// Both ends of a flow that was silent for too long get a TCP reset.
	TCPReset Bool      `yaml:"tcp-reset"`
	Pos      model.Pos `yaml:"-"`
}

// OutboundRule gives members public addresses towards the internet.
type OutboundRule struct {
	// Name of the rule.
	Name Text `yaml:"name"`
	// Public frontends; default all.
	Frontends Texts `yaml:"frontends"`
	// Default all.
	Protocol Text `yaml:"protocol" jsonschema:"enum=all,enum=tcp,enum=udp"`
	// Source ports for each member, a multiple of 8; default as many as there are for the size of the pool.
	Ports Int `yaml:"ports" jsonschema:"minimum=8,maximum=64000"`
	// Minutes until a silent flow is forgotten; default 4.
	IdleTimeout Int `yaml:"idle-timeout" jsonschema:"minimum=4,maximum=120"`
	// Both ends of a flow that was silent for too long get a TCP reset.
	TCPReset Bool      `yaml:"tcp-reset"`
	Pos      model.Pos `yaml:"-"`
}

// NATGateway is a NAT gateway for the subnets of one virtual network that name
// it.
type NATGateway struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the NAT gateway.
	Name Text `yaml:"name" jsonschema:"required"`
	// Azure region.
	Region Text `yaml:"region"`
	// Public address; assigned when absent.
	PublicIP PublicIP `yaml:"public-ip"`
	// Availability zone it is in, 1, 2 or 3, and fails with; default none.
	Zone Int `yaml:"zone" jsonschema:"minimum=1,maximum=3"`
	// Minutes until a silent flow is forgotten; default 4.
	IdleTimeout Int       `yaml:"idle-timeout" jsonschema:"minimum=4,maximum=120"`
	Pos         model.Pos `yaml:"-"`
}

// PlatformService is a storage account, an SQL server or a key vault.
type PlatformService struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the service, unique in the world.
	Name Text `yaml:"name" jsonschema:"required"`
	// What it is.
	Kind Text `yaml:"kind" jsonschema:"required,enum=storage,enum=sql,enum=key-vault"`
	// Azure region.
	Region Text `yaml:"region"`
	// Whether its public address answers at all; default true.
	Public Bool `yaml:"public"`
	// Who may use its public address; default everybody, of an SQL server nobody.
	Firewall *ServiceFirewall `yaml:"firewall"`
	// Secrets that a key vault holds at first, by name.
	Secrets Map[Text] `yaml:"secrets" literal:""`
	// Blobs that a storage account holds at first: contents by container/name.
	Blobs Map[Text] `yaml:"blobs" literal:""`
	// Databases of an SQL server, empty at first; those of a failover group are declared there.
	Databases Texts `yaml:"databases"`
	// Logins of an SQL server: passwords by name.
	Logins Map[Text] `yaml:"logins" literal:""`
	// Hosts whose managed identities are users of an SQL server.
	Users Texts     `yaml:"users"`
	Pos   model.Pos `yaml:"-"`
}

// ServiceFirewall says who may use the public address of a service.
type ServiceFirewall struct {
	// What happens to everybody else; default deny.
	Default Text `yaml:"default" jsonschema:"enum=deny,enum=allow"`
	// Public addresses or prefixes that may.
	Addresses Texts `yaml:"addresses"`
	// Subnets that may, by their service endpoint: NAME, or NAME in VIRTUAL NETWORK.
	Subnets Texts `yaml:"subnets"`
	// Whether Azure's own services may; default false.
	AzureServices Bool      `yaml:"azure-services"`
	Pos           model.Pos `yaml:"-"`
}

// PrivateEndpoint is an address in a subnet at which a service answers.
type PrivateEndpoint struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the private endpoint.
	Name Text `yaml:"name" jsonschema:"required"`
	// Service that answers.
	Service Text `yaml:"service" jsonschema:"required"`
	// Part of a storage account; default blob.
	Group Text `yaml:"group" jsonschema:"enum=blob,enum=file,enum=queue,enum=table,enum=dfs,enum=web,enum=sqlServer,enum=vault"`
	// Subnet: NAME, or NAME in VIRTUAL NETWORK.
	Subnet Text `yaml:"subnet" jsonschema:"required"`
	// Private address; assigned when absent.
	Address Text `yaml:"address"`
	// Private DNS zones that get its record.
	Zones Texts     `yaml:"zones"`
	Pos   model.Pos `yaml:"-"`
}

// Gateway is a VPN or ExpressRoute gateway in a virtual network.
type Gateway struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the gateway.
	Name Text `yaml:"name" jsonschema:"required"`
	// What it connects with.
	Kind Text `yaml:"kind" jsonschema:"required,enum=vpn,enum=expressroute"`
	// Virtual network it is in.
	VNet Text `yaml:"vnet" jsonschema:"required"`
	// Default VpnGw1AZ or ErGw1AZ.
	SKU Text `yaml:"sku"`
	// Autonomous system number of a VPN gateway; default 65515.
	ASN Int `yaml:"asn" jsonschema:"minimum=1"`
	// Whether a VPN gateway has two instances at work; default false.
	ActiveActive Bool `yaml:"active-active"`
	// Prefix of GatewaySubnet, /27 or shorter; assigned when absent.
	Address Text `yaml:"address"`
	// Public address; assigned when absent.
	PublicIP PublicIP  `yaml:"public-ip"`
	Pos      model.Pos `yaml:"-"`
}

// Site is a place outside of Azure: its own network, connected to gateways.
type Site struct {
	// Name of the site.
	Name Text `yaml:"name" jsonschema:"required"`
	// Prefixes of the site.
	Prefixes Texts `yaml:"prefixes" jsonschema:"required"`
	// Gateways it is connected to, by VPN or ExpressRoute as they are.
	Gateways Texts `yaml:"gateways" jsonschema:"required"`
	// Public address of its VPN device; assigned when absent.
	Address Text `yaml:"address"`
	// Autonomous system number of the site, where it speaks BGP.
	ASN Int `yaml:"asn" jsonschema:"minimum=1"`
	// Address at which its VPN device speaks BGP.
	BGPAddress Text `yaml:"bgp-address"`
	// Preference of its connections where several sites have a prefix; the highest wins.
	Weight Int `yaml:"weight" jsonschema:"minimum=0,maximum=32000"`
	// Provider of its ExpressRoute circuit.
	Provider Text `yaml:"provider"`
	// Where its ExpressRoute circuit meets Azure.
	PeeringLocation Text `yaml:"peering-location"`
	// Bandwidth of its ExpressRoute circuit in Mbit/s; default 50.
	Bandwidth Int       `yaml:"bandwidth" jsonschema:"minimum=50"`
	Pos       model.Pos `yaml:"-"`
}

// RouteServer is an Azure Route Server in a virtual network.
type RouteServer struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the Route Server.
	Name Text `yaml:"name" jsonschema:"required"`
	// Virtual network it is in.
	VNet Text `yaml:"vnet" jsonschema:"required"`
	// Hosts it learns routes from.
	Peers Texts `yaml:"peers"`
	// Whether it passes routes on between its peers and the gateways; default false.
	BranchToBranch Bool `yaml:"branch-to-branch"`
	// Prefix of RouteServerSubnet, /27 or shorter; assigned when absent.
	Address Text `yaml:"address"`
	// Public address; assigned when absent.
	PublicIP PublicIP  `yaml:"public-ip"`
	Pos      model.Pos `yaml:"-"`
}

// Underlay is what lies beneath the network.
type Underlay struct {
	// Makes jitter and loss repeatable; default 1.
	Seed Int `yaml:"seed" jsonschema:"minimum=0"`
	// Links between places that are not as Azure's.
	Links []UnderlayLink `yaml:"links"`
	Pos   model.Pos      `yaml:"-"`
}

// UnderlayLink is a link between two places, both ways.
type UnderlayLink struct {
	// Two places: regions, REGION/ZONE, hosts, sites or internet.
	Between []Text `yaml:"between" jsonschema:"required,minItems=2,maxItems=2"`
	// Round-trip time, as in 80ms; default Azure's between the two regions.
	RTT Text `yaml:"rtt"`
	// hollow-core: propagation takes a third less.
	Fibre Text `yaml:"fibre" jsonschema:"enum=solid-core,enum=hollow-core"`
	// The most that a packet is later, one way, as in 5ms.
	Jitter Text `yaml:"jitter"`
	// Share of packets lost, one way, as in 0.1%.
	Loss Text `yaml:"loss"`
	// Bits per second, each way, as in 100Mbps or 1Gbps; default unbounded.
	Bandwidth Text `yaml:"bandwidth"`
	// Bytes that wait for their turn on a link with a bandwidth, as in 256KB; default what the bandwidth carries in 50ms.
	Queue Text `yaml:"queue"`
	// Longest IP packet in bytes; default as long as any.
	MTU Int       `yaml:"mtu" jsonschema:"minimum=576,maximum=9000"`
	Pos model.Pos `yaml:"-"`
}
