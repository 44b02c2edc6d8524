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
			Defaults: []setting{
				{"enableBgp", false},
				{"activeActive", false},
				{"enablePrivateIpAddress", false},
				{"disableIPSecReplayProtection", false},
				{"enableBgpRouteTranslationForNat", false},
				{"allowVirtualWanTraffic", false},
				{"allowRemoteVnetTraffic", false},
				{"natRules", []any{}},
				{"virtualNetworkGatewayPolicyGroups", []any{}},
				{"sku.capacity", json.Number("2")},
				{"packetCaptureDiagnosticState", "None"},
				{"isMigrateToCSES", false},
			},
			Since: []since{{"allowVirtualWanTraffic", "2022-07-01"}, {"allowRemoteVnetTraffic", "2022-07-01"}},
			Check: checkGateway, Fill: fillClients, Show: showGateway, Verbs: append(bgpVerbs(), gatewayVerbs()...),
		},
		{
			Type: typeGateway + "/natRules", Name: networkName, Inline: "natRules", KeepAbsent: true, State: true,
			Computed: []string{"ingressVpnSiteLinkConnections", "egressVpnSiteLinkConnections"},
			Defaults: []setting{{"type", "Static"}, {"mode", "EgressSnat"}},
		},
		{
			Type: typeLocalGateway, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			InUse: inUse("LocalNetworkGatewayCannotBeDeleted", "Local network gateway %s is in use by %s and cannot be deleted."), // code unconfirmed
			Check: checkLocalGateway,
			Fill: func(c *change) *Fault {
				if bgp := object(c.props(), "bgpSettings"); bgp != nil {
					setDefault(bgp, "peerWeight", json.Number("0"))
				}
				return nil
			},
		},
		{
			Type: typeConnection, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"connectionStatus", "egressBytesTransferred", "ingressBytesTransferred", "tunnelConnectionStatus"},
			Defaults: []setting{
				{"enableBgp", false},
				{"routingWeight", json.Number("0")},
				{"dpdTimeoutSeconds", json.Number("0")},
				{"connectionMode", "Default"},
				{"useLocalAzureIpAddress", false},
				{"usePolicyBasedTrafficSelectors", false},
				{"expressRouteGatewayBypass", false},
				{"enablePrivateLinkFastPath", false},
				{"ipsecPolicies", []any{}},
				{"trafficSelectorPolicies", []any{}},
				{"gatewayCustomBgpIpAddresses", []any{}},
				{"packetCaptureDiagnosticState", "None"},
			},
			Words: newWords("", map[string]string{"connectionType": "IPsec Vnet2Vnet ExpressRoute VPNClient"}),
			Since: []since{{"enablePrivateLinkFastPath", "2022-07-01"}},
			Refs: []reference{
				ref(typeGateway, "properties.virtualNetworkGateway1.id"), ref(typeGateway, "properties.virtualNetworkGateway2.id"),
				ref(typeLocalGateway, "properties.localNetworkGateway2.id"), ref(typeCircuit, "properties.peer.id"),
			},
			Check: checkConnection, Show: showConnection, Verbs: sharedKeyVerbs(),
		},
		{
			Type: typeCircuit, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"stag"},
			Defaults: []setting{{"allowClassicOperations", false}, {"allowGlobalReach", false}, {"globalReachEnabled", false}, {"gatewayManagerEtag", ""}, {"peerings", []any{}}, {"authorizations", []any{}}},
			InUse:    inUse("CircuitInUse", "ExpressRoute circuit %s is in use by %s and cannot be deleted."), // code unconfirmed
			Fill:     fillCircuit, Show: showCircuit, Verbs: circuitVerbs(),
		},
		{
			Type: typeCircuitPeering, Name: networkName, Inline: "peerings", KeepAbsent: true, State: true,
			Verbs: circuitVerbs(),
			Defaults: []setting{
				// Microsoft's autonomous system of ExpressRoute ("ExpressRoute routing requirements").
				{"azureASN", json.Number("12076")},
				{"state", "Enabled"},
				{"primaryAzurePort", ""},
				{"secondaryAzurePort", ""},
				{"gatewayManagerEtag", ""},
				{"lastModifiedBy", "Customer"},
				{"connections", []any{}},
				{"peeredConnections", []any{}},
			},
		},
		{
			Type: typeCircuit + "/authorizations", Name: networkName, Inline: "authorizations", KeepAbsent: true, State: true,
			Computed: []string{"authorizationKey", "authorizationUseStatus"},
		},
		{
			Type: typeVirtualWAN, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"virtualHubs", "vpnSites"},
			Defaults: []setting{{"disableVpnEncryption", false}, {"allowBranchToBranchTraffic", true}, {"office365LocalBreakoutCategory", "None"}, {"type", "Standard"}},
			InUse:    inUse(codeResourceInUse, "Virtual WAN %s is in use by %s and cannot be deleted."),
			Show:     showBack(back{"virtualHubs", typeVirtualHub}),
		},
		{
			Type: typeVirtualHub, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"routingState", "virtualRouterIps", "ipConfigurations", "bgpConnections"},
			Defaults: []setting{
				{"allowBranchToBranchTraffic", false},
				{"hubRoutingPreference", "ExpressRoute"},
				{"preferredRoutingGateway", "ExpressRoute"},
				{"virtualRouterAsn", json.Number(azureASN)},
				{"virtualRouterAutoScaleConfiguration.minCapacity", json.Number("2")},
				{"virtualHubRouteTableV2s", []any{}},
				{"networkVirtualAppliances", []any{}},
				{"routeTable.routes", []any{}},
			},
			Since: []since{{"preferredRoutingGateway", "2022-07-01"}, {"ipConfigurations", "2022-07-01"}},
			Refs:  []reference{ref(typeVirtualWAN, "properties.virtualWan.id")},
			InUse: inUse(codeResourceInUse, "Virtual hub %s is in use by %s and cannot be deleted."),
			Fill:  fillVirtualHub, Show: showVirtualHub,
		},
		{
			Type: typeHubIP, Name: networkName, State: true,
			Defaults: []setting{{"privateIPAllocationMethod", "Dynamic"}},
			Refs: []reference{
				ref(model.TypeSubnet, "properties.subnet.id"), ref(model.TypePublicIP, "properties.publicIPAddress.id"),
			},
			Check: checkHubIP,
		},
		{
			Type: typeBGPConnection, Name: networkName, State: true,
			Computed: []string{"connectionState"},
			Refs:     []reference{ref(typeHubConnection, "properties.hubVirtualNetworkConnection.id")},
			Since:    []since{{"connectionState", "2022-07-01"}},
			Check:    checkBGPConnection, Show: showBGPConnection, Verbs: routeServerVerbs(),
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

// showGateway shows a gateway's side of BGP: its autonomous system, and for
// each IP configuration the address it peers from and that of its tunnels.
func showGateway(r *reading, p map[string]any) {
	if strings.EqualFold(text(p, "gatewayType"), "Vpn") {
		setDefault(p, "vpnType", "RouteBased")
		setDefault(p, "vpnGatewayGeneration", "Generation1")
	}
	if strings.EqualFold(text(p, "gatewayType"), "LocalGateway") { // of an edge zone
		setDefault(p, "vpnType", "PolicyBased")
		setDefault(p, "vpnGatewayGeneration", "None")
		return
	}
	showClients(p)
	if strings.EqualFold(text(p, "gatewayType"), "ExpressRoute") {
		return // it speaks BGP with Microsoft's edge, by settings of its own
	}
	bgp := shallow(object(p, "bgpSettings"))
	p["bgpSettings"] = bgp
	setDefault(bgp, "asn", json.Number(azureASN))
	setDefault(bgp, "peerWeight", json.Number("0"))
	given := map[string]map[string]any{}
	for _, o := range objects(bgp, "bgpPeeringAddresses") {
		given[strings.ToLower(text(o, "ipconfigurationId"))] = o
	}
	configs := objects(p, "ipConfigurations")
	var addresses []any
	var all []string
	for i, cfg := range configs {
		q := object(cfg, "properties")
		one := map[string]any{"ipconfigurationId": cfg["id"], "customBgpIpAddresses": []any{}, "defaultBgpIpAddresses": []any{}, "tunnelIpAddresses": []any{}}
		if a, ok := r.gatewayAddress(refID(q, "subnet"), i, len(configs)); ok {
			one["defaultBgpIpAddresses"] = []any{a}
			all = append(all, a)
		}
		if own := given[strings.ToLower(text(cfg, "id"))]; own != nil {
			one["ipconfigurationId"] = own["ipconfigurationId"] // in the client's case
			if custom, ok := own["customBgpIpAddresses"].([]any); ok {
				one["customBgpIpAddresses"] = custom
			}
		}
		if id, err := model.ParseID(refID(q, "publicIPAddress")); err == nil {
			if e, ok := r.view.Get(id); ok {
				one["tunnelIpAddresses"] = []any{text(e.Resource.Properties(), "ipAddress")}
			}
		}
		addresses = append(addresses, one)
	}
	if len(addresses) > 0 {
		bgp["bgpPeeringAddresses"] = addresses
		setDefault(bgp, "bgpPeeringAddress", strings.Join(all, ","))
	}
}

// gatewayAddress is the address a gateway of n configurations peers from: the
// last usable one of its subnet, or the first ones if it is active-active
// ("About BGP with VPN Gateway", recorded answers of both kinds).
func (r *reading) gatewayAddress(subnet string, i, n int) (string, bool) {
	id, err := model.ParseID(subnet)
	if err != nil {
		return "", false
	}
	doc, _ := lookup(r.view, r.kinds[strings.ToLower(model.TypeSubnet)], id)
	for _, pfx := range subnetPrefixes(object(doc, "properties")) {
		if !pfx.Addr().Is4() {
			continue
		}
		if n > 1 {
			return offset(pfx, uint32(catalog.FirstUsableOffset+i)).String(), true
		}
		return last(pfx).Prev().String(), true
	}
	return "", false
}

// gatewayConnections lists the connections of a gateway.
func gatewayConnections(q *question) (any, *Fault) {
	value := []any{}
	for _, e := range findExact(q.view, termRef+q.on.ID.Key()) {
		if e.Resource.ID.Is(typeConnection) {
			// Lists say less (VirtualNetworkGatewayConnectionListEntity).
			doc := shallow(q.s.kinds.shown(q.view, e.Resource))
			p := shallow(object(doc, "properties"))
			for _, name := range []string{"connectionStatus", "sharedKey", "enablePrivateLinkFastPath"} {
				delete(p, name)
			}
			doc["properties"] = p
			value = append(value, doc)
		}
	}
	return map[string]any{"value": value}, nil
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
	if !strings.EqualFold(text(p, "connectionType"), "ExpressRoute") {
		setDefault(p, "connectionProtocol", "IKEv2")
	}
	p["connectionStatus"], p["egressBytesTransferred"], p["ingressBytesTransferred"] = "Unknown", 0, 0
}

// circuitVerbs tell what a circuit or one of its peerings carried. Bytes are
// counted for nobody here, as those of connections.
func circuitVerbs() []verb {
	return []verb{{name: "stats", get: true, answer: func(*question) (any, *Fault) {
		return map[string]any{"primaryBytesIn": 0, "primaryBytesOut": 0, "secondaryBytesIn": 0, "secondaryBytesOut": 0}, nil
	}}}
}

func fillCircuit(c *change) *Fault {
	key := text(c.oldProps(), "serviceKey")
	if key == "" {
		key = uuid.NewString()
	}
	c.props()["serviceKey"] = key
	for _, o := range objects(c.props(), "peerings") {
		p := object(o, "properties")
		setDefault(p, "peeringType", text(o, "name"))
		six := object(p, "ipv6PeeringConfig")
		if six != nil {
			setDefault(six, "state", "Enabled")
		}
		// What Microsoft announces for a customer has to be shown to be the
		// customer's ("ExpressRoute routing requirements").
		for _, public := range []map[string]any{object(p, "microsoftPeeringConfig"), object(six, "microsoftPeeringConfig")} {
			if public != nil {
				public["advertisedPublicPrefixesState"] = "ValidationNeeded"
				setDefault(public, "legacyMode", json.Number("0"))
			}
		}
	}
	c.props()["stag"] = number(int(1 + hashOf(c.id.Key())%4094)) // the provider's VLAN tag
	before := byName(c.oldProps(), "authorizations")
	for _, o := range objects(c.props(), "authorizations") {
		p := object(o, "properties")
		p["authorizationUseStatus"] = "Available"
		p["authorizationKey"] = uuid.NewString()
		if old := text(object(before[strings.ToLower(text(o, "name"))], "properties"), "authorizationKey"); old != "" {
			p["authorizationKey"] = old
		}
	}
	return nil
}

func showCircuit(_ *reading, p map[string]any) {
	setDefault(p, "circuitProvisioningState", "Enabled")
	setDefault(p, "serviceProviderProvisioningState", "NotProvisioned")
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

// fillVirtualHub says that a hub on its own is a Route Server.
func fillVirtualHub(c *change) *Fault {
	if refID(c.props(), "virtualWan") == "" {
		c.doc["kind"] = "RouteServer"
	}
	return nil
}

// showVirtualHub shows a Route Server's addresses: the first two of its subnet.
func showVirtualHub(r *reading, p map[string]any) {
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
