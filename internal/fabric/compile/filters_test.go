package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// nsgRules declares a security group of rules "name prio dir access proto src
// dst dstPorts"; "asg:x" on a side names an application security group.
func (n *network) nsg(name string, rules ...string) *network {
	var list []string
	for _, r := range rules {
		f := strings.Fields(r)
		side := func(field, s string) string {
			if asg, ok := strings.CutPrefix(s, "asg:"); ok {
				return fmt.Sprintf(`"%sApplicationSecurityGroups":[{"id":"~asg/%s"}]`, field, asg)
			}
			return fmt.Sprintf(`"%sAddressPrefix":%q`, field, s)
		}
		list = append(list, fmt.Sprintf(`{"name":%q,"properties":{"priority":%s,"direction":%q,"access":%q,"protocol":%q,"sourcePortRange":"*",%s,%s,"destinationPortRange":%q}}`,
			f[0], f[1], f[2], f[3], f[4], side("source", f[5]), side("destination", f[6]), f[7]))
	}
	return n.add("nsg/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"securityRules":[%s]}}`, strings.Join(list, ",")))
}

// pair is one network with hosts a and b in two subnets behind two groups.
func pair(t testing.TB, groupA, groupB []string) *network {
	n := &network{t: t}
	n.nsg("a", groupA...).nsg("b", groupB...)
	n.vnet("net", "10.0.0.0/16", `a 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/a"}`, `b 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/b"}`)
	return n.nic("a", "net/a", "").nic("b", "net/b", "")
}

// The six default rules ("Network security groups overview", default security
// rules).
func TestDefaultRules(t *testing.T) {
	n := pair(t, nil, nil)
	n.add("pip/a", `{"location":"westeurope","properties":{"ipAddress":"52.1.1.1"}}`)
	n.add("nic/p", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"~vnet/net/subnets/a"},"publicIPAddress":{"id":"~pip/a"}}}]}}`)
	img := n.compile()
	expect(t, img,
		"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
		"a: tcp 10.0.0.4 8.8.8.8:80 = allow delivered: a > internet",
		"internet: tcp 8.8.8.8 52.1.1.1:80 = deny rule DenyAllInBound: internet > p",
		"internet: tcp 8.8.8.8 52.9.9.9:80 = allow delivered: internet > internet",
	)
	f := img.Filters[img.Ports[portOf(t, img, "a")].Ingress[0]]
	var names []string
	for _, r := range f.Rules {
		names = append(names, fmt.Sprintf("%d %s %s", r.Priority, r.Origin.Name, r.Action))
	}
	want := "65000 AllowVnetInBound allow, 65001 AllowAzureLoadBalancerInBound allow, 65500 DenyAllInBound deny"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("inbound default rules: %s\nwant %s", got, want)
	}
}

func TestSecurityRules(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []string
		flow []string
	}{
		{"lowest priority number first", nil, []string{"late 300 Inbound Allow * * * *", "early 200 Inbound Deny Tcp * * 22"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:22 = deny rule early: a > b",
			"a: tcp 10.0.0.4 10.0.1.4:23 = allow delivered: a > b",
		}},
		{"applies within a subnet", nil, []string{"no 100 Inbound Deny * 10.0.1.0/24 * *"}, []string{
			"b: tcp 10.0.1.4 10.0.1.9:1 = deny rule no: b > net/b (unassigned)",
		}},
		{"replies need no rule", nil, []string{"out 100 Outbound Deny * * * *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
			"b: tcp 10.0.1.4 10.0.0.4:80 = deny rule out: b",
		}},
		// A verifier that drops the ports of protocol * closes or opens everything.
		{"protocol * keeps its ports", nil, []string{"web 100 Inbound Deny * * * 443"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:443 = deny rule web: a > b",
			"a: udp 10.0.0.4 10.0.1.4:443 = deny rule web: a > b",
			"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
			"a: icmp 10.0.0.4 10.0.1.4 = allow delivered: a > b",
		}},
		{"icmp has no ports", nil, []string{"ping 100 Inbound Deny Icmp * * 443"}, []string{
			"a: icmp 10.0.0.4 10.0.1.4 = deny rule ping: a > b",
		}},
		// A verifier that takes unknown tags for empty sets loses the deny.
		{"an unknown tag denies perhaps", nil, []string{"x 100 Inbound Deny * NoSuchTag * *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = unknown rule x: a > b",
		}},
		{"a rule before an unknown tag decides", nil, []string{"ok 100 Inbound Allow Tcp * * 80", "x 200 Inbound Deny * NoSuchTag * *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
		}},
		{"a missing application security group is unknown", nil, []string{"x 100 Inbound Deny * asg:gone * *"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:80 = unknown rule x: a > b",
		}},
		{"a service tag has its published prefixes", []string{"sql 100 Outbound Deny Tcp * Sql.EastUS *"}, nil, []string{
			"a: tcp 10.0.0.4 20.42.65.65:1433 = deny rule sql: a",
			"a: tcp 10.0.0.4 8.8.8.8:1433 = allow delivered: a > internet",
		}},
		{"classic spelling of tags", []string{"no 100 Outbound Deny * VIRTUAL_NETWORK INTERNET *"}, nil, []string{
			"a: tcp 10.0.0.4 8.8.8.8:80 = deny rule no: a",
			"a: tcp 10.0.0.4 10.0.1.4:80 = allow delivered: a > b",
		}},
		{"source ports and lists", nil, []string{"x 100 Inbound Deny Tcp * * 80,443,8000-8080"}, []string{
			"a: tcp 10.0.0.4 10.0.1.4:8001 = deny rule x: a > b",
			"a: tcp 10.0.0.4 10.0.1.4:81 = allow delivered: a > b",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, pair(t, tt.a, tt.b).compile(), tt.flow...) })
	}
}

// Inbound the subnet's group comes before the interface's, outbound after it
// ("How network security groups filter network traffic").
func TestOrderOfGroups(t *testing.T) {
	n := &network{t: t}
	n.nsg("subnet", "s 100 Inbound Deny * * * *", "s 100 Outbound Deny * * * *")
	n.nsg("nic", "n 100 Inbound Deny * * * *", "n 100 Outbound Deny * * * *")
	n.vnet("net", "10.0.0.0/16", `guarded 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/subnet"}`, "open 10.0.1.0/24")
	n.nic("a", "net/guarded", "", `"networkSecurityGroup":{"id":"~nsg/nic"}`).nic("b", "net/open", "")
	expect(t, n.compile(),
		"a: tcp 10.0.0.4 10.0.1.4:80 = deny rule n: a",
		"b: tcp 10.0.1.4 10.0.0.4:80 = deny rule s: b > a",
	)
}

// Membership of an application security group is that of IP configurations.
func TestApplicationSecurityGroups(t *testing.T) {
	n := &network{t: t}
	n.add("asg/web", `{"location":"westeurope","properties":{}}`).add("asg/none", `{"location":"westeurope","properties":{}}`)
	n.nsg("g", "no-one 100 Inbound Deny * asg:none * *", "web 110 Inbound Allow Tcp asg:web * 80", "rest 200 Inbound Deny * * * *")
	n.vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`)
	n.nic("b", "net/s", "")
	for name, asgs := range map[string]string{"w": `[{"id":"~asg/web"}]`, "x": `[]`} {
		n.add("nic/"+name, `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.`+
			map[string]string{"w": "20", "x": "21"}[name]+`","subnet":{"id":"~vnet/net/subnets/s"},"applicationSecurityGroups":`+asgs+`}}]}}`)
	}
	img := n.compile()
	expect(t, img,
		"w: tcp 10.0.0.20 10.0.0.4:80 = allow delivered: w > b",
		"x: tcp 10.0.0.21 10.0.0.4:80 = deny rule rest: x > b",
	)
	if !img.Ports[portOf(t, img, "w")].Has(fabric.Label{Kind: "asg", Name: "web"}) {
		t.Error("the member lacks the label of its group")
	}
}

// VirtualNetwork is not 10.0.0.0/8: it is what the network reaches, and what
// its user routes name ("Virtual network service tags").
func TestVirtualNetworkTag(t *testing.T) {
	build := func(access string, userRoute string) *fabric.Image {
		n := &network{t: t}
		n.nsg("g")
		table := ""
		if userRoute != "" {
			n.add("rt/r", `{"location":"westeurope","properties":{"routes":[{"name":"u","properties":{"addressPrefix":"`+userRoute+`","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.1.0.9"}}]}}`)
			table = `,"routeTable":{"id":"~rt/r"}`
		}
		n.vnet("a", "10.0.0.0/16", `s 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`+table)
		n.vnet("b", "10.1.0.0/16", "s 10.1.0.0/24").vnet("c", "10.2.0.0/16", "s 10.2.0.0/24")
		n.add("vnet/a/virtualNetworkPeerings/b", `{"properties":{"allowVirtualNetworkAccess":`+access+`,"remoteVirtualNetwork":{"id":"~vnet/b"}}}`)
		n.add("vnet/b/virtualNetworkPeerings/a", `{"properties":{"remoteVirtualNetwork":{"id":"~vnet/a"}}}`)
		n.nic("a", "a/s", "").nic("b", "b/s", "", `"enableIPForwarding":true`)
		return n.compile()
	}
	expect(t, build("true", ""),
		"b: tcp 10.1.0.4 10.0.0.4:80 = allow delivered: b > a",
		// Another private network, forwarded by b: not part of the tag.
		"b: tcp 10.2.0.4 10.0.0.4:80 = deny rule DenyAllInBound: b > a",
	)
	// allowVirtualNetworkAccess=false changes the tag, not the wire ("Virtual
	// network peering").
	expect(t, build("false", ""), "b: tcp 10.1.0.4 10.0.0.4:80 = deny rule DenyAllInBound: b > a")
	// The prefix of a user route joins the tag.
	expect(t, build("true", "10.2.0.0/16"), "b: tcp 10.2.0.4 10.0.0.4:80 = deny next-hop-missing: b > a")
	// So does a default route: the default rule then lets anybody in.
	expect(t, build("true", "0.0.0.0/0"), "b: tcp 8.8.8.8 10.0.0.4:80 = deny next-hop-missing: b > a")
}
