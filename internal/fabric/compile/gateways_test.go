package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// gw declares a gateway in a virtual network's GatewaySubnet.
func (n *network) gw(name, vnet, kind string, extra ...string) *network {
	more := strings.Join(append([]string{""}, extra...), ",")
	return n.add("vgw/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"gatewayType":%q,"ipConfigurations":[
		{"name":"ip","properties":{"subnet":{"id":"~vnet/%s/subnets/GatewaySubnet"}}}]%s}}`, kind, vnet, more))
}

// office declares a site with prefixes, connected to gateways by VPN.
func (n *network) office(name, prefixes string, bgp bool, gateways ...string) *network {
	list := `"` + strings.ReplaceAll(prefixes, " ", `","`) + `"`
	n.add("lng/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"localNetworkAddressSpace":{"addressPrefixes":[%s]}}}`, list))
	for _, g := range gateways {
		n.add("conn/"+name+"-"+g, fmt.Sprintf(`{"location":"westeurope","properties":{"connectionType":"IPsec","enableBgp":%v,
			"virtualNetworkGateway1":{"id":"~vgw/%s"},"localNetworkGateway2":{"id":"~lng/%s"}}}`, bgp, g, name))
	}
	return n
}

// transit lets a spoke use the gateway of a hub.
func (n *network) transit(hub, spoke string) *network {
	n.add("vnet/"+hub+"/virtualNetworkPeerings/"+spoke, fmt.Sprintf(`{"properties":{"allowGatewayTransit":true,"remoteVirtualNetwork":{"id":"~vnet/%s"}}}`, spoke))
	return n.add("vnet/"+spoke+"/virtualNetworkPeerings/"+hub, fmt.Sprintf(`{"properties":{"useRemoteGateways":true,"remoteVirtualNetwork":{"id":"~vnet/%s"}}}`, hub))
}

// branch is a hub with a VPN gateway to an office, a spoke that uses it, and
// one that does not.
func branch(t testing.TB) *network {
	n := &network{t: t}
	n.nsg("g")
	n.routeTable("quiet")
	n.resources[len(n.resources)-1].Doc["properties"].(map[string]any)["disableBgpRoutePropagation"] = true
	n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", "s 10.0.1.0/24")
	n.vnet("spoke", "10.1.0.0/16", `s 10.1.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`, `quiet 10.1.1.0/24 "routeTable":{"id":"~rt/quiet"}`)
	n.vnet("other", "10.2.0.0/16", "s 10.2.0.0/24")
	n.transit("hub", "spoke").peer("hub", "other")
	n.gw("vpn", "hub", "Vpn").office("office", "192.168.0.0/16", false, "vpn")
	n.nic("h", "hub/s", "").nic("s", "spoke/s", "").nic("q", "spoke/quiet", "").nic("o", "other/s", "")
	return n
}

// "Configure VPN gateway transit for virtual network peering": a spoke that
// uses the hub's gateway learns the office, and the office the spoke. The
// default rules let both ways in, because what gateways know is in the
// VirtualNetwork tag ("Virtual network service tags").
func TestGatewayTransit(t *testing.T) {
	img := branch(t).compile()
	expect(t, img,
		"h: tcp 10.0.1.4 192.168.7.1:80 = allow delivered: h > vpn > office",
		"s: tcp 10.1.0.4 192.168.7.1:80 = allow delivered: s > vpn > office",
		"office: tcp 192.168.7.1 10.1.0.4:80 = allow delivered: office > vpn > s",
		"office: tcp 192.168.7.1 10.0.1.4:80 = allow delivered: office > vpn > h",
		// Not behind the gateway, and not announced.
		"o: tcp 10.2.0.4 192.168.7.1:80 = deny route-drop: o",
		"office: tcp 192.168.7.1 10.2.0.4:80 = deny no-route: office",
		// "Propagate gateway routes: No" takes them away from one subnet: what
		// comes in is not answered (semantics of asymmetric routing).
		"q: tcp 10.1.1.4 192.168.7.1:80 = deny route-drop: q",
		"office: tcp 192.168.7.1 10.1.1.4:80 = deny route-drop: office > vpn > q",
		// The office answers for all its addresses and forwards nothing.
		"office: tcp 172.16.0.1 10.0.1.4:80 = deny source-check: office",
	)
	site := &img.Ports[portOf(t, img, "office")]
	if site.Kind != fabric.PortSite || !site.Has(fabric.Label{Kind: "site", Name: "office"}) {
		t.Errorf("the office is %s with labels %v", site.Kind, site.Labels)
	}
	if g := &img.Ports[portOf(t, img, "vpn")]; g.Forward == nil || g.Forward.Stateful || !g.Has(fabric.Label{Kind: "gateway", Name: "vpn"}) {
		t.Errorf("the gateway forwards %+v with labels %v", g.Forward, g.Labels)
	}
	const learned = "VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.4"
	if got := routes(img, portOf(t, img, "s")); !strings.Contains(got, learned) {
		t.Errorf("no learned route in\n%s", got)
	}
	if got := routes(img, portOf(t, img, "q")); strings.Contains(got, "VirtualNetworkGateway Active") {
		t.Errorf("learned routes although propagation is off:\n%s", got)
	}
}

// "Virtual network traffic routing", how Azure selects a route: system routes
// of virtual networks and peers are preferred even if learned ones are longer;
// user routes come before learned ones of the same prefix, and those with
// hasBgpOverride before longer ones.
func TestLearnedRoutePrecedence(t *testing.T) {
	n := &network{t: t}
	n.add("rt/users", `{"location":"westeurope","properties":{"routes":[
		{"name":"same","properties":{"addressPrefix":"192.168.0.0/16","nextHopType":"None"}},
		{"name":"over","properties":{"addressPrefix":"172.16.0.0/12","nextHopType":"None","hasBgpOverride":true}}]}}`)
	n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", "s 10.0.1.0/24", `u 10.0.2.0/24 "routeTable":{"id":"~rt/users"}`)
	n.gw("vpn", "hub", "Vpn").office("office", "10.0.200.0/25 10.0.0.0/8 192.168.0.0/16 172.16.5.0/24", true, "vpn")
	n.nic("h", "hub/s", "").nic("u", "hub/u", "")
	img := n.compile()
	expect(t, img,
		"u: tcp 10.0.2.4 10.0.1.4:80 = allow delivered: u > h",
		"h: tcp 10.0.1.4 10.9.0.1:80 = allow delivered: h > vpn > office",
		"h: tcp 10.0.1.4 172.16.5.1:80 = allow delivered: h > vpn > office",
		"u: tcp 10.0.2.4 192.168.0.1:80 = deny route-drop: u",
		"u: tcp 10.0.2.4 172.16.5.1:80 = deny route-drop: u",
	)
	got := routes(img, portOf(t, img, "u"))
	for _, want := range []string{
		"VirtualNetworkGateway Invalid 10.0.200.0/25 VirtualNetworkGateway",
		"VirtualNetworkGateway Invalid 192.168.0.0/16 VirtualNetworkGateway",
		"VirtualNetworkGateway Invalid 172.16.5.0/24 VirtualNetworkGateway",
		"VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// User routes on the GatewaySubnet steer what comes from on premises into an
// appliance; without them it goes straight, and the answers through the
// appliance are lost ("Virtual network traffic routing", GatewaySubnet).
func TestGatewaySubnetRoutes(t *testing.T) {
	build := func(steered bool) *fabric.Image {
		n := &network{t: t}
		n.routeTable("home", "office 192.168.0.0/16 VirtualAppliance 10.0.3.4")
		gateway := "GatewaySubnet 10.0.0.0/27"
		if steered {
			n.routeTable("in", "spoke 10.1.0.0/16 VirtualAppliance 10.0.3.4")
			gateway += ` "routeTable":{"id":"~rt/in"}`
		}
		n.vnet("hub", "10.0.0.0/16", gateway, "nva 10.0.3.0/24")
		n.vnet("spoke", "10.1.0.0/16", `s 10.1.0.0/24 "routeTable":{"id":"~rt/home"}`)
		n.transit("hub", "spoke")
		n.gw("vpn", "hub", "Vpn").office("office", "192.168.0.0/16", false, "vpn")
		n.nic("nva", "hub/nva", "10.0.3.4", `"enableIPForwarding":true`).nic("s", "spoke/s", "")
		img := n.compile()
		img.Ports[portOf(t, img, "nva")].Forward.Stateful = true
		return img
	}
	expect(t, build(true), "office: tcp 192.168.0.1 10.1.0.4:80 = allow delivered: office > vpn > nva > s")
	expect(t, build(false), "office: tcp 192.168.0.1 10.1.0.4:80 = deny no-session: office > vpn > s")
}

// A user route to the gateway needs a VPN gateway ("Virtual network traffic
// routing", next hop types).
func TestRouteToGateway(t *testing.T) {
	build := func(kind string) *fabric.Image {
		n := &network{t: t}
		n.routeTable("r", "gw 0.0.0.0/0 VirtualNetworkGateway")
		n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", "s 10.0.1.0/24"+viaR)
		if kind != "" {
			n.gw("gw", "hub", kind)
		}
		n.office("office", "192.168.0.0/16", false)
		n.nic("h", "hub/s", "")
		return n.compile()
	}
	expect(t, build("Vpn"), "h: tcp 10.0.1.4 8.8.8.8:80 = deny no-outbound: h > gw")
	expect(t, build("ExpressRoute"), "h: tcp 10.0.1.4 8.8.8.8:80 = deny route-drop: h")
	expect(t, build(""), "h: tcp 10.0.1.4 8.8.8.8:80 = deny route-drop: h")
}

// Two virtual networks joined by their gateways, a connection each way
// ("Configure a VNet-to-VNet VPN gateway connection").
func TestVNetToVNet(t *testing.T) {
	build := func(back bool) *fabric.Image {
		n := &network{t: t}
		for i, name := range []string{"a", "b"} {
			n.vnet(name, fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("GatewaySubnet 10.%d.0.0/27", i), fmt.Sprintf("s 10.%d.1.0/24", i))
			n.gw("gw-"+name, name, "Vpn").nic("host-"+name, name+"/s", "")
		}
		conn := func(from, to string) {
			n.add("conn/"+from+to, fmt.Sprintf(`{"location":"westeurope","properties":{"connectionType":"Vnet2Vnet",
				"virtualNetworkGateway1":{"id":"~vgw/gw-%s"},"virtualNetworkGateway2":{"id":"~vgw/gw-%s"}}}`, from, to))
		}
		conn("a", "b")
		if back {
			conn("b", "a")
		}
		return n.compile()
	}
	expect(t, build(true), "host-a: tcp 10.0.1.4 10.1.1.4:80 = allow delivered: host-a > gw-a > gw-b > host-b")
	img := build(false)
	expect(t, img, "host-a: tcp 10.0.1.4 10.1.1.4:80 = deny route-drop: host-a")
	if len(img.Notes) == 0 {
		t.Error("nothing notes that the connection is not up")
	}
}

// With BGP a gateway tells the other of its spokes and offices as well ("About
// BGP with Azure VPN Gateway": transit routing).
func TestVNetToVNetBGP(t *testing.T) {
	build := func(bgp bool) *fabric.Image {
		n := &network{t: t}
		for i, name := range []string{"a", "b"} {
			n.vnet(name, fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("GatewaySubnet 10.%d.0.0/27", i), fmt.Sprintf("s 10.%d.1.0/24", i))
			n.gw("gw-"+name, name, "Vpn").nic("host-"+name, name+"/s", "")
		}
		for _, pair := range []string{"ab", "ba"} {
			n.add("conn/"+pair, fmt.Sprintf(`{"location":"westeurope","properties":{"connectionType":"Vnet2Vnet","enableBgp":%v,
				"virtualNetworkGateway1":{"id":"~vgw/gw-%c"},"virtualNetworkGateway2":{"id":"~vgw/gw-%c"}}}`, bgp, pair[0], pair[1]))
		}
		n.vnet("spoke", "10.9.0.0/16", "s 10.9.0.0/24").transit("b", "spoke").nic("far", "spoke/s", "")
		n.office("office", "192.168.0.0/16", bgp, "gw-b")
		return n.compile()
	}
	expect(t, build(true),
		"host-a: tcp 10.0.1.4 10.9.0.4:80 = allow delivered: host-a > gw-a > gw-b > far",
		"host-a: tcp 10.0.1.4 192.168.0.1:80 = allow delivered: host-a > gw-a > gw-b > office",
		"office: tcp 192.168.0.1 10.0.1.4:80 = allow delivered: office > gw-b > gw-a > host-a",
	)
	expect(t, build(false),
		"host-a: tcp 10.0.1.4 10.1.1.4:80 = allow delivered: host-a > gw-a > gw-b > host-b",
		"host-a: tcp 10.0.1.4 10.9.0.4:80 = deny route-drop: host-a",
		"host-a: tcp 10.0.1.4 192.168.0.1:80 = deny route-drop: host-a",
		"office: tcp 192.168.0.1 10.0.1.4:80 = deny no-route: office",
	)
}

// Both families pass gateways.
func TestGatewayIPv6(t *testing.T) {
	n := &network{t: t}
	n.add("vnet/hub", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00:1::/48"]},"subnets":[
		{"name":"GatewaySubnet","properties":{"addressPrefixes":["10.0.0.0/27","fd00:1::/64"]}},
		{"name":"s","properties":{"addressPrefixes":["10.0.1.0/24","fd00:1:0:1::/64"]}}]}}`)
	n.add("nic/h", `{"location":"westeurope","properties":{"ipConfigurations":[
		{"name":"four","properties":{"primary":true,"privateIPAddress":"10.0.1.4","subnet":{"id":"~vnet/hub/subnets/s"}}},
		{"name":"six","properties":{"privateIPAddressVersion":"IPv6","privateIPAddress":"fd00:1:0:1::4","subnet":{"id":"~vnet/hub/subnets/s"}}}]}}`)
	n.add("vm/h", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"~nic/h"}]}}}`)
	n.gw("vpn", "hub", "Vpn").office("office", "192.168.0.0/16 fd00:9::/48", true, "vpn")
	expect(t, n.compile(),
		"h: tcp fd00:1:0:1::4 [fd00:9::1]:80 = allow delivered: h > vpn > office",
		"office: tcp fd00:9::1 [fd00:1:0:1::4]:80 = allow delivered: office > vpn > h",
	)
}

// An ExpressRoute circuit's routes come from its tags; two gateways to one site
// prefer ExpressRoute ("ExpressRoute and VPN coexistence").
func TestExpressRoute(t *testing.T) {
	n := &network{t: t}
	n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/26", "s 10.0.1.0/24").nic("h", "hub/s", "")
	n.gw("er", "hub", "ExpressRoute").gw("vpn", "hub", "Vpn")
	n.add("circuit/office", `{"location":"westeurope","tags":{"cerulean-routes":"192.168.0.0/16","cerulean-routes-2":"172.20.0.0/16"},"properties":{}}`)
	n.add("conn/er", `{"location":"westeurope","properties":{"connectionType":"ExpressRoute","virtualNetworkGateway1":{"id":"~vgw/er"},"peer":{"id":"~circuit/office"}}}`)
	n.office("office", "192.168.0.0/16 172.20.0.0/16", true, "vpn")
	img := n.compile()
	expect(t, img,
		"h: tcp 10.0.1.4 192.168.0.1:80 = allow delivered: h > er > office",
		"h: tcp 10.0.1.4 172.20.0.1:80 = allow delivered: h > er > office",
	)
	sites := 0
	for i := range img.Ports {
		if img.Ports[i].Kind == fabric.PortSite {
			sites++
		}
	}
	if sites != 1 {
		t.Errorf("%d sites; a circuit and a VPN to the same office are one", sites)
	}
	n = &network{t: t}
	n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/26", "s 10.0.1.0/24").nic("h", "hub/s", "").gw("er", "hub", "ExpressRoute")
	n.add("circuit/office", `{"location":"westeurope","properties":{}}`)
	n.add("conn/er", `{"location":"westeurope","properties":{"connectionType":"ExpressRoute","virtualNetworkGateway1":{"id":"~vgw/er"},"peer":{"id":"~circuit/office"}}}`)
	expect(t, n.compile(), "h: tcp 10.0.1.4 192.168.0.1:80 = unknown route-unknown: h")
}

// Offices on one VPN gateway reach each other if both speak BGP ("About BGP
// with Azure VPN Gateway": transit routing between on-premises networks).
func TestBranchesOfOneGateway(t *testing.T) {
	build := func(bgp bool) *fabric.Image {
		n := &network{t: t}
		n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/26", "s 10.0.1.0/24").gw("vpn", "hub", "Vpn")
		n.office("one", "192.168.1.0/24", bgp, "vpn").office("two", "192.168.2.0/24", bgp, "vpn")
		return n.compile()
	}
	expect(t, build(true), "one: tcp 192.168.1.1 192.168.2.1:80 = allow delivered: one > vpn > two")
	expect(t, build(false), "one: tcp 192.168.1.1 192.168.2.1:80 = deny no-route: one")
}

// A Route Server injects what appliances announce into its network and the
// peers that use it; equal paths are taken by either ("About dual-homed
// network with Azure Route Server"), each direction for itself. What lies behind
// an appliance that announces it is not known.
func TestRouteServer(t *testing.T) {
	build := func(peers int, asn string) *network {
		n := &network{t: t}
		n.vnet("hub", "10.0.0.0/16", "RouteServerSubnet 10.0.0.0/27", "nva 10.0.3.0/24")
		n.vnet("spoke", "10.1.0.0/16", "s 10.1.0.0/24").transit("hub", "spoke").nic("s", "spoke/s", "")
		n.add("vhub/rs", `{"location":"westeurope","kind":"RouteServer","properties":{"sku":"Standard"}}`)
		n.add("vhub/rs/ipConfigurations/ip", `{"properties":{"subnet":{"id":"~vnet/hub/subnets/RouteServerSubnet"}}}`)
		for i := range peers {
			name := fmt.Sprintf("nva%d", i)
			n.nic(name, "hub/nva", fmt.Sprintf("10.0.3.%d", 4+i), `"enableIPForwarding":true`)
			n.resources[len(n.resources)-2].Doc["tags"] = map[string]any{"cerulean-routes": "172.20.0.0/16"}
			n.add("vhub/rs/bgpConnections/"+name, fmt.Sprintf(`{"properties":{"peerIp":"10.0.3.%d","peerAsn":%s}}`, 4+i, asn))
		}
		return n
	}
	img := build(1, "65010").compile()
	expect(t, img, "s: tcp 10.1.0.4 172.20.0.1:80 = unknown route-unknown: s > nva0")
	if got := routes(img, portOf(t, img, "s")); !strings.Contains(got, "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 10.0.3.4") {
		t.Errorf("not injected:\n%s", got)
	}
	img = build(2, "65010").compile()
	at := portOf(t, img, "nva0 or nva1")
	if in := img.Ports[at].Inward; len(in.Redirects) != 1 || !in.Redirects[0].Apart || len(in.Redirects[0].Targets) != 2 {
		t.Errorf("equal paths: %+v", in)
	}
	if _, err := Compile(build(1, "65515").resources, Options{}); err == nil || !strings.Contains(err.Error(), "65515") {
		t.Errorf("a peer with Azure's own number: %v", err)
	}
}
