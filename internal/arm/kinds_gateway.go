package arm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/google/uuid"
)

// Types of hybrid connectivity.
const (
	typeGateway        = "Microsoft.Network/virtualNetworkGateways"
	typeLocalGateway   = "Microsoft.Network/localNetworkGateways"
	typeConnection     = "Microsoft.Network/connections"
	typeVirtualHub     = "Microsoft.Network/virtualHubs"
	typeHubIP          = "Microsoft.Network/virtualHubs/ipConfigurations"
	typeBGPConnection  = "Microsoft.Network/virtualHubs/bgpConnections"
	typeHubConnection  = "Microsoft.Network/virtualHubs/hubVirtualNetworkConnections"
	typeVirtualWAN     = "Microsoft.Network/virtualWans"
	typeCircuit        = "Microsoft.Network/expressRouteCircuits"
	typeCircuitPeering = "Microsoft.Network/expressRouteCircuits/peerings"
)

// azureASN is the autonomous system of Azure's gateways and Route Servers.
const azureASN = "65515"

// gatewayKinds are gateways, sites, connections, circuits and Route Servers.
func gatewayKinds() []*kind {
	return []*kind{
		{
			Type: typeGateway, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Refs:  append(ipConfigurationRefs(), ref(typeLocalGateway, "properties.gatewayDefaultSite.id")),
			InUse: inUse("VirtualNetworkGatewayCannotBeDeleted", "Virtual network gateway %s is in use by %s and cannot be deleted."), // code unconfirmed
			Check: checkGateway, Show: showGateway,
		},
		{
			Type: typeLocalGateway, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			InUse: inUse("LocalNetworkGatewayCannotBeDeleted", "Local network gateway %s is in use by %s and cannot be deleted."), // code unconfirmed
			Check: checkLocalGateway,
		},
		{
			Type: typeConnection, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"connectionStatus", "egressBytesTransferred", "ingressBytesTransferred", "tunnelConnectionStatus"},
			Refs: []reference{
				ref(typeGateway, "properties.virtualNetworkGateway1.id"), ref(typeGateway, "properties.virtualNetworkGateway2.id"),
				ref(typeLocalGateway, "properties.localNetworkGateway2.id"), ref(typeCircuit, "properties.peer.id"),
			},
			Check: checkConnection, Show: showConnection,
		},
		{
			Type: typeCircuit, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Defaults: []setting{{"allowClassicOperations", false}},
			InUse:    inUse("CircuitInUse", "ExpressRoute circuit %s is in use by %s and cannot be deleted."), // code unconfirmed
			Fill:     fillCircuit, Show: showCircuit,
		},
		{
			Type: typeCircuitPeering, Name: networkName, Inline: "peerings", KeepAbsent: true, State: true,
		},
		{Type: typeCircuit + "/authorizations", Name: networkName, Inline: "authorizations", KeepAbsent: true, State: true, Defaults: []setting{{"authorizationUseStatus", "Available"}}},
		{
			Type: typeVirtualWAN, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			InUse: inUse(codeResourceInUse, "Virtual WAN %s is in use by %s and cannot be deleted."),
		},
		{
			Type: typeVirtualHub, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"routingState", "virtualRouterIps", "ipConfigurations", "bgpConnections"},
			Refs:     []reference{ref(typeVirtualWAN, "properties.virtualWan.id")},
			InUse:    inUse(codeResourceInUse, "Virtual hub %s is in use by %s and cannot be deleted."),
			Show:     showVirtualHub,
		},
		{
			Type: typeHubIP, Name: networkName, State: true,
			Refs: []reference{
				ref(model.TypeSubnet, "properties.subnet.id"), ref(model.TypePublicIP, "properties.publicIPAddress.id"),
			},
			Check: checkHubIP,
		},
		{
			Type: typeBGPConnection, Name: networkName, State: true,
			Computed: []string{"connectionState"},
			Refs:     []reference{ref(typeHubConnection, "properties.hubVirtualNetworkConnection.id")},
			Check:    checkBGPConnection, Show: showBGPConnection,
		},
		{
			Type: typeHubConnection, Name: networkName, State: true,
			Refs:  []reference{ref(model.TypeVirtualNetwork, "properties.remoteVirtualNetwork.id")},
			InUse: inUse(codeResourceInUse, "Hub connection %s is in use by %s and cannot be deleted."),
		},
	}
}

func checkGateway(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.gatewayType", p["gatewayType"], "Vpn", "ExpressRoute", "LocalGateway"); f != nil {
		return f
	}
	configs, f := checkIPConfigurations(c, "ipConfigurations")
	if f != nil {
		return f
	}
	for _, cfg := range configs {
		q := object(cfg, "properties")
		setDefault(q, "privateIPAllocationMethod", "Dynamic")
		if id, err := model.ParseID(refID(q, "subnet")); err != nil || !strings.EqualFold(id.Name(), "GatewaySubnet") {
			return badRequest("VirtualNetworkGatewaySubnetNameInvalid", "Virtual network gateway %s must be in a subnet named GatewaySubnet, not %s.", c.id, show(refID(q, "subnet"))) // code unconfirmed
		}
	}
	return checkPublicIPUse(c)
}

func showGateway(_ *reading, p map[string]any) {
	setDefault(p, "enableBgp", false)
	setDefault(p, "activeActive", false)
	if strings.EqualFold(text(p, "gatewayType"), "Vpn") {
		setDefault(p, "vpnType", "RouteBased")
	}
	bgp := shallow(object(p, "bgpSettings"))
	setDefault(bgp, "asn", json.Number(azureASN))
	setDefault(bgp, "peerWeight", json.Number("0"))
	p["bgpSettings"] = bgp
}

func checkLocalGateway(c *change) *Fault {
	texts, f := stringList(c.id, object(c.props(), "localNetworkAddressSpace"), "addressPrefixes", "properties.localNetworkAddressSpace.")
	if f != nil {
		return f
	}
	_, f = parsePrefixes(c.id, texts)
	return f
}

func checkConnection(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.connectionType", p["connectionType"], "IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient"); f != nil {
		return f
	}
	peer := map[string]string{"ipsec": "localNetworkGateway2", "vnet2vnet": "virtualNetworkGateway2", "expressroute": "peer"}[strings.ToLower(text(p, "connectionType"))]
	for _, name := range []string{"virtualNetworkGateway1", peer} {
		if name != "" && refID(p, name) == "" {
			return invalidProperty(c.id, "properties."+name+".id", nil, "a connection of type "+text(p, "connectionType")+" needs it")
		}
	}
	return nil
}

func showConnection(_ *reading, p map[string]any) {
	setDefault(p, "enableBgp", false)
	setDefault(p, "routingWeight", json.Number("0"))
	p["connectionStatus"], p["egressBytesTransferred"], p["ingressBytesTransferred"] = "Unknown", 0, 0
}

func fillCircuit(c *change) *Fault {
	key := text(c.oldProps(), "serviceKey")
	if key == "" {
		key = uuid.NewString()
	}
	c.props()["serviceKey"] = key
	return nil
}

func showCircuit(_ *reading, p map[string]any) {
	setDefault(p, "circuitProvisioningState", "Enabled")
	setDefault(p, "serviceProviderProvisioningState", "NotProvisioned")
	for _, name := range []string{"peerings", "authorizations"} {
		setDefault(p, name, []any{})
	}
}

func checkHubIP(c *change) *Fault {
	target := refID(c.props(), "subnet")
	id, err := model.ParseID(target)
	if err != nil || !strings.EqualFold(id.Name(), "RouteServerSubnet") {
		return badRequest("RouteServerSubnetNameInvalid", "IP configuration %s must be in a subnet named RouteServerSubnet, not %s.", c.id, show(target)) // code unconfirmed
	}
	return checkPublicIPUse(c)
}

func checkBGPConnection(c *change) *Fault {
	p := c.props()
	if n, ok := whole(p["peerAsn"]); !ok || n < 1 || n > 4294967295 || fmt.Sprint(n) == azureASN {
		return invalidProperty(c.id, "properties.peerAsn", p["peerAsn"], "it must be an autonomous system other than Azure's own")
	}
	if text(p, "peerIp") == "" {
		return invalidProperty(c.id, "properties.peerIp", p["peerIp"], "it must be the peer's address")
	}
	return nil
}

func showBGPConnection(_ *reading, p map[string]any) { p["connectionState"] = "Connected" }

// showVirtualHub shows a Route Server's addresses: the first two of its subnet.
func showVirtualHub(r *reading, p map[string]any) {
	setDefault(p, "virtualRouterAsn", json.Number(azureASN))
	setDefault(p, "allowBranchToBranchTraffic", false)
	p["routingState"] = "Provisioned"
	ips := []any{}
	var configs, peers []any
	for e := range r.view.List(r.id.Key()+"/", "") {
		one := map[string]any{"id": e.Resource.ID.String()}
		switch {
		case e.Resource.ID.Is(typeBGPConnection):
			peers = append(peers, one)
		case e.Resource.ID.Is(typeHubIP):
			configs = append(configs, one)
			if id, err := model.ParseID(refID(e.Resource.Properties(), "subnet")); err == nil {
				ips = append(ips, routerAddresses(r, id)...)
			}
		}
	}
	p["virtualRouterIps"] = ips
	if len(configs) > 0 {
		p["ipConfigurations"] = configs
	}
	if len(peers) > 0 {
		p["bgpConnections"] = peers
	}
}

func routerAddresses(r *reading, subnet model.ID) []any {
	doc, ok := lookup(r.view, r.kinds[strings.ToLower(model.TypeSubnet)], subnet)
	if !ok {
		return nil
	}
	var out []any
	for _, pfx := range subnetPrefixes(object(doc, "properties")) {
		if pfx.Addr().Is4() {
			out = append(out, offset(pfx, catalog.FirstUsableOffset).String(), offset(pfx, catalog.FirstUsableOffset+1).String())
		}
	}
	return out
}
