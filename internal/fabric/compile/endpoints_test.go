package compile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// pe declares a private endpoint in "vnet/subnet" for a resource and group.
func (n *network) pe(name, at, addr, target, group string, extra ...string) *network {
	vnet, subnet, _ := strings.Cut(at, "/")
	more := ""
	if addr != "" {
		more = fmt.Sprintf(`,"ipConfigurations":[{"name":"ip","properties":{"groupId":%q,"memberName":%q,"privateIPAddress":%q}}]`, group, group, addr)
	}
	for _, e := range extra {
		more += "," + e
	}
	connections := fmt.Sprintf(`"privateLinkServiceConnections":[{"name":"c","properties":{"privateLinkServiceId":%q,"groupIds":[%q]}}]`, target, group)
	if strings.Contains(more, "rivateLinkServiceConnections") {
		connections = `"x":1`
	}
	return n.add("pe/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"subnet":{"id":"~vnet/%s/subnets/%s"},%s%s}}`, vnet, subnet, connections, more))
}

// account declares a storage account in westeurope.
func (n *network) account(name, properties string) *network {
	return n.add("store/"+name, `{"location":"westeurope","properties":{`+properties+`}}`)
}

// addrOf returns the only address of a port.
func addrOf(t testing.TB, img *fabric.Image, name string) netip.Addr {
	t.Helper()
	return img.Sets[img.Ports[portOf(t, img, name)].Addrs].Min().Addr()
}

// "What is a private endpoint": it answers and never starts; only an approved
// connection sends traffic, and its owner's word counts.
func TestPrivateEndpoint(t *testing.T) {
	state := func(list, status string) string {
		return fmt.Sprintf(`"%s":[{"name":"c","properties":{"privateLinkServiceId":"~store/acc","groupIds":["blob"],"privateLinkServiceConnectionState":{"status":%q}}}]`, list, status)
	}
	const denied = "deny rule connection %s: a > e"
	for name, tt := range map[string]struct{ extra, owner, want string }{
		"automatic":        {"", "", "allow delivered: a > e"},
		"approved":         {state("manualPrivateLinkServiceConnections", "Approved"), "", "allow delivered: a > e"},
		"manual":           {state("manualPrivateLinkServiceConnections", ""), "", fmt.Sprintf(denied, "Pending")},
		"rejected":         {state("privateLinkServiceConnections", "Rejected"), "", fmt.Sprintf(denied, "Rejected")},
		"disconnected":     {state("privateLinkServiceConnections", "Disconnected"), "", fmt.Sprintf(denied, "Disconnected")},
		"owner's approval": {state("manualPrivateLinkServiceConnections", "Pending"), "Approved", "allow delivered: a > e"},
		"owner's refusal":  {"", "Rejected", fmt.Sprintf(denied, "Rejected")},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", "pe 10.0.1.0/24").nic("a", "net/s", "10.0.0.4").account("acc", "")
			if tt.extra == "" {
				n.pe("e", "net/pe", "10.0.1.7", "~store/acc", "blob")
			} else {
				n.pe("e", "net/pe", "10.0.1.7", "~store/acc", "blob", tt.extra)
			}
			if tt.owner != "" {
				n.add("store/acc/privateEndpointConnections/x", fmt.Sprintf(`{"properties":{"privateEndpoint":{"id":"~pe/e"},"privateLinkServiceConnectionState":{"status":%q}}}`, tt.owner))
			}
			img := n.compile()
			expect(t, img, "a: tcp 10.0.0.4 10.0.1.7:443 = "+tt.want, "e: tcp 10.0.1.7 10.0.0.4:443 = deny rule never starts a flow: e")
			p := &img.Ports[portOf(t, img, "e")]
			if p.Kind != fabric.PortEndpoint || !p.Silent || fmt.Sprint(p.Labels) != "[{endpoint e} {region westeurope} {service acc} {subnet pe} {vnet net}]" {
				t.Errorf("port: %s, silent %t, labels %v", p.Kind, p.Silent, p.Labels)
			}
			if len(img.Notes) > 0 {
				t.Errorf("notes: %+v", img.Notes)
			}
		})
	}
}

// The endpoint's address: chosen, that of its interface's document, of its name
// records, or the next free one.
func TestPrivateEndpointAddress(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.pe("given", "net/s", "10.0.0.7", "~store/acc", "blob").pe("free", "net/s", "", "~store/acc", "file")
	n.pe("nic", "net/s", "", "~store/acc", "queue", `"customNetworkInterfaceName":"card"`)
	n.add("nic/card", `{"location":"westeurope","properties":{"privateEndpoint":{"id":"~pe/nic"},"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.8","subnet":{"id":"~vnet/net/subnets/s"}}}]}}`)
	n.pe("named", "net/s", "", "~store/acc", "table", `"customDnsConfigs":[{"fqdn":"acc.table.core.windows.net","ipAddresses":["10.0.0.9"]}]`)
	n.pe("listed", "net/s", "", "~store/acc", "dfs", `"networkInterfaces":[{"id":"~nic/other"}]`)
	n.add("nic/other", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.10","subnet":{"id":"~vnet/net/subnets/s"}}}]}}`)
	img := n.compile()
	for name, want := range map[string]string{"given": "10.0.0.7", "free": "10.0.0.4", "nic": "10.0.0.8", "named": "10.0.0.9", "listed": "10.0.0.10"} {
		if got := addrOf(t, img, name); got != netip.MustParseAddr(want) {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	for i := range img.Ports {
		if img.Ports[i].Name == "card" || img.Ports[i].Name == "other" {
			t.Errorf("the interface %q is a port of its own", img.Ports[i].Name)
		}
	}
}

// "Manage network policies for private endpoints": security groups count only
// where the subnet says so, without their source ports; security admin rules
// never do; application security groups name the endpoint.
func TestPrivateEndpointPolicies(t *testing.T) {
	for policy, want := range map[string]string{
		"":                            "allow delivered: a > e",
		"Disabled":                    "allow delivered: a > e",
		"RouteTableEnabled":           "allow delivered: a > e",
		"NetworkSecurityGroupEnabled": "deny rule No: a > e",
		"Enabled":                     "deny rule No: a > e",
	} {
		t.Run(policy, func(t *testing.T) {
			n := &network{t: t}
			n.add("asg/db", `{"location":"westeurope"}`)
			n.nsg("g", "No 100 Inbound Deny Tcp * asg:db 443", "Rest 200 Inbound Allow * * * *")
			n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", `pe 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/g"},"privateEndpointNetworkPolicies":"`+policy+`"`)
			n.nic("a", "net/s", "10.0.0.4").pe("e", "net/pe", "10.0.1.7", "~store/acc", "blob", `"applicationSecurityGroups":[{"id":"~asg/db"}]`)
			rules := n.resources[1].Properties()["securityRules"].([]any)[0].(map[string]any)["properties"].(map[string]any)
			rules["sourcePortRange"] = "1-1000" // ignored: the flow comes from 50000
			expect(t, n.compile(), "a: tcp 10.0.0.4 10.0.1.7:443 = "+want, "a: tcp 10.0.0.4 10.0.1.7:80 = allow delivered: a > e")
		})
	}
}

// An endpoint's /32 route is in its network and in direct peers, not further;
// a user route takes its place only with the subnet's policy and a prefix at
// least as long as the address space's, or with the same prefix.
func TestInterfaceEndpointRoute(t *testing.T) {
	for name, tt := range map[string]struct{ policy, route, want string }{
		"none":               {"Disabled", "", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"default route":      {"Enabled", "all 0.0.0.0/0 VirtualAppliance 10.0.0.9", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"shorter":            {"Enabled", "r 10.0.0.0/8 VirtualAppliance 10.0.0.9", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"equal":              {"RouteTableEnabled", "r 10.1.0.0/16 VirtualAppliance 10.0.0.9", "Default Invalid 10.1.1.7/32 InterfaceEndpoint\n"},
		"longer":             {"Enabled", "r 10.1.1.0/24 VirtualAppliance 10.0.0.9", "Default Invalid 10.1.1.7/32 InterfaceEndpoint\n"},
		"longer, other":      {"Enabled", "r 10.1.2.0/24 VirtualAppliance 10.0.0.9", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"policy off":         {"Disabled", "r 10.1.1.0/24 VirtualAppliance 10.0.0.9", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"only groups":        {"NetworkSecurityGroupEnabled", "r 10.1.1.0/24 VirtualAppliance 10.0.0.9", "Default Active 10.1.1.7/32 InterfaceEndpoint\n"},
		"the same /32":       {"Disabled", "r 10.1.1.7/32 VirtualAppliance 10.0.0.9", "User Active 10.1.1.7/32 VirtualAppliance 10.0.0.9 (missing)\nDefault Invalid 10.1.1.7/32 InterfaceEndpoint\n"},
		"the same, policied": {"Enabled", "r 10.1.1.7/32 VirtualAppliance 10.0.0.9", "User Active 10.1.1.7/32 VirtualAppliance 10.0.0.9 (missing)\nDefault Invalid 10.1.1.7/32 InterfaceEndpoint\n"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			var list []string
			if tt.route != "" {
				list = append(list, tt.route)
			}
			n.routeTable("r", list...)
			n.vnet("peer", "10.0.0.0/16", "s 10.0.0.0/24"+viaR)
			n.vnet("net", "10.1.0.0/16", `pe 10.1.1.0/24 "privateEndpointNetworkPolicies":"`+tt.policy+`"`, "s 10.1.0.0/24"+viaR)
			n.vnet("far", "10.2.0.0/16", "s 10.2.0.0/24").peer("net", "peer").peer("peer", "far")
			n.nic("own", "net/s", "10.1.0.4").nic("near", "peer/s", "10.0.0.4").nic("far", "far/s", "10.2.0.4")
			n.pe("e", "net/pe", "10.1.1.7", "~store/acc", "blob")
			img := n.compile()
			for _, port := range []string{"own", "near"} {
				var got strings.Builder
				for line := range strings.Lines(routes(img, portOf(t, img, port))) {
					if strings.Contains(line, "10.1.1.7/32") {
						got.WriteString(line)
					}
				}
				if got.String() != tt.want {
					t.Errorf("%s:\n%swant:\n%s", port, got.String(), tt.want)
				}
			}
			if got := routes(img, portOf(t, img, "far")); strings.Contains(got, "InterfaceEndpoint") {
				t.Errorf("a network peered with a peer has the route:\n%s", got)
			}
		})
	}
}

// Replies of an endpoint ignore user routes ("Use Azure Firewall to inspect
// traffic destined to a private endpoint"): they miss an appliance that the
// request passed, and with a stateful firewall that is visible as asymmetry.
func TestEndpointReplies(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "pe 10.0.1.0/24 VirtualAppliance 10.0.2.4").routeTable("b", "back 10.0.0.0/24 VirtualAppliance 10.0.2.4")
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+viaR, `pe 10.0.1.0/24 "privateEndpointNetworkPolicies":"Enabled","routeTable":{"id":"~rt/b"}`, "nva 10.0.2.0/24")
	n.nic("a", "net/s", "10.0.0.4").nic("nva", "net/nva", "10.0.2.4", `"enableIPForwarding":true`).pe("e", "net/pe", "10.0.1.7", "~store/acc", "blob")
	img := n.compile()
	c := flow(t, img, "a", "tcp 10.0.0.4 10.0.1.7:443")
	if got := outcome(img, &c); got != "allow delivered: a > nva > e" {
		t.Error(got)
	}
	if len(c.Reply.Path) != 2 {
		t.Errorf("the reply passes %d ports, want none between", len(c.Reply.Path))
	}
	if got := routes(img, portOf(t, img, "e")); strings.Contains(got, "User") {
		t.Errorf("the endpoint has user routes:\n%s", got)
	}
}

// "What is Azure Private Link service": the endpoint delivers, the provider's
// side starts from the service's own addresses.
func TestPrivateLinkService(t *testing.T) {
	n := &network{t: t}
	n.vnet("consumer", "10.0.0.0/16", "s 10.0.0.0/24").vnet("provider", "10.0.0.0/16", "s 10.0.0.0/24", "nat 10.0.1.0/24")
	n.lb("in", "f=a@provider/s:10.0.0.10", "pool=p", "rule=http:a:p:Tcp:80:80").pooled("w", "provider/s", "10.0.0.4", "in/p")
	n.add("pls/svc", `{"location":"westeurope","properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~lb/in/frontendIPConfigurations/a"}],
		"ipConfigurations":[{"name":"one","properties":{"privateIPAddress":"10.0.1.4","subnet":{"id":"~vnet/provider/subnets/nat"}}}]}}`)
	n.nic("c", "consumer/s", "10.0.0.20").nic("p", "provider/s", "10.0.0.20").pe("e", "consumer/s", "10.0.0.7", "~pls/svc", "x")
	img := n.compile()
	expect(t, img,
		"c: tcp 10.0.0.20 10.0.0.7:80 = allow delivered: c > e",
		"svc: tcp 10.0.1.4 10.0.0.10:80 = allow delivered: svc > in > w",
		"p: tcp 10.0.0.20 10.0.1.4:80 = deny rule takes no flows of its own network: p > svc",
	)
	if len(img.Notes) != 1 || !strings.Contains(img.Notes[0].What, "private link service") {
		t.Errorf("notes: %+v", img.Notes)
	}
}

// Records of zone groups and the public names behind them ("Azure Private
// Endpoint DNS configuration"): with the zone linked the private address,
// without it the public one, and nothing in a linked zone that lacks the record.
func TestEndpointNames(t *testing.T) {
	n := &network{t: t}
	n.vnet("linked", "10.0.0.0/16", "s 10.0.0.0/24").vnet("plain", "10.1.0.0/16", "s 10.1.0.0/24").vnet("custom", "10.2.0.0/16", "s 10.2.0.0/24")
	n.resources[2].Properties()["dhcpOptions"] = map[string]any{"dnsServers": []any{"10.2.0.4"}}
	n.account("acc", "").account("other", "").account("late", "").add("kv/vlt", `{"location":"westeurope","properties":{}}`).add("sql/db", `{"location":"westeurope","properties":{}}`)
	n.pe("e", "linked/s", "10.0.0.7", "~store/acc", "blob").pe("v", "linked/s", "10.0.0.8", "~kv/vlt", "vault").pe("wait", "linked/s", "10.0.0.9", "~store/late", "blob",
		`"manualPrivateLinkServiceConnections":[{"properties":{"privateLinkServiceId":"~store/late","groupIds":["blob"]}}]`)
	n.pe("lost", "linked/s", "10.0.0.10", "~store/other", "blob")
	for _, z := range []string{"privatelink.blob.core.windows.net", "privatelink.vaultcore.azure.net"} {
		n.add("zone/"+z, `{"location":"global"}`).link(z, "linked", false)
	}
	for pe, zone := range map[string]string{"e": "privatelink.blob.core.windows.net", "wait": "privatelink.blob.core.windows.net", "v": "privatelink.vaultcore.azure.net"} {
		n.add("pe/"+pe+"/privateDnsZoneGroups/default", `{"properties":{"privateDnsZoneConfigs":[{"name":"z","properties":{"privateDnsZoneId":"~zone/`+zone+`"}}]}}`)
	}
	img := n.compile()
	acc, other, late, vlt, db := addrOf(t, img, "acc"), addrOf(t, img, "other"), addrOf(t, img, "late"), addrOf(t, img, "vlt"), addrOf(t, img, "db")
	for _, tt := range []struct {
		space, name string
		want        fabric.Verdict
		addr        any
	}{
		{"linked", "acc.blob.core.windows.net", fabric.VerdictAllow, "10.0.0.7"},
		{"linked", "acc.privatelink.blob.core.windows.net", fabric.VerdictAllow, "10.0.0.7"},
		{"linked", "acc.file.core.windows.net", fabric.VerdictAllow, acc},
		{"linked", "vlt.vault.azure.net", fabric.VerdictAllow, "10.0.0.8"},
		{"linked", "db.database.windows.net", fabric.VerdictAllow, db},
		// An endpoint without a record behind a linked zone: no address at all.
		{"linked", "other.blob.core.windows.net", fabric.VerdictDeny, nil},
		// One that is not approved has neither alias nor record.
		{"linked", "late.blob.core.windows.net", fabric.VerdictAllow, late},
		{"linked", "stranger.blob.core.windows.net", fabric.VerdictUnknown, nil},
		{"plain", "acc.blob.core.windows.net", fabric.VerdictAllow, acc},
		{"plain", "other.blob.core.windows.net", fabric.VerdictAllow, other},
		{"plain", "vlt.vault.azure.net", fabric.VerdictAllow, vlt},
		{"custom", "acc.blob.core.windows.net", fabric.VerdictUnknown, nil},
	} {
		for i := range img.Spaces {
			s := &img.Spaces[i]
			if s.Name != tt.space {
				continue
			}
			got := s.View.Resolve(tt.name)
			want := "[]"
			if tt.addr != nil {
				want = fmt.Sprintf("[%v]", tt.addr)
			}
			if got.Verdict != tt.want || fmt.Sprint(got.Addrs) != want {
				t.Errorf("in %s %s is %s %v, want %s %s", tt.space, tt.name, got.Verdict, got.Addrs, tt.want, want)
			}
		}
	}
}

// The names that an endpoint's document lists: more than one for some services,
// and others than the name of what it reaches.
func TestListedEndpointNames(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.pe("e", "net/s", "", "/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/Acc", "Sql",
		`"customDnsConfigs":[{"fqdn":"acc.documents.azure.com","ipAddresses":["10.0.0.7"]},{"fqdn":"acc-westeurope.documents.azure.com","ipAddresses":["10.0.0.8"]}]`)
	n.pe("plain", "net/s", "10.0.0.9", "/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/Bcc", "Sql")
	n.add("zone/privatelink.documents.azure.com", `{"location":"global"}`).link("privatelink.documents.azure.com", "net", false)
	for _, e := range []string{"e", "plain"} {
		n.add("pe/"+e+"/privateDnsZoneGroups/default", `{"properties":{"privateDnsZoneConfigs":[{"name":"z","properties":{"privateDnsZoneId":"~zone/privatelink.documents.azure.com"}}]}}`)
	}
	img := n.compile()
	for name, want := range map[string]string{"acc": "10.0.0.7", "acc-westeurope": "10.0.0.8", "bcc": "10.0.0.9"} {
		got := img.Spaces[0].View.Resolve(name + ".privatelink.documents.azure.com")
		if fmt.Sprint(got.Addrs) != "["+want+"]" {
			t.Errorf("%s is %v, want %s", name, got.Addrs, want)
		}
	}
}

// "Fallback to internet for Azure Private DNS zones": NxDomainRedirect leaves
// names that the zone lacks to the internet.
func TestNameFallback(t *testing.T) {
	const zone = "privatelink.blob.core.windows.net"
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").account("acc", "").pe("e", "net/s", "10.0.0.7", "~store/acc", "blob")
	n.add("zone/"+zone, `{"location":"global"}`)
	n.add("zone/"+zone+"/virtualNetworkLinks/net", `{"location":"global","properties":{"virtualNetwork":{"id":"~vnet/net"},"resolutionPolicy":"NxDomainRedirect"}}`)
	img := n.compile()
	if got := img.Spaces[0].View.Resolve("acc.blob.core.windows.net"); got.Verdict != fabric.VerdictAllow || got.Addrs[0] != addrOf(t, img, "acc") {
		t.Errorf("%s %v", got.Verdict, got.Addrs)
	}
}

// Security admin rules do not apply to private endpoints ("Security admin rules
// in Azure Virtual Network Manager", where they are not applied): a rule that
// closes every inbound way leaves them open.
func TestAdminRulesSpareEndpoints(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").nic("a", "net/s", "10.0.0.4").nic("b", "net/s", "10.0.0.5").pe("e", "net/s", "10.0.0.7", "~store/acc", "blob")
	n.managed("no 10 Inbound Deny Any * * *")
	expect(t, n.compile(),
		"a: tcp 10.0.0.4 10.0.0.5:443 = deny rule no: a > b",
		"a: tcp 10.0.0.4 10.0.0.7:443 = allow delivered: a > e",
	)
}

// Members of a connected group have each other's endpoints (unconfirmed; behind
// connectedGroupsReachEndpoints).
func TestEndpointsOfConnectedGroups(t *testing.T) {
	n := &network{t: t}
	n.vnet("one", "10.1.0.0/16", "s 10.1.0.0/24").vnet("two", "10.2.0.0/16", "s 10.2.0.0/24").pe("e", "two/s", "10.2.0.7", "~store/acc", "blob").nic("a", "one/s", "10.1.0.4")
	n.add("nm/m", `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]}}}`).add("nm/m/networkGroups/g", `{"properties":{}}`)
	for _, v := range []string{"one", "two"} {
		n.add("nm/m/networkGroups/g/staticMembers/"+v, `{"properties":{"resourceId":"~vnet/`+v+`"}}`)
	}
	n.add("nm/m/connectivityConfigurations/c", `{"properties":{"connectivityTopology":"Mesh","appliesToGroups":[{"networkGroupId":"~nm/m/networkGroups/g","groupConnectivity":"None"}]}}`)
	n.add("nm/m/commits/Connectivity.westeurope", `{"properties":{"commitType":"Connectivity","targetLocation":"westeurope","configurationIds":["~nm/m/connectivityConfigurations/c"]}}`)
	img := n.compile()
	expect(t, img, "a: tcp 10.1.0.4 10.2.0.7:443 = allow delivered: a > e")
	got := strings.Contains(routes(img, portOf(t, img, "a")), "Default Active 10.2.0.7/32 InterfaceEndpoint\n")
	if got != connectedGroupsReachEndpoints {
		t.Errorf("the endpoint has a route: %t", got)
	}
}

// A spoke's default route to the hub's firewall does not capture an endpoint in
// the hub; a route for the hub's prefix does, where the endpoint's subnet lets
// route tables count, and the reply then comes without the firewall.
func TestInspectedEndpoint(t *testing.T) {
	for _, tt := range []struct{ policy, want string }{
		{"Disabled", "allow delivered: a > e"},
		{"RouteTableEnabled", "allow delivered: a > fw > e"},
	} {
		n := &network{t: t}
		n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.0.4", "hub 10.0.0.0/16 VirtualAppliance 10.0.0.4")
		n.vnet("hub", "10.0.0.0/16", "AzureFirewallSubnet 10.0.0.0/26", `pe 10.0.1.0/24 "privateEndpointNetworkPolicies":"`+tt.policy+`"`)
		n.vnet("spoke", "10.1.0.0/16", "s 10.1.0.0/24"+viaR).peer("hub", "spoke").nic("a", "spoke/s", "10.1.0.4").pe("e", "hub/pe", "10.0.1.7", "~store/acc", "blob")
		n.add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 200, collection("y 100 Allow", l4("yes TCP * * 443")))
		n.add("fw/fw", `{"location":"westeurope","properties":{"firewallPolicy":{"id":"~fwp/own"},"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/hub/subnets/AzureFirewallSubnet"}}}]}}`)
		img := n.compile()
		expect(t, img, "a: tcp 10.1.0.4 10.0.1.7:443 = "+tt.want)
		c := flow(t, img, "a", "tcp 10.1.0.4 10.0.1.7:443")
		if len(c.Reply.Path) != 2 {
			t.Errorf("%s: the reply passes %d ports, want the endpoint and its client", tt.policy, len(c.Reply.Path))
		}
	}
}
