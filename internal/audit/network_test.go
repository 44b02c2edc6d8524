package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

// kinds are short names of resource types in test networks.
var kinds = map[string]string{
	"vnet": model.TypeVirtualNetwork, "rt": model.TypeRouteTable, "nic": model.TypeNIC, "vm": model.TypeVM, "pip": model.TypePublicIP,
	"lb": model.TypeLoadBalancer, "nsg": model.TypeNSG, "fw": model.TypeFirewall, "pe": model.TypePrivateEndpoint, "store": model.TypeStorageAccount,
	"vgw": "Microsoft.Network/virtualNetworkGateways", "lng": "Microsoft.Network/localNetworkGateways", "conn": "Microsoft.Network/connections",
	"vhub": "Microsoft.Network/virtualHubs", "nm": model.TypeNetworkManager, "nat": model.TypeNATGateway,
	"circuit": "Microsoft.Network/expressRouteCircuits", "agw": model.TypeAppGateway,
}

// net is a small network in the making. In its documents "~vnet/hub" stands for
// a whole ID.
type net struct {
	t         testing.TB
	resources []*model.Resource
}

func (n *net) add(at, doc string) *net {
	n.t.Helper()
	for short := range kinds {
		doc = strings.ReplaceAll(doc, `"~`+short+"/", `"`+testGroup.Resource(kinds[short], "").String())
	}
	kind, name, _ := strings.Cut(at, "/")
	id := model.MustParseID(testGroup.Resource(kinds[kind], name).String())
	n.resources = append(n.resources, resource(n.t, id, `{"location":"westeurope",`+doc[1:]))
	return n
}

// vnet adds a network of subnets "name prefix [table]".
func (n *net) vnet(name, prefix string, subnets ...string) *net {
	list := make([]string, len(subnets))
	for i, s := range subnets {
		f, table := strings.Fields(s), ""
		if len(f) == 3 {
			table = fmt.Sprintf(`,"routeTable":{"id":"~rt/%s"}`, f[2])
		}
		list[i] = fmt.Sprintf(`{"name":%q,"properties":{"addressPrefix":%q%s}}`, f[0], f[1], table)
	}
	return n.add("vnet/"+name, fmt.Sprintf(`{"properties":{"addressSpace":{"addressPrefixes":[%q]},"subnets":[%s]}}`, prefix, strings.Join(list, ",")))
}

// table adds a route table of routes "prefix appliance".
func (n *net) table(name, properties string, routes ...string) *net {
	list := make([]string, len(routes))
	for i, r := range routes {
		f := strings.Fields(r)
		list[i] = fmt.Sprintf(`{"name":"r%d","properties":{"addressPrefix":%q,"nextHopType":"VirtualAppliance","nextHopIpAddress":%q}}`, i, f[0], f[1])
	}
	return n.add("rt/"+name, fmt.Sprintf(`{"properties":{%s"routes":[%s]}}`, properties, strings.Join(list, ",")))
}

// nic adds an interface with a machine of the same name in "vnet/subnet".
func (n *net) nic(name, at, addr string, config ...string) *net {
	vnet, subnet, _ := strings.Cut(at, "/")
	more := strings.Join(append([]string{""}, config...), ",")
	n.add("nic/"+name, fmt.Sprintf(`{"properties":{"enableIPForwarding":%v,"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":%q,
		"privateIPAllocationMethod":"Static","subnet":{"id":"~vnet/%s/subnets/%s"}%s}}]}}`, strings.HasPrefix(name, "nva"), addr, vnet, subnet, more))
	return n.add("vm/"+name, fmt.Sprintf(`{"properties":{"networkProfile":{"networkInterfaces":[{"id":"~nic/%s"}]}}}`, name))
}

// peer adds both halves of a peering that carries forwarded traffic; the
// second network uses the gateway of the first if transit says so.
func (n *net) peer(a, b string, transit bool) *net {
	half := func(from, to, gateway string) {
		n.add("vnet/"+from+"/virtualNetworkPeerings/"+to, fmt.Sprintf(`{"properties":{"allowForwardedTraffic":true,%q:%v,"remoteVirtualNetwork":{"id":"~vnet/%s"}}}`, gateway, transit, to))
	}
	half(a, b, "allowGatewayTransit")
	half(b, a, "useRemoteGateways")
	return n
}

// gateway adds a VPN gateway to a network, office an on-premises site behind
// gateways.
func (n *net) gateway(name, vnet string) *net {
	return n.add("vgw/"+name, fmt.Sprintf(`{"properties":{"gatewayType":"Vpn","ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/%s/subnets/GatewaySubnet"}}}]}}`, vnet))
}

func (n *net) office(name, prefix string, gateways ...string) *net {
	n.add("lng/"+name, fmt.Sprintf(`{"properties":{"localNetworkAddressSpace":{"addressPrefixes":[%q]}}}`, prefix))
	for _, g := range gateways {
		n.add("conn/"+name+"-"+g, fmt.Sprintf(`{"properties":{"connectionType":"IPsec","virtualNetworkGateway1":{"id":"~vgw/%s"},"localNetworkGateway2":{"id":"~lng/%s"}}}`, g, name))
	}
	return n
}

func (n *net) compile() *fabric.Image {
	n.t.Helper()
	img, err := compile.Compile(n.resources, compile.Options{Epoch: 1})
	if err != nil {
		n.t.Fatal(err)
	}
	return img
}
