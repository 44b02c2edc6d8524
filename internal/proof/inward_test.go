package proof

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func labelSelector(kind model.LabelKind, name string) model.Selector {
	return model.Selector{Text: name, All: []model.Label{{Kind: kind, Name: name}}}
}

func balancer(name string) model.Selector { return labelSelector(model.LabelBalancer, name) }

// own gives a port more addresses in its space.
func (p *planet) own(id fabric.PortID, set fabric.Set) {
	space := &p.img.Spaces[p.img.Ports[id].Space]
	for _, r := range set {
		space.Owners = append(space.Owners, fabric.Owner{Range: r, Port: id})
	}
	space.Owners = fabrictest.SortOwners(space.Owners)
}

// beside adds a port next to another: same space, segment, region and routes.
func (p *planet) beside(near, name string, kind fabric.PortKind, label model.LabelKind, own ...netip.Addr) (fabric.PortID, *fabric.Port) {
	_, n := p.portNamed(near)
	id := fabric.PortID(len(p.img.Ports))
	p.img.Ports = append(p.img.Ports, fabric.Port{
		Name: name, Kind: kind, Space: n.Space, Segment: n.Segment, Region: n.Region, Routes: n.Routes,
		Labels: []fabric.Label{{Kind: string(label), Name: name}}, Addrs: p.set(fabric.AddrSet(own...)),
	})
	p.own(id, fabric.AddrSet(own...))
	return id, &p.img.Ports[id]
}

// balance adds a load balancer with one rule for tcp next to a port. A public
// front is not in the space.
func (p *planet) balance(near, name, front string, port, backend uint16, targets ...string) (fabric.PortID, *fabric.Port) {
	a := addr(front)
	var own []netip.Addr
	if a.IsPrivate() {
		own = append(own, a)
	}
	id, b := p.beside(near, name, fabric.PortBalancer, model.LabelBalancer, own...)
	b.Silent = true
	b.Egress = []fabric.FilterID{p.filter(fabric.Filter{Name: name + " sends nothing", Default: fabric.Drop})}
	r := fabric.Redirect{Name: name + "-rule"}
	r.Match[fabric.Dst], r.Match[fabric.Proto], r.Match[fabric.DstPort] = p.set(fabric.AddrSet(a)), p.tcp, p.set(fabric.NumSet(port, port))
	for _, name := range targets {
		q, t := p.portNamed(name)
		r.Targets = append(r.Targets, fabric.Target{Port: q, Addr: p.img.Sets[t.Addrs].Min().Addr(), DstPort: backend})
	}
	b = &p.img.Ports[id]
	b.Inward = &fabric.Inward{Addrs: fabric.AnySet, Redirects: []fabric.Redirect{r}}
	if !a.IsPrivate() {
		p.public(fabric.Public{Addr: a, Port: id, Private: a, Origin: fabric.Origin{Resource: "pip-" + name}})
	}
	return id, b
}

// straight leads a table's default route to the internet.
func (p *planet) straight(table string) {
	for i, r := range p.tableNamed(table).Routes {
		if r.Prefix.Bits() == 0 {
			p.tableNamed(table).Routes[i].Hop = fabric.Hop{Kind: fabric.HopInternet}
		}
	}
}

// twin adds a second host beside an application, open to everybody at 443.
func (p *planet) twin() {
	p.beside("app-prod-0-0", "twin", fabric.PortHost, model.LabelHost, addr("10.0.1.201"))
	in := p.filter(fabric.Filter{Name: "nsg-twin", Stage: fabric.StagePort, Default: fabric.Drop, Rules: []fabric.Rule{
		rule("service", fabric.Pass, 0, 0, p.set(fabric.NumSet(443, 443)), p.tcp),
	}})
	_, twin := p.portNamed("twin")
	_, app := p.portNamed("app-prod-0-0")
	twin.Ingress = []fabric.FilterID{app.Ingress[0], in}
}

// public adds a public address of the image.
func (p *planet) public(x fabric.Public) {
	p.img.Publics = append(p.img.Publics, x)
	slices.SortFunc(p.img.Publics, func(a, b fabric.Public) int { return a.Addr.Compare(b.Addr) })
	edge := &p.img.Ports[p.img.Edge]
	edge.Addrs = p.set(p.img.Sets[edge.Addrs].Subtract(fabric.AddrSet(x.Addr)))
}

// lead adds a route to a table.
func (p *planet) lead(table, prefix string, hop fabric.Hop) {
	t := p.tableNamed(table)
	t.Routes = append(t.Routes, fabric.Route{Prefix: netip.MustParsePrefix(prefix), Hop: hop, Source: "User"})
	fabric.SortRoutes(t.Routes)
}

// sandwich puts a balancer with a rule for everything, and a second appliance,
// in front of the first hub's firewall.
func (p *planet) sandwich(stateful bool) (*fabric.Port, *fabric.Redirect) {
	return p.sandwichAt(0, "ilb", "nva", stateful)
}

func (p *planet) sandwichAt(region int, ilb, nva string, stateful bool) (*fabric.Port, *fabric.Redirect) {
	wall := p.firewalls[region]
	near := p.img.Ports[wall].Name
	front := netip.AddrFrom4([4]byte{10, byte(32 * region), 0, 20})
	id, b := p.balance(near, ilb, front.String(), 1, 0)
	b.Inward.Redirects[0] = fabric.Redirect{Name: "ha-ports", Targets: []fabric.Target{{Port: wall}}}
	p.beside(near, nva, fabric.PortHost, model.LabelHost, front.Next())
	q, second := p.portNamed(nva)
	second.Forward = &fabric.Forward{Policy: p.img.Ports[wall].Forward.Policy, Stateful: stateful}
	r := &p.img.Ports[id].Inward.Redirects[0]
	r.Targets = append(r.Targets, fabric.Target{Port: q})
	for i := range p.img.Tables {
		for k := range p.img.Tables[i].Routes {
			if hop := &p.img.Tables[i].Routes[k].Hop; hop.Kind == fabric.HopPort && hop.Port == wall {
				hop.Port = id
			}
		}
	}
	return &p.img.Ports[q], r
}

// site adds an on-premises network behind a gateway of the first hub, which
// every spoke of the region reaches by its firewall.
func (p *planet) site() {
	gw, g := p.beside("fwhub0", "vpn", fabric.PortForwarder, model.LabelGateway, addr("10.0.0.40"))
	g.Forward = &fabric.Forward{}
	space := p.space("paris", 0)
	p.img.Segments = append(p.img.Segments, fabric.Segment{Name: "paris", Space: space})
	own := fabric.PrefixSet(netip.MustParsePrefix("172.16.0.0/16"))
	table := p.table("paris", fabric.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: gw}})
	p.port(fabric.Port{
		Name: "paris", Kind: fabric.PortSite, Space: space, Segment: fabric.SegmentID(len(p.img.Segments) - 1), Routes: table,
		Labels: []fabric.Label{{Kind: "site", Name: "paris"}},
	}, own)
	p.lead("hub0", "172.16.0.0/16", fabric.Hop{Kind: fabric.HopPort, Port: gw})
	_, g = p.portNamed("vpn")
	fw := fabric.Hop{Kind: fabric.HopPort, Port: p.firewalls[0]}
	g.Routes = p.table("vpn",
		fabric.Route{Prefix: netip.MustParsePrefix("172.16.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: space}},
		fabric.Route{Prefix: netip.MustParsePrefix("10.0.0.0/11"), Hop: fw})
}

// storage adds a platform service, a private endpoint of it beside an
// application, and a service endpoint for another subnet, which alone the
// service admits.
func (p *planet) storage() {
	_, near := p.portNamed("app-prod-0-0")
	admitted := near.Segment
	space := p.space("platform", 0)
	p.img.Segments = append(p.img.Segments, fabric.Segment{Name: "platform", Space: space})
	service := p.port(fabric.Port{
		Name: "shop", Kind: fabric.PortService, Space: space, Segment: fabric.SegmentID(len(p.img.Segments) - 1), Silent: true,
		Routes:  p.table("platform", fabric.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}}),
		Labels:  []fabric.Label{{Kind: "service", Name: "shop"}},
		Ingress: []fabric.FilterID{p.filter(fabric.Filter{Name: "shop-firewall", Default: fabric.Drop})},
		Admits:  []fabric.Admit{{Segment: admitted}},
	}, fabric.AddrSet(addr("20.60.0.1")))
	p.public(fabric.Public{Addr: addr("20.60.0.1"), Port: service, Private: addr("20.60.0.1")})
	p.lead("prod-0-0", "20.60.0.0/24", fabric.Hop{Kind: fabric.HopService, Segment: admitted})
	p.beside("data-prod-1-0", "pe-shop", fabric.PortEndpoint, model.LabelEndpoint, addr("10.32.1.210"))
	_, pe := p.portNamed("pe-shop")
	pe.Silent = true
	pe.Labels = append(pe.Labels, fabric.Label{Kind: "service", Name: "shop"})
}

func (p *planet) open() {
	for i := range p.img.Filters {
		p.img.Filters[i].Rules, p.img.Filters[i].Default = nil, fabric.Pass
	}
}

// TestInwardClaims has claims about what redirects, services and sites do, and
// about devices to pass or not to pass.
func TestInwardClaims(t *testing.T) {
	claim := func(verb model.Verb, from, to model.Selector, traffic ...model.Traffic) model.Expectation {
		return model.Expectation{Verb: verb, From: from, To: to, Traffic: traffic}
	}
	some := func(e model.Expectation) model.Expectation {
		e.Quantity = model.Some
		return e
	}
	through := func(e model.Expectation, kind model.WaypointKind, name string) model.Expectation {
		e.Through = append(e.Through, model.Waypoint{Kind: kind, Name: name})
		return e
	}
	past := func(e model.Expectation, kind model.WaypointKind, name string) model.Expectation {
		e.NotThrough = append(e.NotThrough, model.Waypoint{Kind: kind, Name: name})
		return e
	}
	near := host("data-prod-0-0")
	web := func(p *planet) {
		p.twin()
		p.balance("app-prod-0-0", "web", "10.0.1.200", 443, 0, "twin", "app-prod-0-0")
	}
	front := func(p *planet) {
		p.twin()
		p.balance("app-prod-0-0", "web", "20.1.2.3", 443, 0, "twin", "app-prod-0-0")
		p.filterNamed("nsg-app-prod-0-0").Rules[0].Match[fabric.Src] = fabric.AnySet
		p.straight("prod-0-0") // behind the firewall replies would be lost
	}
	https := claim(model.Allow, near, balancer("web"), tcp(443)...)
	far := claim(model.Allow, host("app-prod-0-0"), host("data-prod-1-0"), tcp(5432)...)
	shop := claim(model.Allow, group("app", "prod"), group("data", "prod"), tcp(5432)...)
	breakAll := func(p *planet) {
		for i := range p.img.Filters {
			if f := &p.img.Filters[i]; strings.HasPrefix(f.Name, "nsg-data-") && !strings.HasSuffix(f.Name, "-out") {
				f.Rules[0].Action = fabric.Drop
			}
		}
	}
	nat := func(p *planet) {
		_, b := p.balance("app-prod-0-0", "jump", "20.1.2.3", 50001, 22, "app-prod-0-0")
		b.Inward.Redirects[0].Name = "nat-22"
		f := p.filterNamed("nsg-app-prod-0-0")
		f.Rules[0].Match[fabric.Src], f.Rules[0].Match[fabric.DstPort] = fabric.AnySet, fabric.AnySet
		p.filterNamed("admin-in-prod").Rules = nil
	}
	for _, tt := range []struct {
		name   string
		change func(*planet)
		claim  model.Expectation
		want   Status
		why    string // part of it
	}{
		{"every target of a balancer works", web, https, Holds, ""},
		{"one of two targets does not", func(p *planet) {
			web(p)
			p.filterNamed("nsg-twin").Rules[0].Action = fabric.Drop
		}, https, Broken, "nsg-twin: service denies it"},
		{"but nobody sends there while its probe fails", func(p *planet) {
			web(p)
			p.filterNamed("nsg-twin").Rules[0].Action = fabric.Drop
			_, b := p.portNamed("web")
			b.Inward.Redirects[0].Targets[0].Down = "its probe fails"
		}, https, Holds, ""},
		{"no target is up", func(p *planet) {
			web(p)
			_, b := p.portNamed("web")
			b.Inward.Redirects[0].Targets[0].Down, b.Inward.Redirects[0].Targets[1].Down = "its probe fails", "its probe fails"
		}, https, Broken, "web-rule of web has no target that is up: its probe fails"},
		{"a port without a rule", web, claim(model.Allow, near, balancer("web"), tcp(80)...), Broken, "no rule of web takes 10.0.1.68 -> 10.0.1.200 tcp/80"},
		{"a target cannot reach itself by its balancer", web, claim(model.Allow, host("app-prod-0-0"), balancer("web"), tcp(443)...), Broken, "hands it back to 10.0.1.4, who sent it"},
		{"nobody else reaches a balancer's targets", web, claim(model.Deny, group("nonprod"), balancer("web")), Holds, ""},
		{"somebody does", web, claim(model.Deny, group("prod"), balancer("web")), Broken, "> 10.0.1.200:443"},
		{"a balancer's targets are not the balancer", web, claim(model.Deny, host("data-prod-0-0"), balancer("web"), tcp(22)...), Holds, ""},
		{"a balancer may lead where the relation does not", func(p *planet) {
			web(p)
			p.filterNamed("policy-hub0").Rules = nil
			to, far := p.portNamed("app-prod-1-0")
			_, b := p.portNamed("web")
			b.Inward.Redirects[0].Targets[0] = fabric.Target{Port: to, Addr: p.img.Sets[far.Addrs].Min().Addr(), Closed: true}
		}, func() model.Expectation {
			e := claim(model.Deny, near, group("app", "prod"), tcp(443)...)
			e.Relation = model.OtherRegion
			return e
		}(), Holds, ""},
		{"a public frontend", front, claim(model.Allow, internet, balancer("web"), tcp(443)...), Holds, ""},
		{"leads to the hosts behind it", front, claim(model.Allow, internet, host("twin"), tcp(443)...), Broken, "is handed to another port"},
		{"to all of them", front, claim(model.Allow, internet, model.Selector{Text: "both", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.1.4/32"), netip.MustParsePrefix("10.0.1.201/32")}}, tcp(443)...), Holds, ""},
		{"a frontend of a Standard balancer without a security group", func(p *planet) {
			front(p)
			_, b := p.portNamed("web")
			b.Inward.Redirects[0].Targets[1].Closed = true
		}, claim(model.Allow, internet, balancer("web"), tcp(443)...), Broken, "no security group opens"},
		{"ports of a denied claim are those that arrive", nat, claim(model.Deny, internet, group("prod"), tcp(22)...), Broken, "20.1.2.3:50001 from the internet to app-prod-0-0 is delivered"},
		{"and not those that were sent", nat, claim(model.Deny, internet, group("prod"), tcp(50001)...), Holds, ""},
		{"those sent, to a balancer", nat, claim(model.Deny, internet, balancer("jump"), tcp(22)...), Holds, ""},
		{"to either, by neither's port", nat, claim(model.Deny, internet, model.Selector{Text: "both", Prefixes: []netip.Prefix{
			netip.MustParsePrefix("20.1.2.3/32"), netip.MustParsePrefix("10.0.1.4/32"),
		}}, tcp(443)...), Holds, ""},
		{"by a floating frontend", func(p *planet) {
			web(p)
			_, b := p.portNamed("web")
			b.Inward.Redirects[0].Floating = true
			b.Inward.Redirects[0].Targets[0].Addr = netip.Addr{}
			p.filterNamed("nsg-twin").Rules[0].Match[fabric.Dst] = p.set(fabric.AddrSet(addr("10.0.1.200")))
		}, claim(model.Deny, near, host("twin"), tcp(443)...), Broken, "> 10.0.1.200:443"},
		{"by a frontend", nat, claim(model.Deny, internet, balancer("jump"), tcp(50001)...), Broken, "is delivered"},

		{"appliances behind one balancer", func(p *planet) { p.sandwich(true) }, far, Holds, ""},
		{"are symmetric: the balancer remembers", func(p *planet) { p.sandwich(true) }, claim(model.Symmetric, group("prod"), group("prod")), Holds, ""},
		{"routers that choose for each direction are not", func(p *planet) {
			_, r := p.sandwich(true)
			r.Apart = true
		}, claim(model.Symmetric, host("app-prod-0-0"), host("app-prod-0-2")), Broken, "never saw the flow begin"},
		{"through a balancer", func(p *planet) { p.sandwich(true) }, through(far, model.NamedBalancer, "ilb"), Holds, ""},
		{"replies do not pass a balancer in front of hosts", web, through(https, model.NamedBalancer, "web"), Holds, ""},
		{"through one appliance behind it", func(p *planet) { p.sandwich(true) }, through(far, model.NamedHost, "nva"), Broken, `host "nva" is not on the way`},
		{"through the only one that is up", func(p *planet) {
			_, r := p.sandwich(true)
			r.Targets[0].Down = "maintenance"
		}, through(far, model.NamedHost, "nva"), Holds, ""},
		{"not through a balancer", func(p *planet) { p.sandwich(true) }, past(far, model.NamedBalancer, "ilb"), Broken, `load balancer "ilb" is on the way`},
		{"through a firewall that is elsewhere, and not past the near one", nil, past(through(far, model.NamedFirewall, "fwhub1"), model.NamedFirewall, "fwhub2"), Holds, "nothing it must not"},
		{"not through the source's firewall", nil, past(far, model.SourceFirewall, ""), Broken, "the source's firewall is on the way"},
		{"nothing to the far database by way of a firewall", nil, past(claim(model.Deny, host("app-prod-0-0"), host("data-prod-1-0")), model.NamedFirewall, "fwhub1"), Broken, `by way of firewall "fwhub1"`},
		{"nothing by way of another", nil, past(claim(model.Deny, host("app-prod-0-0"), host("data-prod-1-0")), model.NamedFirewall, "fwhub2"), Holds, "by way of what it must not"},
		{"not through what is not there", nil, past(far, model.NamedGateway, "vpn"), Unknown, `gateway "vpn" does not exist`},

		{"any database", nil, some(shop), Holds, "every connection from app-prod-0-0 to data-prod-0-0 works"},
		{"any that is left", func(p *planet) {
			breakAll(p)
			p.filterNamed("nsg-data-prod-2-0").Rules[0].Action = fabric.Pass
		}, some(shop), Holds, "to data-prod-2-0 works"},
		{"none is left", breakAll, some(shop), Broken, "no pair works; for example"},
		{"any that may work", func(p *planet) {
			breakAll(p)
			p.filterNamed("nsg-data-prod-2-0").Rules[0].Action = fabric.Unknown
		}, some(shop), Unknown, "depends on what is not modelled"},
		{"no pair of two", nil, some(claim(model.Allow, host("app-prod-0-0"), host("app-prod-0-0"), tcp(443)...)), Broken, "no pair of two"},
		{"any, through", nil, through(some(shop), model.NamedFirewall, "fwhub1"), Holds, ""},

		{"from a site, through its gateway", func(p *planet) {
			p.site()
			p.filterNamed("policy-hub0").Rules[0].Match[fabric.Src] = fabric.AnySet
			p.filterNamed("nsg-app-prod-0-0").Rules[0].Match[fabric.Src] = fabric.AnySet
			p.lead("hub1", "172.16.0.0/16", fabric.Hop{Kind: fabric.HopPort, Port: p.firewalls[0]})
		}, through(claim(model.Allow, sites, host("app-prod-0-0"), tcp(443)...), model.NamedGateway, "vpn"), Holds, ""},
		{"nothing from a site", func(p *planet) { p.site() }, claim(model.Deny, sites, group("prod")), Holds, ""},
		{"a site is outside", func(p *planet) { p.site(); p.open() }, claim(model.Deny, labelSelector(model.LabelSite, "paris"), anyone), Broken, "from paris"},
		{"any is inside", func(p *planet) { p.site(); p.open() }, claim(model.Deny, host("app-prod-0-0"), model.Selector{Text: "on-premises", OnPrem: true}), Broken, "> 172.16.0.0:"},

		{"a service by its service endpoint", func(p *planet) { p.storage() }, claim(model.Allow, host("app-prod-0-0"), prefixes("20.60.0.1/32"), tcp(443)...), Holds, ""},
		{"a service admits nobody else", func(p *planet) { p.storage(); p.filterNamed("policy-hub0").Rules[0].Match[fabric.Dst] = fabric.AnySet }, claim(model.Allow, host("app-prod-0-2"), labelSelector(model.LabelService, "shop"), tcp(443)...), Broken, "no rule of shop-firewall allows it"},
		{"a service's private endpoint", func(p *planet) { p.storage() }, claim(model.Allow, host("app-prod-0-0"), labelSelector(model.LabelEndpoint, "pe-shop"), tcp(443)...), Holds, ""},
		{"a service is its endpoint too", func(p *planet) { p.storage() }, claim(model.Deny, host("app-prod-2-0"), labelSelector(model.LabelService, "shop"), tcp(443)...), Broken, "> 10.32.1.210:443"},

		{"a baseline is compared elsewhere", nil, model.Expectation{Verb: model.NoMore, From: anyone, To: anyone, Baseline: "base.yaml"}, Unknown, `"base.yaml"`},
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
			if f.Status == Broken && f.Witness == nil && f.Groups != nil {
				t.Error("broken without a witness")
			}
			checkWritten(t, &f)
			for _, g := range f.Groups {
				checkReplay(t, p.img, g.Witness)
			}
		})
	}
}

// checkReplay holds a witness to the reference: with its choices it does what
// it shows, and without them too unless it says that they are forced.
func checkReplay(t *testing.T, img *fabric.Image, wit *Witness) {
	t.Helper()
	same := func(c fabric.Connection) bool {
		verdict, reason := c.Verdict()
		_, want := wit.Conn.Verdict()
		return verdict == wit.Verdict && reason == want && slices.Equal(slices.Concat(c.Forward.Choices, c.Reply.Choices), wit.Choices)
	}
	if !same(ref.ConnectBy(img, wit.From, wit.Packet, fabric.Follow(wit.Choices, fabric.NewChooser(img).Pick))) {
		t.Errorf("%s from %s does not replay", wit.Packet, wit.FromName)
	}
	if got := same(ref.Connect(img, wit.From, wit.Packet)); got == wit.Forced {
		t.Errorf("%s from %s: a running network does the same: %v, forced: %v", wit.Packet, wit.FromName, got, wit.Forced)
	}
}

// TestForced: a witness says when no source port makes a running network choose
// the target that fails.
func TestForced(t *testing.T) {
	for _, tt := range []struct {
		hash   fabric.Hash
		forced int // of two targets, of which one fails at a time
	}{{fabric.HashFive, 0}, {fabric.HashTwo, 1}} {
		forced := 0
		for _, bad := range []string{"nsg-app-prod-0-0", "nsg-twin"} {
			p := newPlanet(2, 3)
			p.twin()
			_, b := p.balance("app-prod-0-0", "web", "10.0.1.200", 443, 0, "twin", "app-prod-0-0")
			b.Inward.Redirects[0].Hash = tt.hash
			p.filterNamed(bad).Rules[0].Action = fabric.Drop
			e := model.Expectation{Verb: model.Allow, From: host("data-prod-0-0"), To: balancer("web"), Traffic: tcp(443)}
			f := New(p.img).Check([]model.Expectation{e})[0]
			if f.Witness == nil {
				t.Fatal(f.Why)
			}
			checkReplay(t, p.img, f.Witness)
			checkWritten(t, &f)
			var text bytes.Buffer
			if err := f.WriteText(&text, Style{}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), "web-rule") || strings.Contains(text.String(), "chance") != f.Witness.Forced {
				t.Errorf("forced %v:\n%s", f.Witness.Forced, text.String())
			}
			raw, err := json.Marshal(f.Witness)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(raw), `"choices":["web-rule of web: to `) {
				t.Errorf("JSON %s", raw)
			}
			if f.Witness.Forced {
				forced++
			}
		}
		if forced != tt.forced {
			t.Errorf("%s: %d witnesses are forced, want %d", tt.hash, forced, tt.forced)
		}
	}
}
