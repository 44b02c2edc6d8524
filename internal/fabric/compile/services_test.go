package compile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Services have addresses of their tag and region, which other services and
// their order of declaration do not change.
func TestServiceAddresses(t *testing.T) {
	build := func(names ...string) map[string]netip.Addr {
		n := &network{t: t}
		for _, name := range names {
			n.account(name, "")
		}
		n.add("sql/db", `{"location":"eastus","properties":{}}`).add("kv/vlt", `{"location":"westeurope","properties":{}}`)
		img := n.compile()
		out := map[string]netip.Addr{}
		for i := range img.Ports {
			if p := &img.Ports[i]; p.Kind == fabric.PortService {
				out[p.Name] = img.Sets[p.Addrs].Min().Addr()
			}
		}
		return out
	}
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("acc%d", i))
	}
	all := build(names...)
	seen := map[netip.Addr]string{}
	for name, a := range all {
		tag := "Storage.WestEurope"
		switch name {
		case "db":
			tag = "Sql.EastUS"
		case "vlt":
			tag = "AzureKeyVault.WestEurope"
		}
		if prefixes, _ := catalog.ServiceTag(tag); !holds(prefixes, a) {
			t.Errorf("%s has %s, outside %s", name, a, tag)
		}
		if other, ok := seen[a]; ok {
			t.Errorf("%s and %s have the same address %s", name, other, a)
		}
		seen[a] = name
	}
	for name, a := range build("acc7") {
		if all[name] != a {
			t.Errorf("%s has %s alone and %s among others", name, a, all[name])
		}
	}
}

// A region's tag may have fewer addresses than there are services: the rest get
// some of other regions, with a note, and service endpoints still reach them.
func TestServiceAddressesRunOut(t *testing.T) {
	n := &network{t: t}
	for i := range 30 {
		n.add(fmt.Sprintf("kv/v%d", i), `{"location":"westeurope","properties":{}}`)
	}
	n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "serviceEndpoints":[{"service":"Microsoft.KeyVault","locations":["westeurope"]}]`).nic("a", "net/s", "10.0.0.4")
	img := n.compile()
	prefixes, _ := catalog.ServiceTag("AzureKeyVault.WestEurope")
	seen, outside := map[netip.Addr]bool{}, 0
	for i := range 30 {
		a := addrOf(t, img, fmt.Sprintf("v%d", i))
		if seen[a] {
			t.Errorf("two vaults have %s", a)
		}
		seen[a] = true
		if !holds(prefixes, a) {
			outside++
		}
		if c := flow(t, img, "a", fmt.Sprintf("tcp 10.0.0.4 %s:443", a)); !c.Forward.Direct {
			t.Errorf("v%d is not reached by the service endpoint: %s", i, outcome(img, &c))
		}
	}
	if outside == 0 || len(img.Notes) != outside {
		t.Errorf("%d vaults have addresses of other regions, %d notes", outside, len(img.Notes))
	}
}

// The firewalls of storage accounts and key vaults ("Configure Azure Storage
// firewalls and virtual networks", "Configure network security for Azure Key
// Vault").
func TestServiceFirewall(t *testing.T) {
	acls := func(rest string) string { return `"networkAcls":{"defaultAction":"Deny"` + rest + `}` }
	const (
		inside  = "from: tcp 10.0.0.4 %s:443"
		outside = "internet: tcp 8.8.8.8 %s:443"
	)
	for name, tt := range map[string]struct{ kind, region, properties, from, want string }{
		"open":             {"store", "westeurope", "", inside, "allow delivered: from > x"},
		"open to internet": {"store", "westeurope", "", outside, "allow delivered: internet > x"},
		"default allow":    {"kv", "westeurope", `"networkAcls":{"defaultAction":"Allow","ipRules":[{"value":"9.9.9.9"}]}`, outside, "allow delivered: internet > x"},
		"default deny":     {"store", "westeurope", acls(""), outside, "deny filter-default x firewall: internet > x"},
		"no public access": {"store", "westeurope", `"publicNetworkAccess":"Disabled"`, outside, "deny rule publicNetworkAccess Disabled: internet > x"},
		"vault disabled":   {"kv", "westeurope", `"publicNetworkAccess":"disabled"`, outside, "deny rule publicNetworkAccess disabled: internet > x"},
		"perimeter":        {"store", "westeurope", `"publicNetworkAccess":"SecuredByPerimeter"`, outside, "unknown rule publicNetworkAccess SecuredByPerimeter: internet > x"},
		"ip rule":          {"store", "westeurope", acls(`,"ipRules":[{"value":"8.8.8.0/24","action":"Allow"}]`), outside, "allow delivered: internet > x"},
		"other ip rule":    {"store", "westeurope", acls(`,"ipRules":[{"value":"8.8.4.0/24"}]`), outside, "deny filter-default x firewall: internet > x"},
		// The sender leaves by 52.0.0.1, in westeurope.
		"own region":      {"store", "westeurope", acls(`,"ipRules":[{"value":"52.0.0.1"}]`), inside, "deny rule ipRules 52.0.0.1 has no effect within its region: from > x"},
		"other region":    {"store", "eastus", acls(`,"ipRules":[{"value":"52.0.0.1"}]`), inside, "allow delivered: from > x"},
		"vault by ip":     {"kv", "westeurope", acls(`,"ipRules":[{"value":"52.0.0.1/32"}]`), inside, "allow delivered: from > x"},
		"wrong vault":     {"kv", "westeurope", acls(`,"ipRules":[{"value":"52.0.0.2"}]`), inside, "deny filter-default x firewall: from > x"},
		"rule but no way": {"store", "westeurope", acls(`,"virtualNetworkRules":[{"id":"~vnet/net/subnets/s"}]`), inside, "deny filter-default x firewall: from > x"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			n.pip("nat", "52.0.0.1").add("nat/n", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"~pip/nat"}]}}`)
			n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "natGateway":{"id":"~nat/n"}`).nic("from", "net/s", "10.0.0.4")
			n.add(tt.kind+"/x", fmt.Sprintf(`{"location":%q,"properties":{%s}}`, tt.region, tt.properties))
			img := n.compile()
			expect(t, img, fmt.Sprintf(tt.from, addrOf(t, img, "x"))+" = "+tt.want, fmt.Sprintf("x: tcp %s 8.8.8.8:80 = deny rule never starts a flow: x", addrOf(t, img, "x")))
		})
	}
}

// "Azure SQL Database and Azure Synapse IP firewall rules": closed without
// rules; 0.0.0.0 to 0.0.0.0 lets every Azure address in.
func TestSQLFirewall(t *testing.T) {
	for name, tt := range map[string]struct{ start, end, properties, inside, outside string }{
		"none":     {"", "", "", "deny filter-default x firewall: from > x", "deny filter-default x firewall: internet > x"},
		"range":    {"8.8.8.0", "8.8.8.255", "", "deny filter-default x firewall: from > x", "allow delivered: internet > x"},
		"azure":    {"0.0.0.0", "0.0.0.0", "", "allow delivered: from > x", "deny filter-default x firewall: internet > x"},
		"all":      {"0.0.0.0", "255.255.255.255", "", "allow delivered: from > x", "allow delivered: internet > x"},
		"disabled": {"0.0.0.0", "255.255.255.255", `"publicNetworkAccess":"Disabled"`, "deny rule publicNetworkAccess Disabled: from > x", "deny rule publicNetworkAccess Disabled: internet > x"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").nic("from", "net/s", "10.0.0.4")
			n.add("sql/x", `{"location":"westeurope","properties":{`+tt.properties+`}}`)
			if tt.start != "" {
				n.add("sql/x/firewallRules/r", fmt.Sprintf(`{"properties":{"startIpAddress":%q,"endIpAddress":%q}}`, tt.start, tt.end))
			}
			img := n.compile()
			x := addrOf(t, img, "x")
			expect(t, img, fmt.Sprintf("from: tcp 10.0.0.4 %s:1433 = %s", x, tt.inside), fmt.Sprintf("internet: tcp 8.8.8.8 %s:1433 = %s", x, tt.outside))
			if p := &img.Ports[portOf(t, img, "x")]; fmt.Sprint(p.Labels) != "[{region westeurope} {service x}]" || !p.Silent {
				t.Errorf("labels %v, silent %t", p.Labels, p.Silent)
			}
		})
	}
}

// "Virtual network service endpoints": the way is direct, past a default route,
// with the private source; virtual network rules let exactly that subnet in;
// only the subnet that has the endpoint uses it.
func TestServiceEndpoint(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 None")
	n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "serviceEndpoints":[{"service":"Microsoft.Storage"},{"service":"Microsoft.Sql"}],`+strings.TrimSpace(viaR),
		`t 10.0.1.0/24 "serviceEndpoints":[{"service":"Microsoft.Storage"}],`+strings.TrimSpace(viaR), "u 10.0.2.0/24")
	n.nic("a", "net/s", "10.0.0.4").nic("b", "net/t", "10.0.1.4").nic("c", "net/u", "10.0.2.4")
	n.account("x", `"networkAcls":{"defaultAction":"Deny","virtualNetworkRules":[{"id":"~vnet/net/subnets/s"}]}`)
	n.add("store/far", `{"location":"japaneast","properties":{}}`).add("store/pair", `{"location":"northeurope","properties":{}}`)
	n.add("sql/db", `{"location":"westeurope","properties":{}}`).add("sql/db/virtualNetworkRules/v", `{"properties":{"virtualNetworkSubnetId":"~vnet/net/subnets/s"}}`)
	img := n.compile()
	x, far, pair, db := addrOf(t, img, "x"), addrOf(t, img, "far"), addrOf(t, img, "pair"), addrOf(t, img, "db")
	expect(t, img,
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > x", x),
		fmt.Sprintf("b: tcp 10.0.1.4 %s:443 = deny filter-default x firewall: b > x", x),
		fmt.Sprintf("c: tcp 10.0.2.4 %s:443 = deny filter-default x firewall: c > x", x),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:1433 = allow delivered: a > db", db),
		// Storage endpoints reach the network's region and its pair.
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > pair", pair),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = deny route-drop: a", far),
		"a: tcp 10.0.0.4 8.8.8.8:443 = deny route-drop: a",
	)
	c := flow(t, img, "a", fmt.Sprintf("tcp 10.0.0.4 %s:443", x))
	if c.Forward.Final.Src != netip.MustParseAddr("10.0.0.4") {
		t.Errorf("the service sees %s", c.Forward.Final.Src)
	}
	admitted := false
	for _, s := range c.Forward.Steps {
		if s.Kind == fabric.StepAdmit {
			admitted = img.Ports[s.Port].Admits[s.Rule].Origin.Name == "virtualNetworkRules s"
		}
	}
	if !admitted {
		t.Error("no virtual network rule let the packet in")
	}
	if got := routes(img, portOf(t, img, "c")); strings.Contains(got, routeServiceEndpoint) {
		t.Errorf("a subnet without service endpoints has their routes:\n%s", got)
	}
}

// "Virtual network service endpoints": their routes override user routes for
// the same prefixes, such as those of a service tag. That a user route of a
// longer prefix wins is unconfirmed.
func TestServiceEndpointBeatsTagRoute(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "tag Storage.WestEurope None")
	n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "serviceEndpoints":[{"service":"Microsoft.Storage"}],`+strings.TrimSpace(viaR), "t 10.0.1.0/24"+viaR)
	n.nic("a", "net/s", "10.0.0.4").nic("b", "net/t", "10.0.1.4").account("x", "")
	img := n.compile()
	x := addrOf(t, img, "x")
	expect(t, img, fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > x", x), fmt.Sprintf("b: tcp 10.0.1.4 %s:443 = deny route-drop: b", x))
	prefixes, _ := catalog.ServiceTag("Storage.WestEurope")
	if got, want := routes(img, portOf(t, img, "a")), fmt.Sprintf("Default Active %s VirtualNetworkServiceEndpoint\nUser Invalid %s None\n", prefixes[0], prefixes[0]); !strings.Contains(got, want) {
		t.Errorf("%swant among them:\n%s", got, want)
	}
}

// The prefixes of service endpoints by location.
func TestServiceEndpointLocations(t *testing.T) {
	for name, tt := range map[string]struct{ endpoint, in, out string }{
		"storage, filled in by Azure": {`{"service":"Microsoft.Storage","locations":["westeurope","northeurope"]}`, "Storage.NorthEurope", "Storage.EastUS"},
		"storage everywhere":          {`{"service":"Microsoft.Storage.Global","locations":["*"]}`, "Storage.EastUS", "Sql.EastUS"},
		"sql in one region":           {`{"service":"Microsoft.Sql"}`, "Sql.WestEurope", "Sql.NorthEurope"},
		"vaults everywhere":           {`{"service":"Microsoft.KeyVault","locations":["*"]}`, "AzureKeyVault.EastUS", "Storage.WestEurope"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "serviceEndpoints":[`+tt.endpoint+`]`).nic("a", "net/s", "10.0.0.4")
			img := n.compile()
			table := &img.Tables[img.Ports[portOf(t, img, "a")].Routes]
			kind := func(tag string) string {
				prefixes, ok := catalog.ServiceTag(tag)
				if !ok {
					t.Fatalf("no tag %s", tag)
				}
				i, _ := table.Lookup(prefixes[0].Addr())
				return table.Routes[i].Kind
			}
			if got := kind(tt.in); got != routeServiceEndpoint {
				t.Errorf("%s is reached by %s", tt.in, got)
			}
			if got := kind(tt.out); got == routeServiceEndpoint {
				t.Errorf("%s is reached by the endpoint", tt.out)
			}
		})
	}
}

// "Virtual network service endpoint policies for Azure Storage": what a policy
// does not list is denied.
func TestServiceEndpointPolicies(t *testing.T) {
	for name, tt := range map[string]struct{ service, listed, acc, other, elsewhere string }{
		"account":       {"Microsoft.Storage", "~store/acc", "allow delivered: a > acc", "deny route-drop: a", "deny route-drop: a"},
		"group":         {"Microsoft.Storage", group.String(), "allow delivered: a > acc", "allow delivered: a > other", "unknown route-unknown: a"},
		"stranger":      {"Microsoft.Storage", "/subscriptions/else", "deny route-drop: a", "deny route-drop: a", "unknown route-unknown: a"},
		"other service": {"Microsoft.Sql", "~store/acc", "allow delivered: a > acc", "allow delivered: a > other", "allow delivered: a > internet"},
		"missing":       {"", "", "unknown route-unknown: a", "unknown route-unknown: a", "unknown route-unknown: a"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			if tt.service != "" {
				n.add("sep/p", fmt.Sprintf(`{"location":"westeurope","properties":{"serviceEndpointPolicyDefinitions":[{"name":"d","properties":{"service":%q,"serviceResources":[%q]}}]}}`, tt.service, tt.listed))
			}
			n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "serviceEndpoints":[{"service":"Microsoft.Storage"}],"serviceEndpointPolicies":[{"id":"~sep/p"}]`)
			n.nic("a", "net/s", "10.0.0.4").account("acc", "").account("other", "")
			img := n.compile()
			prefixes, _ := catalog.ServiceTag("Storage.WestEurope")
			elsewhere := prefixes[0].Addr().Next()
			expect(t, img,
				fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = %s", addrOf(t, img, "acc"), tt.acc),
				fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = %s", addrOf(t, img, "other"), tt.other),
				fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = %s", elsewhere, tt.elsewhere),
			)
		})
	}
}

// "Default outbound access in Azure": a private subnet has no way out, but
// reaches storage accounts of its own region, who see a private address and
// whose IP rules therefore do not know it.
func TestPrivateSubnetReachesNearStorage(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.9.9").routeTable("out", "all 0.0.0.0/0 Internet")
	const private = `"defaultOutboundAccess":false`
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24 "+private, "t 10.0.1.0/24 "+private+","+strings.TrimSpace(viaR), `u 10.0.2.0/24 "routeTable":{"id":"~rt/out"},`+private)
	n.nic("a", "net/s", "10.0.0.4").nic("b", "net/t", "10.0.1.4").nic("c", "net/u", "10.0.2.4")
	n.account("near", "").account("shut", `"networkAcls":{"defaultAction":"Deny","virtualNetworkRules":[{"id":"~vnet/net/subnets/s"}]}`)
	n.add("store/far", `{"location":"eastus","properties":{}}`).add("kv/vlt", `{"location":"westeurope","properties":{}}`)
	img := n.compile()
	near, shut, far, vlt := addrOf(t, img, "near"), addrOf(t, img, "shut"), addrOf(t, img, "far"), addrOf(t, img, "vlt")
	expect(t, img,
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > near", near),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = deny filter-default shut firewall: a > shut", shut),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = deny no-outbound: a", far),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = deny no-outbound: a", vlt),
		fmt.Sprintf("b: tcp 10.0.1.4 %s:443 = deny next-hop-missing: b", near),
		fmt.Sprintf("c: tcp 10.0.2.4 %s:443 = allow delivered: c > near", near),
	)
}

// "Virtual network service endpoints": in a private subnet, too, an endpoint leads
// to the accounts of the region, who know the subnet by it, and its policy holds.
func TestServiceEndpointOfPrivateSubnet(t *testing.T) {
	n := &network{t: t}
	const private = `"defaultOutboundAccess":false,"serviceEndpoints":[{"service":"Microsoft.Storage"}]`
	n.add("sep/p", `{"properties":{"serviceEndpointPolicyDefinitions":[{"name":"d","properties":{"service":"Microsoft.Storage","serviceResources":["~store/shut"]}}]}}`)
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24 "+private, `t 10.0.1.0/24 "serviceEndpointPolicies":[{"id":"~sep/p"}],`+private)
	n.nic("a", "net/s", "10.0.0.4").nic("b", "net/t", "10.0.1.4")
	n.account("near", "").account("shut", `"networkAcls":{"defaultAction":"Deny","virtualNetworkRules":[{"id":"~vnet/net/subnets/s"},{"id":"~vnet/net/subnets/t"}]}`)
	img := n.compile()
	near, shut := addrOf(t, img, "near"), addrOf(t, img, "shut")
	expect(t, img,
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > near", near),
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = allow delivered: a > shut", shut),
		fmt.Sprintf("b: tcp 10.0.1.4 %s:443 = deny route-drop: b", near),
		fmt.Sprintf("b: tcp 10.0.1.4 %s:443 = allow delivered: b > shut", shut),
	)
}

// Effective routes as the service answered them (a laboratory's dump of
// 2021-03): a service endpoint in one subnet, a private endpoint in the network
// and in its peer.
func TestEffectiveRoutesOfEndpoints(t *testing.T) {
	n := &network{t: t}
	n.vnet("hub", "10.0.0.0/24", "s 10.0.0.0/26", `t 10.0.0.64/26 "serviceEndpoints":[{"service":"Microsoft.KeyVault","locations":["westeurope"]}]`)
	n.vnet("spoke", "10.0.1.0/24", "s 10.0.1.0/26").peer("hub", "spoke")
	n.nic("a", "hub/s", "10.0.0.4").nic("b", "spoke/s", "10.0.1.4").nic("c", "hub/t", "10.0.0.68").pe("e", "hub/s", "10.0.0.5", "~store/acc", "blob")
	img := n.compile()
	const rest = `Default Active 192.168.0.0/16 None
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
Default Active 10.0.0.0/8 None
Default Active 0.0.0.0/0 Internet
`
	vaults := ""
	prefixes, _ := catalog.ServiceTag("AzureKeyVault.WestEurope")
	for _, p := range prefixes {
		if p.Addr().Is4() && p.Bits() == 30 {
			vaults += "Default Active " + p.String() + " VirtualNetworkServiceEndpoint\n"
		}
	}
	for port, want := range map[string]string{
		"a": "Default Active 10.0.0.5/32 InterfaceEndpoint\nDefault Active 10.0.0.0/24 VnetLocal\nDefault Active 10.0.1.0/24 VNetPeering\n" + rest,
		"b": "Default Active 10.0.0.5/32 InterfaceEndpoint\nDefault Active 10.0.0.0/24 VNetPeering\nDefault Active 10.0.1.0/24 VnetLocal\n" + rest,
	} {
		if got := routes(img, portOf(t, img, port)); got != want {
			t.Errorf("%s:\n%swant:\n%s", port, got, want)
		}
	}
	if got := routes(img, portOf(t, img, "c")); !strings.Contains(got, vaults) || !strings.HasPrefix(got, "Default Active 10.0.0.5/32 InterfaceEndpoint\n") {
		t.Errorf("c:\n%swant among them:\n%s", got, vaults)
	}
}

// A private endpoint leads past the service's firewall, whose public side may
// be closed ("Configure Azure Storage firewalls and virtual networks": rules do
// not apply to private endpoints).
func TestEndpointPastFirewall(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").nic("a", "net/s", "10.0.0.4")
	n.account("acc", `"publicNetworkAccess":"Disabled"`).pe("e", "net/s", "10.0.0.7", "~store/acc", "blob")
	img := n.compile()
	expect(t, img,
		"a: tcp 10.0.0.4 10.0.0.7:443 = allow delivered: a > e",
		fmt.Sprintf("a: tcp 10.0.0.4 %s:443 = deny rule publicNetworkAccess Disabled: a > acc", addrOf(t, img, "acc")),
	)
}
