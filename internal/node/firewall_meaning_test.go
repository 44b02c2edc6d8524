package node

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// hubWithFirewall is a network with hosts a and b that reach each other and the
// internet by an Azure Firewall with a management interface, and an office
// behind a VPN gateway. The firewall allows TCP 80 and translates 22 at its public
// and its private address to b. table is the routes of the firewall's subnet,
// office the prefixes of the office. With v6 not nil the network has IPv6, and
// these prefixes are routed to an address of the firewall's subnet.
func hubWithFirewall(table, office string, v6 []string) *randomNetwork {
	n := &randomNetwork{}
	net := randomScope + "Microsoft.Network/virtualNetworks/vnet0"
	table = n.add("Microsoft.Network/routeTables", "fw", `"routes":[`+table+`]`)
	via := func(prefix, hop string) string {
		return `{"name":"to` + strings.NewReplacer("/", "-", ":", "-").Replace(prefix) + `","properties":{"addressPrefix":"` + prefix + `","nextHopType":"VirtualAppliance","nextHopIpAddress":"` + hop + `"}}`
	}
	routes, second := []string{via("0.0.0.0/0", wallAddr), via("10.0.0.0/17", wallAddr)}, func(string) string { return "" }
	space, also := `"10.0.0.0/16"`, func(string) string { return "" }
	if v6 != nil {
		space += `,"fd00::/48"`
		for _, prefix := range v6 {
			routes = append(routes, via(prefix, "fd00:0:0:fc::4"))
		}
		also = func(s string) string { return `,"fd00:0:0:` + s + `::/64"` }
		second = func(s string) string {
			return `,{"name":"v6","properties":{"privateIPAddressVersion":"IPv6","privateIPAddress":"fd00:0:0:` + s + `::4","privateIPAllocationMethod":"Static",` + link("subnet", net+"/subnets/"+map[string]string{"1": "a", "2": "b"}[s]) + `}}`
		}
	}
	hosts := n.add("Microsoft.Network/routeTables", "hosts", `"routes":[`+strings.Join(routes, ",")+`]`)
	subnet := func(name, prefix, more string) string {
		return `{"name":"` + name + `","properties":{"addressPrefixes":["` + prefix + `"` + more + `}}`
	}
	n.add("Microsoft.Network/virtualNetworks", "vnet0", `"addressSpace":{"addressPrefixes":[`+space+`]},"subnets":[`+strings.Join([]string{
		subnet("AzureFirewallSubnet", "10.0.252.0/26", "],"+link("routeTable", table)),
		subnet("AzureFirewallManagementSubnet", "10.0.253.0/26", "]"),
		subnet("GatewaySubnet", "10.0.250.0/27", "]"),
		subnet("appliance", "10.0.251.0/24", "]"),
		subnet("a", "10.0.1.0/24", also("1")+"],"+link("routeTable", hosts)),
		subnet("b", "10.0.2.0/24", also("2")+"],"+link("routeTable", hosts)),
	}, ",")+`]`)
	nic := func(name, subnet, addr, more, first string) {
		n.add("Microsoft.Network/networkInterfaces", name, first+`"ipConfigurations":[{"name":"ip","properties":{"primary":true,"privateIPAddress":"`+addr+`","privateIPAllocationMethod":"Static",`+
			link("subnet", net+"/subnets/"+subnet)+`}}`+more+`]`)
	}
	nic("a", "a", "10.0.1.4", second("1"), "")
	nic("b", "b", "10.0.2.4", second("2"), "")
	nic("nva", "appliance", "10.0.251.4", "", `"enableIPForwarding":true,`)
	gateway := n.add("Microsoft.Network/virtualNetworkGateways", "vpn", `"gatewayType":"Vpn","ipConfigurations":[{"name":"ip","properties":{`+link("subnet", net+"/subnets/GatewaySubnet")+`}}]`)
	site := n.add("Microsoft.Network/localNetworkGateways", "office", `"localNetworkAddressSpace":{"addressPrefixes":[`+office+`]}`)
	n.add("Microsoft.Network/connections", "c", `"connectionType":"IPsec",`+link("virtualNetworkGateway1", gateway)+","+link("localNetworkGateway2", site))
	policy := n.add("Microsoft.Network/firewallPolicies", "fwp", "")
	nat := func(name, at string) string {
		return `{"ruleType":"NatRule","name":"` + name + `","ipProtocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["` + at + `"],"destinationPorts":["22"],"translatedAddress":"10.0.2.4","translatedPort":"2222"}`
	}
	n.add("Microsoft.Network/firewallPolicies", "fwp/ruleCollectionGroups/g", `"priority":200,"ruleCollections":[
		{"ruleCollectionType":"FirewallPolicyNatRuleCollection","name":"nat","priority":100,"action":{"type":"DNAT"},"rules":[`+nat("public", "203.0.113.1")+","+nat("private", wallAddr)+`]},
		{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"web","priority":200,"action":{"type":"Allow"},"rules":[
			{"ruleType":"NetworkRule","name":"web","ipProtocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["*"],"destinationPorts":["80"]}]}]`)
	n.add("Microsoft.Network/azureFirewalls", "fw", link("firewallPolicy", policy)+`,"ipConfigurations":[{"name":"ip","properties":{`+
		link("publicIPAddress", n.fixed("fw-ip"))+","+link("subnet", net+"/subnets/AzureFirewallSubnet")+`}}],"managementIpConfiguration":{"name":"m","properties":{`+
		link("publicIPAddress", n.fixed("fw-management"))+","+link("subnet", net+"/subnets/AzureFirewallManagementSubnet")+`}}`)
	return n
}

// fixed adds a Standard public address, the next of 203.0.113.0/24.
func (n *randomNetwork) fixed(name string) string {
	n.publics = append(n.publics, name)
	return n.add("Microsoft.Network/publicIPAddresses", name, `"ipAddress":"203.0.113.`+strconv.Itoa(len(n.publics))+`"`, `"sku":{"name":"Standard"}`)
}

func userRoute(prefix, hop string) string {
	kind, addr, _ := strings.Cut(hop, " ")
	if addr != "" {
		addr = `,"nextHopIpAddress":"` + addr + `"`
	}
	return `{"name":"all","properties":{"addressPrefix":"` + prefix + `","nextHopType":"` + kind + `"` + addr + `}}`
}

func (n *randomNetwork) compile(t *testing.T) *fabric.Image {
	t.Helper()
	img, err := compile.Compile(n.list, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// flows holds every interpreter to lines like
// "a: 10.0.1.4 > 10.0.2.4:80 = allow delivered: a > fw > b as 10.0.252.4".
func flows(t *testing.T, img *fabric.Image, lines ...string) {
	t.Helper()
	p := proof.New(img)
	for _, line := range lines {
		from, rest, _ := strings.Cut(line, ": ")
		packet, want, _ := strings.Cut(rest, " = ")
		src, dst, _ := strings.Cut(packet, " > ")
		to := netip.MustParseAddrPort(dst)
		at := portNamed(t, img, from)
		c := oneMeaning(t, img, p, at, fabric.Packet{Src: netip.MustParseAddr(src), Dst: to.Addr(), SrcPort: 50000, DstPort: to.Port(), Proto: fabric.ProtoTCP})
		verdict, reason := c.Verdict()
		got := verdict.String() + " " + reason.Code.String() + ":"
		for i, q := range c.Forward.Path {
			if i > 0 {
				got += " >"
			}
			got += " " + img.Ports[q].Name
		}
		if verdict == fabric.VerdictAllow {
			got += " as " + c.Forward.Final.Src.String()
		}
		if got != want {
			t.Errorf("%s\n got %s", line, got)
		}
	}
}

// Azure Firewall forced tunneling: what leaves for the internet takes the routes
// of the firewall's subnet, with the firewall's private address, while hosts and
// the private address are served as ever. What comes from the internet is
// translated, but its reply goes where the routes say, not back: "firewalls
// deployed with forced tunneling can't support inbound access from the internet
// because of asymmetric routing".
func TestForcedTunnelling(t *testing.T) {
	const (
		inside  = "a: 10.0.1.4 > 10.0.2.4:80 = allow delivered: a > fw > b as 10.0.1.4"
		denied  = "a: 10.0.1.4 > 8.8.8.8:81 = deny filter-default: a > fw"
		lost    = "internet: 8.8.8.8 > 203.0.113.1:22 = deny no-session: internet > fw > b"
		private = "a: 10.0.1.4 > 10.0.252.4:22 = allow delivered: a > fw > b as 10.0.252.4"
		other   = "a: 10.0.1.4 > 10.0.252.4:80 = deny no-redirect: a > fw"
		// The management interface takes nothing from anybody.
		management = "internet: 8.8.8.8 > 203.0.113.2:22 = deny no-translation: internet"
	)
	for _, tt := range []struct {
		name, route, office string
		flows               []string
	}{
		{"none", "", `"192.168.0.0/16"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = allow delivered: a > fw > internet as 203.0.113.1",
			"internet: 8.8.8.8 > 203.0.113.1:22 = allow delivered: internet > fw > b as 10.0.252.4",
			"internet: 8.8.8.8 > 203.0.113.1:80 = deny no-redirect: internet > fw",
			"office: 192.168.1.1 > 10.0.252.4:22 = allow delivered: office > vpn > fw > b as 10.0.252.4",
			"office: 192.168.1.1 > 10.0.252.4:80 = deny no-redirect: office > vpn > fw",
		}},
		{"to the office by a user route", userRoute("0.0.0.0/0", "VirtualNetworkGateway"), `"192.168.0.0/16","0.0.0.0/0"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = allow delivered: a > fw > vpn > office as 10.0.252.4", lost,
			"office: 192.168.1.1 > 10.0.252.4:22 = allow delivered: office > vpn > fw > b as 10.0.252.4",
		}},
		{"to the office by a learned route", "", `"192.168.0.0/16","0.0.0.0/0"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = allow delivered: a > fw > vpn > office as 10.0.252.4", lost,
		}},
		{"a learned route overridden", userRoute("0.0.0.0/0", "Internet"), `"192.168.0.0/16","0.0.0.0/0"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = allow delivered: a > fw > internet as 203.0.113.1",
			"internet: 8.8.8.8 > 203.0.113.1:22 = allow delivered: internet > fw > b as 10.0.252.4",
		}},
		{"to an appliance", userRoute("0.0.0.0/0", "VirtualAppliance 10.0.251.4"), `"192.168.0.0/16"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = allow delivered: a > fw > nva > internet as 198.19.0.2", lost,
		}},
		{"to nobody", userRoute("0.0.0.0/0", "VirtualAppliance 10.0.251.9"), `"192.168.0.0/16"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = deny next-hop-missing: a > fw",
			"internet: 8.8.8.8 > 203.0.113.1:22 = deny next-hop-missing: internet > fw > b",
		}},
		{"away", userRoute("0.0.0.0/0", "None"), `"192.168.0.0/16"`, []string{
			"a: 10.0.1.4 > 8.8.8.8:80 = deny route-drop: a > fw",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := hubWithFirewall(tt.route, tt.office, nil).compile(t)
			flows(t, img, append(tt.flows, inside, denied, private, other, management)...)
		})
	}
}

// Azure Firewall is for IPv4: "the firewall subnet must be IPv4-only" in a
// virtual network with both (Azure Firewall FAQ). IPv6 goes around it unless a
// route bends it to an address that nobody has, and ends there if it ever came
// (firewallsDropIPv6).
func TestIPv6AtFirewall(t *testing.T) {
	const v4 = "a: 10.0.1.4 > 10.0.2.4:80 = allow delivered: a > fw > b as 10.0.1.4"
	t.Run("around it", func(t *testing.T) {
		flows(t, hubWithFirewall("", `"192.168.0.0/16"`, []string{}).compile(t), v4,
			"a: fd00:0:0:1::4 > [fd00:0:0:2::4]:81 = allow delivered: a > b as fd00:0:0:1::4",
			"a: fd00:0:0:1::4 > [2a00:1450::8]:80 = deny no-outbound: a")
	})
	t.Run("to an address that it does not have", func(t *testing.T) {
		flows(t, hubWithFirewall("", `"192.168.0.0/16"`, []string{"::/0", "fd00:0:0:2::/64"}).compile(t), v4,
			"a: fd00:0:0:1::4 > [fd00:0:0:2::4]:80 = deny next-hop-missing: a",
			"a: fd00:0:0:1::4 > [2a00:1450::8]:80 = deny next-hop-missing: a")
	})
	t.Run("to it all the same", func(t *testing.T) {
		// No resource can say so.
		img := hubWithFirewall("", `"192.168.0.0/16"`, []string{}).compile(t)
		table := &img.Tables[img.Ports[portNamed(t, img, "a")].Routes]
		fw := fabric.Hop{Kind: fabric.HopPort, Port: portNamed(t, img, "fw"), Via: netip.MustParseAddr(wallAddr)}
		table.Routes = append(table.Routes,
			fabric.Route{Prefix: netip.MustParsePrefix("fd00:0:0:2::/64"), Hop: fw}, fabric.Route{Prefix: netip.MustParsePrefix("2a00::/16"), Hop: fw})
		fabric.SortRoutes(table.Routes)
		flows(t, img, v4,
			"a: fd00:0:0:1::4 > [fd00:0:0:2::4]:80 = deny rule: a > fw",
			"a: fd00:0:0:1::4 > [2a00:1450::8]:80 = deny rule: a > fw")
	})
}

func portNamed(t *testing.T, img *fabric.Image, name string) fabric.PortID {
	t.Helper()
	for i := range img.Ports {
		if img.Ports[i].Name == name {
			return fabric.PortID(i)
		}
	}
	t.Fatalf("no port %s", name)
	return fabric.None
}
