package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// publicFarm is a Standard load balancer with public frontends f0, f1, … (the
// addresses 52.0.0.1, 52.0.0.2, …), machines w0, w1, … in its pool, and more
// properties: rules.
func publicFarm(t *testing.T, frontends, machines int, rules string) *network {
	n := &network{t: t}
	n.vnet("v", "10.0.0.0/16", "s 10.0.0.0/20")
	n.add("nsg/open", `{"location":"westeurope","properties":{"securityRules":[]}}`)
	var fronts, members []string
	for i := range frontends {
		n.add(fmt.Sprintf("pip/p%d", i), fmt.Sprintf(`{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":"52.0.0.%d"}}`, i+1))
		fronts = append(fronts, fmt.Sprintf(`{"name":"f%d","properties":{"publicIPAddress":{"id":"~pip/p%d"}}}`, i, i))
	}
	for i := range machines {
		n.nic(fmt.Sprintf("w%d", i), "v/s", fmt.Sprintf("10.0.%d.%d", i/200, 4+i%200))
		members = append(members, fmt.Sprintf(`{"name":"w%d","properties":{"networkInterfaceIPConfiguration":{"id":"~nic/w%d/ipConfigurations/ip"}}}`, i, i))
	}
	return n.add("lb/lb", fmt.Sprintf(`{"location":"westeurope","sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[%s],"backendAddressPools":[{"name":"p","properties":{"drainPeriodInSeconds":90,"loadBalancerBackendAddresses":[%s]}}],%s}}`,
		strings.Join(fronts, ","), strings.Join(members, ","), rules))
}

// outboundRule is an outbound rule by some frontends.
func outboundRule(frontends int, extra string) string {
	var refs []string
	for i := range frontends {
		refs = append(refs, fmt.Sprintf(`{"id":"~lb/lb/frontendIPConfigurations/f%d"}`, i))
	}
	return fmt.Sprintf(`"outboundRules":[{"name":"out","properties":{"protocol":"All","frontendIPConfigurations":[%s],"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"}%s}}]`,
		strings.Join(refs, ","), extra)
}

// The blocks of source ports of a load balancer's members.
func TestOutboundPorts(t *testing.T) {
	web := `,"loadBalancingRules":[{"name":"web","properties":{"protocol":"Tcp","frontendPort":1030,"backendPort":80,"disableOutboundSnat":true,
		"frontendIPConfiguration":{"id":"~lb/lb/frontendIPConfigurations/f0"},"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"}}}]`
	for _, tt := range []struct {
		name                string
		frontends, machines int
		rules, of, want     string // the blocks of a machine
	}{
		{"by the size of the pool, 1 to 50", 1, 2, outboundRule(1, ""), "w0", "52.0.0.1 1024-2047"},
		{"the next member has the next", 1, 2, outboundRule(1, ""), "w1", "52.0.0.1 2048-3071"},
		{"by the size of the pool, 51 to 100", 1, 51, outboundRule(1, ""), "w1", "52.0.0.1 1536-2047"},
		{"every frontend gives by the table", 2, 2, outboundRule(2, ""), "w1", "52.0.0.1 2048-3071, 52.0.0.2 2048-3071"},
		{"allocated", 1, 2, outboundRule(1, `,"allocatedOutboundPorts":8000`), "w1", "52.0.0.1 9024-17023"},
		{"allocated, frontends one after another", 2, 3, outboundRule(2, `,"allocatedOutboundPorts":40000`), "w1", "52.0.0.1 41024-65023, 52.0.0.2 1024-17023"},
		{"allocated, more than there are", 1, 3, outboundRule(1, `,"allocatedOutboundPorts":32000`), "w2", ""},
		{"a rule's port takes its block of eight", 1, 2, outboundRule(1, "") + web, "w0", "52.0.0.1 1032-2055"},
		{"of a load-balancing rule", 1, 2, strings.Replace(web[1:], `,"disableOutboundSnat":true`, "", 1), "w1", "52.0.0.1 2056-3079"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := publicFarm(t, tt.frontends, tt.machines, tt.rules).compile()
			o := img.Ports[portOf(t, img, tt.of)].Outbound
			var got []string
			for _, b := range o.Ports {
				got = append(got, fmt.Sprintf("%s %d-%d", b.Addr, b.First, b.Last))
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("%s, want %s", text, tt.want)
			}
			if (len(o.Pool) == 0) != (tt.want == "") || !o.PerHost || o.Shared {
				t.Errorf("%+v", o)
			}
			// No two members share a port.
			seen := map[fabric.PortBlock]string{}
			for i := range tt.machines {
				name := fmt.Sprint("w", i)
				for _, b := range img.Ports[portOf(t, img, name)].Outbound.Ports {
					for have, whose := range seen {
						if have.Addr == b.Addr && have.First <= b.Last && b.First <= have.Last {
							t.Fatalf("%s and %s share ports of %s", whose, name, b.Addr)
						}
					}
					seen[b] = name
				}
			}
		})
	}
}

// Secondary configurations have no way out by a load balancer.
func TestSecondaryConfigurationsAreBarred(t *testing.T) {
	n := publicFarm(t, 1, 1, outboundRule(1, ""))
	for _, r := range n.resources {
		if r.ID.Name() == "w0" && r.ID.Is("Microsoft.Network/networkInterfaces") {
			configs := r.Properties()["ipConfigurations"].([]any)
			r.Properties()["ipConfigurations"] = append(configs, map[string]any{"name": "two", "properties": map[string]any{
				"privateIPAddress": "10.0.9.9", "privateIPAllocationMethod": "Static", "subnet": map[string]any{"id": id(t, "~vnet/v/subnets/s").String()},
			}})
		}
	}
	img := n.compile()
	if got := img.Ports[portOf(t, img, "w0")].Outbound.Barred; !slices.Equal(got, []netip.Addr{netip.MustParseAddr("10.0.9.9")}) {
		t.Errorf("barred %v", got)
	}
	for src, want := range map[string]fabric.Code{"10.0.0.4": fabric.CodeDelivered, "10.0.9.9": fabric.CodeNoOutbound} {
		if c := flow(t, img, "w0", "tcp "+src+" 8.8.8.8:443"); c.Forward.Reason.Code != want {
			t.Errorf("from %s: %s", src, c.Forward.Reason.Code)
		}
	}
}

// Timers, resets, hashes and drains of rules are in the image.
func TestTimersOfRules(t *testing.T) {
	ends := `"frontendIPConfiguration":{"id":"~lb/lb/frontendIPConfigurations/f0"}`
	pool := `"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"}`
	img := publicFarm(t, 1, 2, outboundRule(1, `,"idleTimeoutInMinutes":60,"enableTcpReset":true`)+`,
		"loadBalancingRules":[
			{"name":"web","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,"disableOutboundSnat":true,"idleTimeoutInMinutes":15,"enableTcpReset":true,`+ends+`,`+pool+`}},
			{"name":"plain","properties":{"protocol":"Udp","frontendPort":53,"backendPort":53,"disableOutboundSnat":true,`+ends+`,`+pool+`}}],
		"inboundNatRules":[{"name":"ssh","properties":{"protocol":"Tcp","frontendPort":2222,"backendPort":22,"idleTimeoutInMinutes":30,"enableTcpReset":true,`+ends+`,"backendIPConfiguration":{"id":"~nic/w0/ipConfigurations/ip"}}}]`).compile()
	type timed struct {
		idle, drain time.Duration
		reset       fabric.Reset
	}
	want := map[string]timed{
		"web": {15 * time.Minute, 90 * time.Second, fabric.ResetIdle}, "plain": {4 * time.Minute, 90 * time.Second, fabric.ResetNever},
		"ssh": {30 * time.Minute, 0, fabric.ResetIdle},
	}
	for _, r := range img.Ports[portOf(t, img, "lb")].Inward.Redirects {
		if got := (timed{r.Timers.Idle, r.Drain, r.Reset}); got != want[r.Name] || r.EndsAllDown || r.Nearest || r.Symmetric {
			t.Errorf("%s: %+v, want %+v", r.Name, got, want[r.Name])
		}
		delete(want, r.Name)
	}
	if len(want) > 0 {
		t.Errorf("no redirect of %v", want)
	}
	o := img.Ports[portOf(t, img, "w0")].Outbound
	if o.Timers.Idle != time.Hour || o.Reset != fabric.ResetIdle {
		t.Errorf("outbound rule: %+v, %s", o.Timers, o.Reset)
	}
}

// A NAT gateway's addresses and timers ("Azure NAT Gateway resource").
func TestNATGateway(t *testing.T) {
	for _, tt := range []struct {
		name, prefix string // the prefix's properties
		addrs        []string
	}{
		{"its prefix has addresses", `"ipPrefix":"52.9.0.16/30","prefixLength":30`, []string{"52.0.0.1", "52.9.0.16", "52.9.0.17", "52.9.0.18", "52.9.0.19"}},
		{"Azure chooses", `"prefixLength":31`, []string{"52.0.0.1", "198.19.128.0", "198.19.128.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{t: t}
			n.add("pip/p", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":"52.0.0.1"}}`)
			n.add("prefix/x", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{`+tt.prefix+`}}`)
			n.add("nat/n", `{"location":"westeurope","properties":{"idleTimeoutInMinutes":10,"publicIpAddresses":[{"id":"~pip/p"}],"publicIpPrefixes":[{"id":"~prefix/x"}]}}`)
			n.vnet("v", "10.0.0.0/16", `s 10.0.0.0/24 "natGateway":{"id":"~nat/n"}`)
			n.nic("a", "v/s", "10.0.0.4").nic("b", "v/s", "10.0.0.5")
			img := n.compile()
			o := img.Ports[portOf(t, img, "a")].Outbound
			var addrs []string
			for _, a := range o.Pool {
				addrs = append(addrs, a.String())
			}
			if !slices.Equal(addrs, tt.addrs) {
				t.Errorf("addresses %v, want %v", addrs, tt.addrs)
			}
			timers := fabric.Timers{
				Idle: 10 * time.Minute, IdleUDP: 4 * time.Minute, HalfOpen: 30 * time.Second,
				FIN: 65 * time.Second, RST: 16 * time.Second, RestUDP: 65 * time.Second,
			}
			if o.Timers != timers || o.Reset != fabric.ResetLate || !o.Shared || o.PerHost || len(o.Ports) != 0 {
				t.Errorf("%+v", o)
			}
			if len(o.Blocks(true)) != len(tt.addrs) || o != img.Ports[portOf(t, img, "b")].Outbound {
				t.Error("the interfaces do not share the gateway's ports")
			}
		})
	}
}

// What of a load balancer's kind decides about its flows: a Basic one ends TCP
// flows when all members are down, a global one prefers the nearest region, and
// what routes bring to a high-availability ports rule is hashed alike both ways.
func TestKindsOfBalancers(t *testing.T) {
	for _, tt := range []struct {
		name, sku              string
		endsAllDown, isNearest bool
	}{
		{"Standard", `{"name":"Standard"}`, false, false},
		{"Basic", `{"name":"Basic"}`, true, false},
		{"global", `{"name":"Standard","tier":"Global"}`, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := publicFarm(t, 1, 2, `"loadBalancingRules":[{"name":"web","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,
				"frontendIPConfiguration":{"id":"~lb/lb/frontendIPConfigurations/f0"},"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"}}}]`)
			sku, err := model.ParseJSON([]byte(tt.sku))
			if err != nil {
				t.Fatal(err)
			}
			n.resources[len(n.resources)-1].Doc["sku"] = sku
			img := n.compile()
			r := img.Ports[portOf(t, img, "lb")].Inward.Redirects[0]
			if r.EndsAllDown != tt.endsAllDown || r.Nearest != tt.isNearest || r.Symmetric {
				t.Errorf("ends when all are down %v, nearest %v, symmetric %v", r.EndsAllDown, r.Nearest, r.Symmetric)
			}
		})
	}
	t.Run("HA ports", func(t *testing.T) {
		n := &network{t: t}
		n.vnet("v", "10.0.0.0/16", "s 10.0.0.0/24")
		n.nic("fw", "v/s", "10.0.0.4", `"enableIPForwarding":true`)
		n.add("lb/lb", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{
			"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.0.10","subnet":{"id":"~vnet/v/subnets/s"}}}],
			"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":[{"name":"fw","properties":{"networkInterfaceIPConfiguration":{"id":"~nic/fw/ipConfigurations/ip"}}}]}}],
			"loadBalancingRules":[{"name":"ha","properties":{"protocol":"All","frontendPort":0,"backendPort":0,"enableTcpReset":true,
				"frontendIPConfiguration":{"id":"~lb/lb/frontendIPConfigurations/f"},"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"}}}]}}`)
		img := n.compile()
		list := img.Ports[portOf(t, img, "lb")].Inward.Redirects
		if len(list) != 2 || list[0].Symmetric || !list[1].Symmetric {
			t.Errorf("%+v", list)
		}
	})
}
