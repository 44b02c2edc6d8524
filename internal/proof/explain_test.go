package proof

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

func TestExplain(t *testing.T) {
	route := func(p *planet, table, prefix string, hop fabric.Hop) {
		tab := p.tableNamed(table)
		tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix(prefix), Hop: hop}}, tab.Routes...)
	}
	for _, tt := range []struct {
		name     string
		change   func(*planet)
		from, to model.Selector
		traffic  []model.Traffic
		verdict  string
		blockers []string // parts of their fixes, in order
		complete bool
	}{
		{"works", nil, host("app-prod-0-0"), host("data-prod-1-0"), tcp(5432), "allow", nil, true},
		{"the port that works is found", nil, host("app-prod-0-0"), host("data-prod-1-0"), nil, "allow", nil, true},
		{"groups are shown by a host of each", nil, group("app", "prod"), group("data", "prod"), tcp(5432), "allow", nil, true},
		{"every filter of the way", nil, host("app-prod-0-0"), host("data-prod-1-0"), tcp(22), "deny", []string{
			"tcp/22 in policy-hub0", "tcp/22 in policy-hub1", "tcp/22 in admin-in-prod before management", "tcp/22 in nsg-data-prod-1-0 before nothing-else",
		}, true},
		{"a route that drops, and what is behind it", func(p *planet) {
			route(p, "prod-0-0", "10.32.0.0/11", fabric.Hop{Kind: fabric.HopDrop})
			p.filterNamed("nsg-data-prod-1-0").Rules[0].Action = fabric.Drop
		}, host("app-prod-0-0"), host("data-prod-1-0"), tcp(5432), "deny", []string{"remove route 10.32.0.0/11 from prod-0-0", "in nsg-data-prod-1-0 before service"}, true},
		{"an appliance that is not there", func(p *planet) {
			route(p, "prod-0-0", "10.0.2.0/24", fabric.Hop{Kind: fabric.HopMissing, Via: netip.MustParseAddr("10.0.0.9")})
		}, host("app-prod-0-0"), host("app-nonprod-0-1"), tcp(443), "deny", []string{"before isolation", "remove route 10.0.2.0/24 from prod-0-0", "in policy-hub0", "before isolation"}, true},
		{"a host that does not forward", func(p *planet) {
			at, _ := p.portNamed("data-prod-0-0")
			route(p, "prod-0-0", "10.32.1.0/24", fabric.Hop{Kind: fabric.HopPort, Port: at})
			p.filterNamed("nsg-data-prod-0-0").Rules = nil
			p.filterNamed("nsg-data-prod-0-0").Default = fabric.Pass
		}, host("app-prod-0-0"), host("app-prod-1-0"), tcp(443), "deny", []string{"remove route 10.32.1.0/24 from prod-0-0"}, true},
		{"a reply that passes another firewall", func(p *planet) {
			to, _ := p.portNamed("fwhub2")
			route(p, "prod-1-0", "10.0.1.0/24", fabric.Hop{Kind: fabric.HopPort, Port: to})
		}, host("app-prod-0-0"), host("data-prod-1-0"), tcp(5432), "deny", []string{"route replies to 10.0.1.4 through fwhub1 in prod-1-0"}, true},
		{"no way out", func(p *planet) {
			p.filterNamed("policy-hub0").Rules[0].Match[fabric.Dst] = fabric.AnySet
			_, fw := p.portNamed("fwhub0")
			fw.Outbound = nil
		}, host("app-prod-0-0"), internet, tcp(443), "deny", []string{"NAT gateway or a public IP"}, true},
		{"a private host from the internet", nil, internet, host("app-prod-0-0"), tcp(443), "deny", []string{"public IP"}, false},
		{"a public host from the internet", func(p *planet) {
			p.publish("app-prod-0-0", "20.1.1.1")
			p.filterNamed("nsg-app-prod-0-0").Rules[0].Match[fabric.Src] = fabric.AnySet
		}, internet, host("app-prod-0-0"), tcp(443), "allow", nil, true},
		{"an undecided rule", func(p *planet) {
			p.filterNamed("policy-hub0").Rules = []fabric.Rule{rule("fqdn", fabric.Unknown, 0, 0, 0, 0)}
		}, host("app-prod-0-0"), host("data-prod-1-0"), tcp(5432), "unknown", []string{"before fqdn"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlanet(3, 3)
			if tt.change != nil {
				tt.change(p)
				for i := range p.img.Tables {
					fabric.SortRoutes(p.img.Tables[i].Routes)
				}
			}
			if err := p.img.Check(); err != nil {
				t.Fatal(err)
			}
			x := New(p.img).Explain(tt.from, tt.to, tt.traffic)
			if x.Problem != "" || x.Verdict != tt.verdict || x.Complete != tt.complete || x.Works() != (tt.verdict == "allow") {
				t.Errorf("%s, complete %v: %s%s", x.Verdict, x.Complete, x.Problem, x.Why)
			}
			for i, b := range x.Blockers {
				if i >= len(tt.blockers) || !strings.Contains(b.Fix, tt.blockers[i]) {
					t.Errorf("blocker %d: %s; fix: %s", i, b.What, b.Fix)
				}
			}
			if len(x.Blockers) != len(tt.blockers) {
				t.Errorf("%d blockers, want %d", len(x.Blockers), len(tt.blockers))
			}
			for _, style := range []Style{{}, {Colour: true}} {
				var b bytes.Buffer
				if err := x.WriteText(&b, style); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(b.String(), "\x1b") != style.Colour {
					t.Errorf("colour %v: %q", style.Colour, b.String())
				}
				for line := range strings.Lines(b.String()) {
					if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width && !style.Colour {
						t.Errorf("%d columns: %s", n, line)
					}
				}
			}
			var b bytes.Buffer
			if err := x.WriteJSON(&b); err != nil {
				t.Fatal(err)
			}
			var back Explanation
			if err := json.Unmarshal(b.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			if len(back.Forward) != len(x.Forward) || len(back.Blockers) != len(x.Blockers) || back.Packet != x.Packet {
				t.Errorf("JSON lost something: %s", b.String())
			}
		})
	}
}

func TestExplainNobody(t *testing.T) {
	p := New(newPlanet(1, 2).img)
	if x := p.Explain(group("staging"), anyone, nil); !strings.Contains(x.Problem, `"staging" selects nothing`) || x.Works() {
		t.Errorf("%+v", x)
	}
	if x := p.Explain(host("app-prod-0-0"), host("app-prod-0-0"), tcp(1)); !strings.Contains(x.Problem, "one host") {
		t.Errorf("%+v", x)
	}
}
