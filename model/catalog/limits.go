package catalog

// LimitsSource says where the limits come from.
const LimitsSource = `Microsoft Learn, "Azure subscription and service limits, quotas, and constraints", networking, 2022-12`

// Limits per region and subscription.
const (
	MaxVNets               = 1000
	MaxNICs                = 65536
	MaxNSGs                = 5000
	MaxRouteTables         = 200
	MaxASGs                = 3000
	MaxSubnetsPerVNet      = 3000
	MaxPeeringsPerVNet     = 500
	MaxPeeringsPerHub      = 1000 // of a hub whose peerings a network manager makes
	MaxPrivateIPsPerVNet   = 65536
	MaxPrivateIPsPeered    = 128000 // in a group of peered virtual networks
	MaxDNSServersPerVNet   = 20
	MaxIPsPerNIC           = 256
	MaxRulesPerNSG         = 1000
	MaxAddressesPerRule    = 4000 // addresses and ranges on one side of a rule
	MaxIPConfigsPerASG     = 4000
	MaxASGsPerIPConfig     = 20
	MaxASGsPerRuleSide     = 10
	MaxASGsPerNSG          = 100  // over all rules of a security group
	MaxRoutesPerTable      = 400  // unconfirmed: other texts say 600
	MaxManagedRoutes       = 1000 // in a table that a network manager keeps
	MaxTagRoutesPerTable   = 25
	MaxVNetsPerMesh        = 250  // of a connected group; 1,000 on request
	MaxMeshesPerVNet       = 2    // connected groups one virtual network may be in
	MaxPrivateEndpoints    = 1000 // per virtual network; unconfirmed
	MaxRegistrationZones   = 1    // private DNS zones with registration, per virtual network
	MaxIPsPerNATGateway    = 16
	NATGatewayPortsPerIP   = 64512
	LoadBalancerPortsPerIP = 64000
	// FirewallPortsPerIP is how many source ports each of the
	// [FirewallInstances] that every firewall has at least gives a public
	// address ("Scale SNAT ports with Azure NAT Gateway").
	FirewallPortsPerIP = 2496 // unconfirmed
	FirewallInstances  = 2
	// Instances of an application gateway ("Application Gateway limits", "Scaling
	// Application Gateway v2 and WAF v2").
	MaxAppGatewayInstances     = 125
	AppGatewayDefaultInstances = 2  // unconfirmed: of one without a capacity
	AppGatewayDefaultMax       = 10 // unconfirmed: of one that scales without a bound
)

// MaxDefaultOutboundMembers is the size of the largest pool whose members have
// outbound ports by default.
const MaxDefaultOutboundMembers = 1000

// DefaultOutboundPorts is what each member of a pool of n has of a frontend's
// ports where no rule allocates them ("Use Source Network Address Translation
// (SNAT) for outbound connections"), and the size up to which that holds. Pools
// of more than 1,000 members are not in the table: 0, 0.
func DefaultOutboundPorts(n int) (ports, upTo int) {
	ports = 1024
	for _, upTo := range []int{50, 100, 200, 400, 800, MaxDefaultOutboundMembers} {
		if n <= upTo {
			return ports, upTo
		}
		ports /= 2
	}
	return 0, 0
}

// Ranges of priorities. Lower numbers come first.
const (
	MinSecurityRulePriority   = 100 // "Network security groups overview"
	MaxSecurityRulePriority   = 4096
	MinAdminRulePriority      = 1 // "Security admin rules in Azure Virtual Network Manager"
	MaxAdminRulePriority      = 4096
	MinFirewallPriority       = 100 // "Azure Firewall rule processing logic"
	MaxFirewallPriority       = 65000
	MaxSecurityRuleNameLength = 80
)

// Sizes of subnets ("Azure Virtual Network frequently asked questions").
const (
	// ReservedIPsPerSubnet is how many addresses of each subnet Azure keeps:
	// the first four and the last.
	ReservedIPsPerSubnet = 5
	// FirstUsableOffset is the offset of the first address a subnet gives out.
	FirstUsableOffset = 4
	MinSubnetBits     = 2  // largest IPv4 subnet; unconfirmed, older texts say 8
	MaxSubnetBits     = 29 // smallest IPv4 subnet
	IPv6SubnetBits    = 64 // the only IPv6 size
	// ResolverSubnetBits is the prefix length of the smallest subnet that a
	// DNS resolver's endpoint takes ("What is Azure DNS Private Resolver?",
	// unconfirmed).
	ResolverSubnetBits = 28
)
