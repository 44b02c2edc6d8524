package catalog

// Limit is one published limit of the network.
type Limit struct {
	Name     string // stable, kebab-case: what is counted, then in what
	Value    int
	Unit     string // what is counted
	Scope    string // in what it is counted
	Document string // where it is published
	// Confirmed is false for values that documents disagree on or that were
	// not read in the document itself.
	Confirmed bool
}

// Documents of limits besides [LimitsSource].
const (
	docBalancer = `load balancer limits of the same page, 2024-10`
	docNAT      = `NAT gateway resource, 2023-07`
	docRoutes   = `"Virtual network traffic routing", 2023-05`
	docManager  = `limits of Azure Virtual Network Manager, 2024-06`
	docServer   = `"Azure Route Server frequently asked questions"; not re-read`
	docVPN      = `"About BGP with Azure VPN Gateway"; not re-read`
	docFirewall = `"Deploy an Azure Firewall with multiple public IP addresses using Azure PowerShell"`
	docManaged  = `"User-defined routes management in Azure Virtual Network Manager", 2024-10`
	docMesh     = `"Connectivity configuration in Azure Virtual Network Manager", 2025-11`
	docExpress  = `"ExpressRoute frequently asked questions", route limits; not re-read`
	docService  = `firewall documents of Storage, SQL and Key Vault; not re-read`
)

// Limits returns the published limits that a network is held against.
func Limits() []Limit {
	return []Limit{
		{"virtual-networks-per-region", MaxVNets, "virtual networks", "region and subscription", LimitsSource, true},
		{"interfaces-per-region", MaxNICs, "network interfaces", "region and subscription", LimitsSource, true},
		{"security-groups-per-region", MaxNSGs, "network security groups", "region and subscription", LimitsSource, true},
		{"route-tables-per-region", MaxRouteTables, "route tables", "region and subscription", LimitsSource, true},
		{"application-groups-per-region", MaxASGs, "application security groups", "region and subscription", LimitsSource, true},
		{"load-balancers-per-region", MaxLoadBalancers, "load balancers", "region and subscription", docBalancer, false},
		{"subnets-per-virtual-network", MaxSubnetsPerVNet, "subnets", "virtual network", LimitsSource, true},
		{"peerings-per-virtual-network", MaxPeeringsPerVNet, "declared peerings", "virtual network", LimitsSource, true},
		{"effective-peerings-per-virtual-network", MaxPeeringsPerHub, "peerings, those of a network manager included", "virtual network", LimitsSource, true},
		{"dns-servers-per-virtual-network", MaxDNSServersPerVNet, "DNS servers", "virtual network", LimitsSource, true},
		{"private-addresses-per-virtual-network", MaxPrivateIPsPerVNet, "private addresses", "virtual network", LimitsSource, true},
		{"private-addresses-per-peered-group", MaxPrivateIPsPeered, "private addresses", "virtual network with its direct peers", LimitsSource, true},
		{"private-endpoints-per-virtual-network", MaxPrivateEndpoints, "private endpoints", "virtual network", LimitsSource, false},
		{"addresses-per-interface", MaxIPsPerNIC, "IP configurations", "network interface", LimitsSource, true},
		{"application-groups-per-ip-configuration", MaxASGsPerIPConfig, "application security groups", "IP configuration", LimitsSource, true},
		{"ip-configurations-per-application-group", MaxIPConfigsPerASG, "IP configurations", "application security group", LimitsSource, true},
		{"rules-per-security-group", MaxRulesPerNSG, "security rules", "network security group", LimitsSource, true},
		{"addresses-per-security-rule", MaxAddressesPerRule, "addresses and ranges", "side of a security rule", LimitsSource, true},
		{"application-groups-per-security-rule", MaxASGsPerRuleSide, "application security groups", "side of a security rule", LimitsSource, true},
		{"application-groups-per-security-group", MaxASGsPerNSG, "application security groups", "all rules of a network security group", LimitsSource, true},
		{"routes-per-table", MaxRoutesPerTable, "routes", "route table", LimitsSource, false},
		{"routes-per-managed-table", MaxManagedRoutes, "user routes", "route table that a network manager keeps", docManaged, true},
		{"service-tag-routes-per-table", MaxTagRoutesPerTable, "routes of service tags", "route table", docRoutes, true},
		{"virtual-networks-per-connected-group", MaxVNetsPerMesh, "virtual networks", "connected group", docMesh, false},
		{"connected-groups-per-virtual-network", MaxMeshesPerVNet, "connected groups", "virtual network", docMesh, true},
		{"admin-rules-per-manager", MaxAdminRules, "security admin rules", "network manager", docManager, false},
		{"admin-prefixes-per-manager", MaxAdminPrefixes, "prefixes in security admin rules", "network manager", docManager, false},
		{"frontends-per-load-balancer", MaxFrontends, "frontends", "load balancer", docBalancer, false},
		{"rules-per-load-balancer", MaxBalancerRules, "load-balancing and inbound NAT rules", "load balancer", docBalancer, false},
		{"balancer-rules-per-interface", MaxBalancerRulesPerNIC, "load-balancing and inbound NAT rules", "network interface", docBalancer, false},
		{"outbound-rules-per-load-balancer", MaxOutboundRules, "outbound rules", "load balancer", docBalancer, false},
		{"members-per-pool", MaxPoolMembers, "members", "backend pool", docBalancer, false},
		{"addresses-per-nat-gateway", MaxIPsPerNATGateway, "public addresses", "NAT gateway", docNAT, false},
		{"addresses-per-firewall", MaxIPsPerFirewall, "public addresses", "Azure Firewall", docFirewall, true},
		{"addresses-and-translations-per-firewall", MaxIPsPerFirewall, "public addresses and DNAT rules together", "Azure Firewall", docFirewall, false},
		{"peers-per-route-server", MaxRouteServerPeers, "BGP peers", "Route Server", docServer, false},
		{"routes-per-route-server-peer", MaxRoutesPerPeer, "routes announced", "BGP peer of a Route Server", docServer, false},
		{"prefixes-per-vpn-peer", MaxVPNPrefixes, "prefixes announced over BGP", "peer of a VPN gateway", docVPN, false},
		{"prefixes-learned-per-circuit", MaxCircuitPrefixes, "IPv4 prefixes announced to Azure", "ExpressRoute circuit", docExpress, false},
		{"prefixes-learned-per-premium-circuit", MaxPremiumPrefixes, "IPv4 prefixes announced to Azure", "premium ExpressRoute circuit", docExpress, false},
		{"prefixes-advertised-per-circuit", MaxAdvertisedPrefixes, "IPv4 prefixes of virtual networks announced by one gateway", "ExpressRoute circuit", docExpress, false},
		{"storage-address-rules", MaxStorageIPRules, "IP rules", "storage account", docService, false},
		{"storage-network-rules", MaxStorageVNetRules, "virtual network rules", "storage account", docService, false},
		{"key-vault-address-rules", MaxVaultIPRules, "IP rules", "key vault", docService, false},
		{"key-vault-network-rules", MaxVaultVNetRules, "virtual network rules", "key vault", docService, false},
		{"sql-network-rules", MaxSQLVNetRules, "virtual network rules", "SQL server", docService, false},
	}
}

// Limits of load balancers, network managers, Route Server and services.
const (
	MaxLoadBalancers    = 1000
	MaxFrontends        = 600
	MaxBalancerRules    = 1500 // load-balancing and inbound NAT rules together
	MaxOutboundRules    = 600
	MaxPoolMembers      = 5000
	MaxAdminRules       = 100  // unconfirmed: raised later
	MaxAdminPrefixes    = 1000 // unconfirmed: raised later
	MaxRouteServerPeers = 8

	MaxBalancerRulesPerNIC = 300 // load-balancing and inbound NAT rules together
	MaxIPsPerFirewall      = 250 // unconfirmed: what of a DNAT rule counts with them
	MaxRoutesPerPeer       = 1000
	MaxVPNPrefixes         = 4000 // past it the gateway ends the session
	MaxCircuitPrefixes     = 4000
	MaxPremiumPrefixes     = 10000
	MaxAdvertisedPrefixes  = 1000

	MaxStorageIPRules   = 400 // unconfirmed, as are those below: older texts say 200
	MaxStorageVNetRules = 400
	MaxVaultIPRules     = 1000
	MaxVaultVNetRules   = 200
	MaxSQLVNetRules     = 128
)
