//go:build !linux

package dns

import (
	"net"
	"net/netip"
)

// listenUDP opens one socket: other systems share an address among sockets in
// ways of their own.
func listenUDP(at netip.AddrPort, _ int) ([]*net.UDPConn, error) {
	c, err := net.ListenUDP(network6("udp", at.Addr()), net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return []*net.UDPConn{c}, nil
}

// serveUDP answers datagrams one by one.
func (srv *Server) serveUDP(c *net.UDPConn, count *counters) { srv.serveOneByOne(c, count) }
