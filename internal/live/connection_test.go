package live

import (
	"net"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A connection knows its ends after it was reset, and one that was reset before it
// was accepted is not accepted: who asks where it came from is answered.
func TestConnectionsKnowTheirEnds(t *testing.T) {
	n := run(t, testImage(), Options{NoServices: true})
	l, err := n.hosts["db"].Listen("tcp", "10.2.0.4:6000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() (net.Conn, *socket) {
		t.Helper()
		x, err := n.hosts["web"].open(tcp.ProtocolNumber, netip.MustParseAddrPort("10.1.0.4:0"), netip.MustParseAddrPort("10.2.0.4:6000"))
		if err != nil {
			t.Fatal(err)
		}
		watch := n.wire.watchFlow(x.link, x.packet, nil)
		defer n.wire.unwatch(watch)
		c, err := x.connect(t.Context(), watch)
		if err != nil {
			t.Fatal(err)
		}
		return c, x
	}
	_, early := dial()
	early.ep.Abort()
	c, late := dial()
	var in net.Conn
	for in == nil || in.RemoteAddr().String() != c.LocalAddr().String() { // the early one's reset may be under way
		if in, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		defer in.Close()
	}
	late.ep.Abort()
	if _, err := in.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was not reset")
	}
	for _, x := range []struct {
		addr net.Addr
		want string
	}{
		{in.RemoteAddr(), c.LocalAddr().String()},
		{in.LocalAddr(), "10.2.0.4:6000"},
		{c.RemoteAddr(), "10.2.0.4:6000"},
		{c.LocalAddr(), netip.AddrPortFrom(late.packet.Src, late.packet.SrcPort).String()},
	} {
		if x.addr == nil || x.addr.String() != x.want {
			t.Errorf("%v, want %s", x.addr, x.want)
		}
	}
}
