package compile

import (
	"fmt"
	"testing"
)

// The cases in which public verifiers of Azure networks give wrong answers.

// The VirtualNetwork tag is no fixed set: not the private ranges, and not only
// private ones; it differs from network to network and follows peerings.
func TestVirtualNetworkIsNotHardCoded(t *testing.T) {
	n := &network{t: t}
	n.nsg("g", "vnet 100 Inbound Allow Tcp VirtualNetwork VirtualNetwork 80", "rest 200 Inbound Deny * * * *")
	const guarded = ` "networkSecurityGroup":{"id":"~nsg/g"}`
	n.vnet("public", "25.33.80.0/20", "s 25.33.80.0/24"+guarded)
	n.vnet("peer", "172.30.0.0/16", "s 172.30.0.0/24").vnet("alone", "10.9.0.0/16", "s 10.9.0.0/24"+guarded, "t 10.9.1.0/24")
	n.peer("public", "peer")
	n.nic("a", "public/s", "25.33.80.4").nic("b", "public/s", "25.33.80.5").nic("p", "peer/s", "172.30.0.4", `"enableIPForwarding":true`)
	n.nic("x", "alone/s", "10.9.0.4").nic("y", "alone/t", "10.9.1.4", `"enableIPForwarding":true`)
	expect(t, n.compile(),
		// A network with a public prefix is its own VirtualNetwork.
		"b: tcp 25.33.80.5 25.33.80.4:80 = allow delivered: b > a",
		"p: tcp 172.30.0.4 25.33.80.4:80 = allow delivered: p > a",
		// A private source that is in no peer is outside, as is a peer of others.
		"p: tcp 10.9.0.5 25.33.80.4:80 = deny rule rest: p > a",
		"y: tcp 25.33.80.5 10.9.0.4:80 = deny rule rest: y > x",
		"y: tcp 172.30.0.4 10.9.0.4:80 = deny rule rest: y > x",
	)
}

// A rule for every protocol keeps its ports, both ways: an Allow opens only
// them, a Deny closes only them.
func TestAnyProtocolKeepsPorts(t *testing.T) {
	for _, tt := range []struct {
		rules       []string
		on, off     string
		icmp        string
		description string
	}{
		{[]string{"web 100 Inbound Allow * * * 443", "rest 200 Inbound Deny * * * *"}, "allow delivered: a > b", "deny rule rest: a > b", "deny rule rest: a > b", "allow"},
		{[]string{"web 100 Inbound Deny * * * 443"}, "deny rule web: a > b", "allow delivered: a > b", "allow delivered: a > b", "deny"},
		{[]string{"web 100 Inbound Deny * * * 400-450,500"}, "deny rule web: a > b", "allow delivered: a > b", "allow delivered: a > b", "ranges"},
	} {
		t.Run(tt.description, func(t *testing.T) {
			expect(t, pair(t, nil, tt.rules).compile(),
				"a: tcp 10.0.0.4 10.0.1.4:443 = "+tt.on, "a: udp 10.0.0.4 10.0.1.4:443 = "+tt.on,
				"a: tcp 10.0.0.4 10.0.1.4:80 = "+tt.off, "a: udp 10.0.0.4 10.0.1.4:80 = "+tt.off,
				"a: icmp 10.0.0.4 10.0.1.4 = "+tt.icmp)
		})
	}
}

// An unknown service tag is never an empty set: whatever it stands in, the
// outcome where it might matter is unknown, and a note says so.
func TestUnknownTagNeverVanishes(t *testing.T) {
	const probe = "a: tcp 10.0.0.4 10.0.1.4:80 = "
	for name, tt := range map[string]struct {
		group, admin []string
		want         string
	}{
		"deny, source":           {group: []string{"x 100 Inbound Deny * NoSuchTag * *"}, want: "unknown rule x: a > b"},
		"deny, destination":      {group: []string{"x 100 Inbound Deny * * NoSuchTag *"}, want: "unknown rule x: a > b"},
		"deny, region unknown":   {group: []string{"x 100 Inbound Deny * Storage.Atlantis * *"}, want: "unknown rule x: a > b"},
		"allow before deny":      {group: []string{"x 100 Inbound Allow * NoSuchTag * *", "rest 200 Inbound Deny * * * *"}, want: "unknown rule x: a > b"},
		"the platform's own tag": {group: []string{"x 100 Inbound Deny * AzurePlatformLKM * *"}, want: "unknown rule x: a > b"},
		"admin deny":             {admin: []string{"x 10 Inbound Deny Any tag:NoSuchTag * *"}, want: "unknown rule x: a > b"},
		"admin always allow":     {group: []string{"rest 200 Inbound Deny * * * *"}, admin: []string{"x 10 Inbound AlwaysAllow Any tag:NoSuchTag * *"}, want: "unknown rule x: a > b"},
		"other port":             {group: []string{"x 100 Inbound Deny * NoSuchTag * 81"}, want: "allow delivered: a > b"},
	} {
		t.Run(name, func(t *testing.T) {
			n := pair(t, nil, tt.group)
			if tt.admin != nil {
				n.managed(tt.admin...)
			}
			img := n.compile()
			expect(t, img, probe+tt.want)
			if len(img.Notes) == 0 {
				t.Error("nothing notes the tag")
			}
		})
	}
	t.Run("firewall", func(t *testing.T) {
		n := walled(t)
		n.add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 200, collection("x 100 Deny", l4("no TCP NoSuchTag * 80")), collection("y 200 Allow", l4("yes TCP * * *")))
		expect(t, n.compile(), "a: tcp 10.0.1.4 10.0.2.4:80 = unknown rule no: a > fw", "a: tcp 10.0.1.4 10.0.2.4:81 = allow delivered: a > fw > b")
	})
	t.Run("route", func(t *testing.T) {
		n := &network{t: t}
		n.routeTable("r", "x NoSuchTag None").vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+viaR)
		if _, err := Compile(n.resources, Options{}); err == nil {
			t.Error("a route to an unknown tag is no problem")
		}
	})
}

// platformed is a network with one of everything between load balancers and
// platform services.
func platformed(t testing.TB) *network {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.0.10").nsg("g", "Web 100 Inbound Allow Tcp Internet * 8080", "Odd 200 Inbound Deny Tcp NoSuchTag * 9000")
	n.pip("p", "52.0.0.1").pip("all", "52.0.0.2")
	n.add("sep/p", `{"location":"westeurope","properties":{"serviceEndpointPolicyDefinitions":[{"name":"d","properties":{"service":"Microsoft.Storage","serviceResources":["~store/acc"]}}]}}`)
	n.vnet("net", "10.0.0.0/16", "nva 10.0.0.0/24", `web 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`, "app 10.0.2.0/24"+viaR,
		`pe 10.0.3.0/24 "privateEndpointNetworkPolicies":"Enabled","networkSecurityGroup":{"id":"~nsg/g"}`,
		`se 10.0.4.0/24 "serviceEndpoints":[{"service":"Microsoft.Storage"},{"service":"Microsoft.KeyVault"}],"serviceEndpointPolicies":[{"id":"~sep/p"}]`)
	n.vnetIn("eastus", "far", "10.1.0.0/16", "{}", "s 10.1.0.0/24").peer("net", "far")
	n.lb("in", "f=ha@net/nva:10.0.0.10", "f=other@net/nva", "pool=p", "rule=all:ha:p:All:0:0", "rule=http:other:p:Tcp:80:80:hash2", "nat=ssh:other:Tcp:2200:22:pool=p=2209")
	n.lb("out", "f=f@pip/p", "pool=p", "probe=h:9000:up", "rule=http:f:p:Tcp:80:8080:probe=h", "out=o:f:p")
	n.lb("all", "tier=Global", "f=f@pip/all", `pool=p:[{"name":"one","properties":{"loadBalancerFrontendIPConfiguration":{"id":"~lb/out/frontendIPConfigurations/f"}}}]`, "rule=http:f:p:Tcp:80:80")
	n.lb("old", "sku=Basic", "f=f@net/web:10.0.1.10", `pool=p:[{"name":"x","properties":{"ipAddress":"10.0.1.4","virtualNetwork":{"id":"~vnet/net"}}},{"name":"y","properties":{"ipAddress":"10.0.1.99","virtualNetwork":{"id":"~vnet/net"}}}]`, "rule=http:f:p:Tcp:80:80:float")
	for i := range 2 {
		n.pooled(fmt.Sprintf("nva%d", i), "net/nva", "", "in/p")
		n.resources[len(n.resources)-2].Properties()["enableIPForwarding"] = true
		n.pooled(fmt.Sprintf("web%d", i), "net/web", fmt.Sprintf("10.0.1.%d", 4+i), "out/p")
	}
	n.nic("app", "net/app", "").nic("se", "net/se", "").nic("far", "far/s", "")
	n.account("acc", `"networkAcls":{"defaultAction":"Deny","ipRules":[{"value":"52.0.0.0/8"}],"virtualNetworkRules":[{"id":"~vnet/net/subnets/se"}]}`)
	n.add("sql/db", `{"location":"eastus","properties":{}}`).add("sql/db/firewallRules/azure", `{"properties":{"startIpAddress":"0.0.0.0","endIpAddress":"0.0.0.0"}}`)
	n.add("kv/vlt", `{"location":"westeurope","properties":{"publicNetworkAccess":"disabled"}}`)
	n.pe("e", "net/pe", "10.0.3.7", "~store/acc", "blob").pe("v", "net/pe", "", "~kv/vlt", "vault")
	n.add("zone/privatelink.blob.core.windows.net", `{"location":"global"}`).link("privatelink.blob.core.windows.net", "net", false)
	return n.add("pe/e/privateDnsZoneGroups/default", `{"properties":{"privateDnsZoneConfigs":[{"name":"z","properties":{"privateDnsZoneId":"~zone/privatelink.blob.core.windows.net"}}]}}`)
}
