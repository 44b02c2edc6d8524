package dns

import (
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

func serve(t *testing.T, addr string, opts Options) *Server {
	t.Helper()
	srv, err := Listen(netip.MustParseAddrPort(addr), example(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// TestServer asks by the wire, with another's client.
func TestServer(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		if strings.HasPrefix(at, "[") {
			c, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			c.Close()
		}
		srv := serve(t, at, Options{})
		targets := []string{srv.Addr().String()}
		switch port := srv.Addr().Port(); at {
		case "0.0.0.0:0":
			targets = []string{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port).String()}
		case "[::]:0":
			targets = []string{
				netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port).String(),
				netip.AddrPortFrom(netip.IPv6Loopback(), port).String(),
			}
		}
		for _, target := range targets {
			for _, proto := range []string{"udp", "tcp"} {
				client := &mdns.Client{Net: proto, Timeout: time.Minute}
				m, _, err := client.Exchange(new(mdns.Msg).SetQuestion("web.example.org.", typeA), target)
				if err != nil || len(m.Answer) != 2 {
					t.Errorf("%s at %s: %v %v", proto, target, m, err)
				}
			}
		}
		if s := srv.Stats(); s.Queries != uint64(2*len(targets)) || s.Answers[0] != s.Queries || s.TCP != uint64(len(targets)) {
			t.Errorf("%s: %+v", at, s)
		}
	}
}

func TestServerAddressInUse(t *testing.T) {
	srv := serve(t, "127.0.0.1:0", Options{})
	if other, err := Listen(srv.Addr(), example(t), Options{}); err == nil {
		other.Close()
		t.Error("two servers share an address")
	}
}

// TestSwap changes the zones under queries: each is answered from one snapshot.
func TestSwap(t *testing.T) {
	srv := serve(t, "127.0.0.1:0", Options{Sockets: 2})
	zone := func(addr string) *Snapshot {
		z, err := ReadZone(strings.NewReader("@ 60 IN SOA ns h 1 2 3 4 5\na IN A "+addr+"\n"), "f", "swap.test")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Compile(z)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	client := &mdns.Client{Timeout: time.Minute}
	for i, addr := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		srv.Swap(zone(addr))
		m, _, err := client.Exchange(new(mdns.Msg).SetQuestion("a.swap.test.", typeA), srv.Addr().String())
		if err != nil || len(m.Answer) != 1 || m.Answer[0].(*mdns.A).A.String() != addr {
			t.Fatalf("%d: %v %v", i, m, err)
		}
	}
}

// TestPipelining sends several queries at once over one connection (RFC 7766).
func TestPipelining(t *testing.T) {
	srv := serve(t, "127.0.0.1:0", Options{})
	raw, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := &mdns.Conn{Conn: raw}
	for id := range uint16(50) {
		q := new(mdns.Msg).SetQuestion("many.example.org.", mdns.TypeTXT)
		q.Id = id
		if err := c.WriteMsg(q); err != nil {
			t.Fatal(err)
		}
	}
	for id := range uint16(50) {
		m, err := c.ReadMsg()
		if err != nil || m.Id != id || len(m.Answer) != 5 {
			t.Fatalf("%d: %v %v", id, m, err)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	srv := serve(t, "127.0.0.1:0", Options{MaxConns: 1})
	client := &mdns.Client{Net: "tcp", Timeout: time.Minute}
	first, err := client.Dial(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, _, err := client.ExchangeWithConn(new(mdns.Msg).SetQuestion("example.org.", typeA), first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Exchange(new(mdns.Msg).SetQuestion("example.org.", typeA), srv.Addr().String()); err == nil {
		t.Error("a second connection was served")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	srv := serve(t, "127.0.0.1:0", Options{Sockets: 3})
	raw, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	srv.Close()
	if _, err := raw.Read(make([]byte, 1)); err == nil {
		t.Error("the connection lives")
	}
	// A goroutine is counted until it has left its last function.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestLimit(t *testing.T) {
	l := newLimiter(3)
	o := Outcome{Scope: 42}
	a, sameNet, other := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.200"), netip.MustParseAddr("198.51.101.1")
	var got []verdict
	for i := range 7 {
		to := a
		if i%2 == 1 {
			to = sameNet
		}
		got = append(got, l.take(to, &o, 1))
	}
	want := []verdict{send, send, send, drop, sendTruncated, drop, sendTruncated}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if v := l.take(other, &o, 1); v != send {
		t.Errorf("another network: %v", v)
	}
	if v := l.take(a, &Outcome{Scope: 43}, 1); v != send {
		t.Errorf("another answer: %v", v)
	}
	if v := l.take(a, &o, 2); v != send {
		t.Errorf("another second: %v", v)
	}
	if v := newLimiter(0).take(a, &o, 1); v != send {
		t.Errorf("no limit: %v", v)
	}
}

// TestLimitedAnswersAreTruncated sees the limit on the wire: who is really there
// gets an answer by TCP.
func TestLimitedAnswersAreTruncated(t *testing.T) {
	srv := serve(t, "127.0.0.1:0", Options{})
	w := srv.worker()
	w.srv = &Server{limiter: newLimiter(1)}
	q, _ := new(mdns.Msg).SetQuestion("web.example.org.", typeA).SetEdns0(1232, false).Pack()
	for i, want := range []string{"NOERROR aa [web", "", "NOERROR aa tc", ""} {
		out := w.answer(srv.Snapshot(), make([]byte, 0, bufferLen), q, asker, 7)
		var m mdns.Msg
		if len(out) > 0 {
			if err := m.Unpack(out); err != nil {
				t.Fatal(err)
			}
		}
		if got := show(&m); len(out) > 0 != (want != "") || want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}

func BenchmarkRespond(b *testing.B) {
	s := example(b)
	for _, name := range []string{"web.example.org.", "nothing.example.org.", "shop.tm.example."} {
		q, _ := new(mdns.Msg).SetQuestion(name, typeA).SetEdns0(1232, false).Pack()
		b.Run(name, func(b *testing.B) {
			var w responder
			out := make([]byte, 0, bufferLen)
			r := Request{Message: q, From: asker}
			b.ReportAllocs()
			for b.Loop() {
				w.respond(s, out, &r)
			}
		})
	}
}
