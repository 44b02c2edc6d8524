package proof

import (
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// TestContractTraps has the cases where looking at one policy alone goes wrong.
// Each opens what normally keeps prod out of nonprod, but for the filters of one
// destination.
func TestContractTraps(t *testing.T) {
	const target = "data-nonprod-0-1"
	claim := model.Expectation{Verb: model.Deny, From: group("prod"), To: group("nonprod")}
	open := func(p *planet) {
		for _, env := range []string{"admin-out-prod", "admin-in-nonprod", "admin-out-nonprod", "admin-in-prod"} {
			p.filterNamed(env).Rules = nil
		}
		for i := range p.img.Filters {
			f := &p.img.Filters[i]
			switch f.Stage {
			case fabric.StagePolicy:
				f.Rules, f.Default = nil, fabric.Pass
			case fabric.StageSegment:
				if f.Default == fabric.Drop {
					f.Rules = nil // no destination takes anything
				}
			}
		}
	}
	only := func(p *planet, src fabric.Set, action fabric.Action) {
		r := rule("only", action, p.set(src), 0, 0, 0)
		p.filterNamed("nsg-data-nonprod-0-1").Rules = []fabric.Rule{r}
	}
	firewall := func(p *planet, n int) (*fabric.Port, netip.Addr) {
		f := &p.img.Ports[p.firewalls[n]]
		return f, p.img.Sets[f.Addrs].Min().Addr()
	}
	nowhere := fabric.AddrSet(netip.MustParseAddr("192.0.2.1"))
	for _, tt := range []struct {
		name   string
		change func(*planet)
		want   Status
	}{
		{"nothing is let in", func(*planet) {}, Holds},
		{"a firewall's address is let in, but sources are kept", func(p *planet) {
			_, a := firewall(p, 0)
			only(p, fabric.AddrSet(a), fabric.Pass)
		}, Holds},
		{"a firewall's address is let in, and it hides the sources", func(p *planet) {
			f, a := firewall(p, 0)
			f.Forward.Own, f.Forward.Private = []netip.Addr{a}, p.set(nowhere)
			only(p, fabric.AddrSet(a), fabric.Pass)
		}, Broken},
		{"the address of a firewall two hops away, which hides the sources", func(p *planet) {
			f, a := firewall(p, 1)
			f.Forward.Own, f.Forward.Private = []netip.Addr{a}, p.set(nowhere)
			only(p, fabric.AddrSet(a), fabric.Pass)
		}, Broken},
		{"the second firewall lets only the first's address pass", func(p *planet) {
			f, a := firewall(p, 1)
			f.Forward.Own, f.Forward.Private = []netip.Addr{a}, p.set(nowhere)
			policy := p.filterNamed("policy-hub0")
			policy.Default = fabric.Drop
			policy.Rules = []fabric.Rule{rule("first", fabric.Pass, p.set(fabric.AddrSet(a)), 0, 0, 0)}
			only(p, fabric.AddrSet(a), fabric.Pass)
		}, Broken},
		{"whether the destination takes it is unknown", func(p *planet) {
			only(p, fabric.AllValues(), fabric.Unknown)
		}, Unknown},
		{"a rule for somebody else is unknown", func(p *planet) {
			only(p, nowhere, fabric.Unknown)
		}, Holds},
		{"whether the firewall passes it is unknown", func(p *planet) {
			p.filterNamed("policy-hub0").Rules = []fabric.Rule{rule("odd", fabric.Unknown, 0, 0, 0, 0)}
		}, Unknown},
		{"whether a source sends it is unknown", func(p *planet) {
			p.filterNamed("nsg-app-prod-0-0-out").Rules = []fabric.Rule{rule("odd", fabric.Unknown, 0, 0, 0, 0)}
		}, Unknown},
		{"where a source's route leads is unknown", func(p *planet) {
			t := p.tableNamed("prod-0-0")
			t.Routes = append(t.Routes, fabric.Route{Prefix: spokePrefix(0, 1), Hop: fabric.Hop{Kind: fabric.HopUnknown}})
			fabric.SortRoutes(t.Routes)
		}, Unknown},
		{"an admin rule bypasses what denies", func(p *planet) {
			p.filterNamed("admin-in-nonprod").Rules = []fabric.Rule{rule("always", fabric.Bypass, 0, 0, 0, 0)}
		}, Broken},
		{"a public address leads in, and the internet is let in", func(p *planet) {
			p.publish(target, "20.9.9.9")
			only(p, p.img.Sets[p.img.Ports[p.img.Edge].Addrs].Union(fabric.PrefixSet(netip.MustParsePrefix("20.0.0.0/8"))), fabric.Pass)
		}, Broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlanet(3, 4)
			open(p)
			tt.change(p)
			if err := p.img.Check(); err != nil {
				t.Fatal(err)
			}
			prover := New(p.img)
			if f := prover.check(newArena(p.img), claim, DefaultBudget); f.Status != tt.want {
				t.Errorf("%s: %s", f.Status, f.Why)
			}
			compareContracts(t, prover, claim)
		})
	}
}
