package wire

// Gateway is Microsoft.Network/virtualNetworkGateways: a VPN or ExpressRoute
// gateway.
type Gateway struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	Properties GatewayProperties `json:"properties"`
}

// GatewayProperties are the properties of a gateway.
type GatewayProperties struct {
	GatewayType      string            `json:"gatewayType"` // Vpn or ExpressRoute
	VPNType          string            `json:"vpnType"`     // RouteBased or PolicyBased
	EnableBGP        bool              `json:"enableBgp"`
	ActiveActive     bool              `json:"activeActive"`
	IPConfigurations []IPConfiguration `json:"ipConfigurations"`
	VPNClient        *VPNClient        `json:"vpnClientConfiguration"`
}

// VPNClient is the point-to-site configuration of a VPN gateway.
type VPNClient struct {
	AddressPool AddressSpace `json:"vpnClientAddressPool"`
}

// LocalGateway is Microsoft.Network/localNetworkGateways: an on-premises VPN
// device and what lies behind it.
type LocalGateway struct {
	Location   string                 `json:"location"`
	Properties LocalGatewayProperties `json:"properties"`
}

// LocalGatewayProperties are the properties of a local network gateway.
type LocalGatewayProperties struct {
	AddressSpace AddressSpace `json:"localNetworkAddressSpace"`
}

// Connection is Microsoft.Network/connections: of a gateway to a site, a
// circuit or another gateway.
type Connection struct {
	Location   string               `json:"location"`
	Tags       map[string]string    `json:"tags"`
	Properties ConnectionProperties `json:"properties"`
}

// ConnectionProperties are the properties of a connection.
type ConnectionProperties struct {
	ConnectionType string `json:"connectionType"` // IPsec, Vnet2Vnet, ExpressRoute or VPNClient
	EnableBGP      bool   `json:"enableBgp"`
	Gateway        *Ref   `json:"virtualNetworkGateway1"`
	FarGateway     *Ref   `json:"virtualNetworkGateway2"`
	LocalGateway   *Ref   `json:"localNetworkGateway2"`
	Peer           *Ref   `json:"peer"` // the circuit of an ExpressRoute connection
}

// Circuit is Microsoft.Network/expressRouteCircuits.
type Circuit struct {
	Location string            `json:"location"`
	Tags     map[string]string `json:"tags"`
}

// VirtualHub is Microsoft.Network/virtualHubs: a hub of a virtual WAN, or a
// Route Server.
type VirtualHub struct {
	Location   string               `json:"location"`
	Kind       string               `json:"kind"`
	Properties VirtualHubProperties `json:"properties"`
}

// VirtualHubProperties are the properties of a virtual hub.
type VirtualHubProperties struct {
	SKU            string `json:"sku"`
	BranchToBranch bool   `json:"allowBranchToBranchTraffic"`
	VirtualWAN     *Ref   `json:"virtualWan"`
}

// HubIPConfiguration is an IP configuration of a Route Server, a resource of
// its own.
type HubIPConfiguration struct {
	Properties IPConfigurationProperties `json:"properties"`
}

// BGPConnection is a BGP peer of a Route Server.
type BGPConnection struct {
	Properties BGPConnectionProperties `json:"properties"`
}

// BGPConnectionProperties are the properties of a BGP peer.
type BGPConnectionProperties struct {
	PeerIP  string `json:"peerIp"`
	PeerASN int    `json:"peerAsn"` // 1..4294967295
}
