package compile

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// What is not modelled is noted, and packets that reach it are unknown, never
// quietly dropped or let through.
func TestUnmodelled(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "lb 9.0.0.0/8 VirtualAppliance 10.0.1.10")
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+viaR, "b 10.0.1.0/24")
	n.add("pip/front", `{"location":"westeurope","properties":{"ipAddress":"52.0.0.9"}}`)
	n.add("agw/inner", `{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.1.10","subnet":{"id":"~vnet/net/subnets/b"}}}]}}`)
	n.add("lb/gateway", `{"location":"westeurope","sku":{"name":"Gateway"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.1.11","subnet":{"id":"~vnet/net/subnets/b"}}}]}}`)
	n.add("agw/public", `{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"f","properties":{"publicIPAddress":{"id":"~pip/front"}}}]}}`)
	n.nic("a", "net/s", "")
	n.add("nic/pooled", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.20","subnet":{"id":"~vnet/net/subnets/s"},
		"loadBalancerBackendAddressPools":[{"id":"x"}]}}]}}`)
	img := n.compile()
	expect(t, img,
		"a: tcp 10.0.0.4 10.0.1.10:80 = unknown rule not modelled: a > inner",
		"a: tcp 10.0.0.4 10.0.1.11:80 = unknown rule not modelled: a > gateway",
		"a: tcp 10.0.0.4 9.9.9.9:80 = unknown route-unknown: a",
		"inner: tcp 10.0.1.10 10.0.0.4:80 = unknown rule not modelled: inner",
		"gateway: tcp 10.0.1.11 10.0.0.4:80 = deny rule never starts a flow: gateway",
		"internet: tcp 8.8.8.8 52.0.0.9:80 = unknown public-unknown: internet",
		"pooled: tcp 10.0.0.20 8.8.8.8:80 = unknown route-unknown: pooled",
		"pooled: tcp 10.0.0.20 10.0.0.4:80 = allow delivered: pooled > a",
	)
	noted := map[string]bool{}
	for _, note := range img.Notes {
		noted[note.Origin.Resource[strings.LastIndexByte(note.Origin.Resource, '/')+1:]] = true
	}
	for _, name := range []string{"inner", "public", "gateway", "pooled"} {
		if !noted[name] {
			t.Errorf("nothing notes %q: %+v", name, img.Notes)
		}
	}
}

// A gateway whose connections are not among the resources may have learned any
// private range.
func TestGatewayIsUnknown(t *testing.T) {
	n := &network{t: t}
	n.nsg("g")
	n.routeTable("r", "gw 10.77.0.0/16 VirtualNetworkGateway")
	n.vnet("hub", "10.0.0.0/16", "GatewaySubnet 10.0.0.0/27", `s 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/g"},`+strings.TrimSpace(viaR))
	n.vnet("spoke", "10.1.0.0/16", "s 10.1.0.0/24").vnet("other", "10.2.0.0/16", "s 10.2.0.0/24")
	n.add("vnet/hub/virtualNetworkPeerings/spoke", `{"properties":{"allowGatewayTransit":true,"remoteVirtualNetwork":{"id":"~vnet/spoke"}}}`)
	n.add("vnet/spoke/virtualNetworkPeerings/hub", `{"properties":{"useRemoteGateways":true,"remoteVirtualNetwork":{"id":"~vnet/hub"}}}`)
	n.peer("hub", "other")
	// Wanting a remote gateway is not enough: the hub must let it be used.
	n.vnet("wants", "10.3.0.0/16", "s 10.3.0.0/24").nic("w", "wants/s", "")
	n.add("vnet/hub/virtualNetworkPeerings/wants", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/wants"}}}`)
	n.add("vnet/wants/virtualNetworkPeerings/hub", `{"properties":{"useRemoteGateways":true,"remoteVirtualNetwork":{"id":"~vnet/hub"}}}`)
	n.add("vgw/vpn", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/hub/subnets/GatewaySubnet"}}}]}}`)
	n.add("conn/lost", `{"location":"westeurope","properties":{"connectionType":"IPsec","virtualNetworkGateway1":{"id":"~vgw/vpn"},"localNetworkGateway2":{"id":"elsewhere"}}}`)
	n.nic("h", "hub/s", "").nic("s", "spoke/s", "").nic("o", "other/s", "")
	expect(t, n.compile(),
		// A user route's prefix is surely in the VirtualNetwork tag, another
		// private range perhaps.
		"h: tcp 10.0.1.4 10.77.0.1:80 = unknown route-unknown: h",
		"h: tcp 10.0.1.4 192.168.7.1:80 = unknown rule AllowVnetOutBound: h",
		"s: tcp 10.1.0.4 192.168.7.1:80 = unknown route-unknown: s",
		"o: tcp 10.2.0.4 192.168.7.1:80 = deny route-drop: o",
		"w: tcp 10.3.0.4 192.168.7.1:80 = deny route-drop: w",
		"h: tcp 10.0.1.4 10.1.0.4:80 = allow delivered: h > s",
		"vpn: tcp 192.168.7.1 10.0.1.4:80 = unknown rule AllowVnetInBound: vpn > h",
	)
}

// The interface of a private endpoint that is not among the resources is not a
// host, and a cluster's subnet may be named by a bare ID.
func TestForeignInterfaces(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", "k 10.0.1.0/24")
	n.add("nic/store.nic", `{"location":"westeurope","properties":{"privateEndpoint":{"id":"~pe/store"},"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.7","subnet":{"id":"~vnet/net/subnets/s"}}}]}}`)
	n.add("aks/k", `{"location":"westeurope","properties":{"agentPoolProfiles":[{"vnetSubnetID":"~vnet/net/subnets/k"}]}}`)
	n.nic("a", "net/s", "")
	expect(t, n.compile(),
		"a: tcp 10.0.0.4 10.0.0.7:443 = unknown rule not modelled: a > store.nic",
		"store.nic: tcp 10.0.0.7 10.0.0.4:443 = deny rule never starts a flow: store.nic",
		"a: tcp 10.0.0.4 10.0.1.4:443 = unknown rule not modelled: a > k",
		"k: tcp 10.0.1.4 10.0.0.4:443 = unknown rule not modelled: k",
	)
}

// A peering with a network that is not among the resources.
func TestRemoteNetworkUnknown(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.add("vnet/net/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/elsewhere"},"remoteAddressSpace":{"addressPrefixes":["10.5.0.0/16"]}}}`)
	n.nic("a", "net/s", "")
	img := n.compile()
	expect(t, img, "a: tcp 10.0.0.4 10.5.0.4:80 = unknown route-unknown: a")
	if len(img.Notes) != 1 {
		t.Errorf("notes: %+v", img.Notes)
	}
}

// Labels are how expectations find ports.
func TestLabels(t *testing.T) {
	n := hubAndSpokes(t)
	n.vnetIn("westus", "Tagged", "10.9.0.0/16", `{"Env":"Prod"}`, "App 10.9.0.0/24")
	n.nic("c", "Tagged/App", "", `"x":1`)
	img := n.compile()
	for _, tt := range []struct{ port, want string }{
		{"c", "host=c region=westus subnet=app tag=env=prod vnet=tagged"},
		{"Tagged/App (unassigned)", "region=westus subnet=app tag=env=prod vnet=tagged"},
		{"fw", "firewall=fw region=westeurope vnet=hub"},
		{"internet", ""},
	} {
		var got []string
		for _, l := range img.Ports[portOf(t, img, tt.port)].Labels {
			got = append(got, l.Kind+"="+l.Name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s is labelled %q, want %q", tt.port, strings.Join(got, " "), tt.want)
		}
	}
	if k := img.Ports[portOf(t, img, "fw")].Kind; k != fabric.PortForwarder {
		t.Errorf("the firewall is a %s port", k)
	}
}

// A virtual hub joins the networks connected to it ("What is Azure Virtual
// WAN", any-to-any connectivity): what its routes carry is unknown, not dropped.
// A load balancer that names a network for its backend addresses brings none.
func TestVirtualHubIsUnknown(t *testing.T) {
	n := &network{t: t}
	n.vnet("one", "10.1.0.0/16", "s 10.1.0.0/24").vnet("two", "10.2.0.0/16", "s 10.2.0.0/24").vnet("apart", "10.3.0.0/16", "s 10.3.0.0/24")
	n.add("vhub/h", `{"location":"westeurope","properties":{"addressPrefix":"10.9.0.0/24"}}`)
	n.add("vhub/h/hubVirtualNetworkConnections/one", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/one"}}}`)
	n.add("vhub/h/hubVirtualNetworkConnections/two", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/two"}}}`)
	n.add("lb/by-address", `{"location":"westeurope","properties":{"backendAddressPools":[{"properties":{"virtualNetwork":{"id":"~vnet/apart"}}}]}}`)
	n.nic("a", "one/s", "").nic("b", "two/s", "").nic("c", "apart/s", "")
	expect(t, n.compile(),
		"a: tcp 10.1.0.4 10.2.0.4:80 = unknown route-unknown: a",
		"b: tcp 10.2.0.4 10.1.0.4:80 = unknown route-unknown: b",
		"c: tcp 10.3.0.4 10.1.0.4:80 = deny route-drop: c",
	)
}

// A linked forwarding ruleset may answer any name ("Azure DNS Private Resolver
// endpoints and rulesets"), so that no zone decides there.
func TestForwardingRulesetIsUnknown(t *testing.T) {
	n := &network{t: t}
	n.vnet("asks", "10.1.0.0/16", "s 10.1.0.0/24").vnet("plain", "10.2.0.0/16", "s 10.2.0.0/24")
	n.add("zone/corp.example", `{"location":"global"}`)
	n.add("zone/corp.example/A/db", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.1.0.4"}]}}`)
	for _, v := range []string{"asks", "plain"} {
		n.add("zone/corp.example/virtualNetworkLinks/"+v, `{"location":"global","properties":{"virtualNetwork":{"id":"~vnet/`+v+`"}}}`)
	}
	n.add("ruleset/r", `{"location":"westeurope","properties":{}}`)
	n.add("ruleset/r/virtualNetworkLinks/asks", `{"properties":{"virtualNetwork":{"id":"~vnet/asks"}}}`)
	img := n.compile()
	for i, want := range map[int]fabric.Verdict{0: fabric.VerdictUnknown, 1: fabric.VerdictAllow} {
		s := &img.Spaces[i]
		if got := s.View.Resolve("db.corp.example").Verdict; got != want {
			t.Errorf("in %s the name is %s, want %s", s.Name, got, want)
		}
	}
}
