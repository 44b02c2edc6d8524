package node

import "fmt"

// hybrid adds a VPN gateway with offices to the first virtual network, peers
// that use it, and now and then a Route Server that learns from an appliance.
func (n *randomNetwork) hybrid() {
	if n.one(2) {
		return
	}
	const hub = "10.0."
	subnet := randomScope + "Microsoft.Network/virtualNetworks/vnet0/subnets/GatewaySubnet"
	n.inline("vnet0", "GatewaySubnet", hub+"250.0/27")
	gateway := n.add("Microsoft.Network/virtualNetworkGateways", "vpn", `"gatewayType":"Vpn","ipConfigurations":[{"name":"ip","properties":{`+link("subnet", subnet)+`}}]`)
	for i := range 1 + n.rng.IntN(2) {
		prefix := n.pick("192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "192.168.7.0/24", "0.0.0.0/0")
		site := n.add("Microsoft.Network/localNetworkGateways", fmt.Sprintf("office%d", i), fmt.Sprintf(`"localNetworkAddressSpace":{"addressPrefixes":[%q]}`, prefix))
		n.add("Microsoft.Network/connections", fmt.Sprintf("conn%d", i), fmt.Sprintf(`"connectionType":"IPsec","enableBgp":%v,%s,%s`,
			n.one(2), link("virtualNetworkGateway1", gateway), link("localNetworkGateway2", site)))
	}
	for _, r := range n.list {
		p := r.Properties()
		if _, peering := p["remoteVirtualNetwork"]; !peering || n.one(3) {
			continue
		}
		p["allowGatewayTransit"], p["useRemoteGateways"] = r.ID.Parent().Name() == "vnet0", r.ID.Parent().Name() != "vnet0"
	}
	if n.one(2) || len(n.nics) == 0 {
		return
	}
	n.inline("vnet0", "RouteServerSubnet", hub+"251.0/27")
	n.add("Microsoft.Network/virtualHubs", "rs", fmt.Sprintf(`"sku":"Standard","allowBranchToBranchTraffic":%v`, n.one(2)), `"kind":"RouteServer"`)
	n.add("Microsoft.Network/virtualHubs", "rs/ipConfigurations/ip", link("subnet", randomScope+"Microsoft.Network/virtualNetworks/vnet0/subnets/RouteServerSubnet"))
	for i := range 2 {
		n.add("Microsoft.Network/virtualHubs", fmt.Sprintf("rs/bgpConnections/peer%d", i), fmt.Sprintf(`"peerAsn":65010,"peerIp":"%s0.%d"`, hub, 4+i))
	}
	for _, r := range n.list {
		tags, ok := r.Doc["tags"].(map[string]any)
		if !ok || n.one(2) {
			continue
		}
		tags["cerulean-routes"] = n.pick("172.20.0.0/16", "0.0.0.0/0", "10.0.0.0/8, 172.20.0.0/16")
	}
}

// inline adds a subnet to a virtual network's document.
func (n *randomNetwork) inline(vnet, name, prefix string) {
	for _, r := range n.list {
		if r.ID.Name() == vnet {
			p := r.Properties()
			list, _ := p["subnets"].([]any)
			p["subnets"] = append(list, map[string]any{"name": name, "properties": map[string]any{"addressPrefix": prefix}})
		}
	}
}
