package proof

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// TestInwardLeaves holds the walk to the reference where redirects, services
// and masquerades meet.
func TestInwardLeaves(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*planet)
	}{
		{"a balancer in front of hosts, with another port", func(p *planet) {
			p.open()
			p.balance("app-prod-0-0", "web", "10.0.1.200", 443, 8443, "app-prod-0-2", "app-prod-0-0", "app-prod-1-0")
		}},
		{"a floating frontend", func(p *planet) {
			p.open()
			_, b := p.balance("app-prod-0-0", "web", "10.0.1.200", 443, 0, "app-prod-0-2", "app-prod-0-0")
			r := &b.Inward.Redirects[0]
			r.Floating = true
			for i := range r.Targets {
				r.Targets[i].Addr = netip.Addr{}
			}
		}},
		{"a public frontend, floating", func(p *planet) {
			p.open()
			p.straight("prod-0-0")
			_, b := p.balance("app-prod-0-0", "web", "20.1.2.3", 443, 0, "app-prod-0-2", "app-prod-0-0")
			b.Inward.Redirects[0].Floating = true
			b.Inward.Redirects[0].Targets[1].Addr = netip.Addr{}
		}},
		{"appliances behind a balancer", func(p *planet) { p.open(); p.sandwich(true) }},
		{"appliances behind routers", func(p *planet) {
			p.open()
			_, r := p.sandwich(true)
			r.Apart = true
		}},
		{"an appliance that hides what it forwards", func(p *planet) {
			p.open()
			nva, _ := p.sandwich(false)
			nva.Forward.Own = []netip.Addr{addr("10.0.0.21")}
			nva.Forward.Private = p.set(fabric.PrefixSet(netip.MustParsePrefix("10.0.1.0/24")))
		}},
		{"a policy that masquerades", func(p *planet) {
			nva, _ := p.sandwich(true)
			p.open()
			nva.Forward.Own = []netip.Addr{addr("10.0.0.21")}
			nva.Forward.Private = fabric.AnySet
			f := fabric.Filter{Name: "masquerade", Default: fabric.Pass}
			f.Rules = []fabric.Rule{rule("web", fabric.Pass, 0, 0, p.set(fabric.NumSet(443, 443)), p.tcp)}
			f.Rules[0].Masquerade = true
			nva.Forward.Policy = []fabric.FilterID{p.filter(f)}
		}},
		{"a firewall that publishes a host", func(p *planet) {
			p.open()
			fw := &p.img.Ports[p.firewalls[0]]
			public := fw.Outbound.Pool[0]
			fw.Inward = &fabric.Inward{Addrs: p.set(fabric.AddrSet(public)), Redirects: []fabric.Redirect{{
				Name: "dnat", Match: [fabric.NumFields]fabric.SetID{fabric.DstPort: p.set(fabric.NumSet(443, 443)), fabric.Proto: p.tcp},
				Targets: []fabric.Target{{Port: fabric.None, Addr: addr("10.0.1.4"), DstPort: 8443}}, Source: addr("10.0.0.4"),
			}}}
			for i := range p.img.Publics {
				if p.img.Publics[i].Addr == public {
					p.img.Publics[i].Port, p.img.Publics[i].Private = p.firewalls[0], public
				}
			}
		}},
		{"a site", func(p *planet) { p.open(); p.site() }},
		{"a balancer that changes the ports of replies", func(p *planet) {
			p.open()
			_, r := p.sandwich(true)
			r.Targets[0].DstPort, r.Targets[1].DstPort = 8443, 443
		}},
		{"an appliance that sends everything back to its balancer", func(p *planet) {
			p.open()
			nva, _ := p.sandwich(true)
			ilb, _ := p.portNamed("ilb")
			nva.Routes = p.table("nva", fabric.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: ilb}})
		}},
		{"a service endpoint behind a firewall", func(p *planet) {
			p.open()
			p.storage()
			q, _ := p.portNamed("fwhub0")
			p.lead("hub0", "20.60.0.0/24", fabric.Hop{Kind: fabric.HopService, Segment: p.img.Ports[q].Segment})
			_, shop := p.portNamed("shop")
			shop.Admits = append(shop.Admits, fabric.Admit{Segment: p.img.Ports[q].Segment})
		}},
		{"a service and its endpoints", func(p *planet) { p.storage() }},
		{"a closed public address", func(p *planet) {
			p.open()
			p.publish("app-prod-0-0", "20.1.1.1")
			p.img.Publics[len(p.img.Publics)-1].Closed = true
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlanet(2, 3)
			tt.change(p)
			if err := p.img.Check(); err != nil {
				t.Fatal(err)
			}
			var also []netip.Addr
			for _, x := range p.img.Publics {
				also = append(also, x.Addr)
			}
			for i := range p.img.Ports {
				if x := &p.img.Ports[i]; x.Kind != fabric.PortVacant && x.Kind != fabric.PortEdge {
					if own := p.img.Sets[x.Addrs]; len(own) > 0 {
						also = append(also, own.Min().Addr())
					}
				}
			}
			checkLeaves(t, rand.New(rand.NewPCG(1, 13)), p.img, 700, also...)
		})
	}
}

// BenchmarkSandwich is a planet whose hubs have two appliances each behind a
// balancer: four ways between regions.
func BenchmarkSandwich(b *testing.B) {
	p := newPlanet(7, 143)
	for r := range p.regions {
		p.sandwichAt(r, fmt.Sprint("ilb", r), fmt.Sprint("nva", r), true)
	}
	for _, c := range planetClaims() {
		for i := range c.Through {
			c.Through[i].Kind = model.NamedBalancer
			c.Through[i].Name = "ilb0"
		}
		b.Run(c.Name, func(b *testing.B) {
			b.ReportAllocs()
			prover := New(p.img)
			var f Finding
			for b.Loop() {
				f = prover.Check([]model.Expectation{c})[0]
			}
			b.ReportMetric(float64(f.Counts.Steps), "steps")
			b.ReportMetric(float64(f.Status), "status")
		})
	}
}
