package live

import (
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// connection is a TCP connection that knows its ends as long as it lives. The
// stack's own forgets them once it was reset, and says nil, which few programs look
// for.
type connection struct {
	*gonet.TCPConn
	local, remote net.Addr
}

// newConnection remembers the ends of a connection: as the stack has them, else as
// they are given.
func newConnection(c *gonet.TCPConn, local, remote netip.AddrPort) *connection {
	out := &connection{TCPConn: c, local: c.LocalAddr(), remote: c.RemoteAddr()}
	if out.local == nil {
		out.local = net.TCPAddrFromAddrPort(local)
	}
	if out.remote == nil {
		out.remote = net.TCPAddrFromAddrPort(remote)
	}
	return out
}

// LocalAddr implements [net.Conn].
func (c *connection) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *connection) RemoteAddr() net.Addr { return c.remote }

// listener accepts connections that know their ends.
type listener struct{ *gonet.TCPListener }

// Accept implements [net.Listener]. What was reset before it was accepted has no
// ends any more, and is passed over.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.TCPListener.Accept()
		if err != nil {
			return nil, err
		}
		local, remote := c.LocalAddr(), c.RemoteAddr()
		t, ok := c.(*gonet.TCPConn)
		if !ok || local == nil || remote == nil {
			_ = c.Close()
			continue
		}
		return &connection{t, local, remote}, nil
	}
}
