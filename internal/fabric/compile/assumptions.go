package compile

import "net/netip"

// What Azure's public documents leave open or contradict each other on. Each
// constant is unconfirmed: it says what Cerulean does until somebody has seen
// the service do otherwise.
const (

	// userRoutesLeaveInternet would take the prefixes of user routes, 0.0.0.0/0
	// included, out of the Internet tag because they enter the VirtualNetwork
	// tag. A deny rule on Internet would then vanish with a default route; we
	// read "outside the virtual network" as its addresses, not its routes.
	userRoutesLeaveInternet = false

	// connectedGroupsInTag puts the members of a connected group into the
	// VirtualNetwork tag; the tag's text speaks of peers only.
	connectedGroupsInTag = true

	// standardPublicIPNeedsNSG closes a Standard public IP to inbound traffic
	// when neither subnet nor interface has a security group ("Public IP
	// addresses": secure by default).
	standardPublicIPNeedsNSG = true

	// registersStaticAddresses would register virtual machines with a static
	// private address in private DNS; the documentation covers dynamic
	// allocation only.
	registersStaticAddresses = false

	// basicStaysInRegion keeps what comes by global peering from the frontends
	// of Basic load balancers ("Virtual network peering"). By the prefixes of
	// the peers: what an appliance nearby forwards for others passes.
	basicStaysInRegion = true

	// connectedGroupsReachEndpoints gives members of a connected group the
	// routes of each other's private endpoints, as direct peers have them.
	connectedGroupsReachEndpoints = true

	// storageIPRulesSkipOwnRegion takes IP rules of a storage account away from
	// the ways out of clients in its region, who do not come by them.
	storageIPRulesSkipOwnRegion = true

	// ipv6DefaultRoute gives subnets of virtual networks with IPv6 a route of
	// ::/0 to the internet, as IPv4 has.
	ipv6DefaultRoute = true

	// dnatMasquerades gives what a NAT rule of a firewall translates the
	// firewall's own private address as its source, so that replies come back
	// by it.
	dnatMasquerades = true

	// natRangesTakePrivate lets NAT rules whose destination is a range, or "*",
	// translate at the firewall's private address too; the documents have rules
	// that name it.
	natRangesTakePrivate = true

	// firewallsDropIPv6 ends IPv6 at Azure Firewall, which has no addresses of
	// that family.
	firewallsDropIPv6 = true

	// haPortsNeverReset keeps the TCP reset of an internal load balancer's rule
	// for high-availability ports back, as "Load Balancer TCP Reset" (2020) says.
	haPortsNeverReset = true

	// appliancesAreStateful lets appliances refuse replies to flows they never
	// saw, as most products do, unless the tag cerulean-stateful is "false".
	appliancesAreStateful = true
)

// Names of effective routes, as seen in answers of the service; its SDK's list
// has only the first five.
const (
	routeVnetLocal       = "VnetLocal"
	routeInternet        = "Internet"
	routeNone            = "None"
	routeAppliance       = "VirtualAppliance"
	routeGateway         = "VirtualNetworkGateway"
	routePeering         = "VNetPeering"
	routeGlobalPeering   = "VNetGlobalPeering"
	routeConnectedGroup  = "ConnectedGroup"
	routeServiceEndpoint = "VirtualNetworkServiceEndpoint"

	routeInterfaceEndpoint = "InterfaceEndpoint"

	sourceDefault = "Default"
	sourceUser    = "User"
	sourceGateway = "VirtualNetworkGateway"
)

// Stand-ins for public addresses that Azure would choose. They lie in ranges
// the internet does not route (RFC 2544 and RFC 3849), so they are never taken
// for somebody else's. They are given out in order of resource ID.
func publicPool4() netip.Addr  { return netip.MustParseAddr("198.18.0.1") }    // public IPs without an address
func publicPool6() netip.Addr  { return netip.MustParseAddr("2001:db8:c::1") } // the same for IPv6
func prefixPool() netip.Addr   { return netip.MustParseAddr("198.19.128.0") }  // public IP prefixes without one, sixteen addresses each
func outboundPool() netip.Addr { return netip.MustParseAddr("198.19.0.1") }    // default outbound access, one per virtual network
