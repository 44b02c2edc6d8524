package live

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Ports of the test network: a hub with a stateful firewall between an eastern
// and a western space, and the internet.
//
//	web (10.1.0.4, east) -- fw (10.0.0.4, east) -- db (10.2.0.4, west)
const (
	web fabric.PortID = iota
	db
	fw
	edge
)

func testImage() *fabric.Image {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}, Edge: edge}
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	img.Platform = set(fabric.AddrSet(addr("168.63.129.16")))
	img.Regions = []string{"east", "west"}
	img.Delay = [][]time.Duration{{0, 40 * time.Millisecond}, {40 * time.Millisecond, 0}}
	view := fabric.View{Zones: []fabric.Zone{{Name: "corp.test", Records: []fabric.Record{
		{Name: "db.corp.test", Addrs: []netip.Addr{addr("10.2.0.4")}, TTL: 60},
		{Name: "store.corp.test", Alias: "db.corp.test", TTL: 60},
	}}}}
	for i, s := range []string{"hub", "east", "west"} {
		img.Spaces = append(img.Spaces, fabric.Space{Name: s, Region: fabric.RegionID(i / 2), View: view})
		img.Segments = append(img.Segments, fabric.Segment{Name: s, Space: fabric.SpaceID(i)})
	}
	port := func(name string, space int, kind fabric.PortKind, table fabric.TableID, addrs ...netip.Addr) {
		own := fabric.AddrSet(addrs...)
		id := fabric.PortID(len(img.Ports))
		img.Ports = append(img.Ports, fabric.Port{
			Name: name, Kind: kind, Space: fabric.SpaceID(space), Segment: fabric.SegmentID(space),
			Region: fabric.RegionID(space / 2), Addrs: set(own), Routes: table,
			Labels: []fabric.Label{{Kind: "host", Name: name}},
		})
		for _, r := range own {
			img.Spaces[space].Owners = append(img.Spaces[space].Owners, fabric.Owner{Range: r, Port: id})
		}
	}
	port("web", 1, fabric.PortHost, 0, addr("10.1.0.4"), addr("fd00:1::4"))
	port("db", 2, fabric.PortHost, 0, addr("10.2.0.4"), addr("fd00:2::4"))
	port("fw", 0, fabric.PortForwarder, 1, addr("10.0.0.4"))
	public := addr("203.0.113.1")
	img.Ports[fw].Forward = &fabric.Forward{Policy: []fabric.FilterID{0}, Stateful: true}
	img.Ports[fw].Outbound = &fabric.Outbound{What: "firewall", Pool: []netip.Addr{public}}
	img.Publics = []fabric.Public{{Addr: public, Port: fabric.None}}
	img.Ports = append(img.Ports, fabric.Port{
		Name: "internet", Kind: fabric.PortEdge, Space: fabric.None, Segment: fabric.None, Region: fabric.None, Routes: fabric.None,
		Addrs: set(fabric.PrefixSet(prefix("198.51.100.0/24"))),
	})
	ssh := set(fabric.NumSet(22, 22))
	deny := fabric.Rule{Action: fabric.Drop, Priority: 100, Origin: fabric.Origin{Resource: "/policies/corp", Name: "no-ssh", Place: "net.yaml:7:3"}}
	deny.Match[fabric.DstPort] = ssh
	img.Filters = []fabric.Filter{{Name: "corp", Stage: fabric.StagePolicy, Rules: []fabric.Rule{deny}, Default: fabric.Pass}}
	img.Tables = []fabric.Table{
		{Name: "spoke", Routes: []fabric.Route{
			{Prefix: prefix("::/0"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: fw}},
			{Prefix: prefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopPort, Port: fw}},
		}},
		{Name: "hub", Routes: []fabric.Route{
			{Prefix: prefix("fd00:1::/64"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 1}},
			{Prefix: prefix("fd00:2::/64"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 2}},
			{Prefix: prefix("10.1.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 1}},
			{Prefix: prefix("10.2.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: 2}},
			{Prefix: prefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}},
		}},
	}
	if err := img.Check(); err != nil {
		panic(err)
	}
	return img
}

func testHosts() []model.Host {
	return []model.Host{
		{Name: "web"},
		{Name: "db", Services: []model.Service{
			{Kind: model.ServiceTCP, Port: 5432},
			{Kind: model.ServiceUDP, Port: 53},
			{Kind: model.ServiceHTTP, Port: 80},
			{Kind: model.ServiceHTTPS, Port: 443},
			{Kind: model.ServiceTCP, Port: 22},
		}},
	}
}

// run starts a network and verifies at the end of the test that closing it
// leaves no goroutine.
func run(t testing.TB, img *fabric.Image, opts Options) *Network {
	t.Helper()
	n, err := Start(img, testHosts(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if n.Goroutines() == "" {
		t.Error("the count of goroutines counts nothing")
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Errorf("goroutines left:\n%s", left)
		}
	})
	return n
}

func host(t testing.TB, n *Network, name string) *Host {
	t.Helper()
	h, err := n.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTCPThroughTheFirewall(t *testing.T) {
	n := run(t, testImage(), Options{})
	c, err := host(t, n, "web").DialContext(t.Context(), "tcp", "store.corp.test:5432")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); err != nil || line != "db tcp 5432\n" {
		t.Fatalf("greeting %q, %v", line, err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<14) + "\n"
	go io.WriteString(c, big)
	if line, err := r.ReadString('\n'); err != nil || line != big {
		t.Fatalf("echo of %d bytes: %d, %v", len(big), len(line), err)
	}
}

func TestDenied(t *testing.T) {
	n := run(t, testImage(), Options{})
	for _, network := range []string{"tcp", "udp"} {
		c, err := host(t, n, "web").DialContext(t.Context(), network, "10.2.0.4:22")
		if network == "udp" && err == nil {
			// Nothing is sent before the first write.
			defer c.Close()
			if _, err = c.Write([]byte("x")); err == nil {
				_, err = c.Read(make([]byte, 1))
			}
		}
		var denied *DeniedError
		if !errors.As(err, &denied) {
			t.Fatalf("%s: %v", network, err)
		}
		if denied.Reason != fabric.AtRule(fw, 0, 0) || denied.Reply || !strings.Contains(err.Error(), "no-ssh") || !strings.Contains(err.Error(), "net.yaml:7:3") {
			t.Errorf("%s: %+v: %v", network, denied, err)
		}
	}
}

func TestReplyDenied(t *testing.T) {
	img := testImage()
	img.Tables = append(img.Tables, fabric.Table{Name: "lost"})
	img.Ports[db].Routes = 2
	n := run(t, img, Options{})
	_, err := host(t, n, "web").DialContext(t.Context(), "tcp", "10.2.0.4:5432")
	var denied *DeniedError
	if !errors.As(err, &denied) || !denied.Reply || denied.Reason.Code != fabric.CodeNoRoute {
		t.Fatalf("%v", err)
	}
}

func TestRefused(t *testing.T) {
	n := run(t, testImage(), Options{})
	if _, err := host(t, n, "web").DialContext(t.Context(), "tcp", "10.2.0.4:81"); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestSilentDrops(t *testing.T) {
	n := run(t, testImage(), Options{SilentDrops: true})
	ctx, cancel := context.WithCancel(t.Context())
	h := host(t, n, "web")
	x := make(chan error, 1)
	go func() {
		_, err := h.DialContext(ctx, "tcp", "10.2.0.4:22")
		x <- err
	}()
	for n.Stats().Packets == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-x; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestUDPAndPing(t *testing.T) {
	n := run(t, testImage(), Options{})
	h := host(t, n, "web")
	c, err := h.DialContext(t.Context(), "udp", "10.2.0.4:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 16)
	c.Write([]byte("hello"))
	if k, err := c.Read(b); err != nil || string(b[:k]) != "hello" {
		t.Errorf("%q, %v", b[:k], err)
	}
	for _, a := range []string{"10.2.0.4", "fd00:2::4", "198.51.100.77"} {
		if _, err := h.Ping(t.Context(), netip.MustParseAddr(a)); err != nil {
			t.Error(err)
		}
	}
	// Nobody listens: the ICMP error comes back through the flow, and the
	// firewall's translation.
	for _, to := range []string{"10.2.0.4:54", "[fd00:2::4]:54", "198.51.100.77:54"} {
		c, err := h.DialContext(t.Context(), "udp", to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("hello"))
		if _, err := c.Read(b); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestHTTPS(t *testing.T) {
	n := run(t, testImage(), Options{})
	client := host(t, n, "web").HTTPClient()
	for _, url := range []string{"https://db.corp.test/", "https://store.corp.test", "https://10.2.0.4/", "http://db.corp.test/"} {
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(body) != "db\n" {
			t.Errorf("%s: %q, %v", url, body, err)
		}
	}
}

func TestNames(t *testing.T) {
	n := run(t, testImage(), Options{})
	h := host(t, n, "web")
	if got, err := h.LookupHost(t.Context(), "STORE.corp.test"); err != nil || len(got) != 1 || got[0].String() != "10.2.0.4" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := h.LookupHost(t.Context(), "no.corp.test"); !errors.Is(err, ErrNoSuchName) {
		t.Error(err)
	}
	if _, err := h.LookupHost(t.Context(), "example.com"); !errors.Is(err, ErrUnknownName) {
		t.Error(err)
	}
}

func TestInternet(t *testing.T) {
	n := run(t, testImage(), Options{})
	l, err := n.Internet().Listen("tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := host(t, n, "web").DialContext(t.Context(), "tcp", "198.51.100.99:443")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// The firewall translates the source to its public address.
	if got := in.RemoteAddr().String(); !strings.HasPrefix(got, "203.0.113.1:") {
		t.Errorf("the internet sees %s", got)
	}
	if _, err := n.Internet().DialContext(t.Context(), "tcp", "203.0.113.1:443"); err == nil {
		t.Error("nothing translates inwards, yet a connection came through")
	}
}

func TestSwap(t *testing.T) {
	n := run(t, testImage(), Options{})
	h := host(t, n, "web")
	c, err := h.DialContext(t.Context(), "tcp", "10.2.0.4:5432")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The firewall's policy now denies 5432: a stateful forwarder drops the
	// established session too.
	img := testImage()
	img.Filters[0].Rules[0].Match[fabric.DstPort] = fabric.AnySet
	n.Swap(img)
	if _, err := h.DialContext(t.Context(), "tcp", "10.2.0.4:5432"); err == nil {
		t.Error("the new policy lets a new connection through")
	}
	n.Swap(testImage())
	if c, err := h.DialContext(t.Context(), "tcp", "10.2.0.4:5432"); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestStartErrors(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		hosts      []model.Host
	}{
		{"no port", "no port", []model.Host{{Name: "ghost"}}},
		{"twice", "twice", []model.Host{{Name: "web"}, {Name: "WEB"}}},
	} {
		if _, err := Start(testImage(), tt.hosts, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Packets take the propagation delay of their path: east to west and back is
// twice 40 ms, here a twentieth of it.
func TestLatency(t *testing.T) {
	n := run(t, testImage(), Options{Latency: 0.05})
	rtt, err := host(t, n, "web").Ping(t.Context(), netip.MustParseAddr("10.2.0.4"))
	if err != nil {
		t.Fatal(err)
	}
	if rtt < 4*time.Millisecond {
		t.Errorf("the reply came after %v: it did not wait", rtt)
	}
}

// Closing with connections open and packets under way leaves nothing behind.
func TestCloseInTheMiddle(t *testing.T) {
	n := run(t, testImage(), Options{Latency: 1})
	h := host(t, n, "web")
	failed := make(chan error, 1)
	go func() {
		_, err := h.DialContext(context.Background(), "tcp", "10.2.0.4:5432")
		failed <- err
	}()
	for n.Stats().Packets == 0 {
		runtime.Gosched()
	}
	n.Close()
	if err := <-failed; err == nil {
		t.Error("the dial of a closed network succeeds")
	}
	if _, err := h.DialContext(t.Context(), "tcp", "10.2.0.4:5432"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// BenchmarkHosts prints the cost of one running host: its stack started by a
// first packet and closed.
func BenchmarkHosts(b *testing.B) {
	img := testImage()
	b.ReportAllocs()
	for b.Loop() {
		n, err := Start(img, testHosts(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range n.Hosts() {
			if _, err := h.up(); err != nil {
				b.Fatal(err)
			}
		}
		n.Close()
	}
}

// BenchmarkTCP prints the throughput of one connection through the firewall.
func BenchmarkTCP(b *testing.B) {
	n, err := Start(testImage(), testHosts(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	web, _ := n.Host("web")
	db, _ := n.Host("db")
	l, err := db.Listen("tcp", ":9000")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(io.Discard, c)
		}
	}()
	c, err := web.DialContext(b.Context(), "tcp", "10.2.0.4:9000")
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}
