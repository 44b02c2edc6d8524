package arm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKBGP: what gateways and Route Servers learn and announce, through
// armnetwork's clients.
func TestSDKBGP(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/hub", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
		{"name":"GatewaySubnet","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"RouteServerSubnet","properties":{"addressPrefix":"10.0.3.0/24"}},{"name":"nva","properties":{"addressPrefix":"10.0.4.0/24"}},{"name":"app","properties":{"addressPrefix":"10.0.5.0/24"}}]}}`)
	for _, p := range []string{"p1", "p2"} {
		c.must("PUT", network+"/publicIPAddresses/"+p, `{"location":"westeurope","sku":{"name":"Standard"}}`)
	}
	c.must("PUT", network+"/virtualNetworkGateways/gw", `{"location":"westeurope","properties":{"gatewayType":"Vpn","vpnType":"RouteBased","enableBgp":true,"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"`+network+`/virtualNetworks/hub/subnets/GatewaySubnet"},"publicIPAddress":{"id":"`+network+`/publicIPAddresses/p1"}}}]}}`)
	c.must("PUT", network+"/localNetworkGateways/office", `{"location":"westeurope","properties":{"gatewayIpAddress":"203.0.113.9","localNetworkAddressSpace":{"addressPrefixes":["192.168.0.0/16"]},"bgpSettings":{"asn":65050,"bgpPeeringAddress":"192.168.0.1"}}}`)
	c.must("PUT", network+"/connections/vpn", `{"location":"westeurope","properties":{"connectionType":"IPsec","enableBgp":true,"sharedKey":"s","virtualNetworkGateway1":{"id":"`+network+`/virtualNetworkGateways/gw"},"localNetworkGateway2":{"id":"`+network+`/localNetworkGateways/office"}}}`)
	f := clients(newSDK(t, c), armnetwork.NewClientFactory)
	ctx := context.Background()
	g := f.NewVirtualNetworkGatewaysClient()
	lines := func(list []*armnetwork.GatewayRoute) []string {
		var out []string
		for _, r := range list {
			out = append(out, fmt.Sprintf("%s %s %s %s", *r.Network, *r.Origin, *r.SourcePeer, *r.AsPath))
		}
		return out
	}
	status, err := g.BeginGetBgpPeerStatus(ctx, "Net", "gw", nil)
	if r := result(t, status, err); len(r.Value) != 1 || *r.Value[0].Neighbor != "192.168.0.1" || *r.Value[0].Asn != 65050 || *r.Value[0].State != armnetwork.BgpPeerStateConnected || *r.Value[0].RoutesReceived != 1 || *r.Value[0].LocalAddress == "" {
		t.Errorf("peers %+v", r)
	}
	learned, err := g.BeginGetLearnedRoutes(ctx, "Net", "gw", nil)
	if r := lines(result(t, learned, err).Value); !slices.Contains(r, "192.168.0.0/16 EBgp 192.168.0.1 65050") || !slices.ContainsFunc(r, func(s string) bool { return strings.HasPrefix(s, "10.0.0.0/16 Network 10.0.1.") }) {
		t.Errorf("learned %q", r)
	}
	advertised, err := g.BeginGetAdvertisedRoutes(ctx, "Net", "gw", "192.168.0.1", nil)
	if r := lines(result(t, advertised, err).Value); len(r) != 1 || r[0] != "10.0.0.0/16 Igp  65515" {
		t.Errorf("advertised %q", r)
	}
	c.refused(400, "InvalidQueryParameter", "POST", network+"/virtualNetworkGateways/gw/getAdvertisedRoutes", "")

	c.must("PUT", network+"/networkInterfaces/nva", `{"location":"westeurope","tags":{"cerulean-routes":"172.20.0.0/16"},"properties":{"enableIPForwarding":true,"ipConfigurations":[{"name":"a","properties":{"privateIPAddress":"10.0.4.4","privateIPAllocationMethod":"Static","subnet":{"id":"`+network+`/virtualNetworks/hub/subnets/nva"}}}]}}`)
	c.must("PUT", network+"/networkInterfaces/app", nicBody(network+"/virtualNetworks/hub/subnets/app", ""))
	c.must("PUT", network+"/virtualHubs/rs", `{"location":"westeurope","properties":{"sku":"Standard"}}`)
	c.must("PUT", network+"/virtualHubs/rs/ipConfigurations/c", `{"properties":{"subnet":{"id":"`+network+`/virtualNetworks/hub/subnets/RouteServerSubnet"},"publicIPAddress":{"id":"`+network+`/publicIPAddresses/p2"}}}`)
	c.must("PUT", network+"/virtualHubs/rs/bgpConnections/nva", `{"properties":{"peerAsn":65001,"peerIp":"10.0.4.4"}}`)
	b := f.NewVirtualHubBgpConnectionsClient()
	told, err := b.BeginListLearnedRoutes(ctx, "Net", "rs", "nva", nil)
	r := result(t, told, err).Value["RouteServiceRole_IN_0"]
	if len(r) != 1 || *r[0].Network != "172.20.0.0/16" || *r[0].AsPath != "65001" || *r[0].NextHop != "10.0.4.4" || *r[0].LocalAddress != "10.0.3.4" {
		t.Errorf("learned %+v", r)
	}
	said, err := b.BeginListAdvertisedRoutes(ctx, "Net", "rs", "nva", nil)
	r = result(t, said, err).Value["RouteServiceRole_IN_1"]
	if len(r) != 1 || *r[0].Network != "10.0.0.0/16" || *r[0].AsPath != "65515" {
		t.Errorf("advertised %+v", r)
	}
}
