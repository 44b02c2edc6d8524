package ref_test

import (
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// The lab of this file adds to newLab a balancer in the hub, a private
// endpoint, a platform service and a site.
const (
	balancer fabric.PortID = edge + 1 + iota
	endpoint
	service
	site
)

func newWideLab() *fabric.Image {
	img := newLab().img
	img.Delay = nil
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}
	port := func(name string, kind fabric.PortKind, space fabric.SpaceID, own string) {
		s := fabric.PrefixSet(netip.MustParsePrefix(own))
		id := fabric.PortID(len(img.Ports))
		img.Ports = append(img.Ports, fabric.Port{
			Name: name, Kind: kind, Space: space, Segment: fabric.SegmentID(space), Region: fabric.None, Addrs: set(s), Routes: 2,
		})
		img.Spaces[space].Owners = append(img.Spaces[space].Owners, fabric.Owner{Range: s[0], Port: id})
	}
	for _, name := range []string{"services", "office"} {
		img.Segments = append(img.Segments, fabric.Segment{Name: name, Space: fabric.SpaceID(len(img.Spaces))})
		img.Spaces = append(img.Spaces, fabric.Space{Name: name, Region: fabric.None})
	}
	port("balancer", fabric.PortBalancer, 0, "10.0.0.9/32")
	port("endpoint", fabric.PortEndpoint, 2, "10.2.0.8/32")
	port("service", fabric.PortService, 3, "203.0.113.9/32")
	port("site", fabric.PortSite, 4, "192.168.0.0/24")
	img.Ports[balancer].Inward = &fabric.Inward{}
	img.Publics = append(img.Publics, fabric.Public{Addr: netip.MustParseAddr("203.0.113.9"), Port: service, Private: netip.MustParseAddr("203.0.113.9")})
	// The service's firewall admits nobody but segment b's endpoint.
	img.Ports[service].Ingress = []fabric.FilterID{1}
	img.Ports[service].Admits = []fabric.Admit{{Segment: 2}}
	return img
}

// addr and route shorten the cases below.
func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func route(prefix string, hop fabric.Hop) fabric.Route {
	return fabric.Route{Prefix: netip.MustParsePrefix(prefix), Hop: hop}
}

func tcp(src, dst string, port uint16) fabric.Packet {
	return fabric.Packet{Src: addr(src), Dst: addr(dst), SrcPort: 50000, DstPort: port, Proto: fabric.ProtoTCP}
}

func TestInward(t *testing.T) {
	frontend := func(img *fabric.Image, a string) fabric.SetID {
		img.Sets = append(img.Sets, fabric.AddrSet(addr(a)))
		return fabric.SetID(len(img.Sets) - 1)
	}
	// balance lets the balancer's frontend lead to host b, port 8443.
	balance := func(img *fabric.Image, more func(*fabric.Redirect)) {
		r := fabric.Redirect{Targets: []fabric.Target{{Port: hostB, Addr: addr("10.2.0.4"), DstPort: 8443}}}
		r.Match[fabric.Dst] = frontend(img, "10.0.0.9")
		if more != nil {
			more(&r)
		}
		img.Ports[balancer].Inward.Redirects = append(img.Ports[balancer].Inward.Redirects, r)
		direct := []fabric.Route{
			route("10.0.0.0/24", fabric.Hop{Kind: fabric.HopSpace, Space: 0}),
			route("10.1.0.0/24", fabric.Hop{Kind: fabric.HopSpace, Space: 1}),
		}
		img.Tables[0].Routes, img.Tables[1].Routes = direct, direct
	}
	// pair routes both spokes to a pair of appliances behind the balancer (HA
	// ports), or host b's to another balancer.
	pair := func(img *fabric.Image, apart bool) {
		img.Ports[balancer].Inward.Redirects = []fabric.Redirect{{Targets: []fabric.Target{{Port: fw1}, {Port: fw2}}, Apart: apart}}
		img.Tables[0].Routes[0].Hop.Port, img.Tables[1].Routes[0].Hop.Port = balancer, balancer
	}
	// first and second choose the first target for first packets and the n-th
	// for what follows.
	choose := func(then int32) fabric.Choose {
		n := int32(0)
		return func(_, _ fabric.PortID, _ int32, _ fabric.Packet) int32 { c := n; n = then; return c }
	}
	for _, tt := range []struct {
		name   string
		change func(*fabric.Image)
		from   fabric.PortID
		p      fabric.Packet
		choose fabric.Choose
		want   fabric.Verdict
		code   fabric.Code
		path   []fabric.PortID
		back   []fabric.PortID
		final  string
	}{
		{
			name: "a frontend leads to its member, which answers as the frontend", change: func(i *fabric.Image) { balance(i, nil) },
			p: tcp("10.1.0.4", "10.0.0.9", 443), want: fabric.VerdictAllow, code: fabric.CodeDelivered,
			path: []fabric.PortID{hostA, balancer, hostB}, back: []fabric.PortID{hostB, hostA},
			final: "tcp 10.1.0.4:50000 > 10.2.0.4:8443",
		},
		{
			name: "no rule of the balancer takes it",
			p:    tcp("10.1.0.4", "10.0.0.9", 443), want: fabric.VerdictDeny, code: fabric.CodeNoRedirect,
			path:   []fabric.PortID{hostA, balancer},
			change: func(i *fabric.Image) { balance(i, nil); i.Ports[balancer].Inward.Redirects = nil },
		},
		{
			name: "every member down", p: tcp("10.1.0.4", "10.0.0.9", 443), want: fabric.VerdictDeny, code: fabric.CodeNoTarget,
			change: func(i *fabric.Image) {
				balance(i, func(r *fabric.Redirect) { r.Targets[0].Down = "its probe fails" })
			},
		},
		{
			name: "a member that is its own client", p: tcp("10.1.0.4", "10.0.0.9", 443), want: fabric.VerdictDeny, code: fabric.CodeHairpin,
			change: func(i *fabric.Image) {
				balance(i, func(r *fabric.Redirect) { r.Targets[0] = fabric.Target{Port: hostA, Addr: addr("10.1.0.4")} })
			},
		},
		{
			name: "closed behind a standard frontend", p: tcp("10.1.0.4", "10.0.0.9", 443), want: fabric.VerdictDeny, code: fabric.CodeClosed,
			change: func(i *fabric.Image) { balance(i, func(r *fabric.Redirect) { r.Targets[0].Closed = true }) },
		},
		{
			name: "floating: the member takes the frontend's address", p: tcp("10.1.0.4", "10.0.0.9", 443),
			change: func(i *fabric.Image) {
				balance(i, func(r *fabric.Redirect) { r.Floating = true; r.Targets[0] = fabric.Target{Port: hostB} })
			},
			want: fabric.VerdictAllow, code: fabric.CodeDelivered, back: []fabric.PortID{hostB, hostA},
			final: "tcp 10.1.0.4:50000 > 10.0.0.9:443",
		},
		{
			name: "the member's filters see the client and the member", p: tcp("10.1.0.4", "10.0.0.9", 443),
			change: func(i *fabric.Image) { balance(i, nil); i.Ports[hostB].Ingress = []fabric.FilterID{0} },
			// The filter lets 443 in, but the packet is for 8443 by then.
			want: fabric.VerdictDeny, code: fabric.CodeFilterDefault,
		},
		{
			name: "an appliance pair behind one balancer: both ways meet the same appliance", p: tcp("10.1.0.4", "10.2.0.4", 443),
			change: func(i *fabric.Image) { pair(i, false) }, choose: choose(1), want: fabric.VerdictAllow, code: fabric.CodeDelivered,
			path: []fabric.PortID{hostA, balancer, fw1, hostB}, back: []fabric.PortID{hostB, balancer, fw1, hostA},
		},
		{
			name: "equal-cost paths to an appliance pair: the reply may meet the other one", p: tcp("10.1.0.4", "10.2.0.4", 443),
			change: func(i *fabric.Image) { pair(i, true) }, choose: choose(1), want: fabric.VerdictDeny, code: fabric.CodeNoSession,
			path: []fabric.PortID{hostA, balancer, fw1, hostB}, back: []fabric.PortID{hostB, balancer, fw2},
		},
		{
			name: "destination translation at a firewall that masquerades", from: edge, p: tcp("198.18.0.1", "203.0.113.1", 443),
			change: func(i *fabric.Image) {
				i.Publics[0].Port, i.Publics[0].Private = fw1, addr("203.0.113.1")
				i.Ports[fw1].Inward = &fabric.Inward{Addrs: frontend(i, "203.0.113.1"), Redirects: []fabric.Redirect{{
					Targets: []fabric.Target{{Port: fabric.None, Addr: addr("10.2.0.4"), DstPort: 8443}}, Source: addr("10.0.0.4"),
				}}}
			},
			want: fabric.VerdictAllow, code: fabric.CodeDelivered,
			path: []fabric.PortID{edge, fw1, hostB}, back: []fabric.PortID{hostB, fw1, edge},
			final: "tcp 10.0.0.4:50000 > 10.2.0.4:8443",
		},
		{
			name: "a forwarder that puts its own address", p: tcp("10.1.0.4", "10.2.0.4", 443),
			change: func(i *fabric.Image) {
				i.Ports[fw1].Forward.Own = []netip.Addr{addr("10.0.0.4")}
				i.Ports[fw1].Forward.Private = frontend(i, "192.0.2.1")
				// The way back would meet the other firewall, were it not for the
				// masquerade.
				i.Tables[1].Routes = []fabric.Route{
					route("10.0.0.0/24", fabric.Hop{Kind: fabric.HopSpace, Space: 0}),
					route("0.0.0.0/0", fabric.Hop{Kind: fabric.HopPort, Port: fw2}),
				}
			},
			want: fabric.VerdictAllow, code: fabric.CodeDelivered, back: []fabric.PortID{hostB, fw1, hostA},
			final: "tcp 10.0.0.4:50000 > 10.2.0.4:443",
		},
		{
			name: "private destinations are not masqueraded, but for a rule that says so", p: tcp("10.1.0.4", "10.2.0.4", 443),
			change: func(i *fabric.Image) {
				i.Ports[fw1].Forward.Own = []netip.Addr{addr("10.0.0.4")}
				i.Filters[0].Rules[0].Masquerade = true
			},
			want: fabric.VerdictAllow, code: fabric.CodeDelivered, final: "tcp 10.0.0.4:50000 > 10.2.0.4:443",
		},
		{
			name: "a service endpoint of an admitted segment", from: hostB, p: tcp("10.2.0.4", "203.0.113.9", 443),
			change: func(i *fabric.Image) {
				i.Tables[1].Routes = []fabric.Route{route("203.0.113.0/28", fabric.Hop{Kind: fabric.HopService, Segment: 2})}
			},
			want: fabric.VerdictAllow, code: fabric.CodeDelivered, path: []fabric.PortID{hostB, service}, back: []fabric.PortID{service, hostB},
		},
		{
			name: "a service endpoint of another segment meets the service's firewall", from: hostB, p: tcp("10.2.0.4", "203.0.113.9", 443),
			change: func(i *fabric.Image) {
				i.Tables[1].Routes = []fabric.Route{route("203.0.113.0/28", fabric.Hop{Kind: fabric.HopService, Segment: 1})}
			},
			want: fabric.VerdictDeny, code: fabric.CodeFilterDefault, path: []fabric.PortID{hostB, service},
		},
		{
			name: "the same service over the internet", from: hostA, p: tcp("10.1.0.4", "203.0.113.9", 443),
			want: fabric.VerdictDeny, code: fabric.CodeFilterDefault, path: []fabric.PortID{hostA, fw1, service},
		},
		{
			name: "a closed public address", from: edge, p: tcp("198.18.0.1", "203.0.113.1", 443),
			change: func(i *fabric.Image) {
				i.Publics[0] = fabric.Public{Addr: addr("203.0.113.1"), Port: hostB, Private: addr("10.2.0.4"), Closed: true}
			},
			want: fabric.VerdictDeny, code: fabric.CodeClosed, path: []fabric.PortID{edge},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := newWideLab()
			if tt.change != nil {
				tt.change(img)
			}
			if err := img.Check(); err != nil {
				t.Fatal(err)
			}
			if tt.choose == nil {
				tt.choose = fabric.NewChooser(img).Pick
			}
			c := ref.ConnectBy(img, tt.from, tt.p, tt.choose)
			if v, r := c.Verdict(); v != tt.want || r.Code != tt.code {
				t.Errorf("%s because %s, want %s because %s", v, r.Code, tt.want, tt.code)
			}
			if tt.path != nil && !equal(c.Forward.Path, tt.path) {
				t.Errorf("path %v, want %v", c.Forward.Path, tt.path)
			}
			if tt.back != nil && !equal(c.Reply.Path, tt.back) {
				t.Errorf("reply's path %v, want %v", c.Reply.Path, tt.back)
			}
			if got := c.Forward.Final.String(); tt.final != "" && got != tt.final {
				t.Errorf("arrived as %s, want %s", got, tt.final)
			}
			again := ref.ConnectBy(img, tt.from, tt.p, fabric.Follow(append(c.Forward.Choices, c.Reply.Choices...), fabric.NewChooser(img).Pick))
			if v, r := again.Verdict(); v != tt.want || r.Code != tt.code {
				t.Errorf("repeated with its choices: %s because %s", v, r.Code)
			}
		})
	}
}
