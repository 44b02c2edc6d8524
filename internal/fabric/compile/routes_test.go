package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// routeTable declares a route table of routes "name prefix type [address]".
func (n *network) routeTable(name string, routes ...string) *network {
	var list []string
	for _, r := range routes {
		f := strings.Fields(r)
		via := ""
		if len(f) == 4 {
			via = fmt.Sprintf(`,"nextHopIpAddress":%q`, f[3])
		}
		list = append(list, fmt.Sprintf(`{"name":%q,"properties":{"addressPrefix":%q,"nextHopType":%q%s}}`, f[0], f[1], f[2], via))
	}
	return n.add("rt/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"routes":[%s]}}`, strings.Join(list, ",")))
}

const viaR = ` "routeTable":{"id":"~rt/r"}`

// A user route replaces the system route of the same prefix and loses to a
// longer one ("Virtual network traffic routing").
func TestEffectiveRoutes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prefix string
		routes []string
		want   string
	}{
		{"system routes", "10.0.0.0/16", nil, `
Default Active 10.0.0.0/16 VnetLocal
Default Active 192.168.0.0/16 None
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
Default Active 10.0.0.0/8 None
Default Active 0.0.0.0/0 Internet`},
		{"a network equal to a private range", "192.168.0.0/16", nil, `
Default Active 192.168.0.0/16 VnetLocal
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
Default Active 10.0.0.0/8 None
Default Active 0.0.0.0/0 Internet`},
		{"user routes", "10.0.0.0/16", []string{
			"own 10.0.0.0/16 VirtualAppliance 10.0.0.4", "gone 10.9.0.0/16 VirtualAppliance 10.0.0.99", "gw 10.8.0.0/16 VirtualNetworkGateway", "lan 192.168.0.0/16 Internet",
		}, `
User Active 10.0.0.0/16 VirtualAppliance 10.0.0.4
Default Invalid 10.0.0.0/16 VnetLocal
User Active 10.8.0.0/16 VirtualNetworkGateway
User Active 10.9.0.0/16 VirtualAppliance 10.0.0.99 (missing)
User Active 192.168.0.0/16 Internet
Default Invalid 192.168.0.0/16 None
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
Default Active 10.0.0.0/8 None
Default Active 0.0.0.0/0 Internet`},
		// A user's default route takes the dropped ranges away.
		{"a default route", "10.0.0.0/16", []string{"all 0.0.0.0/0 None"}, `
Default Active 10.0.0.0/16 VnetLocal
User Active 0.0.0.0/0 None
Default Invalid 0.0.0.0/0 Internet`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{t: t}
			n.routeTable("r", tt.routes...)
			sub := strings.Replace(tt.prefix, "/16", "/24", 1)
			n.vnet("net", tt.prefix, "s "+sub+viaR)
			n.nic("a", "net/s", "")
			img := n.compile()
			want := strings.TrimPrefix(tt.want, "\n") + "\n"
			if got := routes(img, portOf(t, img, "a")); got != want {
				t.Errorf("effective routes:\n%swant:\n%s", got, want)
			}
		})
	}
}

// A next hop is found in the network itself and in networks it reaches
// directly, nowhere else.
func TestNextHop(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "own 9.0.0.1/32 VirtualAppliance 10.0.0.10", "peer 10.1.9.0/24 VirtualAppliance 10.1.0.10",
		"far 9.0.0.3/32 VirtualAppliance 10.2.0.10", "no 9.0.0.4/32 None", "out 9.0.0.5/32 Internet", "gw 9.0.0.6/32 VirtualNetworkGateway", "plain 9.0.0.7/32 VirtualAppliance 10.0.0.11")
	n.vnet("a", "10.0.0.0/16", "s 10.0.0.0/24"+viaR, "nva 10.0.1.0/24").vnet("b", "10.1.0.0/16", "s 10.1.0.0/24").vnet("c", "10.2.0.0/16", "s 10.2.0.0/24")
	n.peer("a", "b").peer("b", "c")
	const forward = `"enableIPForwarding":true`
	n.nic("h", "a/s", "")
	n.nic("nvb", "b/s", "10.1.0.10", forward).nic("nvc", "c/s", "10.2.0.10", forward)
	n.nic("nva", "a/s", "10.0.0.10", forward).nic("plain", "a/s", "10.0.0.11")
	expect(t, n.compile(),
		// The appliance sits in the subnet its own routes apply to: it loops.
		"h: tcp 10.0.0.4 9.0.0.1:80 = deny loop: h"+strings.Repeat(" > nva", fabric.MaxHops),
		"h: tcp 10.0.0.4 10.1.9.9:80 = deny no-port: h > nvb",
		"h: tcp 10.0.0.4 9.0.0.3:80 = deny next-hop-missing: h",
		"h: tcp 10.0.0.4 9.0.0.4:80 = deny route-drop: h",
		"h: tcp 10.0.0.4 9.0.0.5:80 = allow delivered: h > internet",
		"h: tcp 10.0.0.4 9.0.0.6:80 = deny route-drop: h",
		// Without forwarding on its interface an appliance drops.
		"h: tcp 10.0.0.4 9.0.0.7:80 = deny not-forwarding: h > plain",
	)
}

// Overlapping service tags as destinations: an explicit prefix wins over a
// regional tag, which wins over the global one.
func TestServiceTagRoutes(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "global Sql Internet", "regional Sql.EastUS None", "own 20.42.65.64/29 VirtualAppliance 10.0.0.9")
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+viaR)
	n.nic("a", "net/s", "")
	img := n.compile()
	var got []string
	for line := range strings.Lines(routes(img, portOf(t, img, "a"))) {
		if strings.Contains(line, " 20.42.65.64/29 ") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := "User Active 20.42.65.64/29 VirtualAppliance 10.0.0.9 (missing); User Invalid 20.42.65.64/29 None; User Invalid 20.42.65.64/29 Internet"
	if strings.Join(got, "; ") != want {
		t.Errorf("routes of one prefix: %s\nwant %s", strings.Join(got, "; "), want)
	}
}

// Default outbound access, NAT gateways and public IPs ("Azure NAT Gateway":
// order of outbound methods).
func TestOutbound(t *testing.T) {
	n := &network{t: t}
	for name, a := range map[string]string{"nat": "52.0.0.1", "inst": "52.0.0.2", "both": "52.0.0.3"} {
		n.add("pip/"+name, fmt.Sprintf(`{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":%q}}`, a))
	}
	n.add("nat/gw", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"~pip/nat"}]}}`)
	n.nsg("open", "in 100 Inbound Allow * * * *")
	const guard = `"networkSecurityGroup":{"id":"~nsg/open"}`
	n.vnet("net", "10.0.0.0/16", "implicit 10.0.0.0/24", `private 10.0.1.0/24 "defaultOutboundAccess":false`, `nat 10.0.2.0/24 "natGateway":{"id":"~nat/gw"},`+guard, "inst 10.0.3.0/24 "+guard)
	n.nic("a", "net/implicit", "").nic("b", "net/private", "").nic("c", "net/nat", "")
	for _, f := range []string{"inst inst 10.0.3.9", "both nat 10.0.2.9"} {
		f := strings.Fields(f)
		n.add("nic/"+f[0], fmt.Sprintf(`{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":%q,
			"subnet":{"id":"~vnet/net/subnets/%s"},"publicIPAddress":{"id":"~pip/%s"}}}]}}`, f[2], f[1], f[0]))
	}
	img := n.compile()
	for _, tt := range []struct{ from, src, want string }{
		{"a", "10.0.0.4", "allow 198.19.0.2"},
		{"b", "10.0.1.4", "deny 10.0.1.4"},
		{"c", "10.0.2.4", "allow 52.0.0.1"},
		{"inst", "10.0.3.9", "allow 52.0.0.2"},
		{"both", "10.0.2.9", "allow 52.0.0.1"}, // the NAT gateway before the public IP
	} {
		c := flow(t, img, tt.from, "tcp "+tt.src+" 8.8.8.8:443")
		v, _ := c.Verdict()
		if got := v.String() + " " + c.Forward.Final.Src.String(); got != tt.want {
			t.Errorf("%s leaves with %s, want %s", tt.from, got, tt.want)
		}
	}
	expect(t, img,
		"internet: tcp 8.8.8.8 52.0.0.2:443 = allow delivered: internet > inst",
		// Inbound to the public IP works beside a NAT gateway, and its replies
		// leave by it.
		"internet: tcp 8.8.8.8 52.0.0.3:443 = allow delivered: internet > both",
		"internet: tcp 8.8.8.8 52.0.0.1:443 = deny no-translation: internet",
		"a: tcp 10.0.0.4 52.0.0.2:443 = allow delivered: a > inst",
	)
}

// A Standard public IP is closed until a security group opens it ("Public IP
// addresses": secure by default); a Basic one is open. One that names no SKU is
// Basic if it is dynamic: Standard ones are static.
func TestPublicIPNeedsGroup(t *testing.T) {
	const closed, open = "internet: tcp 8.8.8.8 52.0.0.2:443 = deny closed: internet", "internet: tcp 8.8.8.8 52.0.0.2:443 = allow delivered: internet > a"
	for _, tt := range []struct{ sku, allocation, want string }{
		{`"sku":{"name":"Standard"},`, "Static", closed},
		{`"sku":{"name":"Basic"},`, "Static", open},
		{"", "Static", closed},
		{"", "Dynamic", open},
	} {
		n := &network{t: t}
		n.add("pip/p", fmt.Sprintf(`{"location":"westeurope",%s"properties":{"ipAddress":"52.0.0.2","publicIPAllocationMethod":%q}}`, tt.sku, tt.allocation))
		n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
		n.add("nic/a", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/s"},"publicIPAddress":{"id":"~pip/p"}}}]}}`)
		expect(t, n.compile(), tt.want)
	}
}

// A load balancer that names no SKU has that of its public addresses.
func TestBalancerOfDynamicAddress(t *testing.T) {
	for allocation, want := range map[string]string{"Static": "deny closed: internet > out", "Dynamic": "allow delivered: internet > out > w"} {
		n := &network{t: t}
		n.add("pip/p", fmt.Sprintf(`{"location":"westeurope","properties":{"ipAddress":"52.0.0.1","publicIPAllocationMethod":%q}}`, allocation))
		n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
		n.lb("out", "sku=", "f=a@pip/p", "pool=p", "rule=http:a:p:Tcp:80:8080").pooled("w", "net/s", "10.0.0.4", "out/p")
		expect(t, n.compile(), "internet: tcp 8.8.8.8 52.0.0.1:80 = "+want)
	}
}

// Addresses left to Azure are the lowest free ones from .4, after those given.
func TestAllocation(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/29")
	n.nic("z", "net/s", "10.0.0.4").nic("b", "net/s", "").nic("a", "net/s", "")
	img := n.compile()
	for name, want := range map[string]string{"z": "10.0.0.4", "a": "10.0.0.5", "b": "10.0.0.6"} {
		if got := img.Sets[img.Ports[portOf(t, img, name)].Addrs].Min().Addr().String(); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	// A full subnet has no unassigned addresses.
	for i := range img.Ports {
		if img.Ports[i].Kind == fabric.PortVacant {
			t.Errorf("port %q stands for addresses of a full subnet", img.Ports[i].Name)
		}
	}
}
