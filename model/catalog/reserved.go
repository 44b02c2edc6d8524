package catalog

import (
	"net/netip"
	"strings"
)

// Addresses of the platform itself, the same in every virtual network ("What
// is IP address 168.63.129.16?" and "Azure Instance Metadata Service").
var (
	// WireServer answers DHCP, DNS and health probes.
	WireServer = netip.MustParseAddr("168.63.129.16")
	// MetadataServer answers the instance metadata and its tokens.
	MetadataServer = netip.MustParseAddr("169.254.169.254")
)

// PlatformAddresses returns [WireServer] and [MetadataServer].
func PlatformAddresses() []netip.Addr { return []netip.Addr{WireServer, MetadataServer} }

// ReservedSubnetInfo says what Azure asks of a subnet with a reserved name.
type ReservedSubnetInfo struct {
	Name string
	// MaxBits is the prefix length of the smallest allowed IPv4 subnet.
	MaxBits int
	// AdvisedBits is the prefix length of the smallest that serves everything
	// the service offers; MaxBits if 0.
	AdvisedBits int
	// NSG and RouteTable report whether one may be associated.
	NSG, RouteTable bool
	// NATGateway reports whether a NAT gateway may be associated.
	NATGateway bool
	// AdminRules reports whether security admin rules apply ("Security admin
	// rules in Azure Virtual Network Manager": not where gateways, firewalls,
	// Bastion or a Route Server live).
	AdminRules bool
}

// ReservedSubnet returns what is known of a reserved subnet name. Case does not
// matter (unconfirmed). A gateway of any SKU but Basic asks for a /27
// (unconfirmed). The sizes of the Bastion, Route Server and management
// subnets and the refusal of an NSG on AzureFirewallSubnet are unconfirmed.
func ReservedSubnet(name string) (ReservedSubnetInfo, bool) {
	for _, s := range reservedSubnets() {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return ReservedSubnetInfo{}, false
}

func reservedSubnets() []ReservedSubnetInfo {
	return []ReservedSubnetInfo{
		{Name: "GatewaySubnet", MaxBits: 29, AdvisedBits: 27, RouteTable: true},
		{Name: "AzureFirewallSubnet", MaxBits: 26, RouteTable: true, NATGateway: true},
		{Name: "AzureFirewallManagementSubnet", MaxBits: 26},
		{Name: "AzureBastionSubnet", MaxBits: 26, NSG: true},
		{Name: "RouteServerSubnet", MaxBits: 27},
	}
}

// ForbiddenVNetRanges returns the ranges no virtual network may use ("Azure
// Virtual Network frequently asked questions").
func ForbiddenVNetRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("224.0.0.0/4"),
		netip.MustParsePrefix("255.255.255.255/32"),
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("168.63.129.16/32"),
	}
}

// ReservedRoutes returns the prefixes that every subnet's route table drops
// unless something more specific holds ("Virtual network traffic routing").
func ReservedRoutes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"),
	}
}

// DefaultRule is one of the rules every network security group ends with.
type DefaultRule struct {
	Name                string
	Description         string // as the service says it
	Priority            int
	Inbound             bool
	Source, Destination string // a service tag, or "*"
	Allow               bool
}

// DefaultRules returns the six default rules in order of priority, inbound
// first ("Network security groups overview"). Protocol and ports are "*".
func DefaultRules() []DefaultRule {
	return []DefaultRule{
		{Name: "AllowVnetInBound", Description: "Allow inbound traffic from all VMs in VNET", Priority: 65000, Inbound: true, Source: "VirtualNetwork", Destination: "VirtualNetwork", Allow: true},
		{Name: "AllowAzureLoadBalancerInBound", Description: "Allow inbound traffic from azure load balancer", Priority: 65001, Inbound: true, Source: "AzureLoadBalancer", Destination: "*", Allow: true},
		{Name: "DenyAllInBound", Description: "Deny all inbound traffic", Priority: 65500, Inbound: true, Source: "*", Destination: "*"},
		{Name: "AllowVnetOutBound", Description: "Allow outbound traffic from all VMs to all VMs in VNET", Priority: 65000, Source: "VirtualNetwork", Destination: "VirtualNetwork", Allow: true},
		{Name: "AllowInternetOutBound", Description: "Allow outbound traffic from all VMs to Internet", Priority: 65001, Source: "*", Destination: "Internet", Allow: true},
		{Name: "DenyAllOutBound", Description: "Deny all outbound traffic", Priority: 65500, Source: "*", Destination: "*"},
	}
}
