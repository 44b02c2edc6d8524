package proof

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/model"
)

// planet is a global network at the level of the image: per region a hub with a
// stateful firewall and spokes that alternate between prod and nonprod, each
// with an app and a data subnet, each subnet with a host and a vacancy. Spokes
// route everything to their firewall; firewalls route to each other. Region r
// owns 10.32r.0.0/11; its hub is the first /24, spoke i the /24 after it.
type planet struct {
	img           *fabric.Image
	sets          map[string]fabric.SetID
	regions       int
	spokes        int
	prod, nonprod fabric.SetID
	ten, mgmt     fabric.SetID
	tcp           fabric.SetID
	admin         [2]fabric.FilterID // outbound of prod, of nonprod
	adminIn       [2]fabric.FilterID
	firewalls     []fabric.PortID
	records       []fabric.Record
}

func newPlanet(regions, spokes int) *planet {
	p := &planet{img: &fabric.Image{Edge: fabric.None}, sets: map[string]fabric.SetID{}, regions: regions, spokes: spokes}
	p.set(fabric.AllValues())
	p.img.Platform = p.set(fabric.AddrSet(netip.MustParseAddr("168.63.129.16")))
	var side [2][]netip.Prefix
	for r := range regions {
		p.img.Regions = append(p.img.Regions, fmt.Sprintf("region%d", r))
		p.img.Delay = append(p.img.Delay, nil)
		for i := range spokes {
			side[i%2] = append(side[i%2], spokePrefix(r, i))
		}
	}
	p.prod, p.nonprod = p.set(fabric.PrefixSet(side[0]...)), p.set(fabric.PrefixSet(side[1]...))
	p.ten = p.set(fabric.PrefixSet(netip.MustParsePrefix("10.0.0.0/8")))
	p.mgmt = p.set(fabric.NewSet(fabric.NumSet(22, 22)[0], fabric.NumSet(3389, 3389)[0], fabric.NumSet(5985, 5986)[0]))
	p.tcp = p.set(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
	p.adminRules()
	for r := range regions {
		p.hub(r)
	}
	for r := range regions {
		p.between(r)
		for i := range spokes {
			p.spoke(r, i)
		}
	}
	for r := range regions {
		fabric.SortRoutes(p.img.Tables[p.img.Ports[p.firewalls[r]].Routes].Routes)
	}
	p.internet()
	slices.SortFunc(p.records, func(a, b fabric.Record) int { return strings.Compare(a.Name, b.Name) })
	zone := fabric.Zone{Name: "globojava.com", Records: p.records, Origin: fabric.Origin{Resource: "zone"}}
	for i := range p.img.Spaces {
		p.img.Spaces[i].Owners = fabrictest.SortOwners(p.img.Spaces[i].Owners)
		p.img.Spaces[i].View.Zones = []fabric.Zone{zone}
	}
	return p
}

func hubPrefix(r int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(32 * r), 0, 0}), 24)
}

func spokePrefix(r, i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(32*r + (i+1)/256), byte((i + 1) % 256), 0}), 24)
}

func (p *planet) set(s fabric.Set) fabric.SetID {
	k := fmt.Sprint(s)
	id, ok := p.sets[k]
	if !ok {
		id = fabric.SetID(len(p.img.Sets))
		p.img.Sets = append(p.img.Sets, s)
		p.sets[k] = id
	}
	return id
}

func (p *planet) filter(f fabric.Filter) fabric.FilterID {
	f.Origin.Resource = f.Name
	for i := range f.Rules {
		f.Rules[i].Origin.Resource = f.Name
	}
	p.img.Filters = append(p.img.Filters, f)
	return fabric.FilterID(len(p.img.Filters) - 1)
}

// rule has fields in the order source, destination, destination port, protocol.
func rule(name string, action fabric.Action, src, dst, dstPort, proto fabric.SetID) fabric.Rule {
	r := fabric.Rule{Action: action, Origin: fabric.Origin{Name: name}}
	r.Match[fabric.Src], r.Match[fabric.Dst], r.Match[fabric.DstPort], r.Match[fabric.Proto] = src, dst, dstPort, proto
	return r
}

func (p *planet) adminRules() {
	for i, other := range []fabric.SetID{p.nonprod, p.prod} {
		name := []string{"prod", "nonprod"}[i]
		p.admin[i] = p.filter(fabric.Filter{Name: "admin-out-" + name, Stage: fabric.StageAdmin, Default: fabric.Pass, Rules: []fabric.Rule{
			rule("isolation", fabric.Drop, 0, other, 0, 0),
		}})
		p.adminIn[i] = p.filter(fabric.Filter{Name: "admin-in-" + name, Stage: fabric.StageAdmin, Default: fabric.Pass, Rules: []fabric.Rule{
			rule("isolation", fabric.Drop, other, 0, 0, 0),
			rule("management", fabric.Drop, 0, 0, p.mgmt, p.tcp),
		}})
	}
}

func (p *planet) space(name string, region int) fabric.SpaceID {
	p.img.Spaces = append(p.img.Spaces, fabric.Space{Name: name, Region: fabric.RegionID(region)})
	return fabric.SpaceID(len(p.img.Spaces) - 1)
}

func (p *planet) table(name string, routes ...fabric.Route) fabric.TableID {
	fabric.SortRoutes(routes)
	p.img.Tables = append(p.img.Tables, fabric.Table{Name: name, Routes: routes})
	return fabric.TableID(len(p.img.Tables) - 1)
}

func (p *planet) port(port fabric.Port, own fabric.Set) fabric.PortID {
	port.Addrs = p.set(own)
	p.img.Ports = append(p.img.Ports, port)
	id := fabric.PortID(len(p.img.Ports) - 1)
	for _, r := range own {
		owners := &p.img.Spaces[port.Space].Owners
		*owners = append(*owners, fabric.Owner{Range: r, Port: id})
	}
	return id
}

func (p *planet) hub(r int) {
	name := fmt.Sprintf("hub%d", r)
	space := p.space(name, r)
	p.img.Segments = append(p.img.Segments, fabric.Segment{Name: name, Space: space})
	ports := p.set(fabric.NewSet(fabric.NumSet(443, 443)[0], fabric.NumSet(5432, 5432)[0]))
	policy := p.filter(fabric.Filter{Name: "policy-" + name, Stage: fabric.StagePolicy, Default: fabric.Drop, Rules: []fabric.Rule{
		rule("prod", fabric.Pass, p.prod, p.prod, ports, p.tcp), rule("nonprod", fabric.Pass, p.nonprod, p.nonprod, ports, p.tcp),
	}})
	public := netip.AddrFrom4([4]byte{20, 0, byte(r), 1})
	table := p.table(name,
		fabric.Route{Prefix: hubPrefix(r), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: space}},
		fabric.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}},
	)
	a := hubPrefix(r).Addr().Next().Next().Next().Next()
	p.firewalls = append(p.firewalls, p.port(fabric.Port{
		Name: "fw" + name, Kind: fabric.PortForwarder, Space: space, Segment: fabric.SegmentID(len(p.img.Segments) - 1),
		Region: fabric.RegionID(r), Routes: table, Labels: []fabric.Label{{Kind: "firewall", Name: "fw" + name}},
		Forward:  &fabric.Forward{Policy: []fabric.FilterID{policy}, Stateful: true},
		Outbound: &fabric.Outbound{What: "firewall", Pool: []netip.Addr{public}},
	}, fabric.AddrSet(a)))
	p.img.Publics = append(p.img.Publics, fabric.Public{Addr: public, Port: fabric.None})
}

// between routes from one firewall to all others.
func (p *planet) between(r int) {
	t := &p.img.Tables[p.img.Ports[p.firewalls[r]].Routes]
	for o := range p.regions {
		if o != r {
			t.Routes = append(t.Routes, fabric.Route{
				Prefix: netip.PrefixFrom(hubPrefix(o).Addr(), 11), Hop: fabric.Hop{Kind: fabric.HopPort, Port: p.firewalls[o]},
			})
		}
	}
}

func (p *planet) spoke(r, i int) {
	env := []string{"prod", "nonprod"}[i%2]
	prefix := spokePrefix(r, i)
	name := fmt.Sprintf("%s-%d-%d", env, r, i)
	space := p.space(name, r)
	fw := p.firewalls[r]
	hub := &p.img.Tables[p.img.Ports[fw].Routes]
	hub.Routes = append(hub.Routes, fabric.Route{Prefix: prefix, Hop: fabric.Hop{Kind: fabric.HopSpace, Space: space}})
	table := p.table(name,
		fabric.Route{Prefix: prefix, Hop: fabric.Hop{Kind: fabric.HopSpace, Space: space}},
		fabric.Route{Prefix: hubPrefix(r), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: p.img.Ports[fw].Space}},
		fabric.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: fw}},
	)
	vnet := p.set(fabric.PrefixSet(prefix, hubPrefix(r)))
	for k, subnet := range []string{"app", "data"} {
		port := []uint16{443, 5432}[k]
		in := p.filter(fabric.Filter{Name: "nsg-" + subnet + "-" + name, Stage: fabric.StageSegment, Default: fabric.Drop, Rules: []fabric.Rule{
			rule("service", fabric.Pass, p.ten, 0, p.set(fabric.NumSet(port, port)), p.tcp),
			rule("nothing-else", fabric.Drop, 0, 0, 0, 0),
			rule("AllowVnetInBound", fabric.Pass, vnet, vnet, 0, 0),
			rule("DenyAllInBound", fabric.Drop, 0, 0, 0, 0),
		}})
		out := p.filter(fabric.Filter{Name: "nsg-" + subnet + "-" + name + "-out", Stage: fabric.StageSegment, Default: fabric.Pass, Rules: []fabric.Rule{
			rule("AllowVnetOutBound", fabric.Pass, vnet, vnet, 0, 0),
		}})
		block := netip.PrefixFrom(prefix.Addr(), 26)
		if k == 1 {
			a := prefix.Addr().As4()
			block = netip.PrefixFrom(netip.AddrFrom4([4]byte{a[0], a[1], a[2], 64}), 26)
		}
		segment := fabric.SegmentID(len(p.img.Segments))
		p.img.Segments = append(p.img.Segments, fabric.Segment{Name: name + "/" + subnet, Space: space, Prefixes: []netip.Prefix{block}})
		labels := []fabric.Label{
			{Kind: "group", Name: env},
			{Kind: "region", Name: p.img.Regions[r]},
			{Kind: "subnet", Name: subnet},
			{Kind: "tag", Name: "env=" + env},
			{Kind: "vnet", Name: name},
		}
		shape := fabric.Port{
			Space: space, Segment: segment, Region: fabric.RegionID(r), Routes: table, Labels: labels,
			Egress: []fabric.FilterID{p.admin[i%2], out}, Ingress: []fabric.FilterID{p.adminIn[i%2], in},
		}
		a := block.Addr().Next().Next().Next().Next()
		host, vacant := shape, shape
		host.Kind, host.Name = fabric.PortHost, subnet+"-"+name
		host.Labels = append([]fabric.Label{{Kind: "host", Name: host.Name}}, labels...)
		vacant.Kind, vacant.Name = fabric.PortVacant, name+"/"+subnet+" (unassigned)"
		p.port(host, fabric.AddrSet(a))
		// Azure keeps the first four addresses and the last.
		free := fabric.PrefixRange(block)
		free.Lo, free.Hi = fabric.AddrValue(a).Next(), free.Hi.Prev()
		p.port(vacant, fabric.Set{free})
		if k == 1 {
			p.records = append(p.records, fabric.Record{Name: "database." + name + ".globojava.com", Addrs: []netip.Addr{a}, TTL: 300})
		}
	}
}

func (p *planet) internet() {
	outside := fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0")).Subtract(p.img.Sets[p.ten])
	for _, a := range p.img.Publics {
		outside = outside.Subtract(fabric.AddrSet(a.Addr))
	}
	outside = outside.Subtract(p.img.Sets[p.img.Platform])
	p.img.Edge = fabric.PortID(len(p.img.Ports))
	p.img.Ports = append(p.img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None, Addrs: p.set(outside),
	})
}

func group(names ...string) model.Selector {
	s := model.Selector{}
	for _, n := range names {
		kind := model.LabelGroup
		if n == "app" || n == "data" {
			kind = model.LabelSubnet
		}
		s.All = append(s.All, model.Label{Kind: kind, Name: n})
		if s.Text != "" {
			s.Text += " in "
		}
		s.Text += n
	}
	return s
}

func tcp(ports ...uint16) []model.Traffic {
	t := model.Traffic{Protocol: fabric.ProtoTCP}
	for _, p := range ports {
		t.Ports = append(t.Ports, model.PortRange{Lo: p, Hi: p})
	}
	return []model.Traffic{t}
}

func planetClaims() []model.Expectation {
	inet, everyone := model.Selector{Text: "internet", Internet: true}, model.Selector{Text: "any", Any: true}
	both := []model.Waypoint{{Kind: model.SourceFirewall}, {Kind: model.DestinationFirewall}}
	return []model.Expectation{
		{Name: "isolation", Verb: model.Deny, From: group("prod"), To: group("nonprod"), Both: true},
		{Name: "near", Verb: model.Allow, From: group("app", "prod"), To: group("data", "prod"), Traffic: tcp(5432), Relation: model.SameRegion},
		{Name: "far", Verb: model.Allow, From: group("app", "prod"), To: group("data", "prod"), Traffic: tcp(5432), Relation: model.OtherRegion, Through: both},
		{Name: "management", Verb: model.Deny, From: inet, To: everyone, Traffic: tcp(22, 3389, 5985, 5986)},
		{Name: "names", Verb: model.Resolves, From: everyone, Names: []string{"database.prod-0-0.globojava.com", "database.prod-1-0.globojava.com"}},
		{Name: "symmetric", Verb: model.Symmetric, From: group("prod"), To: group("prod")},
	}
}

func TestPlanet(t *testing.T) {
	p := newPlanet(3, 6)
	if err := p.img.Check(); err != nil {
		t.Fatal(err)
	}
	for _, f := range New(p.img).Check(planetClaims()) {
		if f.Status != Holds {
			t.Errorf("%s: %s: %s", f.Expectation.Name, f.Status, f.Why)
			for _, g := range f.Groups {
				t.Logf("  %d pairs: %s: %s", g.Pairs, g.Cause, g.Witness.Packet)
			}
		} else {
			t.Logf("%s: %s %+v", f.Expectation.Name, f.Why, f.Counts)
		}
	}
}

func BenchmarkPlanet(b *testing.B) {
	for _, spokes := range []int{14, 143} {
		p := newPlanet(7, spokes)
		claims := planetClaims()
		b.Run(fmt.Sprintf("spokes=%d/new", 7*spokes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(p.img)
			}
		})
		b.Run(fmt.Sprintf("spokes=%d/all", 7*spokes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range New(p.img).Check(claims) {
					if f.Status != Holds {
						b.Fatal(f.Expectation.Name, f.Why)
					}
				}
			}
		})
		// The worst case to report: everything that is claimed to fail works.
		open := newPlanet(7, spokes)
		for i := range open.img.Filters {
			open.img.Filters[i].Rules, open.img.Filters[i].Default = nil, fabric.Pass
		}
		b.Run(fmt.Sprintf("spokes=%d/broken", 7*spokes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if f := New(open.img).Check(claims[:1])[0]; f.Status != Broken {
					b.Fatal(f.Why)
				}
			}
		})
		for _, c := range claims {
			b.Run(fmt.Sprintf("spokes=%d/%s", 7*spokes, c.Name), func(b *testing.B) {
				b.ReportAllocs()
				prover := New(p.img)
				var steps int
				for b.Loop() {
					steps = prover.Check([]model.Expectation{c})[0].Counts.Steps
				}
				b.ReportMetric(float64(steps), "steps")
			})
		}
	}
}
