package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// lb declares a load balancer from its parts, separated by spaces:
//
//	sku=Basic tier=Global            default: Standard, Regional
//	f=NAME@vnet/subnet:ADDR          a private frontend; no ADDR is dynamic
//	f=NAME@pip/NAME                  a public frontend
//	f=NAME@prefix                    a public frontend of a prefix
//	pool=NAME[:MEMBERS]              MEMBERS is JSON of loadBalancerBackendAddresses
//	probe=NAME:PORT[:up]             up: noHealthyBackendsBehavior AllProbedUp
//	rule=NAME:FRONTEND:POOL:PROTO:FRONTPORT:BACKPORT[:flag...]
//	nat=NAME:FRONTEND:PROTO:FRONTPORT:BACKPORT[:nic or pool=NAME=END]
//	natpool=NAME:FRONTEND:PROTO:FIRST:LAST:BACKPORT
//	out=NAME:FRONTEND:POOL
//
// Flags of rules: float, nosnat, hash2, hash3, probe=NAME.
func (n *network) lb(name string, parts ...string) *network {
	n.t.Helper()
	sku, tier := "Standard", "Regional"
	lists := map[string][]string{}
	self := func(kind, item string) string { return fmt.Sprintf(`{"id":"~lb/%s/%s/%s"}`, name, kind, item) }
	add := func(list, name, properties string) {
		lists[list] = append(lists[list], fmt.Sprintf(`{"name":%q,"properties":{%s}}`, name, properties))
	}
	for _, part := range parts {
		kind, rest, _ := strings.Cut(part, "=")
		f := strings.Split(rest, ":")
		switch kind {
		case "sku":
			sku = rest
		case "tier":
			tier = rest
		case "f":
			front, at, _ := strings.Cut(rest, "@")
			if strings.HasPrefix(at, "pip/") {
				add("frontendIPConfigurations", front, fmt.Sprintf(`"publicIPAddress":{"id":"~%s"}`, at))
				continue
			}
			if at == "prefix" {
				add("frontendIPConfigurations", front, `"publicIPPrefix":{"id":"/x"}`)
				continue
			}
			place, addr, _ := strings.Cut(at, ":")
			vnet, subnet, _ := strings.Cut(place, "/")
			add("frontendIPConfigurations", front, fmt.Sprintf(`"privateIPAddress":%q,"subnet":{"id":"~vnet/%s/subnets/%s"}`, addr, vnet, subnet))
		case "pool":
			pool, members, _ := strings.Cut(rest, ":")
			if members == "" {
				members = "[]"
			}
			add("backendAddressPools", pool, `"loadBalancerBackendAddresses":`+members)
		case "probe":
			more := ""
			if len(f) > 2 {
				more = `,"noHealthyBackendsBehavior":"AllProbedUp"`
			}
			add("probes", f[0], fmt.Sprintf(`"protocol":"Tcp","port":%s%s`, f[1], more))
		case "rule":
			p := fmt.Sprintf(`"frontendIPConfiguration":%s,"backendAddressPool":%s,"protocol":%q,"frontendPort":%s,"backendPort":%s`,
				self("frontendIPConfigurations", f[1]), self("backendAddressPools", f[2]), f[3], f[4], f[5])
			for _, flag := range f[6:] {
				switch flag, value, _ := strings.Cut(flag, "="); flag {
				case "float":
					p += `,"enableFloatingIP":true`
				case "nosnat":
					p += `,"disableOutboundSnat":true`
				case "hash2":
					p += `,"loadDistribution":"SourceIP"`
				case "hash3":
					p += `,"loadDistribution":"SourceIPProtocol"`
				case "probe":
					p += `,"probe":` + self("probes", value)
				}
			}
			add("loadBalancingRules", f[0], p)
		case "nat":
			p := fmt.Sprintf(`"frontendIPConfiguration":%s,"protocol":%q,"backendPort":%s`, self("frontendIPConfigurations", f[1]), f[2], f[4])
			switch {
			case len(f) > 5 && strings.HasPrefix(f[5], "pool="):
				pool, end, _ := strings.Cut(strings.TrimPrefix(f[5], "pool="), "=")
				p += fmt.Sprintf(`,"backendAddressPool":%s,"frontendPortRangeStart":%s,"frontendPortRangeEnd":%s`, self("backendAddressPools", pool), f[3], end)
			case len(f) > 5:
				p += fmt.Sprintf(`,"frontendPort":%s,"backendIPConfiguration":{"id":"~nic/%s/ipConfigurations/ip"}`, f[3], f[5])
			default:
				p += `,"frontendPort":` + f[3]
			}
			add("inboundNatRules", f[0], p)
		case "natpool":
			add("inboundNatPools", f[0], fmt.Sprintf(`"frontendIPConfiguration":%s,"protocol":%q,"frontendPortRangeStart":%s,"frontendPortRangeEnd":%s,"backendPort":%s`,
				self("frontendIPConfigurations", f[1]), f[2], f[3], f[4], f[5]))
		case "out":
			add("outboundRules", f[0], fmt.Sprintf(`"frontendIPConfigurations":[%s],"backendAddressPool":%s,"protocol":"All"`,
				self("frontendIPConfigurations", f[1]), self("backendAddressPools", f[2])))
		default:
			n.t.Fatalf("no part %q of a load balancer", part)
		}
	}
	var properties []string
	for list, items := range lists {
		properties = append(properties, fmt.Sprintf("%q:[%s]", list, strings.Join(items, ",")))
	}
	return n.add("lb/"+name, fmt.Sprintf(`{"location":"westeurope","sku":{"name":%q,"tier":%q},"properties":{%s}}`, sku, tier, strings.Join(properties, ",")))
}

// pip declares a Standard public IP.
func (n *network) pip(name, addr string) *network {
	return n.add("pip/"+name, fmt.Sprintf(`{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":%q}}`, addr))
}

// pooled declares an interface of a machine in "vnet/subnet" and in pools
// "lb/pool".
func (n *network) pooled(name, at, addr string, pools ...string) *network {
	n.t.Helper()
	n.nic(name, at, addr)
	var refs []any
	for _, p := range pools {
		lb, pool, _ := strings.Cut(p, "/")
		refs = append(refs, map[string]any{"id": id(n.t, "~lb/"+lb+"/backendAddressPools/"+pool).String()})
	}
	nic := n.resources[len(n.resources)-2].Properties()["ipConfigurations"].([]any)[0].(map[string]any)
	nic["properties"].(map[string]any)["loadBalancerBackendAddressPools"] = refs
	return n
}

// redirects prints the redirects of a port, one per line: name, protocols,
// destination, hash, then every target.
func redirects(img *fabric.Image, name string, t testing.TB) string {
	var b strings.Builder
	for _, r := range img.Ports[portOf(t, img, name)].Inward.Redirects {
		proto := ""
		for _, p := range []struct {
			number uint8
			name   string
		}{{fabric.ProtoTCP, "tcp"}, {fabric.ProtoUDP, "udp"}, {fabric.ProtoICMP, "icmp"}} {
			if img.Sets[r.Match[fabric.Proto]].Contains(fabric.Num(uint16(p.number))) {
				proto += p.name + " "
			}
		}
		fmt.Fprintf(&b, "%s %s%s:%s %s", r.Name, proto, addrsOf(img, r.Match[fabric.Dst]), portsOf(img, r.Match[fabric.DstPort]), r.Hash)
		if r.Floating {
			b.WriteString(" floating")
		}
		for _, t := range r.Targets {
			fmt.Fprintf(&b, " | %s", img.Ports[t.Port].Name)
			if t.Addr.IsValid() {
				fmt.Fprintf(&b, " %s:%d", t.Addr, t.DstPort)
			}
			if t.Down != "" {
				fmt.Fprintf(&b, " down: %s", t.Down)
			}
			if t.Closed {
				b.WriteString(" closed")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func addrsOf(img *fabric.Image, id fabric.SetID) string {
	if id == fabric.AnySet {
		return "*"
	}
	return img.Sets[id].Min().Addr().String()
}

func portsOf(img *fabric.Image, id fabric.SetID) string {
	if id == fabric.AnySet {
		return "*"
	}
	r := img.Sets[id][0]
	if r.Lo == r.Hi {
		return fmt.Sprint(r.Lo.Lo)
	}
	return fmt.Sprintf("%d-%d", r.Lo.Lo, r.Hi.Lo)
}

// "What is Azure Load Balancer", components: frontends, pools, rules.
func TestLoadBalancerRules(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "front 10.0.0.0/24", "web 10.0.1.0/24")
	n.lb("in", "f=a@net/front:10.0.0.10", "f=b@net/front", "pool=p",
		"rule=http:a:p:Tcp:80:8080", "rule=dns:a:p:Udp:53:53:hash2", "rule=both:b:p:All:443:443:hash3")
	n.pooled("w1", "net/web", "10.0.1.4", "in/p").pooled("w2", "net/web", "10.0.1.5", "in/p").nic("c", "net/front", "10.0.0.20")
	img := n.compile()
	want := `http tcp 10.0.0.10:80 Default | w1 10.0.1.4:8080 | w2 10.0.1.5:8080
dns udp 10.0.0.10:53 SourceIP | w1 10.0.1.4:53 | w2 10.0.1.5:53
both tcp udp 10.0.0.4:443 SourceIPProtocol | w1 10.0.1.4:443 | w2 10.0.1.5:443
`
	if got := redirects(img, "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	port := &img.Ports[portOf(t, img, "in")]
	if port.Kind != fabric.PortBalancer || !port.Silent || fmt.Sprint(port.Labels) != "[{balancer in} {region westeurope} {subnet front} {vnet net}]" {
		t.Errorf("port: %s, silent %t, labels %v", port.Kind, port.Silent, port.Labels)
	}
	// The client sees the frontend, the member the client ("Azure Load Balancer
	// components": pass-through).
	c := flow(t, img, "c", "tcp 10.0.0.20 10.0.0.10:80")
	if v, _ := c.Verdict(); v != fabric.VerdictAllow || c.Forward.Final.Src != netip.MustParseAddr("10.0.0.20") || c.Forward.Final.DstPort != 8080 {
		t.Errorf("balanced: %s, %+v", v, c.Forward.Final)
	}
	expect(t, img,
		"c: tcp 10.0.0.20 10.0.0.10:81 = deny no-redirect: c > in",
		// ICMP is not balanced.
		"c: icmp 10.0.0.20 10.0.0.10 = deny no-redirect: c > in",
		"in: tcp 10.0.0.10 10.0.0.20:80 = deny rule never starts a flow: in",
	)
}

// Both families: a frontend takes the members' addresses of its own family.
func TestDualStackBalancer(t *testing.T) {
	n := &network{t: t}
	n.add("vnet/net", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00:1::/48"]},"subnets":[{"name":"s","properties":{"addressPrefixes":["10.0.0.0/24","fd00:1::/64"]}}]}}`)
	n.lb("in", "f=four@net/s:10.0.0.10", "f=six@net/s:fd00:1::10", "pool=p", "probe=h:80", "rule=a:four:p:Tcp:80:80:probe=h", "rule=b:six:p:Tcp:80:80:probe=h")
	n.nsg("g", "NoProbe 100 Inbound Deny Tcp AzureLoadBalancer 10.0.0.0/16 80")
	pool := `"loadBalancerBackendAddressPools":[{"id":"~lb/in/backendAddressPools/p"}],"subnet":{"id":"~vnet/net/subnets/s"}`
	n.add("nic/w", `{"location":"westeurope","properties":{"networkSecurityGroup":{"id":"~nsg/g"},"ipConfigurations":[{"name":"v4","properties":{"privateIPAddress":"10.0.0.4",`+pool+`}},
		{"name":"v6","properties":{"privateIPAddress":"fd00:1::4","privateIPAddressVersion":"IPv6",`+pool+`}}]}}`)
	n.nic("c", "net/s", "10.0.0.20")
	img := n.compile()
	want := `a tcp 10.0.0.10:80 Default | w 10.0.0.4:80 down: NoProbe of g drops the probe of port 80
b tcp fd00:1::10:80 Default | w fd00:1::4:80
`
	if got := redirects(img, "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
}

// A member that reaches its own frontend and is handed back to itself
// ("Troubleshoot Azure Load Balancer backend traffic responses", cause 4).
func TestHairpin(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.lb("in", "f=a@net/s:10.0.0.10", "pool=p", "rule=http:a:p:Tcp:80:80").pooled("w", "net/s", "10.0.0.4", "in/p")
	expect(t, n.compile(), "w: tcp 10.0.0.4 10.0.0.10:80 = deny hairpin http: w > in")
}

// Probes come from 168.63.129.16 and pass the member's security groups as any
// packet ("Azure Load Balancer health probes"); administrative states; a rule
// without a probe takes every member for well.
func TestProbes(t *testing.T) {
	build := func(rules, probe, members string) *fabric.Image {
		n := &network{t: t}
		n.nsg("g", strings.FieldsFunc(rules, func(r rune) bool { return r == ';' })...)
		n.vnet("net", "10.0.0.0/16", "front 10.0.0.0/24", `web 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`)
		n.lb("in", "f=a@net/front:10.0.0.10", "pool=p:"+members, probe, "rule=http:a:p:Tcp:80:8080:probe=h", "rule=bare:a:p:Tcp:81:8081")
		n.pooled("w1", "net/web", "10.0.1.4", "in/p").nic("c", "net/front", "10.0.0.20")
		return n.compile()
	}
	noProbe := "NoProbe 100 Inbound Deny Tcp AzureLoadBalancer * 9000"
	state := func(s string) string {
		return `[{"name":"w1","properties":{"adminState":"` + s + `","networkInterfaceIPConfiguration":{"id":"~nic/w1/ipConfigurations/ip"}}}]`
	}
	for name, tt := range map[string]struct{ rules, probe, members, want, flow string }{
		"answered": {"", "probe=h:9000", "", "w1 10.0.1.4:8080\n", "allow delivered: c > in > w1"},
		"dropped":  {noProbe, "probe=h:9000", "", "w1 10.0.1.4:8080 down: NoProbe of g drops the probe of port 9000\n", "deny no-target http: c > in"},
		"other":    {noProbe, "probe=h:9001", "", "w1 10.0.1.4:8080\n", "allow delivered: c > in > w1"},
		"all up":   {noProbe, "probe=h:9000:up", "", "w1 10.0.1.4:8080\n", "allow delivered: c > in > w1"},
		"state down": {
			"", "probe=h:9000", state("Down"),
			"w1 10.0.1.4:8080 down: its administrative state is Down\n", "deny no-target http: c > in",
		},
		"state up":   {noProbe, "probe=h:9000", state("Up"), "w1 10.0.1.4:8080\n", "allow delivered: c > in > w1"},
		"state none": {noProbe, "probe=h:9000", state("None"), "w1 10.0.1.4:8080 down: NoProbe of g drops the probe of port 9000\n", "deny no-target http: c > in"},
		"unknown": {
			"Odd 100 Inbound Deny Tcp NoSuchTag * 9000", "probe=h:9000", "",
			"whether the probe of port 9000 reaches w1 is unknown\n",
			"unknown rule whether the probe of port 9000 reaches w1 is unknown: c > in > whether the probe of port 9000 reaches w1 is unknown",
		},
	} {
		t.Run(name, func(t *testing.T) {
			img := build(tt.rules, tt.probe, tt.members)
			got := redirects(img, "in", t)
			want := "http tcp 10.0.0.10:80 Default | " + tt.want + "bare tcp 10.0.0.10:81 Default | w1 10.0.1.4:8081\n"
			if got != want {
				t.Errorf("redirects:\n%swant:\n%s", got, want)
			}
			expect(t, img, "c: tcp 10.0.0.20 10.0.0.10:80 = "+tt.flow)
		})
	}
}

// An edit of a security group that drops a probe takes the member out.
func TestProbesFollowEdits(t *testing.T) {
	n := &network{t: t}
	n.nsg("g").vnet("net", "10.0.0.0/16", "front 10.0.0.0/24", `web 10.0.1.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`)
	n.lb("in", "f=a@net/front:10.0.0.10", "pool=p", "probe=h:9000", "rule=http:a:p:Tcp:80:80:probe=h").pooled("w", "net/web", "10.0.1.4", "in/p").nic("c", "net/front", "10.0.0.20")
	k, err := Follow(n.resources, Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, k.Image(), "c: tcp 10.0.0.20 10.0.0.10:80 = allow delivered: c > in > w")
	after := (&network{t: t}).nsg("g", "NoProbe 100 Inbound Deny Tcp AzureLoadBalancer * 9000")
	img, _, err := k.Update(Edit{Put: after.resources}, Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, img, "c: tcp 10.0.0.20 10.0.0.10:80 = deny no-target http: c > in")
}

// "Floating IP": the member takes the packet with the frontend's address.
func TestFloatingIP(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.lb("in", "f=a@net/s:10.0.0.10", "pool=p", "rule=sql:a:p:Tcp:1433:1433:float").pooled("w", "net/s", "10.0.0.4", "in/p").nic("c", "net/s", "10.0.0.20")
	img := n.compile()
	c := flow(t, img, "c", "tcp 10.0.0.20 10.0.0.10:1433")
	if v, r := c.Verdict(); v != fabric.VerdictAllow || c.Forward.Final.Dst != netip.MustParseAddr("10.0.0.10") {
		t.Errorf("%s %s, %+v", v, r.Code, c.Forward.Final)
	}
}

// "High availability ports overview": one rule for all ports of TCP and UDP,
// the next hop of user routes; with one load balancer both directions meet the
// same appliance, with two they may not, and a stateful appliance then refuses
// the reply.
func TestHighAvailabilityPorts(t *testing.T) {
	build := func(back string) *fabric.Image {
		n := &network{t: t}
		n.routeTable("go", "b 10.0.2.0/24 VirtualAppliance 10.0.0.10").routeTable("back", "a 10.0.1.0/24 VirtualAppliance "+back)
		n.vnet("net", "10.0.0.0/16", "nva 10.0.0.0/24",
			`a 10.0.1.0/24 "routeTable":{"id":"~rt/go"}`, `b 10.0.2.0/24 "routeTable":{"id":"~rt/back"}`)
		n.lb("one", "f=f@net/nva:10.0.0.10", "pool=p", "rule=ha:f:p:All:0:0")
		n.lb("two", "f=f@net/nva:10.0.0.11", "pool=p", "rule=ha:f:p:All:0:0")
		for i, nva := range []string{"n1", "n2"} {
			n.pooled(nva, "net/nva", fmt.Sprintf("10.0.0.%d", 4+i), "one/p", "two/p")
			n.resources[len(n.resources)-2].Properties()["enableIPForwarding"] = true
		}
		return n.nic("a", "net/a", "10.0.1.4").nic("b", "net/b", "10.0.2.4").compile()
	}
	img := build("10.0.0.10")
	want := `ha tcp udp 10.0.0.10:* Default | n1 10.0.0.4:0 | n2 10.0.0.5:0
ha tcp udp *:* Default | n1 | n2
`
	if got := redirects(img, "one", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	expect(t, img, "a: icmp 10.0.1.4 10.0.2.4 = deny no-redirect: a > one")
	for _, back := range []string{"10.0.0.10", "10.0.0.11"} {
		img := build(back)
		for first := range int32(2) {
			for then := range int32(2) {
				turn := 0
				p := fabric.Packet{Src: netip.MustParseAddr("10.0.1.4"), Dst: netip.MustParseAddr("10.0.2.4"), Proto: fabric.ProtoTCP, SrcPort: 50000, DstPort: 80}
				c := ref.ConnectBy(img, portOf(t, img, "a"), p, func(_, _ fabric.PortID, _ int32, _ fabric.Packet) int32 {
					turn++
					return []int32{first, then}[turn-1]
				})
				same := slices.Contains(c.Reply.Path, c.Forward.Path[2])
				if want := back == "10.0.0.10" || first == then; same != want {
					t.Errorf("back by %s: choices %d, %d: the same appliance both ways is %t, want %t", back, first, then, same, want)
				}
				v, r := c.Verdict()
				if allowed := v == fabric.VerdictAllow; allowed != same || !allowed && r.Code != fabric.CodeNoSession {
					t.Errorf("back by %s: choices %d, %d: %s", back, first, then, outcome(img, &c))
				}
			}
		}
	}
}

// A frontend with a high-availability ports rule beside others is a next hop of
// its own.
func TestPortsRuleBesideOthers(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "x 9.0.0.0/8 VirtualAppliance 10.0.0.10", "y 8.0.0.0/8 VirtualAppliance 10.0.0.11")
	n.vnet("net", "10.0.0.0/16", "nva 10.0.0.0/24", "a 10.0.1.0/24"+viaR)
	n.lb("in", "f=ha@net/nva:10.0.0.10", "f=web@net/nva:10.0.0.11", "pool=p", "rule=all:ha:p:All:0:0", "rule=http:web:p:Tcp:80:80")
	n.pooled("w", "net/nva", "10.0.0.4", "in/p").nic("a", "net/a", "10.0.1.4")
	expect(t, n.compile(),
		"a: tcp 10.0.1.4 9.9.9.9:80 = deny not-forwarding: a > in/ha > w",
		"a: tcp 10.0.1.4 8.8.8.8:80 = deny no-redirect: a > in",
		"a: tcp 10.0.1.4 10.0.0.10:22 = allow delivered: a > in/ha > w",
		"a: tcp 10.0.1.4 10.0.0.11:80 = allow delivered: a > in > w",
	)
}

// Public frontends: a Standard load balancer is closed until a security group
// lets clients in, a Basic one is open; the member sees the internet client.
func TestPublicFrontend(t *testing.T) {
	for name, tt := range map[string]struct{ sku, nsg, want string }{
		"standard without group": {"Standard", "", "deny closed: internet > out"},
		"standard with group":    {"Standard", "Web 100 Inbound Allow Tcp Internet * 8080", "allow delivered: internet > out > w"},
		"standard group denies":  {"Standard", "Other 100 Inbound Allow Tcp Internet * 80", "deny rule DenyAllInBound: internet > out > w"},
		"basic without group":    {"Basic", "", "allow delivered: internet > out > w"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			more := ""
			if tt.nsg != "" {
				n.nsg("g", tt.nsg)
				more = ` "networkSecurityGroup":{"id":"~nsg/g"}`
			}
			n.pip("p", "52.0.0.1").vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+more)
			n.lb("out", "sku="+tt.sku, "f=a@pip/p", "pool=p", "rule=http:a:p:Tcp:80:8080").pooled("w", "net/s", "10.0.0.4", "out/p")
			img := n.compile()
			expect(t, img, "internet: tcp 8.8.8.8 52.0.0.1:80 = "+tt.want, "internet: tcp 8.8.8.8 52.0.0.1:81 = deny no-redirect: internet > out")
			if p, ok := img.PublicAt(netip.MustParseAddr("52.0.0.1")); !ok || p.Private != p.Addr || img.Ports[p.Port].Name != "out" {
				t.Errorf("public address: %+v", p)
			}
		})
	}
}

// A reply to an internet client leaves by the member's routes: a default route
// to an appliance breaks it ("Integrate Azure Firewall with Azure Standard Load
// Balancer", asymmetric routing).
func TestPublicFrontendAsymmetric(t *testing.T) {
	n := &network{t: t}
	n.routeTable("r", "all 0.0.0.0/0 VirtualAppliance 10.0.1.4").nsg("g", "Web 100 Inbound Allow Tcp Internet * 80")
	n.pip("p", "52.0.0.1").vnet("net", "10.0.0.0/16", `s 10.0.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"},`+strings.TrimSpace(viaR[1:]), "nva 10.0.1.0/24")
	n.lb("out", "f=a@pip/p", "pool=p", "rule=http:a:p:Tcp:80:80").pooled("w", "net/s", "10.0.0.4", "out/p")
	n.nic("nva", "net/nva", "10.0.1.4", `"enableIPForwarding":true`)
	img := n.compile()
	c := flow(t, img, "internet", "tcp 8.8.8.8 52.0.0.1:80")
	if c.Forward.Verdict != fabric.VerdictAllow || c.Reply.Verdict == fabric.VerdictAllow {
		t.Errorf("forward %s, reply %s", c.Forward.Verdict, c.Reply.Verdict)
	}
}

// "Inbound NAT rules", version 1 (one interface, named from either side) and 2
// (a range for a pool), and the NAT pools of scale sets.
func TestInboundNAT(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", "vmss 10.0.1.0/24")
	n.lb("in", "f=a@net/s:10.0.0.10", "pool=p", "nat=ssh:a:Tcp:2201:22:w1", "nat=back:a:Tcp:2202:22", "nat=range:a:Tcp:3000:3389:pool=p=3009",
		"nat=nobody:a:Tcp:2203:22", "natpool=np:a:Tcp:4000:4009:22", "rule=http:a:p:Tcp:80:80")
	n.pooled("w1", "net/s", "10.0.0.4", "in/p").pooled("w2", "net/s", "10.0.0.5", "in/p")
	config := n.resources[len(n.resources)-2].Properties()["ipConfigurations"].([]any)[0].(map[string]any)
	config["properties"].(map[string]any)["loadBalancerInboundNatRules"] = []any{map[string]any{"id": id(t, "~lb/in/inboundNatRules/back").String()}}
	n.add("vmss/set", `{"location":"westeurope","properties":{"virtualMachineProfile":{"networkProfile":{"networkInterfaceConfigurations":[{"properties":{"ipConfigurations":[
		{"properties":{"subnet":{"id":"~vnet/net/subnets/vmss"},"loadBalancerInboundNatPools":[{"id":"~lb/in/inboundNatPools/np"}]}}]}}]}}}}`)
	n.nic("c", "net/s", "10.0.0.20")
	img := n.compile()
	want := `http tcp 10.0.0.10:80 Default | w1 10.0.0.4:80 | w2 10.0.0.5:80
ssh tcp 10.0.0.10:2201 Default | w1 10.0.0.4:22
back tcp 10.0.0.10:2202 Default | w2 10.0.0.5:22
range tcp 10.0.0.10:3000 Default | w1 10.0.0.4:3389
range tcp 10.0.0.10:3001 Default | w2 10.0.0.5:3389
nobody tcp 10.0.0.10:2203 Default
np tcp 10.0.0.10:4000-4009 Default | set 10.0.1.4:22
`
	if got := redirects(img, "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	expect(t, img,
		"c: tcp 10.0.0.20 10.0.0.10:3001 = allow delivered: c > in > w2",
		"c: tcp 10.0.0.20 10.0.0.10:2203 = deny no-target nobody: c > in",
		"c: tcp 10.0.0.20 10.0.0.10:4001 = unknown rule not modelled: c > in > set",
	)
}

// A pool that says which ports its members have, as Azure does when asked.
func TestInboundNATMapping(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	mapped := func(name, port string) string {
		return `{"name":"` + name + `","properties":{"networkInterfaceIPConfiguration":{"id":"~nic/` + name + `/ipConfigurations/ip"},"inboundNatRulesPortMapping":[{"inboundNatRuleName":"R","frontendPort":` + port + `,"backendPort":23}]}}`
	}
	n.lb("in", "f=a@net/s:10.0.0.10", "pool=p:["+mapped("w2", "3000")+"]", "nat=r:a:Tcp:3000:22:pool=p=3009")
	n.pooled("w1", "net/s", "10.0.0.4", "in/p").pooled("w2", "net/s", "10.0.0.5", "in/p")
	want := `r tcp 10.0.0.10:3001 Default | w1 10.0.0.4:22
r tcp 10.0.0.10:3000 Default | w2 10.0.0.5:23
`
	if got := redirects(n.compile(), "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
}

// A member by address in a network that is not among the resources, and one
// that its subnet places.
func TestMembersElsewhere(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").nic("w", "net/s", "10.0.0.4").nic("c", "net/s", "10.0.0.20")
	n.lb("in", "f=a@net/s:10.0.0.10", `pool=p:[{"name":"one","properties":{"ipAddress":"10.9.0.4","virtualNetwork":{"id":"~vnet/gone"}}},{"name":"two","properties":{"ipAddress":"10.0.0.4","subnet":{"id":"~vnet/net/subnets/s"}}},{"name":"later","properties":{}}]`,
		"rule=x:a:p:Tcp:80:80", "nat=gone:a:Tcp:81:22:nobody")
	img := n.compile()
	want := `x tcp 10.0.0.10:80 Default | 10.9.0.4 is not among the resources | w 10.0.0.4:80
gone tcp 10.0.0.10:81 Default | ip is not among the resources
`
	if got := redirects(img, "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	expect(t, img, "c: tcp 10.0.0.20 10.0.0.10:81 = unknown rule ip is not among the resources: c > in > ip is not among the resources")
}

// Members by address ("Backend pool management"), of a pool that is a resource
// of its own, and in a scale set, whose instances are not modelled.
func TestPoolMembers(t *testing.T) {
	n := &network{t: t}
	n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", "vmss 10.0.1.0/24")
	n.lb("in", "f=a@net/s:10.0.0.10",
		`pool=p:[{"name":"x","properties":{"ipAddress":"10.0.0.4","virtualNetwork":{"id":"~vnet/net"}}},{"name":"y","properties":{"ipAddress":"10.0.0.9","virtualNetwork":{"id":"~vnet/net"}}}]`,
		"pool=scale", "rule=http:a:p:Tcp:80:80", "rule=set:a:scale:Tcp:81:80", "rule=child:a:child:Tcp:82:80")
	n.add("lb/in/backendAddressPools/child", `{"properties":{"backendIPConfigurations":[{"id":"~nic/w1/ipConfigurations/ip"},{"id":"~nic/gone/ipConfigurations/ip"}]}}`)
	n.add("vmss/set", `{"location":"westeurope","properties":{"virtualMachineProfile":{"networkProfile":{"networkInterfaceConfigurations":[{"properties":{"ipConfigurations":[
		{"properties":{"subnet":{"id":"~vnet/net/subnets/vmss"},"loadBalancerBackendAddressPools":[{"id":"~lb/in/backendAddressPools/scale"}]}}]}}]}}}}`)
	n.nic("w1", "net/s", "10.0.0.4").nic("c", "net/s", "10.0.0.20")
	img := n.compile()
	want := `http tcp 10.0.0.10:80 Default | w1 10.0.0.4:80 | net/s (unassigned) 10.0.0.9:80 down: no interface has the address 10.0.0.9
set tcp 10.0.0.10:81 Default | set 10.0.1.4:80
child tcp 10.0.0.10:82 Default | w1 10.0.0.4:80 | ip is not among the resources
`
	if got := redirects(img, "in", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	expect(t, img,
		"c: tcp 10.0.0.20 10.0.0.10:80 = allow delivered: c > in > w1",
		"c: tcp 10.0.0.20 10.0.0.10:81 = unknown rule not modelled: c > in > set",
	)
}

// "Azure NAT Gateway" and "Outbound connections": NAT gateway, instance public
// IP, load balancer, default outbound access; a Standard pool takes the last
// away, a pool of addresses does not ("Default outbound access in Azure").
func TestOutboundPrecedence(t *testing.T) {
	const web = "rule=http:a:p:Tcp:80:80"
	byAddr := `pool=p:[{"name":"x","properties":{"ipAddress":"10.0.0.4","virtualNetwork":{"id":"~vnet/net"}}}]`
	for name, tt := range map[string]struct {
		parts  string
		subnet string
		nic    string // public IP of the instance
		byAddr bool
		want   string // what, public source
	}{
		"outbound rule":        {parts: "f=a@pip/f f=b@pip/g pool=p " + web + ":nosnat out=o:b:p", want: "load balancer 52.0.0.2"},
		"rule gives outbound":  {parts: "f=a@pip/f pool=p " + web, want: "load balancer 52.0.0.1"},
		"prefix":               {parts: "f=a@prefix pool=p out=o:a:p", want: "load balancer 198.19.0.1"},
		"snat disabled":        {parts: "f=a@pip/f pool=p " + web + ":nosnat", want: "none"},
		"internal standard":    {parts: "f=a@net/s:10.0.0.10 pool=p " + web, want: "none"},
		"internal basic":       {parts: "sku=Basic f=a@net/s:10.0.0.10 pool=p " + web, want: "default outbound access 198.19.0.2"},
		"public basic":         {parts: "sku=Basic f=a@pip/f pool=p " + web, want: "load balancer 52.0.0.1"},
		"pool without rules":   {parts: "f=a@pip/f pool=p", want: "none"},
		"pool of addresses":    {parts: "f=a@net/s:10.0.0.10 " + byAddr + " " + web, byAddr: true, want: "default outbound access 198.19.0.2"},
		"instance before rule": {parts: "f=a@pip/f pool=p " + web, nic: "i", want: "public IP 52.0.0.3"},
		"gateway before all":   {parts: "f=a@pip/f pool=p " + web, nic: "i", subnet: ` "natGateway":{"id":"~nat/n"}`, want: "NAT gateway 52.0.0.4"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &network{t: t}
			n.pip("f", "52.0.0.1").pip("g", "52.0.0.2").pip("i", "52.0.0.3").pip("n", "52.0.0.4")
			n.add("nat/n", `{"location":"westeurope","properties":{"publicIpAddresses":[{"id":"~pip/n"}]}}`)
			n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24"+tt.subnet)
			n.lb("l", strings.Fields(tt.parts)...)
			if tt.byAddr {
				n.nic("w", "net/s", "10.0.0.4")
			} else {
				n.pooled("w", "net/s", "10.0.0.4", "l/p")
			}
			if tt.nic != "" {
				config := n.resources[len(n.resources)-2].Properties()["ipConfigurations"].([]any)[0].(map[string]any)
				config["properties"].(map[string]any)["publicIPAddress"] = map[string]any{"id": id(t, "~pip/"+tt.nic).String()}
			}
			img := n.compile()
			got := "none"
			if o := img.Ports[portOf(t, img, "w")].Outbound; o != nil {
				a, _ := o.Source(netip.MustParseAddr("10.0.0.4"))
				got = o.What + " " + a.String()
			}
			if got != tt.want {
				t.Errorf("outbound is %s, want %s", got, tt.want)
			}
			if tt.want == "none" {
				expect(t, img, "w: tcp 10.0.0.4 8.8.8.8:80 = deny no-outbound: w")
			}
		})
	}
}

// "Cross-region load balancer": the members of regional load balancers take the
// packets, by the regional rule for the same port.
func TestGlobalLoadBalancer(t *testing.T) {
	n := &network{t: t}
	n.nsg("g", "Web 100 Inbound Allow Tcp Internet * 8080")
	n.pip("g", "52.0.0.1").pip("r1", "52.0.0.2").pip("r2", "52.0.0.3")
	for i, region := range []string{"westeurope", "eastus"} {
		name := fmt.Sprintf("v%d", i+1)
		n.vnetIn(region, name, fmt.Sprintf("10.%d.0.0/16", i+1), "{}", fmt.Sprintf(`s 10.%d.0.0/24 "networkSecurityGroup":{"id":"~nsg/g"}`, i+1))
		lb := fmt.Sprintf("r%d", i+1)
		n.lb(lb, "f=f@pip/"+lb, "pool=p", "probe=h:8080", "rule=http:f:p:Tcp:80:8080:probe=h", "rule=dns:f:p:Udp:53:53:float")
		n.pooled("w"+lb, name+"/s", fmt.Sprintf("10.%d.0.4", i+1), lb+"/p")
	}
	n.lb("all", "tier=Global", "f=f@pip/g",
		`pool=p:[{"name":"one","properties":{"loadBalancerFrontendIPConfiguration":{"id":"~lb/r1/frontendIPConfigurations/f"}}},{"name":"two","properties":{"loadBalancerFrontendIPConfiguration":{"id":"~lb/r2/frontendIPConfigurations/f"}}}]`,
		"rule=http:f:p:Tcp:80:80", "rule=none:f:p:Tcp:81:81", "rule=dns:f:p:Udp:53:53:float", "rule=odd:f:p:Udp:54:53")
	img := n.compile()
	want := `http tcp 52.0.0.1:80 Default | wr1 10.1.0.4:8080 | wr2 10.2.0.4:8080
none tcp 52.0.0.1:81 Default
dns udp 52.0.0.1:53 Default floating | wr1 | wr2
odd udp 52.0.0.1:54 Default | rules "odd" and "dns" differ in floating IP | rules "odd" and "dns" differ in floating IP
`
	if got := redirects(img, "all", t); got != want {
		t.Errorf("redirects:\n%swant:\n%s", got, want)
	}
	c := flow(t, img, "internet", "tcp 8.8.8.8 52.0.0.1:80")
	if v, r := c.Verdict(); v != fabric.VerdictAllow {
		t.Errorf("%s %s", v, r.Code)
	}
	expect(t, img, "internet: tcp 8.8.8.8 52.0.0.1:81 = deny no-target none: internet > all")
}

// "Virtual network peering": Basic frontends are not reached by global peering,
// Standard ones are; both are within the region.
func TestBasicAcrossGlobalPeering(t *testing.T) {
	for _, tt := range []struct{ sku, far string }{
		{"Basic", "deny rule Basic load balancers are not reached by global peering: far > in"},
		{"Standard", "allow delivered: far > in > w"},
	} {
		n := &network{t: t}
		n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24").vnet("near", "10.1.0.0/16", "s 10.1.0.0/24").vnetIn("eastus", "far", "10.2.0.0/16", "{}", "s 10.2.0.0/24")
		n.peer("net", "near").peer("net", "far")
		n.lb("in", "sku="+tt.sku, "f=a@net/s:10.0.0.10", "pool=p", "rule=http:a:p:Tcp:80:80").pooled("w", "net/s", "10.0.0.4", "in/p")
		n.nic("near", "near/s", "10.1.0.4").nic("far", "far/s", "10.2.0.4")
		expect(t, n.compile(),
			"near: tcp 10.1.0.4 10.0.0.10:80 = allow delivered: near > in > w",
			"far: tcp 10.2.0.4 10.0.0.10:80 = "+tt.far,
			"far: tcp 10.2.0.4 10.0.0.4:80 = allow delivered: far > w")
	}
}

// A chain to a gateway load balancer stays unknown, inwards and outwards.
func TestGatewayChain(t *testing.T) {
	n := &network{t: t}
	n.pip("p", "52.0.0.1").pip("i", "52.0.0.2").vnet("net", "10.0.0.0/16", "s 10.0.0.0/24")
	n.lb("gw", "sku=Gateway", "f=a@net/s:10.0.0.10", "pool=p")
	n.lb("out", "f=a@pip/p", "pool=p", "rule=http:a:p:Tcp:80:80")
	front := n.resources[len(n.resources)-1].Properties()["frontendIPConfigurations"].([]any)[0].(map[string]any)
	chain := map[string]any{"id": id(t, "~lb/gw/frontendIPConfigurations/a").String()}
	front["properties"].(map[string]any)["gatewayLoadBalancer"] = chain
	n.pooled("w", "net/s", "10.0.0.4", "out/p").nic("x", "net/s", "10.0.0.5")
	config := n.resources[len(n.resources)-2].Properties()["ipConfigurations"].([]any)[0].(map[string]any)["properties"].(map[string]any)
	config["gatewayLoadBalancer"], config["publicIPAddress"] = chain, map[string]any{"id": id(t, "~pip/i").String()}
	expect(t, n.compile(),
		"internet: tcp 8.8.8.8 52.0.0.1:80 = unknown public-unknown: internet",
		"internet: tcp 8.8.8.8 52.0.0.2:80 = unknown public-unknown: internet",
		"w: tcp 10.0.0.4 8.8.8.8:80 = unknown route-unknown: w",
		"x: tcp 10.0.0.5 8.8.8.8:80 = unknown route-unknown: x",
		"w: tcp 10.0.0.4 10.0.0.10:80 = unknown rule not modelled: w > gw",
	)
}
