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

func host(name string) model.Selector {
	return model.Selector{Text: name, All: []model.Label{{Kind: model.LabelHost, Name: name}}}
}

func prefixes(text string) model.Selector {
	return model.Selector{Text: text, Prefixes: []netip.Prefix{netip.MustParsePrefix(text)}}
}

var (
	internet = model.Selector{Text: "internet", Internet: true}
	anyone   = model.Selector{Text: "any", Any: true}
	sites    = model.Selector{Text: "on-premises", OnPrem: true}
)

func (p *planet) filterNamed(name string) *fabric.Filter {
	for i := range p.img.Filters {
		if p.img.Filters[i].Name == name {
			return &p.img.Filters[i]
		}
	}
	panic("no filter " + name)
}

func (p *planet) tableNamed(name string) *fabric.Table {
	for i := range p.img.Tables {
		if p.img.Tables[i].Name == name {
			return &p.img.Tables[i]
		}
	}
	panic("no table " + name)
}

func (p *planet) portNamed(name string) (fabric.PortID, *fabric.Port) {
	for i := range p.img.Ports {
		if p.img.Ports[i].Name == name {
			return fabric.PortID(i), &p.img.Ports[i]
		}
	}
	panic("no port " + name)
}

// publish gives a host a public address, both ways.
func (p *planet) publish(name, public string) {
	id, port := p.portNamed(name)
	private, a := p.img.Sets[port.Addrs].Min().Addr(), netip.MustParseAddr(public)
	port.Outbound = &fabric.Outbound{What: "public IP", Pairs: []fabric.Pair{{Private: private, Public: a}}}
	p.img.Publics = append(p.img.Publics, fabric.Public{Addr: a, Port: id, Private: private, Origin: fabric.Origin{Resource: "pip"}})
	edge := &p.img.Ports[p.img.Edge]
	edge.Addrs = p.set(p.img.Sets[edge.Addrs].Subtract(fabric.AddrSet(a)))
	t := &p.img.Tables[port.Routes]
	for i := range t.Routes {
		if t.Routes[i].Prefix.Bits() == 0 {
			t.Routes[i].Hop = fabric.Hop{Kind: fabric.HopInternet}
		}
	}
}

// TestClaims has every kind of claim with each of its outcomes.
func TestClaims(t *testing.T) {
	isolation := model.Expectation{Verb: model.Deny, From: group("prod"), To: group("nonprod"), Both: true}
	shop := model.Expectation{Verb: model.Allow, From: group("app", "prod"), To: group("data", "prod"), Traffic: tcp(5432)}
	far := shop
	far.Relation = model.OtherRegion
	far.Through = []model.Waypoint{{Kind: model.SourceFirewall}, {Kind: model.DestinationFirewall}}
	named := far
	named.From, named.To = host("app-prod-0-0"), host("data-prod-1-0")
	named.Through = []model.Waypoint{{Kind: model.NamedFirewall, Name: "fwhub2"}}
	symmetric := model.Expectation{Verb: model.Symmetric, From: group("prod"), To: group("prod")}
	names := model.Expectation{Verb: model.Resolves, From: anyone, Names: []string{"database.prod-0-0.globojava.com"}}
	claim := func(verb model.Verb, from, to model.Selector, traffic ...model.Traffic) model.Expectation {
		return model.Expectation{Verb: verb, From: from, To: to, Traffic: traffic}
	}
	open := func(p *planet) {
		p.filterNamed("admin-out-prod").Rules = nil
		p.filterNamed("admin-in-nonprod").Rules = nil
	}
	for _, tt := range []struct {
		name   string
		change func(*planet)
		claim  model.Expectation
		want   Status
		why    string // part of it
	}{
		{"an interface asks a server of its own", func(p *planet) {
			for i := range p.img.Ports {
				if p.img.Ports[i].Kind == fabric.PortHost {
					p.img.Ports[i].Servers = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
					break
				}
			}
		}, names, Unknown, "DNS servers of its own answer"},
		{"isolation by admin rules", nil, isolation, Holds, "no packet gets through: 24 sources to 12 destinations, and back"},
		{"one admin rule less: the other side's still denies", func(p *planet) { p.filterNamed("admin-out-prod").Rules = nil }, isolation, Holds, ""},
		{"no admin rules: the firewall policy still denies", open, isolation, Holds, ""},
		{"no admin rules, open policy", func(p *planet) {
			open(p)
			p.filterNamed("policy-hub1").Rules[0].Match[fabric.Dst] = fabric.AnySet
		}, isolation, Broken, "tcp 10.32.1.4:49152 > 10.32.2.4:443 from app-prod-1-0 to app-nonprod-1-1 is delivered"},
		{"only a packet from one source port gets through", func(p *planet) {
			open(p)
			f := p.filterNamed("policy-hub1")
			f.Rules = append(f.Rules, rule("odd", fabric.Pass, 0, 0, 0, p.tcp))
			f.Rules[2].Match[fabric.SrcPort] = p.set(fabric.NumSet(7, 7))
		}, isolation, Broken, ":7 > "},
		{"a rule whose match is unknown", func(p *planet) {
			open(p)
			p.filterNamed("policy-hub1").Rules = []fabric.Rule{rule("fqdn", fabric.Unknown, 0, 0, 0, 0)}
		}, isolation, Unknown, "whether policy-hub1: fqdn matches cannot be decided"},
		{"an unknown rule behind a deny does not matter", func(p *planet) {
			p.filterNamed("policy-hub1").Rules = []fabric.Rule{rule("fqdn", fabric.Unknown, 0, 0, 0, 0)}
		}, isolation, Holds, ""},
		{"a route that is not modelled", func(p *planet) {
			open(p)
			for i, r := range p.tableNamed("hub1").Routes {
				if r.Prefix.String() == "10.32.2.0/24" {
					p.tableNamed("hub1").Routes[i].Hop = fabric.Hop{Kind: fabric.HopUnknown}
				}
			}
			p.filterNamed("policy-hub1").Rules[0].Match[fabric.Dst] = fabric.AnySet
			for i := range p.img.Filters {
				if strings.Contains(p.img.Filters[i].Name, "nonprod") {
					p.img.Filters[i].Rules = []fabric.Rule{rule("none", fabric.Drop, 0, 0, 0, 0)}
				}
			}
		}, isolation, Unknown, "not modelled"},
		{"who is nobody", nil, claim(model.Deny, group("staging"), anyone), Unknown, `"staging" selects nothing`},
		{"to nobody", nil, claim(model.Allow, group("prod"), group("staging")), Broken, `"staging" selects nothing`},
		{"no pair in another region", nil, model.Expectation{Verb: model.Deny, From: host("app-prod-0-0"), To: host("data-prod-0-0"), Relation: model.OtherRegion}, Unknown, "different regions"},
		{"icmp between IPv4 hosts is not ICMPv6", nil, claim(model.Deny, host("app-prod-0-0"), group("prod"), model.Traffic{Protocol: fabric.ProtoICMPv6}), Unknown, "no packet"},

		{"near and far databases", nil, shop, Holds, "every connection works, replies included"},
		{"one database's rule is gone", func(p *planet) { p.filterNamed("nsg-data-prod-2-0").Rules[0].Action = fabric.Drop }, shop, Broken, "nsg-data-prod-2-0: service denies it"},
		{"a rule for hosts' ports only", func(p *planet) {
			p.filterNamed("nsg-data-prod-2-0").Rules[0].Match[fabric.SrcPort] = p.set(fabric.NumSet(1024, 65535))
		}, shop, Broken, ":1 > "},
		{"one future host is left out", func(p *planet) {
			left := p.img.Sets[p.ten].Subtract(fabric.AddrSet(netip.MustParseAddr("10.0.1.77")))
			p.filterNamed("nsg-data-prod-2-0").Rules[0].Match[fabric.Src] = p.set(left)
			r := &p.filterNamed("nsg-data-prod-2-0").Rules[0]
			r.Match[fabric.Src] = p.set(p.img.Sets[p.ten].Subtract(fabric.AddrSet(netip.MustParseAddr("10.0.1.33"))))
		}, shop, Broken, "tcp 10.0.1.33:49152 > 10.64.1.68:5432"},
		{"but a claim about hosts does not speak of future ones", func(p *planet) {
			p.filterNamed("nsg-data-prod-2-0").Rules[0].Match[fabric.Src] = p.set(fabric.AddrSet(netip.MustParseAddr("10.0.1.4")))
		}, claim(model.Allow, host("app-prod-0-0"), host("data-prod-2-0"), tcp(5432)...), Holds, ""},
		{"the reply finds no route", func(p *planet) {
			tab := p.tableNamed("prod-2-0")
			tab.Routes = tab.Routes[:2]
		}, claim(model.Allow, group("app", "prod"), host("data-prod-2-0"), tcp(5432)...), Broken, "the reply is lost: data-prod-2-0 has no route to"},
		{"a host to itself is no pair", nil, claim(model.Allow, host("data-prod-0-0"), group("data", "prod"), tcp(5432)...), Holds, ""},
		{"only a host and itself", nil, claim(model.Allow, host("data-prod-0-0"), host("data-prod-0-0"), tcp(1)...), Holds, ""},

		{"far databases through both firewalls", nil, far, Holds, "passes what it must"},
		{"a spoke with a shortcut", func(p *planet) {
			tab := p.tableNamed("prod-0-0")
			to, _ := p.portNamed("data-prod-1-0")
			tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix("10.32.1.0/24"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: p.img.Ports[to].Space}}}, tab.Routes...)
		}, far, Broken, ""},
		{"a shortcut both ways", func(p *planet) {
			for _, way := range [][3]string{{"prod-0-0", "10.32.1.0/24", "data-prod-1-0"}, {"prod-1-0", "10.0.1.0/24", "data-prod-0-0"}} {
				tab := p.tableNamed(way[0])
				to, _ := p.portNamed(way[2])
				tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix(way[1]), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: p.img.Ports[to].Space}}}, tab.Routes...)
			}
		}, far, Broken, "works, but the source's firewall is not on the way"},
		{"there through both, back through none", func(p *planet) {
			tab := p.tableNamed("prod-1-0")
			to, _ := p.portNamed("data-prod-0-0")
			tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: p.img.Ports[to].Space}}}, tab.Routes...)
		}, func() model.Expectation {
			e := far
			e.From, e.To = host("app-prod-0-0"), host("data-prod-1-0")
			return e
		}(), Broken, "works, but the source's firewall is not on the way"},
		{"another port with the same address takes it", func(p *planet) {
			open(p)
			thief, port := p.portNamed("data-nonprod-1-1")
			a := netip.MustParseAddr("10.0.3.68")
			space := &p.img.Spaces[port.Space]
			port.Addrs = p.set(fabric.AddrSet(a))
			space.Owners = []fabric.Owner{{Range: p.img.Sets[port.Addrs][0], Port: thief}}
			port.Ingress = nil
			_, from := p.portNamed("app-prod-0-0")
			there, back := p.tableNamed("prod-0-0"), p.tableNamed("nonprod-1-1")
			there.Routes = append([]fabric.Route{{Prefix: netip.PrefixFrom(a, 32), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: port.Space}}}, there.Routes...)
			back.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: from.Space}}}, back.Routes...)
			fabric.SortRoutes(back.Routes)
		}, claim(model.Allow, host("app-prod-0-0"), host("data-prod-0-2"), tcp(5432)...), Broken, "taken by another port with the same address"},
		{"not through a firewall elsewhere", nil, named, Broken, `firewall "fwhub2" is not on the way`},
		{"through a firewall by name", nil, func() model.Expectation {
			e := named
			e.Through = []model.Waypoint{{Kind: model.NamedFirewall, Name: "fwhub1"}}
			return e
		}(), Holds, ""},

		{"symmetric", nil, symmetric, Holds, "same stateful devices"},
		{"a reply past the firewall", func(p *planet) {
			tab := p.tableNamed("prod-1-0")
			to, _ := p.portNamed("data-prod-0-0")
			tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: p.img.Ports[to].Space}}}, tab.Routes...)
		}, claim(model.Symmetric, host("app-prod-0-0"), host("app-prod-1-0")), Broken, "comes back another way"},
		{"a reply through a firewall that never saw the flow", func(p *planet) {
			tab := p.tableNamed("prod-1-0")
			to, _ := p.portNamed("fwhub2")
			tab.Routes = append([]fabric.Route{{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: to}}}, tab.Routes...)
		}, symmetric, Broken, "never saw the flow begin"},
		{"what is denied has no reply", func(p *planet) {
			p.filterNamed("policy-hub0").Rules = nil
			p.tableNamed("prod-0-0").Routes = p.tableNamed("prod-0-0").Routes[:2]
		}, claim(model.Symmetric, host("app-prod-0-2"), group("prod")), Holds, ""},

		{"nothing from the internet", nil, claim(model.Deny, internet, anyone), Holds, ""},
		{"management ports behind an admin rule", func(p *planet) {
			p.publish("app-prod-0-0", "20.1.1.1")
			p.filterNamed("nsg-app-prod-0-0").Rules = nil
			p.filterNamed("nsg-app-prod-0-0").Default = fabric.Pass
		}, claim(model.Deny, internet, anyone, tcp(22, 3389)...), Holds, ""},
		{"and without it", func(p *planet) {
			p.publish("app-prod-0-0", "20.1.1.1")
			p.filterNamed("nsg-app-prod-0-0").Rules = nil
			p.filterNamed("nsg-app-prod-0-0").Default = fabric.Pass
			p.filterNamed("admin-in-prod").Rules = nil
		}, claim(model.Deny, internet, anyone, tcp(22, 3389)...), Broken, "8.8.8.8:49152 > 20.1.1.1:22 from the internet to app-prod-0-0 is delivered"},
		{"a public address that leads nobody knows where", func(p *planet) {
			p.publish("app-prod-0-0", "20.1.1.1")
			p.img.Publics[len(p.img.Publics)-1].Unknown = true
		}, claim(model.Deny, internet, group("nonprod")), Unknown, "what public address 20.1.1.1 leads to is not modelled (pip)"},
		{"customers reach a published host", func(p *planet) {
			p.publish("app-prod-0-0", "20.1.1.1")
			p.filterNamed("nsg-app-prod-0-0").Rules[0].Match[fabric.Src] = fabric.AnySet
		}, claim(model.Allow, internet, host("app-prod-0-0"), tcp(443)...), Holds, ""},
		{"customers and a host without a public address", nil, claim(model.Allow, internet, host("app-prod-0-0"), tcp(443)...), Broken, `no public address leads to "app-prod-0-0"`},
		{"prod to nonprod by way of the internet", func(p *planet) {
			p.publish("app-nonprod-0-1", "20.1.1.1")
			p.publish("app-prod-0-0", "20.1.1.2")
			open(p)
			p.filterNamed("nsg-app-nonprod-0-1").Rules[0].Match[fabric.Src] = fabric.AnySet
		}, claim(model.Deny, group("prod"), group("nonprod")), Broken, "10.0.1.4:49152 > 20.1.1.1:443 from app-prod-0-0 to app-nonprod-0-1 is delivered"},
		{"out to the internet", nil, claim(model.Deny, group("prod"), internet), Holds, ""},
		{"out to the internet through a policy", func(p *planet) {
			p.filterNamed("policy-hub0").Rules[0].Match[fabric.Dst] = fabric.AnySet
		}, claim(model.Deny, group("prod"), internet), Broken, "> 8.8.8.8:443 from app-prod-0-0 to the internet is delivered"},
		{"by prefix, inside", nil, claim(model.Deny, prefixes("10.0.1.0/24"), prefixes("10.0.2.0/24")), Holds, ""},
		{"by prefix, outside", func(p *planet) {
			p.filterNamed("policy-hub0").Rules[0].Match[fabric.Dst] = fabric.AnySet
		}, claim(model.Allow, group("app", "prod"), prefixes("9.9.9.0/24"), tcp(443)...), Broken, "policy-hub1"},

		{"names", nil, names, Holds, "1 name in 9 virtual networks, all private"},
		{"a name nobody has", nil, func() model.Expectation { e := names; e.Names = []string{"db.globojava.com"}; return e }(), Broken, "db.globojava.com does not exist"},
		{"a network that is not linked", func(p *planet) { p.img.Spaces[4].View.Zones = nil }, names, Unknown, "no linked private zone holds"},
		{"a public address", func(p *planet) {
			for i := range p.records {
				p.records[i].Addrs = []netip.Addr{netip.MustParseAddr("20.0.0.9")}
			}
		}, names, Broken, "resolves to 20.0.0.9, which is not private"},
		{"shared address space is not private (RFC 6598)", func(p *planet) {
			for i := range p.records {
				p.records[i].Addrs = []netip.Addr{netip.MustParseAddr("100.64.0.9")}
			}
		}, names, Broken, "100.64.0.9"},
		{"an unknown verb", nil, claim("hopes", anyone, anyone), Unknown, "not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlanet(3, 3)
			if tt.change != nil {
				tt.change(p)
			}
			if err := p.img.Check(); err != nil {
				t.Fatal(err)
			}
			tt.claim.Name, tt.claim.Text = tt.name, tt.name
			f := New(p.img).Check([]model.Expectation{tt.claim})[0]
			if f.Status != tt.want || !strings.Contains(f.Why, tt.why) {
				t.Errorf("%s: %s; want %s: %s", f.Status, f.Why, tt.want, tt.why)
			}
			if f.Internal != nil {
				t.Error(f.Internal)
			}
			checkWritten(t, &f)
		})
	}
}

// checkWritten holds what people and machines read to its form.
func checkWritten(t *testing.T, f *Finding) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteFindings(&b, []Finding{*f}, Style{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.HasPrefix(b.String(), strings.ToUpper(f.Status.String())) {
		t.Errorf("the text does not begin with the status: %s", b.String())
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if back["status"] != f.Status.String() || back["why"] != f.Why {
		t.Errorf("JSON %s", raw)
	}
	if (f.Witness != nil) != (back["witness"] != nil) {
		t.Errorf("JSON lacks the witness, or invents one: %s", raw)
	}
}

// TestCheckTogether: claims decided side by side are decided as one by one.
func TestCheckTogether(t *testing.T) {
	p := newPlanet(3, 4)
	p.filterNamed("nsg-data-prod-2-0").Rules[0].Action = fabric.Drop
	p.filterNamed("admin-in-prod").Rules = nil
	prover := New(p.img)
	claims := planetClaims()
	for i, f := range prover.Check(claims) {
		one := prover.check(newArena(p.img), claims[i], DefaultBudget)
		a, err := f.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		b, err := one.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("together %s\nalone %s", a, b)
		}
	}
}
