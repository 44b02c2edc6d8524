package arm_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	reference "github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// gambler writes random networks through the API and remembers their machines.
type gambler struct {
	c        *cloud
	rng      *rand.Rand
	networks int
}

func (g *gambler) pick(list ...string) string { return list[g.rng.IntN(len(list))] }

func (g *gambler) address() string {
	return g.pick("*", "Internet", "VirtualNetwork", "10.0.0.0/16", "10.1.0.0/24", "10.2.0.4", "9.9.9.0/24", "AzureLoadBalancer")
}

// nsg writes a security group of a network anew.
func (g *gambler) nsg(i int) {
	var rules []string
	for n := range g.rng.IntN(6) {
		rules = append(rules, fmt.Sprintf(`{"name":"r%d","properties":{"priority":%d,"direction":%q,"access":%q,"protocol":%q,"sourceAddressPrefix":%q,"sourcePortRange":%q,"destinationAddressPrefix":%q,"destinationPortRange":%q}}`,
			n, 100+n, g.pick("Inbound", "Outbound"), g.pick("Allow", "Deny"), g.pick("Tcp", "Udp", "*"), g.address(), g.pick("*", "*", "50000"), g.address(), g.pick("*", "443", "22-80")))
	}
	g.c.must("PUT", fmt.Sprintf("%s/networkSecurityGroups/g%d", network, i), `{"location":"westeurope","properties":{"securityRules":[`+strings.Join(rules, ",")+`]}}`)
}

// table writes a route table of a network anew.
func (g *gambler) table(i int) {
	prefixes := []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "9.9.9.0/24", "10.2.0.0/24"}
	g.rng.Shuffle(len(prefixes), func(a, b int) { prefixes[a], prefixes[b] = prefixes[b], prefixes[a] })
	var routes []string
	for n := range g.rng.IntN(4) {
		hop := g.pick(`"Internet"`, `"None"`, `"VnetLocal"`, `"VirtualAppliance","nextHopIpAddress":"10.0.0.4"`, `"VirtualAppliance","nextHopIpAddress":"10.0.0.99"`)
		routes = append(routes, fmt.Sprintf(`{"name":"r%d","properties":{"addressPrefix":%q,"nextHopType":%s}}`, n, prefixes[n], hop))
	}
	g.c.must("PUT", fmt.Sprintf("%s/routeTables/t%d", network, i), `{"location":"westeurope","properties":{"routes":[`+strings.Join(routes, ",")+`]}}`)
}

// network writes a virtual network with one machine.
func (g *gambler) network(i int) {
	g.nsg(i)
	g.table(i)
	attached := ""
	if g.rng.IntN(3) > 0 {
		attached += fmt.Sprintf(`,"networkSecurityGroup":{"id":"%s/networkSecurityGroups/g%d"}`, network, i)
	}
	if g.rng.IntN(2) > 0 {
		attached += fmt.Sprintf(`,"routeTable":{"id":"%s/routeTables/t%d"}`, network, i)
	}
	v := fmt.Sprintf("%s/virtualNetworks/v%d", network, i)
	g.c.must("PUT", v, fmt.Sprintf(`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.%d.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.%d.0.0/24"%s}}]}}`, i, i, attached))
	own := ""
	if g.rng.IntN(2) > 0 {
		own = fmt.Sprintf(`"networkSecurityGroup":{"id":"%s/networkSecurityGroups/g%d"},`, network, g.rng.IntN(i+1))
	}
	g.c.must("PUT", fmt.Sprintf("%s/networkInterfaces/n%d", network, i), fmt.Sprintf(`{"location":"westeurope","properties":{"enableIPForwarding":%v,%s"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"%s/subnets/s"}}}]}}`, i == 0, own, v))
	g.c.must("PUT", fmt.Sprintf("%s%d", machine, i), fmt.Sprintf(`{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"%s/networkInterfaces/n%d"}]}}}`, network, i))
	for j := range i {
		if g.rng.IntN(2) == 0 {
			continue
		}
		w := fmt.Sprintf("%s/virtualNetworks/v%d", network, j)
		g.c.must("PUT", v+fmt.Sprintf("/virtualNetworkPeerings/p%d", j), `{"properties":{"allowForwardedTraffic":true,"remoteVirtualNetwork":{"id":"`+w+`"}}}`)
		g.c.must("PUT", w+fmt.Sprintf("/virtualNetworkPeerings/p%d", i), `{"properties":{"allowForwardedTraffic":true,"remoteVirtualNetwork":{"id":"`+v+`"}}}`)
	}
	g.networks++
}

// TestDiagnoseAgainstRef: through the API, on random networks that change, what
// ipFlowVerify and nextHop say is what the reference evaluator does with the
// packet on an image compiled from nothing.
func TestDiagnoseAgainstRef(t *testing.T) {
	flows, hops := 0, 0
	for seed := range uint64(6) {
		g := &gambler{c: newCloud(t).withGroup(), rng: rand.New(rand.NewPCG(seed, 9))}
		for i := range 3 {
			g.network(i)
		}
		for range 6 {
			switch g.rng.IntN(3) {
			case 0:
				g.nsg(g.rng.IntN(g.networks))
			case 1:
				g.table(g.rng.IntN(g.networks))
			default:
				v := fmt.Sprintf("%s/virtualNetworks/v%d/virtualNetworkPeerings/p%d", network, g.rng.IntN(g.networks), g.rng.IntN(g.networks))
				g.c.do("DELETE", v, "")
			}
			img, err := compile.Compile(g.c.server.Snapshot(), compile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				f, h := g.compare(t, img)
				flows, hops = flows+f, hops+h
			}
		}
	}
	t.Logf("%d verdicts and %d routes compared", flows, hops)
	if flows < 100 || hops < 50 {
		t.Errorf("only %d verdicts and %d routes were compared", flows, hops)
	}
}

// compare asks about one packet between machines or to the internet: the sender
// about what leaves it and where to, and whoever it reaches about what enters.
func (g *gambler) compare(t *testing.T, img *fabric.Image) (flows, hops int) {
	t.Helper()
	i := g.rng.IntN(g.networks)
	src := netip.MustParseAddr(fmt.Sprintf("10.%d.0.4", i))
	dst := netip.MustParseAddr(g.pick("10.0.0.4", "10.1.0.4", "10.2.0.4", "9.9.9.9", "10.0.0.77"))
	if dst == src {
		return 0, 0
	}
	p := fabric.Packet{Src: src, Dst: dst, SrcPort: 50000, DstPort: []uint16{22, 443, 8080}[g.rng.IntN(3)], Proto: []uint8{fabric.ProtoTCP, fabric.ProtoUDP}[g.rng.IntN(2)]}
	from := fabric.PortID(fabric.None)
	for at := range img.Ports {
		if img.Ports[at].Origin.Resource == fmt.Sprintf("%s/networkInterfaces/n%d", network, i) {
			from = fabric.PortID(at)
		}
	}
	trace := reference.Trace(img, from, p)
	type place struct {
		at  fabric.PortID
		dir fabric.Direction
	}
	verdicts := map[place]fabric.Step{}
	var order []place
	for _, s := range trace.Steps {
		if s.Kind == fabric.StepFilter && s.Direction != fabric.Through {
			at := place{s.Port, s.Direction}
			if _, known := verdicts[at]; !known {
				order = append(order, at)
			}
			if had, known := verdicts[at]; !known || had.Action != fabric.Drop {
				verdicts[at] = s
			}
		}
		if s.Kind == fabric.StepRoute && s.Port == from {
			r := &img.Tables[s.Table].Routes[s.Route]
			got := g.c.ask(watcher+"/nextHop", fmt.Sprintf(`{"targetResourceId":"%s%d","sourceIPAddress":"%s","destinationIPAddress":"%s"}`, machine, i, src, dst)).body
			via := ""
			if r.Hop.Via.IsValid() {
				via = r.Hop.Via.String()
			}
			table := "System Route"
			if r.Source == "User" {
				table = r.Origin.Resource
			}
			if str(got, "nextHopType") != r.Kind || str(got, "nextHopIpAddress") != via || str(got, "routeTableId") != table {
				t.Fatalf("%s: next hop %v, the reference took %+v", p, got, r)
			}
			hops++
		}
	}
	for _, at := range order {
		s := verdicts[at]
		nic := img.Ports[at.at].Origin.Resource
		if !strings.Contains(nic, "/networkInterfaces/") {
			continue
		}
		local, remote, localPort, remotePort, direction := s.Packet.Src, s.Packet.Dst, s.Packet.SrcPort, s.Packet.DstPort, "Outbound"
		if at.dir == fabric.In {
			local, remote, localPort, remotePort, direction = remote, local, remotePort, localPort, "Inbound"
		}
		got := g.c.ask(watcher+"/ipFlowVerify", fmt.Sprintf(`{"targetResourceId":"%s","direction":%q,"protocol":%q,"localIPAddress":"%s","localPort":"%d","remoteIPAddress":"%s","remotePort":"%d"}`,
			nic, direction, strings.ToUpper(fabric.ProtoName(s.Packet.Proto)), local, localPort, remote, remotePort)).body
		want := map[fabric.Action]string{fabric.Pass: "Allow", fabric.Bypass: "Allow", fabric.Drop: "Deny", fabric.Unknown: "Unknown"}[s.Action]
		rule := ""
		if s.Rule != fabric.None {
			rule = img.Filters[s.Filter].Rules[s.Rule].Origin.Name
		}
		if str(got, "access") != want || !strings.HasSuffix(str(got, "ruleName"), "/"+rule) {
			t.Fatalf("%s %s at %s: %v, the reference has %s by %s", p, direction, nic, got, want, rule)
		}
		flows++
	}
	return flows, hops
}
