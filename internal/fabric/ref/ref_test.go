package ref_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// lab is a hub with a stateful firewall and two spokes that reach each other
// only through it, plus a second firewall and an edge:
//
//	host a (10.1.0.4) -- fw1 (10.0.0.4) -- host b (10.2.0.4)
//	                     fw2 (10.0.0.5)
type lab struct{ img *fabric.Image }

const (
	hostA fabric.PortID = iota
	hostB
	fw1
	fw2
	edge
)

func newLab() *lab {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}, Edge: edge}
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}

	img.Platform = set(fabric.AddrSet(addr("168.63.129.16")))
	img.Regions = nil
	public := addr("203.0.113.1")
	for i, s := range []string{"hub", "a", "b"} {
		img.Spaces = append(img.Spaces, fabric.Space{Name: s, Region: fabric.None})
		img.Segments = append(img.Segments, fabric.Segment{Name: s, Space: fabric.SpaceID(i)})
	}
	port := func(name string, space int, a string, kind fabric.PortKind, table fabric.TableID) {
		own := fabric.AddrSet(addr(a))
		id := fabric.PortID(len(img.Ports))
		img.Ports = append(img.Ports, fabric.Port{
			Name: name, Kind: kind, Space: fabric.SpaceID(space), Segment: fabric.SegmentID(space),
			Region: fabric.None, Addrs: set(own), Routes: table,
		})
		img.Spaces[space].Owners = append(img.Spaces[space].Owners, fabric.Owner{Range: own[0], Port: id})
	}
	port("a", 1, "10.1.0.4", fabric.PortHost, 0)
	port("b", 2, "10.2.0.4", fabric.PortHost, 1)
	port("fw1", 0, "10.0.0.4", fabric.PortForwarder, 2)
	port("fw2", 0, "10.0.0.5", fabric.PortForwarder, 2)
	img.Ports[fw1].Forward = &fabric.Forward{Policy: []fabric.FilterID{0}, Stateful: true}
	img.Ports[fw1].Outbound = &fabric.Outbound{Pool: []netip.Addr{public}}
	img.Ports[fw2].Forward = &fabric.Forward{Policy: []fabric.FilterID{0}, Stateful: true}
	img.Ports = append(img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None,
		Addrs: set(fabric.PrefixSet(netip.MustParsePrefix("198.18.0.0/15"))),
	})
	img.Publics = []fabric.Public{{Addr: public, Port: fabric.None}}
	tcp := set(fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP))
	https := set(fabric.NumSet(443, 443))
	allow := fabric.Rule{Action: fabric.Pass}
	allow.Match[fabric.Proto], allow.Match[fabric.DstPort] = tcp, https
	img.Filters = []fabric.Filter{
		{Name: "policy", Stage: fabric.StagePolicy, Rules: []fabric.Rule{allow}, Default: fabric.Drop},
		{Name: "closed", Stage: fabric.StageSegment, Default: fabric.Drop},
	}
	via := func(p fabric.PortID) []fabric.Route {
		return []fabric.Route{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: p}}}
	}
	img.Tables = []fabric.Table{
		{Name: "a", Routes: via(fw1)},
		{Name: "b", Routes: via(fw1)},
		{Name: "hub", Routes: []fabric.Route{
			{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 1}},
			{Prefix: netip.MustParsePrefix("10.2.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 2}},
			{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}},
		}},
	}
	return &lab{img}
}

func TestConnect(t *testing.T) {
	web := fabric.Packet{Src: netip.MustParseAddr("10.1.0.4"), Dst: netip.MustParseAddr("10.2.0.4"), SrcPort: 50000, DstPort: 443, Proto: fabric.ProtoTCP}
	out := web
	out.Dst = netip.MustParseAddr("198.18.0.1")
	with := func(f func(*fabric.Packet)) fabric.Packet { p := web; f(&p); return p }
	for _, tt := range []struct {
		name   string
		change func(*fabric.Image)
		p      fabric.Packet
		want   fabric.Verdict
		code   fabric.Code
		reply  bool // the reply is what failed
		path   []fabric.PortID
	}{
		{"through the firewall and back", nil, web, fabric.VerdictAllow, fabric.CodeDelivered, false, []fabric.PortID{hostA, fw1, hostB}},
		{"policy denies another port", nil, with(func(p *fabric.Packet) { p.DstPort = 22 }), fabric.VerdictDeny, fabric.CodeFilterDefault, false, []fabric.PortID{hostA, fw1}},
		{"spoofed source", nil, with(func(p *fabric.Packet) { p.Src = netip.MustParseAddr("10.1.0.9") }), fabric.VerdictDeny, fabric.CodeSourceCheck, false, []fabric.PortID{hostA}},
		{"platform past everything", nil, with(func(p *fabric.Packet) { p.Dst = netip.MustParseAddr("168.63.129.16") }), fabric.VerdictAllow, fabric.CodePlatform, false, []fabric.PortID{hostA}},
		{"out to the internet, translated", nil, out, fabric.VerdictAllow, fabric.CodeDelivered, false, []fabric.PortID{hostA, fw1, edge}},
		{"no way out", func(i *fabric.Image) { i.Ports[fw1].Outbound = nil }, out, fabric.VerdictDeny, fabric.CodeNoOutbound, false, []fabric.PortID{hostA, fw1}},
		{"private address at the edge", nil, with(func(p *fabric.Packet) { p.Dst = netip.MustParseAddr("10.9.0.4") }), fabric.VerdictDeny, fabric.CodePrivateAtEdge, false, []fabric.PortID{hostA, fw1}},
		{"nobody at the address", nil, with(func(p *fabric.Packet) { p.Dst = netip.MustParseAddr("10.2.0.9") }), fabric.VerdictDeny, fabric.CodeNoPort, false, []fabric.PortID{hostA, fw1}},
		{"established replies pass closed filters", func(i *fabric.Image) { i.Ports[hostB].Egress = []fabric.FilterID{1} }, web, fabric.VerdictAllow, fabric.CodeDelivered, false, []fabric.PortID{hostA, fw1, hostB}},
		{"ingress filter denies", func(i *fabric.Image) { i.Ports[hostB].Ingress = []fabric.FilterID{1} }, web, fabric.VerdictDeny, fabric.CodeFilterDefault, false, []fabric.PortID{hostA, fw1, hostB}},
		{"asymmetric reply meets a firewall without a session", func(i *fabric.Image) {
			i.Tables[1].Routes[0].Hop.Port = fw2
		}, web, fabric.VerdictDeny, fabric.CodeNoSession, true, []fabric.PortID{hostA, fw1, hostB}},
		{"the same over UDP is a new flow to the firewall, and denied as one", func(i *fabric.Image) {
			i.Tables[1].Routes[0].Hop.Port = fw2
			i.Ports[fw1].Forward.Policy = nil
		}, with(func(p *fabric.Packet) { p.Proto = fabric.ProtoUDP }), fabric.VerdictDeny, fabric.CodeFilterDefault, true, []fabric.PortID{hostA, fw1, hostB}},
		{"a host that does not forward", func(i *fabric.Image) { i.Tables[0].Routes[0].Hop.Port = hostB }, out, fabric.VerdictDeny, fabric.CodeNotForwarding, false, []fabric.PortID{hostA, hostB}},
		{"two appliances that point at each other", func(i *fabric.Image) {
			i.Ports[fw1].Routes, i.Ports[fw2].Routes = 0, 1
			i.Tables[0].Routes[0].Hop.Port = fw2
		}, web, fabric.VerdictDeny, fabric.CodeLoop, false, nil},
		{"next hop nobody has", func(i *fabric.Image) { i.Tables[0].Routes[0].Hop.Kind = fabric.HopMissing }, web, fabric.VerdictDeny, fabric.CodeNextHopMissing, false, []fabric.PortID{hostA}},
		{"next hop not modelled", func(i *fabric.Image) { i.Tables[0].Routes[0].Hop.Kind = fabric.HopUnknown }, web, fabric.VerdictUnknown, fabric.CodeRouteUnknown, false, []fabric.PortID{hostA}},
		{"no route", func(i *fabric.Image) { i.Tables[0].Routes = nil }, web, fabric.VerdictDeny, fabric.CodeNoRoute, false, []fabric.PortID{hostA}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab()
			if tt.change != nil {
				tt.change(l.img)
			}
			l.img.Delay = nil
			if err := l.img.Check(); err != nil {
				t.Fatal(err)
			}
			c := ref.Connect(l.img, hostA, tt.p)
			v, r := c.Verdict()
			if v != tt.want || r.Code != tt.code {
				t.Errorf("%s because %s, want %s because %s", v, r.Code, tt.want, tt.code)
			}
			if failed := c.Forward.Verdict == fabric.VerdictAllow && v != fabric.VerdictAllow; failed != tt.reply {
				t.Errorf("the reply failed: %v, want %v", failed, tt.reply)
			}
			if tt.path != nil && !equal(c.Forward.Path, tt.path) {
				t.Errorf("path %v, want %v", c.Forward.Path, tt.path)
			}
		})
	}
}

func equal(a, b []fabric.PortID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// FuzzConnect holds the evaluator to what must be true of every image: it
// ends, it says why, and its trace is consistent with its verdict.
func FuzzConnect(f *testing.F) {
	for i := range uint64(200) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 7))
		img := fabrictest.Random(rng)
		for range 100 {
			at, p := fabrictest.Packet(rng, img)
			c := ref.Connect(img, at, p)
			v, r := c.Verdict()
			if r.Code == fabric.CodeNone {
				t.Fatalf("no reason for %s: %s", v, p)
			}
			if got := c.Forward.Path[0]; got != at {
				t.Fatalf("the path starts at %d, not %d", got, at)
			}
			if len(c.Forward.Path) > fabric.MaxHops+1 {
				t.Fatalf("%d ports passed", len(c.Forward.Path))
			}
			if v == fabric.VerdictAllow && c.Reply.End() != at {
				t.Fatalf("the reply to %s ended at %d, not %d", p, c.Reply.End(), at)
			}
			again := ref.Connect(img, at, p)
			if v2, r2 := again.Verdict(); v2 != v || r2 != r {
				t.Fatalf("two evaluations differ: %v %v", r, r2)
			}
		}
	})
}

// TestRandomImagesReachEverything keeps the generator honest: over many seeds
// every code occurs, so a fuzz run against these images means something.
func TestRandomImagesReachEverything(t *testing.T) {
	seen := map[fabric.Code]int{}
	replies := 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		img := fabrictest.Random(rng)
		for range 100 {
			at, p := fabrictest.Packet(rng, img)
			c := ref.Connect(img, at, p)
			_, r := c.Verdict()
			seen[r.Code]++
			if c.Forward.Verdict == fabric.VerdictAllow && c.Reply.Verdict != fabric.VerdictAllow {
				replies++
			}
		}
	}
	for _, code := range fabric.Codes() {
		if code != fabric.CodeNone && seen[code] == 0 {
			t.Errorf("no random packet ended with %s", code)
		}
	}
	if replies == 0 {
		t.Error("no random reply failed")
	}
	t.Log(seen, "failed replies:", replies)
}
